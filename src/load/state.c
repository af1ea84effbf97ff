/*
 * state.c
 *		A pipeline's position, as rows of lyftron.state.
 *
 * One row, with no partition, holds what is said of the stream as a whole: its
 * cursor as Airbyte's state JSON has it (for streams with partitions all members but
 * `states`), and the page that a checkpoint stopped at.  Each member of `states` is a row
 * of its own, in the order of `ordinal`.  Only rows that differ are written.
 */
#include "postgres.h"

#include "load/load_internal.h"

typedef struct StateRow
{
	MemoryContext cxt;
	LyfValue   *state;
	LyfValue   *page;
} StateRow;

static void
take_state(void *arg, HeapTuple tuple, TupleDesc desc)
{
	StateRow   *row = arg;
	MemoryContext old = MemoryContextSwitchTo(row->cxt);

	row->state = lyf_catalog_value(tuple, desc, "state");
	row->page = lyf_catalog_value(tuple, desc, "page");
	MemoryContextSwitchTo(old);
}

void
lyf_state_get(const char *pipeline, LyfValue **state, LyfValue **page)
{
	StateRow	row = {CurrentMemoryContext, NULL, NULL};
	LyfArgs		args = {0};

	lyf_args_text(&args, pipeline);
	lyf_args_run(&args,
				 "SELECT g.page, CASE WHEN p.states IS NULL THEN g.cursor "
				 "ELSE coalesce(g.cursor, '{}') || jsonb_build_object('states', p.states) END AS state "
				 "FROM (VALUES (1)) one LEFT JOIN lyftron.state g ON g.pipeline = $1 AND g.partition IS NULL, "
				 "(SELECT jsonb_agg(jsonb_build_object('partition', partition, 'cursor', cursor) ORDER BY ordinal) AS states "
				 "FROM lyftron.state WHERE pipeline = $1 AND partition IS NOT NULL) p",
				 take_state, &row);
	*state = row.state;
	*page = row.page;
}

static void
put_stream(const char *pipeline, const char *stream, const LyfValue *cursor, const LyfValue *page)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, pipeline);
	lyf_args_text(&args, stream);
	lyf_args_value(&args, cursor);
	lyf_args_value(&args, page);
	lyf_args_run(&args,
				 "INSERT INTO lyftron.state AS s (pipeline, stream, ordinal, partition, cursor, page) "
				 "VALUES ($1, $2, 0, NULL, $3, $4) "
				 "ON CONFLICT (pipeline, md5(coalesce(partition::text, ''))) DO UPDATE "
				 "SET stream = EXCLUDED.stream, cursor = EXCLUDED.cursor, page = EXCLUDED.page, updated_at = now() "
				 "WHERE (s.stream, s.cursor, s.page) IS DISTINCT FROM (EXCLUDED.stream, EXCLUDED.cursor, EXCLUDED.page)",
				 NULL, NULL);
}

static void
put_partitions(const char *pipeline, const char *stream, const LyfValue *states)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, pipeline);
	lyf_args_text(&args, stream);
	lyf_args_value(&args, states);
	lyf_args_run(&args,
				 "WITH given AS (SELECT DISTINCT ON (v.member -> 'partition') v.member -> 'partition' AS partition, "
				 "v.member -> 'cursor' AS cursor, v.number FROM jsonb_array_elements($3) WITH ORDINALITY AS v (member, number) "
				 "ORDER BY v.member -> 'partition', v.number DESC), "
				 "gone AS (DELETE FROM lyftron.state s WHERE s.pipeline = $1 AND s.partition IS NOT NULL "
				 "AND NOT EXISTS (SELECT FROM given WHERE given.partition = s.partition)) "
				 "INSERT INTO lyftron.state AS s (pipeline, stream, ordinal, partition, cursor) "
				 "SELECT $1, $2, given.number + (SELECT coalesce(max(ordinal), 0) FROM lyftron.state WHERE pipeline = $1), "
				 "given.partition, given.cursor FROM given "
				 "LEFT JOIN lyftron.state old ON old.pipeline = $1 AND old.partition = given.partition "
				 "WHERE old.pipeline IS NULL OR old.cursor IS DISTINCT FROM given.cursor "
				 "ON CONFLICT (pipeline, md5(coalesce(partition::text, ''))) DO UPDATE "
				 "SET cursor = EXCLUDED.cursor, updated_at = now()",
				 NULL, NULL);
}

