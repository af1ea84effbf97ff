/*
 * mysql_plan.c
 *		Planning scans of tables: which conditions the server checks, and the
 *		plan that comes of a path, whatever it computes.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/settings.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_plan.h"

/* a guess, where nothing is known */
#define DEFAULT_ROWS		10000.0

void
lyf_mysql_split_conditions(PlannerInfo *root, RelOptInfo *rel, List *clauses, List **remote, List **local, List **reasons)
{
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		LyfTranslation t;
		bool		superset = false;
		bool		shipped;

		lyf_mysql_translation(&t, root, rel);
		shipped = lyf_pushdown && lyf_mysql_condition(&t, rinfo->clause, &superset) != NULL;
		if (shipped)
			*remote = lappend(*remote, rinfo->clause);
		if (shipped && !superset)
			continue;
		*local = lappend(*local, rinfo->clause);
		*reasons = lappend(*reasons, makeString(pstrdup(!lyf_pushdown ? "lyftron.pushdown is off" :
														shipped ? "checked again, since the server has dates that read as NULL" : lyf_mysql_reason(&t))));
	}
}

void
lyf_mysql_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	LyfMysqlRel *mine = palloc0(sizeof(LyfMysqlRel));
	Relation	rel = table_open(relid, NoLock);

	mine->user = lyf_rest_user(lyf_rel_check_as_user(root, baserel));
	mine->table = lyf_mysql_table_open(rel, mine->user);
	mine->server = mine->table->server;
	mine->zero_dates = mine->table->zero_dates;
	table_close(rel, NoLock);
	baserel->fdw_private = mine;
	lyf_mysql_split_conditions(root, baserel, baserel->baserestrictinfo, &mine->remote, &mine->local, &mine->reasons);

	/* never analyzed */
	if (baserel->tuples < 0)
		baserel->tuples = mine->table->rows >= 0 ? mine->table->rows : DEFAULT_ROWS;
	lyf_mysql_estimate_unique(baserel);
	set_baserel_size_estimates(root, baserel);
	lyf_mysql_estimate_scan(root, baserel);
}

static void
add_scan_path(PlannerInfo *root, RelOptInfo *baserel, List *pathkeys)
{
	Cost		startup;
	Cost		total;

	lyf_mysql_cost(baserel, baserel->fdw_private, pathkeys != NIL, false, &startup, &total);
	add_path(baserel, (Path *) create_foreignscan_path(root, baserel, NULL, LYF_PATH_ROWS(baserel->rows), startup, total, pathkeys,
													   baserel->lateral_relids, LYF_PATH_OUTER(NULL, NIL), NIL));
}

List *
lyf_mysql_useful_order(PlannerInfo *root, RelOptInfo *rel, List *pathkeys)
{
	ListCell   *lc;

	if (!lyf_pushdown)
		return NIL;
	foreach(lc, pathkeys)
	{
		if (lyf_mysql_sort_expression(root, rel, lfirst(lc)) == NULL)
			return NIL;
	}
	return pathkeys;
}

/* is this member of an equivalence class the column? */
static bool
is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em, void *arg)
{
	AttrNumber	attno = *(AttrNumber *) arg;
	Node	   *node = (Node *) em->em_expr;

	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Var) && ((Var *) node)->varno == rel->relid && ((Var *) node)->varattno == attno;
}

/* the parameterizations in which join clauses become conditions at the server */
static List *
driving_relations(PlannerInfo *root, RelOptInfo *baserel, List *clauses, List *found)
{
	ListCell   *lc;

	foreach(lc, clauses)
	{
		RestrictInfo *rinfo = lfirst_node(RestrictInfo, lc);
		LyfTranslation t;
		Relids		outer;
		bool		superset;

		if (!join_clause_is_movable_to(rinfo, baserel))
			continue;
		lyf_mysql_translation(&t, root, baserel);
		if (lyf_mysql_condition(&t, rinfo->clause, &superset) == NULL)
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
	const LyfMysqlRel *mine = baserel->fdw_private;
	List	   *found = driving_relations(root, baserel, baserel->joininfo, NIL);

	for (int i = 0; i < mine->table->natts && baserel->has_eclass_joins; i++)
	{
		AttrNumber	attno = i + 1;

		found = driving_relations(root, baserel,
								  generate_implied_equalities_for_column(root, baserel, is_column, &attno, baserel->lateral_referencers),
								  found);
	}
	return found;
}

/* a scan for each row of other relations */
static void
add_driven_path(PlannerInfo *root, RelOptInfo *baserel, ParamPathInfo *info)
{
	const LyfMysqlRel *mine = baserel->fdw_private;
	LyfMysqlRel driven = *mine;
	List	   *remote = NIL;
	Cost		startup;
	Cost		total;

	driven.local = driven.reasons = NIL;
	lyf_mysql_split_conditions(root, baserel, info->ppi_clauses, &remote, &driven.local, &driven.reasons);
	driven.remote = list_concat_copy(mine->remote, remote);
	driven.local = list_concat_copy(mine->local, driven.local);
	lyf_mysql_estimate_driven(root, baserel, &driven);
	lyf_mysql_cost(baserel, &driven, false, false, &startup, &total);
	add_path(baserel, (Path *) create_foreignscan_path(root, baserel, NULL, LYF_PATH_ROWS(info->ppi_rows), startup, total, NIL,
													   info->ppi_req_outer, LYF_PATH_OUTER(NULL, NIL), NIL));
}

void
lyf_mysql_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	List	   *order = lyf_mysql_useful_order(root, baserel, root->query_pathkeys);
	ListCell   *lc;

	add_scan_path(root, baserel, NIL);
	if (order != NIL)
		add_scan_path(root, baserel, order);
	if (!lyf_pushdown)
		return;
	foreach(lc, all_driving_relations(root, baserel))
		add_driven_path(root, baserel, lfirst(lc));
}

