//! NULL where the schema forbids it: left behind by a load past the constraint, or by SQLite, which lets some primary keys be NULL.

use relink_model::{Relation, Severity};

use crate::plan::{Census, Check, CheckKind, Planning, Probe};
use crate::sql::Shown;

pub(crate) fn plan(planning: &Planning<'_>, relation: &Relation, checks: &mut Vec<Check>) {
    let dialect = planning.dialect;
    for column in relation.columns.iter().filter(|column| !column.nullable) {
        let quoted = dialect.quote(&column.name);
        // Not the bare column: planners take `IS NULL` on a NOT NULL column for false without looking (SQLite, PostgreSQL from 17), and
        // MySQL lets it match the zero date in such a column, which is a finding of its own.
        let unless_blank = dialect.blank("", column).map(|blank| format!(" AND NOT ({blank})")).unwrap_or_default();
        let failed = format!("COALESCE({quoted}, NULL) IS NULL{unless_blank}");
        let columns = vec![column.name.clone()];
        checks.push(Check {
            id: format!("not_null:{}.{}", relation.name, column.name),
            kind: CheckKind::NotNull,
            relation: relation.name.clone(),
            severity: Severity::Error,
            message: format!("{} is NULL although the schema forbids it", column.name),
            why: None,
            help: Some(format!("give {} a value in these rows", column.name)),
            sql: Some(format!("SELECT * FROM {} WHERE {failed}", dialect.own_rows(relation))),
            census: Census { not_judged: None, failed: Some(failed) },
            // A key column that is NULL does not name its row.
            probe: Probe::Rows(Shown::of(dialect, "", relation, &columns, &suspect(relation, &column.name))),
            columns,
        });
    }
}

/// The primary key, where this column is a part of it.
fn suspect(relation: &Relation, column: &str) -> Vec<String> {
    let key = relation.primary_key_columns();
    if key.iter().any(|name| name == column) { key.to_vec() } else { Vec::new() }
}
