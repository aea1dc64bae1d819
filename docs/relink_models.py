#!/usr/bin/env python3
"""Prints a Django project's models as relink configuration, so that relink guesses nothing about them.

    python manage.py shell --verbosity 0 < relink_models.py > relink.toml
    DJANGO_SETTINGS_MODULE=shop.settings python relink_models.py [APP_LABEL ...] > relink.toml

The second form is run in the project's own folder; with labels of applications it prints only those. Django 4.2 or newer, Python 3.8
or newer; nothing else is needed. Only the models are read: no query is made, no connection is opened. Table names are those of the database `default`.

What is printed, and only where relink's naming rules would not find it by themselves:

- `models`: labels whose table is not `app_model`; proxies stand with the model whose table they share
- `fields`: fields whose column is neither the field's name nor that name and `_id`
- `join_tables`: many-to-many fields whose table is not `<table>_<field>`
- `natural_key`: what the model's `natural_key()` returns. It is called on a stand-in that remembers which fields it was asked for, so the
  columns are those that the code really uses. Where a key is computed, or depends on the row, a comment says so: write it by hand, or
  see `relink profile`.
- `generic`: generic foreign keys
- `refs`: references that the database does not enforce (`db_constraint=False`). Where Django does not keep them either (`DO_NOTHING`) they are commented out:
  they may lead nowhere in sound data.
- `read`: fields that dumpdata writes in another form than the column's (wagtail's StreamField, oscar's NullCharField)

Tables that Django does not make (`managed = False`), that a router keeps in another database, or that are virtual are commented out: they may be
views, or elsewhere.
"""

import datetime
import json
import os
import re
import sys

import django
from django.apps import apps
from django.conf import settings

# More ways through a `natural_key()` than these are not tried.
WAYS_MAX = 16


class Unclear(Exception):
    """Why a natural key cannot be told from the model alone."""


class FieldValue(str):
    """Stands for a field's value; `path` says which one it is: columns, from the model's own on."""

    def __new__(cls, path):
        made = super().__new__(cls, "value of " + ".".join(path))
        made.path = path
        return made

    def _depends(self, *_):
        raise Unclear("depends on the value of {}".format(".".join(self.path)))

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __len__ = __getitem__ = __iter__ = _depends
    __hash__ = str.__hash__


class Ways:
    """Which references are null on this way through a `natural_key()`, and which ways are left to try."""

    def __init__(self):
        self.left = [{}]
        self.null = {}

    def is_null(self, path):
        if path not in self.null:
            self.null[path] = False
            self.left.append({**self.null, path: True})
        return self.null[path]


class NestedKey(tuple):
    """The natural key of what a foreign key references: its parts where it is taken apart, and `path` where it stands as a list in the list."""

    def __new__(cls, parts, path):
        made = super().__new__(cls, parts)
        made.path = path
        return made


class StandIn:
    """Stands for an instance of a model: fields answer with what remembers them, methods and properties are the model's own.

    `path` leads to it from the model in question, through the models of `below`.
    """

    def __init__(self, model, path, ways, below=()):
        self.__dict__.update(_model=model, _path=path, _ways=ways, _below=below)

    @property
    def __class__(self):
        # `super()` in a model's method asks for this.
        return self.__dict__["_model"]

    def __getattr__(self, name):
        model, path, ways, below = (self.__dict__[key] for key in ("_model", "_path", "_ways", "_below"))
        if name == "_meta":
            return model._meta
        if name == "natural_key" and path:
            return lambda: nested_key(self, model, path, below)
        if name == "pk":
            return FieldValue(path + (key_column(model),))
        for field in model._meta.concrete_fields:
            if name not in (field.name, field.attname):
                continue
            column = path + way_to(model, field)
            if not field.is_relation or name != field.name:
                return FieldValue(column)
            if field.null and ways.is_null(column):
                return None
            return StandIn(field.remote_field.model, column, ways, (*below, model))
        if not hasattr(model, name):
            raise AttributeError("{} has no {}".format(model._meta.label, name))
        for owner in model.__mro__:
            if name in vars(owner):
                found = vars(owner)[name]
                return found.__get__(self, model) if hasattr(found, "__get__") else found
        raise Unclear("uses {}".format(name))

    def __setattr__(self, name, value):
        raise Unclear("sets {}".format(name))


def nested_key(row, model, path, below):
    if model in below:
        # As deep as the rows' own chain of references: only a list in the list says that.
        return NestedKey((None,), path)
    return NestedKey(model.natural_key(row), path)


