/*
 * claim.c
 *		Which task is next.
 *
 * The ready tasks of a pool stand in lanes, one for each owner and priority, in the
 * order in which they became ready.  A claimer remembers how far it came in each
 * lane and looks on from there, so that it need not pass what was taken long ago
 * and what an old snapshot keeps from being removed.  What was put in behind its
 * back (a transaction that committed late, a new lane) it finds when it looks at
 * the lanes anew: every so often, and whenever it finds nothing; but where that
 * takes long, since an old snapshot keeps what was done, no more often than it is worth.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "task/task.h"

#define LOOK_ANEW_US	INT64CONST(1000000)

/* between two looks passes this many times what one takes */
#define LOOK_SHARE		10

/* a look that took so little need not wait */
#define REST_US			INT64CONST(20000)

/* lanes that a claimer knows at most: it goes on with others when these are empty */
#define MAX_LANES		1000

typedef struct Lane
{
	Oid			owner;
	int			priority;
	int64		passed;			/* seq up to which it looked */
} Lane;

struct LyfClaimer
{
	MemoryContext cxt;
	const char *pool;
	Lane		lanes[MAX_LANES];	/* the best priority first */
	int			count;
	int64		looked_us;		/* when the lanes were last looked at, 0: never */
	int64		look_took_us;
};

static LyfCatalogPlan lanes_plan = {
	"WITH RECURSIVE lane AS ("
	" (SELECT owner::oid AS owner, priority, seq FROM lyftron.queue"
	"  WHERE state = 'ready' AND pool = $1 ORDER BY lyftron.queue.owner, priority, seq LIMIT 1)"
	" UNION ALL"
	" SELECT n.owner, n.priority, n.seq FROM lane l, LATERAL ("
	"  SELECT q.owner::oid AS owner, q.priority, q.seq FROM lyftron.queue q"
	"  WHERE q.state = 'ready' AND q.pool = $1 AND (q.owner, q.priority) > (l.owner::regrole, l.priority)"
	"  ORDER BY q.owner, q.priority, q.seq LIMIT 1) n)"
	" SELECT owner, priority, seq FROM lane ORDER BY priority, owner"
};

/*
 * The pool's being paused is looked at here, so that it holds from the next task on.  What is next is found once, before
 * the update, which goes to it by its key: a join could be turned round, and look through all tasks, or take two.
 */
static LyfCatalogPlan claim_plan = {
	"UPDATE lyftron.queue q SET state = 'running', attempt = attempt + 1, pid = pg_backend_pid(),"
	" started_at = clock_timestamp(), error = NULL, sqlstate = NULL"
	" WHERE q.id = (SELECT id FROM lyftron.queue"
	"  WHERE state = 'ready' AND pool = $1 AND owner = $2::regrole AND priority = $3 AND seq > $4"
	"  AND NOT EXISTS (SELECT FROM lyftron.pool p WHERE p.name = $1 AND p.paused)"
	"  ORDER BY pool, owner, priority, seq LIMIT 1 FOR UPDATE SKIP LOCKED)"
	" RETURNING q.id, q.seq, q.kind, q.name, q.command, q.search_path, q.owner::oid AS owner, q.exclusive, q.key, q.flow,"
	" q.on_failure, q.nominal_at, q.window_start, q.window_end, q.attempt, q.max_attempts, (SELECT max_running FROM lyftron.concurrency c WHERE c.key = q.key) AS max_running"
};

static LyfCatalogPlan put_back_plan = {
	"UPDATE lyftron.queue SET state = CASE WHEN $2 IS NULL THEN 'ready' ELSE 'blocked' END, blocked_on = $2,"
	" seq = nextval('lyftron.queue_seq'), attempt = attempt - 1, pid = NULL WHERE id = $1"
};

LyfClaimer *
lyf_claimer_begin(const char *pool)
{
	LyfClaimer *claimer = palloc0(sizeof(LyfClaimer));

	claimer->cxt = CurrentMemoryContext;
	claimer->pool = pstrdup(pool);
	return claimer;
}

static void
add_lane(void *arg, HeapTuple tuple, TupleDesc desc)
{
	LyfClaimer *claimer = arg;
	bool		isnull;
	Lane		lane = {0};

	lane.owner = DatumGetObjectId(lyf_catalog_column(tuple, desc, "owner", &isnull));
	lane.priority = DatumGetInt32(lyf_catalog_column(tuple, desc, "priority", &isnull));
	lane.passed = lyf_task_integer(tuple, desc, "seq") - 1;
	if (claimer->count < MAX_LANES)
		claimer->lanes[claimer->count++] = lane;
}

/* A background worker is there for its own role's tasks: others' get one with their settings. */
static bool
may_work_for(Oid owner)
{
	return lyf_is_worker ? owner == GetUserId() : has_privs_of_role(GetUserId(), owner);
}

/* Learn the lanes, and where each begins; those of others' tasks are left out. */
static void
look_anew(LyfClaimer *claimer)
{
	int64		start = lyf_monotonic_us();
	LyfArgs		args = {0};
	int			kept = 0;

	claimer->count = 0;
	lyf_args_text(&args, claimer->pool);
	lyf_args_run_kept(&args, &lanes_plan, add_lane, claimer);
	for (int i = 0; i < claimer->count; i++)
		if (may_work_for(claimer->lanes[i].owner))
			claimer->lanes[kept++] = claimer->lanes[i];
	claimer->count = kept;
	claimer->looked_us = lyf_monotonic_us();
	claimer->look_took_us = claimer->looked_us - start;
}

