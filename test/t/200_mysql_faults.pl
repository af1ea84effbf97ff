
# lyftron_mysql where things go wrong: each fault is a clear error with its SQLSTATE, the session goes on (with a new
# connection where the old one is lost), nothing stays behind at the server, and no file stays open here.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronMysql;
use LyftronTest;
use Test::More;
use Time::HiRes qw(time sleep);

# All rows come here, whatever is done with them.
my $node = new_node('main', "max_connections = 130\nshared_buffers = 32MB\nlyftron.pushdown = off\n", '--encoding=UTF8');
my $mysql = LyftronMysql->new(options => [ '--max-connections=300', '--max-allowed-packet=16M', '--innodb-lock-wait-timeout=2' ]);
$mysql->connect_node($node, 'my');
$mysql->sql(q{
	CREATE TABLE t (id int PRIMARY KEY, txt varchar(200) NOT NULL DEFAULT '') ENGINE=InnoDB;
	INSERT INTO t SELECT seq, repeat(char(65 + seq % 26), 100) FROM seq_1_to_200000;
	CREATE TABLE small (id int PRIMARY KEY, n int, CHECK (n < 1000)) ENGINE=InnoDB;
	INSERT INTO small SELECT seq, seq FROM seq_1_to_10;
	CREATE VIEW slow AS SELECT SLEEP(8) AS s;
	CREATE TABLE changing (id int, gone int);
	INSERT INTO changing VALUES (1, 1);});
$node->safe_psql('postgres', q{
	CREATE FOREIGN TABLE t (id int, txt text) SERVER my;
	CREATE FOREIGN TABLE small (id int OPTIONS (key 'true'), n int) SERVER my;
	CREATE FOREIGN TABLE slow (s int) SERVER my;
	CREATE FOREIGN TABLE changing (id int, gone int) SERVER my;});

# one session: what psql printed, and its errors with their SQLSTATEs
sub session
{
	my ($sql, %args) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ], %args);
	return ($out, $err);
}

sub fails
{
	my ($sql, $pattern, $name) = @_;
	my ($out, $err) = session($sql);
	like($err, $pattern, $name);
	return ($out, $err);
}

# a server of its own for options that lead nowhere
my $servers = 0;
sub server
{
	my ($options, $password) = @_;
	my $name = 's' . ++$servers;
	$password //= 'secret';
	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_mysql OPTIONS (database 'shop', $options);
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (username 'ann', password '$password');
		CREATE FOREIGN TABLE $name (id int, n int) SERVER $name OPTIONS ("table" 'small');});
	return $name;
}

my $port = $mysql->port;

### Connecting

{
	my $wrong = server("host '127.0.0.1', port '$port'", 'open sesame');
	my (undef, $err) = fails("SELECT * FROM $wrong", qr/ERROR:  28P01: Access denied for user 'ann'/, 'a wrong password');
	unlike($err, qr/sesame/, 'is not told');
	my $unknown = server("host 'nowhere.invalid'");
	fails("SELECT * FROM $unknown", qr/ERROR:  08001: could not resolve host "nowhere.invalid"/, 'a host that is not known');
	my $closed = server("host '127.0.0.1', port '" . free_port() . "'");
	fails("SELECT * FROM $closed", qr/ERROR:  08001: could not connect to host "127\.0\.0\.1", port \d+/, 'a port that nobody listens on');
	my $socket = server("socket '/nowhere/socket'");
	fails("SELECT * FROM $socket", qr{ERROR:  08001: could not connect to socket "/nowhere/socket"}, 'a socket that is not there');
	my $good = server("socket '" . $mysql->socket . "'");
	is($node->safe_psql('postgres', "SELECT sum(n) FROM $good"), '55', 'a socket that is there');
	is($node->safe_psql('postgres', 'SELECT sum(n) FROM ' . server("host 'localhost', port '$port', compress 'on'")), '55', 'a name, and compression');
}

# A server that accepts and says nothing.
{
	my $mute = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die $!;
	my $silent = server("host '127.0.0.1', port '" . $mute->sockport . "', connect_timeout '300ms'");
	my $start = time;
	fails("SELECT * FROM $silent", qr/ERROR:  08001: no connection in time/, 'a server that says nothing');
	cmp_ok(time - $start, '<', 3, 'is not waited for') unless watched();
	my $patient = server("host '127.0.0.1', port '" . $mute->sockport . "'");
	$start = time;
	fails("SET statement_timeout = '300ms'; SELECT * FROM $patient", qr/ERROR:  57014/, 'statement_timeout while connecting');
	cmp_ok(time - $start, '<', 3, 'takes effect') unless watched();
}

