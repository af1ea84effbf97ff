CREATE FUNCTION lyftron.read(server text, stream text, initial_state jsonb DEFAULT NULL)
RETURNS TABLE (record jsonb, state jsonb)
AS 'MODULE_PATHNAME', 'lyf_read'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;

COMMENT ON FUNCTION lyftron.read(text, text, jsonb)
IS 'the records of a stream, from a state on, as the source has them, a row each, and between them rows with the state: all before it need not be read again from there';
