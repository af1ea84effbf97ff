/*
 * client.h
 *		What the files of lyftron_mysql.so share; they alone know the client library.
 *
 * Both libraries will do: MariaDB's (libmariadb) calls us back whenever it would
 * wait, MySQL's (libmysqlclient) says that it would; wire.c hides which one it is.
 * No error is ever raised through the library's frames: what is raised while it
 * waits is kept, the library told to give up, and the error raised once it has.
 */
#ifndef LYF_CLIENT_H
#define LYF_CLIENT_H

#include <mysql.h>
#include <errmsg.h>

#include "storage/latch.h"

#include "net/mysql.h"

#ifdef MARIADB_PACKAGE_VERSION
#define LYF_LIBRARY_IS_MARIADB
#endif

struct LyfMysql
{
	MYSQL	   *handle;
	MYSQL_RES  *result;			/* being read, or NULL */
	LyfMysqlField *fields;		/* of the result; malloc'd, kept for the next one */
	int			field_count;
	int			field_space;
	LyfMysqlOptions options;	/* malloc'd copies, to connect once more for KILL */
	char	   *address;		/* that it is connected to, NULL for a socket */
	uint64		id;				/* the server's number of this session; 0: not connected */
	bool		mariadb;		/* the server, not the library */

	/* waiting */
	pgsocket	fd;				/* PGINVALID_SOCKET: not known yet */
	bool		counted;		/* among this process' files */
	WaitEventSet *set;			/* latch and socket, once connected */
	int			events;			/* of the socket, that the set waits for */
	int64		deadline;		/* of all that is waited for now, 0: none */
	int64		silent_until;	/* the server must have said something by then, 0: it just has */
	bool		quiet;			/* no interrupts, nothing is raised: only until the deadline */
	bool		sending;		/* a statement is being sent: whatever the library says, it waits to write */
	bool		timed_out;
	ErrorData  *error;			/* raised while the library waited */

	/* where we are */
	bool		working;		/* inside the library */
	bool		unanswered;		/* a statement was sent whose answer has not begun */
	uint64		most_affected;	/* rows, by one of the statements of the last query */
	bool		owed;			/* it was sent ahead: whoever comes next reads the answer */
	bool		dead;			/* good for `close` only */
	/* MySQL's library: the statement that it is at */
	const char *sql;
	size_t		len;
	char	   *kept;			/* malloc'd, of one that was sent ahead */
	int			status;
	LyfMysqlStats stats;
};

/* in wait.c */

/*
 * Wait for WL_SOCKET_READABLE or _WRITEABLE, or until so many milliseconds have passed (-1: for good).  False: give up, error or
 * timed_out says why.  Never raises.
 */
extern bool lyf_client_wait(LyfMysql *mysql, pgsocket fd, int events, int turn_ms);

/* raise what was raised while the library waited, if anything was; call it outside of the library */
extern void lyf_client_rethrow(LyfMysql *mysql);

/* connected: from here on latch and socket are waited for together by one set; may raise */
extern void lyf_client_watch(LyfMysql *mysql);

extern void lyf_client_unwatch(LyfMysql *mysql);

/* in wire.c: each waits until it is done; false (NULL, -1): mysql_errno or the fields above say why */

/* a handle with the library's options set, all but those of TLS; NULL: no memory */
extern MYSQL *lyf_wire_init(const LyfMysqlOptions *options);
extern void lyf_wire_set_tls(MYSQL *handle, const LyfMysqlOptions *options);
extern bool lyf_wire_connect(LyfMysql *mysql, const char *host);
extern bool lyf_wire_send(LyfMysql *mysql, const char *sql, size_t len, bool ahead);
extern bool lyf_wire_answer(LyfMysql *mysql);	/* of the first statement that was sent */
extern bool lyf_wire_next(LyfMysql *mysql); /* the next statement's answer; only where mysql_more_results */
extern MYSQL_ROW lyf_wire_fetch(LyfMysql *mysql);

/* PGINVALID_SOCKET: there is none any more */
extern pgsocket lyf_wire_socket(const LyfMysql *mysql);

/* let go of handle and result without a word to the server, which may be in the middle of anything */
extern void lyf_wire_discard(LyfMysql *mysql);

/* in connect.c */
extern LyfFailure *lyf_client_connect(const LyfMysqlOptions *options, LyfMysql **mysql);
extern void lyf_client_close(LyfMysql *mysql, bool kill);

/* stop what the server does of the current statement, over another connection; false: it could not be reached in a second */
extern bool lyf_client_kill(LyfMysql *mysql);

/* in failure.c */

/* MySQL's library: all that it says of an error among the rows */
#define LYF_ER_AMONG_ROWS	CR_COMMANDS_OUT_OF_SYNC

/* what the library says went wrong; raises what was raised while it waited */
extern LyfFailure *lyf_client_failure(LyfMysql *mysql);

#endif							/* LYF_CLIENT_H */
