-- Statements of transactions that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42P01
SELECT nextval('seq');
