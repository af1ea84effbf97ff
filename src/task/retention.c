/*
 * retention.c
 *		Tasks that are over, runs, loads of vaults and logs go when they are older than lyftron.keep_history.
 *
 * That is looked at every ten minutes; where much is to go, each tick takes a batch.  Of
 * a pipeline its last run and its last success stay, and runs whose rejected records are still there.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/settings.h"
#include "task/task.h"

/* rows a tick */
#define BATCH	10000

static LyfCatalogPlan turn_plan = {
	"UPDATE lyftron.service SET purged_at = clock_timestamp() WHERE database = (SELECT database FROM lyftron.service"
	" WHERE purged_at IS NULL OR purged_at < clock_timestamp() - interval '10 minutes' FOR UPDATE SKIP LOCKED)"
};

static LyfCatalogPlan again_plan = {
	"UPDATE lyftron.service SET purged_at = NULL"
};

/* each: what is older than $1, at most $2 rows */
static LyfCatalogPlan purge_plans[] = {
	{"DELETE FROM lyftron.log WHERE ctid = ANY (ARRAY(SELECT ctid FROM lyftron.log WHERE at < $1 ORDER BY at LIMIT $2))"},
	{"DELETE FROM lyftron.history WHERE ctid = ANY (ARRAY(SELECT ctid FROM lyftron.history WHERE finished_at < $1 ORDER BY finished_at LIMIT $2))"},
	{"DELETE FROM lyftron.flow WHERE id = ANY (ARRAY(SELECT id FROM lyftron.flow f WHERE created_at < $1"
		" AND NOT EXISTS (SELECT FROM lyftron.queue q WHERE q.flow = f.id)"
	" AND NOT EXISTS (SELECT FROM lyftron.history h WHERE h.flow = f.id) LIMIT $2))"},
	/* what they counted is kept */
	{"WITH gone AS (DELETE FROM lyftron.run WHERE id = ANY (ARRAY(SELECT id FROM lyftron.run o WHERE o.finished_at < $1 AND o.state <> 'running'"
		"  AND EXISTS (SELECT FROM lyftron.run n WHERE n.pipeline = o.pipeline AND n.started_at > o.started_at)"
		"  AND (o.state <> 'succeeded' OR EXISTS (SELECT FROM lyftron.run n WHERE n.pipeline = o.pipeline AND n.started_at > o.started_at AND n.state = 'succeeded'))"
		"  AND NOT EXISTS (SELECT FROM lyftron.rejected j WHERE j.run = o.id) LIMIT $2)) RETURNING *),"
		" counted AS (INSERT INTO lyftron.purged AS p (pipeline, rows_read, rows_written, rows_rejected)"
		"  SELECT g.pipeline, sum(g.rows_read), sum(g.rows_written), sum(g.rows_rejected) FROM gone g JOIN lyftron.pipeline d"
		"  ON d.name = g.pipeline AND g.started_at >= d.created_at GROUP BY g.pipeline"
		"  ON CONFLICT (pipeline) DO UPDATE SET rows_read = p.rows_read + excluded.rows_read,"
		"  rows_written = p.rows_written + excluded.rows_written, rows_rejected = p.rows_rejected + excluded.rows_rejected)"
	" SELECT 1 FROM gone"},
	/* the last one of each source of a vault stays */
	{"DELETE FROM lyftron.vault_load WHERE id = ANY (ARRAY(SELECT id FROM lyftron.vault_load o WHERE finished_at < $1"
	" AND EXISTS (SELECT FROM lyftron.vault_load n WHERE n.vault = o.vault AND n.source = o.source AND n.started_at > o.started_at) LIMIT $2))"},
};

void
lyf_retention_tick(void)
{
	TimestampTz before = GetCurrentTimestamp() - lyf_keep_history * USECS_PER_MINUTE;
	LyfArgs		none = {0};
	int64		left = BATCH;

	if (lyf_keep_history == 0 || lyf_args_run_kept(&none, &turn_plan, NULL, NULL) == 0)
		return;
	for (int i = 0; i < lengthof(purge_plans) && left > 0; i++)
	{
		LyfArgs		args = {0};

		lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(before), false);
		lyf_args_int8(&args, left);
		left -= (int64) lyf_args_run_kept(&args, &purge_plans[i], NULL, NULL);
	}
	if (left <= 0)
		lyf_args_run_kept(&none, &again_plan, NULL, NULL);
}
