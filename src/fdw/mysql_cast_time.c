/*
 * mysql_cast_time.c
 *		Dates and times of MySQL's text protocol to Datums.
 *
 * The server sends 2026-01-31, 2026-01-31 23:59:59.999999 and -838:59:59.000000 (sessions
 * are in UTC, so that a TIMESTAMP is a moment).  It has dates that are none: 0000-00-00, parts
 * of dates like 2026-02-00, year 0, and 2026-02-31 where ALLOW_INVALID_DATES let it in.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "fdw/mysql_cast.h"

#define DATE_LEN	10			/* 2026-01-31 */
#define CLOCK_LEN	8			/* 23:59:59 */

/* two digits as a number, far above 99 if they are none */
static inline unsigned int
two_digits(const char *p)
{
	unsigned int high = (unsigned char) (p[0] - '0');
	unsigned int low = (unsigned char) (p[1] - '0');

	return high > 9 || low > 9 ? 1000 : high * 10 + low;
}

typedef enum DateForm
{
	DATE_VALID,
	DATE_IMPOSSIBLE,			/* the form of a date, and none */
	DATE_OTHER					/* not as the server sends dates */
} DateForm;

/* days since 2000 */
static inline DateForm
read_date(const char *text, int *days)
{
	unsigned int century = two_digits(text);
	unsigned int year = two_digits(text + 2);
	unsigned int month = two_digits(text + 5);
	unsigned int day = two_digits(text + 8);

	if (century > 99 || year > 99 || month > 99 || day > 99 || text[4] != '-' || text[7] != '-')
		return DATE_OTHER;
	year += century * 100;
	if (year == 0 || month - 1 > 11 || day == 0 || day > day_tab[isleap(year)][month - 1])
		return DATE_IMPOSSIBLE;
	*days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return DATE_VALID;
}

/* ":59:59.999999" behind so many hours; false: something else */
static inline bool
read_clock(const char *p, const char *end, int64 hours, int64 *us)
{
	unsigned int minute;
	unsigned int second;
	int64		weight = USECS_PER_SEC;

	if (end - p < CLOCK_LEN - 2 || p[0] != ':' || p[3] != ':')
		return false;
	minute = two_digits(p + 1);
	second = two_digits(p + 4);
	if (minute > 59 || second > 59)
		return false;
	*us = ((hours * MINS_PER_HOUR + minute) * SECS_PER_MINUTE + second) * USECS_PER_SEC;
	p += CLOCK_LEN - 2;
	if (p == end)
		return true;
	if (*p++ != '.')
		return false;
	for (; p < end && weight > 1; p++)
	{
		unsigned char digit = (unsigned char) (*p - '0');

		if (digit > 9)
			return false;
		weight /= 10;
		*us += digit * weight;
	}
	return p == end;
}

/* a date that PostgreSQL has not */
static pg_noinline LyfFailure *
impossible(const LyfMysqlCastField *field, const char *text, size_t len, bool *isnull)
{
	LyfFailure *failure;

	if (field->zero_dates == LYF_ZERO_DATES_NULL)
	{
		*isnull = true;
		return NULL;
	}
	failure = lyf_mysql_cast_failure(field, text, len, ERRCODE_DATETIME_FIELD_OVERFLOW, "is not valid for");
	return lyf_failure_hint(failure, "Set the option zero_dates of the foreign table to 'null' to have such dates as NULL.");
}

/* would digits of a second be lost? */
static inline bool
is_cut(int64 us, int32 digits)
{
	static const int units[] = {1000000, 100000, 10000, 1000, 100, 10};

	return digits >= 0 && digits < lengthof(units) && us % units[digits] != 0;
}

static pg_noinline LyfFailure *
cut(const LyfMysqlCastField *field, const char *text, size_t len)
{
	return lyf_mysql_cast_failure(field, text, len, ERRCODE_DATETIME_FIELD_OVERFLOW, "has more than fits");
}

/* a date, maybe with a time of its day */
static inline DateForm
read_moment(const char *text, size_t len, int64 *us)
{
	const char *clock = text + DATE_LEN + 1;
	DateForm	form;
	int			days;

	if (unlikely(len < DATE_LEN))
		return DATE_OTHER;
	form = read_date(text, &days);
	if (unlikely(form != DATE_VALID))
		return form;
	*us = 0;
	if (len > DATE_LEN)
	{
		if (unlikely(len < DATE_LEN + 1 + CLOCK_LEN || clock[-1] != ' ' || two_digits(clock) > 23 ||
					 !read_clock(clock + 2, text + len, two_digits(clock), us)))
			return DATE_OTHER;
	}
	*us += days * USECS_PER_DAY;
	return DATE_VALID;
}

LyfFailure *
lyf_mysql_cast_date(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int64		us;
	DateForm	form = read_moment(text, len, &us);

	if (unlikely(form == DATE_IMPOSSIBLE))
		return impossible(field, text, len, isnull);
	if (unlikely(form == DATE_OTHER))
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	if (unlikely(us % USECS_PER_DAY != 0))
		return cut(field, text, len);
	*datum = DateADTGetDatum((DateADT) (us / USECS_PER_DAY));
	return NULL;
}

LyfFailure *
lyf_mysql_cast_timestamp(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int64		us;
	DateForm	form = read_moment(text, len, &us);

	if (unlikely(form == DATE_IMPOSSIBLE))
		return impossible(field, text, len, isnull);
	if (unlikely(form == DATE_OTHER))
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	if (unlikely(is_cut(us, field->typmod)))
		return cut(field, text, len);
	*datum = TimestampGetDatum(us);
	return NULL;
}

/* a TIME: microseconds, maybe below zero; false: something else */
static bool
read_span(const char *text, size_t len, int64 *us)
{
	const char *p = text;
	const char *end = text + len;
	bool		negative = *p == '-';
	int64		hours = 0;

	for (p += negative; p < end && (unsigned char) (*p - '0') <= 9 && hours < 1000; p++)
		hours = hours * 10 + (*p - '0');
	if (!read_clock(p, end, hours, us))
		return false;
	if (negative)
		*us = -*us;
	return true;
}

LyfFailure *
lyf_mysql_cast_time(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int64		us;
	LyfFailure *failure;

	if (!read_span(text, len, &us))
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	if (us < 0 || us > USECS_PER_DAY)
	{
		failure = lyf_mysql_cast_failure(field, text, len, ERRCODE_DATETIME_FIELD_OVERFLOW, "is out of range for");
		return lyf_failure_hint(failure, "Declare the column as interval.");
	}
	if (is_cut(us, field->typmod))
		return cut(field, text, len);
	*datum = TimeADTGetDatum(us);
	return NULL;
}

LyfFailure *
lyf_mysql_cast_interval(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	Interval   *interval;
	int64		us;
	int32		digits = field->typmod < 0 ? -1 : INTERVAL_PRECISION(field->typmod);

	if (!read_span(text, len, &us) || (field->typmod >= 0 && INTERVAL_RANGE(field->typmod) != INTERVAL_FULL_RANGE))
		return lyf_mysql_cast_other(cast, field, text, len, datum, isnull);
	if (is_cut(us, digits))
		return cut(field, text, len);
	interval = lyf_mysql_cast_room(cast, sizeof(Interval));
	interval->month = 0;
	interval->day = 0;
	interval->time = us;
	*datum = IntervalPGetDatum(interval);
	return NULL;
}
