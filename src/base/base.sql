-- the schema of all that is Lyftron's

COMMENT ON SCHEMA lyftron IS 'data integration: connectors, pipelines and what they need';
GRANT USAGE ON SCHEMA lyftron TO PUBLIC;
