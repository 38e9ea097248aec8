-- Statements of types_text that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42601
SELECT 'a' 'b';
SELECT 'one'
  'two' AS joined;
-- error: 22021
SELECT E'a\000b';
-- error: 22001
INSERT INTO texts (id, b) VALUES (3, 'abcd');
-- error: 22001
INSERT INTO texts (id, c) VALUES (3, 'abcde');
-- error: 22021
SELECT convert_from('\xff', 'UTF8');
