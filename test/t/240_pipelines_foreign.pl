# Pipelines from other databases, through any foreign table: a full refresh is read in slices by several workers at once, and each
# row comes once whatever ends in the middle (a worker, the server, the source, the run); incremental runs find ties, late
# and changed rows, hand their conditions on to the source, and go on where they were. postgres_fdw, file_fdw, tds_fdw.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

chomp(my $libraries = `pg_config --pkglibdir`);
plan skip_all => "this PostgreSQL has no postgres_fdw" unless -e "$libraries/postgres_fdw.so";

my $remote = PostgreSQL::Test::Cluster->new('remote');
$remote->init;
$remote->append_conf('postgresql.conf', "log_statement = all\nautovacuum = off\n");
$remote->start;
my $node = new_node('main', "max_worker_processes = 20\nshared_preload_libraries = 'lyftron'\nrestart_after_crash = on\nautovacuum = off\n");

sub sql { return $node->safe_psql('postgres', shift); }
sub remote { return $remote->safe_psql('postgres', shift); }
sub job { my ($pipeline, $columns) = @_; return sql("SELECT $columns FROM lyftron.jobs WHERE pipeline = '$pipeline' AND id IS NOT NULL ORDER BY id DESC LIMIT 1"); }

# What the source was asked since the last time.
my $read_up_to = 0;
sub asked
{
	my $log = slurp_file($remote->logfile, $read_up_to);
	$read_up_to = -s $remote->logfile;
	return join '', grep { /^\s*SELECT |execute|DECLARE/ } map { "$_\n" } split /\n/, $log;
}

# Rows come at a pace that leaves time to look: a view sleeps at every 100th of them.
my $rows = 12000;
remote(qq{
	CREATE TABLE items (id int PRIMARY KEY, part int, name text, at timestamptz NOT NULL);
	INSERT INTO items SELECT i, i % 7, 'item ' || i, '2026-01-01'::timestamptz + i * interval '1 second' FROM generate_series(1, $rows) i;
	CREATE INDEX ON items (at);
	ANALYZE items;
	CREATE TABLE pace (ms float8);
	INSERT INTO pace VALUES (40);
	CREATE TABLE broken (id int);
	CREATE FUNCTION paced(item int) RETURNS bool LANGUAGE plpgsql VOLATILE AS \$\$
	BEGIN
		IF item % 100 = 0 THEN
			PERFORM 1 / (item - id) FROM public.broken;
			PERFORM pg_sleep(ms / 1000) FROM public.pace;
		END IF;
		RETURN true;
	END \$\$;
	CREATE VIEW slow AS SELECT * FROM items WHERE paced(id);});
my ($host, $port) = ($remote->host, $remote->port);
sql(qq{
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', fetch_size '100');
	CREATE USER MAPPING FOR CURRENT_USER SERVER remote;
	CREATE SCHEMA far;
	IMPORT FOREIGN SCHEMA public LIMIT TO (items, slow) FROM SERVER remote INTO far;
	SELECT lyftron.create_pool('wide', min_workers => 3, max_workers => 3);
	SELECT lyftron.create_pipeline('slow', source => 'far.slow', destination => 'slow_copy', primary_key => '{id}', slices => 8, pool => 'wide');});

