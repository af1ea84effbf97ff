/*
 * rejected.c
 *		Records that could not be loaded: kept in lyftron.rejected with the reason,
 *		in the same commit as the rows around them; or the end of the run.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "load/load_internal.h"

#define BATCH_RECORDS	500
#define BATCH_BYTES		(4 * 1024 * 1024)

struct LyfRejects
{
	const char *pipeline;
	const char *stream;
	int64		run;
	bool		keep;
	int64		max;
	int64		count;			/* of the run */
	MemoryContext cxt;			/* of what is collected */
	List	   *states;			/* of char *: SQLSTATE, reason, record */
	List	   *reasons;
	List	   *records;
	Size		bytes;
};

LyfRejects *
lyf_rejects_begin(const char *pipeline, int64 run, const char *stream, bool keep, int64 max, int64 before)
{
	LyfRejects *rejects = palloc0(sizeof(LyfRejects));

	rejects->pipeline = pstrdup(pipeline);
	rejects->stream = pstrdup(stream);
	rejects->run = run;
	rejects->keep = keep;
	rejects->max = max;
	rejects->count = before;
	rejects->cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron rejected records", ALLOCSET_DEFAULT_SIZES);
	return rejects;
}

void
lyf_rejects_flush(LyfRejects *rejects)
{
	LyfArgs		args = {0};

	if (rejects->records != NIL)
	{
		lyf_args_text(&args, rejects->pipeline);
		lyf_args_text(&args, rejects->stream);
		lyf_args_int8(&args, rejects->run);
		lyf_args_texts(&args, rejects->states, false);
		lyf_args_texts(&args, rejects->reasons, false);
		lyf_args_texts(&args, rejects->records, false);
		lyf_args_run(&args,
					 "INSERT INTO lyftron.rejected (pipeline, stream, run, sqlstate, reason, record) "
					 "SELECT $1, $2, $3, r.sqlstate, r.reason, r.record "
					 "FROM unnest($4, $5, $6) AS r (sqlstate, reason, record)", NULL, NULL);
	}
	rejects->states = rejects->reasons = rejects->records = NIL;
	rejects->bytes = 0;
	MemoryContextReset(rejects->cxt);
}

static void
raise_rejected(const LyfFailure *failure, const char *record)
{
	int			len = pg_mbcliplen(record, strlen(record), 500);

	ereport(ERROR,
			(errcode(failure->sqlstate),
			 errmsg_internal("%s", failure->message),
			 errdetail("The record: %.*s%s", len, record, record[len] != '\0' ? "..." : ""),
			 errhint("With on_reject => 'keep' a pipeline keeps such records in lyftron.rejected_records and goes on.")));
}

void
lyf_rejects_add(LyfRejects *rejects, const LyfFailure *failure, const char *record)
{
	MemoryContext old;

	if (!rejects->keep)
		raise_rejected(failure, record);
	rejects->count++;
	if (rejects->max >= 0 && rejects->count > rejects->max)
		ereport(ERROR,
				(errcode(failure->sqlstate),
				 errmsg("more than " INT64_FORMAT " records of pipeline \"%s\" were rejected", rejects->max, rejects->pipeline),
				 errdetail("The last one: %s.", failure->message),
				 errhint("See lyftron.rejected_records; the pipeline's max_rejected says how many are accepted.")));

	old = MemoryContextSwitchTo(rejects->cxt);
	rejects->states = lappend(rejects->states, pstrdup(unpack_sql_state(failure->sqlstate)));
	rejects->reasons = lappend(rejects->reasons, failure->detail == NULL ? pstrdup(failure->message)
							   : psprintf("%s: %s", failure->message, failure->detail));
	rejects->records = lappend(rejects->records, pstrdup(record));
	rejects->bytes += strlen(record);
	MemoryContextSwitchTo(old);
	if (list_length(rejects->records) >= BATCH_RECORDS || rejects->bytes >= BATCH_BYTES)
		lyf_rejects_flush(rejects);
}

int64
lyf_rejects_count(const LyfRejects *rejects)
{
	return rejects->count;
}
