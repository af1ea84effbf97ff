/*-------------------------------------------------------------------------
 *
 * http.c
 *		HTTP over curl's multi interface: the only file that knows curl.
 *
 * One multi handle a backend keeps connections alive across requests and
 * statements.  curl says which sockets and which time it waits for; they go into
 * a WaitEventSet together with the latch, so that any wait can be interrupted.
 * curl works with signals blocked, never waits itself, and its callbacks never
 * throw; interrupts are served between two such turns.
 *
 * A transfer belongs to a memory context, whose reset takes it out of the multi
 * handle: no error, wherever raised, leaves anything behind.  Its timeout runs
 * only while someone drives the transfers: a caller may start one early and
 * come back after a long time to a response that waits in the socket.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ilist.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/settings.h"
#include "net/net_internal.h"

/* socket events handled in one turn */
#define EVENTS_PER_TURN 16

/* connections kept open while nobody uses them */
#define MAX_IDLE_CONNECTIONS	32L

/* a body is given its announced size at once up to this */
#define MAX_RESERVED_BYTES	(16 * 1024 * 1024)

/* a connection attempt that nobody drove for this long begins anew */
#define STALE_CONNECT_US	INT64CONST(1000000)

/* ways for a transfer to end badly that curl has no code for, after its codes */
enum
{
	STOP_BODY_TOO_LARGE = CURL_LAST + 1,
	STOP_HEAD_TOO_LARGE,
	STOP_TIMED_OUT,
	STOP_TOO_MANY_REDIRECTS,
	STOP_NOT_ALLOWED,
	STOP_TWO_LENGTHS
};

struct LyfTransfer
{
	dlist_node	node;			/* in active, while it flies */
	bool		flying;
	MemoryContext cxt;
	MemoryContextCallback callback;
	CURL	   *easy;
	struct curl_slist *lines;	/* headers as curl wants them */
	LyfHttpRequest request;		/* changes with each redirect */
	LyfAccess	access;			/* of the role that started it */
	int			redirects;
	uint64		permit;			/* to be in flight, or 0 */
	int			timeout_ms;
	int64		started;
	int64		deadline;		/* 0 = none */
	/* gathered by callbacks */
	LyfBuffer	head;
	LyfBuffer	body;
	bool		head_complete;
	int			head_lines;
	int64		answered;		/* when the head began to come, or 0 */
	int			stop;			/* why a callback gave up, or 0 */
	char		refused[INET6_ADDRSTRLEN];	/* an address that may not be connected to, or "" */
	char		error[CURL_ERROR_SIZE];
	/* once it is over */
	int			code;			/* CURLcode or STOP_... */
	LyfFailure *failure;		/* bad redirect, or NULL */
	LyfHttpResponse response;
	int			requests;		/* sent, redirects included */
	bool		counted;		/* in someone's statistics */
};

typedef struct WatchedSocket
{
	curl_socket_t fd;
	int			events;			/* WL_SOCKET_... */
} WatchedSocket;

/* what curl waits for, and who is on the way: of this backend */
static CURLM *multi = NULL;
static dlist_head active = DLIST_STATIC_INIT(active);
static WatchedSocket *sockets = NULL;
static int	socket_count = 0;
static int	socket_space = 0;
static int64 curl_timer = -1;	/* monotonic time, or -1 */
static int64 last_driven = 0;
static WaitEventSet *wait_set = NULL;
static bool wait_set_valid = false;

/*
 * Threads that curl starts (its resolver's) inherit the mask: no handler of this
 * process may ever run in one of them.
 */
static void
block_signals(sigset_t *saved)
{
	sigset_t	mask = BlockSig;

	sigaddset(&mask, SIGQUIT);
	sigprocmask(SIG_SETMASK, &mask, saved);
}

static void
restore_signals(const sigset_t *saved)
{
	sigprocmask(SIG_SETMASK, saved, NULL);
}

