//! Validation reports in every form that `relink validate` writes: for people, for CI systems, for managers.
//!
//! Pure: a [`Report`] goes in, a text comes out. Nothing here prints, opens a file, or reads the clock or the environment. Every format says the
//! same things in the same words (`words.rs`), and every format is total: whatever strings the data holds, what comes out is well-formed, and what a
//! reader would not see is written so that it can be seen (`visible.rs`).

mod github;
mod gitlab;
mod html;
mod junit;
mod location;
mod markdown;
mod rows;
mod sarif;
mod tap;
mod text;
mod visible;
mod words;

use relink_model::Severity;
use relink_validate::Report;

pub use github::{SUMMARY_BYTES_MAX, step_summary};

/// What a report can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// For people, in a terminal or a log.
    Text,
    /// The whole report, for programs: the published contract `validation-report`.
    Json,
    /// `JUnit` XML, which every CI system shows as tests.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// The text with workflow commands of GitHub Actions, which become annotations.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// One page that needs nothing but a browser.
    Html,
    /// Markdown, for a comment or a wiki.
    Markdown,
    /// The Test Anything Protocol, version 14.
    Tap,
}

impl Format {
    /// Every format, in the order in which help lists them.
    pub const ALL: [Self; 9] = [
        Self::Text,
        Self::Json,
        Self::Junit,
        Self::Sarif,
        Self::Github,
        Self::Gitlab,
        Self::Html,
        Self::Markdown,
        Self::Tap,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Tap => "tap",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What it is for, in a line of help.
    pub fn about(self) -> &'static str {
        match self {
            Self::Text => "For people",
            Self::Json => "For programs: see `relink schema`",
            Self::Junit => "JUnit XML: Jenkins, GitLab and most other CI systems",
            Self::Sarif => "SARIF 2.1.0: code scanning",
            Self::Github => "Text and annotations for GitHub Actions",
            Self::Gitlab => "GitLab's code quality report",
            Self::Html => "One page for a browser, without network",
            Self::Markdown => "Markdown, for a comment or a wiki",
            Self::Tap => "Test Anything Protocol 14",
        }
    }
}

/// How a report is to be written.
#[derive(Clone, Debug)]
pub struct Options {
    /// Escape sequences for colour in [`Format::Text`]; all other formats know none.
    pub colour: bool,
    /// Columns of the terminal: lines of [`Format::Text`] are fitted to it. `None`: as long as they are.
    pub width: Option<usize>,
    /// [`Format::Text`] in one line.
    pub quiet: bool,
    /// Earlier reports of the same target, the oldest first: [`Format::Html`] shows the trend, and [`Format::Html`] and [`Format::Markdown`] say what is
    /// new since the last.
    pub history: Vec<Report>,
    /// The mildest severity that fails the run. Milder failures do not fail in [`Format::Junit`] (skipped) and [`Format::Tap`] (TODO). `None`: nothing
    /// fails the run.
    pub fail_on: Option<Severity>,
    /// The configuration file in use, as the repository names it: where [`Format::Gitlab`] and [`Format::Sarif`] put findings that have no place of their
    /// own, since both systems refuse a finding without a file.
    pub config_file: Option<String>,
}

impl Default for Options {
    /// No colour, no width, everything, and every failing check fails the run.
    fn default() -> Self {
        Self {
            colour: false,
            width: None,
            quiet: false,
            history: Vec::new(),
            fail_on: Some(Severity::Info),
            config_file: None,
        }
    }
}

impl Options {
    /// Whether a failure of this severity fails the run.
    fn fails(&self, severity: Severity) -> bool {
        self.fail_on.is_some_and(|mildest| severity >= mildest)
    }
}

/// Writes the report. What comes out ends with a line feed.
pub fn render(report: &Report, format: Format, options: &Options) -> String {
    match format {
        Format::Text => text::render(report, options),
        Format::Json => pretty(report),
        Format::Junit => junit::render(report, options),
        Format::Sarif => sarif::render(report, options),
        Format::Github => github::render(report, options),
        Format::Gitlab => gitlab::render(report, options),
        Format::Html => html::render(report, options),
        Format::Markdown => markdown::render(report, options),
        Format::Tap => tap::render(report, options),
    }
}

fn pretty(value: &impl serde::Serialize) -> String {
    let mut text =
        serde_json::to_string_pretty(value).expect("maps have text keys, and nothing here fails to serialize");
    text.push('\n');
    text
}
