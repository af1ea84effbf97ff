/*
 * batch_plan.c
 *		Planning a join with a foreign table that is asked for many keys at a time.
 *
 * A nested loop asks for the partners of one row with each query, a hash join for all
 * of the table.  Between them, where the outer side has more than a few rows and the
 * table many more, stands this one: it collects outer rows, asks for all their keys
 * with one query, and joins what comes.  It is a custom scan over two plans, so it takes
 * part in the planner's choice by its costs.
 */
#include "postgres.h"

#include <math.h>

#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "base/compat.h"
#include "base/settings.h"
#include "fdw/batch.h"

#define MAX_SOURCES		4

/* what a row costs that is kept until its partners are there */
#define KEEP_COST		(2 * cpu_tuple_cost)

static const LyfBatchSource *sources[MAX_SOURCES];
static int	source_count = 0;
static set_join_pathlist_hook_type next_hook = NULL;

/* A condition by which partners are looked up: outer = column */
typedef struct Key
{
	Expr	   *outer;
	Expr	   *inner;			/* the column, or what it was relabeled as */
	Var		   *column;
	Oid			operator;		/* outer = column */
	Oid			collation;
} Key;

/* the source whose table it is, or NULL */
static const LyfBatchSource *
find_source(const RelOptInfo *rel)
{
	if (rel->reloptkind != RELOPT_BASEREL || rel->fdwroutine == NULL)
		return NULL;
	for (int i = 0; i < source_count; i++)
		if (rel->fdwroutine->GetForeignPlan == sources[i]->plan)
			return sources[i];
	return NULL;
}

static Var *
bare_column(Node *node, const RelOptInfo *rel)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node == NULL || !IsA(node, Var) || ((Var *) node)->varno != rel->relid || ((Var *) node)->varattno <= 0)
		return NULL;
	return (Var *) node;
}

/* can the condition be used to look up rows of `inner`? */
static bool
take_key(RestrictInfo *rinfo, RelOptInfo *outer, RelOptInfo *inner, Key *key)
{
	OpExpr	   *clause = (OpExpr *) rinfo->clause;
	bool		left;
	Node	   *other;

	if (!rinfo->can_join || !OidIsValid(rinfo->hashjoinoperator))
		return false;
	left = bms_is_subset(rinfo->left_relids, outer->relids) && bms_is_subset(rinfo->right_relids, inner->relids);
	if (!left && !(bms_is_subset(rinfo->right_relids, outer->relids) && bms_is_subset(rinfo->left_relids, inner->relids)))
		return false;
	other = left ? linitial(clause->args) : lsecond(clause->args);
	key->inner = left ? lsecond(clause->args) : linitial(clause->args);
	key->column = bare_column((Node *) key->inner, inner);
	key->operator = left ? clause->opno : get_commutator(clause->opno);
	key->outer = (Expr *) other;
	key->collation = clause->inputcollid;
	return key->column != NULL && OidIsValid(key->operator) && OidIsValid(get_commutator(key->operator)) &&
		OidIsValid(get_array_type(exprType(other))) && !contain_volatile_functions(other);
}

/* column = ANY (keys) */
static Expr *
make_condition(const Key *key)
{
	ScalarArrayOpExpr *any = makeNode(ScalarArrayOpExpr);
	CaseTestExpr *keys = makeNode(CaseTestExpr);

	keys->typeId = get_array_type(exprType((Node *) key->outer));
	keys->typeMod = -1;
	keys->collation = exprCollation((Node *) key->outer);
	any->opno = get_commutator(key->operator);
	any->opfuncid = get_opcode(any->opno);
	any->useOr = true;
	any->inputcollid = key->collation;
	any->args = list_make2(copyObject(key->inner), keys);
	any->location = -1;
	return (Expr *) any;
}

