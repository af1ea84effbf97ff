# A flow of thirty pipelines in five layers, done by workers side by side: in order, and past a failure as far as nothing
# waits for it. Times of schedules that went by while the server was down.
use strict;
use warnings FATAL => 'all';
use lib 'test/perl';
use LyftronTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = new_node('flows', "max_worker_processes = 20\nshared_preload_libraries = 'lyftron'\n");
sub sql { return $node->safe_psql('postgres', shift); }

sql(q{
	SELECT lyftron.create_pool('wide', max_workers => 6, min_workers => 6);
	CREATE TABLE step (name text, layer int, began timestamptz, ended timestamptz, pid int);
	CREATE TABLE broken (name text);
	CREATE PROCEDURE do_step(what text, layer int) LANGUAGE plpgsql AS $$
	DECLARE
		began timestamptz := clock_timestamp();
	BEGIN
		IF EXISTS (SELECT FROM broken b WHERE b.name = what) THEN
			RAISE EXCEPTION '% is broken', what;
		END IF;
		PERFORM pg_sleep(0.2);
		INSERT INTO step VALUES (what, do_step.layer, began, clock_timestamp(), pg_backend_pid());
	END$$;});
# each of a layer comes after two of the layer before it
for my $layer (0 .. 4)
{
	for my $i (0 .. 5)
	{
		my $after = $layer == 0 ? 'NULL' : sprintf "'{p%d_%d,p%d_%d}'", $layer - 1, $i, $layer - 1, ($i + 1) % 6;
		sql("SELECT lyftron.create_pipeline('p${layer}_$i', kind => 'sql', source => 'CALL public.do_step(''p${layer}_$i'', $layer)', pool => 'wide', after => $after)");
	}
}
my $roots = "ARRAY['p0_0','p0_1','p0_2','p0_3','p0_4','p0_5']";
my $unfinished = "SELECT unfinished FROM lyftron.flows ORDER BY id DESC LIMIT 1";
work_by_pg_cron('wide', 6) if driven_by_pg_cron();
wait_until(20, sub { sql("SELECT count(*) FROM lyftron.workers() WHERE pool = 'wide'") >= 6 });

my $start = time;
sql("SELECT lyftron.trigger($roots)");
ok(wait_until(60, sub { sql($unfinished) eq '0' }), 'a flow of thirty pipelines comes to its end');
note(sprintf 'in %.1f s, one after the other it takes 6 s', time - $start);
is(sql('SELECT state, tasks, succeeded FROM lyftron.flows ORDER BY id DESC LIMIT 1'), 'succeeded|30|30', 'all succeeded');
is(sql('SELECT count(*), count(DISTINCT name) FROM step'), '30|30', 'each was done once');
is(sql(q{SELECT count(*) FROM lyftron.pipelines p, unnest(p.after) a JOIN step u ON u.name = a, step s WHERE s.name = p.name AND s.began < u.ended}), '0', 'none began before those it comes after had ended');
cmp_ok(sql(q{SELECT count(DISTINCT s.name) FROM step s JOIN step o ON o.layer = s.layer AND o.name <> s.name AND tstzrange(o.began, o.ended) && tstzrange(s.began, s.ended)}), '>=', 25,
	'those of a layer ran side by side');

sql("TRUNCATE step; INSERT INTO broken VALUES ('p1_2')");
sql("SELECT lyftron.trigger($roots)");
ok(wait_until(60, sub { sql($unfinished) eq '0' }), 'with one that fails it comes to its end, too');
# p1_2 goes before p2_2 and p2_1, these before p3_2, p3_1 and p3_0, these before p4_2, p4_1, p4_0 and p4_5
is(sql("SELECT string_agg(name, ' ' ORDER BY name) FROM lyftron.task WHERE flow = (SELECT max(id) FROM lyftron.flows) AND state = 'skipped'"),
	'p2_1 p2_2 p3_0 p3_1 p3_2 p4_0 p4_1 p4_2 p4_5', 'what waits for it is skipped, and what waits for that');
is(sql('SELECT state, succeeded, failed, skipped FROM lyftron.flows ORDER BY id DESC LIMIT 1'), 'failed|20|1|9', 'all else is done');
sql("DELETE FROM broken");
is(sql("SELECT lyftron.retry_failed()"), '1', 'what failed is done again');
ok(wait_until(60, sub { sql("SELECT count(*) FROM lyftron.queue") eq '0' }), 'with what was skipped');
is(sql('SELECT count(DISTINCT name) FROM step'), '30', 'so that all is done');

# --- many that end at the same moment, and one that waits for all of them ---

sql(q{
	SELECT lyftron.create_pipeline('leaf_' || i, kind => 'sql', source => 'SELECT 1', pool => 'wide') FROM generate_series(1, 64) i;
	CREATE TABLE gathered (at timestamptz DEFAULT clock_timestamp());
	SELECT lyftron.create_pipeline('gather', kind => 'sql', source => 'INSERT INTO public.gathered DEFAULT VALUES', pool => 'wide',
		after => (SELECT array_agg('leaf_' || i) FROM generate_series(1, 64) i));});
for (1 .. 5)
{
	sql("SELECT lyftron.trigger((SELECT array_agg('leaf_' || i) FROM generate_series(1, 64) i))");
	wait_until(60, sub { sql('SELECT count(*) FROM lyftron.queue') eq '0' });
}
is(sql('SELECT count(*) FROM gathered'), '5', 'one that waits for 64 others is done each time, once');
is(sql("SELECT count(*) FROM lyftron.task WHERE name LIKE 'leaf%' AND state = 'succeeded'"), 5 * 64, 'as those are');

# --- the server was down ---

sql(q{
	CREATE TABLE ran (what text, nominal timestamptz);
	SELECT lyftron.create_pipeline(m, kind => 'sql', schedule => '3 seconds', missed => m, pool => 'wide',
		source => format('INSERT INTO public.ran VALUES (%L, current_setting(''lyftron.nominal_time'')::timestamptz)', m)) FROM unnest('{once,skip,all}'::text[]) m;});
ok(wait_until(30, sub { sql("SELECT count(DISTINCT what) FROM ran") == 3 }), 'three pipelines with a schedule');
$node->stop('fast');
sleep 11;
my $down_until = time;
$node->start;
ok(wait_until(30, sub { sql("SELECT count(*) FROM (SELECT max(nominal) AS last FROM ran GROUP BY what) x WHERE last > to_timestamp($down_until)") == 3 }), 'after three periods without a server they go on');
sleep 4;
sql('SELECT lyftron.stop()');
is(sql(q{SELECT count(*) - count(DISTINCT (what, nominal)) FROM ran}), '0', 'no time was done twice');
my $gaps = sub { return sql("SELECT count(*) FROM (SELECT nominal - lag(nominal) OVER (ORDER BY nominal) AS gap FROM ran WHERE what = '$_[0]') x WHERE gap > interval '3 seconds'"); };
is($gaps->('all'), '0', 'all: each time that went by is made up for');
cmp_ok($gaps->('once'), '>=', 1, 'once: one run stands for those that were missed');
cmp_ok(sql("SELECT count(*) FROM ran WHERE what = 'all'") - sql("SELECT count(*) FROM ran WHERE what = 'once'"), '>=', 2, 'which were three or so');
$node->stop;

done_testing();
