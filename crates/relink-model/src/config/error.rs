//! Mistakes in the configuration that only show beside a catalog.

use thiserror::Error;

use crate::{Catalog, RelationId, suggest};

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
    /// A view, which has no rows of its own to judge.
    #[error(
        "[table.{table}]: {table} is a view: rules are about tables, and a view's rows are those of the tables that it reads"
    )]
    View {
        /// As written.
        table: String,
    },
    /// A table that two entries speak of.
    #[error("[table.{table}]: it is the same table as [table.{other}]: put both into one")]
    TableTwice {
        /// As written.
        table: String,
        /// As written in the other entry.
        other: String,
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
    #[error("[table.{table}] {key}: {target} has no column {column:?}{}", suggestion(.nearest.as_deref()))]
    UnknownTargetColumn {
        /// As written.
        table: String,
        /// The configuration key.
        key: String,
        /// The referenced table.
        target: String,
        /// As written.
        column: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// A reference to a table that does not exist.
    #[error("[table.{table}] {key}: the database has no table {target:?}{}", suggestion(.nearest.as_deref()))]
    UnknownTarget {
        /// As written.
        table: String,
        /// The configuration key.
        key: String,
        /// As written.
        target: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// A table or label of `--only`, `--exclude` or `--where` that does not exist.
    #[error("--only, --exclude, --where: neither a table nor a label of the export is called {name:?}{}", suggestion(.nearest.as_deref()))]
    UnknownSelection {
        /// As written.
        name: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// `--only` and `--exclude` leave nothing.
    #[error("--only, --exclude: of this export they leave nothing to restore")]
    NothingSelected,
    /// A condition of `--where` that the database cannot answer.
    #[error("--where \"{table}: {condition}\": {why}")]
    Condition {
        /// The table or label as written.
        table: String,
        /// As written.
        condition: String,
        /// What the database says.
        why: String,
    },
    /// `--strategy bulk` where the database has no bulk path.
    #[error(
        "--strategy bulk: {product} has no bulk path beside multi-row inserts, which --strategy insert and auto take"
    )]
    NoBulkLoad {
        /// The database's product.
        product: String,
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
    /// A profile that does not exist.
    #[error("[profiles] {key}: there is no profile {name:?}{}", suggestion(.nearest.as_deref()))]
    UnknownProfile {
        /// The configuration key.
        key: String,
        /// As written.
        name: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// A time zone that is not known.
    #[error("[run] timezone: {name:?} is no known time zone (an IANA name such as \"Europe/Paris\")")]
    TimeZone {
        /// As written.
        name: String,
    },
    /// An instant that cannot be read.
    #[error("[run] now: {text:?} is no instant: expected a date and time with an offset, such as 2026-01-31T00:00:00Z")]
    Now {
        /// As written.
        text: String,
    },
    /// An id of a check, or a pattern of ids or columns, that fits nothing there is.
    #[error("[{section}] {pattern:?} fits no {what}{}", suggestion(.nearest.as_deref()))]
    FitsNothing {
        /// `severity`, `run`, `infer`.
        section: &'static str,
        /// The key in that section; empty where the pattern is the key.
        key: &'static str,
        /// As written.
        pattern: String,
        /// `check`, `column`.
        what: &'static str,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// A value that its column cannot hold, or that cannot stand there.
    #[error("[table.{table}] {key}: {column} = {value}: {why}")]
    Value {
        /// As written.
        table: String,
        /// The configuration key.
        key: String,
        /// The column.
        column: String,
        /// As written.
        value: String,
        /// What is wrong.
        why: String,
    },
    /// A rule of its own, or a suppression, that does not fit.
    #[error("[[{list}]] {name}: {why}")]
    Entry {
        /// `check` or `allow`.
        list: &'static str,
        /// Its place in the list, from 0.
        at: usize,
        /// Its id, or its number.
        name: String,
        /// The key concerned; empty where none is.
        key: String,
        /// What is wrong.
        why: String,
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

impl ConfigError {
    /// Whether a table or column is named that is not there, which a rule with `if_exists` may.
    pub fn is_of_a_name(&self) -> bool {
        matches!(
            self,
            Self::UnknownTable { .. }
                | Self::UnknownTarget { .. }
                | Self::UnknownColumn { .. }
                | Self::UnknownTargetColumn { .. }
        )
    }

    /// Where in the configuration the mistake is, as far as one can tell: `table`, `orders`, `rows`, `0`.
    pub fn path(&self) -> Option<Vec<String>> {
        let path = |parts: &[&str]| Some(parts.iter().map(|part| (*part).to_owned()).collect());
        match self {
            Self::UnknownTable { table, .. } | Self::View { table } | Self::TableTwice { table, .. } => {
                path(&["table", table])
            }
            Self::UnknownTarget { table, key, target, .. } => path(&["table", table, key, target]),
            Self::UnknownColumn { table, key, column, .. }
            | Self::UnknownTargetColumn { table, key, column, .. }
            | Self::Value { table, key, column, .. } => path(&["table", table, key, column]),
            Self::Syntax { table, key, text, .. } => path(&["table", table, key, text]),
            Self::ClaimedLabel { table, .. } => path(&["table", table, "models"]),
            Self::UnknownProfile { key, .. } => path(&["profiles", key]),
            Self::TimeZone { .. } => path(&["run", "timezone"]),
            Self::Now { .. } => path(&["run", "now"]),
            Self::FitsNothing { section, key: "", pattern, .. } => path(&[section, pattern]),
            Self::FitsNothing { section, key, pattern, .. } => path(&[section, key, pattern]),
            Self::Entry { list, at, key, .. } => path(&[list, &at.to_string(), key]),
            Self::UnknownSelection { .. }
            | Self::NothingSelected
            | Self::Condition { .. }
            | Self::NoBulkLoad { .. } => None,
        }
    }
}

/// `; did you mean "x"?`, or nothing.
pub fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

impl ConfigError {
    /// A table that a text does not name: none at all, or a view.
    pub fn no_table(catalog: &Catalog, name: &str) -> Self {
        if catalog.is_view(name) {
            return Self::View { table: name.to_owned() };
        }
        Self::UnknownTable { table: name.to_owned(), nearest: nearest_table(catalog, name) }
    }

    /// A table that another one refers to, and that is not there.
    pub fn no_target(catalog: &Catalog, table: &str, key: &str, target: &str) -> Self {
        let (table, key, target) = (table.to_owned(), key.to_owned(), target.to_owned());
        Self::UnknownTarget { nearest: nearest_table(catalog, &target), table, key, target }
    }
}

fn nearest_table(catalog: &Catalog, name: &str) -> Option<String> {
    let names: Vec<String> = catalog.relations.iter().map(|relation| relation.name.to_string()).collect();
    suggest::nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
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
        nearest: suggest::nearest(column, names).map(str::to_owned),
    })
}
