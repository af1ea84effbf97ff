-- Hashes of a data vault: bit for bit those of the packages whose profiles there are, whatever a session has set.
SET client_min_messages = warning;
CREATE VIEW vh_values AS SELECT * FROM (VALUES
	(1, 'abc', 'x'), (2, ' abc ', 'x'), (3, '', 'x'), (4, '   ', 'x'), (5, NULL, NULL), (6, 'a||b', 'c'), (7, 'a', 'b||c'), (8, '^^', NULL),
	(9, E'\tabc\n', 'x'), (10, E'x\\y', 'p"q'), (11, 'p"q"r', E'l1\nl2\nl3'), (12, U&'stra\00DFe', U&'\00C0\00C9'), (13, 'abc', NULL)) v (n, a, b);

-- made by the packages themselves
SELECT n, lyftron.hash_key_text('{"profile": "automate_dv"}', a, b) AS automate_dv, lyftron.hash_key_text('{"profile": "datavault4dbt"}', a, b) AS datavault4dbt
	FROM vh_values ORDER BY n;
SELECT lyftron.hash_key_text('{"profile": "automate_dv", "algorithm": "sha256"}', 'abc', 'x'), lyftron.hash_key_text('{"profile": "automate_dv"}', '1000') AS md5,
	lyftron.hash_key_text('{"profile": "automate_dv", "algorithm": "sha256"}', '1000') AS sha256;
SELECT lyftron.hash_diff_text('{"profile": "automate_dv"}', 'abc', 'x', true, date '2024-02-29', 1.5::float8, 1, 1.50, timestamp '2024-02-29 01:02:03', timestamptz '2024-02-29 01:02:03+00')
	= 'd9ad5c1d64fb63080dafe9029825d592' AS difference;

-- a key of one column is compared with no text of nulls
SELECT lyftron.hash_key_text('{"profile": "automate_dv"}', '^^') = md5('^^') AS single, lyftron.hash_key('{"profile": "automate_dv"}', ' ') IS NULL AS empty,
	lyftron.hash_diff_text('{"profile": "automate_dv"}', NULL::text) = md5('^^') AS difference;

-- the same as SQL, over many values; the casts in it need the settings that the functions do without
SET DateStyle = ISO;
SET TimeZone = 'UTC';
CREATE TABLE vh_rows AS SELECT i, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '  v' || i || ' ' ELSE 'Value ' || i || repeat('x', i % 7) END AS a,
	(i * 37) % 11 / 4.0 AS b, date '2020-01-01' + i AS c, CASE WHEN i % 3 = 0 THEN NULL ELSE i % 2 = 0 END AS d, chr(97 + i % 26) || '|\' || chr(65 + i % 26) AS e
	FROM generate_series(1, 500) i;
