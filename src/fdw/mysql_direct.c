/*
 * mysql_direct.c
 *		UPDATE and DELETE that the server does alone, in one statement: when that
 *		is right.  mysql_direct_run.c does it.
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

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/settings.h"
#include "fdw/mysql_modify.h"
#include "fdw/mysql_plan.h"
#include "fdw/mysql_term.h"

/* An assignment on its way into the plan. */
typedef struct Assignment
{
	const LyfMysqlColumn *column;
	Bitmapset  *uses;			/* columns that the expression looks at, with pull_varattnos' offset */
	const char *text;			/* or NULL: a value */
	int			value;			/* its index among those */
} Assignment;

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
	{LYF_MY_INTEGER, LYF_TERM_DECIMAL, true},
	{LYF_MY_DECIMAL, LYF_TERM_INTEGER, false},
	{LYF_MY_DECIMAL, LYF_TERM_DECIMAL, true},
	{LYF_MY_DOUBLE, LYF_TERM_DOUBLE, false},
	{LYF_MY_TEXT, LYF_TERM_TEXT, false},
	{LYF_MY_BYTES, LYF_TERM_BYTES, false},
	{LYF_MY_DATE, LYF_TERM_DATE, false},
	{LYF_MY_DATETIME, LYF_TERM_DATETIME, true},
	{LYF_MY_TIMESTAMP, LYF_TERM_MOMENT, true}
};

/* digits that a column has behind the point */
static int
scale_of(const LyfMysqlColumn *column)
{
	return column->remote.kind == LYF_MY_INTEGER ? 0 :
		column->remote.kind == LYF_MY_DECIMAL ? column->remote.scale : column->remote.precision;
}

/* cast: to the column's own scale or length */
static bool
fits(const LyfMysqlColumn *column, const LyfTerm *term, bool cast)
{
	if (term->superset || term->zero_dates)
		return false;
	/* the server would cut off blanks */
	if (term->kind == LYF_TERM_TEXT && !cast && column->remote.precision > 0 &&
		(term->length == 0 || term->length > column->remote.precision))
		return false;
	for (int i = 0; i < lengthof(fitting); i++)
		if (fitting[i].column == column->remote.kind && fitting[i].term == term->kind)
			return !fitting[i].scaled || cast || term->scale <= scale_of(column);
	return false;
}

/* do a column's numbers, at most, have the precision and the scale of a typmod? */
static bool
has_precision(const LyfMysqlColumn *column, int32 typmod)
{
	int			precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	int			scale = (typmod - VARHDRSZ) & 0x7ff;

	if (column->remote.kind == LYF_MY_INTEGER)
		return scale == 0 && column->remote.bytes == 8 && precision >= 20;
	return column->remote.kind == LYF_MY_DECIMAL && column->remote.scale == scale && column->remote.precision <= precision;
}

/* are all of a column's integers of this type? */
static bool
is_within(const LyfMysqlColumn *column, Oid type)
{
	int			bytes = type == INT2OID ? 2 : type == INT4OID ? 4 : 8;

	return column->remote.kind == LYF_MY_INTEGER && column->remote.bytes + (column->remote.is_unsigned ? 1 : 0) <= bytes;
}

/*
 * The planner ends an assigned expression with a cast to the column's type, which rounds to its scale, or checks range or
 * length.  The server does the same when it assigns, where its column is no wider: numbers are rounded half away from zero.
 */
static Expr *
without_cast(Expr *expr, const LyfMysqlColumn *column, bool *is_cast)
{
	const FuncExpr *cast = (const FuncExpr *) expr;
	int32		typmod = -1;
	bool		same;

	if (!IsA(expr, FuncExpr) || cast->funcformat != COERCE_IMPLICIT_CAST)
		return expr;
	if (list_length(cast->args) > 1 && IsA(lsecond(cast->args), Const))
		typmod = DatumGetInt32(lsecond_node(Const, cast->args)->constvalue);
	switch (cast->funcid)
	{
		case F_NUMERIC_NUMERIC_INT4:
			same = has_precision(column, typmod);
			break;
		case F_VARCHAR_VARCHAR_INT4_BOOL:
			same = column->remote.kind == LYF_MY_TEXT && column->remote.precision > 0 && column->remote.precision <= typmod - VARHDRSZ;
			break;
		case F_INT2_INT4:
		case F_INT2_INT8:
		case F_INT4_INT8:
			same = is_within(column, cast->funcresulttype);
			break;
		default:
			same = false;
	}
	*is_cast = same;
	return same ? linitial(cast->args) : expr;
}

