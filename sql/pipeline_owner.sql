-- A run is the owner's doing, whoever calls it.
CREATE SCHEMA owned;
CREATE ROLE regress_lyftron_owner;
CREATE ROLE regress_lyftron_member;
GRANT regress_lyftron_owner TO regress_lyftron_member;
CREATE TABLE owned.secret (id int);
CREATE SCHEMA mine AUTHORIZATION regress_lyftron_owner;
SET search_path = mine;
SET ROLE regress_lyftron_owner;
CREATE FUNCTION me() RETURNS name LANGUAGE sql AS 'SELECT current_user';
SELECT lyftron.create_pipeline('own_full', source => 'SELECT 1 AS id, me(), current_schemas(false)::text AS path', destination => 'mine.full_copy');
SELECT lyftron.create_pipeline('own_inc', source => 'SELECT id, me() FROM generate_series(1, 3) id', destination => 'mine.inc_copy',
	mode => 'incremental', primary_key => '{id}', cursor => 'id');
RESET ROLE;
RESET search_path;

-- a superuser, and a member: tables, rows and the path are the owner's
CALL lyftron.run('own_full');
CALL lyftron.run('own_inc');
SET ROLE regress_lyftron_member;
CALL lyftron.run('own_full');
CALL lyftron.run('own_inc');
RESET ROLE;
BEGIN;
CALL lyftron.run('own_full');
CALL lyftron.run('own_inc');
SELECT current_user = session_user AS restored, current_setting('search_path') AS path;
COMMIT;
SELECT id, me, path FROM mine.full_copy;
SELECT id, me FROM mine.inc_copy ORDER BY id;
SELECT relname, relowner::regrole FROM pg_class WHERE relnamespace = 'mine'::regnamespace ORDER BY relname;
SELECT current_user = session_user AS restored, current_setting('search_path') AS path;

-- what only the caller may do fails, in the query, in planning it, in what hangs on the destination
SET ROLE regress_lyftron_owner;
CREATE FUNCTION mine.grab() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO owned.secret VALUES (1); RETURN 1; END';
CREATE FUNCTION mine.grab_early() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM FROM owned.secret; RETURN 1; END';
CREATE FUNCTION mine.back() RETURNS int LANGUAGE plpgsql AS 'BEGIN RESET ROLE; RETURN 1; END';
CREATE FUNCTION mine.held() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT mine.grab()'; RETURN 1; END $$;
CREATE FUNCTION mine.sets() RETURNS text LANGUAGE sql AS $$ SELECT set_config('search_path', 'mine', false) $$;
CREATE FUNCTION mine.row_grabs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM mine.grab(); RETURN NULL; END';
CREATE TABLE mine.early (a int);
SELECT lyftron.create_pipeline('own_grab', source => 'SELECT mine.grab() AS a', destination => 'mine.a');
SELECT lyftron.create_pipeline('own_early', source => 'mine.early', destination => 'mine.b');
CREATE VIEW mine.late AS SELECT 1 AS a;
SELECT lyftron.alter_pipeline('own_early', source => 'SELECT * FROM mine.late');
CREATE OR REPLACE VIEW mine.late AS SELECT mine.grab_early() AS a;
SELECT lyftron.create_pipeline('own_back', source => 'SELECT mine.back() AS a', destination => 'mine.c');
SELECT lyftron.create_pipeline('own_held', source => 'SELECT mine.held() AS a', destination => 'mine.d');
SELECT lyftron.create_pipeline('own_sets', source => 'SELECT mine.sets() AS a', destination => 'mine.e');
RESET ROLE;
CALL lyftron.run('own_grab');
CALL lyftron.run('own_early');
SELECT lyftron.alter_pipeline('own_early', pool => 'other');
CALL lyftron.run('own_back');
CALL lyftron.run('own_held');
BEGIN;
CALL lyftron.run('own_sets');
SELECT current_setting('search_path');
COMMIT;
SET ROLE regress_lyftron_owner;
CREATE CONSTRAINT TRIGGER row_grabs AFTER INSERT ON mine.inc_copy DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mine.row_grabs();
SELECT lyftron.alter_pipeline('own_inc', source => 'SELECT id, mine.me() FROM generate_series(1, 4) id');
RESET ROLE;
\set VERBOSITY terse
CALL lyftron.run('own_inc');
\set VERBOSITY default
SELECT count(*) FROM mine.inc_copy;
SELECT * FROM owned.secret;

