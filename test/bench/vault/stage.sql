-- The stage has the rows of a day, and a load date.
TRUNCATE batch, stage;
INSERT INTO batch VALUES (timestamptz '2026-01-01 00:00:00+00' + :day * interval '1 day');
INSERT INTO stage SELECT * FROM day_:day;
VACUUM ANALYZE stage, batch;
