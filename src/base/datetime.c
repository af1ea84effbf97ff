/*
 * datetime.c
 *		Dates in parts, and printed by a format: Python's strftime, with the formats
 *		that the reference engine adds (%s, %s_as_float, %ms, %epoch_microseconds,
 *		%_ms).
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"

#include "base/datetime.h"

/* years 1 to 9999, as Python's datetime */
#define MIN_DAY	(date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE)
#define MAX_DAY	(date2j(9999, 12, 31) - POSTGRES_EPOCH_JDATE)

const char *const lyf_month_names[12] = {
	"January", "February", "March", "April", "May", "June",
	"July", "August", "September", "October", "November", "December"
};
const char *const lyf_day_names[7] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"
};

const char *
lyf_clip(const char *text, int bytes)
{
	return pnstrdup(text, pg_encoding_mbcliplen(PG_UTF8, text, strlen(text), bytes));
}

LyfValue *
lyf_datetime_make(TimestampTz us, int offset)
{
	LyfValue   *value = lyf_value_make(LYF_DATETIME);

	value->u.time.us = us;
	value->u.time.offset = offset;
	return value;
}

TimestampTz
lyf_datetime_us(const LyfValue *datetime)
{
	return datetime->u.time.us;
}

void
lyf_datetime_fields(const LyfValue *datetime, LyfDatetimeFields *fields)
{
	int64		local = datetime->u.time.us + (int64) datetime->u.time.offset * USECS_PER_SEC;
	int64		day = local / USECS_PER_DAY;
	int64		time = local % USECS_PER_DAY;

	if (time < 0)
	{
		time += USECS_PER_DAY;
		day--;
	}
	day = Max(Min(day, MAX_DAY), MIN_DAY);
	j2date(day + POSTGRES_EPOCH_JDATE, &fields->year, &fields->month, &fields->day);
	fields->hour = time / USECS_PER_HOUR;
	fields->minute = time / USECS_PER_MINUTE % 60;
	fields->second = time / USECS_PER_SEC % 60;
	fields->micros = time % USECS_PER_SEC;
	fields->weekday = j2day(day + POSTGRES_EPOCH_JDATE);
	fields->day_of_year = day + POSTGRES_EPOCH_JDATE - date2j(fields->year, 1, 1) + 1;
}

bool
lyf_datetime_valid(int64 us)
{
	return us >= MIN_DAY * USECS_PER_DAY && us < (MAX_DAY + 1) * USECS_PER_DAY;
}

