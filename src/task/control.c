/*
 * control.c
 *		SQL functions by which people intervene: cancel, pause and resume, do again.
 */
#include "postgres.h"

#include <signal.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/sinvaladt.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "task/board.h"
#include "task/task.h"

LYF_FUNCTION_INFO_V1(lyf_cancel_task);
LYF_FUNCTION_INFO_V1(lyf_pause_task);
LYF_FUNCTION_INFO_V1(lyf_resume_task);
LYF_FUNCTION_INFO_V1(lyf_pause_pipeline);
LYF_FUNCTION_INFO_V1(lyf_resume_pipeline);
LYF_FUNCTION_INFO_V1(lyf_pause_pool);
LYF_FUNCTION_INFO_V1(lyf_resume_pool);
LYF_FUNCTION_INFO_V1(lyf_retry_task);
LYF_FUNCTION_INFO_V1(lyf_retry_failed);

/* a task that is over when it is found has no row here; one that runs cannot end while we hold its lock */
static LyfCatalogPlan find_plan = {
	"SELECT id, kind, name, state, owner::oid AS owner, flow, window_start IS NOT NULL AS bounded, on_failure, pid FROM lyftron.queue WHERE id = $1 FOR UPDATE"
};

#define CANCELLED	"'cancelled by ' || $2"

static LyfCatalogPlan cancel_running_plan = {
	"WITH asked AS (UPDATE lyftron.queue SET cancelled = true WHERE id = $1 RETURNING *)," LYF_LOG_ROWS("asked", "info", CANCELLED)
	" SELECT 1 FROM asked"
};

static LyfCatalogPlan cancel_waiting_plan = {
	"WITH done AS (DELETE FROM lyftron.queue WHERE id = $1 RETURNING *)," LYF_LOG_ROWS("done", "info", CANCELLED)
	" INSERT INTO lyftron.history (state, " LYF_HISTORY_COLUMNS ", error, sqlstate)"
	" SELECT 'cancelled', " LYF_HISTORY_COLUMNS ", " CANCELLED ", '57014' FROM done"
};

static LyfCatalogPlan pause_task_plan = {
	"UPDATE lyftron.queue SET state = 'paused', blocked_on = NULL WHERE id = $1 AND state <> 'running'"
};

static LyfCatalogPlan pause_named_plan = {
	"UPDATE lyftron.queue SET state = 'paused', blocked_on = NULL WHERE kind IN ('pipeline', 'slice') AND name = $1 AND state <> 'running'"
};

#define RESUME \
	"UPDATE lyftron.queue SET seq = nextval('lyftron.queue_seq')," \
	" state = CASE WHEN awaits > 0 THEN 'waiting' WHEN run_at > clock_timestamp() THEN 'scheduled' ELSE 'ready' END" \
	" WHERE state = 'paused' AND "
#define RESUMED		" RETURNING pool, owner::oid AS owner, state"

static LyfCatalogPlan resume_task_plan = {RESUME "id = $1" RESUMED};
static LyfCatalogPlan resume_named_plan = {RESUME "kind IN ('pipeline', 'slice') AND name = $1" RESUMED};

static LyfCatalogPlan set_pipeline_plan = {
	"UPDATE lyftron.pipeline SET paused = $2 WHERE name = $1"
};

/* what went by while it was paused was not missed */
static LyfCatalogPlan forget_due_plan = {
	"DELETE FROM lyftron.due WHERE pipeline = $1"
};

static LyfCatalogPlan set_pool_plan = {
	"UPDATE lyftron.pool SET paused = $2 WHERE name = coalesce($1, name)"
};

static LyfCatalogPlan find_over_plan = {
	"SELECT id, kind, name, state, owner::oid AS owner, flow, window_start IS NOT NULL AS bounded, on_failure, pid FROM lyftron.history"
	" WHERE id = $1 AND kind <> 'slice' AND state IN ('failed', 'cancelled', 'skipped') AND retried_as IS NULL FOR UPDATE"
};

static LyfCatalogPlan find_failed_plan = {
	"SELECT id, kind, name, state, owner::oid AS owner, flow, window_start IS NOT NULL AS bounded, on_failure, pid FROM lyftron.history"
	" WHERE state = 'failed' AND kind <> 'slice' AND retried_as IS NULL AND finished_at >= $1 AND ($2 IS NULL OR name = $2) ORDER BY id FOR UPDATE"
};

static LyfCatalogPlan requeue_plan = {
	"INSERT INTO lyftron.queue (state, kind, name, command, search_path, owner, pool, priority, key, unique_key, exclusive, max_attempts,"
	" on_failure, nominal_at, window_start, window_end, flow)"
	" SELECT 'ready', kind, name, command, search_path, owner, pool, priority, key, unique_key, exclusive, max_attempts, on_failure,"
	" nominal_at, window_start, window_end, flow FROM lyftron.history WHERE id = $1"
	" ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state <> 'running' DO NOTHING"
	" RETURNING id, pool, owner::oid AS owner, state"
};

