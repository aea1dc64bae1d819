#!/usr/bin/env python3
"""Twenty checks over the stocktake inventory: relink on live databases and over an export, beside the same checks as plain SQL, in dbt, Soda and Great
Expectations, and in DuckDB.

    tests/run --exec python3 benches/validate.py [--records 1000000] [--rounds 3] [--work DIR] [--peers dbt,soda,gx]

Makes the inventory with that many records, loads it into SQLite and (where servers are named, as `tests/run --exec` does) PostgreSQL and MariaDB, and writes it
as row files (JSON Lines). Then hyperfine runs each way of making the same twenty checks in turn, after one warm-up. Every way must find the same: nothing.
Printed are medians of wall and CPU time (of the programs, not of the servers), the largest resident memory, and the ratio to plain SQL (live) or to DuckDB
(export) from the same run. What is made stays in `--work`, and is made anew for another number of records. `--peers ''` leaves the peers out, which are installed from PyPI into the folder.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import validators

ROOT = Path(__file__).resolve().parent.parent
DUCKDB = "duckdb==1.4.1"

# Check of relink, and the SQL that counts what it finds.
REFERENCES = [
    ("stocktake_item", "category_id", "stocktake_category"),
    ("stocktake_item", "supplier_id", "stocktake_supplier"),
    ("stocktake_stock", "item_id", "stocktake_item"),
    ("stocktake_stock", "location_id", "stocktake_location"),
    ("stocktake_movement", "item_id", "stocktake_item"),
    ("stocktake_movement", "location_id", "stocktake_location"),
    ("stocktake_movement", "user_id", "auth_user"),
    ("stocktake_order", "supplier_id", "stocktake_supplier"),
    ("stocktake_order", "created_by_id", "auth_user"),
    ("stocktake_orderline", "order_id", "stocktake_order"),
    ("stocktake_orderline", "item_id", "stocktake_item"),
    ("stocktake_item_tags", "item_id", "stocktake_item"),
    ("stocktake_item_tags", "tag_id", "stocktake_tag"),
]
KEYS = [
    ("stocktake_item", ["sku"]),
    ("stocktake_order", ["number"]),
    ("stocktake_orderline", ["order_id", "line_no"]),
    ("stocktake_movement", ["reference"]),
]
BOUNDS = [("stocktake_item", "cost", 0), ("stocktake_orderline", "quantity", 1)]
TOTAL = "total:stocktake_order.total"


def checks():
    """The ids of relink's checks."""
    found = [f"ref:{table}.{column}" for table, column, _ in REFERENCES]
    for table, columns in KEYS:
        found.append(f"unique:{table}.{columns[0]}" if len(columns) == 1 else f"unique:{table}({','.join(columns)})")
    return [*found, *(f"min:{table}.{column}" for table, column, _ in BOUNDS), TOTAL]


def queries(anti_join):
    """The same as SQL, in the shape of anti-join that the database runs fast."""
    for table, column, parent in REFERENCES:
        if anti_join == "exists":
            yield (
                f"SELECT count(*) FROM {table} c WHERE c.{column} IS NOT NULL"
                f" AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.id = c.{column})"
            )
        else:
            yield (
                f"SELECT count(*) FROM {table} c LEFT JOIN {parent} p ON p.id = c.{column}"
                f" WHERE c.{column} IS NOT NULL AND p.id IS NULL"
            )
    for table, columns in KEYS:
        names = ", ".join(columns)
        yield f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {names} HAVING count(*) > 1) g"
    for table, column, least in BOUNDS:
        yield f"SELECT count(*) FROM {table} WHERE {column} < {least}"
    yield (
        "SELECT count(*) FROM stocktake_order o LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM stocktake_orderline GROUP BY order_id) l"
        " ON l.order_id = o.id WHERE abs(o.total - coalesce(l.amount, 0)) > 0.01 OR o.total IS NULL AND l.amount IS NOT NULL"
    )


def run(command, **options):
    subprocess.run(command, check=True, **options)


def row_files(tables, folder):
    """One file of JSON Lines for each table of a table map."""
    folder.mkdir(exist_ok=True)
    content = json.loads(tables.read_text(), parse_float=str)
    # The tables may stand beside metadata, one level down.
    content = next((part for part in content.values() if isinstance(part, dict) and any(isinstance(rows, list) for rows in part.values())), content)
    for name, rows in content.items():
        if isinstance(rows, list):
            with (folder / f"{name}.jsonl").open("w") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def measure(name, commands, rounds, work):
    """Runs the commands side by side; wall, CPU and memory of each."""
    result = work / "hyperfine.json"
    arguments = ["hyperfine", "--style", "none", "--warmup", "1", "--runs", str(rounds), "--export-json", str(result)]
    for label, command in commands:
        arguments += ["--command-name", label, command]
    run(arguments)
    measured = json.loads(result.read_text())["results"]
    base = measured[0]["median"]
    for (label, command), one in zip(commands, measured, strict=True):
        peak = subprocess.run(["/usr/bin/time", "-f", "%M", "sh", "-c", command], capture_output=True, text=True, check=True)
        memory = int(peak.stderr.split()[-1]) / 1024
        cpu = one["user"] + one["system"]
        print(f"| {name} | {label} | {one['median']:.2f} | {cpu:.2f} | {memory:.0f} | {one['median'] / base:.2f} |", flush=True)


