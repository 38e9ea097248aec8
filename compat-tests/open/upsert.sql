-- Statements of upsert that KalamDB doesn't answer as PostgreSQL does yet. Not run.
INSERT INTO t (id, n) VALUES (1, 3) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(n) + 1 FROM t) RETURNING n;
-- error: 42P10
INSERT INTO t VALUES (1, 'q', 0, '') ON CONFLICT (n) DO NOTHING;
