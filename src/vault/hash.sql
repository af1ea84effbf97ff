-- vault/: the hashes of a vault, for SQL.

CREATE FUNCTION lyftron.hash_key(settings jsonb, VARIADIC "values" "any") RETURNS bytea
	AS 'MODULE_PATHNAME', 'lyf_hash_key_function' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.hash_key(jsonb, "any") IS
	'the hash key that a vault of these settings has for a business key';

CREATE FUNCTION lyftron.hash_diff(settings jsonb, VARIADIC "values" "any") RETURNS bytea
	AS 'MODULE_PATHNAME', 'lyf_hash_diff_function' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.hash_diff(jsonb, "any") IS
	'the hash difference that a vault of these settings has for the columns of a satellite, in the order given';

-- Many times as dear as an operator: loads that are large enough share it among workers.
CREATE FUNCTION lyftron.vault_hashes(settings jsonb, hashes integer[], VARIADIC "values" "any") RETURNS bytea
	AS 'MODULE_PATHNAME', 'lyf_vault_hashes' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200;
COMMENT ON FUNCTION lyftron.vault_hashes(jsonb, integer[], "any") IS
	'all hashes of a row at once, for the queries that lyftron.load_vault reads sources with';

CREATE FUNCTION lyftron.hash_key_text(settings jsonb, VARIADIC "values" "any") RETURNS text
	AS 'MODULE_PATHNAME', 'lyf_hash_key_text_function' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.hash_key_text(jsonb, "any") IS
	'lyftron.hash_key as lower-case hexadecimal digits';

CREATE FUNCTION lyftron.hash_diff_text(settings jsonb, VARIADIC "values" "any") RETURNS text
	AS 'MODULE_PATHNAME', 'lyf_hash_diff_text_function' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.hash_diff_text(jsonb, "any") IS
	'lyftron.hash_diff as lower-case hexadecimal digits';
