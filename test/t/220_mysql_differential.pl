
# Queries made up at random give the same rows from foreign tables of lyftron_mysql as from local copies of them, with
# push-down and without; and most of them are left to the server.  LYFTRON_QUERIES says how many (against each server),
# LYFTRON_SEED which.  See test/differential/mysql.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use IPC::Run;
use LyftronMysql;
use LyftronMysql9;
use LyftronTest;
use Test::More;

my $node = new_node('main', "fsync = off\n", '--encoding=UTF8');
$node->safe_psql('postgres', q{CREATE DATABASE differential TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'});
$node->safe_psql('differential', 'CREATE EXTENSION lyftron');

# percent of the queries that have such a part, at least
my %least = (
	'whole condition' => 50, 'part of a condition' => 60, 'join' => 65, 'aggregation' => 40, 'DISTINCT' => 60, 'ORDER BY' => 60,
	'LIMIT' => 30, 'look-ups' => 25, '(NOT) EXISTS' => 50);

sub compare
{
	my ($name, $mysql, $queries) = @_;
	my $socket = $mysql->socket;
	my $seed = $ENV{LYFTRON_SEED} // 1;
	my $out = '';
	my $ok = IPC::Run::run([ 'python3', 'test/differential/mysql/run.py',
			'--mysql', join(' ', $mysql->client, '--no-defaults', '--default-character-set=utf8mb4', '-N', '-u', 'root', '-S', $socket),
			'--server', "host '127.0.0.1', port '" . $mysql->port . "'", '--user', "username 'ann', password 'secret'",
			'--queries', $ENV{LYFTRON_QUERIES} // $queries, '--seed', $seed, $node->connstr('differential') ],
		'<', \undef, '>&', \$out);
	ok($ok, "$name: no query differs") or diag($out);
	my ($summary) = $out =~ /^(seed .*)$/m;
	note($summary // $out);
	for (sort keys %least)
	{
		my ($pushed, $percent) = $out =~ /^pushed: \Q$_\E: (\d+ of \d+) \((\d+) %\)$/m;
		cmp_ok($percent // 0, '>=', $least{$_}, "$name: $_ left to the server in " . ($pushed // 'no case'));
	}
	$mysql->stop;
	return;
}

compare('MariaDB', LyftronMysql->new, 1000);
SKIP:
{
	skip LyftronMysql9->missing, 1 if LyftronMysql9->missing;
	compare('MySQL', LyftronMysql9->new, 500);
}

done_testing();
