/*
 * load.c
 *		lyftron.load_vault: each source is read once, into all tables that it fills.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "vault/load_internal.h"

LYF_FUNCTION_INFO_V1(lyf_load_vault);

/* a feed has no less for its sort, however many there are */
#define LEAST_MEMORY_KB	4096

/* nor more: of this size a sort merges runs of 15 GB at once, and there is one for each part of the rows */
#define MOST_SORT_KB	65536

/* What fills one table from one source, as lyftron.vault_source has it; of sources only source and search_path are there. */
typedef struct Mapping
{
	int64		id;
	char	   *table;
	char	   *source;
	char	   *search_path;
	LyfValue   *mapping;
	char	   *position;
} Mapping;

/* What was done with a table, by all sources of the load. */
typedef struct Outcome
{
	const char *table;
	int64		candidates;
	int64		inserted;
	int64		known;
	int64		skipped;
} Outcome;

static void *
read_mapping(HeapTuple tuple, TupleDesc desc)
{
	Mapping    *mapping = palloc0(sizeof(Mapping));

	mapping->id = lyf_catalog_integer(tuple, desc, "id");
	mapping->table = lyf_catalog_text(tuple, desc, "table_name");
	mapping->source = lyf_catalog_text(tuple, desc, "source");
	mapping->search_path = lyf_catalog_text(tuple, desc, "search_path");
	mapping->mapping = lyf_catalog_value(tuple, desc, "mapping");
	mapping->position = lyf_catalog_text(tuple, desc, "position");
	return mapping;
}

static LyfCatalogPlan sources_plan = {
	"SELECT min(id) AS id, NULL AS table_name, source, search_path, NULL::jsonb AS mapping, NULL AS position FROM lyftron.vault_source "
	"WHERE vault = $1 AND source = coalesce($2, source) AND search_path = coalesce($3, search_path) AND ($4 IS NULL OR table_name = ANY ($4)) "
	"GROUP BY source, search_path ORDER BY 1"
};

static LyfCatalogPlan mappings_plan = {
	"SELECT id, table_name, source, search_path, mapping, position FROM lyftron.vault_source "
	"WHERE vault = $1 AND source = $2 AND search_path = $3 AND ($4 IS NULL OR table_name = ANY ($4)) ORDER BY id"
};

static List *
find_mappings(LyfCatalogPlan *plan, const LyfVault *vault, const char *source, const char *search_path, List *tables)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, vault->name);
	lyf_args_text(&args, source);
	lyf_args_text(&args, search_path);
	lyf_args_texts(&args, tables, tables == NIL);
	return lyf_args_collect(&args, plan, read_mapping);
}

/* the tables of the mappings, opened, in the order in which all loads write them: hubs, links, satellites */
static List *
open_feeds(const LyfVault *vault, List *mappings)
{
	List	   *feeds = NIL;
	ListCell   *t;
	ListCell   *m;

	foreach(t, lyf_vault_tables(vault))
	{
		const LyfVaultTable *table = lfirst(t);

		foreach(m, mappings)
		{
			Mapping    *mapping = lfirst(m);
			LyfFeed    *feed;

			if (strcmp(mapping->table, table->name) != 0)
				continue;
			feed = palloc0(sizeof(LyfFeed));
			feed->table = table;
			feed->ops = lyf_feed_ops(table);
			feed->source_id = mapping->id;
			feed->mapping = mapping->mapping;
			feed->position = mapping->position;
			lyf_feed_open(feed);
			feeds = lappend(feeds, feed);
		}
	}
	return feeds;
}

static LyfStage *
make_stage(const LyfVault *vault, const char *source, List *feeds, MemoryContext cxt)
{
	LyfStage   *stage = lyf_stage_make(vault, source, feeds);

	stage->cxt = cxt;
	stage->now = GetCurrentTimestamp();
	stage->memory_kb = Max(maintenance_work_mem / list_length(feeds), LEAST_MEMORY_KB);
	stage->sort_kb = Min(stage->memory_kb, MOST_SORT_KB);
	return stage;
}

/* rows of a feed that it had already; of a statement there may be more rows than came */
static int64
known_rows(const LyfFeed *feed)
{
	return Max(feed->offered - feed->skipped - feed->inserted, 0);
}

static void
note_position(const LyfFeed *feed, const char *position)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, feed->source_id);
	lyf_args_text(&args, position);
	lyf_args_run(&args, "UPDATE lyftron.vault_source SET position = coalesce($2, position), loaded_at = now() WHERE id = $1", NULL, NULL);
}

static void
note_load(const LyfStage *stage)
{
	LyfArgs		args = {0};
	int64		id;
	ListCell   *lc;

	lyf_args_text(&args, stage->vault->name);
	lyf_args_text(&args, stage->source);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(stage->vault->owner), false);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(stage->now), false);
	lyf_args_int8(&args, stage->rows);
	lyf_args_text(&args, stage->position);
	lyf_args_run(&args, "INSERT INTO lyftron.vault_load (vault, source, owner, started_at, finished_at, rows_read, position) "
				 "VALUES ($1, $2, $3::regrole, $4, clock_timestamp(), $5, $6) RETURNING id", lyf_catalog_take_id, &id);
	foreach(lc, stage->feeds)
	{
		const LyfFeed *feed = lfirst(lc);

		note_position(feed, feed->full_load ? feed->position : stage->position);
		args.count = 0;
		lyf_args_int8(&args, id);
		lyf_args_text(&args, feed->table->name);
		lyf_args_int8(&args, feed->offered);
		lyf_args_int8(&args, feed->inserted);
		lyf_args_int8(&args, known_rows(feed));
		lyf_args_int8(&args, feed->skipped);
		lyf_args_run(&args, "INSERT INTO lyftron.vault_load_table (load, table_name, candidates, inserted, known, skipped) "
					 "VALUES ($1, $2, $3, $4, $5, $6)", NULL, NULL);
	}
}

