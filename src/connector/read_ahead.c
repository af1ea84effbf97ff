/*
 * read_ahead.c
 *		What of a read is known to come, asked for already: the next page of this
 *		slice, the first pages of the slices after it, the next page of a parent.
 *
 * How many requests that may be says the manifest (concurrency_level), as it does
 * to the reference engine; who says nothing gets two.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/settings.h"
#include "connector/read_internal.h"

/* in flight where the manifest does not say */
#define DEFAULT_CONCURRENCY	2

/* pages that wait for their turn take about this much at most, but one may be larger */
#define MAX_AHEAD_BYTES		(16 * 1024 * 1024)

/* partitions looked at for slices to come */
#define MAX_LOOK			100

/* an integer, or a template that gives one; 0: neither */
static int64
read_level(const LyfComponent *level, const char *field, const LyfSession *session)
{
	LyfTemplate *compiled;
	LyfValue   *value;

	if (lyf_component_template(level, field, &compiled) != NULL || compiled == NULL ||
		lyf_template_eval_string(compiled, &session->scope, &value) != NULL)
		return 0;
	return lyf_value_is(value, LYF_INT) ? value->u.integer : 0;
}

int
lyf_read_concurrency(const LyfConnector *connector, const LyfSession *session)
{
	LyfComponent manifest = lyf_component(connector->manifest, "");
	LyfComponent level = lyf_component_child(&manifest, "concurrency_level");
	int64		wanted = 0;
	int64		most = 0;

	if (level.json != NULL)
	{
		wanted = read_level(&level, "default_concurrency", session);
		most = read_level(&level, "max_concurrency", session);
	}
	if (wanted < 1)
		wanted = DEFAULT_CONCURRENCY;
	if (most >= 1)
		wanted = Min(wanted, most);
	return (int) Min(wanted, lyf_max_concurrency);
}

/* The slice that comes place places after the current one, NULL if that is not known. */
static LyfSlice *
slice_ahead(LyfReader *reader, int place)
{
	LyfSlice   *partition = reader->partition;

	for (int p = -1; p < MAX_LOOK; p++)
	{
		LyfSlice   *slice;

		if (p >= 0)
			partition = reader->routing != NULL ? lyf_router_peek(reader->routing, p) : NULL;
		if (partition == NULL && p >= 0)
			return NULL;
		if (partition == NULL || (p >= 0 && !lyf_read_wants(reader, partition)))
			continue;
		for (int i = 0; (slice = lyf_progress_peek(reader->progress, partition, p < 0, i)) != NULL; i++)
			if (place-- == 0)
				return slice;
	}
	return NULL;
}

/* Send the first request of the next slice that has none on its way; false: none is known, or it begins without one. */
static bool
send_slice(LyfReader *reader)
{
	bool		no_request = reader->lazy || reader->stream->jobs != NULL;
	LyfSlice   *slice = no_request ? NULL : slice_ahead(reader, reader->slices_ahead);
	LyfFetch   *fetch;

	if (slice == NULL || lyf_read_make_fetch(reader, slice, NULL, &fetch) != NULL)
		return false;
	lyf_fetch_ahead(fetch);
	lyf_fetch_end(fetch);
	reader->slices_ahead++;
	return true;
}

void
lyf_reader_ahead(LyfReader *reader, int limit)
{
	LyfSession *session = reader->session;
	MemoryContext work;
	MemoryContext caller;

	limit = Min(limit, session->concurrency - 1);
	limit = Min(limit, Max(1, MAX_AHEAD_BYTES / (reader->page_bytes + 1)));
	if (limit <= lyf_ahead_count(session) || !reader->started || reader->finished)
		return;

	work = AllocSetContextCreate(CurrentMemoryContext, "lyftron read ahead", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(work);
	if (reader->fetch != NULL && !reader->slice_closed)
		lyf_fetch_ahead(reader->fetch);
	while (lyf_ahead_count(session) < limit && reader->slices_ahead < limit && send_slice(reader))
		;
	if (lyf_ahead_count(session) < limit && reader->slices_ahead < limit && reader->routing != NULL)
		lyf_router_ahead(reader->routing);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
}
