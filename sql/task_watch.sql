-- The log of tasks, metrics, and what is kept for how long.
CREATE SCHEMA watch;
SET search_path = watch, public;
CREATE FUNCTION say(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		RAISE WARNING 'message %', i USING DETAIL = 'A detail.', HINT = 'A hint.', ERRCODE = '01006';
	END LOOP;
	RAISE NOTICE 'a notice';
END $$;
SET client_min_messages = error;

-- a task that succeeds without a word leaves nothing, one that warns what it said, one that fails each error
SELECT lyftron.enqueue('SELECT 1', name => 'silent', pool => 'watch') > 0 AS queued,
	lyftron.enqueue('SELECT watch.say(2)', name => 'warns', pool => 'watch') > 0 AS queued,
	lyftron.enqueue('SELECT watch.say(1); SELECT 1 / 0', name => 'fails', pool => 'watch') > 0 AS queued,
	lyftron.enqueue('SELECT watch.say(150)', name => 'chatters', pool => 'watch') > 0 AS queued,
	lyftron.enqueue('DO $$BEGIN RAISE EXCEPTION ''busy'' USING ERRCODE = ''55P03'', DETAIL = ''Detail.'', HINT = ''Hint.''; END$$',
		name => 'busy', pool => 'watch', max_attempts => 2) > 0 AS queued;
CALL lyftron.work('watch');
UPDATE lyftron.queue SET run_at = now() WHERE name = 'busy';
SELECT lyftron.tick();
CALL lyftron.work('watch');
SELECT name, attempt, level, message, detail, hint, sqlstate, retry_at > at AS retried
	FROM lyftron.task_log WHERE name IN ('silent', 'warns', 'fails', 'busy') ORDER BY task, at;
SELECT count(*), max(message) FILTER (WHERE message LIKE 'and %') AS more FROM lyftron.task_log WHERE name = 'chatters';
SELECT context LIKE 'PL/pgSQL function%' AS context FROM lyftron.task_log WHERE name = 'warns' LIMIT 1;

-- notices, where the server's log would have them
SET log_min_messages = notice;
SELECT lyftron.enqueue('SELECT watch.say(0)', name => 'notes', pool => 'watch') > 0 AS queued;
CALL lyftron.work('watch');
RESET log_min_messages;
SELECT level, message FROM lyftron.task_log WHERE name = 'notes';

-- what is said between tasks, or after them, is nobody's
SELECT say(1);
SELECT lyftron.enqueue('SELECT 1', name => 'silent', pool => 'watch') > 0 AS queued;
CALL lyftron.work('watch');
SELECT count(*) FROM lyftron.task_log WHERE name = 'silent';

-- what is too long is cut off, between two characters
SELECT lyftron.enqueue(format('DO $d$BEGIN RAISE WARNING %L; END$d$', repeat('x', 510) || 'ééé'), name => 'long', pool => 'watch') > 0 AS queued;
CALL lyftron.work('watch');
SELECT length(message), right(message, 2) FROM lyftron.task_log WHERE name = 'long';

-- cancelled, skipped, taken up
SELECT lyftron.cancel_task(lyftron.enqueue('SELECT 1', name => 'cancelled', pool => 'watch'));
SELECT lyftron.create_pipeline('watch_first', kind => 'sql', source => 'SELECT 1 / 0', pool => 'watch');
SELECT lyftron.create_pipeline('watch_second', kind => 'sql', source => 'SELECT 1', after => '{watch_first}', pool => 'watch');
SELECT lyftron.trigger('watch_first') > 0 AS queued;
CALL lyftron.work('watch');
SELECT lyftron.enqueue('SELECT 1', name => 'orphan', pool => 'watch', max_attempts => 2) > 0 AS queued,
	lyftron.enqueue('SELECT 1', name => 'hopeless', pool => 'watch', max_attempts => 1) > 0 AS queued;
UPDATE lyftron.queue SET state = 'running', attempt = 1, pid = 0 WHERE name IN ('orphan', 'hopeless');
SELECT lyftron.tick();
SELECT kind, name, attempt, level, replace(message, current_user, 'me') AS message, sqlstate FROM lyftron.task_log
	WHERE name IN ('cancelled', 'orphan', 'hopeless', 'watch_first', 'watch_second') ORDER BY task;

-- metrics: the text, of what one may see
CREATE TABLE source AS SELECT i AS id FROM generate_series(1, 3) i;
SELECT lyftron.create_pipeline(E'watch "load"\\\n', source => 'source', destination => 'copy', primary_key => '{id}', schedule => '0 0 1 1 *');
CALL lyftron.run(E'watch "load"\\\n');
CALL lyftron.run(E'watch "load"\\\n');
SELECT lyftron.tick();
CREATE VIEW lines AS SELECT line FROM string_to_table(lyftron.metrics(), E'\n') WITH ORDINALITY t (line, n) WHERE line NOT LIKE '#%' ORDER BY n;
SELECT regexp_replace(line, '(seconds.*) [0-9.]+$', '\1 N') FROM lines WHERE line LIKE '%pool="watch"%';
SELECT regexp_replace(line, '(seconds.*) [0-9.]+$', '\1 N') FROM lines WHERE line LIKE '%pipeline="watch%';
SELECT bool_and(line ~ '^(# (HELP|TYPE) lyftron_[a-z_]+ .+|lyftron_[a-z_]+\{[a-z]+="([^"\\]|\\["\\n])*"(,[a-z]+="([^"\\]|\\["\\n])*")*\} [0-9.]+|)$') AS well_formed,
	count(*) FILTER (WHERE line LIKE '# TYPE%') AS metrics
	FROM string_to_table(lyftron.metrics(), E'\n') line;
SELECT pipeline = E'watch "load"\\\n' AS load, state, succeeded_at IS NOT NULL AS succeeded, next_at > now() AS next, rows_read, rows_written
	FROM lyftron.pipeline_health WHERE pipeline LIKE 'watch%' ORDER BY pipeline COLLATE "C";

-- what is old goes: not what somebody may still ask for, and no total shrinks
SELECT count(*) AS tasks FROM lyftron.task WHERE pool = 'watch';
UPDATE lyftron.history SET finished_at = finished_at - interval '31 days' WHERE pool = 'watch';
UPDATE lyftron.history SET finished_at = finished_at + interval '2 days' WHERE name = 'warns';
UPDATE lyftron.log SET at = at - interval '31 days' WHERE task IN (SELECT id FROM lyftron.history WHERE pool = 'watch' AND name <> 'warns');
UPDATE lyftron.flow SET created_at = created_at - interval '31 days' WHERE roots = '{watch_first}';
UPDATE lyftron.run SET started_at = started_at - interval '31 days', finished_at = finished_at - interval '31 days' WHERE pipeline LIKE 'watch%';
UPDATE lyftron.pipeline SET created_at = created_at - interval '31 days' WHERE name LIKE 'watch%';
SELECT lyftron.tick();
SELECT count(*) AS tasks FROM lyftron.task WHERE pool = 'watch';
UPDATE lyftron.service SET purged_at = purged_at - interval '10 minutes';
SELECT lyftron.tick();
SELECT name, state FROM lyftron.task WHERE pool = 'watch' ORDER BY id;
SELECT name, message FROM lyftron.task_log WHERE name IN (SELECT name FROM lyftron.task WHERE pool = 'watch') ORDER BY task, at;
SELECT count(*) FROM lyftron.flow WHERE roots = '{watch_first}';
SELECT pipeline = E'watch "load"\\\n' AS load, state, rows_read FROM lyftron.run WHERE pipeline LIKE 'watch%' ORDER BY pipeline COLLATE "C";
SELECT state, rows_read, rows_written FROM lyftron.pipeline_health WHERE pipeline LIKE '%load%';
SELECT purged_at IS NOT NULL AS done FROM lyftron.service;

-- a batch a tick, until all is gone; runs with rejected records stay
INSERT INTO lyftron.history (id, state, kind, name, owner, pool, priority, on_failure, attempt, max_attempts, created_at, finished_at)
	SELECT -i, 'succeeded', 'sql', 'many', current_user::regrole, 'watch', 0, 'skip', 1, 1, now() - interval '31 days', now() - interval '31 days'
	FROM generate_series(1, 10500) i;
INSERT INTO lyftron.run (pipeline, owner, mode, state, started_at, finished_at)
	SELECT 'watch_first', current_user::regrole, 'sql', 'failed', now() - interval '40 days', now() - interval '40 days' FROM generate_series(1, 2);
INSERT INTO lyftron.rejected (run, pipeline, stream, sqlstate, reason) SELECT max(id), 'watch_first', 's', '22000', 'r' FROM lyftron.run;
UPDATE lyftron.service SET purged_at = NULL;
SELECT lyftron.tick();
SELECT count(*) FROM lyftron.history WHERE name = 'many';
SELECT lyftron.tick();
SELECT count(*) FROM lyftron.history WHERE name = 'many';
SELECT count(*) AS runs FROM lyftron.run WHERE pipeline = 'watch_first';
INSERT INTO lyftron.vault_load (vault, source, owner, started_at, finished_at, rows_read)
	SELECT 'watch', 's', current_user::regrole, now() - interval '40 days' + i * interval '1 hour', now() - interval '39 days', i FROM generate_series(1, 3) i;
UPDATE lyftron.service SET purged_at = NULL;
SELECT lyftron.tick();
SELECT vault, rows_read FROM lyftron.vault_load WHERE vault = 'watch';
DELETE FROM lyftron.vault_load WHERE vault = 'watch';

-- others see nothing of it
CREATE ROLE regress_lyftron_watch;
SET ROLE regress_lyftron_watch;
SELECT count(*) FROM lyftron.task_log;
SELECT count(*) FROM lyftron.pipeline_health;
SELECT count(*) FROM string_to_table(lyftron.metrics(), E'\n') line WHERE line LIKE '%pipeline=%';
SELECT count(*) FROM lyftron.log;
RESET ROLE;

SET client_min_messages = warning;
DELETE FROM lyftron.queue;
DELETE FROM lyftron.history;
DELETE FROM lyftron.log;
DELETE FROM lyftron.rejected WHERE pipeline = 'watch_first';
SELECT lyftron.drop_pipeline(name) FROM (SELECT name FROM lyftron.pipelines WHERE name LIKE 'watch%' ORDER BY name DESC) p;
DELETE FROM lyftron.run WHERE pipeline LIKE 'watch%';
DROP SCHEMA watch CASCADE;
DROP ROLE regress_lyftron_watch;
