/*
 * read_parent.c
 *		A stream read as the parent of another: record by record, in the session of
 *		its child.
 */
#include "postgres.h"

#include "connector/read_internal.h"

/* What of its child's state is the parent's, in CurrentMemoryContext. */
static LyfFailure *
parent_state_in(const LyfParent *parent, LyfSession *session, const LyfValue *state, LyfValue **out)
{
	const LyfStream *stream = parent->stream;
	const LyfValue *own = lyf_value_get(lyf_value_get(state, "parent_state"), parent->name);
	const LyfValue *sole = NULL;
	int			count = 0;
	char	   *field;

	*out = NULL;
	if (own == NULL)
		own = lyf_value_get(state, "state");
	if (own != NULL)
	{
		*out = lyf_value_copy(own);
		return NULL;
	}
	if (stream->cursor == NULL || !lyf_value_is(state, LYF_MAP))
		return NULL;

	/* The child's one cursor value, under the parent's name for it */
	lyf_foreach(member, state)
	{
		if (strcmp(member->key, "__ab_no_cursor_state_message") == 0)
			continue;
		sole = member;
		count++;
	}
	if (count != 1 || (sole->kind != LYF_STRING && sole->kind != LYF_INT && sole->kind != LYF_NUMBER))
		return NULL;
	LYF_TRY(lyf_cursor_field(stream->cursor, session, &field));
	*out = lyf_value_make(LYF_MAP);
	lyf_value_set(*out, field, lyf_value_copy(sole));
	return NULL;
}

static LyfFailure *
parent_begin(LyfParent *parent, LyfSession *session, const LyfValue *state, void **out)
{
	MemoryContext caller = CurrentMemoryContext;
	LyfReader  *reader = lyf_reader_make();
	LyfReader  *begun = NULL;
	LyfValue   *own = NULL;
	LyfFailure *failure;

	reader->session = session;
	reader->is_parent = true;
	MemoryContextSwitchTo(reader->cxt);
	failure = parent_state_in(parent, session, state, &own);
	reader->options.state = own;
	if (failure == NULL)
		failure = lyf_reader_use(reader, parent->stream);
	MemoryContextSwitchTo(caller);
	if (failure != NULL)
		return failure;
	failure = lyf_reader_begin_made(reader, &begun);
	*out = begun;
	return failure;
}

static LyfFailure *
parent_next(void *arg, LyfValue **record, const LyfSlice **slice)
{
	LyfReader  *reader = arg;
	LyfRecords *records;
	TimestampTz extracted_at;

	*record = NULL;
	while (reader->next_record >= reader->records.count)
	{
		LYF_TRY(lyf_reader_next(reader, &records, &extracted_at));
		reader->next_record = 0;
		if (records == NULL)
			return NULL;
	}
	*record = reader->records.record[reader->next_record++];
	*slice = reader->slice;
	return NULL;
}

static void
parent_peek(void *arg, int place, LyfValue **record, const LyfSlice **slice)
{
	LyfReader  *reader = arg;
	int64		i = (int64) reader->next_record + place;

	*record = i < reader->records.count ? reader->records.record[i] : NULL;
	*slice = reader->slice;
}

static void
parent_ahead(void *arg)
{
	LyfReader  *reader = arg;

	if (reader->fetch != NULL)
		lyf_fetch_ahead(reader->fetch);
}

/* Of the slices whose last record was handed out and followed by another request. */
static LyfValue *
parent_state(void *arg)
{
	LyfValue   *state;

	return lyf_reader_state(arg, &state) == NULL ? state : lyf_value_make(LYF_MAP);
}

static void
parent_end(void *arg)
{
	lyf_reader_end(arg);
}

void
lyf_parent_bind(LyfParent *parent)
{
	parent->name = ((const LyfStream *) parent->stream)->name;
	parent->begin = parent_begin;
	parent->next = parent_next;
	parent->peek = parent_peek;
	parent->ahead = parent_ahead;
	parent->state = parent_state;
	parent->end = parent_end;
}
