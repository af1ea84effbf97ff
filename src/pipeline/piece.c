/*
 * piece.c
 *		One piece of a run: the pipeline's query, or a part of it, into the loader.
 *
 * Where a piece may end: a stream of lyftron_rest at a page boundary, which its state or position
 * tells; any other source that is read in the order of its cursor between two values of it, and
 * then the state is all that there is to tell: the next piece reads what is above, the next run what is
 * not below.  Rows without a cursor are a piece of their own, the last one.
 */
#include "postgres.h"

#include "executor/execdesc.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/settings.h"
#include "pipeline/pipeline_internal.h"

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

bool
lyf_run_is_bounded(const LyfRun *run)
{
	return run->caller->occasion != NULL && run->caller->occasion->bounded;
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

static bool
is_full_refresh(const LyfRun *run)
{
	return lyf_mode_is_full_refresh(lyf_mode_get(run->pipeline->mode));
}

/* Shapes of JSON columns are learned once and kept with the pipeline. */
static List *
get_shapes(LyfRun *run, const LyfSource *source)
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

/* Where its rejected records go, unless that is known. */
static void
begin_rejects(LyfRun *run, const LyfSource *source)
{
	const LyfPipeline *p = run->pipeline;
	MemoryContext old;

	if (run->rejects != NULL)
		return;
	old = MemoryContextSwitchTo(run->cxt);
	run->rejects = lyf_rejects_begin(p->name, run->id, source->stream, strcmp(p->on_reject, "keep") == 0, p->max_rejected, 0);
	MemoryContextSwitchTo(old);
}

void
lyf_run_spec(LyfRun *run, const LyfSource *source, LyfLoadSpec *spec)
{
	const LyfPipeline *p = run->pipeline;

	begin_rejects(run, source);
	spec->mode = lyf_mode_get(p->mode);
	spec->nested = lyf_nested_get(p->nested);
	spec->policy = lyf_policy_get(p->schema_policy);
	lyf_run_history(run, spec);
	spec->casts = p->casts;
	spec->schema = p->schema;
	spec->table = p->table;
	spec->run = run->id;
	spec->primary_key = p->primary_key;
	spec->shapes = get_shapes(run, source);
	spec->rejects = run->rejects;
	spec->heaps = run->heaps;
	spec->doubles = run->doubles;
	spec->loaded = run->counts.written;
}

static void
set_control(LyfScanControl *control, const LyfRun *run, const LyfSource *source, bool bare)
{
	bool		full_refresh = is_full_refresh(run);

	control->relid = source->relid;
	control->full_refresh = full_refresh || !source->native || lyf_run_is_bounded(run);
	control->state = control->full_refresh ? NULL : run->began;
	control->position = lyf_run_is_bounded(run) ? NULL : run->position;
	/* with a cursor of its own, the pipeline only knows the greatest value at the end */
	control->checkpoints = source->shape != NULL && bare && !run->atomic && (full_refresh || source->native) && !lyf_run_is_bounded(run);
	control->checkpoint_ms = lyf_checkpoint_interval;
	control->checkpoint_bytes = (int64) lyf_checkpoint_size * 1024;
	control->reject = reject;
	control->reject_arg = run->rejects;
	control->cxt = CurrentMemoryContext;
}

void
lyf_run_execute(PlannedStmt *plan, const char *sql, DestReceiver *receiver, LyfScanControl *control)
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

/* is it the pipeline, and not the stream, that knows how far it came? */
static bool
keeps_cursor(const LyfRun *run, const LyfSource *source)
{
	return !source->native && run->pipeline->cursor != NULL && !is_full_refresh(run);
}

/* the cursor's value in the state, or NULL */
static const char *
cursor_reached(const LyfRun *run)
{
	LyfValue   *value = lyf_value_get(run->state, run->pipeline->cursor);

	if (value == NULL || value->kind == LYF_NULL)
		return NULL;
	return value->kind == LYF_STRING ? value->u.text : lyf_value_to_text(value);
}

static const char *
look_back(const LyfPipeline *p, const LyfSource *source, const char *value)
{
	Form_pg_attribute column = lyf_source_column(source, p->cursor);
	const LyfOrder *order = column != NULL ? lyf_order_get(column->atttypid) : NULL;

	if (p->lookback == NULL || value == NULL || !lyf_order_has_steps(order))
		return value;
	return lyf_order_back(order, value, p->lookback);
}

/* Which rows the piece is to read; NULL: all. */
static LyfRange *
choose_range(const LyfRun *run, const LyfSource *source)
{
	const LyfPipeline *p = run->pipeline;
	LyfRange   *range = palloc0(sizeof(LyfRange));

	range->column = p->cursor;
	if (lyf_run_is_bounded(run))
	{
		range->low = pstrdup(timestamptz_to_str(run->caller->occasion->since));
		range->high = pstrdup(timestamptz_to_str(run->caller->occasion->until));
		return range;
	}
	if (!keeps_cursor(run, source))
		return NULL;
	range->low = cursor_reached(run);
	range->above = run->phase == LYF_PHASE_ONWARD;
	range->nulls = run->phase == LYF_PHASE_NULLS ? LYF_NULLS_ONLY :
		run->phase == LYF_PHASE_ONWARD ? LYF_NULLS_NOT : LYF_NULLS_TOO;
	if (run->phase == LYF_PHASE_FIRST)
		range->low = look_back(p, source, range->low);
	return range;
}

/* A plan that gives the rows of a range in its order without sorting them here; NULL: there is none. */
static PlannedStmt *
plan_ordered(const LyfRun *run, const LyfSource *source, const LyfRange *range, char **sql)
{
	LyfRange	ordered = *range;
	Form_pg_attribute column = lyf_source_column(source, range->column);
	PlannedStmt *plan;

	if (column == NULL || range->nulls == LYF_NULLS_ONLY)
		return NULL;
	ordered.nulls = LYF_NULLS_NOT;
	ordered.ordered = true;
	*sql = lyf_source_sql(run->pipeline, source, &ordered);
	plan = lyf_source_plan(*sql);
	if (lyf_plan_sorts(plan) || !lyf_order_is_everywhere(lyf_order_get(column->atttypid)))
		return NULL;
	return plan;
}

/* The query of the piece; ordered: it may end before the query does. */
static PlannedStmt *
plan_piece(const LyfRun *run, const LyfSource *source, char **sql, bool *ordered)
{
	LyfRange   *range = choose_range(run, source);
	PlannedStmt *plan = NULL;

	if (keeps_cursor(run, source) && !run->atomic && !lyf_run_is_bounded(run))
		plan = plan_ordered(run, source, range, sql);
	*ordered = plan != NULL;
	if (plan != NULL)
		return plan;
	*sql = lyf_source_sql(run->pipeline, source, range);
	return lyf_source_plan(*sql);
}

/* What comes after a piece by cursor; false: nothing. */
static bool
next_phase(LyfRun *run, const LyfSource *source, bool ordered, bool ended)
{
	if (ended)
		run->phase = LYF_PHASE_ONWARD;
	else if ((ordered || run->phase == LYF_PHASE_ONWARD) && lyf_source_nullable(source, run->pipeline->cursor))
		run->phase = LYF_PHASE_NULLS;
	else
		return false;
	return true;
}

/* The state after a piece: the stream's own, or the greatest value of the cursor column. */
static LyfValue *
next_state(const LyfRun *run, const LyfSource *source, const LyfScanControl *control, const LyfLoadResult *result)
{
	LyfValue   *state;

	if (is_full_refresh(run))
		return NULL;
	if (source->native)
		return control->scanned && control->new_state != NULL ? control->new_state : run->state;
	if (result->cursor == NULL)
		return run->state;
	state = lyf_value_make(LYF_MAP);
	lyf_value_set(state, run->pipeline->cursor, lyf_value_string(result->cursor));
	return state;
}

static LyfValue *
make_page(const LyfRun *run)
{
	LyfValue   *page = lyf_value_make(LYF_MAP);

	lyf_value_set(page, "position", lyf_value_alias(run->position));
	if (run->began != NULL)
		lyf_value_set(page, "state", lyf_value_alias(run->began));
	if (run->heaps != NULL)
		lyf_value_set(page, "heaps", lyf_value_alias(run->heaps));
	return page;
}

static void
keep_state(LyfRun *run, const LyfSource *source, const LyfScanControl *control, const LyfLoadResult *result)
{
	LyfValue   *state = next_state(run, source, control, result);
	MemoryContext cxt;
	MemoryContext old;

	if (lyf_run_is_bounded(run))
		return;
	cxt = AllocSetContextCreate(run->cxt, "lyftron run state", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	run->state = state ? lyf_value_copy(state) : NULL;
	run->position = control->more ? lyf_value_copy(control->new_position) : NULL;
	run->heaps = control->more && result->heaps ? lyf_value_copy(result->heaps) : NULL;
	MemoryContextSwitchTo(old);
	/* a state may be large: that of the piece before goes */
	if (run->state_cxt != NULL)
		MemoryContextDelete(run->state_cxt);
	run->state_cxt = cxt;
	lyf_state_put(run->pipeline->name, source->stream, run->state, run->position != NULL ? make_page(run) : NULL);
}

static void
count(LyfRun *run, const LyfScanControl *control, const LyfLoadResult *result, bool more)
{
	LyfJobCounts *counts = &run->counts;
	const LyfMode *mode = lyf_mode_get(run->pipeline->mode);

	counts->read += control->scanned ? control->records : result->read;
	counts->written += result->written;
	counts->rejected = lyf_rejects_count(run->rejects);
	counts->left_out += result->left_out;
	counts->requests += control->stats.requests;
	counts->bytes += control->stats.wire_bytes;
	counts->checkpoints++;
	if (!more || !is_full_refresh(run))
		lyf_pipeline_note_key(run->pipeline, lyf_mode_id_columns(mode, run->pipeline->primary_key));
	if (more)
		lyf_job_progress(run->id, counts);
	else
		lyf_job_succeeded(run->id, counts);
}

static void
check_restarts(const LyfRun *run)
{
	if (run->restarts < MAX_RESTARTS)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the source changes faster than pipeline \"%s\" can read it", run->pipeline->name),
			 errdetail("The place of the last checkpoint was gone again after %d new beginnings.", run->restarts),
			 errhint("Raise lyftron.checkpoint_interval and lyftron.checkpoint_size, so that a run needs fewer checkpoints.")));
}

