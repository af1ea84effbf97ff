
# Components that few connectors need: decoders of other formats, rules for configurations, streams that only the
# configuration or the source knows, schemas that the source has.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use Compress::Zlib ();
use JSON::PP;
use LyftronManifest;
use LyftronTest;
use MIME::Base64;
use Test::More;

my $node = new_node('main');
start_manifest_api($node);

sub text { my ($text) = @_; return { 'GET /items' => [ { status => 200, text => $text, headers => { 'Content-Type' => 'text/plain' } } ] }; }
sub bytes { my ($bytes) = @_; return { 'GET /items' => [ { status => 200, base64 => encode_base64($bytes, ''), headers => { 'Content-Type' => 'application/octet-stream' } } ] }; }
sub decoder { my ($decoder) = @_; return (retriever => "decoder: {$decoder}", extract => '[]'); }

# --- CSV ---

check_that 'CSV: the first row has the names', decoder('type: CsvDecoder'), answers => text("id,name\n1,a\n2,\"b, \"\"c\"\"\"\n\n3,\n"),
  records => [ { id => '1', name => 'a' }, { id => '2', name => 'b, "c"' }, { id => '3', name => '' } ];
check_that 'CSV: ends of lines as they come, also within quotes', decoder('type: CsvDecoder'), answers => text("id,name\r\n1,\"a\r\nb\"\r2,c"),
  records => [ { id => '1', name => "a\nb" }, { id => '2', name => 'c' } ];
check_that 'CSV: rows that are too short, and too long', decoder('type: CsvDecoder'), answers => text("id,name\n1\n2,b,c,d\n"),
  records => [ { id => '1', name => undef }, { id => '2', name => 'b', null => [ 'c', 'd' ] } ];
check_that 'CSV: quotes where they mean nothing, and one that is not closed', decoder('type: CsvDecoder'), answers => text("id,name\n1,a\"b\"\n2,\"b\"c\n3,\"d\n"),
  records => [ { id => '1', name => 'a"b"' }, { id => '2', name => 'bc' }, { id => '3', name => "d\n" } ];
check_that 'CSV: two columns of one name are one', decoder('type: CsvDecoder'), answers => text("id,id\n1,2\n"), records => [ { id => '2' } ];
check_that 'CSV: another delimiter, and values that are null', decoder('type: CsvDecoder, delimiter: "\\\\t", set_values_to_none: ["", "N/A"]'), answers => text("id\tname\n1\tN/A\n2\t\n3\tx\n"),
  records => [ { id => '1', name => undef }, { id => '2', name => undef }, { id => '3', name => 'x' } ];
check_that 'CSV: a delimiter of more than one byte', decoder("type: CsvDecoder, delimiter: \"\xc2\xa6\""), answers => text("id\x{a6}name\n1\x{a6}a\n"), records => [ { id => '1', name => 'a' } ];
check_that 'CSV: another encoding', decoder('type: CsvDecoder, encoding: latin-1'), answers => bytes("id,n\xe4me\n1,\xfc\n"), records => [ { id => '1', "n\x{e4}me" => "\x{fc}" } ];
check_that 'CSV: a byte order mark', decoder('type: CsvDecoder, encoding: utf-8-sig'), answers => bytes("\xef\xbb\xbfid\n1\n"), records => [ { id => '1' } ];
check_that 'CSV: text that is not of its encoding', decoder('type: CsvDecoder'), answers => bytes("id\n\xff\n"), records => [], error => qr/text is not valid UTF-8/;
check_that 'CSV: nothing at all', decoder('type: CsvDecoder'), answers => text(''), records => [];
check_that 'CSV: too many columns', decoder('type: CsvDecoder'), answers => { 'GET /items' => [ { status => 200, repeat => [ 'a,', 20000 ] } ] }, records => [], error => qr/CSV has more than 16384 columns/;
check_that 'CSV: rows that take too much memory', decoder('type: CsvDecoder'),
  answers => { 'GET /items' => [ { status => 200, text => join(',', 1 .. 1000) . "\n" . "x\n" x 20000 } ] }, records => [], error => qr/a page takes too much memory/,
  sql => "SET lyftron.max_response_size = '1MB'; SELECT * FROM lyftron.read('api', 's')";
check_that 'CSV: an encoding that nobody knows', decoder('type: CsvDecoder, encoding: klingon'), error => qr/encoding "klingon" is not known/, requests => [];

# --- XML ---

my $xml = <<'XML';
<?xml version="1.0"?>
<!-- a comment -->
<root at="1">
  <item id="1" kind="a&amp;b">text <![CDATA[<more>]]></item>
  <item id="2"><name>n</name><price>9</price></item>
  <other>
    alone
  </other>
  <empty/>
  <ns:x xmlns:ns="urn:n">y</ns:x>
  <item/>
</root>
XML
check_that 'XML: elements, attributes, texts', decoder('type: XmlDecoder'), answers => text($xml),
  records => [ { root => { '@at' => '1', item => [ { '@id' => '1', '@kind' => 'a&b', '#text' => 'text <more>' }, { '@id' => '2', name => 'n', price => '9' }, undef ],
	other => 'alone', empty => undef, 'ns:x' => { '@xmlns:ns' => 'urn:n', '#text' => 'y' } } } ];
check_that 'XML: records in it', (decoder('type: XmlDecoder'), extract => '[list, item]'), answers => text('<list><item><id>1</id></item><item><id>2</id></item></list>'), records => [ { id => '1' }, { id => '2' } ];
check_that 'XML: another encoding', decoder('type: XmlDecoder'), answers => bytes("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe4</a>"), records => [ { a => "\x{e4}" } ];
check_that 'XML: paging sees it', decoder('type: XmlDecoder'), extract => '[l, i]', paginator => paginator(q(type: CursorPagination, cursor_value: "{{ response['l'].get('next') }}"), 'after'),
  answers => { 'GET /items' => [ { status => 200, text => '<l><i><n>1</n></i><next>2</next></l>' } ], 'GET /items?after=2' => [ { status => 200, text => '<l><i><n>2</n></i></l>' } ] },
  requests => [ 'GET /items', 'GET /items?after=2' ], records => [ { n => '1' }, { n => '2' } ];
