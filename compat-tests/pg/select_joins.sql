CREATE TABLE users (id int PRIMARY KEY, name text, boss int);
CREATE TABLE orders (id int PRIMARY KEY, user_id int, total numeric(8,2));
CREATE TABLE items (order_id int, n int, sku text, PRIMARY KEY (order_id, n));
INSERT INTO users VALUES (1, 'ann', NULL), (2, 'bob', 1), (3, 'cid', 1), (4, 'dee', 3);
INSERT INTO orders VALUES (10, 1, 5), (11, 1, 7.5), (12, 2, 1), (13, NULL, 3);
INSERT INTO items VALUES (10, 1, 'a'), (10, 2, 'b'), (11, 1, 'a'), (12, 1, 'c');
SELECT u.name, o.id FROM users u JOIN orders o ON o.user_id = u.id ORDER BY 2;
SELECT u.name, o.id FROM users u LEFT JOIN orders o ON o.user_id = u.id ORDER BY 1, 2;
SELECT u.name, o.id FROM users u RIGHT JOIN orders o ON o.user_id = u.id ORDER BY 2;
SELECT u.name, o.id FROM users u FULL JOIN orders o ON o.user_id = u.id ORDER BY 2, 1;
SELECT count(*) FROM users CROSS JOIN orders;
SELECT count(*) FROM users, orders;
SELECT u.name, b.name AS boss FROM users u LEFT JOIN users b ON b.id = u.boss ORDER BY u.id;
SELECT * FROM orders o JOIN items i ON i.order_id = o.id ORDER BY o.id, i.n;
SELECT * FROM (SELECT id AS order_id, total FROM orders) o JOIN items USING (order_id) ORDER BY order_id, n;
SELECT * FROM (SELECT id AS order_id, total FROM orders) o NATURAL JOIN items ORDER BY order_id, n;
SELECT * FROM (SELECT 1 AS x) a FULL JOIN (SELECT 2 AS x) b USING (x) ORDER BY x;
SELECT u.name, sum(o.total) FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.name ORDER BY 1;
SELECT u.name, count(o.id) FROM users u LEFT JOIN orders o ON o.user_id = u.id AND o.total > 2 GROUP BY u.id, u.name ORDER BY 1;
SELECT u.name, o.total FROM users u LEFT JOIN orders o ON o.user_id = u.id WHERE o.id IS NULL ORDER BY 1;
SELECT u.name, i.sku FROM users u JOIN orders o ON o.user_id = u.id JOIN items i ON i.order_id = o.id WHERE i.sku = 'a' ORDER BY 1, o.id;
SELECT u.name, last.id FROM users u LEFT JOIN LATERAL (SELECT id FROM orders o WHERE o.user_id = u.id ORDER BY id DESC LIMIT 1) last ON true ORDER BY 1;
SELECT u.name, s.n FROM users u, LATERAL (SELECT count(*) AS n FROM orders o WHERE o.user_id = u.id) s ORDER BY 1;
SELECT u.id, g FROM users u CROSS JOIN LATERAL generate_series(1, u.id) g WHERE u.id < 3 ORDER BY 1, 2;
SELECT a.id, b.id FROM users a JOIN users b ON a.id < b.id AND a.boss IS NOT DISTINCT FROM b.boss ORDER BY 1, 2;
SELECT u.*, o.* FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 2;
-- error: 42702
SELECT id FROM users JOIN orders ON user_id = users.id;
-- error: 42712
SELECT 1 FROM users JOIN users ON true;
-- error: 42P01
SELECT 1 FROM users u JOIN orders o ON users.id = o.user_id;
-- error: 42703
SELECT 1 FROM users JOIN orders USING (name);
-- error: 42804
SELECT 1 FROM users JOIN orders ON users.id;
SELECT name FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.total > 6);
SELECT x.a, y.b FROM (VALUES (1), (NULL)) x(a) LEFT JOIN (VALUES (1), (NULL)) y(b) ON x.a = y.b ORDER BY 1, 2;
SELECT a.n FROM generate_series(1, 5) a(n) JOIN generate_series(3, 8) b(n) ON a.n = b.n ORDER BY 1;
SELECT o.id, u.name FROM orders o JOIN (users u JOIN users b ON u.boss = b.id) ON o.user_id = u.id;
SELECT u.name FROM users u WHERE u.id = (SELECT user_id FROM orders WHERE id = 12);
-- error: 42P01
SELECT 1 FROM (VALUES (1)) a1(x), (VALUES (1)) b1(y) JOIN (VALUES (1)) c1(z) ON a1.x = c1.z;
-- error: 42703
SELECT 1 FROM (VALUES (1)) a1(x), (VALUES (1)) b1(y) JOIN (VALUES (1)) c1(z) ON x = c1.z;
-- Keys that are equal where they are NULL, beside other joins.
CREATE TABLE nk (a int, b int);
INSERT INTO nk VALUES (1, 1), (2, NULL), (NULL, 3), (NULL, NULL);
SELECT count(*) FROM nk x JOIN nk y ON x.b IS NOT DISTINCT FROM y.b CROSS JOIN (SELECT 4 k) z;
SELECT count(*) FROM nk x JOIN nk y ON x.b IS NOT DISTINCT FROM y.b, nk z WHERE z.a = 1;
SELECT count(*) FROM nk x JOIN nk y ON x.b = y.b JOIN nk z ON z.a IS NOT DISTINCT FROM x.a JOIN nk w ON w.a > 1;
SELECT count(*) FROM nk x JOIN nk y ON x.b IS NOT DISTINCT FROM y.b JOIN nk z ON z.a IS NOT DISTINCT FROM x.a JOIN nk w ON true;
SELECT count(*) FROM nk x, nk y, nk z WHERE x.b IS NOT DISTINCT FROM y.b AND y.a = z.a;
SELECT count(*) FROM nk x JOIN nk y ON x.b IS NOT DISTINCT FROM y.b AND x.a = y.a JOIN nk w ON w.a > 1;
SELECT x.a, (SELECT count(*) FROM nk y JOIN nk z ON y.b IS NOT DISTINCT FROM z.b, nk w WHERE w.a = x.a) FROM nk x ORDER BY 1, 2;
DROP TABLE nk;
CREATE TABLE nulls_a (t text);
CREATE TABLE nulls_b (t text);
INSERT INTO nulls_a VALUES ('x'), (NULL), (NULL);
INSERT INTO nulls_b VALUES ('x'), ('y'), (NULL);
-- Joins of one query that take NULLs for equal and for unknown.
SELECT count(*) FROM nulls_a a JOIN nulls_b b ON a.t IS NOT DISTINCT FROM b.t, nulls_b c;
SELECT count(*) FROM nulls_a a LEFT JOIN nulls_b b ON a.t = b.t JOIN nulls_b c ON b.t IS NOT DISTINCT FROM c.t, nulls_a d WHERE d.t IS NULL;
SELECT count(*) FROM nulls_a a JOIN nulls_b b ON a.t = b.t JOIN nulls_b c ON a.t IS NOT DISTINCT FROM c.t;
SELECT count(*) FROM nulls_a a JOIN nulls_b b ON a.t IS NOT DISTINCT FROM b.t JOIN nulls_b c ON a.t = c.t;
SELECT count(*) FROM nulls_a a, nulls_b b, nulls_a c WHERE a.t = b.t AND b.t IS NOT DISTINCT FROM c.t;
SELECT count(*) FROM nulls_a a FULL JOIN nulls_b b ON a.t = b.t JOIN nulls_b c ON a.t IS NOT DISTINCT FROM c.t CROSS JOIN nulls_a d;
SELECT count(*) FROM nulls_a a WHERE EXISTS (SELECT 1 FROM nulls_b b JOIN nulls_a c ON b.t IS NOT DISTINCT FROM c.t, nulls_b d WHERE b.t IS NOT DISTINCT FROM a.t);
