"""Another environment of the same project: the target is migrated and has people, groups and stock of its own, under ids that the export's objects
have there, and some of the export's objects under other ids. Django judges, by what its objects are and not by their ids."""

import pytest

from databases import Sqlite
from relink import CLEAN, REFUSED, restore
from stock import configuration, meaning

ONE_MORE = "; from stock import rows; rows.one_more()"


@pytest.fixture(scope="session")
def exported(dumps) -> dict:
    """The source's objects by meaning."""
    return meaning(Sqlite(dumps["plain"].parent / "source.sqlite"))


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
def test_objects_that_exist_are_found_whatever_their_ids_and_all_others_are_added(form, mode, ids, elsewhere, dumps, exported, tmp_path):
    before = meaning(elsewhere)
    config = configuration(tmp_path, mode=mode, ids=ids)
    run = restore(dumps[form], elsewhere, "--config", config).expect(CLEAN)
    found = meaning(elsewhere, ONE_MORE)
    expected = {**exported, **before} if mode == "skip" else {**before, **exported}
    assert differing(found, expected) == []
    assert elsewhere.orphans() == []
    assert run.totals()["inserted"] > 300


@pytest.mark.parametrize("form", ["plain", "natboth"])
def test_ids_that_others_have_are_refused_where_ids_are_kept(form, elsewhere, dumps, tmp_path):
    """Ids are kept by default: what the target gave to another row is no id for this one, and nothing is written."""
    before = elsewhere.fingerprint()
    run = restore(dumps[form], elsewhere, "--config", configuration(tmp_path, mode="upsert")).expect(REFUSED)
    codes = {finding["code"] for finding in run.findings() if finding["severity"] == "error"}
    # Two warehouses would have one id, and with it their shelves one key.
    assert "restore::id-taken" in codes and codes <= {"restore::id-taken", "restore::duplicate-key"}, str(run)
    assert elsewhere.fingerprint() == before
