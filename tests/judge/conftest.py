"""Fixtures of the judges: fresh databases on every dialect, and the corpora."""

import os
from pathlib import Path

import pytest

import stock
from databases import Database, MySql, Postgres, Sqlite, server_url

DIALECTS = ["sqlite", "postgres", "mysql"]


def missing(what: str):
    """On a developer's machine a missing server is a visible skip; under CI it is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI=true", pytrace=False)
    pytest.skip(what)


@pytest.fixture
def make_database(tmp_path):
    """Makes fresh, empty databases by dialect; they are dropped with the test."""
    made: list[Database] = []

    def make(dialect: str, template: str | None = None) -> Database:
        if dialect == "sqlite":
            database: Database = Sqlite(tmp_path / f"target{len(made)}.sqlite")
        elif not server_url(dialect):
            missing(f"no server of {dialect}: use tests/run")
        elif dialect == "postgres":
            database = Postgres(server_url(dialect), template)
        else:
            database = MySql(server_url(dialect))
        made.append(database)
        return database

    yield make
    for database in made:
        database.drop()


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """Databases that are made once and then only copied: `templates(name, dialect, fill)`."""
    made: dict[tuple[str, str], Database] = {}

    def template(name: str, dialect: str, fill) -> Database:
        if (name, dialect) not in made:
            if dialect == "sqlite":
                database: Database = Sqlite(tmp_path_factory.mktemp(name) / f"{name}.sqlite")
            elif not server_url(dialect):
                missing(f"no server of {dialect}: use tests/run")
            else:
                database = (Postgres if dialect == "postgres" else MySql)(server_url(dialect))
            made[name, dialect] = database
            fill(database)
        return made[name, dialect]

    yield template
    for database in made.values():
        database.drop()


@pytest.fixture
def copy_of(make_database):
    """Makes a copy of a database, which is dropped with the test."""

    def copy(original: Database) -> Database:
        database = make_database(original.dialect, original.name if isinstance(original, Postgres) else None)
        if not isinstance(original, Postgres):
            database.take(original)
        return database

    return copy


@pytest.fixture(scope="session")
def dumps(tmp_path_factory) -> dict[str, Path]:
    """The filled stock project's dumps by form, made once; `source.sqlite` beside them is what they were made from."""
    return stock.filled(tmp_path_factory.mktemp("stock"))


@pytest.fixture
def elsewhere(dialect, templates, copy_of) -> Database:
    """The stock project in another environment: it has rows of its own, under ids that the dumps' objects have there."""
    return copy_of(templates("elsewhere", dialect, stock.fill_elsewhere))


@pytest.fixture(params=DIALECTS)
def dialect(request) -> str:
    return request.param


@pytest.fixture
def database(dialect, make_database) -> Database:
    return make_database(dialect)


def corpora_folder() -> Path | None:
    """The folder that RELINK_CORPORA names; a name that leads nowhere is an error and no skip."""
    named = os.environ.get("RELINK_CORPORA")
    if not named:
        return None
    folder = Path(named)
    if not (folder / "README.md").is_file():
        raise pytest.UsageError(f"RELINK_CORPORA={named} holds no corpora")
    return folder
