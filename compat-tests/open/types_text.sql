-- Statements of types_text that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 22021
SELECT convert_from('\xff', 'UTF8');
-- error: 22P05
SELECT convert_to('€', 'LATIN1');
-- error: 22001
INSERT INTO texts (id, b) VALUES (3, 'abcd');
-- error: 22001
INSERT INTO texts (id, c) VALUES (3, 'abcde');
