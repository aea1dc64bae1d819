//! The words that every format uses, so that what one of them says is found again in the others: how many rows, of how many, since when, why, and what to
//! do next.

use std::{cmp::Reverse, collections::BTreeMap, fmt::Write as _};

use indexmap::IndexMap;
use jiff::civil::Date;
use relink_model::Severity;
use relink_validate::{Allowance, BaselineState, CheckKind, CheckResult, Report, Status, Target};

use crate::visible;

/// Missing keys shown with their rows, at most.
const FREQUENT_SHOWN_MAX: usize = 5;

/// Characters of one of them at most.
const FREQUENT_CHARS_MAX: usize = 40;

/// What can be wrong, listed with its rows, at most.
const PROBLEMS_SHOWN_MAX: usize = 20;

/// Characters of an id at most; what is longer ends in a part of its fingerprint, so that two ids are never cut to the same.
const ID_CHARS_MAX: usize = 300;

/// Days back from now up to which failing rows count as still coming.
const STILL_HAPPENING_DAYS: i64 = 7;

/// Days to its end from which an allowance is spoken of.
const LAPSES_SOON_DAYS: i64 = 30;

/// The checks that did not pass: errors, warnings, infos, what could not be run, what is allowed; by rows within.
pub(crate) fn not_passed(report: &Report) -> Vec<&CheckResult> {
    let mut checks: Vec<&CheckResult> = report.checks.iter().filter(|check| check.status != Status::Pass).collect();
    checks.sort_by_key(|check| (rank(check), Reverse(check.counts.failed)));
    checks
}

/// The checks of one status, the gravest first.
pub(crate) fn of_status(report: &Report, status: Status) -> Vec<&CheckResult> {
    not_passed(report).into_iter().filter(|check| check.status == status).collect()
}

fn rank(check: &CheckResult) -> u8 {
    match (check.status, check.severity) {
        (Status::Fail, Severity::Error) => 0,
        (Status::Fail, Severity::Warning) => 1,
        (Status::Fail, Severity::Info) => 2,
        (Status::Error, _) => 3,
        (Status::Allowed, _) => 4,
        (Status::Pass, _) => 5,
    }
}

/// What a check came to: a sign that is seen without colour, and a word that can be searched for.
pub(crate) fn outcome(check: &CheckResult) -> (&'static str, &'static str) {
    match (check.status, check.severity) {
        (Status::Pass, _) => ("✓", "ok"),
        (Status::Allowed, _) => ("-", "allowed"),
        (Status::Error, _) => ("~", "not run"),
        (Status::Fail, Severity::Error) => ("✗", "error"),
        (Status::Fail, Severity::Warning) => ("!", "warning"),
        (Status::Fail, Severity::Info) => ("·", "info"),
    }
}

/// The check's id on one line.
pub(crate) fn id(check: &CheckResult) -> String {
    if check.id.chars().nth(ID_CHARS_MAX).is_none() {
        return visible::line(&check.id);
    }
    let start: String = check.id.chars().take(ID_CHARS_MAX - 20).collect();
    let print: String = check.fingerprint.chars().take(12).collect();
    visible::line(&format!("{start}…{print}"))
}

/// What a failure means, in one line; never empty, which some formats do not allow.
pub(crate) fn message(check: &CheckResult) -> String {
    sentence(&check.message)
}

/// What a failure means, and what is wrong where that is more than it says: for where there is room for one line.
pub(crate) fn told(check: &CheckResult) -> String {
    match problems(check).filter(|_| check.status == Status::Fail) {
        Some(problems) => format!("{} ({problems})", message(check)),
        None => message(check),
    }
}

/// Why a check could not be run.
pub(crate) fn why_not_run(check: &CheckResult) -> String {
    check.why.as_deref().map_or_else(|| "no reason is known".to_owned(), sentence)
}

/// A text on one line, and never an empty one.
pub(crate) fn sentence(text: &str) -> String {
    if text.trim().is_empty() { "no description".to_owned() } else { visible::line(text) }
}

