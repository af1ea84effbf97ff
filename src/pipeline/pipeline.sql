-- pipeline/: pipelines and their runs.

CREATE TABLE lyftron.pipeline (
	name          text PRIMARY KEY,
	owner         regrole NOT NULL,
	kind          text NOT NULL,
	source        text NOT NULL,
	search_path   text NOT NULL,
	source_server text,
	destination_schema text,
	destination_table  text,
	mode          text NOT NULL,
	primary_key   text[] NOT NULL,
	cursor        text,
	nested        text NOT NULL,
	schema_policy text NOT NULL,
	schedule      text,
	after         text[] NOT NULL,
	pool          text NOT NULL,
	on_reject     text NOT NULL,
	max_rejected  bigint,
	on_failure    text NOT NULL,
	missed        text NOT NULL,
	lookback      text,
	slices        integer NOT NULL,
	slice_by      text,
	paused        boolean NOT NULL DEFAULT false,
	loaded_key    text[],
	shapes        jsonb,
	casts         jsonb,
	on_schema_change text,
	created_at    timestamptz NOT NULL DEFAULT now(),
	altered_at    timestamptz,
	UNIQUE (destination_schema, destination_table),
	CHECK ((kind = 'sql') = (destination_table IS NULL))
);
REVOKE ALL ON TABLE lyftron.pipeline FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.pipeline', '');
COMMENT ON TABLE lyftron.pipeline IS 'pipelines: each moves one stream, relation or query into one table';
COMMENT ON COLUMN lyftron.pipeline.name IS 'name of the pipeline';
COMMENT ON COLUMN lyftron.pipeline.owner IS 'role that made it, and that its runs are executed as; its members may run, alter and drop it';
COMMENT ON COLUMN lyftron.pipeline.kind IS 'load: rows of the source go into the destination; sql: the source is SQL statements, which are executed';
COMMENT ON COLUMN lyftron.pipeline.source IS 'what is read: a qualified relation, or a query; or SQL statements';
COMMENT ON COLUMN lyftron.pipeline.search_path IS 'search_path that the source is read with: that of its definition';
COMMENT ON COLUMN lyftron.pipeline.source_server IS 'foreign server of the source, where it is a foreign table';
COMMENT ON COLUMN lyftron.pipeline.destination_schema IS 'schema of the table that is loaded';
COMMENT ON COLUMN lyftron.pipeline.destination_table IS 'the table that is loaded';
COMMENT ON COLUMN lyftron.pipeline.mode IS 'full_refresh, incremental or incremental_append; sql of the kind sql';
COMMENT ON COLUMN lyftron.pipeline.primary_key IS 'columns that say which record a row is; empty: all of them';
COMMENT ON COLUMN lyftron.pipeline.cursor IS 'column that says what is new';
COMMENT ON COLUMN lyftron.pipeline.nested IS 'what becomes of objects and lists: jsonb, flatten, normalize or raw';
COMMENT ON COLUMN lyftron.pipeline.schema_policy IS 'what is answered to changes of the source: evolve, freeze, ignore or alert; or JSON with an answer for kinds of changes and columns';
COMMENT ON COLUMN lyftron.pipeline.schedule IS 'cron text with an optional time zone, or an interval: when a run is queued';
COMMENT ON COLUMN lyftron.pipeline.after IS 'pipelines that must have succeeded first: whenever one of them is queued, this one is, to run after it';
COMMENT ON COLUMN lyftron.pipeline.pool IS 'pool of workers that runs it';
COMMENT ON COLUMN lyftron.pipeline.on_reject IS 'a record that cannot be loaded: keep it in lyftron.rejected_records, or fail the run';
COMMENT ON COLUMN lyftron.pipeline.max_rejected IS 'a run that rejects more records than this fails; null: no limit';
COMMENT ON COLUMN lyftron.pipeline.on_failure IS 'when it fails, those that come after it: skip them, run them all the same, or stop all of the flow';
COMMENT ON COLUMN lyftron.pipeline.missed IS 'times of the schedule that went by while nobody worked: once: they are made up for by one run; skip; all: by a run each';
COMMENT ON COLUMN lyftron.pipeline.lookback IS 'how far below the last value of the cursor an incremental run reads again: an interval or a number';
COMMENT ON COLUMN lyftron.pipeline.slices IS 'in how many ranges a full refresh reads the source; 1: as a whole';
COMMENT ON COLUMN lyftron.pipeline.slice_by IS 'column that slices are ranges of; null: the first one of the primary key';
COMMENT ON COLUMN lyftron.pipeline.paused IS 'it is not queued by its schedule, and nothing of it is begun';
COMMENT ON COLUMN lyftron.pipeline.loaded_key IS 'columns that the _lyftron_id of the rows in the destination are made of; empty: all, null: nothing was loaded';
COMMENT ON COLUMN lyftron.pipeline.shapes IS 'for flatten and normalize: what the JSON columns look like, as first seen';
COMMENT ON COLUMN lyftron.pipeline.casts IS 'types for columns, which go before those of the source';
COMMENT ON COLUMN lyftron.pipeline.on_schema_change IS 'function of the owner''s that is called with each change of the source';
COMMENT ON COLUMN lyftron.pipeline.created_at IS 'when it was made';
COMMENT ON COLUMN lyftron.pipeline.altered_at IS 'when it was last altered';

