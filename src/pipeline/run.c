/*
 * run.c
 *		CALL lyftron.run(name): one run of a pipeline, piece by piece.
 *
 * A piece (piece.c, or a slice in sliced.c) executes the pipeline's query into the loader, up to a
 * checkpoint or the end, and writes rows, state and counts in one transaction.  An error
 * rolls back its piece alone; what the pieces before it did stays, and the next run goes on
 * from there.  Inside a user's transaction block nothing is committed here: all or nothing.  Whoever
 * calls, a piece is the owner's doing; runs, state and counts are written down around it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/guard.h"
#include "base/version.h"
#include "pipeline/pipeline_internal.h"

LYF_FUNCTION_INFO_V1(lyf_run);

static bool
is_full_refresh(const LyfRun *run)
{
	return lyf_mode_is_full_refresh(lyf_mode_get(run->pipeline->mode));
}

/*
 * May a refresh go on with the heap of one that did not come to its end?  Not where this one rolls back with its
 * caller's transaction, nor where a crash of the server has emptied it.
 */
static bool
may_take_up_heap(const LyfRun *run)
{
	Oid			relid = get_relname_relid(run->pipeline->table, get_namespace_oid(run->pipeline->schema, false));

	return !run->atomic && get_rel_persistence(relid) != RELPERSISTENCE_UNLOGGED;
}

/* Take up the state, and the checkpoint of a run that did not end, if there is one. */
static void
read_state(LyfRun *run)
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
	if (page != NULL && is_full_refresh(run) && !may_take_up_heap(run))
		page = NULL;
	run->position = lyf_value_get(page, "position");
	run->heaps = lyf_value_get(page, "heaps");
	run->began = page ? lyf_value_get(page, "state") : run->state;
	run->resumed = run->position != NULL;
	if (lyf_run_is_sliced(run))
	{
		LyfValue   *sliced = lyf_value_get(lyf_value_get(page, "sliced"), "run");

		run->sliced = lyf_value_is(sliced, LYF_INT) ? sliced->u.integer : 0;
	}
}

