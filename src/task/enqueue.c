/*
 * enqueue.c
 *		SQL functions that put statements into the queue, one or many.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "task/board.h"
#include "task/task.h"

LYF_FUNCTION_INFO_V1(lyf_enqueue);
LYF_FUNCTION_INFO_V1(lyf_enqueue_several);

/* what is given of a new task, in this order */
enum
{
	ID,
	SEQ,
	STATE,
	KIND,
	NAME,
	COMMAND,
	SEARCH_PATH,
	OWNER,
	POOL,
	PRIORITY,
	KEY,
	UNIQUE_KEY,
	EXCLUSIVE,
	RUN_AT,
	MAX_ATTEMPTS,
	CREATED_AT,
	COLUMNS
};

static const LyfInsertColumn columns[COLUMNS] = {
	[ID] = {"id", INT8OID},
	[SEQ] = {"seq", INT8OID},
	[STATE] = {"state", TEXTOID},
	[KIND] = {"kind", TEXTOID},
	[NAME] = {"name", TEXTOID},
	[COMMAND] = {"command", TEXTOID},
	[SEARCH_PATH] = {"search_path", TEXTOID},
	[OWNER] = {"owner", REGROLEOID},
	[POOL] = {"pool", TEXTOID},
	[PRIORITY] = {"priority", INT4OID},
	[KEY] = {"key", TEXTOID},
	[UNIQUE_KEY] = {"unique_key", TEXTOID},
	[EXCLUSIVE] = {"exclusive", TEXTOID},
	[RUN_AT] = {"run_at", TIMESTAMPTZOID},
	[MAX_ATTEMPTS] = {"max_attempts", INT4OID},
	[CREATED_AT] = {"created_at", TIMESTAMPTZOID},
};

/* a task is as far in its order as its number says: both grow alike */
static LyfInsertTable queue = {"queue", "queue_seq", SEQ + 1, columns, COLUMNS};

static LyfCatalogPlan insert_plan = {
	"INSERT INTO lyftron.queue (state, kind, name, command, search_path, owner, pool, priority, key, unique_key, exclusive,"
	" run_at, max_attempts, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
	" ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state <> 'running' DO NOTHING RETURNING id"
};

typedef struct NewTask
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
} NewTask;

/* Tasks that differ in their commands: rows that are put into the queue together. */
typedef struct Batch
{
	NewTask		common;
	Datum		values[LYF_INSERT_ROWS * COLUMNS];
	bool		nulls[LYF_INSERT_ROWS * COLUMNS];
	int			rows;
} Batch;

static void
set(NewTask *task, int column, Datum value)
{
	task->values[column] = value;
	task->nulls[column] = false;
}

/* from an argument, where that is not null */
static void
take(NewTask *task, int column, FunctionCallInfo fcinfo, int number)
{
	if (!PG_ARGISNULL(number))
		set(task, column, PG_GETARG_DATUM(number));
}

static void
refuse_null(FunctionCallInfo fcinfo, int number)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("command, pool, priority and max_attempts must not be null")));
}

/* What all commands of a call have in common; the arguments stand the same in both functions up to key. */
static void
describe(NewTask *task, FunctionCallInfo fcinfo, int max_attempts)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz run_at = PG_ARGISNULL(4) ? now : PG_GETARG_TIMESTAMPTZ(4);

	PreventCommandIfReadOnly("lyftron.enqueue");
	refuse_null(fcinfo, 0);
	refuse_null(fcinfo, 2);
	refuse_null(fcinfo, 3);
	refuse_null(fcinfo, max_attempts);
	memset(task->nulls, true, sizeof(task->nulls));
	set(task, STATE, CStringGetTextDatum(run_at <= now ? "ready" : "scheduled"));
	set(task, KIND, CStringGetTextDatum("sql"));
	set(task, NAME, task->values[KIND]);
	take(task, NAME, fcinfo, 1);
	set(task, SEARCH_PATH, CStringGetTextDatum(namespace_search_path));
	set(task, OWNER, ObjectIdGetDatum(GetUserId()));
	take(task, POOL, fcinfo, 2);
	take(task, PRIORITY, fcinfo, 3);
	take(task, KEY, fcinfo, 5);
	set(task, RUN_AT, TimestampTzGetDatum(run_at));
	take(task, MAX_ATTEMPTS, fcinfo, max_attempts);
	set(task, CREATED_AT, TimestampTzGetDatum(now));
}

