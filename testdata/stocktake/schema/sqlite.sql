-- The stocktake application on SQLite 3.31 or later, in the types and table names that Django gives its models there.
-- Unlike what Django itself declares, constraints carry names, and only the reference that closes the cycle is deferrable.
-- Unique keys are separate indexes.

-- The framework: content types, permissions, roles and users.
CREATE TABLE "django_content_type" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "app_label" varchar(100) NOT NULL,
    "model" varchar(100) NOT NULL
);
CREATE UNIQUE INDEX "django_content_type_app_label_model_uniq" ON "django_content_type" ("app_label", "model");

CREATE TABLE "auth_permission" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" varchar(255) NOT NULL,
    "content_type_id" integer NOT NULL,
    "codename" varchar(100) NOT NULL,
    CONSTRAINT "auth_permission_content_type_id_fk" FOREIGN KEY ("content_type_id") REFERENCES "django_content_type" ("id")
);
CREATE UNIQUE INDEX "auth_permission_content_type_id_codename_uniq" ON "auth_permission" ("content_type_id", "codename");

CREATE TABLE "auth_group" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" varchar(150) NOT NULL
);
CREATE UNIQUE INDEX "auth_group_name_uniq" ON "auth_group" ("name");

CREATE TABLE "auth_group_permissions" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "group_id" integer NOT NULL,
    "permission_id" integer NOT NULL,
    CONSTRAINT "auth_group_permissions_group_id_fk" FOREIGN KEY ("group_id") REFERENCES "auth_group" ("id"),
    CONSTRAINT "auth_group_permissions_permission_id_fk" FOREIGN KEY ("permission_id") REFERENCES "auth_permission" ("id")
);
CREATE UNIQUE INDEX "auth_group_permissions_group_id_permission_id_uniq" ON "auth_group_permissions" ("group_id", "permission_id");
CREATE INDEX "auth_group_permissions_permission_id_idx" ON "auth_group_permissions" ("permission_id");

CREATE TABLE "auth_user" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "password" varchar(128) NOT NULL,
    "last_login" datetime NULL,
    "is_superuser" bool NOT NULL,
    "username" varchar(150) NOT NULL,
    "first_name" varchar(150) NOT NULL,
    "last_name" varchar(150) NOT NULL,
    "email" varchar(254) NOT NULL,
    "is_staff" bool NOT NULL,
    "is_active" bool NOT NULL,
    "date_joined" datetime NOT NULL
);
CREATE UNIQUE INDEX "auth_user_username_uniq" ON "auth_user" ("username");

CREATE TABLE "auth_user_groups" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "user_id" integer NOT NULL,
    "group_id" integer NOT NULL,
    CONSTRAINT "auth_user_groups_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "auth_user" ("id"),
    CONSTRAINT "auth_user_groups_group_id_fk" FOREIGN KEY ("group_id") REFERENCES "auth_group" ("id")
);
CREATE UNIQUE INDEX "auth_user_groups_user_id_group_id_uniq" ON "auth_user_groups" ("user_id", "group_id");
CREATE INDEX "auth_user_groups_group_id_idx" ON "auth_user_groups" ("group_id");

CREATE TABLE "auth_user_user_permissions" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "user_id" integer NOT NULL,
    "permission_id" integer NOT NULL,
    CONSTRAINT "auth_user_user_permissions_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "auth_user" ("id"),
    CONSTRAINT "auth_user_user_permissions_permission_id_fk" FOREIGN KEY ("permission_id") REFERENCES "auth_permission" ("id")
);
CREATE UNIQUE INDEX "auth_user_user_permissions_user_id_permission_id_uniq" ON "auth_user_user_permissions" ("user_id", "permission_id");
CREATE INDEX "auth_user_user_permissions_permission_id_idx" ON "auth_user_user_permissions" ("permission_id");

