/*
 * stream.c
 *		The pages of one slice: ask for a page, learn from its facts which is next,
 *		until there is none.
 *
 * A page lives in a context that the next page resets; the token of the next
 * page lives in a context of its own.  So memory does not grow with the pages.
 *
 * An API that answers the same request with the same page again would be read
 * for ever: that is a failure.  Cycles of any length are found by comparing each
 * page with one earlier page, that is moved forward at powers of two (Brent).
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "extract/extract_internal.h"

/* more memory than that is not kept for the next page */
#define MAX_KEPT_BYTES	(16 * 1024 * 1024)

/* a page's memory grows by blocks of this size at most: what it needs is rounded up to it */
#define PAGE_BLOCK_BYTES	(256 * 1024)

typedef enum FetchPhase
{
	FETCH_READY,				/* the next page can be asked for; then FETCH_READ or FETCH_DONE */
	FETCH_READ,					/* a page is out, not observed; then FETCH_READY or FETCH_DONE */
	FETCH_DONE
} FetchPhase;

struct LyfFetch
{
	LyfRequester *requester;
	LyfPaginator *paginator;
	LyfSession *session;
	const LyfSlice *slice;
	const LyfInjection *injections;
	int			injection_count;
	bool		slice_options_once;
	bool		hands_out_resets;
	const LyfValue *first_page; /* known beforehand, or NULL */
	const LyfValue *chunks;		/* properties of the requests of a page, or NULL */
	const LyfValue *chunk;		/* those of the request that comes next, or is out; NULL: none is left */
	MemoryContext cxt;
	MemoryContext page_cxt;
	Size		page_kept;		/* bytes of page_cxt that a reset keeps */
	MemoryContext token_cxt;
	FetchPhase	phase;
	LyfValue   *token;			/* of the page that is out or comes next; in token_cxt, NULL: the first */
	int64		page_number;	/* from 1, of that page */
	int64		reset_at;		/* the page at which paging was last reset, or 0 */
	uint64		landmark;		/* of an earlier page: request and records */
	int64		landmark_steps;
	int64		landmark_power;
};

static void
set_token(LyfFetch *fetch, const LyfValue *token)
{
	MemoryContext old;
	LyfValue   *kept = NULL;

	if (token != NULL)
	{
		/* token may live in token_cxt itself */
		MemoryContext next_cxt = AllocSetContextCreate(fetch->cxt, "lyftron page token", ALLOCSET_SMALL_SIZES);

		old = MemoryContextSwitchTo(next_cxt);
		kept = lyf_value_copy(token);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(fetch->token_cxt);
		fetch->token_cxt = next_cxt;
	}
	fetch->token = kept;
}

/* Its first block, which a reset keeps, is what the pages so far needed. */
static MemoryContext
make_page_context(LyfFetch *fetch)
{
	/* no block may be larger than the largest, not even the first */
	return AllocSetContextCreate(fetch->cxt, "lyftron page", fetch->page_kept, ALLOCSET_DEFAULT_INITSIZE,
								 Max(fetch->page_kept, PAGE_BLOCK_BYTES));
}

static void
begin_again(LyfFetch *fetch)
{
	const LyfPagingKind *kind = fetch->paginator->kind;

	set_token(fetch, kind != NULL && kind->first != NULL ? kind->first(fetch->paginator) : NULL);
	fetch->page_number = 1;
	fetch->landmark_steps = 0;
	fetch->landmark_power = 1;
	fetch->landmark = 0;
}

/*
 * slice and injections must outlive the fetch; token is copied.  A token comes
 * from lyf_fetch_token of the same stream and slice.
 */
