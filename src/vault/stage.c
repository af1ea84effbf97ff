/*
 * stage.c
 *		The query that reads a source for all tables that it fills: each expression once, each hash once.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "vault/load_internal.h"

/* the number of a column of the query, which is added where it is not there yet; expr NULL: -1 */
static int
add_column(LyfStage *stage, const char *expr, const char *type)
{
	LyfStageColumn *column;
	ListCell   *lc;

	if (expr == NULL)
		return -1;
	foreach(lc, stage->columns)
	{
		column = lfirst(lc);
		if (strcmp(column->expr, expr) == 0 && (type == NULL ? column->type == NULL : column->type != NULL && strcmp(column->type, type) == 0))
			return foreach_current_index(lc);
	}
	column = palloc0(sizeof(LyfStageColumn));
	column->expr = pstrdup(expr);
	column->type = type != NULL ? pstrdup(type) : NULL;
	stage->columns = lappend(stage->columns, column);
	return list_length(stage->columns) - 1;
}

/* the number of a hash over columns (an int list), which is added where it is not there yet; names: of the columns, or NIL */
static int
add_hash(LyfStage *stage, LyfHashKind kind, List *columns, List *names)
{
	LyfStageHash *hash;
	ListCell   *lc;
	int			i = 0;

	foreach(lc, stage->hashes)
	{
		bool		same;

		hash = lfirst(lc);
		same = hash->kind == kind && kind == LYF_HASH_KEY && hash->count == list_length(columns);
		for (i = 0; same && i < hash->count; i++)
			same = hash->columns[i] == list_nth_int(columns, i);
		if (same)
			return foreach_current_index(lc);
	}
	hash = palloc0(sizeof(LyfStageHash));
	hash->kind = kind;
	hash->count = list_length(columns);
	hash->columns = palloc(sizeof(int) * Max(hash->count, 1));
	hash->names = palloc0(sizeof(char *) * Max(hash->count, 1));
	for (i = 0; i < hash->count; i++)
	{
		hash->columns[i] = list_nth_int(columns, i);
		hash->names[i] = names != NIL ? list_nth(names, i) : "";
	}
	hash->hasher = lyf_hasher_begin(stage->rules, kind, hash->count, hash->columns, hash->names);
	hash->datum = lyf_hash_datum(stage->rules, hash->digest);
	stage->hashes = lappend(stage->hashes, hash);
	return list_length(stage->hashes) - 1;
}

static const char *
mapping_text(const LyfFeed *feed, const char *key)
{
	return lyf_value_text(lyf_value_get(feed->mapping, key));
}

/* the columns (an int list) of a list of the mapping, cast to the types of the table's columns of these names */
static List *
add_items(LyfFeed *feed, const char *list)
{
	const LyfValue *items = lyf_value_get(feed->mapping, list);
	List	   *columns = NIL;

	if (!lyf_value_is(items, LYF_LIST))
		return NIL;
	lyf_foreach(item, items)
	{
		const char *name = lyf_value_text(lyf_value_get(item, "name"));

		columns = lappend_int(columns,
							  add_column(feed->stage, lyf_value_text(lyf_value_get(item, "expr")),
										 lyf_vault_column_type(feed->table->vault, feed->table->name, name)));
	}
	return columns;
}

/* the hubs whose keys a table's key is made of, of LyfVaultTable * */
static List *
key_hubs(const LyfVaultTable *table)
{
	const LyfVaultTable *of = table->parent != NULL ? lyf_vault_table_get(table->vault, table->parent) : table;
	List	   *hubs = NIL;
	ListCell   *lc;

	if (of->kind->class == LYF_VAULT_HUB)
		return list_make1(unconstify(LyfVaultTable *, of));
	foreach(lc, of->hubs)
		hubs = lappend(hubs, lyf_vault_table_get(table->vault, ((LyfVaultRole *) lfirst(lc))->hub));
	return hubs;
}

