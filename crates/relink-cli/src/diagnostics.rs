//! Errors and findings as diagnostics: the place in the export with the lines around it, and what to do next.

use std::{error::Error, fmt, io::IsTerminal as _};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};
use relink_db::DbError;
use relink_export::{ExportError, Snippet, Source};
use relink_model::{Place, config::ConfigError};

use crate::exit::Failure;

/// Whether standard error takes colour.
pub(crate) fn colour_on_stderr() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Whether standard output takes colour.
pub(crate) fn colour_on_stdout() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Columns of the terminal that standard output is; `None` where it is none.
pub(crate) fn width_of_stdout() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Something to show with its place.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    pub(crate) help: Option<String>,
    pub(crate) excerpt: Option<Excerpt>,
    pub(crate) warning: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Shown {}

impl Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(if self.warning { miette::Severity::Warning } else { miette::Severity::Error })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let excerpt = self.excerpt.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, excerpt.span))))
    }
}

/// A few lines of an export, numbered as in the file.
#[derive(Debug)]
pub(crate) struct Excerpt {
    place: Place,
    text: String,
    span: SourceSpan,
    first_line: usize,
}

impl Excerpt {
    /// The lines around a place; none where the export cannot be read there.
    pub(crate) fn of(source: &Source, place: &Place) -> Option<Self> {
        let Snippet { text, span, line, .. } = source.snippet(place).ok()?;
        let span = SourceSpan::from((span.start, span.len()));
        Some(Self { place: place.clone(), text, span, first_line: line as usize })
    }
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        let line = inner.line() + self.first_line.saturating_sub(1);
        // The text is cut out of its line, so the column is the place's own.
        let column = self.place.column.saturating_sub(1) as usize;
        // The header names the place itself, so that editors and terminals make it a link.
        let name = self.place.file.to_string();
        Ok(Box::new(MietteSpanContents::new_named(name, inner.data(), *inner.span(), line, column, inner.line_count())))
    }
}

/// Renders one diagnostic.
pub(crate) fn render(diagnostic: &dyn Diagnostic, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_context_lines(1).with_width(110);
    match handler.render_report(&mut text, diagnostic) {
        Ok(()) => text,
        // Rendering into a string fails only where a span does not fit its text: the message alone is still right.
        Err(_) => format!("{diagnostic}\n"),
    }
}

/// Prints why a command failed.
pub(crate) fn print(failure: &Failure) {
    let colour = colour_on_stderr();
    match failure {
        Failure::Export { errors, source_text } => {
            for error in errors {
                crate::tell!("{}", render(&export_error(error, source_text.as_ref()), colour).trim_end());
            }
        }
        Failure::ConfigSyntax(problem) => crate::tell!("{}", render(problem.as_ref(), colour).trim_end()),
        Failure::Config(errors) => config_errors(errors),
        Failure::Connect { error, .. } | Failure::Database(error) => database_error(failure, error),
        Failure::Restore(error) => match error.as_ref() {
            relink_restore::Error::Export(error) => {
                crate::tell!("{}", render(&export_error(error, None), colour).trim_end());
            }
            relink_restore::Error::Config(errors) => config_errors(errors),
            relink_restore::Error::Db(error) => database_error(failure, error),
            relink_restore::Error::Schema { error, .. } => database_error(failure, error),
            _ => crate::tell!("relink: {failure}"),
        },
        failure => crate::tell!("relink: {failure}"),
    }
}

/// Says what of an export holds no records: files beside those that do, and arrays of a table map that hold no objects.
pub(crate) fn passed_over(ignored: &[String]) {
    const SHOWN: usize = 10;
    if ignored.is_empty() {
        return;
    }
    let more = if ignored.len() > SHOWN { format!(", and {} more", ignored.len() - SHOWN) } else { String::new() };
    crate::tell!(
        "relink: passed over, as no records are in it: {}{more}",
        ignored[..ignored.len().min(SHOWN)].join(", ")
    );
}

fn config_errors(errors: &[ConfigError]) {
    crate::tell!("relink: the configuration does not fit the database");
    for error in errors {
        if let Some(problem) = crate::config::mistake(error) {
            crate::tell!("{}", render(&problem, colour_on_stderr()).trim_end());
        } else {
            crate::tell!("  {error}");
        }
    }
}

fn database_error(failure: &Failure, error: &DbError) {
    crate::tell!("relink: {failure}");
    if let Some(detail) = &error.detail {
        crate::tell!("  {detail}");
    }
}

fn export_error(error: &ExportError, source: Option<&Source>) -> Shown {
    let place = error.place();
    let message = with_causes(error);
    let message = place.map_or_else(|| message.clone(), |place| format!("{place}: {message}"));
    Shown {
        message,
        code: Some(error.code().to_owned()),
        help: error.help(),
        excerpt: place.zip(source).and_then(|(place, source)| Excerpt::of(source, place)),
        warning: false,
    }
}

/// An error with what caused it.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        message = format!("{message}: {deeper}");
        cause = deeper.source();
    }
    message
}