# Who is no superuser gives a password, and is held to the allowed hosts.
{
	$node->safe_psql('postgres', qq{
		CREATE ROLE ann;
		GRANT USAGE ON FOREIGN SERVER my TO ann;
		GRANT SELECT ON small TO ann;
		CREATE USER MAPPING FOR ann SERVER my OPTIONS (username 'ann');});
	fails('SET ROLE ann; SELECT * FROM small', qr/ERROR:  2F003: password is required/, 'no password');
	$node->safe_psql('postgres', q{ALTER USER MAPPING FOR ann SERVER my OPTIONS (ADD password 'secret')});
	fails('SET ROLE ann; SELECT * FROM small', qr/ERROR:  42501: connection to host "127.0.0.1" is not allowed/, 'this machine is guarded');
	is($node->safe_psql('postgres', q{SET lyftron.allowed_hosts = '127.0.0.1'; SET ROLE ann; SELECT sum(n) FROM small}), '55', 'unless it is named');
	fails(q{SET lyftron.allowed_hosts = '127.0.0.1'; SET ROLE ann; SELECT sum(n) FROM small; RESET ROLE; SET lyftron.allowed_hosts = '10.0.0.0/8'; SET ROLE ann;
		SELECT sum(n) FROM small}, qr/ERROR:  42501/, 'an open connection is held to a changed setting');
	fails(q{CREATE SERVER bad FOREIGN DATA WRAPPER lyftron_mysql OPTIONS (host 'a', password 'x')}, qr/ERROR:  HV00D: user name and password are not kept/,
		'a password is refused in the options of a server');
	fails(q{GRANT USAGE ON FOREIGN DATA WRAPPER lyftron_mysql TO ann; SET ROLE ann; CREATE SERVER bad FOREIGN DATA WRAPPER lyftron_mysql OPTIONS (host 'a', tls_ca '/etc/passwd')},
		qr/ERROR:  42501: permission denied to name a file/, 'files are for those who may read them');
}

### Reading

{
	my (undef, $err) = fails('SELECT count(*) FROM missing_there', qr/42P01/, 'a table that is not here');
	$node->safe_psql('postgres', 'CREATE FOREIGN TABLE absent (id int OPTIONS (remote_type \'int\')) SERVER my');
	fails('SELECT id FROM absent', qr/ERROR:  42P01: Table 'shop.absent' doesn't exist.*CONTEXT:  server "my", statement: .*absent/s, 'a table that is not there');
}

# A column that goes between planning and execution.
{
	my ($out, $err) = session(qq{
		PREPARE p AS SELECT gone FROM changing;
		EXECUTE p;
		\\! touch ${\ $node->basedir}/planned; while [ ! -e ${\ $node->basedir}/dropped ]; do sleep 0.05; done
		EXECUTE p;
		SELECT id FROM changing;}) if fork_drop();
	is($out, "1\n1", 'before and after');
	like($err, qr/ERROR:  42703: Unknown column/, 'a column that was dropped at the server');
}

# a child drops the column when the session has planned
sub fork_drop
{
	my $pid = fork // die $!;
	return 1 if $pid;
	wait_until(60, sub { -e $node->basedir . '/planned' });
	eval { $mysql->sql('ALTER TABLE changing DROP COLUMN gone') };
	PostgreSQL::Test::Utils::append_to_file($node->basedir . '/dropped', '');
	require POSIX;
	POSIX::_exit(0);
}

# The timeout of a statement that the server is at: it ends here, and there.
{
	my $start = time;
	fails("SET statement_timeout = '300ms'; SELECT * FROM slow", qr/ERROR:  57014/, 'statement_timeout while the server sleeps');
	cmp_ok(time - $start, '<', 1, 'takes effect') unless watched();
	ok(wait_until(3, sub { $mysql->sessions('%SLEEP%') == 0 && $mysql->sessions('%slow%') == 0 }), 'and the query is gone');
}
{
	my $query = background_query($node, 'SELECT * FROM slow');
	ok(wait_until(10, sub { $mysql->sessions('%slow%') == 1 }), 'a query runs at the server');
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT * FROM slow%'});
	$query->{run}->finish;
	ok(wait_until(3, sub { $mysql->sessions('%slow%') == 0 }), 'and is gone with the session');
}

# What a LIMIT does not want is not read to its end, and the transaction goes on.
{
	my ($out, $err) = session(q{
		BEGIN;
		SELECT id FROM t OFFSET 1 LIMIT 1;
		SELECT count(*) FROM small;
		COMMIT;
		SELECT count(*) FROM lyftron.mysql_connections();});
	is($out, "2\n10\n1", 'the same connection');
	is($err, '', 'without an error');
}

# Two scans of one session take turns.
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM t a, t b WHERE a.id = b.id AND a.id <= 1000}), '1000', 'a join of two scans');
{
	my ($out) = session(q{
		BEGIN;
		DECLARE c CURSOR FOR SELECT id FROM t;
		FETCH 2 FROM c;
		SELECT sum(n) FROM small;
		FETCH 2 FROM c;
		MOVE ALL FROM c;
		SAVEPOINT a;
		SELECT 1 / (n - 5) FROM small ORDER BY n;
		ROLLBACK TO a;
		SELECT sum(n) FROM small;
		COMMIT;});
	is($out, "1\n2\n55\n3\n4\n55", 'a cursor goes on after other queries, and so does the transaction after an error');
}

