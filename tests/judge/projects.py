"""Projects of applications from PyPI, made in a folder: settings, and models for applications that PyPI does not have."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from databases import Database, Sqlite
from django_map import DjangoMap

SETTINGS = """
import os
from urllib.parse import urlsplit

import pymysql

pymysql.install_as_MySQLdb()


def database():
    url = os.environ["JUDGE_DATABASE"]
    if url.startswith("sqlite:"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite:")}
    parts = urlsplit(url)
    engine = {"postgres": "postgresql", "mysql": "mysql"}[parts.scheme]
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
        "PASSWORD": parts.password or "",
    }


DATABASES = {"default": database()}
SECRET_KEY = "for tests only"
SITE_ID = 1
STATIC_URL = "/static/"
MEDIA_ROOT = os.path.dirname(__file__)
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
MIDDLEWARE = []
ROOT_URLCONF = "urls"
"""

OSCAR = """
import oscar
from oscar.defaults import *  # noqa: F403

HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
# Content types and permissions are numbered in this order: the reverse of the one in which the dumps' were.
INSTALLED_APPS = [*reversed(oscar.INSTALLED_APPS[9:]), *reversed(oscar.INSTALLED_APPS[:9])]
"""

WAGTAIL = """
WAGTAIL_SITE_NAME = "judge"
WAGTAILADMIN_BASE_URL = "http://localhost"
OWN = {own}
# Content types and permissions are numbered in this order: nearly the reverse of the one in which the dumps' were.
INSTALLED_APPS = [
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.admin",
    "taggit",
    "modelcluster",
    "modelsearch",
    "wagtail",
    "wagtail.admin",
    "wagtail.images",
    "wagtail.documents",
    "wagtail.snippets",
    "wagtail.users",
    "wagtail.sites",
    "wagtail.embeds",
    "wagtail.search",
    *reversed(OWN),
    "wagtail.contrib.redirects",
    "wagtail.contrib.forms",
    "wagtail.contrib.search_promotions",
    "wagtail.contrib.settings",
    "wagtail.contrib.simple_translation",
]
"""

# The demonstration's own applications: they are in its repository and not on PyPI.
BAKERY = ["base", "blog", "breads", "locations", "people", "recipes"]


class Project:
    """A folder with `settings.py`, whose `manage.py` runs on any database."""

    def __init__(self, folder: Path, settings: str):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "settings.py").write_text(SETTINGS + settings)
        (folder / "urls.py").write_text("urlpatterns = []\n")

    def manage(self, database: Database, *arguments: str, code: str | None = None) -> str:
        # Templates and middleware, which the checks ask for, are of no use here.
        command = ["-m", "django", *arguments, "--skip-checks"] if code is None else ["-c", f"import django; django.setup(); {code}"]
        done = subprocess.run(
            [sys.executable, "-B", "-W", "ignore", *command],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder),
                "DJANGO_SETTINGS_MODULE": "settings",
                "JUDGE_DATABASE": database.url,
            },
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments or code}\n{done.stdout.decode()[-2000:]}\n{done.stderr.decode()[-4000:]}"
        return done.stdout.decode()

    def migrate(self, database: Database):
        self.manage(database, "migrate", "--verbosity=0")


def oscar(folder: Path) -> Project:
    return Project(folder, OSCAR)


def bakery(folder: Path, map: DjangoMap, truth: Sqlite) -> Project:
    """Wagtail, with the bakery's own applications as Django's map of them tells: tables, columns, references and parents are the originals'; what
    does not reach the database (panels, templates, validators) is left out. Django's own `makemigrations` writes their migrations."""
    project = Project(folder, WAGTAIL.format(own=BAKERY))
    for application in BAKERY:
        package = folder / application
        package.mkdir(exist_ok=True)
        (package / "migrations").mkdir(exist_ok=True)
        for python in ("__init__.py", "migrations/__init__.py"):
            (package / python).write_text("")
        labels = [label for label in map.models if label.startswith(f"{application}.")]
        classes = [model_class(map, truth, label) for label in labels if not map.models[label]["auto_created"]]
        (package / "models.py").write_text("\n\n\n".join(["from django.db import models", *classes, ""]))
    project.manage(Sqlite(folder / "none.sqlite"), "makemigrations", "--verbosity=0", *BAKERY)
    return project


def model_class(map: DjangoMap, truth: Sqlite, label: str) -> str:
    """The source of a model. Only references are declared by name of their model, so that the order of the classes does not matter; a parent
    is imported where it is wagtail's."""
    model = map.models[label]
    application, name = label.split(".")
    columns = truth.columns(model["table"])
    parent = next((field["fk"] for field in model["fields"].values() if field.get("parent_link")), None)
    lines = []
    for field_name, field in model["fields"].items():
        if field.get("parent_link") or (field_name == model["pk"] and field["type"] == "AutoField"):
            continue
        lines.append(f"{field_name} = {field_source(label, field_name, field, columns[field['column']])}")
    for many, target in model["m2m"].items():
        if target["through_auto"]:
            lines.append(f"{many} = models.ManyToManyField({target['to']!r}, related_name='+')")
    unique = model.get("unique_together") or []
    lines.append(f"class Meta:\n    app_label = {application!r}\n    db_table = {model['table']!r}\n    unique_together = {unique!r}")
    base = "models.Model"
    imports = ""
    if parent:
        module, base = PARENTS[parent]
        imports = f"from {module} import {base}\n\n\n"
    return f"{imports}class {name}({base}):\n" + textwrap.indent("\n".join(lines), "    ")


PARENTS = {
    "wagtailcore.page": ("wagtail.models", "Page"),
    "wagtailcore.task": ("wagtail.models", "Task"),
    "wagtailcore.taskstate": ("wagtail.models", "TaskState"),
}


def field_source(label: str, name: str, field: dict, declared: str) -> str:
    options = {"null": field["null"]}
    if field.get("unique"):
        options["unique"] = True
    if field.get("fk"):
        kind = "OneToOneField" if field["type"] == "OneToOneField" else "ForeignKey"
        options.pop("unique", None)
        constraint = "" if field["constraint"] else ", db_constraint=False"
        return f"models.{kind}({field['fk']!r}, models.CASCADE, null={field['null']}, related_name='+'{constraint})"
    if declared.startswith("varchar("):
        options["max_length"] = int(declared.removeprefix("varchar(").rstrip(")"))
    written = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return f"models.{field['type']}({written})"
