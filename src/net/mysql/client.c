/*
 * client.c
 *		The functions that lyftron_mysql.so gives: statements and their results.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "fmgr.h"
#include "miscadmin.h"

#include "base/clock.h"
#include "client.h"

PG_MODULE_MAGIC;

/* the rest of a result that nobody wants is read for so long, then the server is told to stop */
#define DROP_US			INT64CONST(10000)
#define ROWS_PER_LOOK	64

/* an answer whose first bytes are there is waited for so long */
#define OWED_US			INT64CONST(100000)

/* the server's error for a statement that was killed */
#define ER_QUERY_INTERRUPTED	1317

extern PGDLLEXPORT const LyfMysqlFunctions *lyf_mysql_client(void);

/* ---- answers ---- */

/* where there is no row: has it failed, or is it only over? */
static bool
has_failed(const LyfMysql *mysql)
{
	return mysql_errno(mysql->handle) != 0 || mysql->error != NULL || mysql->timed_out;
}

/* rows that are in the way */
static bool
skip_rows(LyfMysql *mysql)
{
	while (lyf_wire_fetch(mysql) != NULL)
		;
	if (has_failed(mysql))
		return false;
	mysql_free_result(mysql->result);
	mysql->result = NULL;
	return true;
}

/* Of the statements that were sent, wait for the last one's answer: the first that has rows. */
static LyfFailure *
read_answers(LyfMysql *mysql)
{
	bool		good = lyf_wire_answer(mysql);

	mysql->most_affected = 0;
	while (good)
	{
		mysql->result = mysql_use_result(mysql->handle);
		if (mysql->result == NULL && mysql_field_count(mysql->handle) > 0)
			break;
		if (mysql->result == NULL)
			mysql->most_affected = Max(mysql->most_affected, mysql_affected_rows(mysql->handle));
		/* whether there are more is known only behind the rows */
		if (mysql->result != NULL || !mysql_more_results(mysql->handle))
		{
			mysql->unanswered = mysql->owed = false;
			return NULL;
		}
		good = lyf_wire_next(mysql);
	}
	mysql->owed = false;
	return lyf_client_failure(mysql);
}

static LyfFailure *
dead_failure(void)
{
	return lyf_failure_retryable(lyf_failure(ERRCODE_CONNECTION_DOES_NOT_EXIST, "the connection is lost"), 0);
}

/* What was sent ahead is answered first. */
static LyfFailure *
read_owed(LyfMysql *mysql)
{
	if (mysql->dead)
		return dead_failure();
	return mysql->owed ? read_answers(mysql) : NULL;
}

static LyfFailure *
send_statement(LyfMysql *mysql, const char *sql, size_t len, bool ahead)
{
	Assert(mysql->result == NULL);
	mysql->stats.queries++;
	mysql->unanswered = true;
	if (!lyf_wire_send(mysql, sql, len, ahead))
		return lyf_client_failure(mysql);
	return NULL;
}

/* ---- fields ---- */

static const struct
{
	enum enum_field_types theirs;
	LyfMysqlType ours;
}			types[] = {
	{MYSQL_TYPE_TINY, LYF_MYSQL_TINY},
	{MYSQL_TYPE_SHORT, LYF_MYSQL_SHORT},
	{MYSQL_TYPE_INT24, LYF_MYSQL_INT24},
	{MYSQL_TYPE_LONG, LYF_MYSQL_LONG},
	{MYSQL_TYPE_LONGLONG, LYF_MYSQL_LONGLONG},
	{MYSQL_TYPE_DECIMAL, LYF_MYSQL_DECIMAL},
	{MYSQL_TYPE_NEWDECIMAL, LYF_MYSQL_DECIMAL},
	{MYSQL_TYPE_FLOAT, LYF_MYSQL_FLOAT},
	{MYSQL_TYPE_DOUBLE, LYF_MYSQL_DOUBLE},
	{MYSQL_TYPE_DATE, LYF_MYSQL_DATE},
	{MYSQL_TYPE_NEWDATE, LYF_MYSQL_DATE},
	{MYSQL_TYPE_TIME, LYF_MYSQL_TIME},
	{MYSQL_TYPE_DATETIME, LYF_MYSQL_DATETIME},
	{MYSQL_TYPE_TIMESTAMP, LYF_MYSQL_TIMESTAMP},
	{MYSQL_TYPE_YEAR, LYF_MYSQL_YEAR},
	{MYSQL_TYPE_BIT, LYF_MYSQL_BIT},
	{MYSQL_TYPE_JSON, LYF_MYSQL_JSON},
	{MYSQL_TYPE_TINY_BLOB, LYF_MYSQL_BLOB},
	{MYSQL_TYPE_MEDIUM_BLOB, LYF_MYSQL_BLOB},
	{MYSQL_TYPE_LONG_BLOB, LYF_MYSQL_BLOB},
	{MYSQL_TYPE_BLOB, LYF_MYSQL_BLOB},
	{MYSQL_TYPE_GEOMETRY, LYF_MYSQL_GEOMETRY},
	{MYSQL_TYPE_NULL, LYF_MYSQL_NULL},
};

