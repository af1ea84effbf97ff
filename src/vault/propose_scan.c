/*
 * propose_scan.c
 *		The tables that a vault is proposed for: their keys, what refers to what, and what each of them is.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "vault/propose_internal.h"

/* a table of codes has no more columns and rows than these */
#define CODE_COLUMNS	3
#define CODE_ROWS		1000

static List *
get_names(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		datum = lyf_catalog_column(tuple, desc, name, &isnull);

	return lyf_text_list(datum, isnull);
}

static void *
read_relation(HeapTuple tuple, TupleDesc desc)
{
	LyfProposedTable *table = palloc0(sizeof(LyfProposedTable));

	table->relid = lyf_catalog_oid(tuple, desc, "oid");
	table->name = lyf_catalog_text(tuple, desc, "name");
	table->source = quote_qualified_identifier(lyf_catalog_text(tuple, desc, "schema"), lyf_catalog_text(tuple, desc, "table"));
	table->is_foreign = get_rel_relkind(table->relid) == RELKIND_FOREIGN_TABLE;
	return table;
}

/* names that two schemas have are told from each other by the schema */
static List *
find_tables(const char *server, const char *schema, const char *staging)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, server);
	lyf_args_text(&args, schema);
	lyf_args_text(&args, staging);
	return lyf_vault_select("SELECT c.oid, coalesce($3, n.nspname::text) AS schema, c.relname::text AS \"table\", "
							"CASE WHEN count(*) OVER (PARTITION BY c.relname) > 1 THEN n.nspname || '_' || c.relname ELSE c.relname::text END AS name "
							"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
							"LEFT JOIN pg_foreign_table t ON t.ftrelid = c.oid LEFT JOIN pg_foreign_server s ON s.oid = t.ftserver "
							"WHERE c.relkind IN ('r', 'p', 'f', 'm', 'v') AND NOT c.relispartition "
							"AND CASE WHEN $1 IS NOT NULL THEN s.srvname = $1 ELSE n.nspname = $2 END ORDER BY c.relname, n.nspname", &args, read_relation);
}

static void *
read_names(HeapTuple tuple, TupleDesc desc)
{
	return get_names(tuple, desc, "names");
}

static LyfCatalogPlan pipeline_key_plan = {
	"SELECT primary_key AS names FROM lyftron.pipeline WHERE pg_catalog.quote_ident(destination_schema) || '.' || pg_catalog.quote_ident(destination_table) = $1 "
	"AND pg_catalog.cardinality(primary_key) > 0"
};

/* unique keys without nulls, beside the primary key */
static List *
unique_keys(Oid relid)
{
	LyfArgs		args = {0};

	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(relid), false);
	return lyf_vault_select("SELECT (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY k (attnum, n) "
							"JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.n <= i.indnkeyatts) AS names "
							"FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique AND NOT i.indisprimary AND i.indpred IS NULL AND i.indexprs IS NULL "
							"AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull) "
							"ORDER BY i.indexrelid", &args, read_names);
}

static void
find_key(LyfProposedTable *table)
{
	List	   *unique = unique_keys(table->relid);

	table->key = lyf_source_key(table->opened);
	if (table->key == NIL)
	{
		LyfArgs		args = {0};
		List	   *of_pipeline;

		lyf_args_text(&args, table->source);
		of_pipeline = lyf_args_collect(&args, &pipeline_key_plan, read_names);
		if (of_pipeline != NIL)
			table->key = linitial(of_pipeline);
	}
	if (table->key == NIL && unique != NIL)
	{
		table->key = linitial(unique);
		table->key_unique = true;
	}
	else if (unique != NIL)
		table->other_key = linitial(unique);
}

static void
describe(LyfProposedTable *table)
{
	LyfPipeline reader = {.name = table->name};

	reader.source = quote_qualified_identifier(get_namespace_name(get_rel_namespace(table->relid)), get_rel_name(table->relid));
	table->opened = lyf_source_open(&reader);
	for (int i = 0; i < table->opened->desc->natts; i++)
	{
		char	   *name = NameStr(TupleDescAttr(table->opened->desc, i)->attname);

		if (!lyf_vault_is_pipeline_column(name))
			table->columns = lappend(table->columns, name);
	}
	find_key(table);
}

