
# What a server has, looked at by a check: streams that are new, gone or changed; rules that make pipelines of new ones; foreign
# tables brought up to date. Servers of connectors, of MariaDB and of PostgreSQL.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronMysql;
use LyftronTest;
use Test::More;

my $node = new_node('main', "timezone = UTC\nlyftron.allowed_hosts = '127.0.0.1'\n");

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }
sub checked { my ($server) = @_; return sql("SELECT concat_ws(' ', stream, change, column_name, severity) FROM lyftron.check_schemas('$server')"); }
sub refreshed { my ($server, $execute) = @_; return sql("SELECT concat_ws(' ', foreign_table, change, column_name, executed, reason) FROM lyftron.refresh_foreign_schema('$server', $execute)"); }

# --- a connector whose manifest changes ---

sub manifest
{
	my (%streams) = @_;
	my $text = "version: 6.0.0\ntype: DeclarativeSource\ncheck: {type: CheckStream, stream_names: [" . (sort keys %streams)[0] . "]}\nstreams:\n";
	$text .= "  - {type: DeclarativeStream, name: $_, primary_key: id, retriever: {type: SimpleRetriever, requester: {type: HttpRequester, url_base: 'http://127.0.0.1:1', path: $_}, record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}}, schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {$streams{$_}}}}}\n"
	  for sort keys %streams;
	return $text;
}
sub add { sql('SELECT count(*) FROM lyftron.add_connector(\'c\', $m$' . manifest(@_) . '$m$)'); return; }

