-- Statements of types_numbers that KalamDB doesn't answer as PostgreSQL does yet. Not run.
SELECT gcd(12, 18), lcm(4, 6), exp(1.0), ln(2.0), log(100.0), cbrt(27), degrees(pi()), radians(180);
-- error: 22003
INSERT INTO numbers (id, a) VALUES (5, 40000);
-- error: 22003
INSERT INTO numbers (id, f) VALUES (5, 123456.7);
