-- vault/: bridges.

CREATE FUNCTION lyftron.create_bridge(vault text, name text, hub text, links text[], snapshots text) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_bridge' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_bridge(text, text, text, text[], text) IS
	'make a bridge: of each snapshot, the keys that are reached from a hub along links';

CREATE FUNCTION lyftron.refresh_bridge(vault text, name text)
	RETURNS TABLE (snapshots_added bigint, snapshots_changed bigint, snapshots_removed bigint, rows_written bigint, rows_removed bigint)
	AS 'MODULE_PATHNAME', 'lyf_refresh_bridge' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.refresh_bridge(text, text) IS
	'fill a bridge: snapshots that it lacks, and those that late rows changed; snapshots that are not wanted any more are removed';
