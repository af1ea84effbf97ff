/*
 * mysql_internal.h
 *		What the files of lyftron_mysql share: a foreign table and its columns at the
 *		server, sessions, values and literals, and expressions that the server may evaluate.
 */
#ifndef LYF_MYSQL_INTERNAL_H
#define LYF_MYSQL_INTERNAL_H

#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "nodes/parsenodes.h"
#include "nodes/pathnodes.h"

#include "fdw/fdw.h"
#include "net/mysql.h"

/* in mysql_type.c: what a column is at the server */

typedef enum LyfMysqlKind
{
	LYF_MY_UNKNOWN,				/* not told, and not asked for yet: only in lyf_mysql_table_open */
	LYF_MY_INTEGER,				/* tinyint ... bigint, with or without unsigned */
	LYF_MY_DECIMAL,
	LYF_MY_FLOAT,
	LYF_MY_DOUBLE,
	LYF_MY_BIT,
	LYF_MY_YEAR,
	LYF_MY_DATE,
	LYF_MY_TIME,
	LYF_MY_DATETIME,			/* a wall clock's time */
	LYF_MY_TIMESTAMP,			/* a moment */
	LYF_MY_TEXT,				/* char, varchar, text in all sizes */
	LYF_MY_BYTES,				/* binary, varbinary, blob in all sizes */
	LYF_MY_ENUM,
	LYF_MY_SET,
	LYF_MY_JSON,
	LYF_MY_GEOMETRY,
	LYF_MY_UUID,				/* MariaDB's */
	LYF_MY_INET,				/* MariaDB's inet4, inet6 */
	LYF_MY_OTHER				/* read as text, never part of a condition */
} LyfMysqlKind;

typedef struct LyfMysqlRemoteType
{
	LyfMysqlKind kind;
	int			bytes;			/* integers: 1, 2, 3, 4, 8 */
	bool		is_unsigned;
	int			precision;		/* decimal: digits; times: digits of a second; bit: bits; text and bytes: length, 0 where not told;
								 * geometry: SRID of all values, 0 where not told */
	int			scale;			/* decimal */
	bool		zerofill;
	const char *charset;		/* of text, enum, set; else NULL */
	const char *collation;
	const char *labels;			/* of enum and set as they are written there, in parentheses */
} LyfMysqlRemoteType;

/*
 * Parse what information_schema says ("int(10) unsigned", "varchar(20)"), maybe with " collate utf8mb4_bin" or " srid 4326"
 * behind it, as the option remote_type has it; collation goes before, and may be NULL.  Never fails: LYF_MY_OTHER.
 */
extern void lyf_mysql_type_parse(const char *column_type, const char *collation, LyfMysqlRemoteType *type);

/* a date, with or without a time: may be one that PostgreSQL has not */
static inline bool
lyf_mysql_is_moment(LyfMysqlKind kind)
{
	return kind == LYF_MY_DATE || kind == LYF_MY_DATETIME || kind == LYF_MY_TIMESTAMP;
}

/* What an import was told of types that can be had in two ways. */
typedef struct LyfMysqlTypeChoice
{
	bool		tinyint1_is_boolean;
	bool		bit1_is_boolean;	/* else it is bit(1) */
	bool		time_is_time;	/* else it is interval: MySQL's go to 838 hours, and below zero */
} LyfMysqlTypeChoice;

/* How IMPORT declares such a column: "numeric(20,0)"; palloc'd. */
extern char *lyf_mysql_type_declare(const LyfMysqlRemoteType *type, const LyfMysqlTypeChoice *choice);

/* in mysql_option.c */

/* What to do with dates that PostgreSQL has not: 0000-00-00, 2026-02-00. */
typedef enum LyfZeroDates
{
	LYF_ZERO_DATES_ERROR,
	LYF_ZERO_DATES_NULL
} LyfZeroDates;

typedef struct LyfMysqlColumn
{
	AttrNumber	attno;
	const char *name;
	const char *remote_name;
	Oid			type;			/* of the foreign table's column */
	int32		typmod;
	Oid			collation;
	bool		dropped;		/* or nothing to the server for another reason */
	bool		generated;		/* by the server: not written */
	bool		key;			/* part of the table's row identity (PRIMARY KEY, or a UNIQUE of NOT NULL columns) */
	bool		not_null;		/* at the server; a column of dates is not where zero dates become NULL */
	LyfMysqlRemoteType remote;
} LyfMysqlColumn;