/* numbers of the columns that the query looks at */
static List *
wanted_columns(const LyfMysqlTable *table, RelOptInfo *baserel, List *local)
{
	Bitmapset  *used = NULL;
	List	   *attrs = NIL;
	bool		whole_row;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &used);
	pull_varattnos((Node *) local, baserel->relid, &used);
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

/* the columns as expressions */
static List *
columns_as_vars(const LyfMysqlTable *table, Index varno, List *attrs)
{
	List	   *vars = NIL;
	ListCell   *lc;

	foreach(lc, attrs)
	{
		const LyfMysqlColumn *column = &table->columns[lfirst_int(lc) - 1];

		vars = lappend(vars, makeVar(varno, column->attno, column->type, column->typmod, column->collation, 0));
	}
	return vars;
}

/* what a join gives, or an upper relation */
static List *
computed_outputs(RelOptInfo *rel, const LyfMysqlRel *mine)
{
	List	   *tlist;

	if (IS_UPPER_REL(rel))
		return mine->outputs;
	tlist = add_to_flat_tlist(NIL, pull_var_clause((Node *) rel->reltarget->exprs, PVC_RECURSE_PLACEHOLDERS));
	tlist = add_to_flat_tlist(tlist, pull_var_clause((Node *) mine->local, PVC_RECURSE_PLACEHOLDERS));
	return get_tlist_exprs(tlist, true);
}

/* 1 ... count */
static List *
all_attributes(int count)
{
	List	   *attrs = NIL;

	for (int i = 1; i <= count; i++)
		attrs = lappend_int(attrs, i);
	return attrs;
}

/* the condition with the keys of a join in batches, if it is the inner side of one */
static List *
keys_of(const ForeignPath *path)
{
	return list_length(path->fdw_private) > LYF_MYSQL_PATH_KEYS ? list_make1(list_nth(path->fdw_private, LYF_MYSQL_PATH_KEYS)) : NIL;
}

static bool
is_limited(const ForeignPath *path)
{
	return path->fdw_private != NIL && boolVal(list_nth(path->fdw_private, LYF_MYSQL_PATH_LIMITED));
}

/* conditions without a column are checked once, before the scan; there is a node for that */
static List *
without_pseudoconstants(List *clauses)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, clauses)
	{
		if (!lfirst_node(RestrictInfo, lc)->pseudoconstant)
			result = lappend(result, lfirst(lc));
	}
	return result;
}

/* a plan that scans one table: its rows are the table's */
static ForeignScan *
plan_scan(LyfTranslation *t, LyfMysqlQuery *query, RelOptInfo *rel, List *tlist, List *scan_clauses)
{
	const LyfMysqlRel *mine = rel->fdw_private;
	List	   *remote = NIL;
	List	   *local = NIL;
	List	   *reasons = NIL;
	List	   *attrs;
	char	   *sql;

	lyf_mysql_split_conditions(t->root, rel, without_pseudoconstants(scan_clauses), &remote, &local, &reasons);
	query->where = list_concat(query->where, remote);
	attrs = wanted_columns(mine->table, rel, local);
	query->outputs = columns_as_vars(mine->table, rel->relid, attrs);
	sql = lyf_mysql_deparse(t, query);
	return make_foreignscan(tlist, local, rel->relid, t->values,
							list_make4(makeString(sql), t->places, attrs, reasons), NIL, remote, NULL);
}

/* a plan whose rows the server makes of several tables, or of groups of rows */
static ForeignScan *
plan_computed(LyfTranslation *t, LyfMysqlQuery *query, RelOptInfo *rel, List *tlist)
{
	const LyfMysqlRel *mine = rel->fdw_private;
	List	   *scan_tlist;
	char	   *sql;

	query->outputs = computed_outputs(rel, mine);
	scan_tlist = add_to_flat_tlist(NIL, query->outputs);
	sql = lyf_mysql_deparse(t, query);
	return make_foreignscan(tlist, mine->local, 0, t->values,
							list_make4(makeString(sql), t->places, all_attributes(list_length(query->outputs)), mine->reasons),
							scan_tlist, NIL, NULL);
}

ForeignScan *
lyf_mysql_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *best_path,
			   List *tlist, List *scan_clauses, Plan *outer_plan)
{
	LyfMysqlQuery query = {.rel = rel,.where = keys_of(best_path),.pathkeys = best_path->path.pathkeys,.limited = is_limited(best_path)};
	LyfTranslation t;

	lyf_mysql_translation(&t, root, rel);
	t.keyed = query.where != NIL;
	if (IS_SIMPLE_REL(rel))
		return plan_scan(&t, &query, rel, tlist, scan_clauses);
	return plan_computed(&t, &query, rel, tlist);
}
