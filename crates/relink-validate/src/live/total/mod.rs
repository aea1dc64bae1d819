//! Totals against the sum of their lines. The lines are summed per header before anything is joined to it, so that headers without lines
//! are judged and nothing is counted twice; arithmetic is exact, in the database where it has decimals, else here.

mod pages;
mod statements;

use bigdecimal::{BigDecimal, Zero};
use relink_db::{Connection, DbError, Dialect};
use relink_model::{Catalog, Column, Relation, Value};
use relink_rules::{Part, decimal, expression::BoundNode};
use serde::Serialize;

use self::pages::Pages;
use super::amount::Expression;
use super::run::{Found, count, counts, text};
use super::sql::{Shown, sample};
use crate::judge::{DIFFERS, MISSING, NO_NUMBER, null_lines_note, written};
use crate::plan::test::SumsTest;
use crate::report::Sample;

/// What is asked of the database.
#[derive(Clone, Debug, Serialize)]
pub struct TotalProbe {
    /// Counts headers, those not judged, missing totals and, where the arithmetic is done there, differing ones.
    counts: String,
    /// Counts lines of which the amount is NULL.
    null_lines: String,
    /// Where the arithmetic is done.
    arithmetic: Arithmetic,
    /// What the samples show: the header's key and the total.
    shown: Shown,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Arithmetic {
    /// The database has exact decimals: the samples of the headers that fail.
    Database { samples: String },
    /// It has none.
    Here(Box<Pages>),
}

/// The names of a total, found in the catalog.
pub(super) struct Resolved<'a> {
    pub(super) header: &'a Relation,
    pub(super) total: &'a Column,
    pub(super) lines: &'a Relation,
    /// The lines' columns that name the header, and the header's columns that they name, position for position.
    pub(super) by: Vec<String>,
    pub(super) header_key: Vec<String>,
    pub(super) amount: Expression,
    pub(super) tolerance: BigDecimal,
}

/// How a total is judged by SQL; `None` where only reading the rows can tell.
pub(crate) fn compile(catalog: &Catalog, dialect: &dyn Dialect, test: &SumsTest) -> Option<(TotalProbe, String)> {
    let right = test.right.as_ref().filter(|_| test.plain)?;
    let (header, lines) = (catalog.relation(test.left.relation), catalog.relation(right.relation));
    let BoundNode::Column(total) = test.left.amount.node else { return None };
    let names = |relation: &Relation, parts: &[Part]| -> Option<Vec<String>> {
        let name = |part: &Part| match part {
            Part::Column { index, .. } => Some(relation.columns[*index].name.clone()),
            Part::Expression(_) => None,
        };
        parts.iter().map(name).collect()
    };
    let resolved = Resolved {
        header,
        total: &header.columns[total],
        lines,
        by: names(lines, &right.key)?,
        header_key: names(header, &test.left.key)?,
        amount: Expression::of(&right.amount, lines)?,
        tolerance: test.tolerance.amount.clone(),
    };
    Some(statements::probe(dialect, &resolved))
}

pub(crate) async fn run(
    connection: &mut dyn Connection,
    probe: &TotalProbe,
    samples_max: usize,
) -> Result<Found, DbError> {
    let mut counts = counts(connection, &probe.counts).await?.into_iter();
    let mut next = || counts.next().unwrap_or_default();
    let (headers, not_judged, missing, differing) = (next(), next(), next(), next());
    let mut found = Found { total: Some(headers), not_judged, ..Found::default() };
    match &probe.arithmetic {
        Arithmetic::Database { samples } => {
            for (problem, rows) in [(MISSING, missing), (DIFFERS, differing)] {
                found.add(problem, rows);
            }
            if found.failed > 0 && samples_max > 0 {
                let rows = connection.query(&format!("{samples} LIMIT {samples_max}"), &[]).await?;
                found.samples = rows.into_iter().map(|row| sample_from_database(&probe.shown, row)).collect();
            }
        }
        Arithmetic::Here(pages) => pages.judge(connection, &probe.shown, samples_max, &mut found).await?,
    }
    if !probe.null_lines.is_empty() {
        let skipped = count(connection, &probe.null_lines, &[]).await?;
        if skipped > 0 {
            found.notes.push(null_lines_note(skipped));
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, problem: &str, rows: u64) {
        if rows > 0 {
            self.failed += rows;
            self.failed_distinct += rows;
            *self.problems.entry(problem.to_owned()).or_default() += rows;
        }
    }
}

/// A failing header that the database found: key and values, then the total and the sum as text.
fn sample_from_database(shown: &Shown, mut row: Vec<Value>) -> Sample {
    let sum = row.pop().unwrap_or(Value::Null);
    let total = row.pop().unwrap_or(Value::Null);
    let mut sample = sample(shown, row);
    let problem = if total.is_null() { MISSING } else { DIFFERS };
    let exact = if sum.is_null() { Some(BigDecimal::zero()) } else { decimal::of_value(&sum) };
    let difference = decimal::of_value(&total).zip(exact.clone()).map(|(total, sum)| total - sum);
    let sum = exact.as_ref().map(written).or_else(|| text(&sum));
    complete(&mut sample, problem, sum, difference);
    sample
}

/// Adds what a reader wants beside the total.
fn complete(sample: &mut Sample, problem: &str, sum: Option<String>, difference: Option<BigDecimal>) {
    sample.values.insert("sum of lines".to_owned(), sum);
    if let Some(difference) = difference {
        sample.values.insert("difference".to_owned(), Some(written(&difference)));
    }
    sample.problem = Some(problem.to_owned());
}