/* What is filled from nothing is watched for doubles, so that nobody need look for them at the end. */
static void
begin_doubles(LyfRun *run)
{
	bool		empty = is_full_refresh(run) ? run->heaps == NULL && run->pipeline->primary_key != NIL : !run->adds;
	MemoryContext old;

	if (run->doubles_cxt != NULL)
		MemoryContextDelete(run->doubles_cxt);
	run->doubles_cxt = NULL;
	run->doubles = NULL;
	if (!empty || lyf_run_is_sliced(run))
		return;
	run->doubles_cxt = AllocSetContextCreate(run->cxt, "lyftron doubles", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(run->doubles_cxt);
	run->doubles = lyf_doubles_begin();
	MemoryContextSwitchTo(old);
}

/* The one piece of a pipeline of the kind sql. */
static bool
run_statements(LyfRun *run)
{
	LyfPipeline *p = run->pipeline;

	lyf_owner_check(p);
	run->counts.written = lyf_command_run(p->owner, p->search_path, p->source, run->caller->occasion);
	run->counts.checkpoints = 1;
	lyf_job_succeeded(run->id, &run->counts);
	return false;
}

/* Slices that were read stay for the next attempt, where there may be one. */
static bool
keeps_page(const LyfRun *run, const ErrorData *error)
{
	return run->sliced != 0 && lyf_slice_is_retryable(error);
}

/*
 * Write down a failure, in a transaction of its own.  A refresh starts afresh next time;
 * so does what was taken up from a checkpoint and did not get to the next one.
 */
static void
keep_failure(LyfRun *run, const ErrorData *error)
{
	if (run->sliced != 0 && run->caller->dismiss != NULL)
	{
		/* who still reads a slice has a lock on the heap that is to go */
		run->caller->dismiss(run->caller->arg, run->pipeline, true);
		SPI_commit();
	}
	lyf_job_failed(run->id, error);
	/* what was rejected last may be why: its piece has rolled back, the records stay to be seen */
	if (run->rejects != NULL)
		lyf_rejects_flush(run->rejects);
	if (!run->pipeline->is_sql && !lyf_run_is_bounded(run) && !keeps_page(run, error) &&
		(is_full_refresh(run) || run->resumed))
		lyf_pipeline_forget_page(run->pipeline, false);
	SPI_commit();
}

typedef struct Step
{
	LyfRun	   *run;
	bool		(*what) (void *run);
} Step;

static bool
do_step(void *arg)
{
	Step	   *step = arg;
	MemoryContext old = MemoryContextSwitchTo(step->run->piece_cxt);
	bool		stays = step->what(step->run);

	MemoryContextSwitchTo(old);
	return stays;
}

/*
 * After an error the whole transaction goes, and not only the subtransaction that met it: a foreign server that was
 * lost would keep it from being committed.
 */
ErrorData *
lyf_run_commit(LyfRun *run, bool (*what) (void *run))
{
	Step		step = {run, what};
	ErrorData  *error = lyf_guarded(do_step, &step);

	MemoryContextReset(run->piece_cxt);
	if (error == NULL)
		return lyf_guarded_commit();
	SPI_rollback();
	return error;
}

static bool
piece(void *arg)
{
	LyfRun	   *run = arg;

	run->more = run->pipeline->is_sql ? run_statements(run) : lyf_run_piece(run);
	if (!run->more && !run->lost && run->caller->finish != NULL)
		run->caller->finish(run->caller->arg);
	return !run->lost;
}

/*
 * A refresh that cannot go on from its checkpoint, since the source has changed,
 * begins anew: what was loaded so far would come twice.
 */
static bool
start_afresh(void *arg)
{
	LyfRun	   *run = arg;

	run->lost = false;
	lyf_pipeline_forget_page(run->pipeline, false);
	run->position = NULL;
	run->heaps = NULL;
	run->counts.read = 0;
	run->counts.written = 0;
	run->profile = NULL;
	run->restarts++;
	begin_doubles(run);
	return true;
}

/* Find the pipeline, lock it for the session, begin the run. */
static bool
begin(void *arg)
{
	LyfRun	   *run = arg;

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
run_pieces(LyfRun *run)
{
	ErrorData  *error = NULL;

	run->more = true;
	while (error == NULL && run->more)
	{
		error = lyf_run_commit(run, piece);
		if (error == NULL && run->lost)
			error = lyf_run_commit(run, start_afresh);
		if (error == NULL)
			run->resumed = false;
	}
	return error;
}

static bool
refuse(void *run)
{
	lyf_run_refuse(run);
	return true;
}

static ErrorData *
run_whole(LyfRun *run)
{
	ErrorData  *error = lyf_guarded(begin, run);

	if (error != NULL)
		return error;
	SPI_commit();
	if (!run->pipeline->is_sql)
		error = lyf_run_commit(run, lyf_run_notice);
	if (error == NULL)
		error = lyf_run_commit(run, refuse);
	if (error == NULL)
		error = lyf_run_is_sliced(run) ? lyf_run_slices(run) : run_pieces(run);
	if (error != NULL)
		keep_failure(run, error);
	return error;
}

LyfRun *
lyf_run_make(const char *name, const LyfRunCaller *caller)
{
	/* SPI's context lives through commits */
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron run", ALLOCSET_DEFAULT_SIZES);
	LyfRun	   *run;

	MemoryContextSwitchTo(cxt);
	run = palloc0(sizeof(LyfRun));
	run->cxt = cxt;
	run->name = pstrdup(name);
	run->caller = caller;
	run->piece_cxt = AllocSetContextCreate(cxt, "lyftron piece", ALLOCSET_DEFAULT_SIZES);
	return run;
}

ErrorData *
lyf_pipeline_run(const char *name, const LyfRunCaller *caller)
{
	MemoryContext cxt = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	LyfRun	   *run;
	bool		held;

	lyf_version_require();
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	run = lyf_run_make(name, caller);
	held = lyf_version_hold(true);
	PG_TRY();
	{
		error = run_whole(run);
	}
	PG_FINALLY();
	{
		if (run->locked)
			lyf_pipeline_unlock(name);
		(void) lyf_version_hold(held);
	}
	PG_END_TRY();
	/* the error is in it */
	MemoryContextSetParent(run->cxt, cxt);
	SPI_finish();
	MemoryContextSwitchTo(cxt);
	return error;
}

/* all of it in the caller's transaction */
static void
run_atomic(const char *name, const LyfRunCaller *caller)
{
	LyfRun	   *run;

	SPI_connect();
	run = lyf_run_make(name, caller);
	run->atomic = true;
	(void) begin(run);
	if (!run->pipeline->is_sql)
		(void) lyf_run_notice(run);
	lyf_run_refuse(run);
	(void) piece(run);
	SPI_finish();
}

Datum
lyf_run(PG_FUNCTION_ARGS)
{
	static const LyfRunCaller caller = {NULL};
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
		run_atomic(name, &caller);
		PG_RETURN_VOID();
	}
	error = lyf_pipeline_run(name, &caller);
	if (error != NULL)
		ReThrowError(error);
	PG_RETURN_VOID();
}
