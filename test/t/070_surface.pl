
# What a user meets: every function, table, view and column of ours has a COMMENT; nothing
# that PUBLIC may call runs with its owner's rights and an open search_path; a dump restores.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;

my $node = new_node('main');

is($node->safe_psql('postgres', q{
	SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc
	WHERE pronamespace = 'lyftron'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL}),
	'', 'every function has a comment');
is($node->safe_psql('postgres', q{
	SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
	WHERE relnamespace = 'lyftron'::regnamespace AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL}),
	'', 'every table and view has a comment');
is($node->safe_psql('postgres', q{
	SELECT string_agg(attrelid::regclass || '.' || attname, ', ') FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
	WHERE relnamespace = 'lyftron'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped
	AND col_description(attrelid, attnum) IS NULL}),
	'', 'every column has a comment');
is($node->safe_psql('postgres', q{
	SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc
	WHERE pronamespace = 'lyftron'::regnamespace AND prosecdef AND NOT coalesce(proconfig::text LIKE '%search_path=pg_catalog, pg_temp%', false)}),
	'', 'SECURITY DEFINER only with a pinned search_path');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'lyftron'::regnamespace}), '>', 10, 'there are functions');

# The reference in docs/ has a row for each function.
my $reference = PostgreSQL::Test::Utils::slurp_file('docs/reference.md');
my @missing = grep { $reference !~ /\blyftron\.\Q$_\E\(/ } split /\n/, $node->safe_psql('postgres', q{
	SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'lyftron'::regnamespace
	AND prorettype <> 'fdw_handler'::regtype AND proname NOT LIKE '%validator' AND proname <> 'ship_connector'});
is("@missing", '', 'every function is in docs/reference.md');

# Dump and restore: connectors, servers, pipelines, alerts and state come back.
add_connector($node, 'records', 'mine');
$node->safe_psql('postgres', q{
	CREATE SERVER rec FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'mine', config '{"base_url": "http://127.0.0.1:1"}');
	CREATE SCHEMA rec;
	IMPORT FOREIGN SCHEMA "default" FROM SERVER rec INTO rec;
	CREATE TABLE local (id int, at timestamptz);
	INSERT INTO local SELECT i, now() FROM generate_series(1, 10) i;
	SELECT lyftron.create_pipeline('l', source => 'local', destination => 'copy', mode => 'incremental', primary_key => '{id}', cursor => 'at');
	CALL lyftron.run('l');
	SELECT lyftron.create_alert('a', pipeline => 'l');
	SELECT lyftron.create_vault('v', 'vault');
	SELECT lyftron.create_hub('v', 'hub_thing', 'local', '{id}', load_date => 'at', increment => 'id');
	SELECT lyftron.create_satellite('v', 'sat_thing', 'hub_thing', 'local', '{id}', '{at AS seen}', load_date => 'at', increment => 'id');
	SELECT lyftron.load_vault('v');});
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('again'), '-f', $dump ], 'restore');
my $state = q{SELECT (SELECT count(*) FROM lyftron.connectors), (SELECT count(*) FROM lyftron.pipelines), (SELECT count(*) FROM lyftron.alerts), lyftron.state_json('l'),
	(SELECT count(*) FROM lyftron.vault_loads WHERE position = '10'), (SELECT count(*) FROM lyftron.vault_tables), (SELECT count(*) FROM vault.sat_thing)};
is($node->safe_psql('again', $state), $node->safe_psql('postgres', $state), 'the restored database knows the same');
$node->safe_psql('again', q{INSERT INTO local VALUES (11, now()); CALL lyftron.run('l')});
is($node->safe_psql('again', q{SELECT rows_written FROM lyftron.jobs ORDER BY started_at DESC LIMIT 1}), '1', 'and goes on where it was');
is($node->safe_psql('again', q{SELECT string_agg(table_name || ' ' || candidates || ' ' || inserted, ', ') FROM lyftron.load_vault('v')}),
	'hub_thing 2 1, sat_thing 2 1', 'and so does its vault');

# All of it goes with the extension.
$node->safe_psql('again', 'DROP SERVER rec CASCADE; DROP EXTENSION lyftron');
is($node->safe_psql('again', q{SELECT count(*) FROM pg_proc WHERE prosrc LIKE 'lyf\_%'}), '0', 'DROP EXTENSION leaves nothing');

done_testing();
