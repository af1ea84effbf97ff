/*
 * extract_internal.h
 *		What the files that make and judge requests share.
 */
#ifndef LYF_EXTRACT_INTERNAL_H
#define LYF_EXTRACT_INTERNAL_H

#include "base/bytes.h"
#include "extract/extract.h"

/* in request_option.c: requests in parts */

extern void lyf_parts_init(LyfRequestParts *parts);

/* set a value where the option says; a value that is there already is replaced */
extern LyfFailure *lyf_inject(const LyfRequestOption *option, const LyfValue *value,
							  const LyfScope *config, LyfRequestParts *parts);

/* add all of source; a name that is there already is a failure (in a JSON body: if it has another value) */
extern LyfFailure *lyf_parts_merge(LyfRequestParts *target, const LyfRequestParts *source);

/* in encode.c: bytes as Python's requests prints them; palloc'd */

/* the URL with parameters added, percent-encoded, without its fragment */
extern char *lyf_encode_url(const char *url, const LyfValue *parameters);
extern char *lyf_encode_form(const LyfValue *map);
extern char *lyf_query_value(const char *url, const LyfValue *key);
extern char *lyf_encode_json(const LyfValue *value);

/* in request.c */

/* what one request is made from, beyond the requester */
typedef struct LyfRequestInput
{
	const LyfScope *scope;		/* slice and next_page_token bound */
	const LyfInjection *page;	/* the paginator's */
	int			page_count;
	const LyfInjection *slice;	/* the router's and the cursor's */
	int			slice_count;
	const char *url_override;	/* a path or URL in place of the requester's, or NULL */
} LyfRequestInput;

typedef struct LyfRequestTemplates LyfRequestTemplates;

struct LyfRequester
{
	LyfTemplate *url;
	LyfTemplate *url_base;
	LyfTemplate *path;
	const char *method;
	LyfRequestTemplates *templates;
	LyfAuth    *auth;
	LyfErrorHandler *error_handler;
	LyfBudget  *budget;			/* or NULL */
	json_t	   *manifest;		/* it is part of */
	bool		use_cache;
	bool		may_leave;		/* to any host that the source names */
	int			connect_timeout_ms;
	int			read_timeout_ms;
};

/*
 * Make a request, pure: nothing is sent.  It lives in CurrentMemoryContext, its
 * URL and headers hold secrets.
 */
extern LyfFailure *lyf_request_build(LyfRequester *requester, LyfSession *session,
									 const LyfRequestInput *input, LyfHttpRequest *request);

/* the same from parts that are there: method and URL, its parameters still to be added */
extern LyfFailure *lyf_request_print(const LyfRequestParts *parts, const char *method, const char *url,
									 LyfHttpRequest *request);

/* build, send, judge, retry; the page lives in CurrentMemoryContext */
extern LyfFailure *lyf_request_send(LyfRequester *requester, LyfSession *session,
									const LyfRequestInput *input, LyfPage **page);

/* in ahead.c */

/* send a request that will be asked for later, if it only reads and the budget has room now */
extern void lyf_ahead_send(LyfRequester *requester, LyfSession *session, const LyfRequestInput *input);

/* the transfer of this very request if it is on its way, now in CurrentMemoryContext, or NULL */
extern LyfTransfer *lyf_ahead_take(LyfSession *session, const LyfHttpRequest *request);

/* in request_template.c: what the manifest puts into every request */

extern LyfFailure *lyf_request_templates_compile(const LyfComponent *c, LyfRequestTemplates **out);
extern bool lyf_request_templates_are_empty(const LyfRequestTemplates *templates);
extern bool lyf_request_templates_use_slice(const LyfRequestTemplates *templates, const char *member);
extern LyfFailure *lyf_request_templates_eval(const LyfRequestTemplates *templates,
											  const LyfScope *scope, LyfRequestParts *parts);

/* in origin.c: may this request be sent to where its URL points? */
extern LyfFailure *lyf_origin_check(const LyfRequester *requester, LyfSession *session, const char *url);

/* in cache.c */

/* what makes two requests the same: method, URL, headers and body; palloc'd */
extern StringInfoData lyf_request_key(const LyfHttpRequest *request);

extern bool lyf_cache_has(const LyfSession *session, const LyfHttpRequest *request);

/* the response that the session keeps for this request, copied into CurrentMemoryContext, or NULL */
extern LyfHttpResponse *lyf_cache_get(LyfSession *session, const LyfHttpRequest *request);
extern void lyf_cache_put(LyfSession *session, const LyfHttpRequest *request, const LyfHttpResponse *response);

/* in page.c */

