"""Into a database that `manage.py migrate` has just made: content types, permissions, groups, pages and sites exist already, under other ids.

The projects are made here from django-oscar and wagtail as PyPI has them. django-oscar is the version that the dumps are from. wagtail is a later
one (8.0.1; the dumps are from 7.4), which has two tables more; Django is 5.2 where the bakery's dumps are from 6.0. The bakery's own applications are not on PyPI:
their models are written from Django's map of them (`models.json`), and their tables come out column for column as in the source.
"""

import functools
import json

import pytest

import projects
from conftest import corpora_folder
from corpus import Corpus, Picture, differences
from relink import CLEAN, FINDINGS, REFUSED, restore
from test_corpora_django import UNNAMED, labels_of, labels_without_ids

FOLDER = corpora_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="RELINK_CORPORA names no folder of corpora")

# Rows of these have ids of the target's own, so they are compared by what identifies them.
OWN_IDS = {"contenttypes.contenttype", "auth.permission", "auth.group", "auth.user", "sites.site"}


class Shop:
    """django-oscar's sandbox."""

    corpus_name = "django_oscar_sandbox"
    own_ids = OWN_IDS
    # A view, of which the dumps hold nothing either.
    left_out = ["catalogue.productcategoryhierarchy"]

    def __init__(self, folder):
        self.corpus = Corpus(FOLDER / self.corpus_name)
        self.truth = self.corpus.truth(folder / "truth.sqlite")
        self.project = self.make(folder / "project")

    def make(self, folder):
        return projects.oscar(folder)

    def migrate(self, database):
        self.project.migrate(database)

    @functools.cache
    def source_dump(self):
        return self.dump(self.truth)

    def dump(self, database):
        flags = [flag for label in self.left_out for flag in ("--exclude", label)]
        return records(self.project.manage(database, "dumpdata", "--natural-foreign", "--natural-primary", *flags))


class Bakery(Shop):
    """wagtail's demonstration."""

    corpus_name = "wagtail_bakerydemo"
    own_ids = OWN_IDS | {"wagtailcore.collection", "wagtailcore.groupcollectionpermission", "wagtailcore.page", "wagtailcore.site"}

    def make(self, folder):
        # One log entry names a page that upstream deleted: it is rejected, so it is not expected either.
        with self.truth.connect() as connection:
            connection.execute("DELETE FROM wagtailcore_pagelogentry WHERE page_id NOT IN (SELECT id FROM wagtailcore_page)")
        return projects.bakery(folder, self.corpus.map, self.truth)

    def migrate(self, database):
        """Without the site that `migrate` makes: upstream's own loading command deletes it, too. Else there would be two default sites."""
        super().migrate(database)
        self.project.manage(database, code="from wagtail.models import Site; Site.objects.all().delete()")


def records(dump: str) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True) for record in json.loads(dump))


@pytest.fixture(scope="session")
def applications(tmp_path_factory):
    """The projects, made once each."""
    made = {}

    def application(kind):
        if kind not in made:
            made[kind] = kind(tmp_path_factory.mktemp(kind.__name__))
        return made[kind]

    return application


def ids(database) -> dict[tuple, int]:
    return {(app, model): number for number, app, model in database.query("SELECT id, app_label, model FROM django_content_type")}


class Newer(Picture):
    """Without what only the later version has: content types of its new models, and their permissions."""

    def __init__(self, corpus, database, generated, newer: set[tuple]):
        super().__init__(corpus, database, generated)
        self.newer = newer

    def canonical_rows(self, table):
        rows = super().canonical_rows(table)
        column = {"django_content_type": "id", "auth_permission": "content_type_id"}.get(table)
        if not column:
            return rows
        left_out = {number for name, number in ids(self.database).items() if name in self.newer}
        return [row for row in rows if row[column] not in left_out]


