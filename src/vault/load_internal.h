/*
 * load_internal.h
 *		A load of a vault: one scan of a source, and all tables that it feeds.
 *
 *	source ── executor ──▶ stage row: texts, hashes ──▶ feeds ── known? ──▶ sorts ──▶ (compare) ──▶ writers
 *
 * A row is hashed once for all tables.  What a table is known to have is left out at once; the rest is sorted by hash key and load
 * date, so that what comes twice, or changes often, is told by looking at the row before, and entries come into the index in its order.
 */
#ifndef LYF_VAULT_LOAD_INTERNAL_H
#define LYF_VAULT_LOAD_INTERNAL_H

#include "access/htup_details.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "vault/vault_internal.h"

/* A column of the query that reads the source. */
typedef struct LyfStageColumn
{
	char	   *expr;
	char	   *type;			/* it is cast to, NULL: as it is */
	LyfTextForm *form;			/* it is hashed, else NULL */
} LyfStageColumn;

/* A hash of some of its columns. */
typedef struct LyfStageHash
{
	LyfHashKind kind;
	int			count;
	int		   *columns;
	const char **names;
	LyfHasher  *hasher;
	List	   *feeds;			/* of LyfFeed *: those that look this key up */
	/* of the row at hand */
	bool		null;			/* all of the key is null: the digest is the zero key */
	uint8		digest[LYF_HASH_MAX];
	Datum		datum;			/* the digest as columns have it, in memory of its own */
} LyfStageHash;

/* Where a column of a table comes from. */
typedef enum LyfFeedFrom
{
	LYF_FEED_NULL,
	LYF_FEED_COLUMN,			/* number of a stage column */
	LYF_FEED_HASH,				/* number of a hash */
	LYF_FEED_NOW,				/* the load's time */
	LYF_FEED_ZERO,				/* 0, where it is not numbered otherwise */
	LYF_FEED_TRUE,
	LYF_FEED_DEFAULT			/* a column that somebody added: what it has by default */
} LyfFeedFrom;

typedef struct LyfFeedColumn
{
	LyfFeedFrom from;
	int			number;
	ExprState  *expr;			/* of a default */
} LyfFeedColumn;

typedef struct LyfVaultWriter LyfVaultWriter;
typedef struct LyfProbe LyfProbe;
typedef struct LyfKnown LyfKnown;
typedef struct LyfSort LyfSort;
typedef struct LyfStage LyfStage;
typedef struct LyfFeedOps LyfFeedOps;

/* A table that the source fills. */
typedef struct LyfFeed
{
	LyfStage   *stage;
	const LyfVaultTable *table;
	const LyfFeedOps *ops;
	int64		source_id;		/* number of the mapping */
	LyfValue   *mapping;
	char	   *increment;		/* expression, or NULL */
	char	   *lookback;
	char	   *position;		/* text, or NULL: it reads all */

	/* numbers of stage columns, -1: none */
	List	   *key;			/* (int list) */
	int			load_date;
	int			sequence;
	int			operation;
	/* numbers of hashes, -1: none */
	int			key_hash;
	List	   *hub_hashes;		/* (int list) of a link, or of the link that a satellite hangs on */
	List	   *driving_hashes;	/* (int list) of an effectivity satellite: those of its driving keys */
	int			diff_hash;

	Relation	rel;
	LyfFeedColumn *columns;		/* one a column of rel */
	ExprContext *defaults;		/* in which defaults are computed, or NULL */
	AttrNumber	hash_attno;
	AttrNumber	load_date_attno;
	AttrNumber	load_seq_attno;
	AttrNumber	diff_attno;
	AttrNumber	record_source_attno;
	AttrNumber	status_attno;	/* of a status tracking satellite */
	bool		full_load;
	TimestampTz full_load_date; /* of the rows that came, the greatest */

	/* while the source is read */
	TupleTableSlot *row;		/* of the table, then the arrival, and the keys of driving hubs */
	LyfSort    *sort;
	Tuplestorestate *candidates;	/* of the kinds that a statement loads */
	LyfKnown   *known;

	int64		offered;
	int64		inserted;
	int64		skipped;
} LyfFeed;

/* How a kind of table is loaded; a const table in feed.c. */
struct LyfFeedOps
{
	const char *kind;
	void		(*begin) (LyfFeed *feed);
	void		(*row) (LyfFeed *feed);	/* the stage's row is at hand */
	void		(*end) (LyfFeed *feed);	/* all have come: write */
};

