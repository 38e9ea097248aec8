-- Many rows of VALUES at once: literals, parameters, defaults, what fails among them.
create table m (id bigserial primary key, room int, body text, n numeric(6,2), f float8, ok bool, at timestamptz default '2024-01-01', u uuid, s smallint, v varchar(3), j jsonb, a int[]);
insert into m (room, body, n, f, ok, s, v, j, a) values (1,'x',1.5,2,true,3,'abc','{"a":1}','{1,2}'), (-2,'it''s',3,2.5,false,-4,'d',null,null), (null,null,null,null,null,null,null,'[]','{}');
-- error: 22003
insert into m (room, body) values (1, 'a'), (3000000000, 'b');
insert into m (room, body) values (1, 'a'), (2.6, 'b') returning id, room;
-- error: 22001
insert into m (room, v) values (1, 'a'), (2, 'abcd');
insert into m (room, v) values (1, 'a'), (2, 'abc   ') returning v || '.';
-- error: 42804
insert into m (room, ok) values (1, 1), (2, 0);
insert into m (room, ok) values (1, 't'), (2, 'no') returning ok;
-- error: 22P02
insert into m (room, ok) values ('1', 't'), ('x', 'no') returning ok;
-- error: 22P02
insert into m (room, u) values (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (2, 'zz');
-- error: 23505
insert into m (id, room) values (1, 1), (2, 2);
insert into m (id, room) values (1, 1), (2, 2) on conflict (id) do update set room = excluded.room + m.room;
-- error: 21000
insert into m (id, room) values (1, 1), (1, 2) on conflict (id) do update set room = excluded.room;
insert into m (id, room) values (1, 1), (99, 2) on conflict do nothing returning id;
insert into m values (100, 1, 'q'), (101, 2, 'r');
-- error: 42601
insert into m values (100, 1), (101);
-- error: 42601
insert into m (room) values (1, 2), (3, 4);
-- error: 42703
insert into m (nope) values (1), (2);
-- error: 42P01
insert into nope (a) values (1), (2);
insert into m (room, body) values (1, 5), (2, 6) returning body;
insert into m (room, body) values (1, 5), (2, 6.50) returning body;
insert into m (room, body) values (1, true), (2, false) returning body;
insert into m (f, s) values (1e3, 1e2), (-0.5, 2) returning f, s;
-- error: 22003
insert into m (s) values (32767), (32768);
insert into m (s) values (-32768), (1) returning s;
insert into m (room) values (-2147483648), (2147483647) returning room;
insert into m (room) values (NULL), (NULL) returning room;
-- error: 22008
insert into m (at) values ('now'), ('2020-02-30');
insert into m (at, room) values ('2020-02-28 10:00+02', 1), ('infinity', 2) returning at, room;
insert into m as x (room) values (7), (8) returning x.room, x.id > 0;
create table g (a int, b int generated always as (a * 2) stored, c int default 7 check (c > 0), d text not null default 'z');
insert into g (a) values (1), (2), (3) returning *;
-- error: 23514
insert into g (a, c) values (1, 1), (2, -1);
-- error: 23502
insert into g (a, d) values (1, 'x'), (2, null);
-- error: 428C9
insert into g (a, b) values (1, 2), (2, 4);
insert into g (a, c) values (1, default), (2, 5) returning *;
insert into g (a, c) values (1, 4), (2, 5 + 1) returning *;
create sequence sq;
create table two (x int default nextval('sq'), y int default nextval('sq'), z int);
insert into two (z) values (1), (2), (3) returning *;
insert into two (z, y) values (1, 5), (2, 6) returning *;
create table idt (i int generated always as identity, k int unique);
-- error: 23505
insert into idt (k) values (1), (2), (2);
insert into idt (k) values (1), (2) returning *;
-- error: 428C9
insert into idt (i, k) values (5, 5), (6, 6);
insert into idt (i, k) overriding system value values (5, 5), (6, 6) returning *;
select * from m order by id;
select * from g order by 1, 3; select * from two order by z, x; select * from idt order by 1;
prepare p(int, text, int, text) as insert into m (room, body) values ($1, $2), ($3, $4), ($1 + 1, upper($2)) returning room, body;
execute p(1,'a',2,'b'); execute p(3,'c',null,null);
set timezone = 'Asia/Tokyo';
insert into m (at, room) values ('2020-02-28 10:00', 1), ('2021-02-28', 2) returning at, room;
set datestyle = 'SQL, DMY';
insert into m (at, room) values ('03/02/2020 10:00', 1), ('04/05/2021', 2) returning at, room;