/// The kind's name, as in the JSON report: `not_null`.
pub(crate) fn kind(kind: CheckKind) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `42 rows, 3 missing keys (0.8 % of 5 120; 17 not judged)`; nothing where a check concerns no rows.
pub(crate) fn counts(check: &CheckResult) -> String {
    let counts = check.counts;
    let counted = matches!(check.status, Status::Fail | Status::Allowed);
    // A fact of the schema concerns no row, and neither does an answer.
    if !counted || counts.failed == 0 || check.is_answer() {
        return String::new();
    }
    let mut text = rows(counts.failed);
    let distinct = counts.failed_distinct;
    match check.kind {
        CheckKind::Ref | CheckKind::Poly => {
            let _ = write!(text, ", {}", counted_words(distinct, "missing key"));
        }
        CheckKind::Unique => {
            let _ = write!(text, " in {}", counted_words(distinct, "group"));
        }
        _ if distinct != counts.failed => {
            let _ = write!(text, ", {}", counted_words(distinct, "distinct value"));
        }
        _ => {}
    }
    let mut remarks = Vec::new();
    // What a query lists, or an export lacks, is no part of what was judged.
    if counts.failed <= counts.judged && !matches!(check.kind, CheckKind::Sql | CheckKind::Complete) {
        remarks.push(format!("{} of {}", percent(counts.failed, counts.judged), number(counts.judged)));
    }
    if counts.not_judged > 0 {
        remarks.push(format!("{} not judged", number(counts.not_judged)));
    }
    if counts.allowed > 0 && check.status == Status::Fail {
        remarks.push(format!("{} of them allowed", number(counts.allowed)));
    }
    if !remarks.is_empty() {
        let _ = write!(text, " ({})", remarks.join("; "));
    }
    text
}

/// What is to be said of a check beyond its message and its rows, in order; each with a word of at most five letters that names it.
pub(crate) fn details(report: &Report, check: &CheckResult) -> Vec<(&'static str, String)> {
    let mut details = Vec::new();
    let mut add = |word, text: Option<String>| details.extend(text.map(|text| (word, text)));
    add("most", frequent(check));
    add("what", problems(check));
    add("when", occurred(report, check));
    add("off", difference(check));
    for note in &check.notes {
        add("note", Some(visible::line(note)));
    }
    add("why", check.why.as_deref().map(visible::line));
    add("do", check.help.as_deref().map(visible::line));
    add("limit", limit(check));
    add("base", check.baseline.map(|state| baseline(state).to_owned()));
    for allowance in &check.allowances {
        add("known", Some(known(allowance)));
    }
    add("rule", check.rule.as_ref().map(|rule| visible::line(&format!("{}:{}:{}", rule.file, rule.line, rule.column))));
    add("owner", check.owner.as_deref().map(visible::line));
    details
}

/// `in relink.toml: [[allow]] check = "ref:orders.customer_id", why = "..."`: how a failing check is accepted.
pub(crate) fn how_to_allow(check: &CheckResult) -> Option<String> {
    // This is to be copied, so an id is whole or it is not there.
    let whole = check.id.chars().nth(ID_CHARS_MAX).is_none();
    (check.status == Status::Fail && whole)
        .then(|| format!("in relink.toml: [[allow]] check = {}  why = \"...\"", visible::toml(&check.id)))
}

/// `90017 ×31, 90018 ×10`: the missing keys by how many rows want them, where that says more than the counts do.
fn frequent(check: &CheckResult) -> Option<String> {
    if check.counts.failed_distinct <= 1 || check.counts.failed_distinct == check.counts.failed {
        return None;
    }
    let tuple = |values: &IndexMap<String, Option<String>>| {
        let values: Vec<String> =
            values.values().map(|value| visible::value(value.as_deref(), FREQUENT_CHARS_MAX)).collect();
        if values.len() == 1 { values.concat() } else { format!("({})", values.join(", ")) }
    };
    let parts: Vec<String> = check
        .frequent
        .iter()
        .take(FREQUENT_SHOWN_MAX)
        .map(|frequent| format!("{} ×{}", tuple(&frequent.values), number(frequent.rows)))
        .collect();
    (!parts.is_empty()).then(|| visible::line(&parts.join(", ")))
}

/// `no lines ×3, differs ×2`: where that says more than the message does.
fn problems(check: &CheckResult) -> Option<String> {
    let parts: Vec<String> = check
        .problems
        .iter()
        .take(PROBLEMS_SHOWN_MAX)
        .map(|(what, rows)| {
            let what = visible::line(what);
            if check.is_answer() { what } else { format!("{what} ×{}", number(*rows)) }
        })
        .collect();
    says_more(check).then(|| visible::line(&parts.join(", ")))
}

