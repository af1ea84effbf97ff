# What holds requests back is counted over all sessions of an account: rates are never exceeded and nearly used up, a word of the
# source's to one session holds for all, and what a session had in flight ends with it. The API counts for itself.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use List::Util qw(max min);
use LyftronTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $manifest = PostgreSQL::Test::Utils::slurp_file('test/data/counted.yaml');
my $node = new_node('main', "lyftron.allowed_hosts = '*, 127.0.0.1'\nrestart_after_crash = on\n");
my $port = start_server('counting_api.py');

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }
sub begin { my ($delay) = @_; api_post($port, '/admin/begin?delay=' . ($delay // 0)); return; }

# The requests of one account, or of all.
sub requests
{
	my ($who) = @_;
	return grep { !defined $who || $_->{who} eq "Bearer $who" } @{ decode_json(LyftronTest::http('GET', $port, '/admin/log')) };
}

# A server of its own for each case: what was counted for another one is not in the way.
my $servers = 0;
sub server
{
	my ($options, $budget, $pages) = @_;
	$pages //= 1000;
	my $name = 's' . ++$servers;
	$budget = defined $budget ? "api_budget: {type: HTTPAPIBudget, policies: [$budget]}\n" : '';
	sql(qq{
		SELECT lyftron.add_connector('$name', \$yaml\$$manifest$budget\$yaml\$);
		CREATE SERVER $name FOREIGN DATA WRAPPER lyftron_rest
			OPTIONS (connector '$name', config '{"base_url": "http://127.0.0.1:$port", "pages": $pages}'@{[ $options ? ", $options" : '' ]});
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (secrets '{"token": "token-one"}');
		CREATE SCHEMA $name;
		IMPORT FOREIGN SCHEMA "default" FROM SERVER $name INTO $name;});
	return $name;
}

# So many sessions that read for so long.
sub sessions
{
	my ($name, $count, $seconds, $role) = @_;
	my $set = defined $role ? "SET ROLE $role; " : '';
	return map { background_query($node, "${set}SET statement_timeout = '${seconds}s'; SELECT count(*) FROM $name.pages") } 1 .. $count;
}
sub finish { $_->{run}->finish for @_; return; }

# Most requests in any window of that length, each ending with a request.
sub most_in_window
{
	my ($seconds, @log) = @_;
	my @at = sort { $a <=> $b } map { $_->{arrived} } @log;
	my ($first, $most) = (0, 0);
	for my $last (0 .. $#at)
	{
		$first++ while $at[$first] <= $at[$last] - $seconds;
		$most = max($most, $last - $first + 1);
	}
	return $most;
}

# What part of what is allowed was used, in the whole windows from the first request on.
sub share
{
	my ($limit, $seconds, @log) = @_;
	my @at = sort { $a <=> $b } map { $_->{arrived} } @log;
	my $windows = int(($at[-1] - $at[0]) / $seconds);
	return grep({ $_ < $at[0] + $windows * $seconds } @at) / ($limit * $windows);
}

sub used_up
{
	my ($limit, $seconds, $what, @log) = @_;
	my $share = share($limit, $seconds, @log);
	note sprintf('%s: %d requests, %.1f %% of what is allowed', $what, scalar @log, 100 * $share);
  SKIP:
	{
		skip 'a slowed down server does not use up anything', 1 if watched();
		cmp_ok($share, '>', 0.95, "$what: above 95 % of what is allowed");
	}
	return;
}

# --- rates, over six sessions ---

begin();
my $name = server("rate_limit '50/s'");
finish(sessions($name, 6, 12));
my @log = requests();
is(most_in_window(1, @log), 50, 'an option of 50/s: never more in any second');
used_up(50, 1, 'an option of 50/s', @log);

begin();
$name = server('', '{type: MovingWindowCallRatePolicy, rates: [{type: Rate, limit: 40, interval: PT2S}], matchers: []}');
finish(sessions($name, 6, 12));
@log = requests();
is(most_in_window(2, @log), 40, 'an api_budget of 40 in 2 s: never more in any 2 s');
used_up(40, 2, 'an api_budget of 40 in 2 s', @log);

begin();
$name = server("rate_limit '30/s, 60/5s'");
finish(sessions($name, 6, 12));
@log = requests();
cmp_ok(most_in_window(1, @log), '<=', 30, 'two rates: the one of a second is kept');
is(most_in_window(5, @log), 60, 'two rates: that of 5 seconds, too');
is(sql("SELECT string_agg(allowed || ' in ' || per, ', ' ORDER BY per) FROM lyftron.rate_limits WHERE server = '$name' AND limited_by = 'rate_limit'"),
	'30 in 00:00:01, 60 in 00:00:05', 'the view has both');

# Slow answers: a request counts until an interval after its answer began, whenever on its way the API counts it.
begin(100);
$name = server("rate_limit '20/2s'");
finish(sessions($name, 6, 8));
is(most_in_window(2, requests()), 20, 'slow answers: never more in any 2 s');

begin();
$name = server('', '{type: FixedWindowCallRatePolicy, period: PT3S, call_limit: 60, matchers: []}');
api_post($port, '/admin/window?limit=60&seconds=3');
finish(sessions($name, 6, 12));
@log = requests();
is(scalar(grep { $_->{status} == 429 } @log), 0, 'fixed windows that begin anew as the API says: nothing is refused');
my %in_window;
$in_window{ $_->{window} }++ for @log;
delete $in_window{ max(keys %in_window) };
cmp_ok(min(values %in_window), '>', 0.95 * 60, 'fixed windows: above 95 % of what is allowed, in each but the last') unless watched();

# --- a word to one holds for all ---

begin(20);
$name = server();
sql(qq{
	CREATE ROLE other; CREATE ROLE stranger;
	GRANT USAGE ON FOREIGN SERVER $name TO other; GRANT USAGE ON SCHEMA $name TO other; GRANT SELECT ON $name.pages TO other;
	CREATE USER MAPPING FOR other SERVER $name OPTIONS (secrets '{"token": "token-two"}');});
my $held = "FROM lyftron.rate_limits WHERE server = '$name' AND user_name = 'postgres' AND limited_by = 'max_requests'";
my @reading = (sessions($name, 3, 5), sessions($name, 1, 5, 'other'));
ok(wait_until(10, sub { requests('token-one') > 20 && requests('token-two') > 5 }), 'two accounts read');
api_post($port, '/admin/refuse?status=429&who=token-one&Retry-After=3');
ok(wait_until(5, sub { sql("SELECT waiting >= 2 $held") eq 't' }), 'the others wait, and the view says how many');
is(sql("SELECT held_by, held_until - now() BETWEEN '0 s' AND '3 s', in_flight, shared $held"), 'Retry-After|t|0|t', '... why, and until when');
finish(@reading);
@log = requests('token-one');
my ($refused) = grep { $_->{status} == 429 } @log;
my @after = sort { $a <=> $b } map { $_->{arrived} } grep { $_->{arrived} > $refused->{left} } @log;
my @meanwhile = grep { $_ < $refused->{left} + 2.9 } @after;
cmp_ok(scalar(@meanwhile), '<=', 3, 'after a 429 with Retry-After no session of the account sends a request, but for those on their way');
cmp_ok(scalar(grep { $_ > $refused->{left} + 0.1 } @meanwhile), '==', 0, '... for all of that time');
cmp_ok(scalar(grep { $_->{arrived} > $refused->{left} + 0.5 && $_->{arrived} < $refused->{left} + 2.5 } requests('token-two')), '>', 5, 'another account goes on');
cmp_ok(scalar(@after), '>', 3, 'afterwards they go on');

# Too long to be waited for: an error in all sessions, at once.
begin();
$name = server();
api_post($port, '/admin/refuse?status=503&who=token-one&Retry-After=1800');
for my $session (1 .. 2)
{
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT count(*) FROM $name.pages");
	like($err, $session == 1 ? qr/status 503/ : qr/wants no requests for another 1[78]\d\d s/, "a longer wait than allowed: an error in session $session");
}
is(scalar(@log = requests()), 1, 'the second did not ask');

# --- who may see it ---

sql("GRANT USAGE ON FOREIGN SERVER $name TO other");
is(sql("SET ROLE other; SELECT count(*) FROM lyftron.rate_limits WHERE server = '$name'"), '1', 'who may use the server sees what holds it back');
is(sql('SET ROLE stranger; SELECT count(*) FROM lyftron.rate_limits'), '0', 'nobody else sees it');

# --- requests in flight ---

begin(50);
$name = server("max_requests '3'", undef, 40);
finish(sessions($name, 6, 60));
@log = requests();
is(max(map { $_->{in_flight} } @log), 3, 'no more requests in flight than the option max_requests allows');
is(scalar(@log), 6 * 40, 'all is read');
cmp_ok(max(map { $_->{left} } @log) - min(map { $_->{arrived} } @log), '<', 2 * 6 * 40 * 0.05 / 3, 'as many are in flight as may be') unless watched();

# A cursor that nobody fetches from keeps none from sending.
begin();
$name = server("max_requests '2'");
my $idle = $node->background_psql('postgres');
$idle->query_safe("BEGIN; DECLARE c CURSOR FOR SELECT * FROM $name.pages; FETCH 5 FROM c");
is(sql("SET statement_timeout = '10s'; SELECT count(*) FROM (SELECT FROM $name.pages LIMIT 20) s"), '20', 'an idle cursor leaves a place');
$idle->quit;

# What a session had in flight ends with it.
for my $way ('terminated', 'cancelled', 'killed')
{
	begin(60_000);
	$name = server("max_requests '1', rate_limit '1000/h'");
	my ($stuck) = sessions($name, 1, 60);
	my $places = "FROM lyftron.rate_limits WHERE server = '$name' AND limited_by = 'max_requests'";
	ok(wait_until(10, sub { sql("SELECT in_flight $places") eq '1' && requests() }), 'a request in flight');
	my ($next) = sessions($name, 1, 60);
	ok(wait_until(10, sub { sql("SELECT held_by, waiting $places") eq 'max_requests|1' }), 'another one waits for its place');
	begin();
	my $stuck_pid = sql(q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%pages%' AND pid <> pg_backend_pid() ORDER BY query_start LIMIT 1});
	if ($way eq 'killed')
	{
		kill 'KILL', $stuck_pid;
		finish($stuck, $next);
		ok(wait_until(30, sub { $node->psql('postgres', 'SELECT 1') == 0 }), 'the server recovers');
		is(sql('SELECT count(*) FROM lyftron.rate_limits'), '0', 'a crash of the server clears what was counted');
	}
	else
	{
		sql($way eq 'cancelled' ? "SELECT pg_cancel_backend($stuck_pid)" : "SELECT pg_terminate_backend($stuck_pid)");
		ok(wait_until(10, sub { requests() }), "$way: the other one goes on");
		finish($stuck);
		sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pages%' AND pid <> pg_backend_pid()});
		finish($next);
	}
	is(sql("SELECT count(*) FROM (SELECT FROM $name.pages LIMIT 20) s"), '20', "$way: reading goes on");
	is(sql("SELECT coalesce(sum(in_flight + waiting), 0) $places"), '0', "$way: nothing stays in flight, nobody waits");
}

# Who waits can be cancelled.
begin();
$name = server("rate_limit '1/min'");
sql("SELECT FROM $name.pages LIMIT 1");
my $began = time;
my ($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '300ms'; SELECT FROM $name.pages LIMIT 1");
like($err, qr/statement timeout/, 'who waits can be cancelled');
cmp_ok(time - $began, '<', 5, '... at once') unless watched();
is(sql("SELECT waiting FROM lyftron.rate_limits WHERE server = '$name' AND limited_by = 'max_requests'"), '0', '... and waits no more');

# --- more accounts than there is room for: those that come too late are counted by each session alone ---

begin();
my $connector = $name;
sql(join ';', map { qq{
	CREATE SERVER many$_ FOREIGN DATA WRAPPER lyftron_rest
		OPTIONS (connector '$connector', rate_limit '1/h', config '{"base_url": "http://127.0.0.1:$port", "pages": 1}');
	CREATE USER MAPPING FOR CURRENT_USER SERVER many$_ OPTIONS (secrets '{"token": "token-one"}')} } 1 .. 40);
my @lines = split /\n/, sql(q{
	DO $$ BEGIN
		FOR i IN 1 .. 40 LOOP
			PERFORM lyftron.read('many' || i, 'pages');
		END LOOP;
	END $$;
	SELECT count(*), bool_or(NOT shared), bool_and(used = 1) FROM lyftron.rate_limits WHERE server LIKE 'many%' AND limited_by = 'rate_limit'});
is($lines[0], '40|t|t', 'more accounts than there is room for: all are counted, some by the session alone, as the view says');
($ret, $out, $err) = $node->psql('postgres', q{SELECT lyftron.read('many1', 'pages')});
like($err, qr/used up for another 3\d\d\d s/, 'those that have room are counted over all sessions');

done_testing();
