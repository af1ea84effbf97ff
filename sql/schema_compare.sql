-- how types relate: each pair of a list, and what a change from the first to the second is
CREATE FUNCTION pg_temp.step(was text, is_now text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT kind FROM lyftron.compare_schemas(
		jsonb_build_object('columns', jsonb_build_array(jsonb_build_object('name', 'c', 'type', was))),
		jsonb_build_object('columns', jsonb_build_array(jsonb_build_object('name', 'c', 'type', is_now))))), '-')
$$;
SELECT was, string_agg(is_now, ', ' ORDER BY i) FILTER (WHERE s = 'type_widened') AS widened,
	string_agg(is_now, ', ' ORDER BY i) FILTER (WHERE s = 'type_narrowed') AS narrowed,
	string_agg(is_now, ', ' ORDER BY i) FILTER (WHERE s = 'type_changed') AS changed
FROM (SELECT a.n AS was, b.n AS is_now, b.i, pg_temp.step(a.n, b.n) AS s, a.i AS o
	FROM unnest('{boolean,smallint,integer,bigint,numeric(8\,2),numeric(12\,3),numeric,real,double precision,date,timestamp without time zone,timestamp with time zone,uuid,character varying(10),character varying(20),text,json,jsonb}'::text[]) WITH ORDINALITY AS a (n, i),
		unnest('{boolean,smallint,integer,bigint,numeric(8\,2),numeric(12\,3),numeric,real,double precision,date,timestamp without time zone,timestamp with time zone,uuid,character varying(10),character varying(20),text,json,jsonb}'::text[]) WITH ORDINALITY AS b (n, i)) x
WHERE was <> is_now GROUP BY was, o ORDER BY o;

-- a widening loses nothing: each value is there again after the way back
SELECT count(*) FROM (VALUES ('numeric(8,2)', 'double precision', '123456.78'), ('real', 'double precision', '1.5'), ('bigint', 'numeric', '9223372036854775807'),
	('integer', 'bigint', '-2147483648'), ('boolean', 'integer', 'true')) AS v (was, is_now, value) WHERE pg_temp.step(was, is_now) = 'type_widened';

-- all that may change of a column and of a stream
SELECT * FROM lyftron.compare_schemas('{"columns": [{"name": "id", "type": "integer", "key": true, "not_null": true, "number": 1}, {"name": "old", "type": "text", "number": 2},
	{"name": "gone", "type": "date", "number": 3}, {"name": "state", "type": "text", "enum": ["a"], "default": "''x''::text", "cursor": true, "number": 4}]}',
	'{"columns": [{"name": "id", "type": "integer", "number": 1}, {"name": "new", "type": "character varying(5)", "number": 2}, {"name": "state", "type": "text", "enum": ["a", "b"], "number": 4},
	{"name": "more", "type": "jsonb", "key": true, "number": 7}]}');

-- without numbers a new name is a guess, where there is one pair of the same type at the same place
SELECT kind, column_name, was, is_now, evidence FROM lyftron.compare_schemas('{"columns": [{"name": "a", "type": "text"}, {"name": "b", "type": "date"}]}', '{"columns": [{"name": "a", "type": "text"}, {"name": "c", "type": "date"}]}');
SELECT kind, column_name FROM lyftron.compare_schemas('{"columns": [{"name": "a", "type": "text"}, {"name": "b", "type": "date"}]}', '{"columns": [{"name": "a", "type": "text"}, {"name": "c", "type": "text"}]}');
SELECT kind, column_name FROM lyftron.compare_schemas('{"columns": [{"name": "a", "type": "text"}, {"name": "b", "type": "date"}]}', '{"columns": [{"name": "a", "type": "text"}, {"name": "c", "type": "date"}, {"name": "d", "type": "date"}]}');

-- nothing, and what is no schema
SELECT * FROM lyftron.compare_schemas('{"columns": []}', '{}');
SELECT kind FROM lyftron.compare_schemas('{"columns": [{"name": "a", "type": "text"}]}', '{"columns": [{"name": "a", "type": "no such type"}]}');
