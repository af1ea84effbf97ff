/*
 * datetime_parse.c
 *		Times read by a format: Python's strptime, with the formats that the
 *		reference engine adds.
 *
 * It matches like the regular expression that Python makes of the format: each
 * directive tries its readings in order, longest first, and the first way through
 * to the end of the format counts.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/datetime.h"

#include "base/datetime.h"

/* how often a format may be tried at different places before it is given up */
#define MAX_TRIES	10000

/* What strptime has read so far; -1: not given. */
typedef struct Fields
{
	int			year;
	int			month;
	int			day;
	int			hour;
	int			hour12;
	int			minute;
	int			second;
	int			micros;
	int			day_of_year;
	int			afternoon;
	int			offset;			/* seconds east of UTC */
	bool		has_offset;
	bool		unread;			/* text is left behind the end of the format */
	int			tries;
} Fields;

/* a number of exactly len digits at text, or -1 */
static int
digits_value(const char *text, int len)
{
	int			value = 0;

	for (int i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static bool match(const char *format, const char *text, Fields *fields);

/* read, but without influence */
#define NO_FIELD	((size_t) -1)

/* a directive that is a number: from longest to shortest, within low..high */
typedef struct NumberDirective
{
	char		directive;
	int			longest;
	int			shortest;
	int			low;
	int			high;
	size_t		field;
} NumberDirective;

static const NumberDirective number_directives[] = {
	{'Y', 4, 4, 0, 9999, offsetof(Fields, year)},
	{'m', 2, 1, 1, 12, offsetof(Fields, month)},
	{'d', 2, 1, 1, 31, offsetof(Fields, day)},
	{'H', 2, 1, 0, 23, offsetof(Fields, hour)},
	{'I', 2, 1, 1, 12, offsetof(Fields, hour12)},
	{'M', 2, 1, 0, 59, offsetof(Fields, minute)},
	{'S', 2, 1, 0, 61, offsetof(Fields, second)},
	{'j', 3, 1, 1, 366, offsetof(Fields, day_of_year)},
	{'y', 2, 2, 0, 99, offsetof(Fields, year)},
	{'w', 1, 1, 0, 6, NO_FIELD},
	{'u', 1, 1, 1, 7, NO_FIELD},
};

static bool
match_number(const NumberDirective *d, const char *format, const char *text, Fields *fields)
{
	int			space = d->directive == 'd' && text[0] == ' ';

	for (int len = space ? 1 : d->longest; len >= d->shortest; len--)
	{
		int			value = digits_value(text + space, len);

		if (value < d->low || value > d->high)
			continue;
		if (d->directive == 'y')
			value += value <= 68 ? 2000 : 1900;
		if (d->field != NO_FIELD)
			*(int *) ((char *) fields + d->field) = value;
		if (match(format, text + space + len, fields))
			return true;
	}
	return false;
}

static bool
match_fraction(const char *format, const char *text, Fields *fields)
{
	for (int len = 6; len >= 1; len--)
	{
		int			value = digits_value(text, len);

		if (value < 0)
			continue;
		for (int i = len; i < 6; i++)
			value *= 10;
		fields->micros = value;
		if (match(format, text + len, fields))
			return true;
	}
	return false;
}

/* +hh:mm, +hhmm, with seconds maybe, or Z */
static bool
match_zone(const char *format, const char *text, Fields *fields)
{
	int			hours;
	int			minutes;
	int			seconds;
	int			sign = *text == '-' ? -1 : 1;

	fields->has_offset = true;
	fields->offset = 0;
	if (*text == 'Z')
		return match(format, text + 1, fields);
	if (*text != '+' && *text != '-')
		return false;
	hours = digits_value(text + 1, 2);
	if (hours < 0)
		return false;
	text += 3;
	if (*text == ':')
		text++;
	minutes = digits_value(text, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	text += 2;
	seconds = digits_value(text + (*text == ':'), 2);
	if (seconds >= 0 && seconds <= 59)
	{
		fields->offset = sign * (hours * 3600 + minutes * 60 + seconds);
		if (match(format, text + (*text == ':') + 2, fields))
			return true;
	}
	fields->offset = sign * (hours * 3600 + minutes * 60);
	return match(format, text, fields);
}

/* one of the names, in any case; short: their first three letters */
static bool
match_name(const char *const *names, int count, bool abbreviated, int *field, int first,
		   const char *format, const char *text, Fields *fields)
{
	for (int i = 0; i < count; i++)
	{
		size_t		len = abbreviated ? 3 : strlen(names[i]);

		if (pg_strncasecmp(text, names[i], len) != 0)
			continue;
		*field = i + first;
		if (match(format, text + len, fields))
			return true;
	}
	return false;
}

static bool
match_directive(char directive, const char *format, const char *text, Fields *fields)
{
	static const char *const halves[] = {"AM", "PM"};
	static const char *const zones[] = {"UTC", "GMT"};
	int			unused;

	for (int i = 0; i < lengthof(number_directives); i++)
	{
		if (number_directives[i].directive == directive)
			return match_number(&number_directives[i], format, text, fields);
	}
	switch (directive)
	{
		case 'f':
			return match_fraction(format, text, fields);
		case 'z':
			return match_zone(format, text, fields);
		case 'B':
		case 'b':
		case 'h':
			return match_name(lyf_month_names, 12, directive != 'B', &fields->month, 1, format, text, fields);
		case 'A':
		case 'a':
			return match_name(lyf_day_names, 7, directive == 'a', &unused, 0, format, text, fields);
		case 'p':
			return match_name(halves, 2, false, &fields->afternoon, 0, format, text, fields);
		case 'Z':
			return match_name(zones, 2, false, &unused, 0, format, text, fields);
		case '%':
			return *text == '%' && match(format, text + 1, fields);
		default:
			return false;
	}
}

/* text from here on by format from here on; true once the format is through */
static bool
match(const char *format, const char *text, Fields *fields)
{
	check_stack_depth();
	if (++fields->tries > MAX_TRIES)
		return false;
	for (; *format != '\0'; format++, text++)
	{
		if (*format == '%' && format[1] != '\0')
			return match_directive(format[1], format + 2, text, fields);
		if (isspace((unsigned char) *format))
		{
			if (!isspace((unsigned char) *text))
				return false;
			while (isspace((unsigned char) format[1]))
				format++;
			while (isspace((unsigned char) text[1]))
				text++;
		}
		else if (pg_tolower((unsigned char) *format) != pg_tolower((unsigned char) *text))
			return false;
	}

	/* the format is through: text must be too, but another way is not looked for */
	fields->unread = *text != '\0';
	return true;
}

/* fields to a date; false if there is none such */
static bool
combine(Fields *fields, LyfValue **datetime)
{
	LyfDatetimeFields f = {0};

	f.year = fields->year < 0 ? 1900 : fields->year;
	f.month = fields->month < 0 ? 1 : fields->month;
	f.day = fields->day < 0 ? 1 : fields->day;
	f.hour = fields->hour < 0 ? 0 : fields->hour;
	if (fields->hour12 >= 0)
		f.hour = fields->hour12 % 12 + (fields->afternoon == 1 ? 12 : 0);
	f.minute = Max(fields->minute, 0);
	f.second = Max(fields->second, 0);
	f.micros = fields->micros;
	if (fields->day_of_year > 0 && fields->year >= 0 && fields->month < 0 && fields->day < 0)
	{
		if (fields->day_of_year > (isleap(f.year) ? 366 : 365))
			return false;
		j2date(date2j(f.year, 1, 1) + fields->day_of_year - 1, &f.year, &f.month, &f.day);
	}
	return abs(fields->offset) < SECS_PER_DAY && lyf_datetime_from_fields(&f, fields->offset, datetime);
}

LyfFailure *
lyf_datetime_strptime(const char *text, const char *format, LyfValue **datetime)
{
	Fields		fields;

	memset(&fields, -1, sizeof(fields));
	fields.tries = fields.micros = fields.offset = 0;
	fields.has_offset = fields.unread = false;
	if (match(format, text, &fields) && !fields.unread && combine(&fields, datetime))
	{
		if (!fields.has_offset)
			(*datetime)->flags |= LYF_FLAG_NAIVE;
		return NULL;
	}
	return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT,
					   "time \"%s\" does not match the format \"%s\"", lyf_clip(text, 60), lyf_clip(format, 60));
}

/* formats that count from 1970, by how many microseconds one is */
static LyfFailure *
parse_epoch(const LyfValue *value, const char *text, int64 unit, LyfValue **datetime)
{
	int64		count;
	int64		us;

	if (!lyf_value_whole(value, &count))
		return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT,
						   "time \"%s\" is not an integer", lyf_clip(text, 60));
	if (pg_mul_s64_overflow(count, unit, &us) || pg_sub_s64_overflow(us, LYF_EPOCH_SHIFT, &us) || !lyf_datetime_valid(us))
		return lyf_failure(ERRCODE_DATETIME_FIELD_OVERFLOW,
						   "time \"%s\" is out of range", lyf_clip(text, 60));
	*datetime = lyf_datetime_make(us, 0);
	return NULL;
}

static LyfFailure *
parse_seconds(const LyfValue *value, const char *text, LyfValue **datetime)
{
	char	   *rest;
	double		seconds = strtod(text, &rest);

	while (rest != text && isspace((unsigned char) *rest))
		rest++;
	if (rest == text || *rest != '\0' || isnan(seconds))
		return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT,
						   "time \"%s\" is not a number", lyf_clip(text, 60));
	if (fabs(seconds) > 3e11 || !lyf_datetime_valid((int64) rint(seconds * 1e6) - LYF_EPOCH_SHIFT))
		return lyf_failure(ERRCODE_DATETIME_FIELD_OVERFLOW,
						   "time \"%s\" is out of range", lyf_clip(text, 60));
	*datetime = lyf_datetime_make((int64) rint(seconds * 1e6) - LYF_EPOCH_SHIFT, 0);
	return NULL;
}

