
# A vault's load has several ways to the same rows: what a table has is read into memory, at once or after a while, or looked up in
# its index; rows go past the executor or by statements; the source is read again where it is not in the order of its times.
# The same batches by each way give the same vault.  Loads at the same time, cancelled ones and such that run out of room leave it right.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;

my $node = new_node('main', "timezone = UTC\nautovacuum = off\n", '--encoding=UTF8', '--locale=C.UTF-8');
my $keys = watched() ? 6_000 : 50_000;

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# three batches of a stage: of each key one version in three changes; some come twice, some late, some change there and back, some are
# older than all before, of some there are two of one time; rows are in no order
sub make_batch
{
	my ($day) = @_;
	my $from = $day * int($keys / 10);
	sql(qq{
		TRUNCATE stage;
		INSERT INTO stage SELECT g.id, 'region ' || (g.id + $day / 2) % 50, CASE WHEN (g.id * 7 + $day) % 3 = 0 THEN 'name ' || g.id || ' ' || $day ELSE 'name ' || g.id END,
			g.id * 1.5, timestamptz '2026-01-01' + $day * interval '1 day' + v.n * interval '1 hour' - CASE WHEN g.id % 97 = 5 THEN interval '30 hours' ELSE interval '0' END
			FROM generate_series($from, $from + $keys) g (id), LATERAL (SELECT generate_series(0, CASE WHEN g.id % 50 = 1 THEN 3 ELSE 0 END)) v (n)
			ORDER BY md5(g.id::text || v.n || $day);
		UPDATE stage SET name = name || ' ' || extract(hour FROM at) WHERE id % 50 = 1 AND extract(hour FROM at)::int % 2 = 1;
		INSERT INTO stage SELECT * FROM stage WHERE id % 11 = 0;
		INSERT INTO stage SELECT id, region, name || ' more', price, at FROM stage WHERE id % 60 = 7 AND id % 11 > 0;
		ANALYZE stage});
}

# a vault over the stage, made in one of the ways
sub make_vault
{
	my ($name, $hash) = @_;
	sql(qq{
		SELECT lyftron.create_vault('$name', '$name', '$hash');
		SELECT lyftron.create_hub('$name', 'hub_thing', 'stage', '{id}', load_date => 'at');
		SELECT lyftron.create_hub('$name', 'hub_region', 'stage', '{region}', load_date => 'at');
		SELECT lyftron.create_link('$name', 'link_in', 'stage', '{hub_thing, hub_region}', '{id, region}', load_date => 'at');
		SELECT lyftron.create_satellite('$name', 'sat_thing', 'hub_thing', 'stage', '{id}', '{name, price}', load_date => 'at');
		SELECT lyftron.create_satellite('$name', 'sat_in', 'link_in', 'stage', '{id, region}', '{price}', load_date => 'at')});
}

# the rows of a vault, with digests as hexadecimal text
sub contents
{
	my ($name) = @_;
	my $hex = sub { "CASE WHEN pg_typeof($_[0]) = 'text'::regtype THEN $_[0]::text ELSE substr($_[0]::text, 3) END" };
	return sql("SELECT md5(string_agg(r, '~' ORDER BY r)), count(*) FROM ("
		. "SELECT concat_ws(',', 'h', " . $hex->('thing_hk') . ", id, load_date, record_source) FROM $name.hub_thing "
		. "UNION ALL SELECT concat_ws(',', 'r', " . $hex->('region_hk') . ", region, load_date) FROM $name.hub_region "
		. "UNION ALL SELECT concat_ws(',', 'l', " . $hex->('in_hk') . ', ' . $hex->('thing_hk') . ', ' . $hex->('region_hk') . ", load_date) FROM $name.link_in "
		. "UNION ALL SELECT concat_ws(',', 's', " . $hex->('thing_hk') . ", load_date, load_seq, " . $hex->('hash_diff') . ", name, price) FROM $name.sat_thing "
		. "UNION ALL SELECT concat_ws(',', 'i', " . $hex->('in_hk') . ", load_date, load_seq, " . $hex->('hash_diff') . ", price) FROM $name.sat_in) x (r)");
}

sql('CREATE TABLE stage (id bigint, region text, name text, price numeric, at timestamptz)');
my %vaults = (
	memory => '{}',    # what tables have is in memory
	index => '{}',    # there is too little of it
	text => '{"type": "text"}',
	statement => '{}',    # checks on all tables
	jumble => '{}',    # rows of each key backwards in time
	workers => '{}',    # they make the hashes, and rows come as they have them
	numbered => '{}',    # there are workers to be had, but a default of the table that must not be computed beside them
);
make_vault($_, $vaults{$_}) for sort keys %vaults;
sql("ALTER TABLE statement.$_ ADD CHECK (load_date IS NOT NULL)") for qw(hub_thing hub_region link_in sat_thing sat_in);
sql('ALTER TABLE numbered.hub_thing ADD number serial');

