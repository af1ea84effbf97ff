-- IMPORT FOREIGN SCHEMA makes streams into foreign tables
SET client_min_messages = warning;
SELECT stream, ready FROM lyftron.add_connector('fdw_import', $yaml$
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [things]}
definitions:
  retriever:
    type: SimpleRetriever
    requester: {type: HttpRequester, url_base: "http://localhost", path: /things, http_method: GET}
    record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
streams:
  - type: DeclarativeStream
    name: things
    retriever: {$ref: "#/definitions/retriever"}
    schema_loader:
      type: InlineSchemaLoader
      schema:
        type: object
        properties:
          id: {type: integer}
          flag: {type: [boolean, "null"]}
          amount: {type: number}
          at: {type: string, format: date-time}
          day: {type: string, format: date}
          list: {type: array}
          map: {type: object}
  - type: DeclarativeStream
    name: Odd Names
    retriever: {$ref: "#/definitions/retriever"}
    schema_loader:
      type: InlineSchemaLoader
      schema:
        type: object
        properties:
          "select": {type: string}
          "It's \"quoted\"": {type: string}
          ctid: {type: string}
          "ctid_": {type: string}
          "_record": {type: string}
          "": {type: string}
          "a name that is much longer than what PostgreSQL keeps of a name, one": {type: string}
          "a name that is much longer than what PostgreSQL keeps of a name, two": {type: string}
  - type: DeclarativeStream
    name: no schema
    retriever: {$ref: "#/definitions/retriever"}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {}}
  - type: DeclarativeStream
    name: in_python
    retriever: {type: CustomRetriever, class_name: source_fdw.components.Retriever}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {id: {type: integer}}}
spec:
  type: Spec
  connection_specification: {type: object, properties: {}}
$yaml$);
RESET client_min_messages;
CREATE SERVER fdw_import FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_import');
CREATE SCHEMA fdw_import;

CREATE VIEW fdw_columns AS
	SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attfdwoptions AS options
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE n.nspname = 'fdw_import' AND a.attnum > 0
	ORDER BY c.relname, a.attnum;

IMPORT FOREIGN SCHEMA public FROM SERVER fdw_import INTO fdw_import;
IMPORT FOREIGN SCHEMA "default" FROM SERVER fdw_import INTO fdw_import OPTIONS (wrong 'x');

-- all that can be read; the rest is named
IMPORT FOREIGN SCHEMA "default" FROM SERVER fdw_import INTO fdw_import;
SELECT * FROM fdw_columns;
SELECT foreign_table_name, option_name, option_value
	FROM information_schema.foreign_table_options
	WHERE foreign_table_schema = 'fdw_import' ORDER BY 1, 2;
SET client_min_messages = warning;
DROP SCHEMA fdw_import CASCADE;
RESET client_min_messages;

-- with the whole record
CREATE SCHEMA fdw_import;
IMPORT FOREIGN SCHEMA "default" LIMIT TO ("Odd Names") FROM SERVER fdw_import INTO fdw_import OPTIONS (record 'true');
SELECT attnum, attname, type, options FROM fdw_columns;
IMPORT FOREIGN SCHEMA "default" EXCEPT ("Odd Names", "no schema", in_python) FROM SERVER fdw_import INTO fdw_import;
SELECT DISTINCT relname FROM fdw_columns;

SET client_min_messages = warning;
DROP VIEW fdw_columns;
DROP SCHEMA fdw_import CASCADE;
DROP SERVER fdw_import CASCADE;
SELECT lyftron.drop_connector('fdw_import');
