
# Who asks proves it: OAuth in all its ways, logins, signed tokens. A refresh token that can be used
# once is never used twice and never lost: not by rollback, cancel, kill, concurrency or shutdown.
# What services give out at run time is nowhere to be seen.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $json = JSON::PP->new->canonical->allow_nonref;
my $keys = PostgreSQL::Test::Utils::tempdir();
my %private;

# Keys of all kinds: the private ones go into configurations, the server verifies with the public ones.
for my $k ([ 'rsa', 'RSA', 'rsa_keygen_bits:2048' ], [ 'ec256', 'EC', 'ec_paramgen_curve:P-256' ], [ 'ec384', 'EC', 'ec_paramgen_curve:P-384' ],
	[ 'ec521', 'EC', 'ec_paramgen_curve:P-521' ], [ 'k256', 'EC', 'ec_paramgen_curve:secp256k1' ], [ 'ed', 'ED25519' ])
{
	my ($name, $algorithm, $option) = @$k;
	system_or_bail('openssl', 'genpkey', '-quiet', '-algorithm', $algorithm, ($option ? ('-pkeyopt', $option) : ()), '-out', "$keys/$name.key");
	system_or_bail('openssl', 'pkey', '-in', "$keys/$name.key", '-pubout', '-out', "$keys/$name.pem");
	$private{$name} = slurp_file("$keys/$name.key");
}
system_or_bail('openssl', 'pkcs8', '-topk8', '-in', "$keys/rsa.key", '-out', "$keys/locked.key", '-passout', 'pass:open-sesame-97');
$private{locked} = slurp_file("$keys/locked.key");

my $node = new_node('main', qq{
log_min_messages = debug5
log_statement = none
max_prepared_transactions = 0
wal_level = replica
max_wal_senders = 5
hot_standby = on
restart_after_crash = on
lyftron.allowed_hosts = '127.0.0.1'
});
my $port = start_server('oauth_api.py', '--keys', $keys);
my $url = "http://127.0.0.1:$port";

sub admin { return $json->decode(LyftronTest::http('POST', $port, "/admin/$_[0]")); }
sub state { return $json->decode(LyftronTest::http('GET', $port, '/admin/state')); }
sub counted { return state()->{counts}{ $_[0] } // 0; }
sub quote { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }

# --- a manifest with a stream for each way ---

my $oauth = q(type: OAuthAuthenticator, token_refresh_endpoint: "{{ config['base_url'] }}/oauth/token");
my $client = q(client_id: "{{ config['client_id'] }}", client_secret: "{{ config['client_secret'] }}");
my $again = q(refresh_token: "{{ config['refresh_token'] }}");
my $once = q(refresh_token_updater: {refresh_token_config_path: [oauth, refresh], access_token_config_path: [oauth, access],
  token_expiry_date_config_path: [oauth, expires]});
my $login = q(login_requester: {type: HttpRequester, url_base: "{{ config['base_url'] }}", path: login, http_method: POST,
  request_body_json: {username: u, password: "{{ config['password'] }}"}}, session_token_path: [data, sessions, "0", key]);
my $refreshing = q(error_handler: {type: DefaultErrorHandler, backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: 0.01}],
  response_filters: [{type: HttpResponseFilter, http_codes: [401], action: REFRESH_TOKEN_THEN_RETRY}]});
my $legacy = q(type: LegacySessionTokenAuthenticator, header: X-Session, login_url: /login, validate_session_url: /whoami, session_token_response_key: id);
my $claims = q(jwt_payload: {iss: "{{ config['client_id'] }}", sub: someone, aud: api}, additional_jwt_payload: {level: "{{ 3 + 4 }}"},
  jwt_headers: {kid: key-1, typ: JWT}, additional_jwt_headers: {x5: "y"});
