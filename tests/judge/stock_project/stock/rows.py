"""Fills the project through the ORM, and later adds one more row to every model."""

import datetime
import decimal
import uuid

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.flatpages.models import FlatPage
from django.contrib.redirects.models import Redirect
from django.contrib.sessions.models import Session
from django.contrib.sites.models import Site

from stock.models import (
    Category,
    Detail,
    Document,
    Employee,
    Item,
    Limit,
    Movement,
    Note,
    Offer,
    Person,
    Price,
    Shelf,
    Supplier,
    Tag,
    Version,
    Warehouse,
)

UTC = datetime.timezone.utc


def fill():
    """Rows that are hard in one way each."""
    site = Site.objects.get()
    other = Site.objects.create(domain="other.example", name="other")
    keepers = Group.objects.create(name="keepers")
    keepers.permissions.set(Permission.objects.filter(content_type__app_label="stock")[:9])
    boss = User.objects.create_superuser(
        "boss", "boss@example.com", "x", last_login=datetime.datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    )
    clerk = User.objects.create_user("clerk@example.com", password="y", first_name="Zoë", last_name='O\'Neil \\ "quoted"')
    clerk.groups.add(keepers)
    clerk.user_permissions.set(Permission.objects.filter(codename__startswith="view_")[:3])

    tags = [Tag.objects.create(name=name) for name in ("fragile", "5", "new\nline", "日本語 🚚", "null")]
    # Children get lower ids than their parents.
    deep = Category.objects.create(id=1, name="Bolts", parent=Category.objects.create(id=7, name="Parts"))
    Category.objects.create(id=3, name="Bolts", parent=deep)
    lonely = Category.objects.create(id=9, name="Own parent")
    lonely.parent = lonely
    lonely.save()

    suppliers = [Supplier.objects.create(code=code, name=f"Supplier {code}") for code in ("A", "B", "C")]
    warehouses = [Warehouse.objects.create(code=code, owner=owner) for owner in suppliers for code in ("N", "S")]
    shelves = [Shelf.objects.create(number=number, warehouse=house) for house in warehouses for number in (1, 2)]

    items = [item(number, deep, shelves, tags) for number in range(40)]
    for number, one in enumerate(items):
        one.tags.set(tags[: number % 4])
        one.related.set([items[(number * 7 + 1) % 40], one] if number % 3 == 0 else [])
        Offer.objects.create(item=one, supplier=suppliers[number % 3], price=decimal.Decimal("9.90") + number)
        Price.objects.create(item=one, amount=decimal.Decimal("0.10") * number)
        Movement.objects.create(item=one, count=-number)
        if number % 5 == 0:
            Detail.objects.create(item=one, text="long " * 2000)
            Note.objects.create(about=one, text=f"about {one.sku}")

    Person.objects.create(name="No employee")
    chief = Employee.objects.create(name="Chief", hired=datetime.date(1999, 12, 31))
    second = Employee.objects.create(name="Second", boss=chief, hired=datetime.date(2020, 2, 29))
    Employee.objects.create(name="Third", boss=second, hired=datetime.date(2024, 1, 1))
    chief.boss = second
    chief.save()

    for title in ("Manual", "Contract"):
        document = Document.objects.create(title=title)
        versions = [Version.objects.create(document=document, number=number, text=title * number) for number in (1, 2, 3)]
        document.current = versions[1]
        document.save()
        Note.objects.create(about=document, text="a document")
    Document.objects.create(title="Without versions")

    for supplier in suppliers:
        Limit.objects.create(supplier=supplier, name="max", value=100)
        Limit.objects.create(supplier=supplier, name="min", value=-1)

    LogEntry.objects.create(
        user=boss,
        content_type=ContentType.objects.get_for_model(Item),
        object_id=str(items[0].pk),
        object_repr="an item",
        action_flag=CHANGE,
        change_message='[{"changed": {"fields": ["Price"]}}]',
        action_time=datetime.datetime(2026, 10, 25, 1, 30, 0, 123456, tzinfo=UTC),
    )
    Session.objects.create(session_key="k" * 40, session_data="data", expire_date=datetime.datetime(2030, 1, 1, tzinfo=UTC))
    page = FlatPage.objects.create(url="/about/", title="About", content="<p>%s</p>")
    page.sites.set([site, other])
    Redirect.objects.create(site=other, old_path="/old", new_path="")


