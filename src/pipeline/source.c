/*
 * source.c
 *		What a pipeline reads: a relation of any kind, or a query; as one SELECT.
 *
 * The SELECT is planned anew for each piece of a run, as the pipeline's owner, with
 * the search_path of the source's definition.  A stream of lyftron_rest keeps its own
 * cursor (native); query.c has how the rows of anything else are chosen.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/execdesc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "pipeline/pipeline_internal.h"

#define LEARN_ROWS		1000
#define MAX_STREAM_NAME 200

LyfSourceScope
lyf_owner_enter(Oid owner, const char *search_path)
{
	LyfSourceScope scope;

	/*
	 * Code of the owner's must get nothing that waits for the caller's rights: no
	 * deferred trigger, no held cursor, no setting.
	 */
	GetUserIdAndSecContext(&scope.user, &scope.sec_context);
	SetUserIdAndSecContext(owner,
						   scope.sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   (scope.user != owner ? SECURITY_RESTRICTED_OPERATION : 0));
	scope.guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", search_path, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return scope;
}

void
lyf_owner_check(const LyfPipeline *pipeline)
{
	if (GetUserNameFromId(pipeline->owner, true) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of pipeline \"%s\" does not exist any more", pipeline->name),
				 errhint("Drop the pipeline, and make it anew as another role.")));
}

LyfSourceScope
lyf_source_enter(const LyfPipeline *pipeline)
{
	lyf_owner_check(pipeline);
	return lyf_owner_enter(pipeline->owner, pipeline->search_path);
}

void
lyf_source_leave(const LyfSourceScope *scope)
{
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->sec_context);
}

/* is the text a query (and not the name of a relation)? */
static bool
is_query(const char *text)
{
	static const char *const starts[] = {"select", "with", "values", "table"};

	text += strspn(text, " \t\r\n");
	if (*text == '(' || strncmp(text, "--", 2) == 0 || strncmp(text, "/*", 2) == 0)
		return true;
	for (int i = 0; i < lengthof(starts); i++)
	{
		size_t		len = strlen(starts[i]);

		if (pg_strncasecmp(text, starts[i], len) == 0 && text[len] != '\0' &&
			strchr(" \t\r\n(*'\"-/", text[len]) != NULL)
			return true;
	}
	return false;
}

static bool
only_reads(Query *query)
{
	return query->commandType == CMD_SELECT && !query->hasModifyingCTE && query->rowMarks == NIL;
}

/* An error's position is one in the source, not in the statement that the user sent. */
static void
point_into_source(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(arg);
	}
}

