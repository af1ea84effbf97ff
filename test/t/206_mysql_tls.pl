
# lyftron_mysql with TLS: each mode verifies what it says, results and cancels are as without it, and a server's
# certificate that is good for another host is refused before any password is sent.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use IO::Socket::INET;
use LyftronMysql;
use LyftronTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('main', undef, '--encoding=UTF8');
my $dir = PostgreSQL::Test::Utils::tempdir();

# an authority, and certificates by it for a host's name or address
sub run { system(@_) == 0 or die "@_"; return; }
run("cd $dir && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=authority 2>/dev/null
	openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 30 -subj /CN=stranger 2>/dev/null");
for my $host ('localhost', 'elsewhere.example')
{
	run("cd $dir && openssl req -newkey rsa:2048 -nodes -keyout $host.key -out $host.csr -subj /CN=$host 2>/dev/null
		echo subjectAltName=DNS:$host >ext
		openssl x509 -req -in $host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $host.pem -days 30 -extfile ext 2>/dev/null");
}

sub server_for
{
	my ($host, @more) = @_;
	my $mysql = LyftronMysql->new(options => [ "--ssl-ca=$dir/ca.pem", "--ssl-cert=$dir/$host.pem", "--ssl-key=$dir/$host.key", @more ]);
	$mysql->sql(q{
		CREATE TABLE t (id int PRIMARY KEY, txt varchar(200));
		INSERT INTO t SELECT seq, repeat(char(65 + seq % 26), 100) FROM seq_1_to_100000;
		CREATE VIEW slow AS SELECT SLEEP(8) AS s;
		CREATE VIEW how AS SELECT variable_value AS cipher FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher';});
	return $mysql;
}

my $mysql = server_for('localhost');
my $named = server_for('elsewhere.example');
my $plain = LyftronMysql->new;
$plain->sql(q{CREATE VIEW how AS SELECT variable_value AS cipher FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'});

my $servers = 0;
sub server
{
	my ($mysql, $options) = @_;
	my $name = 's' . ++$servers;
	$options = "host 'localhost', port '" . $mysql->port . "', $options" unless $options =~ /host/;
	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_mysql OPTIONS (database 'shop', $options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (username 'ann', password 'secret');
		CREATE FOREIGN TABLE how_$name (cipher text) SERVER $name OPTIONS ("table" 'how');});
	return $name;
}

# what a session with these options uses
sub cipher
{
	my ($mysql, $options) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', 'SELECT cipher FROM how_' . server($mysql, $options), stdout => \$out, stderr => \$err,
		on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:  (\w{5}: .*)/ ? $1 : $out;
}

my $ca = "tls_ca '$dir/ca.pem'";
is(cipher($mysql, "tls 'disable'"), '', 'disable: none');
like(cipher($mysql, "tls 'prefer'"), qr/^TLS_/, 'prefer: where it is there');
is(cipher($plain, "tls 'prefer'"), '', 'not where it is not');
like(cipher($mysql, "tls 'require'"), qr/^TLS_/, 'require');
like(cipher($plain, "tls 'require'"), qr/^08001: the server does not offer TLS/, 'a server without');
like(cipher($mysql, "tls 'verify-ca', $ca"), qr/^TLS_/, 'verify-ca');
like(cipher($named, "tls 'verify-ca', $ca"), qr/^TLS_/, 'whatever the name');
like(cipher($mysql, "tls 'verify-ca', tls_ca '$dir/other.pem'"), qr/^08001: .*certificate/, 'another authority');
like(cipher($plain, "tls 'verify-ca', $ca"), qr/^08001: /, 'a server without');
like(cipher($mysql, "tls 'verify-full', $ca"), qr/^TLS_/, 'verify-full');
like(cipher($named, "tls 'verify-full', $ca"), qr/^08001: /, 'another name');
like(cipher($mysql, "host '127.0.0.1', port '" . $mysql->port . "', tls 'verify-full', $ca"), qr/^08001: /, 'an address that is not in the certificate');
like(cipher($plain, "tls 'verify-full', $ca"), qr/^08001: /, 'a server without');
like(cipher($mysql, "tls 'verify-full'"), qr/^08001: .*certificate/, "an authority that is not among the system's");
like(cipher($mysql, "tls 'require', tls_cert '$dir/nowhere.pem'"), qr/^08001: /, 'a file that is not there');

# A certificate of the client's own.
$mysql->sql(q{ALTER USER 'ann'@'%' REQUIRE X509; ALTER USER 'ann'@'localhost' REQUIRE X509});
like(cipher($mysql, "tls 'require'"), qr/^28P01: /, 'a server that wants a certificate');
like(cipher($mysql, "tls 'require', tls_cert '$dir/elsewhere.example.pem', tls_key '$dir/elsewhere.example.key'"), qr/^TLS_/, 'and gets one');
$mysql->sql(q{ALTER USER 'ann'@'%' REQUIRE NONE; ALTER USER 'ann'@'localhost' REQUIRE NONE});

# Results, large statements, cancels.
my $name = server($mysql, "tls 'verify-full', $ca, batch_size '100000'");
$mysql->sql('CREATE TABLE w (id int, txt longtext)');
$node->safe_psql('postgres', qq{
	CREATE FOREIGN TABLE t (id int, txt text) SERVER $name;
	CREATE FOREIGN TABLE w (id int, txt text) SERVER $name;
	CREATE FOREIGN TABLE slow (s int) SERVER $name;});
is($node->safe_psql('postgres', 'SELECT md5(string_agg(txt, NULL ORDER BY id)) FROM t'),
	$mysql->sql('SET group_concat_max_len = 20000000; SELECT md5(group_concat(txt ORDER BY id SEPARATOR \'\')) FROM t'), 'a result');
is($node->safe_psql('postgres', q{INSERT INTO w SELECT i, repeat('x', 3000000) FROM generate_series(1, 4) i; SELECT sum(length(txt)) FROM w}), '12000000', 'large statements');
{
	my $start = time;
	my ($out, $err) = ('', '');
	$node->psql('postgres', q{SET statement_timeout = '300ms'; SELECT * FROM slow}, stdout => \$out, stderr => \$err);
	like($err, qr/statement timeout/, 'statement_timeout');
	cmp_ok(time - $start, '<', 1.5, 'takes effect') unless watched();
	ok(wait_until(3, sub { $mysql->sessions('%slow%') == 0 }), 'there, too');
}

# A server that falls silent while TLS begins.
{
	my ($proxy, $harm) = $mysql->start_proxy;
	$harm->('stall 90');
	my $stalled = server($mysql, "host 'localhost', port '$proxy', tls 'require'");
	my $start = time;
	my ($out, $err) = ('', '');
	$node->psql('postgres', "SET statement_timeout = '500ms'; SELECT * FROM how_$stalled", stdout => \$out, stderr => \$err);
	like($err, qr/statement timeout/, 'statement_timeout while TLS begins');
	cmp_ok(time - $start, '<', 2, 'takes effect') unless watched();
}

# A server that asks for the password in clear.
{
	my $curious = start_server('mysql_curious.py');
	like(cipher($mysql, "host '127.0.0.1', port '$curious'"), qr/^28000: the server asks for the password in a way that is not safe/, 'a server that asks for the password');
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $curious) or die $!;
	print $socket 'heard?';
	local $/;
	my $heard = <$socket>;
	like($heard, qr/ann/, 'hears the name');
	unlike($heard, qr/secret/, 'but not the password');
}

done_testing();
