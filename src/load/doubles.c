/*
 * doubles.c
 *		Which records came twice while a table was filled from nothing.
 *
 * A filter (Bloom's, each id in one cache line: Putze, Sanders, Singler 2007) of
 * bounded size has seen all ids.  It never says of a double that it is new, but
 * now and then of a new one that it may be a double; those ids are kept, and only
 * their rows are looked at in the table.  Ids are hashes, so their bits serve as
 * the filter's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "load/load_internal.h"

/*
 * Blocks (of a cache line) of the two filters: most tables are small, and a filter that
 * fits the processor's cache is the faster one.  Once it has so many ids a block it
 * is left as it is, and a second one of work_mem follows.
 */
#define SMALL_BLOCKS	(1 << 12)
#define LARGEST_BLOCKS	(1 << 20)
#define LEVELS			2
#define IDS_OF_BLOCK	8
#define BLOCK_WORDS		8
#define BITS_OF_ID		9

/* more ids than that are not looked at one by one */
#define MAX_MAYBE		100000

struct LyfDoubles
{
	MemoryContext cxt;
	Oid			relid;			/* the destination that it covers, or InvalidOid */
	uint64	   *filter[LEVELS];
	uint32		blocks[LEVELS];	/* powers of two */
	int			level;			/* of the filter that ids are added to */
	int64		count;			/* ids in it */
	pg_uuid_t  *maybe;			/* ids that may have come twice */
	int			maybe_count;	/* more than MAX_MAYBE: too many to say */
	int			maybe_room;
};

static void
add_filter(LyfDoubles *doubles)
{
	Size		size = sizeof(uint64) * BLOCK_WORDS * doubles->blocks[doubles->level];

	doubles->filter[doubles->level] = MemoryContextAllocZero(doubles->cxt, size);
	doubles->count = 0;
}

LyfDoubles *
lyf_doubles_begin(void)
{
	LyfDoubles *doubles = palloc0(sizeof(LyfDoubles));

	doubles->cxt = CurrentMemoryContext;
	doubles->blocks[0] = SMALL_BLOCKS;
	doubles->blocks[1] = Min(pg_prevpower2_32((uint32) work_mem * 1024 / (BLOCK_WORDS * sizeof(uint64))), LARGEST_BLOCKS);
	add_filter(doubles);
	return doubles;
}

bool
lyf_doubles_cover(LyfDoubles *doubles, Oid relid, bool made)
{
	if (doubles == NULL)
		return false;
	if (made && doubles->level == 0 && doubles->count == 0)
		doubles->relid = relid;
	return doubles->relid == relid;
}

static inline uint64 *
block_of(const LyfDoubles *doubles, int level, const uint64 *id)
{
	return doubles->filter[level] + (id[0] & (doubles->blocks[level] - 1)) * BLOCK_WORDS;
}

/* the number of the id's i-th bit in a block: 9 bits of the id */
static inline uint32
bit_of(const uint64 *id, int i)
{
	return (i < 7 ? id[1] >> (9 * i) : id[0] >> (18 + 9 * (i - 7))) & 511;
}

static inline bool
is_in(const uint64 *block, const uint64 *id)
{
	for (int i = 0; i < BITS_OF_ID; i++)
	{
		uint32		bit = bit_of(id, i);

		if ((block[bit >> 6] & (UINT64CONST(1) << (bit & 63))) == 0)
			return false;
	}
	return true;
}

static inline void
put_in(uint64 *block, const uint64 *id)
{
	for (int i = 0; i < BITS_OF_ID; i++)
	{
		uint32		bit = bit_of(id, i);

		block[bit >> 6] |= UINT64CONST(1) << (bit & 63);
	}
}

static void
keep(LyfDoubles *doubles, const pg_uuid_t *id)
{
	if (doubles->maybe_count > MAX_MAYBE)
		return;
	if (doubles->maybe_count == doubles->maybe_room)
	{
		int			room = Max(64, doubles->maybe_room * 2);
		pg_uuid_t  *grown = MemoryContextAlloc(doubles->cxt, sizeof(pg_uuid_t) * room);

		if (doubles->maybe_count > 0)
			memcpy(grown, doubles->maybe, sizeof(pg_uuid_t) * doubles->maybe_count);
		doubles->maybe = grown;
		doubles->maybe_room = room;
	}
	doubles->maybe[doubles->maybe_count++] = *id;
}

void
lyf_doubles_expect(const LyfDoubles *doubles, const pg_uuid_t *id)
{
	uint64		bits[2];

	memcpy(bits, id->data, sizeof(bits));
	for (int i = 0; i <= doubles->level; i++)
		__builtin_prefetch(block_of(doubles, i, bits), 1);
}

void
lyf_doubles_note(LyfDoubles *doubles, const pg_uuid_t *id)
{
	uint64		bits[2];
	bool		seen = false;

	memcpy(bits, id->data, sizeof(bits));
	if (doubles->level < LEVELS - 1 && doubles->count >= (int64) doubles->blocks[doubles->level] * IDS_OF_BLOCK)
	{
		doubles->level++;
		add_filter(doubles);
	}
	for (int i = 0; i <= doubles->level && !seen; i++)
		seen = is_in(block_of(doubles, i, bits), bits);
	put_in(block_of(doubles, doubles->level, bits), bits);
	doubles->count++;
	if (seen)
		keep(doubles, id);
}

/*
 * Of all rows with the same id the last one stays: tables are appended to, so of those that one session wrote that is the
 * last one in it; between slices it is the one that was read later.
 */
static int64
remove_all(const char *table)
{
	return lyf_load_execute("DELETE FROM %s WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
							"SELECT d.place FROM (SELECT ctid AS place, pg_catalog.row_number() OVER "
							"(PARTITION BY _lyftron_id ORDER BY _lyftron_extracted_at DESC, ctid DESC) AS number FROM %s) d"
							" WHERE d.number OPERATOR(pg_catalog.>) 1))",
							table, table);
}

/* The same, of the rows with one of these ids. */
static int64
remove_some(const char *table, const LyfDoubles *doubles)
{
	Datum	   *ids = palloc(sizeof(Datum) * doubles->maybe_count);
	Datum		array;
	char	   *sql;

	for (int i = 0; i < doubles->maybe_count; i++)
		ids[i] = UUIDPGetDatum(&doubles->maybe[i]);
	array = PointerGetDatum(construct_array(ids, doubles->maybe_count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	sql = psprintf("DELETE FROM %s WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
				   "SELECT d.place FROM (SELECT ctid AS place, pg_catalog.row_number() OVER "
				   "(PARTITION BY _lyftron_id ORDER BY ctid DESC) AS number FROM %s"
				   " WHERE _lyftron_id OPERATOR(pg_catalog.=) ANY ($1)) d WHERE d.number OPERATOR(pg_catalog.>) 1))",
				   table, table);
	return lyf_load_execute_with(sql, UUIDARRAYOID, array);
}

bool
lyf_doubles_tells(const LyfDoubles *doubles)
{
	return doubles != NULL && doubles->maybe_count <= MAX_MAYBE;
}

int64
lyf_doubles_remove(LyfDoubles *doubles, Oid relid)
{
	char	   *table = lyf_relation_name(relid);
	int64		removed;

	if (!lyf_doubles_tells(doubles))
		return remove_all(table);
	removed = doubles->maybe_count > 0 ? remove_some(table, doubles) : 0;
	doubles->maybe_count = 0;
	return removed;
}
