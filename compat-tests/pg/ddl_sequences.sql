CREATE SEQUENCE s;
-- error: 55000
SELECT currval('s');
SELECT nextval('s'), nextval('s');
SELECT currval('s'), lastval();
SELECT setval('s', 100);
SELECT nextval('s');
SELECT setval('s', 200, false);
SELECT nextval('s');
-- error: 42P07
CREATE SEQUENCE s;
CREATE SEQUENCE IF NOT EXISTS s;
CREATE SEQUENCE by_five START 10 INCREMENT 5 MINVALUE 10 MAXVALUE 20;
SELECT nextval('by_five'), nextval('by_five'), nextval('by_five');
-- error: 2200H
SELECT nextval('by_five');
CREATE SEQUENCE round START 1 MAXVALUE 2 CYCLE;
SELECT nextval('round'), nextval('round'), nextval('round');
CREATE SEQUENCE down INCREMENT -1;
SELECT nextval('down'), nextval('down');
-- error: 22003
SELECT setval('by_five', 1000);
-- error: 42P01
SELECT nextval('nosuch');
ALTER SEQUENCE s RESTART WITH 7;
SELECT nextval('s');
ALTER SEQUENCE s INCREMENT BY 3;
SELECT nextval('s');
SELECT last_value, is_called FROM s;
CREATE TABLE t (id serial PRIMARY KEY, big bigserial, small smallserial, x text);
INSERT INTO t (x) VALUES ('a'), ('b') RETURNING id, big, small;
INSERT INTO t (id, x) VALUES (10, 'c') RETURNING id;
SELECT currval('t_id_seq'), pg_get_serial_sequence('t', 'id'), pg_get_serial_sequence('t', 'x');
BEGIN;
INSERT INTO t (x) VALUES ('rolled back') RETURNING id;
ROLLBACK;
INSERT INTO t (x) VALUES ('after') RETURNING id;
-- error: 2BP01
DROP SEQUENCE t_id_seq;
SELECT sequencename, start_value, increment_by, max_value, cycle FROM pg_sequences ORDER BY 1;
DROP TABLE t;
-- error: 42P01
SELECT nextval('t_id_seq');
DROP SEQUENCE s, by_five;
-- error: 42P01
DROP SEQUENCE s;
DROP SEQUENCE IF EXISTS s;
-- error: 22023
CREATE SEQUENCE bad INCREMENT 0;
-- error: 22023
CREATE SEQUENCE bad MINVALUE 10 MAXVALUE 5;
CREATE TABLE u (id int DEFAULT nextval('round'), y int);
INSERT INTO u (y) VALUES (1), (2) RETURNING *;
CREATE SEQUENCE typed AS smallint;
SELECT max_value, data_type FROM pg_sequences WHERE sequencename = 'typed';
CREATE SEQUENCE needed;
CREATE TABLE d (x bigint DEFAULT nextval('needed'), y int DEFAULT nextval('needed'::regclass) + 1, z int);
-- error: 2BP01
DROP SEQUENCE needed;
ALTER TABLE d ALTER COLUMN y DROP DEFAULT;
-- error: 2BP01
DROP SEQUENCE needed;
ALTER SEQUENCE needed RENAME TO renamed;
INSERT INTO d (z) VALUES (1) RETURNING x;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'd'::regclass ORDER BY adnum;
DROP SEQUENCE renamed CASCADE;
INSERT INTO d (z) VALUES (2) RETURNING *;
CREATE SEQUENCE seen;
CREATE VIEW reads AS SELECT last_value FROM seen;
CREATE VIEW calls AS SELECT nextval('seen') AS n;
-- error: 2BP01
DROP SEQUENCE seen;
DROP VIEW reads;
-- error: 2BP01
DROP SEQUENCE seen RESTRICT;
DROP SEQUENCE seen CASCADE;
-- error: 42P01
SELECT * FROM calls;
CREATE TABLE owner (id serial, other int);
CREATE TABLE borrower (id int DEFAULT nextval('owner_id_seq'), v text);
-- error: 2BP01
DROP TABLE owner;
-- error: 2BP01
ALTER TABLE owner DROP COLUMN id;
-- error: 2BP01
DROP SEQUENCE owner_id_seq;
DROP TABLE owner CASCADE;
INSERT INTO borrower (v) VALUES ('x') RETURNING *;
CREATE SEQUENCE handed;
CREATE TABLE keeper (a int DEFAULT nextval('handed'), b int);
ALTER SEQUENCE handed OWNED BY keeper.b;
-- error: 2BP01
DROP SEQUENCE handed;
ALTER TABLE keeper DROP COLUMN b CASCADE;
-- error: 42P01
SELECT nextval('handed');
INSERT INTO keeper DEFAULT VALUES RETURNING *;
CREATE TABLE counted (id int GENERATED ALWAYS AS IDENTITY, v text);
-- error: 2BP01
DROP SEQUENCE counted_id_seq;
-- error: 2BP01
DROP SEQUENCE counted_id_seq CASCADE;
ALTER TABLE counted ALTER COLUMN id DROP IDENTITY;
-- error: 42P01
DROP SEQUENCE counted_id_seq;
-- position
-- error: 42601
CREATE SEQUENCE twice START 1 START 2;
-- error: 42601
CREATE SEQUENCE twice MINVALUE 1 NO MINVALUE;
CREATE SEQUENCE once;
-- error: 42601
ALTER SEQUENCE once CACHE 2 CACHE 3;
-- error: 42601
ALTER SEQUENCE once RESTART RESTART WITH 5;
-- error: 42601
CREATE TABLE idt (a int GENERATED ALWAYS AS IDENTITY (START 1 START 2));
