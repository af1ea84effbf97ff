-- Satellites of other kinds than the standard one, links of all kinds, and reference tables.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE TABLE vs_phone (id integer, phone text, kind text, at timestamptz);
SELECT lyftron.create_vault('vs', 'vs_vault');
SELECT lyftron.create_hub('vs', 'hub_customer', 'vs_phone', '{id}', load_date => 'at');
SELECT lyftron.create_satellite('vs', 'sat_phone', 'hub_customer', 'vs_phone', '{id}', '{kind}', kind => 'multi_active', sub_key => '{phone}', load_date => 'at');
CREATE VIEW vs_phones AS SELECT h.id, s.load_date, array_agg(s.phone || ' ' || s.kind ORDER BY s.load_seq) AS phones
	FROM vs_vault.sat_phone s JOIN vs_vault.hub_customer h USING (customer_hk) WHERE h.id > 0 GROUP BY 1, 2 ORDER BY 1, 2;

-- a set is written where it is another one than before: one changed member writes all of it
INSERT INTO vs_phone VALUES (1, '11', 'home', '2026-01-01'), (1, '12', 'work', '2026-01-01'), (2, '21', 'home', '2026-01-01');
SELECT table_name, inserted FROM lyftron.load_vault('vs');
TRUNCATE vs_phone;
INSERT INTO vs_phone VALUES (1, '11', 'home', '2026-01-02'), (1, '12', 'mobile', '2026-01-02'), (2, '21', 'home', '2026-01-02');
SELECT table_name, inserted FROM lyftron.load_vault('vs');
SELECT table_name, inserted FROM lyftron.load_vault('vs');
-- a member that is gone; one that comes late to its set; a set that is late as a whole
TRUNCATE vs_phone;
INSERT INTO vs_phone VALUES (1, '12', 'mobile', '2026-01-03'), (2, '22', 'work', '2026-01-01'), (1, '10', 'home', '2025-12-31');
SELECT table_name, inserted FROM lyftron.load_vault('vs');
TABLE vs_phones;
-- each member has a hash difference of its own
SELECT count(*), count(*) FILTER (WHERE hash_diff = lyftron.hash_diff('{}', phone, kind)) AS of_the_member FROM vs_vault.sat_phone WHERE record_source NOT IN ('SYSTEM', 'ERROR');

-- who works where: the customer drives
CREATE TABLE vs_job (id integer, shop integer, at timestamptz);
SELECT lyftron.create_hub('vs', 'hub_shop', 'vs_job', '{shop}', load_date => 'at');
SELECT lyftron.create_hub('vs', 'hub_customer', 'vs_job', '{id}', load_date => 'at');
SELECT lyftron.create_link('vs', 'link_job', 'vs_job', '{hub_customer, hub_shop}', '{id, shop}', load_date => 'at');
SELECT lyftron.create_satellite('vs', 'sat_job', 'link_job', 'vs_job', '{id, shop}', kind => 'effectivity', driving_key => '{hub_customer}', load_date => 'at');
CREATE VIEW vs_jobs AS SELECT c.id, p.shop, s.load_date, s.load_seq, s.is_active FROM vs_vault.sat_job s JOIN vs_vault.link_job l USING (job_hk)
	JOIN vs_vault.hub_customer c USING (customer_hk) JOIN vs_vault.hub_shop p USING (shop_hk) ORDER BY 1, 3, 2, 4;
INSERT INTO vs_job VALUES (1, 100, '2026-01-01'), (2, 200, '2026-01-01'), (2, 201, '2026-01-01');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_job');
TRUNCATE vs_job;
INSERT INTO vs_job VALUES (1, 101, '2026-01-05'), (2, 201, '2026-01-05'), (3, 300, '2026-01-05');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_job');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_job');
TABLE vs_jobs;
-- late: in between the first one was somewhere else; what is valid after that stays so
TRUNCATE vs_job;
INSERT INTO vs_job VALUES (1, 102, '2026-01-03'), (3, 301, '2026-01-07'), (3, 300, '2026-01-09');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_job');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_job');
SELECT * FROM vs_jobs WHERE id IN (1, 3);

-- what comes whole: who is not in it any more is gone
CREATE TABLE vs_member (id integer, club integer, at timestamptz);
SELECT lyftron.create_hub('vs', 'hub_club', 'vs_member', '{club}', load_date => 'at');
SELECT lyftron.create_link('vs', 'link_member', 'vs_member', '{hub_customer, hub_club}', '{id, club}', load_date => 'at');
SELECT lyftron.create_satellite('vs', 'sat_member', 'link_member', 'vs_member', '{id, club}', kind => 'effectivity', full_load => true, load_date => 'at');
SELECT lyftron.create_satellite('vs', 'sat_club', 'hub_club', 'vs_member', '{club}', kind => 'status_tracking', full_load => true, load_date => 'at');
INSERT INTO vs_member VALUES (1, 7, '2026-01-01'), (2, 7, '2026-01-01'), (1, 8, '2026-01-01');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_member');
UPDATE vs_member SET at = '2026-01-02';
DELETE FROM vs_member WHERE club = 8;
INSERT INTO vs_member VALUES (3, 9, '2026-01-02');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_member');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_member');
UPDATE vs_member SET at = '2026-01-03';
INSERT INTO vs_member VALUES (1, 8, '2026-01-03');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_member');
SELECT h.club, s.load_date, s.status FROM vs_vault.sat_club s JOIN vs_vault.hub_club h USING (club_hk) ORDER BY 1, 2;
SELECT h.club, s.load_date, s.is_active, count(*) FROM vs_vault.sat_member s JOIN vs_vault.link_member USING (member_hk) JOIN vs_vault.hub_club h USING (club_hk) GROUP BY 1, 2, 3 ORDER BY 1, 2;
-- one that is older than the last is left out, and so is an empty one
SET client_min_messages = notice;
UPDATE vs_member SET at = '2026-01-02 12:00';
DELETE FROM vs_member WHERE club = 7;
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_member', '{sat_club}');
SET client_min_messages = warning;
TRUNCATE vs_member;
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_member');