{
	my ($out, $err) = session(q{
		BEGIN;
		DECLARE c CURSOR FOR SELECT 1 / (3 - id) FROM t;
		FETCH 1 FROM c;
		SAVEPOINT a;
		FETCH 5 FROM c;
		ROLLBACK TO a;
		SELECT sum(n) FROM small;
		FETCH 1 FROM c;
		COMMIT;
		SELECT sum(n) FROM small;});
	is($out, "0\n55\n55", 'a cursor that fails in a subtransaction is no burden');
	like($err, qr/22012.*portal "c" cannot be run/s, 'but gone');
}

# A hundred megabytes in one value.
{
	my $large = LyftronMysql->new(options => [ '--max-allowed-packet=1G', '--innodb-log-file-size=300M' ]);
	$large->connect_node($node, 'large');
	$large->sql(q{CREATE TABLE b (id int, data longblob) ENGINE=MyISAM; INSERT INTO b VALUES (1, repeat('0123456789', 10000000)), (2, 'x')});
	$node->safe_psql('postgres', q{CREATE FOREIGN TABLE b (id int, data bytea) SERVER large});
	is($node->safe_psql('postgres', q{SELECT id, length(data), md5(data) FROM b ORDER BY id}),
		$large->sql(q{SELECT concat_ws('|', id, length(data), md5(data)) FROM b ORDER BY id}), 'a value of 100 MB');
	fails(q{SET statement_timeout = '50ms'; SELECT length(data) FROM b}, qr/^$|ERROR:  57014/, 'may be cut off');
	$large->stop;
	fails('SELECT id FROM b', qr/ERROR:  08001/, 'a server that has gone');
}

### Faults on the way

my ($proxy, $harm) = $mysql->start_proxy;
$mysql->connect_node($node, 'far', port => $proxy, options => "network_timeout '1s', connect_timeout '2s'");
$node->safe_psql('postgres', q{CREATE FOREIGN TABLE far (id int OPTIONS (remote_type 'int(11)'), txt text OPTIONS (remote_type 'varchar(200)')) SERVER far OPTIONS ("table" 't')});

for my $bytes (0, 1, 3, 4, 50, 100, 500, 1000, 5000, 100000, 1000003)
{
	$harm->("cut $bytes");
	fails('SELECT count(txt) FROM far', qr/ERROR:  08\d\d\d/, "a connection that ends after $bytes bytes");
}
for my $bytes (0, 90, 400, 1000, 50000)
{
	$harm->("garbage $bytes");
	my (undef, $err) = session('SELECT count(txt) FROM far');
	like($err, qr/ERROR:  \w{5}: /, "noise after $bytes bytes is an error");
}
{
	$harm->('stall 20000');
	my $start = time;
	fails('SELECT count(txt) FROM far', qr/ERROR:  08006: no answer from the server in time/, 'a server that falls silent');
	cmp_ok(time - $start, '<', 8, 'is given up') unless watched();
	$start = time;
	fails(q{SET statement_timeout = '300ms'; SELECT count(txt) FROM far}, qr/ERROR:  57014/, 'or cancelled');
	cmp_ok(time - $start, '<', 3, 'in time') unless watched();
	$harm->('pass');
	is($node->safe_psql('postgres', 'SELECT count(txt) FROM far'), '200000', 'and then all is well');
}

# Many faults in one session leave neither files nor connections.
{
	my $faults = join("\n", map { ("\\! $^X -MIO::Socket::INET -e " . control_command("cut $_"), 'SELECT count(txt) FROM far;') } map { 1000 * $_ } 1 .. 40);
	my $files = q{SELECT count(*) FROM pg_ls_dir('/proc/' || pg_backend_pid() || '/fd');};
	my ($out, $err) = session(qq{
		SELECT count(txt) FROM far; SELECT lyftron.mysql_disconnect('far'); $files
		$faults
		\\! $^X -MIO::Socket::INET -e ${\ control_command('pass') }
		SELECT count(txt) FROM far; SELECT lyftron.mysql_disconnect('far'); $files});
	my @lines = grep { $_ ne 'ok' } split /\n/, $out;
	is(scalar(() = $err =~ /ERROR:  08/g), 40, '40 broken connections in one session');
	is($lines[0], '200000', 'a session before them');
	is($lines[-1], $lines[2], 'has as many files open after them');
	ok(wait_until(5, sub { $harm->('count') == 0 }), 'and no connection');
}

# a Perl one-liner for psql that commands the proxy
sub control_command
{
	my ($command) = @_;
	my $control = $harm->('port');
	return qq{'\$s = IO::Socket::INET->new("127.0.0.1:$control"); print \$s "$command\\n"; print <\$s>'};
}

done_testing();
