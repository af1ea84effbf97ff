/*
 * connect.c
 *		The beginning and the end of a connection.
 *
 * All of it is malloc'd: a connection outlives memory contexts, and is closed while
 * a transaction is aborted, where nothing may be allocated or raised.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "client.h"

/* how long a KILL may take in all, and the farewell of a healthy connection */
#define KILL_US		INT64CONST(1000000)
#define FAREWELL_US	INT64CONST(100000)

static char *
copy_text(const char *text)
{
	return text != NULL ? strdup(text) : NULL;
}

static void
free_secret(const char *text)
{
	if (text != NULL)
		explicit_bzero((char *) text, strlen(text));
	free((char *) text);
}

static void
copy_options(LyfMysqlOptions *to, const LyfMysqlOptions *from)
{
	*to = *from;
	to->addresses = NULL;
	to->host = copy_text(from->host);
	to->socket = copy_text(from->socket);
	to->user = copy_text(from->user);
	to->password = copy_text(from->password);
	to->database = copy_text(from->database);
	to->tls_ca = copy_text(from->tls_ca);
	to->tls_cert = copy_text(from->tls_cert);
	to->tls_key = copy_text(from->tls_key);
}

static void
free_options(LyfMysqlOptions *options)
{
	free_secret(options->password);
	free((char *) options->host);
	free((char *) options->socket);
	free((char *) options->user);
	free((char *) options->database);
	free((char *) options->tls_ca);
	free((char *) options->tls_cert);
	free((char *) options->tls_key);
}

/* the numeric address at the other end, "" for a socket */
static void
peer_address(pgsocket fd, char *text, size_t size)
{
	struct sockaddr_storage peer;
	socklen_t	len = sizeof(peer);

	text[0] = '\0';
	if (getpeername(fd, (struct sockaddr *) &peer, &len) != 0)
		return;
	if (peer.ss_family == AF_INET)
		(void) inet_ntop(AF_INET, &((struct sockaddr_in *) &peer)->sin_addr, text, (socklen_t) size);
	else if (peer.ss_family == AF_INET6)
		(void) inet_ntop(AF_INET6, &((struct sockaddr_in6 *) &peer)->sin6_addr, text, (socklen_t) size);
}

static bool
is_among(const char *const *addresses, const char *address)
{
	for (; *addresses != NULL; addresses++)
		if (strcmp(*addresses, address) == 0)
			return true;
	return false;
}

/* A handle, ready to connect; false: no memory. */
static bool
prepare(LyfMysql *mysql)
{
	mysql->fd = PGINVALID_SOCKET;
	mysql->handle = lyf_wire_init(&mysql->options);
	if (mysql->handle == NULL)
		return false;
	lyf_wire_set_tls(mysql->handle, &mysql->options);
	return true;
}

/* What TLS was asked for must be there; not all versions of the library see to that. */
static LyfFailure *
check_tls(LyfMysql *mysql)
{
	if (mysql->options.tls < LYF_TLS_REQUIRE || mysql_get_ssl_cipher(mysql->handle) != NULL)
		return NULL;
	return lyf_failure_hint(lyf_failure(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
										"the server does not offer TLS"),
							"Have it set up there, or set the server's option tls to prefer or disable.");
}

/* Where the library looked the name up: the certificate proves who it is, the address must be allowed all the same. */
static LyfFailure *
check_peer(LyfMysql *mysql, const LyfMysqlOptions *options)
{
	char		peer[INET6_ADDRSTRLEN];

	if (options->socket != NULL)
		return NULL;
	peer_address(mysql->fd, peer, sizeof(peer));
	free(mysql->address);
	mysql->address = strdup(peer);
	if (is_among(options->addresses, peer))
		return NULL;
	return lyf_failure(ERRCODE_INSUFFICIENT_PRIVILEGE, "connection to host \"%s\" at address %s is not allowed",
					   options->host, peer);
}

/* one attempt; a failure leaves nothing behind */
static LyfFailure *
attempt(LyfMysql *mysql, const LyfMysqlOptions *options, const char *host)
{
	LyfFailure *failure = NULL;

	if (!prepare(mysql))
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "out of memory");
	if (!lyf_wire_connect(mysql, host))
		failure = lyf_client_failure(mysql);
	if (failure == NULL)
		failure = check_peer(mysql, options);
	if (failure == NULL)
		failure = check_tls(mysql);
	if (failure != NULL)
	{
		lyf_wire_discard(mysql);
		mysql->dead = mysql->timed_out = false;
		mysql->fd = PGINVALID_SOCKET;
	}
	return failure;
}

