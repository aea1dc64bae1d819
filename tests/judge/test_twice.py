"""The same restore a second time finds everything there, and changes nothing: no row, no counter."""

import pytest

from relink import CLEAN, restore
from stock import configuration


@pytest.mark.parametrize("form", ["plain", "natboth"])
@pytest.mark.parametrize("mode", ["skip", "upsert", "merge"])
def test_a_second_restore_changes_nothing_and_says_so(mode, form, elsewhere, dumps, tmp_path):
    config = configuration(tmp_path, mode=mode, ids="remap")
    first = restore(dumps[form], elsewhere, "--config", config).expect(CLEAN)
    before = elsewhere.fingerprint()
    again = restore(dumps[form], elsewhere, "--config", config).expect(CLEAN)
    totals = again.totals()
    assert totals["read"] == first.totals()["read"] > 300
    assert {name: count for name, count in totals.items() if count and name not in ("unchanged", "skipped")} == {"read": totals["read"]}
    assert sum(relation["deleted"] + relation["patched"] for relation in again.report["relations"]) == 0
    assert elsewhere.fingerprint() == before
