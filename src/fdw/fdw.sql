/* fdw: REST streams as foreign tables */

CREATE FUNCTION lyftron.rest_handler() RETURNS fdw_handler
	AS 'MODULE_PATHNAME', 'lyf_rest_handler'
	LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.rest_handler() IS
	'the foreign data wrapper lyftron_rest; not to be called';

CREATE FUNCTION lyftron.rest_validator(options text[], catalog oid) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_rest_validator'
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.rest_validator(text[], oid) IS
	'checks options of lyftron_rest: server: connector, config, max_requests, rate_limit; user mapping: secrets; table: stream; column: name, path, partition';

CREATE FOREIGN DATA WRAPPER lyftron_rest
	HANDLER lyftron.rest_handler VALIDATOR lyftron.rest_validator;
COMMENT ON FOREIGN DATA WRAPPER lyftron_rest IS
	'REST APIs as tables, by connectors (see lyftron.connectors)';
