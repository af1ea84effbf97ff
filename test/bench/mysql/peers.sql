-- The same tables by mysql_fdw: psql -v port=...
CREATE EXTENSION mysql_fdw;
CREATE SERVER peer FOREIGN DATA WRAPPER mysql_fdw OPTIONS (host '127.0.0.1', port :'port');
CREATE USER MAPPING FOR CURRENT_USER SERVER peer OPTIONS (username 'bench', password 'bench');
CREATE SCHEMA peer;
IMPORT FOREIGN SCHEMA bench FROM SERVER peer INTO peer;
