-- Statements of ddl_views that KalamDB doesn't answer as PostgreSQL does yet. Not run.
CREATE TEMP VIEW passing AS SELECT 2 AS two;
SELECT two FROM passing;
