/*
 * mysql_update.c
 *		UPDATE and DELETE of rows that the plan has read: each is found by its key as it
 *		was read.
 *
 * The plan reads them FOR UPDATE, so that they are as they were read until they are
 * written.  If a key turns out to belong to several rows, the statement is an error
 * and all of it is undone.  Where nobody can tell the difference, the statements of many
 * rows are sent together.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "executor/executor.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "fdw/mysql_modify.h"
#include "fdw/mysql_plan.h"

/* Children of one parent share the name where they have the same column at the same place. */
char *
lyf_mysql_key_name(Form_pg_attribute attr)
{
	return psprintf("lyftron_key_%d_%u_%d_%u", attr->attnum, attr->atttypid, attr->atttypmod, attr->attcollation);
}

static void
find_keys(LyfMysqlModify *modify, const Plan *subplan)
{
	TupleDesc	desc = RelationGetDescr(modify->target->ri_RelationDesc);

	modify->key_junk = palloc(modify->nkeys * sizeof(AttrNumber));
	for (int i = 0; i < modify->nkeys; i++)
	{
		char	   *name = lyf_mysql_key_name(TupleDescAttr(desc, modify->keys[i]->attno - 1));

		modify->key_junk[i] = ExecFindJunkAttributeInTlist(subplan->targetlist, name);
		if (!AttributeNumberIsValid(modify->key_junk[i]))
			elog(ERROR, "could not find column \"%s\" in the plan of an UPDATE or DELETE", name);
	}
}

static void
refuse_generated(const LyfMysqlModify *modify)
{
	TupleDesc	desc = RelationGetDescr(modify->target->ri_RelationDesc);

	for (int i = 0; i < modify->table->natts; i++)
	{
		const LyfMysqlColumn *column = &modify->table->columns[i];

		if (column->generated && bms_is_member(column->attno, modify->assigned) &&
			TupleDescAttr(desc, i)->attgenerated == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_GENERATED_ALWAYS),
					 errmsg("column \"%s\" cannot be updated", column->name),
					 errdetail("The server generates this column.")));
	}
}

void
lyf_mysql_update_begin(LyfMysqlModify *modify, EState *estate, const Plan *subplan, bool collects)
{
	const TriggerDesc *triggers = modify->target->ri_TrigDesc;
	StringInfoData begin;

	find_keys(modify, subplan);
	if (modify->operation == CMD_UPDATE)
	{
		Bitmapset  *updated = ExecGetAllUpdatedCols(modify->target, estate);
		int			member = -1;

		while ((member = bms_next_member(updated, member)) >= 0)
			modify->assigned = bms_add_member(modify->assigned, member + FirstLowInvalidHeapAttributeNumber);
		modify->compare = triggers != NULL && triggers->trig_update_before_row;
		refuse_generated(modify);
	}
	initStringInfo(&begin);
	appendStringInfoString(&begin, modify->operation == CMD_UPDATE ? "UPDATE " : "DELETE FROM ");
	lyf_mysql_table_name(&begin, modify->table);
	appendStringInfoString(&begin, modify->operation == CMD_UPDATE ? " SET " : " WHERE ");
	modify->begin = begin.data;
	modify->collects = collects;
}

static void
get_keys(LyfMysqlModify *modify, TupleTableSlot *plan_slot, Datum *keys, bool *nulls)
{
	for (int i = 0; i < modify->nkeys; i++)
		keys[i] = slot_getattr(plan_slot, modify->key_junk[i], &nulls[i]);
}

/* is the column written?  A trigger may have changed any: compared with the row as it was read */
static bool
is_assigned(const LyfMysqlModify *modify, const LyfMysqlColumn *column, TupleTableSlot *slot)
{
	TupleTableSlot *old = modify->target->ri_oldTupleSlot;
	int			i = column->attno - 1;
	Form_pg_attribute attr = TupleDescAttr(slot->tts_tupleDescriptor, i);

	if (!lyf_mysql_is_written(column))
		return false;
	if (bms_is_member(column->attno, modify->assigned))
		return true;
	if (!modify->compare)
		return false;
	slot_getallattrs(old);
	if (slot->tts_isnull[i] || old->tts_isnull[i])
		return slot->tts_isnull[i] != old->tts_isnull[i];
	return !datum_image_eq(slot->tts_values[i], old->tts_values[i], attr->attbyval, attr->attlen);
}

/* add the assignments to the statement; false: there are none */
static bool
write_assignments(LyfMysqlModify *modify, TupleTableSlot *slot)
{
	StringInfo	sql = &modify->row;
	int			start = sql->len;

	slot_getallattrs(slot);
	for (int i = 0; i < modify->table->natts; i++)
	{
		const LyfMysqlColumn *column = &modify->table->columns[i];

		if (!is_assigned(modify, column, slot))
			continue;
		if (sql->len > start)
			appendStringInfoString(sql, ", ");
		lyf_mysql_quote_name(sql, column->remote_name);
		appendStringInfoString(sql, " = ");
		lyf_mysql_write_value(sql, column, slot->tts_values[i], slot->tts_isnull[i]);
	}
	return sql->len > start;
}

