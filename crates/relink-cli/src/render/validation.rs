//! A validation report as text for people. Pure: the caller decides about colour and where it goes.
//!
//! Failing checks come first, one block each, the gravest first; passes are collapsed to a count. There is no box drawing, so that a log
//! stays searchable.

use std::{collections::BTreeMap, fmt::Write as _};

use indexmap::IndexMap;
use relink_model::Severity;
use relink_validate::{CheckKind, CheckResult, Report, Sample, Status};

/// Samples shown per check; the JSON report holds all that were taken.
const SAMPLES_SHOWN_MAX: usize = 10;

/// Missing keys shown with their rows, at most.
const FREQUENT_SHOWN_MAX: usize = 5;

/// Characters of one cell of the samples at most.
const CELL_CHARS_MAX: usize = 40;

/// Renders the report.
pub(crate) fn render(report: &Report, colour: bool) -> String {
    let paint = Paint { colour };
    let mut text = String::new();
    let mut shown: Vec<&CheckResult> = report.checks.iter().filter(|check| check.status != Status::Pass).collect();
    shown.sort_by_key(|check| (rank(check), std::cmp::Reverse(check.counts.failed)));
    for check in &shown {
        block(&mut text, check, paint);
        text.push('\n');
    }
    text.push_str(&summary(report, paint));
    text
}

/// Failures by severity, then what could not be run.
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

fn block(text: &mut String, check: &CheckResult, paint: Paint) {
    let (mark, word, style) = match (check.status, check.severity) {
        (Status::Error, _) => ("~", "not run", Style::Yellow),
        (_, Severity::Error) => ("✗", "error", Style::Red),
        (_, Severity::Warning) => ("!", "warning", Style::Yellow),
        (_, Severity::Info) => ("·", "info", Style::Blue),
    };
    let head = paint.with(style, &format!("{mark} {word}"));
    let counts = counts(check);
    let gap = if counts.is_empty() { "" } else { "   " };
    let _ = writeln!(text, "{head} {}{gap}{counts}", paint.with(Style::Bold, &check.id));
    let _ = writeln!(text, "    {}", check.message);
    for line in sample_lines(check) {
        let _ = writeln!(text, "      {line}");
    }
    if let Some(frequent) = frequent(check) {
        detail(text, "most", &frequent);
    }
    if check.problems.len() > 1 {
        let parts: Vec<String> =
            check.problems.iter().map(|(what, rows)| format!("{what} ×{}", number(*rows))).collect();
        detail(text, "what", &parts.join(", "));
    }
    for note in &check.notes {
        detail(text, "note", note);
    }
    if let Some(why) = &check.why {
        detail(text, "why", why);
    }
    if let Some(help) = &check.help {
        detail(text, "do", help);
    }
    if let Some(sql) = &check.sql {
        let one_line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        detail(text, "see", &format!("{one_line};"));
    }
}

fn detail(text: &mut String, word: &str, what: &str) {
    let _ = writeln!(text, "    {word:<5}{what}");
}

/// `42 rows, 3 distinct (0.8 % of 5 120; 17 not judged)`.
fn counts(check: &CheckResult) -> String {
    let counts = check.counts;
    if check.status != Status::Fail || counts.total == 0 {
        return String::new();
    }
    let mut text = rows(counts.failed);
    match check.kind {
        CheckKind::Ref => {
            let _ =
                write!(text, ", {} missing {}", number(counts.failed_distinct), plural(counts.failed_distinct, "key"));
        }
        CheckKind::Unique => {
            let _ = write!(text, " in {} {}", number(counts.failed_distinct), plural(counts.failed_distinct, "group"));
        }
        _ if counts.failed_distinct != counts.failed => {
            let distinct = counts.failed_distinct;
            let _ = write!(text, ", {} distinct {}", number(distinct), plural(distinct, "value"));
        }
        _ => {}
    }
    let _ = write!(text, " ({} of {}", percent(counts.failed, counts.judged), number(counts.judged));
    if counts.not_judged > 0 {
        let _ = write!(text, "; {} not judged", number(counts.not_judged));
    }
    text.push(')');
    text
}

