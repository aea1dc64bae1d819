//! Orphans: rows whose reference has no target. Every declared key is measured, also when the database calls it
//! validated: rows loaded with triggers or foreign key checks off leave that mark in place.

use relink_db::{Connection, DbError, DbErrorKind};
use relink_model::{Enforcement, ForeignKey, MatchKind, Relation, Severity, Value};
use serde::Serialize;

use crate::plan::{Census, Check, CheckKind, Planning, Probe, columns_id};
use crate::report::Frequent;
use crate::run::{Found, count, samples, texts, whole};
use crate::sql::{Shown, all_null, any_null, none_null, qualified};

/// Missing keys listed with their number of rows, at most.
const FREQUENT_MAX: usize = 10;

/// Values that people store for "none" where NULL belongs.
const SENTINELS: [&str; 10] = ["0", "-1", "", "none", "None", "null", "NULL", "N/A", "n/a", "-"];

/// What is asked of the database.
#[derive(Clone, Debug, Serialize)]
pub struct OrphanProbe {
    /// Counts the orphans.
    count: String,
    /// Counts the distinct missing keys.
    distinct: String,
    /// The missing keys with their rows, most frequent first.
    frequent: String,
    /// Selects the samples.
    samples: String,
    /// What the samples show.
    shown: Shown,
    /// The referencing columns.
    columns: Vec<String>,
}

pub(crate) fn plan(planning: &Planning<'_>, relation: &Relation, checks: &mut Vec<Check>) {
    for (index, key) in relation.foreign_keys.iter().enumerate() {
        let same = |other: &ForeignKey| {
            (&other.columns, &other.referenced, &other.referenced_columns, other.match_kind)
                == (&key.columns, &key.referenced, &key.referenced_columns, key.match_kind)
        };
        if relation.foreign_keys[..index].iter().any(same) {
            continue;
        }
        if let Some(body) = body(planning, relation, key) {
            checks.push(check(planning, relation, key, &body));
        }
    }
}

/// `FROM ... WHERE ...` of the orphans, aliased `c`; `None` where the schema leaves open what the key refers to (which is a
/// finding about the schema).
fn body(planning: &Planning<'_>, relation: &Relation, key: &ForeignKey) -> Option<String> {
    let Some(id) = planning.catalog.id(&key.referenced) else {
        // Nothing can be found in a relation that does not exist: every complete reference is an orphan.
        let columns: Vec<String> = key.columns.iter().map(|name| qualified(planning.dialect, "c", name)).collect();
        return Some(format!("FROM {} AS c WHERE {}", planning.dialect.own_rows(relation), none_null(&columns)?));
    };
    let referenced = planning.catalog.relation(id);
    refers_to_columns(key, referenced).then(|| planning.dialect.orphans(relation, key, referenced))
}

/// Whether the key says which columns it refers to, and these exist.
pub(crate) fn refers_to_columns(key: &ForeignKey, referenced: &Relation) -> bool {
    key.referenced_columns.len() == key.columns.len()
        && key.referenced_columns.iter().all(|name| referenced.column(name).is_some())
}

fn check(planning: &Planning<'_>, relation: &Relation, key: &ForeignKey, body: &str) -> Check {
    let dialect = planning.dialect;
    let is_twin = |other: &ForeignKey| other.columns == key.columns && other.referenced != key.referenced;
    let mut id = format!("ref:{}", columns_id(&relation.name, &key.columns));
    if relation.foreign_keys.iter().any(is_twin) {
        id = format!("{id}->{}", key.referenced);
    }
    let plain: Vec<String> = key.columns.iter().map(|name| dialect.quote(name)).collect();
    let not_judged = match key.match_kind {
        MatchKind::Simple => any_null(&plain),
        MatchKind::Full => all_null(&plain),
    };
    let qualified: Vec<String> = key.columns.iter().map(|name| qualified(dialect, "c", name)).collect();
    let keys = qualified.join(", ");
    let read: Vec<String> = key
        .columns
        .iter()
        .filter_map(|name| relation.column(name))
        .map(|(_, column)| dialect.read_expression("c", column))
        .collect();
    let shown = Shown::of(dialect, "c", relation, &key.columns, &[]);
    Check {
        id,
        kind: CheckKind::Ref,
        relation: relation.name.clone(),
        columns: key.columns.clone(),
        severity: Severity::Error,
        message: message(key),
        why: Some(why(key.enforcement).to_owned()),
        help: Some(format!("add the missing rows of {}, or change or clear these references", key.referenced)),
        sql: Some(format!("SELECT c.* {body}")),
        census: Census { not_judged, failed: None },
        probe: Probe::Orphans(OrphanProbe {
            count: format!("SELECT COUNT(*) {body}"),
            distinct: format!("SELECT COUNT(*) FROM (SELECT DISTINCT {keys} {body}) AS g"),
            frequent: format!(
                "SELECT {}, COUNT(*) {body} GROUP BY {keys} ORDER BY COUNT(*) DESC, {keys} LIMIT {FREQUENT_MAX}",
                read.join(", ")
            ),
            samples: format!("SELECT {} {body} ORDER BY {}", shown.select(), shown.order()),
            shown,
            columns: key.columns.clone(),
        }),
    }
}

