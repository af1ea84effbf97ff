/*
 * schedule.c
 *		What a schedule's text says: five cron fields (minute, hour, day of month, month,
 *		day of week), a word for a usual set of them (@daily), or an interval
 *		(15 minutes); and maybe a time zone, else UTC.
 */
#include "postgres.h"

#include "pgtime.h"

#include "pipeline/pipeline.h"

/* more than any field needs: where it is cut off */
#define MAX_SCHEDULE	200
#define MAX_INTERVAL_US	(INT64CONST(366) * 86400 * 1000000)

typedef struct CronField
{
	const char *name;
	int			low;
	int			high;
	const char *words;			/* three letters each, for low and up, or NULL */
} CronField;

static const CronField cron_fields[] = {
	{"minute", 0, 59, NULL},
	{"hour", 0, 23, NULL},
	{"day of month", 1, 31, NULL},
	{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{"day of week", 0, 7, "sunmontuewedthufrisat"},
};

static const char *const shorthands[][2] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
};

static const struct
{
	const char *name;
	int64		us;
}			units[] = {
	{"second", INT64CONST(1000000)},
	{"minute", INT64CONST(60000000)},
	{"hour", INT64CONST(3600000000)},
	{"day", INT64CONST(86400000000)},
};

/* A number or a word; moves *text past it.  False: neither, or out of range. */
static bool
read_number(const CronField *field, const char **text, int *number)
{
	const char *t = *text;
	int			n = 0;

	if (isdigit((unsigned char) *t))
	{
		while (isdigit((unsigned char) *t) && n < 1000)
			n = n * 10 + (*t++ - '0');
	}
	else
	{
		const char *word = field->words;

		while (word != NULL && *word != '\0' && pg_strncasecmp(word, t, 3) != 0)
			word += 3;
		if (word == NULL || *word == '\0')
			return false;
		n = field->low + (word - field->words) / 3;
		t += 3;
	}
	*text = t;
	*number = n;
	return n >= field->low && n <= field->high;
}

/* one of: *, n, n-m, each maybe with /step (n/step goes on to the end); added to bits */
static bool
read_range(const CronField *field, const char **text, uint64 *bits)
{
	int			from = field->low;
	int			to = field->high;
	int			step = 1;

	if (**text == '*')
		(*text)++;
	else
	{
		if (!read_number(field, text, &from))
			return false;
		if (**text != '/')
			to = from;
		if (**text == '-' && ((*text)++, !read_number(field, text, &to)))
			return false;
		if (to < from)
			return false;
	}
	if (**text == '/')
	{
		static const CronField steps = {"step", 1, 59, NULL};

		(*text)++;
		if (!read_number(&steps, text, &step) || step > field->high)
			return false;
	}
	for (int i = from; i <= to; i += step)
		*bits |= UINT64CONST(1) << i;
	return true;
}

/* ranges, separated by commas */
static bool
read_field(const CronField *field, const char *text, uint64 *bits)
{
	*bits = 0;
	for (;;)
	{
		if (!read_range(field, &text, bits))
			return false;
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			return false;
	}
}

/* "15 minutes": the number was read */
static char *
read_interval(const char *number, const char *unit, LyfSchedule *schedule)
{
	int64		count = strspn(number, "0123456789") == strlen(number) && strlen(number) < 10 ? atoi(number) : 0;

	for (int i = 0; i < lengthof(units); i++)
	{
		size_t		len = strlen(units[i].name);

		if (pg_strncasecmp(unit, units[i].name, len) != 0 || (unit[len] != '\0' && pg_strcasecmp(unit + len, "s") != 0))
			continue;
		if (count < 1 || count > MAX_INTERVAL_US / units[i].us)
			return pstrdup("An interval is at least 1 second and at most 366 days.");
		schedule->every_us = count * units[i].us;
		return NULL;
	}
	return pstrdup("The field hour is neither one of cron nor a unit of time (seconds, minutes, hours, days).");
}

static char *
read_zone(char **rest, LyfSchedule *schedule)
{
	char	   *zone = strtok_r(NULL, " \t", rest);

	schedule->zone = pg_tzset(zone == NULL ? "UTC" : zone);
	if (schedule->zone == NULL)
		return psprintf("There is no time zone \"%s\".", zone);
	if (zone != NULL && strtok_r(NULL, " \t", rest) != NULL)
		return pstrdup("There is text after the time zone.");
	return NULL;
}

static char *
read_fields(char *first, char **rest, LyfSchedule *schedule)
{
	char	   *field[lengthof(cron_fields)] = {first, first ? strtok_r(NULL, " \t", rest) : NULL};
	uint64		bits[lengthof(cron_fields)];

	if (field[1] != NULL && isalpha((unsigned char) field[1][0]))
		return read_interval(field[0], field[1], schedule);
	for (int i = 0; i < lengthof(cron_fields); i++)
	{
		if (i > 1)
			field[i] = strtok_r(NULL, " \t", rest);
		if (field[i] == NULL)
			return psprintf("The field %s is missing.", cron_fields[i].name);
		if (!read_field(&cron_fields[i], field[i], &bits[i]))
			return psprintf("The field %s cannot be \"%s\".", cron_fields[i].name, field[i]);
	}
	schedule->any_hour = field[1][0] == '*';
	schedule->any_day = field[2][0] == '*';
	schedule->any_weekday = field[4][0] == '*';
	schedule->minutes = bits[0];
	schedule->hours = (uint32) bits[1];
	schedule->days = (uint32) bits[2];
	schedule->months = (uint16) bits[3];
	schedule->weekdays = (uint8) (bits[4] | bits[4] >> 7) & 0x7F;	/* 7 is Sunday too */
	return NULL;
}

char *
lyf_schedule_parse(const char *text, LyfSchedule *schedule)
{
	char		fields[MAX_SCHEDULE];
	char	   *copy = pnstrdup(text, MAX_SCHEDULE);
	char	   *rest = NULL;
	char	   *fields_rest = NULL;
	char	   *first = strtok_r(copy, " \t", &rest);
	char	   *fault;

	memset(schedule, 0, sizeof(LyfSchedule));
	if (strlen(text) >= MAX_SCHEDULE)
		return psprintf("It is longer than %d bytes.", MAX_SCHEDULE - 1);
	for (int i = 0; i < lengthof(shorthands); i++)
	{
		if (first == NULL || pg_strcasecmp(first, shorthands[i][0]) != 0)
			continue;
		strcpy(fields, shorthands[i][1]);
		fault = read_fields(strtok_r(fields, " ", &fields_rest), &fields_rest, schedule);
		return fault != NULL ? fault : read_zone(&rest, schedule);
	}
	fault = read_fields(first, &rest, schedule);
	return fault != NULL ? fault : read_zone(&rest, schedule);
}
