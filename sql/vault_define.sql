-- Data vaults are defined: what their tables look like, who may use them, and what is refused.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE ROLE vd_owner; CREATE ROLE vd_other;
GRANT CREATE ON DATABASE :"DBNAME" TO vd_owner;
CREATE SCHEMA vd;
GRANT ALL ON SCHEMA vd TO vd_owner;
SET search_path = vd, public;
CREATE TABLE orders (order_no bigint, line integer, customer text, shop char(4), note text, at timestamptz DEFAULT now());
GRANT SELECT ON orders TO vd_owner;
SET ROLE vd_owner;

SELECT lyftron.create_vault('vd', 'vd_vault', '{"profile": "automate_dv"}');
SELECT lyftron.create_hub('vd', 'hub_order', 'orders', '{order_no, line AS order_line}', load_date => 'at');
SELECT lyftron.create_hub('vd', 'hub_customer', 'orders', '{upper(customer) AS name}', load_date => 'at', tenant => 'shop', collision_code => 'crm');
SELECT lyftron.create_link('vd', 'link_order', 'orders', '{hub_order, hub_customer AS buyer}', '{order_no, line, customer}', load_date => 'at', tenant => 'shop', collision_code => 'crm');
SELECT lyftron.create_link('vd', 'link_bought', 'orders', '{hub_order, hub_customer AS buyer}', '{order_no, line, customer}', load_date => 'at', tenant => 'shop', collision_code => 'crm');
SELECT lyftron.create_satellite('vd', 'sat_order', 'hub_order', 'orders', '{order_no, line}', load_date => 'at');
SELECT lyftron.create_satellite('vd', 'sat_bought', 'link_bought', 'orders', '{order_no, line, customer}', '{note}', load_date => 'at', tenant => 'shop', collision_code => 'crm');
SELECT lyftron.create_reference('vd', 'ref_shop', 'SELECT DISTINCT shop FROM orders', '{shop}', '{}', record_source => $$'orders'$$);
\d vd_vault.hub_customer
\d vd_vault.link_bought
\d vd_vault.sat_order
\d vd_vault.ref_shop
SELECT name, kind, parent, definition, sources FROM lyftron.vault_tables WHERE vault = 'vd' ORDER BY created_at, name;
SELECT name, owner, schema_name, hash, ghosts, null_keys, tables FROM lyftron.vaults;
SELECT customer_hk IS NOT NULL AS key, collision_code, tenant, name, load_date, record_source FROM vd_vault.hub_customer ORDER BY customer_hk;

-- expressions, in all the ways to write them
CREATE TABLE odd ("Key" integer, "as" text, "x "" y" text);
SELECT lyftron.create_hub('vd', 'hub_odd', 'odd', ARRAY['"Key"::text || ''a AS b'' AS "Odd Key"', '"as"', '"x "" y" "z"'], load_date => 'now()');
SELECT lyftron.create_hub('vd', 'hub_none', 'odd', '{"Key\" AS a, \"as"}');
SELECT lyftron.create_hub('vd', 'hub_none', 'odd', ARRAY['"as" FROM pg_class']);
SELECT lyftron.create_hub('vd', 'hub_none', 'odd', ARRAY['nothing']);
SELECT attname FROM pg_attribute WHERE attrelid = 'vd_vault.hub_odd'::regclass AND attnum > 0 ORDER BY attnum;

