/*
 * check_key.c
 *		Keys of a vault: hash keys that fit their business keys, business keys with one hash key each, rows with their parents.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "vault/check_internal.h"

char *
lyf_check_not_ghost(const LyfVault *vault, const char *column)
{
	return psprintf("%s NOT IN (%s, %s)", column, lyf_vault_ghost_key(vault, false), lyf_vault_ghost_key(vault, true));
}

/* a hash by settings */
static char *
hash_by(const LyfValue *settings, const char *kind, const char *columns, bool text)
{
	return psprintf("lyftron.hash_%s%s(%s::pg_catalog.jsonb, %s)", kind, text ? "_text" : "",
					quote_literal_cstr(lyf_value_to_text(settings)), columns);
}

char *
lyf_check_hash(const LyfVault *vault, const char *kind, const char *columns)
{
	return hash_by(vault->hash, kind, columns, lyf_hash_is_text(lyf_hash_rules(vault->hash)));
}

/* The zero key and the unknown one have rows where the vault has ghosts. */
static void
check_ghosts(LyfVaultCheck *check)
{
	const LyfVaultTable *table = check->table;
	const char *key = quote_identifier(table->hash_key);

	if (!table->vault->ghosts)
		return;
	lyf_vault_check(check, LYF_CHECK_ERROR, "ghost is missing", "Inner joins lose rows without it: insert a row with this key.",
					psprintf("SELECT g.%s FROM (VALUES (%s), (%s)) g (%s) WHERE NOT EXISTS (SELECT FROM %s t WHERE t.%s = g.%s)",
							 key, lyf_vault_ghost_key(table->vault, false), lyf_vault_ghost_key(table->vault, true), key, check->relation, key, key));
}

static void
check_orphans(LyfVaultCheck *check, const char *column, const char *parent, const char *parent_key)
{
	const LyfVault *vault = check->table->vault;

	/* the check of the parent tells of it */
	if (!lyf_vault_has_name(lyf_vault_columns(vault, parent), parent_key))
		return;
	lyf_vault_check(check, LYF_CHECK_ERROR, psprintf("orphans: not in %s", parent),
					psprintf("Load \"%s\" from the sources of this table, too.", parent),
					psprintf("SELECT t.%s, t.load_date, t.record_source FROM %s t WHERE NOT EXISTS (SELECT FROM %s p WHERE p.%s = t.%s)%s",
							 quote_identifier(column), check->relation, lyf_vault_relation(vault, parent), quote_identifier(parent_key), quote_identifier(column),
							 /* without ghosts there is no row for the zero key */
							 vault->ghosts ? "" : psprintf(" AND %s", lyf_check_not_ghost(vault, psprintf("t.%s", quote_identifier(column))))));
}

/* Several hash keys of what they are made of. */
static void
check_one_hash(LyfVaultCheck *check, List *columns)
{
	const LyfVaultTable *table = check->table;
	const char *key = quote_identifier(table->hash_key);
	char	   *list = lyf_vault_list(columns, "t.", ", ");

	lyf_vault_check(check, LYF_CHECK_ERROR, "one key under several hash keys",
					"The settings of hashes were others when one of them was loaded: keep the one that lyftron.hash_key gives.",
					psprintf("SELECT %s, array_agg(t.%s) AS %s FROM %s t WHERE %s GROUP BY %s "
							 "HAVING count(*) > 1 AND (SELECT count(DISTINCT h) FROM unnest(array_agg(t.%s)) h) > 1",
							 list, key, key, check->relation, lyf_check_not_ghost(table->vault, psprintf("t.%s", key)), list, key));
}

#define WRONG_HASH_HINT	"The key was changed, the vault's settings of hashes were, or two keys have one hash: a load makes a second row of it."

