#!/usr/bin/env bash
# The same pages of JSON through JSON engines: MB/s of one core. Prints a table; with it the choice of the
# engine on the path of a record (src/decode/README.md) is made again on another machine.
#
#     test/bench/json/run.sh [PASSES] [PAGES]        medians of 9 passes over 100 pages of 1,000 records
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
. "$REPO/test/bench/common.sh"

PASSES=${1:-9}
PAGES=${2:-100}

install_packages g++ libsimdjson-dev
make_scratch bench
trap '[ -e "$SCRATCH/data/postmaster.pid" ] && stop_cluster; as_root rm -rf "$SCRATCH"' EXIT
build_and_install
build_engines
build_backend_module json lyftron_bench
make_records "$((PAGES * 1000))" "$((PAGES * 1000))"
start_cluster
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH"
psql -Xq -v ON_ERROR_STOP=1 -f "$REPO/test/bench/rest/model.sql" -c "
	CREATE FUNCTION bench_json(engine text, directory text, pages int) RETURNS float8
		LANGUAGE c AS '$SCRATCH/lyftron_bench'"

bytes=$(cat $(seq -f "$DATA/all/%.0f.json" "$PAGES") | wc -c)
{
	"$ENGINES" --passes "$PASSES" "$DATA/all" "$PAGES"
	psql -XqAt -F "$(printf '\t')" -v ON_ERROR_STOP=1 <<-SQL
		SELECT engine, percentile_cont(0.5) WITHIN GROUP (ORDER BY bench_json(engine, '$DATA/all', $PAGES)), $bytes, $PAGES * 1000
		FROM generate_series(1, $PASSES), (VALUES ('Lyftron'), ('Lyftron, 12 columns as Datums'),
			('PostgreSQL''s json'), ('PostgreSQL''s jsonb')) AS engines(engine)
		GROUP BY engine
	SQL
} | sort -t "$(printf '\t')" -k 2g | awk -F '\t' '
	BEGIN { print "\n| engine | MB/s | us/record |\n|---|---|---|" }
	{ printf "| %s | %.0f | %.2f |\n", $1, $3 / $2 / 1e6, $2 / $4 * 1e6 }'
