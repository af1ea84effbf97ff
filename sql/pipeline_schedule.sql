-- When schedules are due.
SET timezone = 'UTC';
\set from '''2026-03-01 10:07:30+00'''

SELECT s AS schedule, array_agg(to_char(t, 'Dy MM-DD HH24:MI:SS')) AS due
FROM unnest(ARRAY['*/15 * * * *', '5 4 * * *', '0 0 1 * *', '0 12 * * mon-fri', '30 8 1,15 * sun', '0 0 31 * *', '0 0 29 2 *',
	'7-9,50 10 * * *', '10/20 */6 * * *', '0 9 * jan,DEC 7', '@hourly', '@daily', '@weekly', '@monthly', '@yearly', '@midnight Asia/Tokyo',
	'90 seconds', '1 hour', '6 hours', '2 days', '0 4 * * * Europe/Berlin', '0 4 * * * America/New_York']) WITH ORDINALITY AS u (s, n),
	lyftron.schedule_times(s, :from, 3) AS t
GROUP BY n, s ORDER BY n;

-- strictly after the given moment
SELECT lyftron.schedule_times('0 * * * *', '2026-03-01 10:00:00+00', 1), lyftron.schedule_times('0 * * * *', '2026-03-01 09:59:59.999+00', 1);
SELECT lyftron.schedule_times('1 hour', '1999-12-31 23:30+00', 2);

-- clocks go forward: what the clock leaps over is due when it leaps, once; what names no hour follows the time that passes
SET timezone = 'Europe/Berlin';
SELECT lyftron.schedule_times('30 2 * * * Europe/Berlin', '2026-03-28 00:00+01', 3);
SELECT lyftron.schedule_times('15,45 2 * * * Europe/Berlin', '2026-03-28 12:00+01', 3);
SELECT lyftron.schedule_times('0 1-4 * * * Europe/Berlin', '2026-03-29 00:30+01', 4);
SELECT lyftron.schedule_times('*/30 * * * * Europe/Berlin', '2026-03-29 01:10+01', 4);

-- clocks go back: a local time that comes twice is due the first time; what names no hour is due each time
SELECT lyftron.schedule_times('30 2 * * * Europe/Berlin', '2026-10-24 12:00+02', 2);
SELECT lyftron.schedule_times('30 2 * * * Europe/Berlin', '2026-10-25 02:30+02', 1);
SELECT lyftron.schedule_times('30 2 * * * Europe/Berlin', '2026-10-25 02:10+01', 1);
SELECT lyftron.schedule_times('0 1-4 * * * Europe/Berlin', '2026-10-25 00:30+02', 4);
SELECT lyftron.schedule_times('*/30 * * * * Europe/Berlin', '2026-10-25 02:10+02', 5);

-- a zone whose clocks leap by half an hour, and one that skipped a day
SET timezone = 'Australia/Lord_Howe';
SELECT lyftron.schedule_times('15 2 * * * Australia/Lord_Howe', '2026-10-03 12:00+10:30', 3);
SET timezone = 'Pacific/Apia';
SELECT lyftron.schedule_times('0 12 * * * Pacific/Apia', '2011-12-29 00:00-10', 3);

-- every time of years, found one after the other, is what the calendar says
SET timezone = 'UTC';
SELECT count(*), count(*) FILTER (WHERE extract(minute FROM t) IN (0, 20, 40) AND extract(dow FROM t) = 3 AND extract(hour FROM t) = 9)
FROM lyftron.schedule_times('*/20 9 * * wed', '2020-01-01', 1000) t;
SELECT (SELECT count(*) FROM lyftron.schedule_times('0 3 * * * America/New_York', '2020-01-01', 3653) t WHERE t < '2030-01-01')
	= (SELECT count(DISTINCT (t AT TIME ZONE 'America/New_York')::date) FROM lyftron.schedule_times('0 3 * * * America/New_York', '2020-01-01', 3653) t
		WHERE t < '2030-01-01') AS once_a_day;

-- what is wrong is said
SELECT lyftron.schedule_times('');
SELECT lyftron.schedule_times('* * * *');
SELECT lyftron.schedule_times('60 * * * *');
SELECT lyftron.schedule_times('*/0 * * * *');
SELECT lyftron.schedule_times('5-1 * * * *');
SELECT lyftron.schedule_times('1,,2 * * * *');
SELECT lyftron.schedule_times('* * * foo *');
SELECT lyftron.schedule_times('0 0 30 2 *');
SELECT lyftron.schedule_times('0 0 * * * Mars/Phobos');
SELECT lyftron.schedule_times('0 0 * * * UTC please');
SELECT lyftron.schedule_times('@fortnightly');
SELECT lyftron.schedule_times('0 seconds');
SELECT lyftron.schedule_times('999999999 days');
SELECT lyftron.schedule_times('5 moons');
SELECT lyftron.schedule_times(repeat('1,', 200) || '1 * * * *');
SELECT lyftron.schedule_times('@daily', 'infinity');
