-- Statements of copy that KalamDB doesn't answer as PostgreSQL does yet. Not run.
-- error: 23505
COPY t (id) FROM STDIN;
30
1
\.