static bool
plan_assignment(LyfTranslation *t, const LyfMysqlColumn *column, Index result, Expr *expr, Assignment *assignment, List **assigned)
{
	LyfTerm    *term;
	bool		is_cast = false;

	assignment->column = column;
	if (column->generated)
		return false;
	pull_varattnos((Node *) expr, result, &assignment->uses);
	if (lyf_mysql_is_value(t, expr))
	{
		assignment->value = list_length(*assigned);
		*assigned = lappend(*assigned, expr);
		return true;
	}
	term = lyf_mysql_term(t, without_cast(expr, column, &is_cast));
	if (term == NULL || !fits(column, term, is_cast))
		return false;
	assignment->text = lyf_mysql_operand(t, term);
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
plan_assignments(LyfTranslation *t, const LyfMysqlTable *table, Index result, List **assignments, List **assigned)
{
	List	   *entries;
	List	   *attnos;
	ListCell   *entry;
	ListCell   *attno;

	get_translated_update_targetlist(t->root, result, &entries, &attnos);
	forboth(entry, entries, attno, attnos)
	{
		Assignment *assignment = palloc0(sizeof(Assignment));

		if (!plan_assignment(t, &table->columns[lfirst_int(attno) - 1], result, lfirst_node(TargetEntry, entry)->expr,
							 assignment, assigned))
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

static List *
save_plan(const ModifyTable *plan, const LyfTranslation *t, List *assignments, const char *condition, List *returned)
{
	List	   *attnos = NIL;
	List	   *texts = NIL;
	List	   *private;
	ListCell   *lc;

	foreach(lc, assignments)
	{
		Assignment *assignment = lfirst(lc);

		attnos = lappend_int(attnos, assignment->column->attno);
		texts = lappend(texts, assignment->text != NULL ? (Node *) makeString(pstrdup(assignment->text)) :
						(Node *) makeInteger(list_length(t->values) + assignment->value));
	}
	private = list_make5(attnos, texts, makeString(pstrdup(condition)), t->places, makeInteger(list_length(t->values)));
	return lappend(lappend(private, makeInteger(plan->canSetTag)), returned);
}

/* FdwRoutine.PlanDirectModify */
static bool
plan_direct(PlannerInfo *root, ModifyTable *plan, Index result, int subplan)
{
	ForeignScan *scan = find_scan(plan, result, subplan);
	const LyfMysqlRel *rel;
	LyfTranslation t;
	List	   *assignments = NIL;
	List	   *assigned = NIL;
	List	   *returned;
	StringInfoData condition;

	if (scan == NULL || !lyf_pushdown)
		return false;
	rel = root->simple_rel_array[result]->fdw_private;
	lyf_mysql_translation(&t, root, root->simple_rel_array[result]);
	if (plan->operation == CMD_UPDATE &&
		(!plan_assignments(&t, rel->table, result, &assignments, &assigned) || moves_rows(rel->table->relid, assignments)))
		return false;
	if (!plan_returned(plan, rel->table, result, subplan, &returned))
		return false;
	initStringInfo(&condition);
	lyf_mysql_conditions(&condition, &t, rel->remote);
	scan->operation = plan->operation;
	scan->resultRelation = result;
	scan->fdw_private = save_plan(plan, &t, assignments, condition.data, returned);
	scan->fdw_exprs = list_concat(t.values, assigned);
	return true;
}

void
lyf_mysql_direct_plan_routine(FdwRoutine *routine)
{
	routine->PlanDirectModify = plan_direct;
}
