/*
 * coordinator.c
 *		The one process of a cluster that starts the others: an overseer where a database
 *		is to be served, and workers as the overseers want them and the slots allow.
 *
 * It is connected to no database, and so is in nobody's way.  What it knows it reads off
 * the board; when it ends, the others work on, and the next one goes on from there.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/settings.h"
#include "task/process.h"

extern PGDLLEXPORT void lyf_coordinator_main(Datum arg);

#define MAX_DATABASES	LYF_BOARD_DATABASES

/* how often it looks which databases there are, and whether one that had nothing for it has by now */
#define LIST_MS			60000
#define PROBE_MS		600000
/* an overseer that ended is started again after so long; a worker that did not come up is given up */
#define RESTART_MS		1000
#define STARTUP_MS		30000
#define SLEEP_MS		10000

/* A database as this process knows it. */
typedef struct Database
{
	Oid			oid;
	bool		there;			/* seen when the databases were last listed */
	BackgroundWorkerHandle *overseer;	/* that it started, or NULL */
	TimestampTz tried;			/* when, 0: never */
} Database;

typedef struct Coordinator
{
	MemoryContext cxt;			/* as long as it lives */
	Database	databases[MAX_DATABASES];
	int			count;
	TimestampTz listed;
	BackgroundWorkerHandle *workers[LYF_BOARD_WORKERS]; /* beside the board's entries; NULL: not started by this process */
	TimestampTz started[LYF_BOARD_WORKERS];
	uint32		wait_event;
} Coordinator;

static Database *
know_database(Coordinator *c, Oid oid)
{
	for (int i = 0; i < c->count; i++)
		if (c->databases[i].oid == oid)
			return &c->databases[i];
	if (c->count == MAX_DATABASES)
		return NULL;
	memset(&c->databases[c->count], 0, sizeof(Database));
	c->databases[c->count].oid = oid;
	return &c->databases[c->count++];
}

/* Forget those that are gone, on the board, too. */
static void
forget_databases(Coordinator *c)
{
	LyfBoard   *board = lyf_board();

	for (int i = c->count - 1; i >= 0; i--)
	{
		LyfBoardDatabase *entry;

		if (c->databases[i].there)
			continue;
		LWLockAcquire(&board->lock, LW_EXCLUSIVE);
		entry = lyf_board_database(board, c->databases[i].oid, false);
		if (entry != NULL && entry->overseer.pid == 0)
			entry->database = InvalidOid;
		LWLockRelease(&board->lock);
		c->databases[i] = c->databases[--c->count];
	}
}

static void
list_databases(Coordinator *c)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	for (int i = 0; i < c->count; i++)
		c->databases[i].there = false;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);
		Database   *database = form->datallowconn && !form->datistemplate ? know_database(c, form->oid) : NULL;

		if (database != NULL)
			database->there = true;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	forget_databases(c);
	c->listed = GetCurrentTimestamp();
}

/* Does somebody ask for a database that was not there when they were listed? */
static bool
knows_all(const Coordinator *c)
{
	LyfBoard   *board = lyf_board();
	bool		all = true;

	LWLockAcquire(&board->lock, LW_SHARED);
	for (int i = 0; i < LYF_BOARD_DATABASES && all; i++)
	{
		const LyfBoardDatabase *entry = &board->databases[i];
		bool		known = !OidIsValid(entry->database) || !entry->attention;

		for (int j = 0; j < c->count && !known; j++)
			known = c->databases[j].oid == entry->database;
		all = known;
	}
	LWLockRelease(&board->lock);
	return all;
}

static bool
is_over(BackgroundWorkerHandle *handle)
{
	pid_t		pid;

	return handle == NULL || GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
}

/*
 * In how many ms is an overseer to be started?  -1: there is one.  Where the last one found nothing to do, only at
 * times, or when somebody asks.
 */
