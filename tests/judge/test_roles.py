"""An ordinary role restores: no superuser, no SUPER, owner of nothing, with the rights that an application has on its tables."""

import uuid

import pytest

from databases import named
from relink import CLEAN, DATABASE, restore
from stock import CONFIG, django, migrated_and_emptied, records

MODES = ["insert", "skip", "upsert", "merge", "replace"]


class Role:
    """A login that may read and write the rows of one database."""

    def __init__(self, database):
        self.database = database
        self.name = f"judge_{uuid.uuid4().hex[:16]}"
        postgres = database.dialect == "postgres"
        self.url = named(database.server, database.name, self.name, None if postgres else "secret")
        if postgres:
            self.run(
                f"CREATE ROLE {self.name} LOGIN",
                f"GRANT USAGE ON SCHEMA public TO {self.name}",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {self.name}",
                f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {self.name}",
            )
        else:
            self.run(
                f"CREATE USER {self.name} IDENTIFIED BY 'secret'",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON {database.quote(database.name)}.* TO {self.name}",
            )

    def run(self, *statements: str):
        with self.database.connect() as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)

    def revoke_delete(self):
        everything = "ALL TABLES IN SCHEMA public"
        if self.database.dialect != "postgres":
            everything = f"{self.database.quote(self.database.name)}.*"
        self.run(f"REVOKE DELETE ON {everything} FROM {self.name}")

    def drop(self):
        if self.database.dialect == "postgres":
            self.run(f"DROP OWNED BY {self.name}", f"DROP ROLE {self.name}")
        else:
            self.run(f"DROP USER {self.name}")


@pytest.fixture(params=["postgres", "mysql"])
def role(request, templates, copy_of):
    made = Role(copy_of(templates("empty", request.param, migrated_and_emptied)))
    yield made
    made.drop()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "relink.toml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize("mode", MODES)
def test_an_ordinary_role_restores_in_every_mode(mode, role, dumps, config):
    database = role.database
    if mode == "replace":
        restore(dumps["plain"], database, "--config", config).expect(CLEAN)
    restore(dumps["plain"], role.url, "--config", config, "--mode", mode).expect(CLEAN)
    assert records(django(database, "dumpdata")) == records(dumps["plain"].read_text())
    assert database.orphans() == []
    if mode not in ("insert", "replace"):
        before = database.fingerprint()
        restore(dumps["natboth"], role.url, "--config", config, "--mode", mode).expect(CLEAN)
        assert database.fingerprint() == before


def test_replacing_without_the_right_to_delete_is_refused_before_anything_is_written(role, dumps, config):
    database = role.database
    restore(dumps["plain"], database, "--config", config).expect(CLEAN)
    before = database.fingerprint()
    role.revoke_delete()
    run = restore(dumps["plain"], role.url, "--config", config, "--mode", "replace").expect(DATABASE)
    assert database.fingerprint() == before
    said = f"{run.stdout}{run.stderr}".lower()
    assert "delete" in said, run
    restore(dumps["plain"], role.url, "--config", config, "--mode", "skip").expect(CLEAN)
    assert database.fingerprint() == before
