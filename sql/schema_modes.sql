-- changes of a source under each mode: no row comes twice, whatever becomes of its key's type
SET client_min_messages = warning;
CREATE SCHEMA schema_modes;
SET search_path = schema_modes;
CREATE TABLE src (id int PRIMARY KEY, a text, n int);
INSERT INTO src SELECT i, 'a' || i, i FROM generate_series(1, 1000) i;
SELECT lyftron.create_pipeline('inc', source => 'src', destination => 'inc', mode => 'incremental', primary_key => '{id}');
SELECT lyftron.create_pipeline('full', source => 'src', destination => 'whole', primary_key => '{id}');
SELECT lyftron.create_pipeline('sliced', source => 'src', destination => 'sliced', primary_key => '{id}', slices => 4);
SELECT lyftron.create_pipeline('app', source => 'src', destination => 'app', mode => 'incremental_append');
CALL lyftron.run('inc');
CALL lyftron.run('full');
CALL lyftron.run('sliced');
CALL lyftron.run('app');
ALTER TABLE src ALTER id TYPE bigint, ALTER n TYPE text, ADD more int DEFAULT 4;
CREATE VIEW v AS SELECT n FROM whole;
CALL lyftron.run('inc');
CALL lyftron.run('full');
CALL lyftron.run('sliced');
CALL lyftron.run('app');
SELECT (SELECT count(*) FROM inc) AS inc, (SELECT count(*) FROM whole) AS whole, (SELECT count(*) FROM sliced) AS sliced, (SELECT count(*) FROM app) AS app;
SELECT attrelid::regclass AS destination, string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS columns FROM pg_attribute
	WHERE attrelid IN ('inc'::regclass, 'whole'::regclass, 'sliced'::regclass, 'app'::regclass) AND attnum > 0 AND attname !~ '^_lyftron' GROUP BY 1 ORDER BY 1;
SELECT id, a, n, n__v2, more FROM whole ORDER BY id LIMIT 2;
ALTER TABLE src ALTER n TYPE int USING n::int, DROP more;
CALL lyftron.run('inc');
CALL lyftron.run('full');
CALL lyftron.run('sliced');
SELECT id, a, n, n__v2, more FROM inc ORDER BY id LIMIT 1;
SELECT id, a, n, n__v2, n__v3, more FROM whole ORDER BY id LIMIT 1;
SELECT id, a, n, n__v2, more FROM sliced ORDER BY id LIMIT 1;

-- names that are taken, and names as long as names can be
CREATE TABLE odd (id int PRIMARY KEY, x text, x__v2 text, a23456789012345678901234567890123456789012345678901234567890123 date);
INSERT INTO odd VALUES (1, '1', 'own', '2026-01-01');
SELECT lyftron.create_pipeline('odd', source => 'odd', destination => 'odd_copy', mode => 'incremental', primary_key => '{id}');
CALL lyftron.run('odd');
ALTER TABLE odd ALTER x TYPE int USING x::int, ALTER a23456789012345678901234567890123456789012345678901234567890123 TYPE int USING 5;
CALL lyftron.run('odd');
ALTER TABLE odd ALTER x TYPE date USING '2026-02-02', ALTER a23456789012345678901234567890123456789012345678901234567890123 TYPE uuid USING NULL;
CALL lyftron.run('odd');
SELECT to_jsonb(o) - '{_lyftron_id,_lyftron_run,_lyftron_extracted_at,_lyftron_loaded_at}'::text[] FROM odd_copy o;
SELECT lyftron.drop_pipeline('odd');

-- inside a transaction block it is all or nothing
BEGIN;
ALTER TABLE src ADD inside int DEFAULT 1;
CALL lyftron.run('inc');
SELECT count(inside) FROM inc;
ROLLBACK;
SELECT count(*) FROM pg_attribute WHERE attrelid = 'inc'::regclass AND attname = 'inside';
SELECT count(*) FROM lyftron.schema_changes WHERE column_name = 'inside';
SELECT lyftron.drop_pipeline(name) FROM unnest('{inc,full,sliced,app}'::text[]) AS name;
DROP SCHEMA schema_modes CASCADE;