struct LyfStage
{
	const LyfVault *vault;
	const LyfHashRules *rules;
	char	   *source;			/* as it is kept */
	char	   *search_path;
	List	   *columns;		/* of LyfStageColumn * */
	List	   *hashes;			/* of LyfStageHash * */
	List	   *feeds;			/* of LyfFeed *, in the order in which they are written */
	int			increment;		/* number of a column, -1: it is read as a whole */
	char	   *bound;			/* from this value of it on, or NULL */
	int			place;			/* number of the column that says where a row stands, -1: rows are in the order in which they are read */
	char	   *sql;
	char	   *shared_sql;		/* the same with all hashes as its last column, for workers; NULL: it has a plan without them */
	TimestampTz now;
	int			memory_kb;		/* for what a feed knows */
	int			sort_kb;		/* for its sort */

	/* while it is read */
	MemoryContext cxt;			/* as long as the load */
	MemoryContext row_cxt;
	TupleTableSlot *slot;		/* the row at hand */
	StringInfoData buffer;		/* texts of its columns */
	LyfText    *texts;
	int64		rows;
	bool		shared;			/* it is shared_sql that is read */
	bool		again;			/* what was left out cannot stay so: all is read again, and no satellite leaves out anything */
	bool		unfiltered;
	/* the greatest value of the increment */
	char	   *position;
};

/* in stage.c: the query of a source, and the feeds of its tables */
extern LyfStage *lyf_stage_make(const LyfVault *vault, const char *source, List *feeds);
extern Datum lyf_stage_value(const LyfStage *stage, int column, bool *isnull);
extern char *lyf_stage_column_expr(const LyfStage *stage, int number);	/* cast to its type */

/* in stage_hashes.c */

/* for the query's columns, of TargetEntry *; NULL: they are too dear to be computed twice */
extern char *lyf_stage_hashes_expr(const LyfStage *stage, List *targets);
extern void lyf_stage_take_hashes(LyfStage *stage, Datum hashes);	/* what it made of the row at hand */

/* in stage_run.c: read the source into the feeds */
extern void lyf_stage_run(LyfStage *stage);

/* in feed.c */
extern const LyfFeedOps *lyf_feed_ops(const LyfVaultTable *table);
extern void lyf_feed_open(LyfFeed *feed);
extern void lyf_feed_close(LyfFeed *feed);

extern void lyf_feed_row_begin(LyfFeed *feed);	/* make feed->row */
extern void lyf_feed_forget(LyfFeed *feed);
extern LyfStageHash *lyf_feed_key_hash(const LyfFeed *feed);

/* count the stage's row; false: it is skipped, since its key is null */
extern bool lyf_feed_offer(LyfFeed *feed);
extern TimestampTz lyf_feed_load_date(const LyfFeed *feed); /* of the stage's row; raises where it has none */
extern int64 lyf_feed_arrival(const LyfFeed *feed); /* of the stage's row: rows of one load date are in its order */
extern void lyf_feed_fill(LyfFeed *feed);	/* feed->row from the stage's row */
extern void lyf_feed_begin_sorted(LyfFeed *feed);	/* for rows by hash key, load date and arrival, and with what is known of keys */

/* the digest that a row has in a column; space: of LYF_HASH_MAX bytes, which it may be in */
extern const uint8 *lyf_feed_digest(const LyfFeed *feed, TupleTableSlot *row, AttrNumber attno, uint8 *space);

extern const LyfFeedOps lyf_feed_key;	/* in feed_key.c: hubs and links */
extern const LyfFeedOps lyf_feed_satellite; /* in feed_satellite.c: standard satellites */
extern const LyfFeedOps lyf_feed_statement; /* in feed_statement.c: what a statement over all candidates loads */
extern char *lyf_effectivity_sql(const LyfFeed *feed);	/* in feed_effectivity.c */
extern char *lyf_reference_sql(const LyfFeed *feed);	/* in feed_reference.c */

/* in sort.c: rows of a feed by hash key, load date and arrival; few stay in memory, more are in a temporary file */

extern LyfSort *lyf_sort_begin(const LyfFeed *feed);
extern void lyf_sort_put(LyfSort *sort);	/* feed->row, whose hash key is the stage row's; it is copied */
extern void lyf_sort_perform(LyfSort *sort);	/* all have come */
extern bool lyf_sort_get(LyfSort *sort, TupleTableSlot *row);	/* into a slot of minimal tuples, valid until the next call; false: no more */
extern void lyf_sort_end(LyfSort *sort);

/* in known.c: hash keys that a table has, with the latest version of satellites */

