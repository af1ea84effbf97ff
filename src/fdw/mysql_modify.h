/*
 * mysql_modify.h
 *		What the files that write through lyftron_mysql share: the state of one INSERT,
 *		UPDATE or DELETE of a foreign table.
 *
 * A row to be changed is found by its key.  What comes back of a row (for RETURNING, for
 * triggers AFTER it, for WITH CHECK OPTION) is what the server has made of it: by RETURNING
 * where the server has that, else it is read again by its key, in the same transaction.
 */
#ifndef LYF_MYSQL_MODIFY_H
#define LYF_MYSQL_MODIFY_H

#include "nodes/execnodes.h"

#include "fdw/mysql_internal.h"

/* How rows come back. */
typedef enum LyfMysqlBack
{
	LYF_BACK_NONE,				/* nobody wants them */
	LYF_BACK_RETURNING,
	LYF_BACK_READ
} LyfMysqlBack;

typedef struct LyfMysqlModify
{
	ResultRelInfo *target;
	CmdType		operation;
	const LyfMysqlTable *table;
	LyfMysqlSession *session;	/* NULL: it is only explained */
	MemoryContext cxt;			/* the statement's */
	MemoryContext row_cxt;		/* its child: for one row */
	StringInfoData sql;			/* the next to be sent: a statement, or several with ; between them */
	StringInfoData row;			/* what a row adds to it */
	int			rows;			/* in sql */
	int64		limit;			/* bytes of sql at most, where there is more than one row in it */
	bool		collects;		/* rows are collected from call to call, until the end */

	/* the row identity, of all columns that are marked key */
	int			nkeys;
	const LyfMysqlColumn **keys;
	AttrNumber *key_junk;		/* UPDATE, DELETE: where the plan's rows have them */

	/* UPDATE, DELETE: the beginning of a row's statement */
	const char *begin;

	/* UPDATE: columns that it assigns, by attribute number; those that a trigger may have changed as well? */
	Bitmapset  *assigned;
	bool		compare;

	/* INSERT */
	int			head;			/* bytes of sql that are the same for all rows */
	int			ncolumns;
	const LyfMysqlColumn **columns;	/* of the statement */
	bool	   *left;			/* NULL in it is for the server's default to fill */
	bool		do_nothing;		/* rows whose key is there already are passed over */
	bool		complete;		/* rows were moved from another partition: they have all values, also generated ones */
	bool		generates;		/* else the server has columns that must not have a value */
	uint64		inserted;		/* by the statements since this was set to 0 */
	bool		auto_known;		/* the following is */
	const char *auto_column;	/* remote name of the one with AUTO_INCREMENT, or NULL */

	/* what comes back */
	bool		prepared;		/* the following is known */
	LyfMysqlBack back;
	int			nwanted;
	const LyfMysqlColumn **wanted;
	LyfMysqlCast *cast;			/* once a row came back */
	LyfMysqlReader reader;
} LyfMysqlModify;

/* in mysql_modify.c */
extern LyfMysqlModify *lyf_mysql_modify_begin(EState *estate, ResultRelInfo *target, CmdType operation, int eflags);
extern void lyf_mysql_modify_end(LyfMysqlModify *modify);

/* in mysql_direct.c, mysql_direct_run.c, mysql_truncate.c: each puts its functions in */
extern void lyf_mysql_direct_plan_routine(FdwRoutine *routine);
extern void lyf_mysql_direct_run_routine(FdwRoutine *routine);
extern void lyf_mysql_truncate_routine(FdwRoutine *routine);

/* What fdw_private of a scan holds that the server does as an UPDATE or DELETE. */
enum LyfMysqlDirectPrivate
{
	LYF_DIRECT_ATTRS,			/* integers: the columns that are assigned, in this order */
	LYF_DIRECT_TEXTS,			/* what to each of them: a String, or the Integer of a value in fdw_exprs */
	LYF_DIRECT_CONDITION,		/* a String, "" where there is none */
	LYF_DIRECT_PLACES,			/* in those Strings, as lyf_mysql_place_save has them */
	LYF_DIRECT_PLACED,			/* an Integer: so many values of fdw_exprs are for places, the others are assigned */
	LYF_DIRECT_TAG,				/* an Integer: the command counts its rows */
	LYF_DIRECT_RETURNED			/* integers: the columns that come back */
};

/* in mysql_insert.c */

/* given: numbers of the columns that have a value; vary: others can have one in some rows as well */
extern void lyf_mysql_insert_begin(LyfMysqlModify *modify, const Bitmapset *given, bool vary, bool do_nothing);
extern TupleTableSlot *lyf_mysql_insert(LyfMysqlModify *modify, TupleTableSlot *slot);
extern uint64 lyf_mysql_insert_batch(LyfMysqlModify *modify, TupleTableSlot **slots, int count);
extern void lyf_mysql_insert_flush(LyfMysqlModify *modify);
extern int	lyf_mysql_insert_batch_size(const LyfMysqlModify *modify);
extern void lyf_mysql_insert_describe(LyfMysqlModify *modify, StringInfo text);

/* in mysql_update.c: rows that are found by their key */
extern void lyf_mysql_update_begin(LyfMysqlModify *modify, EState *estate, const Plan *subplan, bool collects);
extern void lyf_mysql_update_flush(LyfMysqlModify *modify);
extern TupleTableSlot *lyf_mysql_update(LyfMysqlModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern TupleTableSlot *lyf_mysql_delete(LyfMysqlModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot);
extern void lyf_mysql_update_describe(LyfMysqlModify *modify, StringInfo text);

/* the name under which the plan's rows have a key column */
extern char *lyf_mysql_key_name(Form_pg_attribute attr);

/* in mysql_returned.c */

/* Find out which columns have to come back, and how: the executor knows it by the first row, not when the statement begins. */
extern void lyf_mysql_returned_prepare(LyfMysqlModify *modify);

/* add what the server is to return to a statement: a list of columns */
extern void lyf_mysql_returned_list(LyfMysqlModify *modify, StringInfo sql);

/* Run a statement that gives at most one row, and put that into the slot over what it holds; false: it gave none. */
extern bool lyf_mysql_returned_fetch(LyfMysqlModify *modify, const char *sql, size_t len, TupleTableSlot *slot);

/* Read a row with these values of its key into the slot; for_update: as it is now, and stays until it is written. */
extern bool lyf_mysql_returned_read(LyfMysqlModify *modify, const Datum *keys, const bool *nulls, bool for_update,
									TupleTableSlot *slot);

/* in mysql_write.c: parts of statements */

/* 'text', which is in the database's encoding */

/* is the column written at all? */
static inline bool
lyf_mysql_is_written(const LyfMysqlColumn *column)
{
	return !column->dropped && !column->generated;
}

/* a value for a column; raises where the server has no such value */
extern void lyf_mysql_write_value(StringInfo sql, const LyfMysqlColumn *column, Datum value, bool isnull);

/* a condition that holds for the row with this key and for no other */
extern void lyf_mysql_write_key(LyfMysqlModify *modify, StringInfo sql, const Datum *keys, const bool *nulls);
extern void lyf_mysql_write_key_described(LyfMysqlModify *modify, StringInfo sql);

/* raises: a key was found to belong to several rows */
LYF_NORETURN extern void lyf_mysql_refuse_ambiguous(const LyfMysqlModify *modify);

#endif							/* LYF_MYSQL_MODIFY_H */
