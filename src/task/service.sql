-- Background workers of this database.

CREATE FUNCTION lyftron.start() RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_start' LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION lyftron.start() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lyftron.start() TO @extowner@;
COMMENT ON FUNCTION lyftron.start() IS
	'serve this database by background workers, from now on';

CREATE FUNCTION lyftron.stop(now boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_stop' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION lyftron.stop(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lyftron.stop(boolean) TO @extowner@;
COMMENT ON FUNCTION lyftron.stop(boolean) IS
	'serve this database by background workers no more; now: end what they do, which is tried again later';

-- Where a coordinator is at work it hears that there is one database more to look after.
SELECT lyftron.tick();
