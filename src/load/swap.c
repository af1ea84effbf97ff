/*
 * swap.c
 *		Full refresh: rows go to a hidden heap, of the same layout as the destination,
 *		which takes the destination's place at the end, as REFRESH MATERIALIZED VIEW
 *		does it: under the same OID, so that grants, views and indexes stay.
 *
 * The heap outlives transactions, so that a piece can commit; it is called
 * _lyftron_load_<OID of the destination> and stands beside it.  Several sessions may fill it at once,
 * a slice each.  Readers of the
 * destination are locked out (AccessExclusiveLock) only for the swap, in which
 * the indexes are built.  Where children must follow their parents and a
 * parent can come twice, rows are merged into the heap by its own unique index.
 */
#include "postgres.h"

#include "access/multixact.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/toast_internals.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/heap.h"
#include "catalog/pg_class.h"
#include "commands/cluster.h"
#include "commands/tablecmds.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "load/load_internal.h"

/* Do rows have to be merged as they come?  Else double keys are removed at the end. */
static bool
merges(const LyfLoad *load)
{
	return load->spec->primary_key != NIL && list_length(load->tables) > 1;
}

static void
heap_name(Oid dest, char *name)
{
	snprintf(name, NAMEDATALEN, "_lyftron_load_%u", dest);
}

/* Swapping storage goes past triggers, foreign keys, bounds and policies: refuse where somebody counts on them. */
static void
check_swappable(LyfLoad *load, LyfTable *table)
{
	Relation	rel = table->rel;
	const char *hint = "Load in another mode, or into a table of its own.";

	if (!lyf_owns_relation(table->dest, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, table->name);
	if (heap_truncate_find_FKs(list_make1_oid(table->dest)) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot refresh table \"%s\", which a foreign key of another table refers to", table->name),
				 errhint("%s", hint)));
	if (rel->trigdesc != NULL &&
		(rel->trigdesc->trig_insert_before_row || rel->trigdesc->trig_insert_after_row))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot refresh table \"%s\", which has triggers or foreign keys that act on each row", table->name),
				 errhint("%s", hint)));
	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot refresh table \"%s\", which is a partition", table->name),
				 errhint("%s", hint)));
	if (check_enable_rls(table->dest, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot refresh table \"%s\", whose row-level security holds for role \"%s\"",
						table->name, GetUserNameFromId(GetUserId(), false)),
				 errhint("%s", hint)));
}

/* May rows that were written as b stand in a table that is a? */
static bool
same_layout(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		Form_pg_attribute x = TupleDescAttr(a, i);
		Form_pg_attribute y = TupleDescAttr(b, i);

		if (x->attisdropped != y->attisdropped || x->atttypid != y->atttypid ||
			x->atttypmod != y->atttypmod || x->attnotnull != y->attnotnull ||
			x->attlen != y->attlen || x->attalign != y->attalign)
			return false;
	}
	return true;
}

/* A number for the CHECK constraints of a table, which rows of the heap were held against. */
static int64
hash_checks(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	uint64		hash = 0;

	for (int i = 0; constr != NULL && i < constr->num_check; i++)
	{
		const char *check = constr->check[i].ccbin;

		hash = hash_combine64(hash, hash_bytes_extended((const unsigned char *) check, strlen(check), 0));
	}
	return (int64) hash;
}

/* The heap that an earlier piece filled, if it is still there. */
static Oid
find_heap(const LyfValue *kept, Oid dest)
{
	LyfValue   *known = lyf_value_get(kept, "heap");
	char		expected[NAMEDATALEN];
	Oid			heap;
	char	   *name;

	if (!lyf_value_is(known, LYF_INT))
		return InvalidOid;
	heap = (Oid) known->u.integer;
	heap_name(dest, expected);
	name = get_rel_name(heap);
	if (name == NULL || strcmp(name, expected) != 0)
		return InvalidOid;
	return heap;
}

