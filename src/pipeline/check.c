/*
 * check.c
 *		What a definition of a pipeline may say: completed, and held against its source and its destination.
 */
#include "postgres.h"

#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "pipeline/pipeline_internal.h"

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

/* What was not said comes from the source, as far as it has the columns. */
static void
take_defaults(LyfPipeline *p, const LyfSource *source)
{
	if (!p->key_given)
		p->primary_key = lyf_source_key(source);
	if (!p->cursor_given && source->shape != NULL && source->shape->cursor_field != NULL &&
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
