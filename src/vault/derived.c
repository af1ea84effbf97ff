/*
 * derived.c
 *		What views, point-in-time tables, bridges and checks have in common: the satellites' tables as SQL looks at them.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "vault/derived.h"

LyfVersions
lyf_vault_versions(const LyfVaultTable *table)
{
	const char *kind = table->kind->name;

	if (table->history || strcmp(kind, "standard") == 0 || strcmp(kind, "effectivity") == 0 || strcmp(kind, "status_tracking") == 0)
		return LYF_VERSIONS_ROW;
	if (strcmp(kind, "multi_active") == 0)
		return LYF_VERSIONS_SET;
	if (strcmp(kind, "record_tracking") == 0)
		return LYF_VERSIONS_SEEN;
	return LYF_VERSIONS_NONE;
}

List *
lyf_vault_columns(const LyfVault *vault, const char *table)
{
	Oid			schema = get_namespace_oid(vault->schema, true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(table, schema) : InvalidOid;
	List	   *names = NIL;
	Relation	rel;

	if (!OidIsValid(relid))
		return NIL;
	rel = relation_open(relid, AccessShareLock);
	for (int i = 0; i < RelationGetDescr(rel)->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), i);

		if (!column->attisdropped)
			names = lappend(names, pstrdup(NameStr(column->attname)));
	}
	relation_close(rel, NoLock);
	return names;
}

bool
lyf_vault_has_name(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

char *
lyf_vault_list(List *names, const char *prefix, const char *between)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, names)
		appendStringInfo(&list, "%s%s%s", list.len > 0 ? between : "", prefix, quote_identifier(lfirst(lc)));
	return list.data;
}

char *
lyf_vault_same(List *names, const char *one, const char *other)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, names)
		appendStringInfo(&list, "%s%s.%s = %s.%s", list.len > 0 ? " AND " : "",
						 one, quote_identifier(lfirst(lc)), other, quote_identifier(lfirst(lc)));
	return list.data;
}

char *
lyf_vault_text_array(List *texts)
{
	StringInfoData array;
	ListCell   *lc;

	initStringInfo(&array);
	foreach(lc, texts)
		appendStringInfo(&array, "%s%s", array.len > 0 ? ", " : "", quote_literal_cstr(lfirst(lc)));
	return psprintf("ARRAY[%s]%s", array.data, texts == NIL ? "::text[]" : "");
}

void
lyf_vault_comment_column(const char *relation, const char *column, const char *text)
{
	lyf_load_execute("COMMENT ON COLUMN %s.%s IS %s", relation, quote_identifier(column), quote_literal_cstr(text));
}

List *
lyf_vault_version_key(const LyfVaultTable *table)
{
	if (table->hash_key == NULL)
		return table->key;
	if (lyf_vault_versions(table) == LYF_VERSIONS_SEEN)
		return list_make2(table->hash_key, LYF_RECORD_SOURCE);
	return list_make1(table->hash_key);
}

char *
lyf_vault_ghost_key(const LyfVault *vault, bool unknown)
{
	const LyfHashRules *rules = lyf_hash_rules(vault->hash);
	char	   *digits = palloc(2 * LYF_HASH_MAX + 1);
	int			count = 2 * lyf_hash_size(rules);

	memset(digits, unknown ? 'f' : '0', count);
	digits[count] = '\0';
	return psprintf(lyf_hash_is_text(rules) ? "'%s'::pg_catalog.text" : "'\\x%s'::pg_catalog.bytea", digits);
}

LyfSourceScope
lyf_vault_enter(const LyfVault *vault)
{
	return lyf_owner_enter(vault->owner, "pg_catalog, pg_temp");
}

char *
lyf_vault_optional(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

List *
lyf_vault_select(const char *sql, const LyfArgs *args, LyfRowReader read)
{
	MemoryContext cxt = CurrentMemoryContext;
	LyfArgs		given = {0};
	List	   *items = NIL;
	char		nulls[LYF_CATALOG_ARGS];

	if (args != NULL)
		given = *args;
	for (int i = 0; i < given.count; i++)
		nulls[i] = given.nulls[i] ? 'n' : ' ';
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute_with_args(sql, given.count, given.types, given.values, nulls, false, 0) < 0)
		elog(ERROR, "statement failed: %s", sql);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(cxt);

		items = lappend(items, read(SPI_tuptable->vals[i], SPI_tuptable->tupdesc));
		MemoryContextSwitchTo(old);
	}
	PopActiveSnapshot();
	SPI_finish();
	return items;
}
