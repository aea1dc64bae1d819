//! `relink restore`: read, check, load, validate, then commit or roll back.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use relink_db::{Access, DatabaseUrl, Dialect};
use relink_export::{FormatFamily, Index, OpenOptions, Source};
use relink_model::{Catalog, Config, Severity};
use relink_restore::{Applied, Mode, Report, Request, SchemaScript, Status};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::validate;
use crate::{
    args::{FamilyArgument, ModeArgument, ReportFormat, RestoreArguments},
    config, diagnostics,
    exit::{Exit, Failure},
    progress::Progress,
    render,
};

/// The report of `relink restore --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RestoreReport")]
pub(crate) struct RestoreOutput<'a> {
    /// What was restored.
    #[serde(flatten)]
    restore: &'a Report,
    /// The validation of the tables concerned, made before the commit; null where the restore was refused before.
    validation: Option<&'a relink_validate::Report>,
    /// Ids of checks that fail, and failed on as many rows before the restore began: it is not to blame, and is kept.
    stood_before: &'a [String],
}

pub(crate) async fn run(arguments: &RestoreArguments) -> Result<Exit, Failure> {
    let url = super::database_url(arguments.into.as_deref(), "name it with --into URL")?;
    let config = config::load(arguments.config.as_deref())?;
    let now = validate::now(&config)?;
    let interrupted = listen();
    let mut progress = Progress::new();
    let (source, index) = read(arguments, &mut progress)?;
    let access = if arguments.schema.is_some() { Access::Create } else { Access::ReadWrite };
    let schema = arguments.schema.as_ref().map(|path| schema_script(path, url.dialect_name())).transpose()?;
    let connection = super::connect(&url, access).await?;
    let mode = match arguments.mode {
        ModeArgument::Insert => Mode::Insert,
        ModeArgument::Skip => Mode::Skip,
    };
    let precheck =
        |catalog: &Catalog, dialect: &dyn Dialect| relink_validate::plan(catalog, &config, dialect).map(|_| ());
    let request = Request {
        interrupted: &interrupted,
        source: source.clone(),
        index,
        config: &config,
        mode,
        dry_run: arguments.dry_run,
        schema,
        precheck: &precheck,
    };
    let applied = relink_restore::restore(connection, request, &mut |event| progress.restore(&event)).await;
    let mut applied = applied?;
    let validation = match validation(&mut applied, &config, now, &mut progress).await {
        Ok(validation) => validation,
        Err(failure) => {
            applied.roll_back().await?;
            return Err(failure);
        }
    };
    let stood_before = match &validation {
        Some(report) => stood_before(&url, &config, now, report).await,
        None => Vec::new(),
    };
    let broken = |check: &relink_validate::CheckResult| match check.status {
        relink_validate::Status::Pass => false,
        relink_validate::Status::Fail => check.severity == Severity::Error && !stood_before.contains(&check.id),
        relink_validate::Status::Error => true,
    };
    let sound = validation.as_ref().is_none_or(|report| !report.checks.iter().any(broken));
    if interrupted.load(Ordering::Relaxed) {
        applied.roll_back().await?;
        return Err(relink_restore::Error::Interrupted.into());
    }
    let report = if !sound {
        applied.roll_back_invalid().await
    } else if applied.is_open() && !arguments.dry_run {
        applied.commit().await
    } else {
        applied.roll_back().await
    };
    progress.finish();
    let report = report?;
    match arguments.format {
        ReportFormat::Json => {
            let validation = validation.as_ref();
            super::print_json(&RestoreOutput { restore: &report, validation, stood_before: &stood_before });
        }
        ReportFormat::Text => {
            let colour = diagnostics::colour_on_stdout();
            super::print(&render::restore::render(&report, validation.as_ref(), &stood_before, &source, colour));
        }
    }
    Ok(exit(&report))
}