/* ---- callbacks of the multi handle ---- */

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	int			i = 0;

	while (i < socket_count && sockets[i].fd != fd)
		i++;
	wait_set_valid = false;
	if (what == CURL_POLL_REMOVE)
	{
		if (i < socket_count)
			sockets[i] = sockets[--socket_count];
		return 0;
	}
	if (i == socket_space)
	{
		int			space = Max(16, socket_space * 2);
		WatchedSocket *grown = realloc(sockets, sizeof(WatchedSocket) * space);

		/* An error would end all of this handle; unwatched, one transfer times out */
		if (grown == NULL)
			return 0;
		sockets = grown;
		socket_space = space;
	}
	if (i == socket_count)
		socket_count++;
	sockets[i].fd = fd;
	sockets[i].events = (what & CURL_POLL_IN ? WL_SOCKET_READABLE : 0) |
		(what & CURL_POLL_OUT ? WL_SOCKET_WRITEABLE : 0);
	return 0;
}

static int
on_timer(CURLM *handle, long timeout_ms, void *arg)
{
	curl_timer = timeout_ms < 0 ? -1 : lyf_monotonic_us() + (int64) timeout_ms * 1000;
	return 0;
}

/* ---- callbacks of a transfer ---- */

/*
 * What a name was resolved to is known here, and nothing is sent yet.  Sockets count
 * against the backend's files, and no program started by it inherits them.
 */
static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	LyfTransfer *transfer = arg;
	char		text[INET6_ADDRSTRLEN] = "";
	const void *bytes = address->family == AF_INET6 ? (void *) &((struct sockaddr_in6 *) &address->addr)->sin6_addr :
		(void *) &((struct sockaddr_in *) &address->addr)->sin_addr;
	int			fd;

	if (inet_ntop(address->family, bytes, text, sizeof(text)) == NULL ||
		!lyf_access_allows(&transfer->access, text))
	{
		snprintf(transfer->refused, sizeof(transfer->refused), "%s", text);
		return CURL_SOCKET_BAD;
	}
	if (!AcquireExternalFD())
		return CURL_SOCKET_BAD;
	fd = socket(address->family, address->socktype, address->protocol);
	if (fd < 0)
		ReleaseExternalFD();
	else
		(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* before each request: the connection may be one that was opened for a role that may do more */
static int
on_connected(void *arg, char *address, char *own_address, int port, int own_port)
{
	LyfTransfer *transfer = arg;

	if (lyf_access_allows(&transfer->access, address))
		return CURL_PREREQFUNC_OK;
	snprintf(transfer->refused, sizeof(transfer->refused), "%s", address);
	transfer->stop = STOP_NOT_ALLOWED;
	return CURL_PREREQFUNC_ABORT;
}
#endif

static int
on_close_socket(void *arg, curl_socket_t fd)
{
	ReleaseExternalFD();
	return close(fd);
}

static int
stop_of(LyfAppend result, int too_large)
{
	return result == LYF_APPEND_TOO_LARGE ? too_large : CURLE_OUT_OF_MEMORY;
}

static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
	LyfTransfer *transfer = arg;
	LyfAppend	result;

	if (transfer->head_lines == 0)
		transfer->answered = lyf_monotonic_us();
	result = lyf_head_line(&transfer->head, &transfer->head_complete, line, size * count);

	if (++transfer->head_lines > LYF_MAX_HEAD_LINES)
		result = LYF_APPEND_TOO_LARGE;
	if (result == LYF_APPEND_OK)
		return size * count;
	transfer->stop = stop_of(result, STOP_HEAD_TOO_LARGE);
	return 0;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	LyfTransfer *transfer = arg;
	LyfBuffer  *body = &transfer->body;
	LyfAppend	result;
	curl_off_t	announced = -1;

	if (body->data == NULL)
	{
		curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
		if (announced > 0)
			(void) lyf_buffer_reserve(body, Min(announced, MAX_RESERVED_BYTES));
	}
	if (announced > 0 && announced > body->limit)
		result = LYF_APPEND_TOO_LARGE;
	else
		result = lyf_buffer_append(body, data, size * count);
	if (result == LYF_APPEND_OK)
		return size * count;
	transfer->stop = stop_of(result, STOP_BODY_TOO_LARGE);
	return 0;
}

/* ---- the life of a transfer ---- */

/* once a backend; false if curl has no memory */
static bool
init_multi(void)
{
	if (multi != NULL)
		return true;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return false;
	multi = curl_multi_init();
	if (multi == NULL)
		return false;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, MAX_IDLE_CONNECTIONS);
	return true;
}

/* let go of what is curl's; the bytes that came stay */
static void
drop_handle(LyfTransfer *transfer)
{
	if (transfer->flying)
		curl_multi_remove_handle(multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->lines);
	transfer->easy = NULL;
	transfer->lines = NULL;
}

