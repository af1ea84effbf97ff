# ALTER EXTENSION UPDATE while background workers and sessions are at work: what was begun is ended, processes with the
# library of the new version take over, sessions with the old one are told.  And a table that changes under load.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

chomp(my $lib = `pg_config --pkglibdir`);
chomp(my $share = `pg_config --sharedir`);
my $script = "$share/extension/lyftron--1.0--1.1.sql";
my $tmp = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::system_or_bail('cp', '-p', "$lib/lyftron.so", "$tmp/1.0.so");

END
{
	my $status = $?;
	install('1.0') if -e "$tmp/1.0.so";
	unlink $script;
	$? = $status;
}

# As a package does: processes that have the old one keep it.
sub install
{
	my ($version) = @_;
	PostgreSQL::Test::Utils::system_or_bail('cp', '-p', "$tmp/$version.so", "$lib/lyftron.so.new");
	rename("$lib/lyftron.so.new", "$lib/lyftron.so") or die $!;
	return;
}

# The next version: its library knows the tables of this one, too.
mkdir "$tmp/next";
PostgreSQL::Test::Utils::system_or_bail('cp', '-a', 'Makefile', 'lyftron.control', 'src', "$tmp/next");
unlink "$tmp/next/src/base/version.o", "$tmp/next/lyftron.so";
PostgreSQL::Test::Utils::system_or_bail('make', '-s', '-C', "$tmp/next", 'with_llvm=no', 'EXTVERSION=1.1', 'SERVED=1.0 1.1', 'lyftron.so');
PostgreSQL::Test::Utils::system_or_bail('cp', "$tmp/next/lyftron.so", "$tmp/1.1.so");
append_to_file($script, <<'SQL');
ALTER TABLE lyftron.queue ADD COLUMN fresh text NOT NULL DEFAULT 'fresh';
CREATE FUNCTION lyftron.fresh() RETURNS text LANGUAGE sql RETURN 'fresh';
SELECT pg_catalog.pg_sleep(0.2);
SELECT lyftron.tick();
SQL

my $node = new_node('update', "max_worker_processes = 20\n");
sub sql { return $node->safe_psql('postgres', shift); }
sub other { return $node->safe_psql('other', shift); }
sub version { return $node->safe_psql(shift // 'postgres', "SELECT extversion FROM pg_extension WHERE extname = 'lyftron'"); }

# --- a table that changes while tasks are put into it ---

my @writers = map { background_query($node, q{
	DO $$
	BEGIN
		FOR i IN 1..1500 LOOP
			PERFORM lyftron.enqueue('SELECT 1', 'busy', run_at => now() + interval '1 day');
			PERFORM lyftron.enqueue(ARRAY['SELECT 1', 'SELECT 2'], 'busy', run_at => now() + interval '1 day');
			COMMIT;
			PERFORM pg_sleep(0.002);
		END LOOP;
	END$$;}) } 1 .. 3;
ok(wait_until(20, sub { sql('SELECT count(*) > 100 FROM lyftron.queue') eq 't' }), 'sessions put tasks into the queue');
for my $change ('CREATE INDEX CONCURRENTLY later ON lyftron.queue (id) WHERE state = $$scheduled$$', 'REINDEX TABLE CONCURRENTLY lyftron.queue',
	'ALTER TABLE lyftron.queue ADD extra int DEFAULT 4711', 'VACUUM ANALYZE lyftron.queue', 'DROP INDEX CONCURRENTLY lyftron.later', 'CREATE UNIQUE INDEX CONCURRENTLY later ON lyftron.queue (seq)')
{
	is(($node->psql('postgres', $change, on_error_die => 0))[0], 0, $change);
}
$_->{run}->finish for @writers;
is(join('', map { ${ $_->{err} } } @writers), '', 'they had no error');
is(sql("SELECT count(*) FROM lyftron.queue WHERE name = 'busy'"), 3 * 1500 * 3, 'all are there');
for my $index ("state = 'scheduled' AND run_at > now()", 'id > 0', 'seq > 0')
{
	is(sql("SET enable_seqscan = off; SELECT count(*) FROM lyftron.queue WHERE $index"), 3 * 1500 * 3, "by the index for $index, too");
}
cmp_ok(sql("SELECT count(*) FROM lyftron.queue WHERE extra = 4711"), '>', 0, 'and have the default of a new column');
sql('DROP INDEX lyftron.later; ALTER TABLE lyftron.queue DROP extra; DELETE FROM lyftron.queue');

# --- background workers at work ---

# those of the processes that have a library which is not on the disk any more
sub outdated
{
	my @pids = grep { my $maps = -r "/proc/$_/maps" ? slurp_file("/proc/$_/maps") : ''; $maps =~ /lyftron\.so \(deleted\)/ }
	  split /\n/, sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'lyftron%'});
	return scalar @pids;
}

$node->safe_psql('postgres', 'CREATE DATABASE other');
for my $database ('postgres', 'other')
{
	$node->safe_psql($database, q{
		CREATE EXTENSION IF NOT EXISTS lyftron;
		SELECT lyftron.start();
		CREATE TABLE effect (task int);
		SELECT lyftron.create_pool('load', max_workers => 3);
		SELECT count(*) FROM lyftron.enqueue(ARRAY(
			SELECT format('INSERT INTO effect VALUES (%s); SELECT pg_sleep(0.01)', i) FROM generate_series(1, 1000) i), 'many', pool => 'load')});
}
sql(q{SELECT lyftron.enqueue('SELECT pg_sleep(5); INSERT INTO effect VALUES (0)', 'long', max_attempts => 1)});
ok(wait_until(20, sub { sql("SELECT count(*) FROM effect") > 50 && other("SELECT count(*) FROM effect") > 50 }), 'two databases have tasks at work');
ok(wait_until(20, sub { sql("SELECT state FROM lyftron.task WHERE name = 'long'") eq 'running' }), 'a long one among them');

