# Alerts: who wants to know is told once that a pipeline failed, succeeds again or is late, by NOTIFY and by a
# webhook that may be away for a while; and nothing secret is to be seen of it.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use JSON::PP;
use LyftronTest;
use Test::More;

my $port = start_server('webhook.py');
my $node = new_node('alerts', "max_worker_processes = 20\n");
my $json = JSON::PP->new;
my $hook = "http://127.0.0.1:$port/hook";

sub sql { return $node->safe_psql('postgres', shift); }
sub fails { my ($query, $wanted, $what) = @_; return like(($node->psql('postgres', $query, extra_params => [ '-v', 'VERBOSITY=verbose' ]))[2], $wanted, $what); }
sub got { return @{ $json->decode(LyftronTest::http('GET', $port, "/admin/got?hook=$_[0]")) }; }
sub told { return map { $json->decode($_->{body}) } got(shift); }
sub fail_next { my ($name, $status, $times, $more) = @_; return api_post($port, "/admin/fail?hook=$name&status=$status&times=$times" . ($more // '')); }

# Do what is ready, and at once what is to be tried again.
sub work { return sql("UPDATE lyftron.queue SET run_at = now() WHERE state = 'scheduled'; SELECT lyftron.tick(); CALL lyftron.work()"); }
sub webhook_task { return sql("SELECT state || ' ' || attempt || ' ' || coalesce(sqlstate || ': ' || error, '') FROM lyftron.task WHERE kind = 'webhook' ORDER BY id DESC LIMIT 1"); }

sql(q{
	CREATE TABLE knob (n int);
	INSERT INTO knob VALUES (0);
	SELECT lyftron.create_pipeline('sums', kind => 'sql', source => 'SELECT 1 / n FROM knob');
	SELECT lyftron.create_pipeline('others', kind => 'sql', source => 'SELECT 1');
	CREATE ROLE ann LOGIN;
	SET ROLE ann;
	SELECT lyftron.create_pipeline('hers', kind => 'sql', source => 'SELECT 1 / 0');});
sub turn { return sql("UPDATE knob SET n = $_[0]"); }
sub run_sums { return sql("SELECT lyftron.trigger('sums'); CALL lyftron.work()"); }

# --- making one ---

fails("SELECT lyftron.create_alert('a', '{failed,broken}')", qr/22023: an alert's events are wrong\nHINT:  There are failed, recovered, late and schema/, 'events that there are');
fails("SELECT lyftron.create_alert('a', '{}')", qr/22023: an alert's events are wrong/, 'at least one');
fails("SELECT lyftron.create_alert('a', pipeline => 'none')", qr/42704/, 'a pipeline that there is');
fails("SET ROLE ann; SELECT lyftron.create_alert('a', pipeline => 'sums')", qr/42501/, 'and that one may use');
fails("SELECT lyftron.create_alert('a', webhook => 'ftp://127.0.0.1/')", qr/22023: an alert's webhook must be a URL/, 'a URL');
fails(qq{SELECT lyftron.create_alert('a', webhook => '$hook/a', headers => '{"n": 1}')}, qr/22023: an alert's headers must be texts/, 'headers that are texts');
fails("SELECT lyftron.create_alert(NULL)", qr/22004/, 'a name');

sql(qq{SELECT lyftron.create_alert('ops', pipeline => 'sums', webhook => '$hook/ops?key=path-secret-42', headers => '{"Authorization": "Bearer header-secret-4711"}', late_after => '30 minutes')});
sql("SELECT lyftron.create_alert('quiet', events => '{recovered}', pipeline => 'others', webhook => '$hook/quiet')");
fails("SET ROLE ann; SELECT lyftron.create_alert('a', webhook => '$hook/ann')", qr/42501: permission denied for foreign-data wrapper lyftron_rest/, 'a webhook is for those who may make a server');
sql('GRANT USAGE ON FOREIGN DATA WRAPPER lyftron_rest TO ann');
sql("SET ROLE ann; SELECT lyftron.create_alert('ann', webhook => '$hook/ann')");
fails("SELECT lyftron.create_alert('ops')", qr/42710: alert "ops" already exists/, 'a name once');
is(sql('SELECT name, events, pipeline, late_after FROM lyftron.alerts ORDER BY name'), "ann|{failed,recovered,late}||\nops|{failed,recovered,late}|sums|00:30:00\nquiet|{recovered}|others|", 'alerts');
is(sql('SET ROLE ann; SELECT name FROM lyftron.alerts'), 'ann', 'one sees one\'s own');
fails('SET ROLE ann; SELECT headers FROM lyftron.alert', qr/42501/, 'and no headers');
fails("SET ROLE ann; SELECT lyftron.drop_alert('ops')", qr/42501/, 'and drops one\'s own');

# --- failed ---

my $out = sql("LISTEN lyftron_alert; SELECT lyftron.trigger('sums'); CALL lyftron.work(); SELECT 1");
my ($payload) = $out =~ /Asynchronous notification "lyftron_alert" with payload "(.*)" received/;
my $event = $json->decode($payload);
is("$event->{event} $event->{pipeline} $event->{sqlstate} $event->{error}", 'failed sums 22012 division by zero', 'a failure is notified');
is($event->{task}, sql("SELECT max(id) FROM lyftron.task WHERE name = 'sums'"), 'with its task');
is($event->{run}, sql("SELECT max(id) FROM lyftron.jobs WHERE pipeline = 'sums'"), 'and run');
like($event->{at}, qr/^20\d\d-\d\d-\d\dT/, 'and time');
my @ops = got('ops');
is(scalar @ops, 1, 'and posted');
is_deeply($json->decode($ops[0]{body}), $event, 'the same');
is("$ops[0]{headers}{Authorization}; $ops[0]{headers}{'Content-Type'}", 'Bearer header-secret-4711; application/json', 'with the headers');
like(webhook_task(), qr/^succeeded 1 $/, 'by a task');
is(scalar got('quiet') + got('ann'), 0, 'others are not told');

# --- recovered, once ---

turn(1);
run_sums();
is((told('ops'))[-1]{event}, 'recovered', 'a success after a failure');
run_sums();
is(scalar got('ops'), 2, 'another one is none');

# --- a failure that is tried again is none; a cancelled one neither ---

sql(q{SELECT lyftron.create_pipeline('locked', kind => 'sql', source => $q$DO $$BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '55P03'; END$$$q$);
	SELECT lyftron.create_alert('locked', pipeline => 'locked', webhook => '} . "$hook/locked');");
sql("SELECT lyftron.trigger('locked'); CALL lyftron.work()");
is(scalar got('locked'), 0, 'an attempt that failed is told to nobody');
work() for 1 .. 4;
is(join(' ', map { "$_->{event} $_->{sqlstate}" } told('locked')), 'failed 55P03', 'the last one is');
sql("SELECT lyftron.trigger('locked'); SELECT lyftron.cancel_task(id) FROM lyftron.task WHERE name = 'locked' AND state = 'ready'");
work();
is(scalar got('locked'), 1, 'a cancelled task is told to nobody');

# --- a session that died ---

sql(q{SELECT lyftron.create_pipeline('dead', kind => 'sql', source => 'SELECT 1'); SELECT lyftron.create_alert('dead', pipeline => 'dead', webhook => '} . "$hook/dead');
	SELECT lyftron.trigger('dead'); UPDATE lyftron.queue SET state = 'running', attempt = 5, started_at = now(), pid = 0 WHERE name = 'dead'");
work();
is(join(' ', map { "$_->{event} $_->{error}" } told('dead')), 'failed the session that ran it ended', 'a task whose session is gone for the last time');

# --- a source that has changed ---

sql('CREATE TABLE shape (id int PRIMARY KEY)');
sql(q{SELECT lyftron.create_pipeline('shape', source => 'shape', destination => 'shaped'); SELECT lyftron.create_alert('shape', events => '{schema}', pipeline => 'shape', webhook => '} . "$hook/shape'); CALL lyftron.run('shape')");
sql("ALTER TABLE shape ADD more text; CALL lyftron.run('shape')");
work() for 1 .. 2;
is(join(' ', map { "$_->{event} $_->{pipeline} $_->{change} $_->{column} $_->{severity} $_->{answer}" } told('shape')), 'schema shape column_added more info evolve', 'a change of a source is told, also of a run that was no task');
work();
is(scalar got('shape'), 1, 'once');

# --- a webhook that is away, or does not want it ---

fail_next('ops', 503, 2);
turn(0);
run_sums();
like(webhook_task(), qr/^scheduled 1 HV000: the webhook answered with status 503$/, 'an alert that cannot be brought is tried again');
work() for 1 .. 3;
like(webhook_task(), qr/^succeeded 3 $/, 'until it can');
is(join(' ', map { "$_->{status}" } (got('ops'))[2 .. 4]), '503 503 200', 'which the webhook sees, too');
is(scalar got('ops'), 5, 'and no more');

fail_next('ops', 404, 1);
run_sums();
like(webhook_task(), qr/^failed 1 HV000: the webhook answered with status 404$/, 'one that is refused is not');
like(sql("SELECT name || ': ' || level || ' ' || message || ' ' || coalesce(retry_at::text, 'over') FROM lyftron.task_log WHERE kind = 'webhook' ORDER BY task DESC, at DESC LIMIT 1"),
	qr/^ops: error the webhook answered with status 404 over$/, 'as its log says');
sql("SELECT lyftron.retry_task(max(id)) FROM lyftron.task WHERE kind = 'webhook'");
work();
is((got('ops'))[-1]{status}, 200, 'but when somebody wants it');

fail_next('ops', 429, 1, '&retry_after=1000');
run_sums();
is(sql("SELECT run_at - started_at > interval '990 s' FROM lyftron.task WHERE kind = 'webhook' ORDER BY id DESC LIMIT 1"), 't', 'a webhook says when to come again');
work();
fail_next('ops', 307, 1);
run_sums();
like(webhook_task(), qr/^scheduled 1 HV000: the webhook answered with status 307$/, 'a redirect');
is(scalar got('elsewhere'), 0, 'is not followed');
work();
my $closed = free_port();
sql(qq{SELECT lyftron.create_alert('closed', '{failed}', 'sums', 'http://user:pass-secret\@127.0.0.1:$closed/path-secret-42', '{"X-Key": "header-secret-4711"}')});
run_sums();
like(sql("SELECT state || ' ' || error FROM lyftron.task WHERE kind = 'webhook' AND name = 'closed'"), qr/^scheduled could not connect/, 'nobody at home');
sql("SELECT lyftron.drop_alert('closed')");
work();
like(sql("SELECT state || ' ' || error FROM lyftron.task WHERE kind = 'webhook' AND name = 'closed'"), qr/^failed there is no alert "closed" with a webhook any more/, 'an alert that is dropped tells no more');

# --- whose it is ---

my $before = got('ops');
sql("SET ROLE ann; SELECT lyftron.trigger('hers'); CALL lyftron.work()");
is(scalar got('ops'), $before, 'one hears of the pipeline that was named');
like(sql("SELECT owner::text || ' ' || state || ' ' || attempt || ' ' || sqlstate || ' ' || error FROM lyftron.task WHERE kind = 'webhook' AND name = 'ann'"),
	qr/^ann failed 1 42501 connection to host "127\.0\.0\.1" is not allowed/, 'hosts are those that the alert\'s owner may be connected to');
is(scalar got('ann'), 0, 'and no others');
sql("ALTER ROLE ann SET lyftron.allowed_hosts = '127.0.0.1'");
$node->safe_psql('postgres', "SELECT lyftron.retry_task(id) FROM lyftron.task WHERE kind = 'webhook' AND name = 'ann'; CALL lyftron.work()", connstr => $node->connstr('postgres') . ' user=ann');
is((told('ann'))[0]{pipeline}, 'hers', 'where they may, it is told of its own');
sql("SELECT lyftron.create_alert('all', '{failed}', webhook => '$hook/all'); SET ROLE ann; SELECT lyftron.trigger('hers'); CALL lyftron.work()");
work();
is(join(' ', map { $_->{pipeline} } told('all')), 'hers', 'a superuser hears of all');
sql("SELECT lyftron.drop_alert('all')");

# --- late ---

turn(1);
run_sums();
$before = got('ops');
sql("SELECT lyftron.alter_pipeline('sums', schedule => '0 0 1 1 *', pool => 'nobody'); SELECT lyftron.tick()");
# It was due some time ago, and what ran so far did before that.
my $due = sub { return sql("UPDATE lyftron.run SET started_at = started_at - interval '1 hour' WHERE pipeline = 'sums'; UPDATE lyftron.due SET next_at = now() - interval '$_[0]' WHERE pipeline = 'sums'; SELECT lyftron.tick()"); };
$due->('29 minutes');
work();
is(scalar got('ops'), $before, 'a pipeline that is due is not late at once');
sql("UPDATE lyftron.expected SET due_at = due_at - interval '1 minute'");
sql('SELECT lyftron.tick()');
work();
my $late = (told('ops'))[-1];
is("$late->{event} $late->{pipeline}", 'late sums', 'but after a while');
like($late->{error}, qr/^it has not succeeded since it was due at 20/, 'which says since when');
ok(!defined $late->{task} && !defined $late->{run}, 'of no task and no run');
sql('SELECT lyftron.tick()');
work();
is(scalar got('ops'), $before + 1, 'once');
$due->('31 minutes');
work();
is(scalar got('ops'), $before + 2, 'and once when it was due again');
sql("CALL lyftron.work('nobody')");
work();
$before = got('ops');
$due->('29 minutes');
sql("CALL lyftron.work('nobody')");
sql("UPDATE lyftron.expected SET due_at = due_at - interval '1 minute'");
work();
is(scalar got('ops'), $before, 'one that has succeeded since is not late');
is(sql('SELECT count(*) FROM lyftron.expected'), 0, 'and not waited for');
$due->('29 minutes');
sql("CALL lyftron.work('nobody')");
sql("UPDATE lyftron.due SET next_at = now() - interval '10 minutes' WHERE pipeline = 'sums'; SELECT lyftron.tick()");
is(sql("SELECT date_trunc('minute', now() - due_at) FROM lyftron.expected"), '00:10:00', 'after a success the next time counts');
sql("SELECT lyftron.pause_pipeline('sums'); UPDATE lyftron.expected SET due_at = due_at - interval '1 hour'");
work();
is(scalar got('ops'), $before, 'a paused one is not late');
sql("SELECT lyftron.resume_pipeline('sums'); SELECT lyftron.alter_pipeline('sums', schedule => '', pool => 'default'); DELETE FROM lyftron.queue");

# --- by background workers ---

turn(0);
$before = got('ops');
sql("SELECT lyftron.start(); SELECT lyftron.trigger('sums')");
ok(wait_until(20, sub { got('ops') == $before + 1 }), 'workers do it, too');
sql('SELECT lyftron.stop()');

# --- nothing secret ---

my $shown = sql(q{SELECT to_jsonb(t) FROM lyftron.task t; SELECT to_jsonb(t) FROM lyftron.task_log t; SELECT to_jsonb(a) - 'webhook' FROM lyftron.alerts a;
	SELECT to_jsonb(t) FROM lyftron.queue t; SELECT to_jsonb(t) FROM lyftron.history t; SELECT to_jsonb(t) FROM lyftron.log t; SELECT lyftron.metrics()});
unlike($shown, qr/header-secret|path-secret|pass-secret/, 'no secret in any view, history or log');
like($shown, qr/could not connect/, 'though what went wrong is there');
my @log = grep { !/lyftron\.create_alert\(/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile);
is(scalar(grep { /header-secret|pass-secret/ } @log), 0, 'nor in the server\'s log, but for the statement that made it');

# --- gone ---

sql("SELECT lyftron.drop_pipeline('sums')");
is(sql("SELECT count(*) FROM lyftron.alerts WHERE name = 'ops'"), 0, 'an alert goes with its pipeline');
fails("SELECT lyftron.drop_alert('ops')", qr/42704: there is no alert "ops"/, 'and cannot be dropped then');

done_testing();
