/*
 * batch_exec.c
 *		Running a join with a foreign table that is asked for many keys at a time.
 *
 * Outer rows are collected until there are enough keys, or they take too much memory;
 * the inner scan starts anew with these keys; each row that it gives is joined with the
 * outer rows of its hash value for which all join conditions hold.  Then the next
 * batch.  The first is small, so that a LIMIT need not wait for many; each is twice as
 * large as the one before.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include LYF_EXPLAIN_STATE_H
#include LYF_EXPLAIN_FORMAT_H

#include "fdw/batch.h"

/* An outer row that waits for its partners. */
typedef struct Row
{
	MinimalTuple tuple;
	Datum		key;
	uint32		hash;
	bool		matched;
	int			next;			/* of the same bucket, or one of these: */
} Row;

#define LAST_OF_BUCKET	(-1)
#define IN_NO_BUCKET	(-2)

typedef struct BatchState
{
	CustomScanState css;
	JoinType	jointype;
	int			outer_count;	/* columns of the outer plan; the inner plan's come behind them */
	int			inner_count;
	int			key;			/* which inner column is looked up */
	ExprState  *outer_key;
	ExprState  *join_qual;
	Oid			key_type;
	bool		key_by_value;
	int16		key_length;
	char		key_align;
	Oid			collation;
	FmgrInfo	outer_hash;
	FmgrInfo	inner_hash;
	MemoryContext cxt;			/* of the batch */
	TupleTableSlot *outer_slot; /* the outer row that stands in the scan slot */
	Row		   *rows;
	int			count;
	int			batch;			/* rows of the next one at most */
	int		   *buckets;		/* the first row of each, or LAST_OF_BUCKET */
	uint32		mask;
	TupleTableSlot *inner_slot; /* the inner row that is being joined, NULL: the next is to be fetched */
	int			candidate;		/* the outer row that it is tried with next, -1: none is left */
	int			unmatched;		/* while rows without partners are given: the next one to look at; else -1 */
	bool		asked;			/* the inner scan runs */
	bool		outer_done;
	int64		batches;
	int64		keys;
} BatchState;

static PlanState *
outer_plan(BatchState *state)
{
	return linitial(state->css.custom_ps);
}

static PlanState *
inner_plan(BatchState *state)
{
	return lsecond(state->css.custom_ps);
}

static void
begin(CustomScanState *node, EState *estate, int eflags)
{
	BatchState *state = (BatchState *) node;
	CustomScan *plan = castNode(CustomScan, node->ss.ps.plan);
	List	   *private = plan->custom_private;
	Oid			operator = (Oid) intVal(list_nth(private, LYF_BATCH_OPERATOR));
	RegProcedure outer_hash;
	RegProcedure inner_hash;

	node->custom_ps = list_make2(ExecInitNode(linitial(plan->custom_plans), estate, eflags),
								 ExecInitNode(lsecond(plan->custom_plans), estate, eflags));
	state->jointype = intVal(list_nth(private, LYF_BATCH_JOIN));
	state->outer_count = intVal(list_nth(private, LYF_BATCH_OUTER));
	state->inner_count = list_length(plan->custom_scan_tlist) - state->outer_count;
	state->key = intVal(list_nth(private, LYF_BATCH_KEY));
	state->collation = (Oid) intVal(list_nth(private, LYF_BATCH_COLLATION));
	state->join_qual = ExecInitQual(linitial(plan->custom_exprs), &node->ss.ps);
	state->outer_key = ExecInitExpr(lsecond(plan->custom_exprs), &node->ss.ps);
	state->key_type = exprType(lsecond(plan->custom_exprs));
	get_typlenbyvalalign(state->key_type, &state->key_length, &state->key_by_value, &state->key_align);
	if (!get_op_hash_functions(operator, &outer_hash, &inner_hash))
		elog(ERROR, "operator %u of a join in batches has no hash functions", operator);
	fmgr_info(outer_hash, &state->outer_hash);
	fmgr_info(inner_hash, &state->inner_hash);
	state->outer_slot = ExecInitExtraTupleSlot(estate, ExecGetResultType(outer_plan(state)), &TTSOpsMinimalTuple);
	state->cxt = AllocSetContextCreate(estate->es_query_cxt, "lyftron batch", ALLOCSET_DEFAULT_SIZES);
	state->batch = LYF_FIRST_BATCH;
	state->unmatched = -1;
	state->candidate = -1;
}

/* Put an outer row's columns into the scan slot; the inner ones are null so far. */
static void
show_outer(BatchState *state, TupleTableSlot *outer)
{
	TupleTableSlot *scan = state->css.ss.ss_ScanTupleSlot;

	slot_getallattrs(outer);
	ExecClearTuple(scan);
	memcpy(scan->tts_values, outer->tts_values, state->outer_count * sizeof(Datum));
	memcpy(scan->tts_isnull, outer->tts_isnull, state->outer_count * sizeof(bool));
	memset(scan->tts_isnull + state->outer_count, true, state->inner_count * sizeof(bool));
	memset(scan->tts_values + state->outer_count, 0, state->inner_count * sizeof(Datum));
	ExecStoreVirtualTuple(scan);
	state->css.ss.ps.ps_ExprContext->ecxt_scantuple = scan;
}