check_that 'XML: one that is broken', decoder('type: XmlDecoder'), answers => text("<a>\n<b></a>"), records => [], error => qr/invalid XML in line 2, column \d+: mismatched tag/;
check_that 'XML: one that is cut off', decoder('type: XmlDecoder'), answers => text('<a><b>'), records => [], error => qr/invalid XML/;
check_that 'XML: entities of its own', decoder('type: XmlDecoder'), answers => text('<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>'), records => [], error => qr/XML that declares entities is not supported/;
check_that 'XML: a file of the server', decoder('type: XmlDecoder'), answers => text('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'), records => [], error => qr/XML that declares entities is not supported/;
check_that 'XML: nested for ever', decoder('type: XmlDecoder'), answers => { 'GET /items' => [ { status => 200, repeat => [ '<a>', 100000 ] } ] }, records => [], error => qr/XML is nested more than 1024 levels deep/;
check_that 'XML: many elements', decoder('type: XmlDecoder'), extract => '[l, i]', answers => text('<l>' . join('', map { "<i>$_</i>" } 1 .. 20000) . '</l>'),
  sql => "SELECT count(*), count(DISTINCT record), max((record #>> '{}')::int) FROM lyftron.read('api', 's') WHERE record IS NOT NULL", output => '20000|20000|20000';

# --- archives ---

my $lines = "{\"id\": 1}\n{\"id\": 2}\n";
my $gzip = Compress::Zlib::memGzip($lines);

