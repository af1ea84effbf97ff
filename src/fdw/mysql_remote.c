/*
 * mysql_remote.c
 *		What information_schema says of tables and columns.
 */
#include "postgres.h"

#include "fdw/mysql_internal.h"

/* since then MySQL knows the spatial reference system of a column */
#define MYSQL_8		80000

/* fields of the query for columns */
enum
{
	TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME, SRS_ID, IS_NULLABLE, COLUMN_KEY, EXTRA, COLUMN_DEFAULT, COLUMN_COMMENT
};

void
lyf_mysql_never_put_aside(LyfMysqlReader *reader)
{
	elog(ERROR, "a result that is read at once was interrupted by another statement");
}

void
lyf_mysql_each_row(LyfMysqlSession *session, const char *sql, LyfMysqlRowFunction function, void *arg)
{
	LyfMysqlReader reader = {.put_aside = lyf_mysql_never_put_aside};
	const LyfMysqlField *fields;
	int			count;
	LyfMysqlRow row;

	lyf_mysql_query(session, &reader, sql, strlen(sql), &fields, &count);
	while (lyf_mysql_fetch(session, &reader, &row))
		function(arg, &row);
}

void
lyf_mysql_append_where(StringInfo sql, const char *database, List *tables)
{
	ListCell   *lc;

	appendStringInfoString(sql, " WHERE table_schema = ");
	lyf_mysql_write_text(sql, database);
	foreach(lc, tables)
	{
		appendStringInfoString(sql, foreach_current_index(lc) == 0 ? " AND table_name IN (" : ", ");
		lyf_mysql_write_text(sql, lfirst(lc));
	}
	if (tables != NIL)
		appendStringInfoChar(sql, ')');
}

static char *
copy_text(const char *text)
{
	return text != NULL ? pstrdup(text) : NULL;
}

static void
add_column(void *arg, const LyfMysqlRow *row)
{
	List	  **columns = arg;
	LyfMysqlRemoteColumn *column = palloc0(sizeof(LyfMysqlRemoteColumn));
	const char *extra = row->value[EXTRA] ? row->value[EXTRA] : "";

	column->table = copy_text(row->value[TABLE_NAME]);
	column->name = copy_text(row->value[COLUMN_NAME]);
	column->type = copy_text(row->value[COLUMN_TYPE]);
	column->collation = copy_text(row->value[COLLATION_NAME]);
	column->srid = copy_text(row->value[SRS_ID]);
	column->not_null = strcmp(row->value[IS_NULLABLE], "NO") == 0;
	column->key = strcmp(row->value[COLUMN_KEY], "PRI") == 0;
	column->generated = strstr(extra, "VIRTUAL GENERATED") != NULL || strstr(extra, "STORED GENERATED") != NULL;
	column->default_text = copy_text(row->value[COLUMN_DEFAULT]);
	column->default_computed = strstr(extra, "DEFAULT_GENERATED") != NULL;
	column->comment = copy_text(row->value[COLUMN_COMMENT]);
	*columns = lappend(*columns, column);
}

List *
lyf_mysql_remote_columns(LyfMysqlSession *session, const char *database, List *tables)
{
	List	   *columns = NIL;
	StringInfoData sql;
	int			version;
	bool		mariadb = lyf_mysql_is_mariadb(session, &version);

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT table_name, column_name, column_type, collation_name, %s, is_nullable, column_key, extra, "
					 "column_default, column_comment FROM information_schema.columns",
					 !mariadb && version >= MYSQL_8 ? "srs_id" : "NULL");
	lyf_mysql_append_where(&sql, database, tables);
	appendStringInfoString(&sql, " ORDER BY table_name, ordinal_position");
	lyf_mysql_each_row(session, sql.data, add_column, &columns);
	return columns;
}

char *
lyf_mysql_remote_type(const LyfMysqlRemoteColumn *column)
{
	if (column->collation != NULL)
		return psprintf("%s collate %s", column->type, column->collation);
	if (column->srid != NULL)
		return psprintf("%s srid %s", column->type, column->srid);
	return pstrdup(column->type);
}