my $parallel = 'SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET max_parallel_workers_per_gather = 3';
my %settings = (index => q{SET maintenance_work_mem = '1MB'}, workers => $parallel, numbered => $parallel);
sub settings { my ($name) = @_; return $settings{$name} // q{SET maintenance_work_mem = '512MB'}; }
for my $day (0 .. 2)
{
	make_batch($day);
	for my $name (sort keys %vaults)
	{
		if ($name eq 'jumble')
		{
			sql('CREATE TABLE IF NOT EXISTS forwards (LIKE stage); TRUNCATE forwards; INSERT INTO forwards SELECT * FROM stage; TRUNCATE stage; INSERT INTO stage SELECT * FROM forwards ORDER BY at DESC, id, length(name)');
		}
		sql(settings($name) . "; SELECT * FROM lyftron.load_vault('$name')");
		sql('TRUNCATE stage; INSERT INTO stage SELECT * FROM forwards') if $name eq 'jumble';
	}
	is(contents($_), contents('memory'), "day $day: by way of $_") for grep { $_ ne 'memory' } sort keys %vaults;
	my $before = contents('memory');
	for my $name (sort keys %vaults)
	{
		is(sql(settings($name) . "; SELECT sum(inserted) FROM lyftron.load_vault('$name')"), '0', "day $day: once more by way of $name changes nothing");
	}
	is(contents('memory'), $before, "day $day: nothing changed");
}
cmp_ok(sql('SELECT count(*) FROM memory.sat_thing'), '>', $keys * 1.5, 'there are versions');
is(sql('SELECT count(*), count(DISTINCT number) FROM numbered.hub_thing'), sql('SELECT count(*), count(*) FROM numbered.hub_thing'), 'a default of its own has each row');
cmp_ok(sql('SELECT count(*) FROM memory.sat_thing WHERE load_seq > 0'), '>', $keys / 100, 'some of one time');

# hashes are those that SQL has for them
is(sql(q{SELECT count(*) FROM memory.hub_thing h WHERE thing_hk <> lyftron.hash_key('{}', id) AND record_source NOT IN ('SYSTEM', 'ERROR')}), '0', 'keys are those of lyftron.hash_key');
is(sql(q{SELECT count(*) FROM memory.sat_thing WHERE hash_diff <> lyftron.hash_diff('{}', name, price) AND record_source NOT IN ('SYSTEM', 'ERROR')}), '0', 'differences are those of lyftron.hash_diff');

# workers read for the one, and not for the other: for them the plan of the query that makes the hashes says how many there were
sub plan_of
{
	my ($name) = @_;
	my ($code, $out, $err) = $node->psql('postgres', qq{LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
		SET auto_explain.log_analyze = on; SET client_min_messages = log; $parallel; SELECT * FROM lyftron.load_vault('$name')});
	return $err;
}
SKIP:
{
	skip 'this PostgreSQL came without auto_explain', 2 unless has_auto_explain();
	like(plan_of('workers'), qr/vault_hashes.*Workers Launched: [1-9]/s, 'workers make hashes');
	unlike(plan_of('numbered'), qr/Workers Launched/, 'a default is computed without them');
}

# who may read the columns, and not the table, loads it all the same
sql('CREATE ROLE narrow; GRANT SELECT (id, name, at) ON stage TO narrow; GRANT CREATE ON DATABASE postgres TO narrow');
is(sql(qq{SET ROLE narrow; $parallel;
	SELECT lyftron.create_vault('narrow', 'narrow');
	SELECT lyftron.create_hub('narrow', 'hub_thing', 'stage', '{id}', load_date => 'at');
	SELECT lyftron.create_satellite('narrow', 'sat_thing', 'hub_thing', 'stage', '{id}', '{name}', load_date => 'at');
	SELECT inserted FROM lyftron.load_vault('narrow') WHERE table_name = 'hub_thing'}) =~ s/\s//gr, $keys + 1, 'rights on columns are enough');

# rows of more than a page, more of them than a sort has room for, and half of them of one key: as where there is room
for my $way (qw(roomy narrowed))
{
	my $source = q{SELECT CASE WHEN n % 2 = 0 THEN 1 ELSE n % 40 END AS id, repeat(md5(n::text), 500) AS note, timestamptz '2026-01-01' + (n * 7 % 800) * interval '1 hour' AS at FROM generate_series(1, 800) n};
	sql(qq{SELECT lyftron.create_vault('$way', '$way');
		SELECT lyftron.create_hub('$way', 'hub_thing', \$\$$source\$\$, '{id}', load_date => 'at', record_source => \$\$'large'\$\$);
		SELECT lyftron.create_satellite('$way', 'sat_thing', 'hub_thing', \$\$$source\$\$, '{id}', '{note}', load_date => 'at', record_source => \$\$'large'\$\$)});
	my $settings = $way eq 'narrowed' ? $settings{index} : settings($way);
	my ($code, $out, $err) = $node->psql('postgres', "$settings; SET temp_file_limit = '4MB'; SELECT * FROM lyftron.load_vault('$way')");
	$way eq 'narrowed' ? like($err, qr/temporary file size exceeds/, 'large rows go to files') : is($err, '', 'or stay in memory');
	sql("$settings; SELECT * FROM lyftron.load_vault('$way')");
}
is(sql('SELECT count(*) FROM narrowed.sat_thing WHERE length(note) = 16000'), '800', 'large rows are all there');
is(sql('SELECT count(*) FROM narrowed.sat_thing n JOIN roomy.sat_thing r USING (thing_hk, load_date, load_seq, hash_diff, note)'), sql('SELECT count(*) FROM roomy.sat_thing WHERE note IS NOT NULL'), 'and those of a load that has room');

# cancelled, or out of room: nothing of it is there, and the next load does it
make_vault('broken', '{}');
my ($code, $out, $err) = $node->psql('postgres', q{SET statement_timeout = 5; SELECT * FROM lyftron.load_vault('broken')});
like($err, qr/canceling statement due to statement timeout/, 'a load is cancelled');
unless (watched())    # there are too few rows for temporary files
{
	($code, $out, $err) = $node->psql('postgres', q{SET temp_file_limit = '64kB'; SET maintenance_work_mem = '1MB'; SELECT * FROM lyftron.load_vault('broken')});
	like($err, qr/temporary file size exceeds/, 'a load has no room for its sorts');
}
is(sql('SELECT (SELECT count(*) FROM broken.hub_thing) + (SELECT count(*) FROM broken.sat_thing)'), '4', 'nothing of them is there but ghosts');
is(sql(q{SELECT count(*) FROM lyftron.vault_loads WHERE vault = 'broken'}), '0', 'nor in the log');
sql(q{SELECT * FROM lyftron.load_vault('broken')});
is(sql('SELECT count(*) FROM broken.hub_thing'), $keys + 3, 'the next load does it');

# others see how far a load is: one that reads slowly, and one that waits for a key that another session has
sub progress { return sql('SELECT concat_ws(\' \', vault, source, phase, rows_read, tables, tables_done, table_name, candidates, inserted) FROM lyftron.vault_progress'); }
sql(q{
	SELECT lyftron.create_vault('slow', 'slow');
	SELECT lyftron.create_hub('slow', 'hub_thing', $$SELECT g AS id, timestamptz '2026-01-01' AS at, pg_sleep(CASE WHEN g > 3000 THEN 0.2 ELSE 0 END) FROM generate_series(1, 5000) g$$, '{id}', load_date => 'at', record_source => quote_literal('slow'));
	CREATE TABLE waits AS SELECT g AS id, 'n' AS name, timestamptz '2026-01-01' AS at FROM generate_series(1, 3500) g;
	SELECT lyftron.create_hub('slow', 'hub_thing', 'waits', '{id}', load_date => 'at');
	SELECT lyftron.create_satellite('slow', 'sat_thing', 'hub_thing', 'waits', '{id}', '{name}', load_date => 'at')});
is(progress(), '', 'no load is at work');
my $reads = background_query($node, q{SELECT * FROM lyftron.load_vault('slow', (SELECT source FROM lyftron.vault_lineage WHERE vault = 'slow' AND source LIKE '%sleep%' LIMIT 1))});
wait_until(60, sub { return progress() =~ /reading 3000/; });
like(progress(), qr/^slow .*pg_sleep.* reading 3000 1 0$/, 'a load that reads');
is(sql('SET ROLE narrow; SELECT count(*) FROM lyftron.vault_progress'), '0', 'which others do not see');
sql(q{SELECT pg_cancel_backend(pid) FROM lyftron.vault_progress});
$reads->{run}->finish;
like(${ $reads->{err} }, qr/canceling statement due to user request/, 'it is cancelled');
is(progress(), '', 'and seen no more');
my $has = background_query($node, q{BEGIN; INSERT INTO slow.hub_thing SELECT lyftron.hash_key('{}', 17), 17, now(), 'me'; SELECT pg_sleep(600)});
wait_until(60, sub { return sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600%'}) eq '1'; });
my $waits = background_query($node, q{SELECT * FROM lyftron.load_vault('slow', 'waits')});
wait_until(60, sub { return progress() =~ /writing/ && sql(q{SELECT count(*) FROM pg_locks l JOIN lyftron.vault_progress p USING (pid) WHERE NOT l.granted}) eq '1'; });
like(progress(), qr/^slow public\.waits writing 3500 2 0 hub_thing 3500 \d+$/, 'a load that writes');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600%'});
$_->{run}->finish for $has, $waits;
is(${ $waits->{err} }, '', 'which goes on');
is(sql('SELECT count(*) FROM slow.hub_thing') - 2, 3500, 'with the key that was taken back');

# many at the same time, each with a source of its own, whose keys overlap: each key is there once, and nobody fails
sql(q{SELECT lyftron.create_vault('many', 'many')});
for my $i (1 .. 6)
{
	my $step = int($keys / 10);
	sql(qq{
		CREATE TABLE source_$i AS SELECT g AS id, 'source $i' AS name, timestamptz '2026-01-01' AS at FROM generate_series($i * $step, ($i + 4) * $step) g ORDER BY md5(g::text || $i);
		SELECT lyftron.create_hub('many', 'hub_thing', 'source_$i', '{id}', load_date => 'at');
		SELECT lyftron.create_satellite('many', 'sat_$i', 'hub_thing', 'source_$i', '{id}', '{name}', load_date => 'at');
		SELECT lyftron.create_satellite('many', 'sat_all', 'hub_thing', 'source_$i', '{id}', '{name}', load_date => 'at')});
}
my @loads = map { background_query($node, qq{SELECT * FROM lyftron.load_vault('many', 'source_$_')}) } 1 .. 6;
$_->{run}->finish for @loads;
is(join('', map { ${ $_->{err} } } @loads), '', 'nobody fails');
my $step = int($keys / 10);
is(sql('SELECT count(*), count(DISTINCT id) FROM many.hub_thing WHERE id > 0'), join('|', (9 * $step + 1) x 2), 'each key is there once');
is(sql(q{SELECT count(*) FROM many.sat_all s WHERE NOT EXISTS (SELECT FROM many.hub_thing h WHERE h.thing_hk = s.thing_hk)}), '0', 'no satellite without its hub');
is(sql('SELECT count(*) FROM many.sat_all') - 2, 6 * (4 * $step + 1), 'each source has its version in the satellite of all');
is(sql(q{SELECT sum(inserted) FROM lyftron.load_vault('many', tables => '{hub_thing}')}), '0', 'nothing is missing');

# foreign tables are sources like any: a REST API, live; and the stage that a pipeline loads from it, of which loads read what is new
my $port = start_flights_api();
connect_flights($node, $port);
sql(q{
	SELECT lyftron.create_vault('air', 'air');
	SELECT lyftron.create_hub('air', 'hub_airline', 'nyc.airlines', '{carrier}', load_date => $$'2013-01-01'$$);
	SELECT lyftron.create_satellite('air', 'sat_airline', 'hub_airline', 'nyc.airlines', '{carrier}', '{name}', load_date => $$'2013-01-01'$$)});
is(sql(q{SELECT string_agg(inserted::text, ',') FROM lyftron.load_vault('air')}), '16,16', 'a live stream is a source');
sql(q{
	SELECT lyftron.create_pipeline('airports', source => 'nyc.airports', destination => 'raw.airports');
	CALL lyftron.run('airports');
	SELECT lyftron.create_hub('air', 'hub_airport', 'raw.airports', '{faa}');
	SELECT lyftron.create_satellite('air', 'sat_airport', 'hub_airport', 'raw.airports', '{faa}');
	SELECT lyftron.create_vault_pipelines('air')});
my $airports = sql('SELECT count(*) FROM raw.airports');
sql(q{CALL lyftron.run('air.airports')});
is(sql('SELECT count(*) FROM air.sat_airport') - 2, $airports, 'a stage that a pipeline loads is one, and its vault a step behind it');
is(sql(q{SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'air.sat_airport'::regclass AND attname LIKE '\_lyftron%'}), '', 'columns of the pipeline are not described');
is(sql(q{SELECT server || ' ' || stream FROM lyftron.vault_lineage WHERE table_name = 'hub_airport' AND role = 'business_key'}), 'nyc airports', 'its lineage goes back to the stream');

done_testing();
