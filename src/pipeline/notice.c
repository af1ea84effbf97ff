/*
 * notice.c
 *		What the source of a pipeline looks like, noticed at the beginning of each run: written down where it is new,
 *		and told where it changed.
 *
 * It is a transaction of its own, so that a change that is refused (freeze) is known all the same.  What the
 * destination needs is worked out from the destination itself when it is loaded; the history says which of its
 * types were the source's.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "pipeline/pipeline_internal.h"

LYF_FUNCTION_INFO_V1(lyf_accept_schema);
LYF_FUNCTION_INFO_V1(lyf_schema_plan);

/* NOTIFY takes less than 8000 bytes */
#define MAX_TOLD	7000

/* a column's default as SQL, or NULL */
static char *
default_of(Relation rel, AttrNumber attno)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	if (TupleDescAttr(RelationGetDescr(rel), attno - 1)->attgenerated != '\0')
		return NULL;
	for (int i = 0; constr != NULL && i < constr->num_defval; i++)
	{
		if (constr->defval[i].adnum == attno)
			return deparse_expression(stringToNode(constr->defval[i].adbin),
									  deparse_context_for(RelationGetRelationName(rel), RelationGetRelid(rel)), false, false);
	}
	return NULL;
}

/* what a relation says of a column besides its type */
static void
describe_attribute(LyfValue *column, Relation rel, const char *name)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), name);
	char	   *expression;

	if (attno <= 0)
		return;
	lyf_value_set(column, "number", lyf_value_int(attno));
	if (TupleDescAttr(RelationGetDescr(rel), attno - 1)->attnotnull)
		lyf_value_set(column, "not_null", lyf_value_bool(true));
	expression = default_of(rel, attno);
	if (expression != NULL)
		lyf_value_set(column, "default", lyf_value_string(expression));
}

static LyfCatalogPlan labels_plan = {
	"SELECT enumlabel::text AS label FROM pg_catalog.pg_enum WHERE enumtypid = $1 ORDER BY enumsortorder"
};

static void *
read_label(HeapTuple tuple, TupleDesc desc)
{
	return lyf_catalog_text(tuple, desc, "label");
}

/* the values that a column may have, where they are a list */
static void
describe_enum(LyfValue *column, const LyfSource *source, Form_pg_attribute attribute)
{
	LyfValue   *labels = lyf_value_make(LYF_LIST);
	LyfArgs		args = {0};
	ListCell   *lc;

	if (get_typtype(attribute->atttypid) == TYPTYPE_ENUM)
	{
		lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(attribute->atttypid), false);
		foreach(lc, lyf_args_collect(&args, &labels_plan, read_label))
			lyf_value_append(labels, lyf_value_string(lfirst(lc)));
		lyf_value_set(column, "enum", labels);
		return;
	}
	if (source->shape == NULL)
		return;
	foreach(lc, source->shape->columns)
	{
		const LyfColumn *known = lfirst(lc);
		const LyfValue *values = lyf_value_get(known->schema, "enum");

		if (values != NULL && strcmp(lyf_column_name(known->name), NameStr(attribute->attname)) == 0)
			lyf_value_set(column, "enum", lyf_value_alias(values));
	}
}

static void
mark(LyfValue *column, const char *key, List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			lyf_value_set(column, key, lyf_value_bool(true));
	}
}

