/*
 * cursor.c
 *		A field of the records says what is new: by its time (DatetimeBasedCursor), or by its number
 *		(IncrementingCountCursor, see cursor_count.c).
 *
 * Compiled once from the manifest; evaluated with a configuration for each read
 * (LyfCursorRun), in which `now` is the moment the read began.
 */
#include "postgres.h"

#include "base/datetime.h"
#include "extract/cursor_internal.h"

#define DEFAULT_FORMAT	"%Y-%m-%dT%H:%M:%S.%f%z"
#define DEFAULT_START_KEY	"start_time"
#define DEFAULT_END_KEY		"end_time"

static LyfFailure *
compile_moment(const LyfComponent *c, const char *field, const char *format, LyfMoment *moment)
{
	LyfComponent child = lyf_component_child(c, field);

	moment->format = format;
	if (child.json == NULL || json_is_null(child.json))
		return NULL;
	if (!json_is_object(child.json))
		return lyf_component_template(c, field, &moment->time);
	if (child.type[0] != '\0' && strcmp(child.type, "MinMaxDatetime") != 0)
		return lyf_component_unsupported(&child);
	LYF_TRY(lyf_component_required_template(&child, "datetime", &moment->time));
	LYF_TRY(lyf_component_template(&child, "min_datetime", &moment->min));
	LYF_TRY(lyf_component_template(&child, "max_datetime", &moment->max));
	LYF_TRY(lyf_component_text(&child, "datetime_format", format, &moment->format));
	if (moment->format[0] == '\0')
		moment->format = format;
	return NULL;
}

/* cursor_datetime_formats, and datetime_format after them */
static LyfFailure *
compile_formats(const LyfComponent *c, LyfCursor *cursor)
{
	LyfValue   *list;

	LYF_TRY(lyf_component_text(c, "datetime_format", NULL, &cursor->format));
	if (cursor->format == NULL)
		return lyf_component_invalid(c, "has no datetime_format");
	LYF_TRY(lyf_component_value(c, "cursor_datetime_formats", &list));
	if (list != NULL && list->kind != LYF_LIST)
		return lyf_component_invalid(c, "cursor_datetime_formats must be a list");
	cursor->formats = palloc(sizeof(char *) * ((list != NULL ? list->len : 0) + 1));
	if (list != NULL)
	{
		lyf_foreach(format, list)
		{
			if (format->kind != LYF_STRING)
				return lyf_component_invalid(c, "cursor_datetime_formats must be texts");
			cursor->formats[cursor->format_count++] = format->u.text;
		}
	}
	cursor->formats[cursor->format_count++] = cursor->format;
	return NULL;
}

static LyfFailure *
compile_steps(const LyfComponent *c, LyfCursor *cursor)
{
	const char *granularity;
	LyfValue   *duration;

	LYF_TRY(lyf_component_template(c, "step", &cursor->step));
	LYF_TRY(lyf_component_template(c, "lookback_window", &cursor->lookback));
	LYF_TRY(lyf_component_text(c, "cursor_granularity", NULL, &granularity));
	if ((cursor->step == NULL) != (granularity == NULL))
		return lyf_component_invalid(c, "must have both of step and cursor_granularity, or none");
	if (granularity == NULL)
		return NULL;
	LYF_TRY(lyf_duration_parse(granularity, &duration));
	cursor->granularity = duration;
	return NULL;
}

static LyfFailure *
compile_options(const LyfComponent *c, LyfCursor *cursor)
{
	LyfComponent start = lyf_component_child(c, "start_time_option");
	LyfComponent end = lyf_component_child(c, "end_time_option");

	LYF_TRY(lyf_request_option_compile(&start, &cursor->start_option));
	LYF_TRY(lyf_request_option_compile(&end, &cursor->end_option));
	LYF_TRY(lyf_component_template(c, "partition_field_start", &cursor->start_key));
	LYF_TRY(lyf_component_template(c, "partition_field_end", &cursor->end_key));
	LYF_TRY(lyf_component_bool(c, "is_data_feed", false, &cursor->data_feed));
	LYF_TRY(lyf_component_bool(c, "is_client_side_incremental", false, &cursor->client_side));
	LYF_TRY(lyf_component_bool(c, "global_substream_cursor", false, &cursor->global));
	return lyf_component_bool(c, "is_compare_strictly", false, &cursor->strict);
}

