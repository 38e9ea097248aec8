-- Statements of explain_and_maintenance that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42P01
EXPLAIN SELECT * FROM nosuch;
