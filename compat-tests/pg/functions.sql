-- Builtin functions and expressions that applications use.
SELECT current_user = session_user, current_database(), current_schema();
-- error: 42883
SELECT round('1'::unknown, 2, 3) IS NULL OR pg_typeof('1' + '2') IS NULL;
SELECT pg_typeof(NULL), pg_typeof('x'::unknown);
SELECT pg_backend_pid() > 0, pg_typeof(pg_backend_pid());
SELECT coalesce(NULL, NULL, 3), nullif(1, 1), nullif(1, 2), greatest('a', 'b');
SELECT random() BETWEEN 0 AND 1, setseed(0.5) IS NULL;
SELECT num_nulls(1, NULL, 2), num_nonnulls(1, NULL);
SELECT to_hex(2147483647), md5('x'), encode(sha512('x'), 'hex') LIKE 'a4abd4%';
SELECT lower('ABC'), upper('abc'), initcap('hi there'), length('four'), trim(leading ' ' from '  x');
SELECT date_part('year', '2024-05-06'::date), extract(month from '2024-05-06'::date);
SELECT now() - now(), age('2024-01-01'::date, '2023-12-25'::date), current_date - current_date;
SELECT array_agg(x) FROM generate_series(1, 3) x;
SELECT pg_sleep(0);
SELECT txid_current() = txid_current();
SELECT obj_description(0, 'pg_class'), shobj_description(0, 'pg_database');
SELECT pg_advisory_lock(1), pg_try_advisory_lock(1), pg_advisory_unlock(1), pg_advisory_unlock(1), pg_advisory_unlock(1);
SELECT pg_advisory_xact_lock(5);
SELECT row_number() OVER () FROM generate_series(1, 2);
SELECT string_to_array('1,2,3', ',')::int[], array_to_string('{1,2}'::int[], '+');
SELECT json_build_array(1, 'x'), jsonb_build_object('k', ARRAY[1,2]), to_json('a"b'::text);
SELECT regexp_count('abcabc', 'b'), regexp_like('abc', 'B', 'i'), regexp_instr('abc', 'c'), regexp_substr('abc', 'b.');
SELECT parse_ident('a.b'), quote_ident('select'), quote_ident('plain'), format('%1$s %1$s %2$s', 'a', 'b'), format('%-5s|%5s|', 'a', 'b');
SELECT substring('abc' similar 'a#"b#"c' escape '#'), position('b' in 'abc'), overlay('abc' placing 'X' from 2);
SELECT trunc(-1.5), ceil(-1.5), ceiling(1.5), sign(0), mod(-7, 3), pi(), sin(0), cos(0), atan2(1, 1);
SELECT trunc(1234.5678, 2), round(1234.5678, 3), round(15, -1), log(2, 8), exp(0), power(2.5, 2);
SELECT chr(65), ascii('a'), unistr('\0061'), normalize('a');
-- error: 42883
SELECT nosuchfunction(1);
-- error: 42883
SELECT lower(1, 2);
-- error: 42883
SELECT abs('x'::text);
SELECT pg_catalog.upper('x'), pg_catalog.now() IS NOT NULL;
SELECT CAST('1' AS integer), '5'::int::text::varchar, int '7', date '2024-01-01', interval '1 day', bool 'true', numeric '1.50', bytea '\x01';
SELECT 5 IN (1, 5), 5 NOT IN (1, 2), 'x' BETWEEN 'a' AND 'z', NULL IS NULL, 1 IS NOT NULL, true IS NOT UNKNOWN;
SELECT 'a' || 'b' || 1, 'x' LIKE ANY (ARRAY['x%', 'y%']), 'abc' ILIKE ALL (ARRAY['A%', '%C']);
SELECT has_database_privilege(current_database(), 'CONNECT'), has_table_privilege('pg_class', 'SELECT'), pg_has_role('kalamdb', 'USAGE');
SELECT jsonb_path_query_first('{"a":[5]}', '$.a[0]'), jsonb_to_record.x FROM jsonb_to_record('{"x":3}') AS jsonb_to_record(x int);
SELECT * FROM json_to_recordset('[{"a":1,"b":"x"},{"a":2}]') AS t(a int, b text);
SELECT * FROM generate_series('2024-01-01'::date, '2024-01-03'::date, '1 day') AS d;
SELECT * FROM generate_series(1.0, 2.0, 0.5);
SELECT * FROM generate_series(5, 1, -2);
-- error: 22023
SELECT * FROM generate_series(1, 5, 0);
SELECT (('{"a":1}'::jsonb)->'a')::int + 1, (ARRAY[1,2])[1] + 1, ('x' || 'y')::varchar(1);
SELECT width_bucket(3, 0, 10, 5), bit_count('\xff'::bytea), get_bit('\x01'::bytea, 0), int4(5.5), float8(1), text(5);
SELECT isfinite(now()), timezone('UTC', '2024-01-01 00:00'::timestamp), date_trunc('year', '2024-05-06'::date);
SELECT ltrim('  a'), rtrim('a  '), btrim(' a '), lpad('abc', 2), rpad('a', 3), strpos('hello', 'l'), replace('', 'a', 'b');
SELECT hashtext('x') IS NOT NULL, pg_column_size(1), octet_length('ä'), bit_length('a');
SELECT make_timestamptz(2024, 1, 2, 3, 4, 5, 'UTC'), make_interval(1, 2), to_timestamp('2024', 'YYYY')::date;
SELECT (SELECT count(*) FROM pg_timezone_names WHERE name = 'Europe/Berlin'), current_setting('TimeZone');
SELECT setseed(0.5);
SELECT random(), random();
-- error: 22023
SELECT setseed(1.5);
SELECT 5 BETWEEN SYMMETRIC 10 AND 1, 5 BETWEEN ASYMMETRIC 10 AND 1, NULL BETWEEN SYMMETRIC 1 AND 2, x BETWEEN SYMMETRIC 3 AND 1 + 1 AND true FROM (VALUES (2), (4)) v(x);
