/*
 * hold.c
 *		Holds the lock of a task, as the session does that runs it: tasks that nobody runs look as if.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"

/* as in task/task.h */
#define LYF_LOCK_TASK		19546

PG_MODULE_MAGIC;

PGDLLEXPORT Datum bench_hold(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(bench_hold);

/* bench.hold(id): as long as the session lives */
Datum
bench_hold(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (id >> 32), (uint32) id, LYF_LOCK_TASK);
	(void) LockAcquire(&tag, ExclusiveLock, true, false);
	PG_RETURN_VOID();
}