/* it is in flight no more */
static void
release(LyfTransfer *transfer)
{
	uint64		permit = transfer->permit;

	transfer->permit = 0;
	if (permit != 0)
		lyf_permit_end(permit, transfer->requests, transfer->answered);
	drop_handle(transfer);
	if (transfer->flying)
		dlist_delete(&transfer->node);
	transfer->flying = false;
}

/* the memory context goes: nothing may stay, and nothing may throw */
static void
on_context_reset(void *arg)
{
	LyfTransfer *transfer = arg;

	release(transfer);
	lyf_buffer_free(&transfer->head);
	lyf_buffer_free(&transfer->body);
}

/* "Name: value"; an empty value is asked for by a semicolon, a header curl should not send by an empty one */
static bool
add_line(struct curl_slist **lines, const char *name, const char *separator, const char *value)
{
	char	   *line = psprintf("%s%s%s", name, separator, value);
	struct curl_slist *longer = curl_slist_append(*lines, line);

	pfree(line);
	if (longer == NULL)
		return false;
	*lines = longer;
	return true;
}

/* the request's headers and our defaults; lengths are curl's to count */
static bool
set_lines(LyfTransfer *transfer)
{
	static const char *const defaults[][3] = {
		{"User-Agent", ": ", "lyftron/1.0"},
		{"Accept", ": ", "*/*"},
		{"Content-Type", ":", ""},
		{"Expect", ":", ""}
	};
	const LyfHttpRequest *r = &transfer->request;
	bool		ok = true;

	for (int i = 0; i < r->header_count; i++)
		if (pg_strcasecmp(r->headers[i].name, "Content-Length") != 0)
			ok = ok && add_line(&transfer->lines, r->headers[i].name,
								r->headers[i].value[0] == '\0' ? ";" : ": ", r->headers[i].value);
	for (int i = 0; i < lengthof(defaults); i++)
		if (lyf_header_find(r->headers, r->header_count, defaults[i][0]) == NULL)
			ok = ok && add_line(&transfer->lines, defaults[i][0], defaults[i][1], defaults[i][2]);
	return ok && curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->lines) == CURLE_OK;
}

/* only http and https, whatever else this curl can do */
static CURLcode
limit_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* to whom connections go: to the host itself, whatever the environment says, and if the role may */
static void
set_access(LyfTransfer *transfer)
{
	curl_easy_setopt(transfer->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(transfer->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(transfer->easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(transfer->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
#if LIBCURL_VERSION_NUM >= 0x075000
	curl_easy_setopt(transfer->easy, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(transfer->easy, CURLOPT_PREREQDATA, transfer);
#else
	curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
#endif
	if (lyf_ca_file != NULL && lyf_ca_file[0] != '\0')
		curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, lyf_ca_file);
}

/* what does not depend on the request */
static bool
set_options(LyfTransfer *transfer)
{
	CURL	   *easy = transfer->easy;
	long		connect_ms = transfer->request.connect_timeout_ms;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms > 0 ? connect_ms : INT_MAX);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
	set_access(transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* do not wait for a resolver's thread when a transfer is cancelled */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	return curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
		limit_protocols(easy) == CURLE_OK;
}

static bool
set_request(LyfTransfer *transfer)
{
	CURL	   *easy = transfer->easy;
	const LyfHttpRequest *r = &transfer->request;
	bool		get = strcmp(r->method, "GET") == 0;
	bool		head = strcmp(r->method, "HEAD") == 0;

	if (r->body != NULL || !(get || head))
	{
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) (r->body ? r->body_len : 0));
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body ? r->body : "");
	}
	else if (head)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_URL, r->url) == CURLE_OK &&
		set_lines(transfer);
}

/*
 * Hand the request as it is now to curl, which takes it up at the next turn.
 * Each time with a new handle: libcurl before 8.1 may touch freed headers of the
 * last response when a reused one gets a folded line first.
 */
