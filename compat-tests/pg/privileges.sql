-- What PostgreSQL's tables are, shared ones are here.
-- kalamdb: SET default_table_kind = 'shared'
CREATE TABLE ht (id int PRIMARY KEY, v text);
INSERT INTO ht VALUES (1, 'one'), (2, 'two'), (3, 'three');
CREATE TABLE other (id int, v text);
INSERT INTO other VALUES (1, 'other');
CREATE ROLE ha;
CREATE ROLE hb;
CREATE ROLE hc;
CREATE ROLE hd;

-- A change reads its target where it names a column of it: that takes SELECT.
GRANT UPDATE, SELECT ON other TO hb;
GRANT UPDATE ON ht TO hb;
SET ROLE hb;
-- error: 42501
UPDATE ht SET v = 'q' WHERE id = 1;
-- error: 42501
UPDATE ht SET v = v || 'q';
-- error: 42501
UPDATE ht SET v = 'r' RETURNING v;
-- error: 42501
UPDATE ht SET v = 'r' RETURNING *;
-- error: 42501
UPDATE ht SET v = (SELECT other.v FROM other WHERE other.id = ht.id);
-- error: 42501
UPDATE ht SET (v) = (SELECT other.v FROM other WHERE other.id = ht.id);
-- error: 42501
UPDATE ht SET v = 'q' WHERE EXISTS (SELECT 1 FROM other WHERE other.id = ht.id);
-- error: 42501
UPDATE ht SET v = other.v FROM other WHERE other.id = ht.id;
-- error: 42501
UPDATE ht SET v = 'q' WHERE 1 IN (SELECT id FROM ht);
-- error: 42501
WITH changed AS (UPDATE ht SET v = 'q' RETURNING id) SELECT count(*) FROM changed;
-- error: 42501
EXPLAIN UPDATE ht SET v = 'q' WHERE id = 1;
UPDATE ht SET v = 'all';
UPDATE ht SET v = 'all' WHERE true RETURNING 1;
UPDATE ht SET v = other.v FROM other;
UPDATE ht SET v = other.v FROM other RETURNING other.id;
UPDATE ht SET v = DEFAULT;
RESET ROLE;
SELECT * FROM ht ORDER BY id;
REVOKE UPDATE ON ht FROM hb;
GRANT DELETE ON ht TO hb;
SET ROLE hb;
-- error: 42501
DELETE FROM ht WHERE id = 2;
-- error: 42501
DELETE FROM ht RETURNING *;
-- error: 42501
DELETE FROM ht USING other WHERE ht.id = other.id;
-- error: 42501
DELETE FROM ht WHERE id IS NULL AND false;
BEGIN;
DELETE FROM ht;
ROLLBACK;
RESET ROLE;
REVOKE DELETE ON ht FROM hb;
GRANT INSERT ON ht TO hb;
SET ROLE hb;
-- error: 42501
INSERT INTO ht VALUES (10, 'x') RETURNING id;
-- error: 42501
INSERT INTO ht SELECT * FROM ht;
-- error: 42501
INSERT INTO ht SELECT id + 100, v FROM ht;
-- error: 42501
INSERT INTO ht VALUES (11, (SELECT max(v) FROM ht));
-- error: 42501
INSERT INTO ht VALUES (1, 'x') ON CONFLICT (id) DO NOTHING;
-- error: 42501
INSERT INTO ht VALUES (1, 'x') ON CONFLICT ON CONSTRAINT ht_pkey DO NOTHING;
-- error: 42501
INSERT INTO ht VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET v = 'y';
INSERT INTO ht VALUES (1, 'x') ON CONFLICT DO NOTHING;
INSERT INTO ht VALUES (12, 'x') RETURNING 1;
RESET ROLE;
GRANT SELECT ON ht TO hb;
SET ROLE hb;
INSERT INTO ht VALUES (1, 'x') ON CONFLICT (id) DO NOTHING;
-- error: 42501
INSERT INTO ht VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
-- error: 42501
EXPLAIN INSERT INTO ht VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
INSERT INTO ht SELECT id + 100, v FROM ht WHERE id = 1 RETURNING *;
RESET ROLE;
GRANT UPDATE ON ht TO hb;
SET ROLE hb;
INSERT INTO ht VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING *;
UPDATE ht SET v = 'w' WHERE id = 1 RETURNING id, v;
RESET ROLE;
REVOKE ALL ON ht FROM hb;

