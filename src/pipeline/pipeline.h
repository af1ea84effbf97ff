/*
 * pipeline.h
 *		Define pipelines, and run one.
 */
#ifndef LYF_PIPELINE_H
#define LYF_PIPELINE_H

#include "load/load.h"
#include "nodes/plannodes.h"

/* in definition.c */

/* A pipeline as it stands in lyftron.pipeline. */
typedef struct LyfPipeline
{
	char	   *name;
	Oid			owner;
	bool		is_sql;			/* the source is statements to execute; nothing is loaded */
	char	   *source;			/* a qualified relation, or a query */
	char	   *search_path;	/* of who wrote the source */
	char	   *server;			/* of the foreign table that the source is, or NULL */
	char	   *schema;			/* the destination's */
	char	   *table;
	char	   *mode;
	List	   *primary_key;	/* of char * */
	bool		key_given;		/* false (while it is defined): the source's own, if it has one */
	char	   *cursor;			/* or NULL */
	bool		cursor_given;	/* as key_given */
	char	   *lookback;		/* how far below the cursor's last value a run reads again; or NULL */
	int			slices;			/* parts that a full refresh reads the source in */
	char	   *slice_by;		/* the column that they are ranges of, NULL: the first one of the key */
	char	   *nested;
	char	   *schema_policy;
	char	   *schedule;		/* or NULL */
	List	   *after;			/* of char * */
	char	   *pool;
	char	   *on_reject;
	int64		max_rejected;	/* -1: no limit */
	char	   *on_failure;
	char	   *missed;
	bool		loaded;			/* has the destination rows of ours, */
	List	   *loaded_key;		/* with ids made of these columns? */
	LyfValue   *shapes;			/* of JSON columns, once they are known, or NULL */
	LyfValue   *casts;			/* types for columns, over those of the source, or NULL */
	char	   *on_change;		/* function of the owner's that hears of changes of the source, qualified, or NULL */
} LyfPipeline;

/* by name, in CurrentMemoryContext; raises where there is none, or the caller may not use it */
extern LyfPipeline *lyf_pipeline_get(const char *name);

/* the same, and as it stays until the transaction ends: with its lock */
extern LyfPipeline *lyf_pipeline_get_locked(const char *name);
extern bool lyf_pipeline_exists(const char *name);

extern void lyf_pipeline_insert(const LyfPipeline *pipeline);
extern void lyf_pipeline_update(const LyfPipeline *pipeline, bool moved);	/* moved: to another destination */
extern bool lyf_pipeline_has_table(const LyfPipeline *pipeline);	/* is the destination there? */

/* note what the ids of the rows in the destination are made of */
extern void lyf_pipeline_note_key(const LyfPipeline *pipeline, List *columns);

/* the advisory lock that a run holds, of the session or of the transaction; raises where someone else has it */
extern void lyf_pipeline_lock(const char *name, bool session);
extern void lyf_pipeline_unlock(const char *name);

/* forget a run that stopped at a checkpoint: its page, its hidden heaps */
extern void lyf_pipeline_forget_page(const LyfPipeline *pipeline, bool state_too);

/* in check.c */

/* complete and check a definition: raises where a run could not work */
extern void lyf_pipeline_check(LyfPipeline *pipeline);
extern void lyf_pipeline_check_on_failure(const char *word);	/* raises where there is no such word */

/* in schedule.c */

/* When something is due: at the times of a calendar, or at an interval. */
typedef struct LyfSchedule
{
	int64		every_us;		/* an interval, or 0: the calendar below */
	uint64		minutes;		/* a bit for each value */
	uint32		hours;
	uint32		days;
	uint16		months;
	uint8		weekdays;		/* bit 0: Sunday */
	bool		any_hour;		/* these fields began with a star */
	bool		any_day;
	bool		any_weekday;
	const struct pg_tz *zone;
} LyfSchedule;

/* NULL: the text is right, else a sentence that says what is wrong */
extern char *lyf_schedule_parse(const char *text, LyfSchedule *schedule);

/* parse it; raises where it is wrong, or names a day that never comes */
extern void lyf_schedule_read(const char *text, LyfSchedule *schedule);

/* in schedule_time.c: the first time after that one at which it is due; false: there is none */
extern bool lyf_schedule_next(const LyfSchedule *schedule, TimestampTz after, TimestampTz *next);

/* in source.c */

/* What a pipeline reads. */
typedef struct LyfSource
{
	char	   *from;			/* for a FROM clause */
	Oid			relid;			/* or InvalidOid: a query */
	TupleDesc	desc;			/* its columns */
	char	   *stream;			/* name for state and messages */
	LyfStreamShape *shape;		/* of a stream of lyftron_rest, else NULL */
	bool		native;			/* the stream's own cursor keeps the state */
} LyfSource;

/* whom and what lyf_source_leave puts back */
typedef struct LyfSourceScope
{
	Oid			user;
	int			sec_context;
	int			guc_level;
} LyfSourceScope;

