/*
 * progress.c
 *		How far the reading of a stream has come.
 *
 * A stream, or each of its partitions, has intervals of time that were read.
 * The slices still to be read are what lies between and after them; a slice that
 * was read to its end becomes an interval itself.  The state is the latest record
 * of the first interval: what comes after a gap was not read for certain.
 *
 * With partitions there is a global cursor besides: where new partitions start,
 * and all partitions, once there are too many to keep a cursor for each.  It
 * moves only when all partitions were read.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "extract/progress_internal.h"

/* more partitions than this: only the global cursor is used */
#define SWITCH_TO_GLOBAL	10000
/* partitions remembered at most */
#define MAX_PARTITIONS		25000

typedef struct PartitionSlot
{
	const char *key;
	LyfPartition *partition;
	uint32		hash;
	char		status;
} PartitionSlot;

#define SH_PREFIX partition
#define SH_ELEMENT_TYPE PartitionSlot
#define SH_KEY_TYPE const char *
#define SH_KEY key
#define SH_HASH_KEY(tb, key) string_hash(key, strlen(key) + 1)
#define SH_EQUAL(tb, a, b) (strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) ((a)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Remember a partition; cursor (or NULL) becomes its own, instead of the one it had. */
LyfPartition *
lyf_progress_add(LyfProgress *progress, const char *key, LyfValue *cursor)
{
	PartitionSlot *slot = partition_lookup(progress->table, key);
	LyfPartition *partition;
	bool		found;

	if (slot != NULL)
	{
		slot->partition->cursor = cursor;
		return slot->partition;
	}
	partition = MemoryContextAllocZero(progress->cxt, sizeof(LyfPartition));
	partition->key = MemoryContextStrdup(progress->cxt, key);
	partition->cursor = cursor;
	partition_insert(progress->table, partition->key, &found)->partition = partition;
	dlist_push_tail(&progress->partitions, &partition->node);
	progress->known++;
	return partition;
}

/* Make room for one more partition. */
static void
forget_oldest(LyfProgress *progress)
{
	while (progress->table->members >= MAX_PARTITIONS)
	{
		LyfPartition *oldest = dlist_container(LyfPartition, node, dlist_pop_head_node(&progress->partitions));

		partition_delete(progress->table, oldest->key);
		pfree(oldest->key);
		pfree(oldest);
	}
}

/*
 * cursor may be NULL: then each partition is one slice, and there is no state.
 * state is borrowed for as long as the progress lives.  Memory:
 * CurrentMemoryContext.  Fails where the configuration gives no start or the
 * state has a value that the cursor's formats do not know.
 */
LyfFailure *
lyf_progress_begin(const LyfCursor *cursor, const LyfRouter *router, LyfSession *session,
				   const LyfValue *state, LyfProgress **out)
{
	LyfProgress *progress = palloc0(sizeof(LyfProgress));

	*out = NULL;
	progress->cursor = cursor;
	progress->session = session;
	progress->initial = state;
	progress->cxt = CurrentMemoryContext;
	progress->open_cxt = AllocSetContextCreate(progress->cxt, "lyftron open partition", ALLOCSET_SMALL_SIZES);
	if (cursor != NULL)
	{
		LYF_TRY(lyf_cursor_evaluate(cursor, session, &progress->run));
		progress->partitioned = router != NULL;
		progress->use_global = cursor->global;
		dlist_init(&progress->partitions);
		progress->table = partition_create(progress->cxt, 64, NULL);
		LYF_TRY(lyf_progress_load(progress));
	}
	*out = progress;
	return NULL;
}

/* A read that is restricted leaves the state as it was. */
void
lyf_progress_restrict(LyfProgress *progress, const LyfValue *low, const LyfValue *high)
{
	LyfCursorRun *run = &progress->run;

	run->restricted = true;
	run->has_low = low != NULL;
	run->has_high = high != NULL;
	if (low != NULL)
		run->low.us = low->u.time.us;
	if (high != NULL)
		run->high.us = high->u.time.us;
}

/* The cursor map that a partition without one of its own starts with. */
static LyfValue *
global_cursor(const LyfProgress *progress)
{
	LyfValue   *cursor = lyf_value_make(LYF_MAP);

	if (progress->has_global)
		lyf_value_set(cursor, progress->run.field,
					  lyf_cursor_value(progress->cursor, progress->global));
	return cursor;
}

