-- vault/: Data Vault 2: hubs, links, satellites and what is made of them, loaded inside the database.

CREATE TABLE lyftron.vault (
	name          text PRIMARY KEY,
	owner         regrole NOT NULL,
	schema_name   text NOT NULL,
	hash          jsonb NOT NULL,
	ghosts        boolean NOT NULL,
	null_keys     text NOT NULL CHECK (null_keys IN ('zero_key', 'skip', 'fail')),
	created_at    timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON TABLE lyftron.vault FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.vault', '');
COMMENT ON TABLE lyftron.vault IS 'data vaults: each a schema of hubs, links and satellites with one way to hash';
COMMENT ON COLUMN lyftron.vault.name IS 'name of the vault';
COMMENT ON COLUMN lyftron.vault.owner IS 'role that made it, and that its loads are executed as; its members may load, change and drop it';
COMMENT ON COLUMN lyftron.vault.schema_name IS 'schema of its tables';
COMMENT ON COLUMN lyftron.vault.hash IS 'how keys and differences are hashed: profile, algorithm, type and single rules';
COMMENT ON COLUMN lyftron.vault.ghosts IS 'have hubs, links and satellites rows for the zero key and the unknown key?';
COMMENT ON COLUMN lyftron.vault.null_keys IS 'a row whose business key is null: zero_key, skip, or fail the load';
COMMENT ON COLUMN lyftron.vault.created_at IS 'when it was made';

CREATE TABLE lyftron.vault_table (
	vault         text NOT NULL REFERENCES lyftron.vault (name) ON DELETE CASCADE ON UPDATE CASCADE,
	name          text NOT NULL,
	kind          text NOT NULL,
	parent        text,
	definition    jsonb NOT NULL,
	created_at    timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (vault, name)
);
REVOKE ALL ON TABLE lyftron.vault_table FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.vault_table', '');
COMMENT ON TABLE lyftron.vault_table IS 'tables of data vaults';
COMMENT ON COLUMN lyftron.vault_table.vault IS 'the vault';
COMMENT ON COLUMN lyftron.vault_table.name IS 'the table, in the vault''s schema';
COMMENT ON COLUMN lyftron.vault_table.kind IS 'hub; link, non_historized, hierarchical, same_as; standard, multi_active, effectivity, status_tracking, record_tracking; reference; pit, bridge';
COMMENT ON COLUMN lyftron.vault_table.parent IS 'hub or link that a satellite hangs on, or hub of a point-in-time table';
COMMENT ON COLUMN lyftron.vault_table.definition IS 'its columns by their roles';
COMMENT ON COLUMN lyftron.vault_table.created_at IS 'when it was made';

CREATE TABLE lyftron.vault_source (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	vault         text NOT NULL,
	table_name    text NOT NULL,
	source        text NOT NULL,
	search_path   text NOT NULL,
	mapping       jsonb NOT NULL,
	position      text,
	loaded_at     timestamptz,
	UNIQUE (vault, table_name, source),
	FOREIGN KEY (vault, table_name) REFERENCES lyftron.vault_table (vault, name) ON DELETE CASCADE ON UPDATE CASCADE
);
REVOKE ALL ON TABLE lyftron.vault_source FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.vault_source', '');
SELECT pg_catalog.pg_extension_config_dump('lyftron.vault_source_id_seq', '');
COMMENT ON TABLE lyftron.vault_source IS 'what fills the tables of data vaults';
COMMENT ON COLUMN lyftron.vault_source.id IS 'number of the mapping; loads go by it';
COMMENT ON COLUMN lyftron.vault_source.vault IS 'the vault';
COMMENT ON COLUMN lyftron.vault_source.table_name IS 'the table that is filled';
COMMENT ON COLUMN lyftron.vault_source.source IS 'what is read: a qualified relation, or a query';
COMMENT ON COLUMN lyftron.vault_source.search_path IS 'search_path that the source is read with: that of its definition';
COMMENT ON COLUMN lyftron.vault_source.mapping IS 'expressions of the source for the columns of the table, by their roles';
COMMENT ON COLUMN lyftron.vault_source.position IS 'greatest value of the increment that was loaded: the next load reads from it on; null: all';
COMMENT ON COLUMN lyftron.vault_source.loaded_at IS 'when it was last loaded';

CREATE TABLE lyftron.vault_load (
	id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	vault         text NOT NULL,
	source        text NOT NULL,
	owner         regrole NOT NULL,
	started_at    timestamptz NOT NULL,
	finished_at   timestamptz NOT NULL,
	rows_read     bigint NOT NULL,
	position      text,
	pid           integer NOT NULL DEFAULT pg_backend_pid()
);
CREATE INDEX vault_load_vault ON lyftron.vault_load (vault, started_at);
REVOKE ALL ON TABLE lyftron.vault_load FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.vault_load', '');
SELECT pg_catalog.pg_extension_config_dump('lyftron.vault_load_id_seq', '');
COMMENT ON TABLE lyftron.vault_load IS 'loads of data vaults: one a source, written with the rows that it loaded';
COMMENT ON COLUMN lyftron.vault_load.id IS 'number of the load';
COMMENT ON COLUMN lyftron.vault_load.vault IS 'the vault';
COMMENT ON COLUMN lyftron.vault_load.source IS 'the source that was read';
COMMENT ON COLUMN lyftron.vault_load.owner IS 'owner of the vault at that time';
COMMENT ON COLUMN lyftron.vault_load.started_at IS 'when it began';
COMMENT ON COLUMN lyftron.vault_load.finished_at IS 'when its last row was written';
COMMENT ON COLUMN lyftron.vault_load.rows_read IS 'rows read from the source';
COMMENT ON COLUMN lyftron.vault_load.position IS 'position of the source after it; null: it is read as a whole';
COMMENT ON COLUMN lyftron.vault_load.pid IS 'process that did it';

CREATE TABLE lyftron.vault_load_table (
	load          bigint NOT NULL REFERENCES lyftron.vault_load (id) ON DELETE CASCADE,
	table_name    text NOT NULL,
	candidates    bigint NOT NULL,
	inserted      bigint NOT NULL,
	known         bigint NOT NULL,
	skipped       bigint NOT NULL,
	PRIMARY KEY (load, table_name)
);
REVOKE ALL ON TABLE lyftron.vault_load_table FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.vault_load_table', '');
COMMENT ON TABLE lyftron.vault_load_table IS 'what loads of data vaults did with each table';
COMMENT ON COLUMN lyftron.vault_load_table.load IS 'the load';
COMMENT ON COLUMN lyftron.vault_load_table.table_name IS 'the table';
COMMENT ON COLUMN lyftron.vault_load_table.candidates IS 'rows of the source that it was fed with';
COMMENT ON COLUMN lyftron.vault_load_table.inserted IS 'rows that were new or changed, and were inserted';
COMMENT ON COLUMN lyftron.vault_load_table.known IS 'rows that it had, or that came twice';
COMMENT ON COLUMN lyftron.vault_load_table.skipped IS 'rows left out since their business key is null';

CREATE VIEW lyftron.vaults WITH (security_barrier) AS
	SELECT v.name, v.owner, v.schema_name, v.hash, v.ghosts, v.null_keys,
		(SELECT pg_catalog.count(*) FROM lyftron.vault_table t WHERE t.vault = v.name) AS tables, v.created_at
	FROM lyftron.vault v WHERE pg_catalog.pg_has_role(v.owner, 'USAGE');
GRANT SELECT ON lyftron.vaults TO PUBLIC;
COMMENT ON VIEW lyftron.vaults IS 'your data vaults: those whose owner you are, or are a member of';
COMMENT ON COLUMN lyftron.vaults.name IS 'name of the vault';
COMMENT ON COLUMN lyftron.vaults.owner IS 'role that made it, and that its loads are executed as';
COMMENT ON COLUMN lyftron.vaults.schema_name IS 'schema of its tables';
COMMENT ON COLUMN lyftron.vaults.hash IS 'how keys and differences are hashed';
COMMENT ON COLUMN lyftron.vaults.ghosts IS 'have its tables rows for the zero key and the unknown key?';
COMMENT ON COLUMN lyftron.vaults.null_keys IS 'a row whose business key is null: zero_key, skip, or fail the load';
COMMENT ON COLUMN lyftron.vaults.tables IS 'how many tables it has';
COMMENT ON COLUMN lyftron.vaults.created_at IS 'when it was made';

CREATE VIEW lyftron.vault_tables WITH (security_barrier) AS
	SELECT t.vault, v.schema_name, t.name, t.kind, t.parent, t.definition,
		(SELECT pg_catalog.array_agg(s.source ORDER BY s.id) FROM lyftron.vault_source s WHERE s.vault = t.vault AND s.table_name = t.name) AS sources, t.created_at
	FROM lyftron.vault_table t JOIN lyftron.vault v ON v.name = t.vault WHERE pg_catalog.pg_has_role(v.owner, 'USAGE');
GRANT SELECT ON lyftron.vault_tables TO PUBLIC;
COMMENT ON VIEW lyftron.vault_tables IS 'tables of your data vaults';
COMMENT ON COLUMN lyftron.vault_tables.vault IS 'the vault';
COMMENT ON COLUMN lyftron.vault_tables.schema_name IS 'schema of the table';
COMMENT ON COLUMN lyftron.vault_tables.name IS 'the table';
COMMENT ON COLUMN lyftron.vault_tables.kind IS 'hub; link, non_historized, hierarchical, same_as; standard, multi_active, effectivity, status_tracking, record_tracking; reference; pit, bridge';
COMMENT ON COLUMN lyftron.vault_tables.parent IS 'hub or link that a satellite hangs on, or hub of a point-in-time table';
COMMENT ON COLUMN lyftron.vault_tables.definition IS 'its columns by their roles';
COMMENT ON COLUMN lyftron.vault_tables.sources IS 'what it is filled from';
COMMENT ON COLUMN lyftron.vault_tables.created_at IS 'when it was made';

CREATE VIEW lyftron.vault_loads WITH (security_barrier) AS
	SELECT l.id, l.vault, l.source, l.started_at, l.finished_at, l.rows_read, l.position, t.table_name, t.candidates, t.inserted, t.known, t.skipped
	FROM lyftron.vault_load l LEFT JOIN lyftron.vault_load_table t ON t.load = l.id WHERE pg_catalog.pg_has_role(l.owner, 'USAGE');
GRANT SELECT ON lyftron.vault_loads TO PUBLIC;
COMMENT ON VIEW lyftron.vault_loads IS 'what the loads of your data vaults did: a row a load and table';
COMMENT ON COLUMN lyftron.vault_loads.id IS 'number of the load';
COMMENT ON COLUMN lyftron.vault_loads.vault IS 'the vault';
COMMENT ON COLUMN lyftron.vault_loads.source IS 'the source that was read';
COMMENT ON COLUMN lyftron.vault_loads.started_at IS 'when it began';
COMMENT ON COLUMN lyftron.vault_loads.finished_at IS 'when its last row was written';
COMMENT ON COLUMN lyftron.vault_loads.rows_read IS 'rows read from the source';
COMMENT ON COLUMN lyftron.vault_loads.position IS 'position of the source after it; null: it is read as a whole';
COMMENT ON COLUMN lyftron.vault_loads.table_name IS 'the table';
COMMENT ON COLUMN lyftron.vault_loads.candidates IS 'rows of the source that it was fed with';
COMMENT ON COLUMN lyftron.vault_loads.inserted IS 'rows that were new or changed, and were inserted';
COMMENT ON COLUMN lyftron.vault_loads.known IS 'rows that it had, or that came twice';
COMMENT ON COLUMN lyftron.vault_loads.skipped IS 'rows left out since their business key is null';

-- what publish.c says of loads at work
CREATE VIEW lyftron.vault_progress WITH (security_barrier) AS
	SELECT s.vault, s.source, p.pid, timestamptz '2000-01-01 00:00:00+00' + p.param13 * interval '1 microsecond' AS started_at,
		CASE WHEN p.param16 = 0 THEN 'reading' ELSE 'writing' END AS phase, p.param3 AS rows_read, p.param14::integer AS tables, p.param15::integer AS tables_done,
		t.table_name, CASE WHEN p.param16 <> 0 THEN p.param17 END AS candidates, CASE WHEN p.param16 <> 0 THEN p.param18 END AS inserted
	FROM pg_catalog.pg_stat_get_progress_info('COPY') p
		JOIN lyftron.vault_source s ON s.id = p.param12
		JOIN lyftron.vault v ON v.name = s.vault
		LEFT JOIN lyftron.vault_source t ON t.id = p.param16
	WHERE p.param11 = 19546 AND p.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
		AND pg_catalog.pg_has_role(v.owner, 'USAGE');
GRANT SELECT ON lyftron.vault_progress TO PUBLIC;
COMMENT ON VIEW lyftron.vault_progress IS 'loads of your data vaults that are at work just now, and how far they are';
COMMENT ON COLUMN lyftron.vault_progress.vault IS 'the vault';
COMMENT ON COLUMN lyftron.vault_progress.source IS 'the source that is loaded';
COMMENT ON COLUMN lyftron.vault_progress.pid IS 'process that loads it';
COMMENT ON COLUMN lyftron.vault_progress.started_at IS 'when it began';
COMMENT ON COLUMN lyftron.vault_progress.phase IS 'reading: the source; writing: the tables, one after the other';
COMMENT ON COLUMN lyftron.vault_progress.rows_read IS 'rows read from the source';
COMMENT ON COLUMN lyftron.vault_progress.tables IS 'tables that it fills';
COMMENT ON COLUMN lyftron.vault_progress.tables_done IS 'tables that were written';
COMMENT ON COLUMN lyftron.vault_progress.table_name IS 'the table that is written; null: none yet';
COMMENT ON COLUMN lyftron.vault_progress.candidates IS 'rows of the source that came for that table: no more are inserted';
COMMENT ON COLUMN lyftron.vault_progress.inserted IS 'rows that were inserted into it so far; of those that one statement loads, 0';

CREATE FUNCTION lyftron.create_vault(name text, schema text, hash jsonb DEFAULT '{}', ghosts boolean DEFAULT true, null_keys text DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_vault' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_vault(text, text, jsonb, boolean, text) IS
	'make a data vault: a schema for hubs, links and satellites, with one way to hash';

CREATE FUNCTION lyftron.drop_vault(name text, tables boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_drop_vault' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.drop_vault(text, boolean) IS
	'drop a data vault; its tables stay, or are dropped with what depends on them';

CREATE FUNCTION lyftron.create_hub(vault text, hub text, source text, business_key text[], load_date text DEFAULT NULL,
	record_source text DEFAULT NULL, tenant text DEFAULT NULL, collision_code text DEFAULT NULL,
	increment text DEFAULT NULL, lookback text DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_hub' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_hub(text, text, text, text[], text, text, text, text, text, text) IS
	'make a hub of a business key, or fill one from another source';

CREATE FUNCTION lyftron.create_link(vault text, link text, source text, hubs text[], keys text[], dependent_key text[] DEFAULT NULL,
	columns text[] DEFAULT NULL, kind text DEFAULT 'link', load_date text DEFAULT NULL, record_source text DEFAULT NULL,
	tenant text DEFAULT NULL, collision_code text DEFAULT NULL, increment text DEFAULT NULL, lookback text DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_link' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_link(text, text, text, text[], text[], text[], text[], text, text, text, text, text, text, text) IS
	'make a link between hubs (or roles of one), or fill one from another source';

CREATE FUNCTION lyftron.create_satellite(vault text, satellite text, parent text, source text, keys text[], columns text[] DEFAULT NULL,
	kind text DEFAULT 'standard', sub_key text[] DEFAULT NULL, driving_key text[] DEFAULT NULL, operation text DEFAULT NULL,
	full_load boolean DEFAULT false, sequence text DEFAULT NULL, load_date text DEFAULT NULL, record_source text DEFAULT NULL,
	tenant text DEFAULT NULL, collision_code text DEFAULT NULL, increment text DEFAULT NULL, lookback text DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_satellite' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_satellite(text, text, text, text, text[], text[], text, text[], text[], text, boolean, text, text, text, text, text, text, text) IS
	'make a satellite of a hub or link, or fill one from another source';

CREATE FUNCTION lyftron.create_reference(vault text, reference text, source text, key text[], columns text[] DEFAULT NULL,
	history boolean DEFAULT false, load_date text DEFAULT NULL, record_source text DEFAULT NULL,
	increment text DEFAULT NULL, lookback text DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_create_reference' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_reference(text, text, text, text[], text[], boolean, text, text, text, text) IS
	'make a reference table, with or without its history, or fill one from another source';

CREATE FUNCTION lyftron.drop_vault_table(vault text, name text, tables boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_drop_vault_table' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.drop_vault_table(text, text, boolean) IS
	'take a table out of a data vault; it stays as a table, or is dropped with what depends on it';

CREATE FUNCTION lyftron.load_vault(vault text, source text DEFAULT NULL, tables text[] DEFAULT NULL)
	RETURNS TABLE (table_name text, candidates bigint, inserted bigint, known bigint, skipped bigint)
	AS 'MODULE_PATHNAME', 'lyf_load_vault' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.load_vault(text, text, text[]) IS
	'load all tables of a data vault, or those that one source fills, or those named: each source is read once, and all of it is one transaction';

CREATE FUNCTION lyftron.create_vault_pipelines(vault text, schedule text DEFAULT NULL, pool text DEFAULT 'default')
	RETURNS TABLE (pipeline text, source text, after text)
	AS 'MODULE_PATHNAME', 'lyf_create_vault_pipelines' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.create_vault_pipelines(text, text, text) IS
	'make a pipeline of the kind sql for each source of a vault that has none yet: behind the pipeline that loads the source, or with the schedule';
