-- Statements of types_time that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT to_char('1 day 02:03:04'::interval, 'DD HH24:MI:SS'), to_char('2024-05-06 17:08:09'::timestamp, '"quoted" YY'), to_char('2024-05-06 07:08:09+00'::timestamptz, 'TZ OF');
SELECT to_date('05 Dec 2000', 'DD Mon YYYY'), to_timestamp('2024-05-06 07:08', 'YYYY-MM-DD HH24:MI'), to_timestamp(1714979289.5), make_date(2024, 5, 6), make_time(1, 2, 3.5), make_timestamp(2024, 5, 6, 7, 8, 9.5), make_interval(days => 10, hours => 2);
SELECT 'infinity'::timestamp > '9999-12-31'::timestamp, isfinite('infinity'::date), '2024-01-01'::date < '2024-01-01 00:00:01'::timestamp, '1 month'::interval = '30 days'::interval, ('2024-01-01'::date, '2024-02-01'::date) OVERLAPS ('2024-01-15'::date, '2024-03-01'::date);
SELECT now() = current_timestamp, now() = transaction_timestamp(), clock_timestamp() >= statement_timestamp(), current_date = now()::date, localtimestamp = now()::timestamp, pg_typeof(current_time::time), pg_typeof(localtime);
SET IntervalStyle = 'iso_8601';
SET IntervalStyle = 'postgres_verbose';
SET DateStyle = 'German';
SET DateStyle = 'SQL, DMY';
-- error: 22008
SELECT '25:00'::time;
SET TIME ZONE '-3';
