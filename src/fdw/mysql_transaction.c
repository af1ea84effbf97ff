/*
 * mysql_transaction.c
 *		Transactions at MySQL and MariaDB follow the local one.
 *
 * The remote transaction begins with the first statement, in the same packet, and
 * savepoints for the subtransactions that are open by then likewise.  A savepoint is
 * never released: setting it once more replaces it.  All is committed just before the
 * local transaction is; what only read is told to commit without waiting for the answer.
 *
 * While a transaction is aborted nothing may be raised, nor may it last: what the
 * server does not confirm in time is given up with its connection.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/ipc.h"

#include "fdw/mysql_session.h"

#define ROLLBACK_MS		10000

void
lyf_mysql_enter_level(LyfMysqlSession *session, StringInfo sql)
{
	int			level = GetCurrentTransactionNestLevel();

	if (session->depth == 0)
	{
		if (XactIsoLevel == XACT_SERIALIZABLE)
			appendStringInfoString(sql, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; ");
		appendStringInfo(sql, "START TRANSACTION%s; ", XactReadOnly ? " READ ONLY" : "");
		session->first_level = level;
		session->gone = false;
	}
	for (int n = Max(session->depth, 1) + 1; n <= level; n++)
		appendStringInfo(sql, "SAVEPOINT s%d; ", n);
}

static void
forget(LyfMysqlSession *session)
{
	session->depth = 0;
	session->write_level = 0;
	session->gone = false;
	session->lost = false;
	session->reader = NULL;
	session->abandoned = false;
}

/* The levels that are still open have lost what they wrote, and those that need one snapshot have lost it. */
void
lyf_mysql_transaction_gone(LyfMysqlSession *session)
{
	session->lost = session->write_level > 0 || (IsolationUsesXactSnapshot() && session->depth > 0);
	session->depth = 0;
	session->gone = false;
}

/* ---- the transaction ---- */

static void
commit(LyfMysqlSession *session)
{
	const LyfMysqlFunctions *f = lyf_mysql_functions();

	if (session->lost || session->gone)
		ereport(ERROR,
				(errcode(ERRCODE_TRANSACTION_ROLLBACK),
				 errmsg("the transaction at server \"%s\" is lost and cannot be committed", session->server_name),
				 errhint("Try again.")));
	if (session->depth == 0)
		return;
	lyf_mysql_drop_abandoned(session);
	if (session->reader != NULL)
		lyf_mysql_finish(session, session->reader);
	resetStringInfo(&session->statement);
	appendStringInfoString(&session->statement, "COMMIT");
	if (session->write_level > 0)
		(void) lyf_mysql_execute(session, "COMMIT", strlen("COMMIT"));
	else
		lyf_mysql_check(session, f->send(session->mysql, "COMMIT", strlen("COMMIT")));
	forget(session);
}

static void
rollback(LyfMysqlSession *session)
{
	if (session->mysql != NULL && session->depth > 0 &&
		!lyf_mysql_functions()->settle(session->mysql, "ROLLBACK", ROLLBACK_MS))
		lyf_mysql_disconnect(session);
	forget(session);
}

static void
refuse_prepare(LyfMysqlSession *session)
{
	if (session->depth > 0 || session->lost)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has operated on tables of lyftron_mysql")));
}

static void
on_transaction(XactEvent event, void *arg)
{
	dlist_iter	iter;

	dlist_foreach(iter, lyf_mysql_sessions())
	{
		LyfMysqlSession *session = dlist_container(LyfMysqlSession, node, iter.cur);

		if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT)
			commit(session);
		else if (event == XACT_EVENT_PRE_PREPARE)
			refuse_prepare(session);
		else if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT)
			rollback(session);
		if (session->invalid && session->depth == 0)
			lyf_mysql_disconnect(session);
	}
}

/* ---- subtransactions ---- */

static int
merge_level(int level, int ended)
{
	return level == ended ? ended - 1 : level;
}

/* what belongs to the level that ends is the one's around it now */
static void
merge(LyfMysqlSession *session, int level)
{
	session->depth = merge_level(session->depth, level);
	session->first_level = merge_level(session->first_level, level);
	session->write_level = merge_level(session->write_level, level);
	session->reader_level = merge_level(session->reader_level, level);
}

static bool
roll_back_to(LyfMysqlSession *session, int level)
{
	char		sql[64];

	snprintf(sql, sizeof(sql), "ROLLBACK TO SAVEPOINT s%d", level);
	return lyf_mysql_functions()->settle(session->mysql, sql, ROLLBACK_MS);
}

static void
undo(LyfMysqlSession *session, int level)
{
	if (session->write_level >= level)
		session->write_level = 0;
	if (session->depth < level && !session->gone)
		return;
	if (session->reader_level >= level)
		session->reader = NULL;
	if (session->gone || session->mysql == NULL || !roll_back_to(session, level))
	{
		bool		outer = session->first_level < level;

		if (!session->gone)
			lyf_mysql_disconnect(session);
		if (!outer)
			session->depth = 0;
		lyf_mysql_transaction_gone(session);
		return;
	}
	session->abandoned = false;
	session->depth = level - 1;
	if (session->first_level >= level)
		session->first_level = level - 1;
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	dlist_iter	iter;

	dlist_foreach(iter, lyf_mysql_sessions())
	{
		LyfMysqlSession *session = dlist_container(LyfMysqlSession, node, iter.cur);

		if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
			merge(session, level);
		else if (event == SUBXACT_EVENT_ABORT_SUB)
			undo(session, level);
	}
}

/*
 * A portal that fails in a subtransaction is left without its scans being ended; what it owned is released.  Nothing can
 * be said to the server here.
 */
static void
on_release(ResourceReleasePhase phase, bool commit, bool top, void *arg)
{
	dlist_iter	iter;

	if (commit || phase != RESOURCE_RELEASE_BEFORE_LOCKS)
		return;
	dlist_foreach(iter, lyf_mysql_sessions())
	{
		LyfMysqlSession *session = dlist_container(LyfMysqlSession, node, iter.cur);

		if (session->reader == NULL || session->reader_owner != CurrentResourceOwner)
			continue;
		session->reader = NULL;
		session->abandoned = true;
	}
}

/* say goodbye: servers complain of connections that just end */
static void
on_backend_exit(int code, Datum arg)
{
	dlist_iter	iter;

	dlist_foreach(iter, lyf_mysql_sessions())
		lyf_mysql_disconnect(dlist_container(LyfMysqlSession, node, iter.cur));
}

void
lyf_mysql_follow_transactions(void)
{
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
	RegisterResourceReleaseCallback(on_release, NULL);
	before_shmem_exit(on_backend_exit, (Datum) 0);
}
