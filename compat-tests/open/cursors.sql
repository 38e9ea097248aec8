-- Statements of cursors that KalamDB doesn't answer as PostgreSQL does yet. Not run.
UPDATE t SET v = 'current' WHERE CURRENT OF c;
-- error: 34000
FETCH c;
SELECT name, is_holdable FROM pg_cursors ORDER BY name;
-- error: 34000
FETCH a;
-- error: 34000
FETCH nosuch;
