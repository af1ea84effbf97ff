
# The flights arrive whole: counts and checksums equal the CSV's, column by column, and a
# second run moves only what is new.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;

my $node = new_node('main');
my $port = start_flights_api('--throttle', 20, '--published', '2013-11-30T23:59:59Z');
connect_flights($node, $port);
my $data = flights_data();

# The truth, loaded by PostgreSQL itself from the CSV files.
$node->safe_psql('postgres', q{
	CREATE SCHEMA csv;
	CREATE TABLE csv.flights (year int, month int, day int, dep_time int, sched_dep_time int, dep_delay int,
		arr_time int, sched_arr_time int, arr_delay int, carrier text, flight int, tailnum text, origin text,
		dest text, air_time int, distance int, hour int, minute int, time_hour timestamptz);
	CREATE TABLE csv.planes (tailnum text, year int, type text, manufacturer text, model text, engines int,
		seats int, speed int, engine text);
	CREATE TABLE csv.weather (origin text, year int, month int, day int, hour int, temp numeric, dewp numeric,
		humid numeric, wind_dir numeric, wind_speed numeric, wind_gust numeric, precip numeric,
		pressure numeric, visib numeric, time_hour timestamptz);});
my $flights = "python3 -c \"import zipfile,sys; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read('flights.csv'))\" $data/flights.csv.zip";
my %source = (flights => $flights, planes => "cat $data/planes.csv", weather => "cat $data/weather.csv");
for my $table (sort keys %source)
{
	$node->safe_psql('postgres', "COPY csv.$table FROM PROGRAM '" . ($source{$table} =~ s/'/''/gr) . "' (FORMAT csv, HEADER, NULL 'NA')");
}

# Columns whose checksums differ between the two tables, and the row counts.
sub differences
{
	my ($table) = @_;
	my @columns = split /\n/, $node->safe_psql('postgres',
		"SELECT attname FROM pg_attribute WHERE attrelid = 'csv.$table'::regclass AND attnum > 0 ORDER BY attnum");
	my $sums = sub {
		my ($schema) = @_;
		my $list = join ', ', 'count(*)', map { "coalesce(sum(hashtextextended($_\::text, 0)::numeric), 0), count($_)" } @columns;
		return $node->safe_psql('postgres', "SET timezone = 'UTC'; SELECT $list FROM $schema.$table");
	};
	is($sums->('raw'), $sums->('csv'), "$table: count and checksum of each of " . @columns . " columns equal the CSV's");
	return;
}

$node->safe_psql('postgres', q{
	SELECT lyftron.create_pipeline('flights', source => 'nyc.flights', destination => 'raw.flights', mode => 'incremental');
	SELECT lyftron.create_pipeline('planes', source => 'nyc.planes', destination => 'raw.planes', mode => 'full_refresh');
	SELECT lyftron.create_pipeline('weather', source => 'nyc.weather', destination => 'raw.weather', mode => 'full_refresh', primary_key => '{}');});
$node->safe_psql('postgres', 'CALL lyftron.run($$flights$$)');
is($node->safe_psql('postgres', 'SELECT count(*) FROM raw.flights'),
	$node->safe_psql('postgres', q{SELECT count(*) FROM csv.flights WHERE time_hour <= '2013-11-30 23:59:59+00'}),
	'the first run brings what is published');

api_post($port, '/admin/publish?until=9999');
$node->safe_psql('postgres', 'CALL lyftron.run($$flights$$)');
my ($written) = $node->safe_psql('postgres', q{
	SELECT rows_written FROM lyftron.jobs WHERE pipeline = 'flights' ORDER BY started_at DESC LIMIT 1});
is($written, $node->safe_psql('postgres', q{SELECT count(*) FROM csv.flights WHERE time_hour > '2013-11-30 23:59:59+00'}),
	'the second run writes only what is new');
my ($read) = $node->safe_psql('postgres', q{
	SELECT rows_read FROM lyftron.jobs WHERE pipeline = 'flights' ORDER BY started_at DESC LIMIT 1});
cmp_ok($read, '<', $written + 200, 'and reads hardly more than that');
differences('flights');

my $before = api_log($port, '/v1/flights');
$node->safe_psql('postgres', 'CALL lyftron.run($$flights$$)');
is($node->safe_psql('postgres', q{SELECT rows_written FROM lyftron.jobs WHERE pipeline = 'flights' ORDER BY started_at DESC LIMIT 1}),
	'0', 'a third run has nothing to write');
cmp_ok(api_log($port, '/v1/flights') - $before, '<=', 2, 'and asks once or twice');

for my $table ('planes', 'weather')
{
	$node->safe_psql('postgres', "CALL lyftron.run('$table')");
	differences($table);
}
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM lyftron.rejected_records'), '==', 0, 'nothing was rejected');

done_testing();