LyfFetch *
lyf_fetch_begin(LyfRequester *requester, LyfPaginator *paginator, LyfSession *session,
				const LyfSlice *slice, const LyfInjection *injections, int injection_count,
				bool slice_options_once, const LyfValue *token)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron fetch", ALLOCSET_SMALL_SIZES);
	LyfFetch   *fetch = MemoryContextAllocZero(cxt, sizeof(LyfFetch));

	fetch->requester = requester;
	fetch->paginator = paginator;
	fetch->session = session;
	fetch->slice = slice;
	fetch->injections = injections;
	fetch->injection_count = injection_count;
	fetch->slice_options_once = slice_options_once;
	fetch->cxt = cxt;
	fetch->page_cxt = make_page_context(fetch);
	fetch->token_cxt = AllocSetContextCreate(cxt, "lyftron page token", ALLOCSET_SMALL_SIZES);
	begin_again(fetch);
	if (token != NULL)
	{
		const LyfValue *page = lyf_value_get(token, "page");

		set_token(fetch, lyf_value_get(token, "token"));
		fetch->page_number = lyf_value_is(page, LYF_INT) ? page->u.integer : 2;
	}
	return fetch;
}

void
lyf_fetch_set_chunks(LyfFetch *fetch, const LyfValue *chunks)
{
	fetch->chunks = chunks;
	fetch->chunk = chunks != NULL ? chunks->u.first : NULL;
}

/* the slice, with the properties that this request asks for in place of its extra fields */
static const LyfSlice *
slice_of_chunk(const LyfFetch *fetch)
{
	LyfValue   *extra;

	if (fetch->chunk == NULL)
		return fetch->slice;
	extra = lyf_value_make(LYF_MAP);
	lyf_value_set(extra, "query_properties", lyf_value_alias(fetch->chunk));
	return lyf_slice_make(fetch->slice->partition, fetch->slice->cursor_slice, extra);
}

/* what templates of a request see: configuration, slice, the token of the page */
static void
bind_request(LyfScope *scope, LyfFetch *fetch)
{
	LyfValue   *token = lyf_value_make(fetch->token ? LYF_MAP : LYF_NULL);
	const LyfSlice *slice = slice_of_chunk(fetch);

	if (fetch->token != NULL)
		lyf_value_set(token, "next_page_token", lyf_value_alias(fetch->token));
	lyf_scope_init(scope, &fetch->session->scope);
	lyf_scope_set_slice(scope, slice->merged);
	lyf_scope_set(scope, "next_page_token", token);
	scope->extra = slice->extra_fields;
}

/* what the request of the next page is made from; own: room for two injections */
static LyfFailure *
make_input(LyfFetch *fetch, LyfScope *scope, LyfInjection *own, LyfRequestInput *input)
{
	char	   *url_override;

	memset(input, 0, sizeof(*input));
	bind_request(scope, fetch);
	LYF_TRY(lyf_paging_injections(fetch->paginator, fetch->session, fetch->token, own, &input->page_count, &url_override));
	input->scope = scope;
	input->page = own;
	input->url_override = url_override;
	if (fetch->token == NULL || !fetch->slice_options_once)
	{
		input->slice = fetch->injections;
		input->slice_count = fetch->injection_count;
	}
	return NULL;
}

void
lyf_fetch_hand_out_resets(LyfFetch *fetch)
{
	fetch->hands_out_resets = true;
}

void
lyf_fetch_set_first(LyfFetch *fetch, const LyfValue *first_page)
{
	fetch->first_page = first_page;
}

static bool
is_known(const LyfFetch *fetch)
{
	return fetch->first_page != NULL && fetch->page_number == 1;
}

/* as if the source had answered so */
static LyfPage *
make_known_page(const LyfFetch *fetch)
{
	LyfHttpRequest *request = palloc0(sizeof(LyfHttpRequest));
	LyfHttpResponse *response = palloc0(sizeof(LyfHttpResponse));
	StringInfoData body;

	initStringInfo(&body);
	lyf_value_print(&body, fetch->first_page);
	request->method = "GET";
	request->url = "";
	response->status = 200;
	response->url = "";
	response->body = body.data;
	response->body_len = body.len;
	return lyf_page_make(request, response);
}

