# What is known to come is asked for before it is wanted: the next page, slices side by side. The API
# tells what it had in flight at once. Nothing is asked twice, or in vain but for what a LIMIT leaves.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use List::Util qw(max);
use LyftronTest;
use Test::More;

my $node = new_node('main');
my $port = start_server('slow_api.py');
add_connector($node, 'slow');
$node->safe_psql('postgres', qq{
	CREATE SERVER slow FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'slow', config '{"base_url": "http://127.0.0.1:$port"}');
	IMPORT FOREIGN SCHEMA "default" FROM SERVER slow INTO public;});

sub begin { my ($delay) = @_; api_post($port, "/admin/begin?delay=$delay"); return; }
sub requests { return @{ decode_json(LyftronTest::http('GET', $port, '/admin/log')) }; }
sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub configure
{
	my (%config) = @_;
	my $config = encode_json({ base_url => "http://127.0.0.1:$port", %config });
	sql("ALTER SERVER slow OPTIONS (SET config '$config')");
	return;
}

# A query's result, the most requests that were in flight, and the requests.
sub watch
{
	my ($sql, $delay) = @_;
	begin($delay // 30);
	my $result = sql($sql);
	my @log = requests();
	return ($result, max(map { $_->{in_flight} } @log), [ sort map { $_->{request} } @log ]);
}

my $pages = sub { my ($last) = @_; return [ sort('/pages?size=10&total=55', map { "/pages?size=10&total=55&page=$_" } 2 .. $last) ]; };
my %whole = (
	pages => $pages->(6),
	parts => [ map { "/$_" } 'a' .. 'j' ],
	pairs => [ map { my $x = $_; map { "/$x$_" } 'a' .. 'd' } 'a' .. 'b' ],
	days => [ map { sprintf('/days?from=2026-01-%02d&to=2026-01-%02d', $_, $_ < 11 ? $_ : 12) } 1 .. 11 ],
	children => [ sort(@{ $pages->(6) }, map { "/$_" } 1 .. 55) ]);
my %rows = (pages => 55, parts => 20, pairs => 16, days => 22, children => 110);

# --- all of a stream: each request once, as many at once as the connector allows ---

for my $stream (sort keys %whole)
{
	my ($rows, $at_once, $asked) = watch("SELECT count(*) FROM lyftron.read('slow', '$stream') WHERE record IS NOT NULL");
	is($rows, $rows{$stream}, "$stream: all records");
	is_deeply($asked, $whole{$stream}, "$stream: each request once, and no other");
	cmp_ok($at_once, '<=', 3, "$stream: at most as many in flight as the connector allows, less the one that is worked on");
	cmp_ok($at_once, '>=', 2, "$stream: requests were in flight side by side") if $stream ne 'pages';

	($rows, $at_once, $asked) = watch("SELECT count(*) FROM $stream");
	is($rows, $rows{$stream}, "$stream as a table: all rows");
	is_deeply($asked, $whole{$stream}, "$stream as a table: each request once");
}

# Order of rows does not depend on which answer came first.
is(sql("SELECT string_agg(part, '') FROM (SELECT part FROM parts WHERE id = 1) s"), 'abcdefghij', 'rows come in the order of the partitions');

# --- one at a time, where it has to be ---

for my $case ([ 'the setting', sub { sql("SET lyftron.max_concurrency = 1; SELECT count(*) FROM lyftron.read('slow', 'parts') WHERE record IS NOT NULL") } ],
	[ 'the connector', sub { configure(concurrency => 1); sql("SELECT count(*) FROM lyftron.read('slow', 'parts') WHERE record IS NOT NULL") } ])
{
	begin(10);
	is($case->[1]->(), 20, "$case->[0] wants one request at a time: all rows");
	is(max(map { $_->{in_flight} } requests()), 1, "$case->[0] wants one request at a time: one it is");
}
configure(concurrency => 100);
my (undef, $most) = watch("SELECT count(*) FROM lyftron.read('slow', 'children')");
cmp_ok($most, '<=', 5, 'no more than max_concurrency of the connector, less the one that is worked on');
cmp_ok($most, '>=', 4, 'and close to it');
configure();

# --- the next page is on its way while this one is worked on ---

begin(0);
my ($finished) = split /\n/, sql(q{
	SET lyftron.max_concurrency = 2;
	SELECT extract(epoch FROM clock_timestamp()) FROM pages WHERE CASE WHEN id = 39 THEN pg_sleep(0.5) IS NOT NULL AND true ELSE false END});
my ($fifth) = grep { $_->{request} =~ /page=5$/ } requests();
cmp_ok($fifth->{arrived}, '<', $finished, 'page 5 was asked for before the rows of page 4 were done');

begin(0);
sql(q{SELECT lyftron.create_pipeline('slept', source => 'SELECT id, pg_sleep(CASE WHEN id = 19 THEN 0.5 ELSE 0 END)::text AS slept,
	clock_timestamp() AS done FROM pages', destination => 'raw_slept', mode => 'full_refresh', primary_key => '{}')});
sql(q{CALL lyftron.run('slept')});
my ($third) = grep { $_->{request} =~ /page=3$/ } requests();
cmp_ok($third->{arrived}, '<', sql('SELECT extract(epoch FROM done) FROM raw_slept WHERE id = 19'),
	'a pipeline over a query asks for page 3 before the rows of page 2 are done');
is(scalar(my @all = requests()), 6, 'and for each page once');

sql(q{SELECT lyftron.create_pipeline('pages', source => 'pages', destination => 'raw_pages', mode => 'full_refresh', primary_key => '{}')});
begin(0);
sql(q{CALL lyftron.run('pages')});
is(scalar(@all = requests()), 6, 'a pipeline asks for each page once');
is(sql(q{SELECT requests FROM lyftron.jobs WHERE pipeline = 'pages'}), '6', 'and says so');

# --- checkpoints: nothing is lost, nothing twice ---

for my $stream (qw(pages parts days children))
{
	sql("SELECT lyftron.create_pipeline('c_$stream', source => '$stream', destination => 'c_$stream', mode => 'full_refresh', primary_key => '{}');");
	begin(1);
	$node->safe_psql('postgres', "SET lyftron.checkpoint_size = '1kB'; SET lyftron.checkpoint_interval = 1; CALL lyftron.run('c_$stream')");
	is(sql("SELECT count(*) FROM c_$stream"), $rows{$stream}, "$stream in many checkpoints: all rows, once");
	is_deeply([ sort map { $_->{request} } requests() ], $whole{$stream}, "$stream in many checkpoints: nothing asked in vain")
	  if $stream ne 'children';
}

# A key that comes again in a later piece of the load that makes the table: one row at each commit, the last one stays.
sql("SELECT lyftron.create_pipeline('again', source => 'days', destination => 'again', mode => 'incremental', primary_key => '{id}')");
begin(1);
sql("SET lyftron.checkpoint_size = '1kB'; SET lyftron.checkpoint_interval = 1; CALL lyftron.run('again')");
is(sql("SELECT string_agg(id || ' ' || day, ', ' ORDER BY id) FROM again"), '1 2026-01-11, 2 2026-01-11', 'a key that comes in each piece: the last row stays');
is(sql("SELECT checkpoints > 5 FROM lyftron.jobs WHERE pipeline = 'again'"), 't', 'it came in pieces');

# --- what is not wanted is not asked for ---

my ($rows, undef, $asked) = watch('SELECT count(*) FROM (SELECT id FROM pages LIMIT 20) s');
is_deeply([ $rows, $asked ], [ 20, $pages->(2) ], 'LIMIT 20: two pages');
($rows, undef, $asked) = watch('SELECT count(*) FROM (SELECT id FROM pages LIMIT 23) s');
is_deeply([ $rows, $asked ], [ 23, $pages->(3) ], 'LIMIT 23: three pages');
($rows, undef, $asked) = watch("SELECT count(*) FROM parts WHERE part IN ('c', 'h')");
is_deeply([ $rows, $asked ], [ 4, [ '/c', '/h' ] ], 'partitions that the condition leaves out are not asked for');
($rows, undef, $asked) = watch("SELECT count(*) FROM days WHERE day = '2026-01-02'");
is($rows, 2, 'a day');
is(scalar(grep { /from=2026-01-(08|09|1.)/ } @$asked), 0, 'days long after it are not asked for');
($rows, undef, $asked) = watch('SELECT EXISTS (SELECT FROM pages)');
is_deeply([ $rows, $asked ], [ 't', $pages->(1) ], 'EXISTS: one page');

# --- an answer that came ahead is judged when it is wanted ---

begin(5);
api_post($port, '/admin/refuse?path=/d');
is(sql("SELECT count(*) FROM lyftron.read('slow', 'parts') WHERE record IS NOT NULL"), 20, 'a request refused with 429 is sent again');
is(scalar(grep { $_->{request} eq '/d' } requests()), 2, 'that one alone');

# --- an error with requests in flight leaves nothing behind ---

begin(100);
my ($ret, $out, $err) = $node->psql('postgres', q{
	SELECT 1 / (id - 1) FROM children;
	SET statement_timeout = 250;
	SELECT count(*) FROM children;
	RESET statement_timeout;
	SELECT count(*) FROM parts;}, on_error_stop => 0);
like($err, qr/division by zero.*statement timeout/s, 'an error and a timeout with requests in flight');
like($out, qr/^20$/m, 'the session reads on afterwards');

done_testing();