add(a => 'id: {type: integer}, n: {type: integer}, old: {type: string}', b => 'id: {type: integer}');
sql(q{CREATE SERVER api FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'c'); CREATE SCHEMA api; CREATE SCHEMA raw; IMPORT FOREIGN SCHEMA "default" FROM SERVER api INTO api});
is(checked('api'), '', 'a first check sees the beginning');
is(refreshed('api', 'false'), '', 'imported tables are up to date');
is(checked('api'), '', 'nothing has changed');
sql("SELECT lyftron.create_stream_rule('fresh', 'api', 'new%', 'api', 'raw', '{\"mode\": \"full_refresh\", \"schedule\": \"\@daily\"}')");
add(a => 'id: {type: integer}, n: {type: number}, more: {type: boolean}', news => 'id: {type: integer}, t: {type: string}', other => 'id: {type: integer}');
my $heard = $node->safe_psql('postgres', "LISTEN lyftron_schema; SELECT string_agg(concat_ws(' ', stream, change, column_name, severity), '; ') FROM lyftron.check_schemas('api')");
like($heard, qr/^a column_removed old warning; a column_added more info; a type_widened n info; news stream_added info; other stream_added info; b stream_removed error$/m, 'a check sees what has changed');
is(() = $heard =~ /Asynchronous notification "lyftron_schema" with payload "\{"server":"api"/g, 6, 'and tells it');
is(sql("SELECT string_agg(concat_ws(' ', stream, kind), ', ' ORDER BY id) FROM lyftron.schema_changes WHERE server = 'api'"),
	'a column_removed, a column_added, a type_widened, news stream_added, other stream_added, b stream_removed', 'it is written down');
is(sql("SELECT name, source, destination, mode, schedule FROM lyftron.pipelines WHERE name LIKE 'fresh%'"), 'fresh.news|api.news|raw.news|full_refresh|@daily', 'a rule makes a pipeline of a new stream that it is for');
is(checked('api'), '', 'once');

sql('CREATE VIEW uses_n AS SELECT n FROM api.a');
is(refreshed('api', 'false'), "api.a column_added more f\napi.a column_removed old f\napi.a type_changed n f a view uses the column\napi.b stream_removed f\nother stream_added f", 'what would bring foreign tables up to date');
is(refreshed('api', 'true'), "api.a column_added more t\napi.a column_removed old t\napi.a type_changed n f a view uses the column\napi.b stream_removed f\nother stream_added f", 'is done when it is told to, but for what a view keeps');
sql('DROP VIEW uses_n');
is(refreshed('api', 'true'), "api.a type_changed n t\napi.b stream_removed f\nother stream_added f", 'which is done later');
is(sql("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'api.a'::regclass AND attnum > 0 AND NOT attisdropped"), 'id bigint, n numeric, more boolean', 'the table is as the stream');
is(sql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '\\_lyftron%'"), 0, 'nothing is left behind');

my (undef, undef, $error) = $node->psql('postgres', "SELECT lyftron.create_stream_rule('bad', 'api', '%', 'api', 'raw', '{\"source\": \"x\"}')");
like($error, qr/a stream rule cannot set "source"/, 'a rule sets what it may');
sql("SELECT lyftron.drop_stream_rule('fresh')");
(undef, undef, $error) = $node->psql('postgres', "SELECT lyftron.drop_stream_rule('fresh')");
like($error, qr/there is no stream rule "fresh" of yours/, 'and is dropped once');

# a check by a schedule
sql(q{SELECT lyftron.create_pipeline('check api', kind => 'sql', source => $$SELECT count(*) FROM lyftron.check_schemas('api')$$, schedule => '@hourly')});
add(a => 'id: {type: integer}, n: {type: number}', news => 'id: {type: integer}, t: {type: string}', other => 'id: {type: integer}');
sql("CALL lyftron.run('check api')");
is(sql("SELECT kind, column_name FROM lyftron.schema_changes WHERE server = 'api' ORDER BY id DESC LIMIT 1"), 'column_removed|more', 'a pipeline of the kind sql checks');

# one that cannot be asked leaves nothing behind
sql("CREATE SERVER nobody FOREIGN DATA WRAPPER lyftron_mysql OPTIONS (host '127.0.0.1', port '1')");
(undef, undef, $error) = $node->psql('postgres', "SELECT * FROM lyftron.check_schemas('nobody', 'x')");
like($error, qr/could not connect|user mapping/i, 'a server that is not there: an error');
is(sql("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '\\_lyftron%'"), 0, 'and nothing is left behind');

# who may not use a server
sql('CREATE ROLE stranger; GRANT CREATE ON DATABASE postgres TO stranger');
(undef, undef, $error) = $node->psql('postgres', "SET ROLE stranger; SELECT * FROM lyftron.check_schemas('api')");
like($error, qr/permission denied for foreign server api/, 'a stranger may not check it');
is(sql('SET ROLE stranger; SELECT count(*) FROM lyftron.schema_changes'), 0, 'nor see its changes');

# --- MariaDB ---

my $maria = LyftronMysql->new;
$maria->sql('CREATE TABLE shop.orders (id int PRIMARY KEY, total decimal(8,2), note varchar(10)) CHARACTER SET utf8mb4');
$maria->connect_node($node, 'shop');
sql('CREATE SCHEMA shop; IMPORT FOREIGN SCHEMA shop FROM SERVER shop INTO shop');
is(checked('shop'), '', 'MariaDB: a first check');
$maria->sql('ALTER TABLE shop.orders MODIFY total decimal(12,2), MODIFY note varchar(40), ADD state enum("a", "b"); CREATE TABLE shop.items (id int)');
is(checked('shop'), "shop.items stream_added info\nshop.orders column_added state info\nshop.orders type_widened total info\nshop.orders type_widened note info", 'MariaDB: what has changed');
is(refreshed('shop', 'true'), "items stream_added f\nshop.orders column_added state t\nshop.orders type_changed total t\nshop.orders type_changed note t\nshop.orders options_changed total t\nshop.orders options_changed note t", 'MariaDB: tables are brought up to date, with what they say of remote types');
$maria->sql("INSERT INTO shop.orders VALUES (1, 1234567890.12, 'a longer note than before', 'b')");
is(sql('SELECT * FROM shop.orders'), '1|1234567890.12|a longer note than before|b', 'MariaDB: and read');

done_testing();