static LyfCatalogPlan find_pipeline_task_plan = {
	"SELECT id, pool, owner::oid AS owner, state FROM lyftron.queue WHERE unique_key = 'pipeline:' || $1 AND state <> 'running'"
};

static LyfCatalogPlan note_retry_plan = {
	"UPDATE lyftron.history SET retried_as = $2 WHERE id = $1"
};

/* A task as these functions need it. */
typedef struct Subject
{
	int64		id;
	char	   *kind;
	char	   *name;
	char	   *state;
	Oid			owner;
	int64		flow;
	bool		bounded;		/* a backfill */
	char	   *on_failure;
	int			pid;
} Subject;

static void *
read_subject(HeapTuple tuple, TupleDesc desc)
{
	Subject    *subject = palloc0(sizeof(Subject));

	subject->id = lyf_catalog_integer(tuple, desc, "id");
	subject->kind = lyf_catalog_text(tuple, desc, "kind");
	subject->name = lyf_catalog_text(tuple, desc, "name");
	subject->state = lyf_catalog_text(tuple, desc, "state");
	subject->owner = lyf_catalog_oid(tuple, desc, "owner");
	subject->flow = lyf_catalog_integer(tuple, desc, "flow");
	subject->bounded = lyf_catalog_bool(tuple, desc, "bounded");
	subject->on_failure = lyf_catalog_text(tuple, desc, "on_failure");
	subject->pid = (int) lyf_catalog_integer(tuple, desc, "pid");
	return subject;
}

/* The task of this number that the caller may use, or NULL. */
static Subject *
find_subject(int64 id, LyfCatalogPlan *plan)
{
	LyfArgs		args = {0};
	List	   *found;
	Subject    *subject;

	lyf_args_int8(&args, id);
	found = lyf_args_collect(&args, plan, read_subject);
	if (found == NIL)
		return NULL;
	subject = linitial(found);
	if (!has_privs_of_role(GetUserId(), subject->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for task " INT64_FORMAT, id),
				 errhint("Only its owner, and members of that role, may do that.")));
	return subject;
}

static void
run_for_task(LyfCatalogPlan *plan, int64 id)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, id);
	lyf_args_run_kept(&args, plan, lyf_wake_row, NULL);
}

/* Is it this process that runs the task?  A number can be another process' by now. */
static bool
is_run_by(int64 id, int pid)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			count;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (id >> 32), (uint32) id, LYF_LOCK_TASK);
	holders = GetLockConflicts(&tag, ExclusiveLock, &count);
	for (int i = 0; i < count; i++)
	{
		PGPROC	   *proc = lyf_vxid_proc(holders[i]);

		if (proc != NULL && proc->pid == pid)
			return true;
	}
	return false;
}

void
lyf_task_interrupt(int64 id, int pid)
{
	if (is_run_by(id, pid))
		(void) kill(pid, SIGINT);
}

/* lyftron.cancel_task(id) */
Datum
lyf_cancel_task(PG_FUNCTION_ARGS)
{
	int64		id = PG_GETARG_INT64(0);
	Subject    *subject = find_subject(id, &find_plan);
	LyfArgs		args = {0};

	if (subject == NULL)
		PG_RETURN_BOOL(false);
	lyf_args_int8(&args, id);
	lyf_args_text(&args, GetUserNameFromId(GetUserId(), false));
	if (strcmp(subject->state, "running") == 0)
	{
		/*
		 * Its end waits for the lock of its row, which we have until we commit: the signal
		 * cannot meet what the process does next.
		 */
		lyf_args_run_kept(&args, &cancel_running_plan, NULL, NULL);
		lyf_task_interrupt(id, subject->pid);
		PG_RETURN_BOOL(true);
	}
	lyf_args_run_kept(&args, &cancel_waiting_plan, NULL, NULL);
	if (subject->flow != 0)
		lyf_flow_failed(id, subject->name, subject->flow, subject->on_failure);
	PG_RETURN_BOOL(true);
}

static bool
change_task(int64 id, LyfCatalogPlan *plan)
{
	Subject    *subject = find_subject(id, &find_plan);

	if (subject == NULL || strcmp(subject->state, "running") == 0)
		return false;
	run_for_task(plan, id);
	return true;
}

/* lyftron.pause_task(id) */
Datum
lyf_pause_task(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(change_task(PG_GETARG_INT64(0), &pause_task_plan));
}

/* lyftron.resume_task(id) */
Datum
lyf_resume_task(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(change_task(PG_GETARG_INT64(0), &resume_task_plan));
}

