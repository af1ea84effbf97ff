CREATE FUNCTION lyftron.refresh_foreign_schema(server name, execute boolean DEFAULT false)
	RETURNS TABLE (foreign_table text, change text, column_name text, statement text, executed boolean, reason text)
	AS 'MODULE_PATHNAME', 'lyf_refresh_foreign_schema' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.refresh_foreign_schema(name, boolean) IS
	'the statements that bring a server''s imported foreign tables up to date with what it has now, and streams that are new or gone; executes them when told to';

CREATE FUNCTION lyftron.check_schemas(server name, remote_schema text DEFAULT NULL)
	RETURNS TABLE (stream text, change text, column_name text, before jsonb, after jsonb, severity text, evidence text)
	AS 'MODULE_PATHNAME', 'lyf_check_schemas' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.check_schemas(name, text) IS
	'look at all streams of a foreign server: those that are new, gone or changed since the last check are written down, told by NOTIFY lyftron_schema, and returned; new ones become pipelines where a rule says so';

CREATE FUNCTION lyftron.create_stream_rule(name text, server name, pattern text, foreign_schema text, destination_schema text, options jsonb DEFAULT '{}')
	RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_stream_rule' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_stream_rule(text, name, text, text, text, jsonb) IS
	'have lyftron.check_schemas import new streams whose names are LIKE a pattern, and make pipelines of them';

CREATE FUNCTION lyftron.drop_stream_rule(name text) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_drop_stream_rule' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.drop_stream_rule(text) IS 'drop a stream rule; the pipelines that it made stay';

CREATE VIEW lyftron.stream_rules WITH (security_barrier) AS
	SELECT name, owner, server, pattern, foreign_schema, destination_schema, options
	FROM lyftron.stream_rule WHERE pg_catalog.pg_has_role(owner, 'USAGE');
GRANT SELECT ON lyftron.stream_rules TO PUBLIC;
COMMENT ON VIEW lyftron.stream_rules IS 'your rules that make pipelines of streams that are new';
COMMENT ON COLUMN lyftron.stream_rules.name IS 'name of the rule; its pipelines are called so, and after a point as the stream';
COMMENT ON COLUMN lyftron.stream_rules.owner IS 'role that made it, and that owns what it makes';
COMMENT ON COLUMN lyftron.stream_rules.server IS 'the foreign server';
COMMENT ON COLUMN lyftron.stream_rules.pattern IS 'names of streams, as LIKE has them';
COMMENT ON COLUMN lyftron.stream_rules.foreign_schema IS 'schema that a new stream is imported into';
COMMENT ON COLUMN lyftron.stream_rules.destination_schema IS 'schema of the table that it is loaded into';
COMMENT ON COLUMN lyftron.stream_rules.options IS 'arguments of lyftron.create_pipeline';
