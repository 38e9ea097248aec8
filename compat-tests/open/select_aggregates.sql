-- Statements of select_aggregates that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f), percentile_disc(0.5) WITHIN GROUP (ORDER BY n), mode() WITHIN GROUP (ORDER BY g) FROM t;
