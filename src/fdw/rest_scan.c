/*
 * rest_scan.c
 *		Running a scan of a REST stream: page by page, a page only when a row of
 *		it is asked for.
 *
 * A row is made of the memory of its page, which the next page takes back, and of
 * its own, which the next row takes back.  A
 * pipeline may steer the scan of its source (LyfScanControl): the scan then
 * goes on from a state and stops at page boundaries for checkpoints.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/settings.h"
#include "fdw/fdw_internal.h"

LyfScanControl *lyf_scan_control = NULL;

LyfRowCast *
lyf_rest_row_cast(const LyfRestTable *table, TupleDesc desc, List *attrs)
{
	LyfRowColumn *columns = palloc0(Max(list_length(attrs), 1) * sizeof(LyfRowColumn));
	int			count = 0;
	ListCell   *lc;

	foreach(lc, attrs)
	{
		const LyfRestColumn *column = &table->columns[lfirst_int(lc) - 1];

		columns[count].attno = column->attno;
		columns[count].path = column->path;
		columns[count].path_len = column->path_len;
		count++;
	}
	return lyf_row_cast_begin(desc, columns, count);
}

/* the pushed conditions of a plan that hold for the table as it is now */
static void
init_pushed(LyfRestScan *scan, ForeignScanState *node)
{
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	List	   *saved = list_nth(plan->fdw_private, LYF_PRIVATE_PUSHED);
	ListCell   *lc;
	ListCell   *expr;

	forboth(lc, saved, expr, plan->fdw_exprs)
	{
		LyfPush    *push = palloc(sizeof(LyfPush));

		*push = lyf_push_load(lfirst(lc));
		push->value = lfirst(expr);
		if (!lyf_pushdown || !lyf_push_valid(scan->table, push))
			push = NULL;
		scan->pushed = lappend(scan->pushed, push);
		scan->push_values = lappend(scan->push_values,
									push ? ExecInitExpr(push->value, &node->ss.ps) : NULL);
	}
}

