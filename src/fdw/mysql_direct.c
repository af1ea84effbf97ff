/*
 * mysql_direct.c
 *		UPDATE and DELETE that the server does alone, in one statement.
 *
 * That is right where the server would choose the same rows and give them the same values
 * as PostgreSQL: all conditions and all assigned expressions are terms, and a term is
 * assigned only where its column takes it as it is.  What is known when the statement begins
 * is evaluated here, and written as to a row.
 *
 * MySQL assigns from left to right, and an expression sees what was assigned before it; in
 * PostgreSQL it sees the row as it was.  So a column is assigned after all expressions that
 * look at it, and where there is no such order the rows are updated one by one.
 */
#include "postgres.h"

#include "base/compat.h"
#include LYF_EXPLAIN_STATE_H
#include LYF_EXPLAIN_FORMAT_H
#include "access/sysattr.h"
#include "access/table.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/settings.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_modify.h"
#include "fdw/mysql_plan.h"
#include "fdw/mysql_term.h"

/* what the plan's fdw_private holds */
enum DirectPrivate
{
	DIRECT_ATTRS,				/* integers: the columns that are assigned, in this order */
	DIRECT_TEXTS,				/* Strings: what to each of them; empty: a value */
	DIRECT_VALUES,				/* integers: its index then, else -1 */
	DIRECT_CONDITION,			/* a String, "" where there is none */
	DIRECT_PLACES,				/* of the texts, as lyf_mysql_place_save has them */
	DIRECT_TAG,					/* an integer: its rows are those that the command counts */
	DIRECT_RETURNED				/* integers: the columns that come back */
};

/* An assignment on its way into the plan. */
typedef struct Assignment
{
	const LyfMysqlColumn *column;
	Bitmapset  *uses;			/* columns that the expression looks at, with pull_varattnos' offset */
	const char *text;			/* or NULL: a value */
	int			value;			/* its index */
} Assignment;

/* one that runs, or is only explained */
typedef struct Direct
{
	ForeignScan *plan;
	LyfMysqlTable *table;
	LyfMysqlReader reader;
	int			nvalues;
	ExprState **states;			/* of the values */
	Datum	   *values;			/* once it began; NULL: "?" stands for them */
	bool	   *nulls;
	bool		done;
	Tuplestorestate *returned;	/* rows that came back, or NULL */
	TupleTableSlot *returned_slot;
} Direct;

/* ---- planning ---- */

/* the scan that gives the rows, if nothing but the target's rows is in it */
static ForeignScan *
find_scan(ModifyTable *plan, Index result, int subplan)
{
	Plan	   *child = outerPlan(plan);

	if (IsA(child, Result) && outerPlan(child) != NULL)
		child = outerPlan(child);
	if (IsA(child, Append))
	{
		List	   *children = castNode(Append, child)->appendplans;

		if (subplan >= list_length(children))
			return NULL;
		child = list_nth(children, subplan);
	}
	if (!IsA(child, ForeignScan) || castNode(ForeignScan, child)->scan.scanrelid != result || child->qual != NIL)
		return NULL;
	return castNode(ForeignScan, child);
}

/* what columns take as it is, or refuse */
static const struct
{
	LyfMysqlKind column;
	LyfTermKind term;
	bool		scaled;			/* if it has no more digits behind the point than the column */
}			fitting[] = {
	{LYF_MY_INTEGER, LYF_TERM_INTEGER, false},
	{LYF_MY_INTEGER, LYF_TERM_BOOLEAN, false},
	{LYF_MY_DECIMAL, LYF_TERM_INTEGER, false},
	{LYF_MY_DECIMAL, LYF_TERM_DECIMAL, true},
	{LYF_MY_DOUBLE, LYF_TERM_DOUBLE, false},
	{LYF_MY_TEXT, LYF_TERM_TEXT, false},
	{LYF_MY_BYTES, LYF_TERM_BYTES, false},
	{LYF_MY_DATE, LYF_TERM_DATE, false},
	{LYF_MY_DATETIME, LYF_TERM_DATETIME, true},
	{LYF_MY_TIMESTAMP, LYF_TERM_MOMENT, true}
};

static bool
fits(const LyfMysqlColumn *column, const LyfTerm *term)
{
	int			scale = column->remote.kind == LYF_MY_DECIMAL ? column->remote.scale : column->remote.precision;

	if (term->superset || term->zero_dates)
		return false;
	for (int i = 0; i < lengthof(fitting); i++)
		if (fitting[i].column == column->remote.kind && fitting[i].term == term->kind)
			return !fitting[i].scaled || term->scale <= scale;
	return false;
}

