# Processes are killed, the server too, again and again while four workers do ten thousand tasks: each task's
# effect is there once, and none is left over. LYFTRON_CHAOS_SECONDS says for how long they are killed.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{LYFTRON_CHAOS_SECONDS} // 30;
my $tasks = 10_000;
my $pause = 4 * $seconds / $tasks / 3 * 0.8;    # times 0 to 6: the work lasts about as long as the killing
my $seed = $ENV{LYFTRON_SEED} // time ^ $$;
srand $seed;
note("LYFTRON_SEED=$seed, $seconds s");

my $node = new_node('chaos', <<'CONF');
max_worker_processes = 20
shared_preload_libraries = 'lyftron'
restart_after_crash = on
lyftron.background_workers = off
CONF

# The server may be starting again just now: undef then.
sub ask
{
	my ($sql) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my ($ret, $out) = eval { $node->psql('postgres', $sql, on_error_die => 0, on_error_stop => 1, timeout => 60, stderr => \my $err) };
	return defined $ret && $ret == 0 ? $out : undef;
}

$node->safe_psql('postgres', q{
	SELECT lyftron.create_pool('chaos', min_workers => 4, max_workers => 4, threshold => 0);
	CREATE TABLE effect (task int);
	CREATE TABLE position (slot int PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
	INSERT INTO position SELECT i FROM generate_series(0, 99) i;});
$node->safe_psql('postgres', qq{
	SELECT count(lyftron.enqueue(format('INSERT INTO effect VALUES (%s); UPDATE position SET n = n + %s WHERE slot = %s; SELECT pg_sleep(%s)',
		i, i, i % 100, (i % 7) * $pause), pool => 'chaos', max_attempts => 1000)) FROM generate_series(1, $tasks) i});
$node->append_conf('postgresql.conf', 'lyftron.background_workers = on');
$node->restart;

my %done = map { $_ => 0 } qw(kill terminate restart);
my $end = time + $seconds;
while (time < $end)
{
	sleep 0.3 + rand 1.5;
	my $dice = rand;
	if ($dice < 0.05 || ($done{restart} == 0 && time > $end - $seconds / 2))
	{
		$node->stop('immediate');
		$node->start;
		$done{restart}++;
		next;
	}
	my $kind = $dice < 0.55 ? 'worker' : $dice < 0.8 ? 'overseer' : 'coordinator';
	my $pid = ask("SELECT pid FROM lyftron.workers() WHERE kind = '$kind' AND pid IS NOT NULL ORDER BY random() LIMIT 1");
	next unless $pid;
	$done{ $kind eq 'worker' ? 'kill' : 'terminate' } += kill($kind eq 'worker' ? 'KILL' : 'TERM', $pid);
}
note(join ', ', map { "$_: $done{$_}" } sort keys %done);
my $over = ask("SELECT count(*) FROM lyftron.task WHERE finished_at IS NOT NULL") // '?';
note("$over tasks were over when the killing stopped");

ok(wait_until(300, sub { (ask('SELECT count(*) FROM lyftron.queue') // '') eq '0' }), 'no task is left over')
  or diag($node->safe_psql('postgres', 'SELECT state, count(*), min(error), max(attempt) FROM lyftron.task GROUP BY 1'));
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT state, ',') FROM lyftron.task"), 'succeeded', 'all succeeded');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT task) FROM effect'), "$tasks|$tasks", 'each has its effect, once');
is($node->safe_psql('postgres', "SELECT bool_and(n = (SELECT sum(i) FROM generate_series(1, $tasks) i WHERE i % 100 = slot)) FROM position"), 't', 'and each moved its state on, once');
note('attempts: ' . $node->safe_psql('postgres', "SELECT string_agg(attempt || ' x ' || n, ', ' ORDER BY attempt) FROM (SELECT attempt, count(*) AS n FROM lyftron.task GROUP BY 1) t"));
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid IN (19546, 19547, 19549)"), '0', 'no lock is left');
cmp_ok($done{kill}, '>', 0, 'workers were killed');
$node->stop;

done_testing();
