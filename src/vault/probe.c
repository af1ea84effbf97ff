/*
 * probe.c
 *		Looks into the index of a vault table's primary key.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "vault/load_internal.h"

struct LyfProbe
{
	LyfFeed    *feed;
	Relation	index;
	IndexScanDesc scan;
	Snapshot	snapshot;
	TupleTableSlot *found;
};

/* is it the one that the table was made with? */
static bool
is_our_key(const LyfFeed *feed, Relation index)
{
	AttrNumber	columns[] = {feed->hash_attno, feed->load_date_attno, feed->load_seq_attno};
	int			count = feed->table->kind->class == LYF_VAULT_SATELLITE ? 3 : 1;

	if (index->rd_index->indnkeyatts != count)
		return false;
	for (int i = 0; i < count; i++)
		if (index->rd_index->indkey.values[i] != columns[i])
			return false;
	return true;
}

Relation
lyf_feed_primary_key(const LyfFeed *feed)
{
	Oid			oid = lyf_primary_key_index(feed->rel);
	Relation	index = OidIsValid(oid) ? index_open(oid, RowExclusiveLock) : NULL;

	if (index == NULL || !is_our_key(feed, index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s of vault \"%s\" does not have its primary key any more",
						lyf_vault_relation(feed->table->vault, feed->table->name), feed->table->vault->name),
				 errhint("lyftron.check_vault says what is wrong with it.")));
	return index;
}

void
lyf_probe_key(Relation index, Datum hash, ScanKey key)
{
	Oid			type = index->rd_opcintype[0];
	Oid			equal = get_opfamily_member(index->rd_opfamily[0], type, type, BTEqualStrategyNumber);

	ScanKeyEntryInitialize(key, 0, 1, BTEqualStrategyNumber, InvalidOid, index->rd_indcollation[0], get_opcode(equal), hash);
}

LyfProbe *
lyf_probe_begin(LyfFeed *feed)
{
	LyfProbe   *probe = palloc0(sizeof(LyfProbe));

	probe->feed = feed;
	probe->index = lyf_feed_primary_key(feed);
	probe->snapshot = RegisterSnapshot(GetLatestSnapshot());
	probe->found = table_slot_create(feed->rel, NULL);
	probe->scan = lyf_index_beginscan(feed->rel, probe->index, probe->snapshot, 1);
	return probe;
}

static void
look(LyfProbe *probe, Datum hash)
{
	ScanKeyData key;

	lyf_probe_key(probe->index, hash, &key);
	index_rescan(probe->scan, &key, 1, NULL, 0);
}

bool
lyf_probe_has(LyfProbe *probe, Datum hash)
{
	look(probe, hash);
	return index_getnext_slot(probe->scan, ForwardScanDirection, probe->found);
}

/* the scan keeps what it allocates, so not in memory of the key at hand */
static bool
next_version(LyfProbe *probe)
{
	MemoryContext old = MemoryContextSwitchTo(probe->feed->stage->cxt);
	bool		found = index_getnext_slot(probe->scan, BackwardScanDirection, probe->found);

	MemoryContextSwitchTo(old);
	return found;
}

List *
lyf_probe_versions(LyfProbe *probe, Datum hash, TimestampTz before)
{
	LyfFeed    *feed = probe->feed;
	List	   *versions = NIL;

	look(probe, hash);
	while (next_version(probe))
	{
		LyfVersion *version = palloc(sizeof(LyfVersion));
		uint8		space[LYF_HASH_MAX];
		bool		isnull;

		version->load_date = DatumGetTimestampTz(slot_getattr(probe->found, feed->load_date_attno, &isnull));
		version->load_seq = DatumGetInt32(slot_getattr(probe->found, feed->load_seq_attno, &isnull));
		memcpy(version->diff, lyf_feed_digest(feed, probe->found, feed->diff_attno, space), lyf_hash_size(feed->stage->rules));
		versions = lappend(versions, version);
		if (version->load_date < before)
			break;
	}
	return versions;
}

void
lyf_probe_end(LyfProbe *probe)
{
	index_endscan(probe->scan);
	ExecDropSingleTupleTableSlot(probe->found);
	UnregisterSnapshot(probe->snapshot);
	index_close(probe->index, NoLock);
	pfree(probe);
}
