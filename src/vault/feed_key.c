/*
 * feed_key.c
 *		Hubs and links: of each key that is new, the row that was first.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "vault/load_internal.h"

static bool
is_before(TimestampTz load_date, int64 arrival, const LyfKnownKey *key)
{
	return load_date < key->load_date || (load_date == key->load_date && arrival < key->arrival);
}

/* Is the key in the table, or did an earlier row of it come? */
static bool
is_known(LyfFeed *feed)
{
	const uint8 *digest = lyf_feed_key_hash(feed)->digest;
	TimestampTz load_date = lyf_feed_load_date(feed);
	int64		arrival = lyf_feed_arrival(feed);
	LyfKnownKey *key;

	lyf_known_expect(feed->known);
	key = lyf_known_find(feed->known, digest);
	if (key != NULL && (key->there || !is_before(load_date, arrival, key)))
		return true;
	if (key == NULL)
		key = lyf_known_add(feed->known, digest);
	if (key != NULL)
	{
		key->load_date = load_date;
		key->arrival = arrival;
	}
	return false;
}

static void
take(LyfFeed *feed)
{
	if (!lyf_feed_offer(feed) || is_known(feed))
		return;
	lyf_feed_fill(feed);
	lyf_sort_put(feed->sort);
}

static bool
is_there(const LyfFeed *feed, LyfProbe *probe, TupleTableSlot *row, const uint8 *digest)
{
	const LyfKnownKey *key;
	bool		isnull;

	if (probe != NULL)
		return lyf_probe_has(probe, slot_getattr(row, feed->hash_attno, &isnull));
	/* rows that came before the table was read were not compared with it */
	key = lyf_known_find(feed->known, digest);
	return key != NULL && key->there;
}

/* Rows come in the order of their keys: write the first one of each that the table does not have. */
static void
end(LyfFeed *feed)
{
	TupleTableSlot *row = MakeSingleTupleTableSlot(feed->row->tts_tupleDescriptor, &TTSOpsMinimalTuple);
	LyfVaultWriter *writer = lyf_vault_writer_begin(feed);
	LyfProbe   *probe = lyf_known_is_complete(feed->known) ? NULL : lyf_probe_begin(feed);
	uint8		before[LYF_HASH_MAX];
	bool		first = true;

	lyf_sort_perform(feed->sort);
	while (lyf_sort_get(feed->sort, row))
	{
		uint8		space[LYF_HASH_MAX];
		const uint8 *digest = lyf_feed_digest(feed, row, feed->hash_attno, space);
		int			size = lyf_hash_size(feed->stage->rules);

		CHECK_FOR_INTERRUPTS();
		if (!first && memcmp(before, digest, size) == 0)
			continue;
		first = false;
		memcpy(before, digest, size);
		if (!is_there(feed, probe, row, digest))
			lyf_vault_writer_put(writer, row, false);
	}
	if (probe != NULL)
		lyf_probe_end(probe);
	feed->inserted = lyf_vault_writer_end(writer);
	ExecDropSingleTupleTableSlot(row);
	lyf_feed_forget(feed);
}

const LyfFeedOps lyf_feed_key = {"key", lyf_feed_begin_sorted, take, end};
