-- error: 42601
SELECT numeric(5);
-- error: 42601
SELECT numeric(5) AS x;
-- error: 42601
SELECT numeric(5+1, 2), 1;
-- error: 42601
SELECT numeric();
SELECT numeric(5,2) '1.234', char(3) 'abcdef', varchar(2) 'abc', time(0) '10:00:00.7', timestamp(0) '2024-01-01 10:00:00.7', timestamp(0) with time zone '2024-01-01 10:00:00.7+00', interval(0) '1.7 s', decimal(3) '5.6', float(3) '1.5', int '4', float8 '1', bool 't', interval '1 day', dec(3,1) '5.66';
-- error: 42601
SELECT time('10:00');
-- error: 42601
SELECT position('abc', 'b');
SELECT position('b' IN 'abc'), position('b' in 'a' || 'bc'), position('b'::text in ('abc')), position('\x01'::bytea in '\x0001'::bytea);
-- error: 42601
SELECT position();
-- error: 42601
SELECT position('a');
-- error: 42601
SELECT char('a');
-- error: 42601
SELECT char(5);
-- error: 42601
SELECT varchar('abc');
-- error: 42601
SELECT interval('1');
-- error: 42601
SELECT interval(1);
-- error: 42601
SELECT timestamp('2024-01-01');
-- error: 42601
SELECT timestamp(3);
-- error: 42601
SELECT extract(year, now());
-- error: 42601
SELECT extract('year', now());
SELECT extract(year FROM '2024-05-06'::date), extract('month' FROM '2024-05-06'::date), extract("day" FROM '2024-05-06'::date);
-- error: 42601
SELECT extract(1 FROM now());
-- error: 42601
SELECT extract('t'::text, now());
-- error: 42601
SELECT extract();
SELECT overlay('abcdef' placing 'xx' from 2 for 3), overlay('abcdef', 'xx', 2, 3), overlay('abcdef', 'xx', 2);
SELECT substring('abcdef', 2, 3), substring('abcdef' from 2), substring('abcdef' for 2), substring('abcdef' from 2 for 3), substring('abcdef', 'c.'), substring('abc' from 'b'), substring('foobar' similar '%#"o_b#"%' escape '#');
SELECT trim('  a '), trim(both 'x' from 'xax'), trim(leading from '  a'), trim('xax', 'x'), trim(leading 'x' from 'xa'), trim(from ' a '), trim(trailing 'xa', 'a');
-- error: 42601
SELECT trim();
-- error: 42601
SELECT trim(both);
-- error: 42601
SELECT int(5);
-- error: 42601
SELECT integer('5');
-- error: 42601
SELECT bigint(5), 1;
-- error: 42601
SELECT real(5);
-- error: 42601
SELECT boolean('t');
-- error: 42601
SELECT float(5);
-- error: 42601
SELECT float('5');
-- error: 42601
SELECT dec(5);
-- error: 42601
SELECT bit(3);
SELECT normalize('a', NFC), normalize('a');
-- error: 42601
SELECT normalize('a', 'NFC');
SELECT text(5), int4('5'), float8(1), bool('t'), date('2020-01-01'), timestamptz('2020-01-01'), name('a'), "numeric"('5'), "char"('abc'), "time"('10:00'::interval), "position"('abc','b'), pg_catalog.numeric('5.5'), pg_catalog.position('abc','c'), "timestamp"('2020-01-01'::date), "varchar"('x'), "overlay"('abc','x',1);
-- error: 42601
SELECT none(1);
-- error: 42601
SELECT precision(1);
-- error: 42601
SELECT setof(1);
SELECT CAST('5.55' AS numeric(5,1)), '5.55'::numeric(5,1), 'abc'::char(2), '10:00'::time(0), CAST(now() AS timestamp(0)) IS NOT NULL;
SELECT a, char, time FROM (SELECT 1 a, 2 AS char, 3 AS time) x;
SELECT x.time, x.position FROM (SELECT 1 AS time, 2 AS position) x;
-- error: 22001
SELECT * FROM json_to_record('{"a": 1.25, "b": "xyz"}') AS x(a numeric(5,1), b varchar(2));
-- error: 42601
SELECT * FROM time('10:00');
-- error: 42601
SELECT * FROM numeric(5);
SELECT 'a%b' LIKE 'a#%b' ESCAPE '#', 'a%b' LIKE 'a#%b' ESCAPE chr(35), 'a%b' LIKE 'a#%b' ESCAPE '#'::text, 'a%b' NOT LIKE 'a#%b' ESCAPE lower('#'), 'A%b' ILIKE 'a#%B' ESCAPE concat('#'), 'a%b' LIKE 'a%b' ESCAPE NULL, 'a\%' LIKE 'a\%' ESCAPE '';
SELECT 'abc' SIMILAR TO 'a#bc' ESCAPE chr(35), 'abc' NOT SIMILAR TO 'a_c' ESCAPE lower('X'), 'abc' SIMILAR TO 'a%' ESCAPE '#', 'abc' SIMILAR TO 'a(b|c)c';
-- error: 22025
SELECT 'a' LIKE 'b' ESCAPE '##';
PREPARE p1 AS SELECT 'a' LIKE 'b' ESCAPE $1;
EXECUTE p1('#');
EXECUTE p1('#');
EXECUTE p1('#');
EXECUTE p1('#');
PREPARE p2 AS SELECT x FROM (VALUES ('a_b'),('acb')) v(x) WHERE x LIKE $1 ESCAPE $2 ORDER BY 1;
EXECUTE p2('a#_b', '#');
EXECUTE p2('a#_b', '#');
EXECUTE p2('a#_b', '#');
EXECUTE p2('a#_b', '#');
SELECT 'abc' LIKE ANY (ARRAY['a%','x']), 'abc' NOT LIKE ALL (ARRAY['a%','x']), 'abc' ILIKE ANY (ARRAY['A%']), 'a' LIKE 'a' IS TRUE, NOT 'a' LIKE 'b', 'a' LIKE 'a' || '' AND true;
-- error: 42601
SELECT 'a' LIKE 'a' LIKE 'a';
SELECT 2 BETWEEN SYMMETRIC 3 AND 1, 2 NOT BETWEEN SYMMETRIC 3 AND 1, 2 BETWEEN ASYMMETRIC 1 AND 3, 2 BETWEEN 1 AND 3 AND true, NULL BETWEEN SYMMETRIC 1 AND 2;
CREATE VIEW bs AS SELECT x BETWEEN SYMMETRIC 3 AND 1 AS y, x::text LIKE ('a' || x) ESCAPE chr(35) AS z, count(*) OVER (ORDER BY x ROWS '1' PRECEDING) AS w FROM (VALUES (1),(2),(5)) v(x);
SELECT y, z, w FROM bs ORDER BY 3, 1;
CREATE TABLE ck (a int CHECK (a BETWEEN SYMMETRIC 10 AND 1), b text DEFAULT interval(0) '1.5 s', c text CHECK (c LIKE 'x%' ESCAPE chr(35)));
INSERT INTO ck VALUES (5, DEFAULT, 'xa');
-- error: 23514
INSERT INTO ck VALUES (50, DEFAULT, 'xa');
SELECT * FROM ck;
SELECT 1 AS x ORDER BY (1);
SELECT a FROM (VALUES (2),(1)) v(a) ORDER BY - -1;
SELECT a FROM (VALUES (2),(1)) v(a) ORDER BY +1;
SELECT a, count(*) FROM (VALUES (2),(1)) v(a) GROUP BY (1) ORDER BY ((1));
-- error: 42601
SELECT 1 ORDER BY ('a');
-- error: 42601
SELECT 1 ORDER BY (NULL);
SELECT DISTINCT ON ((1)) a FROM (VALUES (2),(1)) v(a) ORDER BY 1;
SELECT 1 UNION SELECT 2 ORDER BY (1);
-- error: 42601
SELECT ARRAY[1,2][1];
SELECT (ARRAY[1,2])[1];
-- error: 42601
SELECT string_to_array('a,b', ',')[1];
SELECT (string_to_array('a,b', ','))[1];
-- error: 42601
SELECT '{1,2}'[1];
SELECT (CAST('{1,2}' AS int[]))[1], (SELECT ARRAY[4,5])[2], ('{1,2}'::int[])[1:1];
-- error: 42804
PREPARE p3 AS SELECT $1[1];
-- error: 26000
EXECUTE p3('{1,2}');
-- error: 26000
EXECUTE p3('{1,2}');
-- error: 26000
EXECUTE p3('{1,2}');
-- error: 26000
EXECUTE p3('{1,2}');
PREPARE p4 AS SELECT ($1::int[])[2];
EXECUTE p4('{1,2}');
EXECUTE p4('{1,2}');
EXECUTE p4('{1,2}');
EXECUTE p4('{1,2}');
SELECT ia[a & 1], ia[1 # 2], ia[1 << 1], ia[a | 2], ia[1:a & 3], ia[(a)], ia[CASE WHEN true THEN 1 END], ia[a + 1:3], ia[- -1] FROM (SELECT ARRAY[10,20,30] ia, 1 a) q;
-- error: 42804
SELECT ia[a > 0] FROM (SELECT ARRAY[10,20,30] ia, 1 a) q;
-- error: 42804
SELECT 1 COLLATE "C";
SELECT 'a' COLLATE "C", 'a'::varchar COLLATE "POSIX", ARRAY['a'] COLLATE "C", ('a' || 'b') COLLATE "C";
-- error: 42804
SELECT (1 IN (2)) COLLATE "C";
-- error: 42804
SELECT now() COLLATE "C", 1;
-- error: 42804
SELECT ARRAY[1] COLLATE "C";
-- error: 42804
SELECT a FROM (VALUES (2),(1)) v(a) ORDER BY a COLLATE "C";
-- error: 42804
SELECT '{}'::jsonb COLLATE "C";
SELECT a FROM (VALUES (2),(1)) v(a) ORDER BY a::text COLLATE "C";
SELECT 1 = ANY (VALUES (1),(2)), 3 > ALL (VALUES (1),(2)), 1 = SOME (VALUES (1)), (VALUES (7)), (VALUES (7)) + 1, 1 IN (VALUES (1)), EXISTS (VALUES (1)), ARRAY(VALUES (1),(2)), 1 <> ALL (VALUES (1),(NULL));
-- error: 21000
SELECT (VALUES (1),(2));
SELECT x FROM (VALUES (1),(2),(3)) v(x) WHERE x < ANY (VALUES (2),(3)) AND x = (VALUES (2)) ORDER BY 1;
PREPARE p5 AS SELECT x FROM (VALUES (1),(2),(3)) v(x) WHERE x < ANY (VALUES ($1::int),(2)) ORDER BY 1;
EXECUTE p5('3');
EXECUTE p5('3');
EXECUTE p5('3');
EXECUTE p5('3');
SELECT a, b, count(*), grouping(a,b) FROM (VALUES (1,2),(1,3)) v(a,b) GROUP BY GROUPING SETS (a, ROLLUP (a, b), CUBE (b)) ORDER BY 1,2,3,4;
SELECT a, b, c, count(*) FROM (VALUES (1,2,3),(1,3,3)) v(a,b,c) GROUP BY GROUPING SETS ((a), ROLLUP ((a, b), c), GROUPING SETS (b, (a, c), ())) ORDER BY 1,2,3,4;
SELECT a, count(*) FROM (VALUES (1,2),(1,3)) v(a,b) GROUP BY GROUPING SETS (GROUPING SETS (GROUPING SETS (a, ()))), ROLLUP (a) ORDER BY 1,2;
CREATE TABLE oc (id int PRIMARY KEY, t text UNIQUE);
INSERT INTO oc VALUES (1,'a');
INSERT INTO oc VALUES (2,'a') ON CONFLICT (t COLLATE "default") DO NOTHING;
INSERT INTO oc VALUES (1,'b') ON CONFLICT (id) DO UPDATE SET t = excluded.t RETURNING *;
SELECT a FROM (VALUES (1),(2),(3)) v(a) ORDER BY a LIMIT (SELECT 2);
SELECT a FROM (VALUES (1),(2),(3)) v(a) ORDER BY a DESC LIMIT (SELECT count(*) + 1 FROM bs) OFFSET (SELECT 1);
SELECT a FROM (VALUES (1),(2),(3)) v(a) ORDER BY a LIMIT (SELECT NULL::int);
-- error: 2201W
SELECT a FROM (VALUES (1),(2),(3)) v(a) ORDER BY a LIMIT (SELECT -1);
-- error: 2201X
SELECT a FROM (VALUES (1),(2),(3)) v(a) ORDER BY a OFFSET (SELECT -1);
SELECT a FROM (VALUES (1),(2),(3)) v(a) UNION ALL VALUES (4) ORDER BY a LIMIT (SELECT 2) OFFSET (SELECT 1);
SELECT x, (SELECT sum(a) FROM (SELECT a FROM (VALUES (1),(2),(3)) w(a) ORDER BY a LIMIT x) q) FROM (VALUES (1),(2)) v(x) ORDER BY 1;
SELECT x, a FROM (VALUES (1),(2)) v(x), LATERAL (SELECT a FROM (VALUES (1),(2),(3)) w(a) ORDER BY a OFFSET x) q ORDER BY 1, 2;
PREPARE p6 AS SELECT a FROM (VALUES (1),(2),(3)) v(a) ORDER BY a LIMIT (SELECT $1::int);
EXECUTE p6('2');
EXECUTE p6('2');
EXECUTE p6('2');
EXECUTE p6('2');
SELECT count(*) FROM (SELECT a FROM (VALUES (1),(2),(3)) v(a) LIMIT (SELECT 2)) q;
SELECT a FROM (VALUES (1),(2),(2),(3)) v(a) UNION ALL VALUES (2) ORDER BY a FETCH FIRST 2 ROWS WITH TIES;
VALUES (1),(2),(2),(3) ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES;
SELECT a FROM (VALUES (1),(2),(2),(3)) v(a) ORDER BY a FETCH FIRST (SELECT 2) ROWS WITH TIES;
SELECT a FROM (VALUES (1),(1),(2),(3)) v(a) ORDER BY a OFFSET 1 FETCH FIRST 0 ROWS WITH TIES;
SELECT a FROM (VALUES (1),(1),(2),(3)) v(a) ORDER BY a OFFSET 1 FETCH FIRST 1 ROWS WITH TIES;
-- error: 2201W
SELECT a FROM (VALUES (1),(1),(2),(3)) v(a) ORDER BY a FETCH FIRST -1 ROWS WITH TIES;
PREPARE p7 AS SELECT a FROM (VALUES (1),(1),(2),(3)) v(a) ORDER BY a OFFSET $1 FETCH FIRST $2 ROWS WITH TIES;
EXECUTE p7('0', '1');
EXECUTE p7('0', '1');
EXECUTE p7('0', '1');
EXECUTE p7('0', '1');
PREPARE p8 AS SELECT a FROM (VALUES (1),(1),(2),(3)) v(a) ORDER BY a OFFSET $1 FETCH FIRST $2 ROWS WITH TIES;
EXECUTE p8(NULL, '1');
EXECUTE p8(NULL, '1');
EXECUTE p8(NULL, '1');
EXECUTE p8(NULL, '1');
-- error: 42601
SELECT a FROM (VALUES (1),(1),(2),(3)) v(a) FETCH FIRST 1 ROWS WITH TIES;
SELECT a, count(*) FROM (VALUES (1),(1),(2),(3)) v(a) GROUP BY a ORDER BY 2 DESC FETCH FIRST 2 ROWS WITH TIES;
SELECT DISTINCT a FROM (VALUES (1),(1),(2),(3)) v(a) ORDER BY a FETCH FIRST 2 ROWS WITH TIES;
SELECT DISTINCT a FROM (VALUES (1),(1),(2),(3)) v(a) ORDER BY a LIMIT (SELECT 2);
