/*
 * explain.c
 *		What EXPLAIN says about a scan: the request (its secrets masked, {names} for
 *		what a slice will have), which conditions became part of it and which did not and
 *		why; with ANALYZE what went over the network.
 */
#include "postgres.h"

#include "base/compat.h"
#include LYF_EXPLAIN_STATE_H
#include LYF_EXPLAIN_FORMAT_H
#include "utils/ruleutils.h"

#include "base/settings.h"
#include "fdw/fdw_internal.h"

/* sort the conditions of the plan into pushed ones and, with their reasons, local ones */
static void
explain_conditions(ForeignScanState *node, ExplainState *es)
{
	LyfRestScan *scan = node->fdw_state;
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	List	   *context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, NIL);
	List	   *pushed = NIL;
	List	   *local = NIL;
	int			position = 0;
	ListCell   *qual;
	ListCell   *reason;

	forboth(qual, plan->scan.plan.qual,
			reason, list_nth(plan->fdw_private, LYF_PRIVATE_REASONS))
	{
		const char *why = strVal(lfirst(reason));
		char	   *text = deparse_expression(lfirst(qual), context, es->verbose, false);

		if (why[0] == '\0' && list_nth(scan->pushed, position++) == NULL)
			why = lyf_pushdown ? "no longer possible since this was planned" : "lyftron.pushdown is off";
		if (why[0] == '\0')
			pushed = lappend(pushed, text);
		else
			local = lappend(local, psprintf("%s: %s", text, why));
	}
	if (pushed != NIL)
		ExplainPropertyList("Pushed", pushed, es);
	if (local != NIL)
		ExplainPropertyList("Local", local, es);
}

static void
explain_network(const LyfNetStats *stats, ExplainState *es)
{
	ExplainPropertyInteger("Requests", NULL, stats->requests, es);
	ExplainPropertyInteger("Pages", NULL, stats->pages, es);
	ExplainPropertyInteger("Retries", NULL, stats->retries, es);
	ExplainPropertyInteger("Received", "bytes", stats->wire_bytes, es);
	ExplainPropertyInteger("Decoded", "bytes", stats->body_bytes, es);
	if (es->timing)
	{
		ExplainPropertyFloat("Network Time", "ms", stats->network_us / 1000.0, 3, es);
		ExplainPropertyFloat("Wait Time", "ms", stats->wait_us / 1000.0, 3, es);
	}
}

void
lyf_rest_explain(ForeignScanState *node, ExplainState *es)
{
	LyfRestScan *scan = node->fdw_state;
	const LyfStream *stream = scan->table->stream;

	ExplainPropertyText("Request",
						lyf_requester_describe(stream->requester, &scan->table->session, stream->router, stream->cursor),
						es);
	explain_conditions(node, es);
	if (es->analyze)
		explain_network(&scan->stats, es);
}
