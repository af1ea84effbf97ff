/*
 * tick.c
 *		Looking after the queue: what is due becomes ready, what a session left behind when
 *		it ended is taken up, what waits for a place that is free goes on.
 *
 * A tick is short and can be done by anybody: the overseer's process, or whoever
 * works.  One session at a time does it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "task/board.h"
#include "task/task.h"

LYF_FUNCTION_INFO_V1(lyf_tick_function);

#define SESSION_GONE	"the session that ran it ended"

static LyfCatalogPlan due_plan = {
	"UPDATE lyftron.queue SET state = 'ready', seq = nextval('lyftron.queue_seq')"
	" WHERE id = ANY (ARRAY(SELECT id FROM lyftron.queue WHERE state = 'scheduled' AND run_at <= clock_timestamp()"
	"  ORDER BY run_at LIMIT 10000 FOR UPDATE SKIP LOCKED)) RETURNING pool, owner::oid AS owner, state"
};

static LyfCatalogPlan running_plan = {
	"SELECT id FROM lyftron.queue WHERE state = 'running'"
};

/* an attempt that a crash ended counts: a task that takes its session down each time must end some day */
static LyfCatalogPlan orphan_again_plan = {
	"WITH again AS (UPDATE lyftron.queue q SET state = 'ready', seq = nextval('lyftron.queue_seq'), pid = NULL,"
	" error = '" SESSION_GONE "', sqlstate = '57P02'"
	" WHERE id = $1 AND state = 'running' AND attempt < max_attempts AND NOT cancelled" LYF_NO_SUCCESSOR " RETURNING *),"
	LYF_LOG_ROWS("again", "warning", "'" SESSION_GONE ": it is taken up again'")
	" SELECT pool, owner::oid AS owner, state FROM again"
};

static LyfCatalogPlan orphan_over_plan = {
	"WITH done AS (DELETE FROM lyftron.queue WHERE id = $1 AND state = 'running' RETURNING *),"
	LYF_LOG_ROWS("done", "error", "'" SESSION_GONE "'")
	" INSERT INTO lyftron.history (state, " LYF_HISTORY_COLUMNS ", error, sqlstate, detail)"
	" SELECT CASE WHEN cancelled THEN 'cancelled' ELSE 'failed' END, " LYF_HISTORY_COLUMNS ", '" SESSION_GONE "', '57P02',"
	" 'It was begun ' || attempt || ' times.' FROM done RETURNING id, name, flow, on_failure"
};

/* more than there are places for become ready at times: who cannot get one is blocked again */
static LyfCatalogPlan unblock_plan = {
	"UPDATE lyftron.queue SET state = 'ready', blocked_on = NULL, seq = nextval('lyftron.queue_seq')"
	" WHERE id = ANY (ARRAY(SELECT n.id FROM (SELECT DISTINCT blocked_on AS place FROM lyftron.queue WHERE state = 'blocked') k"
	"  LEFT JOIN lyftron.concurrency c ON 'k' || c.key = k.place,"
	"  LATERAL (SELECT count(*) AS n FROM lyftron.queue r WHERE r.state = 'running' AND k.place IN ('k' || r.key, 'x' || r.exclusive)) r,"
	"  LATERAL (SELECT id FROM lyftron.queue q WHERE q.state = 'blocked' AND q.blocked_on = k.place ORDER BY q.priority, q.seq"
	"   LIMIT greatest(CASE WHEN k.place LIKE 'x%' THEN 1 ELSE coalesce(c.max_running, 1000) END - r.n, 0)) n))"
	" RETURNING pool, owner::oid AS owner, state"
};

static LyfCatalogPlan next_due_plan = {
	"SELECT least((SELECT min(next_at) FROM lyftron.due),"
	" (SELECT run_at FROM lyftron.queue WHERE state = 'scheduled' ORDER BY run_at LIMIT 1)) AS due"
};

typedef struct Ids
{
	MemoryContext cxt;
	int64	   *id;
	int			count;
	int			room;
} Ids;

static void
add_id(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Ids		   *ids = arg;
	MemoryContext old = MemoryContextSwitchTo(ids->cxt);
	bool		isnull;

	if (ids->count == ids->room)
	{
		ids->room = Max(64, ids->room * 2);
		ids->id = ids->id ? repalloc(ids->id, sizeof(int64) * ids->room) : palloc(sizeof(int64) * ids->room);
	}
	ids->id[ids->count++] = DatumGetInt64(lyf_catalog_column(tuple, desc, "id", &isnull));
	MemoryContextSwitchTo(old);
}

static void
take_over(void *arg, HeapTuple tuple, TupleDesc desc)
{
	LyfTask    *task = arg;
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(task));

	task->id = lyf_task_integer(tuple, desc, "id");
	task->name = lyf_catalog_text(tuple, desc, "name");
	task->flow = lyf_task_integer(tuple, desc, "flow");
	task->on_failure = lyf_catalog_text(tuple, desc, "on_failure");
	MemoryContextSwitchTo(old);
}

/* Nobody holds the lock of a task that is said to be running: its session is gone. */
static void
take_up(int64 id)
{
	LyfArgs		args = {0};
	LyfTask    *over = palloc0(sizeof(LyfTask));

	lyf_args_int8(&args, id);
	if (lyf_args_run_kept(&args, &orphan_again_plan, lyf_wake_row, NULL) > 0 ||
		lyf_args_run_kept(&args, &orphan_over_plan, take_over, over) == 0)
		return;
	lyf_alert_ended(over->id);
	if (over->flow != 0)
		lyf_flow_failed(over->id, over->name, over->flow, over->on_failure);
}

static void
take_up_orphans(void)
{
	Ids			ids = {.cxt = CurrentMemoryContext};
	LyfArgs		args = {0};

	lyf_args_run_kept(&args, &running_plan, add_id, &ids);
	for (int i = 0; i < ids.count; i++)
	{
		if (lyf_task_is_locked_here(ids.id[i]) || !lyf_task_lock(ids.id[i]))
			continue;
		/* it may have ended by itself since we looked: then there is nothing to take up */
		take_up(ids.id[i]);
		lyf_task_unlock(ids.id[i]);
	}
}

void
lyf_tick(void)
{
	LyfArgs		args = {0};

	if (!lyf_tick_lock())
		return;
	PG_TRY();
	{
		lyf_schedules_tick();
		lyf_alerts_tick();
		lyf_args_run_kept(&args, &due_plan, lyf_wake_row, NULL);
		take_up_orphans();
		lyf_args_run_kept(&args, &unblock_plan, lyf_wake_row, NULL);
		lyf_retention_tick();
	}
	PG_FINALLY();
	{
		lyf_tick_unlock();
	}
	PG_END_TRY();
}

static void
take_due(void *arg, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		due = lyf_catalog_column(tuple, desc, "due", &isnull);

	if (!isnull)
		*(TimestampTz *) arg = DatumGetTimestampTz(due);
}

TimestampTz
lyf_next_due(void)
{
	TimestampTz due = DT_NOEND;
	LyfArgs		args = {0};

	lyf_args_run_kept(&args, &next_due_plan, take_due, &due);
	return due;
}

/* lyftron.tick() */
Datum
lyf_tick_function(PG_FUNCTION_ARGS)
{
	lyf_tick();
	lyf_wake_overseer_at_commit();
	PG_RETURN_VOID();
}
