/*
 * outcome.c
 *		Error handlers: what a response, or the lack of one, means for the read, how
 *		long to wait before the next try, and what to tell people at the end.
 *
 * A handler is a list of filters; without a match the status decides.  Composite
 * handlers are held flat: the first whose answer is neither FAIL nor
 * RATE_LIMITED wins, else the last one's answer stands; their backoff
 * strategies are one list.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"

#include "base/clock.h"
#include "base/settings.h"
#include "extract/extract_internal.h"

#define DEFAULT_MAX_RETRIES		5
#define DEFAULT_MAX_TIME		600
#define MAX_HANDLERS			100
#define MAX_FILTERS				1000
#define MAX_HANDLER_DEPTH		10
#define DETAIL_BYTES			500
#define CONSIDERED_BYTES		(16 * 1024)	/* of which those are what is left without secrets */

typedef struct Handler
{
	LyfResponseFilter **filters;
	int			filter_count;
} Handler;

struct LyfErrorHandler
{
	Handler		handlers[MAX_HANDLERS];
	int			handler_count;
	LyfBackoff **backoffs;
	int			backoff_count;
	LyfTemplate *max_retries;	/* of the first handler, or NULL */
	int64		max_time;		/* s */
};

static LyfFailure *
compile_filters(const LyfComponent *c, Handler *handler)
{
	size_t		count;

	LYF_TRY(lyf_component_list(c, "response_filters", &count));
	if (count > MAX_FILTERS)
		return lyf_component_invalid(c, "there may be %d response_filters at most", MAX_FILTERS);
	handler->filters = palloc(sizeof(LyfResponseFilter *) * Max(count, 1));
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent item = lyf_component_item(c, "response_filters", i);
		LyfResponseFilter *filter;

		LYF_TRY(lyf_response_filter_compile(&item, &filter));
		if (filter != NULL)
			handler->filters[handler->filter_count++] = filter;
	}
	return NULL;
}

static LyfFailure *
compile_backoffs(const LyfComponent *c, LyfErrorHandler *handler)
{
	size_t		count;

	LYF_TRY(lyf_component_list(c, "backoff_strategies", &count));
	if (count > MAX_FILTERS)
		return lyf_component_invalid(c, "there may be %d backoff_strategies at most", MAX_FILTERS);
	if (count == 0)
		return NULL;
	if (handler->backoffs == NULL)
		handler->backoffs = palloc(sizeof(LyfBackoff *) * count);
	else
		handler->backoffs = repalloc(handler->backoffs, sizeof(LyfBackoff *) * (handler->backoff_count + count));
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent item = lyf_component_item(c, "backoff_strategies", i);

		LYF_TRY(lyf_backoff_compile(&item, &handler->backoffs[handler->backoff_count++]));
	}
	return NULL;
}

static LyfFailure *
compile_default(const LyfComponent *c, LyfErrorHandler *handler, int depth)
{
	int64		max_time;

	if (handler->handler_count == MAX_HANDLERS)
		return lyf_component_invalid(c, "there may be %d error handlers at most", MAX_HANDLERS);
	LYF_TRY(lyf_component_int(c, "max_time", DEFAULT_MAX_TIME, &max_time));
	handler->max_time = Max(handler->max_time, Min(max_time, PG_INT32_MAX));
	if (handler->handler_count == 0)
		LYF_TRY(lyf_component_template(c, "max_retries", &handler->max_retries));
	LYF_TRY(compile_backoffs(c, handler));
	return compile_filters(c, &handler->handlers[handler->handler_count++]);
}

static LyfFailure *compile_composite(const LyfComponent *c, LyfErrorHandler *handler, int depth);

static const struct
{
	const char *type;
	LyfFailure *(*compile) (const LyfComponent *c, LyfErrorHandler *handler, int depth);
}			kinds[] = {
	{"DefaultErrorHandler", compile_default},
	{"CompositeErrorHandler", compile_composite},
};

static LyfFailure *
compile_composite(const LyfComponent *c, LyfErrorHandler *handler, int depth)
{
	size_t		count = lyf_component_count(c, "error_handlers");

	if (count == 0 || depth >= MAX_HANDLER_DEPTH)
		return lyf_component_invalid(c, "error_handlers must hold at least one, nested %d deep at most", MAX_HANDLER_DEPTH);
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent item = lyf_component_item(c, "error_handlers", i);
		bool		known = false;

		for (int k = 0; k < lengthof(kinds) && !known; k++)
			if (strcmp(item.type, kinds[k].type) == 0)
			{
				LYF_TRY(kinds[k].compile(&item, handler, depth + 1));
				known = true;
			}
		if (!known)
			return lyf_component_unsupported(&item);
	}
	return NULL;
}

