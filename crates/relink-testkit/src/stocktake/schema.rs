//! The application's tables and models as the writers need them: names, columns in order, references, many-to-many
//! fields. Types, keys and checks stand in the hand-kept SQL of `testdata/stocktake/schema`, which a test compares.

/// A table of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// `django_content_type`
    ContentType,
    /// `auth_permission`
    Permission,
    /// `auth_group`
    Group,
    /// `auth_group_permissions`
    GroupPermissions,
    /// `auth_user`
    User,
    /// `auth_user_groups`
    UserGroups,
    /// `auth_user_user_permissions`
    UserPermissions,
    /// `stocktake_category`
    Category,
    /// `stocktake_supplier`
    Supplier,
    /// `stocktake_tag`
    Tag,
    /// `stocktake_item`
    Item,
    /// `stocktake_item_tags`
    ItemTags,
    /// `stocktake_location`
    Location,
    /// `stocktake_stock`
    Stock,
    /// `stocktake_movement`
    Movement,
    /// `stocktake_order`
    Order,
    /// `stocktake_orderline`
    OrderLine,
    /// `stocktake_document`
    Document,
    /// `stocktake_documentversion`
    DocumentVersion,
    /// `stocktake_auditentry`
    AuditEntry,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in the database.
    pub name: &'static str,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// The table whose `id` it references.
    pub references: Option<Table>,
}

impl Column {
    /// The model field's name: a foreign key's column without its `_id`.
    pub fn field(&self) -> &'static str {
        match self.references {
            Some(_) => self.name.strip_suffix("_id").expect("a reference's column is named after its field"),
            None => self.name,
        }
    }
}

/// A many-to-many field of a model.
#[derive(Clone, Copy, Debug)]
pub struct ManyToMany {
    /// The field's name.
    pub field: &'static str,
    /// The join table: its own id, the owner, the target.
    pub join: Table,
    /// The model on the other side.
    pub target: Table,
}

/// What the writers know of a table.
#[derive(Clone, Copy, Debug)]
pub struct TableSpec {
    /// Its name in the database.
    pub name: &'static str,
    /// The Django model's label; `None` for a join table.
    pub model: Option<&'static str>,
    /// In the table's order; the first is the primary key.
    pub columns: &'static [Column],
    /// The model's many-to-many fields.
    pub many_to_many: &'static [ManyToMany],
    /// Whether other records refer to it by a natural key in a dump with natural foreign keys.
    pub natural_key: bool,
}

const fn plain(name: &'static str) -> Column {
    Column { name, nullable: false, references: None }
}

const fn nullable(name: &'static str) -> Column {
    Column { name, nullable: true, references: None }
}

const fn to(name: &'static str, table: Table) -> Column {
    Column { name, nullable: false, references: Some(table) }
}

const fn nullable_to(name: &'static str, table: Table) -> Column {
    Column { name, nullable: true, references: Some(table) }
}

const ID: Column = plain("id");

impl Table {
    /// Every table; referenced ones first, but for self-references and the cycle of documents and versions.
    pub const ALL: [Self; 20] = [
        Self::ContentType,
        Self::Permission,
        Self::Group,
        Self::GroupPermissions,
        Self::User,
        Self::UserGroups,
        Self::UserPermissions,
        Self::Category,
        Self::Supplier,
        Self::Tag,
        Self::Item,
        Self::ItemTags,
        Self::Location,
        Self::Stock,
        Self::Movement,
        Self::Order,
        Self::OrderLine,
        Self::Document,
        Self::DocumentVersion,
        Self::AuditEntry,
    ];

    /// What the writers know of it.
    pub fn spec(self) -> &'static TableSpec {
        match self {
            Self::ContentType => &CONTENT_TYPE,
            Self::Permission => &PERMISSION,
            Self::Group => &GROUP,
            Self::GroupPermissions => &GROUP_PERMISSIONS,
            Self::User => &USER,
            Self::UserGroups => &USER_GROUPS,
            Self::UserPermissions => &USER_PERMISSIONS,
            Self::Category => &CATEGORY,
            Self::Supplier => &SUPPLIER,
            Self::Tag => &TAG,
            Self::Item => &ITEM,
            Self::ItemTags => &ITEM_TAGS,
            Self::Location => &LOCATION,
            Self::Stock => &STOCK,
            Self::Movement => &MOVEMENT,
            Self::Order => &ORDER,
            Self::OrderLine => &ORDER_LINE,
            Self::Document => &DOCUMENT,
            Self::DocumentVersion => &DOCUMENT_VERSION,
            Self::AuditEntry => &AUDIT_ENTRY,
        }
    }

    /// Whether it only joins two models.
    pub fn is_join(self) -> bool {
        self.spec().model.is_none()
    }
}

/// A model without many-to-many fields.
const fn model(name: &'static str, model: &'static str, natural_key: bool, columns: &'static [Column]) -> TableSpec {
    TableSpec { name, model: Some(model), columns, many_to_many: &[], natural_key }
}

/// A join table.
const fn join(name: &'static str, columns: &'static [Column]) -> TableSpec {
    TableSpec { name, model: None, columns, many_to_many: &[], natural_key: false }
}

const CONTENT_TYPE: TableSpec =
    model("django_content_type", "contenttypes.contenttype", true, &[ID, plain("app_label"), plain("model")]);

