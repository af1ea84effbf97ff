/*
 * mysql_plan.h
 *		What of a query lyftron_mysql leaves to the server, and how a plan tells the scan.
 */
#ifndef LYF_MYSQL_PLAN_H
#define LYF_MYSQL_PLAN_H

#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "fdw/mysql_internal.h"

/* What planning knows of a relation that the server can compute. */
typedef struct LyfMysqlRel
{
	LyfMysqlTable *table;		/* of a base relation */
	List	   *local;			/* RestrictInfos that are checked here */
	List	   *reasons;		/* why: a String for each of them */
} LyfMysqlRel;

/* in mysql_plan.c */

/* what a plan's fdw_private holds */
enum LyfMysqlPrivate
{
	LYF_MYSQL_PLAN_SQL,			/* a String: the query */
	LYF_MYSQL_PLAN_ATTRS,		/* integers: the attribute that each of its fields becomes */
	LYF_MYSQL_PLAN_REASONS		/* Strings: why each of the plan's conditions is checked here */
};

extern void lyf_mysql_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern void lyf_mysql_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern ForeignScan *lyf_mysql_plan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *best_path,
								   List *tlist, List *scan_clauses, Plan *outer_plan);

/* in mysql_scan.c */

/* a scan that runs (or is only explained) */
typedef struct LyfMysqlScan
{
	LyfMysqlReader reader;
	LyfMysqlSession *session;	/* NULL: not started, or over */
	Oid			server;
	Oid			user;
	LyfZeroDates zero_dates;
	const char *sql;
	int			count;			/* of fields */
	int		   *attnos;			/* that they become */
	LyfMysqlColumn **columns;	/* that they come from; NULL: computed */
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
	int64		rows;
	int64		queries;
	int64		wait_us;
} LyfMysqlScan;

extern void lyf_mysql_begin(ForeignScanState *node, int eflags);
extern TupleTableSlot *lyf_mysql_iterate(ForeignScanState *node);
extern void lyf_mysql_rescan(ForeignScanState *node);
extern void lyf_mysql_end(ForeignScanState *node);

/* in mysql_explain.c */
extern void lyf_mysql_explain(ForeignScanState *node, struct ExplainState *es);

#endif							/* LYF_MYSQL_PLAN_H */
