/*
 * lyftron.c
 *		The module's start: each room is told that it is loaded.
 */
#include "postgres.h"

#include "fmgr.h"

#include "base/settings.h"
#include "fdw/batch.h"
#include "fdw/mysql_plan.h"
#include "task/process.h"
#include "task/task.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	lyf_settings_init();
	lyf_service_init();
	lyf_log_init();
	lyf_batch_source(&lyf_mysql_batch_source);
}
