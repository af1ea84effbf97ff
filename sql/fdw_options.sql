-- what the options of lyftron_rest accept
SET client_min_messages = warning;
SELECT stream, ready FROM lyftron.add_connector('fdw_options', $yaml$
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [things]}
streams:
  - type: DeclarativeStream
    name: things
    retriever:
      type: SimpleRetriever
      requester: {type: HttpRequester, url_base: "{{ config['base_url'] }}", path: /things, http_method: GET}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
    schema_loader:
      type: InlineSchemaLoader
      schema: {type: object, properties: {id: {type: integer}}}
spec:
  type: Spec
  connection_specification:
    type: object
    required: [base_url, token]
    properties:
      base_url: {type: string}
      token: {type: string, airbyte_secret: true}
$yaml$);
RESET client_min_messages;

-- servers
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest;
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector '');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', wrong 'x');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', secrets '{"token": "sesame"}');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', config 'base_url');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', config '["base_url"]');
\set VERBOSITY terse
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', config '{}');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', config '{"base_url": 5}');
\set VERBOSITY default

CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', max_requests '0');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', max_requests 'many');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', rate_limit '100');
\set VERBOSITY terse
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', rate_limit '');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', rate_limit '0/s');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', rate_limit '10/fortnight');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', rate_limit '10/s,');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', rate_limit '10/s 5/min');
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_options', rate_limit '1/s,2/s,3/s,4/s,5/s,6/s,7/s,8/s,9/s');
CREATE SERVER fdw_rates FOREIGN DATA WRAPPER lyftron_rest
	OPTIONS (connector 'fdw_options', config '{"base_url": "http://localhost"}', rate_limit ' 10/s,20 / 10 s, 5000/Hour', max_requests '4');
DROP SERVER fdw_rates;
\set VERBOSITY default

-- the connector may come later, as in a restored dump
CREATE SERVER fdw_options FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'fdw_missing', config '{"base_url": 5}');
\set VERBOSITY terse
ALTER SERVER fdw_options OPTIONS (SET connector 'fdw_options');
\set VERBOSITY default
ALTER SERVER fdw_options OPTIONS (SET connector 'fdw_options', SET config '{"base_url": "http://localhost"}');
ALTER SERVER fdw_options OPTIONS (DROP connector);

-- user mappings: a wrong secret is not repeated
CREATE USER MAPPING FOR CURRENT_USER SERVER fdw_options OPTIONS (secrets 'sesame');
CREATE USER MAPPING FOR CURRENT_USER SERVER fdw_options OPTIONS (password 'sesame');
CREATE USER MAPPING FOR CURRENT_USER SERVER fdw_options OPTIONS (secrets '{"token": "sesame"}');

-- tables and columns
CREATE FOREIGN TABLE fdw_t (id bigint) SERVER fdw_options;
CREATE FOREIGN TABLE fdw_t (id bigint) SERVER fdw_options OPTIONS (stream 'things', path '/things');
CREATE FOREIGN TABLE fdw_t (id bigint OPTIONS (path 'a..b')) SERVER fdw_options OPTIONS (stream 'things');
CREATE FOREIGN TABLE fdw_t (id bigint OPTIONS (path '["a", 1]')) SERVER fdw_options OPTIONS (stream 'things');
CREATE FOREIGN TABLE fdw_t (id bigint OPTIONS (path '["a')) SERVER fdw_options OPTIONS (stream 'things');
CREATE FOREIGN TABLE fdw_t (id bigint OPTIONS (path 'a.b', name 'c')) SERVER fdw_options OPTIONS (stream 'things');
CREATE FOREIGN TABLE fdw_t (
	id bigint,
	a_b text OPTIONS (path 'a.b'),
	dotted text OPTIONS (path '["a", "b.c"]'),
	renamed text OPTIONS (name 'Name'),
	_record jsonb
) SERVER fdw_options OPTIONS (stream 'things');

-- a stream is read, not written
INSERT INTO fdw_t (id) VALUES (1);
UPDATE fdw_t SET id = 2;
DELETE FROM fdw_t;
COPY fdw_t (id) FROM stdin;
\.
SELECT is_insertable_into FROM information_schema.tables WHERE table_name = 'fdw_t';

-- a stream that the connector does not have
CREATE FOREIGN TABLE fdw_u (id bigint) SERVER fdw_options OPTIONS (stream 'nothing');
\set VERBOSITY terse
SELECT * FROM fdw_u;
\set VERBOSITY default

SET client_min_messages = warning;
DROP SERVER fdw_options CASCADE;
SELECT lyftron.drop_connector('fdw_options');