static void
show_both(BatchState *state, const Row *row)
{
	TupleTableSlot *scan = state->css.ss.ss_ScanTupleSlot;

	ExecStoreMinimalTuple(row->tuple, state->outer_slot, false);
	show_outer(state, state->outer_slot);
	memcpy(scan->tts_values + state->outer_count, state->inner_slot->tts_values, state->inner_count * sizeof(Datum));
	memcpy(scan->tts_isnull + state->outer_count, state->inner_slot->tts_isnull, state->inner_count * sizeof(bool));
}

/* Keep an outer row; where its key is null it has no partners. */
static void
keep_row(BatchState *state, TupleTableSlot *outer)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	Row		   *row = &state->rows[state->count];
	MemoryContext old;
	bool		isnull;
	Datum		key;

	show_outer(state, outer);
	key = ExecEvalExprSwitchContext(state->outer_key, econtext, &isnull);
	if (isnull && (state->jointype == JOIN_INNER || state->jointype == JOIN_SEMI))
		return;
	old = MemoryContextSwitchTo(state->cxt);
	row->tuple = ExecCopySlotMinimalTuple(outer);
	row->matched = false;
	row->next = isnull ? IN_NO_BUCKET : LAST_OF_BUCKET;
	if (!isnull)
	{
		row->key = datumCopy(key, state->key_by_value, state->key_length);
		row->hash = DatumGetUInt32(FunctionCall1Coll(&state->outer_hash, state->collation, key));
	}
	MemoryContextSwitchTo(old);
	state->count++;
	ResetExprContext(econtext);
}

/* Put the row into its bucket; false: its key stands there already. */
static bool
file_row(BatchState *state, int number)
{
	Row		   *row = &state->rows[number];
	int		   *bucket = &state->buckets[row->hash & state->mask];
	bool		known = false;

	for (int i = *bucket; i >= 0 && !known; i = state->rows[i].next)
		known = state->rows[i].hash == row->hash &&
			datumIsEqual(state->rows[i].key, row->key, state->key_by_value, state->key_length);
	row->next = *bucket;
	*bucket = number;
	return !known;
}

/* Let the inner scan start anew with these keys. */
static void
give_keys(BatchState *state, Datum *keys, int count)
{
	ExprContext *econtext = inner_plan(state)->ps_ExprContext;
	MemoryContext old = MemoryContextSwitchTo(state->cxt);

	econtext->caseValue_datum = PointerGetDatum(construct_array(keys, count, state->key_type, state->key_length,
																 state->key_by_value, state->key_align));
	econtext->caseValue_isNull = false;
	MemoryContextSwitchTo(old);
	ExecReScan(inner_plan(state));
}

/* File the rows of the batch, and ask for their keys' partners. */
static void
ask(BatchState *state)
{
	Datum	   *keys = MemoryContextAlloc(state->cxt, state->count * sizeof(Datum));
	uint32		size = pg_nextpower2_32(Max(state->count, 1));
	int			count = 0;

	state->mask = size - 1;
	state->buckets = MemoryContextAlloc(state->cxt, size * sizeof(int));
	memset(state->buckets, 0xff, size * sizeof(int));
	for (int i = 0; i < state->count; i++)
		if (state->rows[i].next != IN_NO_BUCKET && file_row(state, i))
			keys[count++] = state->rows[i].key;
	state->asked = count > 0;
	if (!state->asked)
		return;
	give_keys(state, keys, count);
	state->batches++;
	state->keys += count;
}

/* false: there are no more rows */
static bool
next_batch(BatchState *state)
{
	Size		limit = (Size) work_mem * 1024;

	MemoryContextReset(state->cxt);
	state->count = 0;
	if (state->outer_done)
		return false;
	state->rows = MemoryContextAlloc(state->cxt, state->batch * sizeof(Row));
	while (state->count == 0 || (state->count < state->batch && MemoryContextMemAllocated(state->cxt, false) < limit))
	{
		TupleTableSlot *outer = ExecProcNode(outer_plan(state));

		CHECK_FOR_INTERRUPTS();
		state->outer_done = TupIsNull(outer);
		if (state->outer_done)
			break;
		keep_row(state, outer);
	}
	state->batch = Min(state->batch * 2, LYF_LARGEST_BATCH);
	if (state->count > 0)
		ask(state);
	return state->count > 0;
}

