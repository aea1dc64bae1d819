//! `relink.toml`: what the schema and the export do not say by themselves. The published JSON Schema is generated
//! from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Catalog, Enforcement, ForeignKey, MatchKind, RelationId};

/// The configuration file `relink.toml`. Unknown keys are errors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The version of this file's format: 1.
    pub version: Option<u32>,
    /// Settings of a whole run.
    pub run: RunConfig,
    /// Per table, by its name in the database (`name` or `namespace.name`).
    pub table: BTreeMap<String, TableConfig>,
    /// Labels of the export (Django model labels, keys of a table map) that are not restored, e.g. `sessions.session`.
    pub ignore_models: Vec<String>,
}

/// Settings of a whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// The instant that counts as now for rules about dates, as RFC 3339 (`2026-11-20T00:00:00Z`); by default the clock.
    pub now: Option<String>,
    /// The time zone (IANA name) of timestamps that carry none, where the column wants an instant. Without it such a
    /// value is an error on restore; rules about dates take it as UTC.
    pub timezone: Option<String>,
}

/// What is known of one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TableConfig {
    /// The labels of the export whose records go into this table, where the naming rules do not find it.
    pub models: Vec<String>,
    /// Field of the export -> column of the table, where the naming rules do not find it; `""` leaves a field out.
    pub fields: BTreeMap<String, String>,
    /// The natural key: columns in order. `fk.column` goes through a foreign key (`content_type_id.app_label`); a foreign key's
    /// own column stands for the nested natural key of the row it references, as one part. Or, for a tree with materialised paths,
    /// `{ column = "name", path = "path", step = 4 }`: that column's values from the root to the row.
    pub natural_key: Option<NaturalKeyConfig>,
    /// Column -> how its values are read where the export's form is not the database's: `{ upc = "empty-is-null", body = "json-text" }`.
    pub read: BTreeMap<String, Reading>,
    /// Many-to-many field of the export -> join table, where the naming rules do not find it.
    pub join_tables: BTreeMap<String, String>,
    /// Virtual references: `"customer_id -> customers.id"`, `"(tenant, no) -> stores(tenant, no)"`.
    pub refs: Vec<String>,
    /// Column -> lowest value allowed: `min = { quantity = 0 }`. Numbers may be given as text to keep them exact.
    pub min: BTreeMap<String, Number>,
    /// Column -> highest value allowed.
    pub max: BTreeMap<String, Number>,
    /// Date columns that must not lie after now, with optional slack: `"created_at"`, `"ordered_at +5m"`.
    pub past: Vec<String>,
    /// Totals: `"total = sum(order_lines.quantity * order_lines.price) by order_id +- 0.01"`.
    pub totals: Vec<String>,
}

/// How the values of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// An empty string stands for NULL.
    EmptyIsNull,
    /// A string holds the JSON document itself, as wagtail's StreamField dumps it.
    JsonText,
    /// A string holds bytes in hexadecimal, with or without `\x` or `0x` before it.
    Hex,
    /// A string holds bytes in base64.
    Base64,
}

/// What makes a row's natural key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a list of columns, or { column = \"...\", path = \"...\", step = 4 }")]
pub enum NaturalKeyConfig {
    /// Columns in order.
    Columns(Vec<String>),
    /// The values of one column from the root of a tree to the row.
    Tree(TreeKeyConfig),
}

/// A natural key along a materialised path, as django-treebeard keeps trees: a row's path begins with its parent's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreeKeyConfig {
    /// The column whose values make the key.
    pub column: String,
    /// The column of paths.
    pub path: String,
    /// Characters of the path for each level.
    pub step: usize,
}

