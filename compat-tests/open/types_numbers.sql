-- Statements of types_numbers that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- 3.0000000000000004 from the C library that PostgreSQL is linked with; 3 is exact.
SELECT cbrt(27);
