-- Statements of ddl_tables that KalamDB doesn't answer as PostgreSQL does yet. Not run.
INSERT INTO identities (id, x) OVERRIDING SYSTEM VALUE VALUES (50, 'c') RETURNING id;
CREATE TEMP TABLE scratch (x int);
INSERT INTO scratch VALUES (1);
SELECT * FROM scratch;
DROP TABLE scratch;
-- error: 42704
CREATE TABLE b (id nosuchtype);
