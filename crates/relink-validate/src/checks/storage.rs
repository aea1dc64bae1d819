//! Values stored otherwise than their column declares: text in a number column where types are not enforced, the zero date
//! and the blank label that a lax server puts in place of what it could not read.

use relink_model::{Column, Relation, Severity, TypeKind};

use super::scan::{Judge, ScanProbe};
use crate::plan::{Census, Check, CheckKind, Planning, Probe};
use crate::sql::Shown;

pub(crate) fn plan(planning: &Planning<'_>, relation: &Relation, checks: &mut Vec<Check>) {
    for column in &relation.columns {
        checks.extend(check(planning, relation, column));
    }
}

fn check(planning: &Planning<'_>, relation: &Relation, column: &Column) -> Option<Check> {
    let dialect = planning.dialect;
    let quoted = dialect.quote(&column.name);
    let columns = vec![column.name.clone()];
    let declared = &column.data_type.declared;
    let elsewise = format!("{} is declared {declared} and holds something else", column.name);
    let (failed, message) = if let Some(blank) = dialect.blank("", column) {
        let message = format!("{} holds the zero date or blank label that stands for an unreadable value", column.name);
        (blank, message)
    } else if planning.enforces_types(relation) {
        return None;
    } else {
        (misfit(planning, column)?, elsewise)
    };
    // A decimal with more digits than a float has can only be kept as text, so text that is a number fits.
    let (census, probe) = if matches!(column.data_type.kind, TypeKind::Decimal { .. }) {
        let fine = format!("NOT ({failed})");
        (None, Probe::Scan(ScanProbe::new(planning, relation, column, Some(&fine), false, Judge::Number)))
    } else {
        (Some(failed.clone()), Probe::Rows(Shown::of(dialect, "", relation, &columns, &[])))
    };
    Some(Check {
        id: format!("type:{}.{}", relation.name, column.name),
        kind: CheckKind::Type,
        relation: relation.name.clone(),
        severity: Severity::Warning,
        message,
        why: None,
        help: Some("store a value of the declared type, or NULL".to_owned()),
        sql: Some(format!("SELECT * FROM {} WHERE {failed}", dialect.own_rows(relation))),
        census: Census { not_judged: Some(format!("{quoted} IS NULL")), failed: census },
        probe,
        columns,
    })
}

/// A condition that is true of the rows whose stored value does not fit the declared type; `None` where any value would.
fn misfit(planning: &Planning<'_>, column: &Column) -> Option<String> {
    let class = planning.dialect.storage_class(&planning.dialect.quote(&column.name))?;
    let fitting = match column.data_type.kind {
        // SQLite's rowid alias cannot hold anything else.
        TypeKind::Integer { .. } if column.auto_increment => return None,
        TypeKind::Boolean | TypeKind::Integer { .. } => "'null', 'integer'",
        TypeKind::Float { .. } | TypeKind::Decimal { .. } => "'null', 'integer', 'real'",
        TypeKind::Text { .. } => "'null', 'text'",
        TypeKind::Bytes { .. } => "'null', 'blob'",
        // Dates and times have no storage class of their own, and other types say nothing.
        _ => return None,
    };
    Some(format!("{class} NOT IN ({fitting})"))
}
