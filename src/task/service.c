/*
 * service.c
 *		Whether a database is served by background workers: said by lyftron.start and stop, or by
 *		shared_preload_libraries; and making way for who drops or copies one.
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/settings.h"
#include "task/process.h"
#include "task/task.h"

LYF_FUNCTION_INFO_V1(lyf_start);
LYF_FUNCTION_INFO_V1(lyf_stop);

/* a coordinator that ends otherwise than by itself is started again after so long */
#define COORDINATOR_RESTART_S	1

/* how long to wait for processes to leave a database */
#define LEAVE_MS	5000

static bool preloaded = false;
static ProcessUtility_hook_type next_utility = NULL;

static LyfCatalogPlan enabled_plan = {
	"SELECT coalesce(enabled, $1) AND database = $2 AS enabled FROM lyftron.service"
};

static LyfCatalogPlan enable_plan = {
	"INSERT INTO lyftron.service (database, enabled) VALUES ($2, $1)"
	" ON CONFLICT ((true)) DO UPDATE SET enabled = excluded.enabled, database = excluded.database"
};

static void
add_service(LyfArgs *args, bool enabled)
{
	lyf_args_datum(args, BOOLOID, BoolGetDatum(enabled), false);
	lyf_args_datum(args, OIDOID, ObjectIdGetDatum(MyDatabaseId), false);
}

bool
lyf_service_is_enabled(void)
{
	LyfArgs		args = {0};
	bool		enabled = false;

	add_service(&args, preloaded);
	lyf_args_run_kept(&args, &enabled_plan, lyf_catalog_take_bool, &enabled);
	return enabled && lyf_background_workers;
}

static void
start_coordinator(void)
{
	BackgroundWorkerHandle *handle;
	pid_t		pid;

	if (lyf_board_has_coordinator())
		return;
	if (!lyf_process_start("lyf_coordinator_main", "lyftron coordinator", "lyftron coordinator", NULL,
						   COORDINATOR_RESTART_S, true, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("no slot is free for a background worker"),
				 errhint("Raise max_worker_processes, and restart the server.")));
	if (WaitForBackgroundWorkerStartup(handle, &pid) != BGWH_STARTED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("the coordinator did not start"),
				 errhint("The server's log may say why.")));
}

static void
set_enabled(bool enabled)
{
	LyfArgs		args = {0};

	add_service(&args, enabled);
	lyf_args_run_kept(&args, &enable_plan, NULL, NULL);
}

/* lyftron.start() */
Datum
lyf_start(PG_FUNCTION_ARGS)
{
	if (!lyf_background_workers)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("background workers are off"),
				 errdetail("The setting lyftron.background_workers says so."),
				 errhint("Use lyftron.schedule_with_pg_cron, or CALL lyftron.work from any session.")));
	if (lyf_board() == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("there is no shared memory for background workers"),
				 errhint("Add lyftron to shared_preload_libraries, and restart the server.")));
	set_enabled(true);
	start_coordinator();
	lyf_wake_overseer_at_commit();
	PG_RETURN_VOID();
}

/* lyftron.stop(now): the overseer sees it when this is committed */
Datum
lyf_stop(PG_FUNCTION_ARGS)
{
	set_enabled(false);
	if (PG_GETARG_BOOL(0))
		(void) lyf_workers_terminate(MyDatabaseId);
	lyf_wake_overseer_at_commit();
	PG_RETURN_VOID();
}

/* Nobody goes to a database before then. */
static void
leave_until(Oid database, TimestampTz until)
{
	LyfBoard   *board = lyf_board();
	LyfBoardDatabase *entry;

	if (board == NULL)
		return;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	entry = lyf_board_database(board, database, false);
	if (entry != NULL)
		entry->left_until = until;
	LWLockRelease(&board->lock);
}

static bool
end_overseer(LyfBoard *board, Oid database)
{
	LyfBoardDatabase *entry;
	bool		there;

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	entry = lyf_board_database(board, database, false);
	there = entry != NULL && entry->overseer.pid != 0;
	if (there)
		kill(entry->overseer.pid, SIGTERM);
	LWLockRelease(&board->lock);
	return there;
}

/* End the processes of a database, and wait until they are gone. */
static void
make_way(Oid database)
{
	static uint32 wait_event = 0;
	LyfBoard   *board = lyf_board();

	if (board == NULL)
		return;
	/* who needs it waits for others as long again */
	leave_until(database, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), 2 * LEAVE_MS));
	for (int waited = 0; waited < LEAVE_MS; waited += 10)
	{
		bool		workers = lyf_workers_terminate(database);

		if (!end_overseer(board, database) && !workers)
			return;
		if (wait_event == 0)
			wait_event = LYF_WAIT_EVENT("LyftronMakeWay");
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 10, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* the database that a statement needs for itself, or NULL */
static const char *
database_needed(Node *statement)
{
	ListCell   *lc;

	if (IsA(statement, DropdbStmt))
		return castNode(DropdbStmt, statement)->dbname;
	if (IsA(statement, RenameStmt) && castNode(RenameStmt, statement)->renameType == OBJECT_DATABASE)
		return castNode(RenameStmt, statement)->subname;
	if (IsA(statement, AlterDatabaseStmt))
	{
		foreach(lc, castNode(AlterDatabaseStmt, statement)->options)
			if (strcmp(lfirst_node(DefElem, lc)->defname, "tablespace") == 0)
				return castNode(AlterDatabaseStmt, statement)->dbname;
	}
	if (IsA(statement, CreatedbStmt))
	{
		foreach(lc, castNode(CreatedbStmt, statement)->options)
			if (strcmp(lfirst_node(DefElem, lc)->defname, "template") == 0 && lfirst_node(DefElem, lc)->arg != NULL)
				return strVal(lfirst_node(DefElem, lc)->arg);
	}
	return NULL;
}

/*
 * Before a database is dropped, renamed, moved or copied its processes leave it.  (Where this is not loaded, the overseer sees
 * the lock, and they leave within a second or so.)  The coordinator brings them back when it is over.
 */
static void
make_way_first(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
			   ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type next = next_utility != NULL ? next_utility : standard_ProcessUtility;
	const char *name = database_needed(pstmt->utilityStmt);
	Oid			database = name == NULL ? InvalidOid : get_database_oid(name, true);

	/* who may not do it does not end anything either */
	if (!OidIsValid(database) || !lyf_owns_database(database, GetUserId()))
	{
		next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		return;
	}
	PG_TRY();
	{
		make_way(database);
		next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	}
	PG_FINALLY();
	{
		leave_until(database, 0);
		lyf_wake_coordinator();
	}
	PG_END_TRY();
}

void
lyf_service_init(void)
{
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = make_way_first;
	if (!process_shared_preload_libraries_in_progress)
		return;
	preloaded = true;
	lyf_process_preload("lyf_coordinator_main", "lyftron coordinator", "lyftron coordinator", COORDINATOR_RESTART_S);
}
