/*
 * catalog.c
 *		Vaults and their tables, read from and written to Lyftron's own tables.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "vault/vault_internal.h"

static void *
read_vault(HeapTuple tuple, TupleDesc desc)
{
	LyfVault   *vault = palloc0(sizeof(LyfVault));

	vault->name = lyf_catalog_text(tuple, desc, "name");
	vault->owner = lyf_catalog_oid(tuple, desc, "owner");
	vault->schema = lyf_catalog_text(tuple, desc, "schema_name");
	vault->hash = lyf_catalog_value(tuple, desc, "hash");
	vault->ghosts = lyf_catalog_bool(tuple, desc, "ghosts");
	vault->null_keys = lyf_catalog_text(tuple, desc, "null_keys");
	return vault;
}

static LyfCatalogPlan vault_plan = {
	"SELECT name, owner::oid, schema_name, hash, ghosts, null_keys FROM lyftron.vault WHERE name = $1"
};

LyfVault *
lyf_vault_get(const char *name)
{
	LyfArgs		args = {0};
	List	   *found;
	LyfVault   *vault;

	lyf_args_text(&args, name);
	found = lyf_args_collect(&args, &vault_plan, read_vault);
	if (found == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no vault \"%s\"", name),
				 errhint("SELECT name FROM lyftron.vaults shows yours.")));
	vault = linitial(found);
	if (!has_privs_of_role(GetUserId(), vault->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for vault \"%s\"", name),
				 errhint("Only its owner, and members of that role, may use it.")));
	return vault;
}

LyfValue *
lyf_vault_names(List *names)
{
	LyfValue   *list = lyf_value_make(LYF_LIST);
	ListCell   *lc;

	foreach(lc, names)
		lyf_value_append(list, lyf_value_string(lfirst(lc)));
	return list;
}

List *
lyf_vault_name_list(const LyfValue *names)
{
	List	   *list = NIL;

	if (lyf_value_is(names, LYF_LIST))
	{
		lyf_foreach(name, names)
			list = lappend(list, unconstify(char *, lyf_value_text(name)));
	}
	return list;
}

static List *
read_roles(const LyfValue *hubs)
{
	List	   *roles = NIL;

	if (!lyf_value_is(hubs, LYF_LIST))
		return NIL;
	lyf_foreach(hub, hubs)
	{
		LyfVaultRole *role = palloc(sizeof(LyfVaultRole));

		role->hub = unconstify(char *, lyf_value_text(lyf_value_get(hub, "hub")));
		role->column = unconstify(char *, lyf_value_text(lyf_value_get(hub, "column")));
		roles = lappend(roles, role);
	}
	return roles;
}

static void *
read_table(HeapTuple tuple, TupleDesc desc)
{
	LyfVaultTable *table = palloc0(sizeof(LyfVaultTable));
	LyfValue   *definition = lyf_catalog_value(tuple, desc, "definition");

	table->name = lyf_catalog_text(tuple, desc, "name");
	table->kind = lyf_vault_kind(lyf_catalog_text(tuple, desc, "kind"));
	table->parent = lyf_catalog_text(tuple, desc, "parent");
	table->definition = definition;
	table->hash_key = unconstify(char *, lyf_value_text(lyf_value_get(definition, "hash_key")));
	table->key = lyf_vault_name_list(lyf_value_get(definition, "key"));
	table->hubs = read_roles(lyf_value_get(definition, "hubs"));
	table->dependent = lyf_vault_name_list(lyf_value_get(definition, "dependent"));
	table->columns = lyf_vault_name_list(lyf_value_get(definition, "columns"));
	table->sub_key = lyf_vault_name_list(lyf_value_get(definition, "sub_key"));
	table->driving = lyf_vault_name_list(lyf_value_get(definition, "driving"));
	table->history = lyf_value_truth(lyf_value_get(definition, "history"));
	return table;
}

static LyfCatalogPlan tables_plan = {
	"SELECT name, kind, parent, definition FROM lyftron.vault_table WHERE vault = $1 AND name = coalesce($2, name) ORDER BY created_at, name"
};

static List *
find_tables(const LyfVault *vault, const char *name)
{
	LyfArgs		args = {0};
	List	   *tables;
	ListCell   *lc;

	lyf_args_text(&args, vault->name);
	lyf_args_text(&args, name);
	tables = lyf_args_collect(&args, &tables_plan, read_table);
	foreach(lc, tables)
		((LyfVaultTable *) lfirst(lc))->vault = vault;
	return tables;
}

LyfVaultTable *
lyf_vault_table_find(const LyfVault *vault, const char *name)
{
	List	   *found = find_tables(vault, name);

	return found == NIL ? NULL : linitial(found);
}

LyfVaultTable *
lyf_vault_table_get(const LyfVault *vault, const char *name)
{
	LyfVaultTable *table = lyf_vault_table_find(vault, name);

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("vault \"%s\" has no table \"%s\"", vault->name, name),
				 errhint("SELECT name, kind FROM lyftron.vault_tables shows what it has.")));
	return table;
}

List *
lyf_vault_tables(const LyfVault *vault)
{
	List	   *sorted = NIL;
	List	   *tables = find_tables(vault, NULL);

	for (int class = LYF_VAULT_HUB; class <= LYF_VAULT_DERIVED; class++)
	{
		ListCell   *lc;

		foreach(lc, tables)
			if (((LyfVaultTable *) lfirst(lc))->kind->class == class)
				sorted = lappend(sorted, lfirst(lc));
	}
	return sorted;
}

void
lyf_vault_table_insert(const LyfVaultTable *table)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, table->vault->name);
	lyf_args_text(&args, table->name);
	lyf_args_text(&args, table->kind->name);
	lyf_args_text(&args, table->parent);
	lyf_args_value(&args, table->definition);
	if (lyf_args_run(&args, "INSERT INTO lyftron.vault_table (vault, name, kind, parent, definition) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING", NULL, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("vault \"%s\" already has a table \"%s\"", table->vault->name, table->name)));
}

char *
lyf_vault_relation(const LyfVault *vault, const char *name)
{
	return quote_qualified_identifier(vault->schema, name);
}

char *
lyf_vault_stem(const char *table)
{
	static const char *const prefixes[] = {"hub_", "link_", "lnk_", "sat_", "ref_", "h_", "l_", "s_"};

	for (int i = 0; i < lengthof(prefixes); i++)
	{
		size_t		len = strlen(prefixes[i]);

		if (strncmp(table, prefixes[i], len) == 0 && table[len] != '\0')
			return pstrdup(table + len);
	}
	return pstrdup(table);
}

char *
lyf_vault_column_type(const LyfVault *vault, const char *table, const char *column)
{
	Oid			relid = get_relname_relid(table, get_namespace_oid(vault->schema, false));
	AttrNumber	attno = OidIsValid(relid) ? get_attnum(relid, column) : InvalidAttrNumber;
	Oid			type;
	int32		typmod;
	Oid			collation;

	if (attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("there is no column \"%s\" in table %s of vault \"%s\"", column, lyf_vault_relation(vault, table), vault->name),
				 errhint("The table was changed or dropped behind the vault: restore it, or take it out with lyftron.drop_vault_table.")));
	get_atttypetypmodcoll(relid, attno, &type, &typmod, &collation);
	return format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}
