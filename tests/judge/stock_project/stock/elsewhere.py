"""Another environment's rows: some are the same objects under other ids, others have the ids that the export's objects have."""

from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, transaction

from stock.models import Document, Person, Supplier, Tag, Version, Warehouse


def renumber():
    """`migrate` numbers content types and permissions from 1 in the order of the applications; here it is the reverse order."""
    types = list(ContentType.objects.order_by("-id").values_list("app_label", "model"))
    with transaction.atomic():
        ContentType.objects.all().delete()
        for number, (app_label, model) in enumerate(types, 1):
            ContentType.objects.create(id=number, app_label=app_label, model=model)
    call_command("migrate", verbosity=0)
    permissions = list(Permission.objects.order_by("-id").values("codename", "name", "content_type_id"))
    with transaction.atomic():
        Permission.objects.all().delete()
        for number, permission in enumerate(permissions, 1):
            Permission.objects.create(id=number, **permission)


def fill():
    renumber()
    with transaction.atomic():
        Site.objects.all().delete()
        Site.objects.create(id=1, domain="third.example", name="third")
        Site.objects.create(id=7, domain="example.com", name="named otherwise")

        staff = Group.objects.create(id=1, name="staff")
        keepers = Group.objects.create(id=5, name="keepers")
        keepers.permissions.set(Permission.objects.filter(codename="add_user"))
        User.objects.create_superuser("admin", "admin@example.com", "z", id=1)
        User.objects.create_user("guest", id=2).groups.add(staff)
        boss = User.objects.create_superuser("boss", "other@example.com", "other", id=9, first_name="Other")
        boss.groups.add(staff)

        Tag.objects.create(id=1, name="5")
        Tag.objects.create(id=2, name="theirs")
        Supplier.objects.create(id=1, code="Z", name="Supplier Z")
        known = Supplier.objects.create(id=2, code="A", name="named otherwise")
        Warehouse.objects.create(id=1, code="S", owner=known)
        Person.objects.create(id=1, name="Theirs")
        Person.objects.create(id=4, name="Chief")
        theirs = Document.objects.create(id=1, title="Theirs")
        theirs.current = Version.objects.create(id=1, document=theirs, number=1, text="theirs")
        theirs.save()
    advance()


def advance():
    """Ids were given, so PostgreSQL's sequences stand behind them."""
    for sql in connection.ops.sequence_reset_sql(
        no_style(), [Site, Group, Permission, User, ContentType, Tag, Supplier, Warehouse, Person, Document, Version]
    ):
        with connection.cursor() as cursor:
            cursor.execute(sql)
