//! Orphans: rows whose reference has no target. Every declared key is measured, also when the database calls it
//! validated: rows loaded with triggers or foreign key checks off leave that mark in place.

use relink_db::{AntiJoin, Connection, DbError, DbErrorKind, Dialect};
use relink_model::{Catalog, Deferrability, Enforcement, ForeignKey, MatchKind, ReferentialAction, Relation, Value};
use relink_rules::Part;
use serde::Serialize;

use super::compile::Census;
use super::run::{Found, count, samples, whole};
use super::sql::{Shown, all_null, any_null, none_null, nullable, qualified};
use super::texts::texts;
use crate::plan::test::{Matching, ReferenceTest};
use crate::report::Frequent;

/// Missing keys listed with their number of rows, at most.
const FREQUENT_MAX: usize = 10;

/// Values that people store for "none" where NULL belongs.
pub(crate) const SENTINELS: [&str; 10] = ["0", "-1", "", "none", "None", "null", "NULL", "N/A", "n/a", "-"];

/// What is asked of the database.
#[derive(Clone, Debug, Serialize)]
pub struct OrphanProbe {
    /// The orphans, aliased `c`.
    #[serde(skip)]
    pub(crate) orphans: AntiJoin,
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
    /// Counts the distinct keys that are looked for, where it matters how many these are: whether a guess holds is a share of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<String>,
}

impl OrphanProbe {
    /// Has the distinct keys counted. `plain` is which rows refer.
    pub(crate) fn count_judged(&mut self, dialect: &dyn Dialect, relation: &Relation, plain: Option<&str>) {
        let keys: Vec<String> = self.columns.iter().map(|name| dialect.quote(name)).collect();
        let conditions: Vec<String> = none_null(&keys).into_iter().chain(plain.map(str::to_owned)).collect();
        let (keys, from, conditions) = (keys.join(", "), dialect.own_rows(relation), conditions.join(" AND "));
        self.judged =
            Some(format!("SELECT COUNT(*) FROM (SELECT DISTINCT {keys} FROM {from} WHERE {conditions}) AS g"));
    }
}

/// The foreign key that a reference of plain columns would be; `None` where it is more than that.
pub(crate) fn key_of(catalog: &Catalog, relation: &Relation, test: &ReferenceTest) -> Option<ForeignKey> {
    let target = catalog.relation(test.target?);
    if test.target_filter.is_some() || test.dead {
        return None;
    }
    let name = |relation: &Relation, part: &Part| match part {
        Part::Column { index, .. } => Some(relation.columns[*index].name.clone()),
        Part::Expression(_) => None,
    };
    Some(ForeignKey {
        name: None,
        columns: test.parts.iter().map(|part| name(relation, part)).collect::<Option<_>>()?,
        referenced: target.name.clone(),
        referenced_columns: test.target_parts.iter().map(|part| name(target, part)).collect::<Option<_>>()?,
        match_kind: MatchKind::Simple,
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
        deferrability: Deferrability::NotDeferrable,
        enforcement: Enforcement::Virtual,
    })
}

/// The anti-join of a key. `filter` is which rows refer, under the alias `c`; `plain` the same without one.
pub(crate) fn compile(
    catalog: &Catalog,
    dialect: &dyn Dialect,
    relation: &Relation,
    key: &ForeignKey,
    test: &ReferenceTest,
    filter: Option<&str>,
    plain: Option<&str>,
) -> Option<(Census, OrphanProbe, String)> {
    if test.dead || test.target_filter.is_some() {
        return None;
    }
    let match_kind = if test.matching == Matching::Full { MatchKind::Full } else { MatchKind::Simple };
    let key = ForeignKey { match_kind, ..key.clone() };
    let mut orphans = if catalog.unseen.contains(&key.referenced) {
        // The database knows it, or says that it may not be read.
        let unseen = Relation { name: key.referenced.clone(), ..Relation::default() };
        dialect.orphans(relation, &key, &unseen)
    } else if let Some(id) = catalog.id(&key.referenced) {
        dialect.orphans(relation, &key, catalog.relation(id))
    } else {
        // Nothing can be found in a relation that does not exist: every complete reference is an orphan.
        let columns: Vec<String> = key.columns.iter().map(|name| qualified(dialect, "c", name)).collect();
        AntiJoin { from: format!("{} AS c", dialect.own_rows(relation)), condition: none_null(&columns)? }
    };
    if let Some(filter) = filter {
        // Whatever the shape says is one condition, and this another.
        orphans.condition = format!("({}) AND {filter}", orphans.condition);
    }
    let body = orphans.to_string();
    let nullable = nullable(dialect, relation, &key.columns);
    let null = match match_kind {
        MatchKind::Simple => any_null(&nullable),
        MatchKind::Full if nullable.len() < key.columns.len() => None,
        MatchKind::Full => all_null(&nullable),
    };
    let outside = plain.map(|plain| format!("CASE WHEN {plain} THEN 0 ELSE 1 END = 1"));
    let not_judged: Vec<String> = outside.into_iter().chain(null).collect();
    let qualified: Vec<String> = key.columns.iter().map(|name| qualified(dialect, "c", name)).collect();
    let keys = qualified.join(", ");
    let found = key.columns.iter().filter_map(|name| relation.column(name));
    let read: Vec<String> = found.map(|(_, column)| dialect.read_expression("c", column)).collect();
    let shown = Shown::of(dialect, "c", relation, &key.columns, &[]);
    let probe = OrphanProbe {
        count: format!("SELECT COUNT(*) {body}"),
        distinct: format!("SELECT COUNT(*) FROM (SELECT DISTINCT {keys} {body}) AS g"),
        frequent: format!(
            "SELECT {}, COUNT(*) {body} GROUP BY {keys} ORDER BY COUNT(*) DESC, {keys} LIMIT {FREQUENT_MAX}",
            read.join(", ")
        ),
        samples: format!("SELECT {} {body} ORDER BY {}", shown.select(), shown.order()),
        shown,
        columns: key.columns.clone(),
        judged: None,
        orphans,
    };
    let census = Census { not_judged: Some(not_judged.join(" OR ")).filter(|text| !text.is_empty()), failed: None };
    Some((census, probe, format!("SELECT c.* {body}")))
}

pub(crate) async fn run(
    connection: &mut dyn Connection,
    probe: &OrphanProbe,
    samples_max: usize,
) -> Result<Found, DbError> {
    let judged_distinct = match &probe.judged {
        Some(judged) => Some(count(connection, judged, &[]).await?),
        None => None,
    };
    let failed = count(connection, &probe.count, &[]).await?;
    if failed == 0 {
        return Ok(Found { judged_distinct, ..Found::default() });
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
        judged_distinct,
        ..Found::default()
    })
}

/// Orphans that all share one value are rarely lost rows: the value stands for "none".
pub(crate) fn shared_value(frequent: &[Frequent], distinct: u64, failed: u64) -> Option<String> {
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
