/*
 * read.c
 *		Reading a stream: for each partition, for each slice of it, page by page.
 *
 * The one loop of the flow is closed here: a page's records tell paging whether
 * there is another page, and the cursor how far the slice has come.  A parent of
 * a substream is a reader too (read_parent.c), and a read can go on from a position
 * between two pages (read_position.c).
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "base/datetime.h"
#include "connector/credential_internal.h"
#include "connector/read_internal.h"

/* The part of a state that parents may start from: all but the partitions' own. */
static const LyfValue *
state_for_parents(const LyfValue *state)
{
	LyfValue   *part;

	if (!lyf_value_is(state, LYF_MAP))
		return NULL;
	part = lyf_value_merge(state, NULL);
	lyf_value_remove(part, "states");
	return part;
}

/* Start from the first partition, with the state that was given. */
static LyfFailure *
begin_read(LyfReader *reader)
{
	const LyfReadOptions *options = &reader->options;
	LyfStream  *stream = reader->stream;
	const LyfValue *state = options->full_refresh ? NULL : options->state;
	MemoryContext old = MemoryContextSwitchTo(reader->read_cxt);
	LyfFailure *failure;

	reader->partition_count = 0;
	reader->partition = NULL;
	reader->slice = NULL;
	failure = lyf_progress_begin(stream->cursor, stream->router, reader->session, state, &reader->progress);
	if (failure == NULL)
	{
		if (options->cursor_low != NULL || options->cursor_high != NULL || options->partition_wanted != NULL)
			lyf_progress_restrict(reader->progress, options->cursor_low, options->cursor_high);
		if (stream->router != NULL)
			reader->routing = lyf_router_begin(stream->router, reader->session,
											   stream->cursor != NULL ? reader->router_state : NULL);
	}
	MemoryContextSwitchTo(old);
	return failure;
}

static void
end_read(LyfReader *reader)
{
	if (reader->fetch != NULL)
		lyf_fetch_end(reader->fetch);
	if (reader->routing != NULL)
		lyf_router_end(reader->routing);
	reader->fetch = NULL;
	reader->job = NULL;
	reader->routing = NULL;
	reader->progress = NULL;
	reader->slices_ahead = 0;
	if (reader->session == &reader->own_session)
		lyf_ahead_drop(reader->session);
	MemoryContextReset(reader->slice_cxt);
	MemoryContextReset(reader->partition_cxt);
	MemoryContextReset(reader->read_cxt);
}

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
	if (reader->lazy)
		lyf_fetch_set_first(*fetch, reader->partition->first_page);
	return NULL;
}

/* Begin to fetch the next of the job's results; none is left: reader->fetch is NULL. */
static void
open_target(LyfReader *reader)
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
	open_target(reader);
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
	reader->slice_closed = false;
	reader->partition_has_slices = true;
	reader->slices_ahead = Max(reader->slices_ahead - 1, 0);
	return NULL;
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
		end_read(reader);
		LYF_TRY(begin_read(reader));
		LYF_TRY(lyf_read_find(reader, position, false, &found));
	}
	if (!found)
	{
		end_read(reader);
		LYF_TRY(begin_read(reader));
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

	memset(records, 0, sizeof(LyfRecords));
	if (reader->chunks != NULL)
		LYF_TRY(select_chunks(reader, &page, records));
	else
		LYF_TRY(select_records(reader, page, records));
	if (reader->client_side && !reader->data_feed)
	{
		LYF_TRY(drop_known(reader));
		records->facts.emitted_count = records->count;
		records->facts.last_record = records->count > 0 ? records->record[records->count - 1] : NULL;
	}
	if (reader->data_feed)
		LYF_TRY(lyf_progress_feed_ended(reader->progress, reader->slice, records->facts.last_record, &stop));
	if (stop)
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
	open_target(reader);
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
		if (!reader->is_parent && reader->job == NULL && lyf_fetch_token(reader->fetch) == NULL)
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
	return reader->job == NULL || reader->slice_closed;
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

void
lyf_reader_end(LyfReader *reader)
{
	end_read(reader);
	MemoryContextDelete(reader->cxt);
}

LyfReader *
lyf_reader_make(void)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron reader", ALLOCSET_DEFAULT_SIZES);
	LyfReader  *reader = MemoryContextAllocZero(cxt, sizeof(LyfReader));

	reader->cxt = cxt;
	reader->read_cxt = AllocSetContextCreate(cxt, "lyftron progress", ALLOCSET_DEFAULT_SIZES);
	reader->partition_cxt = AllocSetContextCreate(cxt, "lyftron partition", ALLOCSET_SMALL_SIZES);
	reader->slice_cxt = AllocSetContextCreate(cxt, "lyftron slice", ALLOCSET_SMALL_SIZES);
	return reader;
}

/* Is the state from before what the API keeps? */
static LyfFailure *
is_outdated(LyfReader *reader, LyfStream *stream, const LyfValue *state, bool *outdated)
{
	const LyfStream *variants[] = {stream->first, stream};
	LyfSession *session = reader->session;
	LyfValue   *period;
	TimestampTz at;
	bool		known = false;
	char	   *text;

	*outdated = false;
	if (stream->retention == NULL || lyf_value_get(state, "__ab_no_cursor_state_message") != NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_text(stream->retention, &session->scope, &text));
	if (*text == '\0')
		return NULL;
	LYF_TRY(lyf_duration_parse(text, &period));
	for (int i = 0; i < lengthof(variants) && !known; i++)
	{
		if (variants[i]->cursor != NULL)
			LYF_TRY(lyf_cursor_state_time(variants[i]->cursor, session, state, &at, &known));
	}
	*outdated = !known ||
		at < lyf_datetime_us(lyf_datetime_add(lyf_datetime_make(session->started, 0), period, -1));
	return NULL;
}

