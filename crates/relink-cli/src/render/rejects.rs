//! Rejected records as text for people: how many of each table and why, where they are, and how they get in.

use std::fmt::Write as _;

use relink_restore::Report;

use super::restore::counted;
use crate::rejects::Rejects;

/// Renders them; `again` is the command that restores them once they are mended, `clearing` the tables that the configuration has cleared.
pub(crate) fn render(rejects: &Rejects, report: &Report, again: &str, clearing: &[String]) -> String {
    let mut text = String::new();
    let Rejects { records, path, reasons, ids, tables } = rejects;
    let _ = writeln!(text, "rejected: {}", counted(*records, "record"));
    for table in tables {
        let cause = |cause: &crate::rejects::RejectCause| {
            let field = cause.field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default();
            format!("{} {}{field}", cause.records, cause.code)
        };
        let causes: Vec<String> = table.causes.iter().map(cause).collect();
        let _ = writeln!(text, "  {}: {}", table.relation, causes.join(", "));
    }
    let are = if report.dry_run { "would be" } else { "are" };
    let _ = writeln!(text, "  the records {are} in {path}, the reasons in {reasons}");
    if let Some(ids) = ids {
        let _ = writeln!(text, "  under which ids the rows stand that they refer to {are} in {ids}");
    }
    let _ = writeln!(text, "  when they are mended: {again}");
    if !clearing.is_empty() {
        let tables = clearing.join(", ");
        let _ = writeln!(
            text,
            "  before that, take mode = \"replace\" out of the configuration of {tables}: it would clear what is there now"
        );
    }
    text
}
