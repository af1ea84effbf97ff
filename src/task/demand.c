/*
 * demand.c
 *		How many workers a database wants: for each pool and owner, from the tasks that are
 *		ready and running.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "task/process.h"
#include "task/task.h"

/*
 * A pool's workers are shared out to its owners as their tasks ask for; what its minimum
 * still leaves goes to the owner of most of its pipelines.  Of a long queue no more is counted than
 * makes a difference.  Roles that may not connect cannot have workers.
 */
static LyfCatalogPlan demand_plan = {
	"WITH RECURSIVE lane AS ("
	"  (SELECT pool, owner FROM lyftron.queue WHERE state = 'ready' ORDER BY hashtextextended(pool, 0), owner LIMIT 1)"
	"  UNION ALL"
	"  SELECT n.pool, n.owner FROM lane l, LATERAL (SELECT q.pool, q.owner FROM lyftron.queue q"
	"   WHERE q.state = 'ready' AND (hashtextextended(q.pool, 0), q.owner) > (hashtextextended(l.pool, 0), l.owner)"
	"   ORDER BY hashtextextended(q.pool, 0), q.owner LIMIT 1) n),"
	" task AS ("
	"  SELECT pool, owner, 1 AS ready, 0 AS running, false AS first FROM lane"
	"  UNION ALL SELECT pool, owner, 0, 1, false FROM lyftron.queue WHERE state = 'running'"
	"  UNION ALL SELECT pool, owner::regrole, 0, 0, false FROM unnest($2::text[], $3::oid[]) known (pool, owner)"
	"  UNION ALL (SELECT DISTINCT ON (pool) pool, owner, 0, 0, true FROM lyftron.pipeline GROUP BY pool, owner ORDER BY pool, count(*) DESC, owner)),"
	" asked AS ("
	"  SELECT t.pool, t.owner, max(t.ready) AS ready, sum(t.running) AS running, bool_or(t.first) AS first,"
	"   coalesce(min(p.min_workers), 0) AS min_workers, coalesce(min(p.max_workers), 2) AS max_workers,"
	"   coalesce(min(p.threshold), 0) AS threshold, coalesce(min(p.idle_timeout), interval '60 s') AS idle_timeout,"
	"   coalesce(bool_or(p.paused), false) AS paused"
	"  FROM task t LEFT JOIN lyftron.pool p ON p.name = t.pool GROUP BY t.pool, t.owner)"
	" SELECT a.pool, a.owner::oid AS owner, a.max_workers::int8 AS max_workers, a.min_workers::int8 AS min_workers, a.first,"
	"  least(CASE WHEN a.paused THEN a.running WHEN a.threshold = 0 THEN n.ready + a.running"
	"   ELSE greatest(ceil(n.ready::float8 / a.threshold), a.running) END, a.max_workers)::int8 AS wanted,"
	"  (extract(epoch FROM a.idle_timeout) * 1000)::int8 AS idle_ms, CASE WHEN a.paused THEN 0 ELSE n.ready END AS ready"
	" FROM asked a, LATERAL (SELECT count(*) AS ready FROM (SELECT FROM lyftron.queue q WHERE a.ready > 0 AND q.state = 'ready'"
	"  AND hashtextextended(q.pool, 0) = hashtextextended(a.pool, 0) AND q.pool = a.pool AND q.owner = a.owner LIMIT a.max_workers * greatest(a.threshold, 1)) few) n"
	" WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = a.owner AND (r.rolcanlogin OR $1)"
	"  AND has_database_privilege(r.oid, current_database(), 'CONNECT'))"
	" ORDER BY a.pool, a.first DESC, a.running DESC, n.ready DESC, a.owner"
};

typedef struct Demand
{
	LyfBoardWant wants[LYF_BOARD_WANTS];
	int			count;
} Demand;

static void
take_want(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Demand	   *demand = arg;
	LyfBoardWant *want = &demand->wants[demand->count];
	int64		ready = lyf_catalog_integer(tuple, desc, "ready");

	if (demand->count == LYF_BOARD_WANTS)
		return;
	memset(want, 0, sizeof(LyfBoardWant));
	want->database = MyDatabaseId;
	want->owner = lyf_catalog_oid(tuple, desc, "owner");
	namestrcpy(&want->pool, lyf_catalog_text(tuple, desc, "pool"));
	want->wanted = (int) lyf_catalog_integer(tuple, desc, "wanted");
	want->keep = (int) lyf_catalog_integer(tuple, desc, "min_workers");
	want->idle_ms = (int) Min(lyf_catalog_integer(tuple, desc, "idle_ms"), PG_INT32_MAX);
	want->most = (int) lyf_catalog_integer(tuple, desc, "max_workers");
	demand->count++;
	/* a worker that was not woken when a task became ready is now */
	if (ready > 0)
		lyf_wake_at_commit(NameStr(want->pool), want->owner, (int) Min(ready, LYF_BOARD_WORKERS));
}

static int
wanted_in_pool(const Demand *demand, const char *pool)
{
	int			wanted = 0;

	for (int i = 0; i < demand->count; i++)
		if (strcmp(NameStr(demand->wants[i].pool), pool) == 0)
			wanted += demand->wants[i].wanted;
	return wanted;
}