SELECT count(*), count(*) FILTER (WHERE lyftron.hash_key('{"profile": "automate_dv"}', a, b, c) IS DISTINCT FROM
		decode(md5(nullif(concat_ws('||', coalesce(nullif(upper(trim(a)), ''), '^^'), coalesce(nullif(upper(trim(b::varchar)), ''), '^^'), coalesce(nullif(upper(trim(c::varchar)), ''), '^^')), '^^||^^||^^')), 'hex')) AS automate_dv,
	count(*) FILTER (WHERE lyftron.hash_diff('{"profile": "lyftron", "algorithm": "sha256"}', a, b, d, e) IS DISTINCT FROM
		sha256(convert_to(coalesce(a, '\N') || '|' || b::text || '|' || coalesce(d::text, '\N') || '|' || replace(replace(e, '\', '\\'), '|', '\|') || '|', 'UTF8'))) AS lyftron,
	count(*) FILTER (WHERE lyftron.hash_key_text('{"profile": "datavault4dbt"}', a, b, d) IS DISTINCT FROM
		md5(upper(concat_ws('||', coalesce('"' || trim(a) || '"', '^^'), coalesce('"' || trim(b::varchar) || '"', '^^'), coalesce('"' || trim(d::varchar) || '"', '^^'))))) AS datavault4dbt
	FROM vh_rows;

-- texts of little else than what rules look at
CREATE TABLE vh_texts AS SELECT i, CASE WHEN i % 11 > 0 THEN translate(substr(md5(i::text), 1, i % 13), '0123456789abcdef', U&'\005C""^^||\000A\000A\0009\000B\000D  a\00E9z') END AS a,
	CASE WHEN i % 7 > 0 THEN translate(substr(md5(i::text), 20, i % 12), '0123456789abcdef', U&'\005C\005C"^^||N\000A\0009\000B\000D  \00E9z') END AS b FROM generate_series(1, 2000) i;
CREATE FUNCTION vh_quoted(value text) RETURNS text LANGUAGE sql RETURN coalesce('"' || replace(replace(regexp_replace(regexp_replace(trim(BOTH ' ' FROM value), '\\', '\\\\'),
	'"', 'dv4dbt-quote-replacement'), '^^', 'dv4dbt-null-replacement'), '||', 'dv4dbt-concat-replacement') || '"', '^^');
CREATE FUNCTION vh_escaped(value text) RETURNS text LANGUAGE sql RETURN coalesce(replace(replace(value, '\', '\\'), '|', '\|'), '\N');
SELECT count(*), count(DISTINCT (a, b)) > 1500 AS various,
	count(*) FILTER (WHERE lyftron.hash_key_text('{"profile": "automate_dv"}', a, b) IS DISTINCT FROM
		md5(nullif(concat_ws('||', coalesce(nullif(upper(trim(a)), ''), '^^'), coalesce(nullif(upper(trim(b)), ''), '^^')), '^^||^^'))) AS automate_dv,
	count(*) FILTER (WHERE lyftron.hash_diff_text('{"profile": "datavault4dbt"}', a, b) IS DISTINCT FROM
		coalesce(md5(nullif(regexp_replace(regexp_replace(regexp_replace(regexp_replace(upper(concat(vh_quoted(a), '||', vh_quoted(b))), '\n', ''), '\t', ''), '\v', ''), '\r', ''), '^^||^^')),
			repeat('0', 32))) AS datavault4dbt,
	count(*) FILTER (WHERE lyftron.hash_key_text('{}', a, b) IS DISTINCT FROM CASE WHEN a IS NULL AND b IS NULL THEN repeat('0', 32)
		ELSE md5(vh_escaped(btrim(a, E' \t\n\x0B\f\r')) || '|' || vh_escaped(btrim(b, E' \t\n\x0B\f\r'))) END) AS lyftron,
	count(*) FILTER (WHERE lyftron.hash_diff_text('{}', a, b) IS DISTINCT FROM
		md5(CASE WHEN b IS NOT NULL THEN vh_escaped(a) || '|' || vh_escaped(b) || '|' WHEN a IS NOT NULL THEN vh_escaped(a) || '|' ELSE '' END)) AS lyftron_difference
	FROM vh_texts;
RESET DateStyle; RESET TimeZone;

-- SHA-1 by an independent vector, and single values
SELECT lyftron.hash_key_text('{"algorithm": "sha1"}', 'abc'), lyftron.hash_key_text('{}', 'abc') = md5('abc') AS md5;

-- nothing that a session sets changes a hash
CREATE FUNCTION vh_all() RETURNS text LANGUAGE sql AS $$
	SELECT lyftron.hash_diff_text('{}', 1::smallint, 2, 3::bigint, 0.1::float4, 0.1::float8, 1.10, 'NaN'::float8, '-Infinity'::float8, true, date '2024-02-29', date 'infinity', date '0044-03-15 BC',
		timestamp '2024-02-29 01:02:03.04', timestamptz '2024-02-29 01:02:03+05', time '01:02', timetz '01:02+03', interval '1 year 2 days 3 hours', '\x00ff'::bytea,
		'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, 'pad  '::char(7), '{"a": 1}'::jsonb, inet '10.0.0.1', ARRAY[timestamptz '2024-02-29 01:02:03+05'], ROW(0.1::float8, interval '1 day'), 'n'::name, '1'::"char") $$;
CREATE TABLE vh_settings AS SELECT 1 AS n, vh_all() AS hash;
SET DateStyle = 'SQL, DMY';
SET TimeZone = 'Asia/Kolkata';
SET IntervalStyle = 'iso_8601';
SET extra_float_digits = -5;
SET bytea_output = 'escape';
INSERT INTO vh_settings SELECT 2, vh_all();
SELECT lyftron.hash_key('{}', timestamptz '2024-02-29 01:02:03+05', ARRAY[date '2024-02-29'], '\x00ff'::bytea) = lyftron.hash_key('{}', '2024-02-28 20:02:03+00'::text, '{2024-02-29}'::text, '\x00ff'::text) AS same;
SHOW DateStyle;
RESET DateStyle; RESET TimeZone; RESET IntervalStyle; RESET extra_float_digits; RESET bytea_output;
SELECT count(DISTINCT hash), count(*) FROM vh_settings;

-- texts that are no longer told apart by others
SELECT lyftron.hash_key('{}', 'a|b', 'c') <> lyftron.hash_key('{}', 'a', 'b|c') AS delimiters, lyftron.hash_key('{}', '\N', 'c') <> lyftron.hash_key('{}', NULL, 'c') AS nulls,
	lyftron.hash_key('{}', '', 'c') <> lyftron.hash_key('{}', NULL, 'c') AS empty, lyftron.hash_diff('{}', '') <> lyftron.hash_diff('{}', NULL::text) AS empty_difference,
	lyftron.hash_diff('{}', 'a', NULL::text) = lyftron.hash_diff('{}', 'a') AS new_column, lyftron.hash_diff('{}', NULL::text, 'a') <> lyftron.hash_diff('{}', 'a') AS moved;
-- all pairs of short texts of what is escaped: as many hashes as pairs, where a package has fewer
WITH letters(c) AS (VALUES ('\'), ('|'), ('N'), ('')), texts(t) AS (SELECT DISTINCT a.c || b.c || c.c FROM letters a, letters b, letters c UNION ALL SELECT NULL),
	pairs AS MATERIALIZED (SELECT a.t AS a, b.t AS b FROM texts a, texts b)
	SELECT count(*), count(DISTINCT lyftron.hash_key('{}', a, b)) AS keys, count(DISTINCT lyftron.hash_diff('{}', a, b)) AS differences,
		count(DISTINCT lyftron.hash_key('{"profile": "automate_dv"}', a, b)) < count(*) AS fewer FROM pairs;
SELECT lyftron.hash_key('{}', NULL::text, NULL::integer), lyftron.hash_key('{"profile": "automate_dv"}', NULL::text, '  '), lyftron.hash_diff('{"profile": "datavault4dbt"}', NULL::text);

-- settings, one by one
SELECT lyftron.hash_key('{"case": "upper"}', 'abc') = lyftron.hash_key('{}', 'ABC') AS upper, lyftron.hash_key('{"trim": "none"}', ' a') <> lyftron.hash_key('{}', ' a') AS trim,
	lyftron.hash_key('{"empty": "null"}', '', 'a') = lyftron.hash_key('{}', NULL, 'a') AS empty, lyftron.hash_diff('{"diff_trim": "space"}', E'a \t') = lyftron.hash_diff('{}', 'a') AS diff_trim,
	lyftron.hash_diff('{"diff_case": "upper"}', 'a') = lyftron.hash_diff('{}', 'A') AS diff_case, lyftron.hash_diff('{"diff_trailing": "keep"}', 'a', NULL::text) <> lyftron.hash_diff('{}', 'a', NULL::text) AS diff_trailing,
	lyftron.hash_key_text('{"profile": "automate_dv", "delimiter": "::", "null": "-"}', 'a', NULL::text, 'b') = md5('A::-::B') AS texts,
	lyftron.hash_diff_text('{"profile": "datavault4dbt", "diff_trailing": "rtrim", "diff_case": "keep"}', 'a', NULL::text) = md5('"a"') AS rtrim;
SELECT lyftron.hash_key('{}', VARIADIC ARRAY[1, NULL, 3]) = lyftron.hash_key('{}', 1, NULL::integer, 3) AS variadic_array;

-- a cast that takes a typmod, and how it was called for
CREATE TYPE vh_pair AS (a integer);
CREATE FUNCTION vh_cast(vh_pair, integer, boolean) RETURNS varchar LANGUAGE sql IMMUTABLE RETURN format('%s, typmod %s, explicit %s', ($1).a, $2, $3);
CREATE CAST (vh_pair AS varchar) WITH FUNCTION vh_cast(vh_pair, integer, boolean);
SELECT lyftron.hash_key('{}', ROW(7)::vh_pair) = lyftron.hash_key('{}', ROW(7)::vh_pair::varchar) AS cast_as_in_sql, ROW(7)::vh_pair::varchar;
-- an error in it leaves the session its settings
CREATE OR REPLACE FUNCTION vh_cast(vh_pair, integer, boolean) RETURNS varchar LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'no text'; END $$;
SET DateStyle = 'German';
SET bytea_output = 'escape';
SELECT lyftron.hash_key('{}', ROW(7)::vh_pair);
SELECT date '2024-02-29' AS day, '\x5c41'::bytea AS bytes;
RESET DateStyle; RESET bytea_output;
DROP TYPE vh_pair CASCADE;

-- all hashes of a row at once, as loads make them: of each a byte that says whether the key is null, and the digest
SELECT count(*), count(*) FILTER (WHERE lyftron.vault_hashes('{"profile": "automate_dv"}', '{0,1,0, 0,2,2,1, 1,3,0,1,2}', a, b, c) IS DISTINCT FROM
		CASE WHEN lyftron.hash_key('{"profile": "automate_dv"}', a) IS NULL THEN '\x01'::bytea || decode(repeat('0', 32), 'hex') ELSE '\x00'::bytea || lyftron.hash_key('{"profile": "automate_dv"}', a) END ||
		'\x00'::bytea || lyftron.hash_key('{"profile": "automate_dv"}', c, b) || '\x00'::bytea || lyftron.hash_diff('{"profile": "automate_dv"}', a, b, c)) AS automate_dv,
	count(*) FILTER (WHERE lyftron.vault_hashes('{"algorithm": "sha256"}', '{0,1,1, 1,2,0,1}', d, a) IS DISTINCT FROM
		CASE WHEN a IS NULL THEN '\x01'::bytea ELSE '\x00'::bytea END || lyftron.hash_key('{"algorithm": "sha256"}', a) || '\x00'::bytea || lyftron.hash_diff('{"algorithm": "sha256"}', d, a)) AS lyftron
	FROM vh_rows;

-- what is wrong
SELECT lyftron.vault_hashes('{}', '{0}', 1);
SELECT lyftron.vault_hashes('{}', '{2,1,0}', 1);
SELECT lyftron.vault_hashes('{}', '{0,1,1}', 1);
SELECT lyftron.vault_hashes('{}', '{0,2,0}', 1);
SELECT lyftron.vault_hashes('{}', '{0,1,-1}', 1);
SELECT lyftron.vault_hashes('{}', '{0,1,NULL}', 1);
SELECT lyftron.vault_hashes(NULL, '{0,1,0}', 1);
SELECT lyftron.vault_hashes('{}', '{0,1,0}', VARIADIC '{1}'::int[]);
SELECT lyftron.vault_hashes('{}', ARRAY[0, 1, i % 1], i) FROM vh_rows LIMIT 1;
SELECT lyftron.hash_key(NULL, 1);
SELECT lyftron.hash_key('{}', VARIADIC NULL::text[]);
SELECT lyftron.hash_key('[]', 1);
SELECT lyftron.hash_key('{"profile": "other"}', 1);
SELECT lyftron.hash_key('{"algorithm": "crc32"}', 1);
SELECT lyftron.hash_key('{"algorithm": 5}', 1);
SELECT lyftron.hash_key('{"salt": "x"}', 1);
SELECT lyftron.hash_key('{"trim": "both"}', 1);
SELECT lyftron.hash_key('{"null": "x"}', 1);
SELECT lyftron.hash_key('{"profile": "automate_dv", "delimiter": ""}', 1);

DROP FUNCTION vh_all(), vh_quoted(text), vh_escaped(text);
DROP TABLE vh_rows, vh_settings, vh_texts;
DROP VIEW vh_values;
