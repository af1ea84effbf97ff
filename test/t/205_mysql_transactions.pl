
# Transactions of lyftron_mysql follow the local one: commit, rollback, savepoints; what the server undoes by itself
# (a deadlock, a lost connection) is never committed here; and its errors have PostgreSQL's SQLSTATEs.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use IPC::Run;
use LyftronMysql;
use LyftronMysql9;
use LyftronTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = new_node('main', "max_connections = 130\nmax_prepared_transactions = 5\nshared_buffers = 32MB\n", '--encoding=UTF8');
my $mysql;

sub set_up
{
	my $numbers = 'WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 10)';
	$mysql->sql(qq{
		CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL, txt varchar(10), CHECK (n < 1000)) ENGINE=InnoDB;
		INSERT INTO a $numbers SELECT i, i, 'x' FROM s;
		CREATE TABLE child (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES a (id)) ENGINE=InnoDB;
		CREATE TABLE log (id int PRIMARY KEY, txt longtext) ENGINE=InnoDB;
		CREATE VIEW wrong AS SELECT id, n, txt FROM a WHERE id = (SELECT id FROM a);
		CREATE VIEW slow AS SELECT SLEEP(8) AS s;});
	$mysql->connect_node($node, 'my');
	$node->safe_psql('postgres', q{
		CREATE FOREIGN TABLE a (id int OPTIONS (key 'true'), n int, txt text) SERVER my;
		CREATE FOREIGN TABLE child (id int OPTIONS (key 'true'), a int) SERVER my;
		CREATE FOREIGN TABLE log (id int OPTIONS (key 'true'), txt text) SERVER my;
		CREATE FOREIGN TABLE wrong (id int, n int, txt text) SERVER my;
		CREATE FOREIGN TABLE slow (s int) SERVER my;});
	return;
}

# one session: what psql printed, and its errors with their SQLSTATEs
sub session
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($out, $err);
}

sub fails
{
	my ($sql, $pattern, $name) = @_;
	my ($out, $err) = session($sql);
	like($err, $pattern, $name);
	return $out;
}

sub count { return $mysql->sql('SELECT count(*) FROM a'); }

sub test_commit
{
	fails('BEGIN; INSERT INTO a SELECT i, i FROM generate_series(11, 20) i; ROLLBACK', qr/^$/, 'ten rows');
	is(count(), '10', 'are undone by a rollback');
	fails('BEGIN; INSERT INTO a SELECT i, i FROM generate_series(11, 20) i; SELECT 1 / 0; COMMIT', qr/22012/, 'ten rows and an error');
	is(count(), '10', 'are undone by the error');
	fails('INSERT INTO a SELECT i, i / (15 - i) FROM generate_series(11, 20) i', qr/22012/, 'an error in the middle of the statement');
	is(count(), '10', 'undoes its first rows');
	is($node->safe_psql('postgres', q{BEGIN; INSERT INTO a VALUES (11, 11); SELECT count(*) FROM a; COMMIT; SELECT count(*) FROM a}), "11\n11", 'a commit');
	is(count(), '11', 'is there');
	is(fails(q{
		BEGIN;
		INSERT INTO a VALUES (12, 12);
		SAVEPOINT one;
		INSERT INTO a VALUES (13, 13);
		SAVEPOINT two;
		INSERT INTO a VALUES (14, 14);
		ROLLBACK TO one;
		SELECT max(id) FROM a;
		INSERT INTO a VALUES (15, 15);
		SAVEPOINT three;
		INSERT INTO a VALUES (16, 16);
		RELEASE three;
		SAVEPOINT four;
		INSERT INTO a VALUES (17, 17);
		ROLLBACK TO four;
		COMMIT;}, qr/^$/, 'savepoints'), '12', 'undo what came after them');
	is($mysql->sql('SELECT group_concat(id ORDER BY id) FROM a WHERE id > 11'), '12,15,16', 'and nothing else');
	is(fails(q{
		DO $$
		BEGIN
			FOR i IN 17..26 LOOP
				BEGIN
					INSERT INTO a VALUES (i, i);
					IF i % 2 = 0 THEN RAISE EXCEPTION 'no'; END IF;
				EXCEPTION WHEN raise_exception THEN NULL;
				END;
			END LOOP;
		END$$;
		SELECT count(*) FROM a WHERE id > 16}, qr/^$/, 'blocks with exceptions'), '5', 'are subtransactions');
	fails(q{BEGIN; SELECT count(*) FROM a; PREPARE TRANSACTION 'x'}, qr/0A000: cannot PREPARE/, 'no prepared transactions');
	fails(q{BEGIN READ ONLY; SELECT count(*) FROM a; INSERT INTO a VALUES (99, 99); COMMIT}, qr/25006/, 'a read-only transaction');
	is($node->safe_psql('postgres', q{BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT max(id) FROM a WHERE id < 10; COMMIT}), '9', 'a serializable one');
	return;
}

