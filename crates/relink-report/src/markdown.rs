//! Markdown as GitHub and GitLab render it: the verdict, a table of what failed, then a section for each check that can be unfolded.
//!
//! Names and values of the data stand in code, where neither system makes links, mentions or emoji of them, and never as markdown of their own.

use std::fmt::Write as _;

use relink_validate::{CheckResult, Report, Status};

use crate::{Options, text, visible, words};

/// Lines of the table at most; every check has its section in any case.
const TABLE_LINES_MAX: usize = 100;

/// Failing rows of a section at most.
const ROWS_MAX: usize = 10;

/// Bytes kept free for the line that says how much is missing.
const ENDING_BYTES: usize = 200;

/// Renders the whole report.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    within(report, options, usize::MAX)
}

/// Renders the report in so many bytes at most: sections that find no room are left out from the first one on, and counted.
pub(crate) fn within(report: &Report, options: &Options, bytes_max: usize) -> String {
    let changes = words::changes(report, &options.history);
    let verdict = words::verdict(report, changes.as_ref());
    let failed = words::not_passed(report).iter().any(|check| check.status == Status::Fail);
    let mark = match (failed, report.is_complete()) {
        (true, _) => "✗",
        (false, true) => "✓",
        (false, false) => "~",
    };
    let mut first = format!("## {mark} {}\n\n{}\n", escaped(&verdict), escaped(&words::totals(report)));
    let checked = words::checked(report);
    if !checked.is_empty() {
        let _ = writeln!(first, "\nChecked {} in {}.", escaped(&checked), code(&words::target(report)));
    }
    let new = changes.map(|changes| changes.new).unwrap_or_default();
    let mut sections = vec![first, table(report, &new)];
    sections.extend(words::not_passed(report).into_iter().map(|check| section(report, check)));
    sections.push(list("Warnings", &report.warnings));
    sections.push(list("Not checked", &report.not_checked));
    sections.retain(|section| !section.is_empty());

    let mut text = String::new();
    let mut left_out = 0_u64;
    for section in sections {
        let gap = usize::from(!text.is_empty());
        let room = bytes_max.saturating_sub(text.len() + gap + ENDING_BYTES);
        if left_out > 0 || section.len() > room {
            left_out += 1;
            continue;
        }
        if gap > 0 {
            text.push('\n');
        }
        text.push_str(&section);
    }
    if left_out > 0 {
        let sections = words::counted_words(left_out, "section");
        let _ = writeln!(text, "\n... and {sections} that find no room here: see the whole report.");
    }
    text
}

/// The failing checks and those that could not be run, a line each.
fn table(report: &Report, new: &[String]) -> String {
    let checks: Vec<&CheckResult> =
        words::not_passed(report).into_iter().filter(|check| check.status != Status::Allowed).collect();
    if checks.is_empty() {
        return String::new();
    }
    let mut text = "| | check | rows | what is wrong | owner |\n|---|---|--:|---|---|\n".to_owned();
    for check in checks.iter().take(TABLE_LINES_MAX) {
        let (mark, word) = words::outcome(check);
        let is_new = if new.contains(&check.id) { " (new)" } else { "" };
        let rows = match check.counts.failed {
            failed if failed > 0 && !check.is_answer() => words::number(failed),
            _ => String::new(),
        };
        let told = match check.status {
            Status::Error => words::why_not_run(check),
            _ => words::told(check),
        };
        let owner = check.owner.as_deref().map_or_else(String::new, |owner| escaped(&visible::line(owner)));
        let (id, told) = (code(&words::id(check)), escaped(&told));
        let _ = writeln!(text, "| {mark} {word}{is_new} | {id} | {rows} | {told} | {owner} |");
    }
    let more = checks.len().saturating_sub(TABLE_LINES_MAX);
    if more > 0 {
        let _ = writeln!(text, "\n... and {}.", words::counted_words(more as u64, "check"));
    }
    text
}

/// Everything about one check, folded.
fn section(report: &Report, check: &CheckResult) -> String {
    let (mark, word) = words::outcome(check);
    let counts = words::counts(check);
    let mut text = format!(
        "<details>\n<summary>{mark} {word} {}{}{}</summary>\n\n{}\n",
        code(&words::id(check)),
        if counts.is_empty() { "" } else { " " },
        escaped(&counts),
        escaped(&words::message(check)),
    );
    if check.status == Status::Fail {
        text.push_str(&fenced("text", &text::row_lines(check, ROWS_MAX, None).join("\n")));
    }
    let details: Vec<String> = words::details(report, check)
        .into_iter()
        .chain(words::how_to_allow(check).map(|how| ("allow", how)))
        .map(|(word, told)| {
            let told = if matches!(word, "allow" | "rule" | "most") { code(&told) } else { escaped(&told) };
            format!("- **{word}** {told}\n")
        })
        .collect();
    if !details.is_empty() {
        text.push('\n');
        text.push_str(&details.concat());
    }
    if let (Status::Fail, Some(sql)) = (check.status, &check.sql) {
        text.push_str(&fenced("sql", &visible::block(sql)));
    }
    text.push_str("\n</details>\n");
    text
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items: Vec<String> = lines.iter().map(|line| format!("- {}\n", escaped(&visible::line(line)))).collect();
    format!("### {title}\n\n{}", items.concat())
}

/// A block in which nothing is markdown: its fence is longer than any run of backticks in it.
fn fenced(language: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("\n{fence}{language}\n{text}\n{fence}\n")
}

/// A name or a value in the running text. As an element, since in a span of backticks nothing could be escaped.
fn code(text: &str) -> String {
    format!("<code>{}</code>", referenced(text, ""))
}

/// As [`referenced`]. GitHub looks for people and issues in what is rendered, outside of code: a blank of no width keeps it from finding any.
fn escaped(text: &str) -> String {
    referenced(text, "&#8203;")
}

/// Text with nothing in it that markdown, HTML, or the systems that render them would take for something else: what stands as a numeric reference is
/// never structure. Behind what begins a mention stands `apart`.
fn referenced(text: &str, apart: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        let special = match c {
            '\\' | '`' | '*' | '~' | '[' | ']' | '<' | '>' | '&' | '|' | '$' | '@' | '#' | '!' => true,
            // Within a word it stands for itself.
            '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
            // An address becomes a link, and a word between two colons a picture.
            ':' => after == '/' || !(before.is_alphanumeric() && (after.is_alphanumeric() || after == ' ')),
            '.' => matches!(before, 'w' | 'W'),
            _ => false,
        };
        if special {
            let _ = write!(written, "&#{};", u32::from(c));
            if matches!(c, '@' | '#') && after.is_alphanumeric() {
                written.push_str(apart);
            }
        } else {
            written.push(c);
        }
        before = c;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_data_is_markdown() {
        assert_eq!(escaped("a|b <i> *x* @me #1"), "a&#124;b &#60;i&#62; &#42;x&#42; &#64;&#8203;me &#35;&#8203;1");
        assert_eq!(escaped("https://x.org www.x.org"), "https&#58;//x.org www&#46;x.org");
        assert_eq!(escaped("ref:a.b_c _x_ :smile: 04:31"), "ref:a.b_c &#95;x&#95; &#58;smile: 04:31");
        assert_eq!(fenced("text", "a ``` b"), "\n````text\na ``` b\n````\n");
        assert_eq!(code("``"), "<code>&#96;&#96;</code>");
        // What is to be copied has nothing in it that cannot be seen.
        assert_eq!(code("@me"), "<code>&#64;me</code>");
    }
}
