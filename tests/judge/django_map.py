"""Django's own map of a project (`models.json`): which tables, columns and references its labels stand for.

From it come the `relink.toml` for what Django's naming rules do not say, and the kinds and references that comparing needs.
"""

import ast
import json
import textwrap
from dataclasses import dataclass
from pathlib import Path

from values import DJANGO_KINDS

# What relink knows without configuration. Leaving it out of relink.toml is the test that it does.
BUILT_IN = {
    "admin.logentry",
    "auth.group",
    "auth.permission",
    "auth.user",
    "contenttypes.contenttype",
    "flatpages.flatpage",
    "sessions.session",
    "sites.site",
}

# Natural keys that are computed in a way that no column list says, or by names that only the class knows.
WRITTEN_BY_HAND = {
    # taggit: natural_key_fields
    "taggit.tag": ["name"],
    "blog.blogpagetag": ["tag_id", "content_object_id"],
    "taggit.taggeditem": None,
    # wagtail: the names on the path from the root of the tree, see TREES.
    "wagtailcore.collection": None,
    # Raises: meant never to be called.
    "serializers.fkaspknonaturalkey": None,
}

# Natural keys along a tree with materialised paths, as relink.toml writes them.
TREES = {"wagtailcore.collection": '{ column = "name", path = "path", step = 4 }'}


@dataclass(frozen=True)
class Reference:
    label: str
    column: str
    declared: bool


