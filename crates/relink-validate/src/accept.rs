//! Living with findings: thresholds, suppressions with a reason and an end, and a baseline of what is known. Nothing is taken out of the report: what is
//! allowed is said to be, and why.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use relink_model::config::{AllowConfig, AllowedKey, Config, ConfigError, Scalar};
use relink_model::{Catalog, Value};
use relink_rules::decimal;
use relink_rules::expression::{Bound, Column, Judged, Kind, Moment, Path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::live::{Options, cut};
use crate::mask::Mask;
use crate::plan::{Check, CheckKind, fits};
use crate::report::{Allowance, BaselineState, CheckResult, Report, Sample, Status, Summary, print_of};

/// The version of the baseline's format.
pub const BASELINE_VERSION: u32 = 1;

/// Failing rows that are told apart, for each check, where a baseline or a suppression names rows. Of more, only the number counts.
pub(crate) const ROWS_MAX: usize = 10_000;

/// What is known to fail, and allowed to until it is mended: the published contract `baseline`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The version of this format: 1.
    pub version: u32,
    /// The day on which it was made (`YYYY-MM-DD`).
    pub made: String,
    /// By check.
    pub checks: BTreeMap<String, Known>,
}

/// What is known of one check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Rows that fail.
    pub rows: u64,
    /// Which: the first sixteen hexadecimal digits of the SHA-256 of each row's key, or of all of a row that has none; as often as there are such rows. Of
    /// what fails as a whole (a number of rows, a latest moment), of what was found. Empty where more than 10,000 rows fail, and for what concerns no row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl Baseline {
    /// Of what fails although nothing in the configuration allows it.
    fn of(report: &Report) -> Self {
        let known = |check: &CheckResult| {
            let mut settled = check.clone();
            settle(&mut settled);
            if settled.status != Status::Fail {
                return None;
            }
            let mut keys: Vec<String> = match answer_of(check) {
                Some(answer) => vec![answer],
                None if check.truncated => Vec::new(),
                None => {
                    check.samples.iter().filter(|sample| !sample.allowed).map(|sample| key_of(check, sample)).collect()
                }
            };
            keys.sort_unstable();
            Some((check.id.clone(), Known { rows: check.counts.failed - check.counts.allowed, keys }))
        };
        Self {
            version: BASELINE_VERSION,
            made: report.run.started.chars().take(10).collect(),
            checks: report.checks.iter().filter_map(known).collect(),
        }
    }

    /// Keeps what an earlier baseline knows of checks that were not made this time, or could not be. A run that makes all checks (`partial` is false)
    /// forgets those that there are no more.
    #[must_use]
    pub fn keeping(mut self, earlier: &Self, report: &Report, checks: &[Check], partial: bool) -> Self {
        let made = |id: &String| report.checks.iter().any(|check| check.id == *id && check.status != Status::Error);
        let planned = |id: &String| partial || checks.iter().any(|check| check.id == *id);
        let kept = earlier.checks.iter().filter(|(id, _)| !made(id) && planned(id));
        self.checks.extend(kept.map(|(id, known)| (id.clone(), known.clone())));
        self
    }
}

/// What a row is known by from run to run: its key, else all that it holds. Rows with the same print are told apart by nothing, and counted.
fn key_of(check: &CheckResult, sample: &Sample) -> String {
    if let Some(content) = &sample.content {
        return content.clone();
    }
    let named = !sample.key.is_empty() && sample.key.values().all(Option::is_some);
    let values = sample.values.iter().filter(|_| !named);
    // Either of two tables may lack the row of a key.
    let problem = (check.kind == CheckKind::Same).then_some(("problem", sample.problem.as_deref()));
    let parts = sample.key.iter().chain(values).map(|(name, value)| (name.as_str(), value.as_deref()));
    print_of(parts.chain(problem))
}

/// What a check is known by that finds one answer and no rows: that answer.
fn answer_of(check: &CheckResult) -> Option<String> {
    let said = check.problems.keys().chain(&check.notes);
    check.is_answer().then(|| print_of(said.map(|text| (text, None::<&str>))))
}

