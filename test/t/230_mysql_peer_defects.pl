
# What other wrappers of MySQL get wrong or cannot do, each as a case that would show it: rows lost or changed without a word,
# answers that are not PostgreSQL's, statements that bring whole tables.  docs/mysql-pushdown.md has the list.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronMysql;
use LyftronTest;
use Test::More;

my $node = new_node('main', "timezone = 'UTC'\n", '--encoding=UTF8');
my $mysql = LyftronMysql->new;
$mysql->connect_node($node, 'my', options => "zero_dates 'null'");

sub pg { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# tables made there, and imported
sub tables
{
	my ($sql, @names) = @_;
	$mysql->sql($sql);
	pg('DROP FOREIGN TABLE IF EXISTS ' . join(', ', @names) . '; IMPORT FOREIGN SCHEMA shop LIMIT TO (' . join(', ', @names) . ') FROM SERVER my INTO public');
	return;
}

# statements of some kind that the server ran for one of ours
sub statements
{
	my ($kind, $sql) = @_;
	my $count = sub { $mysql->sql("SHOW GLOBAL STATUS LIKE 'Com_$kind'") =~ /(\d+)$/; return $1 };
	my $before = $count->();
	pg($sql);
	return $count->() - $before;
}

subtest 'a value over 64 kB does not end the scan' => sub {
	tables(q{CREATE TABLE long_values (id int PRIMARY KEY, v varchar(16000), j json, b longblob, t longtext);
		INSERT INTO long_values VALUES (1, 'a', '{}', 'a', 'a'),
			(2, repeat('v', 16000), concat('["', repeat('j', 100000), '"]'), repeat('b', 100000), repeat('t', 100000)), (3, 'c', '{}', 'c', 'c')}, 'long_values');
	is(pg('SELECT id, length(v), length(j::text), length(b), length(t) FROM long_values ORDER BY id'), "1|1|2|1|1\n2|16000|100004|100000|100000\n3|1|2|1|1", 'all rows, whole');
};

subtest 'texts that the server takes for equal' => sub {
	tables(q{CREATE TABLE cased (id int PRIMARY KEY, t varchar(20) COLLATE utf8mb4_general_ci, KEY (t));
		INSERT INTO cased VALUES (1, 'abc'), (2, 'Abc'), (3, 'ABC'), (4, 'b'), (5, 'B'), (6, 'a'), (7, 'abc ')}, 'cased');
	is(pg(q{SELECT count(*) FROM cased WHERE t = 'abc'}), '1', 'a comparison');
	is(pg('SELECT count(*) FROM (SELECT t FROM cased GROUP BY t) x'), '7', 'groups');
	is(pg('SELECT count(DISTINCT t) FROM cased'), '7', 'distinct');
	is(pg('SELECT string_agg(t, \',\') FROM (SELECT t FROM cased ORDER BY t COLLATE "C") x'), 'ABC,Abc,B,a,abc,abc ,b', 'order');
	is(pg(q{SELECT count(*) FROM cased WHERE t ~ '^A' OR t LIKE 'a_c'}), '3', 'patterns');
	pg('CREATE TABLE local_cased (t text); INSERT INTO local_cased SELECT t FROM cased');
	is(pg("SET enable_hashjoin = off; SET enable_nestloop = off; SELECT count(*) FROM cased JOIN local_cased USING (t)"), '7', 'a merge join with a table here');
};

subtest 'LIMIT stays above what is done here' => sub {
	tables(q{CREATE TABLE lim (id int PRIMARY KEY, k int, v varchar(10)); INSERT INTO lim SELECT seq, seq % 10, concat('v', seq % 5) FROM seq_1_to_1000;
		CREATE TABLE lim2 (id int PRIMARY KEY, ref int); INSERT INTO lim2 SELECT seq, seq FROM seq_990_to_1100}, 'lim', 'lim2');
	is(pg('SELECT count(*) FROM (SELECT * FROM lim JOIN lim2 ON lim2.ref = lim.id LIMIT 5) x'), '5', 'a join');
	is(pg(q{SELECT count(*) FROM (SELECT * FROM lim WHERE upper(v) = 'V4' AND id > 900 LIMIT 3) x}), '3', 'a condition checked here');
	is(pg('SELECT count(*) FROM (SELECT DISTINCT k FROM lim LIMIT 3) x'), '3', 'DISTINCT');
	is(pg('SELECT count(*) FROM (SELECT k, count(*) FROM lim GROUP BY k LIMIT 3) x'), '3', 'groups');
	is(pg('SELECT count(*) FROM (SELECT generate_series(1, 3) FROM lim LIMIT 5) x'), '5', 'sets');
};

subtest 'a few keys do not read a large table' => sub {
	tables('CREATE TABLE large_one (id int PRIMARY KEY, v varchar(20)); INSERT INTO large_one SELECT seq, seq FROM seq_1_to_50000', 'large_one');
	pg('CREATE TABLE few AS SELECT i * 400 AS id FROM generate_series(1, 100) i; ANALYZE few');
	my $before = $mysql->sql(q{SHOW GLOBAL STATUS LIKE 'Innodb_rows_read'}) =~ /(\d+)$/ && $1;
	is(pg('SELECT count(*), sum(v::int) FROM few JOIN large_one USING (id)'), '100|2020000', 'the rows');
	my $after = $mysql->sql(q{SHOW GLOBAL STATUS LIKE 'Innodb_rows_read'}) =~ /(\d+)$/ && $1;
	cmp_ok($after - $before, '<', 1000, 'that the server read');
	like(pg('EXPLAIN SELECT * FROM large_one WHERE id = 7'), qr/Foreign Scan.* rows=1 /, 'the planner knows that a key is unique, without ANALYZE');
};

subtest 'writing' => sub {
	tables('CREATE TABLE w (dup int, id int PRIMARY KEY, n decimal(40,10), ts datetime(6), ti time(6), bu bigint unsigned)', 'w');
	is(statements('set_option', 'INSERT INTO w (dup, id) SELECT 1, i FROM generate_series(1, 1000) i'), statements('set_option', 'SELECT 1 FROM w LIMIT 1'),
		'no SET for each row');
	is(statements('insert', 'INSERT INTO w (dup, id) SELECT 1, i FROM generate_series(1001, 2000) i'), 1, 'rows by the batch');
	is(statements('insert', 'COPY w (dup, id) FROM PROGRAM \'seq 3001 4000 | sed "s/^/1\t/"\''), 1, 'COPY');
	is(statements('update', 'UPDATE w SET dup = 2 WHERE id < 1000'), 1, 'an UPDATE of 999 rows');
	is(statements('delete', 'DELETE FROM w WHERE id > 2000'), 1, 'a DELETE of many rows');
	pg('UPDATE w SET dup = dup + 1 + random()::int * 0 WHERE id = 7');
	is($mysql->sql('SELECT dup, count(*) FROM w GROUP BY dup ORDER BY dup'), "1\t1001\n2\t998\n3\t1", 'an UPDATE finds its row by the key, not by the first column');
	is(pg('UPDATE w SET id = 5000 WHERE id = 8 RETURNING id, dup'), '5000|2', 'a key can be updated, and RETURNING');
	pg('BEGIN; DELETE FROM w; INSERT INTO w (id) VALUES (1); ROLLBACK');
	is($mysql->sql('SELECT count(*) FROM w'), '2000', 'ROLLBACK undoes it there');
	pg(q{INSERT INTO w VALUES (9, 9000, 12345678901234567890.1234567891, '2026-01-02 03:04:05.678901', '-12:30:00.000001', 18446744073709551615)});
	is($mysql->sql('SELECT n, ts, ti, bu FROM w WHERE id = 9000'), "12345678901234567890.1234567891\t2026-01-02 03:04:05.678901\t-12:30:00.000001\t18446744073709551615",
		'no digit is lost on its way there');
	is(pg('SELECT n, ts, ti, bu FROM w WHERE id = 9000'), '12345678901234567890.1234567891|2026-01-02 03:04:05.678901|-12:30:00.000001|18446744073709551615', 'nor back');
};

subtest 'an import takes every type and every name' => sub {
	my $there = q{it's "odd" \ %};
	my $here = q{odd."it's ""odd"" \ %"};
	$mysql->sql("CREATE TABLE `$there` (u int unsigned, ub bigint unsigned, b bit(40), y year, s set('a', 'b'), e enum('x'), g geometry, bi binary(3),
		f float, z date); SET sql_mode = '';
		INSERT INTO `$there` VALUES (4000000000, 18446744073709551615, b'1', 1901, 'a,b', 'x', point(1, 2), x'ff0001', 16777216, '0000-00-00')");
	pg('CREATE SCHEMA odd; IMPORT FOREIGN SCHEMA shop FROM SERVER my INTO odd');
	is(pg("SELECT count(*) FROM pg_attribute WHERE attrelid = \$\$$here\$\$::regclass AND attnum > 0"), '10', 'all columns');
	is(pg("SELECT u, ub, length(b), y, s, e, length(g), bi, f, z IS NULL FROM $here"),
		'4000000000|18446744073709551615|40|1901|{a,b}|x|21|\xff0001|1.6777216e+07|t', 'with their values');
	is(pg("ANALYZE $here; SELECT reltuples FROM pg_class WHERE oid = \$\$$here\$\$::regclass"), '1', 'ANALYZE');
};

subtest 'a pipeline knows the key' => sub {
	tables('CREATE TABLE keyed (v varchar(10), b int, a int, PRIMARY KEY (a, b)); INSERT INTO keyed SELECT seq, seq % 2, seq FROM seq_1_to_100', 'keyed');
	pg(q{SELECT lyftron.create_pipeline('keyed', source => 'keyed', destination => 'keyed_copy', mode => 'incremental'); CALL lyftron.run('keyed')});
	$mysql->sql('UPDATE keyed SET v = 0 WHERE a = 7');
	pg(q{CALL lyftron.run('keyed')});
	is(pg(q{SELECT primary_key FROM lyftron.pipelines WHERE name = 'keyed'}), '{b,a}', 'the columns with the option key');
	is(pg(q{SELECT count(*), sum(v::int) FROM keyed_copy}), '100|5043', 'by which rows are merged');
};

subtest 'a time out ends a query that waits' => sub {
	tables('CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)', 'one');
	$mysql->sql('CREATE VIEW slow AS SELECT id, sleep(8) AS s FROM one');
	pg(q{CREATE FOREIGN TABLE slow (id int, s int) SERVER my});
	my $start = time;
	my ($out, $err) = ('', '');
	$node->psql('postgres', q{SET statement_timeout = '1s'; SELECT * FROM slow}, stderr => \$err);
	like($err, qr/canceling statement due to statement timeout/, 'here');
	cmp_ok(time - $start, '<', 5, 'long before the server would have answered');
	wait_until(5, sub { $mysql->sessions('%sleep%') eq '0' });
	is($mysql->sessions('%sleep%'), '0', 'and there');
};

done_testing();
