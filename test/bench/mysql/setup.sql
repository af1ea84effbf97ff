-- What the contenders work with, after model.sql: psql -v rows=HOW_MANY -v written=FILE
ALTER DATABASE postgres SET client_min_messages = warning;

-- the keys of the join, and the rows that are written
CREATE TABLE source.key AS SELECT 1 + (n * 19937) % :rows AS id FROM generate_series(1::bigint, least(100, :rows)) n;
ALTER TABLE source.key ALTER id TYPE integer;
ANALYZE source.key;
CREATE TABLE source.local (LIKE source.model);
COPY source.local FROM :'written';
ANALYZE source.local;
