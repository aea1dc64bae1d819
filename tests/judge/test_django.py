"""Django itself judges: what relink restored is, to Django's own dumpdata, the dump that it was restored from."""

from pathlib import Path

import pytest

from databases import Database
from relink import CLEAN, REFUSED, restore
from stock import CONFIG, FORMS, django, empty, migrate, records


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "relink.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def project(database) -> Database:
    """The migrated schema without a row."""
    migrate(database)
    empty(database)
    return database


@pytest.mark.parametrize("form", ["plain", "natfk", "natboth"])
def test_djangos_dump_of_what_was_restored_is_the_dump(form, project, dumps, config):
    run = restore(dumps[form], project, "--config", config).expect(CLEAN)
    assert run.totals()["inserted"] == run.totals()["read"]
    assert records(django(project, "dumpdata", *FORMS[form])) == records(dumps[form].read_text())
    # Every other form sees the same objects, so references that this form shows as ids are right by name too.
    if form != "natboth":
        assert records(django(project, "dumpdata", *FORMS["natboth"])) == records(dumps["natboth"].read_text())
    assert project.orphans() == []
    django(project, "check", "--database", "default")

    before = project.fingerprint()
    for _ in range(2):
        again = restore(dumps[form], project, "--config", config, "--mode", "skip").expect(CLEAN)
        assert again.totals()["inserted"] == 0
        assert project.fingerprint() == before

    django(project, code="from stock import rows; rows.one_more()")


def test_json_lines_restore_like_json(project, dumps, config):
    restore(dumps["jsonl"], project, "--config", config).expect(CLEAN)
    assert records(django(project, "dumpdata")) == records(dumps["plain"].read_text())


def test_natural_primary_keys_alone_restore_right_or_are_refused_with_the_references(project, dumps, config):
    before = project.fingerprint()
    run = restore(dumps["natpk"], project, "--config", config).expect(CLEAN, REFUSED)
    if run.code == CLEAN:
        assert records(django(project, "dumpdata", *FORMS["natboth"])) == records(dumps["natboth"].read_text())
    else:
        assert project.fingerprint() == before
        assert {finding["code"] for finding in run.findings() if finding["severity"] == "error"} == {"restore::unnamed-reference"}, run


def test_natural_keys_find_content_types_and_permissions_that_have_other_ids(database, dumps, config):
    """The target is migrated: its content types, permissions and site exist, under ids of its own."""
    migrate(database)
    empty(database)
    django(
        database,
        code="from django.contrib.contenttypes.models import ContentType as T; T.objects.create(app_label='gone', model='gone');"
        "T.objects.create(app_label='zzz', model='zzz').delete();"
        "from django.core.management import call_command; from django.db.models.signals import post_migrate;"
        "call_command('migrate', verbosity=0); T.objects.filter(app_label='gone').delete()",
    )
    assert database.count("django_content_type") > 20
    restore(dumps["natboth"], database, "--config", config, "--mode", "skip").expect(CLEAN)
    assert records(django(database, "dumpdata", *FORMS["natboth"])) == records(dumps["natboth"].read_text())
    assert database.orphans() == []
