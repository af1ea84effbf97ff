
# What other wrappers for MySQL got wrong when they read, each on data that shows it: wrong or missing rows, values that
# were bent, tables that could not be imported, whole tables fetched for a few rows.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronMysql;
use LyftronTest;
use Test::More;

my $node = new_node('main', "timezone = 'America/New_York'\n", '--encoding=UTF8');
my $mysql = LyftronMysql->new(options => [ '--default-time-zone=+05:00' ]);
$mysql->connect_node($node, 'my');
$mysql->sql(q{
	CREATE TABLE words (id int PRIMARY KEY, s varchar(20) COLLATE utf8mb4_general_ci, d decimal(10,2), KEY (s));
	INSERT INTO words VALUES (1, 'a', 1.5), (2, 'A', 2.25), (3, 'abc', 0.5), (4, 'ABC', 3), (5, 'Abc', 1), (6, 'café', 2), (7, 'cafe', 1.78),
		(8, 'b', 2), (9, 'Z', 1), (10, 'a ', 4), (11, 'é', NULL), (12, NULL, 1);
	CREATE TABLE kinds (id int PRIMARY KEY, u int unsigned, bu bigint unsigned, b40 bit(40), y year, e enum('x', 'Y'), s set('a', 'b', 'c'), t time,
		dt datetime(6), ts timestamp(6) NULL, f float, n decimal(30,10), j json, p point, flag tinyint(1), bl blob, c char(5), `it's "odd" \ name` int);
	INSERT INTO kinds VALUES (1, 4000000000, 18446744073709551615, b'1000000000000000000000000000000000000001', 2024, 'Y', 'a,c', '-12:30:00',
		'2024-02-29 12:34:56.123456', NULL, 16777216, 12345678901234567890.1234567891, '{"a": [1, null]}', POINT(1.5, -2.5), 1, x'00FF00', 'ab', 5);
	SET time_zone = '+00:00';
	UPDATE kinds SET ts = '2024-02-29 12:00:00.123456' WHERE id = 1;
	CREATE TABLE `odd''table` (`a b` int, `c%d_` int);
	INSERT INTO `odd''table` VALUES (1, 2);
	CREATE TABLE long_values (id int PRIMARY KEY, v longtext, b longblob);
	INSERT INTO long_values VALUES (1, 'first', 'x'), (2, repeat('é', 100000), repeat('b', 1000000)), (3, 'last', 'y');
	CREATE TABLE dates (id int PRIMARY KEY, d date, dt datetime);
	SET sql_mode = '';
	INSERT INTO dates VALUES (1, '2024-01-01', '2024-01-01 10:00:00'), (2, '0000-00-00', '0000-00-00 00:00:00'), (3, '2024-02-00', NULL), (4, NULL, NULL);
	CREATE TABLE numbers (id int PRIMARY KEY, k int, pad varchar(200), KEY (k));
	INSERT INTO numbers SELECT seq, seq % 1000, repeat(char(65 + seq % 26), 200) FROM seq_1_to_100000;});
$node->safe_psql('postgres', q{
	IMPORT FOREIGN SCHEMA shop FROM SERVER my INTO public;
	CREATE TABLE local_words AS SELECT * FROM words;
	CREATE TABLE hundred AS SELECT i * 777 AS id FROM generate_series(1, 100) i;
	ANALYZE;});

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub gives { my ($query, $expected, $claim) = @_; return is(sql($query), $expected, "$claim: $query"); }

sub plan_of { my ($query) = @_; return sql("EXPLAIN (COSTS OFF) $query"); }

# as from a local table
sub as_local
{
	my ($query) = @_;
	(my $local = $query) =~ s/\bwords\b/local_words/g;
	return gives($query, sql($local), 'as from a local table');
}

subtest 'letters of either case, accents and blanks differ' => sub {
	gives(q{SELECT count(*) FROM words WHERE s = 'abc'}, 1, 'one, not three');
	gives(q{SELECT count(*) FROM words WHERE s = 'a'}, 1, 'one, not three');
	gives(q{SELECT count(*) FROM words WHERE s IN ('cafe')}, 1, 'one, not two');
	gives(q{SELECT count(*) FROM words WHERE s = 'B'}, 0, 'none');
	gives('SELECT count(DISTINCT s) FROM words', 11, 'eleven, not five');
	gives(q{SELECT count(*) FROM words WHERE s LIKE 'ABC'}, 1, 'LIKE, too');
	for my $query (q{SELECT s, count(*) FROM words GROUP BY s ORDER BY s COLLATE "C"}, 'SELECT DISTINCT s COLLATE "C" FROM words ORDER BY 1',
		'SELECT s FROM words ORDER BY s COLLATE "C" LIMIT 3', 'SELECT s FROM words ORDER BY s LIMIT 3', q{SELECT count(*) FROM words WHERE s > 'Z' COLLATE "C"},
		q{SELECT count(*) FROM words WHERE s > 'Z'}, q{SELECT count(*) FROM words WHERE s <> 'abc'}, 'SELECT max(s), min(s) FROM words',
		q{SELECT a.id, b.id FROM words a JOIN words b ON a.s = b.s ORDER BY 1, 2}, 'SELECT avg(d), sum(d) FROM words',
		'SELECT count(*) FROM words WHERE id / 2 = 1', q{SELECT id FROM words WHERE s ~ '^[aA]' ORDER BY id},
		q{SELECT id FROM words WHERE s = 'a' OR s IS NULL ORDER BY s NULLS FIRST, id})
	{
		as_local($query);
	}
};