my $key = sub { return qq("{{ json_loads(config['keys'])['$_[0]'] }}"); };
my $assertion = q(use_profile_assertion: true, profile_assertion: {type: JwtAuthenticator, algorithm: RS256, token_duration: 60,
  jwt_payload: {iss: me, aud: "{{ config['base_url'] }}"}, secret_key: ) . $key->('rsa') . '}';

my $pages = 'paginator: {type: DefaultPaginator, page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}, '
  . 'pagination_strategy: {type: PageIncrement, start_from_page: 1, page_size: 1, inject_on_first_request: true}}';

# name => path, authenticator, more of the requester, more of the retriever
my %streams = (
	refreshed => [ 'api/refreshed', "$oauth, $client, $again" ],
	credentials => [ 'api/credentials', "$oauth, $client, grant_type: client_credentials, scopes: [a, 'b c'], refresh_request_body: {more: \"{{ 1 + 1 }}\", client_id: hidden}" ],
	in_header => [ 'api/in_header', "$oauth, $client, grant_type: client_credentials, refresh_request_headers: {X-Extra: 'e',"
		  . q(Authorization: "Basic {{ (config['client_id'] ~ ':' ~ config['client_secret']) | base64encode }}"}) ],
	as_query => [ 'api/as_query', "$oauth, $client, grant_type: client_credentials, send_refresh_request_as_query_params: true" ],
	renamed => [ 'api/renamed', 'type: OAuthAuthenticator, token_refresh_endpoint: "{{ config[\'base_url\'] }}/oauth/token/renamed", '
		  . "$client, $again, grant_type_name: grantType, client_id_name: clientId, client_secret_name: clientSecret, "
		  . 'refresh_token_name: token, access_token_name: accessToken, expires_in_name: validFor' ],
	dated => [ 'api/dated', 'type: OAuthAuthenticator, token_refresh_endpoint: "{{ config[\'base_url\'] }}/oauth/token/dated", '
		  . "$client, $again, expires_in_name: expires_at, token_expiry_date_format: '%Y-%m-%dT%H:%M:%SZ'" ],
	plain => [ 'api/plain', 'type: OAuthAuthenticator, token_refresh_endpoint: "{{ config[\'base_url\'] }}/oauth/token/plain", ' . "$client, $again" ],
	assertion => [ 'api/assertion', "$oauth, $assertion" ],
	value_only => [ 'session/value', q(type: OAuthAuthenticator, access_token_value: "{{ config['value'] }}") ],
	given => [ 'session/given', "$oauth, $client, $again, " . q(access_token_value: "{{ config['value'] }}", token_expiry_date: "2999-01-01") ],
	given_expired => [ 'api/given', "$oauth, $client, $again, " . q(access_token_value: "{{ config['value'] }}") ],
	retried => [ 'api/retried', "$oauth, $client, $again", $refreshing ],
	bad_secret => [ 'api/bad', "$oauth, client_id: client-1, client_secret: \"{{ config['password'] }}\", $again" ],
	bad_token => [ 'api/bad', "$oauth, $client, refresh_token: \"{{ config['password'] }}\"" ],
	bad_answer => [ 'api/bad', "$oauth, $client, $again, access_token_name: nothing" ],
	bad_expiry => [ 'api/bad', "$oauth, $client, $again, expires_in_name: token_type" ],
	once => [ 'api/once', "$oauth, $client, $once" ],
	once_retried => [ 'api/once_retried', "$oauth, $client, $once", $refreshing ],
	session => [ 'session/bearer', "type: SessionTokenAuthenticator, $login, expiration_duration: PT1H, request_authentication: {type: Bearer}" ],
	session_each => [ 'session/each', "type: SessionTokenAuthenticator, $login, request_authentication: {type: ApiKey, "
		  . 'inject_into: {type: RequestOption, inject_into: header, field_name: Authorization}, api_token: "Token {{ session_token }}"}' ],
	session_query => [ 'session/query', "type: SessionTokenAuthenticator, $login, expiration_duration: PT1H, request_authentication: {type: ApiKey, "
		  . 'inject_into: {type: RequestOption, inject_into: request_parameter, field_name: sid}}' ],
	session_lost => [ 'session/lost', 'type: SessionTokenAuthenticator, ' . ($login =~ s/\[data.*?\]/[nowhere]/r) . ', request_authentication: {type: Bearer}' ],
	legacy => [ 'session/legacy', "$legacy, username: u, password: \"{{ config['password'] }}\"" ],
	legacy_given => [ 'session/legacy_given', "$legacy, session_token: \"{{ config['value'] }}\", username: u, password: \"{{ config['password'] }}\"" ],
	legacy_none => [ 'session/legacy_none', "$legacy, session_token: \"{{ config['value'] }}\"" ],
	hs256 => [ 'jwt/a', qq(type: JwtAuthenticator, algorithm: HS256, header_prefix: Bearer, secret_key: "{{ config['hmac'] }}", $claims) ],
	hs512_encoded => [ 'jwt/a', q(type: JwtAuthenticator, algorithm: HS512, base64_encode_secret_key: true, secret_key: "{{ config['hmac'] }}", jwt_headers: {typ: ""}) ],
	locked => [ 'jwt/a', 'type: JwtAuthenticator, algorithm: RS512, passphrase: "open-sesame-97", secret_key: ' . $key->('locked') ],
	locked_wrong => [ 'jwt/a', 'type: JwtAuthenticator, algorithm: RS512, passphrase: "open-nothing", secret_key: ' . $key->('locked') ],
	locked_shut => [ 'jwt/a', 'type: JwtAuthenticator, algorithm: RS512, secret_key: ' . $key->('locked') ],
	kind_wrong => [ 'jwt/a', 'type: JwtAuthenticator, algorithm: ES256, secret_key: ' . $key->('ec384') ],
	no_key => [ 'jwt/a', q(type: JwtAuthenticator, algorithm: RS256, secret_key: "{{ config['hmac'] }}") ],
	no_json => [ 'jwt/a', q(type: JwtAuthenticator, algorithm: HS256, secret_key: "{{ json_loads(config['hmac']) }}") ],
	reserved => [ 'jwt/a', q(type: JwtAuthenticator, algorithm: HS256, secret_key: "{{ config['hmac'] }}", additional_jwt_payload: {exp: 1}) ],
	jwt_query => [ 'jwt/a', q(type: JwtAuthenticator, algorithm: HS384, secret_key: "{{ config['hmac'] }}", header_prefix: null, )
		  . 'request_option: {type: RequestOption, inject_into: request_parameter, field_name: jwt}' ],
	paged_jwt => [ 'jwt/paged', 'type: JwtAuthenticator, algorithm: ES256, secret_key: ' . $key->('ec256'), undef, $pages ],
	paged_each => [ 'session/paged', "type: SessionTokenAuthenticator, $login, request_authentication: {type: Bearer}", undef, $pages ],
	paged_once => [ 'session/paged', "type: SessionTokenAuthenticator, $login, expiration_duration: PT1H, request_authentication: {type: Bearer}", undef, $pages ],
	map { lc $_->[0] => [ 'jwt/a', "type: JwtAuthenticator, algorithm: $_->[0], secret_key: " . $key->($_->[1]) ] }
	  [ 'RS256', 'rsa' ], [ 'RS384', 'rsa' ], [ 'PS256', 'rsa' ], [ 'PS512', 'rsa' ], [ 'ES256', 'ec256' ], [ 'ES384', 'ec384' ],
	  [ 'ES512', 'ec521' ], [ 'ES256K', 'k256' ], [ 'EdDSA', 'ed' ]);

