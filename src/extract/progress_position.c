/*
 * progress_position.c
 *		What a position between two pages must hold of the progress besides the
 *		state: the windows of the open partition, where in them the read stands, and
 *		the bounds that were worked out when it began.
 */
#include "postgres.h"

#include "extract/progress_internal.h"

/* numbers of an interval, and of all that is no interval: written and read in one order */
#define INTERVAL_INTS	7
#define POSITION_INTS	23

/* Append without walking the list. */
void
lyf_progress_push(LyfValue *list, LyfValue **last, LyfValue *member)
{
	if (*last == NULL)
		list->u.first = member;
	else
		(*last)->next = member;
	*last = member;
	list->len++;
}

/* Numbers in a list, for a position */
typedef struct Numbers
{
	LyfValue   *list;
	LyfValue   *last;			/* when writing; when reading: the next one */
} Numbers;

static void
put(Numbers *numbers, int64 number)
{
	lyf_progress_push(numbers->list, &numbers->last, lyf_value_int(number));
}

static void
put_instant(Numbers *numbers, LyfInstant instant)
{
	put(numbers, instant.us);
	put(numbers, instant.offset);
}

static int64
take(Numbers *numbers)
{
	LyfValue   *number = numbers->last;

	if (number == NULL || number->kind != LYF_INT)
		return 0;
	numbers->last = number->next;
	return number->u.integer;
}

static LyfInstant
take_instant(Numbers *numbers)
{
	LyfInstant	instant;

	instant.us = take(numbers);
	instant.offset = (int32) take(numbers);
	return instant;
}

static void
save_intervals(LyfValue *map, const char *key, const LyfInterval *intervals, int count)
{
	Numbers		numbers = {lyf_value_make(LYF_LIST), NULL};

	for (int i = 0; i < count; i++)
	{
		put_instant(&numbers, intervals[i].start);
		put_instant(&numbers, intervals[i].end);
		put_instant(&numbers, intervals[i].seen);
		put(&numbers, intervals[i].has_seen);
	}
	lyf_value_set(map, key, numbers.list);
}

static LyfInterval *
resume_intervals(const LyfValue *map, const char *key, int *count)
{
	LyfValue   *list = lyf_value_get(map, key);
	Numbers		numbers = {list, list->u.first};
	LyfInterval *intervals;

	*count = list->len / INTERVAL_INTS;
	intervals = palloc0(sizeof(LyfInterval) * *count);
	for (int i = 0; i < *count; i++)
	{
		intervals[i].start = take_instant(&numbers);
		intervals[i].end = take_instant(&numbers);
		intervals[i].seen = take_instant(&numbers);
		intervals[i].has_seen = take(&numbers) != 0;
	}
	return intervals;
}

LyfValue *
lyf_progress_save(LyfProgress *progress)
{
	const LyfTrack *track = &progress->track;
	LyfValue   *saved = lyf_value_make(LYF_MAP);
	Numbers		numbers = {lyf_value_make(LYF_LIST), NULL};

	put(&numbers, progress->whole_given);
	put_instant(&numbers, progress->run.start);
	put_instant(&numbers, progress->run.end);
	put(&numbers, progress->has_new_global);
	put_instant(&numbers, progress->new_global);
	put(&numbers, progress->synced);
	put(&numbers, progress->use_global);
	put(&numbers, track->windows.range);
	put(&numbers, track->windows.inside);
	put(&numbers, track->windows.last);
	put(&numbers, track->windows.begun);
	put_instant(&numbers, track->windows.lower);
	put_instant(&numbers, track->windows.upper);
	put_instant(&numbers, track->floor);
	put_instant(&numbers, track->seen);
	put(&numbers, track->has_seen);
	Assert(numbers.list->len == POSITION_INTS);
	lyf_value_set(saved, "numbers", numbers.list);
	save_intervals(saved, "plan", track->plan, track->plan_count);
	save_intervals(saved, "done", track->done, track->done_count);
	return saved;
}

static bool
has_list(const LyfValue *saved, const char *key, int unit)
{
	const LyfValue *list = lyf_value_get(saved, key);

	return lyf_value_is(list, LYF_LIST) && list->len % unit == 0;
}

bool
lyf_progress_resume(LyfProgress *progress, const LyfValue *saved, bool open)
{
	LyfTrack   *track = &progress->track;
	Numbers		numbers;
	MemoryContext old;

	if (!has_list(saved, "numbers", POSITION_INTS) || lyf_value_get(saved, "numbers")->len == 0 ||
		!has_list(saved, "plan", INTERVAL_INTS) || !has_list(saved, "done", INTERVAL_INTS))
		return false;
	numbers.list = lyf_value_get(saved, "numbers");
	numbers.last = numbers.list->u.first;
	progress->whole_given = take(&numbers) != 0;
	progress->run.start = take_instant(&numbers);
	progress->run.end = take_instant(&numbers);
	progress->has_new_global = take(&numbers) != 0;
	progress->new_global = take_instant(&numbers);
	progress->synced = take(&numbers) != 0;
	progress->use_global = take(&numbers) != 0;
	track->windows.range = (int) take(&numbers);
	track->windows.inside = take(&numbers) != 0;
	track->windows.last = take(&numbers) != 0;
	track->windows.begun = take(&numbers) != 0;
	track->windows.lower = take_instant(&numbers);
	track->windows.upper = take_instant(&numbers);
	track->floor = take_instant(&numbers);
	track->seen = take_instant(&numbers);
	track->has_seen = take(&numbers) != 0;

	if (!open)
		return true;
	old = MemoryContextSwitchTo(progress->open_cxt);
	track->plan = resume_intervals(saved, "plan", &track->plan_count);
	track->done = resume_intervals(saved, "done", &track->done_count);
	MemoryContextSwitchTo(old);
	progress->track_resumed = progress->cursor == NULL ||
		(track->plan_count > 0 && track->done_count > 0 &&
		 track->windows.range >= -1 && track->windows.range <= track->plan_count);
	return progress->track_resumed;
}