static LyfFailure *
read_page(LyfFetch *fetch, LyfPage **page)
{
	LyfScope	scope;
	LyfRequestInput input;
	LyfInjection own[2];

	if (is_known(fetch))
	{
		*page = make_known_page(fetch);
		return NULL;
	}
	LYF_TRY(make_input(fetch, &scope, own, &input));
	return lyf_request_send(fetch->requester, fetch->session, &input, page);
}

void
lyf_fetch_ahead(LyfFetch *fetch)
{
	LyfScope	scope;
	LyfRequestInput input;
	LyfInjection own[2];
	MemoryContext work;
	MemoryContext caller;

	if (fetch->phase != FETCH_READY || is_known(fetch))
		return;
	lyf_fetch_set_chunks(fetch, fetch->chunks);
	work = AllocSetContextCreate(fetch->cxt, "lyftron next request", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(work);
	if (make_input(fetch, &scope, own, &input) == NULL)
		lyf_ahead_send(fetch->requester, fetch->session, &input);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
}

/* the API wants paging to start again: once, unless it got further since */
static LyfFailure *
reset_paging(LyfFetch *fetch)
{
	if (fetch->page_number <= fetch->reset_at)
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the API resets the paging at page %lld again and again",
											(long long) fetch->page_number),
								"Smaller slices (a step of the cursor) may stay below the API's bound.");
	fetch->reset_at = fetch->page_number;
	begin_again(fetch);
	return NULL;
}

/*
 * Take the last page's memory back, for the next one.  Pages of a stream need about the
 * same, so what the last one needed is kept: to give it back and get it again
 * costs as much as to parse the page.
 */
static void
reset_page(LyfFetch *fetch)
{
	Size		used = MemoryContextMemAllocated(fetch->page_cxt, false);

	if (used <= fetch->page_kept || used > MAX_KEPT_BYTES)
	{
		MemoryContextReset(fetch->page_cxt);
		return;
	}
	MemoryContextDelete(fetch->page_cxt);
	fetch->page_kept = TYPEALIGN(1024, used);
	fetch->page_cxt = make_page_context(fetch);
}

LyfFailure *
lyf_fetch_next(LyfFetch *fetch, LyfPage **page)
{
	MemoryContext caller = CurrentMemoryContext;
	LyfFailure *failure = NULL;

	*page = NULL;
	Assert(fetch->phase != FETCH_READ);
	while (fetch->phase == FETCH_READY && *page == NULL && failure == NULL)
	{
		CHECK_FOR_INTERRUPTS();
		reset_page(fetch);
		MemoryContextSwitchTo(fetch->page_cxt);
		lyf_fetch_set_chunks(fetch, fetch->chunks);
		failure = read_page(fetch, page);
		if (failure == NULL && (*page)->reset && !fetch->hands_out_resets)
		{
			failure = reset_paging(fetch);
			*page = NULL;
		}
		MemoryContextSwitchTo(caller);
	}
	if (failure != NULL)
	{
		*page = NULL;
		fetch->phase = FETCH_DONE;
		return lyf_failure_copy(failure);
	}
	if (*page == NULL)
		return NULL;
	(*page)->watched = lyf_paging_sees_response(fetch->paginator);
	if ((*page)->no_records)
		fetch->phase = FETCH_DONE;
	else
	{
		fetch->phase = FETCH_READ;
		if (fetch->session->stats != NULL)
			fetch->session->stats->pages++;
	}
	return NULL;
}