/* The outcomes (of Outcome *) with what was done to the stage's tables. */
static List *
add_outcomes(List *outcomes, const LyfStage *stage)
{
	ListCell   *f;
	ListCell   *o;

	foreach(f, stage->feeds)
	{
		const LyfFeed *feed = lfirst(f);
		Outcome    *outcome = NULL;

		foreach(o, outcomes)
			if (strcmp(((Outcome *) lfirst(o))->table, feed->table->name) == 0)
				outcome = lfirst(o);
		if (outcome == NULL)
		{
			outcome = palloc0(sizeof(Outcome));
			outcome->table = pstrdup(feed->table->name);
			outcomes = lappend(outcomes, outcome);
		}
		outcome->candidates += feed->offered;
		outcome->inserted += feed->inserted;
		outcome->known += known_rows(feed);
		outcome->skipped += feed->skipped;
	}
	return outcomes;
}

/*
 * What is read is read in its order, so that of rows of one time always the same one is the first; compiling costs the query more
 * than it saves.
 */
static void
set_options(void)
{
	(void) set_config_option("synchronize_seqscans", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Read one source into its tables. */
static List *
load_source(const LyfVault *vault, const Mapping *source, List *tables, List *outcomes)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(caller, "lyftron vault load", ALLOCSET_DEFAULT_SIZES);
	LyfSourceScope scope;
	LyfStage   *stage;
	List	   *mappings;
	ListCell   *lc;

	MemoryContextSwitchTo(cxt);
	/* what loads that were waited for have left */
	PushActiveSnapshot(GetTransactionSnapshot());
	mappings = find_mappings(&mappings_plan, vault, source->source, source->search_path, tables);
	if (mappings != NIL)
	{
		scope = lyf_owner_enter(vault->owner, source->search_path);
		set_options();
		stage = make_stage(vault, source->source, open_feeds(vault, mappings), cxt);
		lyf_stage_run(stage);
		foreach(lc, stage->feeds)
			lyf_feed_close(lfirst(lc));
		lyf_source_leave(&scope);
		note_load(stage);
		MemoryContextSwitchTo(caller);
		outcomes = add_outcomes(outcomes, stage);
	}
	PopActiveSnapshot();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(cxt);
	return outcomes;
}

/* Wait until nobody else loads these sources, or a table that only one may load at a time. */
static void
lock_all(const LyfVault *vault, List *sources, List *tables)
{
	List	   *mappings = NIL;
	ListCell   *lc;
	ListCell   *m;

	foreach(lc, sources)
	{
		const Mapping *source = lfirst(lc);

		lyf_vault_lock_source(vault, source->source);
		mappings = list_concat(mappings, find_mappings(&mappings_plan, vault, source->source, source->search_path, tables));
	}
	foreach(lc, lyf_vault_tables(vault))
	{
		const LyfVaultTable *table = lfirst(lc);
		bool		loads = false;

		foreach(m, mappings)
			loads = loads || strcmp(((Mapping *) lfirst(m))->table, table->name) == 0;
		if (loads && (table->kind->class == LYF_VAULT_SATELLITE || table->kind->class == LYF_VAULT_REFERENCE))
			lyf_vault_lock(get_relname_relid(table->name, get_namespace_oid(vault->schema, false)));
	}
}

static void
raise_no_source(const LyfVault *vault, const char *source)
{
	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("nothing fills vault \"%s\", or those tables of it", vault->name),
				 errhint("lyftron.create_hub and its like make tables, and say what fills them.")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("source \"%s\" fills no table of vault \"%s\", or none of those named", source, vault->name),
			 errhint("SELECT name, sources FROM lyftron.vault_tables shows what fills them.")));
}

/* a source as it is kept: a relation qualified, where it is one that is found */
static char *
source_name(const LyfVault *vault, const char *source, List *tables)
{
	LyfPipeline reader = {.name = vault->name,.source = pstrdup(source)};

	if (find_mappings(&sources_plan, vault, source, NULL, tables) != NIL)
		return pstrdup(source);
	return lyf_source_open(&reader)->from;
}

static void
put_outcomes(ReturnSetInfo *set, List *outcomes)
{
	ListCell   *lc;

	foreach(lc, outcomes)
	{
		const Outcome *outcome = lfirst(lc);
		Datum		values[] = {
			CStringGetTextDatum(outcome->table), Int64GetDatum(outcome->candidates), Int64GetDatum(outcome->inserted),
			Int64GetDatum(outcome->known), Int64GetDatum(outcome->skipped)
		};
		bool		nulls[lengthof(values)] = {0};

		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
}

/* lyftron.load_vault(vault text, source text, tables text[]) */
Datum
lyf_load_vault(PG_FUNCTION_ARGS)
{
	const LyfVault *vault = lyf_vault_get(lyf_vault_required(fcinfo, 0, "vault"));
	char	   *source = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	List	   *tables = lyf_text_list(PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2), PG_ARGISNULL(2));
	List	   *outcomes = NIL;
	List	   *sources;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, tables)
		(void) lyf_vault_table_get(vault, lfirst(lc));
	if (source != NULL)
		source = source_name(vault, source, tables);
	sources = find_mappings(&sources_plan, vault, source, NULL, tables);
	if (sources == NIL)
		raise_no_source(vault, source);
	lock_all(vault, sources, tables);
	foreach(lc, sources)
		outcomes = load_source(vault, lfirst(lc), tables, outcomes);
	put_outcomes((ReturnSetInfo *) fcinfo->resultinfo, outcomes);
	return (Datum) 0;
}
