/*
 * due.c
 *		Schedules: pipelines that are due are queued, each time once.
 *
 * lyftron.due says when a pipeline is due next; it is moved on in the transaction that queues
 * the pipeline, so no time is lost and none comes twice.  Times that went by while nobody
 * looked are made up for as the pipeline says.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "task/task.h"

/* what is no later than this was not missed, but waited for somebody who comes by every minute */
#define GRACE_US	(2 * USECS_PER_MINUTE)

static LyfCatalogPlan unscheduled_plan = {
	"DELETE FROM lyftron.due d USING lyftron.pipeline p WHERE p.name = d.pipeline AND p.schedule IS NULL"
};

static LyfCatalogPlan due_plan = {
	"SELECT p.name, p.schedule, p.missed, CASE WHEN d.schedule = p.schedule THEN d.next_at END AS next_at,"
	" EXISTS (SELECT FROM lyftron.queue q WHERE q.unique_key = 'pipeline:' || p.name AND q.state <> 'running') AS queued"
	" FROM lyftron.pipeline p LEFT JOIN lyftron.due d ON d.pipeline = p.name"
	" WHERE p.schedule IS NOT NULL AND NOT p.paused AND (d.pipeline IS NULL OR d.schedule <> p.schedule OR d.next_at <= $1)"
};

static LyfCatalogPlan move_on_plan = {
	"INSERT INTO lyftron.due (pipeline, schedule, next_at) VALUES ($1, $2, $3)"
	" ON CONFLICT (pipeline) DO UPDATE SET schedule = excluded.schedule, next_at = excluded.next_at"
};

typedef struct Due
{
	char	   *name;
	char	   *schedule;
	char	   *missed;
	bool		known;			/* has it been looked at before? */
	TimestampTz next_at;
	bool		queued;			/* a task of it waits */
} Due;

static void *
read_due(HeapTuple tuple, TupleDesc desc)
{
	Due		   *due = palloc0(sizeof(Due));
	bool		isnull;
	Datum		next_at;

	due->name = lyf_catalog_text(tuple, desc, "name");
	due->schedule = lyf_catalog_text(tuple, desc, "schedule");
	due->missed = lyf_catalog_text(tuple, desc, "missed");
	next_at = lyf_catalog_column(tuple, desc, "next_at", &isnull);
	due->known = !isnull;
	due->next_at = isnull ? 0 : DatumGetTimestampTz(next_at);
	due->queued = lyf_catalog_bool(tuple, desc, "queued");
	return due;
}

static void
move_on(const Due *due, const LyfSchedule *schedule, TimestampTz after)
{
	TimestampTz next = 0;
	bool		ever = lyf_schedule_next(schedule, after, &next);
	LyfArgs		args = {0};

	lyf_args_text(&args, due->name);
	lyf_args_text(&args, due->schedule);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(next), !ever);
	lyf_args_run_kept(&args, &move_on_plan, NULL, NULL);
}

/*
 * The last time not after now.  Years of minutes may have gone by: look at the last hour first, then at
 * longer stretches.
 */
static TimestampTz
latest_time(const Due *due, const LyfSchedule *schedule, TimestampTz now)
{
	static const int64 stretches[] = {USECS_PER_HOUR, USECS_PER_DAY, 32 * USECS_PER_DAY, 400 * USECS_PER_DAY, PG_INT64_MAX};

	for (int i = 0; i < lengthof(stretches); i++)
	{
		TimestampTz latest = due->next_at;
		TimestampTz from = now - due->next_at > stretches[i] ? now - stretches[i] : due->next_at;
		TimestampTz time = from;
		bool		found = from == due->next_at;

		while (lyf_schedule_next(schedule, time, &time) && time <= now)
		{
			latest = time;
			found = true;
		}
		if (found)
			return latest;
	}
	return due->next_at;
}

/* Is it to be queued, and for which time?  It is moved on to the next one, and alerts wait for this one. */
static bool
decide(const Due *due, TimestampTz now, TimestampTz *nominal)
{
	LyfSchedule schedule;

	lyf_schedule_read(due->schedule, &schedule);
	if (!due->known)
	{
		move_on(due, &schedule, now);
		return false;
	}
	if (strcmp(due->missed, "all") == 0)
	{
		/* one after the other: the next one has its turn when this one has begun */
		if (due->queued)
			return false;
		*nominal = due->next_at;
		lyf_alert_expect(due->name, *nominal);
		move_on(due, &schedule, due->next_at);
		return true;
	}
	*nominal = latest_time(due, &schedule, now);
	lyf_alert_expect(due->name, *nominal);
	move_on(due, &schedule, now);
	return strcmp(due->missed, "once") == 0 || now - *nominal <= GRACE_US;
}

void
lyf_schedules_tick(void)
{
	LyfArgs		none = {0};
	LyfArgs		args = {0};
	TimestampTz now = lyf_now();
	List	   *roots = NIL;
	ListCell   *lc;

	lyf_args_run_kept(&none, &unscheduled_plan, NULL, NULL);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(now), false);
	foreach(lc, lyf_args_collect(&args, &due_plan, read_due))
	{
		Due		   *due = lfirst(lc);
		LyfRoot    *root = palloc0(sizeof(LyfRoot));

		root->name = due->name;
		root->scheduled = true;
		if (decide(due, now, &root->nominal))
			roots = lappend(roots, root);
	}
	if (roots != NIL)
		(void) lyf_flow_begin(roots, "schedule", true, NULL);
}
