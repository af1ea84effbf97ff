/*
 * check_version.c
 *		What satellites and reference tables say over time: differences that fit their columns, versions that change something,
 *		effectivity without gaps.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "vault/check_internal.h"
#include "vault/hash_internal.h"

bool
lyf_check_has_diff(const LyfVaultTable *table)
{
	return table->kind->class == LYF_VAULT_REFERENCE || strcmp(table->kind->name, "standard") == 0 || strcmp(table->kind->name, "multi_active") == 0;
}

/* for list_sort: as a hasher that goes by names has them */
static int
compare_names(const ListCell *a, const ListCell *b)
{
	return pg_strcasecmp(lfirst(a), lfirst(b));
}

/* ghosts are made, not hashed */
static char *
without_ghosts(const LyfVaultTable *table)
{
	return table->hash_key == NULL ? "true" : lyf_check_not_ghost(table->vault, psprintf("t.%s", quote_identifier(table->hash_key)));
}

static void
check_differences(LyfVaultCheck *check)
{
	const LyfVaultTable *table = check->table;
	List	   *columns = list_concat(list_copy(table->sub_key), table->columns);
	char	   *key = lyf_vault_list(lyf_vault_version_key(table), "t.", ", ");
	char	   *hash;

	if (columns == NIL)
		return;
	if (lyf_hash_rules(table->vault->hash)->parts[LYF_HASH_DIFF].by_name)
		list_sort(columns, compare_names);
	hash = lyf_check_hash(table->vault, "diff", lyf_vault_list(columns, "t.", ", "));
	lyf_vault_check(check, LYF_CHECK_ERROR, "hash difference does not fit",
					"The columns were changed, or the vault's settings of hashes: the next load takes such rows for changed.",
					psprintf("SELECT %s, t.load_date, t.hash_diff, %s AS expected FROM %s t WHERE %s AND t.hash_diff IS DISTINCT FROM %s",
							 key, hash, check->relation, without_ghosts(table), hash));
}

/* a version as it is compared with the one before; of sets, all members */
static void
check_repeated(LyfVaultCheck *check)
{
	const LyfVaultTable *table = check->table;
	char	   *key = lyf_vault_list(lyf_vault_version_key(table), "t.", ", ");
	bool		set = lyf_vault_versions(table) == LYF_VERSIONS_SET;
	const char *value = strcmp(table->kind->name, "effectivity") == 0 ? "t.is_active" : "t.hash_diff";
	char	   *versions;

	if (set)
		versions = psprintf("SELECT %s, t.load_date, 0 AS load_seq, array_agg(DISTINCT %s) AS value FROM %s t GROUP BY %s, t.load_date", key, value, check->relation, key);
	else
		versions = psprintf("SELECT %s, t.load_date, t.load_seq, %s AS value FROM %s t", key, value, check->relation);
	lyf_vault_check(check, LYF_CHECK_NOTICE, "version repeats the one before",
					"A row that came late may bring this about: it says what a later one said, too. Nothing reads wrong for it.",
					psprintf("SELECT %s, t.load_date, t.before FROM (SELECT t.*, lag(t.value) OVER w AS last, lag(t.load_date) OVER w AS before FROM (%s) t "
							 "WINDOW w AS (PARTITION BY %s ORDER BY t.load_date, t.load_seq)) t WHERE t.value = t.last", key, versions, key));
}

/* Of each driving key, the times in which one of its links was active; last_end: until when one was, of those that began before. */
static char *
active_times_sql(const LyfVaultCheck *check)
{
	const LyfVaultTable *table = check->table;
	const char *key = quote_identifier(table->hash_key);
	char	   *driving = lyf_vault_list(table->driving, "l.", ", ");

	return psprintf("SELECT *, max(a.load_end) OVER (PARTITION BY %s ORDER BY a.load_date, a.load_end, a.%s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) "
					"AS last_end FROM (SELECT %s, t.%s, t.load_date, t.is_active, coalesce(lead(t.load_date) OVER (PARTITION BY t.%s ORDER BY t.load_date, t.load_seq), "
					"'infinity') AS load_end FROM %s t JOIN %s l ON l.%s = t.%s) a WHERE a.is_active AND a.load_end > a.load_date",
					lyf_vault_list(table->driving, "a.", ", "), key, driving, key, key,
					check->relation, lyf_vault_relation(table->vault, table->parent), key, key);
}

static void
check_effectivity(LyfVaultCheck *check)
{
	char	   *times = active_times_sql(check);
	char	   *driving = lyf_vault_list(check->table->driving, "a.", ", ");

	lyf_vault_check(check, LYF_CHECK_NOTICE, "gap in effectivity",
					"A driving key had no active link for a while: right where that may be so in the source.",
					psprintf("SELECT %s, a.last_end AS since, a.load_date AS until FROM (%s) a WHERE a.last_end < a.load_date", driving, times));
	lyf_vault_check(check, LYF_CHECK_NOTICE, "overlap in effectivity",
					"A driving key has several active links at a time: right where the source has several of them, else a load was incomplete.",
					psprintf("SELECT %s, a.%s, a.load_date AS since, least(a.load_end, a.last_end) AS until FROM (%s) a WHERE a.last_end > a.load_date",
							 driving, quote_identifier(check->table->hash_key), times));
}

/* a status before the first I, or U or D after a D, is one that something before it is missing of */
static void
check_status(LyfVaultCheck *check)
{
	const char *key = quote_identifier(check->table->hash_key);

	lyf_vault_check(check, LYF_CHECK_NOTICE, "status without the one before",
					"Something changed, or was deleted, that was not there: an event is missing, or came late.",
					psprintf("SELECT t.%s, t.load_date, t.last, t.status FROM (SELECT t.*, lag(t.status) OVER (PARTITION BY t.%s ORDER BY t.load_date, t.load_seq) AS last "
							 "FROM %s t) t WHERE t.status <> 'I' AND coalesce(t.last, 'D') = 'D'", key, key, check->relation));
}

void
lyf_check_versions(LyfVaultCheck *check)
{
	const LyfVaultTable *table = check->table;
	const char *kind = table->kind->name;

	if (lyf_check_has_diff(table))
		check_differences(check);
	if (strcmp(kind, "effectivity") == 0 || (lyf_check_has_diff(table) && lyf_vault_versions(table) != LYF_VERSIONS_NONE))
		check_repeated(check);
	if (table->driving != NIL && lyf_vault_columns(table->vault, table->parent) != NIL)
		check_effectivity(check);
	if (strcmp(kind, "status_tracking") == 0)
		check_status(check);
}
