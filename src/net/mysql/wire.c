/*
 * wire.c
 *		The calls of the client library that reach the network, MariaDB's or MySQL's.
 *
 * MariaDB's calls on_wait for every wait, TLS included (its own non-blocking
 * interface does not: with TLS it blocks).  MySQL's functions for asynchronous use
 * return when they would wait, though not whether to read or to write.
 */
#include "postgres.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "client.h"

#define CLIENT_FLAGS	(CLIENT_MULTI_STATEMENTS | CLIENT_FOUND_ROWS)

/* the largest packet that the protocol knows */
#define LARGEST_PACKET	(1024UL * 1024 * 1024)

/* an option that is a text, unless it is missing */
static void
set_text(MYSQL *handle, enum mysql_option option, const char *value)
{
	if (value != NULL)
		mysql_options(handle, option, value);
}

static void
set_common(MYSQL *handle, const LyfMysqlOptions *options)
{
	unsigned int no = 0;
	unsigned int protocol = options->socket != NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	unsigned long largest = LARGEST_PACKET;

	mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no);
	mysql_options(handle, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(handle, MYSQL_OPT_MAX_ALLOWED_PACKET, &largest);
	mysql_options4(handle, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "lyftron");
	if (options->compress)
		mysql_options(handle, MYSQL_OPT_COMPRESS, NULL);
}

#ifdef LYF_LIBRARY_IS_MARIADB

/* sockets are blocking while TLS begins, so reads must end by themselves this often */
#define TURN_US			50000

/* plugins that never show the server the password itself */
#define SAFE_PLUGINS	"mysql_native_password,client_ed25519,parsec,caching_sha2_password,sha256_password,auth_gssapi_client"

/* the session that is inside the library */
static LyfMysql *current = NULL;

/* milliseconds are given by the library, and are of no interest: our own limits hold.  1: ready, -1: give up */
static int
on_wait(my_socket fd, my_bool is_read, int timeout)
{
	LyfMysql   *mysql = current;

	if (mysql->fd != fd)
	{
		struct timeval turn = {.tv_usec = TURN_US};

		mysql->fd = fd;
		(void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &turn, sizeof(turn));
		(void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &turn, sizeof(turn));
		(void) fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	return lyf_client_wait(mysql, fd, mysql->sending || !is_read ? WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE, -1) ? 1 : -1;
}

static LyfMysql *
enter(LyfMysql *mysql)
{
	LyfMysql   *outer = current;

	current = mysql;
	mysql->working = true;
	return outer;
}

static void
leave(LyfMysql *mysql, LyfMysql *outer)
{
	mysql->working = false;
	current = outer;
}

MYSQL *
lyf_wire_init(const LyfMysqlOptions *options)
{
	MYSQL	   *handle = mysql_init(NULL);

	if (handle == NULL)
		return NULL;
	set_common(handle, options);
	mysql_optionsv(handle, MARIADB_OPT_IO_WAIT, on_wait);
	return handle;
}

/* Without verification anybody may pose as the server: it gets no password in clear then. */
void
lyf_wire_set_tls(MYSQL *handle, const LyfMysqlOptions *options)
{
	my_bool		use = options->tls != LYF_TLS_DISABLE;
	my_bool		verify = options->tls == LYF_TLS_VERIFY_FULL;

	mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &use);
	mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	if (options->socket == NULL && options->tls < LYF_TLS_VERIFY_FULL)
		mysql_optionsv(handle, MARIADB_OPT_RESTRICTED_AUTH, SAFE_PLUGINS);
	if (options->tls >= LYF_TLS_VERIFY_CA)
		set_text(handle, MYSQL_OPT_SSL_CA, options->tls_ca);
	set_text(handle, MYSQL_OPT_SSL_CERT, options->tls_cert);
	set_text(handle, MYSQL_OPT_SSL_KEY, options->tls_key);
}

bool
lyf_wire_connect(LyfMysql *mysql, const char *host)
{
	const LyfMysqlOptions *options = &mysql->options;
	LyfMysql   *outer = enter(mysql);
	bool		connected = mysql_real_connect(mysql->handle, host, options->user, options->password, options->database,
											   options->port, options->socket, CLIENT_FLAGS) != NULL;

	leave(mysql, outer);
	if (!connected)
		return false;
	mysql->fd = mysql_get_socket(mysql->handle);
	(void) fcntl(mysql->fd, F_SETFL, fcntl(mysql->fd, F_GETFL) | O_NONBLOCK);
	return true;
}

bool
lyf_wire_send(LyfMysql *mysql, const char *sql, size_t len, bool ahead)
{
	LyfMysql   *outer = enter(mysql);
	bool		sent;

	mysql->sending = true;
	sent = mysql_send_query(mysql->handle, sql, len) == 0;
	mysql->sending = false;
	leave(mysql, outer);
	return sent;
}

bool
lyf_wire_answer(LyfMysql *mysql)
{
	LyfMysql   *outer = enter(mysql);
	bool		good = mysql_read_query_result(mysql->handle) == 0;

	leave(mysql, outer);
	return good;
}

bool
lyf_wire_next(LyfMysql *mysql)
{
	LyfMysql   *outer = enter(mysql);
	bool		good = mysql_next_result(mysql->handle) == 0;

	leave(mysql, outer);
	return good;
}

MYSQL_ROW
lyf_wire_fetch(LyfMysql *mysql)
{
	LyfMysql   *outer = enter(mysql);
	MYSQL_ROW	row = mysql_fetch_row(mysql->result);

	leave(mysql, outer);
	return row;
}