-- what is wrong
SELECT lyftron.create_vault('vd', 'elsewhere');
SELECT lyftron.create_vault('vd2', 'vd_vault', null_keys => 'perhaps');
SELECT lyftron.create_vault('vd2', 'vd_vault', '{"profile": "none"}');
SELECT lyftron.create_vault(NULL, 'vd_vault');
SELECT lyftron.create_hub('nothing', 'hub_x', 'orders', '{line}');
SELECT lyftron.create_hub('vd', 'hub_x', 'nowhere', '{line}');
SELECT lyftron.create_hub('vd', 'hub_x', 'orders', '{}');
SELECT lyftron.create_hub('vd', 'hub_x', 'orders', '{line, line}');
SELECT lyftron.create_hub('vd', 'hub_x', 'orders', '{line AS load_date}');
SELECT lyftron.create_hub('vd', 'hub_x', 'orders', '{line}', load_date => 'line');
SELECT lyftron.create_hub('vd', 'hub_x', 'orders', '{line}', lookback => '1 day');
SELECT lyftron.create_hub('vd', 'hub_x', 'SELECT 1 AS line', '{line}');
SELECT lyftron.create_hub('vd', 'hub_x', 'DELETE FROM orders RETURNING line', '{line}', record_source => $$'x'$$);
SELECT lyftron.create_hub('vd', 'hub_order', 'orders', '{order_no, line AS order_line}', load_date => 'at');
SELECT lyftron.create_hub('vd', 'hub_order', 'odd', '{"Key"}');
SELECT lyftron.create_link('vd', 'link_x', 'orders', '{hub_order}', '{order_no}', load_date => 'at');
SELECT lyftron.create_link('vd', 'link_x', 'orders', '{hub_order, hub_customer}', '{order_no, line, customer}', load_date => 'at');
SELECT lyftron.create_link('vd', 'link_x', 'orders', '{hub_order, sat_order}', '{order_no, line, customer}', load_date => 'at');
SELECT lyftron.create_link('vd', 'link_x', 'orders', '{hub_order, hub_order}', '{order_no, line, order_no, line}', load_date => 'at');
SELECT lyftron.create_link('vd', 'link_x', 'orders', '{hub_order, hub_odd}', '{order_no, line, line, note, note}', kind => 'same_as', load_date => 'at');
SELECT lyftron.create_link('vd', 'link_x', 'orders', '{hub_order, hub_odd}', '{order_no, line, line, note, note}', kind => 'standard', load_date => 'at');
SELECT lyftron.create_link('vd', 'link_x', 'orders', '{hub_order, hub_odd}', '{order_no, line, line, note, note}', columns => '{note}', load_date => 'at');
SELECT lyftron.create_satellite('vd', 'sat_x', 'sat_order', 'orders', '{order_no, line}');
SELECT lyftron.create_satellite('vd', 'sat_x', 'hub_order', 'orders', '{order_no, line}', kind => 'round');
SELECT lyftron.create_satellite('vd', 'sat_x', 'hub_order', 'orders', '{order_no, line}', kind => 'multi_active');
SELECT lyftron.create_satellite('vd', 'sat_x', 'hub_order', 'orders', '{order_no, line}', kind => 'effectivity', driving_key => '{hub_order}');
SELECT lyftron.create_satellite('vd', 'sat_x', 'link_bought', 'orders', '{order_no, line, customer}', kind => 'effectivity', driving_key => '{hub_odd}', tenant => 'shop', collision_code => 'crm');
SELECT lyftron.create_link('vd', 'link_two', 'odd', '{hub_odd AS one, hub_odd AS other}', ARRAY['"Key"', '"as"', '"x "" y"', '"Key"', '"as"', '"x "" y"'], kind => 'same_as');
SELECT lyftron.create_satellite('vd', 'sat_two', 'link_two', 'odd', ARRAY['"Key"', '"as"', '"x "" y"', '"Key"', '"as"', '"x "" y"'], kind => 'effectivity', driving_key => '{hub_odd}');
SELECT lyftron.create_satellite('vd', 'sat_two', 'link_two', 'odd', ARRAY['"Key"', '"as"', '"x "" y"', '"Key"', '"as"', '"x "" y"'], kind => 'effectivity', driving_key => '{other}');
SELECT definition FROM lyftron.vault_tables WHERE name = 'sat_two';
SELECT lyftron.create_satellite('vd', 'sat_x', 'hub_order', 'orders', '{order_no, line}', kind => 'status_tracking');
SELECT lyftron.create_satellite('vd', 'sat_x', 'hub_order', 'orders', '{order_no, line}', kind => 'status_tracking', full_load => true, increment => 'at');
SELECT lyftron.create_satellite('vd', 'sat_x', 'hub_order', 'orders', '{order_no, line}', kind => 'record_tracking', operation => 'note');
SELECT lyftron.load_vault('vd', 'nowhere');
SELECT lyftron.load_vault('vd', tables => '{sat_x}');
SELECT lyftron.drop_vault_table('vd', 'hub_order');

-- another one may not even look
SET ROLE vd_other;
SELECT count(*) FROM lyftron.vaults;
SELECT lyftron.load_vault('vd');
SELECT lyftron.create_hub('vd', 'hub_y', 'pg_class', '{relname}');
SELECT lyftron.drop_vault('vd');
RESET ROLE;

-- a member of the role loads as the owner; a table that was dropped or changed is told of
INSERT INTO orders VALUES (1, 1, 'ann', 's1', 'n', '2026-01-01');
SELECT table_name, inserted FROM lyftron.load_vault('vd', 'vd.orders');
DROP TABLE vd_vault.link_order;
SELECT lyftron.load_vault('vd', 'vd.orders');
SELECT lyftron.drop_vault_table('vd', 'link_order');
ALTER TABLE vd_vault.sat_bought DROP COLUMN hash_diff;
SELECT lyftron.load_vault('vd', 'vd.orders');
SELECT lyftron.drop_vault_table('vd', 'sat_bought', true);
ALTER TABLE vd_vault.sat_order ALTER load_date TYPE timestamp;
SELECT lyftron.load_vault('vd', 'vd.orders');
SELECT lyftron.drop_vault_table('vd', 'sat_order', true);
ALTER TABLE vd_vault.hub_order DROP CONSTRAINT hub_order_pkey;
SELECT lyftron.load_vault('vd', 'vd.orders');

SELECT lyftron.drop_vault('vd', true);
DROP SCHEMA vd_vault, vd CASCADE;
DROP OWNED BY vd_owner, vd_other;
DROP ROLE vd_owner, vd_other;