ALTER TABLE lyftron.state ADD FOREIGN KEY (pipeline) REFERENCES lyftron.pipeline (name) ON DELETE CASCADE;

CREATE TABLE lyftron.run (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pipeline      text NOT NULL,
	owner         regrole NOT NULL,
	mode          text NOT NULL,
	state         text NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled')),
	started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	finished_at   timestamptz,
	rows_read     bigint NOT NULL DEFAULT 0,
	rows_written  bigint NOT NULL DEFAULT 0,
	rows_rejected bigint NOT NULL DEFAULT 0,
	bytes         bigint NOT NULL DEFAULT 0,
	requests      bigint NOT NULL DEFAULT 0,
	checkpoints   bigint NOT NULL DEFAULT 0,
	values_left_out bigint NOT NULL DEFAULT 0,
	error         text,
	sqlstate      text,
	detail        text,
	hint          text,
	pid           integer NOT NULL DEFAULT pg_backend_pid()
);
CREATE INDEX run_pipeline ON lyftron.run (pipeline, started_at);
CREATE INDEX run_running ON lyftron.run (pipeline) WHERE state = 'running';
REVOKE ALL ON TABLE lyftron.run FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.run', '');
SELECT pg_catalog.pg_extension_config_dump('lyftron.run_id_seq', '');
COMMENT ON TABLE lyftron.run IS 'runs of pipelines';
COMMENT ON COLUMN lyftron.run.id IS 'number of the run; _lyftron_run of the rows it wrote';
COMMENT ON COLUMN lyftron.run.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.run.owner IS 'owner of the pipeline at that time';
COMMENT ON COLUMN lyftron.run.mode IS 'sync mode of the run';
COMMENT ON COLUMN lyftron.run.state IS 'running, succeeded, failed, or cancelled by somebody';
COMMENT ON COLUMN lyftron.run.started_at IS 'when it began';
COMMENT ON COLUMN lyftron.run.finished_at IS 'when it ended';
COMMENT ON COLUMN lyftron.run.rows_read IS 'records read from the source';
COMMENT ON COLUMN lyftron.run.rows_written IS 'rows of the destination that it inserted or changed';
COMMENT ON COLUMN lyftron.run.rows_rejected IS 'records that could not be loaded';
COMMENT ON COLUMN lyftron.run.bytes IS 'bytes received from a remote source';
COMMENT ON COLUMN lyftron.run.requests IS 'requests sent to a remote source';
COMMENT ON COLUMN lyftron.run.checkpoints IS 'commits of rows and state so far';
COMMENT ON COLUMN lyftron.run.values_left_out IS 'values of columns that the destination has not, and that the policy leaves out';
COMMENT ON COLUMN lyftron.run.error IS 'message of the error that ended it';
COMMENT ON COLUMN lyftron.run.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN lyftron.run.detail IS 'detail of the error';
COMMENT ON COLUMN lyftron.run.hint IS 'hint of the error';
COMMENT ON COLUMN lyftron.run.pid IS 'process that ran it';

