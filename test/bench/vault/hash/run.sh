#!/usr/bin/env bash
# Hashes of a data vault: a digest alone and a hash difference from values to digest beside OpenSSL over the same bytes, and in SQL a
# hub's key, a link's key and a difference of 12 columns a row beside the expressions that the packages write. One core, medians.
#
#     test/bench/vault/hash/run.sh [ROUNDS] [ROWS]     5 rounds of 200,000 rows
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
. "$REPO/test/bench/common.sh"

rounds=${1:-5}
rows=${2:-200000}
times=500000

install_packages
make_scratch bench
trap '[ -e "$SCRATCH/data/postmaster.pid" ] && stop_cluster; as_root rm -rf "$SCRATCH"' EXIT
build_and_install
build_backend_module vault/hash lyftron_bench_hash
start_cluster
settle_cluster
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH" PGTZ=UTC PGDATESTYLE=ISO
export PGOPTIONS='-c max_parallel_workers_per_gather=0 -c jit=off'

run() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

run -v rows="$rows" -f "$REPO/test/bench/vault/hash/setup.sql" -c "
	CREATE FUNCTION bench_openssl(algorithm text, bytes text, times int) RETURNS float8 LANGUAGE c AS '$SCRATCH/lyftron_bench_hash';
	CREATE FUNCTION bench_digest(algorithm text, bytes text, times int) RETURNS float8 LANGUAGE c AS '$SCRATCH/lyftron_bench_hash';
	CREATE FUNCTION bench_hasher(settings jsonb, parts text[], times int) RETURNS float8 LANGUAGE c AS '$SCRATCH/lyftron_bench_hash'"

for profile in automate_dv datavault4dbt; do
	differing=$(run -c "SELECT differing('$profile')")
	[ "$differing" = 0 ] || { echo "$differing rows have other hashes than $profile gives" >&2; exit 1; }
done

printf '\n| algorithm | bytes | OpenSSL, ns | a digest of ours | x | a difference of 12 values, from values to digest | x |\n|---|---|---|---|---|---|---|\n'
run -F ' | ' <<-SQL | sed 's/^/| /; s/$/ |/'
	WITH parts AS (SELECT ARRAY[l_quantity::text, l_extendedprice::text, l_discount::text, l_tax::text, l_returnflag, l_linestatus, l_shipdate::text, l_commitdate::text,
			l_receiptdate::text, rtrim(l_shipinstruct), rtrim(l_shipmode), l_comment] AS parts FROM item LIMIT 1),
		texts AS (SELECT parts, array_to_string(parts, '|') || '|' AS bytes FROM parts),
		rounds AS MATERIALIZED (SELECT algorithm, length(bytes) AS bytes, bench_openssl(algorithm, bytes, $times) AS openssl, bench_digest(algorithm, bytes, $times) AS digest,
			bench_hasher(jsonb_build_object('algorithm', algorithm), parts, $times) AS hasher
			FROM texts, unnest('{md5,sha1,sha256}'::text[]) algorithm, generate_series(1, $rounds)),
		medians AS (SELECT algorithm, bytes, percentile_cont(0.5) WITHIN GROUP (ORDER BY openssl) AS openssl, percentile_cont(0.5) WITHIN GROUP (ORDER BY digest) AS digest,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY hasher) AS hasher FROM rounds GROUP BY 1, 2)
	SELECT algorithm, bytes, round(openssl), round(digest), round((digest / openssl)::numeric, 2), round(hasher), round((hasher / openssl)::numeric, 2) FROM medians ORDER BY openssl
SQL

printf '\n| hashes of a row | us | of it the scan | x ours |\n|---|---|---|---|\n'
run -F ' | ' <<-SQL | sed 's/^/| /; s/$/ |/'
	WITH contenders(n, name, maker, profile, reference) AS (VALUES (1, 'ours, lyftron', 'ours', 'lyftron', 1), (2, 'ours, automate_dv', 'ours', 'automate_dv', 2),
			(3, 'ours, datavault4dbt', 'ours', 'datavault4dbt', 3), (4, 'SQL, automate_dv', 'written', 'automate_dv', 2), (5, 'SQL, datavault4dbt', 'written', 'datavault4dbt', 3),
			(6, 'md5(concat_ws())', 'written', 'bare', 1)),
		times AS MATERIALIZED (SELECT c.*, scan('{l_orderkey,l_linenumber,l_comment}') / $rows * 1e6 AS empty, scan(hashes(maker, profile)) / $rows * 1e6 AS whole
			FROM generate_series(1, $rounds), contenders c),
		medians AS (SELECT n, name, reference, percentile_cont(0.5) WITHIN GROUP (ORDER BY empty) AS empty, percentile_cont(0.5) WITHIN GROUP (ORDER BY whole) AS whole FROM times GROUP BY 1, 2, 3)
	SELECT m.name, round(m.whole::numeric, 2), round(m.empty::numeric, 2), round(((m.whole - m.empty) / (r.whole - r.empty))::numeric, 2)
		FROM medians m JOIN medians r ON r.n = m.reference ORDER BY m.n
SQL