/* Fetch the next inner row, and find the outer rows to try it with; false: there is none. */
static bool
next_inner(BatchState *state)
{
	for (;;)
	{
		TupleTableSlot *inner;
		uint32		hash;

		CHECK_FOR_INTERRUPTS();
		if (!state->asked)
			return false;
		inner = ExecProcNode(inner_plan(state));
		if (TupIsNull(inner))
		{
			state->asked = false;
			return false;
		}
		slot_getallattrs(inner);
		if (inner->tts_isnull[state->key])
			continue;
		hash = DatumGetUInt32(FunctionCall1Coll(&state->inner_hash, state->collation, inner->tts_values[state->key]));
		state->candidate = state->buckets[hash & state->mask];
		if (state->candidate < 0)
			continue;
		state->inner_slot = inner;
		return true;
	}
}

/* Try the inner row with the outer rows that are left: true where they join, and the result is to be given. */
static bool
join_inner(BatchState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;

	while (state->candidate >= 0)
	{
		Row		   *row = &state->rows[state->candidate];

		state->candidate = row->next;
		if (row->matched && (state->jointype == JOIN_SEMI || state->jointype == JOIN_ANTI))
			continue;
		show_both(state, row);
		ResetExprContext(econtext);
		if (!ExecQual(state->join_qual, econtext))
			continue;
		row->matched = true;
		if (state->jointype != JOIN_ANTI)
			return true;
	}
	state->inner_slot = NULL;
	return false;
}

/* The next outer row without partners; false: there are no more. */
static bool
give_unmatched(BatchState *state)
{
	while (state->unmatched < state->count)
	{
		Row		   *row = &state->rows[state->unmatched++];

		if (row->matched)
			continue;
		ExecStoreMinimalTuple(row->tuple, state->outer_slot, false);
		show_outer(state, state->outer_slot);
		return true;
	}
	state->unmatched = -1;
	return false;
}

/* the next joined row in the scan slot, or an empty slot */
static TupleTableSlot *
access_row(ScanState *node)
{
	BatchState *state = (BatchState *) node;
	bool		outer_join = state->jointype == JOIN_LEFT || state->jointype == JOIN_ANTI;

	for (;;)
	{
		if (state->unmatched >= 0)
		{
			if (give_unmatched(state))
				return node->ss_ScanTupleSlot;
			state->count = 0;
		}
		if (state->inner_slot != NULL && join_inner(state))
			return node->ss_ScanTupleSlot;
		if (state->inner_slot != NULL || next_inner(state))
			continue;
		if (outer_join && state->count > 0)
			state->unmatched = 0;
		else if (!next_batch(state))
			return ExecClearTuple(node->ss_ScanTupleSlot);
	}
}

/* rows that are to be locked are not joined in batches */
static bool
recheck_row(ScanState *node, TupleTableSlot *slot)
{
	return true;
}

static TupleTableSlot *
execute(CustomScanState *node)
{
	return ExecScan(&node->ss, access_row, recheck_row);
}

static void
forget(BatchState *state)
{
	ExecClearTuple(state->outer_slot);
	MemoryContextReset(state->cxt);
	state->count = 0;
	state->inner_slot = NULL;
	state->candidate = -1;
	state->unmatched = -1;
	state->asked = false;
	state->outer_done = false;
	state->batch = LYF_FIRST_BATCH;
}

static void
end(CustomScanState *node)
{
	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	ExecEndNode(linitial(node->custom_ps));
	ExecEndNode(lsecond(node->custom_ps));
}

static void
rescan(CustomScanState *node)
{
	BatchState *state = (BatchState *) node;
	Bitmapset  *changed = node->ss.ps.chgParam;

	forget(state);
	if (changed != NULL)
	{
		UpdateChangedParamSet(outer_plan(state), changed);
		UpdateChangedParamSet(inner_plan(state), changed);
	}
	if (outer_plan(state)->chgParam == NULL)
		ExecReScan(outer_plan(state));
	ExecScanReScan(&node->ss);
}

static void
explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	static const char *const names[] = {[JOIN_INNER] = "Inner", [JOIN_LEFT] = "Left", [JOIN_SEMI] = "Semi", [JOIN_ANTI] = "Anti"};
	BatchState *state = (BatchState *) node;

	ExplainPropertyText("Join Type", names[state->jointype], es);
	if (es->analyze)
	{
		ExplainPropertyInteger("Batches", NULL, state->batches, es);
		ExplainPropertyInteger("Keys", NULL, state->keys, es);
	}
}

static const CustomExecMethods exec_methods = {
	.CustomName = "LyftronBatchJoin",
	.BeginCustomScan = begin,
	.ExecCustomScan = execute,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain,
};

Node *
lyf_batch_create_state(CustomScan *plan)
{
	BatchState *state = (BatchState *) newNode(sizeof(BatchState), T_CustomScanState);

	state->css.methods = &exec_methods;
	return (Node *) state;
}
