/*
 * rest_fdw.c
 *		lyftron_rest: the streams of a connector as foreign tables, to be read.
 */
#include "postgres.h"

#include "fmgr.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "fdw/fdw_internal.h"

/* called when INSERT, UPDATE or DELETE is planned */
static List *
refuse_writing(PlannerInfo *root, ModifyTable *plan, Index varno, int subplan)
{
	RangeTblEntry *rte = planner_rt_fetch(varno, root);

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("foreign table \"%s\" is read-only", get_rel_name(rte->relid)),
			 errdetail("The streams of a REST source can be read, not written.")));
	return NIL;
}

LYF_FUNCTION_INFO_V1(lyf_rest_handler);
Datum
lyf_rest_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = lyf_rest_rel_size;
	routine->GetForeignPaths = lyf_rest_paths;
	routine->GetForeignPlan = lyf_rest_plan;
	routine->BeginForeignScan = lyf_rest_begin;
	routine->IterateForeignScan = lyf_rest_iterate;
	routine->ReScanForeignScan = lyf_rest_rescan;
	routine->EndForeignScan = lyf_rest_end;
	routine->ExplainForeignScan = lyf_rest_explain;
	routine->AnalyzeForeignTable = lyf_rest_analyze;
	routine->ImportForeignSchema = lyf_rest_import;
	routine->PlanForeignModify = refuse_writing;
	PG_RETURN_POINTER(routine);
}
