-- Statements of select_subqueries that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42P01
SELECT * FROM t, (SELECT t.v) s;
-- error: 42P01
WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a;
