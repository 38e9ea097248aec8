-- Subqueries in RETURNING see what was there before the statement.
create table r(id int primary key, v int, t text default 'x'); create table o(id int, r int);
insert into o values (1,1),(2,1),(3,2);
insert into r values (1,10),(2,20),(3,30) returning id, (select count(*) from o where o.r = r.id);
insert into r values (4,40) returning (select 1), *, (select count(*) from r);
update r set v = v + 1 where id < 3 returning id, v, (select sum(v) from r), exists (select 1 from o where o.r = r.id and r.v > 15), v in (select 11);
update r set v = v + 1 from o where o.r = r.id and o.id <> 2 returning r.id, o.id as oid, (select max(x.id) from o x where x.r = o.r), r.*;
delete from r where id = 4 returning *, (select count(*) from r);
insert into r values (1,1) on conflict (id) do update set v = excluded.v returning id, (select t from r x where x.id = r.id);
insert into r values (1,1) on conflict do nothing returning (select 1);
with x as (update r set v = 0 returning id, (select count(*) from o where o.r = r.id) as n) select * from x order by id;
with x as (delete from o where id = 3 returning id) update r set v = 5 where id = 1 returning id, (select count(*) from x), (select count(*) from o);
prepare p as update r set v = v + $1 where id = $2 returning id, v, (select count(*) + $3 from o);
execute p(1,1,2);
execute p(1,2,2);
execute p(1,3,5);
execute p(1,99,1);
update r as z set v = 1 where id = 1 returning (select z.v + 1), (select array_agg(o.id order by o.id) from o where o.r = z.id);
-- error: 22012
insert into r (id) values (7) returning (select 1/0);
select count(*) from r;
-- error: 21000
update r set v = 2 returning (select r.id from o);
-- error: 42703
update r set v = v where id = 1 returning nosuch, (select 1);
-- error: 42703
update r set v = v where id = 1 returning (select r.nosuch);
drop table r, o;
