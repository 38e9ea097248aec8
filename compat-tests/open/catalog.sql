-- Statements of catalog that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- plpgsql is not there, so pg_extension has no row of it.
SELECT extname FROM pg_extension ORDER BY 1;