my $run = '(SELECT max(run) FROM lyftron.slices)';
my $whole = "$rows|$rows|" . $rows * ($rows + 1) / 2;
my $hidden = q{SELECT count(*) FROM pg_class WHERE relname LIKE '\_lyftron\_%'};
sub workers_are { my ($n) = @_; return wait_until(30, sub { (eval { sql("SELECT count(*) FROM lyftron.workers() WHERE kind = 'worker' AND pool = 'wide'") } // 0) == $n }); }
sub is_whole { my ($what) = @_; return is(sql('SELECT count(*), count(DISTINCT id), sum(id) FROM slow_copy'), $whole, "$what: each row is there once"); }
sub is_over { return wait_until(60, sub { (eval { sql("SELECT count(*) FROM lyftron.task WHERE name = 'slow' AND finished_at IS NULL") } // '') eq '0' }); }

# Begun, and some slices done: what is there then, or nothing.
sub begun
{
	my ($done) = @_;
	sql("SELECT lyftron.trigger('slow')");
	return wait_until(30, sub {
		my $n = sql("SELECT slices_done FROM lyftron.progress WHERE pipeline = 'slow' AND slices_done >= $done AND slices_done < slices - 1");
		return $n ne '';
	});
}

# --- side by side ---

ok(workers_are(3), 'three workers');
asked();
sql("SELECT lyftron.trigger('slow')");
my (%seen, $most);
$most = 0;
wait_until(60, sub {
	my $progress = sql("SELECT slices_done || ' of ' || slices FROM lyftron.progress WHERE pipeline = 'slow'");
	$seen{$progress}++ if $progress ne '';
	my $running = sql("SELECT count(DISTINCT pid) FROM lyftron.slices WHERE run = $run AND state = 'running'");
	$most = $running if $running > $most;
	return sql("SELECT count(*) FROM lyftron.task WHERE name = 'slow' AND finished_at IS NULL") eq '0';
});
is(sql("SELECT string_agg(DISTINCT error, ' ') FROM lyftron.task WHERE name = 'slow'"), '', 'without an error');
is_whole('three workers');
is(job('slow', 'state, rows_read, rows_written, checkpoints'), "succeeded|$rows|$rows|9", 'the run tells the rows of all of its slices');
is($most, 3, 'three slices were read at once, by three processes');
cmp_ok(scalar(grep { /^[1-7] of 8$/ } keys %seen), '>=', 2, 'progress tells how many of eight are done: ' . join ', ', sort keys %seen);
cmp_ok(sql("SELECT count(*) FROM lyftron.slices a JOIN lyftron.slices b USING (run) WHERE a.number < b.number AND a.pid <> b.pid AND (a.started_at, a.finished_at) OVERLAPS (b.started_at, b.finished_at)"),
	'>=', 6, 'their times overlap');
is(sql("SELECT count(DISTINCT pid) FROM lyftron.slices"), 3, 'each worker read some');
is(sql("SELECT count(*) FROM lyftron.task WHERE kind = 'slice' AND state <> 'succeeded'"), 0, 'what helped has succeeded');
my $asked = asked();
my @reads = $asked =~ /DECLARE \S+ CURSOR FOR\s+(SELECT .*? FROM public\.slow WHERE .*?)$/mg;
is(scalar(@reads), 8, 'the source was read eight times');
is(scalar(grep { /WHERE .*id [<>]=? / } @reads), 8, 'each time a range of the key');
like($asked, qr/SELECT min\(id\), max\(id\) FROM public\.slow/, 'whose ends it was asked for');

my $took = job('slow', 'extract(epoch FROM duration)');
sql("CALL lyftron.run('slow')");
my $alone = job('slow', 'extract(epoch FROM duration)');
cmp_ok($took, '<', 0.75 * $alone, sprintf 'by three it took %.1f s, by one session %.1f s', $took, $alone);
is_whole('one session');
is(sql("SELECT count(DISTINCT pid), count(*) FROM lyftron.slices WHERE run = $run"), '1|8', 'which read one slice after the other');
sql('BEGIN; CALL lyftron.run($$slow$$); ROLLBACK');
is_whole('a rollback takes a run back');

# --- a worker that is killed, one that is ended ---

my $old = sql('SELECT max(_lyftron_run) FROM slow_copy');
ok(begun(2), 'at work');
my $done = sql("SELECT string_agg(number || ' ' || finished_at, ',' ORDER BY number) FROM lyftron.slices WHERE run = $run AND state = 'done'");
my $pid = sql("SELECT pid FROM lyftron.slices s WHERE run = $run AND state = 'running' AND pid NOT IN (SELECT pid FROM lyftron.progress) LIMIT 1");
my ($cut_by) = sql("SELECT $run");
kill 'KILL', $pid;
ok(wait_until(60, sub { (eval { sql('SELECT 1') } // '') eq '1' && !-e "/proc/$pid" }), "a worker is killed in the middle (kill -9 $pid), and the server recovers");
ok(is_over(), 'the run comes to its end');
is_whole('a worker was killed');
is(job('slow', 'state'), 'succeeded', 'it succeeded');
is(sql("SELECT $run"), $cut_by, 'it went on with the slices that there were');
my $numbers = join ',', map { (split)[0] } split /,/, $done;
is(sql("SELECT string_agg(number || ' ' || finished_at, ',' ORDER BY number) FROM lyftron.slices WHERE run = $run AND number IN ($numbers)"), $done, "those that were done ($numbers) were not read again");
is(sql("SELECT attempt FROM lyftron.task WHERE name = 'slow' AND kind = 'pipeline' ORDER BY id DESC LIMIT 1"), 2, 'at the second attempt of its task');

ok(workers_are(3), 'three workers again');
ok(begun(1), 'at work');
$pid = sql("SELECT pid FROM lyftron.slices s WHERE run = $run AND state = 'running' AND pid NOT IN (SELECT pid FROM lyftron.progress) LIMIT 1");
sql("SELECT pg_terminate_backend($pid)");
ok(is_over(), 'a worker is terminated in the middle, the run comes to its end');
is_whole('a worker was terminated');
is(sql("SELECT attempt FROM lyftron.task WHERE name = 'slow' AND kind = 'pipeline' ORDER BY id DESC LIMIT 1"), 1, 'without another attempt');

ok(workers_are(3), 'three workers again');
ok(begun(1), 'at work');
$cut_by = sql("SELECT $run");
$pid = sql("SELECT pid FROM lyftron.progress");
sql("SELECT pg_terminate_backend($pid)");
ok(is_over(), 'the session of the run itself is terminated, and it comes to its end all the same');
is_whole('the run\'s session was terminated');
is(sql("SELECT $run"), $cut_by, 'with the same slices');
is(sql("SELECT attempt FROM lyftron.task WHERE name = 'slow' AND kind = 'pipeline' ORDER BY id DESC LIMIT 1"), 2, 'at the second attempt');

# --- a crash empties the hidden heap of a table that is not logged ---

sql('ALTER TABLE slow_copy SET UNLOGGED');
ok(workers_are(3), 'three workers again');
ok(begun(2), 'at work on a table that is not logged');
$cut_by = sql("SELECT $run");
$pid = sql("SELECT pid FROM lyftron.progress");
kill 'KILL', $pid;
ok(wait_until(60, sub { (eval { sql('SELECT 1') } // '') eq '1' && !-e "/proc/$pid" }), "the session of the run is killed (kill -9 $pid), and the server recovers");
ok(is_over(), 'the run comes to its end');
is_whole('not logged');
cmp_ok(sql("SELECT $run"), '>', $cut_by, 'it started afresh');
sql('ALTER TABLE slow_copy SET LOGGED');

# --- a source that goes away, and comes back; one that has changed ---

ok(workers_are(3), 'three workers again');
ok(begun(1), 'at work');
$done = sql("SELECT string_agg(number || ' ' || finished_at, ',' ORDER BY number) FROM lyftron.slices WHERE run = $run AND state = 'done'");
$remote->stop('immediate');
ok(wait_until(30, sub { sql("SELECT count(*) FROM lyftron.slices WHERE run = $run AND attempt > 0") > 0 }), 'the source goes away in the middle');
like(sql("SELECT string_agg(DISTINCT message, ' ') FROM lyftron.task_log WHERE kind = 'slice' AND level = 'warning'"), qr/slice \d of pipeline "slow" could not be read: /, 'the log says which slices could not be read');
$remote->start;
ok(is_over(), 'when it is there again the run comes to its end');
is_whole('the source went away');
is(sql("SELECT state, attempt FROM lyftron.task WHERE name = 'slow' AND kind = 'pipeline' ORDER BY id DESC LIMIT 1"), 'succeeded|1', 'at the first attempt');
$numbers = join ',', map { (split)[0] } split /,/, $done;
is(sql("SELECT string_agg(number || ' ' || finished_at, ',' ORDER BY number) FROM lyftron.slices WHERE run = $run AND number IN ($numbers)"), $done, 'what was read before was not read again');
cmp_ok(sql("SELECT max(attempt) FROM lyftron.slices WHERE run = $run"), '>=', 1, 'what was being read was');

$old = sql('SELECT max(_lyftron_loaded_at) FROM slow_copy');
ok(begun(1), 'at work');
remote('INSERT INTO broken VALUES (11500)');
ok(is_over(), 'a slice cannot be read: the run is over');
is(job('slow', 'state, error, sqlstate'), 'failed|division by zero|22012', 'and failed, with the error of the source');
is(sql("SELECT state FROM lyftron.slices WHERE run = $run AND number = 8"), 'failed', 'the slice is marked');
is(sql("SELECT count(*) FROM lyftron.slices WHERE run = $run AND state IN ('waiting', 'running')"), 0, 'none is left to be read');
is_whole('a slice could not be read');
is(sql('SELECT max(_lyftron_loaded_at) FROM slow_copy'), $old, 'the table is as it was');
is(sql($hidden), 0, 'no hidden heap is left');
is(sql("SELECT count(*) FROM lyftron.queue"), 0, 'and no task');
remote('TRUNCATE broken; DROP VIEW slow; CREATE VIEW slow AS SELECT id, part, at FROM items WHERE paced(id)');
my ($ret, $out, $err) = $node->psql('postgres', q{CALL lyftron.run('slow')});
like($err, qr/column "name" does not exist/, 'a column that is gone at the source is named');
is_whole('a column is gone');
sql('ALTER FOREIGN TABLE far.slow DROP COLUMN name');
sql(q{CALL lyftron.run('slow')});
is_whole('without the column');
is(sql('SELECT count(name) FROM slow_copy'), 0, 'it is null');
remote('DROP VIEW slow; CREATE VIEW slow AS SELECT * FROM items WHERE paced(id)');
sql('DROP FOREIGN TABLE far.slow; IMPORT FOREIGN SCHEMA public LIMIT TO (slow) FROM SERVER remote INTO far');

# --- a run that is cancelled, one whose table is altered ---

ok(begun(1), 'at work');
$old = sql('SELECT max(_lyftron_loaded_at) FROM slow_copy');
my $task = sql("SELECT id FROM lyftron.task WHERE name = 'slow' AND kind = 'pipeline' AND state = 'running'");
is(sql("SELECT lyftron.cancel_task($task)"), 't', 'a run is cancelled');
my $start = time;
ok(is_over(), 'it is over');
cmp_ok(time - $start, '<', 5, sprintf 'soon (%.1f s), with those that help', time - $start);
is(sql("SELECT state FROM lyftron.task WHERE id = $task"), 'cancelled', 'it says so');
is_whole('cancelled');
is(sql('SELECT max(_lyftron_loaded_at) FROM slow_copy'), $old, 'the table is as it was');
is(sql($hidden), 0, 'no hidden heap is left');

ok(begun(1), 'at work');
sql('ALTER TABLE slow_copy ADD COLUMN mine int DEFAULT 7');
ok(is_over(), 'a table is altered while it is refreshed: the run comes to its end');
like(sql("SELECT error FROM lyftron.jobs WHERE pipeline = 'slow' AND state = 'failed' ORDER BY id DESC LIMIT 1"), qr/table "slow_copy" was altered while it was being refreshed/, 'at the second attempt, since it could not go on');
is(sql("SELECT state, attempt FROM lyftron.task WHERE name = 'slow' AND kind = 'pipeline' ORDER BY id DESC LIMIT 1"), 'succeeded|2', 'which started afresh');
is_whole('altered');
is(sql('SELECT count(*) FROM slow_copy WHERE mine = 7'), $rows, 'with what was added');
is(sql($hidden), 0, 'no hidden heap is left');

# --- a limit of what one server is asked at once holds for slices, too ---

sql("SELECT lyftron.set_concurrency('server:remote', 2)");
ok(workers_are(3), 'three workers again');
sql("SELECT lyftron.trigger('slow')");
$most = 0;
wait_until(60, sub {
	my $running = sql("SELECT count(DISTINCT pid) FROM lyftron.slices WHERE run = $run AND state = 'running'");
	$most = $running if $running > $most;
	return sql("SELECT count(*) FROM lyftron.task WHERE name = 'slow' AND finished_at IS NULL") eq '0';
});
is($most, 2, 'with a limit of two for the server two read');
is_whole('a limit');
sql("SELECT lyftron.set_concurrency('server:remote', NULL)");
remote('UPDATE pace SET ms = 0');

# --- incremental ---

sql(q{
	SET lyftron.checkpoint_size = '256kB';
	SELECT lyftron.create_pipeline('inc', source => 'far.items', destination => 'inc', mode => 'incremental', primary_key => '{id}', cursor => 'at', lookback => '10 minutes');});
asked();
sql(q{SET lyftron.checkpoint_size = '256kB'; CALL lyftron.run('inc')});
is(sql('SELECT count(*), count(DISTINCT id), sum(id) FROM inc'), $whole, 'a first run brings all');

# a piece goes on for some times as long as its first row took to come, so that on some machines one is enough
my $pieces = job('inc', 'checkpoints');
$asked = asked();
like($asked, qr/FROM public\.items ORDER BY at ASC NULLS LAST$/m, 'the source sorts');
is(() = $asked =~ /FROM public\.items WHERE \(\(at > '2026-[^)]*\)\) ORDER BY at ASC NULLS LAST$/mg, $pieces - 1,
	"and is asked for what is above the last piece, of $pieces");
remote(q{
	INSERT INTO items SELECT 20000 + i, 0, 'tie', (SELECT max(at) FROM items) FROM generate_series(1, 5) i;
	INSERT INTO items SELECT 20010 + i, 0, 'late', (SELECT max(at) FROM items) - i * interval '1 minute' FROM generate_series(1, 15) i;
	UPDATE items SET name = 'changed', at = (SELECT max(at) FROM items) WHERE id = 17;
	DELETE FROM items WHERE id = 18;});
sql(q{CALL lyftron.run('inc')});
is(sql("SELECT count(*) FROM inc WHERE name = 'tie'"), 5, 'ties with the last value come');
is(sql("SELECT string_agg((id - 20010)::text, ' ' ORDER BY id) FROM inc WHERE name = 'late'"), '1 2 3 4 5 6 7 8 9 10', 'so do those that come late, as far as is looked back');
is(sql('SELECT name FROM inc WHERE id = 17'), 'changed', 'and those that changed');
is(sql('SELECT count(*), count(DISTINCT id) FROM inc'), ($rows + 15) . '|' . ($rows + 15), 'each once');
like(asked(), qr/WHERE \(\(at >= '2026-01-01 \d\d:10:00[^)]*\)\)/, 'the source was asked for no more');
sql(q{CALL lyftron.run('inc')});
is(job('inc', 'rows_written'), 0, 'once more nothing is written');

# killed in the middle of the pieces
remote('UPDATE pace SET ms = 20');
sql(q{SELECT lyftron.create_pipeline('app', source => 'far.slow', destination => 'app', mode => 'incremental_append', cursor => 'at', pool => 'wide')});
my $loader = background_query($node, "SET application_name = 'loader'; SET lyftron.checkpoint_interval = '100ms'; CALL lyftron.run('app')");
ok(wait_until(30, sub { sql("SELECT checkpoints FROM lyftron.jobs WHERE pipeline = 'app' AND checkpoints >= 2") ne '' }), 'a long run is in the middle');
$pid = sql("SELECT pid FROM lyftron.progress");
kill 'KILL', $pid;
eval { $loader->{run}->finish };
ok(wait_until(60, sub { (eval { sql('SELECT 1') } // '') eq '1' && !-e "/proc/$pid" }), "its session is killed (kill -9 $pid), and the server recovers");
my $kept = sql('SELECT count(*) FROM app');
cmp_ok($kept, '>', 0, "what it had committed is there: $kept rows");
cmp_ok($kept, '<', $rows, 'not all');
remote('UPDATE pace SET ms = 0');
sql(q{CALL lyftron.run('app')});
cmp_ok(job('app', 'rows_read'), '<=', remote('SELECT count(*) FROM items') - $kept + 30, 'the next run reads the rest');
is(sql('SELECT count(*), count(DISTINCT id), sum(id) FROM app'), remote('SELECT count(*), count(DISTINCT id), sum(id) FROM items'), 'then each row is there once');

# the source goes away in the middle: what was committed stays, and the run says why
remote(qq{UPDATE pace SET ms = 20; UPDATE items SET at = at + interval '1 day'});
$loader = background_query($node, "SET lyftron.checkpoint_interval = '100ms'; CALL lyftron.run('app')");
my $before = sql("SELECT max(id) FROM lyftron.jobs WHERE pipeline = 'app'");
ok(wait_until(30, sub { sql("SELECT checkpoints FROM lyftron.jobs WHERE pipeline = 'app' AND state = 'running' AND checkpoints >= 2") ne '' }), 'in the middle again');
$remote->stop('immediate');
eval { $loader->{run}->finish };
like(${ $loader->{err} }, qr/ERROR: .*(server closed the connection|terminating connection|could not connect)/, 'the source is gone, and the run says so');
is(job('app', 'state'), 'failed', 'so does the job');
$remote->start;
remote('UPDATE pace SET ms = 0');
sql(q{CALL lyftron.run('app')});
is(sql("SELECT count(*) FROM (SELECT id FROM app GROUP BY id HAVING count(*) <> 2) x"), '0', 'the next run brings the rest: both versions of each row, once');

# a task of SQL that loses its server is over as any other one
remote('UPDATE pace SET ms = 50');
sql(q{SELECT lyftron.enqueue('SELECT count(*) FROM far.slow', 'reads', pool => 'wide', max_attempts => 1)});
ok(wait_until(20, sub { sql("SELECT count(*) FROM lyftron.task WHERE name = 'reads' AND state = 'running'") eq '1' }), 'a task that reads');
sleep 0.3;
$remote->stop('immediate');
ok(wait_until(20, sub { sql("SELECT state FROM lyftron.task WHERE name = 'reads'") eq 'failed' }), 'fails when its server goes away');
$remote->start;
remote('UPDATE pace SET ms = 0');

# --- other wrappers ---

SKIP:
{
	skip 'this PostgreSQL has no file_fdw', 6 unless -e "$libraries/file_fdw.so";
	my $csv = $node->basedir . '/items.csv';
	my $write = sub { open my $f, '>', $csv or die $!; print $f map { "$_\n" } @_; close $f; };
	$write->(map { "$_,name $_,2026-01-" . sprintf('%02d', 1 + $_ % 28) } 1 .. 5000);
	sql(qq{
		CREATE EXTENSION file_fdw;
		CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
		CREATE FOREIGN TABLE far.file (id int, name text, day date) SERVER files OPTIONS (filename '$csv', format 'csv');
		SELECT lyftron.create_pipeline('file', source => 'far.file', destination => 'file_copy', primary_key => '{id}', slices => 3, pool => 'wide');
		SELECT lyftron.create_pipeline('file_inc', source => 'far.file', destination => 'file_inc', mode => 'incremental', primary_key => '{id}', cursor => 'day');});
	workers_are(3);
	sql("SELECT lyftron.trigger('file')");
	wait_until(30, sub { sql("SELECT count(*) FROM lyftron.queue") eq '0' });
	is(sql('SELECT count(*), count(DISTINCT id), sum(id) FROM file_copy'), '5000|5000|12502500', 'file_fdw: a file in three slices');
	is(sql(q{SELECT count(*), sum(rows_read) FROM lyftron.slices WHERE pipeline = 'file'}), '3|5000', 'each of which has its rows');
	sql("CALL lyftron.run('file_inc')");
	is(sql('SELECT count(*), count(DISTINCT id) FROM file_inc'), '5000|5000', 'file_fdw: by cursor');
	$write->((map { "$_,name $_,2026-01-" . sprintf('%02d', 1 + $_ % 28) } 1 .. 5000), '5001,tie,2026-01-28', '5002,new,2026-02-01', '5003,old,2026-01-02', '5004,none,');
	sql("CALL lyftron.run('file_inc')");
	is(sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM file_inc WHERE id > 5000"), '5001 5002 5004', 'a tie, a new row and one without a value come, one below the last value does not');
	unlink $csv;
	($ret, $out, $err) = $node->psql('postgres', "CALL lyftron.run('file')");
	like($err, qr/could not open file "\Q$csv\E" for reading: No such file or directory/, 'a file that is gone is named');
	is(sql('SELECT count(*) FROM file_copy'), 5000, 'and the table is as it was');
}

SKIP:
{
	unless (-e "$libraries/tds_fdw.so")
	{
		note('tds_fdw is not tested: this PostgreSQL does not have it (Debian: postgresql-15-tds-fdw)');
		skip 'this PostgreSQL has no tds_fdw', 7;
	}
	# There is no SQL Server here, but a server that speaks its protocol.
	my $statements = $node->basedir . '/statements';
	my $tds = start_server('tds_server.py', '--log', $statements);
	sql(qq{
		CREATE EXTENSION tds_fdw;
		CREATE SERVER mssql FOREIGN DATA WRAPPER tds_fdw OPTIONS (servername '127.0.0.1', port '$tds', database 'shop', tds_version '7.4');
		CREATE USER MAPPING FOR CURRENT_USER SERVER mssql OPTIONS (username 'sa', password 'given-secret-9753');
		CREATE FOREIGN TABLE far.orders (id int NOT NULL, changed timestamp, total numeric(12,2), uid uuid) SERVER mssql OPTIONS (table_name 'dbo.orders');
		SELECT lyftron.create_pipeline('orders', source => 'far.orders', destination => 'orders', primary_key => '{id}', slices => 4, pool => 'wide');
		SELECT lyftron.create_pipeline('changes', source => 'far.orders', destination => 'changes', mode => 'incremental', primary_key => '{id}', cursor => 'changed', lookback => '1 hour');});
	workers_are(3);
	sql("SELECT lyftron.trigger('orders')");
	wait_until(30, sub { sql("SELECT count(*) FROM lyftron.queue") eq '0' });
	is(sql('SELECT count(*), count(DISTINCT id), sum(id), sum(total) FROM orders'), '1000|1000|500500|501000.00', 'tds_fdw: a table in slices by an integer key');
	is(sql(q{SELECT count(*), sum(rows_read) FROM lyftron.slices WHERE pipeline = 'orders'}), '4|1000', 'each of which has its rows');
	like(slurp_file($statements), qr/^SELECT .* FROM dbo\.orders WHERE \(\(\[id\] >= 250\)\) AND \(\(\[id\] < 500\)\)$/m, 'the server is asked for them');
	($ret, $out, $err) = $node->psql('postgres', q{SELECT lyftron.alter_pipeline('orders', slice_by => 'uid')});
	like($err, qr/not every database orders type uuid as PostgreSQL does/, 'by a uniqueidentifier, which SQL Server orders otherwise, it is refused');
	sql(q{CALL lyftron.run('changes')});
	is(sql('SELECT count(*), max(changed) FROM changes'), '1000|2026-01-11 16:00:00', 'by cursor');
	sql(q{CALL lyftron.run('changes')});
	is(job('changes', 'rows_read, rows_written'), '1|0', 'and from there on');
	like(slurp_file($statements), qr/^SELECT .* FROM dbo\.orders WHERE \(\(\[changed\] >= '2026-01-11 15:00:00'\)\) ORDER BY \[changed\] ASC$/m, 'the server is asked for no more');
}

unlike(slurp_file($node->logfile), qr/PANIC|TRAP/, 'nothing crashed by itself');
done_testing();