# errors by their SQLSTATEs
sub test_errors
{
	for my $case (
		[ 'INSERT INTO a VALUES (1, 1)', '23505', 'a duplicate key' ],
		[ 'INSERT INTO a VALUES (70, NULL)', '23502', 'a NULL' ],
		[ 'INSERT INTO a VALUES (70, 1000)', '23514', 'a CHECK' ],
		[ q{INSERT INTO a VALUES (70, 1, 'longer than ten')}, '22001', 'a text that is too long' ],
		[ 'INSERT INTO child VALUES (1, 500)', '23503', 'a foreign key' ],
		[ 'INSERT INTO child VALUES (1, 1); DELETE FROM a WHERE id = 1', '23503', 'a referenced row' ],
		[ 'SELECT * FROM wrong', '21000', 'two rows where one is due' ],
		[ q{INSERT INTO log VALUES (1, repeat('x', 5000000))}, '54000', 'a packet that is too large' ])
	{
		my ($sql, $state, $name) = @$case;
		is(fails("$sql; SELECT count(*) FROM lyftron.mysql_connections() WHERE valid; SELECT max(id) FROM a WHERE id = 2", qr/ERROR:  $state: .*CONTEXT:  server "my"|ERROR:  54000/s, $name),
			"1\n2", 'leaves the connection');
	}
	return;
}

# psql that holds locks at the server until it is told to go on
sub holder
{
	my ($sql) = @_;
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(180));
	$in .= "BEGIN;\n$sql;\nSELECT 'held';\n";
	$run->pump until $out =~ /held/;
	return { run => $run, in => \$in, out => \$out };
}

sub end_holder
{
	my ($holder, $sql) = @_;
	${ $holder->{in} } .= "$sql;\n";
	$holder->{run}->finish;
	return ${ $holder->{out} };
}

sub test_locks
{
	my $holder = holder('UPDATE a SET n = 100 WHERE id = 1');
	fails('UPDATE a SET n = 101 WHERE id = 1', qr/ERROR:  55P03: Lock wait timeout/, 'a lock that another holds');
	is(fails(q{
		BEGIN;
		INSERT INTO a VALUES (30, 30);
		SAVEPOINT s;
		UPDATE a SET n = 101 WHERE id = 1;
		ROLLBACK TO s;
		UPDATE a SET n = 300 WHERE id = 30;
		COMMIT;
		SELECT n FROM a WHERE id = 30}, qr/55P03/, 'in a subtransaction'), '300', 'ends that alone');
	my $start = time;
	fails(q{SET statement_timeout = '300ms'; UPDATE a SET n = 101 WHERE id = 1}, qr/57014/, 'statement_timeout while waiting for a lock');
	cmp_ok(time - $start, '<', 1.5, 'takes effect') unless watched();
	end_holder($holder, 'COMMIT');
	is($mysql->sql('SELECT n FROM a WHERE id = 1'), '100', 'the other one commits');
	return;
}

# A deadlock: one of two is undone at the server as a whole, also what it did before its savepoint.  It is the one that has
# written less.
sub test_deadlock
{
	my $holder = holder('UPDATE a SET n = 201 WHERE id = 2; INSERT INTO child SELECT i FROM generate_series(101, 130) i');
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(180));
	$in .= "BEGIN; UPDATE a SET n = 203 WHERE id = 3; SAVEPOINT s; SELECT 'ready';\n";
	$run->pump until $out =~ /ready/;
	$in .= "UPDATE a SET n = 202 WHERE id = 2;\n";
	$run->pump_nb;
	wait_until(10, sub { $mysql->transactions(q{trx_state = 'LOCK WAIT'}) == 1 });
	my $start = time;
	my $other = end_holder($holder, q{UPDATE a SET n = 203 WHERE id = 3; COMMIT});
	unlike($other, qr/ERROR/, 'the other goes on');
	$run->pump until $out =~ /ERROR.*\n/;
	$in .= "ROLLBACK TO s; SELECT 'here'; SELECT count(*) FROM a; ROLLBACK TO s; COMMIT; SELECT count(*) FROM a WHERE id = 1;\n";
	$run->finish;
	like($out, qr/ERROR:  40P01: Deadlock found/, 'a deadlock');
	like($out, qr/here\n.*ERROR:  40000: the transaction at server "my" is lost/s, 'after which the transaction is of no use');
	like($out, qr/cannot be committed.*^1$/ms, 'and cannot be committed');
	is($mysql->sql('SELECT group_concat(n ORDER BY id) FROM a WHERE id IN (2, 3)'), '201,203', 'the other one has written');
	return;
}