/* Owners of one pool together get no more than its maximum: who wants the most gives first. */
static void
hold_to_maximum(Demand *demand)
{
	for (int i = 0; i < demand->count; i++)
	{
		while (wanted_in_pool(demand, NameStr(demand->wants[i].pool)) > demand->wants[i].most)
		{
			LyfBoardWant *greediest = NULL;

			for (int j = 0; j < demand->count; j++)
			{
				LyfBoardWant *want = &demand->wants[j];

				if (strcmp(NameStr(want->pool), NameStr(demand->wants[i].pool)) == 0 && (greediest == NULL || want->wanted > greediest->wanted))
					greediest = want;
			}
			greediest->wanted--;
		}
	}
}

/* The first of a pool has what its minimum still leaves. */
static void
raise_to_minimum(Demand *demand)
{
	for (int i = 0; i < demand->count; i++)
	{
		LyfBoardWant *want = &demand->wants[i];

		if (i == 0 || strcmp(NameStr(demand->wants[i - 1].pool), NameStr(want->pool)) != 0)
			want->wanted += Max(want->keep - wanted_in_pool(demand, NameStr(want->pool)), 0);
	}
}

static LyfBoardWant *
find_want(LyfBoard *board, const LyfBoardWant *wanted)
{
	LyfBoardWant *empty = NULL;

	for (int i = 0; i < LYF_BOARD_WANTS; i++)
	{
		LyfBoardWant *want = &board->wants[i];

		if (want->database == wanted->database && want->owner == wanted->owner && strcmp(NameStr(want->pool), NameStr(wanted->pool)) == 0)
			return want;
		if (empty == NULL && !OidIsValid(want->database))
			empty = want;
	}
	if (empty != NULL)
	{
		*empty = *wanted;
		empty->wanted = -1;
	}
	return empty;
}

/* with the lock held */
static bool
post(LyfBoard *board, const Demand *demand)
{
	bool		changed = false;

	for (int i = 0; i < LYF_BOARD_WANTS; i++)
	{
		LyfBoardWant *want = &board->wants[i];
		bool		still = false;

		for (int j = 0; j < demand->count && !still; j++)
			still = want->owner == demand->wants[j].owner && strcmp(NameStr(want->pool), NameStr(demand->wants[j].pool)) == 0;
		if (want->database == MyDatabaseId && !still)
		{
			changed = changed || want->wanted > 0;
			want->wanted = 0;
			want->keep = 0;
		}
	}
	for (int i = 0; i < demand->count; i++)
	{
		const LyfBoardWant *wanted = &demand->wants[i];
		LyfBoardWant *want = find_want(board, wanted);

		if (want == NULL)
			continue;
		changed = changed || want->wanted != wanted->wanted;
		want->wanted = wanted->wanted;
		want->keep = wanted->keep;
		want->most = wanted->most;
		want->idle_ms = wanted->idle_ms;
	}
	return changed;
}

/* those who have a worker, since a pool's minimum may keep it */
static void
add_known(LyfArgs *args, LyfBoard *board)
{
	Datum		pools[LYF_BOARD_WORKERS];
	Datum		owners[LYF_BOARD_WORKERS];
	int			count = 0;

	LWLockAcquire(&board->lock, LW_SHARED);
	for (int i = 0; i < LYF_BOARD_WORKERS; i++)
	{
		LyfBoardWorker *worker = &board->workers[i];

		if (worker->state == LYF_WORKER_FREE || !worker->background || worker->database != MyDatabaseId)
			continue;
		pools[count] = CStringGetTextDatum(NameStr(worker->pool));
		owners[count++] = ObjectIdGetDatum(worker->owner);
	}
	LWLockRelease(&board->lock);
	lyf_args_datum(args, TEXTARRAYOID, PointerGetDatum(construct_array(pools, count, TEXTOID, -1, false, TYPALIGN_INT)), false);
	lyf_args_datum(args, OIDARRAYOID,
				   PointerGetDatum(construct_array(owners, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT)), false);
}

bool
lyf_demand_post(void)
{
	LyfBoard   *board = lyf_board();
	Demand	   *demand = palloc0(sizeof(Demand));
	LyfArgs		args = {0};
	bool		changed;

	if (board == NULL)
		return false;
	lyf_args_datum(&args, BOOLOID, BoolGetDatum(LYF_BGWORKER_ANY_ROLE != 0), false);
	add_known(&args, board);
	lyf_args_run_kept(&args, &demand_plan, take_want, demand);
	hold_to_maximum(demand);
	raise_to_minimum(demand);
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	changed = post(board, demand);
	LWLockRelease(&board->lock);
	return changed;
}

void
lyf_demand_withdraw(Oid database)
{
	LyfBoard   *board = lyf_board();

	if (board == NULL)
		return;
	LWLockAcquire(&board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < LYF_BOARD_WANTS; i++)
		if (board->wants[i].database == database)
			board->wants[i].database = InvalidOid;
	LWLockRelease(&board->lock);
}
