/*
 * queue.c
 *		What becomes of tasks: over and in the history, or to be tried again later.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "net/net.h"
#include "task/board.h"
#include "task/task.h"

/* the wait before another attempt: doubled each time, up to the longest, with jitter */
#define FIRST_WAIT_MS	INT64CONST(5000)
#define LONGEST_WAIT_MS INT64CONST(3600000)

static LyfCatalogPlan succeeded_plan = {
	"WITH done AS (DELETE FROM lyftron.queue WHERE id = $1 AND state = 'running' AND pid = pg_backend_pid() RETURNING *)"
	" INSERT INTO lyftron.history (state, " LYF_HISTORY_COLUMNS ") SELECT 'succeeded', " LYF_HISTORY_COLUMNS " FROM done"
};

static LyfCatalogPlan failed_plan = {
	"WITH done AS (DELETE FROM lyftron.queue WHERE id = $1 AND state = 'running' AND pid = pg_backend_pid() RETURNING *)"
	" INSERT INTO lyftron.history (state, " LYF_HISTORY_COLUMNS ", error, sqlstate, detail, hint)"
	" SELECT CASE WHEN cancelled THEN 'cancelled' ELSE 'failed' END, " LYF_HISTORY_COLUMNS ", $2, $3, $4, $5 FROM done RETURNING state = 'cancelled' AS cancelled"
};

/* not where another one of its key waits already: that one will do */
static LyfCatalogPlan again_plan = {
	"UPDATE lyftron.queue q SET state = 'scheduled', pid = NULL, error = $2, sqlstate = $3,"
	" run_at = $4"
	" WHERE id = $1 AND state = 'running' AND pid = pg_backend_pid() AND NOT cancelled" LYF_NO_SUCCESSOR
	" RETURNING pool, owner::oid AS owner, state"
};

static LyfCatalogPlan unblock_plan = {
	"UPDATE lyftron.queue SET state = 'ready', blocked_on = NULL, seq = nextval('lyftron.queue_seq')"
	" WHERE id = (SELECT id FROM lyftron.queue WHERE state = 'blocked' AND blocked_on = $1"
	" ORDER BY blocked_on, priority, seq LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING pool, owner::oid AS owner, state"
};

void
lyf_wake_row(void *arg, HeapTuple tuple, TupleDesc desc)
{
	if (strcmp(lyf_catalog_text(tuple, desc, "state"), "ready") == 0)
		lyf_wake_at_commit(lyf_catalog_text(tuple, desc, "pool"), lyf_catalog_oid(tuple, desc, "owner"), 1);
	else
		lyf_wake_overseer_at_commit();
}

/* The statement must have met the task: else somebody took it for dead, and may have begun it again. */
static void
require_ours(const LyfTask *task, uint64 processed)
{
	if (processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("task " INT64_FORMAT " was taken away from this session", task->id)));
}

void
lyf_task_succeeded(const LyfTask *task)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, task->id);
	require_ours(task, lyf_args_run_kept(&args, &succeeded_plan, NULL, NULL));
	lyf_log_messages(task);
	if (strcmp(task->kind, "pipeline") == 0)
		lyf_alert_ended(task->id);
	if (task->flow != 0)
		lyf_flow_succeeded(task->id);
}

/* Try it again later: false if it was cancelled meanwhile. */
static bool
try_again(const LyfTask *task, const ErrorData *error, int64 wait_ms)
{
	TimestampTz retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms);
	LyfArgs		args = {0};

	lyf_args_int8(&args, task->id);
	lyf_args_text(&args, error->message);
	lyf_args_text(&args, unpack_sql_state(error->sqlerrcode));
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(retry_at), false);
	if (lyf_args_run_kept(&args, &again_plan, lyf_wake_row, NULL) == 0)
		return false;
	lyf_log_error(task, error, retry_at);
	return true;
}

bool
lyf_task_failed(const LyfTask *task, const ErrorData *error, bool retryable, int64 retry_after_ms)
{
	LyfArgs		args = {0};
	bool		cancelled = false;

	if (retryable && task->attempt < task->max_attempts &&
		try_again(task, error, Max(retry_after_ms, lyf_backoff_ms(FIRST_WAIT_MS, 2, task->attempt - 1, LONGEST_WAIT_MS, true))))
		return false;
	lyf_args_int8(&args, task->id);
	lyf_args_text(&args, error->message);
	lyf_args_text(&args, unpack_sql_state(error->sqlerrcode));
	lyf_args_text(&args, error->detail);
	lyf_args_text(&args, error->hint);
	require_ours(task, lyf_args_run_kept(&args, &failed_plan, lyf_catalog_take_bool, &cancelled));
	lyf_log_error(task, error, 0);
	lyf_alert_ended(task->id);
	if (task->flow != 0)
		lyf_flow_failed(task->id, task->name, task->flow, task->on_failure);
	return cancelled;
}

/* Somebody who waits for the place may go on. */
static void
unblock(char *place)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, place);
	lyf_args_run_kept(&args, &unblock_plan, lyf_wake_row, NULL);
}

void
lyf_task_let_go(const LyfTask *task)
{
	lyf_task_unlock(task->id);
	if (task->slot >= 0)
	{
		lyf_slot_release(task->key, task->slot);
		unblock(psprintf("k%s", task->key));
	}
	if (task->exclusive != NULL)
	{
		lyf_exclusive_release(task->exclusive);
		unblock(psprintf("x%s", task->exclusive));
	}
}