# A ZIP archive: [name, content, method, what else the entry says] each.
sub zip
{
	my ($body, $directory) = ('', '');
	for my $file (@_)
	{
		my ($name, $content, %p) = @$file;
		my $method = $p{method} // 8;
		my ($deflate) = Compress::Zlib::deflateInit(-WindowBits => -Compress::Zlib::MAX_WBITS());
		my $packed = $method == 8 ? do { my ($x) = $deflate->deflate($content); my ($y) = $deflate->flush; $x . $y } : $content;
		my $common = pack('vvvvVVVvv', $p{flags} // 0, $method, 0, 0, $p{crc} // Compress::Zlib::crc32($content), length $packed, $p{size} // length $content, length $name, 0);
		$directory .= pack('Vvv', 0x02014b50, 20, 20) . $common . pack('vvvVV', 0, 0, 0, 0, $p{at} // length $body) . $name;
		$body .= pack('Vv', 0x04034b50, 20) . $common . $name . $packed;
	}
	return $body . $directory . pack('VvvvvVVv', 0x06054b50, 0, 0, scalar @_, scalar @_, length $directory, length $body, 0);
}

check_that 'gzip: lines of JSON', decoder('type: GzipDecoder, decoder: {type: JsonlDecoder}'), answers => bytes($gzip), records => ids(1, 2);
check_that 'gzip: what is not compressed is taken as it is', decoder('type: GzipDecoder, decoder: {type: CsvDecoder}'), answers => text("id\n1\n"), records => [ { id => '1' } ];
check_that 'gzip: several members, and one in another', decoder('type: GzipDecoder, decoder: {type: GzipDecoder, decoder: {type: JsonlDecoder}}'),
  answers => bytes(Compress::Zlib::memGzip($gzip . Compress::Zlib::memGzip('{"id": 3}')) . "\0\0"), records => ids(1 .. 3);
check_that 'gzip: JSON, and paging by it', decoder('type: GzipDecoder, decoder: {type: JsonDecoder}'), answers => bytes(Compress::Zlib::memGzip('[{"id": 1}, {"id": 2}]')), records => ids(1, 2);
check_that 'gzip: cut off', decoder('type: GzipDecoder, decoder: {type: JsonlDecoder}'), answers => bytes(substr $gzip, 0, -9), records => [], error => qr/compressed data is broken: it ends in the middle/;
check_that 'gzip: damaged', decoder('type: GzipDecoder, decoder: {type: JsonlDecoder}'), answers => bytes(substr($gzip, 0, 12) . "\xff\xff" . substr $gzip, 14), records => [], error => qr/compressed data is broken/;
check_that 'gzip: far more than it seems', decoder('type: GzipDecoder, decoder: {type: IterableDecoder}'), answers => bytes(Compress::Zlib::memGzip("\0" x 20_000_000)),
  sql => "SET lyftron.max_response_size = '10MB'; SELECT * FROM lyftron.read('api', 's')", error => qr/response is larger than 10240 kB when it is decompressed/;

check_that 'zip: each of its files', decoder('type: ZipfileDecoder, decoder: {type: CsvDecoder}'), answers => bytes(zip([ 'd/', '', method => 0 ], [ 'd/a.csv', "id\n1\n" ], [ 'b.csv', "id,n\n2,x\n", method => 0 ])),
  records => [ { id => '1' }, { id => '2', n => 'x' } ];
check_that 'zip: gzip in it', decoder('type: ZipfileDecoder, decoder: {type: GzipDecoder, decoder: {type: JsonlDecoder}}'), answers => bytes(zip([ 'a.gz', $gzip ])), records => ids(1, 2);
check_that 'zip: none', decoder('type: ZipfileDecoder, decoder: {type: JsonDecoder}'), answers => text('not at all'), records => [], error => qr/response is no valid ZIP archive: it has no directory/;
check_that 'zip: a checksum that is wrong', decoder('type: ZipfileDecoder, decoder: {type: JsonDecoder}'), answers => bytes(zip([ 'a', '{}', crc => 1 ])), records => [], error => qr/a file's checksum is wrong/;
check_that 'zip: a file that is not there', decoder('type: ZipfileDecoder, decoder: {type: JsonDecoder}'), answers => bytes(zip([ 'a', '{}', at => 0xfffffff0 ])), records => [], error => qr/a file is not where it should be/;
check_that 'zip: encrypted', decoder('type: ZipfileDecoder, decoder: {type: JsonDecoder}'), answers => bytes(zip([ 'a', '{}', flags => 1 ])), records => [], error => qr/encrypted files are not supported/;
check_that 'zip: another compression', decoder('type: ZipfileDecoder, decoder: {type: JsonDecoder}'), answers => bytes(zip([ 'a', '{}', method => 12 ])), records => [], error => qr/compression method 12 of ZIP archives is not supported/;
check_that 'zip: far more than it seems', decoder('type: ZipfileDecoder, decoder: {type: IterableDecoder}'), answers => bytes(zip(map { [ "f$_", "a" x 3_000_000 ] } 1 .. 5)),
  sql => "SET lyftron.max_response_size = '10MB'; SELECT * FROM lyftron.read('api', 's')", error => qr/response is larger than 10240 kB when it is decompressed/;
check_that 'zip: something else in a file', decoder('type: ZipfileDecoder, decoder: {type: JsonDecoder}'), answers => bytes(zip([ 'a', '{}' ], [ 'b', 'nonsense' ])), records => [], error => qr/invalid JSON .*file number 2 of the archive/s;

check_that 'the items of a list inside of a document', decoder('type: JsonItemsDecoder, items_path: data.users'), answers => { 'GET /items' => [ { data => { users => ids(1, 2) } } ] }, records => ids(1, 2);
check_that 'lines of text', decoder('type: IterableDecoder'), answers => text("a\nb"), records => [ { record => 'a' }, { record => 'b' } ];

# --- rules for configurations ---

sub rules { my ($rules) = @_; return (manifest => manifest_with_rules($rules), answers => { 'GET /items' => [ items(1) ] }); }

sub manifest_with_rules
{
	my ($rules) = @_;
	my $manifest = manifest(requester => q(request_parameters: {key: "{{ config['auth']['key'] }}", kind: "{{ config.get('kind', '-') }}"}));
	$manifest =~ s/^spec: .*$/spec: {type: Spec, connection_specification: {type: object, properties: {}}, config_normalization_rules: {type: ConfigNormalizationRules, $rules}}/m;
	return $manifest;
}

check_that 'a configuration of an older version is brought up to date',
  rules(q(config_migrations: [{type: ConfigMigration, description: old, transformations: [
    {type: ConfigAddFields, condition: "{{ config.get('key') }}", fields: [{type: AddedFieldDefinition, path: [auth, key], value: "{{ config['key'] }}"}]},
    {type: ConfigRemoveFields, field_pointers: [[key]], condition: "{{ config.get('key') }}"},
    {type: ConfigRemapField, field_path: [kind], map: {one: "1"}}]}])),
  config => { key => 'k', kind => 'one' }, requests => ['GET /items?key=k&kind=1'];
check_that 'one that is up to date stays', rules(q(config_migrations: [{type: ConfigMigration, transformations: [{type: ConfigAddFields, condition: "{{ config.get('key') }}",
    fields: [{type: AddedFieldDefinition, path: [auth, key], value: "{{ config['key'] }}"}]}, {type: ConfigRemapField, field_path: [kind], map: {one: "1"}}]}])),
  config => { auth => { key => 'x' }, kind => 'two' }, requests => ['GET /items?key=x&kind=two'];
check_that 'a configuration is rewritten for the templates', rules(q(transformations: [{type: ConfigAddFields, fields: [{type: AddedFieldDefinition, path: [auth, key], value: "{{ config['a'] ~ config['b'] }}"}]},
    {type: ConfigRemapField, field_path: [kind], map: {"{{ config['a'] }}": "{{ config['b'] }}"}}])),
  config => { a => 'x', b => 'y', kind => 'x' }, requests => ['GET /items?key=xy&kind=y'];
my $validations = q(validations: [{type: DpathValidator, field_path: [list, "*", n], validation_strategy: {type: ValidateAdheresToSchema, base_schema: {type: integer, maximum: 5}}}]);
check_that 'a configuration is judged', rules($validations), config => { auth => { key => 'x' }, list => [ { n => 5 }, { m => 9 } ] }, requests => ['GET /items?key=x&kind=-'];
check_that 'a configuration is judged, and found wrong', rules($validations), config => { auth => { key => 'x' }, list => [ { n => 5 }, { n => 9 } ] }, requests => [],
  error => qr/configuration property "list\.\*\.n" for connector "c"/;
check_that 'a text that must be JSON', rules(q(validations: [{type: DpathValidator, field_path: [q], validation_strategy: {type: ValidateAdheresToSchema, base_schema: {type: object, required: [id]}}}])),
  config => { auth => { key => 'x' }, q => '{"ix": 1}' }, requests => [], error => qr/configuration property "q\.id"|configuration property "q"/;
check_that 'a rule in Python', rules(q(transformations: [{type: CustomConfigTransformation, class_name: source.Rule}])), config => { auth => { key => 'x' } }, requests => [],
  error => qr/component "CustomConfigTransformation" \(Python class "source\.Rule"\) is not supported/;

# --- streams that the configuration or the source knows ---

sub dynamic
{
	my ($resolver, %p) = @_;
	my $manifest = manifest(root => 'dynamic_streams: [{type: DynamicDeclarativeStream, name: dyn, components_resolver: {' . $resolver . '}, stream_template: '
		. ($p{template} // q({type: DeclarativeStream, name: "", primary_key: [], retriever: {type: SimpleRetriever,
    requester: {type: HttpRequester, $parameters: {name: ""}, url_base: "{{ config['url'] }}", path: "", http_method: GET},
    record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [items]}}},
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {id: {type: integer}}}}})) . '}]');
	$manifest =~ s/name: s, /name: other, / if $p{other};
	return (manifest => $manifest);
}
my $mapping = q(components_mapping: [{type: ComponentMappingDefinition, field_path: [name], value: "{{ components_values['name'] }}"},
  {type: ComponentMappingDefinition, field_path: [retriever, requester, path], value: "of/{{ components_values['id'] }}"}]);
