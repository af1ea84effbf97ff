-- a configuration is checked against the connector's specification; no message has a value in it
SELECT count(*) FROM lyftron.add_connector('regress_config', $$
check: {type: CheckStream, stream_names: [s]}
streams:
  - name: s
    type: DeclarativeStream
    retriever:
      type: SimpleRetriever
      requester: {type: HttpRequester, url_base: "http://127.0.0.1:1", path: /, error_handler: {type: DefaultErrorHandler, max_retries: 0}}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {id: {type: integer}, name: {type: ["null", string]}}}
    primary_key: id
  - name: broken
    type: DeclarativeStream
    retriever: {type: BatchRetriever}
spec:
  type: Spec
  connection_specification:
    type: object
    required: [start_date, credentials, region]
    properties:
      start_date: {type: string, pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$', examples: ["2026-01-01"]}
      region: {type: string, enum: [eu, us]}
      page_size: {type: integer, minimum: 1, maximum: 100}
      ids: {type: array, items: {type: integer}}
      credentials:
        oneOf:
          - title: Key
            required: [kind, key]
            properties: {kind: {type: string, const: key}, key: {type: string, airbyte_secret: true}}
          - title: Login
            required: [kind, user, password]
            properties: {kind: {type: string, const: login}, user: {type: string}, password: {type: string, airbyte_secret: true}}
$$);
CREATE FUNCTION pg_temp.try(config text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE format('CREATE SERVER regress_lyf_try FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector %L, config %L)', 'regress_config', config);
    DROP SERVER regress_lyf_try;
    RETURN 'right';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLERRM || coalesce(nullif(E'\n' || hint, E'\n'), '');
END $$;

-- secrets may be missing still, all else may not
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "eu"}');
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "eu", "more": {"x": 1}, "page_size": 100, "ids": [1, 2.0]}');
SELECT pg_temp.try('{"region": "eu"}');
SELECT pg_temp.try('{"start_date": "hunter2", "region": "eu"}');
SELECT pg_temp.try('{"start_date": 5, "region": "eu"}');
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "hunter2"}');
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "eu", "page_size": 0}');
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "eu", "page_size": 1.5}');
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "eu", "ids": [1, "hunter2"]}');
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "eu", "credentials": {"kind": "key"}}');
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "eu", "credentials": {"kind": "login"}}');
SELECT pg_temp.try('{"start_date": "2026-01-01", "region": "eu", "credentials": {"kind": "hunter2"}}');

-- with the secrets, what is missing becomes a row, as does what cannot be reached
CREATE SERVER regress_lyf_server FOREIGN DATA WRAPPER lyftron_rest
    OPTIONS (connector 'regress_config', config '{"start_date": "2026-01-01", "region": "eu", "credentials": {"kind": "key"}}');
SELECT * FROM lyftron.check('regress_lyf_server');
CREATE USER MAPPING FOR PUBLIC SERVER regress_lyf_server OPTIONS (secrets '{"credentials": {"key": 5}}');
SELECT * FROM lyftron.check('regress_lyf_server');
ALTER USER MAPPING FOR PUBLIC SERVER regress_lyf_server OPTIONS (SET secrets '{"credentials": {"key": "hunter2"}}');
SELECT ok, stream, message LIKE '%127.0.0.1%' AND message NOT LIKE '%hunter2%' AS says_where, user_mapping
FROM lyftron.check('regress_lyf_server');

-- columns
SELECT * FROM lyftron.discover('regress_lyf_server');
SELECT * FROM lyftron.discover('regress_lyf_server', 'none');
SELECT * FROM lyftron.discover('regress_lyf_none');
CREATE ROLE regress_lyf_carol;
SET ROLE regress_lyf_carol;
SELECT * FROM lyftron.check('regress_lyf_server');
SELECT * FROM lyftron.discover('regress_lyf_server');
RESET ROLE;

DROP ROLE regress_lyf_carol;
DROP SERVER regress_lyf_server CASCADE;
SELECT lyftron.drop_connector('regress_config');
