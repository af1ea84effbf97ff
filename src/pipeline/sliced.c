/*
 * sliced.c
 *		A full refresh that reads its source in slices: ranges of a key, each in a transaction of its
 *		own, into one hidden heap, which is swapped in when all of them are there.
 *
 * The session of the run cuts the source, takes slice after slice, and makes the end.  Others may
 * take slices meanwhile (lyf_pipeline_help): it asks for them where its caller can, but it needs nobody.
 * What a slice wrote and that it is done are one commit; a slice that failed, or whose session ended, is
 * read again by whoever takes it next, and the others stay as they are.  Each is read in a snapshot of the
 * source of its own.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "base/clock.h"
#include "base/compat.h"
#include "pipeline/pipeline_internal.h"

/* how often it is looked whether the slices that others read are done */
#define LOOK_MS		50

bool
lyf_run_is_sliced(const LyfRun *run)
{
	const LyfPipeline *p = run->pipeline;

	return !p->is_sql && p->slices > 1 && !run->atomic;
}

/* Are records with the same key in the same slice, so that those of two slices differ? */
static bool
is_apart(const LyfPipeline *p)
{
	ListCell   *lc;

	foreach(lc, p->primary_key)
		if (strcmp(lfirst(lc), lyf_slice_column(p)) == 0)
			return true;
	return false;
}

static void
check_source(const LyfSource *source, const LyfValue *page)
{
	LyfValue   *fingerprint = lyf_value_get(lyf_value_get(page, "sliced"), "source");

	if (!lyf_value_is(fingerprint, LYF_INT) || fingerprint->u.integer != lyf_source_fingerprint(source))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("the columns of %s have changed while it was being read", source->stream),
				 errhint("Run the pipeline again: it starts afresh.")));
}

/* What a page has that slices belong to: which, of a source with which columns, and the heaps that they go into. */
static LyfValue *
make_page(LyfRun *run, const LyfSource *source, const LyfValue *heaps)
{
	LyfValue   *sliced = lyf_value_make(LYF_MAP);
	LyfValue   *page = lyf_value_make(LYF_MAP);

	lyf_value_set(sliced, "run", lyf_value_int(run->sliced));
	lyf_value_set(sliced, "source", lyf_value_int(lyf_source_fingerprint(source)));
	lyf_value_set(page, "sliced", sliced);
	if (heaps != NULL)
		lyf_value_set(page, "heaps", lyf_value_copy(heaps));
	return page;
}

/* Load a range of the source; NULL: nothing, but what comes before or after the slices is done with the table. */
static void
load(LyfRun *run, const LyfSource *source, LyfLoadSpec *spec, const LyfRange *range, bool last, LyfLoadResult *result)
{
	char	   *sql = lyf_source_sql(run->pipeline, source, range);
	PlannedStmt *plan = range != NULL ? lyf_source_plan(sql) : NULL;
	LyfLoad    *load = lyf_load_begin(spec, lyf_source_row(sql));

	PopActiveSnapshot();
	if (plan != NULL)
		lyf_run_execute(plan, sql, lyf_load_receiver(load), NULL);
	lyf_load_end(load, last, result);
}

/* Be the owner, and find the source; until lyf_source_leave. */
static LyfSource *
enter(LyfRun *run, LyfSourceScope *scope)
{
	*scope = lyf_source_enter(run->pipeline);
	lyf_occasion_show(run->caller->occasion);
	PushActiveSnapshot(GetTransactionSnapshot());
	return lyf_source_open(run->pipeline);
}

/* Make the hidden heap, and say where the source is cut. */
static void
cut(LyfRun *run)
{
	LyfPipeline *p = run->pipeline;
	LyfLoadSpec spec = {0};
	LyfLoadResult result = {0};
	LyfSourceScope scope;
	LyfSource  *source;
	LyfValue   *page;

	lyf_pipeline_forget_page(p, false);
	run->heaps = NULL;
	run->sliced = run->id;
	source = enter(run, &scope);
	lyf_slices_check(p, source);
	lyf_slices_insert(run->sliced, lyf_source_cuts(p, source));
	lyf_run_spec(run, source, &spec);
	load(run, source, &spec, NULL, false, &result);
	page = make_page(run, source, result.heaps);
	lyf_state_put(p->name, source->stream, NULL, page);
	lyf_source_leave(&scope);
	run->rejects = NULL;
}

