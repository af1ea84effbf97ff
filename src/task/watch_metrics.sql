-- Metrics: how pipelines fare, and all of it for Prometheus.

CREATE VIEW lyftron.pipeline_health WITH (security_barrier) AS
	SELECT p.name AS pipeline, l.state, l.started_at, l.finished_at - l.started_at AS duration, s.finished_at AS succeeded_at,
		CASE WHEN NOT p.paused THEN d.next_at END AS next_at,
		t.rows_read + coalesce(g.rows_read, 0) AS rows_read, t.rows_written + coalesce(g.rows_written, 0) AS rows_written,
		t.rows_rejected + coalesce(g.rows_rejected, 0) AS rows_rejected
	FROM lyftron.pipeline p
		LEFT JOIN lyftron.due d ON d.pipeline = p.name
		LEFT JOIN lyftron.purged g ON g.pipeline = p.name
		LEFT JOIN LATERAL (SELECT r.state, r.started_at, r.finished_at FROM lyftron.run r
			WHERE r.pipeline = p.name AND r.started_at >= p.created_at AND r.finished_at IS NOT NULL ORDER BY r.started_at DESC LIMIT 1) l ON true
		LEFT JOIN LATERAL (SELECT r.finished_at FROM lyftron.run r
			WHERE r.pipeline = p.name AND r.started_at >= p.created_at AND r.state = 'succeeded' ORDER BY r.started_at DESC LIMIT 1) s ON true,
		LATERAL (SELECT coalesce(sum(r.rows_read), 0) AS rows_read, coalesce(sum(r.rows_written), 0) AS rows_written,
			coalesce(sum(r.rows_rejected), 0) AS rows_rejected
			FROM lyftron.run r WHERE r.pipeline = p.name AND r.started_at >= p.created_at) t
	WHERE pg_catalog.pg_has_role(p.owner, 'USAGE');
GRANT SELECT ON lyftron.pipeline_health TO PUBLIC;
COMMENT ON VIEW lyftron.pipeline_health IS 'your pipelines: how the last run went, and what all of them did';
COMMENT ON COLUMN lyftron.pipeline_health.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.pipeline_health.state IS 'how the last run that is over ended: succeeded, failed or cancelled';
COMMENT ON COLUMN lyftron.pipeline_health.started_at IS 'when that run began';
COMMENT ON COLUMN lyftron.pipeline_health.duration IS 'how long it took';
COMMENT ON COLUMN lyftron.pipeline_health.succeeded_at IS 'when a run last succeeded';
COMMENT ON COLUMN lyftron.pipeline_health.next_at IS 'when its schedule is due next';
COMMENT ON COLUMN lyftron.pipeline_health.rows_read IS 'records that all runs read from the source';
COMMENT ON COLUMN lyftron.pipeline_health.rows_written IS 'rows of the destination that they inserted or changed';
COMMENT ON COLUMN lyftron.pipeline_health.rows_rejected IS 'records that could not be loaded';

