"""asyncpg: binary everywhere, types read from the catalog, prepared statements, cursors."""

import asyncio
import datetime
import decimal
import uuid

import asyncpg
import pytest


@pytest.fixture
async def db():
    connection = await asyncpg.connect()
    yield connection
    await connection.close()


async def test_types(db):
    row = await db.fetchrow(
        "SELECT $1::int2, $2::int8, $3::float8, $4::numeric, $5::text, $6::bytea, $7::uuid,"
        " $8::date, $9::timestamptz, $10::interval, $11::int[], $12::jsonb, $13::bool, $14::text[]",
        1, 2, 0.5, decimal.Decimal("1.50"), "ü", b"\x00", uuid.UUID(int=5),
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
        datetime.timedelta(days=1, seconds=2), [1, None], '{"a": 1}', True, ["x"],
    )
    assert row[3] == decimal.Decimal("1.50")
    assert row[6] == uuid.UUID(int=5)
    assert row[10] == [1, None]
    assert row[11] == '{"a": 1}'
    assert row[13] == ["x"]


async def test_a_table(db):
    await db.execute("DROP TABLE IF EXISTS ap; CREATE TABLE ap (id int PRIMARY KEY, v text)")
    await db.executemany("INSERT INTO ap VALUES ($1, $2)", [(i, str(i)) for i in range(100)])
    assert await db.fetchval("SELECT count(*) FROM ap WHERE id = ANY($1::int[])", [1, 2, 500]) == 2
    assert await db.execute("UPDATE ap SET v = $1 WHERE id < $2", "x", 10) == "UPDATE 10"
    statement = await db.prepare("SELECT * FROM ap WHERE id = $1")
    assert [a.name for a in statement.get_attributes()] == ["id", "v"]
    assert dict(await statement.fetchrow(50)) == {"id": 50, "v": "50"}
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute("INSERT INTO ap VALUES (1, 'dup')")


async def test_transactions(db):
    await db.execute("DROP TABLE IF EXISTS apt; CREATE TABLE apt (id int PRIMARY KEY)")
    with pytest.raises(RuntimeError):
        async with db.transaction():
            await db.execute("INSERT INTO apt VALUES (1)")
            raise RuntimeError
    async with db.transaction(isolation="repeatable_read"):
        await db.execute("INSERT INTO apt VALUES (2)")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with db.transaction():
                await db.execute("INSERT INTO apt VALUES (2)")
    assert await db.fetchval("SELECT count(*) FROM apt") == 1


async def test_cursor(db):
    async with db.transaction():
        found = [r[0] async for r in db.cursor("SELECT n FROM generate_series(1, 120) n")]
    assert found == list(range(1, 121))


async def test_copy(db):
    await db.execute("DROP TABLE IF EXISTS apc; CREATE TABLE apc (id int, v text)")
    records = [(i, f"v{i}") for i in range(10)]
    await db.execute("INSERT INTO apc SELECT * FROM unnest($1::int[], $2::text[])",
                     [r[0] for r in records], [r[1] for r in records])
    chunks = []

    async def take(data):
        chunks.append(bytes(data))

    await db.copy_from_query("SELECT * FROM apc ORDER BY id", output=take, format="csv")
    assert b"".join(chunks).decode().splitlines()[3] == "3,v3"


async def test_listen(db):
    heard = asyncio.Queue()
    await db.add_listener("apn", lambda *arguments: heard.put_nowait(arguments[3]))
    other = await asyncpg.connect()
    await other.execute("SELECT pg_notify('apn', $1)", "payload")
    await other.close()
    assert await asyncio.wait_for(heard.get(), 10) == "payload"
    await db.remove_listener("apn", lambda *arguments: None)


async def test_pool_resets_sessions():
    async with asyncpg.create_pool(min_size=1, max_size=2) as pool:
        async with pool.acquire() as connection:
            await connection.execute("SET application_name = 'dirty'")
        results = await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", i) for i in range(20)))
        assert results == [i * 2 for i in range(20)]


async def test_timeout_cancels(db):
    with pytest.raises(asyncio.TimeoutError):
        await db.fetch("SELECT pg_sleep(30)", timeout=0.3)
    assert await db.fetchval("SELECT 1") == 1