my $manifest = <<'YAML' . join '', map {
version: 6.0.0
type: DeclarativeSource
concurrency_level: {type: ConcurrencyLevel, default_concurrency: 4}
check: {type: CheckStream, stream_names: [refreshed]}
spec: {type: Spec, connection_specification: {type: object, additionalProperties: true, properties: {}}}
streams:
YAML
	my ($path, $auth, $more, $retriever) = @{ $streams{$_} };
	"  - {type: DeclarativeStream, name: $_, schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {id: {type: integer}, serial: {type: integer}}}}, "
	  . "retriever: {type: SimpleRetriever, record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [items]}}, "
	  . ($retriever ? "$retriever, " : '') . "requester: {type: HttpRequester, url_base: \"{{ config['base_url'] }}\", path: $path, authenticator: {$auth}" . ($more ? ", $more" : '') . "}}}\n"
} sort keys %streams;
is($node->safe_psql('postgres', "SELECT string_agg(stream || ': ' || reason, ', ') FROM lyftron.add_connector('auth', " . quote($manifest) . ') WHERE NOT ready'),
	'', 'each kind of authenticator is ready');

my %secrets = (client_id => 'client-1', client_secret => 'client-secret-7531', refresh_token => 'again-refresh-1122',
	password => 'login-password-8642', hmac => 'hmac-key-24680-hmac-key-24680-hmac-key', keys => $json->encode(\%private), value => 'value-of-my-own');

sub connect_sql
{
	my ($server, %more) = @_;
	return "CREATE SERVER $server FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'auth', config '{\"base_url\": \"$url\"}');\n" .
	  "CREATE USER MAPPING FOR CURRENT_USER SERVER $server OPTIONS (secrets " . quote($json->encode({ %secrets, %more })) . ");\n";
}

sub read_sql { return "SELECT count(*) FROM lyftron.read('$_[0]', '$_[1]') WHERE record IS NOT NULL;\n"; }

sub records
{
	my ($stream, $server) = @_;
	$server //= 'api';
	my $out = $node->safe_psql('postgres', "SELECT jsonb_agg(record) FROM lyftron.read('$server', '$stream') WHERE record IS NOT NULL");
	return @{ $json->decode($out || '[]') };
}

sub error_of
{
	my ($sql, @more) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=never' ], @more);
	return $err;
}

# --- tokens that the backend keeps ---

