/*
 * feed.c
 *		A table that a source fills: its rows put together from the stage's.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "vault/load_internal.h"

const LyfFeedOps *
lyf_feed_ops(const LyfVaultTable *table)
{
	if (table->kind->class == LYF_VAULT_HUB || table->kind->class == LYF_VAULT_LINK)
		return &lyf_feed_key;
	return strcmp(table->kind->name, "standard") == 0 ? &lyf_feed_satellite : &lyf_feed_statement;
}

/* The number of a column that loads work with, whose type they rely on. */
static AttrNumber
find_attno(const LyfFeed *feed, const char *name, Oid type)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(feed->rel), name);
	char	   *relation = lyf_vault_relation(feed->table->vault, feed->table->name);

	if (attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table %s of vault \"%s\" has lost its column \"%s\"", relation, feed->table->vault->name, name),
				 errhint("lyftron.check_vault says what is wrong with it.")));
	if (TupleDescAttr(RelationGetDescr(feed->rel), attno - 1)->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table %s of vault \"%s\" is not of type %s any more", name, relation, feed->table->vault->name, format_type_be(type)),
				 errhint("lyftron.check_vault says what is wrong with it.")));
	return attno;
}

static bool
is_kind(const LyfVaultTable *table, const char *kind)
{
	return strcmp(table->kind->name, kind) == 0;
}

static void
find_columns(LyfFeed *feed)
{
	const LyfVaultTable *table = feed->table;
	Oid			hash = lyf_hash_is_text(lyf_hash_rules(table->vault->hash)) ? TEXTOID : BYTEAOID;
	bool		satellite = table->kind->class == LYF_VAULT_SATELLITE;

	if (table->hash_key != NULL)
		feed->hash_attno = find_attno(feed, table->hash_key, hash);
	feed->load_date_attno = find_attno(feed, LYF_LOAD_DATE, TIMESTAMPTZOID);
	feed->record_source_attno = find_attno(feed, LYF_RECORD_SOURCE, TEXTOID);
	if (table->history || (satellite && !is_kind(table, "record_tracking")))
		feed->load_seq_attno = find_attno(feed, LYF_LOAD_SEQ, INT4OID);
	if (is_kind(table, "standard") || is_kind(table, "multi_active") || is_kind(table, "reference"))
		feed->diff_attno = find_attno(feed, LYF_DIFF_COLUMN, hash);
	if (is_kind(table, "status_tracking"))
		feed->status_attno = find_attno(feed, "status", TEXTOID);
	if (is_kind(table, "effectivity"))
		(void) find_attno(feed, "is_active", BOOLOID);
}

void
lyf_feed_open(LyfFeed *feed)
{
	const LyfVaultTable *table = feed->table;
	Oid			relid = get_relname_relid(table->name, get_namespace_oid(table->vault->schema, false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s of vault \"%s\" does not exist", lyf_vault_relation(table->vault, table->name), table->vault->name),
				 errhint("Take it out with lyftron.drop_vault_table, and make it anew.")));
	feed->rel = table_open(relid, RowExclusiveLock);
	if (feed->rel->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is not a table that a vault can load", lyf_vault_relation(table->vault, table->name))));
	find_columns(feed);
}

void
lyf_feed_close(LyfFeed *feed)
{
	table_close(feed->rel, NoLock);
}

/* What a column that somebody added has by default. */
static void
prepare_defaults(LyfFeed *feed)
{
	TupleDesc	desc = RelationGetDescr(feed->rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		Node	   *expr = attribute->attisdropped || feed->columns[i].from != LYF_FEED_NULL || attribute->attgenerated != '\0' ? NULL :
			build_column_default(feed->rel, i + 1);

		if (expr == NULL)
			continue;
		feed->columns[i].from = LYF_FEED_DEFAULT;
		feed->columns[i].expr = ExecInitExpr(expression_planner((Expr *) expr), NULL);
		feed->defaults = CreateStandaloneExprContext();
	}
}