-- What is bought and kept: a tree of categories, suppliers, tags, items.
CREATE TABLE "stocktake_category" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" varchar(100) NOT NULL,
    "slug" varchar(100) NOT NULL,
    "parent_id" bigint NULL,
    "position" integer NOT NULL,
    CONSTRAINT "stocktake_category_position_check" CHECK ("position" >= 0),
    CONSTRAINT "stocktake_category_parent_id_fk" FOREIGN KEY ("parent_id") REFERENCES "stocktake_category" ("id")
);
CREATE UNIQUE INDEX "stocktake_category_slug_uniq" ON "stocktake_category" ("slug");
CREATE INDEX "stocktake_category_parent_id_idx" ON "stocktake_category" ("parent_id");

CREATE TABLE "stocktake_supplier" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" varchar(120) NOT NULL,
    "email" varchar(254) NOT NULL,
    "country" char(2) NOT NULL,
    "active" bool NOT NULL,
    "rating" real NULL,
    "notes" text NOT NULL
);
CREATE UNIQUE INDEX "stocktake_supplier_name_uniq" ON "stocktake_supplier" ("name");

CREATE TABLE "stocktake_tag" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" varchar(60) NOT NULL
);
CREATE UNIQUE INDEX "stocktake_tag_name_uniq" ON "stocktake_tag" ("name");

CREATE TABLE "stocktake_item" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "sku" varchar(40) NOT NULL,
    "name" varchar(200) NOT NULL,
    "description" text NOT NULL,
    "barcode" varchar(20) NULL,
    "category_id" bigint NOT NULL,
    "supplier_id" bigint NOT NULL,
    "unit_price" decimal(10, 2) NOT NULL,
    "cost" decimal(10, 2) NOT NULL,
    "reorder_level" integer NOT NULL,
    "weight" real NULL,
    "attributes" text NOT NULL,
    "photo" BLOB NULL,
    "is_active" bool NOT NULL,
    "created_at" datetime NOT NULL,
    "discontinued_on" date NULL,
    CONSTRAINT "stocktake_item_attributes_check" CHECK (json_valid("attributes")),
    CONSTRAINT "stocktake_item_unit_price_check" CHECK ("unit_price" >= 0),
    CONSTRAINT "stocktake_item_reorder_level_check" CHECK ("reorder_level" >= 0),
    CONSTRAINT "stocktake_item_category_id_fk" FOREIGN KEY ("category_id") REFERENCES "stocktake_category" ("id"),
    CONSTRAINT "stocktake_item_supplier_id_fk" FOREIGN KEY ("supplier_id") REFERENCES "stocktake_supplier" ("id")
);
CREATE UNIQUE INDEX "stocktake_item_sku_uniq" ON "stocktake_item" ("sku");
CREATE UNIQUE INDEX "stocktake_item_barcode_uniq" ON "stocktake_item" ("barcode");
CREATE INDEX "stocktake_item_category_id_idx" ON "stocktake_item" ("category_id");
CREATE INDEX "stocktake_item_supplier_id_idx" ON "stocktake_item" ("supplier_id");

CREATE TABLE "stocktake_item_tags" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "item_id" bigint NOT NULL,
    "tag_id" bigint NOT NULL,
    CONSTRAINT "stocktake_item_tags_item_id_fk" FOREIGN KEY ("item_id") REFERENCES "stocktake_item" ("id"),
    CONSTRAINT "stocktake_item_tags_tag_id_fk" FOREIGN KEY ("tag_id") REFERENCES "stocktake_tag" ("id")
);
CREATE UNIQUE INDEX "stocktake_item_tags_item_id_tag_id_uniq" ON "stocktake_item_tags" ("item_id", "tag_id");
CREATE INDEX "stocktake_item_tags_tag_id_idx" ON "stocktake_item_tags" ("tag_id");

-- Where it is kept, how much of it, and how it moved.
CREATE TABLE "stocktake_location" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "code" varchar(20) NOT NULL,
    "name" varchar(120) NOT NULL,
    "parent_id" bigint NULL,
    "sensor_id" bigint NULL,
    "is_bonded" bool NOT NULL,
    CONSTRAINT "stocktake_location_parent_id_fk" FOREIGN KEY ("parent_id") REFERENCES "stocktake_location" ("id")
);
CREATE UNIQUE INDEX "stocktake_location_code_uniq" ON "stocktake_location" ("code");
CREATE INDEX "stocktake_location_parent_id_idx" ON "stocktake_location" ("parent_id");

