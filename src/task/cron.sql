-- Entries of pg_cron that work for a pool.

CREATE FUNCTION lyftron.schedule_with_pg_cron(pool text DEFAULT 'default', workers integer DEFAULT 1, every text DEFAULT '* * * * *')
	RETURNS TABLE (job text, schedule text, command text)
	AS 'MODULE_PATHNAME', 'lyf_schedule_with_pg_cron' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.schedule_with_pg_cron(text, integer, text) IS
	'have pg_cron work for a pool, where there are no background workers of lyftron; as the caller';

CREATE FUNCTION lyftron.unschedule_from_pg_cron(pool text DEFAULT 'default') RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_unschedule_from_pg_cron' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.unschedule_from_pg_cron(text) IS
	'take the caller''s entries that work for a pool out of pg_cron';
