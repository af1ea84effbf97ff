-- what the sources of pipelines looked like, and what changed

ALTER TABLE lyftron.schema_version ADD FOREIGN KEY (pipeline) REFERENCES lyftron.pipeline (name) ON DELETE CASCADE;
ALTER TABLE lyftron.schema_change ADD FOREIGN KEY (pipeline) REFERENCES lyftron.pipeline (name) ON DELETE CASCADE;

CREATE VIEW lyftron.schema_versions WITH (security_barrier) AS
	SELECT v.pipeline, v.server, v.stream, v.version, v.noticed_at, v.role, v.run, v.columns
	FROM lyftron.schema_version v LEFT JOIN lyftron.pipeline p ON p.name = v.pipeline
		LEFT JOIN pg_catalog.pg_foreign_server f ON f.srvname = v.server
	WHERE pg_catalog.pg_has_role(p.owner, 'USAGE') OR pg_catalog.has_server_privilege(f.oid, 'USAGE');
GRANT SELECT ON lyftron.schema_versions TO PUBLIC;
COMMENT ON VIEW lyftron.schema_versions IS 'what the sources of your pipelines, and streams of servers that you may use, looked like: a row for each time that they looked otherwise';
COMMENT ON COLUMN lyftron.schema_versions.pipeline IS 'the pipeline; null: a check of a server saw it';
COMMENT ON COLUMN lyftron.schema_versions.server IS 'the foreign server that was checked';
COMMENT ON COLUMN lyftron.schema_versions.stream IS 'the stream of it';
COMMENT ON COLUMN lyftron.schema_versions.version IS 'number of the version, from 1';
COMMENT ON COLUMN lyftron.schema_versions.noticed_at IS 'when it was seen first';
COMMENT ON COLUMN lyftron.schema_versions.role IS 'whose run or check saw it';
COMMENT ON COLUMN lyftron.schema_versions.run IS 'the run that saw it; null: a check';
COMMENT ON COLUMN lyftron.schema_versions.columns IS 'the schema: columns with name, type, not_null, default, enum, number, key, cursor; null: the stream was gone';

CREATE VIEW lyftron.schema_changes WITH (security_barrier) AS
	SELECT c.id, c.pipeline, c.server, c.stream, c.version, c.noticed_at, c.run, c.kind, c.column_name, c.before, c.after,
		c.severity, c.evidence, c.answer
	FROM lyftron.schema_change c LEFT JOIN lyftron.pipeline p ON p.name = c.pipeline
		LEFT JOIN pg_catalog.pg_foreign_server f ON f.srvname = c.server
	WHERE pg_catalog.pg_has_role(p.owner, 'USAGE') OR pg_catalog.has_server_privilege(f.oid, 'USAGE');
GRANT SELECT ON lyftron.schema_changes TO PUBLIC;
COMMENT ON VIEW lyftron.schema_changes IS 'changes of the sources of your pipelines, and of streams of servers that you may use';
COMMENT ON COLUMN lyftron.schema_changes.id IS 'number of the change';
COMMENT ON COLUMN lyftron.schema_changes.pipeline IS 'the pipeline; null: a check of a server noticed it';
COMMENT ON COLUMN lyftron.schema_changes.server IS 'the foreign server that was checked';
COMMENT ON COLUMN lyftron.schema_changes.stream IS 'the stream of it';
COMMENT ON COLUMN lyftron.schema_changes.version IS 'the version that has it; null: none, since the run was refused';
COMMENT ON COLUMN lyftron.schema_changes.noticed_at IS 'when it was noticed';
COMMENT ON COLUMN lyftron.schema_changes.run IS 'the run that noticed it; null: lyftron.accept_schema did';
COMMENT ON COLUMN lyftron.schema_changes.kind IS 'stream_added, stream_removed, column_added, column_removed, column_renamed, type_widened, type_narrowed, type_changed, nullable, not_null, default_changed, enum_changed, key_changed, cursor_changed';
COMMENT ON COLUMN lyftron.schema_changes.column_name IS 'the column, by its new name; null: the stream as a whole';
COMMENT ON COLUMN lyftron.schema_changes.before IS 'what it was';
COMMENT ON COLUMN lyftron.schema_changes.after IS 'what it is';
COMMENT ON COLUMN lyftron.schema_changes.severity IS 'info: nothing is lost; warning: something is gone or narrower; error: values or identities may not fit';
COMMENT ON COLUMN lyftron.schema_changes.evidence IS 'of a guess: what speaks for it';
COMMENT ON COLUMN lyftron.schema_changes.answer IS 'what the pipeline''s policy answered: evolve, freeze, ignore or alert';

