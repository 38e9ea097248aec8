CREATE SCHEMA app;
-- error: 42P06
CREATE SCHEMA app;
CREATE SCHEMA IF NOT EXISTS app;
CREATE TABLE app.t (id int PRIMARY KEY, x text);
CREATE TABLE t (id int PRIMARY KEY, y text);
INSERT INTO app.t VALUES (1, 'in app');
INSERT INTO t VALUES (1, 'in public');
SELECT * FROM app.t;
SELECT * FROM public.t;
SET search_path = app, public;
SELECT * FROM t;
SHOW search_path;
SELECT current_schema(), current_schemas(false);
SET search_path = public;
SELECT * FROM t;
SELECT a.x, p.y FROM app.t a JOIN public.t p ON a.id = p.id;
SELECT app.t.x FROM app.t;
CREATE VIEW app.v AS SELECT count(*) AS n FROM app.t;
SELECT * FROM app.v;
CREATE SEQUENCE app.s;
SELECT nextval('app.s');
-- error: 2BP01
DROP SCHEMA app;
-- error: 3F000
DROP SCHEMA nosuch;
DROP SCHEMA IF EXISTS nosuch;
-- error: 3F000
ALTER TABLE t SET SCHEMA app2;
CREATE SCHEMA app2;
ALTER TABLE public.t SET SCHEMA app2;
SELECT * FROM app2.t;
ALTER SCHEMA app2 RENAME TO app3;
SELECT * FROM app3.t;
-- error: 42P01
SELECT * FROM app2.t;
-- error: 0A000
SELECT * FROM otherdb.public.t;
SELECT * FROM kalamdb.app3.t;
SET search_path = nosuch;
-- error: 3F000
CREATE TABLE lost (id int);
RESET search_path;
SHOW search_path;
SELECT 'app.t'::regclass, 'app3.t'::regclass::text;
-- error: 42P01
SELECT 't'::regclass;
-- error: 42939
CREATE SCHEMA pg_mine;
DROP SCHEMA app CASCADE;
-- error: 42P01
SELECT * FROM app.t;
SELECT nspname FROM pg_namespace WHERE nspname IN ('app', 'app3', 'public', 'pg_catalog', 'information_schema') ORDER BY 1;
CREATE SCHEMA AUTHORIZATION kalamdb;
SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('kalamdb', 'public') ORDER BY 1;
