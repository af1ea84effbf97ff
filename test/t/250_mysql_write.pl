
# Writing through lyftron_mysql, to MariaDB and to MySQL: values of every type arrive as they are, in as few statements
# as can be; counts, errors and what comes back are PostgreSQL's; a rollback undoes all of it.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronMysql;
use LyftronMysql9;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', "timezone = 'Asia/Tokyo'\nshared_buffers = 32MB\nlyftron.allowed_hosts = '127.0.0.1'\n", '--encoding=UTF8');
my $mysql;
my $mariadb;

sub pg { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# what a script raises, with SQLSTATE and hint
sub pg_error
{
	my ($sql) = @_;
	my ($out, $err);
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

# what a command says that it did: "INSERT 0 3"
sub tag
{
	my ($sql) = @_;
	my ($out, $err);
	$node->psql('postgres', "\\set QUIET off\n$sql", stdout => \$out, stderr => \$err) == 0 or die $err;
	return join '|', grep { /^(INSERT|UPDATE|DELETE|COPY) / } split /\n/, $out;
}

# how many statements of a kind the server has run meanwhile
sub statements
{
	my ($kind, $code) = @_;
	my $count = sub { (split /\t/, $mysql->sql("SHOW GLOBAL STATUS LIKE 'Com_$kind'"))[1] };
	my $before = $count->();
	$code->();
	return $count->() - $before;
}

my $nines = '9' x 35 . '.' . '9' x 30;
my $all_bytes = '\x' . join('', map { sprintf '%02x', $_ } 0 .. 255);
my $point = '\x0101000000000000000000f83f00000000000004c0';

# name, type there, and values as PostgreSQL shows them
my @types = (
	[ ti => 'tinyint', -128, 127 ],
	[ tiu => 'tinyint unsigned', 0, 255 ],
	[ tib => 'tinyint(1)', 'f', 't' ],
	[ si => 'smallint', -32768, 32767 ],
	[ miu => 'mediumint unsigned', 16777215 ],
	[ i => 'int', -2147483648, 2147483647 ],
	[ iu => 'int unsigned', 4294967295 ],
	[ bi => 'bigint', '-9223372036854775808', '9223372036854775807' ],
	[ biu => 'bigint unsigned', '18446744073709551615', 0 ],
	[ de => 'decimal(65,30)', $nines, "-$nines", '0.' . '0' x 29 . '1', '12345678901234567890.1234567891' ],
	[ de2 => 'decimal(10,2)', '99999999.99', '-0.01' ],
	[ f => 'float', '1.6777216e+07', '-3.4028235e+38', '1.1754944e-38', '0.1' ],
	[ d => 'double', '1.7976931348623157e+308', '-2.2250738585072014e-308', '0.1', '123456789.12345679' ],
	[ b1 => 'bit', 1, 0 ],
	[ b10 => 'bit(10)', '1000000001' ],
	[ b64 => 'bit(64)', '1' x 64, '0' x 63 . '1' ],
	[ y => 'year', 1901, 2155 ],
	[ da => 'date', '1000-01-01', '9999-12-31', '2024-02-29' ],
	[ t6 => 'time(6)', '-838:59:59', '838:59:59', '-00:00:00.000001', '101:02:03.5' ],
	[ dt6 => 'datetime(6)', '1000-01-01 00:00:00', '9999-12-31 23:59:59.999999', '2026-06-30 12:34:56.789012' ],
	[ ts6 => 'timestamp(6) null', '1970-01-01 09:00:01+09', '2038-01-19 12:14:07+09', '2026-06-30 21:34:56.789012+09' ],
	[ c => 'char(10)', 'ab', '', '😀' x 10 ],
	[ vc => 'varchar(200)', q{it's \\ "x" 😀}, ' a ', '', '%_\\', "line\nline\ttab\r" ],
	[ vl => 'varchar(20) character set latin1', 'é€' ],
	[ mt => 'mediumtext', 'm' x 100000, '日' x 70000 ],
	[ bn => 'binary(4)', '\x00010203', '\xff000000' ],
	[ vb => 'varbinary(300)', $all_bytes, '\x', '\x27275c00' ],
	[ lb => 'longblob', '\x' . '00ff' x 50000 ],
	[ en => "enum('a', 'it''s', '', 'x,y (z)')", q{it's}, '', 'x,y (z)' ],
	[ st => "set('a', 'it''s', 'b c')", q{{a,it's,"b c"}}, '{}' ],
	[ js => 'json', q{{"a": [1, 2.5, null, "😀"]}}, 'null', q{"it's \\\\ \\"x\\""} ],
	[ g => 'geometry', $point ],
	[ p => 'point', $point ]);
my @mariadb_types = (
	[ u => 'uuid', '6ccd780c-baba-1026-9564-5b8c656024db' ],
	[ i4 => 'inet4', '255.255.255.255' ],
	[ i6 => 'inet6', '::ffff:1.2.3.4', '2001:db8::1' ]);

sub literal
{
	my ($value) = @_;
	$value =~ s/'/''/g;
	return "'$value'";
}

# a table "mine" here with a row of NULLs, and then each type's values, one a row
sub make_values
{
	my (@columns) = @_;
	my $rows = 0;
	for (@columns) { $rows = $#$_ - 1 if $#$_ - 1 > $rows }
	my $sql = 'CREATE TABLE mine (LIKE every); INSERT INTO mine (id) VALUES (0);';
	for my $row (1 .. $rows)
	{
		my @values = map { my @v = @$_[ 2 .. $#$_ ]; literal($v[ ($row - 1) % @v ]) } @columns;
		$sql .= 'INSERT INTO mine VALUES (' . join(', ', $row, @values) . ');';
	}
	pg($sql);
	return $rows + 1;
}

# the columns in which the tables differ, row by row; geometry and json have no order of their own that both sides know
sub different
{
	my (@columns) = @_;
	my @different = grep {
		pg("SELECT count(*) FROM mine FULL JOIN every USING (id) WHERE mine.$_->[0]::text IS DISTINCT FROM every.$_->[0]::text") ne '0'
	} @columns;
	return join ' ', map { $_->[0] } @different;
}

sub test_types
{
	my @columns = (@types, $mariadb ? @mariadb_types : ());
	$mysql->sql('CREATE TABLE every (id int PRIMARY KEY, ' . join(', ', map { "$_->[0] $_->[1] NULL" } @columns) . ')');
	pg('IMPORT FOREIGN SCHEMA shop LIMIT TO (every) FROM SERVER my INTO public');
	my $rows = make_values(@columns);
	my $names = join ', ', map { $_->[0] } @columns;

	is(tag('INSERT INTO every SELECT * FROM mine'), "INSERT 0 $rows", 'INSERT of every type');
	is(different(@columns), '', 'every value was inserted as it is');
	is($mysql->sql("SELECT hex(vb), biu, de, b64 + 0, ts6, t6 FROM every WHERE id = 1"),
		join("\t", uc(substr $all_bytes, 2), '18446744073709551615', $nines, '18446744073709551615',
			'1970-01-01 00:00:01.000000', '-838:59:59.000000') =~ s/1970-01-01 00:00:01/$mysql->sql("SELECT from_unixtime(1)")/er,
		'the server has the values, too');

	pg('UPDATE every SET ' . join(', ', map { "$_->[0] = NULL" } @columns));
	is($mysql->sql('SELECT count(*) FROM every WHERE ' . join(' OR ', map { "$_->[0] IS NOT NULL" } @columns)), '0', 'every column becomes NULL');
	is(tag("UPDATE every SET ($names) = ROW(" . join(', ', map { "mine.$_->[0]" } @columns) . ') FROM mine WHERE mine.id = every.id'),
		"UPDATE $rows", 'UPDATE of every type, row by row');
	is(different(@columns), '', 'every value was updated as it is');

	pg('UPDATE every SET ' . join(', ', map { "$_->[0] = NULL" } @columns));
	for my $row (0 .. $rows - 1)
	{
		pg("DO \$\$DECLARE m mine; BEGIN SELECT * INTO m FROM mine WHERE id = $row; UPDATE every SET "
			  . join(', ', map { "$_->[0] = m.$_->[0]" } @columns) . " WHERE id = $row; END\$\$");
	}
	is(different(@columns), '', 'every value was updated as it is, as a parameter');

	pg('DELETE FROM every');
	$node->safe_psql('postgres', "COPY mine TO '" . $node->basedir . "/mine'; COPY every FROM '" . $node->basedir . "/mine'");
	is(different(@columns), '', 'every value was copied as it is');
	pg('DROP TABLE mine; DROP FOREIGN TABLE every');
	return;
}

sub test_refused_values
{
	$mysql->sql(q{CREATE TABLE narrow (id int PRIMARY KEY, ti tinyint, v varchar(3), de decimal(5,2), d double, dt datetime(3), da date,
		ts timestamp NULL, en enum('a', 'b'), l varchar(5) character set latin1, j json, nn int NOT NULL DEFAULT 5)});
	pg(q{CREATE FOREIGN TABLE narrow (id int OPTIONS (key 'true'), ti int, v text, de numeric, d float8, dt timestamp, da date, ts timestamptz,
		en text, l text, j text, nn int) SERVER my});
	my @refused = (
		[ ti => '128', '22003' ], [ v => "'abcd'", '22001' ], [ v => "'abc  '", '22001' ], [ de => '1000', '22003' ],
		[ d => "'NaN'", '22003' ], [ d => "'-Infinity'", '22003' ], [ de => "'NaN'", '22003' ], [ de => '1.005', '22003' ],
		[ dt => "'infinity'", '22008' ], [ dt => "'2026-01-01 00:00:00.0005'", '22008' ],
		[ da => "'0044-03-15 BC'", '22008' ], [ da => "'10000-01-01'", '22008' ],
		[ ts => "'1969-01-01'", '22\w+' ], [ en => "'c'", '2\w+' ], [ l => "'日本'", '2\w+' ], [ j => "'{'", '2\w+' ], [ nn => 'NULL', '23502' ]);
	for (@refused)
	{
		my ($column, $value, $state) = @$_;
		like(pg_error("INSERT INTO narrow (id, $column) VALUES (1, $value)"), qr/ERROR:  $state/, "INSERT of $column $value");
		like(pg_error("INSERT INTO narrow (id, $column) VALUES (2, NULL), (1, $value), (3, NULL)"), qr/ERROR:  2/, "INSERT of $column $value among others")
		  unless $column eq 'nn';
	}
	is($mysql->sql('SELECT count(*) FROM narrow'), '0', 'nothing of it was inserted');
	pg('INSERT INTO narrow (id) VALUES (1)');
	for (@refused)
	{
		my ($column, $value, $state) = @$_;
		like(pg_error("UPDATE narrow SET $column = $value"), qr/ERROR:  $state/, "direct UPDATE to $column $value");
		like(pg_error("UPDATE narrow SET $column = $value WHERE random() < 2"), qr/ERROR:  $state/, "UPDATE of a row to $column $value");
	}
	is(pg('SELECT id, ti, v, de, d, dt, da, ts, en, l, j, nn FROM narrow'), '1||||||||||5'  =~ s/5$/|5/r, 'nothing of it was updated');
	like(pg_error('UPDATE narrow SET ti = 100 + id * 28'), qr/ERROR:  22003/, 'an expression that is too large there');
	like(pg_error(q{UPDATE narrow SET v = 'abc'; UPDATE narrow SET v = v || ' '}), qr/ERROR:  22001/, 'blanks that would be cut off');
	like(pg_error('UPDATE narrow SET ti = ti'), qr/^$/, 'a column to itself');
	return;
}

sub test_insert
{
	$mysql->sql(q{CREATE TABLE item (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20) COLLATE utf8mb4_bin NOT NULL DEFAULT 'none', n int DEFAULT 7,
		twice int AS (n * 2) STORED, UNIQUE (name)) AUTO_INCREMENT = 1});
	pg(q{IMPORT FOREIGN SCHEMA shop LIMIT TO (item) FROM SERVER my INTO public});
	is(pg('INSERT INTO item DEFAULT VALUES RETURNING *'), '1|none|7|14', "the server's defaults, AUTO_INCREMENT and generated column come back");
	is(pg(q{INSERT INTO item (name) VALUES ('a'), ('b') RETURNING id, twice}), "2|14\n3|14", 'RETURNING of several rows');
	is(pg(q{INSERT INTO item (id, name, n) VALUES (DEFAULT, 'c', NULL), (10, 'd', 1) RETURNING *}), "4|c||\n10|d|1|2", 'DEFAULT and NULL');
	is(pg(q{INSERT INTO item (id, name) VALUES (0, 'zero') RETURNING id}), '0', '0 is 0, and no new number');
	is(pg(q{ALTER FOREIGN TABLE item ALTER n SET DEFAULT 5; INSERT INTO item (name) VALUES ('e') RETURNING n}), '5', 'a default of the foreign table goes before');
	pg(q{ALTER FOREIGN TABLE item ALTER n DROP DEFAULT});
	like(pg_error(q{INSERT INTO item (name, twice) VALUES ('x', 3)}), qr/ERROR:  428C9: cannot insert a value into column "twice"/, 'a generated column takes no value');
	like(pg_error(q{UPDATE item SET twice = 3}), qr/ERROR:  428C9: column "twice" cannot be updated/, 'nor is it updated');
	is(tag(q{INSERT INTO item (name, twice) VALUES ('x', NULL)}), 'INSERT 0 1', 'unless with NULL');

	is(statements('insert', sub { is(tag('INSERT INTO item (name) SELECT i FROM generate_series(1, 10000) i'), 'INSERT 0 10000', '10,000 rows') }),
		10, '10,000 rows are 10 statements');
	pg(q{ALTER FOREIGN TABLE item OPTIONS (ADD batch_size '5000')});
	is(statements('insert', sub { pg(q{INSERT INTO item (name) SELECT 'f' || i FROM generate_series(1, 10000) i}) }), 2, 'or as batch_size says');
	is(statements('insert', sub { pg(q{INSERT INTO item (name) VALUES ('one')}) }), 1, 'one row is one');
	is(statements('set_option', sub { pg(q{INSERT INTO item (name) SELECT 'g' || i FROM generate_series(1, 100) i}) }) < 4 ? 'few' : 'many', 'few', 'no SET for each row');
	like(pg(q{EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO item (name) VALUES ('x')}), qr/Remote SQL: INSERT INTO `shop`.`item` \(`name`\) VALUES \(\?\)\n +Batch Size: 5000/,
		'EXPLAIN shows statement and batch size');
	is($mysql->sql('SELECT count(*) FROM item'), 20109, 'all rows are there');
	return;
}

sub test_conflict
{
	$mysql->sql('DELETE FROM item; ALTER TABLE item AUTO_INCREMENT = 1');
	is(tag(q{INSERT INTO item (name) VALUES ('a'), ('b') ON CONFLICT DO NOTHING}), 'INSERT 0 2', 'ON CONFLICT DO NOTHING: no conflict');
	is(tag(q{INSERT INTO item (name) VALUES ('a'), ('c'), ('c'), ('b'), ('d') ON CONFLICT DO NOTHING}), 'INSERT 0 2', 'two of five are new');
	is(tag(q{INSERT INTO item (name) VALUES ('a') ON CONFLICT DO NOTHING}), 'INSERT 0 0', 'a single row that is there');
	is(tag(q{INSERT INTO item (name) VALUES ('e') ON CONFLICT DO NOTHING}), 'INSERT 0 1', 'a single row that is new');
	is(tag(q{INSERT INTO item (name) VALUES ('a'), ('b') ON CONFLICT DO NOTHING}), 'INSERT 0 0', 'all are there');
	is(pg(q{INSERT INTO item (name) VALUES ('a'), ('f') ON CONFLICT DO NOTHING RETURNING name}), 'f', 'RETURNING gives the new ones');
	is(tag(q{INSERT INTO item (name) SELECT (i / 2)::text FROM generate_series(0, 4999) i ON CONFLICT DO NOTHING}), 'INSERT 0 2500', 'half of 5,000');
	is($mysql->sql('SELECT count(*), sum(n) FROM item WHERE length(name) = 1 AND name > "9"'), "6\t42", 'what was there is as it was');
	like(pg_error(q{INSERT INTO item (name) VALUES ('a'), (NULL) ON CONFLICT DO NOTHING}), qr/ERROR:  23502/, 'other errors are no conflicts: NULL');
	like(pg_error(q{INSERT INTO item (name) VALUES (NULL) ON CONFLICT DO NOTHING}), qr/ERROR:  23502/, 'in a single row neither');
	pg(q{ALTER FOREIGN TABLE item ALTER name TYPE text});
	like(pg_error(q{INSERT INTO item (name) VALUES ('a'), (repeat('x', 30)) ON CONFLICT DO NOTHING}), qr/ERROR:  22001/, 'too long');
	like(pg_error(q{INSERT INTO item (name) VALUES ('a') ON CONFLICT (name) DO NOTHING}), qr/ERROR:  42P10/, 'a conflict target cannot be named');
	like(pg_error(q{INSERT INTO item (name) VALUES ('a') ON CONFLICT (name) DO UPDATE SET n = 1}), qr/ERROR:  42P10/, 'DO UPDATE needs one');
	return;
}

sub test_errors
{
	$mysql->sql(q{CREATE TABLE child (id int PRIMARY KEY, item int, FOREIGN KEY (item) REFERENCES item (id));
		CREATE TABLE checked (id int PRIMARY KEY, n int, CHECK (n < 10))});
	pg('IMPORT FOREIGN SCHEMA shop LIMIT TO (child, checked) FROM SERVER my INTO public');
	like(pg_error(q{INSERT INTO item (name) VALUES ('new'), ('a')}), qr/ERROR:  23505: Duplicate entry 'a'/, 'unique violation');
	is($mysql->sql(q{SELECT count(*) FROM item WHERE name = 'new'}), '0', 'the statement is undone');
	like(pg_error(q{UPDATE item SET name = 'b' WHERE name = 'a'}), qr/ERROR:  23505/, 'unique violation by a direct UPDATE');
	like(pg_error(q{UPDATE item SET name = 'b' WHERE name = 'a' AND random() < 2}), qr/ERROR:  23505/, 'by an UPDATE of a row');
	like(pg_error('INSERT INTO child VALUES (1, 999999)'), qr/ERROR:  23503/, 'foreign key violation');
	pg(q{INSERT INTO child SELECT 1, id FROM item WHERE name = 'a'});
	like(pg_error(q{DELETE FROM item WHERE name = 'a'}), qr/ERROR:  23503/, 'by a direct DELETE');
	like(pg_error(q{DELETE FROM item WHERE name = 'a' AND random() < 2}), qr/ERROR:  23503/, 'by a DELETE of a row');
	like(pg_error('INSERT INTO checked VALUES (1, 10)'), qr/ERROR:  23514/, 'check violation');
	is(pg(q{BEGIN; INSERT INTO checked VALUES (1, 1); SAVEPOINT s; \set ON_ERROR_STOP 0
		INSERT INTO checked VALUES (2, 2), (1, 1); ROLLBACK TO s; INSERT INTO checked VALUES (3, 3); COMMIT; SELECT id FROM checked ORDER BY id}) =~ s/^.*ERROR.*$//mr,
		"1\n3", 'a transaction goes on after an error in a subtransaction');
	pg('DELETE FROM child; DELETE FROM checked');
	return;
}

sub test_transactions
{
	is(pg(q{BEGIN; INSERT INTO checked SELECT i, 1 FROM generate_series(1, 10) i; SELECT count(*) FROM checked; ROLLBACK; SELECT count(*) FROM checked}),
		"10\n0", 'ROLLBACK undoes an INSERT, which its own transaction sees');
	is(pg(q{BEGIN; INSERT INTO checked VALUES (1, 1); SAVEPOINT a; UPDATE checked SET n = 2; SAVEPOINT b; DELETE FROM checked;
		ROLLBACK TO b; SELECT n FROM checked; ROLLBACK TO a; SELECT n FROM checked; COMMIT; SELECT n FROM checked}), "2\n1\n1", 'savepoints');
	is(pg(q{DO $$BEGIN
			FOR i IN 1 .. 5 LOOP
				BEGIN
					INSERT INTO checked VALUES (i + 1, i * 3);
				EXCEPTION WHEN check_violation THEN NULL;
				END;
			END LOOP;
		END$$; SELECT string_agg(n::text, ',' ORDER BY id) FROM checked}), '1,3,6,9', 'a block with exceptions');
	is(pg('BEGIN; TRUNCATE checked; SELECT count(*) FROM checked; ROLLBACK; SELECT count(*) FROM checked'), "0\n4", 'TRUNCATE is undone, too');
	is(pg('BEGIN; DELETE FROM checked; ROLLBACK; SELECT count(*) FROM checked'), '4', 'and DELETE');
	pg('TRUNCATE checked');
	is($mysql->sql('SELECT count(*) FROM checked'), '0', 'TRUNCATE');
	return;
}

sub test_truncate
{
	pg(q{INSERT INTO child SELECT 1, id FROM item WHERE name = 'a'});
	like(pg_error('TRUNCATE item'), qr/ERROR:  0A000: cannot truncate a table referenced.*HINT:  Truncate foreign tables for both/s, 'TRUNCATE of what others refer to');
	like(pg_error('TRUNCATE checked CASCADE'), qr/ERROR:  0A000: TRUNCATE ... CASCADE is not supported/, 'CASCADE');
	like(pg_error('TRUNCATE checked RESTART IDENTITY'), qr/ERROR:  0A000: TRUNCATE ... RESTART IDENTITY.*HINT: .*AUTO_INCREMENT/s, 'RESTART IDENTITY');
	is(pg('TRUNCATE item, child; SELECT count(*) FROM item'), '0', 'both tables, in the right order');
	return;
}

sub test_keys
{
	$mysql->sql(q{
		CREATE TABLE pair (a int, b varchar(20) COLLATE utf8mb4_bin, v text, PRIMARY KEY (a, b));
		CREATE TABLE ci (k varchar(20) COLLATE utf8mb4_general_ci NOT NULL, v int, KEY (k));
		CREATE TABLE twice (a int, b int);
		CREATE TABLE nokey (a int, b text);
		CREATE TABLE kinds (f float NOT NULL, d double NOT NULL, t datetime(6) NOT NULL, y varbinary(5) NOT NULL, e enum('x','y') NOT NULL, z bigint unsigned NOT NULL,
			v int, PRIMARY KEY (f, d, t, y, e, z))});
	pg(q{IMPORT FOREIGN SCHEMA shop LIMIT TO (pair, nokey, kinds) FROM SERVER my INTO public;
		CREATE FOREIGN TABLE ci (k text OPTIONS (key 'true'), v int) SERVER my;
		CREATE FOREIGN TABLE twice (a int OPTIONS (key 'true'), b int) SERVER my;});
	pg(q{INSERT INTO pair VALUES (1, 'x', 'p'), (1, 'X', 'q'), (1, 'y', 'r'), (2, 'x', 's')});
	is(tag(q{UPDATE pair SET v = v || random() WHERE a = 1 AND b = 'x' AND random() < 2}), 'UPDATE 1', 'UPDATE by a key of two columns');
	is(pg(q{SELECT string_agg(left(v, 2), ',' ORDER BY b COLLATE "C", a) FROM pair}), 'q,p0,s,r', 'hits one row');
	is(tag(q{UPDATE pair SET a = 3, b = 'new' WHERE v = 's' AND random() < 2}), 'UPDATE 1', 'the key itself is updated');
	is(pg(q{UPDATE pair SET b = 'newer', v = 't' || left(random()::text, 0) WHERE a = 3 RETURNING *}), '3|newer|t', 'and comes back');
	is(tag(q{DELETE FROM pair WHERE a = 1 AND random() < 2}), 'DELETE 3', 'DELETE by key');

	$mysql->sql(q{INSERT INTO ci VALUES ('abc', 1), ('ABC', 2), ('abc ', 3), ('Äbc', 4)});
	is(tag(q{UPDATE ci SET v = v + 10 WHERE k = 'ABC' AND random() < 2}), 'UPDATE 1', 'UPDATE of one among variants that the server takes for equal');
	is(tag(q{UPDATE ci SET v = v + 20 WHERE k = 'abc'}), 'UPDATE 1', 'a direct one');
	is(tag(q{DELETE FROM ci WHERE k = 'abc ' AND random() < 2}), 'DELETE 1', 'DELETE');
	is(pg('SELECT string_agg(v::text, $$,$$ ORDER BY v) FROM ci'), '4,12,21', 'no other was hit');

	$mysql->sql('INSERT INTO twice VALUES (1, 1), (1, 2), (2, 3)');
	like(pg_error('UPDATE twice SET b = b + random()::int WHERE b = 1'), qr/ERROR:  21000: the key columns of foreign table "twice" do not identify one row/, 'a key that is none');
	like(pg_error('DELETE FROM twice WHERE b = 1 AND random() < 2'), qr/ERROR:  21000/, 'in a DELETE');
	is($mysql->sql('SELECT count(*), sum(b) FROM twice'), "3\t6", 'changes nothing');

	like(pg_error(q{DELETE FROM nokey WHERE random() < 2}), qr/ERROR:  0A000: rows of foreign table "nokey" cannot be updated.*HINT:  Set the option "key"/s, 'no key');
	is(tag(q{INSERT INTO nokey VALUES (1, 'x'), (2, 'y')}), 'INSERT 0 2', 'but INSERT');
	is(tag(q{UPDATE nokey SET b = 'z' WHERE a = 1}), 'UPDATE 1', 'and direct UPDATE');

	pg(q{INSERT INTO kinds VALUES (0.1, 0.1, '2026-01-01 00:00:00.000001', '\xff00', 'x', 18446744073709551615, 1),
		(0.1, 0.2, '2026-01-01 00:00:00.000001', '\xff00', 'x', 18446744073709551615, 1)});
	is(tag(q{UPDATE kinds SET v = v + random()::int * 0 + 1 WHERE d = 0.1}), 'UPDATE 1', 'keys of other types');
	is(pg('SELECT string_agg(v::text, $$,$$ ORDER BY d) FROM kinds'), '2,1', 'hit their row');
	return;
}

sub test_direct
{
	$mysql->sql(q{CREATE TABLE num (id int PRIMARY KEY, a int, b int, price decimal(10,2), big bigint, s varchar(10) COLLATE utf8mb4_bin, d double, dt datetime(6), ts timestamp(6) NULL)});
	pg(q{IMPORT FOREIGN SCHEMA shop LIMIT TO (num) FROM SERVER my INTO public;
		INSERT INTO num SELECT i, i, i * 2, i / 8.0, i, 's' || i, i / 3.0, '2026-01-01'::timestamp + i * interval '1 s' , NULL FROM generate_series(1, 999) i;
		CREATE TABLE local AS SELECT * FROM num});
	my $same = sub {
		my ($sql, $name) = @_;
		my ($there, $here) = map { tag($sql =~ s/\bT\b/$_/gr) } qw(num local);
		is($there, $here, "$name: the count");
		is(pg('SELECT count(*) FROM (TABLE num EXCEPT TABLE local) x'), '0', "$name: the rows");
	};
	is(statements('update', sub { $same->('UPDATE T SET a = a + 1', '999 rows') }), 1, 'UPDATE of 999 rows is one statement');
	is(statements('delete', sub { $same->('DELETE FROM T WHERE id > 900', 'DELETE') }), 1, 'DELETE of 99 rows is one');
	$same->('UPDATE T SET price = price * 1.005 WHERE id < 500', 'numbers are rounded as here');
	$same->('UPDATE T SET price = price / -3 WHERE id < 500 AND id > 20', 'quotients');
	$same->('UPDATE T SET a = b, b = a', 'columns are exchanged');
	$same->('UPDATE T SET a = b + 1, b = 5 WHERE id < 10', 'an expression sees the row as it was');
	$same->('UPDATE T SET b = 6, a = b + 1 WHERE id < 10', 'whatever the order');
	$same->(q{UPDATE T SET s = NULL, dt = dt + interval '1 day', ts = '2026-05-05 12:00:00.5+02' WHERE id BETWEEN 5 AND 7}, 'NULL and times');
	$same->(q{UPDATE T SET s = upper(s) WHERE s LIKE 's1%'}, 'text');
	$same->(q{UPDATE T SET s = s || 'x' WHERE s = 'S1'}, 'text joined');
	$same->(q{UPDATE T SET big = big * 1000 + a, d = d * 2 WHERE a % 2 = 0}, 'integers and doubles');
	$same->(q{UPDATE T SET a = CASE WHEN a > 100 THEN 1 ELSE a END}, 'CASE');
	$same->(q{UPDATE T SET a = 1 WHERE id = ANY ('{1,2,3,4000}')}, '= ANY');
	$same->(q{UPDATE T SET a = 2 WHERE false}, 'nothing to do');
	$same->(q{UPDATE T SET a = (SELECT max(id) FROM local) WHERE id = (SELECT min(id) FROM local)}, 'values of subqueries');
	$same->(q{UPDATE T SET (a, b) = (SELECT x.a, x.b FROM local x WHERE x.id = T.id + 1) WHERE id < 20}, 'rows from another table');
	$same->(q{UPDATE T SET a = l.a * 3 FROM local l WHERE l.id = T.id AND l.id < 50}, 'a join');
	$same->(q{DELETE FROM T USING local l WHERE l.id = T.id AND l.id > 890}, 'DELETE by a join');
	like(pg_error('UPDATE num SET a = (a + 10) * 1000000000'), qr/ERROR:  22003/, 'out of range');
	like(pg_error(q{UPDATE num SET s = s || 'xxxxxxxxxx'}), qr/ERROR:  22001/, 'too long');
	is(pg('SET lyftron.pushdown = off; EXPLAIN (COSTS OFF) UPDATE num SET a = 1') =~ /Foreign Update/ ? 1 : 0, 0, 'lyftron.pushdown off: not direct');
	like(pg('EXPLAIN (VERBOSE, COSTS OFF) UPDATE num SET a = 5, b = b + 1 WHERE id > 3'),
		qr/Foreign Update.*\n +Remote SQL: UPDATE `shop`.`num` SET `b` = .*, `a` = \$1 WHERE \(`id` > 3\)\n|Remote SQL: UPDATE `shop`.`num` SET `a` = \$1, `b` = .* WHERE \(`id` > 3\)/,
		'EXPLAIN shows the statement');
	is(pg(q{PREPARE u(int, text) AS UPDATE num SET s = $2 WHERE id = $1;
		EXECUTE u(1, 'one'); EXECUTE u(2, NULL); EXECUTE u(3, 'it''s'); SELECT string_agg(coalesce(s, '-'), ',' ORDER BY id) FROM num WHERE id < 4}), q{one,-,it's}, 'parameters');
	like(pg(q{EXPLAIN (COSTS OFF) DELETE FROM num WHERE id = 1 RETURNING *}), $mariadb ? qr/Foreign Delete/ : qr/Delete on num\n.*Foreign Scan/s, 'DELETE with RETURNING');
	is(pg('DELETE FROM num WHERE id IN (2, 3) RETURNING id, s'), "2|\n3|it's", 'gives the rows');
	is(pg('DELETE FROM num WHERE id IN (4, 5) AND random() < 2 RETURNING id'), "4\n5", 'row by row, too');
	is(pg(q{WITH gone AS (DELETE FROM num WHERE id = 6 RETURNING *) SELECT id, (SELECT count(*) FROM num WHERE id = 7) FROM gone}), '6|1', 'beside a query');
	like(pg_error('DELETE FROM num WHERE id = 7 RETURNING 1 / (id - 7)'), qr/ERROR:  22012/, 'an error in RETURNING');
	is(pg('SELECT count(*) FROM num WHERE id = 7'), '1', 'undoes it');
	pg('DROP TABLE local');
	return;
}

sub test_copy
{
	my $file = $node->basedir . '/copied';
	pg(q{CREATE FOREIGN TABLE copied (id int OPTIONS (key 'true'), s text, n int) SERVER my});
	$mysql->sql('CREATE TABLE copied (id int AUTO_INCREMENT PRIMARY KEY, s varchar(50), n int DEFAULT 3)');
	pg("COPY (SELECT i, 'row ' || i, i FROM generate_series(1, 10000) i) TO '$file'");
	my $count = statements('insert', sub { is(tag("COPY copied FROM '$file'"), 'COPY 10000', 'COPY FROM') });
	cmp_ok($count, '<=', 20, "in few statements ($count)");
	is(pg('SELECT count(*), sum(n), min(s), max(s) FROM copied'), '10000|50005000|row 1|row 9999', 'all rows');
	like(pg_error("COPY copied FROM '$file'"), qr/ERROR:  23505/, 'COPY of rows that are there');
	pg('DELETE FROM copied');
	pg("COPY (SELECT 'only ' || i FROM generate_series(1, 10) i) TO '$file'");
	pg("COPY copied (s) FROM '$file'");
	is(pg('SELECT count(*), count(DISTINCT id), min(n), max(n) FROM copied'), '10|10|3|3', "columns that are not copied get the server's defaults");
	pg(q{ALTER FOREIGN TABLE copied ALTER n SET DEFAULT 8; DELETE FROM copied});
	pg("COPY copied (s) FROM '$file'");
	is(pg('SELECT count(*), min(n), max(n) FROM copied'), '10|8|8', 'or the defaults here');
	is(pg("BEGIN; COPY copied (s) FROM '$file'; SELECT count(*) FROM copied; ROLLBACK; SELECT count(*) FROM copied"), "20\n10", 'a rollback undoes COPY');
	pg("COPY copied (s) FROM '$file' WHERE s > 'only 5'");
	is(pg('SELECT count(*) FROM copied'), '14', 'COPY with a condition');
	pg('DELETE FROM copied');
	return;
}

sub test_triggers
{
	pg(q{CREATE TABLE log (what text, was text, becomes text);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES (TG_WHEN || ' ' || TG_OP, OLD::text, NEW::text); RETURN coalesce(NEW, OLD); END$$;
		CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
			IF NEW.s = 'skip' THEN RETURN NULL; END IF; NEW.s := NEW.s || '!'; RETURN NEW; END$$;
		CREATE FUNCTION total() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES ('rows', NULL, (SELECT count(*) FROM copied)); RETURN NULL; END$$;
		CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON copied FOR EACH ROW EXECUTE FUNCTION note();
		CREATE TRIGGER change BEFORE INSERT OR UPDATE ON copied FOR EACH ROW EXECUTE FUNCTION change();
		CREATE TRIGGER total AFTER INSERT OR DELETE ON copied FOR EACH STATEMENT EXECUTE FUNCTION total();
		ALTER FOREIGN TABLE copied ALTER n DROP DEFAULT});
	is(tag(q{INSERT INTO copied (id, s) VALUES (1, 'a'), (2, 'skip'), (3, 'b')}), 'INSERT 0 2', 'BEFORE ROW triggers skip a row');
	is(tag(q{UPDATE copied SET n = 4 WHERE id = 1}), 'UPDATE 1', 'UPDATE');
	is(tag(q{DELETE FROM copied WHERE id = 3}), 'DELETE 1', 'DELETE');
	is(pg('SELECT what, was, becomes FROM log'), "AFTER INSERT||(1,a!,3)\nAFTER INSERT||(3,b!,3)\nrows||2\n"
		  . "AFTER UPDATE|(1,a!,3)|(1,a!!,4)\nAFTER DELETE|(3,b!,3)|\nrows||1", 'triggers see the rows as the server has them');
	is($mysql->sql('SELECT id, s, n FROM copied'), "1\ta!!\t4", 'what a BEFORE trigger changed was written');
	my $file = $node->basedir . '/copied';
	pg("TRUNCATE log; COPY copied (s) FROM '$file'");
	is(pg(q{SELECT count(*), max(becomes) FILTER (WHERE what = 'rows') FROM log}), '11|11', 'triggers with COPY');
	pg('DROP TRIGGER note ON copied; DROP TRIGGER change ON copied; TRUNCATE log');
	pg("COPY copied (s) FROM '$file'");
	is(pg(q{SELECT max(becomes) FROM log}), '21', 'a trigger for the statement sees all rows of COPY');
	pg('DROP TRIGGER total ON copied; DELETE FROM copied');

	$mysql->sql(q{CREATE TRIGGER upper_s BEFORE INSERT ON copied FOR EACH ROW SET NEW.s = upper(NEW.s)});
	is(pg(q{INSERT INTO copied (id, s) VALUES (1, 'abc') RETURNING *}), '1|ABC|3', "RETURNING shows what the server's triggers did");
	pg(q{CREATE VIEW small AS SELECT * FROM copied WHERE s = 'abc' WITH CHECK OPTION});
	like(pg_error(q{INSERT INTO small (id, s) VALUES (2, 'abc')}), qr/ERROR:  44000/, 'WITH CHECK OPTION looks at the row as the server has it');
	$mysql->sql('DROP TRIGGER upper_s');
	is(tag(q{INSERT INTO small (id, s) VALUES (2, 'abc')}), 'INSERT 0 1', 'WITH CHECK OPTION');
	like(pg_error(q{UPDATE small SET s = 'x'}), qr/ERROR:  44000/, 'in an UPDATE');
	is(pg('SELECT count(*) FROM copied'), '2', 'nothing else was written');
	pg('DROP VIEW small; DROP FUNCTION note, change, total; DROP TABLE log');
	return;
}

sub test_partitions
{
	$mysql->sql('CREATE TABLE part (id int AUTO_INCREMENT PRIMARY KEY, k int NOT NULL, v varchar(20))');
	pg(q{CREATE TABLE parted (id int, k int, v text) PARTITION BY LIST (k);
		CREATE TABLE p1 PARTITION OF parted FOR VALUES IN (1);
		CREATE FOREIGN TABLE p2 (v text, k int, id int OPTIONS (key 'true')) SERVER my OPTIONS ("table" 'part');
		ALTER TABLE parted ATTACH PARTITION p2 FOR VALUES IN (2)});
	is(tag(q{INSERT INTO parted SELECT i, i % 2 + 1, i FROM generate_series(1, 1000) i}), 'INSERT 0 1000', 'rows are routed to a foreign partition');
	is($mysql->sql('SELECT count(*), min(id), max(v) FROM part'), "500\t1\t999", 'which has its own');
	is(statements('insert', sub { pg('INSERT INTO parted SELECT i, i % 2 + 1, i FROM generate_series(1001, 2000) i') }), 1, 'in one statement');
	is(pg(q{INSERT INTO parted (k, v) VALUES (2, 'new'), (1, 'old') RETURNING id > 0, k}), "t|2\n|1", 'AUTO_INCREMENT fills what has no value');
	pg(q{DELETE FROM parted WHERE v IN ('new', 'old')});
	is(tag(q{UPDATE parted SET k = 2, v = 'moved' WHERE k = 1 AND id < 11}), 'UPDATE 5', 'rows move to it');
	is($mysql->sql(q{SELECT count(*) FROM part WHERE v = 'moved'}), '5', 'and are there');
	like(pg_error('UPDATE parted SET k = 3 - k'), qr/ERROR:  0A000: rows cannot be moved to foreign table "p2"/, 'not by a statement that updates it as well');
	like(pg_error('UPDATE parted SET k = 1 WHERE k = 2 AND id = 1'), qr/ERROR:  23514/, 'they do not move away from it');
	like(pg_error('UPDATE p2 SET k = 1 WHERE random() < 2'), qr/ERROR:  23514/, 'nor by its own name');
	like(pg_error(q{INSERT INTO p2 (id, k, v) VALUES (5000, 1, 'x')}), qr/ERROR:  23514/, 'a row that does not belong there is refused');
	is(tag(q{UPDATE parted SET v = 'all'}), 'UPDATE 2000', 'all partitions are updated');
	is($mysql->sql(q{SELECT count(*) FROM part WHERE v = 'all'}), '1005', 'the foreign one, too');
	my $file = $node->basedir . '/parted';
	pg("COPY (SELECT i, i % 2 + 1, i FROM generate_series(3001, 4000) i) TO '$file'");
	my $count = statements('insert', sub { is(tag("COPY parted FROM '$file'"), 'COPY 1000', 'COPY into the partitioned table') });
	cmp_ok($count, '<=', 5, "in few statements ($count)");
	is(tag('DELETE FROM parted'), 'DELETE 3000', 'DELETE');
	is($mysql->sql('SELECT count(*) FROM part'), '0', 'of all rows');
	pg('DROP TABLE parted');
	return;
}

sub test_same_session
{
	$mysql->sql('CREATE TABLE walk (id int AUTO_INCREMENT PRIMARY KEY, n int, pad varchar(200))');
	pg('IMPORT FOREIGN SCHEMA shop LIMIT TO (walk) FROM SERVER my INTO public');
	pg(q{INSERT INTO walk (n, pad) SELECT i, repeat('x', 200) FROM generate_series(1, 3000) i});
	is(tag('INSERT INTO walk (n, pad) SELECT n, pad FROM walk'), 'INSERT 0 3000', 'rows are read and written over one connection');
	is(tag('UPDATE walk SET n = n + 1 + random()::int * 0 WHERE id <= 3000'), 'UPDATE 3000', 'an UPDATE row by row');
	is(pg('SELECT count(*), sum(n) FROM walk'), '6000|' . (2 * 3000 * 3001 / 2 + 3000), 'each row once');
	is(pg(q{DO $$DECLARE r record; BEGIN
			FOR r IN SELECT id, n FROM walk WHERE id <= 100 LOOP UPDATE walk SET n = r.n * 2 WHERE id = r.id; INSERT INTO walk (n) VALUES (-1); END LOOP;
		END$$; SELECT count(*) FROM walk WHERE n = -1}), '100', 'a loop over a query that writes');
	my $reader = background_query($node, q{BEGIN; SELECT n FROM walk WHERE id IN (201, 202); SELECT pg_sleep(3);
		UPDATE walk SET n = n + 1 WHERE id = 201; UPDATE walk SET n = n + 1 + random()::int * 0 WHERE id = 202; COMMIT});
	wait_until(10, sub { $mysql->transactions ne '0' });
	$mysql->sql('UPDATE walk SET n = 1000 WHERE id IN (201, 202)');
	$reader->{run}->finish;
	is(pg('SELECT n FROM walk WHERE id IN (201, 202)'), "1001\n1001", 'no update of another is lost');
	my $seconds = watched() ? 40 : 6;
	my $held = background_query($node, "BEGIN; UPDATE walk SET n = 0 WHERE id = 1; SELECT pg_sleep($seconds); COMMIT");
	wait_until(10, sub { $mysql->transactions ne '0' });
	like(pg_error('UPDATE walk SET n = 1 WHERE id = 1'), qr/ERROR:  55P03/, 'a lock that is not had in time');
	is(pg('SELECT id FROM walk WHERE id IN (1, 2) FOR UPDATE SKIP LOCKED'), '2', 'SKIP LOCKED');
	like(pg_error('SELECT id FROM walk WHERE id = 1 FOR UPDATE NOWAIT'), qr/ERROR:  55P03/, 'NOWAIT');
	like(pg_error('SELECT id FROM walk WHERE id = 1 FOR SHARE'), qr/ERROR:  55P03/, 'FOR SHARE');
	$held->{run}->finish;
	return;
}

# UPDATE and DELETE row by row: statements are sent together where nobody can tell
sub test_together
{
	my $sent = sub { pg("EXPLAIN (VERBOSE, COSTS OFF) $_[0]") =~ /Batch Size: (\d+)/; $1 };
	pg(q{CREATE TABLE ids AS SELECT i FROM generate_series(1, 100) i; INSERT INTO ids VALUES (1), (2)});
	is($sent->('UPDATE walk SET n = n + random() * 0'), 1000, 'an UPDATE of rows: sent together');
	is($sent->('UPDATE walk SET n = ids.i FROM ids WHERE ids.i = walk.id'), 1000, 'by a join, too');
	is($sent->('DELETE FROM walk WHERE random() < 2'), 1000, 'a DELETE');
	is($sent->('DELETE FROM walk USING ids WHERE ids.i = walk.id'), 1, 'not where a join may give a row twice');
	is($sent->('UPDATE walk SET n = n + random() * 0 RETURNING n'), 1, 'nor where rows come back');
	is(tag('DELETE FROM walk USING ids WHERE ids.i = walk.id'), 'DELETE 100', 'each row that is deleted counts once');
	is(tag('UPDATE walk SET n = id + random()::int * 0'), 'UPDATE ' . $mysql->sql('SELECT count(*) FROM walk'), 'a large UPDATE');
	is($mysql->sql('SELECT count(*) FROM walk WHERE n <> id'), 0, 'each row has got its own');
	is(pg(q{DO $$DECLARE gone int; BEGIN
			BEGIN
				UPDATE walk SET id = CASE WHEN id < 3000 THEN id ELSE 3000 END + random()::int * 0;
			EXCEPTION WHEN unique_violation THEN RAISE WARNING 'refused';
			END;
			DELETE FROM walk WHERE random() < 2 AND id <= 3000; GET DIAGNOSTICS gone = ROW_COUNT; CREATE TABLE gone AS SELECT gone;
		END$$; TABLE gone; DROP TABLE gone}), '2900', 'an error is caught where the statement is, and the count is told');
	is($mysql->sql('SELECT count(*) FROM walk WHERE n <> id OR id <= 3000'), 0, 'the refused one did nothing');
	pg('DROP TABLE ids');
	return;
}

sub test_rights
{
	pg(q{ALTER FOREIGN TABLE walk OPTIONS (ADD updatable 'false')});
	like(pg_error('INSERT INTO walk (n) VALUES (1)'), qr/ERROR:  55000: foreign table "walk" does not allow inserts/, 'updatable false: no INSERT');
	like(pg_error('UPDATE walk SET n = 1'), qr/ERROR:  55000/, 'no UPDATE');
	like(pg_error('DELETE FROM walk'), qr/ERROR:  55000/, 'no DELETE');
	is(pg(q{SELECT is_insertable_into FROM information_schema.tables WHERE table_name = 'walk'}), 'NO', 'information_schema says so');
	like(pg_error('TRUNCATE walk'), qr/ERROR:  55000/, 'no TRUNCATE');
	pg(q{ALTER FOREIGN TABLE walk OPTIONS (DROP updatable)});
	pg(q{CREATE ROLE bob; GRANT ALL ON walk TO bob; GRANT USAGE ON FOREIGN SERVER my TO bob});
	like(pg_error('SET ROLE bob; INSERT INTO walk (n) VALUES (1)'), qr/ERROR:  42704: user mapping not found/, 'another role needs a mapping');
	pg(q{CREATE VIEW through AS SELECT * FROM walk; GRANT ALL ON through TO bob});
	is(tag('SET ROLE bob; INSERT INTO through (n) VALUES (1)'), 'INSERT 0 1', "a view's owner has one");
	is(tag('SET ROLE bob; UPDATE through SET n = 77000 WHERE n = 1 AND random() < 2'), 'UPDATE ' . $mysql->sql('SELECT count(*) FROM walk WHERE n = 77000'), 'UPDATE through it');
	pg('DROP VIEW through; DROP OWNED BY bob; DROP ROLE bob');
	return;
}

# a column that is computed here when it is read is nothing to the server
sub test_virtual
{
	return if pg('SHOW server_version_num') < 180000;
	$mysql->sql('CREATE TABLE computed (id int PRIMARY KEY, n int)');
	pg(q{CREATE FOREIGN TABLE computed (id int OPTIONS (key 'true'), twice int GENERATED ALWAYS AS (n * 2) VIRTUAL, n int) SERVER my});
	is(pg('INSERT INTO computed VALUES (1, DEFAULT, 4), (2, DEFAULT, 5) RETURNING twice'), "8\n10", 'virtual columns: INSERT');
	is(pg('UPDATE computed SET n = n + 1 + random()::int * 0 WHERE id = 1 RETURNING twice'), '10', 'UPDATE');
	is(pg('UPDATE computed SET n = 7 WHERE twice = 10 AND id = 2; SELECT id, twice FROM computed ORDER BY id'), "1|10\n2|14", 'and in a condition');
	return;
}

# a statement is never larger than the server takes, and a row that is too large is an error
sub test_packets
{
	$mysql->sql('CREATE TABLE large (id int PRIMARY KEY, t longtext)');
	pg('IMPORT FOREIGN SCHEMA shop LIMIT TO (large) FROM SERVER my INTO public');
	is(tag(q{INSERT INTO large SELECT i, repeat('x', 100000) FROM generate_series(1, 100) i}), 'INSERT 0 100', '10 MB in rows of 100 kB');
	is(pg('SELECT count(*), sum(length(t)) FROM large'), '100|10000000', 'all of them');
	like(pg_error(q{INSERT INTO large VALUES (1000, repeat('x', 5000000))}), qr/ERROR:  54000: .*HINT:  .*max_allowed_packet/s, 'a row that is too large');
	is(tag(q{INSERT INTO large VALUES (1000, repeat('''', 1900000))}), 'INSERT 0 1', 'one that is not');
	is(pg('SELECT length(t) FROM large WHERE id = 1000'), '1900000', 'is there');
	return;
}

my @servers = ([ MariaDB => 'LyftronMysql' ], [ 'MySQL 9' => 'LyftronMysql9' ]);
for (@servers)
{
	my ($name, $class) = @$_;
	subtest $name => sub {
		my $missing = $class->can('missing') ? $class->missing : undef;
		plan skip_all => $missing if defined $missing;
		$mysql = $class->new(options => [ '--max-allowed-packet=4M', '--innodb-lock-wait-timeout=1' ]);
		$mariadb = $name eq 'MariaDB';
		$mysql->connect_node($node, 'my');
		test_types();
		test_refused_values();
		test_insert();
		test_conflict();
		test_errors();
		test_transactions();
		test_truncate();
		test_keys();
		test_direct();
		test_copy();
		test_triggers();
		test_partitions();
		test_same_session();
		test_together();
		test_rights();
		test_virtual();
		test_packets();
		pg('DROP SERVER my CASCADE');
		$mysql->stop;
	};
}
done_testing();