my $http = q(type: HttpComponentsResolver, retriever: {type: SimpleRetriever, requester: {type: HttpRequester, url_base: "{{ config['url'] }}", path: lists},
  record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}}, ) . $mapping;
my $lists = { 'GET /lists' => [ [ { name => 'ones', id => 1 }, { name => 'twos', id => 2 } ] ], 'GET /of/2' => [ items(2) ], 'GET /items' => [ items(1) ] };

check_that 'streams that the source lists', dynamic($http), read => 'twos', answers => $lists, requests => [ 'GET /lists', 'GET /of/2' ], records => ids(2);
check_that 'streams that it lists are discovered, and imported', dynamic($http), answers => $lists, requests => [ 'GET /lists', 'GET /items' ],
  sql => "BEGIN; CREATE SCHEMA i; SELECT stream_name, column_name, type FROM lyftron.discover('api') WHERE stream_name <> 's'; IMPORT FOREIGN SCHEMA \"default\" LIMIT TO (ones) FROM SERVER api INTO i; SELECT count(*) FROM information_schema.columns WHERE table_schema = 'i'; ROLLBACK",
  output => "ones|id|bigint\ntwos|id|bigint\n1";
check_that 'a stream that the source does not list', dynamic($http), read => 'threes', answers => $lists, requests => ['GET /lists'], error => qr/connector "c" has no stream "threes"\nHINT:  It has: s, dyn, ones, twos\./;
check_that 'an ordinary stream beside them needs nobody to be asked', dynamic($http), answers => $lists, requests => ['GET /items'], records => ids(1);
check_that 'streams that cannot be listed', dynamic($http), read => 'ones', answers => { 'GET /lists' => [ { status => 403, json => {} } ] }, requests => ['GET /lists'], error => qr/status 403/;
check_that 'what is listed twice', dynamic($http), read => 'ones', answers => { 'GET /lists' => [ [ { name => 'ones', id => 1 }, { name => 'ones', id => 2 } ] ] }, error => qr/two dynamic streams have the name "ones"/;
check_that 'streams that are listed for each of some partitions', dynamic($http =~ s/record_selector/partition_router: {type: ListPartitionRouter, values: [a, b], cursor_field: g, request_option: {type: RequestOption, inject_into: request_parameter, field_name: g}}, record_selector/r
	=~ s/of\/\{\{ components_values\['id'\] \}\}/{{ stream_slice['g'] }}/r), read => 'b1',
  answers => { 'GET /lists?g=a' => [ [ { name => 'a1' } ] ], 'GET /lists?g=b' => [ [ { name => 'b1' } ] ], 'GET /b' => [ items(7) ] }, requests => [ 'GET /lists?g=a', 'GET /lists?g=b', 'GET /b' ], records => ids(7);

check_that 'streams that the configuration lists', dynamic("type: ConfigComponentsResolver, stream_config: {type: StreamConfig, configs_pointer: [lists]}, $mapping"), read => 'twos',
  config => { lists => [ { name => 'ones', id => 1 }, { name => 'twos', id => 2 } ] }, answers => $lists, requests => ['GET /of/2'], records => ids(2);
check_that 'the product of two of its lists, with values that are no maps', dynamic(q(type: ConfigComponentsResolver, stream_config: [{type: StreamConfig, configs_pointer: [lists]}, {type: StreamConfig, configs_pointer: [kinds], default_values: [z]}],
  components_mapping: [{type: ComponentMappingDefinition, field_path: [name], value: "{{ components_values['name'] }}-{{ components_values['source_config_1'][1] }}"},
    {type: ComponentMappingDefinition, field_path: [retriever, requester, path], value: "of/{{ components_values['source_config_1'][0] }}"},
    {type: ComponentMappingDefinition, field_path: [retriever, requester, request_parameters], value: '{"k": "{{ components_values.name }}"}', create_or_update: true, condition: "{{ components_values['name'] == 'ones' }}"}])), read => 'ones-z',
  config => { lists => [ { name => 'ones' }, { name => 'twos' } ], kinds => [ 'x', 'y' ] }, answers => $lists, requests => ['GET /of/2?k=ones'], records => ids(2);
check_that 'streams that the manifest lists', dynamic("type: ParametrizedComponentsResolver, stream_parameters: {type: StreamParametersDefinition, list_of_parameters_for_stream: [{name: ones, id: 1}, {name: twos, id: 2}]}, $mapping"), read => 'twos',
  answers => $lists, requests => ['GET /of/2'], records => ids(2);
my $checked = sub { my ($check) = @_; my %d = dynamic($http); return (manifest => $d{manifest} =~ s/^check: .*$/check: $check/mr); };
my $check = 'SELECT ok, stream FROM lyftron.check(\'api\')';
check_that 'the check reads some of the dynamic streams', $checked->('{type: CheckStream, dynamic_streams_check_configs: [{type: DynamicStreamCheckConfig, dynamic_stream_name: dyn, stream_count: 1}]}'), sql => $check,
  answers => { %$lists, 'GET /of/1' => [ items(1) ] }, requests => [ 'GET /lists', 'GET /of/1' ], output => 't|ones';
check_that 'the check reads the first streams there are', $checked->('{type: CheckDynamicStream, stream_count: 2}'), sql => $check,
  answers => { %$lists, 'GET /of/1' => [ items(1) ] }, requests => [ 'GET /lists', 'GET /items', 'GET /of/1' ], output => "t|s\nt|ones";
