/*
 * work.c
 *		CALL lyftron.work(...): take tasks of a pool and do them, one after the other.
 *
 * Whoever calls it works: a background worker for as long as it lives, a session or
 * an entry of pg_cron until there is nothing to do or it has done enough.  Between
 * tasks no snapshot is held, and while it waits nothing but a transaction that has
 * done nothing.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/guard.h"
#include "base/version.h"
#include "task/board.h"
#include "task/task.h"

LYF_FUNCTION_INFO_V1(lyf_work);

/* the queue is looked after this often, and a session that waits wakes up */
#define TICK_US			INT64CONST(1000000)

int64		lyf_last_task_us = 0;

typedef struct Work
{
	MemoryContext cxt;			/* as long as the call */
	MemoryContext task_cxt;		/* reset with each task */
	const char *pool;
	LyfClaimer *claimer;
	LyfTask    *task;			/* the one that is claimed or done, or NULL */
	ErrorData  *error;			/* that ended it */
	bool		cancelled;		/* as it was asked for */
	bool		patient;		/* it will ask again */
	int64		ticked_us;
} Work;

static bool
claim(void *arg)
{
	Work	   *work = arg;

	work->task = lyf_task_claim(work->claimer, work->patient);
	return true;
}

static bool
fail(void *arg)
{
	Work	   *work = arg;

	work->cancelled = lyf_task_failed(work->task, work->error, lyf_error_is_transient(work->error), lyf_error_retry_after_ms(work->error));
	return true;
}

static void
do_task(Work *work)
{
	work->cancelled = false;
	(void) lyf_version_hold(true);
	lyf_log_begin();
	work->error = lyf_task_execute(work->task);
	lyf_log_end();
	if (work->error != NULL)
	{
		ErrorData  *lost = lyf_guarded(fail, work);

		/* what cannot be written down is no task of ours any more: it is taken up as if our session had ended */
		if (lost != NULL)
			ereport(WARNING,
					(errcode(lost->sqlerrcode),
					 errmsg("the end of task " INT64_FORMAT " could not be written down", work->task->id),
					 errdetail("%s.", lost->message),
					 errcontext("It ended with: %s", work->error->message)));
		SPI_commit();
	}
	lyf_task_let_go(work->task);
	if (lyf_is_worker)
		lyf_session_discard();
	SPI_commit();
	(void) lyf_version_hold(false);

	/* who called is the one that is to stop, if it was not the task */
	if (work->error != NULL && work->error->sqlerrcode == ERRCODE_QUERY_CANCELED && !work->cancelled)
		ReThrowError(work->error);
}

/* the next task is work->task, or NULL */
static void
next_task(Work *work)
{
	ErrorData  *error;

	MemoryContextReset(work->task_cxt);
	MemoryContextSwitchTo(work->task_cxt);
	work->task = NULL;
	lyf_worker_set(LYF_WORKER_IDLE, 0);
	if (lyf_monotonic_us() - work->ticked_us >= TICK_US && !lyf_board_has_overseer())
	{
		lyf_tick();
		SPI_commit();
		work->ticked_us = lyf_monotonic_us();
	}
	error = lyf_guarded(claim, work);
	if (error != NULL)
		ReThrowError(error);
	SPI_commit();
}

/* until something may be there to do; at most so long */
static void
wait_for_work(const LyfClaimer *claimer, int64 wait_us)
{
	int64		rest_us = lyf_claimer_rest_us(claimer);

	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = LYF_WAIT_EVENT("LyftronWorkerIdle");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 (long) (Min(Min(wait_us, TICK_US), rest_us > 0 ? rest_us : TICK_US) / 1000 + 1), wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* A session is told by an error that the extension is of another version now; a background worker just ends. */
static bool
is_to_end(void)
{
	return lyf_worker_retires() || (lyf_is_worker && !lyf_version_is_served());
}

/* the number of tasks done */
static int64
work_on(Work *work, int64 most, int64 wait_us)
{
	int64		idle_since = lyf_monotonic_us();
	int64		done = 0;

	while (done < most && !is_to_end())
	{
		int64		left = wait_us - (lyf_monotonic_us() - idle_since);

		work->patient = left > 0;
		next_task(work);
		if (work->task != NULL)
		{
			lyf_worker_set(LYF_WORKER_BUSY, work->task->id);
			do_task(work);
			done++;
			idle_since = lyf_last_task_us = lyf_monotonic_us();
			continue;
		}
		if (left <= 0)
			break;
		wait_for_work(work->claimer, left);
	}
	return done;
}

static int64
interval_us(const Interval *interval)
{
	return interval->time + (interval->day + INT64CONST(30) * interval->month) * USECS_PER_DAY;
}

/* A background worker is for one pool, and keeps what it learned of it from call to call. */
static LyfClaimer *
get_claimer(const char *pool)
{
	static LyfClaimer *kept = NULL;
	MemoryContext old;

	if (!lyf_is_worker)
		return lyf_claimer_begin(pool);
	if (kept == NULL)
	{
		old = MemoryContextSwitchTo(TopMemoryContext);
		kept = lyf_claimer_begin(pool);
		MemoryContextSwitchTo(old);
	}
	return kept;
}

/* lyftron.work(pool, tasks, wait) */
Datum
lyf_work(PG_FUNCTION_ARGS)
{
	Node	   *context = fcinfo->context;
	MemoryContext cxt;
	Work	   *work;
	int64		most;
	int64		wait_us;
	bool		entered;

	if (context == NULL || !IsA(context, CallContext) || castNode(CallContext, context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("lyftron.work cannot run inside a transaction block or a function"),
				 errhint("It commits after each task: CALL it by itself.")));
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the pool to work for must be named")));
	most = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT64(1);
	wait_us = PG_ARGISNULL(2) ? 0 : interval_us(PG_GETARG_INTERVAL_P(2));

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron work", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(cxt);
	work = palloc0(sizeof(Work));
	work->cxt = cxt;
	work->task_cxt = AllocSetContextCreate(cxt, "lyftron task", ALLOCSET_DEFAULT_SIZES);
	work->pool = text_to_cstring(PG_GETARG_TEXT_PP(0));
	work->claimer = get_claimer(work->pool);
	entered = lyf_worker_enter(work->pool, -1, 0);
	PG_TRY();
	{
		(void) work_on(work, most, wait_us);
	}
	PG_FINALLY();
	{
		(void) lyf_version_hold(false);
		lyf_log_end();
		lyf_locks_release_all();
		if (entered)
			lyf_worker_leave();
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_VOID();
}
