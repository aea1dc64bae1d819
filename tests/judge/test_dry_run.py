"""A dry run tells the truth and leaves no trace: no row, no counter, no byte of an SQLite file."""

import hashlib
import json

import pytest

import yard
from databases import Postgres, Sqlite
from relink import CLEAN, REFUSED, restore

# What a run is allowed to say differently: that it was a rehearsal, when it was, and how long it took.
RUN_FACTS = {"dry_run", "duration_ms", "now", "started"}


def without_run_facts(report):
    match report:
        case dict():
            return {key: without_run_facts(value) for key, value in report.items() if key not in RUN_FACTS}
        case list():
            return [without_run_facts(value) for value in report]
    return report


def traces(database) -> list:
    """Everything that a dry run must leave as it was."""
    kept = [database.fingerprint(), database.counters()]
    if isinstance(database, Sqlite):
        kept.append(hashlib.sha256(database.path.read_bytes()).hexdigest())
        kept.append(sorted(path.name for path in database.path.parent.iterdir()))
    if isinstance(database, Postgres):
        kept.append(database.constraints())
    return kept


@pytest.fixture
def target(database):
    database.run_script(yard.SCHEMA[database.dialect])
    database.insert("yard_depot", [{"id": 1, "name": "there before", "parent_id": None}])
    database.insert("yard_crate", [{"id": 3, "depot_id": 1, "label": "there before", "amount": 3}])
    return database


RECORDS = [
    *yard.GOOD,
    *(yard.crate(number, 11 + number % 2, f"crate {number}") for number in range(1000, 4000)),
]


@pytest.mark.parametrize("mode", ["insert", "skip"])
def test_a_dry_run_changes_nothing_and_reports_what_the_real_run_reports(target, tmp_path, mode):
    path = yard.written(tmp_path / "good.json", RECORDS + ([yard.depot(1, "there before")] if mode == "skip" else []))
    before = traces(target)
    rehearsed = restore(path, target, "--mode", mode, "--dry-run").expect(CLEAN)
    assert traces(target) == before
    again = restore(path, target, "--mode", mode, "--dry-run").expect(CLEAN)
    assert traces(target) == before
    real = restore(path, target, "--mode", mode).expect(CLEAN)
    assert target.count("yard_crate") == len(RECORDS) - 2 + 1
    assert without_run_facts(rehearsed.report) == without_run_facts(real.report) == without_run_facts(again.report)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(yard.crate(9, 99), id="dangling reference"),
        pytest.param(yard.crate(1, 11), id="duplicate key"),
        pytest.param(yard.crate(9, 11, amount="x"), id="unfit value"),
        pytest.param(yard.crate(9, 11, amount=-1), id="broken check"),
        pytest.param(yard.crate(3, 11), id="existing row"),
    ],
)
def test_a_dry_run_fails_as_the_real_run_fails(target, tmp_path, bad):
    path = yard.written(tmp_path / "bad.json", [*RECORDS, bad])
    before = traces(target)
    rehearsed = restore(path, target, "--dry-run")
    assert traces(target) == before
    real = restore(path, target).expect(REFUSED)
    assert rehearsed.code == real.code
    assert without_run_facts(rehearsed.report) == without_run_facts(real.report)
    assert yard.rows_in(target)["yard_depot"] == [(1, "there before", None)]


def test_a_dry_run_with_a_schema_leaves_an_empty_database_empty(database, tmp_path):
    with database.connect():
        pass
    schema = tmp_path / "schema.sql"
    schema.write_text(yard.SCHEMA[database.dialect])
    path = yard.written(tmp_path / "good.json", yard.GOOD)
    before = traces(database)
    rehearsed = restore(path, database, "--schema", schema, "--dry-run").expect(CLEAN)
    assert database.tables() == []
    assert traces(database) == before
    real = restore(path, database, "--schema", schema).expect(CLEAN)
    assert yard.rows_in(database) == yard.rows_of(yard.GOOD)
    assert without_run_facts(rehearsed.report) == without_run_facts(real.report)


def test_a_dry_run_makes_no_sqlite_file(tmp_path):
    schema = tmp_path / "schema.sql"
    schema.write_text(yard.SCHEMA["sqlite"])
    path = yard.written(tmp_path / "good.json", yard.GOOD)
    names = sorted(file.name for file in tmp_path.iterdir())
    restore(path, f"sqlite:{tmp_path / 'new.sqlite'}", "--schema", schema, "--dry-run").expect(CLEAN)
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    restore(path, f"sqlite:{tmp_path / 'new.sqlite'}", "--schema", schema).expect(CLEAN)
    assert yard.rows_in(Sqlite(tmp_path / "new.sqlite")) == yard.rows_of(yard.GOOD)


CYCLE = {
    "sqlite": """
        CREATE TABLE doc (id integer PRIMARY KEY, current_id integer NOT NULL REFERENCES version (id));
        CREATE TABLE version (id integer PRIMARY KEY, doc_id integer NOT NULL REFERENCES doc (id));
    """,
    "postgres": """
        CREATE TABLE doc (id integer PRIMARY KEY, current_id integer NOT NULL);
        CREATE TABLE version (id integer PRIMARY KEY, doc_id integer NOT NULL REFERENCES doc (id));
        ALTER TABLE doc ADD FOREIGN KEY (current_id) REFERENCES version (id);
    """,
    "mysql": """
        CREATE TABLE doc (id integer PRIMARY KEY, current_id integer NOT NULL);
        CREATE TABLE version (id integer PRIMARY KEY, doc_id integer NOT NULL, FOREIGN KEY (doc_id) REFERENCES doc (id));
        ALTER TABLE doc ADD FOREIGN KEY (current_id) REFERENCES version (id);
    """,
}


def test_a_cycle_is_broken_and_put_back_in_a_dry_run_as_in_a_real_one(database, tmp_path):
    """Both sides are NOT NULL, so constraints themselves have to give way for a while."""
    database.run_script(CYCLE[database.dialect])
    rows = {
        "doc": [{"id": n, "current_id": 100 + n} for n in range(9)],
        "version": [{"id": 100 + n, "doc_id": n} for n in range(9)],
    }
    path = tmp_path / "cycle.json"
    path.write_text(json.dumps(rows))
    before = traces(database)
    rehearsed = restore(path, database, "--dry-run").expect(CLEAN)
    assert traces(database) == before
    real = restore(path, database).expect(CLEAN)
    assert (database.count("doc"), database.count("version")) == (9, 9)
    assert database.orphans() == []
    if isinstance(database, Postgres):
        assert database.constraints() == before[2]
    assert without_run_facts(rehearsed.report) == without_run_facts(real.report)

    rows["doc"].append({"id": 50, "current_id": 999})
    path.write_text(json.dumps({"doc": rows["doc"][-1:]}))
    restore(path, database).expect(REFUSED)
    assert database.orphans() == []
    assert database.count("doc") == 9
