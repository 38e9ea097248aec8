-- The words, and where the words point.
-- error: 42601
-- position
SELEC 1;
-- error: 42601
-- position
SELECT FROM WHERE;
-- error: 42601
-- position
SELECT 1 +;
-- error: 42601
-- position
SELECT (1;
-- error: 42601
-- position
INSERT INTO;
-- error: 42P01
-- position
SELECT * FROM nosuch;
-- error: 42703
-- position
SELECT nope FROM pg_class;
-- error: 42883
-- position
SELECT nosuch(1, 'x');
-- error: 42883
-- position
SELECT 1 + 'x'::text;
-- error: 42704
-- position
SELECT 'x'::nosuchtype;
-- error: 22P02
-- position
SELECT 1 + 'x';
CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL);
-- error: 42703
-- position
SELECT nam FROM t;
-- error: 42703
-- position
INSERT INTO t (id, nam) VALUES (1, 'x');
-- error: 42804
-- position
SELECT * FROM t WHERE id;
-- error: 42804
-- position
SELECT * FROM t WHERE name;
-- error: 42883
-- position
SELECT * FROM t WHERE id = 'a'::text;
-- error: 42804
SELECT CASE WHEN true THEN 1 ELSE 'x'::text END;
-- error: 42804
SELECT coalesce(1, 'x'::text);
-- error: 42883
SELECT * FROM t WHERE id IN (SELECT name FROM t) OR true AND 1;
-- error: any
SELECT $1::int;
-- error: 42P17
CREATE TABLE x (id int) INHERITS (t) PARTITION BY LIST (id);
-- error: 3F000
DROP TABLE a.b;
-- error: 42704
DROP TYPE nosuch;
-- error: 42883
DROP FUNCTION nosuch();
-- error: 42704
DROP ROLE nosuch;
-- error: 42704
ALTER ROLE nosuch LOGIN;
-- error: 42710
CREATE ROLE kalamdb;
-- error: 42P04
CREATE DATABASE kalamdb;
-- error: 3D000
DROP DATABASE nosuch;
-- error: 42P06
CREATE SCHEMA public;
-- error: 42501
DROP TABLE pg_catalog.pg_class;
-- error: 42809
INSERT INTO t_pkey VALUES (1);
-- error: 42809
ALTER VIEW t RENAME TO v;
