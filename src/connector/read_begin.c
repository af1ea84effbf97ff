/*
 * read_begin.c
 *		The beginning of a read, and its end: a reader with its session, and which stream it
 *		is to read where that depends on the state.
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
LyfFailure *
lyf_read_begin(LyfReader *reader)
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

void
lyf_read_end(LyfReader *reader)
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

void
lyf_reader_end(LyfReader *reader)
{
	lyf_read_end(reader);
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
	failure = lyf_read_begin(reader);
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
	session->gate = &account->gate;
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
	lyf_read_end(reader);
	reader->options.partition_wanted = options->partition_wanted;
	reader->options.partition_arg = options->partition_arg;
	reader->options.cursor_low = options->cursor_low;
	reader->options.cursor_high = options->cursor_high;
	reader->started = false;
	reader->finished = false;
	reader->slice_done = false;
	return lyf_reader_redact(reader, lyf_read_begin(reader));
}
