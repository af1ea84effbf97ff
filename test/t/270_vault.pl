
# A data vault of TPC-H (scale 0.1) and three days of its changes: new, changed, changed back, deleted and re-sent rows, many changes of
# one key in a batch, rows of one load date, late ones.  After each day the rows of every table are those that plain SQL in this file
# works out, with md5() and without a function of ours; the hashes are those of a program in Python.  Then: the same batch again,
# backends killed at 20 moments, sources that are loaded at once.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use IPC::Run;
use LyftronTest;
use Test::More;
use Time::HiRes qw(sleep);

my $seed = $ENV{LYFTRON_SEED} // 4711;
srand($seed);
my $scale = watched() ? 0.1 : 1;    # of the scale 0.1
my $node = new_node('main', "timezone = UTC\nautovacuum = off\nrestart_after_crash = on\nmax_wal_size = 4GB\nmaintenance_work_mem = 256MB\nwork_mem = 256MB\n", '--encoding=UTF8', '--locale=C.UTF-8');
my %profiles = (lyftron => 'lyftron', adv => 'automate_dv');    # of vaults

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# --- the data ---

my %sources = (
	customer => 'seq bigint, c_custkey bigint, c_nation text, c_name varchar(60), c_address varchar(40), c_phone varchar(15), c_acctbal numeric(15,2), c_mktsegment varchar(10), c_comment varchar(117)',
	customer_list => 'c_custkey bigint',
	orders => 'o_orderkey bigint, o_custkey bigint, o_orderstatus char(1), o_totalprice numeric(15,2), o_orderdate date, o_orderpriority varchar(15)',
	part => 'p_partkey bigint, p_name varchar(55), p_brand varchar(10), p_retailprice numeric(15,2)',
	supplier => 'seq bigint, s_suppkey bigint, s_nation text, s_phone varchar(15), s_kind varchar(10)',
	lineitem => 'l_orderkey bigint, l_linenumber int, l_partkey bigint, l_suppkey bigint, l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_shipdate date, l_comment varchar(44)',
	nation => 'n_nationkey int, n_name varchar(25), n_region varchar(25)',
);
my @order = qw(customer customer_list orders part supplier lineitem nation);    # in which they are loaded