/* by name where the certificate must be valid for it, else by each of its addresses */
static LyfFailure *
try_addresses(LyfMysql *mysql, const LyfMysqlOptions *options)
{
	LyfFailure *failure = NULL;

	if (options->socket != NULL)
		return attempt(mysql, options, NULL);
	if (options->tls == LYF_TLS_VERIFY_FULL)
		return attempt(mysql, options, options->host);
	for (int i = 0; options->addresses[i] != NULL; i++)
	{
		failure = attempt(mysql, options, options->addresses[i]);
		if (failure == NULL || (mysql->deadline != 0 && lyf_monotonic_us() >= mysql->deadline))
			break;
	}
	return failure;
}

static LyfFailure *
begin_session(LyfMysql *mysql)
{
	if (!AcquireExternalFD())
		return lyf_failure(ERRCODE_INSUFFICIENT_RESOURCES, "too many files are open in this session");
	mysql->counted = true;
	mysql->mariadb = strstr(mysql_get_server_info(mysql->handle), "MariaDB") != NULL;
	lyf_client_watch(mysql);
	mysql->deadline = 0;
	mysql->id = mysql_thread_id(mysql->handle);
	return NULL;
}

/* Connect; what it raises is closed by the caller. */
static LyfFailure *
connect_raising(LyfMysql *mysql, const LyfMysqlOptions *options)
{
	if (options->connect_timeout_ms > 0)
		mysql->deadline = lyf_monotonic_us() + (int64) options->connect_timeout_ms * 1000;
	LYF_TRY(try_addresses(mysql, options));
	return begin_session(mysql);
}

LyfFailure *
lyf_client_connect(const LyfMysqlOptions *options, LyfMysql **result)
{
	LyfMysql   *mysql = calloc(1, sizeof(LyfMysql));
	LyfFailure *volatile failure = NULL;

	if (mysql == NULL)
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "out of memory");
	mysql->fd = PGINVALID_SOCKET;
	copy_options(&mysql->options, options);
	PG_TRY();
	{
		failure = connect_raising(mysql, options);
	}
	PG_CATCH();
	{
		lyf_client_close(mysql, false);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (failure != NULL)
		lyf_client_close(mysql, false);
	else
		*result = mysql;
	return failure;
}

/* connect once more and say it, by the same or a lower grade of TLS */
static bool
send_kill(const LyfMysql *mysql, LyfMysqlTls tls, int64 deadline)
{
	LyfMysql	other = {.options = mysql->options, .quiet = true, .deadline = deadline};
	const char *host = tls == LYF_TLS_VERIFY_FULL ? mysql->options.host : mysql->address;
	char		sql[64];
	bool		done;

	other.options.tls = tls;
	if (!prepare(&other))
		return false;
	snprintf(sql, sizeof(sql), "KILL QUERY " UINT64_FORMAT, mysql->id);
	done = lyf_wire_connect(&other, host) &&
		lyf_wire_send(&other, sql, strlen(sql), false) && lyf_wire_answer(&other);
	lyf_wire_discard(&other);
	return done;
}

/*
 * Nothing is raised here, nor are interrupts served.  Where TLS is not insisted on, it goes without: that is much
 * quicker.  The server's authority suffices where it is known: then no name need be looked up, which may take long.
 */
bool
lyf_client_kill(LyfMysql *mysql)
{
	int64		deadline = lyf_monotonic_us() + KILL_US;
	LyfMysqlTls tls = mysql->options.tls;

	if (tls == LYF_TLS_VERIFY_FULL && mysql->options.tls_ca != NULL)
		tls = LYF_TLS_VERIFY_CA;
	if (tls == LYF_TLS_PREFER && send_kill(mysql, LYF_TLS_DISABLE, deadline))
		return true;
	return send_kill(mysql, tls, deadline);
}

void
lyf_client_close(LyfMysql *mysql, bool kill)
{
	if (kill && mysql->id != 0 && ((mysql->unanswered && !mysql->owed) || mysql->result != NULL))
		(void) lyf_client_kill(mysql);

	/* the process ends in the middle of a wait: the library is not done with it */
	if (mysql->working)
		return;
	lyf_client_unwatch(mysql);
	mysql->quiet = true;
	mysql->timed_out = false;
	mysql->deadline = lyf_monotonic_us() + FAREWELL_US;
	if (mysql->owed && !mysql->dead)
		mysql->unanswered = !lyf_wire_answer(mysql);
	if (mysql->handle != NULL)
	{
		/* the library has none any more where it gave up */
		pgsocket	fd = lyf_wire_socket(mysql);

		if (fd != PGINVALID_SOCKET && (mysql->unanswered || mysql->result != NULL || mysql->dead))
			(void) shutdown(fd, SHUT_RDWR);
		lyf_wire_discard(mysql);
	}
	if (mysql->counted)
		ReleaseExternalFD();
	free_options(&mysql->options);
	free(mysql->address);
	free(mysql->kept);
	free(mysql->fields);
	free(mysql);
}
