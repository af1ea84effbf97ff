-- Snapshots of a vault: point-in-time tables and bridges, filled by what is new, and put right where rows came late.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET jit = off;
CREATE ROLE vp_owner; CREATE ROLE vp_other;
GRANT CREATE ON DATABASE :"DBNAME" TO vp_owner;
CREATE SCHEMA vp AUTHORIZATION vp_owner;
SET ROLE vp_owner;
SET search_path = vp;
CREATE TABLE customer (id integer, city text, at timestamptz);
CREATE TABLE phone (id integer, kind text, number text, at timestamptz);
CREATE TABLE orders (no integer, customer integer, at timestamptz);
CREATE TABLE line (no integer, item text, at timestamptz);
INSERT INTO customer SELECT i, i || '-' || d, timestamptz '2026-01-01' + d * interval '1 day' FROM generate_series(1, 50) i, generate_series(0, 6) d WHERE i % 7 >= d;
INSERT INTO phone SELECT i, k, i || k || d, timestamptz '2026-01-01 06:00' + d * interval '2 days' FROM generate_series(1, 50, 2) i, unnest('{home,work}'::text[]) k, generate_series(0, 2) d WHERE i % 3 >= d;
INSERT INTO orders SELECT i, i % 50 + 1, '2026-01-02' FROM generate_series(1, 120) i;
INSERT INTO orders SELECT i, i % 20 + 1, '2026-01-05' FROM generate_series(1, 120, 3) i;
INSERT INTO orders VALUES (121, NULL, '2026-01-02');
INSERT INTO line SELECT i % 100 + 1, 'item ' || i % 7, '2026-01-04' FROM generate_series(1, 300) i;
SELECT lyftron.create_vault('vp', 'vp_vault');
SELECT lyftron.create_hub('vp', 'hub_customer', 'customer', '{id}', load_date => 'at');
SELECT lyftron.create_hub('vp', 'hub_order', 'orders', '{no}', load_date => 'at');
SELECT lyftron.create_hub('vp', 'hub_item', 'line', '{item}', load_date => 'at');
SELECT lyftron.create_link('vp', 'link_order', 'orders', '{hub_order, hub_customer}', '{no, customer}', load_date => 'at');
SELECT lyftron.create_link('vp', 'link_line', 'line', '{hub_order, hub_item}', '{no, item}', load_date => 'at');
SELECT lyftron.create_satellite('vp', 'sat_customer', 'hub_customer', 'customer', '{id}', load_date => 'at');
SELECT lyftron.create_satellite('vp', 'sat_phone', 'hub_customer', 'phone', '{id}', kind => 'multi_active', sub_key => '{kind}', load_date => 'at');
SELECT lyftron.create_satellite('vp', 'rts_customer', 'hub_customer', 'customer', '{id}', kind => 'record_tracking', load_date => 'at');
SELECT lyftron.create_satellite('vp', 'eff_order', 'link_order', 'orders', '{no, customer}', kind => 'effectivity', driving_key => '{hub_order}', load_date => 'at');
SELECT count(*) FROM lyftron.load_vault('vp');

CREATE TABLE snaps (at timestamptz PRIMARY KEY);
-- one before all, one at a load date
INSERT INTO snaps SELECT timestamptz '2025-12-31 12:00' + i * interval '1 day' FROM generate_series(0, 6) i UNION SELECT '2026-01-03';
SELECT lyftron.create_pit('vp', 'pit_customer', 'hub_customer', '{sat_customer, sat_phone, rts_customer}', 'snaps');
SELECT lyftron.create_bridge('vp', 'bridge_customer', 'hub_customer', '{link_order, link_line}', 'SELECT at FROM snaps');
\d vp_vault.pit_customer
\d vp_vault.bridge_customer
SELECT name, kind, parent, definition FROM lyftron.vault_tables WHERE vault = 'vp' AND kind IN ('pit', 'bridge') ORDER BY name;

