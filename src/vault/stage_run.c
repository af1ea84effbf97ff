/*
 * stage_run.c
 *		A source is read: each of its rows is hashed, and handed to the tables that it feeds.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "vault/load_internal.h"

/* The executor's receiver. */
typedef struct Reader
{
	DestReceiver receiver;
	LyfStage   *stage;
	FmgrInfo   *compare;		/* of the increment */
	Oid			type;
	Oid			collation;
	const LyfOrder *order;
	bool		byval;
	int16		len;
	bool		known;
	Datum		greatest;
} Reader;

Datum
lyf_stage_value(const LyfStage *stage, int column, bool *isnull)
{
	*isnull = stage->slot->tts_isnull[column];
	return stage->slot->tts_values[column];
}

static void
make_texts(LyfStage *stage)
{
	TupleTableSlot *slot = stage->slot;
	ListCell   *lc;
	int			i = 0;

	resetStringInfo(&stage->buffer);
	foreach(lc, stage->columns)
	{
		lyf_text_put(&stage->texts[i], ((LyfStageColumn *) lfirst(lc))->form, slot->tts_values[i], slot->tts_isnull[i], &stage->buffer);
		i++;
	}
}

/* a digest as columns have it, over the one of the row before */
static void
put_digest(LyfStage *stage, LyfStageHash *hash)
{
	int			size = lyf_hash_size(stage->rules);
	char	   *to = VARDATA(DatumGetPointer(hash->datum));

	if (lyf_hash_is_text(stage->rules))
		hex_encode((const char *) hash->digest, size, to);
	else
		memcpy(to, hash->digest, size);
}

/* What tables know of keys is all over memory: have it come before it is looked at, first the slots and then the entries. */
static void
fetch_slots(const LyfStageHash *hash)
{
	ListCell   *lc;

	foreach(lc, hash->feeds)
		lyf_known_fetch_slot(((LyfFeed *) lfirst(lc))->known, hash->digest);
}

static void
fetch_entries(const LyfStageHash *hash)
{
	ListCell   *lc;

	foreach(lc, hash->feeds)
		lyf_known_fetch_entry(((LyfFeed *) lfirst(lc))->known, hash->digest);
}

static void
make_hashes(LyfStage *stage)
{
	const LyfStageHash *before = NULL;
	ListCell   *lc;

	foreach(lc, stage->hashes)
	{
		LyfStageHash *hash = lfirst(lc);

		hash->null = !lyf_hasher_run(hash->hasher, stage->buffer.data, stage->texts, hash->digest);
		fetch_slots(hash);
		if (before != NULL)
			fetch_entries(before);
		put_digest(stage, hash);
		before = hash;
	}
	if (before != NULL)
		fetch_entries(before);
}

/* The same, of hashes that the query made: they are in its last column. */
static void
take_hashes(LyfStage *stage)
{
	ListCell   *lc;

	lyf_stage_take_hashes(stage, stage->slot->tts_values[list_length(stage->columns)]);
	foreach(lc, stage->hashes)
		fetch_slots(lfirst(lc));
	foreach(lc, stage->hashes)
	{
		fetch_entries(lfirst(lc));
		put_digest(stage, lfirst(lc));
	}
}

/* The greatest value of the increment is the position of the next load. */
static void
observe_increment(Reader *reader)
{
	LyfStage   *stage = reader->stage;
	bool		isnull;
	Datum		value;

	if (stage->increment < 0)
		return;
	value = lyf_stage_value(stage, stage->increment, &isnull);
	if (isnull || !lyf_order_is_finite(reader->order, value) ||
		(reader->known && DatumGetInt32(FunctionCall2Coll(reader->compare, reader->collation, value, reader->greatest)) <= 0))
		return;
	if (reader->known && !reader->byval)
		pfree(DatumGetPointer(reader->greatest));
	reader->known = true;
	MemoryContextSwitchTo(stage->cxt);
	reader->greatest = datumCopy(value, reader->byval, reader->len);
	MemoryContextSwitchTo(stage->row_cxt);
}

