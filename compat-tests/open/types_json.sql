-- Statements of types_json that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 22023
SELECT jsonb_build_object('a');
-- error: 22P05
SELECT '"\u0000"'::jsonb;
