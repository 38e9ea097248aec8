-- Statements of silently_wrong that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- The error is right, but comes after RowDescription: PostgreSQL evaluates one row of VALUES when it plans.
-- error: 22003
SELECT (x + 1)::int4 FROM (VALUES (2147483647::int8)) v(x);
