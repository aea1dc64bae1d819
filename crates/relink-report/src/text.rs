//! A validation report as text for people. Pure: the caller decides about colour and where it goes.
//!
//! Failing checks come first, one block each, the gravest first; passes are collapsed to a count. There is no box drawing, so that a log
//! stays searchable.

use std::fmt::Write as _;

use relink_model::Severity;
use relink_validate::{CheckResult, Report, Status};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::{
    Options,
    rows::{self, Rows},
    visible, words,
};

/// Samples shown per check; the JSON report holds all that were taken.
const SAMPLES_SHOWN_MAX: usize = 10;

/// Characters of one cell of the samples at most.
const CELL_CHARS_MAX: usize = 40;

/// A column of samples is not cut to less than so many columns of the terminal, however narrow that is.
const CELL_COLUMNS_MIN: usize = 6;

/// Where the details of a check begin.
const INDENT: &str = "    ";

/// Where its failing rows begin.
const ROW_INDENT: &str = "      ";

/// Columns of the word before a detail, with the space behind it.
const WORD_COLUMNS: usize = 6;

/// Nothing is fitted to less: then the terminal wraps.
const WIDTH_MIN: usize = 40;

/// Renders the report.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let paint = Paint { colour: options.colour };
    if options.quiet {
        return format!("{}\n", words::totals(report));
    }
    let width = options.width.map(|width| width.max(WIDTH_MIN));
    let mut text = String::new();
    for check in words::not_passed(report) {
        let (mark, word) = words::outcome(check);
        let counts = words::counts(check);
        let id = words::id(check);
        let fits = width.is_none_or(|width| word.len() + id.width() + counts.width() + 6 <= width);
        let head = format!("{} {}", paint.with(style(check), &format!("{mark} {word}")), paint.with(Style::Bold, &id));
        if counts.is_empty() {
            let _ = writeln!(text, "{head}");
        } else if fits {
            let _ = writeln!(text, "{head}   {counts}");
        } else {
            let _ = writeln!(text, "{head}");
            wrapped(&mut text, INDENT, INDENT, &counts, width);
        }
        text.push_str(&body(report, check, width));
        text.push('\n');
    }
    text.push_str(&ending(report, width, paint));
    text
}

/// What a block says below its head: the message, failing rows, and every detail. Also what other formats show of a check as plain text.
pub(crate) fn body(report: &Report, check: &CheckResult, width: Option<usize>) -> String {
    let mut text = String::new();
    wrapped(&mut text, INDENT, INDENT, &words::message(check), width);
    // What is allowed or could not be run needs no action: why is enough.
    if check.status == Status::Fail {
        for line in row_lines(check, SAMPLES_SHOWN_MAX, width.map(|width| width - ROW_INDENT.len())) {
            let _ = writeln!(text, "{ROW_INDENT}{line}");
        }
    }
    for (word, what) in words::details(report, check) {
        let shown = check.status == Status::Fail || !matches!(word, "most" | "do");
        if shown {
            detail(&mut text, word, &what, width);
        }
    }
    if let (Status::Fail, Some(sql)) = (check.status, &check.sql) {
        statement(&mut text, sql);
    }
    if let Some(how) = words::how_to_allow(check) {
        detail(&mut text, "allow", &how, None);
    }
    text
}

fn detail(text: &mut String, word: &str, what: &str, width: Option<usize>) {
    let hanging = format!("{INDENT}{:WORD_COLUMNS$}", "");
    wrapped(text, &format!("{INDENT}{word:<WORD_COLUMNS$}"), &hanging, what, width);
}

/// The statement on one line, where that does not change it: to be copied, so it is never fitted to a width.
fn statement(text: &mut String, sql: &str) {
    let sql = visible::block(sql);
    let sql = sql.trim().trim_end_matches(';').trim_end();
    let lines: Vec<&str> = sql.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let one_line = lines.join(" ");
    // A comment would swallow what follows it.
    if one_line.contains("--") || one_line.contains('#') {
        for (index, line) in lines.iter().enumerate() {
            let word = if index == 0 { "see" } else { "" };
            let _ = writeln!(text, "{INDENT}{word:<WORD_COLUMNS$}{}", line.replace('\t', " "));
        }
    } else {
        detail(text, "see", &format!("{};", one_line.replace('\t', " ")), None);
    }
}