/* the source's columns, as a schema; with what the pipeline casts them to */
static LyfValue *
describe(const LyfPipeline *p, const LyfSource *source)
{
	LyfValue   *schema = lyf_value_make(LYF_MAP);
	LyfValue   *columns = lyf_value_make(LYF_LIST);
	Relation	rel = OidIsValid(source->relid) ? relation_open(source->relid, NoLock) : NULL;
	List	   *key = lyf_source_key(source);
	List	   *cursor = source->shape != NULL && source->shape->cursor_field != NULL ?
		list_make1(lyf_column_name(source->shape->cursor_field)) : NIL;

	for (int i = 0; i < source->desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(source->desc, i);
		char	   *name = NameStr(attribute->attname);
		LyfValue   *column = lyf_value_make(LYF_MAP);

		lyf_value_set(column, "name", lyf_value_string(pstrdup(name)));
		lyf_value_set(column, "type", lyf_value_string(format_type_with_typemod(attribute->atttypid, attribute->atttypmod)));
		if (rel != NULL)
			describe_attribute(column, rel, name);
		describe_enum(column, source, attribute);
		if (lyf_cast_type(p->casts, name) != NULL)
			lyf_value_set(column, "cast", lyf_value_string(lyf_cast_type(p->casts, name)));
		mark(column, "key", key, name);
		mark(column, "cursor", cursor, name);
		lyf_value_append(columns, column);
	}
	if (rel != NULL)
		relation_close(rel, NoLock);
	lyf_value_set(schema, "columns", columns);
	return schema;
}

/* What was written down of a pipeline's source. */
typedef struct Known
{
	MemoryContext cxt;
	int			version;		/* 0: nothing */
	LyfValue   *schema;			/* of the latest one */
	LyfValue   *history;		/* the types that each column has had */
} Known;

static void
add_types(LyfValue *history, const LyfValue *schema)
{
	lyf_foreach(column, lyf_value_get(schema, "columns"))
	{
		const char *name = lyf_value_text(lyf_value_get(column, "name"));
		LyfValue   *types = lyf_value_get(history, name);

		if (types == NULL)
		{
			types = lyf_value_make(LYF_LIST);
			lyf_value_set(history, name, types);
		}
		lyf_value_append(types, lyf_value_alias(lyf_value_get(column, "type")));
		if (lyf_value_get(column, "cast") != NULL)
			lyf_value_append(types, lyf_value_alias(lyf_value_get(column, "cast")));
	}
}

static void
take_version(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Known	   *known = arg;
	MemoryContext old = MemoryContextSwitchTo(known->cxt);
	bool		isnull;

	known->version = DatumGetInt32(lyf_catalog_column(tuple, desc, "version", &isnull));
	known->schema = lyf_value_make(LYF_MAP);
	lyf_value_set(known->schema, "columns", lyf_catalog_value(tuple, desc, "columns"));
	add_types(known->history, known->schema);
	MemoryContextSwitchTo(old);
}

static void
look_up(const LyfPipeline *p, Known *known)
{
	LyfArgs		args = {0};

	known->cxt = CurrentMemoryContext;
	known->version = 0;
	known->history = lyf_value_make(LYF_MAP);
	lyf_args_text(&args, p->name);
	lyf_args_run(&args, "SELECT version, columns FROM lyftron.schema_version WHERE pipeline = $1 ORDER BY version", take_version, known);
}

static void
write_version(const LyfPipeline *p, int version, int64 run, const LyfValue *schema)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, p->name);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(version), false);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(GetUserId()), false);
	lyf_args_datum(&args, INT8OID, Int64GetDatum(run), run == 0);
	lyf_args_value(&args, lyf_value_get(schema, "columns"));
	lyf_args_run(&args, "INSERT INTO lyftron.schema_version (pipeline, version, role, run, columns) VALUES ($1, $2, $3::regrole, $4, $5)",
				 NULL, NULL);
}

