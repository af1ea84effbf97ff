/*
 * define_vault.c
 *		Make and drop a vault, and take tables out of it.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "vault/vault_internal.h"

LYF_FUNCTION_INFO_V1(lyf_create_vault);
LYF_FUNCTION_INFO_V1(lyf_drop_vault);
LYF_FUNCTION_INFO_V1(lyf_drop_vault_table);

/* what is done with rows whose business key is null, where the vault does not say: as the package of its profile does */
static const char *
default_null_keys(const LyfHashRules *rules)
{
	return strcmp(lyf_hash_profile(rules), "automate_dv") == 0 ? "skip" : "zero_key";
}

static const char *
check_null_keys(const char *word)
{
	if (strcmp(word, "zero_key") != 0 && strcmp(word, "skip") != 0 && strcmp(word, "fail") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("null_keys cannot be \"%s\"", word),
				 errhint("It may be: zero_key, skip, fail.")));
	return word;
}

/* lyftron.create_vault(name text, schema text, hash jsonb, ghosts boolean, null_keys text) */
Datum
lyf_create_vault(PG_FUNCTION_ARGS)
{
	char	   *name = lyf_vault_required(fcinfo, 0, "name");
	char	   *schema = lyf_vault_required(fcinfo, 1, "schema");
	LyfValue   *hash = PG_ARGISNULL(2) ? lyf_value_make(LYF_MAP) : lyf_value_from_jsonb(PG_GETARG_JSONB_P(2));
	const LyfHashRules *rules = lyf_hash_rules(hash);
	LyfArgs		args = {0};

	if (!OidIsValid(get_namespace_oid(schema, true)))
		lyf_load_execute("CREATE SCHEMA %s", quote_identifier(schema));
	lyf_args_text(&args, name);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(GetUserId()), false);
	lyf_args_text(&args, schema);
	lyf_args_value(&args, hash);
	lyf_args_datum(&args, BOOLOID, BoolGetDatum(PG_ARGISNULL(3) || PG_GETARG_BOOL(3)), false);
	lyf_args_text(&args, PG_ARGISNULL(4) ? default_null_keys(rules) : check_null_keys(text_to_cstring(PG_GETARG_TEXT_PP(4))));
	if (lyf_args_run(&args, "INSERT INTO lyftron.vault (name, owner, schema_name, hash, ghosts, null_keys) VALUES ($1, $2::regrole, $3, $4, $5, $6) "
					 "ON CONFLICT DO NOTHING", NULL, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("vault \"%s\" already exists", name)));
	PG_RETURN_VOID();
}

static void
drop_table(const LyfVaultTable *table)
{
	LyfSourceScope scope = lyf_owner_enter(table->vault->owner, "pg_catalog, pg_temp");

	lyf_load_execute("DROP TABLE IF EXISTS %s CASCADE", lyf_vault_relation(table->vault, table->name));
	lyf_source_leave(&scope);
}

/* lyftron.drop_vault(name text, tables boolean) */
Datum
lyf_drop_vault(PG_FUNCTION_ARGS)
{
	LyfVault   *vault = lyf_vault_get(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	LyfArgs		args = {0};
	ListCell   *lc;

	if (PG_GETARG_BOOL(1))
	{
		foreach(lc, lyf_vault_tables(vault))
			drop_table(lfirst(lc));
	}
	lyf_args_text(&args, vault->name);
	lyf_args_run(&args, "DELETE FROM lyftron.vault WHERE name = $1", NULL, NULL);
	PG_RETURN_VOID();
}

static bool
names_it(const LyfVaultTable *other, const char *key, const char *name)
{
	const LyfValue *names = lyf_value_get(other->definition, key);

	if (lyf_value_is(names, LYF_LIST))
	{
		lyf_foreach(member, names)
			if (strcmp(lyf_value_text(member), name) == 0)
				return true;
	}
	return false;
}

/* raises where something of the vault is made of the table: satellites, links, point-in-time tables, bridges */
static void
check_unused(const LyfVaultTable *table)
{
	ListCell   *lc;
	ListCell   *r;

	foreach(lc, lyf_vault_tables(table->vault))
	{
		LyfVaultTable *other = lfirst(lc);
		bool		uses = (other->parent != NULL && strcmp(other->parent, table->name) == 0) ||
			names_it(other, "satellites", table->name) || names_it(other, "links", table->name);

		foreach(r, other->hubs)
			uses = uses || strcmp(((LyfVaultRole *) lfirst(r))->hub, table->name) == 0;
		if (uses)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("\"%s\" of vault \"%s\" is used by \"%s\"", table->name, table->vault->name, other->name),
					 errhint("Drop that one first.")));
	}
}

/* lyftron.drop_vault_table(vault text, name text, tables boolean) */
Datum
lyf_drop_vault_table(PG_FUNCTION_ARGS)
{
	LyfVault   *vault = lyf_vault_get(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	LyfVaultTable *table = lyf_vault_table_get(vault, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	LyfArgs		args = {0};

	check_unused(table);
	if (PG_GETARG_BOOL(2))
		drop_table(table);
	lyf_args_text(&args, vault->name);
	lyf_args_text(&args, table->name);
	lyf_args_run(&args, "DELETE FROM lyftron.vault_table WHERE vault = $1 AND name = $2", NULL, NULL);
	PG_RETURN_VOID();
}