static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	Reader	   *reader = (Reader *) self;
	LyfStage   *stage = reader->stage;
	MemoryContext old;
	ListCell   *lc;

	MemoryContextReset(stage->row_cxt);
	old = MemoryContextSwitchTo(stage->row_cxt);
	slot_getallattrs(slot);
	stage->slot = slot;
	stage->rows++;
	if (stage->shared)
		take_hashes(stage);
	else
	{
		make_texts(stage);
		make_hashes(stage);
	}
	observe_increment(reader);
	foreach(lc, stage->feeds)
	{
		LyfFeed    *feed = lfirst(lc);

		feed->ops->row(feed);
	}
	lyf_vault_publish_read(stage);
	MemoryContextSwitchTo(old);
	return !stage->again;
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
	Reader	   *reader = (Reader *) self;
	LyfStage   *stage = reader->stage;

	if (stage->increment >= 0)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, stage->increment);

		reader->type = attribute->atttypid;
		reader->compare = &lookup_type_cache(attribute->atttypid, TYPECACHE_CMP_PROC_FINFO)->cmp_proc_finfo;
		reader->collation = attribute->attcollation;
		reader->order = lyf_order_get(attribute->atttypid);
		reader->byval = attribute->attbyval;
		reader->len = attribute->attlen;
	}
}

static void
receive_nothing(DestReceiver *self)
{
}

/* Does a feed compute anything while rows are read?  That need not be safe where workers run. */
static bool
has_defaults(const LyfStage *stage)
{
	ListCell   *lc;

	foreach(lc, stage->feeds)
		if (((LyfFeed *) lfirst(lc))->defaults != NULL)
			return true;
	return false;
}

/* With the hashes in the query where workers make them. */
static PlannedStmt *
make_plan(LyfStage *stage)
{
	PlannedStmt *plan;

	stage->shared = false;
	if (stage->shared_sql != NULL && !has_defaults(stage))
	{
		plan = lyf_source_plan_parallel(stage->shared_sql);
		stage->shared = plan->parallelModeNeeded;
		if (stage->shared)
			return plan;
	}
	return lyf_source_plan(stage->sql);
}

static void
execute(LyfStage *stage, Reader *reader)
{
	PlannedStmt *plan = make_plan(stage);
	QueryDesc  *desc = CreateQueryDesc(plan, stage->shared ? stage->shared_sql : stage->sql, GetActiveSnapshot(), InvalidSnapshot,
									   &reader->receiver, NULL, NULL, 0);

	ExecutorStart(desc, 0);
	lyf_executor_run(desc);
	ExecutorFinish(desc);
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
}

static void
begin_feeds(LyfStage *stage)
{
	ListCell   *lc;

	stage->rows = 0;
	stage->again = false;
	foreach(lc, stage->hashes)
		((LyfStageHash *) lfirst(lc))->feeds = NIL;
	foreach(lc, stage->feeds)
	{
		LyfFeed    *feed = lfirst(lc);

		feed->offered = feed->inserted = feed->skipped = 0;
		feed->ops->begin(feed);
		if (feed->known != NULL)
			lyf_feed_key_hash(feed)->feeds = lappend(lyf_feed_key_hash(feed)->feeds, feed);
	}
}

/* What was left out for being like the latest version was not superfluous: forget all that was read. */
static void
forget(LyfStage *stage)
{
	ListCell   *lc;

	foreach(lc, stage->feeds)
		lyf_feed_forget(lfirst(lc));
	stage->unfiltered = true;
}

void
lyf_stage_run(LyfStage *stage)
{
	Reader		reader = {{receive, receive_startup, receive_nothing, receive_nothing, DestNone}, stage};
	ListCell   *lc;

	stage->row_cxt = AllocSetContextCreate(stage->cxt, "lyftron vault row", ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&stage->buffer);
	stage->texts = palloc0(sizeof(LyfText) * Max(list_length(stage->columns), 1));
	lyf_vault_publish_begin(stage);
	for (;;)
	{
		begin_feeds(stage);
		execute(stage, &reader);
		if (!stage->again)
			break;
		forget(stage);
	}
	foreach(lc, stage->feeds)
	{
		LyfFeed    *feed = lfirst(lc);

		lyf_vault_publish_table(feed, foreach_current_index(lc));
		feed->ops->end(feed);
		CHECK_FOR_INTERRUPTS();
	}
	lyf_vault_publish_end();
	if (reader.known)
		stage->position = lyf_cursor_text(reader.greatest, reader.type);
}