$node->safe_psql('postgres', connect_sql('api'));
for my $stream (qw(refreshed credentials in_header as_query renamed dated plain assertion given_expired))
{
	is(scalar(records($stream)), 2, "$stream: a token is given, and opens the API");
	my $last = state()->{last};
	my %sent = map { @$_ } @{ $last->{body} };
	if ($stream eq 'refreshed')
	{
		is_deeply(\%sent, { grant_type => 'refresh_token', client_id => 'client-1', client_secret => 'client-secret-7531', refresh_token => 'again-refresh-1122' },
			'the request is a form with grant type, client and refresh token');
		is($last->{type}, 'application/x-www-form-urlencoded', 'and says that it is one');
	}
	elsif ($stream eq 'credentials')
	{
		is_deeply([ map { "$_->[0]=$_->[1]" } @{ $last->{body} } ],
			[ 'grant_type=client_credentials', 'client_id=client-1', 'client_secret=client-secret-7531', 'scopes=a', 'scopes=b c', 'more=2' ],
			'client credentials: no refresh token; scopes and more of the manifest, but not over what is there');
	}
	elsif ($stream eq 'in_header')
	{
		is_deeply(\%sent, { grant_type => 'client_credentials' }, 'a client in the header is not in the form');
		is($last->{extra}, 'e', 'and the other headers are sent');
	}
	elsif ($stream eq 'as_query')
	{
		is_deeply({ map { @$_ } @{ $last->{query} } }, { grant_type => 'client_credentials', client_id => 'client-1', client_secret => 'client-secret-7531' },
			'as query parameters');
		is_deeply([ $last->{body}, $last->{length} // 0 ], [ [], 0 ], 'with an empty body');
	}
	elsif ($stream eq 'assertion')
	{
		is_deeply([ sort keys %sent ], [ 'assertion', 'grant_type' ], 'an assertion and its grant type, nothing else');
		is($last->{claims}{aud}, $url, 'with the claims of the manifest');
		is($last->{claims}{exp} - $last->{claims}{iat}, 60, 'and its duration');
	}
}
like(error_of(read_sql('api', 'value_only')), qr/failed with status 401/, 'a value without an endpoint is used as it is');
unlike(error_of(read_sql('api', 'value_only')), qr/value-of-my-own/, 'and not shown when it is refused');
my $tokens = counted('token');
error_of(read_sql('api', 'given'));
is(counted('token'), $tokens, 'a given token that has not expired is used without asking for another one');

# A token is asked for once in a backend: by statements, rescans, streams with the same authenticator.
sub tokens_of
{
	my ($sql, $what) = @_;
	my $before = counted($what // 'token');
	$node->safe_psql('postgres', $sql);
	return counted($what // 'token') - $before;
}
is(tokens_of(read_sql('api', 'refreshed') x 5), 1, 'five statements of a session: one token');
is(tokens_of(read_sql('api', 'refreshed') . read_sql('api', 'given_expired') . read_sql('api', 'retried')), 2, 'two authenticators that are the same share one');
$node->safe_psql('postgres', 'CREATE SCHEMA api; IMPORT FOREIGN SCHEMA "default" LIMIT TO (refreshed, session, once) FROM SERVER api INTO api');
my $loop = 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;
	SELECT count(r.id) FROM generate_series(1, 20) i LEFT JOIN LATERAL (SELECT * FROM api.%s r OFFSET 0) r ON r.id > i - 100;';
my $asked = counted('/api/refreshed');
is(tokens_of(sprintf $loop, 'refreshed'), 1, 'a nested loop: one token');
cmp_ok(counted('/api/refreshed') - $asked, '>=', 20, 'for each of its rescans');
is(tokens_of(sprintf($loop, 'session'), 'login'), 1, 'and one login');

admin('set?lifetime=1');
is(tokens_of(read_sql('api', 'refreshed') . "SELECT pg_sleep(1.1);\n" . read_sql('api', 'refreshed')), 2, 'a token that has expired is replaced');
admin('set?lifetime=3600');
is(tokens_of(read_sql('api', 'refreshed') . "ALTER USER MAPPING FOR CURRENT_USER SERVER api OPTIONS (SET secrets " .
	quote($json->encode({ %secrets, more => 1 })) . ");\n" . read_sql('api', 'refreshed')), 2, 'other secrets: another token');

# Refused at the first request, though it should be good.
sub revoke_between
{
	my ($stream) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query(read_sql('api', $stream));
	admin('revoke');
	my $out = $session->query(read_sql('api', $stream));
	$session->quit;
	return $out;
}
like(revoke_between('refreshed'), qr/^2$/m, 'a kept token that was revoked is replaced by itself');
like(revoke_between('session'), qr/^1$/m, 'so is a kept session token');
$tokens = counted('token');
my $refused = counted('refused /api/retried');
like(revoke_between('retried'), qr/^2$/m, 'REFRESH_TOKEN_THEN_RETRY');
is(counted('token') - $tokens, 2, 'has one token more');
is(counted('refused /api/retried') - $refused, 1, 'after one refusal');
admin('set?lifetime=-5');
$tokens = counted('token');
like(error_of(read_sql('api', 'retried')), qr/failed with status 401.*\nHINT:  .*A new access token is refused, too/s, 'a new token that is refused, too, is the end of it');
is(counted('token') - $tokens, 3, 'there is no second refresh for it');
admin('set?lifetime=3600');

# --- the token endpoint says no ---

$node->safe_psql('postgres', connect_sql('raw', oauth => { refresh => 'refresh-tok-0-given' }));

for my $case ([ 'bad_secret', qr/gives no access token, but status 401/, qr/invalid_client: unknown client with secret \*\*\*/, qr/HINT:  Check the secrets/ ],
	[ 'bad_token', qr/but status 400/, qr/invalid_grant: refresh token \*\*\* is not known/, qr/needs a new authorization/ ],
	[ 'bad_answer', qr/has no access token "nothing"/, qr/HINT:  .*access_token_name/ ],
	[ 'bad_expiry', qr/"token_type" in the answer of the token endpoint is no number of seconds/, qr/token_expiry_date_format/ ])
{
	my ($stream, @texts) = @$case;
	my $err = error_of(read_sql('api', $stream));
	like($err, $_, "$stream: says so") for qr/HV000/, @texts;
	unlike($err, qr/8642|-tok-|1122|7531/, "$stream: without secrets");
}
for my $case ([ 'a web page', '<html>-tok-</html>', qr/is no JSON/ ], [ 'nothing', '', qr/is no JSON/ ], [ 'broken JSON', '{"access_token": "x-tok-', qr/is no JSON/ ],
	[ 'a list', '[]', qr/has no access token "access_token"/ ], [ 'an empty token', '{"access_token": ""}', qr/has no access token/ ],
	[ 'nesting', ('{"a":' x 10) . '1' . ('}' x 10), qr/nested too deeply to find "access_token"/ ],
	[ 'a token with a line break', '{"access_token": "x-tok-\\n-tok-"}', qr/has no access token/ ],
	[ 'too much', '{"access_token": "' . ('x' x 3_000_000) . '"}', qr/response is too large/ ])
{
	my ($name, $answer, $text) = @$case;
	for my $stream (qw(refreshed once))
	{
		LyftronTest::http('POST', $port, '/admin/raw', $answer);
		my $err = error_of("SET lyftron.max_response_size = '1MB';\n" . read_sql($stream eq 'once' ? 'raw' : 'api', $stream));
		like($err, $text, "$name from the token endpoint ($stream)");
		unlike($err, qr/-tok-/, 'without secrets');
	}
}
admin('set?fail=2');
$tokens = counted('token');
is(scalar(records('refreshed')), 2, 'an endpoint that is down twice');
is(counted('token') - $tokens, 3, 'is asked three times');
admin('set?fail=9');
like(error_of("SET lyftron.max_retry_wait = 0;\n" . read_sql('api', 'refreshed')), qr/but status 503.*HINT:  The service has a problem of its own/s, 'one that stays down is an error');
admin('set?fail=0');

# --- logins ---

is((records('session'))[0]{how}, 'Bearer', 'a session token as bearer');
is((records('session_each'))[0]{how}, 'Token', 'in a header, by a template');
is((records('session_query'))[0]{how}, '', 'as a parameter');
is(tokens_of(read_sql('api', 'session') x 3, 'login'), 1, 'one login as long as it is good');
is(tokens_of(read_sql('api', 'session_each') x 3, 'login'), 3, 'without a duration one for each request');
SKIP:
{
	skip 'memory is not measured with ' . watched(), 1 if watched();
	my $reads = sub { return "DO \$\$ BEGIN FOR i IN 1 .. $_[0] LOOP PERFORM count(*) FROM lyftron.read('api', 'session_each'); END LOOP; END \$\$;\n"; };
	my $memory = "SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'RssAnon:\\s+(\\d+) kB');\n";
	my ($start, $stop) = split /\n/, $node->safe_psql('postgres', $reads->(100) . $memory . $reads->(400) . $memory);
	cmp_ok($stop - $start, '<', 1024, "400 logins more leave nothing in memory: $stop kB, before: $start kB");
}
like(error_of(read_sql('api', 'session_lost')), qr/the answer to the login has no session token/, 'an answer without a token');
is(scalar(records('legacy')), 1, 'legacy: user and password');
is(tokens_of(read_sql('api', 'legacy') x 3, 'login'), 1, 'one login in a day');
my $looked = counted('whoami');
is(scalar(records('legacy_given')), 1, 'legacy: a session token that is over, then user and password');
is(counted('whoami') - $looked, 1, 'it was checked');
like(error_of(read_sql('api', 'legacy_none')), qr/neither a session token that the service takes, nor user and password/, 'legacy: nothing that works');
my $wrong = quote($json->encode({ %secrets, password => 'wrong-password-1357' }));
like(error_of("BEGIN; ALTER USER MAPPING FOR CURRENT_USER SERVER api OPTIONS (SET secrets $wrong);\n" . read_sql('api', $_)),
	qr/status 403.*no login with \*\*\*/s, "$_: a wrong password is refused, and not shown") for qw(session legacy);

# --- signed tokens ---

for my $stream (qw(rs256 rs384 ps256 ps512 es256 es384 es512 es256k eddsa locked jwt_query))
{
	is(scalar(records($stream)), 1, "$stream: the signature is right");
}
{
	my ($r) = records('hs256');
	my $claims = $r->{claims};
	is_deeply($r->{header}, { alg => 'HS256', typ => 'JWT', kid => 'key-1', x5 => 'y' }, 'hs256: headers');
	is_deeply([ @$claims{qw(iss sub aud level)} ], [ 'client-1', 'someone', 'api', 7 ], 'hs256: claims');
	is($claims->{exp} - $claims->{iat}, 1200, 'hs256: 20 minutes, if nothing else is said');
	is($r->{scheme}, 'Bearer', 'hs256: behind its prefix');
	is_deeply((records('hs512_encoded'))[0]{header}, { alg => 'HS512', typ => 'JWT' }, 'hs512: with an encoded key');
}
# What is asked for ahead of time has its credentials, too: none is asked for twice.
for my $case ([ 'paged_jwt', '/jwt/paged', 0 ], [ 'paged_each', '/session/paged', 4 ], [ 'paged_once', '/session/paged', 1 ])
{
	my ($stream, $path, $logins) = @$case;
	my ($asked, $logged) = (counted($path), counted('login'));
	is($node->safe_psql('postgres', read_sql('api', $stream)), '3', "$stream: three pages");
	is(counted($path) - $asked, 4, "$stream: by four requests");
	is(counted('login') - $logged, $logins, "$stream: and $logins logins");
}
for my $case ([ 'locked_wrong', qr/cannot be signed with RS512: there is no private key.*HINT:  .*passphrase/s ], [ 'locked_shut', qr/there is no private key/ ],
	[ 'kind_wrong', qr/cannot be signed with ES256: the private key is of another kind/ ], [ 'no_key', qr/cannot be signed with RS256: there is no private key/ ],
	[ 'no_json', qr/invalid JSON/ ], [ 'reserved', qr/"exp" of a JSON Web Token is set as an additional one/ ])
{
	my $err = error_of(read_sql('api', $case->[0]));
	like($err, $case->[1], "$case->[0]: says so");
	unlike($err, qr/24680|PRIVATE|open-/, "$case->[0]: without the key");
}

# --- refresh tokens that can be used once ---

sub chain
{
	my ($server, %more) = @_;
	my $first = admin("chain?name=$server");
	$node->safe_psql('postgres', connect_sql($server, oauth => { refresh => $first }, %more));
	return $first;
}
sub exchanged { return counted("exchanged $_[0]"); }
sub unbroken { my ($server) = @_; return !grep { $_ eq $server } @{ state()->{broken} }; }

# In a session of its own each, so that nothing but the table keeps the token.
my $first = chain('one');
$node->safe_psql('postgres', read_sql('one', 'once')) for 1 .. 3;
is(exchanged('one'), 1, 'three sessions: one exchange, the access token is kept');
for (1 .. 4)
{
	admin('revoke');
	is($node->safe_psql('postgres', read_sql('one', 'once_retried')), '2', "renewal $_ of the chain");
}
is(exchanged('one'), 5, 'each token was exchanged once, one after the other');
ok(unbroken('one'), 'no token was used twice');
is($node->safe_psql('postgres', q{SELECT config ? 'oauth', (config #>> '{oauth,refresh}') LIKE 'refresh-tok-%', updated_at > now() - '1 min'::interval
	FROM lyftron.credential WHERE server_name = 'one'}), 't|t|t', 'a row has it');

# A rollback.
chain('two');
$node->safe_psql('postgres', "BEGIN;\n" . read_sql('two', 'once') . 'ROLLBACK');
is($node->safe_psql('postgres', read_sql('two', 'once')), '2', 'a rollback keeps the new token');
is(exchanged('two'), 1, 'and it is good still');
chain('three');
like(error_of("BEGIN; SELECT 1/(count(*) - 2) FROM lyftron.read('three', 'once') WHERE record IS NOT NULL; COMMIT;"), qr/division by zero/, 'an error after the exchange');
is($node->safe_psql('postgres', "BEGIN READ ONLY;\n" . read_sql('three', 'once') . 'COMMIT'), '2', 'does so, too; in a read-only transaction');
is(exchanged('three'), 1, 'one exchange');
chain('four');
is($node->safe_psql('postgres', "BEGIN TRANSACTION READ ONLY;\n" . read_sql('four', 'once') . 'COMMIT'), '2', 'a read-only transaction renews, since it is not it that writes');
$node->safe_psql('postgres', "ALTER DATABASE postgres SET default_transaction_read_only = on; ALTER DATABASE postgres SET synchronous_commit = off; ALTER DATABASE postgres SET lock_timeout = 1;");
chain_sql_in_rw('five');
$node->safe_psql('postgres', read_sql('five', 'once'));
is(exchanged('five'), 1, 'nor do settings of the database keep the worker from it');
$node->safe_psql('postgres', 'SET default_transaction_read_only = off; ALTER DATABASE postgres RESET ALL');

sub chain_sql_in_rw
{
	my ($server) = @_;
	my $token = admin("chain?name=$server");
	$node->safe_psql('postgres', 'SET default_transaction_read_only = off;' . connect_sql($server, oauth => { refresh => $token }));
	return;
}

# An old snapshot.
chain('six');
{
	my $old = $node->background_psql('postgres', on_error_stop => 0);
	$old->query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class;');
	$node->safe_psql('postgres', read_sql('six', 'once'));
	like($old->query(read_sql('six', 'once')), qr/^2$/m, 'a transaction with an older snapshot takes what others renewed');
	$old->quit;
	is(exchanged('six'), 1, 'and asks for nothing');
}

# The leader of a parallel query.
chain('leader');
{
	my $setup = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';
	my $query = 'SELECT count(o.id) FROM (SELECT i FROM numbers WHERE i % 5000 = 0) n LEFT JOIN LATERAL (SELECT * FROM leader.once OFFSET 0) o ON o.id + n.i > 0';
	$node->safe_psql('postgres', 'CREATE TABLE numbers AS SELECT i FROM generate_series(1, 10000) i; ANALYZE numbers;
		CREATE SCHEMA leader; IMPORT FOREIGN SCHEMA "default" LIMIT TO (once) FROM SERVER leader INTO leader');
	like($node->safe_psql('postgres', "$setup EXPLAIN $query"), qr/Gather.*Foreign Scan/s, 'a scan above a parallel one');
	is($node->safe_psql('postgres', "$setup $query"), '4', 'renews, too');
	is(exchanged('leader'), 1, 'once');
}

# A server that was not committed yet.
{
	my $token = admin('chain?name=seven');
	my $made = connect_sql('seven', oauth => { refresh => $token });
	is($node->safe_psql('postgres', "BEGIN;\n$made" . read_sql('seven', 'once') . 'ROLLBACK'), '2', 'a server of this very transaction');
	is($node->safe_psql('postgres', "BEGIN;\n$made" . read_sql('seven', 'once') . 'COMMIT'), '2', 'made again after its rollback, with the same token');
	is(exchanged('seven'), 1, 'one exchange: the token that was given goes on with its chain');
	ok(unbroken('seven'), 'it was not used twice');
}

# Renamed, dropped, given anew.
chain('eighth');
$node->safe_psql('postgres', read_sql('eighth', 'once') . 'ALTER SERVER eighth RENAME TO eight; ' . read_sql('eight', 'once'));
is($node->safe_psql('postgres', read_sql('eight', 'once')), '2', 'a server that was renamed');
is(exchanged('eighth'), 1, 'keeps its tokens');
$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER eight OPTIONS (SET secrets " .
	quote($json->encode({ %secrets, password => 'other', oauth => { refresh => admin('chain?name=nine') } })) . ');' . read_sql('eight', 'once'));
is(exchanged('nine'), 1, 'a new refresh token of the user wins');
{
	my ($row) = $node->safe_psql('postgres', q{SELECT m.umoptions[1] FROM pg_user_mappings m WHERE srvname = 'eight'}) =~ /secrets=(.*)/s;
	my $given = $json->decode($row);
	$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER eight OPTIONS (SET secrets " .
		quote($json->encode({ %$given, password => 'and another' })) . ');' . read_sql('eight', 'once'));
	is(exchanged('nine'), 1, 'another secret beside the same refresh token leaves its chain alone');
	ok(unbroken('nine'), 'no token was used twice');
}
{
	my $first = $json->encode({ %secrets, oauth => { refresh => admin('chain?name=kept') } });
	$node->safe_psql('postgres', 'ALTER USER MAPPING FOR CURRENT_USER SERVER eight OPTIONS (SET secrets ' . quote($first) . ');' . read_sql('eight', 'once'));
	my $second = $json->encode({ %secrets, oauth => { refresh => admin('chain?name=tried') } });
	$node->safe_psql('postgres', 'BEGIN; ALTER USER MAPPING FOR CURRENT_USER SERVER eight OPTIONS (SET secrets ' . quote($second) . ');' . read_sql('eight', 'once') . 'ROLLBACK');
	is(exchanged('tried'), 1, 'a new refresh token that is rolled back after its exchange');
	admin('revoke');
	is($node->safe_psql('postgres', read_sql('eight', 'once_retried')), '2', 'leaves the chain of the old one');
	is(exchanged('kept'), 2, 'as it was');
}
$node->safe_psql('postgres', q{DROP SERVER eight CASCADE; DROP SERVER seven CASCADE; UPDATE lyftron.credential SET updated_at = now() - '2 days'::interval});
chain('ten');
$node->safe_psql('postgres', read_sql('ten', 'once'));
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM lyftron.credential WHERE server_name IN ('seven', 'eight', 'eighth')}), 'what belonged to a server that is gone is removed by the next renewal');
is($node->safe_psql('postgres', q{SELECT count(*) FROM lyftron.credential WHERE server_name IN ('one', 'two')}), '2', 'what belongs to others is not');

# Concurrent sessions.
admin('set?hold=1');
chain('crowd');
{
	my @sessions = map { background_query($node, read_sql('crowd', 'once')) } 1 .. 5;
	wait_until(30, sub { state()->{waiting} >= 1 });
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 4 FROM pg_locks WHERE locktype = 'object' AND objsubid = 1 AND NOT granted}), 'four of five wait for the one that renews');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'lyftron token renewal'}), '1', 'which has the only worker');
	admin('set?hold=0');
	$_->{run}->finish for @sessions;
	is(join('', map { ${ $_->{out} } } @sessions), "2\n" x 5, 'all five read');
	is(join('', map { ${ $_->{err} } } @sessions), '', 'without an error');
	is(exchanged('crowd'), 1, 'by one exchange');
}

