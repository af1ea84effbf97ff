/*
 * cursor_window.c
 *		The windows of a cursor: what lies between the intervals that were read
 *		already and from the last of them to the end, cut into steps.
 *
 * Pure arithmetic.  A window includes its end, which is why it ends one
 * granularity before the next one starts; only the very last ends at the end itself.
 *
 * A cursor that is clamped has windows that begin and end at boundaries of days, weeks or months.
 */
#include "postgres.h"

#include "base/datetime.h"
#include "extract/cursor_internal.h"

#define DEFAULT_GRANULARITY_US	1000
#define DAY_US	INT64CONST(86400000000)

LyfInstant
lyf_instant_add(LyfInstant instant, const LyfValue *duration, int sign)
{
	LyfValue   *sum;

	if (duration->u.span.months == 0)
	{
		instant.us += sign * duration->u.span.us;
		return instant;
	}
	sum = lyf_datetime_add(lyf_datetime_make(instant.us, instant.offset), duration, sign);
	instant.us = sum->u.time.us;
	return instant;
}

static int
compare_intervals(const void *a, const void *b)
{
	const LyfInterval *x = a;
	const LyfInterval *y = b;

	if (x->start.us != y->start.us)
		return x->start.us < y->start.us ? -1 : 1;
	if (x->end.us != y->end.us)
		return x->end.us < y->end.us ? -1 : 1;
	return 0;
}

static LyfInstant
one_unit_later(const LyfCursorRun *run, LyfInstant instant)
{
	if (run->cursor->granularity != NULL)
		return lyf_instant_add(instant, run->cursor->granularity, 1);
	instant.us += DEFAULT_GRANULARITY_US;
	return instant;
}

/* Sort the intervals and join those without a gap; returns how many are left. */
int
lyf_intervals_merge(const LyfCursorRun *run, LyfInterval *intervals, int count)
{
	int			last = 0;

	if (count == 0)
		return 0;
	qsort(intervals, count, sizeof(LyfInterval), compare_intervals);
	for (int i = 1; i < count; i++)
	{
		if (one_unit_later(run, intervals[last].end).us < intervals[i].start.us)
		{
			intervals[++last] = intervals[i];
			continue;
		}
		if (intervals[i].end.us > intervals[last].end.us)
			intervals[last].end = intervals[i].end;
		if (intervals[i].has_seen &&
			(!intervals[last].has_seen || intervals[i].seen.us > intervals[last].seen.us))
			intervals[last].seen = intervals[i].seen;
		intervals[last].has_seen = intervals[last].has_seen || intervals[i].has_seen;
	}
	return last + 1;
}

/* does the format say a moment to the second, in a zone that it names? */
static bool
is_exact(const char *format)
{
	size_t		len = strlen(format);

	if (strstr(format, "%s") != NULL || strcmp(format, "%ms") == 0 || strcmp(format, "%epoch_microseconds") == 0)
		return true;
	return strstr(format, "%S") != NULL &&
		(strstr(format, "%z") != NULL || (len > 0 && format[len - 1] == 'Z'));
}

/*
 * Cut a range to what a restriction leaves of it.  A unit is added on both
 * sides, since slices are printed in a format that may be coarser, and nobody
 * knows whether the source takes its bounds as inclusive.  Where none is known
 * it is a day; but below, where a source that heeds less than it is told gives
 * more and not less, a second does for a format that has seconds.
 */
static void
restrict_range(LyfWindows *windows, const LyfCursorRun *run)
{
	LyfInstant	low = run->low;
	LyfInstant	high = run->high;

	low.us -= is_exact(run->cursor->format) ? USECS_PER_SEC : DAY_US;
	high.us += DAY_US;
	if (run->cursor->granularity != NULL)
	{
		low = lyf_instant_add(run->low, run->cursor->granularity, -1);
		high = lyf_instant_add(run->high, run->cursor->granularity, 1);
	}
	if (run->has_low && low.us > windows->lower.us)
		windows->lower = low;
	if (run->has_high && high.us < windows->upper.us)
	{
		windows->upper = high;
		windows->last = true;
	}
}