typedef struct LyfKnownKey
{
	bool		there;			/* in the table; else it only came with this load */
	bool		pending;		/* a row of it goes to the sort that the latest version does not make superfluous */
	bool		left_out;		/* a row of it was left out, up to: */
	int32		load_seq;		/* of the latest version */
	TimestampTz load_date;		/* of the latest version; of a hub or link, the earliest that came */
	int64		arrival;		/* of the row that was left out; of a hub or link, of the earliest that came */
	TimestampTz left_out_date;
	uint8		diff[LYF_HASH_MAX];
} LyfKnownKey;

extern LyfKnown *lyf_known_begin(LyfFeed *feed);
extern bool lyf_known_is_complete(const LyfKnown *known);	/* does it have all of the table? */

/* note that another row came; may read the table, where that is better than to look up keys one by one */
extern void lyf_known_expect(LyfKnown *known);
extern LyfKnownKey *lyf_known_find(LyfKnown *known, const uint8 *digest);	/* NULL: not known */
extern LyfKnownKey *lyf_known_add(LyfKnown *known, const uint8 *digest);	/* NULL: it has come to its limit */

/* have what find will look at come into the processor's cache: first the slots of all tables, and then the entries */
extern void lyf_known_fetch_slot(LyfKnown *known, const uint8 *digest);
extern void lyf_known_fetch_entry(LyfKnown *known, const uint8 *digest);
extern void lyf_known_end(LyfKnown *known);

/* in probe.c: looks into the index of a table's primary key, whose first column is the hash */

/* a version of a key in the table */
typedef struct LyfVersion
{
	TimestampTz load_date;
	int32		load_seq;
	uint8		diff[LYF_HASH_MAX];
} LyfVersion;

extern Relation lyf_feed_primary_key(const LyfFeed *feed);	/* opened; raises where there is none */
extern void lyf_probe_key(Relation index, Datum hash, ScanKey key);	/* make a key of a scan: rows of this hash */
extern LyfProbe *lyf_probe_begin(LyfFeed *feed);
extern bool lyf_probe_has(LyfProbe *probe, Datum hash); /* is there a row of this hash key? */

/* versions of a key, the latest first, down to one before that date: a List of LyfVersion * */
extern List *lyf_probe_versions(LyfProbe *probe, Datum hash, TimestampTz before);
extern void lyf_probe_end(LyfProbe *probe);

/* in writer.c: rows into a table, in the order of its key, which others may insert at the same time */
extern LyfVaultWriter *lyf_vault_writer_begin(LyfFeed *feed);

/* a row of a sort, which is copied; changed: its slot has other values than its tuple */
extern void lyf_vault_writer_put(LyfVaultWriter *writer, TupleTableSlot *row, bool changed);
extern int64 lyf_vault_writer_end(LyfVaultWriter *writer);	/* how many are there that were not before */

/* in candidates.c: rows that a statement takes from memory */

/* what the statement calls them; they have the columns of feed->row */
#define LYF_CANDIDATES	"_lyftron_candidates"
#define LYF_ARRIVAL		"_lyftron_arrival"	/* the number that rows have in their order, where they have one */

extern void lyf_candidates_begin(LyfFeed *feed);
extern void lyf_candidates_put(LyfFeed *feed, TupleTableSlot *row);
extern int64 lyf_candidates_run(LyfFeed *feed, const char *sql);	/* rows that the statement wrote */
extern void lyf_candidates_end(LyfFeed *feed);

/* names of the table's columns that can be written, quoted, with commas; prefix: before each, or "" */
extern char *lyf_feed_column_list(const LyfFeed *feed, const char *prefix);

/* the same of a row c, with an expression for one of the columns */
extern char *lyf_feed_columns_with(const LyfFeed *feed, const char *column, const char *expr);

/* in publish.c: how far it has come, for others to see; an error ends it */
extern void lyf_vault_publish_begin(const LyfStage *stage);
extern void lyf_vault_publish_read(const LyfStage *stage);	/* after each row */
extern void lyf_vault_publish_table(const LyfFeed *feed, int done);	/* it is written now, after so many others */
extern void lyf_vault_publish_written(int64 rows);	/* of that table, so far */
extern void lyf_vault_publish_end(void);

/* in lock.c: who may write a table; until the transaction ends */
extern void lyf_vault_lock(Oid relid);	/* waits until nobody else loads it */
extern bool lyf_vault_try_lock(const LyfFeed *feed);	/* the one that writes hubs and links without statements */
extern void lyf_vault_lock_source(const LyfVault *vault, const char *source);	/* waits */

#endif							/* LYF_VAULT_LOAD_INTERNAL_H */