def item(number: int, category, shelves, tags) -> Item:
    return Item.objects.create(
        id=uuid.UUID(int=0xFEED_0000_0000_4000_8000_0000_0000_0000 + number),
        sku=f"{number:05}",
        title=["plain", "", "tab\tand \\backslash", "'; DROP TABLE stock_item; --", "ÄÖÜ ẞ 😀 \u200b"][number % 5],
        description="line one\r\nline two" if number % 2 else "",
        category=category,
        shelf=shelves[number % len(shelves)] if number % 4 else None,
        price=[decimal.Decimal("0.0001"), decimal.Decimal("1234567890.1234"), decimal.Decimal("12.3"), decimal.Decimal("-5")][
            number % 4
        ],
        weight=[None, 0.1, 1e-7, 123456789.123456789, 1e300][number % 5],
        barcode=[None, 9007199254740993, 9223372036854775807, -9223372036854775808][number % 4],
        quantity=[-2147483648, 0, 2147483647][number % 3],
        fragile=[None, True, False][number % 3],
        active=number % 2 == 0,
        photo=[None, b"", b"\x00\xff\xfe binary", bytes(range(256))][number % 4],
        attributes=[{}, {"a": [1, None, "x"], "ü": 1.5}, [], "text", 5, True, {"nested": {"deep": ["\\", '"']}}][number % 7],
        packing_time=[
            None,
            datetime.timedelta(days=1, hours=2, seconds=3, microseconds=4),
            datetime.timedelta(days=-1, seconds=5),
            datetime.timedelta(),
        ][number % 4],
        created=datetime.datetime(2024, 2, 29, 23, 59, 59, 999000, tzinfo=UTC)
        + datetime.timedelta(days=number * 37, milliseconds=number),
        available_from=[None, datetime.date(1, 1, 1) if number % 2 else datetime.date(1000, 1, 1), datetime.date(9999, 12, 31)][
            number % 3
        ],
        cutoff=[None, datetime.time(0), datetime.time(23, 59, 59, 123000)][number % 3],
        address=[None, "192.0.2.1", "2001:db8::1"][number % 3],
        slug=["", "a-slug"][number % 2],
    )


def one_more():
    """A further row in every model, with an id of the database's choice: sequences have to stand past what was restored."""
    before = {model: model.objects.count() for model in apps.get_models() if model is not Session}
    site = Site.objects.create(domain="more.example", name="more")
    content_type = ContentType.objects.create(app_label="more", model="more")
    permission = Permission.objects.create(codename="more", name="more", content_type=content_type)
    group = Group.objects.create(name="more")
    group.permissions.add(permission)
    user = User.objects.create(username="more")
    user.groups.add(group)
    user.user_permissions.add(permission)
    tag = Tag.objects.create(name="more")
    category = Category.objects.create(name="more")
    supplier = Supplier.objects.create(code="more", name="more")
    shelf = Shelf.objects.create(number=99, warehouse=Warehouse.objects.create(code="more", owner=supplier))
    extra = Item.objects.create(
        sku="more", title="more", category=category, shelf=shelf, price=1, created=datetime.datetime.now(UTC)
    )
    extra.tags.add(tag)
    extra.related.add(extra)
    Offer.objects.create(item=extra, supplier=supplier, price=1)
    Detail.objects.create(item=extra, text="more")
    Price.objects.create(item=extra, amount=1)
    Movement.objects.create(item=extra, count=1)
    Employee.objects.create(name="more", hired=datetime.date(2026, 1, 1))
    document = Document.objects.create(title="more")
    Version.objects.create(document=document, number=1, text="more")
    Note.objects.create(about=document, text="more")
    Limit.objects.create(supplier=supplier, name="more", value=1)
    LogEntry.objects.create(user=user, content_type=content_type, object_id="1", object_repr="more", action_flag=CHANGE)
    FlatPage.objects.create(url="/more/", title="more").sites.add(site)
    Redirect.objects.create(site=site, old_path="/more")
    unchanged = [model._meta.label for model, count in before.items() if model.objects.count() != count + 1]
    assert not unchanged, unchanged
