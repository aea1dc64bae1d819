"""Every container and every form of an export ends in the same rows as the plain form; bad ones name the file and the line."""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import random
import re
import shutil
import sqlite3
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

import yard
from conftest import corpora_folder, missing
from databases import Sqlite
from relink import CLEAN, EXPORT, REFUSED, USAGE, Run, binary, environment, run_relink

PLAIN = json.dumps(yard.GOOD, ensure_ascii=False, indent=1).encode()


def zstd(data: bytes) -> bytes:
    if not shutil.which("zstd"):
        missing("no program zstd")
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


PACKERS = {"gz": gzip.compress, "zst": zstd, "xz": lzma.compress, "bz2": bz2.compress}


def tar(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


ARCHIVES = {"zip": zipped, "tar": tar} | {
    f"tar.{ending}": lambda members, pack=pack: pack(tar(members)) for ending, pack in PACKERS.items()
}


def tables() -> dict[str, list[dict]]:
    """The good records as rows of their tables."""
    found: dict[str, list[dict]] = {table: [] for table in yard.TABLES}
    for record in yard.GOOD:
        row = {"id": record["pk"]}
        for name, value in record["fields"].items():
            row[name + "_id" if name in ("parent", "depot") else name] = value
        found[record["model"].replace(".", "_")].append(row)
    return found


def csv_text(rows: list[dict], line_break="\r\n") -> str:
    """NULL is an empty cell, text stands in quotes."""

    def cell(value):
        if value is None:
            return ""
        return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else str(value)

    lines = [",".join(rows[0])] + [",".join(map(cell, row.values())) for row in rows]
    return line_break.join(lines) + line_break


def as_json(rows):
    return json.dumps(rows, ensure_ascii=False).encode()


def as_lines(rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def as_csv(rows):
    return csv_text(rows).encode()


ROW_FORMS = {"json": as_json, "jsonl": as_lines, "ndjson": as_lines, "csv": as_csv}


def row_files(ending: str) -> dict[str, bytes]:
    return {f"{table}.{ending}": ROW_FORMS[ending](rows) for table, rows in tables().items()}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def target(tmp_path) -> Sqlite:
    database = Sqlite(tmp_path / "target.sqlite")
    database.run_script(yard.SCHEMA["sqlite"])
    return database


def restored(database, *exports, arguments=(), code=CLEAN) -> Run:
    return run_relink("restore", *exports, "--into", database.url, "--format", "json", *arguments).expect(code)


def holds_the_rows(database):
    assert yard.rows_in(database) == yard.rows_of(yard.GOOD)


# Containers


@pytest.mark.parametrize("ending", PACKERS)
def test_compressed_files_restore(target, tmp_path, ending):
    packed = tmp_path / f"dump.json.{ending}"
    packed.write_bytes(PACKERS[ending](PLAIN))
    run = restored(target, packed)
    assert run.report["export"]["name"] == str(packed)
    holds_the_rows(target)


@pytest.mark.parametrize("ending", ["gz", "xz", "bz2", "zst"])
def test_files_of_several_streams_restore(target, tmp_path, ending):
    pack = PACKERS[ending]
    packed = tmp_path / "dump"
    packed.write_bytes(pack(PLAIN[:50]) + pack(PLAIN[50:]))
    restored(target, packed)
    holds_the_rows(target)


@pytest.mark.parametrize("ending", ARCHIVES)
def test_archives_of_one_export_restore(target, tmp_path, ending):
    packed = tmp_path / f"backup.{ending}"
    packed.write_bytes(ARCHIVES[ending]({"backup/dump.json": PLAIN, "backup/README.txt": b"made at night"}))
    restored(target, packed)
    holds_the_rows(target)


@pytest.mark.parametrize("ending", ["", "gz", "tar.xz"])
def test_standard_input_restores(target, ending):
    data = PLAIN if not ending else PACKERS[ending](PLAIN) if ending in PACKERS else ARCHIVES[ending](row_files("csv"))
    done = subprocess.run(
        [str(binary()), "restore", "-", "--into", target.url, "--format", "json"],
        input=data,
        env=environment(),
        capture_output=True,
        timeout=300,
        check=False,
    )
    run = Run(["restore", "-"], done.returncode, done.stdout.decode(), done.stderr.decode()).expect(CLEAN)
    assert run.report["export"]["name"] == "standard input"
    holds_the_rows(target)


def test_a_pipe_restores(target, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = subprocess.Popen(["sh", "-c", 'cat > "$0"', str(pipe)], stdin=subprocess.PIPE)
    feeder.stdin.write(bz2.compress(PLAIN))
    feeder.stdin.close()
    restored(target, pipe)
    assert feeder.wait(timeout=60) == 0
    holds_the_rows(target)


# Several files


def test_fixtures_of_several_files_are_one_export(target, tmp_path):
    first, second, third = yard.GOOD[:1], yard.GOOD[1:3], yard.GOOD[3:]
    files = written(
        tmp_path / "fixtures",
        {
            "1.json": json.dumps(first).encode(),
            "2.jsonl.xz": lzma.compress(as_lines(second)),
            "3.json.gz": gzip.compress(json.dumps(third).encode()),
        },
    )
    # In any order, by the shell or as a folder: references lead from file to file.
    for order in (sorted(files.iterdir()), sorted(files.iterdir(), reverse=True), [files]):
        database = Sqlite(tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite")
        database.run_script(yard.SCHEMA["sqlite"])
        run = restored(database, *order)
        assert run.totals()["inserted"] == len(yard.GOOD)
        holds_the_rows(database)


def test_a_finding_names_the_right_file_of_several(target, tmp_path):
    files = written(
        tmp_path,
        {
            "a.json": json.dumps([yard.depot(1, "a")], indent=1).encode(),
            "b.json": json.dumps([yard.depot(2, "b"), yard.depot(3, "c", 77), yard.depot(4, "a")], indent=1).encode(),
        },
    )
    run = restored(target, files / "a.json", files / "b.json", code=REFUSED)
    places = {(Path(f["place"]["file"]).name, f["place"]["line"], f["place"]["pointer"]) for f in run.findings()}
    text = (files / "b.json").read_text().splitlines()
    dangling = next(number for number, line in enumerate(text, 1) if '"parent": 77' in line)
    assert ("b.json", dangling, "/1/fields/parent") in places, run
    twin = next(f for f in run.findings() if f.get("other_place"))
    assert {Path(twin[which]["file"]).name for which in ("place", "other_place")} == {"a.json", "b.json"}, run


def test_left_out_ids_are_told_from_the_order_within_one_file_only(target, tmp_path):
    depots = [yard.depot(None, "first"), yard.depot(None, "second")]
    crates = [yard.crate(1, 31), yard.crate(2, 32)]
    one, two = (json.dumps([record]).encode() for record in depots)
    files = written(tmp_path, {"a.json": one, "b.json": two, "c.json": as_json(crates), "all.json": as_json(depots + crates)})
    # Nobody knows which of two files was dumped first.
    restored(target, files / "b.json", files / "a.json", files / "c.json", code=REFUSED)
    restored(target, files / "all.json")
    assert target.query("SELECT id, name FROM yard_depot ORDER BY id") == [(31, "first"), (32, "second")]


def test_table_maps_of_several_files_are_one_export(target, tmp_path):
    for table, rows in tables().items():
        (tmp_path / f"{table}.json").write_bytes(json.dumps({"data": {table: rows}}).encode())
    restored(target, *(tmp_path / f"{table}.json" for table in yard.TABLES))
    holds_the_rows(target)


# Row files


@pytest.mark.parametrize("ending", ROW_FORMS)
def test_row_files_restore(database, tmp_path, ending):
    database.run_script(yard.SCHEMA[database.dialect])
    folder = written(tmp_path / "rows", row_files(ending) | {"schema.sql": b"", "SOURCE.md": b"# Whence"})
    run = restored(database, folder)
    assert "SOURCE.md" in squeezed(run.stderr) and "schema.sql" in squeezed(run.stderr)
    holds_the_rows(database)


@pytest.mark.parametrize("ending", ARCHIVES)
def test_archives_of_row_files_restore(target, tmp_path, ending):
    packed = tmp_path / "rows"
    packed.write_bytes(ARCHIVES[ending]({f"rows/{name}": data for name, data in row_files("csv").items()}))
    restored(target, packed)
    holds_the_rows(target)


def test_row_files_of_every_kind_and_compression_together_restore(target, tmp_path):
    depots, crates = tables().values()
    folder = written(
        tmp_path / "rows",
        {"YardDepot.csv.bz2": bz2.compress(as_csv(depots)), "sub/yard_crate.ndjson.xz": lzma.compress(as_lines(crates))},
    )
    restored(target, folder)
    holds_the_rows(target)


def test_a_row_file_can_name_the_namespace_of_its_table(make_database, tmp_path):
    database = make_database("postgres")
    database.run_script("CREATE SCHEMA shop; CREATE TABLE shop.items (id integer PRIMARY KEY, name text);")
    folder = written(tmp_path / "rows", {"shop.items.csv": b"id,name\n1,a\n"})
    restored(database, folder)
    assert database.query("SELECT id, name FROM shop.items") == [(1, "a")]


def test_a_single_row_file_restores_beside_what_is_there(target, tmp_path):
    for table in yard.TABLES:
        (tmp_path / f"{table}.csv").write_bytes(row_files("csv")[f"{table}.csv"])
        restored(target, tmp_path / f"{table}.csv")
    holds_the_rows(target)


def test_csv_in_a_code_page_restores(target, tmp_path):
    files = {name: data.decode().encode("windows-1252") for name, data in row_files("csv").items()}
    folder = written(tmp_path / "rows", files)
    restored(target, folder, arguments=["--encoding", "windows-1252"])
    holds_the_rows(target)


TYPED = {
    "sqlite": "CREATE TABLE typed (id integer PRIMARY KEY, i bigint, d decimal(20, 4), b boolean, t text, day date, at datetime, x blob, j json)",
    "postgres": "CREATE TABLE typed (id integer PRIMARY KEY, i bigint, d numeric(20, 4), b boolean, t text, day date, at timestamp, x bytea, j jsonb)",
    "mysql": "CREATE TABLE typed (id integer PRIMARY KEY, i bigint, d decimal(20, 4), b boolean, t text, day date, at datetime(6), x blob, j json)",
}


def test_cells_become_values_of_their_columns_exactly(database, tmp_path):
    database.run_script(TYPED[database.dialect] + ";")
    # SQLite keeps decimals as binary numbers, and relink refuses what those would change.
    decimal = "12345678.7890" if database.dialect == "sqlite" else "1234567890123456.7890"
    (tmp_path / "typed.csv").write_text(
        "id,i,d,b,t,day,at,x,j\n"
        f'1,9007199254740993,{decimal},t,"",2024-02-29,2024-01-02 03:04:05.000006,\\x00ff,"{{""a"": [1]}}"\n'
        "2,,,,,,,,\n"
        '3,-1,0.1,0,"NULL, ""x""\n y",0001-01-01,1970-01-01T00:00:00Z,AAEC,"""s"""\n'
    )
    restored(database, tmp_path / "typed.csv")
    one, two, three = database.rows("typed")
    assert one["i"] == 9007199254740993 and three["i"] == -1
    if database.dialect != "sqlite":
        assert [str(row["d"]) for row in (one, three)] == ["1234567890123456.7890", "0.1000"]
        assert one["at"].microsecond == 6 and str(three["day"]) == "0001-01-01"
    assert (bool(one["b"]), bool(three["b"])) == (True, False)
    assert (one["t"], three["t"]) == ("", 'NULL, "x"\n y')
    assert (bytes(one["x"]), bytes(three["x"])) == (b"\x00\xff", b"\x00\x01\x02")
    assert json.loads(one["j"]) == {"a": [1]} and json.loads(three["j"]) == "s"
    assert all(value is None for column, value in two.items() if column != "id")


def test_a_cell_that_does_not_fit_is_refused_with_its_line_and_column(target, tmp_path):
    (tmp_path / "yard_depot.csv").write_text('id,name,parent_id\n1,"two\nlines",\n\n2,b,many\n3,c,99\n')
    before = target.fingerprint()
    run = restored(target, tmp_path / "yard_depot.csv", code=REFUSED)
    places = {(f["place"]["line"], f["place"]["column"], f["place"]["pointer"]) for f in run.findings()}
    assert {(5, 5, "/parent_id"), (6, 5, "/parent_id")} <= places, run
    assert target.fingerprint() == before


# Bad inputs


def squeezed(text: str) -> str:
    """Without the white space and the rules of the frame that long lines are broken with."""
    return re.sub(r"[\s│]", "", text)


@pytest.fixture
def refused(target, tmp_path):
    """Restores what cannot be read: exit code 4, words, and no change."""

    def check(files: dict[str, bytes], *words: str, names=None, arguments=(), code=EXPORT) -> Run:
        folder = written(tmp_path / "bad", files)
        before = target.fingerprint()
        run = restored(target, *(folder / name for name in names or [""]), arguments=arguments, code=code)
        assert target.fingerprint() == before, "the database changed"
        for word in words:
            assert squeezed(word) in squeezed(run.stderr), f"{word} is not said\n{run}"
        return run

    return check


@pytest.mark.parametrize("ending", [*PACKERS, *ARCHIVES])
def test_what_ends_early_is_refused(refused, ending):
    many = json.dumps([yard.depot(number, f"depot {random.random()}") for number in range(500)]).encode()
    packed = PACKERS[ending](many) if ending in PACKERS else ARCHIVES[ending]({"dump.json": many})
    for part in (0.3, 0.7):
        refused({"dump.packed": packed[: int(len(packed) * part)]}, "dump.packed", "ends early", names=["dump.packed"])


@pytest.mark.parametrize("ending", PACKERS)
def test_what_is_damaged_is_refused(refused, ending):
    many = json.dumps([yard.depot(number, f"depot {random.random()}") for number in range(500)]).encode()
    packed = bytearray(PACKERS[ending](many))
    packed[len(packed) // 2] ^= 0xFF
    refused({"dump.packed": bytes(packed)}, "dump.packed", names=["dump.packed"])


def test_a_table_in_two_files_is_refused_with_both_places(refused):
    rows = as_json([{"id": 1, "name": "a"}])
    refused({"a/yard_depot.json": rows, "b/yard_depot.jsonl": rows[1:-1]}, "b/yard_depot.jsonl:1:1", "a/yard_depot.json:1:1")


def test_files_of_different_formats_are_refused_and_both_named(refused):
    run = refused(
        {"a.json": PLAIN, "b.json": json.dumps(tables()).encode()}, "a Django dump", "a table map", names=["a.json", "b.json"]
    )
    assert "b.jsonholdsatablemap,and" in squeezed(run.stderr) and "a.jsonholdsaDjangodump" in squeezed(run.stderr)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("id,name\n1,a\n2\n", 3, "1 cell"),
        ("id,name\n1,a,b\n", 2, "3 cells"),
        ('id,name\n1,a"b\n', 2, "quote"),
        ('id,name\n1,"a"b\n', 2, "closing quote"),
        ('id,name\n1,a\n2,"b\n3,c\n', 3, "never closed"),
        ("id,name,id\n1,a,1\n", 1, "twice in the header"),
        ("id,\n1,a\n", 1, "no name"),
        ("id,name\r1,a\r", 1, "carriage return"),
        ("", 1, "empty"),
    ],
)
def test_broken_csv_is_refused_with_file_and_line(refused, content, line, words):
    good = as_csv(tables()["yard_crate"])
    refused({"yard_crate.csv": good, "yard_depot.csv": content.encode()}, f"yard_depot.csv:{line}:", words)


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("name", ["../yard_depot.csv", "/yard_depot.csv", "a/../../yard_depot.csv"])
def test_archives_that_lead_out_are_refused(refused, ending, name):
    refused({"rows": ARCHIVES[ending]({name: b"id,name\n1,a\n"})}, "leads out of the archive", names=["rows"])


def test_links_are_refused(refused, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        member = tarfile.TarInfo("yard_depot.csv")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    refused({"rows": packed.getvalue()}, "is a link", names=["rows"])
    folder = written(tmp_path / "linked", row_files("csv"))
    (folder / "passwords.csv").symlink_to("/etc/passwd")
    refused({}, "is a link", names=[folder])


def test_a_bomb_of_many_members_is_refused(refused):
    spaces = b" " * (20 * 1024 * 1024)
    refused({"rows": zipped({f"t{number}.json": spaces for number in range(5)})}, "expands to more than", names=["rows"])


def test_rows_in_a_form_that_is_not_read_are_not_lost_in_silence(refused):
    refused(row_files("csv") | {"yard_gate.tsv": b"id\n1\n"}, "yard_gate.tsv", "not read")


def test_an_encoding_that_is_none_is_a_mistake_of_the_command_line(refused):
    refused(row_files("csv"), arguments=["--encoding", "latin-11"], code=USAGE)


# Real CSV

FOLDER = corpora_folder()

BASEBALL = """
    CREATE TABLE people (
        player_id text PRIMARY KEY, birth_year integer, birth_month integer, birth_day integer, birth_country text, birth_state text,
        birth_city text, death_year integer, death_month integer, death_day integer, death_country text, death_state text,
        death_city text, name_first text, name_last text NOT NULL, name_given text, weight integer, height integer, bats text,
        throws text, debut date, final_game date, retro_id text, bbref_id text
    );
    CREATE TABLE schools (school_id text PRIMARY KEY, name_full text NOT NULL, city text, state text, country text);
    CREATE TABLE parks (park_key text PRIMARY KEY, park_name text NOT NULL, park_alias text, city text, state text, country text);
    CREATE TABLE teams_franchises (franch_id text PRIMARY KEY, franch_name text NOT NULL, active text, na_assoc text);
    CREATE TABLE allstar_full (
        player_id text NOT NULL REFERENCES people, year_id integer, game_num integer, game_id text, team_id text,
        lg_id text, gp integer, starting_pos integer
    );
    CREATE TABLE awards_players (
        player_id text NOT NULL REFERENCES people, award_id text NOT NULL, year_id integer NOT NULL, lg_id text, tie text,
        notes text, UNIQUE (player_id, award_id, year_id, lg_id)
    );
    CREATE TABLE college_playing (player_id text NOT NULL REFERENCES people, school_id text NOT NULL %s, year_id integer NOT NULL);
    CREATE TABLE home_games (
        year_key integer NOT NULL, league_key text, team_key text NOT NULL, park_key text NOT NULL REFERENCES parks,
        span_first date NOT NULL, span_last date NOT NULL, games integer NOT NULL, openings integer NOT NULL, attendance integer NOT NULL
    );
    CREATE TABLE managers (
        player_id text NOT NULL REFERENCES people, year_id integer NOT NULL, team_id text NOT NULL, lg_id text, inseason integer NOT NULL,
        g integer NOT NULL, w integer NOT NULL, l integer NOT NULL, rank integer, plyr_mgr text
    );
    CREATE TABLE teams (%s, FOREIGN KEY (franchID) REFERENCES teams_franchises);
"""


@pytest.mark.skipif(FOLDER is None, reason="RELINK_CORPORA names no folder of corpora")
@pytest.mark.parametrize("packed", ["folder", "tar.xz"])
def test_baseball_restores_as_row_files(tmp_path, packed):
    source = FOLDER / "baseball"
    header = (source / "Teams.csv").read_text().splitlines()[0].split(",")
    words = {"yearID", "lgID", "teamID", "franchID", "divID", "DivWin", "WCWin", "LgWin", "WSWin", "name", "park"}
    words |= {"teamIDBR", "teamIDlahman45", "teamIDretro"}
    kinds = ", ".join(
        f'"{name}" {"text" if name in words else "decimal(6, 3)" if name in ("ERA", "FP") else "integer"}' for name in header
    )
    database = Sqlite(tmp_path / "baseball.sqlite")
    database.run_script(BASEBALL % ("", kinds))
    export = source
    if packed != "folder":
        export = tmp_path / "baseball"
        files = {file.name: file.read_bytes() for file in source.iterdir()}
        export.write_bytes(ARCHIVES[packed](files))
    run = restored(database, export)
    assert run.totals()["inserted"] == 60435

    for file in sorted(source.glob("*.csv")):
        table = next(t for t in database.tables() if t.replace("_", "") == file.stem.lower())
        with file.open(newline="", encoding="utf-8") as opened:
            cells = [tuple(cell or None for cell in row) for row in csv.reader(opened)][1:]
        columns = database.columns(table)
        rows = [tuple(row.values()) for row in database.rows(table)]

        def same(cell, value, kind):
            if cell is None or value is None:
                return cell is value
            return float(cell) == value if kind in ("integer", "decimal(6, 3)") else cell == value

        assert len(rows) == len(cells)
        kinds = list(columns.values())
        wrong = [(c, r) for c, r in zip(cells, rows) if not all(map(same, c, r, kinds))]
        assert wrong == [], f"{table}: {wrong[:3]}"


@pytest.mark.skipif(FOLDER is None, reason="RELINK_CORPORA names no folder of corpora")
def test_orphans_of_real_csv_are_found_each_on_its_line(tmp_path):
    source = FOLDER / "baseball"
    schools = {line.split(",")[0] for line in (source / "Schools.csv").read_text().splitlines()}
    playing = (source / "CollegePlaying.csv").read_text().splitlines()
    orphans = {number for number, line in enumerate(playing, 1) if number > 1 and line.split(",")[1] not in schools}
    assert len(orphans) == 10
    database = Sqlite(tmp_path / "baseball.sqlite")
    database.run_script(BASEBALL % ("REFERENCES schools", "franchID text"))
    files = ["CollegePlaying.csv", "People.csv", "Schools.csv"]
    run = restored(database, *(source / name for name in files), code=REFUSED)
    places = [finding["place"] for finding in run.findings()]
    assert {place["line"] for place in places} == orphans
    assert {(Path(place["file"]).name, place["pointer"]) for place in places} == {("CollegePlaying.csv", "/schoolID")}
    with sqlite3.connect(database.path) as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (0,)
    connection.close()
