CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'dflt', b numeric(6,2), c timestamptz);
INSERT INTO t VALUES (1, 'x', 1.234, '2024-01-01');
INSERT INTO t (b, id) VALUES (2, 2);
INSERT INTO t (id, a) VALUES (3, DEFAULT), (4, NULL), (5, 'five');
SELECT * FROM t ORDER BY id;
INSERT INTO t SELECT n, 'series', n / 2.0 FROM generate_series(10, 12) n;
SELECT id, b FROM t WHERE a = 'series' ORDER BY id;
INSERT INTO t (id) VALUES (20) RETURNING *;
INSERT INTO t (id, b) VALUES (21, 5), (22, 6) RETURNING id, b * 2 AS twice, a || '!' AS loud;
INSERT INTO t AS alias (id) VALUES (23) RETURNING alias.id;
INSERT INTO t (id, a) SELECT id + 100, upper(a) FROM t WHERE id < 3 RETURNING id, a;
INSERT INTO t (id) SELECT 0 WHERE false;
-- error: 42601
INSERT INTO t (id, a) VALUES (1);
-- error: 42601
INSERT INTO t (id) VALUES (1, 2);
-- error: 42601
INSERT INTO t VALUES (30, 'a', 1, now(), 5);
-- error: 42703
INSERT INTO t (id, nope) VALUES (1, 2);
-- error: 42701
INSERT INTO t (id, id) VALUES (1, 2);
-- error: 42804
INSERT INTO t (id, c) VALUES (30, 5);
-- error: 22P02
INSERT INTO t (id) VALUES ('x');
-- error: 22007
INSERT INTO t (id, c) VALUES (30, 'nonsense');
INSERT INTO t (id, b) VALUES ('31', '7.5') RETURNING id, b;
INSERT INTO t (id, a) VALUES (32, 5) RETURNING a;
-- error: 42804
INSERT INTO t (id) VALUES (true);
INSERT INTO t (id, b) VALUES (33, 2.5::float8), (34, 3::int8) RETURNING b;
INSERT INTO t (id) VALUES (35.4) RETURNING id;
-- error: 22003
INSERT INTO t (id) VALUES (99999999999);
WITH src AS (SELECT 40 AS id, 'cte' AS a) INSERT INTO t (id, a) SELECT * FROM src RETURNING *;
WITH ins AS (INSERT INTO t (id) VALUES (41), (42) RETURNING id) SELECT sum(id), count(*) FROM ins;
CREATE TABLE nopk (a int, b text);
INSERT INTO nopk VALUES (1, 'dup'), (1, 'dup'), (NULL, NULL);
SELECT a, b, count(*) FROM nopk GROUP BY a, b ORDER BY a;
INSERT INTO nopk DEFAULT VALUES RETURNING *;
INSERT INTO nopk VALUES (2);
SELECT * FROM nopk WHERE a = 2;
INSERT INTO nopk TABLE nopk;
SELECT count(*) FROM nopk;
INSERT INTO nopk (a) VALUES ((SELECT max(id) FROM t)), (1 + 2 * 3);
SELECT a FROM nopk WHERE a > 5 ORDER BY a;
-- error: 21000
INSERT INTO nopk (a) VALUES ((SELECT id FROM t));
-- error: 42803
INSERT INTO nopk (a) VALUES (count(*));
-- error: 42P10
INSERT INTO nopk VALUES (1, 'x') ON CONFLICT (a) DO NOTHING;
CREATE TABLE wide AS SELECT n AS id, n % 7 AS m, repeat('x', n) AS t FROM generate_series(1, 50) n;
SELECT count(*), sum(m), max(length(t)) FROM wide;
CREATE TABLE qualified (id int PRIMARY KEY, v text);
INSERT INTO public.qualified (id) VALUES (1) RETURNING public.qualified.id, qualified.id, id;
-- error: 42P01
INSERT INTO public.qualified AS x (id) VALUES (2) RETURNING public.qualified.id;
INSERT INTO qualified (id) VALUES (1) ON CONFLICT (id)
    DO UPDATE SET v = public.qualified.id::text || excluded.id RETURNING public.qualified.v;
-- error: 42703
INSERT INTO qualified (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET excluded.v = 1;
-- error: 42703
UPDATE qualified AS x SET x.v = 1;
-- error: 42703
UPDATE qualified AS x SET qualified.v = 1;
UPDATE public.qualified SET v = public.qualified.v || 'x' WHERE public.qualified.id = 1 RETURNING public.qualified.v;
DELETE FROM public.qualified WHERE public.qualified.id = 1 RETURNING public.qualified.v;
