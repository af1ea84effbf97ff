-- what a manifest is once its references, types and parameters are filled in; broken ones are refused
CREATE FUNCTION pg_temp.resolved(manifest text, path text) RETURNS text
LANGUAGE sql AS $$ SELECT lyftron.resolve_manifest($1) #>> $2::text[] $$;

-- own keys go before those of what is referred to; keys may hold slashes
SELECT pg_temp.resolved($$
definitions:
  base: {a: 1, b: {c: 2}}
  base/b: slashed
  list: [x, y]
streams:
  - name: s
    one: {$ref: "#/definitions/base", a: 3, z: 4}
    two: "#/definitions/base/b"
    three: "#/definitions/list/1"
    four: "#/definitions/list/-1"
    five: {$ref: "#/definitions/list", gone: true}
    config_overrides: {left: "#/alone"}
$$, '{streams,0}');

-- types by place, parameters downwards: never over what is there, never into the field of their own name
SELECT pg_temp.resolved($$
streams:
  - $parameters: {name: users, path: /users, empty: filled}
    empty: ""
    retriever:
      requester: {path: /mine}
      paginator: {class_name: a.b}
      record_selector: {extractor: {field_path: []}}
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {path: {type: string}}}}
$$, '{streams,0}');

-- broken as a whole
SELECT lyftron.resolve_manifest('[]');
SELECT lyftron.resolve_manifest('streams: []');
SELECT lyftron.resolve_manifest('streams: [5]');
SELECT lyftron.resolve_manifest('type: Other');
SELECT lyftron.resolve_manifest(E'streams:\n  - name: a\n - name: b\n');
SELECT lyftron.resolve_manifest($$
streams: [{name: s, retriever: {requester: "#/definitions/none"}}]
$$);
SELECT lyftron.resolve_manifest($$
definitions: {a: {x: "#/definitions/b"}, b: {y: ["#/definitions/a"]}}
streams: [{name: s, retriever: "#/definitions/a"}]
$$);
SELECT lyftron.resolve_manifest('streams: [{name: s, $parameters: 5}]');

-- ten times ten times ten ...
SELECT lyftron.resolve_manifest('definitions: {d0: [1, 2, 3, 4, 5, 6, 7, 8, 9, 0], ' ||
    string_agg(format('d%s: [%s]', n, repeat(format('"#/definitions/d%s", ', n - 1), 10)), ', ') ||
    '}' || E'\nstreams: [{name: s}]')
FROM generate_series(1, 12) n;
SELECT lyftron.resolve_manifest('streams: [{name: s, x: ' || repeat('[', 1000) || repeat(']', 1000) || '}]');
