/*
 * feed_satellite.c
 *		Standard satellites: a version is written where it differs from the one that was valid before it.
 *
 * Most rows of a load are like the latest version of their key: they are left out as they come.  That is right as long as no row of
 * the same key with an earlier date differs: where such a one comes later, the source is read again, with nothing left out.  What
 * remains is sorted, and merged with the versions that the table has of each key, so that what is late lands in its place.  Versions
 * of one load date are numbered; one that the table has at that date is no new one, so that a load that comes again changes nothing.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "vault/load_internal.h"

/* The versions of the key at hand. */
typedef struct Timeline
{
	LyfFeed    *feed;
	LyfVaultWriter *writer;
	LyfProbe   *probe;
	MemoryContext cxt;			/* of a key */
	int			size;			/* of a digest */
	List	   *versions;		/* of LyfVersion *: those of the table that are not before the load date at hand, the latest first */
	List	   *same_date;		/* of LyfVersion *: those of the table at that date */
	bool		has_before;
	LyfVersion	before;			/* the version that is valid before the row at hand */
	bool		has_prior;
	LyfVersion	prior;			/* where the table has versions at the load date at hand: the one that is valid before them */
} Timeline;

/* A row that is like the latest version is left out: those before it may be so, too. */
static void
leave_out(LyfKnownKey *key, TimestampTz load_date, int64 arrival)
{
	if (!key->left_out || load_date > key->left_out_date || (load_date == key->left_out_date && arrival > key->arrival))
	{
		key->left_out_date = load_date;
		key->arrival = arrival;
	}
	key->left_out = true;
}

/* Is it like the latest version of its key?  Sees to it that what was left out may stay so. */
static bool
is_superfluous(LyfFeed *feed)
{
	LyfStage   *stage = feed->stage;
	const LyfStageHash *diff = list_nth(stage->hashes, feed->diff_hash);
	TimestampTz load_date = lyf_feed_load_date(feed);
	LyfKnownKey *key;

	lyf_known_expect(feed->known);
	key = lyf_known_find(feed->known, lyf_feed_key_hash(feed)->digest);
	if (key == NULL && (key = lyf_known_add(feed->known, lyf_feed_key_hash(feed)->digest)) != NULL)
		key->pending = true;
	if (key == NULL || !key->there || stage->unfiltered)
		return false;
	if (!key->pending && load_date >= key->load_date && memcmp(key->diff, diff->digest, lyf_hash_size(stage->rules)) == 0)
	{
		leave_out(key, load_date, lyf_feed_arrival(feed));
		return true;
	}
	key->pending = true;
	if (key->left_out && (load_date < key->left_out_date || (load_date == key->left_out_date && lyf_feed_arrival(feed) < key->arrival)))
		stage->again = true;
	return false;
}

static void
take(LyfFeed *feed)
{
	if (!lyf_feed_offer(feed) || is_superfluous(feed))
		return;
	lyf_feed_fill(feed);
	lyf_sort_put(feed->sort);
}

/* what the table has of the key at hand, from the version on that is valid before the first row */
static List *
find_versions(Timeline *timeline, Datum hash, const uint8 *digest, TimestampTz first)
{
	LyfFeed    *feed = timeline->feed;
	LyfKnownKey *key = lyf_known_find(feed->known, digest);

	if (lyf_known_is_complete(feed->known) && (key == NULL || !key->there))
		return NIL;
	if (key != NULL && key->there && key->load_date < first)
	{
		LyfVersion *version = palloc(sizeof(LyfVersion));

		version->load_date = key->load_date;
		version->load_seq = key->load_seq;
		memcpy(version->diff, key->diff, timeline->size);
		return list_make1(version);
	}
	if (timeline->probe == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(feed->stage->cxt);

		timeline->probe = lyf_probe_begin(feed);
		MemoryContextSwitchTo(old);
	}
	return lyf_probe_versions(timeline->probe, hash, first);
}

static void
begin_key(Timeline *timeline, Datum hash, const uint8 *digest, TimestampTz first)
{
	MemoryContext old;

	MemoryContextReset(timeline->cxt);
	old = MemoryContextSwitchTo(timeline->cxt);
	timeline->has_before = false;
	timeline->same_date = NIL;
	timeline->versions = find_versions(timeline, hash, digest, first);
	MemoryContextSwitchTo(old);
}

