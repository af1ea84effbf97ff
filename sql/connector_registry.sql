-- connectors are added, replaced, looked at and dropped, each by who may
CREATE ROLE regress_lyf_alice;
CREATE ROLE regress_lyf_bob;

SET ROLE regress_lyf_alice;
SELECT * FROM lyftron.add_connector('regress_shop', $$
type: DeclarativeSource
check: {type: CheckStream, stream_names: [orders]}
definitions:
  retriever:
    type: SimpleRetriever
    requester: {type: HttpRequester, url_base: "https://shop.example.com", path: "/{{ parameters['name'] }}"}
    record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
streams:
  - type: DeclarativeStream
    $parameters: {name: orders}
    name: orders
    retriever: {$ref: "#/definitions/retriever"}
  - type: DeclarativeStream
    name: reports
    retriever: {type: BatchRetriever}
  - type: DeclarativeStream
    name: parts
    retriever:
      $ref: "#/definitions/retriever"
      record_selector: {type: RecordSelector, extractor: {type: CustomRecordExtractor, class_name: shop.Extractor}}
  - type: DeclarativeStream
    name: lines
    retriever:
      $ref: "#/definitions/retriever"
      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs: [{stream: "#/streams/1", parent_key: id, partition_field: report}]
  - type: StateDelegatedStreams
    name: delegated
  - type: DeclarativeStream
    name: uploads
    retriever: {$ref: "#/definitions/retriever"}
    file_uploader: {type: FileUploader}
  - type: DeclarativeStream
    name: keys
    primary_key: {a: 1}
    retriever: {$ref: "#/definitions/retriever"}
dynamic_streams:
  - {type: DynamicDeclarativeTables}
spec:
  type: Spec
  documentation_url: https://shop.example.com/docs
  connection_specification: {type: object, required: [key], properties: {key: {type: string, airbyte_secret: true}}}
$$);
SELECT name, owner, shipped, title, streams, unsupported, documentation_url FROM lyftron.connectors WHERE name LIKE 'regress%';
SELECT stream, ready FROM lyftron.streams('regress_shop') WHERE ready;
SELECT lyftron.spec('regress_shop');

-- the table itself is nobody's
SELECT * FROM lyftron.connector;
SELECT lyftron.ship_connector('regress_evil', 'streams: [{name: s}]');

-- the same text again changes nothing, another one does
SELECT version AS before FROM lyftron.connectors WHERE name = 'regress_shop' \gset
SELECT count(*) FROM lyftron.add_connector('regress_tiny', 'streams: [{name: s}]');
SELECT version AS first FROM lyftron.connectors WHERE name = 'regress_tiny' \gset
SELECT count(*) FROM lyftron.add_connector('regress_tiny', 'streams: [{name: s}]');
SELECT version = :first AS unchanged FROM lyftron.connectors WHERE name = 'regress_tiny';
SELECT * FROM lyftron.add_connector('regress_tiny', 'streams: [{name: s}, {type: DeclarativeStream}]');
SELECT version > :first AS changed, streams FROM lyftron.connectors WHERE name = 'regress_tiny';
SELECT stream FROM lyftron.streams('regress_tiny');

-- an aborted replacement is forgotten, also by the cache
BEGIN;
SELECT count(*) FROM lyftron.add_connector('regress_tiny', 'streams: [{name: other}]');
SELECT stream FROM lyftron.streams('regress_tiny');
ROLLBACK;
SELECT stream FROM lyftron.streams('regress_tiny');

-- names, and what is not there
SELECT lyftron.add_connector('', 'streams: [{name: s}]');
SELECT lyftron.add_connector(repeat('x', 64), 'streams: [{name: s}]');
SELECT lyftron.add_connector('regress_broken', 'streams: [');
SELECT lyftron.streams('regress_nothing');
SELECT lyftron.spec(repeat('x', 100));
SELECT lyftron.drop_connector('regress_nothing');
SELECT lyftron.drop_connector('regress_nothing', if_exists => true);
SELECT lyftron.drop_connector('nycflights');
SELECT lyftron.add_connector('nycflights', 'streams: [{name: s}]');

-- others' are others'
SET ROLE regress_lyf_bob;
SELECT lyftron.add_connector('regress_shop', 'streams: [{name: s}]');
SELECT lyftron.drop_connector('regress_shop');
SELECT count(*) FROM lyftron.streams('regress_shop');
RESET ROLE;

-- not while servers use it
CREATE SERVER regress_lyf_server FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'regress_shop');
SET ROLE regress_lyf_alice;
SELECT lyftron.drop_connector('regress_shop');
RESET ROLE;
DROP SERVER regress_lyf_server;
SET ROLE regress_lyf_alice;
SELECT lyftron.drop_connector('regress_shop');
SELECT lyftron.drop_connector('regress_tiny');
RESET ROLE;
SELECT count(*) FROM lyftron.connectors WHERE name LIKE 'regress%';

-- a superuser may put one before a shipped one, and take it away again
SELECT count(*) FROM lyftron.add_connector('nycflights', 'streams: [{name: mine}]');
SELECT stream FROM lyftron.streams('nycflights');
SELECT shipped FROM lyftron.connectors WHERE name = 'nycflights';
SELECT lyftron.drop_connector('nycflights');
SELECT count(*) > 1 AS shipped_again FROM lyftron.streams('nycflights');

DROP ROLE regress_lyf_alice, regress_lyf_bob;

-- shipped ones say what they are, and all of their streams can be read
SELECT count(*) FILTER (WHERE title IS NULL) AS without_title, sum(unsupported) AS unsupported FROM lyftron.connectors WHERE shipped;
