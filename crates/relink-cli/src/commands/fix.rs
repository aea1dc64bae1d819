//! `relink fix`: findings mended in one transaction, which is rolled back unless it is to be applied.

use std::fmt::Write as _;

use relink_db::{Access, Connection, DbError, DbErrorKind, TransactionKind};
use relink_model::Catalog;
use relink_validate::fix::{Mended, Mending, Orders, Refusal, Statement, mend, relations};
use serde::Serialize;

use super::validate;
use crate::{
    args::{FixArguments, ReportFormat},
    config,
    exit::{Exit, Failure},
};

/// The report of `relink fix --format json`.
#[derive(Debug, Serialize)]
struct Output<'a> {
    /// The version of this format.
    version: u32,
    /// Whether the statements were run for good.
    applied: bool,
    /// Check by check.
    mendings: &'a [Mending],
    /// Checks that were made again before the end.
    checks_measured: usize,
    /// Why nothing was changed, where something speaks against it.
    refusal: Option<String>,
    /// What is to be said of the allowances of the configuration.
    warnings: &'a [String],
}

pub(crate) async fn run(arguments: &FixArguments) -> Result<Exit, Failure> {
    let url = super::database_url(arguments.url(), "give its URL")?;
    let config = config::load(arguments.config.as_deref())?;
    let orders = Orders {
        ids: arguments.ids(),
        cure: arguments.cure().map_err(Failure::Usage)?,
        condition: arguments.condition.clone(),
        rehearsal: !arguments.apply,
    };
    if orders.ids.is_empty() {
        return Err(Failure::Usage("no check is named: give its id, as `relink validate` shows it".to_owned()));
    }
    let options = validate::options(validate::now(&config)?, &config);
    let mut connection = super::connect(&url, Access::ReadWrite).await?;
    // What the mending locks has to be known before it begins; it looks at the schema again when it has begun.
    connection.begin(TransactionKind::Snapshot).await?;
    let mut catalog = connection.introspect().await?;
    connection.rollback().await?;
    config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
    let checks = relink_validate::plan(&catalog, &config, connection.dialect()).map_err(Failure::Config)?;
    let begun = connection.begin_alone(&relations(&catalog, &checks, &orders)).await;
    let (mended, applied) = match begun {
        Ok(()) => {
            let mut mended = match mend(connection.as_mut(), &catalog, &checks, &config, &orders, &options).await {
                Ok(mended) => mended,
                Err(error) => {
                    // The first error is the one to report; a lost connection rolls back by itself.
                    let _ = connection.rollback().await;
                    return Err(error.into());
                }
            };
            let applied = settle(connection, &catalog, &mut mended, arguments.apply).await?;
            (mended, applied)
        }
        Err(error) => (Mended { refusal: Some(contended(error)?), ..Mended::default() }, false),
    };
    let refusal = mended.refusal.as_ref().map(ToString::to_string);
    match arguments.format {
        ReportFormat::Json => super::print_json(&Output {
            version: 1,
            applied,
            mendings: &mended.mendings,
            checks_measured: mended.measured,
            refusal: refusal.clone(),
            warnings: &mended.warnings,
        }),
        ReportFormat::Text => super::print(&script(&mended, applied)),
    }
    Ok(match &mended.refusal {
        Some(refusal) => {
            crate::tell!("relink: nothing was changed: {refusal}");
            if refusal.is_usage() { Exit::Usage } else { Exit::Refused }
        }
        None if mended.mendings.iter().any(|mending| mending.remaining.unwrap_or_default() > mending.allowed) => {
            Exit::Findings
        }
        None => Exit::Clean,
    })
}

/// Commits what is to be kept, rolls the rest back. Whether anything was kept.
async fn settle(
    mut connection: Box<dyn Connection>,
    catalog: &Catalog,
    mended: &mut Mended,
    apply: bool,
) -> Result<bool, Failure> {
    let keeps = apply && mended.refusal.is_none();
    if keeps {
        if let Err(error) = connection.commit().await {
            let _ = connection.rollback().await;
            if error.kind == DbErrorKind::ConnectionLost {
                return Err(Failure::CommitUnknown(Box::new(error)));
            }
            mended.refusal = Some(contended(error).map_err(|error| Failure::Rollback(Box::new(error)))?);
            return Ok(false);
        }
        for (relation, state) in &mended.counters {
            connection.restore_numbering(catalog.relation(*relation), state).await?;
        }
    } else {
        connection.rollback().await?;
    }
    connection.close().await?;
    Ok(keeps)
}

/// What is refused because others are at work.
fn contended(error: DbError) -> Result<Refusal, DbError> {
    match error.kind {
        DbErrorKind::Contention => Ok(Refusal::Contended { message: error.to_string() }),
        _ => Err(error),
    }
}

/// What was run, as a script for the database's own client.
fn script(mended: &Mended, applied: bool) -> String {
    let mut text = String::new();
    let lines: Vec<&Statement> = mended.mendings.iter().flat_map(|mending| &mending.statements).collect();
    let write = |text: &mut String, statement: &Statement| {
        let _ = match statement.rows {
            Some(rows) => writeln!(text, "{}; -- {}", statement.sql, counted(rows)),
            None => writeln!(text, "{};", statement.sql),
        };
    };
    for warning in &mended.warnings {
        let _ = writeln!(text, "-- {}", on_one_line(warning));
    }
    let transaction = lines.iter().any(|statement| !statement.after_commit);
    if transaction {
        text.push_str("BEGIN;\n");
    }
    for mending in &mended.mendings {
        let (allowed, left_out) = (mending.allowed, mending.found - mending.allowed - mending.chosen);
        let mut left = if allowed > 0 { format!(", {allowed} left out by [[allow]]") } else { String::new() };
        if left_out > 0 {
            let _ = write!(left, ", {left_out} left out by --where");
        }
        let _ = writeln!(text, "-- {}: found {}{left}", on_one_line(&mending.id), counted(mending.found));
        mending
            .statements
            .iter()
            .filter(|statement| !statement.after_commit)
            .for_each(|statement| write(&mut text, statement));
    }
    // Whoever hands this to a client keeps no more than relink does.
    let refused = mended.refusal.is_some();
    if transaction {
        text.push_str(if refused { "ROLLBACK;\n" } else { "COMMIT;\n" });
    }
    let after_commit = lines.iter().filter(|statement| statement.after_commit && !refused);
    after_commit.for_each(|statement| write(&mut text, statement));
    let _ = match (&mended.refusal, applied) {
        (Some(refusal), _) => {
            writeln!(text, "-- refused, and rolled back: {}", on_one_line(&refusal.to_string()))
        }
        (None, _) if lines.is_empty() => writeln!(text, "-- nothing to mend"),
        (None, true) => writeln!(text, "-- applied; {} checks measured again", mended.measured),
        (None, false) => {
            writeln!(text, "-- dry run: rolled back after {} checks measured again; --apply keeps it", mended.measured)
        }
    };
    text
}

/// So that all of it is a comment.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}
