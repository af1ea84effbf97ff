/*
 * mysql_session.c
 *		Connections of this backend to MySQL and MariaDB, and their statements.
 *
 * There is one for each user mapping and role, which stays open between transactions.
 * Outside of a transaction a connection that was lost is made anew, and so is one
 * whose options have changed meanwhile.
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/settings.h"
#include "fdw/mysql_session.h"

/* of a statement, in an error's context */
#define SHOWN_BYTES		1000

/* a longer one's memory is not kept for the next */
#define MAX_KEPT_BYTES	(64 * 1024)

/*
 * Writing is strict (0 is no request for a new number), reading takes what is there (zero dates), quoting is SQL's.
 * The other settings are the defaults, which an administrator may have changed; and a result may wait for its reader.
 */
#define SETUP \
	"SET sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION', " \
	"time_zone = '+00:00', autocommit = 1, completion_type = 0, sql_auto_is_null = 0, sql_safe_updates = 0, " \
	"sql_big_selects = 1, sql_select_limit = 18446744073709551615, foreign_key_checks = 1, unique_checks = 1, " \
	"net_read_timeout = 86400, net_write_timeout = 86400; " \
	"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; " \
	"SELECT @@max_allowed_packet"

static dlist_head sessions = DLIST_STATIC_INIT(sessions);

dlist_head *
lyf_mysql_sessions(void)
{
	return &sessions;
}

/* ---- errors ---- */

static void
add_context(void *arg)
{
	LyfMysqlSession *session = arg;
	StringInfo	statement = &session->statement;
	int			len = pg_encoding_mbcliplen(PG_UTF8, statement->data, statement->len, SHOWN_BYTES);

	if (len == 0)
		errcontext("server \"%s\"", session->server_name);
	else
		errcontext("server \"%s\", statement: %s%s", session->server_name,
				   pg_any_to_server(pnstrdup(statement->data, len), len, PG_UTF8), len < statement->len ? " ..." : "");
}

void
lyf_mysql_check(LyfMysqlSession *session, LyfFailure *failure)
{
	ErrorContextCallback context = {.callback = add_context, .arg = session, .previous = error_context_stack};

	if (failure == NULL)
		return;
	if (failure->sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED)
		session->gone = true;
	error_context_stack = &context;
	lyf_failure_raise(failure);
}

/* ---- connecting ---- */

static void
init_statement(LyfMysqlSession *session)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	initStringInfo(&session->statement);
	MemoryContextSwitchTo(old);
}

/* a name may have changed since the last time */
static void
set_text(char **text, const char *value)
{
	char	   *old = *text;

	*text = MemoryContextStrdup(TopMemoryContext, value);
	if (old != NULL)
		pfree(old);
}

static void
on_invalidation(Datum arg, int cache, uint32 hash)
{
	dlist_iter	iter;

	dlist_foreach(iter, &sessions)
	{
		LyfMysqlSession *session = dlist_container(LyfMysqlSession, node, iter.cur);

		if (hash == 0 || hash == (cache == FOREIGNSERVEROID ? session->server_hash : session->mapping_hash))
			session->invalid = true;
	}
}

/* what was sent is not waited for; a query that has not answered is stopped */
void
lyf_mysql_disconnect(LyfMysqlSession *session)
{
	LyfMysql   *mysql = session->mysql;

	session->mysql = NULL;
	session->reader = NULL;
	session->abandoned = false;
	if (mysql != NULL)
		lyf_mysql_functions()->close(mysql, true);
}

static LyfMysqlSession *
find_session(Oid server, Oid user)
{
	UserMapping *mapping = GetUserMapping(user, server);
	LyfMysqlSession *session;
	dlist_iter	iter;

	dlist_foreach(iter, &sessions)
	{
		session = dlist_container(LyfMysqlSession, node, iter.cur);
		if (session->mapping == mapping->umid && session->user == user)
			return session;
	}

	if (dlist_is_empty(&sessions))
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, on_invalidation, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, on_invalidation, (Datum) 0);
		lyf_mysql_follow_transactions();
	}
	session = MemoryContextAllocZero(TopMemoryContext, sizeof(LyfMysqlSession));
	session->mapping = mapping->umid;
	session->user = user;
	session->server = server;
	session->mapping_hash = GetSysCacheHashValue1(USERMAPPINGOID, ObjectIdGetDatum(mapping->umid));
	session->server_hash = GetSysCacheHashValue1(FOREIGNSERVEROID, ObjectIdGetDatum(server));
	init_statement(session);
	dlist_push_tail(&sessions, &session->node);
	return session;
}

