-- Integers, floats and numerics: input, output, arithmetic, overflow.
SELECT 1::int2, 2::int4, 3::int8, 1.5::float4, 2.5::float8, 3.25::numeric;
SELECT 32767::int2, (-32768)::int2, 2147483647, -2147483648::int8, 9223372036854775807;
-- error: 22003
SELECT 32768::int2;
-- error: 22003
SELECT 2147483648::int4;
-- error: 22003
SELECT 9223372036854775808::int8;
-- error: 22003
SELECT 2147483647 + 1;
-- error: 22003
SELECT 9223372036854775807 + 1;
-- error: 22003
SELECT 2147483647 * 2;
-- error: 22003
SELECT (-32768)::int2 * (-1)::int2;
-- error: 22003
SELECT -(-2147483648)::int4;
-- error: 22012
SELECT 1 / 0;
-- error: 22012
SELECT 1 % 0;
-- error: 22012
SELECT 1.0 / 0;
SELECT 7 / 2, -7 / 2, 7 % 3, -7 % 3, 7 % -3;
SELECT 2 ^ 10, 2 ^ 0.5, 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 16 >> 2;
SELECT abs(-5), abs(-5.5), sign(-3.2), ceil(1.2), floor(-1.2), round(2.5), round(-2.5), trunc(2.9);
SELECT round(2.567, 2), round(1234.567, -2), trunc(2.567, 1), mod(10, 3), div(10, 3), power(2, 3), sqrt(2);
SELECT 0.1::float8 + 0.2::float8, 1e20::float8, 1e15::float8, 123456789012345678::float8, 1e-5::float8;
SELECT 0.1::float4, 1e10::float4, 16777217::float4, 3.4e38::float4;
SELECT 'NaN'::float8, 'Infinity'::float8, '-Infinity'::float8, '-0'::float8;
SELECT 'NaN'::float8 = 'NaN'::float8, 'NaN'::float8 > 'Infinity'::float8;
-- error: 22003
SELECT 1e309::float8;
-- error: 22003
SELECT 1e39::float4;
SELECT 1::numeric, 1.0::numeric, 1.50::numeric, 0.000::numeric, -0.5::numeric;
SELECT 1.10 + 2.205, 1.10 * 2.205, 1.10 - 1.1, 10 / 3.0, 1 / 3::numeric;
SELECT 123456789012345678901234567890.123456789 + 1, 10::numeric ^ 40;
SELECT 12345.678::numeric(10,2), 0.005::numeric(3,2), 99.995::numeric(5,1);
-- error: 22003
SELECT 1000::numeric(3,0);
-- error: 22003
SELECT 999.995::numeric(5,2);
SELECT 'NaN'::numeric, 'Infinity'::numeric, '-Infinity'::numeric, 'NaN'::numeric = 'NaN'::numeric;
SELECT 1.5::int, 2.5::int, -1.5::int, -2.5::int, 1.5::float8::int, 2.5::float8::int;
SELECT 1.5::numeric::int8, '12'::int, ' 12 '::int, '-7'::int2;
-- error: 22P02
SELECT 'abc'::int;
-- error: 22P02
SELECT '1.5'::int;
-- error: 22P02
SELECT ''::int4;
-- error: 22P02
SELECT 'x'::numeric;
-- error: 22P02
SELECT 'x'::float8;
-- error: 22003
SELECT '99999999999'::int4;
SELECT 1 = 1.0, 1 < 2.5, 1::int2 + 1::int4, 1::int4 + 1::int8, 1 + 1.5, 1 + 1.5::float8, 1::int2 + 1.0::float4;
SELECT pg_typeof(1), pg_typeof(10000000000), pg_typeof(1.5), pg_typeof(1e3), pg_typeof(1::int2 + 1::int2), pg_typeof(1 + 1.5::float8);
SELECT greatest(1, 2.5, 3), least(1, 2.5, NULL), greatest(NULL::int, NULL);
SELECT width_bucket(5.35, 0.024, 10.06, 5), factorial(10), scale(1.2300), trim_scale(1.2300), min_scale(1.2300);
SELECT 1::bool, 0::bool, true::int, 'yes'::bool, 'off'::bool, 't'::bool, ' TRUE '::bool;
-- error: 22P02
SELECT 'maybe'::bool;
SELECT true AND NULL, false AND NULL, true OR NULL, NOT NULL::bool, true IS TRUE, NULL IS NOT FALSE;
SELECT 1 IS DISTINCT FROM NULL, NULL IS NOT DISTINCT FROM NULL, 5 BETWEEN 1 AND 10, 5 NOT BETWEEN SYMMETRIC 10 AND 1;
SELECT gcd(12, 18), lcm(4, 6), exp(1.0), ln(2.0), log(100.0), cbrt(8), degrees(pi()), radians(180);
CREATE TABLE numbers (id int PRIMARY KEY, a int2, b int8, c float4, d float8, e numeric, f numeric(8,3), g oid);
INSERT INTO numbers VALUES (1, 1, 2, 3.5, 4.5, 5.50, 6.7, 7), (2, -1, -2, -3.5, -4.5, -5.50, -6.7, 4294967295), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, 0, 0, 'NaN', '-Infinity', 'NaN', 0, 0);
SELECT * FROM numbers ORDER BY id;
-- error: 22003
INSERT INTO numbers (id, a) VALUES (5, 40000);
-- error: 22003
INSERT INTO numbers (id, f) VALUES (5, 123456.7);
SELECT id FROM numbers ORDER BY e DESC, id;
SELECT id FROM numbers ORDER BY c, id;
-- error: 22003
UPDATE numbers SET b = b + 9223372036854775807 WHERE id = 1;
SELECT sum(a), sum(b), sum(c), sum(d), sum(e), sum(f) FROM numbers WHERE id < 3;
SELECT pg_typeof(sum(a)), pg_typeof(sum(b)), pg_typeof(avg(a)), pg_typeof(sum(c)), pg_typeof(avg(d)), pg_typeof(sum(e)) FROM numbers;
SELECT 1::int2 << 16, 1::int2 << 20, 1::int2 >> 17, (-1)::int2 >> 40, 1::int2 << -1, 1 << 33, 1::int8 << 65, (-32768)::int2 >> 15;
-- error: 2201F
SELECT power('-Infinity', 1.5);
-- error: 2201F
SELECT power('-Infinity'::numeric, 1.5);
SELECT power('-Infinity'::numeric, 3), power('-Infinity'::numeric, 2), power('-Infinity'::float8, 3);
SELECT power(1e-20::numeric, 100), power(0.1::numeric, 2000);
SELECT ln(1e100::numeric), ln(1.5e-60::numeric), log(1e200::numeric), log(2::numeric, 1e50::numeric), power(1e50::numeric, 0.5), log(1e131071::numeric);
-- error: 22003
SELECT div(1e131071::numeric, 1e-16383::numeric);
SELECT width_bucket(0.1, 1e300, 0, 5), width_bucket('0.1', '1e300', '0', '5'), width_bucket(5.35, 0.024, 10.06, 5), width_bucket(10.06, 0.024, 10.06, 5), width_bucket(-1.0, 0, 10, 5), width_bucket(10.0, 10, 0, 5), width_bucket(0.0, 10, 0, 5), width_bucket(11.0, 10, 0, 5), width_bucket(3.0, 10, 0, 10);
SELECT width_bucket('Infinity'::numeric, 0, 10, 4), width_bucket('-Infinity'::numeric, 0, 10, 4), width_bucket('Infinity'::numeric, 10, 0, 4), width_bucket(0::numeric, 10, 0, 2147483646);
-- error: 2201G
SELECT width_bucket(5::numeric, 'NaN', 10, 1);
-- error: 2201G
SELECT width_bucket(5::numeric, 'Infinity', 10, 1);
-- error: 2201G
SELECT width_bucket(5::numeric, 10, 10, 1);
-- error: 22003
SELECT width_bucket(0::numeric, 10, 0, 2147483647);
