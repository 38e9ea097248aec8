CREATE TABLE s (dept text, name text, pay int, since date);
INSERT INTO s VALUES ('dev', 'a', 10, '2020-01-01'), ('dev', 'b', 20, '2020-06-01'), ('dev', 'c', 20, '2021-01-01'), ('ops', 'd', 5, '2019-01-01'), ('ops', 'e', 15, '2022-01-01'), ('hr', 'f', 7, NULL);
SELECT name, row_number() OVER (ORDER BY pay, name) FROM s ORDER BY name;
SELECT dept, name, rank() OVER (PARTITION BY dept ORDER BY pay DESC), dense_rank() OVER (PARTITION BY dept ORDER BY pay DESC) FROM s ORDER BY dept, name;
SELECT name, sum(pay) OVER (PARTITION BY dept), avg(pay) OVER (PARTITION BY dept), count(*) OVER () FROM s ORDER BY name;
SELECT name, sum(pay) OVER (ORDER BY name) AS running FROM s ORDER BY name;
SELECT name, sum(pay) OVER (ORDER BY pay) AS peers FROM s ORDER BY pay, name;
SELECT name, sum(pay) OVER (ORDER BY name ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM s ORDER BY name;
SELECT name, lag(pay) OVER w, lead(pay, 2, 0) OVER w, first_value(name) OVER w, last_value(name) OVER w FROM s WINDOW w AS (PARTITION BY dept ORDER BY name) ORDER BY name;
SELECT name, nth_value(name, 2) OVER (PARTITION BY dept ORDER BY name ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM s ORDER BY name;
SELECT name, ntile(3) OVER (ORDER BY name), percent_rank() OVER (ORDER BY pay), cume_dist() OVER (ORDER BY pay) FROM s ORDER BY name;
SELECT * FROM (SELECT dept, name, row_number() OVER (PARTITION BY dept ORDER BY pay DESC, name) AS r FROM s) x WHERE r = 1 ORDER BY dept;
SELECT dept, sum(pay), rank() OVER (ORDER BY sum(pay) DESC) FROM s GROUP BY dept ORDER BY 3;
SELECT name, max(pay) OVER (ORDER BY name RANGE UNBOUNDED PRECEDING), min(pay) OVER (ORDER BY name ROWS UNBOUNDED PRECEDING) FROM s ORDER BY name;
SELECT name, count(*) FILTER (WHERE pay > 9) OVER (PARTITION BY dept) FROM s ORDER BY name;
SELECT name, array_agg(name) OVER (PARTITION BY dept ORDER BY name) FROM s ORDER BY name;
SELECT name, sum(pay) OVER (ORDER BY pay RANGE BETWEEN 5 PRECEDING AND CURRENT ROW) FROM s ORDER BY pay, name;
SELECT name, sum(pay) OVER (ORDER BY pay GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM s ORDER BY pay, name;
-- error: 42P20
SELECT name FROM s WHERE row_number() OVER () = 1;
-- error: 42809
SELECT lower(name) OVER () FROM s;
-- error: 42704
SELECT sum(pay) OVER nosuch FROM s;
-- error: 42803
SELECT sum(row_number() OVER ()) FROM s;
SELECT pg_typeof(row_number() OVER ()), pg_typeof(ntile(2) OVER ()), pg_typeof(sum(pay) OVER ()), pg_typeof(percent_rank() OVER ()) FROM s LIMIT 1;
SELECT lag(x, y) OVER (ORDER BY x), lead(x, y, 0) OVER (ORDER BY x), lag(x, NULL) OVER (ORDER BY x), lag(x, 1, x + 10) OVER (ORDER BY x), lead(x, -2147483648) OVER (ORDER BY x), ntile(3) OVER (ORDER BY x) FROM (VALUES (1, 0), (2, 1), (3, NULL), (4, -1)) v(x, y) ORDER BY x;
SELECT nth_value(x, y) OVER (PARTITION BY x % 2 ORDER BY x), lag(x, y, x * 10) OVER (PARTITION BY x % 2 ORDER BY x DESC) FROM (VALUES (1, 1), (2, 1), (3, 2), (4, 3)) v(x, y) ORDER BY x;
SELECT ntile(y) OVER (ORDER BY x), ntile(NULL) OVER (ORDER BY x), ntile(x) OVER (ORDER BY x) FROM (VALUES (1, NULL), (2, 2), (3, 7), (4, -1), (5, 0)) v(x, y) ORDER BY x;
-- error: 22014
SELECT ntile(0) OVER () FROM s;
-- error: 22016
SELECT nth_value(pay, 0) OVER () FROM s;
-- error: 22016
SELECT nth_value(pay, -2147483648) OVER () FROM s;
-- error: 42809
SELECT row_number() FROM s;
SELECT x, sum(x) OVER (ORDER BY x RANGE BETWEEN 0.5 PRECEDING AND 1 FOLLOWING) FROM (VALUES (1::float4), (1.5), (2), ('NaN'), (NULL)) v(x) ORDER BY x;
SELECT x, sum(x) OVER (ORDER BY x DESC RANGE BETWEEN 0.5 PRECEDING AND 1 FOLLOWING) FROM (VALUES (1::float8), (1.5), (2), ('NaN'), (NULL)) v(x) ORDER BY x;
SELECT x, count(*) OVER (ORDER BY x RANGE BETWEEN '3 days' PRECEDING AND '1 day' FOLLOWING) FROM (VALUES ('2020-01-01'::date), ('2020-01-02'), ('2020-01-05'), (NULL), ('2020-03-01')) v(x) ORDER BY x;
SELECT x, count(*) OVER (ORDER BY x DESC RANGE BETWEEN '1 month'::interval PRECEDING AND interval '12 hours' FOLLOWING) FROM (VALUES ('2020-01-31'::date), ('2020-02-29'), ('2020-01-05'), (NULL), ('2020-03-01')) v(x) ORDER BY x;
SELECT x, first_value(x) OVER (ORDER BY x RANGE '2 days'::interval PRECEDING) FROM (VALUES ('2020-01-31'::timestamp), ('2020-02-29'), ('2020-01-29')) v(x) ORDER BY x;
SELECT name, count(*) OVER (ORDER BY name ROWS BETWEEN '1'::int PRECEDING AND '1' FOLLOWING) FROM s ORDER BY name;
-- error: 0A000
SELECT count(*) OVER (ORDER BY x RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM (VALUES ('2020-01-01'::date)) v(x);
-- error: 0A000
SELECT count(*) OVER (ORDER BY name RANGE BETWEEN '1' PRECEDING AND 1 FOLLOWING) FROM s;
-- error: 42804
SELECT count(*) OVER (ORDER BY name ROWS BETWEEN 'a'::text PRECEDING AND 1 FOLLOWING) FROM s;
SELECT row_number() OVER (ORDER BY name USING >) FROM s ORDER BY 1 USING <;
-- Aggregates that can't take a row back, over sliding frames.
create table sliding(id int primary key, a int, bo bool, t text);
insert into sliding values (1,1,true,'x'),(2,2,false,'y'),(3,null,null,'z'),(4,7,true,null),(5,5,true,'q');
select bool_and(bo) over (order by id rows between 1 preceding and current row), bit_or(a) over (order by id rows between 1 preceding and 1 following) from sliding;
select jsonb_agg(a) over (order by id rows between 1 preceding and current row), string_agg(t,',') over (order by id rows between 1 preceding and 1 following), array_agg(t) over (order by id desc rows between 1 preceding and current row) from sliding order by id;
select id, every(bo) over (order by id), stddev(a) over (order by id rows between 1 preceding and current row), variance(a) over w2, regr_slope(a,id) over w2, corr(a,id) over w2, max(t) over w2, min(a) over w2, count(*) over w2, sum(a) over w2, avg(a) over w2 from sliding window w2 as (order by id rows between 2 preceding and 1 following) order by id;
select bit_and(a) filter (where id > 2) over (order by id rows 1 preceding), json_object_agg(id, a) over (order by id rows 1 preceding) from sliding;
select bool_or(bo) over (partition by a > 2 order by id range between 1 preceding and current row), sum(a) over (order by id groups between 1 preceding and 1 following) from sliding order by id;
select sum(a) over (), count(*) over (partition by bo), rank() over (order by bo), array_agg(id) over (order by id desc) from sliding order by id;
drop table sliding;
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
