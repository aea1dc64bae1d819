//! `--since`: only rows made or changed at or after a moment are judged, by the column that says when that was.

use relink_model::config::{Config, ConfigError, Unknown};
use relink_model::{Catalog, Relation, RelationId, TypeKind};
use relink_rules::expression::Bound;

use crate::plan::test::{Judge, RowTest, Test};
use crate::plan::{Check, Planning, condition_of};

/// Columns that say when a row was made or changed, the first that there is.
const USUAL: [&str; 8] =
    ["updated_at", "modified_at", "updated", "modified", "created_at", "created", "inserted_at", "created_on"];

/// By relation: the column that says when a row was made, where there is one.
pub fn made_columns(catalog: &Catalog, config: &Config) -> Vec<(RelationId, usize)> {
    const MADE: [&str; 7] =
        ["created_at", "created", "inserted_at", "created_on", "date_joined", "ordered_at", "updated_at"];
    let column = |(id, relation): (RelationId, &Relation)| {
        let configured = config.table.iter().find(|(name, _)| catalog.find(name) == Some(id));
        let configured = configured.and_then(|(_, table)| table.since.as_deref());
        let dated = |name: &str| {
            let (index, column) = relation.column(name)?;
            matches!(column.data_type.kind, TypeKind::Date | TypeKind::Timestamp { .. }).then_some((id, index))
        };
        configured.into_iter().chain(MADE).find_map(dated)
    };
    catalog.iter().filter_map(column).collect()
}

/// The column by which rows of a relation are told old from new.
pub fn since_column(catalog: &Catalog, config: &Config, id: RelationId) -> Option<usize> {
    let relation = catalog.relation(id);
    let configured = config.table.iter().find(|(name, _)| catalog.find(name) == Some(id));
    if let Some(name) = configured.and_then(|(_, table)| table.since.as_ref()) {
        return relation.column(name).map(|(index, _)| index);
    }
    let dated = |name: &&str| {
        relation
            .column(name)
            .is_some_and(|(_, column)| matches!(column.data_type.kind, TypeKind::Date | TypeKind::Timestamp { .. }))
    };
    USUAL.iter().find(|name| dated(name)).and_then(|name| relation.column(name)).map(|(index, _)| index)
}

/// Restricts checks to the rows made or changed since a moment (`2026-11-01`, `2026-11-01T12:00:00Z`); those that have to see all rows, and those of relations
/// that do not say when their rows were made, stay as they are. The checks that were restricted are counted.
///
/// # Errors
/// A moment that is none, a column that is not there.
pub fn restrict(checks: &mut [Check], catalog: &Catalog, config: &Config, since: &str) -> Result<usize, ConfigError> {
    let planning = Planning { catalog, dialect: None, config };
    let mut restricted = 0;
    for (table, settings) in &config.table {
        if let (Some(id), Some(column)) = (catalog.find(table), &settings.since) {
            relink_model::config::require_column(catalog, id, table, "since", column)?;
        }
    }
    for check in checks {
        let Some(id) = catalog.id(&check.relation) else { continue };
        let Some(column) = since_column(catalog, config, id) else { continue };
        let relation = catalog.relation(id);
        let filter = newer(&planning, id, relation, column, since)?;
        restricted += usize::from(narrow(check, &filter));
    }
    Ok(restricted)
}

fn newer(
    planning: &Planning<'_>,
    id: RelationId,
    relation: &Relation,
    column: usize,
    since: &str,
) -> Result<Bound, ConfigError> {
    let name = relation.columns[column].name.replace('"', "\"\"");
    let text = format!("\"{name}\" >= '{}'", since.replace('\'', "''"));
    condition_of(planning, id, &text).ok_or_else(|| ConfigError::Value {
        table: relation.name.to_string(),
        key: "--since".to_owned(),
        column: relation.columns[column].name.clone(),
        value: since.to_owned(),
        why: "it is no date, or that column holds none".to_owned(),
    })
}

/// Restricts one check, where rows can be judged without the others.
fn narrow(check: &mut Check, newer: &Bound) -> bool {
    let both = |filter: &mut Option<Bound>| {
        *filter = Some(match filter.take() {
            Some(filter) => filter.and(newer.clone()),
            None => newer.clone(),
        });
    };
    match &mut check.test {
        Test::Row(test) => both(&mut test.filter),
        Test::Reference(test) => both(&mut test.filter),
        Test::Sums(test) if !test.left.summed => {
            test.plain = false;
            both(&mut test.left.filter);
        }
        Test::NotNull(test) => {
            let mut row = RowTest::of(test.relation, Judge::Present(test.column));
            row.unknown = Unknown::Count;
            both(&mut row.filter);
            check.test = Test::Row(row);
        }
        _ => return false,
    }
    true
}
