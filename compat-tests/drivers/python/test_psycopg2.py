"""psycopg2: text protocol, client-side parameters, COPY, named cursors, notifications."""

import decimal
import io
import select

import psycopg2
import psycopg2.errors
import psycopg2.extras
import pytest


@pytest.fixture
def db():
    connection = psycopg2.connect("")
    connection.autocommit = True
    yield connection
    connection.close()


def test_rows_and_types(db):
    cursor = db.cursor()
    cursor.execute(
        "SELECT 1, 2.50, 'x', true, NULL, ARRAY[1,2], '{\"a\": 1}'::jsonb, '\\x00ff'::bytea,"
        " '2024-02-29'::date, %s, %s",
        ("it's", [1, 2]),
    )
    row = cursor.fetchone()
    assert row[:7] == (1, decimal.Decimal("2.50"), "x", True, None, [1, 2], {"a": 1})
    assert bytes(row[7]) == b"\x00\xff"
    assert row[8].isoformat() == "2024-02-29"
    assert row[9:] == ("it's", [1, 2])
    assert [c.name for c in cursor.description][:2] == ["?column?", "?column?"]


def test_transactions_and_errors(db):
    cursor = db.cursor()
    cursor.execute("DROP TABLE IF EXISTS p2; CREATE TABLE p2 (id int PRIMARY KEY, v text)")
    db.autocommit = False
    cursor.execute("INSERT INTO p2 VALUES (1, 'a')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        cursor.execute("INSERT INTO p2 VALUES (1, 'b')")
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        cursor.execute("SELECT 1")
    db.rollback()
    cursor.execute("SELECT count(*) FROM p2")
    assert cursor.fetchone() == (0,)
    psycopg2.extras.execute_values(
        cursor, "INSERT INTO p2 VALUES %s", [(i, f"v{i}") for i in range(500)]
    )
    db.commit()
    cursor.execute("SELECT count(*), max(v) FROM p2 WHERE id IN %s", ((1, 2, 3),))
    assert cursor.fetchone() == (3, "v3")
    db.rollback()


def test_named_cursor(db):
    db.autocommit = False
    with db.cursor(name="named") as cursor:
        cursor.itersize = 10
        cursor.execute("SELECT n FROM generate_series(1, 55) n")
        assert [row[0] for row in cursor] == list(range(1, 56))
    db.rollback()


def test_copy(db):
    cursor = db.cursor()
    cursor.execute("DROP TABLE IF EXISTS p2c; CREATE TABLE p2c (id int, v text)")
    cursor.copy_expert("COPY p2c FROM STDIN WITH (FORMAT csv)", io.StringIO('1,"a,b"\n2,\n'))
    out = io.StringIO()
    cursor.copy_expert("COPY p2c TO STDOUT", out)
    assert out.getvalue() == "1\ta,b\n2\t\\N\n"


def test_notify(db):
    cursor = db.cursor()
    cursor.execute("LISTEN p2n")
    other = psycopg2.connect("")
    other.autocommit = True
    other.cursor().execute("NOTIFY p2n, 'hello'")
    other.close()
    assert select.select([db], [], [], 10)[0]
    db.poll()
    assert [(n.channel, n.payload) for n in db.notifies] == [("p2n", "hello")]


def test_isolation_levels(db):
    db.autocommit = False
    db.set_session(isolation_level="REPEATABLE READ", readonly=True)
    cursor = db.cursor()
    cursor.execute("SHOW transaction_isolation")
    assert cursor.fetchone() == ("repeatable read",)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        cursor.execute("CREATE TABLE p2ro (id int)")
    db.rollback()
