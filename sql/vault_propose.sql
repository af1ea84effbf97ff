-- A vault is proposed for tables that are there: by their keys, or by names where nothing is declared.  The statements run as they are.
SET client_min_messages = warning;
CREATE ROLE vr_owner;
GRANT CREATE ON DATABASE :"DBNAME" TO vr_owner;
SET ROLE vr_owner;
CREATE SCHEMA vr;
SET search_path = vr;
CREATE TABLE country (code char(2) PRIMARY KEY, name text);
CREATE TABLE customer (id integer PRIMARY KEY, email text NOT NULL UNIQUE, name text, country char(2) REFERENCES country, load_date date);
CREATE TABLE employee (id integer PRIMARY KEY, name text, manager_id integer REFERENCES employee);
CREATE TABLE airport (code text PRIMARY KEY, name text, lat float8, lon float8);
CREATE TABLE orders (no integer PRIMARY KEY, customer_id integer REFERENCES customer, sold_by integer REFERENCES employee, packed_by integer REFERENCES employee, total numeric);
CREATE TABLE product (sku text NOT NULL UNIQUE, name text, price numeric, "In Stock" integer);
CREATE TABLE line (order_no integer REFERENCES orders, line integer, sku text REFERENCES product (sku), qty integer, PRIMARY KEY (order_no, line));
CREATE TABLE leg (origin text REFERENCES airport, dest text REFERENCES airport, km integer, PRIMARY KEY (origin, dest));
CREATE TABLE log (at timestamptz, message text);
CREATE TABLE shelf (hall integer, no integer, width integer, height integer, PRIMARY KEY (hall, no));
CREATE TABLE box (id integer PRIMARY KEY, shelf_no integer, shelf_hall integer, FOREIGN KEY (shelf_no, shelf_hall) REFERENCES shelf (no, hall));
INSERT INTO country VALUES ('DE', 'Germany');
INSERT INTO customer VALUES (1, 'a@b', 'Ann', 'DE', '2026-01-01');
INSERT INTO employee VALUES (1, 'Bob', NULL), (2, 'Cyd', 1);
INSERT INTO airport VALUES ('BER', 'Berlin', 52, 13), ('FRA', 'Frankfurt', 50, 8);
INSERT INTO orders VALUES (1, 1, 1, 2, 3.5);
INSERT INTO product VALUES ('s', 'saw', 1, 2);
INSERT INTO line VALUES (1, 1, 's', 3);
INSERT INTO leg VALUES ('BER', 'FRA', 400);
\pset format unaligned
SELECT * FROM lyftron.propose_vault(schema => 'vr');
\pset format aligned
SELECT statement FROM lyftron.propose_vault(schema => 'vr') ORDER BY statement_number \gexec
SELECT table_name, inserted FROM lyftron.load_vault('vr_vault');
SELECT table_name, problem FROM lyftron.check_vault('vr_vault', sources => true);
SELECT column_name FROM information_schema.columns WHERE table_schema = 'vr_vault' AND table_name = 'sat_customer' ORDER BY ordinal_position;

-- nothing declared but keys: names say it
CREATE SCHEMA vr_names;
SET search_path = vr_names;
CREATE TABLE nation (n_nationkey integer PRIMARY KEY, n_name text);
CREATE TABLE customer (c_custkey integer PRIMARY KEY, c_name text, c_nationkey integer);
CREATE TABLE part (p_partkey integer PRIMARY KEY, p_name text);
CREATE TABLE orders (o_orderkey integer PRIMARY KEY, o_custkey integer, o_date date);
CREATE TABLE lineitem (l_orderkey integer, l_linenumber integer, l_partkey integer, l_quantity integer, PRIMARY KEY (l_orderkey, l_linenumber));
CREATE TABLE ticket (id integer PRIMARY KEY, subject text, part_p_partkey integer);
CREATE TABLE notes (id integer PRIMARY KEY, ticket_id integer, body text, orders_o_orderkey text);
\pset format unaligned
SELECT statement, reason FROM lyftron.propose_vault(schema => 'vr_names', vault => 'named', staging => 'staged') WHERE statement !~ 'create_(hub|vault)';
\pset format aligned

-- foreign tables of a server, with the keys that import gives them; they are loaded from where pipelines put them
RESET ROLE;
CREATE SERVER vr_server FOREIGN DATA WRAPPER lyftron_mysql OPTIONS (host '127.0.0.1');
GRANT USAGE ON FOREIGN SERVER vr_server TO vr_owner;
SET ROLE vr_owner;
CREATE SCHEMA vr_foreign;
CREATE FOREIGN TABLE vr_foreign.shops (shop_id integer OPTIONS (key 'true'), name text, city text, opened date) SERVER vr_server;
CREATE FOREIGN TABLE vr_foreign.sales (sale_no integer OPTIONS (key 'true'), shop_id integer, amount numeric) SERVER vr_server;
CREATE FOREIGN TABLE vr_foreign.units (unit text OPTIONS (key 'true'), meaning text) SERVER vr_server;
\pset format unaligned
SELECT * FROM lyftron.propose_vault('vr_server', staging => 'staged');
\pset format aligned

-- streams of a connector, with their primary keys
RESET ROLE;
CREATE SERVER vr_rest FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights', config '{"base_url": "http://127.0.0.1:1"}');
CREATE SCHEMA vr_rest;
IMPORT FOREIGN SCHEMA "default" LIMIT TO (airlines, planes, flights, weather) FROM SERVER vr_rest INTO vr_rest;
\pset format unaligned
SELECT statement, reason FROM lyftron.propose_vault('vr_rest') WHERE statement ~ 'create_(hub|reference|link)';
\pset format aligned
DROP SCHEMA vr_rest CASCADE;
DROP SERVER vr_rest CASCADE;
SET ROLE vr_owner;

SELECT lyftron.propose_vault();
SELECT lyftron.propose_vault('vr_server', 'vr');
SELECT lyftron.propose_vault('nothing');
SELECT lyftron.propose_vault(schema => 'nothing');
SELECT lyftron.drop_vault('vr_vault', true);
DROP SCHEMA vr, vr_names, vr_foreign, vr_vault CASCADE;
RESET ROLE;
DROP SERVER vr_server CASCADE;
REVOKE CREATE ON DATABASE :"DBNAME" FROM vr_owner;
DROP ROLE vr_owner;
