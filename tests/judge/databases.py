"""The three databases as the judges see them: through their own drivers, never through relink.

A `Database` is one fresh database on one server. It creates schemas, reads rows, and asks the database itself whether its foreign keys hold.
"""

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pymysql
from psycopg.types.json import set_json_loads
from pymysql.constants import CLIENT


@dataclass(frozen=True)
class ForeignKey:
    table: str
    columns: tuple[str, ...]
    referenced: str
    referenced_columns: tuple[str, ...]


class Database(ABC):
    """One database, fresh and empty."""

    dialect: str
    url: str

    @abstractmethod
    def connect(self):
        """A driver's connection in autocommit mode, as a context manager that closes it."""

    @abstractmethod
    def run_script(self, script: str) -> None:
        """Runs an SQL script as it comes out of the database's own dump tool."""

    @abstractmethod
    def tables(self) -> list[str]: ...

    @abstractmethod
    def columns(self, table: str) -> dict[str, str]:
        """Column -> declared type, lower case, in the table's order."""

    @abstractmethod
    def foreign_keys(self) -> list[ForeignKey]: ...

    @abstractmethod
    def counters(self) -> dict[str, object]:
        """Every sequence or auto-increment counter."""

    @abstractmethod
    def drop(self) -> None: ...

    @abstractmethod
    def quote(self, name: str) -> str: ...

    @abstractmethod
    def insert(self, table: str, rows: list[dict]) -> None:
        """Inserts rows with their ids, without checking foreign keys."""

    def query(self, sql: str, parameters=()) -> list[tuple]:
        with self.connect() as connection:
            cursor = connection.cursor()
            # Without parameters a % in the text is a plain character.
            cursor.execute(sql, *([parameters] if parameters else []))
            return list(cursor.fetchall()) if cursor.description else []

    def rows(self, table: str) -> list[dict]:
        columns = list(self.columns(table))
        listed = ", ".join(self.quote(column) for column in columns)
        return [dict(zip(columns, row)) for row in self.query(f"SELECT {listed} FROM {self.quote(table)}")]

    def count(self, table: str) -> int:
        return self.query(f"SELECT count(*) FROM {self.quote(table)}")[0][0]

    def orphans(self) -> list[str]:
        """Rows whose reference has no target, by an anti join for every declared foreign key; NULL in any part excuses (MATCH SIMPLE)."""
        found = []
        with self.connect() as connection:
            cursor = connection.cursor()
            for key in self.foreign_keys():
                pairs = list(zip(key.columns, key.referenced_columns))
                joined = " AND ".join(f"p.{self.quote(there)} = c.{self.quote(here)}" for here, there in pairs)
                given = " AND ".join(f"c.{self.quote(here)} IS NOT NULL" for here, _ in pairs)
                cursor.execute(
                    f"SELECT count(*) FROM {self.quote(key.table)} c WHERE {given} AND NOT EXISTS"
                    f" (SELECT 1 FROM {self.quote(key.referenced)} p WHERE {joined})"
                )
                number = cursor.fetchone()[0]
                if number:
                    found.append(f"{key.table}{key.columns} -> {key.referenced}: {number}")
        return found

    def fingerprint(self) -> str:
        """A hash over every row and every counter."""
        digest = hashlib.sha256()
        with self.connect() as connection:
            cursor = connection.cursor()
            for table in sorted(self.tables()):
                cursor.execute(f"SELECT * FROM {self.quote(table)}")
                digest.update(repr((table, sorted(map(repr, cursor.fetchall())))).encode())
        digest.update(repr(sorted(self.counters().items())).encode())
        return digest.hexdigest()