check_that 'what is not there yet of such streams says so', dynamic("type: MagicComponentsResolver, $mapping"), sql => "SELECT stream, ready, reason FROM lyftron.streams('c') WHERE NOT ready", output => 'dyn|f|component "MagicComponentsResolver" is not supported';

my $conditional = sub { return (manifest => manifest() =~ s/^streams:\n  - (.*?)\nspec/streams:\n  - {type: ConditionalStreams, condition: "{{ config.get('beta') }}", streams: [$1]}\n  - $1\nspec/msr =~ s/name: s, (?!.*name: s, )/name: t, /sr); };
check_that 'streams on a condition that holds', $conditional->(), config => { beta => \1 }, requests => ['GET /items'], records => ids(1);
check_that 'streams on a condition that does not hold', $conditional->(), requests => [], error => qr/stream "s" is not there with the configuration of server "api"\nDETAIL:  It is there where \{\{ config\.get\('beta'\) \}\}\./;
check_that 'streams on a condition are not discovered', $conditional->(), sql => "SELECT DISTINCT stream_name FROM lyftron.discover('api')", output => 't';

# --- schemas that the source has ---

my $loader = sub { my ($more) = @_; return q({type: DynamicSchemaLoader, retriever: {type: SimpleRetriever, requester: {type: HttpRequester, url_base: "{{ config['url'] }}", path: fields},
  record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}}, schema_type_identifier: {type: SchemaTypeIdentifier, schema_pointer: [fields], key_pointer: [name], type_pointer: [type, id],
  types_mapping: [{type: TypesMap, current_type: int, target_type: integer}, {type: TypesMap, current_type: when, target_type: timestamp_with_timezone, condition: "{{ raw_schema.get('exact') }}"},
    {type: TypesMap, current_type: when, target_type: date}, {type: TypesMap, current_type: [a, b], target_type: [string, number]},
    {type: TypesMap, current_type: many, target_type: {field_type: array, items: {field_type: array, items: integer}}}]}) . "$more}"; };
my $fields = { fields => [ map { { name => $_->[0], (defined $_->[1] ? (type => { id => $_->[1] }) : ()), exact => $_->[2] } }
	  [ 'Id', 'int' ], [ 'Since', 'when', \1 ], [ 'Day', 'when', \0 ], [ 'Text', undef ], [ 'Any', [ 'a', 'b' ] ], [ 'Many', 'many' ] ] };
my $schema_of = sub { my ($more, %p) = @_; return (manifest => manifest(%p) =~ s/schema_loader: \{type: InlineSchemaLoader, schema: \{type: object, properties: \{\}\}\}/'schema_loader: ' . $loader->($more)/er); };
my $columns = "SELECT string_agg(column_name || ' ' || type, ', ') FROM lyftron.discover('api', 's')";

check_that 'a schema of the source', $schema_of->(''), answers => { 'GET /fields' => [ $fields ] }, requests => ['GET /fields'], sql => $columns,
  output => 'Id bigint, Since timestamp with time zone, Day date, Text text, Any text, Many jsonb';
check_that 'a schema of the source, filtered and rewritten', $schema_of->(q(, schema_filter: {type: RecordFilter, condition: "{{ 'Any' not in record }}"}, schema_transformations: [{type: KeysToLower}])), answers => { 'GET /fields' => [ $fields ] }, sql => $columns,
  output => 'id bigint, since timestamp with time zone, day date, text text, many jsonb';
check_that 'the source is asked for the schema before records are read, which it normalizes', $schema_of->('', selector => 'schema_normalization: Default'),
  answers => { 'GET /fields' => [ $fields ], 'GET /items' => [ { items => [ { Id => '5' } ] } ] }, requests => [ 'GET /fields', 'GET /items' ], records => [ { Id => 5 } ];
check_that 'a type that nobody knows', $schema_of->(''), answers => { 'GET /fields' => [ { fields => [ { name => 'x', type => { id => 'blob' } } ] } ] }, requests => ['GET /fields'],
  error => qr/the source's schema has a type that is not known: "blob"/;

# --- records in records ---

sub expander { my ($more) = @_; return (extract => '[items], record_expander: {type: RecordExpander, expand_records_from_field: [lines, data]' . $more . '}'); }
my $orders = { 'GET /items' => [ { items => [ { id => 1, who => { name => 'a' }, lines => { data => [ { n => 1 }, { n => 2, id => 9 } ], more => 0 } }, { id => 2, lines => { data => [] } }, { id => 3 } ] } ] };

check_that 'records in a list of each record', expander(''), answers => $orders, records => [ { n => 1 }, { n => 2, id => 9 } ];
check_that 'records in a list, or the one that has none', expander(', on_no_records: emit_parent'), answers => $orders, records => [ { n => 1 }, { n => 2, id => 9 }, { id => 2, lines => { data => [] } }, { id => 3 } ];
check_that 'records in a list, with fields of the one around them', expander(', parent_fields: [{type: ParentFieldPath, parent_path: [who, name], record_path: [by, name]}, {type: ParentFieldPath, parent_path: [gone], record_path: [gone]}]'),
  answers => $orders, records => [ { n => 1, by => { name => 'a' }, gone => undef }, { n => 2, id => 9, by => { name => 'a' }, gone => undef } ];
check_that 'records in a list, merged with the one around them', expander(', merge_parent: true'), answers => $orders,
  records => [ { id => 1, who => { name => 'a' }, lines => { more => 0 }, n => 1 }, { id => 9, who => { name => 'a' }, lines => { more => 0 }, n => 2 } ];
check_that 'values in a list, with the record around them', expander(', remain_original_record: true'), answers => { 'GET /items' => [ { items => [ { id => 1, lines => { data => [ 'x' ] } } ] } ] },
  records => [ { value => 'x', original_record => { id => 1, lines => { data => [ 'x' ] } } } ];

