-- Statements of types_json that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 22P05
SELECT '"\u0000"'::jsonb;
SELECT jsonb_path_query('{"a":[1,2,3]}', '$.a[*] ? (@ > 1)');
SELECT jsonb_path_exists('{"a":[1,2,3]}', '$.a[*] ? (@ > 5)');
-- error: 22023
SELECT jsonb_build_object('a');
