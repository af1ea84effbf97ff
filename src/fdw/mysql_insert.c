/*
 * mysql_insert.c
 *		INSERT and COPY FROM: rows become the lines of a multi-row INSERT.
 *
 * A column that the statement gives no value and that has no default here is left to the
 * server's default.  It is left out of the INSERT, or where single rows can have a value of
 * it after all (set by a trigger, say), the word DEFAULT stands for it in the other rows.
 *
 * ON CONFLICT DO NOTHING must pass over duplicate keys and nothing else, so not by INSERT
 * IGNORE, which bends values that do not fit.  A single row is tried; of many rows, those
 * that are there already get an assignment that changes nothing, by ON DUPLICATE KEY UPDATE,
 * and the server says how many there were.  (Its own triggers for UPDATE see them.)
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "fdw/mysql_modify.h"
#include "fdw/mysql_plan.h"

/* LyfMysqlRowFunction */
static void
keep_auto_column(void *arg, const LyfMysqlRow *row)
{
	LyfMysqlModify *modify = arg;

	modify->auto_column = pstrdup(pg_any_to_server(row->value[0], row->length[0], PG_UTF8));
}

/* the column whose value the server makes up where a row has none */
static void
find_auto_column(LyfMysqlModify *modify)
{
	MemoryContext caller = MemoryContextSwitchTo(modify->cxt);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT column_name FROM information_schema.columns");
	lyf_mysql_append_where(&sql, modify->table->database, list_make1((char *) modify->table->name));
	appendStringInfoString(&sql, " AND extra LIKE '%auto_increment%'");
	lyf_mysql_each_row(modify->session, sql.data, keep_auto_column, modify);
	modify->auto_known = true;
	MemoryContextSwitchTo(caller);
}

static void
write_columns(LyfMysqlModify *modify, StringInfo sql)
{
	appendStringInfoString(sql, "INSERT INTO ");
	lyf_mysql_table_name(sql, modify->table);
	appendStringInfoString(sql, " (");
	for (int i = 0; i < modify->ncolumns; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, ", ");
		lyf_mysql_quote_name(sql, modify->columns[i]->remote_name);
	}
	appendStringInfoString(sql, ") VALUES ");
}

/* A column to assign to itself: not one that may have AUTO_INCREMENT, which MySQL minds. */
static const LyfMysqlColumn *
idle_column(const LyfMysqlModify *modify)
{
	for (int i = 0; i < modify->table->natts; i++)
	{
		const LyfMysqlColumn *column = &modify->table->columns[i];

		if (lyf_mysql_is_written(column) && !column->key)
			return column;
	}
	return modify->nkeys > 0 ? modify->keys[modify->nkeys - 1] : modify->columns[0];
}

static void
write_do_nothing(LyfMysqlModify *modify)
{
	const LyfMysqlColumn *column = idle_column(modify);

	appendStringInfoString(&modify->sql, " ON DUPLICATE KEY UPDATE ");
	lyf_mysql_quote_name(&modify->sql, column->remote_name);
	appendStringInfoString(&modify->sql, " = ");
	lyf_mysql_table_name(&modify->sql, modify->table);
	appendStringInfoChar(&modify->sql, '.');
	lyf_mysql_quote_name(&modify->sql, column->remote_name);
}

/*
 * A value that a row has for a column which the server computes would be lost.  Not so where the table here computes the
 * column, too.
 */
static bool
must_be_null(const LyfMysqlModify *modify, int i)
{
	TupleDesc	desc = RelationGetDescr(modify->target->ri_RelationDesc);

	return modify->table->columns[i].generated && TupleDescAttr(desc, i)->attgenerated == '\0';
}

static void
refuse_generated(const LyfMysqlModify *modify, TupleTableSlot *slot)
{
	for (int i = 0; i < modify->table->natts; i++)
		if (must_be_null(modify, i) && !slot->tts_isnull[i])
			ereport(ERROR,
					(errcode(ERRCODE_GENERATED_ALWAYS),
					 errmsg("cannot insert a value into column \"%s\"", modify->table->columns[i].name),
					 errdetail("The server generates this column.")));
}

