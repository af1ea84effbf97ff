/* connector: what holds the requests of servers back */

CREATE FUNCTION lyftron.list_rate_limits(
	OUT server text, OUT user_name text, OUT limited_by text, OUT policy integer, OUT allowed integer, OUT per interval,
	OUT used bigint, OUT in_flight integer, OUT waiting integer, OUT held_until timestamptz, OUT held_by text,
	OUT shared boolean, OUT updated_at timestamptz)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'lyf_list_rate_limits'
	LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION lyftron.list_rate_limits() IS
	'the rows of the view lyftron.rate_limits: of servers that the caller may use';

CREATE VIEW lyftron.rate_limits AS
SELECT l.server, l.user_name, l.limited_by, l.policy, l.allowed, l.per, l.used, l.in_flight, l.waiting,
       l.held_until, l.held_by, l.shared, l.updated_at
FROM lyftron.list_rate_limits() AS l;
GRANT SELECT ON TABLE lyftron.rate_limits TO PUBLIC;
COMMENT ON VIEW lyftron.rate_limits IS 'what holds the requests of servers back, over all sessions: a row an account that sent requests, and a row for each of its rates; of servers that you may use';
COMMENT ON COLUMN lyftron.rate_limits.server IS 'the foreign server';
COMMENT ON COLUMN lyftron.rate_limits.user_name IS 'role whose user mapping the account is of, as it was used last; NULL: PUBLIC''s, or none';
COMMENT ON COLUMN lyftron.rate_limits.limited_by IS 'max_requests: the row of the account, with its requests in flight; rate_limit: a rate of the server''s option; api_budget: a rate of the connector''s';
COMMENT ON COLUMN lyftron.rate_limits.policy IS 'which policy of the api_budget, from 1';
COMMENT ON COLUMN lyftron.rate_limits.allowed IS 'so many requests (calls, where requests have weights) at most; NULL: any number';
COMMENT ON COLUMN lyftron.rate_limits.per IS 'in this time; NULL: at once';
COMMENT ON COLUMN lyftron.rate_limits.used IS 'how many of them are used';
COMMENT ON COLUMN lyftron.rate_limits.in_flight IS 'those of them that have no answer yet';
COMMENT ON COLUMN lyftron.rate_limits.waiting IS 'sessions that wait to send a request of this account';
COMMENT ON COLUMN lyftron.rate_limits.held_until IS 'no request goes before, as far as is known now';
COMMENT ON COLUMN lyftron.rate_limits.held_by IS 'why: Retry-After or another header of a response; max_requests, rate_limit, api_budget: it is used up; NULL: requests may go';
COMMENT ON COLUMN lyftron.rate_limits.shared IS 'counted over all sessions; false: by this session alone, since there is no shared memory for it';
COMMENT ON COLUMN lyftron.rate_limits.updated_at IS 'when a session last looked at it';
