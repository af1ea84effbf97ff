/*
 * board.c
 *		Shared memory where coordinator, overseers and workers find each other, and who is
 *		woken when.
 *
 * A process is woken by its latch, at the commit of what it is to see.  No NOTIFY: that
 * takes a lock of the whole cluster at each commit.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "task/board.h"

/* ready tasks of one owner in one pool, noted for the end of the transaction */
typedef struct Wake
{
	NameData	pool;
	Oid			owner;
	int			count;
} Wake;

#define MAX_WAKES	32

/* the patience of a worker of a pool that nobody knows */
#define DEFAULT_IDLE_MS 60000

static LyfBoard *board = NULL;
static bool board_failed = false;
static Wake wakes[MAX_WAKES];
static int	wake_count = 0;
static bool wake_overseer = false;
static int	my_number = -1;		/* this session's entry as a worker */

LyfBoard *
lyf_board(void)
{
	if (board == NULL && !board_failed)
	{
		board = lyf_shared_find("lyftron", sizeof(LyfBoard));
		board_failed = board == NULL;
	}
	return board;
}

LyfBoardDatabase *
lyf_board_database(LyfBoard *shared, Oid database, bool add)
{
	LyfBoardDatabase *empty = NULL;

	for (int i = 0; i < LYF_BOARD_DATABASES; i++)
	{
		LyfBoardDatabase *entry = &shared->databases[i];

		if (entry->database == database)
			return entry;
		if (empty == NULL && !OidIsValid(entry->database))
			empty = entry;
	}
	if (!add || empty == NULL)
		return NULL;
	memset(empty, 0, sizeof(LyfBoardDatabase));
	empty->database = database;
	return empty;
}

static void
wake_overseer_of(Oid database)
{
	LyfBoard   *shared = lyf_board();
	LyfBoardDatabase *entry;

	if (shared == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	entry = lyf_board_database(shared, database, true);
	/* one that is just about to end may not look any more: then the coordinator does */
	if (entry != NULL && entry->overseer.pid != MyProcPid)
	{
		entry->attention = true;
		lyf_process_wake(entry->overseer.pid != 0 ? &entry->overseer : &shared->coordinator);
	}
	LWLockRelease(&shared->lock);
}

void
lyf_wake_coordinator(void)
{
	LyfBoard   *shared = lyf_board();

	if (shared == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_SHARED);
	lyf_process_wake(&shared->coordinator);
	LWLockRelease(&shared->lock);
}

/* Wake idle workers, each once: who is woken counts as busy until it says otherwise.  How many are missing? */
static int
wake_workers(LyfBoard *shared, const Wake *wake)
{
	int			left = wake->count;

	for (int i = 0; i < LYF_BOARD_WORKERS && left > 0; i++)
	{
		LyfBoardWorker *worker = &shared->workers[i];

		if (worker->state != LYF_WORKER_IDLE || worker->database != MyDatabaseId || i == my_number ||
			strcmp(NameStr(worker->pool), NameStr(wake->pool)) != 0)
			continue;
		/* a session may be a member of the owner: it looks for itself */
		if (worker->background && worker->owner != wake->owner)
			continue;
		worker->state = LYF_WORKER_BUSY;
		lyf_process_wake(&worker->process);
		if (worker->owner == wake->owner)
			left--;
	}
	return left;
}

static void
wake_all(void)
{
	LyfBoard   *shared = lyf_board();
	bool		missing = wake_count == 0;

	if (shared == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < wake_count; i++)
		missing = wake_workers(shared, &wakes[i]) > 0 || missing;
	LWLockRelease(&shared->lock);
	/* where each task has a worker there is nothing to be seen to */
	if (missing)
		wake_overseer_of(MyDatabaseId);
}

static void
at_end_of_transaction(XactEvent event, void *arg)
{
	if (!wake_overseer)
		return;
	if (event == XACT_EVENT_COMMIT)
		wake_all();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		wake_count = 0;
		wake_overseer = false;
	}
}

void
lyf_wake_overseer_at_commit(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(at_end_of_transaction, NULL);
		registered = true;
	}
	wake_overseer = true;
}

void
lyf_wake_at_commit(const char *pool, Oid owner, int count)
{
	Wake	   *wake;

	lyf_wake_overseer_at_commit();
	for (int i = 0; i < wake_count; i++)
	{
		if (wakes[i].owner == owner && strcmp(NameStr(wakes[i].pool), pool) == 0)
		{
			wakes[i].count += count;
			return;
		}
	}
	/* more kinds than this at once are left to the overseer */
	if (wake_count == MAX_WAKES)
		return;
	wake = &wakes[wake_count++];
	namestrcpy(&wake->pool, pool);
	wake->owner = owner;
	wake->count = count;
}

/* Who is woken by our leaving is to find our locks free: they are given back first, as they are a little later anyway. */
static void
leave_at_exit(int code, Datum arg)
{
	if (my_number < 0)
		return;
	AbortOutOfAnyTransaction();
	LockReleaseAll(USER_LOCKMETHOD, true);
	lyf_worker_leave();
}

/* an entry that is free, and one that the coordinator set aside for us; with the lock held */
static LyfBoardWorker *
find_entry(LyfBoard *shared, int number, int generation)
{
	if (number >= 0)
	{
		LyfBoardWorker *worker = &shared->workers[number];

		return worker->state == LYF_WORKER_STARTING && worker->generation == generation ? worker : NULL;
	}
	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
		if (shared->workers[i].state == LYF_WORKER_FREE)
			return &shared->workers[i];
	return NULL;
}