-- Not dumped: nobody goes on with a run whose hidden heap is in another database.
CREATE TABLE lyftron.slice (
	run           bigint NOT NULL REFERENCES lyftron.run (id) ON DELETE CASCADE,
	number        integer NOT NULL,
	low           text,
	high          text,
	state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
	attempt       integer NOT NULL DEFAULT 0,
	not_before    timestamptz NOT NULL DEFAULT '-infinity',
	started_at    timestamptz,
	finished_at   timestamptz,
	pid           integer,
	rows_read     bigint,
	rows_written  bigint,
	rows_rejected bigint,
	doubtful      boolean,
	error         text,
	sqlstate      text,
	detail        text,
	hint          text,
	PRIMARY KEY (run, number)
);
REVOKE ALL ON TABLE lyftron.slice FROM PUBLIC;
COMMENT ON TABLE lyftron.slice IS 'slices that runs have cut their sources into; who reads one holds the lock of its row';
COMMENT ON COLUMN lyftron.slice.run IS 'the run that cut the source; a later one may go on with what it left';
COMMENT ON COLUMN lyftron.slice.number IS 'number of the slice, from 1; the first one has the rows without a value, too';
COMMENT ON COLUMN lyftron.slice.low IS 'from this value on; null: from the first one';
COMMENT ON COLUMN lyftron.slice.high IS 'below this value; null: to the last one';
COMMENT ON COLUMN lyftron.slice.state IS 'waiting: to be read, or being read; done: its rows are in the hidden heap; failed: it is not tried again';
COMMENT ON COLUMN lyftron.slice.attempt IS 'how often it failed';
COMMENT ON COLUMN lyftron.slice.not_before IS 'when it may be tried again';
COMMENT ON COLUMN lyftron.slice.started_at IS 'when it was begun, if it is done';
COMMENT ON COLUMN lyftron.slice.finished_at IS 'when it was done';
COMMENT ON COLUMN lyftron.slice.pid IS 'process that read it, or last failed to';
COMMENT ON COLUMN lyftron.slice.rows_read IS 'records read from the source';
COMMENT ON COLUMN lyftron.slice.rows_written IS 'rows of the hidden heap';
COMMENT ON COLUMN lyftron.slice.rows_rejected IS 'records that could not be loaded';
COMMENT ON COLUMN lyftron.slice.doubtful IS 'records may have come twice: that is looked for at the end of the run';
COMMENT ON COLUMN lyftron.slice.error IS 'message of the last error';
COMMENT ON COLUMN lyftron.slice.sqlstate IS 'SQLSTATE of the last error';
COMMENT ON COLUMN lyftron.slice.detail IS 'detail of the last error';
COMMENT ON COLUMN lyftron.slice.hint IS 'hint of the last error';

CREATE VIEW lyftron.slices WITH (security_barrier) AS
	SELECT s.run, r.pipeline, s.number, s.low, s.high,
		CASE WHEN s.state <> 'waiting' THEN s.state WHEN p.pid IS NOT NULL THEN 'running'
			WHEN EXISTS (SELECT FROM lyftron.state t WHERE t.pipeline = r.pipeline AND t.partition IS NULL
				AND (t.page -> 'sliced' ->> 'run')::int8 = s.run) THEN 'waiting'
			ELSE 'skipped' END AS state,
		coalesce(timestamptz '2000-01-01 00:00:00+00' + nullif(p.param17, 0) * interval '1 microsecond', s.started_at) AS started_at,
		s.finished_at, coalesce(p.pid, s.pid) AS pid, coalesce(s.rows_read, p.param3) AS rows_read, s.rows_written, s.rows_rejected,
		s.attempt, s.error, s.sqlstate
	FROM lyftron.slice s JOIN lyftron.run r ON r.id = s.run
		LEFT JOIN pg_catalog.pg_stat_get_progress_info('COPY') p ON s.state = 'waiting' AND p.param11 = 19545
			AND p.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
			AND p.param15 = s.run AND p.param16 = s.number
	WHERE pg_catalog.pg_has_role(r.owner, 'USAGE');
