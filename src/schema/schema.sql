-- schema/: what sources looked like, and what changed.

CREATE TABLE lyftron.schema_version (
	pipeline      text,
	server        text,
	stream        text,
	version       integer NOT NULL,
	noticed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	role          regrole NOT NULL,
	run           bigint,
	columns       jsonb,
	UNIQUE (pipeline, version),
	UNIQUE (server, stream, version),
	CHECK ((pipeline IS NULL) = (server IS NOT NULL AND stream IS NOT NULL))
);
REVOKE ALL ON TABLE lyftron.schema_version FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.schema_version', '');
COMMENT ON TABLE lyftron.schema_version IS 'what sources looked like: a row for each time that they looked otherwise';
COMMENT ON COLUMN lyftron.schema_version.pipeline IS 'the pipeline; null: a check of a server saw it';
COMMENT ON COLUMN lyftron.schema_version.server IS 'the foreign server that was checked';
COMMENT ON COLUMN lyftron.schema_version.stream IS 'the stream of it';
COMMENT ON COLUMN lyftron.schema_version.version IS 'number of the version, from 1';
COMMENT ON COLUMN lyftron.schema_version.noticed_at IS 'when it was seen first';
COMMENT ON COLUMN lyftron.schema_version.role IS 'whose run or check saw it';
COMMENT ON COLUMN lyftron.schema_version.run IS 'the run that saw it; null: a check';
COMMENT ON COLUMN lyftron.schema_version.columns IS 'the schema: columns with name, type, not_null, default, enum, number, key, cursor; null: the stream was gone';

CREATE TABLE lyftron.schema_change (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	pipeline      text,
	server        text,
	stream        text,
	version       integer,
	noticed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
	run           bigint,
	kind          text NOT NULL,
	column_name   text,
	before        jsonb,
	after         jsonb,
	severity      text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
	evidence      text,
	answer        text NOT NULL,
	alerted       boolean NOT NULL DEFAULT false
);
CREATE INDEX schema_change_untold ON lyftron.schema_change (id) WHERE NOT alerted;
CREATE INDEX schema_change_pipeline ON lyftron.schema_change (pipeline, id);
REVOKE ALL ON TABLE lyftron.schema_change FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.schema_change', '');
SELECT pg_catalog.pg_extension_config_dump('lyftron.schema_change_id_seq', '');
COMMENT ON TABLE lyftron.schema_change IS 'changes of sources';
COMMENT ON COLUMN lyftron.schema_change.id IS 'number of the change';
COMMENT ON COLUMN lyftron.schema_change.pipeline IS 'the pipeline; null: a check of a server noticed it';
COMMENT ON COLUMN lyftron.schema_change.server IS 'the foreign server that was checked';
COMMENT ON COLUMN lyftron.schema_change.stream IS 'the stream of it';
COMMENT ON COLUMN lyftron.schema_change.version IS 'the version that has it; null: none, since the run was refused';
COMMENT ON COLUMN lyftron.schema_change.noticed_at IS 'when it was noticed';
COMMENT ON COLUMN lyftron.schema_change.run IS 'the run that noticed it; null: a check';
COMMENT ON COLUMN lyftron.schema_change.kind IS 'stream_added, stream_removed, column_added, column_removed, column_renamed, type_widened, type_narrowed, type_changed, nullable, not_null, default_changed, enum_changed, key_changed, cursor_changed';
COMMENT ON COLUMN lyftron.schema_change.column_name IS 'the column, by its new name; null: the stream as a whole';
COMMENT ON COLUMN lyftron.schema_change.before IS 'what it was';
COMMENT ON COLUMN lyftron.schema_change.after IS 'what it is';
COMMENT ON COLUMN lyftron.schema_change.severity IS 'info: nothing is lost; warning: something is gone or narrower; error: values or identities may not fit';
COMMENT ON COLUMN lyftron.schema_change.evidence IS 'of a guess: what speaks for it';
COMMENT ON COLUMN lyftron.schema_change.alerted IS 'alerts of the event schema were raised';
COMMENT ON COLUMN lyftron.schema_change.answer IS 'what the pipeline''s policy answered: evolve, freeze, ignore or alert';

CREATE TABLE lyftron.stream_rule (
	name          text PRIMARY KEY,
	owner         regrole NOT NULL,
	server        text NOT NULL,
	pattern       text NOT NULL,
	foreign_schema text NOT NULL,
	destination_schema text NOT NULL,
	options       jsonb NOT NULL
);
REVOKE ALL ON TABLE lyftron.stream_rule FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.stream_rule', '');
COMMENT ON TABLE lyftron.stream_rule IS 'rules that make pipelines of streams that are new';
COMMENT ON COLUMN lyftron.stream_rule.name IS 'name of the rule; its pipelines are called so, and after a point as the stream';
COMMENT ON COLUMN lyftron.stream_rule.owner IS 'role that made it, and that owns what it makes';
COMMENT ON COLUMN lyftron.stream_rule.server IS 'the foreign server';
COMMENT ON COLUMN lyftron.stream_rule.pattern IS 'names of streams, as LIKE has them';
COMMENT ON COLUMN lyftron.stream_rule.foreign_schema IS 'schema that a new stream is imported into';
COMMENT ON COLUMN lyftron.stream_rule.destination_schema IS 'schema of the table that it is loaded into';
COMMENT ON COLUMN lyftron.stream_rule.options IS 'arguments of lyftron.create_pipeline';

CREATE FUNCTION lyftron.compare_schemas(before jsonb, after jsonb)
RETURNS TABLE (kind text, column_name text, was jsonb, is_now jsonb, severity text, evidence text)
AS 'MODULE_PATHNAME', 'lyf_compare_schemas' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.compare_schemas(jsonb, jsonb) IS 'what is different between two schemas, as lyftron.schema_versions has them';