/* false if there is no such date or time */
bool
lyf_datetime_from_fields(const LyfDatetimeFields *fields, int offset, LyfValue **datetime)
{
	int64		us;

	if (fields->year < 1 || fields->year > 9999 || fields->month < 1 || fields->month > 12 ||
		fields->day < 1 || fields->day > day_tab[isleap(fields->year)][fields->month - 1] ||
		fields->hour < 0 || fields->hour > 23 || fields->minute < 0 || fields->minute > 59 ||
		fields->second < 0 || fields->second > 59)
		return false;
	us = (int64) (date2j(fields->year, fields->month, fields->day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		fields->hour * USECS_PER_HOUR + fields->minute * USECS_PER_MINUTE +
		fields->second * USECS_PER_SEC + fields->micros;
	*datetime = lyf_datetime_make(us - (int64) offset * USECS_PER_SEC, offset);
	return true;
}

void
lyf_datetime_print_offset(StringInfo out, int offset, const char *colon)
{
	int			seconds = abs(offset);

	appendStringInfo(out, "%c%02d%s%02d", offset < 0 ? '-' : '+', seconds / 3600, colon, seconds / 60 % 60);
	if (seconds % 60 != 0)
		appendStringInfo(out, "%s%02d", colon, seconds % 60);
}

/* monday-based or sunday-based number of the week in the year */
static int
week_of_year(const LyfDatetimeFields *f, int first_day)
{
	return (f->day_of_year + 6 - (f->weekday - first_day + 7) % 7) / 7;
}

/* a number with the width and filling of its directive, which a flag may change */
static void
print_number(StringInfo out, char flag, int width, char fill, int64 number)
{
	if (flag == '-')
		width = 0;
	else if (flag == '_')
		fill = ' ';
	else if (flag == '0')
		fill = '0';
	if (fill == '0')
		appendStringInfo(out, "%0*lld", width, (long long) number);
	else
		appendStringInfo(out, "%*lld", width, (long long) number);
}

static void
print_text(StringInfo out, char flag, const char *text, int len)
{
	for (int i = 0; i < len && text[i] != '\0'; i++)
		appendStringInfoChar(out, flag == '^' ? pg_toupper((unsigned char) text[i]) : text[i]);
}

/* directives that stand for others */
static const struct
{
	char		directive;
	const char *format;
}			composed[] = {
	{'c', "%a %b %e %H:%M:%S %Y"}, {'x', "%m/%d/%y"}, {'X', "%H:%M:%S"}, {'D', "%m/%d/%y"},
	{'T', "%H:%M:%S"}, {'F', "%Y-%m-%d"}, {'R', "%H:%M"}, {'r', "%I:%M:%S %p"}, {'h', "%b"},
	{'n', "\n"}, {'t', "\t"}, {'%', ""}
};

static int
iso_year(const LyfDatetimeFields *f)
{
	return date2isoyear(f->year, f->month, f->day);
}

static int64
iso_week(const LyfDatetimeFields *f)
{
	return date2isoweek(f->year, f->month, f->day);
}

/* one directive; false if it is unknown */
static bool
print_directive(StringInfo out, const LyfValue *datetime, const LyfDatetimeFields *f, char flag, char directive)
{
	int			hour12 = f->hour % 12 == 0 ? 12 : f->hour % 12;
	const struct
	{
		char		directive;
		int			width;
		char		fill;
		int64		number;
	}			numbers[] = {
		{'Y', 0, '0', f->year}, {'m', 2, '0', f->month}, {'d', 2, '0', f->day}, {'H', 2, '0', f->hour},
		{'M', 2, '0', f->minute}, {'S', 2, '0', f->second}, {'y', 2, '0', f->year % 100},
		{'j', 3, '0', f->day_of_year}, {'I', 2, '0', hour12}, {'e', 2, ' ', f->day}, {'k', 2, ' ', f->hour},
		{'l', 2, ' ', hour12}, {'u', 1, '0', f->weekday == 0 ? 7 : f->weekday}, {'w', 1, '0', f->weekday},
		{'C', 2, '0', f->year / 100}, {'U', 2, '0', week_of_year(f, 0)}, {'W', 2, '0', week_of_year(f, 1)},
		{'G', 0, '0', iso_year(f)}, {'g', 2, '0', iso_year(f) % 100}, {'V', 2, '0', iso_week(f)},
		{'s', 0, '0', (datetime->u.time.us + (int64) datetime->u.time.offset * USECS_PER_SEC + LYF_EPOCH_SHIFT -
					   f->micros) / USECS_PER_SEC},
	};

	for (int i = 0; i < lengthof(numbers); i++)
	{
		if (numbers[i].directive == directive)
		{
			print_number(out, flag, numbers[i].width, numbers[i].fill, numbers[i].number);
			return true;
		}
	}
	switch (directive)
	{
		case 'B':
		case 'b':
			print_text(out, flag, lyf_month_names[f->month - 1], directive == 'b' ? 3 : 20);
			return true;
		case 'A':
		case 'a':
			print_text(out, flag, lyf_day_names[f->weekday], directive == 'a' ? 3 : 20);
			return true;
		case 'p':
			appendStringInfoString(out, f->hour < 12 ? "AM" : "PM");
			return true;
		case 'P':
			appendStringInfoString(out, f->hour < 12 ? "am" : "pm");
			return true;
		case 'f':
			appendStringInfo(out, "%06d", f->micros);
			return true;
	}
	return false;
}

static void
print_zone(StringInfo out, const LyfValue *datetime, char directive)
{
	if (datetime->kind == LYF_DATE || (datetime->flags & LYF_FLAG_NAIVE) != 0)
		return;
	if (directive == 'z')
		lyf_datetime_print_offset(out, datetime->u.time.offset, "");
	else
	{
		appendStringInfoString(out, "UTC");
		if (datetime->u.time.offset != 0)
			lyf_datetime_print_offset(out, datetime->u.time.offset, ":");
	}
}

static void
print_format(StringInfo out, const LyfValue *datetime, const LyfDatetimeFields *f, const char *format)
{
	for (const char *p = format; *p != '\0'; p++)
	{
		const char *start = p;
		char		flag = '\0';
		int			i;

		if (*p != '%' || p[1] == '\0')
		{
			appendStringInfoChar(out, *p);
			continue;
		}
		p++;
		if (strchr("-_0^#", *p) != NULL && p[1] != '\0')
			flag = *p++;
		if (*p == 'z' || *p == 'Z')
		{
			print_zone(out, datetime, *p);
			continue;
		}
		for (i = 0; i < lengthof(composed); i++)
		{
			if (composed[i].directive == *p)
				break;
		}
		if (i < lengthof(composed))
		{
			if (*p == '%')
				appendStringInfoChar(out, '%');
			else
				print_format(out, datetime, f, composed[i].format);
		}
		else if (!print_directive(out, datetime, f, flag, *p))
			appendBinaryStringInfo(out, start, p - start + 1);
	}
}

char *
lyf_datetime_strftime(const LyfValue *datetime, const char *format)
{
	StringInfoData out;
	LyfDatetimeFields fields;

	lyf_datetime_fields(datetime, &fields);
	initStringInfo(&out);
	print_format(&out, datetime, &fields, format);
	return out.data;
}

/* every occurrence of old replaced */
char *
lyf_datetime_substitute(const char *text, const char *old, const char *new)
{
	StringInfoData out;
	size_t		len = strlen(old);

	initStringInfo(&out);
	while (*text != '\0')
	{
		if (strncmp(text, old, len) == 0)
		{
			appendStringInfoString(&out, new);
			text += len;
		}
		else
			appendStringInfoChar(&out, *text++);
	}
	return out.data;
}

static int64
unix_micros(const LyfValue *datetime)
{
	return datetime->u.time.us + LYF_EPOCH_SHIFT;
}

/* seconds since 1970 as Python prints a float of them */
static char *
format_seconds(const LyfValue *datetime)
{
	char	   *text = psprintf("%.6f", unix_micros(datetime) / 1e6);
	size_t		len = strlen(text);

	while (len > 1 && text[len - 1] == '0' && text[len - 2] != '.')
		text[--len] = '\0';
	return text;
}

char *
lyf_datetime_format(const LyfValue *datetime, const char *format)
{
	char		micros[8];
	char		millis[8];
	int64		us = unix_micros(datetime);

	if (strcmp(format, "%s") == 0)
		return psprintf(INT64_FORMAT, us / USECS_PER_SEC);
	if (strcmp(format, "%s_as_float") == 0)
		return format_seconds(datetime);

	/* the reference engine goes over a float of seconds here: so do we */
	if (strcmp(format, "%epoch_microseconds") == 0)
		return psprintf(INT64_FORMAT, (int64) (us / 1e6 * 1e6));
	if (strcmp(format, "%ms") == 0)
		return psprintf(INT64_FORMAT, (int64) (us / 1e6 * 1000));
	if (strstr(format, "%_ms") != NULL)
	{
		LyfDatetimeFields fields;

		lyf_datetime_fields(datetime, &fields);
		snprintf(micros, sizeof(micros), "%06d", fields.micros);
		snprintf(millis, sizeof(millis), "%03d", fields.micros / 1000);
		return lyf_datetime_substitute(lyf_datetime_strftime(datetime, lyf_datetime_substitute(format, "%_ms", "%f")), micros, millis);
	}
	return lyf_datetime_strftime(datetime, format);
}