def way_to(model, field):
    """The columns from a model's own table to a field: through the link to the parent that holds it, where there is one."""
    owner = field.model._meta.concrete_model
    columns = ()
    model = model._meta.concrete_model
    while model is not owner:
        link = model._meta.get_ancestor_link(owner)
        columns += (link.column,)
        model = link.remote_field.model._meta.concrete_model
    return columns + (field.column,)


def key_column(model):
    column = model._meta.pk.column
    if column is None:
        raise Unclear("uses a composite primary key")
    return column


def natural_key(model):
    """The natural key as relink writes it, or None where the model has none. Raises Unclear where it cannot be told."""
    if not hasattr(model, "natural_key"):
        return None
    ways = Ways()
    keys = []
    while ways.left:
        if len(keys) > WAYS_MAX:
            raise Unclear("has too many ways through it")
        ways.null = ways.left.pop(0)
        nulls = [path for path, null in ways.null.items() if null]
        try:
            returned = model.natural_key(StandIn(model, (), ways))
        except Unclear:
            raise
        except Exception as error:
            # Without what it references there is no key, so no such row can be dumped.
            if nulls and keys:
                continue
            raise Unclear("raises {}: {}".format(type(error).__name__, error)) from error
        if not isinstance(returned, (tuple, list)):
            raise Unclear("returns no tuple")
        keys.append(([path_of(part) for part in returned], nulls))
    whole = keys[0][0]
    if not whole or None in whole:
        raise Unclear("holds what is no field")
    for parts, nulls in keys[1:]:
        if parts not in (whole, [None if is_below(part, nulls) else part for part in whole]):
            raise Unclear("has another form where {} is null".format(", ".join(".".join(path) for path in nulls)))
    return [".".join(part) for part in whole]


def path_of(part):
    """The columns that one part of a natural key stands for; None for null."""
    if part is None or isinstance(part, (FieldValue, NestedKey)):
        return getattr(part, "path", None)
    raise Unclear("is computed")


def is_below(part, nulls):
    return any(part[: len(path)] == path for path in nulls)


def is_unique(model, key):
    """Whether the database keeps this natural key unique."""
    columns = {part.split(".")[0] for part in key}
    options = model._meta
    keys = [{field.column} for field in options.local_concrete_fields if field.unique]
    keys += [{options.get_field(name).column for name in names} for names in options.unique_together]
    keys += [
        {options.get_field(name).column for name in constraint.fields}
        for constraint in options.total_unique_constraints
    ]
    return any(unique <= columns for unique in keys)


def is_named(model):
    """Whether records of other models may name rows of this one: a foreign key or a many-to-many field leads to it."""
    from django.db.models import ForeignKey, ManyToManyField

    ways = (field.remote_field for field in model._meta.get_fields(include_hidden=True) if field.auto_created and not field.concrete)
    return any(
        isinstance(way, (ForeignKey, ManyToManyField))
        and not way.model._meta.auto_created
        and not getattr(way.remote_field, "parent_link", False)
        for way in ways
    )


def natural_key_lines(model):
    try:
        key = natural_key(model)
    except Unclear as error:
        return ["# natural_key: {}'s own {}, which no list of columns says".format(model._meta.label, error)]
    if key is None:
        return []
    if not is_unique(model, key) and not is_named(model):
        return ["# natural_key = {}: nothing keeps it unique, and no other model names these rows by it".format(toml(key))]
    return ["natural_key = " + toml(key)]


def generic(model):
    from django.contrib.contenttypes.fields import GenericForeignKey

    found = []
    for field in model._meta.private_fields:
        if isinstance(field, GenericForeignKey) and not getattr(field, "mti_inherited", False):
            type_column, id_column = (model._meta.get_field(name).column for name in (field.ct_field, field.fk_field))
            found.append({"type": type_column, "id": id_column})
    return found


def reading(field):
    """How relink has to read what dumpdata writes of a field, where that is not the column's own form."""
    try:
        if field.get_internal_type() == "JSONField":
            row = type("Row", (), {field.attname: field.to_python(field.get_default())})()
            return "json-text" if isinstance(field.value_to_string(row), str) and not is_plain_json(field) else None
        if field.null and hasattr(field, "from_db_value"):
            empty = field.from_db_value(None, None, None) == "" and field.get_prep_value("") is None
            return "empty-is-null" if empty else None
    except Exception:
        # A field class with needs of its own: it is taken for what its column is.
        return None
    return None


