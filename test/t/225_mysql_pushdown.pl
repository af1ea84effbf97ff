
# What lyftron_mysql leaves to the server, construct by construct: the text that the server gets, and the same rows as
# without push-down; what stays here, and why.  Parameters, cached plans, look-ups, sessions that several scans share.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronMysql;
use LyftronTest;
use Test::More;

my $node = new_node('main', "timezone = 'Europe/Berlin'\nwork_mem = '64kB'\n", '--encoding=UTF8');
my $mysql = LyftronMysql->new;
$mysql->connect_node($node, 'my', options => "zero_dates 'error'");
$mysql->sql(q{
	CREATE TABLE t (id int PRIMARY KEY, si smallint, i int, iu int unsigned, bi bigint, biu bigint unsigned, n decimal(10,2), f float, d double,
		flag tinyint(1), y year, b bit(4), v varchar(20) COLLATE utf8mb4_general_ci, l varchar(20) CHARACTER SET latin1, tx text,
		e enum('one', 'Two'), vb varbinary(10), da date, dt datetime, dt6 datetime(6), ts timestamp NULL, ti time, j json, u uuid,
		nn int NOT NULL, KEY (v), KEY (l), KEY (dt), KEY (n), KEY (i));
	INSERT INTO t SELECT seq, seq % 7, seq * 3, seq, seq * 1000000, seq, seq / 4, seq / 2, seq / 3, seq % 2, 2000 + seq % 30, seq % 16,
		concat(char(97 + seq % 3), if(seq % 2, 'b', 'B'), if(seq % 5, '', ' ')), concat('x', char(97 + seq % 4)), repeat('z', seq % 9),
		1 + seq % 2, char(seq % 100), '2020-01-01' + INTERVAL seq DAY, '2020-01-01 12:00:00' + INTERVAL seq HOUR,
		'2020-01-01 12:00:00.5' + INTERVAL seq MINUTE, '2020-01-01 00:00:00' + INTERVAL seq HOUR, sec_to_time(seq * 100), json_object('a', seq),
		concat('00000000-0000-0000-0000-', lpad(seq, 12, '0')), seq % 11 FROM seq_1_to_300;
	UPDATE t SET si = NULL, i = NULL, n = NULL, d = NULL, flag = NULL, v = NULL, l = NULL, da = NULL, dt = NULL, ts = NULL WHERE id % 10 = 3;
	CREATE TABLE o (id int PRIMARY KEY, tid int, n decimal(10,2), v varchar(20) COLLATE utf8mb4_general_ci, KEY (tid));
	INSERT INTO o SELECT seq, 1 + seq * 7 % 400, seq / 8, concat(char(97 + seq % 3), 'b') FROM seq_1_to_200;
	CREATE TABLE zero (id int PRIMARY KEY, d date, nn int NOT NULL);
	SET sql_mode = '';
	INSERT INTO zero VALUES (1, '2020-01-01', 1), (2, '0000-00-00', 2), (3, NULL, 3), (4, '2021-01-01', 4);
	CREATE TABLE big (id int PRIMARY KEY, k int, pad varchar(100));
	INSERT INTO big SELECT seq, seq % 100, repeat('p', 100) FROM seq_1_to_20000;});