/// Whether what is wrong with single rows says more than the message does.
pub(crate) fn says_more(check: &CheckResult) -> bool {
    check.problems.len() > 1 || check.problems.keys().any(|problem| *problem != check.message)
}

/// `first 2026-10-02, last 2026-11-19 (created_at): still happening`: an old scar, or a bug at work.
fn occurred(report: &Report, check: &CheckResult) -> Option<String> {
    let occurred = check.occurred.as_ref()?;
    let shown = |text: &str| visible::value(Some(text), FREQUENT_CHARS_MAX);
    let mut text = format!(
        "first {}, last {} ({})",
        shown(&occurred.first),
        shown(&occurred.last),
        visible::value(Some(&occurred.column), FREQUENT_CHARS_MAX),
    );
    let date = |text: &str| text.get(..10).and_then(|day| day.parse::<Date>().ok());
    if let (Some(now), Some(last)) = (date(&report.run.now), date(&occurred.last)) {
        let days = now.since(last).map_or(0, |span| i64::from(span.get_days()));
        match days {
            // What is dated ahead says nothing of when it was made.
            ..-1 => {}
            -1..=STILL_HAPPENING_DAYS => text.push_str(": still happening"),
            days => {
                let _ = write!(text, ": none for {} days", number(days.unsigned_abs()));
            }
        }
    }
    Some(text)
}

fn difference(check: &CheckResult) -> Option<String> {
    let difference = check.difference.as_deref()?;
    Some(format!(
        "by {} in all, each difference without its sign",
        visible::value(Some(difference), FREQUENT_CHARS_MAX)
    ))
}

/// `passes with up to 5 rows and 0.1 %`.
fn limit(check: &CheckResult) -> Option<String> {
    let threshold = check.threshold.as_ref()?;
    let mut parts = Vec::new();
    parts.extend(threshold.max.map(rows));
    parts.extend(threshold.max_percent.as_deref().map(|part| {
        let part = visible::value(Some(part.trim_end_matches('%').trim_end()), FREQUENT_CHARS_MAX);
        format!("{part} % of those judged")
    }));
    (!parts.is_empty()).then(|| format!("passes with up to {}", parts.join(" and ")))
}

/// A check beside the baseline.
pub(crate) fn baseline(state: BaselineState) -> &'static str {
    match state {
        BaselineState::New => "new: the baseline does not know all of this",
        BaselineState::Unchanged => "unchanged: the baseline knows all of this",
        BaselineState::Fewer => "fewer rows than the baseline knows: it can be written anew",
        BaselineState::Absent => "gone: the baseline knows findings, and there are none any more",
    }
}

/// `12 rows, until 2027-01-31 (9 days left): customers purged 2019`.
pub(crate) fn known(allowance: &Allowance) -> String {
    let mut text = rows(allowance.rows);
    text.push_str(&until(allowance));
    let _ = write!(text, ": {}", visible::line(&allowance.why));
    text
}

/// `, until 2027-01-31 (9 days left)`; nothing where it has no end.
fn until(allowance: &Allowance) -> String {
    let mut text = String::new();
    if let Some(until) = &allowance.until {
        let _ = write!(text, ", until {}", visible::value(Some(until), FREQUENT_CHARS_MAX));
    }
    match allowance.days_left {
        Some(days @ ..0) => {
            let _ = write!(text, " (lapsed {} ago)", counted_words(days.unsigned_abs(), "day"));
        }
        Some(days) => {
            let _ = write!(text, " ({} left)", counted_words(days.unsigned_abs(), "day"));
        }
        None => {}
    }
    text
}

/// Why a check is allowed, in one line.
pub(crate) fn why_allowed(check: &CheckResult) -> String {
    let mut reasons: Vec<String> =
        check.allowances.iter().map(|one| format!("{}{}", visible::line(&one.why), until(one))).collect();
    if reasons.is_empty() {
        reasons.extend(limit(check));
    }
    if reasons.is_empty() { "allowed".to_owned() } else { format!("allowed: {}", visible::line(&reasons.join("; "))) }
}

/// How the failing checks changed since an earlier run.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Since when: a day, or the baseline.
    pub(crate) since: String,
    /// Ids that fail now and did not.
    pub(crate) new: Vec<String>,
    /// Failing checks with more rows than before.
    pub(crate) worse: u64,
    /// Checks that failed and do not any more.
    pub(crate) mended: u64,
}