static void
check_hub_hash(LyfVaultCheck *check)
{
	const LyfVaultTable *hub = check->table;
	const char *key = quote_identifier(hub->hash_key);
	char	   *hash = lyf_check_hash(hub->vault, "key", lyf_vault_list(hub->key, "t.", ", "));

	lyf_vault_check(check, LYF_CHECK_ERROR, "hash key does not fit", WRONG_HASH_HINT,
					psprintf("SELECT %s, t.%s, %s AS expected FROM %s t WHERE %s AND t.%s IS DISTINCT FROM %s",
							 lyf_vault_list(hub->key, "t.", ", "), key, hash, check->relation,
							 lyf_check_not_ghost(hub->vault, psprintf("t.%s", key)), key, hash));
}

/* The hash of a link is one of the business keys of its hubs, which are looked up. */
static void
check_link_hash(LyfVaultCheck *check)
{
	const LyfVaultTable *link = check->table;
	const char *key = quote_identifier(link->hash_key);
	StringInfoData from;
	StringInfoData where;
	StringInfoData columns;
	char	   *hash;
	ListCell   *lc;

	initStringInfo(&from);
	initStringInfo(&where);
	initStringInfo(&columns);
	foreach(lc, link->hubs)
	{
		LyfVaultRole *role = lfirst(lc);
		LyfVaultTable *hub = lyf_vault_table_get(link->vault, role->hub);
		char	   *alias = psprintf("h%d", foreach_current_index(lc));

		if (lyf_vault_columns(link->vault, hub->name) == NIL)
			return;
		appendStringInfo(&from, " JOIN %s %s ON %s.%s = t.%s", lyf_vault_relation(link->vault, hub->name), alias, alias,
						 quote_identifier(hub->hash_key), quote_identifier(role->column));
		appendStringInfo(&where, " AND %s", lyf_check_not_ghost(link->vault, psprintf("t.%s", quote_identifier(role->column))));
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "", lyf_vault_list(hub->key, psprintf("%s.", alias), ", "));
	}
	if (link->dependent != NIL)
		appendStringInfo(&columns, ", %s", lyf_vault_list(link->dependent, "t.", ", "));
	hash = lyf_check_hash(link->vault, "key", columns.data);
	lyf_vault_check(check, LYF_CHECK_ERROR, "hash key does not fit", WRONG_HASH_HINT,
					psprintf("SELECT %s, t.%s, %s AS expected FROM %s t%s WHERE %s%s AND t.%s IS DISTINCT FROM %s",
							 columns.data, key, hash, check->relation, from.data, lyf_check_not_ghost(link->vault, psprintf("t.%s", key)), where.data, key, hash));
}

/*
 * Settings under which keys have one hash only where they are the same key to the vault: as the vault has it with white space, case and
 * empty texts, but framed so that no two lists of values have one text, and with a long hash.
 */
static LyfValue *
safe_settings(const LyfVault *vault)
{
	static const char *const kept[] = {"trim", "case", "empty"};
	const char *profile = lyf_hash_profile(lyf_hash_rules(vault->hash));
	bool		own = strcmp(profile, "lyftron") == 0;
	LyfValue   *settings = lyf_value_make(LYF_MAP);

	if (!own)
	{
		lyf_value_set(settings, "trim", lyf_value_string("blank"));
		lyf_value_set(settings, "case", lyf_value_string("upper"));
		lyf_value_set(settings, "empty", lyf_value_string(strcmp(profile, "automate_dv") == 0 ? "null" : "keep"));
	}
	for (int i = 0; i < lengthof(kept); i++)
	{
		const LyfValue *given = lyf_value_get(vault->hash, kept[i]);

		if (given != NULL)
			lyf_value_set(settings, kept[i], lyf_value_string(lyf_value_text(given)));
	}
	lyf_value_set(settings, "profile", lyf_value_string("lyftron"));
	lyf_value_set(settings, "algorithm", lyf_value_string("sha256"));
	return settings;
}

/* What fills a table. */
typedef struct Source
{
	char	   *text;
	char	   *search_path;
	LyfValue   *mapping;
} Source;

static void *
read_source(HeapTuple tuple, TupleDesc desc)
{
	Source	   *source = palloc0(sizeof(Source));

	source->text = lyf_catalog_text(tuple, desc, "source");
	source->search_path = lyf_catalog_text(tuple, desc, "search_path");
	source->mapping = lyf_catalog_value(tuple, desc, "mapping");
	return source;
}

