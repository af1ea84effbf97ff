-- Incremental runs by a cursor column of any source: ties, looking back, rows without a value, positions that lead nowhere.
CREATE SCHEMA cursors;
SET search_path = cursors;
SET timezone = 'UTC';
SET jit = off;
CREATE TABLE src (id int, note text, at timestamptz);

-- looking back: for which cursors, how far
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', lookback => '1 hour', cursor => 'at');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', lookback => '1 hour', mode => 'incremental_append');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', lookback => '1 hour', mode => 'incremental_append', cursor => 'note');
SELECT lyftron.create_pipeline('x', source => 'src', destination => 'x', lookback => '7', mode => 'incremental_append', cursor => 'id');
SELECT lyftron.alter_pipeline('x', lookback => '-7');
SELECT lyftron.alter_pipeline('x', lookback => '1 hour');
SELECT lyftron.alter_pipeline('x', lookback => 'NaN');
SELECT lyftron.alter_pipeline('x', cursor => 'at', lookback => 'soon');
SELECT lyftron.alter_pipeline('x', cursor => 'at', lookback => '-1 hour');
SELECT lyftron.alter_pipeline('x', cursor => 'at', lookback => '1 hour');
SELECT cursor, lookback FROM lyftron.pipelines;
SELECT lyftron.alter_pipeline('x', lookback => '');
SELECT cursor, lookback FROM lyftron.pipelines;
SELECT lyftron.drop_pipeline('x');

-- rows with the last value again, changed ones, ones that come late: within and beyond what is looked back at
INSERT INTO src VALUES (1, 'a', '2026-01-01 10:00+00'), (2, 'b', '2026-01-01 12:00+00'), (3, 'c', '2026-01-01 12:00+00');
SELECT lyftron.create_pipeline('cur_inc', source => 'src', destination => 'inc', mode => 'incremental', primary_key => '{id}', cursor => 'at', lookback => '1 hour');
CALL lyftron.run('cur_inc');
INSERT INTO src VALUES (4, 'tie', '2026-01-01 12:00+00'), (5, 'late', '2026-01-01 11:30+00'), (6, 'too late', '2026-01-01 10:59+00');
UPDATE src SET note = 'changed' WHERE id = 3;
CALL lyftron.run('cur_inc');
SELECT id, note FROM inc ORDER BY id;
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'cur_inc' ORDER BY id;

-- the position does not go back, whatever becomes of the rows that it came from
DELETE FROM src WHERE at = '2026-01-01 12:00+00';
CALL lyftron.run('cur_inc');
SELECT lyftron.state_json('cur_inc');
UPDATE src SET at = '2026-01-01 11:15+00', note = 'went back' WHERE id = 5;
CALL lyftron.run('cur_inc');
SELECT lyftron.state_json('cur_inc'), (SELECT note FROM inc WHERE id = 5);

-- rows without a value come when they are new or change, and an infinite one does not bar the way for those after it
INSERT INTO src VALUES (7, 'none', NULL), (8, 'for ever', 'infinity'), (9, 'before all', '-infinity');
CALL lyftron.run('cur_inc');
SELECT lyftron.state_json('cur_inc');
UPDATE src SET note = 'still none' WHERE id = 7;
INSERT INTO src VALUES (10, 'after', '2026-01-02 10:00+00'), (11, 'none', NULL);
CALL lyftron.run('cur_inc');
SELECT id, note, at FROM inc WHERE id >= 7 ORDER BY id;
SELECT lyftron.state_json('cur_inc');
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'cur_inc' ORDER BY id;

-- without a key every version is kept, each once, ties and rows without a value too
SELECT lyftron.create_pipeline('cur_app', source => 'src', destination => 'app', mode => 'incremental_append', cursor => 'at');
CALL lyftron.run('cur_app');
CALL lyftron.run('cur_app');
INSERT INTO src VALUES (12, 'tie', '2026-01-02 10:00+00'), (10, 'after', '2026-01-02 10:00+00');
UPDATE src SET note = 'new' WHERE id = 11;
CALL lyftron.run('cur_app');
SELECT id, note, count(*) FROM app WHERE id >= 10 GROUP BY id, note ORDER BY id, note;

-- each kind of cursor
CREATE TABLE kinds (id int, small int2, large int8, amount numeric, ratio float8, day date, moment timestamp, at timestamptz, name text, uid uuid);
INSERT INTO kinds SELECT i, i, i * 1000000007::int8, i + 0.5, i / 3.0, '2026-01-01'::date + i, '2026-01-01'::timestamp + i * interval '1 hour',
	'2026-01-01'::timestamptz + i * interval '1 minute', lpad(i::text, 4, '0'), lpad(to_hex(i), 32, '0')::uuid FROM generate_series(1, 100) i;
