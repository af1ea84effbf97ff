/*
 * cast_time.c
 *		Texts to dates and times.
 *
 * ISO 8601 in the forms that APIs send is read here; what else PostgreSQL's own parser
 * reads is left to it (and to DateStyle), as long as there is a digit in it: "now" and
 * such are no data.  A time without a zone is UTC, whatever the session's zone.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "decode/decode_internal.h"

/* longer texts are no dates */
#define MAX_TEXT	MAXDATELEN

/* count digits at *p as a number, -1 if there are not so many; *p moves on */
static inline int
read_digits(const char **p, const char *end, int count)
{
	int			number = 0;

	if (end - *p < count)
		return -1;
	for (int i = 0; i < count; i++)
	{
		unsigned char digit = (*p)[i] - '0';

		if (digit > 9)
			return -1;
		number = number * 10 + digit;
	}
	*p += count;
	return number;
}

static inline bool
read_char(const char **p, const char *end, char c)
{
	if (*p >= end || **p != c)
		return false;
	(*p)++;
	return true;
}

/* a fraction of any length, rounded to microseconds as PostgreSQL does */
static bool
read_fraction(const char **p, const char *end, int64 *us)
{
	const char *start;
	double		fraction = 0;
	double		weight = 1000000;

	if (!read_char(p, end, '.') && !read_char(p, end, ','))
		return true;
	start = *p;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
	{
		weight /= 10;
		fraction += (**p - '0') * weight;
	}
	*us += (int64) rint(fraction);
	return *p > start;
}

/* hh:mm, hh:mm:ss, with a fraction: microseconds since midnight */
static bool
read_clock(const char **p, const char *end, int64 *us)
{
	int			hour = read_digits(p, end, 2);
	int			minute;
	int			second = 0;

	if (hour < 0 || hour > 23 || !read_char(p, end, ':'))
		return false;
	minute = read_digits(p, end, 2);
	if (minute < 0 || minute > 59)
		return false;
	if (read_char(p, end, ':'))
	{
		second = read_digits(p, end, 2);
		if (second < 0 || second > 59)
			return false;
	}
	*us = ((hour * MINS_PER_HOUR + minute) * (int64) SECS_PER_MINUTE + second) * USECS_PER_SEC;
	return read_fraction(p, end, us);
}

/* Z, +hh, +hhmm or +hh:mm, maybe behind a blank; nothing is no zone */
static bool
read_zone(const char **p, const char *end, LyfMoment *moment)
{
	bool		west;
	int			hour;
	int			minute = 0;

	if (*p == end)
		return true;
	if (**p == ' ' && end - *p > 1)
		(*p)++;
	if (**p == 'Z' || **p == 'z')
	{
		(*p)++;
		return true;
	}
	west = **p == '-';
	if (!west && **p != '+')
		return false;
	(*p)++;
	hour = read_digits(p, end, 2);
	if (*p < end)
	{
		read_char(p, end, ':');
		minute = read_digits(p, end, 2);
	}
	if (hour < 0 || hour > MAX_TZDISP_HOUR || minute < 0 || minute > 59)
		return false;
	moment->offset = (hour * SECS_PER_HOUR + minute * SECS_PER_MINUTE) * (west ? -1 : 1);
	return true;
}

