-- One-dimensional arrays of every type.
SELECT ARRAY[1,2,3], '{1,2,3}'::int[], ARRAY['a','b c','d"e', NULL, '', 'NULL'], '{a,"b c",NULL,"NULL"}'::text[], ARRAY[]::int[], '{}'::text[];
SELECT ARRAY[1.5, 2], ARRAY[true,false], ARRAY['2024-01-01'::date], ARRAY['2024-01-01 00:00'::timestamp], ARRAY['\x01'::bytea], ARRAY['{"a":1}'::jsonb], ARRAY['1 day'::interval], ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid];
-- error: 22P02
SELECT '{1,2'::int[];
-- error: 22P02
SELECT '{1,x}'::int[];
-- error: 42P18
SELECT ARRAY[];
SELECT (ARRAY[10,20,30])[2], (ARRAY[10,20,30])[4], (ARRAY[10,20,30])[0], (ARRAY[10,20,30])[2:3], (ARRAY[10,20,30])[:1];
SELECT ARRAY[1,2] || 3, 0 || ARRAY[1,2], ARRAY[1] || ARRAY[2,3], array_append(ARRAY[1], 2), array_prepend(0, ARRAY[1]), array_cat(ARRAY[1], ARRAY[2]);
SELECT array_length(ARRAY[1,2,3], 1), cardinality(ARRAY[1,2]), array_upper(ARRAY[1,2], 1), array_lower(ARRAY[1,2], 1), array_ndims(ARRAY[1,2]), array_dims(ARRAY[1,2]), array_length('{}'::int[], 1);
SELECT array_position(ARRAY['a','b'], 'b'), array_positions(ARRAY[1,2,1], 1), array_remove(ARRAY[1,2,1], 1), array_replace(ARRAY[1,2,1], 1, 9), array_fill(7, ARRAY[3]);
SELECT ARRAY[1,2] = ARRAY[1,2], ARRAY[1,2] < ARRAY[1,3], ARRAY[1,2,3] @> ARRAY[2], ARRAY[2] <@ ARRAY[1,2], ARRAY[1,2] && ARRAY[2,3], ARRAY[1,NULL] = ARRAY[1,NULL];
SELECT 1 = ANY(ARRAY[1,2]), 3 = ANY(ARRAY[1,2]), 1 = ALL(ARRAY[1,1]), 5 > ALL(ARRAY[1,2]), NULL = ANY(ARRAY[1]), 1 = ANY(ARRAY[2,NULL]), 1 = ANY('{1,2}'), 1 <> ALL(ARRAY[]::int[]);
SELECT unnest(ARRAY[3,1,2]);
SELECT * FROM unnest(ARRAY['a','b'], ARRAY[1,2,3]) AS t(x, y);
SELECT * FROM unnest(ARRAY['a','b']) WITH ORDINALITY AS t(x, n);
SELECT ARRAY(SELECT x FROM generate_series(1, 3) x ORDER BY x DESC);
CREATE TABLE bags (id int PRIMARY KEY, n int[], t text[] NOT NULL DEFAULT '{}', d numeric(5,2)[]);
INSERT INTO bags VALUES (1, '{1,2,3}', '{a,b}', '{1.5,2.255}'), (2, NULL, DEFAULT, NULL), (3, ARRAY[4,NULL], ARRAY['x'], '{}');
SELECT * FROM bags ORDER BY id;
SELECT id FROM bags WHERE 2 = ANY(n);
SELECT id FROM bags WHERE t && ARRAY['x','b'] ORDER BY id;
SELECT id, n[1], t[1], array_length(n, 1) FROM bags ORDER BY id;
UPDATE bags SET n = array_append(n, 9), t = t || 'z'::text WHERE id = 1 RETURNING n, t;
SELECT id, x FROM bags, unnest(n) AS x ORDER BY id, x;
SELECT t, count(*) FROM bags GROUP BY t ORDER BY t;
SELECT array_to_string(ARRAY[1,NULL,3], ','), array_to_string(ARRAY[1,NULL,3], ',', '-'), array_to_json(ARRAY[1,2]);
SELECT pg_typeof(ARRAY[1,2]), pg_typeof(ARRAY[1,2.5]), pg_typeof('{a}'::varchar(3)[]), pg_typeof(ARRAY['a']);
-- error: 42804
INSERT INTO bags (id, n) VALUES (4, ARRAY['a']);
SELECT '{1,2}'::int[]::text[], ARRAY[1,2]::text, ARRAY['1','2']::int[];
SELECT generate_subscripts(ARRAY['a','b','c'], 1);
SELECT string_agg(x, ',' ORDER BY x) FROM unnest(ARRAY['b','a']) x;
SELECT trim_array(ARRAY[1,2,3], 1), (SELECT sum(x) FROM unnest(ARRAY[1,2,3]) x);
SELECT array_agg(DISTINCT y), array_agg(x) FILTER (WHERE x > 1) FROM (VALUES (1,'a'),(2,'b'),(3,'a')) v(x,y);
SELECT ARRAY['int'::regtype, 'timestamp'::regtype, NULL]::text, ARRAY['pg_class'::regclass]::text;
SELECT array_position('{a}'::text[], 'a', -2147483648), array_position('{a,b,a}'::text[], 'a', 2), array_position('{a}'::text[], 'a', 2147483647);
-- error: 22004
SELECT array_fill(3, '{NULL}'::int4[]);
-- error: 54000
SELECT array_fill(3, '{-1}'::int4[]);
