-- The rows of two days, as lineitem of TPC-H has them: the second day's are the first's, 1 % of them changed.
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE EXTENSION IF NOT EXISTS lyftron;
CREATE TABLE result (loader text, load int, round int, wall numeric, cpu numeric);
CREATE TABLE fingerprint (loader text, load int, table_name text, rows bigint, sum numeric);
CREATE TABLE batch (load_date timestamptz);
CREATE TABLE nothing (l_orderkey bigint, l_linenumber int, l_partkey bigint, l_suppkey bigint);
CREATE TABLE day_1 (
	l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int, l_quantity numeric(15,2), l_extendedprice numeric(15,2),
	l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag char(1), l_linestatus char(1), l_shipdate date, l_commitdate date,
	l_receiptdate date, l_shipinstruct char(25), l_shipmode char(10), l_comment varchar(44)
);
SET max_parallel_workers_per_gather = 0;
SELECT setseed(0.42);
INSERT INTO day_1
SELECT r.orderkey, r.partkey, (r.partkey + r.n % 4 * 2503) % 10000 + 1, r.line, r.quantity, r.quantity * (90000 + r.partkey / 10 % 20001 + 100 * (r.partkey % 1000)) / 100,
	r.discount, r.tax, CASE WHEN r.receipt <= '1995-06-17' THEN (ARRAY['R', 'A'])[r.n % 2 + 1] ELSE 'N' END,
	CASE WHEN r.ship > '1995-06-17' THEN 'O' ELSE 'F' END, r.ship, r.commit, r.receipt,
	(ARRAY['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[r.n % 4 + 1],
	(ARRAY['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'])[r.n % 7 + 1],
	substr('carefully final deposits sleep furiously among the quickly regular packages; blithely bold ideas haggle above', r.n % 60 + 1, 10 + r.n % 34)
FROM (
	SELECT o.i / 8 * 32 + o.i % 8 AS orderkey, line.i AS line, (random() * 199999)::int + 1 AS partkey, (random() * 49)::int + 1 AS quantity,
		(random() * 10)::int / 100.0 AS discount, (random() * 8)::int / 100.0 AS tax, (random() * 1000000)::int AS n,
		o.day + (random() * 120)::int AS ship, o.day + 30 + (random() * 60)::int AS commit, o.day + 120 + (random() * 30)::int AS receipt
	FROM (SELECT i, date '1992-01-01' + (random() * 2400)::int AS day FROM generate_series(1, :rows / 4 + 7) i) o
	CROSS JOIN LATERAL generate_series(1, 1 + o.i % 7) line (i)
	LIMIT :rows
) r;
CREATE TABLE day_2 (LIKE day_1);
INSERT INTO day_2
SELECT l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity + c.n, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus,
	l_shipdate, l_commitdate, l_receiptdate + c.n, l_shipinstruct, l_shipmode, l_comment
FROM day_1, LATERAL (SELECT CASE WHEN ((hashint8(l_orderkey) & 65535) + l_linenumber) % 100 = 7 THEN 1 ELSE 0 END AS n) c;

-- Keys and differences made before the clock starts, for the limit.
CREATE TABLE ready AS
SELECT *, decode(md5(concat(l_orderkey, '||', l_linenumber)), 'hex') AS lineitem_hk, decode(md5(l_orderkey::text), 'hex') AS order_hk,
	decode(md5(l_partkey::text), 'hex') AS part_hk, decode(md5(l_suppkey::text), 'hex') AS supplier_hk,
	decode(md5(concat(l_orderkey, '||', l_linenumber, '||', l_orderkey)), 'hex') AS lineitem_order_hk,
	decode(md5(concat(l_orderkey, '||', l_linenumber, '||', l_partkey, '||', l_suppkey)), 'hex') AS lineitem_partsupp_hk,
	decode(md5(concat(l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus)), 'hex') AS price_diff,
	decode(md5(concat(l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment)), 'hex') AS shipping_diff
FROM day_1;
CREATE TABLE stage (LIKE day_1);
VACUUM ANALYZE;

-- statistics of what was loaded
CREATE FUNCTION settle() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t regclass;
BEGIN
	FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'dv'::regnamespace AND relkind = 'r' LOOP
		EXECUTE format('ANALYZE %s', t);
	END LOOP;
END $$;

CREATE FUNCTION forget() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM lyftron.vaults WHERE name = 'bench') THEN
		PERFORM lyftron.drop_vault('bench', true);
	END IF;
END $$;