extern LyfPage *lyf_page_make(const LyfHttpRequest *request, LyfHttpResponse *response);

/* add the headers to map under each spelling that template uses, as if their names had no case */
extern void lyf_page_headers_for(LyfValue *map, const LyfPage *page, const LyfTemplate *compiled);

/* the headers as they were sent, the Link header too, and as the template spells them */
extern LyfValue *lyf_page_plain_headers(const LyfPage *page, const LyfTemplate *compiled);

/* in auth.c and auth_<kind>.c; a kind's own struct begins with LyfAuth */

typedef struct LyfAuthKind
{
	const char *type;
	LyfFailure *(*compile) (const LyfComponent *c, const LyfComponent *requester, LyfAuth **out);
	LyfFailure *(*apply) (LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts);
	/* get a new token in place of the one that was applied last.  MAY be NULL: it has none */
	LyfFailure *(*refresh) (LyfAuth *auth, LyfSession *session, bool *able);
	/* would it be applied now without asking anybody, and the same again in a moment?  MAY be NULL: always */
	bool		(*is_steady) (LyfAuth *auth, LyfSession *session);
	/* requests of its own count, too.  MAY be NULL */
	void		(*set_budget) (LyfAuth *auth, LyfBudget *budget);
} LyfAuthKind;

struct LyfAuth
{
	const LyfAuthKind *kind;
	const char *print;			/* the same for components with the same contents; kinds that need it set it */
};

extern const LyfAuthKind lyf_auth_none;
extern const LyfAuthKind lyf_auth_api_key;
extern const LyfAuthKind lyf_auth_bearer;
extern const LyfAuthKind lyf_auth_basic;
extern const LyfAuthKind lyf_auth_selective;
extern const LyfAuthKind lyf_auth_oauth;
extern const LyfAuthKind lyf_auth_session;
extern const LyfAuthKind lyf_auth_legacy_session;
extern const LyfAuthKind lyf_auth_jwt;

extern void lyf_auth_set_budget(LyfAuth *auth, LyfBudget *budget);

/* can a request be sent ahead, and be known again by its bytes? */
extern bool lyf_auth_is_steady(LyfAuth *auth, LyfSession *session);

/* a field's template; fallback (may be NULL: none) if it is not there or empty */
extern LyfFailure *lyf_auth_template(const LyfComponent *c, const char *field, const char *fallback, LyfTemplate **out);

/* a field that is a map of templates, or NULL */
extern LyfFailure *lyf_auth_tree(const LyfComponent *c, const char *field, LyfTemplateTree **out);

/* what the component holds, as a short text; more may be NULL */
extern const char *lyf_auth_print(const LyfComponent *c, const LyfComponent *more);

/* add one header; put a token where the option says.  A header without a name is none */
extern LyfFailure *lyf_auth_set_header(LyfRequestParts *parts, const char *name, const char *value);
extern LyfFailure *lyf_auth_inject(const LyfRequestOption *option, const char *token, LyfSession *session,
								   LyfRequestParts *parts);

/* in auth_jwt.c: a signed token, with its prefix */
extern LyfFailure *lyf_jwt_token(LyfAuth *auth, LyfSession *session, char **token);

/* in auth_cache.c */

/* What a session knows of one of its authenticators. */
typedef struct LyfAuthState
{
	struct LyfAuthState *next;
	const LyfAuth *auth;
	uint8		key[LYF_SHA256_BYTES];	/* of its token in the backend's cache */
	char	   *used;			/* the token that was applied last, or NULL */
	bool		fetched;		/* this read has got it from the service */
	bool		inherited;		/* it was in the cache already */
	bool		checked;		/* the session token of the configuration was tried, and what came of it */
	bool		valid;
} LyfAuthState;

extern LyfAuthState *lyf_auth_state(LyfSession *session, const LyfAuth *auth);

/* tokens that the backend keeps, by account, configuration and component; a copy in CurrentMemoryContext, or false */
extern bool lyf_auth_cached(LyfAuthState *state, LyfToken *token);
extern void lyf_auth_cache(LyfAuthState *state, const LyfToken *token);

/* a request refused: forget what earlier reads left in the cache; false if it was nothing */
extern bool lyf_auth_forget_inherited(LyfSession *session);

/* the token that goes into the request now: kept in state->used, hidden from messages */
extern void lyf_auth_note_used(LyfSession *session, LyfAuthState *state, const char *token);

/* in token.c */

/* one request, not judged; a failure: there was no response */
extern LyfFailure *lyf_token_exchange(const LyfHttpRequest *request, LyfNetStats *stats, LyfPage **page);

