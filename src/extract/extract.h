/*
 * extract.h
 *		Which requests, in which order, give which pages.
 *
 * One file a kind of component: its struct, how it is compiled from the
 * manifest, how it runs.  extract/ knows no records: what paging and cursors
 * must know of them comes in as plain values.
 */
#ifndef LYF_EXTRACT_H
#define LYF_EXTRACT_H

#include "base/component.h"
#include "net/net.h"

/*
 * What a read in progress has in common: made by connector/read.c, one a read
 * of one stream (parents share it).
 */
typedef struct LyfSession
{
	LyfScope	scope;			/* outermost: config */
	LyfValue   *config;			/* with the secrets merged in */
	TimestampTz started;		/* the `now` that slices end at */
	LyfNetStats *stats;
	MemoryContext cxt;			/* lives as long as the read: tokens, states */
	const char **secrets;		/* texts that no message may show; see lyf_session_hide */
	int			secret_count;
	int			secrets_given;	/* how many of them are the configuration's */
	const char *identity;		/* whose account it is: tokens are kept by it */
	const LyfGate *gate;		/* what holds its requests back */
	LyfValue   *origins;		/* keys: hosts that the manifest names; NULL: not looked up yet */
	/* auth's own, by component (access tokens ...); see auth_cache.c */
	struct LyfAuthState *auth_states;
	/* responses of parent streams, by request; see cache.c */
	struct LyfResponseCache *cache;
	/* requests on their way before they are asked for; see ahead.c */
	int			concurrency;	/* how many may be in flight at once, at least 1; 0: nobody said */
	struct LyfAhead *ahead;
	/* keeps tokens that can be used once only */
	const struct LyfCredentialStore *store;
	const void *store_arg;
} LyfSession;

/* One part of a stream that can be read on its own. */
typedef struct LyfSlice
{
	LyfValue   *partition;		/* a map, maybe empty: {parent_id: 5, parent_slice: {}} */
	LyfValue   *cursor_slice;	/* a map, maybe empty: {start_time: ..., end_time: ...} */
	LyfValue   *extra_fields;	/* a map, maybe empty */
	LyfValue   *merged;			/* partition and cursor_slice: what templates see */
	LyfValue   *first_page;		/* what a lazily read parent has of it: JSON, or NULL */
} LyfSlice;

/* make a slice of its parts (NULL = empty map), in CurrentMemoryContext */
extern LyfSlice *lyf_slice_make(LyfValue *partition, LyfValue *cursor_slice, LyfValue *extra_fields);

/* in request.c */

typedef enum LyfInject
{
	LYF_INJECT_NONE, LYF_INJECT_PARAMETER, LYF_INJECT_HEADER, LYF_INJECT_BODY_DATA, LYF_INJECT_BODY_JSON
} LyfInject;

/* RequestOption: where a value goes */
typedef struct LyfRequestOption
{
	LyfInject	into;
	LyfTemplate *field_name;	/* or */
	LyfTemplate **field_path;	/* field_path_len of them, body_json only */
	int			field_path_len;
} LyfRequestOption;

/* an option with its value, ready to go into a request */
typedef struct LyfInjection
{
	const LyfRequestOption *option;
	LyfValue   *value;
} LyfInjection;

/* c->json may be NULL: *out is NULL then */
extern LyfFailure *lyf_request_option_compile(const LyfComponent *c, LyfRequestOption **out);

typedef struct LyfRouter LyfRouter;
typedef struct LyfCursor LyfCursor;
typedef struct LyfRequester LyfRequester;	/* HttpRequester: url, method, options provider, auth, error handler, budget */

/* c is a requester of the manifest, which must outlive it (NULL: it may ask its own host only).  is_parent: use_cache defaults to true */
extern LyfFailure *lyf_requester_compile(const LyfComponent *c, json_t *manifest, bool is_parent, LyfRequester **out);

/*
 * "GET https://host/path/{partition field}" for EXPLAIN, a part that needs more than configuration and slice
 * as its template; secrets are masked.  router and cursor: the stream's, or NULL.
 */
extern char *lyf_requester_describe(const LyfRequester *requester, const LyfSession *session,
									const LyfRouter *router, const LyfCursor *cursor);

/*
 * It fetches what the source says where to fetch, which often is with another host: let it go
 * there, if it carries nothing of the manifest's or the configuration's along.
 */
extern void lyf_requester_follow(LyfRequester *requester);

