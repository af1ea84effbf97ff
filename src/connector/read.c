/*
 * read.c
 *		Reading a stream: for each partition, for each slice of it, page by page.
 *
 * The one loop of the flow is closed here: a page's records tell paging whether
 * there is another page, and the cursor how far the slice has come.  A parent of
 * a substream is a reader too (read_parent.c), and a read can go on from a position
 * between two pages (read_position.c).  How a read begins is in read_begin.c, how the
 * pages of a slice come in read_fetch.c.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "connector/read_internal.h"

/* Is it one of the partitions that were asked for? */
bool
lyf_read_wants(const LyfReader *reader, const LyfSlice *partition)
{
	return reader->options.partition_wanted == NULL ||
		reader->options.partition_wanted(reader->options.partition_arg, partition->partition);
}

/* The next partition of the router, or the only one; NULL at the end. */
LyfFailure *
lyf_read_pull(LyfReader *reader)
{
	MemoryContext old;
	LyfFailure *failure = NULL;

	reader->partition = NULL;
	MemoryContextReset(reader->partition_cxt);
	old = MemoryContextSwitchTo(reader->partition_cxt);
	if (reader->routing != NULL)
		failure = lyf_router_next(reader->routing, &reader->partition);
	else if (reader->partition_count == 0)
		reader->partition = lyf_slice_make(NULL, NULL, NULL);
	MemoryContextSwitchTo(old);
	if (reader->partition != NULL)
		reader->partition_count++;
	return failure;
}

/* Go on to a partition that is to be read; reader->partition is NULL at the end. */
static LyfFailure *
next_partition(LyfReader *reader)
{
	bool		duplicate;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		LYF_TRY(lyf_read_pull(reader));
		if (reader->partition == NULL)
			return NULL;
		if (!lyf_read_wants(reader, reader->partition))
			continue;
		LYF_TRY(lyf_progress_open(reader->progress, reader->partition, &duplicate));
		if (duplicate)
			continue;
		reader->partition_has_slices = false;
		return NULL;
	}
}

/* The current slice was read to its end. */
static LyfFailure *
close_slice(LyfReader *reader)
{
	if (reader->job != NULL)
		LYF_TRY(lyf_job_end(reader->job));
	reader->slice_closed = true;
	reader->slice_done = true;
	reader->slices_read++;
	return lyf_progress_close_slice(reader->progress, reader->slice);
}

static void
leave_slice(LyfReader *reader)
{
	if (reader->fetch != NULL)
		lyf_fetch_end(reader->fetch);
	reader->fetch = NULL;
	reader->job = NULL;
	reader->slice = NULL;
	memset(&reader->records, 0, sizeof(LyfRecords));
	MemoryContextReset(reader->slice_cxt);
}

/* Go on to the next slice, of this partition or one after it, or find that there is none. */
static LyfFailure *
next_slice(LyfReader *reader)
{
	leave_slice(reader);
	for (;;)
	{
		LyfSlice   *slice = NULL;

		CHECK_FOR_INTERRUPTS();
		if (reader->partition == NULL)
			LYF_TRY(next_partition(reader));
		if (reader->partition == NULL)
		{
			reader->finished = true;
			return lyf_progress_close_all(reader->progress);
		}
		MemoryContextSwitchTo(reader->slice_cxt);
		LYF_TRY(lyf_progress_next(reader->progress, reader->partition, &slice));
		if (slice != NULL)
			return lyf_read_open_slice(reader, slice, NULL);
		if (reader->partition_has_slices)
			LYF_TRY(lyf_progress_close_partition(reader->progress, reader->partition));
		reader->partition = NULL;
	}
}

/* The first call: begin the read, where a position says so in the middle of it. */
static LyfFailure *
start(LyfReader *reader)
{
	const LyfValue *position = reader->options.position;
	bool		found;

	reader->started = true;
	if (position == NULL)
		return next_slice(reader);
	LYF_TRY(lyf_read_find(reader, position, true, &found));
	if (!found)
	{
		lyf_read_end(reader);
		LYF_TRY(lyf_read_begin(reader));
		LYF_TRY(lyf_read_find(reader, position, false, &found));
	}
	if (!found)
	{
		lyf_read_end(reader);
		LYF_TRY(lyf_read_begin(reader));
		reader->restarted = true;
	}
	return reader->slice != NULL ? NULL : next_slice(reader);
}

/* Drop the records that the cursor knows already. */
static LyfFailure *
drop_known(LyfReader *reader)
{
	LyfRecords *records = &reader->records;
	int			kept = 0;

	for (int i = 0; i < records->count; i++)
	{
		bool		keep;

		LYF_TRY(lyf_progress_keep(reader->progress, reader->slice, records->record[i], &keep));
		if (keep)
			records->record[kept++] = records->record[i];
	}
	records->count = kept;
	return NULL;
}

/*
 * The records of a page, and what they mean for paging and cursor.  A data feed
 * is paged by all records, and stops at the first known one; client-side
 * filtering comes before paging sees the last record.
 */