/* a time, as people and services write it (the engine's ab_datetime_parse) */
extern LyfFailure *lyf_token_time(const char *text, TimestampTz *at);

/* in backoff.c */

typedef struct LyfBackoff LyfBackoff;

extern LyfFailure *lyf_backoff_compile(const LyfComponent *c, LyfBackoff **out);

/* is its answer the source's own? */
extern bool lyf_backoff_is_said(const LyfBackoff *backoff);

/*
 * Seconds to wait before the next try, 0: this strategy has no answer.  page is
 * NULL after a network failure.  A failure: it must not be waited that long.
 */
extern LyfFailure *lyf_backoff_seconds(const LyfBackoff *backoff, const LyfSession *session, LyfPage *page,
									   int attempt, double *seconds);

/* in outcome_filter.c */

typedef struct LyfResponseFilter LyfResponseFilter;

extern LyfFailure *lyf_response_filter_compile(const LyfComponent *c, LyfResponseFilter **out);

/* what a filter makes of a response */
typedef struct LyfVerdict
{
	bool		matched;
	LyfAction	action;
	char	   *message;		/* the filter's own, or NULL */
	bool		transient;		/* a failure that may pass */
} LyfVerdict;

extern LyfFailure *lyf_response_filter_match(const LyfResponseFilter *filter, const LyfSession *session,
											 LyfPage *page, LyfVerdict *verdict);

/* the error text that a body holds, or NULL */
extern char *lyf_response_error_text(LyfPage *page);

/* in outcome.c: the first bytes of a text of others, on one line, without what is secret */
extern char *lyf_session_shown(const LyfSession *session, const char *text);

/* in budget.c; budget may be NULL */

/* wait until the request may be sent: what the budget and the session's gate allow.  It has a permit then */
extern LyfFailure *lyf_budget_acquire(LyfBudget *budget, LyfSession *session, LyfHttpRequest *request);

/* the same without waiting: *allowed is false where it would have to */
extern LyfFailure *lyf_budget_try(LyfBudget *budget, LyfSession *session, LyfHttpRequest *request, bool *allowed);
extern LyfFailure *lyf_budget_update(LyfBudget *budget, LyfSession *session, const LyfHttpRequest *request,
									 const LyfHttpResponse *response);

/* in pattern.c: regular expressions */

typedef struct LyfPattern LyfPattern;

/* in CurrentMemoryContext, which frees it */
extern LyfFailure *lyf_pattern_compile(const char *text, LyfPattern **out);

/* search; *start and *end are bytes of the match */
extern bool lyf_pattern_search(const LyfPattern *pattern, const char *text, int *start, int *end);

/* in paging.c and paging_<kind>.c */

typedef struct LyfPagingState
{
	const LyfValue *token;		/* the one that this page was read with, or NULL */
	const LyfSlice *slice;
	LyfPage    *page;
	const LyfPageFacts *facts;
} LyfPagingState;

typedef struct LyfPagingKind
{
	const char *type;
	LyfFailure *(*compile) (const LyfComponent *c, LyfPaginator *paginator);
	/* the token of the first page; NULL where there is none.  MAY be NULL */
	LyfValue   *(*first) (const LyfPaginator *paginator);
	/* the token of the next page, *token is NULL at the end */
	LyfFailure *(*next) (const LyfPaginator *paginator, LyfSession *session,
						 const LyfPagingState *state, LyfValue **token);
} LyfPagingKind;

struct LyfPaginator
{
	const LyfPagingKind *kind;	/* NULL: NoPagination */
	const char *path;			/* for people */
	LyfRequestOption *size_option;
	LyfRequestOption *token_option;
	bool		token_is_path;
	LyfTemplate *page_size;		/* or NULL */
	bool		inject_on_first_request;
	int64		start_from_page;
	LyfTemplate *cursor_value;
	LyfTemplate *stop_condition;	/* or NULL */
};

extern const LyfPagingKind lyf_paging_page;
extern const LyfPagingKind lyf_paging_offset;
extern const LyfPagingKind lyf_paging_cursor;

/* the page size, *size is NULL if there is none; page may be NULL */
extern LyfFailure *lyf_paging_size(const LyfPaginator *paginator, LyfSession *session, LyfPage *page, LyfValue **size);

/* does an expression of it look at the response of a page that was read? */
extern bool lyf_paging_sees_response(const LyfPaginator *paginator);

/* what the paginator puts into a request (at most 2) and the path it replaces, or NULL */
extern LyfFailure *lyf_paging_injections(const LyfPaginator *paginator, LyfSession *session, const LyfValue *token,
										 LyfInjection injections[2], int *count, char **url_override);

#endif							/* LYF_EXTRACT_INTERNAL_H */
