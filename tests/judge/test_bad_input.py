"""Bad input, and bad luck: a clear error that names its place, the documented exit code, and a database that did not change."""

import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest

import yard
from databases import Database, Sqlite, named
from relink import CLEAN, DATABASE, EXPORT, REFUSED, USAGE, Run, binary, environment, restore

DEEP = 10_000
LONG = 200_000_000


@pytest.fixture
def target(database) -> Database:
    """The schema with two rows, so that there is something to damage."""
    database.run_script(yard.SCHEMA[database.dialect])
    database.insert("yard_depot", [{"id": 1, "name": "there before", "parent_id": None}])
    database.insert("yard_crate", [{"id": 100, "depot_id": 1, "label": "there before", "amount": 3}])
    return database


@pytest.fixture
def refused(target, tmp_path):
    """Restores a bad export, and checks what holds for every one of them."""

    def check(content, *codes: int, name="bad.json", line: int | None = None, arguments=()) -> Run:
        path = tmp_path / name
        if not isinstance(content, bytes):
            content = (content if isinstance(content, str) else json.dumps(content, indent=1)).encode()
        path.write_bytes(content)
        before = target.fingerprint()
        run = restore(path, target, *arguments).expect(*codes)
        assert target.fingerprint() == before, "the database changed"
        said = run.stdout + run.stderr
        if line is not None:
            in_text = re.search(rf"{re.escape(name)}:{line}:\d+", said)
            in_json = re.search(rf'"line": ?{line}\b', said)
            assert in_text or in_json, f"line {line} of {name} is not named\n{run}"
        return run

    return check


# Exports that cannot be read