/// Which checks have to name more failing rows than a report shows.
pub fn exhaustive(config: &Config, with_baseline: bool) -> Vec<String> {
    if with_baseline {
        return vec!["*".to_owned()];
    }
    let names = |allow: &&AllowConfig| !allow.keys.is_empty() || allow.filter.is_some() || allow.max.is_some();
    config.allow.iter().filter(names).map(|allow| allow.check.clone()).collect()
}

/// Applies thresholds, suppressions and the baseline, hides what is masked, and leaves as many samples as were asked for. What it gives back is the baseline
/// that would know everything that fails now and that nothing in the configuration allows.
///
/// `checks` are all that there are, also those that were not made this time.
///
/// # Errors
/// A suppression whose condition does not fit what its checks show.
pub fn accept(
    report: &mut Report,
    checks: &[Check],
    catalog: &Catalog,
    config: &Config,
    baseline: Option<&Baseline>,
    options: &Options,
) -> Result<Baseline, Vec<ConfigError>> {
    allow(report, checks, catalog, config, options)?;
    let found = Baseline::of(report);
    if let Some(baseline) = baseline {
        compare(report, checks, baseline, options.partial);
    }
    for check in &mut report.checks {
        settle(check);
        // What is new is what a reader wants to see.
        check.samples.sort_by_key(|sample| sample.allowed);
        check.samples.truncate(options.samples_max);
        check.truncated = !check.is_answer() && (check.samples.len() as u64) < check.counts.failed;
    }
    Mask::of(config, catalog).cover(report, checks, catalog, options);
    report.summary = Summary::of(&report.checks);
    Ok(found)
}

