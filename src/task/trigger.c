/*
 * trigger.c
 *		SQL functions that queue runs of pipelines: now, or for a range of time gone by.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "task/task.h"

LYF_FUNCTION_INFO_V1(lyf_trigger);
LYF_FUNCTION_INFO_V1(lyf_trigger_several);
LYF_FUNCTION_INFO_V1(lyf_backfill);

/* steps of one backfill at most */
#define MAX_STEPS	10000

/* after those of the schedule, but before nothing */
#define BACKFILL_PRIORITY	10

static LyfCatalogPlan flow_plan = {
	"INSERT INTO lyftron.flow (cause, roots, owner) VALUES ('backfill', ARRAY[$1], $2::regrole) RETURNING id"
};

static LyfCatalogPlan window_plan = {
	"INSERT INTO lyftron.queue (state, kind, name, owner, pool, priority, key, unique_key, exclusive, flow, max_attempts,"
	" window_start, window_end)"
	" SELECT 'ready', 'pipeline', p.name, p.owner, p.pool, $2, 'server:' || p.source_server,"
	" format('backfill:%s:%s:%s', p.name, extract(epoch FROM $4), extract(epoch FROM $5)), 'pipeline:' || p.name, $3, 5, $4, $5"
	" FROM lyftron.pipeline p WHERE p.name = $1"
	" ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state <> 'running' DO NOTHING RETURNING id, pool, owner::oid AS owner, state"
};

static void
take_window_task(void *arg, HeapTuple tuple, TupleDesc desc)
{
	lyf_catalog_take_id(arg, tuple, desc);
	lyf_wake_row(NULL, tuple, desc);
}

static int64
trigger(List *names, FunctionCallInfo fcinfo)
{
	char	   *on_failure = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	List	   *roots = NIL;
	ListCell   *lc;

	if (on_failure != NULL)
		lyf_pipeline_check_on_failure(on_failure);
	foreach(lc, names)
	{
		LyfRoot    *root = palloc0(sizeof(LyfRoot));

		root->name = lyf_pipeline_get(lfirst(lc))->name;
		roots = lappend(roots, root);
	}
	return lyf_flow_begin(roots, "trigger", PG_ARGISNULL(1) || PG_GETARG_BOOL(1), on_failure);
}

static void
require_pipeline(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the pipeline must be named")));
}

/* lyftron.trigger(pipeline, downstream, on_failure) */
Datum
lyf_trigger(PG_FUNCTION_ARGS)
{
	require_pipeline(fcinfo);
	PG_RETURN_INT64(trigger(list_make1(text_to_cstring(PG_GETARG_TEXT_PP(0))), fcinfo));
}

/* lyftron.trigger(pipelines, downstream, on_failure) */
Datum
lyf_trigger_several(PG_FUNCTION_ARGS)
{
	List	   *names;

	require_pipeline(fcinfo);
	names = lyf_text_list(PG_GETARG_DATUM(0), false);
	if (names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no pipeline is named")));
	PG_RETURN_INT64(trigger(names, fcinfo));
}

/* A stretch of time that one task reads. */
typedef struct Window
{
	TimestampTz since;
	TimestampTz until;
} Window;

static TimestampTz
add_interval(TimestampTz time, Datum step)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(time), step));
}

static List *
cut_windows(TimestampTz since, TimestampTz until, Datum step, bool whole)
{
	List	   *windows = NIL;

	while (since < until)
	{
		Window	   *window = palloc(sizeof(Window));
		TimestampTz end = whole ? until : add_interval(since, step);

		if (end <= since)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the step of a backfill must be longer than nothing")));
		if (list_length(windows) >= MAX_STEPS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a backfill cannot have more than %d steps", MAX_STEPS),
					 errhint("Give a longer step.")));
		window->since = since;
		window->until = Min(end, until);
		windows = lappend(windows, window);
		since = window->until;
	}
	return windows;
}

/* the number of the task, 0: it is queued already */
static int64
queue_window(const char *name, int64 flow, const Window *window)
{
	LyfArgs		args = {0};
	int64		id = 0;

	lyf_args_text(&args, name);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(BACKFILL_PRIORITY), false);
	lyf_args_int8(&args, flow);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(window->since), false);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(window->until), false);
	lyf_args_run_kept(&args, &window_plan, take_window_task, &id);
	return id;
}

static void
put_window(ReturnSetInfo *result, int64 task, const Window *window)
{
	Datum		values[3] = {Int64GetDatum(task), TimestampTzGetDatum(window->since), TimestampTzGetDatum(window->until)};
	bool		nulls[3] = {task == 0, false, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static LyfPipeline *
check_backfill(FunctionCallInfo fcinfo)
{
	LyfPipeline *p;

	for (int i = 0; i < 6; i++)
		if (PG_ARGISNULL(i) && i != 3)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("only the step of a backfill may be null")));
	p = lyf_pipeline_get(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(1)) || TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(2)) ||
		PG_GETARG_TIMESTAMPTZ(1) >= PG_GETARG_TIMESTAMPTZ(2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a backfill needs a range of time: since before until")));
	if (!p->is_sql)
		lyf_pipeline_check_window(p);
	return p;
}

/* lyftron.backfill(pipeline, since, until, step, newest_first, dry_run) */
Datum
lyf_backfill(PG_FUNCTION_ARGS)
{
	LyfPipeline *p = check_backfill(fcinfo);
	List	   *windows = cut_windows(PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2), PG_GETARG_DATUM(3), PG_ARGISNULL(3));
	bool		newest_first = PG_GETARG_BOOL(4);
	bool		dry_run = PG_GETARG_BOOL(5);
	int			count = list_length(windows);
	int64		flow = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (!dry_run)
	{
		LyfArgs		args = {0};

		lyf_args_text(&args, p->name);
		lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(GetUserId()), false);
		lyf_args_run_kept(&args, &flow_plan, lyf_catalog_take_id, &flow);
	}
	for (int i = 0; i < count; i++)
	{
		Window	   *window = list_nth(windows, newest_first ? count - 1 - i : i);

		put_window((ReturnSetInfo *) fcinfo->resultinfo, dry_run ? 0 : queue_window(p->name, flow, window), window);
	}
	return (Datum) 0;
}