/* its number; 0: one of its unique_key waits already, or a trigger refused it */
static int64
put_by_statement(const Datum *values, const bool *nulls)
{
	LyfArgs		args = {0};
	int64		id = 0;

	for (int i = SEQ + 1; i < COLUMNS; i++)
		lyf_args_datum(&args, columns[i].type, values[i], nulls[i]);
	lyf_args_run_kept(&args, &insert_plan, lyf_catalog_take_id, &id);
	return id;
}

static void
wake(const NewTask *task, int count)
{
	if (DatumGetTimestampTz(task->values[RUN_AT]) <= DatumGetTimestampTz(task->values[CREATED_AT]))
		lyf_wake_at_commit(TextDatumGetCString(task->values[POOL]), GetUserId(), count);
	else
		lyf_wake_overseer_at_commit();
}

/* lyftron.enqueue(command, name, pool, priority, run_at, key, unique_key, max_attempts) */
Datum
lyf_enqueue(PG_FUNCTION_ARGS)
{
	NewTask		task;

	describe(&task, fcinfo, 7);
	set(&task, COMMAND, PG_GETARG_DATUM(0));
	take(&task, UNIQUE_KEY, fcinfo, 6);
	take(&task, EXCLUSIVE, fcinfo, 6);
	if (!task.nulls[UNIQUE_KEY] || !lyf_catalog_insert(&queue, 1, task.values, task.nulls))
		set(&task, ID, Int64GetDatum(put_by_statement(task.values, task.nulls)));
	if (DatumGetInt64(task.values[ID]) == 0)
		PG_RETURN_NULL();
	wake(&task, 1);
	PG_RETURN_DATUM(task.values[ID]);
}

/* Queue what is in the batch; the tasks' numbers go to the result. */
static void
flush(Batch *batch, ReturnSetInfo *result)
{
	bool		inserted = batch->rows > 0 && lyf_catalog_insert(&queue, batch->rows, batch->values, batch->nulls);

	for (int i = 0; i < batch->rows; i++)
	{
		Datum	   *values = &batch->values[i * COLUMNS];
		Datum		id = inserted ? values[ID] : Int64GetDatum(put_by_statement(values, &batch->nulls[i * COLUMNS]));
		bool		isnull = DatumGetInt64(id) == 0;

		tuplestore_putvalues(result->setResult, result->setDesc, &id, &isnull);
	}
	if (batch->rows > 0)
		wake(&batch->common, batch->rows);
	batch->rows = 0;
}

static void
add(Batch *batch, Datum command)
{
	set(&batch->common, COMMAND, command);
	memcpy(&batch->values[batch->rows * COLUMNS], batch->common.values, sizeof(batch->common.values));
	memcpy(&batch->nulls[batch->rows * COLUMNS], batch->common.nulls, sizeof(batch->common.nulls));
	batch->rows++;
}

/* lyftron.enqueue(commands, name, pool, priority, run_at, key, max_attempts) */
Datum
lyf_enqueue_several(PG_FUNCTION_ARGS)
{
	Batch	   *batch = palloc(sizeof(Batch));
	ReturnSetInfo *result;
	Datum	   *commands;
	bool	   *nulls;
	int			count;

	batch->rows = 0;
	describe(&batch->common, fcinfo, 6);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &commands, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("command %d of %d is null", i + 1, count)));
		add(batch, commands[i]);
		if (batch->rows == LYF_INSERT_ROWS)
			flush(batch, result);
		CHECK_FOR_INTERRUPTS();
	}
	flush(batch, result);
	return (Datum) 0;
}