/// The failing rows as aligned columns under their names, in a width.
pub(crate) fn row_lines(check: &CheckResult, rows_max: usize, width: Option<usize>) -> Vec<String> {
    let Rows { header, lines, more, .. } = rows::of(check, rows_max, CELL_CHARS_MAX);
    if lines.is_empty() {
        return Vec::new();
    }
    let all: Vec<&Vec<String>> = std::iter::once(&header).chain(&lines).collect();
    let mut widths: Vec<usize> = (0..header.len())
        .map(|column| all.iter().filter_map(|line| line.get(column)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    if let Some(width) = width {
        narrow(&mut widths, width);
    }
    let mut text: Vec<String> = all
        .into_iter()
        .map(|line| {
            let cells = line.iter().zip(&widths).map(|(cell, width)| {
                let cell = fit(cell, *width);
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                cell + &padding
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect();
    if more > 0 {
        text.push(format!("... and {} more", words::rows(more)));
    }
    text
}

/// Takes from the widest columns until all fit, or none can give any more.
fn narrow(widths: &mut [usize], width: usize) {
    let gaps = widths.len().saturating_sub(1) * 2;
    while widths.iter().sum::<usize>() + gaps > width {
        let Some(widest) = widths.iter_mut().max() else { return };
        if *widest <= CELL_COLUMNS_MIN {
            return;
        }
        *widest -= 1;
    }
}

/// A text in so many columns of the terminal at most.
fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        fitted.push(c);
    }
    fitted.push('…');
    fitted
}

/// A sentence, broken between words where a width asks for it.
fn wrapped(text: &mut String, first: &str, hanging: &str, sentence: &str, width: Option<usize>) {
    let Some(width) = width else {
        let _ = writeln!(text, "{first}{sentence}");
        return;
    };
    let mut line = first.to_owned();
    let mut empty = true;
    for word in sentence.split(' ') {
        if !empty && line.width() + 1 + word.width() > width {
            let _ = writeln!(text, "{}", line.trim_end());
            hanging.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

/// What concerns the run, what was checked, and what came of it: on a clean database the only thing to say.
fn ending(report: &Report, width: Option<usize>, paint: Paint) -> String {
    let mut text = String::new();
    for warning in &report.warnings {
        let head = paint.with(Style::Yellow, "! warning");
        // Escape sequences have no width: the line is wrapped without them.
        let mut lines = String::new();
        wrapped(&mut lines, "! warning ", INDENT, &visible::line(warning), width);
        text.push_str(&lines.replacen("! warning", &head, 1));
    }
    for what in &report.not_checked {
        wrapped(&mut text, "~ not checked ", INDENT, &visible::line(what), width);
    }
    if !(report.warnings.is_empty() && report.not_checked.is_empty()) {
        text.push('\n');
    }
    let summary = report.summary;
    if summary.checks == 0 {
        let _ = writeln!(text, "{} nothing was checked", paint.with(Style::Yellow, "!"));
    } else if summary.passed == summary.checks {
        let _ = writeln!(text, "{} nothing found", paint.with(Style::Green, "✓"));
    } else if summary.passed.saturating_add(summary.allowed) == summary.checks {
        let _ = writeln!(text, "{} nothing found that is not allowed", paint.with(Style::Green, "✓"));
    }
    let checked = words::checked(report);
    if !checked.is_empty() {
        wrapped(&mut text, "checked ", "        ", &checked, width);
    }
    if let Some(found) = report.inference.as_ref().filter(|found| !found.is_empty()) {
        let counts =
            [(found.used.len(), "used"), (found.rejected.len(), "rejected"), (found.ambiguous.len(), "ambiguous")];
        let counts: Vec<String> = counts.iter().map(|(count, word)| format!("{count} {word}")).collect();
        wrapped(&mut text, "inferred: ", "        ", &format!("{} (relink rules suggest)", counts.join(", ")), width);
    }
    let _ = writeln!(text, "{}", words::totals(report));
    text
}

fn style(check: &CheckResult) -> Style {
    match (check.status, check.severity) {
        (Status::Pass | Status::Allowed, _) => Style::Green,
        (Status::Error, _) | (_, Severity::Warning) => Style::Yellow,
        (_, Severity::Error) => Style::Red,
        (_, Severity::Info) => Style::Blue,
    }
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
    use relink_validate::{CheckKind, Frequent, REPORT_VERSION, RowCounts, RunFacts, Sample, Summary, Target};

    use super::*;
    use indexmap::IndexMap;

    fn plain(report: &Report) -> String {
        render(report, &Options::default())
    }

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
        let text = plain(&report(vec![passed("unique:orders.id", CheckKind::Unique), orphans()], summary));
        assert_eq!(
            text,
            "✗ error ref:orders.customer_id   42 rows, 3 missing keys (0.8 % of 5 103; 17 not judged)
    references a row of customers(id) that does not exist
      id    customer_id
      1881  90017
      1882  ' '
      ... and 40 rows more
    most  90017 ×31, 90018 ×10, 91002 ×1
    why   loaded with triggers off?
    do    add the missing rows
    see   SELECT c.* FROM orders AS c;
    allow in relink.toml: [[allow]] check = \"ref:orders.customer_id\"  why = \"...\"

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
        let text = plain(&report(checks, summary));
        let heads: Vec<&str> = text.lines().filter(|line| line.contains("check:") && !line.starts_with(' ')).collect();
        assert_eq!(
            heads,
            ["✗ error check:error", "! warning check:warning", "· info check:info", "~ not run check:not-run"]
        );
        assert!(text.contains("4 checks: 0 ok · 1 error · 1 warning · 1 info · 1 not run"), "{text}");
    }

    #[test]
    fn on_a_clean_database_it_says_what_was_checked() {
        let summary = Summary { checks: 1, passed: 1, ..Summary::default() };
        let text = plain(&report(vec![passed("ref:a.b", CheckKind::Ref)], summary));
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
        let text = plain(&report(vec![check], Summary { checks: 1, errors: 1, ..Summary::default() }));
        assert!(text.contains("2 rows in 1 group (50.0 % of 4)"), "{text}");
        assert!(text.contains("#1     7   a\\n\\u{1b}[31mx\n"), "{text}");
    }

    #[test]
    fn colour_is_there_only_when_asked_for() {
        let summary = Summary { checks: 1, errors: 1, ..Summary::default() };
        let report = report(vec![orphans()], summary);
        assert!(!plain(&report).contains('\u{1b}'));
        assert!(
            render(&report, &Options { colour: true, ..Options::default() })
                .starts_with("\u{1b}[31;1m✗ error\u{1b}[0m")
        );
    }

    #[test]
    fn a_comment_in_a_statement_does_not_swallow_the_rest() {
        let sql = "SELECT id -- the key\n  FROM orders;\n".to_owned();
        let check = CheckResult { sql: Some(sql), ..orphans() };
        let text = plain(&report(vec![check], Summary { checks: 1, errors: 1, ..Summary::default() }));
        assert!(text.contains("    see   SELECT id -- the key\n          FROM orders\n"), "{text}");
    }

    #[test]
    fn cells_are_cut_to_the_width_and_wide_characters_count_twice() {
        let sample = Sample {
            key: pairs(&[("id", Some("7"))]),
            values: pairs(&[("name", Some(&"漢字".repeat(40))), ("city", Some("Basel"))]),
            ..Sample::default()
        };
        let check = CheckResult { samples: vec![sample], ..orphans() };
        let lines = row_lines(&check, 10, Some(30));
        assert_eq!(lines[1], "7   漢字漢字漢字漢字漢…  Basel");
        assert!(lines.iter().take(2).all(|line| line.width() <= 30), "{lines:?}");
        assert_eq!(fit("漢字", 3), "漢…");
    }
}
