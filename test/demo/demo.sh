#!/usr/bin/env bash
# The demo: from nothing to loaded tables in one command, on a Debian 12 that has only git and
# bash.  Starts a throw-away PostgreSQL cluster and a small web API with a year of flights,
# queries the API live, loads it by pipelines twice, lets it be kept fresh by a background worker and then by
# pg_cron, and leaves all running to play with.
#
#     test/demo/demo.sh            run it
#     test/demo/demo.sh stop       stop what the last run left, and remove it
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

NOTE=/tmp/lyftron-demo-$(id -u)

stop_demo() {
	[ -e "$NOTE" ] || return 0
	# shellcheck disable=SC1090
	. "$NOTE"
	kill "$API_PID" 2>/dev/null || true
	[ -e "$SCRATCH/data/postmaster.pid" ] && stop_cluster
	as_root rm -rf "$SCRATCH"
	rm -f "$NOTE"
	echo "The demo's servers are stopped, its files removed."
}

if [ "${1:-}" = stop ]; then
	stop_demo
	exit 0
fi
stop_demo

say() { printf '\n\033[1m-- %s\033[0m\n' "$*"; }

PSQL="psql -X -q -v ON_ERROR_STOP=1 -U postgres -d demo -P pager=off"

# Run the statements on standard input, shown as they are typed.
run() { $PSQL -e -f - | sed 's/^\(SELECT\|CREATE\|CALL\|IMPORT\|EXPLAIN\|GRANT\)/demo=# \1/'; }

# Let a day more of flights come out.
publish() {
	python3 -c 'import sys, urllib.request; urllib.request.urlopen("http://127.0.0.1:%s/admin/publish?until=%s" % tuple(sys.argv[1:]), data=b"")' \
		"$API_PORT" "$1"
}

# Wait until a query answers true, at most so many seconds.
until_true() {
	for _ in $(seq "$(($1 * 5))"); do
		[ "$($PSQL -At -c "$2")" = t ] && return
		sleep 0.2
	done
	echo "waited for nothing: $2" >&2
	return 1
}

install_packages postgresql-15-cron
make_scratch demo
trap 'echo "The demo failed; see $SCRATCH/server.log"' ERR
fetch_flights
build_and_install
PATH=$PGBIN:$PATH
rm -rf "$SCRATCH/build"

echo "== starting PostgreSQL and the flights API"
start_cluster
printf '%s\n' "shared_preload_libraries = 'pg_cron'" "cron.database_name = 'demo'" "cron.use_background_workers = on" |
	as_server_user tee -a "$SCRATCH/data/postgresql.conf" >/dev/null
as_server_user "$PGBIN/pg_ctl" -s -D "$SCRATCH/data" -l "$SCRATCH/server.log" -w restart
API_PORT=$(free_port)
python3 "$REPO/test/server/flights_api.py" --data "$FLIGHTS" --port "$API_PORT" \
	--published 2013-12-28T23:59:59Z --throttle 40 >"$SCRATCH/api.log" 2>&1 &
API_PID=$!
cat >"$NOTE" <<NOTE
SCRATCH=$SCRATCH
PGBIN=$PGBIN
API_PID=$API_PID
NOTE
until grep -q ready "$SCRATCH/api.log"; do
	kill -0 "$API_PID" || { cat "$SCRATCH/api.log"; exit 1; }
	sleep 0.2
done
as_server_user "$PGBIN/createdb" -h "$PGHOST" -p "$PGPORT" -U postgres demo

say "The extension, and an account of the service: its address is open, its token secret"
run <<SQL
CREATE EXTENSION lyftron;
CREATE SERVER nyc FOREIGN DATA WRAPPER lyftron_rest
	OPTIONS (connector 'nycflights', config '{"base_url": "http://127.0.0.1:$API_PORT"}');
CREATE USER MAPPING FOR CURRENT_USER SERVER nyc
	OPTIONS (secrets '{"token": "demo-token-4711"}');
SELECT * FROM lyftron.check('nyc');
SQL

say "Its streams become tables"
run <<'SQL'
CREATE SCHEMA nyc;
IMPORT FOREIGN SCHEMA "default" FROM SERVER nyc INTO nyc;
SELECT stream_name, count(*) AS columns, string_agg(column_name, ', ') FILTER (WHERE in_primary_key) AS key,
	string_agg(column_name, ', ') FILTER (WHERE is_cursor) AS cursor
FROM lyftron.discover('nyc') GROUP BY stream_name ORDER BY stream_name;
SQL

say "Asked live: only the requests that the query needs"
run <<'SQL'
SELECT flight, origin, dest, dep_delay FROM nyc.flights
WHERE time_hour >= '2013-12-24 12:00+00' AND time_hour < '2013-12-24 18:00+00'
ORDER BY dep_delay DESC NULLS LAST LIMIT 3;
EXPLAIN (ANALYZE, COSTS off, TIMING off)
SELECT count(*) FROM nyc.weather WHERE origin = 'JFK' AND temp > 90;
SQL

