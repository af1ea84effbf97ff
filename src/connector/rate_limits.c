/*
 * rate_limits.c
 *		What holds the requests of servers back, for SQL: a row an account and a row for
 *		each of its limits, of the servers that the caller may use.
 */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "connector/connector.h"

#define COLUMNS	13

static const char *
limit_name(const LyfGateRow *row)
{
	if (row->policy < 0)
		return "max_requests";
	return row->policy == 0 ? "rate_limit" : "api_budget";
}

static void
put_row(ReturnSetInfo *result, const LyfGateRow *row, const char *server)
{
	Interval   *interval = palloc0(sizeof(Interval));
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};

	interval->time = row->interval_ms * 1000;
	values[0] = CStringGetTextDatum(server);
	values[1] = lyf_text_or_null(OidIsValid(row->user) ? GetUserNameFromId(row->user, true) : NULL, &nulls[1]);
	values[2] = CStringGetTextDatum(limit_name(row));
	values[3] = Int32GetDatum(row->policy);
	nulls[3] = row->policy <= 0;
	values[4] = Int32GetDatum(row->calls);
	nulls[4] = row->calls == 0;
	values[5] = IntervalPGetDatum(interval);
	nulls[5] = row->policy < 0;
	values[6] = Int64GetDatum(row->used);
	values[7] = Int32GetDatum(row->in_flight);
	values[8] = Int32GetDatum(row->waiting);
	nulls[8] = row->policy >= 0;
	values[9] = TimestampTzGetDatum(row->held_until);
	nulls[9] = row->held_until == 0;
	values[10] = lyf_text_or_null(row->held_by, &nulls[10]);
	values[11] = BoolGetDatum(row->shared);
	values[12] = TimestampTzGetDatum(row->updated_at);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

LYF_FUNCTION_INFO_V1(lyf_list_rate_limits);
Datum
lyf_list_rate_limits(PG_FUNCTION_ARGS)
{
	LyfGateRow *rows;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	rows = lyf_gate_list(&count);
	for (int i = 0; i < count; i++)
	{
		ForeignServer *server = GetForeignServerExtended(rows[i].server, FSV_MISSING_OK);

		if (server != NULL && lyf_server_aclcheck(server->serverid, GetUserId()) == ACLCHECK_OK)
			put_row((ReturnSetInfo *) fcinfo->resultinfo, &rows[i], server->servername);
	}
	return (Datum) 0;
}
