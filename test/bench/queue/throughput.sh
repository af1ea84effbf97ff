# Sourced by run.sh: what tasks cost that are queued, and that sessions do.

# With synchronous_commit on each commit waits for the disk, and fewer will do.
tasks() { if [ "$sync" = on ]; then echo $((TASKS / 10)); else echo "$TASKS"; fi; }

# Tables of the same size before each measurement.
empty() {
	sql "TRUNCATE lyftron.queue, lyftron.history, bench.message, bench.message_history"
}

# Tasks that do next to nothing: fill_queue TASKS.  The checkpoint has the first change of each page be logged whole in every
# measurement, and not in those alone that have many rows to make before.
fill_queue() {
	sql "SELECT count(lyftron.enqueue('SELECT 1')) FROM generate_series(1, $1)" >/dev/null
	sql "VACUUM ANALYZE lyftron.queue"
	sql "CHECKPOINT"
}

fill_messages() {
	sql "TRUNCATE bench.message, bench.message_history"
	sql "INSERT INTO bench.message (id, payload) SELECT n, bench.payload() FROM generate_series(1, $1) n"
	sql "VACUUM ANALYZE bench.message"
	sql "CHECKPOINT"
}

require() {
	[ "$(sql "$1")" = t ] || { echo "not so: $1" >&2; exit 1; }
}

measure_enqueue() {
	local n payload="'{\"kind\": \"invoice\", \"customer\": 4711, \"when\": \"2026-01-01T00:00:00Z\", \"note\": \"thirty days net\"}'"
	n=$(tasks)
	set_synchronous_commit "$sync"
	empty
	measure insert "$n" client "$n" <<<"INSERT INTO bench.message (payload) VALUES ($payload);"
	measure enqueue "$n" client "$n" <<<"SELECT lyftron.enqueue($payload);"
	require "SELECT count(*) = $n FROM lyftron.queue"
	empty
	measure insert_100 "$TASKS" client $((TASKS / 100)) \
		<<<"INSERT INTO bench.message (payload) SELECT $payload FROM generate_series(1, 100);"
	measure enqueue_100 "$TASKS" client $((TASKS / 100)) \
		<<<"SELECT count(*) FROM lyftron.enqueue(ARRAY(SELECT $payload FROM generate_series(1, 100)));"
	require "SELECT count(*) = $TASKS FROM lyftron.queue"
	empty
	measure enqueue_100_calls "$TASKS" client $((TASKS / 100)) <<<"SELECT count(lyftron.enqueue($payload)) FROM generate_series(1, 100);"
	require "SELECT count(*) = $TASKS FROM lyftron.queue"
	empty
	[ -z "$PEERS" ] || measure pgq_insert "$n" client "$n" <<<"SELECT pgq.insert_event('bench', 'kind', $payload);"
}

measure_work() {
	local n
	n=$(tasks)
	set_synchronous_commit "$sync"
	empty
	fill_messages "$n"
	measure update_delete "$n" client "$n" <<-'SQL'
		\set id :id + 1
		UPDATE bench.message SET started_at = clock_timestamp() WHERE id = :id;
		DELETE FROM bench.message WHERE id = :id;
	SQL
	measure vacuum_limit "$n" sql "VACUUM bench.message"
	fill_messages "$n"
	measure update_move "$n" client "$n" <<-'SQL'
		\set id :id + 1
		UPDATE bench.message SET started_at = clock_timestamp() WHERE id = :id;
		WITH done AS (DELETE FROM bench.message WHERE id = :id RETURNING *) INSERT INTO bench.message_history SELECT * FROM done;
	SQL
	measure select_1 "$n" sql "DO \$\$ BEGIN FOR i IN 1..$n LOOP EXECUTE 'SELECT 1'; END LOOP; END \$\$"
	fill_queue "$n"
	measure work "$n" sql "CALL lyftron.work()"
	require "SELECT count(*) = $n AND NOT EXISTS (SELECT FROM lyftron.queue) FROM lyftron.history WHERE state = 'succeeded'"
	measure vacuum_work "$n" sql "VACUUM lyftron.queue"
	[ -z "$PEERS" ] || measure_pgq "$n"
}

# In batches, as is its nature: what enqueue left there, or as many.
measure_pgq() {
	sql "SELECT count(pgq.insert_event('bench', 'kind', bench.payload()::text)) FROM generate_series(1, $1)" >/dev/null
	sql "SELECT pgq.force_tick('bench')" >/dev/null
	sql "SELECT pgq.ticker()" >/dev/null
	measure pgq_batch "$1" sql "SELECT bench.consume()"
}

# The same tasks, as many each time, with something in their way.
measure_bad_times() {
	local columns="state, kind, name, command, owner, pool, priority, max_attempts"
	set_synchronous_commit off

	empty
	fill_queue "$TASKS"
	measure alone "$TASKS" sql "CALL lyftron.work()"

	# what plans it keeps are made for an empty table; it need not do all to show what they cost
	empty
	sql "VACUUM ANALYZE lyftron.queue"
	begin_session
	for _ in $(seq 10); do in_session "SELECT lyftron.enqueue('SELECT 1'); CALL lyftron.work()"; done
	sql "SELECT count(lyftron.enqueue('SELECT 1')) FROM generate_series(1, $TASKS)" >/dev/null
	sql "CHECKPOINT"
	measure known_empty $((TASKS / 20)) in_session "CALL lyftron.work(tasks => $((TASKS / 20)))"
	end_session

	empty
	sql "INSERT INTO lyftron.queue ($columns, attempt, started_at, pid)
		SELECT 'running', 'sql', 'sql', 'SELECT 1', 'postgres', 'default', 0, 5, 1, now(), 1 FROM generate_series(1, $RUNNING)"
	hold_running
	fill_queue "$TASKS"
	measure behind_running "$TASKS" sql "CALL lyftron.work()"
	require "SELECT count(*) = $RUNNING FROM lyftron.queue WHERE state = 'running'"
	release

	empty
	sql "INSERT INTO lyftron.queue ($columns, run_at)
		SELECT 'scheduled', 'sql', 'sql', 'SELECT 1', 'postgres', 'default', -1, 5, now() + interval '1 day' + n * interval '1 ms'
		FROM generate_series(1, $FUTURE) n"
	fill_queue "$TASKS"
	measure beside_future "$TASKS" sql "CALL lyftron.work()"

	empty
	fill_queue "$TASKS"
	hold_snapshot
	measure under_snapshot "$TASKS" sql "CALL lyftron.work()"
	release
	empty
}