def peers(names, work, url):
    """The peers' commands by their names."""
    known = {
        "dbt": ("dbt", validators.DBT, validators.dbt),
        "soda": ("Soda", validators.SODA, validators.soda),
        "gx": ("Great Expectations", validators.GREAT_EXPECTATIONS, validators.great_expectations),
    }
    for name in filter(None, names.split(",")):
        label, packages, prepare = known[name]
        environment = work / f"venv-{name}"
        if not environment.exists():
            run([sys.executable, "-m", "venv", environment])
            run([environment / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *packages])
        yield label, prepare(work / name, environment / "bin", url, REFERENCES, KEYS, BOUNDS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--peers", default="dbt,soda,gx")
    arguments = parser.parse_args()
    run(["cargo", "build", "--release", "--quiet", "-p", "relink-cli", "-p", "relink-testkit", "--bins"], cwd=ROOT)
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        benchmark(built, work, arguments)


def benchmark(built, work, arguments):
    schema = ROOT / "testdata/stocktake/schema"
    database = work / "stock.db"
    made = work / "records"
    if not made.exists() or made.read_text() != str(arguments.records):
        made.unlink(missing_ok=True)
        for form in ("csv", "tables"):
            run([built / "stocktake", "--records", str(arguments.records), "--only", form, "--out", work / form, "--indent", "0"])
        row_files(work / "tables/clean.tables.json", work / "rows")
        database.unlink(missing_ok=True)
        run(["sqlite3", database, f".read {schema / 'sqlite.sql'}"])
        run(["sqlite3", database, ".read load.sqlite.sql"], cwd=work / "csv")
        made.write_text(str(arguments.records))
    environment = work / "venv"
    if not environment.exists():
        run([sys.executable, "-m", "venv", environment])
        run([environment / "bin/pip", "install", "--quiet", DUCKDB])
    only = " ".join(f"--only '{check}'" for check in checks())
    rules = f"--config {ROOT / 'testdata/stocktake/relink.toml'} --no-infer -q"
    print(f"{arguments.records} records, 20 checks, medians of {arguments.rounds} runs")
    print("| where | who | wall s | CPU s | peak MB | ratio |\n|---|---|---|---|---|---|")

    script = work / "sqlite-checks.sql"
    script.write_text(";\n".join(queries("join")) + ";\n")
    live = f"{built / 'relink'} validate sqlite:{database} {rules} {only}"
    measure("SQLite", [("plain SQL", f"sqlite3 {database} < {script}"), ("relink", live)], arguments.rounds, work)

    script = work / "server-checks.sql"
    script.write_text(";\n".join(queries("exists")) + ";\n")
    url = os.environ.get("RELINK_TEST_POSTGRES")
    if url:
        run(["psql", "-q", "-d", url, "-c", "DROP DATABASE IF EXISTS relink_bench", "-c", "CREATE DATABASE relink_bench"])
        own = url.rsplit("/", 1)[0] + "/relink_bench"
        run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", own, "-f", schema / "postgres.sql"], stdout=subprocess.DEVNULL)
        run(["psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", own, "-f", "load.postgres.sql"], cwd=work / "csv", stdout=subprocess.DEVNULL)
        run(["psql", "-q", "-d", own, "-c", "VACUUM ANALYZE"])
        live = f"{built / 'relink'} validate {own} {rules} {only}"
        commands = [("plain SQL", f"psql -q -d {own} -f {script}"), ("relink", live), *peers(arguments.peers, work, own)]
        measure("PostgreSQL", commands, arguments.rounds, work)
        run(["psql", "-q", "-d", url, "-c", "DROP DATABASE relink_bench"])

    url = os.environ.get("RELINK_TEST_MYSQL")
    if url:
        parts = urlsplit(url)
        client = f"mariadb -h{parts.hostname} -P{parts.port} -u{parts.username} -p{parts.password}"
        run(["sh", "-c", f"{client} -e 'DROP DATABASE IF EXISTS relink_bench; CREATE DATABASE relink_bench'"])
        run(["sh", "-c", f"{client} relink_bench < {schema / 'mysql.sql'}"])
        run(["sh", "-c", f"{client} --local-infile=1 relink_bench < load.mysql.sql"], cwd=work / "csv")
        run(["sh", "-c", f"{client} relink_bench -e 'ANALYZE TABLE {', '.join(sorted(set(table for table, _, _ in REFERENCES)))}' > /dev/null"])
        own = url.rsplit("/", 1)[0] + "/relink_bench"
        live = f"{built / 'relink'} validate {own} {rules} {only}"
        measure("MariaDB", [("plain SQL", f"{client} relink_bench < {script}"), ("relink", live)], arguments.rounds, work)
        run(["sh", "-c", f"{client} -e 'DROP DATABASE relink_bench'"])

    tables = sorted({table for table, _, _ in REFERENCES} | {parent for _, _, parent in REFERENCES})
    views = [
        f"CREATE TABLE {table} AS SELECT * FROM read_json('{work / 'rows' / table}.jsonl', format='newline_delimited')" for table in tables
    ]
    code = ["import duckdb", "c = duckdb.connect()", "c.execute('SET threads TO 2')"]
    code += [f"c.execute({view!r})" for view in views]
    casts = [query.replace("sum(amount)", "sum(amount::DECIMAL(12,2))").replace("o.total", "o.total::DECIMAL(12,2)") for query in queries("exists")]
    casts = [query.replace("WHERE cost < 0", "WHERE cost::DECIMAL(10,2) < 0") for query in casts]
    code += [f"assert c.execute({query!r}).fetchone()[0] == 0" for query in casts]
    program = work / "duckdb-checks.py"
    program.write_text("\n".join(code) + "\n")
    export = f"{built / 'relink'} validate {work / 'rows'} --schema {schema / 'sqlite.sql'} {rules} {only}"
    measure("export", [("DuckDB", f"{environment / 'bin/python'} {program}"), ("relink", export)], arguments.rounds, work)


if __name__ == "__main__":
    main()
