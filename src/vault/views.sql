-- vault/: views of satellites.

CREATE FUNCTION lyftron.create_vault_views(vault text, name text DEFAULT NULL) RETURNS TABLE (table_name text, made text)
	AS 'MODULE_PATHNAME', 'lyf_create_vault_views' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_vault_views(text, text) IS
	'make, or make anew, views of all satellites and reference tables with history of a data vault, or of one: <table>_history, <table>_current, and the function <table>_as_of(timestamptz)';