class DjangoMap:
    def __init__(self, path: Path):
        self.models: dict[str, dict] = json.loads(path.read_text())
        self.by_table: dict[str, str] = {}
        for label, model in self.models.items():
            if not model["proxy"]:
                self.by_table[model["table"]] = label

    def concrete(self, label: str) -> str:
        """The model that owns the table of this one: itself, or what a proxy stands for."""
        return self.by_table.get(self.models[label]["table"], label)

    def field_of_column(self, label: str, column: str) -> dict:
        return next(field for field in self.models[label]["fields"].values() if field["column"] == column)

    def reference(self, label: str, column: str) -> Reference | None:
        """What a column references: the label's concrete model and its column."""
        field = self.field_of_column(label, column)
        if not field.get("fk"):
            return None
        target = self.concrete(field["fk"])
        to = self.models[target]["fields"][field["to"]]["column"]
        return Reference(target, to, field.get("constraint", True))

    def kind(self, table: str, column: str) -> str:
        """The kind of a column; a reference has that of what it references."""
        label = self.by_table[table]
        reference = self.reference(label, column)
        if reference:
            return self.kind(self.models[reference.label]["table"], reference.column)
        return DJANGO_KINDS.get(self.field_of_column(label, column)["type"], "text")

    def key_column(self, label: str) -> str | None:
        """The column of the primary key, unless it is composite."""
        field = self.models[label]["fields"].get(self.models[label]["pk"])
        return field["column"] if field else None

    # Natural keys

    def inherited(self, label: str, name: str) -> str | None:
        """`column`, or `parent_ptr_id.column` where a parent of multi-table inheritance holds the field."""
        model = self.models[label]
        if name in model["fields"]:
            return model["fields"][name]["column"]
        for field in model["fields"].values():
            if field.get("parent_link"):
                found = self.inherited(field["fk"], name)
                if found:
                    return f"{field['column']}.{found}"
        return None

    def natural_key(self, label: str) -> list[str] | None:
        """The natural key as relink.toml writes it, worked out from the source of `natural_key`."""
        if label in WRITTEN_BY_HAND:
            return WRITTEN_BY_HAND[label]
        source = self.models[label].get("natural_key_src")
        if not source:
            return None
        tree = ast.parse(dedented(source))
        returned = next(node.value for node in ast.walk(tree) if isinstance(node, ast.Return))
        return self.parts(label, returned)

    def parts(self, label: str, node) -> list[str]:
        match node:
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                return [part for element in elements for part in self.parts(label, element)]
            case ast.Starred(value=value):
                return self.parts(label, value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.parts(label, left) + self.parts(label, right)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                found = self.inherited(label, name)
                assert found, f"{label} has no field {name}"
                return [found]
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="get_username")):
                return ["username"]
            case ast.Call(func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=name), attr="natural_key")):
                field = self.models[label]["fields"][name]
                nested = self.natural_key(field["fk"])
                return [f"{field['column']}.{part}" for part in nested]
        raise AssertionError(f"{label}: {ast.dump(node)}")

    # relink.toml

    def relink_toml(
        self,
        tables: set[str],
        without_references: frozenset[str] = frozenset(),
        repeats_parents: bool = False,
        readings: dict[str, dict[str, str]] | None = None,
        ignore: list[str] | None = None,
    ) -> str:
        """A relink.toml with what the naming rules do not find, for the tables that exist.

        `without_references` names undeclared references (`table.column`) that the data is known to break. With
        `repeats_parents` a child's record may repeat fields of its parent (hand-written fixtures do); loaddata ignores them there,
        and so shall relink. `readings` says of columns (by table) how their values are to be read;
        records of the labels in `ignore` are left out.
        """
        lines = ["version = 1", "", "[run]", 'timezone = "UTC"', ""]
        skipped = [label for label, model in self.models.items() if not model["managed"] or label in (ignore or [])]
        if skipped:
            lines[1:1] = [f"ignore_models = {json.dumps(sorted(skipped))}"]
        for table, label in sorted(self.by_table.items()):
            if table not in tables:
                continue
            entries = self.table_entries(table, label, without_references, repeats_parents)
            if readings and table in readings:
                entries.append(f"read = {inline(readings[table])}")
            if entries:
                lines += [f"[table.{json.dumps(table)}]", *entries, ""]
        return "\n".join(lines)

    def table_entries(self, table, label, without_references, repeats_parents) -> list[str]:
        model = self.models[label]
        entries = []
        labels = [name for name, other in self.models.items() if other["table"] == table and name not in BUILT_IN]
        labels = [name for name in labels if name.replace(".", "_") != table]
        if labels and not model["auto_created"]:
            entries.append(f"models = {json.dumps(labels)}")
        fields = {}
        for name, field in model["fields"].items():
            by_rule = f"{name}_id" if field.get("fk") else name
            if field["column"] and field["column"] != by_rule:
                fields[name] = field["column"]
        for name in sorted(self.fields_of_parents(label)) if repeats_parents else []:
            fields.setdefault(name, "")
        if fields:
            entries.append(f"fields = {inline(fields)}")
        joins = {
            name: many["table"]
            for name, many in model["m2m"].items()
            if many["through_auto"] and many["table"] != f"{table}_{name}"
        }
        if joins and label not in BUILT_IN:
            entries.append(f"join_tables = {inline(joins)}")
        key = self.natural_key(label) if label not in BUILT_IN else None
        if key:
            entries.append(f"natural_key = {json.dumps(key)}")
        elif label in TREES:
            entries.append(f"natural_key = {TREES[label]}")
        references = [
            f"{field['column']} -> {self.models[self.concrete(field['fk'])]['table']}"
            f".{self.models[self.concrete(field['fk'])]['fields'][field['to']]['column']}"
            for field in model["fields"].values()
            if field.get("fk") and not field.get("constraint", True) and f"{table}.{field['column']}" not in without_references
        ]
        if references:
            entries.append(f"refs = {json.dumps(references)}")
        return entries

    def fields_of_parents(self, label: str) -> set[str]:
        names: set[str] = set()
        own = self.models[label]["fields"]
        for field in own.values():
            if field.get("parent_link"):
                parent = self.models[field["fk"]]
                names |= set(parent["fields"]) | set(parent["m2m"]) | self.fields_of_parents(field["fk"])
        return names - set(own)


def inline(table: dict[str, str]) -> str:
    """A TOML inline table; TOML's basic strings are JSON's for these names."""
    return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()) + " }"


def dedented(source: str) -> str:
    """A method's source whose first line lost its indentation and whose body kept it."""
    first, _, rest = source.partition("\n")
    return first + "\n" + textwrap.indent(textwrap.dedent(rest), "    ")