/* A foreign table as one role sees it. */
typedef struct LyfMysqlTable
{
	Oid			relid;
	Oid			server;
	Oid			user;
	const char *database;		/* the server's word for schema */
	const char *name;
	LyfZeroDates zero_dates;
	bool		updatable;
	int			batch_size;		/* rows of one INSERT at most */
	double		rows;			/* that the server estimated when it was imported; -1: not known */
	int			natts;
	LyfMysqlColumn *columns;	/* by attno - 1 */
} LyfMysqlTable;

/* What the catalogs say of it, in CurrentMemoryContext; raises what stands in the way. */
extern LyfMysqlTable *lyf_mysql_table_read(Relation rel, Oid user);

/* options of the server and the role's mapping, for connecting */
extern void lyf_mysql_connect_options(Oid server, Oid user, LyfMysqlOptions *options);

/* is it a table of lyftron_mysql? */
extern bool lyf_is_mysql_table(Oid relid);

/* in mysql_session.c */

/*
 * A connection of this backend for a user mapping, in a transaction that follows the local one.  One statement at a time:
 * whoever queries while the rows of another query are still coming makes that one put aside what is left of its result first.
 */
typedef struct LyfMysqlSession LyfMysqlSession;

/* Who reads a result. */
typedef struct LyfMysqlReader
{
	void		(*put_aside) (struct LyfMysqlReader *reader);	/* read all that is left, keep it; the session is wanted by another */
	void	   *arg;
} LyfMysqlReader;

/* the session, connected, in a transaction at the current nesting level; read_only: this statement changes nothing there.  Raises. */
extern LyfMysqlSession *lyf_mysql_session(Oid server, Oid user, bool read_only);

/*
 * Query for rows (reader is called back when another wants the session before they are all read), or for none (NULL).  Raise.
 * When what CurrentResourceOwner owns is released by an abort, the reader is forgotten, and so is the rest of its rows.
 */
extern void lyf_mysql_query(LyfMysqlSession *session, LyfMysqlReader *reader, const char *sql, size_t len,
							const LyfMysqlField **fields, int *count);
extern bool lyf_mysql_fetch(LyfMysqlSession *session, LyfMysqlReader *reader, LyfMysqlRow *row);	/* false: no more, and the session is free */
extern void lyf_mysql_finish(LyfMysqlSession *session, LyfMysqlReader *reader);	/* not interested in the rest; does nothing where it is over already */
extern uint64 lyf_mysql_execute(LyfMysqlSession *session, const char *sql, size_t len);	/* rows changed */
extern uint64 lyf_mysql_execute_several(LyfMysqlSession *session, const char *sql, size_t len);	/* with ; between them: the most rows that one changed */
extern uint64 lyf_mysql_insert_id(LyfMysqlSession *session);
extern const char *lyf_mysql_info(LyfMysqlSession *session);	/* what the server counted: "Records: 3  Duplicates: 1  Warnings: 0", or NULL */

/* As lyf_mysql_query; false: the statement failed with this SQLSTATE, and its transaction is as it was before. */
extern bool lyf_mysql_try(LyfMysqlSession *session, int tolerated, LyfMysqlReader *reader, const char *sql, size_t len,
						  const LyfMysqlField **fields, int *count);

/* what server it is */
extern bool lyf_mysql_is_mariadb(LyfMysqlSession *session, int *version);
extern int64 lyf_mysql_max_packet(LyfMysqlSession *session);
extern const LyfMysqlStats *lyf_mysql_stats(LyfMysqlSession *session);

/* in mysql_cast.c: the text protocol's values to Datums */

typedef struct LyfMysqlCast LyfMysqlCast;

/*
 * How the fields of a result become the attributes of desc: attnos[i] (from 1) is where field i goes.  columns[i] says what field i is
 * at the server, NULL for a computed one.  Raises where a type cannot be had from such a field.
 * A computed text "sum/count" that becomes a numeric is the quotient, as PostgreSQL divides: avg().
 */