-- of the owner's own run the commit is a part: what it meets is written down
SET ROLE regress_lyftron_owner;
CALL lyftron.run('own_inc');
SELECT state, error FROM lyftron.jobs WHERE pipeline = 'own_inc' ORDER BY id DESC LIMIT 1;
RESET ROLE;
SELECT count(*) FROM mine.inc_copy;
DROP TRIGGER row_grabs ON mine.inc_copy;

-- an exception handler makes of a run a part of its block
DO $$ BEGIN CALL lyftron.run('own_inc'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $$;
SELECT count(*) FROM mine.inc_copy;
DO $$ BEGIN BEGIN CALL lyftron.run('own_inc'); EXCEPTION WHEN division_by_zero THEN NULL; END; END $$;
SELECT count(*) FROM mine.inc_copy;
DO $$ BEGIN CALL lyftron.run('own_grab'); EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'caught by its caller: %', current_user = session_user; END $$;
CREATE FUNCTION pg_temp.in_function() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL lyftron.run('own_full'); END $$;
SELECT pg_temp.in_function();
DO $$ BEGIN CALL lyftron.run('own_full'); CALL lyftron.run('own_inc'); END $$;
\set VERBOSITY terse
BEGIN READ ONLY;
CALL lyftron.run('own_full');
ROLLBACK;
\set VERBOSITY default
SET default_transaction_isolation = 'serializable';
CALL lyftron.run('own_full');
CALL lyftron.run('own_inc');
SET default_transaction_isolation = 'repeatable read';
CALL lyftron.run('own_full');
CALL lyftron.run('own_inc');
RESET default_transaction_isolation;
SELECT pipeline, state, count(*) FROM lyftron.jobs WHERE pipeline LIKE 'own%' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();

-- where it may not write, a pipeline is not even made; and its tables are not for a session alone
SET ROLE regress_lyftron_owner;
SELECT lyftron.create_pipeline('own_x', source => 'mine.early', destination => 'owned.x');
SELECT lyftron.create_pipeline('own_x', source => 'mine.early', destination => 'owned.secret');
SELECT lyftron.create_pipeline('own_x', source => 'mine.early', destination => 'pg_temp.x');
SELECT lyftron.create_pipeline('own_x', source => 'mine.early', destination => 'pg_catalog.pg_class');
RESET ROLE;
CREATE TEMPORARY TABLE passing (a int);
SELECT lyftron.create_pipeline('own_x', source => 'passing', destination => 'mine.x');

-- a refresh goes past no policy and no bounds
SET ROLE regress_lyftron_owner;
ALTER TABLE mine.full_copy ENABLE ROW LEVEL SECURITY;
CALL lyftron.run('own_full');
ALTER TABLE mine.full_copy FORCE ROW LEVEL SECURITY;
CALL lyftron.run('own_full');
ALTER TABLE mine.full_copy DISABLE ROW LEVEL SECURITY;
CREATE TABLE mine.whole (LIKE mine.full_copy) PARTITION BY LIST (id);
ALTER TABLE mine.whole ATTACH PARTITION mine.full_copy FOR VALUES IN (1);
CALL lyftron.run('own_full');
ALTER TABLE mine.whole DETACH PARTITION mine.full_copy;
RESET ROLE;

-- without its owner it is only to be dropped
SET client_min_messages = warning;
DROP SCHEMA owned, mine CASCADE;
DROP ROLE regress_lyftron_member, regress_lyftron_owner;
RESET client_min_messages;
\set VERBOSITY sqlstate
CALL lyftron.run('own_full');
SELECT lyftron.alter_pipeline('own_full', pool => 'other');
\set VERBOSITY default
SELECT count(lyftron.drop_pipeline('own_' || name)) FROM unnest('{full,inc,grab,early,back,held,sets}'::text[]) AS name;
