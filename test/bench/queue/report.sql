-- The tables: medians of the rounds, ratios, and whether the goals are met.

CREATE TEMP TABLE line (number serial, what text, label text, against text, goal float8);
INSERT INTO line (what, label, against, goal) VALUES
	('insert', 'limit: INSERT', NULL, NULL),
	('enqueue', 'lyftron.enqueue', 'insert', 1.4),
	('pgq_insert', 'PgQ, insert_event', 'insert', NULL),
	('insert_100', 'limit: INSERT of 100', NULL, NULL),
	('enqueue_100', 'lyftron.enqueue, an array of 100', 'insert_100', 1.4),
	('enqueue_100_calls', 'lyftron.enqueue, 100 calls in a statement', 'insert_100', 1.4),
	('update_delete', 'limit: UPDATE, DELETE, by key', NULL, NULL),
	('update_move', 'the same, and a row of a history with 3 indexes', 'update_delete', NULL),
	('select_1', 'EXECUTE ''SELECT 1'' in a loop', 'update_delete', NULL),
	('work', 'lyftron.work, tasks of SELECT 1', 'update_delete', 1.7),
	('pgq_batch', 'PgQ, all as one batch', 'update_delete', NULL),
	('life_limit', 'limit: INSERT, UPDATE, DELETE', NULL, NULL),
	('life', 'lyftron.enqueue, then done by a background worker', 'life_limit', NULL),
	('vacuum_limit', 'VACUUM of the limit''s table thereafter', NULL, NULL),
	('vacuum_work', 'VACUUM of lyftron.queue thereafter', 'vacuum_limit', NULL);

CREATE FUNCTION pg_temp.verdict(is_so boolean) RETURNS text LANGUAGE sql RETURN CASE WHEN is_so THEN 'met' ELSE 'missed' END;

CREATE FUNCTION pg_temp.rounded(value float8, places int) RETURNS text LANGUAGE sql RETURN coalesce(round(value::numeric, places)::text, '');

-- ratios are taken in each round, and their median
CREATE TEMP VIEW result AS
	SELECT l.number, l.label, l.goal, s.sync, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.cpu_us) AS cpu_us,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY s.rate) AS rate,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY s.cpu_us / a.cpu_us) AS ratio
	FROM line l JOIN bench.sample s USING (what)
	LEFT JOIN bench.sample a ON a.what = l.against AND a.round = s.round AND a.sync = s.sync
	GROUP BY l.number, l.label, l.goal, s.sync;

SELECT EXISTS (SELECT FROM result) AS costs \gset
\if :costs
\qecho
\qecho 'Medians of' :rounds 'rounds. CPU is of the whole server, in microseconds a task; ratios are of it, to the limit above.'
\qecho
\qecho '| | CPU us/task: sync off | on | tasks/s: off | on | x limit: off | on | goal | |'
\qecho '|---|---|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s | %s |', f.label, pg_temp.rounded(f.cpu_us, 1), pg_temp.rounded(n.cpu_us, 1),
	pg_temp.rounded(f.rate, 0), pg_temp.rounded(n.rate, 0), pg_temp.rounded(f.ratio, 2), pg_temp.rounded(n.ratio, 2),
	CASE WHEN f.goal IS NULL THEN ' | ' ELSE format('at most %s | %s', f.goal, pg_temp.verdict(f.ratio <= f.goal)) END)
FROM (SELECT * FROM result WHERE sync = 'off') f LEFT JOIN (SELECT * FROM result WHERE sync = 'on') n USING (number) ORDER BY number;
\endif

SELECT EXISTS (SELECT FROM bench.sample WHERE what = 'alone') AS bad_times \gset
\if :bad_times
\qecho
\qecho '| lyftron.work | CPU us/task | tasks/s | speed, x empty queue: by CPU | by tasks/s | goal | |'
\qecho '|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s | %s |', label, pg_temp.rounded(cpu_us, 1), pg_temp.rounded(rate, 0), pg_temp.rounded(by_cpu, 2),
	pg_temp.rounded(by_rate, 2), CASE WHEN what = 'alone' THEN ' | ' ELSE 'at least 0.8 | ' || pg_temp.verdict(by_cpu >= 0.8) END)
FROM (VALUES (1, 'alone', 'in an empty queue'), (2, 'known_empty', 'queued at once in a queue that was empty'),
	(3, 'behind_running', 'behind tasks at work'), (4, 'beside_future', 'beside tasks of a better priority, not due yet'),
	(5, 'under_snapshot', 'under a snapshot held open all the while')) l (number, what, label)
JOIN (SELECT s.what, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.cpu_us) AS cpu_us, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.rate) AS rate,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY a.cpu_us / s.cpu_us) AS by_cpu, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.rate / a.rate) AS by_rate
	FROM bench.sample s JOIN bench.sample a ON a.what = 'alone' AND a.round = s.round GROUP BY s.what) r USING (what)
ORDER BY number;
\endif

-- waits: of all rounds together
CREATE TEMP VIEW waited AS
	SELECT what, sync, count(*) AS samples, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS p50,
		percentile_disc(0.99) WITHIN GROUP (ORDER BY ms) AS p99, max(ms) AS most FROM bench.wait GROUP BY what, sync;

SELECT EXISTS (SELECT FROM waited WHERE what <> 'idle') AS waits \gset
\if :waits
\qecho
\qecho '| ms | samples | p50 | p99 | most | goal | |'
\qecho '|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', label, samples, pg_temp.rounded(p50, 2), pg_temp.rounded(p99, 2), pg_temp.rounded(most, 2),
	concat_ws(', ', 'p50 ' || round(p50_goal::numeric, 1), 'p99 ' || p99_goal),
	CASE WHEN coalesce(p50_goal, p99_goal) IS NOT NULL THEN
		pg_temp.verdict(coalesce(p50 <= p50_goal, true) AND coalesce(p99 <= p99_goal, true)) END)
FROM (VALUES (1, 'latency', 'off', 'from enqueue to the start of the task', 1, 10),
	(2, 'latency', 'on', 'the same, synchronous_commit on', NULL, NULL),
	(3, 'latency_behind', 'off', 'the same, off, behind tasks done under a snapshot that is still open', NULL, NULL),
	(4, 'second_worker', 'off', 'from too many tasks for one worker to the second one at work', 50, NULL),
	(5, 'recovery', 'off', 'from the end of a worker to its task begun again', NULL, 1000),
	(6, 'drop_alone', 'off', 'DROP DATABASE of another one', NULL, NULL),
	(7, 'drop_beside', 'off', 'the same, beside 4 workers at work (goal: 1.2 x)', (SELECT 1.2 * p50 FROM waited WHERE what = 'drop_alone'), NULL))
	l (number, what, sync, label, p50_goal, p99_goal) JOIN waited USING (what, sync) ORDER BY number;
\endif

SELECT format(E'\nCoordinator and overseer, idle: %s %% of a processor; goal at most 0.1: %s', pg_temp.rounded(p50, 3), pg_temp.verdict(p50 <= 0.1))
FROM waited WHERE what = 'idle';
