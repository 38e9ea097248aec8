CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y'), (3, 30, 'z');
CREATE VIEW v AS SELECT id, a * 2 AS twice, b FROM t WHERE a > 10;
SELECT * FROM v ORDER BY id;
SELECT twice FROM v WHERE id = 2;
-- error: 42P07
CREATE VIEW v AS SELECT 1;
CREATE OR REPLACE VIEW v AS SELECT id, a * 2 AS twice, b, a FROM t WHERE a > 10;
SELECT * FROM v ORDER BY id;
-- error: 42P16
CREATE OR REPLACE VIEW v AS SELECT id FROM t;
CREATE VIEW named (x, y) AS SELECT id, b FROM t;
SELECT x, y FROM named ORDER BY x;
CREATE VIEW over_view AS SELECT count(*) AS n, sum(twice) AS s FROM v;
SELECT * FROM over_view;
-- error: 2BP01
DROP VIEW v;
-- error: 2BP01
DROP TABLE t;
INSERT INTO t VALUES (4, 40, 'w');
SELECT * FROM over_view;
SELECT v.b, t.a FROM v JOIN t USING (id) ORDER BY 1;
DROP VIEW over_view;
DROP VIEW v, named;
-- error: 42P01
DROP VIEW v;
DROP VIEW IF EXISTS v;
-- error: 42809
DROP VIEW t;
CREATE VIEW agg AS SELECT a % 20 AS k, array_agg(b ORDER BY b) AS bs FROM t GROUP BY 1;
SELECT * FROM agg ORDER BY k;
-- error: 42P01
CREATE VIEW broken AS SELECT * FROM nosuch;
CREATE VIEW constant AS SELECT 1 AS one, 'x'::text AS two, now() IS NOT NULL AS three;
SELECT * FROM constant;
CREATE VIEW star AS SELECT * FROM t;
ALTER TABLE t ADD COLUMN late int;
SELECT * FROM star ORDER BY id LIMIT 1;
-- error: 2BP01
ALTER TABLE t DROP COLUMN b;
SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1;
DROP TABLE t CASCADE;
SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1;
ALTER VIEW constant RENAME TO fixed;
SELECT one FROM fixed;
CREATE TEMP VIEW passing AS SELECT 2 AS two;
SELECT two FROM passing;
