"""SQLAlchemy: reflection, DDL, the ORM, through psycopg 3."""

import datetime
import decimal
import uuid

import pytest
import sqlalchemy as sa
from conftest import url
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql


class Base(orm.DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "sa_users"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(40), unique=True)
    key: orm.Mapped[uuid.UUID] = orm.mapped_column(default=uuid.uuid4)
    score: orm.Mapped[decimal.Decimal | None] = orm.mapped_column(sa.Numeric(10, 2))
    created: orm.Mapped[datetime.datetime] = orm.mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now()
    )
    doc: orm.Mapped[dict] = orm.mapped_column(postgresql.JSONB, default=dict)
    tags: orm.Mapped[list[str]] = orm.mapped_column(postgresql.ARRAY(sa.Text), default=list)


class Post(Base):
    __tablename__ = "sa_posts"
    id: orm.Mapped[int] = orm.mapped_column(sa.BigInteger, primary_key=True)
    user_id: orm.Mapped[int] = orm.mapped_column(index=True)
    title: orm.Mapped[str]
    user: orm.Mapped[User] = orm.relationship(
        primaryjoin=lambda: orm.foreign(Post.user_id) == User.id, backref="posts"
    )


@pytest.fixture(scope="module")
def engine():
    engine = sa.create_engine(url("postgresql+psycopg"))
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_orm(engine):
    with orm.Session(engine) as session:
        ann = User(name="ann", score=decimal.Decimal("1.50"), doc={"a": 1}, tags=["x", "y"])
        session.add_all([ann, User(name="bob")])
        session.flush()
        session.add_all([Post(user=ann, title=f"post {i}") for i in range(3)])
        session.commit()
        found = session.scalars(sa.select(User).order_by(User.name)).all()
        assert [u.name for u in found] == ["ann", "bob"]
        assert found[0].tags == ["x", "y"]
        assert len(found[0].posts) == 3
        found[1].doc = {"changed": True}
        session.commit()
        query = sa.select(User).where(User.doc["changed"].as_boolean())
        assert session.scalars(query).one().name == "bob"
        count = sa.select(User.name, sa.func.count(Post.id)).outerjoin(
            Post, Post.user_id == User.id
        ).group_by(User.name).order_by(User.name)
        assert session.execute(count).all() == [("ann", 3), ("bob", 0)]
        session.delete(found[1])
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 1


def test_integrity_error(engine):
    with orm.Session(engine) as session:
        session.add_all([User(name="twice"), User(name="twice")])
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()


def test_upsert(engine):
    insert = postgresql.insert(User).values(name="up", key=uuid.uuid4(), doc={}, tags=[])
    upsert = insert.on_conflict_do_update(
        index_elements=[User.name], set_={"doc": {"n": 2}}
    ).returning(User.id, User.doc)
    with engine.begin() as connection:
        first = connection.execute(upsert).one()
        second = connection.execute(upsert).one()
    assert first.id == second.id
    assert second.doc == {"n": 2}


def test_reflection(engine):
    inspector = sa.inspect(engine)
    assert {"sa_users", "sa_posts"} <= set(inspector.get_table_names())
    columns = {c["name"]: c for c in inspector.get_columns("sa_users")}
    assert isinstance(columns["score"]["type"], sa.NUMERIC)
    assert columns["name"]["type"].length == 40
    assert columns["name"]["nullable"] is False
    assert inspector.get_pk_constraint("sa_users")["constrained_columns"] == ["id"]
    assert inspector.get_unique_constraints("sa_users")[0]["column_names"] == ["name"]
    assert inspector.get_indexes("sa_posts")[0]["column_names"] == ["user_id"]
    assert inspector.has_table("sa_users") and not inspector.has_table("nosuch")
    reflected = sa.Table("sa_posts", sa.MetaData(), autoload_with=engine)
    assert [c.name for c in reflected.columns] == ["id", "user_id", "title"]


def test_savepoints(engine):
    with orm.Session(engine) as session:
        session.add(User(name="outer"))
        session.flush()
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(User(name="outer"))
            session.flush()
        session.commit()
        assert session.scalar(sa.select(User.name).where(User.name == "outer")) == "outer"
