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
SELECT substr('abc', '2', '1'), substr('abc', '2'), substring('abc', 'b'), substring('abc' FROM 2);
SELECT right('abc', -2147483648), left('abc', -2147483648), split_part('a,b', ',', -2147483648), chr(65);
-- error: 22023
SELECT chr(-7);
-- error: 22003
SELECT overlay('abc' PLACING 'x' FROM 2147483647);
SELECT overlay('\x010203'::bytea PLACING '\xff' FROM 2), overlay('\x010203'::bytea PLACING '\xff' FROM 2 FOR 0), overlay('\x01'::bytea PLACING '\x' FROM 1);
-- error: 22011
SELECT overlay('\x01'::bytea PLACING '\x' FROM 0);
SELECT format('%*s|%-*s|%3s', 5, 'a', 5, 'b', 'c'), format('%*s|', -3, 'a'), format('%1$*2$s|', 'a', 4);
-- error: 22003
SELECT format('%*s', -2147483648, 'a');
-- error: 22003
SELECT format('%99999999999s', 'a');
-- error: 22023
SELECT format('%2147483647$s', 'a');
SELECT regexp_count('abc', 'b*'), regexp_count('abc', ''), regexp_count('', 'a*'), regexp_count('aXbxc', 'x', 1, 'i');
SELECT regexp_instr('abcabc', '(a)(b)?', 1, 1, 0, '', 2), regexp_instr('abc', 'z'), regexp_instr('abc', 'b', 1, 1, 1), regexp_instr('äbc', 'c'), regexp_instr('abcabc', 'b', 3, 1), regexp_instr('abcabc', 'B', 1, 2, 0, 'i');
-- error: 22023
SELECT regexp_instr('abc', 'b', 0);
-- error: 22023
SELECT regexp_instr('abc', 'b', 1, 0);
-- error: 22023
SELECT regexp_instr('abc', 'b', 1, 1, 2);
-- error: 22023
SELECT regexp_instr('abc', 'b', 1, 1, 0, 'g');
-- error: 22023
SELECT regexp_instr('abc', 'b', 1, 1, 0, 'i', -1);
SELECT regexp_substr('abc', '^b', 2), regexp_substr('abcabc', 'b', 1, 3), regexp_substr('abc', '(b)(x)?', 1, 1, '', 2), regexp_substr('abc', 'b', 1, 2147483647), regexp_substr('ABC', 'b.', 1, 1, 'i');
-- error: 22023
SELECT regexp_substr('abc', 'b', -2147483648);
-- error: 22023
SELECT regexp_substr('abc', 'b', 1, 1, 'g');
SELECT to_regnamespace('123'), to_regrole('123'), to_regproc('123'), to_regclass('123'), to_regcollation('123');
-- error: 42602
SELECT to_regrole('foo.bar');
-- error: 42602
SELECT 'foo.bar'::regnamespace;
-- error: 22P02
SELECT to_regprocedure('123');
SELECT to_regoper('||/'), to_regoperator('+(int4,int4)'), to_regoperator('-(NONE,int4)');
-- error: 42P02
SELECT to_regoperator('+(int4)');
SELECT '+(int4,int4)'::regoperator, '-(none,bigint)'::regoperator, 'abs(int4)'::regprocedure, 0::regoperator;
-- error: 42883
SELECT '+(int4,json)'::regoperator;
-- error: 22023
SELECT convert('\x61', 'abc', '');
SELECT to_number('abc', ''), to_char(5, 'ABC'), to_date('a', 'abc');
SELECT nullif(1, 1.0), nullif(1, 2.0), nullif('a'::varchar, 'b'::varchar), nullif('a'::char(3), 'a '), nullif(ARRAY[1], ARRAY[1]), nullif(1::int2, 2::int8), nullif('2020-01-01'::date, '2020-01-01');
