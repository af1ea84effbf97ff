-- What the contenders work with, after model.sql: psql -v manifest=... -v all=URL
ALTER DATABASE postgres SET client_min_messages = warning;
CREATE EXTENSION lyftron;
SELECT stream, ready, reason FROM lyftron.add_connector('bench', :'manifest');
SELECT format('CREATE SERVER %I FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector %L, config %L)',
	'bench', 'bench', jsonb_build_object('base_url', :'all')) \gexec
CREATE SCHEMA loaded;
CREATE FOREIGN TABLE source.items (
	id bigint,
	key uuid,
	name text,
	status text,
	amount numeric,
	score double precision,
	active boolean,
	created_at timestamptz,
	due_on date,
	owner_mail text OPTIONS (path 'owner.mail'),
	city text OPTIONS (path 'owner.address.city'),
	tags jsonb
) SERVER bench OPTIONS (stream 'items');
-- Rows, and a sum over all columns of all rows, in whatever order they stand.
CREATE FUNCTION source.fingerprint(loaded regclass, rows bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT count(*) || '' rows, '' || coalesce(sum(hashtextextended(
		ROW(id, key, name, status, amount, score, active, created_at, due_on, owner_mail, city, tags)::text, 0)), 0)
		FROM %s WHERE id <= $1', loaded) INTO result USING rows;
	RETURN result;
END $$;
-- the same columns, two of them from fields that expressions make
SELECT format('CREATE FOREIGN TABLE source.expressions (%s) SERVER bench OPTIONS (stream %L)',
	string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum), 'expressions')
FROM pg_attribute WHERE attrelid = 'source.model'::regclass AND attnum > 0 \gexec
