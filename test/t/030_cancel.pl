
# Cancel and statement_timeout take effect within 100 ms, whatever the source does: accept and
# never answer, trickle a byte a second, not even accept, or ask to be tried again later.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use IO::Socket::INET;
use LyftronTest;
use List::Util qw(max);
use Socket;
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'milliseconds are not measured with valgrind' if watched() eq 'valgrind';

my $node = new_node('main');
my $port = start_server('fault_server.py');

# A port whose queue of connections is full: the kernel drops further ones, connect hangs.
socket(my $full, PF_INET, SOCK_STREAM, 0) or die $!;
bind($full, sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
listen($full, 0) or die $!;
my ($full_port) = sockaddr_in(getsockname($full));
my @waiting = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full_port, Blocking => 0, Timeout => 0) } 1 .. 4;

add_connector($node, 'path');

my %case = (
	stall => [ $port, 'stall' ],
	trickle => [ $port, 'trickle' ],
	connect => [ $full_port, 'nothing' ],
	retry => [ $port, 'status/503' ]);
for my $name (sort keys %case)
{
	my ($p, $path) = @{ $case{$name} };
	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_rest
			OPTIONS (connector 'path', config '{"base_url": "http://127.0.0.1:$p", "path": "$path"}');
		CREATE FOREIGN TABLE $name (method text) SERVER $name OPTIONS (stream 'answer');});
}

# Milliseconds between the first log line since offset that matches from, and the next that matches
# to.  The server's own clock tells how late it is; psql's start and end are not in it.
sub logged_ms
{
	my ($offset, $from, $to) = @_;
	my $start;
	for my $line (split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset))
	{
		my ($h, $m, $s) = $line =~ /^\d+-\d+-\d+ (\d+):(\d+):([\d.]+) / or next;
		my $ms = (($h * 60 + $m) * 60 + $s) * 1000;
		if (defined $start) { return $ms - $start if $line =~ $to; }
		elsif ($line =~ $from) { $start = $ms; }
	}
	die "the log does not show it";
}

for my $name (sort keys %case)
{
	my @late;
	my $message;

	# statement_timeout, from many a moment; PostgreSQL measures from the statement's start.
	for my $ms (200, 400, 600, 800, 1000)
	{
		my $err;
		my $offset = -s $node->logfile;
		$node->psql('postgres', "SET statement_timeout = $ms; SELECT * FROM $name", stderr => \$err);
		push @late, logged_ms($offset, qr/statement: SELECT \* FROM $name/, qr/ERROR:  canceling statement/) - $ms;
		$message = $err;
	}
	like($message, qr/canceling statement due to statement timeout/, "$name: statement_timeout is what ends it");
	cmp_ok(max(@late), '<', 100, sprintf("%s: statement_timeout takes effect after %.0f ms at worst", $name, max(@late)));

	@late = ();
	for my $after (0.1, 0.3, 0.5, 0.7, 0.9)
	{
		my $query = background_query($node, "SET application_name = 'w_$name'; SELECT * FROM $name;");
		my $pid = wait_until(10, sub { $node->safe_psql('postgres',
			"SELECT pid FROM pg_stat_activity WHERE application_name = 'w_$name' AND state = 'active' AND query LIKE 'SELECT%'") });
		sleep $after;
		my $offset = -s $node->logfile;
		$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
		$query->{run}->finish;
		push @late, logged_ms($offset, qr/statement: SELECT pg_cancel_backend/, qr/ERROR:  canceling statement/);
		like(${ $query->{err} }, qr/canceling statement due to user request/, "$name: cancelled");
	}
	cmp_ok(max(@late), '<', 100, sprintf("%s: cancel takes effect after %.0f ms at worst", $name, max(@late)));
}

# The session is as good as new after it.
my ($ret, $out, $err) = $node->psql('postgres', qq{
	SET statement_timeout = 200;
	SELECT * FROM stall;
	RESET statement_timeout;
	ALTER SERVER stall OPTIONS (SET config '{"base_url": "http://127.0.0.1:$port", "path": "echo"}');
	SELECT * FROM stall;}, on_error_stop => 0);
like($out, qr/^GET$/m, 'the same session reads on after a timeout');

done_testing();
