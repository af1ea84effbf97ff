# Background workers: they come when there is something to do, as the tasks' owner, and go; what ends
# them ends no task; they are in nobody's way who drops or copies their database.
use strict;
use warnings;

use lib 'test/perl';
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = new_node('workers', "max_worker_processes = 20\n");
$node->safe_psql('postgres', 'CREATE TABLE done (what text, pid int DEFAULT pg_backend_pid(), who text DEFAULT session_user, at timestamptz DEFAULT clock_timestamp())');

sub sql { return $node->safe_psql('postgres', shift); }
sub until_is { my ($query, $wanted, $what, $seconds) = @_; return is(wait_until($seconds // 10, sub { sql($query) eq $wanted }) ? $wanted : sql($query), $wanted, $what); }

my $workers = "SELECT count(*) FROM lyftron.workers() WHERE kind = 'worker'";

# --- without shared_preload_libraries ---

is(sql($workers), 0, 'nobody works');
sql("SELECT lyftron.enqueue('INSERT INTO done VALUES (''first'')')");
like(sql("SELECT note FROM lyftron.pool_health"), qr/nobody works: SELECT lyftron\.start\(\)/, 'and one can see it');
sql('SELECT lyftron.start()');
until_is('SELECT count(*) FROM done', 1, 'what was queued before is done once there is an overseer');
sql('SELECT lyftron.start()');
is(sql("SELECT string_agg(kind, ' ' ORDER BY kind) FROM lyftron.workers() WHERE kind <> 'worker'"), 'coordinator overseer', 'one overseer, however often it is started');
like(sql("SELECT string_agg(backend_type, ',' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type LIKE 'lyftron%'"), qr/^lyftron coordinator,lyftron overseer,lyftron worker/, 'they have names');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'lyftron%' AND backend_xmin IS NOT NULL"), 0, 'and hold no snapshot');

# --- as the owner, with that role's settings ---

sql(<<'SQL');
CREATE ROLE clerk LOGIN; ALTER ROLE clerk SET work_mem = '7MB'; GRANT INSERT ON done TO clerk;
CREATE ROLE locked; GRANT INSERT ON done TO locked;
SQL
sql("SET ROLE clerk; SELECT lyftron.enqueue('INSERT INTO public.done VALUES (current_user || '' '' || current_setting(''work_mem''))')");
until_is("SELECT what || ' ' || who FROM done WHERE what LIKE 'clerk%'", 'clerk 7MB clerk', 'a task is done by a process of its owner, with that role\'s settings');
sql("SET ROLE clerk; SELECT lyftron.enqueue('CREATE TEMP TABLE mine (i int); SET work_mem = ''9MB''; PREPARE p AS SELECT 1', 'twice') FROM generate_series(1, 4)");
until_is("SELECT count(*) FROM lyftron.task WHERE name = 'twice' AND state = 'succeeded'", 4, 'what a task leaves in its session the next one does not find');
if (sql('SHOW server_version_num') < 170000)
{
	sql("SET ROLE locked; SELECT lyftron.enqueue('INSERT INTO public.done VALUES (''locked'')')");
	like(sql('SELECT note FROM lyftron.pool_health'), qr/cannot connect as locked: give them LOGIN/, 'a role that may not log in gets no worker, which one can see');
	sql('ALTER ROLE locked LOGIN');
}
else
{
	sql("SET ROLE locked; SELECT lyftron.enqueue('INSERT INTO public.done VALUES (''locked'')')");
}
until_is("SELECT count(*) FROM done WHERE what = 'locked'", 1, 'and then it does', 20);

# --- scaling ---

sql("SELECT lyftron.create_pool('burst', min_workers => 1, max_workers => 6, threshold => 10, idle_timeout => '3 seconds')");
my @seen;
my $start = time;
sql("SELECT lyftron.enqueue('SELECT pg_sleep(0.05)', 'slow', 'burst') FROM generate_series(1, 500)");
my $six = wait_until(10, sub { my $n = sql("$workers AND pool = 'burst'"); push @seen, sprintf('%.1f s: %d', time - $start, $n); $n == 6 });
my $took = time - $start;
ok($six, 'a burst of 500 brings six workers');
note(sprintf 'after %.2f s', $took);
until_is("SELECT count(*) FROM lyftron.task WHERE name = 'slow' AND state = 'succeeded'", 500, 'which do it', 60);
push @seen, sprintf('%.1f s: all done', time - $start);
cmp_ok(sql("SELECT count(DISTINCT pid) FROM lyftron.task WHERE name = 'slow'"), '>=', 6, 'together');
ok(wait_until(30, sub { my $n = sql("$workers AND pool = 'burst'"); push @seen, sprintf('%.1f s: %d', time - $start, $n) if $seen[-1] !~ /: $n$/; $n == 1 }), 'one is left when they were idle for long enough');
note("workers over time: @seen");
sleep 4;
is(sql("$workers AND pool = 'burst'"), 1, 'and stays');

# --- what ends a worker ends no task ---

sql("SELECT lyftron.enqueue('INSERT INTO done VALUES (''survivor''); SELECT pg_sleep(1)', 'survivor')");
until_is("SELECT count(*) FROM lyftron.task WHERE name = 'survivor' AND state = 'running'", 1, 'a task at work');
sql("SELECT pg_terminate_backend(pid) FROM lyftron.task WHERE name = 'survivor'");
until_is("SELECT count(*) FROM done WHERE what = 'survivor'", 1, 'is done by another worker when its own is terminated', 20);
is(sql("SELECT attempt FROM lyftron.task WHERE name = 'survivor'"), 2, 'at the second attempt');
for my $kind ('overseer', 'coordinator')
{
	my $pid = sql("SELECT pid FROM lyftron.workers() WHERE kind = '$kind'");
	sql("SELECT pg_terminate_backend($pid)");
	ok(wait_until(20, sub { my $now = sql("SELECT pid FROM lyftron.workers() WHERE kind = '$kind'"); $now ne '' && $now != $pid }), "the $kind comes back");
}
sql("SELECT lyftron.enqueue('INSERT INTO done VALUES (''later'')', run_at => now() + interval '1 second')");
until_is("SELECT count(*) FROM done WHERE what = 'later'", 1, 'and does its work');

# --- cancel, pause ---

sql("SELECT lyftron.enqueue('SELECT pg_sleep(600)', 'long')");
until_is("SELECT count(*) FROM lyftron.task WHERE name = 'long' AND state = 'running'", 1, 'a long task');
is(sql("SELECT lyftron.cancel_task(id) FROM lyftron.task WHERE name = 'long'"), 't', 'is cancelled');
until_is("SELECT state || ' ' || error FROM lyftron.task WHERE name = 'long'", 'cancelled canceling statement due to user request', 'at once');
sql("SELECT lyftron.pause_pool('default'); SELECT lyftron.enqueue('INSERT INTO done VALUES (''paused'')', 'paused')");
sleep 1.5;
is(sql("SELECT state FROM lyftron.task WHERE name = 'paused'"), 'ready', 'a paused pool begins nothing');
sql("SELECT lyftron.resume_pool()");
until_is("SELECT count(*) FROM done WHERE what = 'paused'", 1, 'a resumed one goes on');

# --- stop, and databases that others want ---

sql('SELECT lyftron.stop()');
until_is("SELECT count(*) FROM lyftron.workers() WHERE kind <> 'coordinator'", 0, 'stopped, all are gone');
sql("SELECT lyftron.enqueue('INSERT INTO done VALUES (''unserved'')')");
sleep 1.5;
is(sql("SELECT count(*) FROM done WHERE what = 'unserved'"), 0, 'and nobody works');
sql('SELECT lyftron.start()');
until_is("SELECT count(*) FROM done WHERE what = 'unserved'", 1, 'started again, it is done');

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION lyftron; SELECT lyftron.start()');
my $overseer_of = sub { return $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = '$_[0]' AND backend_type = 'lyftron overseer'"); };
ok(wait_until(10, sub { $overseer_of->('other') == 1 }), 'another database has an overseer of its own');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE other');
ok(wait_until(20, sub { $overseer_of->('other') == 1 }), 'which makes way for who copies the database, and comes back');
sleep 2;
is($overseer_of->('copy'), 0, 'a copy is not served before somebody says so');

# one that is at work in it when it is renamed or moved is done by another worker
$node->safe_psql('postgres', q{SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''});
my $name = 'other';
for my $change ([ 'RENAME TO renamed', 'renamed' ], [ 'SET TABLESPACE elsewhere', 'renamed' ], [ 'RENAME TO other', 'other' ], [ 'SET TABLESPACE pg_default', 'other' ])
{
	my ($what, $after) = @$change;
	my $id = $node->safe_psql($name, "SELECT lyftron.enqueue('SELECT pg_sleep(1.5)', 'busy')");
	ok(wait_until(20, sub { $node->safe_psql($name, "SELECT count(*) FROM lyftron.task WHERE id = $id AND state = 'running'") == 1 }), 'a worker at work');
	$start = time;
	is(($node->psql('postgres', "ALTER DATABASE $name $what", on_error_die => 0))[0], 0, "is in nobody's way: ALTER DATABASE $what");
	note(sprintf 'it took %.2f s', time - $start);
	$name = $after;
	ok(wait_until(20, sub { $node->safe_psql($name, "SELECT state || attempt FROM lyftron.task WHERE id = $id") eq 'succeeded2' }), 'and another one does it again, by itself');
	is($overseer_of->($name), 1, 'with an overseer');
}
$node->safe_psql('postgres', 'DROP TABLESPACE elsewhere');

$node->safe_psql('other', "SELECT lyftron.enqueue('SELECT pg_sleep(600)', 'endless')");
ok(wait_until(10, sub { $node->safe_psql('other', "SELECT count(*) FROM lyftron.task WHERE state = 'running'") == 1 }), 'a worker at work in it');
$start = time;
$node->safe_psql('postgres', 'DROP DATABASE other');
note(sprintf 'DROP DATABASE took %.2f s', time - $start);
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'other'"), 0, 'is in nobody\'s way who drops it');
$node->safe_psql('postgres', 'DROP DATABASE copy');

# --- DROP EXTENSION under load ---

sql("SELECT lyftron.enqueue('SELECT pg_sleep(0.01)') FROM generate_series(1, 300)");
sql('DROP EXTENSION lyftron');
until_is("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('lyftron overseer', 'lyftron worker')", 0, 'without the extension all are gone', 15);
sql('CREATE EXTENSION lyftron');
sql("SELECT lyftron.start(); SELECT lyftron.enqueue('INSERT INTO done VALUES (''anew'')')");
until_is("SELECT count(*) FROM done WHERE what = 'anew'", 1, 'and with it they come');

# --- with shared_preload_libraries ---

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'lyftron'\n");
$node->restart;
sql("SELECT lyftron.enqueue('INSERT INTO done VALUES (''preloaded'')')");
until_is("SELECT count(*) FROM done WHERE what = 'preloaded'", 1, 'with the library preloaded they come with the server', 20);
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', "CREATE EXTENSION lyftron; CREATE TABLE done (what text); SELECT lyftron.enqueue('INSERT INTO done VALUES (''fresh'')')");
ok(wait_until(20, sub { $node->safe_psql('fresh', 'SELECT count(*) FROM done') == 1 }), 'a database that gets the extension is served without more words');
$start = time;
$node->safe_psql('postgres', 'DROP DATABASE fresh');
cmp_ok(time - $start, '<', 5, 'and dropped at once');

# dropped while workers come up
$node->safe_psql('postgres', 'CREATE DATABASE model');
$node->safe_psql('model', "CREATE EXTENSION lyftron; SELECT lyftron.stop(); SELECT lyftron.create_pool('wide', max_workers => 5)");
my @dropped;
for my $wait (0, 0.02, 0.05, 0.1, 0.2, 0.4)
{
	$node->safe_psql('postgres', 'CREATE DATABASE brief TEMPLATE model');
	$node->safe_psql('brief', "SELECT lyftron.start(); SELECT count(*) FROM lyftron.enqueue(ARRAY(SELECT 'SELECT pg_sleep(5)' FROM generate_series(1, 10)), pool => 'wide')");
	sleep $wait;
	push @dropped, ($node->psql('postgres', 'DROP DATABASE brief', on_error_die => 0))[0];
}
is("@dropped", '0 0 0 0 0 0', 'one whose workers come up just then is dropped, too');
$node->safe_psql('postgres', 'DROP DATABASE model');

# --- fewer slots than are wanted ---

$node->append_conf('postgresql.conf', "max_worker_processes = 12\nlyftron.reserved_workers = 3\n");
$node->restart;
my $in = sub { return $node->safe_psql($_[0], $workers); };
for my $database ('left', 'right')
{
	$node->safe_psql('postgres', "CREATE DATABASE \"$database\"");
	$node->safe_psql($database, "CREATE EXTENSION lyftron; SELECT lyftron.create_pool('wide', max_workers => 6)");
}
$node->safe_psql('left', "SELECT count(lyftron.enqueue('SELECT pg_sleep(0.2)', pool => 'wide')) FROM generate_series(1, 1000)");
ok(wait_until(20, sub { $in->('left') >= 3 }), 'one database takes what slots there are: ' . $in->('left'));
like($node->safe_psql('left', "SELECT note FROM lyftron.pool_health WHERE pool = 'wide'"), qr/wants 6 workers, gets \d: raise max_worker_processes/, 'it says that it wants more');
my $all = $node->safe_psql('left', 'SELECT granted FROM lyftron.wants() WHERE pool = $$wide$$');
note("$all slots to share");
$node->safe_psql('right', "SELECT count(lyftron.enqueue('SELECT pg_sleep(0.2)', pool => 'wide')) FROM generate_series(1, 1000)");
$start = time;
ok(wait_until(20, sub { abs($in->('left') - $in->('right')) <= 1 && $in->('left') + $in->('right') >= $all - 1 }), sprintf 'another one gets its share after %.1f s', time - $start)
  or diag('left: ' . $in->('left') . ', right: ' . $in->('right'));
cmp_ok(12 - sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type NOT IN ('client backend', 'checkpointer', 'background writer', 'walwriter', 'autovacuum launcher', 'autovacuum worker', 'io worker', 'startup')"),
	'>=', 3, 'and the reserve is kept');
$node->safe_psql('postgres', 'DROP DATABASE "left"');
ok(wait_until(20, sub { $in->('right') > $all / 2 }), 'without the one the other has more');

$node->append_conf('postgresql.conf', "lyftron.background_workers = off\n");
$node->reload;
until_is("SELECT count(*) FROM lyftron.workers() WHERE kind IN ('overseer', 'worker')", 0, 'a setting turns them off', 15);
like(($node->psql('postgres', 'SELECT lyftron.start()'))[2], qr/background workers are off.*schedule_with_pg_cron/s, 'and says what to do instead');
$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal|was not properly shut down/, 'nothing crashed');

done_testing();
