/*
 * check.c
 *		What is wrong in a vault: tables that are not as they were made, and rows that do not fit each other.
 *
 * Each check is a SELECT of the rows that are wrong.  An error is something that loads cannot have done; a notice may be right.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "vault/check_internal.h"

LYF_FUNCTION_INFO_V1(lyf_check_vault);

/* what a statement found */
typedef struct Found
{
	int64		rows;
	Datum		example;
} Found;

static void *
read_found(HeapTuple tuple, TupleDesc desc)
{
	Found	   *found = palloc0(sizeof(Found));
	bool		isnull;
	Datum		example = lyf_catalog_column(tuple, desc, "example", &isnull);

	found->rows = lyf_catalog_integer(tuple, desc, "rows");
	if (!isnull)
		found->example = JsonbPGetDatum(DatumGetJsonbPCopy(example));
	return found;
}

void
lyf_vault_check(LyfVaultCheck *check, LyfCheckSeverity severity, const char *problem, const char *hint, const char *sql)
{
	Found	   *found = linitial(lyf_vault_select(psprintf("WITH p AS MATERIALIZED (%s) SELECT (SELECT pg_catalog.count(*) FROM p) AS rows, "
														   "(SELECT pg_catalog.to_jsonb(p) FROM p LIMIT 1) AS example", sql), NULL, read_found));
	Datum		values[6];
	bool		nulls[6] = {false};

	if (found->rows == 0)
		return;
	values[0] = CStringGetTextDatum(check->table->name);
	values[1] = CStringGetTextDatum(problem);
	values[2] = CStringGetTextDatum(severity == LYF_CHECK_ERROR ? "error" : "notice");
	values[3] = Int64GetDatum(found->rows);
	values[4] = found->example;
	values[5] = CStringGetTextDatum(hint);
	tuplestore_putvalues(check->result->setResult, check->result->setDesc, values, nulls);
}

/* the columns that a table was made with, and the checks go by */
static List *
expected_columns(const LyfVaultTable *table)
{
	const char *kind = table->kind->name;
	List	   *names = NIL;
	ListCell   *lc;

	if (table->hash_key != NULL)
		names = lappend(names, table->hash_key);
	if (table->kind->class == LYF_VAULT_DERIVED)
		return names;
	names = list_concat(names, table->key);
	foreach(lc, table->hubs)
		names = lappend(names, ((LyfVaultRole *) lfirst(lc))->column);
	names = list_concat(names, table->dependent);
	names = lappend(names, LYF_LOAD_DATE);
	names = lappend(names, LYF_RECORD_SOURCE);
	if (lyf_vault_versions(table) == LYF_VERSIONS_ROW || lyf_vault_versions(table) == LYF_VERSIONS_SET)
		names = lappend(names, LYF_LOAD_SEQ);
	if (lyf_check_has_diff(table))
		names = lappend(names, LYF_DIFF_COLUMN);
	if (strcmp(kind, "effectivity") == 0)
		names = lappend(names, "is_active");
	if (strcmp(kind, "status_tracking") == 0)
		names = lappend(names, "status");
	return list_concat(list_concat(names, table->sub_key), table->columns);
}

/* in its order: loads look for the versions of a key up to a date */
static List *
primary_key(const LyfVaultTable *table)
{
	List	   *names = list_copy(table->hash_key != NULL ? list_make1(table->hash_key) : table->key);
	LyfVersions versions = lyf_vault_versions(table);

	if (versions == LYF_VERSIONS_NONE)
		return names;
	names = lappend(names, LYF_LOAD_DATE);
	return lappend(names, versions == LYF_VERSIONS_SEEN ? LYF_RECORD_SOURCE : LYF_LOAD_SEQ);
}

/* Is the table there, with its columns? */
static bool
check_columns(LyfVaultCheck *check)
{
	List	   *names = lyf_vault_columns(check->table->vault, check->table->name);
	List	   *gone = NIL;
	ListCell   *lc;

	if (names == NIL)
	{
		lyf_vault_check(check, LYF_CHECK_ERROR, "table is gone", "Restore it, or take it out of the vault with lyftron.drop_vault_table.",
						psprintf("SELECT %s::text AS \"table\"", quote_literal_cstr(check->relation)));
		return false;
	}
	foreach(lc, expected_columns(check->table))
		if (!lyf_vault_has_name(names, lfirst(lc)))
			gone = lappend(gone, lfirst(lc));
	if (gone != NIL)
		lyf_vault_check(check, LYF_CHECK_ERROR, "column is gone", "Restore it: loads fail, and the rows of this table were not looked at.",
						psprintf("SELECT unnest(%s) AS \"column\"", lyf_vault_text_array(gone)));
	return gone == NIL;
}

/* Loads rely on the primary key; without it rows may be there twice. */
static void
check_primary_key(LyfVaultCheck *check)
{
	List	   *names = primary_key(check->table);
	char	   *array = lyf_vault_text_array(names);
	char	   *key = lyf_vault_list(names, "t.", ", ");

	lyf_vault_check(check, LYF_CHECK_ERROR, "no primary key",
					psprintf("Remove duplicates, then: ALTER TABLE %s ADD PRIMARY KEY (%s).", check->relation, lyf_vault_list(names, "", ", ")),
					psprintf("SELECT %s AS key WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = %s::regclass AND i.indisprimary AND i.indisvalid "
							 "AND (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY k (attnum, n) "
							 "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.n <= i.indnkeyatts) = %s)",
							 array, quote_literal_cstr(check->relation), array));
	lyf_vault_check(check, LYF_CHECK_ERROR, "duplicate rows", "Rows with one primary key: remove all but one of each.",
					psprintf("SELECT %s, count(*) AS times FROM %s t WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = %s::regclass AND i.indisprimary) "
							 "GROUP BY %s HAVING count(*) > 1", key, check->relation, quote_literal_cstr(check->relation), key));
}

static void
check_table(LyfVaultCheck *check)
{
	if (!check_columns(check) || check->table->kind->class == LYF_VAULT_DERIVED)
		return;
	check_primary_key(check);
	lyf_check_keys(check);
	lyf_check_versions(check);
}

/* lyftron.check_vault(vault text, name text, sources boolean) */
Datum
lyf_check_vault(PG_FUNCTION_ARGS)
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
		LyfVaultCheck check = {.table = lfirst(lc),.result = (ReturnSetInfo *) fcinfo->resultinfo};

		check.relation = lyf_vault_relation(vault, check.table->name);
		check.sources = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
		check_table(&check);
	}
	lyf_source_leave(&scope);
	return (Datum) 0;
}
