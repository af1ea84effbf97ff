/*
 * mysql_import.c
 *		IMPORT FOREIGN SCHEMA: tables and views of a database as foreign tables.
 *
 * An import always finishes: names are cut and made unique, what has no type here is read
 * as text, what has no columns is skipped, each with a NOTICE.
 *
 * The server of a foreign data wrapper may answer CREATE FOREIGN TABLE statements, and no
 * others.  Since comments are carried as well, the statements are run here as PostgreSQL
 * would run them, and the answer is empty.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

#include "base/option.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_import.h"

/* bytes of the longest name at the server: 64 characters */
#define MAX_NAME	(64 * MAX_MULTIBYTE_CHAR_LEN + 1)

/* since then MariaDB lists CHECK constraints, which tell JSON from LONGTEXT */
#define MARIADB_CHECKS	100222

/* fields of the query for tables */
enum
{
	NAME, TYPE, ROWS, COMMENT
};

/* A table by its name. */
typedef struct Entry
{
	char		name[MAX_NAME];
	LyfMysqlRemoteTable *table;
} Entry;

/* The tables that are imported, in order and by name. */
typedef struct Tables
{
	ImportForeignSchemaStmt *stmt;
	List	   *all;			/* of LyfMysqlRemoteTable * */
	List	   *local_names;
	HTAB	   *by_name;
} Tables;

/* an option that is a word: is it the first of two? */
static bool
is_first(DefElem *def, const char *first, const char *second)
{
	const char *word = defGetString(def);

	if (strcmp(word, first) != 0 && strcmp(word, second) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid value \"%s\" of option \"%s\"", word, def->defname),
				 errhint("The valid values are: %s, %s.", first, second)));
	return strcmp(word, first) == 0;
}

static void
read_option(LyfMysqlImportOptions *options, DefElem *def)
{
	if (strcmp(def->defname, "tinyint1") == 0)
		options->types.tinyint1_is_boolean = is_first(def, "boolean", "smallint");
	else if (strcmp(def->defname, "bit1") == 0)
		options->types.bit1_is_boolean = is_first(def, "boolean", "bit");
	else if (strcmp(def->defname, "time_as") == 0)
		options->types.time_is_time = is_first(def, "time", "interval");
	else if (strcmp(def->defname, "zero_dates") == 0)
	{
		options->zero_dates_null = is_first(def, "null", "error");
		options->zero_dates = defGetString(def);
	}
	else if (strcmp(def->defname, "import_default") == 0)
		options->defaults = defGetBoolean(def);
	else if (strcmp(def->defname, "import_generated") == 0)
		options->generated = defGetBoolean(def);
	else if (strcmp(def->defname, "import_not_null") == 0)
		options->not_null = defGetBoolean(def);
	else
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", def->defname),
				 errhint("The valid options are: tinyint1, bit1, time_as, zero_dates, import_default, import_generated, import_not_null.")));
}

static LyfMysqlImportOptions
read_options(List *list, Oid server)
{
	LyfMysqlImportOptions options = {.types.tinyint1_is_boolean = true,.generated = true,.not_null = true};
	const char *zero_dates = lyf_option_get(GetForeignServer(server)->options, "zero_dates");
	ListCell   *lc;

	options.zero_dates_null = zero_dates != NULL && strcmp(zero_dates, "null") == 0;
	foreach(lc, list)
		read_option(&options, lfirst(lc));
	return options;
}

/* LyfMysqlRowFunction */
static void
note_row(void *arg, const LyfMysqlRow *row)
{
	*(bool *) arg = true;
}

static void
check_database(LyfMysqlSession *session, const char *database)
{
	bool		exists = false;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT 1 FROM information_schema.schemata WHERE schema_name = ");
	lyf_mysql_write_text(&sql, database);
	lyf_mysql_each_row(session, sql.data, note_row, &exists);
	if (!exists)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("database \"%s\" does not exist at the server", database),
				 errdetail("Or the user that the user mapping names has no privileges there."),
				 errhint("The remote schema is the name of a database of MySQL or MariaDB.")));
}

static bool
is_skipped(const LyfMysqlRow *row)
{
	const char *name = row->value[NAME];

	if (strcmp(row->value[TYPE], "SEQUENCE") != 0)
		return false;
	ereport(NOTICE, (errmsg("sequence \"%s\" is skipped", pg_any_to_server(name, strlen(name), PG_UTF8))));
	return true;
}

/* LyfMysqlRowFunction */
static void
add_table(void *arg, const LyfMysqlRow *row)
{
	Tables	   *tables = arg;
	LyfMysqlRemoteTable *table = palloc0(sizeof(LyfMysqlRemoteTable));
	Entry	   *entry;

	table->local_name = lyf_unique_name(&tables->local_names, row->value[NAME]);
	if (!IsImportableForeignTable(table->local_name, tables->stmt) || is_skipped(row) || row->length[NAME] >= MAX_NAME)
		return;
	table->name = pstrdup(row->value[NAME]);
	table->type = pstrdup(row->value[TYPE]);
	table->rows = row->value[ROWS] ? pstrdup(row->value[ROWS]) : NULL;
	table->comment = row->value[COMMENT] ? pstrdup(row->value[COMMENT]) : NULL;
	tables->all = lappend(tables->all, table);
	entry = hash_search(tables->by_name, table->name, HASH_ENTER, NULL);
	entry->table = table;
}

