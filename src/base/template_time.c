/*
 * template_time.c
 *		Dates, times and durations in templates: their methods and attributes, how
 *		they print, their arithmetic, and the functions that make them.
 */
#include "postgres.h"

#include "common/int.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/datetime.h"
#include "base/template_internal.h"

/* yyyy-mm-dd hh:mm:ss[.ffffff][+hh:mm]; of a date only the first part */
static void
print_time(StringInfo out, const LyfValue *value, char separator)
{
	LyfDatetimeFields f;

	lyf_datetime_fields(value, &f);
	appendStringInfo(out, "%04d-%02d-%02d", f.year, f.month, f.day);
	if (value->kind == LYF_DATE)
		return;
	appendStringInfo(out, "%c%02d:%02d:%02d", separator, f.hour, f.minute, f.second);
	if (f.micros != 0)
		appendStringInfo(out, ".%06d", f.micros);
	if ((value->flags & LYF_FLAG_NAIVE) == 0)
		lyf_datetime_print_offset(out, value->u.time.offset, ":");
}

/* days (rounded down) and the rest, as Python keeps a timedelta */
static int64
split_days(int64 us, int64 *rest)
{
	int64		days = us / USECS_PER_DAY;

	*rest = us % USECS_PER_DAY;
	if (*rest < 0)
	{
		*rest += USECS_PER_DAY;
		days--;
	}
	return days;
}

static void
print_duration(StringInfo out, const LyfValue *value)
{
	int			years = value->u.span.months / 12;
	int			months = value->u.span.months % 12;
	int64		rest;
	int64		days = split_days(value->u.span.us, &rest);

	if (years != 0)
		appendStringInfo(out, "%d years, ", years);
	if (months != 0)
		appendStringInfo(out, "%d month%s, ", months, months <= 1 ? "" : "s");
	if (days != 0)
		appendStringInfo(out, INT64_FORMAT " day%s, ", days, days == 1 || days == -1 ? "" : "s");
	appendStringInfo(out, "%d:%02d:%02d", (int) (rest / USECS_PER_HOUR),
					 (int) (rest / USECS_PER_MINUTE % 60), (int) (rest / USECS_PER_SEC % 60));
	if (rest % USECS_PER_SEC != 0)
		appendStringInfo(out, ".%06d", (int) (rest % USECS_PER_SEC));
}

void
lyf_time_print(StringInfo out, const LyfValue *value, char separator)
{
	if (value->kind == LYF_DURATION)
		print_duration(out, value);
	else
		print_time(out, value, separator);
}

void
lyf_time_repr(StringInfo out, const LyfValue *value)
{
	LyfDatetimeFields f;
	int64		rest;

	if (value->kind == LYF_DURATION)
	{
		int64		days = split_days(value->u.span.us, &rest);

		appendStringInfo(out, "datetime.timedelta(days=" INT64_FORMAT ", seconds=%d)", days,
						 (int) (rest / USECS_PER_SEC));
		return;
	}
	lyf_datetime_fields(value, &f);
	appendStringInfo(out, "datetime.%s(%d, %d, %d", value->kind == LYF_DATE ? "date" : "datetime",
					 f.year, f.month, f.day);
	if (value->kind == LYF_DATETIME)
	{
		appendStringInfo(out, ", %d, %d", f.hour, f.minute);
		if (f.second != 0 || f.micros != 0)
			appendStringInfo(out, ", %d", f.second);
		if (f.micros != 0)
			appendStringInfo(out, ", %d", f.micros);
		if ((value->flags & LYF_FLAG_NAIVE) == 0)
			appendStringInfoString(out, ", tzinfo=datetime.timezone.utc");
	}
	appendStringInfoChar(out, ')');
}

static LyfValue *
make_span(int64 us)
{
	LyfValue   *span = lyf_value_make(LYF_DURATION);

	span->u.span.us = us;
	return span;
}

static LyfFailure *
add_spans(LyfEval *ev, const LyfValue *a, const LyfValue *b, int sign, LyfValue **result)
{
	*result = make_span(0);
	if (pg_add_s64_overflow(a->u.span.us, sign * b->u.span.us, &(*result)->u.span.us))
		return lyf_template_fail_value(ev, "a duration in a template is out of range");
	(*result)->u.span.months = a->u.span.months + sign * b->u.span.months;
	return NULL;
}

