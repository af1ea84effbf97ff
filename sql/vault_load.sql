-- Loads of a data vault: what is new is inserted, what comes again changes nothing, what is late lands in its place.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE TABLE vl_stage (id integer, region text, name text, rank numeric, at timestamptz, op text);
SELECT lyftron.create_vault('vl', 'vl_vault');
SELECT lyftron.create_hub('vl', 'hub_customer', 'vl_stage', '{id}', load_date => 'at');
SELECT lyftron.create_hub('vl', 'hub_region', 'vl_stage', '{region}', load_date => 'at');
SELECT lyftron.create_link('vl', 'link_customer_region', 'vl_stage', '{hub_customer, hub_region}', '{id, region}', load_date => 'at');
SELECT lyftron.create_satellite('vl', 'sat_customer', 'hub_customer', 'vl_stage', '{id}', '{name, rank}', load_date => 'at');

CREATE VIEW vl_sat AS SELECT h.id, s.load_date, s.load_seq, s.name, s.rank FROM vl_vault.sat_customer s JOIN vl_vault.hub_customer h USING (customer_hk)
	WHERE h.record_source NOT IN ('SYSTEM', 'ERROR') ORDER BY h.id, s.load_date, s.load_seq;

-- a key has A on the first day, and B on the second one
INSERT INTO vl_stage VALUES (1, 'north', 'A', 1, '2026-01-01', 'I'), (1, 'north', 'B', 1, '2026-01-02', 'U'), (2, 'south', 'S', 2, '2026-01-02', 'I');
SELECT * FROM lyftron.load_vault('vl');
TABLE vl_sat;

-- the same batch again
SELECT * FROM lyftron.load_vault('vl');
TABLE vl_sat;

-- a late row that differs from the version before it; and one that does not
TRUNCATE vl_stage;
INSERT INTO vl_stage VALUES (1, 'north', 'L', 1, '2026-01-01 12:00', 'U'), (1, 'north', 'B', 1, '2026-01-02 12:00', 'U');
SELECT * FROM lyftron.load_vault('vl');
TABLE vl_sat;

-- a new key that is older than all others; two different rows of one key and time, twice
TRUNCATE vl_stage;
INSERT INTO vl_stage VALUES (3, 'north', 'N', 3, '2025-12-01', 'I'), (4, 'west', 'x', 1, '2026-01-03', 'I'), (4, 'west', 'y', 1, '2026-01-03', 'U'), (4, 'west', 'x', 1, '2026-01-03', 'U');
SELECT * FROM lyftron.load_vault('vl');
SELECT * FROM lyftron.load_vault('vl');
SELECT * FROM vl_sat WHERE id >= 3;

-- B again, then A: a change back
TRUNCATE vl_stage;
INSERT INTO vl_stage VALUES (1, 'north', 'B', 1, '2026-01-06', 'U'), (1, 'north', 'A', 1, '2026-01-07', 'U');
SELECT * FROM lyftron.load_vault('vl', tables => '{sat_customer}');
SELECT * FROM vl_sat WHERE id = 1;

-- changes of one key in a batch keep their order, whatever the order of the rows: also where the last one is like the version that is there
TRUNCATE vl_stage;
INSERT INTO vl_stage VALUES (1, 'north', 'A', 1, '2026-01-10', 'U'), (1, 'north', 'D', 1, '2026-01-09', 'U'), (1, 'north', 'C', 1, '2026-01-08', 'U');
SELECT * FROM lyftron.load_vault('vl', 'vl_stage');
SELECT * FROM vl_sat WHERE id = 1 AND load_date > '2026-01-06';
SELECT * FROM lyftron.load_vault('vl', 'public.vl_stage');

-- of rows of one load date the first is like the version before: it is no new one when they come again
TRUNCATE vl_stage;
INSERT INTO vl_stage VALUES (1, 'north', 'A', 1, '2026-01-20', 'U'), (1, 'north', 'E', 1, '2026-01-20', 'U');
SELECT * FROM lyftron.load_vault('vl', tables => '{sat_customer}');
SELECT * FROM lyftron.load_vault('vl', tables => '{sat_customer}');
SELECT * FROM vl_sat WHERE id = 1 AND load_date > '2026-01-09';

