-- A record that comes twice while a table is filled is there once, the last time it came; however many do.
CREATE SCHEMA twice;
SET search_path = twice, public;
-- key k comes at row k and, a multiple of m, again at row n + k
CREATE FUNCTION rows(n int, m int) RETURNS TABLE (id int, v text, w numeric) LANGUAGE sql AS
	'SELECT g, ''first'', g FROM generate_series(1, n) g UNION ALL SELECT g, ''second'', -g FROM generate_series(m, n, m) g';
CREATE VIEW few AS SELECT * FROM rows(50000, 10000);
CREATE VIEW many AS SELECT * FROM rows(130000, 1);
CREATE VIEW none AS SELECT * FROM rows(50000, 50001);
CREATE TABLE counts (name text, rows bigint, ids bigint, firsts bigint, sum numeric);
DO $$
DECLARE
	source text;
	mode text;
BEGIN
	FOREACH source IN ARRAY ARRAY['none', 'few', 'many'] LOOP
		FOREACH mode IN ARRAY ARRAY['full_refresh', 'incremental', 'incremental_append'] LOOP
			PERFORM lyftron.create_pipeline(source || '_' || mode, source => 'twice.' || source,
				destination => format('twice.%s_%s', source, mode), mode => mode, primary_key => '{id}', cursor => NULL);
		END LOOP;
	END LOOP;
END $$;
SELECT format('CALL lyftron.run(%L)', name) FROM lyftron.pipelines WHERE destination LIKE 'twice.%' ORDER BY name \gexec
SELECT format('INSERT INTO counts SELECT %L, count(*), count(DISTINCT _lyftron_id), count(*) FILTER (WHERE v = ''first''), sum(w) FROM %s', name, destination)
FROM lyftron.pipelines WHERE destination LIKE 'twice.%' ORDER BY name \gexec
SELECT * FROM counts ORDER BY name;
SELECT pipeline, rows_read, rows_written FROM lyftron.jobs WHERE pipeline ~ '^(none|few|many)_' ORDER BY pipeline;

-- the index is there in the end, and a second load changes nothing
SELECT c.relname, count(*) FILTER (WHERE i.indisunique) AS unique_indexes
FROM pg_class c LEFT JOIN pg_index i ON i.indrelid = c.oid
WHERE c.relnamespace = 'twice'::regnamespace AND c.relname ~ '^(none|few|many)_' AND c.relkind = 'r' GROUP BY 1 ORDER BY 1;
CALL lyftron.run('few_incremental');
CALL lyftron.run('few_incremental_append');
SELECT pipeline, rows_written FROM lyftron.jobs WHERE pipeline LIKE 'few_incremental%' ORDER BY id DESC LIMIT 2;
SELECT count(*) FROM few_incremental;

-- the same in a transaction block
DROP TABLE few_incremental;
BEGIN;
CALL lyftron.run('few_incremental');
SELECT count(*), count(DISTINCT _lyftron_id), count(*) FILTER (WHERE v = 'first') FROM few_incremental;
COMMIT;

-- a table of the user's own keeps its indexes, triggers and constraints
CREATE TABLE mine (id int PRIMARY KEY, v text, w numeric CHECK (w <> 7));
SELECT lyftron.create_pipeline('mine', source => 'twice.few', destination => 'twice.mine', mode => 'incremental', primary_key => '{id}');
CALL lyftron.run('mine');
SELECT count(*), count(*) FILTER (WHERE v = 'second') FROM mine;
SELECT reason FROM lyftron.rejected_records WHERE pipeline = 'mine';

SET client_min_messages = warning;
SELECT count(lyftron.drop_pipeline(name)) FROM lyftron.pipelines;
DROP SCHEMA twice CASCADE;
