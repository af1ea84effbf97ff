/*
 * board.h
 *		What the processes of a server know of each other: shared memory that nothing of
 *		value is kept in.  Each version of the library has one of its own.
 *
 * Everything on the board can be lost at any time (a crash clears it) and is put there
 * anew by those it is about.  Where there is no room for it, everything works without it:
 * sessions look at the queue more often instead of being woken.
 */
#ifndef LYF_BOARD_H
#define LYF_BOARD_H

#include "datatype/timestamp.h"

#include "base/shared.h"

#define LYF_BOARD_DATABASES	32
#define LYF_BOARD_WORKERS	64
#define LYF_BOARD_WANTS		64

/* A database that has an overseer, or wants one. */
typedef struct LyfBoardDatabase
{
	Oid			database;		/* InvalidOid: the entry is free */
	LyfProcess	overseer;
	bool		attention;		/* somebody did something since the overseer last looked */
	bool		absent;			/* the last overseer found that it has nothing to do here */
	TimestampTz left_until;		/* somebody needs the database for himself: nobody goes there before */
} LyfBoardDatabase;

typedef enum LyfWorkerState
{
	LYF_WORKER_FREE,			/* the entry is */
	LYF_WORKER_STARTING,
	LYF_WORKER_IDLE,
	LYF_WORKER_BUSY
} LyfWorkerState;

/* Who takes tasks: a background worker, or a session in lyftron.work. */
typedef struct LyfBoardWorker
{
	LyfWorkerState state;
	int			generation;		/* counts the uses of the entry */
	bool		background;
	bool		retire;			/* it is to end when its task is over */
	LyfProcess	process;
	Oid			database;
	Oid			owner;
	NameData	pool;
	TimestampTz since;			/* when it took this state */
	int64		task;			/* 0: none */
} LyfBoardWorker;

/* How many workers there should be for one owner's tasks in a pool. */
typedef struct LyfBoardWant
{
	Oid			database;		/* InvalidOid: the entry is free */
	Oid			owner;
	NameData	pool;
	int			wanted;
	int			granted;		/* as many as the coordinator could give */
	int			most;			/* of the whole pool */
	int			keep;			/* that stay though they are idle, in the pool */
	int			idle_ms;		/* then the others end */
} LyfBoardWant;

typedef struct LyfBoard
{
	LWLock		lock;			/* these two as in LyfShared */
	int			tranche;
	LyfProcess	coordinator;
	LyfBoardDatabase databases[LYF_BOARD_DATABASES];
	LyfBoardWorker workers[LYF_BOARD_WORKERS];
	LyfBoardWant wants[LYF_BOARD_WANTS];
} LyfBoard;

/* the board, or NULL: there is no room for it */
extern LyfBoard *lyf_board(void);

/* a database's entry, with the lock held; NULL: it has none (and add is false, or all are taken) */
extern LyfBoardDatabase *lyf_board_database(LyfBoard *board, Oid database, bool add);

/* takes the lock itself */
extern void lyf_wake_coordinator(void);

/*
 * So many tasks of this owner's in this pool are ready when the transaction commits: then as many
 * idle workers are woken, and the overseer if there are fewer.
 */
extern void lyf_wake_at_commit(const char *pool, Oid owner, int count);
extern void lyf_wake_overseer_at_commit(void);

/*
 * This session as a worker.  Enter: in a free entry, or in the one that the coordinator set aside (its number, and
 * its generation), else -1; false: there is none, or it was given to somebody else.  It is left when the session ends, too.
 */
extern bool lyf_worker_enter(const char *pool, int number, int generation);
extern void lyf_worker_leave(void);
extern void lyf_worker_set(LyfWorkerState state, int64 task);
extern bool lyf_worker_retires(void);

/* how long to wait for work, having waited so long */
extern int64 lyf_worker_patience_ms(int64 idle_ms);

/* is there a coordinator; does an overseer look after this database? */
extern bool lyf_board_has_coordinator(void);
extern bool lyf_board_has_overseer(void);

/* May this worker, idle for so long, end?  True: it has left. */
extern bool lyf_worker_leave_idle(int64 idle_ms);

#endif							/* LYF_BOARD_H */
