-- Parsing strategies: jsonb, flatten, normalize, raw.
CREATE SCHEMA nested;
SET search_path = nested;
CREATE TABLE src (id int, at int, doc jsonb);
INSERT INTO src VALUES
	(1, 1, '{"name": "ann", "address": {"city": "Oslo", "geo": {"lat": 59.9, "lon": 10.7}}, "tags": ["a", "b"], "orders": [{"no": 1, "lines": [{"sku": "x", "n": 2}, {"sku": "y", "n": 1}]}, {"no": 2, "lines": []}]}'),
	(2, 2, '{"name": "bob", "address": null, "tags": [], "orders": [{"no": 3}]}'),
	(3, 3, NULL),
	(4, 4, '{"name": null, "address": {"city": "Rome"}, "tags": null}');

SELECT lyftron.create_pipeline('flat', source => 'src', destination => 'flat', nested => 'flatten', primary_key => '{id}', mode => 'incremental', cursor => 'at');
CALL lyftron.run('flat');
SELECT id, doc_name, doc_address_city, doc_address_geo_lat, doc_tags, doc_orders, _lyftron_extra FROM flat ORDER BY id;
-- what does not fit the shape that was learned is kept beside it
INSERT INTO src VALUES (5, 5, '{"name": {"first": "eve"}, "address": {"city": "Bonn", "zip": "53111", "geo": {"lat": "north"}}, "more": [1]}'), (6, 6, '"just text"');
CALL lyftron.run('flat');
SELECT id, doc_name, doc_address_city, doc_address_geo_lat, _lyftron_extra FROM flat WHERE id > 4 ORDER BY id;
DELETE FROM src WHERE id > 4;

-- normalize: lists become tables
SELECT lyftron.create_pipeline('norm', source => 'src', destination => 'norm', nested => 'normalize', primary_key => '{id}', mode => 'incremental', cursor => 'at');
CALL lyftron.run('norm');
SELECT id, doc_name, doc_address_city, _lyftron_extra FROM norm ORDER BY id;
CREATE VIEW tags AS SELECT n.id, t._lyftron_index AS index, t.value FROM norm n JOIN norm__doc_tags t ON t._lyftron_parent_id = n._lyftron_id ORDER BY 1, 2;
CREATE VIEW lines AS SELECT n.id, o.no, l._lyftron_index AS index, l.sku, l.n, l._lyftron_root_id = n._lyftron_id AS root
	FROM norm n JOIN norm__doc_orders o ON o._lyftron_parent_id = n._lyftron_id
	LEFT JOIN norm__doc_orders__lines l ON l._lyftron_parent_id = o._lyftron_id ORDER BY 1, 2, 3;
SELECT * FROM tags;
SELECT * FROM lines;
-- children follow their record: the last version of it, twice in one run
UPDATE src SET at = 10, doc = jsonb_set(doc, '{tags}', '["z"]') WHERE id = 1;
INSERT INTO src VALUES (2, 11, '{"name": "bob", "tags": ["p", "q", "r"], "orders": [{"no": 3}]}'), (2, 12, '{"name": "bob2", "tags": ["p"]}');
CALL lyftron.run('norm');
SELECT id, doc_name FROM norm ORDER BY id;
SELECT * FROM tags;
SELECT * FROM lines;
SELECT rows_read, rows_written FROM lyftron.jobs WHERE pipeline = 'norm' ORDER BY id DESC LIMIT 1;

-- the same as a full refresh
SELECT lyftron.create_pipeline('norm_full', source => 'src', destination => 'normf', nested => 'normalize', primary_key => '{id}');
CALL lyftron.run('norm_full');
CALL lyftron.run('norm_full');
SELECT count(*) FROM normf;
SELECT n.id, t.value FROM normf n JOIN normf__doc_tags t ON t._lyftron_parent_id = n._lyftron_id ORDER BY 1, 2;
SELECT (SELECT count(*) FROM normf__doc_tags), (SELECT count(*) FROM normf__doc_orders), (SELECT count(*) FROM normf__doc_orders__lines);
SELECT relname FROM pg_class WHERE relnamespace = 'nested'::regnamespace AND relkind = 'r' ORDER BY 1;

-- append keeps the versions, and their children
SELECT lyftron.create_pipeline('norm_app', source => 'src', destination => 'norma', nested => 'normalize', mode => 'incremental_append', cursor => 'at');
CALL lyftron.run('norm_app');
CALL lyftron.run('norm_app');
SELECT n.id, n.at, count(t.value) FROM norma n LEFT JOIN norma__doc_tags t ON t._lyftron_parent_id = n._lyftron_id GROUP BY 1, 2 ORDER BY 1, 2;

-- raw: the record, whole
SELECT lyftron.create_pipeline('raw', source => 'SELECT id, at, doc -> ''name'' AS name FROM src', destination => 'raw', nested => 'raw', primary_key => '{id}', mode => 'incremental', cursor => 'at');
CALL lyftron.run('raw');
SELECT record FROM raw ORDER BY record -> 'id';
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'nested' AND table_name = 'raw' ORDER BY ordinal_position;
SELECT lyftron.state_json('raw');

-- items that are lists, scalars among objects, and a json column
CREATE TABLE odd (id int, j json);
INSERT INTO odd VALUES (1, '{"matrix": [[1, 2], [3]], "mixed": [1, {"a": 2}], "empty": [], "deep": {"l": [{"m": [true]}]}}');
SELECT lyftron.create_pipeline('odd', source => 'odd', destination => 'odd_copy', nested => 'normalize');
CALL lyftron.run('odd');
SELECT id, _lyftron_extra FROM odd_copy;
SELECT _lyftron_index FROM odd_copy__j_matrix ORDER BY 1;
SELECT value FROM odd_copy__j_matrix__value ORDER BY _lyftron_parent_id, _lyftron_index;
SELECT value FROM odd_copy__j_mixed ORDER BY _lyftron_index;
SELECT value FROM odd_copy__j_deep_l__m;
SELECT relname FROM pg_class WHERE relnamespace = 'nested'::regnamespace AND relkind = 'r' AND relname LIKE 'odd%' ORDER BY 1;

SELECT lyftron.drop_pipeline(name) FROM lyftron.pipelines;
SET client_min_messages = warning;
DROP SCHEMA nested CASCADE;
