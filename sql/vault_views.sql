-- Views of a vault: each version with its end, the current one, that of a moment; and where each column comes from.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE ROLE vv_owner; CREATE ROLE vv_member IN ROLE vv_owner; CREATE ROLE vv_other;
GRANT CREATE ON DATABASE :"DBNAME" TO vv_owner;
CREATE SCHEMA vv AUTHORIZATION vv_owner;
SET ROLE vv_owner;
SET search_path = vv;
CREATE TABLE customer (id integer, name text, city text, at timestamptz);
CREATE TABLE phone (id integer, kind text, number text, at timestamptz);
CREATE TABLE orders (no integer, customer integer, item text, at timestamptz);
CREATE TABLE country (code text, name text, at timestamptz);
INSERT INTO customer VALUES (1, 'Ann', 'Bonn', '2026-01-01'), (1, 'Ann', 'Kiel', '2026-01-03'), (2, 'Bob', 'Rome', '2026-01-02');
INSERT INTO phone VALUES (1, 'home', '11', '2026-01-01'), (1, 'work', '12', '2026-01-01'), (1, 'home', '13', '2026-01-03'), (2, 'home', '21', '2026-01-02');
INSERT INTO orders VALUES (7, 1, 'a', '2026-01-02'), (8, 2, 'b', '2026-01-02'), (7, 2, 'a', '2026-01-04');
INSERT INTO country VALUES ('DE', 'Germany', '2026-01-01'), ('DE', 'Deutschland', '2026-01-03');
SELECT lyftron.create_vault('vv', 'vv_vault');
SELECT lyftron.create_hub('vv', 'hub_customer', 'customer', '{id}', load_date => 'at');
SELECT lyftron.create_hub('vv', 'hub_order', 'orders', '{no}', load_date => 'at');
SELECT lyftron.create_link('vv', 'link_order', 'orders', '{hub_order, hub_customer}', '{no, customer}', load_date => 'at');
SELECT lyftron.create_satellite('vv', 'sat_customer', 'hub_customer', 'customer', '{id}', load_date => 'at');
SELECT lyftron.create_satellite('vv', 'sat_phone', 'hub_customer', 'phone', '{id}', kind => 'multi_active', sub_key => '{kind}', load_date => 'at');
SELECT lyftron.create_satellite('vv', 'eff_order', 'link_order', 'orders', '{no, customer}', kind => 'effectivity', driving_key => '{hub_order}', load_date => 'at');
SELECT lyftron.create_satellite('vv', 'rts_customer', 'hub_customer', 'customer', '{id}', kind => 'record_tracking', load_date => 'at');
SELECT lyftron.create_reference('vv', 'ref_country', 'country', '{code}', history => true, load_date => 'at');
SELECT count(*) FROM lyftron.load_vault('vv');

-- a member of the owner's role makes them: they are the owner's
SET ROLE vv_member;
SELECT * FROM lyftron.create_vault_views('vv');
SELECT count(*) AS views_of_owner FROM pg_views WHERE schemaname = 'vv_vault' AND viewowner = 'vv_owner';
SET ROLE vv_owner;

-- versions, each with its end; of sets, that of the next set
SELECT h.id, s.city, s.load_date, s.load_end, s.is_current FROM vv_vault.sat_customer_history s JOIN vv_vault.hub_customer h USING (customer_hk) ORDER BY h.id, s.load_date;
SELECT h.id, s.kind, s.number, s.load_date, s.load_end FROM vv_vault.sat_phone_history s JOIN vv_vault.hub_customer h USING (customer_hk) WHERE h.id > 0 ORDER BY h.id, s.load_date, s.kind;
SELECT code, name, load_date, load_end, is_current FROM vv_vault.ref_country_history ORDER BY load_date;
-- the current ones; ghosts are among them, so that inner joins lose nothing
SELECT h.id, s.name, s.city, p.number FROM vv_vault.hub_customer h JOIN vv_vault.sat_customer_current s USING (customer_hk) JOIN vv_vault.sat_phone_current p USING (customer_hk) ORDER BY h.id, p.number;
SELECT o.no, c.id, e.load_date FROM vv_vault.eff_order_current e JOIN vv_vault.hub_order o USING (order_hk) JOIN vv_vault.hub_customer c USING (customer_hk) ORDER BY o.no;
-- those of a moment
SELECT h.id, s.city FROM vv_vault.sat_customer_as_of('2026-01-02 12:00+00') s JOIN vv_vault.hub_customer h USING (customer_hk) WHERE h.id > 0 ORDER BY h.id;
SELECT h.id, s.city FROM vv_vault.sat_customer_as_of('2026-01-03 00:00+00') s JOIN vv_vault.hub_customer h USING (customer_hk) WHERE h.id > 0 ORDER BY h.id;
SELECT h.id, s.number FROM vv_vault.sat_phone_as_of('2026-01-02 12:00+00') s JOIN vv_vault.hub_customer h USING (customer_hk) WHERE h.id > 0 ORDER BY h.id, s.number;
SELECT o.no, c.id FROM vv_vault.eff_order_as_of('2026-01-03') e JOIN vv_vault.hub_order o USING (order_hk) JOIN vv_vault.hub_customer c USING (customer_hk) ORDER BY o.no;
SELECT count(*) FROM vv_vault.eff_order_as_of('2026-01-01');
SELECT name FROM vv_vault.ref_country_as_of('2026-01-02');

