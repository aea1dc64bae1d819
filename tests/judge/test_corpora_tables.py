"""Table maps of well-known sample databases restore under every schema that they have, whatever its naming style."""

import csv
import json
import re
import sqlite3
from collections import Counter

import pytest

from conftest import corpora_folder
from corpus import compare
from databases import Database
from relink import CLEAN, FINDINGS, restore, validate
from values import canonical, declared_kind

FOLDER = corpora_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="RELINK_CORPORA names no folder of corpora")


def text(path: str) -> str:
    return (FOLDER / path).read_text(encoding="utf-8-sig")


def without_database_commands(script: str) -> str:
    return re.sub(r"(?mi)^(DROP|CREATE) (DATABASE|SCHEMA)[^;]*;|^USE [^;]*;|^\\c .*$", "", script)


# Schemas, alone and with the rows that the export came from


def chinook_sqlite() -> str:
    connection = sqlite3.connect(f"file:{FOLDER / 'chinook/Chinook_Sqlite.sqlite'}?mode=ro", uri=True)
    try:
        return ";\n".join(sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
    finally:
        connection.close()


def chinook(dialect: str, with_rows: bool) -> str:
    if dialect == "sqlite":
        return chinook_sqlite()
    script = without_database_commands(
        text({"postgres": "chinook/Chinook_PostgreSql.sql", "mysql": "chinook/Chinook_MySql.sql"}[dialect])
    )
    return script if with_rows else re.sub(r"(?ms)^INSERT INTO .*?\);$", "", script)


def northwind(dialect: str, with_rows: bool) -> str:
    return text(f"northwind/{'northwind' if with_rows else 'schema'}.{dialect}.sql")


def sakila(dialect: str, with_rows: bool) -> str:
    script = text(f"sakila/{dialect}-sakila-schema.sql")
    # Of this table, the export knows no `last_update`; MariaDB has a default for it.
    column = r"(?s)(CREATE TABLE payment \(.*?last_update TIMESTAMP NOT NULL),"
    script = re.sub(column, r"\1 DEFAULT CURRENT_TIMESTAMP,", script, count=1)
    if dialect == "mysql":
        script = without_database_commands(script)
        # Procedures, functions and views are no business of a restore.
        script = script[: script.index("-- View structure")] if "-- View structure" in script else script
        script = re.sub(r"(?ms)^DELIMITER //.*", "", script)
    return script + (text("sakila/postgres-sakila-insert-data-using-copy.sql") if with_rows else "")


SCHEMAS = {"chinook": chinook, "northwind": northwind, "sakila": sakila}

# What the naming rules cannot know.
CONFIGS = {
    ("sakila", "sqlite"): """
        ignore_models = [
            "payment_p2007_01", "payment_p2007_02", "payment_p2007_03",
            "payment_p2007_04", "payment_p2007_05", "payment_p2007_06",
        ]
        [table.customer]
        fields = { activebool = "" }
        [table.film]
        fields = { fulltext = "" }
    """,
}
CONFIGS["sakila", "mysql"] = CONFIGS["sakila", "sqlite"]
# Columns that the target's own triggers overwrite on insert.
OVERWRITTEN = {("sakila", "sqlite"): {"last_update"}}

CASES = [
    ("chinook", "ChinookData.json", "sqlite"),
    ("chinook", "ChinookData.json", "postgres"),
    ("chinook", "ChinookData.json", "mysql"),
    ("chinook", "node_export.pg.json", "sqlite"),
    ("chinook", "node_export.pg.json", "postgres"),
    ("chinook", "node_export.pg.json", "mysql"),
    ("chinook", "node_export.my.json", "sqlite"),
    ("chinook", "node_export.my.json", "postgres"),
    ("chinook", "node_export.my.json", "mysql"),
    ("northwind", "node_export.pg.json", "postgres"),
    ("northwind", "node_export.sqlite.json", "sqlite"),
    ("sakila", "node_export.pg.json", "sqlite"),
    ("sakila", "node_export.pg.json", "postgres"),
    ("sakila", "node_export.pg.json", "mysql"),
]

# Where the export came from this very database: its rows are the truth, and not only what the export says of them.
TRUTHS = [
    ("chinook", "node_export.pg.json", "postgres"),
    ("chinook", "node_export.my.json", "mysql"),
    ("northwind", "node_export.pg.json", "postgres"),
    ("northwind", "node_export.sqlite.json", "sqlite"),
    ("sakila", "node_export.pg.json", "postgres"),
]


def folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def decoded(value, kind: str):
    """A value as JSON.stringify wrote it -> as the column holds it."""
    if isinstance(value, dict) and value.get("type") == "Buffer":
        return bytes(value["data"])
    return canonical(value, kind)


def kinds(database: Database, table: str) -> dict[str, str]:
    return {column: declared_kind(declared) for column, declared in database.columns(table).items()}


def rows_of_table(database: Database, table: str, without: set[str]) -> Counter:
    by_column = kinds(database, table)
    return Counter(
        tuple((column, canonical(value, by_column[column])) for column, value in sorted(row.items()) if column not in without)
        for row in database.rows(table)
    )


def rows_of_export(records: list[dict], database: Database, table: str, without: set[str]) -> Counter:
    by_column = kinds(database, table)
    columns = {folded(column): column for column in by_column}
    rows: Counter = Counter()
    for record in records:
        row = {columns[folded(name)]: value for name, value in record.items() if folded(name) in columns}
        row = {column: decoded(value, by_column[column]) for column, value in row.items() if column not in without}
        rows[tuple(sorted(row.items()))] += 1
    return rows


def restored(name, export, database, tmp_path):
    database.run_script(SCHEMAS[name](database.dialect, False))
    options = []
    if config := CONFIGS.get((name, database.dialect)):
        path = tmp_path / "relink.toml"
        path.write_text("\n".join(line.strip() for line in config.splitlines()))
        options = ["--config", path]
    assert not any(database.count(table) for table in database.tables())
    return restore(FOLDER / name / export, database, *options), options


@pytest.mark.parametrize(("name", "export", "dialect"), CASES, ids=lambda value: value.removesuffix(".json"))
def test_a_table_map_restores_and_holds_what_the_export_says(name, export, dialect, make_database, tmp_path):
    database = make_database(dialect)
    run, options = restored(name, export, database, tmp_path)
    run.expect(CLEAN)
    assert database.orphans() == []
    validate(database).expect(CLEAN)
    without = OVERWRITTEN.get((name, dialect), set())
    tables = {folded(table): table for table in database.tables()}
    words = []
    for label, records in json.loads(text(f"{name}/{export}")).items():
        if not records and folded(label) not in tables:
            continue
        table = tables[folded(label)]
        words += compare(
            table,
            rows_of_export(records, database, table, without),
            rows_of_table(database, table, without | unsaid(records, database, table)),
        )
    assert words == []

    before = database.fingerprint()
    again = restore(FOLDER / name / export, database, "--mode", "skip", *options).expect(CLEAN)
    assert again.totals()["inserted"] == 0
    assert database.fingerprint() == before


def unsaid(records: list[dict], database: Database, table: str) -> set[str]:
    """Columns of the table that the export does not hold."""
    said = {folded(name) for record in records[:1] for name in record}
    return {column for column in database.columns(table) if records and folded(column) not in said}


@pytest.mark.parametrize(("name", "export", "dialect"), TRUTHS, ids=lambda value: value.removesuffix(".json"))
def test_a_table_map_gives_back_the_database_that_it_came_from(name, export, dialect, make_database, tmp_path):
    truth, database = make_database(dialect), make_database(dialect)
    truth.run_script(SCHEMAS[name](dialect, True))
    run, _ = restored(name, export, database, tmp_path)
    run.expect(CLEAN)
    words = []
    for table in truth.tables():
        words += compare(table, rows_of_table(truth, table, set()), rows_of_table(database, table, set()))
    assert words == []


# Rows with real orphans, and no constraint that would have kept them out

BASEBALL = {
    "Teams": ["yearID", "teamID", "lgID"],
    "AllstarFull": ["playerID", "yearID", "gameNum", "gameID", "teamID"],
    "Schools": ["schoolID", "name_full"],
    "CollegePlaying": ["playerID", "schoolID", "yearID"],
}


def test_validate_finds_the_real_orphans_of_undeclared_references(database, tmp_path):
    export = {}
    for table, columns in BASEBALL.items():
        # Read by bytes: one file holds bytes of a code page.
        with open(FOLDER / "baseball" / f"{table}.csv", newline="", encoding="utf-8", errors="replace") as file:
            export[table] = [{column: row[column] or None for column in columns} for row in csv.DictReader(file)]
        integers = {"yearID", "gameNum"}
        listed = ", ".join(
            f"{database.quote(column)} {'integer' if column in integers else 'varchar(255)'}" for column in columns
        )
        database.run_script(f"CREATE TABLE {database.quote(table)} ({listed});")
    path = tmp_path / "baseball.json"
    path.write_text(json.dumps(export))
    restore(path, database).expect(CLEAN)

    config = tmp_path / "relink.toml"
    config.write_text(
        '[table.AllstarFull]\nrefs = ["(yearID, teamID) -> Teams(yearID, teamID)"]\n'
        '[table.CollegePlaying]\nrefs = ["schoolID -> Schools.schoolID"]\n'
    )
    report = validate(database, "--config", config).expect(FINDINGS).report
    # That neither reference points to a unique key is a warning.
    failed = [check for check in report["checks"] if check["status"] == "fail" and check["severity"] == "error"]
    assert {check["kind"] for check in failed} == {"ref"}
    # One more row of AllstarFull has no year: NULL in any part excuses.
    counts = {check["relation"]: (check["counts"]["failed"], check["counts"]["not_judged"]) for check in failed}
    assert counts == {"AllstarFull": (138, 1), "CollegePlaying": (10, 0)}