-- what they should be, written by hand
CREATE VIEW pit_expected AS
	SELECT s.at, h.customer_hk,
		coalesce(a.customer_hk, decode(repeat('00', 16), 'hex')) a, coalesce(a.load_date, '0001-01-01 00:00:01+00') b, coalesce(a.load_seq, 0) c,
		coalesce(p.customer_hk, decode(repeat('00', 16), 'hex')) d, coalesce(p.load_date, '0001-01-01 00:00:01+00') e,
		coalesce(r.customer_hk, decode(repeat('00', 16), 'hex')) f, coalesce(r.load_date, '0001-01-01 00:00:01+00') g
	FROM snaps s CROSS JOIN vp_vault.hub_customer h
		LEFT JOIN LATERAL (SELECT * FROM vp_vault.sat_customer x WHERE x.customer_hk = h.customer_hk AND x.load_date <= s.at ORDER BY load_date DESC, load_seq DESC LIMIT 1) a ON true
		LEFT JOIN LATERAL (SELECT * FROM vp_vault.sat_phone x WHERE x.customer_hk = h.customer_hk AND x.load_date <= s.at ORDER BY load_date DESC LIMIT 1) p ON true
		LEFT JOIN LATERAL (SELECT * FROM vp_vault.rts_customer x WHERE x.customer_hk = h.customer_hk AND x.load_date <= s.at ORDER BY load_date DESC LIMIT 1) r ON true
	WHERE least(h.load_date, a.load_date, p.load_date, r.load_date) <= s.at;
CREATE VIEW pit_difference AS (TABLE pit_expected EXCEPT TABLE vp_vault.pit_customer) UNION ALL (TABLE vp_vault.pit_customer EXCEPT TABLE pit_expected);
CREATE VIEW bridge_expected AS
	SELECT s.at, h.customer_hk, coalesce(o.link_order_hk, z) a, coalesce(o.order_hk, z) b, coalesce(l.line_hk, z) c, coalesce(l.item_hk, z) d
	FROM snaps s CROSS JOIN (SELECT decode(repeat('00', 16), 'hex') z) z JOIN vp_vault.hub_customer h ON h.load_date <= s.at
		LEFT JOIN vp_vault.link_order o ON o.customer_hk = h.customer_hk AND h.record_source NOT IN ('SYSTEM', 'ERROR') AND
			(SELECT e.is_active FROM vp_vault.eff_order e WHERE e.link_order_hk = o.link_order_hk AND e.load_date <= s.at ORDER BY e.load_date DESC, e.load_seq DESC LIMIT 1)
		LEFT JOIN vp_vault.link_line l ON l.order_hk = o.order_hk AND l.load_date <= s.at;
CREATE VIEW bridge_difference AS (TABLE bridge_expected EXCEPT TABLE vp_vault.bridge_customer) UNION ALL (TABLE vp_vault.bridge_customer EXCEPT TABLE bridge_expected);

SELECT * FROM lyftron.refresh_pit('vp', 'pit_customer');
SELECT * FROM lyftron.refresh_bridge('vp', 'bridge_customer');
SELECT (SELECT count(*) FROM pit_difference) AS pit, (SELECT count(*) FROM bridge_difference) AS bridge, (SELECT count(*) FROM bridge_expected) AS rows;
-- nothing is new
SELECT * FROM lyftron.refresh_pit('vp', 'pit_customer');
SELECT * FROM lyftron.refresh_bridge('vp', 'bridge_customer');
-- all satellites by inner joins: no row is lost, though many keys have no phone
SELECT count(*) = (SELECT count(*) FROM vp_vault.pit_customer) AS all_rows, count(*) FILTER (WHERE p.number = '(unknown)') > 0 AS without_phone
FROM vp_vault.pit_customer t JOIN vp_vault.hub_customer h USING (customer_hk)
	JOIN vp_vault.sat_customer s ON s.customer_hk = t.sat_customer_hk AND s.load_date = t.sat_customer_load_date AND s.load_seq = t.sat_customer_load_seq
	JOIN (SELECT DISTINCT ON (customer_hk, load_date) * FROM vp_vault.sat_phone ORDER BY customer_hk, load_date, kind) p ON p.customer_hk = t.sat_phone_hk AND p.load_date = t.sat_phone_load_date;