SELECT lyftron.create_pipeline('k_' || c, source => 'kinds', destination => 'k_' || c, mode => 'incremental', primary_key => '{id}', cursor => c, lookback => l)
	FROM (VALUES ('small', '10'), ('large', '10000000070'), ('amount', '10'), ('ratio', '3.4'), ('day', '10 days'), ('moment', '10 hours'), ('at', '10 minutes'), ('name', ''), ('uid', '')) v (c, l);
CREATE PROCEDURE run_all() LANGUAGE plpgsql AS $$
DECLARE
	c text;
BEGIN
	FOREACH c IN ARRAY '{small,large,amount,ratio,day,moment,at,name,uid}'::text[] LOOP
		COMMIT;
		CALL lyftron.run('k_' || c);
	END LOOP;
END $$;
CALL run_all();
SELECT pipeline, lyftron.state_json(pipeline) FROM lyftron.states WHERE pipeline LIKE 'k\_%' ORDER BY pipeline;
CALL run_all();
SELECT pipeline, rows_read, rows_written FROM lyftron.jobs WHERE pipeline LIKE 'k\_%' ORDER BY id;

-- the least value of a type is as far as one can look back
UPDATE kinds SET small = -32760;
SELECT lyftron.set_state('k_small', '{"small": -32760}');
CALL lyftron.run('k_small');
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'k_small' ORDER BY id DESC LIMIT 1;

-- a long run commits in pieces, between two values, where the source can read in their order
CREATE TABLE long (id int NOT NULL, at int, pad text DEFAULT repeat('x', 100));
INSERT INTO long SELECT i, i / 100 FROM generate_series(1, 20000) i;
INSERT INTO long SELECT 100000 + i, NULL FROM generate_series(1, 50) i;
CREATE INDEX ON long (at);
ANALYZE long;
SET lyftron.checkpoint_size = '64kB';
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SELECT lyftron.create_pipeline('cur_long', source => 'long', destination => 'long_copy', mode => 'incremental', primary_key => '{id}', cursor => 'at');
CALL lyftron.run('cur_long');
SELECT rows_read, rows_written, checkpoints > 3 AS pieces FROM lyftron.jobs WHERE pipeline = 'cur_long';
SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE at IS NULL) AS without FROM long_copy;
SELECT lyftron.state_json('cur_long');
-- of one value that is longer than a piece, too
UPDATE long SET at = 300 WHERE id > 10000;
CALL lyftron.run('cur_long');
SELECT rows_read, rows_written, checkpoints FROM lyftron.jobs WHERE pipeline = 'cur_long' ORDER BY id DESC LIMIT 1;
SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE at = 300) AS moved FROM long_copy;
-- a run that is ended in the middle goes on where it was
SELECT lyftron.create_pipeline('cur_again', source => 'SELECT id, id AS at, pad, 1 / (15000 - id) AS bad FROM long', destination => 'again_copy', mode => 'incremental', primary_key => '{id}', cursor => 'at');
CREATE INDEX ON long (id);
CALL lyftron.run('cur_again');
SELECT state, error, rows_written = (SELECT count(*) FROM again_copy) AS kept, rows_written > 10000 AS most FROM lyftron.jobs WHERE pipeline = 'cur_again';
SELECT (lyftron.state_json('cur_again') ->> 'at')::int = max(at) AS up_to_there FROM again_copy;
DELETE FROM long WHERE id = 15000;
CALL lyftron.run('cur_again');
SELECT state, rows_read < 10000 AS the_rest FROM lyftron.jobs WHERE pipeline = 'cur_again' ORDER BY id DESC LIMIT 1;
SELECT count(*), count(DISTINCT id) FROM again_copy;
-- inside a transaction block there are no pieces
SELECT lyftron.set_state('cur_long', NULL);
BEGIN;
CALL lyftron.run('cur_long');
COMMIT;
SELECT rows_read, rows_written, checkpoints FROM lyftron.jobs WHERE pipeline = 'cur_long' ORDER BY id DESC LIMIT 1;
RESET lyftron.checkpoint_size;
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_sort;

SELECT count(lyftron.drop_pipeline(name)) FROM lyftron.pipelines;
SET client_min_messages = warning;
DROP SCHEMA cursors CASCADE;
