"""Fixtures of Django's own test suite, and of a shop: relink gives the rows that loaddata gave, and refuses what it refused."""

import gzip
import json
from pathlib import Path

import pytest

from conftest import corpora_folder
from corpus import Corpus, Picture, compare
from databases import Sqlite
from relink import CLEAN, REFUSED, restore

FOLDER = corpora_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="RELINK_CORPORA names no folder of corpora")

# What `migrate` writes into an empty project, and what fixtures may refer to.
MIGRATED = ["django_content_type", "auth_permission", "django_site"]

# Where relink differs from loaddata, and why it is right to.
PYTHON_DEFAULTS = "columns that are NOT NULL get their values from Python's defaults, which no database declares"
REFUSED_HERE = {
    ("m2m_through_regress__m2m_through.json", "*"): PYTHON_DEFAULTS,
    ("child_products.json", "*"): PYTHON_DEFAULTS,
    ("offers.json", "*"): PYTHON_DEFAULTS,
    ("fixtures__null_character_in_field_value.json", "postgres"): "PostgreSQL's text holds no U+0000",
}
RESTORED_HERE: dict[tuple[str, str], str] = {}


def fixtures() -> list:
    if FOLDER is None:
        return []
    cases = []
    for name, fixtures_in, expected_in in [
        ("django_test_fixtures", "fixtures", "expected"),
        ("django_oscar_sandbox", "upstream_fixtures", "expected_upstream"),
    ]:
        for expected in sorted((FOLDER / name / expected_in).iterdir()):
            fixture = FOLDER / name / fixtures_in / expected.name.removesuffix(".expected.json")
            cases.append(pytest.param(name, fixture, expected, id=fixture.name))
    return cases


def records_of(fixture: Path) -> list[dict]:
    opened = gzip.open if fixture.suffix == ".gz" else open
    with opened(fixture, "rt") as file:
        text = file.read()
    if ".jsonl" in fixture.suffixes:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return json.loads(text)


def known(table: dict, fixture: Path, dialect: str) -> str | None:
    return table.get((fixture.name, dialect)) or table.get((fixture.name, "*"))


class Schemas:
    """A database with a set's schema, made once per session and dialect, and copied or emptied for each test."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}

    def fresh(self, corpus: Corpus, dialect: str, make_database):
        key = (corpus.folder.name, dialect)
        if dialect == "mysql":
            # MariaDB copies no database: one is kept and emptied.
            if key not in self.made:
                self.made[key] = kept(make_database)
                self.made[key].run_script(corpus.schema(dialect))
            else:
                self.made[key].clear()
            return self.made[key]
        if key not in self.made:
            self.made[key] = kept(make_database, dialect, self.folder / f"{corpus.folder.name}.sqlite")
            self.made[key].run_script(corpus.schema(dialect))
        if dialect == "postgres":
            return make_database(dialect, template=self.made[key].name)
        database = make_database(dialect)
        database.path.write_bytes(self.made[key].path.read_bytes())
        return database

    def drop(self):
        for database in self.made.values():
            database.drop()


def kept(make_database, dialect="mysql", path=None):
    """A database that outlives the test."""
    if dialect == "sqlite":
        return Sqlite(path)
    database = make_database(dialect)
    return type(database)(database.server)


@pytest.fixture(scope="session")
def schemas(tmp_path_factory):
    made = Schemas(tmp_path_factory.mktemp("schemas"))
    yield made
    made.drop()


def migrated_rows(corpus: Corpus, tmp_path) -> dict[str, list[dict]]:
    name = "base_migrated.sqlite" if (corpus.folder / "base_migrated.sqlite").exists() else "truth.sqlite"
    base = corpus.truth(tmp_path / "base.sqlite", name)
    return {table: base.rows(table) for table in MIGRATED}


@pytest.mark.parametrize(("name", "fixture", "expected"), fixtures())
def test_a_fixture_gives_what_loaddata_gave(name, fixture, expected, dialect, schemas, make_database, tmp_path):
    corpus = Corpus(FOLDER / name)
    outcome = json.loads(expected.read_text())
    try:
        records = records_of(fixture)
        labels = frozenset(record["model"] for record in records)
        generated = frozenset(record["model"] for record in records if record.get("pk") is None)
    except (ValueError, KeyError):
        labels = generated = frozenset()
    filled = corpus.tables_of({label for label in labels if label in corpus.map.models})

    database = schemas.fresh(corpus, dialect, make_database)
    migrated = migrated_rows(corpus, tmp_path)
    # A fixture that brings such rows itself is restored into a database without them: inserting is not updating.
    base = {table: rows for table, rows in migrated.items() if table not in filled}
    for table, rows in base.items():
        database.insert(table, corpus.stored(table, rows, dialect))
    before = database.fingerprint()

    config = corpus.config(tmp_path / "relink.toml", database, repeats_parents=name == "django_test_fixtures")
    run = restore(fixture, database, "--config", config)

    refused = (not outcome["ok"] and not known(RESTORED_HERE, fixture, dialect)) or known(REFUSED_HERE, fixture, dialect)
    if refused:
        run.expect(REFUSED)
        assert database.fingerprint() == before
        assert run.findings(), run
        return

    run.expect(CLEAN)
    assert database.orphans() == []
    # What loaddata gave, beside what was there; put into a database of the same form, so that both are read alike.
    expected_rows = Sqlite(tmp_path / "expected.sqlite")
    expected_rows.run_script(corpus.schema("sqlite"))
    for table, rows in {**migrated, **outcome.get("rows_after", {})}.items():
        expected_rows.insert(table, rows)
    wanted, found = Picture(corpus, expected_rows, generated), Picture(corpus, database, generated)
    words = []
    for table in sorted(set(database.tables()) & set(corpus.map.by_table)):
        if database.count(table) or expected_rows.count(table):
            words += compare(table, wanted.table(table), found.table(table))
    assert words == []