static int64
overseer_due_ms(const Database *database)
{
	LyfBoard   *board = lyf_board();
	TimestampTz now = GetCurrentTimestamp();
	LyfBoardDatabase *entry;
	int64		wait = database->tried == 0 ? 0 : RESTART_MS;
	TimestampTz left_until = 0;
	bool		has;

	LWLockAcquire(&board->lock, LW_SHARED);
	entry = lyf_board_database(board, database->oid, false);
	has = entry != NULL && entry->overseer.pid != 0;
	if (entry != NULL && entry->absent && !entry->attention)
		wait = PROBE_MS;
	if (entry != NULL)
		left_until = entry->left_until;
	LWLockRelease(&board->lock);
	if (has || !is_over(database->overseer))
		return -1;
	wait -= TimestampDifferenceMilliseconds(database->tried, now);
	return Max(Max(wait, TimestampDifferenceMilliseconds(now, left_until)), 0);
}

static void
start_overseer(Coordinator *c, Database *database)
{
	LyfOrders	orders = {.database = database->oid};
	MemoryContext old;

	database->tried = GetCurrentTimestamp();
	/* it would only wait for who drops it */
	if (lyf_database_is_wanted(database->oid))
		return;
	if (database->overseer != NULL)
		pfree(database->overseer);
	database->overseer = NULL;
	old = MemoryContextSwitchTo(c->cxt);
	(void) lyf_process_start("lyf_overseer_main", "lyftron overseer", "lyftron overseer", &orders,
							 BGW_NEVER_RESTART, true, &database->overseer);
	MemoryContextSwitchTo(old);
}

static bool
is_overseer_due(const Coordinator *c)
{
	for (int i = 0; i < c->count; i++)
		if (overseer_due_ms(&c->databases[i]) == 0)
			return true;
	return false;
}

/* Are the databases to be listed?  Before an overseer is started, too: its database may be gone by now. */
static bool
is_list_old(const Coordinator *c)
{
	TimestampTz now = GetCurrentTimestamp();

	return TimestampDifferenceExceeds(c->listed, now, LIST_MS) || !knows_all(c) ||
		(TimestampDifferenceExceeds(c->listed, now, RESTART_MS) && is_overseer_due(c));
}

/* those that are due; the time until the next one is, in ms */
static int64
start_overseers(Coordinator *c)
{
	int64		next = SLEEP_MS;

	for (int i = 0; i < c->count; i++)
	{
		int64		due = overseer_due_ms(&c->databases[i]);

		if (due == 0)
		{
			start_overseer(c, &c->databases[i]);
			due = overseer_due_ms(&c->databases[i]);
		}
		/* where it could not be started, it is to be tried again */
		if (due >= 0)
			next = Min(next, due);
	}
	return next;
}

/* Entries of workers that ended without saying so, or never came up. */
static void
clear_workers(Coordinator *c)
{
	LyfBoard   *board = lyf_board();

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
	{
		LyfBoardWorker *worker = &board->workers[i];
		bool		late = worker->state == LYF_WORKER_STARTING &&
			TimestampDifferenceExceeds(worker->since, GetCurrentTimestamp(), STARTUP_MS);

		if (worker->state == LYF_WORKER_FREE && c->workers[i] != NULL && is_over(c->workers[i]))
		{
			pfree(c->workers[i]);
			c->workers[i] = NULL;
		}
		if (worker->state == LYF_WORKER_STARTING && (late || is_over(c->workers[i])))
			worker->state = LYF_WORKER_FREE;
	}
	LWLockRelease(&board->lock);
}

/* workers that were registered, and are not yet among the backends */
static int
count_starting(void)
{
	LyfBoard   *board = lyf_board();
	int			count = 0;

	LWLockAcquire(&board->lock, LW_SHARED);
	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
		count += board->workers[i].state == LYF_WORKER_STARTING;
	LWLockRelease(&board->lock);
	return count;
}

/* the slots of background workers that are free, less those that others shall find free */
static int
free_slots(void)
{
	int			used = count_starting();
	int			count;

	pgstat_clear_backend_activity_snapshot();
	count = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= count; i++)
	{
		LocalPgBackendStatus *local = lyf_backend_status(i);

		if (local != NULL && local->backendStatus.st_backendType == B_BG_WORKER)
			used++;
	}
	return max_worker_processes - used - lyf_reserved_workers;
}