extern LyfMysqlCast *lyf_mysql_cast_begin(TupleDesc desc, const int *attnos, const LyfMysqlColumn *const *columns,
										  int count, const LyfMysqlField *fields, LyfZeroDates zero_dates);

/*
 * Set values and nulls of the wanted attributes, and no others.  Datums are made in CurrentMemoryContext, several in one
 * piece of memory: pfree none.  A failure names column, value and type; what an input function raises has the column in its context.
 */
extern LyfFailure *lyf_mysql_cast_row(LyfMysqlCast *cast, const LyfMysqlRow *row, Datum *values, bool *nulls);

/* in mysql_literal.c: a Datum as the server reads it (NO_BACKSLASH_ESCAPES, utf8mb4, time zone UTC) */

/* false: the server has no such value (NaN, infinity, 4713 BC), nothing was appended.  column NULL: as an expression's operand. */
extern bool lyf_mysql_literal(StringInfo sql, Oid type, int32 typmod, Datum value, bool isnull, const LyfMysqlColumn *column);
extern void lyf_mysql_quote_name(StringInfo sql, const char *name);	/* in the database's encoding: `a``b` */
extern void lyf_mysql_quote_text(StringInfo sql, const char *text, size_t len);	/* in UTF-8: 'it''s' */
extern void lyf_mysql_write_text(StringInfo sql, const char *text); /* the same of a text in the database's encoding */

/* an expression that selects a column so that lyf_mysql_cast_row gets all of its value (FLOAT as DOUBLE); qualifier may be NULL */
extern void lyf_mysql_select_column(StringInfo sql, const char *qualifier, const LyfMysqlColumn *column);

/* in mysql_modify.c: the functions that write */
extern void lyf_mysql_modify_routine(FdwRoutine *routine);

/* in mysql_remote.c: what information_schema says, in UTF-8 as it stands there */

typedef struct LyfMysqlRemoteColumn
{
	const char *table;
	const char *name;
	const char *type;			/* COLUMN_TYPE */
	const char *collation;		/* or NULL */
	const char *srid;			/* or NULL */
	bool		not_null;
	bool		generated;
	bool		key;			/* of what stands for the primary key */
	const char *default_text;	/* COLUMN_DEFAULT, or NULL */
	bool		default_computed;	/* said to be an expression */
	const char *comment;		/* or NULL */
} LyfMysqlRemoteColumn;

/* put_aside of who reads its result at once, when nobody else queries meanwhile */
extern void lyf_mysql_never_put_aside(LyfMysqlReader *reader);

/* called for each row of a query, whose values live only as long; it must not use the session */
typedef void (*LyfMysqlRowFunction) (void *arg, const LyfMysqlRow *row);
extern void lyf_mysql_each_row(LyfMysqlSession *session, const char *sql, LyfMysqlRowFunction function, void *arg);

/* " WHERE table_schema = '...' AND table_name IN (...)"; names in the database's encoding; tables NIL: all */
extern void lyf_mysql_append_where(StringInfo sql, const char *database, List *tables);

/* columns of these tables (NIL: all) of a database, those of a table side by side, in their order */
extern List *lyf_mysql_remote_columns(LyfMysqlSession *session, const char *database, List *tables);

/* the option remote_type for a column, in UTF-8 */
extern char *lyf_mysql_remote_type(const LyfMysqlRemoteColumn *column);

/* in mysql_import.c */
extern List *lyf_mysql_import(ImportForeignSchemaStmt *stmt, Oid server);

/* in mysql_analyze.c */
extern bool lyf_mysql_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages);

/* in mysql_describe.c: ask the server for the columns of unknown kind; nothing is asked if there are none */
extern void lyf_mysql_describe(LyfMysqlTable *table);

/* in mysql_table.c */

/*
 * A foreign table for a role, as it is now; good until CurrentMemoryContext is reset.  Raises what stands in the way.  What
 * columns are at the server stands in their option "remote_type", which IMPORT FOREIGN SCHEMA writes; where one is missing,
 * the server is asked (once a session for each definition of the table).
 */
extern const LyfMysqlTable *lyf_mysql_table_open(Relation rel, Oid user);

#endif							/* LYF_MYSQL_INTERNAL_H */