-- A view lends its owner's rights, in changes as well.
CREATE VIEW hv AS SELECT * FROM ht;
GRANT SELECT ON hv TO hb;
GRANT INSERT ON ht TO hb;
SET ROLE hb;
INSERT INTO ht SELECT id + 200, v FROM hv WHERE id = 1;
RESET ROLE;
ALTER VIEW hv OWNER TO hc;
SET ROLE hb;
-- error: 42501
INSERT INTO ht SELECT id + 300, v FROM hv WHERE id = 1;
RESET ROLE;
DROP VIEW hv;
REVOKE ALL ON ht FROM hb;

-- REVOKE and what was granted further.
GRANT SELECT ON ht TO ha WITH GRANT OPTION;
SET ROLE ha;
GRANT SELECT ON ht TO hc WITH GRANT OPTION;
SET ROLE hc;
GRANT SELECT ON ht TO hd;
-- error: 0LP01
GRANT SELECT ON ht TO ha WITH GRANT OPTION;
RESET ROLE;
SELECT relacl FROM pg_class WHERE relname = 'ht';
-- error: 2BP01
REVOKE SELECT ON ht FROM ha;
-- error: 2BP01
REVOKE GRANT OPTION FOR SELECT ON ht FROM ha;
SELECT relacl FROM pg_class WHERE relname = 'ht';
REVOKE GRANT OPTION FOR SELECT ON ht FROM ha CASCADE;
SELECT relacl FROM pg_class WHERE relname = 'ht';
SELECT has_table_privilege('hd', 'ht', 'select');
GRANT SELECT, UPDATE ON ht TO ha WITH GRANT OPTION;
GRANT SELECT ON ht TO hc WITH GRANT OPTION;
SET ROLE ha;
GRANT SELECT, UPDATE ON ht TO hc WITH GRANT OPTION;
SET ROLE hc;
GRANT SELECT, UPDATE ON ht TO hd;
RESET ROLE;
SELECT relacl FROM pg_class WHERE relname = 'ht';
REVOKE ALL ON ht FROM ha CASCADE;
SELECT relacl FROM pg_class WHERE relname = 'ht';
-- error: 0LP01
GRANT SELECT ON ht TO PUBLIC WITH GRANT OPTION;
REVOKE ALL ON ht FROM hc CASCADE;
SELECT relacl FROM pg_class WHERE relname = 'ht';

-- Who holds some grant options grants those.
GRANT SELECT ON ht TO ha WITH GRANT OPTION;
SET ROLE ha;
GRANT SELECT, INSERT ON ht TO hc;
GRANT INSERT ON ht TO hc;
GRANT ALL ON ht TO hd;
SET ROLE hb;
-- error: 42501
GRANT INSERT ON ht TO hc;
-- error: 42501
REVOKE INSERT ON ht FROM hc;
RESET ROLE;
SELECT relacl FROM pg_class WHERE relname = 'ht';

CREATE SCHEMA granted;
GRANT USAGE ON SCHEMA granted TO ha WITH GRANT OPTION;
SET ROLE ha;
GRANT USAGE, CREATE ON SCHEMA granted TO hc;
GRANT CREATE ON SCHEMA granted TO hc;
REVOKE CREATE ON SCHEMA granted FROM hc;
REVOKE USAGE, CREATE ON SCHEMA granted FROM hc;
RESET ROLE;
DROP SCHEMA granted;

-- A member grants in the name of the role that holds the grant option.
GRANT ha TO hb;
SET ROLE hb;
GRANT SELECT ON ht TO hc;
RESET ROLE;
SELECT relacl FROM pg_class WHERE relname = 'ht';
REVOKE ALL ON ht FROM ha CASCADE;
SELECT relacl FROM pg_class WHERE relname = 'ht';

