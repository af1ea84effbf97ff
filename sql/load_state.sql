-- State: Airbyte's JSON comes in and goes out as rows.
CREATE TABLE state_src (id int, at date);
SELECT lyftron.create_pipeline('s', source => 'state_src', destination => 'state_dest', mode => 'incremental', primary_key => '{id}', cursor => 'at');
SELECT lyftron.state_json('s');
SELECT lyftron.set_state('s', '{"at": "2026-01-01"}');
SELECT stream, partition, cursor, unfinished FROM lyftron.states;

-- with partitions: a row each, in their order
SELECT lyftron.set_state('s', '{"use_global_cursor": false, "state": {"at": "2026-02-01"}, "lookback_window": 3,
	"states": [{"partition": {"id": 9}, "cursor": {"at": "2026-02-01"}}, {"partition": {"id": 1}, "cursor": {"at": "2026-01-05"}}]}');
SELECT partition, cursor FROM lyftron.states ORDER BY partition NULLS FIRST;
SELECT lyftron.state_json('s');
SELECT lyftron.state_json('s') -> 'states' -> 0;

-- in Airbyte's wrappings
SELECT lyftron.set_state('s', '[{"type": "STREAM", "stream": {"stream_descriptor": {"name": "other"}, "stream_state": {"at": "1"}}},
	{"type": "STREAM", "stream": {"stream_descriptor": {"name": "public.state_src"}, "stream_state": {"at": "2026-03-01"}}}]');
SELECT lyftron.state_json('s');
SELECT lyftron.set_state('s', '{"type": "STREAM", "stream": {"stream_descriptor": {"name": "other"}, "stream_state": {"at": "1"}}}');
SELECT lyftron.set_state('s', '[1, "x", null]');
SELECT lyftron.set_state('s', '7');
SELECT lyftron.set_state('s', '{"states": [{"partition": {"id": 9}, "cursor": {"at": "2026-02-01"}}, {"cursor": {"at": "2026-01-05"}}]}');
SELECT lyftron.state_json('s');
-- a state that is no value of the cursor column is an error of the run, and nothing is lost
SELECT lyftron.set_state('s', '{"at": "garbage"}');
CREATE TABLE state_dest (id int);
CALL lyftron.run('s');
SELECT lyftron.set_state('s', NULL);
SELECT count(*) FROM lyftron.states;
CALL lyftron.run('s');
SELECT lyftron.drop_pipeline('s');
DROP TABLE state_src, state_dest;