# Refused at the first request.
chain('stale');
$node->safe_psql('postgres', read_sql('stale', 'once_retried'));
admin('revoke');
my $before = counted('/api/once_retried');
is($node->safe_psql('postgres', read_sql('stale', 'once_retried')), '2', 'an access token that was revoked is renewed');
is(exchanged('stale'), 2, 'once');
is(counted('/api/once_retried') - $before, 2, 'and the request repeated');
{
	my @sessions = map { my $s = $node->background_psql('postgres', on_error_stop => 0); $s->query(read_sql('stale', 'once_retried')); $s } 1 .. 3;
	admin('revoke');
	is(join(',', map { $_->query(read_sql('stale', 'once_retried')) =~ /^(\d)$/m ? $1 : '?' } @sessions), '2,2,2', 'three sessions whose token was revoked');
	is(exchanged('stale'), 3, 'need one exchange');
	$_->quit for @sessions;
}

# A cancel, the end of a backend, a lost connection while the answer is on its way.
for my $how ('pg_cancel_backend', 'pg_terminate_backend')
{
	my $server = $how =~ s/^pg_//r;
	chain($server);
	admin('set?hold=1');
	my $session = background_query($node, read_sql($server, 'once'));
	wait_until(30, sub { state()->{waiting} >= 1 });
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query LIKE '%''$server''%' AND backend_type = 'client backend' AND pid <> pg_backend_pid()");
	$node->safe_psql('postgres', "SELECT $how($pid)");
	eval { $session->{run}->finish };
	like(${ $session->{err} }, qr/cancel|terminat/, "$how: the statement ends while the token endpoint has not answered");
	my $next = background_query($node, read_sql($server, 'once'));
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'object' AND objsubid = 2 AND NOT granted}), "$how: the next one waits for it");
	admin('set?hold=0');
	$next->{run}->finish;
	is(${ $next->{out} }, "2\n", "$how: and reads with the token that came");
	is(exchanged($server), 1, "$how: one exchange");
	ok(unbroken($server), "$how: no token was used twice");
}

