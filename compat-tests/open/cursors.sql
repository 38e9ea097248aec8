-- Statements of cursors that KalamDB doesn't answer as PostgreSQL does yet. Not run.
UPDATE t SET v = 'current' WHERE CURRENT OF c;
