"""Rejected records: exactly the damaged ones and those that reference them stand in the reject file, each with its reason; mended and restored, they
bring exactly the rows that were missing. In every format that is read."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from databases import Database, ForeignKey
from relink import CLEAN, FINDINGS, REFUSED, USAGE, Run, restore, run_relink

STOCKTAKE = Path(__file__).parents[2] / "testdata" / "stocktake"
SCHEMA = STOCKTAKE / "schema"
# Where rows of join tables are lists of the records on their left side.
JOINS = {
    "auth_group_permissions": ("auth_group", "group_id"),
    "auth_user_groups": ("auth_user", "user_id"),
    "auth_user_user_permissions": ("auth_user", "user_id"),
    "stocktake_item_tags": ("stocktake_item", "item_id"),
}
VIRTUAL = ForeignKey("stocktake_order", ("deliver_to",), "stocktake_location", ("code",))

# A record of the export: its table and its id.
Key = tuple[str, int]


@dataclass(frozen=True)
class Damage:
    """What is done to one record, and how relink calls it."""

    key: Key
    column: str
    value: object
    # Where references are by natural key.
    named: object
    code: str


def damages(truth: dict[str, dict[int, dict]], closure) -> list[Damage]:
    """One of each kind. Of the records that could be damaged that one is, which takes the fewest along, but some."""

    def choose(table: str, suits=lambda row: True) -> Key:
        sizes = {(table, pk): len(closure([(table, pk)])) for pk, row in truth[table].items() if suits(row)}
        return min((key for key in sizes if sizes[key] > 1), key=lambda key: (sizes[key], key))

    lines = truth["stocktake_orderline"]
    twice = next(pk for pk, row in lines.items() if row["line_no"] == 2)
    alone = max(truth["stocktake_movement"])
    return [
        Damage(choose("stocktake_item"), "unit_price", "12.345", "12.345", "restore::unfit-value"),
        Damage(choose("stocktake_document"), "item_id", 999_999, ["NO-SUCH-ITEM"], "restore::dangling-reference"),
        Damage(choose("stocktake_location"), "is_bonded", None, None, "restore::missing-value"),
        Damage(("stocktake_orderline", twice), "line_no", 1, 1, "restore::duplicate-key"),
        # Only the database itself knows what its CHECK allows.
        Damage(("stocktake_movement", alone), "quantity", 0, 0, "restore::refused-row"),
    ]


class Export:
    """The sample in one format, with its records at hand."""

    lists = False
    arguments: tuple[str, ...] = ()

    def __init__(self, folder: Path):
        self.folder = folder

    def written(self, name: str, changed: dict[Key, tuple[str, object, object]]) -> Path:
        """The whole export, with some records changed: column, value, value where references are by natural key."""
        raise NotImplementedError

    def records(self, path: Path) -> dict[Key, dict]:
        """What an export in this format holds, read without relink."""
        raise NotImplementedError

    def mended(self, rejects: Path, whole: dict[Key, dict]) -> None:
        """Puts the undamaged records in the place of the rejected ones."""
        raise NotImplementedError


def django_table(record: dict) -> str:
    return {"contenttypes.contenttype": "django_content_type"}.get(record["model"], record["model"].replace(".", "_"))


class DjangoArray(Export):
    lists = True
    ending = "json"

    def dump(self, path: Path, records: list[dict]) -> None:
        path.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")

    def load(self, path: Path) -> list[dict]:
        return json.loads(path.read_text(encoding="utf-8"))

    def written(self, name, changed):
        records = json.loads((STOCKTAKE / "clean.django.json").read_text(encoding="utf-8"))
        for record in records:
            column, _, named = changed.get((django_table(record), record["pk"]), (None, None, None))
            if column:
                field = column.removesuffix("_id") if column.removesuffix("_id") in record["fields"] else column
                assert field in record["fields"]
                record["fields"][field] = named
        path = self.folder / f"{name}.{self.ending}"
        self.dump(path, records)
        return path

    def records(self, path):
        return {(django_table(record), record["pk"]): record for record in self.load(path)}

    def mended(self, rejects, whole):
        self.dump(rejects, [whole[django_table(record), record["pk"]] for record in self.load(rejects)])


class DjangoLines(DjangoArray):
    ending = "jsonl"

    def dump(self, path, records):
        path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")

    def load(self, path):
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class TableMap(Export):
    def dump(self, path: Path, tables: dict[str, list[dict]]) -> None:
        path.write_text(json.dumps(tables, ensure_ascii=False, indent=1), encoding="utf-8")

    def load(self, path: Path) -> dict[str, list[dict]]:
        return json.loads(path.read_text(encoding="utf-8"))

    def written(self, name, changed):
        tables = json.loads((STOCKTAKE / "clean.tables.json").read_text(encoding="utf-8"))["data"]
        for table, rows in tables.items():
            for row in rows:
                column, value, _ = changed.get((table, row["id"]), (None, None, None))
                if column:
                    assert column in row
                    row[column] = value
        path = self.folder / (f"{name}.json" if type(self) is TableMap else name)
        self.dump(path, tables)
        return path

    def records(self, path):
        return {(table, row["id"]): row for table, rows in self.load(path).items() for row in rows}

    def mended(self, rejects, whole):
        self.dump(rejects, {table: [whole[table, row["id"]] for row in rows] for table, rows in self.load(rejects).items()})


class RowFiles(TableMap):
    """A folder with an array of rows for every other table, and a row a line for the others."""

    # Rows of content types have a column `model`, as records of a Django dump have.
    arguments = ("--from", "row-files")

    def dump(self, path, tables):
        path.mkdir(exist_ok=True)
        for number, (table, rows) in enumerate(sorted(tables.items())):
            lines, array = path / f"{table}.jsonl", path / f"{table}.json"
            if lines.exists() or (not array.exists() and number % 2):
                text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                lines.write_text(text, encoding="utf-8")
            else:
                array.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")

    def load(self, path):
        tables = {}
        for file in sorted(path.iterdir()):
            text = file.read_text(encoding="utf-8")
            rows = json.loads(text) if file.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
            tables[file.stem] = rows
        return tables


def contents(database: Database, without: set[Key] = frozenset()) -> dict[str, Counter]:
    """Every row but those; of join tables without the ids, which the database may give out in any order."""
    found = {}
    for table in database.tables():
        rows = [row for row in database.rows(table) if (table, row["id"]) not in without]
        kept = [{name: value for name, value in row.items() if table not in JOINS or name != "id"} for row in rows]
        found[table] = Counter(repr(row) for row in kept)
    return found


class Sample:
    """The undamaged sample in a database, and what of it would go if some of it went."""

    def __init__(self, database: Database, export: Export, config: Path):
        self.export = export
        self.whole = export.written("whole", {})
        restore(self.whole, database, "--schema", SCHEMA, "--config", config, *export.arguments).expect(CLEAN)
        self.contents = lambda without=frozenset(): contents(database, without)
        self.rows = {table: {row["id"]: row for row in database.rows(table)} for table in database.tables()}
        self.references: dict[Key, set[Key]] = {}
        for key in [*database.foreign_keys(), VIRTUAL]:
            there = {
                tuple(row[column] for column in key.referenced_columns): pk for pk, row in self.rows[key.referenced].items()
            }
            for pk, row in self.rows[key.table].items():
                values = tuple(row[column] for column in key.columns)
                if None not in values:
                    self.references.setdefault((key.referenced, there[values]), set()).add((key.table, pk))
        if export.lists:
            # A record's list is a part of it.
            for table, (source, column) in JOINS.items():
                for pk, row in self.rows[table].items():
                    self.references.setdefault((table, pk), set()).add((source, row[column]))
                    self.references.setdefault((source, row[column]), set()).add((table, pk))

    def closure(self, keys: list[Key]) -> set[Key]:
        """These rows and all that reference them, directly or through others."""
        found = set(keys)
        waiting = list(keys)
        while waiting:
            fresh = self.references.get(waiting.pop(), set()) - found
            found |= fresh
            waiting += fresh
        return found


@pytest.fixture
def config(tmp_path) -> Path:
    """Without the rule about totals: an order whose line is rejected breaks it, and rightly."""
    path = tmp_path / "relink.toml"
    text = (STOCKTAKE / "relink.toml").read_text(encoding="utf-8")
    changed = re.sub(r"(?m)^totals = .*$", "", text)
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    return path


def stable(report: dict) -> dict:
    """A report without what a dry run and a real one may say differently."""
    kept = {key: value for key, value in report.items() if key not in {"dry_run", "validation"}}
    checks = [(check["id"], check["status"], check["counts"]) for check in report["validation"]["checks"]]
    return {**kept, "checks": checks}


@pytest.mark.parametrize("form", [DjangoArray, DjangoLines, TableMap, RowFiles])
def test_rejected_records_are_exactly_the_damaged_ones_and_mended_bring_exactly_the_missing_rows(
    dialect, make_database, tmp_path, config, form
):
    sample = Sample(make_database(dialect), form(tmp_path), config)
    export = sample.export
    planted = damages(sample.rows, sample.closure)
    whole = export.records(sample.whole)
    damaged = export.written("damaged", {damage.key: (damage.column, damage.value, damage.named) for damage in planted})
    missing = sample.closure([damage.key for damage in planted])
    expected = {key for key in missing if key in whole}
    assert len(expected) > len(planted), "some records are only taken along"

    target = make_database(dialect)
    arguments = [damaged, target, "--schema", SCHEMA, "--config", config, "--on-error", "reject", *export.arguments]
    before = {path.name for path in tmp_path.iterdir()}
    rehearsed = restore(*arguments, "--dry-run", cwd=tmp_path).expect(FINDINGS)
    assert {path.name for path in tmp_path.iterdir()} == before, "a dry run writes nothing"
    run = restore(*arguments, cwd=tmp_path).expect(FINDINGS)
    assert stable(rehearsed.report) == stable(run.report)

    told = run.report["rejects"]
    path, reasons = tmp_path / told["path"], tmp_path / told["reasons"]
    assert path.name.startswith("damaged.rejects")
    assert told["records"] == len(expected) == sum(table["records"] for table in told["tables"])
    assert run.totals()["rejected"] == len(missing)
    assert target.orphans() == []
    assert contents(target) == sample.contents(missing)

    rejected = export.records(path)
    assert rejected == {key: record for key, record in export.records(damaged).items() if key in expected}
    check_reasons(export, planted, rejected, [json.loads(line) for line in reasons.read_text(encoding="utf-8").splitlines()])

    export.mended(path, whole)
    again = restore(path, target, "--config", config, *export.arguments, cwd=tmp_path).expect(CLEAN)
    assert again.report["rejects"] is None
    assert again.totals()["inserted"] == again.totals()["read"] == len(missing)
    assert contents(target) == sample.contents()


def check_reasons(export: Export, planted: list[Damage], rejected: dict[Key, dict], reasons: list[dict]) -> None:
    """Each record has its line: its number in the reject file, its own reason first, a planted one at the root."""
    codes = {damage.key: damage.code for damage in planted}
    in_order: dict[str, list[Key]] = {}
    for key in rejected:
        in_order.setdefault("" if export.lists else key[0], []).append(key)
    of_record = {}
    for line in reasons:
        key = in_order["" if export.lists else line["relation"]][line["number"]]
        assert key[0] == line["relation"] == line["reasons"][0]["relation"]
        assert Path(line["place"]["file"]).stem in {"damaged", line["relation"]}
        of_record[line["record"]] = key
        own = line["reasons"][0]["code"]
        if key in codes:
            assert own == codes[key], line
        else:
            assert own == "restore::follows-rejected", line
            assert len(line["reasons"]) > 1
    assert set(of_record.values()) == set(rejected) and len(reasons) == len(rejected)
    for line in reasons:
        chain = [of_record[reason["record"]] for reason in line["reasons"]]
        assert chain[0] == of_record[line["record"]]
        assert chain[-1] in codes, "the root is a damaged record"


@pytest.fixture
def damaged(tmp_path) -> Path:
    """An order's line that is wrong."""
    return DjangoArray(tmp_path).written("damaged", {("stocktake_orderline", 1): ("quantity", "many", "many")})


