/*
 * datetime_iso.c
 *		ISO 8601: dates and times as dateutil's isoparse takes them, durations as
 *		isodate's parse_duration does; and adding the one to the other.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "datatype/timestamp.h"
#include "utils/datetime.h"

#include "base/datetime.h"

typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

/* a number of `digits` digits, or -1; fewer if the text ends, as the engine's int() of a slice */
static int
read_digits(Reader *reader, int digits)
{
	int			value = 0;
	int			count = 0;

	for (; count < digits && reader->at < reader->end; count++)
	{
		char		c = *reader->at;

		if (c < '0' || c > '9')
			return -1;
		value = value * 10 + (c - '0');
		reader->at++;
	}
	return count > 0 ? value : -1;
}

static bool
skip(Reader *reader, char c)
{
	if (reader->at >= reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

static ptrdiff_t
left(const Reader *reader)
{
	return reader->end - reader->at;
}

/* YYYY, YYYY-MM, YYYY-MM-DD, YYYYMMDD */
static bool
read_common_date(Reader *reader, LyfDatetimeFields *f)
{
	bool		dash;

	f->month = f->day = 1;
	if (left(reader) < 4 || (f->year = read_digits(reader, 4)) < 0)
		return false;
	if (left(reader) == 0)
		return true;
	dash = skip(reader, '-');
	if (left(reader) < 2 || (f->month = read_digits(reader, 2)) < 0)
		return false;
	if (left(reader) == 0)
		return dash;
	if (dash && !skip(reader, '-'))
		return false;
	return left(reader) >= 2 && (f->day = read_digits(reader, 2)) >= 0;
}

/* YYYY-Www-D, YYYYWwwD, YYYY-DDD, YYYYDDD */
static bool
read_uncommon_date(Reader *reader, LyfDatetimeFields *f)
{
	int			year = left(reader) < 4 ? -1 : read_digits(reader, 4);
	bool		dash = skip(reader, '-');
	int			julian;

	if (year < 1)
		return false;
	if (skip(reader, 'W'))
	{
		int			week = read_digits(reader, 2);
		int			day = 1;

		if (left(reader) > 0)
		{
			if (skip(reader, '-') != dash)
				return false;
			day = read_digits(reader, 1);
		}
		if (week < 1 || week > 53 || day < 1 || day > 7)
			return false;
		julian = isoweek2j(year, week) + day - 1;
	}
	else
	{
		int			day = left(reader) < 3 ? -1 : read_digits(reader, 3);

		if (day < 1 || day > (isleap(year) ? 366 : 365))
			return false;
		julian = date2j(year, 1, 1) + day - 1;
	}
	j2date(julian, &f->year, &f->month, &f->day);
	return true;
}

/* Z, +hh, +hhmm, +hh:mm up to the end */
static bool
read_zone(Reader *reader, int *offset)
{
	ptrdiff_t	len = left(reader);
	int			sign = *reader->at == '-' ? -1 : 1;
	int			hours;
	int			minutes = 0;

	*offset = 0;
	if ((*reader->at | 0x20) == 'z')
	{
		reader->at++;
		return len == 1;
	}
	reader->at++;
	if (len != 3 && len != 5 && len != 6)
		return false;
	hours = read_digits(reader, 2);
	if (len > 3)
	{
		if (!skip(reader, ':') && len == 6)
			return false;
		minutes = read_digits(reader, 2);
	}
	*offset = sign * (hours * SECS_PER_HOUR + minutes * SECS_PER_MINUTE);
	return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && left(reader) == 0;
}

/* .digits, of which six count */
static bool
read_fraction(Reader *reader, int *micros)
{
	int			digits = 0;

	if (left(reader) < 2 || (*reader->at != '.' && *reader->at != ',') || !isdigit((unsigned char) reader->at[1]))
		return false;
	for (reader->at++; left(reader) > 0 && isdigit((unsigned char) *reader->at); reader->at++)
	{
		if (digits++ < 6)
			*micros = *micros * 10 + (*reader->at - '0');
	}
	for (; digits < 6; digits++)
		*micros *= 10;
	return true;
}

/* hh, hh:mm, hhmm, hh:mm:ss, hhmmss, with a fraction and a zone maybe */
static bool
read_time(Reader *reader, LyfDatetimeFields *f, int *offset, bool *zoned)
{
	int		   *parts[] = {&f->hour, &f->minute, &f->second};
	bool		colon = false;

	if (left(reader) < 2)
		return false;
	for (int i = 0; i <= lengthof(parts) && left(reader) > 0; i++)
	{
		if (strchr("+-Zz", *reader->at) != NULL)
		{
			*zoned = true;
			return read_zone(reader, offset);
		}
		if (i == 1)
			colon = skip(reader, ':');
		else if (i == 2 && colon && !skip(reader, ':'))
			return false;
		if (i < lengthof(parts))
		{
			if ((*parts[i] = read_digits(reader, 2)) < 0)
				return false;
		}
		else
			(void) read_fraction(reader, &f->micros);
	}
	if (left(reader) > 0 && strchr("+-Zz", *reader->at) != NULL)
	{
		*zoned = true;
		return read_zone(reader, offset);
	}
	return left(reader) == 0;
}

static bool
read_all(const char *text, LyfValue **datetime)
{
	Reader		reader = {text, text + strlen(text)};
	LyfDatetimeFields f = {0};
	int			offset = 0;
	bool		zoned = false;
	bool		midnight;

	if (!read_common_date(&reader, &f))
	{
		reader.at = text;
		if (!read_uncommon_date(&reader, &f))
			return false;
	}
	if (left(&reader) > 0)
	{
		/* any one character parts date and time */
		reader.at++;
		if (!read_time(&reader, &f, &offset, &zoned))
			return false;
	}
	midnight = f.hour == 24 && f.minute == 0 && f.second == 0 && f.micros == 0;
	if (midnight)
		f.hour = 0;
	if (!lyf_datetime_from_fields(&f, offset, datetime))
		return false;
	if (midnight)
		(*datetime)->u.time.us += USECS_PER_DAY;
	return true;
}

LyfFailure *
lyf_datetime_from_iso(const char *text, LyfValue **datetime)
{
	for (const char *p = text; *p != '\0'; p++)
	{
		if ((unsigned char) *p >= 0x80)
			return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT,
							   "\"%s\" is not an ISO 8601 date or time", lyf_clip(text, 60));
	}
	if (read_all(text, datetime))
		return NULL;
	return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT,
					   "\"%s\" is not an ISO 8601 date or time", lyf_clip(text, 60));
}

