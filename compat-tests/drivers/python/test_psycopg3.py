"""psycopg 3: parameters of every type, both formats, pipelines, COPY, notifications."""

import datetime
import decimal
import threading
import uuid

import psycopg
import pytest
from psycopg.types.json import Jsonb

VALUES = [
    ("bool", True),
    ("int2", -7),
    ("int4", 2**31 - 1),
    ("int8", -(2**63)),
    ("float8", 0.1),
    ("numeric", decimal.Decimal("-12345678901234567890.123450")),
    ("text", "größe ' \" \\ \n"),
    ("bytea", bytes(range(256))),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("date", datetime.date(2024, 2, 29)),
    ("time", datetime.time(23, 59, 59, 999999)),
    ("timestamp", datetime.datetime(2024, 2, 29, 12, 34, 56, 789012)),
    ("timestamptz", datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=datetime.timezone.utc)),
    ("interval", datetime.timedelta(days=-3, seconds=5, microseconds=7)),
    ("int4[]", [1, None, 3]),
    ("text[]", ["a", "b,c", None, ""]),
]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("name", "value"), VALUES, ids=[name for name, _ in VALUES])
def test_values_come_back(connection, name, value, binary):
    cursor = connection.cursor(binary=binary)
    mark = "%b" if binary else "%t"
    (found,) = cursor.execute(f"SELECT {mark}::{name}", [value]).fetchone()
    assert found == value
    assert cursor.execute(f"SELECT {mark}::{name}", [None]).fetchone() == (None,)


def test_jsonb(connection):
    doc = {"a": [1, 2.5, None], "b": {"c": "ü"}}
    (found,) = connection.execute("SELECT %s::jsonb", [Jsonb(doc)]).fetchone()
    assert found == doc


def test_a_table_end_to_end(connection):
    connection.execute("DROP TABLE IF EXISTS p3")
    connection.execute(
        "CREATE TABLE p3 (id serial PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now(),"
        " doc jsonb, tags text[])"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO p3 (name, doc, tags) VALUES (%s, %s, %s) RETURNING id",
            [(f"n{i}", Jsonb({"i": i}), ["x", str(i)]) for i in range(50)],
            returning=True,
        )
        ids = []
        while True:
            ids.extend(row[0] for row in cursor.fetchall())
            if not cursor.nextset():
                break
    assert len(set(ids)) == 50
    rows = connection.execute(
        "SELECT name FROM p3 WHERE id = ANY(%s) ORDER BY id", [ids[:3]]
    ).fetchall()
    assert rows == [("n0",), ("n1",), ("n2",)]
    cursor = connection.execute("UPDATE p3 SET name = %s WHERE doc @> %s", ["x", Jsonb({"i": 7})])
    assert cursor.rowcount == 1
    assert connection.execute("DELETE FROM p3 WHERE id > %s", [ids[9]]).rowcount == 40
    assert connection.execute("SELECT count(*) FROM p3").fetchone() == (10,)


def test_transactions_and_savepoints(connection):
    connection.execute("DROP TABLE IF EXISTS p3t")
    connection.execute("CREATE TABLE p3t (id int PRIMARY KEY)")
    with pytest.raises(ZeroDivisionError), connection.transaction():
        connection.execute("INSERT INTO p3t VALUES (1)")
        raise ZeroDivisionError
    with connection.transaction():
        connection.execute("INSERT INTO p3t VALUES (2)")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("INSERT INTO p3t VALUES (2)")
        connection.execute("INSERT INTO p3t VALUES (3)")
    assert connection.execute("SELECT id FROM p3t ORDER BY id").fetchall() == [(2,), (3,)]


