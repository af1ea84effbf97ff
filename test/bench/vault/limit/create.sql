-- Tables with the columns and keys that Lyftron's have.
\set profile lyftron
\ir ../lyftron/create.sql
