// postgres.js: binary-free extended protocol, pipelining, types read from the server.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import postgres from 'postgres';

const sql = postgres({ max: 3, onnotice: () => {}, database: process.env.PGDATABASE });
after(() => sql.end());

test('values and inference', async () => {
  const [row] = await sql`SELECT ${1}::int AS i, ${'x'} AS t, ${sql.json({ a: 1 })} AS j,
    ${[1, 2]}::int[] AS a, ${new Date(0)}::timestamptz AS z, ${null} AS n`;
  assert.equal(row.i, 1);
  assert.equal(row.t, 'x');
  assert.deepEqual(row.j, { a: 1 });
  assert.deepEqual([...row.a], [1, 2]);
  assert.equal(row.z.getTime(), 0);
  assert.equal(row.n, null);
});

test('a table', async () => {
  await sql`DROP TABLE IF EXISTS pgjs`;
  await sql`CREATE TABLE pgjs (id int PRIMARY KEY, name text, tags text[])`;
  const rows = Array.from({ length: 30 }, (_, id) => ({ id, name: `n${id}`, tags: ['a', `${id}`] }));
  await sql`INSERT INTO pgjs ${sql(rows)}`;
  assert.equal((await sql`SELECT * FROM pgjs WHERE id IN ${sql([1, 2, 99])}`).length, 2);
  const [changed] = await sql`UPDATE pgjs SET ${sql({ name: 'new' })} WHERE id = 3 RETURNING *`;
  assert.equal(changed.name, 'new');
  await assert.rejects(sql`INSERT INTO pgjs ${sql(rows[0])}`, { code: '23505' });
});

test('transactions roll back', async () => {
  await sql`DROP TABLE IF EXISTS pgjst`;
  await sql`CREATE TABLE pgjst (id int PRIMARY KEY)`;
  await assert.rejects(
    sql.begin(async (tx) => {
      await tx`INSERT INTO pgjst VALUES (1)`;
      throw new Error('no');
    }),
    { message: 'no' },
  );
  await sql.begin(async (tx) => {
    await tx`INSERT INTO pgjst VALUES (2)`;
    await tx.savepoint((sp) => sp`INSERT INTO pgjst VALUES (2)`).catch(() => {});
  });
  assert.deepEqual([...(await sql`SELECT id FROM pgjst`)], [{ id: 2 }]);
});

test('cursor and concurrency', async () => {
  let n = 0;
  for await (const rows of sql`SELECT n FROM generate_series(1, 95) n`.cursor(10)) n += rows.length;
  assert.equal(n, 95);
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => sql`SELECT ${i}::int AS i`));
  assert.deepEqual(all.map(([row]) => row.i), Array.from({ length: 50 }, (_, i) => i));
});

test('listen', async () => {
  let heard;
  const arrived = new Promise((resolve) => (heard = resolve));
  const { unlisten } = await sql.listen('pgjs', heard);
  await sql.notify('pgjs', 'payload');
  assert.equal(await arrived, 'payload');
  await unlisten();
});
