-- Statements of settings that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42704
SELECT current_setting('nosuch.setting');
