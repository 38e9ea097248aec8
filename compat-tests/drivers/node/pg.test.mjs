// node-postgres: text protocol, prepared statements, cursors, COPY streams, notifications.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import pg from 'pg';
import copy from 'pg-copy-streams';
import Cursor from 'pg-cursor';

let client;

before(async () => {
  client = new pg.Client();
  await client.connect();
});
after(() => client.end());

test('values', async () => {
  const { rows } = await client.query(
    "SELECT $1::int AS i, $2::text AS t, $3::jsonb AS j, $4::bool AS b, $5::int[] AS a, " +
      '$6::bytea AS y, $7::timestamptz AS z, $8::numeric AS n',
    [7, "it's", { a: [1] }, true, [1, 2], Buffer.from([0, 255]), new Date(0), '1.50'],
  );
  const [row] = rows;
  assert.equal(row.i, 7);
  assert.equal(row.t, "it's");
  assert.deepEqual(row.j, { a: [1] });
  assert.deepEqual(row.a, [1, 2]);
  assert.deepEqual([...row.y], [0, 255]);
  assert.equal(row.z.getTime(), 0);
  assert.equal(row.n, '1.50');
});

test('a table, prepared statements, errors', async () => {
  await client.query('DROP TABLE IF EXISTS nodepg; CREATE TABLE nodepg (id int PRIMARY KEY, v text)');
  for (let i = 0; i < 20; i++) {
    await client.query({ name: 'ins', text: 'INSERT INTO nodepg VALUES ($1, $2)', values: [i, `v${i}`] });
  }
  const found = await client.query('SELECT v FROM nodepg WHERE id = ANY($1) ORDER BY id', [[1, 5, 99]]);
  assert.deepEqual(found.rows.map((r) => r.v), ['v1', 'v5']);
  await assert.rejects(client.query('INSERT INTO nodepg VALUES (1)'), (error) => {
    assert.equal(error.code, '23505');
    assert.equal(error.constraint, 'nodepg_pkey');
    return true;
  });
  assert.equal((await client.query('DELETE FROM nodepg WHERE id < 5')).rowCount, 5);
});

test('transactions over a pool', async () => {
  const pool = new pg.Pool({ max: 4 });
  await pool.query('DROP TABLE IF EXISTS nodepool');
  await pool.query('CREATE TABLE nodepool (id int PRIMARY KEY, n int)');
  await pool.query('INSERT INTO nodepool VALUES (1, 0)');
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      const one = await pool.connect();
      await one.query('BEGIN');
      await one.query('UPDATE nodepool SET n = n + 1 WHERE id = 1');
      await one.query('COMMIT');
      one.release();
    }),
  );
  assert.equal((await pool.query('SELECT n FROM nodepool')).rows[0].n, 12);
  await pool.end();
});

test('cursor', async () => {
  const cursor = client.query(new Cursor('SELECT n FROM generate_series(1, 25) n'));
  const sizes = [];
  for (let rows = await cursor.read(10); rows.length > 0; rows = await cursor.read(10)) {
    sizes.push(rows.length);
  }
  assert.deepEqual(sizes, [10, 10, 5]);
  await cursor.close();
});

test('copy', async () => {
  await client.query('DROP TABLE IF EXISTS nodecopy; CREATE TABLE nodecopy (id int, v text)');
  await pipeline(Readable.from(['1\tone\n', '2\t\\N\n']), client.query(copy.from('COPY nodecopy FROM STDIN')));
  const chunks = [];
  for await (const chunk of client.query(copy.to('COPY nodecopy TO STDOUT'))) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), '1\tone\n2\t\\N\n');
});

test('notify', async () => {
  await client.query('LISTEN nodenotify');
  const heard = once(client, 'notification');
  const other = new pg.Client();
  await other.connect();
  await other.query("NOTIFY nodenotify, 'hello'");
  await other.end();
  const [message] = await heard;
  assert.deepEqual([message.channel, message.payload], ['nodenotify', 'hello']);
});

test('a live query', { skip: process.env.KALAMDB_TEST_PRODUCT === 'postgres' }, async () => {
  await client.query('DROP TABLE IF EXISTS nodelive; CREATE TABLE nodelive (id int PRIMARY KEY, v text)');
  const follower = new pg.Client();
  await follower.connect();
  const query = follower.query(new pg.Query('SUBSCRIBE nodelive'));
  const rows = [];
  let inserted;
  const seen = new Promise((resolve, reject) => {
    query.on('error', reject);
    query.on('row', (row) => {
      rows.push(row);
      if (rows.length === 1) inserted = client.query("INSERT INTO nodelive VALUES (1, 'live')");
      if (row._op === 'insert') resolve(row);
    });
  });
  const row = await seen;
  // The row may be here before the answer to its INSERT.
  await inserted;
  assert.deepEqual([row.id, row.v], [1, 'live']);
  follower.on('error', () => {});
  follower.connection.stream.destroy();
});