CREATE TABLE "stocktake_stock" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "item_id" bigint NOT NULL,
    "location_id" bigint NOT NULL,
    "quantity" integer NOT NULL,
    "counted_at" datetime NULL,
    CONSTRAINT "stocktake_stock_quantity_check" CHECK ("quantity" >= 0),
    CONSTRAINT "stocktake_stock_item_id_fk" FOREIGN KEY ("item_id") REFERENCES "stocktake_item" ("id"),
    CONSTRAINT "stocktake_stock_location_id_fk" FOREIGN KEY ("location_id") REFERENCES "stocktake_location" ("id")
);
CREATE UNIQUE INDEX "stocktake_stock_item_id_location_id_uniq" ON "stocktake_stock" ("item_id", "location_id");
CREATE INDEX "stocktake_stock_location_id_idx" ON "stocktake_stock" ("location_id");

CREATE TABLE "stocktake_movement" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "reference" char(36) NOT NULL,
    "item_id" bigint NOT NULL,
    "location_id" bigint NULL,
    "user_id" integer NOT NULL,
    "kind" varchar(12) NOT NULL,
    "quantity" integer NOT NULL,
    "moved_at" datetime NOT NULL,
    "note" varchar(200) NOT NULL,
    CONSTRAINT "stocktake_movement_kind_check" CHECK ("kind" IN ('receipt', 'issue', 'transfer', 'count')),
    CONSTRAINT "stocktake_movement_quantity_check" CHECK ("quantity" <> 0),
    CONSTRAINT "stocktake_movement_item_id_fk" FOREIGN KEY ("item_id") REFERENCES "stocktake_item" ("id"),
    CONSTRAINT "stocktake_movement_location_id_fk" FOREIGN KEY ("location_id") REFERENCES "stocktake_location" ("id"),
    CONSTRAINT "stocktake_movement_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "auth_user" ("id"),
    CONSTRAINT "stocktake_movement_item_id_location_id_fk" FOREIGN KEY ("item_id", "location_id") REFERENCES "stocktake_stock" ("item_id", "location_id")
);
CREATE UNIQUE INDEX "stocktake_movement_reference_uniq" ON "stocktake_movement" ("reference");
CREATE INDEX "stocktake_movement_location_id_idx" ON "stocktake_movement" ("location_id");
CREATE INDEX "stocktake_movement_user_id_idx" ON "stocktake_movement" ("user_id");
CREATE INDEX "stocktake_movement_item_id_location_id_idx" ON "stocktake_movement" ("item_id", "location_id");

-- Orders. deliver_to holds a location code and is not declared as a reference.
CREATE TABLE "stocktake_order" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "number" varchar(20) NOT NULL,
    "supplier_id" bigint NOT NULL,
    "created_by_id" integer NOT NULL,
    "status" varchar(12) NOT NULL,
    "ordered_at" datetime NOT NULL,
    "deliver_to" varchar(20) NULL,
    "total" decimal(12, 2) NULL,
    CONSTRAINT "stocktake_order_status_check" CHECK ("status" IN ('draft', 'placed', 'received', 'cancelled')),
    CONSTRAINT "stocktake_order_supplier_id_fk" FOREIGN KEY ("supplier_id") REFERENCES "stocktake_supplier" ("id"),
    CONSTRAINT "stocktake_order_created_by_id_fk" FOREIGN KEY ("created_by_id") REFERENCES "auth_user" ("id")
);
CREATE UNIQUE INDEX "stocktake_order_number_uniq" ON "stocktake_order" ("number");
CREATE INDEX "stocktake_order_supplier_id_idx" ON "stocktake_order" ("supplier_id");
CREATE INDEX "stocktake_order_created_by_id_idx" ON "stocktake_order" ("created_by_id");

