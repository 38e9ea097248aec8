-- Statements of select_windows that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- The error is right, but comes before RowDescription: PostgreSQL looks at the offset when it runs.
-- error: 22013
SELECT count(*) OVER (ORDER BY name ROWS BETWEEN -1 PRECEDING AND 1 FOLLOWING) FROM s;
-- error: 22013
SELECT count(*) OVER (ORDER BY name ROWS BETWEEN 1 PRECEDING AND -1 FOLLOWING) FROM s;
-- error: 22013
SELECT count(*) OVER (ORDER BY name GROUPS BETWEEN 1 PRECEDING AND -1 FOLLOWING) FROM s;
-- error: 22013
SELECT count(*) OVER (ORDER BY x RANGE BETWEEN -1 PRECEDING AND 1 FOLLOWING) FROM (VALUES (1)) v(x);
-- error: 22013
SELECT count(*) OVER (ORDER BY x RANGE BETWEEN -0.5 PRECEDING AND 1 FOLLOWING) FROM (VALUES (1::float8)) v(x);
-- error: 22013
SELECT count(*) OVER (ORDER BY x RANGE BETWEEN '1 mon' PRECEDING AND '-1 day' FOLLOWING) FROM (VALUES ('2020-01-01'::timestamp)) v(x);
-- error: 22004
SELECT count(*) OVER (ORDER BY name ROWS BETWEEN 1 PRECEDING AND NULL FOLLOWING) FROM s;
