/*
 * receiver.c
 *		A piece of a run: the executor hands rows to a DestReceiver; each gets its
 *		_lyftron_id, and the parsing strategy makes of it rows of the destination
 *		and its children, which writers write in batches.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/clock.h"
#include "load/load_internal.h"

/* the last column of that name, or 0: a column that the strategy asked for stands after the record */
static int
find_column(TupleDesc desc, const char *name)
{
	for (int i = desc->natts; i > 0; i--)
	{
		if (strcmp(NameStr(TupleDescAttr(desc, i - 1)->attname), name) == 0)
			return i;
	}
	return 0;
}

static int
require_column(TupleDesc desc, const char *name, const char *role)
{
	int			number = find_column(desc, name);

	if (number == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the source has no column \"%s\", which is the pipeline's %s", name, role)));
	return number;
}

static void
begin_record_id(LyfLoad *load)
{
	const LyfLoadSpec *spec = load->spec;
	TupleDesc	desc = load->query;
	List	   *key = lyf_mode_id_columns(spec->mode, spec->primary_key);
	bool		whole = key == NIL;
	int		   *attnos = palloc(sizeof(int) * (desc->natts + list_length(key)));
	int			count = 0;
	ListCell   *lc;

	if (!whole)
	{
		foreach(lc, key)
			attnos[count++] = require_column(desc, lfirst(lc), "primary key");
	}
	else
	{
		/* where the first column is the record, those after it only repeat parts of it */
		for (int i = 1; i <= (spec->nested->wants_record ? 1 : desc->natts); i++)
			attnos[count++] = i;
	}
	load->record_id = lyf_record_id_begin(desc, attnos, count, whole);
}

/* a piece lasts at least so many times as long as its first row took: a source may have to sort for each piece */
#define FIRST_ROW_SHARE	10

/* between two looks at the clock */
#define ROWS_OF_A_LOOK	64

static void
remember(LyfLoad *load, LyfSeen *seen, Datum value)
{
	MemoryContext old = MemoryContextSwitchTo(load->cxt);

	if (seen->known && !load->cursor_byval)
		pfree(DatumGetPointer(seen->value));
	seen->value = datumCopy(value, load->cursor_byval, load->cursor_len);
	seen->known = true;
	MemoryContextSwitchTo(old);
}

/* less than, equal to or greater than 0: the value is less, equal or greater; greater than one that was not seen */
static int
compare(LyfLoad *load, Datum value, const LyfSeen *seen)
{
	if (!seen->known)
		return 1;
	return DatumGetInt32(FunctionCall2Coll(load->cursor_cmp, load->cursor_collation, value, seen->value));
}

static void
begin_floor(LyfLoad *load, int32 typmod)
{
	Oid			input;
	Oid			param;

	if (load->spec->cursor_floor == NULL)
		return;
	getTypeInputInfo(load->cursor_type, &input, &param);
	remember(load, &load->greatest, OidInputFunctionCall(input, unconstify(char *, load->spec->cursor_floor), param, typmod));
}

static void
begin_cursor(LyfLoad *load)
{
	Form_pg_attribute attribute;
	TypeCacheEntry *type;

	if (load->spec->cursor == NULL)
		return;
	load->cursor = require_column(load->query, load->spec->cursor, "cursor");
	attribute = TupleDescAttr(load->query, load->cursor - 1);
	type = lookup_type_cache(attribute->atttypid, TYPECACHE_CMP_PROC_FINFO);
	if (!OidIsValid(type->cmp_proc))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("the cursor column \"%s\" is of type %s, which has no order",
						load->spec->cursor, format_type_be(attribute->atttypid))));
	load->cursor_cmp = &type->cmp_proc_finfo;
	load->cursor_collation = attribute->attcollation;
	load->cursor_type = attribute->atttypid;
	load->cursor_len = attribute->attlen;
	load->cursor_byval = attribute->attbyval;
	load->cursor_order = lyf_order_get(attribute->atttypid);
	load->ordered = load->spec->ordered;
	begin_floor(load, attribute->atttypmod);
}

static void
check_names(TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (strncmp(name, "_lyftron_", 9) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_RESERVED_NAME),
					 errmsg("column name \"%s\" of the source is reserved", name),
					 errhint("Give the column another name in the pipeline's source query.")));
	}
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
	LyfLoad    *load = (LyfLoad *) self;

	load->began_us = lyf_monotonic_us();
}

