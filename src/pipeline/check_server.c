/*
 * check_server.c
 *		The streams of a foreign server, looked at by a check: those that are new, gone or changed since the last
 *		one are written down and told; rules make pipelines of new ones.
 *
 * A check is a function, which a schedule calls through a pipeline of the kind sql.
 */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "pipeline/pipeline_internal.h"

LYF_FUNCTION_INFO_V1(lyf_check_schemas);
LYF_FUNCTION_INFO_V1(lyf_create_stream_rule);
LYF_FUNCTION_INFO_V1(lyf_drop_stream_rule);

/* what the last check saw of a stream */
typedef struct Seen
{
	char	   *identity;
	int			version;
	LyfValue   *columns;		/* NULL: it was gone */
} Seen;

typedef struct Check
{
	char	   *server;
	bool		first;			/* nothing was seen before: all of it is the beginning */
	List	   *seen;			/* of Seen * */
	ReturnSetInfo *result;
} Check;

/* A rule: pipelines for new streams. */
typedef struct Rule
{
	char	   *name;
	Oid			owner;
	char	   *foreign_schema;
	char	   *destination_schema;
	LyfValue   *options;
} Rule;

static void *
read_seen(HeapTuple tuple, TupleDesc desc)
{
	Seen	   *seen = palloc0(sizeof(Seen));

	seen->identity = lyf_catalog_text(tuple, desc, "stream");
	seen->version = (int) lyf_catalog_integer(tuple, desc, "version");
	seen->columns = lyf_catalog_value(tuple, desc, "columns");
	return seen;
}

static void *
read_rule(HeapTuple tuple, TupleDesc desc)
{
	Rule	   *rule = palloc0(sizeof(Rule));

	rule->name = lyf_catalog_text(tuple, desc, "name");
	rule->owner = lyf_catalog_oid(tuple, desc, "owner");
	rule->foreign_schema = lyf_catalog_text(tuple, desc, "foreign_schema");
	rule->destination_schema = lyf_catalog_text(tuple, desc, "destination_schema");
	rule->options = lyf_catalog_value(tuple, desc, "options");
	return rule;
}

static Seen *
find_seen(const Check *check, const char *identity)
{
	ListCell   *lc;

	foreach(lc, check->seen)
	{
		Seen	   *seen = lfirst(lc);

		if (strcmp(seen->identity, identity) == 0)
			return seen;
	}
	return NULL;
}

static void
write_version(const Check *check, const char *stream, int version, const LyfValue *columns)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, check->server);
	lyf_args_text(&args, stream);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(version), false);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(GetUserId()), false);
	lyf_args_value(&args, columns);
	lyf_args_run(&args, "INSERT INTO lyftron.schema_version (server, stream, version, role, columns) VALUES ($1, $2, $3, $4::regrole, $5)", NULL, NULL);
}

/* write a change down, tell it, and give it as a row */
static void
put_change(const Check *check, const char *stream, int version, const LyfChange *change)
{
	LyfArgs		args = {0};
	LyfValue   *told = lyf_value_make(LYF_MAP);
	Datum		values[7];
	bool		nulls[7];

	lyf_args_text(&args, check->server);
	lyf_args_text(&args, stream);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(version), false);
	lyf_args_text(&args, lyf_change_name(change->kind));
	lyf_args_text(&args, change->column);
	lyf_args_value(&args, change->before);
	lyf_args_value(&args, change->after);
	lyf_args_text(&args, lyf_change_severity(change->kind));
	lyf_args_text(&args, change->evidence);
	lyf_args_run(&args, "INSERT INTO lyftron.schema_change (server, stream, version, kind, column_name, before, after, severity, evidence, answer) "
				 "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'alert')", NULL, NULL);

	lyf_value_set(told, "server", lyf_value_string(check->server));
	lyf_value_set(told, "stream", lyf_value_string(stream));
	lyf_value_set(told, "change", lyf_value_string(lyf_change_name(change->kind)));
	if (change->column != NULL)
		lyf_value_set(told, "column", lyf_value_string(change->column));
	Async_Notify(LYF_SCHEMA_CHANNEL, lyf_value_to_text(told));

	values[0] = lyf_text_or_null(stream, &nulls[0]);
	values[1] = lyf_text_or_null(lyf_change_name(change->kind), &nulls[1]);
	values[2] = lyf_text_or_null(change->column, &nulls[2]);
	values[3] = lyf_jsonb_or_null(change->before, &nulls[3]);
	values[4] = lyf_jsonb_or_null(change->after, &nulls[4]);
	values[5] = lyf_text_or_null(lyf_change_severity(change->kind), &nulls[5]);
	values[6] = lyf_text_or_null(change->evidence, &nulls[6]);
	tuplestore_putvalues(check->result->setResult, check->result->setDesc, values, nulls);
}

