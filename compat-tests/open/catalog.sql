-- Statements of catalog that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT extname FROM pg_extension ORDER BY 1;
