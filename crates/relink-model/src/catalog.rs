//! What introspection found in a database, as plain data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConstraintName, RelationName, suggest};

/// The index of a relation in its [`Catalog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RelationId(pub u32);

impl RelationId {
    /// The index into [`Catalog::relations`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerInfo {
    /// `SQLite`, `PostgreSQL`, `MariaDB` or `MySQL`.
    pub product: String,
    /// The server's version text.
    pub version: String,
    /// The database's name or the file's path, without credentials.
    pub database: String,
}

/// Every relation of a database, in the order of their qualified names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Catalog {
    /// Which server it was read from.
    pub server: ServerInfo,
    /// The namespace whose relations go without it: PostgreSQL's `public`, MySQL's current database, SQLite's `main`.
    #[serde(default)]
    pub default_namespace: Option<String>,
    /// Sorted by qualified name; [`RelationId`] indexes into it.
    pub relations: Vec<Relation>,
    /// Relations that foreign keys reference and that are there, though the catalog does not tell of them, or not of the referenced columns: they stand in
    /// another database, or the role may not see them (MySQL).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<RelationName>,
    /// Views, which are no relations: they are known so that whoever names one can be told. Sorted by qualified name.
    #[serde(default)]
    pub views: Vec<RelationName>,
}

impl Catalog {
    /// A catalog of these relations; sorts them.
    pub fn new(server: ServerInfo, mut relations: Vec<Relation>) -> Self {
        relations.sort_by(|a, b| a.name.cmp(&b.name));
        Self { server, default_namespace: None, relations, unseen: Vec::new(), views: Vec::new() }
    }

    /// With what else there is beside relations.
    #[must_use]
    pub fn with_views(self, default_namespace: Option<String>, mut views: Vec<RelationName>) -> Self {
        views.sort_unstable();
        Self { default_namespace, views, ..self }
    }

    /// The relation of this id.
    pub fn relation(&self, id: RelationId) -> &Relation {
        &self.relations[id.index()]
    }

    /// Ids with their relations, in name order.
    pub fn iter(&self) -> impl Iterator<Item = (RelationId, &Relation)> {
        self.relations.iter().enumerate().map(|(index, relation)| (RelationId(index as u32), relation))
    }

    /// The relation of exactly this name.
    pub fn id(&self, name: &RelationName) -> Option<RelationId> {
        self.relations.binary_search_by(|relation| relation.name.cmp(name)).ok().map(|index| RelationId(index as u32))
    }

    /// The relation that a user's text names: the whole text as a name in the default namespace, else
    /// `namespace.name`, of which the namespace may be the default one.
    pub fn find(&self, text: &str) -> Option<RelationId> {
        self.id(&RelationName::new(text))
            .or_else(|| text.split_once('.').and_then(|(space, name)| self.within(Some(space), name)))
    }

    /// The relation of a dotted name, of which the dots in quotes are no dots: `namespace`, `name`.
    pub fn find_path(&self, path: &[String]) -> Option<RelationId> {
        match path {
            [] => None,
            [name] => self.within(None, name),
            [namespace, rest @ ..] => self.within(Some(namespace), &rest.join(".")),
        }
        .or_else(|| self.find(&path.join(".")))
    }

    fn within(&self, namespace: Option<&str>, name: &str) -> Option<RelationId> {
        match namespace {
            Some(space) if self.default_namespace.as_deref() != Some(space) => {
                self.id(&RelationName::qualified(space, name))
            }
            _ => self.id(&RelationName::new(name)),
        }
    }

    /// Whether a user's text names a view.
    pub fn is_view(&self, text: &str) -> bool {
        let qualified = |name: &RelationName| match (&name.namespace, &self.default_namespace) {
            (None, Some(space)) => format!("{space}.{}", name.name) == text,
            _ => false,
        };
        self.views.iter().any(|name| name.to_string() == text || qualified(name))
    }

    /// Whether a pattern, in which `*` stands for anything, means a column of a relation: `email`, `users.email`, `public.users.email`.
    pub fn means_column(&self, pattern: &str, relation: &RelationName, column: &str) -> bool {
        let space = relation.namespace.as_ref().or(self.default_namespace.as_ref());
        suggest::fits(pattern, column)
            || suggest::fits(pattern, &format!("{}.{column}", relation.name))
            || space.is_some_and(|space| suggest::fits(pattern, &format!("{space}.{}.{column}", relation.name)))
    }

    /// The one relation whose name equals `text` but for case and separators; `None` if there is none or several.
    pub fn find_folded(&self, text: &str) -> Option<RelationId> {
        let wanted = suggest::fold(text);
        let mut found = self.iter().filter(|(_, relation)| suggest::fold(&relation.name.to_string()) == wanted);
        match (found.next(), found.next()) {
            (Some((id, _)), None) => Some(id),
            _ => None,
        }
    }

