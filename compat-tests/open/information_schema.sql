-- Statements of information_schema that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- Views can't be changed through, so their columns aren't updatable.
SELECT table_name, column_name, data_type, is_identity, is_generated, is_updatable FROM information_schema.columns WHERE table_name IN ('b', 'v') ORDER BY 1, 2;
