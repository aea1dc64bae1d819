//! `relink fix`: findings mended in one transaction, which is rolled back unless it is to be applied.

use std::fmt::Write as _;

use relink_db::{Access, Connection, TransactionKind};
use relink_model::Catalog;
use relink_validate::fix::{Mended, Mending, Orders, Statement, mend};
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
    connection.begin(TransactionKind::Write).await?;
    let worked = async {
        let mut catalog = connection.introspect().await?;
        config.add_virtual_references(&mut catalog).map_err(Failure::Config)?;
        let checks = relink_validate::plan(&catalog, &config, connection.dialect()).map_err(Failure::Config)?;
        let mended = mend(connection.as_mut(), &catalog, &checks, &orders, &options).await?;
        Ok::<_, Failure>((catalog, mended))
    };
    let (catalog, mended) = match worked.await {
        Ok(done) => done,
        Err(failure) => {
            // The first error is the one to report; a lost connection rolls back by itself.
            let _ = connection.rollback().await;
            return Err(failure);
        }
    };
    let applied = settle(connection, &catalog, &mended, arguments.apply).await?;
    let refusal = mended.refusal.as_ref().map(ToString::to_string);
    match arguments.format {
        ReportFormat::Json => super::print_json(&Output {
            version: 1,
            applied,
            mendings: &mended.mendings,
            checks_measured: mended.measured,
            refusal: refusal.clone(),
        }),
        ReportFormat::Text => super::print(&script(&mended, applied)),
    }
    Ok(match &mended.refusal {
        Some(refusal) => {
            eprintln!("relink: nothing was changed: {refusal}");
            if refusal.is_usage() { Exit::Usage } else { Exit::Refused }
        }
        None if mended.mendings.iter().any(|mending| mending.remaining.unwrap_or_default() > 0) => Exit::Findings,
        None => Exit::Clean,
    })
}

/// Commits what is to be kept, rolls the rest back. Whether anything was kept.
async fn settle(
    mut connection: Box<dyn Connection>,
    catalog: &Catalog,
    mended: &Mended,
    apply: bool,
) -> Result<bool, Failure> {
    let keeps = apply && mended.refusal.is_none();
    if keeps {
        if let Err(error) = connection.commit().await {
            let _ = connection.rollback().await;
            return Err(Failure::Rollback(Box::new(error)));
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
    let transaction = lines.iter().any(|statement| !statement.after_commit);
    if transaction {
        text.push_str("BEGIN;\n");
    }
    for mending in &mended.mendings {
        let left_out = mending.found - mending.chosen;
        let left = if left_out > 0 { format!(", {left_out} left out by --where") } else { String::new() };
        let _ = writeln!(text, "-- {}: found {}{left}", mending.id, counted(mending.found));
        mending
            .statements
            .iter()
            .filter(|statement| !statement.after_commit)
            .for_each(|statement| write(&mut text, statement));
    }
    if transaction {
        text.push_str("COMMIT;\n");
    }
    lines.iter().filter(|statement| statement.after_commit).for_each(|statement| write(&mut text, statement));
    let _ = match (&mended.refusal, applied) {
        (Some(refusal), _) => {
            // On one line, so that all of it is a comment.
            let refusal = refusal.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(text, "-- refused, and rolled back: {refusal}")
        }
        (None, _) if lines.is_empty() => writeln!(text, "-- nothing to mend"),
        (None, true) => writeln!(text, "-- applied; {} checks measured again", mended.measured),
        (None, false) => {
            writeln!(text, "-- dry run: rolled back after {} checks measured again; --apply keeps it", mended.measured)
        }
    };
    text
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}
