-- json keeps its text, jsonb its normal form.
SELECT '{"b": 1,  "a": [1, 2 ,3], "a": null}'::json, '{"b": 1,  "a": [1, 2 ,3], "a": null}'::jsonb;
SELECT '{"bb":1,"a":2,"c":{"z":true,"y":false}}'::jsonb, '1.500'::jsonb, '1e2'::jsonb, '"\u00e9\n"'::jsonb, ' [ ] '::jsonb, ' { } '::json;
-- error: 22P02
SELECT '{"a":}'::json;
-- error: 22P02
SELECT '{a:1}'::jsonb;
-- error: 22P02
SELECT ''::jsonb;
-- error: 22P05
SELECT '"\u0000"'::jsonb;
SELECT '{"a":{"b":[10,20]}}'::jsonb -> 'a', '{"a":{"b":[10,20]}}'::jsonb -> 'a' -> 'b' -> 1, '{"a":"x"}'::jsonb ->> 'a', '[1,2]'::jsonb -> -1, '{"a":1}'::jsonb -> 'zz';
SELECT '{"a":{"b":[10,20]}}'::jsonb #> '{a,b,0}', '{"a":{"b":[10,20]}}'::jsonb #>> '{a,b}', '{"a":{"b":1}}'::json #>> '{a,b}';
SELECT '{"a":1,"b":2}'::jsonb @> '{"a":1}', '[1,[2]]'::jsonb @> '[[2]]', '{"a":1}'::jsonb <@ '{"a":1,"b":2}'::jsonb, '{"a":1}'::jsonb ? 'a', '["x"]'::jsonb ? 'x', '{"a":1,"b":2}'::jsonb ?| ARRAY['c','b'], '{"a":1}'::jsonb ?& ARRAY['a','b'];
SELECT '{"a":1}'::jsonb || '{"b":2}', '[1]'::jsonb || '2', '{"a":1,"b":2}'::jsonb - 'a', '[1,2,3]'::jsonb - 1, '{"a":{"b":1,"c":2}}'::jsonb #- '{a,b}', '{"a":1,"b":2}'::jsonb - ARRAY['a','b'];
SELECT '{"a":1}'::jsonb = '{"a":1.0}'::jsonb, '[1,2]'::jsonb < '[1,3]'::jsonb, '{"a":1}'::jsonb <> '{"a":2}'::jsonb, 'null'::jsonb IS NULL;
SELECT jsonb_build_object('a', 1, 'b', 'x', 'c', NULL), jsonb_build_array(1, 'a', NULL, true), json_build_object('a', 1, 'b', now() IS NULL), to_jsonb('x'::text), to_json(ARRAY[1,2]), to_jsonb(1.50);
SELECT jsonb_set('{"a":{"b":1}}', '{a,b}', '2'), jsonb_set('{"a":1}', '{b}', '2'), jsonb_set('{"a":1}', '{b}', '2', false), jsonb_insert('[1,3]', '{1}', '2'), jsonb_strip_nulls('{"a":null,"b":1}');
SELECT jsonb_typeof('1'), jsonb_typeof('"x"'), jsonb_typeof('null'), jsonb_typeof('{}'), json_typeof('[]'), jsonb_array_length('[1,2,3]'), jsonb_pretty('{"a":[1,2]}');
-- error: 22023
SELECT jsonb_array_length('{}');
SELECT * FROM jsonb_each('{"a":1,"b":"x"}');
SELECT * FROM jsonb_each_text('{"a":1,"b":"x","c":null}');
SELECT * FROM jsonb_array_elements('[1,"a",null]');
SELECT * FROM jsonb_array_elements_text('[1,"a",null]') AS t(v);
SELECT jsonb_object_keys('{"b":1,"a":2}');
SELECT jsonb_agg(x), json_agg(x), jsonb_object_agg(x::text, x) FROM (VALUES (1), (2)) v(x);
SELECT row_to_json(v), to_jsonb(v) FROM (VALUES (1, 'a')) v(x, y);
SELECT ('{"a":5}'::jsonb -> 'a')::int, ('{"a":5.5}'::jsonb -> 'a')::numeric, ('true'::jsonb)::bool, '{"a":1}'::jsonb::text, '{"a": 1}'::json::jsonb;
-- error: 22023
SELECT ('"x"'::jsonb)::int;
CREATE TABLE documents (id int PRIMARY KEY, doc jsonb NOT NULL DEFAULT '{}', raw json);
INSERT INTO documents VALUES (1, '{"name":"ann","tags":["x","y"],"n":1}', '{"k" : 1}'), (2, '{"name":"bob","tags":[],"n":10}', NULL), (3, DEFAULT, 'null');
SELECT * FROM documents ORDER BY id;
SELECT id FROM documents WHERE doc @> '{"tags":["x"]}';
SELECT id, doc ->> 'name' AS name FROM documents WHERE doc ? 'name' ORDER BY (doc ->> 'n')::int DESC;
UPDATE documents SET doc = doc || '{"seen":true}' WHERE doc ->> 'name' = 'ann' RETURNING doc;
UPDATE documents SET doc = jsonb_set(doc, '{n}', to_jsonb((doc ->> 'n')::int + 1)) WHERE id = 2 RETURNING doc -> 'n';
SELECT d.id, t.tag FROM documents d, jsonb_array_elements_text(d.doc -> 'tags') AS t(tag) ORDER BY 1, 2;
SELECT doc, count(*) FROM documents GROUP BY doc ORDER BY doc;
SELECT DISTINCT jsonb_typeof(doc -> 'n') FROM documents ORDER BY 1;
SELECT jsonb_path_query('{"a":[1,2,3]}', '$.a[*] ? (@ > 1)');
SELECT jsonb_path_exists('{"a":[1,2,3]}', '$.a[*] ? (@ > 5)');
-- error: 42883
SELECT '{"a":1}'::json = '{"a":1}'::json;
