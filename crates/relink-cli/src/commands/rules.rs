//! `relink rules`: whether the rules fit a database, and which checks they and the schema come to. Nothing is measured.

use std::fmt::Write as _;

use relink_db::{Access, TransactionKind};
use relink_model::{RelationName, Severity};
use relink_validate::{Check, CheckKind, Compiled};
use serde::Serialize;

use crate::{
    args::{ReportFormat, RulesArguments, RulesCommand, RulesTarget},
    config,
    exit::{Exit, Failure},
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
