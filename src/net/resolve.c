/*
 * resolve.c
 *		The addresses of a host, without waiting for name servers where nothing can
 *		interrupt: the system's resolver works in a thread of its own.
 *
 * Whoever gives up leaves thread and lookup alone; the last of the two to go frees
 * it.  The thread touches nothing of PostgreSQL's and never sees its signals.
 */
#include "postgres.h"

#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include "base/clock.h"
#include "net/net_internal.h"

/* malloc'd: it may outlive the one who asks */
typedef struct Lookup
{
	char	   *host;
	struct addrinfo *found;
	int			error;			/* of getaddrinfo */
	int			ready[2];		/* a pipe: the thread closes its end when it is done */
	pg_atomic_uint32 owners;
} Lookup;

static void
release(Lookup *lookup)
{
	if (pg_atomic_sub_fetch_u32(&lookup->owners, 1) > 0)
		return;
	if (lookup->found != NULL)
		freeaddrinfo(lookup->found);
	free(lookup->host);
	free(lookup);
}

static void *
look_up(void *arg)
{
	Lookup	   *lookup = arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

	lookup->error = getaddrinfo(lookup->host, NULL, &hints, &lookup->found);
	close(lookup->ready[1]);
	release(lookup);
	return NULL;
}

/* a detached thread with all signals blocked; false: there can be none */
static bool
start_thread(Lookup *lookup)
{
	pthread_t	thread;
	sigset_t	all;
	sigset_t	saved;
	bool		started;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	started = pthread_create(&thread, NULL, look_up, lookup) == 0;
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (started)
		pthread_detach(thread);
	return started;
}

/* NULL: no memory, files or threads */
static Lookup *
start(const char *host)
{
	Lookup	   *lookup = calloc(1, sizeof(Lookup));

	if (lookup == NULL)
		return NULL;
	pg_atomic_init_u32(&lookup->owners, 2);
	lookup->host = strdup(host);
	if (lookup->host == NULL || pipe2(lookup->ready, O_CLOEXEC) != 0)
	{
		free(lookup->host);
		free(lookup);
		return NULL;
	}
	if (!start_thread(lookup))
	{
		close(lookup->ready[0]);
		close(lookup->ready[1]);
		free(lookup->host);
		free(lookup);
		return NULL;
	}
	return lookup;
}

/* false: time is up; interrupts raise */
static bool
wait_ready(int fd, int timeout_ms)
{
	static uint32 wait_event = 0;
	int64		end = lyf_monotonic_us() + (int64) timeout_ms * 1000;

	if (wait_event == 0)
		wait_event = LYF_WAIT_EVENT("LyftronResolve");
	for (;;)
	{
		int64		left = timeout_ms > 0 ? Max((end - lyf_monotonic_us() + 999) / 1000, 0) : -1;
		int			happened = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH |
												 (left >= 0 ? WL_TIMEOUT : 0), fd, (long) left, wait_event);

		if (happened & WL_LATCH_SET)
			ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (happened & WL_SOCKET_READABLE)
			return true;
		if (happened & WL_TIMEOUT)
			return false;
	}
}

static const char **
list_addresses(const struct addrinfo *found)
{
	int			count = 0;
	const char **addresses;

	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
		count++;
	addresses = palloc0((count + 1) * sizeof(char *));
	count = 0;
	for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
	{
		char		text[NI_MAXHOST];

		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
			addresses[count++] = pstrdup(text);
	}
	return addresses;
}

static LyfFailure *
lookup_failure(const char *host, const char *why)
{
	LyfFailure *failure = lyf_failure(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
									  "could not resolve host \"%s\"", host);

	lyf_failure_detail(failure, "The resolver says: %s.", why);
	lyf_failure_hint(failure, "Check the host name, and that this database server can look it up.");
	return lyf_failure_retryable(failure, 0);
}

LyfFailure *
lyf_resolve(const char *host, int timeout_ms, const char ***addresses)
{
	struct addrinfo numeric = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;
	Lookup	   *lookup;
	LyfFailure *volatile failure = NULL;

	if (getaddrinfo(host, NULL, &numeric, &found) == 0)
	{
		*addresses = list_addresses(found);
		freeaddrinfo(found);
		return NULL;
	}
	lookup = start(host);
	if (lookup == NULL)
		return lyf_failure(ERRCODE_INSUFFICIENT_RESOURCES, "could not start to look up a host: %m");
	PG_TRY();
	{
		if (!wait_ready(lookup->ready[0], timeout_ms))
			failure = lookup_failure(host, "no answer in time");
		else if (lookup->error != 0)
			failure = lookup_failure(host, gai_strerror(lookup->error));
		else
			*addresses = list_addresses(lookup->found);
	}
	PG_FINALLY();
	{
		close(lookup->ready[0]);
		release(lookup);
	}
	PG_END_TRY();
	return failure;
}
