CREATE TABLE t (id int PRIMARY KEY, a text, n numeric(6,2), d date, b bool);
COPY t FROM STDIN;
1	one	1.50	2024-01-01	t
2	\N	\N	\N	\N
3	tab\there\nnewline\\	-3	infinity	f
\.
SELECT * FROM t ORDER BY id;
COPY t TO STDOUT;
COPY t (a, id) TO STDOUT;
COPY t TO STDOUT (FORMAT csv);
COPY t TO STDOUT WITH (FORMAT csv, HEADER);
COPY t TO STDOUT WITH CSV HEADER DELIMITER ';' NULL 'none' QUOTE '''';
COPY (SELECT id, upper(a) AS loud FROM t ORDER BY id DESC) TO STDOUT WITH (FORMAT csv, HEADER true, FORCE_QUOTE (loud));
COPY t (id, a) FROM STDIN WITH (FORMAT csv);
10,"quoted ""word"""
11,
12,""
13,"two
lines"
\.
SELECT id, a, a IS NULL FROM t WHERE id >= 10 ORDER BY id;
COPY t (id, a, n) FROM STDIN (FORMAT csv, HEADER, DELIMITER '|', NULL 'nil');
id|a|n
20|x|1.5
21|nil|nil
\.
SELECT id, a, n FROM t WHERE id >= 20 ORDER BY id;
-- error: 22P02
COPY t FROM STDIN;
30	ok	1	2024-01-01	t
x	bad	1	2024-01-01	t
\.
SELECT count(*) FROM t WHERE id = 30;
-- error: 22P04
COPY t FROM STDIN;
30	too few
\.
-- error: 22P04
COPY t (id, a) FROM STDIN;
30	too	many
\.
-- error: 23505
COPY t (id) FROM STDIN;
30
1
\.
-- error: 23502
COPY t (a) FROM STDIN;
keyless
\.
-- error: 22003
COPY t (id, n) FROM STDIN;
31	123456
\.
-- error: 22P04
COPY t (id, a) FROM STDIN (FORMAT csv);
32,"unfinished
\.
-- error: 42703
COPY t (nope) TO STDOUT;
-- error: 42P01
COPY nosuch TO STDOUT;
-- error: 42P01
COPY nosuch FROM STDIN;
\.
-- error: 0A000
COPY t TO STDOUT (FORMAT csv, DELIMITER 'xx');
-- error: 42601
COPY t TO STDOUT (FORMAT csv, FORMAT text);
-- error: 22023
COPY t TO STDOUT (FORMAT nosuch);
-- error: 42601
COPY t TO STDOUT (nosuch true);
BEGIN;
COPY t (id) FROM STDIN;
40
41
\.
SELECT count(*) FROM t WHERE id >= 40;
ROLLBACK;
SELECT count(*) FROM t WHERE id >= 40;
CREATE TABLE types (a int[], b jsonb, c bytea, d timestamptz, e interval, f float8, g uuid, h text[]);
COPY types FROM STDIN;
{1,2,NULL}	{"b": 1, "a": [true]}	\\xdead00	2024-01-01 12:00:00+02	1 day 02:03:04	NaN	a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11	{"a,b",c}
\.
COPY types TO STDOUT;
COPY types TO STDOUT (FORMAT csv);
SELECT * FROM types;
COPY (VALUES (1, 'a'), (2, NULL)) TO STDOUT (NULL '<null>');
COPY t (id, a) FROM STDIN (DELIMITER ',');
50,plain
51,with\,comma
\.
SELECT id, a FROM t WHERE id >= 50 ORDER BY id;
COPY (SELECT id FROM t WHERE id = 50) TO STDOUT (FORMAT binary);
COPY t (id) FROM STDIN;
\.
CREATE TABLE defaults (id serial, x int DEFAULT 7, y text);
COPY defaults (y) FROM STDIN;
first
second
\.
SELECT * FROM defaults ORDER BY id;
COPY (DELETE FROM defaults WHERE id = 1 RETURNING *) TO STDOUT;
CREATE TABLE computed (id int, twice int GENERATED ALWAYS AS (id * 2) STORED);
-- error: 42P10
COPY computed (id) FROM STDIN WHERE twice > 2;
COPY computed (id) FROM STDIN WHERE id > 2;
2
3
\.
SELECT * FROM computed;
COPY computed TO STDOUT (FREEZE);
COPY computed (id) FROM STDIN (FREEZE off);
4
\.
BEGIN;
TRUNCATE computed;
COPY computed (id) FROM STDIN (FREEZE);
5
\.
CREATE TABLE computed_too (id int);
COPY computed_too FROM STDIN (FREEZE);
6
\.
SAVEPOINT s;
TRUNCATE computed_too;
COPY computed_too FROM STDIN (FREEZE on);
7
\.
COMMIT;
SELECT * FROM computed;
SELECT * FROM computed_too;
SET ROLE pg_monitor;
-- error: 42501
COPY computed TO '/tmp/nowhere';
-- error: 42501
COPY computed FROM '/tmp/nowhere' WITH (FORMAT csv);
-- error: 42501
COPY computed FROM PROGRAM 'false';
RESET ROLE;
