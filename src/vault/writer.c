/*
 * writer.c
 *		Rows into a table of a vault, in the order of its key.
 *
 * They go in batches past the executor, where nothing hangs on the table that only a statement knows of (triggers, rules, checks,
 * generated columns, policies), and, of a hub or link, where no other load does so too; otherwise a statement takes them.
 *
 * Of a hub or link others may insert the same keys at the same time.  An entry goes into the index of the primary key as that of a
 * deferred constraint does (UNIQUE_CHECK_PARTIAL): where another row has the key, its transaction is waited for at once, and if
 * it commits, our row is taken back.  Since rows come in the order of the key, and the other ones are put in by statements that wait
 * before they insert, nobody waits for us who has what we wait for.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "vault/load_internal.h"

#define BATCH_ROWS	1000
#define BATCH_BYTES	(512 * 1024)

typedef struct TableIndex
{
	Relation	rel;
	IndexInfo  *info;
	bool		primary;
} TableIndex;

struct LyfVaultWriter
{
	LyfFeed    *feed;
	Relation	rel;
	bool		statement;		/* a statement writes, from feed->candidates */
	bool		shared;			/* others may insert the same keys */
	TableIndex *indexes;
	int			index_count;
	BulkInsertState bulk;
	TupleTableSlot *batch[BATCH_ROWS];
	bool		lost[BATCH_ROWS];	/* another has its key */
	int			used;
	Size		bytes;
	int64		written;
	MemoryContext flush_cxt;
	TupleTableSlot *other;		/* in which others' rows are looked at */
};

/* an index whose entries are columns as they are */
static bool
is_plain_index(Relation index, const IndexInfo *info)
{
	return index->rd_rel->relam == BTREE_AM_OID && info->ii_Expressions == NIL && info->ii_Predicate == NIL && info->ii_ExclusionOps == NULL;
}

/* Open the indexes; false: not all of them are plain. */
static bool
open_indexes(LyfVaultWriter *writer)
{
	List	   *oids = RelationGetIndexList(writer->rel);
	Oid			primary = lyf_primary_key_index(writer->rel);
	ListCell   *lc;
	bool		plain = true;

	writer->indexes = palloc0(sizeof(TableIndex) * Max(list_length(oids), 1));
	foreach(lc, oids)
	{
		TableIndex *index = &writer->indexes[writer->index_count++];

		index->rel = index_open(lfirst_oid(lc), RowExclusiveLock);
		index->info = BuildIndexInfo(index->rel);
		index->primary = lfirst_oid(lc) == primary;
		plain = plain && is_plain_index(index->rel, index->info);
	}
	return plain;
}

static bool
is_plain_table(Relation rel)
{
	TupleConstr *constraints = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relam == HEAP_TABLE_AM_OID && rel->trigdesc == NULL && rel->rd_rules == NULL && !rel->rd_rel->relrowsecurity &&
		(constraints == NULL || (constraints->num_check == 0 && !constraints->has_generated_stored));
}

LyfVaultWriter *
lyf_vault_writer_begin(LyfFeed *feed)
{
	LyfVaultWriter *writer = palloc0(sizeof(LyfVaultWriter));
	bool		plain;

	index_close(lyf_feed_primary_key(feed), NoLock);
	writer->feed = feed;
	writer->rel = feed->rel;
	writer->shared = feed->table->kind->class != LYF_VAULT_SATELLITE;
	plain = open_indexes(writer) && is_plain_table(writer->rel);
	writer->statement = !plain || (writer->shared && !lyf_vault_try_lock(feed));
	if (writer->statement)
		lyf_candidates_begin(feed);
	else
		writer->bulk = GetBulkInsertState();
	writer->other = table_slot_create(writer->rel, NULL);
	writer->flush_cxt = AllocSetContextCreate(feed->stage->cxt, "lyftron vault flush", ALLOCSET_DEFAULT_SIZES);
	return writer;
}

/* a row of the same key that is not ours */
typedef struct Other
{
	bool		there;			/* for good */
	TransactionId xid;			/* whose end tells, else invalid */
	uint32		token;			/* of an insertion that may be taken back */
	ItemPointerData tid;
} Other;

static Other
find_other(LyfVaultWriter *writer, Relation index, Datum hash, ItemPointer own)
{
	SnapshotData dirty;
	IndexScanDesc scan;
	ScanKeyData key;
	Other		other = {0};

	InitDirtySnapshot(dirty);
	lyf_probe_key(index, hash, &key);
	scan = lyf_index_beginscan(writer->rel, index, &dirty, 1);
	index_rescan(scan, &key, 1, NULL, 0);
	while (!other.there && !TransactionIdIsValid(other.xid) && index_getnext_slot(scan, ForwardScanDirection, writer->other))
	{
		if (ItemPointerEquals(&writer->other->tts_tid, own))
			continue;
		other.xid = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
		other.token = TransactionIdIsValid(dirty.xmin) ? dirty.speculativeToken : 0;
		other.there = !TransactionIdIsValid(other.xid);
		other.tid = writer->other->tts_tid;
	}
	ExecClearTuple(writer->other);
	index_endscan(scan);
	return other;
}

/* Does another row have the key, for good?  Waits for those of which that is not known yet. */
static bool
is_lost(LyfVaultWriter *writer, Relation index, Datum hash, ItemPointer own)
{
	for (;;)
	{
		Other		other = find_other(writer, index, hash, own);

		CHECK_FOR_INTERRUPTS();
		if (other.token != 0)
			SpeculativeInsertionWait(other.xid, other.token);
		else if (TransactionIdIsValid(other.xid))
			XactLockTableWait(other.xid, writer->rel, &other.tid, XLTW_InsertIndex);
		else
			return other.there;
	}
}

