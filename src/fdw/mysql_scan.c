/*
 * mysql_scan.c
 *		Running a scan: one query, its rows as they come.
 *
 * A session has one query at a time.  When another scan wants it before all rows
 * of this one have come, what is left is put aside: in memory as far as work_mem
 * goes, then in a file.  A row that cannot be converted is no reason for the other scan
 * to fail: the failure is put aside, too.
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "base/clock.h"
#include "base/compat.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_plan.h"

/* count how long the query waited */
static void
end_waiting(LyfMysqlScan *scan)
{
	if (scan->wait_start >= 0)
		scan->wait_us += lyf_mysql_stats(scan->session)->wait_us - scan->wait_start;
	scan->wait_start = -1;
}

/* the next row from the server into values and nulls, in a context that it takes for itself; false: there are no more */
static bool
fetch_row(LyfMysqlScan *scan, MemoryContext cxt, Datum *values, bool *nulls, LyfFailure **failure)
{
	LyfMysqlRow row;
	MemoryContext caller;

	*failure = NULL;
	if (!lyf_mysql_fetch(scan->session, &scan->reader, &row))
	{
		end_waiting(scan);
		return false;
	}
	MemoryContextReset(cxt);
	caller = MemoryContextSwitchTo(cxt);
	*failure = lyf_mysql_cast_row(scan->cast, &row, values, nulls);
	MemoryContextSwitchTo(caller);
	return true;
}

/* LyfMysqlReader.put_aside */
static void
put_aside(LyfMysqlReader *reader)
{
	LyfMysqlScan *scan = reader->arg;
	MemoryContext caller = MemoryContextSwitchTo(scan->query_cxt);
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext row_cxt = AllocSetContextCreate(scan->query_cxt, "lyftron mysql row aside", ALLOCSET_DEFAULT_SIZES);
	Datum	   *values = palloc(scan->desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(scan->desc->natts * sizeof(bool));
	LyfFailure *failure;

	/* the row that the scan has given last is still looked at */
	memset(nulls, true, scan->desc->natts * sizeof(bool));

	/* its file outlives the subtransaction that the other scan may run in */
	CurrentResourceOwner = scan->owner;
	scan->aside = tuplestore_begin_heap(false, false, work_mem);
	while (fetch_row(scan, row_cxt, values, nulls, &failure))
	{
		if (failure != NULL)
		{
			scan->aside_failure = lyf_failure_copy(failure);
			lyf_mysql_finish(scan->session, reader);
			end_waiting(scan);
			break;
		}
		tuplestore_putvalues(scan->aside, scan->desc, values, nulls);
	}
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(row_cxt);
}

/* a table that is scanned, opened once */
static const LyfMysqlTable *
get_table(LyfMysqlScan *scan, EState *estate, Index varno)
{
	Oid			relid = exec_rt_fetch(varno, estate)->relid;
	const LyfMysqlTable *table;
	Relation	rel;
	ListCell   *lc;

	foreach(lc, scan->tables)
	{
		if (((LyfMysqlTable *) lfirst(lc))->relid == relid)
			return lfirst(lc);
	}
	rel = table_open(relid, NoLock);
	table = lyf_mysql_table_open(rel, scan->user);
	table_close(rel, NoLock);
	scan->zero_dates = table->zero_dates;
	scan->tables = lappend(scan->tables, unconstify(LyfMysqlTable *, table));
	return table;
}

/* the column whose values an output of the query has, or NULL */
static const LyfMysqlColumn *
find_column(LyfMysqlScan *scan, EState *estate, const Expr *output)
{
	const Var  *var = (const Var *) output;

	return IsA(output, Var) ? &get_table(scan, estate, var->varno)->columns[var->varattno - 1] : NULL;
}

/* what the fields of the query are, and where they go */
static void
init_fields(LyfMysqlScan *scan, const ForeignScan *plan, EState *estate)
{
	List	   *attrs = list_nth(plan->fdw_private, LYF_MYSQL_PLAN_ATTRS);
	Index		scanrelid = plan->scan.scanrelid;

	scan->count = list_length(attrs);
	scan->attnos = palloc((scan->count + 1) * sizeof(int));
	scan->columns = palloc((scan->count + 1) * sizeof(LyfMysqlColumn *));
	for (int i = 0; i < scan->count; i++)
	{
		scan->attnos[i] = list_nth_int(attrs, i);
		scan->columns[i] = scanrelid > 0 ? &get_table(scan, estate, scanrelid)->columns[scan->attnos[i] - 1]
			: find_column(scan, estate, list_nth_node(TargetEntry, plan->fdw_scan_tlist, i)->expr);
	}
}

void
lyf_mysql_begin(ForeignScanState *node, int eflags)
{
	ForeignScan *plan = castNode(ForeignScan, node->ss.ps.plan);
	EState	   *estate = node->ss.ps.state;
	LyfMysqlScan *scan = palloc0(sizeof(LyfMysqlScan));
	MemoryContext caller;

	scan->cxt = AllocSetContextCreate(estate->es_query_cxt, "lyftron mysql scan", ALLOCSET_DEFAULT_SIZES);
	scan->row_cxt = AllocSetContextCreate(scan->cxt, "lyftron mysql row", ALLOCSET_DEFAULT_SIZES);
	scan->query_cxt = AllocSetContextCreate(scan->cxt, "lyftron mysql query", ALLOCSET_DEFAULT_SIZES);
	scan->reader.put_aside = put_aside;
	scan->reader.arg = scan;
	scan->owner = CurrentResourceOwner;
	scan->server = plan->fs_server;
	scan->user = lyf_rest_user(lyf_scan_check_as_user(plan, estate));
	scan->desc = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	scan->sql = strVal(list_nth(plan->fdw_private, LYF_MYSQL_PLAN_SQL));
	scan->wait_start = -1;
	node->fdw_state = scan;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	caller = MemoryContextSwitchTo(scan->cxt);
	init_fields(scan, plan, estate);
	scan->filler = lyf_mysql_filler_begin(&node->ss.ps, plan->fdw_exprs, list_nth(plan->fdw_private, LYF_MYSQL_PLAN_PLACES));
	scan->aside_slot = MakeSingleTupleTableSlot(scan->desc, &TTSOpsMinimalTuple);
	MemoryContextSwitchTo(caller);
}

/* the table may have been changed while the query came to the server */
static void
check_fields(const LyfMysqlScan *scan, int count)
{
	if (count != Max(scan->count, 1))
		elog(ERROR, "the server sent %d fields for a query of %d", count, scan->count);
}

static void
start_query(LyfMysqlScan *scan, ForeignScanState *node)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	MemoryContext caller = MemoryContextSwitchTo(scan->query_cxt);
	const LyfMysqlField *fields;
	StringInfoData sql;
	int			count;

	scan->started = true;
	initStringInfo(&sql);
	lyf_mysql_filler_fill(scan->filler, &sql, scan->sql, node->ss.ps.ps_ExprContext);
	scan->session = lyf_mysql_session(scan->server, scan->user, true);
	scan->wait_start = lyf_mysql_stats(scan->session)->wait_us;
	lyf_mysql_query(scan->session, &scan->reader, sql.data, sql.len, &fields, &count);
	scan->queries++;
	check_fields(scan, count);
	scan->cast = lyf_mysql_cast_begin(scan->desc, scan->attnos, scan->columns, scan->count, fields,
									  scan->zero_dates);
	memset(slot->tts_isnull, true, scan->desc->natts * sizeof(bool));
	MemoryContextSwitchTo(caller);
}

