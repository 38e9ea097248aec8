-- Statements of types_text that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42601
SELECT 'a' 'b';
SELECT 'one'
  'two' AS joined;
-- error: 22021
SELECT E'a\000b';
