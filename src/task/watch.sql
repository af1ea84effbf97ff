-- What is going on: jobs, progress, health.

CREATE FUNCTION lyftron.workers(OUT pid integer, OUT kind text, OUT pool text, OUT owner regrole, OUT state text, OUT since timestamptz, OUT task bigint)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'lyf_workers' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.workers() IS
	'processes of this database, as they are now: overseer, workers, and sessions that work';

CREATE FUNCTION lyftron.wants(OUT pool text, OUT owner regrole, OUT wanted integer, OUT granted integer)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'lyf_wants' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.wants() IS
	'how many workers each owner''s tasks in each pool want, and how many the coordinator can give';

-- A run holds an advisory lock of its own kind (objsubid 19545) as long as it lives: without it, its session is gone.
CREATE VIEW lyftron.jobs WITH (security_barrier) AS
	SELECT r.id, r.pipeline, r.mode,
		CASE WHEN d.dead THEN 'failed' ELSE r.state END AS state,
		NULL::timestamptz AS scheduled_at, r.started_at, r.finished_at,
		CASE WHEN d.dead THEN NULL
			ELSE coalesce(r.finished_at, pg_catalog.clock_timestamp()) - r.started_at END AS duration,
		r.rows_read, r.rows_written, r.rows_rejected,
		pg_catalog.round(r.rows_read::numeric / nullif(extract(epoch FROM
			coalesce(r.finished_at, pg_catalog.clock_timestamp()) - r.started_at), 0.0)) AS rows_per_second,
		r.bytes, r.requests, r.checkpoints,
		CASE WHEN d.dead THEN 'the session that ran it ended' ELSE r.error END AS error,
		r.sqlstate, r.detail, r.hint, r.pid
	FROM lyftron.run r,
		LATERAL (SELECT r.state = 'running' AND NOT EXISTS (
			SELECT FROM pg_catalog.pg_locks l
			WHERE l.locktype = 'advisory' AND l.objsubid = 19545 AND l.pid = r.pid AND l.granted) AS dead) d
	WHERE pg_catalog.pg_has_role(r.owner, 'USAGE')
	UNION ALL
	SELECT NULL, q.name, p.mode, 'queued', coalesce(q.nominal_at, q.run_at), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		q.error, q.sqlstate, NULL, NULL, NULL
	FROM lyftron.queue q LEFT JOIN lyftron.pipeline p ON p.name = q.name
	WHERE q.kind = 'pipeline' AND q.state <> 'running' AND pg_catalog.pg_has_role(q.owner, 'USAGE')
	UNION ALL
	SELECT NULL, p.name, p.mode, 'upcoming', d.next_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		NULL, NULL, NULL, NULL, NULL
	FROM lyftron.due d JOIN lyftron.pipeline p ON p.name = d.pipeline
	WHERE d.next_at IS NOT NULL AND NOT p.paused AND pg_catalog.pg_has_role(p.owner, 'USAGE')
	UNION ALL
	SELECT NULL, h.name, p.mode, h.state, h.nominal_at, NULL, h.finished_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		h.error, h.sqlstate, h.detail, h.hint, NULL
	FROM lyftron.history h LEFT JOIN lyftron.pipeline p ON p.name = h.name
	WHERE h.kind = 'pipeline' AND h.started_at IS NULL AND pg_catalog.pg_has_role(h.owner, 'USAGE');
GRANT SELECT ON lyftron.jobs TO PUBLIC;
COMMENT ON VIEW lyftron.jobs IS 'runs of your pipelines: upcoming, queued, running, succeeded, failed, cancelled and skipped';
COMMENT ON COLUMN lyftron.jobs.id IS 'number of the run; _lyftron_run of the rows it wrote; null: it has not begun';
COMMENT ON COLUMN lyftron.jobs.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.jobs.mode IS 'sync mode of the run';
COMMENT ON COLUMN lyftron.jobs.state IS 'upcoming: when its schedule is due next; queued; running; succeeded; failed; cancelled; skipped: what goes first did not succeed';
COMMENT ON COLUMN lyftron.jobs.scheduled_at IS 'when it is or was to begin';
COMMENT ON COLUMN lyftron.jobs.started_at IS 'when it began';
COMMENT ON COLUMN lyftron.jobs.finished_at IS 'when it ended';
COMMENT ON COLUMN lyftron.jobs.duration IS 'how long it took, or has taken so far';
COMMENT ON COLUMN lyftron.jobs.rows_read IS 'records read from the source';
COMMENT ON COLUMN lyftron.jobs.rows_written IS 'rows of the destination that it inserted or changed';
COMMENT ON COLUMN lyftron.jobs.rows_rejected IS 'records that could not be loaded; see lyftron.rejected_records';
COMMENT ON COLUMN lyftron.jobs.rows_per_second IS 'records read a second';
COMMENT ON COLUMN lyftron.jobs.bytes IS 'bytes received from a remote source';
COMMENT ON COLUMN lyftron.jobs.requests IS 'requests sent to a remote source';
COMMENT ON COLUMN lyftron.jobs.checkpoints IS 'commits of rows and state so far';
COMMENT ON COLUMN lyftron.jobs.error IS 'message of the error that ended it';
COMMENT ON COLUMN lyftron.jobs.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN lyftron.jobs.detail IS 'detail of the error';
COMMENT ON COLUMN lyftron.jobs.hint IS 'hint of the error';
COMMENT ON COLUMN lyftron.jobs.pid IS 'process that runs or ran it';

