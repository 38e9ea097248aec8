-- Violations name the constraint, the column and the values.
CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, b int UNIQUE, c int CHECK (c > 0), d int, e int, CONSTRAINT d_e UNIQUE (d, e), CONSTRAINT sane CHECK (d IS NULL OR d < e));
INSERT INTO t VALUES (1, 'one', 1, 1, 1, 2);
-- error: 23505
INSERT INTO t VALUES (1, 'dup', 2, 2, 2, 3);
-- error: 23502
INSERT INTO t VALUES (2, NULL, 2, 2, 2, 3);
-- error: 23502
INSERT INTO t (id) VALUES (2);
-- error: 23502
INSERT INTO t (a) VALUES ('no key');
-- error: 23505
INSERT INTO t VALUES (2, 'two', 1, 2, 2, 3);
-- error: 23514
INSERT INTO t VALUES (2, 'two', 2, 0, 2, 3);
-- error: 23514
INSERT INTO t VALUES (2, 'two', 2, 2, 9, 3);
-- error: 23505
INSERT INTO t VALUES (2, 'two', 2, 2, 1, 2);
INSERT INTO t VALUES (2, 'two', NULL, NULL, NULL, 2), (3, 'three', NULL, NULL, NULL, 2);
-- error: 23505
INSERT INTO t VALUES (4, 'four', 44, 1, NULL, NULL), (4, 'again', 45, 1, NULL, NULL);
SELECT id, a FROM t ORDER BY id;
-- error: 23505
UPDATE t SET id = 1 WHERE id = 2;
-- error: 23505
UPDATE t SET b = 1 WHERE id = 2;
-- error: 23502
UPDATE t SET a = NULL WHERE id = 2;
-- error: 23514
UPDATE t SET c = -c WHERE id = 1;
UPDATE t SET id = id + 10 WHERE id = 3 RETURNING id;
CREATE TABLE composite (x int, y text, z date, PRIMARY KEY (y, x));
INSERT INTO composite VALUES (1, 'a', '2024-01-01'), (1, 'b', NULL), (2, 'a', NULL);
-- error: 23505
INSERT INTO composite VALUES (2, 'a', '2024-01-01');
-- error: 23502
INSERT INTO composite (x) VALUES (1);
CREATE TABLE many (a int, b int, UNIQUE (a), UNIQUE (a, b), CHECK (a > 0), CHECK (b > 0 AND a < b));
SELECT conname, contype FROM pg_constraint WHERE conrelid = 'many'::regclass ORDER BY 1;
-- error: 23514
INSERT INTO many VALUES (0, 1);
-- error: 23514
INSERT INTO many VALUES (5, 1);
INSERT INTO many VALUES (NULL, NULL), (NULL, NULL), (1, NULL);
-- error: 23505
INSERT INTO many VALUES (1, 5);
CREATE TABLE keys_of_types (a numeric, b timestamptz, c bytea, d uuid, e bool, f float8, g varchar(5), PRIMARY KEY (a, b, c, d, e, f, g));
INSERT INTO keys_of_types VALUES (1.50, '2024-01-01 00:00+00', '\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true, -0.0, 'x');
-- error: 23505
INSERT INTO keys_of_types VALUES (1.5, '2024-01-01 01:00+01', '\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true, 0.0, 'x');
INSERT INTO keys_of_types VALUES (1.5, '2024-01-01 01:00+01', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true, 'NaN', 'x');
-- error: 23505
INSERT INTO keys_of_types VALUES (1.500, '2024-01-01 01:00+01', '\x00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true, 'NaN', 'x');
SELECT a, f, c FROM keys_of_types ORDER BY c;
CREATE TABLE swap (id int PRIMARY KEY, n int);
INSERT INTO swap VALUES (1, 1), (2, 2);
-- error: 23505
UPDATE swap SET id = id + 1 WHERE id = 1;
UPDATE swap SET id = id + 10;
SELECT * FROM swap ORDER BY id;
CREATE TABLE texts (k text PRIMARY KEY);
INSERT INTO texts VALUES (''), ('a'), ('A'), ('a ');
-- error: 23505
INSERT INTO texts VALUES ('a');
SELECT k, length(k) FROM texts ORDER BY k;
CREATE TABLE padded (k char(4) PRIMARY KEY);
INSERT INTO padded VALUES ('ab');
-- error: 23505
INSERT INTO padded VALUES ('ab  ');
