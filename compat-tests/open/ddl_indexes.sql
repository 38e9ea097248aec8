-- Statements of ddl_indexes that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 23505
CREATE UNIQUE INDEX t_a_once ON t (a);
CREATE INDEX t_lower ON t (lower(b));
CREATE INDEX t_partial ON t (c) WHERE a > 5;
CREATE INDEX t_include ON t (a) INCLUDE (c);
REINDEX TABLE t;
-- error: 42P01
SELECT 'gone'::regclass;