static bool
launch(LyfTransfer *transfer)
{
	drop_handle(transfer);
	transfer->head.len = transfer->body.len = 0;
	transfer->head_complete = false;
	transfer->head_lines = 0;
	transfer->answered = 0;
	transfer->refused[0] = '\0';
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL || !set_options(transfer) || !set_request(transfer) ||
		curl_multi_add_handle(multi, transfer->easy) != CURLM_OK)
		return false;
	if (!transfer->flying)
		dlist_push_tail(&active, &transfer->node);
	transfer->flying = true;
	transfer->requests++;
	return true;
}

/* what has happened where curl takes it for something else */
static int
real_ending(const LyfTransfer *transfer, int code)
{
	if (code == CURLE_COULDNT_CONNECT && transfer->refused[0] != '\0')
		return STOP_NOT_ALLOWED;
	/* cut off in the head it would be a success without a body */
	if (code == CURLE_OK && !transfer->head_complete)
		return CURLE_PARTIAL_FILE;
	if (code == CURLE_OK && !lyf_head_lengths_agree(&transfer->head))
		return STOP_TWO_LENGTHS;
	/* one line is longer than curl takes */
	if (code == CURLE_OUT_OF_MEMORY && transfer->head_lines > 0 && !transfer->head_complete)
		return STOP_HEAD_TOO_LARGE;
	return code;
}

/* it is over, with this code of curl's or ours */
static void
finish(LyfTransfer *transfer, int code)
{
	long		status = 0;

	if (transfer->easy != NULL)
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	transfer->code = transfer->stop != 0 ? transfer->stop : real_ending(transfer, code);
	transfer->response.status = (int) status;
	transfer->response.elapsed_us = lyf_monotonic_us() - transfer->started;
	if (transfer->code == CURLE_OK && lyf_buffer_reserve(&transfer->body, 0) != LYF_APPEND_OK)
		transfer->code = CURLE_OUT_OF_MEMORY;
	release(transfer);
}

static void
count_bytes(LyfTransfer *transfer)
{
	curl_off_t	body = 0;
	long		head = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &body);
	curl_easy_getinfo(transfer->easy, CURLINFO_HEADER_SIZE, &head);
	transfer->response.wire_bytes += body + head;
}

/*
 * A response has come in whole.  True if it is a redirect and the next request
 * is on its way; else that was the end, with transfer->failure or ->stop set if
 * the redirect was wrong.
 */
static bool
follow_redirect(LyfTransfer *transfer)
{
	MemoryContext old;
	LyfHeader  *headers;
	int			count;
	const char *location;
	long		status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (transfer->request.no_redirects || !lyf_is_redirect(status))
		return false;

	old = MemoryContextSwitchTo(transfer->cxt);
	headers = lyf_head_parse(&transfer->head, &count);
	location = lyf_header_find(headers, count, "Location");
	if (location == NULL || location[0] == '\0')
	{
		MemoryContextSwitchTo(old);
		return false;
	}
	if (transfer->redirects++ >= LYF_MAX_REDIRECTS)
		transfer->stop = STOP_TOO_MANY_REDIRECTS;
	else
		transfer->failure = lyf_request_redirect(&transfer->request, (int) status, location);
	if (transfer->stop == 0 && transfer->failure == NULL)
		transfer->failure = lyf_access_url(&transfer->access, transfer->request.url);
	if (transfer->stop == 0 && transfer->failure == NULL && !launch(transfer))
		transfer->stop = CURLE_OUT_OF_MEMORY;
	MemoryContextSwitchTo(old);
	return transfer->stop == 0 && transfer->failure == NULL;
}

/* ---- the turn of the wheel ---- */

/* see to what curl has done: ended transfers, redirects among them */
static void
collect(void)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		LyfTransfer *transfer = NULL;
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &transfer);
		count_bytes(transfer);
		if (code != CURLE_OK || !follow_redirect(transfer))
			finish(transfer, code);
	}
}

/* let curl work on one socket, or on what is due; the one place where it may start threads */
static void
enter_curl(curl_socket_t fd, int ready)
{
	sigset_t	saved;
	int			running;

	block_signals(&saved);
	(void) curl_multi_socket_action(multi, fd, ready, &running);
	restore_signals(&saved);
	collect();
}

