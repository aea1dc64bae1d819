import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("sku", models.CharField(max_length=20, unique=True)),
                ("title", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True)),
                ("price", models.DecimalField(decimal_places=4, max_digits=14)),
                ("weight", models.FloatField(null=True)),
                ("barcode", models.BigIntegerField(null=True)),
                ("quantity", models.IntegerField(default=0)),
                ("fragile", models.BooleanField(null=True)),
                ("active", models.BooleanField(default=True)),
                ("photo", models.BinaryField(null=True)),
                ("attributes", models.JSONField(default=dict)),
                ("packing_time", models.DurationField(null=True)),
                ("created", models.DateTimeField()),
                ("available_from", models.DateField(null=True)),
                ("cutoff", models.TimeField(null=True)),
                ("address", models.GenericIPAddressField(null=True)),
                ("slug", models.SlugField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=80)),
            ],
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Shelf",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Supplier",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=10, unique=True)),
                ("name", models.CharField(max_length=80)),
            ],
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Category",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40)),
                (
                    "parent",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="children", to="stock.category"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Detail",
            fields=[
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to="stock.item"
                    ),
                ),
                ("text", models.TextField()),
            ],
        ),
        migrations.AddField(
            model_name="item",
            name="category",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="stock.category"),
        ),
        migrations.AddField(
            model_name="item",
            name="related",
            field=models.ManyToManyField(related_name="related_by", to="stock.item"),
        ),
        migrations.CreateModel(
            name="Movement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("count", models.IntegerField(db_column="qty")),
                ("item", models.ForeignKey(db_column="item_ref", on_delete=django.db.models.deletion.CASCADE, to="stock.item")),
            ],
            options={
                "db_table": "stock_moves",
            },
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("object_id", models.CharField(max_length=64)),
                ("text", models.TextField()),
                ("content_type", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="contenttypes.contenttype")),
            ],
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.DecimalField(decimal_places=2, max_digits=10)),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="prices", to="stock.item", to_field="sku"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="item",
            name="shelf",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to="stock.shelf"),
        ),
        migrations.CreateModel(
            name="Offer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("price", models.DecimalField(decimal_places=2, max_digits=10)),
                ("item", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="stock.item")),
                ("supplier", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="stock.supplier")),
            ],
            options={
                "unique_together": {("item", "supplier")},
            },
        ),
        migrations.CreateModel(
            name="Limit",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "supplier_id", "name", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=20)),
                ("value", models.IntegerField()),
                ("supplier", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="stock.supplier")),
            ],
        ),
        migrations.AddField(
            model_name="item",
            name="suppliers",
            field=models.ManyToManyField(through="stock.Offer", to="stock.supplier"),
        ),
        migrations.AddField(
            model_name="item",
            name="tags",
            field=models.ManyToManyField(related_name="items", to="stock.tag"),
        ),
        migrations.CreateModel(
            name="Version",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("text", models.TextField()),
                (
                    "document",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="stock.document"),
                ),
            ],
        ),
        migrations.AddField(
            model_name="document",
            name="current",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="stock.version"
            ),
        ),
        migrations.CreateModel(
            name="Warehouse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=10)),
                ("owner", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="stock.supplier")),
            ],
            options={
                "unique_together": {("code", "owner")},
            },
        ),
        migrations.AddField(
            model_name="shelf",
            name="warehouse",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="stock.warehouse"),
        ),
        migrations.CreateModel(
            name="Employee",
            fields=[
                (
                    "person_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="stock.person",
                    ),
                ),
                ("hired", models.DateField()),
                ("boss", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to="stock.employee")),
            ],
            bases=("stock.person",),
        ),
        migrations.AlterUniqueTogether(
            name="shelf",
            unique_together={("number", "warehouse")},
        ),
    ]