bool
lyf_worker_enter(const char *pool, int number, int generation)
{
	static bool registered = false;
	LyfBoard   *shared = lyf_board();
	LyfBoardWorker *worker;

	if (shared == NULL || my_number >= 0)
		return false;
	if (!registered)
	{
		before_shmem_exit(leave_at_exit, (Datum) 0);
		registered = true;
	}
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	worker = find_entry(shared, number, generation);
	if (worker != NULL)
	{
		my_number = worker - shared->workers;
		worker->state = LYF_WORKER_BUSY;
		worker->background = number >= 0;
		/* one that was set aside may have been told to end by now */
		if (number < 0)
		{
			worker->generation++;
			worker->retire = false;
		}
		worker->process = lyf_process_self();
		worker->database = MyDatabaseId;
		worker->owner = GetUserId();
		namestrcpy(&worker->pool, pool);
		worker->since = GetCurrentTimestamp();
		worker->task = 0;
	}
	LWLockRelease(&shared->lock);
	return worker != NULL;
}

/* with the lock held */
static void
free_entry(LyfBoard *shared)
{
	LyfBoardWorker *worker = &shared->workers[my_number];
	LyfBoardDatabase *database = lyf_board_database(shared, worker->database, false);

	worker->state = LYF_WORKER_FREE;
	worker->process.pid = 0;
	my_number = -1;
	/* who ends in the middle of a task leaves it to the overseer to take up */
	if (database != NULL)
		lyf_process_wake(&database->overseer);
	lyf_process_wake(&shared->coordinator);
}

void
lyf_worker_leave(void)
{
	if (my_number < 0)
		return;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	free_entry(board);
	LWLockRelease(&board->lock);
}

void
lyf_worker_set(LyfWorkerState state, int64 task)
{
	LyfBoardWorker *worker;

	if (my_number < 0)
		return;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	worker = &board->workers[my_number];
	if (worker->state != state || worker->task != task)
		worker->since = GetCurrentTimestamp();
	worker->state = state;
	worker->task = task;
	LWLockRelease(&board->lock);
}

bool
lyf_worker_retires(void)
{
	bool		retires;

	if (my_number < 0)
		return false;
	LWLockAcquire(&board->lock, LW_SHARED);
	retires = board->workers[my_number].retire;
	LWLockRelease(&board->lock);
	return retires;
}

/* what is wanted of workers such as this one, or NULL; with the lock held */
static const LyfBoardWant *
my_want(const LyfBoardWorker *worker)
{
	for (int i = 0; i < LYF_BOARD_WANTS; i++)
	{
		const LyfBoardWant *want = &board->wants[i];

		if (want->database == worker->database && want->owner == worker->owner && strcmp(NameStr(want->pool), NameStr(worker->pool)) == 0)
			return want;
	}
	return NULL;
}

static int
count_in_pool(const LyfBoardWorker *worker)
{
	int			count = 0;

	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
	{
		const LyfBoardWorker *other = &board->workers[i];

		if (other->state != LYF_WORKER_FREE && other->background && other->database == worker->database &&
			strcmp(NameStr(other->pool), NameStr(worker->pool)) == 0)
			count++;
	}
	return count;
}

/* how long it stays without work; one that the pool keeps looks up at times whether that is still so */
static int64
patience(const LyfBoardWorker *worker, const LyfBoardWant *want)
{
	if (want == NULL)
		return DEFAULT_IDLE_MS;
	return count_in_pool(worker) > want->keep ? want->idle_ms : PG_INT64_MAX;
}

int64
lyf_worker_patience_ms(int64 idle_ms)
{
	const LyfBoardWorker *worker;
	int64		left;

	if (my_number < 0)
		return DEFAULT_IDLE_MS;
	LWLockAcquire(&board->lock, LW_SHARED);
	worker = &board->workers[my_number];
	left = patience(worker, my_want(worker)) - idle_ms;
	LWLockRelease(&board->lock);
	return Min(left, DEFAULT_IDLE_MS);
}

bool
lyf_board_has_coordinator(void)
{
	LyfBoard   *shared = lyf_board();
	bool		has;

	if (shared == NULL)
		return false;
	LWLockAcquire(&shared->lock, LW_SHARED);
	has = shared->coordinator.pid != 0;
	LWLockRelease(&shared->lock);
	return has;
}

bool
lyf_board_has_overseer(void)
{
	LyfBoard   *shared = lyf_board();
	LyfBoardDatabase *entry;
	bool		has;

	if (shared == NULL)
		return false;
	LWLockAcquire(&shared->lock, LW_SHARED);
	entry = lyf_board_database(shared, MyDatabaseId, false);
	has = entry != NULL && entry->overseer.pid != 0;
	LWLockRelease(&shared->lock);
	return has;
}

bool
lyf_worker_leave_idle(int64 idle_ms)
{
	LyfBoardWorker *worker;
	const LyfBoardWant *want;
	bool		leaves;

	if (my_number < 0)
		return true;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	worker = &board->workers[my_number];
	want = my_want(worker);
	/* who was woken meanwhile is busy */
	leaves = worker->retire || (worker->state == LYF_WORKER_IDLE && idle_ms >= patience(worker, want));
	if (leaves)
		free_entry(board);
	LWLockRelease(&board->lock);
	return leaves;
}