$node->safe_psql('postgres', q{
	IMPORT FOREIGN SCHEMA shop FROM SERVER my INTO public OPTIONS (tinyint1 'boolean');
	ALTER FOREIGN TABLE zero OPTIONS (ADD zero_dates 'null');
	CREATE TABLE keys AS SELECT i AS k, 'a' || i AS name FROM generate_series(1, 20) i;
	ANALYZE keys, t, o;});

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub plan_of { my ($query, $set) = @_; return sql(($set // '') . "EXPLAIN (COSTS OFF) $query"); }

# the same rows with push-down and without
sub same_rows
{
	my ($query, $set) = @_;
	$set //= '';
	return is(sql("$set $query"), sql("$set SET lyftron.pushdown = off; $query"), "same rows: $query");
}

# [condition, what the server gets of it]
my @conditions = (
	[ 'id = 5', '(`id` = 5)' ],
	[ '5 < id', '(`id` > 5)' ],
	[ 'id IN (1, 2, NULL)', '(`id` IN (1, 2, NULL))' ],
	[ 'id <> ALL (ARRAY[1, 2])', '(`id` NOT IN (1, 2))' ],
	[ 'id BETWEEN 3 AND 7', '(`id` >= 3) AND (`id` <= 7)' ],
	[ 'i IS NULL', '(`i` IS NULL)' ],
	[ 'i IS DISTINCT FROM 9', '(NOT (`i` <=> 9))' ],
	[ 'i IS NOT DISTINCT FROM nn', '(`i` <=> `nn`)' ],
	[ 'si + 1 = 3', '((`si` + 1) = 3)' ],
	[ 'si + si = 6', '((((`si` + `si`) * 2 + 1) * 140737488355328 DIV 140737488355328 - 1) DIV 2) = 6' ],
	[ 'i * 2 > 100', '((((`i` * 2) * 2 + 1) * 2147483648 DIV 2147483648 - 1) DIV 2) > 100' ],
	[ 'iu - 5 > 10', '((CAST(`iu` AS SIGNED) - 5) > 10)' ],
	[ 'i / 4 = 2', '((`i` DIV 4) = 2)' ],
	[ 'i % 4 = 2', '((`i` % 4) = 2)' ],
	[ 'mod(id, 3) = 1', '((`id` % 3) = 1)' ],
	[ '- bi < -4', '((- `bi`) < (-4))' ],
	[ 'abs(iu) = 3', '(ABS(CAST(`iu` AS SIGNED)) = 3)' ],
	[ 'biu > 250', '(`biu` > 250)' ],
	[ 'biu < 18446744073709551616', '(`biu` < 18446744073709551616)' ],
	[ 'n = 1.5', '(`n` = 1.5)' ],
	[ 'n > 1.501', '(`n` > 1.50)' ],
	[ 'n <= 1.501', '(`n` <= 1.50)' ],
	[ 'n = 1.501', '(`n` IS NULL AND NULL)' ],
	[ 'n <> 1.501', '(`n` IS NOT NULL OR NULL)' ],
	[ q{n < 'NaN'}, '(`n` IS NOT NULL OR NULL)' ],
	[ 'n + n * 2 > 30.5', '((`n` + (`n` * 2)) > 30.5)' ],
	[ '(n - 10) % 1.5 = 0', '((((`n` - 10) % 1.5) + 0) = 0)' ],
	[ 'round(n) = 3', '(ROUND(`n`, 0) = 3)' ],
	[ 'round(n, 1) = 2.3', '(ROUND(`n`, 1) = 2.3)' ],
	[ 'ceil(n) + floor(n) = 7', 'CEILING(`n`)' ],
	[ 'i = 7.5', '(`i` IS NULL AND NULL)' ],
	[ 'i > 7.5', '(`i` > 7)' ],
	[ 'i = n', '(CAST(`i` AS DECIMAL(12,2)) = CAST(`n` AS DECIMAL(12,2)))' ],
	[ 'd > 3.5', '(`d` > 3.5e0)' ],
	[ 'i > d', '((`i` + 0e0) > `d`)' ],
	[ 'f = 2.5', '(`f` = 2.5e0)' ],
	[ q{d = 'Infinity'}, '(`d` IS NULL AND NULL)' ],
	[ 'd + 1 > 20', '(((`d` + 0e0) + 1e0) > 20e0)' ],
	[ 'flag', '(`flag` <> 0)' ],
	[ 'NOT flag', '(NOT (`flag` <> 0))' ],
	[ 'flag IS NOT TRUE', '((`flag` <> 0) IS NOT TRUE)' ],
	[ '(i > 5) = flag', '((`i` > 5) = (`flag` <> 0))' ],
	[ 'y = 2010', '(CAST(`y` AS SIGNED) = 2010)' ],
	[ q{b = B'0101'}, q{(CAST(`b` AS UNSIGNED) = CAST(b'0101' AS UNSIGNED))} ],
	[ q{v = 'ab'}, q{(`v` = 'ab' AND CAST(`v} ],
	[ q{v IN ('ab', 'cB ')}, q{(`v` IN ('ab', 'cB ') AND CAST(`v} ],
	[ q{v <> 'ab'}, q{<> 'ab')} ],
	[ q{v COLLATE "C" < 'b'}, q{AS BINARY) < 'b')} ],
	[ q{l = 'xa'}, q{(`l` = CONVERT('xa' USING latin1) COLLATE latin1_swedish_ci AND CAST(CONVERT(`l` USING utf8mb4)} ],
	[ q{l = '日'}, q{CONVERT('日' USING latin1)} ],
	[ 'v = l', 'CAST(CONVERT(`l` USING utf8mb4)' ],
	[ q{v LIKE 'a%'}, q{(`v` LIKE 'a%' AND `v` COLLATE utf8mb4_bin LIKE 'a%' ESCAPE '\')} ],
	[ q{v NOT LIKE '%B_'}, q{(`v` COLLATE utf8mb4_bin NOT LIKE '%B_' ESCAPE '\')} ],
	[ 'length(tx) > 5', '(CHAR_LENGTH(' ],
	[ 'octet_length(vb) = 1', '(LENGTH(`vb`) = 1)' ],
	[ q{substr(v, 2, 1) = 'B'}, 'SUBSTRING(`v` COLLATE utf8mb4_bin, 2, 1)' ],
	[ q{left(v, 1) || right(v, 1) = 'ab'}, 'CONCAT(LEFT(' ],
	[ q{btrim(v) = 'ab'}, q{TRIM(BOTH ' ' FROM `v`} ],
	[ q{strpos(v, 'B') = 2}, q{LOCATE('B', `v`} ],
	[ q{e = 'Two'}, q{(CAST(CONVERT(`e` USING utf8mb4)} ],
	[ q{vb = '\x61'}, q{(`vb` = _binary x'61')} ],
	[ q{u = '00000000-0000-0000-0000-000000000007'}, q{(`u` = '00000000-0000-0000-0000-000000000007')} ],
	[ q{da >= '2020-03-01'}, q{(`da` >= DATE'2020-03-01')} ],
	[ q{da < 'infinity'}, '(`da` IS NOT NULL OR NULL)' ],
	[ q{da > TIMESTAMP '2020-03-01 12:00'}, q{(`da` > TIMESTAMP'2020-03-01 00:00:00')} ],
	[ q{dt = '2020-01-02 12:00:00.5'}, '(`dt` IS NULL AND NULL)' ],
	[ q{dt <= '2020-01-02 12:00:00.5'}, q{(`dt` <= TIMESTAMP'2020-01-02 12:00:00')} ],
	[ 'dt = dt6', 'CAST(`dt` AS DATETIME(6))' ],
	[ q{ts < '2020-01-02 00:00:00+01'}, q{(`ts` < TIMESTAMP'2020-01-01 23:00:00')} ],
	[ q{ti > '01:00:00'}, q{(`ti` > TIME'01:00:00')} ],
	[ q{extract(year FROM da) = 2020}, '(YEAR(`da`) = 2020)' ],
	[ q{date_part('month', dt) = 1}, '((MONTH(`dt`) + 0e0) = 1e0)' ],
	[ q{date_trunc('day', dt) = '2020-01-05'}, q{CAST(DATE_FORMAT(`dt`, '%Y-%m-%d') AS DATETIME)} ],
	[ q{dt::date = '2020-01-05'}, 'CAST(`dt` AS DATE)' ],
	[ q{da - DATE '2020-01-01' > 200}, q{(DATEDIFF(`da`, DATE'2020-01-01') > 200)} ],
	[ 'coalesce(i, nn) = 6', '(COALESCE(`i`, `nn`) = 6)' ],
	[ 'nullif(i, 9) > 20', '((CASE WHEN (`i` = 9) THEN NULL ELSE `i` END) > 20)' ],
	[ q{CASE WHEN i > 30 THEN 'x' ELSE v END = 'x'}, q{(CASE WHEN (`i` > 30) THEN 'x' ELSE `v`} ],
	[ 'CASE nn WHEN 1 THEN i WHEN 2 THEN si END > 4', '(CASE WHEN (`nn` = 1) THEN `i` WHEN (`nn` = 2) THEN' ],
	[ 'id = 5 OR (nn = 3 AND NOT i > 5)', '((`id` = 5) OR ((`nn` = 3) AND (`i` <= 5)))' ],
	[ 'j IS NOT NULL', '(`j` IS NOT NULL)' ],
	[ q{dt > now() - INTERVAL '30 years'}, undef ]);

subtest 'conditions that the server checks' => sub {
	for (@conditions)
	{
		my ($condition, $text) = @$_;
		next unless defined $text;
		my $query = "SELECT id FROM t WHERE $condition ORDER BY id";
		my $plan = plan_of($query);
		like($plan, qr/Remote SQL: .*\Q$text\E/, $condition);
		unlike($plan, qr/Local|Filter/, 'and nothing is left here');
		same_rows($query);
	}
};

subtest 'conditions that are checked here, and why' => sub {
	for (
		[ q{v ~ '^a'}, qr/operator ~, which the server has not/ ],
		[ q{v ILIKE 'A%'}, qr/operator ~~\*/ ],
		[ q{upper(v) = 'AB'}, qr/function upper\(\)/ ],
		[ 'i / nn = 2', qr/a division by what may be zero/ ],
		[ 'n / 3 > 2', qr/operator \// ],
		[ 'bi * bi > 5', qr/a product that may be the least bigint/ ],
		[ 'random() < 2', qr/values that are not known|expression|function/ ],
		[ q{v < 'b' COLLATE "en-x-icu"}, qr/the collation's order is not that of "C"/ ],
		[ q{j ->> 'a' = '5'}, qr/operator/ ],
		[ q{v LIKE 'a\\'}, qr/a pattern that ends with an escape character/ ],
		[ q{da > TIMESTAMPTZ '2020-03-01'}, qr/types that the server compares differently/ ],
		[ 'tx || tx > v', qr/texts of any length together/ ])
	{
		my ($condition, $reason) = @$_;
		my $query = "SELECT id FROM t WHERE $condition ORDER BY id";
		next if $condition =~ /-icu/ && sql(q{SELECT count(*) FROM pg_collation WHERE collname = 'en-x-icu'}) eq '0';    # built without ICU
		like(plan_of($query), qr/Local: .*: .*$reason/, $condition);
		same_rows($query) unless $condition =~ /nn|LIKE 'a/;    # these are errors
	}
	like(plan_of('SELECT id FROM t WHERE id = 1', 'SET lyftron.pushdown = off;'), qr/Local: \(id = 1\): lyftron\.pushdown is off/, 'what is switched off');
};

subtest 'zero dates that read as NULL' => sub {
	like(plan_of(q{SELECT id FROM zero WHERE d > '2019-01-01'}), qr/WHERE \(`d` > DATE'2019-01-01'\).*\n.*Local: .*checked again/, 'a comparison narrows the query');
	like(plan_of('SELECT id FROM zero WHERE d IS NULL'), qr/Remote SQL: SELECT `id`, `d` FROM `shop`.`zero`$/m, 'IS NULL does not');
	unlike(plan_of('SELECT max(d) FROM zero'), qr/MAX\(/, 'nor are they aggregated');
	for my $condition (q{d < '2021-01-01'}, q{NOT d < '2021-01-01'}, 'd IS NULL', 'd IS NOT NULL', q{d = '2020-01-01' OR nn = 2}, q{(d < '2021-01-01') IS NULL})
	{
		same_rows("SELECT id, d FROM zero WHERE $condition ORDER BY id");
	}
	same_rows('SELECT count(d), max(d), min(d) FROM zero');
};

# [query, what the server gets]
my @whole = (
	[ 'SELECT count(*), count(i), sum(i), sum(n), min(n), max(dt), avg(i), avg(n), bool_or(flag) FROM t',
		q{SELECT COUNT(1), COUNT(`i`), SUM(`i`), SUM(`n`), MIN(`n`), MAX(`dt`), CONCAT(SUM(`i`), '/', COUNT(`i`))} ],
	[ 'SELECT nn, count(DISTINCT v) FROM t GROUP BY nn ORDER BY nn', 'COUNT(DISTINCT CAST(`v` COLLATE utf8mb4_bin AS BINARY)) FROM `shop`.`t` GROUP BY `nn` ORDER BY `nn`' ],
	[ 'SELECT v, count(*) FILTER (WHERE i > 50) FROM t GROUP BY v HAVING sum(n) > 5 ORDER BY count(*), min(id)',
		'GROUP BY CAST(`v` COLLATE utf8mb4_bin AS BINARY) HAVING (SUM(`n`) > 5)' ],
	[ q{SELECT min(v COLLATE "C"), max(v COLLATE "C") FROM t}, 'MIN(CAST(`v` COLLATE utf8mb4_bin AS BINARY))' ],
	[ 'SELECT sum(i) + count(*) * 2 AS x FROM t', 'SELECT SUM(`i`), COUNT(1) FROM' ],
	[ 'SELECT DISTINCT v COLLATE "C", flag FROM t ORDER BY 2, 1', 'GROUP BY CAST(`v` COLLATE utf8mb4_bin AS BINARY), (`flag` <> 0)' ],
	[ 'SELECT id FROM t ORDER BY i, id LIMIT 5', 'ORDER BY (`i` IS NULL), `i`, `id` LIMIT 5' ],
	[ 'SELECT id FROM t ORDER BY i DESC NULLS LAST, nn, id DESC LIMIT 5 OFFSET 3', 'ORDER BY `i` DESC, `nn`, `id` DESC LIMIT 5 OFFSET 3' ],
	[ 'SELECT id FROM t ORDER BY i DESC, id OFFSET 290', 'ORDER BY (`i` IS NULL) DESC, `i` DESC, `id` LIMIT 18446744073709551615 OFFSET 290' ],
	[ 'SELECT nn, sum(n) FROM t GROUP BY nn ORDER BY sum(n) DESC, nn LIMIT 3', 'ORDER BY (SUM(`n`) IS NULL) DESC, SUM(`n`) DESC, `nn` LIMIT 3' ],
	[ 'SELECT t.id, o.n FROM t JOIN o ON o.tid = t.id WHERE t.nn = 2 ORDER BY o.id', 'FROM (`shop`.`t` r1 INNER JOIN `shop`.`o` r2 ON (r1.`id` = r2.`tid`)) WHERE (r1.`nn` = 2)' ],
	[ 'SELECT t.id, o.n FROM t LEFT JOIN o ON o.tid = t.id AND o.n > 10 WHERE t.nn = 2 ORDER BY t.id, o.id', 'LEFT JOIN `shop`.`o` r2 ON' ],
	[ 'SELECT t.id, o.id FROM t RIGHT JOIN o ON o.tid = t.id ORDER BY o.id', '(`shop`.`o` r2 LEFT JOIN `shop`.`t` r1 ON' ],
	[ 'SELECT t.v, o.v, count(*) FROM t JOIN o ON o.v = t.v GROUP BY t.v, o.v ORDER BY 3, t.v COLLATE "C"', 'r1.`v` = r2.`v` AND CAST(' ],
	[ 'SELECT id FROM t WHERE EXISTS (SELECT 1 FROM o WHERE o.tid = t.id AND o.n > 3) ORDER BY id', '(EXISTS (SELECT 1 FROM `shop`.`o` r2 WHERE' ],
	[ 'SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM o WHERE o.tid = t.id) ORDER BY id', '(NOT EXISTS (SELECT 1 FROM' ],
	[ 'SELECT t.nn, count(*) FROM t JOIN o ON o.tid = t.id WHERE t.id IN (SELECT tid FROM o WHERE n < 20) GROUP BY t.nn ORDER BY 1', 'EXISTS (' ],
	[ 'SELECT a.id, b.id, c.id FROM t a LEFT JOIN (t b JOIN o c ON c.tid = b.id) ON b.id = a.i ORDER BY a.id, c.id', 'LEFT JOIN (`shop`.`t` r2 INNER JOIN' ]);

subtest 'joins, groups, order and limits at the server' => sub {
	for (@whole)
	{
		my ($query, $text) = @$_;
		like(plan_of($query), qr/^Foreign Scan.*\n(.*\n)?.*Remote SQL: .*\Q$text\E/, $query);
		same_rows($query);
	}
	for my $query ('SELECT a.id, b.id FROM t a FULL JOIN o b ON a.id = b.tid ORDER BY 1, 2', 'SELECT nn, flag, count(*) FROM t GROUP BY ROLLUP (nn, flag) ORDER BY 1, 2, 3',
		'SELECT DISTINCT ON (nn) nn, id FROM t ORDER BY nn, id', 'SELECT count(*), sum(id) FROM (SELECT id FROM t ORDER BY id / 7 FETCH FIRST 2 ROWS WITH TIES) x', 'SELECT sum(d) FROM t WHERE id < 3',
		q{SELECT string_agg(v, ',' ORDER BY id) FROM t WHERE id < 9}, 'SELECT id FROM t WHERE upper(v) = \'AB\' ORDER BY id LIMIT 3',
		'SELECT id, generate_series(1, 2) FROM t ORDER BY id, 2 LIMIT 5', 'SELECT o FROM t JOIN o ON o.tid = t.id ORDER BY o.id LIMIT 3',
		'SELECT id, rank() OVER (PARTITION BY nn ORDER BY id) FROM t ORDER BY id LIMIT 5')
	{
		same_rows($query);
	}
};

subtest 'parameters' => sub {
	my $generic = 'SET plan_cache_mode = force_generic_plan;';
	for (
		[ 'int', 'SELECT count(*) FROM t WHERE i = $1', [ '6', 'NULL', '1000000' ], '(`i` = $1)' ],
		[ 'numeric', 'SELECT count(*) FROM t WHERE n < $1', [ '2.5', '2.501', q{'NaN'}, q{'-Infinity'}, '1e60', 'NULL' ], '(`n` < $1)' ],
		[ 'float8', 'SELECT count(*) FROM t WHERE d >= $1', [ '2.5', q{'NaN'}, q{'Infinity'}, q{'-Infinity'} ], '(`d` >= $1)' ],
		[ 'text', 'SELECT count(*) FROM t WHERE v = $1', [ q{'ab'}, q{'it''s\\'}, q{'日本'}, 'NULL' ], '`v` = $1 AND' ],
		[ 'text', 'SELECT count(*) FROM t WHERE l = $1', [ q{'xa'}, q{'日本'} ], 'CONVERT($1 USING latin1)' ],
		[ 'date', 'SELECT count(*) FROM t WHERE da <> $1', [ q{'2020-02-01'}, q{'infinity'}, q{'0044-03-15 BC'} ], '(`da` <> $1)' ],
		[ 'timestamp', 'SELECT count(*) FROM t WHERE dt > $1', [ q{'2020-01-02 12:00:00'}, q{'2020-01-02 11:59:59.9'}, q{'-infinity'} ], '(`dt` > $1)' ],
		[ 'interval', 'SELECT count(*) FROM t WHERE ti > $1', [ q{'1 hour'}, q{'1 year'}, q{'838:59:59.5'}, q{'-838:59:59.5'} ], '(`ti` > $1)' ],
		[ 'int[]', 'SELECT count(*) FROM t WHERE i = ANY ($1)', [ q{'{3, 6, NULL}'}, q{'{}'}, 'NULL' ], '(`i` IN ($1))' ],
		[ 'numeric[]', 'SELECT count(*) FROM t WHERE NOT n = ANY ($1)', [ q{'{0.25, 0.255, NaN}'}, q{'{NaN}'}, q{'{}'} ], '(`n` NOT IN ($1))' ],
		[ 'int', 'SELECT id FROM t WHERE i + $1 > 20 ORDER BY id LIMIT $1', [ '3', '0' ], '(`i` + $1)' ],
		[ 'timestamp', q{SELECT count(*) FROM t WHERE dt > $1 - INTERVAL '1 day'}, [ q{'2020-01-05'} ], 'Remote Values: \$\d = \(\$1 - ' ])
	{
		my ($type, $query, $values, $text) = @$_;
		my $prepare = "PREPARE q ($type) AS $query;";
		my $plan = sql("$generic $prepare EXPLAIN (COSTS OFF) EXECUTE q ($values->[0])");
		like($plan, $text =~ /^Remote/ ? qr/$text/ : qr/\Q$text\E/, "\$1 $type: $query");
		my $execute = $prepare . join('', map { "EXECUTE q ($_);" } @$values);
		is(sql("$generic $execute"), sql("$generic SET lyftron.pushdown = off; $execute"), 'same rows: ' . join(', ', @$values));
	}
	my ($out, $err);
	for ([ 'LIMIT', '2201W' ], [ 'OFFSET', '2201X' ])
	{
		$node->psql('postgres', "$generic PREPARE q (int) AS SELECT id FROM t ORDER BY id $_->[0] \$1; EXECUTE q (-1)", stderr => \$err,
			extra_params => [ '-v', 'VERBOSITY=verbose' ]);
		like($err, qr/$_->[1]: $_->[0] must not be negative/, "a negative $_->[0]");
	}
};

subtest 'a cached plan sees what the table has become' => sub {
	my $changes = q{
		SET plan_cache_mode = force_generic_plan;
		PREPARE q (text) AS SELECT count(*) FROM o WHERE v = $1;
		EXECUTE q ('ab');
		ALTER FOREIGN TABLE o ALTER v OPTIONS (SET remote_type 'varchar(20) collate utf8mb4_bin');
		EXECUTE q ('ab');
		ALTER FOREIGN TABLE o OPTIONS (SET "table" 't');
		EXECUTE q ('ab');
		ALTER FOREIGN TABLE o OPTIONS (SET "table" 'o');
		ALTER FOREIGN TABLE o ALTER v OPTIONS (SET remote_type 'varchar(20) collate utf8mb4_general_ci');
		EXECUTE q ('ab');};
	my $off = sql("SET lyftron.pushdown = off; $changes");
	is(sql($changes), $off, 'other options, another plan');
	like($off, qr/^(\d+)\n\1\n(?!\1\n)\d+\n\1$/, 'which gives other rows');
};

subtest 'look-ups that a small relation drives' => sub {
	$node->safe_psql('postgres', 'CREATE VIEW looked AS SELECT keys.k, big.id, big.k AS bk FROM keys JOIN big ON big.id = keys.k * 900');
	my $plan = plan_of('SELECT * FROM looked');
	like($plan, qr/LyftronBatchJoin.*Seq Scan on keys\n.*Foreign Scan on big\n.*WHERE \(`id` IN \(\$1\)\)/s, 'by the key, without an option');
	same_rows('SELECT * FROM looked ORDER BY 1');
	like(sql('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM looked'), qr/Remote Queries: 1\n.*Remote Rows: 20/, 'with one query');
	same_rows('SELECT name, x.id FROM keys, LATERAL (SELECT id FROM big WHERE big.k = keys.k ORDER BY id DESC LIMIT 2) x ORDER BY 1, 2');
	same_rows('SELECT name, (SELECT max(id) FROM big WHERE big.k < keys.k) FROM keys ORDER BY 1');
};

subtest 'scans that share a session' => sub {
	my $loops = 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;';
	same_rows(q{SELECT count(*), sum(a.id), sum(length(a.pad || b.pad)) FROM big a JOIN big b ON upper(a.pad || a.id) = upper(b.pad || b.id)});
	same_rows(q{SELECT a.id, (SELECT count(*) FROM o WHERE upper(o.v) = upper(a.v)) FROM t a WHERE id < 30 ORDER BY a.id}, $loops);
	my $cursors = q{
		BEGIN;
		DECLARE a CURSOR FOR SELECT id, pad FROM big;
		DECLARE b CURSOR FOR SELECT id FROM big;
		MOVE 3 FROM a; MOVE 5 FROM b; FETCH a; FETCH b; MOVE 15000 FROM a; FETCH a; FETCH b;
		SAVEPOINT s; SELECT count(*) FROM t WHERE upper(v) = 'AB'; ROLLBACK TO s; FETCH a; FETCH b;
		MOVE ALL FROM a; MOVE ALL FROM b; COMMIT;};
	my $padding = 'p' x 100;
	like(sql($cursors), qr/^4\|$padding\n6\n15005\|$padding\n7\n\d+\n15006\|$padding\n8$/, 'cursors, one beside the other, over a savepoint');
};

subtest 'rows that are changed meanwhile' => sub {
	$node->safe_psql('postgres', 'CREATE TABLE acc (id int PRIMARY KEY, n int); INSERT INTO acc VALUES (1, 10), (2, 20)');
	my $join = 'SELECT acc.id, acc.n, t.id AS tid, o.id AS oid FROM acc JOIN (t JOIN o ON o.tid = t.id) ON t.id = acc.id + 7';
	unlike(plan_of("$join FOR UPDATE OF acc"), qr/INNER JOIN/, 'below a lock tables are joined here');
	my $expected = sql("$join ORDER BY 1, 4");
	my $first = background_query($node, 'BEGIN; UPDATE acc SET n = n + 1 WHERE id = 1; SELECT pg_sleep(3); COMMIT');
	wait_until(30, sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'}) eq '1' });
	my $second = background_query($node, "$join ORDER BY 1, 4 FOR UPDATE OF acc");
	$_->{run}->finish for $first, $second;
	chomp(my $got = ${ $second->{out} });
	$expected =~ s/^1\|10\|/1|11|/mg;
	is($got, $expected, 'the new row is joined with the same rows');
};

done_testing();