/*
 * Be the pipeline's owner, with the search_path of its source, until lyf_source_leave (an
 * abort does that too): whatever belongs to the source or the destination is looked at,
 * planned and run in between.  For a caller who is somebody else that is a
 * security-restricted operation, and what it sets does not outlast it.
 */
extern LyfSourceScope lyf_source_enter(const LyfPipeline *pipeline);
extern void lyf_owner_check(const LyfPipeline *pipeline);	/* raises where its owner is gone, as lyf_source_enter does */
extern LyfSourceScope lyf_owner_enter(Oid owner, const char *search_path);	/* for other code of a role's */
extern void lyf_source_leave(const LyfSourceScope *scope);

/* find it; between enter and leave, as all of the following */
extern LyfSource *lyf_source_open(const LyfPipeline *pipeline);

/* a column by its name, or NULL */
extern Form_pg_attribute lyf_source_column(const LyfSource *source, const char *name);

/* names of the columns that say which record a row is, where the source knows; else NIL */
extern List *lyf_source_key(const LyfSource *source);

/* a number for its columns, which changes when they do */
extern int64 lyf_source_fingerprint(const LyfSource *source);

/* parse and plan one SELECT, or tell its columns; needs an active snapshot.  Raises for anything else than a SELECT that only reads. */
extern PlannedStmt *lyf_source_plan(const char *sql);
extern PlannedStmt *lyf_source_plan_parallel(const char *sql);	/* workers may share it, where it is run to its end */
extern List *lyf_source_targets(const char *sql);	/* of TargetEntry *, as they are analyzed */
extern TupleDesc lyf_source_row(const char *sql);

/* raises where statements of a pipeline of the kind sql cannot be parsed */
extern void lyf_source_check_statements(const char *sql);

/* may the owner read it?  raises as the query would */
extern void lyf_source_check_permissions(PlannedStmt *plan, const char *sql);

/* shapes of its JSON columns: from the stream's schema, else learned from some of its rows */
extern List *lyf_source_shapes(const LyfSource *source);

/* in occasion.c */

/* What a run is for, where it is not just for now. */
typedef struct LyfOccasion
{
	bool		scheduled;
	TimestampTz nominal;		/* the time at which it was due */
	bool		bounded;		/* only the records from since on and before until: a backfill */
	TimestampTz since;
	TimestampTz until;
} LyfOccasion;

/* Let SQL see it as settings (lyftron.nominal_time ...), until lyf_source_leave; NULL: none. */
extern void lyf_occasion_show(const LyfOccasion *occasion);

/*
 * Execute statements of a role's, as that role, with SPI; the number of rows that the last
 * one processed.  Raises where they hold transaction control or COPY.
 */
extern uint64 lyf_command_run(Oid owner, const char *search_path, const char *command, const LyfOccasion *occasion);

/* in outcome.c: may an error pass by itself; and not before when, if the source said so (0: it did not) */
extern bool lyf_error_is_transient(const ErrorData *error);
extern int64 lyf_error_retry_after_ms(const ErrorData *error);

/* in piece.c: raises where a pipeline cannot read a range of time */
extern void lyf_pipeline_check_window(const LyfPipeline *pipeline);

/* Who runs a pipeline, and what it has to do with it.  Members may be NULL. */
typedef struct LyfRunCaller
{
	const LyfOccasion *occasion;
	/* called in the transaction that completes the run: what it writes commits with it, what it raises fails the run */
	void		(*finish) (void *arg);
	/* so many slices wait that others could read (lyf_pipeline_help); called in a transaction that will commit */
	void		(*ask) (void *arg, const LyfPipeline *pipeline, int64 sliced, int64 count);
	/* none waits any more; stop: those that are being read are of no use either */
	void		(*dismiss) (void *arg, const LyfPipeline *pipeline, bool stop);
	void	   *arg;
} LyfRunCaller;

/* in run.c */

/*
 * Run a pipeline with commits at its checkpoints; in a procedure that may commit, with SPI
 * connected as non-atomic.  NULL: it succeeded; else the error that ended it, already
 * written down, in memory below CurrentMemoryContext.
 */
extern ErrorData *lyf_pipeline_run(const char *name, const LyfRunCaller *caller);

/*
 * In sliced.c: read one of the slices that a run has cut its source into, if one waits, and call the caller's finish
 * in the transaction that is the end of it.  As lyf_pipeline_run; an error is ours alone, since that of a slice is
 * written down for the run, which has it read again.
 */
extern ErrorData *lyf_pipeline_help(const char *name, int64 sliced, const LyfRunCaller *caller);

/* in job.c: lyftron.run */

typedef struct LyfJobCounts
{
	int64		read;
	int64		written;
	int64		rejected;
	int64		left_out;		/* values without a column */
	int64		bytes;
	int64		requests;
	int64		checkpoints;
} LyfJobCounts;

extern int64 lyf_job_begin(const LyfPipeline *pipeline);
extern void lyf_job_progress(int64 id, const LyfJobCounts *counts);
extern void lyf_job_succeeded(int64 id, const LyfJobCounts *counts);
extern void lyf_job_failed(int64 id, const ErrorData *error);

#endif							/* LYF_PIPELINE_H */
