-- Statements of update_delete that KalamDB doesn't answer as PostgreSQL does yet. Not run.
WITH gone AS (DELETE FROM u WHERE v > 50 RETURNING *) SELECT count(*), sum(v) FROM gone;
WITH changed AS (UPDATE t SET a = 1000 WHERE id = 3 RETURNING id, a) SELECT changed.a, t.a FROM changed JOIN t USING (id);
WITH moved AS (DELETE FROM t WHERE id = 3 RETURNING id, a) INSERT INTO u (id, v) SELECT id + 100, a FROM moved RETURNING *;
