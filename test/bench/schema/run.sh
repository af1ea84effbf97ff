#!/usr/bin/env bash
# How long a change of a source keeps a large destination: a new column and wider types that need no new rows, then one that does,
# on a table of so many rows. Prints the plan that is told beforehand, and the time of the run that carries it out.
#
#     test/bench/schema/run.sh [ROWS]     10,000,000
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
. "$REPO/test/bench/common.sh"

rows=${1:-10000000}

install_packages
make_scratch bench
trap 'stop_cluster; rm -rf "$SCRATCH"' EXIT
build_and_install
start_cluster
settle_cluster
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH"

run() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

# the milliseconds of one run of the pipeline
timed() { run -c '\timing on' -c "CALL lyftron.run('large')" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'; }

change() {
	echo "== $1"
	run -c "$2"
	run -F ' | ' -c "SELECT column_name, action, rewrites, coalesce(reason, statement) FROM lyftron.schema_plan('large')"
	echo "   $(timed) ms for the run"
}

echo "== loading $rows rows"
run <<-SQL
	SET client_min_messages = warning;
	CREATE EXTENSION lyftron;
	CREATE TABLE source (id bigint PRIMARY KEY, name varchar(20), amount numeric(8,2), n int, at timestamptz);
	INSERT INTO source SELECT i, 'name ' || i % 1000, i % 100000 / 4.0, i % 1000000, '2026-01-01'::timestamptz + i * interval '1 s'
	FROM generate_series(1, $rows) i;
	ANALYZE source;
	SELECT lyftron.create_pipeline('large', source => 'source', destination => 'large', mode => 'incremental', primary_key => '{id}', cursor => 'id');
	CALL lyftron.run('large');
	-- a change waits for autovacuum on the table until that is cancelled, after deadlock_timeout: 1 s that is not ours
	ALTER TABLE large SET (autovacuum_enabled = false);
	VACUUM ANALYZE large;
SQL
echo "   $(run -c "SELECT pg_size_pretty(pg_table_size('large'))"), a run that finds nothing new: $(timed) ms"
change 'a new column, a longer varchar, more digits' \
	'ALTER TABLE source ADD note text, ALTER name TYPE varchar(40), ALTER amount TYPE numeric(12,2)'
change 'a text of any length' 'ALTER TABLE source ALTER name TYPE text'
change 'integer to bigint, which would write each row anew' 'ALTER TABLE source ALTER n TYPE bigint'
