//! The statements that insert rows, built through sea-query once per target and reused, and what all statements that write
//! have in common.
//!
//! Parameters stand in the SQL as the dialect's own placeholders (with its casts), in row order, column by column;
//! [`BindClass`] says with which Rust type each is bound. Nothing here binds or runs anything: that is each
//! dialect's `write` module.

use std::{collections::VecDeque, sync::Arc};

use relink_model::{Column, ColumnType, Relation, RelationName, TypeKind};
use sea_query::{
    Alias, Expr, IntoTableRef, MysqlQueryBuilder, PostgresQueryBuilder, Query, QueryStatementBuilder,
    SqliteQueryBuilder, TableRef,
};

use crate::{DbError, DbErrorKind, Dialect, InsertTarget, ResultRow};

/// Statements that a cache holds at most. A restore writes one relation after the other, with one full size and one
/// tail each, so few are in use at a time; some are hundreds of kilobytes of SQL.
const STATEMENTS_MAX: usize = 48;

/// Which SQL builder writes the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlBuilder {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

impl SqlBuilder {
    fn build(self, statement: &impl QueryStatementBuilder) -> String {
        // Every value is a custom expression holding a placeholder, so sea-query itself collects no values.
        let (sql, values) = match self {
            Self::Sqlite => statement.build_any(&SqliteQueryBuilder),
            Self::Postgres => statement.build_any(&PostgresQueryBuilder),
            Self::MySql => statement.build_any(&MysqlQueryBuilder),
        };
        debug_assert!(values.0.is_empty(), "placeholders are written by the dialect");
        sql
    }
}

/// With which Rust type a parameter of a column's type is bound, NULL included: a prepared statement keeps the
/// parameter types of its first execution, so they must not vary with the values of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindClass {
    /// `bool`.
    Boolean,
    /// `i64`.
    Integer,
    /// `f64`.
    Float,
    /// Text, or what travels as text in the database's input syntax.
    Text,
    /// Bytes.
    Bytes,
    /// Whatever the value is (SQLite without a declared type).
    Dynamic,
}

impl BindClass {
    /// The class of a column type.
    pub(crate) fn of(data_type: &ColumnType) -> Self {
        match data_type.kind {
            TypeKind::Boolean => Self::Boolean,
            TypeKind::Integer { .. } => Self::Integer,
            TypeKind::Float { .. } => Self::Float,
            TypeKind::Bytes { .. } => Self::Bytes,
            TypeKind::Dynamic => Self::Dynamic,
            TypeKind::Decimal { .. }
            | TypeKind::Text { .. }
            | TypeKind::Date
            | TypeKind::Time { .. }
            | TypeKind::Timestamp { .. }
            | TypeKind::Interval
            | TypeKind::Uuid
            | TypeKind::Json
            | TypeKind::Enum { .. }
            | TypeKind::Set { .. }
            | TypeKind::Array { .. }
            | TypeKind::Other => Self::Text,
        }
    }
}

/// A built statement. Cloning it copies no SQL.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// The SQL.
    pub(crate) sql: Arc<str>,
    /// How the parameters of one row are bound, in order; a multi-row statement repeats it.
    pub(crate) binds: Arc<[BindClass]>,
}

/// How many rows one statement of this many columns takes.
pub(crate) fn rows_per_statement(columns: usize, parameters_max: usize, rows_cap: usize) -> usize {
    // Without columns the statement is `DEFAULT VALUES`, which takes a single row.
    parameters_max.checked_div(columns).map_or(1, |rows| rows.clamp(1, rows_cap.max(1)))
}

/// The statements of one connection, the most recently used first.
#[derive(Debug)]
pub(crate) struct StatementCache {
    builder: SqlBuilder,
    inserts: VecDeque<CachedInsert>,
}

#[derive(Debug)]
struct CachedInsert {
    target: InsertTarget,
    rows: usize,
    statement: Statement,
}

impl StatementCache {
    /// An empty cache.
    pub(crate) fn new(builder: SqlBuilder) -> Self {
        Self { builder, inserts: VecDeque::new() }
    }