static WaitEventSet *
current_wait_set(void)
{
	if (wait_set_valid)
		return wait_set;
	if (wait_set != NULL)
	{
		WaitEventSet *old = wait_set;

		wait_set = NULL;
		FreeWaitEventSet(old);
	}
	wait_set = LYF_CREATE_WAIT_EVENT_SET(socket_count + 2);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	if (IsUnderPostmaster)
		AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	for (int i = 0; i < socket_count; i++)
		if (sockets[i].events != 0)
			AddWaitEventToSet(wait_set, sockets[i].events, sockets[i].fd, NULL, NULL);
	wait_set_valid = true;
	return wait_set;
}

/* milliseconds until curl or a deadline wants a turn, -1 for none */
static long
next_timeout(void)
{
	int64		first = curl_timer < 0 ? PG_INT64_MAX : curl_timer;
	int64		now = lyf_monotonic_us();
	dlist_iter	iter;

	dlist_foreach(iter, &active)
	{
		LyfTransfer *transfer = dlist_container(LyfTransfer, node, iter.cur);

		if (transfer->deadline != 0)
			first = Min(first, transfer->deadline);
	}
	if (first == PG_INT64_MAX)
		return -1;
	return first <= now ? 0 : (long) Min((first - now + 999) / 1000, INT_MAX);
}

static void
expire(void)
{
	int64		now = lyf_monotonic_us();
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &active)
	{
		LyfTransfer *transfer = dlist_container(LyfTransfer, node, iter.cur);

		if (transfer->deadline != 0 && transfer->deadline <= now)
		{
			count_bytes(transfer);
			finish(transfer, STOP_TIMED_OUT);
		}
	}
}

/* wait until something happens, at most so long (-1: any time), and do what it asks for; interrupts raise from here */
static void
turn(long timeout, uint32 wait_event)
{
	WaitEvent	events[EVENTS_PER_TURN];
	long		next = next_timeout();
	int			count;

	if (next >= 0)
		timeout = timeout < 0 ? next : Min(timeout, next);
	count = WaitEventSetWait(current_wait_set(), timeout, events, lengthof(events), wait_event);

	for (int i = 0; i < count; i++)
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();

	for (int i = 0; i < count; i++)
		if (events[i].events & WL_SOCKET_MASK)
			enter_curl(events[i].fd,
					   (events[i].events & WL_SOCKET_READABLE ? CURL_CSELECT_IN : 0) |
					   (events[i].events & WL_SOCKET_WRITEABLE ? CURL_CSELECT_OUT : 0));
	if (curl_timer >= 0 && curl_timer <= lyf_monotonic_us())
	{
		curl_timer = -1;
		enter_curl(CURL_SOCKET_TIMEOUT, 0);
	}
	expire();
	last_driven = lyf_monotonic_us();
}

/* was nothing sent yet?  Then it can begin anew without being sent twice */
static bool
is_connecting(LyfTransfer *transfer)
{
	curl_off_t	pretransfer = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
	return pretransfer == 0;
}

/*
 * Someone begins to drive again.  Time in which nobody did is no fault of the
 * sources': deadlines move by it, and connections half made, whose clock is
 * curl's, are made again.
 */
static void
resume(void)
{
	int64		now = lyf_monotonic_us();
	int64		gap = now - last_driven;
	dlist_mutable_iter iter;

	last_driven = now;
	dlist_foreach_modify(iter, &active)
	{
		LyfTransfer *transfer = dlist_container(LyfTransfer, node, iter.cur);

		if (transfer->deadline != 0)
			transfer->deadline += gap;
		if (gap > STALE_CONNECT_US && is_connecting(transfer))
		{
			transfer->requests--;
			if (!launch(transfer))
				finish(transfer, CURLE_OUT_OF_MEMORY);
		}
	}
}

/* ---- endings ---- */

typedef struct Ending
{
	int			code;
	int			sqlstate;
	bool		retryable;
	const char *what;			/* before the URL */
	const char *hint;
} Ending;

#define HINT_HOST	"Check the host name and port, and that this database server can reach it."
#define HINT_TLS \
	"The certificate must be valid for this host and be signed by an authority that this database server trusts."

