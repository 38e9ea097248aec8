-- Statements of functions that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT random() BETWEEN 0 AND 1, setseed(0.5) IS NULL;
SELECT pg_advisory_lock(1), pg_try_advisory_lock(1), pg_advisory_unlock(1), pg_advisory_unlock(1), pg_advisory_unlock(1);
SELECT parse_ident('a.b'), quote_ident('select'), quote_ident('plain'), format('%1$s %1$s %2$s', 'a', 'b'), format('%-5s|%5s|', 'a', 'b');
SELECT substring('abc' similar 'a#"b#"c' escape '#'), position('b' in 'abc'), overlay('abc' placing 'X' from 2);
SELECT chr(65), ascii('a'), unistr('\0061'), normalize('a');
-- error: 42883
SELECT round('1'::unknown, 2, 3) IS NULL OR pg_typeof('1' + '2') IS NULL;
SELECT 'a' || 'b' || 1, 'x' LIKE ANY (ARRAY['x%', 'y%']), 'abc' ILIKE ALL (ARRAY['A%', '%C']);
SELECT jsonb_path_query_first('{"a":[5]}', '$.a[0]'), jsonb_to_record.x FROM jsonb_to_record('{"x":3}') AS jsonb_to_record(x int);
SELECT * FROM json_to_recordset('[{"a":1,"b":"x"},{"a":2}]') AS t(a int, b text);
SELECT hashtext('x') IS NOT NULL, pg_column_size(1), octet_length('ä'), bit_length('a');
SELECT pg_typeof(NULL), pg_typeof('x'::unknown);
