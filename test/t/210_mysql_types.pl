
# Types of lyftron_mysql: every type of MariaDB and MySQL with its extremes, as an import declares it and as others may; what
# does not fit is an error that names the column.  Imports of nasty names, keys, defaults and comments; samples for ANALYZE.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronMysql;
use LyftronMysql9;
use LyftronTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', "timezone = 'Asia/Tokyo'\nshared_buffers = 32MB\n", '--encoding=UTF8');

sub pg
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# what a statement raises, with SQLSTATE and hint
sub pg_error
{
	my ($sql) = @_;
	my ($out, $err);
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $err;
}

# what an import tells
sub notices
{
	my ($sql) = @_;
	my ($out, $err);
	$node->psql('postgres', $sql, stdout => \$out, stderr => \$err) == 0 or die $err;
	return $err;
}

my $nines = '9' x 35 . '.' . '9' x 30;
my $binary_64 = '1' x 64;
my $point = '\x0101000000000000000000f83f00000000000004c0';

# name, type there, type here, and pairs: the value as the server reads it, as PostgreSQL shows it
my @types = (
	[ ti => 'tinyint', 'smallint', -128 => '-128', 127 => '127' ],
	[ tiu => 'tinyint unsigned', 'smallint', 0 => '0', 255 => '255' ],
	[ tib => 'tinyint(1)', 'boolean', 0 => 'false', 1 => 'true' ],
	[ si => 'smallint', 'smallint', -32768 => '-32768', 32767 => '32767' ],
	[ siu => 'smallint unsigned', 'integer', 65535 => '65535' ],
	[ mi => 'mediumint', 'integer', -8388608 => '-8388608', 8388607 => '8388607' ],
	[ miu => 'mediumint unsigned', 'integer', 16777215 => '16777215' ],
	[ i => 'int', 'integer', -2147483648 => '-2147483648', 2147483647 => '2147483647' ],
	[ iu => 'int unsigned', 'bigint', 4294967295 => '4294967295' ],
	[ iz => 'int(8) unsigned zerofill', 'bigint', 42 => '42' ],
	[ bi => 'bigint', 'bigint', '-9223372036854775808' => '-9223372036854775808', '9223372036854775807' => '9223372036854775807' ],
	[ biu => 'bigint unsigned', 'numeric(20,0)', '18446744073709551615' => '18446744073709551615', 0 => '0' ],
	[ de => 'decimal(65,30)', 'numeric(65,30)', $nines => $nines, "-$nines" => "-$nines", '1e-30' => '0.' . '0' x 29 . '1' ],
	[ de0 => 'decimal', 'numeric(10,0)', 9999999999 => '9999999999', -1 => '-1' ],
	[ dez => 'decimal(10,2) unsigned zerofill', 'numeric(10,2)', '1.5' => '1.50', 10000 => '10000.00' ],
	[ f => 'float', 'real', 16777216 => '1.6777216e+07', '-3.4028234e38' => '-3.4028235e+38', '1.17549435e-38' => '1.1754944e-38', '0.1' => '0.1' ],
	[ f2 => 'float(7,3)', 'real', '9999.999' => '9999.999' ],
	[ d => 'double', 'double precision', '1.7976931348623157e308' => '1.7976931348623157e+308', '-2.2250738585072014e-308' => '-2.2250738585072014e-308',
		'0.1' => '0.1', '123456789.12345679' => '123456789.12345679' ],
	[ d2 => 'double(10,2)', 'double precision', '99999999.99' => '99999999.99' ],
	[ b1 => 'bit', 'bit(1)', "b'1'" => '1', "b'0'" => '0' ],
	[ b10 => 'bit(10)', 'bit(10)', "b'1000000001'" => '1000000001' ],
	[ b64 => 'bit(64)', 'bit(64)', "b'$binary_64'" => $binary_64 ],
	[ y => 'year', 'smallint', 0 => '0', 1901 => '1901', 2155 => '2155' ],
	[ da => 'date', 'date', "'1000-01-01'" => '1000-01-01', "'9999-12-31'" => '9999-12-31', "'0001-01-01'" => '0001-01-01', "'2024-02-29'" => '2024-02-29' ],
	[ t0 => 'time', 'interval(0)', "'-838:59:59'" => '-838:59:59', "'838:59:59'" => '838:59:59', "'00:00:00'" => '00:00:00' ],
	[ t6 => 'time(6)', 'interval(6)', "'-00:00:00.000001'" => '-00:00:00.000001', "'101:02:03.5'" => '101:02:03.5' ],
	[ dt => 'datetime', 'timestamp(0) without time zone', "'1000-01-01 00:00:00'" => '1000-01-01 00:00:00', "'9999-12-31 23:59:59'" => '9999-12-31 23:59:59' ],
	[ dt6 => 'datetime(6)', 'timestamp(6) without time zone', "'2026-06-30 12:34:56.789012'" => '2026-06-30 12:34:56.789012' ],
	[ ts => 'timestamp null', 'timestamp(0) with time zone', "'1970-01-01 00:00:01'" => '1970-01-01 09:00:01+09', "'2038-01-19 03:14:07'" => '2038-01-19 12:14:07+09' ],
	[ ts6 => 'timestamp(6) null', 'timestamp(6) with time zone', "'2026-06-30 12:34:56.789012'" => '2026-06-30 21:34:56.789012+09' ],
	[ c => 'char(10)', 'character varying(10)', "'ab'" => 'ab', "''" => '', "repeat('😀', 10)" => '😀' x 10 ],
	[ vc => 'varchar(200)', 'character varying(200)', q{'it''s \\\\ "x" 😀'} => q{it's \\ "x" 😀}, "' a '" => ' a ', "''" => '' ],
	[ vb => 'varchar(10000)', 'character varying(10000)', "repeat('é', 10000)" => 'é' x 10000 ],
	[ vl => 'varchar(20) character set latin1', 'character varying(20)', "'é€'" => 'é€' ],
	[ tt => 'tinytext', 'text', "'tiny'" => 'tiny' ],
	[ tx => 'text', 'text', "repeat('a', 126)" => 'a' x 126, "repeat('a', 127)" => 'a' x 127 ],
	[ mt => 'mediumtext', 'text', "repeat('m', 100000)" => 'm' x 100000 ],
	[ lt => 'longtext', 'text', "repeat('日', 70000)" => '日' x 70000 ],
	[ bn => 'binary(4)', 'bytea', "x'00010203'" => '\x00010203', "x'ff'" => '\xff000000' ],
	[ vbn => 'varbinary(9)', 'bytea', "x'fffe00'" => '\xfffe00', "''" => '\x' ],
	[ tb => 'tinyblob', 'bytea', "x'00'" => '\x00' ],
	[ bl => 'blob', 'bytea', "repeat(x'ff', 60000)" => '\x' . 'ff' x 60000 ],
	[ mb => 'mediumblob', 'bytea', "repeat(x'00', 100000)" => '\x' . '00' x 100000 ],
	[ lb => 'longblob', 'bytea', "x'27275c'" => '\x27275c' ],
	[ en => "enum('a', 'it''s', '', 'x,y (z)')", 'text', "'it''s'" => q{it's}, "''" => '', "'x,y (z)'" => 'x,y (z)' ],
	[ st => "set('a', 'it''s', 'b c')", 'text[]', "'a,it''s,b c'" => q{{a,it's,"b c"}}, "''" => '{}' ],
	[ js => 'json', 'jsonb', q{'{"a": [1, 2.5, null, "😀"]}'} => q{{"a": [1, 2.5, null, "😀"]}}, "'null'" => 'null' ],
	[ g => 'geometry', 'bytea', "st_geomfromtext('POINT(1.5 -2.5)')" => $point ],
	[ p => 'point', 'bytea', "st_geomfromtext('POINT(1.5 -2.5)')" => $point ],
	[ ls => 'linestring', 'bytea', "st_geomfromtext('LINESTRING(0 0,1 1)')" => '\x0102000000020000000000000000000000' . '00' x 8 . '000000000000f03f' x 2 ]);

my @mariadb_types = (
	[ u => 'uuid', 'uuid', "'6ccd780c-baba-1026-9564-5b8c656024db'" => '6ccd780c-baba-1026-9564-5b8c656024db' ],
	[ i4 => 'inet4', 'inet', "'255.255.255.255'" => '255.255.255.255/32' ],
	[ i6 => 'inet6', 'inet', "'::ffff:1.2.3.4'" => '::ffff:1.2.3.4/128', "'2001:db8::1'" => '2001:db8::1/128' ]);

my @mysql_types = (
	[ v => 'vector(3)', 'bytea', "string_to_vector('[1,2.5,-3]')" => '\x0000803f00002040000040c0' ],
	[ gs => 'point srid 4326', 'bytea', "st_geomfromtext('POINT(-2.5 1.5)', 4326)" => $point ]);

# how many rows it takes to have all values
sub longest
{
	my $rows = 0;
	for (@_) { $rows = ($#$_ - 2) / 2 if ($#$_ - 2) / 2 > $rows }
	return $rows;
}

# the first row is NULL, then each column has its values, one a row, and the last one again
sub make_types
{
	my ($mysql, $table, @columns) = @_;
	my $rows = longest(@columns);
	my $sql = "SET sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'; CREATE TABLE $table (id int PRIMARY KEY, "
	  . join(', ', map { "$_->[0] $_->[1]" } @columns) . "); INSERT INTO $table (id) VALUES (0);";
	for my $row (1 .. $rows)
	{
		my @values = map { $_->[ 1 + 2 * ($row <= ($#$_ - 2) / 2 ? $row : ($#$_ - 2) / 2) ] } @columns;
		$sql .= "INSERT INTO $table VALUES (" . join(', ', $row, @values) . ');';
	}
	$mysql->sql($sql);
	return;
}

# each column of the foreign table has the type and the values
sub check_types
{
	my ($server, $table, @columns) = @_;
	my $rows = longest(@columns);
	my %declared = map { split /\|/, $_, 2 } split /\n/, pg(qq{
		SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = '$table'::regclass AND attnum > 0});
	for my $column (@columns)
	{
		my ($name, $remote, $type, @values) = @$column;
		my @shown = ('(null)', map { $values[ 1 + 2 * ($_ < @values / 2 ? $_ : @values / 2 - 1) ] } 0 .. $rows - 1);
		is($declared{$name}, $type, "$server: $remote is $type");
		is(pg("SELECT string_agg(coalesce(\"$name\"::text, '(null)'), '|' ORDER BY id) FROM $table"), join('|', @shown),
			"$server: values of $remote");
	}
	return;
}

# what tells two values of a column apart at the server
sub differ
{
	my ($name, $type) = @_;
	return "NOT (cast(t.$name AS char) <=> cast(w.$name AS char))" if $type eq 'jsonb';
	return "NOT (hex(t.$name) <=> hex(w.$name))" if $type =~ /text|character|bytea/;
	return "NOT (t.$name <=> w.$name)";
}

# the values that were read are written, and are the same there
sub check_written
{
	my ($mysql, $server, $fdw, @columns) = @_;
	my $rows = longest(@columns) + 1;
	$mysql->sql('CREATE TABLE written LIKE types');
	pg("IMPORT FOREIGN SCHEMA shop LIMIT TO (written) FROM SERVER $fdw INTO $fdw; INSERT INTO $fdw.written SELECT * FROM $fdw.types");
	my @counts = split /\t/, $mysql->sql('SELECT count(*), ' . join(', ', map { 'sum(' . differ(@$_[0, 2]) . ')' } @columns)
		. ' FROM types t JOIN written w USING (id)');
	is(shift @counts, $rows, "$server: rows are written");
	is($counts[$_], 0, "$server: values of $columns[$_][1] are written as they were read") for 0 .. $#columns;
	return;
}

# what the server would change without a word, or has not: column, value
my @refused = (
	[ y => '26' ], [ en => q{'1'} ], [ en => q{' +1'} ], [ st => q{'{3}'} ], [ st => q{'{"a,b"}'} ], [ st => q{'{a,NULL}'} ], [ de => '1.234' ],
	[ dt => q{'2026-01-01 00:00:00.5'} ], [ dt => q{'infinity'} ], [ d => q{'0001-01-01 BC'} ], [ d => q{'10000-01-01'} ],
	[ t => q{'839:00:00'} ], [ t => q{'1 month'} ], [ t => q{'00:00:00.5'} ], [ b => q{B'10000'} ], [ f => q{'NaN'} ], [ f => q{'-Infinity'} ], [ de => q{'NaN'} ]);

sub check_refused
{
	my ($mysql, $server, $fdw) = @_;
	$mysql->sql(q{CREATE TABLE refused (y year, en enum('a', '2'), st set('a', 'b'), de decimal(5,2), dt datetime, d date, t time, b bit(4), f double)});
	pg("CREATE FOREIGN TABLE $fdw.refused (y smallint, en text, st text[], de numeric, dt timestamp, d date, t interval, b varbit, f double precision) SERVER $fdw");
	like(pg_error("INSERT INTO $fdw.refused ($_->[0]) VALUES ($_->[1])"), qr/(22001|22003|22008): value .* cannot be written to column "$_->[0]"/,
		"$server: $_->[1] is not written to $_->[0]") for @refused;
	pg(qq{INSERT INTO $fdw.refused (y, en, st, de, dt, t) VALUES (0, '2', '{}', 1.230, '2026-01-01', '-1 day')});
	is($mysql->sql('SELECT y, en, st, de, dt, t FROM refused'), "0000\t2\t\t1.23\t2026-01-01 00:00:00\t-24:00:00", "$server: and what it has is written");
	return;
}

# name, type there, value there, type here, and what is read: its text, or the error
my @other = (
	[ 'int', '42', 'text', '42' ],
	[ 'int', '42', 'numeric(4,1)', '42.0' ],
	[ 'int', '40000', 'smallint', qr/22003: column "c": value "40000" is out of range for type smallint/ ],
	[ 'tinyint(1)', '2', 'boolean', qr/22003: column "c": value "2" is out of range for type boolean.*HINT:.*tinyint1 'smallint'/s ],
	[ 'bigint unsigned', '18446744073709551615', 'bigint', qr/22003: column "c": value "18446744073709551615" is out of range for type bigint/ ],
	[ 'decimal(10,4)', '1.2300', 'numeric(10,2)', '1.23' ],
	[ 'decimal(10,4)', '1.2345', 'numeric(10,2)', qr/22003: column "c": value "1.2345" has more digits behind the point than type numeric\(10,2\)/ ],
	[ 'decimal(10,2)', '1234.00', 'numeric(5,2)', qr/22003: column "c": value "1234.00"/ ],
	[ 'decimal(10,2)', '12.00', 'integer', '12' ],
	[ 'decimal(10,2)', '12.50', 'integer', qr/22P02: column "c": value "12.50" is not valid for type integer/ ],
	[ 'decimal(10,2)', '12.50', 'double precision', '12.5' ],
	[ 'double', '1e300', 'real', qr/22003: column "c": value "1e300" is out of range for type real/ ],
	[ 'double', '1.239', 'numeric(10,2)', '1.24' ],
	[ 'varchar(20)', "'12'", 'integer', '12' ],
	[ 'varchar(20)', "'12x'", 'integer', qr/22P02: column "c": value "12x" is not valid for type integer/ ],
	[ 'varchar(20)', "''", 'integer', qr/22P02: column "c": value "" is not valid for type integer/ ],
	[ 'varchar(20)', "'yes'", 'boolean', 'true' ],
	[ 'varchar(20)', "'1.5e3'", 'numeric', '1500' ],
	[ 'varchar(20)', "'2026-01-31'", 'date', '2026-01-31' ],
	[ 'varchar(20)', "'abcd'", 'varchar(3)', qr/22001: column "c": value "abcd" is too long for type character varying\(3\)/ ],
	[ 'varchar(20)', "'abc '", 'varchar(3)', qr/22001: column "c"/ ],
	[ 'varchar(20)', "'äöü'", 'varchar(3)', 'äöü' ],
	[ 'varchar(20)', "'ab'", 'char(4)', 'ab' ],
	[ 'varchar(20)', "'{1,2}'", 'integer[]', '{1,2}' ],
	[ 'varchar(20)', "'{1,2'", 'integer[]', qr/22P02: malformed array literal.*CONTEXT:  column "c"/s ],
	[ 'varchar(20)', "'a'", 'bytea', '\x61' ],
	[ 'varchar(40)', "'6CCD780Cbaba102695645b8c656024db'", 'uuid', '6ccd780c-baba-1026-9564-5b8c656024db' ],
	[ 'varchar(20)', "_utf8mb4 x'610062'", 'text', qr/22021: column "c": the text has a NUL character/ ],
	[ 'varbinary(20)', "x'616263'", 'text', 'abc' ],
	[ 'varbinary(20)', "x'61ff'", 'text', qr/22021: column "c": the bytes are no text in UTF-8: 0xff at offset 1.*HINT:  Declare the column as bytea/s ],
	[ 'varbinary(20)', "x'eda080'", 'text', qr/22021: column "c"/ ],
	[ 'binary(16)', "x'6ccd780cbaba102695645b8c656024db'", 'uuid', '6ccd780c-baba-1026-9564-5b8c656024db' ],
	[ 'bit(12)', "b'100000000001'", 'integer', '2049' ],
	[ 'bit(64)', "b'$binary_64'", 'numeric', '18446744073709551615' ],
	[ 'bit(12)', "b'1'", 'bit(10)', qr/22026: column "c": 12 bits do not fit type bit\(10\)/ ],
	[ 'bit(12)', "b'1'", 'bit varying(20)', '000000000001' ],
	[ 'bit(1)', "b'1'", 'boolean', 'true' ],
	[ 'bit(1)', "b'1'", 'date', qr/HV004: column "c" is bits at the server, which cannot be had as type date/ ],
	[ 'point', "st_geomfromtext('POINT(0 0)')", 'text', qr/HV004: column "c" is a geometry at the server/ ],
	[ 'datetime(6)', "'2026-01-31 00:00:00'", 'date', '2026-01-31' ],
	[ 'datetime(6)', "'2026-01-31 00:00:00.5'", 'date', qr/22008: column "c": value "2026-01-31 00:00:00.500000" has more than fits type date/ ],
	[ 'datetime(6)', "'2026-01-31 00:00:00.5'", 'timestamp(0)', qr/22008: column "c"/ ],
	[ 'datetime(6)', "'2026-01-31 00:00:00.5'", 'timestamp(1)', '2026-01-31 00:00:00.5' ],
	[ 'datetime', "'2026-01-31 00:00:00'", 'timestamptz', '2026-01-31 09:00:00+09' ],
	[ 'date', "'2026-01-31'", 'timestamp', '2026-01-31 00:00:00' ],
	[ 'date', "'2026-01-31'", 'text', '2026-01-31' ],
	[ 'time', "'23:59:59'", 'time', '23:59:59' ],
	[ 'time', "'24:00:01'", 'time', qr/22008: column "c": value "24:00:01" is out of range for type time.*HINT:  Declare the column as interval/s ],
	[ 'time', "'-01:00:00'", 'time', qr/22008: column "c"/ ],
	[ 'time', "'-01:00:00'", 'text', '-01:00:00' ],
	[ 'time(6)', "'00:00:00.5'", 'interval(0)', qr/22008: column "c"/ ],
	[ 'longtext', "'{\"a\": 1}'", 'jsonb', '{"a": 1}' ],
	[ 'longtext', "'{'", 'jsonb', qr/22P02: invalid input syntax for type json.*column "c"/s ],
	[ 'json', q{'"\\\\u0000"'}, 'jsonb', qr/22P05.*column "c"/s ],
	[ 'json', q{'{"a": "\\\\u0000"}'}, 'text', '{"a": "\\u0000"}' ],
	[ 'int', '5', 'positive', '5' ],
	[ 'int', '-5', 'positive', qr/23514.*positive_check/s ],
	[ "enum('sad','happy')", "'happy'", 'mood', 'happy' ]);

sub check_other
{
	my ($mysql, $server, $fdw) = @_;
	my $n = 0;
	for my $case (@other)
	{
		my ($remote, $value, $type, $expected) = @$case;
		my $table = 'o' . ++$n;
		$mysql->sql("SET sql_mode = ''; CREATE TABLE $table (c $remote); INSERT INTO $table VALUES ($value)");
		pg("CREATE FOREIGN TABLE $fdw.$table (c $type) SERVER $fdw");
		my $read = "SELECT c::text FROM $fdw.$table";
		my $name = "$server: $remote $value as $type";
		ref $expected ? like(pg_error($read), $expected, $name) : is(pg($read), $expected, $name);
	}
	return;
}

sub check_zero_dates
{
	my ($mysql, $server, $fdw) = @_;
	$mysql->sql(q{SET sql_mode = 'ALLOW_INVALID_DATES';
		CREATE TABLE zero (id int PRIMARY KEY, d date NOT NULL, dt datetime(6), ts timestamp NULL);
		INSERT INTO zero VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00'), (2, '2026-00-00', '2026-02-00 10:00:00', NULL),
			(3, '2026-02-31', '2026-02-30 01:02:03', '2026-01-01 00:00:00'), (4, '2024-02-29', '2024-02-29 01:02:03', '2026-01-01 00:00:00')});
	$mysql->sql("CREATE VIEW zero_$_ AS SELECT * FROM zero WHERE id = $_") for 1 .. 4;
	for my $how ('error', 'null')
	{
		pg("CREATE SCHEMA zero_$how; IMPORT FOREIGN SCHEMA shop LIMIT TO (zero, zero_1, zero_2, zero_3, zero_4)
			FROM SERVER $fdw INTO zero_$how OPTIONS (zero_dates '$how')");
	}
	like(pg_error("SELECT $_ FROM zero_error.zero_1"), qr/22008: column "$_": value "0000-00-00[^"]*" is not valid for type.*HINT:  Set the option zero_dates/s,
		"$server: 0000-00-00 in $_ is an error") for 'd', 'dt', 'ts';
	like(pg_error("SELECT d FROM zero_error.zero_$_"), qr/22008: column "d"/, "$server: a date that is none, $_") for 2, 3;
	is(pg('SELECT * FROM zero_error.zero_4'), '4|2024-02-29|2024-02-29 01:02:03|2026-01-01 09:00:00+09', "$server: a true date");
	is(pg('SELECT * FROM zero_null.zero ORDER BY id'),
		"1|||\n2|||\n3|||2026-01-01 09:00:00+09\n4|2024-02-29|2024-02-29 01:02:03|2026-01-01 09:00:00+09", "$server: zero dates are NULL");
	is(pg(q{SELECT string_agg(attnotnull::text, ',' ORDER BY attrelid::regclass::text, attnum) FROM pg_attribute
		WHERE attrelid IN ('zero_error.zero'::regclass, 'zero_null.zero'::regclass) AND attnum BETWEEN 1 AND 2}),
		'true,true,true,false', "$server: such a column is not NOT NULL");
	pg('DROP SCHEMA zero_error, zero_null CASCADE');
	return;
}

# names of 64 characters, two of which differ in the last one only
my $long = 'a' x 64;
my @wide = map { 'ü' x 63 . $_ } 1, 2;
my @names = ('from', 'Upper', 'a"b', q{a'b}, 'a`b', 'a\\b', 'a%b', 'ctid', 'tableoid', $long, @wide, ';drop table x; --');

# as MySQL quotes names
sub name_there { my ($name) = @_; $name =~ s/`/``/g; return "`$name`"; }

sub check_names
{
	my ($mysql, $server, $fdw) = @_;
	my $database = name_there(q{na"s'ty \\ db});
	$mysql->sql("CREATE DATABASE $database CHARACTER SET utf8mb4; USE $database;
		CREATE TABLE `select` (" . join(', ', map { name_there($_) . ' int' } @names) . ");
		INSERT INTO `select` VALUES (" . join(', ', 1 .. @names) . ");
		CREATE TABLE `$long` (id int PRIMARY KEY COMMENT 'of `id`, \\\\ and ''this''') COMMENT 'it''s a \"table\" é';
		CREATE TABLE `$wide[0]` (id int PRIMARY KEY);
		CREATE TABLE `it's \"the\" ``table``` (e enum('a', 'it''s', ') collate x', 'b'), s set('\"', '''', ' '));
		INSERT INTO `it's \"the\" ``table``` VALUES ('it''s', '\",''')");
	pg(qq{CREATE SCHEMA nasty; IMPORT FOREIGN SCHEMA "na""s'ty \\ db" FROM SERVER $fdw INTO nasty});
	is(pg('SELECT * FROM nasty."select"'), join('|', 1 .. @names), "$server: columns of all names are read");
	is(pg(q{SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'nasty."select"'::regclass AND attnum BETWEEN 1 AND 9}),
		q{from Upper a"b a'b a`b a\\b a%b ctid_ tableoid_}, "$server: they keep their names, but for those that PostgreSQL has");
	is(pg(q{SELECT count(DISTINCT relname), max(octet_length(relname)) <= 63 FROM pg_class WHERE relnamespace = 'nasty'::regnamespace}),
		'4|t', "$server: tables of all names are there");
	is(pg(q{SELECT e, s[1], s[2] FROM nasty."it's ""the"" `table`"}), q{it's|"|'}, "$server: labels with quotes");
	is(pg(q{SELECT obj_description(oid), col_description(oid, 1) FROM pg_class
		WHERE relnamespace = 'nasty'::regnamespace AND relname LIKE 'aaa%'}), q{it's a "table" é|of `id`, \\ and 'this'}, "$server: comments are carried");
	pg('DROP SCHEMA nasty CASCADE');
	return;
}

sub check_choice
{
	my ($mysql, $server, $fdw) = @_;
	my $import = "IMPORT FOREIGN SCHEMA shop LIMIT TO (choice) FROM SERVER $fdw INTO choice";
	my $show = q{SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = 'choice.choice'::regclass AND attnum > 0};
	$mysql->sql('CREATE TABLE choice (id int NOT NULL, b tinyint(1), bit1 bit, t time(3), g int AS (id + 1), UNIQUE KEY (b), UNIQUE KEY (id))');
	pg("CREATE SCHEMA choice; $import");
	is(pg($show), 'id integer NOT NULL, b boolean, bit1 bit(1), t interval(3), g integer', "$server: what is chosen by itself");
	is(pg(q{SELECT string_agg(attname || ': ' || array_to_string(attfdwoptions, ' '), ', ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'choice.choice'::regclass AND attname IN ('id', 'g')}) =~ s/\(11\)//gr,
		'id: remote_type=int key=true not_null=true, g: remote_type=int generated=true', "$server: key and generated column are told");
	pg("DROP FOREIGN TABLE choice.choice; $import OPTIONS (tinyint1 'smallint', bit1 'boolean', time_as 'time', import_generated 'false', import_not_null 'false')");
	is(pg($show), 'id integer, b smallint, bit1 boolean, t time(3) without time zone', "$server: what can be chosen");
	like(pg_error("$import OPTIONS (tinyint1 'bool')"), qr/HV024: invalid value "bool" of option "tinyint1".*boolean, smallint/s, "$server: a wrong choice");
	like(pg_error("$import OPTIONS (more 'x')"), qr/HV00D: invalid option "more".*HINT/s, "$server: no such choice");
	like(pg_error("IMPORT FOREIGN SCHEMA nowhere FROM SERVER $fdw INTO choice"), qr/HV00Q: database "nowhere" does not exist/, "$server: no such database");
	pg('DROP SCHEMA choice CASCADE');
	return;
}

sub check_import
{
	my ($mysql, $server, $fdw) = @_;
	$mysql->sql(q{CREATE DATABASE many; USE many; CREATE TABLE one (a int PRIMARY KEY); CREATE TABLE two (a int); CREATE TABLE gone (a int);
		CREATE VIEW broken AS SELECT * FROM gone; CREATE VIEW seen AS SELECT * FROM one; DROP TABLE gone; INSERT INTO one VALUES (1), (2)});
	$mysql->sql('CREATE SEQUENCE many.numbers; CREATE TABLE many.versions (a int PRIMARY KEY) WITH SYSTEM VERSIONING') if $server eq 'MariaDB';
	my $tables = q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'many'::regnamespace};
	my $told = notices("CREATE SCHEMA many; IMPORT FOREIGN SCHEMA many FROM SERVER $fdw INTO many");
	is(pg($tables), $server eq 'MariaDB' ? 'one seen two versions' : 'one seen two', "$server: tables and views are imported");
	like($told, qr/table "broken" is skipped/, "$server: a broken view is skipped");
	like($told, qr/sequence "numbers" is skipped/, "$server: a sequence is skipped") if $server eq 'MariaDB';
	is(pg('SELECT * FROM many.seen ORDER BY a'), "1\n2", "$server: a view is read");
	pg("DROP SCHEMA many CASCADE; CREATE SCHEMA many; IMPORT FOREIGN SCHEMA many LIMIT TO (two, nowhere) FROM SERVER $fdw INTO many");
	is(pg($tables), 'two', "$server: LIMIT TO");
	pg("DROP SCHEMA many CASCADE; CREATE SCHEMA many; IMPORT FOREIGN SCHEMA many EXCEPT (two, broken, versions) FROM SERVER $fdw INTO many");
	is(pg($tables), 'one seen', "$server: EXCEPT");
	pg('DROP SCHEMA many CASCADE');
	return;
}

sub check_defaults
{
	my ($mysql, $server, $fdw) = @_;
	$mysql->sql(q{CREATE TABLE def (i int DEFAULT -5, n numeric(10,2) DEFAULT 1.5, v varchar(20) DEFAULT 'it''s \\\\ x', e enum('a', 'b') DEFAULT 'b',
		b bit(3) DEFAULT b'101', d date DEFAULT '2026-01-31', dt datetime DEFAULT CURRENT_TIMESTAMP, ts timestamp NULL DEFAULT CURRENT_TIMESTAMP,
		x double DEFAULT (1 + 1), none int, nul int DEFAULT NULL, t tinyint(1) DEFAULT 1, em varchar(9) DEFAULT '')});
	pg("CREATE SCHEMA def; IMPORT FOREIGN SCHEMA shop LIMIT TO (def) FROM SERVER $fdw INTO def OPTIONS (import_default 'true')");
	is(pg(q{SELECT string_agg(attname || ' ' || pg_get_expr(adbin, adrelid), E'\n' ORDER BY attnum) FROM pg_attribute
		JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = 'def.def'::regclass}),
		q{i '-5'::integer
n 1.50
v 'it''s \\ x'::character varying
e 'b'::text
b '101'::bit(3)
d '2026-01-31'::date
dt (CURRENT_TIMESTAMP AT TIME ZONE 'UTC'::text)
ts CURRENT_TIMESTAMP
t true
em ''::character varying}, "$server: defaults that PostgreSQL can have");
	pg('DROP SCHEMA def CASCADE');
	return;
}

# columns without remote_type are asked for once a session, and again when the table was changed
sub check_described
{
	my ($mysql, $server, $fdw) = @_;
	my $asked = "SELECT count(*) FROM mysql.general_log WHERE user_host LIKE 'ann%' AND argument LIKE '%information_schema.columns%'";
	pg("CREATE FOREIGN TABLE $fdw.bare (id int, f real, biu numeric, tib boolean OPTIONS (name 'TIB')) SERVER $fdw OPTIONS (\"table\" 'types')");
	$mysql->sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1");
	is(pg("SELECT * FROM $fdw.bare WHERE id IN (0, 1) ORDER BY id; SELECT f FROM $fdw.bare WHERE id = 1;
		ALTER FOREIGN TABLE $fdw.bare DROP COLUMN id, ADD COLUMN t0 interval; SELECT * FROM $fdw.bare WHERE f > 1"),
		"0|||\n1|1.6777216e+07|18446744073709551615|f\n1.6777216e+07\n1.6777216e+07|18446744073709551615|f|-838:59:59",
		"$server: a table without remote types");
	is($mysql->sql($asked), 2, "$server: the server is asked for them once for each definition of the table");
	$mysql->sql('SET GLOBAL general_log = 0; TRUNCATE mysql.general_log');
	return;
}

sub check_analyze
{
	my ($mysql, $server, $fdw) = @_;
	my $stats = q{SELECT reltuples, (SELECT n_distinct FROM pg_stats s WHERE s.tablename = relname AND s.schemaname = nspname AND attname = 'g'),
		(SELECT null_frac FROM pg_stats s WHERE s.tablename = relname AND s.schemaname = nspname AND attname = 'wide')
		FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 'sampled' AND nspname = '} . "$fdw'";
	$mysql->sql(q{CREATE TABLE sampled (id bigint PRIMARY KEY, g int, wide longtext) STATS_PERSISTENT = 1 STATS_AUTO_RECALC = 0;
		INSERT INTO sampled WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, i % 7, repeat('x', 2000) FROM n;
		INSERT INTO sampled SELECT id + 900, g, wide FROM sampled; INSERT INTO sampled SELECT id + 1800, g, NULL FROM sampled});
	pg("IMPORT FOREIGN SCHEMA shop LIMIT TO (sampled) FROM SERVER $fdw INTO $fdw; SET default_statistics_target = 1; ANALYZE $fdw.sampled");
	my ($rows, $distinct, $nulls) = split /\|/, pg($stats);
	is("$rows|$distinct", '3600|7', "$server: rows are counted, and a sample has the values");
	cmp_ok(abs($nulls - 0.5), '<', 0.15, "$server: a sample of 300 rows has half of them NULL");

	# the server is made to believe that the table is large
	$mysql->sql(q{UPDATE mysql.innodb_table_stats SET n_rows = 30000000 WHERE table_name = 'sampled'});
	$mysql->restart;
	pg("SET default_statistics_target = 10; ANALYZE $fdw.sampled");
	($rows, $distinct, $nulls) = split /\|/, pg($stats);
	cmp_ok($rows, '>', 20000000, "$server: a table that is thought to be large is not counted");
	is($distinct, 7, "$server: its sample is of runs of rows");
	return;
}

# a database that is not in UTF-8
sub check_latin1
{
	my ($mysql, $server, $fdw) = @_;
	$mysql->sql(q{CREATE TABLE latin (`é` varchar(20), s set('ä')); INSERT INTO latin VALUES ('é', 'ä'), ('€', 'ä')});
	my $port = $mysql->port;
	$node->safe_psql('latin', "CREATE SERVER $fdw FOREIGN DATA WRAPPER lyftron_mysql OPTIONS (host '127.0.0.1', port '$port');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $fdw OPTIONS (username 'ann', password 'secret');
		CREATE SCHEMA $fdw; IMPORT FOREIGN SCHEMA shop LIMIT TO (latin) FROM SERVER $fdw INTO $fdw");
	is($node->safe_psql('latin', "SET client_encoding = utf8; SELECT * FROM $fdw.latin LIMIT 1"), 'é|{ä}', "$server: texts in a database in LATIN1");
	my ($out, $err);
	$node->psql('latin', "SELECT * FROM $fdw.latin", stdout => \$out, stderr => \$err);
	like($err, qr/has no equivalent in encoding "LATIN1".*CONTEXT:  column/s, "$server: a character that LATIN1 has not");
	return;
}

pg(q{CREATE DOMAIN positive AS int CHECK (value > 0); CREATE TYPE mood AS ENUM ('sad', 'happy')});
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
$node->safe_psql('latin', 'CREATE EXTENSION lyftron');

sub check_server
{
	my ($mysql, $server, $fdw, @types) = @_;
	$mysql->connect_node($node, $fdw);
	make_types($mysql, 'types', @types);
	pg("CREATE SCHEMA $fdw");
	notices("IMPORT FOREIGN SCHEMA shop FROM SERVER $fdw INTO $fdw");
	check_types($server, "$fdw.types", @types);
	check_written($mysql, $server, $fdw, @types);
	check_refused($mysql, $server, $fdw);
	check_other($mysql, $server, $fdw);
	check_zero_dates($mysql, $server, $fdw);
	check_names($mysql, $server, $fdw);
	check_choice($mysql, $server, $fdw);
	check_import($mysql, $server, $fdw);
	check_defaults($mysql, $server, $fdw);
	check_described($mysql, $server, $fdw);
	check_analyze($mysql, $server, $fdw);
	check_latin1($mysql, $server, $fdw);
	$mysql->stop;
	return;
}

check_server(LyftronMysql->new, 'MariaDB', 'maria', @types, @mariadb_types);
SKIP:
{
	my $missing = LyftronMysql9->missing;
	skip($missing, 1) if defined $missing;
	check_server(LyftronMysql9->new, 'MySQL', 'mysql', @types, @mysql_types);
}

done_testing();