static bool
plan_assignment(LyfTranslation *t, const LyfMysqlColumn *column, Index result, Expr *expr, Assignment *assignment)
{
	LyfTerm    *term;

	assignment->column = column;
	if (column->generated)
		return false;
	pull_varattnos((Node *) expr, result, &assignment->uses);
	if (lyf_mysql_is_value(t, expr))
	{
		assignment->value = list_length(t->values);
		t->values = lappend(t->values, expr);
		return true;
	}
	term = lyf_mysql_term(t, expr);
	if (term == NULL || !fits(column, term))
		return false;
	assignment->text = lyf_mysql_operand(t, term);
	assignment->value = -1;
	return assignment->text != NULL;
}

static bool
uses(const Assignment *assignment, const LyfMysqlColumn *column)
{
	return bms_is_member(column->attno - FirstLowInvalidHeapAttributeNumber, assignment->uses);
}

/* one whose column no other looks at; NULL: there is none */
static Assignment *
next_assignment(List *assignments)
{
	ListCell   *lc;
	ListCell   *other;

	foreach(lc, assignments)
	{
		Assignment *candidate = lfirst(lc);
		bool		used = false;

		foreach(other, assignments)
			used |= lfirst(other) != candidate && uses(lfirst(other), candidate->column);
		if (!used)
			return candidate;
	}
	return NULL;
}

/* the assignments in an order in which none sees another's result; false: there is none */
static bool
sort_assignments(List **assignments)
{
	List	   *left = *assignments;
	List	   *sorted = NIL;

	while (left != NIL)
	{
		Assignment *next = next_assignment(left);

		if (next == NULL)
			return false;
		sorted = lappend(sorted, next);
		left = list_delete_ptr(left, next);
	}
	*assignments = sorted;
	return true;
}

static bool
plan_assignments(LyfTranslation *t, const LyfMysqlTable *table, Index result, List **assignments)
{
	List	   *entries;
	List	   *attnos;
	ListCell   *entry;
	ListCell   *attno;

	get_translated_update_targetlist(t->root, result, &entries, &attnos);
	forboth(entry, entries, attno, attnos)
	{
		Assignment *assignment = palloc0(sizeof(Assignment));

		if (!plan_assignment(t, &table->columns[lfirst_int(attno) - 1], result, lfirst_node(TargetEntry, entry)->expr, assignment))
			return false;
		*assignments = lappend(*assignments, assignment);
	}
	return sort_assignments(assignments);
}

/* would a partition's rows have to be looked at, whether they still belong there? */
static bool
moves_rows(Oid relid, List *assignments)
{
	Relation	rel = table_open(relid, NoLock);
	Bitmapset  *columns = NULL;
	bool		moves = false;
	ListCell   *lc;

	pull_varattnos((Node *) RelationGetPartitionQual(rel), 1, &columns);
	table_close(rel, NoLock);
	foreach(lc, assignments)
		moves |= bms_is_member(((Assignment *) lfirst(lc))->column->attno - FirstLowInvalidHeapAttributeNumber, columns);
	return moves;
}

/* all conditions of the relation, with AND between them; NULL: one of them is not for the server */
static const char *
plan_condition(LyfTranslation *t, RelOptInfo *rel)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, rel->baserestrictinfo)
	{
		bool		superset;
		const char *text = lyf_mysql_condition(t, lfirst_node(RestrictInfo, lc)->clause, &superset);

		if (text == NULL || superset)
			return NULL;
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? " AND " : "", text);
	}
	return sql.data;
}

/* the columns that RETURNING looks at; false: the server returns no rows that it changes */
static bool
plan_returned(ModifyTable *plan, const LyfMysqlTable *table, Index result, int subplan, List **returned)
{
	Bitmapset  *used = NULL;
	int			version;

	*returned = NIL;
	if (plan->returningLists == NIL)
		return true;
	if (plan->operation != CMD_DELETE ||
		!lyf_mysql_is_mariadb(lyf_mysql_session(table->server, table->user, true), &version))
		return false;
	pull_varattnos(list_nth(plan->returningLists, subplan), result, &used);
	for (int i = 0; i < table->natts; i++)
		if (!table->columns[i].dropped &&
			(bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used) ||
			 bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, used)))
			*returned = lappend_int(*returned, i + 1);
	return *returned != NIL;
}

static void
save_plan(ModifyTable *plan, ForeignScan *scan, Index result, LyfTranslation *t, List *assignments, const char *condition,
		  List *returned)
{
	List	   *attnos = NIL;
	List	   *texts = NIL;
	List	   *values = NIL;
	ListCell   *lc;

	foreach(lc, assignments)
	{
		Assignment *assignment = lfirst(lc);

		attnos = lappend_int(attnos, assignment->column->attno);
		texts = lappend(texts, makeString(assignment->text ? pstrdup(assignment->text) : ""));
		values = lappend_int(values, assignment->value);
	}
	scan->operation = plan->operation;
	scan->resultRelation = result;
	scan->fdw_exprs = t->values;
	scan->fdw_private = list_make5(attnos, texts, values, makeString(pstrdup(condition)), t->places);
	scan->fdw_private = lappend(scan->fdw_private, makeInteger(plan->canSetTag));
	scan->fdw_private = lappend(scan->fdw_private, returned);
}