    /// The foreign keys, declared and virtual, that reference `id`, with the referencing relation.
    pub fn referencing(&self, id: RelationId) -> impl Iterator<Item = (RelationId, &ForeignKey)> {
        let name = &self.relation(id).name;
        self.iter().flat_map(move |(from, relation)| {
            relation.foreign_keys.iter().filter(move |key| &key.referenced == name).map(move |key| (from, key))
        })
    }
}

/// What kind of relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RelationKind {
    /// An ordinary table.
    #[default]
    Table,
    /// A partitioned table (the root of its partitions).
    PartitionedTable,
    /// A foreign or otherwise external table.
    Foreign,
}

/// One relation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Relation {
    /// The qualified name.
    pub name: RelationName,
    /// What kind of relation it is.
    pub kind: RelationKind,
    /// In the table's own order.
    pub columns: Vec<Column>,
    /// `None` where there is none.
    pub primary_key: Option<PrimaryKey>,
    /// Unique constraints and unique indexes, the primary key not among them; sorted by name.
    pub unique_keys: Vec<UniqueKey>,
    /// Declared foreign keys, and virtual ones where configuration added them; sorted by name, then columns.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints; sorted by name.
    pub checks: Vec<Check>,
    /// User triggers; sorted by name.
    pub triggers: Vec<Trigger>,
    /// The relations that this one inherits from (PostgreSQL). A partition is not listed as a relation of its own: its root is.
    pub inherits: Vec<RelationName>,
    /// The catalog's estimate; `None` where it has none.
    pub estimated_rows: Option<u64>,
    /// SQLite `WITHOUT ROWID`.
    pub without_rowid: bool,
    /// SQLite `STRICT`: the engine enforces declared types.
    pub strict: bool,
    /// The storage engine, where the database has several (MySQL: `InnoDB`, `MyISAM`, ...).
    pub storage_engine: Option<String>,
    /// Row-level security filters this relation for the current role (PostgreSQL).
    pub row_security: bool,
    /// Whether the current role owns it (or may act as its owner): `ALTER TABLE` is possible.
    pub owned: bool,
}

impl Default for RelationName {
    fn default() -> Self {
        Self::new("")
    }
}

impl Relation {
    /// The column of exactly this name, with its index.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }

    /// The primary key's columns in key order; empty without a primary key.
    pub fn primary_key_columns(&self) -> &[String] {
        self.primary_key.as_ref().map_or(&[], |key| &key.columns)
    }

    /// The single integer key column that the database (or relink in its stead) numbers: identity, auto-increment,
    /// serial, or SQLite's rowid alias.
    pub fn numbered_column(&self) -> Option<&Column> {
        self.columns.iter().find(|column| column.is_numbered())
    }

    /// Whether what is written to it can be rolled back. MySQL's MyISAM, Aria and MEMORY tables are written at once, whatever the
    /// transaction does.
    pub fn is_transactional(&self) -> bool {
        const TRANSACTIONAL: [&str; 5] = ["InnoDB", "RocksDB", "TokuDB", "ndbcluster", "NDB"];
        self.storage_engine
            .as_ref()
            .is_none_or(|engine| TRANSACTIONAL.iter().any(|known| known.eq_ignore_ascii_case(engine)))
    }

    /// The sets of columns that identify a row: the primary key, then every unconditional unique key of plain columns.
    pub fn keys(&self) -> impl Iterator<Item = &[String]> {
        let unique = self.unique_keys.iter().filter(|key| key.is_plain()).map(|key| key.columns.as_slice());
        self.primary_key.iter().map(|key| key.columns.as_slice()).chain(unique)
    }
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// The name in the catalog's own case.
    pub name: String,
    /// The type.
    pub data_type: ColumnType,
    /// Whether NULL is allowed (primary key columns: what the database enforces).
    pub nullable: bool,
    /// The default's SQL text; `None` where there is none.
    pub default: Option<String>,
    /// Computed columns are never written.
    pub generated: Option<GeneratedKind>,
    /// `GENERATED ... AS IDENTITY`.
    pub identity: Option<Identity>,
    /// MySQL `AUTO_INCREMENT`, SQLite's rowid alias (`INTEGER PRIMARY KEY`).
    pub auto_increment: bool,
    /// The sequence that this column owns or whose `nextval` is its default (PostgreSQL).
    pub sequence: Option<SequenceRef>,
    /// A collation other than the database's default.
    pub collation: Option<String>,
    /// Whether that collation (or type: citext) compares without regard to case.
    pub case_insensitive: bool,
}

impl Column {
    /// Whether the database numbers this column by itself.
    pub fn is_numbered(&self) -> bool {
        self.identity.is_some() || self.auto_increment || self.sequence.is_some()
    }