/* What is wanted, and had; with the lock held.  The claims stand as the wants do on the board. */
static int
gather_claims(LyfBoard *board, LyfClaimOnSlots *claims)
{
	int			have = 0;

	for (int i = 0; i < LYF_BOARD_WANTS; i++)
	{
		LyfBoardWant *want = &board->wants[i];
		LyfClaimOnSlots *claim = &claims[i];

		memset(claim, 0, sizeof(LyfClaimOnSlots));
		if (!OidIsValid(want->database))
			continue;
		claim->database = want->database;
		for (int j = 0; j < LYF_BOARD_WORKERS; j++)
		{
			LyfBoardWorker *worker = &board->workers[j];

			if (worker->state != LYF_WORKER_FREE && worker->background && !worker->retire && worker->database == want->database &&
				worker->owner == want->owner && strcmp(NameStr(worker->pool), NameStr(want->pool)) == 0)
				claim->have++;
		}
		have += claim->have;
		claim->wanted = Max(want->wanted, 0);
	}
	return have;
}

/* Set an entry aside for a worker; -1: all are taken.  With the lock held. */
static int
reserve_entry(Coordinator *c, LyfBoard *board, const LyfBoardWant *want)
{
	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
	{
		LyfBoardWorker *worker = &board->workers[i];

		if (worker->state != LYF_WORKER_FREE || c->workers[i] != NULL)
			continue;
		worker->state = LYF_WORKER_STARTING;
		worker->generation++;
		worker->background = true;
		worker->retire = false;
		worker->process.pid = 0;
		worker->database = want->database;
		worker->owner = want->owner;
		worker->pool = want->pool;
		worker->since = GetCurrentTimestamp();
		worker->task = 0;
		return i;
	}
	return -1;
}

static bool
start_worker(Coordinator *c, const LyfBoardWant *want)
{
	LyfBoard   *board = lyf_board();
	LyfOrders	orders = {.database = want->database, .owner = want->owner};
	MemoryContext old;
	bool		started;

	orders.pool = want->pool;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	orders.number = reserve_entry(c, board, want);
	orders.generation = orders.number < 0 ? 0 : board->workers[orders.number].generation;
	LWLockRelease(&board->lock);
	if (orders.number < 0)
		return false;
	old = MemoryContextSwitchTo(c->cxt);
	started = lyf_process_start("lyf_worker_main", "lyftron worker", psprintf("lyftron worker: %s", NameStr(want->pool)), &orders,
								BGW_NEVER_RESTART, true, &c->workers[orders.number]);
	MemoryContextSwitchTo(old);
	if (!started)
	{
		LWLockAcquire(&board->lock, LW_EXCLUSIVE);
		board->workers[orders.number].state = LYF_WORKER_FREE;
		LWLockRelease(&board->lock);
		c->workers[orders.number] = NULL;
	}
	return started;
}

/* Tell one worker of these to end: an idle one if there is one, else when its task is over.  With the lock held. */
static void
retire_worker(LyfBoard *board, const LyfBoardWant *want)
{
	LyfBoardWorker *chosen = NULL;

	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
	{
		LyfBoardWorker *worker = &board->workers[i];

		if (!worker->background || worker->retire || worker->database != want->database || worker->owner != want->owner ||
			strcmp(NameStr(worker->pool), NameStr(want->pool)) != 0 || (worker->state != LYF_WORKER_IDLE && worker->state != LYF_WORKER_BUSY))
			continue;
		if (chosen == NULL || worker->state == LYF_WORKER_IDLE)
			chosen = worker;
	}
	if (chosen == NULL)
		return;
	chosen->retire = true;
	lyf_process_wake(&chosen->process);
}

/* What there is to give, while workers are shared out. */
typedef struct Scaling
{
	LyfBoard   *board;
	LyfClaimOnSlots claims[LYF_BOARD_WANTS];	/* beside the board's wants */
	int			free;			/* slots */
	int			leaving;		/* workers that were told to end, and will free theirs */
	int			start[LYF_BOARD_WANTS];	/* so many workers */
} Scaling;

static bool
same_pool(const LyfBoardWant *want, Oid database, const char *pool)
{
	return want->database == database && strcmp(NameStr(want->pool), pool) == 0;
}

static int
count_leaving(const LyfBoard *board)
{
	int			count = 0;

	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
		count += board->workers[i].state != LYF_WORKER_FREE && board->workers[i].background && board->workers[i].retire;
	return count;
}

