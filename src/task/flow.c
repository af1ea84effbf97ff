/*
 * flow.c
 *		Tasks that wait for each other: pipelines queued with those that come after them.
 *
 * A task knows how many it waits for; each that ends takes itself off that count, under
 * the lock of the waiting task's row, so that of two that end at once one sees that it was the
 * last.  Whoever adds to what a task waits for locks both rows first.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "task/task.h"

static LyfCatalogPlan begin_plan = {
	"INSERT INTO lyftron.flow (cause, roots, owner) VALUES ($1, $2, $3::regrole) RETURNING id"
};

static LyfCatalogPlan members_plan = {
	"WITH RECURSIVE member AS ("
	" SELECT p.name FROM lyftron.pipeline p WHERE p.name = ANY ($1)"
	" UNION SELECT c.name FROM member m, lyftron.pipeline c"
	"  WHERE $2 AND m.name = ANY (c.after) AND c.schedule IS NULL AND NOT c.paused)"
	" SELECT name FROM member"
};

/* of the members and of those that they come after, whether they wait or run */
static LyfCatalogPlan lock_plan = {
	"SELECT id FROM lyftron.queue WHERE id IN (SELECT q.id FROM lyftron.queue q, lyftron.pipeline p"
	" WHERE p.name = ANY ($1) AND q.unique_key IN (SELECT 'pipeline:' || n FROM unnest(p.name || p.after) n)) ORDER BY id FOR UPDATE"
};

static LyfCatalogPlan insert_plan = {
	"INSERT INTO lyftron.queue (state, kind, name, owner, pool, priority, key, unique_key, exclusive, flow, max_attempts, on_failure, nominal_at)"
	" SELECT CASE WHEN p.paused THEN 'paused' ELSE 'waiting' END, 'pipeline', p.name, p.owner, p.pool, 0, 'server:' || p.source_server,"
	" 'pipeline:' || p.name, 'pipeline:' || p.name, $2, 5, coalesce($3, p.on_failure), r.nominal"
	" FROM lyftron.pipeline p LEFT JOIN unnest($4::text[], $5::timestamptz[]) r (name, nominal) ON r.name = p.name"
	" WHERE p.name = ANY ($1) ORDER BY p.name"
	" ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state <> 'running' DO NOTHING"
};

/* a member waits for the other members that it comes after, and for any of those that is at work just now */
static LyfCatalogPlan edges_plan = {
	"INSERT INTO lyftron.edge (upstream, task) SELECT u.id, t.id"
	" FROM lyftron.pipeline p, unnest(p.after) a (name), lyftron.queue t, lyftron.queue u"
	" WHERE p.name = ANY ($1) AND t.unique_key = 'pipeline:' || p.name AND t.state <> 'running'"
	" AND u.unique_key = 'pipeline:' || a.name AND (u.state <> 'running' OR a.name <> ALL ($1))"
	" ON CONFLICT DO NOTHING"
};

static LyfCatalogPlan ready_plan = {
	"UPDATE lyftron.queue q SET awaits = e.n, seq = e.seq,"
	" state = CASE WHEN q.state = 'paused' THEN 'paused' WHEN e.n > 0 THEN 'waiting' WHEN q.state = 'waiting' THEN 'ready' ELSE q.state END"
	" FROM (SELECT w.id, w.n, nextval('lyftron.queue_seq') AS seq FROM"
	"  (SELECT t.id, (SELECT count(*) FROM lyftron.edge d WHERE d.task = t.id) AS n FROM lyftron.queue t"
	"   WHERE t.unique_key IN (SELECT 'pipeline:' || m FROM unnest($1) m) AND t.state <> 'running' ORDER BY t.id) w) e"
	" WHERE q.id = e.id RETURNING q.pool, q.owner::oid AS owner, q.state"
};

/* members whose turn cannot come: one that goes first is not at work, and did not succeed when it last was */
static LyfCatalogPlan hopeless_plan = {
	"SELECT t.id, a.name AS upstream FROM lyftron.pipeline p, unnest(p.after) a (name), lyftron.queue t"
	" WHERE p.name = ANY ($1) AND t.unique_key = 'pipeline:' || p.name AND t.state <> 'running'"
	" AND NOT EXISTS (SELECT FROM lyftron.queue u WHERE u.unique_key = 'pipeline:' || a.name)"
	" AND 'succeeded' IS DISTINCT FROM (SELECT r.state FROM lyftron.run r WHERE r.pipeline = a.name AND r.state <> 'running' ORDER BY r.id DESC LIMIT 1)"
};