bool
lyf_read_iso(const char *text, size_t len, LyfMoment *moment)
{
	const char *p = text;
	const char *end = text + len;
	int			year = read_digits(&p, end, 4);
	int			month;
	int			day;
	int64		us = 0;

	memset(moment, 0, sizeof(LyfMoment));
	if (year < 1 || !read_char(&p, end, '-'))
		return false;
	month = read_digits(&p, end, 2);
	if (month < 1 || month > 12 || !read_char(&p, end, '-'))
		return false;
	day = read_digits(&p, end, 2);
	if (day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;
	moment->local = (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	if (p == end)
		return true;
	moment->has_time = true;
	if (!read_char(&p, end, 'T') && !read_char(&p, end, ' ') && !read_char(&p, end, 't'))
		return false;
	if (!read_clock(&p, end, &us) || !read_zone(&p, end, moment))
		return false;
	moment->local += us;
	return p == end;
}

/* A text for PostgreSQL's parser, and what it reads. */
typedef struct Reading
{
	char		text[MAX_TEXT + 1];
	char		work[MAXDATELEN + MAXDATEFIELDS];
	char	   *field[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			count;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
} Reading;

/*
 * The fields as PostgreSQL understands them, in UTC where they say no zone: it takes the session's zone for them,
 * which is UTC meanwhile.  (Without a place for the zone it would refuse texts that have one, but it writes
 * there before it looks.)
 */
static Datum
decode(void *arg)
{
	static pg_tz *utc = NULL;
	Reading    *reading = arg;
	pg_tz	   *zone = session_timezone;
	volatile bool decoded = false;
	int			kind;

	if (utc == NULL)
		utc = pg_tzset("GMT");
	PG_TRY();
	{
		session_timezone = utc;
		decoded = lyf_decode_datetime(reading->field, reading->types, reading->count, &kind, &reading->tm, &reading->fsec, &reading->offset) == 0 &&
			kind == DTK_DATE;
	}
	PG_FINALLY();
	{
		session_timezone = zone;
	}
	PG_END_TRY();
	return BoolGetDatum(decoded);
}

/* May a field be the name of a zone?  One that is not known is an error that PostgreSQL raises. */
static bool
may_raise(const Reading *reading)
{
	for (int i = 1; i < reading->count; i++)
		if (reading->types[i] == DTK_DATE)
			return true;
	return false;
}

static LyfFailure *
read_any(LyfCast *cast, const LyfValue *value, LyfMoment *moment)
{
	Reading		reading;
	Datum		known;

	if (value->len > MAX_TEXT || memchr(value->u.text, '\0', value->len) != NULL)
		return lyf_cast_wrong(cast, value);
	memcpy(reading.text, value->u.text, value->len);
	reading.text[value->len] = '\0';
	if (strpbrk(reading.text, "0123456789") == NULL)
		return lyf_cast_wrong(cast, value);
	memset(moment, 0, sizeof(LyfMoment));
	moment->has_time = true;
	if (ParseDateTime(reading.text, reading.work, sizeof(reading.work), reading.field, reading.types, MAXDATEFIELDS, &reading.count) != 0)
		return lyf_cast_wrong(cast, value);
	if (!may_raise(&reading))
		known = decode(&reading);
	else if (lyf_cast_guarded(cast, value, decode, &reading, &known) != NULL)
		return lyf_cast_wrong(cast, value);
	if (!DatumGetBool(known))
		return lyf_cast_wrong(cast, value);
	moment->offset = -reading.offset;
	return tm2timestamp(&reading.tm, reading.fsec, NULL, &moment->local) == 0 ? NULL : lyf_cast_wrong(cast, value);
}

static inline LyfFailure *
read_moment(LyfCast *cast, const LyfValue *value, LyfMoment *moment)
{
	if (value->kind != LYF_STRING)
		return lyf_cast_wrong(cast, value);
	return lyf_read_iso(value->u.text, value->len, moment) ? NULL : read_any(cast, value, moment);
}

/* timestamp(n): halves are rounded away from zero, as PostgreSQL does */
static Timestamp
round_to(Timestamp us, int32 digits)
{
	int64		unit = 1;

	if (digits < 0 || digits >= MAX_TIMESTAMP_PRECISION)
		return us;
	for (int i = digits; i < MAX_TIMESTAMP_PRECISION; i++)
		unit *= 10;
	return us >= 0 ? (us + unit / 2) / unit * unit : -((-us + unit / 2) / unit * unit);
}

LyfFailure *
lyf_cast_timestamptz(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	LyfMoment	moment;
	Timestamp	us;

	LYF_TRY(read_moment(cast, value, &moment));
	us = round_to(moment.local - moment.offset * USECS_PER_SEC, cast->typmod);
	if (!IS_VALID_TIMESTAMP(us))
		return lyf_cast_range(cast, value);
	*datum = TimestampTzGetDatum(us);
	return NULL;
}

/* without a zone the same as with one: in UTC */
LyfFailure *
lyf_cast_timestamp(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	return lyf_cast_timestamptz(cast, value, datum);
}

/* the day as it is written, whatever zone is behind it */
LyfFailure *
lyf_cast_date(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	LyfMoment	moment;
	int64		days;

	LYF_TRY(read_moment(cast, value, &moment));
	days = moment.local / USECS_PER_DAY;
	if (moment.local % USECS_PER_DAY < 0)
		days--;
	*datum = DateADTGetDatum((DateADT) days);
	return NULL;
}

LyfFailure *
lyf_cast_time(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	const char *p = value->u.text;
	const char *end = p + value->len;
	LyfMoment	moment;
	int64		us;

	if (value->kind != LYF_STRING)
		return lyf_cast_wrong(cast, value);
	if (!read_clock(&p, end, &us) || !read_zone(&p, end, &moment) || p != end)
	{
		if (!lyf_read_iso(value->u.text, value->len, &moment) || !moment.has_time)
			return lyf_cast_wrong(cast, value);
		us = moment.local % USECS_PER_DAY;
		us += us < 0 ? USECS_PER_DAY : 0;
	}
	*datum = TimeADTGetDatum(round_to(us, cast->typmod));
	return NULL;
}
