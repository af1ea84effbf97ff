/*
 * pipeline_internal.h
 *		What the files of pipeline/ share: a run at work, the queries it reads by, its slices.
 */
#ifndef LYF_PIPELINE_INTERNAL_H
#define LYF_PIPELINE_INTERNAL_H

#include "pipeline/pipeline.h"

/* what the source is called in the queries that read it */
#define LYF_SOURCE_ALIAS	"_lyftron_source"

/* in query.c */

typedef enum LyfNulls
{
	LYF_NULLS_NOT, LYF_NULLS_TOO, LYF_NULLS_ONLY
} LyfNulls;

/* Rows of a source by a column's value. */
typedef struct LyfRange
{
	const char *column;
	const char *low;			/* from this value on, NULL: from the first one */
	bool		above;			/* but not this value itself */
	const char *high;			/* below this value; or NULL */
	LyfNulls	nulls;			/* and those without a value? */
	bool		ordered;		/* in the order of the values */
} LyfRange;

/* the SELECT that reads a source; range NULL: all of it */
extern char *lyf_source_sql(const LyfPipeline *pipeline, const LyfSource *source, const LyfRange *range);

extern bool lyf_source_nullable(const LyfSource *source, const char *name); /* may the column be null? */

/* is the plan nothing but a foreign scan of relid? */
extern bool lyf_source_is_scan(PlannedStmt *plan, Oid relid);

/* does it sort by itself, so that its first row takes as long as all of them? */
extern bool lyf_plan_sorts(PlannedStmt *plan);

/* does all that it reads from order values as we do, whatever their type? */
extern bool lyf_plan_orders_as_we_do(PlannedStmt *plan);

/* in cut.c */

/* the column that slices are ranges of */
extern const char *lyf_slice_column(const LyfPipeline *pipeline);

/* raises where a source cannot be cut into slices as the pipeline says */
extern void lyf_slices_check(const LyfPipeline *pipeline, const LyfSource *source);

/* where to cut: the lower bounds (of char *) of the second and following slices */
extern List *lyf_source_cuts(const LyfPipeline *pipeline, const LyfSource *source);

/* in slice.c: rows of lyftron.slice */

/* A slice that this transaction has for itself. */
typedef struct LyfRunSlice
{
	int64		sliced;			/* number of the run that cut the source */
	int			number;			/* from 1 */
	char	   *low;
	char	   *high;
	int			attempt;		/* how often it was tried and failed */
	LyfValue   *page;			/* of the pipeline, that the slices belong to */
	int64		rejected;		/* in the slices that are done */
	int64		run;			/* the run that is at work now, 0: its session has just ended */
} LyfRunSlice;

/* How far the slices of a run are. */
typedef struct LyfSliceTally
{
	int64		waiting;
	int64		done;
	int64		read;
	int64		written;
	int64		rejected;
	int64		doubtful;		/* in which records may have come twice */
} LyfSliceTally;

extern void lyf_slices_insert(int64 sliced, List *cuts);

/* NULL: none waits that is not another session's; it is ours until the transaction ends */
extern LyfRunSlice *lyf_slice_claim(int64 sliced);
extern void lyf_slice_done(const LyfRunSlice *slice, TimestampTz started, const LyfJobCounts *counts, bool doubtful);

/* may a slice be read by another attempt, and go into the heap that there is? */
extern bool lyf_slice_is_retryable(const ErrorData *error);

/* the number of ms until it is tried again, -1: it is not */
extern int64 lyf_slice_failed(const LyfRunSlice *slice, const ErrorData *error);

/* another run goes on: what was given up is tried again.  False: there is nothing (of not long ago) to go on with. */
extern bool lyf_slices_resume(int64 sliced);
extern void lyf_slices_look(int64 sliced, LyfSliceTally *tally);
extern void lyf_slices_raise(int64 sliced);	/* the error that one was given up for, if there is one */

/* in piece.c */

/* how far a run by cursor is that commits in pieces */
typedef enum LyfPhase
{
	LYF_PHASE_FIRST,			/* its first piece */
	LYF_PHASE_ONWARD,			/* what is above the state of the piece before */
	LYF_PHASE_NULLS				/* rows without a cursor */
} LyfPhase;