    /// The `INSERT` of this many rows into the target.
    pub(crate) fn insert(&mut self, dialect: &dyn Dialect, target: &InsertTarget, rows: usize) -> Statement {
        let found = self.inserts.iter().position(|cached| cached.rows == rows && &cached.target == target);
        let cached = match found {
            Some(0) => return self.inserts[0].statement.clone(),
            Some(index) => self.inserts.remove(index).expect("the index was just found"),
            None => {
                self.inserts.truncate(STATEMENTS_MAX - 1);
                CachedInsert {
                    target: target.clone(),
                    rows,
                    statement: insert_statement(self.builder, dialect, target, rows),
                }
            }
        };
        let statement = cached.statement.clone();
        self.inserts.push_front(cached);
        statement
    }
}

/// Builds the `INSERT` of `rows` rows.
fn insert_statement(builder: SqlBuilder, dialect: &dyn Dialect, target: &InsertTarget, rows: usize) -> Statement {
    let mut insert = Query::insert();
    insert.into_table(table_ref(&target.relation));
    if target.columns.is_empty() {
        insert.or_default_values_many(rows as u32);
    } else {
        insert.columns(target.columns.iter().map(|column| Alias::new(&column.name)));
    }
    // Without values sea-query writes exactly what stands before them.
    let head = if target.overrides_identity { builder.build(&insert).len() } else { 0 };
    let mut ordinal = 0;
    for _ in 0..rows {
        let row = target.columns.iter().map(|column| {
            ordinal += 1;
            Expr::cust(dialect.placeholder(ordinal, &column.data_type))
        });
        insert.values(row).expect("one value per column");
    }
    let mut sql = builder.build(&insert);
    if target.overrides_identity && !target.columns.is_empty() {
        // sea-query cannot write the clause that stands between the column list and VALUES, so it goes in where the
        // head ends; searching the text for VALUES would trip over a column of that name.
        sql.insert_str(head, " OVERRIDING SYSTEM VALUE");
    }
    if builder == SqlBuilder::Sqlite {
        // A table may be declared ON CONFLICT REPLACE or IGNORE: a row that cannot be inserted must fail, not delete another or vanish.
        sql = sql.replacen("INSERT INTO", "INSERT OR ABORT INTO", 1);
    }
    let binds = target.columns.iter().map(|column| BindClass::of(&column.data_type)).collect();
    Statement { sql: sql.into(), binds }
}

/// The `INSERT` of one row whose values are SQL literals already.
pub(crate) fn literal_insert(dialect: &dyn Dialect, verb: &str, target: &InsertTarget, literals: &[String]) -> String {
    let columns: Vec<String> = target.columns.iter().map(|column| dialect.quote(&column.name)).collect();
    let overriding = if target.overrides_identity { " OVERRIDING SYSTEM VALUE" } else { "" };
    format!(
        "{verb} {} ({}){overriding} VALUES ({})",
        dialect.quote_relation(&target.relation),
        columns.join(", "),
        literals.join(", ")
    )
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The columns of these names.
pub(crate) fn columns<'a>(relation: &'a Relation, names: &[String]) -> Result<Vec<&'a Column>, DbError> {
    let column = |name: &String| relation.column(name).map(|(_, column)| column);
    names.iter().map(|name| column(name).ok_or_else(|| no_column(relation, name))).collect()
}

/// The columns that name the rows of a change. Without any, a change would be one of all rows, which nobody means by it.
pub(crate) fn key_columns<'a>(relation: &'a Relation, names: &[String]) -> Result<Vec<&'a Column>, DbError> {
    if names.is_empty() {
        let message = format!("rows of {} are to be changed by key, and no column of the key is given", relation.name);
        return Err(DbError::new(DbErrorKind::Unsupported, message));
    }
    columns(relation, names)
}

/// An expression that somebody else wrote, such that what follows is no part of it: it may end in a comment.
pub(crate) fn enclosed(expression: &str) -> String {
    format!("({expression}\n)")
}

/// The name of a further column beside the relation's own.
pub(crate) fn free_name(relation: &Relation, wanted: &str) -> String {
    let is_taken = |name: &str| relation.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let mut name = wanted.to_owned();
    while is_taken(&name) {
        name.push('_');
    }
    name
}

