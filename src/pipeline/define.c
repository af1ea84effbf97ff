/*
 * define.c
 *		SQL functions that make, alter and drop pipelines, and show and set their state.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

#include "base/compat.h"
#include "pipeline/pipeline.h"

LYF_FUNCTION_INFO_V1(lyf_create_pipeline);
LYF_FUNCTION_INFO_V1(lyf_alter_pipeline);
LYF_FUNCTION_INFO_V1(lyf_drop_pipeline);
LYF_FUNCTION_INFO_V1(lyf_state_json);
LYF_FUNCTION_INFO_V1(lyf_set_state);

/* the arguments of create_pipeline and alter_pipeline */
enum
{
	ARG_NAME, ARG_SOURCE, ARG_DESTINATION, ARG_MODE, ARG_PRIMARY_KEY, ARG_CURSOR, ARG_NESTED,
	ARG_SCHEMA_POLICY, ARG_SCHEDULE, ARG_AFTER, ARG_POOL, ARG_ON_REJECT, ARG_MAX_REJECTED, ARG_ON_FAILURE, ARG_MISSED,
	ARG_LOOKBACK, ARG_SLICES, ARG_SLICE_BY, ARG_CASTS, ARG_ON_CHANGE,
	ARG_KIND					/* of create_pipeline only */
};

/* a text argument over what is there; may_be_none: an empty one stands for none */
static void
take_text(FunctionCallInfo fcinfo, int number, char **value, bool may_be_none)
{
	if (PG_ARGISNULL(number))
		return;
	*value = text_to_cstring(PG_GETARG_TEXT_PP(number));
	if (may_be_none && (*value)[0] == '\0')
		*value = NULL;
}

/* a function that takes a change as jsonb, by its name; an empty text: none */
static void
take_function(const char *name, char **function)
{
	Oid			argument = JSONBOID;
	Oid			found;

	*function = NULL;
	if (name[0] == '\0')
		return;
	found = LookupFuncName(lyf_name_list(name), 1, &argument, false);
	*function = quote_qualified_identifier(get_namespace_name(get_func_namespace(found)), get_func_name(found));
}

static void
take_arguments(FunctionCallInfo fcinfo, LyfPipeline *p)
{
	char	   *destination = NULL;

	if (!PG_ARGISNULL(ARG_SOURCE))
	{
		take_text(fcinfo, ARG_SOURCE, &p->source, false);
		p->search_path = pstrdup(namespace_search_path);
	}
	take_text(fcinfo, ARG_DESTINATION, &destination, false);
	if (destination != NULL)
		lyf_destination_parse(destination, &p->schema, &p->table);
	take_text(fcinfo, ARG_MODE, &p->mode, false);
	if (!PG_ARGISNULL(ARG_PRIMARY_KEY))
	{
		p->primary_key = lyf_text_list(PG_GETARG_DATUM(ARG_PRIMARY_KEY), false);
		p->key_given = true;
	}
	take_text(fcinfo, ARG_CURSOR, &p->cursor, true);
	p->cursor_given = p->cursor_given || !PG_ARGISNULL(ARG_CURSOR);
	take_text(fcinfo, ARG_NESTED, &p->nested, false);
	take_text(fcinfo, ARG_SCHEMA_POLICY, &p->schema_policy, false);
	take_text(fcinfo, ARG_SCHEDULE, &p->schedule, true);
	if (!PG_ARGISNULL(ARG_AFTER))
		p->after = lyf_text_list(PG_GETARG_DATUM(ARG_AFTER), false);
	take_text(fcinfo, ARG_POOL, &p->pool, false);
	take_text(fcinfo, ARG_ON_REJECT, &p->on_reject, false);
	if (!PG_ARGISNULL(ARG_MAX_REJECTED))
		p->max_rejected = Max(PG_GETARG_INT64(ARG_MAX_REJECTED), -1);
	take_text(fcinfo, ARG_ON_FAILURE, &p->on_failure, false);
	take_text(fcinfo, ARG_MISSED, &p->missed, false);
	take_text(fcinfo, ARG_LOOKBACK, &p->lookback, true);
	if (!PG_ARGISNULL(ARG_SLICES))
		p->slices = PG_GETARG_INT32(ARG_SLICES);
	take_text(fcinfo, ARG_SLICE_BY, &p->slice_by, true);
	if (!PG_ARGISNULL(ARG_CASTS))
		p->casts = lyf_casts_check(lyf_value_from_jsonb(PG_GETARG_JSONB_P(ARG_CASTS)));
	if (!PG_ARGISNULL(ARG_ON_CHANGE))
		take_function(text_to_cstring(PG_GETARG_TEXT_PP(ARG_ON_CHANGE)), &p->on_change);
}

static char *
required_text(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a pipeline needs a %s", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static bool
take_kind(FunctionCallInfo fcinfo)
{
	char	   *kind = required_text(fcinfo, ARG_KIND, "kind");

	if (strcmp(kind, "sql") != 0 && strcmp(kind, "load") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("kind cannot be \"%s\"", kind),
				 errhint("It is load or sql.")));
	return strcmp(kind, "sql") == 0;
}

