-- Into the queue: one task or many, without a statement or with one, as the table is.
CREATE SCHEMA enqueue;
SET search_path = enqueue, public;
CREATE TABLE done (what text, n bigint GENERATED ALWAYS AS IDENTITY);
SET client_min_messages = warning;
\set VERBOSITY terse

-- many at once: numbers and turns are in the order of the commands
CREATE TABLE queued AS SELECT id, n FROM lyftron.enqueue(ARRAY(SELECT format('INSERT INTO done VALUES (%s)', i) FROM generate_series(1, 1000) i), 'many', priority => 5)
	WITH ORDINALITY q (id, n);
SELECT count(*), count(DISTINCT id), bool_and(id = (SELECT min(id) FROM queued) + n - 1) AS in_order FROM queued;
SELECT lyftron.enqueue(ARRAY['INSERT INTO done VALUES (''better'')', 'INSERT INTO done VALUES (''second best'')'], priority => 4) > 0 AS queued;
SELECT lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'later', run_at => now() + interval '1 hour', pool => 'elsewhere', key => 'k', max_attempts => 2) > 0 AS queued;
CALL lyftron.work();
SELECT count(*), count(DISTINCT what), bool_and(what = (n - 2)::text) FILTER (WHERE n > 2) AS in_order, string_agg(what, ', ' ORDER BY n) FILTER (WHERE n <= 2) AS first FROM done;
SELECT name, state, pool, priority, key, max_attempts, command, run_at > now() AS later FROM lyftron.task WHERE state <> 'succeeded' ORDER BY id;
SELECT name, count(*), min(attempt), max(attempt) FROM lyftron.task WHERE state = 'succeeded' GROUP BY name ORDER BY name;
SELECT count(*) FROM lyftron.enqueue('{}'::text[]);
SELECT lyftron.enqueue(ARRAY['SELECT 1', NULL, 'SELECT 3']);
SELECT lyftron.enqueue(NULL::text[]);
SELECT lyftron.enqueue(ARRAY['SELECT 1'], pool => NULL);
SELECT count(*) FROM lyftron.queue WHERE state <> 'scheduled';
DELETE FROM lyftron.queue;
DELETE FROM lyftron.history;

-- a row is the same, whichever way it came
SELECT lyftron.enqueue('SELECT 1', pool => 'p', key => 'k') > 0 AS queued;
SELECT lyftron.enqueue('SELECT 1', pool => 'p', key => 'k', unique_key => 'u') > 0 AS queued;
SELECT lyftron.enqueue(ARRAY['SELECT 1'], pool => 'p', key => 'k') > 0 AS queued;
SELECT lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 1'], pool => 'p', key => 'k') > 0 AS queued;
SELECT DISTINCT seq >= id AS in_turn, created_at = run_at AS now, to_jsonb(q) - '{id,seq,created_at,run_at,unique_key,exclusive,owner}'::text[] AS row FROM lyftron.queue q;
SELECT count(*), count(unique_key), count(exclusive), count(*) FILTER (WHERE owner = session_user::regrole) AS mine FROM lyftron.queue;

-- it is seen by what comes next, and gone with its subtransaction
DO $$
DECLARE
	number bigint := lyftron.enqueue('SELECT 1', 'seen');
BEGIN
	IF NOT EXISTS (SELECT FROM lyftron.task WHERE id = number) THEN
		RAISE 'not seen';
	END IF;
	BEGIN
		PERFORM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'gone');
		RAISE 'back';
	EXCEPTION WHEN raise_exception THEN
	END;
END$$;
SELECT name, count(*) FROM lyftron.task WHERE name IN ('seen', 'gone') GROUP BY name;
BEGIN READ ONLY;
SELECT lyftron.enqueue('SELECT 1');
ROLLBACK;

-- what is large, and what comes out of a table that goes
CREATE TABLE large AS SELECT string_agg(md5(i::text), '') AS command FROM generate_series(1, 3000) i;
SELECT lyftron.enqueue(command, 'large') > 0 AS queued FROM large;
SELECT count(*) FROM lyftron.enqueue((SELECT ARRAY[command, 'SELECT 1', command] FROM large), 'large');
DROP TABLE large;
SELECT length(command), count(DISTINCT md5(command)), count(*) FROM lyftron.queue WHERE name = 'large' GROUP BY 1 ORDER BY 1;

