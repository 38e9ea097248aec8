-- Aggregates that belong to a query around theirs, and values that subqueries are compared with.
create table x(id int primary key, a int, b int8, n numeric, t text, f bool);
insert into x values (1,1,10,1.0,'a',true),(2,1,20,1.00,'b',false),(3,2,30,2.5,'a',true),(4,2,null,2.50,null,null),(5,null,5,null,'c',true),(6,3,50,3,'c',false);
create table y(a int, b int8, n numeric, t text, f bool);
insert into y values (1,10,1,'a',true),(2,20,2.5,'b',false),(3,null,3,'c',true),(null,40,null,null,null),(7,30,7,'a',true);
create table z(a int, b int8);
select (select max(y.a) from y where y.b > min(x.b)) from x group by x.a order by 1;
select (select max(y.a) from y where y.b > min(x.b)) from x;
select x.a, (select count(*) from y where y.b < max(x.b)) from x group by rollup (x.a) order by 1, 2;
select x.a from x group by x.a having x.a in (select y.a from y where y.b >= max(x.b) - 20) order by 1;
select x.a from x group by x.a having exists (select from y where y.b = max(x.b)) order by 1;
select x.a from x group by x.a order by (select count(*) from y where y.b < min(x.b)), 1;
select (select count(x.a)) from x;
select (select count(x.a) from y limit 1) from x;
-- error: 21000
select (select count(x.a) from y) from x;
select (select sum(y.a + max(x.a)) from y) from x;
select (select (select max(x.a) from z right join y on y.a = w.a where y.a is not null limit 1) from y w order by 1 limit 1) from x;
select (select string_agg(x.t, ',' order by x.id) filter (where x.id < 5)) from x;
select (select count(distinct x.a)) from x group by x.f order by 1;
select max((select x.b)) from x;
select (select max((select x.b)) from y limit 1) from x;
select x.id, x.t, (select max(x.b)) from x group by x.id order by 1;
select rank() over (order by (select max(x.a))), x.f from x group by x.f order by 1, 2;
select x.a, (select grouping(x.a)) from x group by rollup (x.a) order by 1, 2;
select x.a, x.f, (select grouping(x.a, x.f) + count(*) from y where y.a = x.a) from x group by cube (x.a, x.f) order by 1, 2, 3;
select (select max(x.b)) m from x having (select max(x.b)) > 0;
-- error: 42803
select (select sum(max(x.a)) from y) from x;
-- error: 42803
select sum((select max(x.b))) from x;
-- error: 42803
select 1 from x where (select max(x.a)) > 1;
-- error: 42803
select 1 from x group by (select max(x.a));
-- error: 42803
select x.id, (select max(x.b)) from x;
-- error: 42803
select 1 from x, lateral (select max(x.a) m) q;
-- error: 42803
select 1 from x join y on (select max(x.a)) > 1;
-- error: 42803
select 1 from x left join lateral (select 1) y on (select max(x.a)) > 1;
-- error: 42803
update x set b = (select max(x.b));
-- error: 42803
delete from x where (select max(x.b)) > 1;
-- error: 42803
delete from x returning (select max(x.b));
prepare lp(int) as select x.a, (select count(*) from y where y.b < max(x.b) + $1) from x group by x.a having max(x.b) + $1 > any (select y.b from y) order by 1;
execute lp(0);
execute lp(5);
execute lp(0);
execute lp(-100);
-- Grouped expressions, aggregates and windows that a subquery is compared with.
select a % 2 <> any (select null::int4) from x group by a % 2;
select a % 2, a % 2 > all (select y.a from y where y.a < 1) from x group by a % 2 order by 1;
select a % 2, a % 2 > all (select 0) from x group by a % 2 order by 1;
select a % 2, (a % 2, 1) in (select 1, 1) from x group by a % 2 order by 1;
select a, max(b) > all (select y.b from y where y.b < 20) from x group by a order by 1;
select a, (max(b), 1) in (select y.b, 1 from y) from x group by a order by 1;
select a % 2, (sum(b), 1) = any (select y.b, 1 from y where y.b is not null) from x group by rollup (a % 2) order by 1, 2;
select a from x group by a having max(b) < any (select y.b from y) order by 1;
select id, rank() over (order by a) > all (select y.a from y where y.a < 3) from x order by 1;
select id, (rank() over (order by a), id) in (select y.a, y.b from y) from x order by 1;
select id from x where a + 1 > all (select y.a from y where y.a < 3) order by 1;
select id from x where (a + 1, b + 10) in (select y.a, y.b from y) order by 1;
select id from x where (a + 1, b + 10) not in (select y.a, y.b from y) order by 1;
select id from x where (a, b) not in (select y.a, y.b from y where y.b is not null and y.a is not null) order by 1;
select id from x where a <> 1 and 100 / (a - 1) > all (select y.b from y where y.b < 40) order by 1;
select id, case when a <> 1 then 100 / (a - 1) > all (select y.b from y where y.b < 40) end from x order by 1;
select id, a <> 1 and (100 / (a - 1), 1) in (select y.b, 1 from y) from x order by 1;
select id, coalesce(a > all (select y.a from y), a + 1 < any (select y.b from y)) from x order by 1;
select id, nullif(a + 1 > all (select y.a from y where y.a < 3), true) from x order by 1;
select x.id, y.a from x left join y on x.a = y.a and x.a + 1 > all (select w.a from y w where w.a < 3) order by 1, 2;
select x.id, y.a from x full join y on x.a = y.a and (y.a + 1, 2) in (select w.a, 2 from y w) order by 1, 2;
-- Subqueries that run once: NULLs among the members, none at all, other types.
select id, (a, b) in (select y.a, y.b from y), (a, b) not in (select y.a, y.b from y), (a, b) in (select z.a, z.b from z), (a, b) not in (select z.a, z.b from z) from x order by 1;
select id, (b, a) in (select y.a, y.b from y), (a, n) in (select y.a, y.n from y), (a, t, f) in (select y.a, y.t, y.f from y) from x order by 1;
select id, a in (select y.b from y), b in (select y.a from y), a not in (select y.b from y where y.b is not null), a = any (select y.n from y) from x order by 1;
select id, a < any (select y.b from y), a <= any (select y.a from y), a > any (select y.a from y), a >= any (select y.n from y) from x order by 1;
select id, a < all (select y.b from y), a <= all (select y.a from y where y.a > 1), a > all (select y.a from y where y.a < 2), a >= all (select y.n from y where y.n < 3) from x order by 1;
select id, a < any (select z.a from z), a > all (select z.a from z), a <> any (select y.a from y), a = all (select z.a from z), a = all (select 1) from x order by 1;
select id, t < any (select y.t from y), t >= all (select y.t from y where y.t is not null), n < any (select y.b from y), f > any (select y.f from y) from x order by 1;
select id from x where (a, b) = any (select y.a, y.b from y) or a > all (select y.a from y where y.a < 3) order by 1;
select id from x where not (a > all (select y.a from y where y.a < 3)) order by 1;
select id from x where b > all (select y.b from y where y.a = x.a) order by 1;
select id from x where b <= any (select y.b from y where y.a >= x.a) and f order by 1;
select id from x where b > all (select y.b from y where y.a = x.a) or a + 1 < any (select y.a from y where y.f = x.f) order by 1;
prepare lq(int, int) as select id, a + $1 in (select y.b from y), (a, b + $2) in (select y.a, y.b from y), a > all (select y.a from y where y.a < $1) from x order by 1;
execute lq(1, 0);
execute lq(9, 10);
execute lq(null, 0);
execute lq(1, 0);
-- EXISTS computes nothing of what is selected.
select exists (select 1 / 0), exists (select distinct 1 / 0), exists (select 1 / 0 limit 1);
select id from x where exists (select distinct 1 / (y.a - y.a) from y where y.a = x.a) order by 1;
select id, exists (select distinct on (1 / (y.a - y.a)) y.a from y where y.a = x.a) from x order by 1;
select exists (select 1 / (a - a) from x group by a), exists (select 1 / (a - a) from x order by 1 / (a - a));
select exists (select distinct a from x offset 3), exists (select distinct a from x offset 4), exists (select a from x group by a offset 4), exists (select a from x offset 5);
select id from x where exists (select count(*) from y where y.a = x.a group by y.b having count(*) > 0) order by 1;
select id from x where exists (select count(*) from y where y.a = x.a) order by 1;
-- error: 42703
select exists (select distinct nosuch from y);
-- Rows without columns.
select from x except select from y;
select from x intersect select from y;
select from x intersect all select from y;
select from x except all select from z;
select exists (select from x intersect select from z), exists (select from x intersect select from y);
select id from x where exists (select from y where y.a = x.a except all select from z) order by 1;
select count(*) from (select from x union select from y) q;
select id from x where id = 1 or exists (select from y where y.a > 100) order by 1;
select id from x where id = 1 or exists (select from y where x.a = 3) order by 1;
select id from x where id = 1 or not exists (select from (select from y) q, (select from z) r) order by 1;
select count(*) from (select from x) q where exists (select from z) or exists (select from y);
-- Columns of the query around, right of an outer join.
select (select c from y right join (select x.a c) q on null limit 1) from x order by 1;
select (select count(c) from y full join (select x.a c) q on c = y.a) from x order by 1;
begin;
delete from x returning (select c from y right join (select x.a c) q on y.a = 100);
rollback;
begin;
insert into z values (1, 2) returning (select count(*) from x full join (select z.a c) q on c = x.a);
update z set a = 3 returning (select min(x.a) from x full join (select z.a c) q on c = x.a where c is not null);
rollback;
-- A subquery inside of one that runs row by row.
update x set (n, t) = (select max(y.n), min(y.t) from y join x w on x.b = x.b where w.b >= all (select v.n from y v where v.n is not null));
select * from x order by id;
delete from x where (a, b) in (select y.a, y.b from y) or b > all (select y.b from y where y.b < 40);
select id from x order by id;
drop table x, y, z;