int64
lyf_claimer_rest_us(const LyfClaimer *claimer)
{
	return claimer->looked_us == 0 ? 0 : Max(claimer->looked_us + claimer->look_took_us * LOOK_SHARE - lyf_monotonic_us(), 0);
}

typedef struct Found
{
	MemoryContext cxt;
	LyfTask    *task;
} Found;

int64
lyf_task_integer(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = lyf_catalog_column(tuple, desc, name, &isnull);

	if (isnull)
		return 0;
	return SPI_gettypeid(desc, SPI_fnumber(desc, name)) == INT8OID ? DatumGetInt64(value) : DatumGetInt32(value);
}

/* a time, and whether there is one */
static bool
take_time(HeapTuple tuple, TupleDesc desc, const char *name, TimestampTz *time)
{
	bool		isnull;
	Datum		value = lyf_catalog_column(tuple, desc, name, &isnull);

	*time = isnull ? 0 : DatumGetTimestampTz(value);
	return !isnull;
}

static void
take_occasion(LyfOccasion *occasion, HeapTuple tuple, TupleDesc desc)
{
	occasion->scheduled = take_time(tuple, desc, "nominal_at", &occasion->nominal);
	occasion->bounded = take_time(tuple, desc, "window_start", &occasion->since);
	(void) take_time(tuple, desc, "window_end", &occasion->until);
}

static void
take_task(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Found	   *found = arg;
	MemoryContext old = MemoryContextSwitchTo(found->cxt);
	LyfTask    *task = palloc0(sizeof(LyfTask));
	bool		isnull;

	task->id = lyf_task_integer(tuple, desc, "id");
	task->seq = lyf_task_integer(tuple, desc, "seq");
	task->kind = lyf_catalog_text(tuple, desc, "kind");
	task->name = lyf_catalog_text(tuple, desc, "name");
	task->command = lyf_catalog_text(tuple, desc, "command");
	task->search_path = lyf_catalog_text(tuple, desc, "search_path");
	task->owner = DatumGetObjectId(lyf_catalog_column(tuple, desc, "owner", &isnull));
	task->exclusive = lyf_catalog_text(tuple, desc, "exclusive");
	task->key = lyf_catalog_text(tuple, desc, "key");
	task->flow = lyf_task_integer(tuple, desc, "flow");
	task->on_failure = lyf_catalog_text(tuple, desc, "on_failure");
	task->attempt = (int) lyf_task_integer(tuple, desc, "attempt");
	task->max_attempts = (int) lyf_task_integer(tuple, desc, "max_attempts");
	task->max_running = (int) lyf_task_integer(tuple, desc, "max_running");
	take_occasion(&task->occasion, tuple, desc);
	task->slot = -1;
	found->task = task;
	MemoryContextSwitchTo(old);
}

static LyfTask *
claim_in(LyfClaimer *claimer, Lane *lane)
{
	Found		found = {CurrentMemoryContext, NULL};
	LyfArgs		args = {0};

	lyf_args_text(&args, claimer->pool);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(lane->owner), false);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(lane->priority), false);
	lyf_args_int8(&args, lane->passed);
	lyf_args_run_kept(&args, &claim_plan, take_task, &found);
	if (found.task != NULL)
		lane->passed = found.task->seq;
	return found.task;
}

static LyfTask *
claim_any(LyfClaimer *claimer)
{
	for (int i = 0; i < claimer->count; i++)
	{
		LyfTask    *task = claim_in(claimer, &claimer->lanes[i]);

		if (task != NULL)
			return task;
	}
	return NULL;
}

/* blocked_on: the place it waits for, or NULL: it is as ready as it was */
static void
put_back(const LyfTask *task, const char *blocked_on)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, task->id);
	lyf_args_text(&args, blocked_on);
	lyf_args_run_kept(&args, &put_back_plan, NULL, NULL);
}

/* Take the places that it needs: NULL, or the one that was not to be had (and none is taken). */
static const char *
take_places(LyfTask *task)
{
	if (task->exclusive != NULL && !lyf_exclusive_take(task->exclusive))
		return psprintf("x%s", task->exclusive);
	if (task->key == NULL || task->max_running == 0)
		return NULL;
	task->slot = lyf_slot_take(task->key, task->max_running);
	if (task->slot >= 0)
		return NULL;
	if (task->exclusive != NULL)
		lyf_exclusive_release(task->exclusive);
	return psprintf("k%s", task->key);
}

/*
 * Make it ours: its lock, which somebody who looks after the queue may have for a moment, and its
 * places.  Where one is not to be had, it waits for it.
 */
static bool
make_ours(LyfTask *task)
{
	const char *missing;

	if (!lyf_task_lock(task->id))
	{
		put_back(task, NULL);
		return false;
	}
	missing = take_places(task);
	if (missing == NULL)
		return true;
	lyf_task_unlock(task->id);
	put_back(task, missing);
	return false;
}

LyfTask *
lyf_task_claim(LyfClaimer *claimer, bool patient)
{
	bool		anew = lyf_monotonic_us() - claimer->looked_us > LOOK_ANEW_US;

	if (anew)
		look_anew(claimer);
	for (;;)
	{
		LyfTask    *task = claim_any(claimer);

		CHECK_FOR_INTERRUPTS();
		if (task == NULL && (anew || (patient && lyf_claimer_rest_us(claimer) > REST_US)))
			return NULL;
		if (task == NULL)
		{
			anew = true;
			look_anew(claimer);
		}
		else if (make_ours(task))
			return task;
	}
}