/* ", mode => 'incremental', ..." of a rule's options, which were checked */
static char *
pipeline_options(const LyfValue *options)
{
	StringInfoData list;

	initStringInfo(&list);
	if (options != NULL)
	{
		lyf_foreach(option, options)
			appendStringInfo(&list, ", %s => %s", quote_identifier(option->key),
							 quote_literal_cstr(option->kind == LYF_STRING ? option->u.text : lyf_value_to_text(option)));
	}
	return list.data;
}

/* Import a new stream, and make a pipeline of it, as the rule's owner. */
static void
apply_rule(const Check *check, const Rule *rule, const LyfFreshStream *stream)
{
	LyfSourceScope scope;
	const char *table = quote_identifier(stream->name);

	if (!has_privs_of_role(GetUserId(), rule->owner))
		return;
	scope = lyf_owner_enter(rule->owner, "pg_catalog, pg_temp");
	lyf_load_execute("IMPORT FOREIGN SCHEMA %s LIMIT TO (%s) FROM SERVER %s INTO %s", quote_identifier(stream->remote), table,
					 quote_identifier(check->server), quote_identifier(rule->foreign_schema));
	lyf_load_execute("SELECT lyftron.create_pipeline(%s, source => %s, destination => %s%s)",
					 quote_literal_cstr(psprintf("%s.%s", rule->name, stream->name)),
					 quote_literal_cstr(psprintf("%s.%s", quote_identifier(rule->foreign_schema), table)),
					 quote_literal_cstr(psprintf("%s.%s", quote_identifier(rule->destination_schema), table)),
					 pipeline_options(rule->options));
	lyf_source_leave(&scope);
}

static LyfCatalogPlan rules_plan = {
	"SELECT name, owner::oid, foreign_schema, destination_schema, options FROM lyftron.stream_rule "
	"WHERE server = $1 AND $2 LIKE pattern ORDER BY name"
};

static void
apply_rules(const Check *check, const LyfFreshStream *stream)
{
	LyfArgs		args = {0};
	ListCell   *lc;

	lyf_args_text(&args, check->server);
	lyf_args_text(&args, stream->name);
	foreach(lc, lyf_args_collect(&args, &rules_plan, read_rule))
		apply_rule(check, lfirst(lc), stream);
}

static void
check_stream(Check *check, const LyfFreshStream *stream)
{
	Seen	   *seen = find_seen(check, stream->identity);
	int			version = seen != NULL ? seen->version + 1 : 1;
	LyfValue   *before = lyf_value_make(LYF_MAP);
	LyfValue   *after = lyf_value_make(LYF_MAP);
	List	   *changes;
	ListCell   *lc;

	lyf_value_set(after, "columns", stream->columns);
	if (seen == NULL || seen->columns == NULL)
	{
		LyfChange	added = {.kind = LYF_STREAM_ADDED,.after = stream->columns};

		write_version(check, stream->identity, version, stream->columns);
		if (check->first)
			return;
		put_change(check, stream->identity, version, &added);
		apply_rules(check, stream);
		return;
	}
	lyf_value_set(before, "columns", seen->columns);
	changes = lyf_schema_compare(before, after);
	if (changes == NIL)
		return;
	write_version(check, stream->identity, version, stream->columns);
	foreach(lc, changes)
		put_change(check, stream->identity, version, lfirst(lc));
}