/* send the statements that have been collected */
void
lyf_mysql_update_flush(LyfMysqlModify *modify)
{
	if (modify->rows == 0)
		return;
	modify->rows = 0;
	if (lyf_mysql_execute_several(modify->session, modify->sql.data, modify->sql.len) > 1)
		lyf_mysql_refuse_ambiguous(modify);
	resetStringInfo(&modify->sql);
}

static void
collect_statement(LyfMysqlModify *modify)
{
	if (modify->rows > 0 && (int64) modify->sql.len + modify->row.len > modify->limit)
		lyf_mysql_update_flush(modify);
	if (modify->rows++ > 0)
		appendStringInfoString(&modify->sql, "; ");
	appendBinaryStringInfo(&modify->sql, modify->row.data, modify->row.len);
	if (modify->rows >= modify->table->batch_size)
		lyf_mysql_update_flush(modify);
}

/* did the statement of a row hit it? */
static bool
execute_for_row(LyfMysqlModify *modify)
{
	uint64		rows;

	if (modify->collects)
	{
		collect_statement(modify);
		return true;
	}
	rows = lyf_mysql_execute(modify->session, modify->row.data, modify->row.len);
	if (rows > 1)
		lyf_mysql_refuse_ambiguous(modify);
	return rows == 1;
}

/* the row as the server has it after the UPDATE, by its new key */
static void
read_updated(LyfMysqlModify *modify, TupleTableSlot *slot, Datum *keys, bool *nulls)
{
	for (int i = 0; i < modify->nkeys; i++)
		if (is_assigned(modify, modify->keys[i], slot))
			keys[i] = slot_getattr(slot, modify->keys[i]->attno, &nulls[i]);
	if (!lyf_mysql_returned_read(modify, keys, nulls, false, slot))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("an updated row of foreign table \"%s\" was not found by its key", get_rel_name(modify->table->relid)),
				 errdetail("The server has changed its key.")));
}

static TupleTableSlot *
update_row(LyfMysqlModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	Datum	   *keys = palloc(modify->nkeys * sizeof(Datum));
	bool	   *nulls = palloc(modify->nkeys * sizeof(bool));

	resetStringInfo(&modify->row);
	appendStringInfoString(&modify->row, modify->begin);
	get_keys(modify, plan_slot, keys, nulls);
	if (write_assignments(modify, slot))
	{
		appendStringInfoString(&modify->row, " WHERE ");
		lyf_mysql_write_key(modify, &modify->row, keys, nulls);
		if (!execute_for_row(modify))
			return NULL;
	}
	if (modify->back == LYF_BACK_READ)
		read_updated(modify, slot, keys, nulls);
	return slot;
}

static TupleTableSlot *
delete_row(LyfMysqlModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	Datum	   *keys = palloc(modify->nkeys * sizeof(Datum));
	bool	   *nulls = palloc(modify->nkeys * sizeof(bool));

	resetStringInfo(&modify->row);
	appendStringInfoString(&modify->row, modify->begin);
	get_keys(modify, plan_slot, keys, nulls);
	lyf_mysql_write_key(modify, &modify->row, keys, nulls);
	if (modify->back == LYF_BACK_RETURNING)
	{
		appendStringInfoString(&modify->row, " RETURNING ");
		lyf_mysql_returned_list(modify, &modify->row);
		return lyf_mysql_returned_fetch(modify, modify->row.data, modify->row.len, slot) ? slot : NULL;
	}
	if (modify->back == LYF_BACK_READ && !lyf_mysql_returned_read(modify, keys, nulls, true, slot))
		return NULL;
	return execute_for_row(modify) ? slot : NULL;
}

TupleTableSlot *
lyf_mysql_update(LyfMysqlModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	MemoryContext caller;
	TupleTableSlot *result;

	lyf_mysql_returned_prepare(modify);
	caller = MemoryContextSwitchTo(modify->row_cxt);
	result = update_row(modify, slot, plan_slot);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(modify->row_cxt);
	return result;
}

TupleTableSlot *
lyf_mysql_delete(LyfMysqlModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	MemoryContext caller;
	TupleTableSlot *result;

	lyf_mysql_returned_prepare(modify);
	caller = MemoryContextSwitchTo(modify->row_cxt);
	result = delete_row(modify, slot, plan_slot);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(modify->row_cxt);
	return result;
}

void
lyf_mysql_update_describe(LyfMysqlModify *modify, StringInfo text)
{
	appendStringInfoString(text, modify->begin);
	if (modify->operation == CMD_UPDATE)
	{
		const char *separator = "";

		for (int i = 0; i < modify->table->natts; i++)
		{
			const LyfMysqlColumn *column = &modify->table->columns[i];

			if (!bms_is_member(column->attno, modify->assigned) || !lyf_mysql_is_written(column))
				continue;
			appendStringInfoString(text, separator);
			lyf_mysql_quote_name(text, column->remote_name);
			appendStringInfoString(text, " = ?");
			separator = ", ";
		}
		appendStringInfoString(text, " WHERE ");
	}
	lyf_mysql_write_key_described(modify, text);
}