say "Pipelines: each stream into a table"
run <<'SQL'
CREATE SCHEMA raw;
SELECT lyftron.create_pipeline('flights', source => 'nyc.flights', destination => 'raw.flights', mode => 'incremental');
SELECT lyftron.create_pipeline('planes', source => 'nyc.planes', destination => 'raw.planes');
SELECT lyftron.create_pipeline('airports', source => 'nyc.airports', destination => 'raw.airports', nested => 'flatten');
SELECT lyftron.create_pipeline('airlines', source => 'nyc.airlines', destination => 'raw.airlines');
\timing on
CALL lyftron.run('flights');
CALL lyftron.run('planes');
CALL lyftron.run('airports');
CALL lyftron.run('airlines');
SQL

echo
echo "On the way the API refused one request, with 429 and Retry-After: 1; the load waited and went on:"
grep 429 "$SCRATCH/api.log"

say "Two more days come out; a second run moves only what is new"
publish 2013-12-30T23:59:59Z
run <<'SQL'
CALL lyftron.run('flights');
CALL lyftron.run('planes');
SQL

say "By itself: every 5 seconds, and a step of SQL after it, done by a background worker"
run <<'SQL'
CREATE TABLE delays (origin text, flights bigint, mean_delay numeric, computed_at timestamptz);
SELECT lyftron.alter_pipeline('flights', schedule => '5 seconds');
SELECT lyftron.create_pipeline('delays', kind => 'sql', after => '{flights}', source => $$
	TRUNCATE delays;
	INSERT INTO delays SELECT origin, count(*), round(avg(dep_delay), 1), now() FROM raw.flights GROUP BY origin $$);
SELECT lyftron.start();
SQL
publish 2013-12-31T11:59:59Z
until_true 60 "SELECT max(time_hour) > '2013-12-31' FROM raw.flights"
until_true 60 "SELECT sum(flights) = (SELECT count(*) FROM raw.flights) FROM delays"
run <<'SQL'
SELECT t.id, t.name, t.state, t.nominal_at::time(0) AS due, t.finished_at - t.started_at AS took, w.kind AS done_by, w.owner
FROM lyftron.task t JOIN lyftron.workers() w USING (pid) WHERE t.finished_at IS NOT NULL ORDER BY t.id DESC LIMIT 4;
SELECT pool, workers, idle, ready, note FROM lyftron.pool_health;
SQL

say "The same where there are no background workers: an entry of pg_cron, which works from the next minute on"
run <<'SQL'
SELECT lyftron.stop();
CREATE EXTENSION pg_cron;
SELECT * FROM lyftron.schedule_with_pg_cron();
SQL
publish 9999
until_true 120 "SELECT sum(flights) = 336776 FROM delays"
run <<'SQL'
SELECT t.id, t.name, t.state, t.nominal_at::time(0) AS due, t.finished_at - t.started_at AS took, w.kind AS done_by, w.owner
FROM lyftron.task t JOIN lyftron.workers() w USING (pid) WHERE t.finished_at IS NOT NULL ORDER BY t.id DESC LIMIT 4;
SELECT * FROM delays ORDER BY origin;
SQL

say "What arrived"
run <<'SQL'
SELECT (SELECT count(*) FROM raw.flights) AS flights, (SELECT count(*) FROM raw.planes) AS planes,
	(SELECT count(*) FROM raw.airports) AS airports, (SELECT count(*) FROM raw.airlines) AS airlines;
SELECT a.name AS airline, ap.name AS "to", count(*) AS flights, round(avg(f.arr_delay), 1) AS "delay, min",
	round(avg(2013 - p.year)) AS "age of plane"
FROM raw.flights f
JOIN raw.airlines a USING (carrier)
JOIN raw.planes p USING (tailnum)
JOIN raw.airports ap ON ap.faa = f.dest
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 5;
SELECT pipeline, state, rows_read, rows_written, rows_rejected, requests, pg_size_pretty(bytes) AS received,
	round(extract(epoch FROM duration)::numeric, 2) AS seconds
FROM lyftron.jobs WHERE started_at IS NOT NULL AND rows_written > 0 ORDER BY started_at;
SELECT pipeline, state, scheduled_at::time(0) FROM lyftron.jobs WHERE state = 'upcoming';
SQL

cat <<END

The servers are still running.  Look around:

    $PGBIN/psql -h $PGHOST -p $PGPORT -U postgres demo
    curl -H 'Authorization: Bearer demo-token-4711' 'http://127.0.0.1:$API_PORT/v1/airlines'

Stop and remove them:

    test/demo/demo.sh stop
END
