/*
 * feed_effectivity.c
 *		The statement that loads an effectivity satellite.
 *
 * The links that came with one driving key and one load date are all of that key that are active from then on; with full loads, all
 * that came are all that are active.  What changes from one such moment to the next is written.  Moments that the table knows after
 * the first one that came are gone through again, so that the state after one that is late stays what it was.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "vault/derived.h"
#include "vault/load_internal.h"

/* what stands for the driving key where all links are one */
#define ALL	"_lyftron_all"

/* the driving key's columns, each after a prefix */
static char *
driving_list(const LyfFeed *feed, const char *prefix)
{
	return feed->table->driving == NIL ? psprintf("%s" ALL, prefix) : lyf_vault_list(feed->table->driving, prefix, ", ");
}

/* the same as a SELECT has them: of a row of the link, or of one that came */
static char *
driving_selected(const LyfFeed *feed, const char *row)
{
	return feed->table->driving == NIL ? "true AS " ALL : driving_list(feed, row);
}

/*
 * c: links that came; f: of each driving key, the first moment; o: what the table has of them; m: all moments from then on, with the source
 * of each; h: all links; g: is each link active at each moment, and was it before the first one?
 */
char *
lyf_effectivity_sql(const LyfFeed *feed)
{
	const LyfVault *vault = feed->table->vault;
	const char *key = quote_identifier(feed->table->hash_key);
	char	   *table = lyf_vault_relation(vault, feed->table->name);
	char	   *d = driving_list(feed, "");
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (%s, load_date, load_seq, is_active, record_source) ", table, key);
	appendStringInfo(&sql, "WITH c AS MATERIALIZED (SELECT %s, %s, load_date, min(record_source) AS record_source FROM " LYF_CANDIDATES
					 " GROUP BY %s, %s, load_date), ",
					 feed->table->driving == NIL ? "true AS " ALL : d, key, feed->table->driving == NIL ? "1" : d, key);
	appendStringInfo(&sql, "f AS MATERIALIZED (SELECT %s, min(load_date) AS since FROM c GROUP BY %s), ", d, d);
	appendStringInfo(&sql, "o AS MATERIALIZED (SELECT %s, t.* FROM (SELECT %s, l.%s FROM %s l) k JOIN f USING (%s) JOIN %s t USING (%s)), ",
					 driving_list(feed, "f."), driving_selected(feed, "l."), key, lyf_vault_relation(vault, feed->table->parent), d, table, key);
	appendStringInfo(&sql, "m AS (SELECT %s, load_date, min(record_source) AS record_source, bool_or(given) AS given FROM ("
					 "SELECT %s, load_date, record_source, true AS given FROM c "
					 "UNION ALL SELECT %s, o.load_date, o.record_source, false FROM o JOIN f USING (%s) WHERE o.load_date >= f.since) u GROUP BY %s, load_date), ",
					 d, d, driving_list(feed, "o."), d, d);
	appendStringInfo(&sql, "h AS (SELECT %s, %s FROM c UNION SELECT %s, %s FROM o), ", d, key, d, key);
	appendStringInfo(&sql, "g AS (SELECT %s, h.%s, m.load_date, coalesce(c.record_source, m.record_source) AS record_source, "
					 "CASE WHEN m.given THEN c.%s IS NOT NULL ELSE coalesce((SELECT t.is_active FROM %s t WHERE t.%s = h.%s AND t.load_date <= m.load_date "
					 "ORDER BY t.load_date DESC, t.load_seq DESC LIMIT 1), false) END AS is_active, "
					 "coalesce((SELECT t.is_active FROM %s t WHERE t.%s = h.%s AND t.load_date < f.since ORDER BY t.load_date DESC, t.load_seq DESC LIMIT 1), "
					 "false) AS was_active FROM h JOIN m USING (%s) JOIN f USING (%s) LEFT JOIN c USING (%s, %s, load_date)), ",
					 driving_list(feed, "m."), key, key, table, key, key, table, key, key, d, d, d, key);
	appendStringInfo(&sql, "n AS (SELECT *, lag(is_active, 1, was_active) OVER (PARTITION BY %s, %s ORDER BY load_date) AS before FROM g) ", d, key);
	appendStringInfo(&sql, "SELECT n.%s, n.load_date, coalesce(t.load_seq + 1, 0), n.is_active, n.record_source FROM n "
					 "LEFT JOIN LATERAL (SELECT t.load_seq, t.is_active FROM %s t WHERE t.%s = n.%s AND t.load_date = n.load_date "
					 "ORDER BY t.load_seq DESC LIMIT 1) t ON true WHERE n.is_active <> coalesce(t.is_active, n.before)",
					 key, table, key, key);
	return sql.data;
}