static bool
same_names(List *one, List *other)
{
	ListCell   *a;
	ListCell   *b;

	if (list_length(one) != list_length(other))
		return false;
	forboth(a, one, b, other)
		if (strcmp(lfirst(a), lfirst(b)) != 0)
			return false;
	return true;
}

/* A row of pg_constraint. */
typedef struct Declared
{
	Oid			relid;
	List	   *columns;
	List	   *referenced;
} Declared;

static void *
read_declared(HeapTuple tuple, TupleDesc desc)
{
	Declared   *declared = palloc0(sizeof(Declared));

	declared->relid = lyf_catalog_oid(tuple, desc, "confrelid");
	declared->columns = get_names(tuple, desc, "columns");
	declared->referenced = get_names(tuple, desc, "referenced");
	return declared;
}

static void
add_reference(LyfProposedTable *table, List *columns, LyfProposedTable *to, bool guessed)
{
	LyfProposedReference *reference = palloc0(sizeof(LyfProposedReference));

	reference->columns = columns;
	reference->to = to;
	reference->guessed = guessed;
	table->references = lappend(table->references, reference);
}

/* the columns of a foreign key in the order of the key that it refers to; NIL: it refers to something else */
static List *
in_order_of_key(const Declared *declared, List *key)
{
	List	   *columns = NIL;
	ListCell   *lc;

	if (list_length(declared->referenced) != list_length(key))
		return NIL;
	foreach(lc, key)
	{
		for (int i = 0; i < list_length(key); i++)
			if (strcmp(list_nth(declared->referenced, i), lfirst(lc)) == 0)
				columns = lappend(columns, list_nth(declared->columns, i));
	}
	return list_length(columns) == list_length(key) ? columns : NIL;
}

static void
find_declared(LyfProposedTable *table, List *tables)
{
	LyfArgs		args = {0};
	ListCell   *lc;
	ListCell   *t;

	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(table->relid), false);
	foreach(lc, lyf_vault_select("SELECT c.confrelid, "
								 "(SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY k (attnum, n) "
								 "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns, "
								 "(SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY k (attnum, n) "
								 "JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS referenced "
								 "FROM pg_constraint c WHERE c.conrelid = $1 AND c.contype = 'f' AND c.conparentid = 0 ORDER BY c.conkey, c.conname", &args, read_declared))
	{
		Declared   *declared = lfirst(lc);

		foreach(t, tables)
		{
			LyfProposedTable *to = lfirst(t);
			List	   *columns = to->relid == declared->relid ? in_order_of_key(declared, to->key) : NIL;

			if (columns != NIL)
				add_reference(table, columns, to, false);
		}
	}
}

/* "orders" -> "order", "countries" -> "country" */
static char *
singular(const char *name)
{
	size_t		len = strlen(name);

	if (len > 3 && strcmp(name + len - 3, "ies") == 0)
		return psprintf("%.*sy", (int) len - 3, name);
	if (len > 1 && name[len - 1] == 's')
		return pnstrdup(name, len - 1);
	return pstrdup(name);
}

/* what comes after the short prefix that all columns of some tables have: "o_orderkey" */
static const char *
after_prefix(const char *column)
{
	const char *bar = strchr(column, '_');

	return bar != NULL && bar - column <= 2 && strlen(bar + 1) >= 4 ? bar + 1 : NULL;
}

/* does the name of a column say that it is the key of a table? */
static bool
names_key(const char *column, const LyfProposedTable *to, const char *key)
{
	const char *one = after_prefix(column);
	const char *other = after_prefix(key);

	if (strcmp(column, psprintf("%s_%s", to->name, key)) == 0 || strcmp(column, psprintf("%s_%s", singular(to->name), key)) == 0)
		return true;
	if (strcmp(column, key) == 0)
		return strlen(key) > 4; /* id, code, name, no, key say nothing */
	return one != NULL && other != NULL && strcmp(one, other) == 0;
}

static char
category_of(const LyfProposedTable *table, const char *column)
{
	Form_pg_attribute attribute = lyf_source_column(table->opened, column);
	char		category = TYPCATEGORY_INVALID;
	bool		preferred;

	if (attribute != NULL)
		get_type_category_preferred(getBaseType(attribute->atttypid), &category, &preferred);
	return category;
}