/* Find or make the partition and plan its windows. */
static LyfFailure *
open_partition(LyfProgress *progress, const LyfSlice *slice, bool *duplicate)
{
	StringInfoData key;
	PartitionSlot *slot;
	LyfPartition *partition;
	LyfValue   *cursor;
	int64		lookback = 0;

	if (progress->known > SWITCH_TO_GLOBAL)
		progress->use_global = true;
	forget_oldest(progress);
	initStringInfo(&key);
	lyf_value_print_sorted(&key, slice->partition);
	slot = partition_lookup(progress->table, key.data);
	if (slot != NULL)
	{
		partition = slot->partition;
		*duplicate = partition->opened;
		cursor = partition->cursor != NULL ? partition->cursor : global_cursor(progress);
	}
	else
	{
		MemoryContext old = MemoryContextSwitchTo(progress->use_global ? progress->open_cxt : progress->cxt);

		cursor = global_cursor(progress);
		lookback = progress->has_global ? progress->lookback : 0;
		MemoryContextSwitchTo(old);
		partition = lyf_progress_add(progress, key.data, progress->use_global ? NULL : cursor);
	}
	pfree(key.data);
	partition->opened = true;
	progress->current = partition;
	return *duplicate ? NULL : lyf_progress_plan(progress, cursor, lookback);
}

LyfFailure *
lyf_progress_open(LyfProgress *progress, const LyfSlice *partition, bool *duplicate)
{
	MemoryContext old;
	LyfFailure *failure;

	*duplicate = false;
	if (progress->cursor == NULL)
	{
		progress->whole_given = progress->track_resumed && progress->whole_given;
		progress->track_resumed = false;
		return NULL;
	}
	if (!progress->track_resumed)
		MemoryContextReset(progress->open_cxt);
	old = MemoryContextSwitchTo(progress->open_cxt);
	if (progress->partitioned)
		failure = open_partition(progress, partition, duplicate);
	else
		failure = lyf_progress_plan(progress, progress->current->cursor, 0);
	MemoryContextSwitchTo(old);
	progress->track_resumed = false;
	return failure;
}

static LyfValue *
make_window(const LyfProgress *progress, LyfInstant start, LyfInstant end)
{
	LyfValue   *window = lyf_value_make(LYF_MAP);

	lyf_value_set(window, progress->run.start_key, lyf_cursor_value(progress->cursor, start));
	lyf_value_set(window, progress->run.end_key, lyf_cursor_value(progress->cursor, end));
	return window;
}

LyfFailure *
lyf_progress_next(LyfProgress *progress, const LyfSlice *partition, LyfSlice **slice)
{
	LyfTrack   *track = &progress->track;
	LyfValue   *window = NULL;
	LyfInstant	start;
	LyfInstant	end;

	*slice = NULL;
	track->has_seen = false;
	if (progress->cursor != NULL)
	{
		if (!lyf_windows_next(&track->windows, &progress->run, track->plan, track->plan_count, &start, &end))
			return NULL;
		window = make_window(progress, start, end);
	}
	else if (progress->whole_given)
		return NULL;
	progress->whole_given = true;
	*slice = lyf_slice_make(partition->partition, window, partition->extra_fields);
	return NULL;
}

/* What open_partition would lay out for it, in a progress of its own; false: nothing. */
static bool
plan_unopened(LyfProgress *progress, const LyfSlice *slice)
{
	StringInfoData key;
	PartitionSlot *slot = NULL;
	LyfPartition nobody = {0};
	LyfValue   *cursor;

	initStringInfo(&key);
	lyf_value_print_sorted(&key, slice->partition);
	if (!progress->partitioned)
		return false;
	slot = partition_lookup(progress->table, key.data);
	if (slot != NULL && slot->partition->opened)
		return false;
	cursor = slot != NULL && slot->partition->cursor != NULL ? slot->partition->cursor : global_cursor(progress);
	progress->current = &nobody;
	progress->track_resumed = false;
	return lyf_progress_plan(progress, cursor, slot == NULL && progress->has_global ? progress->lookback : 0) == NULL;
}

LyfSlice *
lyf_progress_peek(const LyfProgress *progress, const LyfSlice *partition, bool open, int place)
{
	LyfProgress copy = *progress;
	LyfWindows	windows;
	LyfInstant	start;
	LyfInstant	end;

	if (progress->cursor == NULL)
		return place == 0 && !open ? lyf_slice_make(partition->partition, NULL, partition->extra_fields) : NULL;
	if (!open && !plan_unopened(&copy, partition))
		return NULL;
	windows = copy.track.windows;
	do
	{
		if (!lyf_windows_next(&windows, &copy.run, copy.track.plan, copy.track.plan_count, &start, &end))
			return NULL;
	} while (place-- > 0);
	return lyf_slice_make(partition->partition, make_window(progress, start, end), partition->extra_fields);
}