/* a + b or a - b, of which neither is anything but a date, a time or a duration */
LyfFailure *
lyf_time_add(LyfEval *ev, const LyfValue *a, const LyfValue *b, int sign, LyfValue **result)
{
	if (a->kind == LYF_DURATION && b->kind == LYF_DURATION)
		return add_spans(ev, a, b, sign, result);
	if (a->kind == LYF_DURATION && sign > 0)
	{
		const LyfValue *swap = a;

		a = b;
		b = swap;
	}
	if (a->kind != LYF_DURATION && b->kind == LYF_DURATION)
	{
		LyfValue	whole = *b;
		int64		rest;

		/* of a date, only whole days count */
		if (a->kind == LYF_DATE)
			whole.u.span.us = split_days(b->u.span.us, &rest) * USECS_PER_DAY;
		*result = lyf_datetime_add(a, &whole, sign);
		if (!lyf_datetime_valid((*result)->u.time.us))
			return lyf_template_fail_value(ev, "a time in a template is out of range");
		return NULL;
	}
	if (sign < 0 && a->kind == b->kind && a->kind != LYF_DURATION &&
		((a->flags ^ b->flags) & LYF_FLAG_NAIVE) == 0)
	{
		*result = make_span(a->u.time.us - b->u.time.us);
		return NULL;
	}
	return lyf_template_fail_type(ev, "an operator", a);
}

LyfValue *
lyf_time_attribute(const LyfValue *object, const char *name)
{
	LyfDatetimeFields f;
	int64		rest;
	int64		days;

	if (object->kind == LYF_DURATION)
	{
		days = split_days(object->u.span.us, &rest);
		if (strcmp(name, "days") == 0)
			return lyf_value_int(days);
		if (strcmp(name, "seconds") == 0)
			return lyf_value_int(rest / USECS_PER_SEC);
		return strcmp(name, "microseconds") == 0 ? lyf_value_int(rest % USECS_PER_SEC) : NULL;
	}
	if (object->kind != LYF_DATETIME && object->kind != LYF_DATE)
		return NULL;
	lyf_datetime_fields(object, &f);
	{
		const struct
		{
			const char *name;
			int			value;
			bool		of_date;
		}			parts[] = {
			{"year", f.year, true}, {"month", f.month, true}, {"day", f.day, true}, {"hour", f.hour, false},
			{"minute", f.minute, false}, {"second", f.second, false}, {"microsecond", f.micros, false}
		};

		for (int i = 0; i < lengthof(parts); i++)
		{
			if (strcmp(parts[i].name, name) == 0 && (parts[i].of_date || object->kind == LYF_DATETIME))
				return lyf_value_int(parts[i].value);
		}
	}
	return NULL;
}

static LyfFailure *
time_strftime(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *format;
	size_t		len;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &format, &len));
	*result = lyf_value_string(lyf_datetime_strftime(call->self, format));
	return NULL;
}

static LyfFailure *
time_isoformat(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	StringInfoData out;
	const char *separator = "T";
	size_t		len;

	if (call->arg[0] != NULL)
		LYF_TRY(lyf_arg_text(ev, call->arg[0], &separator, &len));
	initStringInfo(&out);
	print_time(&out, call->self, separator[0]);
	*result = lyf_template_take(&out);
	return NULL;
}

