-- vault/: a vault that suits tables that are there.

CREATE FUNCTION lyftron.propose_vault(server name DEFAULT NULL, schema text DEFAULT NULL, vault text DEFAULT NULL, staging text DEFAULT NULL)
	RETURNS TABLE (statement_number integer, statement text, reason text)
	AS 'MODULE_PATHNAME', 'lyf_propose_vault' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.propose_vault(name, text, text, text) IS
	'statements that make a data vault of a foreign server''s tables, or of those of a schema, by their keys; they run as they are';