def is_plain_json(field):
    from django.db.models import JSONField

    return type(field).value_to_string is JSONField.value_to_string


def references(model):
    """References that the database does not enforce: those that Django keeps, and those that nobody keeps."""
    from django.db.models import DO_NOTHING

    kept, loose = [], []
    for field in model._meta.local_concrete_fields:
        if field.is_relation and not getattr(field, "db_constraint", True):
            target = field.target_field
            text = "{} -> {}.{}".format(field.column, table_name(target.model), target.column)
            (loose if field.remote_field.on_delete is DO_NOTHING else kept).append(text)
    return kept, loose


def table_name(model):
    """The table as relink names it; `"namespace"."table"` is a way to name another schema in Django."""
    return model._meta.db_table.replace('"."', ".").strip('"')


def entries(model, labels):
    """The lines of a table's section."""
    table = table_name(model)
    lines = []
    others = [label for label in labels if label.replace(".", "_", 1) != table]
    if others:
        lines.append("models = " + toml(others))
    fields = model._meta.local_concrete_fields
    columns = {field.column for field in fields}
    renamed = {}
    for field in fields:
        by_rule = field.name if field.name in columns else field.name + "_id"
        if field.column is not None and field.column != by_rule:
            renamed[field.name] = field.column
    if renamed:
        lines.append("fields = " + toml(renamed))
    joins = {
        field.name: table_name(field.remote_field.through)
        for field in model._meta.local_many_to_many
        if field.remote_field.through._meta.auto_created
        and table_name(field.remote_field.through) != "{}_{}".format(table, field.name)
    }
    if joins:
        lines.append("join_tables = " + toml(joins))
    lines += natural_key_lines(model)
    readings = {field.column: reading(field) for field in fields if reading(field)}
    if readings:
        lines.append("read = " + toml(readings))
    if apps.is_installed("django.contrib.contenttypes") and generic(model):
        lines.append("generic = " + toml(generic(model)))
    kept, loose = references(model)
    if kept:
        lines.append("refs = " + toml(kept))
    if loose:
        lines.append("# Nobody keeps these: uncomment them only if they are to be followed and checked.")
        lines.append("# refs = " + toml(loose + kept if kept else loose))
    return lines


def why_not_there(model):
    """Why the table may not be in the database, or None."""
    from django.db import router

    if model._meta.pk.column == "rowid":
        return "its key is SQLite's rowid, so it is a virtual table, for searching: add the label to ignore_models"
    if not model._meta.managed:
        return "Django does not make this table: if it is a view, add the label to ignore_models"
    if not router.allow_migrate_model("default", model):
        return "a router keeps this table out of the database `default`"
    return None


def toml(value):
    """A value in TOML; JSON's strings are TOML's basic strings."""
    if isinstance(value, dict):
        return "{ " + ", ".join("{} = {}".format(bare(key), toml(inner)) for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def bare(key):
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else toml(key)


def configuration(app_labels=()):
    """The lines of relink.toml."""
    labels = {}
    for model in apps.get_models():
        if not app_labels or model._meta.app_label in app_labels:
            labels.setdefault(model._meta.concrete_model, []).append(model._meta.label_lower)
    yield "# The models of {}, with Django {}: {}.".format(
        os.environ.get("DJANGO_SETTINGS_MODULE", "a project"), django.get_version(), datetime.date.today()
    )
    yield "version = 1"
    if not settings.USE_TZ:
        yield ""
        yield "# USE_TZ is off: dates without a zone are in the project's own."
        yield "[run]"
        yield "timezone = " + toml(settings.TIME_ZONE)
    for model in sorted(labels, key=table_name):
        lines = entries(model, sorted(labels[model]))
        absent = why_not_there(model)
        if not lines and not absent:
            continue
        yield ""
        if absent:
            yield "# {}: {}.".format(", ".join(sorted(labels[model])), absent)
        section = ["[table.{}]".format(bare(table_name(model)))] + lines
        yield from ("# " + line if absent and not line.startswith("#") else line for line in section)


def main():
    # Inside `manage.py shell` everything is set up, and the arguments are not this script's.
    inside = apps.ready
    if not inside:
        sys.path.insert(0, os.getcwd())
        django.setup()
    app_labels = [] if inside else sys.argv[1:]
    for label in app_labels:
        apps.get_app_config(label)
    # A file in the end: in UTF-8, whatever the terminal speaks.
    sys.stdout.flush()
    text = "\n".join(configuration(app_labels)) + "\n"
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


main()
