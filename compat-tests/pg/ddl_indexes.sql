CREATE TABLE t (id int PRIMARY KEY, a int, b text, c numeric);
INSERT INTO t SELECT n, n % 10, 'name ' || n, n * 1.5 FROM generate_series(1, 100) n;
CREATE INDEX t_a ON t (a);
CREATE INDEX t_a_b ON t (a, b DESC);
CREATE INDEX ON t (b);
CREATE INDEX ON t (b);
CREATE INDEX ON t (a, c);
CREATE UNIQUE INDEX t_b_once ON t (b);
-- error: 23505
-- sqlstate-only
CREATE UNIQUE INDEX t_a_once ON t (a);
-- error: 42P07
CREATE INDEX t_a ON t (a);
CREATE INDEX IF NOT EXISTS t_a ON t (a);
-- error: 42703
CREATE INDEX ON t (nope);
-- error: 42P01
CREATE INDEX ON nosuch (a);
SELECT id FROM t WHERE a = 3 ORDER BY id LIMIT 3;
SELECT id FROM t WHERE a = 3 AND b > 'name 5' ORDER BY b;
SELECT id FROM t WHERE b = 'name 42';
SELECT id FROM t WHERE a = 3 ORDER BY b DESC LIMIT 2;
SELECT count(*) FROM t WHERE a IN (1, 2) AND c > 50;
SELECT min(a), max(a) FROM t;
UPDATE t SET a = 77 WHERE id = 5;
SELECT id FROM t WHERE a = 77;
SELECT count(*) FROM t WHERE a = 5;
DELETE FROM t WHERE a = 77;
SELECT id FROM t WHERE a = 77;
-- error: 23505
INSERT INTO t VALUES (101, 1, 'name 1', 0);
INSERT INTO t VALUES (101, NULL, NULL, NULL), (102, NULL, NULL, NULL);
SELECT id FROM t WHERE a IS NULL ORDER BY id;
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY indexname;
DROP INDEX t_a;
-- error: 42704
DROP INDEX t_a;
DROP INDEX IF EXISTS t_a;
-- error: 2BP01
DROP INDEX t_pkey;
ALTER INDEX t_a_b RENAME TO t_a_b2;
SELECT indexname FROM pg_indexes WHERE tablename = 't' ORDER BY indexname;
CREATE INDEX t_lower ON t (lower(b));
SELECT id FROM t WHERE lower(b) = 'name 9';
CREATE INDEX t_partial ON t (c) WHERE a > 5;
SELECT count(*) FROM t WHERE c > 100 AND a > 5;
CREATE INDEX t_include ON t (a) INCLUDE (c);
CREATE INDEX CONCURRENTLY t_slow ON t (c);
-- error: 42809
DROP INDEX t;
-- error: 42809
DROP TABLE t_slow;
REINDEX TABLE t;
SELECT 't_slow'::regclass, 't'::regclass;
-- error: 42P01
SELECT 'gone'::regclass;
CREATE TABLE classes (a int, b text, c varchar(5));
-- error: 42804
CREATE INDEX ON classes (b int4_ops);
-- error: 42804
CREATE INDEX ON classes (a text_pattern_ops);
-- error: 42804
CREATE INDEX ON classes (a COLLATE "C");
CREATE INDEX classes_a ON classes (a int4_ops, b text_ops, c varchar_ops);
CREATE INDEX classes_c ON classes (c text_ops);
-- error: 42804
CREATE TABLE classes2 (id int COLLATE "C");
-- error: 42804
ALTER TABLE classes ALTER a TYPE int COLLATE "C";
