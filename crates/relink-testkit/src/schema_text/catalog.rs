//! From [`Schema`] to the catalog that introspection would find, but for the types' own words: these are the text's.

use relink_model::{
    Catalog, Check, Column as ModelColumn, ColumnType, ConstraintName, Enforcement, ForeignKey, MatchKind, PrimaryKey,
    Relation, RelationName, ServerInfo, TypeKind, UniqueKey,
};

use super::{Kind, Schema, Table};

impl Schema {
    /// The catalog, without any database. Every relation is owned.
    pub fn catalog(&self) -> Catalog {
        Catalog::new(ServerInfo::default(), self.tables.iter().map(relation).collect())
    }
}

fn relation(table: &Table) -> Relation {
    let mut foreign_keys: Vec<ForeignKey> = table
        .references
        .iter()
        .map(|reference| ForeignKey {
            name: (!reference.is_virtual).then(|| ConstraintName(table.constraint(&reference.columns, "fk"))),
            columns: reference.columns.clone(),
            referenced: RelationName::new(&reference.table),
            referenced_columns: reference.referenced_columns.clone(),
            match_kind: if reference.full { MatchKind::Full } else { MatchKind::Simple },
            on_delete: reference.on_delete,
            on_update: relink_model::ReferentialAction::NoAction,
            deferrability: reference.deferrability,
            enforcement: if reference.is_virtual { Enforcement::Virtual } else { Enforcement::Enforced },
        })
        .collect();
    foreign_keys.sort_by(|a, b| (&a.name, &a.columns).cmp(&(&b.name, &b.columns)));
    let mut unique_keys: Vec<UniqueKey> = table
        .unique
        .iter()
        .map(|columns| UniqueKey {
            name: ConstraintName(table.constraint(columns, "key")),
            columns: columns.clone(),
            expressions: None,
            predicate: None,
            nulls_not_distinct: false,
            deferrability: relink_model::Deferrability::NotDeferrable,
            valid: true,
        })
        .collect();
    unique_keys.sort_by(|a, b| a.name.cmp(&b.name));
    let checks = table.checks.iter().enumerate().map(|(index, expression)| Check {
        name: Some(ConstraintName(format!("{}_check{}", table.name, index + 1))),
        expression: expression.clone(),
        enforcement: Enforcement::Enforced,
    });
    Relation {
        name: RelationName::new(&table.name),
        columns: table.columns.iter().map(|column| model_column(table, column)).collect(),
        primary_key: (!table.primary_key.is_empty())
            .then(|| PrimaryKey { name: None, columns: table.primary_key.clone() }),
        unique_keys,
        foreign_keys,
        checks: checks.collect(),
        owned: true,
        ..Relation::default()
    }
}

fn model_column(table: &Table, column: &super::Column) -> ModelColumn {
    ModelColumn {
        name: column.name.clone(),
        data_type: column_type(column.kind),
        nullable: column.nullable,
        default: column.default.clone(),
        auto_increment: table.numbered_column() == Some(column),
        ..ModelColumn::default()
    }
}

fn column_type(kind: Kind) -> ColumnType {
    let text = |max_chars| TypeKind::Text { max_chars, max_bytes: None, fixed: false };
    let (declared, kind) = match kind {
        Kind::Int => ("int".to_owned(), TypeKind::Integer { bits: 32, unsigned: false }),
        Kind::BigInt => ("bigint".to_owned(), TypeKind::Integer { bits: 64, unsigned: false }),
        Kind::Text => ("text".to_owned(), text(None)),
        Kind::Varchar(length) => (format!("varchar({length})"), text(Some(length))),
        Kind::Decimal(precision, scale) => (
            format!("decimal({precision},{scale})"),
            TypeKind::Decimal {
                precision: Some(precision),
                scale: Some(scale as i32),
                special: false,
                unsigned: false,
            },
        ),
        Kind::Bool => ("bool".to_owned(), TypeKind::Boolean),
        Kind::Date => ("date".to_owned(), TypeKind::Date),
        Kind::Timestamp => ("timestamp".to_owned(), TypeKind::Timestamp { zoned: false, precision: 6 }),
        Kind::Bytes => ("bytes".to_owned(), TypeKind::Bytes { max_bytes: None }),
        Kind::Json => ("json".to_owned(), TypeKind::Json),
        Kind::Uuid => ("uuid".to_owned(), TypeKind::Uuid),
        Kind::Float => ("float".to_owned(), TypeKind::Float { bits: 64 }),
    };
    ColumnType { declared, kind }
}