/// The failing checks that failed on as many rows before: what other connections still see. Nothing where that cannot be read, or where
/// nothing fails.
async fn stood_before(
    url: &DatabaseUrl,
    config: &Config,
    now: Timestamp,
    report: &relink_validate::Report,
) -> Vec<String> {
    let failed: Vec<_> = report
        .checks
        .iter()
        .filter(|check| check.status == relink_validate::Status::Fail && check.severity == Severity::Error)
        .collect();
    if failed.is_empty() {
        return Vec::new();
    }
    let options = relink_validate::Options { now, samples_max: 0, only: None };
    let again = |check: &relink_validate::Check| failed.iter().any(|failed| failed.id == check.id);
    let Ok(before) = validate::measure(url, config, &options, again, &mut |_| {}).await else { return Vec::new() };
    let as_many = |check: &&&relink_validate::CheckResult| {
        let earlier = before.checks.iter().find(|earlier| earlier.id == check.id);
        earlier.is_some_and(|earlier| {
            earlier.status == relink_validate::Status::Fail && earlier.counts.failed >= check.counts.failed
        })
    };
    failed.iter().filter(as_many).map(|check| check.id.clone()).collect()
}

/// A role that may not do this is refused by the database; anything else that stops a restore is a refusal of relink's.
fn exit(report: &Report) -> Exit {
    match report.status {
        Status::Restored => return Exit::Clean,
        Status::Invalid => return Exit::Refused,
        Status::Refused => {}
    }
    let errors = report.findings.iter().filter(|group| group.severity == Severity::Error);
    let privileges = errors.clone().all(|group| group.code == relink_restore::code::MISSING_PRIVILEGE);
    if privileges { Exit::Database } else { Exit::Refused }
}

/// Listens for the user's Ctrl-C from now on. The restore then rolls back by itself, so that nothing stays, also where a rollback alone
/// would not do. Where signals cannot be had, Ctrl-C ends the program as it always does.
fn listen() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    if let Ok(mut signal) = signal(SignalKind::interrupt()) {
        let interrupted = Arc::clone(&interrupted);
        tokio::spawn(async move {
            if signal.recv().await.is_some() {
                interrupted.store(true, Ordering::Relaxed);
            }
        });
    }
    interrupted
}

/// Opens and indexes the export.
fn read(arguments: &RestoreArguments, progress: &mut Progress) -> Result<(Source, Index), Failure> {
    let mut options = OpenOptions::default();
    options.encoding.clone_from(&arguments.encoding);
    options.format = arguments.from.map(|family| match family {
        FamilyArgument::Django => FormatFamily::Django,
        FamilyArgument::TableMap => FormatFamily::TableMap,
    });
    progress.start("opening", 0, true);
    let source = Source::open(&arguments.export, &options)
        .map_err(|error| Failure::Export { errors: vec![error], source_text: None })?;
    progress.start("reading", source.text_bytes(), true);
    let index = source.index(&mut |done| progress.set(done));
    progress.finish();
    match index {
        Ok(index) => Ok((source, index)),
        Err(errors) => Err(Failure::Export { errors, source_text: Some(source) }),
    }
}

/// The script of a file, or the one of a folder that is for this database.
fn schema_script(path: &Path, dialect: &str) -> Result<SchemaScript, Failure> {
    let path = if path.is_dir() {
        let name = format!("{dialect}.sql");
        let script = path.join(&name);
        if !script.is_file() {
            return Err(Failure::NoScript { folder: path.to_owned(), name });
        }
        script
    } else {
        path.to_owned()
    };
    Ok(SchemaScript { sql: super::read_file(&path)?, name: path.display().to_string() })
}

/// Validates the tables that were loaded, inside the open transaction.
async fn validation(
    applied: &mut Applied,
    config: &Config,
    now: Timestamp,
    progress: &mut Progress,
) -> Result<Option<relink_validate::Report>, Failure> {
    if !applied.is_open() {
        return Ok(None);
    }
    let catalog = applied.catalog().clone();
    let touched = applied.touched().to_vec();
    let connection = applied.connection();
    let checks = relink_validate::plan(&catalog, config, connection.dialect()).map_err(Failure::Config)?;
    let options = relink_validate::Options { now, samples_max: 20, only: Some(touched) };
    let mut events = |event| validate::show(progress, &event);
    Ok(Some(relink_validate::run(connection, &catalog, &checks, &options, &mut events).await?))
}
