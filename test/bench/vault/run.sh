#!/usr/bin/env bash
# What the load of a data vault costs on this machine, with one command: rows of 16 columns (lineitem of TPC-H) into a hub, two links
# and two satellites, by lyftron.load_vault, by the SQL that AutomateDV makes for PostgreSQL, and by INSERT ... SELECT of ready-made
# keys without any comparison, which is the limit. Then the same again with 1 % of the rows changed. Prints medians of the rounds,
# with the goals and whether they are met, and fails if what Lyftron and AutomateDV have loaded differs.
#
#     test/bench/vault/run.sh [ROUNDS] [ROWS] [OPTION...]     3 rounds, 2,000,000 rows
#
#     --only=A,B         only these loaders: lyftron, lyftron_automate_dv, automate_dv, automate_dv_table, limit, limit_ordered
#     --memory=M         work_mem and maintenance_work_mem, alike for all (1GB)
#     --on=SERVER        no cluster of its own, but the one of these settings of PGHOST, PGPORT: a file of shell; makes schema bench there
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
. "$REPO/test/bench/common.sh"
HERE=$REPO/test/bench/vault

numbers=() ONLY=lyftron,lyftron_automate_dv,automate_dv,automate_dv_table,limit,limit_ordered MEMORY=1GB ON=
for argument in "$@"; do
	case $argument in
		--only=*) ONLY=${argument#*=} ;;
		--memory=*) MEMORY=${argument#*=} ;;
		--on=*) ON=${argument#*=} ;;
		[0-9]*) numbers+=("$argument") ;;
		*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
done
ROUNDS=${numbers[0]:-3}
ROWS=${numbers[1]:-2000000}

if [ -n "$ON" ]; then
	set -a
	. "$ON"
	set +a
else
	install_packages
	make_scratch bench
	trap 'stop_cluster; rm -rf "$SCRATCH"' EXIT
	build_and_install
	start_cluster
	settle_cluster
fi
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH"
# autovacuum would come in some measurements and not in others; tables have statistics before the second load
export PGOPTIONS="-c work_mem=$MEMORY -c maintenance_work_mem=$MEMORY -c search_path=bench,public -c client_min_messages=warning"

run() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

# CPU of all processes of the server that have ended, in ticks of 10 ms: of a load, its backend and parallel workers
ended_ticks() { awk '{ print $16 + $17 }' "/proc/$POSTMASTER/stat"; }

# Run the file, and note the time that it takes: timed LOADER LOAD FILE
timed() {
	local begin end ticks
	run -c CHECKPOINT
	sleep 0.3
	ticks=$(ended_ticks)
	begin=$EPOCHREALTIME
	run "${variables[@]}" -f "$3" >/dev/null
	end=$EPOCHREALTIME
	sleep 0.3
	run -c "INSERT INTO bench.result VALUES ('$1', $2, $round, $end - $begin, ($(ended_ticks) - $ticks) / 100.0)"
}

# The stage has the rows of so many days, the last of which came now: stage DAY
stage() { run -v day="$1" -f "$HERE/stage.sql"; }

# What it has loaded, for comparison: fingerprint LOADER LOAD
fingerprint() {
	[ "$round" = 1 ] || return 0
	run -v loader="$1" -v load="$2" -f "$HERE/fingerprint.sql"
}

# Both loads, from empty tables: measure LOADER FILES [VARIABLE=VALUE]
measure() {
	local loader=$1 files=$2 variables=(${3:+-v "$3"}) load
	stage 1
	run -c 'DROP SCHEMA IF EXISTS dv CASCADE' -c 'CREATE SCHEMA dv'
	run "${variables[@]}" -f "$HERE/$files/create.sql" >/dev/null
	for load in 1 2; do
		[ -e "$HERE/$files/load_$load.sql" ] || continue
		[ "$load" = 1 ] || stage 2
		timed "$loader" "$load" "$HERE/$files/load_$load.sql"
		[ "$files" = limit ] || fingerprint "$loader" "$load"
		run -c 'SELECT bench.settle()' >/dev/null
	done
	run -c "SELECT bench.forget()" >/dev/null
}

wanted() { [[ ,$ONLY, == *,$1,* ]]; }

POSTMASTER=$(run -c "SELECT pg_read_file('postmaster.pid')" | head -1)
run -c 'ALTER SYSTEM SET autovacuum = off' -c 'SELECT pg_reload_conf()' >/dev/null
echo "== making $ROWS rows"
run -v rows="$ROWS" -f "$HERE/rows.sql" >/dev/null
for round in $(seq "$ROUNDS"); do
	! wanted lyftron || measure lyftron lyftron profile=lyftron
	! wanted lyftron_automate_dv || measure lyftron_automate_dv lyftron profile=automate_dv
	! wanted automate_dv || measure automate_dv automate_dv stage=VIEW
	! wanted automate_dv_table || measure automate_dv_table automate_dv stage=TABLE
	! wanted limit || measure limit limit order=
	! wanted limit_ordered || measure limit_ordered limit 'order=ORDER BY 1'
done
psql -Xq -v ON_ERROR_STOP=1 -v rows="$ROWS" -f "$HERE/report.sql"
run -c 'ALTER SYSTEM RESET autovacuum' -c 'SELECT pg_reload_conf()' >/dev/null
[ "$(run -c 'SELECT count(*) FROM bench.different')" = 0 ]
