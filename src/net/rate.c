/*-------------------------------------------------------------------------
 *
 * rate.c
 *		Limits of calls: arithmetic only, in memory of a fixed size that may be
 *		shared.  The caller brings the time (lyf_monotonic_us, the same for all
 *		processes) and waits.
 *
 * A call counts from before it is sent, and for an interval after its answer began
 * to come: when in between it met the source is not known here.  So no window of
 * the source's holds more calls than the limit, however long they were on their way.
 *
 * Of a moving window the calls are counted in bins, each of calls that came within
 * a 64th of the interval (one each, if the limit is small): they leave the window with
 * the last of them.  A fixed window counts up to the limit and starts anew at each reset.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "net/net_internal.h"

/* a new bin begins after this part of the interval; times in bins are exact to the other one */
#define BINS_IN_INTERVAL	64
#define UNITS_IN_INTERVAL	(1024 * 1024)

/* a source does not end its window later than this, unless the window is longer */
#define LATEST_RESET_US	(INT64CONST(3600) * 1000000)

static int64
unit_us(const LyfRate *rate)
{
	return Max(rate->interval / UNITS_IN_INTERVAL, 1);
}

/* from the oldest, 0, to the newest */
static LyfRateBin *
nth_bin(LyfRate *rate, int n)
{
	return &rate->bins[(rate->oldest + n) % LYF_RATE_BINS];
}

/* its calls are in the window up to then */
static int64
end_of(const LyfRate *rate, const LyfRateBin *bin)
{
	return rate->base + bin->last * unit_us(rate) + rate->interval;
}

void
lyf_rate_init(LyfRate *rate, bool fixed, int limit, int64 interval_ms, int64 now)
{
	memset(rate, 0, sizeof(LyfRate));
	rate->fixed = fixed;
	rate->limit = Max(limit, 1);
	rate->interval = Min(Max(interval_ms, 1), PG_INT64_MAX / 4000) * 1000;
	/* until the source says when its window ends, a whole one begins with the first call */
	rate->reset = now + rate->interval;
}

/* forget what has left the window by now */
static void
advance(LyfRate *rate, int64 now)
{
	if (rate->fixed && now > rate->reset)
	{
		rate->reset += (now - rate->reset + rate->interval - 1) / rate->interval * rate->interval;
		rate->taken = 0;
	}
	while (rate->bin_count > 0 && end_of(rate, nth_bin(rate, 0)) < now)
	{
		rate->taken -= nth_bin(rate, 0)->weight;
		rate->oldest = (rate->oldest + 1) % LYF_RATE_BINS;
		rate->bin_count--;
	}
}

/* count from the oldest bin on, so that times stay small */
static void
move_base(LyfRate *rate)
{
	uint32		shift = nth_bin(rate, 0)->last;

	for (int i = 0; i < rate->bin_count; i++)
		nth_bin(rate, i)->last -= Min(nth_bin(rate, i)->last, shift);
	rate->newest_first -= Min(rate->newest_first, shift);
	rate->base += shift * unit_us(rate);
}

/* the time in units, not earlier */
static int64
units_until(const LyfRate *rate, int64 time)
{
	return (Max(time - rate->base, 0) + unit_us(rate) - 1) / unit_us(rate);
}

/* how much of the time one bin may hold; a small limit has room for each of its calls alone */
static int64
bin_units(const LyfRate *rate)
{
	return rate->limit <= BINS_IN_INTERVAL ? 0 : rate->interval / unit_us(rate) / BINS_IN_INTERVAL;
}

/* calls that had arrived at that time; into the newest bin what is not later than that may hold */
static void
add_calls(LyfRate *rate, int64 weight, int64 arrived)
{
	int64		units;
	LyfRateBin *bin;

	if (rate->bin_count == 0)
		rate->base = arrived;
	else if (units_until(rate, arrived) > PG_INT32_MAX)
		move_base(rate);
	units = units_until(rate, arrived);
	if (rate->bin_count == 0 ||
		(units - rate->newest_first > bin_units(rate) && rate->bin_count < LYF_RATE_BINS))
	{
		bin = nth_bin(rate, rate->bin_count++);
		bin->weight = 0;
		bin->last = rate->newest_first = (uint32) units;
	}
	bin = nth_bin(rate, rate->bin_count - 1);
	bin->weight += weight;
	bin->last = Max(bin->last, (uint32) units);
	rate->taken += weight;
}

bool
lyf_rate_is_idle(LyfRate *rate, int64 now)
{
	advance(rate, now);
	return rate->taken == 0 && rate->pending == 0 && rate->held_until <= now;
}

int64
lyf_rate_used(LyfRate *rate, int64 now)
{
	advance(rate, now);
	return rate->taken + rate->pending;
}

