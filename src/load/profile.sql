-- what the data of sources shows

CREATE TABLE lyftron.schema_profile (
	pipeline    text NOT NULL,
	column_name text NOT NULL,
	run         bigint NOT NULL,
	rows        bigint NOT NULL,
	nulls       bigint NOT NULL,
	seen        integer NOT NULL,
	longest     bigint,
	least       bigint,
	greatest    bigint,
	shape       jsonb,
	updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (pipeline, column_name)
);
REVOKE ALL ON TABLE lyftron.schema_profile FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.schema_profile', '');
COMMENT ON TABLE lyftron.schema_profile IS 'what runs have seen in the columns of their sources';
COMMENT ON COLUMN lyftron.schema_profile.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.schema_profile.column_name IS 'the column of its source';
COMMENT ON COLUMN lyftron.schema_profile.run IS 'the last run that added to it';
COMMENT ON COLUMN lyftron.schema_profile.rows IS 'rows that were looked at';
COMMENT ON COLUMN lyftron.schema_profile.nulls IS 'of those the ones without a value';
COMMENT ON COLUMN lyftron.schema_profile.seen IS 'kinds of texts and JSON, a bit each (load/profile.c)';
COMMENT ON COLUMN lyftron.schema_profile.longest IS 'bytes of the longest text';
COMMENT ON COLUMN lyftron.schema_profile.least IS 'the smallest integer';
COMMENT ON COLUMN lyftron.schema_profile.greatest IS 'the greatest integer';
COMMENT ON COLUMN lyftron.schema_profile.shape IS 'what JSON looks like, of a sample';
COMMENT ON COLUMN lyftron.schema_profile.updated_at IS 'when it was last added to';

CREATE FUNCTION lyftron.profile_type(seen integer) RETURNS text
	AS 'MODULE_PATHNAME', 'lyf_profile_type' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.profile_type(integer) IS 'the narrower type that would hold all texts of a column, from lyftron.schema_profile.seen; null: none would';