def test_errors_name_what_was_violated(connection):
    connection.execute("DROP TABLE IF EXISTS p3e")
    connection.execute("CREATE TABLE p3e (id int PRIMARY KEY, a text NOT NULL CHECK (a <> ''))")
    connection.execute("INSERT INTO p3e VALUES (1, 'x')")
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        connection.execute("INSERT INTO p3e VALUES (1, 'y')")
    assert caught.value.diag.constraint_name == "p3e_pkey"
    assert caught.value.diag.message_detail == "Key (id)=(1) already exists."
    with pytest.raises(psycopg.errors.NotNullViolation) as caught:
        connection.execute("INSERT INTO p3e VALUES (2, NULL)")
    assert caught.value.diag.column_name == "a"
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("INSERT INTO p3e VALUES (2, '')")
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM nosuch")


def test_pipeline(connection):
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", [i]) for i in range(100)]
    assert [c.fetchone()[0] for c in cursors] == list(range(100))
    with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline():
        connection.execute("SELECT 1 / 0")
        connection.execute("SELECT 1")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_server_side_cursor_and_stream(connection):
    with connection.transaction(), connection.cursor(name="c") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT n FROM generate_series(1, 1050) n")
        assert sum(1 for _ in cursor) == 1050
    stream = connection.cursor().stream("SELECT n FROM generate_series(1, 1000) n")
    assert [row[0] for row in stream] == list(range(1, 1001))


def test_copy(connection):
    connection.execute("DROP TABLE IF EXISTS p3c")
    connection.execute("CREATE TABLE p3c (id int PRIMARY KEY, name text, n numeric)")
    cursor = connection.cursor()
    with cursor.copy("COPY p3c FROM STDIN") as copy:
        for i in range(1000):
            copy.write_row((i, f"tab\tand\nline {i}", decimal.Decimal(i) / 8 if i % 2 else None))
    with cursor.copy("COPY (SELECT * FROM p3c ORDER BY id) TO STDOUT") as copy:
        copy.set_types(["int4", "text", "numeric"])
        rows = list(copy.rows())
    assert len(rows) == 1000
    assert rows[3] == (3, "tab\tand\nline 3", decimal.Decimal("0.375"))


def test_prepared_statements_are_reused(connection):
    for i in range(20):
        row = connection.execute("SELECT %s::int + 1", [i], prepare=True).fetchone()
        assert row == (i + 1,)


def test_notify(connection):
    connection.execute("LISTEN p3n")
    with psycopg.connect(autocommit=True) as other:
        for i in range(3):
            other.execute("SELECT pg_notify('p3n', %s)", [str(i)])
    heard = [n.payload for n in connection.notifies(timeout=10, stop_after=3)]
    assert heard == ["0", "1", "2"]


def test_cancel(connection):
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(30)")
    timer.join()
    assert connection.execute("SELECT 1").fetchone() == (1,)


async def test_async():
    async with await psycopg.AsyncConnection.connect(autocommit=True) as connection:
        cursor = await connection.execute("SELECT %s::text", ["x"])
        assert await cursor.fetchone() == ("x",)


@pytest.mark.kalamdb
def test_subscribe_by_stream_and_copy(connection):
    connection.execute("DROP TABLE IF EXISTS p3s")
    connection.execute("CREATE TABLE p3s (id int PRIMARY KEY, v text)")
    connection.execute("INSERT INTO p3s VALUES (1, 'before')")
    with psycopg.connect(autocommit=True) as follower:
        seen = []
        for row in follower.cursor().stream("SUBSCRIBE p3s"):
            seen.append(row[1:])
            if row[1] == "commit" and len(seen) == 2:
                connection.execute("UPDATE p3s SET v = 'after' WHERE id = 1")
            if row[1] == "update":
                break
        assert seen[0] == ("snapshot", 1, "before")
        assert seen[-1] == ("update", 1, "after")
        follower.cancel()
    with psycopg.connect(autocommit=True) as follower, follower.cursor() as cursor:
        with pytest.raises(psycopg.errors.QueryCanceled):
            with cursor.copy("COPY (SUBSCRIBE p3s) TO STDOUT") as copy:
                copy.set_types(["int8", "text", "int4", "text"])
                for row in copy.rows():
                    if row[1] == "commit":
                        follower.cancel()
        assert follower.execute("SELECT 1").fetchone() == (1,)
