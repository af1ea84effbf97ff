-- Pools and limits.

CREATE FUNCTION lyftron.create_pool(name text, min_workers integer DEFAULT 0, max_workers integer DEFAULT 2,
	threshold integer DEFAULT 0, idle_timeout interval DEFAULT '60 seconds') RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_pool' LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION lyftron.create_pool(text, integer, integer, integer, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lyftron.create_pool(text, integer, integer, integer, interval) TO @extowner@;
COMMENT ON FUNCTION lyftron.create_pool(text, integer, integer, integer, interval) IS
	'make a pool; how many workers it has follows from its tasks, within these bounds';

CREATE FUNCTION lyftron.alter_pool(name text, min_workers integer DEFAULT NULL, max_workers integer DEFAULT NULL,
	threshold integer DEFAULT NULL, idle_timeout interval DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_alter_pool' LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION lyftron.alter_pool(text, integer, integer, integer, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lyftron.alter_pool(text, integer, integer, integer, interval) TO @extowner@;
COMMENT ON FUNCTION lyftron.alter_pool(text, integer, integer, integer, interval) IS
	'change what is given of a pool';

CREATE FUNCTION lyftron.drop_pool(name text) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_drop_pool' LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION lyftron.drop_pool(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lyftron.drop_pool(text) TO @extowner@;
COMMENT ON FUNCTION lyftron.drop_pool(text) IS
	'forget a pool''s bounds; its tasks stay, and it has those of a new pool';

CREATE FUNCTION lyftron.set_concurrency(key text, max_running integer) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_set_concurrency' LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION lyftron.set_concurrency(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lyftron.set_concurrency(text, integer) TO @extowner@;
COMMENT ON FUNCTION lyftron.set_concurrency(text, integer) IS
	'so many tasks of a key run at once at most; null: as many as there are; pipelines that read a foreign table have server:NAME';

