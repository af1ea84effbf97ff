/*
 * help.c
 *		Workers for one run: tasks of the kind slice, each of which reads one of the slices that the
 *		run has cut its source into.
 *
 * They stand behind the runs of pipelines, which need none of them, and succeed where there is nothing
 * to do any more; what a slice failed with is its run's to deal with.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "task/task.h"

/* after what was asked for */
#define HELP_PRIORITY	5

static LyfCatalogPlan ask_plan = {
	"INSERT INTO lyftron.queue (state, kind, name, command, owner, pool, priority, key, max_attempts, nominal_at)"
	" SELECT CASE WHEN p.paused THEN 'paused' ELSE 'ready' END, 'slice', p.name, $2, p.owner, p.pool, $3, 'server:' || p.source_server, 5, q.nominal_at"
	" FROM lyftron.pipeline p JOIN lyftron.queue q ON q.id = $4, generate_series(1, $5) WHERE p.name = $1"
	" RETURNING pool, owner::oid AS owner, state"
};

static LyfCatalogPlan dismiss_plan = {
	"DELETE FROM lyftron.queue WHERE id IN (SELECT id FROM lyftron.queue WHERE kind = 'slice' AND name = $1 AND state <> 'running'"
	" FOR UPDATE SKIP LOCKED)"
};

static LyfCatalogPlan stop_plan = {
	"UPDATE lyftron.queue SET cancelled = true WHERE state = 'running' AND kind = 'slice' AND name = $1 RETURNING id, pid"
};

/* they cannot end while we hold the locks of their rows: the signal meets the right task */
static void
interrupt(void *arg, HeapTuple tuple, TupleDesc desc)
{
	lyf_task_interrupt(lyf_catalog_integer(tuple, desc, "id"), (int) lyf_catalog_integer(tuple, desc, "pid"));
}

static void
dismiss_waiting(const LyfPipeline *pipeline)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, pipeline->name);
	lyf_args_run_kept(&args, &dismiss_plan, NULL, NULL);
}

void
lyf_help_ask(void *arg, const LyfPipeline *pipeline, int64 sliced, int64 count)
{
	const LyfTask *task = arg;
	LyfArgs		args = {0};

	/* those that a run before this one asked for may still be there */
	dismiss_waiting(pipeline);
	lyf_args_text(&args, pipeline->name);
	lyf_args_text(&args, psprintf(INT64_FORMAT, sliced));
	lyf_args_datum(&args, INT4OID, Int32GetDatum(HELP_PRIORITY), false);
	lyf_args_int8(&args, task->id);
	lyf_args_int8(&args, count);
	lyf_args_run_kept(&args, &ask_plan, lyf_wake_row, NULL);
}

void
lyf_help_dismiss(void *arg, const LyfPipeline *pipeline, bool stop)
{
	LyfArgs		args = {0};

	dismiss_waiting(pipeline);
	if (!stop)
		return;
	lyf_args_text(&args, pipeline->name);
	lyf_args_run_kept(&args, &stop_plan, interrupt, NULL);
}
