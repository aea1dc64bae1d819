"""Another environment of the same project: the target is migrated and has people, groups and stock of its own, under ids that the export's objects
have there, and some of the export's objects under other ids. Django judges, by what its objects are and not by their ids."""

import json

import pytest

from databases import Sqlite
from relink import CLEAN, REFUSED, restore
from stock import CONFIG, django, filled, meaning, migrate

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

ONE_MORE = "; from stock import rows; rows.one_more()"


def written(tmp_path, **settings):
    path = tmp_path / "relink.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    path.write_text("\n".join([CONFIG, KEYS, "[restore]", *lines, ""]))
    return path


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The dumps, and the objects of their source by meaning."""
    folder = tmp_path_factory.mktemp("source")
    dumps = filled(folder)
    return dumps, meaning(Sqlite(folder / "source.sqlite"))


@pytest.fixture
def target(dialect, templates, copy_of):
    def fill(database):
        migrate(database)
        django(database, code="from stock import elsewhere; elsewhere.fill()")

    return copy_of(templates("elsewhere", dialect, fill))


def differing(found: dict, expected: dict) -> list[str]:
    """What differs between two sets of objects, in words."""
    words = [f"missing: {expected[key][:400]}" for key in expected if key not in found]
    words += [f"unexpected: {found[key][:400]}" for key in found if key not in expected]
    return words + [
        f"differs: {found[key][:400]}\nexpected {expected[key][:400]}"
        for key in found
        if key in expected and found[key] != expected[key]
    ]


# Every pair of form, mode and ids.
CASES = [
    ("plain", "skip", "remap"),
    ("plain", "upsert", "new"),
    ("natboth", "skip", "new"),
    ("natboth", "upsert", "remap"),
]


@pytest.mark.parametrize(("form", "mode", "ids"), CASES)
def test_objects_that_exist_are_found_whatever_their_ids_and_all_others_are_added(form, mode, ids, target, source, tmp_path):
    dumps, exported = source
    before = meaning(target)
    config = written(tmp_path, mode=mode, ids=ids)
    run = restore(dumps[form], target, "--config", config).expect(CLEAN)
    found = meaning(target, ONE_MORE)
    expected = {**exported, **before} if mode == "skip" else {**before, **exported}
    assert differing(found, expected) == []
    assert target.orphans() == []
    assert run.totals()["inserted"] > 300


@pytest.mark.parametrize("form", ["plain", "natboth"])
def test_ids_that_others_have_are_refused_where_ids_are_kept(form, target, source, tmp_path):
    """Ids are kept by default: what the target gave to another row is no id for this one, and nothing is written."""
    dumps, _ = source
    before = target.fingerprint()
    run = restore(dumps[form], target, "--config", written(tmp_path, mode="upsert")).expect(REFUSED)
    codes = {finding["code"] for finding in run.findings() if finding["severity"] == "error"}
    # Two warehouses would have one id, and with it their shelves one key.
    assert "restore::id-taken" in codes and codes <= {"restore::id-taken", "restore::duplicate-key"}, str(run)
    assert target.fingerprint() == before
