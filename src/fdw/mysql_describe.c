/*
 * mysql_describe.c
 *		Columns of a foreign table whose option remote_type is not set: the server is asked.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "fdw/mysql_internal.h"

/* the column as the server has it, or NULL; names of columns are no matter of case there */
static const LyfMysqlRemoteColumn *
find_column(const LyfMysqlTable *table, const LyfMysqlColumn *column, List *columns)
{
	const char *table_name = pg_server_to_any(table->name, strlen(table->name), PG_UTF8);
	const char *name = pg_server_to_any(column->remote_name, strlen(column->remote_name), PG_UTF8);
	const LyfMysqlRemoteColumn *found = NULL;
	ListCell   *lc;

	foreach(lc, columns)
	{
		const LyfMysqlRemoteColumn *remote = lfirst(lc);

		if (pg_strcasecmp(remote->name, name) != 0)
			continue;
		found = remote;

		/* names of tables may be, and then several were found */
		if (strcmp(remote->table, table_name) == 0)
			break;
	}
	return found;
}

/* one that is not there is found missing by the server */
static void
describe_column(const LyfMysqlTable *table, LyfMysqlColumn *column, List *columns)
{
	const LyfMysqlRemoteColumn *remote = find_column(table, column, columns);

	column->remote.kind = LYF_MY_OTHER;
	if (remote == NULL)
		return;
	lyf_mysql_type_parse(lyf_mysql_remote_type(remote), NULL, &column->remote);
	if (remote->generated)
		column->generated = true;
	if (remote->not_null && (table->zero_dates == LYF_ZERO_DATES_ERROR || !lyf_mysql_is_moment(column->remote.kind)))
		column->not_null = true;
}

void
lyf_mysql_describe(LyfMysqlTable *table)
{
	List	   *columns = NIL;
	bool		asked = false;

	for (int i = 0; i < table->natts; i++)
	{
		LyfMysqlColumn *column = &table->columns[i];

		if (column->dropped || column->remote.kind != LYF_MY_UNKNOWN)
			continue;
		if (!asked)
			columns = lyf_mysql_remote_columns(lyf_mysql_session(table->server, table->user, true), table->database,
											   list_make1(unconstify(char *, table->name)));
		asked = true;
		describe_column(table, column, columns);
	}
}