/* Cut the source, or go on with what a run that did not come to its end has left. */
static bool
begin(void *arg)
{
	LyfRun	   *run = arg;

	if (run->sliced == 0 || !lyf_slices_resume(run->sliced))
		cut(run);
	lyf_slices_look(run->sliced, &run->tally);
	if (run->caller->ask != NULL && run->tally.waiting > 1)
		run->caller->ask(run->caller->arg, run->pipeline, run->sliced, run->tally.waiting - 1);
	return true;
}

/* Rejected records of a slice come and go with it. */
static void
begin_rejects(LyfRun *run, const LyfSource *source, const LyfRunSlice *slice)
{
	const LyfPipeline *p = run->pipeline;
	MemoryContext old;

	if (run->slice_cxt == NULL)
		run->slice_cxt = AllocSetContextCreate(run->cxt, "lyftron slice", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(run->slice_cxt);
	old = MemoryContextSwitchTo(run->slice_cxt);
	run->rejects = lyf_rejects_begin(p->name, run->id, source->stream, strcmp(p->on_reject, "keep") == 0,
									 p->max_rejected, slice->rejected);
	MemoryContextSwitchTo(old);
}

static void
read_rows(LyfRun *run, const LyfRunSlice *slice)
{
	LyfPipeline *p = run->pipeline;
	TimestampTz started = lyf_now();
	LyfRange	range = {lyf_slice_column(p), slice->low, false, slice->high, slice->number == 1 ? LYF_NULLS_TOO : LYF_NULLS_NOT};
	LyfLoadSpec spec = {0};
	LyfLoadResult result = {0};
	LyfJobCounts counts = {0};
	LyfSourceScope scope;
	LyfSource  *source = enter(run, &scope);

	check_source(source, slice->page);
	begin_rejects(run, source, slice);
	lyf_run_spec(run, source, &spec);
	spec.heaps = lyf_value_get(slice->page, "heaps");
	spec.apart = is_apart(p);
	spec.doubles = spec.apart ? lyf_doubles_begin() : NULL;
	spec.goes_on = true;
	spec.slice = slice->number;
	spec.sliced = slice->sliced;
	load(run, source, &spec, &range, false, &result);
	lyf_source_leave(&scope);
	counts.read = result.read;
	counts.written = result.written;
	counts.rejected = lyf_rejects_count(run->rejects) - slice->rejected;
	lyf_slice_done(slice, started, &counts, result.doubtful);
}

/* Take the next slice that waits, if there is one, and read it. */
static bool
read_slice(void *arg)
{
	LyfRun	   *run = arg;
	LyfRunSlice *slice = lyf_slice_claim(run->sliced);

	if (slice != NULL)
	{
		run->slice = *slice;
		read_rows(run, slice);
	}
	return true;
}

static bool
note_failure(void *arg)
{
	LyfRun	   *run = arg;
	const ErrorData *error = run->slice_error;
	int64		wait_ms = lyf_slice_failed(&run->slice, error);

	/* what was rejected last may be why: it stays to be seen */
	if (wait_ms < 0 && run->rejects != NULL)
		lyf_rejects_flush(run->rejects);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("slice %d of pipeline \"%s\" could not be read: %s", run->slice.number, run->name, error->message),
			 wait_ms < 0 ? errdetail("It is not tried again.") : errdetail("It is tried again in " INT64_FORMAT " ms.", wait_ms)));
	return true;
}

