/*
 * mysql_plan.h
 *		What of a query lyftron_mysql leaves to the server, and how a plan tells the scan.
 */
#ifndef LYF_MYSQL_PLAN_H
#define LYF_MYSQL_PLAN_H

#include "nodes/execnodes.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "fdw/mysql_internal.h"
#include "fdw/mysql_term.h"

/* What planning knows of a base, join or upper relation (its fdw_private) that one query can compute. */
typedef struct LyfMysqlRel
{
	Oid			server;
	Oid			user;
	LyfZeroDates zero_dates;
	const LyfMysqlTable *table;		/* of a base relation, else NULL */
	List	   *remote;			/* conditions of the query: WHERE, or HAVING where there are groups */
	List	   *local;			/* conditions that are checked here */
	List	   *reasons;		/* why: a String for each of them */

	/* a join: FROM outer JOIN inner ON clauses; of a semi or anti join the inner side stands in a condition */
	RelOptInfo *outer;
	RelOptInfo *inner;
	JoinType	jointype;		/* inner, left, semi or anti */
	List	   *clauses;
	List	   *exists;			/* semi and anti joins (LyfMysqlRel) that are conditions of the query, beside remote */
	List	   *clause_exists;	/* those that are conditions of ON, beside clauses */
	Relids		hidden;			/* tables inside of them, whose columns nothing outside sees */

	/* an upper relation */
	RelOptInfo *source;			/* what it is made of: rows of a base or join relation; or the relation that it sorts */
	List	   *groups;			/* expressions that rows are grouped by */
	List	   *outputs;		/* of the query: groups, aggregates */
	bool		grouped;
	bool		sorted;

	/* estimates */
	double		rows;			/* that the query gives */
	Cost		work;			/* of the server, without sending them */
} LyfMysqlRel;

/* A query in the making. */
typedef struct LyfMysqlQuery
{
	RelOptInfo *rel;			/* base, join, or upper relation that it computes */
	List	   *where;			/* a base relation's conditions, with those of its parameters */
	List	   *outputs;
	List	   *pathkeys;		/* ORDER BY */
	bool		limited;		/* LIMIT and OFFSET of the whole statement */
} LyfMysqlQuery;

/* in mysql_deparse.c */

/* a translation for the columns of a relation */
extern void lyf_mysql_translation(LyfTranslation *t, PlannerInfo *root, RelOptInfo *rel);

/* the text of a query; what it needs when it runs is in t */
extern char *lyf_mysql_deparse(LyfTranslation *t, const LyfMysqlQuery *query);

/* "`database`.`table`" */
extern void lyf_mysql_table_name(StringInfo sql, const LyfMysqlTable *table);

/* "a AND b", of conditions that are known to be for the server */
extern void lyf_mysql_conditions(StringInfo sql, LyfTranslation *t, List *conditions);

/* an expression by which a relation's rows can be sorted so at the server, or NULL */
extern Expr *lyf_mysql_sort_expression(PlannerInfo *root, RelOptInfo *rel, PathKey *pathkey);

/* in mysql_plan.c */

/* what a plan's fdw_private holds */
enum LyfMysqlPrivate
{
	LYF_MYSQL_PLAN_SQL,			/* a String: the query, with places for values */
	LYF_MYSQL_PLAN_PLACES,		/* what goes there: places that were saved; the values are fdw_exprs */
	LYF_MYSQL_PLAN_ATTRS,		/* integers: the attribute that each of its fields becomes */
	LYF_MYSQL_PLAN_REASONS		/* Strings: why each of the plan's conditions is checked here */
};

/* what a path's fdw_private holds */
enum LyfMysqlPathPrivate
{
	LYF_MYSQL_PATH_LIMITED,		/* a Boolean */
	LYF_MYSQL_PATH_KEYS			/* in a join in batches: the condition with its keys */
};

/* which of some conditions (RestrictInfos) on a base relation the server checks, and which ones are checked here */
extern void lyf_mysql_split_conditions(PlannerInfo *root, RelOptInfo *rel, List *clauses,
									   List **remote, List **local, List **reasons);

