"""Dumps of real Django projects restore into an empty schema on every database, and give the rows that they were made from."""

import json
import re

import pytest

from conftest import corpora_folder
from corpus import Corpus, Picture, differences
from relink import CLEAN, REFUSED, restore, validate

FOLDER = corpora_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="RELINK_CORPORA names no folder of corpora")

# An orphan that upstream's own data holds: a reference that Django declares without a constraint. It is no business of a restore.
KNOWN_ORPHANS = frozenset({"wagtailcore_pagelogentry.page_id"})

# Their primary key is a reference, so `--natural-foreign` does not reach it; what it names has lost its id by
# `--natural-primary`. Django's own loaddata cannot restore these either.
UNNAMED = {
    ("wagtail_bakerydemo", "dump_natboth.json"): ["wagtailcore.workflowcontenttype", "wagtailcore.workflowpage"],
}

# Their generic references name pages by ids that `--natural-primary` has left out as well: which page is meant, nothing tells any more.
UNNAMED_BY_TYPE = {
    ("wagtail_bakerydemo", "dump_natboth.json"): ["wagtailcore.revision", "wagtailcore.workflowstate"],
}

# Exports that the project's own loaddata takes and that tell all their references, by set. `natpk` stands apart, see below.
EXPORTS = [
    ("django_oscar_sandbox", "dump_plain.json"),
    ("django_oscar_sandbox", "dump_natfk.json"),
    ("django_oscar_sandbox", "dump_natboth.json"),
    ("wagtail_bakerydemo", "dump_plain.json"),
    ("wagtail_bakerydemo", "dump_natfk.json"),
]


def labels_of(records: list[dict]) -> frozenset[str]:
    return frozenset(record["model"] for record in records)


def labels_without_ids(records: list[dict]) -> frozenset[str]:
    return frozenset(record["model"] for record in records if record.get("pk") is None)


class Case:
    """One export on one database."""

    def __init__(self, name: str, export: str, database, tmp_path, prepare=lambda script: script, ignore_unnamed=True):
        self.corpus = Corpus(FOLDER / name)
        self.export = self.corpus.folder / export
        self.ignored = UNNAMED.get((name, export), []) if ignore_unnamed else []
        self.records = [record for record in json.loads(self.export.read_text()) if record["model"] not in self.ignored]
        self.database = database
        self.truth = self.corpus.truth(tmp_path / "truth.sqlite")
        database.run_script(prepare(self.corpus.schema(database.dialect)))
        self.config = self.corpus.config(
            tmp_path / "relink.toml",
            database,
            without_references=KNOWN_ORPHANS,
            readings=self.corpus.readings(self.records, self.truth),
            ignore=self.ignored,
        )

    def restore(self, *arguments):
        return restore(self.export, self.database, "--config", self.config, *arguments)

    def judge(self):
        """The restored rows are the truth's, and the database itself finds nothing."""
        generated = labels_without_ids(self.records)
        expected = Picture(self.corpus, self.truth, generated)
        found = Picture(self.corpus, self.database, generated)
        tables = self.corpus.tables_of(labels_of(self.records))
        assert differences(expected, found, tables) == []
        assert self.database.orphans() == []
        validate(self.database).expect(CLEAN)


@pytest.mark.parametrize(("name", "export"), EXPORTS, ids=lambda value: value.split(".")[0])
def test_a_dump_restores_into_an_empty_schema_and_equals_the_truth(name, export, database, tmp_path):
    case = Case(name, export, database, tmp_path)
    run = case.restore().expect(CLEAN)
    assert run.totals()["inserted"] == run.totals()["read"]
    case.judge()


@pytest.mark.parametrize(("name", "export"), EXPORTS, ids=lambda value: value.split(".")[0])
def test_a_dump_restored_again_with_mode_skip_changes_nothing(name, export, database, tmp_path):
    case = Case(name, export, database, tmp_path)
    case.restore().expect(CLEAN)
    before = database.fingerprint()
    again = case.restore("--mode", "skip").expect(CLEAN)
    assert again.totals()["inserted"] == again.totals()["updated"] == again.totals()["rejected"] == 0
    assert again.totals()["skipped"] + again.totals()["unchanged"] == again.totals()["read"]
    assert database.fingerprint() == before


@pytest.mark.parametrize(("name", "export"), UNNAMED)
def test_references_that_the_export_itself_has_lost_are_refused_and_nothing_else(name, export, database, tmp_path):
    case = Case(name, export, database, tmp_path, ignore_unnamed=False)
    before = database.fingerprint()
    run = case.restore().expect(REFUSED)
    assert database.fingerprint() == before
    found = sorted({(finding["code"], finding["relation"]) for finding in run.findings() if finding["severity"] == "error"})
    lost = sorted(UNNAMED[name, export] + UNNAMED_BY_TYPE[name, export])
    assert found == [("restore::unnamed-reference", label.replace(".", "_")) for label in lost]


@pytest.mark.parametrize("name", ["django_oscar_sandbox", "wagtail_bakerydemo"])
def test_natural_primary_keys_alone_restore_right_or_are_refused_with_the_references(name, database, tmp_path):
    """`--natural-primary` without `--natural-foreign` leaves out ids that other records still refer to."""
    case = Case(name, "dump_natpk.json", database, tmp_path)
    before = database.fingerprint()
    run = case.restore().expect(CLEAN, REFUSED)
    if run.code == CLEAN:
        case.judge()
        return
    assert database.fingerprint() == before
    assert {finding["code"] for finding in run.findings() if finding["severity"] == "error"} == {"restore::unnamed-reference"}, run


@pytest.mark.parametrize("name", ["django_oscar_sandbox", "wagtail_bakerydemo"])
def test_ids_that_are_left_out_are_the_truths_where_the_order_tells_them(name, database, tmp_path):
    """Every content type has permissions, so as many ids are referred to as there are content types."""
    case = Case(name, "dump_natpk.json", database, tmp_path)
    case.records = [record for record in case.records if record["model"] in ("contenttypes.contenttype", "auth.permission")]
    case.export = tmp_path / "natpk.json"
    case.export.write_text(json.dumps(case.records))
    run = case.restore().expect(CLEAN)
    assert {finding["code"] for finding in run.findings()} == {"restore::recovered-ids"}
    case.judge()


def test_upstreams_fixture_restores_beside_migrated_content_types(database, tmp_path):
    """What upstream loads into a migrated database: content types and permissions are there, the rest is in the fixture."""
    # The fixture is older than this column, and Django's default for it is no default of the database.
    true = "true" if database.dialect == "postgres" else "1"

    def prepare(script: str) -> str:
        column = r"([\"`]?keyboard_shortcuts[\"`]? [a-z0-9()]+ NOT NULL)"
        return re.sub(column, rf"\1 DEFAULT {true}", script)

    case = Case("wagtail_bakerydemo", "upstream_fixture_bakerydemo.json", database, tmp_path, prepare)
    migrated = ["django_content_type", "auth_permission"]
    for table in migrated:
        database.insert(table, case.corpus.stored(table, case.truth.rows(table), database.dialect))
    case.restore().expect(CLEAN)
    tables = case.corpus.tables_of(labels_of(case.records))
    found, expected = Picture(case.corpus, database), Picture(case.corpus, case.truth)
    assert differences(expected, found, tables | set(migrated)) == []
    assert database.orphans() == []
