/*
 * mysql_returned.c
 *		Rows as the server has made them, for RETURNING, for triggers AFTER a row and for
 *		WITH CHECK OPTION: with its defaults, its generated columns, its rounding.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "fdw/mysql_modify.h"
#include "fdw/mysql_plan.h"

/* columns of the target that expressions of a finished plan look at: all other Vars there are special ones */
static bool
collect_columns(Node *node, Bitmapset **columns)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) && !IS_SPECIAL_VARNO(castNode(Var, node)->varno) && castNode(Var, node)->varattno >= 0)
		*columns = bms_add_member(*columns, castNode(Var, node)->varattno);
	return expression_tree_walker(node, collect_columns, columns);
}

static bool
fires_after_row(const LyfMysqlModify *modify)
{
	const TriggerDesc *triggers = modify->target->ri_TrigDesc;

	if (triggers == NULL)
		return false;
	return modify->operation == CMD_INSERT ? triggers->trig_insert_after_row :
		modify->operation == CMD_UPDATE ? triggers->trig_update_after_row : triggers->trig_delete_after_row;
}

/* the whole row (0), or single columns of it */
static Bitmapset *
wanted_columns(const LyfMysqlModify *modify)
{
	Bitmapset  *columns = NULL;
	ListCell   *lc;

	collect_columns((Node *) modify->target->ri_returningList, &columns);
	foreach(lc, modify->target->ri_WithCheckOptions)
		collect_columns(lfirst_node(WithCheckOption, lc)->qual, &columns);
	/* the row that a trigger for DELETE sees is the one that the plan read */
	if (fires_after_row(modify) && modify->operation != CMD_DELETE)
		columns = bms_add_member(columns, 0);
	return columns;
}

/* A statement that returns rows fails when they are read, if at all: too late where a duplicate key is no error. */
static bool
server_returns(const LyfMysqlModify *modify)
{
	int			version;

	if (modify->do_nothing || !lyf_mysql_is_mariadb(modify->session, &version))
		return false;
	return modify->operation == CMD_DELETE || (modify->operation == CMD_INSERT && version >= 100500);
}

static void
refuse_keyless(const LyfMysqlModify *modify)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("rows written to foreign table \"%s\" cannot be returned", get_rel_name(modify->table->relid)),
			 errdetail("The server does not return them, and the table has no key to read them again by."),
			 errhint("Set the option \"key\" of the columns that identify a row: ALTER FOREIGN TABLE ... ALTER COLUMN ... OPTIONS (ADD key 'true').")));
}

static void
list_wanted(LyfMysqlModify *modify)
{
	Bitmapset  *columns = wanted_columns(modify);

	modify->wanted = palloc(modify->table->natts * sizeof(LyfMysqlColumn *));
	for (int i = 0; i < modify->table->natts; i++)
	{
		const LyfMysqlColumn *column = &modify->table->columns[i];

		if (!column->dropped && (bms_is_member(0, columns) || bms_is_member(column->attno, columns)))
			modify->wanted[modify->nwanted++] = column;
	}
}

static void
prepare(LyfMysqlModify *modify)
{
	list_wanted(modify);
	if (modify->nwanted == 0)
		return;
	modify->back = server_returns(modify) ? LYF_BACK_RETURNING : LYF_BACK_READ;
	if (modify->back == LYF_BACK_READ && modify->nkeys == 0)
		refuse_keyless(modify);
}

void
lyf_mysql_returned_prepare(LyfMysqlModify *modify)
{
	MemoryContext caller;

	if (modify->prepared)
		return;
	caller = MemoryContextSwitchTo(modify->cxt);
	prepare(modify);
	modify->prepared = true;
	MemoryContextSwitchTo(caller);
}

void
lyf_mysql_returned_list(LyfMysqlModify *modify, StringInfo sql)
{
	for (int i = 0; i < modify->nwanted; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, ", ");
		lyf_mysql_select_column(sql, NULL, modify->wanted[i]);
	}
}

static LyfMysqlCast *
begin_cast(LyfMysqlModify *modify, const LyfMysqlField *fields, int count)
{
	MemoryContext caller = MemoryContextSwitchTo(modify->cxt);
	int		   *attnos = palloc(count * sizeof(int));
	LyfMysqlCast *cast;

	Assert(count == modify->nwanted);
	for (int i = 0; i < count; i++)
		attnos[i] = modify->wanted[i]->attno;
	cast = lyf_mysql_cast_begin(RelationGetDescr(modify->target->ri_RelationDesc), attnos, modify->wanted, count, fields,
								modify->table->zero_dates);
	MemoryContextSwitchTo(caller);
	return cast;
}

/* Put the row over what the slot holds: columns that nobody asked the server for stay as they were written. */
static void
store_row(LyfMysqlModify *modify, const LyfMysqlRow *row, TupleTableSlot *slot)
{
	int			natts = slot->tts_tupleDescriptor->natts;
	Datum	   *values = palloc(natts * sizeof(Datum));
	bool	   *nulls = palloc(natts * sizeof(bool));
	MemoryContext caller;

	memset(nulls, true, natts * sizeof(bool));
	if (!TTS_EMPTY(slot))
	{
		slot_getallattrs(slot);
		memcpy(values, slot->tts_values, natts * sizeof(Datum));
		memcpy(nulls, slot->tts_isnull, natts * sizeof(bool));
	}
	LYF_CHECK(lyf_mysql_cast_row(modify->cast, row, values, nulls));
	caller = MemoryContextSwitchTo(slot->tts_mcxt);
	ExecForceStoreHeapTuple(heap_form_tuple(slot->tts_tupleDescriptor, values, nulls), slot, true);
	MemoryContextSwitchTo(caller);
}

bool
lyf_mysql_returned_fetch(LyfMysqlModify *modify, const char *sql, size_t len, TupleTableSlot *slot)
{
	const LyfMysqlField *fields;
	int			count;
	LyfMysqlRow row;

	lyf_mysql_query(modify->session, &modify->reader, sql, len, &fields, &count);
	if (modify->cast == NULL)
		modify->cast = begin_cast(modify, fields, count);
	if (!lyf_mysql_fetch(modify->session, &modify->reader, &row))
		return false;
	store_row(modify, &row, slot);
	if (lyf_mysql_fetch(modify->session, &modify->reader, &row))
		lyf_mysql_refuse_ambiguous(modify);
	return true;
}

bool
lyf_mysql_returned_read(LyfMysqlModify *modify, const Datum *keys, const bool *nulls, bool for_update, TupleTableSlot *slot)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	lyf_mysql_returned_list(modify, &sql);
	appendStringInfoString(&sql, " FROM ");
	lyf_mysql_table_name(&sql, modify->table);
	appendStringInfoString(&sql, " WHERE ");
	lyf_mysql_write_key(modify, &sql, keys, nulls);
	if (for_update)
		appendStringInfoString(&sql, " FOR UPDATE");
	return lyf_mysql_returned_fetch(modify, sql.data, sql.len, slot);
}
