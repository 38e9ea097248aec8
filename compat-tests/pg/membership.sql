-- Rows IN a subquery, and NOT around conditions.
create table a(x int, y int, t text);
insert into a values (1,1,'a'),(2,null,'b'),(null,3,'c'),(4,4,null);
create table b(p int, q int8);
insert into b values (1,1),(2,5),(null,3),(4,4);
select * from a where (x,y) in (select p,q from b) order by 1;
select * from a where (x,y) not in (select p,q from b) order by 1;
select * from a where not (x,y) in (select p,q from b) order by 1;
select * from a where not ((x,y) in (select p,q from b) or t = 'z') order by 1;
select * from a where (x,y) in (select p,q from b) or t = 'b' order by 1;
select * from a where (x,y) in (select p,q from b where b.p = a.x) order by 1;
-- error: 42601
select * from a where (x,y) in (select 1) order by 1;
select (x,y) in (select p,q from b) from a order by x;
select * from a where not exists (select 1 from b where p = x) and not (exists (select 1 from b where q = y) or x is null) order by 1;
select * from a where not (exists (select 1 from b where p = x)) order by 1;
select * from a where not not exists (select 1 from b where p = x) order by 1;
select * from a where not x in (select p from b where p is not null) order by 1;
select * from a where not (x in (select p from b where p is not null)) order by 1;
select * from a where not (x = 1 and t = 'a') order by 1;
-- error: 42804
select * from a where not 1 order by 1;
drop table a,b;