/// What changed since the last earlier run, else beside the baseline; `None` without either.
pub(crate) fn changes(report: &Report, history: &[Report]) -> Option<Changes> {
    let failing = |report: &Report| -> BTreeMap<String, u64> {
        let failing = report.checks.iter().filter(|check| check.status == Status::Fail);
        failing.map(|check| (check.id.clone(), check.counts.failed)).collect()
    };
    let now = failing(report);
    if let Some(last) = history.last() {
        let before = failing(last);
        return Some(Changes {
            since: format!("since {}", day(&last.run.started)),
            new: now.keys().filter(|id| !before.contains_key(*id)).cloned().collect(),
            worse: now.iter().filter(|(id, rows)| before.get(*id).is_some_and(|earlier| *rows > earlier)).count()
                as u64,
            mended: before.keys().filter(|id| !now.contains_key(*id)).count() as u64,
        });
    }
    let with_baseline = report.checks.iter().any(|check| check.baseline.is_some());
    with_baseline.then(|| {
        let of = |state| report.checks.iter().filter(move |check| check.baseline == Some(state));
        Changes {
            since: "beside the baseline".to_owned(),
            new: of(BaselineState::New).map(|check| check.id.clone()).filter(|id| now.contains_key(id)).collect(),
            worse: 0,
            mended: of(BaselineState::Absent).count() as u64,
        }
    })
}

/// `3 of 42 checks fail; 1 is new since 2026-11-18; 2 could not be run`: the first thing to know.
pub(crate) fn verdict(report: &Report, changes: Option<&Changes>) -> String {
    let summary = report.summary;
    let failing = summary.errors.saturating_add(summary.warnings).saturating_add(summary.infos);
    let mut parts = Vec::new();
    let all = summary.checks;
    parts.push(match (all, failing) {
        (0, _) => "nothing was checked".to_owned(),
        (_, 0) if summary.passed == all && all == 1 => "the one check passes".to_owned(),
        (_, 0) if summary.passed == all => format!("all {} checks pass", number(all)),
        (_, 0) => format!("{} of {} pass", number(summary.passed), counted_words(all, "check")),
        (_, failing) => {
            let fails = if failing == 1 { "fails" } else { "fail" };
            format!("{} of {} {fails}", number(failing), counted_words(all, "check"))
        }
    });
    if let Some(changes) = changes {
        let since = &changes.since;
        let is = |count: u64| if count == 1 { "is" } else { "are" };
        let new = changes.new.len() as u64;
        if new > 0 {
            parts.push(format!("{} {} new {since}", number(new), is(new)));
        } else if failing > 0 {
            parts.push(format!("none is new {since}"));
        }
        if changes.worse > 0 {
            parts.push(format!("{} got worse", number(changes.worse)));
        }
        if changes.mended > 0 {
            parts.push(format!("{} {} mended", number(changes.mended), is(changes.mended)));
        }
    }
    if summary.not_run > 0 {
        parts.push(format!("{} could not be run", number(summary.not_run)));
    }
    if summary.allowed > 0 {
        parts.push(allowed(report));
    }
    parts.join("; ")
}

/// `18 checks: 14 ok · 2 errors · 1 warning · 1 not run · 1 allowed (1 lapses in 9 days) · 6 200 000 rows in 2 relations · 3.4 s · shop · 2026-11-20`.
pub(crate) fn totals(report: &Report) -> String {
    let summary = report.summary;
    let mut parts = vec![format!("{} ok", number(summary.passed))];
    for (count, word) in [(summary.errors, "error"), (summary.warnings, "warning"), (summary.infos, "info")] {
        if count > 0 {
            parts.push(counted_words(count, word));
        }
    }
    if summary.not_run > 0 {
        parts.push(format!("{} not run", number(summary.not_run)));
    }
    if summary.allowed > 0 {
        parts.push(allowed(report));
    }
    let run = &report.run;
    format!(
        "{}: {} · {} in {} · {}.{} s · {} · {}",
        counted_words(summary.checks, "check"),
        parts.join(" · "),
        rows(run.rows),
        counted_words(run.relations, "relation"),
        number(run.duration_ms / 1000),
        run.duration_ms / 100 % 10,
        visible::line(run.target.name()),
        visible::line(&run.now),
    )
}

