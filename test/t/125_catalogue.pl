
# The connectors that come with Lyftron, each against a mock that has records in the shapes that the service's documentation
# shows (test/data/catalogue): every stream is read to its end, through pages and a 429 whose wait is kept; every column has its type, and
# a value in every record; incremental runs ask for what is new; wrong credentials are told.  No service itself was asked.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $port = start_server('catalogue_api.py', '--data', 'test/data/catalogue');
my $node = new_node('main', "timezone = UTC\nlyftron.allowed_hosts = '127.0.0.1'\n", '--encoding=UTF8');
$node->safe_psql('postgres', 'CREATE SCHEMA raw');

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }
sub service_log { my ($name) = @_; return decode_json(LyftronTest::http('GET', $port, "/$name/_log")); }

# a server, its streams in a schema of its name
sub connect_service
{
	my ($name, $service) = @_;
	my $config = encode_json({ %{ $service->{config} }, base_url => "http://127.0.0.1:$port/$name" });
	my $secrets = encode_json($service->{secrets});
	sql(qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector '$name', config \$\$$config\$\$);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (secrets \$\$$secrets\$\$);
		CREATE SCHEMA $name;
		IMPORT FOREIGN SCHEMA "default" FROM SERVER $name INTO $name OPTIONS (record 'true');});
	return;
}

# each column has its type, and a value in each record: what the schema says is what the documented records have
sub test_stream
{
	my ($name, $stream, $definition) = @_;
	my $rows = $definition->{rows} // $definition->{count};
	my @columns = split /\n/, sql(qq{SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '$name.$stream'::regclass AND attnum > 0 AND attname <> '_record' ORDER BY attnum});
	my $key = sql(qq{SELECT string_agg(quote_ident(column_name), ', ' ORDER BY column_name) FROM lyftron.discover('$name', '$stream') WHERE in_primary_key});
	is(sql("SELECT string_agg(column_name || ' ' || type, ', ') FROM lyftron.discover('$name', '$stream')"), $definition->{types}, "$stream: its types");
	sql("DROP TABLE IF EXISTS raw.read; CREATE TABLE raw.read AS SELECT * FROM $name.$stream");
	is(sql("SELECT count(*), count(DISTINCT ($key)), " . join(', ', map { "count($_)" } @columns) . " FROM raw.read"), join('|', ($rows) x (2 + @columns)),
		"$stream: $rows records, whole, each once: " . join(' ', @columns));
	is(sql("SELECT string_agg(x.column, ' ') FROM (SELECT a.attname AS column, bool_and((t._record ->> a.attname)"
			. " IS NOT DISTINCT FROM to_jsonb(t) ->> a.attname) FROM pg_attribute a, raw.read t WHERE a.attrelid = 'raw.read'::regclass AND a.attnum > 0"
			. " AND a.atttypid IN ('text'::regtype, 'bigint'::regtype, 'boolean'::regtype, 'date'::regtype, 'jsonb'::regtype) AND t._record ? a.attname GROUP BY 1) x"
			. " WHERE NOT x.bool_and"), '', 'each as the record has it');
	ok(service_log($name)->{requests}[1], "$stream: more than one page") if $definition->{page}{kind} ne 'none' && !$definition->{single};
	return;
}

# a first run brings all, a second one asks for no more than what is new, and a third one finds it
sub test_incremental
{
	my ($name, $stream, $definition) = @_;
	my $rows = $definition->{rows} // $definition->{count};
	my $parts = $rows / $definition->{count};
	my $run = sub { sql("CALL lyftron.run('${name}_$stream')"); sql("SELECT rows_read FROM lyftron.jobs WHERE pipeline = '${name}_$stream' ORDER BY id DESC LIMIT 1") };
	sql("SELECT lyftron.create_pipeline('${name}_$stream', source => '$name.$stream', destination => 'raw.${name}_$stream', mode => 'incremental')");
	service_log($name);
	is($run->(), $rows, "$stream: a first run reads all");
	my ($first) = sort { $a <=> $b } @{ service_log($name)->{since} };
	cmp_ok($run->(), '<=', $parts * (1 + ($definition->{overlap} // 0)), 'a second one what is as new as the last');
	my ($second) = sort { $a <=> $b } @{ service_log($name)->{since} };
	ok($second > ($first // -1e9) && $second <= $definition->{count}, "since then, which is asked for: hour $second");
	LyftronTest::api_post($port, "/$name/_more");
	cmp_ok($run->(), '<=', $parts * (3 + ($definition->{overlap} // 0)), 'a third one little more than two new records');
	is(sql("SELECT count(*) FROM raw.${name}_$stream"), $rows + 2 * $parts, 'all are there once');
	LyftronTest::api_post($port, "/$name/_less");
	return;
}

# a service without a filter: by the day
sub test_days
{
	my ($name, $stream, $service) = @_;
	my $rows = $service->{streams}{$stream}{rows};
	my $later = encode_json({ %{ $service->{config} }, %{ $service->{later} }, base_url => "http://127.0.0.1:$port/$name" });
	sql(qq{SELECT lyftron.create_pipeline('${name}_$stream', source => '$name.$stream', destination => 'raw.${name}_$stream', mode => 'incremental');
		CALL lyftron.run('${name}_$stream')});
	service_log($name);
	sql(qq{ALTER SERVER $name OPTIONS (SET config \$\$$later\$\$); CALL lyftron.run('${name}_$stream')});
	cmp_ok(scalar @{ service_log($name)->{requests} }, '<', $rows, "$stream: later runs ask for later days");
	cmp_ok(sql("SELECT count(*) FROM raw.${name}_$stream"), '>', $rows, 'which come');
	return;
}

sub test_credentials
{
	my ($name, $service) = @_;
	my $wrong = encode_json($service->{wrong});
	my ($stream) = sort keys %{ $service->{streams} };
	sql("ALTER USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (SET secrets \$\$$wrong\$\$)");
	my ($status, $out, $err) = $node->psql('postgres', "SELECT count(*) FROM $name.$stream");
	isnt($status, 0, 'wrong credentials: an error');
	like($err, qr/401|invalid_client|who are you/, 'which says so');
	unlike($err, qr/\bother\b/, 'without them');
	return;
}

sub test_service
{
	my ($name, $service) = @_;
	connect_service($name, $service);
	my %streams = %{ $service->{streams} };
	is(sql("SELECT string_agg(stream, ' ' ORDER BY stream) FROM lyftron.streams('$name')"), join(' ', sort keys %streams), 'its streams');
	sql("SELECT count(*) FROM $name." . (sort keys %streams)[0]);
	cmp_ok(service_log($name)->{waited}, '>=', 1, 'a 429 is heeded');
	test_stream($name, $_, $streams{$_}) for sort keys %streams;
	test_incremental($name, $_, $streams{$_}) for grep { $streams{$_}{since} } sort keys %streams;
	test_days($name, $_, $service) for grep { $streams{$_}{day} } sort keys %streams;
	test_credentials($name, $service) if $service->{wrong};
	return;
}

my %mocked = map { m{(\w+)\.json$}; $1 => $_ } glob 'test/data/catalogue/*.json';
my %elsewhere = (nycflights => '010_flights.pl', redmine => '120_redmine.pl');
is(join(' ', sort(keys %mocked, keys %elsewhere)), sql('SELECT string_agg(name, $$ $$ ORDER BY name) FROM lyftron.connectors WHERE shipped'), 'all connectors are tested');
for my $name (sort keys %mocked)
{
	subtest $name => sub { test_service($name, decode_json(slurp_file($mocked{$name}))) };
}

done_testing();
