/*
 * sort.c
 *		Rows of a feed by hash key, load date and arrival.
 *
 * Few of them are sorted in memory.  More are dealt out first, by the leading bits of their hashes, to tapes of a temporary file, as
 * those of a hash aggregate that spills are, and each part is sorted when it is its turn.  Hashes are as good as random, so that parts
 * are alike, and the rows of one are near each other in memory: to write sorted runs for a merge, each row is picked from elsewhere.
 *
 * The order of keys is that of their digests, whatever collation somebody may have given to their text: all loads write in one order.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/logtape.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "vault/load_internal.h"

/* rows of no more bytes are sorted in memory */
#define MEMORY_BYTES	(16 * 1024 * 1024)

/* parts by so many bits, each of which has a buffer of a page while rows come */
#define PART_BITS		7
#define PARTS			(1 << PART_BITS)

struct LyfSort
{
	const LyfFeed *feed;
	MemoryContext cxt;
	Tuplesortstate *rows;		/* all, or those of the part at hand */
	Size		bytes;			/* of all, as long as they are in memory */
	Size		limit;			/* of that */
	LogicalTapeSet *tapes;		/* NULL: all are in memory */
	LogicalTape *parts[PARTS];
	int			next_part;
	TupleTableSlot *row;		/* one on its way */
	MinimalTuple tuple;			/* one of a part, in memory of so many bytes: */
	Size		size;
};

static Tuplesortstate *
begin_rows(const LyfFeed *feed)
{
	TupleDesc	desc = feed->row->tts_tupleDescriptor;
	AttrNumber	attnos[] = {feed->hash_attno, feed->load_date_attno, RelationGetDescr(feed->rel)->natts + 1};
	Oid			operators[lengthof(attnos)];
	Oid			collations[lengthof(attnos)];
	bool		nulls_first[lengthof(attnos)] = {0};

	for (int i = 0; i < lengthof(attnos); i++)
	{
		Oid			type = TupleDescAttr(desc, attnos[i] - 1)->atttypid;

		operators[i] = lookup_type_cache(type, TYPECACHE_LT_OPR)->lt_opr;
		collations[i] = type == TEXTOID ? C_COLLATION_OID : InvalidOid;
	}
	return tuplesort_begin_heap(desc, lengthof(attnos), attnos, operators, collations, nulls_first, feed->stage->sort_kb, NULL, TUPLESORT_NONE);
}

LyfSort *
lyf_sort_begin(const LyfFeed *feed)
{
	LyfSort    *sort = palloc0(sizeof(LyfSort));

	sort->feed = feed;
	sort->cxt = AllocSetContextCreate(feed->stage->cxt, "lyftron vault sort", ALLOCSET_DEFAULT_SIZES);
	sort->rows = begin_rows(feed);
	sort->limit = Min(MEMORY_BYTES, (Size) feed->stage->sort_kb * 1024 / 2);
	sort->row = MakeSingleTupleTableSlot(feed->row->tts_tupleDescriptor, &TTSOpsMinimalTuple);
	return sort;
}

/* The buffer of a tape is in the context in which it is first written. */
static void
write_row(LyfSort *sort, MinimalTuple tuple, const uint8 *digest)
{
	MemoryContext old = MemoryContextSwitchTo(sort->cxt);

	LogicalTapeWrite(sort->parts[digest[0] >> (8 - PART_BITS)], (void *) tuple, tuple->t_len);
	MemoryContextSwitchTo(old);
}

static void
begin_parts(LyfSort *sort)
{
	MemoryContext old = MemoryContextSwitchTo(sort->cxt);

	sort->tapes = LogicalTapeSetCreate(false, NULL, -1);
	for (int i = 0; i < PARTS; i++)
		sort->parts[i] = LogicalTapeCreate(sort->tapes);
	MemoryContextSwitchTo(old);
}

static void
end_rows(LyfSort *sort)
{
	if (sort->rows != NULL)
		tuplesort_end(sort->rows);
	sort->rows = NULL;
}

/* There are too many rows for memory. */
static void
deal_out(LyfSort *sort)
{
	bool		copied;
	uint8		space[LYF_HASH_MAX];

	tuplesort_performsort(sort->rows);
	begin_parts(sort);
	while (tuplesort_gettupleslot(sort->rows, true, false, sort->row, NULL))
		write_row(sort, ExecFetchSlotMinimalTuple(sort->row, &copied), lyf_feed_digest(sort->feed, sort->row, sort->feed->hash_attno, space));
	end_rows(sort);
}

void
lyf_sort_put(LyfSort *sort)
{
	const LyfFeed *feed = sort->feed;
	bool		copied;
	MinimalTuple tuple = ExecFetchSlotMinimalTuple(feed->row, &copied);

	if (sort->tapes != NULL)
	{
		write_row(sort, tuple, lyf_feed_key_hash(feed)->digest);
		return;
	}
	ExecStoreMinimalTuple(tuple, sort->row, false);
	tuplesort_puttupleslot(sort->rows, sort->row);
	ExecClearTuple(sort->row);
	sort->bytes += tuple->t_len;
	if (sort->bytes > sort->limit)
		deal_out(sort);
}

void
lyf_sort_perform(LyfSort *sort)
{
	if (sort->tapes == NULL)
		tuplesort_performsort(sort->rows);
}

static void
read_bytes(LogicalTape *tape, void *to, Size size)
{
	if (LogicalTapeRead(tape, to, size) != size)
		elog(ERROR, "a temporary file ends too early");
}

/* The next row of a part into sort->row; false: it has no more. */
static bool
read_row(LyfSort *sort, LogicalTape *tape)
{
	uint32		size;
	Size		read = LogicalTapeRead(tape, &size, sizeof(size));

	if (read == 0)
		return false;
	if (read != sizeof(size))
		elog(ERROR, "a temporary file ends too early");
	if (size > sort->size)
	{
		sort->size = Max(size, BLCKSZ);
		sort->tuple = sort->tuple == NULL ? MemoryContextAllocHuge(sort->cxt, sort->size) : repalloc_huge(sort->tuple, sort->size);
	}
	sort->tuple->t_len = size;
	read_bytes(tape, (char *) sort->tuple + sizeof(size), size - sizeof(size));
	ExecStoreMinimalTuple(sort->tuple, sort->row, false);
	return true;
}

/* Sort the next part. */
static void
begin_part(LyfSort *sort)
{
	LogicalTape *tape = sort->parts[sort->next_part++];
	MemoryContext old = MemoryContextSwitchTo(sort->cxt);

	end_rows(sort);
	sort->rows = begin_rows(sort->feed);
	LogicalTapeRewindForRead(tape, BLCKSZ);
	while (read_row(sort, tape))
	{
		CHECK_FOR_INTERRUPTS();
		tuplesort_puttupleslot(sort->rows, sort->row);
	}
	ExecClearTuple(sort->row);
	LogicalTapeClose(tape);
	tuplesort_performsort(sort->rows);
	MemoryContextSwitchTo(old);
}

bool
lyf_sort_get(LyfSort *sort, TupleTableSlot *row)
{
	while (sort->rows == NULL || !tuplesort_gettupleslot(sort->rows, true, false, row, NULL))
	{
		if (sort->tapes == NULL || sort->next_part == PARTS)
			return false;
		begin_part(sort);
	}
	return true;
}

void
lyf_sort_end(LyfSort *sort)
{
	end_rows(sort);
	if (sort->tapes != NULL)
		LogicalTapeSetClose(sort->tapes);
	ExecDropSingleTupleTableSlot(sort->row);
	MemoryContextDelete(sort->cxt);
	pfree(sort);
}
