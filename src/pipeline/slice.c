/*
 * slice.c
 *		Slices of a run, as rows of lyftron.slice.
 *
 * Who reads a slice holds the lock of its row, in the transaction that loads it and then says that it is
 * done: so of several sessions one has it, and what a session leaves behind when it ends is
 * as if it had not begun.  Slices belong to a run only as long as the pipeline's page names it: what
 * forgets the page makes an end of them, without a look at who reads one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "net/net.h"
#include "pipeline/pipeline_internal.h"

/* a slice that failed is tried again after a wait, doubled each time, with jitter; so often in all */
#define MAX_ATTEMPTS	5
#define FIRST_WAIT_MS	INT64CONST(1000)
#define LONGEST_WAIT_MS	INT64CONST(60000)

/* where nothing was read for longer than that, one does not go on: the table would be made of old slices and new ones */
#define RESUME_WITHIN	"interval '1 hour'"

#define PAGE_OF(sliced) \
	"lyftron.run r, lyftron.state t WHERE r.id = " sliced " AND t.pipeline = r.pipeline AND t.partition IS NULL" \
	" AND (t.page -> 'sliced' ->> 'run')::int8 = r.id"

static LyfCatalogPlan insert_plan = {
	"INSERT INTO lyftron.slice (run, number, low, high)"
	" SELECT $1, c.number, c.low, lead(c.low) OVER (ORDER BY c.number)"
	" FROM unnest(ARRAY[NULL] || $2) WITH ORDINALITY AS c (low, number)"
};

static LyfCatalogPlan claim_plan = {
	"WITH page AS MATERIALIZED (SELECT r.pipeline, t.page FROM " PAGE_OF("$1") "),"
	" next AS MATERIALIZED (SELECT s.number, s.low, s.high, s.attempt FROM lyftron.slice s WHERE s.run = $1 AND s.state = 'waiting'"
	"  AND s.not_before <= clock_timestamp() ORDER BY s.number LIMIT 1 FOR UPDATE SKIP LOCKED)"
	" SELECT n.*, p.page, (SELECT max(c.id) FROM lyftron.run c WHERE c.pipeline = p.pipeline AND c.state = 'running') AS run, (SELECT sum(d.rows_rejected)::int8 FROM lyftron.slice d WHERE d.run = $1 AND d.state = 'done') AS rejected"
	" FROM next n, page p"
};

static LyfCatalogPlan done_plan = {
	"UPDATE lyftron.slice SET state = 'done', started_at = $3, finished_at = clock_timestamp(), pid = pg_backend_pid(),"
	" rows_read = $4, rows_written = $5, rows_rejected = $6, doubtful = $7, error = NULL, sqlstate = NULL, detail = NULL, hint = NULL"
	" WHERE run = $1 AND number = $2"
};

/* not where somebody else has tried it since */
static LyfCatalogPlan failed_plan = {
	"UPDATE lyftron.slice SET state = CASE WHEN $4 IS NULL THEN 'failed' ELSE 'waiting' END, attempt = attempt + 1,"
	" not_before = coalesce($4, not_before), pid = pg_backend_pid(), error = $5, sqlstate = $6, detail = $7, hint = $8"
	" WHERE run = $1 AND number = $2 AND attempt = $3 AND state = 'waiting'"
};

static LyfCatalogPlan resume_plan = {
	"WITH recent AS (SELECT greatest(max(s.finished_at), max(r.started_at)) > clock_timestamp() - " RESUME_WITHIN " AS ok"
	"  FROM lyftron.slice s JOIN lyftron.run r ON r.id = s.run WHERE s.run = $1),"
	" again AS (UPDATE lyftron.slice s SET state = 'waiting', attempt = 0, not_before = '-infinity' FROM recent"
	"  WHERE s.run = $1 AND s.state = 'failed' AND recent.ok)"
	" SELECT 1 FROM recent WHERE ok"
};

static LyfCatalogPlan look_plan = {
	"SELECT count(*) FILTER (WHERE s.state = 'waiting') AS waiting, count(*) FILTER (WHERE s.state = 'done') AS done,"
	" coalesce(sum(s.rows_read), 0)::int8 AS read, coalesce(sum(s.rows_written), 0)::int8 AS written,"
	" coalesce(sum(s.rows_rejected), 0)::int8 AS rejected, count(*) FILTER (WHERE s.doubtful) AS doubtful FROM lyftron.slice s WHERE s.run = $1"
};

static LyfCatalogPlan given_up_plan = {
	"SELECT error, sqlstate, detail, hint FROM lyftron.slice WHERE run = $1 AND state = 'failed' ORDER BY number LIMIT 1"
};

static int64
integer(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = lyf_catalog_column(tuple, desc, name, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

void
lyf_slices_insert(int64 sliced, List *cuts)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, sliced);
	lyf_args_texts(&args, cuts, false);
	lyf_args_run_kept(&args, &insert_plan, NULL, NULL);
}

