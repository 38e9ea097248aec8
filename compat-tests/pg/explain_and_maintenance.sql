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
-- error: 22023
EXPLAIN (FORMAT nosuch) SELECT 1;
-- error: 22023
EXPLAIN (TIMING) SELECT 1;
-- error: 22023
EXPLAIN (WAL) SELECT 1;
-- error: 42601
EXPLAIN (nosuch) SELECT 1;
-- error: 42601
EXPLAIN (COSTS maybe) SELECT 1;
-- error: 42601
EXPLAIN BEGIN;
PREPARE p (int) AS SELECT $1 + 1;
EXPLAIN (COSTS off) EXECUTE p (1);
-- error: 42703
ANALYZE t (nosuch);
-- error: 42701
ANALYZE t (v, v);
ANALYZE t (v);
VACUUM (ANALYZE) t (v);
-- error: 0A000
VACUUM t (v);
-- error: 42601
VACUUM (nosuch) t;
CREATE TABLE u (a int, b text CONSTRAINT bu UNIQUE);
ALTER TABLE u SET LOGGED, SET WITHOUT CLUSTER, SET TABLESPACE pg_default, REPLICA IDENTITY DEFAULT, ALTER a SET STATISTICS -1;
-- error: 42704
ALTER TABLE u SET TABLESPACE nosuch;
-- error: 42704
CREATE TABLE w (a int) TABLESPACE nosuch;
-- error: 42704
CREATE TABLE w (a int) USING nosuch;
-- error: 42601
CREATE TABLE w (a text STORAGE plain);
-- error: 42704
CREATE INDEX ON u (a) TABLESPACE nosuch;
-- error: 22023
CREATE INDEX ON u (a) WITH (nosuch = 1);
-- error: 42704
CREATE INDEX ON u (b gin_trgm_ops);
CREATE INDEX ON u (b text_pattern_ops) TABLESPACE pg_default;
-- error: 42809
ALTER TABLE u VALIDATE CONSTRAINT bu;
INSERT INTO u VALUES (1, 'a'), (2, 'b');
SELECT * FROM ONLY u ORDER BY a;
SELECT count(*) FROM ONLY (u), ONLY u AS x JOIN ONLY u AS y ON x.a = y.a;
UPDATE ONLY u SET b = 'c' WHERE a = 1;
DELETE FROM ONLY u USING ONLY t WHERE u.a = 2;
TABLE ONLY u;
SELECT a, b INTO made FROM u;
SELECT a INTO TEMP made FROM u UNION SELECT 7;
SELECT * FROM made ORDER BY 1;
-- error: 42P07
SELECT 1 AS a INTO u;
SELECT a, sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE NO OTHERS) FROM u;
CREATE TABLE p1 (a int) WITH (fillfactor = 100, oids = false);
SELECT coalesce('fillfactor=100' = ANY (reloptions), false) FROM pg_class WHERE relname = 'p1';
ALTER TABLE p1 RESET (fillfactor, autovacuum_enabled);
SELECT coalesce('fillfactor=100' = ANY (reloptions), false) FROM pg_class WHERE relname = 'p1';
ALTER TABLE p1 SET (fillfactor = 100);
SELECT coalesce('fillfactor=100' = ANY (reloptions), false) FROM pg_class WHERE relname = 'p1';
-- error: 22023
ALTER TABLE p1 SET (fillfactor = 5);
-- error: 22023
ALTER TABLE p1 SET (fillfactor = x);
-- error: 22023
ALTER TABLE p1 SET (nosuch = 5);
-- error: 22023
ALTER TABLE p1 SET (nosuch.fillfactor = 5);
-- error: 22023
CREATE TABLE p2 (a int) WITH (fillfactor = 100, fillfactor = 100);
-- error: 0A000
CREATE TABLE p2 (a int) WITH (oids);
-- error: 42601
CREATE TABLE p2 (a int) WITH (oids = perhaps);
-- error: 42601
ALTER TABLE p1 RESET (fillfactor = 5);
CREATE VIEW pv WITH (security_barrier = false) AS SELECT * FROM p1;
SELECT reloptions FROM pg_class WHERE relname = 'pv';
ALTER VIEW pv SET (security_invoker = off);
SELECT reloptions FROM pg_class WHERE relname = 'pv';
ALTER VIEW pv RESET (security_barrier);
SELECT reloptions FROM pg_class WHERE relname = 'pv';
-- error: 22023
ALTER VIEW pv SET (nosuch);
-- error: 22023
CREATE VIEW pv2 WITH (fillfactor = 100) AS SELECT 1;
-- error: 22023
CREATE VIEW pv2 WITH (security_barrier = perhaps) AS SELECT 1;
-- error: 42601
CREATE INDEX IF NOT EXISTS ON p1 (a);
DROP STATISTICS IF EXISTS foo;
DROP DOMAIN IF EXISTS foo;
-- error: 42704
DROP DOMAIN foo;
DROP TRIGGER IF EXISTS x ON p1;
DROP TRIGGER IF EXISTS x ON nosuch;
DROP RULE IF EXISTS x ON p1;
DROP POLICY IF EXISTS x ON p1;
-- error: 42704
DROP TRIGGER x ON p1;
-- error: 42704
DROP RULE x ON p1;
-- error: 42704
DROP POLICY x ON p1;
DROP LANGUAGE IF EXISTS nosuch;
DROP TEXT SEARCH CONFIGURATION IF EXISTS nosuch;
DROP EVENT TRIGGER IF EXISTS nosuch;
DROP FOREIGN DATA WRAPPER IF EXISTS nosuch;
DROP CONVERSION IF EXISTS nosuch;
DROP ACCESS METHOD IF EXISTS nosuch;
-- error: 42704
DROP LANGUAGE nosuch;
