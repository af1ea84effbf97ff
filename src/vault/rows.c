/*
 * rows.c
 *		Rows of a load, sorted by hash key, load date and arrival.
 *
 * As long as they fit into memory they are kept as the table will have them, those whose digests begin alike near each other, and what is
 * sorted is an array of what they are sorted by: so rows that follow each other are in few pages, and can be asked for before they are
 * needed.  To read them all over memory would take as long as to put them into the table.  When they do not fit any more all go to a
 * tuplesort, which knows how to use files.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "vault/load_internal.h"

/* rows are apart by the first byte of their digests, each part in pieces that grow up to this size, or have a row's where that is larger */
#define PARTS			256
#define LEAST_PIECE		1024
#define LARGEST_PIECE	(64 * 1024)

/* so many rows ahead of the one at hand are asked for, and so many bytes of each, by lines of the processor's cache */
#define AHEAD			8
#define AHEAD_BYTES		192
#define CACHE_LINE		64

typedef struct Entry
{
	uint64		prefix;			/* of the digest, so that its order is theirs */
	TimestampTz load_date;
	int64		arrival;
	char	   *row;			/* the digest, then the tuple */
} Entry;

typedef struct Part
{
	char	   *place;			/* in its last piece, of which so much is */
	Size		left;
	Size		used;			/* by all of its pieces */
} Part;

struct LyfRows
{
	LyfFeed    *feed;
	int			key_size;		/* of a digest */
	Size		limit;
	MemoryContext cxt;			/* of the rows, as long as they are in memory */
	Entry	   *entries;
	int64		count;
	int64		room;			/* in entries */
	Part		parts[PARTS];
	Size		used;			/* by rows */
	int64		next;
	Tuplesortstate *sort;		/* NULL: they are in memory */
	TupleTableSlot *slot;		/* of a row that is read */
};

static inline int
compare_entries(const Entry *a, const Entry *b, const LyfRows *rows)
{
	int			order;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	order = memcmp(a->row, b->row, rows->key_size);
	if (order != 0)
		return order;
	if (a->load_date != b->load_date)
		return a->load_date < b->load_date ? -1 : 1;
	return a->arrival < b->arrival ? -1 : a->arrival > b->arrival;
}

#define ST_SORT				sort_entries
#define ST_ELEMENT_TYPE		Entry
#define ST_COMPARE(a, b, rows)	compare_entries(a, b, rows)
#define ST_COMPARE_ARG_TYPE	LyfRows
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE			static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

LyfRows *
lyf_rows_begin(LyfFeed *feed)
{
	LyfRows    *rows = palloc0(sizeof(LyfRows));

	rows->feed = feed;
	rows->key_size = lyf_hash_size(feed->stage->rules);
	rows->limit = (Size) feed->stage->memory_kb * 1024;
	rows->cxt = AllocSetContextCreate(feed->stage->cxt, "lyftron vault rows", ALLOCSET_DEFAULT_SIZES);
	rows->room = 1024;
	rows->entries = MemoryContextAlloc(rows->cxt, sizeof(Entry) * rows->room);
	rows->slot = MakeSingleTupleTableSlot(RelationGetDescr(feed->rel), &TTSOpsMinimalTuple);
	return rows;
}

static Tuplesortstate *
begin_sort(const LyfRows *rows)
{
	const LyfFeed *feed = rows->feed;
	TupleDesc	desc = feed->row->tts_tupleDescriptor;
	AttrNumber	attnos[] = {feed->hash_attno, feed->load_date_attno, RelationGetDescr(feed->rel)->natts + 1};
	Oid			operators[lengthof(attnos)];
	Oid			collations[lengthof(attnos)];
	bool		nulls_first[lengthof(attnos)] = {0};

	for (int i = 0; i < lengthof(attnos); i++)
	{
		operators[i] = lookup_type_cache(TupleDescAttr(desc, attnos[i] - 1)->atttypid, TYPECACHE_LT_OPR)->lt_opr;
		collations[i] = TupleDescAttr(desc, attnos[i] - 1)->attcollation;
	}
	return tuplesort_begin_heap(desc, lengthof(attnos), attnos, operators, collations, nulls_first, feed->stage->memory_kb, NULL, TUPLESORT_NONE);
}

static inline MinimalTuple
tuple_of(const LyfRows *rows, const Entry *entry)
{
	return (MinimalTuple) (entry->row + MAXALIGN(rows->key_size));
}

