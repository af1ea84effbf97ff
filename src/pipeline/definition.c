/*
 * definition.c
 *		A pipeline's definition: read, checked, written; its lock.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "common/hashfn.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "pipeline/pipeline_internal.h"

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

/* one of these words */
static void
check_word(const char *parameter, const char *word, const char *const *words, int count)
{
	StringInfoData all;

	for (int i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return;
	initStringInfo(&all);
	for (int i = 0; i < count; i++)
		appendStringInfo(&all, "%s%s", i == 0 ? "" : i < count - 1 ? ", " : " or ", words[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s cannot be \"%s\"", parameter, word),
			 errhint("It is %s.", all.data)));
}

#define CHECK_WORD(parameter, word, words)	check_word(parameter, word, words, lengthof(words))

static const char *const reject_words[] = {"keep", "fail"};
static const char *const failure_words[] = {"skip", "run", "stop"};
static const char *const missed_words[] = {"once", "skip", "all"};

void
lyf_pipeline_check_on_failure(const char *word)
{
	CHECK_WORD("on_failure", word, failure_words);
}

static void
check_words(const LyfPipeline *p)
{
	LyfSchedule schedule;

	if (p->name[0] == '\0' || strlen(p->name) > 200)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("a pipeline's name must have from 1 to 200 bytes")));
	if (p->pool[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a pipeline's pool must have a name")));
	if (!p->is_sql)
		(void) lyf_mode_get(p->mode);
	(void) lyf_nested_get(p->nested);
	(void) lyf_policy_get(p->schema_policy);
	CHECK_WORD("on_reject", p->on_reject, reject_words);
	lyf_pipeline_check_on_failure(p->on_failure);
	CHECK_WORD("missed", p->missed, missed_words);
	if (p->schedule != NULL)
		lyf_schedule_read(p->schedule, &schedule);
}

/* Those that must run before it must be there, and must not wait for it in turn. */
static void
check_after(const LyfPipeline *p)
{
	ListCell   *lc;

	foreach(lc, p->after)
	{
		char	   *name = lfirst(lc);
		LyfArgs		args = {0};

		if (strcmp(name, p->name) != 0)
			(void) lyf_pipeline_get(name);
		lyf_args_text(&args, name);
		lyf_args_text(&args, p->name);
		if (strcmp(name, p->name) == 0 ||
			lyf_args_run(&args,
						 "WITH RECURSIVE before AS (SELECT $1 AS name UNION "
						 "SELECT a.name FROM before b JOIN lyftron.pipeline p ON p.name = b.name, unnest(p.after) AS a (name)) "
						 "SELECT FROM before WHERE name = $2", NULL, NULL) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("pipeline \"%s\" cannot run after \"%s\"", p->name, name),
					 errdetail("That one, in turn, runs after \"%s\".", p->name)));
	}
}

static Form_pg_attribute
require_column(const LyfSource *source, const char *name, const char *role)
{
	Form_pg_attribute column = lyf_source_column(source, name);

	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the source has no column \"%s\", which is given as %s", name, role)));
	return column;
}

/* What was not said comes from the stream, as far as the foreign table has its columns. */
static void
take_defaults(LyfPipeline *p, const LyfSource *source)
{
	bool		complete = true;
	List	   *key = NIL;
	ListCell   *lc;

	if (source->shape == NULL)
		return;
	foreach(lc, source->shape->primary_key)
	{
		char	   *name = lyf_column_name(lfirst(lc));

		complete = complete && lyf_source_column(source, name) != NULL;
		key = lappend(key, name);
	}
	if (!p->key_given && complete)
		p->primary_key = key;
	if (!p->cursor_given && source->shape->cursor_field != NULL &&
		lyf_source_column(source, lyf_column_name(source->shape->cursor_field)) != NULL)
		p->cursor = lyf_column_name(source->shape->cursor_field);
}

static void
check_columns(const LyfPipeline *p, const LyfSource *source)
{
	ListCell   *lc;

	foreach(lc, p->primary_key)
		(void) require_column(source, lfirst(lc), "primary key");
	if (p->cursor != NULL)
	{
		Form_pg_attribute column = require_column(source, p->cursor, "cursor");

		if (!OidIsValid(lookup_type_cache(column->atttypid, TYPECACHE_CMP_PROC)->cmp_proc))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FUNCTION),
					 errmsg("column \"%s\" cannot be a cursor: type %s has no order",
							p->cursor, format_type_be(column->atttypid))));
	}
	if (lyf_mode_wants_key(lyf_mode_get(p->mode)) && p->primary_key == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mode \"%s\" needs a primary key", p->mode),
				 errhint("Give primary_key, or use mode incremental_append, which keeps every version of a record.")));
}

