//! Values that SQL cannot judge: where columns hold anything, or dates as text, the database leaves out what is plainly right and
//! the distinct rest is judged here, page by page, so that memory stays bounded.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use relink_db::{Connection, DbError, DbErrorKind};
use relink_model::{Column, ColumnType, Relation, Value};
use serde::Serialize;

use crate::plan::Planning;
use crate::run::{Found, Options, sample, whole};
use crate::sql::Shown;
use relink_rules::dates::{self, Deadline, Reading};
use relink_rules::decimal;

/// Distinct values fetched at once.
const PAGE_ROWS: usize = 50_000;

/// What is asked of the database, and how its answers are judged.
#[derive(Clone, Debug, Serialize)]
pub struct ScanProbe {
    /// `SELECT value, COUNT(*) FROM ... WHERE ...`.
    select: String,
    /// `GROUP BY ... ORDER BY ...`.
    group: String,
    /// Added to `select` from the second page on: the values after the last one seen.
    after: String,
    /// The day in `select`'s first parameter, where it has one: how long before now.
    names_day: bool,
    /// `SELECT key, values, value FROM ... WHERE value IN (`.
    samples: String,
    /// `) ORDER BY ...`.
    samples_order: String,
    /// The type of the values, as parameters.
    data_type: ColumnType,
    /// What the samples show.
    shown: Shown,
    /// How a value is judged.
    judge: Judge,
}

/// How a value is judged.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Judge {
    /// A number of at least this.
    AtLeast(String),
    /// A number of at most this.
    AtMost(String),
    /// A number.
    Number,
    /// A date that is not after now.
    Past {
        /// Allowed after now.
        slack_seconds: i64,
        /// The zone of wall-clock readings.
        timezone: Option<String>,
    },
}

/// What a judge makes of one value.
enum Verdict {
    Fine,
    NotJudged,
    Wrong(String),
}

impl ScanProbe {
    /// Values of `column` that are not `plainly_fine` (a condition; its first parameter is a day if `names_day`).
    pub(crate) fn new(
        planning: &Planning<'_>,
        relation: &Relation,
        column: &Column,
        plainly_fine: Option<&str>,
        names_day: bool,
        judge: Judge,
    ) -> Self {
        let dialect = planning.dialect;
        let from = dialect.own_rows(relation);
        let quoted = dialect.quote(&column.name);
        // Where anything can be stored, the stored value itself is wanted, and any value has a native carrier.
        let read = if planning.enforces_types(relation) { dialect.read_expression("", column) } else { quoted.clone() };
        // A condition that is NULL has not said "fine".
        let rest = plainly_fine.map(|fine| format!(" AND CASE WHEN {fine} THEN 0 ELSE 1 END = 1")).unwrap_or_default();
        let shown = Shown::of(dialect, "", relation, std::slice::from_ref(&column.name), &[]);
        let next = 1 + usize::from(names_day);
        Self {
            select: format!("SELECT {read}, COUNT(*) FROM {from} WHERE {quoted} IS NOT NULL{rest}"),
            group: format!("GROUP BY {quoted} ORDER BY {quoted} LIMIT {PAGE_ROWS}"),
            after: format!(" AND {quoted} > {}", dialect.placeholder(next, &column.data_type)),
            names_day,
            samples: format!("SELECT {}, {read} FROM {from} WHERE {quoted} IN (", shown.select()),
            samples_order: format!(") ORDER BY {}", shown.order()),
            data_type: column.data_type.clone(),
            shown,
            judge,
        }
    }
}

/// Distinct wrong values that samples are fetched for, at most.
const SAMPLED_VALUES_MAX: usize = 100;

/// A value as a key of a map: floats by their bits.
fn fingerprint(value: &Value) -> String {
    match value {
        Value::Float(number) => format!("f{:x}", number.to_bits()),
        other => format!("{other:?}"),
    }
}

pub(crate) async fn run(
    connection: &mut dyn Connection,
    probe: &ScanProbe,
    options: &Options,
) -> Result<Found, DbError> {
    let judge = Judging::new(&probe.judge, options.now);
    let day = probe.names_day.then(|| Value::Text(judge.plain_day()));
    let mut found = Found::default();
    let mut wrong: Vec<(Value, String)> = Vec::new();
    let mut last: Option<Value> = None;
    loop {
        let after = if last.is_some() { probe.after.as_str() } else { "" };
        let sql = format!("{}{after} {}", probe.select, probe.group);
        let parameters: Vec<Value> = day.iter().cloned().chain(last.take()).collect();
        let page = connection.query(&sql, &parameters).await?;
        let full = page.len() == PAGE_ROWS;
        for row in page {
            let [value, rows] = <[Value; 2]>::try_from(row).map_err(|_| unexpected())?;
            let rows = whole(&rows)?;
            match judge.verdict(&value) {
                Verdict::Fine => {}
                Verdict::NotJudged => found.not_judged += rows,
                Verdict::Wrong(problem) => {
                    found.failed += rows;
                    found.failed_distinct += 1;
                    *found.problems.entry(problem.clone()).or_default() += rows;
                    if wrong.len() < options.samples_max.min(SAMPLED_VALUES_MAX) {
                        wrong.push((value.clone(), problem));
                    }
                }
            }
            last = Some(value);
        }
        if !full {
            break;
        }
    }
    if found.not_judged > 0 {
        found.notes.push(format!(
            "{} rows hold a date that could mean two days, one before now and one after",
            found.not_judged
        ));
    }
    if !wrong.is_empty() {
        found.samples = samples(connection, probe, &wrong, options.samples_max).await?;
    }
    Ok(found)
}

