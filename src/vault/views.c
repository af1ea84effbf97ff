/*
 * views.c
 *		Views of what has versions in a vault: each version with its end, the current one, and that of a moment.
 *
 * Ghosts are in all of them, as versions that began with time itself: a query that joins a hub, or a point-in-time table, to these
 * views finds the zero key and the unknown one there, too, and needs no outer join.
 *
 * The functions are one SELECT each, which the planner puts in the place of the call: a condition on the key goes to the index.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/comment.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "vault/derived.h"

LYF_FUNCTION_INFO_V1(lyf_create_vault_views);

/* the views' own columns */
#define LOAD_END	"load_end"
#define IS_CURRENT	"is_current"

typedef struct Views
{
	const LyfVaultTable *table;
	LyfVersions versions;
	List	   *key;			/* whose version a row is */
	List	   *first;			/* columns that say which version it is */
	List	   *rest;			/* what it holds */
	char	   *history;		/* names of the views and the function */
	char	   *current;
	char	   *as_of;
	ReturnSetInfo *result;
} Views;

static char *
view_name(const LyfVaultTable *table, const char *suffix)
{
	char	   *name = psprintf("%s_%s", table->name, suffix);

	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is too long for views named after it", table->name),
				 errdetail("\"%s\" would have more than %d bytes.", name, NAMEDATALEN - 1)));
	return name;
}

static void
find_columns(Views *views)
{
	const LyfVaultTable *table = views->table;
	List	   *columns = lyf_vault_columns(table->vault, table->name);
	ListCell   *lc;

	if (columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no table %s", lyf_vault_relation(table->vault, table->name)),
				 errhint("It was dropped behind the vault: restore it, or take it out with lyftron.drop_vault_table.")));
	if (lyf_vault_has_name(columns, LOAD_END) || lyf_vault_has_name(columns, IS_CURRENT))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("table \"%s\" of vault \"%s\" has a column " LOAD_END " or " IS_CURRENT ", which its views add", table->name, table->vault->name),
				 errhint("Make the table with another name for it: column AS other_name.")));
	views->first = list_copy(table->hash_key != NULL ? list_make1(table->hash_key) : table->key);
	views->first = lappend(views->first, LYF_LOAD_DATE);
	if (views->versions != LYF_VERSIONS_SEEN)
		views->first = lappend(views->first, LYF_LOAD_SEQ);
	foreach(lc, columns)
		if (!lyf_vault_has_name(views->first, lfirst(lc)))
			views->rest = lappend(views->rest, lfirst(lc));
}

static char *
relation_of(const Views *views)
{
	return lyf_vault_relation(views->table->vault, views->table->name);
}

/* when the version after that of a row t begins */
static char *
end_of_version(const Views *views)
{
	char	   *key = lyf_vault_list(views->key, "t.", ", ");

	if (views->versions == LYF_VERSIONS_SET)
		return psprintf("first_value(t.load_date) OVER (PARTITION BY %s ORDER BY t.load_date GROUPS BETWEEN 1 FOLLOWING AND 1 FOLLOWING)", key);
	return psprintf("lead(t.load_date) OVER (PARTITION BY %s ORDER BY t.load_date%s)", key, views->versions == LYF_VERSIONS_ROW ? ", t.load_seq" : "");
}

static char *
history_sql(const Views *views)
{
	char	   *end = end_of_version(views);

	return psprintf("SELECT %s, %s AS " LOAD_END ", %s IS NULL AS " IS_CURRENT "%s%s FROM %s t",
					lyf_vault_list(views->first, "t.", ", "), end, end,
					views->rest != NIL ? ", " : "", lyf_vault_list(views->rest, "t.", ", "), relation_of(views));
}

/* no version n comes after that of the row t, and up to a moment, if there is one */
static char *
is_last(const Views *views, const char *moment)
{
	return psprintf("%s%s NOT EXISTS (SELECT FROM %s n WHERE %s AND %s%s%s)",
					moment != NULL ? psprintf("t.load_date <= %s", moment) : "", moment != NULL ? " AND" : "",
					relation_of(views), lyf_vault_same(views->key, "n", "t"),
					views->versions == LYF_VERSIONS_ROW ? "(n.load_date, n.load_seq) > (t.load_date, t.load_seq)" : "n.load_date > t.load_date",
					moment != NULL ? " AND n.load_date <= " : "", moment != NULL ? moment : "");
}