sub make_sources
{
	sql('CREATE SCHEMA stage; CREATE SCHEMA days');
	sql("CREATE TABLE stage.$_ ($sources{$_}, at timestamptz); CREATE TABLE days.$_ (LIKE stage.$_, day int)") for @order;
	my ($customers, $orders, $parts, $suppliers) = map { int($_ * $scale) } 15_000, 150_000, 20_000, 1_000;
	sql(qq{
		-- a number of an id, always the same one
		CREATE FUNCTION days.r(bigint, text, int) RETURNS int LANGUAGE sql IMMUTABLE AS \$\$ SELECT ((hashtextextended(\$2, \$1 + $seed * 1000003::bigint) & 1073741823) % \$3)::int \$\$;
		CREATE FUNCTION days.start(int) RETURNS timestamptz LANGUAGE sql STABLE AS \$\$ SELECT timestamptz '2026-01-01 00:00+00' + (\$1 - 1) * interval '1 day' \$\$;
		CREATE FUNCTION days.nation(bigint) RETURNS text LANGUAGE sql IMMUTABLE AS \$\$ SELECT 'NATION ' || chr(65 + (\$1 % 25)::int) \$\$;

		-- deliveries of customers: which, on what day, version of the balance, of the nation, when
		CREATE TABLE days.delivery AS
		SELECT id, day, balance, nation, at, row_number() OVER (ORDER BY day, days.r(id, 'order', 1000000), n) AS seq FROM (
			SELECT id, 1, 0, 0, days.start(1) + interval '1 hour', 0 FROM generate_series(1, $customers) id
			-- changed; changed back
			UNION ALL SELECT id, 2, 1, CASE WHEN id % 60 = 2 THEN 1 ELSE 0 END, days.start(2) + interval '1 hour', 0 FROM generate_series(2, $customers, 20) id
			UNION ALL SELECT id, 3, 0, CASE WHEN id % 120 = 62 THEN 1 ELSE 0 END, days.start(3) + interval '1 hour', 0 FROM generate_series(2, $customers, 40) id WHERE id % 60 = 2 OR id % 40 = 2
			-- the same again, of a new date and of the old one; of another case
			UNION ALL SELECT id, day, 0, 0, days.start(day) + interval '1 hour', 0 FROM generate_series(13, $customers, 20) id, generate_series(2, 3) day
			UNION ALL SELECT id, day, 0, 0, days.start(1) + interval '1 hour', 0 FROM generate_series(4, $customers, 50) id, generate_series(2, 3) day
			UNION ALL SELECT id, 3, 100, 0, days.start(3) + interval '1 hour', 0 FROM generate_series(3, $customers, 20) id
			-- new
			UNION ALL SELECT id, day, 0, 0, days.start(day) + interval '1 hour', 0 FROM generate_series(2, 3) day, generate_series($customers + (day - 2) * 150 + 1, $customers + (day - 1) * 150) id
			-- many changes, there and back, some like the one before
			UNION ALL SELECT id, day, (ARRAY[1, 0, 0, 2])[n], 0, days.start(day) + n * interval '2 hours', n FROM generate_series(1, $customers, 100) id, generate_series(1, 3) day, generate_series(1, 4) n
			-- different rows of one date
			UNION ALL SELECT id, day, n + day, 0, days.start(day) + interval '1 hour', n FROM generate_series(11, $customers, 300) id, generate_series(1, 3) day, generate_series(1, 2) n
			-- late: before all, in between as another, in between as it was, in between of who moved since
			UNION ALL SELECT id, 2, 5, 5, timestamptz '2025-12-31 00:00+00', 0 FROM generate_series(7, $customers, 200) id
			UNION ALL SELECT id, 3, 6, 6, days.start(1) + interval '12 hours', 0 FROM generate_series(8, $customers, 200) id
			UNION ALL SELECT id, 3, 0, 0, days.start(1) + interval '12 hours', 0 FROM generate_series(9, $customers, 200) id
			UNION ALL SELECT id, 3, 7, 7, days.start(1) + interval '12 hours', 0 FROM generate_series(2, $customers, 240) id
		) d (id, day, balance, nation, at, n);
		INSERT INTO days.customer
		SELECT seq, id, days.nation(days.r(id, 'nation', 25) + nation),
			CASE id % 7 WHEN 0 THEN ' é|' WHEN 1 THEN E'\\t' WHEN 2 THEN '\\' ELSE '' END || 'Customer#' || lpad(id::text, 9, '0') || CASE id % 11 WHEN 0 THEN '||' WHEN 1 THEN '  ' WHEN 2 THEN '\\N' ELSE '' END,
			CASE WHEN balance = 100 THEN upper(a) ELSE a END, CASE WHEN id % 9 > 0 THEN days.r(id, 'phone', 999999999)::text END,
			(days.r(id, 'balance', 1000000) - 99999 + balance * 1000) / 100.0, (ARRAY['BUILDING', 'AUTOMOBILE', 'MACHINERY', 'HOUSEHOLD', 'FURNITURE'])[days.r(id, 'segment', 5) + 1],
			CASE id % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'comment ' || days.r(id, 'comment', 1000) END, at, day
		FROM days.delivery, LATERAL (SELECT 'street ' || days.r(id, 'address', 100000)) x (a);
		-- who is there: some go, half of them come back
		INSERT INTO days.customer_list
		SELECT id, days.start(day) + interval '2 hours', day FROM generate_series(1, 3) day, generate_series(1, $customers + (day - 1) * 150) id
		WHERE NOT (id % 500 = 9 AND day = 2 OR id % 1000 = 9 AND day = 3);

		CREATE VIEW days.order_delivery AS
		SELECT i, i / 8 * 32 + i % 8 AS key, day, CASE WHEN day > 1 AND i % 100 = day OR day = 3 AND i % 200 = 2 THEN 1 ELSE 0 END AS version,
			CASE WHEN i % 200 = 9 AND i <= $orders THEN days.start(1) ELSE days.start(day) END + interval '3 hours' AS at
		FROM generate_series(1, 3) day, generate_series(1, $orders + (day - 1) * 750) i
		WHERE day = 1 OR i % 100 = day OR day = 3 AND i % 200 = 102 OR i % 200 = 9 OR i > $orders + (day - 2) * 750;
		INSERT INTO days.orders
		SELECT key, days.r(i, 'customer', $customers * 10 / 9) + 1, CASE version WHEN 0 THEN 'O' ELSE 'F' END, days.r(i, 'total', 50000000) / 100.0 + version, date '1992-01-01' + days.r(i, 'date', 2400),
			(ARRAY['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'])[days.r(i, 'priority', 5) + 1], at, day
		FROM days.order_delivery;
		INSERT INTO days.lineitem
		SELECT key, n, x.part, (x.part + (i + n) % 4 * ($suppliers / 4 + x.part / $suppliers)) % $suppliers + 1, x.r % 50 + 1 + version, (x.r % 50 + 1) * (90000 + x.part % 20000) / 100.0, x.r % 11 / 100.0,
			date '1992-01-02' + x.r % 2500, 'line ' || x.r % 977, at, day
		FROM days.order_delivery, generate_series(1, 1 + i % 7) n, LATERAL (SELECT days.r(i * 8 + n, 'line', 1000000) AS r, days.r(i * 8 + n, 'part', $parts) + 1 AS part) x;
		INSERT INTO days.part
		SELECT i, 'part ' || days.r(i, 'name', 5000), 'Brand#' || days.r(i, 'brand', 55), (90000 + i % 20001) / 100.0 + CASE WHEN i % 50 = day THEN 1 ELSE 0 END, days.start(day) + interval '1 hour', day
		FROM generate_series(1, 3) day, generate_series(1, $parts) i WHERE day = 1 OR i % 50 IN (day, day - 1);
		-- sets of phones: one member changed and back, sent again, one gone, late as a set, late for a set
		INSERT INTO days.supplier
		SELECT row_number() OVER (ORDER BY day, days.r(i, 'order', 1000000), n), i, days.nation(days.r(i, 'supplier', 25)), '2' || i || '-' || n, CASE WHEN day = 2 AND i % 10 = 2 AND n = 1 OR day = 3 AND i % 10 = 5 THEN 'mobile' ELSE 'office' END,
			CASE WHEN day = 3 AND i % 10 = 5 THEN days.start(1) + interval '12 hours' WHEN day = 3 AND i % 10 = 6 THEN days.start(1) + interval '1 hour' ELSE days.start(day) + interval '1 hour' END, day
		FROM generate_series(1, 3) day, generate_series(1, $suppliers) i, generate_series(1, 1 + i % 3) n
		WHERE day = 1 AND NOT (i % 10 = 6 AND n = 2) OR day = 2 AND (i % 10 IN (2, 3) OR i % 10 = 4 AND n = 1) OR day = 3 AND i % 10 IN (2, 5) OR day = 3 AND i % 10 = 6 AND n = 2;
		INSERT INTO days.nation
		SELECT i, days.nation(i), 'REGION ' || CASE WHEN day = 2 AND i % 8 = 1 THEN 'X' ELSE (i % 5)::text END, days.start(day), day FROM generate_series(0, 24) i, generate_series(1, 3) day WHERE day = 1 OR i % 4 = 1;
		ANALYZE});
}