-- what others hang on the table is heeded
DELETE FROM lyftron.queue;
CREATE UNIQUE INDEX mine ON lyftron.queue (name) WHERE name LIKE 'mine%';
SELECT lyftron.enqueue('SELECT 1', 'mine') > 0 AS queued;
SELECT lyftron.enqueue('SELECT 1', 'mine');
SELECT lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'mine too');
SELECT name, count(*) FROM lyftron.queue WHERE name LIKE 'mine%' GROUP BY name;
DROP INDEX lyftron.mine;
SELECT count(*) FROM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'mine too');
CREATE INDEX folded ON lyftron.queue (lower(name));
SELECT lyftron.enqueue('SELECT 1', 'FOLDED') > 0 AS queued;
SELECT count(*) FROM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'FOLDED');
SET enable_seqscan = off;
SELECT count(*) FROM lyftron.queue WHERE lower(name) = 'folded';
RESET enable_seqscan;
DROP INDEX lyftron.folded;
CREATE FUNCTION marked(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN '<' || $1 || '>'; END $$;
CREATE INDEX marked ON lyftron.queue (enqueue.marked(name));
SELECT lyftron.enqueue('SELECT 1', 'marked') > 0 AS queued;
SELECT count(*) FROM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'marked');
SET enable_seqscan = off;
SELECT count(*) FROM lyftron.queue WHERE enqueue.marked(name) = '<marked>';
RESET enable_seqscan;
DROP INDEX lyftron.marked;

CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO enqueue.done VALUES (format('%s as %s', NEW.name, current_user));
	RETURN NEW;
END$$;
CREATE TRIGGER note BEFORE INSERT ON lyftron.queue FOR EACH ROW EXECUTE FUNCTION note();
TRUNCATE done;
SELECT lyftron.enqueue('SELECT 1', 'triggers') > 0 AS queued;
SELECT count(*) FROM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'trigger each');
SELECT what = format('%s as %s', split_part(what, ' as ', 1), session_user) AS as_owner, split_part(what, ' as ', 1) AS what FROM done ORDER BY n;
CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT lyftron.enqueue('SELECT 1', 'refused');
SELECT lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'refused');
DROP TRIGGER note ON lyftron.queue;

ALTER TABLE lyftron.queue ADD CHECK (priority < 100);
SELECT lyftron.enqueue('SELECT 1', priority => 100);
SELECT count(*) FROM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], priority => 99);
ALTER TABLE lyftron.queue DROP CONSTRAINT queue_priority_check;
ALTER TABLE lyftron.queue ALTER search_path SET NOT NULL, ALTER started_at SET DEFAULT '2000-01-01', ADD extra text NOT NULL DEFAULT 'given';
SELECT lyftron.enqueue('SELECT 1', 'changed') > 0 AS queued;
SELECT count(*) FROM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'changed');
SELECT extra, started_at::date, count(*) FROM lyftron.queue WHERE name = 'changed' GROUP BY 1, 2;
ALTER TABLE lyftron.queue ALTER extra DROP DEFAULT;
SELECT lyftron.enqueue('SELECT 1', 'lacking');
SELECT lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'lacking');
ALTER TABLE lyftron.queue ALTER extra SET DEFAULT clock_timestamp()::text;
SELECT lyftron.enqueue('SELECT 1', 'computed') > 0 AS queued;
SELECT name, extra > '2000' AS computed FROM lyftron.queue WHERE name = 'computed';
ALTER TABLE lyftron.queue DROP extra, ALTER started_at DROP DEFAULT, ALTER search_path DROP NOT NULL;
SELECT lyftron.enqueue('SELECT 1', 'as before') > 0 AS queued;
SELECT name, started_at FROM lyftron.queue WHERE name = 'as before';

-- indexes and table agree
SET enable_seqscan = off;
SELECT count(*) = (SELECT count(*) FROM lyftron.queue WHERE (state || '') = 'ready') AS all_ready FROM lyftron.queue WHERE state = 'ready';
SELECT count(*) = (SELECT count(*) FROM lyftron.queue) AS all_there FROM lyftron.queue WHERE id > 0;
RESET enable_seqscan;

-- another role's, who has no rights on the table
CREATE ROLE regress_lyftron_enqueue;
SET ROLE regress_lyftron_enqueue;
SELECT count(*) FROM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'theirs');
SELECT lyftron.enqueue('SELECT 1', 'theirs') > 0 AS queued;
SELECT name, owner, count(*) FROM lyftron.task GROUP BY name, owner;
SELECT current_user;
RESET ROLE;

DELETE FROM lyftron.queue;
DROP SCHEMA enqueue CASCADE;
DROP ROLE regress_lyftron_enqueue;
