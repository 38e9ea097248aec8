-- Statements of silently_wrong that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 22003
SELECT (x + 1)::int4 FROM (VALUES (2147483647::int8)) v(x);
