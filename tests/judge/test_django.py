"""Django itself judges: what relink restored is, to Django's own dumpdata, the dump that it was restored from."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from databases import Database, Sqlite
from relink import CLEAN, REFUSED, restore

PROJECT = Path(__file__).parent / "stock_project"

FORMS = {
    "plain": [],
    "natfk": ["--natural-foreign"],
    "natboth": ["--natural-foreign", "--natural-primary"],
    "natpk": ["--natural-primary"],
}

# What no rule can guess of the application's names, and its natural keys.
CONFIG = """
version = 1

[table.stock_moves]
models = ["stock.movement"]
fields = { item = "item_ref", count = "qty" }

[table.stock_tag]
natural_key = ["name"]

[table.stock_supplier]
natural_key = ["code"]

[table.stock_warehouse]
natural_key = ["code", "owner_id.code"]

[table.stock_shelf]
natural_key = ["number", "warehouse_id.code", "warehouse_id.owner_id.code"]

[table.stock_person]
natural_key = ["name"]

[table.stock_employee]
natural_key = ["person_ptr_id.name"]
"""


def django(database: Database, *arguments: str, code: str | None = None) -> str:
    """Runs manage.py, or Python code in the project, on a database."""
    command = ["manage.py", *arguments] if code is None else ["-c", f"import django; django.setup(); {code}"]
    done = subprocess.run(
        [sys.executable, "-B", *command],
        cwd=PROJECT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "JUDGE_DATABASE": database.url},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments or code}\n{done.stdout.decode()[-2000:]}\n{done.stderr.decode()[-4000:]}"
    return done.stdout.decode()


def migrate(database: Database) -> None:
    django(database, "migrate", "--verbosity=0")


def empty(database: Database) -> None:
    """Leaves the schema and Django's own record of it."""
    tables = [table for table in database.tables() if table != "django_migrations"]
    with database.connect() as connection:
        cursor = connection.cursor()
        match database.dialect:
            case "postgres":
                cursor.execute(f"TRUNCATE {', '.join(map(database.quote, tables))} RESTART IDENTITY")
            case "mysql":
                cursor.execute("SET foreign_key_checks = 0")
                for table in tables:
                    cursor.execute(f"TRUNCATE TABLE {database.quote(table)}")
            case "sqlite":
                cursor.execute("PRAGMA foreign_keys = OFF")
                for table in tables:
                    cursor.execute(f"DELETE FROM {database.quote(table)}")
                cursor.execute("DELETE FROM sqlite_sequence")


def records(dump: str) -> list[str]:
    """A dump as a sorted list of texts, one per object; the order within a many-to-many list says nothing."""

    def settled(record):
        fields = record["fields"]
        for name in ("permissions", "groups", "user_permissions", "tags", "related", "sites"):
            if isinstance(fields.get(name), list):
                fields[name] = sorted(fields[name], key=json.dumps)
        return json.dumps(record, sort_keys=True)

    return sorted(settled(record) for record in json.loads(dump))


@pytest.fixture(scope="session")
def dumps(tmp_path_factory) -> dict[str, Path]:
    """The filled project's dumps, made once."""
    folder = tmp_path_factory.mktemp("django")
    source = Sqlite(folder / "source.sqlite")
    migrate(source)
    django(source, code="from stock import rows; rows.fill()")
    made = {}
    for form, flags in FORMS.items():
        made[form] = folder / f"{form}.json"
        made[form].write_text(django(source, "dumpdata", *flags))
    made["jsonl"] = folder / "plain.jsonl"
    made["jsonl"].write_text(django(source, "dumpdata", "--format=jsonl"))
    return made


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "relink.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def project(database) -> Database:
    """The migrated schema without a row."""
    migrate(database)
    empty(database)
    return database


@pytest.mark.parametrize("form", ["plain", "natfk", "natboth"])
def test_djangos_dump_of_what_was_restored_is_the_dump(form, project, dumps, config):
    run = restore(dumps[form], project, "--config", config).expect(CLEAN)
    assert run.totals()["inserted"] == run.totals()["read"]
    assert records(django(project, "dumpdata", *FORMS[form])) == records(dumps[form].read_text())
    # Every other form sees the same objects, so references that this form shows as ids are right by name too.
    if form != "natboth":
        assert records(django(project, "dumpdata", *FORMS["natboth"])) == records(dumps["natboth"].read_text())
    assert project.orphans() == []
    django(project, "check", "--database", "default")

    before = project.fingerprint()
    for _ in range(2):
        again = restore(dumps[form], project, "--config", config, "--mode", "skip").expect(CLEAN)
        assert again.totals()["inserted"] == 0
        assert project.fingerprint() == before

    django(project, code="from stock import rows; rows.one_more()")


def test_json_lines_restore_like_json(project, dumps, config):
    restore(dumps["jsonl"], project, "--config", config).expect(CLEAN)
    assert records(django(project, "dumpdata")) == records(dumps["plain"].read_text())


def test_natural_primary_keys_alone_restore_right_or_are_refused_with_the_references(project, dumps, config):
    before = project.fingerprint()
    run = restore(dumps["natpk"], project, "--config", config).expect(CLEAN, REFUSED)
    if run.code == CLEAN:
        assert records(django(project, "dumpdata", *FORMS["natboth"])) == records(dumps["natboth"].read_text())
    else:
        assert project.fingerprint() == before
        assert {finding["code"] for finding in run.findings() if finding["severity"] == "error"} == {"restore::unnamed-reference"}, run


def test_natural_keys_find_content_types_and_permissions_that_have_other_ids(database, dumps, config):
    """The target is migrated: its content types, permissions and site exist, under ids of its own."""
    migrate(database)
    empty(database)
    django(
        database,
        code="from django.contrib.contenttypes.models import ContentType as T; T.objects.create(app_label='gone', model='gone');"
        "T.objects.create(app_label='zzz', model='zzz').delete();"
        "from django.core.management import call_command; from django.db.models.signals import post_migrate;"
        "call_command('migrate', verbosity=0); T.objects.filter(app_label='gone').delete()",
    )
    assert database.count("django_content_type") > 20
    restore(dumps["natboth"], database, "--config", config, "--mode", "skip").expect(CLEAN)
    assert records(django(database, "dumpdata", *FORMS["natboth"])) == records(dumps["natboth"].read_text())
    assert database.orphans() == []
