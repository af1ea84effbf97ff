/*
 * run.c
 *		CALL lyftron.run(name): one run of a pipeline, piece by piece.
 *
 * A piece executes the pipeline's query into the loader, up to a checkpoint or
 * the end, and writes rows, state and counts in one subtransaction; then the
 * procedure commits.  An error rolls back its piece alone; what the pieces
 * before it did stays, and the next run goes on from there.  Inside a user's
 * transaction block nothing is committed here: all or nothing.  Whoever calls, a
 * piece is the owner's doing; runs, state and counts are written down around it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/execdesc.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/guard.h"
#include "base/settings.h"
#include "base/version.h"
#include "pipeline/pipeline.h"

LYF_FUNCTION_INFO_V1(lyf_run);

typedef struct Run
{
	MemoryContext cxt;			/* as long as the run */
	MemoryContext piece_cxt;	/* reset with each piece */
	const char *name;
	LyfPipeline *pipeline;
	const LyfOccasion *occasion;	/* or NULL */
	bool		atomic;			/* in the caller's transaction */
	bool		locked;			/* the pipeline, for the session */
	bool		more;			/* the last piece stopped at a checkpoint */
	LyfRunFinish finish;		/* or NULL */
	void	   *finish_arg;
	int64		id;
	LyfRejects *rejects;
	LyfJobCounts counts;
	MemoryContext doubles_cxt;
	LyfDoubles *doubles;		/* what it fills from nothing, or NULL */
	/* where it stands: at first in cxt, after a piece in state_cxt */
	MemoryContext state_cxt;
	LyfValue   *state;
	LyfValue   *began;			/* the state that the position belongs to; in cxt */
	LyfValue   *position;
	LyfValue   *heaps;
	bool		adds;			/* the destination was there before */
	bool		resumed;		/* goes on from a checkpoint, and has made none since */
	bool		lost;			/* the checkpoint's place is gone from the source */
	int			restarts;
} Run;

/* a source that loses the place of a checkpoint more often changes too fast for checkpoints */
#define MAX_RESTARTS	3

static void
reject(void *arg, const LyfFailure *failure, const char *stream, const char *record_json)
{
	lyf_rejects_add(arg, failure, record_json);
}

static bool
same_names(List *a, List *b)
{
	ListCell   *x;
	ListCell   *y;

	if (list_length(a) != list_length(b))
		return false;
	forboth(x, a, y, b)
	{
		if (strcmp(lfirst(x), lfirst(y)) != 0)
			return false;
	}
	return true;
}

/* Rows can only be merged into rows whose ids are made of the same columns. */
static void
check_key(const LyfPipeline *p)
{
	const LyfMode *mode = lyf_mode_get(p->mode);

	if (p->loaded && !lyf_mode_is_full_refresh(mode) &&
		!same_names(p->loaded_key, lyf_mode_id_columns(mode, p->primary_key)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the rows of table \"%s\" were loaded with another primary key or mode", p->table),
				 errhint("Run the pipeline once in mode full_refresh with the primary key it shall have, or drop the table.")));
}

/* Take up the state, and the checkpoint of a run that did not end, if there is one. */
static void
read_state(Run *run)
{
	LyfValue   *page;

	lyf_state_get(run->pipeline->name, &run->state, &page);
	/* without the table, what was loaded into it is gone: from the beginning, or from a state that was set */
	if (!lyf_pipeline_has_table(run->pipeline))
	{
		if (run->pipeline->loaded)
			run->state = NULL;
		page = NULL;
	}
	else
		run->adds = true;
	/* what rolls back with the caller's transaction does not go on with a killed run's heap */
	if (run->atomic && lyf_mode_is_full_refresh(lyf_mode_get(run->pipeline->mode)))
		page = NULL;
	run->position = lyf_value_get(page, "position");
	run->heaps = lyf_value_get(page, "heaps");
	run->began = page ? lyf_value_get(page, "state") : run->state;
	run->resumed = run->position != NULL;
}

