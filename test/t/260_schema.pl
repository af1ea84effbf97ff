
# A source that changes its shape 40 times, and a pipeline of each policy that loads it: after each step each destination is
# what a model of it in this file says, worked out from the source's rows and the changes alone, without the database.  All the
# while others read the tables and a view on one; none of them ever gets an error.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use LyftronTest;
use Test::More;

my $node = new_node('main', "timezone = UTC\n", '--encoding=UTF8', '--locale=C.UTF-8');
my $json = JSON::PP->new->canonical->allow_nonref;

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# --- the model ---

# the source: types by column, in their order; rows by id, values as texts
my @order = qw(id name price n flag day);
my %type = (id => 'int', name => 'varchar(10)', price => 'numeric(8,2)', n => 'int', flag => 'boolean', day => 'date');
my %original = %type;
my %rows = map { my $i = $_; $i => { id => $i, name => "n$i", price => sprintf('%.2f', $i * 1.25), n => 10 * $i, flag => $i % 2 ? 'true' : 'false', day => sprintf('2024-01-%02d', $i) } } 1 .. 6;

# a destination that evolves: which of its columns takes which of the source's, and its rows
my %evolved = (current => { map { $_ => $_ } @order }, rows => {});

# one that does not: the columns that it began with, their rows, how many are rejected
my %kept = (rows => {}, rejected => 0);

# does a text fit a type that the source began with, and as what?
sub fit
{
	my ($value, $type) = @_;
	return undef unless defined $value;
	return $value =~ /^-?\d+$/ && abs($value) < 2**31 ? $value + 0 : 'no' if $type eq 'int';
	return length $value <= 10 ? $value : 'no' if $type eq 'varchar(10)';
	return $value =~ /^-?\d+(\.\d+)?$/ && abs($value) < 1e6 ? sprintf('%.2f', $value + ($value < 0 ? -1e-9 : 1e-9)) : 'no' if $type eq 'numeric(8,2)';
	return $value =~ /^(true|1)$/ ? 'true' : $value =~ /^(false|0)$/ ? 'false' : 'no' if $type eq 'boolean';
	return $value =~ /^(\d{4}-\d\d-\d\d)/ ? $1 : 'no' if $type eq 'date';
	die "no such type: $type";
}