/* The oldest cursor value that is not known yet: with the lookback, but never below the start. */
static LyfInstant
oldest_wanted(const LyfProgress *progress)
{
	LyfInstant	floor = progress->track.floor;
	LyfInstant	lowest = progress->run.start;
	LyfInstant	wanted;

	if (progress->run.lookback == NULL)
		return floor;
	wanted = lyf_instant_add(floor, progress->run.lookback, -1);
	if (floor.us < lowest.us)
		lowest = floor;
	return wanted.us < lowest.us ? lowest : wanted;
}

LyfFailure *
lyf_progress_keep(LyfProgress *progress, const LyfSlice *slice, const LyfValue *record, bool *keep)
{
	LyfInstant	value;
	TimestampTz end;

	*keep = true;
	if (progress->cursor == NULL ||
		!lyf_cursor_read(progress->cursor, lyf_value_get(record, progress->run.field), &value))
		return NULL;
	end = progress->cursor->end.time != NULL || progress->cursor->clamp != NULL ? progress->run.end.us : lyf_now();
	*keep = value.us >= oldest_wanted(progress).us && value.us <= end;
	return NULL;
}

LyfFailure *
lyf_progress_feed_ended(LyfProgress *progress, const LyfSlice *slice, const LyfValue *last_record, bool *stop)
{
	bool		keep = true;

	if (last_record != NULL)
		LYF_TRY(lyf_progress_keep(progress, slice, last_record, &keep));
	*stop = !keep;
	return NULL;
}

/* A record without a cursor value, or with one that nobody can read, moves nothing. */
LyfFailure *
lyf_progress_observe(LyfProgress *progress, const LyfSlice *slice, const LyfValue *record)
{
	LyfTrack   *track = &progress->track;
	LyfInstant	value;

	if (progress->cursor == NULL ||
		!lyf_cursor_read(progress->cursor, lyf_value_get(record, progress->run.field), &value))
		return NULL;
	progress->synced = true;
	if (!progress->has_new_global || value.us > progress->new_global.us)
		progress->new_global = value;
	progress->has_new_global = true;
	if (!track->has_seen || value.us > track->seen.us)
		track->seen = value;
	track->has_seen = true;
	return NULL;
}

LyfSlice *
lyf_progress_shorten(const LyfProgress *progress, const LyfSlice *slice)
{
	const LyfTrack *track = &progress->track;
	LyfValue   *window;

	if (progress->cursor == NULL || !track->has_seen)
		return NULL;
	window = lyf_value_copy(slice->cursor_slice);
	lyf_value_set(window, progress->run.start_key, lyf_cursor_value(progress->cursor, track->seen));
	return lyf_slice_make(slice->partition, window, slice->extra_fields);
}

/* The slice was read to its end: it is an interval now. */
LyfFailure *
lyf_progress_close_slice(LyfProgress *progress, const LyfSlice *slice)
{
	LyfTrack   *track = &progress->track;
	LyfInterval interval = {.seen = track->seen,.has_seen = track->has_seen};

	if (progress->cursor == NULL || (progress->partitioned && progress->use_global))
		return NULL;
	/* a count has no end but its latest record */
	if (progress->cursor->counting && !track->has_seen)
		return NULL;
	interval.end = track->seen;
	if (!lyf_cursor_read(progress->cursor, lyf_value_get(slice->cursor_slice, progress->run.start_key), &interval.start) ||
		(!progress->cursor->counting &&
		 !lyf_cursor_read(progress->cursor, lyf_value_get(slice->cursor_slice, progress->run.end_key), &interval.end)))
		return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT,
						   "the bounds of a slice cannot be read by the cursor's formats");
	track->done = repalloc(track->done, sizeof(LyfInterval) * (track->done_count + 1));
	track->done[track->done_count] = interval;
	track->done_count = lyf_intervals_merge(&progress->run, track->done, track->done_count + 1);
	track->has_seen = false;
	lyf_progress_note(progress);
	return NULL;
}

/* All slices of the open partition were read; not to be called where it had none. */
LyfFailure *
lyf_progress_close_partition(LyfProgress *progress, const LyfSlice *partition)
{
	LyfInstant	reached;

	if (progress->cursor == NULL || !progress->partitioned || progress->use_global)
		return NULL;
	reached = lyf_progress_reached(progress);
	if (!progress->has_new_global || reached.us > progress->new_global.us)
		progress->new_global = reached;
	progress->has_new_global = true;
	return NULL;
}

/* All partitions were read: the global cursor moves. */
LyfFailure *
lyf_progress_close_all(LyfProgress *progress)
{
	int64		us = lyf_now() - progress->session->started;

	progress->finished = true;
	if (progress->cursor == NULL || !progress->partitioned || !progress->synced)
		return NULL;
	progress->global = progress->new_global;
	progress->has_global = progress->has_new_global;
	progress->lookback = Max(1, (us + USECS_PER_SEC - 1) / USECS_PER_SEC);
	return NULL;
}
