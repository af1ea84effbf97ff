
# A case is a manifest, what an API answers, and what must come of both: exactly these requests, in this order, and exactly
# these records and this state.
package LyftronManifest;

use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use JSON::PP;
use LyftronTest;
use Test::More;

our @EXPORT = qw(start_manifest_api quote asked manifest parent paginator cursor items ids check_that same run_cases);

my ($node, $port, $url);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my @cases;

# The node that has the extension, and the server that answers what a case says.
sub start_manifest_api
{
	($node) = @_;
	$port = start_server('manifest_api.py');
	$url = "http://127.0.0.1:$port";
	return;
}

sub quote { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }

sub asked { return @{ $json->decode(LyftronTest::http('GET', $port, '/admin/requests')) }; }

# A manifest with one stream "s" at /items, of parts in YAML's flow style.
sub manifest
{
	my (%p) = @_;
	return $p{manifest} if defined $p{manifest};
	my $requester = join ', ', grep { defined } 'type: HttpRequester', q(url_base: "{{ config['url'] }}"),
	  'path: ' . ($p{path} // 'items'), $p{requester}, defined $p{auth} ? "authenticator: $p{auth}" : undef,
	  defined $p{errors} ? "error_handler: $p{errors}" : undef;
	my $selector = join ', ', grep { defined } 'type: RecordSelector',
	  'extractor: {type: DpathExtractor, field_path: ' . ($p{extract} // '[items]') . '}', $p{selector};
	my $retriever = join ', ', grep { defined } 'type: SimpleRetriever', "requester: {$requester}",
	  "record_selector: {$selector}", $p{retriever}, map { defined $p{$_} ? "$_: $p{$_}" : undef } qw(paginator partition_router);
	my $stream = join ', ', grep { defined } 'type: DeclarativeStream', 'name: s', "retriever: {$retriever}",
	  'schema_loader: {type: InlineSchemaLoader, schema: ' . ($p{schema} // '{type: object, properties: {}}') . '}',
	  $p{stream}, map { defined $p{$_} ? "$_: $p{$_}" : undef } qw(incremental_sync transformations);
	return <<"YAML";
version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [s]}
streams:
  - {$stream}
spec: {type: Spec, connection_specification: {type: object, properties: {}}}
@{[ $p{root} // '' ]}
YAML
}

# A stream that is the parent of others, at a path.
sub parent
{
	my ($path, $more) = @_;
	return <<"YAML";
{type: DeclarativeStream, name: $path, primary_key: id,
  retriever: {type: SimpleRetriever, requester: {type: HttpRequester, url_base: "{{ config['url'] }}", path: $path},
    record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [items]}}},
  schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {}}} $more}
YAML
}

# A paginator of a strategy, with its token (and page size) as query parameters.
sub paginator
{
	my ($strategy, $token, $size) = @_;
	return "{type: DefaultPaginator, pagination_strategy: {$strategy}"
	  . (defined $token ? ", page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: $token}" : '')
	  . (defined $size ? ", page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: $size}" : '') . '}';
}

# A datetime cursor over field "at", its window as query parameters since and until.
sub cursor
{
	my ($more, %p) = @_;
	return join(', ', '{type: DatetimeBasedCursor, cursor_field: at',
	  'datetime_format: "' . ($p{format} // '%Y-%m-%d') . '"',
	  'start_datetime: ' . ($p{start} // '"2024-01-01"'), (defined $p{no_end} ? () : 'end_datetime: ' . ($p{end} // '"2024-01-10"')),
	  (defined $p{no_options} ? () : (
	  'start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}',
	  'end_time_option: {type: RequestOption, inject_into: request_parameter, field_name: until}')), $more // ()) . '}';
}

# Records with these ids, as the API wraps them.
sub items { return { items => [ map { { id => $_ } } @_ ] }; }
sub ids { return [ map { { id => $_ } } @_ ]; }

sub check_that
{
	my ($claim, %case) = @_;
	push @cases, [ $claim, %case ];
	return;
}

sub same
{
	my ($got, $expected, $claim) = @_;
	return is($json->encode($got), $json->encode($expected), $claim);
}

sub run_case
{
	my ($claim, %case) = @_;
	my $answers = $json->encode($case{answers} // { 'GET /items' => [ items(1) ] });
	$answers =~ s/__URL__/$url/g;
	$answers =~ s/__OTHER__/http:\/\/localhost:$port/g;
	LyftronTest::http('POST', $port, '/admin/answers', $answers);

	my %config = (url => $url, %{ $case{config} // {} });
	my ($ret, $out, $err) = $node->psql('postgres', "SET client_min_messages = warning;\n"
		. "DROP SERVER IF EXISTS api;\n"
		. 'DO $do$ BEGIN PERFORM lyftron.add_connector(\'c\', ' . quote(manifest(%case)) . "); END \$do\$;\n"
		. "CREATE SERVER api FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'c', config " . quote($json->encode(\%config)) . ");\n"
		. (defined $case{now} ? "SET lyftron.test_now = '$case{now}';\n" : '')
		. ($case{sql} // "SELECT json_build_object('record', record, 'state', state) FROM lyftron.read('api', " . quote($case{read} // 's') . ', '
		. (defined $case{state} ? quote($json->encode($case{state})) . '::jsonb' : 'NULL') . ');'));
	is($out, $case{output}, "$claim: the rows") if defined $case{output};
	$out = '' if defined $case{sql};
	my @rows = map { $json->decode($_) } split /\n/, $out;
	my @records = map { $_->{record} } grep { defined $_->{record} } @rows;
	my ($final) = map { $_->{state} } grep { defined $_->{state} } reverse @rows;
	my @asked = asked();

	if (defined $case{error})
	{
		like($err, $_, "$claim: the error says so") for ref $case{error} eq 'ARRAY' ? @{ $case{error} } : $case{error};
	}
	else
	{
		is($err, '', "$claim: no error");
	}
	same([ map { $_->{request} } @asked ], $case{requests}, "$claim: the requests") if defined $case{requests};
	same(\@records, $case{records}, "$claim: the records") if defined $case{records};
	same([ map { $_->{body} } @asked ], $case{bodies}, "$claim: the bodies") if defined $case{bodies};
	for my $request (defined $case{headers} ? @asked : ())
	{
		same({ map { my $name = $_; map { $_ => $request->{headers}{$name} } grep { lc $_ eq lc $name } keys %{ $case{headers} } } keys %{ $request->{headers} } },
			$case{headers}, "$claim: the headers of $request->{request}");
	}
	if (defined $case{final})
	{
		like(delete $final->{lookback_window} // 'none', qr/^\d+$/, "$claim: the state says how long it took") if defined $final->{use_global_cursor};
		same($final, $case{final}, "$claim: the state");
	}
	return;
}

# All cases so far.
sub run_cases
{
	run_case(@$_) for splice @cases;
	return;
}

1;