/* The columns of the key, cast to the types that the hubs have, so that each table makes the same hashes of it. */
static void
add_key(LyfFeed *feed)
{
	const LyfVaultTable *table = feed->table;
	const LyfValue *item = lyf_value_get(feed->mapping, "key")->u.first;
	List	   *hubs;
	ListCell   *lc;
	ListCell   *k;

	if (table->hash_key == NULL)
	{
		feed->key = add_items(feed, "key");
		return;
	}
	hubs = key_hubs(table);
	foreach(lc, hubs)
	{
		LyfVaultTable *hub = lfirst(lc);
		List	   *part = NIL;

		foreach(k, hub->key)
		{
			part = lappend_int(part, add_column(feed->stage, lyf_value_text(lyf_value_get(item, "expr")),
												lyf_vault_column_type(table->vault, hub->name, lfirst(k))));
			item = item->next;
		}
		/* a link, or what hangs on one, needs all of them */
		if (list_length(hubs) > 1)
			feed->hub_hashes = lappend_int(feed->hub_hashes, add_hash(feed->stage, LYF_HASH_KEY, part, NIL));
		feed->key = list_concat(feed->key, part);
	}
	/* the dependent key of the link that a satellite hangs on */
	for (; item != NULL; item = item->next)
		feed->key = lappend_int(feed->key, add_column(feed->stage, lyf_value_text(lyf_value_get(item, "expr")),
													  lyf_vault_column_type(table->vault, table->parent, lyf_value_text(lyf_value_get(item, "name")))));
}

/* Which of the link's hubs drive it. */
static void
find_driving(LyfFeed *feed)
{
	ListCell   *d;
	ListCell   *r;

	foreach(d, feed->table->driving)
	{
		foreach(r, lyf_vault_table_get(feed->table->vault, feed->table->parent)->hubs)
			if (strcmp(((LyfVaultRole *) lfirst(r))->column, lfirst(d)) == 0)
				feed->driving_hashes = lappend_int(feed->driving_hashes, list_nth_int(feed->hub_hashes, foreach_current_index(r)));
	}
}

static void
add_feed(LyfStage *stage, LyfFeed *feed)
{
	const LyfVaultTable *table = feed->table;
	List	   *described;
	List	   *names = list_concat(list_copy(table->sub_key), table->columns);

	feed->stage = stage;
	add_key(feed);
	find_driving(feed);
	feed->key = list_concat(feed->key, add_items(feed, "dependent"));
	feed->key_hash = add_hash(stage, LYF_HASH_KEY, feed->key, NIL);
	described = list_concat(add_items(feed, "sub_key"), add_items(feed, "columns"));
	feed->diff_hash = -1;
	if (strcmp(table->kind->name, "standard") == 0 || strcmp(table->kind->name, "multi_active") == 0 || table->kind->class == LYF_VAULT_REFERENCE)
		feed->diff_hash = add_hash(stage, LYF_HASH_DIFF, described, names);
	feed->load_date = add_column(stage, mapping_text(feed, "load_date"), "pg_catalog.timestamptz");
	(void) add_column(stage, mapping_text(feed, "record_source"), "pg_catalog.text");
	feed->sequence = add_column(stage, mapping_text(feed, "sequence"), "pg_catalog.int8");
	feed->operation = add_column(stage, mapping_text(feed, "operation"), "pg_catalog.text");
	feed->full_load = lyf_value_truth(lyf_value_get(feed->mapping, "full_load"));
	feed->increment = unconstify(char *, mapping_text(feed, "increment"));
	feed->lookback = unconstify(char *, mapping_text(feed, "lookback"));
	stage->feeds = lappend(stage->feeds, feed);
}

/* where a column that is filled by an expression has it from, by its name */
static int
find_item(LyfFeed *feed, const char *list, const char *name)
{
	const LyfValue *items = lyf_value_get(feed->mapping, list);

	if (!lyf_value_is(items, LYF_LIST))
		return -1;
	lyf_foreach(item, items)
	{
		if (strcmp(lyf_value_text(lyf_value_get(item, "name")), name) == 0)
			return add_column(feed->stage, lyf_value_text(lyf_value_get(item, "expr")),
							  lyf_vault_column_type(feed->table->vault, feed->table->name, name));
	}
	return -1;
}

