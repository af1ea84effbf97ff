# Without background workers: entries of pg_cron work, for a role that is no superuser and owns the database; and
# the tests of pipelines pass with each run done by pg_cron.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'this PostgreSQL came without pg_cron' unless has_pg_cron();

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->append_conf('postgresql.conf', pg_cron_conf('shop') . "lyftron.allowed_hosts = '127.0.0.1'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE ann LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE shop OWNER ann');
my $connect = 'host=' . $node->host . ' port=' . $node->port . ' dbname=shop user=ann';
my $port = start_flights_api('--published', '2013-02-28T23:59:59Z');

sub ann
{
	my ($sql) = @_;
	my ($ret, $out, $err) = $node->psql('shop', $sql, connstr => $connect, on_error_die => 0);
	return $ret == 0 ? $out : "ERROR: $err";
}

is(ann('CREATE EXTENSION lyftron'), '', 'the owner of a database creates the extension');
like(ann('SELECT lyftron.start()'), qr/background workers are off.*schedule_with_pg_cron/s, 'background workers are off here');
like(ann('SELECT lyftron.schedule_with_pg_cron()'), qr/extension pg_cron is not in this database.*SELECT cron\.schedule_in_database\('lyftron default 1', '\* \* \* \* \*'/s,
	'where pg_cron is not, it says what to do');
$node->safe_psql('shop', 'CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO ann; GRANT USAGE ON FOREIGN DATA WRAPPER lyftron_rest TO ann');
is(ann(q{SELECT string_agg(job, ',') FROM lyftron.schedule_with_pg_cron(workers => 3)}), 'lyftron default 1,lyftron default 2,lyftron default 3', 'three entries');
is(ann(q{SELECT count(*) FROM lyftron.schedule_with_pg_cron(workers => 2)}), '2', 'then two');
is(ann(q{SELECT string_agg(jobname || ': ' || username || ' ' || command, E'\n' ORDER BY jobname) FROM cron.job}),
	"lyftron default 1: ann CALL lyftron.work('default', wait => '55 seconds')\nlyftron default 2: ann CALL lyftron.work('default', wait => '55 seconds')",
	'which are the role\'s own');

is(ann(qq{
	CREATE SERVER nyc FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights', config '{"base_url": "http://127.0.0.1:$port"}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER nyc OPTIONS (secrets '{"token": "demo-token-4711"}');
	CREATE SCHEMA nyc;
	IMPORT FOREIGN SCHEMA "default" FROM SERVER nyc INTO nyc;
	CREATE SCHEMA raw;
	CREATE TABLE raw.days (day date, flights bigint, due text);
	SELECT lyftron.create_pipeline('flights', source => 'nyc.flights', destination => 'raw.flights', mode => 'incremental', schedule => '5 seconds');
	SELECT lyftron.create_pipeline('days', kind => 'sql', after => '{flights}', source => \$\$
		INSERT INTO raw.days SELECT max(time_hour)::date, count(*), current_setting('lyftron.nominal_time') FROM raw.flights\$\$);}), "\n", 'a pipeline with a schedule, and a step after it');
ok(wait_until(100, sub { ann('SELECT count(*) >= 3 FROM raw.days') eq 't' }), 'are done by pg_cron, on time and again');
is(ann(q{SELECT DISTINCT state FROM lyftron.jobs WHERE pipeline = 'flights' AND started_at IS NOT NULL AND state <> 'running'}), 'succeeded', 'each run succeeds');
is(ann(q{SELECT count(*) FROM lyftron.jobs WHERE pipeline = 'flights' AND state = 'upcoming'}), '1', 'the next one can be seen');
is($node->safe_psql('shop', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'lyftron%'}), '0', 'without any background worker of lyftron');
is(ann(q{SELECT string_agg(DISTINCT kind, ',') FROM lyftron.workers()}), 'session', 'but sessions of pg_cron\'s');
api_post($port, '/admin/publish?until=2013-03-01T23:59:59Z');
ok(wait_until(30, sub { ann(q{SELECT max(day) FROM raw.days}) eq '2013-03-01' }), 'what is published meanwhile arrives');

my $start = time;
ann(q{SELECT lyftron.enqueue('CREATE TABLE raw.at_once ()')});
ok(wait_until(20, sub { ann(q{SELECT to_regclass('raw.at_once') IS NOT NULL}) eq 't' }), 'what is queued is done at once');
cmp_ok(time - $start, '<', 5, 'not at the next minute') unless watched();
is(ann('SELECT lyftron.unschedule_from_pg_cron()'), '', 'the entries are taken out');
is(ann('SELECT count(*) FROM cron.job'), '0', 'all of them');
$node->stop('fast');

# The tests of pipelines, each run of theirs by pg_cron.  110_invalid passes so, too, but takes minutes.  Not these: 020, 030 and 040
# kill, cancel and measure the session that calls; 105 and 130 are about that session's settings and messages; 070 restores
# a dump into another database, where pg_cron cannot be; 160 calls lyftron.work itself; 120 wants a Redmine of its own.
for my $test ('010_flights', '050_full_refresh', '055_altered', '060_unprivileged', '085_pipelines_rest', '140_ahead', '155_flows')
{
	local $ENV{LYFTRON_DRIVER} = 'pg_cron';
	my $out = `$^X -I test/perl @{[ map { "-I $_" } grep { -e "$_/PostgreSQL/Test/Cluster.pm" } @INC ]} test/t/$test.pl 2>&1`;
	is($?, 0, "$test, driven by pg_cron: " . (() = $out =~ /^ok /mg) . ' tests') or diag($out =~ s/^(ok .*|#.*)\n//mgr);
}

done_testing();
