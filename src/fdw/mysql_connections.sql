/* fdw: the connections of this session to MySQL and MariaDB */

CREATE FUNCTION lyftron.mysql_connections(
	OUT server_name text, OUT user_name text, OUT session_id bigint, OUT in_transaction boolean, OUT valid boolean)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'lyf_mysql_connections'
	LANGUAGE c STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION lyftron.mysql_connections() IS
	'connections of this session to servers of lyftron_mysql: server, role, the number of the session there, is a transaction open there, is it good for the next one';

CREATE FUNCTION lyftron.mysql_disconnect(server_name text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'lyf_mysql_disconnect_server'
	LANGUAGE c STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION lyftron.mysql_disconnect(text) IS
	'close the connections of this session to a server of lyftron_mysql, but those that a transaction is open on; was any closed?';
