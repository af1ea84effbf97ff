-- Hubs of which there are only links have an empty source.
\set date '(SELECT load_date FROM bench.batch)'
SELECT lyftron.create_vault('bench', 'dv', jsonb_build_object('profile', :'profile'), ghosts => false);
SELECT lyftron.create_hub('bench', 'hub_order', 'bench.nothing', '{l_orderkey}');
SELECT lyftron.create_hub('bench', 'hub_part', 'bench.nothing', '{l_partkey}');
SELECT lyftron.create_hub('bench', 'hub_supplier', 'bench.nothing', '{l_suppkey}');
SELECT lyftron.create_hub('bench', 'hub_lineitem', 'bench.stage', '{l_orderkey, l_linenumber}', load_date => :'date');
SELECT lyftron.create_link('bench', 'link_lineitem_order', 'bench.stage', '{hub_lineitem, hub_order}',
	'{l_orderkey, l_linenumber, l_orderkey}', load_date => :'date');
SELECT lyftron.create_link('bench', 'link_lineitem_partsupp', 'bench.stage', '{hub_lineitem, hub_part, hub_supplier}',
	'{l_orderkey, l_linenumber, l_partkey, l_suppkey}', load_date => :'date');
SELECT lyftron.create_satellite('bench', 'sat_lineitem_price', 'hub_lineitem', 'bench.stage', '{l_orderkey, l_linenumber}',
	'{l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus}', load_date => :'date');
SELECT lyftron.create_satellite('bench', 'sat_lineitem_shipping', 'hub_lineitem', 'bench.stage', '{l_orderkey, l_linenumber}',
	'{l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment}', load_date => :'date');
