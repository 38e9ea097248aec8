CREATE TABLE t (id int PRIMARY KEY, k text UNIQUE, n int NOT NULL DEFAULT 0, note text);
INSERT INTO t VALUES (1, 'a', 1, 'first');
INSERT INTO t VALUES (1, 'x', 5, 'ignored') ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (1, 'x', 5, 'ignored') ON CONFLICT (id) DO NOTHING RETURNING *;
INSERT INTO t VALUES (2, 'a', 5, 'ignored') ON CONFLICT (k) DO NOTHING;
-- error: 23505
INSERT INTO t VALUES (2, 'a', 5, 'fails') ON CONFLICT (id) DO NOTHING;
INSERT INTO t VALUES (1, 'b', 10, 'up') ON CONFLICT (id) DO UPDATE SET n = t.n + EXCLUDED.n, note = EXCLUDED.note RETURNING *;
INSERT INTO t AS target VALUES (1, 'b', 10, 'up') ON CONFLICT (id) DO UPDATE SET n = target.n + 1 RETURNING target.n;
INSERT INTO t (id, k) VALUES (3, 'c'), (1, 'z'), (4, 'd') ON CONFLICT (id) DO UPDATE SET note = 'seen' RETURNING id, note;
INSERT INTO t VALUES (9, 'c', 1, NULL) ON CONFLICT (k) DO UPDATE SET id = EXCLUDED.id RETURNING id, k;
INSERT INTO t VALUES (1, 'q', 0, 'no') ON CONFLICT (id) DO UPDATE SET note = 'where' WHERE t.n > 1000 RETURNING *;
INSERT INTO t VALUES (1, 'q', 0, 'yes') ON CONFLICT ON CONSTRAINT t_pkey DO UPDATE SET note = EXCLUDED.note RETURNING note;
-- error: 42704
INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT nosuch DO NOTHING;
-- error: 42P10
INSERT INTO t VALUES (1, 'q', 0, '') ON CONFLICT (n) DO NOTHING;
-- error: 21000
INSERT INTO t VALUES (50, 'p', 0, ''), (50, 'p2', 0, '') ON CONFLICT (id) DO UPDATE SET n = 1;
INSERT INTO t VALUES (50, 'p', 0, ''), (50, 'p2', 0, '') ON CONFLICT (id) DO NOTHING;
-- error: 23505
INSERT INTO t VALUES (1, 'zz', 0, '') ON CONFLICT (id) DO UPDATE SET k = 'p';
-- error: 23502
INSERT INTO t VALUES (1, 'zz', 0, '') ON CONFLICT (id) DO UPDATE SET n = NULL;
-- error: 42601
INSERT INTO t VALUES (1, 'zz', 0, '') ON CONFLICT DO UPDATE SET n = 1;
SELECT * FROM t ORDER BY id;
CREATE TABLE counts (day date, kind text, n int, PRIMARY KEY (day, kind));
INSERT INTO counts VALUES ('2024-01-01', 'x', 1) ON CONFLICT (day, kind) DO UPDATE SET n = counts.n + 1;
INSERT INTO counts VALUES ('2024-01-01', 'x', 1) ON CONFLICT (kind, day) DO UPDATE SET n = counts.n + 1;
INSERT INTO counts SELECT '2024-01-01', k, 1 FROM unnest(ARRAY['x', 'y', 'z']) k ON CONFLICT (day, kind) DO UPDATE SET n = counts.n + EXCLUDED.n;
SELECT * FROM counts ORDER BY kind;
INSERT INTO counts VALUES ('2024-01-01', 'x', 1) ON CONFLICT (day, kind) DO UPDATE SET (n, kind) = (EXCLUDED.n * 100, 'renamed') RETURNING *;
INSERT INTO t (id, k) SELECT n, 'bulk' || n FROM generate_series(1, 5) n ON CONFLICT (id) DO UPDATE SET note = 'bulk ' || t.id;
SELECT id, note FROM t WHERE id <= 5 ORDER BY id;
CREATE TABLE log (k int, v text);
CREATE UNIQUE INDEX log_k ON log (k);
INSERT INTO log VALUES (1, 'a') ON CONFLICT (k) DO UPDATE SET v = 'b';
INSERT INTO log VALUES (1, 'a') ON CONFLICT (k) DO UPDATE SET v = 'b' RETURNING *;
INSERT INTO log VALUES (NULL, 'n') ON CONFLICT (k) DO NOTHING;
INSERT INTO log VALUES (NULL, 'n') ON CONFLICT (k) DO NOTHING;
SELECT count(*) FROM log;
INSERT INTO t (id, n) VALUES (1, 3) ON CONFLICT (id) DO UPDATE SET n = (SELECT max(n) + 1 FROM t) RETURNING n;
-- The arbiter is looked at before other unique indexes.
CREATE TABLE twice (id int PRIMARY KEY, u int UNIQUE, v text);
INSERT INTO twice VALUES (5, 1, 'a');
INSERT INTO twice VALUES (5, 1, 'b') ON CONFLICT (u) DO UPDATE SET v = excluded.v;
INSERT INTO twice VALUES (5, 1, 'c') ON CONFLICT ON CONSTRAINT twice_u_key DO NOTHING;
INSERT INTO twice VALUES (5, 1, 'd') ON CONFLICT (id) DO UPDATE SET v = twice.v || excluded.v;
-- error: 23505
INSERT INTO twice VALUES (5, 2, 'e') ON CONFLICT (u) DO NOTHING;
-- error: 23505
INSERT INTO twice VALUES (6, 1, 'f') ON CONFLICT (id) DO NOTHING;
INSERT INTO twice VALUES (5, 1, 'g') ON CONFLICT DO NOTHING;
SELECT * FROM twice;
CREATE UNIQUE INDEX ON twice (lower(v), id);
INSERT INTO twice VALUES (5, 9, 'BD') ON CONFLICT (lower(v), id) DO NOTHING;
DROP TABLE twice;
