-- what is answered to changes of a source, and what is told of them
SET client_min_messages = warning;
CREATE SCHEMA schema_policy;
SET search_path = schema_policy;
SET timezone = 'UTC';
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE src (id int PRIMARY KEY, price numeric(6,2) NOT NULL, mood mood, note varchar(8) DEFAULT 'none');
INSERT INTO src VALUES (1, 1.5, 'ok', 'a'), (2, 2.5, 'sad', 'b');

-- a policy is a word, or JSON
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', schema_policy => '{"default": "hope"}');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', schema_policy => '{"column_aded": "freeze"}');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', schema_policy => '[1]');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', on_schema_change => 'no_such_function');
CREATE TABLE heard (change jsonb);
CREATE FUNCTION hear(change jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO schema_policy.heard VALUES (change)';
SELECT lyftron.create_pipeline('p', source => 'src', destination => 'p', mode => 'incremental', primary_key => '{id}',
	schema_policy => '{"default": "evolve", "column_removed": "freeze", "columns": {"extra": "ignore", "told": "alert"}}', on_schema_change => 'hear');
CALL lyftron.run('p');
SELECT pipeline, version, jsonb_path_query_array(columns, '$[*].name') AS columns FROM lyftron.schema_versions WHERE pipeline = 'p';
SELECT position, column_name, declared_type, not_null, in_key, default_value, seen_type, rows, nulls, longest FROM lyftron.schema_columns WHERE pipeline = 'p' ORDER BY 1;

-- facts that are no shape are known as well
ALTER TYPE mood ADD VALUE 'happy';
ALTER TABLE src ALTER price DROP NOT NULL, ALTER note SET DEFAULT 'nothing', ADD extra int DEFAULT 1, ADD told int DEFAULT 2, ADD more int DEFAULT 3;
SELECT * FROM lyftron.schema_plan('p');
CALL lyftron.run('p');
SELECT kind, column_name, before, after, severity, answer FROM lyftron.schema_changes WHERE pipeline = 'p' ORDER BY id;
SELECT count(*), jsonb_agg(DISTINCT change -> 'pipeline') FROM heard;
SELECT id, price, mood, note, more FROM p ORDER BY id;
SELECT attname FROM pg_attribute WHERE attrelid = 'p'::regclass AND attnum > 0 AND attname IN ('extra', 'told', 'more');
SELECT values_left_out FROM lyftron.run WHERE pipeline = 'p' ORDER BY id DESC LIMIT 1;

-- what is refused: nothing is written, and it is known all the same, once
ALTER TABLE src DROP note;
INSERT INTO src (id, price) VALUES (3, 3.5);
CALL lyftron.run('p');
CALL lyftron.run('p');
SELECT count(*) FROM p;
SELECT kind, column_name, version, answer FROM lyftron.schema_changes WHERE pipeline = 'p' AND kind = 'column_removed';
SELECT state, error, detail FROM lyftron.jobs WHERE pipeline = 'p' ORDER BY id DESC LIMIT 1;
SELECT lyftron.accept_schema('p');
CALL lyftron.run('p');
SELECT id, price, note FROM p ORDER BY id;

-- casts go before what the source says
SELECT lyftron.create_pipeline('c', source => 'src', destination => 'c', casts => '{"price": {"format": "x"}}');
SELECT lyftron.create_pipeline('c', source => 'src', destination => 'c', casts => '{"price": "no such type"}');
CREATE TABLE texts (id int PRIMARY KEY, n text, day text, at text);
INSERT INTO texts VALUES (1, '12', '31.12.2025', '1735689600'), (2, 'twelve', '01.01.2026', NULL), (3, ' 7', NULL, '2');
SELECT lyftron.create_pipeline('c', source => 'texts', destination => 'c', mode => 'incremental', primary_key => '{id}',
	casts => '{"n": "bigint", "day": {"type": "date", "format": "%d.%m.%Y"}, "at": {"type": "timestamptz", "format": "%s"}}');
CALL lyftron.run('c');
SELECT id, n, day, at FROM c ORDER BY id;
SELECT reason FROM lyftron.rejected_records WHERE pipeline = 'c' ORDER BY id;
SELECT lyftron.alter_pipeline('c', casts => '{"day": "text"}');
SELECT * FROM lyftron.schema_plan('c');
CALL lyftron.run('c');
SELECT id, n, day, at FROM c ORDER BY id;

-- a wider type, where it cannot be had at once: a view uses the column, or the table is large
ALTER TABLE src ADD size int DEFAULT 1, ADD other int DEFAULT 2;
CALL lyftron.run('p');
CREATE VIEW uses AS SELECT size FROM p;
CREATE VIEW uses_that AS SELECT * FROM uses;
CREATE MATERIALIZED VIEW kept AS SELECT count(size) FROM uses_that;
CREATE FUNCTION counts() RETURNS bigint BEGIN ATOMIC SELECT count(size) FROM uses; END;
SELECT column_name, kind, object, depth FROM lyftron.schema_impact WHERE pipeline = 'p' ORDER BY depth, object;
ALTER TABLE src ALTER size TYPE bigint, ALTER other TYPE bigint;
SET lyftron.schema_rewrite_limit = 0;
SELECT * FROM lyftron.schema_plan('p');
RESET lyftron.schema_rewrite_limit;
SELECT column_name, action, rewrites, reason FROM lyftron.schema_plan('p');
CALL lyftron.run('p');
SELECT * FROM lyftron.schema_plan('p');

-- others see nothing of it
CREATE ROLE regress_lyf_stranger;
SET ROLE regress_lyf_stranger;
SELECT count(*) FROM lyftron.schema_versions;
SELECT count(*) FROM lyftron.schema_changes;
SELECT count(*) FROM lyftron.schema_columns;
SELECT count(*) FROM lyftron.schema_impact;
SELECT lyftron.accept_schema('p');
SELECT * FROM lyftron.schema_plan('p');
RESET ROLE;
DROP ROLE regress_lyf_stranger;
SELECT lyftron.drop_pipeline('p'), lyftron.drop_pipeline('c');
SELECT count(*) FROM lyftron.schema_version WHERE pipeline IN ('p', 'c');
DROP SCHEMA schema_policy CASCADE;