static void
check_gone(Check *check, List *streams)
{
	ListCell   *lc;
	ListCell   *s;

	foreach(lc, check->seen)
	{
		Seen	   *seen = lfirst(lc);
		bool		found = false;
		LyfChange	removed = {.kind = LYF_STREAM_REMOVED,.before = seen->columns};

		foreach(s, streams)
			found = found || strcmp(((LyfFreshStream *) lfirst(s))->identity, seen->identity) == 0;
		if (found || seen->columns == NULL)
			continue;
		write_version(check, seen->identity, seen->version + 1, NULL);
		put_change(check, seen->identity, seen->version + 1, &removed);
	}
}

static LyfCatalogPlan seen_plan = {
	"SELECT DISTINCT ON (stream) stream, version, columns FROM lyftron.schema_version WHERE server = $1 ORDER BY stream, version DESC"
};

/* lyftron.check_schemas(server name, remote_schema text) */
Datum
lyf_check_schemas(PG_FUNCTION_ARGS)
{
	Oid			server = get_foreign_server_oid(NameStr(*PG_GETARG_NAME(0)), false);
	Check		check = {NameStr(*PG_GETARG_NAME(0))};
	LyfArgs		args = {0};
	List	   *streams;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	check.result = (ReturnSetInfo *) fcinfo->resultinfo;
	streams = lyf_fresh_streams(server, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));
	lyf_args_text(&args, check.server);
	check.seen = lyf_args_collect(&args, &seen_plan, read_seen);
	check.first = check.seen == NIL;
	foreach(lc, streams)
		check_stream(&check, lfirst(lc));
	check_gone(&check, streams);
	return (Datum) 0;
}

/* which arguments of lyftron.create_pipeline a rule may name */
static const char *const option_names[] = {
	"mode", "nested", "schema_policy", "schedule", "pool", "on_reject", "max_rejected", "on_failure", "missed", "lookback",
	"slices", "on_schema_change"
};

static void
check_option(const LyfValue *option)
{
	for (int i = 0; i < lengthof(option_names); i++)
	{
		if (strcmp(option_names[i], option->key) == 0 && option->kind != LYF_LIST && option->kind != LYF_MAP)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a stream rule cannot set \"%s\"", option->key),
			 errhint("It may set: mode, nested, schema_policy, schedule, pool, on_reject, max_rejected, on_failure, missed, lookback, slices, on_schema_change.")));
}

/* lyftron.create_stream_rule(name text, server name, pattern text, foreign_schema text, destination_schema text, options jsonb) */
Datum
lyf_create_stream_rule(PG_FUNCTION_ARGS)
{
	ForeignServer *server = GetForeignServer(get_foreign_server_oid(NameStr(*PG_GETARG_NAME(1)), false));
	LyfValue   *options = lyf_value_from_jsonb(PG_GETARG_JSONB_P(5));
	LyfArgs		args = {0};

	if (lyf_server_aclcheck(server->serverid, GetUserId()) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_SERVER, server->servername);
	if (!lyf_value_is(options, LYF_MAP))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the options of a stream rule must be a JSON object")));
	lyf_foreach(option, options)
		check_option(option);
	lyf_args_datum(&args, TEXTOID, PG_GETARG_DATUM(0), false);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(GetUserId()), false);
	lyf_args_text(&args, server->servername);
	for (int i = 2; i <= 4; i++)
		lyf_args_datum(&args, TEXTOID, PG_GETARG_DATUM(i), false);
	lyf_args_value(&args, options);
	if (lyf_args_run(&args, "INSERT INTO lyftron.stream_rule (name, owner, server, pattern, foreign_schema, destination_schema, options) "
					 "VALUES ($1, $2::regrole, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING", NULL, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("stream rule \"%s\" already exists", text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_VOID();
}

/* lyftron.drop_stream_rule(name text) */
Datum
lyf_drop_stream_rule(PG_FUNCTION_ARGS)
{
	LyfArgs		args = {0};

	lyf_args_datum(&args, TEXTOID, PG_GETARG_DATUM(0), false);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(GetUserId()), false);
	if (lyf_args_run(&args, "DELETE FROM lyftron.stream_rule WHERE name = $1 AND pg_catalog.pg_has_role($2, owner, 'USAGE')", NULL, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no stream rule \"%s\" of yours", text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_VOID();
}
