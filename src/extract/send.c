/*
 * send.c
 *		One request until it has an answer: built, held back by the budget, sent,
 *		judged, and tried again as the error handler says.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "extract/extract_internal.h"

/* one try: page is NULL where there was no response, error says why then */
static LyfFailure *
exchange(LyfRequester *requester, LyfSession *session, const LyfRequestInput *input,
		 LyfPage **page, LyfFailure **error)
{
	LyfHttpRequest *request = palloc(sizeof(LyfHttpRequest));
	LyfHttpResponse *response = NULL;
	LyfTransfer *transfer = NULL;

	*page = NULL;
	*error = NULL;
	LYF_TRY(lyf_request_build(requester, session, input, request));
	if (requester->use_cache)
		response = lyf_cache_get(session, request);
	if (response == NULL)
	{
		transfer = lyf_ahead_take(session, request);
		if (transfer == NULL)
		{
			LYF_TRY(lyf_budget_acquire(requester->budget, session, request));
			LYF_TRY(lyf_http_start(request, &transfer));
		}
		*error = lyf_http_wait(transfer, session->stats, &response);
		if (*error != NULL)
			return NULL;
		LYF_TRY(lyf_budget_update(requester->budget, session, request, response));
		if (requester->use_cache)
			lyf_cache_put(session, request, response);
	}
	*page = lyf_page_make(request, response);
	(*page)->request_hash = hash_bytes_extended((const unsigned char *) request->url, (int) strlen(request->url),
												hash_bytes((const unsigned char *) (request->body ? request->body : ""),
														   (int) request->body_len));
	return NULL;
}

/* What one request has been through so far. */
typedef struct Trial
{
	int			attempt;		/* from 1 */
	int64		started_us;
	bool		refreshed;		/* the error handler had its access token replaced */
	bool		refresh_failed; /* ... or that was tried in vain */
	bool		retried_fresh;	/* without tokens of earlier reads */
} Trial;

/*
 * The error handler wants a new access token before the next try: it gets one, once.
 * If the service just has no time for it, the old one is tried again.
 */
static LyfFailure *
refresh(LyfRequester *requester, LyfSession *session, Trial *trial, LyfFailure *refused)
{
	LyfFailure *failure;
	bool		able;

	if (trial->refreshed)
		return lyf_failure_hint(refused, trial->refresh_failed ?
								"The access token is refused, and there was no other one. Try again later." :
								"A new access token is refused, too: the account that it belongs to may not read this.");
	failure = lyf_auth_refresh(requester->auth, session, &able);
	if (failure != NULL && !failure->retryable)
		return failure;
	trial->refreshed = able;
	trial->refresh_failed = failure != NULL;
	return NULL;
}

/* judge the try; *again: it was waited and is to be repeated */
static LyfFailure *
settle(LyfRequester *requester, LyfSession *session, const LyfRequestInput *input, LyfPage *page,
	   const LyfFailure *error, Trial *trial, bool *again)
{
	LyfOutcome	outcome = {0};
	int64		elapsed_ms = (lyf_monotonic_us() - trial->started_us) / 1000;

	*again = false;
	LYF_TRY(lyf_outcome_judge(requester->error_handler, session, input->scope, page, error, trial->attempt, &outcome));
	if (outcome.said && (outcome.action == LYF_RATE_LIMITED || page->response->status == 429 || page->response->status == 503))
		lyf_gate_hold(session->gate, outcome.wait_ms, false);
	if (outcome.action == LYF_SUCCESS || outcome.action == LYF_IGNORE)
	{
		if (page == NULL)
			return outcome.failure;
		page->ignored = outcome.action == LYF_IGNORE;
		page->no_records = page->response->status >= 400;
		return NULL;
	}
	if (outcome.action == LYF_RESET_PAGINATION && page != NULL)
	{
		page->reset = true;
		return NULL;
	}

	/* A token that is older than this read may have been revoked */
	if (outcome.action == LYF_FAIL && page != NULL && page->response->status == 401 &&
		!trial->retried_fresh && lyf_auth_forget_inherited(session))
	{
		trial->retried_fresh = true;
		trial->attempt--;
		*again = true;
		return NULL;
	}
	if (outcome.action == LYF_FAIL || outcome.give_up || outcome.action == LYF_RESET_PAGINATION ||
		(outcome.max_time_ms > 0 && elapsed_ms >= outcome.max_time_ms))
		return outcome.failure;
	if (outcome.action == LYF_REFRESH_TOKEN_THEN_RETRY)
		LYF_TRY(refresh(requester, session, trial, outcome.failure));

	*again = true;
	if (session->stats != NULL)
		session->stats->retries++;
	lyf_net_sleep(outcome.wait_ms, session->stats);
	return NULL;
}

LyfFailure *
lyf_request_send(LyfRequester *requester, LyfSession *session, const LyfRequestInput *input, LyfPage **page)
{
	MemoryContext caller = CurrentMemoryContext;
	Trial		trial = {.started_us = lyf_monotonic_us()};

	for (;;)
	{
		MemoryContext try_cxt = AllocSetContextCreate(caller, "lyftron request", ALLOCSET_DEFAULT_SIZES);
		LyfFailure *failure;
		LyfFailure *error;
		bool		again = false;

		CHECK_FOR_INTERRUPTS();
		trial.attempt++;
		MemoryContextSwitchTo(try_cxt);
		failure = exchange(requester, session, input, page, &error);
		if (failure == NULL)
			failure = settle(requester, session, input, *page, error, &trial, &again);
		MemoryContextSwitchTo(caller);
		failure = lyf_redact_failure(failure, session->secrets, session->secret_count);
		if (failure == NULL && !again)
			return NULL;
		MemoryContextDelete(try_cxt);
		if (failure != NULL)
			return failure;
	}
}
