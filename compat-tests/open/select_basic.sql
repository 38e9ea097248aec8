-- Statements of select_basic that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT t FROM t WHERE id = 1;
SELECT;
