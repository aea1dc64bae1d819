"""The judges' own Django project (`stock_project`), run from outside: its dumps, what relink.toml says of it, and its objects by meaning."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from databases import Database, Sqlite

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


# What identifies the objects that Django gives no natural key, and the generic reference.
KEYS = """
[table.stock_item]
natural_key = ["sku"]

[table.stock_document]
natural_key = ["title"]

[table.stock_version]
natural_key = ["document_id.title", "number"]

[table.stock_note]
generic = [{ type = "content_type_id", id = "object_id" }]
"""


def configuration(folder: Path, **restore) -> Path:
    """A relink.toml with all that is to be known of the project, and settings of the restore."""
    path = folder / "relink.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in restore.items()]
    path.write_text("\n".join([CONFIG, KEYS, "[restore]", *lines, ""]))
    return path


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


def migrated_and_emptied(database: Database) -> None:
    migrate(database)
    empty(database)


def fill_elsewhere(database: Database) -> None:
    migrate(database)
    django(database, code="from stock import elsewhere; elsewhere.fill()")


def records(dump: str) -> list[str]:
    """A dump as a sorted list of texts, one per object; the order within a many-to-many list says nothing."""

    def settled(record):
        fields = record["fields"]
        for name in ("permissions", "groups", "user_permissions", "tags", "related", "sites"):
            if isinstance(fields.get(name), list):
                fields[name] = sorted(fields[name], key=json.dumps)
        return json.dumps(record, sort_keys=True)

    return sorted(settled(record) for record in json.loads(dump))


# What tells an object from others of its model, in a dump by meaning. Whatever is not listed is told by all of its fields.
IDENTITY = {
    "auth.group": ["name"],
    "auth.permission": ["codename", "content_type"],
    "auth.user": ["username"],
    "contenttypes.contenttype": ["app_label", "model"],
    "sites.site": ["domain"],
    "stock.document": ["title"],
    "stock.employee": ["person_ptr"],
    "stock.item": ["sku"],
    "stock.person": ["name"],
    "stock.shelf": ["number", "warehouse"],
    "stock.supplier": ["code"],
    "stock.tag": ["name"],
    "stock.version": ["document", "number"],
    "stock.warehouse": ["code", "owner"],
}


def meaning(database: Database, after: str = "") -> dict[tuple, str]:
    """Django's own dump of every object without a single id: identity -> object. Equal ones are told apart by their number. Runs code of the project
    afterwards, if there is any."""
    found: dict[tuple, str] = {}
    seen: Counter = Counter()
    for text in records(django(database, code=f"from stock import meaning; meaning.dump(){after}")):
        record = json.loads(text)
        names = IDENTITY.get(record["model"])
        identity = json.dumps([record["fields"][name] for name in names]) if names else text
        seen[record["model"], identity] += 1
        found[record["model"], identity, seen[record["model"], identity]] = text
    return found


def filled(folder: Path) -> dict[str, Path]:
    """The filled project's dumps, made anew in this folder, and its database as `source.sqlite`."""
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
