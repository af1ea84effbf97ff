/*
 * schedule.c
 *		Cron text: minute, hour, day of month, month, day of week, and maybe a time
 *		zone at the end.  Here it is only checked.
 */
#include "postgres.h"

#include "pgtime.h"

#include "pipeline/pipeline.h"

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

/* one of: *, n, n-m, each maybe with /step; separated by commas */
static bool
field_is_right(const CronField *field, const char *text)
{
	for (;;)
	{
		int			from;
		int			to;

		if (*text == '*')
			text++;
		else
		{
			if (!read_number(field, &text, &from))
				return false;
			to = from;
			if (*text == '-' && (text++, !read_number(field, &text, &to)))
				return false;
			if (to < from)
				return false;
		}
		if (*text == '/')
		{
			char	   *end;
			long		step = strtol(text + 1, &end, 10);

			if (end == text + 1 || step < 1 || step > field->high)
				return false;
			text = end;
		}
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			return false;
	}
}

char *
lyf_schedule_fault(const char *schedule)
{
	char	   *copy = pstrdup(schedule);
	char	   *rest = NULL;
	char	   *zone;
	pg_tz	   *tz;

	for (int i = 0; i < lengthof(cron_fields); i++)
	{
		char	   *field = strtok_r(i == 0 ? copy : NULL, " \t", &rest);

		if (field == NULL)
			return psprintf("The field %s is missing.", cron_fields[i].name);
		if (!field_is_right(&cron_fields[i], field))
			return psprintf("The field %s cannot be \"%s\".", cron_fields[i].name, field);
	}
	zone = strtok_r(NULL, " \t", &rest);
	if (zone == NULL)
		return NULL;
	tz = strlen(zone) <= TZ_STRLEN_MAX ? pg_tzset(zone) : NULL;
	if (tz == NULL)
		return psprintf("There is no time zone \"%s\".", zone);
	if (strtok_r(NULL, " \t", &rest) != NULL)
		return pstrdup("There is text after the time zone.");
	return NULL;
}