/* the next row that was put aside into the slot; false: there are no more */
static bool
next_aside(LyfMysqlScan *scan, TupleTableSlot *slot)
{
	TupleTableSlot *from = scan->aside_slot;
	MemoryContext caller = MemoryContextSwitchTo(scan->query_cxt);
	bool		found = tuplestore_gettupleslot(scan->aside, true, false, from);

	/* one that was read from its file is the slot's to free: the executor's memory of a row goes before */
	MemoryContextSwitchTo(caller);
	if (!found)
	{
		if (scan->aside_failure != NULL)
			lyf_failure_raise(scan->aside_failure);
		return false;
	}
	slot_getallattrs(from);
	memcpy(slot->tts_values, from->tts_values, scan->desc->natts * sizeof(Datum));
	memcpy(slot->tts_isnull, from->tts_isnull, scan->desc->natts * sizeof(bool));
	return true;
}

static bool
next_row(LyfMysqlScan *scan, TupleTableSlot *slot)
{
	LyfFailure *failure;

	if (scan->aside != NULL)
		return next_aside(scan, slot);
	if (!fetch_row(scan, scan->row_cxt, slot->tts_values, slot->tts_isnull, &failure))
		return false;
	if (failure != NULL)
		lyf_failure_raise(failure);
	return true;
}

TupleTableSlot *
lyf_mysql_iterate(ForeignScanState *node)
{
	LyfMysqlScan *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	ExecClearTuple(slot);
	if (scan->done)
		return slot;
	if (!scan->started)
		start_query(scan, node);
	if (next_row(scan, slot))
	{
		scan->rows++;
		ExecStoreVirtualTuple(slot);
	}
	else
		scan->done = true;
	return slot;
}

/* forget the query and its rows */
static void
stop_query(LyfMysqlScan *scan)
{
	if (scan->session != NULL)
	{
		lyf_mysql_finish(scan->session, &scan->reader);
		end_waiting(scan);
	}
	if (scan->aside != NULL)
	{
		ExecClearTuple(scan->aside_slot);
		tuplestore_end(scan->aside);
	}
	scan->session = NULL;
	scan->aside = NULL;
	scan->aside_failure = NULL;
	scan->cast = NULL;
	scan->started = false;
	scan->done = false;
	MemoryContextReset(scan->query_cxt);
}

void
lyf_mysql_rescan(ForeignScanState *node)
{
	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	stop_query(node->fdw_state);
}

void
lyf_mysql_end(ForeignScanState *node)
{
	LyfMysqlScan *scan = node->fdw_state;

	if (scan == NULL)
		return;
	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	stop_query(scan);
	if (scan->aside_slot != NULL)
		ExecDropSingleTupleTableSlot(scan->aside_slot);
	MemoryContextDelete(scan->cxt);
	node->fdw_state = NULL;
}
