/*
 * mysql_fdw.c
 *		lyftron_mysql: tables of MySQL and MariaDB as foreign tables.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/compat.h"
#include "fdw/mysql_plan.h"

LYF_FUNCTION_INFO_V1(lyf_mysql_handler);
Datum
lyf_mysql_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	routine->GetForeignRelSize = lyf_mysql_rel_size;
	routine->GetForeignPaths = lyf_mysql_paths;
	routine->GetForeignJoinPaths = lyf_mysql_join_paths;
	routine->GetForeignUpperPaths = lyf_mysql_upper_paths;
	routine->GetForeignPlan = lyf_mysql_plan;
	routine->BeginForeignScan = lyf_mysql_begin;
	routine->IterateForeignScan = lyf_mysql_iterate;
	routine->ReScanForeignScan = lyf_mysql_rescan;
	routine->EndForeignScan = lyf_mysql_end;
	routine->ExplainForeignScan = lyf_mysql_explain;
	routine->ImportForeignSchema = lyf_mysql_import;
	routine->AnalyzeForeignTable = lyf_mysql_analyze;
	lyf_mysql_modify_routine(routine);
	PG_RETURN_POINTER(routine);
}