sub combined { my ($more) = @_; return (manifest => manifest() =~ s/extractor: \{type: DpathExtractor, field_path: \[items\]\}/extractor: {type: CombinedExtractor, extractors: [{type: DpathExtractor, field_path: [a]}, {type: DpathExtractor, field_path: [b, "*", c]}]$more}/r); }
my $two = { 'GET /items' => [ { a => [ { id => 1 }, {} ], b => [ { c => { id => 2 } } ] } ] };
check_that 'records of several places', combined(''), answers => $two, records => [ { id => 1 }, {}, { id => 2 } ];
check_that 'records of the first place that has some', combined(', mode: first_match, skip_empty_records: true'), answers => { 'GET /items' => [ { a => [ {} ], b => [ { c => { id => 2 } } ] } ] }, records => ids(2);

# --- properties that are asked for ---

my $chunks = sub { my ($chunking) = @_; return '{type: QueryProperties, property_list: [a, bb, c], always_include_properties: [id]' . ($chunking // '') . '}'; };
my $by_two = ', property_chunking: {type: PropertyChunking, property_limit_type: property_count, property_limit: 2}';
check_that 'properties in one request', requester => 'request_parameters: {fields: ' . $chunks->() . '}', requests => ['GET /items?fields=id,a,bb,c'], records => ids(1);
check_that 'properties in two requests, and their records put together', requester => 'request_parameters: {fields: ' . $chunks->($by_two) . ', x: y}',
  paginator => paginator('type: PageIncrement, page_size: 2, start_from_page: 1', 'page'),
  answers => { 'GET /items?fields=id,a,bb&x=y' => [ { items => [ { id => 1, a => 1, o => { p => 1 } }, { id => 2, a => 2 } ] } ], 'GET /items?fields=id,c&x=y' => [ { items => [ { id => 2, c => 2 }, { id => 1, c => 1, o => { q => 2 } }, { c => 0 } ] } ],
	'GET /items?fields=id,a,bb&page=2&x=y' => [ items() ], 'GET /items?fields=id,c&page=2&x=y' => [ items() ] },
  requests => [ 'GET /items?fields=id,a,bb&x=y', 'GET /items?fields=id,c&x=y', 'GET /items?fields=id,a,bb&page=2&x=y', 'GET /items?fields=id,c&page=2&x=y' ],
  records => [ { c => 0 }, { id => 1, a => 1, c => 1, o => { p => 1, q => 2 } }, { id => 2, a => 2, c => 2 } ];
check_that 'properties by their characters, where a template has them, merged by other keys',
  requester => q(query_properties: ) . $chunks->(', property_chunking: {type: PropertyChunking, property_limit_type: characters, property_limit: 9, record_merge_strategy: {type: GroupByKeyMergeStrategy, key: [k, l]}}')
  . q(, request_parameters: {first: "{{ stream_slice.extra_fields['query_properties'][1] }}"}),
  answers => { 'GET /items?first=a' => [ { items => [ { k => 1, l => 'x', a => 1 } ] } ], 'GET /items?first=c' => [ { items => [ { k => 1, l => 'x', c => 1 }, { k => 1, c => 2 } ] } ] },
  requests => [ 'GET /items?first=a', 'GET /items?first=c' ], records => [ { k => 1, c => 2 }, { k => 1, l => 'x', a => 1, c => 1 } ];
check_that 'properties that the source lists, as far as the schema has them', schema => '{type: object, properties: {A: {type: string}, C: {type: string}}}',
  requester => q(request_parameters: {fields: {type: QueryProperties, property_selector: {type: JsonSchemaPropertySelector, transformations: [{type: KeysToLower}]}, property_list: {type: PropertiesFromEndpoint, property_field_path: [name], retriever: {type: SimpleRetriever,
    requester: {type: HttpRequester, url_base: "{{ config['url'] }}", path: fields}, record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}}}}}),
  answers => { 'GET /fields' => [ [ { name => 'a' }, { name => 'b' }, { name => 'c' } ] ], 'GET /items' => [ items(1) ] }, requests => [ 'GET /fields', 'GET /items?fields=a,c' ], records => ids(1);

# --- jobs of the source ---

my $async = sub {
	my ($more, %p) = @_;
	my $selector = '{type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}' . ($p{selector} // '') . '}';
	my $request = sub { my ($path, $method, $rest) = @_; return qq({type: HttpRequester, url_base: "{{ config['url'] }}", path: "$path", http_method: $method) . ($rest // '') . '}'; };
	return (manifest => manifest(%p) =~ s/retriever: \{type: SimpleRetriever, .*?(?=, schema_loader)/'retriever: {type: AsyncRetriever, record_selector: ' . $selector
		  . ', status_mapping: {running: [busy, 7], completed: [done], failed: [bad], timeout: [late], skipped: [nothing]}, status_extractor: {type: DpathExtractor, field_path: [state]}'
		  . ', creation_requester: ' . $request->('jobs', 'POST', $p{create}) . ', polling_requester: ' . $request->(q(jobs\/{{ creation_response['id'] }}), 'GET')
		  . ', download_requester: ' . $request->($p{download} \/\/ q({{ download_target }}), 'GET') . $more->($request) . '}'/er);
};
my $files = sub { return ', download_target_extractor: {type: DpathExtractor, field_path: [files]}, delete_requester: ' . $_[0]->(q(jobs/{{ creation_response.id }}), 'DELETE'); };
my %job = ('POST /jobs' => [ { id => 5 } ], 'DELETE /jobs/5' => [ {} ]);

check_that 'a job: created, asked for, downloaded, deleted', $async->($files),
  answers => { %job, 'GET /jobs/5' => [ { state => 'busy' }, { state => 7 }, { state => 'done', files => [ 'a', 'b' ] } ], 'GET /a' => [ ids(1, 2) ], 'GET /b' => [ ids(3) ] },
  requests => [ 'POST /jobs', 'GET /jobs/5', 'GET /jobs/5', 'GET /jobs/5', 'GET /a', 'GET /b', 'DELETE /jobs/5' ], records => ids(1 .. 3);
check_that 'a job whose result is CSV, compressed, filtered and transformed', $async->(sub { return $files->(@_) . ', download_decoder: {type: GzipDecoder, decoder: {type: CsvDecoder}}' }, selector => q(, record_filter: {type: RecordFilter, condition: "{{ record['id'] != '2' }}"}),
	transformations => '[{type: AddFields, fields: [{type: AddedFieldDefinition, path: [x], value: "1"}]}]'),
  answers => { %job, 'GET /jobs/5' => [ { state => 'done', files => ['a'] } ], 'GET /a' => [ { status => 200, base64 => encode_base64(Compress::Zlib::memGzip("id\n1\n2\n"), '') } ] },
  records => [ { id => '1', x => 1 } ];
check_that 'a job whose result is read as pandas does', $async->(sub { return $files->(@_) . ', download_extractor: {type: ResponseToFileExtractor}' }),
  answers => { %job, 'GET /jobs/5' => [ { state => 'done', files => ['a'] } ], 'GET /a' => [ { status => 200, text => "id,n\n1,NA\n2,\n3,x\n" } ] },
  records => [ { id => '1', n => undef }, { id => '2', n => undef }, { id => '3', n => 'x' } ];
check_that 'a job each for the slices of a stream; one has nothing', $async->($files, create => q(, request_body_json: {since: "{{ stream_slice['start_time'] }}"}), incremental_sync => cursor('step: P5D, cursor_granularity: P1D', no_options => 1)),
  answers => { 'POST /jobs' => [ { id => 5 }, { id => 6 } ], 'DELETE /jobs/5' => [ {} ], 'DELETE /jobs/6' => [ {} ], 'GET /jobs/5' => [ { state => 'nothing' } ], 'GET /jobs/6' => [ { state => 'done', files => ['a'] } ], 'GET /a' => [ [ { id => 1, at => '2024-01-08' } ] ] },
  requests => [ 'POST /jobs', 'GET /jobs/5', 'DELETE /jobs/5', 'POST /jobs', 'GET /jobs/6', 'GET /a', 'DELETE /jobs/6' ], records => [ { id => 1, at => '2024-01-08' } ], final => { at => '2024-01-08' };
check_that 'a job that fails is created anew', $async->($files), answers => { 'POST /jobs' => [ { id => 4 }, { id => 5 } ], 'DELETE /jobs/5' => [ {} ], 'GET /jobs/4' => [ { state => 'bad' } ], 'GET /jobs/5' => [ { state => 'done', files => ['a'] } ], 'GET /a' => [ ids(1) ] },
  requests => [ 'POST /jobs', 'GET /jobs/4', 'POST /jobs', 'GET /jobs/5', 'GET /a', 'DELETE /jobs/5' ], records => ids(1);
check_that 'a job that always fails', $async->($files), answers => { %job, 'GET /jobs/5' => [ { state => 'bad' } ] }, requests => [ ('POST /jobs', 'GET /jobs/5') x 3 ], error => qr/the source's job fails, 3 times/;
check_that 'a job that takes too long is given up, and created anew', $async->(sub { return $files->(@_) . ', abort_requester: ' . $_[0]->(q(jobs/{{ creation_response.id }}/stop), 'POST') }), answers => { %job, 'GET /jobs/5' => [ { state => 'late' }, { state => 'done', files => ['a'] } ], 'POST /jobs/5/stop' => [ {} ], 'GET /a' => [ ids(1) ] },
  requests => [ 'POST /jobs', 'GET /jobs/5', 'POST /jobs/5/stop', 'POST /jobs', 'GET /jobs/5', 'GET /a', 'DELETE /jobs/5' ], records => ids(1);
check_that 'a status that nobody knows', $async->($files), answers => { %job, 'GET /jobs/5' => [ { state => 'odd' } ] }, requests => [ 'POST /jobs', 'GET /jobs/5' ], error => qr/the status of a job is not known: "odd"/;
check_that 'a job whose results have to be asked for', $async->(sub { return ', download_target_extractor: {type: DpathExtractor, field_path: [urls]}, download_target_requester: ' . $_[0]->(q(results/{{ polling_response['result'] }}), 'GET') }),
  answers => { %job, 'GET /jobs/5' => [ { state => 'done', result => 'r' } ], 'GET /results/r' => [ { urls => ['__URL__/x'] } ], 'GET /x' => [ ids(1) ] }, requests => [ 'POST /jobs', 'GET /jobs/5', 'GET /results/r', 'GET /x' ], records => ids(1);
my $elsewhere = { %job, 'GET /jobs/5' => [ { state => 'done', files => ['__OTHER__/x?sig=1'] } ], 'GET /x' => [ ids(1) ] };
check_that 'a job whose result is at another host, which gets nothing but the request', $async->($files, download => '{{ download_target }}'), answers => $elsewhere,
  requests => [ 'POST /jobs', 'GET /jobs/5', 'GET /x?sig=1', 'DELETE /jobs/5' ], records => ids(1);
check_that 'another host gets no credentials', $async->($files, download => q({{ download_target }}", authenticator: {type: BearerAuthenticator, api_token: secret}, $parameters: {}, name: ")), answers => $elsewhere,
  requests => [ 'POST /jobs', 'GET /jobs/5' ], error => qr/the source leads to another host, http:\/\/localhost:/;
check_that 'a job with one result, page by page', $async->(sub { return ', download_paginator: ' . paginator('type: PageIncrement, page_size: 1', 'page') }, download => q(result/{{ creation_response['id'] }})),
  answers => { %job, 'GET /jobs/5' => [ { state => 'done' } ], 'GET /result/5' => [ ids(1), ids(2), [] ] }, requests => [ 'POST /jobs', 'GET /jobs/5', 'GET /result/5', 'GET /result/5?page=1', 'GET /result/5?page=2' ], records => ids(1, 2);

# --- two ways to read a stream ---

my $delegating = sub {
	my ($more) = @_;
	my ($stream) = manifest(path => 'changes', incremental_sync => cursor('', no_options => 1)) =~ /^  - (.*?)\nspec/ms;
	return (manifest => manifest() =~ s/^  - (.*?)\nspec/"  - {type: StateDelegatingStream, name: s, full_refresh_stream: $1, incremental_stream: $stream$more}\nspec"/mser);
};
my $both = { 'GET /items' => [ items(1) ], 'GET /changes' => [ { items => [ { id => 2, at => '2024-01-05' } ] } ] };
check_that 'without a state all is read', $delegating->(''), answers => $both, requests => ['GET /items'], records => ids(1), final => { __ab_no_cursor_state_message => \1 };
check_that 'with a state what is new is read', $delegating->(''), answers => $both, state => { at => '2024-01-03' }, requests => ['GET /changes'], records => [ { id => 2, at => '2024-01-05' } ], final => { at => '2024-01-05' };
check_that 'after all was read, what is new is read', $delegating->(''), answers => $both, state => { __ab_no_cursor_state_message => \1 }, requests => ['GET /changes'];
check_that 'with a state that is older than what the API keeps, all is read', $delegating->(', api_retention_period: P3D'), now => '2024-01-09 00:00:00+00', answers => $both, state => { at => '2024-01-03' }, requests => ['GET /items'];
check_that 'with one that is not', $delegating->(', api_retention_period: P7D'), now => '2024-01-09 00:00:00+00', answers => $both, state => { at => '2024-01-03' }, requests => ['GET /changes'];

# --- pages that a parent's records have in them ---

my $lazy = '{type: SubstreamPartitionRouter, parent_stream_configs: [{type: ParentStreamConfig, parent_key: id, partition_field: pid, lazy_read_pointer: [lines], stream: ' . parent('parents', '') . '}]}';
my @lazily = (partition_router => $lazy, path => q("of/{{ stream_partition.pid }}"), paginator => paginator(q(type: CursorPagination, cursor_value: "{{ last_record['id'] }}", stop_condition: "{{ not response['more'] }}"), 'after'),
  answers => { 'GET /parents' => [ { items => [ { id => 1, lines => { items => ids(1, 2), more => \1 } }, { id => 2, lines => { items => ids(4), more => \0 } }, { id => 3 } ] } ],
	'GET /of/1?after=2' => [ { items => ids(3), more => \0 } ], map { +"GET /of/$_" => [ { items => [ { id => $_, at => '2024-01-0' . $_ } ], more => \0 } ] } 1 .. 3 });
check_that "without a state the first pages come from the parent's records", @lazily, requests => [ 'GET /parents', 'GET /of/1?after=2' ], records => ids(1 .. 4);
check_that 'with a state they are asked for', @lazily, incremental_sync => cursor('', no_options => 1), state => { at => '2024-01-01' }, requests => [ 'GET /parents', 'GET /of/1', 'GET /of/2', 'GET /of/3' ];

# --- paging that begins again ---

my $by_day = sub { return { items => [ map { { id => $_, at => "2024-01-0$_" } } @_ ] }; };
my @again = (incremental_sync => cursor(''), paginator => paginator('type: PageIncrement, page_size: 2, start_from_page: 1', 'page'));
my $until = 'until=2024-01-10';
check_that 'after so many records paging begins again, from the last value of the cursor', @again, retriever => 'pagination_reset: {type: PaginationReset, action: SPLIT_USING_CURSOR, limits: {type: PaginationResetLimits, number_of_records: 4}}',
  answers => { "GET /items?since=2024-01-01&$until" => [ $by_day->(1, 2) ], "GET /items?page=2&since=2024-01-01&$until" => [ $by_day->(3, 4) ], "GET /items?since=2024-01-04&$until" => [ $by_day->(4, 5) ], "GET /items?page=2&since=2024-01-04&$until" => [ $by_day->(6) ] },
  requests => [ "GET /items?since=2024-01-01&$until", "GET /items?page=2&since=2024-01-01&$until", "GET /items?since=2024-01-04&$until", "GET /items?page=2&since=2024-01-04&$until" ],
  records => $by_day->(1 .. 4, 4 .. 6)->{items}, final => { at => '2024-01-06' };
check_that 'where the API asks for it, too', @again, retriever => 'pagination_reset: {type: PaginationReset, action: SPLIT_USING_CURSOR}', errors => '{type: DefaultErrorHandler, response_filters: [{type: HttpResponseFilter, http_codes: [400], action: RESET_PAGINATION}]}',
  answers => { "GET /items?since=2024-01-01&$until" => [ $by_day->(1, 2) ], "GET /items?page=2&since=2024-01-01&$until" => [ { status => 400, json => {} } ], "GET /items?since=2024-01-02&$until" => [ $by_day->(3) ] },
  requests => [ "GET /items?since=2024-01-01&$until", "GET /items?page=2&since=2024-01-01&$until", "GET /items?since=2024-01-02&$until" ], records => $by_day->(1 .. 3)->{items};
check_that 'paging that comes no further', @again, retriever => 'pagination_reset: {type: PaginationReset, action: SPLIT_USING_CURSOR, limits: {type: PaginationResetLimits, number_of_records: 2}}',
  answers => { 'GET /items' => [ $by_day->(2, 2) ] }, requests => [ "GET /items?since=2024-01-01&$until", "GET /items?since=2024-01-02&$until" ], error => qr/paging has to begin again and again, and comes no further/;

run_cases();
done_testing();