static void
delete_rows(const char *pipeline, bool partitions)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, pipeline);
	lyf_args_run(&args, partitions
				 ? "DELETE FROM lyftron.state WHERE pipeline = $1 AND partition IS NOT NULL"
				 : "DELETE FROM lyftron.state WHERE pipeline = $1 AND partition IS NULL",
				 NULL, NULL);
}

void
lyf_state_put(const char *pipeline, const char *stream, const LyfValue *state, const LyfValue *page)
{
	LyfValue   *states = lyf_value_get(state, "states");
	LyfValue   *rest = NULL;

	if (!lyf_value_is(states, LYF_LIST))
		states = NULL;
	if (state != NULL)
	{
		rest = lyf_value_copy(state);
		if (states != NULL)
			lyf_value_remove(rest, "states");
	}
	if (rest != NULL || page != NULL)
		put_stream(pipeline, stream, rest, page);
	else
		delete_rows(pipeline, false);
	if (states != NULL)
		put_partitions(pipeline, stream, states);
	else
		delete_rows(pipeline, true);
}

void
lyf_state_forget(const char *pipeline, bool state_too)
{
	LyfArgs		args = {0};
	LyfArgs		again = {0};

	lyf_args_text(&args, pipeline);
	if (!state_too)
		lyf_args_run(&args,
					 "UPDATE lyftron.state SET page = NULL, updated_at = now() "
					 "WHERE pipeline = $1 AND partition IS NULL AND page IS NOT NULL", NULL, NULL);
	lyf_args_text(&again, pipeline);
	lyf_args_run(&again, state_too
				 ? "DELETE FROM lyftron.state WHERE pipeline = $1"
				 : "DELETE FROM lyftron.state WHERE pipeline = $1 AND partition IS NULL AND cursor IS NULL",
				 NULL, NULL);
}

/* what a message of this type holds, or NULL */
static LyfValue *
message_member(const LyfValue *message, const char *type, const char *member)
{
	const char *text = lyf_value_text(lyf_value_get(message, "type"));

	return text != NULL && strcmp(text, type) == 0 ? lyf_value_get(message, member) : NULL;
}

static bool unwrap_message(const LyfValue *message, const char *stream, LyfValue **state);

/* The last state of the stream in a list of messages; NULL if there is none. */
static LyfValue *
unwrap_list(const LyfValue *list, const char *stream)
{
	LyfValue   *found = NULL;

	if (!lyf_value_is(list, LYF_LIST))
		return NULL;
	lyf_foreach(message, list)
	{
		LyfValue   *state = NULL;

		if (unwrap_message(message, stream, &state) && state != NULL)
			found = state;
	}
	return found;
}

/* Airbyte's messages: false: it is none of them.  The state is NULL where it is another stream's. */
static bool
unwrap_message(const LyfValue *message, const char *stream, LyfValue **state)
{
	const LyfValue *inner = message_member(message, "STATE", "state");
	const char *name;

	*state = NULL;
	if (inner != NULL)
		return unwrap_message(inner, stream, state);
	if ((inner = message_member(message, "GLOBAL", "global")) != NULL)
		*state = unwrap_list(lyf_value_get(inner, "stream_states"), stream);
	else if ((inner = message_member(message, "LEGACY", "data")) != NULL)
		*state = lyf_value_get(inner, stream);
	else
	{
		inner = lyf_value_get(message, "stream");
		if (lyf_value_get(inner, "stream_descriptor") == NULL)
			inner = message;
		if (inner == message && lyf_value_get(inner, "stream_state") == NULL)
			return false;
		name = lyf_value_text(lyf_value_get(lyf_value_get(inner, "stream_descriptor"), "name"));
		if (name == NULL || strcmp(name, stream) == 0)
			*state = lyf_value_get(inner, "stream_state");
	}
	return true;
}

LyfValue *
lyf_state_unwrap(const LyfValue *value, const char *stream)
{
	LyfValue   *found = NULL;

	if (value->kind == LYF_LIST)
		found = unwrap_list(value, stream);
	else if (!unwrap_message(value, stream, &found) && value->kind == LYF_MAP)
		found = lyf_value_copy(value);
	if (!lyf_value_is(found, LYF_MAP))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this is no state of stream \"%s\"", stream),
				 errhint("Give the stream's state object, or Airbyte's list of state messages with this stream in it.")));
	return found;
}