/* The table's columns, the order in which rows came, and the keys of driving hubs. */
static TupleDesc
row_desc(const LyfFeed *feed)
{
	TupleDesc	desc = RelationGetDescr(feed->rel);
	TupleDesc	row = CreateTemplateTupleDesc(desc->natts + 1 + list_length(feed->table->driving));
	AttrNumber	attno = desc->natts;
	ListCell   *lc;

	for (int i = 1; i <= desc->natts; i++)
		TupleDescCopyEntry(row, i, desc, i);
	TupleDescInitEntry(row, ++attno, LYF_ARRIVAL, INT8OID, -1, 0);
	foreach(lc, feed->table->driving)
	{
		TupleDescInitEntry(row, ++attno, lfirst(lc), lyf_hash_is_text(feed->stage->rules) ? TEXTOID : BYTEAOID, -1, 0);
		if (lyf_hash_is_text(feed->stage->rules))
			TupleDescInitEntryCollation(row, attno, C_COLLATION_OID);
	}
	return row;
}

void
lyf_feed_row_begin(LyfFeed *feed)
{
	feed->row = MakeSingleTupleTableSlot(row_desc(feed), &TTSOpsVirtual);
	prepare_defaults(feed);
}

void
lyf_feed_begin_sorted(LyfFeed *feed)
{
	lyf_feed_row_begin(feed);
	feed->sort = lyf_sort_begin(feed);
	feed->known = lyf_known_begin(feed);
}

/* Let go of what was collected: all is read again. */
void
lyf_feed_forget(LyfFeed *feed)
{
	if (feed->sort != NULL)
		lyf_sort_end(feed->sort);
	if (feed->candidates != NULL)
		tuplestore_end(feed->candidates);
	if (feed->known != NULL)
		lyf_known_end(feed->known);
	ExecDropSingleTupleTableSlot(feed->row);
	feed->sort = NULL;
	feed->candidates = NULL;
	feed->known = NULL;
}

LyfStageHash *
lyf_feed_key_hash(const LyfFeed *feed)
{
	return list_nth(feed->stage->hashes, feed->key_hash);
}

/* Has it a part that is null as a whole? */
static bool
has_null_key(const LyfFeed *feed)
{
	ListCell   *lc;

	if (feed->table->hash_key == NULL)
	{
		/* a reference table has its key as it is */
		foreach(lc, feed->key)
			if (feed->stage->slot->tts_isnull[lfirst_int(lc)])
				return true;
		return false;
	}
	foreach(lc, feed->hub_hashes)
		if (((LyfStageHash *) list_nth(feed->stage->hashes, lfirst_int(lc)))->null)
			return true;
	return lyf_feed_key_hash(feed)->null;
}

/* True: the row is left out. */
static bool
skips_null_key(LyfFeed *feed)
{
	const LyfVault *vault = feed->table->vault;

	if (!has_null_key(feed))
		return false;
	if (strcmp(vault->null_keys, "fail") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a row of source %s has no business key for \"%s\"", feed->stage->source, feed->table->name),
				 errdetail("All of its key columns are null, and the vault has null_keys fail.")));
	if (strcmp(vault->null_keys, "zero_key") == 0 && feed->table->hash_key != NULL)
		return false;
	feed->skipped++;
	return true;
}

static Datum
column_value(LyfFeed *feed, const LyfFeedColumn *column, bool *isnull)
{
	*isnull = false;
	switch (column->from)
	{
		case LYF_FEED_COLUMN:
			return lyf_stage_value(feed->stage, column->number, isnull);
		case LYF_FEED_HASH:
			return ((LyfStageHash *) list_nth(feed->stage->hashes, column->number))->datum;
		case LYF_FEED_NOW:
			return TimestampTzGetDatum(feed->stage->now);
		case LYF_FEED_ZERO:
			return Int32GetDatum(0);
		case LYF_FEED_TRUE:
			return BoolGetDatum(true);
		case LYF_FEED_DEFAULT:
			return ExecEvalExpr(column->expr, feed->defaults, isnull);
		default:
			*isnull = true;
			return (Datum) 0;
	}
}

