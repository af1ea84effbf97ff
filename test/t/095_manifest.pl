
# What the components of a manifest do, case by case: exactly these requests, in this order, and exactly
# these records and this state come of it. Broken manifests are refused, or only the stream that they break is.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use LyftronManifest;
use LyftronTest;
use Test::More;

my $node = new_node('main');
start_manifest_api($node);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# --- references, types, parameters ---

check_that 'a reference is filled in, own members replace whole ones, parameters go down',
  manifest => q(
version: 6.0.0
type: DeclarativeSource
definitions:
  selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [items]}}
  requester:
    type: HttpRequester
    url_base: "{{ config['url'] }}"
    path: "{{ parameters['path'] }}"
    request_parameters: {kind: base, gone: "1"}
    request_headers: {X-Name: "{{ parameters.name }}"}
  retriever:
    type: SimpleRetriever
    requester: {$ref: "#/definitions/requester", request_parameters: {kind: "{{ parameters['kind'] }}"}}
    record_selector: "#/definitions/selector"
check: {type: CheckStream, stream_names: [s]}
streams:
  - type: DeclarativeStream
    name: s
    $parameters: {path: things, kind: own, name: s}
    retriever: {$ref: "#/definitions/retriever"}
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {}}}
spec: {type: Spec, connection_specification: {type: object, properties: {}}}
),
  answers => { 'GET /things' => [ items(1) ] }, requests => ['GET /things?kind=own'], records => ids(1), headers => { 'X-Name' => 's' };

check_that 'types that are not said follow from the place',
  manifest => q(
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [s]}
streams:
  - type: DeclarativeStream
    name: s
    retriever:
      requester:
        url_base: "{{ config['url'] }}"
        path: items
        http_method: GET
        authenticator: {type: BearerAuthenticator, api_token: t}
      record_selector: {extractor: {field_path: [items]}}
      paginator:
        type: DefaultPaginator
        page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
        pagination_strategy: {type: PageIncrement, page_size: 1, start_from_page: 1}
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {}}}
spec: {type: Spec, connection_specification: {type: object, properties: {}}}
),
  answers => { 'GET /items' => [ items(1), items() ] }, requests => [ 'GET /items', 'GET /items?page=2' ], records => ids(1);

# --- authenticators ---

check_that 'an API key in a header', auth => q({type: ApiKeyAuthenticator, api_token: "k {{ config['key'] }}", inject_into: {type: RequestOption, inject_into: header, field_name: X-Key}}),
  config => { key => 'abc' }, requests => ['GET /items'], headers => { 'X-Key' => 'k abc' };
check_that 'an API key in a header, the old way', auth => q({type: ApiKeyAuthenticator, api_token: "{{ config['key'] }}", header: X-Old}),
  config => { key => 'abc' }, requests => ['GET /items'], headers => { 'X-Old' => 'abc' };
check_that 'an API key in the query', auth => q({type: ApiKeyAuthenticator, api_token: "{{ config['key'] }}", inject_into: {type: RequestOption, inject_into: request_parameter, field_name: key}}),
  config => { key => 'a&b c' }, requests => ['GET /items?key=a&b c'];
check_that 'an API key in a JSON body', auth => q({type: ApiKeyAuthenticator, api_token: "{{ config['key'] }}", inject_into: {type: RequestOption, inject_into: body_json, field_name: key}}),
  requester => 'http_method: POST, request_body_json: {a: 1}', config => { key => 'abc' },
  answers => { 'POST /items' => [ items(1) ] }, requests => ['POST /items'], bodies => ['{"a": 1, "key": "abc"}'];
check_that 'an API key in a form', auth => q({type: ApiKeyAuthenticator, api_token: "{{ config['key'] }}", inject_into: {type: RequestOption, inject_into: body_data, field_name: key}}),
  requester => 'http_method: POST, request_body_data: {a: x y}', config => { key => 'abc' },
  answers => { 'POST /items' => [ items(1) ] }, requests => ['POST /items'], bodies => ['a=x+y&key=abc'];
check_that 'a bearer token', auth => q({type: BearerAuthenticator, api_token: "{{ config['key'] }}"}), config => { key => 'abc' },
  headers => { Authorization => 'Bearer abc' }, requests => ['GET /items'];
check_that 'user and password', auth => q({type: BasicHttpAuthenticator, username: "{{ config['u'] }}", password: "{{ config['p'] }}"}),
  config => { u => 'ann', p => "s\x{e4}cret:" }, headers => { Authorization => 'Basic YW5uOnPDpGNyZXQ6' }, requests => ['GET /items'];
check_that 'a user without a password', auth => q({type: BasicHttpAuthenticator, username: "{{ config['u'] }}"}),
  config => { u => 'ann' }, headers => { Authorization => 'Basic YW5uOg==' }, requests => ['GET /items'];
my $selective = q({type: SelectiveAuthenticator, authenticator_selection_path: [login, kind], authenticators: {
  a: {type: BearerAuthenticator, api_token: "{{ config['login']['t'] }}"},
  b: {type: ApiKeyAuthenticator, api_token: "{{ config['login']['t'] }}", header: X-B}}});
check_that 'the authenticator that the configuration selects', auth => $selective, config => { login => { kind => 'a', t => 'x' } },
  headers => { Authorization => 'Bearer x' }, requests => ['GET /items'];
check_that 'another one that it selects', auth => $selective, config => { login => { kind => 'b', t => 'x' } },
  headers => { 'X-B' => 'x' }, requests => ['GET /items'];
check_that 'one that it selects and that is not there', auth => $selective, config => { login => { kind => 'c', t => 'x' } },
  error => qr/ERROR: .*"?c"?/, requests => [];

# --- paging ---

check_that 'pages: the first without a number, until one is not full', paginator => paginator('type: PageIncrement, page_size: 2', 'page', 'limit'),
  answers => { 'GET /items' => [ items(1, 2), items(3, 4), items(5), items(6) ] },
  requests => [ 'GET /items?limit=2', 'GET /items?limit=2&page=1', 'GET /items?limit=2&page=2' ], records => ids(1 .. 5);
check_that 'pages: from a start page', paginator => paginator('type: PageIncrement, page_size: 2, start_from_page: 1', 'page', 'limit'),
  answers => { 'GET /items' => [ items(1, 2), items(3) ] }, requests => [ 'GET /items?limit=2', 'GET /items?limit=2&page=2' ];
check_that 'pages: the first number is sent, too', paginator => paginator('type: PageIncrement, page_size: 2, start_from_page: 0, inject_on_first_request: true', 'page', 'limit'),
  answers => { 'GET /items' => [ items(1, 2), items(3, 4), items() ] },
  requests => [ map { "GET /items?limit=2&page=$_" } 0 .. 2 ], records => ids(1 .. 4);
check_that 'pages without a size: until an empty one', paginator => paginator('type: PageIncrement, start_from_page: 1', 'page'),
  answers => { 'GET /items' => [ items(1, 2), items(3), items() ] }, requests => [ 'GET /items', 'GET /items?page=2', 'GET /items?page=3' ];