GRANT SELECT ON lyftron.slices TO PUBLIC;
COMMENT ON VIEW lyftron.slices IS 'slices that runs of your pipelines have cut their sources into';
COMMENT ON COLUMN lyftron.slices.run IS 'the run that cut the source; a later one may go on with what it left';
COMMENT ON COLUMN lyftron.slices.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.slices.number IS 'number of the slice, from 1; the first one has the rows without a value, too';
COMMENT ON COLUMN lyftron.slices.low IS 'from this value on; null: from the first one';
COMMENT ON COLUMN lyftron.slices.high IS 'below this value; null: to the last one';
COMMENT ON COLUMN lyftron.slices.state IS 'waiting, running, done; failed: it is not tried again; skipped: the run ended without it';
COMMENT ON COLUMN lyftron.slices.started_at IS 'when it was begun, if it is running or done';
COMMENT ON COLUMN lyftron.slices.finished_at IS 'when it was done';
COMMENT ON COLUMN lyftron.slices.pid IS 'process that reads it, or read it, or last failed to';
COMMENT ON COLUMN lyftron.slices.rows_read IS 'records read from the source';
COMMENT ON COLUMN lyftron.slices.rows_written IS 'rows that are in the hidden heap';
COMMENT ON COLUMN lyftron.slices.rows_rejected IS 'records that could not be loaded';
COMMENT ON COLUMN lyftron.slices.attempt IS 'how often it failed';
COMMENT ON COLUMN lyftron.slices.error IS 'message of the last error';
COMMENT ON COLUMN lyftron.slices.sqlstate IS 'SQLSTATE of the last error';

CREATE VIEW lyftron.pipelines WITH (security_barrier) AS
	SELECT name, owner, kind, source,
		CASE WHEN destination_table IS NOT NULL THEN pg_catalog.format('%I.%I', destination_schema, destination_table) END AS destination,
		mode, primary_key, cursor, nested, schema_policy, schedule, after, pool, on_reject, max_rejected, on_failure, missed, paused,
		lookback, slices, slice_by, casts, on_schema_change, created_at, altered_at
	FROM lyftron.pipeline
	WHERE pg_catalog.pg_has_role(owner, 'USAGE');