static LyfValue *
make_page(const Run *run)
{
	LyfValue   *page = lyf_value_make(LYF_MAP);

	lyf_value_set(page, "position", lyf_value_alias(run->position));
	if (run->began != NULL)
		lyf_value_set(page, "state", lyf_value_alias(run->began));
	if (run->heaps != NULL)
		lyf_value_set(page, "heaps", lyf_value_alias(run->heaps));
	return page;
}

/* Shapes of JSON columns are learned once and kept with the pipeline. */
static List *
get_shapes(Run *run, const LyfSource *source)
{
	LyfPipeline *pipeline = run->pipeline;
	LyfArgs		args = {0};
	List	   *shapes;
	MemoryContext old;

	if (!lyf_nested_wants_shapes(lyf_nested_get(pipeline->nested)))
		return NIL;
	if (pipeline->shapes != NULL)
		return lyf_shapes_from_value(pipeline->shapes);
	shapes = lyf_source_shapes(source);
	lyf_args_text(&args, pipeline->name);
	lyf_args_value(&args, lyf_shapes_to_value(shapes));
	lyf_args_run(&args, "UPDATE lyftron.pipeline SET shapes = $2 WHERE name = $1", NULL, NULL);
	old = MemoryContextSwitchTo(run->cxt);
	pipeline->shapes = lyf_value_copy(lyf_shapes_to_value(shapes));
	MemoryContextSwitchTo(old);
	return shapes;
}

/* What is filled from nothing is watched for doubles, so that nobody need look for them at the end. */
static void
begin_doubles(Run *run)
{
	const LyfMode *mode = lyf_mode_get(run->pipeline->mode);
	bool		empty = lyf_mode_is_full_refresh(mode) ? run->heaps == NULL && run->pipeline->primary_key != NIL : !run->adds;
	MemoryContext old;

	if (run->doubles_cxt != NULL)
		MemoryContextDelete(run->doubles_cxt);
	run->doubles_cxt = NULL;
	run->doubles = NULL;
	if (!empty)
		return;
	run->doubles_cxt = AllocSetContextCreate(run->cxt, "lyftron doubles", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(run->doubles_cxt);
	run->doubles = lyf_doubles_begin();
	MemoryContextSwitchTo(old);
}

/* A backfill reads between two bounds, and leaves the state as it is. */
static bool
is_bounded(const Run *run)
{
	return run->occasion != NULL && run->occasion->bounded;
}

void
lyf_pipeline_check_window(const LyfPipeline *p)
{
	if (lyf_mode_is_full_refresh(lyf_mode_get(p->mode)) || p->cursor == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pipeline \"%s\" cannot be filled from a time range", p->name),
				 errdetail("Its mode is \"%s\"%s.", p->mode, p->cursor == NULL ? ", and it has no cursor" : ""),
				 errhint("Give it an incremental mode and a cursor that is a time.")));
}

static void
set_control(LyfScanControl *control, const Run *run, const LyfSource *source, bool steered, bool bare)
{
	bool		full_refresh = lyf_mode_is_full_refresh(lyf_mode_get(run->pipeline->mode));

	control->relid = source->relid;
	control->full_refresh = full_refresh || !source->native || is_bounded(run);
	control->state = control->full_refresh ? NULL : run->began;
	control->position = is_bounded(run) ? NULL : run->position;
	/* with a cursor of its own, the pipeline only knows the greatest value at the end */
	control->checkpoints = steered && bare && !run->atomic && (full_refresh || source->native) && !is_bounded(run);
	control->checkpoint_ms = lyf_checkpoint_interval;
	control->checkpoint_bytes = (int64) lyf_checkpoint_size * 1024;
	control->reject = reject;
	control->reject_arg = run->rejects;
	control->cxt = CurrentMemoryContext;
}