static void
change_pipeline(char *name, bool paused)
{
	LyfArgs		set = {0};
	LyfArgs		args = {0};

	(void) lyf_pipeline_get(name);
	lyf_args_text(&set, name);
	lyf_args_datum(&set, BOOLOID, BoolGetDatum(paused), false);
	lyf_args_run_kept(&set, &set_pipeline_plan, NULL, NULL);
	lyf_args_text(&args, name);
	lyf_args_run_kept(&args, paused ? &pause_named_plan : &resume_named_plan, paused ? NULL : lyf_wake_row, NULL);
	if (!paused)
		lyf_args_run_kept(&args, &forget_due_plan, NULL, NULL);
	lyf_wake_overseer_at_commit();
}

/* lyftron.pause_pipeline(name) */
Datum
lyf_pause_pipeline(PG_FUNCTION_ARGS)
{
	change_pipeline(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	PG_RETURN_VOID();
}

/* lyftron.resume_pipeline(name) */
Datum
lyf_resume_pipeline(PG_FUNCTION_ARGS)
{
	change_pipeline(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	PG_RETURN_VOID();
}

static void
change_pools(FunctionCallInfo fcinfo, bool paused)
{
	LyfArgs		args = {0};

	lyf_args_datum(&args, TEXTOID, PG_ARGISNULL(0) ? (Datum) 0 : PG_GETARG_DATUM(0), PG_ARGISNULL(0));
	lyf_args_datum(&args, BOOLOID, BoolGetDatum(paused), false);
	if (lyf_args_run_kept(&args, &set_pool_plan, NULL, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no pool \"%s\"", PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0))),
				 errhint("SELECT pool FROM lyftron.pool_health shows which there are.")));
	lyf_wake_overseer_at_commit();
}

/* lyftron.pause_pool(name) */
Datum
lyf_pause_pool(PG_FUNCTION_ARGS)
{
	change_pools(fcinfo, true);
	PG_RETURN_VOID();
}

/* lyftron.resume_pool(name) */
Datum
lyf_resume_pool(PG_FUNCTION_ARGS)
{
	change_pools(fcinfo, false);
	PG_RETURN_VOID();
}

static void
take_new_id(void *arg, HeapTuple tuple, TupleDesc desc)
{
	lyf_catalog_take_id(arg, tuple, desc);
	lyf_wake_row(NULL, tuple, desc);
}

/* a pipeline is queued again with what comes after it, which was skipped; 0: a task of its kind waits already */
static int64
do_again(const Subject *subject)
{
	LyfArgs		args = {0};
	LyfArgs		note = {0};
	int64		id = 0;

	lyf_args_int8(&args, subject->id);
	lyf_args_run_kept(&args, &requeue_plan, take_new_id, &id);
	if (id != 0 && strcmp(subject->kind, "pipeline") == 0 && !subject->bounded)
	{
		LyfRoot		root = {.name = subject->name};

		(void) lyf_flow_begin(list_make1(&root), "retry", true, subject->on_failure);
	}
	if (id == 0 && strcmp(subject->kind, "pipeline") == 0 && !subject->bounded)
	{
		LyfArgs		named = {0};

		lyf_args_text(&named, subject->name);
		lyf_args_run_kept(&named, &find_pipeline_task_plan, take_new_id, &id);
	}
	lyf_args_int8(&note, subject->id);
	lyf_args_datum(&note, INT8OID, Int64GetDatum(id), id == 0);
	lyf_args_run_kept(&note, &note_retry_plan, NULL, NULL);
	return id;
}

/* lyftron.retry_task(id) */
Datum
lyf_retry_task(PG_FUNCTION_ARGS)
{
	Subject    *subject = find_subject(PG_GETARG_INT64(0), &find_over_plan);
	int64		id = subject == NULL ? 0 : do_again(subject);

	if (id == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(id);
}

/* lyftron.retry_failed(since, name) */
Datum
lyf_retry_failed(PG_FUNCTION_ARGS)
{
	LyfArgs		args = {0};
	int64		count = 0;
	ListCell   *lc;

	lyf_args_datum(&args, TIMESTAMPTZOID, PG_ARGISNULL(0) ? TimestampTzGetDatum(DT_NOBEGIN) : PG_GETARG_DATUM(0), false);
	lyf_args_datum(&args, TEXTOID, PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1), PG_ARGISNULL(1));
	foreach(lc, lyf_args_collect(&args, &find_failed_plan, read_subject))
	{
		Subject    *subject = lfirst(lc);

		if (has_privs_of_role(GetUserId(), subject->owner) && do_again(subject) != 0)
			count++;
	}
	PG_RETURN_INT64(count);
}