LyfFailure *
lyf_cursor_compile(const LyfComponent *c, LyfCursor **out)
{
	LyfCursor  *cursor;

	*out = NULL;
	if (c->json == NULL || json_is_null(c->json))
		return NULL;
	cursor = palloc0(sizeof(LyfCursor));
	LYF_TRY(lyf_component_required_template(c, "cursor_field", &cursor->field));
	if (strcmp(c->type, "IncrementingCountCursor") == 0)
	{
		*out = cursor;
		return lyf_count_compile(c, cursor);
	}
	if (strcmp(c->type, "DatetimeBasedCursor") != 0)
		return lyf_component_unsupported(c);
	LYF_TRY(compile_formats(c, cursor));
	LYF_TRY(compile_moment(c, "start_datetime", cursor->format, &cursor->start));
	if (cursor->start.time == NULL)
		return lyf_component_invalid(c, "has no start_datetime");
	LYF_TRY(compile_moment(c, "end_datetime", cursor->format, &cursor->end));
	LYF_TRY(compile_steps(c, cursor));
	LYF_TRY(compile_options(c, cursor));
	LYF_TRY(lyf_clamp_compile(c, cursor));
	*out = cursor;
	return NULL;
}

void
lyf_cursor_take_legacy(LyfCursor *cursor, const char *partition_field)
{
	cursor->legacy_field = pstrdup(partition_field);
}

LyfFailure *
lyf_cursor_field(const LyfCursor *cursor, LyfSession *session, char **field)
{
	return lyf_template_eval_text(cursor->field, &session->scope, field);
}

bool
lyf_cursor_is_count(const LyfCursor *cursor)
{
	return cursor->counting;
}

bool
lyf_cursor_is_client_side(const LyfCursor *cursor)
{
	return cursor->client_side;
}

bool
lyf_cursor_is_data_feed(const LyfCursor *cursor)
{
	return cursor->data_feed;
}

bool
lyf_cursor_has_steps(const LyfCursor *cursor)
{
	return cursor->step != NULL;
}

void
lyf_cursor_keys(const LyfCursor *cursor, const char *keys[2])
{
	keys[0] = cursor->start_key == NULL ? DEFAULT_START_KEY : lyf_template_source(cursor->start_key);
	keys[1] = cursor->end_key == NULL ? DEFAULT_END_KEY : lyf_template_source(cursor->end_key);
}

bool
lyf_cursor_restrictable(const LyfCursor *cursor, const LyfRequester *requester)
{
	const char *keys[2];

	if (cursor->counting)
		return false;
	lyf_cursor_keys(cursor, keys);
	return cursor->start_option != NULL || cursor->end_option != NULL ||
		lyf_requester_uses_slice(requester, keys[0]) || lyf_requester_uses_slice(requester, keys[1]);
}

/* A key of the cursor slice: the template's, or what it is called where there is none. */
static LyfFailure *
eval_key(const LyfTemplate *key, const char *fallback, LyfSession *session, char **text)
{
	if (key != NULL)
		return lyf_template_eval_text(key, &session->scope, text);
	*text = pstrdup(fallback);
	return NULL;
}

/* What the slice's window puts into its requests, an array in CurrentMemoryContext. */
LyfFailure *
lyf_cursor_injections(const LyfCursor *cursor, LyfSession *session, const LyfSlice *slice,
					  LyfInjection **injections, int *count)
{
	const LyfRequestOption *options[] = {cursor->start_option, cursor->end_option};
	char	   *keys[lengthof(options)];

	LYF_TRY(eval_key(cursor->start_key, DEFAULT_START_KEY, session, &keys[0]));
	LYF_TRY(eval_key(cursor->end_key, DEFAULT_END_KEY, session, &keys[1]));
	*injections = palloc(sizeof(LyfInjection) * lengthof(options));
	*count = 0;
	for (int i = 0; i < lengthof(options); i++)
	{
		LyfValue   *value = lyf_value_get(slice->cursor_slice, keys[i]);

		if (options[i] == NULL || value == NULL)
			continue;
		(*injections)[*count].option = options[i];
		(*injections)[*count].value = value;
		(*count)++;
	}
	return NULL;
}

/* Read a record's (or a slice's, or a state's) value by the first format that fits. */
bool
lyf_cursor_read(const LyfCursor *cursor, const LyfValue *value, LyfInstant *instant)
{
	if (value == NULL || (value->kind != LYF_STRING && value->kind != LYF_INT && value->kind != LYF_NUMBER))
		return false;
	if (cursor->counting)
		return lyf_count_read(value, instant);
	for (int i = 0; i < cursor->format_count; i++)
	{
		LyfValue   *datetime;

		if (lyf_datetime_parse(value, cursor->formats[i], &datetime) == NULL)
		{
			instant->us = datetime->u.time.us;
			instant->offset = datetime->u.time.offset;
			return true;
		}
	}
	return false;
}