# the stage as it is on a day
sub stage_day
{
	my ($day) = @_;
	for my $source (@order)
	{
		my $columns = join ', ', map { (split)[0] } split /, (?=\w+ \w)/, "$sources{$source}, at timestamptz";
		sql("TRUNCATE stage.$source; INSERT INTO stage.$source SELECT $columns FROM days.$source WHERE day = $day ORDER BY " . ($sources{$source} =~ /^seq/ ? 'seq' : 1) . "; ANALYZE stage.$source");
	}
}

# --- the vault: of each table what it is, and what is computed for it ---

my %hub = (customer => 1, order => 1, lineitem => 2, part => 1, supplier => 1, nation => 1);    # columns of the key
my %business_key = (customer => [qw(c_custkey)], order => [qw(o_orderkey)], lineitem => [qw(l_orderkey l_linenumber)], part => [qw(p_partkey)], supplier => [qw(s_suppkey)], nation => [qw(n_name)]);
my @tables = (
	# source, kind, name, ...
	[ 'customer', 'hub', 'customer', keys => [qw(c_custkey)] ],
	[ 'customer', 'hub', 'nation', keys => [qw(c_nation)] ],
	[ 'customer', 'link', 'customer_nation', hubs => [qw(customer nation)], keys => [qw(c_custkey c_nation)] ],
	[ 'customer', 'standard', 'customer', parent => 'hub_customer', keys => [qw(c_custkey)], columns => [qw(c_name c_address c_phone c_acctbal c_mktsegment c_comment)], sequence => 'seq' ],
	[ 'customer', 'effectivity', 'customer_nation', parent => 'link_customer_nation', keys => [qw(c_custkey c_nation)], driving => 'hub_customer' ],
	[ 'customer_list', 'status_tracking', 'customer_status', parent => 'hub_customer', keys => [qw(c_custkey)] ],
	[ 'orders', 'hub', 'order', keys => [qw(o_orderkey)] ],
	[ 'orders', 'hub', 'customer', keys => [qw(o_custkey)] ],
	[ 'orders', 'link', 'order_customer', hubs => [qw(order customer)], keys => [qw(o_orderkey o_custkey)] ],
	[ 'orders', 'standard', 'order', parent => 'hub_order', keys => [qw(o_orderkey)], columns => [qw(o_orderstatus o_totalprice o_orderdate o_orderpriority)] ],
	[ 'orders', 'record_tracking', 'order_seen', parent => 'hub_order', keys => [qw(o_orderkey)] ],
	[ 'part', 'hub', 'part', keys => [qw(p_partkey)] ],
	[ 'part', 'standard', 'part', parent => 'hub_part', keys => [qw(p_partkey)], columns => [qw(p_name p_brand p_retailprice)] ],
	[ 'supplier', 'hub', 'supplier', keys => [qw(s_suppkey)] ],
	[ 'supplier', 'hub', 'nation', keys => [qw(s_nation)] ],
	[ 'supplier', 'link', 'supplier_nation', hubs => [qw(supplier nation)], keys => [qw(s_suppkey s_nation)] ],
	[ 'supplier', 'multi_active', 'supplier_phone', parent => 'hub_supplier', keys => [qw(s_suppkey)], sub_key => [qw(s_phone)], columns => [qw(s_kind)], sequence => 'seq' ],
	[ 'lineitem', 'hub', 'lineitem', keys => [qw(l_orderkey l_linenumber)] ],
	[ 'lineitem', 'link', 'lineitem_order', hubs => [qw(lineitem order)], keys => [qw(l_orderkey l_linenumber l_orderkey)] ],
	[ 'lineitem', 'link', 'part_supplier', hubs => [qw(part supplier)], keys => [qw(l_partkey l_suppkey)] ],
	[ 'lineitem', 'standard', 'lineitem', parent => 'hub_lineitem', keys => [qw(l_orderkey l_linenumber)], columns => [qw(l_quantity l_extendedprice l_discount l_shipdate l_comment)] ],
	[ 'nation', 'hub', 'nation', keys => [qw(n_name)] ],
	[ 'nation', 'reference', 'nation', keys => [qw(n_nationkey)], columns => [qw(n_name n_region)] ],
);
# as a hash, with the name that the table has
@tables = map { my ($source, $kind, $name, %more) = @$_; { source => $source, kind => $kind, stem => $name, %more,
	table => { hub => 'hub', link => 'link', reference => 'ref' }->{$kind} // 'sat' } } @tables;
$_->{table} .= "_$_->{stem}" for @tables;

sub array { return @_ ? "ARRAY['" . join("', '", @_) . "']" : 'NULL'; }

sub make_vault
{
	my ($vault, $profile) = @_;
	my $ghosts = $profile eq 'lyftron' ? 'true' : 'false';
	my @calls = ("lyftron.create_vault('$vault', '$vault', '{\"profile\": \"$profile\"}', ghosts => $ghosts)");
	for my $t (sort { ($a->{kind} ne 'hub') <=> ($b->{kind} ne 'hub') } @tables)
	{
		my $from = "'$vault', '$t->{table}'";
		my @keys = @{ $t->{keys} };
		my $names = $t->{kind} eq 'hub' && $business_key{ $t->{stem} };
		if ($t->{kind} eq 'hub')
		{
			@keys = map { $keys[$_] eq $names->[$_] ? $keys[$_] : "$keys[$_] AS $names->[$_]" } 0 .. $#keys;
			@keys = map { /^c_nation/ ? 'c_nation::varchar AS n_name' : /^s_nation/ ? 's_nation::varchar AS n_name' : $_ } @keys;
			push @calls, "lyftron.create_hub($from, 'stage.$t->{source}', " . array(@keys) . ", load_date => 'at')";
		}
		elsif ($t->{kind} eq 'link')
		{
			push @calls, "lyftron.create_link($from, 'stage.$t->{source}', " . array(map { "hub_$_" } @{ $t->{hubs} }) . ', ' . array(@keys) . ", load_date => 'at')";
		}
		elsif ($t->{kind} eq 'reference')
		{
			push @calls, "lyftron.create_reference($from, 'stage.$t->{source}', " . array(@keys) . ', ' . array(@{ $t->{columns} }) . ", load_date => 'at')";
			push @calls, "lyftron.create_reference('$vault', 'ref_nation_history', 'stage.nation', " . array(@keys) . ', ' . array(@{ $t->{columns} }) . ", history => true, load_date => 'at')";
		}
		else
		{
			push @calls, "lyftron.create_satellite($from, '$t->{parent}', 'stage.$t->{source}', " . array(@keys) . ', ' . array(@{ $t->{columns} // [] }) . ", kind => '$t->{kind}'"
			  . ($t->{sub_key} ? ', sub_key => ' . array(@{ $t->{sub_key} }) : '') . ($t->{driving} ? ", driving_key => '{$t->{driving}}'" : '')
			  . ($t->{kind} eq 'status_tracking' ? ', full_load => true' : '') . ($t->{sequence} ? ", sequence => '$t->{sequence}'" : '') . ", load_date => 'at')";
		}
	}
	sql(join ' ', map { "SELECT $_;" } @calls);
}

# --- the hashes, by hand ---

sub key_hash
{
	my ($profile, @columns) = @_;
	my $text;
	if ($profile eq 'lyftron')
	{
		$text = join " || '|' || ", map { "replace(replace(btrim($_\::text, E' \\t\\n\\r\\f\\v'), '\\', '\\\\'), '|', '\\|')" } @columns;
	}
	else
	{
		$text = join " || '||' || ", map { "coalesce(nullif(upper(btrim($_\::text)), ''), '^^')" } @columns;
	}
	return "decode(md5($text), 'hex')";
}

# of columns the last of which may be null
sub difference
{
	my ($profile, @columns) = @_;
	return key_hash($profile, sort @columns) if $profile ne 'lyftron';
	my @texts = map { "replace(replace($_\::text, '\\', '\\\\'), '|', '\\|')" } @columns;
	my $last = pop @texts;
	return "decode(md5(" . join(' || ', map({ "coalesce($_, '\\N') || '|'" } @texts), "coalesce($last || '|', '')") . "), 'hex')";
}

# --- the rows, by hand: each adds to the table in schema E what a day's stage brings ---

my %expect = (
	hub => sub {
		my ($e, $profile, $t) = @_;
		my $names = join ', ', @{ $business_key{ $t->{stem} } };
		return "INSERT INTO $e.$t->{table} ($t->{stem}_hk, $names, load_date, record_source)
			SELECT hk, " . join(', ', @{ $t->{keys} }) . ", at, 'stage.$t->{source}' FROM (
				SELECT *, row_number() OVER (PARTITION BY hk ORDER BY at) AS number FROM (SELECT " . join(', ', @{ $t->{keys} }) . ", at, " . key_hash($profile, @{ $t->{keys} }) . " AS hk FROM stage.$t->{source}) s) n
			WHERE number = 1 AND NOT EXISTS (SELECT FROM $e.$t->{table} h WHERE h.$t->{stem}_hk = n.hk)";
	},
	link => sub {
		my ($e, $profile, $t) = @_;
		my @keys = @{ $t->{keys} };
		my @hubs = map { key_hash($profile, splice(@keys, 0, $hub{$_})) . " AS h_$_" } @{ $t->{hubs} };
		return "INSERT INTO $e.$t->{table} ($t->{stem}_hk, " . join(', ', map { "${_}_hk" } @{ $t->{hubs} }) . ", load_date, record_source)
			SELECT hk, " . join(', ', map { "h_$_" } @{ $t->{hubs} }) . ", at, 'stage.$t->{source}' FROM (
				SELECT *, row_number() OVER (PARTITION BY hk ORDER BY at) AS number FROM (SELECT at, " . join(', ', key_hash($profile, @{ $t->{keys} }) . ' AS hk', @hubs) . " FROM stage.$t->{source}) s) n
			WHERE number = 1 AND NOT EXISTS (SELECT FROM $e.$t->{table} l WHERE l.$t->{stem}_hk = n.hk)";
	},
	standard => sub {
		my ($e, $profile, $t) = @_;
		my $hk = $t->{parent} =~ s/^\w+?_//r . '_hk';
		my $columns = join ', ', @{ $t->{columns} };
		my $sequence = $t->{sequence} // '1';
		return versions($e, $t, $hk, key_hash($profile, @{ $t->{keys} }), difference($profile, @{ $t->{columns} }), $columns, $sequence);
	},
	multi_active => sub {
		my ($e, $profile, $t) = @_;
		my $columns = join ', ', @{ $t->{sub_key} }, @{ $t->{columns} };
		return "INSERT INTO $e.$t->{table} (supplier_hk, load_date, load_seq, hash_diff, record_source, $columns)
			WITH s AS (SELECT *, " . key_hash($profile, @{ $t->{keys} }) . " AS hk, " . difference($profile, @{ $t->{sub_key} }, @{ $t->{columns} }) . " AS diff FROM stage.$t->{source}),
			everything AS (SELECT supplier_hk AS hk, load_date AS at, hash_diff AS diff, load_seq FROM $e.$t->{table} WHERE supplier_hk IN (SELECT hk FROM s) UNION ALL SELECT hk, at, diff, NULL FROM s),
			sets AS (SELECT hk, at, string_agg(DISTINCT diff::text, ',') AS members, max(load_seq) AS there FROM everything GROUP BY hk, at),
			changes AS (SELECT *, lag(members) OVER (PARTITION BY hk ORDER BY at) AS before FROM sets)
			SELECT s.hk, s.at, coalesce(c.there + 1, 0) + row_number() OVER (PARTITION BY s.hk, s.at ORDER BY s.seq) - 1, s.diff, 'stage.$t->{source}', $columns FROM s JOIN changes c USING (hk, at)
			WHERE (c.there IS NOT NULL OR members IS DISTINCT FROM before) AND NOT EXISTS (SELECT FROM $e.$t->{table} o WHERE o.supplier_hk = s.hk AND o.load_date = s.at AND o.hash_diff = s.diff)";
	},
	# of all days so far
	effectivity => sub {
		my ($e, $profile, $t, $day) = @_;
		return "TRUNCATE $e.$t->{table};
			INSERT INTO $e.$t->{table} (customer_nation_hk, load_date, load_seq, is_active, record_source)
			WITH came AS (SELECT DISTINCT c_custkey, c_nation, at FROM days.customer WHERE day <= $day),
			moments AS (SELECT DISTINCT c_custkey, at FROM came),
			states AS (SELECT c_custkey, l.c_nation, m.at, c.at IS NOT NULL AS active FROM (SELECT DISTINCT c_custkey, c_nation FROM came) l JOIN moments m USING (c_custkey) LEFT JOIN came c USING (c_custkey, c_nation, at)),
			changes AS (SELECT *, lag(active, 1, false) OVER (PARTITION BY c_custkey, c_nation ORDER BY at) AS before FROM states)
			SELECT " . key_hash($profile, @{ $t->{keys} }) . ", at, 0, active, 'stage.customer' FROM changes WHERE active <> before";
	},
	status_tracking => sub {
		my ($e, $profile, $t, $day) = @_;
		return "TRUNCATE $e.$t->{table};
			INSERT INTO $e.$t->{table} (customer_hk, load_date, load_seq, status, record_source)
			WITH lists AS (SELECT DISTINCT day, at FROM days.customer_list WHERE day <= $day),
			states AS (SELECT c_custkey, l.at, c.day IS NOT NULL AS present FROM (SELECT DISTINCT c_custkey FROM days.customer_list) k CROSS JOIN lists l LEFT JOIN days.customer_list c USING (c_custkey, day)),
			changes AS (SELECT *, lag(present, 1, false) OVER (PARTITION BY c_custkey ORDER BY at) AS before FROM states)
			SELECT " . key_hash($profile, @{ $t->{keys} }) . ", at, 0, CASE WHEN present THEN 'I' ELSE 'D' END, 'stage.customer_list' FROM changes WHERE present <> before";
	},
	record_tracking => sub {
		my ($e, $profile, $t, $day) = @_;
		return "TRUNCATE $e.$t->{table};
			INSERT INTO $e.$t->{table} (order_hk, load_date, record_source) SELECT DISTINCT " . key_hash($profile, @{ $t->{keys} }) . ", at, 'stage.orders' FROM days.orders WHERE day <= $day";
	},
	reference => sub {
		my ($e, $profile, $t, $day) = @_;
		my $diff = difference($profile, @{ $t->{columns} });
		return "TRUNCATE $e.ref_nation;
			INSERT INTO $e.ref_nation (n_nationkey, load_date, hash_diff, record_source, n_name, n_region)
			WITH changes AS (SELECT *, $diff AS diff, lag($diff) OVER (PARTITION BY n_nationkey ORDER BY at) AS before FROM days.nation WHERE day <= $day),
			latest AS (SELECT *, row_number() OVER (PARTITION BY n_nationkey ORDER BY at DESC) AS number FROM changes WHERE diff IS DISTINCT FROM before)
			SELECT n_nationkey, at, diff, 'stage.nation', n_name, n_region FROM latest WHERE number = 1;
			TRUNCATE $e.ref_nation_history;
			INSERT INTO $e.ref_nation_history (n_nationkey, load_date, load_seq, hash_diff, record_source, n_name, n_region)
			WITH changes AS (SELECT *, $diff AS diff, lag($diff) OVER (PARTITION BY n_nationkey ORDER BY at) AS before FROM days.nation WHERE day <= $day)
			SELECT n_nationkey, at, 0, diff, 'stage.nation', n_name, n_region FROM changes WHERE diff IS DISTINCT FROM before";
	},
);

# A version is what differs from the one before it: of those that are there and those that come.
sub versions
{
	my ($e, $t, $hk, $key, $diff, $columns, $sequence) = @_;
	my $there = "FROM $e.$t->{table} v WHERE v.$hk = s.hk";
	return "INSERT INTO $e.$t->{table} ($hk, load_date, load_seq, hash_diff, record_source, $columns)
		WITH s AS (SELECT *, $key AS hk, $diff AS diff, $sequence AS number FROM stage.$t->{source}),
		fresh AS (SELECT * FROM s WHERE NOT EXISTS (SELECT $there AND v.load_date = s.at AND v.hash_diff = s.diff)),
		everything AS (
			SELECT hk, at, 1 AS new, number, NULL::int AS load_seq, diff, $columns FROM fresh
			UNION ALL SELECT $hk, load_date, 0, load_seq, load_seq, hash_diff, $columns FROM $e.$t->{table} WHERE $hk IN (SELECT hk FROM fresh)),
		changes AS (SELECT *, lag(diff) OVER (PARTITION BY hk ORDER BY at, new, number) AS before, max(load_seq) OVER (PARTITION BY hk, at) AS last FROM everything)
		SELECT hk, at, coalesce(last + 1, 0) + row_number() OVER (PARTITION BY hk, at ORDER BY number) - 1, diff, 'stage.$t->{source}', $columns
		FROM changes WHERE new = 1 AND diff IS DISTINCT FROM before";
}

# in the background, beside the load
sub expect_day
{
	my ($e, $profile, $day) = @_;
	my @statements = map { $expect{ $_->{kind} }->($e, $profile, $_, $day) } sort { ($a->{kind} ne 'hub') <=> ($b->{kind} ne 'hub') } @tables;
	return background_query($node, join(";\n", @statements, map { "ANALYZE $e.$_" } qw(hub_lineitem link_lineitem_order sat_lineitem)) . ';');
}

my %all = map { $_->{table} => $_ } @tables;
my @names = (sort(keys %all), 'ref_nation_history');

# The table without its ghosts.  In an effectivity satellite a late set leaves rows that say what was so before: without those.
sub rows_of
{
	my ($schema, $table) = @_;
	return "SELECT customer_nation_hk, load_date, is_active, record_source FROM (SELECT *, lag(is_active, 1, false) OVER (PARTITION BY customer_nation_hk ORDER BY load_date, load_seq) AS before FROM $schema.$table) x WHERE is_active <> before"
	  if $table eq 'sat_customer_nation';
	return "SELECT * FROM $schema.$table WHERE load_date > '0002-01-01'";
}

sub same_tables
{
	my ($one, $other, $claim) = @_;
	for my $table (@names)
	{
		my ($a, $b) = map { sql('SELECT count(*), sum(hash_record_extended(t, 0)::numeric) FROM (' . rows_of($_, $table) . ') t') } $one, $other;
		is($a, $b, "$one.$table: $claim");
		next if $a eq $b;
		diag("only in $_->[0]:\n" . sql('(' . rows_of($_->[0], $table) . ' EXCEPT ALL ' . rows_of($_->[1], $table) . ') ORDER BY 1, 2 LIMIT 6')) for [ $one, $other ], [ $other, $one ];
	}
}

# what Python makes of the keys and differences of the rows that came
sub same_hashes
{
	my ($vault, $profile, $source, $keys, $columns, $found) = @_;
	my $rows = sql("SELECT row_to_json(s) FROM days.$source s WHERE $keys->[0] % 7 = 1 LIMIT 4000");
	my ($out, $err);
	IPC::Run::run([ 'python3', 'test/differential/vault_hashes.py', $profile, join(',', @$keys), join(',', @$columns) ], \"$rows\n", \$out, \$err) or die $err;
	my %python = map { $_ => 1 } split /\n/, $out;
	my %ours = map { $_ => 1 } split /\n/, sql($found);
	cmp_ok(scalar keys %python, '>', 1000 * $scale, "$vault: a thousand hashes of $source by Python");
	is(scalar(grep { !$ours{$_} } keys %python), 0, "$vault: all of them are in the vault");
}

# --- three days ---

make_sources();
for my $vault (sort keys %profiles)
{
	make_vault($vault, $profiles{$vault});
	sql("CREATE SCHEMA e_$vault;" . join ' ', map { "CREATE TABLE e_$vault.$_ (LIKE $vault.$_);" } @names);
}
is(sql("SELECT string_agg(n, ' ' ORDER BY n) FROM (SELECT substring(name, '^[a-z]+') || ' ' || count(*) FROM lyftron.vault_tables WHERE vault = 'adv' GROUP BY substring(name, '^[a-z]+')) x (n)"),
	'hub 6 link 5 ref 2 sat 8', 'what the vault has');

for my $day (1 .. 3)
{
	stage_day($day);
	my %expected = map { $_ => expect_day("e_$_", $profiles{$_}, $day) } sort keys %profiles;
	sql("SELECT * FROM lyftron.load_vault('$_')") for sort keys %profiles;
	is(sql("SELECT sum(inserted) FROM lyftron.load_vault('$_')"), 0, "day $day again in $_: nothing") for sort keys %profiles;
	for my $vault (sort keys %profiles)
	{
		$expected{$vault}{run}->finish;
		is(${ $expected{$vault}{err} }, '', "$vault: what is expected on day $day");
		same_tables($vault, "e_$vault", "day $day");
	}
}
for my $vault (sort keys %profiles)
{
	my $cut = sub { "substr($_[0]::text, 3)" };
	same_hashes($vault, $profiles{$vault}, 'customer', [qw(c_custkey)], $all{sat_customer}{columns}, 'SELECT ' . $cut->('customer_hk') . " || ' ' || " . $cut->('hash_diff') . " FROM $vault.sat_customer");
	same_hashes($vault, $profiles{$vault}, 'lineitem', [qw(l_orderkey l_linenumber)], $all{sat_lineitem}{columns}, 'SELECT ' . $cut->('lineitem_hk') . " || ' ' || " . $cut->('hash_diff') . " FROM $vault.sat_lineitem");
	same_hashes($vault, $profiles{$vault}, 'customer', [qw(c_custkey c_nation)], [qw(c_custkey)],
		'SELECT DISTINCT ' . $cut->('customer_nation_hk') . " || ' ' || md5(h.c_custkey::text" . ($profiles{$vault} eq 'lyftron' ? " || '|'" : '') . ") FROM $vault.link_customer_nation l JOIN $vault.hub_customer h USING (customer_hk)");
}
is(sql('SELECT count(*) FROM lyftron.hub_customer WHERE load_date < \'0002-01-01\''), 2, 'two ghosts');

# --- killed ---

# What was killed is shown until the server has begun anew: before that it may still take connections.
sub recovered
{
	return wait_until(60, sub {
		my ($ret, $count) = eval { $node->psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'loader'}) };
		return defined $ret && $ret == 0 && $count eq '0';
	});
}

# Load source by source in a session of its own, which is ended at some moment: was it?
my $usual = 1;    # seconds that a load takes

sub load_and_kill
{
	my ($vault, $hard) = @_;
	my $query = background_query($node, "SET application_name = 'loader'; " . join ' ', map { "SELECT count(*) FROM lyftron.load_vault('$vault', 'stage.$_');" } @order);
	my $pid;
	my $over = sub { $query->{run}->pump_nb; return !$query->{run}->pumpable };
	wait_until(10, sub { $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'loader' AND state = 'active'}); return $pid || $over->(); });
	if (!$pid) { $query->{run}->finish; return 0; }
	sleep(rand($usual));
	my $at_work = sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'active'");
	if ($at_work) { $hard ? kill('KILL', $pid) : sql("SELECT pg_terminate_backend($pid)"); }
	eval { $query->{run}->finish };
	recovered() or die 'the server does not recover';
	return $at_work;
}

