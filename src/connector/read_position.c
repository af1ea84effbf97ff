/*
 * read_position.c
 *		Where between two pages a read stands, for a later one to go on from there;
 *		and the same in words, for messages.
 *
 * A position says, beside the state, which partition (by number, checked by its
 * value), which slice of it and which page of that, and the moment that `now` was.
 * If the partition is not where it was, because the source has changed, it is
 * looked for; if it is gone, the read starts over: rows come twice then, none is missed.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "connector/read_internal.h"

#define DESCRIBED_SLICE	300		/* bytes of a slice that a message shows */

static char *
partition_key(const LyfSlice *partition)
{
	StringInfoData key;

	initStringInfo(&key);
	lyf_value_print_sorted(&key, partition->partition);
	return key.data;
}

/* Is the current partition the one of this key?  Its own key goes with it: there may be many to look at. */
static bool
is_partition(LyfReader *reader, const char *key)
{
	MemoryContext old = MemoryContextSwitchTo(reader->partition_cxt);
	bool		same = strcmp(partition_key(reader->partition), key) == 0;

	MemoryContextSwitchTo(old);
	return same;
}

/* Pass the partitions before the one of a position, given by its number or else by its key. */
static LyfFailure *
pass_partitions(LyfReader *reader, int64 number, const char *key, bool *found)
{
	bool		duplicate;

	*found = false;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (key == NULL && reader->partition_count == number)
			break;
		LYF_TRY(lyf_read_pull(reader));
		if (reader->partition == NULL)
			return NULL;
		if (key != NULL && (number == 0 || reader->partition_count == number))
		{
			if (is_partition(reader, key))
				break;
			if (number != 0)
				return NULL;
		}
		if (lyf_read_wants(reader, reader->partition))
			LYF_TRY(lyf_progress_open(reader->progress, reader->partition, &duplicate));
	}
	*found = true;
	return NULL;
}

LyfFailure *
lyf_read_find(LyfReader *reader, const LyfValue *position, bool by_number, bool *found)
{
	const LyfValue *count = lyf_value_get(position, "partitions");
	const char *key = lyf_value_text(lyf_value_get(position, "partition"));
	const LyfValue *window = lyf_value_get(position, "slice");
	bool		duplicate;

	*found = false;
	if (!lyf_value_is(count, LYF_INT) || count->u.integer < (key != NULL ? 1 : 0) || (key == NULL && !by_number))
		return NULL;
	LYF_TRY(pass_partitions(reader, by_number ? count->u.integer : 0, key, found));
	if (!*found)
		return NULL;
	*found = lyf_progress_resume(reader->progress, lyf_value_get(position, "progress"), key != NULL);
	if (!*found)
		return NULL;
	if (key == NULL)
	{
		reader->partition = NULL;
		return NULL;
	}
	LYF_TRY(lyf_progress_open(reader->progress, reader->partition, &duplicate));
	reader->partition_has_slices = true;
	if (window == NULL)
		return NULL;
	MemoryContextSwitchTo(reader->slice_cxt);
	return lyf_read_open_slice(reader, lyf_slice_make(reader->partition->partition, lyf_value_copy(window),
											 reader->partition->extra_fields),
					  lyf_value_get(position, "token"));
}

LyfValue *
lyf_reader_position(LyfReader *reader)
{
	LyfValue   *position;

	if (reader->finished)
		return NULL;
	if (!reader->started)
		return reader->options.position != NULL ? lyf_value_copy(reader->options.position) : lyf_value_make(LYF_MAP);
	position = lyf_value_make(LYF_MAP);
	lyf_value_set(position, "started", lyf_value_int(reader->session->started));
	if (reader->is_first)
		lyf_value_set(position, "first", lyf_value_bool(true));
	if (reader->lazy)
		lyf_value_set(position, "lazy", lyf_value_bool(true));
	if (reader->router_state != NULL && reader->routing != NULL)
		lyf_value_set(position, "parents", lyf_value_copy(reader->router_state));
	lyf_value_set(position, "partitions", lyf_value_int(reader->partition_count));
	if (reader->partition != NULL)
		lyf_value_set(position, "partition", lyf_value_string(partition_key(reader->partition)));
	if (reader->slice != NULL && !reader->slice_closed)
	{
		LyfValue   *token = lyf_fetch_token(reader->fetch);

		lyf_value_set(position, "slice", lyf_value_copy(reader->slice->cursor_slice));
		if (token != NULL)
			lyf_value_set(position, "token", lyf_value_copy(token));
	}
	lyf_value_set(position, "progress", lyf_progress_save(reader->progress));
	return position;
}

LyfFailure *
lyf_reader_redact(const LyfReader *reader, const LyfFailure *failure)
{
	return lyf_redact_failure(failure, reader->session->secrets, reader->session->secret_count);
}

char *
lyf_reader_redact_text(const LyfReader *reader, const char *text)
{
	return lyf_redact_text(text, reader->session->secrets, reader->session->secret_count);
}

char *
lyf_reader_describe(LyfReader *reader)
{
	StringInfoData text;
	char	   *slice = NULL;

	initStringInfo(&text);
	if (reader->server_name != NULL)
		appendStringInfo(&text, "server \"%s\", ", reader->server_name);
	appendStringInfo(&text, "stream \"%s\"", reader->stream->name);
	if (reader->slice != NULL && reader->slice->merged->len > 0)
		slice = lyf_reader_redact_text(reader, lyf_value_to_text(reader->slice->merged));
	if (slice != NULL)
	{
		int			len = pg_mbcliplen(slice, strlen(slice), DESCRIBED_SLICE);

		appendStringInfo(&text, ", slice %.*s%s", len, slice, slice[len] != '\0' ? "..." : "");
	}
	return lyf_reader_redact_text(reader, text.data);
}