const PERMISSION: TableSpec = model(
    "auth_permission",
    "auth.permission",
    true,
    &[ID, plain("name"), to("content_type_id", Table::ContentType), plain("codename")],
);

const GROUP: TableSpec = TableSpec {
    many_to_many: &[ManyToMany { field: "permissions", join: Table::GroupPermissions, target: Table::Permission }],
    ..model("auth_group", "auth.group", true, &[ID, plain("name")])
};

const GROUP_PERMISSIONS: TableSpec =
    join("auth_group_permissions", &[ID, to("group_id", Table::Group), to("permission_id", Table::Permission)]);

const USER: TableSpec = TableSpec {
    many_to_many: &[
        ManyToMany { field: "groups", join: Table::UserGroups, target: Table::Group },
        ManyToMany { field: "user_permissions", join: Table::UserPermissions, target: Table::Permission },
    ],
    ..model(
        "auth_user",
        "auth.user",
        true,
        &[
            ID,
            plain("password"),
            nullable("last_login"),
            plain("is_superuser"),
            plain("username"),
            plain("first_name"),
            plain("last_name"),
            plain("email"),
            plain("is_staff"),
            plain("is_active"),
            plain("date_joined"),
        ],
    )
};

const USER_GROUPS: TableSpec =
    join("auth_user_groups", &[ID, to("user_id", Table::User), to("group_id", Table::Group)]);

const USER_PERMISSIONS: TableSpec =
    join("auth_user_user_permissions", &[ID, to("user_id", Table::User), to("permission_id", Table::Permission)]);

const CATEGORY: TableSpec = model(
    "stocktake_category",
    "stocktake.category",
    true,
    &[ID, plain("name"), plain("slug"), nullable_to("parent_id", Table::Category), plain("position")],
);

const SUPPLIER: TableSpec = model(
    "stocktake_supplier",
    "stocktake.supplier",
    true,
    &[ID, plain("name"), plain("email"), plain("country"), plain("active"), nullable("rating"), plain("notes")],
);

const TAG: TableSpec = model("stocktake_tag", "stocktake.tag", true, &[ID, plain("name")]);

const ITEM: TableSpec = TableSpec {
    many_to_many: &[ManyToMany { field: "tags", join: Table::ItemTags, target: Table::Tag }],
    ..model(
        "stocktake_item",
        "stocktake.item",
        true,
        &[
            ID,
            plain("sku"),
            plain("name"),
            plain("description"),
            nullable("barcode"),
            to("category_id", Table::Category),
            to("supplier_id", Table::Supplier),
            plain("unit_price"),
            plain("cost"),
            plain("reorder_level"),
            nullable("weight"),
            plain("attributes"),
            nullable("photo"),
            plain("is_active"),
            plain("created_at"),
            nullable("discontinued_on"),
        ],
    )
};

const ITEM_TAGS: TableSpec = join("stocktake_item_tags", &[ID, to("item_id", Table::Item), to("tag_id", Table::Tag)]);

const LOCATION: TableSpec = model(
    "stocktake_location",
    "stocktake.location",
    true,
    &[
        ID,
        plain("code"),
        plain("name"),
        nullable_to("parent_id", Table::Location),
        nullable("sensor_id"),
        plain("is_bonded"),
    ],
);

const STOCK: TableSpec = model(
    "stocktake_stock",
    "stocktake.stock",
    false,
    &[ID, to("item_id", Table::Item), to("location_id", Table::Location), plain("quantity"), nullable("counted_at")],
);

const MOVEMENT: TableSpec = model(
    "stocktake_movement",
    "stocktake.movement",
    false,
    &[
        ID,
        plain("reference"),
        to("item_id", Table::Item),
        nullable_to("location_id", Table::Location),
        to("user_id", Table::User),
        plain("kind"),
        plain("quantity"),
        plain("moved_at"),
        plain("note"),
    ],
);

const ORDER: TableSpec = model(
    "stocktake_order",
    "stocktake.order",
    false,
    &[
        ID,
        plain("number"),
        to("supplier_id", Table::Supplier),
        to("created_by_id", Table::User),
        plain("status"),
        plain("ordered_at"),
        nullable("deliver_to"),
        nullable("total"),
    ],
);

const ORDER_LINE: TableSpec = model(
    "stocktake_orderline",
    "stocktake.orderline",
    false,
    &[
        ID,
        to("order_id", Table::Order),
        plain("line_no"),
        to("item_id", Table::Item),
        plain("quantity"),
        plain("unit_price"),
        plain("amount"),
    ],
);

const DOCUMENT: TableSpec = model(
    "stocktake_document",
    "stocktake.document",
    true,
    &[
        ID,
        plain("title"),
        nullable_to("item_id", Table::Item),
        nullable_to("owner_id", Table::User),
        nullable_to("current_version_id", Table::DocumentVersion),
    ],
);

const DOCUMENT_VERSION: TableSpec = model(
    "stocktake_documentversion",
    "stocktake.documentversion",
    false,
    &[
        ID,
        to("document_id", Table::Document),
        plain("version_no"),
        nullable_to("author_id", Table::User),
        plain("body"),
        plain("created_at"),
    ],
);

const AUDIT_ENTRY: TableSpec = model(
    "stocktake_auditentry",
    "stocktake.auditentry",
    false,
    &[
        ID,
        plain("at"),
        nullable_to("user_id", Table::User),
        plain("action"),
        to("content_type_id", Table::ContentType),
        plain("object_id"),
        nullable("changes"),
    ],
);