make_vault('killed', 'lyftron');
my $killed = 0;
for my $day (1 .. 3)
{
	stage_day($day);
	sql('CHECKPOINT');    # recovery has less to do
	$usual = $day == 1 ? 4 * $scale : 1;
	my $until = 7 * $day > 20 ? 20 : 7 * $day;
	for (1 .. 40)
	{
		last if $killed >= $until;
		my $at_work = load_and_kill('killed', $killed % 2);
		$killed += $at_work;
		$usual /= 1.5 unless $at_work;
	}
	sql("SELECT count(*) FROM lyftron.load_vault('killed')");
}
is($killed, 20, '20 backends were ended at work');
same_tables('killed', 'e_lyftron', 'ended at 20 moments');

# --- sources at once ---

sql(q{
	CREATE TABLE stage.a AS SELECT i AS id, timestamptz '2026-01-01' AS at FROM generate_series(1, 40000) i;
	CREATE TABLE stage.b AS SELECT i AS id, timestamptz '2026-01-02' AS at FROM generate_series(20001, 60000) i;
	CREATE TABLE stage.c AS SELECT i AS id, timestamptz '2026-01-03' AS at FROM generate_series(60001, 100000) i;
	SELECT lyftron.create_vault('many', 'many');
	SELECT lyftron.create_hub('many', 'hub_thing', 'stage.a', '{id}', load_date => 'at');
	SELECT lyftron.create_hub('many', 'hub_thing', 'stage.b', '{id}', load_date => 'at');
	SELECT lyftron.create_hub('many', 'hub_thing', 'stage.c', '{id}', load_date => 'at')});
