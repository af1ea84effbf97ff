/*
 * token.c
 *		OAuth's token endpoint: ask it, and find the parts of its answer.
 *
 * Knows no session and no configuration: the same code runs in the backend that
 * reads, and in the worker that keeps a refresh token that can be used once only.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "base/clock.h"
#include "base/datetime.h"
#include "base/settings.h"
#include "extract/extract_internal.h"

/* tries go on for that long */
#define MAX_RETRY_MS		(300 * 1000)

/* one try whose token will be kept: nothing can interrupt it, not even a shutdown */
#define MAX_KEPT_REQUEST_MS	(30 * 1000)

/* how deep in the answer its parts are looked for */
#define MAX_ANSWER_DEPTH	5

/* without a word about it */
#define DEFAULT_LIFETIME	(USECS_PER_HOUR)

/* beyond that a token lives for ever */
#define MAX_LIFETIME_SECONDS	(100 * 366.0 * 86400)

LyfFailure *
lyf_token_exchange(const LyfHttpRequest *request, LyfNetStats *stats, LyfPage **page)
{
	LyfHttpResponse *response;
	LyfTransfer *transfer;

	LYF_TRY(lyf_http_start(request, &transfer));
	LYF_TRY(lyf_http_wait(transfer, stats, &response));
	*page = lyf_page_make(request, response);
	return NULL;
}

LyfFailure *
lyf_token_time(const char *text, TimestampTz *at)
{
	LyfValue   *datetime;

	if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 10)
	{
		*at = strtoll(text, NULL, 10) * USECS_PER_SEC - LYF_EPOCH_SHIFT;
		return NULL;
	}
	LYF_TRY(lyf_datetime_from_iso(text, &datetime));
	*at = lyf_datetime_us(datetime);
	return NULL;
}

/* the first member of that name, outer ones first, anywhere in the answer; NULL if there is none */
static LyfFailure *
find_part(const LyfValue *answer, const char *name, int depth, const LyfValue **part)
{
	*part = NULL;
	if (depth > MAX_ANSWER_DEPTH)
		return lyf_failure(ERRCODE_FDW_ERROR, "the answer of the token endpoint is nested too deeply to find \"%s\" in it", name);
	if (answer->kind != LYF_MAP && answer->kind != LYF_LIST)
		return NULL;
	*part = lyf_value_get(answer, name);
	if (*part != NULL)
	{
		*part = (*part)->kind == LYF_NULL ? NULL : *part;
		return NULL;
	}
	lyf_foreach(member, answer)
	{
		LYF_TRY(find_part(member, name, depth + 1, part));
		if (*part != NULL)
			return NULL;
	}
	return NULL;
}

static LyfFailure *
find_text(const LyfValue *answer, const char *name, const char **text)
{
	const LyfValue *part;

	*text = NULL;
	LYF_TRY(find_part(answer, name, 0, &part));
	if (lyf_value_truth(part))
		*text = lyf_template_str(part);
	return NULL;
}

static LyfFailure *
find_expiry(const LyfTokenRequest *request, const LyfValue *answer, LyfToken *token)
{
	const LyfValue *part;
	const char *text;
	char	   *end;
	double		seconds;

	LYF_TRY(find_part(answer, request->expires_name, 0, &part));
	if (part == NULL)
		return NULL;
	text = lyf_template_str(part);
	if (request->expires_at)
	{
		LYF_TRY(lyf_token_time(text, &token->expires));
		token->has_expiry = true;
		return NULL;
	}
	seconds = strtod(text, &end);
	if (end == text || *end != '\0' || isnan(seconds))
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "\"%s\" in the answer of the token endpoint is no number of seconds",
											request->expires_name),
								"If it is a time, the authenticator in the connector's manifest needs token_expiry_date_format.");
	seconds = Min(Max(trunc(seconds), -MAX_LIFETIME_SECONDS), MAX_LIFETIME_SECONDS);
	token->expires = lyf_now() + (int64) seconds * USECS_PER_SEC;
	token->has_expiry = true;
	return NULL;
}

