-- Statements of functions that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42883
SELECT round('1'::unknown, 2, 3) IS NULL OR pg_typeof('1' + '2') IS NULL;
SELECT pg_typeof(NULL), pg_typeof('x'::unknown);
