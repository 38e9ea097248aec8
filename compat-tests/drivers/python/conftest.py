"""Where the server is: libpq's variables, set by who starts the tests."""

import os
import urllib.parse

import psycopg
import pytest


def url(scheme: str = "postgresql") -> str:
    password = urllib.parse.quote(os.environ["PGPASSWORD"])
    user, host = os.environ["PGUSER"], os.environ["PGHOST"]
    return f"{scheme}://{user}:{password}@{host}:{os.environ['PGPORT']}/{os.environ['PGDATABASE']}"


@pytest.fixture
def connection():
    with psycopg.connect(autocommit=True) as connection:
        yield connection


def pytest_collection_modifyitems(items):
    """What only KalamDB has is left out where the tests run against the oracle."""
    if os.environ.get("KALAMDB_TEST_PRODUCT") == "postgres":
        skip = pytest.mark.skip(reason="PostgreSQL has no such statement")
        for item in items:
            if item.get_closest_marker("kalamdb"):
                item.add_marker(skip)