-- A page of a pipeline that is read in slices names the run that cut them; others than the run's own process may be reading some.
CREATE VIEW lyftron.progress WITH (security_barrier) AS
	SELECT r.id, r.pipeline, r.pid, r.started_at, x.elapsed, x.rows_read, x.bytes, x.requests, r.checkpoints, x.slices_done, x.slices,
		pg_catalog.round(x.rows_read::numeric / nullif(extract(epoch FROM x.elapsed), 0.0)) AS rows_per_second,
		CASE WHEN x.slices_done BETWEEN 1 AND x.slices THEN
			r.started_at + x.elapsed * (x.slices::float8 / x.slices_done) END AS estimated_end
	FROM lyftron.run r
		LEFT JOIN pg_catalog.pg_stat_get_progress_info('COPY') p ON p.pid = r.pid AND p.param11 = 19545
		LEFT JOIN lyftron.state t ON t.pipeline = r.pipeline AND t.partition IS NULL,
		LATERAL (SELECT (t.page -> 'sliced' ->> 'run')::int8 AS sliced) g,
		LATERAL (SELECT count(*) AS slices, count(*) FILTER (WHERE s.state = 'done') AS done, coalesce(sum(s.rows_read), 0) +
			coalesce((SELECT sum(q.param3) FROM pg_catalog.pg_stat_get_progress_info('COPY') q WHERE q.param11 = 19545 AND q.param15 = g.sliced
				AND q.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())), 0) AS rows_read
			FROM lyftron.slice s WHERE s.run = g.sliced) s,
		LATERAL (SELECT pg_catalog.clock_timestamp() - r.started_at AS elapsed,
			CASE WHEN g.sliced IS NULL THEN r.rows_read + coalesce(p.param3, 0) ELSE s.rows_read END::bigint AS rows_read,
			r.bytes + coalesce(p.param1, 0) AS bytes, r.requests + coalesce(p.param12, 0) AS requests,
			CASE WHEN g.sliced IS NULL THEN nullif(p.param13, 0) ELSE s.done END AS slices_done,
			CASE WHEN g.sliced IS NULL THEN nullif(p.param14, 0) ELSE s.slices END AS slices) x
	WHERE r.state = 'running' AND pg_catalog.pg_has_role(r.owner, 'USAGE')
		AND EXISTS (SELECT FROM pg_catalog.pg_locks l
			WHERE l.locktype = 'advisory' AND l.objsubid = 19545 AND l.pid = r.pid AND l.granted);
GRANT SELECT ON lyftron.progress TO PUBLIC;
COMMENT ON VIEW lyftron.progress IS 'runs of your pipelines that are at work just now, and how far they are';
COMMENT ON COLUMN lyftron.progress.id IS 'number of the run';
COMMENT ON COLUMN lyftron.progress.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.progress.pid IS 'process that runs it';
COMMENT ON COLUMN lyftron.progress.started_at IS 'when it began';
COMMENT ON COLUMN lyftron.progress.elapsed IS 'how long it has taken so far';
COMMENT ON COLUMN lyftron.progress.rows_read IS 'records read from the source, those that are not committed among them';
COMMENT ON COLUMN lyftron.progress.bytes IS 'bytes received from a remote source';
COMMENT ON COLUMN lyftron.progress.requests IS 'requests sent to a remote source';
COMMENT ON COLUMN lyftron.progress.checkpoints IS 'commits of rows and state so far';
COMMENT ON COLUMN lyftron.progress.slices_done IS 'slices of the stream that were read';
COMMENT ON COLUMN lyftron.progress.slices IS 'slices that there are; null: that is not known beforehand';
COMMENT ON COLUMN lyftron.progress.rows_per_second IS 'records read a second';
COMMENT ON COLUMN lyftron.progress.estimated_end IS 'when it will be over, if all slices take as long as those so far';