# An idle one that the server has closed is made anew; in a transaction that has written it is not.
my $kill = q{SELECT 'KILL ' || session_id FROM lyftron.mysql_connections()};
sub test_lost_connections
{
	my ($in, $out) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(180));
	my $say = sub {
		my ($sql) = @_;
		$out = '';
		$in .= "$sql;\n\\! echo done\n";
		$run->pump until $out =~ /^done\n/m;
		return $out =~ s/^done\n//mr;
	};
	my $cut = sub { $mysql->sql($1) if $say->($kill) =~ /^(KILL \d+)/m; sleep 0.1; };
	is($say->('SELECT count(*) FROM a WHERE id = 1'), "1\n", 'a session');
	my $first = $say->('SELECT session_id FROM lyftron.mysql_connections()');
	$cut->();
	is($say->('SELECT valid FROM lyftron.mysql_connections()'), "f\n", 'whose connection is closed by the server');
	is($say->('SELECT count(*) FROM a WHERE id = 1'), "1\n", 'gets another one');
	isnt($say->('SELECT session_id FROM lyftron.mysql_connections()'), $first, 'indeed');
	$say->('BEGIN; INSERT INTO a VALUES (60, 60)');
	$cut->();
	like($say->('INSERT INTO a VALUES (61, 61)'), qr/ERROR:  (08006|57P01)/, 'a connection that is lost in a transaction');
	$say->('COMMIT');
	is(count(), $mysql->sql('SELECT count(*) FROM a WHERE id < 60'), 'has written nothing');
	$say->('BEGIN; INSERT INTO a VALUES (60, 60); SAVEPOINT s');
	$cut->();
	like($say->('SELECT count(*) FROM a'), qr/ERROR:  (08006|57P01)/, 'and is no use after a savepoint');
	like($say->('ROLLBACK TO s; COMMIT'), qr/ERROR:  40000: .*cannot be committed/, 'either');
	$say->('BEGIN; SELECT count(*) FROM a; SAVEPOINT s');
	$cut->();
	like($say->('SELECT count(*) FROM a'), qr/ERROR:  (08006|57P01)/, 'one that only read');
	is($say->('ROLLBACK TO s; SELECT count(*) FROM a WHERE id = 1; COMMIT'), "1\n", 'goes on with another connection');
	is($say->('BEGIN; SELECT count(*) FROM a WHERE id = 1; SELECT in_transaction FROM lyftron.mysql_connections()'), "1\nt\n", 'a transaction');
	like($say->(q{SELECT lyftron.mysql_disconnect('my')}), qr/WARNING:  55006.*^f$/ms, 'is not cut off');
	is($say->(q{COMMIT; SELECT lyftron.mysql_disconnect('my'); SELECT count(*) FROM lyftron.mysql_connections()}), "t\n0\n", 'until it is over');
	ok(wait_until(3, sub { $mysql->sessions == 0 }), 'then the server has no session');
	$say->('SELECT count(*) FROM a');
	$say->(q{ALTER SERVER my OPTIONS (ADD network_timeout '1min'); SELECT 1});
	is($say->('SELECT count(*) FROM lyftron.mysql_connections()'), "0\n", 'changed options end a connection');
	is($say->('SELECT count(*) FROM a WHERE id = 1'), "1\n", 'for a new one');

	# the server crashes
	$say->('BEGIN; INSERT INTO a VALUES (60, 60)');
	$mysql->restart('KILL');
	like($say->('SELECT count(*) FROM a'), qr/ERROR:  08006/, 'the server crashes');
	is($say->('ROLLBACK; SELECT count(*) FROM a WHERE id = 60'), "0\n", 'and is found again');
	$in .= "\\q\n";
	$run->finish;
	return;
}

# A hundred sessions at once.
sub test_many
{
	my $start = time;
	my @runs = map {
		my $n = $_;
		background_query($node, "INSERT INTO log VALUES ($n, 'session $n'); SELECT count(*) FROM a WHERE id = 1; SELECT pg_sleep(0.5);")
	} 1 .. 100;
	$_->{run}->finish for @runs;
	is(scalar(grep { ${ $_->{err} } eq '' } @runs), 100, 'a hundred sessions at once');
	is($mysql->sql('SELECT count(*) FROM log'), '100', 'have all written');
	ok(wait_until(5, sub { $mysql->sessions == 0 }), 'and are gone');
	return;
}

# When there are too many the server says so (it has one place more for those with all privileges).
sub test_too_many
{
	$mysql->sql('SET GLOBAL max_connections = 10');
	my @held = map { holder('SELECT count(*) FROM a') } 1 .. 11;
	fails('SELECT count(*) FROM a', qr/ERROR:  53300/, 'too many connections');
	end_holder($_, 'COMMIT') for @held;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM a WHERE id = 1'), '1', 'until some have gone');
	return;
}

for ([ MariaDB => 'LyftronMysql' ], [ 'MySQL 9' => 'LyftronMysql9' ])
{
	my ($name, $class) = @$_;
	subtest $name => sub {
		my $missing = $class->can('missing') ? $class->missing : undef;
		plan skip_all => $missing if defined $missing;
		$mysql = $class->new(options => [ '--max-connections=300', '--max-allowed-packet=4M', '--innodb-lock-wait-timeout=3' ]);
		set_up();
		test_commit();
		test_errors();
		test_locks();
		test_deadlock();
		test_lost_connections();
		test_many();
		test_too_many();
		$node->safe_psql('postgres', 'DROP SERVER my CASCADE');
		$mysql->stop;
	};
}
done_testing();
