-- The first run of the models: tables without keys, made with their rows; nothing to compare with.
SELECT :'stage' = 'TABLE' AS is_table \gset
\if :is_table
DROP TABLE IF EXISTS dv.stg;
\ir stage.sql
ANALYZE dv.stg;
\endif

CREATE TABLE dv.hub_lineitem AS
WITH row_rank_1 AS (
	SELECT * FROM (
		SELECT rr.lineitem_hk, rr.l_orderkey, rr.l_linenumber, rr.load_date, rr.record_source,
			ROW_NUMBER() OVER (PARTITION BY rr.lineitem_hk ORDER BY rr.load_date) AS row_number
		FROM dv.stg AS rr
		WHERE rr.lineitem_hk IS NOT NULL
	) AS h
	WHERE row_number = 1
),
records_to_insert AS (
	SELECT a.lineitem_hk, a.l_orderkey, a.l_linenumber, a.load_date, a.record_source
	FROM row_rank_1 AS a
)
SELECT * FROM records_to_insert;

CREATE TABLE dv.link_lineitem_order AS
WITH row_rank_1 AS (
	SELECT * FROM (
		SELECT rr.lineitem_order_hk, rr.lineitem_hk, rr.order_hk, rr.load_date, rr.record_source,
			ROW_NUMBER() OVER (PARTITION BY rr.lineitem_order_hk ORDER BY rr.load_date) AS row_number
		FROM dv.stg AS rr
		WHERE rr.lineitem_order_hk IS NOT NULL AND rr.lineitem_hk IS NOT NULL AND rr.order_hk IS NOT NULL
	) AS h
	WHERE row_number = 1
),
records_to_insert AS (
	SELECT a.lineitem_order_hk, a.lineitem_hk, a.order_hk, a.load_date, a.record_source
	FROM row_rank_1 AS a
)
SELECT * FROM records_to_insert;

CREATE TABLE dv.link_lineitem_partsupp AS
WITH row_rank_1 AS (
	SELECT * FROM (
		SELECT rr.lineitem_partsupp_hk, rr.lineitem_hk, rr.part_hk, rr.supplier_hk, rr.load_date, rr.record_source,
			ROW_NUMBER() OVER (PARTITION BY rr.lineitem_partsupp_hk ORDER BY rr.load_date) AS row_number
		FROM dv.stg AS rr
		WHERE rr.lineitem_partsupp_hk IS NOT NULL AND rr.lineitem_hk IS NOT NULL AND rr.part_hk IS NOT NULL AND rr.supplier_hk IS NOT NULL
	) AS h
	WHERE row_number = 1
),
records_to_insert AS (
	SELECT a.lineitem_partsupp_hk, a.lineitem_hk, a.part_hk, a.supplier_hk, a.load_date, a.record_source
	FROM row_rank_1 AS a
)
SELECT * FROM records_to_insert;

CREATE TABLE dv.sat_lineitem_price AS
WITH source_data AS (
	SELECT a.lineitem_hk, a.price_hashdiff AS hash_diff, a.l_quantity, a.l_extendedprice, a.l_discount, a.l_tax, a.l_returnflag, a.l_linestatus, a.load_date, a.record_source
	FROM dv.stg AS a
	WHERE a.lineitem_hk IS NOT NULL
),
unique_source_records AS (
	SELECT b.lineitem_hk, b.hash_diff, b.l_quantity, b.l_extendedprice, b.l_discount, b.l_tax, b.l_returnflag, b.l_linestatus, b.load_date, b.record_source
	FROM (
		SELECT sd.lineitem_hk, sd.hash_diff, sd.l_quantity, sd.l_extendedprice, sd.l_discount, sd.l_tax, sd.l_returnflag, sd.l_linestatus, sd.load_date, sd.record_source,
			LAG(sd.hash_diff, 1, CAST('FFFFFFFF' AS BYTEA)) OVER (PARTITION BY sd.lineitem_hk ORDER BY sd.load_date ASC) AS prev_hashdiff
		FROM source_data AS sd
	) AS b
	WHERE b.hash_diff != b.prev_hashdiff
),
records_to_insert AS (
	SELECT usr.lineitem_hk, usr.hash_diff, usr.l_quantity, usr.l_extendedprice, usr.l_discount, usr.l_tax, usr.l_returnflag, usr.l_linestatus, usr.load_date, usr.record_source
	FROM unique_source_records AS usr
)
SELECT * FROM records_to_insert;

CREATE TABLE dv.sat_lineitem_shipping AS
WITH source_data AS (
	SELECT a.lineitem_hk, a.shipping_hashdiff AS hash_diff, a.l_shipdate, a.l_commitdate, a.l_receiptdate, a.l_shipinstruct, a.l_shipmode, a.l_comment, a.load_date, a.record_source
	FROM dv.stg AS a
	WHERE a.lineitem_hk IS NOT NULL
),
unique_source_records AS (
	SELECT b.lineitem_hk, b.hash_diff, b.l_shipdate, b.l_commitdate, b.l_receiptdate, b.l_shipinstruct, b.l_shipmode, b.l_comment, b.load_date, b.record_source
	FROM (
		SELECT sd.lineitem_hk, sd.hash_diff, sd.l_shipdate, sd.l_commitdate, sd.l_receiptdate, sd.l_shipinstruct, sd.l_shipmode, sd.l_comment, sd.load_date, sd.record_source,
			LAG(sd.hash_diff, 1, CAST('FFFFFFFF' AS BYTEA)) OVER (PARTITION BY sd.lineitem_hk ORDER BY sd.load_date ASC) AS prev_hashdiff
		FROM source_data AS sd
	) AS b
	WHERE b.hash_diff != b.prev_hashdiff
),
records_to_insert AS (
	SELECT usr.lineitem_hk, usr.hash_diff, usr.l_shipdate, usr.l_commitdate, usr.l_receiptdate, usr.l_shipinstruct, usr.l_shipmode, usr.l_comment, usr.load_date, usr.record_source
	FROM unique_source_records AS usr
)
SELECT * FROM records_to_insert;
