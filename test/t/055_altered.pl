
# What others do to a table while it is loaded, between two checkpoints, loses no row and lets none
# in that the table may not hold: the run fails and says so, the next one brings all.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;

my $node = new_node('main');
my $port = start_server('records_api.py');
add_connector($node, 'records');
$node->safe_psql('postgres', qq{
	CREATE SERVER rec FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'records', config '{"base_url": "http://127.0.0.1:$port"}');
	CREATE SCHEMA rec;
	IMPORT FOREIGN SCHEMA "default" FROM SERVER rec INTO rec;
	SELECT lyftron.create_pipeline('full', source => 'rec.table', destination => 'full_copy');
	SELECT lyftron.create_pipeline('inc', source => 'rec.table', destination => 'inc_copy', mode => 'incremental');});

# A run that commits after every page.  It is not over soon: when its first pages are there, a
# statement that waits for the destination's lock gets it between two others.
sub run_disturbed
{
	my ($pipeline, $sql) = @_;
	api_post($port, '/table?rows=3000000&generation=2');
	my $run = background_query($node, driven_sql('postgres', "SET lyftron.checkpoint_size = '64kB'; CALL lyftron.run('$pipeline')"));
	ok(wait_until(60, sub {
		return $node->safe_psql('postgres',
			"SELECT EXISTS (SELECT FROM lyftron.jobs WHERE pipeline = '$pipeline' AND state = 'running' AND checkpoints > 1)") eq 't';
	}), "$pipeline is under way");
	my $heap = $node->safe_psql('postgres', q{SELECT max(oid::regclass::text) FROM pg_class WHERE relname ~ '^_lyftron_load_\d+$'});
	$node->safe_psql('postgres', $sql =~ s/HEAP/$heap/r);
	eval { $run->{run}->finish };
	return ${ $run->{err} };
}

sub run_whole
{
	my ($pipeline) = @_;
	api_post($port, '/table?rows=5000&generation=3');
	$node->safe_psql('postgres', "CALL lyftron.run('$pipeline')");
	return $node->safe_psql('postgres', "SELECT count(*), count(DISTINCT id), min(generation) FROM ${pipeline}_copy");
}

my $hidden = q{SELECT count(*) FROM pg_class WHERE relname ~ '^_lyftron_load_'};
for my $case (
	[ 'a new constraint', 'ALTER TABLE full_copy ADD CONSTRAINT early CHECK (id > 0)' ],
	[ 'another type', 'ALTER TABLE full_copy ALTER COLUMN name TYPE varchar(100)' ],
	[ 'a column that may not be null', 'ALTER TABLE full_copy ALTER COLUMN note SET NOT NULL' ],
	[ 'a dropped column', 'ALTER TABLE full_copy DROP COLUMN score' ],
	[ 'a hidden heap that is gone', 'DROP TABLE HEAP' ],
	[ 'a hidden heap of another layout', 'ALTER TABLE HEAP DROP COLUMN link, ADD COLUMN link int' ],
	[ 'a table under another name', 'ALTER TABLE full_copy RENAME TO gone', 'dropped or renamed' ],
	[ 'no table', 'DROP TABLE full_copy', 'dropped or renamed' ])
{
	my ($what, $sql, $how) = @$case;
	my $error = 'table "full_copy" was ' . ($how // 'altered while it was being refreshed');
	is(run_whole('full'), '5000|5000|3', "$what: loaded before");
	like(run_disturbed('full', $sql), qr/$error/, "$what: the refresh fails");
	is($node->safe_psql('postgres', q{SELECT state FROM lyftron.jobs WHERE pipeline = 'full' ORDER BY id DESC LIMIT 1}), 'failed', "$what: the job says so");
	is($node->safe_psql('postgres', $hidden), '0', "$what: nothing is left over");
	is(run_whole('full'), '5000|5000|3', "$what: the next run brings all");
}

# Without a refresh what is there stays, and what is gone comes again.
is(run_whole('inc'), '5000|5000|3', 'incremental: loaded before');
like(run_disturbed('inc', 'DROP TABLE inc_copy'), qr/table "inc_copy" was dropped or renamed while it was being loaded/, 'incremental: without its table a run fails');
is(run_whole('inc'), '5000|5000|3', 'incremental: the next run begins at the beginning');
like(run_disturbed('inc', 'DROP FOREIGN TABLE rec."table"'), qr/relation "rec.table" does not exist/, 'without its source a run fails');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM inc_copy WHERE generation = 2'), '>', 0, 'what it had committed is there');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', 'no lock is left');

done_testing();
