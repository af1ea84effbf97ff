/*
 * writer.c
 *		Rows into a heap that nobody else sees yet, in batches, as COPY writes them.
 *
 * A row is put together in the writer's input slot; a projection makes of it a
 * row of the table (casts, defaults), then generated columns are computed and
 * constraints looked at, so that a row that breaks one is handed back and not
 * written.  No index, no trigger: what is written here is a hidden heap, whose
 * indexes are built at the swap, or a staging table.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "load/load_internal.h"

#define BATCH_ROWS	1000
#define BATCH_BYTES	(256 * 1024)

typedef struct Generated
{
	int			attno;
	ExprState  *expr;
} Generated;

typedef struct Check
{
	const char *name;
	ExprState  *expr;
} Check;

struct LyfWriterState
{
	Relation	rel;
	const char *name;			/* of the table, for messages */
	EState	   *estate;
	int		   *copied;			/* for each column of the table the input's (from 0) or -1 for null; NULL: */
	ProjectionInfo *projection; /* some are computed */
	TupleTableSlot *row;		/* of the table, made of the input */
	Generated  *generated;
	int			generated_count;
	int		   *not_null;		/* attribute numbers */
	int			not_null_count;
	Check	   *checks;
	int			check_count;
	BulkInsertState bulk;
	int			options;
	TupleTableSlot *batch[BATCH_ROWS];
	int			used;
	Size		bytes;
	MemoryContext flush_cxt;
};

/* the number of a column of the input by its name, or 0 */
static int
find_column(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i + 1;
	}
	return 0;
}

/* What a column of the table is made of: a column of the input cast, its default, or null. */
static Expr *
column_expression(const char *table, Relation rule, TupleDesc desc, int attno)
{
	Form_pg_attribute to = TupleDescAttr(RelationGetDescr(rule), attno - 1);
	int			number = to->attisdropped ? 0 : find_column(desc, NameStr(to->attname));
	Node	   *expr = NULL;

	if (number > 0 && to->attgenerated == '\0')
	{
		Form_pg_attribute from = TupleDescAttr(desc, number - 1);

		expr = (Node *) makeVar(1, number, from->atttypid, from->atttypmod, from->attcollation, 0);
		expr = coerce_to_target_type(NULL, expr, from->atttypid, to->atttypid, to->atttypmod,
									 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
		if (expr == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of table \"%s\" is of type %s, but the source gives %s",
							NameStr(to->attname), table,
							format_type_be(to->atttypid), format_type_be(from->atttypid)),
					 errhint("Cast the column in the pipeline's source query, or change the type of the table's column.")));
	}
	else if (!to->attisdropped && to->attgenerated == '\0')
		expr = build_column_default(rule, attno);
	if (expr == NULL)
		return (Expr *) makeNullConst(to->attisdropped ? INT4OID : to->atttypid, -1, InvalidOid);
	return expression_planner((Expr *) expr);
}

/* Which columns of the input the targets just are; NULL where one is computed. */
static int *
plain_columns(List *targets)
{
	int		   *columns = palloc(sizeof(int) * Max(list_length(targets), 1));
	int			count = 0;
	ListCell   *lc;

	foreach(lc, targets)
	{
		Expr	   *expr = lfirst_node(TargetEntry, lc)->expr;

		if (IsA(expr, Var))
			columns[count++] = ((Var *) expr)->varattno - 1;
		else if (IsA(expr, Const) && ((Const *) expr)->constisnull)
			columns[count++] = -1;
		else
			return NULL;
	}
	return columns;
}

static void
build_projection(LyfWriter *writer, Relation rule, TupleDesc desc)
{
	struct LyfWriterState *state = writer->state;
	ExprContext *econtext = GetPerTupleExprContext(state->estate);
	TupleDesc	table = RelationGetDescr(rule);
	List	   *targets = NIL;

	for (int i = 1; i <= table->natts; i++)
		targets = lappend(targets, makeTargetEntry(column_expression(state->name, rule, desc, i), i, NULL, false));
	econtext->ecxt_scantuple = writer->input;
	state->row = MakeSingleTupleTableSlot(RelationGetDescr(state->rel), &TTSOpsVirtual);
	state->copied = plain_columns(targets);
	if (state->copied == NULL)
		state->projection = ExecBuildProjectionInfo(targets, econtext, state->row, NULL, desc);
}

/* Collect generated columns, NOT NULL and CHECK constraints of the rule. */
static void
collect_rules(struct LyfWriterState *state, Relation rule)
{
	TupleDesc	desc = RelationGetDescr(rule);
	TupleConstr *constr = desc->constr;

	state->generated = palloc(sizeof(Generated) * Max(desc->natts, 1));
	state->not_null = palloc(sizeof(int) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped)
			continue;
		if (attribute->attnotnull)
			state->not_null[state->not_null_count++] = i + 1;
		if (attribute->attgenerated == ATTRIBUTE_GENERATED_STORED)
		{
			Generated  *generated = &state->generated[state->generated_count++];

			generated->attno = i + 1;
			generated->expr = ExecPrepareExpr((Expr *) build_column_default(rule, i + 1), state->estate);
		}
	}
	if (constr == NULL || constr->num_check == 0)
		return;
	state->checks = palloc(sizeof(Check) * constr->num_check);
	for (int i = 0; i < constr->num_check; i++)
	{
		Check	   *check = &state->checks[state->check_count];

		if (!lyf_check_is_enforced(&constr->check[i]))
			continue;
		check->name = pstrdup(constr->check[i].ccname);
		check->expr = ExecPrepareExpr(stringToNode(constr->check[i].ccbin), state->estate);
		state->check_count++;
	}
}