/* What is special of a piece that is read by the pipeline's own cursor. */
static void
set_cursor(LyfLoadSpec *spec, const LyfRun *run, bool ordered)
{
	spec->cursor = run->pipeline->cursor;
	spec->cursor_floor = lyf_run_is_bounded(run) ? NULL : cursor_reached(run);
	spec->ordered = ordered;
	spec->checkpoint_ms = lyf_checkpoint_interval;
	spec->checkpoint_bytes = (int64) lyf_checkpoint_size * 1024;
}

/* A run that took up where another one stopped has not seen all. */
static void
begin_profile(LyfRun *run, TupleDesc desc)
{
	MemoryContext old;

	if (run->profile != NULL || !lyf_learn_schema)
		return;
	old = MemoryContextSwitchTo(run->cxt);
	run->profile = lyf_profile_begin(desc);
	MemoryContextSwitchTo(old);
}

bool
lyf_run_piece(LyfRun *run)
{
	LyfPipeline *p = run->pipeline;
	LyfSourceScope scope = lyf_source_enter(p);
	LyfScanControl control = {0};
	LyfLoadSpec spec = {0};
	LyfLoadResult result = {0};
	LyfSource  *source;
	PlannedStmt *plan;
	TupleDesc	desc;
	LyfLoad    *load;
	char	   *sql;
	bool		ordered;
	bool		more;

	if (run->adds)
		check_key(p);
	if (lyf_run_is_bounded(run))
		lyf_pipeline_check_window(p);
	lyf_occasion_show(run->caller->occasion);
	PushActiveSnapshot(GetTransactionSnapshot());
	source = lyf_source_open(p);
	plan = plan_piece(run, source, &sql, &ordered);
	lyf_run_spec(run, source, &spec);
	set_control(&control, run, source, lyf_source_is_scan(plan, source->relid));
	spec.control = source->shape != NULL ? &control : NULL;
	spec.goes_on = run->phase != LYF_PHASE_FIRST || control.position != NULL;
	if (keeps_cursor(run, source))
		set_cursor(&spec, run, ordered);
	desc = ExecCleanTypeFromTL(plan->planTree->targetlist);
	begin_profile(run, desc);
	spec.profile = run->profile;
	load = lyf_load_begin(&spec, desc);
	PopActiveSnapshot();

	lyf_run_execute(plan, sql, lyf_load_receiver(load), source->shape != NULL ? &control : NULL);
	if (control.restarted)
	{
		check_restarts(run);
		run->lost = true;
		return true;
	}
	control.more = control.scanned && control.more;
	more = control.more || (keeps_cursor(run, source) && next_phase(run, source, ordered, lyf_load_ended(load)));
	lyf_load_end(load, !more, &result);
	keep_state(run, source, &control, &result);
	count(run, &control, &result, more);
	lyf_source_leave(&scope);
	if (!more && run->profile != NULL)
		lyf_profile_store(run->profile, p->name, run->id, is_full_refresh(run));
	return more;
}
