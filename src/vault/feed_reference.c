/*
 * feed_reference.c
 *		The statements that load reference tables.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "vault/derived.h"
#include "vault/load_internal.h"

/* what a newer row puts in the place of the one that is there */
static char *
assignments(const LyfFeed *feed)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	appendStringInfoString(&list, "load_date = excluded.load_date, hash_diff = excluded.hash_diff, record_source = excluded.record_source");
	foreach(lc, feed->table->columns)
		appendStringInfo(&list, ", %s = excluded.%s", quote_identifier(lfirst(lc)), quote_identifier(lfirst(lc)));
	return list.data;
}

/* A row a key: the latest one that came, where it is no older than the one that is there, and another. */
static char *
latest_sql(const LyfFeed *feed)
{
	char	   *key = lyf_vault_list(feed->table->key, "", ", ");

	return psprintf("INSERT INTO %s AS t (%s) OVERRIDING SYSTEM VALUE "
					"SELECT DISTINCT ON (%s) %s FROM " LYF_CANDIDATES " c ORDER BY %s, c.load_date DESC, c." LYF_ARRIVAL " DESC "
					"ON CONFLICT (%s) DO UPDATE SET %s WHERE t.hash_diff <> excluded.hash_diff AND t.load_date <= excluded.load_date",
					lyf_vault_relation(feed->table->vault, feed->table->name), lyf_feed_column_list(feed, ""),
					lyf_vault_list(feed->table->key, "c.", ", "), lyf_feed_column_list(feed, "c."), lyf_vault_list(feed->table->key, "c.", ", "), key, assignments(feed));
}

/*
 * Versions, as those of a satellite: what differs from the version before it.  n: those that the table does not have at their date, nor
 * had before it where others came at that date; of rows of one date the later ones come after those that are there.
 */
static char *
history_sql(const LyfFeed *feed)
{
	char	   *table = lyf_vault_relation(feed->table->vault, feed->table->name);
	char	   *key = lyf_vault_list(feed->table->key, "", ", ");

	return psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE "
					"WITH n AS MATERIALIZED (SELECT * FROM " LYF_CANDIDATES " c WHERE NOT EXISTS (SELECT FROM %s t WHERE %s "
					"AND t.load_date = c.load_date AND t.hash_diff = c.hash_diff) "
					"AND (c.hash_diff = (SELECT t.hash_diff FROM %s t WHERE %s AND t.load_date < c.load_date ORDER BY t.load_date DESC, t.load_seq DESC LIMIT 1) "
					"AND EXISTS (SELECT FROM %s t WHERE %s AND t.load_date = c.load_date)) IS NOT TRUE), "
					"u AS (SELECT %s, load_date, load_seq, hash_diff, NULL::bigint AS " LYF_ARRIVAL " FROM %s t WHERE EXISTS (SELECT FROM n WHERE %s) "
					"UNION ALL SELECT %s, load_date, NULL, hash_diff, " LYF_ARRIVAL " FROM n), "
					"l AS (SELECT *, lag(hash_diff) OVER (PARTITION BY %s ORDER BY load_date, load_seq, " LYF_ARRIVAL ") AS before, "
					"max(load_seq) OVER (PARTITION BY %s, load_date) AS last_seq FROM u) "
					"SELECT %s FROM n c JOIN l ON l." LYF_ARRIVAL " = c." LYF_ARRIVAL " WHERE l.hash_diff IS DISTINCT FROM l.before",
					table, lyf_feed_column_list(feed, ""), table, lyf_vault_same(feed->table->key, "t", "c"), table, lyf_vault_same(feed->table->key, "t", "c"), table, lyf_vault_same(feed->table->key, "t", "c"), key, table, lyf_vault_same(feed->table->key, "n", "t"), key, key, key,
					lyf_feed_columns_with(feed, LYF_LOAD_SEQ,
										  psprintf("coalesce(l.last_seq, -1) + row_number() OVER (PARTITION BY %s, c.load_date ORDER BY c." LYF_ARRIVAL ")",
												   lyf_vault_list(feed->table->key, "c.", ", "))));
}

char *
lyf_reference_sql(const LyfFeed *feed)
{
	return feed->table->history ? history_sql(feed) : latest_sql(feed);
}