/* Memory is the page's. */
LyfFailure *
lyf_fetch_next_chunk(LyfFetch *fetch, LyfPage **page)
{
	MemoryContext caller = CurrentMemoryContext;
	LyfFailure *failure;

	*page = NULL;
	if (fetch->chunk != NULL)
		fetch->chunk = fetch->chunk->next;
	if (fetch->chunk == NULL)
		return NULL;
	MemoryContextSwitchTo(fetch->page_cxt);
	failure = read_page(fetch, page);
	MemoryContextSwitchTo(caller);
	if (failure == NULL && (*page)->reset)
		failure = lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "RESET_PAGINATION together with property_chunking is not supported");
	if (failure == NULL)
		(*page)->watched = lyf_paging_sees_response(fetch->paginator);
	return failure != NULL ? lyf_failure_copy(failure) : NULL;
}

/* has this request given this page before? */
static LyfFailure *
check_progress(LyfFetch *fetch, const LyfPage *page, const LyfPageFacts *facts)
{
	StringInfoData text;
	uint64		print;

	initStringInfo(&text);
	appendStringInfo(&text, INT64_FORMAT " ", facts->record_count);
	if (facts->last_record != NULL)
		lyf_value_print(&text, facts->last_record);
	print = hash_bytes_extended((const unsigned char *) text.data, text.len, page->request_hash);
	pfree(text.data);

	if (fetch->landmark_steps > 0 && print == fetch->landmark)
		return lyf_failure_hint(
								lyf_failure_detail(
												   lyf_failure(ERRCODE_FDW_ERROR, "the API gives the same page again and again"),
												   "%s %s was read before, with the same records.", page->method,
												   lyf_redact_text(lyf_redact_url(page->url), fetch->session->secrets,
																   fetch->session->secret_count)),
								"See %s in the connector's manifest: the page token may not reach the API.",
								fetch->paginator->path);
	if (++fetch->landmark_steps >= fetch->landmark_power)
	{
		fetch->landmark = print;
		fetch->landmark_power *= 2;
		fetch->landmark_steps = 1;
	}
	return NULL;
}

static LyfFailure *
find_next(LyfFetch *fetch, LyfPage *page, const LyfPageFacts *facts)
{
	LyfPagingState state = {fetch->token, fetch->slice, page, facts};
	LyfValue   *token = NULL;

	if (fetch->paginator->kind != NULL)
		LYF_TRY(fetch->paginator->kind->next(fetch->paginator, fetch->session, &state, &token));
	if (!lyf_value_truth(token))
	{
		fetch->phase = FETCH_DONE;
		return NULL;
	}
	LYF_TRY(check_progress(fetch, page, facts));
	set_token(fetch, token);
	fetch->page_number++;
	fetch->phase = FETCH_READY;
	return NULL;
}

LyfFailure *
lyf_fetch_observe(LyfFetch *fetch, LyfPage *page, const LyfPageFacts *facts)
{
	MemoryContext caller = CurrentMemoryContext;
	LyfFailure *failure;

	if (fetch->phase != FETCH_READ)
		return NULL;
	MemoryContextSwitchTo(fetch->page_cxt);
	failure = find_next(fetch, page, facts);
	MemoryContextSwitchTo(caller);
	if (failure == NULL)
		return NULL;
	fetch->phase = FETCH_DONE;
	return lyf_failure_copy(failure);
}

void
lyf_fetch_stop(LyfFetch *fetch)
{
	fetch->phase = FETCH_DONE;
}

/* Valid after lyf_fetch_observe; before it, the map names the page that is out. */
LyfValue *
lyf_fetch_token(LyfFetch *fetch)
{
	LyfValue   *map;

	if (fetch->phase == FETCH_DONE)
		return NULL;
	map = lyf_value_make(LYF_MAP);
	lyf_value_set(map, "page", lyf_value_int(fetch->page_number));
	if (fetch->token != NULL)
		lyf_value_set(map, "token", lyf_value_copy(fetch->token));
	return map;
}

MemoryContext
lyf_fetch_page_context(LyfFetch *fetch)
{
	return fetch->page_cxt;
}

void
lyf_fetch_end(LyfFetch *fetch)
{
	MemoryContextDelete(fetch->cxt);
}
