/*
 * failure.c
 *		What went wrong, in PostgreSQL's words.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "client.h"

/* MariaDB's library: a method of authentication is none that it may use */
#define ER_PLUGIN_NOT_ALLOWED	5010

/* The server's words are UTF-8, but may quote anything; without a transaction nothing can be converted. */
static char *
clean_text(const char *text)
{
	char	   *clean = pstrdup(text);
	bool		keep = GetDatabaseEncoding() == PG_UTF8 &&
		pg_encoding_verifymbstr(PG_UTF8, text, (int) strlen(text)) == (int) strlen(text);
	size_t		len = strlen(clean);

	for (char *p = clean; *p != '\0'; p++)
		if ((unsigned char) *p < ' ' || *p == 0x7F || (IS_HIGHBIT_SET(*p) && !keep))
			*p = *p == '\n' || *p == '\t' ? ' ' : '?';
	if (len > 0 && clean[len - 1] == '.')
		clean[len - 1] = '\0';
	return clean;
}

static LyfFailure *
lost_words_failure(void)
{
	return lyf_failure_detail(lyf_failure(ERRCODE_FDW_ERROR, "the server ended the result with an error"),
							  "MySQL's client library does not tell which.");
}

static LyfFailure *
timeout_failure(const LyfMysql *mysql)
{
	bool		connecting = mysql->id == 0;
	LyfFailure *failure = lyf_failure(connecting ? ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION : ERRCODE_CONNECTION_FAILURE,
									  connecting ? "no connection in time" : "no answer from the server in time");

	if (!connecting)
		lyf_failure_detail(failure, "The limit is %d ms.", mysql->options.network_timeout_ms);
	lyf_failure_hint(failure, "Check that this database server can reach it, or raise the server's option %s.",
					 connecting ? "connect_timeout" : "network_timeout");
	return lyf_failure_retryable(failure, 0);
}

/* what the library itself found wrong, of either library: what comes next on the wire is unknown */
static bool
is_library_error(unsigned int number)
{
	return (number >= 2000 && number <= 2999) || (number >= 5000 && number <= 5999);
}

/* MariaDB's library names something else for the method */
static LyfFailure *
plugin_failure(void)
{
	return lyf_failure_hint(lyf_failure(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
										"the server asks for the password in a way that is not safe here"),
							"Set the server's option tls to verify-full, or let the user log in by another method.");
}

/* nobody listens there; the number that the library gives for the reason is not always the right one */
static LyfFailure *
connect_failure(const LyfMysql *mysql)
{
	const LyfMysqlOptions *options = &mysql->options;
	LyfFailure *failure;

	if (options->socket != NULL)
		failure = lyf_failure(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
							  "could not connect to socket \"%s\"", options->socket);
	else
		failure = lyf_failure(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION,
							  "could not connect to host \"%s\", port %d", options->host, options->port);
	lyf_failure_hint(failure, "Check that the server runs there, and that this database server can reach it.");
	return lyf_failure_retryable(failure, 0);
}

LyfFailure *
lyf_client_failure(LyfMysql *mysql)
{
	unsigned int number = mysql_errno(mysql->handle);
	const char *state = mysql_sqlstate(mysql->handle);
	LyfFailure *failure;
	bool		retryable;
	int			sqlstate;

	lyf_client_rethrow(mysql);
	if (mysql->timed_out)
	{
		mysql->dead = true;
		return timeout_failure(mysql);
	}
	if (is_library_error(number) || lyf_wire_socket(mysql) == PGINVALID_SOCKET)
		mysql->dead = true;
	mysql->unanswered = false;
	if (number == ER_PLUGIN_NOT_ALLOWED)
		return plugin_failure();
	if (number == LYF_ER_AMONG_ROWS)
		return lost_words_failure();
	if (number == CR_CONNECTION_ERROR || number == CR_CONN_HOST_ERROR)
		return connect_failure(mysql);
	sqlstate = lyf_mysql_sqlstate(number, state, &retryable);
	failure = lyf_failure(sqlstate, "%s", clean_text(mysql_error(mysql->handle)));
	lyf_failure_detail(failure, "Error %u, SQLSTATE %s.", number, state);
	return retryable ? lyf_failure_retryable(failure, 0) : failure;
}