static int64
bytes_written(const LyfLoad *load)
{
	int64		bytes = 0;
	ListCell   *lc;

	foreach(lc, load->tables)
		bytes += ((LyfTable *) lfirst(lc))->writer->bytes;
	return bytes;
}

/* Has the piece gone on for long enough? */
static bool
is_due(const LyfLoad *load)
{
	int64		us;

	if (load->read % ROWS_OF_A_LOOK != 0)
		return false;
	us = lyf_monotonic_us() - load->began_us;
	return us >= (load->first_row_us - load->began_us) * FIRST_ROW_SHARE &&
		(us >= load->spec->checkpoint_ms * 1000 || bytes_written(load) >= load->spec->checkpoint_bytes);
}

/*
 * Take notice of a row's cursor.  False: the row, and all after it, are left to the next piece.  A value after
 * which none can come (infinity) would be the last position for ever: it is none.
 */
static bool
observe_cursor(LyfLoad *load, TupleTableSlot *slot)
{
	Datum		value = slot->tts_values[load->cursor - 1];
	int			direction;

	if (slot->tts_isnull[load->cursor - 1] || !lyf_order_is_finite(load->cursor_order, value))
		return true;
	if (load->ordered)
	{
		direction = compare(load, value, &load->latest);
		/* a source that does not keep the order is read to its end */
		if (direction < 0)
			load->ordered = false;
		load->due = load->due || is_due(load);
		if (load->due && direction > 0 && load->moved)
			return false;
		if (direction != 0)
			remember(load, &load->latest, value);
	}
	if (compare(load, value, &load->greatest) <= 0)
		return true;
	remember(load, &load->greatest, value);
	load->moved = true;
	return true;
}

/* The record at hand as JSON text, for lyftron.rejected. */
static char *
record_text(TupleTableSlot *slot)
{
	Datum		row;

	BlessTupleDesc(slot->tts_tupleDescriptor);
	row = ExecFetchSlotHeapTupleDatum(slot);
	return TextDatumGetCString(DirectFunctionCall1(row_to_json, row));
}

static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	LyfLoad    *load = (LyfLoad *) self;
	const LyfScanControl *control = load->spec->control;
	MemoryContext old;
	LyfFailure *failure;

	MemoryContextReset(load->row_cxt);
	old = MemoryContextSwitchTo(load->row_cxt);
	slot_getallattrs(slot);
	if (load->read == 0)
		load->first_row_us = lyf_monotonic_us();
	if (load->cursor > 0 && !observe_cursor(load, slot))
	{
		load->ended = true;
		MemoryContextSwitchTo(old);
		return false;
	}
	load->read++;
	lyf_load_publish(load);
	load->source = slot;
	if (load->spec->profile != NULL)
		lyf_profile_row(load->spec->profile, slot);
	load->extracted_at = control != NULL && control->scanned ? control->extracted_at : load->now;
	failure = lyf_record_id(load->record_id, slot, &load->id);
	if (failure == NULL && load->spec->doubles != NULL)
		lyf_doubles_expect(load->spec->doubles, &load->id);
	if (failure != NULL)
		lyf_rejects_add(load->spec->rejects, failure, record_text(slot));
	else
		load->spec->nested->record(load);
	MemoryContextSwitchTo(old);
	return true;
}

static void
receive_nothing(DestReceiver *self)
{
}

bool
lyf_load_put(LyfLoad *load, LyfTable *table)
{
	TupleTableSlot *input = table->writer->input;
	int			first = list_length(table->fields);
	Datum	   *meta = input->tts_values + first;
	LyfFailure *failure;

	if (table->parent == NULL)
		meta[LYF_META_ID] = UUIDPGetDatum(&load->id);
	meta[LYF_META_EXTRACTED_AT] = TimestampTzGetDatum(load->extracted_at);
	meta[LYF_META_LOADED_AT] = TimestampTzGetDatum(load->now);
	meta[LYF_META_RUN] = Int64GetDatum(load->spec->run);
	meta[LYF_META_ROW] = Int64GetDatum(load->read);
	for (int i = first; i < input->tts_tupleDescriptor->natts; i++)
		input->tts_isnull[i] = false;
	if (table->leaves_out)
		load->left_out += lyf_count_left_out(table, input->tts_isnull);
	failure = table->conversions != NULL ? lyf_convert(table, input->tts_values, input->tts_isnull) : NULL;
	if (failure == NULL)
		failure = lyf_writer_put(table->writer);
	if (failure == NULL)
	{
		if (load->spec->doubles != NULL && table->parent == NULL)
			lyf_doubles_note(load->spec->doubles, &load->id);
		return true;
	}
	lyf_rejects_add(load->spec->rejects, failure,
					table->parent == NULL ? record_text(load->source) : record_text(input));
	return false;
}