async fn samples(
    connection: &mut dyn Connection,
    probe: &ScanProbe,
    wrong: &[(Value, String)],
    samples_max: usize,
) -> Result<Vec<crate::Sample>, DbError> {
    let dialect = connection.dialect();
    let placeholders: Vec<String> =
        (1..=wrong.len()).map(|ordinal| dialect.placeholder(ordinal, &probe.data_type)).collect();
    let sql = format!("{}{}{} LIMIT {samples_max}", probe.samples, placeholders.join(", "), probe.samples_order);
    let values: Vec<Value> = wrong.iter().map(|(value, _)| value.clone()).collect();
    let problems: HashMap<String, &String> =
        wrong.iter().map(|(value, problem)| (fingerprint(value), problem)).collect();
    let rows = connection.query(&sql, &values).await?;
    let one = |mut row: Vec<Value>| {
        let value = row.pop().unwrap_or(Value::Null);
        let mut sample = sample(&probe.shown, row);
        sample.problem = problems.get(&fingerprint(&value)).map(|problem| (*problem).clone());
        sample
    };
    Ok(rows.into_iter().map(one).collect())
}

fn unexpected() -> DbError {
    DbError::new(DbErrorKind::Other, "the database answered something other than a value and a count")
}

/// A judge made ready: numbers parsed, now applied.
enum Judging {
    AtLeast(BigDecimal),
    AtMost(BigDecimal),
    Number,
    Past(Deadline),
}

impl Judging {
    fn new(judge: &Judge, now: Timestamp) -> Self {
        let bound = |text: &str| decimal::parse(text).expect("the plan wrote a decimal");
        match judge {
            Judge::AtLeast(text) => Self::AtLeast(bound(text)),
            Judge::AtMost(text) => Self::AtMost(bound(text)),
            Judge::Number => Self::Number,
            Judge::Past { slack_seconds, timezone } => Self::Past(deadline(now, *slack_seconds, timezone.as_deref())),
        }
    }

    /// A day that lies before now wherever on Earth and whatever the slack.
    fn plain_day(&self) -> String {
        let Self::Past(deadline) = self else { return String::new() };
        let two_days_before = |day: jiff::civil::Date| day.yesterday().and_then(jiff::civil::Date::yesterday);
        two_days_before(deadline.wall.date()).unwrap_or(jiff::civil::Date::MIN).to_string()
    }

    fn verdict(&self, value: &Value) -> Verdict {
        if let Self::Past(deadline) = self {
            let reading = dates::read(value);
            return match deadline.is_before(&reading) {
                Some(false) => Verdict::Fine,
                Some(true) => Verdict::Wrong("later than now".to_owned()),
                None if reading == Reading::Unreadable => Verdict::Wrong("not a date".to_owned()),
                None => Verdict::NotJudged,
            };
        }
        let wrong = match (self, decimal::of_value(value)) {
            (Self::AtLeast(bound), Some(number)) if number < *bound => format!("below {}", decimal::plain(bound)),
            (Self::AtMost(bound), Some(number)) if number > *bound => format!("above {}", decimal::plain(bound)),
            (_, Some(_)) => return Verdict::Fine,
            (_, None) => match (self, value) {
                // An infinity is a number with a side.
                (Self::AtLeast(_), Value::Float(number)) if *number == f64::INFINITY => return Verdict::Fine,
                (Self::AtMost(_), Value::Float(number)) if *number == f64::NEG_INFINITY => return Verdict::Fine,
                _ => "not a number".to_owned(),
            },
        };
        Verdict::Wrong(wrong)
    }
}

/// The latest moment that still counts as past. A zone was checked when the plan was made.
pub(crate) fn deadline(now: Timestamp, slack_seconds: i64, timezone: Option<&str>) -> Deadline {
    let slack = jiff::SignedDuration::from_secs(slack_seconds);
    let instant = now.checked_add(slack).unwrap_or(Timestamp::MAX);
    let zone = timezone.and_then(|name| TimeZone::get(name).ok());
    Deadline::of(instant, zone.as_ref())
}
