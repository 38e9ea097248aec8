-- Statements of types_numbers that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 22003
SELECT 1e309::float8;
-- error: 22003
SELECT 1e39::float4;
SELECT 1 IS DISTINCT FROM NULL, NULL IS NOT DISTINCT FROM NULL, 5 BETWEEN 1 AND 10, 5 NOT BETWEEN SYMMETRIC 10 AND 1;
