/*
 * batch.h
 *		A join whose outer rows look up their partners at a foreign server, many keys
 *		with one query: WHERE key IN (...).
 */
#ifndef LYF_BATCH_H
#define LYF_BATCH_H

#include "foreign/fdwapi.h"
#include "nodes/pathnodes.h"

/* What a wrapper must be able to do for its tables to be the inner side. */
typedef struct LyfBatchSource
{
	/* may rows be asked for by a list of values of this column, in this relation?  the type is the values' */
	bool		(*can_look_up) (PlannerInfo *root, RelOptInfo *rel, Var *column, Oid type);

	/* a path that does it for so many keys a query, not to be added to the relation */
	Path	   *(*look_up_path) (PlannerInfo *root, RelOptInfo *rel, Var *column, double rows_a_key, double keys);

	/* its scan: start anew with these keys; none is null */
	void		(*set_keys) (ForeignScanState *node, Oid type, const Datum *keys, int count);

	GetForeignPlan_function plan;	/* by which its tables are known */
} LyfBatchSource;

extern void lyf_batch_source(const LyfBatchSource *source);	/* called when the library is loaded */

/* in batch_exec.c */

/* what a plan's custom_private holds: integers */
enum LyfBatchPrivate
{
	LYF_BATCH_JOIN,				/* a JoinType */
	LYF_BATCH_OUTER,			/* how many columns the outer plan gives */
	LYF_BATCH_KEY,				/* which one of the inner plan's is looked up, from 0 */
	LYF_BATCH_OPERATOR,			/* outer = inner */
	LYF_BATCH_COLLATION,
	LYF_BATCH_SOURCE			/* number of the source */
};

extern Node *lyf_batch_create_state(CustomScan *plan);
extern const LyfBatchSource *lyf_batch_get_source(int number);

#endif							/* LYF_BATCH_H */