static void
raise_missing(const LyfFeed *feed, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("a row of source %s has no %s", feed->stage->source, what),
			 errdetail("Table \"%s\" of vault \"%s\" needs one in each row.", feed->table->name, feed->table->vault->name),
			 errhint("Give an expression with coalesce().")));
}

bool
lyf_feed_offer(LyfFeed *feed)
{
	feed->offered++;
	return !skips_null_key(feed);
}

TimestampTz
lyf_feed_load_date(const LyfFeed *feed)
{
	bool		isnull;
	Datum		value;

	if (feed->load_date < 0)
		return feed->stage->now;
	value = lyf_stage_value(feed->stage, feed->load_date, &isnull);
	if (isnull)
		raise_missing(feed, LYF_LOAD_DATE);
	return DatumGetTimestampTz(value);
}

int64
lyf_feed_arrival(const LyfFeed *feed)
{
	LyfStage   *stage = feed->stage;
	bool		isnull = true;
	Datum		sequence = feed->sequence >= 0 ? lyf_stage_value(stage, feed->sequence, &isnull) : (Datum) 0;
	ItemPointer place;

	if (!isnull)
		return DatumGetInt64(sequence);
	if (stage->place < 0)
		return stage->rows;
	place = (ItemPointer) DatumGetPointer(lyf_stage_value(stage, stage->place, &isnull));
	return ((int64) ItemPointerGetBlockNumberNoCheck(place) << 16) | ItemPointerGetOffsetNumberNoCheck(place);
}

/* What a statement wants to know of a row beside the table's columns: the keys of the hubs that drive its link. */
static void
fill_driving(LyfFeed *feed, int natts)
{
	ListCell   *lc;

	foreach(lc, feed->driving_hashes)
	{
		feed->row->tts_values[natts] = ((LyfStageHash *) list_nth(feed->stage->hashes, lfirst_int(lc)))->datum;
		feed->row->tts_isnull[natts++] = false;
	}
}

void
lyf_feed_fill(LyfFeed *feed)
{
	TupleTableSlot *row = feed->row;
	int			natts = RelationGetDescr(feed->rel)->natts;

	ExecClearTuple(row);
	for (int i = 0; i < natts; i++)
		row->tts_values[i] = column_value(feed, &feed->columns[i], &row->tts_isnull[i]);
	row->tts_values[natts] = Int64GetDatum(lyf_feed_arrival(feed));
	row->tts_isnull[natts] = false;
	fill_driving(feed, natts + 1);
	if (row->tts_isnull[feed->load_date_attno - 1])
		raise_missing(feed, LYF_LOAD_DATE);
	if (row->tts_isnull[feed->record_source_attno - 1])
		raise_missing(feed, LYF_RECORD_SOURCE);
	ExecStoreVirtualTuple(row);
}

const uint8 *
lyf_feed_digest(const LyfFeed *feed, TupleTableSlot *row, AttrNumber attno, uint8 *space)
{
	int			size = lyf_hash_size(feed->stage->rules);
	int			expected = lyf_hash_is_text(feed->stage->rules) ? 2 * size : size;
	bool		isnull;
	Datum		value = slot_getattr(row, attno, &isnull);
	struct varlena *hash = isnull ? NULL : PG_DETOAST_DATUM_PACKED(value);

	/* what is no hash of ours (somebody wrote it, or it was made under other rules) is like none of ours */
	memset(space, 0xa5, LYF_HASH_MAX);
	if (hash == NULL || VARSIZE_ANY_EXHDR(hash) != expected)
		return space;
	if (!lyf_hash_is_text(feed->stage->rules))
		return (const uint8 *) VARDATA_ANY(hash);
	for (int i = 0; i < expected; i++)
		if (!isxdigit((unsigned char) VARDATA_ANY(hash)[i]))
			return space;
	hex_decode(VARDATA_ANY(hash), expected, (char *) space);
	return space;
}
