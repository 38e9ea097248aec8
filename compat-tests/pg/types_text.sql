-- text, varchar, char, name, bytea, uuid.
SELECT 'abc', 'abc'::text, 'abc'::varchar, 'abc'::varchar(2), 'abc'::char(5), 'abc'::name, 'abc'::"char";
SELECT 'abc'::char(5) || '|', length('abc'::char(5)), octet_length('abc'::char(5)), 'abc'::char(5) = 'abc';
SELECT 'it''s', E'a\tb\n\\c', U&'\0061\+000062', $$dollar 'quoted'$$, $tag$ $$ $tag$;
-- error: 42601
SELECT 'a' 'b';
SELECT 'one'
  'two' AS joined;
CREATE TABLE texts (id int PRIMARY KEY, a text, b varchar(3), c char(4), d varchar, e bytea, f uuid, g name);
INSERT INTO texts VALUES (1, 'x', 'abc', 'ab', 'long enough', '\xdeadbeef', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'n');
INSERT INTO texts (id, b) VALUES (2, 'abc   ');
INSERT INTO texts (id, c) VALUES (4, 'ab     ');
-- error: 22001
INSERT INTO texts (id, b) VALUES (3, 'abcd');
-- error: 22001
INSERT INTO texts (id, c) VALUES (3, 'abcde');
SELECT id, a, b, c, d, e, f, g, length(b), length(c), b || '|', c || '|' FROM texts ORDER BY id;
SELECT id FROM texts WHERE c = 'ab' ORDER BY id;
SELECT id FROM texts WHERE c = 'ab   '::text ORDER BY id;
SELECT '\xdeadbeef'::bytea, '\x'::bytea, 'abc\000\\'::bytea, E'\\xDE ad'::bytea;
-- error: 22023
SELECT '\xabc'::bytea;
-- error: 22023
SELECT '\xzz'::bytea;
-- error: 22P02
SELECT 'a\9'::bytea;
SELECT length('\xdeadbeef'::bytea), '\x01'::bytea || '\x02'::bytea, substring('\xdeadbeef'::bytea from 2 for 2), encode('\xdeadbeef', 'hex'), encode('\xdeadbeef', 'base64'), decode('3q2+7w==', 'base64');
SELECT get_byte('\x0102'::bytea, 1), set_byte('\x0102'::bytea, 1, 255), md5('abc'), sha256('abc'::bytea), convert_from('\xc3a9', 'UTF8'), convert_to('é', 'UTF8');
SELECT 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid, '{a0eebc999c0b4ef8bb6d6bb9bd380a11}'::uuid;
-- error: 22P02
SELECT 'nonsense'::uuid;
SELECT length('größe'), octet_length('größe'), upper('größe'), lower('ÄÖ'), initcap('hello wORLD'), reverse('abc');
SELECT substr('abcdef', 2, 3), substring('abcdef' from 3), left('abcdef', -2), right('abcdef', 2), position('c' in 'abc'), strpos('abc', 'z');
-- error: 22011
SELECT substring('abc' from 1 for -1);
SELECT trim('  x  '), ltrim('xxa', 'x'), rtrim('axx', 'x'), btrim('xax', 'x'), trim(both 'x' from 'xax'), lpad('5', 3, '0'), rpad('5', 3, 'ab');
SELECT concat('a', NULL, 1, true), concat_ws(',', 'a', NULL, 'b'), 'a' || NULL, 'a' || 1, repeat('ab', 3), replace('aXbX', 'X', '-'), translate('abc', 'ac', 'xy');
SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), ascii('A'), chr(228), to_hex(255), starts_with('abc', 'ab'), overlay('abcdef' placing 'XX' from 2 for 3);
SELECT format('%s and %I and %L', 'a', 'b c', 'd''e'), quote_ident('a b'), quote_literal('x''y'), quote_nullable(NULL);
SELECT 'abc' LIKE 'a%', 'abc' LIKE '_b_', 'a%c' LIKE 'a\%c', 'ABC' ILIKE 'abc', 'abc' NOT LIKE 'b%', 'a_c' LIKE 'a!_c' ESCAPE '!';
SELECT 'abc' ~ 'b', 'abc' ~* 'B', 'abc' !~ 'x', 'abc' SIMILAR TO '%b%', 'abc' SIMILAR TO '(a|x)bc', 'abc' SIMILAR TO 'b';
SELECT regexp_replace('foobar', 'o+', 'X'), regexp_replace('a1b2', '\d', '#', 'g'), substring('foobar' from 'o(.)b'), regexp_match('foobar', '(o+)(b)');
SELECT regexp_matches('a1b2', '[a-z](\d)', 'g');
SELECT regexp_split_to_array('a, b,c', ',\s*'), string_to_array('a,b,,c', ','), string_to_array('a,b', NULL), array_to_string(ARRAY['a',NULL,'c'], ',', '*');
SELECT * FROM regexp_split_to_table('one two', ' ') AS t(word);
SELECT 'a' < 'b', 'B' < 'a', 'a' < 'ab', 'é' > 'z', '' < 'a';
SELECT x FROM (VALUES ('b'), ('A'), ('a'), (NULL), ('')) v(x) ORDER BY x;
SELECT x FROM (VALUES ('b'), ('A'), ('a'), (NULL), ('')) v(x) ORDER BY x DESC NULLS LAST;
SELECT pg_typeof('x'), pg_typeof('x'::text), pg_typeof('x'::varchar(3)), pg_typeof('x'::char), pg_typeof('x' || 'y'), pg_typeof(upper('x'));
-- error: 22021
SELECT E'a\000b';
SELECT to_char(1234.5, 'FM9,999.00'), to_char(-7, '999'), to_char(0.5, '0.99'), to_char(42, '00000'), to_char(1234567.891, '9G999G999D99');
SELECT to_number('1,234.50', '9,999.99'), to_number('-12', '99');
SELECT cast(123 as text), cast(1.50 as text), true::text, '2024-01-02'::date::text, 1e20::float8::text;
SELECT gen_random_uuid() IS NOT NULL, length(gen_random_uuid()::text);
SELECT 'abc' COLLATE "C" < 'B' COLLATE "C";
SELECT unnest(string_to_array('x y z', ' ')) AS word;
SELECT bit_length('abc'), char_length('abc'), character_length('ab'), md5(''), strpos('', '');
SELECT E'\xc3\xa9\303\251', E'\ud83d\ude00', E'a\'b''c', E'\x41\101\t|';
SELECT 'a'
-- between
'b', E'c\x41'
'\x42';
-- error: 42601
SELECT 'a' /* no */ 'b';
-- error: 42601
SELECT $$a$$ 'b';
-- error: 22021
SELECT E'\xff';
-- error: 22025
SELECT E'\u00zz';
-- error: 42601
SELECT E'\ud83d';
SELECT substring('foobar' similar '%#"o_b#"%' escape '#'), substring('foobar' similar '#"o_b#"%' escape '#'), substring('abcdefg' similar 'a#"%#"g' escape '#'), substring('abc' similar 'a%' escape '\'), similar_to_escape('a#"b#"c', '#');
SELECT normalize('e' || U&'\0301', NFC) = 'é', normalize('é', NFD) = 'e' || U&'\0301', 'é' IS NORMALIZED, 'é' IS NFD NORMALIZED, 'é' IS NOT NFD NORMALIZED;
SELECT parse_ident('"Foo".bar'), parse_ident('a . b'), parse_ident('foo.bar()', false);
-- error: 22023
SELECT parse_ident('foo.bar()');
-- error: 22023
SELECT parse_ident('"a');
SELECT convert_from('\xe9', 'LATIN1'), convert_to('é', 'LATIN1'), convert('\xe9', 'LATIN1', 'UTF8'), set_bit('\x00'::bytea, 3, 1);
-- error: 22021
SELECT convert_from('\xff', 'UTF8');
-- error: 22P05
SELECT convert_to('€', 'LATIN1');
SELECT hashtext('abc'), hashtextextended('abc', 1), hashint4(42), hashint8(-1), hashfloat8(1.5), hashoid(7), uuid_hash('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), hashbpchar('a ');
SELECT pg_column_size(1), pg_column_size(1::int8), pg_column_size('abc'::text), pg_column_size(1.5), pg_column_size(ARRAY[1, 2]), pg_column_size(now()), pg_column_size('{"a": 1}'::jsonb), pg_column_size(NULL::int);
