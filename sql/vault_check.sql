-- What lyftron.check_vault finds: nothing in a vault that was only loaded, and each of the things that it knows where somebody did them.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET bytea_output = hex;
CREATE ROLE vc_owner; CREATE ROLE vc_other;
GRANT CREATE ON DATABASE :"DBNAME" TO vc_owner;
CREATE SCHEMA vc AUTHORIZATION vc_owner;
SET ROLE vc_owner;
SET search_path = vc;
CREATE TABLE customer (id integer, name text, city text, at timestamptz);
CREATE TABLE phone (id integer, kind text, number text, at timestamptz);
CREATE TABLE orders (no integer, line integer, customer integer, at timestamptz);
CREATE TABLE event (id integer, what text, at timestamptz);
CREATE TABLE country (code text, name text, at timestamptz);
INSERT INTO customer SELECT i, 'name ' || i, i || '-' || d, timestamptz '2026-01-01' + d * interval '1 day' FROM generate_series(1, 20) i, generate_series(0, 3) d;
INSERT INTO phone SELECT i, k, i || k || d, timestamptz '2026-01-01' + d * interval '1 day' FROM generate_series(1, 20) i, unnest('{home,work}'::text[]) k, generate_series(0, 2) d;
INSERT INTO orders SELECT i, i % 3, i % 20 + 1, '2026-01-02' FROM generate_series(1, 40) i;
INSERT INTO orders SELECT i, i % 3, i % 5 + 1, '2026-01-04' FROM generate_series(1, 40, 4) i;
INSERT INTO event VALUES (1, 'I', '2026-01-01'), (1, 'U', '2026-01-02'), (1, 'D', '2026-01-03'), (1, 'I', '2026-01-04');
INSERT INTO country VALUES ('DE', 'Germany', '2026-01-01'), ('DE', 'Deutschland', '2026-01-02'), ('FR', 'France', '2026-01-01');
CREATE FUNCTION make_vault(vault text, hash jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lyftron.create_vault(vault, vault, hash);
	PERFORM lyftron.create_hub(vault, 'hub_customer', 'customer', '{id}', load_date => 'at', collision_code => 'crm');
	PERFORM lyftron.create_hub(vault, 'hub_order', 'orders', '{no, line}', load_date => 'at');
	PERFORM lyftron.create_link(vault, 'link_order', 'orders', '{hub_order, hub_customer}', '{no, line, customer}', load_date => 'at', collision_code => 'crm');
	PERFORM lyftron.create_satellite(vault, 'sat_customer', 'hub_customer', 'customer', '{id}', load_date => 'at', collision_code => 'crm');
	PERFORM lyftron.create_satellite(vault, 'sat_phone', 'hub_customer', 'phone', '{id}', kind => 'multi_active', sub_key => '{kind}', load_date => 'at', collision_code => 'crm');
	PERFORM lyftron.create_satellite(vault, 'eff_order', 'link_order', 'orders', '{no, line, customer}', kind => 'effectivity', driving_key => '{hub_order}', load_date => 'at', collision_code => 'crm');
	PERFORM lyftron.create_satellite(vault, 'sts_customer', 'hub_customer', 'event', '{id}', kind => 'status_tracking', operation => 'what', load_date => 'at', collision_code => 'crm');
	PERFORM lyftron.create_satellite(vault, 'rts_customer', 'hub_customer', 'customer', '{id}', kind => 'record_tracking', load_date => 'at', collision_code => 'crm');
	PERFORM lyftron.create_reference(vault, 'ref_country', 'country', '{code}', history => true, load_date => 'at');
	PERFORM lyftron.load_vault(vault);
END $$;
SELECT make_vault('vc_own', '{}'), make_vault('vc_automate', '{"profile": "automate_dv"}'), make_vault('vc_dbt', '{"profile": "datavault4dbt"}');
SELECT (SELECT count(*) FROM vc_own.link_order) AS links, (SELECT count(*) FROM vc_dbt.sat_phone) AS phones;

-- all is well, whatever the hashes are
SELECT * FROM lyftron.check_vault('vc_own', sources => true);
SELECT * FROM lyftron.check_vault('vc_automate', sources => true);
SELECT * FROM lyftron.check_vault('vc_dbt', sources => true);

-- nor is it wrong to have no ghosts, though links have the zero key where a key is null
INSERT INTO orders VALUES (77, 1, NULL, '2026-01-02');
SELECT lyftron.create_vault('vc_plain', 'vc_plain', ghosts => false);
SELECT lyftron.create_hub('vc_plain', 'hub_customer', 'customer', '{id}', load_date => 'at'), lyftron.create_hub('vc_plain', 'hub_order', 'orders', '{no, line}', load_date => 'at'),
	lyftron.create_link('vc_plain', 'link_order', 'orders', '{hub_order, hub_customer}', '{no, line, customer}', load_date => 'at');
SELECT count(*) FROM lyftron.load_vault('vc_plain');
SELECT count(*) AS null_customer FROM vc_plain.link_order WHERE customer_hk = decode(repeat('00', 16), 'hex');
SELECT table_name, problem, rows FROM lyftron.check_vault('vc_plain', sources => true);

-- each problem by itself; the example of one that several rows have may be any of them
CREATE FUNCTION found(damage text, tables text) RETURNS TABLE (table_name text, problem text, severity text, rows bigint, example jsonb) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE damage;
		CREATE TEMP TABLE result ON COMMIT DROP AS SELECT * FROM lyftron.check_vault('vc_own', tables);
		RAISE EXCEPTION USING ERRCODE = 'LY001', MESSAGE = (SELECT coalesce(json_agg(r), '[]')::text FROM result r);
	EXCEPTION WHEN SQLSTATE 'LY001' THEN
		RETURN QUERY SELECT r.table_name, r.problem, r.severity, r.rows, CASE WHEN r.rows = 1 THEN r.example END FROM json_to_recordset(SQLERRM::json) AS r (table_name text, problem text, severity text, rows bigint, example jsonb);
	END;
END $$;
SELECT * FROM found('UPDATE vc_own.hub_customer SET id = 1001 WHERE id = 7', 'hub_customer');
SELECT * FROM found($$INSERT INTO vc_own.hub_customer SELECT '\x01', collision_code, id, load_date, record_source FROM vc_own.hub_customer WHERE id = 9$$, 'hub_customer');
SELECT * FROM found('DELETE FROM vc_own.hub_customer WHERE id = 11', NULL);
SELECT * FROM found($$DELETE FROM vc_own.hub_customer WHERE record_source = 'SYSTEM'$$, NULL);
SELECT * FROM found('ALTER TABLE vc_own.hub_order DROP CONSTRAINT hub_order_pkey; INSERT INTO vc_own.hub_order SELECT * FROM vc_own.hub_order WHERE no = 3', 'hub_order');
SELECT * FROM found('ALTER TABLE vc_own.sat_customer DROP CONSTRAINT sat_customer_pkey, ADD PRIMARY KEY (load_date, customer_hk, load_seq)', 'sat_customer');
SELECT * FROM found('UPDATE vc_own.link_order SET customer_hk = (SELECT customer_hk FROM vc_own.hub_customer WHERE id = 20) WHERE order_hk = (SELECT order_hk FROM vc_own.hub_order WHERE no = 2)', NULL);
SELECT * FROM found($$INSERT INTO vc_own.link_order SELECT '\x01', order_hk, customer_hk, load_date, record_source FROM vc_own.link_order WHERE order_hk = (SELECT order_hk FROM vc_own.hub_order WHERE no = 2)$$, 'link_order');
SELECT * FROM found($$UPDATE vc_own.sat_customer SET city = 'elsewhere' WHERE name = 'name 5' AND load_date = '2026-01-02'$$, NULL);
SELECT * FROM found($$INSERT INTO vc_own.sat_customer SELECT customer_hk, load_date + interval '1 hour', 0, hash_diff, record_source, name, city FROM vc_own.sat_customer WHERE name = 'name 5'$$, NULL);
SELECT * FROM found($$INSERT INTO vc_own.sat_phone SELECT customer_hk, load_date + interval '1 hour', load_seq, hash_diff, record_source, kind, number FROM vc_own.sat_phone WHERE number LIKE '3home%' OR number LIKE '3work%'$$, NULL);
SELECT * FROM found('DELETE FROM vc_own.eff_order WHERE NOT is_active AND link_order_hk = (SELECT link_order_hk FROM vc_own.link_order WHERE order_hk = (SELECT order_hk FROM vc_own.hub_order WHERE no = 9) ORDER BY load_date LIMIT 1)', NULL);
SELECT * FROM found($$UPDATE vc_own.eff_order SET load_date = load_date - interval '1 hour' WHERE NOT is_active AND link_order_hk = (SELECT link_order_hk FROM vc_own.link_order WHERE order_hk = (SELECT order_hk FROM vc_own.hub_order WHERE no = 9) ORDER BY load_date LIMIT 1)$$, NULL);
SELECT * FROM found($$DELETE FROM vc_own.sts_customer WHERE load_date = '2026-01-01'$$, NULL);
SELECT * FROM found($$UPDATE vc_own.ref_country SET name = 'Frankreich' WHERE code = 'FR'$$, NULL);
SELECT * FROM found($$INSERT INTO vc_own.rts_customer VALUES ('\x01', '2026-01-01', 'somewhere')$$, 'rts_customer') r;
SELECT * FROM found('ALTER TABLE vc_own.sat_customer DROP COLUMN city', NULL);
SELECT * FROM found('DROP TABLE vc_own.hub_order', NULL);
-- each of them was undone
SELECT count(*) FROM lyftron.check_vault('vc_own');

-- two business keys with one text
CREATE TABLE pair (a text, b text);
INSERT INTO pair VALUES ('a||b', 'c'), ('a', 'b||c'), (' X', 'y'), ('x', 'Y ');
SELECT lyftron.create_hub('vc_automate', 'hub_pair', 'pair', '{a, b}', load_date => '''2026-01-01''');
SELECT lyftron.create_hub('vc_own', 'hub_pair', 'pair', '{a, b}', load_date => '''2026-01-01''');
SELECT table_name, inserted FROM lyftron.load_vault('vc_automate', 'vc.pair') UNION ALL SELECT table_name, inserted FROM lyftron.load_vault('vc_own', 'vc.pair');
SELECT table_name, problem, severity, rows, example->'source' AS source, example->'hub'->'a' AS hub_a FROM lyftron.check_vault('vc_automate', 'hub_pair', sources => true);
SELECT count(*) FROM lyftron.check_vault('vc_own', 'hub_pair', sources => true);
SELECT count(*) FROM lyftron.check_vault('vc_automate');

SELECT lyftron.check_vault('vc_own', 'nothing');
SELECT lyftron.check_vault('nothing');
RESET ROLE;
SET ROLE vc_other;
SELECT lyftron.check_vault('vc_own');
RESET ROLE;
SELECT lyftron.drop_vault(v, true) FROM unnest('{vc_own,vc_automate,vc_dbt,vc_plain}'::text[]) v;
DROP SCHEMA vc_own, vc_automate, vc_dbt, vc_plain, vc CASCADE;
REVOKE CREATE ON DATABASE :"DBNAME" FROM vc_owner;
DROP ROLE vc_owner, vc_other;