/* false: it was written down before (a run that is refused meets the same changes again) */
static bool
write_change(const LyfPipeline *p, int version, int64 run, const LyfChange *change, LyfAnswer answer)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, p->name);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(version), version == 0);
	lyf_args_datum(&args, INT8OID, Int64GetDatum(run), run == 0);
	lyf_args_text(&args, lyf_change_name(change->kind));
	lyf_args_text(&args, change->column);
	lyf_args_value(&args, change->before);
	lyf_args_value(&args, change->after);
	lyf_args_text(&args, lyf_change_severity(change->kind));
	lyf_args_text(&args, change->evidence);
	lyf_args_text(&args, lyf_answer_name(answer));
	return lyf_args_run(&args,
						"INSERT INTO lyftron.schema_change (pipeline, version, run, kind, column_name, before, after, severity, evidence, answer) "
						"SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE $2 IS NOT NULL OR NOT EXISTS (SELECT FROM lyftron.schema_change c "
						"WHERE c.pipeline = $1 AND c.version IS NULL AND c.kind = $4 AND c.column_name IS NOT DISTINCT FROM $5 "
						"AND c.before IS NOT DISTINCT FROM $6 AND c.after IS NOT DISTINCT FROM $7 "
						"AND c.id > coalesce((SELECT max(o.id) FROM lyftron.schema_change o WHERE o.pipeline = $1 AND o.version IS NOT NULL), 0))",
						NULL, NULL) > 0;
}

static LyfValue *
change_to_value(const LyfPipeline *p, const LyfChange *change, LyfAnswer answer, bool whole)
{
	LyfValue   *map = lyf_value_make(LYF_MAP);

	lyf_value_set(map, "pipeline", lyf_value_string(p->name));
	lyf_value_set(map, "change", lyf_value_string(lyf_change_name(change->kind)));
	if (change->column != NULL)
		lyf_value_set(map, "column", lyf_value_string(change->column));
	if (whole && change->before != NULL)
		lyf_value_set(map, "before", lyf_value_alias(change->before));
	if (whole && change->after != NULL)
		lyf_value_set(map, "after", lyf_value_alias(change->after));
	lyf_value_set(map, "severity", lyf_value_string(lyf_change_severity(change->kind)));
	if (change->evidence != NULL)
		lyf_value_set(map, "evidence", lyf_value_string(change->evidence));
	lyf_value_set(map, "answer", lyf_value_string(lyf_answer_name(answer)));
	return map;
}

/* NOTIFY, and the owner's function */
static void
tell(const LyfPipeline *p, const LyfChange *change, LyfAnswer answer)
{
	char	   *text = lyf_value_to_text(change_to_value(p, change, answer, true));

	if (strlen(text) > MAX_TOLD)
		text = lyf_value_to_text(change_to_value(p, change, answer, false));
	if (strlen(text) <= MAX_TOLD)
		Async_Notify(LYF_SCHEMA_CHANNEL, text);
	if (p->on_change != NULL)
	{
		LyfSourceScope scope = lyf_source_enter(p);

		PushActiveSnapshot(GetTransactionSnapshot());
		lyf_load_execute_with(psprintf("SELECT %s($1)", p->on_change), JSONBOID,
							  JsonbPGetDatum(lyf_value_to_jsonb(change_to_value(p, change, answer, true))));
		PopActiveSnapshot();
		lyf_source_leave(&scope);
	}
}

/* "column_removed of "a", type_changed of "b"" of those that are refused; NULL: none is */
static char *
list_refused(const LyfPolicy *policy, List *changes)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, changes)
	{
		const LyfChange *change = lfirst(lc);

		if (lyf_policy_answer(policy, change->kind, change->column) != LYF_ANSWER_FREEZE)
			continue;
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", lyf_change_name(change->kind));
		if (change->column != NULL)
			appendStringInfo(&list, " (column \"%s\")", change->column);
	}
	return list.len > 0 ? list.data : NULL;
}

static LyfValue *
look_at_source(const LyfPipeline *p)
{
	LyfSourceScope scope = lyf_source_enter(p);
	LyfValue   *schema;

	PushActiveSnapshot(GetTransactionSnapshot());
	schema = describe(p, lyf_source_open(p));
	PopActiveSnapshot();
	lyf_source_leave(&scope);
	return schema;
}

