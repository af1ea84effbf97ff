/*
 * mysql_batch.c
 *		Tables of lyftron_mysql as the inner side of joins in batches: WHERE key IN (...).
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "optimizer/pathnode.h"

#include "base/compat.h"
#include "fdw/batch.h"
#include "fdw/mysql_plan.h"

/* LyfBatchSource.path */
static Path *
keyed_path(PlannerInfo *root, RelOptInfo *rel, Expr *condition, double rows, double queries)
{
	LyfMysqlRel keyed = *(const LyfMysqlRel *) rel->fdw_private;
	LyfTranslation t;
	bool		superset;
	Cost		startup;
	Cost		total;

	lyf_mysql_translation(&t, root, rel);
	t.keyed = true;
	if (lyf_mysql_condition(&t, condition, &superset) == NULL)
		return NULL;
	lyf_mysql_estimate_keyed(rel, &keyed, condition, rows, queries);
	lyf_mysql_cost(rel, &keyed, false, false, &startup, &total);
	return (Path *) create_foreignscan_path(root, rel, NULL, LYF_PATH_ROWS(rows), startup, total, NIL, NULL,
											LYF_PATH_OUTER(NULL, NIL), list_make2(makeBoolean(false), condition));
}

const LyfBatchSource lyf_mysql_batch_source = {.plan = lyf_mysql_plan,.path = keyed_path};
