//! Rows that SQL cannot judge beyond doubt: they are read page by page, by their key, and judged here, so that a rule means the same in every
//! database.

use jiff::tz::TimeZone;
use relink_db::{Connection, DbError, DbErrorKind};
use relink_model::{ColumnType, Relation, TypeKind, Value};
use relink_rules::expression::{Bound, Moment};
use serde::Serialize;

use super::condition::{Verdict, verdict};
use crate::plan::Planning;
use crate::run::{Found, Options, sample};
use crate::sql::Shown;

/// Rows fetched at once.
const PAGE_ROWS: usize = 20_000;

/// What is asked of the database, and how its answers are judged.
#[derive(Clone, Debug, Serialize)]
pub struct JudgeProbe {
    /// `SELECT paging key, what is shown, what is judged FROM ...`.
    select: String,
    /// From the second page on: the rows after the last one seen.
    after: String,
    /// `ORDER BY ... LIMIT ...`; nothing where rows have no name to page by.
    page: String,
    /// Result columns that say where a page ends: they come first.
    paging_columns: usize,
    /// The columns that are judged, by their index in the relation: they come last.
    judged: Vec<usize>,
    /// Of these the ones of single precision: what is read of them is wider, and says more digits than they hold.
    single: Vec<bool>,
    /// What the samples show.
    shown: Shown,
    /// The zone of readings without one.
    timezone: Option<String>,
    #[serde(skip)]
    condition: Bound,
}

impl JudgeProbe {
    /// Judges every row of a relation by a condition.
    pub(super) fn new(
        planning: &Planning<'_>,
        relation: &Relation,
        condition: Bound,
        shown: Shown,
        timezone: Option<String>,
    ) -> Self {
        let dialect = planning.dialect;
        // Where anything can be stored, the stored value itself is wanted, and any value has a native carrier.
        let enforced = planning.enforces_types(relation);
        let read = |name: &str| {
            let (_, column) = relation.column(name).expect("a column of the relation");
            if enforced { dialect.read_expression("", column) } else { dialect.quote(name) }
        };
        let mut judged: Vec<usize> = condition.columns().into_iter().map(|(column, _)| column).collect();
        judged.dedup();
        // A key that the database may not have kept is no key to page by; its own name of the row is one.
        let locator = if enforced { None } else { dialect.row_locator("", relation) };
        let key = if locator.is_some() { Vec::new() } else { paging_key(relation) };
        let order: Vec<String> = locator.iter().cloned().chain(key.iter().map(|name| dialect.quote(name))).collect();
        let paging = locator.iter().cloned().chain(key.iter().map(|name| read(name)));
        let selected = paging.chain(std::iter::once(shown.select()));
        let selected = selected.chain(judged.iter().map(|column| read(&relation.columns[*column].name)));
        let of_column =
            |name: &String| relation.column(name).map_or_else(ColumnType::default, |(_, c)| c.data_type.clone());
        let types = locator.iter().map(|_| ColumnType::default()).chain(key.iter().map(of_column));
        let placeholders: Vec<String> = types.zip(1..).map(|(of_type, at)| dialect.placeholder(at, &of_type)).collect();
        let single = |column: &usize| matches!(relation.columns[*column].data_type.kind, TypeKind::Float { bits: 32 });
        let single = judged.iter().map(single).collect();
        Self {
            select: format!("SELECT {} FROM {}", selected.collect::<Vec<_>>().join(", "), dialect.own_rows(relation)),
            after: format!(" WHERE ({}) > ({})", order.join(", "), placeholders.join(", ")),
            page: if order.is_empty() {
                String::new()
            } else {
                format!(" ORDER BY {} LIMIT {PAGE_ROWS}", order.join(", "))
            },
            paging_columns: order.len(),
            judged,
            single,
            shown,
            timezone,
            condition,
        }
    }
}

/// The columns of a key by which rows can be paged: no two rows share it, none is NULL, and what is read of it compares, as a parameter, as the
/// column itself is sorted in every database. Without one, all rows are read at once.
fn paging_key(relation: &Relation) -> Vec<String> {
    let sorts = |kind: &TypeKind| match kind {
        TypeKind::Integer { bits, unsigned } => !(*unsigned && *bits == 64),
        TypeKind::Text { .. } | TypeKind::Uuid | TypeKind::Date => true,
        _ => false,
    };
    let pages = |names: &&[String]| {
        let mut columns = names.iter().map(|name| relation.column(name).map(|(_, column)| column));
        columns.all(|column| column.is_some_and(|column| !column.nullable && sorts(&column.data_type.kind)))
    };
    relation.keys().filter(|names| !names.is_empty()).find(pages).map(<[String]>::to_vec).unwrap_or_default()
}

pub(crate) async fn run(
    connection: &mut dyn Connection,
    probe: &JudgeProbe,
    options: &Options,
) -> Result<Found, DbError> {
    let zone = probe.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
    let at = Moment::of(options.now, zone);
    let mut found = Found::default();
    let mut last: Vec<Value> = Vec::new();
    loop {
        let after = if last.is_empty() { "" } else { probe.after.as_str() };
        let page = connection.query(&format!("{}{after}{}", probe.select, probe.page), &last).await?;
        let full = page.len() == PAGE_ROWS && !probe.page.is_empty();
        for mut row in page {
            if row.len() < probe.paging_columns + probe.judged.len() {
                return Err(DbError::new(
                    DbErrorKind::Other,
                    "the database answered with fewer columns than were asked for",
                ));
            }
            let judged = row.split_off(row.len() - probe.judged.len());
            let value = |index: usize| {
                let at = probe.judged.iter().position(|column| *column == index);
                at.map_or(Value::Null, |at| match &judged[at] {
                    Value::Float(number) if probe.single[at] && number.is_finite() => {
                        Value::Text(format!("{:e}", *number as f32))
                    }
                    other => other.clone(),
                })
            };
            let shown = row.split_off(probe.paging_columns);
            last = row;
            match verdict(&probe.condition, &at, &value) {
                Verdict::Fine => {}
                Verdict::NotJudged => found.not_judged += 1,
                Verdict::Wrong(problem) => {
                    found.failed += 1;
                    found.failed_distinct += 1;
                    if let Some(problem) = &problem {
                        *found.problems.entry(problem.clone()).or_default() += 1;
                    }
                    if found.samples.len() < options.samples_max {
                        let mut sample = sample(&probe.shown, shown);
                        sample.problem = problem;
                        found.samples.push(sample);
                    }
                }
            }
        }
        if !full {
            return Ok(found);
        }
    }
}
