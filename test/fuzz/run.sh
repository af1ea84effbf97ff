#!/usr/bin/env bash
# Fuzzes what reads other people's text, inside a server built with AddressSanitizer and UndefinedBehaviorSanitizer:
#
#     json       a document through parser, printer, jsonb, casts and inference; jsonb_in says what is right
#     template   a template compiled and evaluated; it must end, or be cancelled
#     manifest   a manifest's YAML read and resolved, its streams compiled
#     csv xml gzip zip   a page decoded, by decoders of several definitions
#
#     test/fuzz/run.sh [SECONDS [TARGET...]]     60 seconds, all at once
#
# What was learnt is kept for the next run in the cache ($CACHE/fuzz); findings, too, as crash-* beside it.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

seconds=${1:-60}
shift $(($# > 0))
targets=${*:-json template manifest csv xml gzip zip}

export LYFTRON_POSTGRES=sanitize
install_packages
make_scratch fuzz
trap 'rm -rf "$SCRATCH"' EXIT
copy_postgres
sanitizer_options
copy_tree

echo "== building the fuzzers"
as_server_user make -s -j"$(nproc)" -C "$SCRATCH/build/test/fuzz" PG_CONFIG="$PG_CONFIG" with_llvm=no COPT=-Werror install

# A target in a single-user server of its own.
fuzz() {
	local target=$1 home=$CACHE/fuzz/$1 args arg
	mkdir -p "$home/corpus" "$home/findings"
	[ "$(id -u)" = 0 ] && chown -R postgres: "$home"
	as_server_user "$PGBIN/initdb" -D "$SCRATCH/$target" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >/dev/null
	for arg in -max_total_time="$seconds" -timeout=0 -rss_limit_mb=4096 -max_len=4096 -print_final_stats=1 -verbosity=1 \
		-artifact_prefix="$home/findings/" -dict="$SCRATCH/build/test/fuzz/$target.dict" \
		"$home/corpus" "$SCRATCH/build/test/fuzz/seeds/$target"; do
		args="${args:+$args, }'$arg'"
	done
	as_server_user sh -c "nice -n 19 '$PGBIN/postgres' --single -j -D '$SCRATCH/$target' -c log_min_messages=fatal postgres" \
		>"$SCRATCH/$target.log" 2>&1 <<-SQL
		CREATE FUNCTION pg_temp.fuzz(text[]) RETURNS void AS 'lyftron_fuzz', 'fuzz_$target' LANGUAGE c;

		SELECT pg_temp.fuzz(ARRAY[$args]);

	SQL
}

declare -A pids
for target in $targets; do
	fuzz "$target" &
	pids[$target]=$!
done
failed=0
for target in $targets; do
	if wait "${pids[$target]}"; then
		echo "== $target: $(grep -E '^#[0-9]+\s+(DONE|pulse|REDUCE|NEW|INITED)' "$SCRATCH/$target.log" | tail -1)"
		grep -E '^lyftron: |number_of_executed_units|average_exec_per_sec|slowest_unit|peak_rss' "$SCRATCH/$target.log" | sed 's/^/   /'
	else
		failed=1
		echo "== $target: a finding; inputs are in $CACHE/fuzz/$target/findings"
		grep -vE '^#[0-9]+' "$SCRATCH/$target.log" | tail -60
	fi
done
exit $failed
