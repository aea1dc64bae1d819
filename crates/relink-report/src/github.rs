//! For GitHub Actions: the text report for the log, then workflow commands that become annotations; and the summary of a step.
//!
//! A step shows ten annotations of each level and silently drops the rest, so there is one for each check, not for each row, the worst first, and the last
//! one says how many are missing.

use std::fmt::Write as _;

use relink_model::Severity;
use relink_validate::{CheckResult, Report, Status};
use sha2::{Digest as _, Sha256};

use crate::{Options, location, markdown, rows, text, visible, words};

/// Annotations of one level that a step shows.
const ANNOTATIONS_MAX: usize = 10;

/// Keys of failing rows in an annotation, at most, and characters of each.
const KEYS_SHOWN_MAX: usize = 5;
const KEY_CHARS_MAX: usize = 40;

/// Bytes that [`step_summary`] returns at most: GitHub refuses a step's summary of more than a mebibyte as a whole. A little is left for what else the step
/// has to say.
pub const SUMMARY_BYTES_MAX: usize = 1024 * 1024 - 4096;

/// What the runner takes a line for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

struct Annotation {
    level: Level,
    properties: String,
    message: String,
}

/// Renders the text report and the annotations.
pub(crate) fn render(report: &Report, options: &Options) -> String {
    let plain = Options { colour: false, width: None, ..options.clone() };
    let log = text::render(report, &plain);
    // A line of the data could look like a command: between these lines the runner takes none. The token cannot stand in the data, which it is made from.
    let token = Sha256::digest(log.as_bytes()).iter().fold("relink-".to_owned(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    });
    let mut written = format!("::stop-commands::{token}\n{log}::{token}::\n");
    let annotations = annotations(report);
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let of_level: Vec<&Annotation> = annotations.iter().filter(|one| one.level == level).collect();
        let command = match level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        };
        for (index, annotation) in of_level.iter().take(ANNOTATIONS_MAX).enumerate() {
            let mut message = annotation.message.clone();
            let more = of_level.len().saturating_sub(ANNOTATIONS_MAX);
            if index + 1 == ANNOTATIONS_MAX && more > 0 {
                let _ = write!(message, "\n+{more} more, see summary");
            }
            let _ = writeln!(written, "::{command} {}::{}", annotation.properties, data(&message));
        }
    }
    written
}

/// One for each check that failed or could not be run, the worst first, then one for the run's own warnings and one for what was not checked.
fn annotations(report: &Report) -> Vec<Annotation> {
    let mut annotations: Vec<Annotation> = words::not_passed(report)
        .into_iter()
        .filter(|check| check.status != Status::Allowed)
        .map(|check| Annotation {
            level: match (check.status, check.severity) {
                (Status::Error, _) | (_, Severity::Error) => Level::Error,
                (_, Severity::Warning) => Level::Warning,
                (_, Severity::Info) => Level::Notice,
            },
            properties: properties(check),
            message: message(check),
        })
        .collect();
    for (level, title, lines) in
        [(Level::Warning, "relink validate", &report.warnings), (Level::Notice, "not checked", &report.not_checked)]
    {
        if !lines.is_empty() {
            let more = lines.len().saturating_sub(ANNOTATIONS_MAX);
            let mut lines: Vec<String> = lines.iter().take(ANNOTATIONS_MAX).map(|one| words::sentence(one)).collect();
            if more > 0 {
                lines.push(format!("+{more} more, see summary"));
            }
            let properties = format!("title={}", property(title));
            annotations.push(Annotation { level, properties, message: lines.join("\n") });
        }
    }
    annotations
}

fn properties(check: &CheckResult) -> String {
    let mut text = String::new();
    if let Some(location) = location::of(check) {
        let _ = write!(text, "file={},line={},", property(&location.file), location.line);
        if let Some(column) = location.column {
            let _ = write!(text, "col={column},");
        }
    }
    let (_, word) = words::outcome(check);
    let _ = write!(text, "title={}", property(&format!("{word} {}", words::id(check))));
    text
}

fn message(check: &CheckResult) -> String {
    if check.status == Status::Error {
        return format!("could not be run: {}\n{}", words::why_not_run(check), words::message(check));
    }
    let counts = words::counts(check);
    let gap = if counts.is_empty() { "" } else { ": " };
    let mut lines = vec![format!("{counts}{gap}{}", words::told(check))];
    lines.extend(rows::keys(check, KEYS_SHOWN_MAX, KEY_CHARS_MAX));
    lines.extend(check.help.as_deref().map(visible::line));
    lines.join("\n")
}

/// The message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value, which may not end the property either.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The report as the markdown of a step's summary (what goes into the file that `GITHUB_STEP_SUMMARY` names): [`SUMMARY_BYTES_MAX`] at most, whole checks
/// left out where there are more, and counted.
pub fn step_summary(report: &Report, options: &Options) -> String {
    markdown::within(report, options, SUMMARY_BYTES_MAX)
}
