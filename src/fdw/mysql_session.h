/*
 * mysql_session.h
 *		What the files of the sessions of lyftron_mysql share.
 */
#ifndef LYF_MYSQL_SESSION_H
#define LYF_MYSQL_SESSION_H

#include "lib/ilist.h"
#include "utils/resowner.h"

#include "fdw/mysql_internal.h"

/*
 * Levels are the local transaction's: 1 is outside of all subtransactions.  The remote transaction is open from
 * depth 1 on, with a savepoint for each level from 2 to depth.
 */
struct LyfMysqlSession
{
	dlist_node	node;
	/* whose it is */
	Oid			mapping;
	Oid			user;			/* local role: another one with the same mapping has its own */
	Oid			server;
	uint32		mapping_hash;	/* as invalidations name them */
	uint32		server_hash;
	char	   *server_name;
	char	   *allowed;		/* lyftron.allowed_hosts, as it connected */

	LyfMysql   *mysql;			/* NULL: not connected */
	bool		invalid;		/* options were changed: connect anew before the next transaction */
	bool		fresh;			/* no statement has succeeded yet: a lost connection is no matter of time */
	int64		max_packet;
	int			depth;
	int			first_level;	/* in which the remote transaction began */
	int			write_level;	/* outermost in which something was written, 0: nothing */
	bool		gone;			/* the server has undone the whole transaction */
	bool		lost;			/* and with it writes of levels that are still open: no commit */
	LyfMysqlReader *reader;		/* whose rows are still coming, or NULL */
	int			reader_level;
	ResourceOwner reader_owner;
	bool		abandoned;		/* it went with a portal that failed, its rows are still coming */
	StringInfoData statement;	/* the last one, with what stood before it; for messages */
};

/* in mysql_session.c: all sessions of this backend */
extern dlist_head *lyf_mysql_sessions(void);

/* let go of the connection; nothing is raised */
extern void lyf_mysql_disconnect(LyfMysqlSession *session);

/* end a result whose reader is gone */
extern void lyf_mysql_drop_abandoned(LyfMysqlSession *session);

/* raise a failure with server and statement in its context */
extern void lyf_mysql_check(LyfMysqlSession *session, LyfFailure *failure);

/* in mysql_transaction.c: follow the local transaction from now on; once a backend */
extern void lyf_mysql_follow_transactions(void);

/* statements that bring the remote transaction to the current level, to go before the next one; "" where it is there */
extern void lyf_mysql_enter_level(LyfMysqlSession *session, StringInfo sql);

/* the server has undone the whole transaction, or the connection is lost */
extern void lyf_mysql_transaction_gone(LyfMysqlSession *session);

#endif							/* LYF_MYSQL_SESSION_H */
