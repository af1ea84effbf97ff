CREATE :stage dv.stg AS
WITH source_data AS (
	SELECT l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment
	FROM bench.stage
),
derived_columns AS (
	SELECT *, (SELECT load_date FROM bench.batch) AS load_date, 'bench.stage' AS record_source
	FROM source_data
),
hashed_columns AS (
	SELECT *,
		CAST(DECODE(MD5(NULLIF(CONCAT(
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_orderkey AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_linenumber AS VARCHAR))), ''), '^^')), '^^||^^')), 'hex') AS BYTEA) AS lineitem_hk,
		CAST(DECODE(MD5(NULLIF(UPPER(TRIM(CAST(l_orderkey AS VARCHAR))), '')), 'hex') AS BYTEA) AS order_hk,
		CAST(DECODE(MD5(NULLIF(UPPER(TRIM(CAST(l_partkey AS VARCHAR))), '')), 'hex') AS BYTEA) AS part_hk,
		CAST(DECODE(MD5(NULLIF(UPPER(TRIM(CAST(l_suppkey AS VARCHAR))), '')), 'hex') AS BYTEA) AS supplier_hk,
		CAST(DECODE(MD5(NULLIF(CONCAT(
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_orderkey AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_linenumber AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_orderkey AS VARCHAR))), ''), '^^')), '^^||^^||^^')), 'hex') AS BYTEA) AS lineitem_order_hk,
		CAST(DECODE(MD5(NULLIF(CONCAT(
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_orderkey AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_linenumber AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_partkey AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_suppkey AS VARCHAR))), ''), '^^')), '^^||^^||^^||^^')), 'hex') AS BYTEA) AS lineitem_partsupp_hk,
		CAST(DECODE(MD5(CONCAT(
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_discount AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_extendedprice AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_linestatus AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_quantity AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_returnflag AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_tax AS VARCHAR))), ''), '^^'))), 'hex') AS BYTEA) AS price_hashdiff,
		CAST(DECODE(MD5(CONCAT(
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_comment AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_commitdate AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_receiptdate AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_shipdate AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_shipinstruct AS VARCHAR))), ''), '^^'), '||',
			COALESCE(NULLIF(UPPER(TRIM(CAST(l_shipmode AS VARCHAR))), ''), '^^'))), 'hex') AS BYTEA) AS shipping_hashdiff
	FROM derived_columns
)
SELECT * FROM hashed_columns;
