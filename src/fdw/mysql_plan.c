/*
 * mysql_plan.c
 *		Planning a scan of a table.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_plan.h"

#define QUERY_COST			100.0
#define ROW_COST			0.01
#define DEFAULT_ROWS		10000.0

void
lyf_mysql_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	LyfMysqlRel *mine = palloc0(sizeof(LyfMysqlRel));
	Relation	rel = table_open(relid, NoLock);

	mine->table = lyf_mysql_table_open(rel, lyf_rest_user(lyf_rel_check_as_user(root, baserel)));
	table_close(rel, NoLock);
	baserel->fdw_private = mine;
	if (baserel->tuples < 0)
		baserel->tuples = mine->table->rows >= 0 ? mine->table->rows : DEFAULT_ROWS;
	set_baserel_size_estimates(root, baserel);
}

void
lyf_mysql_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	Cost		startup = QUERY_COST + baserel->baserestrictcost.startup;
	Cost		total = startup + (ROW_COST + cpu_tuple_cost + baserel->baserestrictcost.per_tuple) * baserel->tuples;

	add_path(baserel, (Path *) lyf_create_foreignscan_path(root, baserel, baserel->rows, startup, total,
														   baserel->lateral_relids));
}

/* numbers of the columns that the query looks at */
static List *
wanted_columns(const LyfMysqlTable *table, RelOptInfo *baserel, List *scan_clauses)
{
	Bitmapset  *used = NULL;
	List	   *attrs = NIL;
	ListCell   *lc;
	bool		whole_row;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &used);
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

ForeignScan *
lyf_mysql_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *best_path,
			   List *tlist, List *scan_clauses, Plan *outer_plan)
{
	LyfMysqlRel *mine = rel->fdw_private;
	List	   *attrs = wanted_columns(mine->table, rel, scan_clauses);
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, attrs)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(&sql, ", ");
		lyf_mysql_select_column(&sql, NULL, &mine->table->columns[lfirst_int(lc) - 1]);
	}
	if (attrs == NIL)
		appendStringInfoString(&sql, "NULL");
	appendStringInfoString(&sql, " FROM ");
	lyf_mysql_quote_name(&sql, mine->table->database);
	appendStringInfoChar(&sql, '.');
	lyf_mysql_quote_name(&sql, mine->table->name);
	return make_foreignscan(tlist, extract_actual_clauses(scan_clauses, false), rel->relid, NIL,
							list_make2(makeString(sql.data), attrs), NIL, NIL, outer_plan);
}
