/*
 * known.c
 *		Hash keys that a table has, in memory, so that what is nothing new is left out before it is sorted.
 *
 * A small table is read at once.  A larger one is read when so many rows have come that looking each of them up in its index
 * would take longer; until then (and where it does not fit into memory) rows go to the sort, and are looked up in its order.
 * Keys that come with the load are added: of a hub or link where that finds rows that came before, of a satellite until
 * the table is read, since what was not compared with its versions may not let others be left out.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "vault/load_internal.h"

/* a table of so many pages is read at once */
#define SMALL_PAGES		64

/* to look a key up takes so many times as long as to read a row */
#define LOOKUP_COST		10

/* after so many rows it is known whether keys come twice; at least one of so many must */
#define TRIAL_ROWS		50000
#define TRIAL_SHARE		10

/* bytes of the hash table beside an entry, whose slots double */
#define SLOT_OVERHEAD	32

/* entries that fit are in one line of the processor's cache each */
#define CACHE_LINE		64

/* entries come in chunks of so many */
#define CHUNK_BITS		14
#define CHUNK_ENTRIES	(1 << CHUNK_BITS)

/* the number of no entry: the key that is looked for */
#define SOUGHT			UINT32_MAX

typedef struct Slot
{
	uint32		number;			/* of an entry */
	uint32		hash;
	char		status;
} Slot;

struct keys_hash;

struct LyfKnown
{
	LyfFeed    *feed;
	MemoryContext cxt;
	Snapshot	snapshot;		/* in which the table is read: it is no more to be had while workers read the source */
	struct keys_hash *keys;
	char	  **chunks;			/* entries: the digest of the key, then a LyfKnownKey, as much of it as is needed */
	uint32		count;			/* of entries */
	int			key_size;
	Size		entry_size;
	const uint8 *sought;
	int			rotate;			/* bits: see hash_of */
	int64		limit;			/* entries that fit into memory */
	int64		rows;			/* of the table, as estimated */
	bool		complete;		/* all keys of the table are here */
	bool		any_there;		/* some are here */
	bool		too_large;
	bool		adds;			/* keys that come are added */
	int64		expected;		/* rows that came */
	int64		added;
};

static inline char *
entry_at(const LyfKnown *known, uint32 number)
{
	return known->chunks[number >> CHUNK_BITS] + (number & (CHUNK_ENTRIES - 1)) * known->entry_size;
}

static inline const uint8 *
digest_of(const LyfKnown *known, uint32 number)
{
	return number == SOUGHT ? known->sought : (const uint8 *) entry_at(known, number);
}

/*
 * Digests are as good as random.  A slot is found by the low bits of a hash, and tables are in the order of their keys for the most part: with
 * the digest's high bits there, rows that follow each other go into slots that do.
 */
static inline uint32
hash_of(const LyfKnown *known, uint32 number)
{
	uint32		hash;

	memcpy(&hash, digest_of(known, number), sizeof(hash));
	return pg_rotate_left32(pg_ntoh32(hash), known->rotate);
}

static inline bool
are_same(const LyfKnown *known, uint32 one, uint32 other)
{
	return memcmp(digest_of(known, one), digest_of(known, other), known->key_size) == 0;
}

#define SH_PREFIX			keys
#define SH_ELEMENT_TYPE		Slot
#define SH_KEY_TYPE			uint32
#define SH_KEY				number
#define SH_HASH_KEY(tb, key)	hash_of((tb)->private_data, key)
#define SH_EQUAL(tb, a, b)		are_same((tb)->private_data, a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, slot)	((slot)->hash)
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static LyfKnownKey *
key_of(const LyfKnown *known, uint32 number)
{
	return (LyfKnownKey *) (entry_at(known, number) + MAXALIGN(known->key_size));
}

/* the hash table, for so many entries */
static void
create_slots(LyfKnown *known, int64 entries)
{
	known->keys = keys_create(known->cxt, entries, known);
	known->rotate = pg_leftmost_one_pos64(known->keys->size) & 31;
}

static void
create_table(LyfKnown *known)
{
	create_slots(known, 1024);
	known->chunks = MemoryContextAllocZero(known->cxt, sizeof(char *) * (known->limit / CHUNK_ENTRIES + 2));
	known->count = 0;
}

/* the entry of a digest, which is made, all zero, where there is none */
static LyfKnownKey *
enter(LyfKnown *known, const uint8 *digest)
{
	bool		found;
	Slot	   *slot;

	known->sought = digest;
	slot = keys_insert(known->keys, SOUGHT, &found);
	if (!found)
	{
		slot->number = known->count++;
		if (known->chunks[slot->number >> CHUNK_BITS] == NULL)
			known->chunks[slot->number >> CHUNK_BITS] = (char *)
				TYPEALIGN(CACHE_LINE, MemoryContextAllocExtended(known->cxt, known->entry_size * CHUNK_ENTRIES + CACHE_LINE, MCXT_ALLOC_HUGE));
		memset(entry_at(known, slot->number), 0, known->entry_size);
		memcpy(entry_at(known, slot->number), digest, known->key_size);
	}
	return key_of(known, slot->number);
}

/* Make room for so many entries. */
static void
expect_entries(LyfKnown *known, int64 entries)
{
	bool		found;

	keys_destroy(known->keys);
	create_slots(known, Min(Max(entries, 1024), known->limit));
	for (uint32 i = 0; i < known->count; i++)
	{
		known->sought = (const uint8 *) entry_at(known, i);
		keys_insert(known->keys, SOUGHT, &found)->number = i;
	}
}