fn rows(count: u64) -> String {
    format!("{} {}", number(count), plural(count, "row"))
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

/// Thousands apart, as `5 120`.
fn number(count: u64) -> String {
    let digits = count.to_string();
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
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0.0 %".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    match tenths {
        0 if part > 0 => "< 0.1 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// The failing rows as aligned columns under their names; groups of duplicates are set apart by their number.
fn sample_lines(check: &CheckResult) -> Vec<String> {
    let Some(first) = check.samples.first() else { return Vec::new() };
    let grouped = first.group.is_some();
    let several = check.problems.len() > 1;
    let mut header: Vec<String> = Vec::new();
    if grouped {
        header.push("group".to_owned());
    }
    header.extend(first.key.keys().chain(first.values.keys()).cloned());
    // A sample may lack the last columns of another (a total without a difference).
    for name in check.samples.iter().flat_map(|sample| sample.values.keys()) {
        if !header.contains(name) {
            header.push(name.clone());
        }
    }
    let mut lines = vec![header.clone()];
    for sample in check.samples.iter().take(SAMPLES_SHOWN_MAX) {
        let names = &header[usize::from(grouped)..];
        let mut line: Vec<String> = sample.group.iter().map(|group| format!("#{group}")).collect();
        line.extend(names.iter().map(|name| cell(name, sample)));
        if let Some(problem) = sample.problem.as_ref().filter(|_| several) {
            line.push(format!("← {problem}"));
        }
        lines.push(line);
    }
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let aligned = |line: &Vec<String>| {
        let cells = line
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<width$}", width = widths.get(column).copied().unwrap_or(0)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text: Vec<String> = lines.iter().map(aligned).collect();
    let shown = check.samples.len().min(SAMPLES_SHOWN_MAX) as u64;
    if check.counts.failed > shown {
        text.push(format!("... and {} more", rows(check.counts.failed - shown)));
    }
    text
}

/// One cell, on one line, visible where it is empty or blank.
fn cell(name: &str, sample: &Sample) -> String {
    let value = sample.key.get(name).or_else(|| sample.values.get(name));
    match value {
        None => String::new(),
        Some(None) => "NULL".to_owned(),
        Some(Some(text)) => written(text),
    }
}

/// A value as a log can show it: control characters escaped, quoted where its ends would not be seen, cut where it is long.
fn written(text: &str) -> String {
    let escaped: String =
        text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    let quoted = text.is_empty() || text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    let shown = if quoted { format!("'{escaped}'") } else { escaped };
    if shown.chars().count() <= CELL_CHARS_MAX {
        return shown;
    }
    shown.chars().take(CELL_CHARS_MAX - 1).chain(std::iter::once('…')).collect()
}

/// `90017 ×31, 90018 ×10`: the missing keys by how many rows want them, where that says more than the counts do.
fn frequent(check: &CheckResult) -> Option<String> {
    if check.counts.failed_distinct <= 1 || check.counts.failed_distinct == check.counts.failed {
        return None;
    }
    let tuple = |values: &IndexMap<String, Option<String>>| {
        let values: Vec<String> =
            values.values().map(|value| value.as_deref().map_or("NULL".to_owned(), written)).collect();
        if values.len() == 1 { values.concat() } else { format!("({})", values.join(", ")) }
    };
    let parts: Vec<String> = check
        .frequent
        .iter()
        .take(FREQUENT_SHOWN_MAX)
        .map(|frequent| format!("{} ×{}", tuple(&frequent.values), number(frequent.rows)))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What was checked, and what came of it: on a clean database the only thing to say.
fn summary(report: &Report, paint: Paint) -> String {
    let summary = report.summary;
    let mut text = String::new();
    if summary.passed == summary.checks {
        let _ = writeln!(text, "{} nothing found", paint.with(Style::Green, "✓"));
    }
    let checked = checked(report);
    if !checked.is_empty() {
        let _ = writeln!(text, "checked {checked}");
    }
    if let Some(found) = report.inference.as_ref().filter(|found| !found.is_empty()) {
        let counts =
            [(found.used.len(), "used"), (found.rejected.len(), "rejected"), (found.ambiguous.len(), "ambiguous")];
        let counts: Vec<String> =
            counts.iter().map(|(count, word)| format!("{} {word}", number(*count as u64))).collect();
        let _ = writeln!(text, "inferred: {} (relink rules suggest)", counts.join(", "));
    }
    let mut parts = vec![format!("{} ok", number(summary.passed))];
    for (count, word) in [(summary.errors, "error"), (summary.warnings, "warning"), (summary.infos, "info")] {
        if count > 0 {
            parts.push(format!("{} {}", number(count), plural(count, word)));
        }
    }
    if summary.not_run > 0 {
        parts.push(format!("{} not run", number(summary.not_run)));
    }
    let run = &report.run;
    let seconds = run.duration_ms / 100;
    let _ = writeln!(
        text,
        "{} {}: {} · {} in {} {} · {}.{} s · {} · {}",
        number(summary.checks),
        plural(summary.checks, "check"),
        parts.join(" · "),
        rows(run.rows),
        number(run.relations),
        plural(run.relations, "relation"),
        seconds / 10,
        seconds % 10,
        run.target.name(),
        run.now,
    );
    text
}

/// `14 references, 9 unique keys, ...`: the checks by kind, facts of the schema left out.
fn checked(report: &Report) -> String {
    let mut by_kind: BTreeMap<u8, (u64, &str)> = BTreeMap::new();
    for check in &report.checks {
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
    let parts: Vec<String> =
        by_kind.values().map(|(count, word)| format!("{} {}", number(*count), plural(*count, word))).collect();
    parts.join(", ")
}

/// What a text stands out by.
#[derive(Clone, Copy)]
enum Style {
    Red,
    Yellow,
    Blue,
    Green,
    Bold,
}

#[derive(Clone, Copy)]
struct Paint {
    colour: bool,
}

impl Paint {
    fn with(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Red => "31;1",
            Style::Yellow => "33",
            Style::Blue => "34",
            Style::Green => "32",
            Style::Bold => "1",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use relink_model::{RelationName, ServerInfo};
    use relink_validate::{Frequent, REPORT_VERSION, RowCounts, RunFacts, Summary, Target};

    use super::*;

    fn pairs(pairs: &[(&str, Option<&str>)]) -> IndexMap<String, Option<String>> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
    }

    fn passed(id: &str, kind: CheckKind) -> CheckResult {
        CheckResult::new(id, kind, RelationName::new("orders"), Severity::Error)
    }

    fn orphans() -> CheckResult {
        let sample = |id, customer| Sample {
            key: pairs(&[("id", Some(id))]),
            values: pairs(&[("customer_id", customer)]),
            ..Sample::default()
        };
        let frequent = |value, rows| Frequent { values: pairs(&[("customer_id", Some(value))]), rows };
        CheckResult {
            status: Status::Fail,
            counts: RowCounts { judged: 5103, not_judged: 17, failed: 42, failed_distinct: 3, allowed: 0, total: 5120 },
            message: "references a row of customers(id) that does not exist".to_owned(),
            why: Some("loaded with triggers off?".to_owned()),
            help: Some("add the missing rows".to_owned()),
            sql: Some("SELECT c.*\n  FROM orders AS c".to_owned()),
            samples: vec![sample("1881", Some("90017")), sample("1882", Some(" "))],
            frequent: vec![frequent("90017", 31), frequent("90018", 10), frequent("91002", 1)],
            truncated: true,
            ..passed("ref:orders.customer_id", CheckKind::Ref)
        }
    }

    fn report(checks: Vec<CheckResult>, summary: Summary) -> Report {
        Report {
            version: REPORT_VERSION,
            run: RunFacts {
                tool: "relink".to_owned(),
                tool_version: "0.1.0".to_owned(),
                target: Target::Database(ServerInfo { database: "shop".to_owned(), ..ServerInfo::default() }),
                started: "2026-11-20T04:31:07Z".to_owned(),
                now: "2026-11-20T04:31:07Z".to_owned(),
                samples_max: 20,
                relations: 2,
                rows: 6_200_000,
                duration_ms: 3456,
            },
            summary,
            checks,
            warnings: Vec::new(),
            not_checked: Vec::new(),
            inference: None,
        }
    }

    #[test]
    fn a_failing_check_shows_counts_keys_reason_and_sql() {
        let summary = Summary { checks: 2, passed: 1, errors: 1, ..Summary::default() };
        let text = render(&report(vec![passed("unique:orders.id", CheckKind::Unique), orphans()], summary), false);
        assert_eq!(
            text,
            "✗ error ref:orders.customer_id   42 rows, 3 missing keys (0.8 % of 5 103; 17 not judged)
    references a row of customers(id) that does not exist
      id    customer_id
      1881  90017
      1882  ' '
      ... and 40 rows more
    most 90017 ×31, 90018 ×10, 91002 ×1
    why  loaded with triggers off?
    do   add the missing rows
    see  SELECT c.* FROM orders AS c;

checked 1 reference, 1 unique key
2 checks: 1 ok · 1 error · 6 200 000 rows in 2 relations · 3.4 s · shop · 2026-11-20T04:31:07Z
"
        );
    }

    #[test]
    fn the_gravest_come_first_and_what_could_not_run_is_no_finding() {
        let of = |id: &str, severity, status| CheckResult { severity, status, ..passed(id, CheckKind::Check) };
        let checks = vec![
            of("check:not-run", Severity::Error, Status::Error),
            of("check:info", Severity::Info, Status::Fail),
            of("check:warning", Severity::Warning, Status::Fail),
            of("check:error", Severity::Error, Status::Fail),
        ];
        let summary = Summary { checks: 4, errors: 1, warnings: 1, infos: 1, not_run: 1, ..Summary::default() };
        let text = render(&report(checks, summary), false);
        let heads: Vec<&str> = text.lines().filter(|line| line.contains("check:")).collect();
        assert_eq!(
            heads,
            ["✗ error check:error", "! warning check:warning", "· info check:info", "~ not run check:not-run"]
        );
        assert!(text.contains("4 checks: 0 ok · 1 error · 1 warning · 1 info · 1 not run"), "{text}");
    }

    #[test]
    fn on_a_clean_database_it_says_what_was_checked() {
        let summary = Summary { checks: 1, passed: 1, ..Summary::default() };
        let text = render(&report(vec![passed("ref:a.b", CheckKind::Ref)], summary), false);
        assert!(text.starts_with("✓ nothing found\nchecked 1 reference\n1 check: 1 ok"), "{text}");
    }

    #[test]
    fn duplicates_show_their_group_and_values_cannot_break_a_line() {
        let sample = |id, group| Sample {
            key: pairs(&[("id", Some(id))]),
            values: pairs(&[("email", Some("a\n\u{1b}[31mx"))]),
            group: Some(group),
            ..Sample::default()
        };
        let check = CheckResult {
            status: Status::Fail,
            counts: RowCounts { judged: 4, failed: 2, failed_distinct: 1, total: 4, ..RowCounts::default() },
            samples: vec![sample("7", 1), sample("91", 1)],
            ..passed("unique:users.email", CheckKind::Unique)
        };
        let text = render(&report(vec![check], Summary { checks: 1, errors: 1, ..Summary::default() }), false);
        assert!(text.contains("2 rows in 1 group (50.0 % of 4)"), "{text}");
        assert!(text.contains("#1     7   a\\n\\u{1b}[31mx\n"), "{text}");
    }

    #[test]
    fn colour_is_there_only_when_asked_for() {
        let summary = Summary { checks: 1, errors: 1, ..Summary::default() };
        let report = report(vec![orphans()], summary);
        assert!(!render(&report, false).contains('\u{1b}'));
        assert!(render(&report, true).starts_with("\u{1b}[31;1m✗ error\u{1b}[0m"));
    }

    #[test]
    fn a_share_is_never_rounded_to_nothing_nor_to_all() {
        assert_eq!(percent(1, 1_000_000), "< 0.1 %");
        assert_eq!(percent(999_999, 1_000_000), "99.9 %");
        assert_eq!(percent(5, 5), "100.0 %");
        assert_eq!(number(1_234_567), "1 234 567");
    }
}