typedef struct LyfRun
{
	MemoryContext cxt;			/* as long as the run */
	MemoryContext piece_cxt;	/* reset with each piece */
	const char *name;
	LyfPipeline *pipeline;
	const LyfRunCaller *caller;
	bool		atomic;			/* in the caller's transaction */
	bool		locked;			/* the pipeline, for the session */
	bool		more;			/* the last piece was not the run's last */
	int64		id;
	char	   *refused;		/* changes of the source that its policy refuses, or NULL */
	LyfValue   *history;		/* types that the source's columns have had, once it was asked for */
	bool		changed;		/* there is more than one version of them */
	LyfRejects *rejects;
	LyfJobCounts counts;
	LyfProfile *profile;		/* what the data shows, or NULL */
	MemoryContext doubles_cxt;
	LyfDoubles *doubles;		/* what it fills from nothing, or NULL */
	/* where it stands: at first in cxt, after a piece in state_cxt */
	MemoryContext state_cxt;
	LyfValue   *state;
	LyfValue   *began;			/* the state that the position belongs to; in cxt */
	LyfValue   *position;
	LyfValue   *heaps;
	LyfPhase	phase;
	bool		adds;			/* the destination was there before */
	bool		resumed;		/* goes on from a checkpoint, and has made none since */
	bool		lost;			/* the checkpoint's place is gone from the source */
	int			restarts;
	/* of a run whose source is cut into slices, in sliced.c */
	int64		sliced;			/* number of the run that cut it; 0: none did */
	MemoryContext slice_cxt;	/* reset with each slice: its rejected records */
	LyfRunSlice	slice;			/* that was claimed last; number 0: none waited */
	ErrorData  *slice_error;
	LyfSliceTally tally;
} LyfRun;

/* in fresh.c: what a foreign server has now */

typedef struct LyfFreshStream
{
	char	   *identity;		/* its name among all of the server's, with the schema of the remote side where it has one */
	char	   *name;
	char	   *remote;			/* that schema */
	LyfValue   *columns;		/* as a schema has them */
} LyfFreshStream;

/*
 * The streams of a server, a List of LyfFreshStream *, in CurrentMemoryContext; remote: of this schema of its, NULL: of those
 * that tables were imported from.  As the current user, who must be allowed to make a schema and to use the server.
 */
extern List *lyf_fresh_streams(Oid server, const char *remote);

/* in notice.c */

#define LYF_SCHEMA_CHANNEL	"lyftron_schema"	/* of NOTIFY: changes of sources */

/* note what the source looks like (a step of lyf_run_commit); then raise where its changes are refused */
extern bool lyf_run_notice(void *run);
extern void lyf_run_refuse(const LyfRun *run);

/* what was written down of the source */
extern void lyf_run_history(LyfRun *run, LyfLoadSpec *spec);

/* a backfill reads between two bounds, and leaves the state as it is */
extern bool lyf_run_is_bounded(const LyfRun *run);

/* what does not depend on the piece */
extern void lyf_run_spec(LyfRun *run, const LyfSource *source, LyfLoadSpec *spec);

/* run a plan into a load; control may be NULL */
extern void lyf_run_execute(PlannedStmt *plan, const char *sql, DestReceiver *receiver, LyfScanControl *control);

/*
 * One piece: load, state, counts.  True: it stopped for a checkpoint, there is more.
 * With run->lost it loaded nothing, and is to be rolled back.
 */
extern bool lyf_run_piece(LyfRun *run);

/* in run.c: do something of a run in piece_cxt, and commit; or its error, and all of it was rolled back */
extern ErrorData *lyf_run_commit(LyfRun *run, bool (*what) (void *run));
extern LyfRun *lyf_run_make(const char *name, const LyfRunCaller *caller);

/* in sliced.c */

/* is it to be read in slices? */
extern bool lyf_run_is_sliced(const LyfRun *run);

/* from the planning to the end; NULL: it succeeded, else the error that ended it */
extern ErrorData *lyf_run_slices(LyfRun *run);

#endif							/* LYF_PIPELINE_INTERNAL_H */
