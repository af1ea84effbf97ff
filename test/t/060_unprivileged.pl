
# A database owner who is no superuser creates the extension and, after one GRANT by an
# administrator, does all of the demo; others see nothing of it.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "lyftron.allowed_hosts = '127.0.0.1'\n");
$node->append_conf('postgresql.conf', pg_cron_conf('shop')) if driven_by_pg_cron();
$node->start;
my $port = start_flights_api('--published', '2013-02-28T23:59:59Z');
$node->safe_psql('postgres', 'CREATE ROLE ann LOGIN');
$node->safe_psql('postgres', 'CREATE ROLE bob LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE shop OWNER ann');
my $connect = "host=" . $node->host . " port=" . $node->port . " dbname=shop";

sub as
{
	my ($user, $sql) = @_;
	my ($ret, $out, $err) = $node->psql('shop', $sql, connstr => "$connect user=$user", on_error_die => 0);
	return wantarray ? ($ret, $out, $err) : $ret == 0 ? $out : "ERROR: $err";
}

is(as('ann', 'CREATE EXTENSION lyftron'), '', 'the owner creates the extension');
like(as('ann', q{CREATE SERVER nyc FOREIGN DATA WRAPPER lyftron_rest}), qr/permission denied for foreign-data wrapper/, 'but no server yet');
$node->safe_psql('shop', 'GRANT USAGE ON FOREIGN DATA WRAPPER lyftron_rest TO ann');
drive_by_pg_cron($node, 'shop', 'ann') if driven_by_pg_cron();

is(as('ann', qq{
	CREATE SERVER nyc FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights', config '{"base_url": "http://127.0.0.1:$port"}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER nyc OPTIONS (secrets '{"token": "demo-token-4711"}');
	CREATE SCHEMA nyc;
	IMPORT FOREIGN SCHEMA "default" FROM SERVER nyc INTO nyc;
	CREATE SCHEMA raw;}), '', 'after the grant it connects and imports');
is(as('ann', q{SELECT bool_and(ok) FROM lyftron.check('nyc')}), 't', 'check');
like(as('ann', q{SELECT count(*) FROM lyftron.discover('nyc')}), qr/^[1-9]\d+$/, 'discover');
is(as('ann', q{SELECT count(*) FROM nyc.airlines}), '16', 'a live query');
for my $p ([ 'flights', 'incremental' ], [ 'planes', 'full_refresh' ], [ 'airports', 'full_refresh' ])
{
	as('ann', "SELECT lyftron.create_pipeline('$p->[0]', source => 'nyc.$p->[0]', destination => 'raw.$p->[0]', mode => '$p->[1]')");
	is(as('ann', "CALL lyftron.run('$p->[0]')"), '', "pipeline $p->[0] runs");
}
api_post($port, '/admin/publish?until=2013-03-01T23:59:59Z');
is(as('ann', "CALL lyftron.run('flights')"), '', 'and again');
is(as('ann', q{SELECT count(*), min(rows_written) > 0 FROM lyftron.jobs WHERE state = 'succeeded'}), '4|t', 'the jobs are seen by their owner');

is($node->safe_psql('shop', q{CALL lyftron.run('planes'); SELECT state FROM lyftron.jobs WHERE pipeline = 'planes' ORDER BY id DESC LIMIT 1}),
	'succeeded', "an administrator, who has no secret, runs it with its owner's");
is($node->safe_psql('shop', q{SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'raw'}), 'ann', "and the tables stay the owner's");

# Another role of the same database.
is(as('bob', 'SELECT count(*) FROM lyftron.jobs'), '0', 'another role sees no jobs');
like(as('bob', "CALL lyftron.run('flights')"), qr/ERROR.*(permission denied|must be owner)/s, 'nor runs them');
like(as('bob', "SELECT lyftron.drop_pipeline('flights')"), qr/ERROR.*(permission denied|must be owner)/s, 'nor drops them');
like(as('bob', "SELECT * FROM lyftron.check('nyc')"), qr/ERROR.*permission denied/s, 'nor checks the server');
like(as('bob', "SELECT * FROM lyftron.read('nyc', 'airlines')"), qr/ERROR.*permission denied/s, 'nor reads from it');
unlike(as('bob', 'SELECT umoptions FROM pg_user_mappings'), qr/4711/, 'nor sees the secret');
like(as('bob', 'SELECT * FROM lyftron.pipeline'), qr/ERROR.*permission denied/s, 'nor the tables below the views');

done_testing();
