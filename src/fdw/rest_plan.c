/*
 * rest_plan.c
 *		Planning a scan of a REST stream, without any network.
 *
 * What a scan costs is requests: one a page, and for a stream with partitions
 * at least one a partition.  A path that another relation drives, partition
 * by partition, wins while that relation is small.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "fdw/fdw_internal.h"

/* guesses, where nothing is known */
#define REQUEST_COST		100.0
#define ROWS_PER_PAGE		100.0
#define DEFAULT_ROWS		10000.0

/* What planning knows of one relation. */
typedef struct RestPlan
{
	LyfRestTable *table;
	List	   *pushed;			/* RestrictInfos that become part of the requests */
	bool		one_partition;	/* one of them is an equality with a partition field */
} RestPlan;

void
lyf_rest_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	RestPlan   *plan = palloc0(sizeof(RestPlan));
	Relation	rel = table_open(relid, NoLock);
	ListCell   *lc;

	plan->table = lyf_rest_table_open(rel, lyf_rest_user(lyf_rel_check_as_user(root, baserel)));
	table_close(rel, NoLock);

	foreach(lc, baserel->baserestrictinfo)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		LyfPush		push;

		if (lyf_push_clause(plan->table, root, baserel->relid, rinfo->clause, &push) != NULL)
			continue;
		plan->pushed = lappend(plan->pushed, rinfo);
		if (plan->table->columns[push.attno - 1].partition != NULL && !push.any)
			plan->one_partition = true;
	}
	baserel->fdw_private = plan;

	/* never analyzed */
	if (baserel->tuples < 0)
		baserel->tuples = DEFAULT_ROWS;
	set_baserel_size_estimates(root, baserel);
}

/* add a path that fetches so many rows and returns so many of them */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *baserel, double fetched, double rows,
			  bool one_partition, Relids required_outer)
{
	RestPlan   *plan = baserel->fdw_private;
	bool		partitioned = plan->table->stream->router != NULL;
	double		partitions = one_partition ? 1.0 : lyf_router_guess(plan->table->stream->router);
	double		requests = Max(fetched / ROWS_PER_PAGE, partitions);
	Cost		startup = REQUEST_COST * (partitioned ? 2 : 1) + baserel->baserestrictcost.startup;
	Cost		total = startup + REQUEST_COST * requests +
		(cpu_tuple_cost + baserel->baserestrictcost.per_tuple) * fetched;

	add_path(baserel, (Path *) lyf_create_foreignscan_path(root, baserel, rows, startup, total,
														   required_outer));
}

/* is this member of an equivalence class the column? */
static bool
is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
		  EquivalenceMember *em, void *arg)
{
	AttrNumber	attno = *(AttrNumber *) arg;
	Node	   *node = (Node *) em->em_expr;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Var) && ((Var *) node)->varno == rel->relid &&
		((Var *) node)->varattno == attno;
}

/* the parameterizations in which join clauses give a partition field its value */
static List *
driving_relations(PlannerInfo *root, RelOptInfo *baserel, List *clauses, List *found)
{
	RestPlan   *plan = baserel->fdw_private;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		LyfPush		push;
		Relids		outer;

		if (!join_clause_is_movable_to(rinfo, baserel) ||
			lyf_push_clause(plan->table, root, baserel->relid, rinfo->clause, &push) != NULL ||
			plan->table->columns[push.attno - 1].partition == NULL)
			continue;
		outer = bms_union(rinfo->clause_relids, baserel->lateral_relids);
		outer = bms_del_member(outer, baserel->relid);
		if (!bms_is_empty(outer))
			found = list_append_unique_ptr(found, get_baserel_parampathinfo(root, baserel, outer));
	}
	return found;
}

static List *
all_driving_relations(PlannerInfo *root, RelOptInfo *baserel)
{
	RestPlan   *plan = baserel->fdw_private;
	List	   *found = driving_relations(root, baserel, baserel->joininfo, NIL);

	for (int i = 0; i < plan->table->natts && baserel->has_eclass_joins; i++)
	{
		AttrNumber	attno = i + 1;
		List	   *clauses;

		if (plan->table->columns[i].partition == NULL)
			continue;
		clauses = generate_implied_equalities_for_column(root, baserel, is_column, &attno,
														 baserel->lateral_referencers);
		found = driving_relations(root, baserel, clauses, found);
	}
	return found;
}

void
lyf_rest_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	RestPlan   *plan = baserel->fdw_private;
	double		fetched;
	ListCell   *lc;

	fetched = baserel->tuples *
		clauselist_selectivity(root, plan->pushed, baserel->relid, JOIN_INNER, NULL);
	add_scan_path(root, baserel, clamp_row_est(fetched), baserel->rows, plan->one_partition,
				  baserel->lateral_relids);

	foreach(lc, all_driving_relations(root, baserel))
	{
		ParamPathInfo *info = lfirst(lc);

		add_scan_path(root, baserel, info->ppi_rows, info->ppi_rows, true, info->ppi_req_outer);
	}
}

/* numbers of the columns that the query looks at */
static List *
wanted_columns(const LyfRestTable *table, RelOptInfo *baserel, List *scan_clauses)
{
	Bitmapset  *used = NULL;
	List	   *attrs = NIL;
	ListCell   *lc;
	bool		whole_row;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &used);
	foreach(lc, baserel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, baserel->relid, &used);
	foreach(lc, scan_clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, lc)->clause, baserel->relid, &used);

	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);
	for (int i = 0; i < table->natts; i++)
	{
		AttrNumber	attno = i + 1;

		if (table->columns[i].dropped)
			continue;
		if (whole_row || bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, used))
			attrs = lappend_int(attrs, attno);
	}
	return attrs;
}

/* the LIMIT of a query that reads nothing but this table; 0: none, or not known yet */
static int
rows_wanted(const PlannerInfo *root)
{
	if (bms_membership(root->all_baserels) != BMS_SINGLETON || root->limit_tuples <= 0)
		return 0;
	return (int) Min(root->limit_tuples, PG_INT32_MAX);
}

ForeignScan *
lyf_rest_plan(PlannerInfo *root, RelOptInfo *baserel, Oid relid,
			  ForeignPath *best_path, List *tlist, List *scan_clauses, Plan *outer_plan)
{
	RestPlan   *plan = baserel->fdw_private;
	List	   *attrs = wanted_columns(plan->table, baserel, scan_clauses);
	List	   *quals = NIL;
	List	   *pushed = NIL;
	List	   *values = NIL;
	List	   *reasons = NIL;
	ListCell   *lc;

	/* every condition stays a local one; some narrow the requests as well */
	foreach(lc, scan_clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		const char *reason;
		LyfPush		push;

		if (rinfo->pseudoconstant)
			continue;
		reason = lyf_push_clause(plan->table, root, baserel->relid, rinfo->clause, &push);
		if (reason == NULL)
		{
			pushed = lappend(pushed, lyf_push_save(&push));
			values = lappend(values, push.value);
		}
		quals = lappend(quals, rinfo->clause);
		reasons = lappend(reasons, makeString(pstrdup(reason ? reason : "")));
	}
	return make_foreignscan(tlist, quals, baserel->relid, values,
							list_make4(attrs, pushed, reasons, makeInteger(rows_wanted(root))), NIL, NIL, outer_plan);
}
