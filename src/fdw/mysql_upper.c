/*
 * mysql_upper.c
 *		Groups and aggregates, DISTINCT, ORDER BY and LIMIT.
 */
#include "postgres.h"

#include "access/relation.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/tlist.h"
#include "utils/selfuncs.h"

#include "base/compat.h"
#include "base/settings.h"
#include "fdw/mysql_plan.h"

/* can rows be grouped by it at the server, and what stands for a group be shown as PostgreSQL would? */
static bool
is_groupable(PlannerInfo *root, RelOptInfo *output, Expr *expr)
{
	LyfTranslation t;
	LyfTerm    *term;

	lyf_mysql_translation(&t, root, output);
	term = lyf_mysql_term(&t, expr);
	return term != NULL && !term->uneven && lyf_mysql_sortable(&t, term, LYF_PLACE_EQUAL, exprCollation((Node *) expr));
}

static void
add_output(LyfMysqlRel *mine, Node *expr)
{
	mine->outputs = list_append_unique(mine->outputs, expr);
}

/* take the aggregates and columns of an expression that is put together here; false: the server has not all of them */
static bool
add_parts(PlannerInfo *root, RelOptInfo *output, LyfMysqlRel *mine, Node *expr)
{
	ListCell   *lc;

	foreach(lc, pull_var_clause(expr, PVC_INCLUDE_AGGREGATES | PVC_RECURSE_PLACEHOLDERS))
	{
		LyfTranslation t;
		LyfTerm    *term;

		lyf_mysql_translation(&t, root, output);
		term = IsA(lfirst(lc), Aggref) ? lyf_mysql_term(&t, lfirst(lc)) : NULL;
		if (IsA(lfirst(lc), Aggref) ? term == NULL || term->uneven : ((Var *) lfirst(lc))->varattno <= 0)
			return false;
		add_output(mine, lfirst(lc));
	}
	return true;
}

/* does the clause list group by this reference? */
static bool
is_group(Index ref, List *clauses)
{
	return ref != 0 && get_sortgroupref_clause_noerr(ref, clauses) != NULL;
}

/* groups and outputs of a target; false: the server cannot have them */
static bool
take_target(PlannerInfo *root, RelOptInfo *output, LyfMysqlRel *mine, const PathTarget *target, List *clauses)
{
	ListCell   *lc;

	foreach(lc, target->exprs)
	{
		if (!is_group(get_pathtarget_sortgroupref(target, foreach_current_index(lc)), clauses))
		{
			if (!add_parts(root, output, mine, lfirst(lc)))
				return false;
			continue;
		}
		if (!is_groupable(root, output, lfirst(lc)))
			return false;
		mine->groups = list_append_unique(mine->groups, lfirst(lc));
		add_output(mine, lfirst(lc));
	}
	return true;
}

/* are the columns beside aggregates among those that the query gives?  HAVING knows no others. */
static bool
names_outputs(const LyfMysqlRel *mine, Node *condition)
{
	ListCell   *lc;

	foreach(lc, pull_var_clause(condition, PVC_INCLUDE_AGGREGATES | PVC_RECURSE_PLACEHOLDERS))
	{
		if (IsA(lfirst(lc), Var) && !list_member(mine->outputs, lfirst(lc)))
			return false;
	}
	return true;
}

static bool
take_having(PlannerInfo *root, RelOptInfo *output, LyfMysqlRel *mine, List *having)
{
	ListCell   *lc;

	foreach(lc, having)
	{
		LyfTranslation t;
		bool		superset;

		lyf_mysql_translation(&t, root, output);
		if (names_outputs(mine, lfirst(lc)) && lyf_mysql_condition(&t, lfirst(lc), &superset) != NULL)
		{
			mine->remote = lappend(mine->remote, lfirst(lc));
			continue;
		}
		mine->local = lappend(mine->local, lfirst(lc));
		mine->reasons = lappend(mine->reasons, makeString(pstrdup(t.reason ? t.reason : "a column that the groups have not")));
		if (!add_parts(root, output, mine, lfirst(lc)))
			return false;
	}
	return true;
}

/* an upper relation of the rows of a base or join relation, known to be one, all of whose conditions the server checks; or NULL */
static LyfMysqlRel *
describe_upper(RelOptInfo *input)
{
	const LyfMysqlRel *source = input->fdw_private;
	LyfMysqlRel *mine;

	if (IS_UPPER_REL(input) || source->local != NIL)
		return NULL;
	mine = palloc0(sizeof(LyfMysqlRel));
	mine->server = source->server;
	mine->user = source->user;
	mine->zero_dates = source->zero_dates;
	mine->source = input;
	mine->grouped = true;
	return mine;
}