/* such a token could go into no header: it is none, and is not kept */
static bool
has_controls(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* What there is of a token in an answer; also where the failure is that something is missing. */
static LyfFailure *
read_answer(const LyfTokenRequest *request, LyfPage *page, LyfToken *token)
{
	LyfFailure *not_json;
	const LyfValue *answer = lyf_page_json(page, &not_json);

	token->expires = lyf_now() + DEFAULT_LIFETIME;
	if (not_json != NULL)
		return lyf_failure(ERRCODE_FDW_ERROR, "the answer of the token endpoint %s is no JSON", lyf_redact_url(page->url));
	LYF_TRY(find_text(answer, request->access_name, &token->access));
	if (token->access != NULL && has_controls(token->access))
		token->access = NULL;
	LYF_TRY(find_text(answer, request->refresh_name, &token->refresh));
	LYF_TRY(find_expiry(request, answer, token));
	if (token->access == NULL)
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the answer of the token endpoint %s has no access token \"%s\"",
											lyf_redact_url(page->url), request->access_name),
								"If it is called otherwise, the authenticator in the connector's manifest needs access_token_name.");
	return NULL;
}

/* the service's own words: OAuth has two fields for them */
static const char *
words_of(LyfPage *page)
{
	const LyfValue *body = lyf_page_json(page, NULL);
	const char *error = lyf_value_text(lyf_value_get(body, "error"));
	const char *description = lyf_value_text(lyf_value_get(body, "error_description"));

	if (error != NULL && description != NULL)
		return psprintf("%s: %s", error, description);
	return error != NULL ? error : lyf_response_error_text(page);
}

static LyfFailure *
refusal(LyfPage *page)
{
	int			status = page->response->status;
	const char *words = words_of(page);
	LyfFailure *failure = lyf_failure(ERRCODE_FDW_ERROR, "%s gives no access token, but status %d",
									  lyf_redact_url(page->url), status);

	if (words != NULL && words[0] != '\0')
		lyf_failure_detail(failure, "The service says: %s", words);
	if (status == 429 || status >= 500)
		return lyf_failure_retryable(lyf_failure_hint(failure, "The service has a problem of its own. Try again later."), 0);
	return lyf_failure_hint(failure, "Check the secrets of the user mapping. "
							"A refresh token that was revoked, has expired or was used before needs a new authorization.");
}

/* one try; a token is kept even if the answer is not all that it should be */
static LyfFailure *
fetch_once(const LyfTokenRequest *request, const LyfTokenKeeper *keeper, LyfNetStats *stats, LyfToken *token)
{
	LyfPage    *page;
	LyfFailure *failure;

	memset(token, 0, sizeof(*token));
	LYF_TRY(lyf_token_exchange(&request->http, stats, &page));
	if (page->response->status >= 400)
		return refusal(page);
	failure = read_answer(request, page, token);
	if (keeper != NULL && (token->access != NULL || token->refresh != NULL))
		keeper->keep(keeper->arg, token);
	return failure;
}

LyfFailure *
lyf_token_fetch(const LyfTokenRequest *request, const LyfTokenKeeper *keeper, LyfNetStats *stats, LyfToken *token)
{
	LyfTokenRequest own = *request;
	int64		limit_ms = Min(MAX_RETRY_MS, lyf_max_retry_wait * INT64CONST(1000));
	int64		started_us = lyf_monotonic_us();

	if (keeper != NULL && (lyf_request_timeout == 0 || lyf_request_timeout > MAX_KEPT_REQUEST_MS))
		own.http.timeout_ms = MAX_KEPT_REQUEST_MS;
	for (int attempt = 1;; attempt++)
	{
		int64		wait_ms = lyf_backoff_ms(1000, 2, attempt - 1, MAX_RETRY_MS, true);
		LyfFailure *failure;

		CHECK_FOR_INTERRUPTS();
		if (keeper != NULL && !keeper->wanted(keeper->arg))
			return lyf_failure(ERRCODE_QUERY_CANCELED, "nobody waits for the access token any more");
		if (keeper != NULL)
			HOLD_INTERRUPTS();
		failure = fetch_once(&own, keeper, stats, token);
		if (keeper != NULL)
			RESUME_INTERRUPTS();
		if (failure == NULL || !failure->retryable)
			return failure;
		if ((lyf_monotonic_us() - started_us) / 1000 + wait_ms >= limit_ms)
			return attempt == 1 ? failure :
				lyf_failure_detail(failure, "%s%sIt was tried %d times.", failure->detail ? failure->detail : "",
								   failure->detail ? " " : "", attempt);
		if (stats != NULL)
			stats->retries++;
		lyf_net_sleep(wait_ms, stats);
	}
}
