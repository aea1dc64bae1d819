"""The same restore a second time finds everything there, and changes nothing: no row, no counter."""

import pytest

from relink import CLEAN, restore
from stock import filled
from test_migrated_stock import target, written  # noqa: F401 - a fixture


@pytest.fixture(scope="session")
def dumps(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("twice"))


@pytest.mark.parametrize("form", ["plain", "natboth"])
@pytest.mark.parametrize("mode", ["skip", "upsert", "merge"])
def test_a_second_restore_changes_nothing_and_says_so(mode, form, target, dumps, tmp_path):  # noqa: F811
    config = written(tmp_path, mode=mode, ids="remap")
    first = restore(dumps[form], target, "--config", config).expect(CLEAN)
    before = target.fingerprint()
    again = restore(dumps[form], target, "--config", config).expect(CLEAN)
    totals = again.totals()
    assert totals["read"] == first.totals()["read"] > 300
    assert {name: count for name, count in totals.items() if count and name not in ("unchanged", "skipped")} == {"read": totals["read"]}
    assert sum(relation["deleted"] + relation["patched"] for relation in again.report["relations"]) == 0
    assert target.fingerprint() == before