fn message(key: &ForeignKey) -> String {
    let target = match key.referenced_columns.as_slice() {
        [] => key.referenced.to_string(),
        columns => format!("{}({})", key.referenced, columns.join(", ")),
    };
    let half = match key.match_kind {
        MatchKind::Full if key.columns.len() > 1 => ", or only half of its key (MATCH FULL)",
        _ => "",
    };
    format!("references a row of {target} that does not exist{half}")
}

fn why(enforcement: Enforcement) -> &'static str {
    match enforcement {
        Enforcement::Enforced => {
            "the key is declared and counts as validated, yet is broken: were rows loaded with foreign keys or triggers off?"
        }
        Enforcement::NotValidated => "the key was added without checking the rows that were there",
        Enforcement::NotEnforced => "the key is declared, but the database does not enforce it",
        Enforcement::Virtual => "the reference is declared in the configuration only; no database enforces it",
    }
}

pub(crate) async fn run(
    connection: &mut dyn Connection,
    probe: &OrphanProbe,
    samples_max: usize,
) -> Result<Found, DbError> {
    let failed = count(connection, &probe.count, &[]).await?;
    if failed == 0 {
        return Ok(Found::default());
    }
    let rows = connection.query(&probe.frequent, &[]).await?;
    let one = |row: &Vec<Value>| {
        let (rows, values) = row.split_last().ok_or_else(|| DbError::new(DbErrorKind::Other, "an empty row"))?;
        Ok(Frequent { values: texts(&probe.columns, values), rows: whole(rows)? })
    };
    let frequent = rows.iter().map(one).collect::<Result<Vec<_>, DbError>>()?;
    // A list that is not full is all there is, and spares a further anti-join.
    let distinct = if frequent.len() < FREQUENT_MAX {
        frequent.len() as u64
    } else {
        count(connection, &probe.distinct, &[]).await?
    };
    let notes = shared_value(&frequent, distinct, failed).into_iter().collect();
    Ok(Found {
        failed,
        failed_distinct: distinct,
        frequent,
        samples: samples(connection, &probe.shown, &probe.samples, &[], samples_max).await?,
        notes,
        ..Found::default()
    })
}

/// Orphans that all share one value are rarely lost rows: the value stands for "none".
fn shared_value(frequent: &[Frequent], distinct: u64, failed: u64) -> Option<String> {
    let [only] = frequent else { return None };
    let mut values = only.values.values();
    let (Some(Some(value)), None, 1) = (values.next(), values.next(), distinct) else { return None };
    if SENTINELS.contains(&value.as_str()) {
        Some(format!(
            "every orphan has the value {value:?}: it probably stands for \"none\", for which NULL is the word"
        ))
    } else {
        (failed > 1).then(|| format!("every orphan has the same value {value:?}: one missing row explains them all"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str, rows: u64) -> Vec<Frequent> {
        vec![Frequent { values: [("customer_id".to_owned(), Some(value.to_owned()))].into_iter().collect(), rows }]
    }

    #[test]
    fn orphans_that_all_hold_zero_or_nothing_are_called_a_sentinel() {
        for value in ["0", "-1", ""] {
            let note = shared_value(&one(value, 3), 1, 3).expect("a note");
            assert!(note.contains("stands for \"none\""), "{note}");
        }
        assert!(shared_value(&one("90017", 3), 1, 3).expect("a note").contains("one missing row"));
        assert_eq!(shared_value(&one("90017", 1), 1, 1), None);
        assert_eq!(shared_value(&one("0", 3), 2, 4), None);
    }
}
