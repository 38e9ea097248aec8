CREATE TABLE t (id int PRIMARY KEY, a int, b text);
INSERT INTO t SELECT n, n * 10, 'r' || n FROM generate_series(1, 10) n;
UPDATE t SET a = a + 1 WHERE id = 1;
UPDATE t SET a = a + 1, b = b || a WHERE id = 2 RETURNING *;
UPDATE t SET a = 0 WHERE id > 100;
UPDATE t SET (a, b) = (5, 'both') WHERE id = 3 RETURNING id, a, b;
UPDATE t SET (a, b) = (SELECT max(a), 'sub' FROM t) WHERE id = 4 RETURNING *;
UPDATE t SET b = DEFAULT WHERE id = 5 RETURNING b;
UPDATE t AS x SET b = 'alias' WHERE x.id = 6 RETURNING x.b;
CREATE TABLE u (id int PRIMARY KEY, t_id int, v int);
INSERT INTO u VALUES (1, 7, 70), (2, 8, 80), (3, 8, 88), (4, NULL, 1);
UPDATE t SET a = u.v FROM u WHERE u.t_id = t.id AND t.id = 7 RETURNING t.id, t.a, u.v;
-- unordered
UPDATE t SET a = s.total FROM (SELECT t_id, sum(v)::int AS total FROM u GROUP BY t_id) s WHERE s.t_id = t.id RETURNING t.id, t.a;
-- unordered
UPDATE t SET b = (SELECT max(v)::text FROM u WHERE u.t_id = t.id) WHERE id IN (SELECT t_id FROM u) RETURNING id, b;
SELECT * FROM t ORDER BY id;
WITH gone AS (DELETE FROM u WHERE v > 50 RETURNING *) SELECT count(*), sum(v) FROM gone;
WITH changed AS (UPDATE t SET a = 1000 WHERE id = 3 RETURNING id, a) SELECT changed.a, t.a FROM changed JOIN t USING (id);
WITH moved AS (DELETE FROM t WHERE id = 3 RETURNING id, a) INSERT INTO u (id, v) SELECT id + 100, a FROM moved RETURNING *;
-- error: 42703
UPDATE t SET nope = 1;
-- error: 42601
UPDATE t SET a = 1, a = 2;
-- error: 22P02
UPDATE t SET a = 'x' WHERE id = 1;
-- error: 42804
UPDATE t SET a = true;
-- error: 22012
UPDATE t SET a = 1 / (id - 1);
-- error: 42803
UPDATE t SET a = sum(a);
UPDATE t SET a = a;
DELETE FROM t WHERE id = 1;
DELETE FROM t WHERE id = 1 RETURNING *;
DELETE FROM t WHERE id = 2 RETURNING id, b;
DELETE FROM t USING u WHERE u.t_id = t.id AND u.v = 70 RETURNING t.id, u.v;
DELETE FROM t WHERE id IN (SELECT t_id FROM u) RETURNING id;
-- unordered
DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.id = t.id) RETURNING id;
SELECT * FROM t ORDER BY id;
DELETE FROM u;
SELECT count(*) FROM u;
-- error: 42P01
DELETE FROM nosuch;
CREATE TABLE nopk (a int, b text);
INSERT INTO nopk VALUES (1, 'x'), (1, 'x'), (2, 'y');
UPDATE nopk SET b = 'z' WHERE a = 1;
DELETE FROM nopk WHERE a = 1;
SELECT * FROM nopk;
CREATE TABLE keys (a int, b int, v text, PRIMARY KEY (a, b));
INSERT INTO keys SELECT x, y, x || '-' || y FROM generate_series(1, 3) x, generate_series(1, 3) y;
UPDATE keys SET v = 'changed' WHERE a = 2 RETURNING b;
UPDATE keys SET a = a + 10 WHERE a = 1 AND b > 1;
SELECT * FROM keys ORDER BY a, b;
DELETE FROM keys WHERE (a, b) IN ((2, 1), (3, 3));
SELECT count(*) FROM keys;
DELETE FROM keys WHERE a BETWEEN 2 AND 3 AND v LIKE 'ch%' RETURNING v;
TRUNCATE keys, nopk;
SELECT (SELECT count(*) FROM keys), (SELECT count(*) FROM nopk);
