/*
 * mysql_estimate.c
 *		What queries cost.
 *
 * A query costs a round trip; rows cost their way here, far more than what the server does for
 * each.  So what the server can leave out is worth it, and a small relation that drives look-ups by
 * the key of a large one beats reading all of that.  Nothing here asks the server.
 */
#include "postgres.h"

#include <math.h>

#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"

#include "fdw/mysql_plan.h"

#define QUERY_COST		50.0
#define TASTE			4.0		/* for groups and limits at the server, where nothing else makes a difference */
#define ROW_COST		0.05	/* of a row on its way, and a byte of it */
#define BYTE_COST		0.0005
#define ROW_WORK		0.002	/* of the server, to read a row, to join it, to group it */
#define SORT_WORK		0.0025	/* as often as a sort compares */

/* a column of the table's key? */
static bool
is_key(const LyfMysqlRel *mine, Index varno, Node *node)
{
	const Var  *var = (const Var *) node;

	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	var = (const Var *) node;
	return node != NULL && IsA(node, Var) && var->varno == varno && var->varattno > 0 && mine->table->columns[var->varattno - 1].key;
}

/* an equality with a column of the key? */
static bool
looks_up_key(const LyfMysqlRel *mine, Index varno, Node *condition)
{
	OpExpr	   *op = (OpExpr *) condition;
	LyfPlaceUse use;

	if (IsA(condition, ScalarArrayOpExpr))
		return ((ScalarArrayOpExpr *) condition)->useOr && is_key(mine, varno, linitial(((ScalarArrayOpExpr *) condition)->args));
	if (!IsA(condition, OpExpr) || list_length(op->args) != 2)
		return false;
	return (is_key(mine, varno, linitial(op->args)) || is_key(mine, varno, lsecond(op->args))) &&
		lyf_mysql_comparison(op->opno, exprType(linitial(op->args)), &use) && use == LYF_PLACE_EQUAL;
}

/* Never analyzed, a key has no statistics.  Estimates look for unique indexes then, whatever an index can do otherwise. */
void
lyf_mysql_estimate_unique(RelOptInfo *rel)
{
	const LyfMysqlTable *table = ((LyfMysqlRel *) rel->fdw_private)->table;
	IndexOptInfo *index;
	int			keys = 0;
	int			attno = 0;

	for (int i = 0; i < table->natts; i++)
	{
		if (!table->columns[i].key || table->columns[i].dropped)
			continue;
		keys++;
		attno = i + 1;
	}
	if (keys != 1)
		return;
	index = makeNode(IndexOptInfo);
	index->rel = rel;
	index->ncolumns = index->nkeycolumns = 1;
	index->indexkeys = palloc(sizeof(int));
	index->indexkeys[0] = attno;
	index->unique = true;
	index->immediate = false;	/* nothing but an estimate may depend on what an option promises */
	index->hypothetical = true;
	rel->indexlist = list_make1(index);
}

static bool
has_lookup(const LyfMysqlRel *mine, Index varno, List *conditions)
{
	ListCell   *lc;

	foreach(lc, conditions)
	{
		if (looks_up_key(mine, varno, lfirst(lc)))
			return true;
	}
	return false;
}

static void
estimate_conditions(PlannerInfo *root, RelOptInfo *rel, LyfMysqlRel *mine, List *conditions)
{
	bool		by_key = has_lookup(mine, rel->relid, conditions);

	mine->rows = clamp_row_est(rel->tuples * clauselist_selectivity(root, conditions, rel->relid, JOIN_INNER, NULL));
	mine->work = ROW_WORK * (by_key ? mine->rows : rel->tuples);
}

void
lyf_mysql_estimate_scan(PlannerInfo *root, RelOptInfo *rel)
{
	LyfMysqlRel *mine = rel->fdw_private;

	estimate_conditions(root, rel, mine, mine->remote);
}

void
lyf_mysql_estimate_driven(PlannerInfo *root, RelOptInfo *rel, LyfMysqlRel *driven)
{
	estimate_conditions(root, rel, driven, driven->remote);
}

void
lyf_mysql_estimate_keyed(RelOptInfo *rel, LyfMysqlRel *keyed, Expr *condition, double rows, double queries)
{
	keyed->rows = rows;
	keyed->work = ROW_WORK * (looks_up_key(keyed, rel->relid, (Node *) condition) ? rows : rel->tuples * queries) +
		QUERY_COST * (queries - 1);
}

void
lyf_mysql_estimate_join(PlannerInfo *root, RelOptInfo *rel)
{
	LyfMysqlRel *mine = rel->fdw_private;
	const LyfMysqlRel *outer = mine->outer->fdw_private;
	const LyfMysqlRel *inner = mine->inner->fdw_private;

	mine->rows = clamp_row_est(rel->rows / clauselist_selectivity(root, mine->local, 0, JOIN_INNER, NULL));
	mine->work = outer->work + inner->work + ROW_WORK * (outer->rows + inner->rows + mine->rows);
}

void
lyf_mysql_estimate_groups(PlannerInfo *root, RelOptInfo *rel, double groups)
{
	LyfMysqlRel *mine = rel->fdw_private;
	const LyfMysqlRel *source = mine->source->fdw_private;

	mine->rows = clamp_row_est(groups * clauselist_selectivity(root, mine->remote, 0, JOIN_INNER, NULL));
	mine->work = source->work + ROW_WORK * source->rows;
}

void
lyf_mysql_cost(RelOptInfo *rel, const LyfMysqlRel *mine, bool sorted, bool limited, Cost *startup, Cost *total)
{
	double		row = ROW_COST + BYTE_COST * rel->reltarget->width + cpu_tuple_cost;
	QualCost	local;

	cost_qual_eval(&local, mine->local, NULL);
	*startup = QUERY_COST - TASTE * (mine->grouped + limited) + local.startup + rel->reltarget->cost.startup;
	if (sorted)
		*startup += mine->work + SORT_WORK * mine->rows * log2(Max(mine->rows, 2.0));
	*total = *startup + (sorted ? 0 : mine->work) + (row + local.per_tuple + rel->reltarget->cost.per_tuple) * mine->rows;
}
