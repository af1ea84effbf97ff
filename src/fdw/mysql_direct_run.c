/*
 * mysql_direct_run.c
 *		Running UPDATE and DELETE that the server does in one statement.
 */
#include "postgres.h"

#include "base/compat.h"
#include LYF_EXPLAIN_STATE_H
#include LYF_EXPLAIN_FORMAT_H
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "fdw/fdw_internal.h"
#include "fdw/mysql_modify.h"
#include "fdw/mysql_plan.h"

/* one that runs, or is only explained */
typedef struct Direct
{
	ForeignScan *plan;
	const LyfMysqlTable *table;
	LyfMysqlReader reader;
	LyfMysqlFiller *filler;
	int			placed;			/* so many values are the filler's */
	ExprState **assigned;		/* the others */
	ExprContext *context;		/* NULL while it is explained: $1, $2, ... stand for values */
	bool		done;
	Tuplestorestate *returned;	/* rows that came back, or NULL */
	TupleTableSlot *returned_slot;
} Direct;

static List *
private_list(const Direct *direct, int item)
{
	return list_nth(direct->plan->fdw_private, item);
}

/* a text with its places filled */
static void
write_text(Direct *direct, StringInfo sql, const char *text)
{
	if (direct->context != NULL)
		lyf_mysql_filler_fill(direct->filler, sql, text, direct->context);
	else
		lyf_mysql_fill_places(sql, text, lyf_mysql_show_place, private_list(direct, LYF_DIRECT_PLACES));
}

static void
write_assigned(Direct *direct, StringInfo sql, const LyfMysqlColumn *column, int value)
{
	Datum		datum;
	bool		isnull;

	if (direct->context == NULL)
	{
		appendStringInfo(sql, "$%d", value + 1);
		return;
	}
	datum = ExecEvalExprSwitchContext(direct->assigned[value - direct->placed], direct->context, &isnull);
	lyf_mysql_write_value(sql, column, datum, isnull);
}

static void
write_assignments(Direct *direct, StringInfo sql)
{
	ListCell   *attno;
	ListCell   *text;

	forboth(attno, private_list(direct, LYF_DIRECT_ATTRS), text, private_list(direct, LYF_DIRECT_TEXTS))
	{
		const LyfMysqlColumn *column = &direct->table->columns[lfirst_int(attno) - 1];

		appendStringInfoString(sql, foreach_current_index(attno) == 0 ? " SET " : ", ");
		lyf_mysql_quote_name(sql, column->remote_name);
		appendStringInfoString(sql, " = ");
		if (IsA(lfirst(text), Integer))
			write_assigned(direct, sql, column, intVal(lfirst(text)));
		else
			write_text(direct, sql, strVal(lfirst(text)));
	}
}

static void
write_returned(Direct *direct, StringInfo sql)
{
	ListCell   *lc;

	foreach(lc, private_list(direct, LYF_DIRECT_RETURNED))
	{
		appendStringInfoString(sql, foreach_current_index(lc) == 0 ? " RETURNING " : ", ");
		lyf_mysql_select_column(sql, NULL, &direct->table->columns[lfirst_int(lc) - 1]);
	}
}

static void
write_statement(Direct *direct, StringInfo sql)
{
	const char *condition = strVal(list_nth(direct->plan->fdw_private, LYF_DIRECT_CONDITION));

	appendStringInfoString(sql, direct->plan->operation == CMD_UPDATE ? "UPDATE " : "DELETE FROM ");
	lyf_mysql_table_name(sql, direct->table);
	write_assignments(direct, sql);
	if (condition[0] != '\0')
	{
		appendStringInfoString(sql, " WHERE ");
		write_text(direct, sql, condition);
	}
	write_returned(direct, sql);
}

/* FdwRoutine.BeginDirectModify */
static void
begin_direct(ForeignScanState *node, int eflags)
{
	Direct	   *direct = palloc0(sizeof(Direct));
	List	   *values = castNode(ForeignScan, node->ss.ps.plan)->fdw_exprs;
	List	   *placed;

	direct->plan = castNode(ForeignScan, node->ss.ps.plan);
	direct->table = lyf_mysql_table_open(node->ss.ss_currentRelation,
										 lyf_rest_user(lyf_scan_check_as_user(direct->plan, node->ss.ps.state)));
	direct->reader.put_aside = lyf_mysql_never_put_aside;
	direct->placed = intVal(list_nth(direct->plan->fdw_private, LYF_DIRECT_PLACED));
	placed = list_truncate(list_copy(values), direct->placed);
	direct->filler = lyf_mysql_filler_begin(&node->ss.ps, placed, private_list(direct, LYF_DIRECT_PLACES));
	direct->assigned = palloc((list_length(values) - direct->placed) * sizeof(ExprState *));
	for (int i = direct->placed; i < list_length(values); i++)
		direct->assigned[i - direct->placed] = ExecInitExpr(list_nth(values, i), &node->ss.ps);
	node->fdw_state = direct;
}

