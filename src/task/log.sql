-- The log of tasks: what their attempts met.  Tasks that succeed without a word leave nothing here.

CREATE TABLE lyftron.log (
	task          bigint NOT NULL,
	attempt       integer NOT NULL,
	at            timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	level         text NOT NULL CHECK (level IN ('error', 'warning', 'info')),
	message       text,
	detail        text,
	hint          text,
	sqlstate      text,
	context       text,
	retry_at      timestamptz
);
CREATE INDEX log_task ON lyftron.log (task, at);
CREATE INDEX log_at ON lyftron.log (at);
REVOKE ALL ON TABLE lyftron.log FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.log', '');
COMMENT ON TABLE lyftron.log IS 'what attempts at tasks met';
COMMENT ON COLUMN lyftron.log.task IS 'number of the task';
COMMENT ON COLUMN lyftron.log.attempt IS 'the attempt, from 1; 0: it was never begun';
COMMENT ON COLUMN lyftron.log.at IS 'when';
COMMENT ON COLUMN lyftron.log.level IS 'error: it ended the attempt; warning; info';
COMMENT ON COLUMN lyftron.log.message IS 'what it was';
COMMENT ON COLUMN lyftron.log.detail IS 'detail of the message';
COMMENT ON COLUMN lyftron.log.hint IS 'hint of the message';
COMMENT ON COLUMN lyftron.log.sqlstate IS 'SQLSTATE of the message';
COMMENT ON COLUMN lyftron.log.context IS 'where it was raised';
COMMENT ON COLUMN lyftron.log.retry_at IS 'of an error: when the task is tried again; null: it is not';

CREATE VIEW lyftron.task_log WITH (security_barrier) AS
	SELECT l.task, t.kind, t.name, l.attempt, l.at, l.level, l.message, l.detail, l.hint, l.sqlstate, l.context, l.retry_at
	FROM lyftron.log l JOIN (SELECT id, kind, name, owner FROM lyftron.queue
		UNION ALL SELECT id, kind, name, owner FROM lyftron.history) t ON t.id = l.task
	WHERE pg_catalog.pg_has_role(t.owner, 'USAGE');
GRANT SELECT ON lyftron.task_log TO PUBLIC;
COMMENT ON VIEW lyftron.task_log IS 'what attempts at your tasks met: errors, warnings, notices, and what became of those that were not begun';
COMMENT ON COLUMN lyftron.task_log.task IS 'number of the task';
COMMENT ON COLUMN lyftron.task_log.kind IS 'pipeline, slice, sql or webhook';
COMMENT ON COLUMN lyftron.task_log.name IS 'name of the pipeline, the task or the alert';
COMMENT ON COLUMN lyftron.task_log.attempt IS 'the attempt, from 1; 0: it was never begun';
COMMENT ON COLUMN lyftron.task_log.at IS 'when';
COMMENT ON COLUMN lyftron.task_log.level IS 'error: it ended the attempt; warning; info';
COMMENT ON COLUMN lyftron.task_log.message IS 'what it was';
COMMENT ON COLUMN lyftron.task_log.detail IS 'detail of the message';
COMMENT ON COLUMN lyftron.task_log.hint IS 'hint of the message';
COMMENT ON COLUMN lyftron.task_log.sqlstate IS 'SQLSTATE of the message';
COMMENT ON COLUMN lyftron.task_log.context IS 'where it was raised';
COMMENT ON COLUMN lyftron.task_log.retry_at IS 'of an error: when the task is tried again; null: it is not';
