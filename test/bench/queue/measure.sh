# Sourced by run.sh: what a command costs, noted in the tables of setup.sql.

sql() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

# Until a query says t.
wait_until() {
	local tries=0
	until [ "$(sql "$1")" = t ]; do
		[ $((++tries)) -lt 600 ] || { echo "in vain waited for: $1" >&2; exit 1; }
		sleep 0.05
	done
}

set_synchronous_commit() {
	sql "ALTER SYSTEM SET synchronous_commit = $1"
	sql "SELECT pg_reload_conf()" >/dev/null
}

now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

# Microseconds that these processes, which live, have run.
cpu_of() {
	local pid ns sum=0
	for pid in "$@"; do
		if read -r ns _ 2>/dev/null <"/proc/$pid/schedstat"; then sum=$((sum + ns / 1000)); fi
	done
	echo $sum
}

# Of the whole cluster: the postmaster, its children, and those that it has buried (its cutime and cstime).
server_cpu() {
	local children stat fields
	# who just ended is to be in one of them, not in both
	sleep 0.1
	children=$(<"/proc/$POSTMASTER/task/$POSTMASTER/children")
	stat=$(<"/proc/$POSTMASTER/stat")
	read -ra fields <<<"${stat##*) }"
	# shellcheck disable=SC2086
	echo $(((fields[13] + fields[14]) * (1000000 / $(getconf CLK_TCK)) + $(cpu_of $POSTMASTER $children)))
}

# What COMMAND costs, which does so many tasks: measure WHAT TASKS COMMAND...
measure() {
	local what=$1 tasks=$2 cpu before after
	shift 2
	cpu=$(server_cpu)
	before=$(now_us)
	"$@" >/dev/null
	after=$(now_us)
	cpu=$(($(server_cpu) - cpu))
	sql "INSERT INTO bench.sample VALUES ($round, '$what', '$sync', $cpu::float8 / $tasks, $tasks * 1e6 / $((after - before)))"
	printf 'round %d, synchronous_commit %-3s  %-18s %8.1f us of CPU a task, %8.0f tasks/s\n' "$round" "$sync" "$what" \
		"$(awk "BEGIN { print $cpu / $tasks }")" "$(awk "BEGIN { print $tasks * 1e6 / $((after - before)) }")"
}

# So many times a script from stdin, by one client: in pgbench's language.
client() {
	pgbench -n -M "$PROTOCOL" -c 1 -t "$1" -D id=0 -f -
}

# A session that stays, for statements one after the other.
begin_session() { coproc SESSION { psql -XqAt -v ON_ERROR_STOP=1; }; }

in_session() {
	local line
	printf '%s;\n\\echo done\n' "$1" >&"${SESSION[1]}"
	while read -r line <&"${SESSION[0]}"; do [ "$line" != done ] || return 0; done
	return 1
}

end_session() {
	local pid=$SESSION_PID
	eval "exec ${SESSION[1]}>&-"
	wait "$pid" || true
}

# Sleep inside a REPEATABLE READ transaction that has a snapshot, until release.
hold_snapshot() {
	PGAPPNAME=holder psql -Xq -c "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_sleep(86400)" >/dev/null 2>&1 &
	wait_until "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND backend_xmin IS NOT NULL"
}

# Sleep with the locks of all tasks that are said to run.
hold_running() {
	PGAPPNAME=holder psql -Xq -c "SELECT count(bench.hold(id)) FROM lyftron.queue WHERE state = 'running'" \
		-c "SET application_name = holds" -c "SELECT pg_sleep(86400)" >/dev/null 2>&1 &
	wait_until "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holds'"
}

release() {
	sql "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name IN ('holder', 'holds')" >/dev/null
}
