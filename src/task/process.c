/*
 * process.c
 *		What the background processes have in common: how they start, wait and end.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/version.h"
#include "task/process.h"

static void
describe(BackgroundWorker *worker, const char *function, const char *type, const char *name, int restart_s)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = restart_s;
	snprintf(worker->bgw_library_name, sizeof(worker->bgw_library_name), "%s", "lyftron");
	snprintf(worker->bgw_function_name, sizeof(worker->bgw_function_name), "%s", function);
	snprintf(worker->bgw_name, sizeof(worker->bgw_name), "%s", name);
	snprintf(worker->bgw_type, sizeof(worker->bgw_type), "%s", type);
}

bool
lyf_process_start(const char *function, const char *type, const char *name, const LyfOrders *orders,
				  int restart_s, bool notify, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	StaticAssertStmt(sizeof(LyfOrders) <= BGW_EXTRALEN, "orders fit");
	describe(&worker, function, type, name, restart_s);
	if (orders != NULL)
	{
		LyfOrders	signed_orders = *orders;

		snprintf(signed_orders.version, sizeof(signed_orders.version), "%s", lyf_library_version);
		signed_orders.starter = MyProcPid;
		memcpy(worker.bgw_extra, &signed_orders, sizeof(LyfOrders));
	}
	worker.bgw_notify_pid = notify ? MyProcPid : 0;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

void
lyf_process_preload(const char *function, const char *type, const char *name, int restart_s)
{
	BackgroundWorker worker;

	describe(&worker, function, type, name, restart_s);
	RegisterBackgroundWorker(&worker);
}

void
lyf_process_orders(LyfOrders *orders)
{
	memcpy(orders, MyBgworkerEntry->bgw_extra, sizeof(LyfOrders));
	if (strncmp(orders->version, lyf_library_version, sizeof(orders->version) - 1) == 0)
		return;
	kill(orders->starter, SIGTERM);
	proc_exit(0);
}

void
lyf_process_begin(Oid database, Oid role)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	if (OidIsValid(database))
		BackgroundWorkerInitializeConnectionByOid(database, role, OidIsValid(role) ? LYF_BGWORKER_ANY_ROLE : 0);
	else
		BackgroundWorkerInitializeConnection(NULL, NULL, 0);
}

void
lyf_process_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

void
lyf_process_wait(int64 ms, const char *wait_event, uint32 *wait_event_number)
{
	if (*wait_event_number == 0)
		*wait_event_number = LYF_WAIT_EVENT(wait_event);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, (long) Max(ms, 1), *wait_event_number);
	ResetLatch(MyLatch);
	lyf_process_interrupts();
}

/*
 * Who drops or moves a database locks it first, and then waits some seconds for the others to
 * leave.  A lock that conflicts with that one, and with nothing else, tells.
 */
bool
lyf_database_is_wanted(Oid database)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database, 0);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, RowExclusiveLock, true);
	return false;
}

bool
lyf_workers_terminate(Oid database)
{
	LyfBoard   *board = lyf_board();
	bool		found = false;

	if (board == NULL)
		return false;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
	{
		LyfBoardWorker *worker = &board->workers[i];

		if (worker->database != database || !worker->background || worker->state == LYF_WORKER_FREE)
			continue;
		if (worker->process.pid != 0)
			kill(worker->process.pid, SIGTERM);
		else
			worker->retire = true;
		found = true;
	}
	LWLockRelease(&board->lock);
	return found;
}
