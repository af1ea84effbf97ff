
# Which hosts may be connected to: lyftron.allowed_hosts binds everybody, most of all those who are no
# superuser. What counts is the address, whatever the name, redirect, open connection or environment.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use LyftronTest;
use Test::More;

my $port = start_server('fault_server.py');
my $other = start_server('fault_server.py');
my $api = start_server('manifest_api.py');

# Nobody listens at this proxy: a server that obeyed it would reach nothing.
my $proxy = 'http://127.0.0.1:' . free_port();
local $ENV{http_proxy} = $proxy;
local $ENV{HTTP_PROXY} = $proxy;
local $ENV{https_proxy} = $proxy;
local $ENV{ALL_PROXY} = $proxy;
my $node = new_node('main');
my $json = JSON::PP->new->canonical->allow_nonref;

add_connector($node, 'http');
$node->safe_psql('postgres', qq{
	CREATE ROLE ann LOGIN;
	CREATE ROLE bob LOGIN;
	GRANT USAGE ON FOREIGN DATA WRAPPER lyftron_rest TO ann;
	CREATE SERVER api FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'http', config '{"base_url": "http://127.0.0.1:$port", "path": "echo"}');
	CREATE USER MAPPING FOR PUBLIC SERVER api OPTIONS (secrets '{"token": "hunter2-secret"}');
	GRANT USAGE ON FOREIGN SERVER api TO ann, bob;
	CREATE SCHEMA ann AUTHORIZATION ann;});

