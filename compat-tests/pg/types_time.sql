-- date, time, timestamp, timestamptz, interval.
SET TIME ZONE 'UTC';
SELECT '2024-02-29'::date, 'January 8, 1999'::date, '19990108'::date, '2024-060'::date, '1/8/1999'::date, 'infinity'::date, '-infinity'::date;
-- error: 22008
SELECT '2023-02-29'::date;
-- error: 22007
SELECT 'soon'::date;
-- error: 22008
SELECT '2024-13-01'::date;
SELECT '04:05:06.789'::time, '04:05'::time, '040506'::time, '04:05 PM'::time, '24:00'::time, '04:05:06.1234567'::time, '04:05:06.789'::time(1);
-- error: 22008
SELECT '25:00'::time;
-- error: 22008
SELECT '25:00+00'::timetz;
SELECT '2024-01-02 03:04:05'::timestamp, '2024-01-02T03:04:05.123456Z'::timestamp, '2024-01-02'::timestamp, 'infinity'::timestamp, '-infinity'::timestamp, 'epoch'::timestamp;
SELECT '2024-01-02 03:04:05+02'::timestamptz, '2024-01-02 03:04:05 America/New_York'::timestamptz, '2024-07-02 03:04:05 America/New_York'::timestamptz, '2024-01-02 03:04:05'::timestamptz;
SELECT '0044-03-15 BC'::date, '4713-01-01 BC'::timestamp, '9999-12-31'::date, '20000-01-01'::date;
SELECT '2024-01-02 03:04:05.5678'::timestamp(2), '2024-01-02 03:04:05.5678'::timestamptz(0);
SET TIME ZONE 'America/New_York';
SELECT '2024-01-02 03:04:05+00'::timestamptz, '2024-07-02 03:04:05+00'::timestamptz, '2024-01-02 03:04:05'::timestamptz::timestamp, '2024-01-02 03:04:05'::timestamp::timestamptz;
SELECT '2024-03-10 02:30'::timestamptz, '2024-11-03 01:30'::timestamptz, '2024-01-02'::date::timestamptz, '2024-01-02 23:00+00'::timestamptz::date;
SELECT '2024-01-02 03:04:05+00'::timestamptz AT TIME ZONE 'Asia/Tokyo', '2024-01-02 03:04:05'::timestamp AT TIME ZONE 'Asia/Tokyo';
SET TIME ZONE 'Asia/Kolkata';
SELECT '2024-01-02 03:04:05+00'::timestamptz;
SELECT '2024-01-02 03:04:05+00'::timestamptz;
SET TIME ZONE 'UTC';
SHOW TIME ZONE;
-- error: 22023
SET TIME ZONE 'Nowhere/Land';
SELECT '1 year 2 months 3 days 04:05:06.789'::interval, '1-2'::interval, 'P1Y2M3DT4H5M6S'::interval, '3 days ago'::interval, '-1 day +02:00'::interval, '90 minutes'::interval, '1.5 hours'::interval, '36:00'::interval;
SELECT interval '1' year, interval '2:30' hour to minute, interval '1 day' * 2.5, interval '1 month' / 2, -interval '1 day', interval '1 mon' + interval '1 day';
-- error: 22007
SELECT 'long'::interval;
SELECT '2024-01-31'::date + interval '1 month', '2024-01-31'::date + 1, '2024-03-01'::date - '2024-02-01'::date, '2024-01-01'::date + time '12:00';
SELECT '2024-03-01 12:00'::timestamp - '2024-02-01 13:30'::timestamp, '2024-03-01'::timestamptz - interval '1 day', '12:00'::time + interval '13 hours', '12:00'::time - '10:30'::time;
SELECT age('2024-03-01'::timestamp, '2023-01-15'::timestamp), justify_days('35 days'::interval), justify_hours('27 hours'::interval), justify_interval('1 mon -1 hour'::interval);
SELECT extract(year from '2024-05-06 07:08:09.5'::timestamp), extract(dow from '2024-05-06'::date), extract(epoch from '2024-05-06 07:08:09.5+00'::timestamptz), extract(doy from '2024-05-06'::date), extract(second from '07:08:09.5'::time), extract(epoch from '1 day 02:00'::interval);
SELECT date_part('month', '2024-05-06'::date), date_part('isoyear', '2024-12-30'::date), extract(week from '2024-12-30'::date), extract(quarter from '2024-05-06'::date), extract(century from '2024-05-06'::date), extract(isodow from '2024-05-05'::date);
-- error: 22023
SELECT extract(fortnight from '2024-05-06'::date);
SELECT date_trunc('month', '2024-05-06 07:08:09'::timestamp), date_trunc('hour', '2024-05-06 07:08:09+00'::timestamptz), date_trunc('week', '2024-05-09'::date), date_trunc('quarter', '2024-05-06'::timestamp), date_trunc('day', '2024-05-06 03:00+00'::timestamptz, 'America/New_York');
SELECT date_bin('15 minutes', '2024-05-06 07:08:09'::timestamp, '2024-01-01'::timestamp);
SELECT to_char('2024-05-06 17:08:09.5'::timestamp, 'YYYY-MM-DD HH24:MI:SS.MS'), to_char('2024-05-06'::date, 'FMDay, FMMonth DD'), to_char('2024-05-06 17:08'::timestamp, 'HH12:MI AM'), to_char('2024-05-06'::date, 'Dy, DD Mon YYYY'), to_char('2024-05-06'::date, 'IYYY-IW-ID, DDD, Q, J');
SELECT to_char('1 day 02:03:04'::interval, 'DD HH24:MI:SS'), to_char('2024-05-06 17:08:09'::timestamp, '"quoted" YY'), to_char('2024-05-06 07:08:09+00'::timestamptz, 'TZ OF');
SELECT to_date('05 Dec 2000', 'DD Mon YYYY'), to_timestamp('2024-05-06 07:08', 'YYYY-MM-DD HH24:MI'), to_timestamp(1714979289.5), make_date(2024, 5, 6), make_time(1, 2, 3.5), make_timestamp(2024, 5, 6, 7, 8, 9.5), make_interval(days => 10, hours => 2);
-- error: 22008
SELECT make_date(2024, 13, 1);
SELECT 'infinity'::timestamp > '9999-12-31'::timestamp, isfinite('infinity'::date), '2024-01-01'::date < '2024-01-01 00:00:01'::timestamp, '1 month'::interval = '30 days'::interval, ('2024-01-01'::date, '2024-02-01'::date) OVERLAPS ('2024-01-15'::date, '2024-03-01'::date);
SELECT now() = current_timestamp, now() = transaction_timestamp(), clock_timestamp() >= statement_timestamp(), current_date = now()::date, localtimestamp = now()::timestamp, pg_typeof(current_time::time), pg_typeof(localtime);
CREATE TABLE times (id int PRIMARY KEY, d date, t time, ts timestamp, tz timestamptz, i interval, t3 timestamp(3), i2 interval day to second);
INSERT INTO times VALUES (1, '2024-02-29', '12:34:56.789', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789012+01', '1 year 2 mons 3 days 04:05:06.7', '2024-02-29 12:34:56.789512', '3 days 04:05:06'), (2, 'infinity', '00:00', '-infinity', 'infinity', '-1 day', NULL, NULL);
SELECT * FROM times ORDER BY id;
SELECT id FROM times WHERE ts < '2024-03-01' ORDER BY ts;
SELECT max(d), min(ts), max(tz), sum(i), avg(i) FROM times;
SELECT generate_series('2024-01-30'::timestamp, '2024-02-02'::timestamp, '1 day');
-- error: 22008
SELECT '2024-01-01'::timestamp + interval '300000 years';
SELECT pg_typeof('2024-01-01'::date + 1), pg_typeof('2024-01-01'::date - '2024-01-01'::date), pg_typeof('2024-01-01'::date + '1 day'::interval), pg_typeof(now()), pg_typeof(now() - now()), pg_typeof(extract(year from now()));
SET IntervalStyle = 'iso_8601';
SELECT '1 year 2 mons 3 days 04:05:06.7'::interval;
SET IntervalStyle = 'postgres_verbose';
SELECT '1 year 2 mons 3 days 04:05:06.7'::interval;
RESET IntervalStyle;
SET DateStyle = 'German';
SELECT '2024-02-29'::date, '2024-02-29 12:00'::timestamp;
SET DateStyle = 'SQL, DMY';
SELECT '2024-02-29'::date, '01/02/2024'::date;
RESET DateStyle;
SET IntervalStyle = 'iso_8601';
SELECT '1 year 2 mons 3 days 04:05:06.7'::interval, '-1 day +02:03'::interval, '0'::interval, '-1.5 seconds'::interval;
SET IntervalStyle = 'postgres_verbose';
SELECT '1 year 2 mons 3 days 04:05:06.7'::interval, '-1 day +02:03'::interval, '0'::interval, '-1 year -2 days'::interval;
SET IntervalStyle = 'sql_standard';
SELECT '1 year 2 mons'::interval, '3 days 04:05:06.7'::interval, '1 year 2 mons 3 days'::interval, '0'::interval, '-1 2:03:04'::interval, '-1 day 2:03:04'::interval;
SELECT to_jsonb('1 day'::interval), ('1 day'::interval)::text || '!';
RESET IntervalStyle;
SELECT '-1 2:03:04'::interval;
-- error: 22023
SET IntervalStyle = 'nosuch';
SET DateStyle = 'German';
SHOW DateStyle;
SELECT '2024-05-06'::date, '2024-05-06 07:08:09.5'::timestamp, '2024-05-06 07:08:09+00'::timestamptz, '06.05.2024'::date, '0044-03-15 BC'::date;
SET DateStyle = 'SQL, DMY';
SELECT '2024-05-06'::date, '2024-05-06 07:08:09.5'::timestamp, '2024-05-06 07:08:09+00'::timestamptz, to_jsonb('2024-05-06'::date), ('2024-05-06'::date)::text;
SET DateStyle = 'Postgres';
SHOW DateStyle;
SELECT '2024-05-06'::date, '2024-05-06 07:08:09.5'::timestamp, '2024-05-06 07:08:09+00'::timestamptz, 'infinity'::timestamp, ARRAY['2024-05-06 07:08'::timestamp];
SET TIME ZONE 'America/New_York';
SELECT '2024-05-06 07:08:09+00'::timestamptz, '2024-01-06 07:08:09+00'::timestamptz;
SET DateStyle = 'mdy';
SHOW DateStyle;
-- error: 22023
SET DateStyle = 'nosuch';
-- error: 22023
SET DateStyle = 'iso, sql';
RESET DateStyle;
SET TIME ZONE 'utc';
SHOW TimeZone;
SET TIME ZONE '-3';
SHOW TimeZone;
SET TIME ZONE 'Foo3';
SHOW TimeZone;
SELECT '2024-05-06 07:08:09+00'::timestamptz;
-- error: 22023
SET TIME ZONE 'PST';
RESET TIME ZONE;
SELECT '12:34:56.789-05'::timetz, '10:00+01'::timetz < '10:00+00'::timetz, '10:00+01'::timetz = '09:00+00'::timetz, '04:05'::timetz, ('12:00+02'::timetz)::time, '23:30+00'::timetz + '1 hour'::interval;
SELECT extract(timezone FROM '10:00+02:30'::timetz), extract(hour FROM '10:00+02:30'::timetz), extract(epoch FROM '10:00+02:30'::timetz), '2024-05-06'::date + '10:00+02'::timetz, '10:00+02'::timetz AT TIME ZONE 'UTC', '2024-05-06 07:08:09+02'::timestamptz::timetz;
CREATE TABLE clocks (id int PRIMARY KEY, t timetz, p jsonpath);
INSERT INTO clocks VALUES (1, '10:00+02', '$.a'), (2, '10:00+00', '$ ? (@ > 1)'), (3, NULL, NULL);
SELECT * FROM clocks ORDER BY t DESC NULLS LAST;
SELECT min(t), max(t), count(DISTINCT t) FROM clocks WHERE t >= '08:00+00';
DROP TABLE clocks;
SELECT ('10:00'::time, '1 hour'::interval) OVERLAPS ('10:30'::time, '11:00'::time), ('2024-01-01'::timestamp, '1 day'::interval) OVERLAPS ('2024-01-02'::timestamp, NULL::timestamp), ('2024-01-01'::date, NULL) OVERLAPS ('2024-01-01'::date, '2024-01-01'::date);
SELECT to_char('1 year 2 mons -3 days -04:05:06.789'::interval, 'YYYY MM DD HH24 MI SS MS US'), to_char('100:00'::interval, 'HH24:MI HH12 AM FMHH'), to_char('-1 mon'::interval, 'MM FMMM DDD'), to_char(NULL::interval, 'DD'), to_char('1 day'::interval, '');
-- error: 22007
SELECT to_char('1 day'::interval, 'Month');
-- error: 22007
SELECT to_char(i, 'TZ') FROM times;
-- error: 22008
SELECT '24:00:01'::time;
-- error: 22008
SELECT '2024-02-30'::date;
-- error: 22015
SELECT interval '17014118346046923173168730371588410572-1';
-- error: 22015
SELECT interval '99999999999999999999999999999999999999 years';
-- error: 22015
SELECT interval '9223372036854775807:59:59';
-- error: 22015
SELECT interval 'P99999999999999999999D';
-- error: 22007
SELECT interval '1e5 seconds';
SELECT interval '1 2' DAY TO HOUR, interval '1 2' HOUR, interval '1 2:03' DAY TO HOUR, interval '1 2 hours 3 minutes', '1 2'::interval DAY TO HOUR;
-- error: 22007
SELECT interval '1 2' DAY TO MINUTE;
SELECT interval(0) '1.6', interval(2) '1.23456', interval(6) '1.1234567', interval(2) '1.23456' + interval '1';
-- error: 22023
-- sqlstate-only
SELECT date_part('ABC', date '2020-01-01');
-- error: 22023
SELECT date_part('ABC', timestamp '2020-01-01');
-- error: 22023
SELECT date_trunc('ABC', timestamp '2020-01-01');
SELECT date_trunc('day', 'infinity'::timestamptz, 'bad/zone'), timezone('bad', 'infinity'::timestamp), timezone('1 day'::interval, '-infinity'::timestamptz);
-- error: 22008
SELECT make_date(-7, 0, 100);
-- error: 22008
SELECT make_date(2147483647, 1, 1);
-- error: 22008
SELECT make_date(-2147483648, 1, 1);
-- error: 22008
SELECT make_time(1, 2, 1e300);
-- error: 22008
SELECT make_time(1, 2, 61.25);
-- error: 22008
SELECT make_time(-1, 3, 'Infinity');
-- error: 22008
SELECT to_timestamp(-1e300);
-- error: 22008
SELECT to_timestamp('999999999999999999 1', 'IYYY IW');
-- error: 22008
SELECT to_timestamp('999999999999999999', 'CC');
-- error: 22008
SELECT to_timestamp('1999 999999999999999999', 'YYYY MS');
-- error: 22008
SELECT to_timestamp('2000-01-01 10 +05:999999999999999999', 'YYYY-MM-DD HH24 TZH:TZM');
-- error: 22008
SELECT to_date('2147483648', 'YYYY');
SELECT to_char(timestamp '2024-01-07', 'TMDay') || '|' || to_char(timestamp '2024-05-07', 'Day TMMonth') || '|', to_char(timestamp '2024-01-07', 'TMday TMMON TMDY');
