/*
 * execute.c
 *		Doing a task: each kind with a function of its own.  Whatever a task does in its
 *		last transaction commits together with its end.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/guard.h"
#include "task/task.h"

typedef struct TaskKind
{
	const char *name;
	/* MUST: do it and commit, its end (lyf_task_succeeded) with it; or its error */
	ErrorData  *(*execute) (LyfTask *task);
} TaskKind;

static void
finish_run(void *arg)
{
	lyf_task_succeeded(arg);
}

static ErrorData *
execute_pipeline(LyfTask *task)
{
	LyfRunCaller caller = {&task->occasion, finish_run, lyf_help_ask, lyf_help_dismiss, task};

	return lyf_pipeline_run(task->name, &caller);
}

/* command is the number of the run that has cut its source */
static ErrorData *
execute_slice(LyfTask *task)
{
	LyfRunCaller caller = {&task->occasion, finish_run, NULL, NULL, task};

	return lyf_pipeline_help(task->name, strtoll(task->command, NULL, 10), &caller);
}

/*
 * One transaction, all of it.  An error takes it away as a whole: with a foreign server that was lost it could
 * not be committed.
 */
static ErrorData *
execute_guarded(LyfGuarded function, LyfTask *task)
{
	ErrorData  *error = lyf_guarded(function, task);

	if (error == NULL)
		return lyf_guarded_commit();
	SPI_rollback();
	return error;
}

static bool
run_command(void *arg)
{
	LyfTask    *task = arg;

	(void) lyf_command_run(task->owner, task->search_path, task->command, &task->occasion);
	lyf_task_succeeded(task);
	return true;
}

static ErrorData *
execute_sql(LyfTask *task)
{
	return execute_guarded(run_command, task);
}

static bool
send_alert(void *arg)
{
	lyf_alert_send(arg);
	lyf_task_succeeded(arg);
	return true;
}

static ErrorData *
execute_webhook(LyfTask *task)
{
	return execute_guarded(send_alert, task);
}

static const TaskKind kinds[] = {
	{"pipeline", execute_pipeline},
	{"slice", execute_slice},
	{"sql", execute_sql},
	{"webhook", execute_webhook},
};

ErrorData *
lyf_task_execute(LyfTask *task)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(kinds[i].name, task->kind) == 0)
			return kinds[i].execute(task);
	elog(ERROR, "task " INT64_FORMAT " is of an unknown kind \"%s\"", task->id, task->kind);
}
