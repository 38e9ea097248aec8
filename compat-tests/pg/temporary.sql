CREATE TABLE kept (id int PRIMARY KEY, v text);
INSERT INTO kept VALUES (1, 'permanent');
CREATE TEMP TABLE plain (a int, b text DEFAULT 'x');
INSERT INTO plain (a) VALUES (1), (2);
SELECT * FROM plain ORDER BY a;
SELECT * FROM pg_temp.plain ORDER BY a;
-- error: 42P01
SELECT * FROM public.plain;
-- error: 42P07
CREATE TEMP TABLE plain (c int);
CREATE TEMP TABLE IF NOT EXISTS plain (c int);
CREATE TABLE pg_temp.named (a int);
SELECT relname, relpersistence FROM pg_class WHERE relname IN ('plain', 'named', 'kept') ORDER BY 1;
-- error: 42P16
CREATE TEMP TABLE public.wrong (a int);
-- error: 42P16
CREATE TABLE wrong (a int) ON COMMIT DROP;
-- A temporary table hides a permanent one of the same name.
CREATE TEMP TABLE kept (w text);
SELECT * FROM kept;
SELECT * FROM public.kept;
INSERT INTO kept VALUES ('temporary');
UPDATE kept SET w = w || '!' RETURNING w;
SELECT v FROM public.kept;
PREPARE seen AS SELECT * FROM kept;
EXECUTE seen;
DROP TABLE kept;
SELECT * FROM kept;
DEALLOCATE seen;
-- The search path may name the schema, where it counts in its place.
CREATE TEMP TABLE kept (w text);
SET search_path = public, pg_temp;
SELECT * FROM kept;
SET search_path = pg_temp, public;
SELECT * FROM kept;
CREATE TABLE unqualified (a int);
SELECT relpersistence FROM pg_class WHERE relname = 'unqualified';
RESET search_path;
DROP TABLE pg_temp.kept;
-- ON COMMIT.
CREATE TEMP TABLE dropped (a int) ON COMMIT DROP;
-- error: 42P01
SELECT * FROM dropped;
BEGIN;
CREATE TEMP TABLE dropped (a int) ON COMMIT DROP;
CREATE TEMP VIEW on_dropped AS SELECT a FROM dropped;
INSERT INTO dropped VALUES (1);
SELECT * FROM on_dropped;
COMMIT;
-- error: 42P01
SELECT * FROM dropped;
-- error: 42P01
SELECT * FROM on_dropped;
CREATE TEMP TABLE emptied (a int PRIMARY KEY) ON COMMIT DELETE ROWS;
INSERT INTO emptied VALUES (1);
SELECT count(*) FROM emptied;
BEGIN;
INSERT INTO emptied VALUES (1), (2);
SELECT count(*) FROM emptied;
SAVEPOINT s;
INSERT INTO emptied VALUES (3);
ROLLBACK TO s;
SELECT count(*) FROM emptied;
COMMIT;
SELECT count(*) FROM emptied;
BEGIN;
INSERT INTO emptied VALUES (1);
COMMIT;
BEGIN;
INSERT INTO emptied VALUES (1);
COMMIT;
CREATE TEMP TABLE preserved (a int) ON COMMIT PRESERVE ROWS;
INSERT INTO preserved VALUES (1);
SELECT * FROM preserved;
CREATE TEMP TABLE from_query ON COMMIT PRESERVE ROWS AS SELECT 1 AS one;
SELECT * FROM from_query;
CREATE TEMP TABLE gone_query ON COMMIT DROP AS SELECT 1 AS one;
-- error: 42P01
SELECT * FROM gone_query;
SELECT 5 AS five INTO TEMP into_temp;
SELECT * FROM into_temp;
-- Views, sequences and indexes.
CREATE TEMP VIEW seen AS SELECT a * 10 AS ten FROM plain;
SELECT * FROM seen ORDER BY 1;
CREATE VIEW becomes_temporary AS SELECT * FROM plain;
SELECT relpersistence FROM pg_class WHERE relname = 'becomes_temporary';
-- error: 2BP01
DROP TABLE plain;
CREATE TEMP SEQUENCE counter START 7;
SELECT nextval('counter'), nextval('pg_temp.counter'), currval('counter');
CREATE INDEX plain_a ON plain (a);
CREATE UNIQUE INDEX ON plain (b, a);
-- error: 23505
-- sqlstate-only
INSERT INTO plain VALUES (1, 'x');
SELECT indexname FROM pg_indexes WHERE tablename = 'plain' ORDER BY 1;
CREATE TEMP TABLE numbered (id serial PRIMARY KEY, other int GENERATED ALWAYS AS IDENTITY, v text UNIQUE);
INSERT INTO numbered (v) VALUES ('a'), ('b') RETURNING *;
ALTER TABLE numbered ADD COLUMN w int DEFAULT 3;
ALTER TABLE numbered RENAME TO renumbered;
SELECT * FROM renumbered ORDER BY id;
TRUNCATE renumbered RESTART IDENTITY;
INSERT INTO renumbered (v) VALUES ('a') RETURNING *;
-- Transactions.
BEGIN;
CREATE TEMP TABLE undone (a int);
INSERT INTO undone VALUES (1);
ROLLBACK;
-- error: 42P01
SELECT * FROM undone;
BEGIN;
SAVEPOINT s;
CREATE TEMP TABLE undone (a int) ON COMMIT DELETE ROWS;
ROLLBACK TO s;
COMMIT;
CREATE TEMP TABLE undone (a int);
INSERT INTO undone VALUES (2);
SELECT * FROM undone;
BEGIN;
DROP TABLE undone;
ROLLBACK;
SELECT * FROM undone;
BEGIN;
DISCARD TEMP;
-- error: 42P01
SELECT * FROM undone;
ROLLBACK;
SELECT * FROM undone;
-- A read-only transaction may change temporary tables, but not define them.
BEGIN READ ONLY;
INSERT INTO undone VALUES (3);
UPDATE undone SET a = a + 1;
SELECT a FROM undone ORDER BY a;
DELETE FROM undone WHERE a = 3;
COMMIT;
SELECT a FROM undone ORDER BY a;
BEGIN READ ONLY;
-- error: 25006
CREATE TEMP TABLE refused (a int);
ROLLBACK;
-- Two sessions.
-- connection: b
-- error: 42P01
SELECT * FROM undone;
CREATE TEMP TABLE undone (other text);
INSERT INTO undone VALUES ('of b');
SELECT * FROM undone;
SELECT count(*) FROM pg_class WHERE relname = 'undone' AND pg_table_is_visible(oid);
SELECT count(*) FROM pg_class WHERE relname = 'undone';
SELECT to_regclass('plain'), to_regclass('undone');
-- error: 42P01
SELECT * FROM plain;
-- error: 42P01
INSERT INTO preserved VALUES (1);
SET search_path = pg_temp;
-- error: 42P01
SELECT * FROM plain;
RESET search_path;
DISCARD TEMP;
-- error: 42P01
SELECT * FROM undone;
CREATE TEMP TABLE undone (again int);
SELECT * FROM undone;
-- connection: 
SELECT * FROM undone;
SELECT table_type FROM information_schema.tables WHERE table_name = 'preserved';
COPY preserved TO STDOUT;
DISCARD TEMPORARY;
-- error: 42P01
SELECT * FROM preserved;
-- error: 42P01
SELECT * FROM seen;
-- error: 42P01
SELECT nextval('counter');
SELECT * FROM kept;
CREATE TEMP TABLE preserved (b int);
DISCARD ALL;
-- error: 42P01
SELECT * FROM preserved;
SELECT count(*) FROM pg_class WHERE relname = 'preserved';