/* Pass by the versions of the table up to a load date. */
static void
advance(Timeline *timeline, TimestampTz load_date)
{
	MemoryContext old = MemoryContextSwitchTo(timeline->cxt);

	if (timeline->same_date != NIL && ((LyfVersion *) linitial(timeline->same_date))->load_date != load_date)
		timeline->same_date = NIL;
	while (timeline->versions != NIL && ((LyfVersion *) llast(timeline->versions))->load_date <= load_date)
	{
		LyfVersion *version = llast(timeline->versions);

		timeline->versions = list_delete_last(timeline->versions);
		if (version->load_date == load_date && timeline->same_date == NIL)
		{
			timeline->has_prior = timeline->has_before;
			timeline->prior = timeline->before;
		}
		timeline->before = *version;
		timeline->has_before = true;
		if (version->load_date == load_date)
			timeline->same_date = lappend(timeline->same_date, version);
	}
	MemoryContextSwitchTo(old);
}

/* Has the table this version at the load date at hand, or was it left out when those came, since it was valid already? */
static bool
came_before(const Timeline *timeline, const uint8 *diff)
{
	ListCell   *lc;

	if (timeline->same_date != NIL && timeline->has_prior && memcmp(timeline->prior.diff, diff, timeline->size) == 0)
		return true;
	foreach(lc, timeline->same_date)
		if (memcmp(((LyfVersion *) lfirst(lc))->diff, diff, timeline->size) == 0)
			return true;
	return false;
}

static void
take_version(Timeline *timeline, TupleTableSlot *row)
{
	LyfFeed    *feed = timeline->feed;
	bool		isnull;
	uint8		space[LYF_HASH_MAX];
	TimestampTz load_date = DatumGetTimestampTz(slot_getattr(row, feed->load_date_attno, &isnull));
	const uint8 *diff = lyf_feed_digest(feed, row, feed->diff_attno, space);
	int32		load_seq;

	advance(timeline, load_date);
	if (came_before(timeline, diff) || (timeline->has_before && memcmp(timeline->before.diff, diff, timeline->size) == 0))
		return;
	load_seq = timeline->has_before && timeline->before.load_date == load_date ? timeline->before.load_seq + 1 : 0;
	if (load_seq > 0)
	{
		slot_getallattrs(row);
		row->tts_values[feed->load_seq_attno - 1] = Int32GetDatum(load_seq);
	}
	lyf_vault_writer_put(timeline->writer, row, load_seq > 0);
	timeline->has_before = true;
	timeline->before.load_date = load_date;
	timeline->before.load_seq = load_seq;
	memcpy(timeline->before.diff, diff, timeline->size);
}

static void
merge(Timeline *timeline)
{
	LyfFeed    *feed = timeline->feed;
	TupleTableSlot *row = MakeSingleTupleTableSlot(feed->row->tts_tupleDescriptor, &TTSOpsMinimalTuple);
	uint8		key[LYF_HASH_MAX];
	bool		first = true;

	while (lyf_sort_get(feed->sort, row))
	{
		bool		isnull;
		uint8		space[LYF_HASH_MAX];
		Datum		hash = slot_getattr(row, feed->hash_attno, &isnull);
		const uint8 *digest = lyf_feed_digest(feed, row, feed->hash_attno, space);

		CHECK_FOR_INTERRUPTS();
		if (first || memcmp(key, digest, timeline->size) != 0)
			begin_key(timeline, hash, digest, DatumGetTimestampTz(slot_getattr(row, feed->load_date_attno, &isnull)));
		first = false;
		memcpy(key, digest, timeline->size);
		take_version(timeline, row);
	}
	ExecDropSingleTupleTableSlot(row);
}

static void
end(LyfFeed *feed)
{
	Timeline	timeline = {feed};

	lyf_sort_perform(feed->sort);
	timeline.size = lyf_hash_size(feed->stage->rules);
	timeline.writer = lyf_vault_writer_begin(feed);
	timeline.cxt = AllocSetContextCreate(feed->stage->cxt, "lyftron vault versions", ALLOCSET_SMALL_SIZES);
	merge(&timeline);
	feed->inserted = lyf_vault_writer_end(timeline.writer);
	if (timeline.probe != NULL)
		lyf_probe_end(timeline.probe);
	MemoryContextDelete(timeline.cxt);
	lyf_feed_forget(feed);
}

const LyfFeedOps lyf_feed_satellite = {"satellite", lyf_feed_begin_sorted, take, end};
