-- What every contender loads into: a table LIKE this one.
CREATE SCHEMA source;
CREATE SCHEMA loaded;
CREATE TABLE source.model (
	id integer,
	part integer,
	supplier integer,
	line_number integer,
	quantity numeric(15,2),
	extended_price numeric(15,2),
	discount numeric(15,2),
	tax numeric(15,2),
	return_flag character varying(1),
	line_status character varying(1),
	ship_date date,
	commit_date date,
	receipt_date date,
	ship_instruct character varying(25),
	ship_mode character varying(10),
	comment character varying(44)
);
-- Rows, and a sum over all columns of all rows as the model has them, in whatever order they stand.
CREATE FUNCTION source.fingerprint(loaded regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	columns text;
	result text;
BEGIN
	SELECT string_agg(format('%I::%s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum) INTO columns
		FROM pg_attribute WHERE attrelid = 'source.model'::regclass AND attnum > 0;
	EXECUTE format('SELECT count(*) || '' rows, '' || coalesce(sum(hashtextextended(ROW(%s)::text, 0)), 0) FROM %s',
		columns, loaded) INTO result;
	RETURN result;
END $$;
-- The same statement so many times, planned each time; all of them give so many rows.
CREATE PROCEDURE source.repeat(statement text, times int, expected int) LANGUAGE plpgsql AS $$
DECLARE
	found bigint;
BEGIN
	FOR i IN 1 .. times LOOP
		EXECUTE statement;
		GET DIAGNOSTICS found = ROW_COUNT;
		IF found <> expected THEN
			RAISE EXCEPTION '% rows, not %', found, expected;
		END IF;
	END LOOP;
END $$;