/* do its own templates use that member of the slice? */
extern bool lyf_requester_uses_slice(const LyfRequester *requester, const char *member);

typedef struct LyfPage
{
	LyfHttpResponse *response;
	LyfValue   *body;			/* parsed JSON, once lyf_page_json was called */
	bool		body_parsed;
	LyfFailure *body_problem;	/* why it is no JSON, or NULL */
	bool		ignored;		/* by the error handler */
	bool		no_records;		/* the same, with a status >= 400 */
	bool		reset;			/* RESET_PAGINATION was asked for */
	bool		watched;		/* paging will look at the response, as it came */
	LyfValue   *headers;		/* map for templates, `link` parsed */
	const char *method;			/* of the request */
	const char *url;			/* of the request, before redirects; with its secrets */
	uint64		request_hash;	/* of method, url and body: is it the same request again? */
} LyfPage;

/*
 * The body as JSON, parsed in place on the first call.  Not JSON or empty: an
 * empty map (as the reference engine has it); *failure says why if not NULL.
 */
extern LyfValue *lyf_page_json(LyfPage *page, LyfFailure **failure);

/* before records of a watched page are changed */
extern void lyf_page_keep_response(LyfPage *page);

/* in budget.c: how many calls an API allows (HTTPAPIBudget), shared by the requesters of a connector */

typedef struct LyfBudget LyfBudget;

/* c is the manifest's api_budget; json NULL: *out NULL */
extern LyfFailure *lyf_budget_compile(const LyfComponent *c, LyfBudget **out);

/* budget may be NULL; it must live as long as the requester */
extern void lyf_requester_set_budget(LyfRequester *requester, LyfBudget *budget);

/* in auth.c: authenticators, a const table of kinds; file auth_<kind>.c where one is big */

typedef struct LyfAuth LyfAuth;

/* requester: the one that it is for; json NULL: an authenticator that adds nothing */
extern LyfFailure *lyf_auth_compile(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out);

/* what request.c puts a request together from before it is printed into bytes */
typedef struct LyfRequestParts
{
	LyfValue   *parameters;		/* maps, made in CurrentMemoryContext */
	LyfValue   *headers;
	LyfValue   *body_json;		/* map or NULL */
	LyfValue   *body_data;		/* map (form) or STRING (raw) or NULL */
} LyfRequestParts;

/* apply to one request (each retry again) */
extern LyfFailure *lyf_auth_apply(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts);

/* an API refused the request: get a new access token, unless there is another one by now; *able false: it has none */
extern LyfFailure *lyf_auth_refresh(LyfAuth *auth, LyfSession *session, bool *able);

/* in auth_cache.c */

/* from now on no message shows this text: what a service gave out, or what was made of secrets */
extern void lyf_session_hide(LyfSession *session, const char *text);

/* in token.c: access tokens by OAuth */

/* What asks for a token, and where in the answer it stands */
typedef struct LyfTokenRequest
{
	LyfHttpRequest http;
	const char *access_name;
	const char *refresh_name;
	const char *expires_name;
	bool		expires_at;		/* that is a time, not a number of seconds */
} LyfTokenRequest;

typedef struct LyfToken
{
	const char *access;
	const char *refresh;		/* a new refresh token, or NULL */
	TimestampTz expires;
	bool		has_expiry;		/* the service said so; else it is an hour from now */
} LyfToken;

/*
 * Who waits for a token, and keeps it.  From before the request is sent until keep
 * returns no interrupt is served, so that a token that was given is not lost.
 */
typedef struct LyfTokenKeeper
{
	bool		(*wanted) (void *arg);	/* before each try */
	void		(*keep) (void *arg, const LyfToken *token);
	void	   *arg;
} LyfTokenKeeper;

/*
 * Ask for a token, again if the service is down or busy.  keeper may be NULL.  The
 * texts of a failure may hold what is secret.  Memory: CurrentMemoryContext.
 */
extern LyfFailure *lyf_token_fetch(const LyfTokenRequest *request, const LyfTokenKeeper *keeper,
								   LyfNetStats *stats, LyfToken *token);

/*
 * A refresh token that changes with each use, and stands in the configuration:
 * the paths of it, of the access token and of its expiry there (lists of keys).
 */
typedef struct LyfTokenPaths
{
	const LyfValue *access;
	const LyfValue *refresh;
	const LyfValue *expiry;
} LyfTokenPaths;

