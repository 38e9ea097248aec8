"""Django: its schema editor, migrations' SQL, and the ORM's queries."""

import os

import django
import pytest
from django.conf import settings

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
            "NAME": os.environ["PGDATABASE"],
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.db import IntegrityError, connection, models, transaction  # noqa: E402


class Note(models.Model):
    title = models.CharField(max_length=80, unique=True)
    body = models.TextField(blank=True)
    made = models.DateTimeField(auto_now_add=True)
    score = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    data = models.JSONField(default=dict)
    done = models.BooleanField(default=False)

    class Meta:
        app_label = "notes"
        db_table = "dj_note"
        indexes = [models.Index(fields=["done", "made"], name="dj_note_done")]


@pytest.fixture(scope="module", autouse=True)
def table():
    with connection.schema_editor() as editor:
        if "dj_note" in connection.introspection.table_names():
            editor.delete_model(Note)
        editor.create_model(Note)
    yield
    connection.close()


def test_orm():
    Note.objects.bulk_create(Note(title=f"note {i}", data={"i": i}) for i in range(20))
    assert Note.objects.count() == 20
    assert Note.objects.filter(title__icontains="NOTE 1").count() == 11
    assert Note.objects.filter(data__i__gte=15).order_by("-id").first().title == "note 19"
    Note.objects.filter(data__i__lt=5).update(done=True, score="1.25")
    totals = Note.objects.values("done").annotate(n=models.Count("id")).order_by("done")
    assert [(t["done"], t["n"]) for t in totals] == [(False, 15), (True, 5)]
    note, created = Note.objects.update_or_create(title="note 3", defaults={"body": "changed"})
    assert (note.body, created) == ("changed", False)
    assert Note.objects.filter(done=True).delete()[0] == 5


def test_transactions():
    with pytest.raises(IntegrityError), transaction.atomic():
        Note.objects.create(title="same")
        Note.objects.create(title="same")
    assert not Note.objects.filter(title="same").exists()
    with transaction.atomic():
        Note.objects.create(title="locked")
        assert Note.objects.select_for_update().get(title="locked").title == "locked"


def test_altering():
    field = models.IntegerField(default=7)
    field.set_attributes_from_name("extra")
    field.model = Note
    with connection.schema_editor() as editor:
        editor.add_field(Note, field)
        editor.remove_field(Note, field)
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, "dj_note")
        constraints = connection.introspection.get_constraints(cursor, "dj_note")
    assert [c.name for c in columns][:2] == ["id", "title"]
    assert any(c["primary_key"] for c in constraints.values())