-- several versions of one load date: the last one is valid from then on, the others never were
INSERT INTO vv_vault.sat_customer SELECT customer_hk, load_date, 1, '\x01', record_source, name, 'Graz' FROM vv_vault.sat_customer WHERE city = 'Kiel';
SELECT s.city, s.load_date, s.load_seq, s.load_end, s.is_current FROM vv_vault.sat_customer_history s WHERE name = 'Ann' ORDER BY s.load_date, s.load_seq;
SELECT city FROM vv_vault.sat_customer_as_of('2026-01-03') WHERE name = 'Ann';
SELECT city FROM vv_vault.sat_customer_current WHERE name = 'Ann';

-- a key is looked up in the index: the function is a part of the query
CREATE FUNCTION plan_of(query text) RETURNS TABLE (calls_function boolean, scans_table boolean, looks_up_key boolean) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE line text; plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line; END LOOP;
	RETURN QUERY SELECT plan LIKE '%Function Scan%', plan LIKE '%Seq Scan%', plan ~ 'Index Cond: \(+customer_hk = ';
END $$;
SELECT * FROM plan_of($$SELECT city FROM vv_vault.sat_customer_as_of('2026-01-03') WHERE customer_hk = '\x01'$$);
SELECT * FROM plan_of($$SELECT city, load_end FROM vv_vault.sat_customer_history WHERE customer_hk = '\x01'$$);
SELECT * FROM plan_of($$SELECT number FROM vv_vault.sat_phone_current WHERE customer_hk = '\x01'$$);

-- once more: nothing is dropped, and what a user made of them stays
CREATE VIEW mine AS SELECT city FROM vv_vault.sat_customer_as_of('2026-01-03');
SELECT count(*) FROM lyftron.create_vault_views('vv');
ALTER TABLE vv_vault.sat_customer ADD COLUMN note text;
COMMENT ON COLUMN vv_vault.sat_customer.note IS 'said by somebody';
SELECT made FROM lyftron.create_vault_views('vv', 'sat_customer');
SELECT count(*) AS with_note FROM vv_vault.sat_customer_as_of('2026-01-03') WHERE note IS NULL;
SELECT col_description('vv_vault.sat_customer_current'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'vv_vault.sat_customer_current'::regclass AND attname = 'note';
-- columns that are others: the views are made anew, unless something hangs on them
ALTER TABLE vv_vault.sat_customer RENAME COLUMN note TO remark;
SELECT made FROM lyftron.create_vault_views('vv', 'sat_customer');
DROP VIEW mine;
SELECT made FROM lyftron.create_vault_views('vv', 'sat_customer');
SELECT count(*) AS with_remark FROM vv_vault.sat_customer_current WHERE remark IS NULL;

-- keys as text, of their own collation
SELECT lyftron.create_vault('vv4', 'vv4_vault', '{"profile": "datavault4dbt"}');
SELECT lyftron.create_hub('vv4', 'hub_customer', 'customer', '{id}', load_date => 'at');
SELECT lyftron.create_satellite('vv4', 'sat_customer', 'hub_customer', 'customer', '{id}', load_date => 'at');
SELECT count(*) FROM lyftron.load_vault('vv4');
SELECT count(*) FROM lyftron.create_vault_views('vv4');
SELECT h.id, s.city FROM vv4_vault.hub_customer h JOIN vv4_vault.sat_customer_as_of('2026-01-02 12:00+00') s ON s.customer_hk = h.customer_hk WHERE h.id > 0 ORDER BY h.id;

-- lineage
SELECT table_name, column_name, role, source, expression, source_columns FROM lyftron.vault_lineage WHERE vault = 'vv' AND table_name IN ('hub_order', 'link_order', 'sat_phone', 'ref_country')
	ORDER BY table_name COLLATE "C", column_name COLLATE "C", role COLLATE "C", expression COLLATE "C";
SELECT lyftron.expression_columns($$upper(a.name) || coalesce("B b", (c).d::text) || CASE WHEN x > 0 THEN name END || (SELECT max(y) FROM z)$$),
	lyftron.expression_columns('''a literal'''), lyftron.expression_columns('t.*');
SELECT lyftron.expression_columns('1 +');
SELECT lyftron.create_pipeline('vv_pipeline', source => 'customer', destination => 'staged', mode => 'full_refresh');
CALL lyftron.run('vv_pipeline');
SELECT lyftron.create_hub('vv4', 'hub_staged', 'staged', '{id}');
SELECT column_name, role, source, expression, pipeline, stream, server FROM lyftron.vault_lineage WHERE table_name = 'hub_staged' ORDER BY role;

-- what is wrong
SELECT lyftron.create_vault_views('vv', 'hub_customer');
SELECT lyftron.create_vault_views('vv', 'nothing');
DROP VIEW vv_vault.ref_country_history;
CREATE VIEW vv_vault.ref_country_history AS SELECT 1 AS mine;
SELECT lyftron.create_vault_views('vv', 'ref_country');
SELECT mine FROM vv_vault.ref_country_history;
CREATE TABLE ends (id integer, is_current boolean, at timestamptz);
SELECT lyftron.create_satellite('vv', 'sat_ends', 'hub_customer', 'ends', '{id}', load_date => 'at');
SELECT lyftron.create_vault_views('vv', 'sat_ends');
DROP TABLE vv_vault.rts_customer CASCADE;
SELECT lyftron.create_vault_views('vv', 'rts_customer');
SET ROLE vv_other;
SELECT lyftron.create_vault_views('vv');
SELECT count(*) FROM lyftron.vault_lineage;
RESET ROLE;
SELECT lyftron.drop_pipeline('vv_pipeline');
SELECT lyftron.drop_vault('vv', true);
SELECT lyftron.drop_vault('vv4', true);
DROP SCHEMA vv_vault, vv4_vault, vv CASCADE;
REVOKE CREATE ON DATABASE :"DBNAME" FROM vv_owner;
DROP ROLE vv_owner, vv_member, vv_other;
