-- Hash keys, hash differences and load dates of what was loaded.
INSERT INTO fingerprint
SELECT :'loader', :load, 'hub_lineitem', count(*), sum(hash_record_extended(ROW(lineitem_hk, l_orderkey, l_linenumber, load_date), 0)) FROM dv.hub_lineitem
UNION ALL
SELECT :'loader', :load, 'link_lineitem_order', count(*), sum(hash_record_extended(ROW(lineitem_order_hk, lineitem_hk, order_hk, load_date), 0)) FROM dv.link_lineitem_order
UNION ALL
SELECT :'loader', :load, 'link_lineitem_partsupp', count(*),
	sum(hash_record_extended(ROW(lineitem_partsupp_hk, lineitem_hk, part_hk, supplier_hk, load_date), 0)) FROM dv.link_lineitem_partsupp
UNION ALL
SELECT :'loader', :load, 'sat_lineitem_price', count(*), sum(hash_record_extended(ROW(lineitem_hk, hash_diff, load_date, l_quantity::numeric), 0)) FROM dv.sat_lineitem_price
UNION ALL
SELECT :'loader', :load, 'sat_lineitem_shipping', count(*), sum(hash_record_extended(ROW(lineitem_hk, hash_diff, load_date, l_receiptdate), 0)) FROM dv.sat_lineitem_shipping;