check_that 'pages count what is extracted, not what a filter leaves', paginator => paginator('type: PageIncrement, page_size: 2, start_from_page: 1', 'page'),
  selector => q(record_filter: {type: RecordFilter, condition: "{{ record['id'] > 2 }}"}),
  answers => { 'GET /items' => [ items(1, 2), items(3) ] }, requests => [ 'GET /items', 'GET /items?page=2' ], records => ids(3);
check_that 'a page size of the configuration', paginator => paginator(q(type: PageIncrement, page_size: "{{ config['n'] }}"), 'page', 'limit'), config => { n => 2 },
  answers => { 'GET /items' => [ items(1) ] }, requests => ['GET /items?limit=2'];
check_that 'offsets', paginator => paginator('type: OffsetIncrement, page_size: 2', 'offset', 'limit'),
  answers => { 'GET /items' => [ items(1, 2), items(3, 4), items(5) ] },
  requests => [ 'GET /items?limit=2', 'GET /items?limit=2&offset=2', 'GET /items?limit=2&offset=4' ], records => ids(1 .. 5);
check_that 'offsets: the first is sent, too', paginator => paginator('type: OffsetIncrement, page_size: 2, inject_on_first_request: true', 'offset'),
  answers => { 'GET /items' => [ items(1, 2), items() ] }, requests => [ 'GET /items?offset=0', 'GET /items?offset=2' ];
check_that 'offsets without a page size', paginator => paginator('type: OffsetIncrement', 'offset'),
  answers => { 'GET /items' => [ items(1, 2), items(3), items() ] }, requests => [ 'GET /items', 'GET /items?offset=2', 'GET /items?offset=3' ];
check_that 'a token in the body', paginator => paginator(q(type: CursorPagination, cursor_value: "{{ response['meta']['next'] }}"), 'after'),
  answers => { 'GET /items' => [ { %{ items(1) }, meta => { next => 'a=b' } } ], 'GET /items?after=a=b' => [ { %{ items(2) }, meta => { next => undef } } ] },
  requests => [ 'GET /items', 'GET /items?after=a=b' ], records => ids(1, 2);
check_that 'a token in the body, and a condition to stop', paginator => paginator(q(type: CursorPagination, page_size: 5, cursor_value: "{{ response.next }}", stop_condition: "{{ not response.more }}"), 'after', 'n'),
  answers => { 'GET /items' => [ { %{ items(1) }, next => 7, more => \1 }, { %{ items(2) }, next => 8, more => \0 } ] },
  requests => [ 'GET /items?n=5', 'GET /items?after=7&n=5' ], records => ids(1, 2);
check_that 'the last record is the token', paginator => paginator(q(type: CursorPagination, cursor_value: "{{ last_record['id'] }}", stop_condition: "{{ last_page_size < 2 }}"), 'after'),
  answers => { 'GET /items' => [ items(4, 7), items(9, 11), items(12) ] },
  requests => [ 'GET /items', 'GET /items?after=7', 'GET /items?after=11' ], records => ids(4, 7, 9, 11, 12);
check_that 'a link header and a path',
  paginator => q({type: DefaultPaginator, page_token_option: {type: RequestPath},
    pagination_strategy: {type: CursorPagination, cursor_value: "{{ headers['link']['next']['url'] }}", stop_condition: "{{ 'next' not in headers['link'] }}"}}),
  requester => 'request_parameters: {x: "1"}',
  answers => { 'GET /items' => [ { status => 200, json => items(1), headers => { link => '<__URL__/more?p=2>; rel="next", <__URL__/items>; rel="first"' } } ],
	'GET /more' => [ { status => 200, json => items(2), headers => { link => '<__URL__/items>; rel="first"' } } ] },
  requests => [ 'GET /items?x=1', 'GET /more?p=2&x=1' ], records => ids(1, 2);
check_that 'a header is the token, in a header', paginator => q({type: DefaultPaginator, page_token_option: {type: RequestOption, inject_into: header, field_name: X-After},
    pagination_strategy: {type: CursorPagination, cursor_value: "{{ headers['X-Next'] }}"}}),
  answers => { 'GET /items' => [ { status => 200, json => items(1), headers => { 'X-Next' => 'n1' } }, items(2) ] },
  requests => [ 'GET /items', 'GET /items' ], records => ids(1, 2);
check_that 'a token goes into a JSON body, at a path', requester => 'http_method: POST, request_body_json: {filter: {a: 1}}',
  paginator => q({type: DefaultPaginator, page_token_option: {type: RequestOption, inject_into: body_json, field_path: [filter, after]},
    pagination_strategy: {type: CursorPagination, cursor_value: "{{ response['next'] }}"}}),
  answers => { 'POST /items' => [ { %{ items(1) }, next => 5 }, items(2) ] },
  requests => [ 'POST /items', 'POST /items' ], bodies => [ '{"filter": {"a": 1}}', '{"filter": {"a": 1, "after": 5}}' ];

# --- partitions ---

my $substream = sub {
	my ($more, @parents) = @_;
	@parents = ('parents') unless @parents;
	return '{type: SubstreamPartitionRouter, parent_stream_configs: [' . join(', ', map {
		'{type: ParentStreamConfig, parent_key: id, partition_field: pid, stream: ' . parent($_, '') . "$more}" } @parents) . ']}';
};
check_that 'a request for each record of the parent; one without a key is left out', partition_router => $substream->(''),
  path => q("parents/{{ stream_partition['pid'] }}/items"),
  answers => { 'GET /parents' => [ { items => [ { id => 1 }, { name => 'no key' }, { id => undef }, { id => 'b' } ] } ],
	'GET /parents/1/items' => [ items(1, 2) ], 'GET /parents/b/items' => [ items(3) ] },
  requests => [ 'GET /parents', 'GET /parents/1/items', 'GET /parents/b/items' ], records => ids(1, 2, 3);
check_that "more of the parent's fields", partition_router => $substream->(', extra_fields: [[name], [a, b]]'),
  requester => q(request_parameters: {name: "{{ stream_slice.extra_fields['name'] }}", deep: "{{ stream_slice.extra_fields['a.b'] }}", pid: "{{ stream_slice.pid }}"}),
  answers => { 'GET /parents' => [ { items => [ { id => 1, name => 'x', a => { b => 2 } } ] } ], 'GET /items' => [ items(1) ] },
  requests => [ 'GET /parents', 'GET /items?deep=2&name=x&pid=1' ];
check_that 'the partition as a request option', partition_router => $substream->(', request_option: {type: RequestOption, inject_into: request_parameter, field_name: parent}'),
  answers => { 'GET /parents' => [ items(1, 2) ], 'GET /items' => [ items(5) ] },
  requests => [ 'GET /parents', 'GET /items?parent=1', 'GET /items?parent=2' ];
check_that 'two parents, one after the other', partition_router => $substream->('', 'mothers', 'fathers'),
  path => q("of/{{ stream_partition.pid }}"),
  answers => { 'GET /mothers' => [ items(1, 2) ], 'GET /fathers' => [ items(3) ], map { +"GET /of/$_" => [ items($_) ] } 1 .. 3 },
  requests => [ 'GET /mothers', 'GET /of/1', 'GET /of/2', 'GET /fathers', 'GET /of/3' ], records => ids(1, 2, 3);
