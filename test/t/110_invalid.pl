
# What a source may answer, a folder a case in test/data/invalid: broken, hostile, too much. Each is read
# in five ways, as typed rows, as JSON, and by a pipeline in each mode, and has the outcome that its expected.txt
# says. The backend goes on, nothing is half-loaded, and records that do not fit are kept as they were.
#
# A line of expected.txt is "WAY: OUTCOME" or "says TEXT"; WAY is all, select, read or run, and OUTCOME is
#     error SQLSTATE                  nothing is read, and what was loaded before is there as before
#     rows N                          that many records
#     rows N rejected M SQLSTATE      and so many that are kept in lyftron.rejected_records; SQLSTATE may be A|B
# and each error and reason has one of the texts that the case "says" ("read says", "run says": there besides), and each
# of these is said. "gives JSON" is a row that comes out, "keeps TEXT" a part of a rejected record; "stream NAME" is which one
# is read, "set NAME VALUE" a setting, "tls KIND" the certificate of the server, "requests N" how often it is asked.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use File::Temp qw(tempdir);
use JSON::PP;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->canonical->allow_nonref->utf8;
my @modes = qw(full_refresh incremental incremental_append);
my @ways = (qw(select read), @modes);
my @streams = qw(items patient tokens links tolerant);

# --- servers: one without TLS, one for each certificate ---

sub openssl { system_or_bail('openssl', @_); return; }