static double
unix_seconds(const LyfValue *datetime)
{
	return (datetime->u.time.us +
			(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY) / 1e6;
}

static LyfFailure *
time_timestamp(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	*result = lyf_value_number(unix_seconds(call->self));
	return NULL;
}

static LyfFailure *
time_weekday(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfDatetimeFields f;

	lyf_datetime_fields(call->self, &f);
	*result = lyf_value_int((f.weekday + 6) % 7);
	return NULL;
}

static LyfFailure *
time_isoweekday(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LYF_TRY(time_weekday(ev, call, result));
	(*result)->u.integer++;
	return NULL;
}

static LyfValue *
date_of(int64 local_us)
{
	int64		rest;
	LyfValue   *date = lyf_datetime_make(split_days(local_us, &rest) * USECS_PER_DAY, 0);

	date->kind = LYF_DATE;
	return date;
}

static LyfFailure *
time_date(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	*result = date_of(call->self->u.time.us + (int64) call->self->u.time.offset * USECS_PER_SEC);
	return NULL;
}

/* replace(year=, month=, ...): any of the parts, by keyword or in their order */
static LyfFailure *
time_replace(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfDatetimeFields f;
	const struct
	{
		const char *name;
		int		   *part;
	}			parts[] = {
		{"year", &f.year}, {"month", &f.month}, {"day", &f.day}, {"hour", &f.hour},
		{"minute", &f.minute}, {"second", &f.second}, {"microsecond", &f.micros}
	};

	lyf_datetime_fields(call->self, &f);
	for (int i = 0; i < call->count; i++)
	{
		int			place = i;
		int64		number;

		for (int j = 0; call->key[i] != NULL && j <= lengthof(parts); j++)
		{
			place = j;
			if (j < lengthof(parts) && strcmp(parts[j].name, call->key[i]) == 0)
				break;
		}
		if (place >= (call->self->kind == LYF_DATE ? 3 : lengthof(parts)))
			return lyf_template_fail_type(ev, "replace", NULL);
		LYF_TRY(lyf_arg_int(ev, call->arg[i], 0, &number));
		*parts[place].part = Max(Min(number, PG_INT32_MAX), -1);
	}
	if (f.micros < 0 || f.micros >= USECS_PER_SEC ||
		!lyf_datetime_from_fields(&f, call->self->u.time.offset, result))
		return lyf_template_fail_value(ev, "a time in a template is out of range");
	(*result)->kind = call->self->kind;
	(*result)->flags = call->self->flags;
	return NULL;
}

static LyfFailure *
duration_total_seconds(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	*result = lyf_value_number(call->self->u.span.us / 1e6);
	return NULL;
}

/* a text in ISO format as a time in UTC */
static LyfFailure *
parse_iso(LyfEval *ev, const LyfValue *value, LyfValue **result)
{
	LyfFailure *failure;

	if (value->kind != LYF_STRING)
		return lyf_template_fail_type(ev, "a time", value);
	failure = lyf_datetime_from_iso(value->u.text, result);
	if (failure != NULL)
		return lyf_template_pass(ev, failure);
	(*result)->u.time.offset = 0;
	return NULL;
}

static LyfFailure *
now_utc(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	*result = lyf_datetime_make(lyf_now(), 0);
	return NULL;
}

static LyfFailure *
today_utc(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	*result = date_of(lyf_now());
	return NULL;
}

static LyfFailure *
today_with_timezone(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *name;
	size_t		len;
	pg_tz	   *zone;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &name, &len));
	zone = pg_tzset(name);
	if (zone == NULL || timestamp2tm(lyf_now(), &offset, &tm, &fsec, NULL, zone) != 0)
		return lyf_template_fail_value(ev, "time zone \"%s\" in a template is not known", lyf_clip(name, 60));
	*result = date_of((int64) (date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY);
	return NULL;
}

static LyfFailure *
timestamp_of(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *datetime;

	if (lyf_template_is_number(call->arg[0]))
	{
		double		number = lyf_value_double(call->arg[0]);

		if (lyf_template_is_int(call->arg[0]))
			return lyf_op_plus(ev, call->arg[0], call->arg[0], result);
		if (!(number > -9.2e18 && number < 9.2e18))
			return lyf_template_fail_value(ev, "a number in a template is out of range");
		*result = lyf_value_int((int64) number);
		return NULL;
	}
	LYF_TRY(parse_iso(ev, call->arg[0], &datetime));
	*result = lyf_value_number(unix_seconds(datetime));
	return NULL;
}

static LyfFailure *
str_to_datetime(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return parse_iso(ev, call->arg[0], result);
}