# what a run makes of both
sub model_run
{
	for my $id (keys %rows)
	{
		my $row = $rows{$id};
		my %kept_row = %{ $kept{rows}{$id} // { map { $_ => undef } keys %original } };
		my $fits = 1;
		for my $column (keys %type)
		{
			my $target = $evolved{current}{$column};
			$evolved{rows}{$id}{$target} = $row->{$column};
			next unless exists $original{$column};
			my $value = fit($row->{$column}, $original{$column});
			$fits = 0 if defined $value && $value eq 'no';
			$kept_row{$column} = $value;
		}
		if ($fits) { $kept{rows}{$id} = \%kept_row; }
		else { $kept{rejected}++; }
	}
	return;
}

# --- the changes, each in SQL and in the model ---

sub column { my ($name) = @_; return map { $rows{$_}{$name} } sort keys %rows; }

sub add
{
	my ($name, $type, $value) = @_;
	$type{$name} = $type;
	push @order, $name;
	$rows{$_}{$name} = $value for keys %rows;
	$evolved{current}{$name} = $name;
	return ("ALTER TABLE src ADD COLUMN $name $type" . (defined $value ? " DEFAULT '$value'; ALTER TABLE src ALTER COLUMN $name DROP DEFAULT" : ''), 'column_added');
}

sub remove
{
	my ($name) = @_;
	delete $type{$name};
	@order = grep { $_ ne $name } @order;
	delete $rows{$_}{$name} for keys %rows;
	return ("ALTER TABLE src DROP COLUMN $name", 'column_removed');
}

sub rename_column
{
	my ($old, $new) = @_;
	$type{$new} = delete $type{$old};
	@order = map { $_ eq $old ? $new : $_ } @order;
	$rows{$_}{$new} = delete $rows{$_}{$old} for keys %rows;
	$evolved{current}{$new} = $new;
	return ("ALTER TABLE src RENAME COLUMN $old TO $new", 'column_renamed');
}

# in place: what was loaded before is shown as the new type has it
sub widen
{
	my ($name, $type, %p) = @_;
	my $show = $p{show} // sub { $_[0] };
	$type{$name} = $type;
	for my $row (values %rows, values %{ $evolved{rows} })
	{
		my $at = $row == ($rows{ $row->{id} } // 0) ? $name : $evolved{current}{$name};
		$row->{$at} = $show->($row->{$at}) if defined $row->{$at};
	}
	return ("ALTER TABLE src ALTER COLUMN $name TYPE $type" . ($p{using} ? " USING $p{using}" : ''), 'type_widened');
}

# to another column: what was loaded before stays
sub another
{
	my ($name, $type, $version, %p) = @_;
	my $show = $p{show} // sub { $_[0] };
	$type{$name} = $type;
	defined $rows{$_}{$name} and $rows{$_}{$name} = $show->($rows{$_}{$name}) for keys %rows;
	$evolved{current}{$name} = "${name}__v$version";
	return ("ALTER TABLE src ALTER COLUMN $name TYPE $type" . ($p{using} ? " USING $p{using}" : ''), $p{kind} // 'type_changed');
}

# narrower, but the column takes its values as they are
sub taken
{
	my ($name, $type) = @_;
	$type{$name} = $type;
	return ("ALTER TABLE src ALTER COLUMN $name TYPE $type", 'type_narrowed');
}

sub update
{
	my ($id, %values) = @_;
	$rows{$id}{$_} = $values{$_} for keys %values;
	return ('UPDATE src SET ' . join(', ', map { "$_ = " . (defined $values{$_} ? "'$values{$_}'" : 'NULL') } sort keys %values) . " WHERE id = $id");
}

sub insert
{
	my ($id, %values) = @_;
	$rows{$id} = { map({ $_ => undef } keys %type), id => $id, %values };
	my @columns = sort keys %values;
	return ('INSERT INTO src (' . join(', ', 'id', @columns) . ') VALUES (' . join(', ', $id, map { defined $values{$_} ? "'$values{$_}'" : 'NULL' } @columns) . ')');
}

my @steps = (
	[ 'a new column' => sub { add('note', 'text', 'x') } ],
	[ 'a new row in it' => sub { insert(7, name => 'seven', note => 'y', n => 70) } ],
	[ 'a longer text' => sub { widen('name', 'varchar(20)') } ],
	[ 'longer names' => sub { update(1, name => 'one and a half') } ],
	[ 'a number of more digits' => sub { widen('price', 'numeric(10,2)') } ],
	[ 'a larger price' => sub { update(2, price => '12345678.90') } ],
	[ 'a number of more decimals' => sub { widen('price', 'numeric(12,3)', show => sub { sprintf '%.3f', $_[0] }) } ],
	[ 'an integer becomes larger' => sub { widen('n', 'bigint') } ],
	[ 'a large one' => sub { update(3, n => '5000000000') } ],
	[ 'a column goes' => sub { remove('flag') } ],
	[ 'rows without it' => sub { insert(8, name => 'eight', price => '8.000') } ],
	[ 'it comes again' => sub { add('flag', 'boolean', 'true') } ],
	[ 'a flag becomes a number' => sub { widen('flag', 'int', using => 'flag::int', show => sub { $_[0] =~ /^(true|1)$/ ? 1 : 0 }) } ],
	[ 'a column gets another name' => sub { rename_column('note', 'remark') } ],
	[ 'a day becomes a time' => sub { widen('day', 'timestamp', show => sub { length $_[0] == 10 ? "$_[0]T00:00:00" : $_[0] }) } ],
	[ 'at an hour' => sub { update(4, day => '2024-01-04T12:30:00') } ],
	[ 'a time gets a zone' => sub { widen('day', 'timestamptz', show => sub { $_[0] =~ /\+/ ? $_[0] : "$_[0]+00:00" }) } ],
	[ 'a number becomes a text' => sub { widen('n', 'text') } ],
	[ 'and one that is none' => sub { update(5, n => 'many') } ],
	[ 'a text becomes a number' => sub { another('n', 'bigint', 2, kind => 'type_narrowed', using => "nullif(n, 'many')::bigint", show => sub { $_[0] eq 'many' ? undef : $_[0] }) } ],
	[ 'which becomes larger' => sub { widen('n', 'numeric') } ],
	[ 'a fraction' => sub { update(5, n => '0.5') } ],
	[ 'a text of any length' => sub { widen('name', 'text') } ],
	[ 'a shorter one' => sub { taken('name', 'varchar(200)') } ],
	[ 'and of any length again' => sub { $type{name} = 'text'; ('ALTER TABLE src ALTER COLUMN name TYPE text', 'type_widened') } ],
	[ 'a time becomes a number' => sub { another('day', 'bigint', 2, using => 'extract(epoch FROM day)::bigint', show => \&epoch) } ],
	[ 'a column of JSON' => sub { add('extra', 'jsonb', '{"a": 1}') } ],
	[ 'which is a list' => sub { update(6, extra => '[1, 2]') } ],
	[ 'JSON becomes a number' => sub { another('extra', 'int', 2, kind => 'type_narrowed', using => "CASE WHEN jsonb_typeof(extra) = 'object' THEN (extra ->> 'a')::int END", show => sub { $_[0] =~ /a/ ? 1 : undef }) } ],
	[ 'two columns at once' => sub { my @a = add('one', 'int', 1); my @b = add('two', 'text', 'zwei'); ("$a[0]; $b[0]", 'column_added', 'column_added') } ],
	[ 'both go' => sub { my @a = remove('one'); my @b = remove('two'); ("$a[0]; $b[0]", 'column_removed', 'column_removed') } ],
	[ 'a uuid' => sub { add('key', 'uuid', '11111111-2222-3333-4444-555555555555') } ],
	[ 'it becomes a text' => sub { widen('key', 'text') } ],
	[ 'a view stands in the way', sub { 'CREATE VIEW v AS SELECT id, remark FROM t_evolve; CREATE VIEW w AS SELECT remark FROM t_freeze' } ],
	[ 'a text becomes JSON, which a view keeps from being widened' => sub { another('remark', 'jsonb', 2, kind => 'type_widened', using => 'to_jsonb(remark)', show => sub { $json->encode($_[0]) }) } ],
	[ 'values in it' => sub { update(7, remark => '{"b": [true]}') } ],
	[ 'a large number of small ones' => sub { join('; ', map { [ insert($_, name => "r$_", n => $_) ]->[0] } 20 .. 60) } ],
	[ 'a column of another case' => sub { add('"Mixed Case"', 'int', 5) } ],
	[ 'rows go, which the destination keeps' => sub { delete $rows{20}; ('DELETE FROM src WHERE id = 20') } ],
	[ 'a price of any size' => sub { widen('price', 'numeric') } ],
);
is(scalar @steps, 40, '40 steps');

sub epoch
{
	my ($text) = @_;
	my ($y, $m, $d, $h, $i, $s) = $text =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/;
	require Time::Local;
	return Time::Local::timegm($s, $i, $h, $d, $m - 1, $y);
}

# --- the database ---

# values of one kind look alike: numbers by their value, JSON by its, texts as they are
sub shown
{
	my ($value) = @_;
	return 'null' unless defined $value;
	return $value ? 'true' : 'false' if ref $value eq 'JSON::PP::Boolean';
	return $json->encode($value) if ref $value;
	return $value + 0 if $value =~ /^-?\d+(\.\d+)?$/;
	return $json->decode($value) if $value =~ /^"/;
	return $json->encode($json->decode($value)) if $value =~ /^[\[{]/;
	return $value;
}

sub rows_of
{
	my ($table) = @_;
	my %found;
	for my $line (split /\n/, sql("SELECT to_jsonb(t) FROM t_$table t"))
	{
		my $row = $json->decode($line);
		delete $row->{$_} for grep { /^_lyftron_/ } keys %$row;
		$found{ $row->{id} } = $row;
	}
	return \%found;
}

# the same rows; a column that the model says nothing of must be null
sub same_rows
{
	my ($table, $model, $claim) = @_;
	my $found = rows_of($table);
	my @wrong;
	push @wrong, "row $_ is " . (exists $found->{$_} ? 'not expected' : 'missing') for grep { !exists $model->{$_} || !exists $found->{$_} } keys %{ { %$model, %$found } };
	for my $id (grep { exists $model->{$_} } keys %$found)
	{
		my %columns = (%{ $found->{$id} }, map { s/^"|"$//gr => 1 } keys %{ $model->{$id} });
		for my $column (keys %columns)
		{
			my ($is, $should) = (shown($found->{$id}{$column}), shown($model->{$id}{$column} // $model->{$id}{"\"$column\""}));
			push @wrong, "row $id, column $column is $is, not $should" if $is ne $should;
		}
	}
	is(join("\n", sort @wrong), '', "$table: $claim");
	return;
}

sub run_pipeline { my ($name) = @_; return $node->psql('postgres', "CALL lyftron.run('$name')"); }

sql('CREATE TABLE src (id int PRIMARY KEY, name varchar(10), price numeric(8,2), n int, flag boolean, day date)');
sql('INSERT INTO src VALUES ' . join(', ', map { my $r = $_; '(' . join(', ', map { "'$r->{$_}'" } @order) . ')' } @rows{ sort keys %rows }));
for my $policy (qw(evolve freeze ignore alert))
{
	sql("SELECT lyftron.create_pipeline('$policy', source => 'src', destination => 't_$policy', mode => 'incremental', primary_key => '{id}', schema_policy => '$policy');
		CALL lyftron.run('$policy')");
}
model_run();
same_rows($_, $evolved{rows}, 'the beginning') for qw(evolve freeze);
same_rows($_, $kept{rows}, 'the beginning') for qw(ignore alert);

# who reads all the while, until told to stop
sql('CREATE TABLE stop (); CREATE VIEW always AS SELECT id FROM t_evolve');
sql(q{CREATE PROCEDURE read_on(what text) LANGUAGE plpgsql AS $$
	DECLARE reads int := 0; BEGIN
		WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'stopped') LOOP
			EXECUTE format('SELECT count(to_jsonb(t)) FROM %I t', what); reads := reads + 1; COMMIT;
		END LOOP;
		RAISE NOTICE 'reads: %', reads;
	END $$});
my @readers = map { background_query($node, "CALL read_on('$_')") } qw(t_evolve always t_ignore t_freeze);

my $number = 0;
for my $step (@steps)
{
	my ($claim, $change) = @$step;
	$number++;
	my ($sql, @kinds) = $change->();
	my $last = sql('SELECT coalesce(max(id), 0) FROM lyftron.schema_changes');
	sql($sql);
	my ($status, undef, $refused) = run_pipeline('freeze');
	if (@kinds)
	{
		isnt($status, 0, "$number. $claim: refused");
		like($refused, qr/source of pipeline "freeze" has changed.*@{[ join '.*', @kinds ]}/s, 'which says of what');
		sql("SELECT lyftron.accept_schema('freeze'); CALL lyftron.run('freeze')");
	}
	my ($ignored) = run_pipeline('ignore');
	my ($told, undef, $warned) = run_pipeline('alert');
	my ($evolves, undef, $error) = run_pipeline('evolve');
	is("$ignored $told $evolves $error", '0 0 0 ', "$number. $claim: the others run");
	is(sql("SELECT string_agg(kind, ' ' ORDER BY id) FROM lyftron.schema_changes WHERE pipeline = 'evolve' AND id > $last"), join(' ', @kinds), 'what changed is known');
	model_run();
	same_rows($_, $evolved{rows}, $claim) for qw(evolve freeze);
	same_rows($_, $kept{rows}, $claim) for qw(ignore alert);
}
is(sql("SELECT count(*) FROM lyftron.rejected_records WHERE pipeline = 'ignore'"), $kept{rejected}, 'what did not fit is in lyftron.rejected_records');
is(sql("SELECT count(*) FROM lyftron.rejected_records WHERE pipeline IN ('evolve', 'freeze')"), 0, 'of those that evolve nothing is');
is(sql("SELECT sum(values_left_out) > 0 FROM lyftron.run WHERE pipeline = 'ignore'"), 't', 'values without a column are counted');

sql('CREATE TABLE stopped ()');
for my $reader (@readers)
{
	$reader->{run}->finish;
	unlike(${ $reader->{err} }, qr/ERROR/, 'no reader got an error');
	like(${ $reader->{err} }, qr/reads: [1-9]/, 'and it read');
}

# --- who uses the table for long ---

sql('CREATE TABLE used (id int PRIMARY KEY); INSERT INTO used VALUES (1)');
sql("SELECT lyftron.create_pipeline('used', source => 'used', destination => 't_used'); CALL lyftron.run('used'); ALTER TABLE used ADD more int");
my $user = background_query($node, 'BEGIN; SELECT count(*) FROM t_used; SELECT pg_sleep(20)');
wait_until(30, sub { sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)' AND wait_event = 'PgSleep'") == 1 });
my ($status, undef, $gave_up) = $node->psql('postgres', "SET lyftron.schema_lock_timeout = '200ms'; \\set VERBOSITY verbose\nCALL lyftron.run('used')");
like($gave_up, qr/55P03.*lock timeout/s, 'a change does not wait for long, nor has others wait');
is(sql('SELECT count(*) FROM t_used'), 1, 'who reads goes on');
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)' AND pid <> pg_backend_pid()");
eval { $user->{run}->finish };
is((run_pipeline('used'))[0], 0, 'the next run does it');
is(sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 't_used'::regclass AND attname = 'more'"), 1, 'the column is there');

done_testing();
