-- what a declared schema makes of columns: the narrowest type that holds all that it allows
SELECT count(*) FROM lyftron.add_connector('regress_types', $$
check: {type: CheckStream, stream_names: [s]}
streams:
  - name: s
    type: DeclarativeStream
    primary_key: id
    retriever:
      type: SimpleRetriever
      requester: {type: HttpRequester, url_base: "http://127.0.0.1:1", path: /}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
    schema_loader:
      type: InlineSchemaLoader
      schema:
        type: object
        required: [id, needed, needed_or_null]
        properties:
          id: {type: integer}
          needed: {type: string}
          needed_or_null: {type: [string, "null"]}
          flag: {type: boolean}
          whole: {type: number, airbyte_type: integer}
          number: {type: number}
          big: {type: string, airbyte_type: big_integer}
          big_number: {type: string, airbyte_type: big_number}
          day: {type: string, format: date}
          moment: {type: string, format: date-time}
          moment_zone: {type: string, format: date-time, airbyte_type: timestamp_with_timezone}
          moment_no_zone: {type: string, format: date-time, airbyte_type: timestamp_without_timezone}
          clock: {type: string, format: time, airbyte_type: time_without_timezone}
          clock_zone: {type: string, format: time, airbyte_type: time_with_timezone}
          list: {type: array, items: {type: integer}}
          map: {type: object}
          anything: {}
          nothing: {type: "null"}
          unknown_type: {type: tuple}
          integer_or_number: {type: [integer, number, "null"]}
          integer_or_text: {type: [integer, string]}
          boolean_or_integer: {type: [boolean, integer]}
          text_or_list: {type: [string, array]}
          day_or_moment: {anyOf: [{type: string, format: date}, {type: string, format: date-time}]}
          moments: {oneOf: [{type: string, format: date-time, airbyte_type: timestamp_without_timezone}, {type: string, format: date}]}
          day_or_text: {oneOf: [{type: string, format: date}, {type: string}]}
          day_or_clock: {anyOf: [{type: string, format: date}, {type: string, format: time}]}
          big_or_integer: {anyOf: [{type: integer}, {type: string, airbyte_type: big_integer}, {type: "null"}]}
          nested_unions: {anyOf: [{oneOf: [{type: integer}, {type: "null"}]}, {type: number}]}
          map_or_integer: {anyOf: [{type: object}, {type: integer}]}
$$);
CREATE SERVER regress_lyf_types FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'regress_types');
SELECT column_name, type, nullable, in_primary_key FROM lyftron.discover('regress_lyf_types', 's');

-- the same types, and none else, are those of an imported table
CREATE SCHEMA regress_types;
IMPORT FOREIGN SCHEMA "default" FROM SERVER regress_lyf_types INTO regress_types;
SELECT d.column_name, d.type, pg_catalog.format_type(a.atttypid, a.atttypmod) AS imported
FROM lyftron.discover('regress_lyf_types', 's') AS d
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = 'regress_types.s'::regclass AND a.attname = d.column_name
WHERE d.type IS DISTINCT FROM pg_catalog.format_type(a.atttypid, a.atttypmod);

DROP SCHEMA regress_types CASCADE;
DROP SERVER regress_lyf_types;
SELECT lyftron.drop_connector('regress_types');