-- rows that come late: a version between two, one of a key that nobody knew, another customer of an order for a day
INSERT INTO customer VALUES (3, 'late', '2026-01-02 18:00'), (500, 'new', '2026-01-01 06:00');
INSERT INTO orders VALUES (3, 44, '2026-01-03 06:00');
INSERT INTO phone VALUES (900, 'home', '900', '2026-01-01 07:00');
SELECT table_name, inserted FROM lyftron.load_vault('vp') WHERE inserted > 0;
SELECT (SELECT count(*) FROM pit_difference) > 0 AS pit, (SELECT count(*) FROM bridge_difference) > 0 AS bridge;
SELECT * FROM lyftron.refresh_pit('vp', 'pit_customer');
SELECT * FROM lyftron.refresh_bridge('vp', 'bridge_customer');
SELECT (SELECT count(*) FROM pit_difference) AS pit, (SELECT count(*) FROM bridge_difference) AS bridge;

-- a key that its hub got to know later than a satellite says
INSERT INTO customer VALUES (600, 'first', '2026-01-05');
SELECT table_name, inserted FROM lyftron.load_vault('vp') WHERE inserted > 0;
INSERT INTO customer VALUES (600, 'earlier', '2026-01-02 06:00');
SELECT table_name, inserted FROM lyftron.load_vault('vp') WHERE inserted > 0;
SELECT * FROM lyftron.refresh_pit('vp', 'pit_customer');
SELECT (SELECT count(*) FROM pit_difference) AS pit, (SELECT count(*) FROM pit_expected e JOIN vp_vault.hub_customer h USING (customer_hk) WHERE h.load_date > e.at) AS before_hub;

-- a snapshot between two, one after all; two fall out; and a late row at the same time
INSERT INTO snaps VALUES ('2026-01-02 15:00'), ('2026-02-01');
DELETE FROM snaps WHERE at < '2026-01-01 13:00';
INSERT INTO customer VALUES (3, 'later', '2026-01-02 13:00');
SELECT table_name, inserted FROM lyftron.load_vault('vp') WHERE inserted > 0;
SELECT * FROM lyftron.refresh_pit('vp', 'pit_customer');
SELECT * FROM lyftron.refresh_bridge('vp', 'bridge_customer');
SELECT (SELECT count(*) FROM pit_difference) AS pit, (SELECT count(*) FROM bridge_difference) AS bridge;

-- rows that somebody deletes
DELETE FROM vp_vault.sat_customer WHERE load_date = '2026-01-03';
SELECT * FROM lyftron.refresh_pit('vp', 'pit_customer');
SELECT (SELECT count(*) FROM pit_difference) AS pit;
-- many versions of a key: they are looked up one by one
INSERT INTO vp_vault.sat_customer SELECT customer_hk, load_date + i * interval '1 second', 0, hash_diff, record_source, city FROM vp_vault.sat_customer, generate_series(1, 60) i WHERE load_date > '2000-01-01';
ANALYZE vp_vault.sat_customer, vp_vault.hub_customer;
INSERT INTO snaps VALUES ('2026-01-04 00:00:30');
SELECT snapshots_added, rows_written > 0 AS written FROM lyftron.refresh_pit('vp', 'pit_customer');
SELECT (SELECT count(*) FROM pit_difference) AS pit;
-- a satellite that says since when links are active comes to a link
SELECT lyftron.create_satellite('vp', 'eff_line', 'link_line', 'line', '{no, item}', kind => 'effectivity', driving_key => '{hub_order}', load_date => 'at');
SELECT table_name, inserted FROM lyftron.load_vault('vp') WHERE inserted > 0;
SELECT snapshots_added, snapshots_changed FROM lyftron.refresh_bridge('vp', 'bridge_customer');
SELECT (SELECT count(*) FROM bridge_difference) AS bridge;
-- none is wanted any more
DELETE FROM snaps;
SELECT snapshots_added, snapshots_changed, snapshots_removed FROM lyftron.refresh_pit('vp', 'pit_customer');
SELECT count(*) FROM vp_vault.pit_customer;