static void
drop_heap(Oid heap)
{
	ObjectAddress object;

	ObjectAddressSet(object, RelationRelationId, heap);
	performDeletion(&object, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
}

/* A new heap; a left-over of the same name, whose piece is not known any more, goes. */
static Oid
make_heap(Relation rel)
{
	char		name[NAMEDATALEN];
	Oid			old;
	Oid			heap;

	heap_name(RelationGetRelid(rel), name);
	old = get_relname_relid(name, RelationGetNamespace(rel));
	if (OidIsValid(old))
	{
		if (!lyf_owns_relation(old, GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
		drop_heap(old);
		CommandCounterIncrement();
	}
	heap = make_new_heap(RelationGetRelid(rel), rel->rd_rel->reltablespace, rel->rd_rel->relam,
						 rel->rd_rel->relpersistence, ShareUpdateExclusiveLock);
	RenameRelationInternal(heap, name, true, false);
	CommandCounterIncrement();
	return heap;
}

/*
 * The heap that earlier pieces filled.  Its rows must be such as the destination may
 * hold now, and all of them be there: it is a table that its owner can get at.
 */
static Oid
take_up_heap(const LyfLoad *load, LyfTable *table)
{
	LyfValue   *kept = lyf_value_get(load->spec->heaps, psprintf("%u", table->dest));
	LyfValue   *checks = lyf_value_get(kept, "checks");
	Oid			heap = find_heap(kept, table->dest);
	Relation	rel = OidIsValid(heap) ? try_relation_open(heap, RowExclusiveLock) : NULL;

	if (rel == NULL || !lyf_owns_relation(heap, GetUserId()) ||
		!same_layout(RelationGetDescr(table->rel), RelationGetDescr(rel)) ||
		!lyf_value_is(checks, LYF_INT) || checks->u.integer != hash_checks(table->rel))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("table \"%s\" was altered while it was being refreshed", table->name),
				 errhint("Run the pipeline again: it starts afresh.")));
	table_close(rel, NoLock);
	return heap;
}

static void
open_heap(LyfLoad *load, LyfTable *table)
{
	Oid			heap;

	if (load->spec->heaps != NULL)
		heap = take_up_heap(load, table);
	else
	{
		heap = make_heap(table->rel);
		if (merges(load))
			lyf_merge_index(heap, "_lyftron_id", true);
	}
	table->heap = heap;
	table->kept = lyf_value_make(LYF_MAP);
	lyf_value_set(table->kept, "heap", lyf_value_int(heap));
	lyf_value_set(table->kept, "checks", lyf_value_int(hash_checks(table->rel)));
	if (merges(load))
		lyf_merge_open(table, heap);
	else
		table->sink = table_open(heap, RowExclusiveLock);
}

static Oid
first_heap(const LyfLoad *load)
{
	return ((LyfTable *) linitial(load->tables))->heap;
}

/* Slices that have no records in common look for doubles each by itself, unless that is as good as looking at the whole heap. */
static int64
checkpoint(LyfLoad *load)
{
	const LyfLoadSpec *spec = load->spec;

	if (merges(load))
		return lyf_merge(load, true, true);
	if (spec->slice == 0 || spec->primary_key == NIL)
		return load->written;
	load->doubtful = !spec->apart || !lyf_doubles_tells(spec->doubles);
	return load->doubtful ? load->written : load->written - lyf_doubles_remove(spec->doubles, first_heap(load));
}

static void
swap(LyfTable *table, int64 loaded)
{
	HeapTuple	tuple;
	Form_pg_class form;
	TransactionId frozen_xid;
	MultiXactId min_multi;
	char		persistence;
	Oid			toast;
	bool		is_new;
	Relation	rel;
	double		rows;

	/* other pieces made it: somebody, a vacuum for one, may be at it */
	LockRelationOid(table->heap, AccessExclusiveLock);
	rel = table_open(table->dest, AccessExclusiveLock);
	CheckTableNotInUse(rel, "lyftron.run");
	table_close(rel, NoLock);

	/* the heap's rows may be older than this transaction: its own horizons hold */
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table->heap));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", table->heap);
	form = (Form_pg_class) GETSTRUCT(tuple);
	frozen_xid = form->relfrozenxid;
	min_multi = form->relminmxid;
	persistence = form->relpersistence;
	toast = form->reltoastrelid;
	ReleaseSysCache(tuple);
	/* of its long values the table and the index: finish_heap_swap takes them as locked */
	if (OidIsValid(toast))
		toast_get_valid_index(toast, AccessExclusiveLock);

	rel = table_open(table->heap, NoLock);
	is_new = rel->rd_createSubid != InvalidSubTransactionId;
	table_close(rel, NoLock);

	finish_heap_swap(table->dest, table->heap, false, false, true, true,
					 frozen_xid, min_multi, persistence);

	rel = table_open(table->dest, NoLock);
	if (!is_new)
		lyf_forget_new_storage(rel);
	rows = Max(rel->rd_rel->reltuples, table->writer->written + loaded);
	pgstat_count_truncate(rel);
	pgstat_count_heap_insert(rel, (PgStat_Counter) rows);
	table_close(rel, NoLock);
}

static int64
finish(LyfLoad *load)
{
	int64		removed = 0;
	ListCell   *lc;

	if (load->spec->primary_key != NIL && !merges(load) && !load->spec->distinct)
		removed = lyf_doubles_remove(load->spec->doubles, first_heap(load));
	CommandCounterIncrement();
	/* indexes are built here, maybe on expressions, maybe in parallel */
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(lc, load->tables)
		swap(lfirst(lc), foreach_current_index(lc) == 0 ? load->spec->loaded : 0);
	PopActiveSnapshot();
	return -removed;
}

void
lyf_load_drop_heaps(const LyfValue *heaps)
{
	if (heaps == NULL || heaps->kind != LYF_MAP)
		return;
	/* catalogs have long values, too */
	PushActiveSnapshot(GetTransactionSnapshot());
	lyf_foreach(member, heaps)
	{
		Oid			heap = find_heap(member, (Oid) strtoul(member->key, NULL, 10));

		if (!OidIsValid(heap) || !lyf_owns_relation(heap, GetUserId()))
			continue;
		LockRelationOid(heap, AccessExclusiveLock);
		if (get_rel_name(heap) != NULL)
			drop_heap(heap);
	}
	PopActiveSnapshot();
	CommandCounterIncrement();
}

const LyfMode lyf_mode_full_refresh = {
	.name = "full_refresh",
	.full_refresh = true,
	.check = check_swappable,
	.open = open_heap,
	.checkpoint = checkpoint,
	.finish = finish,
};
