//! The Test Anything Protocol, version 14: a line for each check, and what is wrong as a block of YAML below it.
//!
//! What is allowed failed as expected, which is TAP's TODO; what was not checked at all was not run, which is its SKIP. A check that could not be run is
//! neither: nobody expected it, so it is not ok.

use std::fmt::Write as _;

use relink_validate::{CheckResult, Report, Status};

use crate::{Options, rows, visible, words};

/// Rows of a diagnostic block at most.
const ROWS_MAX: usize = 10;

/// Characters of one of their values at most.
const CELL_CHARS_MAX: usize = 80;

/// Renders the report.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let tests = report.checks.len() + report.not_checked.len();
    let mut text = "TAP version 14\n".to_owned();
    match tests {
        0 => text.push_str("1..0 # SKIP nothing was checked\n"),
        _ => {
            let _ = writeln!(text, "1..{tests}");
        }
    }
    for (index, check) in report.checks.iter().enumerate() {
        let ok = if check.status == Status::Pass { "ok" } else { "not ok" };
        let directive = match check.status {
            Status::Allowed => format!(" # TODO {}", escaped(&words::why_allowed(check))),
            Status::Fail if !options.fails(check.severity) => {
                format!(" # TODO {}, which does not fail this run", words::outcome(check).1)
            }
            _ => String::new(),
        };
        let _ = writeln!(text, "{ok} {} - {}{directive}", index + 1, escaped(&words::id(check)));
        if check.status != Status::Pass {
            diagnostics(&mut text, report, check);
        }
    }
    for (index, what) in report.not_checked.iter().enumerate() {
        let number = report.checks.len() + index + 1;
        let _ = writeln!(text, "ok {number} - {} # SKIP not checked", escaped(&visible::line(what)));
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "# warning: {}", visible::line(warning));
    }
    let _ = writeln!(text, "# {}", words::totals(report));
    text
}

/// A `#` begins a directive unless it is escaped. Readers of older versions know no escapes: what they would take for one of the two directives, which
/// would hide a failure, is written otherwise.
fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\\' => written.push_str("\\\\"),
            '#' => {
                let next: String = text[at + 1..].trim_start().chars().take(4).collect();
                let directive = next.eq_ignore_ascii_case("skip") || next.eq_ignore_ascii_case("todo");
                written.push_str(if directive { "\\\\u{23}" } else { "\\#" });
            }
            _ => written.push(c),
        }
    }
    written
}

/// A block of YAML. Every text is quoted as JSON quotes it, which YAML reads alike; control characters are gone before.
fn diagnostics(text: &mut String, report: &Report, check: &CheckResult) {
    text.push_str("  ---\n");
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name}: {}", quoted(value));
    };
    field("message", &words::message(check));
    field("severity", words::outcome(check).1);
    field("kind", &words::kind(check.kind));
    let counts = words::counts(check);
    if !counts.is_empty() {
        field("rows", &counts);
    }
    let mut notes = Vec::new();
    for (word, told) in words::details(report, check) {
        if word == "note" || word == "known" { notes.push(format!("{word}: {told}")) } else { field(word, &told) }
    }
    if let (Status::Fail, Some(sql)) = (check.status, &check.sql) {
        field("see", &visible::block(sql));
    }
    if let Some(how) = words::how_to_allow(check) {
        field("allow", &how);
    }
    list(text, "notes", notes.iter().map(|note| quoted(note)));
    let table = rows::of(check, ROWS_MAX, CELL_CHARS_MAX);
    let cells = |cells: &Vec<String>| {
        let pairs = table.header.iter().zip(cells);
        let pairs: Vec<String> = pairs.map(|(name, cell)| format!("{}: {}", quoted(name), quoted(cell))).collect();
        format!("{{ {} }}", pairs.join(", "))
    };
    list(text, "failing", table.lines.iter().map(cells));
    text.push_str("  ...\n");
}

fn list(text: &mut String, name: &str, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        let _ = writeln!(text, "  {name}:");
    }
    for item in items {
        let _ = writeln!(text, "    - {item}");
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_the_data_is_a_directive() {
        assert_eq!(escaped("ref:a.b#2 \\"), "ref:a.b\\#2 \\\\");
        assert_eq!(escaped("x # SKIP #todo"), "x \\\\u{23} SKIP \\\\u{23}todo");
    }
}