CREATE FUNCTION lyftron.accept_schema(pipeline text) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_accept_schema' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.accept_schema(text) IS 'accept what a pipeline''s source looks like now, so that runs that its policy refuses go on';

CREATE FUNCTION lyftron.schema_plan(pipeline text)
	RETURNS TABLE (column_name text, change text, answer text, action text, statement text, rewrites boolean, reason text)
	AS 'MODULE_PATHNAME', 'lyf_schema_plan' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.schema_plan(text) IS
	'what the next run of a pipeline would do to its table before it loads: statements, whether one writes all rows anew, and why a type is not widened in place';

CREATE VIEW lyftron.schema_impact WITH (security_barrier) AS
	WITH RECURSIVE uses (pipeline, column_name, object, kind, depth) AS (
		SELECT p.name, a.attname::text, w.ev_class, 'relation', 1
		FROM lyftron.pipeline p
			JOIN pg_catalog.pg_namespace n ON n.nspname = p.destination_schema
			JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.destination_table
			JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
				AND d.classid = 'pg_catalog.pg_rewrite'::regclass
			JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
		WHERE pg_catalog.pg_has_role(p.owner, 'USAGE')
		UNION
		SELECT p.name, a.attname::text, d.objid, 'function', 1
		FROM lyftron.pipeline p
			JOIN pg_catalog.pg_namespace n ON n.nspname = p.destination_schema
			JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.destination_table
			JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
				AND d.classid = 'pg_catalog.pg_proc'::regclass
		WHERE pg_catalog.pg_has_role(p.owner, 'USAGE')
		UNION
		SELECT u.pipeline, u.column_name, coalesce(w.ev_class, d.objid), CASE WHEN w.oid IS NOT NULL THEN 'relation' ELSE 'function' END, u.depth + 1
		FROM uses u
			JOIN pg_catalog.pg_depend d ON d.refobjid = u.object AND d.refclassid = CASE u.kind WHEN 'relation' THEN 'pg_catalog.pg_class'::regclass
				ELSE 'pg_catalog.pg_proc'::regclass END AND d.classid IN ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass)
			LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = d.objid
		WHERE u.depth < 32 AND coalesce(w.ev_class, d.objid) <> u.object
	)
	SELECT u.pipeline, u.column_name,
		CASE WHEN u.kind = 'function' THEN 'function' WHEN c.relkind = 'm' THEN 'materialized view' ELSE 'view' END AS kind,
		CASE WHEN u.kind = 'function' THEN u.object::regprocedure::text ELSE u.object::regclass::text END AS object,
		min(u.depth) AS depth
	FROM uses u LEFT JOIN pg_catalog.pg_class c ON u.kind = 'relation' AND c.oid = u.object
	WHERE u.kind = 'function' OR c.relkind IN ('v', 'm')
	GROUP BY 1, 2, 3, 4
	UNION ALL
	SELECT p.name, NULL, 'pipeline', d.name, 1
	FROM lyftron.pipeline p JOIN lyftron.pipeline d ON d.name <> p.name AND d.source = pg_catalog.quote_ident(p.destination_schema) || '.' || pg_catalog.quote_ident(p.destination_table)
	WHERE pg_catalog.pg_has_role(p.owner, 'USAGE') AND pg_catalog.pg_has_role(d.owner, 'USAGE');
