/*
 * value_print.c
 *		Values as JSON text: compact, UTF-8 whatever the database's encoding.
 *
 * What JSON does not know prints as text (dates and times in ISO 8601, durations
 * too) or as null (not a number, undefined, the evaluator's own).
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "base/value.h"

static void print_value(StringInfo out, const LyfValue *value, bool sorted);

static void
print_string(StringInfo out, const char *text, size_t len)
{
	const char *end = text + len;
	const char *run = text;

	appendStringInfoCharMacro(out, '"');
	for (const char *p = text; p < end; p++)
	{
		unsigned char c = *p;

		if (likely(c >= 0x20 && c != '"' && c != '\\'))
			continue;
		appendBinaryStringInfo(out, run, p - run);
		run = p + 1;
		if (c == '"' || c == '\\')
		{
			appendStringInfoCharMacro(out, '\\');
			appendStringInfoCharMacro(out, c);
		}
		else if (c == '\n')
			appendStringInfoString(out, "\\n");
		else if (c == '\r')
			appendStringInfoString(out, "\\r");
		else if (c == '\t')
			appendStringInfoString(out, "\\t");
		else
			appendStringInfo(out, "\\u%04x", c);
	}
	appendBinaryStringInfo(out, run, end - run);
	appendStringInfoCharMacro(out, '"');
}

/* the shortest digits that read back as the same double; 1.0 keeps its point */
static void
print_double(StringInfo out, double number)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!isfinite(number))
	{
		/* no JSON number: as text, as to_jsonb() has it */
		appendStringInfoString(out, isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
		return;
	}
	double_to_shortest_decimal_buf(number, digits);
	appendStringInfoString(out, digits);
	if (strpbrk(digits, ".e") == NULL)
		appendStringInfoString(out, ".0");
}

static void
print_int(StringInfo out, int64 integer)
{
	char		digits[MAXINT8LEN + 1];

	appendBinaryStringInfo(out, digits, pg_lltoa(integer, digits));
}

/* "2024-01-01" or "2024-01-01T00:00:00.000001+01:00", quoted */
static void
print_time(StringInfo out, const LyfValue *value)
{
	int64		us = value->u.time.us + value->u.time.offset * USECS_PER_SEC;
	int64		days = us / USECS_PER_DAY;
	int64		rest = us % USECS_PER_DAY;
	int			offset = abs(value->u.time.offset);
	int			year;
	int			month;
	int			day;

	if (rest < 0)
	{
		rest += USECS_PER_DAY;
		days--;
	}
	j2date((int) days + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	appendStringInfo(out, "\"%04d-%02d-%02d", year, month, day);
	if (value->kind == LYF_DATETIME)
	{
		int			seconds = rest / USECS_PER_SEC;

		appendStringInfo(out, "T%02d:%02d:%02d", seconds / SECS_PER_HOUR,
						 seconds / SECS_PER_MINUTE % MINS_PER_HOUR, seconds % SECS_PER_MINUTE);
		if (rest % USECS_PER_SEC != 0)
			appendStringInfo(out, ".%06d", (int) (rest % USECS_PER_SEC));
		if ((value->flags & LYF_FLAG_NAIVE) == 0)
			appendStringInfo(out, "%c%02d:%02d", value->u.time.offset < 0 ? '-' : '+',
							 offset / SECS_PER_HOUR, offset / SECS_PER_MINUTE % MINS_PER_HOUR);
	}
	appendStringInfoCharMacro(out, '"');
}

static void
print_duration(StringInfo out, const LyfValue *value)
{
	int64		us = value->u.span.us;
	uint64		size = us < 0 ? 0 - (uint64) us : (uint64) us;

	appendStringInfoString(out, "\"P");
	if (value->u.span.months != 0)
		appendStringInfo(out, "%dM", value->u.span.months);
	appendStringInfo(out, "T%s" UINT64_FORMAT, us < 0 ? "-" : "", size / USECS_PER_SEC);
	if (size % USECS_PER_SEC != 0)
		appendStringInfo(out, ".%06d", (int) (size % USECS_PER_SEC));
	appendStringInfoString(out, "S\"");
}

static void
print_member(StringInfo out, const LyfValue *member, bool sorted)
{
	print_string(out, member->key, member->key_len);
	appendStringInfoCharMacro(out, ':');
	print_value(out, member, sorted);
}

/* of members with one key the last counts, as everywhere */
static void
print_sorted_map(StringInfo out, const LyfValue *map)
{
	const LyfValue **members = palloc(sizeof(LyfValue *) * (map->len + 1));
	uint32		count = 0;
	bool		first = true;

	lyf_foreach(member, map)
	{
		if (count < map->len)
			members[count++] = member;
	}
	qsort(members, count, sizeof(LyfValue *), lyf_value_compare_keys);
	appendStringInfoCharMacro(out, '{');
	for (uint32 i = 0; i < count; i++)
	{
		const LyfValue *member = members[i];

		/* one of several comes last in its turn, and is looked up then */
		if (i + 1 < count && lyf_value_compare_keys(&members[i], &members[i + 1]) == 0)
			continue;
		if (i > 0 && lyf_value_compare_keys(&members[i - 1], &members[i]) == 0)
			member = lyf_value_get_len(map, member->key, member->key_len);
		if (!first)
			appendStringInfoCharMacro(out, ',');
		first = false;
		print_member(out, member, true);
	}
	appendStringInfoCharMacro(out, '}');
	pfree(members);
}

static void
print_container(StringInfo out, const LyfValue *value, bool sorted)
{
	bool		is_map = value->kind == LYF_MAP;

	appendStringInfoCharMacro(out, is_map ? '{' : '[');
	lyf_foreach(member, value)
	{
		if (member != value->u.first)
			appendStringInfoCharMacro(out, ',');
		if (is_map)
			print_member(out, member, sorted);
		else
			print_value(out, member, sorted);
	}
	appendStringInfoCharMacro(out, is_map ? '}' : ']');
}

static void
print_value(StringInfo out, const LyfValue *value, bool sorted)
{
	switch (value->kind)
	{
		case LYF_BOOL:
			appendStringInfoString(out, value->u.boolean ? "true" : "false");
			break;
		case LYF_INT:
			print_int(out, value->u.integer);
			break;
		case LYF_NUMBER:
			if ((value->flags & LYF_FLAG_TEXT) != 0)
				appendBinaryStringInfo(out, value->u.text, value->len);
			else
				print_double(out, value->u.number);
			break;
		case LYF_STRING:
			print_string(out, value->u.text, value->len);
			break;
		case LYF_LIST:
		case LYF_MAP:
			check_stack_depth();
			if (sorted && value->kind == LYF_MAP)
				print_sorted_map(out, value);
			else
				print_container(out, value, sorted);
			break;
		case LYF_DATETIME:
		case LYF_DATE:
			print_time(out, value);
			break;
		case LYF_DURATION:
			print_duration(out, value);
			break;
		default:
			appendStringInfoString(out, "null");
	}
}

void
lyf_value_print(StringInfo out, const LyfValue *value)
{
	print_value(out, value, false);
}

void
lyf_value_print_sorted(StringInfo out, const LyfValue *value)
{
	print_value(out, value, true);
}

char *
lyf_value_to_text(const LyfValue *value)
{
	StringInfoData out;

	initStringInfo(&out);
	print_value(&out, value, false);
	return out.data;
}
