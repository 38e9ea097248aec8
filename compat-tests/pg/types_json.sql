-- json keeps its text, jsonb its normal form.
SELECT '{"b": 1,  "a": [1, 2 ,3], "a": null}'::json, '{"b": 1,  "a": [1, 2 ,3], "a": null}'::jsonb;
SELECT '{"bb":1,"a":2,"c":{"z":true,"y":false}}'::jsonb, '1.500'::jsonb, '1e2'::jsonb, '"\u00e9\n"'::jsonb, ' [ ] '::jsonb, ' { } '::json;
-- error: 22P02
SELECT '{"a":}'::json;
-- error: 22P02
SELECT '{a:1}'::jsonb;
-- error: 22P02
SELECT ''::jsonb;
SELECT '{"a":{"b":[10,20]}}'::jsonb -> 'a', '{"a":{"b":[10,20]}}'::jsonb -> 'a' -> 'b' -> 1, '{"a":"x"}'::jsonb ->> 'a', '[1,2]'::jsonb -> -1, '{"a":1}'::jsonb -> 'zz';
SELECT '{"a":{"b":[10,20]}}'::jsonb #> '{a,b,0}', '{"a":{"b":[10,20]}}'::jsonb #>> '{a,b}', '{"a":{"b":1}}'::json #>> '{a,b}';
SELECT '{"a":1,"b":2}'::jsonb @> '{"a":1}', '[1,[2]]'::jsonb @> '[[2]]', '{"a":1}'::jsonb <@ '{"a":1,"b":2}'::jsonb, '{"a":1}'::jsonb ? 'a', '["x"]'::jsonb ? 'x', '{"a":1,"b":2}'::jsonb ?| ARRAY['c','b'], '{"a":1}'::jsonb ?& ARRAY['a','b'];
SELECT '{"a":1}'::jsonb || '{"b":2}', '[1]'::jsonb || '2', '{"a":1,"b":2}'::jsonb - 'a', '[1,2,3]'::jsonb - 1, '{"a":{"b":1,"c":2}}'::jsonb #- '{a,b}', '{"a":1,"b":2}'::jsonb - ARRAY['a','b'];
SELECT '{"a":1}'::jsonb = '{"a":1.0}'::jsonb, '[1,2]'::jsonb < '[1,3]'::jsonb, '{"a":1}'::jsonb <> '{"a":2}'::jsonb, 'null'::jsonb IS NULL;
SELECT jsonb_build_object('a', 1, 'b', 'x', 'c', NULL), jsonb_build_array(1, 'a', NULL, true), json_build_object('a', 1, 'b', now() IS NULL), to_jsonb('x'::text), to_json(ARRAY[1,2]), to_jsonb(1.50);
-- error: 22023
SELECT jsonb_build_object('a');
-- error: 22P05
SELECT '"\u0000"'::jsonb;
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
SELECT '$.a[*] ? (@ > 1)'::jsonpath, 'strict $.a + 1'::jsonpath, '$.**{2 to last}.b'::jsonpath, '$[0, 1 to last]'::jsonpath;
SELECT '-$.a'::jsonpath, '$ ? (@.a like_regex "^x" flag "i")'::jsonpath, '$x.y'::jsonpath, '(1 + 2) * 3'::jsonpath;
-- error: 42601
SELECT '$.'::jsonpath;
-- error: 42601
SELECT '@'::jsonpath;
-- error: 42601
SELECT '$ ? (1)'::jsonpath;
-- error: 22P02
SELECT ''::jsonpath;
SELECT * FROM jsonb_path_query('{"a":[1,2,3],"b":{"c":4}}', '$.a[*]') AS q(x);
SELECT jsonb_path_query_array('{"a":[1,2,3]}', '$.a[*] ? (@ >= $min && @ <= $max)', '{"min":2,"max":3}');
SELECT jsonb_path_query_array('[{"n":1,"s":"abc"},{"n":2,"s":"xbc"}]', '$[*] ? (@.s starts with "a").n'), jsonb_path_query_array('[{"n":1,"s":"abc"},{"n":2,"s":"xbc"}]', '$[*] ? (@.s like_regex "^X" flag "i").n');
SELECT jsonb_path_query_array('{"a":{"b":[1,{"c":2}]}}', '$.**'), jsonb_path_query_array('{"a":{"b":[1,{"c":2}]}}', '$.**{last}');
SELECT jsonb_path_query_array('[1,-2.5,"3.5"]', '$[0 to 1].abs()'), jsonb_path_query_array('[1,-2.5,"3.5"]', '$[*].double()'), jsonb_path_query_array('[1,-2.5,"3.5",null,true,[],{}]', '$[*].type()');
SELECT jsonb_path_query_array('[1.7,-1.7]', '$[*].floor()'), jsonb_path_query_array('[1.7,-1.7]', '$[*].ceiling()'), jsonb_path_query_array('[[1,2],3]', '$.size()'), jsonb_path_query_array('[[1,2],3]', '$[*].size()');
SELECT jsonb_path_query('{"a":1,"b":{"x":[1,2],"yy":"z"}}', '$.keyvalue()');
SELECT jsonb_path_query('{"a":1,"b":{"x":[1,2],"yy":"z"}}', '$.b.keyvalue()');
SELECT jsonb_path_query_array('[10,20,30]', '$[last]'), jsonb_path_query_array('[10,20,30]', '$[last - 1 to last]'), jsonb_path_query_array('[10,20,30]', '$[1.9]'), jsonb_path_query_array('[10,20,30]', '$[5]');
SELECT jsonb_path_query_array('[1,2]', '$[0] + $[1] * 10'), jsonb_path_query_array('[1,2]', '-$[*]'), jsonb_path_query_array('[7]', '$[0] % 4');
-- error: 22012
SELECT jsonb_path_query_array('[1]', '$[0] / 0');
-- error: 22038
SELECT jsonb_path_query_array('[1,2]', '$[*] + 1');
-- error: 2203A
SELECT jsonb_path_query_array('{"a":1}', 'strict $.b');
-- error: 2203A
SELECT jsonb_path_query_array('[{"a":1}]', 'strict $.a');
-- error: 22033
SELECT jsonb_path_query_array('[1]', 'strict $[3]');
-- error: 42704
SELECT jsonb_path_query_array('[1]', '$x');
-- error: 22023
SELECT jsonb_path_query_array('[1]', '$', '[]');
SELECT jsonb_path_query('{"a":1}', 'strict $.b', '{}', true);
SELECT jsonb_path_exists('{"a":1}', 'strict $.b', silent => true), jsonb_path_exists('{"a":1}', '$.a ? (@ == 1)'), jsonb_path_exists('{"a":[]}', '$.a[*]');
SELECT jsonb_path_match('{"a":1}', '$.a == 1'), jsonb_path_match('{"a":1}', '$.a == "x"'), jsonb_path_match('{"a":1}', 'exists($.b)');
-- error: 22038
SELECT jsonb_path_match('{"a":1}', '$.a');
SELECT '{"a":[1,2]}'::jsonb @? '$.a[*] ? (@ > 1)', '{"a":[1,2]}'::jsonb @@ '$.a[*] > 1', '{"a":1}'::jsonb @@ '$.a', '{"a":1}'::jsonb @? 'strict $.b';
SELECT jsonb_path_query_first('[1,2]', '$[*] ? (@ > 5)') IS NULL, jsonb_path_query_array('[1,"a",null]', '$[*] ? ((@ > 0) is unknown)'), jsonb_path_query_array('[1,"a",null]', '$[*] ? (@ == null)');
SELECT j, jsonb_path_query_array(j, '$.x.y[*]') FROM (VALUES ('{"x":{"y":[1,2]}}'::jsonb), ('{"x":[{"y":3}]}'), (NULL)) v(j);
SELECT '{"a": [1,  2], "b" : {"c":1.0}}'::json -> 'a', '{"a": [1,  2], "b" : {"c":1.0}}'::json -> 'b' ->> 'c', '[1e2, {"k" : 1}]'::json -> 1, '{"a":1,"a":2}'::json -> 'a', '{"a":1,"a":2}'::json #> '{a}';
SELECT * FROM json_each('{"a": [1,  2], "b" : {"c":1.0}}');
SELECT * FROM jsonb_to_recordset('[{"a":1,"b":["x","y z"],"c":{"k":1},"d":"2024-05-06"},{"a":null}]') AS t(a int, b text[], c jsonb, d date, e bool);
SELECT * FROM json_to_record('{"a":"12","b":1.50,"c":[1, 2]}') AS t(a int, b text, c json), jsonb_to_record('{"v":"toolong"}') AS u(v varchar(20));
-- error: 22P02
SELECT * FROM jsonb_to_record('{"a":"x"}') AS t(a int);
-- error: 22023
SELECT * FROM jsonb_to_record('[1]') AS t(a int);
-- error: 42601
SELECT * FROM jsonb_to_record('{}');
-- error: 42601
SELECT * FROM generate_series(1, 2) AS t(a int);
SELECT v.id, r.* FROM (VALUES (1, '{"a":5}'::jsonb), (2, '{"b":"x"}')) v(id, j), jsonb_to_record(v.j) AS r(a int, b text);
SELECT jsonb_set_lax('{"a":1}', '{a}', NULL), jsonb_set_lax('{"a":1}', '{a}', NULL, true, 'delete_key'), jsonb_set_lax('{"a":1}', '{a}', NULL, true, 'return_target'), json_object('{a,b}', '{1,NULL}'), jsonb_object('{b,a}', '{1,2}');
SELECT jsonb '{}' || '"a"', jsonb 'null' || '{}', jsonb '1' || '2', jsonb '[]' || '{}', jsonb '{"a":1}' || '[1]';
SELECT jsonb '"a"' -> 0, jsonb '"a"' ->> 0, jsonb '1.50' -> -1, jsonb '1' -> 1, json '"a"' -> 0, jsonb '{"a":1}' -> 0;
SELECT jsonb '[]' #- '{a}', jsonb_set('[]', '{a}', '1', false), jsonb_set('[]', '{0}', '1'), jsonb '[1]' -> -2147483648;
-- error: 22P02
SELECT jsonb_insert('[]', '{a}', '1');
-- error: 2202E
SELECT json_object('{a}'::text[], '{}'::text[]);
-- error: 2202E
SELECT json_object('{a,b}'::text[], '{1}'::text[]);
SELECT json_agg(w), jsonb_agg(w), json_agg(w.a), json_agg(ARRAY[w.a]), json_agg(w.*) FROM (VALUES (1, 'a'), (2, 'b')) w(a, b);
SELECT json_agg(ROW(a, b)), jsonb_agg((a, b)), json_agg(v ORDER BY a DESC) FROM (VALUES (1, 2), (2, 3)) v(a, b);
SELECT json_agg(v) OVER (ORDER BY a) FROM (VALUES (1, 2), (2, 3)) v(a, b);
SELECT row_to_json(ROW(1, 'a')), row_to_json((1, 2)), to_json(ROW(1, 2)), to_jsonb(ROW(1, 'x')), row_to_json(ROW(1, NULL), true);
SELECT row_to_json(ROW(v.*)), row_to_json(ROW(v.*, 1)), row_to_json(v, false), row_to_json(v, true) FROM (VALUES (1, NULL::text)) v(a, b);
SELECT array_to_json('{1,NULL}'::int[], true), array_to_json('{}'::int[], true), array_to_json('{a}'::text[], false), array_to_json(NULL::int[], true);