LyfFailure *
lyf_cursor_state_time(const LyfCursor *cursor, LyfSession *session, const LyfValue *state, TimestampTz *at, bool *known)
{
	const LyfValue *ranges = lyf_value_get(state, "slices");
	const LyfValue *value;
	LyfInstant	instant;
	char	   *field;

	LYF_TRY(lyf_cursor_field(cursor, session, &field));
	value = lyf_value_get(state, field);
	if (value == NULL)
		value = lyf_value_get(lyf_value_get(state, "state"), field);
	if (lyf_value_is(ranges, LYF_LIST) && ranges->len > 0)
	{
		value = lyf_value_get(ranges->u.first, "most_recent_cursor_value");
		if (!lyf_value_truth(value))
			value = lyf_value_get(ranges->u.first, "end");
	}
	*known = !cursor->counting && lyf_cursor_read(cursor, value, &instant);
	if (*known)
		*at = instant.us;
	return NULL;
}

LyfValue *
lyf_cursor_value(const LyfCursor *cursor, LyfInstant instant)
{
	if (cursor->counting)
		return lyf_count_value(instant);
	return lyf_value_string(lyf_datetime_format(lyf_datetime_make(instant.us, instant.offset), cursor->format));
}

/* Evaluate one part of a moment; *given is false if it is an empty text. */
static LyfFailure *
eval_time(const LyfTemplate *template, const char *format, LyfSession *session, LyfInstant *instant, bool *given)
{
	char	   *text;
	LyfValue   *datetime;

	*given = false;
	if (template == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_text(template, &session->scope, &text));
	if (text[0] == '\0')
		return NULL;
	LYF_TRY(lyf_datetime_parse(lyf_value_string(text), format[0] != '\0' ? format : DEFAULT_FORMAT, &datetime));
	instant->us = datetime->u.time.us;
	instant->offset = datetime->u.time.offset;
	*given = true;
	return NULL;
}

static LyfFailure *
eval_moment(const LyfMoment *moment, LyfSession *session, LyfInstant *instant)
{
	LyfInstant	bound;
	bool		given;

	LYF_TRY(eval_time(moment->time, moment->format, session, instant, &given));
	if (!given)
		return lyf_failure(ERRCODE_INVALID_DATETIME_FORMAT, "the cursor's time \"%s\" is empty",
						   lyf_template_source(moment->time));
	LYF_TRY(eval_time(moment->min, moment->format, session, &bound, &given));
	if (given && bound.us > instant->us)
		*instant = bound;
	LYF_TRY(eval_time(moment->max, moment->format, session, &bound, &given));
	if (given && bound.us < instant->us)
		*instant = bound;
	return NULL;
}

static LyfFailure *
eval_duration(const LyfTemplate *template, LyfSession *session, const LyfValue **duration)
{
	LyfValue   *value;
	LyfValue   *parsed;

	*duration = NULL;
	if (template == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_string(template, &session->scope, &value));
	if (lyf_value_is(value, LYF_NULL) || (lyf_value_is(value, LYF_STRING) && value->len == 0))
		return NULL;
	if (!lyf_value_is(value, LYF_STRING))
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "\"%s\" gives no duration",
						   lyf_template_source(template));
	LYF_TRY(lyf_duration_parse(value->u.text, &parsed));
	*duration = parsed;
	return NULL;
}

/* Evaluate all that depends on the configuration, in CurrentMemoryContext. */
LyfFailure *
lyf_cursor_evaluate(const LyfCursor *cursor, LyfSession *session, LyfCursorRun *run)
{
	memset(run, 0, sizeof(LyfCursorRun));
	run->cursor = cursor;
	LYF_TRY(lyf_cursor_field(cursor, session, &run->field));
	LYF_TRY(eval_key(cursor->start_key, DEFAULT_START_KEY, session, &run->start_key));
	LYF_TRY(eval_key(cursor->end_key, DEFAULT_END_KEY, session, &run->end_key));
	if (cursor->counting)
		return lyf_count_evaluate(cursor, session, run);
	LYF_TRY(eval_moment(&cursor->start, session, &run->start));
	run->end.us = session->started;
	if (cursor->end.time != NULL)
		LYF_TRY(eval_moment(&cursor->end, session, &run->end));
	LYF_TRY(lyf_clamp_evaluate(cursor, session, run));
	LYF_TRY(eval_duration(cursor->step, session, &run->step));
	return eval_duration(cursor->lookback, session, &run->lookback);
}