/*
 * Where such tokens are kept durably; connector/ gives it.  Between begin and end nobody
 * else of this account renews them; an error ends it, too.  begin and renew give the
 * configuration as it is then, in session->cxt.
 */
typedef struct LyfCredentialStore
{
	LyfFailure *(*begin) (LyfSession *session, LyfValue **config);
	/*
	 * ask for a token and commit it, whatever becomes of the calling transaction;
	 * *renewed false: nobody was asked, since another one has been stored
	 */
	LyfFailure *(*renew) (LyfSession *session, const LyfTokenPaths *paths, const LyfTokenRequest *request,
						  LyfValue **config, bool *renewed);
	void		(*end) (LyfSession *session);
} LyfCredentialStore;

/* in outcome.c: error handlers and backoffs */

typedef enum LyfAction
{
	LYF_SUCCESS, LYF_RETRY, LYF_FAIL, LYF_IGNORE, LYF_RATE_LIMITED, LYF_RESET_PAGINATION, LYF_REFRESH_TOKEN_THEN_RETRY
} LyfAction;

typedef struct LyfErrorHandler LyfErrorHandler;

extern LyfFailure *lyf_error_handler_compile(const LyfComponent *c, LyfErrorHandler **out);	/* json NULL: the default one */

typedef struct LyfOutcome
{
	LyfAction	action;
	int64		wait_ms;		/* for RETRY and RATE_LIMITED: before the next try */
	bool		said;			/* by a header or the body of the response */
	bool		give_up;		/* no tries left */
	int64		max_time_ms;	/* no further try once all have taken that long; 0: no such limit */
	LyfFailure *failure;		/* what to report if this is the end of it */
} LyfOutcome;

/* judge a response (page) or a network failure (error; page NULL) of the attempt-th try (from 1) */
extern LyfFailure *lyf_outcome_judge(LyfErrorHandler *handler, const LyfSession *session, const LyfScope *scope,
									 LyfPage *page, const LyfFailure *error, int attempt, LyfOutcome *outcome);

/* in paging.c */

typedef struct LyfPaginator LyfPaginator;

extern LyfFailure *lyf_paginator_compile(const LyfComponent *c, const LyfComponent *requester, LyfPaginator **out);	/* json NULL: NoPagination */

/* plain facts about a page that was read; records as the reference engine counts and sees them for paging */
typedef struct LyfPageFacts
{
	int64		record_count;	/* extracted, before any filter: what page and offset increments count */
	int64		emitted_count;	/* after the filter: what templates see as last_page_size */
	LyfValue   *last_record;	/* the last one emitted, or NULL */
} LyfPageFacts;

/* in stream.c: the pages of one slice */

typedef struct LyfFetch LyfFetch;

/*
 * Read a slice from the beginning, or from the page that token names (as
 * lyf_fetch_token gave it).  injections: what the slice's router and cursor put
 * into each request.  Lives in CurrentMemoryContext; page memory is its own child context, reset by
 * the next lyf_fetch_next.
 */
extern LyfFetch *lyf_fetch_begin(LyfRequester *requester, LyfPaginator *paginator, LyfSession *session,
								 const LyfSlice *slice, const LyfInjection *injections, int injection_count,
								 bool slice_options_once, const LyfValue *token);

/* *page is NULL at the end.  After each page call lyf_fetch_observe before the next one. */
extern LyfFailure *lyf_fetch_next(LyfFetch *fetch, LyfPage **page);
extern LyfFailure *lyf_fetch_observe(LyfFetch *fetch, LyfPage *page, const LyfPageFacts *facts);

/*
 * Each page takes as many requests as chunks (a list that outlives the fetch; NULL: one) has
 * members: templates see each as the slice's extra field query_properties.  After
 * lyf_fetch_next, the others come one by one; *page is NULL behind the last.
 */
extern void lyf_fetch_set_chunks(LyfFetch *fetch, const LyfValue *chunks);

/* a response that asks for paging to begin again is handed out as a page, rather than obeyed */
extern void lyf_fetch_hand_out_resets(LyfFetch *fetch);

/* the first page is known, and nobody is asked for it; it must outlive the fetch */
extern void lyf_fetch_set_first(LyfFetch *fetch, const LyfValue *first_page);

extern LyfFailure *lyf_fetch_next_chunk(LyfFetch *fetch, LyfPage **page);

/*
 * Send the request of the next page already, if it is known and only reads.  Only
 * a wish: what goes wrong shows when the page is asked for.
 */
