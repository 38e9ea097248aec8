-- Statements of select_basic that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- The value is right; its type is record rather than the table's row type.
SELECT t FROM t WHERE id = 1;
