-- Statements of prepared that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT name, statement, parameter_types::text, from_sql FROM pg_prepared_statements WHERE from_sql ORDER BY name;
-- error: 0A000
EXECUTE one(1);
-- error: 26000
EXECUTE noparams;
-- error: 26000
EXECUTE nosuch(1);
-- error: 42P01
EXECUTE dropped;
-- error: 26000
EXECUTE dropped;