def test_a_truncated_export_names_the_line_where_it_ends(refused):
    whole = json.dumps(yard.GOOD, indent=1)
    cut = whole[: len(whole) * 2 // 3]
    refused(cut, EXPORT, line=cut.count("\n") + 1)


def test_a_truncated_gzip_file_is_refused(refused):
    packed = gzip.compress(json.dumps([yard.depot(number, f"depot {number}") for number in range(2, 5000)]).encode())
    refused(packed[: len(packed) // 2], EXPORT, name="bad.json.gz")


@pytest.mark.parametrize(
    "content", ["", "  \n", '"text"', "5", "[1, 2]", '[{"pk": 1}]', '[{"model": 5, "pk": 1, "fields": {}}]', "nonsense"]
)
def test_a_wrong_top_level_is_refused(refused, content):
    run = refused(content, EXPORT)
    assert "bad.json" in run.stdout + run.stderr


@pytest.mark.parametrize(
    "content", ['[{"model": "yard.depot", "pk": 2, "fields": {"name": "x",}}]', '[{"model": "yard.depot", // comment\n "pk": 2}]']
)
def test_what_is_nearly_json_is_refused_with_its_place(refused, content):
    refused(content, EXPORT, line=1)


def test_invalid_utf8_is_refused_with_its_place(refused):
    content = json.dumps([yard.depot(2, "x"), yard.depot(3, "PLACE")], indent=1).encode().replace(b"PLACE", b"a\xff\xfeb")
    refused(content, EXPORT, line=content[: content.index(b"\xff")].count(b"\n") + 1)


def test_nan_is_refused_where_no_column_can_hold_it(refused):
    content = json.dumps([yard.crate(1, 1, amount=float("nan"))], indent=1)
    assert "NaN" in content
    refused(content, EXPORT, REFUSED, line=content[: content.index("NaN")].count("\n") + 1)


def test_duplicate_keys_in_an_object_are_refused(refused):
    content = '[\n{"model": "yard.depot", "pk": 2, "fields": {"name": "one",\n"name": "two"}}\n]'
    run = refused(content, EXPORT, REFUSED)
    assert "name" in run.stdout + run.stderr


def test_nesting_ten_thousand_deep_is_refused_and_does_not_crash(refused):
    content = '[{"model": "yard.depot", "pk": 2, "fields": {"name": ' + "[" * DEEP + "]" * DEEP + "}}]"
    refused(content, EXPORT, REFUSED)


def test_a_deep_value_of_an_unknown_field_does_not_crash(refused):
    content = '[{"model": "yard.depot", "pk": 2, "fields": {"name": "x", "unknown": ' + '{"a":' * DEEP + "1" + "}" * DEEP + "}}]"
    refused(content, EXPORT, REFUSED)


def test_a_field_of_200_megabytes_restores_exactly_or_is_refused_clearly(target, tmp_path):
    path = tmp_path / "long.json"
    with path.open("w") as file:
        head, tail = json.dumps([yard.depot(2, "x"), yard.crate(7, 2, note="PLACE")]).split("PLACE")
        file.write(head)
        for _ in range(LONG // 1000):
            file.write("0123456789" * 100)
        file.write(tail)
    before = target.fingerprint()
    run = restore(path, target).expect(CLEAN, REFUSED, EXPORT)
    path.unlink()
    if run.code == CLEAN:
        length = {"postgres": "octet_length(note)", "mysql": "length(note)", "sqlite": "length(note)"}[target.dialect]
        assert target.query(f"SELECT {length} FROM yard_crate WHERE id = 7") == [(LONG,)]
    else:
        assert target.fingerprint() == before
        # A server's limit on a packet, in its own words or ours.
        assert "note" in run.stdout + run.stderr or "packet" in run.stdout + run.stderr, run


# Exports that can be read and must not be restored


def test_an_unknown_model_is_refused_with_the_nearest_name(refused):
    run = refused([{"model": "yard.depott", "pk": 2, "fields": {"name": "x"}}], REFUSED, line=2)
    assert "yard_depot" in run.stdout


def test_an_unknown_field_is_refused_with_the_nearest_name(refused):
    run = refused([{"model": "yard.depot", "pk": 2, "fields": {"name": "x", "parrent": None}}], REFUSED)
    assert "parrent" in run.stdout
    assert "parent" in run.stdout.replace("parrent", "")


def test_a_table_twice_in_a_table_map_is_refused(refused):
    content = '{"yard_depot": [{"id": 2, "name": "x"}],\n"yard_depot": [{"id": 3, "name": "y"}]}'
    run = refused(content, EXPORT, REFUSED)
    assert "yard_depot" in run.stdout + run.stderr


def test_every_problem_is_reported_in_one_run_each_with_its_place(refused):
    records = [
        yard.depot(2, "twice"),
        yard.depot(2, "same id"),
        yard.depot(3, "twice"),
        yard.depot(4, None),
        yard.depot(5, "x" * 41),
        yard.crate(1, 77),
        yard.crate(2, 2, amount="many"),
        yard.crate(3, 2, price="1.005"),
        yard.crate(4, 2, amount=2**40),
        {"model": "yard.unknown", "pk": 1, "fields": {}},
    ]
    run = refused(records, REFUSED)
    findings = run.findings()
    lines = {finding["place"]["line"] for finding in findings if finding["place"]}
    text = json.dumps(records, indent=1)
    starts = [index for index, line in enumerate(text.splitlines(), 1) if '"model":' in line] + [len(text)]
    # SQLite enforces neither lengths nor the scale of a decimal, and its integers have 64 bits.
    lenient = {4, 7, 8} if isinstance(run.arguments[3], str) and run.arguments[3].startswith("sqlite:") else set()
    for number in set(range(1, len(records))) - lenient:
        inside = range(starts[number] - 1, starts[number + 1] - 1)
        # Of two records that clash either may be blamed; the other place names its twin.
        twins = [finding["other_place"]["line"] for finding in findings if finding.get("other_place")]
        assert any(line in inside for line in lines | set(twins)), f"record {number}, lines {inside}, is not blamed\n{run}"


def test_a_restored_row_that_exists_is_a_conflict(refused):
    run = refused([yard.depot(1, "another name")], REFUSED)
    assert "yard_depot" in run.stdout


# Encodings


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="utf-8 with bom"),
        pytest.param(lambda text: b"\xff\xfe" + text.encode("utf-16-le"), id="utf-16 little-endian"),
        pytest.param(lambda text: b"\xfe\xff" + text.encode("utf-16-be"), id="utf-16 big-endian"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(lambda text: b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le"), id="powershell"),
    ],
)
def test_dumps_as_people_have_them_restore(database, tmp_path, encode):
    database.run_script(yard.SCHEMA[database.dialect])
    path = tmp_path / "dump.json"
    path.write_bytes(encode(json.dumps(yard.GOOD, ensure_ascii=False, indent=1)))
    restore(path, database).expect(CLEAN)
    assert yard.rows_in(database) == yard.rows_of(yard.GOOD)


def test_bytes_of_a_code_page_are_refused_with_a_hint_and_read_with_it(database, tmp_path):
    database.run_script(yard.SCHEMA[database.dialect])
    path = tmp_path / "dump.json"
    content = json.dumps(yard.GOOD, ensure_ascii=False, indent=1).encode("windows-1252")
    path.write_bytes(content)
    before = database.fingerprint()
    run = restore(path, database).expect(EXPORT)
    said = run.stdout + run.stderr
    assert "--encoding" in said
    line = content[: content.index("ü".encode("windows-1252"))].count(b"\n") + 1
    assert f"dump.json:{line}:" in said or f'"line": {line}' in said, run
    assert database.fingerprint() == before
    restore(path, database, "--encoding", "windows-1252").expect(CLEAN)
    assert yard.rows_in(database) == yard.rows_of(yard.GOOD)


# Databases that cannot be used


@pytest.fixture
def good(tmp_path) -> Path:
    return yard.written(tmp_path / "good.json", yard.GOOD)


@pytest.mark.parametrize("url", ["oracle://host/db", "nonsense", "postgres://host", "sqlite:"])
def test_a_wrong_url_is_a_usage_error_that_shows_what_one_looks_like(good, url):
    run = restore(good, url).expect(USAGE)
    assert "postgres://" in run.stderr or "names no database" in run.stderr, run


def test_a_missing_export_is_named(database, tmp_path):
    database.run_script(yard.SCHEMA[database.dialect])
    run = restore(tmp_path / "nowhere.json", database).expect(EXPORT)
    assert "nowhere.json" in run.stdout + run.stderr


@pytest.mark.parametrize("scheme", ["postgres", "mysql"])
def test_an_unreachable_server_is_named_without_the_password(good, scheme):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    run = restore(good, f"{scheme}://someone:s3cret@127.0.0.1:{port}/shop").expect(DATABASE)
    assert str(port) in run.stderr
    assert "s3cret" not in run.stdout + run.stderr


def test_a_database_that_does_not_exist_is_refused(good, make_database, dialect, tmp_path):
    if dialect == "sqlite":
        # Without a schema to make it from there is nothing to restore into.
        run = restore(good, f"sqlite:{tmp_path / 'nowhere' / 'file.db'}").expect(DATABASE)
    else:
        server = make_database(dialect).server
        run = restore(good, named(server, "judge_of_nothing")).expect(DATABASE)
    assert "nowhere" in run.stderr or "judge_of_nothing" in run.stderr


def test_a_database_without_the_tables_is_refused_and_stays_empty(good, database):
    with database.connect():
        pass
    run = restore(good, database).expect(REFUSED)
    assert "yard_depot" in run.stdout + run.stderr or "yard.depot" in run.stdout + run.stderr
    assert database.tables() == []


@pytest.fixture
def role(target):
    """Makes a role that may read, and no more, unless it is granted more."""
    name = f"judge_{os.getpid()}_{int(time.time() * 1000) % 10**9}"
    made = []

    def make(rights: str = "SELECT") -> str:
        made.append(name)
        if target.dialect == "postgres":
            target.query(f'CREATE ROLE "{name}" LOGIN')
            target.query(f'GRANT {rights} ON ALL TABLES IN SCHEMA public TO "{name}"')
            if "INSERT" in rights:
                # A restore puts the sequences behind its rows.
                target.query(f'GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO "{name}"')
            return named(target.server, target.name, name)
        target.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY 's3cret'")
        target.query(f"GRANT {rights} ON `{target.name}`.* TO '{name}'@'%'")
        return named(target.server, target.name, name, "s3cret")

    make.name = name
    yield make
    if made and target.dialect == "postgres":
        target.query(f'DROP OWNED BY "{name}"')
        target.query(f'DROP ROLE "{name}"')
    elif made:
        target.query(f"DROP USER '{name}'@'%'")


@pytest.mark.parametrize("dialect", ["postgres", "mysql"], indirect=True)
def test_a_role_without_privileges_is_told_which_are_missing(good, target, role):
    url = role("SELECT")
    before = target.fingerprint()
    run = restore(good, url).expect(DATABASE)
    said = run.stdout + run.stderr
    assert "INSERT" in said, run
    assert "yard_depot" in said, run
    assert "s3cret" not in said
    assert target.fingerprint() == before


@pytest.mark.parametrize("dialect", ["postgres", "mysql"], indirect=True)
def test_a_read_only_database_is_refused(good, target, role):
    url = role("SELECT, INSERT, UPDATE, DELETE")
    before = target.fingerprint()
    if target.dialect == "postgres":
        target.query(f'ALTER ROLE "{role.name}" SET default_transaction_read_only = on')
        run = restore(good, url)
    else:
        # Only roles without READ_ONLY ADMIN feel it, and only this test's is one that writes.
        target.query("SET GLOBAL read_only = 1")
        try:
            run = restore(good, url)
        finally:
            target.query("SET GLOBAL read_only = 0")
    run.expect(DATABASE)
    assert "read" in run.stderr.lower(), run
    assert target.fingerprint() == before


def test_a_read_only_sqlite_file_is_refused():
    """For root no file is read-only, so root hands the run to nobody."""
    folder = Path(tempfile.mkdtemp(prefix="relink-judge-"))
    try:
        database = Sqlite(folder / "target.sqlite")
        database.run_script(yard.SCHEMA["sqlite"])
        export = yard.written(folder / "good.json", yard.GOOD)
        for path in (database.path, export):
            path.chmod(0o444)
        command, options = [str(binary())], {}
        if os.geteuid() == 0:
            copied = shutil.copy(binary(), folder / "relink")
            folder.chmod(0o555)
            command, options = [copied], {"user": "nobody", "group": "nogroup", "extra_groups": []}
        before = database.path.read_bytes()
        done = subprocess.run(
            [*command, "restore", export, "--into", database.url],
            env=environment(),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert done.returncode == DATABASE, done
        assert database.path.read_bytes() == before
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("dialect", ["postgres", "mysql"], indirect=True)
def test_a_connection_lost_half_way_leaves_the_database_as_it_was(target, tmp_path):
    records = [yard.depot(2, "x"), *(yard.crate(number, 2, f"crate {number}") for number in range(200, 200_000))]
    path = tmp_path / "large.json"
    path.write_text(json.dumps(records))
    before = yard.rows_in(target)
    killed = threading.Event()

    def kill():
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not killed.is_set():
            if kill_writer(target):
                killed.set()
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    run = restore(path, target)
    happened = killed.is_set()
    killed.set()
    killer.join()
    assert happened, "the restore ended before its connection could be killed"
    run.expect(DATABASE)
    # The server rolls back on its own time.
    deadline = time.monotonic() + 30
    while yard.rows_in(target) != before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert yard.rows_in(target) == before


def kill_writer(target: Database) -> bool:
    """Ends the session that writes into this database; says whether there was one."""
    if target.dialect == "postgres":
        with psycopg.connect(target.server, autocommit=True) as connection:
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
                " AND (query ILIKE 'insert%%yard_crate%%' OR query ILIKE 'copy%%yard_crate%%')",
                (target.name,),
            ).fetchall()
            return bool(found)
    with target.admin() as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> connection_id()"
            " AND info LIKE 'INSERT%%yard_crate%%'",
            (target.name,),
        )
        found = cursor.fetchall()
        for (number,) in found:
            cursor.execute(f"KILL {number}")
        return bool(found)
