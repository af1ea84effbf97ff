-- tokens that services gave in exchange for ones that can be used once only

CREATE TABLE lyftron.credential (
    server       oid NOT NULL,
    server_name  name NOT NULL,
    mapping_user regrole NOT NULL,
    path         text COLLATE "C" NOT NULL,
    origin       text COLLATE "C" NOT NULL,
    config       jsonb NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (server, mapping_user, path, origin)
);
REVOKE ALL ON TABLE lyftron.credential FROM PUBLIC;
COMMENT ON TABLE lyftron.credential IS 'tokens that services gave in exchange for refresh tokens that can be used once only; they go before the secrets of the user mapping for as long as the refresh token that stands there is the one they came from';
COMMENT ON COLUMN lyftron.credential.server IS 'foreign server; in a restored database it is found by its name';
COMMENT ON COLUMN lyftron.credential.server_name IS 'its name when this was written';
COMMENT ON COLUMN lyftron.credential.mapping_user IS 'role whose user mapping it is; 0: that of PUBLIC, or none';
COMMENT ON COLUMN lyftron.credential.path IS 'where in the configuration the refresh token stands: a JSON array of keys';
COMMENT ON COLUMN lyftron.credential.origin IS 'SHA-256 of the refresh token that the user gave there, and of the connector';
COMMENT ON COLUMN lyftron.credential.config IS 'what goes over the configuration: refresh token, access token and its expiry';
COMMENT ON COLUMN lyftron.credential.updated_at IS 'when the service gave it';

SELECT pg_catalog.pg_extension_config_dump('lyftron.credential', '');
