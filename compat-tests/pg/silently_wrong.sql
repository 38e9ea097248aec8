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