/* Compile an error handler; c->json NULL: the default one. */
LyfFailure *
lyf_error_handler_compile(const LyfComponent *c, LyfErrorHandler **out)
{
	LyfErrorHandler *handler = palloc0(sizeof(LyfErrorHandler));

	*out = handler;
	if (c->json == NULL)
	{
		handler->handler_count = 1;
		handler->max_time = DEFAULT_MAX_TIME;
		return NULL;
	}
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(c->type, kinds[i].type) == 0)
			return kinds[i].compile(c, handler, 0);
	return lyf_component_unsupported(c);
}

/* what a status means where no filter says otherwise */
static LyfAction
default_action(int status)
{
	static const int failing[] = {400, 401, 403, 404, 405};

	if (status >= 200 && status < 300)
		return LYF_SUCCESS;
	if (status < 400)
		return LYF_FAIL;		/* an answer that is somewhere else, or to something else */
	if (status == 429)
		return LYF_RATE_LIMITED;
	for (int i = 0; i < lengthof(failing); i++)
		if (status == failing[i])
			return LYF_FAIL;
	return LYF_RETRY;
}

static LyfFailure *
choose_action(const LyfErrorHandler *handler, const LyfSession *session, LyfPage *page, LyfVerdict *verdict)
{
	for (int h = 0; h < handler->handler_count; h++)
	{
		const Handler *one = &handler->handlers[h];

		memset(verdict, 0, sizeof(*verdict));
		for (int f = 0; f < one->filter_count && !verdict->matched; f++)
			LYF_TRY(lyf_response_filter_match(one->filters[f], session, page, verdict));
		if (!verdict->matched)
			verdict->action = default_action(page->response->status);
		if (verdict->action != LYF_FAIL && verdict->action != LYF_RATE_LIMITED &&
			verdict->action != LYF_REFRESH_TOKEN_THEN_RETRY)
			return NULL;
	}
	return NULL;
}

static LyfFailure *
max_tries(const LyfErrorHandler *handler, const LyfSession *session, int *tries)
{
	LyfValue   *value;

	*tries = DEFAULT_MAX_RETRIES + 1;
	if (handler->max_retries == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_string(handler->max_retries, &session->scope, &value));
	if (!lyf_value_is(value, LYF_INT))
		return lyf_failure(ERRCODE_FDW_ERROR, "max_retries \"%s\" gives no integer", lyf_template_source(handler->max_retries));
	*tries = (int) Min(Max(value->u.integer, 0), 1000000) + 1;
	return NULL;
}

static const char *
hint_for(int status)
{
	static const struct
	{
		int			status;
		const char *hint;
	}			hints[] = {
		{300, "The URL may be wrong: the API points elsewhere, and not to where."},
		{400, "Check the server's option config: a value in it may not be what the API expects."},
		{401, "Check the secrets of the user mapping: the API does not accept them."},
		{403, "Check the secrets of the user mapping: the account they belong to may not read this."},
		{404, "Check the server's option config: the URL is made from it."},
		{405, "The connector's manifest uses an HTTP method that the API does not allow."},
		{429, "The API limits the rate of requests. Try again later, or read less often."},
	};

	if (status < 400)
		status = 300;
	for (int i = 0; i < lengthof(hints); i++)
		if (hints[i].status == status)
			return hints[i].hint;
	return status >= 500 ? "The API has a problem of its own. Try again later." : NULL;
}

char *
lyf_session_shown(const LyfSession *session, const char *text)
{
	char	   *start = pnstrdup(text, strnlen(text, CONSIDERED_BYTES));
	char	   *shown = lyf_redact_text(start, session->secrets, session->secret_count);
	int			len = pg_mbcliplen(shown, (int) strlen(shown), DETAIL_BYTES);

	shown = pnstrdup(shown, len);
	for (char *p = shown; *p; p++)
		if ((unsigned char) *p < ' ')
			*p = ' ';
	return shown;
}

