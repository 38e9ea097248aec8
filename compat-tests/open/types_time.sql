-- Statements of types_time that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT to_char('1 day 02:03:04'::interval, 'DD HH24:MI:SS'), to_char('2024-05-06 17:08:09'::timestamp, '"quoted" YY'), to_char('2024-05-06 07:08:09+00'::timestamptz, 'TZ OF');
-- error: 22008
SELECT '25:00'::time;
-- error: 22008
SELECT '25:00+00'::timetz;
