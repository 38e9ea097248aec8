CREATE TABLE t (id int PRIMARY KEY, g text, n int, x numeric(6,2), f float8, b bool);
INSERT INTO t VALUES (1, 'a', 1, 1.50, 0.5, true), (2, 'a', 2, 2.25, 1.5, false), (3, 'b', NULL, NULL, NULL, NULL), (4, 'b', 4, 4.00, 2.5, true), (5, NULL, 5, 5.10, 3.5, true);
SELECT count(*), count(n), count(DISTINCT g), sum(n), avg(n), min(n), max(n) FROM t;
SELECT sum(x), avg(x), min(x), max(x), sum(f), avg(f) FROM t;
SELECT count(*), sum(n), avg(n), max(n), array_agg(n), string_agg(g, ',') FROM t WHERE false;
SELECT g, count(*), sum(n) FROM t GROUP BY g ORDER BY g;
SELECT g, sum(x) AS s FROM t GROUP BY g HAVING sum(x) > 4 ORDER BY s;
SELECT g, n % 2 AS odd, count(*) FROM t GROUP BY g, odd ORDER BY 1, 2;
SELECT n > 2 AS big, count(*) FROM t GROUP BY 1 ORDER BY 1;
SELECT count(*) FILTER (WHERE b), count(*) FILTER (WHERE n > 100), sum(n) FILTER (WHERE g = 'a') FROM t;
SELECT string_agg(g, ',' ORDER BY id DESC), string_agg(DISTINCT g, '-' ORDER BY g), array_agg(n ORDER BY n DESC NULLS LAST) FROM t;
SELECT bool_and(b), bool_or(b), every(b) FROM t;
SELECT bit_and(n), bit_or(n), bit_xor(n) FROM t;
SELECT stddev(n), variance(n), stddev_pop(n), var_pop(n) FROM t;
SELECT stddev(f), variance(f), corr(f, f), covar_pop(f, f), regr_slope(f, n) FROM t;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f), percentile_disc(0.5) WITHIN GROUP (ORDER BY n), mode() WITHIN GROUP (ORDER BY g) FROM t;
SELECT min(g), max(g), min(b::text), max(x::text) FROM t;
SELECT sum(DISTINCT n % 2), count(DISTINCT n % 2), avg(DISTINCT n) FROM t;
SELECT g, n, sum(x) FROM t GROUP BY ROLLUP (g, n) ORDER BY g NULLS LAST, n NULLS LAST, 3;
SELECT g, b, count(*), grouping(g, b) FROM t GROUP BY CUBE (g, b) ORDER BY 4, 1, 2;
SELECT g, b, count(*) FROM t GROUP BY GROUPING SETS ((g), (b), ()) ORDER BY 1, 2, 3;
SELECT count(*) FROM t HAVING count(*) > 100;
SELECT max(id) - min(id), sum(n) * 2 + 1 FROM t;
SELECT g FROM t GROUP BY g ORDER BY count(*) DESC, g;
SELECT id, g, count(*) FROM t GROUP BY id ORDER BY id;
-- error: 42803
SELECT g, n FROM t GROUP BY g;
-- error: 42803
SELECT id FROM t WHERE count(*) > 1;
-- error: 42803
SELECT sum(count(*)) FROM t;
-- error: 42803
SELECT g, count(*) FROM t;
-- error: 42883
SELECT sum(g) FROM t;
-- error: 42883
SELECT avg(b) FROM t;
-- error: 42883
SELECT nosuchagg(n) FROM t;
SELECT pg_typeof(count(*)), pg_typeof(sum(n)), pg_typeof(sum(n::int8)), pg_typeof(avg(n)), pg_typeof(avg(f)), pg_typeof(sum(x)), pg_typeof(sum(f::float4)) FROM t;
SELECT avg(x), avg(n::int8), sum(2147483647::int) FROM t, generate_series(1, 2);
SELECT avg(v) FROM (VALUES (1), (2), (2)) s(v);
SELECT sum(v), avg(v) FROM (VALUES (0.1), (0.20), (0.300)) s(v);
SELECT sum('1 day'::interval * n), max('2024-01-01'::date + n), min('2024-01-01'::timestamp + f * interval '1 day') FROM t;
-- error: 22003
SELECT sum(9223372036854775807)::int8 FROM generate_series(1, 2);
SELECT sum(9223372036854775807) FROM generate_series(1, 2);
SELECT array_agg(DISTINCT b), json_agg(id ORDER BY id), jsonb_object_agg(id, g) FROM t;
SELECT percentile_cont(ARRAY[0.25, 0.5, NULL]) WITHIN GROUP (ORDER BY x), percentile_disc(ARRAY[0, 1]) WITHIN GROUP (ORDER BY x DESC), percentile_cont(0.3) WITHIN GROUP (ORDER BY x * interval '1 hour'), mode() WITHIN GROUP (ORDER BY x % 2), percentile_disc(0.5) WITHIN GROUP (ORDER BY x::text) FROM generate_series(1, 7) x;
SELECT x % 2, percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FILTER (WHERE x > 2), percentile_disc(NULL) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 7) x GROUP BY 1 ORDER BY 1;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 0) x;
-- error: 22003
SELECT percentile_cont(1.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 7) x;
-- error: 42809
SELECT percentile_cont(0.5, x) FROM generate_series(1, 7) x;
-- error: 42809
SELECT sum() WITHIN GROUP (ORDER BY x) FROM generate_series(1, 7) x;
SELECT a, b, count(*) FROM (VALUES (1, 1), (1, 2), (2, 2)) v(a, b) GROUP BY DISTINCT ROLLUP (a, b), ROLLUP (a) ORDER BY 1, 2;
SELECT a, b, count(*) FROM (VALUES (1, 1), (1, 2), (2, 2)) v(a, b) GROUP BY ALL ROLLUP (a, b), ROLLUP (a) ORDER BY 1, 2;
SELECT a, count(*) FROM (VALUES (1, 1), (1, 2), (2, 2)) v(a, b) GROUP BY DISTINCT a ORDER BY 1;
SELECT count(DISTINCT (a, b)), count(DISTINCT ROW(a, b)), count(DISTINCT v), count(DISTINCT a), count(v.*) FROM (VALUES (1, 1.0), (1, 1.00), (1, NULL), (NULL, NULL)) v(a, b);
SELECT a, count(DISTINCT (a, b)) FILTER (WHERE a > 1) FROM (VALUES (1, 1.0), (2, 1.00), (2, NULL)) v(a, b) GROUP BY a ORDER BY a;