check_that 'a key inside of objects',
  partition_router => '{type: SubstreamPartitionRouter, parent_stream_configs: [{type: ParentStreamConfig, parent_key: a/b, partition_field: pid, stream: ' . parent('parents', '') . '}]}',
  path => q("of/{{ stream_partition.pid }}"), answers => { 'GET /parents' => [ { items => [ { a => { b => 7 } } ] } ], 'GET /of/7' => [ items(1) ] },
  requests => [ 'GET /parents', 'GET /of/7' ];
check_that 'a list of partitions',
  partition_router => '{type: ListPartitionRouter, values: [x, y], cursor_field: k, request_option: {type: RequestOption, inject_into: request_parameter, field_name: kind}}',
  requests => [ 'GET /items?kind=x', 'GET /items?kind=y' ], records => ids(1, 1);
check_that 'a list of partitions in the configuration', path => q("items/{{ stream_partition['k'] }}"),
  partition_router => q({type: ListPartitionRouter, values: "{{ config['list'] }}", cursor_field: k}), config => { list => [ 'x', 'y z' ] },
  answers => { 'GET /items/x' => [ items(1) ], 'GET /items/y z' => [ items(2) ] }, requests => [ 'GET /items/x', 'GET /items/y z' ], records => ids(1, 2);
check_that 'the product of lists, the last one fastest',
  partition_router => '[{type: ListPartitionRouter, values: [x, y], cursor_field: k, request_option: {type: RequestOption, inject_into: request_parameter, field_name: k}},'
  . ' {type: ListPartitionRouter, values: ["1", "2"], cursor_field: n, request_option: {type: RequestOption, inject_into: request_parameter, field_name: n}}]',
  requests => [ 'GET /items?k=x&n=1', 'GET /items?k=x&n=2', 'GET /items?k=y&n=1', 'GET /items?k=y&n=2' ];
check_that 'a page belongs to its partition',
  partition_router => '{type: ListPartitionRouter, values: [x, y], cursor_field: k, request_option: {type: RequestOption, inject_into: request_parameter, field_name: k}}',
  paginator => paginator('type: PageIncrement, page_size: 1, start_from_page: 1', 'page'),
  answers => { 'GET /items' => [ items() ], 'GET /items?k=x' => [ items(1) ] }, requests => [ 'GET /items?k=x', 'GET /items?k=x&page=2', 'GET /items?k=y' ];

check_that 'what a parent has answered is not asked for again; the first of two names wins', partition_router => '[' . $substream->('') . ', ' . $substream->('', 'others') . ', '
  . '{type: SubstreamPartitionRouter, parent_stream_configs: [{type: ParentStreamConfig, parent_key: name, partition_field: name, stream: ' . parent('parents', '') . '}]}]',
  path => q("of/{{ stream_partition.pid }}/{{ stream_partition.name }}"),
  answers => { 'GET /parents' => [ { items => [ { id => 1, name => 'a' }, { id => 2, name => 'b' } ] } ], 'GET /others' => [ items(9) ],
	map { +"GET /of/$_" => [ items() ] } '1/a', '1/b', '2/a', '2/b' },
  requests => [ 'GET /others', 'GET /parents', 'GET /of/1/a', 'GET /of/1/b', 'GET /of/2/a', 'GET /of/2/b' ];
check_that 'partitions in groups',
  partition_router => '{type: GroupingPartitionRouter, group_size: 2, underlying_partition_router: ' . $substream->('') . '}',
  requester => q(request_parameters: {ids: "{{ stream_partition['pid'] | join(',') }}"}),
  answers => { 'GET /parents' => [ items(1, 2, 3) ], 'GET /items' => [ items(1) ] }, requests => [ 'GET /parents', 'GET /items?ids=1,2', 'GET /items?ids=3' ];

# --- datetime cursors ---

sub windows { return [ map { "GET /items?since=$_->[0]&until=$_->[1]" } @_ ]; }
my $step = 'step: P3D, cursor_granularity: P1D';
check_that 'windows of three days', incremental_sync => cursor($step),
  answers => { 'GET /items' => [ { items => [ { at => '2024-01-02' } ] } ] },
  requests => windows([ '2024-01-01', '2024-01-03' ], [ '2024-01-04', '2024-01-06' ], [ '2024-01-07', '2024-01-10' ]);
check_that 'windows from a state on', incremental_sync => cursor($step), state => { at => '2024-01-05' },
  answers => { 'GET /items' => [ { items => [ { at => '2024-01-06' } ] }, { items => [ { at => '2024-01-09' } ] } ] },
  requests => windows([ '2024-01-05', '2024-01-07' ], [ '2024-01-08', '2024-01-10' ]), records => [ { at => '2024-01-06' }, { at => '2024-01-09' } ],
  final => { at => '2024-01-09' };
check_that 'windows from a state on, looking back', incremental_sync => cursor("$step, lookback_window: P2D"), state => { at => '2024-01-05' },
  requests => windows([ '2024-01-03', '2024-01-05' ], [ '2024-01-06', '2024-01-08' ], [ '2024-01-09', '2024-01-10' ]);
check_that 'it looks back to the start at most', incremental_sync => cursor("$step, lookback_window: P20D"), state => { at => '2024-01-08' },
  requests => windows([ '2024-01-01', '2024-01-03' ], [ '2024-01-04', '2024-01-06' ], [ '2024-01-07', '2024-01-10' ]);
check_that 'a state before the start', incremental_sync => cursor(undef), state => { at => '2023-01-08' }, requests => windows([ '2024-01-01', '2024-01-10' ]);
check_that 'a state at the end, with a granularity', incremental_sync => cursor($step), state => { at => '2024-01-10' }, requests => windows([ '2024-01-10', '2024-01-10' ]);
check_that 'until now', incremental_sync => cursor(undef, no_end => 1), now => '2024-02-03 04:05:06+00', requests => windows([ '2024-01-01', '2024-02-03' ]);
check_that 'records without a cursor value are given, and move nothing', incremental_sync => cursor(undef),
  answers => { 'GET /items' => [ { items => [ { at => '2024-01-02', id => 1 }, { id => 2 }, { at => undef, id => 3 } ] } ] },
  records => [ { at => '2024-01-02', id => 1 }, { id => 2 }, { at => undef, id => 3 } ], final => { at => '2024-01-02' };
check_that 'the bounds as expressions', incremental_sync => cursor(undef, no_options => 1), state => { at => '2024-01-05' },
  requester => q(request_parameters: {a: "{{ stream_interval['start_time'] }}", b: "{{ stream_slice.end_time }}", c: "{{ stream_interval.start_time[:4] }}"}),
  requests => ['GET /items?a=2024-01-05&b=2024-01-10&c=2024'];
