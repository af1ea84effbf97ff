/*
 * ahead.c
 *		Requests that are sent before anybody asks for them, since somebody will:
 *		the next page while this one is decoded, the first pages of slices to come.
 *
 * What was sent is found again by what it says: when the very same request is
 * to be sent, its transfer is taken over.  So a guess that was wrong costs a
 * request, and changes nothing else.  What nobody took for a long time is dropped.
 *
 * A request sent twice must do no harm: only GETs go ahead, and those whose
 * authentication is at hand and stays the same.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/memutils.h"

#include "extract/extract_internal.h"

/* requests sent since, after which one that nobody took is dropped, times the concurrency */
#define STALE_AFTER		4

typedef struct Sent
{
	dlist_node	node;
	MemoryContext cxt;			/* in which it and its transfer live */
	StringInfoData key;
	LyfTransfer *transfer;
	int64		turn;			/* when it was sent */
} Sent;

typedef struct LyfAhead
{
	dlist_head	sent;			/* the oldest first */
	int			count;
	int64		turn;			/* requests asked for so far */
} LyfAhead;

static LyfAhead *
get_ahead(LyfSession *session)
{
	if (session->ahead == NULL)
	{
		session->ahead = MemoryContextAllocZero(session->cxt, sizeof(LyfAhead));
		dlist_init(&session->ahead->sent);
	}
	return session->ahead;
}

static void
forget(LyfAhead *ahead, Sent *sent)
{
	dlist_delete(&sent->node);
	ahead->count--;
}

static Sent *
find(LyfAhead *ahead, const StringInfoData *key)
{
	dlist_iter	iter;

	dlist_foreach(iter, &ahead->sent)
	{
		Sent	   *sent = dlist_container(Sent, node, iter.cur);

		if (sent->key.len == key->len && memcmp(sent->key.data, key->data, key->len) == 0)
			return sent;
	}
	return NULL;
}

static void
drop_stale(LyfSession *session)
{
	LyfAhead   *ahead = session->ahead;

	while (!dlist_is_empty(&ahead->sent))
	{
		Sent	   *oldest = dlist_head_element(Sent, node, &ahead->sent);

		if (ahead->turn - oldest->turn <= STALE_AFTER * session->concurrency)
			return;
		forget(ahead, oldest);
		MemoryContextDelete(oldest->cxt);
	}
}

int
lyf_ahead_count(const LyfSession *session)
{
	return session->ahead != NULL ? session->ahead->count : 0;
}

void
lyf_ahead_drop(LyfSession *session)
{
	LyfAhead   *ahead = session->ahead;

	while (ahead != NULL && !dlist_is_empty(&ahead->sent))
	{
		Sent	   *sent = dlist_head_element(Sent, node, &ahead->sent);

		forget(ahead, sent);
		MemoryContextDelete(sent->cxt);
	}
}

LyfTransfer *
lyf_ahead_take(LyfSession *session, const LyfHttpRequest *request)
{
	LyfAhead   *ahead = session->ahead;
	LyfTransfer *transfer = NULL;
	StringInfoData key;
	Sent	   *sent;

	if (ahead == NULL)
		return NULL;
	ahead->turn++;
	if (ahead->count == 0)
		return NULL;
	key = lyf_request_key(request);
	sent = find(ahead, &key);
	pfree(key.data);
	if (sent != NULL)
	{
		transfer = sent->transfer;
		forget(ahead, sent);
		MemoryContextSetParent(sent->cxt, CurrentMemoryContext);
		if (session->stats != NULL)
			session->stats->requests--; /* counted when it was sent, and again by who waits for it */
	}
	drop_stale(session);
	return transfer;
}

/* build and send it, if it is to be sent */
static LyfFailure *
send(LyfRequester *requester, LyfSession *session, const LyfRequestInput *input, Sent *sent)
{
	LyfHttpRequest request;
	bool		allowed;

	if (!lyf_auth_is_steady(requester->auth, session))
		return NULL;
	LYF_TRY(lyf_request_build(requester, session, input, &request));
	if (strcmp(request.method, "GET") != 0 || (requester->use_cache && lyf_cache_has(session, &request)))
		return NULL;
	sent->key = lyf_request_key(&request);
	if (find(session->ahead, &sent->key) != NULL)
		return NULL;
	LYF_TRY(lyf_budget_try(requester->budget, session, &request, &allowed));
	return allowed ? lyf_http_start(&request, &sent->transfer) : NULL;
}

void
lyf_ahead_send(LyfRequester *requester, LyfSession *session, const LyfRequestInput *input)
{
	LyfAhead   *ahead = get_ahead(session);
	MemoryContext cxt = AllocSetContextCreate(session->cxt, "lyftron request ahead", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(cxt);
	Sent	   *sent = palloc0(sizeof(Sent));
	LyfFailure *failure = send(requester, session, input, sent);

	MemoryContextSwitchTo(caller);
	if (failure != NULL || sent->transfer == NULL)
	{
		MemoryContextDelete(cxt);
		return;
	}
	sent->cxt = cxt;
	sent->turn = ahead->turn;
	dlist_push_tail(&ahead->sent, &sent->node);
	ahead->count++;
	if (session->stats != NULL)
		session->stats->requests++;
}
