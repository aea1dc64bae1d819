//! Whether the database compares two columns as relink does.

use relink_db::Dialect;
use relink_model::{Column, Relation, TypeKind};
use relink_rules::{Part, expression::Kind};

/// Whether SQL's `=` between two parts of a key holds for just those values that are one key here. Only what is sure to: everything else is compared here.
pub(crate) fn joins_as_here(dialect: &dyn Dialect, one: (&Relation, &Part), other: (&Relation, &Part)) -> bool {
    let (Some(one), Some(other)) = (plain(dialect, one), plain(dialect, other)) else { return false };
    match (&one.data_type.kind, &other.data_type.kind) {
        (TypeKind::Text { fixed, .. }, TypeKind::Text { fixed: other_fixed, .. }) => {
            fixed == other_fixed && one.collation == other.collation
        }
        (TypeKind::Integer { .. } | TypeKind::Decimal { .. }, TypeKind::Integer { .. } | TypeKind::Decimal { .. }) => {
            true
        }
        (one, other) => one == other,
    }
}

/// The column that a part is, where the database has an equality for it that is relink's.
fn plain<'a>(dialect: &dyn Dialect, (relation, part): (&'a Relation, &Part)) -> Option<&'a Column> {
    // What counts as a number or a text that its column does not hold is compared here, and so is what does without case.
    let Part::Column { index, kind, loose: false, padded, ci: false } = part else { return None };
    let column = &relation.columns[*index];
    let capabilities = dialect.capabilities();
    let enforced = relation.strict || capabilities.enforces_types;
    let same = *kind == Kind::of(&column.data_type.kind) && !column.case_insensitive;
    let fits = match column.data_type.kind {
        // Whatever else SQLite keeps in such a column, it compares it as it stands.
        TypeKind::Integer { .. } => true,
        TypeKind::Text { fixed, .. } => capabilities.compares_by_letter && fixed == *padded,
        TypeKind::Decimal { .. } | TypeKind::Uuid | TypeKind::Boolean => enforced,
        TypeKind::Date => enforced && !capabilities.stores_temporals_as_text,
        _ => false,
    };
    (same && fits).then_some(column)
}