typedef struct Claimed
{
	MemoryContext cxt;
	LyfRunSlice *slice;
} Claimed;

static void
take_slice(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Claimed    *claimed = arg;
	MemoryContext old = MemoryContextSwitchTo(claimed->cxt);
	LyfRunSlice *slice = palloc0(sizeof(LyfRunSlice));
	bool		isnull;

	slice->number = DatumGetInt32(lyf_catalog_column(tuple, desc, "number", &isnull));
	slice->low = lyf_catalog_text(tuple, desc, "low");
	slice->high = lyf_catalog_text(tuple, desc, "high");
	slice->attempt = DatumGetInt32(lyf_catalog_column(tuple, desc, "attempt", &isnull));
	slice->page = lyf_catalog_value(tuple, desc, "page");
	slice->rejected = integer(tuple, desc, "rejected");
	slice->run = integer(tuple, desc, "run");
	claimed->slice = slice;
	MemoryContextSwitchTo(old);
}

LyfRunSlice *
lyf_slice_claim(int64 sliced)
{
	Claimed		claimed = {CurrentMemoryContext, NULL};
	LyfArgs		args = {0};

	lyf_args_int8(&args, sliced);
	lyf_args_run_kept(&args, &claim_plan, take_slice, &claimed);
	if (claimed.slice != NULL)
		claimed.slice->sliced = sliced;
	return claimed.slice;
}

static void
add_slice(LyfArgs *args, const LyfRunSlice *slice)
{
	lyf_args_int8(args, slice->sliced);
	lyf_args_datum(args, INT4OID, Int32GetDatum(slice->number), false);
}

void
lyf_slice_done(const LyfRunSlice *slice, TimestampTz started, const LyfJobCounts *counts, bool doubtful)
{
	LyfArgs		args = {0};

	add_slice(&args, slice);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(started), false);
	lyf_args_int8(&args, counts->read);
	lyf_args_int8(&args, counts->written);
	lyf_args_int8(&args, counts->rejected);
	lyf_args_datum(&args, BOOLOID, BoolGetDatum(doubtful), false);
	lyf_args_run_kept(&args, &done_plan, NULL, NULL);
}

/* Where source or destination have changed, another attempt has to start afresh, with a heap of its own. */
bool
lyf_slice_is_retryable(const ErrorData *error)
{
	return lyf_error_is_transient(error) && error->sqlerrcode != ERRCODE_QUERY_CANCELED && error->sqlerrcode != ERRCODE_OBJECT_IN_USE;
}

int64
lyf_slice_failed(const LyfRunSlice *slice, const ErrorData *error)
{
	bool		again = lyf_slice_is_retryable(error) && slice->attempt + 1 < MAX_ATTEMPTS;
	int64		wait_ms = again ? Max(lyf_backoff_ms(FIRST_WAIT_MS, 2, slice->attempt, LONGEST_WAIT_MS, true),
									  lyf_error_retry_after_ms(error)) : -1;
	LyfArgs		args = {0};

	add_slice(&args, slice);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(slice->attempt), false);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms)), !again);
	lyf_args_text(&args, error->message);
	lyf_args_text(&args, unpack_sql_state(error->sqlerrcode));
	lyf_args_text(&args, error->detail);
	lyf_args_text(&args, error->hint);
	lyf_args_run_kept(&args, &failed_plan, NULL, NULL);
	return wait_ms;
}

bool
lyf_slices_resume(int64 sliced)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, sliced);
	return lyf_args_run_kept(&args, &resume_plan, NULL, NULL) > 0;
}

static void
take_tally(void *arg, HeapTuple tuple, TupleDesc desc)
{
	LyfSliceTally *tally = arg;

	tally->waiting = integer(tuple, desc, "waiting");
	tally->done = integer(tuple, desc, "done");
	tally->read = integer(tuple, desc, "read");
	tally->written = integer(tuple, desc, "written");
	tally->rejected = integer(tuple, desc, "rejected");
	tally->doubtful = integer(tuple, desc, "doubtful");
}

void
lyf_slices_look(int64 sliced, LyfSliceTally *tally)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, sliced);
	lyf_args_run_kept(&args, &look_plan, take_tally, tally);
}

static void
raise_error(void *arg, HeapTuple tuple, TupleDesc desc)
{
	const char *state = lyf_catalog_text(tuple, desc, "sqlstate");
	const char *detail = lyf_catalog_text(tuple, desc, "detail");
	const char *hint = lyf_catalog_text(tuple, desc, "hint");

	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
			 errmsg_internal("%s", lyf_catalog_text(tuple, desc, "error")),
			 detail != NULL ? errdetail_internal("%s", detail) : 0,
			 hint != NULL ? errhint("%s", hint) : 0));
}

void
lyf_slices_raise(int64 sliced)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, sliced);
	lyf_args_run_kept(&args, &given_up_plan, raise_error, NULL);
}