/* the pathkeys, if the server can sort the relation so; else NIL */
extern List *lyf_mysql_useful_order(PlannerInfo *root, RelOptInfo *rel, List *pathkeys);

extern void lyf_mysql_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern void lyf_mysql_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern ForeignScan *lyf_mysql_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *best_path,
								   List *tlist, List *scan_clauses, Plan *outer_plan);

/* in mysql_estimate.c */

/* a base relation's key of one column is unique to the planner's estimates, and to nothing else */
extern void lyf_mysql_estimate_unique(RelOptInfo *rel);

/* rows that the query gives, and the server's work for them */
extern void lyf_mysql_estimate_scan(PlannerInfo *root, RelOptInfo *rel);
extern void lyf_mysql_estimate_driven(PlannerInfo *root, RelOptInfo *rel, LyfMysqlRel *driven);
extern void lyf_mysql_estimate_keyed(RelOptInfo *rel, LyfMysqlRel *keyed, Expr *condition, double rows, double queries);
extern void lyf_mysql_estimate_join(PlannerInfo *root, RelOptInfo *rel);
extern void lyf_mysql_estimate_groups(PlannerInfo *root, RelOptInfo *rel, double groups);

/* what a path costs, with local conditions; sorted by the server?  limited to some rows? */
extern void lyf_mysql_cost(RelOptInfo *rel, const LyfMysqlRel *mine, bool sorted, bool limited, Cost *startup, Cost *total);

/* in mysql_batch.c */
struct LyfBatchSource;
extern const struct LyfBatchSource lyf_mysql_batch_source;

/* in mysql_join.c and mysql_upper.c */
extern void lyf_mysql_join_paths(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outer, RelOptInfo *inner,
								 JoinType jointype, JoinPathExtraData *extra);
extern void lyf_mysql_upper_paths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra);

/* in mysql_fill.c: a query's text with the values of this moment */
typedef struct LyfMysqlFiller LyfMysqlFiller;

/* expressions and places as a plan has them */
extern LyfMysqlFiller *lyf_mysql_filler_begin(PlanState *plan, List *values, List *places);

/* the text with all places filled, in CurrentMemoryContext */
extern void lyf_mysql_filler_fill(LyfMysqlFiller *filler, StringInfo sql, const char *text, ExprContext *econtext);

/* in mysql_scan.c */

/* a scan that runs (or is only explained) */
typedef struct LyfMysqlScan
{
	LyfMysqlReader reader;
	LyfMysqlSession *session;	/* NULL: not started */
	Oid			server;
	Oid			user;
	LyfZeroDates zero_dates;
	const char *sql;			/* with places */
	LyfMysqlFiller *filler;
	List	   *tables;			/* of LyfMysqlTable * */
	int			count;			/* of fields */
	int		   *attnos;			/* that they become */
	const LyfMysqlColumn **columns;	/* that they come from; NULL: computed */
	TupleDesc	desc;
	LyfMysqlCast *cast;
	MemoryContext cxt;			/* the scan's */
	MemoryContext row_cxt;		/* its child: of the current row */
	MemoryContext query_cxt;	/* its child: of one start */
	ResourceOwner owner;
	Tuplestorestate *aside;		/* rows that were put aside, or NULL */
	TupleTableSlot *aside_slot;
	LyfFailure *aside_failure;	/* what comes after them, or NULL */
	bool		started;
	bool		done;
	int64		queries;
	int64		rows;
	int64		wait_us;		/* of queries that are over */
	int64		wait_start;		/* what the session had waited before this one; -1: it is over */
} LyfMysqlScan;

extern void lyf_mysql_begin(ForeignScanState *node, int eflags);
extern TupleTableSlot *lyf_mysql_iterate(ForeignScanState *node);
extern void lyf_mysql_rescan(ForeignScanState *node);
extern void lyf_mysql_end(ForeignScanState *node);

/* in mysql_explain.c */
extern void lyf_mysql_explain(ForeignScanState *node, struct ExplainState *es);
extern void lyf_mysql_explain_values(const ForeignScan *plan, struct ExplainState *es);
extern void lyf_mysql_show_place(void *arg, StringInfo sql, int number);	/* arg: a List of saved places */

#endif							/* LYF_MYSQL_PLAN_H */