-- GRANTED BY
GRANT SELECT ON ht TO hb GRANTED BY CURRENT_USER;
-- error: 0A000
GRANT SELECT ON ht TO hb GRANTED BY ha;
-- error: 42704
GRANT SELECT ON ht TO hb GRANTED BY nobody;
-- error: 0A000
REVOKE SELECT ON ht FROM hb GRANTED BY hb;
REVOKE SELECT ON ht FROM hb GRANTED BY CURRENT_USER;
GRANT hc TO hd GRANTED BY ha;
SELECT r.rolname, m.rolname, g.rolname, a.admin_option FROM pg_auth_members a
    JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
    JOIN pg_roles g ON g.oid = a.grantor WHERE r.rolname = 'hc';
-- error: 42704
GRANT hc TO hd GRANTED BY nobody;
REVOKE hc FROM hd GRANTED BY ha;
GRANT hc TO ha WITH ADMIN OPTION;
SET ROLE ha;
-- error: 42501
GRANT hc TO hd GRANTED BY hb;
GRANT hc TO hd GRANTED BY ha;
RESET ROLE;
REVOKE hc FROM ha, hd;

-- ALTER GROUP
ALTER GROUP hc ADD USER hd;
ALTER GROUP hc ADD USER hd;
ALTER GROUP hc DROP USER hd;
ALTER GROUP hc DROP USER hd;

-- Schemas
CREATE SCHEMA priv;
CREATE TABLE priv.t (a int);
INSERT INTO priv.t VALUES (1);
GRANT SELECT ON priv.t TO hb;
CREATE VIEW pv AS SELECT * FROM priv.t;
GRANT SELECT ON pv TO hb;
SET ROLE hb;
-- error: 42501
SELECT 'priv.t'::regclass;
-- error: 42501
SELECT to_regclass('priv.t');
-- error: 42501
SELECT to_regclass('priv.nosuch');
-- error: 42501
SELECT has_table_privilege('priv.t', 'select');
-- error: 42501
SELECT * FROM priv.t;
-- error: 42501
SELECT * FROM priv.nosuch;
-- error: 42501
DROP TABLE priv.t;
-- error: 42501
DROP TABLE priv.nosuch;
-- error: 42501
ALTER TABLE priv.t ADD b int;
SELECT * FROM pv;
RESET ROLE;
GRANT pg_read_all_data TO hc;
GRANT pg_write_all_data TO hd;
SET ROLE hc;
SELECT * FROM priv.t;
-- error: 42501
INSERT INTO priv.t VALUES (2);
SET ROLE hd;
INSERT INTO priv.t VALUES (2);
-- error: 42501
INSERT INTO priv.t SELECT * FROM priv.t;
-- error: 42501
CREATE TABLE priv.u (a int);
SELECT has_schema_privilege('priv', 'usage'), has_schema_privilege('priv', 'create');
RESET ROLE;

-- Names without a schema pass over those that the role may not use.
CREATE SCHEMA open;
GRANT USAGE ON SCHEMA open TO hb;
CREATE TABLE open.t (b text);
INSERT INTO open.t VALUES ('open');
GRANT SELECT ON open.t TO hb;
CREATE TABLE priv.same (a int);
CREATE TABLE open.same (a int);
INSERT INTO priv.same VALUES (1);
INSERT INTO open.same VALUES (2);
GRANT SELECT ON priv.same, open.same TO hb;
SET search_path = priv, open, public;
PREPARE same AS SELECT a FROM same;
EXECUTE same;
SET ROLE hb;
EXECUTE same;
SELECT a FROM same;
RESET ROLE;
EXECUTE same;
SELECT a FROM same;
GRANT USAGE ON SCHEMA priv TO hb;
SET ROLE hb;
EXECUTE same;
RESET ROLE;
REVOKE USAGE ON SCHEMA priv FROM hb;
SET ROLE hb;
EXECUTE same;
RESET ROLE;
SELECT * FROM t ORDER BY 1;
SELECT current_schema(), current_schemas(false);
SET ROLE hb;
SELECT * FROM t ORDER BY 1;
SELECT current_schema(), current_schemas(false);
SELECT 't'::regclass, to_regclass('t');
SELECT relname, relnamespace::regnamespace FROM pg_class
    WHERE relname = 't' AND pg_table_is_visible(oid);
