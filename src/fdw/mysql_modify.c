/*
 * mysql_modify.c
 *		INSERT, UPDATE and DELETE of foreign tables: what the planner and the executor
 *		call.  mysql_insert.c and mysql_update.c do it.
 */
#include "postgres.h"

#include "base/compat.h"
#include LYF_EXPLAIN_STATE_H
#include LYF_EXPLAIN_FORMAT_H
#include "access/sysattr.h"
#include "access/table.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/optimizer.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/option.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_modify.h"

/* of what is sent at once, at most: more makes it no faster */
#define STATEMENT_BYTES		(1024 * 1024)

/* a packet's own, and what a statement has before and behind its rows */
#define PACKET_RESERVE		4096

/*
 * FdwRoutine.IsForeignRelUpdatable: by the option "updatable" of the table, else of its server.  Views of information_schema
 * ask, so nothing is raised.
 */
static int
is_updatable(Relation rel)
{
	ForeignTable *table = GetForeignTable(RelationGetRelid(rel));
	const char *value = lyf_option_get(table->options, "updatable");
	bool		updatable = true;

	if (value == NULL)
		value = lyf_option_get(GetForeignServer(table->serverid)->options, "updatable");
	if (value != NULL)
		(void) parse_bool(value, &updatable);
	return updatable ? (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE) : 0;
}

/* columns that identify a row become part of the rows that the plan gives */
static void
add_update_targets(PlannerInfo *root, Index rtindex, RangeTblEntry *rte, Relation rel)
{
	const LyfMysqlTable *table = lyf_mysql_table_open(rel, lyf_rest_user(lyf_rte_check_as_user(root, rte)));

	for (int i = 0; i < table->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), i);

		if (table->columns[i].key && !table->columns[i].dropped)
			add_row_identity_var(root,
								 makeVar(rtindex, attr->attnum, attr->atttypid, attr->atttypmod, attr->attcollation, 0),
								 rtindex, lyf_mysql_key_name(attr));
	}
}

static void
require_key(PlannerInfo *root, Index result)
{
	RangeTblEntry *rte = planner_rt_fetch(result, root);
	Relation	rel = table_open(rte->relid, NoLock);
	const LyfMysqlTable *table = lyf_mysql_table_open(rel, lyf_rest_user(lyf_rte_check_as_user(root, rte)));
	bool		has_key = false;

	for (int i = 0; i < table->natts; i++)
		has_key |= table->columns[i].key && !table->columns[i].dropped;
	if (!has_key)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows of foreign table \"%s\" cannot be updated or deleted one by one", RelationGetRelationName(rel)),
				 errdetail("The table has no key columns to find a row by at the server."),
				 errhint("Set the option \"key\" of the columns that identify a row: ALTER FOREIGN TABLE ... ALTER COLUMN ... OPTIONS (ADD key 'true').")));
	table_close(rel, NoLock);
}

/* for INSERT the numbers of the columns that it gives a value: what the rewriter has left, with the defaults of this table */
static List *
plan_modify(PlannerInfo *root, ModifyTable *plan, Index result, int subplan)
{
	List	   *given = NIL;
	ListCell   *lc;

	if (plan->operation != CMD_INSERT)
	{
		require_key(root, result);
		return NIL;
	}
	foreach(lc, root->parse->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (!entry->resjunk)
			given = lappend_int(given, entry->resno);
	}
	return given;
}

static void
find_key_columns(LyfMysqlModify *modify)
{
	modify->keys = palloc(modify->table->natts * sizeof(LyfMysqlColumn *));
	for (int i = 0; i < modify->table->natts; i++)
		if (modify->table->columns[i].key && !modify->table->columns[i].dropped)
			modify->keys[modify->nkeys++] = &modify->table->columns[i];
}

/* in the context of the statement, which CurrentMemoryContext becomes */
LyfMysqlModify *
lyf_mysql_modify_begin(EState *estate, ResultRelInfo *target, CmdType operation, int eflags)
{
	MemoryContext cxt = AllocSetContextCreate(estate->es_query_cxt, "lyftron mysql modify", ALLOCSET_DEFAULT_SIZES);
	LyfMysqlModify *modify;

	MemoryContextSwitchTo(cxt);
	modify = palloc0(sizeof(LyfMysqlModify));
	modify->cxt = cxt;
	modify->row_cxt = AllocSetContextCreate(cxt, "lyftron mysql row", ALLOCSET_DEFAULT_SIZES);
	modify->target = target;
	modify->operation = operation;
	modify->table = lyf_mysql_table_open(target->ri_RelationDesc,
										 lyf_rest_user(lyf_result_check_as_user(target, estate)));
	modify->reader.put_aside = lyf_mysql_never_put_aside;
	initStringInfo(&modify->sql);
	initStringInfo(&modify->row);
	find_key_columns(modify);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return modify;
	modify->session = lyf_mysql_session(modify->table->server, modify->table->user, false);
	modify->limit = Min(STATEMENT_BYTES, lyf_mysql_max_packet(modify->session) - PACKET_RESERVE);
	return modify;
}

