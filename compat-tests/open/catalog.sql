-- Statements of catalog that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT pg_is_in_recovery(), pg_client_encoding(), txid_current() > 0, inet_server_port() > 0;
SELECT extname FROM pg_extension ORDER BY 1;
