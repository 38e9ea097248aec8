-- Statements of insert that KalamDB doesn't answer as PostgreSQL does yet. Not run.
WITH ins AS (INSERT INTO t (id) VALUES (41), (42) RETURNING id) SELECT sum(id), count(*) FROM ins;
INSERT INTO nopk TABLE nopk;
-- error: 22003
INSERT INTO t (id) VALUES (99999999999);
-- error: 42P10
INSERT INTO nopk VALUES (1, 'x') ON CONFLICT (a) DO NOTHING;