my $first = background_query($node, q{SET application_name = 'first'; BEGIN; SELECT inserted FROM lyftron.load_vault('many', 'stage.a'); SELECT pg_sleep(3); COMMIT});
wait_until(10, sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'first' AND wait_event = 'PgSleep'}) });
is(sql(q{SET lock_timeout = '1s'; SELECT inserted FROM lyftron.load_vault('many', 'stage.c')}), 40000, 'other keys of another source wait for nobody');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'first' AND wait_event = 'PgSleep'}), 1, 'while the first one is not over');
is(sql(q{SELECT inserted FROM lyftron.load_vault('many', 'stage.b')}), 20000, 'the same keys are inserted once');
$first->{run}->finish;
is(${ $first->{err} }, '', 'no error');
is(sql("SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE load_date = '2026-01-01') FROM many.hub_thing WHERE id > 0"), '100000|100000|40000', 'each key is there once');
for my $round (1 .. 3)
{
	sql('TRUNCATE many.hub_thing');
	my @loads = map { background_query($node, "SELECT inserted FROM lyftron.load_vault('many', 'stage.$_')") } qw(a b c);
	$_->{run}->finish for @loads;
	is(join('', map { ${ $_->{err} } } @loads), '', "at once, round $round: no error");
	my $sum = 0;
	$sum += ${ $_->{out} } for @loads;
	is("$sum " . sql('SELECT count(*) FROM many.hub_thing'), '100000 100000', 'each key once');
}

done_testing();
