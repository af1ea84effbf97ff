#!/usr/bin/env bash
# How fast records of a REST API become rows: Lyftron beside COPY, curl, dlt, airbyte-cdk and jq, on this
# machine, with one command. Installs what it needs with apt and pip, makes the records once, serves them
# by nginx on loopback to a throw-away cluster, and prints medians of the rounds as a table.
#
#     test/bench/rest/run.sh [ROUNDS] [RECORDS] [OPTION...]       3 rounds, 1,000,000 records
#
#     --few=N            so many records for the peers, which take long (50,000); all: as many as the others
#     --no-peers         without them
#     --only=A,B         only these contenders (their names are printed with each round; "flights", the demo's
#                        load from its service in Python, runs only when it is named)
#     --profile=A,B      these under perf instead: what their backends do
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
. "$REPO/test/bench/common.sh"

loader_options 1000000 50000 "$@"

start_nginx() {
	PORT=$(free_port)
	sed -e "s|@SCRATCH@|$SCRATCH|" -e "s|@PORT@|$PORT|" -e "s|@DATA@|$DATA|" "$REPO/test/bench/rest/nginx.conf.in" |
		as_server_user tee "$SCRATCH/nginx.conf" >/dev/null
	as_server_user /usr/sbin/nginx -e "$SCRATCH/nginx.log" -c "$SCRATCH/nginx.conf" &
	until curl -sf -o /dev/null "http://127.0.0.1:$PORT/all/items?page=1"; do
		kill -0 $! || { cat "$SCRATCH/nginx.log"; exit 1; }
		sleep 0.1
	done
	NGINX=$(cat "$SCRATCH/nginx.pid")
}

stop_all() {
	[ -z "${NGINX:-}" ] || as_root kill "$NGINX"
	[ ! -e "$SCRATCH/data/postmaster.pid" ] || stop_cluster
	as_root rm -rf "$SCRATCH"
}

install_packages nginx-light curl jq g++ libsimdjson-dev python3-venv ${PROFILE:+linux-perf}
make_scratch bench
trap stop_all EXIT
make_records "$NUMBER" "$FEW"
if [ -n "$PEERS" ]; then
	venv oracle-7.39.1 airbyte-cdk==7.39.1
	venv dlt-1.31.0 'dlt[postgres]==1.31.0' pyarrow
fi
build_and_install
build_engines
fetch_flights
start_nginx
start_cluster
settle_cluster
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH"
psql -Xq -v ON_ERROR_STOP=1 -v manifest="$(cat "$REPO/test/bench/rest/items.yaml")" \
	-v all="http://127.0.0.1:$PORT/all" -f "$REPO/test/bench/rest/model.sql" -f "$REPO/test/bench/rest/setup.sql" >/dev/null

loader_contest rest --data "$DATA" --all "http://127.0.0.1:$PORT/all" --few-url "http://127.0.0.1:$PORT/few" \
	--engines "$ENGINES" --dlt "$CACHE/dlt-1.31.0/bin/python" --cdk "$CACHE/oracle-7.39.1/bin/python" \
	--nginx "$NGINX" --flights "$FLIGHTS" --flights-port "$(free_port)"