LyfFailure *
lyf_datetime_parse(const LyfValue *value, const char *format, LyfValue **datetime)
{
	static const struct
	{
		const char *format;
		int64		unit;
	}			epochs[] = {
		{"%s", USECS_PER_SEC}, {"%ms", 1000}, {"%epoch_microseconds", 1}
	};
	const char *text;
	StringInfoData out;

	initStringInfo(&out);
	if (value->kind == LYF_STRING)
		appendBinaryStringInfo(&out, value->u.text, value->len);
	else if (value->kind == LYF_INT || value->kind == LYF_NUMBER)
		lyf_value_print(&out, value);
	else
		return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT,
						   "a time for the format \"%s\" is neither a text nor a number", lyf_clip(format, 60));
	text = out.data;
	for (int i = 0; i < lengthof(epochs); i++)
	{
		if (strcmp(format, epochs[i].format) == 0)
			return parse_epoch(value, text, epochs[i].unit, datetime);
	}
	if (strcmp(format, "%s_as_float") == 0)
		return parse_seconds(value, text, datetime);
	LYF_TRY(lyf_datetime_strptime(text, lyf_datetime_substitute(format, "%_ms", "%f"), datetime));
	(*datetime)->flags &= ~LYF_FLAG_NAIVE;
	return NULL;
}
