
# The connectors that come with Lyftron, each against a mock that has records in the shapes that the service's documentation
# shows and refuses some of what the service refuses (test/data/catalogue): every stream is read to its end, through pages and a 429;
# columns have their types, and a value in every record; incremental runs ask for what is new, from the cursor on; wrong
# credentials are told.  No service itself was asked.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use List::Util qw(max sum0);
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $port = start_server('catalogue_api.py', '--data', 'test/data/catalogue');
my $node = new_node('main', "timezone = UTC\nlyftron.allowed_hosts = '127.0.0.1'\n", '--encoding=UTF8');
$node->safe_psql('postgres', 'CREATE SCHEMA raw');

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }
sub requests { my ($name) = @_; return @{ decode_json(LyftronTest::http('GET', $port, "/$name/_log")) }; }

sub config
{
	my ($name, $service, $more) = @_;
	my $url = "http://127.0.0.1:$port/$name";
	return encode_json({ %{ $service->{config} }, %{ $more // {} }, base_url => $url }) =~ s/\{url\}/$url/gr;
}

# a server, its streams in a schema of its name
sub connect_service
{
	my ($name, $service) = @_;
	my $config = config($name, $service);
	my $secrets = encode_json($service->{secrets});
	sql(qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector '$name', config \$\$$config\$\$);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (secrets \$\$$secrets\$\$);
		CREATE SCHEMA $name;
		IMPORT FOREIGN SCHEMA "default" FROM SERVER $name INTO $name;});
	return;
}

sub run_pipeline
{
	my ($name, $stream) = @_;
	sql("CALL lyftron.run('${name}_$stream')");
	return sql("SELECT rows_read FROM lyftron.jobs WHERE pipeline = '${name}_$stream' ORDER BY id DESC LIMIT 1");
}

# All records, in raw.name_stream: by a pipeline where there is a cursor to go on from.
sub read_stream
{
	my ($name, $stream, $definition) = @_;
	my $rows = $definition->{rows} // $definition->{count};
	if ($definition->{since})
	{
		sql("SELECT lyftron.create_pipeline('${name}_$stream', source => '$name.$stream', destination => 'raw.${name}_$stream', mode => 'incremental')");
		is(run_pipeline($name, $stream), $rows, "$stream: a first run reads all");
	}
	else
	{
		sql("CREATE TABLE raw.${name}_$stream AS SELECT * FROM $name.$stream");
	}
	return;
}

# each column has its type, and a value in each record: what the schema says is what the documented records have
sub test_records
{
	my ($name, $stream, $definition) = @_;
	my $rows = $definition->{rows} // $definition->{count};
	my $attributes = "FROM pg_attribute WHERE attrelid = '$name.$stream'::regclass AND attnum > 0 AND attname <> '_record'";
	my @columns = split /\n/, sql("SELECT quote_ident(attname) $attributes ORDER BY attnum");
	my $key = sql(qq{SELECT string_agg(quote_ident(column_name), ', ' ORDER BY column_name) FROM lyftron.discover('$name', '$stream') WHERE in_primary_key});
	is(sql("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) $attributes"), $definition->{columns}, "$stream: its columns");
	is(sql("SELECT count(*), count(DISTINCT ($key)), " . join(', ', map { "count($_)" } @columns) . " FROM raw.${name}_$stream"), join('|', ($rows) x (2 + @columns)),
		"$rows records, whole, each once");
	is_deeply(decode_json(sql("SELECT to_jsonb(r) FROM (SELECT @{[join ', ', @columns]} FROM raw.${name}_$stream ORDER BY $key LIMIT 1) AS r")), $definition->{first}, 'the first of them');
	return;
}

sub test_stream
{
	my ($name, $stream, $definition) = @_;
	read_stream($name, $stream, $definition);
	my @log = requests($name);
	my @pages = grep { ($_->{stream} // '') eq $stream } @log;
	test_records($name, $stream, $definition);
	cmp_ok(max(map { $_->{start} } @pages), '>', 0, scalar(@pages) . ' requests, of further pages too') if $definition->{page}{kind} ne 'none';
	is(scalar @pages, $definition->{requests}, "$definition->{requests} requests") if $definition->{requests};
	is(sum0(map { $_->{status} != 200 && $_->{status} != 429 } @log), 0, 'none of them refused');
	return @log;
}

# The first request gets a 429, and goes again after the second that its answer asks for.
sub test_wait
{
	my @log = @_;
	my @refused = grep { $log[$_]{status} == 429 } 0 .. $#log;
	is(scalar @refused, 1, 'a 429');
	my ($again) = grep { $log[$_]{request} eq $log[$refused[0]]{request} } $refused[0] + 1 .. $#log;
	my $waited = $log[$again]{at} - $log[$refused[0]]{at};
	ok($waited >= 1 && $waited < 4, "and the same request as soon as it may go: after $waited s");
	return;
}

# from when on each part was asked for, in the requests since the last look
sub asked_from
{
	my ($name) = @_;
	my %from;
	for my $request (grep { defined $_->{since} } requests($name))
	{
		my $from = \$from{ $request->{part} };
		$$from = $request->{since} if !defined $$from || $request->{since} lt $$from;
	}
	return join ' ', sort values %from;
}

# a second run asks for no more than what is new, from the cursor on, and a third one finds it
sub test_incremental
{
	my ($name, $stream, $definition) = @_;
	my $rows = $definition->{rows} // $definition->{count};
	my $parts = $definition->{parts} // 1;
	requests($name);
	cmp_ok(run_pipeline($name, $stream), '<=', $parts * (1 + ($definition->{overlap} // 0)), "$stream: a second run reads what is as new as the last");
	is(asked_from($name), join(' ', ($definition->{again}) x $parts), "it asks for what there is from $definition->{again} on");
	LyftronTest::api_post($port, "/$name/_more");
	cmp_ok(run_pipeline($name, $stream), '<=', $parts * (3 + ($definition->{overlap} // 0)), 'a third one little more than two new records');
	is(sql("SELECT count(*) FROM raw.${name}_$stream"), $rows + 2 * $parts, 'all are there once');
	LyftronTest::api_post($port, "/$name/_less");
	return;
}

# records of each day: later ones come with a later end
sub test_days
{
	my ($name, $stream, $definition, $service) = @_;
	my $later = config($name, $service, $service->{later});
	my $parts = $definition->{parts} // 1;
	requests($name);
	sql(qq{ALTER SERVER $name OPTIONS (SET config \$\$$later\$\$); CALL lyftron.run('${name}_$stream')});
	is(asked_from($name), join(' ', ($definition->{again}) x $parts), "$stream: a later run asks for the days from $definition->{again} on");
	is(sql("SELECT count(*) FROM raw.${name}_$stream"), $definition->{rows} + 2 * $parts * $definition->{count}, 'two more have come');
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
	test_wait(map { test_stream($name, $_, $streams{$_}) } sort keys %streams);
	for my $stream (grep { $streams{$_}{since} } sort keys %streams)
	{
		$streams{$stream}{days} ? test_days($name, $stream, $streams{$stream}, $service) : test_incremental($name, $stream, $streams{$stream});
	}
	test_credentials($name, $service) if $service->{wrong};
	return;
}

# What a service refuses, the mock refuses: else the tests above would say nothing about it.
sub test_refusal
{
	my ($name, $definition, $target, $why) = @_;
	my ($header, $value) = @{ $definition->{auth}{header} };
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
	print $socket "GET /$name$target HTTP/1.0\r\n$header: $value\r\nrevision: 2026-10-15\r\n\r\n";
	local $/;
	like(<$socket>, qr{^HTTP/1.[01] 4(?:00|22) .*$why}s, "$name: $target");
	return;
}

# A record of half a minute ago: the export is asked when it is older than a minute.
sub test_recent_start
{
	sql(q{SELECT lyftron.set_state('zendesk_users', jsonb_build_object('updated_at', (extract(epoch FROM now())::bigint - 30)::text))});
	requests('zendesk');
	is(run_pipeline('zendesk', 'users'), 0, 'a position of half a minute ago');
	is(scalar requests('zendesk'), 0, 'no request yet');
	return;
}

my %mocked = map { m{(\w+)\.json$}; $1 => decode_json(slurp_file($_)) } glob 'test/data/catalogue/*.json';
my %elsewhere = (nycflights => '010_flights.pl', redmine => '120_redmine.pl');
is(join(' ', sort(keys %mocked, keys %elsewhere)), sql('SELECT string_agg(name, $$ $$ ORDER BY name) FROM lyftron.connectors WHERE shipped'), 'all connectors are tested');
for my $name (sort keys %mocked)
{
	subtest $name => sub { test_service($name, $mocked{$name}) };
}

subtest 'zendesk: what is too recent' => \&test_recent_start;
subtest 'what services refuse' => sub {
	my $now = time;
	test_refusal('klaviyo', $mocked{klaviyo}, '/api/profiles?filter=greater-or-equal(updated,2026-01-01T00:00:00Z)', 'not accepted');
	test_refusal('shippo', $mocked{shippo}, '/shipments/?object_created_gte=2026-01-01T00:00:00Z', 'not a time of 90 days');
	test_refusal('shippo', $mocked{shippo}, '/shipments/?object_created_gte=2026-01-01T00:00:00Z&object_created_lte=2026-04-02T00:00:00Z', 'not a time of 90 days');
	test_refusal('zendesk', $mocked{zendesk}, "/api/v2/incremental/users/cursor.json?start_time=$now", 'Too recent');
	test_refusal('greenhouse', $mocked{greenhouse}, '/v3/jobs?cursor=x&per_page=500', 'do not include other query params');
};

done_testing();