/* a row that is in memory, with its arrival behind it, as feed->row */
static void
fetch_row(LyfRows *rows, const Entry *entry)
{
	TupleTableSlot *row = rows->feed->row;
	int			natts = RelationGetDescr(rows->feed->rel)->natts;

	ExecStoreMinimalTuple(tuple_of(rows, entry), rows->slot, false);
	slot_getallattrs(rows->slot);
	ExecClearTuple(row);
	memcpy(row->tts_values, rows->slot->tts_values, sizeof(Datum) * natts);
	memcpy(row->tts_isnull, rows->slot->tts_isnull, sizeof(bool) * natts);
	row->tts_values[natts] = Int64GetDatum(entry->arrival);
	row->tts_isnull[natts] = false;
	ExecStoreVirtualTuple(row);
}

/* They do not fit: all to a tuplesort. */
static void
spill(LyfRows *rows)
{
	TupleTableSlot *row = rows->feed->row;
	MemoryContext old = MemoryContextSwitchTo(rows->feed->stage->cxt);

	rows->sort = begin_sort(rows);
	for (int64 i = 0; i < rows->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		fetch_row(rows, &rows->entries[i]);
		tuplesort_puttupleslot(rows->sort, row);
	}
	ExecClearTuple(row);
	ExecDropSingleTupleTableSlot(rows->slot);
	rows->slot = MakeSingleTupleTableSlot(row->tts_tupleDescriptor, &TTSOpsMinimalTuple);
	MemoryContextReset(rows->cxt);
	rows->entries = NULL;
	MemoryContextSwitchTo(old);
}

static char *
allocate(LyfRows *rows, Part *part, Size size)
{
	char	   *place;

	if (size > part->left)
	{
		part->left = Max(size, Min(Max(part->used, LEAST_PIECE), LARGEST_PIECE));
		part->place = MemoryContextAllocExtended(rows->cxt, part->left, MCXT_ALLOC_HUGE);
		part->used += part->left;
		rows->used += part->left;
	}
	place = part->place;
	part->place += size;
	part->left -= size;
	return place;
}

static Entry *
add_entry(LyfRows *rows)
{
	if (rows->count == rows->room)
	{
		rows->room *= 2;
		rows->entries = repalloc_huge(rows->entries, sizeof(Entry) * rows->room);
	}
	return &rows->entries[rows->count++];
}

void
lyf_rows_put(LyfRows *rows)
{
	LyfFeed    *feed = rows->feed;
	TupleTableSlot *row = feed->row;
	const uint8 *digest = lyf_feed_key_hash(feed)->digest;
	MinimalTuple tuple;
	Entry	   *entry;

	if (rows->sort != NULL)
	{
		tuplesort_puttupleslot(rows->sort, row);
		return;
	}
	tuple = lyf_form_minimal_tuple(RelationGetDescr(feed->rel), row->tts_values, row->tts_isnull);
	entry = add_entry(rows);
	memcpy(&entry->prefix, digest, sizeof(entry->prefix));
	entry->prefix = pg_ntoh64(entry->prefix);
	entry->load_date = DatumGetTimestampTz(row->tts_values[feed->load_date_attno - 1]);
	entry->arrival = DatumGetInt64(row->tts_values[RelationGetDescr(feed->rel)->natts]);
	entry->row = allocate(rows, &rows->parts[digest[0]], MAXALIGN(MAXALIGN(rows->key_size) + tuple->t_len));
	memcpy(entry->row, digest, rows->key_size);
	memcpy(tuple_of(rows, entry), tuple, tuple->t_len);
	if (rows->used + sizeof(Entry) * rows->room > rows->limit)
		spill(rows);
}

void
lyf_rows_sort(LyfRows *rows)
{
	if (rows->sort != NULL)
		tuplesort_performsort(rows->sort);
	else
		sort_entries(rows->entries, rows->count, rows);
}

static inline void
ask_for(const char *row)
{
	for (int byte = 0; byte < AHEAD_BYTES; byte += CACHE_LINE)
		__builtin_prefetch(row + byte);
}

TupleTableSlot *
lyf_rows_next(LyfRows *rows)
{
	if (rows->sort != NULL)
		return tuplesort_gettupleslot(rows->sort, true, false, rows->slot, NULL) ? rows->slot : NULL;
	if (rows->next == rows->count)
		return NULL;
	if (rows->next + AHEAD < rows->count)
		ask_for(rows->entries[rows->next + AHEAD].row);
	return ExecStoreMinimalTuple(tuple_of(rows, &rows->entries[rows->next++]), rows->slot, false);
}

void
lyf_rows_end(LyfRows *rows)
{
	if (rows->sort != NULL)
		tuplesort_end(rows->sort);
	ExecDropSingleTupleTableSlot(rows->slot);
	MemoryContextDelete(rows->cxt);
	pfree(rows);
}
