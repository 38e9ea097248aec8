-- Statements of prepared that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT name, statement, parameter_types::text, from_sql FROM pg_prepared_statements WHERE from_sql ORDER BY name;
