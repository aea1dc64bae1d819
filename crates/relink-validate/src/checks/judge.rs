//! Rows that SQL cannot judge beyond doubt: they are read page by page, by their key, and judged here, so that a rule means the same in every
//! database. All rules of a relation that are judged so share one pass over its rows.

use jiff::tz::TimeZone;
use relink_db::{Connection, DbError, DbErrorKind, Dialect};
use relink_model::{ColumnType, Relation, TypeKind, Value};
use relink_rules::expression::{Bound, Moment};
use serde::Serialize;

use super::condition::{Verdict, verdict};
use crate::run::{Found, Options, sample};
use crate::sql::Shown;

/// Rows fetched at once.
const PAGE_ROWS: usize = 20_000;

/// A condition by which every row of a relation is judged.
#[derive(Clone, Debug, Serialize)]
pub struct JudgeProbe {
    /// The columns that it is about.
    pub(super) columns: Vec<String>,
    /// The zone of readings without one.
    pub(super) timezone: Option<String>,
    #[serde(skip)]
    pub(super) condition: Bound,
}

/// One pass over a relation for several conditions.
struct Pass {
    /// `SELECT paging key, the row's name, the columns that are judged FROM ...`.
    select: String,
    /// From the second page on: the rows after the last one seen.
    after: String,
    /// `ORDER BY ... LIMIT ...`; nothing where rows have no key to page by.
    page: String,
    /// Result columns that say where a page ends: they come first.
    paging_columns: usize,
    /// What names a row.
    named: Shown,
    /// The columns that are judged, by their index in the relation: they come last.
    judged: Vec<usize>,
    /// Of these the ones of single precision: what is read of them is wider, and says more digits than they hold.
    single: Vec<bool>,
}

impl Pass {
    fn new(dialect: &dyn Dialect, relation: &Relation, probes: &[&JudgeProbe]) -> Self {
        // Where anything can be stored, the stored value itself is wanted, and any value has a native carrier.
        let enforced = relation.strict || dialect.capabilities().enforces_types;
        let read = |name: &str| {
            let (_, column) = relation.column(name).expect("a column of the relation");
            if enforced { dialect.read_expression("", column) } else { dialect.quote(name) }
        };
        let columns = probes.iter().flat_map(|probe| probe.condition.columns());
        let mut judged: Vec<usize> = columns.map(|(column, _)| column).collect();
        judged.sort_unstable();
        judged.dedup();
        // A key that the database may not have kept is no key to page by; its own name of the row is one.
        let locator = if enforced { None } else { dialect.row_locator("", relation) };
        let key = if locator.is_some() { Vec::new() } else { paging_key(relation) };
        let named = Shown::of(dialect, "", relation, &[], &[]);
        let order: Vec<String> = locator.iter().cloned().chain(key.iter().map(|name| dialect.quote(name))).collect();
        let paging = locator.iter().cloned().chain(key.iter().map(|name| read(name)));
        let selected = paging.chain(std::iter::once(named.select()));
        let selected = selected.chain(judged.iter().map(|column| read(&relation.columns[*column].name)));
        let of_column =
            |name: &String| relation.column(name).map_or_else(ColumnType::default, |(_, c)| c.data_type.clone());
        let types = locator.iter().map(|_| ColumnType::default()).chain(key.iter().map(of_column));
        let placeholders: Vec<String> = types.zip(1..).map(|(of_type, at)| dialect.placeholder(at, &of_type)).collect();
        let single = |column: &usize| matches!(relation.columns[*column].data_type.kind, TypeKind::Float { bits: 32 });
        Self {
            select: format!("SELECT {} FROM {}", selected.collect::<Vec<_>>().join(", "), dialect.own_rows(relation)),
            after: format!(" WHERE ({}) > ({})", order.join(", "), placeholders.join(", ")),
            page: if order.is_empty() {
                String::new()
            } else {
                format!(" ORDER BY {} LIMIT {PAGE_ROWS}", order.join(", "))
            },
            paging_columns: order.len(),
            named,
            single: judged.iter().map(single).collect(),
            judged,
        }
    }

    /// The stored value of a column of a row.
    fn value(&self, row: &[Value], column: usize) -> Value {
        let at = self.judged.iter().position(|judged| *judged == column);
        at.map_or(Value::Null, |at| match &row[at] {
            Value::Float(number) if self.single[at] && number.is_finite() => {
                Value::Text(format!("{:e}", *number as f32))
            }
            other => other.clone(),
        })
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

/// Judges every row of a relation by these conditions; what was found for each.
pub(crate) async fn run(
    connection: &mut dyn Connection,
    relation: &Relation,
    probes: &[&JudgeProbe],
    options: &Options,
) -> Result<Vec<Found>, DbError> {
    let pass = Pass::new(connection.dialect(), relation, probes);
    let moment = |probe: &&JudgeProbe| {
        let zone = probe.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
        Moment::of(options.now, zone)
    };
    let moments: Vec<Moment> = probes.iter().map(moment).collect();
    let mut found: Vec<Found> = probes.iter().map(|_| Found::default()).collect();
    let mut last: Vec<Value> = Vec::new();
    loop {
        let after = if last.is_empty() { "" } else { pass.after.as_str() };
        let page = connection.query(&format!("{}{after}{}", pass.select, pass.page), &last).await?;
        let full = page.len() == PAGE_ROWS && !pass.page.is_empty();
        for mut row in page {
            if row.len() < pass.paging_columns + pass.judged.len() {
                let message = "the database answered with fewer columns than were asked for";
                return Err(DbError::new(DbErrorKind::Other, message));
            }
            let judged = row.split_off(row.len() - pass.judged.len());
            let name = row.split_off(pass.paging_columns);
            last = row;
            for ((probe, at), found) in probes.iter().zip(&moments).zip(&mut found) {
                match verdict(&probe.condition, at, &|column| pass.value(&judged, column)) {
                    Verdict::Fine => {}
                    Verdict::NotJudged => found.not_judged += 1,
                    Verdict::Wrong(problem) => {
                        found.failed += 1;
                        found.failed_distinct += 1;
                        if let Some(problem) = &problem {
                            *found.problems.entry(problem.clone()).or_default() += 1;
                        }
                        if found.samples.len() < options.samples_max {
                            let mut sample = sample(&pass.named, name.clone());
                            for column in &probe.columns {
                                let Some((index, _)) = relation.column(column) else { continue };
                                if !sample.key.contains_key(column) {
                                    let value = crate::run::text(&pass.value(&judged, index));
                                    sample.values.insert(column.clone(), value);
                                }
                            }
                            sample.problem = problem;
                            found.samples.push(sample);
                        }
                    }
                }
            }
        }
        if !full {
            return Ok(found);
        }
    }
}
