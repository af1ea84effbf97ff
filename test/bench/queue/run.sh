#!/usr/bin/env bash
# What the queue costs beside what no queue in tables can do without, on this machine, with one command: CPU of
# the whole server a task, tasks/s, waits of background workers, and how it all holds in bad times. Prints medians of
# the rounds as tables, with the goals and whether they are met.
#
#     test/bench/queue/run.sh [ROUNDS] [TASKS] [OPTION...]        3 rounds, 20,000 tasks
#
#     --only=A,B         only these parts: enqueue, work, bad_times, life, latency, scaling, recovery, drop, idle
#     --peers            PgQ, too (of Debian, for its PostgreSQL 15)
#     --protocol=P       of the statements that pgbench sends: simple (as it comes), extended or prepared
#     --samples=N        of each wait, a round (20); of the latency 20 times as many
#     --running=N        tasks at work in front of those that are measured (50,000)
#     --future=N         tasks of a better priority that are not due yet (1,000,000)
#     --done=N           tasks that were done under an open snapshot, behind which latency is measured, too (100,000)
#     --idle=S           seconds for which the idle processes are watched (60)
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
HERE=$REPO/test/bench/queue
. "$HERE/measure.sh"
. "$HERE/throughput.sh"
. "$HERE/workers.sh"

numbers=() ONLY=enqueue,work,bad_times,life,latency,scaling,recovery,drop,idle
PEERS= PROTOCOL=simple SAMPLES=20 RUNNING=50000 FUTURE=1000000 DONE=100000 IDLE=60
for argument in "$@"; do
	case $argument in
		--only=*) ONLY=${argument#*=} ;;
		--peers) PEERS=yes ;;
		--protocol=*) PROTOCOL=${argument#*=} ;;
		--samples=*) SAMPLES=${argument#*=} ;;
		--running=*) RUNNING=${argument#*=} ;;
		--future=*) FUTURE=${argument#*=} ;;
		--done=*) DONE=${argument#*=} ;;
		--idle=*) IDLE=${argument#*=} ;;
		[0-9]*) numbers+=("$argument") ;;
		*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
done
ROUNDS=${numbers[0]:-3}
TASKS=${numbers[1]:-20000}

wanted() { [[ ,$ONLY, == *,$1,* ]]; }

stop_all() {
	kill $(jobs -p) 2>/dev/null || true
	[ ! -e "$SCRATCH/data/postmaster.pid" ] || stop_cluster
	as_root rm -rf "$SCRATCH"
}

# Tasks at work are kept so by a session that holds their locks, all of them, whence the room for locks.  Autovacuum
# would come in some measurements and not in others: what it has to do is measured by itself.
configure() {
	cat <<-CONF | as_server_user tee -a "$SCRATCH/data/postgresql.conf" >/dev/null
		shared_buffers = 256MB
		max_wal_size = 20GB
		checkpoint_timeout = 1h
		autovacuum = off
		max_worker_processes = 16
		max_locks_per_transaction = $((RUNNING / 100 + 64))
	CONF
	as_server_user "$PGBIN/pg_ctl" -s -D "$SCRATCH/data" -l "$SCRATCH/server.log" -w restart
	POSTMASTER=$(head -1 "$SCRATCH/data/postmaster.pid")
}

build_holder() {
	gcc $("$PGBIN/pg_config" --cflags) -fPIC -shared -I"$("$PGBIN/pg_config" --includedir-server)" \
		-o "$SCRATCH/hold.so" "$HERE/hold.c"
	chmod 755 "$SCRATCH/hold.so"
}

install_packages ${PEERS:+postgresql-15-pgq3}
make_scratch bench
trap stop_all EXIT
build_and_install
start_cluster
configure
build_holder
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH"
psql -Xq -v ON_ERROR_STOP=1 -v hold="$SCRATCH/hold" -v peers="${PEERS:-no}" -f "$HERE/setup.sql" >/dev/null

for round in $(seq "$ROUNDS"); do
	sql "CHECKPOINT"
	for part in enqueue work; do
		for sync in off on; do
			! wanted $part || measure_$part
		done
	done
	sync=off
	! wanted bad_times || measure_bad_times
done
for part in life latency scaling recovery drop; do
	! wanted $part || start_workers
	for round in $(seq "$ROUNDS"); do
		! wanted $part || measure_$part
	done
done
! wanted idle || measure_idle
psql -XqAt -v rounds="$ROUNDS" -f "$HERE/report.sql"
