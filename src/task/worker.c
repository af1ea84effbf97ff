/*
 * worker.c
 *		A background process that takes the tasks of one owner in one pool, as that role,
 *		by CALL lyftron.work, as any session can.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "commands/prepare.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/version.h"
#include "task/process.h"
#include "task/task.h"

extern PGDLLEXPORT void lyf_worker_main(Datum arg);

/* after so many tasks, or as long without one, it reports statistics, by which autovacuum knows what to do */
#define TASKS_A_CALL	100
#define WAIT_A_CALL		"1 second"

/* after an error that was not a task's */
#define PAUSE_MS		1000

/* One statement, as if a client had sent it; in a transaction. */
static void
run_statement(const char *sql)
{
	RawStmt    *parsed = linitial_node(RawStmt, pg_parse_query(sql));
	List	   *plans;
	Portal		portal;
	DestReceiver *receiver;
	QueryCompletion completion;

	PushActiveSnapshot(GetTransactionSnapshot());
	plans = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(parsed, sql, NULL, 0, NULL), sql, CURSOR_OPT_PARALLEL_OK, NULL);
	PopActiveSnapshot();
	portal = CreatePortal("", true, true);
	portal->visible = false;
	PortalDefineQuery(portal, NULL, sql, CreateCommandTag(parsed->stmt), plans, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	receiver = CreateDestReceiver(DestNone);
	(void) lyf_portal_run(portal, receiver, &completion);
	receiver->rDestroy(receiver);
	PortalDrop(portal, false);
}

static void
work(const char *sql, MemoryContext cxt)
{
	MemoryContextSwitchTo(cxt);
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	/* without the extension there is nothing to work on, and what is of another version is for others */
	if (!OidIsValid(get_extension_oid("lyftron", true)) || !lyf_version_is_served())
		proc_exit(0);
	run_statement(sql);
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* What is no task's error (a lost lock, a function that is gone): told, and after a pause it goes on. */
static void
work_guarded(const char *sql, MemoryContext cxt)
{
	static uint32 wait_event = 0;
	volatile bool failed = false;

	PG_TRY();
	{
		work(sql, cxt);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(cxt);
		EmitErrorReport();
		AbortCurrentTransaction();
		FlushErrorState();
		lyf_locks_release_all();
		failed = true;
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextReset(cxt);
	if (failed)
		lyf_process_wait(PAUSE_MS, "LyftronWorkerPause", &wait_event);
}

bool		lyf_is_worker = false;

/* what one task leaves in the session is not for the next one to find */
void
lyf_session_discard(void)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	ResetTempTableNamespace();
	PopActiveSnapshot();
	DropAllPreparedStatements();
	LockReleaseSession(USER_LOCKMETHOD);
}

void
lyf_worker_main(Datum arg)
{
	static uint32 wait_event = 0;
	LyfOrders	orders;
	MemoryContext cxt;
	char	   *sql;

	lyf_process_orders(&orders);
	lyf_process_begin(orders.database, orders.owner);
	if (!lyf_worker_enter(NameStr(orders.pool), orders.number, orders.generation))
		proc_exit(0);
	lyf_is_worker = true;
	MemoryContextSwitchTo(TopMemoryContext);
	cxt = AllocSetContextCreate(TopMemoryContext, "lyftron worker", ALLOCSET_DEFAULT_SIZES);
	sql = psprintf("CALL lyftron.work(%s, %d, '%s')", quote_literal_cstr(NameStr(orders.pool)), TASKS_A_CALL, WAIT_A_CALL);
	lyf_last_task_us = lyf_monotonic_us();
	while (!lyf_worker_retires())
	{
		int64		last = lyf_last_task_us;
		int64		idle_ms;

		work_guarded(sql, cxt);
		lyf_process_interrupts();
		if (lyf_last_task_us != last)
			continue;
		idle_ms = (lyf_monotonic_us() - last) / 1000;
		if (lyf_worker_leave_idle(idle_ms))
			break;
		lyf_process_wait(lyf_worker_patience_ms(idle_ms), "LyftronWorkerIdle", &wait_event);
	}
	lyf_worker_leave();
	proc_exit(0);
}
