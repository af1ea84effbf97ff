/*
 * feed_statement.c
 *		What is loaded by one statement over all of a load's rows: satellites that are compared as sets, and reference tables.
 *
 * In the statements c is a row that came, t one of the table.  They are written so that a load that comes again changes nothing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "vault/load_internal.h"

static void
begin(LyfFeed *feed)
{
	lyf_feed_row_begin(feed);
	lyf_candidates_begin(feed);
}

/* I, U or D, of words that sources have for them */
static const char *
read_operation(const LyfFeed *feed, const char *word)
{
	static const struct
	{
		const char *word;
		const char *status;
	}			words[] = {
		{"I", "I"}, {"U", "U"}, {"D", "D"}, {"C", "I"}, {"R", "I"},
		{"insert", "I"}, {"update", "U"}, {"delete", "D"}, {"create", "I"}, {"read", "I"},
		{"inserted", "I"}, {"updated", "U"}, {"deleted", "D"}, {"created", "I"},
	};

	for (int i = 0; i < lengthof(words); i++)
		if (pg_strcasecmp(word, words[i].word) == 0)
			return words[i].status;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a row of source %s has the operation \"%s\"", feed->stage->source, word),
			 errdetail("Table \"%s\" of vault \"%s\" tracks a status.", feed->table->name, feed->table->vault->name),
			 errhint("Give an expression that is I, U or D.")));
}

/* the status of the stage's row in place of its operation */
static void
put_status(LyfFeed *feed, AttrNumber attno)
{
	TupleTableSlot *row = feed->row;

	if (feed->full_load)
	{
		row->tts_values[attno - 1] = CStringGetTextDatum("I");
		row->tts_isnull[attno - 1] = false;
	}
	else if (row->tts_isnull[attno - 1])
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a row of source %s has no operation", feed->stage->source),
				 errhint("Give an expression that is I, U or D.")));
	else
		row->tts_values[attno - 1] = CStringGetTextDatum(read_operation(feed, TextDatumGetCString(row->tts_values[attno - 1])));
}

static void
take(LyfFeed *feed)
{
	TimestampTz load_date;

	if (!lyf_feed_offer(feed))
		return;
	load_date = lyf_feed_load_date(feed);
	lyf_feed_fill(feed);
	if (feed->status_attno != InvalidAttrNumber)
		put_status(feed, feed->status_attno);
	if (feed->offered - feed->skipped == 1 || load_date > feed->full_load_date)
		feed->full_load_date = load_date;
	lyf_candidates_put(feed, feed->row);
}

static const char *
key_of(const LyfFeed *feed)
{
	return quote_identifier(feed->table->hash_key);
}

static char *
table_of(const LyfFeed *feed)
{
	return lyf_vault_relation(feed->table->vault, feed->table->name);
}

/* Where and when a key came from each source. */
static char *
record_tracking_sql(const LyfFeed *feed)
{
	const char *key = key_of(feed);

	return psprintf("INSERT INTO %s (%s, load_date, record_source) "
					"SELECT DISTINCT %s, load_date, record_source FROM " LYF_CANDIDATES " ON CONFLICT DO NOTHING",
					table_of(feed), key, key);
}

/* Each event that the source tells of. */
static char *
status_tracking_sql(const LyfFeed *feed)
{
	const char *key = key_of(feed);
	char	   *table = table_of(feed);

	return psprintf("INSERT INTO %s (%s, load_date, load_seq, status, record_source) "
					"WITH c AS (SELECT DISTINCT ON (%s, load_date, status) * FROM " LYF_CANDIDATES " ORDER BY %s, load_date, status, " LYF_ARRIVAL ") "
					"SELECT c.%s, c.load_date, coalesce((SELECT max(t.load_seq) + 1 FROM %s t WHERE t.%s = c.%s AND t.load_date = c.load_date), 0) + "
					"row_number() OVER (PARTITION BY c.%s, c.load_date ORDER BY c." LYF_ARRIVAL ") - 1, c.status, c.record_source FROM c "
					"WHERE NOT EXISTS (SELECT FROM %s t WHERE t.%s = c.%s AND t.load_date = c.load_date AND t.status = c.status)",
					table, key, key, key, key, table, key, key, key, table, key, key);
}

/*
 * What is new in a source that was read as a whole, or is there again, and what is gone, as of the source's time: the greatest of
 * its load dates.
 */
