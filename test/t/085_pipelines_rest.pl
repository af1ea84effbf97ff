
# Pipelines over REST streams: what becomes of objects and lists, of records that do not fit, of
# doubles and versions; a state goes in and out in Airbyte's forms; a run keeps others out, goes
# on from its checkpoint when it is cut off, and says plainly when its source is gone.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $port = start_flights_api();
connect_flights($node, $port);
my $records = start_server('records_api.py');
my $given = start_server('given_api.py');
for my $name ('records', 'given', 'shops')
{
	add_connector($node, $name);
}
$node->safe_psql('postgres', qq{
	CREATE SERVER records FOREIGN DATA WRAPPER lyftron_rest
		OPTIONS (connector 'records', config '{"base_url": "http://127.0.0.1:$records", "pages": 3}');
	CREATE SCHEMA records;
	IMPORT FOREIGN SCHEMA "default" FROM SERVER records INTO records;
	CREATE SERVER given FOREIGN DATA WRAPPER lyftron_rest
		OPTIONS (connector 'given', config '{"base_url": "http://127.0.0.1:$given"}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER given OPTIONS (secrets '{"token": "given-secret-9753"}');
	CREATE SCHEMA given;
	IMPORT FOREIGN SCHEMA "default" LIMIT TO (items, events) FROM SERVER given INTO given;
	CREATE SCHEMA whole;
	IMPORT FOREIGN SCHEMA "default" LIMIT TO (items) FROM SERVER given INTO whole OPTIONS (record 'true');});

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub run { my ($pipeline) = @_; return sql("CALL lyftron.run('$pipeline')"); }

# What psql prints as errors, warnings and notices, with SQLSTATEs.
sub complaint
{
	my ($sql) = @_;
	my $err;
	$node->psql('postgres', "\\set VERBOSITY verbose\n$sql", stderr => \$err);
	return $err;
}

# Columns of a pipeline's last run.
sub job
{
	my ($pipeline, $columns) = @_;
	return sql("SELECT $columns FROM lyftron.jobs WHERE pipeline = '$pipeline' ORDER BY id DESC LIMIT 1");
}

# Give a path these pages, and none besides.
sub give
{
	my ($path, @pages) = @_;
	api_post($given, "/admin/clear?path=$path");
	api_post($given, "/admin/put?path=$path&page=" . ($_ + 1), $pages[$_]) for 0 .. $#pages;
	return;
}

sub requests { my ($page) = @_; return decode_json(LyftronTest::http('GET', $given, '/admin/log'))->{$page} // 0; }

sub last_query { return (split /\n/, LyftronTest::http('GET', $given, '/admin/queries'))[-1]; }

# Names and types of a table's columns, without those that every loaded table has.
sub columns
{
	my ($table) = @_;
	return sql("SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = '$table'::regclass AND attnum > 0 AND attname NOT IN ('_lyftron_id', '_lyftron_extracted_at', '_lyftron_loaded_at', '_lyftron_run')");
}

# Two queries give the same rows, as often.
sub same
{
	my ($a, $b, $claim) = @_;
	is(sql("SELECT count(*) FROM (($a) EXCEPT ALL ($b)) x"), '0', "$claim: nothing that the source lacks");
	is(sql("SELECT count(*) FROM (($b) EXCEPT ALL ($a)) x"), '0', "$claim: nothing lacks");
	cmp_ok(sql("SELECT count(*) FROM ($a) x"), '>', 0, "$claim: there are rows");
	return;
}

# Objects and lists

for my $nested ('jsonb', 'flatten', 'normalize', 'raw')
{
	for my $stream ('nyc.airports', 'records.records')
	{
		my $name = ($stream =~ s/.*\.//r) . "_$nested";
		sql("SELECT lyftron.create_pipeline('$name', source => '$stream', destination => 'raw.$name', nested => '$nested')");
		run($name);
		is(job($name, 'state, rows_rejected'), 'succeeded|0', "$name: loaded");
	}
}

is(columns('raw.airports_jsonb'), 'faa text, name text, location jsonb, timezone jsonb', 'jsonb: objects stay what they are');
my $airports = 'faa text, name text, location_lat numeric, location_lon numeric, location_alt bigint, '
  . 'timezone_offset numeric, timezone_dst text, timezone_name text, _lyftron_extra jsonb';
is(columns('raw.airports_flatten'), $airports, 'flatten: objects become columns with the types of the schema');
is(columns('raw.airports_normalize'), $airports, 'normalize: the same, where there are no lists');
is(columns('raw.airports_raw'), 'record jsonb', 'raw: one column');
my $flat = q{SELECT faa, name, location_lat, location_lon, location_alt, timezone_offset, timezone_dst, timezone_name FROM raw.airports_%s};
my $source = q{SELECT faa, name, (location->>'lat')::numeric, (location->>'lon')::numeric, (location->>'alt')::bigint,
	(timezone->>'offset')::numeric, timezone->>'dst', timezone->>'name' FROM nyc.airports};
same(sprintf($flat, 'flatten'), $source, 'flatten, airports');
same(sprintf($flat, 'normalize'), $source, 'normalize, airports');
same('SELECT faa, name, location, timezone FROM raw.airports_jsonb', 'SELECT * FROM nyc.airports', 'jsonb, airports');
same('SELECT record FROM raw.airports_raw', 'SELECT to_jsonb(a) FROM nyc.airports a', 'raw, airports');
is(sql('SELECT count(DISTINCT _lyftron_id) FROM (SELECT _lyftron_id FROM raw.airports_jsonb UNION ALL SELECT _lyftron_id FROM raw.airports_flatten
	UNION ALL SELECT _lyftron_id FROM raw.airports_normalize UNION ALL SELECT _lyftron_id FROM raw.airports_raw) i'),
	sql('SELECT count(*) FROM raw.airports_jsonb'), 'an airport has the same id, however it is loaded');

like(columns('raw.records_flatten'), qr/note text, tags jsonb, .*owner_id bigint, .*owner_mail text/, 'flatten: an object of which the schema says nothing is learned; lists stay');
like(columns('raw.records_flatten'), qr/owner_address_city text/, 'objects in objects too');
unlike(columns('raw.records_normalize'), qr/tags/, 'normalize: a list is no column');
like(columns('raw.records_raw'), qr/^record jsonb$/, 'raw: one column');
my $owner = q{SELECT id, name, amount, active, created_at, owner_id, owner_mail, owner_address_city, owner_address_zip, score FROM raw.records_%s};
my $owned = q{SELECT id, name, amount, active, created_at, (owner->>'id')::bigint, owner->>'mail', owner->'address'->>'city', owner->'address'->>'zip', score FROM records.records};
same(sprintf($owner, $_), $owned, "$_, records") for 'flatten', 'normalize';
same('SELECT record FROM raw.records_raw', 'SELECT to_jsonb(r) FROM records.records r', 'raw, records');
is(sql('SELECT count(_lyftron_extra) FROM raw.records_flatten'), '0', 'all members have their column');

is(columns('raw.records_normalize__tags'), 'value text, _lyftron_extra jsonb, _lyftron_parent_id uuid, _lyftron_root_id uuid, _lyftron_index bigint',
	'normalize: a list is a table of its items');
same('SELECT p.id, c._lyftron_index, c.value FROM raw.records_normalize p JOIN raw.records_normalize__tags c ON c._lyftron_parent_id = p._lyftron_id',
	'SELECT id, n - 1, value FROM records.records, jsonb_array_elements_text(tags) WITH ORDINALITY t (value, n)', 'items join back to their record');
is(sql('SELECT count(DISTINCT _lyftron_id) = count(*), bool_and(_lyftron_root_id = _lyftron_parent_id) FROM raw.records_normalize__tags'), 't|t', 'items have ids of their own');
my $ids = q{SELECT md5(string_agg(_lyftron_id::text, '' ORDER BY _lyftron_id)) FROM raw.%s};
my @before = map { sql(sprintf $ids, $_) } 'records_normalize', 'records_normalize__tags';
run('records_normalize');
is_deeply([ map { sql(sprintf $ids, $_) } 'records_normalize', 'records_normalize__tags' ], \@before, 'a second refresh gives all of them the same ids');
is(sql('SELECT count(*) FROM raw.records_normalize__tags'), '9000', 'and no item twice');

# Records that do not fit

my @bad = (
	[ '{"id":"two","name":"x"}', '22P02', 'field "id": value "two" is not valid for type bigint' ],
	[ '{"id":1.5}', '22P02', 'field "id": value 1.5 is not valid for type bigint' ],
	[ '{"id":99999999999999999999}', '22003', 'field "id": value 99999999999999999999 is out of range for type bigint' ],
	[ '{"id":3,"price":"dear"}', '22P02', 'field "price": value "dear" is not valid for type numeric' ],
	[ '{"id":4,"sold":"maybe"}', '22P02', 'field "sold": value "maybe" is not valid for type boolean' ],
	[ '{"id":5,"at":"2026-02-30T00:00:00Z"}', '22P02', 'field "at": value "2026-02-30T00:00:00Z" is not valid for type timestamp with time zone' ],
	[ '{"id":7,"at":"2024-02-29null30:80"}', '22P02', 'field "at": value "2024-02-29null30:80" is not valid for type timestamp with time zone' ],
	[ '{"id":6,"name":"nul \u0000 here"}', '22P05', undef ]);
my $bad = '[{"id": 1, "name": "one", "price": 1.5, "sold": true}, ' . join(', ', map { $_->[0] } @bad) . ', {"name": "no id"}]';
my $good = '[{"id": 11, "price": 2}]';
give('/items', $bad, $good);
sql(q{SELECT lyftron.create_pipeline('items', source => 'given.items', destination => 'raw.items')});
run('items');
is(sql('SELECT id, name, price, sold FROM raw.items ORDER BY id'), "1|one|1.5|t\n11||2|", 'records around those that do not fit are loaded');
is(job('items', 'state, rows_read, rows_written, rows_rejected'), 'succeeded|11|2|9', 'the job counts those read, written and rejected');
my @rejected = map { [ split /\|/, $_, 4 ] } split /\n/, sql(q{SELECT stream, sqlstate, reason, record FROM lyftron.rejected_records WHERE pipeline = 'items' ORDER BY id});
is(scalar @rejected, 9, 'each of the others is kept');
for my $i (0 .. $#bad)
{
	my ($record, $sqlstate, $reason) = @{ $bad[$i] };
	my $kept = $rejected[$i];
	is_deeply([ @$kept[ 0, 1, 3 ] ], [ 'items', $sqlstate, $record ], "kept with stream, SQLSTATE and text: $record");
	defined $reason ? is($kept->[2], $reason, 'and the reason') : like($kept->[2], qr/^field "name": /, 'and the field that is the reason');
}
is($rejected[8][1], '23502', 'a record without its key is kept');
like($rejected[8][2], qr/primary key column "id" is null/, 'with the reason');
like($rejected[8][3], qr/"no id"/, 'and the record');

sql(q{SELECT lyftron.create_pipeline('whole', source => 'whole.items', destination => 'raw.whole', nested => 'raw')});
run('whole');
is(job('whole', 'state'), 'succeeded', 'raw, with the record as it came: loaded');
is(sql(q{SELECT sqlstate, record FROM lyftron.rejected_records WHERE pipeline = 'whole' AND sqlstate <> '23502' ORDER BY id DESC LIMIT 1}), '22P05|{"id":6,"name":"nul \u0000 here"}',
	'what jsonb cannot hold is kept, too');

my $before = sql('SELECT md5(string_agg(i::text, chr(10) ORDER BY id)) FROM raw.items i');
sql(q{SELECT lyftron.alter_pipeline('items', on_reject => 'fail')});
my $failed = complaint(q{CALL lyftron.run('items')});
like($failed, qr/ERROR:  22P02: field "id": value "two" is not valid for type bigint/, 'on_reject fail: the first such record ends the run');
like($failed, qr/DETAIL:  The record: \{"id":"two","name":"x"\}/, 'and is shown');
is(job('items', 'state, sqlstate, error'), 'failed|22P02|field "id": value "two" is not valid for type bigint', 'the job says so');
is(sql('SELECT md5(string_agg(i::text, chr(10) ORDER BY id)) FROM raw.items i'), $before, 'nothing was loaded');
sql(q{SELECT lyftron.alter_pipeline('items', on_reject => 'keep', max_rejected => 8)});
like(complaint(q{CALL lyftron.run('items')}), qr/ERROR:  23502: more than 8 records of pipeline "items" were rejected/, 'one more than max_rejected fails the run');
is(job('items', 'state, sqlstate'), 'failed|23502', 'the job says so');
is(sql(q{SELECT count(*) FROM lyftron.rejected_records WHERE run = (SELECT max(id) FROM lyftron.jobs WHERE pipeline = 'items')}), '8', 'and those before it can be looked at');
is(sql('SELECT md5(string_agg(i::text, chr(10) ORDER BY id)) FROM raw.items i'), $before, 'nothing was loaded');
sql(q{SELECT lyftron.alter_pipeline('items', max_rejected => 9)});
run('items');
is(job('items', 'state, rows_rejected'), 'succeeded|9', 'as many as max_rejected do not');
sql(q{SELECT lyftron.create_pipeline('strict', source => 'given.items', destination => 'raw.strict', on_reject => 'fail')});
complaint(q{CALL lyftron.run('strict')});
is(sql(q{SELECT to_regclass('raw.strict') IS NULL}), 't', 'a first run that fails leaves no table');

# Doubles and versions

give('/items', '[{"id": 1, "name": "first"}, {"id": 2, "name": "two"}, {"id": 1, "name": "second"}]', '[{"id": 3}, {"id": 1, "name": "last"}]');
run('items');
is(sql('SELECT id, name FROM raw.items ORDER BY id'), "1|last\n2|two\n3|", 'a full refresh keeps the last of several records with one key');
is(job('items', 'rows_read, rows_written'), '5|3', 'the job counts what was read and what is left of it');

my $day = sub { my ($id, $name, $d, $tags) = @_; return qq({"id": $id, "name": "$name", "at": "2026-02-0${d}T00:00:00Z", "tags": [$tags]}) };
my $events = sub { return '[' . join(', ', @_) . ']' };
for my $case ([ 'inc', 'incremental', 'normalize' ], [ 'app', 'incremental_append', 'jsonb' ])
{
	my ($name, $mode, $nested) = @$case;
	sql("SELECT lyftron.create_pipeline('$name', source => 'given.events', destination => 'raw.$name', mode => '$mode', nested => '$nested')");
}
my $tags = q{SELECT e.id, string_agg(t.value, ',' ORDER BY t._lyftron_index) FROM raw.inc e LEFT JOIN raw.inc__tags t ON t._lyftron_parent_id = e._lyftron_id GROUP BY 1 ORDER BY 1};
my $first = $events->($day->(1, 'a', 1, '"x", "y", "z"'), $day->(2, 'b', 2, '"p"'), $day->(1, 'a2', 3, '"x", "y"'));
my $second = $events->($day->(1, 'a2', 3, '"x", "y"'), $day->(1, 'a3', 4, '"w"'), $day->(3, 'c', 4, ''));
give('/events', $first);
for my $name ('inc', 'app') { run($name); }
is(sql('SELECT id, name FROM raw.inc ORDER BY id'), "1|a2\n2|b", 'incremental: one row a key, the last version');
is(sql($tags), "1|x,y\n2|p", 'with the items of that version');
is(sql('SELECT id, name FROM raw.app ORDER BY at'), "1|a\n2|b\n1|a2", 'incremental_append: every version');
give('/events', $second);
my $kept = sql('SELECT _lyftron_run, _lyftron_loaded_at FROM raw.inc WHERE id = 2');
for my $name ('inc', 'app') { run($name); }
is(sql('SELECT id, name FROM raw.inc ORDER BY id'), "1|a3\n2|b\n3|c", 'incremental: a new version takes the place of the old one');
is(sql($tags), "1|w\n2|p\n3|", 'and its items that of the old ones');
is(sql('SELECT _lyftron_run, _lyftron_loaded_at FROM raw.inc WHERE id = 2'), $kept, 'a row that did not come again is not touched');
is(sql('SELECT id, name FROM raw.app ORDER BY at, id'), "1|a\n2|b\n1|a2\n1|a3\n3|c", 'incremental_append: the new version beside the old ones, and none twice');
is(job('inc', 'rows_read, rows_written'), '3|2', 'incremental: two rows written of three records');
is(job('app', 'rows_read, rows_written'), '3|2', 'incremental_append: two of three');
for my $name ('inc', 'app') { run($name); is(job($name, 'rows_written'), '0', "$name: the same again writes nothing"); }

# Queries

sql(q{
	CREATE TABLE public.fleet (carrier text, since int);
	INSERT INTO public.fleet VALUES ('UA', 1926), ('B6', 1998), ('ZZ', 2030);
	SELECT lyftron.create_pipeline('join', destination => 'raw.joined', primary_key => '{carrier}',
		source => 'SELECT carrier, f.since, a.name FROM public.fleet f LEFT JOIN nyc.airlines a USING (carrier)');
	SELECT lyftron.create_pipeline('agg', destination => 'raw.agg', primary_key => '{origin}',
		source => 'SELECT origin, count(*) AS hours, max(time_hour) AS last FROM nyc.weather GROUP BY origin; -- by airport');});
run('join');
is(sql('SELECT carrier, since, name FROM raw.joined ORDER BY 1'), "B6|1998|JetBlue Airways\nUA|1926|United Air Lines Inc.\nZZ|2030|", 'a query joins a stream and a table');
sql(q{UPDATE public.fleet SET carrier = 'AA' WHERE carrier = 'ZZ'});
run('join');
is(sql('SELECT carrier, name FROM raw.joined ORDER BY 1'), "AA|American Airlines Inc.\nB6|JetBlue Airways\nUA|United Air Lines Inc.", 'and again, as both are now');
run('agg');
same('SELECT origin, hours, last FROM raw.agg', 'SELECT origin, count(*), max(time_hour) FROM nyc.weather GROUP BY origin', 'a query that sums up');
like(complaint(q{SELECT lyftron.create_pipeline('bad', source => 'SELECT nonsense FROM nyc.airlines', destination => 'raw.bad')}),
	qr/ERROR:  42703: column "nonsense" does not exist/, 'a query that is wrong is refused when the pipeline is made');

# State

my $state = '{"at": "2026-02-04T00:00:00Z"}';
is(sql(q{SELECT lyftron.state_json('inc')}), $state, "the state is Airbyte's");
my $descriptor = '"stream_descriptor": {"name": "events"}';
my $set = '{"at": "2026-03-01T00:00:00Z"}';
my %form = (
	'a state object' => $set,
	'a stream state' => qq({$descriptor, "stream_state": $set}),
	'a state message' => qq({"type": "STREAM", "stream": {$descriptor, "stream_state": $set}}),
	'a list of state messages' => qq([{"type": "STREAM", "stream": {"stream_descriptor": {"name": "other"}, "stream_state": {"at": "x"}}},
		{"type": "STREAM", "stream": {$descriptor, "stream_state": $set}}]),
	'a message of the protocol' => qq({"type": "STATE", "state": {"type": "STREAM", "stream": {$descriptor, "stream_state": $set}}}),
	'a global state' => qq({"type": "GLOBAL", "global": {"shared_state": {}, "stream_states": [
		{"stream_descriptor": {"name": "other"}, "stream_state": {"at": "x"}}, {$descriptor, "stream_state": $set}]}}),
	'a legacy state' => qq({"type": "LEGACY", "data": {"other": {"at": "x"}, "events": $set}}));
for my $name (sort keys %form)
{
	sql(q{SELECT lyftron.set_state('inc', NULL)});
	is(sql(q{SELECT lyftron.state_json('inc') IS NULL}), 't', 'no state');
	sql("SELECT lyftron.set_state('inc', '$form{$name}')");
	is(sql(q{SELECT lyftron.state_json('inc')}), $set, "$name goes in, and out as the stream's state");
}
for my $wrong ('7', '[]', '[1, null]', '{"type": "STATE", "state": {"type": "STREAM", "stream": {"stream_descriptor": {"name": "other"}, "stream_state": {"at": "x"}}}}',
	'{"stream_descriptor": {"name": "other"}, "stream_state": {"at": "x"}}', '{"type": "LEGACY", "data": {"other": {"at": "x"}}}')
{
	like(complaint("SELECT lyftron.set_state('inc', '$wrong')"), qr/ERROR:  22023: this is no state of stream "events".*HINT:/s, "what holds no state of the stream is refused: $wrong");
}
is(sql(q{SELECT lyftron.state_json('inc')}), $set, 'and changes nothing');
run('inc');
like(last_query(), qr/since=2026-03-01T00%3A00%3A00Z/, 'a run goes on from the state that was set');
sql(q{SELECT lyftron.set_state('inc', lyftron.state_json('inc')); SELECT lyftron.set_state('inc', NULL)});
run('inc');
like(last_query(), qr/since=2026-01-01T00%3A00%3A00Z/, 'without one, from the start of the configuration');
sql(qq{SELECT lyftron.create_pipeline('moved', source => 'given.events', destination => 'raw.moved', mode => 'incremental');
	SELECT lyftron.set_state('moved', '$set')});
run('moved');
like(last_query(), qr/since=2026-03-01T00%3A00%3A00Z/, 'a state that is set before the first run counts');
sql('DROP TABLE raw.moved');
run('moved');
like(last_query(), qr/since=2026-01-01T00%3A00%3A00Z/, 'when the table is gone, the pipeline starts anew');
sql(qq{DROP TABLE raw.moved; SELECT lyftron.set_state('moved', '$set')});
run('moved');
like(last_query(), qr/since=2026-03-01T00%3A00%3A00Z/, 'unless a state is set after that');
sql(q{SELECT lyftron.set_state('moved', '{"at": "rubbish"}')});
like(complaint(q{CALL lyftron.run('moved')}), qr/ERROR:.*the state of cursor "at" cannot be read\nDETAIL:  The value is "rubbish".*HINT:/s, 'a state that is none is a clear error');

# Two at once

api_post($given, '/admin/hold?path=/events');
my $asked = requests('/events');
my $running = background_query($node, q{CALL lyftron.run('inc')});
ok(wait_until(60, sub { requests('/events') > $asked }), 'a run waits for its source');
is(job('inc', 'state'), 'running', 'the job is shown as running');
# a run that is queued waits for the one at work instead
for my $sql ($ENV{LYFTRON_DRIVER} ? () : q{CALL lyftron.run('inc')}, q{SELECT lyftron.set_state('inc', NULL)}, q{SELECT lyftron.drop_pipeline('inc')}, q{SELECT lyftron.alter_pipeline('inc', mode => 'full_refresh')})
{
	like(complaint($sql), qr/ERROR:  55P03: pipeline "inc" is being run by another session/, "meanwhile refused: $sql");
}
is(sql(q{SELECT count(*) FROM lyftron.jobs WHERE pipeline = 'inc' AND state = 'running'}), '1', 'only one run is shown');
api_post($given, '/admin/release');
$running->{run}->finish;
is(${ $running->{err} }, '', 'the first run comes to its end');
is(job('inc', 'state'), 'succeeded', 'and succeeds');
run('inc');
is(job('inc', 'state'), 'succeeded', 'then the pipeline can be run again');

# Cut off between checkpoints

sub page
{
	my ($number) = @_;
	return '[' . join(',', map { sprintf '{"id": %d, "name": "%s", "at": "2026-04-%02dT00:00:00Z"}', $number * 1000 + $_, 'x' x 1000, $number } 1 .. 100) . ']';
}
for my $case ([ '/events', 'given.events', 'incremental' ], [ '/events', 'given.events', 'incremental_append' ], [ '/items', 'given.items', 'full_refresh' ])
{
	my ($path, $from, $mode) = @$case;
	my $name = "cut_$mode";
	give($path, map { page($_) } 1 .. 4);
	sql("SELECT lyftron.create_pipeline('$name', source => '$from', destination => 'raw.$name', mode => '$mode')");
	my %count = map { $_ => requests("$path#$_") } 1 .. 4;
	my $new = sub { return join ' ', map { requests("$path#$_") - $count{$_} } 1 .. 4; };
	api_post($given, "/admin/hold?path=$path&page=3");
	my $loader = background_query($node, qq{SET lyftron.checkpoint_size = '64kB'; SET application_name = '$name'; CALL lyftron.run('$name')});
	ok(wait_until(60, sub { $new->() eq '1 1 1 0' }), "$mode: a run waits for its third page");
	is(sql("SELECT checkpoints, state FROM lyftron.jobs WHERE pipeline = '$name'"), '2|running', 'after two checkpoints');
	is(sql("SELECT count(*) FROM raw.$name"), $mode eq 'full_refresh' ? '0' : '200', $mode eq 'full_refresh' ? 'nobody sees rows before the end' : 'the rows of two pages are there');
	is(sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$name'"), 't', 'its session is terminated');
	$loader->{run}->finish;
	like(${ $loader->{err} }, qr/terminating connection due to administrator command/, 'and ends');
	is(job($name, 'state, error'), 'failed|the session that ran it ended', 'the job is shown as failed, with the reason');
	is(sql("SELECT bool_or(unfinished) FROM lyftron.states WHERE pipeline = '$name'"), 't', 'its state is shown as unfinished');
	api_post($given, '/admin/release');
	run($name);
	is($new->(), '1 1 2 1', 'the next run asks for the third page first, and for no page before it');
	is(sql("SELECT count(*), count(DISTINCT id) FROM raw.$name"), '400|400', 'all rows are there, once');
	is(job($name, 'state, rows_written'), 'succeeded|200', 'the second run wrote half of them') unless $mode eq 'full_refresh';
	is(sql("SELECT coalesce(bool_or(unfinished), false) FROM lyftron.states WHERE pipeline = '$name'"), 'f', 'nothing is unfinished any more');
	is(sql("SELECT lyftron.state_json('$name')"), $mode eq 'full_refresh' ? '' : '{"at": "2026-04-04T00:00:00Z"}', 'the state is that of a run that was not cut off');
	next if $mode eq 'full_refresh';
	run($name);
	is(job($name, 'rows_written'), '0', 'one more run writes nothing');
}
is(sql(q{SELECT count(*) FROM pg_class WHERE relname LIKE '\_lyftron%'}), '0', 'no hidden table is left behind');

# A full refresh without a key goes on where its partition is now, and begins anew where it is gone

sql(qq{CREATE SERVER shops FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'shops', config '{"base_url": "http://127.0.0.1:$given"}');
	IMPORT FOREIGN SCHEMA "default" LIMIT TO (sales) FROM SERVER shops INTO given});
for my $case ([ 'moved', '[{"id": 9}, {"id": 1}, {"id": 2}, {"id": 3}]', 600 ], [ 'gone', '[{"id": 1}, {"id": 3}]', 400 ])
{
	my ($what, $shops, $rows) = @$case;
	my $name = "sales_$what";
	give('/shops', '[{"id": 1}, {"id": 2}, {"id": 3}]');
	give("/shops/$_/sales", page(1), page(2)) for 1 .. 3;
	sql("SELECT lyftron.create_pipeline('$name', source => 'given.sales', destination => 'raw.$name')");
	my $before = requests('/shops/2/sales#2');
	api_post($given, '/admin/hold?path=/shops/2/sales&page=2');
	my $loader = background_query($node, qq{SET lyftron.checkpoint_size = '64kB'; SET application_name = '$name'; CALL lyftron.run('$name')});
	ok(wait_until(60, sub { requests('/shops/2/sales#2') > $before }), "$what: a run waits in its second partition");
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$name'");
	$loader->{run}->finish;
	give('/shops', $shops);
	api_post($given, '/admin/release');
	run($name);
	is(sql("SELECT count(*) FROM raw.$name"), $rows, 'no row is there twice');
	is(job($name, 'state, rows_written'), $what eq 'gone' ? "succeeded|$rows" : 'succeeded|300', 'the next run wrote what was due');
}

# Altered and dropped

give('/items', '[{"id": 1, "name": "one"}]');
sql(q{SELECT lyftron.create_pipeline('p', source => 'given.items', destination => 'raw.p')});
run('p');
sql(q{SELECT lyftron.alter_pipeline('p', destination => 'raw.p2', nested => 'raw', schedule => '0 4 * * *', max_rejected => 5)});
is(sql(q{SELECT destination, nested, schedule, max_rejected, mode, on_reject, primary_key, source, altered_at IS NOT NULL FROM lyftron.pipelines WHERE name = 'p'}),
	'raw.p2|raw|0 4 * * *|5|full_refresh|keep|{id}|given.items|t', 'alter_pipeline changes what is given, and only that');
run('p');
is(sql(q{SELECT record->>'name' FROM raw.p2}), 'one', 'the next run goes by it');
is(sql(q{SELECT name FROM raw.p}), 'one', 'the table of before stays');
sql(q{SELECT lyftron.alter_pipeline('p', schedule => '', max_rejected => -1)});
is(sql(q{SELECT schedule IS NULL, max_rejected IS NULL FROM lyftron.pipelines WHERE name = 'p'}), 't|t', 'an empty text and -1 take away');
like(complaint(q{SELECT lyftron.alter_pipeline('p', mode => 'upsert')}), qr/ERROR:  22023: .*HINT:.*full_refresh, incremental/s, 'an unknown mode is refused, with those there are');
like(complaint(q{SELECT lyftron.alter_pipeline('p', source => 'given.nothing')}), qr/ERROR:  42P01: relation "given.nothing" does not exist/, 'so is a source that is not there');
like(complaint(q{SELECT lyftron.alter_pipeline('p', destination => 'raw.items')}), qr/ERROR:  42710: table raw\.items is loaded by another pipeline/, "and another pipeline's table");
like(complaint(q{SELECT lyftron.alter_pipeline('q', mode => 'full_refresh')}), qr/ERROR:  42704: there is no pipeline "q"/, 'and a pipeline that is not there');
like(complaint(q{SELECT lyftron.create_pipeline('p', source => 'given.items', destination => 'raw.p3')}), qr/ERROR:  42710: pipeline "p" already exists/, 'a name is given once');
is(sql(q{SELECT destination FROM lyftron.pipelines WHERE name = 'p'}), 'raw.p2', 'none of this changed it');
sql(q{SELECT lyftron.drop_pipeline('p')});
is(sql(q{SELECT count(*) FROM lyftron.pipelines WHERE name = 'p'}), '0', 'drop_pipeline drops it');
is(sql('SELECT count(*) FROM raw.p2'), '1', 'its table stays');
is(sql(q{SELECT count(*) FROM lyftron.jobs WHERE pipeline = 'p'}), '2', 'so do its jobs');
like(complaint(q{SELECT lyftron.drop_pipeline('p')}), qr/ERROR:  42704: there is no pipeline "p"/, 'it cannot be dropped twice');
like(complaint(q{SELECT lyftron.drop_pipeline('p', if_exists => true)}), qr/NOTICE:.*pipeline "p" does not exist, skipping/, 'unless with if_exists');
sql(q{SELECT lyftron.drop_pipeline('inc')});
is(sql(q{SELECT count(*) FROM lyftron.states WHERE pipeline = 'inc'}), '0', 'the state goes with the pipeline');

# What a pipeline reads is dropped

sql('DROP FOREIGN TABLE nyc.airlines, given.items');
for my $case ([ 'items', 'given.items' ], [ 'join', 'nyc.airlines' ])
{
	my ($name, $gone) = @$case;
	like(complaint("CALL lyftron.run('$name')"), qr/ERROR:  42P01: relation "\Q$gone\E" does not exist/, "$name: its source is gone, the error names it");
	is(job($name, 'state, sqlstate, error'), qq(failed|42P01|relation "$gone" does not exist), 'and so does the job');
}
sql('DROP SERVER records CASCADE');
like(complaint(q{CALL lyftron.run('records_jsonb')}), qr/ERROR:  42P01: relation "records.records" does not exist/, 'its server is gone: the same');
is(job('records_jsonb', 'state, sqlstate'), 'failed|42P01', 'and so says the job');
is(sql('SELECT count(*) FROM raw.records_jsonb'), '3000', 'what was loaded stays');
sql('DROP USER MAPPING FOR CURRENT_USER SERVER nyc');
like(complaint(q{CALL lyftron.run('airports_jsonb')}), qr/ERROR: .*configuration property "token" .* is missing\nDETAIL:  Role "\w+" has no user mapping for server "nyc"/, 'its user mapping is gone: the error says so');
is(job('airports_jsonb', q{state, detail LIKE '%has no user mapping%'}), 'failed|t', 'and so does the job');

done_testing();
