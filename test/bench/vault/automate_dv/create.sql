-- What AutomateDV 0.11 makes for PostgreSQL: the stage, by default a view, whose columns are hashed in each model; or a table, made anew
-- in each load as the first of its statements.
SELECT :'stage' = 'VIEW' AS is_view \gset
\if :is_view
\ir stage.sql
\endif
