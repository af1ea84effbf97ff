/*
 * schedule_time.c
 *		When a schedule is due next.
 *
 * Between two changes of its zone's offset the local clock runs evenly: there a
 * due time is found by the calendar alone.  At a change, what has fixed hours
 * runs once for each local time that it names: one that the clock leaps over is
 * due when it leaps, one that comes twice is due the first time.  What names no
 * hours (every five minutes, hourly) follows the time that really passes.
 *
 * Intervals count from 2000-01-01 00:00 UTC, so that they do not depend on who asks.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/compat.h"
#include "pipeline/pipeline.h"

/* a 29th of February comes after 8 years at the latest */
#define MAX_YEARS		9
#define DAY_SECONDS		86400
#define UNIX_DAY_J		(UNIX_EPOCH_JDATE)

LYF_FUNCTION_INFO_V1(lyf_schedule_times);

/* is the day, given as a Julian day, one of the schedule's?  If its month is not, *next is the first of the next month. */
static bool
day_matches(const LyfSchedule *s, int day, int *next)
{
	int			year;
	int			month;
	int			mday;
	bool		by_day;
	bool		by_weekday;

	j2date(day, &year, &month, &mday);
	*next = day + 1;
	if ((s->months & (1 << month)) == 0)
	{
		*next = month == 12 ? date2j(year + 1, 1, 1) : date2j(year, month + 1, 1);
		return false;
	}
	by_day = (s->days & (UINT32_C(1) << mday)) != 0;
	by_weekday = (s->weekdays & (1 << j2day(day))) != 0;
	/* as cron has it: where both are restricted, one of them is enough */
	return s->any_day || s->any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

/* the first minute of a day, not before from, that matches; -1: none */
static int
minute_of_day(const LyfSchedule *s, int from)
{
	for (int hour = from / 60; hour < 24; hour++)
	{
		if ((s->hours & (1 << hour)) == 0)
			continue;
		for (int minute = hour == from / 60 ? from % 60 : 0; minute < 60; minute++)
			if ((s->minutes & (UINT64CONST(1) << minute)) != 0)
				return hour * 60 + minute;
	}
	return -1;
}

/* the first local time (seconds since 1970 of a clock without a zone) not before from that matches; false: none */
static bool
next_local(const LyfSchedule *s, int64 from, int64 *found)
{
	int			day = (int) (from >= 0 ? from / DAY_SECONDS : (from - DAY_SECONDS + 1) / DAY_SECONDS);
	int			minute = (int) ((from - (int64) day * DAY_SECONDS + 59) / 60);
	int			last = day + MAX_YEARS * 366;

	while (day <= last)
	{
		int			next;
		int			at = -1;

		if (day_matches(s, day + UNIX_DAY_J, &next))
			at = minute_of_day(s, minute);
		if (at >= 0)
		{
			*found = (int64) day * DAY_SECONDS + at * 60;
			return true;
		}
		day = next - UNIX_DAY_J;
		minute = 0;
	}
	return false;
}

/* an even stretch of local time: from an instant on, until the offset changes */
typedef struct Stretch
{
	pg_time_t	end;			/* of the stretch; only if has_end */
	bool		has_end;
	int64		offset;			/* seconds east of UTC */
	int64		next_offset;
} Stretch;

static Stretch
stretch_at(const pg_tz *zone, pg_time_t instant)
{
	Stretch		stretch = {0};
	long int	before;
	long int	after;
	int			before_dst;
	int			after_dst;

	stretch.has_end = pg_next_dst_boundary(&instant, &before, &before_dst, &stretch.end, &after, &after_dst, zone) == 1;
	stretch.offset = before;
	stretch.next_offset = stretch.has_end ? after : before;
	return stretch;
}

/* not before an instant; false: never again */
static bool
next_cron(const LyfSchedule *s, pg_time_t from, pg_time_t *found)
{
	pg_time_t	limit = from + (pg_time_t) MAX_YEARS * 366 * DAY_SECONDS;
	pg_time_t	at = from - DAY_SECONDS;	/* what happened lately tells which local times come twice */
	int64		done = PG_INT64_MIN;	/* local times before this one were there once already */

	while (at < limit)
	{
		Stretch		stretch = stretch_at(s->zone, at);
		int64		local = Max(at, from) + stretch.offset;
		int64		match;

		if (!s->any_hour)
			local = Max(local, done);
		if (!stretch.has_end || stretch.end > from)
		{
			if (!next_local(s, local, &match))
				return false;
			if (!stretch.has_end || match - stretch.offset < stretch.end)
			{
				*found = match - stretch.offset;
				return true;
			}
			/* the clock leaps over it */
			if (!s->any_hour && match < stretch.end + stretch.next_offset)
			{
				*found = stretch.end;
				return true;
			}
		}
		done = stretch.end + stretch.offset;
		at = stretch.end;
	}
	return false;
}

bool
lyf_schedule_next(const LyfSchedule *s, TimestampTz after, TimestampTz *next)
{
	pg_time_t	found;

	if (s->every_us > 0)
	{
		int64		passed = after / s->every_us - (after % s->every_us < 0 ? 1 : 0);

		*next = (passed + 1) * s->every_us;
		return true;
	}
	if (!next_cron(s, timestamptz_to_time_t(after) + 1, &found))
		return false;
	*next = time_t_to_timestamptz(found);
	return true;
}

void
lyf_schedule_read(const char *text, LyfSchedule *schedule)
{
	char	   *fault = lyf_schedule_parse(text, schedule);
	TimestampTz next;

	if (fault == NULL && !lyf_schedule_next(schedule, lyf_now(), &next))
		fault = pstrdup("It names a day that never comes.");
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid schedule \"%s\"", text),
				 errdetail("%s", fault),
				 errhint("A schedule is minute, hour, day of month, month, day of week, and maybe a time zone: "
						 "'30 4 * * mon-fri Europe/Berlin'; or '@daily Europe/Berlin'; or '15 minutes'.")));
}

/* lyftron.schedule_times(schedule, since, count) */
Datum
lyf_schedule_times(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);
	int			count = PG_GETARG_INT32(2);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LyfSchedule schedule;

	lyf_schedule_read(text_to_cstring(PG_GETARG_TEXT_PP(0)), &schedule);
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("the time to begin at must be finite")));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	for (int i = 0; i < count && lyf_schedule_next(&schedule, at, &at); i++)
	{
		Datum		value = TimestampTzGetDatum(at);
		bool		isnull = false;

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}