class Sqlite(Database):
    dialect = "sqlite"

    def __init__(self, path: Path):
        self.path = path
        self.url = f"sqlite:{path}"

    @contextlib.contextmanager
    def connect(self):
        connection = sqlite3.connect(self.path, isolation_level=None)
        # Values come back as they are stored; what is not valid UTF-8 is an error. What a judge writes need not outlive a crash.
        connection.execute("PRAGMA synchronous = OFF")
        try:
            yield connection
        finally:
            connection.close()

    def run_script(self, script):
        with self.connect() as connection:
            connection.executescript(script)

    def quote(self, name):
        return '"' + name.replace('"', '""') + '"'

    def tables(self):
        # Neither virtual tables nor the shadow tables that they keep their content in.
        found = self.query(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        return [name for (name,) in found]

    def columns(self, table):
        return {row[1]: row[2].lower() for row in self.query(f"PRAGMA table_xinfo({self.quote(table)})")}

    def primary_key(self, table):
        rows = [row for row in self.query(f"PRAGMA table_info({self.quote(table)})") if row[5]]
        return [row[1] for row in sorted(rows, key=lambda row: row[5])]

    def foreign_keys(self):
        keys = []
        for table in self.tables():
            parts: dict[int, list] = {}
            for number, _, referenced, here, there, *_ in self.query(f"PRAGMA foreign_key_list({self.quote(table)})"):
                parts.setdefault(number, []).append((referenced, here, there))
            for columns in parts.values():
                referenced = columns[0][0]
                there = [column for _, _, column in columns]
                if None in there:
                    there = self.primary_key(referenced)
                keys.append(ForeignKey(table, tuple(column for _, column, _ in columns), referenced, tuple(there)))
        return keys

    def orphans(self):
        with self.connect() as connection:
            own = [f"{row[0]} rowid {row[1]} -> {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")]
            integrity = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return own + integrity

    def counters(self):
        if self.query("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
            return dict(self.query("SELECT name, seq FROM sqlite_sequence"))
        return {}

    def insert(self, table, rows):
        with self.connect() as connection:
            connection.execute("BEGIN")
            for row in rows:
                columns = ", ".join(map(self.quote, row))
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {self.quote(table)} ({columns}) VALUES ({marks})", list(row.values()))
            connection.execute("COMMIT")

    def take(self, original: "Sqlite"):
        """Becomes a copy of another database, which nobody is writing to."""
        shutil.copyfile(original.path, self.path)

    def drop(self):
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def named(url: str, database: str, user: str | None = None, password: str | None = None) -> str:
    """The server's URL with another database, and another role where one is given."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if user is not None:
        secret = f":{password}" if password else ""
        netloc = f"{user}{secret}@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(path=f"/{database}", netloc=netloc))


class Postgres(Database):
    dialect = "postgres"

    def __init__(self, server: str, template: str | None = None):
        self.server = server
        self.name = f"judge_{uuid.uuid4().hex[:16]}"
        self.url = named(server, self.name)
        with psycopg.connect(server, autocommit=True) as connection:
            copied = f' TEMPLATE "{template}"' if template else ""
            connection.execute(f'CREATE DATABASE "{self.name}"{copied}')

    @contextlib.contextmanager
    def connect(self):
        with psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC") as connection:
            # The document's text, as the other drivers give it: a string in it must not be taken for a document.
            set_json_loads(lambda document: bytes(document).decode(), connection)
            yield connection

    def run_script(self, script):
        # psql's own commands, and owners that exist on the machine of whoever dumped.
        script = re.sub(r"(?m)^\\(?!\.).*$", "", script)
        script = re.sub(r"(?m)^ALTER [^;]* OWNER TO [^;]*;$", "", script)
        with self.connect() as connection:
            position = 0
            for copy in re.finditer(r"(?ms)^(COPY [^;]* FROM stdin);\n(.*?)^\\\.$", script):
                connection.execute(script[position : copy.start()])
                with connection.cursor().copy(copy[1]) as stream:
                    stream.write(copy[2])
                position = copy.end()
            if script[position:].strip():
                connection.execute(script[position:])

    def quote(self, name):
        return '"' + name.replace('"', '""') + '"'

    def tables(self):
        found = self.query(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        return [name for (name,) in found]

    def columns(self, table):
        return dict(
            self.query(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = ('public.' || quote_ident(%s))::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                (table,),
            )
        )

    def foreign_keys(self):
        names = (
            "(SELECT array_agg(attname::text ORDER BY place) FROM unnest({key}) WITH ORDINALITY AS k(number, place)"
            " JOIN pg_attribute ON attrelid = {relation} AND attnum = number)"
        )
        here = names.format(key="c.conkey", relation="c.conrelid")
        there = names.format(key="c.confkey", relation="c.confrelid")
        found = self.query(
            f"SELECT t.relname, {here}, r.relname, {there} FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
            " JOIN pg_class r ON r.oid = c.confrelid WHERE c.contype = 'f'"
        )
        return [ForeignKey(table, tuple(a), referenced, tuple(b)) for table, a, referenced, b in found]

    def orphans(self):
        unvalidated = self.query("SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE NOT convalidated")
        return super().orphans() + [f"{table}.{name} is not validated" for table, name in unvalidated]

    def constraints(self) -> list[tuple]:
        """Every constraint with its definition and triggers' state, to see that nothing was left changed."""
        return self.query(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated, condeferrable, condeferred"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
        ) + self.query(
            "SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
        )

    def counters(self):
        names = [
            name
            for (name,) in self.query(
                "SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace ORDER BY 1"
            )
        ]
        return {name: self.query(f"SELECT last_value, is_called FROM {self.quote(name)}")[0] for name in names}

    def insert(self, table, rows):
        with self.connect() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            for row in rows:
                columns = ", ".join(map(self.quote, row))
                marks = ", ".join(["%s"] * len(row))
                connection.execute(
                    f"INSERT INTO {self.quote(table)} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({marks})", list(row.values())
                )
            if "id" in self.columns(table):
                self.advance(connection, table)

    def advance(self, connection, table):
        """Puts the sequence behind `id` past the highest id."""
        name = f"pg_get_serial_sequence('{self.quote(table)}', 'id')"
        connection.execute(f"SELECT setval({name}, (SELECT max(id)::bigint FROM {self.quote(table)})) WHERE {name} IS NOT NULL")

    def drop(self):
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


def mysql_statements(script: str):
    """Splits a script where the client's DELIMITER command changes what ends a statement; the server cannot."""
    delimiter = ";"
    plain: list[str] = []
    for block in re.split(r"(?mi)^(DELIMITER\s+\S+)\s*$", script):
        command = re.fullmatch(r"(?i)DELIMITER\s+(\S+)", block)
        if command:
            delimiter = command[1]
        elif delimiter == ";":
            plain.append(block)
        else:
            yield "".join(plain)
            plain = []
            yield from (statement for statement in block.split(delimiter))
    yield "".join(plain)


class MySql(Database):
    dialect = "mysql"

    def __init__(self, server: str):
        self.server = server
        self.name = f"judge_{uuid.uuid4().hex[:16]}"
        self.url = named(server, self.name)
        with self.admin() as connection:
            connection.cursor().execute(f"CREATE DATABASE `{self.name}` CHARACTER SET utf8mb4")

    @contextlib.contextmanager
    def admin(self, database=None):
        parts = urlsplit(self.server)
        connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            database=database,
            charset="utf8mb4",
            autocommit=True,
            client_flag=CLIENT.MULTI_STATEMENTS,
            init_command="SET time_zone = '+00:00'",
        )
        try:
            yield connection
        finally:
            connection.close()

    def connect(self):
        return self.admin(self.name)

    def run_script(self, script):
        with self.connect() as connection:
            cursor = connection.cursor()
            for statement in mysql_statements(script):
                if statement.strip():
                    cursor.execute(statement)
                    while cursor.nextset():
                        pass

    def quote(self, name):
        return "`" + name.replace("`", "``") + "`"

    def tables(self):
        return [name for name, kind in self.query("SHOW FULL TABLES") if kind == "BASE TABLE"]

    def columns(self, table):
        found = self.query(
            "SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = database() AND table_name = %s"
            " ORDER BY ordinal_position",
            (table,),
        )
        return {name: kind.lower() for name, kind in found}

    def foreign_keys(self):
        parts: dict[tuple, list] = {}
        for name, table, here, referenced, there in self.query(
            "SELECT constraint_name, table_name, column_name, referenced_table_name, referenced_column_name"
            " FROM information_schema.key_column_usage WHERE table_schema = database() AND referenced_table_name IS NOT NULL"
            " ORDER BY constraint_name, table_name, ordinal_position"
        ):
            parts.setdefault((name, table), []).append((here, referenced, there))
        return [
            ForeignKey(table, tuple(c[0] for c in columns), columns[0][1], tuple(c[2] for c in columns))
            for (_, table), columns in parts.items()
        ]

    def counters(self):
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute(
                "SELECT table_name, auto_increment FROM information_schema.tables"
                " WHERE table_schema = database() AND auto_increment IS NOT NULL"
            )
            return dict(cursor.fetchall())

    def insert(self, table, rows):
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute("SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES'")
            cursor.execute("START TRANSACTION")
            for row in rows:
                columns = ", ".join(map(self.quote, row))
                marks = ", ".join(["%s"] * len(row))
                cursor.execute(f"INSERT INTO {self.quote(table)} ({columns}) VALUES ({marks})", list(row.values()))
            cursor.execute("COMMIT")

    def clear(self):
        """Empties every table, with its counter."""
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute("SET foreign_key_checks = 0")
            counters = self.counters()
            for table in self.tables():
                cursor.execute(f"SELECT 1 FROM {self.quote(table)} LIMIT 1")
                if cursor.fetchone() or counters.get(table, 1) > 1:
                    cursor.execute(f"TRUNCATE TABLE {self.quote(table)}")

    def take(self, original: "MySql"):
        """Becomes a copy of another database: tables, rows and counters."""
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute("SET foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES'")
            for table in original.tables():
                there = f"`{original.name}`.{self.quote(table)}"
                cursor.execute(f"SHOW CREATE TABLE {there}")
                cursor.execute(cursor.fetchone()[1])
                # Generated columns take no value.
                columns = ", ".join(
                    self.quote(name)
                    for (name,) in original.query(
                        "SELECT column_name FROM information_schema.columns WHERE table_schema = database()"
                        " AND table_name = %s AND extra NOT LIKE '%%GENERATED%%' ORDER BY ordinal_position",
                        (table,),
                    )
                )
                cursor.execute(f"INSERT INTO {self.quote(table)} ({columns}) SELECT {columns} FROM {there}")

    def drop(self):
        with self.admin() as connection:
            connection.cursor().execute(f"DROP DATABASE IF EXISTS `{self.name}`")


def server_url(dialect: str) -> str | None:
    return os.environ.get({"postgres": "RELINK_TEST_POSTGRES", "mysql": "RELINK_TEST_MYSQL"}[dialect]) or None