static bool
is_name(const char *name, const char *other)
{
	return other != NULL && strcmp(name, other) == 0;
}

/* What a column of the table is filled with, by its role. */
static LyfFeedColumn
feed_column(LyfFeed *feed, const char *name)
{
	const LyfVaultTable *table = feed->table;
	LyfFeedColumn column = {LYF_FEED_COLUMN, -1};
	ListCell   *lc;

	foreach(lc, table->hubs)
		if (is_name(name, ((LyfVaultRole *) lfirst(lc))->column))
			return (LyfFeedColumn) {LYF_FEED_HASH, list_nth_int(feed->hub_hashes, foreach_current_index(lc))};
	if (is_name(name, table->hash_key))
		return (LyfFeedColumn) {LYF_FEED_HASH, feed->key_hash};
	if (is_name(name, LYF_DIFF_COLUMN) && feed->diff_hash >= 0)
		return (LyfFeedColumn) {LYF_FEED_HASH, feed->diff_hash};
	if (is_name(name, LYF_LOAD_DATE))
		return (LyfFeedColumn) {feed->load_date >= 0 ? LYF_FEED_COLUMN : LYF_FEED_NOW, feed->load_date};
	if (is_name(name, LYF_LOAD_SEQ))
		return (LyfFeedColumn) {LYF_FEED_ZERO};
	if (is_name(name, LYF_RECORD_SOURCE))
		column.number = add_column(feed->stage, mapping_text(feed, "record_source"), "pg_catalog.text");
	else if (is_name(name, "status") && strcmp(table->kind->name, "status_tracking") == 0)
		column.number = feed->operation;
	else if (is_name(name, "is_active") && strcmp(table->kind->name, "effectivity") == 0)
		return (LyfFeedColumn) {LYF_FEED_TRUE};
	else
	{
		static const char *const lists[] = {"key", "dependent", "sub_key", "columns"};

		/* of a satellite, the columns of the key are the hub's */
		for (int i = table->kind->class == LYF_VAULT_SATELLITE ? 2 : 0; i < lengthof(lists) && column.number < 0; i++)
			column.number = find_item(feed, lists[i], name);
	}
	if (column.number < 0)
		column.from = LYF_FEED_NULL;
	return column;
}

static void
map_columns(LyfFeed *feed)
{
	TupleDesc	desc = RelationGetDescr(feed->rel);

	feed->columns = palloc0(sizeof(LyfFeedColumn) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			feed->columns[i] = feed_column(feed, NameStr(TupleDescAttr(desc, i)->attname));
}

/* The least of the positions: below it all tables have everything.  NULL: one of them reads all. */
static char *
least_position(const LyfStage *stage, Oid type)
{
	const LyfFeed *first = linitial(stage->feeds);
	const LyfOrder *order = lyf_order_get(type);
	char	   *least = NULL;
	ListCell   *lc;

	if (order == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the increment \"%s\" of source %s is of type %s, which no position goes by", first->increment, stage->source, format_type_be(type)),
				 errhint("Use a number, a date or a time.")));
	foreach(lc, stage->feeds)
	{
		const LyfFeed *feed = lfirst(lc);
		char	   *position = feed->position;

		if (position == NULL)
			return NULL;
		if (feed->lookback != NULL)
			position = lyf_order_back(order, position, feed->lookback);
		if (least == NULL || lyf_order_compare(order, position, least) < 0)
			least = position;
	}
	return least;
}

/* Is only an increment to be read? */
static void
find_increment(LyfStage *stage, const char *from)
{
	const LyfFeed *first = linitial(stage->feeds);
	ListCell   *lc;
	Oid			type;

	stage->increment = -1;
	foreach(lc, stage->feeds)
	{
		const LyfFeed *feed = lfirst(lc);

		if (feed->increment == NULL || strcmp(feed->increment, first->increment) != 0)
			return;
	}
	type = TupleDescAttr(lyf_source_row(psprintf("SELECT (%s) FROM %s AS " LYF_VAULT_ALIAS, first->increment, from)), 0)->atttypid;
	stage->increment = add_column(stage, first->increment, NULL);
	stage->bound = least_position(stage, type);
	if (stage->bound != NULL)
		stage->bound = psprintf("(%s) >= %s::%s OR (%s) IS NULL", first->increment, quote_literal_cstr(stage->bound), format_type_be_qualified(type), first->increment);
}