my $old = $node->background_psql('postgres', on_error_stop => 0);
like($old->query(q{SELECT lyftron.enqueue('INSERT INTO effect VALUES (1001)')}), qr/^\d+$/, 'a session has the old library');
install('1.1');
like(sql(q{SELECT lyftron.enqueue('INSERT INTO effect VALUES (1002)')}), qr/^\d+$/, 'a new one works with the old tables');
my $start = time;
is(($node->psql('postgres', q{ALTER EXTENSION lyftron UPDATE TO '1.1'}, on_error_die => 0))[0], 0, 'ALTER EXTENSION UPDATE');
note(sprintf 'it took %.2f s', time - $start);
is(version() . version('other'), '1.11.0', 'of the one, not the other');
cmp_ok(sql("SELECT count(*) FROM lyftron.queue WHERE name = 'many'"), '>', 0, 'while there were tasks');

$old->query(q{SELECT lyftron.enqueue('INSERT INTO effect VALUES (1003)')});
like($old->{stderr}, qr/the extension is lyftron 1\.1, the library that this session has loaded 1\.0.*Connect anew/s, 'the old session is told');
$old->quit;
like(sql(q{SELECT lyftron.enqueue('INSERT INTO effect VALUES (1004)')}), qr/^\d+$/, 'a new one goes on');
is(sql("SELECT fresh FROM lyftron.queue WHERE name = 'sql' ORDER BY id DESC LIMIT 1"), 'fresh', 'in the new tables');

ok(wait_until(60, sub { sql('SELECT count(*) FROM lyftron.queue') eq '0' && other('SELECT count(*) FROM lyftron.queue') eq '0' }), 'all tasks are done')
  or diag(sql('SELECT state, count(*), min(error), max(attempt) FROM lyftron.task GROUP BY 1'), other('SELECT state, count(*), min(error), max(attempt) FROM lyftron.task GROUP BY 1'));
is(sql('SELECT count(*), count(DISTINCT task), max(task) FROM effect'), '1004|1004|1004', 'each once');
is(other('SELECT count(*), count(DISTINCT task) FROM effect'), '1000|1000', 'in the other database, too');
is(sql("SELECT string_agg(DISTINCT state || attempt, ',') FROM lyftron.task"), 'succeeded1', 'and at the first attempt, what was at work among them');
ok(wait_until(30, sub { outdated() == 0 }), 'no process has the old library any more') or diag(sql('SELECT * FROM pg_stat_activity'));
note(sprintf 'after %.1f s', time - $start);
is(sql("SELECT string_agg(kind, ' ' ORDER BY kind) FROM lyftron.workers() WHERE kind <> 'worker'"), 'coordinator overseer', 'and others are there');
sql(q{SELECT count(*) FROM lyftron.enqueue(ARRAY(SELECT 'SELECT pg_sleep(0.2)' FROM generate_series(1, 20)), 'after', pool => 'load')});
ok(wait_until(10, sub { sql("SELECT count(*) FROM lyftron.workers() WHERE pool = 'load'") == 3 }), 'which start workers as they are wanted');
ok(wait_until(20, sub { sql('SELECT count(*) FROM lyftron.queue') eq '0' }), 'and do what there is to do');
other(q{SELECT lyftron.enqueue('INSERT INTO effect VALUES (1001)')});
ok(wait_until(20, sub { other('SELECT max(task) FROM effect') eq '1001' }), 'in the database with the old tables, too');

# --- a preloaded library stays until the server is restarted ---

install('1.0');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'lyftron'\n");
my $logged = -s $node->logfile;
$node->restart;
like(($node->psql('postgres', q{SELECT lyftron.enqueue('SELECT 1')}, on_error_die => 0))[2], qr/the extension is lyftron 1\.1, the library that this session has loaded 1\.0.*restart the server/s,
	'a library that is older than the extension is not used');
install('1.1');
like(($node->psql('other', q{ALTER EXTENSION lyftron UPDATE TO '1.1'}, on_error_die => 0))[2], qr/the extension is lyftron 1\.1, the library that this session has loaded 1\.0/,
	'nor to update one');
is(version('other'), '1.0', 'which stays as it was');
other(q{SELECT lyftron.enqueue('INSERT INTO effect VALUES (1002)')});
ok(wait_until(20, sub { other('SELECT max(task) FROM effect') eq '1002' }), 'and is served');
sleep 3;
my $told = () = slurp_file($node->logfile, $logged) =~ /has another version of lyftron than this library, 1\.0/g;
is($told, 1, 'the log says once why the other one is not');
$node->restart;
is(($node->psql('other', q{ALTER EXTENSION lyftron UPDATE TO '1.1'}, on_error_die => 0))[0], 0, 'with the new library it is updated');
$node->safe_psql($_, q{SELECT lyftron.enqueue('INSERT INTO effect VALUES (2000)')}) for 'postgres', 'other';
ok(wait_until(20, sub { sql('SELECT max(task) FROM effect') eq '2000' && other('SELECT max(task) FROM effect') eq '2000' }), 'and both are served again');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|was not properly shut down/, 'nothing crashed');

done_testing();