void
lyf_rest_begin(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	EState	   *estate = node->ss.ps.state;
	Relation	rel = node->ss.ss_currentRelation;
	LyfRestScan *scan = palloc0(sizeof(LyfRestScan));
	MemoryContext caller;

	scan->cxt = AllocSetContextCreate(estate->es_query_cxt, "lyftron scan", ALLOCSET_DEFAULT_SIZES);
	scan->read_cxt = AllocSetContextCreate(scan->cxt, "lyftron read", ALLOCSET_DEFAULT_SIZES);
	scan->row_cxt = AllocSetContextCreate(scan->cxt, "lyftron row", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(scan->cxt);
	scan->table = lyf_rest_table_open(rel, lyf_rest_user(lyf_scan_check_as_user(plan, estate)));
	scan->cast = lyf_rest_row_cast(scan->table, RelationGetDescr(rel),
								   list_nth(plan->fdw_private, LYF_PRIVATE_ATTRS));
	scan->rows_wanted = intVal(list_nth(plan->fdw_private, LYF_PRIVATE_WANTED));
	MemoryContextSwitchTo(caller);
	init_pushed(scan, node);
	node->fdw_state = scan;
}

/* may this condition be part of the read?  A steered one must be the same at each checkpoint */
static bool
push_is_usable(const LyfRestScan *scan, const LyfPush *push)
{
	if (push == NULL)
		return false;
	return scan->control == NULL ||
		(scan->control->full_refresh && IsA(push->value, Const) &&
		 !((Const *) push->value)->constisnull);
}

/* evaluate the pushed conditions into options; false: no row can match */
static bool
apply_pushed(LyfRestScan *scan, ForeignScanState *node, LyfReadOptions *options)
{
	ListCell   *lc;
	ListCell   *value;

	forboth(lc, scan->pushed, value, scan->push_values)
	{
		const LyfPush *push = lfirst(lc);
		Datum		datum;
		bool		isnull;

		if (!push_is_usable(scan, push))
			continue;
		datum = ExecEvalExprSwitchContext(lfirst(value), node->ss.ps.ps_ExprContext, &isnull);
		if (!lyf_push_apply(scan->table, push, datum, exprType((Node *) push->value),
							isnull, options))
			return false;
	}
	return true;
}

/* let a pipeline steer this scan, if it is the one that it means */
static void
claim_control(LyfRestScan *scan)
{
	LyfScanControl *control = lyf_scan_control;

	if (scan->control != NULL || control == NULL || control->scanned ||
		control->relid != scan->table->relid)
		return;
	scan->control = control;
	control->scanned = true;
	control->more = false;
}

/* begin to read, or to read again, with the conditions' values of this moment */
static void
start_read(LyfRestScan *scan, ForeignScanState *node)
{
	LyfReadOptions options = {0};
	MemoryContext caller;

	scan->started = true;
	claim_control(scan);
	caller = MemoryContextSwitchTo(scan->read_cxt);
	options.stats = &scan->stats;
	if (scan->control != NULL)
	{
		options.state = scan->control->state;
		options.position = scan->control->position;
		options.full_refresh = scan->control->full_refresh;
	}
	scan->done = !apply_pushed(scan, node, &options);
	MemoryContextSwitchTo(scan->cxt);
	if (!scan->done && scan->reader != NULL)
		LYF_CHECK(lyf_reader_restart(scan->reader, &options));
	else if (!scan->done)
		LYF_CHECK(lyf_reader_begin(scan->table->account, scan->table->stream, &options, &scan->reader));
	MemoryContextSwitchTo(caller);
	scan->page_read = false;
	scan->rows = 0;
	scan->checkpoint_start_us = lyf_monotonic_us();
	scan->checkpoint_start_bytes = scan->stats.body_bytes;
}

/* add what has been counted since the last time */
static void
add_stats(LyfNetStats *sum, const LyfNetStats *now, LyfNetStats *before)
{
	sum->requests += now->requests - before->requests;
	sum->retries += now->retries - before->retries;
	sum->pages += now->pages - before->pages;
	sum->wire_bytes += now->wire_bytes - before->wire_bytes;
	sum->body_bytes += now->body_bytes - before->body_bytes;
	sum->network_us += now->network_us - before->network_us;
	sum->wait_us += now->wait_us - before->wait_us;
	*before = *now;
}

/* tell the pipeline where the read stands; position stays NULL at its end */
static void
report_state(LyfRestScan *scan)
{
	LyfScanControl *control = scan->control;
	MemoryContext caller = MemoryContextSwitchTo(control->cxt);

	LYF_CHECK(lyf_reader_state(scan->reader, &control->new_state));
	control->new_position = lyf_reader_position(scan->reader);
	control->more = control->new_position != NULL;
	MemoryContextSwitchTo(caller);
}

/* for those who watch the run */
static void
report_slices(LyfRestScan *scan)
{
	MemoryContext cxt = AllocSetContextCreate(scan->read_cxt, "lyftron slices", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(cxt);

	lyf_reader_slices(scan->reader, &scan->control->slices_read, &scan->control->slices);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(cxt);
}

/* is it time for a checkpoint, at this page boundary? */
static bool
checkpoint_due(const LyfRestScan *scan)
{
	const LyfScanControl *control = scan->control;

	if (control == NULL || !control->checkpoints || !scan->page_read || !lyf_reader_may_stop(scan->reader))
		return false;
	return scan->stats.body_bytes - scan->checkpoint_start_bytes >= control->checkpoint_bytes ||
		lyf_monotonic_us() - scan->checkpoint_start_us >= control->checkpoint_ms * 1000;
}

/*
 * Let the source work on what comes next.  A pipeline will want it, unless it
 * stops here; a query may be content with what it has: the more it has read,
 * the more is asked for ahead.
 */
static void
read_ahead(LyfRestScan *scan)
{
	int			limit = (int) Min(scan->pages - 1, PG_INT32_MAX);

	if (scan->control != NULL)
		limit = checkpoint_due(scan) ? 0 : PG_INT32_MAX;
	else if (scan->rows_wanted > 0 && scan->rows >= scan->rows_wanted)
		limit = 0;
	lyf_reader_ahead(scan->reader, limit);
}

/* fetch the next page; false: there is none, or the scan stops here for a checkpoint */
static bool
next_page(LyfRestScan *scan)
{
	MemoryContext caller;
	TimestampTz extracted_at;

	if (checkpoint_due(scan))
	{
		report_state(scan);
		if (scan->control->more)
			return false;
	}

	caller = MemoryContextSwitchTo(scan->read_cxt);
	LYF_CHECK(lyf_reader_next(scan->reader, &scan->records, &extracted_at));
	MemoryContextSwitchTo(caller);
	scan->next = 0;
	scan->page_read = true;
	scan->pages++;
	if (scan->control != NULL && scan->control->full_refresh && lyf_reader_restarted(scan->reader))
	{
		/* what earlier pieces loaded would come again */
		scan->control->restarted = true;
		scan->records = NULL;
		return false;
	}
	if (scan->records != NULL)
		scan->rows += scan->records->count;
	if (scan->records != NULL && (scan->control != NULL || scan->records->count == 0))
		read_ahead(scan);
	if (scan->control != NULL)
	{
		add_stats(&scan->control->stats, &scan->stats, &scan->reported);
		if (scan->records == NULL)
			report_state(scan);
		else
		{
			scan->control->records += scan->records->count;
			scan->control->extracted_at = extracted_at;
			if (scan->pages == 1 || lyf_reader_slice_done(scan->reader))
				report_slices(scan);
		}
	}
	return scan->records != NULL;
}

/*
 * A record that its row cannot hold: kept by the pipeline, or the end of the
 * query.  A source may send back the secrets that it was given.
 */
static void
reject_record(LyfRestScan *scan, const LyfValue *record, const LyfFailure *failure)
{
	LyfScanControl *control = scan->control;

	failure = lyf_reader_redact(scan->reader, failure);
	if (control == NULL || control->reject == NULL)
		lyf_failure_raise(failure);
	control->reject(control->reject_arg, failure, scan->table->stream_name,
					lyf_reader_redact_text(scan->reader, lyf_value_to_text(record)));
}

/* the next record that makes a row, into the slot; false at the end */
static bool
next_row(LyfRestScan *scan, TupleTableSlot *slot)
{
	for (;;)
	{
		MemoryContext caller;
		LyfFailure *failure;
		LyfValue   *record;

		while (scan->records == NULL || scan->next >= scan->records->count)
		{
			CHECK_FOR_INTERRUPTS();
			if (!next_page(scan))
				return false;
		}
		/* A query that went through half of a page is likely to want the next one */
		if (scan->control == NULL && scan->next == scan->records->count / 2)
			read_ahead(scan);
		record = scan->records->record[scan->next++];
		MemoryContextReset(scan->row_cxt);
		caller = MemoryContextSwitchTo(scan->row_cxt);
		failure = lyf_row_cast(scan->cast, record, slot->tts_values, slot->tts_isnull);
		if (failure != NULL)
			reject_record(scan, record, failure);
		MemoryContextSwitchTo(caller);
		if (failure == NULL)
			return true;
	}
}

static void
describe_scan(void *arg)
{
	LyfRestScan *scan = arg;

	if (scan->reader != NULL)
		errcontext("reading %s", lyf_reader_describe(scan->reader));
	else
		errcontext("reading server \"%s\", stream \"%s\"",
				   scan->table->account->server_name, scan->table->stream_name);
}

TupleTableSlot *
lyf_rest_iterate(ForeignScanState *node)
{
	LyfRestScan *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	ErrorContextCallback context;

	ExecClearTuple(slot);
	if (scan->done)
		return slot;

	context.callback = describe_scan;
	context.arg = scan;
	context.previous = error_context_stack;
	error_context_stack = &context;
	if (!scan->started)
		start_read(scan, node);
	if (!scan->done && next_row(scan, slot))
		ExecStoreVirtualTuple(slot);
	else
		scan->done = true;
	error_context_stack = context.previous;
	return slot;
}

/* the reader is kept: it knows the parents' partitions when the next start asks for others */
void
lyf_rest_rescan(ForeignScanState *node)
{
	LyfRestScan *scan = node->fdw_state;

	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	scan->records = NULL;
	scan->started = false;
	scan->done = false;
	MemoryContextReset(scan->read_cxt);
}

void
lyf_rest_end(ForeignScanState *node)
{
	LyfRestScan *scan = node->fdw_state;

	if (scan == NULL)
		return;
	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	if (scan->reader != NULL)
		lyf_reader_end(scan->reader);
	MemoryContextDelete(scan->cxt);
	node->fdw_state = NULL;
}
