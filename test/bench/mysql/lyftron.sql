-- The tables as those of lyftron_mysql: psql -v port=...
CREATE EXTENSION lyftron;
CREATE SERVER bench FOREIGN DATA WRAPPER lyftron_mysql OPTIONS (host '127.0.0.1', port :'port', database 'bench');
CREATE USER MAPPING FOR CURRENT_USER SERVER bench OPTIONS (username 'bench', password 'bench');
IMPORT FOREIGN SCHEMA bench LIMIT TO (lineitem, written) FROM SERVER bench INTO source;
