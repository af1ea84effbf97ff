/*
 * datetime.h
 *		strftime/strptime as Python and the reference engine's DatetimeParser know
 *		them, ISO 8601 dates and durations.
 */
#ifndef LYF_DATETIME_H
#define LYF_DATETIME_H

#include "base/failure.h"
#include "base/value.h"

/*
 * Read text by a format (%s, %s_as_float, %ms, %epoch_microseconds, %_ms, else
 * strptime with %f of 1-6 digits and %z as Z, +hh:mm, +hhmm); naive is UTC.  The
 * value is a LYF_DATETIME in CurrentMemoryContext.  value may be a STRING, INT or
 * NUMBER.
 */
extern LyfFailure *lyf_datetime_parse(const LyfValue *value, const char *format, LyfValue **datetime);

/* print a LYF_DATETIME or LYF_DATE by a format (the same set), palloc'd */
extern char *lyf_datetime_format(const LyfValue *datetime, const char *format);

/* any ISO 8601 date or time, as the reference engine's ab_datetime_parse / dateutil-less isoparse takes it */
extern LyfFailure *lyf_datetime_from_iso(const char *text, LyfValue **datetime);

/* ISO 8601 duration, e.g. P1M, PT0.001S, P3D */
extern LyfFailure *lyf_duration_parse(const char *text, LyfValue **duration);

/* datetime + sign * duration: months by the calendar (day clipped), then microseconds */
extern LyfValue *lyf_datetime_add(const LyfValue *datetime, const LyfValue *duration, int sign);

/*
 * Python's own strftime and strptime, without the formats that the engine adds.
 * A time read without a zone is LYF_FLAG_NAIVE.
 */
extern char *lyf_datetime_strftime(const LyfValue *datetime, const char *format);
extern LyfFailure *lyf_datetime_strptime(const char *text, const char *format, LyfValue **datetime);

/* A date and time in parts, as its offset shows it. */
typedef struct LyfDatetimeFields
{
	int			year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			micros;
	int			weekday;		/* 0: Sunday; not read by _from_fields, as day_of_year */
	int			day_of_year;
} LyfDatetimeFields;

extern void lyf_datetime_fields(const LyfValue *datetime, LyfDatetimeFields *fields);
extern bool lyf_datetime_from_fields(const LyfDatetimeFields *fields, int offset, LyfValue **datetime);
extern bool lyf_datetime_valid(int64 us);	/* within the years 1 to 9999? */

/* microseconds from 1970 to 2000; English names; text with every old replaced */
#define LYF_EPOCH_SHIFT	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)
extern const char *const lyf_month_names[12];
extern const char *const lyf_day_names[7];
extern char *lyf_datetime_substitute(const char *text, const char *old, const char *new);

/* text as a message may show it: whole characters of up to so many bytes */
extern const char *lyf_clip(const char *text, int bytes);
extern void lyf_datetime_print_offset(StringInfo out, int offset, const char *colon);

extern LyfValue *lyf_datetime_make(TimestampTz us, int offset);
extern TimestampTz lyf_datetime_us(const LyfValue *datetime);

#endif							/* LYF_DATETIME_H */