-- error: 42501
CREATE TABLE made (a int);
RESET ROLE;
GRANT USAGE ON SCHEMA priv TO hb;
SET ROLE hb;
SELECT * FROM t ORDER BY 1;
SELECT current_schema(), current_schemas(false), 't'::regclass;
RESET ROLE;
REVOKE USAGE ON SCHEMA priv FROM hb;
SET ROLE hb;
SELECT * FROM t ORDER BY 1;
SET search_path = priv;
-- error: 42P01
SELECT * FROM t;
-- error: 3F000
CREATE TABLE made (a int);
SELECT current_schema(), current_schemas(true);
RESET ROLE;
RESET search_path;

-- The sequence of an identity column needs no privilege, that of a serial does.
CREATE TABLE hti (id int GENERATED ALWAYS AS IDENTITY, v text);
CREATE TABLE hts (id serial, v text);
GRANT INSERT, SELECT ON hti, hts TO hb;
SET ROLE hb;
INSERT INTO hti (v) VALUES ('x') RETURNING id;
INSERT INTO hti (v) SELECT 'y' FROM generate_series(1, 2) RETURNING id;
INSERT INTO hti DEFAULT VALUES;
-- error: 42501
INSERT INTO hts (v) VALUES ('x');
-- error: 42501
SELECT nextval('hti_id_seq');
RESET ROLE;

-- A sequence belongs to the owner of its table.
CREATE SEQUENCE loose;
CREATE TABLE hto (id int);
ALTER TABLE hto OWNER TO ha;
-- error: 55000
ALTER SEQUENCE loose OWNED BY hto.id;
-- error: 55000
CREATE SEQUENCE loose2 OWNED BY hto.id;
-- error: 55000
CREATE SEQUENCE loose3 OWNED BY priv.t.a;

-- DROP OWNED leaves what is another's.
CREATE VIEW hov AS SELECT * FROM hto;
-- error: 2BP01
DROP OWNED BY ha;
SELECT * FROM hov;
DROP OWNED BY ha CASCADE;
-- error: 42P01
SELECT * FROM hov;
-- error: 42P01
SELECT * FROM hto;
CREATE SCHEMA owned AUTHORIZATION ha;
CREATE TABLE owned.t (a int);
-- error: 2BP01
DROP OWNED BY ha RESTRICT;
DROP OWNED BY ha CASCADE;
-- error: 42P01
SELECT * FROM owned.t;
GRANT SELECT ON ht TO ha WITH GRANT OPTION;
SET ROLE ha;
GRANT SELECT ON ht TO hc;
RESET ROLE;
DROP OWNED BY ha;
SELECT relacl FROM pg_class WHERE relname = 'ht';

-- What may be asked.
CREATE TABLE g (a int);
CREATE SCHEMA gs;
GRANT SELECT ON g TO ha WITH GRANT OPTION;
GRANT INSERT ON g TO ha;
GRANT USAGE ON SCHEMA gs TO ha WITH GRANT OPTION;
SELECT has_table_privilege('ha', 'g', 'select'), has_table_privilege('ha', 'g', 'select with grant option'),
    has_table_privilege('ha', 'g', 'insert with grant option'),
    has_table_privilege('ha', 'g', 'insert with grant option, select with grant option'),
    has_table_privilege('g', 'insert with grant option');
SELECT has_schema_privilege('ha', 'gs', 'usage with grant option'),
    has_schema_privilege('ha', 'gs', 'create with grant option'),
    has_schema_privilege('public', 'gs', 'usage');
SELECT has_database_privilege('ha', current_database(), 'temp'),
    has_database_privilege('ha', current_database(), 'create'),
    has_database_privilege('ha', current_database(), 'connect'),
    has_database_privilege('ha', current_database(), 'connect with grant option');
SELECT has_any_column_privilege('ha', 'g', 'select'),
    has_column_privilege('ha', 'g', 'a', 'select with grant option');
GRANT ha TO hb WITH ADMIN OPTION;
SELECT pg_has_role('hb', 'ha', 'member'), pg_has_role('hb', 'ha', 'usage with admin option'),
    pg_has_role('hb', 'ha', 'member with grant option');
SET ROLE hb;
ANALYZE g;
VACUUM g;
RESET ROLE;