/* workers of a pool, those that are about to end and those that are to start among them */
static int
count_in_pool(const Scaling *scaling, const LyfBoardWant *want)
{
	int			count = 0;

	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
	{
		const LyfBoardWorker *worker = &scaling->board->workers[i];

		count += worker->state != LYF_WORKER_FREE && worker->background && same_pool(want, worker->database, NameStr(worker->pool));
	}
	for (int i = 0; i < LYF_BOARD_WANTS; i++)
		if (same_pool(want, scaling->board->wants[i].database, NameStr(scaling->board->wants[i].pool)))
			count += scaling->start[i];
	return count;
}

/* One of those that have more than they were granted gives a worker; of the same pool, or any (pool NULL). */
static void
take_back(Scaling *scaling, const LyfBoardWant *pool)
{
	for (int i = 0; i < LYF_BOARD_WANTS; i++)
	{
		LyfClaimOnSlots *claim = &scaling->claims[i];
		const LyfBoardWant *want = &scaling->board->wants[i];

		if (claim->have <= claim->granted || (pool != NULL && !same_pool(pool, want->database, NameStr(want->pool))))
			continue;
		retire_worker(scaling->board, want);
		claim->have--;
		return;
	}
}

/*
 * Who was granted more than it has gets workers, as long as there are slots and its pool has room.
 * Where not, and none is about to come free, somebody who has more than was granted gives one.  Who has more than it
 * wants, and nobody else needs it, keeps it until it is idle for long.
 */
static void
share_out(Scaling *scaling)
{
	for (int i = 0; i < LYF_BOARD_WANTS; i++)
	{
		const LyfBoardWant *want = &scaling->board->wants[i];
		LyfClaimOnSlots *claim = &scaling->claims[i];

		scaling->board->wants[i].granted = claim->granted;
		for (int missing = claim->granted - claim->have; missing > 0; missing--)
		{
			bool		full = count_in_pool(scaling, want) >= want->most;

			if (scaling->free > 0 && !full)
			{
				scaling->start[i]++;
				scaling->free--;
			}
			else if (scaling->leaving > 0)
				scaling->leaving--;
			else
				take_back(scaling, full ? want : NULL);
		}
	}
}

static void
scale(Coordinator *c)
{
	Scaling		scaling = {.board = lyf_board()};
	LyfBoardWant wants[LYF_BOARD_WANTS];
	int			have;

	scaling.free = Max(free_slots(), 0);
	LWLockAcquire(&scaling.board->lock, LW_EXCLUSIVE);
	have = gather_claims(scaling.board, scaling.claims);
	scaling.leaving = count_leaving(scaling.board);
	lyf_allocate(scaling.claims, LYF_BOARD_WANTS, have + scaling.free + scaling.leaving);
	share_out(&scaling);
	memcpy(wants, scaling.board->wants, sizeof(wants));
	LWLockRelease(&scaling.board->lock);
	for (int i = 0; i < LYF_BOARD_WANTS; i++)
		for (int n = 0; n < scaling.start[i]; n++)
			if (!start_worker(c, &wants[i]))
				return;
}

static bool
enter(void)
{
	LyfBoard   *board = lyf_board();
	bool		mine = false;

	if (board == NULL)
	{
		ereport(LOG,
				(errmsg("lyftron: there is no shared memory for background workers"),
				 errhint("Add lyftron to shared_preload_libraries.")));
		return false;
	}
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	if (board->coordinator.pid == 0)
	{
		board->coordinator = lyf_process_self();
		mine = true;
	}
	LWLockRelease(&board->lock);
	return mine;
}

static void
leave(int code, Datum arg)
{
	LyfBoard   *board = lyf_board();

	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	board->coordinator.pid = 0;
	LWLockRelease(&board->lock);
}

void
lyf_coordinator_main(Datum arg)
{
	Coordinator *c;

	if (!enter())
		proc_exit(0);
	before_shmem_exit(leave, (Datum) 0);
	lyf_process_begin(InvalidOid, InvalidOid);
	c = MemoryContextAllocZero(TopMemoryContext, sizeof(Coordinator));
	c->cxt = AllocSetContextCreate(TopMemoryContext, "lyftron coordinator", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		int64		wait = SLEEP_MS;

		if (is_list_old(c))
			list_databases(c);
		clear_workers(c);
		if (lyf_background_workers)
		{
			wait = start_overseers(c);
			scale(c);
		}
		lyf_process_wait(wait, "LyftronCoordinator", &c->wait_event);
	}
}
