/*
 * fresh.c
 *		What a foreign server has now: its tables imported once more, into a schema that goes again before anybody
 *		sees it.  So it works for each wrapper that can import.
 *
 * Two things are made of it: what brings the foreign tables that are there up to date, and the schemas of all
 * streams, which are compared with those of the last time.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "pipeline/pipeline_internal.h"

LYF_FUNCTION_INFO_V1(lyf_refresh_foreign_schema);

/* the tables of a server: where they are, and which table of the remote side each is; $1 the server */
#define TABLES \
	"SELECT c.oid, n.nspname, c.relname, coalesce((SELECT pg_catalog.string_agg(o.option_value, '.' ORDER BY o.option_name) " \
	"FROM pg_catalog.pg_options_to_table(f.ftoptions) o WHERE o.option_name IN ('stream', 'database', 'table', 'schema_name', 'table_name')), c.relname) AS identity, " \
	"coalesce((SELECT o.option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) o WHERE o.option_name IN ('database', 'schema_name')), 'default') AS remote, " \
	"coalesce((SELECT o.option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) o WHERE o.option_name IN ('stream', 'table', 'table_name')), c.relname) AS stream " \
	"FROM pg_catalog.pg_foreign_table f JOIN pg_catalog.pg_class c ON c.oid = f.ftrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace " \
	"WHERE f.ftserver = $1"

/* and their columns, each with what it is called on the remote side */
#define COLUMNS \
	"SELECT t.*, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.attfdwoptions, " \
	"coalesce((SELECT o.option_value FROM pg_catalog.pg_options_to_table(a.attfdwoptions) o WHERE o.option_name IN ('name', 'path', 'column_name')), a.attname) AS source " \
	"FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> '_record'"

/* options that differ, as OPTIONS (...) has them; or null */
#define OPTIONS \
	"(SELECT pg_catalog.string_agg(CASE WHEN n.option_name IS NULL THEN 'DROP ' || pg_catalog.quote_ident(o.option_name) " \
	"ELSE CASE WHEN o.option_name IS NULL THEN 'ADD ' ELSE 'SET ' END || pg_catalog.quote_ident(n.option_name) || ' ' || pg_catalog.quote_literal(n.option_value) END, ', ') " \
	"FROM pg_catalog.pg_options_to_table(is_now.attfdwoptions) n FULL JOIN pg_catalog.pg_options_to_table(was.attfdwoptions) o USING (option_name) " \
	"WHERE o.option_value IS DISTINCT FROM n.option_value)"