-- the events of a source that tells of them
CREATE TABLE vs_event (id integer, op text, at timestamptz);
SELECT lyftron.create_satellite('vs', 'sat_status', 'hub_customer', 'vs_event', '{id}', kind => 'status_tracking', operation => 'op', load_date => 'at');
SELECT lyftron.create_satellite('vs', 'sat_seen', 'hub_customer', 'vs_event', '{id}', kind => 'record_tracking', load_date => 'at');
INSERT INTO vs_event VALUES (1, 'c', '2026-01-01'), (1, 'update', '2026-01-01'), (1, 'D', '2026-01-02'), (1, 'c', '2026-01-01');
SELECT table_name, inserted, known FROM lyftron.load_vault('vs', 'vs_event');
SELECT table_name, inserted, known FROM lyftron.load_vault('vs', 'vs_event');
SELECT h.id, s.load_date, s.load_seq, s.status FROM vs_vault.sat_status s JOIN vs_vault.hub_customer h USING (customer_hk) ORDER BY 1, 2, 3;
INSERT INTO vs_event VALUES (1, 'resurrected', '2026-01-03');
SELECT * FROM lyftron.load_vault('vs', 'vs_event');
TRUNCATE vs_event;
INSERT INTO vs_event VALUES (1, NULL, '2026-01-03');
SELECT * FROM lyftron.load_vault('vs', 'vs_event');

-- links: with a dependent key and columns of their own, between roles of one hub
CREATE TABLE vs_sale (id integer, shop integer, line integer, amount numeric, manager integer, of integer, at timestamptz);
SELECT lyftron.create_link('vs', 'link_sale', 'vs_sale', '{hub_customer, hub_shop}', '{id, shop}', dependent_key => '{line}', columns => '{amount}', kind => 'non_historized', load_date => 'at');
SELECT lyftron.create_link('vs', 'link_reports', 'vs_sale', '{hub_customer AS manager, hub_customer AS employee}', '{manager, id}', kind => 'hierarchical', load_date => 'at');
SELECT lyftron.create_link('vs', 'link_same', 'vs_sale', '{hub_customer AS master, hub_customer AS duplicate}', '{of, id}', kind => 'same_as', load_date => 'at');
SELECT lyftron.create_satellite('vs', 'sat_sale', 'link_sale', 'vs_sale', '{id, shop, line}', '{amount AS last_amount}', load_date => 'at');
INSERT INTO vs_sale VALUES (1, 100, 1, 9.5, 2, 3, '2026-01-01'), (1, 100, 2, 1.25, 2, 3, '2026-01-01'), (1, 100, 1, 9.5, 2, 3, '2026-01-02');
SELECT * FROM lyftron.load_vault('vs', 'vs_sale');
SELECT table_name, inserted FROM lyftron.load_vault('vs', 'vs_sale');
SELECT c.id, p.shop, l.line, l.amount, l.load_date, s.last_amount FROM vs_vault.link_sale l JOIN vs_vault.sat_sale s USING (sale_hk) JOIN vs_vault.hub_customer c USING (customer_hk)
	JOIN vs_vault.hub_shop p USING (shop_hk) WHERE l.line > 0 ORDER BY l.line;
SELECT count(*) FROM vs_vault.link_reports JOIN vs_vault.hub_customer c ON c.customer_hk = employee_hk WHERE c.id = 1;

-- reference tables
CREATE TABLE vs_code (code text, meaning text, at timestamptz);
SELECT lyftron.create_reference('vs', 'ref_code', 'vs_code', '{code}', '{meaning}', load_date => 'at');
SELECT lyftron.create_reference('vs', 'ref_code_history', 'vs_code', '{code}', '{meaning}', history => true, load_date => 'at');
INSERT INTO vs_code VALUES ('a', 'first', '2026-01-01'), ('b', 'second', '2026-01-01'), ('a', 'changed', '2026-01-03'), (NULL, 'none', '2026-01-01');
SELECT * FROM lyftron.load_vault('vs', 'vs_code');
SELECT * FROM lyftron.load_vault('vs', 'vs_code');
TRUNCATE vs_code;
INSERT INTO vs_code VALUES ('a', 'late', '2026-01-02'), ('b', 'second', '2026-01-02'), ('b', 'third', '2026-01-02');
SELECT * FROM lyftron.load_vault('vs', 'vs_code');
-- of rows of one load date the first is like the version before
TRUNCATE vs_code;
INSERT INTO vs_code VALUES ('a', 'changed', '2026-01-09'), ('a', 'again', '2026-01-09');
SELECT * FROM lyftron.load_vault('vs', 'vs_code');
SELECT * FROM lyftron.load_vault('vs', 'vs_code');
SELECT code, load_date, meaning FROM vs_vault.ref_code ORDER BY 1;
SELECT code, load_date, load_seq, meaning FROM vs_vault.ref_code_history ORDER BY 1, 2, 3;

SELECT lyftron.drop_vault('vs', true);
DROP SCHEMA vs_vault CASCADE;
DROP VIEW IF EXISTS vs_phones, vs_jobs;
DROP TABLE vs_phone, vs_job, vs_member, vs_event, vs_sale, vs_code;
