-- task/: the queue, what drives it, and its history.

CREATE TABLE lyftron.pool (
	name          text PRIMARY KEY CHECK (name <> ''),
	min_workers   integer NOT NULL CHECK (min_workers >= 0),
	max_workers   integer NOT NULL CHECK (max_workers BETWEEN 1 AND 256 AND max_workers >= min_workers),
	threshold     integer NOT NULL CHECK (threshold >= 0),
	idle_timeout  interval NOT NULL CHECK (idle_timeout >= interval '0'),
	paused        boolean NOT NULL DEFAULT false
);
REVOKE ALL ON TABLE lyftron.pool FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.pool', 'WHERE name <> ''default''');
INSERT INTO lyftron.pool (name, min_workers, max_workers, threshold, idle_timeout) VALUES ('default', 0, 2, 0, '60 seconds');
COMMENT ON TABLE lyftron.pool IS 'pools: workers that share a queue';
COMMENT ON COLUMN lyftron.pool.name IS 'name of the pool';
COMMENT ON COLUMN lyftron.pool.min_workers IS 'workers that stay though they are idle';
COMMENT ON COLUMN lyftron.pool.max_workers IS 'workers at most; sessions that work for the pool count';
COMMENT ON COLUMN lyftron.pool.threshold IS 'a worker is added while there are more ready tasks than this for each; 0: while a task waits';
COMMENT ON COLUMN lyftron.pool.idle_timeout IS 'a worker beyond the minimum that had nothing to do for so long ends';
COMMENT ON COLUMN lyftron.pool.paused IS 'no task of it is begun';

CREATE TABLE lyftron.concurrency (
	key           text PRIMARY KEY,
	max_running   integer NOT NULL CHECK (max_running BETWEEN 1 AND 1000)
);
REVOKE ALL ON TABLE lyftron.concurrency FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.concurrency', '');
COMMENT ON TABLE lyftron.concurrency IS 'how many tasks of a key may run at once; those of other keys are not limited';
COMMENT ON COLUMN lyftron.concurrency.key IS 'the key; a pipeline that reads a foreign table has server:NAME';
COMMENT ON COLUMN lyftron.concurrency.max_running IS 'so many at once';

-- A copy of the database has another one's OID here: it is not served before somebody says so.
CREATE TABLE lyftron.service (
	database      oid NOT NULL,
	enabled       boolean,
	purged_at     timestamptz
);
CREATE UNIQUE INDEX service_one ON lyftron.service ((true));
REVOKE ALL ON TABLE lyftron.service FROM PUBLIC;
INSERT INTO lyftron.service (database) SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database();
COMMENT ON TABLE lyftron.service IS 'is this database served by background workers?';
COMMENT ON COLUMN lyftron.service.database IS 'OID of the database that this was said of';
COMMENT ON COLUMN lyftron.service.enabled IS 'true: it is; false: it is not; null: where lyftron is in shared_preload_libraries';
COMMENT ON COLUMN lyftron.service.purged_at IS 'when what is older than lyftron.keep_history was last removed; null: that goes on with the next tick';

-- What is to be done and being done.  What is over leaves for the history in the same statement, so that
-- this table stays as small as the work at hand.
CREATE SEQUENCE lyftron.queue_seq;
CREATE TABLE lyftron.queue (
	id            bigint PRIMARY KEY DEFAULT pg_catalog.nextval('lyftron.queue_seq'),
	seq           bigint NOT NULL DEFAULT pg_catalog.nextval('lyftron.queue_seq'),
	state         text NOT NULL,
	kind          text NOT NULL,
	name          text NOT NULL,
	command       text,
	search_path   text,
	owner         regrole NOT NULL,
	pool          text NOT NULL,
	priority      integer NOT NULL,
	key           text,
	unique_key    text,
	exclusive     text,
	blocked_on    text,
	flow          bigint,
	awaits        integer NOT NULL DEFAULT 0,
	on_failure    text NOT NULL DEFAULT 'skip',
	nominal_at    timestamptz,
	window_start  timestamptz,
	window_end    timestamptz,
	run_at        timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	attempt       integer NOT NULL DEFAULT 0,
	max_attempts  integer NOT NULL,
	created_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	started_at    timestamptz,
	pid           integer,
	cancelled     boolean NOT NULL DEFAULT false,
	error         text,
	sqlstate      text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
	autovacuum_vacuum_cost_delay = 0);
ALTER SEQUENCE lyftron.queue_seq OWNED BY lyftron.queue.id;
-- A lane is the tasks of a pool, owner and priority.  The pool stands here as a hash: keys of one width are compared at
-- half the cost.
CREATE INDEX queue_ready ON lyftron.queue (pg_catalog.hashtextextended(pool, 0), owner, priority, seq)
	WITH (deduplicate_items = off) WHERE state = 'ready';
CREATE INDEX queue_scheduled ON lyftron.queue (run_at) WHERE state = 'scheduled';
CREATE INDEX queue_blocked ON lyftron.queue (blocked_on, priority, seq) WHERE state = 'blocked';
CREATE INDEX queue_running ON lyftron.queue (id) WHERE state = 'running';
CREATE INDEX queue_flow ON lyftron.queue (flow) WHERE flow IS NOT NULL;
CREATE UNIQUE INDEX queue_unique ON lyftron.queue (unique_key) WHERE unique_key IS NOT NULL AND state <> 'running';
REVOKE ALL ON TABLE lyftron.queue FROM PUBLIC;
REVOKE ALL ON SEQUENCE lyftron.queue_seq FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.queue', '');
SELECT pg_catalog.pg_extension_config_dump('lyftron.queue_seq', '');
COMMENT ON TABLE lyftron.queue IS 'tasks to be done and being done';
COMMENT ON COLUMN lyftron.queue.id IS 'number of the task';
COMMENT ON COLUMN lyftron.queue.seq IS 'order among the ready ones of a priority: in which they became ready';
COMMENT ON COLUMN lyftron.queue.state IS 'ready; scheduled: for later; waiting: for other tasks of its flow; blocked: as many of its key run as may, or another one that excludes it does; paused; running';
COMMENT ON COLUMN lyftron.queue.kind IS 'pipeline: run the pipeline called name; slice: help it, with one of the slices of its run; sql: execute command; webhook: tell the alert called name';
COMMENT ON COLUMN lyftron.queue.name IS 'name of the pipeline, the task or the alert';
COMMENT ON COLUMN lyftron.queue.command IS 'SQL statements, of the kind sql; what is told, of the kind webhook; the run that cut the slices, of the kind slice';
COMMENT ON COLUMN lyftron.queue.search_path IS 'search_path of command';
COMMENT ON COLUMN lyftron.queue.owner IS 'role whose doing it is';
COMMENT ON COLUMN lyftron.queue.pool IS 'pool whose workers may take it';
COMMENT ON COLUMN lyftron.queue.priority IS 'lower goes first';
COMMENT ON COLUMN lyftron.queue.key IS 'what it shares a limit of concurrency with; null: nothing';
COMMENT ON COLUMN lyftron.queue.unique_key IS 'one task of such a key waits at most';
COMMENT ON COLUMN lyftron.queue.exclusive IS 'one task of such a word runs at once';
COMMENT ON COLUMN lyftron.queue.blocked_on IS 'place that it waits for: x and exclusive, or k and key';
COMMENT ON COLUMN lyftron.queue.flow IS 'the flow it belongs to';
COMMENT ON COLUMN lyftron.queue.awaits IS 'how many tasks of its flow it still waits for';
COMMENT ON COLUMN lyftron.queue.on_failure IS 'when it fails, those of its flow that wait for it: skip them, run them all the same, or stop all of the flow';
COMMENT ON COLUMN lyftron.queue.nominal_at IS 'time of the schedule that it was queued for';
COMMENT ON COLUMN lyftron.queue.window_start IS 'of a backfill: records from then on';
COMMENT ON COLUMN lyftron.queue.window_end IS 'of a backfill: records before then';
COMMENT ON COLUMN lyftron.queue.run_at IS 'not before';
COMMENT ON COLUMN lyftron.queue.attempt IS 'how often it was begun';
COMMENT ON COLUMN lyftron.queue.max_attempts IS 'how often it is begun at most';
COMMENT ON COLUMN lyftron.queue.created_at IS 'when it was queued';
COMMENT ON COLUMN lyftron.queue.started_at IS 'when it was last begun';
COMMENT ON COLUMN lyftron.queue.pid IS 'process that runs it; that one holds an advisory lock of the kind 19546 on its id';
COMMENT ON COLUMN lyftron.queue.cancelled IS 'it is to end';
COMMENT ON COLUMN lyftron.queue.error IS 'message of the last attempt''s error';
COMMENT ON COLUMN lyftron.queue.sqlstate IS 'SQLSTATE of that error';

CREATE TABLE lyftron.history (
	id            bigint NOT NULL,
	state         text NOT NULL CHECK (state IN ('succeeded', 'failed', 'cancelled', 'skipped')),
	kind          text NOT NULL,
	name          text NOT NULL,
	command       text,
	search_path   text,
	owner         regrole NOT NULL,
	pool          text NOT NULL,
	priority      integer NOT NULL,
	key           text,
	unique_key    text,
	exclusive     text,
	flow          bigint,
	on_failure    text NOT NULL,
	nominal_at    timestamptz,
	window_start  timestamptz,
	window_end    timestamptz,
	attempt       integer NOT NULL,
	max_attempts  integer NOT NULL,
	created_at    timestamptz NOT NULL,
	started_at    timestamptz,
	finished_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	pid           integer,
	error         text,
	sqlstate      text,
	detail        text,
	hint          text,
	retried_as    bigint
);
CREATE INDEX history_finished ON lyftron.history (finished_at);
CREATE INDEX history_id ON lyftron.history (id);
CREATE INDEX history_name ON lyftron.history (name, finished_at);
CREATE INDEX history_flow ON lyftron.history (flow) WHERE flow IS NOT NULL;
REVOKE ALL ON TABLE lyftron.history FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.history', '');
COMMENT ON TABLE lyftron.history IS 'tasks that are over';
COMMENT ON COLUMN lyftron.history.id IS 'number of the task';
COMMENT ON COLUMN lyftron.history.state IS 'succeeded; failed; cancelled; skipped: a task it waited for did not succeed';
COMMENT ON COLUMN lyftron.history.kind IS 'pipeline, slice, sql or webhook';
COMMENT ON COLUMN lyftron.history.name IS 'name of the pipeline, the task or the alert';
COMMENT ON COLUMN lyftron.history.command IS 'SQL statements, of the kind sql; what was told, of the kind webhook; the run that cut the slices, of the kind slice';
COMMENT ON COLUMN lyftron.history.search_path IS 'search_path of command';
COMMENT ON COLUMN lyftron.history.owner IS 'role whose doing it was';
COMMENT ON COLUMN lyftron.history.pool IS 'its pool';
COMMENT ON COLUMN lyftron.history.priority IS 'lower goes first';
COMMENT ON COLUMN lyftron.history.key IS 'what it shared a limit of concurrency with';
COMMENT ON COLUMN lyftron.history.unique_key IS 'one task of such a key waits at most';
COMMENT ON COLUMN lyftron.history.exclusive IS 'one task of such a word runs at once';
COMMENT ON COLUMN lyftron.history.flow IS 'the flow it belonged to';
COMMENT ON COLUMN lyftron.history.on_failure IS 'what was to become of those that waited for it: skip, run or stop';
COMMENT ON COLUMN lyftron.history.nominal_at IS 'time of the schedule that it was queued for';
COMMENT ON COLUMN lyftron.history.window_start IS 'of a backfill: records from then on';
COMMENT ON COLUMN lyftron.history.window_end IS 'of a backfill: records before then';
COMMENT ON COLUMN lyftron.history.attempt IS 'how often it was begun';
COMMENT ON COLUMN lyftron.history.max_attempts IS 'how often it would have been begun at most';
COMMENT ON COLUMN lyftron.history.created_at IS 'when it was queued';
COMMENT ON COLUMN lyftron.history.started_at IS 'when it was last begun';
COMMENT ON COLUMN lyftron.history.finished_at IS 'when it was over';
COMMENT ON COLUMN lyftron.history.pid IS 'process that ran it last';
COMMENT ON COLUMN lyftron.history.error IS 'message of the error that ended it';
COMMENT ON COLUMN lyftron.history.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN lyftron.history.detail IS 'detail of the error';
COMMENT ON COLUMN lyftron.history.hint IS 'hint of the error';
COMMENT ON COLUMN lyftron.history.retried_as IS 'number of the task that was queued to do it again';

CREATE TABLE lyftron.edge (
	upstream      bigint NOT NULL,
	task          bigint NOT NULL,
	PRIMARY KEY (upstream, task)
);
CREATE INDEX edge_task ON lyftron.edge (task);
REVOKE ALL ON TABLE lyftron.edge FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.edge', '');
COMMENT ON TABLE lyftron.edge IS 'which unfinished task waits for which';
COMMENT ON COLUMN lyftron.edge.upstream IS 'the task that goes first';
COMMENT ON COLUMN lyftron.edge.task IS 'the one that waits for it';

CREATE TABLE lyftron.flow (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	cause         text NOT NULL CHECK (cause IN ('schedule', 'trigger', 'backfill', 'retry')),
	roots         text[] NOT NULL,
	owner         regrole NOT NULL,
	created_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
REVOKE ALL ON TABLE lyftron.flow FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.flow', '');
SELECT pg_catalog.pg_extension_config_dump('lyftron.flow_id_seq', '');
COMMENT ON TABLE lyftron.flow IS 'flows: pipelines that were queued together, with those that come after them';
COMMENT ON COLUMN lyftron.flow.id IS 'number of the flow';
COMMENT ON COLUMN lyftron.flow.cause IS 'why: schedule, trigger, backfill or retry';
COMMENT ON COLUMN lyftron.flow.roots IS 'pipelines that it was made for';
COMMENT ON COLUMN lyftron.flow.owner IS 'role that asked for it; of a schedule, the first pipeline''s owner';
COMMENT ON COLUMN lyftron.flow.created_at IS 'when it was queued';

-- Not dumped: a restored copy counts from when it is restored, and makes up for nothing.
CREATE TABLE lyftron.due (
	pipeline      text PRIMARY KEY REFERENCES lyftron.pipeline (name) ON DELETE CASCADE,
	schedule      text NOT NULL,
	next_at       timestamptz
);
CREATE INDEX due_next_at ON lyftron.due (next_at);
REVOKE ALL ON TABLE lyftron.due FROM PUBLIC;
COMMENT ON TABLE lyftron.due IS 'when schedules are due next';
COMMENT ON COLUMN lyftron.due.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.due.schedule IS 'the schedule that next_at was found by';
COMMENT ON COLUMN lyftron.due.next_at IS 'when it is due next; null: never';

CREATE VIEW lyftron.task WITH (security_barrier) AS
	SELECT id, state, kind, name, command, owner, pool, priority, key, flow, nominal_at, window_start, window_end, run_at, attempt,
		max_attempts, created_at, started_at, NULL::timestamptz AS finished_at, pid, error, sqlstate, NULL::text AS detail,
		NULL::text AS hint, NULL::bigint AS retried_as
	FROM lyftron.queue WHERE pg_catalog.pg_has_role(owner, 'USAGE')
	UNION ALL
	SELECT id, state, kind, name, command, owner, pool, priority, key, flow, nominal_at, window_start, window_end, NULL, attempt,
		max_attempts, created_at, started_at, finished_at, pid, error, sqlstate, detail, hint, retried_as
	FROM lyftron.history WHERE pg_catalog.pg_has_role(owner, 'USAGE');
GRANT SELECT ON lyftron.task TO PUBLIC;
COMMENT ON VIEW lyftron.task IS 'your tasks: those to be done, being done, and over';
COMMENT ON COLUMN lyftron.task.id IS 'number of the task';
COMMENT ON COLUMN lyftron.task.state IS 'ready, scheduled, waiting, blocked, paused, running; succeeded, failed, cancelled, skipped';
COMMENT ON COLUMN lyftron.task.kind IS 'pipeline, slice: one of the slices of its run; sql or webhook';
COMMENT ON COLUMN lyftron.task.name IS 'name of the pipeline, the task or the alert';
COMMENT ON COLUMN lyftron.task.command IS 'SQL statements, of the kind sql; what is told, of the kind webhook; the run that cut the slices, of the kind slice';
COMMENT ON COLUMN lyftron.task.owner IS 'role whose doing it is';
COMMENT ON COLUMN lyftron.task.pool IS 'pool whose workers may take it';
COMMENT ON COLUMN lyftron.task.priority IS 'lower goes first';
COMMENT ON COLUMN lyftron.task.key IS 'what it shares a limit of concurrency with';
COMMENT ON COLUMN lyftron.task.flow IS 'the flow it belongs to';
COMMENT ON COLUMN lyftron.task.nominal_at IS 'time of the schedule that it was queued for';
COMMENT ON COLUMN lyftron.task.window_start IS 'of a backfill: records from then on';
COMMENT ON COLUMN lyftron.task.window_end IS 'of a backfill: records before then';
COMMENT ON COLUMN lyftron.task.run_at IS 'not before';
COMMENT ON COLUMN lyftron.task.attempt IS 'how often it was begun';
COMMENT ON COLUMN lyftron.task.max_attempts IS 'how often it is begun at most';
COMMENT ON COLUMN lyftron.task.created_at IS 'when it was queued';
COMMENT ON COLUMN lyftron.task.started_at IS 'when it was last begun';
COMMENT ON COLUMN lyftron.task.finished_at IS 'when it was over';
COMMENT ON COLUMN lyftron.task.pid IS 'process that runs or ran it';
COMMENT ON COLUMN lyftron.task.error IS 'message of the last error';
COMMENT ON COLUMN lyftron.task.sqlstate IS 'SQLSTATE of that error';
COMMENT ON COLUMN lyftron.task.detail IS 'detail of the error that ended it';
COMMENT ON COLUMN lyftron.task.hint IS 'hint of that error';
COMMENT ON COLUMN lyftron.task.retried_as IS 'number of the task that was queued to do it again';

CREATE VIEW lyftron.flows WITH (security_barrier) AS
	SELECT f.id, f.cause, f.roots, f.owner, f.created_at, t.finished_at,
		CASE WHEN t.unfinished > 0 THEN 'running' WHEN t.succeeded = t.tasks THEN 'succeeded' ELSE 'failed' END AS state,
		t.tasks, t.unfinished, t.succeeded, t.failed, t.cancelled, t.skipped
	FROM lyftron.flow f, LATERAL (
		SELECT count(*) AS tasks, count(*) FILTER (WHERE state IS NULL) AS unfinished,
			count(*) FILTER (WHERE state = 'succeeded') AS succeeded, count(*) FILTER (WHERE state = 'failed') AS failed,
			count(*) FILTER (WHERE state = 'cancelled') AS cancelled, count(*) FILTER (WHERE state = 'skipped') AS skipped,
			CASE WHEN count(*) FILTER (WHERE state IS NULL) = 0 THEN max(finished_at) END AS finished_at
		FROM (SELECT NULL AS state, NULL::timestamptz AS finished_at FROM lyftron.queue q WHERE q.flow = f.id
			UNION ALL SELECT h.state, h.finished_at FROM lyftron.history h WHERE h.flow = f.id) u) t
	WHERE pg_catalog.pg_has_role(f.owner, 'USAGE');
GRANT SELECT ON lyftron.flows TO PUBLIC;
COMMENT ON VIEW lyftron.flows IS 'your flows: pipelines that were queued together, with those that come after them';
COMMENT ON COLUMN lyftron.flows.id IS 'number of the flow';
COMMENT ON COLUMN lyftron.flows.cause IS 'why: schedule, trigger, backfill or retry';
COMMENT ON COLUMN lyftron.flows.roots IS 'pipelines that it was made for';
COMMENT ON COLUMN lyftron.flows.owner IS 'role that asked for it; of a schedule, the first pipeline''s owner';
COMMENT ON COLUMN lyftron.flows.created_at IS 'when it was queued';
COMMENT ON COLUMN lyftron.flows.finished_at IS 'when its last task was over';
COMMENT ON COLUMN lyftron.flows.state IS 'running; succeeded: each task did; failed';
COMMENT ON COLUMN lyftron.flows.tasks IS 'how many tasks it has';
COMMENT ON COLUMN lyftron.flows.unfinished IS 'tasks that are not over';
COMMENT ON COLUMN lyftron.flows.succeeded IS 'tasks that succeeded';
COMMENT ON COLUMN lyftron.flows.failed IS 'tasks that failed';
COMMENT ON COLUMN lyftron.flows.cancelled IS 'tasks that were cancelled';
COMMENT ON COLUMN lyftron.flows.skipped IS 'tasks that were skipped, since one that goes first did not succeed';

CREATE FUNCTION lyftron.enqueue(command text, name text DEFAULT NULL, pool text DEFAULT 'default', priority integer DEFAULT 0,
	run_at timestamptz DEFAULT NULL, key text DEFAULT NULL, unique_key text DEFAULT NULL, max_attempts integer DEFAULT 5) RETURNS bigint
	AS 'MODULE_PATHNAME', 'lyf_enqueue' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.enqueue(text, text, text, integer, timestamptz, text, text, integer) IS
	'queue SQL statements as a task of the caller''s; its number, or null where one of that unique_key is there already';

CREATE FUNCTION lyftron.enqueue(commands text[], name text DEFAULT NULL, pool text DEFAULT 'default', priority integer DEFAULT 0,
	run_at timestamptz DEFAULT NULL, key text DEFAULT NULL, max_attempts integer DEFAULT 5) RETURNS SETOF bigint
	AS 'MODULE_PATHNAME', 'lyf_enqueue_several' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION lyftron.enqueue(text[], text, text, integer, timestamptz, text, integer) IS
	'queue SQL statements as tasks of the caller''s, one for each command; their numbers, in that order';

CREATE FUNCTION lyftron.trigger(pipeline text, downstream boolean DEFAULT true, on_failure text DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'lyf_trigger' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.trigger(text, boolean, text) IS
	'queue a pipeline, and those that come after it; the number of the flow';

CREATE FUNCTION lyftron.trigger(pipelines text[], downstream boolean DEFAULT true, on_failure text DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'lyf_trigger_several' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.trigger(text[], boolean, text) IS
	'queue pipelines, and those that come after them, as one flow; its number';

CREATE FUNCTION lyftron.backfill(pipeline text, since timestamptz, until timestamptz, step interval DEFAULT NULL,
	newest_first boolean DEFAULT false, dry_run boolean DEFAULT false)
	RETURNS TABLE (task bigint, window_start timestamptz, window_end timestamptz)
	AS 'MODULE_PATHNAME', 'lyf_backfill' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.backfill(text, timestamptz, timestamptz, interval, boolean, boolean) IS
	'queue runs of a pipeline that read a range of time, one for each step; its state stays as it is';

CREATE FUNCTION lyftron.tick() RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_tick_function' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.tick() IS
	'look after the queue now: what is due becomes ready, what a session left behind is taken up; workers do it by themselves';

CREATE PROCEDURE lyftron.work(pool text DEFAULT 'default', tasks bigint DEFAULT NULL, wait interval DEFAULT '0')
	LANGUAGE C AS 'MODULE_PATHNAME', 'lyf_work';
COMMENT ON PROCEDURE lyftron.work(text, bigint, interval) IS
	'do tasks of a pool, one after the other, each a transaction: until there are none for as long as wait says, or so many were done';