static bool
plan_direct(PlannerInfo *root, ModifyTable *plan, Index result, int subplan)
{
	ForeignScan *scan = find_scan(plan, result, subplan);
	LyfTranslation t = {.root = root,.relids = bms_make_singleton(result)};
	const LyfMysqlRel *rel;
	List	   *assignments = NIL;
	List	   *returned;
	const char *condition;

	if (scan == NULL || !lyf_pushdown)
		return false;
	rel = root->simple_rel_array[result]->fdw_private;
	if (plan->operation == CMD_UPDATE &&
		(!plan_assignments(&t, rel->table, result, &assignments) || moves_rows(rel->table->relid, assignments)))
		return false;
	condition = plan_condition(&t, root->simple_rel_array[result]);
	if (condition == NULL || !plan_returned(plan, rel->table, result, subplan, &returned))
		return false;
	save_plan(plan, scan, result, &t, assignments, condition, returned);
	return true;
}

/* ---- running ---- */

static List *
private_list(const Direct *direct, int item)
{
	return list_nth(direct->plan->fdw_private, item);
}

static Oid
value_type(const Direct *direct, int value)
{
	return exprType(list_nth(direct->plan->fdw_exprs, value));
}

/* LyfPlaceFill */
static void
fill_place(void *arg, StringInfo sql, int number)
{
	const Direct *direct = arg;
	LyfPlace	place = lyf_mysql_place_load(list_nth(private_list(direct, DIRECT_PLACES), number));

	if (direct->values == NULL)
		appendStringInfoChar(sql, '?');
	else if (!lyf_mysql_place_fill(sql, &place, value_type(direct, place.value), direct->values[place.value], direct->nulls[place.value]))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a value of the statement cannot be given to the server"),
				 errhint("Set lyftron.pushdown off: then its rows are updated or deleted one by one.")));
}

static void
write_assignment(Direct *direct, StringInfo sql, int number)
{
	const LyfMysqlColumn *column = &direct->table->columns[list_nth_int(private_list(direct, DIRECT_ATTRS), number) - 1];
	int			value = list_nth_int(private_list(direct, DIRECT_VALUES), number);

	lyf_mysql_quote_name(sql, column->remote_name);
	appendStringInfoString(sql, " = ");
	if (value < 0)
		lyf_mysql_fill_places(sql, strVal(list_nth(private_list(direct, DIRECT_TEXTS), number)), fill_place, direct);
	else if (direct->values == NULL)
		appendStringInfoChar(sql, '?');
	else
		lyf_mysql_write_value(sql, column, direct->values[value], direct->nulls[value]);
}

static void
write_returned(Direct *direct, StringInfo sql)
{
	ListCell   *lc;

	foreach(lc, private_list(direct, DIRECT_RETURNED))
	{
		appendStringInfoString(sql, foreach_current_index(lc) == 0 ? " RETURNING " : ", ");
		lyf_mysql_select_column(sql, NULL, &direct->table->columns[lfirst_int(lc) - 1]);
	}
}

static char *
write_statement(Direct *direct)
{
	const char *condition = strVal(list_nth(direct->plan->fdw_private, DIRECT_CONDITION));
	int			assignments = list_length(private_list(direct, DIRECT_ATTRS));
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, direct->plan->operation == CMD_UPDATE ? "UPDATE " : "DELETE FROM ");
	lyf_mysql_write_table(&sql, direct->table);
	for (int i = 0; i < assignments; i++)
	{
		appendStringInfoString(&sql, i == 0 ? " SET " : ", ");
		write_assignment(direct, &sql, i);
	}
	if (condition[0] != '\0')
	{
		appendStringInfoString(&sql, " WHERE ");
		lyf_mysql_fill_places(&sql, condition, fill_place, direct);
	}
	write_returned(direct, &sql);
	return sql.data;
}

/* FdwRoutine.BeginDirectModify */
static void
begin_direct(ForeignScanState *node, int eflags)
{
	Direct	   *direct = palloc0(sizeof(Direct));
	int			i = 0;
	ListCell   *lc;

	direct->plan = castNode(ForeignScan, node->ss.ps.plan);
	direct->table = lyf_mysql_table_open(node->ss.ss_currentRelation,
										 lyf_rest_user(lyf_scan_check_as_user(direct->plan, node->ss.ps.state)));
	direct->reader.put_aside = lyf_mysql_never_put_aside;
	direct->nvalues = list_length(direct->plan->fdw_exprs);
	direct->states = palloc((direct->nvalues + 1) * sizeof(ExprState *));
	foreach(lc, direct->plan->fdw_exprs)
		direct->states[i++] = ExecInitExpr(lfirst(lc), &node->ss.ps);
	node->fdw_state = direct;
}

