
# Paging looks at the response as it came, whatever transformations made of the records in it;
# and no failure of a request shows a secret: not one in the path of a URL that nobody answers,
# not one that the source sends back in another form.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'given-secret-9753';
my $node = new_node('main');
my $port = start_server('given_api.py');
my $nowhere = free_port();
add_connector($node, 'untouched');
$node->safe_psql('postgres', qq{
	CREATE SERVER given FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'untouched',
		config '{"base_url": "http://127.0.0.1:$port", "nowhere": "http://127.0.0.1:$nowhere", "user": "u"}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER given OPTIONS (secrets '{"password": "$secret"}');});

api_post($port, '/admin/put?path=/pages&page=1', '[{"id": 1}, {"id": 2, "next": 2}]');
api_post($port, '/admin/put?path=/pages&page=2', '[{"id": 3, "next": 3}]');
api_post($port, '/admin/put?path=/pages&page=3', '[{"id": 4, "next": null}]');

is($node->safe_psql('postgres', q{SELECT string_agg(record::text, ' ' ORDER BY record->'id')
	FROM lyftron.read('given', 'items') WHERE record IS NOT NULL}),
	'{"id": 1} {"id": 2} {"id": 3} {"id": 4}',
	'a field that was removed from the records still leads to the next page');
is($node->safe_psql('postgres', q{SELECT string_agg(record::text, ' ' ORDER BY record->'first')
	FROM lyftron.read('given', 'whole') WHERE record IS NOT NULL}),
	'{"first": 1} {"first": 3} {"first": 4}',
	'so does a list that was removed from a record that is the response itself');

my ($status, $out, $err) = $node->psql('postgres', q{SELECT * FROM lyftron.read('given', 'secret_path')});
isnt($status, 0, 'a source that nobody answers for is an error');
like($err, qr{could not connect to http://127\.0\.0\.1:$nowhere/v1/\*\*\*/things},
	'which names the URL, with stars for the secret in its path');
unlike($err, qr/\Q$secret\E/, 'and has it nowhere else');

api_post($port, '/admin/refuse?path=/pages');
my $encoded = encode_base64("u:$secret", '');
($status, $out, $err) = $node->psql('postgres', q{SELECT * FROM lyftron.read('given', 'items')});
isnt($status, 0, 'a refused request is an error');
like($err, qr/no access with Basic \*\*\*/, 'which has what the source says, with stars for the credentials it sends back');
unlike($err, qr/\Q$encoded\E/, 'and has them nowhere else');

my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/\Q$encoded\E/, "nor has the server's log");

done_testing();