static const Ending endings[] = {
	{CURLE_COULDNT_RESOLVE_HOST, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, true,
	"could not resolve the host of", HINT_HOST},
	{CURLE_COULDNT_CONNECT, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, true,
	"could not connect to", HINT_HOST},
	{CURLE_OPERATION_TIMEDOUT, ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION, true,
	"no connection in time to",
	"Check that this database server can reach the host, or raise lyftron.connect_timeout."},
	{CURLE_SSL_CONNECT_ERROR, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, true,
	"could not agree on TLS with", "Check that the port speaks https."},
	{CURLE_PEER_FAILED_VERIFICATION, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, false,
	"could not verify the certificate of", HINT_TLS},
	{CURLE_SSL_CACERT_BADFILE, ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, false,
	"could not verify the certificate of",
	"Check the setting lyftron.ca_file; without it, install the package ca-certificates on this database server."},
	{CURLE_GOT_NOTHING, ERRCODE_CONNECTION_FAILURE, true,
	"connection was closed without a response from", NULL},
	{CURLE_PARTIAL_FILE, ERRCODE_CONNECTION_FAILURE, true,
	"connection was closed before the response was complete from", NULL},
	{CURLE_SEND_ERROR, ERRCODE_CONNECTION_FAILURE, true, "connection was lost to", NULL},
	{CURLE_RECV_ERROR, ERRCODE_CONNECTION_FAILURE, true, "connection was lost to", NULL},
	{CURLE_BAD_CONTENT_ENCODING, ERRCODE_PROTOCOL_VIOLATION, true,
	"could not decompress the response from", NULL},
	{CURLE_WRITE_ERROR, ERRCODE_PROTOCOL_VIOLATION, true,
	"could not decompress the response from", NULL},
	{CURLE_WEIRD_SERVER_REPLY, ERRCODE_PROTOCOL_VIOLATION, true, "no valid HTTP response from", NULL},
	{CURLE_UNSUPPORTED_PROTOCOL, ERRCODE_PROTOCOL_VIOLATION, true, "no HTTP response from", NULL},
	{CURLE_URL_MALFORMAT, ERRCODE_INVALID_PARAMETER_VALUE, false, "URL is not valid:", NULL},
	{CURLE_OUT_OF_MEMORY, ERRCODE_OUT_OF_MEMORY, false, "out of memory during request to", NULL},
	{STOP_BODY_TOO_LARGE, ERRCODE_PROGRAM_LIMIT_EXCEEDED, false,
	"response is too large from", "Raise lyftron.max_response_size, or ask the source for smaller pages."},
	{STOP_HEAD_TOO_LARGE, ERRCODE_PROGRAM_LIMIT_EXCEEDED, false, "headers are too large from", NULL},
	{STOP_TWO_LENGTHS, ERRCODE_PROTOCOL_VIOLATION, true, "two different lengths of the response from", NULL},
	{STOP_TIMED_OUT, ERRCODE_CONNECTION_FAILURE, true,
	"no complete response in time from", "Raise lyftron.request_timeout if the source is that slow."},
	{STOP_TOO_MANY_REDIRECTS, ERRCODE_PROTOCOL_VIOLATION, false,
	"too many redirects, the last one from", "Check the URL; the source may want a login."},
};

static const Ending other_ending = {-1, ERRCODE_CONNECTION_FAILURE, true, "request failed to", NULL};

static const Ending *
find_ending(int code)
{
	for (int i = 0; i < lengthof(endings); i++)
		if (endings[i].code == code)
			return &endings[i];
	return &other_ending;
}

/* curl's words may quote the source's: only plain ASCII goes on; the last full stop is ours */
static const char *
library_words(const LyfTransfer *transfer)
{
	char	   *words = pstrdup(transfer->error[0] != '\0' ? transfer->error :
								curl_easy_strerror((CURLcode) transfer->code));

	for (char *p = words; *p != '\0'; p++)
	{
		if (*p < ' ' || *p > '~')
			*p = '?';
		if (p[0] == '.' && p[1] == '\0')
			*p = '\0';
	}
	return words;
}