/* $2: the schema that what is new was imported into; a row for each statement */
static const char statements[] =
"WITH tables AS MATERIALIZED (" TABLES "), columns AS MATERIALIZED (" COLUMNS "), "
"was AS (SELECT * FROM columns WHERE nspname <> $2), is_now AS (SELECT * FROM columns WHERE nspname = $2), "
"both_sides AS (SELECT w.oid, w.nspname, w.relname, w.identity FROM tables w WHERE w.nspname <> $2), changes AS ("
"SELECT pg_catalog.format('%I.%I', b.nspname, b.relname) AS foreign_table, 1 AS rank, n.attnum, 'column_added' AS change, n.attname AS column_name, "
"pg_catalog.format('ALTER FOREIGN TABLE %I.%I ADD COLUMN %I %s%s%s', b.nspname, b.relname, n.attname, n.type, "
"(SELECT ' OPTIONS (' || pg_catalog.string_agg(pg_catalog.format('%I %L', o.option_name, o.option_value), ', ') || ')' FROM pg_catalog.pg_options_to_table(n.attfdwoptions) o), "
"CASE WHEN n.attnotnull THEN ' NOT NULL' END) AS statement, NULL::oid AS relid, NULL::int2 AS number "
"FROM both_sides b JOIN is_now n ON n.identity = b.identity WHERE NOT EXISTS (SELECT FROM was w WHERE w.oid = b.oid AND w.source = n.source) "
"UNION ALL "
"SELECT pg_catalog.format('%I.%I', w.nspname, w.relname), 2, w.attnum, 'column_removed', w.attname, "
"pg_catalog.format('ALTER FOREIGN TABLE %I.%I DROP COLUMN %I', w.nspname, w.relname, w.attname), w.oid, w.attnum "
"FROM was w WHERE EXISTS (SELECT FROM is_now n WHERE n.identity = w.identity) AND NOT EXISTS (SELECT FROM is_now n WHERE n.identity = w.identity AND n.source = w.source) "
"UNION ALL "
"SELECT pg_catalog.format('%I.%I', was.nspname, was.relname), 3, was.attnum, 'type_changed', was.attname, "
"pg_catalog.format('ALTER FOREIGN TABLE %I.%I ALTER COLUMN %I TYPE %s', was.nspname, was.relname, was.attname, is_now.type), was.oid, was.attnum "
"FROM was JOIN is_now USING (identity, source) WHERE was.type <> is_now.type "
"UNION ALL "
"SELECT pg_catalog.format('%I.%I', was.nspname, was.relname), 4, was.attnum, CASE WHEN is_now.attnotnull THEN 'not_null' ELSE 'nullable' END, was.attname, "
"pg_catalog.format('ALTER FOREIGN TABLE %I.%I ALTER COLUMN %I %s NOT NULL', was.nspname, was.relname, was.attname, CASE WHEN is_now.attnotnull THEN 'SET' ELSE 'DROP' END), NULL, NULL "
"FROM was JOIN is_now USING (identity, source) WHERE was.attnotnull <> is_now.attnotnull "
"UNION ALL "
"SELECT pg_catalog.format('%I.%I', was.nspname, was.relname), 5, was.attnum, 'options_changed', was.attname, "
"pg_catalog.format('ALTER FOREIGN TABLE %I.%I ALTER COLUMN %I OPTIONS (%s)', was.nspname, was.relname, was.attname, " OPTIONS "), NULL, NULL "
"FROM was JOIN is_now USING (identity, source) WHERE " OPTIONS " IS NOT NULL "
"UNION ALL "
"SELECT pg_catalog.format('%I.%I', b.nspname, b.relname), 6, 0, 'stream_removed', NULL, NULL, NULL, NULL "
"FROM both_sides b WHERE NOT EXISTS (SELECT FROM tables n WHERE n.nspname = $2 AND n.identity = b.identity) "
"UNION ALL "
"SELECT n.stream, 7, 0, 'stream_added', NULL, NULL, NULL, NULL "
"FROM tables n WHERE n.nspname = $2 AND NOT EXISTS (SELECT FROM both_sides b WHERE b.identity = n.identity)) "
"SELECT c.foreign_table, c.change, c.column_name::text, c.statement, EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass "
"AND d.refobjid = c.relid AND d.refobjsubid = c.number AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass) AS used "
"FROM changes c ORDER BY c.foreign_table, c.rank, c.attnum";

/* $2: the schema; a row a stream */
static const char streams[] =
"WITH tables AS MATERIALIZED (" TABLES "), columns AS MATERIALIZED (" COLUMNS ") "
"SELECT t.identity AS stream, t.stream AS name, t.remote, coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('name', c.source, 'type', c.type, "
"'not_null', nullif(c.attnotnull, false), 'key', (SELECT true FROM pg_catalog.pg_options_to_table(c.attfdwoptions) o WHERE o.option_name = 'key' AND o.option_value = 'true'))) ORDER BY c.attnum) "
"FROM columns c WHERE c.oid = t.oid), '[]') AS columns FROM tables t WHERE t.nspname = $2 ORDER BY 1";

