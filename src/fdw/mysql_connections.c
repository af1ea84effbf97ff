/*
 * mysql_connections.c
 *		The connections of this session to MySQL and MariaDB, for SQL.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "fdw/mysql_session.h"

LYF_FUNCTION_INFO_V1(lyf_mysql_connections);
Datum
lyf_mysql_connections(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	dlist_iter	iter;

	InitMaterializedSRF(fcinfo, 0);
	dlist_foreach(iter, lyf_mysql_sessions())
	{
		LyfMysqlSession *session = dlist_container(LyfMysqlSession, node, iter.cur);
		char	   *user = GetUserNameFromId(session->user, true);
		Datum		values[5];
		bool		nulls[5] = {false};

		if (session->mysql == NULL)
			continue;
		values[0] = CStringGetTextDatum(session->server_name);
		nulls[1] = user == NULL;
		values[1] = user != NULL ? CStringGetTextDatum(user) : (Datum) 0;
		values[2] = Int64GetDatum((int64) lyf_mysql_functions()->session_id(session->mysql));
		values[3] = BoolGetDatum(session->depth > 0);
		values[4] = BoolGetDatum(!session->invalid && !lyf_mysql_functions()->is_stale(session->mysql));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

LYF_FUNCTION_INFO_V1(lyf_mysql_disconnect_server);
Datum
lyf_mysql_disconnect_server(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			server = GetForeignServerByName(name, false)->serverid;
	bool		closed = false;
	dlist_iter	iter;

	dlist_foreach(iter, lyf_mysql_sessions())
	{
		LyfMysqlSession *session = dlist_container(LyfMysqlSession, node, iter.cur);

		if (session->server != server || session->mysql == NULL)
			continue;
		if (session->depth > 0)
		{
			ereport(WARNING,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("a transaction is open at server \"%s\", its connection is not closed", name)));
			continue;
		}
		lyf_mysql_disconnect(session);
		closed = true;
	}
	PG_RETURN_BOOL(closed);
}