GRANT SELECT ON lyftron.schema_impact TO PUBLIC;
COMMENT ON VIEW lyftron.schema_impact IS 'what depends on the columns that your pipelines load, directly or through other objects';
COMMENT ON COLUMN lyftron.schema_impact.pipeline IS 'the pipeline that loads the column';
COMMENT ON COLUMN lyftron.schema_impact.column_name IS 'the column; null: the table as a whole';
COMMENT ON COLUMN lyftron.schema_impact.kind IS 'view, materialized view, function (in SQL with a body that is parsed) or pipeline';
COMMENT ON COLUMN lyftron.schema_impact.object IS 'what depends on it';
COMMENT ON COLUMN lyftron.schema_impact.depth IS 'over how many objects: 1, it uses the column itself';

ALTER TABLE lyftron.schema_profile ADD FOREIGN KEY (pipeline) REFERENCES lyftron.pipeline (name) ON DELETE CASCADE;

CREATE VIEW lyftron.schema_columns WITH (security_barrier) AS
	SELECT v.pipeline, c.ordinal::integer AS position, c.doc ->> 'name' AS column_name, c.doc ->> 'type' AS declared_type,
		coalesce((c.doc ->> 'not_null')::boolean, false) AS not_null, coalesce((c.doc ->> 'key')::boolean, false) AS in_key,
		coalesce((c.doc ->> 'cursor')::boolean, false) AS is_cursor, c.doc ->> 'default' AS default_value,
		CASE WHEN c.doc ->> 'type' ~ '^(text|character varying)' THEN lyftron.profile_type(f.seen)
			WHEN f.greatest IS NULL THEN NULL
			WHEN f.least >= -32768 AND f.greatest <= 32767 THEN 'smallint'
			WHEN f.least >= -2147483648 AND f.greatest <= 2147483647 THEN 'integer' ELSE 'bigint' END AS seen_type,
		f.rows, f.nulls, f.longest, f.least, f.greatest, f.shape, f.updated_at
	FROM (SELECT DISTINCT ON (s.pipeline) s.pipeline, s.columns FROM lyftron.schema_version s WHERE s.pipeline IS NOT NULL
			ORDER BY s.pipeline, s.version DESC) v
		JOIN lyftron.pipeline p ON p.name = v.pipeline
		CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(v.columns) WITH ORDINALITY AS c (doc, ordinal)
		LEFT JOIN lyftron.schema_profile f ON f.pipeline = v.pipeline AND f.column_name = c.doc ->> 'name'
	WHERE pg_catalog.pg_has_role(p.owner, 'USAGE');
GRANT SELECT ON lyftron.schema_columns TO PUBLIC;
COMMENT ON VIEW lyftron.schema_columns IS 'columns of the sources of your pipelines: what is declared, and what the data showed';
COMMENT ON COLUMN lyftron.schema_columns.pipeline IS 'the pipeline';
COMMENT ON COLUMN lyftron.schema_columns.position IS 'its place';
COMMENT ON COLUMN lyftron.schema_columns.column_name IS 'the column';
COMMENT ON COLUMN lyftron.schema_columns.declared_type IS 'type that the source says';
COMMENT ON COLUMN lyftron.schema_columns.not_null IS 'the source says that it is never null';
COMMENT ON COLUMN lyftron.schema_columns.in_key IS 'part of the source''s primary key';
COMMENT ON COLUMN lyftron.schema_columns.is_cursor IS 'the source''s cursor';
COMMENT ON COLUMN lyftron.schema_columns.default_value IS 'its default at the source, as SQL';
COMMENT ON COLUMN lyftron.schema_columns.seen_type IS 'of texts and integers: a narrower type that would hold what was seen; null: none would. Texts are looked at in the first 1024 rows of a run, then in one of 16';
COMMENT ON COLUMN lyftron.schema_columns.rows IS 'rows that were looked at, since the last full refresh';
COMMENT ON COLUMN lyftron.schema_columns.nulls IS 'of those the ones without a value';
COMMENT ON COLUMN lyftron.schema_columns.longest IS 'bytes of the longest text';
COMMENT ON COLUMN lyftron.schema_columns.least IS 'the smallest integer';
COMMENT ON COLUMN lyftron.schema_columns.greatest IS 'the greatest integer';
COMMENT ON COLUMN lyftron.schema_columns.shape IS 'what JSON looks like, of a sample of its values';
COMMENT ON COLUMN lyftron.schema_columns.updated_at IS 'when a run last looked';