CREATE VIEW lyftron.pool_health WITH (security_barrier) AS
	SELECT n.name AS pool, coalesce(p.min_workers, 0) AS min_workers, coalesce(p.max_workers, 2) AS max_workers,
		coalesce(p.threshold, 0) AS threshold, coalesce(p.idle_timeout, interval '60 seconds') AS idle_timeout, coalesce(p.paused, false) AS paused,
		t.ready, t.scheduled, t.waiting, t.blocked, t.held, t.running, w.workers, w.idle, coalesce(s.wanted, 0) AS wanted,
		pg_catalog.clock_timestamp() - t.oldest_ready AS oldest_ready, e.failed_last_hour, e.last_error,
		CASE
			WHEN p.paused THEN 'the pool is paused'
			WHEN s.wanted > s.granted THEN pg_catalog.format('wants %s workers, gets %s: raise max_worker_processes, or lower lyftron.reserved_workers', s.wanted, s.granted)
			WHEN t.ready > 0 AND l.roles IS NOT NULL THEN 'cannot connect as ' || l.roles || ': give them LOGIN and CONNECT, or CALL lyftron.work as a member of them'
			WHEN t.ready > 0 AND w.workers = 0 AND o.none THEN 'nobody works: SELECT lyftron.start(), or CALL lyftron.work()'
		END AS note
	FROM (SELECT name FROM lyftron.pool UNION SELECT pool FROM lyftron.queue UNION SELECT pool FROM lyftron.pipeline) n
		LEFT JOIN lyftron.pool p ON p.name = n.name,
		LATERAL (SELECT count(*) FILTER (WHERE state = 'ready') AS ready, count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
			count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'blocked') AS blocked,
			count(*) FILTER (WHERE state = 'paused') AS held, count(*) FILTER (WHERE state = 'running') AS running,
			min(run_at) FILTER (WHERE state = 'ready') AS oldest_ready
			FROM lyftron.queue q WHERE q.pool = n.name) t,
		LATERAL (SELECT count(*) AS workers, count(*) FILTER (WHERE state = 'idle') AS idle FROM lyftron.workers() w WHERE w.pool = n.name) w,
		LATERAL (SELECT sum(wanted) AS wanted, sum(granted) AS granted FROM lyftron.wants() s WHERE s.pool = n.name) s,
		LATERAL (SELECT NOT EXISTS (SELECT FROM lyftron.workers() WHERE kind = 'overseer') AS none) o,
		LATERAL (SELECT pg_catalog.string_agg(DISTINCT r.rolname, ', ') AS roles FROM lyftron.queue q JOIN pg_catalog.pg_roles r ON r.oid = q.owner
			WHERE q.pool = n.name AND q.state = 'ready' AND NOT (pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CONNECT')
			AND (r.rolcanlogin OR pg_catalog.current_setting('server_version_num')::integer >= 170000))) l,
		LATERAL (SELECT count(*) AS failed_last_hour, (pg_catalog.array_agg(h.name || ': ' || h.error ORDER BY h.finished_at DESC))[1] AS last_error
			FROM lyftron.history h WHERE h.pool = n.name AND h.state = 'failed' AND h.finished_at > pg_catalog.clock_timestamp() - interval '1 hour'
			AND pg_catalog.pg_has_role(h.owner, 'USAGE')) e;
GRANT SELECT ON lyftron.pool_health TO PUBLIC;
COMMENT ON VIEW lyftron.pool_health IS 'pools: what is in their queues, who works, and what is wrong';
COMMENT ON COLUMN lyftron.pool_health.pool IS 'name of the pool';
COMMENT ON COLUMN lyftron.pool_health.min_workers IS 'workers that stay though they are idle';
COMMENT ON COLUMN lyftron.pool_health.max_workers IS 'workers at most';
COMMENT ON COLUMN lyftron.pool_health.threshold IS 'a worker is added while there are more ready tasks than this for each; 0: while a task waits';
COMMENT ON COLUMN lyftron.pool_health.idle_timeout IS 'a worker beyond the minimum that had nothing to do for so long ends';
COMMENT ON COLUMN lyftron.pool_health.paused IS 'no task of it is begun';
COMMENT ON COLUMN lyftron.pool_health.ready IS 'tasks that wait for a worker';
COMMENT ON COLUMN lyftron.pool_health.scheduled IS 'tasks for later';
COMMENT ON COLUMN lyftron.pool_health.waiting IS 'tasks that wait for others of their flow';
COMMENT ON COLUMN lyftron.pool_health.blocked IS 'tasks that wait for a place: as many of their key run as may';
COMMENT ON COLUMN lyftron.pool_health.held IS 'tasks that are paused';
COMMENT ON COLUMN lyftron.pool_health.running IS 'tasks at work';
COMMENT ON COLUMN lyftron.pool_health.workers IS 'workers and sessions that take its tasks';
COMMENT ON COLUMN lyftron.pool_health.idle IS 'those of them that have nothing to do';
COMMENT ON COLUMN lyftron.pool_health.wanted IS 'workers that its tasks want';
COMMENT ON COLUMN lyftron.pool_health.oldest_ready IS 'how long the task that is ready for longest has waited';
COMMENT ON COLUMN lyftron.pool_health.failed_last_hour IS 'your tasks that failed in the last hour';
COMMENT ON COLUMN lyftron.pool_health.last_error IS 'error of the last of these';
COMMENT ON COLUMN lyftron.pool_health.note IS 'what is wrong, and what to do about it';