static LyfFailure *
day_delta(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *format = "%Y-%m-%dT%H:%M:%S.%f%z";
	size_t		len;
	double		days;
	LyfValue   *then;

	if (!lyf_template_is_number(call->arg[0]))
		return lyf_template_fail_type(ev, "a number of days", call->arg[0]);
	if (call->arg[1] != NULL)
		LYF_TRY(lyf_arg_text(ev, call->arg[1], &format, &len));
	days = lyf_value_double(call->arg[0]);
	if (!(days > -4e6 && days < 4e6))
		return lyf_template_fail_value(ev, "a number of days in a template is out of range");
	then = lyf_datetime_add(lyf_datetime_make(lyf_now(), 0), make_span(days * USECS_PER_DAY), 1);
	if (!lyf_datetime_valid(then->u.time.us))
		return lyf_template_fail_value(ev, "a time in a template is out of range");
	*result = lyf_value_string(lyf_datetime_strftime(then, format));
	return NULL;
}

static LyfFailure *
duration(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfFailure *failure;

	if (call->arg[0]->kind != LYF_STRING)
		return lyf_template_fail_type(ev, "a duration", call->arg[0]);
	failure = lyf_duration_parse(call->arg[0]->u.text, result);
	return failure != NULL ? lyf_template_pass(ev, failure) : NULL;
}

/* a time keeps its zone; all else is read, and is in UTC where it has no zone */
static LyfFailure *
format_datetime(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *value = call->arg[0];
	const char *format;
	const char *input_format = NULL;
	size_t		len;
	LyfValue   *datetime;
	LyfFailure *failure;

	LYF_TRY(lyf_arg_text(ev, call->arg[1], &format, &len));
	if (call->arg[2] != NULL && lyf_template_truth(call->arg[2]))
		LYF_TRY(lyf_arg_text(ev, call->arg[2], &input_format, &len));
	if (value->kind == LYF_DATETIME)
	{
		*result = lyf_value_string(lyf_datetime_strftime(value, format));
		return NULL;
	}
	if (lyf_template_is_int(value))
	{
		LyfValue	number = {.kind = LYF_INT};

		number.u.integer = value->kind == LYF_BOOL ? value->u.boolean : value->u.integer;
		failure = lyf_datetime_parse(&number, input_format != NULL ? input_format : "%s", &datetime);
	}
	else if (input_format == NULL)
	{
		LYF_TRY(parse_iso(ev, value, &datetime));
		failure = NULL;
	}
	else if (value->kind == LYF_STRING)
		failure = lyf_datetime_strptime(value->u.text, input_format, &datetime);
	else
		return lyf_template_fail_type(ev, "format_datetime", value);
	if (failure != NULL)
		return lyf_template_pass(ev, failure);
	datetime->flags &= ~LYF_FLAG_NAIVE;
	*result = lyf_value_string(lyf_datetime_format(datetime, format));
	return NULL;
}

const LyfBuiltin lyf_time_methods[] = {
	{"strftime", time_strftime, 1, {"format"}},
	{"isoformat", time_isoformat, 0, {"sep"}},
	{"timestamp", time_timestamp, 0},
	{"weekday", time_weekday, 0},
	{"isoweekday", time_isoweekday, 0},
	{"date", time_date, 0},
	{"replace", time_replace, -1},
	{NULL}
};

const LyfBuiltin lyf_date_methods[] = {
	{"strftime", time_strftime, 1, {"format"}},
	{"isoformat", time_isoformat, 0},
	{"weekday", time_weekday, 0},
	{"isoweekday", time_isoweekday, 0},
	{"replace", time_replace, -1},
	{NULL}
};

const LyfBuiltin lyf_duration_methods[] = {
	{"total_seconds", duration_total_seconds, 0},
	{NULL}
};

const LyfBuiltin lyf_time_functions[] = {
	{"now_utc", now_utc, 0},
	{"today_utc", today_utc, 0},
	{"today_with_timezone", today_with_timezone, 1, {"timezone"}},
	{"timestamp", timestamp_of, 1, {"dt"}},
	{"str_to_datetime", str_to_datetime, 1, {"s"}},
	{"day_delta", day_delta, 1, {"num_days", "format"}},
	{"duration", duration, 1, {"datestring"}},
	{"format_datetime", format_datetime, 2, {"dt", "format", "input_format"}},
	{NULL}
};
