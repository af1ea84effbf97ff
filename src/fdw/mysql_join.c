/*
 * mysql_join.c
 *		Joins of tables of one server.
 *
 * Conditions of a table that an inner join has stand in WHERE; those of one that an outer join
 * may leave out stand in its ON.  A semi or anti join is a condition itself: (NOT) EXISTS.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"

#include "base/compat.h"
#include "base/settings.h"
#include "fdw/mysql_plan.h"

/* can both sides be had from one query, with their columns as they are? */
static bool
go_together(const LyfMysqlRel *outer, const LyfMysqlRel *inner)
{
	return outer != NULL && inner != NULL && outer->local == NIL && inner->local == NIL && outer->server == inner->server &&
		outer->user == inner->user && outer->zero_dates == inner->zero_dates;
}

static bool
is_existence(JoinType jointype)
{
	return jointype == JOIN_SEMI || jointype == JOIN_ANTI;
}

/* does it give plain columns of these relations, nothing of the system's, no whole rows? */
static bool
gives_columns(const RelOptInfo *joinrel, Relids relids)
{
	ListCell   *lc;

	foreach(lc, joinrel->reltarget->exprs)
	{
		const Var  *var = lfirst(lc);

		if (!IsA(var, Var) || var->varattno <= 0 || !bms_is_member(var->varno, relids))
			return false;
	}
	return true;
}

/* sort the join's own conditions; false: one of them stands in the way */
static bool
split_clauses(PlannerInfo *root, RelOptInfo *joinrel, List *restrictlist, LyfMysqlRel *mine)
{
	ListCell   *lc;

	foreach(lc, restrictlist)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		bool		on = !IS_OUTER_JOIN(mine->jointype) || !RINFO_IS_PUSHED_DOWN(rinfo, joinrel->relids);
		LyfTranslation t;
		bool		superset;

		lyf_mysql_translation(&t, root, joinrel);
		if (rinfo->pseudoconstant)
			return false;
		if (lyf_mysql_condition(&t, rinfo->clause, &superset) == NULL || superset)
		{
			if (is_existence(mine->jointype) || (mine->jointype == JOIN_LEFT && on))
				return false;
			mine->local = lappend(mine->local, rinfo->clause);
			mine->reasons = lappend(mine->reasons, makeString(pstrdup(superset ? "it has dates that read as NULL" : lyf_mysql_reason(&t))));
		}
		else if (on)
			mine->clauses = lappend(mine->clauses, rinfo->clause);
		else
			mine->remote = lappend(mine->remote, rinfo->clause);
	}
	return true;
}

/* add the conditions of both sides; those of an existence are in it */
static void
take_conditions(LyfMysqlRel *mine)
{
	const LyfMysqlRel *outer = mine->outer->fdw_private;
	const LyfMysqlRel *inner = mine->inner->fdw_private;

	mine->remote = list_concat(mine->remote, outer->remote);
	mine->exists = list_copy(outer->exists);
	mine->hidden = bms_union(outer->hidden, is_existence(mine->jointype) ? mine->inner->relids : inner->hidden);
	if (is_existence(mine->jointype))
		mine->exists = lappend(mine->exists, mine);
	else if (mine->jointype == JOIN_INNER)
	{
		mine->remote = list_concat(mine->remote, inner->remote);
		mine->exists = list_concat(mine->exists, inner->exists);
	}
	else
	{
		mine->clauses = list_concat(mine->clauses, inner->remote);
		mine->clause_exists = inner->exists;
	}
}

/* the join as one query, or NULL */
static LyfMysqlRel *
describe_join(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outer, RelOptInfo *inner, JoinType jointype, List *restrictlist)
{
	LyfMysqlRel *mine = palloc0(sizeof(LyfMysqlRel));
	const LyfMysqlRel *one = outer->fdw_private;

	if (!go_together(one, inner->fdw_private) || !gives_columns(joinrel, is_existence(jointype) ? outer->relids : joinrel->relids))
		return NULL;
	mine->server = one->server;
	mine->user = one->user;
	mine->zero_dates = one->zero_dates;
	mine->outer = jointype == JOIN_RIGHT ? inner : outer;
	mine->inner = jointype == JOIN_RIGHT ? outer : inner;
	mine->jointype = jointype == JOIN_RIGHT ? JOIN_LEFT : jointype;
	if (!split_clauses(root, joinrel, restrictlist, mine))
		return NULL;
	take_conditions(mine);
	return mine;
}

/* would a row that another transaction changes meanwhile have to be joined again here? */
static bool
may_join_again(const PlannerInfo *root)
{
	return root->parse->commandType == CMD_UPDATE || root->parse->commandType == CMD_DELETE || root->parse->commandType == CMD_MERGE ||
		root->rowMarks != NIL;
}

static void
add_join_path(PlannerInfo *root, RelOptInfo *joinrel, List *pathkeys, List *restrictlist)
{
	Cost		startup;
	Cost		total;

	lyf_mysql_cost(joinrel, joinrel->fdw_private, pathkeys != NIL, false, &startup, &total);
	add_path(joinrel, (Path *) create_foreign_join_path(root, joinrel, NULL, LYF_PATH_ROWS(joinrel->rows), startup, total, pathkeys,
														joinrel->lateral_relids, LYF_PATH_OUTER(NULL, restrictlist), NIL));
}

void
lyf_mysql_join_paths(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outer, RelOptInfo *inner,
					 JoinType jointype, JoinPathExtraData *extra)
{
	LyfMysqlRel *mine;
	List	   *order;

	if (!lyf_pushdown || joinrel->fdw_private != NULL || !bms_is_empty(joinrel->lateral_relids) || may_join_again(root))
		return;
	if (jointype != JOIN_INNER && jointype != JOIN_LEFT && jointype != JOIN_RIGHT && !is_existence(jointype))
		return;
	mine = describe_join(root, joinrel, outer, inner, jointype, extra->restrictlist);
	if (mine == NULL)
		return;
	joinrel->fdw_private = mine;
	lyf_mysql_estimate_join(root, joinrel);
	add_join_path(root, joinrel, NIL, extra->restrictlist);
	order = lyf_mysql_useful_order(root, joinrel, root->query_pathkeys);
	if (order != NIL)
		add_join_path(root, joinrel, order, extra->restrictlist);
}
