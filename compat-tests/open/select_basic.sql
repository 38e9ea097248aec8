-- Statements of select_basic that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT t FROM t WHERE id = 1;
SELECT;
TABLE t ORDER BY id LIMIT 1;
SELECT ROW(1, 'a', NULL), (1, 2) = (1, 2), ROW(1, 2) < ROW(1, 3), (1, NULL) IS NULL, ROW(NULL, NULL) IS NULL;