# A certificate for a host, signed by the authority or by itself, as a file with its key.
sub certificate
{
	my ($name, %c) = @_;
	my $request = "$dir/$name.csr";
	openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', "$dir/$name.key", '-subj', "/CN=$name", '-out', $request);
	append_to_file("$dir/$name.ext", 'subjectAltName=DNS:' . ($c{host} // 'localhost') . "\n");
	openssl('x509', '-req', '-in', $request, '-days', $c{days} // 30, '-extfile', "$dir/$name.ext", '-out', "$dir/$name.crt",
		$c{self} ? ('-signkey', "$dir/$name.key") : ('-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key", '-CAcreateserial'));
	append_to_file("$dir/$name.pem", slurp_file("$dir/$name.key") . slurp_file("$dir/$name.crt"));
	return "$dir/$name.pem";
}

openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', "$dir/ca.key", '-subj', '/CN=test authority',
	'-days', '30', '-out', "$dir/ca.crt");
my %certificates = (valid => certificate('valid'), self_signed => certificate('self_signed', self => 1), expired => certificate('expired', days => -1),
	wrong_host => certificate('wrong_host', host => 'example.com'));
my %port = (none => scalar start_server('invalid_api.py'),
	map { $_ => scalar start_server('invalid_api.py', '--certificate', $certificates{$_}) } keys %certificates);

sub url { my ($kind) = @_; return $kind eq 'none' ? "http://localhost:$port{none}" : "https://localhost:$port{$kind}"; }

# --- what it is read into ---

my $columns = 'id bigint, name text, small smallint, number integer, "real" real, double double precision, "decimal" numeric, price numeric(10,2),
	flag boolean, short varchar(5), day date, at timestamptz, key uuid, doc jsonb, raw json, tags text[]';
my $names = join ', ', map { /^("?\w+"?)/ } split /,\s+/, $columns;
my $node = new_node('main', "lyftron.ca_file = '$dir/ca.crt'\n");
add_connector($node, 'invalid');
$node->safe_psql('postgres', qq{
	CREATE SERVER api FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'invalid', config '{"base_url": "@{[url('none')]}", "path": "setup"}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER api OPTIONS (secrets '{"token": "hunter2-secret"}');
	CREATE SCHEMA d;
	CREATE SCHEMA before;});
for my $stream (@streams)
{
	$node->safe_psql('postgres', "CREATE FOREIGN TABLE $stream ($columns) SERVER api OPTIONS (stream '$stream')");
}
for my $mode (@modes)
{
	$node->safe_psql('postgres', qq{
		SELECT lyftron.create_pipeline('$mode', source => 'items', destination => 'd.$mode', mode => '$mode', primary_key => '{id}');
		CALL lyftron.run('$mode');
		CREATE TABLE before.$mode AS SELECT * FROM d.$mode;});
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM d.full_refresh'), '1', 'the destinations hold a row');

# --- a case ---

# "WAY: OUTCOME" by way, and the other lines by their first word.
sub expectations
{
	my ($name) = @_;
	my (%outcome, %more);
	for (split /\n/, slurp_file("test/data/invalid/$name/expected.txt"))
	{
		if (/^(all|select|read|run): (.+)/) { $outcome{$_} = $2 for $1 eq 'all' ? @ways : $1 eq 'run' ? @modes : $1; }
		elsif (/^(select|read|run) says (.+)/) { push @{ $more{"$1 says"} }, $2; }
		elsif (/^(\w+) (.+)/) { push @{ $more{$1} }, $2; }
		else { die "$name: $_"; }
	}
	$more{$_} = [ @{ $more{says} // [] }, @{ $more{"$_ says"} // [] } ] for qw(select read);
	$more{$_} = [ @{ $more{says} // [] }, @{ $more{'run says'} // [] } ] for @modes;
	return (\%outcome, \%more);
}

sub statements
{
	my ($way, $stream) = @_;
	return "SELECT row_to_json(t) FROM $stream AS t;\n" if $way eq 'select';
	return "SELECT to_json(length(record::text)) FROM lyftron.read('api', '$stream') WHERE record IS NOT NULL;\n" if $way eq 'read';
	return <<"SQL";
CALL lyftron.run('$way');
SELECT max(id) AS run FROM lyftron.jobs WHERE pipeline = '$way' \\gset
SELECT row_to_json(t) FROM (SELECT $names FROM d.$way WHERE _lyftron_run = :run ORDER BY id) AS t;
\\echo JOB
SELECT json_build_array(state, coalesce(sqlstate, ''), rows_rejected) FROM lyftron.jobs WHERE id = :run;
SELECT json_build_array(sqlstate, reason, record) FROM lyftron.rejected_records WHERE run = :run ORDER BY id;
\\echo AFTER
SELECT (SELECT count(*) FROM (SELECT t::text FROM before.$way AS t EXCEPT SELECT t::text FROM d.$way AS t) AS gone) || ' gone, '
	|| (SELECT count(*) FROM (SELECT t::text FROM d.$way AS t EXCEPT SELECT t::text FROM before.$way AS t) AS new) || ' new, '
	|| (SELECT count(*) FROM pg_class WHERE relnamespace = 'd'::regnamespace AND relkind = 'r') || ' tables, '
	|| (SELECT count(*) FROM lyftron.states WHERE pipeline = '$way' AND unfinished) || ' unfinished';
TRUNCATE d.$way;
INSERT INTO d.$way SELECT * FROM before.$way;
SELECT lyftron.set_state('$way', NULL);
SQL
}

# Everything that one case prints, by way: {out}, {err}.
sub run_case
{
	my ($name, $more) = @_;
	my ($stream) = @{ $more->{stream} // ['items'] };
	my ($tls) = @{ $more->{tls} // ['none'] };
	my $sql = "SELECT pg_backend_pid() AS pid \\gset\n";
	$sql .= "SET " . join(' = ', map { /^\w+(\.\w+)+$/ ? $_ : "'$_'" } split(/ /, $_, 2)) . ";\n" for @{ $more->{set} // [] };
	$sql .= "SELECT lyftron.alter_pipeline('$_', source => '$stream');\n" for @modes;
	for my $way (@ways)
	{
		my $config = $json->encode({ base_url => url($tls), path => "$way/$name" });
		$sql .= "ALTER SERVER api OPTIONS (SET config '$config');\n\\echo WAY $way\n\\warn WAY $way\n" . statements($way, $stream);
	}
	$sql .= "\\echo WAY end\n\\warn WAY end\nSELECT CASE WHEN pg_backend_pid() = :pid THEN 'the session goes on' END;\n";
	my ($ret, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=never' ]);
	my (%out, %err);
	$out{$1} = $2 while $out =~ /^WAY (\w+)\n(.*?)(?=^WAY|\z)/gms;
	$err{$1} = $2 while $err =~ /^WAY (\w+)\n(.*?)(?=^WAY|\z)/gms;
	return (\%out, \%err);
}

# What a pipeline's run left: its rows, how the job ended, the rejected records, and how all else is.
sub parse_run
{
	my ($out) = @_;
	my ($rows, $job, $after) = $out =~ /\A(.*?)^JOB\n(.*?)^AFTER\n(.*?)$/ms or return;
	my ($state, @rejected) = map { $json->decode($_) } split /\n/, $job;
	return { rows => [ split /\n/, $rows ], state => $state, rejected => \@rejected, after => $after };
}

# Has each of the complaints one of the texts, and is each text in one of them?
sub check_texts
{
	my ($claim, $texts, @complaints) = @_;
	for my $complaint (@complaints)
	{
		ok((grep { index($complaint, $_) >= 0 } @$texts) > 0, "$claim: says what is expected") or diag($complaint);
		unlike($complaint, qr/hunter2/, "$claim: shows no secret");
	}
	for my $text (@$texts)
	{
		ok((grep { index($_, $text) >= 0 } @complaints) > 0, "$claim: says $text") or diag(join "\n", @complaints);
	}
	return;
}

sub check_rows
{
	my ($claim, $rows, $count, $gives) = @_;
	is(scalar(@$rows), $count, "$claim: the rows");
	return unless defined $gives;
	my @rows = map { my $row = $json->decode($_); $json->encode({ map { defined $row->{$_} ? ($_ => $row->{$_}) : () } keys %$row }) } @$rows;
	is(join("\n", @rows), join("\n", map { $json->encode($json->decode($_)) } @$gives), "$claim: their values");
	return;
}

sub check_run
{
	my ($claim, $outcome, $run, $err, $more) = @_;
	return fail("$claim: no result") unless defined $run;
	my ($error) = $outcome =~ /^error (\w+)/;
	my ($count, $rejected, $sqlstate) = $outcome =~ /^rows (\d+)(?: rejected (\d+) (\S+))?/;
	is(join('|', @{ $run->{state} }), defined $error ? "failed|$error|0" : 'succeeded||' . ($rejected // 0), "$claim: the job");
	if (defined $error)
	{
		is($run->{after}, '0 gone, 0 new, 3 tables, 0 unfinished', "$claim: all is as before");
		return;
	}
	is($err, '', "$claim: no error");
	check_rows($claim, $run->{rows}, $count, $more->{gives});
	like($run->{after}, qr/, 3 tables, 0 unfinished$/, "$claim: nothing is left lying");
	is(scalar(@{ $run->{rejected} }), $rejected // 0, "$claim: the rejected records");
	like($_->[0], qr/\A(?:$sqlstate)\z/, "$claim: the reason's SQLSTATE") or diag($_->[1]) for @{ $run->{rejected} };
	check_texts($claim, $more->{(split / /, $claim)[1]}, map { $_->[1] } @{ $run->{rejected} }) if defined $rejected;
	for my $text (@{ $more->{keeps} // [] })
	{
		ok((grep { index($json->encode($_->[2]), $text) >= 0 || index($_->[2], $text) >= 0 } @{ $run->{rejected} }) > 0, "$claim: keeps $text");
	}
	return;
}

for my $path (sort glob('test/data/invalid/*/response*'))
{
	my ($name) = $path =~ m{([^/]+)/response};
	my ($outcome, $more) = expectations($name);
	my ($out, $err) = run_case($name, $more);
	for my $way (@ways)
	{
		my $claim = "$name, $way";
		my $expected = $outcome->{$way} // die "$name: nothing is said about $way";
		if ($expected =~ /^error (\w+)/)
		{
			like($err->{$way} // '', qr/\A[^\n]*ERROR:  $1: /, "$claim: SQLSTATE $1");
			check_texts($claim, $more->{$way}, $err->{$way} // '');
		}
		if (grep { $way eq $_ } @modes)
		{
			check_run($claim, $expected, parse_run($out->{$way} // ''), $err->{$way} // '', $more);
		}
		elsif ($expected =~ /^rows (\d+)/)
		{
			is($err->{$way} // '', '', "$claim: no error");
			check_rows($claim, [ split /\n/, $out->{$way} // '' ], $1, $way eq 'select' ? $more->{gives} : undef);
		}
		else
		{
			is($out->{$way} // '', '', "$claim: no rows");
		}
		is(LyftronTest::http('GET', $port{none}, "/count/$way/$name"), $_, "$claim: the requests") for @{ $more->{requests} // [] };
	}
	is($out->{end} // '', 'the session goes on', "$name: the session goes on");
}

is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND relation >= 16384"), '0', 'nothing stays locked');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP:/, 'no backend has crashed');

done_testing();