/* how many rows of the table a key has, on the average */
static double
rows_a_key(PlannerInfo *root, const Key *key, RelOptInfo *inner)
{
	VariableStatData data;
	bool		is_default;
	double		distinct;

	examine_variable(root, (Node *) key->column, 0, &data);
	distinct = get_variable_numdistinct(&data, &is_default);
	ReleaseVariableStats(data);
	/* nobody knows: a column that is looked up has different values for the most part */
	if (is_default)
		distinct = inner->tuples;
	return Max(inner->rows / Max(distinct, 1.0), 1e-3);
}

static bool
choose_key(PlannerInfo *root, JoinPathExtraData *extra, RelOptInfo *outer, RelOptInfo *inner, Key *best)
{
	double		fewest = 0;
	bool		found = false;
	ListCell   *lc;

	foreach(lc, extra->restrictlist)
	{
		Key			key;
		double		rows;

		if (!take_key(lfirst_node(RestrictInfo, lc), outer, inner, &key))
			continue;
		rows = rows_a_key(root, &key, inner);
		if (found && rows >= fewest)
			continue;
		found = true;
		fewest = rows;
		*best = key;
	}
	return found;
}

static int
find_column(const List *tlist, const Var *column)
{
	ListCell   *lc;

	foreach(lc, tlist)
	{
		Node	   *expr = (Node *) lfirst_node(TargetEntry, lc)->expr;

		if (IsA(expr, Var) && ((Var *) expr)->varno == column->varno && ((Var *) expr)->varattno == column->varattno)
			return foreach_current_index(lc);
	}
	elog(ERROR, "the column that is looked up is missing from the plan");
}

static List *
add_columns(List *all, const List *tlist, const Relids side, const Relids nulled_by)
{
	ListCell   *lc;

	foreach(lc, tlist)
	{
		Expr	   *expr = copyObject(lfirst_node(TargetEntry, lc)->expr);

		all = lappend(all, makeTargetEntry((Expr *) lyf_add_nulling(expr, side, nulled_by), list_length(all) + 1, NULL, false));
	}
	return all;
}

static const CustomScanMethods scan_methods = {"LyftronBatchJoin", lyf_batch_create_state};

/* what a path's custom_private holds */
enum PathPrivate
{
	PATH_JOIN,					/* an integer: the JoinType */
	PATH_OUTER_KEY,				/* an expression of the outer side */
	PATH_CLAUSES,				/* RestrictInfos of the join */
	PATH_COLUMN,				/* the Var that is looked up */
	PATH_OPERATOR,				/* integers: of outer = column */
	PATH_COLLATION
};

/*
 * Results and conditions are computed from the columns of both plans.  The inner ones may have been made null by this
 * join, and count as such (since PostgreSQL 16) in the conditions, too, which look at them before.
 */
static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *plans)
{
	CustomScan *scan = makeNode(CustomScan);
	List	   *private = path->custom_private;
	JoinType	jointype = intVal(list_nth(private, PATH_JOIN));
	Plan	   *outer = linitial(plans);
	Plan	   *inner = lsecond(plans);
	Relids		side = ((Path *) lsecond(path->custom_paths))->parent->relids;
	Relids		nulled_by = lyf_nulled_by(rel->relids, ((Path *) linitial(path->custom_paths))->parent->relids, side);
	List	   *join_quals;
	List	   *other_quals = NIL;

	/* the key's clause is among them: so it does not matter that the server may send more */
	if (IS_OUTER_JOIN(jointype))
		extract_actual_join_clauses(list_nth(private, PATH_CLAUSES), rel->relids, &join_quals, &other_quals);
	else
		join_quals = extract_actual_clauses(list_nth(private, PATH_CLAUSES), false);
	join_quals = (List *) lyf_add_nulling(join_quals, side, nulled_by);
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = other_quals;
	scan->scan.scanrelid = 0;
	scan->flags = path->flags;
	scan->custom_plans = plans;
	scan->custom_scan_tlist = add_columns(add_columns(NIL, outer->targetlist, NULL, NULL), inner->targetlist, side, nulled_by);
	scan->custom_exprs = list_make2(join_quals, list_nth(private, PATH_OUTER_KEY));
	scan->custom_private = list_make3(list_nth(private, PATH_JOIN), makeInteger(list_length(outer->targetlist)),
									  makeInteger(find_column(inner->targetlist, list_nth(private, PATH_COLUMN))));
	scan->custom_private = lappend(scan->custom_private, list_nth(private, PATH_OPERATOR));
	scan->custom_private = lappend(scan->custom_private, list_nth(private, PATH_COLLATION));
	scan->methods = &scan_methods;
	return (Plan *) scan;
}

