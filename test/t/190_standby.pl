# On a standby nobody works; promoted, it is served, and what was at work on the primary is taken up.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'lyftron'\nmax_worker_processes = 20\n");
$primary->start;
$primary->safe_psql('postgres', q{
	CREATE EXTENSION lyftron;
	CREATE TABLE done (what text, at timestamptz DEFAULT clock_timestamp());
	SELECT lyftron.create_pipeline('beat', kind => 'sql', source => 'INSERT INTO public.done VALUES (''beat'')', schedule => '1 second');});
$primary->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;
ok(wait_until(30, sub { $primary->safe_psql('postgres', 'SELECT count(*) FROM done') > 2 }), 'the primary works');
$primary->safe_psql('postgres', "SELECT lyftron.enqueue('INSERT INTO done VALUES (''long''); SELECT pg_sleep(3)', 'long')");
ok(wait_until(30, sub { $primary->safe_psql('postgres', "SELECT count(*) FROM lyftron.task WHERE name = 'long' AND state = 'running'") == 1 }), 'a task is at work');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'lyftron%'"), '0', 'on the standby there are no processes');
is($standby->safe_psql('postgres', "SELECT count(*) FROM lyftron.jobs WHERE state = 'upcoming'"), '1', 'but jobs can be seen there');
like(($standby->psql('postgres', 'SELECT lyftron.start()'))[2], qr/read-only transaction/, 'and nothing can be started');
like(($standby->psql('postgres', 'CALL lyftron.work()'))[2], qr/read-only transaction|recovery/, 'nor done');

$primary->stop('immediate');
$standby->promote;
my $beats = $standby->safe_psql('postgres', "SELECT count(*) FROM done WHERE what = 'beat'");
ok(wait_until(60, sub { $standby->safe_psql('postgres', "SELECT count(*) FROM done WHERE what = 'beat'") > $beats + 1 }), 'promoted, it works');
ok(wait_until(60, sub { $standby->safe_psql('postgres', "SELECT count(*) FROM done WHERE what = 'long'") == 1 }), 'the task that was at work on the primary is done');
is($standby->safe_psql('postgres', "SELECT state, attempt FROM lyftron.task WHERE name = 'long'"), 'succeeded|2', 'at its second attempt');
$standby->stop;

done_testing();