/// Marks the findings that a suppression allows.
pub(crate) fn allow(
    report: &mut Report,
    checks: &[Check],
    catalog: &Catalog,
    config: &Config,
    options: &Options,
) -> Result<(), Vec<ConfigError>> {
    let today = options.now.to_zoned(options.moment().zone).date();
    let mut errors = Vec::new();
    for (at, allow) in config.allow.iter().enumerate() {
        if let Err(error) = suppress(report, checks, catalog, at, allow, today, options) {
            errors.push(error);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn mistake(at: usize, key: &str, why: &str) -> ConfigError {
    ConfigError::Entry {
        list: "allow",
        at,
        name: format!("number {}", at + 1),
        key: key.to_owned(),
        why: format!("{key}: {why}"),
    }
}

/// What is wrong with suppressions, whatever they concern.
pub(crate) fn mistakes(config: &Config) -> impl Iterator<Item = ConfigError> {
    config.allow.iter().enumerate().filter_map(|(at, allow)| {
        if allow.check.is_empty() {
            return Some(mistake(at, "check", "it is missing: which check's findings are allowed"));
        }
        if allow.why.trim().is_empty() {
            return Some(mistake(at, "why", "it is missing: what is allowed is allowed for a reason"));
        }
        allow.filter.as_deref().and_then(|text| parsed(text).err()).map(|why| mistake(at, "where", &why))
    })
}

fn parsed(text: &str) -> Result<relink_rules::expression::Expression, String> {
    relink_rules::parse(text).map_err(|error| format!("expected {} at character {}", error.expected, error.at))
}

/// `check "id"`, with its place in the list.
fn named(at: usize, allow: &AllowConfig) -> String {
    format!("[[allow]] number {} ({})", at + 1, allow.check)
}

fn suppress(
    report: &mut Report,
    checks: &[Check],
    catalog: &Catalog,
    at: usize,
    allow: &AllowConfig,
    today: Date,
    options: &Options,
) -> Result<(), ConfigError> {
    let mut until = None;
    if let Some(day) = &allow.until {
        match day.0.parse::<Date>() {
            Ok(day) if day >= today => until = Some(day),
            Ok(day) => {
                report.warnings.push(format!("{} has lapsed on {day}: its findings count again", named(at, allow)));
                return Ok(());
            }
            // What cannot be read is no permission for ever.
            Err(_) => {
                let why = format!("{}: until = {:?} is no day: it counts as lapsed", named(at, allow), day.0);
                report.warnings.push(why);
                return Ok(());
            }
        }
    }
    let mut covered = 0;
    // A check that was not made, or could not be, may find what is allowed all the same.
    let made =
        |check: &&Check| report.checks.iter().any(|result| result.id == check.id && result.status != Status::Error);
    let untold = checks.iter().filter(|check| fits(&allow.check, &check.id)).any(|check| !made(&check));
    let mut matched = false;
    for check in report.checks.iter_mut().filter(|check| fits(&allow.check, &check.id)) {
        matched = true;
        if check.status != Status::Fail {
            continue;
        }
        let open = check.counts.failed - check.counts.allowed;
        let rows = if !allow.keys.is_empty() || allow.filter.is_some() {
            let condition = match &allow.filter {
                Some(text) => Some(condition(text, check, catalog).map_err(|why| mistake(at, "where", &why))?),
                None => None,
            };
            let moment = options.moment();
            let mut rows = 0;
            for sample in check.samples.iter_mut().filter(|sample| !sample.allowed) {
                let by_key = allow.keys.is_empty() || allow.keys.iter().any(|key| is_key(key, sample));
                let by_condition = condition.as_ref().is_none_or(|(bound, names)| holds(bound, names, sample, &moment));
                if by_key && by_condition && allow.max.is_none_or(|max| rows < max) {
                    sample.allowed = true;
                    rows += 1;
                }
            }
            rows
        } else {
            let rows = allow.max.map_or(open, |max| max.min(open));
            for sample in check.samples.iter_mut().filter(|sample| !sample.allowed).take(rows as usize) {
                sample.allowed = true;
            }
            rows
        };
        let stated = check.counts.failed == 0;
        if rows == 0 && !stated {
            continue;
        }
        covered += rows + u64::from(stated);
        check.counts.allowed += rows;
        check.allowances.push(Allowance {
            why: allow.why.clone(),
            until: until.map(|day| day.to_string()),
            days_left: until.map(|day| i64::from((day - today).get_days())),
            rows,
        });
    }
    if untold || options.partial {
        return Ok(());
    }
    if !matched {
        report.warnings.push(format!("{} fits no check: take it out", named(at, allow)));
    } else if covered == 0 {
        report.warnings.push(format!("{} allows nothing that is found any more: take it out", named(at, allow)));
    }
    Ok(())
}

/// A condition over what a check shows of its rows, and the names of these columns.
fn condition(text: &str, check: &CheckResult, catalog: &Catalog) -> Result<(Bound, Vec<String>), String> {
    let relation = catalog.id(&check.relation).map(|id| catalog.relation(id));
    let mut names: Vec<String> =
        check.samples.first().map(|sample| sample.key.keys().cloned().collect()).unwrap_or_default();
    names.extend(check.columns.iter().filter(|column| !names.contains(column)).cloned().collect::<Vec<_>>());
    let column = |path: &Path| {
        let name = path.last()?;
        let index = names.iter().position(|known| known == name)?;
        let kind = relation
            .and_then(|relation| relation.column(name))
            .and_then(|(_, column)| Kind::of(&column.data_type.kind));
        Some(Column { index, kind })
    };
    let bound = parsed(text)?.bind(Kind::Boolean, &column).map_err(|_| {
        format!("{text:?}: it can speak of what the findings of {} show: {}", check.id, names.join(", "))
    })?;
    Ok((bound, names))
}

fn holds(bound: &Bound, names: &[String], sample: &Sample, at: &Moment) -> bool {
    let value = |name: &String| {
        let text = sample.key.get(name).or_else(|| sample.values.get(name)).cloned().flatten();
        text.map_or(Value::Null, Value::Text)
    };
    let values: Vec<Value> = names.iter().map(value).collect();
    bound.judge(at, &|index| &values[index]) == Judged::Holds
}

fn is_key(key: &AllowedKey, sample: &Sample) -> bool {
    let parts: Vec<&Scalar> = match key {
        AllowedKey::One(one) => vec![one],
        AllowedKey::Many(many) => many.iter().collect(),
    };
    let text = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => text.clone(),
        other => other.to_string(),
    };
    // A key may be named as a report shows it.
    let names = |part: &Scalar, value: &String| *value == text(part) || cut(value.clone()) == text(part);
    parts.len() == sample.key.len()
        && parts.iter().zip(sample.key.values()).all(|(part, value)| value.as_ref().is_some_and(|v| names(part, v)))
}

/// Marks what the baseline knows.
fn compare(report: &mut Report, checks: &[Check], baseline: &Baseline, partial: bool) {
    for id in baseline.checks.keys() {
        let known = report.checks.iter().any(|check| check.id == *id) || checks.iter().any(|check| check.id == *id);
        if !known && !partial {
            report.warnings.push(format!("the baseline speaks of {id}, and there is no such check any more"));
        }
    }
    for check in &mut report.checks {
        let Some(known) = baseline.checks.get(&check.id) else {
            if check.status == Status::Fail {
                check.baseline = Some(BaselineState::New);
            }
            continue;
        };
        if check.status != Status::Fail {
            check.baseline = (check.status == Status::Pass).then_some(BaselineState::Absent);
            continue;
        }
        let open = check.counts.failed - check.counts.allowed;
        let rows = match answer_of(check) {
            Some(answer) => {
                if known.keys.contains(&answer) {
                    known.rows.min(open)
                } else {
                    0
                }
            }
            None if known.keys.is_empty() => {
                let rows = known.rows.min(open);
                check
                    .samples
                    .iter_mut()
                    .filter(|sample| !sample.allowed)
                    .take(rows as usize)
                    .for_each(|sample| sample.allowed = true);
                rows
            }
            None => known_rows(check, known),
        };
        check.counts.allowed += rows;
        let all = check.counts.allowed == check.counts.failed;
        check.baseline = Some(match () {
            () if !all => BaselineState::New,
            () if open < known.rows => BaselineState::Fewer,
            () => BaselineState::Unchanged,
        });
        if rows > 0 || all {
            let why = format!("known since {}", baseline.made);
            check.allowances.push(Allowance { why, until: None, days_left: None, rows });
        }
    }
}

/// Marks the rows that the baseline knows, each as often as it knows it, and counts them.
fn known_rows(check: &mut CheckResult, known: &Known) -> u64 {
    let mut left: HashMap<&str, u64> = HashMap::new();
    known.keys.iter().for_each(|key| *left.entry(key).or_default() += 1);
    let mut rows = 0;
    let mut samples = std::mem::take(&mut check.samples);
    for sample in samples.iter_mut().filter(|sample| !sample.allowed) {
        if let Some(left) = left.get_mut(key_of(check, sample).as_str()).filter(|left| **left > 0)
            && rows < known.rows
        {
            *left -= 1;
            sample.allowed = true;
            rows += 1;
        }
    }
    check.samples = samples;
    rows
}

/// What a check comes to once it is known what is allowed.
fn settle(check: &mut CheckResult) {
    if check.status != Status::Fail {
        return;
    }
    let open = check.counts.failed - check.counts.allowed;
    // A fact of the schema concerns no row.
    let stated = check.counts.failed == 0;
    if stated {
        if !check.allowances.is_empty() {
            check.status = Status::Allowed;
        }
        return;
    }
    if open == 0 {
        check.status = Status::Allowed;
        return;
    }
    let Some(threshold) = &check.threshold else { return };
    let within_percent = |percent: &String| {
        let limit = decimal::parse(percent).unwrap_or_default() * check.counts.judged;
        decimal::parse(&(open * 100).to_string()).is_some_and(|part| part <= limit)
    };
    let within =
        threshold.max.is_none_or(|max| open <= max) && threshold.max_percent.as_ref().is_none_or(within_percent);
    if within {
        let max = threshold.max.map(|max| format!("{max} rows"));
        let percent = threshold.max_percent.as_ref().map(|percent| format!("{percent} %"));
        let words: Vec<String> = max.into_iter().chain(percent).collect();
        let why = format!("the rule allows up to {}", words.join(" and "));
        check.allowances.push(Allowance { why, until: None, days_left: None, rows: open });
        check.counts.allowed = check.counts.failed;
        check.status = Status::Allowed;
    }
}
