//! A schema in a few lines of text, for tests: DDL for each of the three databases, or a catalog without any database.
//!
//! ```text
//! customers(id pk, name text)                      # `pk` on one int or bigint column: numbered by the database
//! orders(id pk, customer_id -> customers.id on delete cascade, total decimal(10,2) check total >= 0, code text unique)
//! lines(order_id -> orders, no int, note text null default 'none', pk(order_id, no), unique(note, no))
//! notes(id pk, order_id int null, line int null, (order_id, line) -> lines(order_id, no) match full deferrable)
//! ```
//!
//! Columns are NOT NULL unless they say `null`. Types: `int bigint text varchar(n) decimal(p,s) bool date timestamp bytes
//! json uuid float`; without one a column has the type of the column it references, else `int`. A reference may say
//! `match full`, `deferrable` or `deferred` (initially), `on delete cascade|restrict|set null`, or `virtual`: then it is in the
//! catalog only. A CHECK is the last thing its column says, and speaks of columns without quotes. Names with odd characters
//! stand in double quotes. It knows no rows, no views and no namespaces.

use relink_model::{Deferrability, ReferentialAction};
use thiserror::Error;

mod catalog;
mod ddl;
mod parse;

/// A schema read from text.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    tables: Vec<Table>,
}

/// A text that is no schema, with the place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("schema text, line {line}, column {column}: {message}")]
pub struct SchemaTextError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What was expected.
    pub message: String,
}

impl Schema {
    /// Reads the text.
    pub fn parse(text: &str) -> Result<Self, SchemaTextError> {
        parse::parse(text)
    }
}

/// The schema of a text that a test wrote.
///
/// # Panics
/// Where the text is no schema.
pub fn schema(text: &str) -> Schema {
    Schema::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[derive(Clone, Debug, PartialEq)]
struct Table {
    name: String,
    columns: Vec<Column>,
    primary_key: Vec<String>,
    unique: Vec<Vec<String>>,
    references: Vec<Reference>,
    checks: Vec<String>,
}

impl Table {
    /// The integer column that the database numbers: the whole primary key, and no reference.
    fn numbered_column(&self) -> Option<&Column> {
        let [name] = self.primary_key.as_slice() else { return None };
        let column = self.columns.iter().find(|column| &column.name == name)?;
        let numbered = matches!(column.kind, Kind::Int | Kind::BigInt)
            && self.references.iter().all(|reference| !reference.columns.contains(name));
        numbered.then_some(column)
    }

    /// Names a constraint after its columns, alike on each database.
    fn constraint(&self, columns: &[String], suffix: &str) -> String {
        format!("{}_{}_{suffix}", self.name, columns.join("_"))
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Column {
    name: String,
    kind: Kind,
    nullable: bool,
    default: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    BigInt,
    Text,
    Varchar(u64),
    Decimal(u32, u32),
    Bool,
    Date,
    Timestamp,
    Bytes,
    Json,
    Uuid,
    Float,
}

#[derive(Clone, Debug, PartialEq)]
struct Reference {
    columns: Vec<String>,
    table: String,
    /// Empty until resolved: the referenced primary key.
    referenced_columns: Vec<String>,
    full: bool,
    deferrability: Deferrability,
    on_delete: ReferentialAction,
    is_virtual: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named_with_their_place() {
        let error = |text: &str| Schema::parse(text).expect_err("not a schema").to_string();
        assert_eq!(
            error("a(id pk)\nb(id pk, x strange)"),
            "schema text, line 2, column 12: \"strange\" is no type or modifier"
        );
        assert_eq!(error("a(id pk"), "schema text, line 1, column 8: expected ',' or ')'");
        assert_eq!(error("a(id pk, b -> c.id)"), "schema text, line 1, column 15: no relation c");
        assert_eq!(error("a(id pk, b -> a.no)"), "schema text, line 1, column 15: a has no column no");
        assert_eq!(error("a(id pk, unique(id, no))"), "schema text, line 1, column 10: a has no column no");
        assert_eq!(error("a(id pk)\na(id pk)"), "schema text, line 2, column 1: a is there twice");
        assert_eq!(error("a(n decimal)"), "schema text, line 1, column 12: expected '('");
    }

    #[test]
    fn every_part_reaches_the_catalog() {
        let catalog = schema(
            "orders(id pk, customer_id int null -> customers.id deferrable, total decimal(10,2) check total >= 0, code text unique)
             customers(id pk, name text) # a comment
             \"odd \"\"name\"(a int, b int null, pk(b, a), unique(a, b), (a, b) -> \"odd \"\"name\"(b, a) match full virtual)",
        )
        .catalog();
        insta::assert_json_snapshot!(
            catalog
                .relations
                .iter()
                .map(|r| (&r.name, &r.primary_key, &r.unique_keys, &r.foreign_keys, &r.checks))
                .collect::<Vec<_>>()
        );
        let orders = catalog.relation(catalog.find("orders").expect("orders"));
        assert_eq!(orders.numbered_column().map(|column| column.name.as_str()), Some("id"));
        let odd = catalog.relation(catalog.find("odd \"name").expect("a quoted name"));
        assert!(odd.numbered_column().is_none() && odd.columns[1].nullable);
    }

    #[test]
    fn a_child_that_shares_its_parents_key_is_not_numbered_and_takes_its_type() {
        let catalog = schema("items(id bigint pk)\nbooks(item_id pk -> items)").catalog();
        let books = catalog.relation(catalog.find("books").expect("books"));
        assert!(books.numbered_column().is_none());
        assert_eq!(books.columns[0].data_type.declared, "bigint");
        assert_eq!(books.foreign_keys[0].referenced_columns, ["id"]);
    }

    #[test]
    fn ddl_is_written_for_each_database() {
        let schema = schema(
            "documents(id pk, current_id null -> versions.id deferred, title varchar(80) default 'it''s', body text unique)
             versions(id pk, document_id -> documents.id on delete cascade, document_body text -> documents.body, data bytes, meta json null)",
        );
        for dialect in ["sqlite", "postgres", "mysql"] {
            insta::assert_snapshot!(format!("ddl_{dialect}"), schema.ddl(dialect));
        }
    }
}