-- A sample's labels are an object; a metric without samples is left out.
CREATE FUNCTION lyftron.metrics() RETURNS text LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	WITH metric (n, name, kind, help) AS (VALUES
		(1, 'lyftron_tasks', 'gauge', 'Tasks that are not over, by pool and state.'),
		(2, 'lyftron_tasks_ended_last_day', 'gauge', 'Tasks that ended in the last day, by pool and state.'),
		(3, 'lyftron_oldest_ready_seconds', 'gauge', 'How long the task that is ready for longest has waited.'),
		(4, 'lyftron_workers', 'gauge', 'Workers, and sessions that work.'),
		(5, 'lyftron_workers_idle', 'gauge', 'Those of them that have nothing to do.'),
		(6, 'lyftron_workers_wanted', 'gauge', 'Workers that the tasks want.'),
		(7, 'lyftron_workers_granted', 'gauge', 'Workers that the coordinator can give.'),
		(8, 'lyftron_runs_last_day', 'gauge', 'Runs that began in the last day, by pipeline and state.'),
		(9, 'lyftron_rows_read_total', 'counter', 'Records read from the source.'),
		(10, 'lyftron_rows_written_total', 'counter', 'Rows of the destination that were inserted or changed.'),
		(11, 'lyftron_rows_rejected_total', 'counter', 'Records that could not be loaded.'),
		(12, 'lyftron_last_success_age_seconds', 'gauge', 'Time since a run last succeeded.'),
		(13, 'lyftron_last_run_duration_seconds', 'gauge', 'How long the last run took.'),
		(14, 'lyftron_next_due_timestamp_seconds', 'gauge', 'When the schedule is due next, in seconds since 1970.')),
	pool AS MATERIALIZED (
		SELECT h.*, jsonb_build_object('pool', h.pool) AS labels, (SELECT sum(w.granted) FROM lyftron.wants() w WHERE w.pool = h.pool) AS granted
		FROM lyftron.pool_health h),
	pipeline AS MATERIALIZED (
		SELECT *, jsonb_build_object('pipeline', pipeline) AS labels FROM lyftron.pipeline_health),
	sample (n, labels, value) AS (
		SELECT 1, labels || jsonb_build_object('state', s.state), s.tasks::numeric FROM pool, LATERAL (VALUES ('ready', ready), ('scheduled', scheduled),
			('waiting', waiting), ('blocked', blocked), ('paused', held), ('running', running)) s (state, tasks)
		UNION ALL SELECT 2, jsonb_build_object('pool', pool, 'state', state), count(*) FROM lyftron.task
			WHERE finished_at > now() - interval '1 day' GROUP BY pool, state
		UNION ALL SELECT 3, labels, coalesce(extract(epoch FROM oldest_ready), 0) FROM pool
		UNION ALL SELECT 4, labels, workers FROM pool
		UNION ALL SELECT 5, labels, idle FROM pool
		UNION ALL SELECT 6, labels, wanted FROM pool
		UNION ALL SELECT 7, labels, coalesce(granted, 0) FROM pool
		UNION ALL SELECT 8, jsonb_build_object('pipeline', pipeline, 'state', state), count(*) FROM lyftron.jobs
			WHERE started_at > now() - interval '1 day' GROUP BY pipeline, state
		UNION ALL SELECT 9, labels, rows_read FROM pipeline
		UNION ALL SELECT 10, labels, rows_written FROM pipeline
		UNION ALL SELECT 11, labels, rows_rejected FROM pipeline
		UNION ALL SELECT 12, labels, extract(epoch FROM clock_timestamp() - succeeded_at) FROM pipeline WHERE succeeded_at IS NOT NULL
		UNION ALL SELECT 13, labels, extract(epoch FROM duration) FROM pipeline WHERE duration IS NOT NULL
		UNION ALL SELECT 14, labels, extract(epoch FROM next_at) FROM pipeline WHERE isfinite(next_at)),
	line (n, text) AS (
		SELECT n, format(E'%s{%s} %s\n', name, (SELECT string_agg(format('%s="%s"', key,
			replace(replace(replace(label, '\', '\\'), '"', '\"'), E'\n', '\n')), ',' ORDER BY key)
			FROM jsonb_each_text(labels) l (key, label)), value)
		FROM sample JOIN metric USING (n))
	SELECT coalesce(string_agg(format(E'# HELP %1$s %2$s\n# TYPE %1$s %3$s\n%4$s', name, help, kind, lines), '' ORDER BY n), '')
	FROM metric JOIN (SELECT n, string_agg(text, '' ORDER BY text COLLATE "C") AS lines FROM line GROUP BY n) l USING (n)
$$;
COMMENT ON FUNCTION lyftron.metrics() IS
	'how pools and your pipelines fare, as text in the format of Prometheus';
