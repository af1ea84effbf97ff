/*
 * net_internal.h
 *		What the files of net/ share and others must not see.
 */
#ifndef LYF_NET_INTERNAL_H
#define LYF_NET_INTERNAL_H

#include "net/net.h"

/* all maxima of this room */
#define LYF_MAX_URL_BYTES		(64 * 1024)
#define LYF_MAX_REQUEST_HEADERS 200
#define LYF_MAX_HEAD_BYTES		(256 * 1024)	/* headers of a response */
#define LYF_MAX_HEAD_LINES		1000
#define LYF_MAX_REDIRECTS		10

/* in url.c */

/* the authority of an absolute URL: "user@host:port" and its host; false if there is none */
extern bool lyf_url_authority(const char *url, const char **start, size_t *len);

/* its host, in lower case and without brackets or a last dot, and its port; palloc'd */
extern char *lyf_url_host(const char *url, int *port);

/* a URL as it goes on the wire, as Python's requests quotes it: no fragment, illegal bytes as %XX; palloc'd */
extern char *lyf_url_requote(const char *url);

/* in access.c */

/* which hosts a role may be connected to, and which one it is about */
typedef struct LyfAccess
{
	bool		superuser;
	const char *allowed;		/* lyftron.allowed_hosts */
	const char *host;
	int			port;
} LyfAccess;

/* of the current role, for a URL: refused here where that is certain before any look-up; memory: CurrentMemoryContext */
extern LyfFailure *lyf_access_begin(LyfAccess *access, const char *url);

/* likewise for a host (in lower case, without brackets), which outlives it */
extern LyfFailure *lyf_access_begin_host(LyfAccess *access, const char *host, int port);

/* the same role, for the URL of a redirect */
extern LyfFailure *lyf_access_url(LyfAccess *access, const char *url);

/* may it be connected to this numeric address?  Neither allocates nor throws */
extern bool lyf_access_allows(const LyfAccess *access, const char *address);

/* address: the one that was refused, or NULL */
extern LyfFailure *lyf_access_failure(const LyfAccess *access, const char *address);

/* in resolve.c */

/*
 * The numeric addresses of a host, NULL behind the last one, palloc'd; a numeric host is its own.  Waits on the latch and
 * handles interrupts.  timeout_ms 0: none.
 */
extern LyfFailure *lyf_resolve(const char *host, int timeout_ms, const char ***addresses);

/* in exchange.c */

/* Bytes that arrive inside a library's callback: malloc'd, so that nothing throws. */
typedef struct LyfBuffer
{
	char	   *data;			/* data[len] is writable */
	size_t		len;
	size_t		size;
	size_t		limit;			/* most that is accepted */
} LyfBuffer;

typedef enum LyfAppend
{
	LYF_APPEND_OK,
	LYF_APPEND_TOO_LARGE,
	LYF_APPEND_NO_MEMORY
} LyfAppend;

extern LyfAppend lyf_buffer_reserve(LyfBuffer *buffer, size_t more);
extern LyfAppend lyf_buffer_append(LyfBuffer *buffer, const char *data, size_t len);
extern void lyf_buffer_free(LyfBuffer *buffer);

/* one raw line of a response's head ("Name: value", folded, empty, status), kept in head */
extern LyfAppend lyf_head_line(LyfBuffer *head, bool *complete, const char *line, size_t len);

/* the kept lines as headers; palloc'd, head stays as it is */
extern LyfHeader *lyf_head_parse(const LyfBuffer *head, int *count);

/* where a head says more than once how long the body is: does it always say the same? */
extern bool lyf_head_lengths_agree(const LyfBuffer *head);

/* first value by name, compared without case, or NULL */
extern const char *lyf_header_find(const LyfHeader *headers, int count, const char *name);

/* a copy in CurrentMemoryContext, URL quoted, or what is wrong with it */
extern LyfFailure *lyf_request_copy(const LyfHttpRequest *request, LyfHttpRequest *copy);

extern bool lyf_is_redirect(int status);

/*
 * Turn a request into the one that follows a redirect.  To another origin only
 * harmless headers go along; a body never does.
 */
extern LyfFailure *lyf_request_redirect(LyfHttpRequest *request, int status, const char *location);

/* in http.c: let the transfers of this backend go on until something happens, at most so long; handles interrupts */
extern void lyf_http_drive(int64 milliseconds, uint32 wait_event);

/* in rate.c; times are lyf_monotonic_us's */

#define LYF_RATE_BINS	66

/* calls that leave the window together */
typedef struct LyfRateBin
{
	uint32		last;			/* when the last of them arrived, in units after the rate's base */
	uint32		weight;
} LyfRateBin;

typedef struct LyfRate
{
	bool		fixed;
	int			limit;
	int64		interval;		/* us */
	int64		taken;			/* weight of answered calls in the window */
	int64		pending;		/* of those on their way */
	int64		held_until;		/* moving: the source's own word */
	int64		reset;			/* fixed: when the window ends */
	int64		base;			/* moving: what bins count from */
	int			oldest;			/* moving: the bins are a ring */
	int			bin_count;
	uint32		newest_first;	/* when the first call of the newest bin arrived */
	LyfRateBin	bins[LYF_RATE_BINS];
} LyfRate;

extern void lyf_rate_init(LyfRate *rate, bool fixed, int limit, int64 interval_ms, int64 now);

/* nothing in it is worth keeping */
extern bool lyf_rate_is_idle(LyfRate *rate, int64 now);
extern int64 lyf_rate_used(LyfRate *rate, int64 now);

/* how long until a call of this weight (at most the limit) may be sent, or until it is known better; 0: now */
extern int64 lyf_rate_wait(LyfRate *rate, int weight, int64 now);

/* a call is sent; it has arrived, then at the latest.  begun: its weight when it began, 0: that is over already */
extern void lyf_rate_begin(LyfRate *rate, int weight);
extern void lyf_rate_end(LyfRate *rate, int begun, int weight, int64 arrived, int64 now);

extern void lyf_rate_update(LyfRate *rate, int remaining, int64 reset, int64 now);

/* in gate.c */

/* a permit is in the hands of a transfer, which ends it */
extern void lyf_permit_use(uint64 permit);

/* it ends, after so many requests; the answer to the last one began to come then, 0: it did not */
extern void lyf_permit_end(uint64 permit, int requests, int64 answered);

#endif							/* LYF_NET_INTERNAL_H */
