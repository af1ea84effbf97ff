-- Pipelines queued with those that come after them; schedules; backfills.
CREATE SCHEMA flows;
SELECT coalesce(max(id), 0) AS flows_before FROM lyftron.flows \gset
SET search_path = flows, public;
SET timezone = 'UTC';
CREATE TABLE done (what text, nominal text DEFAULT current_setting('lyftron.nominal_time', true),
	since text DEFAULT current_setting('lyftron.window_start', true), n bigint GENERATED ALWAYS AS IDENTITY);
CREATE TABLE broken (what text PRIMARY KEY);
CREATE FUNCTION note(step text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM broken WHERE what = step) THEN
		RAISE EXCEPTION '% is broken', step;
	END IF;
	INSERT INTO done (what) VALUES (step);
END$$;
CREATE FUNCTION make(step text, after text[] DEFAULT NULL, on_failure text DEFAULT 'skip', schedule text DEFAULT NULL, missed text DEFAULT 'once') RETURNS void
	LANGUAGE sql AS $$
	SELECT lyftron.create_pipeline(step, format('SELECT note(%L)', step), kind => 'sql', after => after, on_failure => on_failure,
		schedule => schedule, missed => missed)
$$;

-- a load and steps around it
CREATE TABLE source AS SELECT i AS id, timestamptz '2026-01-01' + i * interval '1 day' AS at FROM generate_series(0, 9) i;
SELECT make('before');
SELECT lyftron.create_pipeline('load', 'source', 'flows.loaded', mode => 'incremental', primary_key => '{id}', cursor => 'at', after => '{before}');
SELECT make('mart', '{load}');
SELECT make('other', '{before}');
SELECT make('last', '{mart,other}');
SELECT name, kind, destination, mode, on_failure, missed FROM lyftron.pipelines ORDER BY name;
SELECT lyftron.trigger('before') > 0 AS queued;
SELECT name, state FROM lyftron.task ORDER BY name;
CALL lyftron.work();
SELECT array_agg(what ORDER BY n) FROM done;
SELECT count(*) FROM loaded;
SELECT cause, roots, state, tasks, unfinished, succeeded FROM lyftron.flows WHERE id > :flows_before;
SELECT pipeline, mode, state FROM lyftron.jobs WHERE pipeline IN ('before', 'load', 'mart', 'other', 'last') ORDER BY id;
SELECT * FROM lyftron.edge;

-- what is queued already is not queued again, but waits for what is queued now
TRUNCATE done;
SELECT lyftron.trigger('other', downstream => false) > 0 AS queued;
SELECT lyftron.trigger('before') > 0 AS queued;
SELECT name, state FROM lyftron.task WHERE finished_at IS NULL ORDER BY name;
SELECT lyftron.trigger('before') > 0 AS queued;
SELECT count(*) FROM lyftron.task WHERE finished_at IS NULL;
CALL lyftron.work();
SELECT array_agg(what ORDER BY n) FROM done;

-- a failure: what waits for it is skipped, and nothing else is
TRUNCATE done;
INSERT INTO broken VALUES ('mart');
SELECT lyftron.trigger('before') > 0 AS queued;
CALL lyftron.work();
SELECT array_agg(what ORDER BY n) FROM done;
SELECT name, state, error FROM lyftron.task WHERE flow = (SELECT max(flow) FROM lyftron.task) ORDER BY name;
SELECT state, tasks, succeeded, failed, skipped FROM lyftron.flows ORDER BY id DESC LIMIT 1;
-- its turn cannot come: what goes first did not succeed
SELECT lyftron.trigger('last') > 0 AS queued;
SELECT name, state, error FROM lyftron.task ORDER BY id DESC LIMIT 1;

-- or they run all the same
TRUNCATE done;
SELECT lyftron.alter_pipeline('mart', on_failure => 'run');
SELECT lyftron.trigger(ARRAY['before']) > 0 AS queued;
CALL lyftron.work();
SELECT array_agg(what ORDER BY n) FROM done;

-- or the whole flow stops
TRUNCATE done;
INSERT INTO broken VALUES ('before');
SELECT lyftron.trigger(ARRAY['before'], on_failure => 'stop') > 0 AS queued;
CALL lyftron.work();
SELECT array_agg(what ORDER BY n) FROM done;
SELECT name, state, error FROM lyftron.task WHERE flow = (SELECT max(flow) FROM lyftron.task) ORDER BY name;
SELECT * FROM lyftron.edge;
SELECT lyftron.trigger('before', on_failure => 'weep');
SELECT lyftron.trigger('nobody');
SELECT lyftron.trigger('{}'::text[]);

