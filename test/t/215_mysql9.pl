
# lyftron_mysql and MySQL 9 itself, where MariaDB is no judge: how it lets users in (caching_sha2_password over TLS, in clear by
# its RSA key, over a socket), its collation, its binary JSON, its generated columns, and that a query given up ends there.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronMysql9;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => LyftronMysql9->missing if LyftronMysql9->missing;

my $node = new_node('main', "shared_buffers = 32MB\n", '--encoding=UTF8');
my $mysql = LyftronMysql9->new;
$mysql->connect_node($node, 'my');
$node->safe_psql('postgres', 'CREATE SCHEMA my');

sub pg
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub pg_error
{
	my ($sql) = @_;
	my ($out, $err);
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

# A user whom the server has not seen yet, so that it must be told the password, and a server that connects as that one;
# its foreign table says how the session is protected.
my $users = 0;
sub newcomer
{
	my ($options, $password) = @_;
	my $name = 'user' . ++$users;
	$mysql->sql("CREATE USER $name IDENTIFIED WITH caching_sha2_password BY 'pass ''word'; GRANT SELECT ON performance_schema.* TO $name");
	$password //= q{pass ''word};
	pg(qq{CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_mysql OPTIONS ($options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (username '$name', password '$password');
		CREATE FOREIGN TABLE $name (variable_name text, variable_value text) SERVER $name
			OPTIONS (database 'performance_schema', "table" 'session_status')});
	return $name;
}

sub cipher
{
	my ($name) = @_;
	return pg("SELECT variable_value FROM $name WHERE variable_name = 'Ssl_cipher'");
}

my $address = "host '127.0.0.1', port '" . $mysql->port . "'";
my $socket = "socket '" . $mysql->socket . "'";

sub check_users
{
	my $in_clear = newcomer("$address, tls 'disable'");
	is(cipher($in_clear), '', 'a new user comes in without TLS: the password goes by the RSA key of the server');
	is(cipher($in_clear), '', 'and again, by what the server remembers');
	like(cipher(newcomer("$address, tls 'require'")), qr/^TLS_/, 'a new user comes in by TLS');
	like(cipher(newcomer("$address, tls 'prefer'")), qr/^TLS_/, 'TLS is taken where it is offered');
	is(cipher(newcomer($socket)) =~ s/^TLS_.*//r, '', 'a new user comes in by a socket');
	for my $way ("$address, tls 'disable'", "$address, tls 'require'", $socket)
	{
		like(pg_error('SELECT * FROM ' . newcomer($way, 'wrong')), qr/28P01: .*Access denied/, "a wrong password is refused: $way");
	}
	$mysql->sql("ALTER USER $in_clear IDENTIFIED BY 'other'");
	like(pg_error("SELECT * FROM $in_clear"), qr/28P01: .*Access denied/, 'a password that was changed is not remembered');
	return;
}

sub check_certificates
{
	my $data = $mysql->data;
	my $other = PostgreSQL::Test::Utils::tempdir() . '/other.pem';
	system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=nobody', '-days', '2', '-keyout', "$other.key", '-out', $other);
	like(cipher(newcomer("$address, tls 'verify-ca', tls_ca '$data/ca.pem'")), qr/^TLS_/, 'a certificate of the right authority');
	like(pg_error('SELECT * FROM ' . newcomer("$address, tls 'verify-ca', tls_ca '$other'")), qr/08001: /, 'a certificate of another authority is refused');
	like(pg_error('SELECT * FROM ' . newcomer("$address, tls 'verify-full', tls_ca '$data/ca.pem'")), qr/08001: /,
		'a certificate of another name is refused');
	return;
}

# conditions and orders that MySQL answers otherwise than PostgreSQL
my @queries = (
	q{SELECT id FROM word WHERE w = 'a' ORDER BY id},
	q{SELECT id FROM word WHERE w <> 'a' ORDER BY id},
	q{SELECT id FROM word WHERE w IN ('a', 'ss', 'ae') ORDER BY id},
	q{SELECT id FROM word WHERE w < 'b' ORDER BY id},
	q{SELECT id FROM word WHERE w BETWEEN 'A' AND 'Z' ORDER BY id},
	q{SELECT id FROM word WHERE w LIKE 'a%' ORDER BY id},
	q{SELECT w, count(*) FROM word GROUP BY w ORDER BY w},
	q{SELECT count(DISTINCT w), min(w), max(w) FROM word},
	q{SELECT DISTINCT w FROM word ORDER BY w DESC NULLS LAST LIMIT 5},
	q{SELECT a.id, b.id FROM word a JOIN word b ON a.w = b.w ORDER BY 1, 2},
	q{SELECT id FROM word WHERE j = '{"a": 1, "b": [1, 2]}' ORDER BY id},
	q{SELECT id, j FROM word WHERE j->>'a' = '1' ORDER BY id},
	q{SELECT id, j FROM word WHERE j @> '{"b": [2]}' ORDER BY id},
	q{SELECT j, count(*) FROM word GROUP BY j ORDER BY j},
	q{SELECT id FROM word WHERE j IS NOT NULL ORDER BY j, id});

sub check_collation
{
	$mysql->sql(q{CREATE TABLE word (id int PRIMARY KEY, w varchar(20), j json);
		INSERT INTO word VALUES (1, 'a', '{"a": 1, "b": [1, 2]}'), (2, 'A', '{"b": [1, 2], "a": 1}'), (3, 'á', '{"a": "1"}'), (4, 'a ', '{"a": 1.0}'),
			(5, 'ß', '[]'), (6, 'ss', 'null'), (7, 'æ', '12345678901234567890'), (8, 'ae', '"x"'), (9, '', NULL), (10, NULL, 'true'), (11, 'Z', '1e300'), (12, 'z', '{"a": null}')});
	is($mysql->sql(q{SELECT count(*) FROM word WHERE w = 'a'}), 3, 'to MySQL an A, an á and an a are the same');
	pg('IMPORT FOREIGN SCHEMA shop LIMIT TO (word) FROM SERVER my INTO my;
		CREATE SCHEMA here; CREATE TABLE here.word AS SELECT * FROM my.word');
	is(pg('SELECT w, j FROM here.word WHERE id IN (2, 7) ORDER BY id'), qq{A|{"a": 1, "b": [1, 2]}\næ|12345678901234567890}, 'texts and JSON are read');
	for my $query (@queries)
	{
		is(pg("SET search_path = my; $query"), pg("SET search_path = here; $query"), $query);
	}
	return;
}

sub check_generated
{
	$mysql->sql('CREATE TABLE gen (id int AUTO_INCREMENT PRIMARY KEY, a int, b int AS (a * 2) STORED, c varchar(20) AS (concat("n", a)) VIRTUAL)');
	pg('IMPORT FOREIGN SCHEMA shop LIMIT TO (gen) FROM SERVER my INTO my');
	pg('INSERT INTO my.gen (a) SELECT n FROM generate_series(1, 3) n; UPDATE my.gen SET a = 20 WHERE a = 2');
	is(pg('SELECT * FROM my.gen ORDER BY id'), "1|1|2|n1\n2|20|40|n20\n3|3|6|n3", 'generated columns are read, not written');
	is($mysql->sql('SELECT * FROM gen WHERE id = 2'), "2\t20\t40\tn20", 'and so MySQL has them');
	return;
}

sub check_cancel
{
	$mysql->sql('CREATE VIEW slow AS SELECT SLEEP(30) AS s');
	pg('CREATE FOREIGN TABLE my.slow (s int) SERVER my');
	my $start = time;
	like(pg_error("SET statement_timeout = '300ms'; SELECT * FROM my.slow"), qr/57014: /, 'a query that takes long is given up');
	cmp_ok(time - $start, '<', 5 * (watched() ? 20 : 1), 'at once');
	ok(wait_until(10, sub { $mysql->sessions('%slow%') == 0 }), 'and ended at the server');
	return;
}

check_users();
check_certificates();
check_collation();
check_generated();
check_cancel();
$mysql->stop;
done_testing();