/// The result of expressions over so many rows, unless one of them made more or fewer of them.
pub(crate) fn one_for_each(result: Vec<ResultRow>, rows: usize) -> Result<Vec<ResultRow>, DbError> {
    if result.len() == rows {
        return Ok(result);
    }
    let message = format!("an expression gave {} rows for {rows}: it must give one value for each", result.len());
    Err(DbError::new(DbErrorKind::Unsupported, message))
}

/// The error for a column that the relation does not have.
pub(crate) fn no_column(relation: &Relation, name: &str) -> DbError {
    let mut error = DbError::new(DbErrorKind::Other, format!("{} has no column {name}", relation.name));
    error.relation = Some(relation.name.to_string());
    error.column = Some(name.to_owned());
    error
}

fn table_ref(name: &RelationName) -> TableRef {
    match &name.namespace {
        Some(namespace) => (Alias::new(namespace), Alias::new(&name.name)).into_table_ref(),
        None => Alias::new(&name.name).into_table_ref(),
    }
}

#[cfg(test)]
mod tests {
    use relink_model::ForeignKey;

    use super::*;
    use crate::{Capabilities, InsertColumn};

    /// Placeholders as PostgreSQL has them, for texts that show casts and numbering.
    struct Numbered;

    impl Dialect for Numbered {
        fn name(&self) -> &'static str {
            "numbered"
        }
        fn capabilities(&self) -> &Capabilities {
            unreachable!("statements ask for placeholders only")
        }
        fn journal_exists(&self) -> String {
            unreachable!()
        }
        fn journal_table(&self) -> String {
            unreachable!()
        }
        fn quote(&self, identifier: &str) -> String {
            format!("\"{identifier}\"")
        }
        fn placeholder(&self, ordinal: usize, data_type: &ColumnType) -> String {
            match BindClass::of(data_type) {
                BindClass::Text => format!("CAST(${ordinal} AS {})", data_type.declared),
                _ => format!("${ordinal}"),
            }
        }
        fn read_expression(&self, _: &str, _: &Column) -> String {
            unreachable!()
        }
        fn by_letter(&self, _: &str, _: &Column) -> Option<String> {
            unreachable!("not asked")
        }
        fn has_print(&self, _: &str) -> String {
            unreachable!("not asked")
        }
        fn orphans(&self, _: &Relation, _: &ForeignKey, _: &Relation) -> crate::AntiJoin {
            unreachable!()
        }
        fn refers(&self, _: &Relation, _: &ForeignKey, _: &Relation) -> String {
            unreachable!()
        }
        fn exact_numeric(&self, _: &str) -> String {
            unreachable!()
        }
        fn row_locator(&self, _: &str, _: &Relation) -> Option<String> {
            unreachable!()
        }
    }

    fn integer() -> ColumnType {
        ColumnType { declared: "bigint".into(), kind: TypeKind::Integer { bits: 64, unsigned: false } }
    }

    fn uuid() -> ColumnType {
        ColumnType { declared: "uuid".into(), kind: TypeKind::Uuid }
    }

    fn target(overrides_identity: bool) -> InsertTarget {
        InsertTarget {
            relation: RelationName::qualified("shop", "an \"odd\" one"),
            columns: vec![
                InsertColumn { name: "id) VALUES (".into(), data_type: integer() },
                InsertColumn { name: "key".into(), data_type: uuid() },
            ],
            overrides_identity,
        }
    }

    fn insert(builder: SqlBuilder, target: &InsertTarget, rows: usize) -> Statement {
        StatementCache::new(builder).insert(&Numbered, target, rows)
    }

    #[test]
    fn rows_follow_each_other_with_numbered_casts() {
        let statement = insert(SqlBuilder::Postgres, &target(false), 2);
        assert_eq!(
            &*statement.sql,
            "INSERT INTO \"shop\".\"an \"\"odd\"\" one\" (\"id) VALUES (\", \"key\") \
             VALUES ($1, CAST($2 AS uuid)), ($3, CAST($4 AS uuid))"
        );
        assert_eq!(&*statement.binds, [BindClass::Integer, BindClass::Text]);
    }

    #[test]
    fn identity_override_stands_before_values_whatever_the_columns_are_called() {
        let statement = insert(SqlBuilder::Postgres, &target(true), 1);
        assert!(
            statement
                .sql
                .ends_with("(\"id) VALUES (\", \"key\") OVERRIDING SYSTEM VALUE VALUES ($1, CAST($2 AS uuid))"),
            "{}",
            statement.sql
        );
    }

    #[test]
    fn a_row_without_columns_takes_all_defaults() {
        let empty = InsertTarget { relation: RelationName::new("t"), columns: Vec::new(), overrides_identity: true };
        assert_eq!(&*insert(SqlBuilder::Sqlite, &empty, 1).sql, "INSERT OR ABORT INTO \"t\" DEFAULT VALUES");
        assert_eq!(&*insert(SqlBuilder::Postgres, &empty, 1).sql, "INSERT INTO \"t\" VALUES (DEFAULT)");
        assert_eq!(&*insert(SqlBuilder::MySql, &empty, 1).sql, "INSERT INTO `t` VALUES ()");
        assert_eq!(rows_per_statement(0, 100, 100), 1);
    }

    #[test]
    fn identifiers_are_quoted_by_the_builder() {
        let odd = InsertTarget {
            relation: RelationName::new("or`der"),
            columns: vec![InsertColumn { name: "select".into(), data_type: integer() }],
            overrides_identity: false,
        };
        assert_eq!(&*insert(SqlBuilder::MySql, &odd, 1).sql, "INSERT INTO `or``der` (`select`) VALUES ($1)");
    }

    #[test]
    fn rows_per_statement_respects_both_limits() {
        assert_eq!(rows_per_statement(3, 32_766, 100_000), 10_922);
        assert_eq!(rows_per_statement(3, 65_535, 1_000), 1_000);
        assert_eq!(rows_per_statement(40_000, 32_766, 1_000), 1);
    }

    #[test]
    fn the_cache_reuses_statements_and_stays_bounded() {
        let mut cache = StatementCache::new(SqlBuilder::Sqlite);
        let first = cache.insert(&Numbered, &target(false), 1);
        for rows in 2..=STATEMENTS_MAX + 5 {
            cache.insert(&Numbered, &target(false), rows);
            assert!(Arc::ptr_eq(&first.sql, &cache.insert(&Numbered, &target(false), 1).sql));
        }
        assert_eq!(cache.inserts.len(), STATEMENTS_MAX);
        assert!(!Arc::ptr_eq(&first.sql, &cache.insert(&Numbered, &target(true), 1).sql));
    }

    #[test]
    fn a_literal_row_names_its_columns_and_overrides_identity() {
        let literals = ["1".to_owned(), "'x'".to_owned()];
        assert_eq!(
            literal_insert(&Numbered, "INSERT INTO", &target(true), &literals),
            "INSERT INTO \"shop\".\"an \"odd\" one\" (\"id) VALUES (\", \"key\") OVERRIDING SYSTEM VALUE VALUES (1, 'x')"
        );
        assert_eq!(hex(&[0, 0x1f, 0xff]), "001fff");
    }

    #[test]
    fn a_further_column_takes_no_name_that_is_there() {
        let column = |name: &str| Column { name: name.into(), ..Column::default() };
        let relation = Relation { columns: vec![column("Place"), column("place_")], ..Relation::default() };
        assert_eq!(free_name(&relation, "place"), "place__");
        assert_eq!(free_name(&relation, "other"), "other");
    }

    #[test]
    fn rows_are_not_changed_without_a_key() {
        let column = Column { name: "a".into(), ..Column::default() };
        let relation = Relation { name: RelationName::new("t"), columns: vec![column], ..Relation::default() };
        assert_eq!(key_columns(&relation, &["a".to_owned()]).expect("it exists")[0].name, "a");
        let missing = key_columns(&relation, &["c".to_owned()]).expect_err("there is no c");
        assert_eq!(missing.column.as_deref(), Some("c"));
        assert_eq!(key_columns(&relation, &[]).expect_err("all rows").kind, DbErrorKind::Unsupported);
    }
}
