-- What a query engine underneath could get wrong without a word.
-- error: 22003
SELECT 2147483647::int + 1::int;
-- error: 22003
SELECT -2147483648::int4 - 1;
-- error: 22003
SELECT 9223372036854775807::int8 * 2::int8;
-- error: 22003
SELECT 32767::int2 + 1::int2;
-- error: 22003
SELECT (-2147483648)::int4 / -1;
-- error: 22003
SELECT abs((-2147483648)::int4);
SELECT sum(x), pg_typeof(sum(x)) FROM (VALUES (9223372036854775807), (1)) v(x);
SELECT avg(x), pg_typeof(avg(x)) FROM (VALUES (1::int8), (2)) v(x);
SELECT '\xdeadbeef'::bytea, length('\xdeadbeef'::bytea), '\xdeadbeef'::bytea = '\xDEADBEEF'::bytea;
SELECT 'abc'::varchar(2), 'abc'::char(2), cast('abc' as character varying(1)), 'a'::char(3) || 'b';
SELECT to_char('2024-05-06'::timestamp, 'YYYY-MM-DD'), to_char('2024-05-06 07:08'::timestamp, 'HH24:MI');
SELECT 'abc' SIMILAR TO '%b%', 'abc' SIMILAR TO 'b', 'abc' SIMILAR TO 'a(b|c)*';
SELECT '2024-01-02 03:04:05+02'::timestamptz, '2024-01-02 03:04:05-05:30'::timestamptz;
SELECT generate_series(1, 3);
SELECT generate_series(1, 3) AS a, generate_series(1, 2) AS b;
SELECT 1::numeric, 1.10::numeric, 10::numeric / 4, 1.0 * 1.00, 2::numeric ^ 0.5;
SELECT '{"a":{"b":7}}'::jsonb #> '{a,b}', '{"a":1}'::jsonb || '{"b":2}'::jsonb;
SELECT 12345678901234567890123456789012345678901234567890::numeric, 'NaN'::numeric, 'infinity'::timestamp;
SELECT id, id FROM (SELECT 1 AS id) t;
SELECT 1 AS a, 1 AS a, 'x' AS a;
SELECT * FROM (SELECT 1 AS x) a, (SELECT 2 AS x) b;
CREATE TABLE t (id int PRIMARY KEY, n int, v varchar(3), x numeric(6,2), f float8, b bytea);
INSERT INTO t VALUES (1, 2147483647, 'abc', 1.005, 0.1, '\x00ff'), (2, NULL, NULL, 1, 'NaN', NULL), (3, -5, 'zz', -1.5, -0.0, '\x'), (4, 0, '', 0, 'Infinity', '\x01');
-- error: 22003
UPDATE t SET n = n + 1 WHERE id = 1;
-- error: 22003
SELECT n + 1 FROM t ORDER BY id;
-- error: 22003
SELECT n * 10 FROM t WHERE id = 1;
SELECT n::int8 + 1 FROM t WHERE id = 1;
SELECT id, x FROM t ORDER BY x DESC;
SELECT id FROM t ORDER BY n;
SELECT id FROM t ORDER BY n DESC;
SELECT id FROM t ORDER BY f;
SELECT id, f FROM t WHERE f > 1 ORDER BY id;
SELECT id FROM t WHERE f = 'NaN';
SELECT id FROM t WHERE f = 0;
SELECT id FROM t ORDER BY b;
SELECT count(DISTINCT f), max(f), min(f) FROM t;
SELECT x * 2, x / 3, x + 1, -x, round(x), x::int FROM t ORDER BY id;
SELECT 5 / 2, -5 / 2, 5 % -3, 5.0 / 2, 5 / 2.0, 1 / 3.0;
SELECT id FROM t WHERE id = 1 FOR UPDATE;
SELECT id FROM t ORDER BY id FOR SHARE;
SELECT id FROM t WHERE id < 3 ORDER BY id FOR UPDATE SKIP LOCKED;
-- error: 0A000
SELECT count(*) FROM t FOR UPDATE;
-- error: 0A000
SELECT DISTINCT id FROM t FOR UPDATE;
-- error: 42P01
SELECT id FROM t FOR UPDATE OF nosuch;
SELECT date '2024-01-31' + interval '1 month', timestamp '2024-01-31' - interval '2 months';
SELECT 'a' = 'a ', 'a'::char(3) = 'a '::char(2), 'a'::varchar = 'a ';
SELECT NULL = NULL, NULL <> NULL, NULL IN (NULL), 1 IN (2, NULL), NOT (1 IN (2, NULL)), NULL || 'x', NULL AND false;
SELECT round(0.5), round(1.5), round(0.5::float8), round(1.5::float8), round(2.5::float8), (0.5::float8)::int, (1.5::float8)::int;
SELECT substring('hello', 0), substring('hello', -1, 4), substring('hello', 2), left('hello', 0), split_part('a-b', '-', 3);
SELECT length(''), '' IS NULL, coalesce('', 'x'), concat(NULL), trim('');
SELECT extract(epoch from '2024-01-01 00:00:00.123456+00'::timestamptz), date_part('epoch', '1970-01-01'::timestamp);
SELECT 'a' < 'B', 'a' > 'B', 'Z' < 'a';
SELECT 1e0, 1.0e2, .5, 5.;
SELECT ln(10::float8), exp(1::float8), 1.1::float4 = 1.1::float8, 1.1::float4::float8;
SELECT x, count(*) FROM (VALUES (1.0), (1.00), (1)) v(x) GROUP BY x;
SELECT DISTINCT x FROM (VALUES (0.0::float8), (-0.0::float8)) v(x);
SELECT least('a', 'B'), greatest(1, NULL, 3), least(2.5, 1);
SELECT to_timestamp(0), to_char(1234.5678, '9999.99'), to_char(-1, 'S9'), to_char(0, '9');
SELECT array_length(ARRAY[1,2,3], 1), (ARRAY[1,2,3])[1], (ARRAY[1,2,3])[2:3], 2 = ANY(ARRAY[1,2]);
SELECT upper('straße'), lower('ÀÉ'), initcap('o''neil mc-donald'), length('日本語'), left('日本語', 2), reverse('日本');
SELECT '1'::int + '2', '3' + 4, 5 - '2', '2024-01-01'::date = '2024-01-01';
SELECT interval '1 day' * 3, 2 * interval '1 hour', interval '1 day' / 2;
-- error: 42883
SELECT 'a' + 1::text;
-- error: 42883
SELECT 1 || 2;
-- error: 42883
SELECT true + 1;
-- error: 42846
SELECT '2024-01-01'::date::int;
-- error: 42883
SELECT 1 = 'x'::text;
-- error: 42883
SELECT length(5);
-- Precision and length of one side of a comparison are nothing to the other.
CREATE TABLE sw_n (n numeric(10,2), c char(3), k int);
CREATE TABLE sw_m (m numeric, v varchar, w char(4), k int);
INSERT INTO sw_n VALUES (1.23, 'abc', 1), (NULL, NULL, 2), (5, 'x', NULL);
INSERT INTO sw_m VALUES (1.234, 'abcd', 'abcd', 1), (1000000000000.5, 'abc', 'abc', 1), (1.230, 'x ', 'x', 3), (NULL, NULL, NULL, 4);
SELECT 1.23::numeric(10,2) = 1.234, 1.23::numeric(10,2) < 1.234, 'abc'::char(3) = 'abcd'::char(4);
SELECT n FROM sw_n WHERE n = 1.234;
SELECT n FROM sw_n WHERE n < 1.234;
SELECT n FROM sw_n WHERE n BETWEEN 1.2349 AND 1.23499;
SELECT nullif(n, 1.234) FROM sw_n ORDER BY n;
SELECT n, m FROM sw_n JOIN sw_m ON n = m ORDER BY m;
SELECT n, m FROM sw_n, sw_m WHERE n <> m ORDER BY m, n;
SELECT m FROM sw_m WHERE NOT EXISTS (SELECT 1 FROM sw_n WHERE n = m) ORDER BY m;
SELECT n, m FROM sw_n FULL JOIN sw_m ON n = m ORDER BY n, m;
SELECT c, v FROM sw_n JOIN sw_m ON c = v ORDER BY c, v;
SELECT c, w FROM sw_n JOIN sw_m ON c = w ORDER BY c, w;
SELECT n FROM sw_n WHERE n IN (SELECT m FROM sw_m);
-- NOT IN of a correlated subquery: each row has a set of its own.
SELECT n FROM sw_n WHERE n NOT IN (SELECT m FROM sw_m WHERE sw_n.k = 1) ORDER BY n;
SELECT n, k FROM sw_n WHERE k NOT IN (SELECT k FROM sw_m WHERE sw_n.n > 2) ORDER BY n, k;
SELECT n, k FROM sw_n WHERE k NOT IN (SELECT 1 WHERE n > 2) ORDER BY n, k;
SELECT n, k FROM sw_n WHERE n NOT IN (SELECT m FROM sw_m WHERE sw_m.k = sw_n.k) ORDER BY n, k;
SELECT n, k FROM sw_n WHERE n NOT IN (SELECT max(m) FROM sw_m WHERE sw_m.k = sw_n.k) ORDER BY n, k;
SELECT n, k FROM sw_n WHERE n NOT IN (SELECT m FROM sw_m WHERE sw_m.k <= sw_n.k ORDER BY m LIMIT 1) ORDER BY n, k;
SELECT n, k FROM sw_n WHERE k IN (SELECT k FROM sw_m WHERE m > n) ORDER BY n, k;
SELECT k FROM sw_n WHERE 0 IN (SELECT count(*) FROM sw_m WHERE sw_m.k = sw_n.k) ORDER BY k;
SELECT k FROM sw_n WHERE EXISTS (SELECT max(m) FROM sw_m WHERE sw_m.k = sw_n.k HAVING count(*) = 0) ORDER BY k;
SELECT k FROM sw_n WHERE NOT EXISTS (SELECT count(*) FROM sw_m WHERE sw_m.k = sw_n.k) ORDER BY k;
SELECT k FROM sw_n WHERE k IN (SELECT row_number() OVER (ORDER BY m) FROM sw_m WHERE sw_m.k >= sw_n.k) ORDER BY k;
SELECT k FROM sw_n WHERE 3 IN (SELECT count(*) OVER () FROM sw_m WHERE sw_m.k >= sw_n.k) ORDER BY k;
SELECT k FROM sw_n WHERE k IN (SELECT k FROM sw_m WHERE m > n UNION SELECT 2 WHERE n IS NULL) ORDER BY k;
SELECT k FROM sw_n WHERE k NOT IN (SELECT k FROM sw_m WHERE m > n INTERSECT SELECT 1 WHERE n < 2) ORDER BY k;
SELECT k FROM sw_n WHERE EXISTS (SELECT DISTINCT v FROM sw_m WHERE sw_m.k = sw_n.k OFFSET 1) ORDER BY k;
SELECT k, (SELECT count(*) FROM sw_m WHERE sw_m.k = sw_n.k), (SELECT count(*) + 1 FROM sw_m WHERE sw_m.k = sw_n.k AND m > 100) FROM sw_n ORDER BY k;
SELECT k, (SELECT row_number() OVER (ORDER BY m DESC) FROM sw_m WHERE sw_m.k = sw_n.k ORDER BY m LIMIT 1) FROM sw_n ORDER BY k;
SELECT k, (SELECT max(c) FROM (SELECT count(*) AS c FROM sw_m WHERE sw_m.k = sw_n.k) s) FROM sw_n ORDER BY k;
SELECT k, (SELECT max(m) FROM sw_m WHERE sw_m.k = sw_n.k HAVING max(m) IS NULL) FROM sw_n ORDER BY k;
SELECT k, (SELECT count(*) FROM sw_m WHERE sw_m.k = sw_n.k HAVING count(*) < 1) FROM sw_n ORDER BY k;
-- Subqueries that look two queries out.
SELECT k, (SELECT 1 FROM sw_m a WHERE NOT EXISTS (SELECT 1 FROM sw_m b WHERE sw_n.n > 2) ORDER BY 1 LIMIT 1) FROM sw_n ORDER BY k;
SELECT k, (SELECT max(1) FROM sw_m a WHERE a.k = 3 AND (SELECT sw_n.n > 2 FROM sw_m b LIMIT 1)) FROM sw_n ORDER BY k;
SELECT k, (SELECT max(a.m) FROM sw_m a WHERE a.k < (SELECT max(b.k) FROM sw_m b WHERE b.k <> a.k AND sw_n.n > 1)) FROM sw_n ORDER BY k;
SELECT k FROM sw_n WHERE EXISTS (SELECT 1 FROM sw_m a WHERE EXISTS (SELECT 1 FROM sw_m b WHERE b.k = a.k AND b.k > sw_n.k)) ORDER BY k;
SELECT k FROM sw_n WHERE k IN (SELECT a.k FROM sw_m a WHERE a.k NOT IN (SELECT b.k FROM sw_m b WHERE b.m > sw_n.n)) ORDER BY k;
-- A condition without columns above an aggregate of everything.
SELECT min(1) FROM sw_n HAVING (SELECT true WHERE false);
SELECT count(*) FROM sw_n HAVING (SELECT count(*) > 100 FROM sw_m);
SELECT * FROM (SELECT count(*) FROM sw_n) s WHERE (SELECT count(*) > 100 FROM sw_m);
SELECT k, count(*) FROM sw_n GROUP BY ROLLUP (k) HAVING (SELECT count(*) > 100 FROM sw_m);
SELECT * FROM (SELECT 2 AS x, count(*) FROM sw_n) q WHERE x = 1;
SELECT * FROM (SELECT 'a' AS kind, count(*) FROM sw_n UNION ALL SELECT 'b', count(*) FROM sw_m) q WHERE kind = 'a';
SELECT count(*) FROM sw_m JOIN (SELECT 2 AS x, count(*) FROM sw_n) q ON q.x = 1;
SELECT count(*) FROM sw_m WHERE 1 IN (SELECT 2 FROM (SELECT count(*) FROM sw_n) q);
SELECT count(*) FROM sw_m WHERE 1 IN (SELECT 2 FROM sw_n GROUP BY ROLLUP (k));
PREPARE sw_having AS SELECT count(*) FROM sw_n HAVING $1;
EXECUTE sw_having(false);
EXECUTE sw_having(true);
EXECUTE sw_having(false);
EXECUTE sw_having(NULL);
DEALLOCATE sw_having;
DROP TABLE sw_n, sw_m;
-- error: 0A000
SELECT row_number() OVER () FROM t FOR UPDATE;
-- error: 0A000
SELECT id FROM t ORDER BY row_number() OVER () FOR SHARE;
-- error: 0A000
SELECT generate_series(1, 2) FROM t FOR UPDATE OF t;
-- error: 0A000
VALUES (1) FOR UPDATE;
SELECT 1 FOR UPDATE;
-- error: 0A000
SELECT id FROM t UNION SELECT 1 FOR UPDATE;