-- moments, the older the fewer
SELECT * FROM lyftron.snapshot_times(3, 2, 2, 2, until => '2026-11-26 10:00+00');
SELECT count(*), min(t), max(t) FROM lyftron.snapshot_times(at => '06:00', zone => 'Europe/Berlin', until => '2026-07-01 03:00+00') t;
SELECT * FROM lyftron.snapshot_times(5, 0, 0, 0, since => '2026-11-25', until => '2026-11-26 00:00+00');
SELECT lyftron.create_pit('vp', 'pit_order', 'hub_order', '{}', 'snaps');
SELECT lyftron.create_pit('vp', 'pit_times', 'hub_customer', '{sat_customer}', 'SELECT lyftron.snapshot_times(2, 0, 0, 0)');
SELECT snapshots_added FROM lyftron.refresh_pit('vp', 'pit_times');
-- of a link
INSERT INTO snaps VALUES ('2026-01-03 12:00'), ('2026-01-06');
SELECT lyftron.create_pit('vp', 'pit_link', 'link_order', '{eff_order}', 'snaps');
SELECT snapshots_added FROM lyftron.refresh_pit('vp', 'pit_link');
SELECT p.snapshot_date, e.is_active, count(*) FROM vp_vault.pit_link p
	LEFT JOIN vp_vault.eff_order e ON e.link_order_hk = p.eff_order_hk AND e.load_date = p.eff_order_load_date AND e.load_seq = p.eff_order_load_seq GROUP BY 1, 2 ORDER BY 1, 2;
SELECT s.at, count(*) AS active, (SELECT count(*) FROM vp_vault.pit_link p JOIN vp_vault.eff_order e ON e.link_order_hk = p.eff_order_hk
	AND e.load_date = p.eff_order_load_date AND e.load_seq = p.eff_order_load_seq AND e.is_active WHERE p.snapshot_date = s.at) = count(*) AS same
	FROM snaps s, LATERAL (SELECT DISTINCT ON (e.link_order_hk) e.is_active FROM vp_vault.eff_order e WHERE e.load_date <= s.at ORDER BY e.link_order_hk, e.load_date DESC, e.load_seq DESC) e
	WHERE e.is_active GROUP BY 1 ORDER BY 1;

-- what is wrong
SELECT lyftron.drop_vault_table('vp', 'sat_phone');
SELECT lyftron.drop_vault_table('vp', 'link_line');
SELECT lyftron.create_pit('vp', 'pit_x', 'hub_customer', '{eff_order}', 'snaps');
SELECT lyftron.create_pit('vp', 'pit_x', 'sat_customer', '{sat_customer}', 'snaps');
SELECT lyftron.create_pit('vp', 'pit_x', 'hub_customer', '{sat_customer}', 'SELECT 1');
SELECT lyftron.create_pit('vp', 'pit_x', 'hub_customer', '{sat_customer}', 'nowhere');
SELECT lyftron.create_pit('vp', 'pit_customer', 'hub_customer', '{sat_customer}', 'snaps');
SELECT lyftron.create_bridge('vp', 'bridge_x', 'hub_customer', '{link_line}', 'snaps');
SELECT lyftron.create_bridge('vp', 'bridge_x', 'hub_customer', '{link_order, link_order}', 'snaps');
SELECT lyftron.create_bridge('vp', 'bridge_x', 'link_order', '{link_order}', 'snaps');
SELECT lyftron.refresh_pit('vp', 'bridge_customer');
SELECT lyftron.refresh_bridge('vp', 'hub_customer');
RESET ROLE;
SET ROLE vp_other;
SELECT lyftron.refresh_pit('vp', 'pit_customer');
SELECT lyftron.create_bridge('vp', 'bridge_x', 'hub_customer', '{link_order}', 'snaps');
RESET ROLE;
SELECT lyftron.drop_vault('vp', true);
SELECT count(*) FROM lyftron.vault_snapshot;
DROP SCHEMA vp_vault, vp CASCADE;
REVOKE CREATE ON DATABASE :"DBNAME" FROM vp_owner;
DROP ROLE vp_owner, vp_other;