/* Where nothing is declared, names may say what refers to what. */
static void
guess_references(LyfProposedTable *table, List *tables)
{
	ListCell   *lc;
	ListCell   *t;

	foreach(lc, table->columns)
	{
		char	   *column = lfirst(lc);

		foreach(t, tables)
		{
			LyfProposedTable *to = lfirst(t);

			if (to == table || list_length(to->key) != 1 || !names_key(column, to, linitial(to->key)) ||
				category_of(table, column) != category_of(to, linitial(to->key)) || same_names(table->key, list_make1(column)))
				continue;
			add_reference(table, list_make1(column), to, true);
			break;
		}
	}
}

/* has a table no more rows than a table of codes? */
static bool
is_small(const LyfProposedTable *table)
{
	/* a foreign one is not read for that */
	if (table->is_foreign)
		return true;
	return lyf_load_execute("SELECT FROM %s LIMIT %d", table->opened->from, CODE_ROWS + 1) <= CODE_ROWS;
}

static bool
is_code_table(const LyfProposedTable *table)
{
	return list_length(table->key) == 1 && list_length(table->columns) > 1 && list_length(table->columns) <= CODE_COLUMNS && table->references == NIL &&
		category_of(table, linitial(table->key)) == TYPCATEGORY_STRING && is_small(table);
}

/* a reference to codes is none: the code itself is the value */
static void
leave_out_codes(LyfProposedTable *table)
{
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, table->references)
	{
		LyfProposedReference *reference = lfirst(lc);

		if (reference->to->form != LYF_PROPOSED_REFERENCE)
			kept = lappend(kept, reference);
	}
	table->references = kept;
}

/* Is a part of its key the key of another table, and does it refer to two at least? */
static bool
is_link(const LyfProposedTable *table)
{
	ListCell   *lc;
	ListCell   *c;

	if (list_length(table->references) < 2)
		return false;
	foreach(lc, table->references)
	{
		LyfProposedReference *reference = lfirst(lc);
		bool		all = reference->to != table;

		foreach(c, reference->columns)
			all = all && lyf_vault_has_name(table->key, lfirst(c));
		if (all)
			return true;
	}
	return false;
}

/* a link refers to hubs: what refers to a table that is none is left among its columns */
static void
leave_out_links(LyfProposedTable *table)
{
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, table->references)
		if (((LyfProposedReference *) lfirst(lc))->to->form == LYF_PROPOSED_HUB)
			kept = lappend(kept, lfirst(lc));
	table->references = kept;
}

List *
lyf_propose_scan(const char *server, const char *schema, const char *staging)
{
	List	   *tables = find_tables(server, schema, staging);
	bool		declared = false;
	ListCell   *lc;

	foreach(lc, tables)
		describe(lfirst(lc));
	foreach(lc, tables)
	{
		find_declared(lfirst(lc), tables);
		declared = declared || ((LyfProposedTable *) lfirst(lc))->references != NIL;
	}
	foreach(lc, declared ? NIL : tables)
		guess_references(lfirst(lc), tables);
	foreach(lc, tables)
	{
		LyfProposedTable *table = lfirst(lc);

		if (table->key != NIL)
			table->form = is_code_table(table) ? LYF_PROPOSED_REFERENCE : LYF_PROPOSED_HUB;
	}
	foreach(lc, tables)
		leave_out_codes(lfirst(lc));
	foreach(lc, tables)
		if (((LyfProposedTable *) lfirst(lc))->form == LYF_PROPOSED_HUB && is_link(lfirst(lc)))
			((LyfProposedTable *) lfirst(lc))->form = LYF_PROPOSED_LINK;
	foreach(lc, tables)
		leave_out_links(lfirst(lc));
	/* what is left may be no link any more: then it is a hub with links of its own */
	foreach(lc, tables)
		if (((LyfProposedTable *) lfirst(lc))->form == LYF_PROPOSED_LINK && !is_link(lfirst(lc)))
			((LyfProposedTable *) lfirst(lc))->form = LYF_PROPOSED_HUB;
	return tables;
}
