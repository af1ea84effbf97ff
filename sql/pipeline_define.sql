-- Pipelines: what a definition may say, who may use it.
CREATE SCHEMA define;
SET search_path = define, public;
CREATE TABLE src (id int, at timestamptz, spot point, doc jsonb);

-- made, seen, made twice
SELECT lyftron.create_pipeline('one', source => 'src', destination => 'one');
SELECT name, source, destination, mode, primary_key, cursor, nested, schema_policy, after, pool, on_reject FROM lyftron.pipelines;
SELECT lyftron.create_pipeline('one', source => 'src', destination => 'other');
SELECT lyftron.create_pipeline('two', source => 'src', destination => 'define.one');

-- what cannot work is refused at once
SELECT lyftron.create_pipeline('x', source => NULL, destination => 'x');
SELECT lyftron.create_pipeline('x', source => 'nowhere', destination => 'x');
SELECT lyftron.create_pipeline('x', source => 'SELECT 1; SELECT 2', destination => 'x');
SELECT lyftron.create_pipeline('x', source => 'SELECT 1) AS a; DROP TABLE src --', destination => 'x');
SELECT lyftron.create_pipeline('x', source => 'WITH d AS (DELETE FROM src RETURNING *) SELECT * FROM d', destination => 'x');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'src');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'a.b.c');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'lyftron.x');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', mode => 'sideways');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', mode => 'incremental');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', primary_key => '{no}');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', primary_key => '{id,NULL}');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', cursor => 'no');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', cursor => 'spot');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', nested => 'deep');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', schema_policy => 'hope');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', on_reject => 'shrug');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', pool => '');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', schedule => '*/5 * * *');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', schedule => '*/5 25 * * *');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', schedule => '0 4 * * mon Mars/Phobos');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', after => '{nobody}');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', after => '{x}');

-- changed: only what is given
SELECT lyftron.create_pipeline('two', source => 'SELECT id, at FROM src;  ', destination => 'two', after => '{one}',
	schedule => '*/5 0-6,12 1 jan-mar mon,fri Europe/Berlin', cursor => 'at', max_rejected => 10);
SELECT lyftron.alter_pipeline('two', mode => 'incremental', primary_key => '{id}', schedule => '');
SELECT source, mode, primary_key, cursor, schedule, after, max_rejected FROM lyftron.pipelines WHERE name = 'two';
SELECT lyftron.alter_pipeline('two', cursor => '', after => '{}', max_rejected => -1);
SELECT cursor, after, max_rejected FROM lyftron.pipelines WHERE name = 'two';
SELECT lyftron.alter_pipeline('two', primary_key => '{}');
SELECT lyftron.alter_pipeline('nobody', mode => 'incremental');
SELECT lyftron.alter_pipeline('two', after => '{one}');
SELECT lyftron.alter_pipeline('one', after => '{two}');

-- the source's names mean what they meant when it was written
SET search_path = public;
INSERT INTO define.src VALUES (1, '2026-01-01', NULL, NULL);
CALL lyftron.run('two');
SELECT id, at FROM define.two;

-- others may not
CREATE ROLE regress_lyftron_other;
GRANT USAGE, CREATE ON SCHEMA define TO regress_lyftron_other;
SET ROLE regress_lyftron_other;
SELECT count(*) FROM lyftron.pipelines;
SELECT count(*) FROM lyftron.jobs;
SELECT * FROM lyftron.pipeline;
CALL lyftron.run('one');
SELECT lyftron.alter_pipeline('one', mode => 'incremental');
SELECT lyftron.drop_pipeline('one');
SELECT lyftron.state_json('one');
SELECT lyftron.set_state('one', '{}');
SELECT lyftron.create_pipeline('mine', source => 'define.src', destination => 'define.mine');
RESET ROLE;
GRANT SELECT ON define.src TO regress_lyftron_other;
SET ROLE regress_lyftron_other;
SELECT lyftron.create_pipeline('mine', source => 'define.src', destination => 'define.mine');
CALL lyftron.run('mine');
SELECT pipeline, state, rows_written FROM lyftron.jobs;
RESET ROLE;
REVOKE SELECT ON define.src FROM regress_lyftron_other;
SET ROLE regress_lyftron_other;
CALL lyftron.run('mine');
SELECT pipeline, state, error, sqlstate FROM lyftron.jobs ORDER BY id;
RESET ROLE;

-- what is the key where nothing is said: the table's, none of a query (of a foreign table: test/t/230_mysql_peer_defects.pl)
CREATE TABLE define.keyed (b int, a int, c int, PRIMARY KEY (a, b));
SELECT lyftron.create_pipeline('keyed', source => 'define.keyed', destination => 'define.keyed_copy');
SELECT lyftron.create_pipeline('keyless', source => 'define.keyed', destination => 'define.keyless_copy', primary_key => '{}');
SELECT lyftron.create_pipeline('query', source => 'SELECT * FROM define.keyed', destination => 'define.query_copy');
SELECT name, primary_key FROM lyftron.pipelines WHERE name LIKE 'key%' OR name = 'query' ORDER BY name;
SELECT lyftron.drop_pipeline(name) FROM lyftron.pipelines WHERE name LIKE 'key%' OR name = 'query' ORDER BY name;

-- dropped: the table stays
SELECT lyftron.drop_pipeline('one');
SELECT lyftron.drop_pipeline('two');
SELECT lyftron.drop_pipeline('one');
SELECT lyftron.drop_pipeline('one');
SELECT lyftron.drop_pipeline('one', if_exists => true);
SELECT lyftron.drop_pipeline('mine');
SELECT count(*) FROM define.two;
SET client_min_messages = warning;
DROP SCHEMA define CASCADE;
DROP ROLE regress_lyftron_other;
