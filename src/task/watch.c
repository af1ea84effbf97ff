/*
 * watch.c
 *		The board as SQL sees it: the processes of this database, and what is wanted.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "task/board.h"

LYF_FUNCTION_INFO_V1(lyf_workers);
LYF_FUNCTION_INFO_V1(lyf_wants);

#define WORKER_COLUMNS	7
#define WANT_COLUMNS	4

/* a copy to look at without the lock; NULL: there is no board */
static LyfBoard *
copy_board(void)
{
	LyfBoard   *board = lyf_board();
	LyfBoard   *copy;

	if (board == NULL)
		return NULL;
	copy = palloc(sizeof(LyfBoard));
	LWLockAcquire(&board->lock, LW_SHARED);
	memcpy(copy, board, sizeof(LyfBoard));
	LWLockRelease(&board->lock);
	return copy;
}

static void
put_process(ReturnSetInfo *result, int pid, const char *kind)
{
	Datum		values[WORKER_COLUMNS] = {Int32GetDatum(pid), CStringGetTextDatum(kind)};
	bool		nulls[WORKER_COLUMNS] = {false, false, true, true, true, true, true};

	if (pid != 0)
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_worker(ReturnSetInfo *result, const LyfBoardWorker *worker)
{
	static const char *const states[] = {"", "starting", "idle", "busy"};
	Datum		values[WORKER_COLUMNS];
	bool		nulls[WORKER_COLUMNS] = {false};

	values[0] = Int32GetDatum(worker->process.pid);
	nulls[0] = worker->process.pid == 0;
	values[1] = CStringGetTextDatum(worker->background ? "worker" : "session");
	values[2] = CStringGetTextDatum(NameStr(worker->pool));
	values[3] = ObjectIdGetDatum(worker->owner);
	values[4] = CStringGetTextDatum(worker->retire ? "retiring" : states[worker->state]);
	values[5] = TimestampTzGetDatum(worker->since);
	values[6] = Int64GetDatum(worker->task);
	nulls[6] = worker->task == 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* lyftron.workers() */
Datum
lyf_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LyfBoard   *board = copy_board();
	LyfBoardDatabase *database;

	InitMaterializedSRF(fcinfo, 0);
	if (board == NULL)
		return (Datum) 0;
	put_process(result, board->coordinator.pid, "coordinator");
	database = lyf_board_database(board, MyDatabaseId, false);
	if (database != NULL)
		put_process(result, database->overseer.pid, "overseer");
	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
		if (board->workers[i].state != LYF_WORKER_FREE && board->workers[i].database == MyDatabaseId)
			put_worker(result, &board->workers[i]);
	return (Datum) 0;
}

/* lyftron.wants() */
Datum
lyf_wants(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LyfBoard   *board = copy_board();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; board != NULL && i < LYF_BOARD_WANTS; i++)
	{
		LyfBoardWant *want = &board->wants[i];
		Datum		values[WANT_COLUMNS];
		bool		nulls[WANT_COLUMNS] = {false};

		if (want->database != MyDatabaseId)
			continue;
		values[0] = CStringGetTextDatum(NameStr(want->pool));
		values[1] = ObjectIdGetDatum(want->owner);
		values[2] = Int32GetDatum(Max(want->wanted, 0));
		values[3] = Int32GetDatum(want->granted);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
