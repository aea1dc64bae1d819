"""The twenty checks of validate.py in the words of other validators, over PostgreSQL: dbt tests, Soda checks, Great Expectations. Each writes its own files into
a folder and gives the command that runs them; the command fails where a check does, or could not be made."""

import json
from urllib.parse import urlsplit

# Pinned, so that what is compared is the same.
DBT = ["dbt-core==1.9.11", "dbt-postgres==1.9.1"]
SODA = ["soda-core-postgres==3.5.6", "setuptools"]
GREAT_EXPECTATIONS = ["great_expectations==1.24.1", "sqlalchemy", "psycopg2-binary"]

TOTAL_ROWS = (
    "SELECT o.id FROM stocktake_order o LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM stocktake_orderline GROUP BY order_id) l"
    " ON l.order_id = o.id WHERE abs(o.total - coalesce(l.amount, 0)) > 0.01 OR o.total IS NULL AND l.amount IS NOT NULL"
)


def connection(url):
    """User, password, host, port and database of a PostgreSQL URL."""
    parts = urlsplit(url)
    return {
        "user": parts.username or "postgres",
        "password": parts.password or "none",
        "host": parts.hostname or "localhost",
        "port": parts.port or 5432,
        "database": parts.path.lstrip("/"),
    }


def dbt(folder, binary, url, references, keys, bounds):
    """A project of sources with `relationships` and `unique` tests, and a singular test for what has no generic one."""
    (folder / "tests").mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    at = connection(url)
    output = {
        "type": "postgres",
        "host": at["host"],
        "port": at["port"],
        "user": at["user"],
        "password": at["password"],
        "dbname": at["database"],
        "schema": "public",
        "threads": 2,
    }
    # JSON is YAML.
    (folder / "profiles.yml").write_text(json.dumps({"stock": {"target": "own", "outputs": {"own": output}}}))
    project = {"name": "stock", "version": "1.0", "profile": "stock", "model-paths": ["models"], "test-paths": ["tests"]}
    (folder / "dbt_project.yml").write_text(json.dumps({**project, "flags": {"send_anonymous_usage_stats": False, "partial_parse": True}}))
    columns = {}
    for table, column, parent in references:
        test = {"relationships": {"to": f"source('stock', '{parent}')", "field": "id"}}
        columns.setdefault(table, {}).setdefault(column, []).append(test)
        columns.setdefault(parent, {})
    for table, names in keys:
        if len(names) == 1:
            columns.setdefault(table, {}).setdefault(names[0], []).append("unique")
        else:
            listed = ", ".join(names)
            sql = f"SELECT {listed} FROM {{{{ source('stock', '{table}') }}}} GROUP BY {listed} HAVING count(*) > 1"
            (folder / "tests" / f"unique_{table}.sql").write_text(sql + "\n")
    for table, column, least in bounds:
        (folder / "tests" / f"least_{table}.sql").write_text(f"SELECT id FROM {{{{ source('stock', '{table}') }}}} WHERE {column} < {least}\n")
    (folder / "tests" / "totals.sql").write_text(TOTAL_ROWS + "\n")
    tables = [
        {"name": table, "columns": [{"name": name, "tests": tests} for name, tests in found.items()]} for table, found in columns.items()
    ]
    sources = {"version": 2, "sources": [{"name": "stock", "schema": "public", "tables": tables}]}
    (folder / "models" / "sources.yml").write_text(json.dumps(sources))
    return f"cd {folder} && {binary}/dbt --quiet --no-version-check test --project-dir . --profiles-dir . > dbt.log"


def soda(folder, binary, url, references, keys, bounds):
    """A scan of SodaCL checks; totals as failed rows. Telemetry off, as it waits for a network."""
    folder.mkdir(parents=True, exist_ok=True)
    at = connection(url)
    source = {
        "type": "postgres",
        "host": at["host"],
        "port": str(at["port"]),
        "username": at["user"],
        "password": at["password"],
        "database": at["database"],
        "schema": "public",
    }
    (folder / ".soda").mkdir(exist_ok=True)
    (folder / ".soda" / "config.yml").write_text("send_anonymous_usage_stats: false\nuser_cookie_id: none\n")
    (folder / "configuration.yml").write_text(json.dumps({"data_source stock": source}))
    checks = {}
    for table, column, parent in references:
        checks.setdefault(table, []).append(f"values in ({column}) must exist in {parent} (id)")
    for table, names in keys:
        checks.setdefault(table, []).append(f"duplicate_count({', '.join(names)}) = 0")
    for table, column, least in bounds:
        checks.setdefault(table, []).append(f"min({column}) >= {least}")
    checks.setdefault("stocktake_order", []).append({"failed rows": {"name": "totals", "fail query": TOTAL_ROWS}})
    (folder / "checks.yml").write_text(json.dumps({f"checks for {table}": found for table, found in checks.items()}))
    return f"cd {folder} && HOME={folder} {binary}/soda scan -d stock -c configuration.yml checks.yml > soda.log"


PROGRAM = """
import json, os, sys
import great_expectations as gx
import great_expectations.expectations as gxe

given = json.load(open(sys.argv[1]))
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False}
source = context.data_sources.add_postgres("stock", connection_string=given["url"])
wanted = {}
for table, column, parent in given["references"]:
    query = f"SELECT c.id FROM {table} c WHERE c.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.id = c.{column})"
    wanted.setdefault(table, []).append(gxe.UnexpectedRowsExpectation(unexpected_rows_query=query))
for table, names in given["keys"]:
    one = gxe.ExpectColumnValuesToBeUnique(column=names[0]) if len(names) == 1 else gxe.ExpectCompoundColumnsToBeUnique(column_list=names)
    wanted.setdefault(table, []).append(one)
for table, column, least in given["bounds"]:
    wanted.setdefault(table, []).append(gxe.ExpectColumnValuesToBeBetween(column=column, min_value=least))
wanted.setdefault("stocktake_order", []).append(gxe.UnexpectedRowsExpectation(unexpected_rows_query=given["total"]))
made = 0
for table, expectations in wanted.items():
    batch = source.add_table_asset(name=table, table_name=table).add_batch_definition_whole_table("all").get_batch()
    result = batch.validate(gx.ExpectationSuite(name=table, expectations=expectations))
    made += len(result.results)
    assert result.success, result
assert made == given["made"], made
"""


def great_expectations(folder, binary, url, references, keys, bounds):
    """A suite for each table; references and totals as queries for unexpected rows."""
    folder.mkdir(parents=True, exist_ok=True)
    at = connection(url)
    own = f"postgresql+psycopg2://{at['user']}:{at['password']}@{at['host']}:{at['port']}/{at['database']}"
    made = len(references) + len(keys) + len(bounds) + 1
    given = {"url": own, "references": references, "keys": keys, "bounds": bounds, "total": TOTAL_ROWS, "made": made}
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "suites.py").write_text(PROGRAM)
    return f"cd {folder} && HOME={folder} GX_ANALYTICS_ENABLED=false {binary}/python suites.py given.json > gx.log 2>&1"
