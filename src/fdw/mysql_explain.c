/*
 * mysql_explain.c
 *		What EXPLAIN says about a scan: the query that the server gets, which conditions
 *		are checked here and why; with ANALYZE what the server was asked and how long it took.
 */
#include "postgres.h"

#include "base/compat.h"
#include LYF_EXPLAIN_STATE_H
#include LYF_EXPLAIN_FORMAT_H
#include "mb/pg_wchar.h"
#include "utils/ruleutils.h"

#include "fdw/mysql_plan.h"

/* LyfPlaceFill: a value that only the run knows is $1, $2, ... */
void
lyf_mysql_show_place(void *arg, StringInfo sql, int number)
{
	LyfPlace	place = lyf_mysql_place_load(list_nth(arg, number));

	lyf_mysql_place_show(sql, &place);
}

/* what $1, $2, ... stand for, where that is more than a parameter */
void
lyf_mysql_explain_values(const ForeignScan *plan, ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, NIL);
	List	   *values = NIL;
	ListCell   *lc;

	foreach(lc, plan->fdw_exprs)
	{
		if (!IsA(lfirst(lc), Param))
			values = lappend(values, psprintf("$%d = %s", foreach_current_index(lc) + 1,
											  deparse_expression(lfirst(lc), context, es->verbose, false)));
	}
	if (values != NIL)
		ExplainPropertyList("Remote Values", values, es);
}

static void
explain_local(const ForeignScan *plan, List *context, ExplainState *es)
{
	List	   *local = NIL;
	ListCell   *qual;
	ListCell   *reason;

	forboth(qual, plan->scan.plan.qual, reason, list_nth(plan->fdw_private, LYF_MYSQL_PLAN_REASONS))
		local = lappend(local, psprintf("%s: %s", deparse_expression(lfirst(qual), context, es->verbose, false), strVal(lfirst(reason))));
	if (local != NIL)
		ExplainPropertyList("Local", local, es);
}

void
lyf_mysql_explain(ForeignScanState *node, ExplainState *es)
{
	LyfMysqlScan *scan = node->fdw_state;
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	List	   *context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, NIL);
	StringInfoData sql;

	initStringInfo(&sql);
	lyf_mysql_fill_places(&sql, scan->sql, lyf_mysql_show_place, list_nth(plan->fdw_private, LYF_MYSQL_PLAN_PLACES));
	ExplainPropertyText("Remote SQL", pg_any_to_server(sql.data, sql.len, PG_UTF8), es);
	lyf_mysql_explain_values(plan, es);
	explain_local(plan, context, es);
	if (!es->analyze)
		return;
	ExplainPropertyInteger("Remote Queries", NULL, scan->queries, es);
	ExplainPropertyInteger("Remote Rows", NULL, scan->rows, es);
	if (es->timing)
		ExplainPropertyFloat("Wait Time", "ms", scan->wait_us / 1000.0, 3, es);
}
