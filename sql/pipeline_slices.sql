-- A full refresh in slices: where the source is cut, and what comes of them.
CREATE SCHEMA slices;
SET search_path = slices;
SET timezone = 'UTC';
CREATE TABLE src (id int PRIMARY KEY, small int2, large int8, amount numeric, day date, moment timestamp, at timestamptz, uid uuid, name text, spot point) WITH (autovacuum_enabled = off);
INSERT INTO src SELECT i, i / 10, i * 1000000007::int8, i / 7.0, '2026-01-01'::date + i, '2026-01-01'::timestamp + i * interval '1 hour',
	'2026-01-01'::timestamptz + i * interval '1 minute', md5(i::text)::uuid, 'n' || i, NULL FROM generate_series(1, 1000) i;

-- what cannot be
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', slices => 4, primary_key => '{}');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', slices => 0, slice_by => 'id');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', slices => 1001, slice_by => 'id');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', slices => 4, slice_by => 'nobody');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', slices => 4, slice_by => 'name');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', slices => 4, primary_key => '{name}');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', slices => 4, primary_key => '{id}', mode => 'incremental');
SELECT lyftron.create_pipeline('x', kind => 'sql', source => 'SELECT 1', slices => 4);

-- by each type that has an order: each row once, and slices of about the same size
SELECT lyftron.create_pipeline('s_' || c, source => 'src', destination => 's_' || c, slices => 4, slice_by => c)
	FROM unnest('{id,small,large,amount,day,moment,at,uid}'::text[]) c;
DO $$
DECLARE
	c text;
BEGIN
	FOREACH c IN ARRAY '{id,small,large,amount,day,moment,at,uid}'::text[] LOOP
		COMMIT;
		CALL lyftron.run('s_' || c);
	END LOOP;
END $$;
SELECT pipeline, number, low, high, state FROM lyftron.slices ORDER BY pipeline, number;
SELECT pipeline, count(*) AS slices, sum(rows_read) AS rows, max(rows_read) - min(rows_read) <= 60 AS even FROM lyftron.slices GROUP BY pipeline ORDER BY pipeline;
SELECT count(*) AS unlike FROM (SELECT id FROM src EXCEPT ALL SELECT id FROM s_uid) x;
SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM s_small;
SELECT pipeline, rows_read, rows_written, checkpoints FROM lyftron.jobs WHERE pipeline LIKE 's\_%' ORDER BY id;
SELECT count(*) AS hidden FROM pg_class WHERE relname LIKE '\_lyftron\_load%';
SELECT count(*) AS pages FROM lyftron.states;

-- rows without a value, infinite ones, and those beyond what was known come, too
SELECT count(lyftron.drop_pipeline(name)) FROM lyftron.pipelines WHERE name <> 's_day';
CREATE TABLE ends (k numeric, d date) WITH (autovacuum_enabled = off);
INSERT INTO ends SELECT i, '2026-01-01'::date + i FROM generate_series(1, 100) i;
INSERT INTO ends VALUES (NULL, NULL), ('NaN', 'infinity'), ('Infinity', '-infinity'), ('-Infinity', NULL), (1e30, '5874897-12-31');
SELECT lyftron.create_pipeline('ends_k', source => 'ends', destination => 'ends_k', slices => 5, slice_by => 'k');
CALL lyftron.run('ends_k');
SELECT lyftron.create_pipeline('ends_d', source => 'SELECT * FROM ends WHERE k IS NULL OR k <> 1e30', destination => 'ends_d', slices => 5, slice_by => 'd');
CALL lyftron.run('ends_d');
SELECT pipeline, number, low, high, rows_read FROM lyftron.slices WHERE pipeline LIKE 'ends%' ORDER BY pipeline, number;
SELECT (SELECT count(*) FROM (SELECT k, d FROM ends EXCEPT ALL SELECT k, d FROM ends_k) x), (SELECT count(*) FROM ends_k), (SELECT count(*) FROM ends_d);

-- a bound need not be a value of its column
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE TABLE evens (id even, amount numeric(6, 1)) WITH (autovacuum_enabled = off);
INSERT INTO evens SELECT i, i / 3.0 FROM generate_series(2, 200, 2) i;
SELECT lyftron.create_pipeline('evens', source => 'evens', destination => 'evens_copy', slices => 3, slice_by => 'id');
CALL lyftron.run('evens');
SELECT lyftron.alter_pipeline('evens', slice_by => 'amount');
CALL lyftron.run('evens');
SELECT low, high, rows_read FROM lyftron.slices WHERE pipeline = 'evens' ORDER BY run, number;
SELECT count(*), count(DISTINCT id) FROM evens_copy;

-- fewer values than slices; no value; no row
CREATE TABLE few (id int, note text);
INSERT INTO few VALUES (7, 'seven'), (8, 'eight');
SELECT lyftron.create_pipeline('few', source => 'few', destination => 'few_copy', slices => 10, slice_by => 'id');
CALL lyftron.run('few');
SELECT number, low, high, rows_read FROM lyftron.slices WHERE pipeline = 'few' ORDER BY run, number;
UPDATE few SET id = NULL;
CALL lyftron.run('few');
TRUNCATE few;
CALL lyftron.run('few');
SELECT number, low, high, rows_read FROM lyftron.slices WHERE pipeline = 'few' ORDER BY run, number;
SELECT count(*) FROM few_copy;