/* the character set of bytes that are no characters */
#define BINARY_CHARSET	63

static LyfMysqlType
field_type(enum enum_field_types theirs)
{
	for (int i = 0; i < lengthof(types); i++)
		if (types[i].theirs == theirs)
			return types[i].ours;
	return LYF_MYSQL_STRING;
}

static LyfFailure *
describe_fields(LyfMysql *mysql)
{
	int			count = mysql->result != NULL ? (int) mysql_num_fields(mysql->result) : 0;

	mysql->field_count = count;
	if (count > mysql->field_space)
	{
		LyfMysqlField *grown = realloc(mysql->fields, sizeof(LyfMysqlField) * count);

		if (grown == NULL)
			return lyf_failure(ERRCODE_OUT_OF_MEMORY, "out of memory");
		mysql->fields = grown;
		mysql->field_space = count;
	}
	for (int i = 0; i < count; i++)
	{
		MYSQL_FIELD *theirs = mysql_fetch_field_direct(mysql->result, i);
		LyfMysqlField *field = &mysql->fields[i];

		field->name = theirs->name;
		field->type = field_type(theirs->type);
		field->is_unsigned = (theirs->flags & UNSIGNED_FLAG) != 0;
		field->is_binary = theirs->charsetnr == BINARY_CHARSET;
		field->length = theirs->length;
		field->decimals = theirs->decimals;
	}
	return NULL;
}

/* ---- the functions ---- */

static LyfFailure *
query(LyfMysql *mysql, const char *sql, size_t len, const LyfMysqlField **fields, int *count)
{
	CHECK_FOR_INTERRUPTS();
	LYF_TRY(read_owed(mysql));
	LYF_TRY(send_statement(mysql, sql, len, false));
	LYF_TRY(read_answers(mysql));
	LYF_TRY(describe_fields(mysql));
	*fields = mysql->fields;
	*count = mysql->field_count;
	return NULL;
}

static LyfFailure *
fetch(LyfMysql *mysql, LyfMysqlRow *row)
{
	MYSQL_ROW	values = lyf_wire_fetch(mysql);

	row->value = values;
	if (likely(values != NULL))
	{
		row->length = mysql_fetch_lengths(mysql->result);
		mysql->stats.rows++;
		return NULL;
	}
	return has_failed(mysql) ? lyf_client_failure(mysql) : NULL;
}

/* was the statement that gives the rows stopped by our KILL? */
static bool
was_killed(const LyfMysql *mysql)
{
	unsigned int number = mysql_errno(mysql->handle);

	return mysql->error == NULL && !mysql->timed_out && (number == ER_QUERY_INTERRUPTED || number == LYF_ER_AMONG_ROWS);
}

/* read what is left; false: it takes long */
static bool
drop_rows(LyfMysql *mysql, int64 until)
{
	for (int i = 1; lyf_wire_fetch(mysql) != NULL; i++)
		if (until != 0 && i % ROWS_PER_LOOK == 0 && lyf_monotonic_us() > until)
			return false;
	return true;
}

/* what comes behind the rows: a procedure's own results end with one that has none */
static LyfFailure *
skip_results(LyfMysql *mysql)
{
	while (mysql_more_results(mysql->handle))
	{
		if (!lyf_wire_next(mysql))
			return lyf_client_failure(mysql);
		mysql->result = mysql_use_result(mysql->handle);
		if (mysql->result != NULL && !skip_rows(mysql))
			return lyf_client_failure(mysql);
	}
	return NULL;
}

/*
 * A statement that is killed leaves the session and its transaction as they are.  Where the server cannot be told, the
 * rest is read after all.
 */
static LyfFailure *
finish(LyfMysql *mysql)
{
	LyfFailure *failure = NULL;
	bool		killed = false;
	bool		failed;

	if (mysql->dead)
		return dead_failure();
	if (mysql->result == NULL)
		return NULL;
	if (!drop_rows(mysql, lyf_monotonic_us() + DROP_US))
	{
		killed = lyf_client_kill(mysql);
		(void) drop_rows(mysql, 0);
	}
	failed = has_failed(mysql);
	if (failed && !(killed && was_killed(mysql)))
		failure = lyf_client_failure(mysql);
	if (mysql->dead)
		return failure;
	mysql_free_result(mysql->result);
	mysql->result = NULL;
	return failed ? failure : skip_results(mysql);
}