bool
lyf_load_put_child(LyfLoad *load, LyfTable *table, const pg_uuid_t *id, const pg_uuid_t *parent, int64 index)
{
	Datum	   *meta = table->writer->input->tts_values + list_length(table->fields);

	meta[LYF_META_ID] = UUIDPGetDatum(id);
	meta[LYF_META_PARENT_ID] = UUIDPGetDatum(parent);
	meta[LYF_META_ROOT_ID] = UUIDPGetDatum(&load->id);
	meta[LYF_META_INDEX] = Int64GetDatum(index);
	return lyf_load_put(load, table);
}

LyfLoad *
lyf_load_begin(const LyfLoadSpec *spec, TupleDesc desc)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron load", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	LyfLoad    *load = palloc0(sizeof(LyfLoad));
	ListCell   *lc;

	load->receiver.receiveSlot = receive;
	load->receiver.rStartup = receive_startup;
	load->receiver.rShutdown = receive_nothing;
	load->receiver.rDestroy = receive_nothing;
	load->receiver.mydest = DestNone;
	load->spec = spec;
	load->cxt = cxt;
	load->row_cxt = AllocSetContextCreate(cxt, "lyftron record", ALLOCSET_DEFAULT_SIZES);
	load->query = CreateTupleDescCopy(desc);
	load->now = lyf_now();
	check_names(desc);
	begin_record_id(load);
	begin_cursor(load);
	spec->nested->layout(load);
	lyf_casts_apply(load);
	foreach(lc, load->tables)
	{
		LyfTable   *table = lfirst(lc);

		lyf_destination_open(load, table);
		spec->mode->check(load, table);
		spec->mode->open(load, table);
		table->writer = lyf_writer_begin(table->name, table->sink,
										 OidIsValid(table->stage) ? table->sink : table->rel, table->desc);
	}
	lyf_load_publish_begin(load);
	MemoryContextSwitchTo(old);
	return load;
}

DestReceiver *
lyf_load_receiver(LyfLoad *load)
{
	return &load->receiver;
}

bool
lyf_load_ended(const LyfLoad *load)
{
	return load->ended;
}

/* What the next piece needs to go on with the heaps of this one. */
static LyfValue *
collect_heaps(LyfLoad *load)
{
	LyfValue   *heaps = lyf_value_make(LYF_MAP);
	ListCell   *lc;

	foreach(lc, load->tables)
	{
		LyfTable   *table = lfirst(lc);

		if (table->kept != NULL)
			lyf_value_set(heaps, psprintf("%u", table->dest), lyf_value_copy(table->kept));
	}
	return heaps->len > 0 ? heaps : NULL;
}

void
lyf_load_end(LyfLoad *load, bool last, LyfLoadResult *result)
{
	const LyfMode *mode = load->spec->mode;
	ListCell   *lc;

	/* the query's snapshot is gone, and writing long values needs one */
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(lc, load->tables)
	{
		LyfTable   *table = lfirst(lc);

		lyf_writer_end(table->writer);
		load->written += table->parent == NULL ? table->writer->written : 0;
		table_close(table->sink, NoLock);
		table_close(table->rel, NoLock);
	}
	PopActiveSnapshot();
	lyf_rejects_flush(load->spec->rejects);
	CommandCounterIncrement();
	result->written = mode->checkpoint(load);
	if (last)
		result->written += mode->finish(load);
	result->read = load->read;
	result->left_out = load->left_out;
	result->doubtful = load->doubtful;
	lyf_load_publish_end();
	result->heaps = last ? NULL : collect_heaps(load);
	result->cursor = load->moved ? lyf_cursor_text(load->greatest.value, load->cursor_type) : NULL;
	MemoryContextDelete(load->cxt);
}
