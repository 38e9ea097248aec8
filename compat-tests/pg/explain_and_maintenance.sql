CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT n, 'v' || n FROM generate_series(1, 100) n;
ANALYZE t;
ANALYZE;
VACUUM t;
VACUUM ANALYZE t;
VACUUM (FULL) t;
-- error: 42P01
VACUUM nosuch;
BEGIN;
-- error: 25001
VACUUM t;
ROLLBACK;
CHECKPOINT;
-- error: 42P01
EXPLAIN SELECT * FROM nosuch;
DELETE FROM t WHERE id > 50;
VACUUM t;
SELECT count(*), min(id), max(id) FROM t;
-- error: 42601
EXPLAIN;