-- schedules: a time is queued once, also where it is looked at often
TRUNCATE broken, done;
SELECT lyftron.alter_pipeline('before', schedule => '0 * * * *');
SET lyftron.test_now = '2026-03-01T10:30:00Z';
SELECT lyftron.tick();
SELECT pipeline, next_at FROM lyftron.due;
SET lyftron.test_now = '2026-03-01T11:00:01Z';
SELECT lyftron.tick();
SELECT lyftron.tick();
SELECT name, state, nominal_at FROM lyftron.task WHERE finished_at IS NULL ORDER BY name;
CALL lyftron.work();
SELECT array_agg(what ORDER BY n), min(nominal) FROM done WHERE what = 'before';
SELECT pipeline, next_at FROM lyftron.due;

-- times that went by are made up for once, not at all, or each by its own run
SELECT make('once', schedule => '0 3 * * * Europe/Berlin'), make('skip', schedule => '0 3 * * * Europe/Berlin', missed => 'skip'),
	make('all', schedule => '0 3 * * * Europe/Berlin', missed => 'all');
SET lyftron.test_now = '2026-03-27T12:00:00Z';
SELECT lyftron.tick();
SELECT pipeline, next_at FROM lyftron.due WHERE pipeline <> 'before' ORDER BY 1;
TRUNCATE done;
SET lyftron.test_now = '2026-03-30T12:00:00Z';
CALL lyftron.work();
SELECT lyftron.tick();
CALL lyftron.work();
SELECT lyftron.tick();
CALL lyftron.work();
SELECT lyftron.tick();
CALL lyftron.work();
SELECT what, nominal FROM done WHERE what IN ('once', 'skip', 'all') ORDER BY what, nominal;
SELECT pipeline, next_at FROM lyftron.due WHERE pipeline <> 'before' ORDER BY 1;
-- on time is not missed
SET lyftron.test_now = '2026-03-31T01:01:30Z';
SELECT lyftron.tick();
SELECT name, nominal_at FROM lyftron.task WHERE finished_at IS NULL ORDER BY name;
-- years of minutes
SELECT lyftron.alter_pipeline('skip', schedule => '* * * * *');
SELECT lyftron.tick();
SET lyftron.test_now = '2046-07-01T00:00:00Z';
CALL lyftron.work();
SELECT next_at FROM lyftron.due WHERE pipeline = 'skip';
-- without a schedule it is not due
SELECT lyftron.alter_pipeline(name, schedule => '') FROM lyftron.pipelines WHERE schedule IS NOT NULL;
CALL lyftron.work();
SELECT count(*) FROM lyftron.due;
RESET lyftron.test_now;

-- backfills
UPDATE source SET at = at + interval '1 year' WHERE id = 3;
TRUNCATE loaded, done;
SELECT task IS NULL AS dry, window_start, window_end FROM lyftron.backfill('load', '2026-01-02', '2026-01-06', '3 days', dry_run => true);
SELECT task > 0 AS queued, window_start, window_end FROM lyftron.backfill('load', '2026-01-02', '2026-01-06', '3 days', newest_first => true);
SELECT task > 0 AS queued, window_start FROM lyftron.backfill('load', '2026-01-02', '2026-01-05');
SELECT task > 0 AS queued, window_start FROM lyftron.backfill('load', '2026-01-02', '2026-01-05');
CALL lyftron.work();
SELECT id FROM loaded ORDER BY id;
SELECT lyftron.state_json('load');
SELECT task > 0 AS queued FROM lyftron.backfill('mart', '2026-01-02', '2026-01-03');
CALL lyftron.work();
SELECT what, since FROM done;
SELECT lyftron.alter_pipeline('load', mode => 'full_refresh');
SELECT lyftron.backfill('load', '2026-01-02', '2026-01-03');
SELECT lyftron.backfill('mart', '2026-01-02', '2026-01-02');
SELECT lyftron.backfill('mart', '2026-01-02', 'infinity');
SELECT lyftron.backfill('mart', '2026-01-02', '2027-01-02', '0');
SELECT lyftron.backfill('mart', '2026-01-02', '2027-01-02', '1 minute');

-- what steps cannot be
SELECT lyftron.create_pipeline('x', 'SELECT 1', kind => 'nonsense');
SELECT lyftron.create_pipeline('x', 'SELEC 1', kind => 'sql');
SELECT lyftron.create_pipeline('x', 'SELECT 1', 'flows.x', kind => 'sql');
SELECT lyftron.create_pipeline('x', 'SELECT 1', kind => 'sql', on_failure => 'weep');
SELECT lyftron.create_pipeline('x', 'SELECT 1', kind => 'sql', missed => 'weep');
SELECT lyftron.set_state('mart', '{}');
SELECT lyftron.state_json('mart');
INSERT INTO broken VALUES ('other');
CALL lyftron.run('other');
CALL lyftron.run('mart');

SET client_min_messages = warning;
SELECT lyftron.alter_pipeline(name, after => '{}') FROM lyftron.pipelines WHERE after <> '{}';
SELECT lyftron.drop_pipeline(name) FROM lyftron.pipelines;
DELETE FROM lyftron.queue;
DELETE FROM lyftron.history;
DROP SCHEMA flows CASCADE;
