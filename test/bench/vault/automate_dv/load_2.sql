-- A later run: incremental models, less the temporary table that dbt puts rows into before.
SELECT :'stage' = 'TABLE' AS is_table \gset
\if :is_table
DROP TABLE IF EXISTS dv.stg;
\ir stage.sql
ANALYZE dv.stg;
\endif

INSERT INTO dv.hub_lineitem
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
	LEFT JOIN dv.hub_lineitem AS d ON a.lineitem_hk = d.lineitem_hk
	WHERE d.lineitem_hk IS NULL
)
SELECT * FROM records_to_insert;

INSERT INTO dv.link_lineitem_order
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
	LEFT JOIN dv.link_lineitem_order AS d ON a.lineitem_order_hk = d.lineitem_order_hk
	WHERE d.lineitem_order_hk IS NULL
)
SELECT * FROM records_to_insert;

INSERT INTO dv.link_lineitem_partsupp
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
	LEFT JOIN dv.link_lineitem_partsupp AS d ON a.lineitem_partsupp_hk = d.lineitem_partsupp_hk
	WHERE d.lineitem_partsupp_hk IS NULL
)
SELECT * FROM records_to_insert;

INSERT INTO dv.sat_lineitem_price
WITH source_data AS (
	SELECT a.lineitem_hk, a.price_hashdiff AS hash_diff, a.l_quantity, a.l_extendedprice, a.l_discount, a.l_tax, a.l_returnflag, a.l_linestatus, a.load_date, a.record_source
	FROM dv.stg AS a
	WHERE a.lineitem_hk IS NOT NULL
),
latest_records AS (
	SELECT b.lineitem_hk, b.hash_diff, b.load_date
	FROM (
		SELECT current_records.lineitem_hk, current_records.hash_diff, current_records.load_date,
			ROW_NUMBER() OVER (PARTITION BY current_records.lineitem_hk ORDER BY current_records.load_date DESC) AS rank
		FROM dv.sat_lineitem_price AS current_records
		JOIN (SELECT DISTINCT source_data.lineitem_hk FROM source_data) AS source_records
			ON source_records.lineitem_hk = current_records.lineitem_hk
	) AS b
	WHERE b.rank = 1
),
unique_source_records AS (
	SELECT b.lineitem_hk, b.hash_diff, b.l_quantity, b.l_extendedprice, b.l_discount, b.l_tax, b.l_returnflag, b.l_linestatus, b.load_date, b.record_source
	FROM (
		SELECT sd.lineitem_hk, sd.hash_diff, sd.l_quantity, sd.l_extendedprice, sd.l_discount, sd.l_tax, sd.l_returnflag, sd.l_linestatus, sd.load_date, sd.record_source,
			LAG(sd.hash_diff, 1, COALESCE(lr.hash_diff, CAST('FFFFFFFF' AS BYTEA))) OVER (PARTITION BY sd.lineitem_hk ORDER BY sd.load_date ASC) AS prev_hashdiff
		FROM source_data AS sd
		LEFT OUTER JOIN latest_records AS lr ON sd.lineitem_hk = lr.lineitem_hk
	) AS b
	WHERE b.hash_diff != b.prev_hashdiff
),
records_to_insert AS (
	SELECT usr.lineitem_hk, usr.hash_diff, usr.l_quantity, usr.l_extendedprice, usr.l_discount, usr.l_tax, usr.l_returnflag, usr.l_linestatus, usr.load_date, usr.record_source
	FROM unique_source_records AS usr
)
SELECT * FROM records_to_insert;

INSERT INTO dv.sat_lineitem_shipping
WITH source_data AS (
	SELECT a.lineitem_hk, a.shipping_hashdiff AS hash_diff, a.l_shipdate, a.l_commitdate, a.l_receiptdate, a.l_shipinstruct, a.l_shipmode, a.l_comment, a.load_date, a.record_source
	FROM dv.stg AS a
	WHERE a.lineitem_hk IS NOT NULL
),
latest_records AS (
	SELECT b.lineitem_hk, b.hash_diff, b.load_date
	FROM (
		SELECT current_records.lineitem_hk, current_records.hash_diff, current_records.load_date,
			ROW_NUMBER() OVER (PARTITION BY current_records.lineitem_hk ORDER BY current_records.load_date DESC) AS rank
		FROM dv.sat_lineitem_shipping AS current_records
		JOIN (SELECT DISTINCT source_data.lineitem_hk FROM source_data) AS source_records
			ON source_records.lineitem_hk = current_records.lineitem_hk
	) AS b
	WHERE b.rank = 1
),
unique_source_records AS (
	SELECT b.lineitem_hk, b.hash_diff, b.l_shipdate, b.l_commitdate, b.l_receiptdate, b.l_shipinstruct, b.l_shipmode, b.l_comment, b.load_date, b.record_source
	FROM (
		SELECT sd.lineitem_hk, sd.hash_diff, sd.l_shipdate, sd.l_commitdate, sd.l_receiptdate, sd.l_shipinstruct, sd.l_shipmode, sd.l_comment, sd.load_date, sd.record_source,
			LAG(sd.hash_diff, 1, COALESCE(lr.hash_diff, CAST('FFFFFFFF' AS BYTEA))) OVER (PARTITION BY sd.lineitem_hk ORDER BY sd.load_date ASC) AS prev_hashdiff
		FROM source_data AS sd
		LEFT OUTER JOIN latest_records AS lr ON sd.lineitem_hk = lr.lineitem_hk
	) AS b
	WHERE b.hash_diff != b.prev_hashdiff
),
records_to_insert AS (
	SELECT usr.lineitem_hk, usr.hash_diff, usr.l_shipdate, usr.l_commitdate, usr.l_receiptdate, usr.l_shipinstruct, usr.l_shipmode, usr.l_comment, usr.load_date, usr.record_source
	FROM unique_source_records AS usr
)
SELECT * FROM records_to_insert;