check_that 'parameters of a partition on the first page only',
  retriever => 'ignore_stream_slicer_parameters_on_paginated_requests: true', incremental_sync => cursor(undef),
  paginator => paginator('type: CursorPagination, cursor_value: "{{ response.next }}"', 'after'),
  answers => { 'GET /items' => [ { %{ items(1) }, next => 'n' }, items(2) ] }, requests => [ 'GET /items?since=2024-01-01&until=2024-01-10', 'GET /items?after=n' ];
check_that 'bounds of other names', incremental_sync => cursor('partition_field_start: from, partition_field_end: to', no_options => 1),
  requester => q(request_parameters: {a: "{{ stream_interval['from'] }}", b: "{{ stream_interval['to'] }}"}), requests => ['GET /items?a=2024-01-01&b=2024-01-10'];
check_that 'a start that the configuration says, at least another', incremental_sync => cursor(undef,
	start => q({type: MinMaxDatetime, datetime: "{{ config['start'] }}", datetime_format: "%Y-%m-%d", min_datetime: "2024-01-04"})),
  config => { start => '2023-06-01' }, requests => windows([ '2024-01-04', '2024-01-10' ]);
my %times = (start => '{type: MinMaxDatetime, datetime: "2024-01-01T00:00:00Z", datetime_format: "%Y-%m-%dT%H:%M:%SZ"}',
	end => '{type: MinMaxDatetime, datetime: "2024-01-02T03:04:05Z", datetime_format: "%Y-%m-%dT%H:%M:%SZ"}');
for my $format ([ '%s', 1704067200, 1704164645 ], [ '%ms', 1704067200000, 1704164645000 ], [ '%s_as_float', '1704067200.0', '1704164645.0' ],
	[ '%epoch_microseconds', '1704067200000000', '1704164645000000' ], [ '%Y-%m-%dT%H:%M:%S.%_ms%z', '2024-01-01T00:00:00.000+0000', '2024-01-02T03:04:05.000+0000' ],
	[ '%Y-%m-%dT%H:%M:%S.%fZ', '2024-01-01T00:00:00.000000Z', '2024-01-02T03:04:05.000000Z' ], [ '%m/%d/%Y', '01/01/2024', '01/02/2024' ])
{
	check_that "times as $format->[0]", incremental_sync => cursor(undef, format => $format->[0], %times),
	  answers => { 'GET /items' => [ { items => [ { at => $format->[1] } ] } ] },
	  requests => windows([ $format->[1], $format->[2] ]), final => { at => "$format->[1]" };
}
check_that "records' times in other formats than the requests'", incremental_sync => cursor('cursor_datetime_formats: ["%s", "%Y-%m-%dT%H:%M:%S%z"]'),
  answers => { 'GET /items' => [ { items => [ { at => 1704240000 }, { at => '2024-01-05T10:00:00+02:00' }, { at => '2024-01-04' } ] } ] },
  final => { at => '2024-01-05' };
check_that "older records are left out where the API cannot do it", incremental_sync => cursor('is_client_side_incremental: true', no_options => 1), state => { at => '2024-01-05' },
  answers => { 'GET /items' => [ { items => [ map { { at => "2024-01-$_" } } '04', '05', '06', '11' ] } ] },
  requests => ['GET /items'], records => [ { at => '2024-01-05' }, { at => '2024-01-06' } ], final => { at => '2024-01-06' };
check_that 'a feed is read until it is old', incremental_sync => cursor('is_data_feed: true', no_options => 1), state => { at => '2024-01-05' },
  paginator => paginator('type: PageIncrement, page_size: 2, start_from_page: 1', 'page'),
  answers => { 'GET /items' => [ map { { items => [ map { { at => "2024-01-$_" } } @$_ ] } } [ '09', '08' ], [ '06', '04' ], [ '03', '02' ] ] },
  requests => [ 'GET /items', 'GET /items?page=2' ], records => [ map { { at => "2024-01-$_" } } '09', '08', '06' ], final => { at => '2024-01-09' };
my $list = '{type: ListPartitionRouter, values: [x, y], cursor_field: k, request_option: {type: RequestOption, inject_into: request_parameter, field_name: k}}';
check_that 'a state for each partition', partition_router => $list, incremental_sync => cursor(undef),
  state => { states => [ { partition => { k => 'x' }, cursor => { at => '2024-01-03' } }, { partition => { k => 'y' }, cursor => { at => '2024-01-06' } } ], state => { at => '2024-01-06' } },
  answers => { 'GET /items' => [ { items => [ { at => '2024-01-07' } ] }, { items => [ { at => '2024-01-08' } ] } ] },
  requests => [ 'GET /items?k=x&since=2024-01-03&until=2024-01-10', 'GET /items?k=y&since=2024-01-06&until=2024-01-10' ],
  final => { use_global_cursor => \0, state => { at => '2024-01-08' },
	states => [ { partition => { k => 'x' }, cursor => { at => '2024-01-07' } }, { partition => { k => 'y' }, cursor => { at => '2024-01-08' } } ] };
check_that "a new partition begins at the others' state", partition_router => $list, incremental_sync => cursor(undef),
  state => { states => [ { partition => { k => 'x' }, cursor => { at => '2024-01-07' } } ], state => { at => '2024-01-05' }, lookback_window => 0 },
  answers => { 'GET /items' => [ items() ] },
  requests => [ 'GET /items?k=x&since=2024-01-07&until=2024-01-10', 'GET /items?k=y&since=2024-01-05&until=2024-01-10' ];
check_that 'a state of the stream is one of every partition', partition_router => $list, incremental_sync => cursor(undef), state => { at => '2024-01-04' },
  answers => { 'GET /items' => [ items() ] },
  requests => [ 'GET /items?k=x&since=2024-01-04&until=2024-01-10', 'GET /items?k=y&since=2024-01-04&until=2024-01-10' ];
check_that 'parents and their windows', partition_router => $substream->(', request_option: {type: RequestOption, inject_into: request_parameter, field_name: p}'),
  incremental_sync => cursor('step: P5D, cursor_granularity: P1D'),
  answers => { 'GET /parents' => [ items(1, 2) ], 'GET /items' => [ items() ] },
  requests => [ 'GET /parents', map { my $p = $_; map { "GET /items?p=$p&since=2024-01-$_" } '01&until=2024-01-05', '06&until=2024-01-10' } 1, 2 ];
my $dependent = '{type: SubstreamPartitionRouter, parent_stream_configs: [{type: ParentStreamConfig, parent_key: id, partition_field: pid, incremental_dependency: true,
  request_option: {type: RequestOption, inject_into: request_parameter, field_name: p}, stream: ' . parent('parents', ', incremental_sync: ' . cursor(undef)) . '}]}';
check_that 'a parent that is incremental, too', partition_router => $dependent, incremental_sync => cursor(undef),
  answers => { 'GET /parents' => [ { items => [ { id => 1, at => '2024-01-02' }, { id => 2, at => '2024-01-03' } ] } ], 'GET /items' => [ { items => [ { at => '2024-01-05' } ] } ] },
  requests => [ 'GET /parents?since=2024-01-01&until=2024-01-10', map { "GET /items?p=$_&since=2024-01-01&until=2024-01-10" } 1, 2 ],
  final => { use_global_cursor => \0, state => { at => '2024-01-05' }, parent_state => { parents => { at => '2024-01-03' } },
	states => [ map { { partition => { pid => $_, parent_slice => {} }, cursor => { at => '2024-01-05' } } } 1, 2 ] };