static void
insert_entries(LyfVaultWriter *writer, TableIndex *index)
{
	IndexUniqueCheck check = !index->rel->rd_index->indisunique ? UNIQUE_CHECK_NO :
		index->primary && writer->shared ? UNIQUE_CHECK_PARTIAL : UNIQUE_CHECK_YES;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	for (int row = 0; row < writer->used; row++)
	{
		TupleTableSlot *slot = writer->batch[row];
		bool		unique;

		if (writer->lost[row])
			continue;
		FormIndexDatum(index->info, slot, NULL, values, nulls);
		unique = index_insert(index->rel, values, nulls, &slot->tts_tid, writer->rel, check, false, index->info);
		if (check == UNIQUE_CHECK_PARTIAL && !unique)
			writer->lost[row] = is_lost(writer, index->rel, values[0], &slot->tts_tid);
	}
}

static void
take_back_lost(LyfVaultWriter *writer)
{
	bool		any = false;

	for (int row = 0; row < writer->used; row++)
	{
		if (!writer->lost[row])
			continue;
		/* what this command wrote it cannot delete */
		if (!any)
			CommandCounterIncrement();
		any = true;
		simple_heap_delete(writer->rel, &writer->batch[row]->tts_tid);
		writer->written--;
		writer->lost[row] = false;
	}
}

/* The primary key's entries first: what is lost there has none in others. */
static void
flush(LyfVaultWriter *writer)
{
	MemoryContext old = MemoryContextSwitchTo(writer->flush_cxt);

	table_multi_insert(writer->rel, writer->batch, writer->used, GetCurrentCommandId(true), 0, writer->bulk);
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < writer->index_count; i++)
			if (writer->indexes[i].primary == (pass == 0))
				insert_entries(writer, &writer->indexes[i]);
	writer->written += writer->used;
	take_back_lost(writer);
	lyf_vault_publish_written(writer->written);
	for (int row = 0; row < writer->used; row++)
		ExecClearTuple(writer->batch[row]);
	MemoryContextSwitchTo(old);
	MemoryContextReset(writer->flush_cxt);
	writer->used = 0;
	writer->bytes = 0;
}

/*
 * The row as the table has it: without what stands behind its columns, where that is the arrival alone, the last eight bytes.  changed:
 * the slot has other values than the tuple in it.
 */
static HeapTuple
form_row(const LyfVaultWriter *writer, TupleTableSlot *row, bool changed)
{
	TupleDesc	desc = RelationGetDescr(writer->rel);
	HeapTuple	tuple;
	bool		copied;

	if (changed || row->tts_tupleDescriptor->natts != desc->natts + 1)
	{
		slot_getallattrs(row);
		return heap_form_tuple(desc, row->tts_values, row->tts_isnull);
	}
	tuple = heap_tuple_from_minimal_tuple(ExecFetchSlotMinimalTuple(row, &copied));
	HeapTupleHeaderSetNatts(tuple->t_data, desc->natts);
	tuple->t_len -= sizeof(int64);
	return tuple;
}

void
lyf_vault_writer_put(LyfVaultWriter *writer, TupleTableSlot *row, bool changed)
{
	MemoryContext old;
	HeapTuple	tuple;

	if (writer->statement)
	{
		lyf_candidates_put(writer->feed, row);
		return;
	}
	if (writer->batch[writer->used] == NULL)
		writer->batch[writer->used] = MakeSingleTupleTableSlot(RelationGetDescr(writer->rel), &TTSOpsHeapTuple);
	old = MemoryContextSwitchTo(writer->flush_cxt);
	tuple = form_row(writer, row, changed);
	MemoryContextSwitchTo(old);
	ExecForceStoreHeapTuple(tuple, writer->batch[writer->used++], true);
	writer->bytes += tuple->t_len;
	if (writer->used == BATCH_ROWS || writer->bytes >= BATCH_BYTES)
	{
		CHECK_FOR_INTERRUPTS();
		flush(writer);
	}
}

static void
write_by_statement(LyfVaultWriter *writer)
{
	LyfFeed    *feed = writer->feed;
	char	   *columns = lyf_feed_column_list(feed, "");

	writer->written = lyf_candidates_run(feed, psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM " LYF_CANDIDATES "%s",
														lyf_vault_relation(feed->table->vault, feed->table->name), columns, columns,
														writer->shared ? " ON CONFLICT DO NOTHING" : ""));
	lyf_candidates_end(feed);
}

int64
lyf_vault_writer_end(LyfVaultWriter *writer)
{
	int64		written;

	if (writer->statement)
		write_by_statement(writer);
	else
	{
		if (writer->used > 0)
			flush(writer);
		FreeBulkInsertState(writer->bulk);
		table_finish_bulk_insert(writer->rel, 0);
	}
	for (int i = 0; i < BATCH_ROWS && writer->batch[i] != NULL; i++)
		ExecDropSingleTupleTableSlot(writer->batch[i]);
	ExecDropSingleTupleTableSlot(writer->other);
	for (int i = 0; i < writer->index_count; i++)
		index_close(writer->indexes[i].rel, NoLock);
	MemoryContextDelete(writer->flush_cxt);
	written = writer->written;
	pfree(writer);
	return written;
}
