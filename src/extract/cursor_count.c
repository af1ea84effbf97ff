/*
 * cursor_count.c
 *		IncrementingCountCursor: a number that grows says what is new.
 *
 * Its numbers stand where a time's microseconds do.  There is one window, from the state or the
 * start value on, and its end is infinite: where it was read to is its latest record.
 */
#include "postgres.h"

#include <math.h>

#include "extract/cursor_internal.h"

#define NO_END	PG_INT64_MAX

LyfFailure *
lyf_count_compile(const LyfComponent *c, LyfCursor *cursor)
{
	LyfComponent option = lyf_component_child(c, "start_value_option");

	cursor->counting = true;
	LYF_TRY(lyf_component_template(c, "start_value", &cursor->start.time));
	LYF_TRY(lyf_request_option_compile(&option, &cursor->start_option));
	LYF_TRY(lyf_template_compile("start", NULL, &cursor->start_key));
	return lyf_template_compile("end", NULL, &cursor->end_key);
}

LyfFailure *
lyf_count_evaluate(const LyfCursor *cursor, LyfSession *session, LyfCursorRun *run)
{
	LyfValue   *value;

	run->end.us = NO_END;
	if (cursor->start.time == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_string(cursor->start.time, &session->scope, &value));
	if (!lyf_count_read(value, &run->start))
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "the cursor's start value \"%s\" is no whole number",
						   lyf_template_source(cursor->start.time));
	return NULL;
}

bool
lyf_count_read(const LyfValue *value, LyfInstant *instant)
{
	instant->offset = 0;
	return lyf_value_whole(value, &instant->us);
}

LyfValue *
lyf_count_value(LyfInstant instant)
{
	return instant.us == NO_END ? lyf_value_number(INFINITY) : lyf_value_int(instant.us);
}
