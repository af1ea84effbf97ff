/*-------------------------------------------------------------------------
 *
 * rate.c
 *		Budgets of calls: arithmetic only, the caller brings the time and sleeps.
 *
 * A moving window holds the calls of the last interval, oldest first, in a ring:
 * another fits when the window then holds no more than the limit.  A fixed
 * window counts up to the limit and starts anew at each reset.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "net/net.h"

#define FIRST_RING_SIZE 16

typedef struct Call
{
	TimestampTz at;
	int			weight;
} Call;

typedef struct RateMethods
{
	/* 0 = taken, else milliseconds until it may be tried again; weight <= limit */
	int64		(*acquire) (LyfRate *rate, int weight, TimestampTz now);

	/* remaining < 0 and reset = 0: not said */
	void		(*update) (LyfRate *rate, int remaining, TimestampTz reset);
} RateMethods;

struct LyfRate
{
	const RateMethods *methods;
	int			limit;
	int64		interval;		/* microseconds */
	int64		taken;			/* weight in the current window */
	TimestampTz reset;			/* fixed: when the window ends */
	TimestampTz now;			/* moving: of the last call */
	Call	   *ring;			/* moving */
	int			size;
	int			first;
	int			count;
};

/* how long until after that time, in whole milliseconds, at least one */
static int64
milliseconds_until(TimestampTz then, TimestampTz now, int64 at_most)
{
	int64		us = Min(then - now, at_most);

	return Max(us, 0) / 1000 + 1;
}

static Call *
nth_call(LyfRate *rate, int n)
{
	return &rate->ring[(rate->first + n) % rate->size];
}

static void
grow_ring(LyfRate *rate)
{
	Size		bytes = sizeof(Call) * (Size) rate->size * 2;
	Call	   *ring = MemoryContextAllocHuge(GetMemoryChunkContext(rate), bytes);

	for (int i = 0; i < rate->count; i++)
		ring[i] = *nth_call(rate, i);
	pfree(rate->ring);
	rate->ring = ring;
	rate->size *= 2;
	rate->first = 0;
}

static void
push_call(LyfRate *rate, int weight)
{
	Call	   *call;

	if (rate->count == rate->size)
		grow_ring(rate);
	call = nth_call(rate, rate->count++);
	call->at = rate->now;
	call->weight = weight;
	rate->taken += weight;
}

static int64
acquire_moving(LyfRate *rate, int weight, TimestampTz now)
{
	int64		excess;

	rate->now = now;
	while (rate->count > 0 && nth_call(rate, 0)->at < now - rate->interval)
	{
		rate->taken -= nth_call(rate, 0)->weight;
		rate->first = (rate->first + 1) % rate->size;
		rate->count--;
	}
	excess = rate->taken + weight - rate->limit;
	if (excess <= 0)
	{
		push_call(rate, weight);
		return 0;
	}

	/* As soon as enough of the oldest have left */
	for (int i = 0; i < rate->count; i++)
	{
		excess -= nth_call(rate, i)->weight;
		if (excess <= 0)
			return milliseconds_until(nth_call(rate, i)->at + rate->interval, now, rate->interval);
	}
	return milliseconds_until(now + rate->interval, now, rate->interval);
}

/* no calls left: as if they had been made now; anything else says nothing about a moving window */
static void
update_moving(LyfRate *rate, int remaining, TimestampTz reset)
{
	if (remaining == 0 && reset == 0 && rate->taken < rate->limit)
		push_call(rate, rate->limit - rate->taken);
}

static int64
acquire_fixed(LyfRate *rate, int weight, TimestampTz now)
{
	if (now > rate->reset)
	{
		int64		periods = (now - rate->reset + rate->interval - 1) / rate->interval;

		rate->reset += periods * rate->interval;
		rate->taken = 0;
	}
	if (rate->taken + weight > rate->limit)
		return milliseconds_until(rate->reset, now, PG_INT64_MAX);
	rate->taken += weight;
	return 0;
}

/* only fewer calls than counted here: the budget may be meant to stay below the server's */
static void
update_fixed(LyfRate *rate, int remaining, TimestampTz reset)
{
	if (remaining >= 0 && rate->limit - rate->taken > remaining)
		rate->taken = rate->limit - remaining;
	if (reset != 0)
		rate->reset = Max(reset, 0);
}

static const RateMethods moving_methods = {acquire_moving, update_moving};
static const RateMethods fixed_methods = {acquire_fixed, update_fixed};

static LyfRate *
make_rate(const RateMethods *methods, int limit, int64 interval_ms)
{
	LyfRate    *rate = palloc0(sizeof(LyfRate));

	rate->methods = methods;
	rate->limit = Max(limit, 1);
	rate->interval = Min(Max(interval_ms, 1), PG_INT64_MAX / 4000) * 1000;
	return rate;
}

LyfRate *
lyf_rate_moving(int limit, int64 interval_ms)
{
	LyfRate    *rate = make_rate(&moving_methods, limit, interval_ms);

	rate->size = FIRST_RING_SIZE;
	rate->ring = palloc(sizeof(Call) * rate->size);
	return rate;
}

LyfRate *
lyf_rate_fixed(int limit, int64 period_ms, TimestampTz next_reset)
{
	LyfRate    *rate = make_rate(&fixed_methods, limit, period_ms);

	rate->reset = Max(next_reset, 0);
	return rate;
}

int64
lyf_rate_acquire(LyfRate *rate, int weight, TimestampTz now)
{
	return rate->methods->acquire(rate, Min(Max(weight, 0), rate->limit), now);
}

void
lyf_rate_update(LyfRate *rate, int remaining, TimestampTz reset)
{
	rate->methods->update(rate, remaining, reset);
}
