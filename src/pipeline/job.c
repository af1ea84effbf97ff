/*
 * job.c
 *		Runs as rows of lyftron.run, which the view lyftron.jobs shows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "pipeline/pipeline.h"

/*
 * A new run.  The caller holds the pipeline's lock, so a run that is said to be
 * running belongs to a session that is gone.
 */
int64
lyf_job_begin(const LyfPipeline *pipeline)
{
	LyfArgs		dead = {0};
	LyfArgs		args = {0};
	int64		id = 0;

	lyf_args_text(&dead, pipeline->name);
	lyf_args_run(&dead,
				 "UPDATE lyftron.run SET state = 'failed', finished_at = clock_timestamp(), "
				 "error = 'the session that ran it ended' WHERE pipeline = $1 AND state = 'running'",
				 NULL, NULL);
	lyf_args_text(&args, pipeline->name);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(pipeline->owner), false);
	lyf_args_text(&args, pipeline->mode);
	lyf_args_run(&args,
				 "INSERT INTO lyftron.run (pipeline, owner, mode, state) VALUES ($1, $2::regrole, $3, 'running') RETURNING id",
				 lyf_catalog_take_id, &id);
	return id;
}

static void
add_counts(LyfArgs *args, int64 id, const LyfJobCounts *counts)
{
	lyf_args_int8(args, id);
	lyf_args_int8(args, counts->read);
	lyf_args_int8(args, counts->written);
	lyf_args_int8(args, counts->rejected);
	lyf_args_int8(args, counts->bytes);
	lyf_args_int8(args, counts->requests);
	lyf_args_int8(args, counts->checkpoints);
	lyf_args_int8(args, counts->left_out);
}

#define SET_COUNTS \
	"UPDATE lyftron.run SET rows_read = $2, rows_written = $3, rows_rejected = $4, " \
	"bytes = $5, requests = $6, checkpoints = $7, values_left_out = $8"

void
lyf_job_progress(int64 id, const LyfJobCounts *counts)
{
	LyfArgs		args = {0};

	add_counts(&args, id, counts);
	lyf_args_run(&args, SET_COUNTS " WHERE id = $1", NULL, NULL);
}

void
lyf_job_succeeded(int64 id, const LyfJobCounts *counts)
{
	LyfArgs		args = {0};

	add_counts(&args, id, counts);
	lyf_args_run(&args,
				 SET_COUNTS ", state = 'succeeded', finished_at = clock_timestamp() WHERE id = $1",
				 NULL, NULL);
}

/* Did somebody cancel it?  A timeout has the same SQLSTATE. */
static bool
is_cancel(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED && error->message_id != NULL &&
		strcmp(error->message_id, "canceling statement due to user request") == 0;
}

void
lyf_job_failed(int64 id, const ErrorData *error)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, id);
	lyf_args_text(&args, error->message);
	lyf_args_text(&args, unpack_sql_state(error->sqlerrcode));
	lyf_args_text(&args, error->detail);
	lyf_args_text(&args, error->hint);
	lyf_args_text(&args, is_cancel(error) ? "cancelled" : "failed");
	lyf_args_run(&args,
				 "UPDATE lyftron.run SET state = $6, finished_at = clock_timestamp(), "
				 "error = $2, sqlstate = $3, detail = $4, hint = $5 WHERE id = $1",
				 NULL, NULL);
}