static LyfFailure *
read_page(LyfReader *reader, LyfPage *page)
{
	LyfRecords *records = &reader->records;
	bool		stop = false;

	LYF_TRY(lyf_read_select(reader, &page, records));
	if (reader->client_side && !reader->data_feed)
	{
		LYF_TRY(drop_known(reader));
		records->facts.emitted_count = records->count;
		records->facts.last_record = records->count > 0 ? records->record[records->count - 1] : NULL;
	}
	if (reader->data_feed)
		LYF_TRY(lyf_progress_feed_ended(reader->progress, reader->slice, records->facts.last_record, &stop));
	reader->reset_due = !stop && lyf_read_resets(reader, page);
	if (stop || reader->reset_due)
		lyf_fetch_stop(reader->fetch);
	else
		LYF_TRY(lyf_fetch_observe(reader->fetch, page, &records->facts));
	if (reader->data_feed)
		LYF_TRY(drop_known(reader));
	for (int i = 0; i < records->count; i++)
		LYF_TRY(lyf_progress_observe(reader->progress, reader->slice, records->record[i]));
	return NULL;
}

/* No page is left: go on to the job's next result, or finish the slice. */
static LyfFailure *
end_of_pages(LyfReader *reader)
{
	if (reader->job == NULL)
		return close_slice(reader);
	if (reader->fetch != NULL)
		lyf_fetch_end(reader->fetch);
	memset(&reader->records, 0, sizeof(LyfRecords));
	lyf_read_open_target(reader);
	return reader->fetch == NULL ? close_slice(reader) : NULL;
}

static LyfFailure *
next_page(LyfReader *reader, LyfRecords **records, TimestampTz *extracted_at)
{
	if (!reader->started)
		LYF_TRY(start(reader));
	while (!reader->finished)
	{
		LyfPage    *page;

		CHECK_FOR_INTERRUPTS();
		if (reader->slice == NULL || reader->slice_closed)
		{
			LYF_TRY(next_slice(reader));
			continue;
		}
		MemoryContextSwitchTo(reader->slice_cxt);
		page = NULL;
		if (reader->reset_due)
			LYF_TRY(lyf_read_reset(reader));
		if (reader->fetch != NULL)
			LYF_TRY(lyf_fetch_next(reader->fetch, &page));
		if (page == NULL)
		{
			LYF_TRY(end_of_pages(reader));
			continue;
		}
		MemoryContextSwitchTo(lyf_fetch_page_context(reader->fetch));
		reader->page_bytes = page->response->body_len;
		LYF_TRY(read_page(reader, page));

		/* A parent's page is handed out record by record: its slice is read when another page is asked for */
		if (!reader->is_parent && reader->job == NULL && !reader->reset_due && lyf_fetch_token(reader->fetch) == NULL)
			LYF_TRY(close_slice(reader));
		*records = &reader->records;
		*extracted_at = lyf_now();
		return NULL;
	}
	leave_slice(reader);
	return NULL;
}

LyfFailure *
lyf_reader_next(LyfReader *reader, LyfRecords **records, TimestampTz *extracted_at)
{
	MemoryContext caller = CurrentMemoryContext;
	LyfFailure *failure;

	*records = NULL;
	failure = next_page(reader, records, extracted_at);
	MemoryContextSwitchTo(caller);
	return lyf_reader_redact(reader, failure);
}

/* Before the first page there is none: a context that goes with the next slice then. */
MemoryContext
lyf_reader_page_context(LyfReader *reader)
{
	return reader->fetch != NULL ? lyf_fetch_page_context(reader->fetch) : reader->slice_cxt;
}

bool
lyf_reader_may_stop(const LyfReader *reader)
{
	return reader->slice_closed || (reader->job == NULL && reader->shortened == NULL && !reader->reset_due);
}

bool
lyf_reader_slice_done(LyfReader *reader)
{
	bool		done = reader->slice_done;

	reader->slice_done = false;
	return done;
}

void
lyf_reader_slices(const LyfReader *reader, int64 *read, int64 *all)
{
	int			coming = 0;

	*read = reader->slices_read;
	*all = 0;
	/* how many partitions will come, a router does not know */
	if (reader->stream->router != NULL || reader->partition == NULL)
		return;
	while (lyf_progress_peek(reader->progress, reader->partition, true, coming) != NULL)
		coming++;
	*all = reader->slices_read + coming + (reader->slice != NULL && !reader->slice_closed);
}

bool
lyf_reader_restarted(const LyfReader *reader)
{
	return reader->restarted;
}

LyfFailure *
lyf_reader_state(LyfReader *reader, LyfValue **state)
{
	const LyfValue *parent_state = NULL;

	if (reader->options.full_refresh)
	{
		*state = lyf_value_make(LYF_MAP);
		lyf_value_set(*state, "__ab_no_cursor_state_message", lyf_value_bool(true));
		return NULL;
	}
	if (reader->routing != NULL && reader->started)
		parent_state = lyf_router_parent_state(reader->routing);
	LYF_TRY(lyf_progress_state(reader->progress, parent_state, state));
	*state = lyf_value_copy(*state);
	return NULL;
}
