/*
 * table.c
 *		The tables of a vault: CREATE TABLE, and their ghosts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "vault/vault_internal.h"

/* a table's columns as they come, and what its two ghosts have there */
typedef struct Columns
{
	StringInfoData ddl;
	StringInfoData zero;
	StringInfoData unknown;
} Columns;

static void
add(Columns *columns, const char *name, const char *type, bool required, const char *zero, const char *unknown)
{
	const char *comma = columns->ddl.len > 0 ? ", " : "";

	appendStringInfo(&columns->ddl, "%s%s %s%s", comma, quote_identifier(name), type, required ? " NOT NULL" : "");
	appendStringInfo(&columns->zero, "%s%s", comma, zero);
	appendStringInfo(&columns->unknown, "%s%s", comma, unknown);
}

/* what ghosts have in columns of a type, by its category; other types: null */
static void
add_item(Columns *columns, const char *name, const char *type, Oid type_oid, bool required)
{
	char		category;
	bool		preferred;
	const char *zero = "NULL";
	const char *unknown = "NULL";

	get_type_category_preferred(type_oid, &category, &preferred);
	if (category == TYPCATEGORY_STRING && type_oid != CHAROID)
	{
		zero = "'(unknown)'";
		unknown = "'(error)'";
	}
	else if (category == TYPCATEGORY_NUMERIC && (type_oid == INT2OID || type_oid == INT4OID || type_oid == INT8OID || type_oid == NUMERICOID ||
												 type_oid == FLOAT4OID || type_oid == FLOAT8OID))
	{
		zero = "-1";
		unknown = "-2";
	}
	else if (type_oid == DATEOID || type_oid == TIMESTAMPOID || type_oid == TIMESTAMPTZOID)
	{
		zero = "'0001-01-01'";
		unknown = "'8888-12-31'";
	}
	add(columns, name, type, required, zero, unknown);
}

static void
add_items(Columns *columns, List *names, List *items, bool required)
{
	ListCell   *n;
	ListCell   *i;

	forboth(n, names, i, items)
	{
		LyfVaultItem *item = lfirst(i);

		add_item(columns, lfirst(n), item->type, item->type_oid, required);
	}
}

static void
add_hash(Columns *columns, const LyfHashRules *rules, const char *name)
{
	int			digits = 2 * lyf_hash_size(rules);
	bool		text = lyf_hash_is_text(rules);

	/* text by bytes: its order is that of the digests, whatever the database's collation is */
	add(columns, name, text ? "text COLLATE \"C\"" : "bytea", true,
		psprintf(text ? "pg_catalog.repeat('0', %d)" : "pg_catalog.decode(pg_catalog.repeat('0', %d), 'hex')", digits),
		psprintf(text ? "pg_catalog.repeat('f', %d)" : "pg_catalog.decode(pg_catalog.repeat('f', %d), 'hex')", digits));
}

static void
add_load_date(Columns *columns)
{
	add(columns, LYF_LOAD_DATE, "timestamptz", true, "'0001-01-01 00:00:01+00'", "'0001-01-01 00:00:01+00'");
}

static void
add_load_seq(Columns *columns)
{
	add(columns, LYF_LOAD_SEQ, "integer", true, "0", "0");
}

static void
add_record_source(Columns *columns)
{
	add(columns, LYF_RECORD_SOURCE, "text", true, "'SYSTEM'", "'ERROR'");
}

static void
add_satellite(Columns *columns, const LyfVaultDefine *define, const LyfHashRules *rules)
{
	const char *kind = define->table->kind->name;

	add_load_date(columns);
	if (strcmp(kind, "record_tracking") != 0)
		add_load_seq(columns);
	if (strcmp(kind, "standard") == 0 || strcmp(kind, "multi_active") == 0)
		add_hash(columns, rules, LYF_DIFF_COLUMN);
	else if (strcmp(kind, "effectivity") == 0)
		add(columns, "is_active", "boolean", true, "false", "false");
	else if (strcmp(kind, "status_tracking") == 0)
		add(columns, "status", "text", true, "'D'", "'D'");
	add_record_source(columns);
	add_items(columns, define->table->sub_key, define->sub_key, false);
	add_items(columns, define->table->columns, define->columns, false);
}

static void
add_columns(Columns *columns, const LyfVaultDefine *define, const LyfHashRules *rules)
{
	const LyfVaultTable *table = define->table;
	ListCell   *lc;

	if (table->hash_key != NULL)
		add_hash(columns, rules, table->hash_key);
	if (table->kind->class == LYF_VAULT_SATELLITE)
	{
		add_satellite(columns, define, rules);
		return;
	}
	foreach(lc, table->hubs)
		add_hash(columns, rules, ((LyfVaultRole *) lfirst(lc))->column);
	if (table->hubs == NIL)
		add_items(columns, table->key, define->key, table->kind->class == LYF_VAULT_REFERENCE);
	add_items(columns, table->dependent, define->dependent, false);
	add_load_date(columns);
	if (table->kind->class == LYF_VAULT_REFERENCE)
	{
		if (table->history)
			add_load_seq(columns);
		add_hash(columns, rules, LYF_DIFF_COLUMN);
	}
	add_record_source(columns);
	add_items(columns, table->columns, define->columns, false);
}

static char *
key_columns(const LyfVaultTable *table)
{
	StringInfoData key;
	ListCell   *lc;

	initStringInfo(&key);
	if (table->hash_key != NULL)
		appendStringInfoString(&key, quote_identifier(table->hash_key));
	else
		foreach(lc, table->key)
			appendStringInfo(&key, "%s%s", foreach_current_index(lc) > 0 ? ", " : "", quote_identifier(lfirst(lc)));
	if (table->kind->class == LYF_VAULT_SATELLITE || table->history)
		appendStringInfo(&key, ", " LYF_LOAD_DATE ", %s",
						 strcmp(table->kind->name, "record_tracking") == 0 ? LYF_RECORD_SOURCE : LYF_LOAD_SEQ);
	return key.data;
}

/* hubs and links have rows for the zero key and the unknown one, and so have the satellites that describe them */
static bool
has_ghosts(const LyfVaultTable *table)
{
	return table->vault->ghosts &&
		(table->kind->class == LYF_VAULT_HUB || table->kind->class == LYF_VAULT_LINK ||
		 strcmp(table->kind->name, "standard") == 0 || strcmp(table->kind->name, "multi_active") == 0);
}

/* What an effectivity satellite looks for: the links of a driving key. */
static void
index_driving(const LyfVaultTable *table)
{
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, table->driving)
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "", quote_identifier(lfirst(lc)));
	if (columns.len > 0)
		lyf_load_execute("CREATE INDEX ON %s (%s)", lyf_vault_relation(table->vault, table->parent), columns.data);
}

void
lyf_vault_table_make(const LyfVaultDefine *define)
{
	const LyfVaultTable *table = define->table;
	char	   *name = lyf_vault_relation(define->vault, table->name);
	Columns		columns;

	initStringInfo(&columns.ddl);
	initStringInfo(&columns.zero);
	initStringInfo(&columns.unknown);
	add_columns(&columns, define, lyf_hash_rules(define->vault->hash));
	lyf_load_execute("CREATE TABLE %s (%s, PRIMARY KEY (%s))", name, columns.ddl.data, key_columns(table));
	if (has_ghosts(table))
		lyf_load_execute("INSERT INTO %s VALUES (%s), (%s)", name, columns.zero.data, columns.unknown.data);
	index_driving(table);
}
