-- load/: what is remembered of loading: state and rejected records.

CREATE TABLE lyftron.state (
	pipeline   text NOT NULL,
	stream     text NOT NULL,
	ordinal    bigint NOT NULL,
	partition  jsonb,
	cursor     jsonb,
	page       jsonb,
	updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX state_key ON lyftron.state (pipeline, md5(coalesce(partition::text, '')));
REVOKE ALL ON TABLE lyftron.state FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.state', '');
COMMENT ON TABLE lyftron.state IS 'where pipelines stand: a row a stream, and a row for each of its partitions';
COMMENT ON COLUMN lyftron.state.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.state.stream IS 'the stream or relation that it reads';
COMMENT ON COLUMN lyftron.state.ordinal IS 'order of the partitions';
COMMENT ON COLUMN lyftron.state.partition IS 'the partition; null: the stream as a whole';
COMMENT ON COLUMN lyftron.state.cursor IS 'the saved position: what is newer is to be read';
COMMENT ON COLUMN lyftron.state.page IS 'where the last checkpoint of an unfinished run stopped';
COMMENT ON COLUMN lyftron.state.updated_at IS 'when the row was last changed';

CREATE TABLE lyftron.rejected (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	run         bigint NOT NULL,
	pipeline    text NOT NULL,
	stream      text NOT NULL,
	rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	sqlstate    text NOT NULL,
	reason      text NOT NULL,
	record      text
);
CREATE INDEX rejected_run ON lyftron.rejected (run);
REVOKE ALL ON TABLE lyftron.rejected FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.rejected', '');
SELECT pg_catalog.pg_extension_config_dump('lyftron.rejected_id_seq', '');
COMMENT ON TABLE lyftron.rejected IS 'records that could not be loaded, with the reason';
COMMENT ON COLUMN lyftron.rejected.id IS 'number of the rejected record';
COMMENT ON COLUMN lyftron.rejected.run IS 'the run that met it';
COMMENT ON COLUMN lyftron.rejected.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.rejected.stream IS 'the stream or relation it came from';
COMMENT ON COLUMN lyftron.rejected.rejected_at IS 'when it was rejected';
COMMENT ON COLUMN lyftron.rejected.sqlstate IS 'SQLSTATE of the reason';
COMMENT ON COLUMN lyftron.rejected.reason IS 'why it was rejected';
COMMENT ON COLUMN lyftron.rejected.record IS 'the record as JSON text';
