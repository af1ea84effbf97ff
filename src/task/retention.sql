-- What is left of runs that lyftron.keep_history has removed.

CREATE TABLE lyftron.purged (
	pipeline      text PRIMARY KEY REFERENCES lyftron.pipeline (name) ON DELETE CASCADE,
	rows_read     numeric NOT NULL,
	rows_written  numeric NOT NULL,
	rows_rejected numeric NOT NULL
);
REVOKE ALL ON TABLE lyftron.purged FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.purged', '');
COMMENT ON TABLE lyftron.purged IS 'what the runs of pipelines that were removed had counted, so that totals do not shrink';
COMMENT ON COLUMN lyftron.purged.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.purged.rows_read IS 'records read from the source';
COMMENT ON COLUMN lyftron.purged.rows_written IS 'rows of the destination that were inserted or changed';
COMMENT ON COLUMN lyftron.purged.rows_rejected IS 'records that could not be loaded';
