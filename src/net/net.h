/*
 * net.h
 *		Bytes from the network.
 */
#ifndef LYF_NET_H
#define LYF_NET_H

#include "base/failure.h"
#include "base/value.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

typedef struct LyfHeader
{
	const char *name;
	const char *value;
} LyfHeader;

/* What was done on the wire, for EXPLAIN ANALYZE and the jobs view; add to it, never reset */
typedef struct LyfNetStats
{
	int64		requests;		/* sent, retries included */
	int64		retries;
	int64		pages;			/* responses that gave records */
	int64		wire_bytes;		/* received, compressed, with headers */
	int64		body_bytes;		/* received, decompressed */
	int64		network_us;		/* waiting for and receiving responses */
	int64		wait_us;		/* held back: retry and rate limit */
} LyfNetStats;

/* in http.c: requests; in url.c: URLs */

typedef struct LyfHttpRequest
{
	const char *method;
	const char *url;			/* http or https only */
	const LyfHeader *headers;
	int			header_count;
	const char *body;			/* or NULL */
	size_t		body_len;
	int			connect_timeout_ms; /* 0 = the setting's */
	int			timeout_ms;		/* 0 = the setting's */
	bool		no_redirects;
	uint64		permit;			/* to send it, of gate.c; 0: it needs none */
} LyfHttpRequest;

typedef struct LyfHttpResponse
{
	int			status;
	const LyfHeader *headers;	/* of the last response, in order, as sent */
	int			header_count;
	char	   *body;			/* decompressed, body[body_len] is writable and 0 */
	size_t		body_len;
	const char *url;			/* after redirects */
	int64		elapsed_us;
	int64		wire_bytes;
} LyfHttpResponse;

typedef struct LyfTransfer LyfTransfer;

/*
 * Start a request; several may be in flight at once (all progress while any is
 * waited for).  The transfer and, later, its response belong to CurrentMemoryContext
 * at the call: resetting it cancels the transfer and frees all of it, curl's handles too.
 */
extern LyfFailure *lyf_http_start(const LyfHttpRequest *request, LyfTransfer **transfer);

/*
 * Wait for it, on the sockets and the latch together; handles interrupts
 * (cancel and timeouts raise at once).  A response of any status is no failure;
 * no response is (retryable where trying again is sensible): refused, reset,
 * timed out, TLS, too large, bad redirect ...  stats may be NULL.
 */
extern LyfFailure *lyf_http_wait(LyfTransfer *transfer, LyfNetStats *stats, LyfHttpResponse **response);

/* first value of a header, name compared without case, or NULL */
extern const char *lyf_http_header(const LyfHttpResponse *response, const char *name);

/* percent-encode a form value (space as +) / undo that; palloc'd */
extern char *lyf_url_encode_form(const char *text, size_t len);
extern char *lyf_url_decode(const char *text, size_t len);

/* RFC 3986: reference against base, as Python's urljoin; palloc'd */
extern char *lyf_url_join(const char *base, const char *reference);

/* same scheme, host and port? */
extern bool lyf_url_same_origin(const char *a, const char *b);

/* the same host by https instead of http, each at its own port? */
extern bool lyf_url_is_upgrade(const char *from, const char *to);

/* "https://api.example.com:8080", without what may be secret; palloc'd */
extern char *lyf_url_origin(const char *url);

/* in retry.c */

/* sleep on the latch, handling interrupts, while transfers go on; counts into stats->wait_us (may be NULL) */
extern void lyf_net_sleep(int64 milliseconds, LyfNetStats *stats);

/* Retry-After: seconds or an HTTP date relative to now; -1 if it is neither */
extern int64 lyf_retry_after_ms(const char *value, TimestampTz now);

/* base * factor^attempt, at most cap; with jitter: uniform in [0, that] */
extern int64 lyf_backoff_ms(int64 base_ms, double factor, int attempt, int64 cap_ms, bool jitter);

/* in rate.c */