subtest 'a merge join gets texts in its own order' => sub {
	is(sql(q{
		SET enable_hashjoin = off; SET enable_nestloop = off;
		SELECT count(*) FROM words a JOIN local_words b ON a.s = b.s}), 11, 'no "mergejoin input data is out of order"');
};

subtest 'a LIMIT counts the rows that are left after all else' => sub {
	gives('SELECT count(*) FROM (SELECT 1 FROM words a JOIN local_words b ON a.id = b.id LIMIT 5) x', 5, 'behind a join');
	gives(q{SELECT count(*) FROM (SELECT id FROM words WHERE upper(s) = 'ABC' LIMIT 3) x}, 3, 'behind a condition that is checked here');
	gives('SELECT count(*) FROM (SELECT DISTINCT upper(s) FROM words LIMIT 3) x', 3, 'behind DISTINCT');
	gives('SELECT count(*) FROM (SELECT k FROM numbers ORDER BY upper(pad), id LIMIT 3) x', 3, 'behind a sort');
};

subtest 'all types, with all their values' => sub {
	gives('SELECT u, bu FROM kinds', '4000000000|18446744073709551615', 'unsigned integers');
	gives('SELECT b40, y FROM kinds', '1000000000000000000000000000000000000001|2024', 'bits, years');
	gives('SELECT e, s FROM kinds', 'Y|{a,c}', 'ENUM and SET');
	gives('SELECT t, dt FROM kinds', '-12:30:00|2024-02-29 12:34:56.123456', 'times below zero, microseconds');
	gives('SELECT ts FROM kinds', '2024-02-29 07:00:00.123456-05', 'a moment, whatever time zone the server has');
	gives(q{SELECT count(*) FROM kinds WHERE ts = '2024-02-29 12:00:00.123456+00'}, 1, 'and it is found');
	gives('SELECT f, n FROM kinds', '1.6777216e+07|12345678901234567890.1234567891', 'all digits');
	gives('SELECT j, p, flag, bl, c FROM kinds', '{"a": [1, null]}|\x0101000000000000000000f83f00000000000004c0|1|\x00ff00|ab', 'JSON, WKB, bytes');
	gives('SELECT "it\'s ""odd"" \ name" FROM kinds WHERE "it\'s ""odd"" \ name" > 4', 5, 'names that need quotes');
	gives(q{SELECT "a b", "c%d_" FROM "odd'table" WHERE "a b" = 1}, '1|2', 'of a table, too');
};

subtest 'values of any length' => sub {
	gives('SELECT id, length(v), octet_length(b) FROM long_values ORDER BY id', "1|5|1\n2|100000|1000000\n3|4|1", 'all rows, all of their values');
	gives(q{SELECT md5(v), md5(b) FROM long_values WHERE id = 2},
		sql(q{SELECT md5(repeat('é', 100000)), md5(repeat('b', 1000000)::bytea)}), 'byte by byte');
};

subtest 'dates that PostgreSQL has not' => sub {
	my ($out, $err);
	$node->psql('postgres', 'SELECT id, d FROM dates ORDER BY id', stderr => \$err);
	like($err, qr/column "d".*0000-00-00.*HINT:.*zero_dates/s, 'an error that says what to do');
	sql(q{ALTER FOREIGN TABLE dates OPTIONS (ADD zero_dates 'null')});
	gives('SELECT id, d, dt FROM dates ORDER BY id', "1|2024-01-01|2024-01-01 10:00:00\n2||\n3||\n4||", 'or NULL');
	gives('SELECT count(*), count(d), min(d) FROM dates WHERE d IS NULL', '3|0|', 'in conditions and aggregates as well');
	gives(q{SELECT id FROM dates WHERE d <> '2024-01-01' OR d < '2024-01-02' ORDER BY id}, 1, 'where the server has a date that is less');
};

subtest 'a few rows of a large table' => sub {
	my $join = 'SELECT n.id, n.k FROM hundred h JOIN numbers n ON n.id = h.id';
	like(plan_of($join), qr/WHERE \(`id` = \$1\)/, 'are looked up by the key');
	my ($queries) = sql("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) $join") =~ /Remote Rows: (\d+)/;
	is($queries, 100, '100 rows come, not 100000');
	like(plan_of('SELECT count(*) FROM numbers WHERE k IN (1, 2, 3)'), qr/COUNT\(1\).*`k` IN \(1, 2, 3\)/, 'are counted there');
	like(plan_of('SELECT k, count(*) FROM numbers GROUP BY k HAVING count(*) > 5'), qr/GROUP BY `k` HAVING/, 'groups are made there');
	like(plan_of('SELECT CASE WHEN k > 5 THEN 1 END FROM numbers WHERE CASE WHEN k > 5 THEN id ELSE 0 END = 7'), qr/CASE WHEN/, 'CASE is evaluated there');
};

subtest 'rows come as they are asked for' => sub {
	my $held = sql(q{
		BEGIN;
		DECLARE c CURSOR FOR SELECT * FROM numbers;
		MOVE 60000 FROM c;
		SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'lyftron mysql%';});
	cmp_ok($held, '<', 200000, 'those that came before are not kept');
	cmp_ok(sql(q{ANALYZE numbers; SELECT reltuples FROM pg_class WHERE relname = 'numbers'}), '>', 50000, 'ANALYZE has a sample');
	unlike(plan_of('SELECT * FROM numbers'), qr/sort|ORDER BY/i, 'nothing is sorted that nobody wants sorted');
	is(sql(q{
		EXPLAIN SELECT * FROM numbers WHERE k = 1;
		SELECT 'sessions', count(*) FROM lyftron.mysql_connections();}) =~ /sessions\|(\d+)/ ? $1 : undef, 0, 'EXPLAIN asks nothing of the server');
};

done_testing();
