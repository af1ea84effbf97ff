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

numbers=() FEW=50000 PEERS=--peers ONLY= PROFILE=
for argument in "$@"; do
	case $argument in
		--few=*) FEW=${argument#*=} ;;
		--no-peers) PEERS= ;;
		--only=*) ONLY=${argument#*=} ;;
		--profile=*) PROFILE=${argument#*=} ;;
		[0-9]*) numbers+=("$argument") ;;
		*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
done
ROUNDS=${numbers[0]:-3}
RECORDS=${numbers[1]:-1000000}
[ "$FEW" = all ] && FEW=$RECORDS
[ "$FEW" -le "$RECORDS" ] || FEW=$RECORDS

# A virtual environment with a package, in $CACHE: venv NAME REQUIREMENT...
venv() {
	local dir=$CACHE/$1
	shift
	[ -e "$dir/complete" ] && return
	echo "== fetching $*"
	rm -rf "$dir"
	mkdir -p "$CACHE"
	/usr/bin/python3 -m venv "$dir"
	"$dir/bin/pip" -q --disable-pip-version-check install "$@"
	touch "$dir/complete"
}

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
make_records "$RECORDS" "$FEW"
if [ -n "$PEERS" ]; then
	venv oracle-7.39.1 airbyte-cdk==7.39.1
	venv dlt-1.31.0 'dlt[postgres]==1.31.0' pyarrow
fi
build_and_install
build_engines
fetch_flights
start_nginx
start_cluster
printf '%s\n' 'shared_buffers = 256MB' 'max_wal_size = 20GB' 'checkpoint_timeout = 1h' |
	as_server_user tee -a "$SCRATCH/data/postgresql.conf" >/dev/null
as_server_user "$PGBIN/pg_ctl" -s -D "$SCRATCH/data" -l "$SCRATCH/server.log" -w restart
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH"
psql -Xq -v ON_ERROR_STOP=1 -v manifest="$(cat "$REPO/test/bench/rest/items.yaml")" \
	-v all="http://127.0.0.1:$PORT/all" -f "$REPO/test/bench/rest/model.sql" -f "$REPO/test/bench/rest/setup.sql" >/dev/null

# The server writes files there, too.
as_root chmod 777 "$SCRATCH"
python3 "$REPO/test/bench/rest/measure.py" --data "$DATA" --scratch "$SCRATCH" --records "$RECORDS" --few "$FEW" \
	--rounds "$ROUNDS" --all "http://127.0.0.1:$PORT/all" --few-url "http://127.0.0.1:$PORT/few" --engines "$ENGINES" \
	--dlt "$CACHE/dlt-1.31.0/bin/python" --cdk "$CACHE/oracle-7.39.1/bin/python" \
	--postmaster "$(head -1 "$SCRATCH/data/postmaster.pid")" --nginx "$NGINX" \
	--flights "$FLIGHTS" --flights-port "$(free_port)" $PEERS \
	${ONLY:+--only "$ONLY"} ${PROFILE:+--profile "$PROFILE"}
for profile in "$SCRATCH"/*.perf; do
	[ -n "$PROFILE" ] || break
	printf '\n== %s: of all of the time of its backend\n' "$(basename "$profile" .perf)"
	perf report -i "$profile" --sort dso,symbol --stdio 2>/dev/null | awk '/^ *[0-9]/ && n++ < 60'
done