#else							/* MySQL's library */

/* The library does not say what it waits for: it is asked again this often, should it want to write. */
#define TURN_MS			10

MYSQL *
lyf_wire_init(const LyfMysqlOptions *options)
{
	MYSQL	   *handle = mysql_init(NULL);
	bool		yes = true;

	if (handle == NULL)
		return NULL;
	set_common(handle, options);
	mysql_options(handle, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &yes);
	return handle;
}

/* It sends no password in clear unless it is told to. */
void
lyf_wire_set_tls(MYSQL *handle, const LyfMysqlOptions *options)
{
	static const unsigned int modes[] = {
		[LYF_TLS_DISABLE] = SSL_MODE_DISABLED,
		[LYF_TLS_PREFER] = SSL_MODE_PREFERRED,
		[LYF_TLS_REQUIRE] = SSL_MODE_REQUIRED,
		[LYF_TLS_VERIFY_CA] = SSL_MODE_VERIFY_CA,
		[LYF_TLS_VERIFY_FULL] = SSL_MODE_VERIFY_IDENTITY
	};

	mysql_options(handle, MYSQL_OPT_SSL_MODE, &modes[options->tls]);
	if (options->tls >= LYF_TLS_VERIFY_CA)
		set_text(handle, MYSQL_OPT_SSL_CA, options->tls_ca);
	set_text(handle, MYSQL_OPT_SSL_CERT, options->tls_cert);
	set_text(handle, MYSQL_OPT_SSL_KEY, options->tls_key);
}

/* it would wait: a full socket is what it wants to write to, else it reads */
static bool
wait_turn(LyfMysql *mysql)
{
	struct pollfd entry = {.fd = mysql->handle->net.fd, .events = POLLOUT};

	if (poll(&entry, 1, 0) == 0)
		return lyf_client_wait(mysql, entry.fd, WL_SOCKET_WRITEABLE, TURN_MS);
	return lyf_client_wait(mysql, entry.fd, WL_SOCKET_READABLE, TURN_MS);
}

/* call it until it need not wait any more */
#define FINISH(status, call) \
	do { \
		mysql->working = true; \
		(status) = (call); \
		mysql->working = false; \
	} while ((status) == NET_ASYNC_NOT_READY && wait_turn(mysql))

bool
lyf_wire_connect(LyfMysql *mysql, const char *host)
{
	const LyfMysqlOptions *options = &mysql->options;
	enum net_async_status status;

	FINISH(status, mysql_real_connect_nonblocking(mysql->handle, host, options->user, options->password, options->database,
												  options->port, options->socket, CLIENT_FLAGS));
	if (status != NET_ASYNC_COMPLETE)
		return false;
	mysql->fd = mysql->handle->net.fd;
	(void) fcntl(mysql->fd, F_SETFD, FD_CLOEXEC);
	return true;
}

/* The same call sends the statement and reads its answer; it is made once here, and made again in lyf_wire_answer. */
bool
lyf_wire_send(LyfMysql *mysql, const char *sql, size_t len, bool ahead)
{
	if (ahead)
	{
		free(mysql->kept);
		mysql->kept = strndup(sql, len);
		if (mysql->kept == NULL)
			return false;
	}
	mysql->sql = ahead ? mysql->kept : sql;
	mysql->len = len;
	mysql->working = true;
	mysql->status = mysql_real_query_nonblocking(mysql->handle, mysql->sql, mysql->len);
	mysql->working = false;
	return mysql->status != NET_ASYNC_ERROR || mysql_errno(mysql->handle) < CR_MIN_ERROR;
}

bool
lyf_wire_answer(LyfMysql *mysql)
{
	if (mysql->status == NET_ASYNC_NOT_READY && wait_turn(mysql))
		FINISH(mysql->status, mysql_real_query_nonblocking(mysql->handle, mysql->sql, mysql->len));
	return mysql->status == NET_ASYNC_COMPLETE;
}

bool
lyf_wire_next(LyfMysql *mysql)
{
	enum net_async_status status;

	FINISH(status, mysql_next_result_nonblocking(mysql->handle));
	return status == NET_ASYNC_COMPLETE;
}

MYSQL_ROW
lyf_wire_fetch(LyfMysql *mysql)
{
	enum net_async_status status;
	MYSQL_ROW	row = NULL;

	FINISH(status, mysql_fetch_row_nonblocking(mysql->result, &row));
	return status == NET_ASYNC_COMPLETE ? row : NULL;
}

static LyfMysql *
enter(LyfMysql *mysql)
{
	mysql->working = true;
	return NULL;
}

static void
leave(LyfMysql *mysql, LyfMysql *outer)
{
	mysql->working = false;
}

#endif

pgsocket
lyf_wire_socket(const LyfMysql *mysql)
{
#ifdef LYF_LIBRARY_IS_MARIADB
	return mysql_get_socket(mysql->handle);
#else
	return mysql->handle->net.vio != NULL ? mysql->handle->net.fd : PGINVALID_SOCKET;
#endif
}

void
lyf_wire_discard(LyfMysql *mysql)
{
	LyfMysql   *outer = enter(mysql);

	/* without its handle a result is freed without reading what is left of it */
	if (mysql->result != NULL)
		mysql->result->handle = NULL;
	mysql_close(mysql->handle);
	mysql_free_result(mysql->result);
	mysql->handle = NULL;
	mysql->result = NULL;
	leave(mysql, outer);
}