    /// Whether a row may leave this column out.
    pub fn is_optional(&self) -> bool {
        self.nullable || self.default.is_some() || self.generated.is_some() || self.is_numbered()
    }
}

/// A sequence behind a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SequenceRef {
    /// The sequence's qualified name.
    pub name: RelationName,
    /// Added for each next value; negative for a descending sequence.
    pub increment: i64,
    /// Whether the current role owns it (`ALTER SEQUENCE` is possible).
    pub owned: bool,
}

/// Computed columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GeneratedKind {
    /// Computed when written.
    Stored,
    /// Computed when read.
    Virtual,
}

/// Identity columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// `GENERATED ALWAYS`: an explicit value needs `OVERRIDING SYSTEM VALUE`.
    Always,
    /// `GENERATED BY DEFAULT`.
    ByDefault,
}

/// A column's type: the database's own words, and what relink makes of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnType {
    /// As the database prints it, with parameters: `numeric(10,2)`, `character varying(50)`. For PostgreSQL this is
    /// `format_type` output, fit for a cast.
    pub declared: String,
    /// The classification.
    pub kind: TypeKind,
}

/// What kind of values a column holds; decides how JSON values are read and checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum TypeKind {
    /// True or false (MySQL: `tinyint(1)`).
    Boolean,
    /// A whole number.
    Integer {
        /// 8, 16, 24, 32 or 64.
        bits: u8,
        /// MySQL `UNSIGNED`.
        unsigned: bool,
    },
    /// A binary floating point number.
    Float {
        /// 32 or 64.
        bits: u8,
    },
    /// An exact decimal number; PostgreSQL `numeric` without parameters has neither bound.
    Decimal {
        /// Digits in all.
        precision: Option<u32>,
        /// Digits after the point.
        scale: Option<i32>,
        /// The column can hold `NaN` (PostgreSQL).
        special: bool,
        /// MySQL `UNSIGNED`.
        unsigned: bool,
    },
    /// Text.
    Text {
        /// Characters at most, where declared (whether that is enforced is a capability of the database).
        max_chars: Option<u64>,
        /// Bytes at most (MySQL `TEXT` family).
        max_bytes: Option<u64>,
        /// `CHAR(n)`: blank-padded.
        fixed: bool,
    },
    /// Bytes.
    Bytes {
        /// Bytes at most.
        max_bytes: Option<u64>,
    },
    /// A calendar date.
    Date,
    /// A time of day.
    Time {
        /// `time with time zone`.
        zoned: bool,
        /// Digits of the second that are kept, 0 to 6.
        precision: u8,
    },
    /// Date and time.
    Timestamp {
        /// An instant (`timestamp with time zone`, MySQL `TIMESTAMP`) rather than a wall-clock reading.
        zoned: bool,
        /// Digits of the second that are kept, 0 to 6.
        precision: u8,
    },
    /// A duration.
    Interval,
    /// A UUID type (not a text column that holds UUIDs).
    Uuid,
    /// JSON, or a text column that a CHECK keeps to valid JSON.
    Json,
    /// An enumeration.
    Enum {
        /// The labels in their declared order.
        labels: Vec<String>,
    },
    /// MySQL `SET`.
    Set {
        /// The members in their declared order.
        labels: Vec<String>,
    },
    /// A PostgreSQL array.
    Array {
        /// The element's type.
        element: Box<ColumnType>,
    },
    /// Any other type: the server reads the value's text.
    Other,
    /// SQLite without a declared type, or one that says nothing: any value is kept as it is.
    #[default]
    Dynamic,
}

/// A primary key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrimaryKey {
    /// The constraint's name, where it has one.
    pub name: Option<ConstraintName>,
    /// In key order.
    pub columns: Vec<String>,
}

/// A unique constraint or unique index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UniqueKey {
    /// The constraint's or index's name.
    pub name: ConstraintName,
    /// In key order; empty where a part is an expression (see `expressions`).
    pub columns: Vec<String>,
    /// The SQL text of each part, where at least one part is an expression.
    pub expressions: Option<Vec<String>>,
    /// The partial index's predicate, as SQL.
    pub predicate: Option<String>,
    /// `NULLS NOT DISTINCT`: NULLs equal each other.
    pub nulls_not_distinct: bool,
    /// When it is checked.
    pub deferrability: Deferrability,
    /// False for an index that the database itself does not trust (PostgreSQL `indisvalid = false`).
    pub valid: bool,
}

impl UniqueKey {
    /// Whether it holds for every row, over plain columns, and can be relied on.
    pub fn is_plain(&self) -> bool {
        self.expressions.is_none() && self.predicate.is_none() && self.valid
    }
}

