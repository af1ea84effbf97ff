-- The same rows, with keys that are ready: no hash, no comparison.
INSERT INTO dv.hub_lineitem (lineitem_hk, l_orderkey, l_linenumber, load_date, record_source)
SELECT lineitem_hk, l_orderkey, l_linenumber, (SELECT load_date FROM batch), 'bench.stage' FROM ready :order;
INSERT INTO dv.link_lineitem_order (lineitem_order_hk, lineitem_hk, order_hk, load_date, record_source)
SELECT lineitem_order_hk, lineitem_hk, order_hk, (SELECT load_date FROM batch), 'bench.stage' FROM ready :order;
INSERT INTO dv.link_lineitem_partsupp (lineitem_partsupp_hk, lineitem_hk, part_hk, supplier_hk, load_date, record_source)
SELECT lineitem_partsupp_hk, lineitem_hk, part_hk, supplier_hk, (SELECT load_date FROM batch), 'bench.stage' FROM ready :order;
INSERT INTO dv.sat_lineitem_price
	(lineitem_hk, load_date, load_seq, hash_diff, record_source, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus)
SELECT lineitem_hk, (SELECT load_date FROM batch), 0, price_diff, 'bench.stage', l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus
FROM ready :order;
INSERT INTO dv.sat_lineitem_shipping
	(lineitem_hk, load_date, load_seq, hash_diff, record_source, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment)
SELECT lineitem_hk, (SELECT load_date FROM batch), 0, shipping_diff, 'bench.stage', l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment
FROM ready :order;