static void
check_lookback(const LyfPipeline *p, const LyfSource *source)
{
	const LyfOrder *order;

	if (p->lookback == NULL)
		return;
	if (p->cursor == NULL || lyf_mode_is_full_refresh(lyf_mode_get(p->mode)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lookback is for incremental modes with a cursor")));
	if (source->native)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a stream of lyftron_rest has a lookback of its own"),
				 errdetail("Its connector says how far it looks back.")));
	order = lyf_order_get(lyf_source_column(source, p->cursor)->atttypid);
	if (!lyf_order_has_steps(order))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lookback is for cursors that are numbers or times"),
				 errdetail("Column \"%s\" is of type %s.", p->cursor,
						   format_type_be(lyf_source_column(source, p->cursor)->atttypid))));
	if (!lyf_order_is_step(order, p->lookback))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lookback must not be negative or infinite")));
}

static void
check_destination(const LyfPipeline *p, const LyfSource *source)
{
	Oid			namespace = get_namespace_oid(p->schema, true);
	LyfArgs		args = {0};

	if (OidIsValid(namespace) && OidIsValid(source->relid) &&
		get_relname_relid(p->table, namespace) == source->relid)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a pipeline cannot load a table into itself")));
	if (strcmp(p->schema, "lyftron") == 0 || IsReservedName(p->schema))
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("schema %s is not for destinations", p->schema)));
	lyf_destination_check(p->schema, p->table);
	lyf_args_text(&args, p->schema);
	lyf_args_text(&args, p->table);
	lyf_args_text(&args, p->name);
	if (lyf_args_run(&args,
					 "SELECT FROM lyftron.pipeline WHERE destination_schema = $1 AND destination_table = $2 AND name <> $3",
					 NULL, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table %s is loaded by another pipeline", quote_qualified_identifier(p->schema, p->table)),
				 errhint("Give each pipeline a table of its own, and combine them in a view.")));
}

/* Its statements are only read: what they need may be made by what runs before them. */
static void
check_statements(const LyfPipeline *p)
{
	if (p->table != NULL || p->primary_key != NIL || p->cursor != NULL || p->lookback != NULL || p->slices > 1 || p->slice_by != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a pipeline of the kind sql has no destination, primary_key, cursor, lookback or slices"),
				 errdetail("Its source is SQL statements, which say themselves what they change.")));
	lyf_source_check_statements(p->source);
}

/* the foreign server of a source that is a foreign table, or NULL */
static char *
server_of(const LyfSource *source)
{
	if (!OidIsValid(source->relid) || get_rel_relkind(source->relid) != RELKIND_FOREIGN_TABLE)
		return NULL;
	return GetForeignServer(GetForeignTable(source->relid)->serverid)->servername;
}

void
lyf_pipeline_check(LyfPipeline *p)
{
	LyfSourceScope scope;
	LyfSource  *source;
	char	   *sql;

	check_words(p);
	check_after(p);
	if (p->is_sql)
	{
		check_statements(p);
		return;
	}
	scope = lyf_source_enter(p);
	PushActiveSnapshot(GetTransactionSnapshot());
	source = lyf_source_open(p);
	if (OidIsValid(source->relid))
		p->source = source->from;
	p->server = server_of(source);
	take_defaults(p, source);
	check_columns(p, source);
	check_lookback(p, source);
	lyf_slices_check(p, source);
	check_destination(p, source);
	sql = lyf_source_sql(p, source, NULL);
	lyf_source_check_permissions(lyf_source_plan(sql), sql);
	PopActiveSnapshot();
	lyf_source_leave(&scope);
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
}

#define COLUMNS \
	"(name, owner, source, search_path, destination_schema, destination_table, mode, primary_key, " \
	"cursor, nested, schema_policy, schedule, after, pool, on_reject, max_rejected, kind, source_server, on_failure, missed, " \
	"lookback, slices, slice_by)"
#define VALUES \
	"($1, $2::regrole, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)"

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
