-- EXPLAIN says what becomes part of the requests, what stays local, and why
SET client_min_messages = warning;
SELECT stream, ready FROM lyftron.add_connector('fdw_explain', $yaml$
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [events]}
definitions:
  requester:
    type: HttpRequester
    url_base: "{{ config['base_url'] }}"
    http_method: GET
    authenticator:
      type: ApiKeyAuthenticator
      api_token: "{{ config['api_key'] }}"
      inject_into: {type: RequestOption, inject_into: request_parameter, field_name: key}
  selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
  sync:
    type: DatetimeBasedCursor
    cursor_field: at
    datetime_format: "%Y-%m-%dT%H:%M:%SZ"
    start_datetime: "2024-01-01T00:00:00Z"
    start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}
streams:
  - type: DeclarativeStream
    name: events
    retriever:
      type: SimpleRetriever
      requester: {$ref: "#/definitions/requester", path: /events}
      record_selector: {$ref: "#/definitions/selector"}
    incremental_sync: {$ref: "#/definitions/sync"}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {id: {type: integer}, at: {type: string, format: date-time}}}
  - type: DeclarativeStream
    name: feed
    retriever:
      type: SimpleRetriever
      requester: {$ref: "#/definitions/requester", path: /feed}
      record_selector: {$ref: "#/definitions/selector"}
    incremental_sync: {$ref: "#/definitions/sync", is_data_feed: true}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {id: {type: integer}, at: {type: string, format: date-time}}}
  - &log
    type: DeclarativeStream
    name: log
    retriever:
      type: SimpleRetriever
      requester: {$ref: "#/definitions/requester", path: "/log/{{ stream_slice.start_time }}"}
      record_selector: {$ref: "#/definitions/selector"}
    incremental_sync: {type: DatetimeBasedCursor, cursor_field: at, datetime_format: "%Y-%m-%dT%H:%M:%SZ", start_datetime: "2024-01-01T00:00:00Z"}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {id: {type: integer}, at: {type: string, format: date-time}}}
  - <<: *log
    name: search
    retriever:
      type: SimpleRetriever
      requester:
        $ref: "#/definitions/requester"
        path: /search
        request_parameters: {changed: "after {{ stream_interval['start_time'] }}"}
      record_selector: {$ref: "#/definitions/selector"}
  - <<: *log
    name: whole
    retriever:
      type: SimpleRetriever
      requester: {$ref: "#/definitions/requester", path: "/whole/{{ config['start_time'] }}"}
      record_selector: {$ref: "#/definitions/selector"}
  - type: DeclarativeStream
    name: sales
    retriever:
      type: SimpleRetriever
      requester: {$ref: "#/definitions/requester", path: "/sales/{{ stream_partition['region'] }}"}
      record_selector: {$ref: "#/definitions/selector"}
      partition_router: {type: ListPartitionRouter, cursor_field: region, values: [eu, us]}
    transformations:
      - type: AddFields
        fields:
          - {type: AddedFieldDefinition, path: [region], value: "{{ stream_partition['region'] }}"}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {id: {type: integer}, region: {type: string}}}
spec:
  type: Spec
  connection_specification:
    type: object
    required: [base_url, api_key]
    properties:
      base_url: {type: string}
      api_key: {type: string, airbyte_secret: true}
$yaml$);
RESET client_min_messages;
CREATE SERVER fdw_explain FOREIGN DATA WRAPPER lyftron_rest
	OPTIONS (connector 'fdw_explain', config '{"base_url": "http://localhost"}');
CREATE USER MAPPING FOR CURRENT_USER SERVER fdw_explain OPTIONS (secrets '{"api_key": "open sesame"}');
CREATE SCHEMA fdw_explain;
IMPORT FOREIGN SCHEMA "default" FROM SERVER fdw_explain INTO fdw_explain;
SET search_path = fdw_explain, public;
SET timezone = 'UTC';

EXPLAIN (COSTS off) SELECT id FROM events;
EXPLAIN (COSTS off) SELECT id FROM events WHERE at >= '2024-03-01' AND at < '2024-04-01' AND id > 5;
EXPLAIN (COSTS off) SELECT id FROM events WHERE '2024-03-01'::date < at;
EXPLAIN (COSTS off) SELECT id FROM events WHERE at BETWEEN now() - interval '1 day' AND now();
EXPLAIN (COSTS off) SELECT id FROM events WHERE at > clock_timestamp();
EXPLAIN (COSTS off) SELECT id FROM events WHERE at <> '2024-03-01' OR at IS NULL;
EXPLAIN (COSTS off) SELECT id FROM feed WHERE at > '2024-03-01';

-- a manifest's own expressions may ask for the range, too
EXPLAIN (COSTS off) SELECT id FROM log WHERE at > '2024-03-01';
EXPLAIN (COSTS off) SELECT id FROM search WHERE at > '2024-03-01';
EXPLAIN (COSTS off) SELECT id FROM whole WHERE at > '2024-03-01';

EXPLAIN (COSTS off) SELECT id FROM sales WHERE region = 'eu';
EXPLAIN (COSTS off) SELECT id FROM sales WHERE region IN ('eu', 'us') AND id = 3;
EXPLAIN (COSTS off) SELECT id FROM sales WHERE region > 'eu';
EXPLAIN (COSTS off) SELECT id FROM sales WHERE lower(region) = 'eu';

-- off is off, also for a plan that was made before
PREPARE fdw_p AS SELECT id FROM sales WHERE region = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS off) EXECUTE fdw_p('eu');
SET lyftron.pushdown = off;
EXPLAIN (COSTS off) EXECUTE fdw_p('eu');
EXPLAIN (COSTS off) SELECT id FROM sales WHERE region = 'eu';
RESET lyftron.pushdown;
RESET plan_cache_mode;

-- a small relation drives the partitions, a large one does not; the clause of an outer join stays as it is written
CREATE TABLE wanted AS SELECT 'eu'::text AS region;
ANALYZE wanted;
EXPLAIN (COSTS off) SELECT s.id FROM wanted w LEFT JOIN sales s ON s.region = w.region;
INSERT INTO wanted SELECT 'x' || i FROM generate_series(1, 5000) i;
ANALYZE wanted;
EXPLAIN (COSTS off) SELECT s.id FROM wanted w LEFT JOIN sales s ON s.region = w.region;

-- for programs
CREATE FUNCTION explain_json(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (COSTS off, FORMAT json) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan';
END $$;
SELECT key, value FROM jsonb_each(explain_json('SELECT id FROM sales WHERE region = ''eu'' AND id = 3'))
	WHERE key IN ('Request', 'Pushed', 'Local');

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA fdw_explain CASCADE;
DROP SERVER fdw_explain CASCADE;
SELECT lyftron.drop_connector('fdw_explain');