-- where values lie is in the statistics, unless the table has outgrown them
CREATE TABLE skewed (id int) WITH (autovacuum_enabled = off);
INSERT INTO skewed SELECT i FROM generate_series(1, 1000) i;
INSERT INTO skewed VALUES (1000000);
ANALYZE skewed;
SELECT lyftron.create_pipeline('skewed', source => 'skewed', destination => 'skewed_copy', slices => 4, slice_by => 'id');
CALL lyftron.run('skewed');
SELECT number, low::int BETWEEN (number - 1) * 230 AND (number - 1) * 270 AS by_statistics, rows_read BETWEEN 200 AND 300 AS even
	FROM lyftron.slices WHERE pipeline = 'skewed' ORDER BY number;
INSERT INTO skewed SELECT i FROM generate_series(1000001, 2000000, 1000) i;
CALL lyftron.run('skewed');
SELECT number, low FROM lyftron.slices WHERE run = (SELECT max(run) FROM lyftron.slices) ORDER BY number;
SELECT count(*) FROM skewed_copy;

-- doubles of a key collapse to one, within a slice and between slices; of those, to the one that was read last
CREATE TABLE doubles (id int, part int, note text) WITH (autovacuum_enabled = off);
INSERT INTO doubles SELECT i, i, 'first' FROM generate_series(1, 100) i;
INSERT INTO doubles SELECT i, i, 'second' FROM generate_series(1, 100, 10) i;
SELECT lyftron.create_pipeline('doubles', source => 'doubles', destination => 'doubles_copy', slices => 4, primary_key => '{id}');
CALL lyftron.run('doubles');
SELECT note, count(*) FROM doubles_copy GROUP BY note ORDER BY note;
SELECT sum(rows_read) AS read, sum(rows_written) AS written FROM lyftron.slices WHERE pipeline = 'doubles';
INSERT INTO doubles SELECT i, 101 - i, 'third' FROM generate_series(1, 100, 3) i;
SELECT lyftron.alter_pipeline('doubles', slice_by => 'part');
CALL lyftron.run('doubles');
SELECT count(*), count(DISTINCT id) FROM doubles_copy;
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'doubles' ORDER BY id;

-- records that do not fit are counted over all slices
CREATE TABLE strict (id int CHECK (id % 10 <> 0));
SELECT lyftron.create_pipeline('strict', source => 'SELECT id FROM src', destination => 'strict', slices => 4, slice_by => 'id', max_rejected => 100);
CALL lyftron.run('strict');
SELECT state, rows_read, rows_written, rows_rejected, (SELECT count(*) FROM lyftron.rejected_records j WHERE j.run = r.id) AS kept FROM lyftron.jobs r WHERE pipeline = 'strict';
SELECT lyftron.alter_pipeline('strict', max_rejected => 60);
CALL lyftron.run('strict');
SELECT number, state, error FROM lyftron.slices WHERE run = (SELECT max(run) FROM lyftron.slices) ORDER BY number;
SELECT count(*) FROM strict;
SELECT count(*) AS hidden FROM pg_class WHERE relname LIKE '\_lyftron\_load%';

-- JSON of each slice goes where it belongs: children, columns, records
CREATE TABLE docs (id int, doc jsonb);
INSERT INTO docs SELECT i, jsonb_build_object('a', i, 'tags', jsonb_build_array(i, i + 1)) FROM generate_series(1, 20) i;
SELECT lyftron.create_pipeline('docs', source => 'docs', destination => 'docs_copy', slices => 3, primary_key => '{id}', nested => 'normalize');
CALL lyftron.run('docs');
SELECT relname FROM pg_class WHERE relnamespace = 'slices'::regnamespace AND relname LIKE 'docs\_copy%' AND relkind = 'r' ORDER BY relname;
SELECT (SELECT count(*) FROM docs_copy) AS docs, (SELECT count(*) FROM docs_copy__doc_tags) AS tags;
SELECT lyftron.create_pipeline('raws', source => 'docs', destination => 'raws_copy', slices => 3, slice_by => 'id', nested => 'raw');
CALL lyftron.run('raws');
SELECT count(*), sum((record ->> 'id')::int) FROM raws_copy;

-- inside a transaction block there are no slices, but all or nothing
BEGIN;
CALL lyftron.run('docs');
ROLLBACK;
SELECT mode, state, checkpoints FROM lyftron.jobs WHERE pipeline = 'docs' ORDER BY id;

-- and with one slice there is one piece
SELECT slices, slice_by FROM lyftron.pipelines WHERE name = 'docs';
SELECT lyftron.alter_pipeline('docs', slices => 1);
CALL lyftron.run('docs');
SELECT checkpoints FROM lyftron.jobs WHERE pipeline = 'docs' ORDER BY id DESC LIMIT 1;

SELECT count(lyftron.drop_pipeline(name)) FROM lyftron.pipelines;
SET client_min_messages = warning;
DROP SCHEMA slices CASCADE;
