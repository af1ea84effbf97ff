-- vault/: lineage: what the columns of vaults come from.

CREATE FUNCTION lyftron.expression_columns(expression text) RETURNS text[]
	AS 'MODULE_PATHNAME', 'lyf_expression_columns' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.expression_columns(text) IS
	'names of the columns that an SQL expression reads, each once';

CREATE VIEW lyftron.vault_lineage WITH (security_barrier) AS
	WITH mapped AS (
		SELECT s.vault, s.table_name, s.source, s.mapping, t.kind, t.parent, t.definition, coalesce(t.definition, '{}') || coalesce(p.definition, '{}') AS keys
		FROM lyftron.vault v
			JOIN lyftron.vault_table t ON t.vault = v.name
			JOIN lyftron.vault_source s ON s.vault = t.vault AND s.table_name = t.name
			LEFT JOIN lyftron.vault_table p ON p.vault = t.vault AND p.name = t.parent
		WHERE pg_catalog.pg_has_role(v.owner, 'USAGE')
	), item AS (
		SELECT m.*, l.list, i.value->>'name' AS name, i.value->>'expr' AS expr, i.n
		FROM mapped m,
			LATERAL (VALUES ('key'), ('dependent'), ('sub_key'), ('columns')) l (list),
			LATERAL pg_catalog.jsonb_array_elements(m.mapping->l.list) WITH ORDINALITY i (value, n)
	), hub AS (
		-- each hub of a link, with the numbers of the first and last one of its business key's expressions
		SELECT m.vault, m.table_name, m.source, h.value->>'column' AS name,
			1 + pg_catalog.sum(k.length) OVER w - k.length AS first, pg_catalog.sum(k.length) OVER w AS last
		FROM mapped m,
			LATERAL pg_catalog.jsonb_array_elements(m.definition->'hubs') WITH ORDINALITY h (value, n),
			LATERAL (SELECT pg_catalog.jsonb_array_length(t.definition->'key') AS length FROM lyftron.vault_table t WHERE t.vault = m.vault AND t.name = h.value->>'hub') k
		WINDOW w AS (PARTITION BY m.vault, m.table_name, m.source ORDER BY h.n)
	), lineage AS (
		SELECT vault, table_name, name AS column_name, CASE kind WHEN 'reference' THEN 'reference_key' ELSE 'business_key' END AS role, source, expr AS expression
			FROM item WHERE list = 'key' AND kind IN ('hub', 'reference')
		UNION ALL
		SELECT vault, table_name, definition->>'hash_key', 'hash_key', source, expr FROM item WHERE list IN ('key', 'dependent') AND definition ? 'hash_key'
		UNION ALL
		SELECT i.vault, i.table_name, h.name, 'hub_key', i.source, i.expr
			FROM item i JOIN hub h ON h.vault = i.vault AND h.table_name = i.table_name AND h.source = i.source AND i.n BETWEEN h.first AND h.last
			WHERE i.list = 'key'
		UNION ALL
		SELECT vault, table_name, name, CASE list WHEN 'dependent' THEN 'dependent_key' WHEN 'sub_key' THEN 'sub_key' ELSE 'column' END, source, expr
			FROM item WHERE list <> 'key'
		UNION ALL
		SELECT vault, table_name, 'hash_diff', 'hash_diff', source, expr
			FROM item WHERE list IN ('sub_key', 'columns') AND kind IN ('standard', 'multi_active', 'reference')
		UNION ALL
		SELECT m.vault, m.table_name, e.column_name, e.role, m.source, m.mapping->>e.role
			FROM mapped m, LATERAL (VALUES ('load_date', 'load_date'), ('record_source', 'record_source'), ('load_seq', 'sequence'), ('status', 'operation')) e (column_name, role)
			WHERE m.mapping ? e.role OR e.role = 'load_date'
	), foreign_table AS (
		SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, f.srvname AS server,
			(SELECT o.option_value FROM pg_catalog.pg_options_to_table(t.ftoptions) o WHERE o.option_name = 'stream') AS stream
		FROM pg_catalog.pg_foreign_table t JOIN pg_catalog.pg_class c ON c.oid = t.ftrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_catalog.pg_foreign_server f ON f.oid = t.ftserver
	)
	SELECT l.vault, l.table_name, l.column_name, l.role, l.source, l.expression, lyftron.expression_columns(l.expression) AS source_columns, p.name AS pipeline,
		coalesce(f.stream, p.source, f.name) AS stream, coalesce(p.source_server, f.server::text) AS server
	FROM lineage l
		LEFT JOIN lyftron.pipeline p ON pg_catalog.quote_ident(p.destination_schema) || '.' || pg_catalog.quote_ident(p.destination_table) = l.source AND pg_catalog.pg_has_role(p.owner, 'USAGE')
		LEFT JOIN foreign_table f ON f.name = coalesce(p.source, l.source);
GRANT SELECT ON lyftron.vault_lineage TO PUBLIC;
COMMENT ON VIEW lyftron.vault_lineage IS 'what the columns of your data vaults are filled with: a row a column, source and expression';
COMMENT ON COLUMN lyftron.vault_lineage.vault IS 'the vault';
COMMENT ON COLUMN lyftron.vault_lineage.table_name IS 'the table';
COMMENT ON COLUMN lyftron.vault_lineage.column_name IS 'its column; one that is a hash has a row for each expression that it is made of';
COMMENT ON COLUMN lyftron.vault_lineage.role IS 'business_key, reference_key, hash_key, hub_key, dependent_key, sub_key, column, hash_diff, load_date, record_source, sequence, operation';
COMMENT ON COLUMN lyftron.vault_lineage.source IS 'what is read: a qualified relation, or a query';
COMMENT ON COLUMN lyftron.vault_lineage.expression IS 'expression over the source; of a load date null: the time of the load';
COMMENT ON COLUMN lyftron.vault_lineage.source_columns IS 'columns of the source that the expression reads';
COMMENT ON COLUMN lyftron.vault_lineage.pipeline IS 'your pipeline that fills the source, if one does';
COMMENT ON COLUMN lyftron.vault_lineage.stream IS 'what that reads; of a foreign table of a connector, its stream';
COMMENT ON COLUMN lyftron.vault_lineage.server IS 'foreign server of the stream';