static LyfFailure *
send_ahead(LyfMysql *mysql, const char *sql, size_t len)
{
	LYF_TRY(read_owed(mysql));
	LYF_TRY(send_statement(mysql, sql, len, true));
	mysql->owed = true;
	return NULL;
}

/* rows that are still coming are stopped; false: they cannot be */
static bool
stop_rows(LyfMysql *mysql)
{
	if (!lyf_client_kill(mysql))
		return false;
	(void) drop_rows(mysql, 0);
	if (has_failed(mysql) ? !was_killed(mysql) : mysql_more_results(mysql->handle))
		return false;
	mysql_free_result(mysql->result);
	mysql->result = NULL;
	return true;
}

/* what was said, or sent, before is over and done */
static bool
clear_wire(LyfMysql *mysql)
{
	bool		owed = mysql->owed;

	mysql->owed = false;
	if (mysql->result != NULL)
		return stop_rows(mysql);
	if (owed)
		return lyf_wire_answer(mysql) && mysql_field_count(mysql->handle) == 0 && !mysql_more_results(mysql->handle);
	return !mysql->unanswered;
}

static void
begin_quiet(LyfMysql *mysql, int64 limit_us)
{
	mysql->quiet = true;
	mysql->deadline = lyf_monotonic_us() + limit_us;
}

static void
end_quiet(LyfMysql *mysql, bool good)
{
	mysql->quiet = false;
	mysql->deadline = 0;
	mysql->unanswered = false;
	mysql->dead = !good;
}

/* The wait goes by our clock alone, also where a transaction is being aborted. */
static bool
settle(LyfMysql *mysql, const char *sql, int timeout_ms)
{
	if (mysql->dead)
		return false;
	if (mysql->options.network_timeout_ms > 0)
		timeout_ms = Min(timeout_ms, mysql->options.network_timeout_ms);
	begin_quiet(mysql, (int64) timeout_ms * 1000);
	mysql->stats.queries++;
	end_quiet(mysql, clear_wire(mysql) && lyf_wire_send(mysql, sql, strlen(sql), false) && lyf_wire_answer(mysql));
	return !mysql->dead;
}

static uint64
affected_rows(LyfMysql *mysql)
{
	return mysql_affected_rows(mysql->handle);
}

static uint64
most_affected(LyfMysql *mysql)
{
	return mysql->most_affected;
}

static uint64
insert_id(LyfMysql *mysql)
{
	return mysql_insert_id(mysql->handle);
}

static const char *
info(LyfMysql *mysql)
{
	return mysql_info(mysql->handle);
}

static const char *
version(LyfMysql *mysql, int *number, bool *mariadb)
{
	*number = (int) mysql_get_server_version(mysql->handle);
	*mariadb = mysql->mariadb;
	return mysql_get_server_info(mysql->handle);
}

static uint64
session_id(LyfMysql *mysql)
{
	return mysql->id;
}

static bool
is_broken(LyfMysql *mysql)
{
	return mysql->dead || mysql->result != NULL || (mysql->unanswered && !mysql->owed);
}

/* bytes that wait to be read, 0: the other end is closed, -1: there are none */
static ssize_t
peek(const LyfMysql *mysql)
{
	char		byte;
	ssize_t		n = recv(mysql->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR ? 0 : n;
}

/* an idle server says nothing, unless that it closes the connection; an answer that it owes is read where it is there */
static bool
is_stale(LyfMysql *mysql)
{
	if (mysql->dead)
		return true;
	if (mysql->owed && peek(mysql) > 0)
	{
		begin_quiet(mysql, OWED_US);
		end_quiet(mysql, clear_wire(mysql));
	}
	return mysql->dead || peek(mysql) >= 0;
}

static LyfMysqlStats *
stats(LyfMysql *mysql)
{
	return &mysql->stats;
}

static const LyfMysqlFunctions functions = {
	.connect = lyf_client_connect,
	.close = lyf_client_close,
	.query = query,
	.fetch = fetch,
	.finish = finish,
	.send = send_ahead,
	.settle = settle,
	.affected_rows = affected_rows,
	.most_affected = most_affected,
	.insert_id = insert_id,
	.info = info,
	.version = version,
	.session_id = session_id,
	.is_broken = is_broken,
	.is_stale = is_stale,
	.stats = stats,
};

const LyfMysqlFunctions *
lyf_mysql_client(void)
{
	return &functions;
}
