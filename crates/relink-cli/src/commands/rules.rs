//! `relink rules`: whether the rules fit a database, which checks they and the schema come to, and which rules its data suggests.

use std::fmt::Write as _;

use relink_db::{Access, TransactionKind};
use relink_model::{RelationName, Severity};
use relink_validate::{Check, CheckKind, Compiled, Inference};
use serde::Serialize;

use crate::{
    args::{ReportFormat, RulesArguments, RulesCommand, RulesTarget},
    config,
    exit::{Exit, Failure},
    progress::Progress,
    render::suggestions,
};

/// A check as `relink rules expand --format json` lists it.
#[derive(Debug, Serialize)]
struct Expanded<'a> {
    id: &'a str,
    kind: CheckKind,
    relation: &'a RelationName,
    columns: &'a [String],
    severity: Severity,
    /// What a failure means.
    message: &'a str,
    /// SQL that shows the failing rows, where SQL can tell.
    sql: Option<&'a str>,
}

pub(crate) async fn run(arguments: &RulesArguments) -> Result<Exit, Failure> {
    match &arguments.command {
        RulesCommand::Check(target) => {
            let (checks, _) = plan(target).await?;
            let rules = checks.iter().filter(|check| check.is_rule()).count();
            super::print(&format!(
                "{rules} rules fit; with the schema's own promises they make {} checks\n",
                checks.len()
            ));
        }
        RulesCommand::Expand { target, format } => {
            let (checks, sql) = plan(target).await?;
            match format {
                ReportFormat::Text => super::print(&listed(&checks)),
                ReportFormat::Json => {
                    super::print_json(&checks.iter().zip(&sql).map(expanded).collect::<Vec<_>>());
                }
            }
        }
        RulesCommand::Suggest { target, all } => {
            let inference = suggest(target).await?;
            super::print(&suggestions::render(&inference, *all));
        }
    }
    Ok(Exit::Clean)
}

/// The checks that a validation of this database would make, and how it would make them.
async fn plan(target: &RulesTarget) -> Result<(Vec<Check>, Vec<Compiled>), Failure> {
    let url = super::database_url(target.url.as_deref(), "give its URL")?;
    let config = config::load(target.config.as_deref())?;
    let mut connection = super::connect(&url, Access::ReadOnly).await?;
    connection.begin(TransactionKind::Snapshot).await?;
    let mut catalog = connection.introspect().await?;
    config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
    let checks = relink_validate::plan(&catalog, &config, connection.dialect()).map_err(Failure::Config)?;
    let options = super::validate::options(super::validate::now(&config)?, &config);
    let compiled = relink_validate::compile(&catalog, &checks, &options, connection.dialect());
    connection.rollback().await?;
    connection.close().await?;
    Ok((checks, compiled))
}

/// What names suggest about a database, and what its data says of that.
async fn suggest(target: &RulesTarget) -> Result<Inference, Failure> {
    let url = super::database_url(target.url.as_deref(), "give its URL")?;
    let config = config::load(target.config.as_deref())?;
    let options = super::validate::options(super::validate::now(&config)?, &config);
    let mut progress = Progress::new();
    let mut connection = super::connect(&url, Access::ReadOnly).await?;
    connection.begin(TransactionKind::Snapshot).await?;
    let mut catalog = connection.introspect().await?;
    config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
    let checks = relink_validate::plan(&catalog, &config, connection.dialect()).map_err(Failure::Config)?;
    let guesses = relink_validate::infer(&catalog, &config, Some(connection.dialect()), &checks);
    let mut events = |event| super::validate::show(&mut progress, &event);
    let report = relink_validate::run(connection.as_mut(), &catalog, guesses.checks(), &options, &mut events).await;
    progress.finish();
    let mut report = report?;
    connection.rollback().await?;
    connection.close().await?;
    guesses.judge(&mut report);
    Ok(report.inference.unwrap_or_default())
}

fn expanded<'a>((check, compiled): (&'a Check, &'a Compiled)) -> Expanded<'a> {
    let Check { id, kind, relation, columns, severity, message, .. } = check;
    Expanded { id, kind: *kind, relation, columns, severity: *severity, message, sql: compiled.sql.as_deref() }
}

fn listed(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.id.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { id, severity, message, .. } in checks {
        let severity = severity.to_string();
        let _ = writeln!(text, "{severity:<8} {id:<width$}  {message}");
    }
    text
}