check_that "only the parent's new records are asked for more", partition_router => $dependent, incremental_sync => cursor(undef),
  state => { use_global_cursor => \0, state => { at => '2024-01-05' }, parent_state => { parents => { at => '2024-01-03' } }, lookback_window => 0,
	states => [ map { { partition => { pid => $_, parent_slice => {} }, cursor => { at => '2024-01-05' } } } 1, 2 ] },
  answers => { 'GET /parents' => [ { items => [ { id => 2, at => '2024-01-04' } ] } ], 'GET /items' => [ { items => [ { at => '2024-01-06' } ] } ] },
  requests => [ 'GET /parents?since=2024-01-03&until=2024-01-10', 'GET /items?p=2&since=2024-01-05&until=2024-01-10' ],
  final => { use_global_cursor => \0, state => { at => '2024-01-06' }, parent_state => { parents => { at => '2024-01-04' } },
	states => [ { partition => { pid => 1, parent_slice => {} }, cursor => { at => '2024-01-05' } }, { partition => { pid => 2, parent_slice => {} }, cursor => { at => '2024-01-06' } } ] };
check_that 'one cursor for all partitions', partition_router => $list, incremental_sync => cursor('global_substream_cursor: true'),
  answers => { 'GET /items' => [ { items => [ { at => '2024-01-05' } ] }, { items => [ { at => '2024-01-04' } ] } ] },
  requests => [ map { "GET /items?k=$_&since=2024-01-01&until=2024-01-10" } 'x', 'y' ], final => { use_global_cursor => \1, state => { at => '2024-01-05' } };
check_that 'partitions and pages at once', partition_router => $list, paginator => paginator('type: CursorPagination, cursor_value: "{{ response.next }}"', 'after'),
  answers => { 'GET /items' => [ items(1) ], 'GET /items?k=x' => [ { %{ items(2) }, next => 'n' } ] },
  requests => [ 'GET /items?k=x', 'GET /items?after=n&k=x', 'GET /items?k=y' ], records => ids(2, 1, 1);
check_that 'a stream without a cursor has no position', final => { __ab_no_cursor_state_message => \1 };

check_that 'states of the form before there were partitions', partition_router => $list, incremental_sync => cursor(undef), stream => 'state_migrations: [{type: LegacyToPerPartitionStateMigration}]',
  state => { x => { at => '2024-01-03' }, y => { at => '2024-01-06' } },
  answers => { 'GET /items' => [ { items => [ { at => '2024-01-07' } ] } ] },
  requests => [ 'GET /items?k=x&since=2024-01-03&until=2024-01-10', 'GET /items?k=y&since=2024-01-06&until=2024-01-10' ],
  final => { use_global_cursor => \0, state => { at => '2024-01-07' },
	states => [ map { { partition => { k => $_ }, cursor => { at => '2024-01-07' } } } 'x', 'y' ] };
check_that 'a state that such a migration is not for', partition_router => $list, incremental_sync => cursor(undef), stream => 'state_migrations: [{type: LegacyToPerPartitionStateMigration}]',
  state => { at => '2024-01-04' }, answers => { 'GET /items' => [ items() ] },
  requests => [ map { "GET /items?k=$_&since=2024-01-04&until=2024-01-10" } 'x', 'y' ];
check_that 'several routers of one field', path => q("of/{{ stream_partition['pid'] }}/{{ stream_slice.extra_fields | length }}"),
  partition_router => '{type: UnionPartitionRouter, partition_field: pid, partition_routers: [{type: ListPartitionRouter, cursor_field: pid, values: [a, "2"]}, '
	. $substream->('') . ', {type: ListPartitionRouter, cursor_field: pid, values: [a, b]}]}', incremental_sync => cursor(undef, no_options => 1),
  answers => { 'GET /parents' => [ items(1, 2) ], map { +"GET /of/$_" => [ { items => [ { at => '2024-01-02' } ] } ] } 'a/0', '2/0', '1/1', '2/1', 'b/0' },
  requests => [ 'GET /of/a/0', 'GET /of/2/0', 'GET /parents', map { "GET /of/$_" } '1/1', '2/1', 'b/0' ],
  final => { use_global_cursor => \0, parent_state => {}, state => { at => '2024-01-02' }, states => [ map { { partition => { pid => $_ }, cursor => { at => '2024-01-02' } } } 'a', '2', 1, 2, 'b' ] };
check_that 'a router of a union that has another field', error => qr/a partition of a union has no field "pid"/, records => [],
  partition_router => '{type: UnionPartitionRouter, partition_field: pid, partition_routers: [{type: ListPartitionRouter, cursor_field: k, values: [a]}]}';

# --- windows of whole days, weeks and months ---