/* settings that everything else takes for granted */
static LyfFailure *
set_up(LyfMysqlSession *session)
{
	const LyfMysqlFunctions *f = lyf_mysql_functions();
	const LyfMysqlField *fields;
	LyfMysqlRow row;
	int			count;

	LYF_TRY(f->query(session->mysql, SETUP, strlen(SETUP), &fields, &count));
	LYF_TRY(f->fetch(session->mysql, &row));
	if (row.value == NULL || row.value[0] == NULL)
		return lyf_failure(ERRCODE_PROTOCOL_VIOLATION, "the server does not say how large a packet may be");
	session->max_packet = strtoi64(row.value[0], NULL, 10);
	return f->finish(session->mysql);
}

static void
connect_session(LyfMysqlSession *session)
{
	LyfMysqlOptions options;

	lyf_mysql_disconnect(session);
	set_text(&session->allowed, lyf_allowed_hosts);
	set_text(&session->server_name, GetForeignServer(session->server)->servername);
	session->invalid = false;
	session->fresh = true;
	resetStringInfo(&session->statement);
	lyf_mysql_connect_options(session->server, session->user, &options);
	lyf_mysql_check(session, lyf_mysql_functions()->connect(&options, &session->mysql));
	lyf_mysql_check(session, set_up(session));
}

static bool
is_usable(const LyfMysqlSession *session)
{
	const LyfMysqlFunctions *f = lyf_mysql_functions();

	return session->mysql != NULL && !session->invalid && !f->is_broken(session->mysql) &&
		!f->is_stale(session->mysql) && strcmp(session->allowed, lyf_allowed_hosts) == 0;
}

LyfMysqlSession *
lyf_mysql_session(Oid server, Oid user, bool read_only)
{
	LyfMysqlSession *session = find_session(server, user);
	int			level = GetCurrentTransactionNestLevel();

	if (session->lost)
		ereport(ERROR,
				(errcode(ERRCODE_TRANSACTION_ROLLBACK),
				 errmsg("the transaction at server \"%s\" is lost", session->server_name),
				 errdetail("What it has written there was undone, by a deadlock or with its connection."),
				 errhint("Roll back and try again.")));
	if (session->depth == 0 && !is_usable(session))
		connect_session(session);
	if (!read_only && (session->write_level == 0 || session->write_level > level))
		session->write_level = level;
	return session;
}

/* ---- statements ---- */

void
lyf_mysql_drop_abandoned(LyfMysqlSession *session)
{
	if (!session->abandoned)
		return;
	session->abandoned = false;
	lyf_mysql_check(session, lyf_mysql_functions()->finish(session->mysql));
}

/* the session is wanted by another than the one whose rows are coming */
static void
make_room(LyfMysqlSession *session, LyfMysqlReader *reader)
{
	LyfMysqlReader *current = session->reader;

	lyf_mysql_drop_abandoned(session);
	if (current == NULL)
		return;
	if (current != reader)
		current->put_aside(current);
	if (session->reader != NULL)
		lyf_mysql_finish(session, session->reader);
}

/* Its beginning is kept for messages, and all of it where something must come first: then that is what to send. */
static void
compose(LyfMysqlSession *session, const char **sql, size_t *len)
{
	StringInfo	statement = &session->statement;

	if (statement->maxlen > MAX_KEPT_BYTES)
	{
		pfree(statement->data);
		init_statement(session);
	}
	resetStringInfo(statement);
	lyf_mysql_enter_level(session, statement);
	if (statement->len + *len > (size_t) session->max_packet)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a statement of %zu bytes is more than server \"%s\" takes", *len, session->server_name),
				 errdetail("Its largest packet is " INT64_FORMAT " bytes.", session->max_packet),
				 errhint("Have max_allowed_packet raised there, or lower the option batch_size of the table or server.")));
	if (statement->len == 0)
	{
		appendBinaryStringInfo(statement, *sql, (int) Min(*len, SHOWN_BYTES + 1));
		return;
	}
	appendBinaryStringInfo(statement, *sql, (int) *len);
	*sql = statement->data;
	*len = statement->len;
}