void
lyf_mysql_insert_begin(LyfMysqlModify *modify, const Bitmapset *given, bool vary, bool do_nothing)
{
	const LyfMysqlTable *table = modify->table;
	bool		any_left = false;

	modify->do_nothing = do_nothing;
	modify->columns = palloc(table->natts * sizeof(LyfMysqlColumn *));
	modify->left = palloc0(table->natts * sizeof(bool));
	for (int i = 0; i < table->natts; i++)
	{
		const LyfMysqlColumn *column = &table->columns[i];
		bool		is_given = bms_is_member(column->attno, given);

		modify->generates |= !modify->complete && must_be_null(modify, i);
		if (!lyf_mysql_is_written(column) || !(is_given || vary))
			continue;
		modify->left[modify->ncolumns] = !is_given;
		any_left |= !is_given;
		modify->columns[modify->ncolumns++] = column;
	}
	write_columns(modify, &modify->sql);
	modify->head = modify->sql.len;
	if (any_left && modify->session != NULL)
		find_auto_column(modify);
}

/* DEFAULT of a column with AUTO_INCREMENT is 0 */
static bool
is_auto_column(const LyfMysqlModify *modify, const LyfMysqlColumn *column)
{
	return modify->auto_column != NULL && strcmp(modify->auto_column, column->remote_name) == 0;
}

/* make modify->row of what the slot holds */
static void
write_row(LyfMysqlModify *modify, TupleTableSlot *slot)
{
	StringInfo	row = &modify->row;
	MemoryContext caller = MemoryContextSwitchTo(modify->row_cxt);

	slot_getallattrs(slot);
	if (modify->generates)
		refuse_generated(modify, slot);
	resetStringInfo(row);
	appendStringInfoChar(row, '(');
	for (int i = 0; i < modify->ncolumns; i++)
	{
		const LyfMysqlColumn *column = modify->columns[i];
		bool		isnull = slot->tts_isnull[column->attno - 1];

		if (i > 0)
			appendStringInfoChar(row, ',');
		if (isnull && modify->left[i])
			appendStringInfoString(row, is_auto_column(modify, column) ? "NULL" : "DEFAULT");
		else
			lyf_mysql_write_value(row, column, slot->tts_values[column->attno - 1], isnull);
	}
	appendStringInfoChar(row, ')');
	MemoryContextSwitchTo(caller);
	MemoryContextReset(modify->row_cxt);
}

/* a plain statement; false: a duplicate key, and ON CONFLICT DO NOTHING */
static bool
try_statement(LyfMysqlModify *modify)
{
	const LyfMysqlField *fields;
	int			count;

	return lyf_mysql_try(modify->session, modify->do_nothing ? ERRCODE_UNIQUE_VIOLATION : ERRCODE_SUCCESSFUL_COMPLETION, NULL,
						 modify->sql.data, modify->sql.len, &fields, &count);
}

/* how many rows of the statement were there before: "Records: 3  Duplicates: 1  Warnings: 0" */
static uint64
duplicates(LyfMysqlModify *modify)
{
	const char *info = lyf_mysql_info(modify->session);
	const char *found = info ? strstr(info, "Duplicates: ") : NULL;

	if (found == NULL)
		elog(ERROR, "the server did not say how many rows were inserted");
	return strtou64(found + strlen("Duplicates: "), NULL, 10);
}

/* send the rows that have been collected */
void
lyf_mysql_insert_flush(LyfMysqlModify *modify)
{
	int			rows = modify->rows;

	if (rows == 0)
		return;
	modify->rows = 0;
	if (modify->do_nothing && rows > 1)
		write_do_nothing(modify);
	if (try_statement(modify))
		modify->inserted += rows - (modify->do_nothing && rows > 1 ? duplicates(modify) : 0);
	modify->sql.len = modify->head;
}

static void
collect_row(LyfMysqlModify *modify, TupleTableSlot *slot)
{
	write_row(modify, slot);
	if (modify->rows > 0 && (int64) modify->sql.len + modify->row.len > modify->limit)
		lyf_mysql_insert_flush(modify);
	if (modify->rows++ > 0)
		appendStringInfoChar(&modify->sql, ',');
	appendBinaryStringInfo(&modify->sql, modify->row.data, modify->row.len);
}

