-- vault/: snapshots: the moments that point-in-time tables and bridges hold.

CREATE TABLE lyftron.vault_snapshot (
	vault         text NOT NULL,
	table_name    text NOT NULL,
	snapshot_date timestamptz NOT NULL,
	seen          bigint[] NOT NULL,
	PRIMARY KEY (vault, table_name, snapshot_date),
	FOREIGN KEY (vault, table_name) REFERENCES lyftron.vault_table (vault, name) ON DELETE CASCADE ON UPDATE CASCADE
);
REVOKE ALL ON TABLE lyftron.vault_snapshot FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lyftron.vault_snapshot', '');
COMMENT ON TABLE lyftron.vault_snapshot IS 'snapshots that point-in-time tables and bridges have';
COMMENT ON COLUMN lyftron.vault_snapshot.vault IS 'the vault';
COMMENT ON COLUMN lyftron.vault_snapshot.table_name IS 'the point-in-time table or bridge';
COMMENT ON COLUMN lyftron.vault_snapshot.snapshot_date IS 'the moment';
COMMENT ON COLUMN lyftron.vault_snapshot.seen IS 'rows up to that moment, of each of the tables it is made of: where there are more now, some came late';

CREATE FUNCTION lyftron.snapshot_times(daily integer DEFAULT 31, weekly integer DEFAULT 13, monthly integer DEFAULT 24, yearly integer DEFAULT 10,
	at time DEFAULT '00:00', zone text DEFAULT 'UTC', since timestamptz DEFAULT NULL, until timestamptz DEFAULT now())
	RETURNS SETOF timestamptz LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH last AS (SELECT (pg_catalog.timezone(zone, until) - at)::date AS day)
	SELECT t.moment FROM (
		SELECT pg_catalog.timezone(zone, d.day + at) AS moment FROM (
			SELECT l.day - i AS day FROM last l, pg_catalog.generate_series(0, daily - 1) i
			UNION
			SELECT pg_catalog.date_trunc('week', l.day::timestamp)::date - 7 * i FROM last l, pg_catalog.generate_series(0, weekly - 1) i
			UNION
			SELECT (pg_catalog.date_trunc('month', l.day::timestamp) - pg_catalog.make_interval(months => i))::date FROM last l, pg_catalog.generate_series(0, monthly - 1) i
			UNION
			SELECT (pg_catalog.date_trunc('year', l.day::timestamp) - pg_catalog.make_interval(years => i))::date FROM last l, pg_catalog.generate_series(0, yearly - 1) i) d) t
	WHERE since IS NULL OR t.moment >= since
	ORDER BY 1;
END;
COMMENT ON FUNCTION lyftron.snapshot_times(integer, integer, integer, integer, time, text, timestamptz, timestamptz) IS
	'moments for snapshots, the older the fewer: of the last days, of Mondays, of first days of months, and of years, as many as are given of each';
