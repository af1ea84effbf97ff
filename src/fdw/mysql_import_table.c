/*
 * mysql_import_table.c
 *		The statements that make a foreign table for a table at MySQL or MariaDB.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "fdw/fdw_internal.h"
#include "fdw/mysql_import.h"

/* A statement with columns in the making. */
typedef struct Making
{
	const LyfMysqlImport *import;
	const LyfMysqlRemoteTable *table;
	char	   *name;			/* of the foreign table, with its schema, quoted */
	List	   *names;			/* of columns that are taken */
	StringInfoData columns;
	StringInfoData comments;
} Making;

static char *
from_utf8(const char *text)
{
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

/* options in parentheses, one by one */
static void
append_option(StringInfo out, int *count, const char *name, const char *value)
{
	appendStringInfo(out, "%s%s %s", (*count)++ == 0 ? " OPTIONS (" : ", ", name, quote_literal_cstr(value));
}

static void
append_column_options(StringInfo out, const LyfMysqlRemoteColumn *column, const char *local_name, bool not_null)
{
	char	   *name = from_utf8(column->name);
	int			count = 0;

	if (strcmp(name, local_name) != 0)
		append_option(out, &count, "name", name);
	append_option(out, &count, "remote_type", from_utf8(lyf_mysql_remote_type(column)));
	if (column->key)
		append_option(out, &count, "key", "true");
	if (column->generated)
		append_option(out, &count, "generated", "true");
	if (not_null)
		append_option(out, &count, "not_null", "true");
	appendStringInfoChar(out, ')');
}

static void
append_constraints(Making *making, const LyfMysqlRemoteColumn *column, const LyfMysqlRemoteType *remote, const char *type, bool not_null)
{
	const LyfMysqlImportOptions *options = &making->import->options;
	char	   *value = NULL;

	if (options->not_null && not_null)
		appendStringInfoString(&making->columns, " NOT NULL");
	if (options->defaults)
		value = lyf_mysql_import_default(column, remote, type, making->import->mariadb);
	if (value != NULL)
		appendStringInfo(&making->columns, " DEFAULT %s", value);
}

/* types that this version of lyftron does not know */
static void
tell_other(const Making *making, const LyfMysqlRemoteColumn *column, const char *name, const char *type)
{
	ereport(NOTICE,
			(errmsg("column \"%s\" of table \"%s\" is imported as %s", name, making->table->local_name, type),
			 errdetail("Its type at the server is %s.", from_utf8(column->type))));
}

static void
append_comment(Making *making, const char *kind, const char *object, const char *comment)
{
	if (comment != NULL && *comment != '\0')
		appendStringInfo(&making->comments, ";\nCOMMENT ON %s %s IS %s", kind, object, quote_literal_cstr(from_utf8(comment)));
}

static void
append_column(Making *making, const LyfMysqlRemoteColumn *column)
{
	char	   *name = lyf_unique_name(&making->names, column->name);
	LyfMysqlRemoteType remote;
	bool		not_null;
	char	   *type;

	lyf_mysql_type_parse(column->type, column->collation, &remote);
	type = lyf_mysql_type_declare(&remote, &making->import->options.types);
	not_null = column->not_null && !(making->import->options.zero_dates_null && lyf_mysql_is_moment(remote.kind));
	if (remote.kind == LYF_MY_OTHER)
		tell_other(making, column, name, type);
	if (making->columns.len > 0)
		appendStringInfoChar(&making->columns, ',');
	appendStringInfo(&making->columns, "\n\t%s %s", quote_identifier(name), type);
	append_column_options(&making->columns, column, name, not_null);
	append_constraints(making, column, &remote, type, not_null);
	append_comment(making, "COLUMN", psprintf("%s.%s", making->name, quote_identifier(name)), column->comment);
}

static void
append_columns(Making *making)
{
	bool		generated = making->import->options.generated;
	ListCell   *lc;

	foreach(lc, making->table->columns)
	{
		const LyfMysqlRemoteColumn *column = lfirst(lc);

		if (column->generated && !generated)
			continue;
		if (list_length(making->names) == MaxHeapAttributeNumber)
		{
			ereport(NOTICE,
					(errmsg("table \"%s\" is imported without its last columns", making->table->local_name),
					 errdetail("It has %d columns, and a table here %d at most.",
							   list_length(making->table->columns), MaxHeapAttributeNumber)));
			break;
		}
		append_column(making, column);
	}
}

static void
append_table_options(StringInfo out, const LyfMysqlImport *import, const LyfMysqlRemoteTable *table)
{
	int			count = 0;

	append_option(out, &count, "database", import->database);
	append_option(out, &count, "table", from_utf8(table->name));
	if (table->rows != NULL)
		append_option(out, &count, "rows", table->rows);
	if (import->options.zero_dates != NULL)
		append_option(out, &count, "zero_dates", import->options.zero_dates);
	appendStringInfoChar(out, ')');
}

/* a view has no comment but that it is one, or what is wrong with it */
static bool
is_commented(const LyfMysqlRemoteTable *table)
{
	return strstr(table->type, "VIEW") == NULL;
}

char *
lyf_mysql_import_table(const LyfMysqlImport *import, const LyfMysqlRemoteTable *table)
{
	Making		making = {.import = import,.table = table};
	StringInfoData sql;

	making.name = quote_qualified_identifier(import->schema, table->local_name);
	initStringInfo(&making.columns);
	initStringInfo(&making.comments);
	if (is_commented(table))
		append_comment(&making, "FOREIGN TABLE", making.name, table->comment);
	append_columns(&making);
	if (making.names == NIL)
		return NULL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (%s\n) SERVER %s", making.name, making.columns.data, quote_identifier(import->server));
	append_table_options(&sql, import, table);
	appendStringInfoString(&sql, making.comments.data);
	return sql.data;
}