class Case:
    """A dump, and a copy of the migrated database."""

    def __init__(self, application, form, dialect, templates, copy_of, tmp_path, **options):
        self.application = application
        self.corpus, self.truth = application.corpus, application.truth
        name = type(application).__name__.lower()
        self.database = copy_of(templates(name, dialect, application.migrate))
        self.own, self.theirs = ids(self.truth), ids(self.database)
        self.export = self.corpus.folder / f"dump_{form}.json"
        self.records = json.loads(self.export.read_text())
        readings = self.corpus.readings(self.records, self.truth)
        self.config = self.corpus.config(tmp_path / "relink.toml", self.database, readings=readings, **options)

    def configured(self, **settings):
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        self.config.write_text("\n".join([self.config.read_text(), "[restore]", *lines, ""]))
        return self

    def restore(self):
        # Rejected records are kept beside the configuration.
        return restore(self.export, self.database, "--config", self.config, cwd=self.config.parent)

    def differences(self, tables: set[str]) -> list[str]:
        generated = labels_without_ids(self.records) | self.application.own_ids & set(self.corpus.map.models)
        newer = self.theirs.keys() - self.own.keys()
        expected = Picture(self.corpus, self.truth, generated)
        return differences(expected, Newer(self.corpus, self.database, generated, newer), tables, empty=False)


@pytest.fixture
def case(dialect, templates, copy_of, applications, tmp_path):
    def make(kind, form, **options) -> Case:
        made = Case(applications(kind), form, dialect, templates, copy_of, tmp_path, **options)
        same = [name for name in made.own if made.own[name] == made.theirs.get(name)]
        assert len(made.theirs) > 70 and len(same) < 5, same
        return made

    return make


# A worker migrates a database once and copies it from then on, so each project stays with one worker.
@pytest.mark.xdist_group("shop")
@pytest.mark.parametrize(
    ("dialect", "form", "mode"),
    [
        ("sqlite", "plain", "skip"),
        ("sqlite", "natfk", "upsert"),
        ("sqlite", "natboth", "upsert"),
        ("postgres", "plain", "skip"),
        ("postgres", "natboth", "upsert"),
        ("mysql", "natboth", "upsert"),
    ],
)
def test_a_shop_restores_into_a_migrated_database(form, mode, case):
    shop = case(Shop, form).configured(mode=mode, ids="remap")
    run = shop.restore().expect(CLEAN)
    assert run.totals()["inserted"] > 800
    assert shop.differences(shop.corpus.tables_of(labels_of(shop.records))) == []
    assert shop.database.orphans() == []
    assert shop.application.dump(shop.database) == shop.application.source_dump()
    before = shop.database.fingerprint()
    again = shop.restore().expect(CLEAN).totals()
    assert again["unchanged"] + again["skipped"] == again["read"]
    assert shop.database.fingerprint() == before


@pytest.mark.xdist_group("bakery")
@pytest.mark.parametrize(("dialect", "form"), [("sqlite", "plain"), ("sqlite", "natfk"), ("postgres", "plain"), ("mysql", "plain")])
def test_a_site_with_pages_restores_over_what_migrate_has_made(form, case):
    """The welcome page has the URL path of the bakery's home page, so it becomes the home page, and whatever names that page follows."""
    bakery = case(Bakery, form).configured(mode="upsert", ids="remap", on_dangling="reject")
    run = bakery.restore()
    # `natfk` holds no log entries of pages.
    orphans = [record for record in bakery.records if record["model"] == "wagtailcore.pagelogentry" and record["fields"]["page"] == 2]
    run.expect(FINDINGS if orphans else CLEAN)
    assert run.totals()["rejected"] == len(orphans)
    tables = bakery.corpus.tables_of(labels_of(bakery.records))
    assert bakery.differences(tables) == []
    assert bakery.database.orphans() == []


@pytest.mark.xdist_group("bakery")
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_ids_that_generic_references_need_are_missed_where_the_export_has_left_them_out(case):
    """`--natural-primary` drops the ids of pages, and revisions and workflows name pages by nothing else."""
    bakery = case(Bakery, "natboth", ignore=UNNAMED["wagtail_bakerydemo", "dump_natboth.json"]).configured(mode="upsert", ids="remap")
    before = bakery.database.fingerprint()
    run = bakery.restore().expect(REFUSED)
    errors = {(finding["code"], finding["relation"]) for finding in run.findings() if finding["severity"] == "error"}
    assert errors == {("restore::unnamed-reference", f"wagtailcore_{name}") for name in ("revision", "workflowstate")}
    assert bakery.database.fingerprint() == before