Datum
lyf_create_pipeline(PG_FUNCTION_ARGS)
{
	LyfPipeline *p = palloc0(sizeof(LyfPipeline));

	p->name = required_text(fcinfo, ARG_NAME, "name");
	(void) required_text(fcinfo, ARG_SOURCE, "source");
	p->is_sql = take_kind(fcinfo);
	if (!p->is_sql)
		(void) required_text(fcinfo, ARG_DESTINATION, "destination");
	p->owner = GetUserId();
	p->mode = "full_refresh";
	p->nested = "jsonb";
	p->schema_policy = "evolve";
	p->pool = "default";
	p->on_reject = "keep";
	p->max_rejected = -1;
	p->on_failure = "skip";
	p->missed = "once";
	p->slices = 1;
	take_arguments(fcinfo, p);
	if (p->is_sql)
		p->mode = "sql";
	if (lyf_pipeline_exists(p->name))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("pipeline \"%s\" already exists", p->name),
				 errhint("Use lyftron.alter_pipeline, or drop it first.")));
	lyf_pipeline_check(p);
	lyf_pipeline_insert(p);
	PG_RETURN_VOID();
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

Datum
lyf_alter_pipeline(PG_FUNCTION_ARGS)
{
	char	   *name = required_text(fcinfo, ARG_NAME, "name");
	LyfPipeline *p = lyf_pipeline_get_locked(name);
	LyfPipeline old = *p;
	bool		reads_else;

	take_arguments(fcinfo, p);
	lyf_pipeline_check(p);
	reads_else = !same_text(p->source, old.source) || !same_text(p->nested, old.nested);
	if (reads_else)
		p->shapes = NULL;
	lyf_pipeline_forget_page(&old, !same_text(p->cursor, old.cursor) || !same_text(p->schema, old.schema) ||
							 !same_text(p->table, old.table));
	lyf_pipeline_update(p, !same_text(p->schema, old.schema) || !same_text(p->table, old.table));
	PG_RETURN_VOID();
}

static void
refuse_if_awaited(const char *name)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, name);
	if (lyf_args_run(&args, "SELECT FROM lyftron.pipeline WHERE $1 = ANY (after) LIMIT 1", NULL, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop pipeline \"%s\": another one runs after it", name),
				 errhint("Alter that one's after first; lyftron.pipelines shows it.")));
}

Datum
lyf_drop_pipeline(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	LyfArgs		args = {0};
	LyfPipeline *p;

	if (PG_GETARG_BOOL(1) && !lyf_pipeline_exists(name))
	{
		ereport(NOTICE, (errmsg("pipeline \"%s\" does not exist, skipping", name)));
		PG_RETURN_VOID();
	}
	p = lyf_pipeline_get_locked(name);
	refuse_if_awaited(name);
	lyf_pipeline_forget_page(p, true);
	lyf_args_text(&args, name);
	lyf_args_run(&args, "DELETE FROM lyftron.pipeline WHERE name = $1", NULL, NULL);
	PG_RETURN_VOID();
}

Datum
lyf_state_json(PG_FUNCTION_ARGS)
{
	LyfPipeline *p = lyf_pipeline_get(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	LyfValue   *state;
	LyfValue   *page;

	lyf_state_get(p->name, &state, &page);
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(lyf_value_to_jsonb(state));
}

/* A member that says no partition would be lost: there is no row for it. */
static void
check_partitions(const LyfValue *state)
{
	LyfValue   *states = lyf_value_get(state, "states");

	if (!lyf_value_is(states, LYF_LIST))
		return;
	lyf_foreach(member, states)
	{
		if (!lyf_value_is(lyf_value_get(member, "partition"), LYF_MAP))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a member of the state's \"states\" has no partition"),
					 errhint("Each looks like {\"partition\": {...}, \"cursor\": {...}}.")));
	}
}

Datum
lyf_set_state(PG_FUNCTION_ARGS)
{
	LyfPipeline *p;
	LyfSource  *source;
	LyfValue   *state = NULL;
	LyfSourceScope scope;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the pipeline must be named")));
	p = lyf_pipeline_get_locked(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (p->is_sql)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("pipeline \"%s\" executes SQL statements: it has no state", p->name)));
	scope = lyf_source_enter(p);
	source = lyf_source_open(p);
	lyf_source_leave(&scope);
	if (!PG_ARGISNULL(1))
		state = lyf_state_unwrap(lyf_value_from_jsonb(PG_GETARG_JSONB_P(1)), source->stream);
	/* a state that is set counts, whatever became of a table that was loaded before */
	if (state != NULL && !lyf_pipeline_has_table(p))
		lyf_pipeline_update(p, true);
	check_partitions(state);
	lyf_pipeline_forget_page(p, true);
	lyf_state_put(p->name, source->stream, state, NULL);
	PG_RETURN_VOID();
}