extern void lyf_fetch_ahead(LyfFetch *fetch);

/* stop early (is_data_feed, a LIMIT): no next page */
extern void lyf_fetch_stop(LyfFetch *fetch);

/* is there another page, and what would read it (a map, in CurrentMemoryContext); NULL: no */
extern LyfValue *lyf_fetch_token(LyfFetch *fetch);
extern MemoryContext lyf_fetch_page_context(LyfFetch *fetch);
extern void lyf_fetch_end(LyfFetch *fetch);

/* the names templates see for a page: response, headers, last_record, last_page_size; binds into scope */
extern void lyf_page_bind(LyfScope *scope, LyfPage *page, const LyfPageFacts *facts);

/* in ahead.c: requests on their way that nobody has asked for yet */

extern int	lyf_ahead_count(const LyfSession *session);
extern void lyf_ahead_drop(LyfSession *session);

/* in slice.c: partition routers */

/*
 * A parent stream as slice.c sees it, handed in by connector/: an iterator of
 * its records, and its own state.
 */
typedef struct LyfParent
{
	void	   *stream;			/* connector's */
	const char *name;
	bool		incremental;	/* incremental_dependency */
	/* start reading; state: the child stream's, of which the parent takes what is its own, or NULL */
	LyfFailure *(*begin) (struct LyfParent *parent, LyfSession *session, const LyfValue *state, void **reader);
	/* next record with its slice's partition; *record NULL at the end.  Valid until the next call. */
	LyfFailure *(*next) (void *reader, LyfValue **record, const LyfSlice **slice);
	/* the place-th record (from 0) after the one given last, *record NULL if it did not come yet: nobody is asked */
	void		(*peek) (void *reader, int place, LyfValue **record, const LyfSlice **slice);
	/* send the request of its next page already */
	void		(*ahead) (void *reader);
	LyfValue   *(*state) (void *reader);	/* after what was read so far */
	void		(*end) (void *reader);
} LyfParent;

/* how router_compile gets a parent: c is the parent stream's component */
typedef LyfFailure *(*LyfParentCompile) (void *arg, const LyfComponent *c, LyfParent **out);

/* c may be a router, or a component whose json is a LIST of routers (cartesian product); json NULL: *out NULL */
extern LyfFailure *lyf_router_compile(const LyfComponent *c, LyfParentCompile parent, void *arg, LyfRouter **out);

/* names of the partition fields this router makes, in order */
extern int	lyf_router_fields(const LyfRouter *router, const char ***names);

/* do its partitions come with their first page, which need not be asked for then? */
extern bool lyf_router_is_lazy(const LyfRouter *router);

/* about how many partitions there are, as far as that is known without asking anybody; 1 for NULL */
extern double lyf_router_guess(const LyfRouter *router);

/* what the router and the cursor put into the requests of a slice */
extern LyfFailure *lyf_router_injections(const LyfRouter *router, LyfSession *session, const LyfSlice *slice,
										 LyfInjection **injections, int *count);

/*
 * Iterate over the partitions (slices without a cursor_slice), in the reference
 * engine's order.  state is that of the stream itself (or NULL): a parent with an
 * incremental dependency finds its own in it.
 */
typedef struct LyfRouterScan LyfRouterScan;
extern LyfRouterScan *lyf_router_begin(LyfRouter *router, LyfSession *session, const LyfValue *state);
extern LyfFailure *lyf_router_next(LyfRouterScan *scan, LyfSlice **slice);	/* NULL at the end; in CurrentMemoryContext */

/*
 * The place-th partition (from 0) after the one given last, as far as that is known without asking
 * anybody, NULL if not; in CurrentMemoryContext.  And: let a parent ask for its next page already.
 */
extern LyfSlice *lyf_router_peek(LyfRouterScan *scan, int place);
extern void lyf_router_ahead(LyfRouterScan *scan);

extern LyfValue *lyf_router_parent_state(LyfRouterScan *scan);	/* map by parent name, or NULL */
extern void lyf_router_end(LyfRouterScan *scan);

/* in cursor.c: DatetimeBasedCursor, IncrementingCountCursor, and their state */

extern LyfFailure *lyf_cursor_compile(const LyfComponent *c, LyfCursor **out);	/* json NULL: *out NULL */

/* cursor_field, evaluated */
extern LyfFailure *lyf_cursor_field(const LyfCursor *cursor, LyfSession *session, char **field);

