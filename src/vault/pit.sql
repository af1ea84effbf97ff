-- vault/: point-in-time tables.

CREATE FUNCTION lyftron.create_pit(vault text, name text, hub text, satellites text[], snapshots text) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_pit' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_pit(text, text, text, text[], text) IS
	'make a point-in-time table of a hub or link: of each snapshot, which version of each satellite was valid for each key';

CREATE FUNCTION lyftron.refresh_pit(vault text, name text)
	RETURNS TABLE (snapshots_added bigint, snapshots_changed bigint, snapshots_removed bigint, rows_written bigint, rows_removed bigint)
	AS 'MODULE_PATHNAME', 'lyf_refresh_pit' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.refresh_pit(text, text) IS
	'fill a point-in-time table: snapshots that it lacks, and rows that late ones changed; snapshots that are not wanted any more are removed';