int64
lyf_rate_wait(LyfRate *rate, int weight, int64 now)
{
	int64		excess;

	advance(rate, now);
	if (rate->held_until > now)
		return rate->held_until - now;
	excess = rate->taken + rate->pending + weight - rate->limit;
	if (excess <= 0)
		return 0;
	if (rate->fixed)
		return Max(rate->reset - now, 0) + 1;

	/* As soon as enough of the oldest have left */
	for (int i = 0; i < rate->bin_count; i++)
	{
		excess -= nth_bin(rate, i)->weight;
		if (excess <= 0)
			return Max(end_of(rate, nth_bin(rate, i)) + 1 - now, 1);
	}
	/* Those on their way have to be answered first; what they took is there an interval later at the earliest */
	return Max(rate->interval / BINS_IN_INTERVAL, 1);
}

void
lyf_rate_begin(LyfRate *rate, int weight)
{
	rate->pending += weight;
}

void
lyf_rate_end(LyfRate *rate, int begun, int weight, int64 arrived, int64 now)
{
	advance(rate, now);
	rate->pending -= begun;
	if (rate->fixed)
	{
		/* what was answered before the window began has not counted in it */
		if (arrived > rate->reset - rate->interval)
			rate->taken += weight;
	}
	else if (weight > 0 && arrived + rate->interval >= now)
		add_calls(rate, weight, arrived);
}

/*
 * Only fewer calls than counted here: the limit may be meant to stay below the source's.  What
 * is on its way is taken to be in the source's count.  None left in a moving window: as if all
 * had been made now, unless the source says until when.
 */
void
lyf_rate_update(LyfRate *rate, int remaining, int64 reset, int64 now)
{
	int64		left;

	advance(rate, now);
	reset = Min(reset, now + Max(rate->interval, LATEST_RESET_US));
	left = rate->limit - rate->taken - rate->pending;
	if (rate->fixed)
	{
		if (remaining >= 0 && left > remaining)
			rate->taken += left - remaining;
		if (reset != 0)
			rate->reset = Max(reset, 0);
	}
	else if (remaining == 0 && reset != 0)
		rate->held_until = Max(rate->held_until, reset);
	else if (remaining == 0 && left > 0)
		add_calls(rate, left, now);
}

/* ---- limits as people write them: '100/min, 5000/h' ---- */

static bool
unit_ms(const char *unit, size_t len, int64 *milliseconds)
{
	static const struct
	{
		const char *name;
		int64		milliseconds;
	}			units[] = {
		{"ms", 1}, {"s", 1000}, {"sec", 1000}, {"second", 1000}, {"seconds", 1000},
		{"min", 60000}, {"minute", 60000}, {"minutes", 60000},
		{"h", 3600000}, {"hour", 3600000}, {"hours", 3600000},
		{"d", 86400000}, {"day", 86400000}, {"days", 86400000},
	};

	for (int i = 0; i < lengthof(units); i++)
		if (strlen(units[i].name) == len && pg_strncasecmp(unit, units[i].name, len) == 0)
		{
			*milliseconds = units[i].milliseconds;
			return true;
		}
	return false;
}

static const char *
skip_space(const char *text)
{
	while (isspace((unsigned char) *text))
		text++;
	return text;
}

/* a number from 1 on; the text behind it, or NULL */
static const char *
read_number(const char *text, int64 *number)
{
	char	   *end;

	if (!isdigit((unsigned char) *text))
		return NULL;
	*number = strtoll(text, &end, 10);
	return *number >= 1 && *number <= PG_INT32_MAX ? skip_space(end) : NULL;
}

/* one of them: '100/min', '20 / 10 s'; the text behind it, or NULL */
static const char *
read_limit(const char *text, LyfLimit *limit)
{
	int64		calls;
	int64		times = 1;
	int64		milliseconds;
	size_t		len = 0;

	text = read_number(skip_space(text), &calls);
	if (text == NULL || *text != '/')
		return NULL;
	text = skip_space(text + 1);
	if (isdigit((unsigned char) *text))
		text = read_number(text, &times);
	if (text == NULL)
		return NULL;
	while (isalpha((unsigned char) text[len]))
		len++;
	if (!unit_ms(text, len, &milliseconds))
		return NULL;
	memset(limit, 0, sizeof(*limit));
	limit->calls = (int) calls;
	limit->interval_ms = times * milliseconds;
	limit->weight = 1;
	return skip_space(text + len);
}

int
lyf_limits_parse(const char *text, LyfLimit limits[LYF_MAX_OPTION_LIMITS])
{
	int			count = 0;

	for (;;)
	{
		if (count == LYF_MAX_OPTION_LIMITS)
			return -1;
		text = read_limit(text, &limits[count]);
		if (text == NULL)
			return -1;
		limits[count].place = count;
		count++;
		if (*text == '\0')
			return count;
		if (*text++ != ',')
			return -1;
	}
}