static bool
has_position(const LyfReadOptions *options)
{
	return options->position != NULL && options->position->len > 0;
}

/* Did the read begin without a state?  A position says so by a mark. */
static bool
is_without_state(const LyfReadOptions *options, const char *mark)
{
	if (has_position(options))
		return lyf_value_get(options->position, mark) != NULL;
	return options->full_refresh || !lyf_value_truth(options->state);
}

/*
 * Without a state, or with one that is too old, a StateDelegatingStream is read in its other
 * way, and to the end: a position says that it is.
 */
static LyfFailure *
choose(LyfReader *reader, LyfStream *stream)
{
	LyfReadOptions *options = &reader->options;

	if (stream->first == NULL)
		return NULL;
	reader->is_first = is_without_state(options, "first");
	if (!reader->is_first && !reader->is_parent && !has_position(options))
	{
		LYF_TRY(is_outdated(reader, stream, options->state, &reader->is_first));
		if (reader->is_first)
			options->state = NULL;
	}
	return NULL;
}

LyfFailure *
lyf_reader_use(LyfReader *reader, LyfStream *stream)
{
	LyfFailure *failure = choose(reader, stream);

	reader->stream = reader->is_first ? stream->first : stream;
	reader->lazy = lyf_router_is_lazy(reader->stream->router) && is_without_state(&reader->options, "lazy");
	if (reader->stream->cursor != NULL)
	{
		reader->client_side = lyf_cursor_is_client_side(reader->stream->cursor);
		reader->data_feed = lyf_cursor_is_data_feed(reader->stream->cursor);
	}
	return failure;
}

/* Finish making it, or give it up. */
LyfFailure *
lyf_reader_begin_made(LyfReader *reader, LyfReader **out)
{
	MemoryContext caller = MemoryContextSwitchTo(reader->cxt);
	LyfFailure *failure;

	reader->router_state = state_for_parents(reader->options.state);
	if (lyf_value_get(reader->options.position, "parents") != NULL)
		reader->router_state = lyf_value_get(reader->options.position, "parents");
	MemoryContextSwitchTo(caller);
	failure = begin_read(reader);
	if (failure == NULL)
	{
		*out = reader;
		return NULL;
	}
	failure = lyf_reader_redact(reader, failure);
	lyf_reader_end(reader);
	return failure;
}

static LyfValue *
copy_or_null(const LyfValue *value)
{
	return value != NULL && value->kind != LYF_NULL ? lyf_value_copy(value) : NULL;
}

static void
init_session(LyfReader *reader, const LyfAccount *account)
{
	LyfSession *session = &reader->own_session;
	const LyfValue *started = lyf_value_get(reader->options.position, "started");

	lyf_scope_init(&session->scope, NULL);
	lyf_scope_set(&session->scope, "config", account->config);
	session->config = account->config;
	session->started = lyf_value_is(started, LYF_INT) ? started->u.integer : lyf_now();
	session->stats = reader->options.stats;
	session->cxt = reader->cxt;
	session->secrets = account->secrets;
	session->secret_count = account->secret_count;
	session->secrets_given = account->secret_count;
	session->identity = account->identity;
	session->store = &lyf_credential_store;
	session->store_arg = account;
	session->concurrency = lyf_read_concurrency(account->connector, session);
	reader->session = session;
}

/* without a user mapping secrets may be missing, but not where something is to be read */
static LyfFailure *
require_secrets(const LyfAccount *account)
{
	LyfFailure *failure;

	if (account->has_mapping)
		return NULL;
	failure = lyf_spec_check(account->connector, account->given, true);
	if (failure == NULL)
		failure = lyf_config_validate(account->connector, account->config);
	if (failure != NULL)
		lyf_failure_detail(failure, "Role \"%s\" has no user mapping for server \"%s\".",
						   GetUserNameFromId(account->user, true), account->server_name);
	return failure;
}

LyfFailure *
lyf_reader_begin(const LyfAccount *account, LyfStream *stream,
				 const LyfReadOptions *options, LyfReader **out)
{
	MemoryContext caller = CurrentMemoryContext;
	LyfFailure *failure;
	LyfReader  *reader;

	*out = NULL;
	LYF_TRY(require_secrets(account));
	reader = lyf_reader_make();
	MemoryContextSwitchTo(reader->cxt);
	reader->server_name = pstrdup(account->server_name);
	reader->options = *options;
	reader->options.state = copy_or_null(options->state);
	reader->options.position = copy_or_null(options->position);
	reader->options.cursor_low = copy_or_null(options->cursor_low);
	reader->options.cursor_high = copy_or_null(options->cursor_high);
	init_session(reader, account);
	failure = lyf_reader_use(reader, stream);
	MemoryContextSwitchTo(caller);
	if (failure == NULL)
		return lyf_reader_begin_made(reader, out);
	failure = lyf_reader_redact(reader, failure);
	lyf_reader_end(reader);
	return failure;
}

LyfFailure *
lyf_reader_restart(LyfReader *reader, const LyfReadOptions *options)
{
	end_read(reader);
	reader->options.partition_wanted = options->partition_wanted;
	reader->options.partition_arg = options->partition_arg;
	reader->options.cursor_low = options->cursor_low;
	reader->options.cursor_high = options->cursor_high;
	reader->started = false;
	reader->finished = false;
	reader->slice_done = false;
	return lyf_reader_redact(reader, begin_read(reader));
}
