-- Records that a constraint of the destination refuses: kept with the reason, or the end of the run.
CREATE SCHEMA rejected;
SET search_path = rejected;
CREATE TABLE src (id int, name text, amount int);
INSERT INTO src VALUES (1, 'a', 1), (2, NULL, 2), (3, 'c', -3), (NULL, 'd', 4), (5, 'e', 5);
CREATE TABLE dest (id bigint, name text NOT NULL, amount int CONSTRAINT positive CHECK (amount > 0));
SELECT lyftron.create_pipeline('r', source => 'src', destination => 'dest', primary_key => '{id}');
CALL lyftron.run('r');
SELECT id, name, amount FROM dest ORDER BY id;
SELECT rows_read, rows_written, rows_rejected, state FROM lyftron.jobs WHERE pipeline = 'r';
SELECT pipeline, stream, sqlstate, reason, record FROM lyftron.rejected_records WHERE pipeline = 'r' ORDER BY id;

-- in the incremental modes too
SELECT lyftron.create_pipeline('ri', source => 'SELECT * FROM src', destination => 'desti', primary_key => '{id}', mode => 'incremental');
CREATE TABLE desti (LIKE dest INCLUDING CONSTRAINTS);
CALL lyftron.run('ri');
SELECT id, name, amount FROM desti ORDER BY id;
SELECT rows_read, rows_written, rows_rejected, state FROM lyftron.jobs WHERE pipeline = 'ri';

-- a limit
SELECT lyftron.alter_pipeline('r', max_rejected => 2);
CALL lyftron.run('r');
SELECT count(*) FROM lyftron.rejected_records WHERE pipeline = 'r';
SELECT lyftron.alter_pipeline('r', max_rejected => 3);
CALL lyftron.run('r');
SELECT count(*) FROM lyftron.rejected_records WHERE pipeline = 'r';

-- none at all
SELECT lyftron.alter_pipeline('r', on_reject => 'fail');
CALL lyftron.run('r');
SELECT state, rows_rejected, sqlstate, error, detail FROM lyftron.jobs WHERE pipeline = 'r' ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM dest;

-- others do not see them
CREATE ROLE regress_lyftron_reader;
SET ROLE regress_lyftron_reader;
SELECT count(*) FROM lyftron.rejected_records;
RESET ROLE;
DROP ROLE regress_lyftron_reader;

SELECT lyftron.drop_pipeline(name) FROM lyftron.pipelines;
SET client_min_messages = warning;
DROP SCHEMA rejected CASCADE;