/* One limit that a request comes under. */
typedef struct LyfLimit
{
	int			policy;			/* of the api_budget, from 1; 0: the server's own option */
	int			place;			/* among the policy's */
	bool		fixed;			/* each window that the source begins; else any window */
	int			calls;
	int64		interval_ms;
	int			weight;			/* calls that the request counts as, at most as many as that */
} LyfLimit;

#define LYF_MAX_OPTION_LIMITS	8
#define LYF_MAX_POLICY_LIMITS	20

/* '100/min, 20/10 s' as limits: how many, -1: it is none of that */
extern int	lyf_limits_parse(const char *text, LyfLimit limits[LYF_MAX_OPTION_LIMITS]);

/* in gate.c: what holds requests back, in all sessions that share an account */

/* An account of a server, as its requests see it; outlives them. */
typedef struct LyfGate
{
	uint64		account;		/* the same for whom the source takes for the same */
	Oid			server;
	Oid			user;			/* whose mapping it is; InvalidOid: PUBLIC's, or none */
	const char *server_name;
	int			max_requests;	/* in flight over all sessions; 0: any number */
	LyfLimit	limits[LYF_MAX_OPTION_LIMITS];	/* of every request */
	int			limit_count;
} LyfGate;

/*
 * Let a request pass that comes under these limits (LYF_MAX_POLICY_LIMITS at most) and the gate's own: all are taken, or none.
 * It goes into request->permit, which ends with the request.  Waits for it, on the latch, while requests that
 * are on their way go on.
 */
extern LyfFailure *lyf_gate_pass(const LyfGate *gate, const LyfLimit *limits, int count, LyfHttpRequest *request, LyfNetStats *stats);

/* the same for a request that nobody waits for: false where it would have to wait, or would take the last place from others */
extern bool lyf_gate_try(const LyfGate *gate, const LyfLimit *limits, int count, LyfHttpRequest *request);

/* the source wants no request for that long: so says Retry-After, or another header */
extern void lyf_gate_hold(const LyfGate *gate, int64 milliseconds, bool by_retry_after);

/* what it said: calls left (-1: not said), and when its window ends (0: not said) */
extern void lyf_gate_update(const LyfGate *gate, const LyfLimit *limits, int count, int remaining, TimestampTz reset);

/* in gate_list.c: what is held back, for people */

typedef struct LyfGateRow
{
	Oid			server;
	Oid			user;
	bool		shared;			/* counted over all sessions; else by this one alone */
	int			policy;			/* as in LyfLimit; -1: requests in flight */
	bool		fixed;
	int			calls;			/* 0: any number */
	int64		interval_ms;
	int64		used;
	int			in_flight;
	int			waiting;		/* sessions */
	TimestampTz held_until;		/* 0: not held back, or nobody knows until when */
	const char *held_by;		/* or NULL */
	TimestampTz updated_at;
} LyfGateRow;

/* of this database; palloc'd */
extern LyfGateRow *lyf_gate_list(int *count);

/* in redact.c */

/* a URL as it may be shown: values of query parameters whose names smell of secrets, and user:password@, as *** */
extern char *lyf_redact_url(const char *url);

/*
 * Replace by *** every occurrence of each of the secrets (longer than 3 bytes): as it is, as URLs, forms, JSON
 * and HTML write it, in base64, or cut off; and what an Authorization header holds.  Palloc'd.
 */
extern char *lyf_redact_text(const char *text, const char *const *secrets, int count);

/* where a URL is secret, so is what is in it: adds user, password, path and values of parameters to a List of char * */
extern List *lyf_redact_url_parts(const char *url, List *secrets);

/* a copy without them: texts are redacted, a number that is one becomes a text */
extern LyfValue *lyf_redact_value(const LyfValue *value, const char *const *secrets, int count);

/* a copy of which all texts are redacted; NULL for NULL */
extern LyfFailure *lyf_redact_failure(const LyfFailure *failure, const char *const *secrets, int count);

#endif							/* LYF_NET_H */
