-- Interventions: cancel, pause, resume, do again.

CREATE FUNCTION lyftron.cancel_task(id bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'lyf_cancel_task' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.cancel_task(bigint) IS
	'cancel a task that waits or runs; false: it is over, or there is none';

CREATE FUNCTION lyftron.pause_task(id bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'lyf_pause_task' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.pause_task(bigint) IS
	'keep a task that waits from being begun; false: it runs or is over';

CREATE FUNCTION lyftron.resume_task(id bigint) RETURNS boolean
	AS 'MODULE_PATHNAME', 'lyf_resume_task' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.resume_task(bigint) IS
	'let a paused task go on';

CREATE FUNCTION lyftron.pause_pipeline(name text) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_pause_pipeline' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.pause_pipeline(text) IS
	'keep a pipeline from being queued by its schedule, and what is queued of it from being begun';

CREATE FUNCTION lyftron.resume_pipeline(name text) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_resume_pipeline' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.resume_pipeline(text) IS
	'let a paused pipeline go on; times of its schedule that went by meanwhile are not made up for';

CREATE FUNCTION lyftron.pause_pool(name text DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_pause_pool' LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION lyftron.pause_pool(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lyftron.pause_pool(text) TO @extowner@;
COMMENT ON FUNCTION lyftron.pause_pool(text) IS
	'keep tasks of a pool, null: of all pools, from being begun';

CREATE FUNCTION lyftron.resume_pool(name text DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_resume_pool' LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE ALL ON FUNCTION lyftron.resume_pool(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lyftron.resume_pool(text) TO @extowner@;
COMMENT ON FUNCTION lyftron.resume_pool(text) IS
	'let tasks of a paused pool, null: of all, go on';

CREATE FUNCTION lyftron.retry_task(id bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'lyf_retry_task' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.retry_task(bigint) IS
	'queue a task again that failed, was cancelled or skipped; its new number, or null';

CREATE FUNCTION lyftron.retry_failed(since timestamptz DEFAULT NULL, name text DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'lyf_retry_failed' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.retry_failed(timestamptz, text) IS
	'queue again all of your tasks that failed since then, and were not yet; how many';