-- a hub keeps what came first: the earliest of a load, and what it has
SELECT id, load_date, record_source FROM vl_vault.hub_customer ORDER BY id, load_date, record_source;
SELECT region, load_date, record_source FROM vl_vault.hub_region ORDER BY region;

-- keys that are null go to the zero key
TRUNCATE vl_stage;
INSERT INTO vl_stage VALUES (NULL, 'north', 'nobody', 0, '2026-01-11', 'I'), (5, NULL, 'nowhere', 0, '2026-01-11', 'I');
SELECT * FROM lyftron.load_vault('vl');
SELECT c.id, r.region, l.load_date FROM vl_vault.link_customer_region l JOIN vl_vault.hub_customer c USING (customer_hk)
	JOIN vl_vault.hub_region r USING (region_hk) ORDER BY 1, 2, 3;

-- ... or are skipped, or fail
SELECT lyftron.create_vault('vl_skip', 'vl_vault', null_keys => 'skip');
SELECT lyftron.create_hub('vl_skip', 'hub_skip', 'vl_stage', '{id}', load_date => 'at');
SELECT * FROM lyftron.load_vault('vl_skip');
SELECT lyftron.create_vault('vl_fail', 'vl_vault', null_keys => 'fail', ghosts => false);
SELECT lyftron.create_hub('vl_fail', 'hub_fail', 'vl_stage', '{id}', load_date => 'at');
SELECT * FROM lyftron.load_vault('vl_fail');
UPDATE vl_stage SET id = 6, at = NULL WHERE id IS NULL;
SELECT * FROM lyftron.load_vault('vl_fail');
SELECT count(*) FROM vl_vault.hub_fail;

-- tables that somebody put a trigger, a check, a default or a generated column on
ALTER TABLE vl_vault.hub_fail ADD CHECK (id < 1000), ADD noted timestamptz DEFAULT '2026-02-01', ADD twice integer GENERATED ALWAYS AS (id * 2) STORED;
TRUNCATE vl_stage;
INSERT INTO vl_stage SELECT i, 'r', 'n', 0, '2026-01-12', 'I' FROM generate_series(7, 9) i;
SELECT * FROM lyftron.load_vault('vl_fail');
SELECT id, noted, twice FROM vl_vault.hub_fail ORDER BY id;
UPDATE vl_stage SET id = 1001 WHERE id = 9;
SELECT * FROM lyftron.load_vault('vl_fail');

-- only what the stage got since
CREATE TABLE vl_feed (id integer, name text, _lyftron_loaded_at timestamptz DEFAULT '2026-03-01');
INSERT INTO vl_feed SELECT i, 'n' FROM generate_series(1, 5) i;
SELECT lyftron.create_vault('vl_inc', 'vl_vault');
SELECT lyftron.create_hub('vl_inc', 'hub_thing', 'vl_feed', '{id AS thing}');
SELECT lyftron.create_satellite('vl_inc', 'sat_thing', 'hub_thing', 'vl_feed', '{id}');
SELECT * FROM lyftron.load_vault('vl_inc');
INSERT INTO vl_feed VALUES (1, 'm', '2026-03-02'), (6, 'n', '2026-03-02');
SELECT * FROM lyftron.load_vault('vl_inc');
SELECT source, rows_read, position, table_name, candidates, inserted, known FROM lyftron.vault_loads WHERE vault = 'vl_inc' ORDER BY id, table_name;
-- a table that is new is filled from all of it
SELECT lyftron.create_satellite('vl_inc', 'sat_seen', 'hub_thing', 'vl_feed', '{id}', kind => 'record_tracking');
SELECT * FROM lyftron.load_vault('vl_inc');
SELECT h.thing, s.load_date, s.name FROM vl_vault.sat_thing s JOIN vl_vault.hub_thing h USING (thing_hk) WHERE h.thing IN (1, 6) ORDER BY 1, 2;