void
lyf_mysql_modify_end(LyfMysqlModify *modify)
{
	if (modify->rows > 0 && modify->operation == CMD_INSERT)
		lyf_mysql_insert_flush(modify);
	else if (modify->rows > 0)
		lyf_mysql_update_flush(modify);
	MemoryContextDelete(modify->cxt);
}

static bool
has_before_insert(const ResultRelInfo *target)
{
	return target->ri_TrigDesc != NULL && target->ri_TrigDesc->trig_insert_before_row;
}

/*
 * May rows of an UPDATE or DELETE be collected, and their statements be sent together?  They are counted before the server
 * has seen them: the plan has locked them, so they are there.  But a join may bring a row to be deleted twice.  And nobody
 * may look at the rows before the end: no trigger, no other part of the statement.
 */
static bool
may_collect(const ModifyTableState *mtstate, const ResultRelInfo *target)
{
	const PlannedStmt *stmt = mtstate->ps.state->es_plannedstmt;
	const ModifyTable *plan = castNode(ModifyTable, mtstate->ps.plan);

	return stmt->planTree == (const Plan *) plan && !stmt->hasModifyingCTE &&
		target->ri_TrigDesc == NULL && mtstate->rootResultRelInfo->ri_TrigDesc == NULL &&
		plan->returningLists == NIL && plan->withCheckOptionLists == NIL &&
		(mtstate->operation == CMD_UPDATE || IsA(outerPlan(plan), ForeignScan));
}

static void
begin_modify(ModifyTableState *mtstate, ResultRelInfo *target, List *private, int subplan, int eflags)
{
	ModifyTable *plan = castNode(ModifyTable, mtstate->ps.plan);
	MemoryContext caller = CurrentMemoryContext;
	LyfMysqlModify *modify = lyf_mysql_modify_begin(mtstate->ps.state, target, mtstate->operation, eflags);

	if (mtstate->operation == CMD_INSERT)
	{
		Bitmapset  *given = NULL;
		ListCell   *lc;

		foreach(lc, private)
			given = bms_add_member(given, lfirst_int(lc));
		lyf_mysql_insert_begin(modify, given, has_before_insert(target), plan->onConflictAction == ONCONFLICT_NOTHING);
	}
	else
		lyf_mysql_update_begin(modify, mtstate->ps.state, outerPlan(plan), may_collect(mtstate, target));
	target->ri_FdwState = modify;
	MemoryContextSwitchTo(caller);
}

/*
 * Rows come from COPY, or by way of a partitioned table: there is no plan that says which columns have values.  Those that
 * the statement names do, those with a default here, and in a row that moved from another partition all do.
 */
static Bitmapset *
given_columns(ModifyTableState *mtstate, ResultRelInfo *target)
{
	TupleDesc	desc = RelationGetDescr(target->ri_RelationDesc);
	Bitmapset  *named = NULL;
	Bitmapset  *given = NULL;

	if (mtstate->operation == CMD_INSERT)
		named = ExecGetInsertedCols(target, mtstate->ps.state);
	for (int i = 0; i < desc->natts; i++)
		if (mtstate->operation != CMD_INSERT || TupleDescAttr(desc, i)->atthasdef ||
			bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, named))
			given = bms_add_member(given, i + 1);
	return given;
}

/* a function that COPY calls for a row could look at the table */
static bool
has_volatile_default(Relation rel)
{
	for (int i = 1; i <= RelationGetNumberOfAttributes(rel); i++)
		if (!TupleDescAttr(RelationGetDescr(rel), i - 1)->attisdropped &&
			contain_volatile_functions_not_nextval(build_column_default(rel, i)))
			return true;
	return false;
}

/*
 * May rows of COPY be collected here?  It brings them one by one before PostgreSQL 16, and since then where something could
 * see that they are not there yet.
 */
static bool
may_collect_copied(ModifyTableState *mtstate, ResultRelInfo *target)
{
	ResultRelInfo *root = target->ri_RootResultRelInfo ? target->ri_RootResultRelInfo : target;

	return mtstate->ps.plan == NULL && !LYF_COPY_BRINGS_BATCHES &&
		target->ri_TrigDesc == NULL && root->ri_TrigDesc == NULL &&
		!has_volatile_default(root->ri_RelationDesc);
}

