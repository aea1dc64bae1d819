"""A Django project among the corpora: its map, its schemas, and its rows in the form that all databases share."""

import re
import sqlite3
from collections import Counter
from pathlib import Path

from databases import Database, Sqlite
from django_map import DjangoMap
from values import canonical

# What identifies a row whose id was left out, where that is not the natural key that relink.toml is given.
IDENTITY = {
    "wagtailcore.collection": ["path"],
    "wagtailcore.groupcollectionpermission": ["group_id", "collection_id", "permission_id"],
    "wagtailcore.groupsitepermission": ["group_id", "site_id", "permission_id"],
    "blog.blogpagetag": ["tag_id", "content_object_id"],
    "taggit.taggeditem": ["tag_id", "content_type_id", "object_id"],
}

# Generic references: table -> the columns of type and id. What they name is compared as what any other reference names.
GENERIC = {
    "wagtailcore_modellogentry": [("content_type_id", "object_id")],
    "wagtailcore_referenceindex": [("base_content_type_id", "object_id"), ("to_content_type_id", "to_object_id")],
    "wagtailcore_revision": [("base_content_type_id", "object_id")],
    "wagtailcore_workflowstate": [("base_content_type_id", "object_id")],
}


class Corpus:
    def __init__(self, folder: Path):
        self.folder = folder
        self.map = DjangoMap(folder / "models.json")

    def schema(self, dialect: str) -> str:
        script = (self.folder / f"schema.{dialect}.sql").read_text()
        # SQLite makes this table itself.
        return re.sub(r"(?m)^CREATE TABLE (IF NOT EXISTS )?\"?sqlite_sequence\"?.*$", "", script)

    def truth(self, copy: Path, name: str = "truth.sqlite") -> Sqlite:
        """A copy of the database that the exports came from."""
        with sqlite3.connect(f"file:{self.folder / name}?mode=ro", uri=True) as source:
            with sqlite3.connect(copy) as target:
                source.backup(target)
        source.close()
        target.close()
        return Sqlite(copy)

    def config(self, path: Path, database: Database, **options) -> Path:
        path.write_text(self.map.relink_toml(set(database.tables()), **options))
        return path

    def readings(self, records: list[dict], truth: Database) -> dict[str, dict[str, str]]:
        """What only the application's own code says of how its dump is to be read: table -> column -> reading.

        Field classes of an application may dump NULL as an empty string, or a JSON document as its text.
        """
        readings: dict[str, dict[str, str]] = {}
        empty_there: dict[tuple[str, str], bool] = {}
        for record in records:
            model = self.map.models[record["model"]]
            table = model["table"]
            for name, value in record["fields"].items():
                field = model["fields"].get(name)
                if not isinstance(value, str) or not field or not field["column"]:
                    continue
                column = field["column"]
                if self.map.kind(table, column) == "json":
                    readings.setdefault(table, {})[column] = "json-text"
                elif value == "" and field.get("null"):
                    if (table, column) not in empty_there:
                        sql = f"SELECT count(*) FROM {truth.quote(table)} WHERE {truth.quote(column)} = ''"
                        empty_there[table, column] = truth.query(sql)[0][0] > 0
                    if not empty_there[table, column]:
                        readings.setdefault(table, {})[column] = "empty-is-null"
        return readings

    def tables_of(self, labels: set[str]) -> set[str]:
        """The tables that records of these labels fill: their own, and those of their many-to-many lists."""
        tables = set()
        for label in labels:
            model = self.map.models[label]
            owner = self.map.models[self.map.concrete(label)]
            tables.add(model["table"])
            tables |= {many["table"] for many in [*model["m2m"].values(), *owner["m2m"].values()] if many["through_auto"]}
        return tables

    def stored(self, table: str, rows: list[dict], dialect: str) -> list[dict]:
        """Rows of a Django SQLite database as another dialect's driver takes them."""

        def adapted(column, value):
            kind = self.map.kind(table, column)
            return canonical(value, kind, exact_time=True) if dialect == "postgres" and kind == "bool" else value

        return [{column: adapted(column, value) for column, value in row.items()} for row in rows]


