
# Streams queried as tables: a query asks for no more requests than it needs and sees the rows
# it would see without that; EXPLAIN says what is asked; what is wrong is a clear error; and no
# secret shows anywhere, not even in a server log with everything in it.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $token = 'demo-token-4711';
my $secret = 'given-secret-9753';
my $wrong = 'wrong-token-0815';

my $node = new_node('main', "log_min_messages = debug5\nlog_statement = none\nlyftron.allowed_hosts = '127.0.0.1'\n");
my $port = start_flights_api();
connect_flights($node, $port);

my $given = start_server('given_api.py');
add_connector($node, 'given');
$node->safe_psql('postgres', qq{
	CREATE SERVER given FOREIGN DATA WRAPPER lyftron_rest
		OPTIONS (connector 'given', config '{"base_url": "http://127.0.0.1:$given"}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER given OPTIONS (secrets '{"token": "$secret"}');});

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# What psql prints as errors, warnings and notices.
sub complaint
{
	my ($sql) = @_;
	my $err;
	$node->psql('postgres', $sql, stderr => \$err);
	return $err;
}

sub log_of { my ($p) = @_; return decode_json(LyftronTest::http('GET', $p, '/admin/log')); }

# Result of a query, and how many requests the API got for it, by path.
sub watch
{
	my ($sql, $p) = @_;
	$p //= $port;
	my $before = log_of($p);
	my $result = sql($sql);
	my $after = log_of($p);
	my %new = map { $_ => $after->{$_} - ($before->{$_} // 0) } keys %$after;
	delete $new{$_} for grep { !$new{$_} } keys %new;
	return ($result, \%new);
}

# LIMIT

my ($result, $requests) = watch('SELECT count(*) FROM (SELECT id FROM nyc.flights LIMIT 3) f');
is($result, '3', 'LIMIT 3: three rows');
is_deeply($requests, { '/v1/flights' => 1 }, 'LIMIT 3: one request');
($result, $requests) = watch('SELECT count(*) FROM (SELECT id FROM nyc.flights LIMIT 1500) f');
is_deeply([ $result, $requests ], [ 1500, { '/v1/flights' => 2 } ], 'LIMIT 1500 with pages of 1000: two requests');
($result, $requests) = watch('SELECT count(*) FROM (SELECT id FROM nyc.flights LIMIT 0) f');
is_deeply([ $result, $requests ], [ 0, {} ], 'LIMIT 0: no request');
($result, $requests) = watch('SELECT EXISTS (SELECT FROM nyc.planes)');
is_deeply([ $result, $requests ], [ 't', { '/v1/planes' => 1 } ], 'EXISTS: one request');

# Import

my $notice = complaint(q{
	CREATE SCHEMA given;
	IMPORT FOREIGN SCHEMA "default" FROM SERVER given INTO given OPTIONS (record 'true');});
like($notice, qr/NOTICE:  stream "scripted" is skipped: component "CustomRetriever".*is not supported/, 'an unsupported stream is skipped with a NOTICE that says why');
like($notice, qr/It stands at streams\.scripted\.retriever/, 'and where that stands');
my $columns = q{SELECT string_agg(relname || '.' || attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY relname, attnum)
	FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid WHERE attnum > 0 AND relnamespace = '%s'::regnamespace};
my @typed = ('id bigint', 'name text', 'price numeric', 'sold boolean', 'at timestamp with time zone', 'tags jsonb');
is(sql(sprintf $columns, 'given'),
	join(', ', map { my $t = $_; map { "$t.$_" } '_record jsonb', @typed } 'events', 'items'),
	'the others are there, with _record first');
sql('CREATE SCHEMA one; IMPORT FOREIGN SCHEMA "default" LIMIT TO (items) FROM SERVER given INTO one');
is(sql(sprintf $columns, 'one'), join(', ', map { "items.$_" } @typed), 'LIMIT TO imports the one stream, without _record unless asked');
is(complaint('CREATE SCHEMA two; IMPORT FOREIGN SCHEMA "default" EXCEPT (items, scripted) FROM SERVER given INTO two'), '',
	'EXCEPT leaves out the unsupported stream without a NOTICE');
is(sql(sprintf $columns, 'two'), join(', ', map { "events.$_" } @typed), 'and the other one');

# Columns

api_post($given, '/admin/put?path=/items', q{[{"id": 1, "name": "one", "price": 1.5, "more": {"a": [1]}},
	{"id": 2, "name": "two", "price": "a lot", "sold": "perhaps"}]});
is(sql('SELECT id, name FROM one.items ORDER BY id'), "1|one\n2|two", 'a broken value in columns that are not asked for does no harm');
is(sql('SELECT count(*) FROM one.items'), '2', 'nor does it where no column is');
my $broken = complaint('SELECT price FROM one.items');
like($broken, qr/ERROR:  field "price": value "a lot" is not valid for type numeric/, 'where it is asked for, the error names field, value and type');
like($broken, qr/CONTEXT:  reading server "given", stream "items"/, 'and server and stream');
like(complaint('SELECT id FROM one.items WHERE sold'), qr/field "sold": value "perhaps" is not valid for type boolean/, 'a condition asks for its column, too');
is(sql(q{SELECT _record->'more'->'a', _record->>'price' FROM given.items ORDER BY id}), "[1]|1.5\n|a lot", '_record holds the whole record, as it came');

# Ranges of the cursor: fewer requests, the same rows.  A month is 29 pages.

sql(qq{
	CREATE SERVER march FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights',
		config '{"base_url": "http://127.0.0.1:$port", "start_date": "2013-03-01T00:00:00Z", "end_date": "2013-03-31T23:59:59Z"}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER march OPTIONS (secrets '{"token": "$token"}');
	CREATE SCHEMA march;
	IMPORT FOREIGN SCHEMA "default" LIMIT TO (flights) FROM SERVER march INTO march;
	CREATE FOREIGN TABLE march.plain (id bigint, time_hour timestamp) SERVER march OPTIONS (stream 'flights');
	CREATE FOREIGN TABLE march.days (id bigint, time_hour date) SERVER march OPTIONS (stream 'flights');
	CREATE FOREIGN TABLE march.renamed (number bigint OPTIONS (name 'id'), moment timestamptz OPTIONS (name 'time_hour'))
		SERVER march OPTIONS (stream 'flights');});

sub same_rows
{
	my ($claim, $table, $where, %how) = @_;
	my $key = $how{key} // 'id';
	my $set = "SET timezone = '" . ($how{zone} // 'UTC') . "';";
	my $query = "SELECT count(*), coalesce(sum($key), 0), min($key), max($key) FROM march.$table WHERE $where";
	my ($all, $all_requests) = watch("$set SET lyftron.pushdown = off; $query");
	my ($some, $some_requests) = watch("$set $query");
	is($some, $all, "$claim: the same rows as without pushdown");
	ok(($all =~ /^0\|/) == ($how{empty} // 0), "$claim: " . ($how{empty} ? 'none' : 'some')) or diag($all);
	cmp_ok($some_requests->{'/v1/flights'} // 0, '<', $all_requests->{'/v1/flights'}, "$claim: with fewer requests")
	  unless $how{all};
	return;
}

same_rows('a closed range', 'flights', q{time_hour >= '2013-03-10 12:00+00' AND time_hour <= '2013-03-10 16:00+00'});
same_rows('an open range', 'flights', q{time_hour > '2013-03-10 12:00+00' AND time_hour < '2013-03-10 16:00+00'});
same_rows('BETWEEN', 'flights', q{time_hour BETWEEN '2013-03-20' AND '2013-03-21'});
same_rows('equality', 'flights', q{time_hour = '2013-03-15 14:00+00'});
same_rows('a value on the left', 'flights', q{'2013-03-03 12:00+00' > time_hour});
same_rows('only a lower end', 'flights', q{time_hour >= '2013-03-30 12:00:00.5+00'});
same_rows('an offset', 'flights', q{time_hour < '2013-03-02 00:00+13'});
same_rows('literals in the zone of the session', 'flights', q{time_hour >= '2013-03-10' AND time_hour < '2013-03-11'}, zone => 'Asia/Tokyo');
same_rows('across a change of the clock', 'flights', q{time_hour >= '2013-03-09 20:00' AND time_hour < '2013-03-10 08:00'}, zone => 'America/New_York');
same_rows('dates', 'flights', q{time_hour >= date '2013-03-10' AND time_hour < date '2013-03-12'}, zone => 'America/Los_Angeles');
same_rows('timestamps without a zone', 'flights', q{time_hour > timestamp '2013-03-09 20:00' AND time_hour <= timestamp '2013-03-10 20:00'}, zone => 'Pacific/Kiritimati');
same_rows('other conditions beside it', 'flights', q{time_hour < '2013-03-04' AND carrier = 'UA' AND dep_delay > 30});
same_rows('a range that is empty', 'flights', q{time_hour > '2013-03-10' AND time_hour < '2013-03-09'}, empty => 1);
same_rows('a range before the first flight', 'flights', q{time_hour < '2012-01-01'}, empty => 1);
same_rows('a comparison with NULL', 'flights', q{time_hour > NULL::timestamptz}, empty => 1, all => 1);
same_rows('infinity', 'flights', q{time_hour > '-infinity' AND time_hour < 'infinity'}, all => 1);
same_rows('an OR, which is not pushed', 'flights', q{time_hour < '2013-03-02' OR time_hour > '2013-03-30'}, all => 1);
same_rows('IS NOT NULL, which is not pushed', 'flights', q{time_hour IS NOT NULL}, all => 1);
same_rows('a timestamp column', 'plain', q{time_hour >= '2013-03-10 05:00' AND time_hour < '2013-03-11 05:00'}, zone => 'Asia/Tokyo');
same_rows('a timestamp column and a value with a zone', 'plain', q{time_hour < timestamptz '2013-03-03 00:00+00'}, zone => 'Asia/Tokyo', all => 1);
same_rows('a date column', 'days', q{time_hour = '2013-03-10'}, zone => 'America/New_York');
same_rows('a date column and a timestamp', 'days', q{time_hour > timestamp '2013-03-28 12:00'});
same_rows('a column of another name', 'renamed', q{moment < '2013-03-03'}, key => 'number');
same_rows('a value from a subquery', 'flights', q{time_hour < (SELECT '2013-03-03'::timestamptz)});

# Partitions

for my $case ([ q{origin = 'JFK'}, 9 ], [ q{origin IN ('JFK', 'EWR')}, 18 ], [ q{'LGA' = origin}, 9 ],
	[ q{origin = 'JFK' AND origin IN ('EWR', 'JFK')}, 9 ], [ q{origin = 'BOS'}, 0 ], [ q{origin = NULL}, 0 ],
	[ q{origin = ANY ('{}')}, 0 ], [ q{origin = 'JFK' AND month = 2}, 9 ], [ q{origin <> 'JFK'}, 27 ], [ q{true}, 27 ])
{
	my ($where, $expected) = @$case;
	my $query = "SELECT origin, count(*), sum(hour), sum(temp) FROM nyc.weather WHERE $where GROUP BY origin ORDER BY origin";
	($result, $requests) = watch($query);
	is($requests->{'/v1/weather'} // 0, $expected, "WHERE $where: $expected requests");
	is($result, sql("SET lyftron.pushdown = off; $query"), "WHERE $where: the same rows as without pushdown");
}

# Joins that drive partitions

sub plane_requests { my ($r) = @_; return join ' ', map { m{^/v1/planes/(\w+)/flights$} ? $1 : () } sort keys %$r; }

my $flights_of = q{SELECT f.tailnum, count(*), sum(f.id) FROM %s JOIN nyc.plane_flights f USING (tailnum) GROUP BY 1 ORDER BY 1};
my $truth = sql(q{SELECT tailnum, count(*), sum(id) FROM nyc.flights WHERE tailnum IN ('N10156', 'N102UW', 'N14228') GROUP BY 1 ORDER BY 1});
my @truth = split /\n/, $truth;
is(scalar @truth, 3, 'three planes have flown');
($result, $requests) = watch(sprintf $flights_of, q{(VALUES ('N102UW'), ('N10156'), ('N14228')) p (tailnum)});
is($result, $truth, 'a list drives the planes: their flights');
is(plane_requests($requests), 'N10156 N102UW N14228', 'and only their flights are requested');
is($requests->{'/v1/planes'}, 4, 'the list of planes is read once, not once a plane');

sql(q{CREATE TABLE wanted (tailnum text); INSERT INTO wanted VALUES ('N14228'), ('N10156'), ('unknown'), (NULL); ANALYZE wanted});
($result, $requests) = watch(sprintf $flights_of, 'wanted');
is($result, "$truth[0]\n$truth[2]", 'a table drives the planes: their flights, none for a plane that there is not');
is(plane_requests($requests), 'N10156 N14228', 'and only theirs are requested');

($result, $requests) = watch(q{SELECT w.tailnum, (SELECT count(*) FROM nyc.plane_flights f WHERE f.tailnum = w.tailnum) FROM wanted w WHERE w.tailnum LIKE 'N10%'});
is_deeply([ $result, plane_requests($requests) ], [ $truth[0] =~ s/\|\d+$//r, 'N10156' ], 'a subquery for each row asks for that plane');

sql('ANALYZE nyc.planes');
($result, $requests) = watch(sprintf $flights_of, q{(SELECT tailnum FROM nyc.planes WHERE year = 1965) p});
my @old = map { /^(\w+)/ } split /\n/, $result;
is(plane_requests($requests), "@old", 'one stream drives another, once it is analyzed: planes of 1965');
isnt("@old", '', 'there are some');

# EXPLAIN

my $explain = sql(q{EXPLAIN (VERBOSE) SELECT * FROM nyc.flights
	WHERE time_hour >= '2013-05-01' AND carrier = 'UA' AND random() < 2 AND time_hour <> '2013-05-02' AND time_hour < clock_timestamp()});
like($explain, qr{^\s*Request: GET http://127\.0\.0\.1:$port/v1/flights$}m, 'EXPLAIN shows method and URL');
like($explain, qr/^\s*Pushed: \(flights\.time_hour >= '2013-05-01[^']*'::timestamp with time zone\)$/m, 'and what is pushed');
my ($local) = $explain =~ /^\s*Local: (.*)$/m;
like($local, qr/\(flights\.carrier = 'UA'::text\): neither the cursor nor a partition field/, 'and what is not, with the reason: another column');
like($local, qr/\(random\(\) < .*?\): not a comparison of a column with a value/, 'an expression');
like($local, qr/<> '2013-05-02[^:]*:\d\d:\d\d\+\d\d'::timestamp with time zone\): not a range of the cursor/, 'no range');
like($local, qr/clock_timestamp\(\)\): its value is volatile/, 'a volatile value');
unlike($explain, qr/Requests:/, 'and asks for nothing');
like(sql(q{EXPLAIN SELECT * FROM nyc.plane_flights WHERE tailnum = 'N102UW'}),
	qr{Request: GET http://127\.0\.0\.1:$port/v1/planes/\{tailnum\}/flights}, 'the URL of a partition is shown with the name of the field');
like(sql(q{SET lyftron.pushdown = off; EXPLAIN SELECT * FROM nyc.weather WHERE origin = 'JFK'}), qr/Local: .*: lyftron\.pushdown is off/, 'pushdown that is off is a reason, too');
(undef, $requests) = watch(q{EXPLAIN (VERBOSE) SELECT * FROM nyc.plane_flights JOIN nyc.planes USING (tailnum)});
is_deeply($requests, {}, 'EXPLAIN sends no request');

($explain, $requests) = watch(q{EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM nyc.flights WHERE time_hour < '2013-01-03'});
my ($asked) = $explain =~ /Requests: (\d+)/;
is($asked, $requests->{'/v1/flights'}, 'EXPLAIN ANALYZE shows as many requests as the API has seen');
like($explain, qr/Pages: $asked\n\s*Retries: 0\n\s*Received: [1-9]\d* bytes\n\s*Decoded: [1-9]\d* bytes\n\s*Network Time: \d+\.\d+ ms\n\s*Wait Time: \d+\.\d+ ms/,
	'and pages, retries, bytes and times');
my $plan = decode_json(sql(q{EXPLAIN (ANALYZE, FORMAT json, TIMING off) SELECT * FROM nyc.airlines}))->[0]{Plan};
is($plan->{Requests}, 1, 'as JSON, they are numbers');
ok(!exists $plan->{'Network Time'}, 'TIMING off leaves times out');
api_post($port, '/admin/record?fail=1');
($explain, $requests) = watch(q{EXPLAIN (ANALYZE) SELECT * FROM nyc.airlines});
like($explain, qr/Requests: 2\n\s*Pages: 1\n\s*Retries: 1\n/, 'a request that had to be repeated counts as two, and as a retry');
is($requests->{'/v1/airlines'}, 2, 'that is what the API has seen');

# Prepared statements

my $prepared = q{SET plan_cache_mode = force_generic_plan; SET timezone = 'UTC';
	PREPARE range (timestamptz, timestamptz) AS SELECT count(*), sum(id) FROM march.flights WHERE time_hour >= $1 AND time_hour < $2;
	PREPARE place (text[]) AS SELECT origin, count(*) FROM nyc.weather WHERE origin = ANY ($1) GROUP BY 1 ORDER BY 1;};
for my $day ('2013-03-05', '2013-03-17')
{
	my $next = $day =~ s/(\d+)$/$1 + 1/er;
	($result, $requests) = watch("$prepared EXECUTE range ('$day', '$next')");
	is($result, sql("SET timezone = 'UTC'; SET lyftron.pushdown = off; SELECT count(*), sum(id) FROM march.flights WHERE time_hour >= '$day' AND time_hour < '$next'"),
		"a generic plan with parameters: the flights of $day");
	cmp_ok($requests->{'/v1/flights'}, '<=', 4, 'with few requests');
}
is(sql("$prepared EXECUTE range ('2013-03-05', '2013-03-06'); EXECUTE range ('2013-03-17', '2013-03-18'); EXECUTE range ('2013-03-05', '2013-03-06')")
	=~ /^(.*)\n(.*)\n(.*)$/ && $1 eq $3 && $1 ne $2, 1, 'one plan serves values in turn');
like(sql("$prepared EXPLAIN (COSTS off) EXECUTE range ('2013-03-05', '2013-03-06')"), qr/Pushed: \(time_hour >= \$1\), \(time_hour < \$2\)/, 'what is pushed are its parameters');
($result, $requests) = watch("$prepared EXECUTE place ('{JFK}')");
like($result, qr/^JFK\|\d+$/, 'a list of partitions as parameter');
is($requests->{'/v1/weather'}, 9, 'asks for these');
(undef, $requests) = watch("$prepared EXECUTE range (NULL, '2013-03-06')");
is_deeply($requests, {}, 'a NULL as parameter needs no request');

# Roles

sql(qq{
	CREATE ROLE bob;
	CREATE ROLE carol;
	GRANT USAGE ON SCHEMA nyc TO bob, carol;
	GRANT SELECT ON ALL TABLES IN SCHEMA nyc TO carol, bob;
	GRANT USAGE ON FOREIGN SERVER nyc TO bob, carol;
	CREATE USER MAPPING FOR carol SERVER nyc OPTIONS (secrets '{"token": "$token"}');
	CREATE SCHEMA carol AUTHORIZATION carol;
	SET ROLE carol;
	CREATE VIEW carol.airlines AS SELECT * FROM nyc.airlines;
	GRANT USAGE ON SCHEMA carol TO bob;
	GRANT SELECT ON carol.airlines TO bob;});
is(sql('SET ROLE bob; SELECT count(*) FROM carol.airlines'), '16', "a view is read with its owner's user mapping");
($result, $requests) = (complaint('SET ROLE bob; SELECT * FROM nyc.airlines'), undef);
like($result, qr/ERROR:  configuration property "token" for connector "nycflights" is missing/, 'without a user mapping the table cannot be read');
like($result, qr/DETAIL:  Role "bob" has no user mapping for server "nyc"\./, 'the error says that there is none');
like($result, qr/HINT:  .*user mapping/, 'and what to do');
like(complaint(q{SET ROLE bob; SELECT * FROM lyftron.read('nyc', 'airlines')}), qr/Role "bob" has no user mapping for server "nyc"/, 'lyftron.read says the same');
like(sql('SET ROLE bob; EXPLAIN SELECT * FROM nyc.airlines'), qr/Request: GET/, 'EXPLAIN needs none');

sql(qq{CREATE USER MAPPING FOR bob SERVER nyc OPTIONS (secrets '{"token": "$wrong"}')});
my $refused = complaint('SET ROLE bob; SELECT * FROM nyc.airlines');
like($refused, qr{ERROR:  GET http://127\.0\.0\.1:$port/v1/airlines\S* failed with status 401}, 'a wrong token is an error that says what was asked and answered');
like($refused, qr/DETAIL:  The server says: no valid token/, "and the server's words");
like($refused, qr/HINT:  Check the secrets of the user mapping/, 'and points at the user mapping');
like($refused, qr/CONTEXT:  reading server "nyc", stream "airlines"/, 'of that server');
is(sql('SET ROLE bob; SELECT count(*) FROM carol.airlines'), '16', "the view still goes by its owner's mapping");
my $check = q{SELECT ok, stream, user_mapping, message FROM lyftron.check('nyc')};
is(sql($check), 't|airlines|postgres|connected, records can be read', 'lyftron.check: all is well');
like(sql("SET ROLE bob; $check"), qr/^f\|airlines\|bob\|GET .* failed with status 401\. The server says: no valid token\./, 'lyftron.check: a wrong token is a row that says whose mapping it is');
SKIP:
{
	skip 'security_invoker came with PostgreSQL 15', 2 if $node->pg_version < 15;
	sql('SET ROLE carol; ALTER VIEW carol.airlines SET (security_invoker = true)');
	like(complaint('SET ROLE bob; SELECT * FROM carol.airlines'), qr/failed with status 401/, "a view with security_invoker goes by the reader's mapping: refused");
	sql(qq{ALTER USER MAPPING FOR bob SERVER nyc OPTIONS (SET secrets '{"token": "$token"}')});
	is(sql('SET ROLE bob; SELECT count(*) FROM carol.airlines'), '16', 'and read with the right token');
}

# What is wrong

for my $case (
	[ q{SELECT * FROM lyftron.read('nyc', 'flghts')}, qr/connector "nycflights" has no stream "flghts"\nHINT:  It has: airlines, .*plane_flights\./, 'an unknown stream, read' ],
	[ q{SELECT * FROM lyftron.discover('nyc', 'flghts')}, qr/has no stream "flghts"\nHINT:  It has: airlines/, 'an unknown stream, discovered' ],
	[ q{CREATE FOREIGN TABLE no (id int) SERVER nyc OPTIONS (stream 'flghts'); SELECT * FROM no}, qr/has no stream "flghts"\nHINT:  It has: airlines.*foreign table "no"/s, 'an unknown stream, as a table' ],
	[ q{CREATE FOREIGN TABLE script (id int) SERVER given OPTIONS (stream 'scripted'); SELECT * FROM script}, qr/component "CustomRetriever".*is not supported\nDETAIL:  It stands at streams\.scripted\.retriever/, 'an unsupported stream' ],
	[ q{SELECT * FROM lyftron.streams('nope')}, qr/connector "nope" does not exist\nHINT:  Add it with lyftron\.add_connector/, 'an unknown connector' ],
	[ q{CREATE SERVER bad FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nope')}, qr/WARNING:  connector "nope" does not exist.*HINT:  Add it with/s, 'a server of an unknown connector' ],
	[ q{CREATE FOREIGN TABLE bad (id int) SERVER bad OPTIONS (stream 'x'); SELECT * FROM bad}, qr/ERROR:  connector "nope" does not exist\nHINT:  Add it with/, 'a table of such a server' ],
	[ q{CREATE SERVER s FOREIGN DATA WRAPPER lyftron_rest}, qr/option "connector" is required\nHINT:  The view lyftron\.connectors/, 'no connector' ],
	[ q{CREATE SERVER s FOREIGN DATA WRAPPER lyftron_rest OPTIONS (conector 'x')}, qr/invalid option "conector"\nHINT:  Valid options in this context are: connector, config/, 'an unknown option of a server' ],
	[ q{CREATE SERVER s FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights', config '{}')}, qr/configuration property "base_url" .* is missing\nHINT:  Expected: string/, 'a configuration that lacks something' ],
	[ q{CREATE SERVER s FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights', config '{"base_url": 1}')}, qr/property "base_url" .* has the wrong type\nHINT:  Expected: string/, 'one of another type' ],
	[ q{CREATE SERVER s FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights', config 'nonsense')}, qr/option "config" must be a JSON object\nHINT:/, 'one that is no JSON' ],
	[ q{CREATE SERVER s FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights', secrets '{}')}, qr/secrets are not kept in a server's options\n.*HINT:  Use CREATE USER MAPPING/s, 'secrets in the wrong place' ],
	[ q{ALTER USER MAPPING FOR CURRENT_USER SERVER march OPTIONS (ADD password 'x')}, qr/invalid option "password"\nHINT:  Valid options in this context are: secrets/, 'an unknown option of a user mapping' ],
	[ q{CREATE FOREIGN TABLE t (id int) SERVER nyc OPTIONS (strem 'x')}, qr/invalid option "strem"\nHINT:  Valid options in this context are: stream/, 'an unknown option of a table' ],
	[ q{CREATE FOREIGN TABLE t (id int OPTIONS (nme 'x')) SERVER nyc OPTIONS (stream 'flights')}, qr/invalid option "nme"\nHINT:  Valid options in this context are: name, path, partition/, 'an unknown option of a column' ],
	[ q{IMPORT FOREIGN SCHEMA "default" FROM SERVER nyc INTO raw OPTIONS (recrd 'true')}, qr/invalid option "recrd"\nHINT:  The valid option is: record/, 'an unknown option of an import' ],
	[ q{IMPORT FOREIGN SCHEMA other FROM SERVER nyc INTO raw}, qr/schema "other" does not exist at the source\nHINT:  All streams are in the schema "default"/, 'an unknown schema' ],
	[ q{SELECT * FROM lyftron.check('nope')}, qr/server "nope" does not exist/, 'an unknown server' ],
	[ q{INSERT INTO nyc.airlines VALUES ('ZZ', 'Nobody')}, qr/foreign table "airlines" is read-only\nDETAIL:  The streams of a REST source can be read, not written/, 'INSERT' ],
	[ q{UPDATE nyc.airlines SET name = 'x'}, qr/foreign table "airlines" is read-only/, 'UPDATE' ],
	[ q{DELETE FROM nyc.airlines}, qr/foreign table "airlines" is read-only/, 'DELETE' ],
	[ q{COPY nyc.airlines FROM PROGRAM 'true'}, qr/cannot insert into foreign table "airlines"/, 'COPY FROM' ])
{
	my ($sql, $expected, $claim) = @$case;
	like(complaint($sql), $expected, "$claim: a clear error");
}

# discover and read

is(sql(q{SELECT column_name, type, in_primary_key, is_cursor FROM lyftron.discover('nyc', 'airports')}),
	"faa|text|t|f\nname|text|f|f\nlocation|jsonb|f|f\ntimezone|jsonb|f|f", 'lyftron.discover: columns, types and key of a stream');
is(sql(q{SELECT string_agg(column_name, ',') FROM lyftron.discover('nyc') WHERE is_cursor}), 'time_hour', 'the cursor of the stream that has one');
is(sql(q{SELECT string_agg(DISTINCT stream_name, ',' ORDER BY stream_name) FROM lyftron.discover('nyc')}),
	'airlines,airports,flights,plane_flights,planes,weather', 'all streams');
like(sql(q{SELECT stream_name, note FROM lyftron.discover('given') WHERE column_name IS NULL}), qr/^scripted\|component "CustomRetriever"/, 'one that is unsupported has a note');

api_post($port, '/admin/publish?until=2013-03-15T12:00:00Z');
my $read = q{SELECT count(record), coalesce(sum((record->>'id')::int), 0), (array_agg(state) FILTER (WHERE state IS NOT NULL))[count(state)]
	FROM lyftron.read('march', 'flights'%s)};
my $ids = sub { my ($until) = @_; return sql(qq{SELECT count(*), sum(id) FROM march.flights WHERE time_hour <= '$until'}) };
my ($count, $sum, $state) = split /\|/, sql(sprintf $read, '');
is("$count|$sum", $ids->('2013-03-15 12:00+00'), 'lyftron.read: all records that there are');
is($state, '{"time_hour": "2013-03-15T12:00:00Z"}', 'and the state at the end');
api_post($port, '/admin/publish?until=9999');
(my $row, $requests) = watch(sprintf $read, ", '$state'");
my ($new_count, $new_sum, $new_state) = split /\|/, $row;
is("$new_count|$new_sum", sql(q{SELECT count(*), sum(id) FROM march.flights WHERE time_hour >= '2013-03-15 12:00+00'}),
	'read from that state: what is new, and the hour it stopped in');
cmp_ok($requests->{'/v1/flights'}, '<=', 17, 'not the whole month again');
my ($again) = split /\|/, sql(sprintf $read, ", '$new_state'");
is($again, sql(q{SELECT count(*) FROM march.flights WHERE time_hour >= (SELECT max(time_hour) FROM march.flights)}),
	'read from the last state: only the last hour');

# Secrets

api_post($given, '/admin/hold?path=/items');
my $arrived = log_of($given)->{'/items'};
my $held = background_query($node, 'SELECT count(*) FROM given.items');
ok(wait_until(60, sub { log_of($given)->{'/items'} > $arrived }), 'a query has sent its request');
ok(wait_until(60, sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FROM given.items%'
	AND pid <> pg_backend_pid() AND state = 'active' AND wait_event_type = 'Extension'}) }), 'and waits for the answer, as pg_stat_activity shows');
my @halves = map { my $s = $_; [ substr($s, 0, 8), substr($s, 8) ] } $token, $secret;
for my $half (@halves)
{
	is(sql("SELECT count(*) FROM pg_stat_activity a WHERE a::text LIKE '%$half->[0]' || '$half->[1]%'"), '0', 'no secret in pg_stat_activity meanwhile');
}
api_post($given, '/admin/release');
$held->{run}->finish;
is(${ $held->{out} }, "2\n", 'the query comes to its end');

my $shown = sql(q{
	EXPLAIN (VERBOSE, ANALYZE) SELECT * FROM given.events;
	EXPLAIN (VERBOSE, ANALYZE) SELECT * FROM nyc.airlines;
	SELECT * FROM lyftron.check('given');
	SELECT * FROM lyftron.discover('given');
	SELECT * FROM lyftron.connectors;});
unlike($shown . $refused . $broken, qr/$token|$secret|$wrong/, 'no secret in EXPLAIN VERBOSE, in errors, or in what the functions say');
unlike(sql('SET ROLE bob; SELECT umoptions FROM pg_user_mappings; SELECT * FROM pg_foreign_server'), qr/$secret/, "nor for another role in the catalogs");

api_post($given, '/admin/refuse?path=/items');
my $echo = complaint('SELECT * FROM given.items');
like($echo, qr/DETAIL:  The server says: no access with .*\*\*\*/, 'a secret that the server repeats is taken out of its words');
$echo .= sql(q{SELECT message FROM lyftron.check('given')});
like($echo, qr/status 403\. The server says: no access with .*\*\*\*/, 'in lyftron.check, too');
unlike($echo, qr/$secret/, 'it is nowhere in them');

my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
like($log, qr/DEBUG:/, 'the log has everything in it');
for my $text ($token, $secret, $wrong)
{
	my @lines = grep { /\Q$text\E/ } split /\n/, $log;
	is(scalar @lines, 0, 'except this secret') or diag(join "\n", @lines[ 0 .. ($#lines > 4 ? 4 : $#lines) ]);
}

done_testing();
