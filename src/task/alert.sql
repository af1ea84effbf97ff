-- Alerts: who is told when a pipeline failed, is well again, or is late.

CREATE TABLE lyftron.alert (
	name          text PRIMARY KEY CHECK (name <> ''),
	owner         regrole NOT NULL,
	events        text[] NOT NULL,
	pipeline      text REFERENCES lyftron.pipeline (name) ON DELETE CASCADE,
	webhook       text,
	headers       jsonb,
	late_after    interval,
	created_at    timestamptz NOT NULL DEFAULT pg_catalog.now()
);
REVOKE ALL ON TABLE lyftron.alert FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.alert', '');
COMMENT ON TABLE lyftron.alert IS 'alerts: who is told what of which pipelines';
COMMENT ON COLUMN lyftron.alert.name IS 'name of the alert';
COMMENT ON COLUMN lyftron.alert.owner IS 'role that made it; it hears of the pipelines that this role may use';
COMMENT ON COLUMN lyftron.alert.events IS 'what it tells of: failed, recovered, late, schema (a change of a source)';
COMMENT ON COLUMN lyftron.alert.pipeline IS 'the pipeline; null: all that the owner may use';
COMMENT ON COLUMN lyftron.alert.webhook IS 'URL that it is sent to by POST; null: it is told by NOTIFY alone';
COMMENT ON COLUMN lyftron.alert.headers IS 'headers that are sent along; secret';
COMMENT ON COLUMN lyftron.alert.late_after IS 'so long after a time of its schedule a pipeline that has not succeeded is late; null: none is';
COMMENT ON COLUMN lyftron.alert.created_at IS 'when it was made';

-- Not dumped: a restored copy waits for what is due from then on.
CREATE TABLE lyftron.expected (
	alert         text REFERENCES lyftron.alert (name) ON DELETE CASCADE,
	pipeline      text REFERENCES lyftron.pipeline (name) ON DELETE CASCADE,
	due_at        timestamptz NOT NULL,
	PRIMARY KEY (alert, pipeline)
);
REVOKE ALL ON TABLE lyftron.expected FROM PUBLIC;
COMMENT ON TABLE lyftron.expected IS 'successes that alerts wait for, else the pipeline is late';
COMMENT ON COLUMN lyftron.expected.alert IS 'the alert';
COMMENT ON COLUMN lyftron.expected.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.expected.due_at IS 'the first time of its schedule that it has not succeeded since';

CREATE VIEW lyftron.alerts WITH (security_barrier) AS
	SELECT name, owner, events, pipeline, webhook, late_after, created_at
	FROM lyftron.alert WHERE pg_catalog.pg_has_role(owner, 'USAGE');
GRANT SELECT ON lyftron.alerts TO PUBLIC;
COMMENT ON VIEW lyftron.alerts IS 'your alerts';
COMMENT ON COLUMN lyftron.alerts.name IS 'name of the alert';
COMMENT ON COLUMN lyftron.alerts.owner IS 'role that made it; it hears of the pipelines that this role may use';
COMMENT ON COLUMN lyftron.alerts.events IS 'what it tells of: failed, recovered, late, schema (a change of a source)';
COMMENT ON COLUMN lyftron.alerts.pipeline IS 'the pipeline; null: all that the owner may use';
COMMENT ON COLUMN lyftron.alerts.webhook IS 'URL that it is sent to by POST; null: it is told by NOTIFY alone';
COMMENT ON COLUMN lyftron.alerts.late_after IS 'so long after a time of its schedule a pipeline that has not succeeded is late; null: none is';
COMMENT ON COLUMN lyftron.alerts.created_at IS 'when it was made';

CREATE FUNCTION lyftron.create_alert(name text, events text[] DEFAULT '{failed,recovered,late}', pipeline text DEFAULT NULL,
	webhook text DEFAULT NULL, headers jsonb DEFAULT NULL, late_after interval DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_alert' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_alert(text, text[], text, text, jsonb, interval) IS
	'have it told, by NOTIFY lyftron_alert and a webhook, when a pipeline failed, succeeds again, or is late, or (event schema) when a source has changed its shape';

CREATE FUNCTION lyftron.drop_alert(name text) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_drop_alert' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.drop_alert(text) IS
	'drop an alert; what it has queued fails';
