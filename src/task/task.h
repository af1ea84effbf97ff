/*
 * task.h
 *		What drives it all: the queue, who works on it, who watches it.
 *
 * A task is claimed in a short transaction of its own and then worked on by the
 * session that claimed it.  That session holds an advisory lock on the task as long as it
 * lives, so a lock that is free tells that a task which is said to be running is not.
 */
#ifndef LYF_TASK_H
#define LYF_TASK_H

#include "pipeline/pipeline.h"

/* advisory locks of this room, as objsubid in pg_locks */
#define LYF_LOCK_TASK		19546	/* of who runs it; key: the task's id */
#define LYF_LOCK_SLOT		19547	/* one of the places that a key has; keys: hash of the key, place */
#define LYF_LOCK_TICK		19548	/* of who looks after the queue just now */

/* A task that this session runs. */
typedef struct LyfTask
{
	int64		id;
	int64		seq;
	const char *kind;
	const char *name;
	const char *command;		/* or NULL */
	const char *search_path;	/* or NULL */
	Oid			owner;
	const char *key;			/* or NULL */
	int			max_running;	/* of the key, 0: as many as there are */
	int			slot;			/* the place that it holds, or -1 */
	int64		flow;			/* 0: none */
	int			attempt;		/* from 1 */
	int			max_attempts;
} LyfTask;

/* columns that a task takes along into the history */
#define LYF_HISTORY_COLUMNS \
	"id, kind, name, command, search_path, owner, pool, priority, key, flow, attempt, max_attempts, created_at, started_at, pid"

/* in lock.c: locks of the session */
extern bool lyf_task_lock(int64 id);	/* false: another session has it */
extern void lyf_task_unlock(int64 id);
extern bool lyf_task_is_locked_here(int64 id);
extern bool lyf_tick_lock(void);	/* false: another session looks after the queue */
extern void lyf_tick_unlock(void);
extern int	lyf_slot_take(const char *key, int places);	/* the place taken, or -1: there is none */
extern void lyf_slot_release(const char *key, int place);

/* in claim.c: who claims, and what it has learned of the queue; lives in CurrentMemoryContext */
typedef struct LyfClaimer LyfClaimer;

extern LyfClaimer *lyf_claimer_begin(const char *pool);

/*
 * Take the next task that the current user may work on, NULL: there is none.  It is this
 * session's (locked) at once, and said to be running when the caller commits.  In
 * CurrentMemoryContext.
 */
extern LyfTask *lyf_task_claim(LyfClaimer *claimer);

/* in queue.c: what becomes of a task; the caller commits, then lets it go */
extern void lyf_task_succeeded(const LyfTask *task);	/* raises if it is not ours any more */
/*
 * It is tried again later, where that may help; or it is over.  True: it was to be cancelled.
 */
extern bool lyf_task_failed(const LyfTask *task, const ErrorData *error, bool retryable, int64 retry_after_ms);

/* in execute.c: do it and commit, its end too; or its error, in CurrentMemoryContext */
extern ErrorData *lyf_task_execute(LyfTask *task);

/* in outcome.c: may an error pass by itself; and not before when, if the source said so (0: it did not) */
extern bool lyf_error_is_transient(const ErrorData *error);
extern int64 lyf_error_retry_after_ms(const ErrorData *error);

/* in overseer.c: look after the queue, unless another session just does; the caller commits */
extern void lyf_tick(void);

/* give back locks and places; in a transaction, since others may go on now */
extern void lyf_task_let_go(const LyfTask *task);

#endif							/* LYF_TASK_H */