static LyfCatalogPlan release_plan = {
	"WITH gone AS (DELETE FROM lyftron.edge WHERE upstream = $1 RETURNING task),"
	" child AS (SELECT id FROM lyftron.queue WHERE id IN (SELECT task FROM gone) ORDER BY id FOR UPDATE)"
	" UPDATE lyftron.queue q SET awaits = awaits - 1, seq = nextval('lyftron.queue_seq'),"
	" state = CASE WHEN awaits = 1 AND state = 'waiting' THEN 'ready' ELSE state END"
	" FROM child WHERE q.id = child.id RETURNING q.pool, q.owner::oid AS owner, q.state"
};

#define SKIPPED \
	"," LYF_LOG_ROWS("over", "warning", "$2") \
	" INSERT INTO lyftron.history (state, " LYF_HISTORY_COLUMNS ", error) SELECT 'skipped', " LYF_HISTORY_COLUMNS ", $2 FROM over RETURNING id, name"

static LyfCatalogPlan skip_children_plan = {
	"WITH gone AS (DELETE FROM lyftron.edge WHERE upstream = $1 RETURNING task),"
	" child AS (SELECT id FROM lyftron.queue WHERE id IN (SELECT task FROM gone) ORDER BY id FOR UPDATE),"
	" over AS (DELETE FROM lyftron.queue q USING child WHERE q.id = child.id RETURNING q.*)" SKIPPED
};

static LyfCatalogPlan skip_task_plan = {
	"WITH over AS (DELETE FROM lyftron.queue q WHERE q.id = $1 AND q.state <> 'running' RETURNING q.*)" SKIPPED
};

static LyfCatalogPlan skip_flow_plan = {
	"WITH rest AS (SELECT id FROM lyftron.queue WHERE flow = $1 AND state <> 'running' ORDER BY id FOR UPDATE),"
	" over AS (DELETE FROM lyftron.queue q USING rest WHERE q.id = rest.id RETURNING q.*)" SKIPPED
};

static LyfCatalogPlan forget_plan = {
	"DELETE FROM lyftron.edge WHERE task = $1"
};

/* where the first task did not succeed and a successor of it waits, those after it wait for that one */
static LyfCatalogPlan succeed_plan = {
	"WITH successor AS (SELECT s.id FROM lyftron.history h, lyftron.queue s WHERE h.id = $1 AND h.state = 'failed' AND s.unique_key = h.unique_key"
	"  AND s.state <> 'running' FOR UPDATE OF s)"
	" UPDATE lyftron.edge e SET upstream = successor.id FROM successor WHERE e.upstream = $1"
	" AND NOT EXISTS (SELECT FROM lyftron.edge o WHERE o.upstream = successor.id AND o.task = e.task)"
};

/* a task that is over, or whose turn cannot come */
typedef struct Over
{
	int64		id;
	char	   *name;
} Over;

static void *
read_name(HeapTuple tuple, TupleDesc desc)
{
	return lyf_catalog_text(tuple, desc, "name");
}

static void *
read_over(HeapTuple tuple, TupleDesc desc)
{
	Over	   *over = palloc(sizeof(Over));

	over->id = lyf_catalog_integer(tuple, desc, "id");
	over->name = lyf_catalog_text(tuple, desc, SPI_fnumber(desc, "upstream") > 0 ? "upstream" : "name");
	return over;
}

static void
run_for(LyfCatalogPlan *plan, List *members, LyfCatalogRow row)
{
	LyfArgs		args = {0};

	lyf_args_texts(&args, members, false);
	lyf_args_run_kept(&args, plan, row, NULL);
}

static List *
find_members(List *names, bool downstream)
{
	LyfArgs		args = {0};

	lyf_args_texts(&args, names, false);
	lyf_args_datum(&args, BOOLOID, BoolGetDatum(downstream), false);
	return lyf_args_collect(&args, &members_plan, read_name);
}