static const CustomPathMethods path_methods = {.CustomName = "LyftronBatchJoin",.PlanCustomPath = make_plan};

/* batches in which so many rows are joined */
static double
count_batches(double rows)
{
	double		batches = 1;

	for (double size = LYF_FIRST_BATCH; rows > size && size < LYF_LARGEST_BATCH; size *= 2)
	{
		rows -= size;
		batches++;
	}
	return batches + floor(rows / LYF_LARGEST_BATCH);
}

static void
add_batch_path(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outer, RelOptInfo *inner, JoinType jointype,
			   List *clauses, const Key *key, const LyfBatchSource *source)
{
	CustomPath *path = makeNode(CustomPath);
	Path	   *outer_path = outer->cheapest_total_path;
	Path	   *inner_path = source->path(root, inner, make_condition(key),
										  clamp_row_est(outer_path->rows * rows_a_key(root, key, inner)),
										  count_batches(outer_path->rows));

	if (inner_path == NULL)
		return;
	path->path.pathtype = T_CustomScan;
	path->path.parent = joinrel;
	path->path.pathtarget = joinrel->reltarget;
	path->path.rows = joinrel->rows;
	path->path.startup_cost = outer_path->startup_cost + inner_path->startup_cost;
	path->path.total_cost = outer_path->total_cost + inner_path->total_cost + outer_path->rows * KEEP_COST +
		(cpu_tuple_cost + cpu_operator_cost * list_length(clauses)) * Max(inner_path->rows, joinrel->rows);
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->custom_paths = list_make2(outer_path, inner_path);
	path->custom_private = list_make5(makeInteger(jointype), key->outer, clauses, key->column, makeInteger((int) key->operator));
	path->custom_private = lappend(path->custom_private, makeInteger((int) key->collation));
	path->methods = &path_methods;
	lyf_custom_join(path, clauses);
	add_path(joinrel, (Path *) path);
}

static void
consider_batches(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outer, RelOptInfo *inner,
				 JoinType jointype, JoinPathExtraData *extra)
{
	const LyfBatchSource *source = find_source(inner);
	Key			key;

	if (next_hook)
		next_hook(root, joinrel, outer, inner, jointype, extra);
	/* rows that are to be locked would have to be joined again when they changed */
	if (source == NULL || !lyf_pushdown || root->parse->commandType != CMD_SELECT || root->parse->rowMarks != NIL ||
		(jointype != JOIN_INNER && jointype != JOIN_LEFT && jointype != JOIN_SEMI && jointype != JOIN_ANTI))
		return;
	if (!lyf_nulls_simply(extra->sjinfo, joinrel->relids, outer->relids, inner->relids))
		return;
	if (!bms_is_empty(inner->lateral_relids) || !bms_is_empty(joinrel->lateral_relids) || outer->cheapest_total_path == NULL ||
		!bms_is_empty(PATH_REQ_OUTER(outer->cheapest_total_path)))
		return;
	if (choose_key(root, extra, outer, inner, &key))
		add_batch_path(root, joinrel, outer, inner, jointype, extra->restrictlist, &key, source);
}

void
lyf_batch_source(const LyfBatchSource *source)
{
	Assert(source_count < MAX_SOURCES);
	sources[source_count++] = source;
	if (source_count > 1)
		return;
	RegisterCustomScanMethods(&scan_methods);
	next_hook = set_join_pathlist_hook;
	set_join_pathlist_hook = consider_batches;
}
