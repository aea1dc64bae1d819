//! Totals against the sum of their lines. The lines are summed per header before anything is joined to it, so that headers without lines
//! are judged and nothing is counted twice; arithmetic is exact, in the database where it has decimals, else here.

mod pages;
mod rule;
mod statements;

use bigdecimal::{BigDecimal, Zero};
use relink_db::{Connection, DbError};
use relink_model::config::{ConfigError, TableConfig};
use relink_model::{RelationId, Value};
use serde::Serialize;

use self::pages::Pages;
use self::rule::Rule;
use crate::plan::{Check, Planning};
use crate::report::Sample;
use crate::run::{Found, count, counts, sample, text};
use crate::sql::Shown;
use relink_rules::decimal;

const DIFFERS: &str = "differs from the sum of its lines";
const MISSING: &str = "NULL although there are lines";
const NO_NUMBER: &str = "not a number, in the total or in a line";

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

pub(crate) fn plan(
    planning: &Planning<'_>,
    id: RelationId,
    table: &str,
    config: &TableConfig,
    checks: &mut Vec<Check>,
    errors: &mut Vec<ConfigError>,
) {
    for text in &config.totals {
        let rule = Rule { planning, id, table, text };
        match rule.check() {
            Ok(check) => checks.push(check),
            Err(error) => errors.push(error),
        }
    }
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
            found.notes.push(format!("{skipped} lines have no amount (NULL) and were left out of the sums"));
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

/// Without the zeros that a cast appends; at least as many decimals as the number needs.
fn written(number: &BigDecimal) -> String {
    decimal::plain(&number.normalized())
}
