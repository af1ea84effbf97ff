/*
 * definition.c
 *		A pipeline's definition: read, written; its lock.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pipeline/pipeline.h"

/* objsubid of the lock in pg_locks; the view lyftron.jobs looks for it */
#define LOCK_KIND	19545

typedef struct Found
{
	MemoryContext cxt;
	LyfPipeline *pipeline;
} Found;

static List *
column_list(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		array = lyf_catalog_column(tuple, desc, name, &isnull);

	return lyf_text_list(array, isnull);
}

static void
take_pipeline(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Found	   *found = arg;
	MemoryContext old = MemoryContextSwitchTo(found->cxt);
	LyfPipeline *p = palloc0(sizeof(LyfPipeline));
	bool		isnull;
	Datum		max;

	p->name = lyf_catalog_text(tuple, desc, "name");
	p->owner = lyf_catalog_oid(tuple, desc, "owner");
	p->is_sql = strcmp(lyf_catalog_text(tuple, desc, "kind"), "sql") == 0;
	p->source = lyf_catalog_text(tuple, desc, "source");
	p->server = lyf_catalog_text(tuple, desc, "source_server");
	p->search_path = lyf_catalog_text(tuple, desc, "search_path");
	p->schema = lyf_catalog_text(tuple, desc, "destination_schema");
	p->table = lyf_catalog_text(tuple, desc, "destination_table");
	p->mode = lyf_catalog_text(tuple, desc, "mode");
	p->primary_key = column_list(tuple, desc, "primary_key");
	p->key_given = true;
	p->cursor = lyf_catalog_text(tuple, desc, "cursor");
	p->cursor_given = true;
	p->lookback = lyf_catalog_text(tuple, desc, "lookback");
	p->slices = DatumGetInt32(lyf_catalog_column(tuple, desc, "slices", &isnull));
	p->slice_by = lyf_catalog_text(tuple, desc, "slice_by");
	p->nested = lyf_catalog_text(tuple, desc, "nested");
	p->schema_policy = lyf_catalog_text(tuple, desc, "schema_policy");
	p->schedule = lyf_catalog_text(tuple, desc, "schedule");
	p->after = column_list(tuple, desc, "after");
	p->pool = lyf_catalog_text(tuple, desc, "pool");
	p->on_reject = lyf_catalog_text(tuple, desc, "on_reject");
	max = lyf_catalog_column(tuple, desc, "max_rejected", &isnull);
	p->max_rejected = isnull ? -1 : DatumGetInt64(max);
	p->on_failure = lyf_catalog_text(tuple, desc, "on_failure");
	p->missed = lyf_catalog_text(tuple, desc, "missed");
	(void) lyf_catalog_column(tuple, desc, "loaded_key", &isnull);
	p->loaded = !isnull;
	p->loaded_key = column_list(tuple, desc, "loaded_key");
	p->shapes = lyf_catalog_value(tuple, desc, "shapes");
	p->casts = lyf_catalog_value(tuple, desc, "casts");
	p->on_change = lyf_catalog_text(tuple, desc, "on_schema_change");
	found->pipeline = p;
	MemoryContextSwitchTo(old);
}

static LyfPipeline *
find_pipeline(const char *name)
{
	Found		found = {CurrentMemoryContext, NULL};
	LyfArgs		args = {0};

	lyf_args_text(&args, name);
	lyf_args_run(&args, "SELECT p.* FROM lyftron.pipeline p WHERE p.name = $1", take_pipeline, &found);
	return found.pipeline;
}

bool
lyf_pipeline_exists(const char *name)
{
	return find_pipeline(name) != NULL;
}

LyfPipeline *
lyf_pipeline_get(const char *name)
{
	LyfPipeline *pipeline = find_pipeline(name);

	if (pipeline == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no pipeline \"%s\"", name),
				 errhint("SELECT name FROM lyftron.pipelines shows yours.")));
	if (!has_privs_of_role(GetUserId(), pipeline->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for pipeline \"%s\"", name),
				 errhint("Only its owner, and members of that role, may use it.")));
	return pipeline;
}

LyfPipeline *
lyf_pipeline_get_locked(const char *name)
{
	/* who may not use it gets no lock either */
	(void) lyf_pipeline_get(name);
	lyf_pipeline_lock(name, false);
	/* it may have been altered before the lock was ours */
	return lyf_pipeline_get(name);
}