/* links that are active, with the hubs that they join, and since when */
static char *
active_links_sql(const Views *views, const char *moment)
{
	const LyfVaultTable *table = views->table;
	const LyfVaultTable *link = lyf_vault_table_get(table->vault, table->parent);
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, link->hubs)
		appendStringInfo(&columns, ", l.%s", quote_identifier(((LyfVaultRole *) lfirst(lc))->column));
	foreach(lc, link->dependent)
		appendStringInfo(&columns, ", l.%s", quote_identifier(lfirst(lc)));
	return psprintf("SELECT t.%s%s, t.load_date, t.record_source FROM %s t JOIN %s l ON l.%s = t.%s WHERE t.is_active AND %s",
					quote_identifier(table->hash_key), columns.data, relation_of(views), lyf_vault_relation(table->vault, link->name),
					quote_identifier(table->hash_key), quote_identifier(table->hash_key), is_last(views, moment));
}

/* the versions that are valid at a moment; NULL: the last ones */
static char *
valid_sql(const Views *views, const char *moment)
{
	if (strcmp(views->table->kind->name, "effectivity") == 0)
		return active_links_sql(views, moment);
	return psprintf("SELECT %s%s%s FROM %s t WHERE %s", lyf_vault_list(views->first, "t.", ", "),
					views->rest != NIL ? ", " : "", lyf_vault_list(views->rest, "t.", ", "), relation_of(views), is_last(views, moment));
}

/* what a view's comment begins with, by which it is known to be ours */
static char *
mark(const Views *views)
{
	return psprintf("Made of %s by lyftron.create_vault_views: ", views->table->name);
}

/* a view that is there, or InvalidOid; raises where it is none of ours */
static Oid
find_view(const Views *views, const char *name)
{
	Oid			relid = get_relname_relid(name, get_namespace_oid(views->table->vault->schema, false));
	char	   *comment = OidIsValid(relid) ? GetComment(relid, RelationRelationId, 0) : NULL;

	if (OidIsValid(relid) && (comment == NULL || strncmp(comment, mark(views), strlen(mark(views))) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("there is another relation %s", lyf_vault_relation(views->table->vault, name)),
				 errdetail("A view of that name is made of \"%s\", but this one has not the comment of such views.", views->table->name),
				 errhint("Rename it, or drop it.")));
	return relid;
}

/* can a view be replaced by this query?  It may have more columns at the end. */
static bool
is_replaceable(Oid view, const char *sql)
{
	TupleDesc	there = lookup_rowtype_tupdesc_copy(get_rel_type_id(view), -1);
	TupleDesc	wanted = lyf_source_row(sql);

	if (there->natts > wanted->natts)
		return false;
	for (int i = 0; i < there->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(there, i);
		Form_pg_attribute b = TupleDescAttr(wanted, i);

		if (strcmp(NameStr(a->attname), NameStr(b->attname)) != 0 || a->atttypid != b->atttypid ||
			a->atttypmod != b->atttypmod || a->attcollation != b->attcollation)
			return false;
	}
	return true;
}

static char *
qualified(const Views *views, const char *name)
{
	return lyf_vault_relation(views->table->vault, name);
}

/* Views of columns that are not as they were make way for new ones, unless something else is made of them. */
static void
drop_outdated(const Views *views)
{
	Oid			history = find_view(views, views->history);
	Oid			current = find_view(views, views->current);

	if (OidIsValid(history) && !is_replaceable(history, history_sql(views)))
		lyf_load_execute("DROP VIEW %s", qualified(views, views->history));
	if (OidIsValid(current) && !is_replaceable(current, valid_sql(views, NULL)))
	{
		lyf_load_execute("DROP FUNCTION IF EXISTS %s(pg_catalog.timestamptz)", qualified(views, views->as_of));
		lyf_load_execute("DROP VIEW %s", qualified(views, views->current));
	}
}

static void
comment(const Views *views, const char *object, const char *text)
{
	lyf_load_execute("COMMENT ON %s IS %s", object, quote_literal_cstr(psprintf("%s%s", mark(views), text)));
}