/* the times that the roots were due at, as an array beside that of their names */
static Datum
nominal_times(List *roots)
{
	int			count = list_length(roots);
	Datum	   *times = palloc(sizeof(Datum) * count);
	bool	   *nulls = palloc(sizeof(bool) * count);
	int			lower = 1;

	for (int i = 0; i < count; i++)
	{
		LyfRoot    *root = list_nth(roots, i);

		times[i] = TimestampTzGetDatum(root->nominal);
		nulls[i] = !root->scheduled;
	}
	return PointerGetDatum(construct_md_array(times, nulls, 1, &count, &lower, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static void
insert_members(int64 flow, List *members, List *names, List *roots, const char *on_failure)
{
	LyfArgs		args = {0};

	lyf_args_texts(&args, members, false);
	lyf_args_int8(&args, flow);
	lyf_args_text(&args, on_failure);
	lyf_args_texts(&args, names, false);
	lyf_args_datum(&args, TIMESTAMPTZARRAYOID, nominal_times(roots), false);
	lyf_args_run_kept(&args, &insert_plan, NULL, NULL);
}

/* Those that wait for this one, and those that wait for them, and so on, are skipped. */
static void
skip_after(List *overs)
{
	/* they become more while we go */
	for (int i = 0; i < list_length(overs); i++)
	{
		Over	   *over = list_nth(overs, i);
		LyfArgs		skip = {0};
		LyfArgs		forget = {0};

		lyf_args_int8(&skip, over->id);
		lyf_args_text(&skip, psprintf("\"%s\", which goes first, did not succeed", over->name));
		overs = list_concat(overs, lyf_args_collect(&skip, &skip_children_plan, read_over));
		lyf_args_int8(&forget, over->id);
		lyf_args_run_kept(&forget, &forget_plan, NULL, NULL);
	}
}

static void
skip_hopeless(List *members)
{
	LyfArgs		args = {0};
	ListCell   *lc;

	lyf_args_texts(&args, members, false);
	foreach(lc, lyf_args_collect(&args, &hopeless_plan, read_over))
	{
		Over	   *over = lfirst(lc);
		LyfArgs		skip = {0};

		lyf_args_int8(&skip, over->id);
		lyf_args_text(&skip, psprintf("\"%s\", which goes first, is not queued and did not succeed when it last ran", over->name));
		skip_after(lyf_args_collect(&skip, &skip_task_plan, read_over));
	}
}

int64
lyf_flow_begin(List *roots, const char *cause, bool downstream, const char *on_failure)
{
	LyfArgs		args = {0};
	List	   *names = NIL;
	List	   *members;
	int64		flow = 0;
	ListCell   *lc;

	foreach(lc, roots)
		names = lappend(names, ((LyfRoot *) lfirst(lc))->name);
	lyf_args_text(&args, cause);
	lyf_args_texts(&args, names, false);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(GetUserId()), false);
	lyf_args_run_kept(&args, &begin_plan, lyf_catalog_take_id, &flow);
	members = find_members(names, downstream);
	run_for(&lock_plan, members, NULL);
	insert_members(flow, members, names, roots, on_failure);
	run_for(&edges_plan, members, NULL);
	run_for(&ready_plan, members, lyf_wake_row);
	skip_hopeless(members);
	return flow;
}

void
lyf_flow_succeeded(int64 task)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, task);
	lyf_args_run_kept(&args, &release_plan, lyf_wake_row, NULL);
}

void
lyf_flow_failed(int64 task, const char *name, int64 flow, const char *on_failure)
{
	Over	   *over = palloc(sizeof(Over));
	LyfArgs		args = {0};
	List	   *overs;

	lyf_args_int8(&args, task);
	(void) lyf_args_run_kept(&args, &succeed_plan, NULL, NULL);
	if (strcmp(on_failure, "run") == 0)
	{
		lyf_flow_succeeded(task);
		return;
	}
	over->id = task;
	over->name = pstrdup(name);
	overs = list_make1(over);
	if (strcmp(on_failure, "stop") == 0)
	{
		LyfArgs		stop = {0};

		lyf_args_int8(&stop, flow);
		lyf_args_text(&stop, psprintf("\"%s\" did not succeed, and stops its flow", name));
		overs = list_concat(overs, lyf_args_collect(&stop, &skip_flow_plan, read_over));
	}
	skip_after(overs);
}
