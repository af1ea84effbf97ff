-- vault/: looking for what is wrong in a vault.

CREATE FUNCTION lyftron.check_vault(vault text, name text DEFAULT NULL, sources boolean DEFAULT false)
	RETURNS TABLE (table_name text, problem text, severity text, rows bigint, example jsonb, hint text)
	AS 'MODULE_PATHNAME', 'lyf_check_vault' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.check_vault(text, text, boolean) IS
	'what is wrong in a data vault, or in one of its tables: a row a problem, none where all is well; with sources: hash collisions, for which the sources of hubs are read';