static void
execute(PlannedStmt *plan, const char *sql, DestReceiver *receiver, LyfScanControl *control)
{
	LyfScanControl *outer = lyf_scan_control;
	QueryDesc  *desc;

	/* after what lyf_load_begin has done to the catalogs */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	desc = CreateQueryDesc(plan, sql, GetActiveSnapshot(), InvalidSnapshot, receiver, NULL, NULL, 0);
	PG_TRY();
	{
		lyf_scan_control = control;
		ExecutorStart(desc, 0);
		lyf_executor_run(desc);
		ExecutorFinish(desc);
		ExecutorEnd(desc);
	}
	PG_FINALLY();
	{
		lyf_scan_control = outer;
	}
	PG_END_TRY();
	FreeQueryDesc(desc);
	PopActiveSnapshot();
}

/* The state after a piece: the stream's own, or the greatest value of the cursor column. */
static LyfValue *
next_state(const Run *run, const LyfSource *source, const LyfScanControl *control, const LyfLoadResult *result)
{
	LyfValue   *state;

	if (lyf_mode_is_full_refresh(lyf_mode_get(run->pipeline->mode)))
		return NULL;
	if (source->native)
		return control->scanned && control->new_state != NULL ? control->new_state : run->state;
	if (result->cursor == NULL)
		return run->state;
	state = lyf_value_make(LYF_MAP);
	lyf_value_set(state, run->pipeline->cursor, lyf_value_string(result->cursor));
	return state;
}

static void
keep_state(Run *run, const LyfSource *source, const LyfScanControl *control, const LyfLoadResult *result, bool more)
{
	LyfValue   *state = next_state(run, source, control, result);
	MemoryContext cxt;
	MemoryContext old;

	if (is_bounded(run))
		return;
	cxt = AllocSetContextCreate(run->cxt, "lyftron run state", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	run->state = state ? lyf_value_copy(state) : NULL;
	run->position = more ? lyf_value_copy(control->new_position) : NULL;
	run->heaps = more && result->heaps ? lyf_value_copy(result->heaps) : NULL;
	MemoryContextSwitchTo(old);
	/* a state may be large: that of the piece before goes */
	if (run->state_cxt != NULL)
		MemoryContextDelete(run->state_cxt);
	run->state_cxt = cxt;
	lyf_state_put(run->pipeline->name, source->stream, run->state, more ? make_page(run) : NULL);
}

static void
count(Run *run, const LyfScanControl *control, const LyfLoadResult *result, bool more)
{
	LyfJobCounts *counts = &run->counts;

	counts->read += control->scanned ? control->records : result->read;
	counts->written += result->written;
	counts->rejected = lyf_rejects_count(run->rejects);
	counts->requests += control->stats.requests;
	counts->bytes += control->stats.wire_bytes;
	counts->checkpoints++;
	if (!more || !lyf_mode_is_full_refresh(lyf_mode_get(run->pipeline->mode)))
		lyf_pipeline_note_key(run->pipeline, lyf_mode_id_columns(lyf_mode_get(run->pipeline->mode), run->pipeline->primary_key));
	if (more)
		lyf_job_progress(run->id, counts);
	else
		lyf_job_succeeded(run->id, counts);
}

static const char *
cursor_low(const Run *run, const LyfSource *source)
{
	const LyfPipeline *p = run->pipeline;
	LyfValue   *low;

	if (is_bounded(run))
		return pstrdup(timestamptz_to_str(run->occasion->since));

	if (source->native || p->cursor == NULL || lyf_mode_is_full_refresh(lyf_mode_get(p->mode)))
		return NULL;
	low = lyf_value_get(run->state, p->cursor);
	if (low == NULL || low->kind == LYF_NULL)
		return NULL;
	return low->kind == LYF_STRING ? low->u.text : lyf_value_to_text(low);
}

static const char *
cursor_high(const Run *run)
{
	return is_bounded(run) ? pstrdup(timestamptz_to_str(run->occasion->until)) : NULL;
}

static void
check_restarts(const Run *run)
{
	if (run->restarts < MAX_RESTARTS)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the source changes faster than pipeline \"%s\" can read it", run->pipeline->name),
			 errdetail("The place of the last checkpoint was gone again after %d new beginnings.", run->restarts),
			 errhint("Raise lyftron.checkpoint_interval and lyftron.checkpoint_size, so that a run needs fewer checkpoints.")));
}