static void
refuse_target(const ResultRelInfo *target)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("rows cannot be moved to foreign table \"%s\" by a statement that updates it as well",
					RelationGetRelationName(target->ri_RelationDesc)),
			 errdetail("It would update the moved rows again."),
			 errhint("Update the partitions one by one, or add a condition that leaves out this one.")));
}

static void
begin_insert(ModifyTableState *mtstate, ResultRelInfo *target)
{
	ModifyTable *plan = (ModifyTable *) mtstate->ps.plan;
	MemoryContext caller = CurrentMemoryContext;
	LyfMysqlModify *modify;
	bool		do_nothing = plan != NULL && plan->onConflictAction == ONCONFLICT_NOTHING;

	if (target->ri_usesFdwDirectModify || target->ri_FdwState != NULL)
		refuse_target(target);
	modify = lyf_mysql_modify_begin(mtstate->ps.state, target, CMD_INSERT, 0);
	modify->complete = mtstate->operation != CMD_INSERT;
	modify->collects = may_collect_copied(mtstate, target);
	lyf_mysql_insert_begin(modify, given_columns(mtstate, target),
						   has_before_insert(target) || target->ri_RootResultRelInfo != NULL, do_nothing);
	target->ri_FdwState = modify;
	MemoryContextSwitchTo(caller);
}

static int
batch_size(ResultRelInfo *target)
{
	return lyf_mysql_insert_batch_size(target->ri_FdwState);
}

/* a row put into a partition by its own name must be one of it; the executor leaves that to us */
static void
check_partition(EState *estate, ResultRelInfo *target, TupleTableSlot *slot)
{
	if (target->ri_RelationDesc->rd_rel->relispartition && target->ri_RootResultRelInfo == NULL)
		ExecPartitionCheck(target, slot, estate, true);
}

static TupleTableSlot *
exec_insert(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	check_partition(estate, target, slot);
	return lyf_mysql_insert(target->ri_FdwState, slot);
}

static TupleTableSlot **
exec_batch_insert(EState *estate, ResultRelInfo *target, TupleTableSlot **slots, TupleTableSlot **plan_slots, int *count)
{
	for (int i = 0; i < *count; i++)
		check_partition(estate, target, slots[i]);
	*count = (int) lyf_mysql_insert_batch(target->ri_FdwState, slots, *count);
	return slots;
}

/* nor does it look whether a partition's row still belongs there */
static TupleTableSlot *
exec_update(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	if (target->ri_RelationDesc->rd_rel->relispartition)
		ExecPartitionCheck(target, slot, estate, true);
	return lyf_mysql_update(target->ri_FdwState, slot, plan_slot);
}

static TupleTableSlot *
exec_delete(EState *estate, ResultRelInfo *target, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	return lyf_mysql_delete(target->ri_FdwState, slot, plan_slot);
}

static void
end_modify(EState *estate, ResultRelInfo *target)
{
	LyfMysqlModify *modify = target->ri_FdwState;

	target->ri_FdwState = NULL;
	if (modify != NULL)
		lyf_mysql_modify_end(modify);
}

static void
explain_modify(ModifyTableState *mtstate, ResultRelInfo *target, List *private, int subplan, ExplainState *es)
{
	LyfMysqlModify *modify = target->ri_FdwState;
	StringInfoData text;

	if (!es->verbose)
		return;
	initStringInfo(&text);
	if (modify->operation == CMD_INSERT)
		lyf_mysql_insert_describe(modify, &text);
	else
		lyf_mysql_update_describe(modify, &text);
	ExplainPropertyText("Remote SQL", pg_any_to_server(text.data, text.len, PG_UTF8), es);
	if (modify->operation == CMD_INSERT)
		ExplainPropertyInteger("Batch Size", NULL, lyf_mysql_insert_batch_size(modify), es);
	else
		ExplainPropertyInteger("Batch Size", NULL, modify->collects ? modify->table->batch_size : 1, es);
}

void
lyf_mysql_modify_routine(FdwRoutine *routine)
{
	routine->AddForeignUpdateTargets = add_update_targets;
	routine->PlanForeignModify = plan_modify;
	routine->BeginForeignModify = begin_modify;
	routine->ExecForeignInsert = exec_insert;
	routine->ExecForeignBatchInsert = exec_batch_insert;
	routine->GetForeignModifyBatchSize = batch_size;
	routine->ExecForeignUpdate = exec_update;
	routine->ExecForeignDelete = exec_delete;
	routine->EndForeignModify = end_modify;
	routine->BeginForeignInsert = begin_insert;
	routine->EndForeignInsert = end_modify;
	routine->IsForeignRelUpdatable = is_updatable;
	routine->ExplainForeignModify = explain_modify;
	lyf_mysql_direct_plan_routine(routine);
	lyf_mysql_direct_run_routine(routine);
	lyf_mysql_truncate_routine(routine);
}
