/*
 * mysql.h
 *		A session with a MySQL or MariaDB server.
 *
 * The client library is not everywhere, so what needs it is a shared object of its
 * own, lyftron_mysql.so (net/mysql/, which alone includes the library's mysql.h),
 * loaded when a session first needs it.  It fills the table of functions
 * below.  All that waits for the network waits on the latch as well and handles
 * interrupts: cancel and time-outs raise at once (the session is then only good for
 * `close`).  Nothing else raises but out of memory.
 */
#ifndef LYF_MYSQL_H
#define LYF_MYSQL_H

#include "base/failure.h"

/* how a connection is protected */
typedef enum LyfMysqlTls
{
	LYF_TLS_DISABLE,
	LYF_TLS_PREFER,				/* where the server offers it, nothing verified */
	LYF_TLS_REQUIRE,			/* nothing verified */
	LYF_TLS_VERIFY_CA,
	LYF_TLS_VERIFY_FULL			/* the host's name as well */
} LyfMysqlTls;

typedef struct LyfMysqlOptions
{
	const char *host;			/* or NULL */
	int			port;
	const char *const *addresses;	/* numeric, of host, that may be connected to, NULL at the end: `connect` itself finds them */
	const char *socket;			/* path of a Unix socket, or NULL; goes before host */
	const char *user;
	const char *password;		/* or NULL */
	const char *database;		/* or NULL */
	LyfMysqlTls tls;
	const char *tls_ca;			/* files; or NULL */
	const char *tls_cert;
	const char *tls_key;
	bool		compress;
	int			connect_timeout_ms; /* 0: none */
	int			network_timeout_ms; /* for each wait for the server, 0: none */
} LyfMysqlOptions;

/* What a value is sent as; the ones that no server sends in results are left out. */
typedef enum LyfMysqlType
{
	LYF_MYSQL_TINY, LYF_MYSQL_SHORT, LYF_MYSQL_INT24, LYF_MYSQL_LONG, LYF_MYSQL_LONGLONG,
	LYF_MYSQL_DECIMAL, LYF_MYSQL_FLOAT, LYF_MYSQL_DOUBLE,
	LYF_MYSQL_DATE, LYF_MYSQL_TIME, LYF_MYSQL_DATETIME, LYF_MYSQL_TIMESTAMP, LYF_MYSQL_YEAR,
	LYF_MYSQL_BIT, LYF_MYSQL_JSON, LYF_MYSQL_STRING, LYF_MYSQL_BLOB, LYF_MYSQL_GEOMETRY, LYF_MYSQL_NULL
} LyfMysqlType;

/* A column of a result. */
typedef struct LyfMysqlField
{
	const char *name;
	LyfMysqlType type;
	bool		is_unsigned;
	bool		is_binary;		/* bytes, not characters */
	unsigned long length;		/* at most, in bytes */
	unsigned int decimals;
} LyfMysqlField;

/* A row as the text protocol has it: value[i] is NULL or length[i] bytes with a 0 behind them. */
typedef struct LyfMysqlRow
{
	char	  **value;			/* NULL: there are no more */
	const unsigned long *length;
} LyfMysqlRow;

typedef struct LyfMysql LyfMysql;

/* What was done on the wire; add to it, never reset. */
typedef struct LyfMysqlStats
{
	int64		queries;
	int64		rows;
	int64		wait_us;		/* waiting for the server */
} LyfMysqlStats;

typedef struct LyfMysqlFunctions
{
	/* connect and authenticate; *mysql lives until `close`, whatever memory contexts do */
	LyfFailure *(*connect) (const LyfMysqlOptions *options, LyfMysql **mysql);

	/*
	 * End it without waiting: what the server still does of a query that has not answered is killed first if `kill`
	 * (a second connection, for at most a second).  Safe at any moment, also after an error was raised in the middle of a wait.
	 */
	void		(*close) (LyfMysql *mysql, bool kill);

	/*
	 * Send statements (several, with ; between them: all but the last give no rows) and wait until the last one's result
	 * begins.  *fields (count 0: it gives no rows) lives until `finish`.
	 */
	LyfFailure *(*query) (LyfMysql *mysql, const char *sql, size_t len, const LyfMysqlField **fields, int *count);

	/* the next row of the result; it lives until the next call */
	LyfFailure *(*fetch) (LyfMysql *mysql, LyfMysqlRow *row);

	/* done with the result: what is left of it is read and dropped; where that is much, the server is told to stop */
	LyfFailure *(*finish) (LyfMysql *mysql);

	/* send a statement that gives no rows without waiting for its answer: the next call of any kind reads that, and fails if it failed */
	LyfFailure *(*send) (LyfMysql *mysql, const char *sql, size_t len);

	/*
	 * Run a statement that gives no rows where nothing may be raised: no interrupts are served, and it may take so long at
	 * most.  A result that is open is ended before.  False: it failed, and the session is only good for `close`.
	 */
	bool		(*settle) (LyfMysql *mysql, const char *sql, int timeout_ms);

	/*
	 * Rows that the last statement changed (an UPDATE: found), the most that one of the statements of the last query did, the first
	 * id that the last one gave by AUTO_INCREMENT (0: none).
	 */
	uint64		(*affected_rows) (LyfMysql *mysql);
	uint64		(*most_affected) (LyfMysql *mysql);
	uint64		(*insert_id) (LyfMysql *mysql);

	/* what the server counted, "Records: 3  Duplicates: 1  Warnings: 0"; NULL after statements of other kinds */
	const char *(*info) (LyfMysql *mysql);

	/* "10.11.6-MariaDB", 101106 or 80405 as the server says them, is it MariaDB?, its number of this session */
	const char *(*version) (LyfMysql *mysql, int *number, bool *mariadb);
	uint64		(*session_id) (LyfMysql *mysql);

	/* was the connection lost, is a result open, was an error raised in the middle? */
	bool		(*is_broken) (LyfMysql *mysql);

	/* a cheap look at the socket, without a round trip: closed by the server meanwhile? */
	bool		(*is_stale) (LyfMysql *mysql);

	LyfMysqlStats *(*stats) (LyfMysql *mysql);
} LyfMysqlFunctions;

/* in mysql_load.c: the functions; raises where the library cannot be loaded, saying which package has it */
extern const LyfMysqlFunctions *lyf_mysql_functions(void);

/* the SQLSTATE of PostgreSQL for an error number and SQLSTATE of the server's; in mysql_error.c */
extern int	lyf_mysql_sqlstate(unsigned int number, const char *sqlstate, bool *retryable);

#endif							/* LYF_MYSQL_H */