static LyfFailure *
send_query(LyfMysqlSession *session, const char *sql, size_t len, const LyfMysqlField **fields, int *count)
{
	compose(session, &sql, &len);
	session->depth = GetCurrentTransactionNestLevel();
	return lyf_mysql_functions()->query(session->mysql, sql, len, fields, count);
}

bool
lyf_mysql_try(LyfMysqlSession *session, int tolerated, LyfMysqlReader *reader, const char *sql, size_t len,
			  const LyfMysqlField **fields, int *count)
{
	const LyfMysqlFunctions *f = lyf_mysql_functions();
	bool		first = session->depth == 0;
	LyfFailure *failure;

	make_room(session, reader);
	failure = send_query(session, sql, len, fields, count);
	/* an idle connection may go at any time: without a commit nothing has happened by it */
	if (failure != NULL && first && !session->fresh && f->is_broken(session->mysql))
	{
		session->depth = 0;
		connect_session(session);
		failure = send_query(session, sql, len, fields, count);
	}
	if (failure != NULL && failure->sqlstate == tolerated && !f->is_broken(session->mysql))
		return false;
	lyf_mysql_check(session, failure);
	session->fresh = false;
	if (reader == NULL || *count == 0)
		lyf_mysql_check(session, f->finish(session->mysql));
	else
	{
		session->reader = reader;
		session->reader_level = GetCurrentTransactionNestLevel();
		session->reader_owner = CurrentResourceOwner;
	}
	return true;
}

void
lyf_mysql_query(LyfMysqlSession *session, LyfMysqlReader *reader, const char *sql, size_t len,
				const LyfMysqlField **fields, int *count)
{
	(void) lyf_mysql_try(session, ERRCODE_SUCCESSFUL_COMPLETION, reader, sql, len, fields, count);
}

bool
lyf_mysql_fetch(LyfMysqlSession *session, LyfMysqlReader *reader, LyfMysqlRow *row)
{
	const LyfMysqlFunctions *f = lyf_mysql_functions();
	LyfFailure *failure;

	if (session->reader != reader)
		return false;
	failure = f->fetch(session->mysql, row);
	if (unlikely(failure != NULL))
		lyf_mysql_check(session, failure);
	if (likely(row->value != NULL))
		return true;
	lyf_mysql_finish(session, reader);
	return false;
}

void
lyf_mysql_finish(LyfMysqlSession *session, LyfMysqlReader *reader)
{
	if (session->reader != reader || reader == NULL)
		return;
	session->reader = NULL;
	lyf_mysql_check(session, lyf_mysql_functions()->finish(session->mysql));
}

uint64
lyf_mysql_execute(LyfMysqlSession *session, const char *sql, size_t len)
{
	const LyfMysqlField *fields;
	int			count;

	lyf_mysql_query(session, NULL, sql, len, &fields, &count);
	return lyf_mysql_functions()->affected_rows(session->mysql);
}

uint64
lyf_mysql_execute_several(LyfMysqlSession *session, const char *sql, size_t len)
{
	const LyfMysqlField *fields;
	int			count;

	lyf_mysql_query(session, NULL, sql, len, &fields, &count);
	return lyf_mysql_functions()->most_affected(session->mysql);
}

uint64
lyf_mysql_insert_id(LyfMysqlSession *session)
{
	return lyf_mysql_functions()->insert_id(session->mysql);
}

const char *
lyf_mysql_info(LyfMysqlSession *session)
{
	return lyf_mysql_functions()->info(session->mysql);
}

/* ---- what server it is ---- */

bool
lyf_mysql_is_mariadb(LyfMysqlSession *session, int *version)
{
	bool		mariadb;

	(void) lyf_mysql_functions()->version(session->mysql, version, &mariadb);
	return mariadb;
}

int64
lyf_mysql_max_packet(LyfMysqlSession *session)
{
	return session->max_packet;
}

const LyfMysqlStats *
lyf_mysql_stats(LyfMysqlSession *session)
{
	return lyf_mysql_functions()->stats(session->mysql);
}