# kill -9 right after the exchange, when the access token is used for the first time.
chain('killed');
admin('set?hold_api=1');
{
	my $session = background_query($node, read_sql('killed', 'once'));
	wait_until(30, sub { state()->{waiting} >= 1 });
	my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query LIKE '%''killed''%' AND pid <> pg_backend_pid()");
	kill 'KILL', $pid;
	eval { $session->{run}->finish };
	admin('set?hold_api=0');
	$node->poll_query_until('postgres', 'SELECT true');
	is($node->safe_psql('postgres', read_sql('killed', 'once')), '2', 'kill -9 at the first use of the new token: it was committed before');
	is(exchanged('killed'), 1, 'one exchange');
}

# The worker is killed: nothing is left behind, and the error says so.
chain('worker');
admin('set?hold=1');
{
	my $session = background_query($node, read_sql('worker', 'once'));
	wait_until(30, sub { state()->{waiting} >= 1 });
	my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'lyftron token renewal'});
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	sleep 0.5;
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"), '1', 'a worker whose request is on its way does not end before its commit');
	admin('set?hold=0');
	eval { $session->{run}->finish };
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'but after it');
	is($node->safe_psql('postgres', read_sql('worker', 'once')), '2', 'its token is there');
	is(exchanged('worker'), 1, 'by one exchange');
}

