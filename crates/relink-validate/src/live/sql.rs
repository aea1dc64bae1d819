//! SQL pieces that every check shares: how rows are named, how samples are selected. Only quoting and reading differ by database,
//! and both are the dialect's.

use relink_db::Dialect;
use relink_model::{Column, Relation, TypeKind};
use serde::Serialize;

use super::texts::VALUE_CHARS_MAX;
use crate::report::Sample;

/// The columns of a sample: those that name the row, then those that offend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// They name the row.
    pub key: Vec<Part>,
    /// They show what is wrong.
    pub values: Vec<Part>,
}

/// One column of a sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What the report calls it.
    pub name: String,
    /// The SQL that reads it in a form that every database decodes.
    pub read: String,
    /// The SQL that sorts by it.
    pub order: String,
}

impl Part {
    /// A column of the relation under this alias (may be empty).
    pub(crate) fn column(dialect: &dyn Dialect, alias: &str, column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            read: dialect.read_expression(alias, column),
            order: qualified(dialect, alias, &column.name),
        }
    }
}

impl Shown {
    /// The key of a row of this relation and the named columns. `suspect` are columns that may not identify a row
    /// although the schema says so.
    pub(crate) fn of(
        dialect: &dyn Dialect,
        alias: &str,
        relation: &Relation,
        values: &[String],
        suspect: &[String],
    ) -> Self {
        let key = key_parts(dialect, alias, relation, suspect);
        let is_key = |name: &String| key.iter().any(|part| &part.name == name);
        let columns = values.iter().filter(|name| !is_key(name)).filter_map(|name| relation.column(name));
        let values = columns.map(|(_, column)| Part::column(dialect, alias, column)).collect();
        Self { key, values }
    }

    /// `read AS name, ...` without names: what to select, key first.
    pub(crate) fn select(&self) -> String {
        let parts: Vec<&str> = self.key.iter().chain(&self.values).map(|part| part.read.as_str()).collect();
        parts.join(", ")
    }

    /// `ORDER BY` the key, so that the same data always gives the same samples.
    pub(crate) fn order(&self) -> String {
        self.key.iter().map(|part| part.order.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// What names a row: the primary key, else a unique key without NULLs, else the database's own row name, else any
/// unique key, else all columns together.
fn key_parts(dialect: &dyn Dialect, alias: &str, relation: &Relation, suspect: &[String]) -> Vec<Part> {
    let columns = |names: &[String]| -> Vec<Part> {
        let found = names.iter().filter_map(|name| relation.column(name));
        found.map(|(_, column)| Part::column(dialect, alias, column)).collect()
    };
    let never_null =
        |names: &[String]| names.iter().all(|name| relation.column(name).is_some_and(|(_, column)| !column.nullable));
    let trusted = |names: &&[String]| !names.is_empty() && *names != suspect;
    let primary = Some(relation.primary_key_columns()).filter(trusted);
    let certain = relation.keys().filter(trusted).find(|names| never_null(names));
    if let Some(names) = primary.or(certain) {
        return columns(names);
    }
    if let Some(locator) = dialect.row_locator(alias, relation) {
        return vec![Part { name: locator_name(alias, &locator), read: locator.clone(), order: locator }];
    }
    if let Some(names) = relation.keys().find(trusted) {
        return columns(names);
    }
    relation.columns.iter().map(|column| Part::column(dialect, alias, column)).collect()
}

/// `rowid`, `ctid`: the pseudo-column's own name where the locator is one, else `row`.
fn locator_name(alias: &str, locator: &str) -> String {
    let name = locator.strip_prefix(alias).unwrap_or(locator).trim_start_matches('.');
    let name = name.split("::").next().unwrap_or(name);
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { "row".to_owned() }
}

/// Rows named in one statement at most: it is read by people.
const NAMED_MAX: usize = 50;

/// SQL that shows rows by their keys, as reports name them; `None` where they are not all rows of the relation, or a key cannot be written down.
pub(crate) fn named_rows(dialect: &dyn Dialect, relation: &Relation, samples: &[Sample]) -> Option<String> {
    let locator = dialect.row_locator("", relation);
    let locator_name = locator.as_ref().map(|locator| locator_name("", locator));
    let part = |(name, value): (&String, &Option<String>)| -> Option<String> {
        let expression = match relation.column(name) {
            Some((_, column)) if is_written(&column.data_type.kind) => dialect.quote(name),
            Some(_) => return None,
            None => locator.clone().filter(|_| locator_name.as_ref() == Some(name))?,
        };
        Some(match value {
            None => format!("{expression} IS NULL"),
            Some(value) if value.chars().count() < VALUE_CHARS_MAX => {
                format!("{expression} = {}", dialect.text_literal(value))
            }
            Some(_) => return None,
        })
    };
    let row = |sample: &Sample| -> Option<String> {
        let parts = sample.key.iter().map(part).collect::<Option<Vec<String>>>()?;
        (!parts.is_empty()).then(|| parts.join(" AND "))
    };
    let rows = samples.iter().take(NAMED_MAX).map(row).collect::<Option<Vec<String>>>()?;
    (!rows.is_empty()).then(|| format!("SELECT * FROM {} WHERE {}", dialect.own_rows(relation), rows.join(" OR ")))
}

/// Whether a value of this type is found again by its text.
fn is_written(kind: &TypeKind) -> bool {
    matches!(
        kind,
        TypeKind::Integer { .. } | TypeKind::Decimal { .. } | TypeKind::Text { .. } | TypeKind::Uuid | TypeKind::Date
    )
}

/// A column's quoted name, qualified where there is an alias.
pub(crate) fn qualified(dialect: &dyn Dialect, alias: &str, column: &str) -> String {
    if alias.is_empty() { dialect.quote(column) } else { format!("{alias}.{}", dialect.quote(column)) }
}

/// Of these columns, quoted, those that may be NULL. That others are not is a check of its own, and planners take it for granted: a scan that counts their
/// NULLs counts none, and costs what it costs.
pub(crate) fn nullable(dialect: &dyn Dialect, relation: &Relation, columns: &[String]) -> Vec<String> {
    let may_be = |name: &&String| relation.column(name).is_none_or(|(_, column)| column.nullable);
    columns.iter().filter(may_be).map(|name| dialect.quote(name)).collect()
}

/// `a IS NULL OR b IS NULL`: one of these is NULL. `None` for no columns.
pub(crate) fn any_null(expressions: &[String]) -> Option<String> {
    joined(expressions, "IS NULL", " OR ")
}

/// `a IS NULL AND b IS NULL`.
pub(crate) fn all_null(expressions: &[String]) -> Option<String> {
    joined(expressions, "IS NULL", " AND ")
}

/// `a IS NOT NULL AND b IS NOT NULL`.
pub(crate) fn none_null(expressions: &[String]) -> Option<String> {
    joined(expressions, "IS NOT NULL", " AND ")
}

fn joined(expressions: &[String], test: &str, joint: &str) -> Option<String> {
    let tests: Vec<String> = expressions.iter().map(|expression| format!("{expression} {test}")).collect();
    Some(tests.join(joint)).filter(|text| !text.is_empty())
}

/// A foreign text of SQL (a CHECK, a predicate, an index expression) in parentheses. A line break keeps a trailing `--`
/// comment, which SQLite stores with the text, from swallowing the parenthesis.
pub(crate) fn enclosed(expression: &str) -> String {
    let end = if expression.contains("--") { "\n" } else { "" };
    format!("({expression}{end})")
}
