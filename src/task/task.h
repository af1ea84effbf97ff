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
#define LYF_LOCK_EXCLUSIVE	19549	/* the place of an exclusive word; keys: its hash, 0 */
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
	const char *exclusive;		/* or NULL; a task that this session runs has the place */
	const char *key;			/* or NULL */
	int			max_running;	/* of the key, 0: as many as there are */
	int			slot;			/* the place that it holds, or -1 */
	const char *on_failure;
	int64		flow;			/* 0: none */
	LyfOccasion occasion;
	int			attempt;		/* from 1 */
	int			max_attempts;
} LyfTask;

/* columns that a task takes along into the history */
#define LYF_HISTORY_COLUMNS \
	"id, kind, name, command, search_path, owner, pool, priority, key, unique_key, exclusive, flow, on_failure, " \
	"nominal_at, window_start, window_end, attempt, max_attempts, created_at, started_at, pid"

/* of a task q that is to wait again: no other one of its key waits */
#define LYF_NO_SUCCESSOR \
	" AND NOT EXISTS (SELECT FROM lyftron.queue s WHERE s.unique_key = q.unique_key AND s.state <> 'running')"

/* in lock.c: locks of the session */
extern bool lyf_task_lock(int64 id);	/* false: another session has it */
extern void lyf_task_unlock(int64 id);
extern bool lyf_task_is_locked_here(int64 id);
extern bool lyf_tick_lock(void);	/* false: another session looks after the queue */
extern void lyf_tick_unlock(void);
extern int	lyf_slot_take(const char *key, int places);	/* the place taken, or -1: there is none */
extern void lyf_slot_release(const char *key, int place);
extern void lyf_locks_release_all(void);	/* after an error: whatever of these it has */
extern bool lyf_exclusive_take(const char *word);
extern void lyf_exclusive_release(const char *word);

/* in claim.c: who claims, and what it has learned of the queue; lives in CurrentMemoryContext */
typedef struct LyfClaimer LyfClaimer;

extern LyfClaimer *lyf_claimer_begin(const char *pool);

/* how long until it is worth to look for what a claim did not find, in us; more than nothing where that takes long */
extern int64 lyf_claimer_rest_us(const LyfClaimer *claimer);

/*
 * Take the next task that the current user may work on, NULL: there is none.  It is this
 * session's (locked) at once, and said to be running when the caller commits.  Patient: there may be
 * one all the same, where looking for it takes long; ask again after the claimer's rest.  In CurrentMemoryContext.
 */
extern LyfTask *lyf_task_claim(LyfClaimer *claimer, bool patient);

/* in queue.c: what becomes of a task; the caller commits, then lets it go */
extern void lyf_task_succeeded(const LyfTask *task);	/* raises if it is not ours any more */
/*
 * It is tried again later, where that may help; or it is over.  True: it was to be cancelled.
 */
extern bool lyf_task_failed(const LyfTask *task, const ErrorData *error, bool retryable, int64 retry_after_ms);

/* for statements that return pool, owner and state of tasks that may be ready now: who does them is woken at commit */
extern void lyf_wake_row(void *arg, HeapTuple tuple, TupleDesc desc);

/* in flow.c: tasks that wait for each other */

/* A pipeline that a flow is made for. */
typedef struct LyfRoot
{
	char	   *name;
	bool		scheduled;
	TimestampTz nominal;		/* the time at which it was due */
} LyfRoot;

/*
 * Queue pipelines (of LyfRoot *), with those that come after them if downstream, each to run when
 * those before it are over.  What is queued already is not queued again, but waits for them, too.
 * on_failure NULL: as each pipeline says.  The number of the flow.
 */
extern int64 lyf_flow_begin(List *roots, const char *cause, bool downstream, const char *on_failure);

/* a task is over, which those after it hear of: in the transaction that ends it */
extern void lyf_flow_succeeded(int64 task);
extern void lyf_flow_failed(int64 task, const char *name, int64 flow, const char *on_failure);

/* in due.c: queue what its schedule says is due now */
extern void lyf_schedules_tick(void);

/* in control.c: the process that runs it is to let it be; with the lock of the task's row held */
extern void lyf_task_interrupt(int64 id, int pid);

/* in help.c: tasks that read slices of a run, which is a task itself (arg); of LyfRunCaller */
extern void lyf_help_ask(void *arg, const LyfPipeline *pipeline, int64 sliced, int64 count);
extern void lyf_help_dismiss(void *arg, const LyfPipeline *pipeline, bool stop);

/* in execute.c: do it and commit, its end too; or its error, in CurrentMemoryContext */
extern ErrorData *lyf_task_execute(LyfTask *task);

/*
 * In log.c: what attempts met.  Between begin and end messages that this session raises are collected; they are
 * written down with the end of the task, an attempt's error after them (retry_at 0: it was the last).
 */
extern void lyf_log_init(void);
extern void lyf_log_begin(void);
extern void lyf_log_end(void);
extern void lyf_log_messages(const LyfTask *task);
extern void lyf_log_error(const LyfTask *task, const ErrorData *error, TimestampTz retry_at);

/* the same for statements: tasks (rows of a CTE named so) were met by a message */
#define LYF_LOG_ROWS(tasks, level, message) \
	" logged AS (INSERT INTO lyftron.log (task, attempt, level, message) SELECT id, attempt, '" level "', " message " FROM " tasks ")"

/* in alert.c: tell those who want to know: of a task that is over, in the transaction that ends it; */
extern void lyf_alert_ended(int64 task);
extern void lyf_alert_expect(const char *pipeline, TimestampTz due);	/* a pipeline is due, and may be late some day */
extern void lyf_alerts_tick(void);	/* of those that are */

/* in alert_send.c: a task of the kind webhook; raises */
extern void lyf_alert_send(const LyfTask *task);

/* in retention.c: what is older than lyftron.keep_history goes, a little at a time */
extern void lyf_retention_tick(void);

/* in tick.c: look after the queue, unless another session just does; the caller commits */
extern void lyf_tick(void);
extern TimestampTz lyf_next_due(void);	/* when there is something to do for it next, as far as is known */

/* in work.c: when this session had done its last task, by the monotonic clock */
extern int64 lyf_last_task_us;

/* in worker.c: is this session a background process of ours?  Then a task leaves nothing in it. */
extern bool lyf_is_worker;
extern void lyf_session_discard(void);

/* give back locks and places; in a transaction, since others may go on now */
extern void lyf_task_let_go(const LyfTask *task);

#endif							/* LYF_TASK_H */