static void
comment_column(const Views *views, const char *view, const char *column, const char *text)
{
	lyf_vault_comment_column(qualified(views, view), column, text);
}

/* The columns of the views, with the comments that those of the tables have. */
static void
comment_columns(const Views *views, const char *view)
{
	Oid			relid = get_relname_relid(views->table->name, get_namespace_oid(views->table->vault->schema, false));
	Oid			made = get_relname_relid(view, get_namespace_oid(views->table->vault->schema, false));
	List	   *columns = list_concat(list_copy(views->first), views->rest);
	ListCell   *lc;

	foreach(lc, columns)
	{
		char	   *given = GetComment(relid, RelationRelationId, get_attnum(relid, lfirst(lc)));

		if (given != NULL && get_attnum(made, lfirst(lc)) != InvalidAttrNumber)
			comment_column(views, view, lfirst(lc), given);
	}
}

static void
put_result(const Views *views, const char *name)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = CStringGetTextDatum(views->table->name);
	values[1] = CStringGetTextDatum(name);
	tuplestore_putvalues(views->result->setResult, views->result->setDesc, values, nulls);
}

static void
make_views(const Views *views)
{
	bool		links = strcmp(views->table->kind->name, "effectivity") == 0;
	char	   *function = psprintf("%s(pg_catalog.timestamptz)", qualified(views, views->as_of));

	drop_outdated(views);
	lyf_load_execute("CREATE OR REPLACE VIEW %s AS %s", qualified(views, views->history), history_sql(views));
	comment(views, psprintf("VIEW %s", qualified(views, views->history)), "all versions, each with its end");
	comment_columns(views, views->history);
	comment_column(views, views->history, LOAD_END, "load date of the next version; null: there is none");
	comment_column(views, views->history, IS_CURRENT, "is it the last version?");
	put_result(views, views->history);

	lyf_load_execute("CREATE OR REPLACE VIEW %s AS %s", qualified(views, views->current), valid_sql(views, NULL));
	comment(views, psprintf("VIEW %s", qualified(views, views->current)), links ? "links that are active" : "the last version of each key");
	comment_columns(views, views->current);
	put_result(views, views->current);

	lyf_load_execute("CREATE OR REPLACE FUNCTION %s(at pg_catalog.timestamptz) RETURNS SETOF %s LANGUAGE sql STABLE PARALLEL SAFE BEGIN ATOMIC %s; END",
					 qualified(views, views->as_of), qualified(views, views->current), valid_sql(views, "$1"));
	comment(views, psprintf("FUNCTION %s", function), links ? "links that were active at a moment" : "the version of each key that was valid at a moment");
	put_result(views, views->as_of);
}

static void
make_views_of(const LyfVaultTable *table, ReturnSetInfo *result)
{
	Views		views = {.table = table,.versions = lyf_vault_versions(table),.result = result};

	views.key = lyf_vault_version_key(table);
	views.history = view_name(table, "history");
	views.current = view_name(table, "current");
	views.as_of = view_name(table, "as_of");
	find_columns(&views);
	make_views(&views);
}

/* lyftron.create_vault_views(vault text, name text) */
Datum
lyf_create_vault_views(PG_FUNCTION_ARGS)
{
	LyfVault   *vault = lyf_vault_get(lyf_vault_required(fcinfo, 0, "vault"));
	char	   *name = lyf_vault_optional(fcinfo, 1);
	List	   *tables = name != NULL ? list_make1(lyf_vault_table_get(vault, name)) : lyf_vault_tables(vault);
	LyfSourceScope scope;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	scope = lyf_vault_enter(vault);
	foreach(lc, tables)
	{
		LyfVaultTable *table = lfirst(lc);

		if (lyf_vault_versions(table) != LYF_VERSIONS_NONE)
			make_views_of(table, (ReturnSetInfo *) fcinfo->resultinfo);
		else if (name != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" of vault \"%s\" is a %s, which has no versions", name, vault->name, table->kind->name),
					 errhint("Satellites, and reference tables with history, have versions.")));
	}
	lyf_source_leave(&scope);
	return (Datum) 0;
}
