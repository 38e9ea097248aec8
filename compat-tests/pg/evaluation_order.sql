-- AND and OR look at an operand only where those before it leave the answer open; CASE, COALESCE
-- and guards of subqueries hold back what would fail.
CREATE TABLE eo_t (a int, b int);
CREATE TABLE eo_u (x int, y int);
INSERT INTO eo_t VALUES (0, 1), (1, 2), (5, 3), (10, 4), (NULL, 5);
INSERT INTO eo_u VALUES (1, 1), (2, 1), (3, 2), (4, 7), (NULL, 3);
SELECT * FROM eo_t WHERE a = 0 OR 10 / a > 1 ORDER BY b;
SELECT * FROM eo_t WHERE a <> 0 AND 10 / a > 1 ORDER BY b;
SELECT * FROM eo_t WHERE 10 / a > 1 AND a <> 0 ORDER BY b;
SELECT b, a <> 0 AND 10 / a > 1, a = 0 OR 10 / a > 1, NOT (a = 0 OR 10 / a > 1) FROM eo_t ORDER BY b;
SELECT b, (a = 0 OR 10 / a > 1) AND (a = 0 OR 10 / a > 5) OR a IS NULL FROM eo_t ORDER BY b;
SELECT b, CASE WHEN a = 0 THEN false ELSE 10 / a > 1 END FROM eo_t ORDER BY b;
SELECT * FROM eo_t WHERE CASE WHEN a = 0 THEN false ELSE 10 / a > 1 END ORDER BY b;
SELECT count(*) FILTER (WHERE a <> 0 AND 10 / a > 1), sum(CASE WHEN a = 0 OR 10 / a > 1 THEN 1 END) FROM eo_t;
SELECT * FROM eo_t JOIN eo_u ON a <> 0 AND 10 / a > x ORDER BY 1, 2, 3, 4;
SELECT * FROM eo_t LEFT JOIN eo_u ON b = x AND a <> 0 AND 10 / a > y ORDER BY b;
SELECT * FROM (SELECT a, 10 / a AS q FROM eo_t WHERE a <> 0) s WHERE q > 1 ORDER BY a;
SELECT a, count(*) FROM eo_t GROUP BY a HAVING a <> 0 AND 10 / a > 1 ORDER BY a;
SELECT a FROM eo_t ORDER BY a = 0 OR 10 / a > 1, a;
SELECT * FROM eo_t WHERE a = 0 OR 10 / a > (SELECT min(y) FROM eo_u WHERE x = b) ORDER BY b;
SELECT b, a = 0 OR 10 / a > (SELECT min(y) FROM eo_u WHERE x = b) FROM eo_t ORDER BY b;
SELECT * FROM eo_t WHERE a = 0 OR EXISTS (SELECT 1 FROM eo_u WHERE x > 10 / a) ORDER BY b;
SELECT * FROM eo_t WHERE a <> 0 AND EXISTS (SELECT 1 FROM eo_u WHERE x > 10 / a) ORDER BY b;
SELECT * FROM eo_t WHERE a = 0 OR (SELECT 10 / a > min(y) FROM eo_u WHERE x = b) ORDER BY b;
SELECT * FROM eo_t WHERE a = 0 OR 10 / a IN (SELECT y FROM eo_u) ORDER BY b;
SELECT * FROM eo_t WHERE a = 0 OR 10 / a NOT IN (SELECT y FROM eo_u WHERE y IS NOT NULL) ORDER BY b;
SELECT * FROM eo_t WHERE a = 0 OR 10 / a IN (SELECT y FROM eo_u WHERE x = b) ORDER BY b;
SELECT b, a <> 0 AND 10 / a IN (SELECT y FROM eo_u) FROM eo_t ORDER BY b;
SELECT b, a <> 0 AND (SELECT 10 / a > min(y) FROM eo_u WHERE x = b) FROM eo_t ORDER BY b;
SELECT b, b < 3 AND (SELECT 10 / a > 1 FROM eo_u WHERE x = b AND a <> 0) FROM eo_t ORDER BY b;
-- NOT IN is NULL where a comparison with NULL might have been a hit.
SELECT * FROM eo_t WHERE a NOT IN (SELECT y FROM eo_u WHERE y > 1) ORDER BY b;
SELECT * FROM eo_t WHERE b = 1 OR a NOT IN (SELECT y FROM eo_u WHERE y > 1) ORDER BY b;
SELECT * FROM eo_t WHERE b = 7 OR a NOT IN (SELECT x FROM eo_u) ORDER BY b;
SELECT * FROM eo_t WHERE NOT (b = 7 OR a IN (SELECT x FROM eo_u)) ORDER BY b;
SELECT * FROM eo_t WHERE NOT (b < 7 AND NOT a IN (SELECT x FROM eo_u)) ORDER BY b;
SELECT * FROM eo_t WHERE b = 7 OR a NOT IN (SELECT x FROM eo_u WHERE false) ORDER BY b;
SELECT * FROM eo_t WHERE (a IN (SELECT x FROM eo_u)) IS NULL ORDER BY b;
SELECT * FROM eo_t WHERE (a NOT IN (SELECT x FROM eo_u WHERE x = b)) IS NOT TRUE ORDER BY b;
SELECT b, a IN (SELECT x FROM eo_u), a NOT IN (SELECT x FROM eo_u WHERE x > 1), a = ANY (SELECT x FROM eo_u WHERE y > b) FROM eo_t ORDER BY b;
SELECT b, a <> ALL (SELECT x FROM eo_u WHERE x IS NOT NULL), a IN (SELECT x FROM eo_u WHERE false) FROM eo_t ORDER BY b;
SELECT b, CASE WHEN a IN (SELECT x FROM eo_u) THEN 'in' WHEN a NOT IN (SELECT x FROM eo_u) THEN 'out' ELSE 'unknown' END FROM eo_t ORDER BY b;
SELECT count(*) FILTER (WHERE a IN (SELECT y FROM eo_u)), sum(CASE WHEN a IN (SELECT y FROM eo_u) THEN 1 ELSE 0 END) FROM eo_t;
SELECT b % 2, max(a) IN (SELECT y + 3 FROM eo_u) FROM eo_t GROUP BY 1 HAVING max(a) IN (SELECT y + 3 FROM eo_u) OR min(b) NOT IN (SELECT y FROM eo_u) ORDER BY 1;
SELECT a IN (SELECT x FROM eo_u), count(*) FROM eo_t GROUP BY 1 ORDER BY 1;
SELECT b FROM eo_t ORDER BY a IN (SELECT x FROM eo_u), b;
SELECT b, row_number() OVER (ORDER BY a IN (SELECT x FROM eo_u), b) FROM eo_t ORDER BY b;
SELECT b, a IN (SELECT x FROM eo_u UNION SELECT 10), (a, b) IN (SELECT x, y FROM eo_u) FROM eo_t ORDER BY b;
UPDATE eo_t SET b = b WHERE b = 7 OR a NOT IN (SELECT x FROM eo_u);
DELETE FROM eo_t WHERE b = 7 OR a NOT IN (SELECT x FROM eo_u) RETURNING *;
UPDATE eo_t SET b = b WHERE a = 0 OR 10 / a > 1;
DELETE FROM eo_t WHERE a = 0 AND b = 0 AND 10 / a > 1;
PREPARE eo AS SELECT * FROM eo_t WHERE a = $1 OR 10 / (a - $1) > $2 ORDER BY b;
EXECUTE eo(0, 1);
EXECUTE eo(0, 1);
EXECUTE eo(5, 1);
EXECUTE eo(5, 1);
EXECUTE eo(1, -20);
DEALLOCATE eo;
CREATE TABLE eo_v (a int PRIMARY KEY, b int CHECK (b = 0 OR 10 / b > 1));
INSERT INTO eo_v VALUES (1, 0), (2, 2);
-- error: 23514
INSERT INTO eo_v VALUES (3, 20);
UPDATE eo_v SET b = 0 WHERE a = 1 AND (b = 0 OR 10 / b > 1);
SELECT * FROM eo_v WHERE a = 1 AND (b = 0 OR 10 / b > 1);
DELETE FROM eo_v WHERE a = 1 AND (b <> 0 AND 10 / b > 1) RETURNING *;
INSERT INTO eo_v VALUES (1, 5) ON CONFLICT (a) DO UPDATE SET b = excluded.b WHERE eo_v.b = 0 OR 10 / eo_v.b > 1;
-- What is constant is met when the query is planned, unless a constant before it decides.
SELECT false AND 1 / 0 = 1, true OR 1 / 0 = 1;
-- error: 22012
SELECT NULL AND 1 / 0 = 1;
-- error: 22012
SELECT 1 / 0 = 1 AND false;
-- error: 22012
SELECT * FROM eo_t WHERE a > 100 AND 1 / 0 = 1;
SELECT * FROM eo_t WHERE false AND 1 / 0 = 1;
-- error: 22012
SELECT CASE WHEN a > 100 THEN 1 / 0 END FROM eo_t;
SELECT CASE WHEN false THEN 1 / 0 WHEN true THEN 2 ELSE 1 / 0 END;
SELECT CASE 1 WHEN 2 THEN 1 / 0 ELSE 3 END;
SELECT CASE WHEN NULL THEN 1 / 0 ELSE 3 END;
DROP TABLE eo_t, eo_u, eo_v;
