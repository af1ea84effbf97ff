-- The 12 columns that are picked from a record: each contender fills a table LIKE this one.
CREATE SCHEMA source;
CREATE TABLE source.model (
	id bigint,
	key uuid,
	name text,
	status text,
	amount numeric,
	score double precision,
	active boolean,
	created_at timestamptz,
	due_on date,
	owner_mail text,
	city text,
	tags jsonb
);