GRANT SELECT ON lyftron.pipelines TO PUBLIC;
COMMENT ON VIEW lyftron.pipelines IS 'your pipelines: those whose owner you are, or are a member of';
COMMENT ON COLUMN lyftron.pipelines.name IS 'name of the pipeline';
COMMENT ON COLUMN lyftron.pipelines.owner IS 'role that made it, and that its runs are executed as; its members may run, alter and drop it';
COMMENT ON COLUMN lyftron.pipelines.kind IS 'load: rows of the source go into the destination; sql: the source is SQL statements';
COMMENT ON COLUMN lyftron.pipelines.source IS 'what is read: a qualified relation, or a query; or SQL statements';
COMMENT ON COLUMN lyftron.pipelines.destination IS 'the table that is loaded';
COMMENT ON COLUMN lyftron.pipelines.mode IS 'full_refresh, incremental or incremental_append';
COMMENT ON COLUMN lyftron.pipelines.primary_key IS 'columns that say which record a row is; empty: all of them';
COMMENT ON COLUMN lyftron.pipelines.cursor IS 'column that says what is new';
COMMENT ON COLUMN lyftron.pipelines.nested IS 'what becomes of objects and lists: jsonb, flatten, normalize or raw';
COMMENT ON COLUMN lyftron.pipelines.schema_policy IS 'what is answered to changes of the source: evolve, freeze, ignore or alert; or JSON';
COMMENT ON COLUMN lyftron.pipelines.schedule IS 'cron text with an optional time zone, or an interval';
COMMENT ON COLUMN lyftron.pipelines.after IS 'pipelines that must have succeeded first';
COMMENT ON COLUMN lyftron.pipelines.pool IS 'pool of workers that runs it';
COMMENT ON COLUMN lyftron.pipelines.on_reject IS 'a record that cannot be loaded: keep it, or fail the run';
COMMENT ON COLUMN lyftron.pipelines.max_rejected IS 'a run that rejects more records than this fails; null: no limit';
COMMENT ON COLUMN lyftron.pipelines.on_failure IS 'when it fails, those that come after it: skip, run or stop';
COMMENT ON COLUMN lyftron.pipelines.missed IS 'times of the schedule that went by while nobody worked: once, skip or all';
COMMENT ON COLUMN lyftron.pipelines.paused IS 'it is not queued by its schedule, and nothing of it is begun';
COMMENT ON COLUMN lyftron.pipelines.lookback IS 'how far below the last value of the cursor an incremental run reads again: an interval or a number';
COMMENT ON COLUMN lyftron.pipelines.slices IS 'in how many ranges a full refresh reads the source; 1: as a whole';
COMMENT ON COLUMN lyftron.pipelines.slice_by IS 'column that slices are ranges of; null: the first one of the primary key';
COMMENT ON COLUMN lyftron.pipelines.casts IS 'types for columns, which go before those of the source';
COMMENT ON COLUMN lyftron.pipelines.on_schema_change IS 'function of the owner''s that is called with each change of the source';
COMMENT ON COLUMN lyftron.pipelines.created_at IS 'when it was made';
COMMENT ON COLUMN lyftron.pipelines.altered_at IS 'when it was last altered';

CREATE VIEW lyftron.rejected_records WITH (security_barrier) AS
	SELECT j.id, j.run, j.pipeline, j.stream, j.rejected_at, j.sqlstate, j.reason, j.record
	FROM lyftron.rejected j
	WHERE EXISTS (SELECT FROM lyftron.run r WHERE r.id = j.run AND pg_catalog.pg_has_role(r.owner, 'USAGE'));
GRANT SELECT ON lyftron.rejected_records TO PUBLIC;
COMMENT ON VIEW lyftron.rejected_records IS 'records that runs of your pipelines could not load, with the reason';
COMMENT ON COLUMN lyftron.rejected_records.id IS 'number of the rejected record';
COMMENT ON COLUMN lyftron.rejected_records.run IS 'the run that met it';
COMMENT ON COLUMN lyftron.rejected_records.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.rejected_records.stream IS 'the stream or relation it came from';
COMMENT ON COLUMN lyftron.rejected_records.rejected_at IS 'when it was rejected';
COMMENT ON COLUMN lyftron.rejected_records.sqlstate IS 'SQLSTATE of the reason';
COMMENT ON COLUMN lyftron.rejected_records.reason IS 'why it was rejected';
COMMENT ON COLUMN lyftron.rejected_records.record IS 'the record as JSON text';

CREATE VIEW lyftron.states WITH (security_barrier) AS
	SELECT s.pipeline, s.stream, s.partition, s.cursor, s.page IS NOT NULL AS unfinished, s.updated_at
	FROM lyftron.state s JOIN lyftron.pipeline p ON p.name = s.pipeline
	WHERE pg_catalog.pg_has_role(p.owner, 'USAGE');
