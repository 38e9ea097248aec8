-- How operators bind: from gram.y, weakest first OR, AND, NOT, IS, comparisons, LIKE, other operators, + -, * / %, ^, signs.
SELECT -2 ^ 2, - 2 ^ 2, -2 * 3 + 1, - (2) ^ 2, 2 ^ -1, -'5'::int, - 5 % 3;
SELECT 'a' ~ 'b' || 'c';
SELECT 2 OPERATOR(pg_catalog.+) 3 * 4, 2 * 3 OPERATOR(pg_catalog.+) 4 * 5;
SELECT @ -5 + 1, |/ 4 + 12, ||/ 8 * 8, ~ 1 & 3, ~1 + 1, @ -5 * 2;
SELECT 1 ISNULL, NULL ISNULL, NULL NOTNULL, 1 + NULL ISNULL;
SELECT true IS DISTINCT FROM true AND false, 1 IS NOT DISTINCT FROM 1 AND 2 = 2, 1 IS DISTINCT FROM 1 OR true;
-- error: 42883
SELECT 1 + 1 IS DISTINCT FROM 2 + 0, 1 IS DISTINCT FROM NULL = true;
SELECT row(1, 2) IS DISTINCT FROM row(1, 3) AND false;
SELECT NOT EXISTS (SELECT 1) IS NULL, NOT EXISTS (SELECT 1 WHERE false), NOT NOT EXISTS (SELECT 1), NOT true IS NULL, NOT 1 = 2;
-- error: 42601
SELECT 1 <> 2 = true;
-- error: 42601
SELECT 3 > 2 > false;
SELECT (1 <> 2) = true, 1 = 1 IS TRUE;
SELECT 1 IS NULL IS NULL;
SELECT 1 IN (1) IN (true);
-- error: 42601
SELECT 'a' LIKE 'a' LIKE 'b';
-- error: 42883
SELECT 1 = 1 LIKE 'x';
SELECT 1 BETWEEN 0 AND 2 = true, 1 IN (1, 2) = true, true = 1 IN (1, 2);
SELECT 3 IN ((SELECT 1), 3), 3 IN ((SELECT 3)), 3 NOT IN ((SELECT 1), (SELECT 2)), 3 IN ((SELECT 1) UNION SELECT 3), 3 IN ((1 + 2) * 1, 5), 3 IN (((SELECT 3)), 2), 1 IN ((SELECT 1 UNION SELECT 2));
SELECT ''::text COLLATE "C" < 'a', 'b' COLLATE "C" || 'c' COLLATE "C";
SELECT 'abc' LIKE 'a' || '%', 'abc' !~~ 'a' || '%', 'abc' ~~ 'x' || '%', 1 + 2 << 1, 5 & 3 = 1, 5 # 3 + 1;
SELECT '{"a":1}'::jsonb -> 'a' = '1', '{"a":1}'::jsonb ->> 'a' || 'x', '{"a":{"b":2}}'::jsonb -> 'a' ->> 'b', '[1,2]'::jsonb @> '[1]' AND true;
SELECT timestamp '2020-01-01' AT TIME ZONE 'UTC' = timestamptz '2020-01-01 00:00+00', NOT false AND false, NOT (false AND false), - 2 BETWEEN -3 AND -1;
SELECT 2 + 2 = 4 AND 3 > 2 OR false, NOT 1 > 2 AND true, 10 - 5 - 2, 2 ^ 3 ^ 2, 100 / 10 / 2, 7 % 4 * 2;
SELECT a, a IS NOT DISTINCT FROM 1 AND b = 2 FROM (VALUES (1, 2), (NULL, 2), (1, 3)) v(a, b) ORDER BY a, b;
SELECT * FROM (VALUES (1), (NULL)) v(a) JOIN (VALUES (1), (NULL)) w(b) ON a IS NOT DISTINCT FROM b AND true ORDER BY a;