# A connection that is cut after the exchange: that token is lost, and the error is clear.
chain('cut');
admin('set?silent=1');
like(error_of(read_sql('cut', 'once')), qr/but status 400.*invalid_grant: refresh token \*\*\* was used before.*a new authorization/s,
	'a service that exchanges the token and never says for what');

# The table is locked for long, by this very transaction, too: the token is not used.
chain('locked');
like(error_of("BEGIN; LOCK TABLE lyftron.credential;\n" . read_sql('locked', 'once') . 'ROLLBACK;'), qr/55P03: .*lock timeout\nDETAIL:  The refresh token has not been used/, 'a table that cannot be written is found before the request');
is(exchanged('locked'), 0, 'so the token is not used');

# Another database knows nothing of it.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION lyftron; SELECT count(*) FROM lyftron.add_connector(\'auth\', ' . quote($manifest) . ');');
{
	my $token = admin('chain?name=elsewhere');
	is($node->safe_psql('other', connect_sql('one', oauth => { refresh => $token }) . read_sql('one', 'once')), '2', 'a server of the same name in another database');
	is($node->safe_psql('other', 'SELECT count(*) FROM lyftron.credential'), '1', 'has its own row');
	is(exchanged('elsewhere'), 1, 'and chain');
}

# Dump and restore.
{
	my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
	command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
	$node->safe_psql('postgres', 'CREATE DATABASE restored');
	command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restore');
	my $was = exchanged('two');
	is($node->safe_psql('restored', read_sql('two', 'once_retried')), '2', 'in the restored database the chain goes on');
	is(exchanged('two'), $was + 1, 'where it was');
	ok(unbroken('two'), 'no token was used twice');
	$node->safe_psql('postgres', 'DROP DATABASE restored');
}