sub clamped { my ($target, $more, %p) = @_; return cursor(join(', ', "clamping: {target: $target}", $more // ()), start => '"2024-01-17"', end => '"2024-04-09"', %p); }
check_that 'whole months', incremental_sync => clamped('MONTH', 'step: P10D, cursor_granularity: P1D'),
  requests => windows([ '2024-02-01', '2024-02-29' ], [ '2024-03-01', '2024-03-31' ]);
check_that 'whole months by one step', incremental_sync => clamped('MONTH'), requests => windows([ '2024-02-01', '2024-04-01' ]);
check_that 'whole months from a state on', incremental_sync => clamped('"{{ \'MONTH\' }}"', 'step: P1M, cursor_granularity: P1D'), state => { at => '2024-02-29' },
  requests => windows([ '2024-03-01', '2024-03-31' ]), final => { at => '2024-03-31' }, answers => { 'GET /items' => [ { items => [ { at => '2024-03-31' } ] } ] };
check_that 'whole weeks', incremental_sync => clamped('WEEK, target_details: {weekday: WEDNESDAY}', 'step: P9D, cursor_granularity: P1D', end => '"2024-02-09"'),
  requests => windows([ '2024-01-17', '2024-01-30' ], [ '2024-01-31', '2024-02-06' ]);
check_that 'whole days', incremental_sync => clamped('DAY', 'step: P20D, cursor_granularity: PT1S', format => '%Y-%m-%dT%H:%M:%S', start => '"2024-01-17T05:00:00"', end => '"2024-02-09T06:00:00"'),
  requests => windows([ '2024-01-18T00:00:00', '2024-02-06T23:59:59' ], [ '2024-02-07T00:00:00', '2024-02-08T23:59:59' ]);
check_that 'clamped to nothing known', incremental_sync => clamped('YEAR'), requests => [], error => qr/a cursor's clamping must be DAY, WEEK or MONTH, not "YEAR"/;
check_that 'clamped to weeks of no weekday', incremental_sync => clamped('WEEK'), requests => [], error => qr/clamping by WEEK needs a weekday/;

# --- numbers that grow ---

sub count_cursor { my ($more) = @_; return join(', ', '{type: IncrementingCountCursor, cursor_field: id', 'start_value_option: {type: RequestOption, inject_into: request_parameter, field_name: after}', $more // ()) . '}'; }
check_that 'a count from its start value', incremental_sync => count_cursor('start_value: 3'), answers => { 'GET /items' => [ items(3, 12, 7) ] },
  requests => ['GET /items?after=3'], records => ids(3, 12, 7), final => { id => 12 };
check_that 'a count from a state on', incremental_sync => count_cursor('start_value: "{{ config[\'from\'] }}"'), config => { from => 3 }, state => { id => 12 },
  answers => { 'GET /items' => [ items(12, 13) ] }, requests => ['GET /items?after=12'], final => { id => 13 };
check_that 'a count without anything new', incremental_sync => count_cursor(), state => { id => 12 }, answers => { 'GET /items' => [ items() ] }, requests => ['GET /items?after=12'], final => { id => 12 };
check_that 'a count in an expression', incremental_sync => '{type: IncrementingCountCursor, cursor_field: id}', path => q("of/{{ stream_interval['start'] }}"),
  answers => { 'GET /of/0' => [ { items => [ { id => '5' }, { id => undef }, { n => 1 } ] } ] }, requests => ['GET /of/0'], final => { id => 5 };
check_that 'a count that begins with no number', incremental_sync => count_cursor('start_value: soon'), requests => [], error => qr/the cursor's start value "soon" is no whole number/;
check_that 'a count of partitions', partition_router => $list, incremental_sync => count_cursor(), requests => [], error => qr/a stream with partitions cannot have an IncrementingCountCursor/;

# --- what becomes of records ---

sub record_case
{
	my ($claim, $record, $result, %more) = @_;
	check_that $claim, answers => { 'GET /items' => [ { items => [$record] } ] }, records => [ defined $result ? $result : () ], %more;
	return;
}
sub add { return '[{type: AddFields, fields: [' . join(', ', map { "{type: AddedFieldDefinition, $_}" } @_) . ']}]'; }

record_case 'added fields have the type that their text looks like', { id => 7 },
  { id => 7, n => 8, s => '007', t => 'x7', l => [ 1, 2 ], b => \1, m => { a => 1 }, f => 1.5, u => '2024-01-01' },
  transformations => add('path: [n], value: "{{ record.id + 1 }}"', 'path: [s], value: "007"', 'path: [t], value: "x{{ record[\'id\'] }}"', 'path: [l], value: "1,2"',
	'path: [b], value: "{{ 1 == 1 }}"', 'path: [m], value: "{{ {\'a\': 1} }}"', 'path: [f], value: "1.5"', 'path: [u], value: "2024-01-01"');
record_case 'added fields of a type', { id => 7 }, { id => 7, a => '8', b => '12' },
  transformations => add('path: [a], value: "{{ record.id + 1 }}", value_type: string', 'path: [b], value: "12", value_type: string');
record_case 'an added field makes its parents, and sees the ones before', { id => 7 }, { id => 7, a => { b => 1 }, c => 2 },
  transformations => add('path: [a, b], value: "1"', 'path: [c], value: "{{ record.a.b + 1 }}"');
record_case 'fields of the configuration and of the partition', { id => 7 }, { id => 7, a => 'v', k => 'x' }, config => { v => 'v' },
  partition_router => '{type: ListPartitionRouter, values: [x], cursor_field: k}',
  transformations => add(q(path: [a], value: "{{ config['v'] }}"), q(path: [k], value: "{{ stream_partition['k'] }}"));
check_that 'fields are added where a condition holds', answers => { 'GET /items' => [ items(1, 2) ] }, records => [ { id => 1 }, { id => 2, big => \1 } ],
  transformations => '[{type: AddFields, condition: "{{ record.id > 1 }}", fields: [{type: AddedFieldDefinition, path: [big], value: "{{ True }}"}]}]';
record_case 'fields are removed, by name, by path and by pattern', { id => 1, a => { b => 1, c => 2 }, x1 => 1, x2 => 2, gone => 3 }, { id => 1, a => { c => 2 } },
  transformations => '[{type: RemoveFields, field_pointers: [[gone], [a, b], ["x*"], [not, there]]}]';
record_case 'fields are removed at any level', { id => 1, a => { s => 1, c => { s => 2, d => 3 } }, s => 4 }, { id => 1, a => { c => { d => 3 } } },
  transformations => '[{type: RemoveFields, field_pointers: [["**", s]]}]';
record_case 'fields are removed where a condition holds', { id => 1, a => undef, b => 2 }, { id => 1, b => 2 },
  transformations => '[{type: RemoveFields, condition: "{{ property is none }}", field_pointers: [["**"]]}]';
check_that 'records are filtered', selector => q(record_filter: {type: RecordFilter, condition: "{{ record['id'] > config['min'] and record.id != 3 }}"}), config => { min => 1 },
  answers => { 'GET /items' => [ items(1 .. 4) ] }, records => ids(2, 4);
check_that 'the filter comes before the transformations', selector => q(record_filter: {type: RecordFilter, condition: "{{ record.n is not defined }}"}),
  transformations => add('path: [n], value: "1"'), records => [ { id => 1, n => 1 } ];
check_that 'the filter comes after the transformations where the manifest wants it',
  selector => q(transform_before_filtering: true, record_filter: {type: RecordFilter, condition: "{{ record.n is not defined }}"}),
  transformations => add('path: [n], value: "1"'), records => [];
check_that 'records of every list', extract => '[groups, "*", items, "*"]', answers => { 'GET /items' => [ { groups => [ items(1, 2), items(3), {} ] } ] }, records => ids(1, 2, 3);
check_that 'records of every member', extract => '[by_name, "*"]', answers => { 'GET /items' => [ { by_name => { a => { id => 1 }, b => { id => 2 } } } ] }, records => ids(1, 2);
check_that 'the whole body is a record', extract => '[]', answers => { 'GET /items' => [ { id => 5 } ] }, records => ids(5);
check_that 'the whole body is a list of records', extract => '[]', answers => { 'GET /items' => [ [ { id => 5 }, { id => 6 } ] ] }, records => ids(5, 6);
check_that 'a path of the configuration', extract => q([data, "{{ config['p'] }}"]), config => { p => 'x' }, answers => { 'GET /items' => [ { data => { x => [ { id => 1 } ] } } ] }, records => ids(1);
check_that 'a path that is not there has no records', extract => '[a, b]', records => [];
record_case 'values become what the schema says', { s => 5, n => '1.5', i => '12', b => 'yes', l => 'x', bad => 'abc', none => undef, two => 5 },
  { s => '5', n => 1.5, i => 12, b => \1, l => ['x'], bad => 'abc', none => undef, two => 5 }, selector => 'schema_normalization: Default',
  schema => '{type: object, properties: {s: {type: string}, n: {type: number}, i: {type: ["null", integer]}, b: {type: boolean}, l: {type: array, items: {type: [string, "null"]}}, bad: {type: integer}, none: {type: [string, "null"]}, two: {type: [string, integer]}}}';
record_case 'keys in lower case', { ID => 1, aB => { Cd => 2 } }, { id => 1, ab => { Cd => 2 } }, transformations => '[{type: KeysToLower}]';
record_case 'keys in snake case', { someKey => 1, 'Other Key2' => 2 }, { some_key => 1, other_key_2 => 2 }, transformations => '[{type: KeysToSnakeCase}]';
record_case 'keys with another text', { 'a-b' => 1, c => { 'd-e' => 2 } }, { a_b => 1, c => { d_e => 2 } }, transformations => '[{type: KeysReplace, old: "-", new: "_"}]';
record_case 'an object is flattened', { id => 1, a => { b => { c => 2 } } }, { id => 1, a => { b => { c => 2 } }, c => 2 },
  transformations => '[{type: DpathFlattenFields, field_path: [a, b]}]';

check_that 'a record a line', extract => '[]', retriever => 'decoder: {type: JsonlDecoder}',
  answers => { 'GET /items' => [ { status => 200, text => qq({"id": 1}\n{"id": 2}\n) } ] }, records => ids(1, 2);
check_that 'a text a line', extract => '[]', retriever => 'decoder: {type: IterableDecoder}',
  answers => { 'GET /items' => [ { status => 200, text => "one\ntwo" } ] }, records => [ { record => 'one' }, { record => 'two' } ];

# --- errors ---

sub handler { my ($more, @filters) = @_; return '{type: DefaultErrorHandler' . $more . ', response_filters: [' . join(', ', map { "{type: HttpResponseFilter, $_}" } @filters) . ']}'; }
sub status { my ($status, $body, %headers) = @_; return { status => $status, json => $body // {}, headers => \%headers }; }
my $pages = paginator('type: PageIncrement, page_size: 1, start_from_page: 1', 'page');

check_that 'a status is ignored: no records, and no next page', errors => handler('', 'http_codes: [404], action: IGNORE'), paginator => $pages,
  answers => { 'GET /items' => [ items(1), status(404, items(9)), items(2) ] }, requests => [ 'GET /items', 'GET /items?page=2' ], records => ids(1);
check_that 'it is ignored in one partition, the others go on', errors => handler('', 'http_codes: [403], action: IGNORE'), partition_router => $list,
  answers => { 'GET /items' => [ items(1) ], 'GET /items?k=x' => [ status(403) ] }, requests => [ 'GET /items?k=x', 'GET /items?k=y' ], records => ids(1);
check_that 'what another status says is not ignored', errors => handler('', 'http_codes: [404], action: IGNORE'),
  answers => { 'GET /items' => [ status(403) ] }, error => qr/failed with status 403/, requests => ['GET /items'];
check_that 'a text is ignored', errors => handler('', 'error_message_contains: no such thing, action: IGNORE'),
  answers => { 'GET /items' => [ status(400, { errors => [ { message => 'there is no such thing here' } ] }) ] }, records => [], requests => ['GET /items'];
check_that 'a predicate decides', errors => handler('', q(predicate: "{{ response['code'] == 17 }}", action: IGNORE)),
  answers => { 'GET /items' => [ status(400, { code => 17 }) ] }, records => [], requests => ['GET /items'];
check_that 'a predicate that does not hold decides nothing', errors => handler('', q(predicate: "{{ response['code'] == 17 }}", action: IGNORE)),
  answers => { 'GET /items' => [ status(400, { code => 18 }) ] }, error => qr/failed with status 400/;
check_that 'a predicate on a header', errors => handler('', q(predicate: "{{ headers['x-state'] == 'off' }}", action: IGNORE)),
  answers => { 'GET /items' => [ status(400, {}, 'X-State' => 'off') ] }, records => [];
check_that 'success can be a failure, with the words of the manifest', errors => handler('', q(predicate: "{{ response['ok'] is false }}", action: FAIL, error_message: "It says {{ response['why'] }}.")),
  answers => { 'GET /items' => [ { ok => \0, why => 'nothing works' } ] }, error => [ qr/failed with status 200/, qr/It says nothing works\./ ], requests => ['GET /items'];
check_that 'the first filter that fits decides', errors => handler('', 'http_codes: [400], action: IGNORE', 'http_codes: [400], action: FAIL'),
  answers => { 'GET /items' => [ status(400) ] }, records => [];
check_that 'what is to be tried again is tried again', errors => handler(', backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: 0.01}]', 'http_codes: [404], action: RETRY'),
  answers => { 'GET /items' => [ status(404), items(1) ] }, requests => [ 'GET /items', 'GET /items' ], records => ids(1);
check_that 'a header says how long to wait', errors => handler(', backoff_strategies: [{type: WaitTimeFromHeader, header: X-Wait, regex: "in ([0-9.]+) s"}]', 'http_codes: [404], action: RETRY'),
  answers => { 'GET /items' => [ status(404, {}, 'X-Wait' => 'in 0.01 s'), items(1) ] }, requests => [ 'GET /items', 'GET /items' ], records => ids(1);
check_that 'a header says to wait too long', errors => handler(', backoff_strategies: [{type: WaitTimeFromHeader, header: X-Wait, max_waiting_time_in_seconds: 60}]', 'http_codes: [404], action: RETRY'),
  answers => { 'GET /items' => [ status(404, {}, 'X-Wait' => '60'), items(1) ] }, requests => ['GET /items'], error => qr/the server asks to wait 60 s, the connector waits less than 60 s/;
check_that 'a header says until when to wait', errors => handler(', backoff_strategies: [{type: WaitUntilTimeFromHeader, header: X-Until}]', 'http_codes: [404], action: RETRY'),
  now => '2024-01-01 00:00:00+00', answers => { 'GET /items' => [ status(404, {}, 'X-Until' => '1704070800'), items(1) ] }, requests => ['GET /items'],
  error => qr/The next try would have to wait 3601 s; lyftron\.max_retry_wait allows 600 s/;
check_that 'tries have an end', errors => handler(', max_retries: 1, backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: 0.01}]', 'http_codes: [404], action: RETRY'),
  answers => { 'GET /items' => [ status(404) ] }, requests => [ 'GET /items', 'GET /items' ], error => [ qr/failed with status 404/, qr/It was tried 2 times/ ];
my $composite = '{type: CompositeErrorHandler, error_handlers: [' . join(', ', handler('', 'http_codes: [404], action: FAIL, error_message: first'),
	handler('', 'http_codes: [404], action: IGNORE', 'http_codes: [401], action: IGNORE')) . ']}';
check_that 'of several handlers, one that does not fail wins', errors => $composite, answers => { 'GET /items' => [ status(404) ] }, records => [], requests => ['GET /items'];
check_that 'of several handlers, the second is asked where the first has no filter', errors => $composite, answers => { 'GET /items' => [ status(401) ] }, records => [];
check_that 'where all fail, it fails', errors => $composite, answers => { 'GET /items' => [ status(403) ] }, error => qr/failed with status 403/;

check_that 'the API wants paging to begin again', errors => handler('', 'http_codes: [410], action: RESET_PAGINATION'), paginator => $pages,
  answers => { 'GET /items' => [ items(1), items(1), items(2), items() ], 'GET /items?page=2' => [ status(410), items(2) ], 'GET /items?page=3' => [ items() ] },
  requests => [ 'GET /items', 'GET /items?page=2', 'GET /items', 'GET /items?page=2', 'GET /items?page=3' ], records => ids(1, 1, 2);
check_that 'a budget of calls that would take too long to wait for', root => 'api_budget: {type: HTTPAPIBudget, policies: [{type: MovingWindowCallRatePolicy, rates: [{type: Rate, limit: 1, interval: PT1H}], matchers: []}]}',
  paginator => $pages, answers => { 'GET /items' => [ items(1) ] }, requests => ['GET /items'], error => [ qr/ERROR: /, qr/lyftron\.max_retry_wait \(now 600 s\)/ ];

# --- requests ---

check_that 'a JSON body with expressions', requester => q(http_method: POST, request_body_json: {a: "{{ config['n'] }}", t: "{{ config['t'] }}", deep: {l: [1, "{{ config['t'] }}"]}, none: "{{ config['none'] }}"}),
  config => { n => 5, t => 'x', none => undef }, answers => { 'POST /items' => [ items(1) ] }, bodies => ['{"a": 5, "t": "x", "deep": {"l": [1, "x"]}}'], headers => { 'Content-Type' => 'application/json' };
check_that 'a form', requester => q(http_method: POST, request_body_data: {a: "{{ config['n'] }}", b: "\xe4&"}), config => { n => 5 },
  answers => { 'POST /items' => [ items(1) ] }, bodies => ['a=5&b=%C3%A4%26'], headers => { 'Content-Type' => 'application/x-www-form-urlencoded' };
check_that 'a text as the body', requester => q(http_method: POST, request_body_data: "q={{ config['n'] }};"), config => { n => 5 },
  answers => { 'POST /items' => [ items(1) ] }, bodies => ['q=5;'];
check_that 'a GraphQL query', requester => 'http_method: POST, request_body: {type: RequestBodyGraphQL, value: {query: "{ items { id } }"}}',
  answers => { 'POST /items' => [ items(1) ] }, bodies => ['{"query": "{ items { id } }"}'];
check_that 'lists in the query repeat their name, an empty text is left out',
  requester => q(request_parameters: {l: "{{ ['x', 'y'] }}", s: "123", e: "", z: "{{ config.get('z', 'd') }}"}),
  requests => ['GET /items?l=x&l=y&s=123&z=d'];
check_that 'an absolute path replaces the base', path => q("{{ config['url'] }}/other"), answers => { 'GET /other' => [ items(1) ] }, requests => ['GET /other'];
check_that 'expressions in path, query and headers',
  path => q("{{ 'a' if config['v'] else 'b' }}/{{ config['list'][-1] }}"),
  requester => q(request_parameters: {sum: "{{ config['n'] * 2 + 1 }}", "{{ config['key'] }}": "{{ config['list'] | length }}", low: "{{ config['up'] | lower }}", d: "{{ format_datetime('2024-01-02T03:04:05Z', '%d.%m.%Y') }}",
    day: "{{ day_delta(-1, '%Y-%m-%d') }}", now: "{{ now_utc().strftime('%Y%m%d') }}", m: "{{ max(3, 5) }}", ts: "{{ timestamp('2024-01-01T00:00:00Z') | int }}", q: "{{ '%s-%s' % (1, 2) }}"},
    request_headers: {X-Set: "{% if config['v'] %}yes{% else %}no{% endif %}"}),
  now => '2024-03-01 12:00:00+00', config => { v => \1, list => [ 1, 'z' ], n => 3, key => 'k', up => 'ABC' }, answers => { 'GET /a/z' => [ items(1) ] },
  requests => ['GET /a/z?d=02.01.2024&day=2024-02-29&k=2&low=abc&m=5&now=20240301&q=1-2&sum=7&ts=1704067200'], headers => { 'X-Set' => 'yes' };
check_that 'a name that is unknown is an error', requester => q(request_parameters: {a: "{{ nonsense }}"}), error => qr/nonsense/, requests => [];
check_that 'the same parameter from two places is an error', requester => 'request_parameters: {key: a}',
  auth => q({type: ApiKeyAuthenticator, api_token: b, inject_into: {type: RequestOption, inject_into: request_parameter, field_name: key}}), error => qr/key/, requests => [];

run_cases();

# --- broken manifests ---

# A manifest as connector "broken", and the error's text of adding it, or the rows about its streams.
sub add_broken
{
	my ($manifest) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "SET client_min_messages = warning;\nDROP SERVER IF EXISTS broken;\n"
		. "SELECT stream, ready, reason, path FROM lyftron.add_connector('broken', " . quote($manifest) . ')',
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($out, $err);
}

# What a file holds: YAML, or parts of it as JSON, {"repeat": TEXT, "times": N} with %d for the number among them.
sub manifest_text
{
	my ($path) = @_;
	my $text = PostgreSQL::Test::Utils::slurp_file($path);
	return $text unless $path =~ /json$/;
	return join '', map { my $p = $_; ref $p ? map { my $i = $_; $p->{repeat} =~ s/%d/$i/gr } 0 .. $p->{times} - 1 : $p } @{ $json->decode($text) };
}

# With asserts, or for Valgrind, values take more memory: another limit may be the first that is met.
my $memory_is_itself = $node->safe_psql('postgres', 'SHOW debug_assertions') eq 'off';

# expected.txt: what becomes of it ("error SQLSTATE", "unsupported STREAM", "reading STREAM", "taken"), then texts that must be said.
for my $path (sort glob('test/data/invalid/*/manifest.*'))
{
	my ($dir, $name) = $path =~ m{^(.*/([^/]+))/};
	my ($outcome, @texts) = split /\n/, PostgreSQL::Test::Utils::slurp_file("$dir/expected.txt");
	my ($kind, $of) = split / /, $outcome;
	my ($out, $err) = add_broken(manifest_text($path));
	my $said;

	if ($kind eq 'error')
	{
		is($out, '', "$name: the manifest is refused");
		like($err, qr/ERROR:  $of: /, "$name: SQLSTATE $of");
		$said = $err;
	}
	else
	{
		is($err, '', "$name: the manifest is taken");
		like($out, qr/^good\|t\|/m, "$name: the other stream is ready");
		($said) = $out =~ /^($of\|f\|.*)$/m if $kind eq 'unsupported';
		if ($kind eq 'reading')
		{
			like($out, qr/^$of\|t\|/m, "$name: this stream is, too");
			(undef, undef, $said) = $node->psql('postgres', "CREATE SERVER broken FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'broken');\n"
				. "SELECT * FROM lyftron.read('broken', '$of')", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
		}
	}
	s/a template takes too much memory/a list that a template makes is too long/ for $memory_is_itself ? () : ($said //= '', @texts);
	isnt(index($said // '', $_), -1, "$name: says $_") or diag("out: $out\nerror: $err\nsaid: " . ($said // '')) for @texts;
}

is($node->safe_psql('postgres', "SELECT count(*) FROM lyftron.connectors WHERE name = 'broken'"), '1', 'the session and its connectors are whole');

done_testing();
