
# kill -9 of the loading backend at 20 random moments: after each the server recovers, and at
# the end a rerun leaves every row there exactly once; a run after that moves nothing.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;
use Time::HiRes qw(sleep);

my $node = new_node('main', "restart_after_crash = on\n");
my $port = start_flights_api();
connect_flights($node, $port);
api_post($port, '/admin/delay?ms=2');
srand($ENV{LYFTRON_SEED} // 4711);

# Checkpoints after every page, so that kills fall between, before and into them.
my $settings = q{SET lyftron.checkpoint_size = '64kB'; SET application_name = 'loader';};
my %mode = (incremental => 'flights', full_refresh => 'flights', incremental_append => 'flights');

$node->safe_psql('postgres', qq{
	SELECT lyftron.create_pipeline('p_$_', source => 'nyc.flights', destination => 'raw.p_$_', mode => '$_');})
  for sort keys %mode;

# What was killed is shown until the server has begun anew: before that it may still take connections.
sub recovered
{
	return wait_until(60, sub {
		# The statement cannot even be written to a psql that has lost its connection: that dies
		my ($ret, $count) = eval {
			$node->psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'loader'});
		};
		return defined $ret && $ret == 0 && $count eq '0';
	});
}

my $killed = 0;
my @modes = sort keys %mode;
for my $try (1 .. 60)
{
	last if $killed == 20;

	my $pipeline = 'p_' . $modes[ $try % @modes ];
	my $query = background_query($node, "$settings CALL lyftron.run('$pipeline');");
	my $pid;
	wait_until(10, sub {
		$pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'loader' AND state = 'active'});
		return $pid;
	});
	sleep(rand(1.5));
	# A run that was over before is none of the 20.
	my $at_work = $pid && $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'active'");
	if ($at_work && kill('KILL', $pid)) { $killed++; }
	$query->{run}->finish;
	ok(recovered(), "the server recovers after kill $try");
}
is($killed, 20, '20 backends were killed at work');

for my $m (@modes)
{
	$node->safe_psql('postgres', "CALL lyftron.run('p_$m')");
	is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT id), sum(id) FROM raw.p_$m"),
		'336776|336776|' . (336776 * 336777 / 2), "$m: every row is there once");
	next if $m eq 'full_refresh';
	$node->safe_psql('postgres', "CALL lyftron.run('p_$m')");
	is($node->safe_psql('postgres', "SELECT rows_written FROM lyftron.jobs WHERE pipeline = 'p_$m' ORDER BY started_at DESC LIMIT 1"),
		'0', "$m: one more run moves nothing");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relkind = 'r'}),
	'3', 'no table is left behind');
is($node->safe_psql('postgres', q{SELECT count(*) FROM lyftron.jobs WHERE state = 'running'}), '0', 'no run is shown as running');

done_testing();
