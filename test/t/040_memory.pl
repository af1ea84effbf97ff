
# 1,000,000 records in 1,000 pages load in the memory of one page: under 64 MB beyond shared
# buffers, and no more than 100 pages take.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => "memory is not measured with " . watched() if watched();

my $node = new_node('main', "max_wal_size = 4GB\n");
my $port = start_server('records_api.py');
add_connector($node, 'records');

sub load
{
	my ($pages, $mode) = @_;
	my $name = "m_${pages}_$mode";
	$node->safe_psql('postgres', qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_rest
			OPTIONS (connector 'records', config '{"base_url": "http://127.0.0.1:$port", "pages": $pages}');
		CREATE SCHEMA $name;
		IMPORT FOREIGN SCHEMA "default" LIMIT TO (records) FROM SERVER $name INTO $name;
		SELECT lyftron.create_pipeline('$name', source => '$name.records', destination => '$name.loaded', mode => '$mode');});
	my $query = background_query($node, "SET application_name = '$name'; CALL lyftron.run('$name');");
	my $pid = wait_until(10, sub { $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = '$name'") });
	my $peak = 0;
	while (-e "/proc/$pid" && $query->{run}->pumpable)
	{
		$peak = max($peak, memory_kb($pid) // 0);
		$query->{run}->pump_nb;
		sleep 0.01;
	}
	$query->{run}->finish;
	is(${ $query->{err} }, '', "$pages pages, $mode: loaded");
	is($node->safe_psql('postgres', "SELECT count(*), sum(id) FROM $name.loaded"),
		($pages * 1000) . '|' . ($pages * 1000 * ($pages * 1000 + 1) / 2), 'all rows are there');
	$node->safe_psql('postgres', "DROP TABLE $name.loaded");
	return $peak / 1024;
}

for my $mode ('full_refresh', 'incremental')
{
	my $small = load(100, $mode);
	my $large = load(1000, $mode);
	cmp_ok($large, '<', 64, sprintf('%s: 1,000 pages: peak %.1f MB', $mode, $large));
	cmp_ok($large, '<', $small + 8, sprintf('%s: not more than 100 pages: peak %.1f MB', $mode, $small));
}

done_testing();
