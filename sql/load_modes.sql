-- Sync modes, over a plain table.
CREATE SCHEMA modes;
SET search_path = modes;
SET timezone = 'UTC';
CREATE TABLE src (id int, name text COLLATE "C", at timestamptz, amount numeric(10,2), js json);
INSERT INTO src SELECT i, 'n' || i, '2026-01-01'::timestamptz + i * interval '1 day', i / 4.0, '{"a": 1}' FROM generate_series(1, 5) i;

-- full refresh: the destination is typed as the source
SELECT lyftron.create_pipeline('full', source => 'src', destination => 'full_copy', primary_key => '{id}');
CALL lyftron.run('full');
SELECT attname, format_type(atttypid, atttypmod), attnotnull, collname FROM pg_attribute LEFT JOIN pg_collation c ON c.oid = attcollation
	WHERE attrelid = 'full_copy'::regclass AND attnum > 0 ORDER BY attnum;
SELECT id, name, at, amount FROM full_copy ORDER BY id;

-- it keeps OID, view, grant, index, defaults and what the user added; doubles collapse to the last
SELECT 'full_copy'::regclass::oid AS before \gset
CREATE VIEW v AS SELECT id, name FROM full_copy;
CREATE INDEX full_copy_name ON full_copy (name);
ALTER TABLE full_copy ADD COLUMN mine int DEFAULT 7, DROP COLUMN amount,
	ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED;
INSERT INTO src VALUES (3, 'last', '2026-02-01', 1, NULL), (6, 'n6', '2026-01-07', 2, NULL);
CALL lyftron.run('full');
SELECT 'full_copy'::regclass::oid = :before AS same_oid;
SELECT id, name, mine, twice, amount FROM full_copy ORDER BY id;
SELECT count(*) FROM v;
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'full' ORDER BY id;
SET enable_seqscan = off;
SELECT id FROM full_copy WHERE name = 'last';
RESET enable_seqscan;
SELECT count(*) FROM pg_class WHERE relname LIKE '\_lyftron\_%';

-- a failure changes nothing
CREATE UNIQUE INDEX full_copy_unique ON full_copy (at);
INSERT INTO src VALUES (8, 'same at', '2026-01-07', 2, NULL);
CALL lyftron.run('full');
SELECT count(*) FROM full_copy;
SELECT count(*) FROM pg_class WHERE relname LIKE '\_lyftron\_%';
DROP INDEX full_copy_unique;
DELETE FROM src WHERE id = 8;

-- where the swap would go past triggers or foreign keys, it is refused
CREATE TABLE refers (id int);
ALTER TABLE full_copy ADD CONSTRAINT full_copy_key UNIQUE (id);
ALTER TABLE refers ADD FOREIGN KEY (id) REFERENCES full_copy (id);
CALL lyftron.run('full');
DROP TABLE refers;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER nothing BEFORE INSERT ON full_copy FOR EACH ROW EXECUTE FUNCTION nothing();
CALL lyftron.run('full');
DROP TRIGGER nothing ON full_copy;

-- only plain tables are loaded
CREATE TABLE parts (id int) PARTITION BY LIST (id);
SELECT lyftron.create_pipeline('parts', source => 'src', destination => 'parts');

-- incremental: what is new, what has changed; what has not is not written
SELECT lyftron.create_pipeline('inc', source => 'src', destination => 'inc_copy', mode => 'incremental', primary_key => '{id}', cursor => 'at');
CALL lyftron.run('inc');
CALL lyftron.run('inc');
UPDATE src SET name = 'changed', at = '2026-03-01' WHERE id = 1;
UPDATE src SET name = 'unseen' WHERE id = 2;
INSERT INTO src VALUES (7, 'n7', '2026-02-01', 3, NULL), (9, 'none', NULL, 3, NULL);
CALL lyftron.run('inc');
SELECT id, name, at FROM inc_copy ORDER BY id;
SELECT rows_read, rows_written, rows_rejected FROM lyftron.jobs WHERE pipeline = 'inc' ORDER BY id;
SELECT lyftron.state_json('inc');

-- the state is given back, set and taken away
SELECT lyftron.set_state('inc', '{"at": "2026-01-01T00:00:00+00:00"}');
CALL lyftron.run('inc');
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'inc' ORDER BY id DESC LIMIT 1;
SELECT id, name FROM inc_copy WHERE id = 2;
SELECT lyftron.set_state('inc', NULL);
CALL lyftron.run('inc');
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'inc' ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM inc_copy;
-- without its table the pipeline starts from the beginning
DROP TABLE inc_copy;
CALL lyftron.run('inc');
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'inc' ORDER BY id DESC LIMIT 1;

