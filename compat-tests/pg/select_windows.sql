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
