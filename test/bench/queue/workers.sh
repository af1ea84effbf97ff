# Sourced by run.sh: background workers, and what they make others wait.

# They may have been started before.
start_workers() {
	sync=off
	set_synchronous_commit off
	sql "TRUNCATE lyftron.queue, lyftron.history"
	sql "SELECT lyftron.start()" >/dev/null
	wait_until "SELECT count(*) = 1 FROM lyftron.workers() WHERE kind = 'overseer'"
}

nothing_queued="SELECT NOT EXISTS (SELECT FROM lyftron.queue)"

# A worker of the pool that has nothing to do.
warm_up() {
	sql "SELECT lyftron.enqueue('SELECT 1', pool => '$1')" >/dev/null
	wait_until "SELECT count(*) = 1 AND bool_and(state = 'idle') FROM lyftron.workers() WHERE kind = 'worker' AND pool = '$1'"
}

# Milliseconds that a query finds, each a row.
note() {
	sql "INSERT INTO bench.wait SELECT $round, '$1', '$sync', ms FROM ($2) found (ms) WHERE ms IS NOT NULL"
}

# Whole lives: queued one by one, and done meanwhile by a background worker, or by the client itself.
measure_life() {
	fill_messages 0
	measure life_limit "$TASKS" client "$TASKS" <<-'SQL'
		INSERT INTO bench.message (payload) VALUES (bench.payload()) RETURNING id AS task \gset
		UPDATE bench.message SET started_at = clock_timestamp() WHERE id = :task;
		DELETE FROM bench.message WHERE id = :task;
	SQL
	sql "TRUNCATE lyftron.queue, lyftron.history"
	fill_queue 1000
	sql "CALL lyftron.work()"
	warm_up warm
	measure life "$TASKS" queue_and_wait <<<"SELECT lyftron.enqueue('SELECT 1', pool => 'warm');"
}

queue_and_wait() {
	client "$TASKS"
	wait_until "$nothing_queued"
}

# From the call of enqueue to the first statement of the task: time_tasks WHAT SAMPLES
time_tasks() {
	sql "TRUNCATE bench.latency"
	warm_up warm
	client "$2" <<-'SQL' >/dev/null
		SELECT lyftron.enqueue(format('INSERT INTO bench.latency VALUES (%L, clock_timestamp())', clock_timestamp()), pool => 'warm');
		\sleep 20 ms
	SQL
	wait_until "$nothing_queued"
	note "$1" "SELECT 1000 * extract(epoch FROM begun - called) FROM bench.latency"
	echo "round $round, synchronous_commit $sync: $1 measured"
}

measure_latency() {
	for sync in on off; do
		set_synchronous_commit $sync
		time_tasks latency $((SAMPLES * 20))
	done
	# what is over cannot be removed while somebody might want to see it
	hold_snapshot
	sql "BEGIN; INSERT INTO lyftron.queue (state, kind, name, command, owner, pool, priority, max_attempts)
		SELECT 'ready', 'sql', 'sql', 'SELECT 1', 'postgres', 'warm', 0, 5 FROM generate_series(1, $DONE);
		DELETE FROM lyftron.queue; COMMIT"
	time_tasks latency_behind "$SAMPLES"
	release
	sql "VACUUM lyftron.queue"
}

# From the commit of more tasks than one worker is to have to the first one that a second worker begins.
measure_scaling() {
	local committed
	for _ in $(seq "$SAMPLES"); do
		warm_up growing
		sql "TRUNCATE bench.begun"
		committed=$(sql "SELECT count(lyftron.enqueue('INSERT INTO bench.begun VALUES (pg_backend_pid(), clock_timestamp());
				SELECT pg_sleep(0.1)', pool => 'growing')), clock_timestamp() FROM generate_series(1, 8)")
		wait_until "$nothing_queued"
		note second_worker "SELECT 1000 * extract(epoch FROM min(at) - '${committed#*|}') FROM bench.begun
			WHERE pid <> (SELECT pid FROM bench.begun ORDER BY at LIMIT 1)"
	done
	echo "round $round: scaling measured"
}

# From the end of a worker at work to its task's being begun again.
measure_recovery() {
	local id ended
	for _ in $(seq "$SAMPLES"); do
		warm_up dying
		id=$(sql "SELECT lyftron.enqueue('SELECT pg_sleep(60)', pool => 'dying')")
		wait_until "SELECT EXISTS (SELECT FROM pg_stat_activity a, lyftron.queue q WHERE q.id = $id AND a.pid = q.pid AND wait_event = 'PgSleep')"
		ended=$(sql "SELECT clock_timestamp(), pg_terminate_backend(pid) FROM lyftron.queue WHERE id = $id")
		wait_until "SELECT EXISTS (SELECT FROM lyftron.queue WHERE id = $id AND state = 'running' AND attempt = 2)"
		note recovery "SELECT 1000 * extract(epoch FROM started_at - '${ended%|*}') FROM lyftron.queue WHERE id = $id"
		sql "SELECT lyftron.cancel_task($id)" >/dev/null
		wait_until "$nothing_queued"
	done
	echo "round $round: recovery measured"
}

# Times of DROP DATABASE of another database: drop_others WHAT
drop_others() {
	local before after
	for _ in $(seq $((SAMPLES / 4 + 1))); do
		sql "CREATE DATABASE other"
		sql "CHECKPOINT"
		before=$(now_us)
		sql "DROP DATABASE other"
		after=$(now_us)
		note "$1" "SELECT ($after - $before) / 1000.0"
	done
}

measure_drop() {
	sql "SELECT lyftron.stop()" >/dev/null
	wait_until "SELECT NOT EXISTS (SELECT FROM lyftron.workers() WHERE kind IN ('worker', 'overseer'))"
	drop_others drop_alone
	start_workers
	sql "SELECT count(lyftron.enqueue('SELECT pg_sleep(0.02)', pool => 'four')) FROM generate_series(1, 100000)" >/dev/null
	wait_until "SELECT count(*) = 4 FROM lyftron.workers() WHERE kind = 'worker' AND pool = 'four'"
	drop_others drop_beside
	require "SELECT count(*) = 4 FROM lyftron.workers() WHERE kind = 'worker' AND pool = 'four'"
	sql "TRUNCATE lyftron.queue"
	echo "round $round: DROP DATABASE measured"
}

# CPU of coordinator and overseer while there is nothing to do, in percent of one processor.
measure_idle() {
	local before after pids
	sql "TRUNCATE lyftron.queue"
	start_workers
	sleep 2
	pids=$(sql "SELECT string_agg(pid::text, ' ') FROM lyftron.workers() WHERE kind IN ('coordinator', 'overseer')")
	# shellcheck disable=SC2086
	before=$(cpu_of $pids)
	sleep "$IDLE"
	# shellcheck disable=SC2086
	after=$(cpu_of $pids)
	round=1
	note idle "SELECT 100.0 * ($after - $before) / ($IDLE * 1e6)"
}