# Other roles, and a mapping for all.
$node->safe_psql('postgres', q{CREATE ROLE bob LOGIN; GRANT USAGE ON FOREIGN SERVER one TO bob});
{
	my $bob = $node->connstr('postgres') . ' user=bob';
	like(error_of('SELECT * FROM lyftron.credential', connstr => $bob), qr/42501: permission denied/, 'another role does not see the table');
	$node->safe_psql('postgres', 'CREATE USER MAPPING FOR PUBLIC SERVER one OPTIONS (secrets ' . quote($json->encode({ %secrets, oauth => { refresh => admin('chain?name=public') } })) . ')');
	my $one = exchanged('one');
	my ($ret, $out) = $node->psql('postgres', read_sql('one', 'once'), connstr => $bob);
	is($out, '2', 'an unprivileged role renews');
	is(exchanged('public'), 1, 'with the mapping that is its own');
	is(exchanged('one'), $one, 'not with that of another');

	# The settings of a role bind the worker, too.
	$node->safe_psql('postgres', "ALTER ROLE bob SET lyftron.allowed_hosts = '192.0.2.1'; ALTER USER MAPPING FOR PUBLIC SERVER one OPTIONS (SET secrets " .
		quote($json->encode({ %secrets, oauth => { refresh => admin('chain?name=bound') } })) . ')');
	like(error_of(read_sql('one', 'once'), connstr => $bob), qr/lyftron\.allowed_hosts/, 'a role that may not go to the token endpoint');
	is(exchanged('bound'), 0, 'does not do so by a worker');
}

# A standby reads with what the primary renewed, and renews nothing.
{
	$node->backup('copy');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$node->safe_psql('postgres', read_sql('three', 'once_retried'));
	$standby->init_from_backup($node, 'copy', has_streaming => 1);
	$standby->start;
	$node->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', read_sql('three', 'once')), '2', 'a standby reads with the token of the primary');
	admin('revoke');
	my ($ret, $out, $err) = $standby->psql('postgres', read_sql('three', 'once_retried'));
	like($err, qr/cannot be renewed on a standby.*HINT:  Read on the primary/s, 'it says that it cannot renew it');
	ok(unbroken('three'), 'and does not use it');
	is($standby->safe_psql('postgres', read_sql('api', 'refreshed')), '2', 'where nothing must be kept a standby gets its own token');
	$standby->stop;
}

# A shutdown while the answer is on its way waits for it.
chain('shutdown');
admin('set?hold=1');
{
	my $session = background_query($node, read_sql('shutdown', 'once'));
	wait_until(30, sub { state()->{waiting} >= 1 });
	my $stop = IPC::Run::start([ 'pg_ctl', '-D', $node->data_dir, '-m', 'fast', '-w', 'stop' ], '>', \my $said, '2>', \my $complained);
	sleep 1;
	admin('set?hold=0');
	$stop->finish;
	eval { $session->{run}->finish };
	$node->_update_pid(0);
	$node->append_conf('postgresql.conf', "max_worker_processes = 1\nlog_min_messages = debug5\n");
	$node->start;
	is($node->safe_psql('postgres', read_sql('shutdown', 'once')), '2', 'a fast shutdown during the exchange loses nothing');
	is(exchanged('shutdown'), 1, 'one exchange');
}

# No slot for a worker (the launcher of logical replication has the only one).
chain('slotless');
{
	my $err = error_of(read_sql('slotless', 'once'));
	like($err, qr/53000: no background worker is free to renew the access token for server "slotless"/, 'no slot for a worker is an error');
	like($err, qr/DETAIL:  The refresh token has not been used\.\nHINT:  .*max_worker_processes/, 'that says what to do');
	is(exchanged('slotless'), 0, 'the token is not used');
	is($node->safe_psql('postgres', read_sql('api', 'refreshed')), '2', 'what needs no worker goes on');
	$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
	$node->restart;
	is($node->safe_psql('postgres', read_sql('slotless', 'once')), '2', 'with a slot it is renewed');
}

# --- nothing of it is to be seen ---

my $explain = $node->safe_psql('postgres', 'EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM api.refreshed; EXPLAIN VERBOSE SELECT * FROM api.session');
unlike($explain, qr/-tok-/, 'EXPLAIN shows no token');
my $log = slurp_file($node->logfile);
like($log, qr/DEBUG:/, 'the log has all there is to log');
unlike($log, qr/(access|refresh|session)-tok-\d+-[0-9a-f]{16}/, 'but no token that a service gave');
unlike($log, qr/eyJ[A-Za-z0-9_-]+\.eyJ/, 'nor one that was signed');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE query ~ '-tok-' AND pid <> pg_backend_pid()}), '0', 'nor has pg_stat_activity');

done_testing();
