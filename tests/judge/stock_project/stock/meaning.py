"""Every object by its meaning: Django's own dumpdata, once each model names its objects by what they are and not by an id."""

import json

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from stock.models import Category, Detail, Document, Item, Limit, Movement, Note, Offer, Price, Version
from django.contrib.flatpages.models import FlatPage
from django.contrib.redirects.models import Redirect


def ancestry(category: Category) -> tuple:
    """The names up to the root; a category may be its own parent."""
    names, seen = [], set()
    while category and category.pk not in seen:
        seen.add(category.pk)
        names.append(category.name)
        category = category.parent
    return (*names, "itself") if category else tuple(names)


NATURAL = {
    Category: ancestry,
    Item: lambda item: (item.sku,),
    Document: lambda document: (document.title,),
    Version: lambda version: (version.document.title, version.number),
    # Nobody refers to these: that they have such a key only keeps their ids out of the dump.
    Detail: lambda detail: (detail.item.sku,),
    FlatPage: lambda page: (page.url,),
    Limit: lambda limit: (limit.supplier.code, limit.name),
    LogEntry: lambda entry: (entry.object_repr,),
    Movement: lambda movement: (movement.item.sku, movement.count),
    Note: lambda note: (note.text,),
    Offer: lambda offer: (offer.item.sku, offer.supplier.code),
    Price: lambda price: (price.item_id,),
    Redirect: lambda redirect: (redirect.old_path,),
}


def named(content_type: ContentType, key: str) -> str:
    """What a generic reference leads to, by natural key."""
    target = content_type.get_object_for_this_type(pk=key)
    return json.dumps([content_type.model, *target.natural_key()])


def dump():
    for model, natural_key in NATURAL.items():
        model.natural_key = natural_key
    # A primary key that is a reference says more than an id.
    Detail._meta.get_field("item").serialize = True
    for model in (Note, LogEntry):
        field = model._meta.get_field("object_id")
        field.value_from_object = lambda row: named(row.content_type, row.object_id)
    call_command("dumpdata", use_natural_foreign_keys=True, use_natural_primary_keys=True)