static SPITupleTable *
query(const char *sql, Oid server, const char *schema)
{
	Oid			types[] = {OIDOID, TEXTOID};
	Datum		values[] = {ObjectIdGetDatum(server), schema != NULL ? CStringGetTextDatum(schema) : (Datum) 0};

	if (SPI_execute_with_args(sql, schema != NULL ? 2 : 1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "statement failed: %s", sql);
	return SPI_tuptable;
}

/* schemas of the remote side that tables were imported from; "default" if none were */
static List *
remote_schemas(Oid server)
{
	List	   *names = NIL;
	SPITupleTable *found = query("WITH tables AS (" TABLES ") SELECT DISTINCT remote FROM tables", server, NULL);

	for (uint64 i = 0; i < found->numvals; i++)
		names = lappend(names, SPI_getvalue(found->vals[i], found->tupdesc, 1));
	return names != NIL ? names : list_make1("default");
}

static void
execute(const char *sql)
{
	int			result = SPI_execute(sql, false, 0);

	if (result < 0)
		elog(ERROR, "statement failed with %s: %s", SPI_result_code_string(result), sql);
}

/* Import all that the server has; the schema's name.  SPI is connected. */
static char *
import_fresh(const ForeignServer *server, const char *remote)
{
	char	   *schema = psprintf("_lyftron_fresh_%u", server->serverid);
	List	   *names = remote != NULL ? list_make1(pstrdup(remote)) : remote_schemas(server->serverid);
	ListCell   *lc;

	execute(psprintf("CREATE SCHEMA %s", schema));
	foreach(lc, names)
		execute(psprintf("IMPORT FOREIGN SCHEMA %s FROM SERVER %s INTO %s", quote_identifier(lfirst(lc)),
						 quote_identifier(server->servername), schema));
	return schema;
}

static void
drop_fresh(const char *schema)
{
	execute(psprintf("DROP SCHEMA %s CASCADE", schema));
}

List *
lyf_fresh_streams(Oid serverid, const char *remote)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *list = NIL;
	char	   *schema;
	SPITupleTable *found;

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	schema = import_fresh(GetForeignServer(serverid), remote);
	found = query(streams, serverid, schema);
	for (uint64 i = 0; i < found->numvals; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);
		LyfFreshStream *stream = palloc0(sizeof(LyfFreshStream));

		stream->identity = lyf_catalog_text(found->vals[i], found->tupdesc, "stream");
		stream->name = lyf_catalog_text(found->vals[i], found->tupdesc, "name");
		stream->remote = lyf_catalog_text(found->vals[i], found->tupdesc, "remote");
		stream->columns = lyf_catalog_value(found->vals[i], found->tupdesc, "columns");
		list = lappend(list, stream);
		MemoryContextSwitchTo(old);
	}
	drop_fresh(schema);
	PopActiveSnapshot();
	SPI_finish();
	return list;
}

/* a change whose statement would fail, and why; NULL: it would not */
static const char *
obstacle_of(HeapTuple tuple, TupleDesc desc)
{
	if (lyf_catalog_bool(tuple, desc, "used"))
		return "a view uses the column";
	return NULL;
}

static void
put_change(ReturnSetInfo *result, HeapTuple tuple, TupleDesc desc, bool executed)
{
	static const char *const names[] = {"foreign_table", "change", "column_name", "statement"};
	Datum		values[6] = {0};
	bool		nulls[6] = {false};

	for (int i = 0; i < lengthof(names); i++)
		values[i] = lyf_text_or_null(lyf_catalog_text(tuple, desc, names[i]), &nulls[i]);
	values[4] = BoolGetDatum(executed);
	values[5] = lyf_text_or_null(obstacle_of(tuple, desc), &nulls[5]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* lyftron.refresh_foreign_schema(server name, execute boolean) */
Datum
lyf_refresh_foreign_schema(PG_FUNCTION_ARGS)
{
	ForeignServer *server = GetForeignServer(get_foreign_server_oid(NameStr(*PG_GETARG_NAME(0)), false));
	bool		wanted = PG_GETARG_BOOL(1);
	char	   *schema;
	SPITupleTable *found;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	schema = import_fresh(server, NULL);
	found = query(statements, server->serverid, schema);
	drop_fresh(schema);
	for (uint64 i = 0; i < found->numvals; i++)
	{
		char	   *statement = lyf_catalog_text(found->vals[i], found->tupdesc, "statement");
		bool		executes = wanted && statement != NULL && obstacle_of(found->vals[i], found->tupdesc) == NULL;

		if (executes)
			execute(statement);
		put_change((ReturnSetInfo *) fcinfo->resultinfo, found->vals[i], found->tupdesc, executes);
	}
	PopActiveSnapshot();
	SPI_finish();
	return (Datum) 0;
}