class Picture:
    """The rows of a project's tables in canonical form.

    Ids that an export left out differ between two databases. They are replaced by what identifies the row, wherever they stand;
    so do the ids of many-to-many join rows, which no export holds.
    """

    def __init__(self, corpus: Corpus, database: Database, generated: frozenset[str] = frozenset()):
        self.map = corpus.map
        self.database = database
        self.generated = {self.map.concrete(label) for label in generated}
        self.rows_by_key: dict[str, dict] = {}

    def canonical_rows(self, table: str) -> list[dict]:
        return [
            {column: canonical(value, self.map.kind(table, column)) for column, value in row.items()}
            for row in self.database.rows(table)
        ]

    def row(self, label: str, key) -> dict | None:
        if label not in self.rows_by_key:
            column = self.map.key_column(label)
            rows = self.canonical_rows(self.map.models[label]["table"])
            self.rows_by_key[label] = {row[column]: row for row in rows}
        return self.rows_by_key[label].get(key)

    def is_generated(self, label: str, column: str) -> bool:
        """Whether a column's values were made by the database: the key of such a model, or a reference to one."""
        if column != self.map.key_column(label):
            reference = self.map.reference(label, column)
            return reference is not None and self.is_generated(reference.label, reference.column)
        reference = self.map.reference(label, column)
        return self.is_generated(reference.label, reference.column) if reference else label in self.generated

    def identity(self, label: str, key):
        """What identifies the row of this key, without any generated id."""
        row = self.row(label, key)
        if row is None:
            return ("no row", key)
        own = self.map.key_column(label)
        reference = self.map.reference(label, own)
        if reference:
            return self.identity(reference.label, key)
        columns = IDENTITY.get(label) or self.map.natural_key(label) or [column for column in row if column != own]
        return tuple(self.part(label, row, column) for column in columns)

    def part(self, label: str, row: dict, path: str):
        column, _, rest = path.partition(".")
        value = row[column]
        reference = self.map.reference(label, column)
        if value is None or not reference:
            return value
        if rest:
            return self.part(reference.label, self.row(reference.label, value), rest)
        return self.identity(reference.label, value) if self.is_generated(reference.label, reference.column) else value

    def named(self, row: dict, type_column: str, id_column: str):
        """What a generic reference leads to, where the ids of its model are the database's own."""
        content_type = self.row("contenttypes.contenttype", row[type_column])
        label = f"{content_type['app_label']}.{content_type['model']}"
        value = row[id_column]
        if label not in self.map.models or not self.is_generated(label, self.map.key_column(label)):
            return value
        return self.identity(label, int(value)) if self.row(label, int(value)) else ("no row", value)

    def table(self, table: str) -> Counter:
        label = self.map.by_table[table]
        key = self.map.key_column(label)
        drops_key = (
            key and not self.map.reference(label, key) and (self.map.models[label]["auto_created"] or label in self.generated)
        )
        seen: Counter = Counter()
        for row in self.canonical_rows(table):
            parts = {}
            for column, value in row.items():
                if column == key and drops_key:
                    continue
                parts[column] = self.part(label, row, column) if value is not None else None
            for type_column, id_column in GENERIC.get(table, []):
                parts[id_column] = self.named(row, type_column, id_column)
            seen[tuple(sorted(parts.items(), key=lambda part: part[0]))] += 1
        return seen


def differences(expected: Picture, found: Picture, tables: set[str], empty: bool = True) -> list[str]:
    """What differs between two pictures, in words; with `empty`, every other table of the project has to hold no row."""
    words = []
    for table in sorted(set(found.database.tables()) & set(found.map.by_table)):
        if table not in tables:
            if empty and found.database.count(table):
                words.append(f"{table}: rows where none were restored")
            continue
        words += compare(table, expected.table(table), found.table(table))
    return words


def compare(table: str, expected: Counter, found: Counter) -> list[str]:
    words = [f"{table}: missing {row}" for row in list(expected - found)[:3]]
    words += [f"{table}: unexpected {row}" for row in list(found - expected)[:3]]
    if words:
        words.append(f"{table}: {sum(expected.values())} rows expected, {sum(found.values())} found")
    return words
