/*
 * read_fetch.c
 *		How the pages of a slice come: by requests, by a job of the source, in pieces that
 *		are put together, or again from where the slice got to.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "connector/read_internal.h"

/* Prepare to fetch a slice, from a page's token or its start. */
LyfFailure *
lyf_read_make_fetch(LyfReader *reader, const LyfSlice *slice, const LyfValue *token, LyfFetch **fetch)
{
	LyfStream  *stream = reader->stream;
	LyfInjection *of_router;
	LyfInjection *of_cursor = NULL;
	LyfInjection *all;
	int			router_count;
	int			cursor_count = 0;

	LYF_TRY(lyf_router_injections(stream->router, reader->session, slice, &of_router, &router_count));
	if (stream->cursor != NULL)
		LYF_TRY(lyf_cursor_injections(stream->cursor, reader->session, slice, &of_cursor, &cursor_count));
	all = palloc(sizeof(LyfInjection) * (router_count + cursor_count + 1));
	if (router_count > 0)
		memcpy(all, of_router, sizeof(LyfInjection) * router_count);
	if (cursor_count > 0)
		memcpy(all + router_count, of_cursor, sizeof(LyfInjection) * cursor_count);
	*fetch = lyf_fetch_begin(stream->requester, stream->paginator, reader->session, slice,
							 all, router_count + cursor_count, stream->slice_options_once, token);
	lyf_fetch_set_chunks(*fetch, reader->chunks);
	if (stream->resets)
		lyf_fetch_hand_out_resets(*fetch);
	if (reader->lazy)
		lyf_fetch_set_first(*fetch, reader->partition->first_page);
	return NULL;
}

/* Begin to fetch the next of the job's results; none is left: reader->fetch is NULL. */
void
lyf_read_open_target(LyfReader *reader)
{
	const LyfStream *stream = reader->stream;

	reader->fetch = NULL;
	if (reader->target >= lyf_job_targets(reader->job))
		return;
	reader->fetch = lyf_fetch_begin(lyf_jobs_download(stream->jobs), stream->paginator, reader->session,
									lyf_job_slice(reader->job, reader->target++), NULL, 0, false, NULL);
}

/* The slice is a job: have it done first. */
static LyfFailure *
open_job(LyfReader *reader, const LyfSlice *slice)
{
	LYF_TRY(lyf_job_run(reader->stream->jobs, reader->session, slice, &reader->job));
	reader->target = 0;
	lyf_read_open_target(reader);
	return NULL;
}

/*
 * Before the first slice: a schema that the source has, and the properties that it is
 * asked for.  They stay as long as the reader.
 */
static LyfFailure *
ask_source(LyfReader *reader)
{
	LyfStream  *stream = reader->stream;
	LyfValue   *schema = stream->schema;

	if (stream->schema_source != NULL)
	{
		LYF_TRY(lyf_schema_load(stream, reader->session, &schema));
		lyf_selector_set_schema(stream->selector, schema);
	}
	if (stream->properties != NULL)
		LYF_TRY(lyf_properties_chunks(stream->properties, reader->session, schema, &reader->chunks));
	return NULL;
}

static LyfFailure *
prepare(LyfReader *reader)
{
	MemoryContext old = MemoryContextSwitchTo(reader->cxt);
	LyfFailure *failure = reader->prepared ? NULL : ask_source(reader);

	reader->prepared = failure == NULL;
	MemoryContextSwitchTo(old);
	return failure;
}

/* Make slice the current one and prepare to fetch it, from a page's token or its start. */
LyfFailure *
lyf_read_open_slice(LyfReader *reader, LyfSlice *slice, const LyfValue *token)
{
	LYF_TRY(prepare(reader));
	if (reader->stream->jobs != NULL)
		LYF_TRY(open_job(reader, slice));
	else
		LYF_TRY(lyf_read_make_fetch(reader, slice, token, &reader->fetch));
	lyf_scope_init(&reader->scope, &reader->session->scope);
	lyf_scope_set_slice(&reader->scope, slice->merged);
	reader->slice = slice;
	reader->shortened = NULL;
	reader->page_records = 0;
	reader->resets = 0;
	reader->reset_due = false;
	reader->slice_closed = false;
	reader->partition_has_slices = true;
	reader->slices_ahead = Max(reader->slices_ahead - 1, 0);
	return NULL;
}

static LyfFailure *
select_records(LyfReader *reader, LyfPage *page, LyfRecords *records)
{
	memset(records, 0, sizeof(LyfRecords));
	if (page->no_records || page->reset)
		return NULL;
	return lyf_select_records(reader->stream->selector, reader->session, &reader->scope,
							  reader->stream->decoder, page, records);
}

/* The same of a page that takes several requests; *page is then the answer to the last one. */
static LyfFailure *
select_chunks(LyfReader *reader, LyfPage **page, LyfRecords *records)
{
	LyfMerge   *merge = lyf_merge_begin(reader->stream->properties);
	LyfPage    *next = *page;

	while (next != NULL)
	{
		*page = next;
		LYF_TRY(select_records(reader, *page, records));
		LYF_TRY(lyf_merge_add(merge, records));
		LYF_TRY(lyf_fetch_next_chunk(reader->fetch, &next));
	}
	lyf_merge_end(merge, records);
	return NULL;
}

/* *page is then the one that paging looks at */
LyfFailure *
lyf_read_select(LyfReader *reader, LyfPage **page, LyfRecords *records)
{
	return reader->chunks != NULL ? select_chunks(reader, page, records) : select_records(reader, *page, records);
}

/* also where the API does not ask for it: some give no more than so many records for a request */
bool
lyf_read_resets(LyfReader *reader, const LyfPage *page)
{
	const LyfStream *stream = reader->stream;

	if (!stream->resets)
		return false;
	reader->page_records += reader->records.count;
	return page->reset || (stream->reset_records > 0 && reader->page_records >= stream->reset_records);
}

/*
 * What is left of the slice is read from its first page on.  Where nothing of it was seen,
 * or there is no cursor to tell, the same is tried once more, and no more than that.
 */
LyfFailure *
lyf_read_reset(LyfReader *reader)
{
	bool		by_cursor = reader->stream->reset_by_cursor && reader->stream->cursor != NULL;
	const LyfSlice *before = reader->shortened != NULL ? reader->shortened : reader->slice;
	const LyfSlice *next = by_cursor ? lyf_progress_shorten(reader->progress, reader->slice) : NULL;

	reader->reset_due = false;
	reader->page_records = 0;
	if (next == NULL || lyf_value_equal(next->cursor_slice, before->cursor_slice))
	{
		if (by_cursor || reader->resets++ > 0)
			return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "paging has to begin again and again, and comes no further"),
									"Smaller slices (a step of the cursor) may stay below the API's bound.");
		next = before;
	}
	reader->shortened = next;
	lyf_fetch_end(reader->fetch);
	reader->fetch = NULL;
	memset(&reader->records, 0, sizeof(LyfRecords));
	lyf_scope_init(&reader->scope, &reader->session->scope);
	lyf_scope_set_slice(&reader->scope, next->merged);
	return lyf_read_make_fetch(reader, next, NULL, &reader->fetch);
}