/* rows that the executor may keep for one statement; 1: they are needed one by one */
int
lyf_mysql_insert_batch_size(const LyfMysqlModify *modify)
{
	const ResultRelInfo *target = modify->target;
	const TriggerDesc *triggers = target->ri_TrigDesc;

	if (modify->collects || target->ri_projectReturning != NULL || target->ri_WithCheckOptions != NIL ||
		(triggers != NULL && (triggers->trig_insert_before_row || triggers->trig_insert_after_row)))
		return 1;
	return Max(modify->table->batch_size, 1);
}

uint64
lyf_mysql_insert_batch(LyfMysqlModify *modify, TupleTableSlot **slots, int count)
{
	modify->inserted = 0;
	for (int i = 0; i < count; i++)
		collect_row(modify, slots[i]);
	lyf_mysql_insert_flush(modify);
	return modify->inserted;
}

/* read a row that was inserted; a key that the server made up is the last one that it gave */
static void
read_inserted(LyfMysqlModify *modify, TupleTableSlot *slot)
{
	Datum	   *keys = palloc(modify->nkeys * sizeof(Datum));
	bool	   *nulls = palloc(modify->nkeys * sizeof(bool));
	uint64		id = lyf_mysql_insert_id(modify->session);

	for (int i = 0; i < modify->nkeys; i++)
	{
		const LyfMysqlColumn *column = modify->keys[i];
		Oid			input;
		Oid			param;

		keys[i] = slot_getattr(slot, column->attno, &nulls[i]);
		if (!nulls[i] || !is_auto_column(modify, column))
			continue;
		getTypeInputInfo(column->type, &input, &param);
		keys[i] = OidInputFunctionCall(input, psprintf(UINT64_FORMAT, id), param, column->typmod);
		nulls[i] = false;
	}
	if (!lyf_mysql_returned_read(modify, keys, nulls, false, slot))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("a row inserted into foreign table \"%s\" was not found by its key", get_rel_name(modify->table->relid)),
				 errdetail("The server has changed its key.")));
}

/* one row, and what comes back of it; NULL: it was there already */
static TupleTableSlot *
insert_one(LyfMysqlModify *modify, TupleTableSlot *slot)
{
	bool		inserted;

	modify->sql.len = modify->head;
	write_row(modify, slot);
	appendBinaryStringInfo(&modify->sql, modify->row.data, modify->row.len);
	if (modify->back == LYF_BACK_RETURNING)
	{
		appendStringInfoString(&modify->sql, " RETURNING ");
		lyf_mysql_returned_list(modify, &modify->sql);
		inserted = lyf_mysql_returned_fetch(modify, modify->sql.data, modify->sql.len, slot);
	}
	else
		inserted = try_statement(modify);
	if (inserted && modify->back == LYF_BACK_READ)
		read_inserted(modify, slot);
	return inserted ? slot : NULL;
}

TupleTableSlot *
lyf_mysql_insert(LyfMysqlModify *modify, TupleTableSlot *slot)
{
	TupleTableSlot *result = slot;
	MemoryContext caller;

	if (modify->collects)
	{
		collect_row(modify, slot);
		if (modify->rows >= modify->table->batch_size)
			lyf_mysql_insert_flush(modify);
		return slot;
	}
	lyf_mysql_returned_prepare(modify);
	if (modify->back == LYF_BACK_READ && !modify->auto_known)
		find_auto_column(modify);
	caller = MemoryContextSwitchTo(modify->row_cxt);
	result = insert_one(modify, slot);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(modify->row_cxt);
	return result;
}

void
lyf_mysql_insert_describe(LyfMysqlModify *modify, StringInfo text)
{
	appendBinaryStringInfo(text, modify->sql.data, modify->head);
	appendStringInfoChar(text, '(');
	for (int i = 0; i < modify->ncolumns; i++)
		appendStringInfoString(text, i > 0 ? ", ?" : "?");
	appendStringInfoChar(text, ')');
	if (modify->do_nothing)
		appendStringInfoString(text, " ON DUPLICATE KEY UPDATE ...");
}