static char *
status_of_full_load_sql(const LyfFeed *feed)
{
	const char *key = key_of(feed);
	char	   *table = table_of(feed);

	return psprintf("INSERT INTO %s (%s, load_date, load_seq, status, record_source) "
					"WITH c AS (SELECT %s, min(record_source) AS record_source FROM " LYF_CANDIDATES " GROUP BY %s), "
					"a AS (SELECT max(load_date) AS load_date, min(record_source) AS record_source FROM " LYF_CANDIDATES "), "
					"s AS (SELECT DISTINCT ON (t.%s) t.* FROM %s t, a WHERE t.load_date <= a.load_date ORDER BY t.%s, t.load_date DESC, t.load_seq DESC) "
					"SELECT coalesce(c.%s, s.%s), a.load_date, CASE WHEN s.load_date = a.load_date THEN s.load_seq + 1 ELSE 0 END, "
					"CASE WHEN c.%s IS NULL THEN 'D' ELSE 'I' END, coalesce(c.record_source, a.record_source) "
					"FROM c FULL JOIN s ON s.%s = c.%s, a "
					"WHERE a.load_date IS NOT NULL AND CASE WHEN c.%s IS NULL THEN s.status <> 'D' ELSE s.status IS NULL OR s.status = 'D' END",
					table, key, key, key, key, table, key, key, key, key, key, key, key);
}

/*
 * A version is a set of rows with one load date: it is written where the set is another one than that before it.  Of a date that the
 * table has, what is not there yet is added.
 */
static char *
multi_active_sql(const LyfFeed *feed)
{
	const char *key = key_of(feed);
	char	   *table = table_of(feed);

	return psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE "
					"WITH c AS MATERIALIZED (SELECT DISTINCT ON (%s, load_date, hash_diff) * FROM " LYF_CANDIDATES
					" ORDER BY %s, load_date, hash_diff, " LYF_ARRIVAL "), "
					"e AS MATERIALIZED (SELECT t.%s, t.load_date, t.load_seq, t.hash_diff FROM %s t WHERE t.%s IN (SELECT %s FROM c)), "
					"m AS (SELECT %s, load_date, max(load_seq) AS last_seq, array_agg(DISTINCT hash_diff) AS members FROM ("
					"SELECT %s, load_date, load_seq, hash_diff FROM e UNION ALL SELECT %s, load_date, -1, hash_diff FROM c) u GROUP BY %s, load_date), "
					"v AS (SELECT *, lag(members) OVER (PARTITION BY %s ORDER BY load_date) AS before FROM m) "
					"SELECT %s FROM c JOIN v ON v.%s = c.%s AND v.load_date = c.load_date WHERE (v.last_seq >= 0 OR v.members IS DISTINCT FROM v.before) "
					"AND NOT EXISTS (SELECT FROM e WHERE e.%s = c.%s AND e.load_date = c.load_date AND e.hash_diff = c.hash_diff)",
					table, lyf_feed_column_list(feed, ""), key, key, key, table, key, key, key, key, key, key, key,
					lyf_feed_columns_with(feed, LYF_LOAD_SEQ,
										  psprintf("v.last_seq + row_number() OVER (PARTITION BY c.%s, c.load_date ORDER BY c." LYF_ARRIVAL ")", key)),
					key, key, key, key);
}

static char *
load_sql(const LyfFeed *feed)
{
	const char *kind = feed->table->kind->name;

	if (strcmp(kind, "record_tracking") == 0)
		return record_tracking_sql(feed);
	if (strcmp(kind, "status_tracking") == 0)
		return feed->full_load ? status_of_full_load_sql(feed) : status_tracking_sql(feed);
	if (strcmp(kind, "multi_active") == 0)
		return multi_active_sql(feed);
	if (strcmp(kind, "effectivity") == 0)
		return lyf_effectivity_sql(feed);
	return lyf_reference_sql(feed);
}

/* Is it a full load of a time before that of the last one?  What it lacks may be there now: nothing can be told from it. */
static bool
is_outdated(const LyfFeed *feed)
{
	TimestampTz last;

	if (!feed->full_load || feed->position == NULL || feed->offered == feed->skipped)
		return false;
	last = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(feed->position), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	if (feed->full_load_date >= last)
		return false;
	ereport(WARNING,
			(errmsg("a full load of %s is left out of \"%s\": it is of %s, and there was one of %s", feed->stage->source, feed->table->name,
					timestamptz_to_str(feed->full_load_date), feed->position)));
	return true;
}

static void
end(LyfFeed *feed)
{
	if (!is_outdated(feed))
	{
		feed->inserted = lyf_candidates_run(feed, load_sql(feed));
		if (feed->full_load && feed->offered > feed->skipped)
			feed->position = lyf_cursor_text(TimestampTzGetDatum(feed->full_load_date), TIMESTAMPTZOID);
	}
	lyf_feed_forget(feed);
}

const LyfFeedOps lyf_feed_statement = {"statement", begin, take, end};
