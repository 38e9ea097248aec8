// knex (query builder and migrations' schema builder) and drizzle.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, jsonb, pgTable, serial, text, timestamp } from 'drizzle-orm/pg-core';
import Knex from 'knex';
import pg from 'pg';

const knex = Knex({ client: 'pg', connection: {}, pool: { min: 0, max: 2 } });
const pool = new pg.Pool({ max: 2 });
after(async () => {
  await knex.destroy();
  await pool.end();
});

test('knex', async () => {
  await knex.schema.dropTableIfExists('knex_people');
  await knex.schema.createTable('knex_people', (table) => {
    table.increments('id');
    table.string('name', 50).notNullable().unique();
    table.integer('age').index();
    table.jsonb('doc').defaultTo('{}');
    table.timestamps(true, true);
  });
  assert.equal(await knex.schema.hasTable('knex_people'), true);
  assert.equal(await knex.schema.hasColumn('knex_people', 'age'), true);
  const ids = await knex('knex_people').insert([{ name: 'ann', age: 30 }, { name: 'bob' }]).returning('id');
  assert.equal(ids.length, 2);
  await knex('knex_people').insert({ name: 'ann', age: 31 }).onConflict('name').merge();
  assert.equal((await knex('knex_people').where({ name: 'ann' }).first()).age, 31);
  await assert.rejects(
    knex.transaction(async (trx) => {
      await trx('knex_people').del();
      throw new Error('back');
    }),
  );
  assert.equal(Number((await knex('knex_people').count('* as n').first()).n), 2);
  await knex.schema.alterTable('knex_people', (table) => table.dropColumn('age'));
  assert.equal('age' in (await knex('knex_people').columnInfo()), false);
});

test('drizzle', async () => {
  const notes = pgTable('drizzle_notes', {
    id: serial('id').primaryKey(),
    title: text('title').notNull(),
    n: integer('n').default(0),
    doc: jsonb('doc'),
    at: timestamp('at', { withTimezone: true }).defaultNow(),
  });
  const db = drizzle(pool);
  await db.execute(sql`DROP TABLE IF EXISTS drizzle_notes`);
  await db.execute(sql`CREATE TABLE drizzle_notes (id serial PRIMARY KEY, title text NOT NULL,
    n int DEFAULT 0, doc jsonb, at timestamptz DEFAULT now())`);
  const [one] = await db.insert(notes).values({ title: 'one', doc: { a: 1 } }).returning();
  assert.equal(one.n, 0);
  assert.ok(one.at instanceof Date);
  await db.update(notes).set({ n: sql`${notes.n} + 5` }).where(eq(notes.id, one.id));
  const found = await db.select().from(notes).where(eq(notes.title, 'one'));
  assert.deepEqual([found[0].n, found[0].doc], [5, { a: 1 }]);
  await db.transaction(async (tx) => {
    await tx.delete(notes).where(eq(notes.id, one.id));
  });
  assert.equal((await db.select().from(notes)).length, 0);
});
