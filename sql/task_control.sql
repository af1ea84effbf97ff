-- Pools and limits; cancel, pause and resume, do again.
CREATE SCHEMA control;
SET search_path = control, public;
CREATE TABLE done (what text, n bigint GENERATED ALWAYS AS IDENTITY);
CREATE TABLE broken (what text);
CREATE FUNCTION note(step text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM broken WHERE what = step) THEN
		RAISE EXCEPTION '% is broken', step;
	END IF;
	INSERT INTO done (what) VALUES (step);
END$$;

-- pools
SELECT lyftron.create_pool('small', max_workers => 1, threshold => 5);
SELECT lyftron.create_pool('small');
SELECT lyftron.alter_pool('small', idle_timeout => '5 seconds');
SELECT pool, min_workers, max_workers, threshold, idle_timeout, paused, ready, note FROM lyftron.pool_health WHERE pool = 'small';
SELECT lyftron.alter_pool('none', max_workers => 3);
SELECT lyftron.alter_pool('small', min_workers => 3);
SELECT lyftron.create_pool('');
SELECT lyftron.create_pool(repeat('x', 64));
SELECT lyftron.create_pool(NULL);
SELECT lyftron.drop_pool('none');

-- a paused pool begins nothing
SELECT lyftron.enqueue('SELECT note(''paused'')', pool => 'small') > 0 AS queued;
SELECT lyftron.pause_pool('small');
CALL lyftron.work('small');
SELECT count(*) FROM done;
SELECT pool, paused, ready, note FROM lyftron.pool_health WHERE pool = 'small';
SELECT lyftron.resume_pool('small');
CALL lyftron.work('small');
SELECT what FROM done;
SELECT lyftron.pause_pool();
SELECT count(*) FILTER (WHERE paused), count(*) FROM lyftron.pool_health;
SELECT lyftron.resume_pool();
SELECT lyftron.pause_pool('none');

-- as many of a key as may
SELECT lyftron.set_concurrency('server:slow', 0);
SELECT lyftron.set_concurrency(NULL, 1);
SELECT lyftron.set_concurrency('server:slow', 1), lyftron.set_concurrency('server:slow', NULL);

-- tasks: paused, resumed, cancelled
TRUNCATE done;
SELECT lyftron.enqueue('SELECT note(''one'')', name => 'one') AS one \gset
SELECT lyftron.enqueue('SELECT note(''two'')', name => 'two', run_at => now() + interval '1 hour') AS two \gset
SELECT lyftron.pause_task(:one), lyftron.pause_task(:two), lyftron.pause_task(-1);
SELECT name, state FROM lyftron.task WHERE name IN ('one', 'two') ORDER BY name;
CALL lyftron.work();
SELECT lyftron.resume_task(:one), lyftron.resume_task(:two);
SELECT name, state FROM lyftron.task WHERE name IN ('one', 'two') ORDER BY name;
SELECT lyftron.cancel_task(:two), lyftron.cancel_task(:two);
CALL lyftron.work();
SELECT lyftron.cancel_task(:one);
SELECT what FROM done;
SELECT name, state, replace(error, current_user, 'USER') AS error, sqlstate FROM lyftron.task WHERE name IN ('one', 'two') ORDER BY name;

-- done again
SELECT lyftron.retry_task(:one) IS NULL AS "it succeeded", lyftron.retry_task(:two) > 0 AS again, lyftron.retry_task(:two) IS NULL AS "it was already";
INSERT INTO broken VALUES ('a'), ('b');
SELECT lyftron.enqueue('SELECT note(''a'')', name => 'a') > 0 AS queued, lyftron.enqueue('SELECT note(''b'')', name => 'b') > 0 AS queued;
CALL lyftron.work();
SELECT name, state, error FROM lyftron.task WHERE name IN ('a', 'b') ORDER BY name;
TRUNCATE broken;
SELECT lyftron.retry_failed(name => 'b'), lyftron.retry_failed(since => now() + interval '1 day');
SELECT lyftron.retry_failed(name => 'a'), lyftron.retry_failed(name => 'a');
CALL lyftron.work();
SELECT array_agg(what ORDER BY what) FROM done;

-- pipelines: a paused one, in a flow, keeps those after it waiting
SELECT lyftron.create_pipeline('first', 'SELECT control.note(''first'')', kind => 'sql');
SELECT lyftron.create_pipeline('second', 'SELECT control.note(''second'')', kind => 'sql', after => '{first}');
TRUNCATE done;
SELECT lyftron.trigger('first') > 0 AS queued;
SELECT lyftron.pause_pipeline('first');
SELECT name, paused FROM lyftron.pipelines WHERE name = 'first';
CALL lyftron.work();
SELECT name, state FROM lyftron.task WHERE finished_at IS NULL ORDER BY name;
SELECT lyftron.trigger('first') > 0 AS queued;
CALL lyftron.work();
SELECT lyftron.resume_pipeline('first');
CALL lyftron.work();
SELECT array_agg(what ORDER BY n) FROM done;
SELECT lyftron.pause_pipeline('nobody');
-- cancelled: those after it are skipped, and done again with it
SELECT lyftron.trigger('first') > 0 AS queued;
SELECT lyftron.cancel_task(id) FROM lyftron.task WHERE name = 'first' AND finished_at IS NULL;
SELECT name, state FROM lyftron.task WHERE flow = (SELECT max(id) FROM lyftron.flows) ORDER BY name;
SELECT pipeline, state, started_at IS NULL AS "not begun" FROM lyftron.jobs WHERE pipeline IN ('first', 'second') AND state IN ('cancelled', 'skipped') ORDER BY 1;
TRUNCATE done;
SELECT lyftron.retry_task(max(id)) > 0 AS again FROM lyftron.task WHERE name = 'first' AND state = 'cancelled';
CALL lyftron.work();
SELECT array_agg(what ORDER BY n) FROM done;
-- what runs now, and what is to come
SELECT lyftron.alter_pipeline('first', schedule => '@hourly');
SELECT lyftron.tick();
SELECT pipeline, state, scheduled_at = date_trunc('hour', now()) + interval '1 hour' AS "at the full hour" FROM lyftron.jobs WHERE state = 'upcoming';
SELECT count(*) FROM lyftron.progress;

-- who may
CREATE ROLE regress_lyftron_control;
GRANT USAGE ON SCHEMA control TO regress_lyftron_control;
SELECT lyftron.enqueue('SELECT 1', name => 'mine') AS mine \gset
SET ROLE regress_lyftron_control;
\set VERBOSITY sqlstate
SELECT lyftron.cancel_task(:mine);
SELECT lyftron.pause_task(:mine);
SELECT lyftron.retry_task(:two);
SELECT lyftron.retry_failed();
\set VERBOSITY default
SELECT lyftron.pause_pipeline('first');
SELECT lyftron.trigger('first');
SELECT lyftron.create_pool('theirs');
SELECT lyftron.pause_pool();
SELECT lyftron.start();
SELECT lyftron.stop();
SELECT count(*) FROM lyftron.jobs;
SELECT count(*) FROM lyftron.flows;
RESET ROLE;

SET client_min_messages = warning;
SELECT lyftron.drop_pipeline('second'), lyftron.drop_pipeline('first');
SELECT lyftron.drop_pool('small');
DELETE FROM lyftron.queue;
DELETE FROM lyftron.history;
DROP SCHEMA control CASCADE;
DROP ROLE regress_lyftron_control;