/* A row of the table: of a satellite the latest version of each key is kept. */
static void
take_row(LyfKnown *known, TupleTableSlot *slot)
{
	LyfFeed    *feed = known->feed;
	uint8		space[LYF_HASH_MAX];
	bool		isnull;
	/* a row of it may have come already: it stays pending */
	LyfKnownKey *key = enter(known, lyf_feed_digest(feed, slot, feed->hash_attno, space));
	TimestampTz load_date;
	int32		load_seq;

	known->any_there = true;
	if (feed->table->kind->class != LYF_VAULT_SATELLITE)
	{
		key->there = true;
		return;
	}
	load_date = DatumGetTimestampTz(slot_getattr(slot, feed->load_date_attno, &isnull));
	load_seq = DatumGetInt32(slot_getattr(slot, feed->load_seq_attno, &isnull));
	if (key->there && (load_date < key->load_date || (load_date == key->load_date && load_seq < key->load_seq)))
		return;
	key->there = true;
	key->load_date = load_date;
	key->load_seq = load_seq;
	memcpy(key->diff, lyf_feed_digest(feed, slot, feed->diff_attno, space), lyf_hash_size(feed->stage->rules));
}

static void
read_table(LyfKnown *known)
{
	TableScanDesc scan = table_beginscan(known->feed->rel, known->snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(known->feed->rel, NULL);

	expect_entries(known, known->rows + known->count);
	known->complete = true;
	known->adds = known->adds && known->feed->table->kind->class != LYF_VAULT_SATELLITE;
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		take_row(known, slot);
		if (known->count > known->limit)
		{
			/* there is more than was thought: what is not all of it is of no use */
			known->complete = false;
			known->too_large = true;
			break;
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	if (!known->complete)
	{
		MemoryContextReset(known->cxt);
		create_table(known);
		known->adds = false;
	}
}

LyfKnown *
lyf_known_begin(LyfFeed *feed)
{
	LyfKnown   *known = palloc0(sizeof(LyfKnown));
	BlockNumber pages = RelationGetNumberOfBlocks(feed->rel);

	known->feed = feed;
	known->snapshot = RegisterSnapshot(GetLatestSnapshot());
	known->cxt = AllocSetContextCreate(feed->stage->cxt, "lyftron vault keys", ALLOCSET_DEFAULT_SIZES);
	known->key_size = lyf_hash_size(feed->stage->rules);
	/* what a satellite's keys need more of is at the end */
	known->entry_size = MAXALIGN(MAXALIGN(known->key_size) +
								 (feed->table->kind->class == LYF_VAULT_SATELLITE ?
								  offsetof(LyfKnownKey, diff) + known->key_size : offsetof(LyfKnownKey, left_out_date)));
	if (known->entry_size > CACHE_LINE / 2)
		known->entry_size = TYPEALIGN(CACHE_LINE / 2, known->entry_size);
	known->limit = Min((int64) feed->stage->memory_kb * 1024 / (known->entry_size + SLOT_OVERHEAD), INT32_MAX);
	known->adds = true;
	create_table(known);
	known->rows = feed->rel->rd_rel->reltuples >= 0 && feed->rel->rd_rel->relpages > 0 ?
		(int64) (feed->rel->rd_rel->reltuples * ((double) pages / feed->rel->rd_rel->relpages)) :
		(int64) pages * 100;
	known->too_large = pages > SMALL_PAGES && known->rows > known->limit;
	if (known->too_large && feed->table->kind->class == LYF_VAULT_SATELLITE)
		known->adds = false;
	if (pages <= SMALL_PAGES)
		read_table(known);
	return known;
}

bool
lyf_known_is_complete(const LyfKnown *known)
{
	return known->complete;
}

/* Do keys come twice often enough?  Otherwise those that came are let go of, and cost no look; not where the table's are among them. */
static void
judge_trial(LyfKnown *known)
{
	known->adds = known->added < known->expected - known->expected / TRIAL_SHARE;
	if (!known->adds && !known->any_there)
	{
		MemoryContextReset(known->cxt);
		create_table(known);
	}
}

void
lyf_known_expect(LyfKnown *known)
{
	known->expected++;
	if (known->expected == TRIAL_ROWS && known->adds && known->feed->table->kind->class != LYF_VAULT_SATELLITE)
		judge_trial(known);
	if (!known->complete && !known->too_large && known->expected > known->rows / LOOKUP_COST)
		read_table(known);
}

void
lyf_known_fetch_slot(LyfKnown *known, const uint8 *digest)
{
	known->sought = digest;
	__builtin_prefetch(&known->keys->data[hash_of(known, SOUGHT) & known->keys->sizemask]);
}

void
lyf_known_fetch_entry(LyfKnown *known, const uint8 *digest)
{
	Slot	   *slot;

	if (known->count == 0)
		return;
	known->sought = digest;
	slot = &known->keys->data[hash_of(known, SOUGHT) & known->keys->sizemask];
	if (slot->status == keys_SH_IN_USE)
		__builtin_prefetch(entry_at(known, slot->number));
}

LyfKnownKey *
lyf_known_find(LyfKnown *known, const uint8 *digest)
{
	Slot	   *slot;

	if (known->count == 0)
		return NULL;
	known->sought = digest;
	slot = keys_lookup(known->keys, SOUGHT);
	return slot == NULL ? NULL : key_of(known, slot->number);
}

LyfKnownKey *
lyf_known_add(LyfKnown *known, const uint8 *digest)
{
	if (!known->adds)
		return NULL;
	if (known->count >= known->limit)
	{
		/* from here on keys come that are not noted */
		known->adds = false;
		known->too_large = true;
		return NULL;
	}
	known->added++;
	return enter(known, digest);
}

void
lyf_known_end(LyfKnown *known)
{
	UnregisterSnapshot(known->snapshot);
	MemoryContextDelete(known->cxt);
	pfree(known);
}