/* the path of groups that were found to be for the server */
static void
add_grouped_path(PlannerInfo *root, RelOptInfo *output, PathTarget *target)
{
	LyfMysqlRel *mine = output->fdw_private;
	double		groups = mine->groups != NIL ? estimate_num_groups(root, mine->groups, mine->source->rows, NULL, NULL) : 1;
	Cost		startup;
	Cost		total;

	lyf_mysql_estimate_groups(root, output, groups);
	lyf_mysql_cost(output, mine, true, false, &startup, &total);
	add_path(output, (Path *) create_foreign_upper_path(root, output, target, LYF_PATH_ROWS(mine->rows), startup, total, NIL,
														LYF_PATH_OUTER(NULL, NIL), NIL));
}

static void
add_groups(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	const GroupPathExtraData *grouping = extra;
	LyfMysqlRel *mine = describe_upper(input);

	if (mine == NULL || root->parse->groupingSets != NIL || grouping->patype == PARTITIONWISE_AGGREGATE_PARTIAL)
		return;
	output->fdw_private = mine;
	if (take_target(root, output, mine, output->reltarget, root->parse->groupClause) &&
		take_having(root, output, mine, (List *) grouping->havingQual))
		add_grouped_path(root, output, output->reltarget);
	else
		output->fdw_private = NULL;
}

/* DISTINCT groups by all that is selected */
static void
add_distinct(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	PathTarget *target = root->upper_targets[UPPERREL_DISTINCT];
	LyfMysqlRel *mine = describe_upper(input);

	if (mine == NULL || root->parse->hasDistinctOn)
		return;
	output->fdw_private = mine;
	if (take_target(root, output, mine, target, root->parse->distinctClause) && list_length(mine->groups) == list_length(mine->outputs))
		add_grouped_path(root, output, target);
	else
		output->fdw_private = NULL;
}

static void
add_order(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	LyfMysqlRel *mine;
	Cost		startup;
	Cost		total;

	if (root->parse->rowMarks != NIL || lyf_mysql_useful_order(root, input, root->sort_pathkeys) == NIL)
		return;
	mine = palloc(sizeof(LyfMysqlRel));
	*mine = *(LyfMysqlRel *) input->fdw_private;
	mine->source = input;
	mine->sorted = true;
	output->fdw_private = mine;
	lyf_mysql_cost(input, mine, true, false, &startup, &total);
	add_path(output, (Path *) create_foreign_upper_path(root, input, root->upper_targets[UPPERREL_ORDERED],
														LYF_PATH_ROWS(IS_UPPER_REL(input) ? mine->rows : input->rows),
														startup, total, root->sort_pathkeys, LYF_PATH_OUTER(NULL, NIL), NIL));
}

/* can the count of LIMIT or OFFSET stand in the query? */
static bool
can_count(LyfTranslation *t, Node *count)
{
	if (count == NULL)
		return true;
	if (!lyf_mysql_is_value(t, (Expr *) count))
		return false;
	return !IsA(count, Const) || ((Const *) count)->constisnull || DatumGetInt64(((Const *) count)->constvalue) >= 0;
}

/* the LIMIT of the statement, where nothing is left to do here before it */
static void
add_limit(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	const FinalPathExtraData *final = extra;
	const Query *parse = root->parse;
	const LyfMysqlRel *mine = input->fdw_private;
	RelOptInfo *source = mine->sorted ? mine->source : input;
	LyfTranslation t;
	double		rows = mine->rows;
	Cost		startup;
	Cost		total;

	lyf_mysql_translation(&t, root, source);
	if (!final->limit_needed || mine->local != NIL || parse->commandType != CMD_SELECT || parse->rowMarks != NIL ||
		parse->limitOption != LIMIT_OPTION_COUNT || (parse->sortClause != NIL && !mine->sorted) ||
		!can_count(&t, parse->limitCount) || !can_count(&t, parse->limitOffset))
		return;
	lyf_mysql_cost(source, mine, mine->sorted, true, &startup, &total);
	adjust_limit_rows_costs(&rows, &startup, &total, final->offset_est, final->count_est);
	add_path(output, (Path *) create_foreign_upper_path(root, source, root->upper_targets[UPPERREL_FINAL], LYF_PATH_ROWS(rows),
														startup, total, mine->sorted ? root->sort_pathkeys : NIL,
														LYF_PATH_OUTER(NULL, NIL), list_make1(makeBoolean(true))));
}

static const struct
{
	UpperRelationKind stage;
	void		(*add) (PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, void *extra);
}			stages[] = {
	{UPPERREL_GROUP_AGG, add_groups},
	{UPPERREL_DISTINCT, add_distinct},
	{UPPERREL_ORDERED, add_order},
	{UPPERREL_FINAL, add_limit}
};

void
lyf_mysql_upper_paths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	if (!lyf_pushdown || input->fdw_private == NULL || output->fdw_private != NULL || root->parse->hasTargetSRFs)
		return;
	for (int i = 0; i < lengthof(stages); i++)
	{
		if (stages[i].stage == stage)
			stages[i].add(root, input, output, extra);
	}
}
