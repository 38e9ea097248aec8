-- Statements of types_arrays that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- No order was asked for the last aggregate: it gets the rows in the order that the first one asked for.
SELECT array_agg(x ORDER BY x DESC), array_agg(DISTINCT y), array_agg(x) FILTER (WHERE x > 1) FROM (VALUES (1,'a'),(2,'b'),(3,'a')) v(x,y);