# Statements of a role on a URL, as a session of their own: (rows, error).
my %options = (on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=never' ]);
my $read = "SELECT 1 FROM lyftron.read('api', 'answer') WHERE record IS NOT NULL;\n";

sub session
{
	my ($user, $sql, %more) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $sql, %options,
		connstr => $node->connstr('postgres') . " user=$user" . ($more{connect} // ''));
	return ($out, $err);
}

sub point_to
{
	my ($base, $path) = @_;
	my $config = $json->encode({ base_url => $base, path => $path // 'echo' });
	$node->safe_psql('postgres', "ALTER SERVER api OPTIONS (SET config '$config')");
	return;
}

sub superuser { return $node->safe_psql('postgres', 'SELECT current_user'); }

# A setting of the whole cluster.
sub allow
{
	my ($list) = @_;
	$node->safe_psql('postgres', "LOAD 'lyftron';\nALTER SYSTEM SET lyftron.allowed_hosts = '$list'");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	LyftronTest::wait_until(10, sub { $node->safe_psql('postgres', "LOAD 'lyftron'; SHOW lyftron.allowed_hosts") eq $list }) or die "no reload";
	return;
}

sub counters { my ($p) = @_; return $json->decode(LyftronTest::http('GET', $p, '/connections')); }
sub requests { my ($p) = @_; return counters($p)->{requests}; }

sub allowed
{
	my ($claim, $user, $base, $path) = @_;
	point_to($base, $path);
	my ($out, $err) = session($user, $read);
	is("$out$err", '1', "$claim: allowed");
	return;
}

sub refused
{
	my ($claim, $user, $base, $path, @texts) = @_;
	point_to($base, $path);
	my ($out, $err) = session($user, $read);
	is($out, '', "$claim: no record");
	like($err, qr/ERROR:  42501: connection to host ".*is not allowed/, "$claim: refused");
	like($err, $_, "$claim: says so") for qr/HINT:  An administrator can add/, @texts;
	unlike($err, qr/hunter2/, "$claim: shows no secret");
	return;
}

my $root = superuser();
my $url = "http://127.0.0.1:$port";

# --- as it is without a setting ---

allowed("a superuser at the server's own machine, past the environment's proxy", $root, $url);
refused('another role there', 'ann', $url, undef, qr/host "127\.0\.0\.1" is not allowed/, qr/this database server's own machine/, qr/add "127\.0\.0\.1"/);
my @local = ("localhost:$port", "LOCALHOST:$port", "[::1]:$port", "[::ffff:127.0.0.1]:$port", "[::ffff:7f00:1]:$port", "0.0.0.0:$port", "[::]:$port",
	"127.1:$port", "2130706433:$port", "0x7f000001:$port", "0177.0.0.1:$port", "127.9.9.9:$port", "api.localhost:$port", "%31%32%37.0.0.1:$port", "x\@127.0.0.1:$port");
my $before = counters($port)->{connections};
refused("as $_", 'ann', "http://$_") for @local;
is(counters($port)->{connections} - $before, 1, "not even a connection came there, beside the test's own");

refused("link-local, as $_", $root, "http://$_", 'latest/meta-data/', qr/link-local, or where a cloud hands out credentials/)
  for '169.254.169.254', '[fe80::1]', '[fe80::1%25lo]', '[::ffff:169.254.169.254]', '[64:ff9b::a9fe:a9fe]', '[2002:a9fe:a9fe::1]', '2852039166', '0xA9FEA9FE',
  '169.254.43518', '0251.0376.0251.0376', '169.254.0.1:8080', '[fd00:ec2::254]', '100.100.100.200';

# --- redirects: each hop ---

refused('a redirect to a guarded address', $root, $url, 'redirect?to=http://169.254.169.254/latest/', qr/host "169\.254\.169\.254"/);
refused('the same by another spelling', $root, $url, 'redirect?to=http://2852039166/', qr/host "2852039166" at address 169\.254\.169\.254/);
allow("127.0.0.1:$port");
allowed('a port that is named', 'ann', $url);
$before = requests($other);
refused('a redirect to a port that is not', 'ann', $url, "redirect?to=http://127.0.0.1:$other/echo", qr/host "127\.0\.0\.1"/);
refused('a redirect by way of one that is', 'ann', $url, "redirect?to=/redirect?to=http://localhost:$other/echo", qr/host "localhost" is not allowed/);
is(requests($other) - $before, 1, 'nothing came there');

# --- entries ---

refused('a superuser, where the list names something else', $root, "http://localhost:$other", undef, qr/does not name it, port $other/);
for my $case ([ '127.0.0.0/8', $url ], [ '10.0.0.0/8, 127.0.0.1', $url ], [ 'localhost', "http://localhost:$port" ], [ 'LocalHost', "http://LOCALHOST:$port" ],
	[ "localhost:$port", "http://localhost:$port" ], [ '[::ffff:127.0.0.1]', $url ], [ "127.0.0.1,::1", "http://localhost:$port" ])
{
	allow($case->[0]);
	allowed("\"$case->[0]\" and $case->[1]", 'ann', $case->[1]);
}
for my $case ([ '*', $url ], [ "*:$port", $url ], [ '0.0.0.0/0', $url ], [ '::/0', $url ], [ '127.0.0.0/7', $url ], [ 'localhost', $url ], [ "localhost:$other", "http://localhost:$port" ],
	[ '10.0.0.0/8', $url ], [ '127.0.0.2', $url ], [ 'example.com', $url ], [ '*.localhost', "http://api.localhost:$port" ], [ 'api.localhost', "http://api.localhost:$port" ], [ '', $url ])
{
	allow($case->[0]);
	refused("\"$case->[0]\" and $case->[1]", 'ann', $case->[1]);
}

# Names and wildcards, where the address is no matter: as a superuser.
for my $case ([ 'api.localhost', 'api.localhost', 1 ], [ '*.localhost', 'api.localhost', 1 ], [ '*.localhost', 'a.b.localhost', 1 ], [ '*.localhost', 'localhost', 0 ],
	[ '*.localhost', 'evillocalhost', 0 ], [ 'api.localhost', 'localhost', 0 ], [ 'localhost', 'api.localhost', 0 ], [ '*', 'api.localhost', 1 ], [ '', 'localhost', 0 ],
	[ '169.254.169.254', '127.0.0.1', 0 ])
{
	my ($list, $host, $may) = @$case;
	allow($list);
	($may ? \&allowed : \&refused)->("\"$list\" and $host, for a superuser", $root, "http://$host:$port");
}
for my $bad ('http://example.com', 'a b/8', '10.0.0.0/33', '::/129', 'example.com:0', 'example.com:70000', '[::1', '*x', 'a*b', "a\xe2\x98\x83", '10.0.0.0/x', '[]', '*.')
{
	my ($out, $err) = session($root, "LOAD 'lyftron';\nSET lyftron.allowed_hosts = '$bad'");
	like($err, qr/ERROR:  22023: invalid value for parameter "lyftron\.allowed_hosts".*\nDETAIL:  .* is no host name/, "\"$bad\" is no list of hosts");
}

# In a file a wrong entry stands for nothing, and does not open what the others close.
$node->append_conf('postgresql.conf', "lyftron.allowed_hosts = '10.0.0.0/8, 127.0.0.1/77'");
$node->safe_psql('postgres', "LOAD 'lyftron';\nALTER SYSTEM RESET lyftron.allowed_hosts");
$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
like((session($root, "LOAD 'lyftron'"))[1], qr/WARNING:  22023: wrong entry in lyftron\.allowed_hosts\nDETAIL:  "127\.0\.0\.1\/77" is no host name/, 'a wrong entry in a file is a warning');
refused('with a wrong entry', $root, $url);

# --- who may set it ---

allow('*');
point_to($url);
like((session('ann', "SELECT lyftron.render_template('1');\nSET lyftron.allowed_hosts = '127.0.0.1'"))[1], qr/permission denied to set parameter/, 'a role may not set it');
for my $early ([ 'before the library is loaded', "SET lyftron.allowed_hosts = '127.0.0.1';\n" ], [ 'from its client', '', connect => " options='-c lyftron.allowed_hosts=127.0.0.1'" ],
	[ 'for itself', "ALTER ROLE ann SET lyftron.allowed_hosts = '127.0.0.1';\n" ])
{
	my ($claim, $sql, %more) = @$early;
	my ($out, $err) = session('ann', $sql . $read, %more);
	like($err, qr/42501: connection to host|permission denied to set parameter/, "nor $claim");
	is($out, '', "nor $claim: nothing is read");
}
like((session('ann', $read))[1], qr/42501: connection to host/, 'and nothing has stayed of it');
$node->safe_psql('postgres', 'GRANT SET ON PARAMETER lyftron.allowed_hosts TO ann');
is((session('ann', "SET lyftron.allowed_hosts = '127.0.0.1';\n$read"))[0], '1', 'unless it is granted');
$node->safe_psql('postgres', 'REVOKE SET ON PARAMETER lyftron.allowed_hosts FROM ann');
$node->safe_psql('postgres', "ALTER ROLE ann SET lyftron.allowed_hosts = '127.0.0.1'");
is((session('ann', $read))[0], '1', 'an administrator sets it for a role');
like((session('bob', $read))[1], qr/42501/, 'which is no other role');
$node->safe_psql('postgres', 'ALTER ROLE ann RESET lyftron.allowed_hosts');
$node->safe_psql('postgres', "ALTER DATABASE postgres SET lyftron.allowed_hosts = '127.0.0.1'");
is((session('bob', $read))[0], '1', 'or for a database');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET lyftron.allowed_hosts');

# --- an open connection, another role ---

# By a name, which says nothing about the address, and by the address itself
for my $host ('localhost', '127.0.0.1')
{
	point_to("http://$host:$port");
	$before = counters($port);
	my ($out, $err) = session($root, "${read}${read}SET ROLE ann;\n${read}RESET ROLE;\n${read}");
	my $after = counters($port);
	is($out, "1\n1\n1", "$host: a superuser, before and after");
	is(() = $err =~ /ERROR:  42501: connection to host "\Q$host\E".* is not allowed/g, 1, "$host: a role does not go on over a superuser's connection");
	is($after->{requests} - $before->{requests}, 4, "$host: nor did its request get there");
	cmp_ok($after->{connections} - $before->{connections}, '<', 4, "$host: the superuser's requests went over the same connection");
}
{
	point_to("http://localhost:$port");
	my ($out, $err) = session($root, "SET lyftron.allowed_hosts = '127.0.0.0/8, ::1';\n${read}SET lyftron.allowed_hosts = '10.0.0.0/8';\n${read}");
	is($out, '1', 'by a name, before the list is another');
	like($err, qr/42501: connection to host "localhost" at address/, 'an open connection by a name does not go past a list that is changed');
	point_to($url);
	($out, $err) = session($root, "SET lyftron.allowed_hosts = '127.0.0.1';\n${read}SET lyftron.allowed_hosts = '10.0.0.0/8';\n${read}");
	is($out, '1', 'before the list is another');
	like($err, qr/42501: .*\nDETAIL:  .*does not name it/, 'an open connection does not go past a list that is changed');
}

# --- pipelines: the owner ---

{
	$node->safe_psql('postgres', qq{
		SET ROLE ann;
		CREATE FOREIGN TABLE ann.answer (id bigint, connection bigint) SERVER api OPTIONS (stream 'answer');
		SELECT lyftron.create_pipeline('answer', source => 'ann.answer', destination => 'ann.loaded');});
	my ($out, $err) = session($root, "${read}CALL lyftron.run('answer')");
	is($out, '1', 'a superuser reads');
	like($err, qr/42501: connection to host "127\.0\.0\.1" is not allowed/, "but runs another one's pipeline with what its owner may");
	is($node->safe_psql('postgres', "SELECT state, sqlstate FROM lyftron.jobs WHERE pipeline = 'answer'"), 'failed|42501', 'and the job says it');
	is((session($root, "SET lyftron.allowed_hosts = '127.0.0.1';\nCALL lyftron.run('answer');\nSELECT count(*) FROM ann.loaded"))[0], '1', 'where it is allowed the run succeeds');
}

# --- token endpoints, which a background worker asks ---

{
	my $manifest = <<"YAML";
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [s]}
streams:
  - type: DeclarativeStream
    name: s
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: "http://127.0.0.1:$port"
        path: echo
        authenticator:
          type: OAuthAuthenticator
          token_refresh_endpoint: "http://127.0.0.1:$other/echo"
          client_id: c
          client_secret: s
          refresh_token: "{{ config['credentials']['refresh_token'] }}"
          refresh_token_updater: {}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {}}}
spec: {type: Spec, connection_specification: {type: object, properties: {}}}
YAML
	$node->safe_psql('postgres', qq{
		DO \$do\$ BEGIN PERFORM lyftron.add_connector('oauth', \$m\$$manifest\$m\$); END \$do\$;
		CREATE SERVER oauth FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'oauth');
		CREATE USER MAPPING FOR ann SERVER oauth OPTIONS (secrets '{"credentials": {"refresh_token": "hunter2-refresh", "access_token": "", "token_expiry_date": ""}}');
		GRANT USAGE ON FOREIGN SERVER oauth TO ann;
		ALTER ROLE ann SET lyftron.allowed_hosts = '127.0.0.1:$port';});
	$before = counters($other)->{connections};
	my ($out, $err) = session('ann', "SELECT * FROM lyftron.read('oauth', 's')");
	like($err, qr/42501: connection to host "127\.0\.0\.1" is not allowed/, "a token endpoint that the role's list does not name is refused, though a worker asks it");
	is(counters($other)->{connections} - $before, 1, 'nothing came there');
	$node->safe_psql('postgres', "ALTER ROLE ann SET lyftron.allowed_hosts = '127.0.0.1'");
	$before = counters($other)->{connections};
	($out, $err) = session('ann', "SELECT * FROM lyftron.read('oauth', 's')");
	unlike($err, qr/not allowed/, 'one that it names is asked');
	cmp_ok(counters($other)->{connections} - $before, '>', 1, 'and was');
	$node->safe_psql('postgres', 'ALTER ROLE ann RESET lyftron.allowed_hosts');
}

# --- where a server's answer leads ---

sub answers
{
	my (%answers) = @_;
	LyftronTest::http('POST', $api, '/admin/answers', $json->encode(\%answers));
	return;
}

sub manifest
{
	my ($path, $more) = @_;
	return <<"YAML";
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [s]}
definitions:
  requester: {type: HttpRequester, url_base: "{{ config['url'] }}", path: $path, authenticator: {type: BearerAuthenticator, api_token: hunter2-secret}}
streams:
  - type: DeclarativeStream
    name: s
    retriever:
      type: SimpleRetriever
      requester: {\$ref: "#/definitions/requester"}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [items]}}
      paginator: {type: DefaultPaginator, page_token_option: {type: RequestPath},
        pagination_strategy: {type: CursorPagination, cursor_value: "{{ response['next'] }}"}}
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {}}}
@{[ $more // '' ]}
spec: {type: Spec, connection_specification: {type: object, properties: {}}}
YAML
}

sub follow
{
	my ($manifest, $stream) = @_;
	my ($out, $err) = session($root, "SET client_min_messages = warning;\nDROP SERVER IF EXISTS links;\n"
		. "DO \$do\$ BEGIN PERFORM lyftron.add_connector('links', \$m\$$manifest\$m\$); END \$do\$;\n"
		. "CREATE SERVER links FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'links', config '{\"url\": \"http://127.0.0.1:$api\"}');\n"
		. "SELECT record->>'id' FROM lyftron.read('links', '$stream') WHERE record IS NOT NULL");
	return ($out, $err);
}

$before = requests($other);
for my $case ([ 'a next page at another port', "http://127.0.0.1:$other/echo", "http://127.0.0.1:$other" ], [ 'at another host', "http://localhost:$api/items", "http://localhost:$api" ],
	[ 'without a scheme', "//127.0.0.1:$other/echo", "http://127.0.0.1:$other" ], [ 'by https at another port', "https://127.0.0.1:$other/", "https://127.0.0.1:$other" ],
	[ 'with a user', "http://127.0.0.1:$api\@127.0.0.1:$other/", "http://127.0.0.1:$other" ], [ 'after spaces', "  http://127.0.0.1:$other/", "http://127.0.0.1:$other" ])
{
	my ($claim, $next, $said) = @$case;
	answers('GET /items' => [ { items => [ { id => 1 } ], next => $next } ]);
	my ($out, $err) = follow(manifest('items'), 's');
	like($err, qr{ERROR:  08P01: the source leads to another host, \Q$said\E instead of http://127\.0\.0\.1:$api\n}, "$claim: refused");
	like($err, qr/HINT:  If that host belongs to the source, name it in the connector's manifest/, "$claim: says what to do");
}
is(requests($other) - $before, 1, 'no credentials came there');

answers('GET /items' => [ { items => [ { id => 1 } ], next => "http://127.0.0.1:$api/more" } ], 'GET /more' => [ { items => [ { id => 2 } ], next => '/last' } ],
	'GET /last' => [ { items => [ { id => 3 } ] } ]);
is((follow(manifest('items'), 's'))[0], "1\n2\n3", 'an absolute link to the same host, and a path, are followed');

my $named = <<"YAML";
  - type: DeclarativeStream
    name: elsewhere
    retriever:
      type: SimpleRetriever
      requester: {type: HttpRequester, url_base: "http://127.0.0.1:$other", path: echo}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {}}}
YAML
answers('GET /items' => [ { items => [ { id => 1 } ], next => "http://127.0.0.1:$other/flaky?fail=0" } ]);
{
	my ($out, $err) = follow(manifest('items', $named), 's');
	is($out . $err, '1', 'a link to a host that the manifest names is followed');
}

# A record of a parent stream that becomes a URL.
my $child = <<"YAML";
  - type: DeclarativeStream
    name: child
    retriever:
      type: SimpleRetriever
      requester: {type: HttpRequester, url_base: "{{ stream_partition['link'] }}", authenticator: {type: BearerAuthenticator, api_token: hunter2-secret}}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [items]}}
      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs:
          - type: ParentStreamConfig
            parent_key: link
            partition_field: link
            stream: "#/streams/0"
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {}}}
YAML
answers('GET /items' => [ { items => [ { id => 1, link => "http://127.0.0.1:$api/more" } ] } ], 'GET /more' => [ { items => [ { id => 2 } ] } ]);
is((follow(manifest('items', $child), 'child'))[0], '2', "a parent's link to a host that the manifest names");
answers('GET /items' => [ { items => [ { id => 1, link => "http://127.0.0.1:$other/echo" } ] } ]);
like((follow(manifest('items', $child), 'child'))[1], qr{ERROR:  08P01: the source leads to a host that the manifest does not name, http://127\.0\.0\.1:$other}, 'and to one that it does not');
is(requests($other) - $before, 3, "of all these one request came there, beside the test's own");

done_testing();