LyfWriter *
lyf_writer_begin(const char *name, Relation rel, Relation rule, TupleDesc desc)
{
	LyfWriter  *writer = palloc0(sizeof(LyfWriter));
	struct LyfWriterState *state = palloc0(sizeof(struct LyfWriterState));

	writer->state = state;
	writer->input = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	state->rel = rel;
	state->name = name;
	state->estate = CreateExecutorState();
	build_projection(writer, rule, desc);
	collect_rules(state, rule);
	state->bulk = GetBulkInsertState();
	state->options = TABLE_INSERT_SKIP_FSM;
	/* rows may be frozen where an abort takes the whole heap away */
	if (rel->rd_createSubid == GetCurrentSubTransactionId())
		state->options |= TABLE_INSERT_FROZEN;
	state->flush_cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron flush", ALLOCSET_DEFAULT_SIZES);
	return writer;
}

static LyfFailure *
check_row(struct LyfWriterState *state, ExprContext *econtext)
{
	TupleTableSlot *row = state->row;

	econtext->ecxt_scantuple = row;
	for (int i = 0; i < state->generated_count; i++)
	{
		Generated  *generated = &state->generated[i];

		row->tts_values[generated->attno - 1] =
			ExecEvalExpr(generated->expr, econtext, &row->tts_isnull[generated->attno - 1]);
	}
	for (int i = 0; i < state->not_null_count; i++)
	{
		int			attno = state->not_null[i];

		if (row->tts_isnull[attno - 1])
			return lyf_failure(ERRCODE_NOT_NULL_VIOLATION,
							   "null value in column \"%s\" of table \"%s\" violates its not-null constraint",
							   NameStr(TupleDescAttr(row->tts_tupleDescriptor, attno - 1)->attname), state->name);
	}
	for (int i = 0; i < state->check_count; i++)
	{
		if (!ExecCheck(state->checks[i].expr, econtext))
			return lyf_failure(ERRCODE_CHECK_VIOLATION,
							   "new row for table \"%s\" violates check constraint \"%s\"",
							   state->name, state->checks[i].name);
	}
	return NULL;
}

static void
flush(LyfWriter *writer)
{
	struct LyfWriterState *state = writer->state;
	MemoryContext old;

	if (state->used == 0)
		return;
	old = MemoryContextSwitchTo(state->flush_cxt);
	table_multi_insert(state->rel, state->batch, state->used, GetCurrentCommandId(true),
					   state->options, state->bulk);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->flush_cxt);
	for (int i = 0; i < state->used; i++)
		ExecClearTuple(state->batch[i]);
	state->used = 0;
	state->bytes = 0;
}

/* The row of the table that the input makes. */
static void
make_row(LyfWriter *writer, ExprContext *econtext)
{
	struct LyfWriterState *state = writer->state;
	TupleTableSlot *input = writer->input;
	TupleTableSlot *row = state->row;

	if (state->copied == NULL)
	{
		ExecClearTuple(input);
		ExecStoreVirtualTuple(input);
		econtext->ecxt_scantuple = input;
		ExecProject(state->projection);
		return;
	}
	ExecClearTuple(row);
	for (int i = 0; i < row->tts_tupleDescriptor->natts; i++)
	{
		int			from = state->copied[i];

		row->tts_isnull[i] = from < 0 || input->tts_isnull[from];
		row->tts_values[i] = from < 0 ? (Datum) 0 : input->tts_values[from];
	}
	ExecStoreVirtualTuple(row);
}

/* Write the row in the input slot; its Datums are copied. */
LyfFailure *
lyf_writer_put(LyfWriter *writer)
{
	struct LyfWriterState *state = writer->state;
	ExprContext *econtext = GetPerTupleExprContext(state->estate);
	LyfFailure *failure;
	TupleTableSlot *slot;
	HeapTuple	tuple;

	ResetPerTupleExprContext(state->estate);
	make_row(writer, econtext);
	failure = check_row(state, econtext);
	if (failure != NULL)
		return failure;

	slot = state->batch[state->used];
	if (slot == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(writer));

		slot = state->batch[state->used] = table_slot_create(state->rel, NULL);
		MemoryContextSwitchTo(old);
	}
	ExecCopySlot(slot, state->row);
	tuple = ExecFetchSlotHeapTuple(slot, false, NULL);
	state->bytes += tuple->t_len;
	writer->bytes += tuple->t_len;
	state->used++;
	writer->written++;
	if (state->used == BATCH_ROWS || state->bytes >= BATCH_BYTES)
		flush(writer);
	return NULL;
}

/* Flush and let go of all that is pinned; the relation stays the caller's. */
void
lyf_writer_end(LyfWriter *writer)
{
	struct LyfWriterState *state = writer->state;

	flush(writer);
	table_finish_bulk_insert(state->rel, state->options);
	FreeBulkInsertState(state->bulk);
	for (int i = 0; i < BATCH_ROWS && state->batch[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(state->batch[i]);
	ExecDropSingleTupleTableSlot(state->row);
	ExecDropSingleTupleTableSlot(writer->input);
	FreeExecutorState(state->estate);
}
