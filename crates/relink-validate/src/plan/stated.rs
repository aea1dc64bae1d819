//! What the schema states in SQL, in the rules' language as far as that surely says the same.

use relink_db::{Capabilities, dialect_of};
use relink_model::{Column, Relation, TypeKind};
use relink_rules::{Expression, Held};

use super::Planning;

/// A CHECK, a predicate or a part of an index; `None` where only the database can tell.
pub(super) fn read(planning: &Planning<'_>, relation: &Relation, sql: &str) -> Option<Expression> {
    let of_catalog = dialect_of(&planning.catalog.server);
    let capabilities = planning.dialect.or(of_catalog.as_deref()).map(relink_db::Dialect::capabilities);
    relink_rules::of_sql(sql, &|name| {
        // Names without quotes may be written in either case.
        let exact = relation.columns.iter().find(|column| column.name == name);
        let mut alike = relation.columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
        let column = exact.or_else(|| alike.next().filter(|_| alike.next().is_none()))?;
        Some((column.name.clone(), held(column, capabilities)))
    })
}

fn held(column: &Column, capabilities: Option<&Capabilities>) -> Held {
    let exact = capabilities.is_some_and(|capabilities| capabilities.enforces_types);
    // A collation that is named is one by letters where only those of the database's own types can be.
    let by_letter = capabilities.is_some_and(|capabilities| {
        capabilities.compares_by_letter
            && !column.case_insensitive
            && (capabilities.enforces_types || column.collation.is_none())
    });
    match column.data_type.kind {
        TypeKind::Boolean => Held::Truth,
        // Where a difference of unsigned numbers is no error, and where it wraps, differs.
        TypeKind::Integer { unsigned: false, .. } => Held::Whole,
        TypeKind::Decimal { unsigned: false, .. } if exact => Held::Exact,
        TypeKind::Float { bits: 64 } | TypeKind::Decimal { .. } => Held::Float,
        TypeKind::Text { fixed: false, .. } if by_letter => {
            Held::Text { counted: capabilities.is_some_and(|capabilities| !capabilities.text_holds_nul) }
        }
        TypeKind::Date => Held::Day,
        TypeKind::Timestamp { zoned: false, .. } if exact => Held::Wall,
        TypeKind::Timestamp { zoned: true, .. } if exact => Held::Instant,
        _ => Held::Other,
    }
}