-- a table that is there already gets the metadata columns; policies say what else
CREATE TABLE kept (id bigint, name varchar(20) NOT NULL DEFAULT 'x', own text DEFAULT 'own');
INSERT INTO kept VALUES (100, 'old');
SELECT lyftron.create_pipeline('kept', source => 'src', destination => 'kept', mode => 'incremental', primary_key => '{id}', schema_policy => 'freeze');
CALL lyftron.run('kept');
SELECT lyftron.alter_pipeline('kept', schema_policy => 'alert');
CALL lyftron.run('kept');
SELECT lyftron.alter_pipeline('kept', schema_policy => 'ignore');
CALL lyftron.run('kept');
SELECT id, name, own, _lyftron_id IS NOT NULL AS loaded FROM kept ORDER BY id;
ALTER TABLE kept DROP COLUMN name, ADD COLUMN name date;
CALL lyftron.run('kept');

-- append: every version, each once
SELECT lyftron.create_pipeline('app', source => 'SELECT id, name, at FROM src', destination => 'app_copy', mode => 'incremental_append', cursor => 'at');
CALL lyftron.run('app');
CALL lyftron.run('app');
UPDATE src SET name = 'third', at = '2026-04-01' WHERE id = 1;
CALL lyftron.run('app');
SELECT id, name, at FROM app_copy WHERE id = 1 ORDER BY at;
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'app' ORDER BY id;

-- rows are not merged into rows whose ids are made of something else
SELECT lyftron.alter_pipeline('app', mode => 'incremental', primary_key => '{id}');
CALL lyftron.run('app');
SELECT state, sqlstate FROM lyftron.jobs WHERE pipeline = 'app' ORDER BY id DESC LIMIT 1;
SELECT lyftron.alter_pipeline('app', mode => 'full_refresh');
CALL lyftron.run('app');
SELECT lyftron.alter_pipeline('app', mode => 'incremental');
CALL lyftron.run('app');
SELECT rows_written, (SELECT count(*) = count(DISTINCT id) FROM app_copy) AS once FROM lyftron.jobs WHERE pipeline = 'app' ORDER BY id DESC LIMIT 1;

-- a value too large for its row; a run that is cancelled
SELECT lyftron.create_pipeline('large', source => 'SELECT 1 AS id, repeat(md5(''x''), 100000) AS t', destination => 'large', mode => 'incremental', primary_key => '{id}');
CALL lyftron.run('large');
CALL lyftron.run('large');
SELECT rows_written, (SELECT length(t) FROM large) FROM lyftron.jobs WHERE pipeline = 'large' ORDER BY id;
SELECT lyftron.create_pipeline('slow', source => 'SELECT g AS id, pg_sleep(0.1) IS NULL AS s FROM generate_series(1, 100) g', destination => 'slow');
SET statement_timeout = '200ms';
CALL lyftron.run('slow');
RESET statement_timeout;
SELECT state, error, sqlstate FROM lyftron.jobs WHERE pipeline = 'slow';
SELECT to_regclass('slow'), count(*) FROM pg_class WHERE relname LIKE '\_lyftron\_%';

-- inside a transaction block: all or nothing
TRUNCATE src;
BEGIN;
CALL lyftron.run('full');
SELECT count(*) FROM full_copy;
ROLLBACK;
SELECT count(*) FROM full_copy;
BEGIN;
CALL lyftron.run('full');
COMMIT;
SELECT count(*) FROM full_copy;
INSERT INTO src VALUES (50, 'n50', '2026-06-01', 1, NULL);
BEGIN;
CALL lyftron.run('inc');
ROLLBACK;
SELECT count(*) FROM inc_copy WHERE id = 50;
DO $$ BEGIN CALL lyftron.run('inc'); END $$;
SELECT count(*) FROM inc_copy WHERE id = 50;

-- the id does not depend on the width of a number, the session, or a null column
CREATE TABLE ids (a int, b bigint, c numeric, n int);
SELECT lyftron.create_pipeline('ids', source => 'SELECT 7::int AS k, 1.50 AS c, ''2026-01-01 12:00+00''::timestamptz AS t', destination => 'ids1');
SELECT lyftron.create_pipeline('ids2', source => 'SELECT 7::bigint AS k, NULL::text AS n, 1.5 AS c, ''2026-01-01 12:00+00''::timestamptz AS t', destination => 'ids2');
CALL lyftron.run('ids');
SET timezone = 'Asia/Tokyo';
CALL lyftron.run('ids2');
SELECT ids1._lyftron_id, ids1._lyftron_id = ids2._lyftron_id AS same FROM ids1, ids2;

SELECT lyftron.drop_pipeline(name) FROM lyftron.pipelines;
SET client_min_messages = warning;
DROP SCHEMA modes CASCADE;
