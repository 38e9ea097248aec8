-- Statements of ddl_schemas that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42P01
SELECT 't'::regclass;