/* The parts of a duration, in the order in which they may stand. */
typedef struct DurationPart
{
	char		letter;
	bool		time;			/* behind the T */
	int			months;			/* of one, or */
	int64		us;
} DurationPart;

static const DurationPart duration_parts[] = {
	{'Y', false, 12, 0},
	{'M', false, 1, 0},
	{'W', false, 0, 7 * USECS_PER_DAY},
	{'D', false, 0, USECS_PER_DAY},
	{'H', true, 0, USECS_PER_HOUR},
	{'M', true, 0, USECS_PER_MINUTE},
	{'S', true, 0, USECS_PER_SEC},
};

/* digits, with a decimal point or comma maybe */
static bool
read_amount(Reader *reader, double *amount)
{
	char		digits[64];
	int			count = 0;
	bool		point = false;

	while (left(reader) > 0 && count < (int) sizeof(digits) - 1)
	{
		char		c = *reader->at;

		if ((c == '.' || c == ',') && !point && count > 0)
			point = true;
		else if (!isdigit((unsigned char) c))
			break;
		digits[count++] = c == ',' ? '.' : c;
		reader->at++;
	}
	digits[count] = '\0';
	*amount = strtod(digits, NULL);
	return count > 0 && digits[count - 1] != '.';
}

static bool
read_duration(Reader *reader, double *months, double *us)
{
	bool		time = false;
	int			next = 0;

	while (left(reader) > 0)
	{
		double		amount;

		if (!time && skip(reader, 'T'))
		{
			time = true;
			continue;
		}
		if (!read_amount(reader, &amount) || left(reader) == 0)
			return false;
		while (next < lengthof(duration_parts) &&
			   (duration_parts[next].letter != *reader->at || duration_parts[next].time != time))
			next++;
		if (next == lengthof(duration_parts))
			return false;
		*months += amount * duration_parts[next].months;
		*us += amount * duration_parts[next].us;
		next++;
		reader->at++;
	}
	return true;
}

LyfFailure *
lyf_duration_parse(const char *text, LyfValue **duration)
{
	Reader		reader = {text, text + strlen(text)};
	bool		minus = skip(&reader, '-');
	double		months = 0;
	double		us = 0;

	if (!minus)
		(void) skip(&reader, '+');
	if (!skip(&reader, 'P') || left(&reader) == 0 || !isalnum((unsigned char) *reader.at) ||
		!read_duration(&reader, &months, &us))
		return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT,
						   "\"%s\" is not an ISO 8601 duration", lyf_clip(text, 60));
	if (months > 120000 || us > 3.2e17 || months != floor(months))
		return lyf_failure(ERRCODE_DATETIME_FIELD_OVERFLOW,
						   "duration \"%s\" is out of range", lyf_clip(text, 60));
	*duration = lyf_value_make(LYF_DURATION);
	(*duration)->u.span.months = minus ? -months : months;
	(*duration)->u.span.us = minus ? -(int64) rint(us) : (int64) rint(us);
	return NULL;
}

LyfValue *
lyf_datetime_add(const LyfValue *datetime, const LyfValue *duration, int sign)
{
	LyfValue   *sum = lyf_value_alias(datetime);
	int			months = sign * duration->u.span.months;

	if (months != 0)
	{
		LyfDatetimeFields f;
		LyfValue   *moved;
		int			count;

		lyf_datetime_fields(datetime, &f);
		count = f.year * MONTHS_PER_YEAR + f.month - 1 + months;
		count = Max(Min(count, 9999 * MONTHS_PER_YEAR + 11), MONTHS_PER_YEAR);
		f.year = count / MONTHS_PER_YEAR;
		f.month = count % MONTHS_PER_YEAR + 1;
		f.day = Min(f.day, day_tab[isleap(f.year)][f.month - 1]);
		if (lyf_datetime_from_fields(&f, datetime->u.time.offset, &moved))
			sum->u.time.us = moved->u.time.us;
	}
	sum->u.time.us += sign * duration->u.span.us;
	return sum;
}
