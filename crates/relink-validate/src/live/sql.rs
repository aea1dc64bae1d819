//! SQL pieces that every check shares: how rows are named, how samples are selected. Only quoting and reading differ by database,
//! and both are the dialect's.

use indexmap::IndexMap;
use relink_db::Dialect;
use relink_model::{Column, Relation, TypeKind, Value};
use serde::Serialize;

use super::texts::{VALUE_CHARS_MAX, exact};
use crate::report::{Sample, content_of};

/// The columns of a sample: those that name the row, then those that offend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// They name the row.
    pub key: Vec<Part>,
    /// They show what is wrong.
    pub values: Vec<Part>,
    /// All of the row, where nothing in `key` stays with it from run to run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Part>,
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
        let offending = values.iter().filter(|name| !is_key(name)).filter_map(|name| relation.column(name));
        let values = offending.map(|(_, column)| Part::column(dialect, alias, column)).collect();
        let is_known =
            certain_key(relation, suspect).is_some() || relation.columns.iter().all(|column| is_key(&column.name));
        let content = if is_known { Vec::new() } else { all_parts(dialect, alias, relation) };
        Self { key, values, content }
    }

    /// Everything that is read of a row: its key, what offends, its content.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.key.iter().chain(&self.values).chain(&self.content)
    }

    /// `read, ...`: what to select.
    pub(crate) fn select(&self) -> String {
        self.parts().map(|part| part.read.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// `ORDER BY` the key, so that the same data always gives the same samples.
    pub(crate) fn order(&self) -> String {
        self.key.iter().map(|part| part.order.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// A row that `shown` selected.
pub(crate) fn sample(shown: &Shown, mut row: Vec<Value>) -> Sample {
    let mut values = row.split_off(shown.key.len().min(row.len()));
    let content = values.split_off(shown.values.len().min(values.len()));
    Sample {
        key: texts_of(&shown.key, &row),
        values: texts_of(&shown.values, &values),
        content: content_of(shown.content.iter().map(|part| part.name.as_str()), &content),
        ..Sample::default()
    }
}

/// What was selected, by its names, as the report writes it.
fn texts_of(parts: &[Part], values: &[Value]) -> IndexMap<String, Option<String>> {
    parts.iter().zip(values).map(|(part, value)| (part.name.clone(), exact(value))).collect()
}

/// What names a row: the primary key, else a unique key without NULLs, else the database's own row name, else any
/// unique key, else all columns together.
fn key_parts(dialect: &dyn Dialect, alias: &str, relation: &Relation, suspect: &[String]) -> Vec<Part> {
    let columns = |names: &[String]| -> Vec<Part> {
        let found = names.iter().filter_map(|name| relation.column(name));
        found.map(|(_, column)| Part::column(dialect, alias, column)).collect()
    };
    if let Some(names) = certain_key(relation, suspect) {
        return columns(names);
    }
    if let Some(locator) = dialect.row_locator(alias, relation) {
        return vec![Part { name: locator_name(alias, &locator), read: locator.clone(), order: locator }];
    }
    if let Some(names) = relation.keys().find(|names| is_trusted(names, suspect)) {
        return columns(names);
    }
    all_parts(dialect, alias, relation)
}

/// The columns that stay with a row and are no other's: the primary key, else a unique key without NULLs.
fn certain_key<'r>(relation: &'r Relation, suspect: &[String]) -> Option<&'r [String]> {
    let never_null =
        |names: &[String]| names.iter().all(|name| relation.column(name).is_some_and(|(_, column)| !column.nullable));
    let trusted = |names: &&[String]| is_trusted(names, suspect);
    let primary = Some(relation.primary_key_columns()).filter(trusted);
    primary.or_else(|| relation.keys().filter(trusted).find(|names| never_null(names)))
}

fn is_trusted(names: &[String], suspect: &[String]) -> bool {
    !names.is_empty() && names != suspect
}

fn all_parts(dialect: &dyn Dialect, alias: &str, relation: &Relation) -> Vec<Part> {
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
