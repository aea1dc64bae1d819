//! Duplicates: groups of rows that share a unique key, by the key's own predicate, expressions and view of NULL.
//! Equality is the database's, so that a column's collation counts as it does in the index.

use relink_db::{Connection, DbError, Dialect};
use relink_model::Relation;
use serde::Serialize;

use super::compile::Census;
use super::run::{Found, whole};
use super::sql::{Shown, any_null, none_null, sample};
use crate::report::Sample;

/// What is asked of the database.
#[derive(Clone, Debug, Serialize)]
pub struct DuplicateProbe {
    /// How many groups there are of each size: `(rows of a group, groups)`.
    sizes: String,
    /// Selects the samples, each with the number of its group.
    samples: String,
    /// What the samples show.
    shown: Shown,
}

/// A key in SQL.
pub(crate) struct KeySql {
    /// Its parts, unqualified.
    pub(crate) parts: Vec<String>,
    /// Those that may be NULL.
    pub(crate) nullable: Vec<String>,
    /// Which rows it is about.
    pub(crate) predicate: Option<String>,
    pub(crate) nulls_equal: bool,
    /// Where the rows are.
    pub(crate) from: String,
}

/// The groups of a key; `columns` are those that samples show.
pub(crate) fn compile(
    dialect: &dyn Dialect,
    relation: &Relation,
    columns: &[String],
    key: &KeySql,
) -> (Census, DuplicateProbe, String) {
    let from = &key.from;
    let outside = key.predicate.as_ref().map(|predicate| format!("NOT {predicate} OR {predicate} IS NULL"));
    let null_part = if key.nulls_equal { None } else { any_null(&key.nullable) };
    let not_judged: Vec<String> = outside.into_iter().chain(null_part).collect();
    let judged: Vec<String> =
        key.predicate.iter().cloned().chain(if key.nulls_equal { None } else { none_null(&key.parts) }).collect();
    let filter = if judged.is_empty() { String::new() } else { format!(" WHERE {}", judged.join(" AND ")) };
    let parts = key.parts.join(", ");
    let groups = format!("FROM {from}{filter} GROUP BY {parts} HAVING COUNT(*) > 1");
    // A damaged key cannot tell apart the rows that share it.
    let mut shown = Shown::of(dialect, "", relation, columns, columns);
    if !shown.content.is_empty() && relation.keys().next().is_some() {
        // All rows are sorted with what is shown of them: of a table that has a key, damaged or not, what the key holds has to do.
        shown.content.clone_from(&shown.values);
    }
    let census = Census { not_judged: Some(not_judged.join(" OR ")).filter(|text| !text.is_empty()), failed: None };
    let probe = DuplicateProbe {
        sizes: format!(
            "SELECT relink_rows, COUNT(*) FROM (SELECT COUNT(*) AS relink_rows {groups}) AS g GROUP BY relink_rows"
        ),
        samples: samples_sql(&parts, from, &filter, &shown),
        shown,
    };
    (census, probe, format!("SELECT {parts}, COUNT(*) {groups}"))
}

/// The rows of the groups, numbered by group. Window functions, and no join to the groups: a join would go through the very index that does
/// not hold, and planners stop at the first match of a unique index.
fn samples_sql(parts: &str, from: &str, filter: &str, shown: &Shown) -> String {
    let read: Vec<String> =
        shown.parts().enumerate().map(|(index, part)| format!("{} AS relink_read_{index}", part.read)).collect();
    let order: Vec<String> =
        shown.key.iter().enumerate().map(|(index, part)| format!("{} AS relink_key_{index}", part.order)).collect();
    let names = |prefix: &str, count: usize| (0..count).map(|index| format!("{prefix}{index}")).collect::<Vec<_>>();
    format!(
        "SELECT relink_group, {} FROM (SELECT DENSE_RANK() OVER (ORDER BY {parts}) AS relink_group, \
         COUNT(*) OVER (PARTITION BY {parts}) AS relink_rows, {}, {} FROM {from}{filter}) AS g \
         WHERE relink_rows > 1 ORDER BY relink_group, {}",
        names("relink_read_", read.len()).join(", "),
        read.join(", "),
        order.join(", "),
        names("relink_key_", order.len()).join(", "),
    )
}

pub(crate) async fn run(
    connection: &mut dyn Connection,
    probe: &DuplicateProbe,
    samples_max: usize,
) -> Result<Found, DbError> {
    let mut found = Found::default();
    for row in connection.query(&probe.sizes, &[]).await? {
        if let [size, groups] = row.as_slice() {
            let groups = whole(groups)?;
            found.failed_distinct += groups;
            found.failed += groups * whole(size)?;
        }
    }
    if found.failed == 0 || samples_max == 0 {
        return Ok(found);
    }
    let rows = connection.query(&format!("{} LIMIT {samples_max}", probe.samples), &[]).await?;
    let mut ranks = Vec::new();
    for mut row in rows {
        if row.is_empty() {
            continue;
        }
        // Ranked among all keys; numbered among the groups shown.
        let rank = whole(&row.remove(0))?;
        if ranks.last() != Some(&rank) {
            ranks.push(rank);
        }
        found.samples.push(Sample { group: Some(ranks.len() as u64), ..sample(&probe.shown, row) });
    }
    Ok(found)
}