/// When a constraint is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deferrability {
    /// Always at once.
    #[default]
    NotDeferrable,
    /// At once, unless the transaction defers it.
    InitiallyImmediate,
    /// At commit, unless the transaction makes it immediate.
    InitiallyDeferred,
}

/// How composite keys with NULL parts are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MatchKind {
    /// A NULL part: no reference.
    #[default]
    Simple,
    /// All parts NULL or none.
    Full,
}

/// What happens to the referencing row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReferentialAction {
    /// The statement fails.
    #[default]
    NoAction,
    /// The statement fails, at once.
    Restrict,
    /// The referencing rows follow.
    Cascade,
    /// The reference becomes NULL.
    SetNull,
    /// The reference becomes the column's default.
    SetDefault,
}

/// How far the database itself vouches for a constraint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Enforcement {
    /// Enforced and, so the catalog says, validated.
    #[default]
    Enforced,
    /// Enforced for new rows; old ones were not checked (`NOT VALID`).
    NotValidated,
    /// Declared, and not enforced (SQLite without `PRAGMA foreign_keys`, disabled triggers, `NOT ENFORCED`).
    NotEnforced,
    /// A virtual reference: declared in configuration only.
    Virtual,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForeignKey {
    /// The constraint's name; unnamed in SQLite unless the DDL names it.
    pub name: Option<ConstraintName>,
    /// The referencing columns in key order.
    pub columns: Vec<String>,
    /// The referenced relation. It may be missing from the catalog (SQLite allows that).
    pub referenced: RelationName,
    /// The referenced columns, position for position.
    pub referenced_columns: Vec<String>,
    /// `MATCH`.
    pub match_kind: MatchKind,
    /// `ON DELETE`.
    pub on_delete: ReferentialAction,
    /// `ON UPDATE`.
    pub on_update: ReferentialAction,
    /// When it is checked.
    pub deferrability: Deferrability,
    /// How far the database vouches for it.
    pub enforcement: Enforcement,
}

impl ForeignKey {
    /// `referencing.(a, b)`: how messages name a key that may have no name of its own.
    pub fn describe(&self, referencing: &RelationName) -> String {
        match self.columns.as_slice() {
            [column] => format!("{referencing}.{column}"),
            columns => format!("{referencing}.({})", columns.join(", ")),
        }
    }

    /// Whether two keys say that the same columns name the same columns, in whatever order they are listed.
    pub fn is_same_reference(&self, other: &Self) -> bool {
        let pairs = |key: &Self| {
            let mut pairs: Vec<(String, String)> =
                key.columns.iter().cloned().zip(key.referenced_columns.iter().cloned()).collect();
            pairs.sort_unstable();
            pairs
        };
        self.referenced == other.referenced && pairs(self) == pairs(other)
    }
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The constraint's name, where it has one.
    pub name: Option<ConstraintName>,
    /// The condition as SQL text, without `CHECK` and the outer parentheses.
    pub expression: String,
    /// How far the database vouches for it.
    pub enforcement: Enforcement,
}

/// A user trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// The trigger's name.
    pub name: String,
    /// `BEFORE INSERT`, `AFTER INSERT OR UPDATE`, ...: timing and events, upper case.
    pub timing: String,
    /// Whether it fires for the current session.
    pub enabled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_namespace_may_be_named_or_left_out() {
        let relation = |name: RelationName| Relation { name, ..Relation::default() };
        let names = [RelationName::new("t"), RelationName::qualified("s", "t"), RelationName::new("a.b")];
        let catalog = Catalog::new(ServerInfo::default(), names.map(relation).to_vec())
            .with_views(Some("public".to_owned()), vec![RelationName::new("v"), RelationName::qualified("s", "w")]);
        let found = |text: &str| catalog.find(text).map(|id| catalog.relation(id).name.to_string());
        for (text, name) in [("t", "t"), ("public.t", "t"), ("s.t", "s.t"), ("a.b", "a.b"), ("public.a.b", "a.b")] {
            assert_eq!(found(text).as_deref(), Some(name), "{text}");
        }
        assert_eq!(found("other.t"), None);
        assert!(["v", "public.v", "s.w"].iter().all(|text| catalog.is_view(text)));
        assert!(["w", "t", "s.v"].iter().all(|text| !catalog.is_view(text)));
        let means = |pattern: &str, name: &RelationName| catalog.means_column(pattern, name, "email");
        let (own, other) = (RelationName::new("t"), RelationName::qualified("s", "t"));
        assert!(["email", "t.email", "public.t.email", "*.email", "*mail"].iter().all(|pattern| means(pattern, &own)));
        assert!(["s.t.email", "t.email"].iter().all(|pattern| means(pattern, &other)));
        assert!(!means("s.t.email", &own) && !means("public.t.email", &other) && !means("EMAIL", &own));
    }
}
