-- What was measured, with the goals.
CREATE VIEW bench.different AS
SELECT a.load, a.table_name FROM bench.fingerprint a JOIN bench.fingerprint b USING (load, table_name)
WHERE a.loader = 'lyftron_automate_dv' AND b.loader LIKE 'automate_dv%' AND (a.rows, a.sum) IS DISTINCT FROM (b.rows, b.sum);
CREATE VIEW bench.median AS
SELECT loader, load, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall) AS wall, percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) AS cpu, min(wall) AS least, max(wall) AS most
FROM bench.result GROUP BY loader, load;
\pset footer off
\pset null ''
SELECT load, loader, round(wall::numeric, 2) AS "s", round(least, 2) AS "least", round(most, 2) AS "most", round(cpu::numeric, 2) AS "CPU s", (:rows / wall)::int AS "rows/s",
	round((wall / (SELECT wall FROM bench.median WHERE loader = 'limit' AND load = 1))::numeric, 2) AS "x limit"
FROM bench.median ORDER BY load, wall;
WITH ours AS (SELECT * FROM bench.median WHERE loader LIKE 'lyftron%'),
	theirs AS (SELECT DISTINCT ON (load) * FROM bench.median WHERE loader LIKE 'automate_dv%' ORDER BY load, wall)
SELECT loader, what, round(ratio::numeric, 2) AS ratio, round(cpu_ratio::numeric, 2) AS "of CPU", goal, CASE WHEN what = 'limit' THEN ratio <= goal ELSE ratio >= goal END AS met
FROM (
	SELECT o.load, o.loader, 'limit' AS what, o.wall / l.wall AS ratio, o.cpu / l.cpu AS cpu_ratio, 1.3 AS goal
	FROM ours o JOIN bench.median l ON l.loader = 'limit' AND l.load = 1 WHERE o.load = 1
	UNION ALL
	SELECT load, o.loader, format('%s load: %s', CASE load WHEN 1 THEN 'first' ELSE 'second' END, t.loader), t.wall / o.wall, t.cpu / o.cpu, CASE load WHEN 1 THEN 3 ELSE 5 END
	FROM ours o JOIN theirs t USING (load)
) g ORDER BY loader, load, what DESC;
SELECT count(*) AS "tables compared", (SELECT count(*) FROM bench.different) AS "different"
FROM bench.fingerprint a JOIN bench.fingerprint b USING (load, table_name) WHERE a.loader = 'lyftron_automate_dv' AND b.loader LIKE 'automate_dv%';
SELECT * FROM bench.fingerprint WHERE (load, table_name) IN (SELECT load, table_name FROM bench.different) ORDER BY load, table_name, loader;