-- a pipeline for each source: behind the one that loads it
CREATE TABLE vl_raw (id integer, name text);
INSERT INTO vl_raw VALUES (11, 'k');
SELECT lyftron.create_pipeline('vl_raw', source => 'vl_raw', destination => 'vl_staged', mode => 'full_refresh');
CALL lyftron.run('vl_raw');
SELECT lyftron.create_hub('vl_inc', 'hub_thing', 'vl_staged', '{id AS thing}');
SELECT lyftron.create_hub('vl_inc', 'hub_thing', 'SELECT 12 AS thing', '{thing}', record_source => $$'by hand'$$);
SELECT * FROM lyftron.create_vault_pipelines('vl_inc', schedule => '0 * * * *');
SELECT * FROM lyftron.create_vault_pipelines('vl_inc');
SELECT name, kind, source, schedule, after FROM lyftron.pipelines WHERE name LIKE 'vl_inc%' ORDER BY name;
-- pipelines without a destination stand in no view's way
SELECT pipeline, kind, object FROM lyftron.schema_impact WHERE pipeline LIKE 'vl%';
SELECT column_name, pipeline FROM lyftron.vault_lineage WHERE vault = 'vl_inc' AND source LIKE '%staged' AND role = 'business_key';
SELECT statement FROM lyftron.propose_vault(schema => 'public') WHERE statement LIKE '%vl_raw%';
CALL lyftron.run('vl_inc.vl_staged');
CALL lyftron.run('vl_inc.query_3');
SELECT thing, record_source FROM vl_vault.hub_thing WHERE thing > 10 ORDER BY thing;
SELECT lyftron.drop_pipeline(name) FROM lyftron.pipelines WHERE name LIKE 'vl_inc%';
SELECT lyftron.drop_pipeline('vl_raw');
DROP TABLE vl_raw, vl_staged;

-- hashes by other rules: a vault of its own, which the first one fills, with all versions; what comes later the stage brings to both
SELECT lyftron.create_vault('vl_sha', 'vl_sha', '{"algorithm": "sha256"}');
SELECT lyftron.create_hub('vl_sha', 'hub_customer', $$SELECT * FROM vl_vault.hub_customer WHERE record_source NOT IN ('SYSTEM', 'ERROR')$$, '{id}', load_date => 'load_date', record_source => 'record_source');
SELECT lyftron.create_satellite('vl_sha', 'sat_customer', 'hub_customer',
	$$SELECT h.id, s.name, s.rank, s.load_date, s.load_seq, s.record_source FROM vl_vault.sat_customer s JOIN vl_vault.hub_customer h USING (customer_hk) WHERE h.record_source NOT IN ('SYSTEM', 'ERROR')$$,
	'{id}', '{name, rank}', load_date => 'load_date', record_source => 'record_source', sequence => 'load_seq');
SELECT * FROM lyftron.load_vault('vl_sha');
CREATE VIEW vl_sha_sat AS SELECT h.id, s.load_date, s.load_seq, s.name, s.rank FROM vl_sha.sat_customer s JOIN vl_sha.hub_customer h USING (customer_hk)
	WHERE h.record_source NOT IN ('SYSTEM', 'ERROR') ORDER BY h.id, s.load_date, s.load_seq;
SELECT count(*) AS versions, (SELECT count(*) FROM (TABLE vl_sat EXCEPT TABLE vl_sha_sat) d) AS missing FROM vl_sha_sat;
SELECT count(*) FROM (SELECT id, load_date, record_source FROM vl_vault.hub_customer EXCEPT SELECT id, load_date, record_source FROM vl_sha.hub_customer) d;
SELECT DISTINCT octet_length(customer_hk), octet_length(hash_diff) FROM vl_sha.sat_customer;
SELECT sum(inserted) FROM lyftron.load_vault('vl_sha');
DROP VIEW vl_sha_sat;
SELECT lyftron.drop_vault('vl_sha', true);
DROP SCHEMA vl_sha;

SELECT lyftron.drop_vault('vl', true), lyftron.drop_vault('vl_skip', true), lyftron.drop_vault('vl_fail', true), lyftron.drop_vault('vl_inc', true);
SELECT count(*) FROM pg_class WHERE relnamespace = 'vl_vault'::regnamespace;
DROP SCHEMA vl_vault;
DROP TABLE vl_stage, vl_feed;
