//! Duplicates: groups of rows that share a unique key, by the key's own predicate, expressions and view of NULL.
//! Equality is the database's, so that a column's collation counts as it does in the index.

use relink_db::{Connection, DbError};
use relink_model::{Relation, Severity};
use serde::Serialize;

use super::check::mentioned;
use crate::plan::{Census, Check, CheckKind, Planning, Probe, columns_id};
use crate::report::Sample;
use crate::run::{Found, sample, whole};
use crate::sql::{Shown, any_null, enclosed, none_null};

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

/// A key under scrutiny.
struct Key<'a> {
    id: String,
    /// The columns it names, as far as it names plain ones.
    columns: Vec<String>,
    /// SQL of its parts, unqualified.
    parts: Vec<String>,
    predicate: Option<&'a str>,
    nulls_equal: bool,
    severity: Severity,
    what: String,
    why: Option<String>,
}

pub(crate) fn plan(planning: &Planning<'_>, relation: &Relation, checks: &mut Vec<Check>) {
    let from = planning.dialect.own_rows(relation);
    let quote = |names: &[String]| names.iter().map(|name| planning.dialect.quote(name)).collect::<Vec<_>>();
    if let Some(primary) = &relation.primary_key {
        let id = format!("unique:{}", columns_id(&relation.name, &primary.columns));
        let key = Key {
            id: id.clone(),
            columns: primary.columns.clone(),
            parts: quote(&primary.columns),
            predicate: None,
            nulls_equal: false,
            severity: Severity::Error,
            what: format!("shares its primary key ({}) with another row", primary.columns.join(", ")),
            why: None,
        };
        checks.extend(check(planning, relation, &from, key));
        if has_heirs(planning, relation) {
            checks.extend(across_inheritance(planning, relation, &primary.columns, &id));
        }
    }
    for unique in &relation.unique_keys {
        let plain = unique.expressions.is_none() && unique.predicate.is_none();
        let id = if plain {
            format!("unique:{}", columns_id(&relation.name, &unique.columns))
        } else {
            // The text of an expression differs by server version; its index's name does not.
            format!("unique:{}[{}]", relation.name, unique.name)
        };
        if checks.iter().any(|check| check.id == id && plain) {
            continue;
        }
        let parts = match &unique.expressions {
            Some(expressions) => expressions.iter().map(|text| enclosed(text)).collect(),
            None => quote(&unique.columns),
        };
        let columns = concerned(relation, &unique.columns, unique.expressions.as_deref(), unique.predicate.as_deref());
        let named = unique.expressions.as_deref().unwrap_or(&unique.columns).join(", ");
        let scope = unique.predicate.as_ref().map(|predicate| format!(" where {predicate}")).unwrap_or_default();
        let key = Key {
            id,
            columns,
            parts,
            predicate: unique.predicate.as_deref(),
            nulls_equal: unique.nulls_not_distinct,
            severity: Severity::Error,
            what: format!("shares its unique key ({named}){scope} with another row"),
            why: (!unique.valid)
                .then(|| format!("the index {} is marked invalid: it never became a guarantee", unique.name)),
        };
        checks.extend(check(planning, relation, &from, key));
    }
}

/// Whether other relations inherit from this one.
fn has_heirs(planning: &Planning<'_>, relation: &Relation) -> bool {
    planning.catalog.relations.iter().any(|other| other.inherits.contains(&relation.name))
}

/// A key holds within one relation only: relations that inherit from it may repeat it, and a query over the parent then
/// shows two rows. Worth knowing, and no violation.
fn across_inheritance(planning: &Planning<'_>, relation: &Relation, columns: &[String], id: &str) -> Option<Check> {
    let from = planning.dialect.quote_relation(&relation.name);
    let key = Key {
        id: format!("{id}+inherited"),
        columns: columns.to_vec(),
        parts: columns.iter().map(|name| planning.dialect.quote(name)).collect(),
        predicate: None,
        nulls_equal: false,
        severity: Severity::Info,
        what: "has the same primary key as a row of an inheriting relation: not unique across inheritance".to_owned(),
        why: Some("a primary key is enforced per relation, not across those that inherit from it".to_owned()),
    };
    let mut check = check(planning, relation, &from, key)?;
    // The shared scan reads the relation's own rows, this check also those of its heirs.
    check.census = Census::default();
    Some(check)
}

/// The plain columns of a key, or those that its expressions and predicate mention.
fn concerned(
    relation: &Relation,
    columns: &[String],
    expressions: Option<&[String]>,
    predicate: Option<&str>,
) -> Vec<String> {
    if expressions.is_none() {
        return columns.to_vec();
    }
    let texts: Vec<&str> = expressions.unwrap_or_default().iter().map(String::as_str).chain(predicate).collect();
    mentioned(relation, &texts.join(" "))
}

fn check(planning: &Planning<'_>, relation: &Relation, from: &str, key: Key<'_>) -> Option<Check> {
    let has_null = any_null(&key.parts)?;
    let outside = key.predicate.map(|predicate| {
        let predicate = enclosed(predicate);
        format!("NOT {predicate} OR {predicate} IS NULL")
    });
    let null_part = (!key.nulls_equal).then_some(has_null);
    let not_judged: Vec<String> = outside.into_iter().chain(null_part).collect();
    let judged: Vec<String> = key
        .predicate
        .map(enclosed)
        .into_iter()
        .chain(if key.nulls_equal { None } else { none_null(&key.parts) })
        .collect();
    let filter = if judged.is_empty() { String::new() } else { format!(" WHERE {}", judged.join(" AND ")) };
    let parts = key.parts.join(", ");
    let groups = format!("FROM {from}{filter} GROUP BY {parts} HAVING COUNT(*) > 1");
    // A damaged key cannot tell apart the rows that share it.
    let shown = Shown::of(planning.dialect, "", relation, &key.columns, &key.columns);
    Some(Check {
        id: key.id,
        kind: CheckKind::Unique,
        relation: relation.name.clone(),
        columns: key.columns,
        severity: key.severity,
        message: key.what,
        why: key.why,
        help: Some("keep one row of each group, and point the references to the others at it".to_owned()),
        sql: Some(format!("SELECT {parts}, COUNT(*) {groups}")),
        census: Census { not_judged: Some(not_judged.join(" OR ")).filter(|text| !text.is_empty()), failed: None },
        probe: Probe::Duplicates(DuplicateProbe {
            sizes: format!(
                "SELECT relink_rows, COUNT(*) FROM (SELECT COUNT(*) AS relink_rows {groups}) AS g GROUP BY relink_rows"
            ),
            samples: samples_sql(&parts, from, &filter, &shown),
            shown,
        }),
    })
}

/// The rows of the groups, numbered by group. Window functions, and no join to the groups: a join would go through the very index that does
/// not hold, and planners stop at the first match of a unique index.
fn samples_sql(parts: &str, from: &str, filter: &str, shown: &Shown) -> String {
    let all = || shown.key.iter().chain(&shown.values);
    let read: Vec<String> =
        all().enumerate().map(|(index, part)| format!("{} AS relink_read_{index}", part.read)).collect();
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
