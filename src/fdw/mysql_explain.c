/*
 * mysql_explain.c
 *		What EXPLAIN says about a scan: the query that the server gets, which conditions
 *		are checked here and why; with ANALYZE what the server was asked and how long it took.
 */
#include "postgres.h"

#include "base/compat.h"
#include LYF_EXPLAIN_STATE_H
#include LYF_EXPLAIN_FORMAT_H

#include "fdw/mysql_plan.h"

void
lyf_mysql_explain(ForeignScanState *node, ExplainState *es)
{
	LyfMysqlScan *scan = node->fdw_state;

	ExplainPropertyText("Remote SQL", scan->sql, es);
	if (es->analyze)
	{
		ExplainPropertyInteger("Remote Queries", NULL, scan->queries, es);
		ExplainPropertyInteger("Remote Rows", NULL, scan->rows, es);
	}
}