static LyfFailure *
ending_failure(const LyfTransfer *transfer)
{
	const Ending *ending = find_ending(transfer->code);
	LyfFailure *failure;

	if (transfer->code == STOP_NOT_ALLOWED)
		return lyf_access_failure(&transfer->access, transfer->refused);
	failure = lyf_failure(ending->sqlstate, "%s %s", ending->what, lyf_redact_url(transfer->request.url));
	if (transfer->code == STOP_BODY_TOO_LARGE)
		lyf_failure_detail(failure, "The limit is %zu kB, after decompression.",
						   transfer->body.limit / 1024);
	else if (transfer->code == STOP_HEAD_TOO_LARGE)
		lyf_failure_detail(failure, "The limit is %zu kB, or %d lines.", transfer->head.limit / 1024,
						   LYF_MAX_HEAD_LINES);
	else if (transfer->code == STOP_TIMED_OUT)
		lyf_failure_detail(failure, "The limit is %d ms, and " INT64_FORMAT " bytes had come.",
						   transfer->timeout_ms, transfer->response.wire_bytes);
	else if (transfer->code < CURL_LAST)
		lyf_failure_detail(failure, "The HTTP library says: %s.", library_words(transfer));
	if (ending->hint != NULL)
		lyf_failure_hint(failure, "%s", ending->hint);
	return ending->retryable ? lyf_failure_retryable(failure, 0) : failure;
}

static void
complete_response(LyfTransfer *transfer)
{
	LyfHttpResponse *response = &transfer->response;
	MemoryContext old = MemoryContextSwitchTo(transfer->cxt);

	response->headers = lyf_head_parse(&transfer->head, &response->header_count);
	lyf_buffer_free(&transfer->head);
	response->body = transfer->body.data;
	response->body_len = transfer->body.len;
	response->body[response->body_len] = '\0';
	response->url = transfer->request.url;
	MemoryContextSwitchTo(old);
}

static void
add_stats(LyfNetStats *stats, LyfTransfer *transfer, int64 waited_us)
{
	stats->network_us += waited_us;
	if (transfer->counted)
		return;
	transfer->counted = true;
	stats->requests += transfer->requests;
	stats->wire_bytes += transfer->response.wire_bytes;
	stats->body_bytes += transfer->body.len;
}

/* ---- what others call ---- */

const char *
lyf_http_header(const LyfHttpResponse *response, const char *name)
{
	return lyf_header_find(response->headers, response->header_count, name);
}

void
lyf_http_drive(int64 milliseconds, uint32 wait_event)
{
	CHECK_FOR_INTERRUPTS();
	resume();
	turn((long) Min(Max(milliseconds, 0), INT_MAX), wait_event);
}

LyfFailure *
lyf_http_wait(LyfTransfer *transfer, LyfNetStats *stats, LyfHttpResponse **response)
{
	static uint32 wait_event = 0;
	int64		began = lyf_monotonic_us();

	if (wait_event == 0)
		wait_event = LYF_WAIT_EVENT("LyftronHttp");
	CHECK_FOR_INTERRUPTS();
	resume();
	while (transfer->flying)
		turn(-1, wait_event);
	if (stats != NULL)
		add_stats(stats, transfer, lyf_monotonic_us() - began);
	if (transfer->failure != NULL)
		return lyf_failure_copy(transfer->failure);
	if (transfer->code != CURLE_OK)
		return ending_failure(transfer);
	if (transfer->response.headers == NULL)
		complete_response(transfer);
	*response = &transfer->response;
	return NULL;
}

LyfFailure *
lyf_http_start(const LyfHttpRequest *request, LyfTransfer **result)
{
	LyfTransfer *transfer = palloc0(sizeof(LyfTransfer));

	transfer->cxt = CurrentMemoryContext;
	transfer->callback.func = on_context_reset;
	transfer->callback.arg = transfer;
	MemoryContextRegisterResetCallback(transfer->cxt, &transfer->callback);
	transfer->permit = request->permit;
	lyf_permit_use(request->permit);
	LYF_TRY(lyf_request_copy(request, &transfer->request));
	LYF_TRY(lyf_access_begin(&transfer->access, transfer->request.url));

	if (transfer->request.connect_timeout_ms == 0)
		transfer->request.connect_timeout_ms = lyf_connect_timeout;
	transfer->timeout_ms = request->timeout_ms != 0 ? request->timeout_ms : lyf_request_timeout;
	transfer->head.limit = LYF_MAX_HEAD_BYTES;
	transfer->body.limit = (size_t) lyf_max_response_size * 1024;

	if (!init_multi())
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "could not start the HTTP library");
	resume();
	transfer->started = lyf_monotonic_us();
	if (transfer->timeout_ms > 0)
		transfer->deadline = transfer->started + (int64) transfer->timeout_ms * 1000;
	if (!launch(transfer))
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "could not start an HTTP request");
	enter_curl(CURL_SOCKET_TIMEOUT, 0);
	*result = transfer;
	return NULL;
}
