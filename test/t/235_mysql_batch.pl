
# Joins in batches: the partners of many rows with one query, in all kinds of joins, against the same joins without
# push-down; many batches, keys that are null, that the server cannot have, and that differ in case; rescans; cancel.
use strict;
use warnings FATAL => 'all';
use LyftronTest;
use LyftronMysql;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', undef, '--encoding=UTF8');
my $mysql = LyftronMysql->new;
$mysql->sql(q{
	CREATE TABLE item (id bigint PRIMARY KEY, code varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL, amount decimal(12,2),
		day date, owner int, f double, KEY (code), KEY (owner));
	INSERT INTO item SELECT seq, concat('c', seq), nullif(seq % 100, 0) / 4, '2026-01-01' + INTERVAL seq % 365 DAY, seq % 1000, seq / 8
		FROM seq_1_to_20000;
	INSERT INTO item VALUES (20001, 'Case', 1, '2026-01-01', NULL, 0.1), (20002, 'case', 2, '2026-01-01', NULL, 0.1), (20003, 'CASE', 3, NULL, -1, 0.2);
	ANALYZE TABLE item;
});
$mysql->connect_node($node, 'my');
$node->safe_psql('postgres', q{
	CREATE SCHEMA far;
	IMPORT FOREIGN SCHEMA shop FROM SERVER my INTO far;
	CREATE TABLE near (n int PRIMARY KEY, id bigint, code text, owner smallint, day timestamp, f double precision);
	INSERT INTO near SELECT i, i * 3, 'c' || i * 3, i % 1100, '2026-01-01'::timestamp + i % 400 * interval '12 h', i / 4.0 FROM generate_series(1, 5000) i;
	INSERT INTO near VALUES (6000, NULL, NULL, NULL, NULL, NULL), (6001, -1, 'CASE', -1, 'infinity', 'NaN'), (6002, -1, 'cAse', NULL, '0044-03-15 BC', 'infinity'),
		(6003, 3, 'c3', 3, '2026-01-02', 0.1), (6004, 3, 'c3', 3, '2026-01-02', 0.1);
	ANALYZE near;
});

# the same answer as when all is done here; and by a join in batches, unless it is said not to be
sub check
{
	my ($name, $sql, %args) = @_;
	my $set = $args{set} // '';
	my $plan = $node->safe_psql('postgres', "$set; EXPLAIN (COSTS off) $sql");
	if ($args{not}) { unlike($plan, qr/LyftronBatchJoin/, "$name: not in batches"); }
	else { like($plan, qr/LyftronBatchJoin/, "$name: in batches") or diag $plan; }
	my $whole = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ($sql) t";
	my $here = $node->safe_psql('postgres', "SET lyftron.pushdown = off; $whole");
	is($node->safe_psql('postgres', "$set; $whole"), $here, $name);
	return;
}

my $few = '(SELECT * FROM near WHERE n % 50 = 0 OR n > 5900) s';
check('inner', "SELECT s.*, i.* FROM $few JOIN far.item i ON i.id = s.id");
check('left', "SELECT s.n, i.amount FROM $few LEFT JOIN far.item i ON i.id = s.id AND i.amount > 5");
check('left, a condition on what may be missing', "SELECT s.n, i.amount FROM $few LEFT JOIN far.item i ON i.id = s.id WHERE i.amount IS NULL OR i.amount < 10");
check('left, an expression of both sides', "SELECT s.n, coalesce(i.amount, s.n) + 1 AS sum FROM $few LEFT JOIN far.item i ON i.id = s.id AND i.day > s.day - interval '200 days'");
check('semi', "SELECT s.n FROM $few WHERE EXISTS (SELECT FROM far.item i WHERE i.id = s.id AND i.amount > 3)");
check('semi, many partners', "SELECT s.n FROM $few WHERE EXISTS (SELECT FROM far.item i WHERE i.owner = s.owner)");
check('anti', "SELECT s.n FROM $few WHERE NOT EXISTS (SELECT FROM far.item i WHERE i.id = s.id AND i.amount > 3)");
check('anti, as a left join', "SELECT s.n FROM $few LEFT JOIN far.item i ON i.id = s.id WHERE i.id IS NULL");
check('texts that differ in case', "SELECT s.n, i.code FROM $few JOIN far.item i ON i.code = s.code");
check('several partners each, another type of integer', "SELECT s.n, i.id FROM $few JOIN far.item i ON i.owner = s.owner");
check('numbers that the server has not', "SELECT s.n, i.id FROM $few LEFT JOIN far.item i ON i.f = s.f");
check('an expression as the key', "SELECT s.n, i.id FROM $few JOIN far.item i ON i.id = s.n + s.owner");
check('two keys', "SELECT s.n, i.amount FROM $few JOIN far.item i ON i.id = s.id AND i.code = s.code");
check('above another outer join',
	"SELECT s.n, o.n AS m, i.amount FROM $few LEFT JOIN near o ON o.n = s.n + 4950 LEFT JOIN far.item i ON i.id = o.id");
check('below another outer join',
	"SELECT s.n, o.n AS m, i.amount FROM $few LEFT JOIN far.item i ON i.id = s.id LEFT JOIN near o ON o.n = i.id");
check('many batches', 'SELECT s.n, i.code FROM near s JOIN far.item i ON i.id = s.id', set => 'SET enable_hashjoin = off; SET enable_mergejoin = off');
check('little memory', 'SELECT s.n, i.code FROM near s LEFT JOIN far.item i ON i.id = s.id',
	set => 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET work_mem = 64');
check('started anew for each outer row',
	"SELECT a.n, (SELECT sum(i.amount) FROM $few JOIN far.item i ON i.id = s.id WHERE s.n > a.n) AS sum FROM near a WHERE a.n < 4");
check('rows that are locked', "SELECT s.n, i.code FROM near s JOIN far.item i ON i.id = s.id WHERE s.n < 20 FOR UPDATE OF s", not => 1);

like($node->safe_psql('postgres', "EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT FROM $few JOIN far.item i ON i.id = s.id"),
	qr/Join Type: Inner.*Batches: 1.*Keys: 102.*Remote Queries: 1\b/s, 'one query for all keys');

# a LIMIT does not wait for more than the first batch
like($node->safe_psql('postgres', q{SET enable_hashjoin = off; SET enable_mergejoin = off;
		EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT i.code FROM near s JOIN far.item i ON i.id = s.id LIMIT 5}),
	qr/Batches: 1\b.*Keys: 12\d/s, 'LIMIT: one small batch');

# a prepared statement, and a table that is dropped meanwhile
my $session = $node->background_psql('postgres');
$session->query_safe("PREPARE p (int) AS SELECT count(*) FROM near s JOIN far.item i ON i.id = s.id WHERE s.n < \$1");
is($session->query_safe('SET plan_cache_mode = force_generic_plan; EXECUTE p (50)'), '49', 'a prepared statement');
is($session->query_safe('EXECUTE p (10)'), '9', 'again, with another value');
$session->quit;

my ($code, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '300ms';
	SELECT count(*) FROM near s JOIN far.item i ON i.id = s.id AND pg_sleep(0.01) IS NOT NULL WHERE s.n < 200});
like($err, qr/statement timeout/, 'cancelled in the middle');
is($node->safe_psql('postgres', 'SELECT count(*) FROM near s JOIN far.item i ON i.id = s.id WHERE s.n < 200'), '199', 'and it works again');

done_testing();