CREATE TABLE "stocktake_orderline" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "order_id" bigint NOT NULL,
    "line_no" integer NOT NULL,
    "item_id" bigint NOT NULL,
    "quantity" integer NOT NULL,
    "unit_price" decimal(10, 2) NOT NULL,
    "amount" decimal(12, 2) NOT NULL,
    CONSTRAINT "stocktake_orderline_line_no_check" CHECK ("line_no" > 0),
    CONSTRAINT "stocktake_orderline_order_id_fk" FOREIGN KEY ("order_id") REFERENCES "stocktake_order" ("id"),
    CONSTRAINT "stocktake_orderline_item_id_fk" FOREIGN KEY ("item_id") REFERENCES "stocktake_item" ("id")
);
CREATE UNIQUE INDEX "stocktake_orderline_order_id_line_no_uniq" ON "stocktake_orderline" ("order_id", "line_no");
CREATE INDEX "stocktake_orderline_item_id_idx" ON "stocktake_orderline" ("item_id");

-- A cycle: a document knows its current version, a version belongs to its document.
CREATE TABLE "stocktake_document" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "title" varchar(200) NOT NULL,
    "item_id" bigint NULL,
    "owner_id" integer NULL,
    "current_version_id" bigint NULL,
    CONSTRAINT "stocktake_document_item_id_fk" FOREIGN KEY ("item_id") REFERENCES "stocktake_item" ("id"),
    CONSTRAINT "stocktake_document_owner_id_fk" FOREIGN KEY ("owner_id") REFERENCES "auth_user" ("id"),
    CONSTRAINT "stocktake_document_current_version_id_fk" FOREIGN KEY ("current_version_id") REFERENCES "stocktake_documentversion" ("id") DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX "stocktake_document_item_id_idx" ON "stocktake_document" ("item_id");
CREATE INDEX "stocktake_document_owner_id_idx" ON "stocktake_document" ("owner_id");
CREATE INDEX "stocktake_document_current_version_id_idx" ON "stocktake_document" ("current_version_id");

CREATE TABLE "stocktake_documentversion" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "document_id" bigint NOT NULL,
    "version_no" integer NOT NULL,
    "author_id" integer NULL,
    "body" text NOT NULL,
    "created_at" datetime NOT NULL,
    CONSTRAINT "stocktake_documentversion_version_no_check" CHECK ("version_no" > 0),
    CONSTRAINT "stocktake_documentversion_document_id_fk" FOREIGN KEY ("document_id") REFERENCES "stocktake_document" ("id"),
    CONSTRAINT "stocktake_documentversion_author_id_fk" FOREIGN KEY ("author_id") REFERENCES "auth_user" ("id")
);
CREATE UNIQUE INDEX "stocktake_documentversion_document_id_version_no_uniq" ON "stocktake_documentversion" ("document_id", "version_no");
CREATE INDEX "stocktake_documentversion_author_id_idx" ON "stocktake_documentversion" ("author_id");

-- Who changed what: a generic reference of content type and object id.
CREATE TABLE "stocktake_auditentry" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "at" datetime NOT NULL,
    "user_id" integer NULL,
    "action" varchar(20) NOT NULL,
    "content_type_id" integer NOT NULL,
    "object_id" varchar(64) NOT NULL,
    "changes" text NULL,
    CONSTRAINT "stocktake_auditentry_changes_check" CHECK (json_valid("changes") OR "changes" IS NULL),
    CONSTRAINT "stocktake_auditentry_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "auth_user" ("id"),
    CONSTRAINT "stocktake_auditentry_content_type_id_fk" FOREIGN KEY ("content_type_id") REFERENCES "django_content_type" ("id")
);
CREATE INDEX "stocktake_auditentry_user_id_idx" ON "stocktake_auditentry" ("user_id");
CREATE INDEX "stocktake_auditentry_content_type_id_idx" ON "stocktake_auditentry" ("content_type_id");