static void
evaluate(Direct *direct, ExprContext *context)
{
	direct->values = palloc((direct->nvalues + 1) * sizeof(Datum));
	direct->nulls = palloc((direct->nvalues + 1) * sizeof(bool));
	for (int i = 0; i < direct->nvalues; i++)
		direct->values[i] = ExecEvalExpr(direct->states[i], context, &direct->nulls[i]);
}

/* run the DELETE and keep the rows that it gives: whoever looks at them may want the session */
static uint64
keep_returned(Direct *direct, LyfMysqlSession *session, const char *sql, TupleDesc desc)
{
	List	   *attrs = private_list(direct, DIRECT_RETURNED);
	int			wanted = list_length(attrs);
	int		   *attnos = palloc(wanted * sizeof(int));
	LyfMysqlColumn **columns = palloc(wanted * sizeof(LyfMysqlColumn *));
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	MemoryContext row_cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron mysql row", ALLOCSET_DEFAULT_SIZES);
	const LyfMysqlField *fields;
	int			count;
	LyfMysqlCast *cast;
	LyfMysqlRow row;
	uint64		rows = 0;

	memset(nulls, true, desc->natts * sizeof(bool));
	for (int i = 0; i < wanted; i++)
	{
		attnos[i] = list_nth_int(attrs, i);
		columns[i] = &direct->table->columns[attnos[i] - 1];
	}
	lyf_mysql_query(session, &direct->reader, sql, strlen(sql), &fields, &count);
	cast = lyf_mysql_cast_begin(desc, attnos, columns, wanted, fields, direct->table->zero_dates);
	direct->returned = tuplestore_begin_heap(false, false, work_mem);
	for (; lyf_mysql_fetch(session, &direct->reader, &row); rows++)
	{
		MemoryContext caller = MemoryContextSwitchTo(row_cxt);

		LYF_CHECK(lyf_mysql_cast_row(cast, &row, values, nulls));
		tuplestore_putvalues(direct->returned, desc, values, nulls);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row_cxt);
	}
	direct->returned_slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	return rows;
}

static void
execute(ForeignScanState *node)
{
	Direct	   *direct = node->fdw_state;
	EState	   *estate = node->ss.ps.state;
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	LyfMysqlSession *session = lyf_mysql_session(direct->table->server, direct->table->user, false);
	char	   *sql;
	uint64		rows;

	evaluate(direct, node->ss.ps.ps_ExprContext);
	sql = write_statement(direct);
	if (private_list(direct, DIRECT_RETURNED) != NIL)
		rows = keep_returned(direct, session, sql, RelationGetDescr(node->ss.ss_currentRelation));
	else
		rows = lyf_mysql_execute(session, sql, strlen(sql));
	direct->done = true;
	if (intVal(list_nth(direct->plan->fdw_private, DIRECT_TAG)))
		estate->es_processed += rows;
	if (node->ss.ps.instrument != NULL && direct->returned == NULL)
		node->ss.ps.instrument->tuplecount += rows;
	MemoryContextSwitchTo(caller);
}

/* FdwRoutine.IterateDirectModify */
static TupleTableSlot *
iterate_direct(ForeignScanState *node)
{
	Direct	   *direct = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (!direct->done)
		execute(node);
	ExecClearTuple(slot);
	if (direct->returned == NULL || !tuplestore_gettupleslot(direct->returned, true, false, direct->returned_slot))
		return slot;
	ExecCopySlot(slot, direct->returned_slot);
	node->resultRelInfo->ri_projectReturning->pi_exprContext->ecxt_scantuple = slot;
	return slot;
}

/* FdwRoutine.EndDirectModify */
static void
end_direct(ForeignScanState *node)
{
	Direct	   *direct = node->fdw_state;

	if (direct == NULL || direct->returned == NULL)
		return;
	ExecDropSingleTupleTableSlot(direct->returned_slot);
	tuplestore_end(direct->returned);
}

/* FdwRoutine.ExplainDirectModify */
static void
explain_direct(ForeignScanState *node, ExplainState *es)
{
	if (es->verbose)
		ExplainPropertyText("Remote SQL", write_statement(node->fdw_state), es);
}

void
lyf_mysql_direct_routine(FdwRoutine *routine)
{
	routine->PlanDirectModify = plan_direct;
	routine->BeginDirectModify = begin_direct;
	routine->IterateDirectModify = iterate_direct;
	routine->EndDirectModify = end_direct;
	routine->ExplainDirectModify = explain_direct;
}
