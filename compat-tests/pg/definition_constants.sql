-- Constants in definitions mean what they meant when the definition was made, whatever the
-- settings of whoever uses it.

SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO, MDY';
CREATE TABLE d (
    id int PRIMARY KEY,
    tz timestamptz DEFAULT '2020-01-01 00:00',
    cast_tz timestamptz DEFAULT '2020-07-01 00:00'::timestamptz,
    day date DEFAULT '01/02/2020',
    ts timestamp DEFAULT timestamp '03/04/2020 10:00',
    clock time DEFAULT '10:00 PM',
    zoned timetz DEFAULT timetz '10:00:00+02',
    old date DEFAULT '0044-03-15 BC',
    far timestamptz DEFAULT '12020-01-01 00:00:00',
    never timestamptz DEFAULT '-infinity',
    span interval DEFAULT '-1 day 02:00:00',
    minutes interval minute DEFAULT '5',
    many timestamptz[] DEFAULT '{2020-01-01 00:00,NULL}',
    days date[] DEFAULT ARRAY['01/02/2020', '03/04/2020']::date[],
    precise timestamptz(0) DEFAULT '2020-01-01 00:00:00.6'::timestamptz(0),
    name text DEFAULT '01/02/2020',
    CHECK (tz < '2021-01-01 00:00'::timestamptz),
    CHECK (day IN ('01/02/2020', '02/02/2020') OR day > '12/31/2021')
);
INSERT INTO d (id) VALUES (1);

SET timezone = 'Asia/Tokyo';
SET datestyle = 'ISO, DMY';
SET intervalstyle = 'sql_standard';
INSERT INTO d (id) VALUES (2);
RESET intervalstyle;
SET timezone = 'UTC';
SELECT * FROM d ORDER BY id;
SELECT count(*) FROM d a, d b WHERE a.id = 1 AND b.id = 2
    AND (a.tz, a.cast_tz, a.day, a.ts, a.clock, a.zoned, a.old, a.far, a.never, a.span, a.minutes)
      = (b.tz, b.cast_tz, b.day, b.ts, b.clock, b.zoned, b.old, b.far, b.never, b.span, b.minutes);
SET timezone = 'Asia/Tokyo';
INSERT INTO d (id, tz) VALUES (3, '2020-12-31 22:59:59+00');
-- error: 23514
INSERT INTO d (id, tz) VALUES (4, '2020-12-31 23:00:00+00');
-- error: 23514
INSERT INTO d (id, day) VALUES (4, '2020-02-01');
INSERT INTO d (id, day) VALUES (4, '2020-01-02');
SET timezone = 'UTC';

-- As the catalog shows them.
SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = 'd'::regclass
        AND a.attname IN ('tz', 'cast_tz', 'day', 'ts', 'clock', 'zoned', 'old', 'far', 'never', 'name')
    ORDER BY d.adnum;
CREATE TABLE shown (a timestamptz CHECK (a > '2020-06-01 00:00'));
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'shown'::regclass;
DROP TABLE shown;

-- The moment of the definition is one as well.
CREATE TABLE moments (
    id int,
    frozen timestamptz DEFAULT 'now',
    cast_frozen timestamp DEFAULT 'now'::timestamp,
    day date DEFAULT 'today',
    moving timestamptz DEFAULT now(),
    text_now text DEFAULT 'now'
);
SELECT pg_sleep(0.01);
INSERT INTO moments (id) VALUES (1);
SELECT pg_sleep(0.01);
INSERT INTO moments (id) VALUES (2);
SELECT a.frozen = b.frozen, a.cast_frozen = b.cast_frozen, a.moving < b.moving, a.frozen < a.moving,
    a.text_now FROM moments a, moments b WHERE a.id = 1 AND b.id = 2;
ALTER TABLE moments ALTER COLUMN moving SET DEFAULT 'now';
ALTER TABLE moments ADD COLUMN added timestamptz DEFAULT 'now';
SELECT pg_sleep(0.01);
INSERT INTO moments (id) VALUES (3), (4);
SELECT count(DISTINCT moving), count(DISTINCT added), max(moving) < now(), max(added) < now()
    FROM moments WHERE id > 2;
DROP TABLE moments;

-- Views.
SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO, MDY';
CREATE VIEW v AS SELECT '01/02/2020'::date AS day, '2020-01-01 00:00'::timestamptz AS tz,
    'now'::timestamptz = now() AS is_now, date '03/04/2020' AS typed, interval '-1 day 2:00' AS span,
    interval '90' minute AS minutes, '{01/02/2020}'::date[] AS days
    WHERE timestamptz '2020-01-01 00:00' < ALL (SELECT x FROM (VALUES ('2021-01-01'::timestamptz)) s(x));