/// A number, exact when given as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, or a decimal number as text")]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// A floating point number; its shortest decimal form counts.
    Float(f64),
    /// Decimal text.
    Text(String),
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// A mistake in the configuration that only shows beside a catalog, or in a short string.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A table that does not exist.
    #[error("[table.{table}]: the database has no such table{}", suggestion(.nearest.as_deref()))]
    UnknownTable {
        /// As written.
        table: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// A column that does not exist.
    #[error("[table.{table}] {key}: the table has no column {column:?}{}", suggestion(.nearest.as_deref()))]
    UnknownColumn {
        /// As written.
        table: String,
        /// The configuration key.
        key: String,
        /// As written.
        column: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// A reference to a column that does not exist.
    #[error("[table.{table}] refs: {target} has no column {column:?}{}", suggestion(.nearest.as_deref()))]
    UnknownTargetColumn {
        /// As written.
        table: String,
        /// The referenced table.
        target: String,
        /// As written.
        column: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// A label that two tables claim.
    #[error("[table.{table}] models: {label:?} is claimed by [table.{other}], too")]
    ClaimedLabel {
        /// One table.
        table: String,
        /// The other.
        other: String,
        /// The label.
        label: String,
    },
    /// A time zone that is not known.
    #[error("[run] timezone: {name:?} is no known time zone (an IANA name such as \"Europe/Paris\")")]
    TimeZone {
        /// As written.
        name: String,
    },
    /// A short string that does not parse.
    #[error("[table.{table}] {key}: {text:?}: expected {expected}")]
    Syntax {
        /// As written.
        table: String,
        /// The configuration key.
        key: String,
        /// The text that does not parse.
        text: String,
        /// What would.
        expected: String,
    },
}

/// `; did you mean "x"?`, or nothing.
pub fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

impl Config {
    /// The configured tables with their ids, or every table that does not exist.
    pub fn resolve_tables(&self, catalog: &Catalog) -> Result<Vec<(RelationId, &str, &TableConfig)>, Vec<ConfigError>> {
        let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
        let mut resolved = Vec::new();
        let mut errors = Vec::new();
        for (table, config) in &self.table {
            match catalog.find(table) {
                Some(id) => resolved.push((id, table.as_str(), config)),
                None => errors.push(ConfigError::UnknownTable {
                    table: table.clone(),
                    nearest: crate::suggest::nearest(table, names.iter().map(String::as_str)).map(str::to_owned),
                }),
            }
        }
        if errors.is_empty() { Ok(resolved) } else { Err(errors) }
    }

    /// Adds the virtual references to the catalog, so that every later step sees them as foreign keys that nobody enforces.
    pub fn add_virtual_references(&self, catalog: &mut Catalog) -> Result<(), Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut added = Vec::new();
        for (id, table, config) in self.resolve_tables(catalog)? {
            for text in &config.refs {
                match virtual_reference(catalog, id, table, text) {
                    Ok(key) => added.push((id, key)),
                    Err(error) => errors.push(error),
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        for (id, key) in added {
            let keys = &mut catalog.relations[id.index()].foreign_keys;
            let same = |old: &ForeignKey| old.columns == key.columns && old.referenced == key.referenced;
            if !keys.iter().any(same) {
                keys.push(key);
            }
        }
        Ok(())
    }
}

/// Checks that a configured column exists.
pub fn require_column(
    catalog: &Catalog,
    id: RelationId,
    table: &str,
    key: &str,
    column: &str,
) -> Result<(), ConfigError> {
    let relation = catalog.relation(id);
    if relation.column(column).is_some() {
        return Ok(());
    }
    let names = relation.columns.iter().map(|column| column.name.as_str());
    Err(ConfigError::UnknownColumn {
        table: table.to_owned(),
        key: key.to_owned(),
        column: column.to_owned(),
        nearest: crate::suggest::nearest(column, names).map(str::to_owned),
    })
}

/// Parses `cols -> table.col` or `(a, b) -> table(a, b)` against the catalog.
fn virtual_reference(catalog: &Catalog, id: RelationId, table: &str, text: &str) -> Result<ForeignKey, ConfigError> {
    let syntax = || ConfigError::Syntax {
        table: table.to_owned(),
        key: "refs".to_owned(),
        text: text.to_owned(),
        expected: "\"column -> table.column\" or \"(a, b) -> table(a, b)\"".to_owned(),
    };
    let (left, right) = text.split_once("->").ok_or_else(syntax)?;
    let columns = column_list(left.trim().trim_start_matches('(').trim_end_matches(')'));
    let right = right.trim();
    let (target, referenced_columns) = match right.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((target, list)) => (target.trim(), column_list(list)),
        None => {
            right.rsplit_once('.').map(|(target, column)| (target.trim(), column_list(column))).ok_or_else(syntax)?
        }
    };
    if columns.is_empty() || columns.len() != referenced_columns.len() {
        return Err(syntax());
    }
    for column in &columns {
        require_column(catalog, id, table, "refs", column)?;
    }
    let target_id = catalog.find(target).ok_or_else(|| {
        let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
        ConfigError::UnknownTable {
            table: target.to_owned(),
            nearest: crate::suggest::nearest(target, names.iter().map(String::as_str)).map(str::to_owned),
        }
    })?;
    for column in &referenced_columns {
        let referenced = catalog.relation(target_id);
        if referenced.column(column).is_none() {
            let names = referenced.columns.iter().map(|column| column.name.as_str());
            return Err(ConfigError::UnknownTargetColumn {
                table: table.to_owned(),
                target: target.to_owned(),
                column: column.clone(),
                nearest: crate::suggest::nearest(column, names).map(str::to_owned),
            });
        }
    }
    Ok(ForeignKey {
        name: None,
        columns,
        referenced: catalog.relation(target_id).name.clone(),
        referenced_columns,
        match_kind: MatchKind::Simple,
        on_delete: crate::ReferentialAction::NoAction,
        on_update: crate::ReferentialAction::NoAction,
        deferrability: crate::Deferrability::NotDeferrable,
        enforcement: Enforcement::Virtual,
    })
}

fn column_list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
