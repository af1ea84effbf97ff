-- connectors: manifests, what is in them, and accounts that use them

CREATE SEQUENCE lyftron.connector_version;
REVOKE ALL ON SEQUENCE lyftron.connector_version FROM PUBLIC;
COMMENT ON SEQUENCE lyftron.connector_version IS 'versions of connectors; each replaced manifest takes the next one';

CREATE TABLE lyftron.connector (
    name              text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 63),
    manifest          text NOT NULL,
    version           bigint NOT NULL DEFAULT pg_catalog.nextval('lyftron.connector_version'),
    owner             regrole NOT NULL,
    shipped           boolean NOT NULL,
    streams           integer NOT NULL,
    unsupported       integer NOT NULL,
    title             text,
    documentation_url text,
    created_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at        timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (name, shipped)
);
REVOKE ALL ON TABLE lyftron.connector FROM PUBLIC;
COMMENT ON TABLE lyftron.connector IS 'connectors of this database: those shipped with lyftron, and those added, which go before shipped ones of the same name';
COMMENT ON COLUMN lyftron.connector.name IS 'name, as the option "connector" of a server has it';
COMMENT ON COLUMN lyftron.connector.manifest IS 'YAML, as it was given';
COMMENT ON COLUMN lyftron.connector.version IS 'another one after each change of the manifest';
COMMENT ON COLUMN lyftron.connector.owner IS 'role that added it';
COMMENT ON COLUMN lyftron.connector.shipped IS 'came with lyftron';
COMMENT ON COLUMN lyftron.connector.streams IS 'how many streams it has';
COMMENT ON COLUMN lyftron.connector.unsupported IS 'how many of them cannot be read; lyftron.streams says why';
COMMENT ON COLUMN lyftron.connector.title IS 'what the manifest calls what is configured';
COMMENT ON COLUMN lyftron.connector.documentation_url IS 'where its documentation is, if the manifest says so';
COMMENT ON COLUMN lyftron.connector.created_at IS 'when it was added';
COMMENT ON COLUMN lyftron.connector.updated_at IS 'when its manifest was changed last';

SELECT pg_catalog.pg_extension_config_dump('lyftron.connector', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('lyftron.connector_version', '');

CREATE VIEW lyftron.connectors AS
SELECT DISTINCT ON (c.name)
       c.name, c.version, c.owner, c.shipped, c.title, c.streams, c.unsupported, c.documentation_url, c.created_at, c.updated_at
FROM lyftron.connector AS c
ORDER BY c.name, c.shipped;
GRANT SELECT ON TABLE lyftron.connectors TO PUBLIC;
COMMENT ON VIEW lyftron.connectors IS 'connectors that servers can use; lyftron.streams(name) says what can be read with one';
COMMENT ON COLUMN lyftron.connectors.name IS 'name, as the option "connector" of a server has it';
COMMENT ON COLUMN lyftron.connectors.version IS 'another one after each change of the manifest';
COMMENT ON COLUMN lyftron.connectors.owner IS 'role that added it';
COMMENT ON COLUMN lyftron.connectors.shipped IS 'came with lyftron';
COMMENT ON COLUMN lyftron.connectors.streams IS 'how many streams it has';
COMMENT ON COLUMN lyftron.connectors.unsupported IS 'how many of them cannot be read; lyftron.streams says why';
COMMENT ON COLUMN lyftron.connectors.title IS 'what it connects to, and of connectors that are shipped in which area that is';
COMMENT ON COLUMN lyftron.connectors.documentation_url IS 'where its documentation is, if the manifest says so';
COMMENT ON COLUMN lyftron.connectors.created_at IS 'when it was added';
COMMENT ON COLUMN lyftron.connectors.updated_at IS 'when its manifest was changed last';

CREATE FUNCTION lyftron.add_connector(name text, manifest text)
RETURNS TABLE (stream text, ready boolean, reason text, path text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lyf_add_connector';
COMMENT ON FUNCTION lyftron.add_connector(text, text) IS 'add a connector, or replace one of yours; answers a row a stream: can it be read, and if not, why not and where in the manifest';

CREATE FUNCTION lyftron.ship_connector(name text, manifest text)
RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lyf_ship_connector';
REVOKE ALL ON FUNCTION lyftron.ship_connector(text, text) FROM PUBLIC;
COMMENT ON FUNCTION lyftron.ship_connector(text, text) IS 'add a connector that ships with lyftron; for the extension''s script';

CREATE FUNCTION lyftron.drop_connector(name text, if_exists boolean DEFAULT false)
RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lyf_drop_connector';
COMMENT ON FUNCTION lyftron.drop_connector(text, boolean) IS 'drop a connector of yours that no server uses';

CREATE FUNCTION lyftron.streams(connector text)
RETURNS TABLE (stream text, ready boolean, reason text, path text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lyf_streams';
COMMENT ON FUNCTION lyftron.streams(text) IS 'the streams of a connector: can each be read, and if not, why not and where in the manifest';

CREATE FUNCTION lyftron.spec(connector text)
RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lyf_spec';
COMMENT ON FUNCTION lyftron.spec(text) IS 'what the configuration of a connector''s servers must look like, as a JSON schema; properties marked airbyte_secret belong into user mappings';

CREATE FUNCTION lyftron.resolve_manifest(manifest text)
RETURNS json
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'lyf_resolve_manifest';
COMMENT ON FUNCTION lyftron.resolve_manifest(text) IS 'a manifest with its references, types and parameters filled in: what is really run';

CREATE FUNCTION lyftron.check(server name)
RETURNS TABLE (ok boolean, stream text, message text, user_mapping text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lyf_check';
COMMENT ON FUNCTION lyftron.check(name) IS 'does the server''s configuration work, and with whose secrets? reads a record of each stream that the connector names for it';

CREATE FUNCTION lyftron.discover(server name, stream text DEFAULT NULL)
RETURNS TABLE (stream_name text, column_name text, type text, nullable boolean, in_primary_key boolean, is_cursor boolean, note text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'lyf_discover';
COMMENT ON FUNCTION lyftron.discover(name, text) IS 'the streams of a server and their columns, keys and cursors, or of one stream; a stream without a schema is read to see';