static LyfFailure *
response_failure(const LyfSession *session, LyfPage *page, const LyfVerdict *verdict)
{
	const char *message = verdict->message;
	int			status = page->response->status;
	char	   *url = lyf_redact_text(lyf_redact_url(page->url), session->secrets, session->secret_count);
	char	   *text = lyf_response_error_text(page);
	LyfFailure *failure = lyf_failure(ERRCODE_FDW_ERROR, "%s %s failed with status %d", page->method, url, status);

	if (message != NULL && message[0] != '\0' && text != NULL && text[0] != '\0')
		lyf_failure_detail(failure, "%s The server says: %s", lyf_session_shown(session, message), lyf_session_shown(session, text));
	else if (message != NULL && message[0] != '\0')
		lyf_failure_detail(failure, "%s", lyf_session_shown(session, message));
	else if (text != NULL && text[0] != '\0')
		lyf_failure_detail(failure, "The server says: %s", lyf_session_shown(session, text));
	if (hint_for(status) != NULL)
		lyf_failure_hint(failure, "%s", hint_for(status));
	if (verdict->action != LYF_FAIL || verdict->transient || status == 429 || status >= 500)
		lyf_failure_retryable(failure, 0);
	return failure;
}

/* the strategies' answer, else what the server asks for, else 1, 2, 4 ... seconds */
static LyfFailure *
compute_wait(const LyfErrorHandler *handler, const LyfSession *session, LyfPage *page, int attempt, LyfOutcome *outcome)
{
	const char *retry_after = page ? lyf_http_header(page->response, "Retry-After") : NULL;
	double		seconds = 0;

	for (int i = 0; i < handler->backoff_count && seconds == 0; i++)
	{
		LYF_TRY(lyf_backoff_seconds(handler->backoffs[i], session, page, attempt, &seconds));
		outcome->said = page != NULL && seconds > 0 && lyf_backoff_is_said(handler->backoffs[i]);
	}
	if (seconds > 0)
	{
		/* a second more, for fractions and clocks that differ */
		outcome->wait_ms = (int64) ceil(seconds * 1000) + 1000;
		outcome->max_time_ms = handler->max_time * 1000;
		return NULL;
	}
	outcome->wait_ms = lyf_backoff_ms(1000, 2, attempt - 1, INT64CONST(1000) * 86400, false);
	if (outcome->action != LYF_RATE_LIMITED)
		outcome->max_time_ms = handler->max_time * 1000;
	if (retry_after != NULL)
		outcome->wait_ms = Max(outcome->wait_ms, lyf_retry_after_ms(retry_after, lyf_now()));
	return NULL;
}

static void
add_detail(LyfFailure *failure, const char *sentence)
{
	failure->detail = failure->detail == NULL ? sentence : psprintf("%s %s", failure->detail, sentence);
}

static void
bound_wait(LyfOutcome *outcome)
{
	if (outcome->wait_ms <= INT64CONST(1000) * lyf_max_retry_wait)
		return;
	outcome->give_up = true;
	add_detail(outcome->failure,
			   psprintf("The next try would have to wait %lld s; lyftron.max_retry_wait allows %d s.",
						(long long) (outcome->wait_ms / 1000), lyf_max_retry_wait));
	lyf_failure_retryable(outcome->failure, (int) Min(outcome->wait_ms, PG_INT32_MAX));
}

LyfFailure *
lyf_outcome_judge(LyfErrorHandler *handler, const LyfSession *session, const LyfScope *scope,
				  LyfPage *page, const LyfFailure *error, int attempt, LyfOutcome *outcome)
{
	LyfVerdict	verdict = {0};
	int			tries;

	memset(outcome, 0, sizeof(*outcome));
	if (page != NULL)
		LYF_TRY(choose_action(handler, session, page, &verdict));
	else
		verdict.action = error->retryable ? LYF_RETRY : LYF_FAIL;
	outcome->action = verdict.action;
	if (outcome->action == LYF_SUCCESS || outcome->action == LYF_IGNORE)
		return NULL;

	outcome->failure = page != NULL ? response_failure(session, page, &verdict) :
		lyf_failure_copy(error);
	if (outcome->action == LYF_FAIL || outcome->action == LYF_RESET_PAGINATION)
		return NULL;

	LYF_TRY(max_tries(handler, session, &tries));
	if (attempt > 1)
		add_detail(outcome->failure, psprintf("It was tried %d times.", attempt));
	outcome->give_up = attempt >= tries;
	if (outcome->give_up)
		return NULL;
	LYF_TRY(compute_wait(handler, session, page, attempt, outcome));
	bound_wait(outcome);
	return NULL;
}