/* Set the bounds of the current range; false if there is nothing to read in it. */
static bool
enter_range(LyfWindows *windows, const LyfCursorRun *run, const LyfInterval *intervals, int count)
{
	const LyfValue *granularity = run->cursor->granularity;

	windows->last = windows->range == count - 1;
	windows->upper = windows->last ? run->end : intervals[windows->range + 1].start;
	if (windows->range < 0)
		windows->lower = run->start;
	else if (!windows->last)
		windows->lower = granularity == NULL ? intervals[windows->range].end :
			lyf_instant_add(intervals[windows->range].end, granularity, 1);
	else
		windows->lower = run->lookback == NULL ? intervals[windows->range].end :
			lyf_instant_add(intervals[windows->range].end, run->lookback, -1);

	if (windows->range < 0 && run->start.us >= windows->upper.us)
		return false;			/* nothing before the first interval */
	if (windows->lower.us > windows->upper.us || windows->upper.us < run->start.us ||
		(windows->lower.us == windows->upper.us && granularity == NULL))
		return false;
	if (windows->lower.us < run->start.us)
		windows->lower = run->start;
	windows->begun = false;
	if (run->clamp != LYF_CLAMP_NONE)
	{
		windows->lower = lyf_clamp(run, windows->lower, true);
		return windows->lower.us < windows->upper.us ||
			(windows->lower.us == windows->upper.us && windows->last && !run->cursor->strict);
	}
	if (run->restricted)
		restrict_range(windows, run);
	if (windows->lower.us == windows->upper.us)
		return windows->last && !run->cursor->strict;
	if (!windows->last && run->step == NULL && run->end.us < windows->upper.us)
		windows->upper = run->end;	/* a gap is not read past the end */
	return windows->lower.us < windows->upper.us;
}

/* Where the window that begins at windows->lower ends; *reached: it is the range's last one. */
static LyfInstant
window_end(const LyfWindows *windows, const LyfCursorRun *run, bool *reached)
{
	bool		whole = run->step == NULL;
	LyfInstant	end = windows->upper;

	if (!whole)
		end = lyf_instant_add(windows->lower, run->step, 1);
	whole = whole || end.us >= windows->upper.us || end.us <= windows->lower.us;
	if (whole)
		end = windows->upper;
	*reached = whole;
	if (run->clamp == LYF_CLAMP_NONE)
		return end;

	/* the reference engine clamps the end of it all only where that is the first window's, and not the last unit to read */
	if (!whole || (!windows->begun && !(windows->last && run->cursor->granularity != NULL)))
		end = lyf_clamp(run, end, true);
	*reached = whole || end.us == windows->upper.us;
	return end;
}

static void
leave_range(LyfWindows *windows)
{
	windows->inside = false;
	windows->range++;
}

/*
 * The next window; false: there is none.  windows starts as {.range = -1}, intervals
 * are merged and there is at least one of them.
 */
bool
lyf_windows_next(LyfWindows *windows, const LyfCursorRun *run, const LyfInterval *intervals,
				 int count, LyfInstant *start, LyfInstant *end)
{
	LyfInstant	next;
	bool		reached;

	for (;;)
	{
		if (windows->range >= count)
			return false;
		windows->inside = windows->inside || enter_range(windows, run, intervals, count);
		if (windows->inside)
		{
			next = window_end(windows, run, &reached);
			if (run->clamp == LYF_CLAMP_NONE || next.us > windows->lower.us || (reached && !windows->begun))
				break;
		}
		leave_range(windows);
	}

	*start = windows->lower;
	*end = next;
	if (run->cursor->granularity != NULL && (!windows->last || !reached))
		*end = lyf_instant_add(next, run->cursor->granularity, -1);

	windows->lower = next;
	windows->begun = true;
	if (reached)
		leave_range(windows);
	return true;
}
