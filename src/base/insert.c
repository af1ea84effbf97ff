/*
 * insert.c
 *		Rows into one of Lyftron's own tables without a statement.
 *
 * Of an INSERT of one short row most is the executor's coming and going: opening each
 * index, and preparing its predicate.  Here that is prepared once in a session, and
 * again when the table or an index of it changes.  It knows tables on which nothing
 * hangs but constant defaults and indexes of the usual kind; where there is more (a trigger
 * that somebody made, a constraint, a column of another type) the caller uses a statement.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/version.h"

typedef struct TargetIndex
{
	Oid			oid;
	bool		unique;
	IndexInfo  *info;
} TargetIndex;

/* What is known of a table, ready for use. */
struct LyfInsertTarget
{
	MemoryContext cxt;
	Oid			relid;
	bool		stale;			/* it has changed since */
	bool		plain;			/* it is of the kind that this can write */
	EState	   *estate;
	TupleDesc	desc;
	Datum	   *values;			/* a row of defaults */
	bool	   *nulls;
	int		   *column;			/* where in it each value goes that is given, */
	bool	   *required;		/* and whether it must not be null */
	TargetIndex *indexes;
	int			index_count;
	TupleTableSlot *slots[LYF_INSERT_ROWS];
};

static bool
concerns(const LyfInsertTarget *target, Oid relid)
{
	if (relid == InvalidOid || relid == target->relid)
		return true;
	for (int i = 0; i < target->index_count; i++)
		if (target->indexes[i].oid == relid)
			return true;
	return false;
}

/* A relation has changed; what is known may be in use just now, and is let go of later. */
static void
note_change(Datum arg, Oid relid)
{
	LyfInsertTable *table = (LyfInsertTable *) DatumGetPointer(arg);

	table->changes++;
	if (table->target != NULL && concerns(table->target, relid))
		table->target->stale = true;
}

/* the given column of this name, or -1 */
static int
find_given(const LyfInsertTable *table, const char *name)
{
	for (int i = 0; i < table->count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return i;
	return -1;
}

/* False: its default is no constant, or it must not be null and has none. */
static bool
learn_default(LyfInsertTarget *target, Relation rel, Form_pg_attribute attribute)
{
	int			i = attribute->attnum - 1;
	Node	   *value = build_column_default(rel, attribute->attnum);

	if (value == NULL)
		return !attribute->attnotnull && get_typtype(attribute->atttypid) != TYPTYPE_DOMAIN;
	value = (Node *) expression_planner((Expr *) value);
	if (!IsA(value, Const))
		return false;
	target->values[i] = castNode(Const, value)->constvalue;
	target->nulls[i] = castNode(Const, value)->constisnull;
	return !(target->nulls[i] && attribute->attnotnull);
}

static void
learn_columns(LyfInsertTarget *target, const LyfInsertTable *table, Relation rel)
{
	int			found = 0;

	target->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	target->values = palloc0(sizeof(Datum) * target->desc->natts);
	target->nulls = palloc(sizeof(bool) * target->desc->natts);
	target->column = palloc(sizeof(int) * table->count);
	target->required = palloc(sizeof(bool) * table->count);
	for (int i = 0; i < target->desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), i);
		int			given = attribute->attisdropped ? -1 : find_given(table, NameStr(attribute->attname));

		target->nulls[i] = true;
		if (attribute->attgenerated != '\0' || attribute->attidentity != '\0')
			target->plain = false;
		else if (given >= 0)
		{
			found++;
			target->column[given] = i;
			target->required[given] = attribute->attnotnull;
			target->plain &= attribute->atttypid == table->columns[given].type;
		}
		else if (!attribute->attisdropped && !learn_default(target, rel, attribute))
			target->plain = false;
	}
	target->plain &= found == table->count;
}

static bool
is_not_built_in(Oid function, void *context)
{
	return function >= FirstNormalObjectId;
}

/* Does it call functions that somebody made?  They may do anything, use what is known of this table among it. */
static bool
calls_others(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return check_functions_in_node(node, is_not_built_in, context) || expression_tree_walker(node, calls_others, context);
}

static void
learn_index(LyfInsertTarget *target, Oid oid)
{
	Relation	rel = index_open(oid, RowExclusiveLock);
	TargetIndex *index = &target->indexes[target->index_count++];

	index->oid = oid;
	index->unique = rel->rd_index->indisunique;
	index->info = BuildIndexInfo(rel);
	if (!rel->rd_index->indisvalid || !rel->rd_index->indimmediate || rel->rd_rel->relam != BTREE_AM_OID ||
		index->info->ii_ExclusionOps != NULL ||
		calls_others((Node *) index->info->ii_Expressions, NULL) || calls_others((Node *) index->info->ii_Predicate, NULL))
		target->plain = false;
	else
	{
		index->info->ii_PredicateState = ExecPrepareQual(index->info->ii_Predicate, target->estate);
		index->info->ii_ExpressionsState = ExecPrepareExprList(index->info->ii_Expressions, target->estate);
	}
	index_close(rel, NoLock);
}

/* Does something hang on the table that a statement sees to? */
static bool
has_rules(Relation rel)
{
	TupleConstr *constraints = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relispartition || rel->rd_rel->relhasrules ||
		rel->rd_rel->relrowsecurity || rel->trigdesc != NULL || (constraints != NULL && constraints->num_check > 0);
}

