CREATE TABLE t (id int PRIMARY KEY, a int, b text, c bool);
INSERT INTO t VALUES (1, 30, 'x', true), (2, NULL, 'y', false), (3, 10, NULL, NULL), (4, 20, 'x', true);
SELECT * FROM t ORDER BY a;
SELECT * FROM t ORDER BY a DESC;
SELECT * FROM t ORDER BY a NULLS FIRST, id DESC;
SELECT id, a FROM t ORDER BY b, 2 DESC;
SELECT id AS key, a + 1 AS next FROM t ORDER BY next;
SELECT id FROM t ORDER BY a * -1;
SELECT id FROM t ORDER BY id LIMIT 2;
SELECT id FROM t ORDER BY id LIMIT 2 OFFSET 1;
SELECT id FROM t ORDER BY id OFFSET 3;
SELECT id FROM t ORDER BY id FETCH FIRST 2 ROWS ONLY;
SELECT id FROM t ORDER BY id LIMIT ALL;
SELECT id FROM t ORDER BY id LIMIT NULL;
SELECT id FROM t LIMIT 0;
-- error: 2201W
SELECT id FROM t LIMIT -1;
-- error: 2201X
SELECT id FROM t OFFSET -1;
SELECT b FROM t GROUP BY b ORDER BY b FETCH FIRST 1 ROW WITH TIES;
SELECT DISTINCT b FROM t ORDER BY b;
SELECT DISTINCT ON (b) b, id FROM t ORDER BY b, id DESC;
SELECT id FROM t WHERE a > 10 AND c ORDER BY id;
SELECT id FROM t WHERE a > 10 OR b IS NULL ORDER BY id;
SELECT id FROM t WHERE NOT c;
SELECT id FROM t WHERE a IN (10, 20, NULL) ORDER BY id;
SELECT id FROM t WHERE a NOT IN (10, 20) ORDER BY id;
SELECT id FROM t WHERE a NOT IN (10, NULL);
SELECT id FROM t WHERE (id, b) = (1, 'x');
SELECT id FROM t WHERE (a, id) > (10, 3) ORDER BY id;
SELECT id FROM t WHERE id BETWEEN 2 AND 3 ORDER BY id;
SELECT CASE WHEN a > 15 THEN 'big' WHEN a IS NULL THEN 'none' ELSE 'small' END FROM t ORDER BY id;
SELECT CASE b WHEN 'x' THEN 1 ELSE 2 END AS code FROM t ORDER BY id;
SELECT coalesce(b, 'none'), nullif(a, 10) FROM t ORDER BY id;
SELECT t.* FROM t WHERE t.id = 1;
SELECT id, id, a AS id FROM t WHERE id = 1;
SELECT;
SELECT 1 AS a, 2 AS a;
SELECT 1, 'x', NULL, true;
SELECT FROM t;
VALUES (1, 'a'), (2, 'b');
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (n, s) ORDER BY n DESC;
TABLE t ORDER BY id LIMIT 1;
SELECT a FROM t WHERE id = 1 UNION SELECT a FROM t WHERE id = 1;
SELECT a FROM t WHERE id = 1 UNION ALL SELECT a FROM t WHERE id = 1;
SELECT b FROM t INTERSECT SELECT 'x';
SELECT b FROM t EXCEPT SELECT 'x' ORDER BY 1;
SELECT id FROM t WHERE id < 3 UNION ALL (SELECT id FROM t ORDER BY id DESC LIMIT 1) ORDER BY id;
SELECT 1 UNION SELECT 2.5 ORDER BY 1;
SELECT NULL UNION SELECT 'x' ORDER BY 1;
-- error: 42601
SELECT 1 UNION SELECT 1, 2;
-- error: 42804
SELECT 1 UNION SELECT true;
-- error: 42703
SELECT nope FROM t;
-- error: 42703
SELECT t.nope FROM t;
-- error: 42P01
SELECT x.id FROM t;
-- error: 42703
SELECT id AS k FROM t WHERE k = 1;
-- error: 42P10
SELECT id FROM t ORDER BY 5;
-- error: 42P10
SELECT DISTINCT b FROM t ORDER BY id;
SELECT * FROM generate_series(1, 3);
SELECT n * 2 AS twice FROM generate_series(1, 10, 4) AS n;
SELECT count(*) FROM generate_series(1, 0);
SELECT id, generate_series(1, 2) FROM t WHERE id < 3 ORDER BY 1, 2;
SELECT a.id FROM t a WHERE a.b = 'x' ORDER BY a.id DESC;
SELECT "t"."id" FROM "public"."t" WHERE "t"."id" = 4;
SELECT 'a' AS "Quoted Name", 1 AS "MiXed";
SELECT -id, +id, @ -5, id::text || '!' FROM t WHERE id = 1;
/* a comment */ SELECT /* inside */ 1 -- at the end
;
SELECT 1::int4 AS "?column?", pg_catalog.lower('X');
SELECT ROW(1, 'a', NULL), (1, 2) = (1, 2), ROW(1, 2) < ROW(1, 3), (1, NULL) IS NULL, ROW(NULL, NULL) IS NULL;
SELECT EXISTS (SELECT 1 FROM t), NOT EXISTS (SELECT 1 FROM t WHERE id = 99);
SELECT a FROM (VALUES (1), (3), (2)) v(a) ORDER BY a USING <;
SELECT a, b FROM (VALUES (1, 1), (3, 2), (3, 1)) v(a, b) ORDER BY a USING > NULLS LAST, b USING <;
SELECT 'b'::text COLLATE "C" < 'a', 'a'::varchar(3) COLLATE "POSIX" || 'b', 'x' COLLATE "C" = 'x';
SELECT ROW(v.*), ROW(1, v.*, 2), ROW(v.*) IS NULL FROM (VALUES (1, 'a'), (2, NULL)) v(a, b);
SELECT WHERE true;
SELECT LIMIT 1;
-- error: 42601
SELECT DISTINCT FROM (VALUES (1)) v(a);
SELECT a IS DISTINCT FROM 1 FROM (VALUES (1), (3)) v(a);
-- error: 42P10
SELECT a FROM (VALUES (1), (2)) v(a) LIMIT a;
-- error: 42P10
SELECT a FROM (VALUES (1), (2)) v(a) LIMIT 1 OFFSET v.a;
-- error: 42703
SELECT a FROM (VALUES (1), (2)) v(a) LIMIT nosuch;
SELECT a AS rows FROM (VALUES (1)) v(a);
SELECT rows FROM (SELECT 1 AS rows) v;
SELECT search depth, cycle, distinct_ FROM (VALUES (1, 2, 3)) v(search, cycle, distinct_);
SELECT a IS NOT DISTINCT FROM rows FROM (VALUES (1, 1)) v(a, rows);
