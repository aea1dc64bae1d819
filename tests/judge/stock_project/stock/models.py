"""A small stock keeping application: one model for each kind of reference, and one field for each kind of value."""

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models


class ByNaturalKey(models.Manager):
    """Looks objects up by the fields that their natural key names; `a__b` goes through a reference."""

    def get_by_natural_key(self, *values):
        return self.get(**dict(zip(self.model.NATURAL, values, strict=True)))


class Tag(models.Model):
    NATURAL = ("name",)
    name = models.CharField(max_length=40, unique=True)
    objects = ByNaturalKey()

    def natural_key(self):
        return (self.name,)


class Category(models.Model):
    """A tree, named by a key that may repeat under another parent."""

    name = models.CharField(max_length=40)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")


class Supplier(models.Model):
    NATURAL = ("code",)
    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=80)
    objects = ByNaturalKey()

    def natural_key(self):
        return (self.code,)


class Warehouse(models.Model):
    """Its natural key holds that of its supplier."""

    NATURAL = ("code", "owner__code")
    code = models.CharField(max_length=10)
    owner = models.ForeignKey(Supplier, models.CASCADE)
    objects = ByNaturalKey()

    class Meta:
        unique_together = [("code", "owner")]

    def natural_key(self):
        return (self.code, *self.owner.natural_key())

    natural_key.dependencies = ["stock.supplier"]


class Shelf(models.Model):
    """Its natural key is nested twice."""

    NATURAL = ("number", "warehouse__code", "warehouse__owner__code")
    number = models.PositiveSmallIntegerField()
    warehouse = models.ForeignKey(Warehouse, models.CASCADE)
    objects = ByNaturalKey()

    class Meta:
        unique_together = [("number", "warehouse")]

    def natural_key(self):
        return (self.number, *self.warehouse.natural_key())

    natural_key.dependencies = ["stock.warehouse"]


class Item(models.Model):
    """Every kind of value."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    sku = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    category = models.ForeignKey(Category, models.PROTECT)
    shelf = models.ForeignKey(Shelf, models.SET_NULL, null=True)
    price = models.DecimalField(max_digits=14, decimal_places=4)
    weight = models.FloatField(null=True)
    barcode = models.BigIntegerField(null=True)
    quantity = models.IntegerField(default=0)
    fragile = models.BooleanField(null=True)
    active = models.BooleanField(default=True)
    photo = models.BinaryField(null=True)
    attributes = models.JSONField(default=dict)
    packing_time = models.DurationField(null=True)
    created = models.DateTimeField()
    available_from = models.DateField(null=True)
    cutoff = models.TimeField(null=True)
    address = models.GenericIPAddressField(null=True)
    slug = models.SlugField(blank=True)
    tags = models.ManyToManyField(Tag, related_name="items")
    related = models.ManyToManyField("self", symmetrical=False, related_name="related_by")
    suppliers = models.ManyToManyField(Supplier, through="Offer")


class Offer(models.Model):
    """A many-to-many relation with a model of its own."""

    item = models.ForeignKey(Item, models.CASCADE)
    supplier = models.ForeignKey(Supplier, models.CASCADE)
    price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        unique_together = [("item", "supplier")]


class Detail(models.Model):
    """One to one, and its primary key is the reference."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True)
    text = models.TextField()


class Price(models.Model):
    """References a unique column that is no primary key."""

    item = models.ForeignKey(Item, models.CASCADE, to_field="sku", related_name="prices")
    amount = models.DecimalField(max_digits=10, decimal_places=2)


class Movement(models.Model):
    """Names that no rule can guess."""

    item = models.ForeignKey(Item, models.CASCADE, db_column="item_ref")
    count = models.IntegerField(db_column="qty")

    class Meta:
        db_table = "stock_moves"


class Person(models.Model):
    NATURAL = ("name",)
    name = models.CharField(max_length=80, unique=True)
    objects = ByNaturalKey()

    def natural_key(self):
        return (self.name,)


class Employee(Person):
    """Multi-table inheritance, and a chain of bosses."""

    boss = models.ForeignKey("self", models.SET_NULL, null=True)
    hired = models.DateField()


class Document(models.Model):
    """A cycle with `Version`, of which this side may be NULL."""

    title = models.CharField(max_length=80)
    current = models.ForeignKey("Version", models.SET_NULL, null=True, related_name="+")


class Version(models.Model):
    document = models.ForeignKey(Document, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()


class Note(models.Model):
    """A generic reference."""

    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.CharField(max_length=64)
    about = GenericForeignKey()
    text = models.TextField()


class Limit(models.Model):
    """A composite primary key, one part of which is a reference."""

    pk = models.CompositePrimaryKey("supplier_id", "name")
    supplier = models.ForeignKey(Supplier, models.CASCADE)
    name = models.CharField(max_length=20)
    value = models.IntegerField()
