/* fdw: tables of MySQL and MariaDB as foreign tables */

CREATE FUNCTION lyftron.mysql_handler() RETURNS fdw_handler
	AS 'MODULE_PATHNAME', 'lyf_mysql_handler'
	LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lyftron.mysql_handler() IS
	'the foreign data wrapper lyftron_mysql; not to be called';

CREATE FUNCTION lyftron.mysql_validator(options text[], catalog oid) RETURNS void
	AS 'MODULE_PATHNAME', 'lyf_mysql_validator'
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION lyftron.mysql_validator(text[], oid) IS
	'checks options of lyftron_mysql';

CREATE FOREIGN DATA WRAPPER lyftron_mysql
	HANDLER lyftron.mysql_handler VALIDATOR lyftron.mysql_validator;
COMMENT ON FOREIGN DATA WRAPPER lyftron_mysql IS
	'tables of MySQL and MariaDB';
