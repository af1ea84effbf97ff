/*
 * feed_reference.c
 *		The statements that load reference tables.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "vault/load_internal.h"

/* the columns of the key, each after a prefix, with a word between them */
static char *
key_list(const LyfFeed *feed, const char *prefix, const char *between)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, feed->table->key)
		appendStringInfo(&list, "%s%s%s", list.len > 0 ? between : "", prefix, quote_identifier(lfirst(lc)));
	return list.data;
}

/* "t.a = c.a AND t.b = c.b" */
static char *
same_key(const LyfFeed *feed, const char *one, const char *other)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, feed->table->key)
		appendStringInfo(&list, "%s%s.%s = %s.%s", list.len > 0 ? " AND " : "",
						 one, quote_identifier(lfirst(lc)), other, quote_identifier(lfirst(lc)));
	return list.data;
}

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
	char	   *key = key_list(feed, "", ", ");

	return psprintf("INSERT INTO %s AS t (%s) OVERRIDING SYSTEM VALUE "
					"SELECT DISTINCT ON (%s) %s FROM " LYF_CANDIDATES " c ORDER BY %s, c.load_date DESC, c." LYF_ARRIVAL " DESC "
					"ON CONFLICT (%s) DO UPDATE SET %s WHERE t.hash_diff <> excluded.hash_diff AND t.load_date <= excluded.load_date",
					lyf_vault_relation(feed->table->vault, feed->table->name), lyf_feed_column_list(feed, ""),
					key_list(feed, "c.", ", "), lyf_feed_column_list(feed, "c."), key_list(feed, "c.", ", "), key, assignments(feed));
}

/*
 * Versions, as those of a satellite: what differs from the version before it.  n: those that the table does not have at their date, nor
 * had before it where others came at that date; of rows of one date the later ones come after those that are there.
 */
static char *
history_sql(const LyfFeed *feed)
{
	char	   *table = lyf_vault_relation(feed->table->vault, feed->table->name);
	char	   *key = key_list(feed, "", ", ");

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
					table, lyf_feed_column_list(feed, ""), table, same_key(feed, "t", "c"), table, same_key(feed, "t", "c"), table, same_key(feed, "t", "c"), key, table, same_key(feed, "n", "t"), key, key, key,
					lyf_feed_columns_with(feed, LYF_LOAD_SEQ,
										  psprintf("coalesce(l.last_seq, -1) + row_number() OVER (PARTITION BY %s, c.load_date ORDER BY c." LYF_ARRIVAL ")",
												   key_list(feed, "c.", ", "))));
}

char *
lyf_reference_sql(const LyfFeed *feed)
{
	return feed->table->history ? history_sql(feed) : latest_sql(feed);
}
