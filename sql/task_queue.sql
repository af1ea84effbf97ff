-- Tasks: queued, done once, tried again or not, in order, within limits, by those who may.
CREATE SCHEMA tasks;
SET search_path = tasks, public;
CREATE TABLE done (what text, pid int DEFAULT pg_backend_pid(), n bigint GENERATED ALWAYS AS IDENTITY);

-- in order of priority, then as they came; done in this session, each with its own search_path
SELECT lyftron.enqueue('INSERT INTO done VALUES (''second'')') > 0 AS queued;
SELECT lyftron.enqueue('INSERT INTO done VALUES (''third'')') > 0 AS queued;
SELECT lyftron.enqueue('INSERT INTO done VALUES (''first'')', priority => -1) > 0 AS queued;
SELECT lyftron.enqueue('INSERT INTO done VALUES (''later'')', run_at => now() + interval '1 hour', name => 'later') > 0 AS queued;
SET search_path = public;
CALL lyftron.work(tasks => 1);
SELECT what FROM tasks.done ORDER BY n;
CALL lyftron.work();
SET search_path = tasks, public;
SELECT what, pid = pg_backend_pid() AS here FROM done ORDER BY n;
SELECT name, state, attempt FROM lyftron.task ORDER BY id;

-- what fails leaves nothing; what may pass is tried again later
TRUNCATE done;
SELECT lyftron.enqueue('INSERT INTO done VALUES (''undone''); SELECT 1 / 0', name => 'wrong') > 0 AS queued;
SELECT lyftron.enqueue('INSERT INTO done VALUES (''undone''); DO $$BEGIN RAISE EXCEPTION ''busy'' USING ERRCODE = ''55P03''; END$$', name => 'busy') > 0 AS queued;
SELECT lyftron.enqueue('COMMIT', name => 'commit') > 0 AS queued;
SELECT lyftron.enqueue('CREATE TABLE late (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED); INSERT INTO late VALUES (1), (1)', name => 'deferred') > 0 AS queued;
CALL lyftron.work();
SELECT what FROM done;
SELECT name, state, attempt, error, sqlstate FROM lyftron.task WHERE name IN ('wrong', 'busy', 'commit', 'deferred') ORDER BY id;
SELECT run_at > created_at AS later FROM lyftron.task WHERE name = 'busy';

-- one unfinished task of a key
SELECT lyftron.enqueue('SELECT 1', unique_key => 'k', name => 'unique') > 0 AS queued, lyftron.enqueue('SELECT 1', unique_key => 'k') AS again;
CALL lyftron.work();
SELECT lyftron.enqueue('SELECT 1', unique_key => 'k', name => 'unique') > 0 AS queued;
CALL lyftron.work();

-- a thousand, each once
SELECT count(lyftron.enqueue(format('INSERT INTO done VALUES (%s)', i), priority => i % 3)) FROM generate_series(1, 1000) i;
CALL lyftron.work();
SELECT count(*), count(DISTINCT what) FROM done;

-- a task that is said to be running, and whose session is gone, is taken up; not for ever
SELECT lyftron.enqueue('INSERT INTO done VALUES (''orphan'')', name => 'orphan', max_attempts => 2) > 0 AS queued,
	lyftron.enqueue('INSERT INTO done VALUES (''hopeless'')', name => 'hopeless', max_attempts => 1) > 0 AS queued;
UPDATE lyftron.queue SET state = 'running', attempt = 1, pid = 0 WHERE name IN ('orphan', 'hopeless');
SELECT lyftron.tick();
CALL lyftron.work();
SELECT name, state, attempt, error FROM lyftron.task WHERE name IN ('orphan', 'hopeless') ORDER BY id;

-- others' tasks are not seen and not done; done they are as their owner's
CREATE ROLE regress_lyftron_tasks;
GRANT USAGE, CREATE ON SCHEMA tasks TO regress_lyftron_tasks;
SELECT lyftron.enqueue('SELECT 1', name => 'mine') > 0 AS queued;
SET ROLE regress_lyftron_tasks;
SELECT lyftron.enqueue('CREATE TABLE tasks.owned ()', name => 'theirs') > 0 AS queued;
SELECT lyftron.enqueue('DROP TABLE tasks.done', name => 'robbery') > 0 AS queued;
SELECT lyftron.enqueue('RESET ROLE; DROP TABLE tasks.done', name => 'escape') > 0 AS queued;
SELECT name, state FROM lyftron.task ORDER BY id;
SELECT count(*) FROM lyftron.queue;
RESET ROLE;
CALL lyftron.work();
SELECT name, state, error FROM lyftron.task WHERE name IN ('mine', 'theirs', 'robbery', 'escape') ORDER BY id;
SELECT relowner::regrole FROM pg_class WHERE relname = 'owned';

-- not in a transaction block
BEGIN;
CALL lyftron.work();
ROLLBACK;
SELECT lyftron.enqueue(NULL);

SET client_min_messages = warning;
DELETE FROM lyftron.queue;
DELETE FROM lyftron.history;
DROP SCHEMA tasks CASCADE;
DROP ROLE regress_lyftron_tasks;