SET timezone = 'Asia/Tokyo';
SET datestyle = 'ISO, DMY';
SET intervalstyle = 'sql_standard';
SELECT tz = '2019-12-31 23:00:00+00' AS tz, day = '2020-01-02' AS day, is_now, typed, span = '-1 days +2:00' AS span, minutes, days FROM v;
RESET intervalstyle;
CREATE VIEW v2 AS SELECT day, tz, day = '02/01/2020' AS same FROM v;
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';
SELECT * FROM v2;
DROP VIEW v, v2;

-- What is decided once is immutable.
CREATE TABLE g (
    a timestamptz,
    late boolean GENERATED ALWAYS AS (a > '2020-01-01 00:00'::timestamptz) STORED,
    since interval GENERATED ALWAYS AS (a - timestamptz 'epoch') STORED,
    day date GENERATED ALWAYS AS (CASE WHEN a IS NULL THEN '01/02/2020'::date END) STORED
);
SET timezone = 'Asia/Tokyo';
SET datestyle = 'ISO, DMY';
INSERT INTO g VALUES ('2019-12-31 23:30:00+00'), ('2020-01-01 00:30:00+00'), (NULL);
CREATE INDEX g_late ON g (a) WHERE a > '01/02/2020 00:00';
CREATE INDEX g_expression ON g ((a > '01/02/2020 00:00'::timestamptz));
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT * FROM g ORDER BY a;
SELECT pg_get_indexdef('g_late'::regclass);
SELECT a FROM g WHERE a > '2020-01-31 15:00:00+00' ORDER BY a;
CREATE UNIQUE INDEX g_once ON g ((1)) WHERE a > '2020-01-01 00:00'::timestamptz;
-- error: 23505
INSERT INTO g VALUES ('2020-01-01 00:31:00+00');
INSERT INTO g VALUES ('2019-01-01 00:31:00+00');
-- error: 42P17
CREATE TABLE g2 (a timestamptz, b text GENERATED ALWAYS AS (a::text) STORED);
-- error: 42P17
CREATE TABLE g2 (a timestamptz, b boolean GENERATED ALWAYS AS (a > now()) STORED);
-- error: 42P17
CREATE TABLE g2 (a text, b timestamptz GENERATED ALWAYS AS (a::timestamptz) STORED);
DROP TABLE g;

-- Names in constants follow what they name.
CREATE TABLE named (id int);
CREATE TABLE n (a regclass DEFAULT 'named', b regclass DEFAULT 'named'::regclass, c regtype DEFAULT 'int4');
CREATE VIEW nv AS SELECT 'named'::regclass AS r, 'public'::regnamespace AS s;
-- error: 2BP01
DROP TABLE named;
DROP VIEW nv;
ALTER TABLE named RENAME TO renamed;
CREATE SCHEMA other;
CREATE TABLE other.named (id int);
SET search_path = other, public;
INSERT INTO n DEFAULT VALUES;
SELECT * FROM n;
CREATE VIEW nv AS SELECT 'public.renamed'::regclass AS r, 'public'::regnamespace AS s;
SELECT * FROM nv;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'n'::regclass ORDER BY adnum;
DROP VIEW nv;
RESET search_path;
-- error: 2BP01
DROP TABLE renamed;
-- error: 0A000
CREATE TABLE n2 (a regrole DEFAULT 'pg_monitor'::regrole);
DROP TABLE n, renamed, other.named;
DROP SCHEMA other;
DROP TABLE d;

-- A minus before a number belongs to the constant.
CREATE TABLE negative (
    a int DEFAULT -1, b bigint DEFAULT -5, c numeric DEFAULT -1.50, d int DEFAULT -2147483648,
    e bigint DEFAULT -2147483649, f int DEFAULT - (3), g float8 DEFAULT -1e3,
    h bigint DEFAULT -9223372036854775808,
    CHECK (a > -10)
);
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'negative'::regclass ORDER BY adnum;
SELECT pg_get_constraintdef(oid), pg_get_constraintdef(oid, true) FROM pg_constraint
    WHERE conrelid = 'negative'::regclass;
CREATE UNIQUE INDEX negative_a ON negative (a DESC) WHERE b > -5;
SELECT pg_get_indexdef('negative_a'::regclass), pg_get_indexdef('negative_a'::regclass, 0, true),
    pg_get_indexdef('negative_a'::regclass, 0, false);
INSERT INTO negative DEFAULT VALUES;
-- error: 23514
INSERT INTO negative (a) VALUES (-10);
SELECT * FROM negative;
DROP TABLE negative;
