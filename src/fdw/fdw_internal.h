/*
 * fdw_internal.h
 *		What the files of fdw/ share: a foreign table opened for one role, its
 *		columns, and which conditions may become part of its requests.
 */
#ifndef LYF_FDW_INTERNAL_H
#define LYF_FDW_INTERNAL_H

#include "foreign/fdwapi.h"
#include "utils/sampling.h"
#include "nodes/pathnodes.h"

#include "fdw/fdw.h"

/* A column of a foreign table, and where its value stands in a record. */
typedef struct LyfRestColumn
{
	AttrNumber	attno;
	const char *name;
	Oid			type;
	int32		typmod;
	const char **path;			/* keys in UTF-8 */
	int			path_len;		/* 0: the whole record */
	bool		dropped;
	bool		is_cursor;		/* a range of it can be part of the requests */
	const char *partition;		/* the partition field (UTF-8) that it holds, or NULL */
	const char *local;			/* why neither: shown by EXPLAIN */
} LyfRestColumn;

/* A foreign table as one role sees it. */
typedef struct LyfRestTable
{
	Oid			relid;
	const char *stream_name;
	LyfAccount *account;
	LyfStream  *stream;
	LyfSession	session;		/* just enough for templates of the configuration */
	int			natts;
	LyfRestColumn *columns;		/* by attno - 1 */
} LyfRestTable;

/* in option.c */

/* is it a foreign table whose wrapper has this handler of ours? */
extern bool lyf_table_handler_is(Oid relid, const char *handler);

/* the role whose user mapping counts: the one that permissions are checked as, or the current one */
extern Oid	lyf_rest_user(Oid check_as_user);

/* open for a role, in CurrentMemoryContext; raises what stands in the way of reading it */
extern LyfRestTable *lyf_rest_table_open(Relation rel, Oid user);

/* a session that templates of the configuration can be evaluated in; account outlives it */
extern void lyf_rest_session(LyfSession *session, const LyfAccount *account);

/* in pushdown.c */

/* One condition that becomes part of the requests. */
typedef struct LyfPush
{
	int			strategy;		/* a btree strategy number */
	AttrNumber	attno;
	bool		any;			/* = ANY (array) */
	Oid			operator;		/* with the column on its left */
	Oid			collation;
	Expr	   *value;
} LyfPush;

/* NULL if the clause can become part of the requests (push is filled in), else why it cannot */
extern const char *lyf_push_clause(const LyfRestTable *table, PlannerInfo *root, Index varno,
								   Expr *clause, LyfPush *push);

/* a condition as it stands in a plan: a list of integers */
extern List *lyf_push_save(const LyfPush *push);
extern LyfPush lyf_push_load(const List *saved);

/* does it still hold for the table as it is now?  (a cached plan may be older than the connector) */
extern bool lyf_push_valid(const LyfRestTable *table, const LyfPush *push);

/*
 * Add a condition with its value to the options of a read, in CurrentMemoryContext.
 * False: with this value no row can match.
 */
extern bool lyf_push_apply(const LyfRestTable *table, const LyfPush *push,
						   Datum value, Oid value_type, bool isnull, LyfReadOptions *options);

/* in partition.c */

/*
 * Let a read leave out the partitions in which the condition cannot hold, in
 * CurrentMemoryContext.  False: it holds in none.
 */
extern bool lyf_partition_restrict(const LyfRestColumn *column, const LyfPush *push,
								   Datum value, Oid value_type, LyfReadOptions *options);

/* in rest_plan.c */

/* what a plan's fdw_private holds */
enum LyfRestPrivate
{
	LYF_PRIVATE_ATTRS,			/* numbers of the columns that are wanted */
	LYF_PRIVATE_PUSHED,			/* as lyf_push_save has them, in the order of fdw_exprs */
	LYF_PRIVATE_REASONS,		/* a string for each qual: why it is local, empty if it was pushed */
	LYF_PRIVATE_WANTED			/* an integer: rows after which the query is content, 0 where nobody knows */
};

extern void lyf_rest_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern void lyf_rest_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern ForeignScan *lyf_rest_plan(PlannerInfo *root, RelOptInfo *baserel, Oid relid,
								  ForeignPath *best_path, List *tlist,
								  List *scan_clauses, Plan *outer_plan);

/* in rest_scan.c */

/* a scan that runs (or is only explained) */
typedef struct LyfRestScan
{
	LyfRestTable *table;
	MemoryContext cxt;			/* the scan's */
	MemoryContext read_cxt;		/* its child: what was pushed, for one start */
	MemoryContext row_cxt;		/* its child: what the current row needs beside its record */
	LyfRowCast *cast;
	List	   *pushed;			/* of LyfPush *, those that hold now */
	List	   *push_values;	/* of ExprState *, one for each of them */
	LyfReader  *reader;			/* NULL: not started, or nothing to read */
	LyfRecords *records;		/* of the current page */
	int			next;			/* index of its next record */
	bool		started;
	bool		done;
	LyfScanControl *control;	/* the pipeline that steers this scan, or NULL */
	int64		checkpoint_start_us;
	int64		checkpoint_start_bytes;
	bool		page_read;		/* since the start: a checkpoint makes sense */
	int64		pages;			/* of all starts */
	int64		rows;			/* in the pages of this start */
	int			rows_wanted;	/* a LIMIT of the query, or 0 */
	LyfNetStats stats;
	LyfNetStats reported;		/* what control has heard of */
} LyfRestScan;

extern void lyf_rest_begin(ForeignScanState *node, int eflags);
extern TupleTableSlot *lyf_rest_iterate(ForeignScanState *node);
extern void lyf_rest_rescan(ForeignScanState *node);
extern void lyf_rest_end(ForeignScanState *node);

/* columns that a row is made of; attrs is a List of attribute numbers */
extern LyfRowCast *lyf_rest_row_cast(const LyfRestTable *table, TupleDesc desc, List *attrs);

/* in explain.c, import.c and analyze.c */
extern void lyf_rest_explain(ForeignScanState *node, struct ExplainState *es);
extern List *lyf_rest_import(ImportForeignSchemaStmt *stmt, Oid server);

/* A sample of rows in the making, each as likely as any other (Vitter's reservoir). */
typedef struct LyfSample
{
	HeapTuple  *rows;
	int			target;
	int			count;
	double		seen;
	double		to_skip;
	ReservoirStateData reservoir;
} LyfSample;

extern void lyf_sample_begin(LyfSample *sample, HeapTuple *rows, int target);
extern int	lyf_sample_place(LyfSample *sample);	/* of the row that comes next: where in rows it goes; -1: nowhere */

/* lyf_column_name, made one that is not taken yet; added to those that are */
extern char *lyf_unique_name(List **names, const char *source_name);
extern bool lyf_rest_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages);

#endif							/* LYF_FDW_INTERNAL_H */