static void
read_tables(LyfMysqlSession *session, Tables *tables)
{
	HASHCTL		info = {.keysize = MAX_NAME,.entrysize = sizeof(Entry),.hcxt = CurrentMemoryContext};
	StringInfoData sql;

	tables->by_name = hash_create("lyftron mysql tables", 256, &info, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT table_name, table_type, table_rows, table_comment FROM information_schema.tables");
	lyf_mysql_append_where(&sql, tables->stmt->remote_schema, NIL);
	appendStringInfoString(&sql, " ORDER BY table_name");
	lyf_mysql_each_row(session, sql.data, add_table, tables);
}

static LyfMysqlRemoteTable *
find_table(const Tables *tables, const char *name)
{
	Entry	   *entry = strlen(name) < MAX_NAME ? hash_search(tables->by_name, name, HASH_FIND, NULL) : NULL;

	return entry != NULL ? entry->table : NULL;
}

/* names of the tables where not all are imported, NIL where they are */
static List *
wanted_names(const Tables *tables)
{
	List	   *names = NIL;
	ListCell   *lc;

	if (tables->stmt->list_type != FDW_IMPORT_SCHEMA_LIMIT_TO)
		return NIL;
	foreach(lc, tables->all)
	{
		const char *name = ((LyfMysqlRemoteTable *) lfirst(lc))->name;

		names = lappend(names, pg_any_to_server(name, strlen(name), PG_UTF8));
	}
	return names;
}

static void
read_columns(LyfMysqlSession *session, const Tables *tables)
{
	ListCell   *lc;

	if (tables->all == NIL)
		return;
	foreach(lc, lyf_mysql_remote_columns(session, tables->stmt->remote_schema, wanted_names(tables)))
	{
		LyfMysqlRemoteColumn *column = lfirst(lc);
		LyfMysqlRemoteTable *table = find_table(tables, column->table);

		if (table != NULL)
			table->columns = lappend(table->columns, column);
	}
}

/* LyfMysqlRowFunction: a column that is JSON to its users */
static void
make_json(void *arg, const LyfMysqlRow *row)
{
	LyfMysqlRemoteTable *table = find_table(arg, row->value[0]);
	ListCell   *lc;

	foreach(lc, table ? table->columns : NIL)
	{
		LyfMysqlRemoteColumn *column = lfirst(lc);

		if (strcmp(column->name, row->value[1]) == 0)
		{
			column->type = "json";
			column->collation = NULL;
		}
	}
}

/* MariaDB's JSON is LONGTEXT with a CHECK of the column's name */
static void
find_json(LyfMysqlSession *session, Tables *tables)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT table_name, constraint_name FROM information_schema.check_constraints "
						   "WHERE check_clause = CONCAT('json_valid(`', REPLACE(constraint_name, '`', '``'), '`)') AND constraint_schema = ");
	lyf_mysql_write_text(&sql, tables->stmt->remote_schema);
	lyf_mysql_each_row(session, sql.data, make_json, tables);
}

static void
run_statement(RawStmt *raw, const char *sql)
{
	PlannedStmt *planned = makeNode(PlannedStmt);

	planned->commandType = CMD_UTILITY;
	planned->utilityStmt = raw->stmt;
	planned->stmt_location = raw->stmt_location;
	planned->stmt_len = raw->stmt_len;
	ProcessUtility(planned, sql, false, PROCESS_UTILITY_SUBCOMMAND, NULL, NULL, None_Receiver, NULL);
	CommandCounterIncrement();
}

/* run what makes a table and its comments, as parts of the statement that imports it */
static void
run(const char *sql)
{
	ListCell   *lc;

	foreach(lc, pg_parse_query(sql))
		run_statement(lfirst_node(RawStmt, lc), sql);
}

static void
create_table(const LyfMysqlImport *import, const LyfMysqlRemoteTable *table)
{
	char	   *sql = lyf_mysql_import_table(import, table);

	if (sql != NULL)
		run(sql);
	else
		ereport(NOTICE,
				(errmsg("table \"%s\" is skipped", table->local_name),
				 errdetail("It has no columns that can be read.")));
}

List *
lyf_mysql_import(ImportForeignSchemaStmt *stmt, Oid server)
{
	LyfMysqlImport import = {.options = read_options(stmt->options, server),.server = stmt->server_name,
	.database = stmt->remote_schema,.schema = stmt->local_schema};
	LyfMysqlSession *session = lyf_mysql_session(server, GetUserId(), true);
	Tables		tables = {.stmt = stmt};
	ListCell   *lc;
	int			version;

	import.mariadb = lyf_mysql_is_mariadb(session, &version);
	check_database(session, stmt->remote_schema);
	read_tables(session, &tables);
	read_columns(session, &tables);
	if (import.mariadb && version >= MARIADB_CHECKS)
		find_json(session, &tables);
	foreach(lc, tables.all)
	{
		CHECK_FOR_INTERRUPTS();
		create_table(&import, lfirst(lc));
	}
	return NIL;
}
