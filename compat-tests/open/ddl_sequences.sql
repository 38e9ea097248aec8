-- Statements of ddl_sequences that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 55000
SELECT currval('s');
-- error: 2200H
SELECT nextval('by_five');
-- error: 22003
SELECT setval('by_five', 1000);
-- error: 42P01
SELECT nextval('nosuch');
-- error: 42P01
SELECT nextval('t_id_seq');