/* run the DELETE and keep the rows that it gives: whoever looks at them may want the session */
static uint64
keep_returned(Direct *direct, LyfMysqlSession *session, StringInfo sql, TupleDesc desc)
{
	List	   *attrs = private_list(direct, LYF_DIRECT_RETURNED);
	int			wanted = list_length(attrs);
	int		   *attnos = palloc(wanted * sizeof(int));
	const LyfMysqlColumn **columns = palloc(wanted * sizeof(LyfMysqlColumn *));
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	MemoryContext row_cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron mysql row", ALLOCSET_DEFAULT_SIZES);
	const LyfMysqlField *fields;
	int			count;
	LyfMysqlCast *cast;
	LyfMysqlRow row;
	uint64		rows = 0;

	memset(nulls, true, desc->natts * sizeof(bool));
	for (int i = 0; i < wanted; i++)
	{
		attnos[i] = list_nth_int(attrs, i);
		columns[i] = &direct->table->columns[attnos[i] - 1];
	}
	lyf_mysql_query(session, &direct->reader, sql->data, sql->len, &fields, &count);
	cast = lyf_mysql_cast_begin(desc, attnos, columns, wanted, fields, direct->table->zero_dates);
	direct->returned = tuplestore_begin_heap(false, false, work_mem);
	for (; lyf_mysql_fetch(session, &direct->reader, &row); rows++)
	{
		MemoryContext caller = MemoryContextSwitchTo(row_cxt);

		LYF_CHECK(lyf_mysql_cast_row(cast, &row, values, nulls));
		MemoryContextSwitchTo(caller);
		tuplestore_putvalues(direct->returned, desc, values, nulls);
		MemoryContextReset(row_cxt);
	}
	direct->returned_slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	return rows;
}

static void
execute(ForeignScanState *node)
{
	Direct	   *direct = node->fdw_state;
	EState	   *estate = node->ss.ps.state;
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	LyfMysqlSession *session = lyf_mysql_session(direct->table->server, direct->table->user, false);
	StringInfoData sql;
	uint64		rows;

	initStringInfo(&sql);
	direct->context = node->ss.ps.ps_ExprContext;
	write_statement(direct, &sql);
	direct->context = NULL;
	if (private_list(direct, LYF_DIRECT_RETURNED) != NIL)
		rows = keep_returned(direct, session, &sql, RelationGetDescr(node->ss.ss_currentRelation));
	else
		rows = lyf_mysql_execute(session, sql.data, sql.len);
	direct->done = true;
	if (intVal(list_nth(direct->plan->fdw_private, LYF_DIRECT_TAG)))
		estate->es_processed += rows;
	if (node->ss.ps.instrument != NULL && direct->returned == NULL)
		node->ss.ps.instrument->tuplecount += rows;
	MemoryContextSwitchTo(caller);
}

/* FdwRoutine.IterateDirectModify */
static TupleTableSlot *
iterate_direct(ForeignScanState *node)
{
	Direct	   *direct = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (!direct->done)
		execute(node);
	ExecClearTuple(slot);
	if (direct->returned == NULL || !tuplestore_gettupleslot(direct->returned, true, false, direct->returned_slot))
		return slot;
	ExecCopySlot(slot, direct->returned_slot);
	slot->tts_tableOid = direct->table->relid;
	node->resultRelInfo->ri_projectReturning->pi_exprContext->ecxt_scantuple = slot;
	return slot;
}

/* FdwRoutine.EndDirectModify */
static void
end_direct(ForeignScanState *node)
{
	Direct	   *direct = node->fdw_state;

	if (direct == NULL || direct->returned == NULL)
		return;
	ExecDropSingleTupleTableSlot(direct->returned_slot);
	tuplestore_end(direct->returned);
}

/* FdwRoutine.ExplainDirectModify */
static void
explain_direct(ForeignScanState *node, ExplainState *es)
{
	Direct	   *direct = node->fdw_state;
	StringInfoData sql;

	if (!es->verbose)
		return;
	initStringInfo(&sql);
	write_statement(direct, &sql);
	ExplainPropertyText("Remote SQL", pg_any_to_server(sql.data, sql.len, PG_UTF8), es);
	lyf_mysql_explain_values(direct->plan, es);
}

void
lyf_mysql_direct_run_routine(FdwRoutine *routine)
{
	routine->BeginDirectModify = begin_direct;
	routine->IterateDirectModify = iterate_direct;
	routine->EndDirectModify = end_direct;
	routine->ExplainDirectModify = explain_direct;
}
