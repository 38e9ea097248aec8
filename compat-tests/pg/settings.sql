SHOW server_encoding;
SHOW client_encoding;
SHOW standard_conforming_strings;
SHOW datestyle;
SHOW intervalstyle;
SHOW timezone;
SHOW max_identifier_length;
SELECT current_setting('server_version_num')::int >= 150000;
SET application_name = 'compat';
SHOW application_name;
SET application_name TO DEFAULT;
SHOW application_name;
SELECT set_config('application_name', 'by function', false), current_setting('application_name');
RESET application_name;
SELECT current_setting('application_name'), current_setting('nosuch.setting', true);
-- error: 42704
SHOW nosuch;
-- error: 42704
SELECT current_setting('nosuch.setting');
-- error: 42704
SET nosuch = 1;
SET my.custom = 'value';
SHOW my.custom;
SELECT current_setting('my.custom');
SET SESSION statement_timeout = '5s';
SHOW statement_timeout;
SET statement_timeout = 100000;
SHOW statement_timeout;
SET statement_timeout = 0;
-- error: 22023
SET statement_timeout = 'soon';
-- error: 22023
SET statement_timeout = -5;
SET lock_timeout = '1min';
SHOW lock_timeout;
RESET lock_timeout;
SET idle_in_transaction_session_timeout = '10s';
SHOW idle_in_transaction_session_timeout;
RESET ALL;
SHOW idle_in_transaction_session_timeout;
SET client_encoding = 'UTF8';
-- error: 22023
SET client_encoding = 'nosuch';
SET NAMES 'UTF8';
SET TIME ZONE 'Europe/Berlin';
SHOW timezone;
SET TIME ZONE LOCAL;
SHOW timezone;
SET timezone TO 'UTC';
SET search_path TO "$user", public, other;
SHOW search_path;
RESET search_path;
SET extra_float_digits = 0;
SELECT 0.1::float8 + 0.2::float8, 0.1::float4;
SET extra_float_digits = 3;
SELECT 0.1::float8 + 0.2::float8;
RESET extra_float_digits;
SET bytea_output = 'escape';
SELECT '\x00ff61'::bytea;
RESET bytea_output;
-- error: 55P02
SET server_version = '1';
-- error: 22023
SET synchronous_commit = 'maybe';
SET synchronous_commit = off;
SHOW synchronous_commit;
SET synchronous_commit = on;
SET default_transaction_isolation = 'repeatable read';
SHOW transaction_isolation;
RESET default_transaction_isolation;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED;
SELECT current_user, session_user, current_database(), current_catalog, user, current_role;
SELECT name, setting FROM pg_settings WHERE name IN ('DateStyle', 'standard_conforming_strings', 'max_identifier_length') ORDER BY 1;
SET row_security = on;
SET check_function_bodies = false;
SET client_min_messages = warning;
DROP TABLE IF EXISTS nosuch;
RESET client_min_messages;
DROP TABLE IF EXISTS nosuch;
DISCARD PLANS;
DISCARD SEQUENCES;
BEGIN;
-- error: 25001
DISCARD ALL;
ROLLBACK;
DISCARD ALL;
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
SET default_with_oids = off;
SHOW default_tablespace;
SHOW xmloption;
-- error: 22023
SET default_tablespace = nosuch;
-- error: 22023
SET xmloption = nosuch;
-- error: 55P02
SET max_connections = 10;
-- error: 22023
SET ROLE nosuch;
-- error: 22023
SET SESSION AUTHORIZATION nosuch;
RESET ALL;
SELECT name, context, vartype FROM pg_settings WHERE name IN ('max_connections', 'xmloption', 'default_tablespace', 'standard_conforming_strings') ORDER BY 1;
SET default_transaction_isolation = 'repeatable read';
SHOW default_transaction_isolation;
RESET default_transaction_isolation;
SELECT name, vartype, enumvals FROM pg_settings WHERE name LIKE 'default_transaction%' ORDER BY 1;
SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE;
SHOW timezone;
SELECT timestamptz '2020-07-01 00:00+00';
SET TIME ZONE INTERVAL '5' HOUR;
SHOW timezone;
SET TIME ZONE INTERVAL '+05:30' HOUR TO MINUTE;
SHOW timezone;
-- error: 22023
SET TIME ZONE INTERVAL '1 month';
-- error: 22023
SET TIME ZONE INTERVAL '2 days';
-- error: 22007
SET TIME ZONE INTERVAL 'abc' HOUR;
-- error: 42601
SET TIME ZONE INTERVAL '2' HOUR TO SECOND;
RESET timezone;
CREATE ROLE gb;
SET role = 'gb';
SELECT current_user;
SHOW role;
SET role = none;
SELECT current_user;
SET role TO gb;
SELECT current_user;
SET role TO DEFAULT;
SELECT current_user;
BEGIN;
SET LOCAL role = gb;
SELECT current_user;
COMMIT;
SELECT current_user;
-- error: 42601
CREATE ROLE r LOGIN NOLOGIN;
-- error: 42601
CREATE ROLE r PASSWORD 'a' PASSWORD 'b';
-- position
-- error: 42601
ALTER ROLE gb SUPERUSER NOSUPERUSER;
-- error: 42601
CREATE ROLE r IN ROLE gb IN GROUP gb;
CREATE USER r SYSID 5 NOLOGIN PASSWORD '';
ALTER USER r PASSWORD '';
SELECT rolcanlogin, rolpassword IS NULL FROM pg_authid WHERE rolname = 'r';
