//! `relink validate`: everything that the schema promises, and the rules, measured on the data.

use jiff::Timestamp;
use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_model::{Config, Severity};
use relink_validate::{Check, Event, Options, Report};

use crate::{
    args::{FailOn, ReportFormat, ValidateArguments},
    config, diagnostics,
    exit::{Exit, Failure},
    progress::Progress,
    render::validation,
};

pub(crate) async fn run(arguments: &ValidateArguments) -> Result<Exit, Failure> {
    let url = super::database_url(arguments.url.as_deref(), "give its URL")?;
    let config = config::load(arguments.config.as_deref())?;
    let options = Options { samples_max: arguments.max_samples, ..options(now(&config)?, &config) };
    let mut progress = Progress::new();
    let report =
        measure(&url, &config, &options, !arguments.no_infer, |_| true, &mut |event| show(&mut progress, &event)).await;
    progress.finish();
    let report = report?;
    match arguments.format {
        ReportFormat::Text => super::print(&validation::render(&report, diagnostics::colour_on_stdout())),
        ReportFormat::Json => super::print_json(&report),
    }
    Ok(exit(&report, arguments.fail_on))
}

/// Makes the wanted checks over a connection and in a snapshot of its own, and with them, if `inferring`, what names suggest.
pub(crate) async fn measure(
    url: &DatabaseUrl,
    config: &Config,
    options: &Options,
    inferring: bool,
    wanted: impl Fn(&Check) -> bool,
    events: &mut dyn FnMut(Event),
) -> Result<Report, Failure> {
    let mut connection = super::connect(url, Access::ReadOnly).await?;
    connection.begin(TransactionKind::Snapshot).await?;
    let mut catalog = connection.introspect().await?;
    config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
    let mut checks = relink_validate::plan(&catalog, config, connection.dialect()).map_err(Failure::Config)?;
    let guesses = inferring.then(|| relink_validate::infer(&catalog, config, Some(connection.dialect()), &checks));
    if let Some(guesses) = &guesses {
        guesses.add_to(&mut checks);
    }
    checks.retain(wanted);
    let mut report = relink_validate::run(connection.as_mut(), &catalog, &checks, options, events).await?;
    if let Some(guesses) = &guesses {
        guesses.judge(&mut report);
    }
    connection.rollback().await?;
    connection.close().await?;
    Ok(report)
}

/// How to validate, as the configuration says it.
pub(crate) fn options(now: Timestamp, config: &Config) -> Options {
    let timezone = config.run.timezone.clone();
    Options { started: Timestamp::now(), timezone, ..Options::new(now, std::env::temp_dir()) }
}

/// The instant that counts as now.
pub(crate) fn now(config: &Config) -> Result<Timestamp, Failure> {
    match &config.run.now {
        Some(text) if text != "clock" => text.parse().map_err(|_| Failure::Now(text.clone())),
        _ => Ok(Timestamp::now()),
    }
}

pub(crate) fn show(progress: &mut Progress, event: &Event) {
    match event {
        Event::Planned { checks } => progress.start("validating", *checks as u64, false),
        Event::Started { .. } => {}
        Event::Finished { .. } => progress.advance(),
    }
}

/// What could not be judged is no pass: it outranks what was judged.
fn exit(report: &Report, fail_on: FailOn) -> Exit {
    if !report.is_complete() {
        return Exit::Database;
    }
    let fails = match fail_on {
        FailOn::Error => report.gravest() >= Some(Severity::Error),
        FailOn::Warning => report.gravest() >= Some(Severity::Warning),
        FailOn::Never => false,
    };
    if fails { Exit::Findings } else { Exit::Clean }
}