static void
add_definition(LyfArgs *args, const LyfPipeline *p)
{
	lyf_args_text(args, p->name);
	lyf_args_datum(args, OIDOID, ObjectIdGetDatum(p->owner), false);
	lyf_args_text(args, p->source);
	lyf_args_text(args, p->search_path);
	lyf_args_text(args, p->schema);
	lyf_args_text(args, p->table);
	lyf_args_text(args, p->mode);
	lyf_args_texts(args, p->primary_key, false);
	lyf_args_text(args, p->cursor);
	lyf_args_text(args, p->nested);
	lyf_args_text(args, p->schema_policy);
	lyf_args_text(args, p->schedule);
	lyf_args_texts(args, p->after, false);
	lyf_args_text(args, p->pool);
	lyf_args_text(args, p->on_reject);
	lyf_args_datum(args, INT8OID, Int64GetDatum(p->max_rejected), p->max_rejected < 0);
	lyf_args_text(args, p->is_sql ? "sql" : "load");
	lyf_args_text(args, p->server);
	lyf_args_text(args, p->on_failure);
	lyf_args_text(args, p->missed);
	lyf_args_text(args, p->lookback);
	lyf_args_datum(args, INT4OID, Int32GetDatum(p->slices), false);
	lyf_args_text(args, p->slice_by);
	lyf_args_value(args, p->casts);
	lyf_args_text(args, p->on_change);
}

#define COLUMNS \
	"(name, owner, source, search_path, destination_schema, destination_table, mode, primary_key, " \
	"cursor, nested, schema_policy, schedule, after, pool, on_reject, max_rejected, kind, source_server, on_failure, missed, " \
	"lookback, slices, slice_by, casts, on_schema_change)"
#define VALUES \
	"($1, $2::regrole, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)"

void
lyf_pipeline_insert(const LyfPipeline *pipeline)
{
	LyfArgs		args = {0};

	add_definition(&args, pipeline);
	lyf_args_run(&args, "INSERT INTO lyftron.pipeline " COLUMNS " VALUES " VALUES, NULL, NULL);
}

void
lyf_pipeline_update(const LyfPipeline *pipeline, bool moved)
{
	LyfArgs		args = {0};
	LyfArgs		shapes = {0};

	add_definition(&args, pipeline);
	lyf_args_run(&args,
				 "UPDATE lyftron.pipeline SET " COLUMNS " = " VALUES ", altered_at = now() WHERE name = $1",
				 NULL, NULL);
	lyf_args_text(&shapes, pipeline->name);
	lyf_args_value(&shapes, pipeline->shapes);
	lyf_args_datum(&shapes, BOOLOID, BoolGetDatum(moved), false);
	lyf_args_run(&shapes,
				 "UPDATE lyftron.pipeline SET shapes = $2, loaded_key = CASE WHEN NOT $3 THEN loaded_key END WHERE name = $1",
				 NULL, NULL);
}

bool
lyf_pipeline_has_table(const LyfPipeline *pipeline)
{
	Oid			namespace = pipeline->is_sql ? InvalidOid : get_namespace_oid(pipeline->schema, true);

	return OidIsValid(namespace) && OidIsValid(get_relname_relid(pipeline->table, namespace));
}

void
lyf_pipeline_note_key(const LyfPipeline *pipeline, List *columns)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, pipeline->name);
	lyf_args_texts(&args, columns, false);
	lyf_args_run(&args,
				 "UPDATE lyftron.pipeline SET loaded_key = $2 WHERE name = $1 AND loaded_key IS DISTINCT FROM $2",
				 NULL, NULL);
}

static void
lock_tag(const char *name, LOCKTAG *tag)
{
	uint64		key = hash_bytes_extended((const unsigned char *) name, strlen(name), 0);

	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (key >> 32), (uint32) key, LOCK_KIND);
}

void
lyf_pipeline_lock(const char *name, bool session)
{
	LOCKTAG		tag;

	lock_tag(name, &tag);
	if (LockAcquire(&tag, ExclusiveLock, session, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("pipeline \"%s\" is being run by another session", name),
				 errhint("SELECT pid FROM lyftron.jobs WHERE state = 'running' shows which.")));
}

void
lyf_pipeline_unlock(const char *name)
{
	LOCKTAG		tag;

	lock_tag(name, &tag);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

void
lyf_pipeline_forget_page(const LyfPipeline *pipeline, bool state_too)
{
	LyfValue   *state;
	LyfValue   *page;

	lyf_state_get(pipeline->name, &state, &page);
	lyf_load_drop_heaps(lyf_value_get(page, "heaps"));
	lyf_state_forget(pipeline->name, state_too);
}