/* One slice, by what reads it and what writes its failure down: that alone is no failure of the run. */
static ErrorData *
do_slice(LyfRun *run, bool (*what) (void *run), bool (*failed) (void *run))
{
	ErrorData  *error;

	run->slice.number = 0;
	error = lyf_run_commit(run, what);
	if (error == NULL || error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return error;
	/* as if none had waited: somebody took the one that was looked at, and the transaction is not read committed */
	if (run->slice.number == 0)
		return error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ? NULL : error;
	run->slice_error = error;
	return lyf_run_commit(run, failed);
}

/* Where are we?  Raises if a slice was given up. */
static bool
look(void *arg)
{
	LyfRun	   *run = arg;

	lyf_slices_raise(run->sliced);
	lyf_slices_look(run->sliced, &run->tally);
	if (run->counts.checkpoints == run->tally.done)
		return true;
	run->counts.read = run->tally.read;
	run->counts.written = run->tally.written;
	run->counts.rejected = run->tally.rejected;
	run->counts.checkpoints = run->tally.done;
	lyf_job_progress(run->id, &run->counts);
	return true;
}

static bool
wait_for_others(void *arg)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = LYF_WAIT_EVENT("LyftronSlices");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, LOOK_MS, wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

static void
check_rejected(const LyfRun *run)
{
	const LyfPipeline *p = run->pipeline;

	if (p->max_rejected >= 0 && run->tally.rejected > p->max_rejected)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("more than " INT64_FORMAT " records of pipeline \"%s\" were rejected", p->max_rejected, p->name),
				 errhint("See lyftron.rejected_records; the pipeline's max_rejected says how many are accepted.")));
}

/* All slices are there: the heap takes the table's place. */
static bool
finish(void *arg)
{
	LyfRun	   *run = arg;
	LyfPipeline *p = run->pipeline;
	LyfLoadSpec spec = {0};
	LyfLoadResult result = {0};
	LyfValue   *state;
	LyfValue   *page;
	LyfSourceScope scope;
	LyfSource  *source;

	check_rejected(run);
	lyf_state_get(p->name, &state, &page);
	source = enter(run, &scope);
	check_source(source, page);
	lyf_run_spec(run, source, &spec);
	spec.heaps = lyf_value_get(page, "heaps");
	spec.distinct = run->tally.doubtful == 0;
	spec.goes_on = true;
	load(run, source, &spec, NULL, true, &result);
	lyf_source_leave(&scope);
	lyf_state_put(p->name, source->stream, NULL, NULL);
	lyf_pipeline_note_key(p, lyf_mode_id_columns(spec.mode, p->primary_key));
	run->counts.written += result.written;
	run->counts.checkpoints++;
	lyf_job_succeeded(run->id, &run->counts);
	if (run->caller->dismiss != NULL)
		run->caller->dismiss(run->caller->arg, p, false);
	if (run->caller->finish != NULL)
		run->caller->finish(run->caller->arg);
	return true;
}

ErrorData *
lyf_run_slices(LyfRun *run)
{
	ErrorData  *error = lyf_run_commit(run, begin);

	if (error == NULL)
		error = lyf_run_commit(run, look);
	while (error == NULL && run->tally.waiting > 0)
	{
		error = do_slice(run, read_slice, note_failure);
		if (error == NULL && run->slice.number == 0)
			error = lyf_run_commit(run, wait_for_others);
		if (error == NULL)
			error = lyf_run_commit(run, look);
	}
	return error != NULL ? error : lyf_run_commit(run, finish);
}

static bool
help(void *arg)
{
	LyfRun	   *run = arg;
	LyfRunSlice *slice = lyf_pipeline_exists(run->name) ? lyf_slice_claim(run->sliced) : NULL;

	if (slice != NULL)
	{
		run->slice = *slice;
		run->id = slice->run != 0 ? slice->run : slice->sliced;
		run->pipeline = lyf_pipeline_get(run->name);
		read_rows(run, slice);
	}
	run->caller->finish(run->caller->arg);
	return true;
}

static bool
help_failed(void *arg)
{
	LyfRun	   *run = arg;

	(void) note_failure(run);
	run->caller->finish(run->caller->arg);
	return true;
}

ErrorData *
lyf_pipeline_help(const char *name, int64 sliced, const LyfRunCaller *caller)
{
	MemoryContext cxt = CurrentMemoryContext;
	ErrorData  *error;
	LyfRun	   *run;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	run = lyf_run_make(name, caller);
	run->sliced = sliced;
	error = do_slice(run, help, help_failed);
	/* the error is in it */
	MemoryContextSetParent(run->cxt, cxt);
	SPI_finish();
	MemoryContextSwitchTo(cxt);
	return error;
}