GRANT SELECT ON lyftron.states TO PUBLIC;
COMMENT ON VIEW lyftron.states IS 'where your pipelines stand: a row a stream, and a row for each of its partitions';
COMMENT ON COLUMN lyftron.states.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.states.stream IS 'the stream or relation that it reads';
COMMENT ON COLUMN lyftron.states.partition IS 'the partition; null: the stream as a whole';
COMMENT ON COLUMN lyftron.states.cursor IS 'the saved position: what is newer is to be read';
COMMENT ON COLUMN lyftron.states.unfinished IS 'did a run stop at a checkpoint, from which the next one goes on?';
COMMENT ON COLUMN lyftron.states.updated_at IS 'when the row was last changed';

CREATE FUNCTION lyftron.create_pipeline(name text, source text, destination text DEFAULT NULL,
	mode text DEFAULT 'full_refresh', primary_key text[] DEFAULT NULL, cursor text DEFAULT NULL,
	nested text DEFAULT 'jsonb', schema_policy text DEFAULT 'evolve', schedule text DEFAULT NULL,
	after text[] DEFAULT NULL, pool text DEFAULT 'default', on_reject text DEFAULT 'keep',
	max_rejected bigint DEFAULT NULL, on_failure text DEFAULT 'skip', missed text DEFAULT 'once',
	lookback text DEFAULT NULL, slices integer DEFAULT 1, slice_by text DEFAULT NULL,
	casts jsonb DEFAULT NULL, on_schema_change text DEFAULT NULL, kind text DEFAULT 'load') RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_pipeline(text, text, text, text, text[], text, text, text, text, text[], text, text, bigint, text, text, text, integer, text, jsonb, text, text) IS
	'make a pipeline that moves a relation or the rows of a query into a table, or (kind sql) executes SQL statements; primary_key and cursor default to those of the stream';

CREATE FUNCTION lyftron.alter_pipeline(name text, source text DEFAULT NULL, destination text DEFAULT NULL,
	mode text DEFAULT NULL, primary_key text[] DEFAULT NULL, cursor text DEFAULT NULL,
	nested text DEFAULT NULL, schema_policy text DEFAULT NULL, schedule text DEFAULT NULL,
	after text[] DEFAULT NULL, pool text DEFAULT NULL, on_reject text DEFAULT NULL,
	max_rejected bigint DEFAULT NULL, on_failure text DEFAULT NULL, missed text DEFAULT NULL,
	lookback text DEFAULT NULL, slices integer DEFAULT NULL, slice_by text DEFAULT NULL,
	casts jsonb DEFAULT NULL, on_schema_change text DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_alter_pipeline' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.alter_pipeline(text, text, text, text, text[], text, text, text, text, text[], text, text, bigint, text, text, text, integer, text, jsonb, text) IS
	'change what is given of a pipeline; an empty text takes cursor, schedule, lookback, slice_by or on_schema_change away, an empty object the casts, -1 the limit of rejected records';

CREATE FUNCTION lyftron.drop_pipeline(name text, if_exists boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_drop_pipeline' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.drop_pipeline(text, boolean) IS
	'drop a pipeline and its state; the table that it loaded stays';

CREATE FUNCTION lyftron.state_json(pipeline text) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'lyf_state_json' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.state_json(text) IS 'the state of a pipeline as Airbyte''s state JSON; null: it has none';

CREATE FUNCTION lyftron.set_state(pipeline text, state jsonb) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_set_state' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.set_state(text, jsonb) IS
	'set the state of a pipeline from a stream''s state object or Airbyte''s state messages; null: start from the beginning';

CREATE PROCEDURE lyftron.run(name text)
	LANGUAGE C AS 'MODULE_PATHNAME', 'lyf_run';
COMMENT ON PROCEDURE lyftron.run(text) IS
	'run a pipeline now, in this session, as its owner; commits at checkpoints, or is all or nothing inside a transaction block';

CREATE FUNCTION lyftron.schedule_times(schedule text, since timestamptz DEFAULT now(), count integer DEFAULT 10)
	RETURNS SETOF timestamptz
	AS 'MODULE_PATHNAME', 'lyf_schedule_times' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.schedule_times(text, timestamptz, integer) IS
	'the next times, after since, at which a schedule is due';