static LyfInsertTarget *
learn(const LyfInsertTable *table, Relation rel)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron insert", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	LyfInsertTarget *target = palloc0(sizeof(LyfInsertTarget));
	List	   *indexes = RelationGetIndexList(rel);
	int			changes = table->changes;
	ListCell   *lc;

	target->cxt = cxt;
	target->relid = RelationGetRelid(rel);
	target->plain = !has_rules(rel);
	target->estate = CreateExecutorState();
	learn_columns(target, table, rel);
	target->indexes = palloc(sizeof(TargetIndex) * Max(list_length(indexes), 1));
	foreach(lc, indexes)
		learn_index(target, lfirst_oid(lc));
	/* an index that came meanwhile is not in use before this transaction ends, but is to be known to the next one */
	target->stale = table->changes != changes;
	MemoryContextSwitchTo(old);
	return target;
}

/* What is known of the table as it is, now that it is locked. */
static LyfInsertTarget *
know(LyfInsertTable *table, Relation rel)
{
	LyfInsertTarget *target = table->target;

	if (target != NULL && !target->stale && target->relid == RelationGetRelid(rel))
		return target;
	if (!table->watched)
		CacheRegisterRelcacheCallback(note_change, PointerGetDatum(table));
	table->watched = true;
	table->target = NULL;
	if (target != NULL)
	{
		FreeExecutorState(target->estate);
		MemoryContextDelete(target->cxt);
	}
	target = learn(table, rel);
	MemoryContextSetParent(target->cxt, TopMemoryContext);
	table->target = target;
	return target;
}

/* Put rows into slots.  False: one lacks what it must have, which a statement is to say. */
static bool
fill_slots(LyfInsertTarget *target, const LyfInsertTable *table, int rows, const Datum *values, const bool *nulls)
{
	for (int row = 0; row < rows; row++, values += table->count, nulls += table->count)
	{
		TupleTableSlot *slot = target->slots[row];

		if (slot == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(target->cxt);

			slot = target->slots[row] = MakeSingleTupleTableSlot(target->desc, &TTSOpsHeapTuple);
			MemoryContextSwitchTo(old);
		}
		ExecClearTuple(slot);
		memcpy(slot->tts_values, target->values, sizeof(Datum) * target->desc->natts);
		memcpy(slot->tts_isnull, target->nulls, sizeof(bool) * target->desc->natts);
		for (int i = 0; i < table->count; i++)
		{
			if (nulls[i] && target->required[i])
				return false;
			slot->tts_values[target->column[i]] = values[i];
			slot->tts_isnull[target->column[i]] = nulls[i];
		}
		ExecStoreVirtualTuple(slot);
	}
	return true;
}

/* The entries of all rows in one index. */
static void
insert_into_index(LyfInsertTarget *target, Relation rel, const TargetIndex *index, int rows)
{
	ExprContext *econtext = GetPerTupleExprContext(target->estate);
	Relation	index_rel = NULL;

	for (int row = 0; row < rows; row++)
	{
		TupleTableSlot *slot = target->slots[row];
		Datum		values[INDEX_MAX_KEYS];
		bool		nulls[INDEX_MAX_KEYS];

		econtext->ecxt_scantuple = slot;
		if (index->info->ii_PredicateState != NULL && !ExecQual(index->info->ii_PredicateState, econtext))
			continue;
		if (index_rel == NULL)
			index_rel = index_open(index->oid, RowExclusiveLock);
		FormIndexDatum(index->info, slot, target->estate, values, nulls);
		(void) index_insert(index_rel, values, nulls, &slot->tts_tid, rel,
							index->unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, index->info);
	}
	if (index_rel != NULL)
		index_close(index_rel, NoLock);
}

static void
number_rows(const LyfInsertTable *table, int rows, Datum *values, bool *nulls)
{
	for (int row = 0; row < rows; row++, values += table->count, nulls += table->count)
	{
		Datum		number = Int64GetDatum(nextval_internal(table->sequence_relid, false));

		for (int i = 0; i < table->numbered; i++)
		{
			values[i] = number;
			nulls[i] = false;
		}
	}
}

static bool
insert(LyfInsertTable *table, Relation rel, int rows, Datum *values, bool *nulls)
{
	LyfInsertTarget *target = know(table, rel);

	if (!target->plain)
		return false;
	number_rows(table, rows, values, nulls);
	if (!fill_slots(target, table, rows, values, nulls))
		return false;
	if (rows == 1)
		table_tuple_insert(rel, target->slots[0], GetCurrentCommandId(true), 0, NULL);
	else
		table_multi_insert(rel, target->slots, rows, GetCurrentCommandId(true), 0, NULL);
	ResetPerTupleExprContext(target->estate);
	for (int i = 0; i < target->index_count; i++)
		insert_into_index(target, rel, &target->indexes[i], rows);
	for (int row = 0; row < rows; row++)
		ExecClearTuple(target->slots[row]);
	CommandCounterIncrement();
	return true;
}

static void
look_up(LyfInsertTable *table)
{
	uint64		changes = lyf_version_changes();

	if (table->looked_up == changes)
		return;
	table->relid = get_relname_relid(table->name, lyf_schema_oid());
	table->sequence_relid = get_relname_relid(table->sequence, lyf_schema_oid());
	table->looked_up = changes;
}

bool
lyf_catalog_insert(LyfInsertTable *table, int rows, Datum *values, bool *nulls)
{
	Oid			caller;
	int			sec_context;
	Relation	rel;
	bool		inserted;

	Assert(rows > 0 && rows <= LYF_INSERT_ROWS);
	PreventCommandIfReadOnly("INSERT");
	GetUserIdAndSecContext(&caller, &sec_context);
	SetUserIdAndSecContext(lyf_catalog_owner(), sec_context | SECURITY_LOCAL_USERID_CHANGE);
	look_up(table);
	rel = table_open(table->relid, RowExclusiveLock);
	inserted = insert(table, rel, rows, values, nulls);
	table_close(rel, NoLock);
	SetUserIdAndSecContext(caller, sec_context);
	return inserted;
}
