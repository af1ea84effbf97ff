/*
 * batch.h
 *		A join whose outer rows look up their partners at a foreign server, many keys
 *		with one query: WHERE key IN (...).
 */
#ifndef LYF_BATCH_H
#define LYF_BATCH_H

#include "foreign/fdwapi.h"
#include "nodes/pathnodes.h"

/*
 * What a wrapper must be able to do for its tables to be the inner side.  The condition is column = ANY (keys), in which a
 * CaseTestExpr stands for the array of keys: its value is caseValue_datum of the scan's expression context.
 */
typedef struct LyfBatchSource
{
	GetForeignPlan_function plan;	/* by which its tables are known */

	/* a path with this condition for so many rows, got by so many queries, that is not added to the relation; NULL: it cannot be done */
	Path	   *(*path) (PlannerInfo *root, RelOptInfo *rel, Expr *condition, double rows, double queries);
} LyfBatchSource;

/* in batch_plan.c: called for each source when the library is loaded */
extern void lyf_batch_source(const LyfBatchSource *source);

/* rows of the first query of a join, and of the largest: each has twice as many as the one before */
#define LYF_FIRST_BATCH		128
#define LYF_LARGEST_BATCH	2048

/* in batch_exec.c */

/* what a plan's custom_private holds: integers */
enum LyfBatchPrivate
{
	LYF_BATCH_JOIN,				/* a JoinType */
	LYF_BATCH_OUTER,			/* how many columns the outer plan gives */
	LYF_BATCH_KEY,				/* which one of the inner plan's is looked up, from 0 */
	LYF_BATCH_OPERATOR,			/* outer = inner */
	LYF_BATCH_COLLATION
};

extern Node *lyf_batch_create_state(CustomScan *plan);

#endif							/* LYF_BATCH_H */
