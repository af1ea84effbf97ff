/*
 * overseer.c
 *		The process that looks after one database: it ticks, and says on the board how many
 *		workers are wanted.  It runs nobody's code, and holds nothing while it sleeps.
 *
 * It ends when there is nothing to do for it (the extension or the database goes, or it
 * was stopped); the coordinator starts it again when there is.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/version.h"
#include "task/process.h"
#include "task/task.h"

extern PGDLLEXPORT void lyf_overseer_main(Datum arg);

/* it looks at the queue no more often than this, */
#define PAUSE_MS	10
/* this often whether somebody waits for it to leave the database, */
#define LOOK_MS		1000
/* and this often at the queue though nobody woke it */
#define SLEEP_MS	5000
/* without a coordinator for so long it ends: the one that there is has another version of the library */
#define ALONE_MS	10000

typedef struct Overseer
{
	Oid			database;
	Oid			extension;
	uint32		wait_event;
	TimestampTz next;			/* when to look at the queue */
	TimestampTz alone_since;	/* there is no coordinator, 0: there is one */
} Overseer;

/* Take the place on the board.  False: another one has it, or nobody may. */
static bool
enter(Oid database)
{
	LyfBoard   *board = lyf_board();
	LyfBoardDatabase *entry;
	bool		mine = false;

	if (board == NULL)
		return false;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	entry = lyf_board_database(board, database, true);
	if (entry != NULL && entry->overseer.pid == 0 && entry->left_until <= GetCurrentTimestamp())
	{
		entry->overseer = lyf_process_self();
		mine = true;
	}
	LWLockRelease(&board->lock);
	return mine;
}

static void
leave(int code, Datum arg)
{
	LyfBoard   *board = lyf_board();
	LyfBoardDatabase *entry;

	/* who takes its place will say what is wanted */
	lyf_demand_withdraw(DatumGetObjectId(arg));
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	entry = lyf_board_database(board, DatumGetObjectId(arg), false);
	if (entry != NULL && entry->overseer.pid == MyProcPid)
		entry->overseer.pid = 0;
	lyf_process_wake(&board->coordinator);
	LWLockRelease(&board->lock);
}

static void
set_absent(Oid database, bool absent)
{
	LyfBoard   *board = lyf_board();
	LyfBoardDatabase *entry;

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	entry = lyf_board_database(board, database, false);
	if (entry != NULL)
		entry->absent = absent;
	LWLockRelease(&board->lock);
}

/* Workers go, too, when they are done with what they do. */
static void
finish(Oid database)
{
	LyfBoard   *board = lyf_board();

	lyf_demand_withdraw(database);
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
	{
		LyfBoardWorker *worker = &board->workers[i];

		if (worker->database != database || !worker->background || worker->state == LYF_WORKER_FREE)
			continue;
		worker->retire = true;
		lyf_process_wake(&worker->process);
	}
	LWLockRelease(&board->lock);
	proc_exit(0);
}

/*
 * The extension has a version that this library does not know.  If it was updated while this process was at work, one with
 * the library as it is now takes over.  If this is such a one, there is nothing to do for it.
 */
static void
give_over(const Overseer *overseer)
{
	if (!OidIsValid(overseer->extension))
	{
		ereport(LOG,
				(errmsg("database %u has another version of lyftron than this library, %s", overseer->database, lyf_library_version),
				 errhint("Where lyftron is in shared_preload_libraries, restart the server; else install the library of that version, "
						 "or run ALTER EXTENSION lyftron UPDATE.")));
		set_absent(overseer->database, true);
	}
	finish(overseer->database);
}

/* The extension as it was when this process began, and the database to be served: else this process ends. */
static bool
is_served(Overseer *overseer)
{
	Oid			extension = get_extension_oid("lyftron", true);

	if (!OidIsValid(extension) || (OidIsValid(overseer->extension) && extension != overseer->extension))
		return false;
	overseer->extension = extension;
	return lyf_service_is_enabled();
}

/* What was done before now is seen by the look that begins. */
static void
begin_look(Oid database)
{
	LyfBoard   *board = lyf_board();
	LyfBoardDatabase *entry;

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	entry = lyf_board_database(board, database, false);
	if (entry != NULL)
		entry->attention = false;
	LWLockRelease(&board->lock);
}

/* in a transaction that ends with it; true: the number of workers that are wanted has changed */
static bool
look(Overseer *overseer)
{
	bool		known;
	bool		served;
	bool		changed = false;

	begin_look(overseer->database);
	StartTransactionCommand();
	known = lyf_version_is_served();
	served = known && is_served(overseer);
	if (served)
	{
		TimestampTz due;

		lyf_tick();
		changed = lyf_demand_post();
		due = lyf_next_due();
		overseer->next = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SLEEP_MS);
		overseer->next = Min(overseer->next, due);
	}
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
	if (!known)
		give_over(overseer);
	if (!served)
	{
		set_absent(overseer->database, true);
		finish(overseer->database);
	}
	return changed;
}

/*
 * An error of one look (a deadlock, a lock that was not to be had) is told, and the next one comes.
 * One that comes each time does so every few seconds.
 */
static void
look_guarded(Overseer *overseer)
{
	MemoryContext cxt = CurrentMemoryContext;
	volatile bool changed = false;

	PG_TRY();
	{
		changed = look(overseer);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortCurrentTransaction();
		FlushErrorState();
		lyf_locks_release_all();
		overseer->next = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SLEEP_MS);
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	if (changed)
		lyf_wake_coordinator();
}

/* Is there no coordinator, and has not been for long? */
static bool
is_left_alone(Overseer *overseer)
{
	TimestampTz now = GetCurrentTimestamp();

	if (lyf_board_has_coordinator())
		overseer->alone_since = 0;
	else if (overseer->alone_since == 0)
		overseer->alone_since = now;
	return overseer->alone_since != 0 && TimestampDifferenceExceeds(overseer->alone_since, now, ALONE_MS);
}

/* Somebody wants the database without us in it. */
static void
give_way(Overseer *overseer)
{
	(void) lyf_workers_terminate(overseer->database);
	proc_exit(0);
}

/* until it was woken, or it is time; true: it is to look at the queue */
static void
wait_for_something(Overseer *overseer)
{
	for (;;)
	{
		int64		ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), overseer->next);
		TimestampTz before = GetCurrentTimestamp();

		if (ms <= 0)
			return;
		lyf_process_wait(Min(ms, LOOK_MS), "LyftronOverseer", &overseer->wait_event);
		if (lyf_database_is_wanted(overseer->database))
			give_way(overseer);
		if (is_left_alone(overseer))
			finish(overseer->database);
		/* woken before its time: what comes in the same moment is looked at together */
		if (TimestampDifferenceMilliseconds(before, GetCurrentTimestamp()) < Min(ms, LOOK_MS))
		{
			pg_usleep(PAUSE_MS * 1000L);
			return;
		}
	}
}

void
lyf_overseer_main(Datum arg)
{
	Overseer	overseer = {0};
	LyfOrders	orders;

	lyf_process_orders(&orders);
	overseer.database = orders.database;
	if (!enter(overseer.database))
		proc_exit(0);
	before_shmem_exit(leave, ObjectIdGetDatum(overseer.database));
	lyf_process_begin(overseer.database, InvalidOid);
	set_absent(overseer.database, false);
	CurrentMemoryContext = TopMemoryContext;
	for (;;)
	{
		look_guarded(&overseer);
		wait_for_something(&overseer);
	}
}
