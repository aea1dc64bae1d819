"""From one database to the next and back: what Django dumps on SQLite is what it dumps after each journey, through PostgreSQL and MariaDB to SQLite again."""

import pytest

from relink import CLEAN, restore
from stock import CONFIG, FORMS, django, migrated_and_emptied, records

JOURNEY = ["postgres", "mysql", "sqlite", "mysql", "postgres", "sqlite"]


@pytest.mark.parametrize("form", ["plain", "natboth"])
def test_an_export_is_the_same_after_every_database(form, templates, copy_of, dumps, tmp_path):
    config = tmp_path / "relink.toml"
    config.write_text(CONFIG)
    dump = dumps[form]
    first = records(dump.read_text())
    for number, dialect in enumerate(JOURNEY):
        database = copy_of(templates("empty", dialect, migrated_and_emptied))
        run = restore(dump, database, "--config", config).expect(CLEAN)
        assert run.totals()["inserted"] == run.totals()["read"]
        dump = tmp_path / f"{number}-{dialect}.json"
        dump.write_text(django(database, "dumpdata", *FORMS[form]))
        assert records(dump.read_text()) == first, f"after {dialect}, journey {number}"
        assert database.orphans() == []
