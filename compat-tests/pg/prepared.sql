CREATE TABLE t (id int PRIMARY KEY, a text, n numeric);
INSERT INTO t VALUES (1, 'x', 1.5), (2, 'y', 2.5), (3, 'x', 3.5);
PREPARE one AS SELECT * FROM t WHERE id = $1;
EXECUTE one(2);
EXECUTE one(99);
EXECUTE one('3');
-- error: 42601
EXECUTE one;
-- error: 42601
EXECUTE one(1, 2);
-- error: 22P02
EXECUTE one('x');
-- error: 42P05
PREPARE one AS SELECT 1;
PREPARE typed (text, numeric) AS SELECT id FROM t WHERE a = $1 AND n > $2 ORDER BY id;
EXECUTE typed('x', 2);
EXECUTE typed('x', '1');
PREPARE ins (int, text) AS INSERT INTO t VALUES ($1, $2, DEFAULT) RETURNING *;
EXECUTE ins(10, 'ten');
-- error: 23505
EXECUTE ins(10, 'ten');
PREPARE upd AS UPDATE t SET a = $2 WHERE id = $1;
EXECUTE upd(10, 'changed');
PREPARE lim AS SELECT id FROM t ORDER BY id LIMIT $1 OFFSET $2;
EXECUTE lim(2, 1);
PREPARE anyof AS SELECT id FROM t WHERE id = ANY($1) ORDER BY id;
EXECUTE anyof('{1,3}');
EXECUTE anyof(ARRAY[2,10]);
PREPARE casted AS SELECT $1::int + 1, $2::text, $3::date;
EXECUTE casted(1, 'b', '2024-01-01');
PREPARE twice AS SELECT $1::int, $1::int * 2;
EXECUTE twice(21);
PREPARE noparams AS SELECT count(*) FROM t;
EXECUTE noparams;
EXECUTE one(1 + 1);
ALTER TABLE t ADD COLUMN z int DEFAULT 9;
-- error: 0A000
EXECUTE one(1);
EXECUTE noparams;
DEALLOCATE noparams;
-- error: 26000
EXECUTE noparams;
-- error: 26000
DEALLOCATE noparams;
-- error: 26000
EXECUTE nosuch(1);
-- error: 42P18
PREPARE untyped AS SELECT $1 IS NULL AND $2;
-- error: any
SELECT $1;
PREPARE txt AS SELECT $1 || 'x', upper($2), length($1);
EXECUTE txt('a', 'b');
SELECT name, statement, parameter_types::text, from_sql FROM pg_prepared_statements WHERE from_sql ORDER BY name;
DEALLOCATE ALL;
SELECT count(*) FROM pg_prepared_statements WHERE from_sql;
-- error: 42P01
PREPARE gone AS SELECT * FROM nosuch;
CREATE TABLE made AS SELECT 1 AS x;
PREPARE dropped AS SELECT x FROM made;
DROP TABLE made;
-- error: 42P01
EXECUTE dropped;
DISCARD ALL;
-- error: 26000
EXECUTE dropped;
PREPARE tiles (int) AS SELECT x, ntile($1) OVER (ORDER BY x) FROM generate_series(1, 5) x;
EXECUTE tiles(2);
EXECUTE tiles(3);
EXECUTE tiles(NULL);
EXECUTE tiles(4);
EXECUTE tiles(7);
PREPARE shifts (int, int) AS SELECT x, lag(x, $1) OVER w, lead(x, $1, $2) OVER w, nth_value(x, $1) OVER w FROM generate_series(1, 4) x WINDOW w AS (ORDER BY x);
EXECUTE shifts(1, 0);
EXECUTE shifts(2, 9);
EXECUTE shifts(NULL, 3);
EXECUTE shifts(3, NULL);
EXECUTE shifts(4, 7);