char *
lyf_stage_column_expr(const LyfStage *stage, int number)
{
	const LyfStageColumn *column = list_nth(stage->columns, number);

	return column->type != NULL ? psprintf("CAST((%s) AS %s)", column->expr, column->type) : psprintf("(%s)", column->expr);
}

/* hashes: an expression that makes them, or NULL */
static char *
stage_sql(const LyfStage *stage, const char *from, const char *hashes)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < list_length(stage->columns); i++)
		appendStringInfo(&sql, "%s%s AS c%d", i > 0 ? ", " : "", lyf_stage_column_expr(stage, i), i);
	if (hashes != NULL)
		appendStringInfo(&sql, ", %s AS hashes", hashes);
	appendStringInfo(&sql, " FROM %s AS " LYF_VAULT_ALIAS, from);
	if (stage->bound != NULL)
		appendStringInfo(&sql, " WHERE %s", stage->bound);
	return sql.data;
}

/* Columns that are hashed get forms, once their types are known. */
static void
begin_forms(LyfStage *stage, TupleDesc desc)
{
	ListCell   *lc;

	foreach(lc, stage->hashes)
	{
		LyfStageHash *hash = lfirst(lc);

		for (int i = 0; i < hash->count; i++)
		{
			LyfStageColumn *column = list_nth(stage->columns, hash->columns[i]);
			Form_pg_attribute attribute = TupleDescAttr(desc, hash->columns[i]);

			if (column->form == NULL)
				column->form = lyf_text_form_begin(attribute->atttypid, attribute->atttypmod);
		}
	}
}

/* has it rows of its own alone? */
static bool
is_table(Oid relid)
{
	return (get_rel_relkind(relid) == RELKIND_RELATION || get_rel_relkind(relid) == RELKIND_MATVIEW) && !has_subclass(relid);
}

/* Rows of a table are in the order in which they stand there, whatever plan reads them.  Who may read some columns of it may not see that. */
static void
find_place(LyfStage *stage, Oid relid)
{
	stage->place = -1;
	if (OidIsValid(relid) && is_table(relid) && pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		stage->place = add_column(stage, LYF_VAULT_ALIAS ".ctid", NULL);
}

/* Workers may read it where no order of rows is lost by that: where each says where it stands. */
static void
make_queries(LyfStage *stage, const char *from)
{
	List	   *targets;
	char	   *hashes;

	stage->sql = stage_sql(stage, from, NULL);
	targets = lyf_source_targets(stage->sql);
	begin_forms(stage, ExecCleanTypeFromTL(targets));
	hashes = stage->place >= 0 ? lyf_stage_hashes_expr(stage, targets) : NULL;
	if (hashes != NULL)
		stage->shared_sql = stage_sql(stage, from, hashes);
}

/*
 * In CurrentMemoryContext, as the vault's owner and with the source's search_path; feeds (of LyfFeed *, with the tables open) have
 * what the catalog says.
 */
LyfStage *
lyf_stage_make(const LyfVault *vault, const char *source, List *feeds)
{
	LyfStage   *stage = palloc0(sizeof(LyfStage));
	LyfPipeline reader = {.name = vault->name,.source = pstrdup(source)};
	const LyfSource *opened = lyf_source_open(&reader);
	ListCell   *lc;

	stage->vault = vault;
	stage->rules = lyf_hash_rules(vault->hash);
	stage->source = pstrdup(source);
	foreach(lc, feeds)
		add_feed(stage, lfirst(lc));
	foreach(lc, feeds)
		map_columns(lfirst(lc));
	find_increment(stage, opened->from);
	find_place(stage, opened->relid);
	make_queries(stage, opened->from);
	return stage;
}