/*
 * One piece: load, state, counts.  True: it stopped for a checkpoint, there is more.
 * With run->lost it loaded nothing, and is to be rolled back.
 */
static bool
run_piece(Run *run)
{
	LyfPipeline *p = run->pipeline;
	LyfSourceScope scope = lyf_source_enter(p);
	LyfScanControl control = {0};
	LyfLoadSpec spec = {0};
	LyfLoadResult result = {0};
	LyfSource  *source;
	PlannedStmt *plan;
	LyfLoad    *load;
	char	   *sql;
	bool		more;

	if (run->adds)
		check_key(p);
	if (is_bounded(run))
		lyf_pipeline_check_window(p);
	lyf_occasion_show(run->occasion);
	PushActiveSnapshot(GetTransactionSnapshot());
	source = lyf_source_open(p);
	if (run->rejects == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(run->cxt);

		run->rejects = lyf_rejects_begin(p->name, run->id, source->stream,
										 strcmp(p->on_reject, "keep") == 0, p->max_rejected);
		MemoryContextSwitchTo(old);
	}
	sql = lyf_source_sql(p, source, cursor_low(run, source), cursor_high(run));
	plan = lyf_source_plan(sql);
	set_control(&control, run, source, source->shape != NULL, lyf_source_is_scan(plan, source->relid));

	spec.mode = lyf_mode_get(p->mode);
	spec.nested = lyf_nested_get(p->nested);
	spec.policy = lyf_policy_get(p->schema_policy);
	spec.schema = p->schema;
	spec.table = p->table;
	spec.run = run->id;
	spec.primary_key = p->primary_key;
	spec.cursor = source->native || lyf_mode_is_full_refresh(spec.mode) ? NULL : p->cursor;
	spec.shapes = get_shapes(run, source);
	spec.rejects = run->rejects;
	spec.control = source->shape != NULL ? &control : NULL;
	spec.heaps = run->heaps;
	spec.doubles = run->doubles;
	load = lyf_load_begin(&spec, ExecCleanTypeFromTL(plan->planTree->targetlist));
	PopActiveSnapshot();

	execute(plan, sql, lyf_load_receiver(load), source->shape != NULL ? &control : NULL);
	if (control.restarted)
	{
		check_restarts(run);
		run->lost = true;
		return true;
	}
	more = control.scanned && control.more;
	lyf_load_end(load, !more, &result);
	keep_state(run, source, &control, &result, more);
	count(run, &control, &result, more);
	lyf_source_leave(&scope);
	return more;
}

/* The one piece of a pipeline of the kind sql. */
static bool
run_statements(Run *run)
{
	LyfPipeline *p = run->pipeline;

	lyf_owner_check(p);
	run->counts.written = lyf_command_run(p->owner, p->search_path, p->source, run->occasion);
	run->counts.checkpoints = 1;
	lyf_job_succeeded(run->id, &run->counts);
	return false;
}

/*
 * Write down a failure, in a transaction of its own.  A refresh starts afresh next time;
 * so does what was taken up from a checkpoint and did not get to the next one.
 */
static void
keep_failure(Run *run, const ErrorData *error)
{
	lyf_job_failed(run->id, error);
	/* what was rejected last may be why: its piece has rolled back, the records stay to be seen */
	if (run->rejects != NULL)
		lyf_rejects_flush(run->rejects);
	if (!run->pipeline->is_sql && !is_bounded(run) &&
		(lyf_mode_is_full_refresh(lyf_mode_get(run->pipeline->mode)) || run->resumed))
		lyf_pipeline_forget_page(run->pipeline, false);
	SPI_commit();
}

static bool
piece(void *arg)
{
	Run		   *run = arg;
	MemoryContext old = MemoryContextSwitchTo(run->piece_cxt);

	run->more = run->pipeline->is_sql ? run_statements(run) : run_piece(run);
	MemoryContextSwitchTo(old);
	if (!run->more && !run->lost && run->finish != NULL)
		run->finish(run->finish_arg);
	return !run->lost;
}