/// `2 allowed (1 lapses in 9 days)`.
fn allowed(report: &Report) -> String {
    let mut text = format!("{} allowed", number(report.summary.allowed));
    let soon: Vec<i64> = report
        .checks
        .iter()
        .filter(|check| check.status == Status::Allowed)
        .filter_map(|check| check.allowances.iter().filter_map(|one| one.days_left).min())
        .filter(|days| (0..=LAPSES_SOON_DAYS).contains(days))
        .collect();
    if let Some(days) = soon.iter().min() {
        let days = counted_words(days.unsigned_abs(), "day");
        let _ = match soon.len() {
            1 => write!(text, " (1 lapses in {days})"),
            several => write!(text, " ({several} lapse, the first in {days})"),
        };
    }
    text
}

/// `14 references, 9 unique keys, ...`: the checks by kind, facts of the schema left out.
pub(crate) fn checked(report: &Report) -> String {
    let mut by_kind: BTreeMap<u8, (u64, &str)> = BTreeMap::new();
    for check in report.checks.iter().filter(|check| check.status != Status::Error) {
        let (order, word) = match check.kind {
            CheckKind::Ref | CheckKind::Poly => (0, "reference"),
            CheckKind::Unique => (1, "unique key"),
            CheckKind::NotNull => (2, "NOT NULL column"),
            CheckKind::Check => (3, "CHECK"),
            CheckKind::Type => (4, "column type"),
            CheckKind::Min | CheckKind::Max | CheckKind::Gt | CheckKind::Lt => (5, "range"),
            CheckKind::Past | CheckKind::Future => (6, "date column"),
            CheckKind::Total | CheckKind::Balance | CheckKind::Running | CheckKind::Equal => (7, "total"),
            CheckKind::Required
            | CheckKind::RequiredWhen
            | CheckKind::In
            | CheckKind::Match
            | CheckKind::Ascending
            | CheckKind::Row => (8, "row rule"),
            CheckKind::NoOverlap
            | CheckKind::Acyclic
            | CheckKind::Count
            | CheckKind::Fresh
            | CheckKind::Same
            | CheckKind::Sql
            | CheckKind::Complete => (9, "other rule"),
            CheckKind::Trust | CheckKind::Schema => continue,
        };
        by_kind.entry(order).or_insert((0, word)).0 += 1;
    }
    let parts: Vec<String> = by_kind.values().map(|(count, word)| counted_words(*count, word)).collect();
    parts.join(", ")
}

/// `shop (PostgreSQL 15.4)`, `shop.json (Django dump, 5 120 records; schema: orders.sql)`.
pub(crate) fn target(report: &Report) -> String {
    visible::line(&match &report.run.target {
        Target::Database(server) => {
            format!("{} ({})", server.database, format!("{} {}", server.product, server.version).trim())
        }
        Target::Export { name, format, records, schema } => {
            format!("{name} ({format}, {}; schema: {schema})", counted_words(*records, "record"))
        }
    })
}

/// The day of an instant: `2026-11-20` of `2026-11-20T04:31:07Z`.
pub(crate) fn day(instant: &str) -> String {
    visible::value(Some(instant.get(..10).unwrap_or(instant)), FREQUENT_CHARS_MAX)
}

/// `1 row`, `5 120 rows`.
pub(crate) fn rows(count: u64) -> String {
    counted_words(count, "row")
}

/// `1 check`, `42 checks`.
pub(crate) fn counted_words(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{} {word}s", number(count)) }
}

/// Thousands apart, as `5 120`.
pub(crate) fn number(count: u64) -> String {
    thousands(&count.to_string())
}

/// Thousands of a text of digits apart.
pub(crate) fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// One decimal; what is not nothing is never shown as 0.0 %, and what is not all never as 100 %.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0.0 %".to_owned();
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    let tenths = (part * 2000 + whole) / (whole * 2);
    match tenths {
        0 if part > 0 => "< 0.1 %".to_owned(),
        1000 if part < whole => "> 99.9 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_to_nothing_nor_to_all() {
        assert_eq!(percent(1, 1_000_000), "< 0.1 %");
        assert_eq!(percent(999_999, 1_000_000), "> 99.9 %");
        assert_eq!((percent(2, 3), percent(999, 1000)), ("66.7 %".to_owned(), "99.9 %".to_owned()));
        assert_eq!(percent(5, 5), "100.0 %");
        assert_eq!(number(1_234_567), "1 234 567");
    }
}