/* Write down what is new of the source; what the pipeline refuses, if not all is accepted, else NULL. */
static char *
notice(const LyfPipeline *p, int64 run, bool accept)
{
	const LyfPolicy *policy = lyf_policy_get(p->schema_policy);
	LyfValue   *schema = look_at_source(p);
	Known		known;
	List	   *changes;
	char	   *refused;
	ListCell   *lc;

	look_up(p, &known);
	if (known.version == 0)
	{
		write_version(p, 1, run, schema);
		return NULL;
	}
	changes = lyf_schema_compare(known.schema, schema);
	if (changes == NIL)
	{
		/* other casts are no change of the source */
		if (!lyf_value_equal(known.schema, schema))
			write_version(p, known.version + 1, run, schema);
		return NULL;
	}
	refused = accept ? NULL : list_refused(policy, changes);
	foreach(lc, changes)
	{
		const LyfChange *change = lfirst(lc);
		LyfAnswer	answer = accept ? LYF_ANSWER_EVOLVE : lyf_policy_answer(policy, change->kind, change->column);

		if (write_change(p, refused != NULL ? 0 : known.version + 1, run, change, answer))
			tell(p, change, answer);
	}
	if (refused == NULL)
		write_version(p, known.version + 1, run, schema);
	return refused;
}

bool
lyf_run_notice(void *arg)
{
	LyfRun	   *run = arg;
	char	   *refused = notice(run->pipeline, run->id, false);

	run->refused = refused != NULL ? MemoryContextStrdup(run->cxt, refused) : NULL;
	return true;
}

void
lyf_run_refuse(const LyfRun *run)
{
	if (run->refused == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("the source of pipeline \"%s\" has changed", run->pipeline->name),
			 errdetail("Its schema policy refuses: %s.", run->refused),
			 errhint("lyftron.schema_changes shows the changes; SELECT lyftron.accept_schema(%s) accepts them.",
					 quote_literal_cstr(run->pipeline->name))));
}

void
lyf_run_history(LyfRun *run, LyfLoadSpec *spec)
{
	if (run->history == NULL)
	{
		Known		known;
		MemoryContext old;

		look_up(run->pipeline, &known);
		old = MemoryContextSwitchTo(run->cxt);
		run->history = lyf_value_copy(known.history);
		MemoryContextSwitchTo(old);
		run->changed = known.version > 1;
	}
	spec->history = run->history;
	spec->accepted = run->changed;
}

/* lyftron.accept_schema(pipeline text) */
Datum
lyf_accept_schema(PG_FUNCTION_ARGS)
{
	LyfPipeline *p = lyf_pipeline_get_locked(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (p->is_sql)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("pipeline \"%s\" executes statements, and has no source", p->name)));
	(void) notice(p, 0, true);
	PG_RETURN_VOID();
}

/* lyftron.schema_plan(pipeline text) */
Datum
lyf_schema_plan(PG_FUNCTION_ARGS)
{
	LyfPipeline *p = lyf_pipeline_get(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	LyfLoadSpec spec = {0};
	LyfSourceScope scope;
	LyfSource  *source;
	Known		known;

	InitMaterializedSRF(fcinfo, 0);
	if (p->is_sql)
		return (Datum) 0;
	look_up(p, &known);
	scope = lyf_source_enter(p);
	source = lyf_source_open(p);
	spec.mode = lyf_mode_get(p->mode);
	spec.nested = lyf_nested_get(p->nested);
	spec.policy = lyf_policy_get(p->schema_policy);
	spec.history = known.history;
	spec.accepted = known.version > 1;
	spec.casts = p->casts;
	spec.schema = p->schema;
	spec.table = p->table;
	spec.shapes = p->shapes != NULL ? lyf_shapes_from_value(p->shapes) : NIL;
	lyf_evolve_show(&spec, lyf_source_row(lyf_source_sql(p, source, NULL)), (ReturnSetInfo *) fcinfo->resultinfo);
	lyf_source_leave(&scope);
	return (Datum) 0;
}