/* A piece in a subtransaction, so that a failure of it can be written down. */
static ErrorData *
run_piece_guarded(Run *run)
{
	ErrorData  *error = lyf_guarded(piece, run);

	MemoryContextReset(run->piece_cxt);
	if (error != NULL)
		keep_failure(run, error);
	return error;
}

static ErrorData *
commit_piece(Run *run)
{
	ErrorData  *error = lyf_guarded_commit();

	if (error != NULL)
		keep_failure(run, error);
	return error;
}

/*
 * A refresh that cannot go on from its checkpoint, since the source has changed,
 * begins anew: what was loaded so far would come twice.
 */
static void
start_afresh(Run *run)
{
	run->lost = false;
	lyf_pipeline_forget_page(run->pipeline, false);
	run->position = NULL;
	run->heaps = NULL;
	run->counts.read = 0;
	run->counts.written = 0;
	run->restarts++;
	begin_doubles(run);
}

/* Find the pipeline, lock it for the session, begin the run. */
static bool
begin(void *arg)
{
	Run		   *run = arg;

	/* who may not use it gets no lock either; it may be altered before the lock is ours */
	(void) lyf_pipeline_get(run->name);
	lyf_pipeline_lock(run->name, !run->atomic);
	run->locked = !run->atomic;
	run->pipeline = lyf_pipeline_get(run->name);
	run->id = lyf_job_begin(run->pipeline);
	if (run->pipeline->is_sql)
		return true;
	read_state(run);
	begin_doubles(run);
	return true;
}

static ErrorData *
run_pieces(Run *run)
{
	ErrorData  *error = lyf_guarded(begin, run);

	if (error == NULL)
		SPI_commit();
	while (error == NULL)
	{
		error = run_piece_guarded(run);
		if (error != NULL)
			break;
		if (run->lost)
			start_afresh(run);
		error = commit_piece(run);
		run->resumed = false;
		if (!run->more)
			break;
	}
	return error;
}

static Run *
make_run(const char *name)
{
	/* SPI's context lives through commits */
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron run", ALLOCSET_DEFAULT_SIZES);
	Run		   *run;

	MemoryContextSwitchTo(cxt);
	run = palloc0(sizeof(Run));
	run->cxt = cxt;
	run->name = pstrdup(name);
	run->piece_cxt = AllocSetContextCreate(cxt, "lyftron piece", ALLOCSET_DEFAULT_SIZES);
	return run;
}

ErrorData *
lyf_pipeline_run(const char *name, const LyfOccasion *occasion, LyfRunFinish finish, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	Run		   *run;
	bool		held;

	lyf_version_require();
	held = lyf_version_hold(true);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	run = make_run(name);
	run->occasion = occasion;
	run->finish = finish;
	run->finish_arg = arg;
	PG_TRY();
	{
		error = run_pieces(run);
	}
	PG_FINALLY();
	{
		if (run->locked)
			lyf_pipeline_unlock(name);
		(void) lyf_version_hold(held);
	}
	PG_END_TRY();
	/* the error is in it */
	MemoryContextSetParent(run->cxt, caller);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	return error;
}

/* all of it in the caller's transaction */
static void
run_atomic(const char *name)
{
	Run		   *run;

	SPI_connect();
	run = make_run(name);
	run->atomic = true;
	(void) begin(run);
	(void) piece(run);
	SPI_finish();
}

Datum
lyf_run(PG_FUNCTION_ARGS)
{
	Node	   *context = fcinfo->context;
	char	   *name;
	ErrorData  *error;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the pipeline to run must be named")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	/* in a block with an exception handler nothing can be committed either */
	if (context == NULL || !IsA(context, CallContext) || castNode(CallContext, context)->atomic || IsSubTransaction())
	{
		run_atomic(name);
		PG_RETURN_VOID();
	}
	error = lyf_pipeline_run(name, NULL, NULL, NULL);
	if (error != NULL)
		ReThrowError(error);
	PG_RETURN_VOID();
}
