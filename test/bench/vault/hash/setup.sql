-- Rows like TPC-H's lineitem, what hashes them, and how long that takes.
SET client_min_messages = warning;
CREATE EXTENSION lyftron;
CREATE TABLE item AS
	SELECT (i / 4)::integer AS l_orderkey, (i * 7919 % 20000)::integer AS l_partkey, (i * 104729 % 1000)::integer AS l_suppkey, (i % 4)::integer + 1 AS l_linenumber,
		(i * 31 % 50 + 1)::numeric(15,2) AS l_quantity, (i * 7907 % 9500000 / 100.0 + 900)::numeric(15,2) AS l_extendedprice,
		(i % 11 / 100.0)::numeric(15,2) AS l_discount, (i % 9 / 100.0)::numeric(15,2) AS l_tax,
		substr('RAN', (i % 3)::integer + 1, 1)::char(1) AS l_returnflag, substr('OF', (i % 2)::integer + 1, 1)::char(1) AS l_linestatus,
		date '1992-01-02' + (i % 2500)::integer AS l_shipdate, date '1992-01-31' + (i % 2400)::integer AS l_commitdate, date '1992-01-12' + (i % 2520)::integer AS l_receiptdate,
		(ARRAY['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[i % 4 + 1]::char(25) AS l_shipinstruct,
		(ARRAY['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'])[i % 7 + 1]::char(10) AS l_shipmode,
		substr('carefully final deposits sleep furiously among the regular packages ' || md5(i::text), (i % 30)::integer + 1, 10 + (i % 34)::integer)::varchar(44) AS l_comment
	FROM generate_series(1, :rows::bigint) i;
VACUUM ANALYZE item;

-- A hash as the packages write it in SQL for PostgreSQL: of columns, which the key's caller gives in order.
CREATE FUNCTION written(profile text, difference boolean, VARIADIC columns text[]) RETURNS text LANGUAGE sql AS $$
	SELECT CASE profile
		WHEN 'automate_dv' THEN format(CASE WHEN difference THEN 'decode(md5(concat_ws(''||'', %s)), ''hex'')' ELSE 'decode(md5(nullif(concat_ws(''||'', %s), %L)), ''hex'')' END,
			string_agg(format('coalesce(nullif(upper(trim(CAST(%I AS varchar))), ''''), ''^^'')', name), ', ' ORDER BY CASE WHEN difference THEN name END COLLATE "C", n), nulls)
		WHEN 'datavault4dbt' THEN format($f$coalesce(lower(md5(nullif(regexp_replace(regexp_replace(regexp_replace(regexp_replace(upper(concat(%s)), '\n', ''), '\t', ''), '\v', ''), '\r', ''), %L))), repeat('0', 32))$f$,
			string_agg(format($f$coalesce('"' || replace(replace(regexp_replace(regexp_replace(trim(BOTH ' ' FROM CAST(%I AS varchar)), '\\', '\\\\'), '"', 'dv4dbt-quote-replacement'),
				'^^', 'dv4dbt-null-replacement'), '||', 'dv4dbt-concat-replacement') || '"', '^^')$f$, name), ', ''||'', ' ORDER BY n), nulls)
		WHEN 'bare' THEN format('md5(concat_ws(''|'', %s))', string_agg(quote_ident(name), ', ' ORDER BY n))
		END
	FROM (SELECT name, n, string_agg('^^', '||') OVER () AS nulls FROM unnest(columns) WITH ORDINALITY AS c(name, n)) c GROUP BY nulls $$;

-- The same by our functions: a difference's columns in the order that the package gives them.
CREATE FUNCTION ours(profile text, difference boolean, VARIADIC columns text[]) RETURNS text LANGUAGE sql AS $$
	SELECT format('lyftron.hash_%s(%L, %s)', CASE WHEN difference THEN 'diff' ELSE 'key' END || CASE profile WHEN 'datavault4dbt' THEN '_text' ELSE '' END,
		jsonb_build_object('profile', profile), string_agg(quote_ident(name), ', ' ORDER BY CASE WHEN difference AND profile = 'automate_dv' THEN name END COLLATE "C", n))
	FROM unnest(columns) WITH ORDINALITY AS c(name, n) $$;

-- A hub's key, a link's key and a difference of the 12 columns that are no keys, by written() or ours().
CREATE FUNCTION hashes(maker text, profile text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	result text[];
BEGIN
	EXECUTE format('SELECT ARRAY[%1$I(%2$L, false, ''l_orderkey'', ''l_linenumber''), %1$I(%2$L, false, ''l_orderkey'', ''l_linenumber'', ''l_partkey'', ''l_suppkey''),
		%1$I(%2$L, true, ''l_quantity'', ''l_extendedprice'', ''l_discount'', ''l_tax'', ''l_returnflag'', ''l_linestatus'', ''l_shipdate'', ''l_commitdate'', ''l_receiptdate'',
			''l_shipinstruct'', ''l_shipmode'', ''l_comment'')]', maker, profile) INTO result;
	RETURN result;
END $$;

-- Seconds that a scan takes which computes these.
CREATE FUNCTION scan(expressions text[]) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := clock_timestamp();
BEGIN
	EXECUTE format('SELECT %s FROM item', (SELECT string_agg(format('count(%s)', e), ', ') FROM unnest(expressions) e));
	RETURN extract(epoch FROM clock_timestamp() - start);
END $$;

-- Rows whose hashes are not those that the package has.
CREATE FUNCTION differing(profile text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM item WHERE %s', (SELECT string_agg(format('%s IS DISTINCT FROM %s', a, b), ' OR ')
		FROM unnest(hashes('written', profile), hashes('ours', profile)) AS pairs(a, b))) INTO result;
	RETURN result;
END $$;
