-- Statements of errors that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 42P17
CREATE TABLE x (id int) INHERITS (t) PARTITION BY LIST (id);
-- error: 42883
DROP FUNCTION nosuch();
