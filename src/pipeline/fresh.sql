CREATE FUNCTION lyftron.refresh_foreign_schema(server name, execute boolean DEFAULT false)
	RETURNS TABLE (foreign_table text, change text, column_name text, statement text, executed boolean, reason text)
	AS 'MODULE_PATHNAME', 'lyf_refresh_foreign_schema' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.refresh_foreign_schema(name, boolean) IS
	'the statements that bring a server''s imported foreign tables up to date with what it has now, and streams that are new or gone; executes them when told to';
