
# A full refresh keeps the table: OID, grants, indexes and a view on it; readers see the old
# rows, then the new ones, and no error; a failed one changes nothing.
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
	SELECT lyftron.create_pipeline('t', source => 'rec.table', destination => 'loaded', mode => 'full_refresh');
	CREATE ROLE reader;});

api_post($port, '/table?rows=20000&generation=1');
$node->safe_psql('postgres', q{CALL lyftron.run('t')});
$node->safe_psql('postgres', q{
	GRANT SELECT ON loaded TO reader;
	CREATE VIEW v AS SELECT id, generation FROM loaded;
	CREATE INDEX loaded_name ON loaded (name);
	ALTER TABLE loaded ADD COLUMN mine int DEFAULT 7;
	ALTER TABLE loaded DROP COLUMN score;
	COMMENT ON TABLE loaded IS 'kept';});
my $facts = q{SELECT 'loaded'::regclass::oid, relacl, obj_description('loaded'::regclass),
	(SELECT string_agg(indexrelid::regclass::text, ',' ORDER BY 1) FROM pg_index WHERE indrelid = 'loaded'::regclass)
	FROM pg_class WHERE oid = 'loaded'::regclass};
my $before = $node->safe_psql('postgres', $facts);

keep_for_runs('lyftron.checkpoint_size' => q{'64kB'});

# Readers all the while, each in a snapshot of its own: never an error, never a mixture.
my $stop = 'reading';
$node->safe_psql('postgres', "CREATE TABLE $stop ()");
my $reader = background_query($node, q{
	SET ROLE postgres;
	CREATE TEMP TABLE seen (rows bigint, low int, high int);
	DO $$ BEGIN
		WHILE to_regclass('reading') IS NOT NULL LOOP
			INSERT INTO seen SELECT count(*), min(generation), max(generation) FROM v;
			COMMIT;
		END LOOP;
	END $$;
	SELECT DISTINCT rows, low, high FROM seen ORDER BY low;});

api_post($port, '/table?rows=30000&generation=2');
$node->safe_psql('postgres', q{SET lyftron.checkpoint_size = '64kB'; CALL lyftron.run('t')});
is($node->safe_psql('postgres', $facts), $before, 'OID, grants, comment and indexes are as they were');
is($node->safe_psql('postgres', 'SELECT count(*), min(generation), max(generation) FROM v'), '30000|2|2', 'the view shows the new rows');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM loaded WHERE name = 'record number 29999'}), '29999', 'the index finds them');
is($node->safe_psql('postgres', 'SET ROLE reader; SELECT count(*) FROM loaded'), '30000', 'the grant holds');

# A refresh that fails in the middle.
api_post($port, '/table?rows=40000&generation=3');
api_post($port, '/break?page=25');
my ($ret, $out, $err) = $node->psql('postgres', q{SET lyftron.checkpoint_size = '64kB'; CALL lyftron.run('t')});
isnt($ret, 0, 'a source that breaks fails the run');
like($err, qr/500/, 'and the error says how');
is($node->safe_psql('postgres', 'SELECT count(*), min(generation), max(generation) FROM v'), '30000|2|2', 'the rows are those of before');
is($node->safe_psql('postgres', $facts), $before, 'and so is the table');
is($node->safe_psql('postgres', q{SELECT state FROM lyftron.jobs WHERE pipeline = 't' ORDER BY started_at DESC LIMIT 1}), 'failed', 'the jobs view says failed');

# The source recovers: all is new, nothing is left over.
api_post($port, '/break?page=0');
$node->safe_psql('postgres', q{CALL lyftron.run('t')});
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id), min(generation), max(generation) FROM loaded'), '40000|40000|3|3', 'the next run brings them');
is($node->safe_psql('postgres', $facts), $before, 'under the same OID');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace}), '2', 'no other table is left');

# Inside the user's own transaction it is all or nothing.
api_post($port, '/table?rows=100&generation=4');
$node->safe_psql('postgres', q{BEGIN; CALL lyftron.run('t'); ROLLBACK});
is($node->safe_psql('postgres', 'SELECT count(*), max(generation) FROM v'), '40000|3', 'a rollback takes it back');
$node->safe_psql('postgres', q{BEGIN; CALL lyftron.run('t'); COMMIT});
is($node->safe_psql('postgres', 'SELECT count(*), max(generation) FROM v'), '100|4', 'a commit keeps it');

$node->safe_psql('postgres', "DROP TABLE $stop");
$reader->{run}->finish;
is(${ $reader->{err} }, '', 'no reader got an error');
is(${ $reader->{out} }, "20000|1|1\n30000|2|2\n40000|3|3\n100|4|4\n", 'readers saw the old rows, then the new, never both');

done_testing();