def test_where_the_rest_breaks_a_rule_nothing_is_restored_and_no_reject_file_is_left(database, tmp_path, damaged):
    run = restore(
        damaged, database, "--schema", SCHEMA, "--config", STOCKTAKE / "relink.toml", "--on-error", "reject", cwd=tmp_path
    ).expect(REFUSED)
    assert run.report["status"] == "invalid" and run.report["rejects"] is None
    assert {path.name for path in tmp_path.iterdir()} - {"target0.sqlite"} == {"damaged.json"}


def test_an_existing_reject_file_is_refused_before_anything_is_written(database, tmp_path, damaged, config):
    def attempt(*arguments) -> Run:
        return restore(damaged, database, "--schema", SCHEMA, "--config", config, *arguments, cwd=tmp_path)

    kept = tmp_path / "damaged.rejects.json.reasons.jsonl"
    kept.write_text("what was rejected earlier", encoding="utf-8")
    run = attempt("--on-error", "reject").expect(USAGE)
    assert kept.name in run.stderr and "--rejects" in run.stderr
    assert not (tmp_path / "target0.sqlite").exists() and (database.dialect == "sqlite" or database.tables() == [])
    assert kept.read_text(encoding="utf-8") == "what was rejected earlier"
    attempt("--on-error", "reject", "--rejects", "nowhere/rejects.json").expect(USAGE)
    attempt("--rejects", "elsewhere.json").expect(USAGE)
    run = attempt("--on-error", "reject", "--rejects", "elsewhere.json").expect(FINDINGS)
    assert run.report["rejects"]["path"] == "elsewhere.json"
    assert (tmp_path / "elsewhere.json").exists() and (tmp_path / "elsewhere.json.reasons.jsonl").exists()


def test_the_text_report_says_why_where_and_how_it_goes_on(make_database, tmp_path, damaged, config):
    database = make_database("sqlite")
    run = run_relink(
        "restore", damaged, "--into", database.url, "--schema", SCHEMA, "--config", config, "--on-error", "reject", cwd=tmp_path
    ).expect(FINDINGS)
    assert "stocktake_orderline: 1 restore::unfit-value (quantity)" in run.stdout
    again = re.search(r"when they are mended: relink (restore .*)", run.stdout)
    rejects = tmp_path / "damaged.rejects.json"
    rejects.write_text(rejects.read_text(encoding="utf-8").replace('"many"', "28"), encoding="utf-8")
    run_relink(*again[1].split(), cwd=tmp_path).expect(CLEAN)
    whole = make_database("sqlite")
    restore(STOCKTAKE / "clean.django.json", whole, "--schema", SCHEMA, "--config", config).expect(CLEAN)
    assert contents(database) == contents(whole)