static LyfCatalogPlan sources_plan = {
	"SELECT source, search_path, mapping FROM lyftron.vault_source WHERE vault = $1 AND table_name = $2 ORDER BY id"
};

/* the hub's business keys as the source has them, by the names of the hub's columns */
static char *
source_keys_sql(const LyfVaultTable *hub, const Source *source, const char *from)
{
	const LyfValue *item = lyf_value_get(source->mapping, "key")->u.first;
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, hub->key)
	{
		appendStringInfo(&columns, "%sCAST((%s) AS %s) AS %s", columns.len > 0 ? ", " : "", lyf_value_text(lyf_value_get(item, "expr")),
						 lyf_vault_column_type(hub->vault, hub->name, lfirst(lc)), quote_identifier(lfirst(lc)));
		item = item->next;
	}
	return psprintf("SELECT %s FROM %s AS " LYF_VAULT_ALIAS, columns.data, from);
}

/* Two keys with one hash: the hub has the first one; the other one is in a source. */
static void
check_collisions(LyfVaultCheck *check, const Source *source)
{
	const LyfVaultTable *hub = check->table;
	LyfPipeline reader = {.name = hub->name,.source = source->text};
	LyfSourceScope scope = lyf_owner_enter(hub->vault->owner, source->search_path);
	char	   *given = lyf_vault_list(hub->key, "s.", ", ");
	LyfValue   *safe = safe_settings(hub->vault);
	char	   *sql;

	sql = psprintf("SELECT pg_catalog.to_jsonb(s) AS source, pg_catalog.to_jsonb(t) AS hub FROM (%s) s JOIN %s t ON t.%s OPERATOR(pg_catalog.=) %s "
				   "WHERE %s OPERATOR(pg_catalog.<>) %s",
				   source_keys_sql(hub, source, lyf_source_open(&reader)->from), check->relation, quote_identifier(hub->hash_key),
				   lyf_check_hash(hub->vault, "key", given), hash_by(safe, "key", given, false),
				   hash_by(safe, "key", lyf_vault_list(hub->key, "t.", ", "), false));
	sql = psprintf("%s AND %s", sql, lyf_check_not_ghost(hub->vault, psprintf("t.%s", quote_identifier(hub->hash_key))));
	lyf_vault_check(check, LYF_CHECK_ERROR, "hash collision",
					"Two business keys are one to the vault: use a longer hash, or the profile lyftron, whose texts of two keys are never the same.", sql);
	lyf_source_leave(&scope);
}

static void
check_hub(LyfVaultCheck *check)
{
	LyfArgs		args = {0};
	ListCell   *lc;

	check_one_hash(check, check->table->key);
	check_hub_hash(check);
	if (!check->sources)
		return;
	lyf_args_text(&args, check->table->vault->name);
	lyf_args_text(&args, check->table->name);
	foreach(lc, lyf_args_collect(&args, &sources_plan, read_source))
		check_collisions(check, lfirst(lc));
}

static void
check_link(LyfVaultCheck *check)
{
	const LyfVaultTable *link = check->table;
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, link->hubs)
	{
		LyfVaultRole *role = lfirst(lc);

		columns = lappend(columns, role->column);
		check_orphans(check, role->column, role->hub, lyf_vault_table_get(link->vault, role->hub)->hash_key);
	}
	check_one_hash(check, list_concat(columns, link->dependent));
	check_link_hash(check);
}

void
lyf_check_keys(LyfVaultCheck *check)
{
	const LyfVaultTable *table = check->table;

	if (table->kind->class == LYF_VAULT_HUB)
		check_hub(check);
	else if (table->kind->class == LYF_VAULT_LINK)
		check_link(check);
	else if (table->kind->class == LYF_VAULT_SATELLITE)
		check_orphans(check, table->hash_key, table->parent, table->hash_key);
	if (table->hash_key != NULL && (table->kind->class != LYF_VAULT_SATELLITE || lyf_check_has_diff(table)))
		check_ghosts(check);
}