/* states in the form of LegacyToPerPartitionStateMigration are of partitions by this field */
extern void lyf_cursor_take_legacy(LyfCursor *cursor, const char *partition_field);

/* is it a number that grows, rather than a time? */
extern bool lyf_cursor_is_count(const LyfCursor *cursor);
extern bool lyf_cursor_is_client_side(const LyfCursor *cursor);
extern bool lyf_cursor_is_data_feed(const LyfCursor *cursor);

/* does it have a step, so that there may be several windows? */
extern bool lyf_cursor_has_steps(const LyfCursor *cursor);

/* when the state's (Airbyte's JSON) value of the cursor is; *known false: it has none that can be read */
extern LyfFailure *lyf_cursor_state_time(const LyfCursor *cursor, LyfSession *session, const LyfValue *state,
										 TimestampTz *at, bool *known);

/* the members of a slice that its window starts and ends at; where they are templates, those */
extern void lyf_cursor_keys(const LyfCursor *cursor, const char *keys[2]);

/* can a range of the cursor be made part of the request (start or end option, or the requester's templates use them)? */
extern bool lyf_cursor_restrictable(const LyfCursor *cursor, const LyfRequester *requester);

extern LyfFailure *lyf_cursor_injections(const LyfCursor *cursor, LyfSession *session, const LyfSlice *slice,
										 LyfInjection **injections, int *count);

/*
 * The state of one stream while it is read: of the whole stream, or of each
 * partition where there is a router.  Takes the state JSON as Airbyte has it
 * (NULL: none), and gives it back the same.
 */
typedef struct LyfProgress LyfProgress;

extern LyfFailure *lyf_progress_begin(const LyfCursor *cursor, const LyfRouter *router, LyfSession *session,
									  const LyfValue *state, LyfProgress **progress);

/* restrict the windows to [low, high] (LYF_DATETIME or NULL), for WHERE on the cursor field */
extern void lyf_progress_restrict(LyfProgress *progress, const LyfValue *low, const LyfValue *high);

/*
 * Start with a partition (its slice may have empty maps), then give its slices one by one, in
 * CurrentMemoryContext, NULL at the end.  *duplicate: it was there already in this read, and has none.
 */
extern LyfFailure *lyf_progress_open(LyfProgress *progress, const LyfSlice *partition, bool *duplicate);
extern LyfFailure *lyf_progress_next(LyfProgress *progress, const LyfSlice *partition, LyfSlice **slice);

/*
 * The place-th slice (from 0) that is to come, NULL if there is none: of the open partition, after the
 * slice given last; or of one that was not opened yet.  Nothing changes.  In CurrentMemoryContext.
 */
extern LyfSlice *lyf_progress_peek(const LyfProgress *progress, const LyfSlice *partition, bool open, int place);

/*
 * What a later read needs, besides the state, to go on from here (a small map in
 * CurrentMemoryContext).  It resumes just before it opens the next partition;
 * open: that is the one that was open.  False: saved is none of ours.
 */
extern LyfValue *lyf_progress_save(LyfProgress *progress);
extern bool lyf_progress_resume(LyfProgress *progress, const LyfValue *saved, bool open);

/* should this record be kept (client-side incremental, data feed)?  *stop: the data feed is past its state */
extern LyfFailure *lyf_progress_keep(LyfProgress *progress, const LyfSlice *slice, const LyfValue *record, bool *keep);
extern LyfFailure *lyf_progress_feed_ended(LyfProgress *progress, const LyfSlice *slice, const LyfValue *last_record, bool *stop);

/*
 * The slice (of the open partition) from the latest record observed in it on, in
 * CurrentMemoryContext; NULL: none was.
 */
extern LyfSlice *lyf_progress_shorten(const LyfProgress *progress, const LyfSlice *slice);

extern LyfFailure *lyf_progress_observe(LyfProgress *progress, const LyfSlice *slice, const LyfValue *record);
extern LyfFailure *lyf_progress_close_slice(LyfProgress *progress, const LyfSlice *slice);
extern LyfFailure *lyf_progress_close_partition(LyfProgress *progress, const LyfSlice *partition);
extern LyfFailure *lyf_progress_close_all(LyfProgress *progress);

/* state JSON now (a map in CurrentMemoryContext); parent_state as lyf_router_parent_state gave it, or NULL */
extern LyfFailure *lyf_progress_state(LyfProgress *progress, const LyfValue *parent_state, LyfValue **state);

#endif							/* LYF_EXTRACT_H */