static Query *
analyze_checked(const char *sql)
{
	List	   *statements = pg_parse_query(sql);
	List	   *queries;

	if (list_length(statements) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a pipeline's source must be one relation or one query")));
	queries = pg_analyze_and_rewrite_fixedparams(linitial_node(RawStmt, statements), sql, NULL, 0, NULL);
	if (list_length(queries) != 1 || !only_reads(linitial_node(Query, queries)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a pipeline's source must be a query that only reads")));
	return linitial_node(Query, queries);
}

/* Errors from here on, until leave_source, are ones in this text. */
static void
enter_source(ErrorContextCallback *callback, const char *sql)
{
	callback->callback = point_into_source;
	callback->arg = unconstify(char *, sql);
	callback->previous = error_context_stack;
	error_context_stack = callback;
}

static void
leave_source(const ErrorContextCallback *callback)
{
	error_context_stack = callback->previous;
}

static Query *
analyze(const char *sql)
{
	ErrorContextCallback callback;
	Query	   *query;

	enter_source(&callback, sql);
	query = analyze_checked(sql);
	leave_source(&callback);
	return query;
}

void
lyf_source_check_statements(const char *sql)
{
	ErrorContextCallback callback;

	enter_source(&callback, sql);
	(void) pg_parse_query(sql);
	leave_source(&callback);
}

List *
lyf_source_targets(const char *sql)
{
	return analyze(sql)->targetList;
}

TupleDesc
lyf_source_row(const char *sql)
{
	return ExecCleanTypeFromTL(lyf_source_targets(sql));
}

PlannedStmt *
lyf_source_plan(const char *sql)
{
	return pg_plan_query(analyze(sql), sql, 0, NULL);
}

PlannedStmt *
lyf_source_plan_parallel(const char *sql)
{
	return pg_plan_query(analyze(sql), sql, CURSOR_OPT_PARALLEL_OK, NULL);
}

void
lyf_source_check_permissions(PlannedStmt *plan, const char *sql)
{
	QueryDesc  *desc = CreateQueryDesc(plan, sql, GetActiveSnapshot(), InvalidSnapshot,
									   None_Receiver, NULL, NULL, 0);

	/* nothing ran, so there is nothing to finish */
	ExecutorStart(desc, EXEC_FLAG_EXPLAIN_ONLY);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
}

/* a query's text in brackets, without the ; at its end and what comes after it */
static char *
bracket_query(const char *text, const Query *query)
{
	text += Max(query->stmt_location, 0);
	if (query->stmt_len > 0)
		return psprintf("(%.*s\n)", query->stmt_len, text);
	return psprintf("(%s\n)", text);
}

static void
open_relation(LyfSource *source, const char *name)
{
	RangeVar   *range = makeRangeVarFromNameList(lyf_name_list(name));
	Oid			server;
	char	   *stream;

	source->relid = RangeVarGetRelid(range, AccessShareLock, false);
	if (get_rel_persistence(source->relid) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a pipeline cannot read temporary relation \"%s\"", get_rel_name(source->relid)),
				 errdetail("It is gone when the session ends; the pipeline is not.")));
	source->from = quote_qualified_identifier(get_namespace_name(get_rel_namespace(source->relid)),
											  get_rel_name(source->relid));
	source->stream = source->from;
	if (lyf_rest_table(source->relid, &server, &stream))
	{
		source->stream = stream;
		source->shape = lyf_rest_shape(server, stream);
	}
}

LyfSource *
lyf_source_open(const LyfPipeline *pipeline)
{
	LyfSource  *source = palloc0(sizeof(LyfSource));
	Query	   *query;

	if (is_query(pipeline->source))
	{
		/* by itself first: so it cannot close our brackets, and errors point into it */
		query = analyze(pipeline->source);
		source->from = bracket_query(pipeline->source, query);
		source->stream = pnstrdup(pipeline->name, MAX_STREAM_NAME);
	}
	else
		open_relation(source, pipeline->source);
	query = analyze(psprintf("SELECT * FROM %s AS " LYF_SOURCE_ALIAS, source->from));
	source->desc = ExecCleanTypeFromTL(query->targetList);
	source->native = source->shape != NULL &&
		(pipeline->cursor == NULL ||
		 (source->shape->cursor_field != NULL &&
		  strcmp(lyf_column_name(source->shape->cursor_field), pipeline->cursor) == 0));
	return source;
}

Form_pg_attribute
lyf_source_column(const LyfSource *source, const char *name)
{
	for (int i = 0; i < source->desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(source->desc, i);

		if (strcmp(NameStr(column->attname), name) == 0)
			return column;
	}
	return NULL;
}

int64
lyf_source_fingerprint(const LyfSource *source)
{
	uint64		hash = 0;

	for (int i = 0; i < source->desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(source->desc, i);
		const char *name = NameStr(column->attname);

		hash = hash_combine64(hash, hash_bytes_extended((const unsigned char *) name, strlen(name), column->atttypid));
		hash = hash_combine64(hash, (uint32) column->atttypmod);
	}
	return (int64) hash;
}

/* Look at some rows to learn what their JSON columns hold. */
static void
learn_shapes(const LyfSource *source, List *names, LyfShapeLearner **learners)
{
	StringInfoData sql;
	MemoryContext row_cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron learned row", ALLOCSET_DEFAULT_SIZES);
	Portal		portal;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, names)
		appendStringInfo(&sql, "%s" LYF_SOURCE_ALIAS ".%s::pg_catalog.jsonb", sql.len > 0 ? ", " : "", quote_identifier(lfirst(lc)));
	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL,
									   psprintf("SELECT %s FROM %s AS " LYF_SOURCE_ALIAS " LIMIT %d",
												sql.data, source->from, LEARN_ROWS),
									   0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, 50);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(row_cxt);

			for (int j = 0; j < list_length(names); j++)
			{
				bool		isnull;
				Datum		datum = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, j + 1, &isnull);

				if (!isnull)
					lyf_shape_learn(learners[j], lyf_value_from_jsonb(DatumGetJsonbP(datum)));
			}
			MemoryContextSwitchTo(old);
			MemoryContextReset(row_cxt);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();
	MemoryContextDelete(row_cxt);
}

static const LyfValue *
schema_of_column(const LyfSource *source, const char *name)
{
	ListCell   *lc;

	if (source->shape == NULL)
		return NULL;
	foreach(lc, source->shape->columns)
	{
		LyfColumn  *column = lfirst(lc);

		if (strcmp(lyf_column_name(column->name), name) == 0)
			return column->schema;
	}
	return NULL;
}

List *
lyf_source_shapes(const LyfSource *source)
{
	List	   *shapes = NIL;
	List	   *unknown = NIL;
	LyfShapeLearner **learners = palloc0(sizeof(LyfShapeLearner *) * Max(source->desc->natts, 1));

	for (int i = 0; i < source->desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(source->desc, i);
		char	   *name = NameStr(column->attname);
		Oid			type = getBaseType(column->atttypid);
		LyfShape   *shape;

		if ((type != JSONBOID && type != JSONOID) || strcmp(name, "_record") == 0)
			continue;
		/* a schema that only says "object" or "array" leaves all to be learned */
		shape = lyf_shape_from_schema(name, schema_of_column(source, name));
		if (shape->kind != LYF_SHAPE_VALUE)
			shapes = lappend(shapes, shape);
		else
		{
			learners[list_length(unknown)] = lyf_shape_learn_begin();
			unknown = lappend(unknown, name);
		}
	}
	if (unknown != NIL)
		learn_shapes(source, unknown, learners);
	for (int i = 0; i < list_length(unknown); i++)
		shapes = lappend(shapes, lyf_shape_learned(learners[i], list_nth(unknown, i)));
	return shapes;
}
