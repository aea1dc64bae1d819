//! Damage for a database that holds the clean data: a script for each database that plants it past the constraints, and
//! what a validation with `relink.toml` must find afterwards.
//!
//! Everything planted is a new row with an id past those of the clean data, so the same scripts fit clean data of any
//! size. How a database is made to look away differs: SQLite switches enforcement off and has its stored schema
//! rewritten, PostgreSQL needs a superuser who says it is a replica and edits the catalog, MariaDB switches checks off
//! for the session and offers no way around a unique key or NOT NULL.

mod enforcement;
mod rows;

use std::collections::BTreeMap;

use serde::Serialize;

use super::schema::Table;
use super::sql::{self, Database};
use enforcement::{after_postgres, after_sqlite, before_postgres, before_sqlite};
use rows::{PlantedRow, planted};

/// Unique keys that get duplicates: table, columns, and whether PostgreSQL is told that it cannot trust the index.
const BROKEN_UNIQUE: [(Table, &[&str], bool); 3] = [
    (Table::Item, &["sku"], true),
    (Table::ItemTags, &["item_id", "tag_id"], true),
    (Table::Order, &["number"], false),
];

/// CHECK constraints that get violations: table, column in the constraint's name, expression.
const BROKEN_CHECKS: [(Table, &str, &str); 2] = [
    (Table::Stock, "quantity", "\"quantity\" >= 0"),
    (Table::Movement, "kind", "\"kind\" IN ('receipt', 'issue', 'transfer', 'count')"),
];

/// The foreign key that PostgreSQL is left with as NOT VALID.
const UNVALIDATED: (Table, &str, &str) = (Table::AuditEntry, "content_type_id", "django_content_type");

/// The NOT NULL column that gets a NULL.
const BROKEN_NOT_NULL: (Table, &str) = (Table::Supplier, "email");

/// What a validation must find, and what it must not.
#[derive(Debug, Serialize)]
pub struct Expected {
    /// The scripts that plant it.
    scripts: Vec<String>,
    /// Every check that must fail: these, and no others.
    findings: Vec<ExpectedFinding>,
    /// Planted rows that are right although they look odd.
    valid: Vec<ValidRow>,
}

/// One failing check.
#[derive(Debug, Serialize)]
struct ExpectedFinding {
    check: String,
    /// Where it fails with these rows. A check that fails elsewhere with other rows has an entry of its own for that.
    databases: Vec<&'static str>,
    /// How many rows fail; none for a check that judges the schema.
    rows: usize,
    keys: Vec<BTreeMap<&'static str, String>>,
    what: Vec<&'static str>,
}

/// A planted row without mistake.
#[derive(Debug, Serialize)]
struct ValidRow {
    table: &'static str,
    databases: Vec<&'static str>,
    key: BTreeMap<&'static str, String>,
    what: &'static str,
}

/// The script that plants the damage into a database with the clean data.
pub fn script(database: Database) -> String {
    let mut script = format!(
        "-- Made by the generator. Plants damage into a {} database that holds the clean data.\n",
        product(database)
    );
    script.push_str(match database {
        Database::Sqlite => "-- Not within a transaction: PRAGMA foreign_keys does nothing there.\n",
        Database::Postgres => "-- As superuser.\n",
        Database::Mysql => "-- For MariaDB: MySQL knows no check_constraint_checks.\n",
    });
    match database {
        Database::Sqlite => before_sqlite(&mut script),
        Database::Postgres => before_postgres(&mut script),
        Database::Mysql => script.push_str(
            "SET NAMES utf8mb4;\nSET foreign_key_checks = 0;\nSET check_constraint_checks = 0;\nSET sql_mode = '';\n",
        ),
    }
    let mut inserts = Vec::new();
    for row in planted().into_iter().filter(|row| row.databases.contains(&database)) {
        let columns: Vec<&str> = row.table.spec().columns.iter().map(|column| column.name).collect();
        inserts.extend_from_slice(format!("\n-- {}\n", row.what).as_bytes());
        sql::write_insert(&mut inserts, database, row.table, &columns, &[row.cells]).expect("a Vec takes every write");
    }
    script.push_str(&String::from_utf8(inserts).expect("statements are UTF-8"));
    script.push('\n');
    match database {
        Database::Sqlite => after_sqlite(&mut script),
        Database::Postgres => after_postgres(&mut script),
        Database::Mysql => {
            script.push_str("SET sql_mode = DEFAULT;\nSET check_constraint_checks = 1;\nSET foreign_key_checks = 1;\n");
        }
    }
    script
}

/// What must be found after the scripts.
pub fn expected() -> Expected {
    let rows = planted();
    let mut checks: BTreeMap<String, BTreeMap<&'static str, Vec<&PlantedRow>>> = BTreeMap::new();
    for row in &rows {
        for (check, database) in row.breaks.iter().flat_map(|check| row.databases.iter().map(move |on| (check, on))) {
            checks.entry(check.clone()).or_default().entry(database.name()).or_default().push(row);
        }
    }
    let mut findings = Vec::new();
    for (check, by_database) in checks {
        let mut same: Vec<(Vec<&'static str>, Vec<&PlantedRow>)> = Vec::new();
        for database in Database::ALL.map(Database::name) {
            let Some(rows) = by_database.get(database) else { continue };
            let ids: Vec<_> = rows.iter().map(|row| row.key()).collect();
            match same.iter_mut().find(|(_, others)| others.iter().map(|row| row.key()).eq(ids.iter().cloned())) {
                Some((databases, _)) => databases.push(database),
                None => same.push((vec![database], rows.clone())),
            }
        }
        findings.extend(same.into_iter().map(|(databases, rows)| {
            let mut what: Vec<&'static str> = rows.iter().map(|row| row.what).collect();
            what.dedup();
            let keys = rows.iter().map(|row| row.key()).collect::<Vec<_>>();
            ExpectedFinding { check: check.clone(), databases, rows: keys.len(), keys, what }
        }));
    }
    findings.extend(distrusted());
    let is_valid = |row: &&PlantedRow| row.breaks.is_empty();
    let valid = rows.iter().filter(is_valid).map(|row| ValidRow {
        table: row.table.spec().name,
        databases: row.databases.iter().map(|database| database.name()).collect(),
        key: row.key(),
        what: row.what,
    });
    Expected {
        scripts: Database::ALL.map(|database| format!("dirty.{}.sql", database.name())).to_vec(),
        findings,
        valid: valid.collect(),
    }
}

/// Constraints that PostgreSQL's own catalog does not vouch for after its script.
fn distrusted() -> Vec<ExpectedFinding> {
    let stated = |check: String, what| ExpectedFinding {
        check: format!("trust:{check}"),
        databases: vec![Database::Postgres.name()],
        rows: 0,
        keys: Vec::new(),
        what: vec![what],
    };
    let unique = BROKEN_UNIQUE.iter().filter(|(.., distrusted)| *distrusted).map(|(table, columns, _)| {
        let check = format!("unique:{}[{}]", table.spec().name, unique_name(*table, columns));
        stated(check, "a unique index that is marked invalid")
    });
    let checks = BROKEN_CHECKS.iter().map(|(table, column, _)| {
        stated(format!("check:{}.{}", table.spec().name, check_name(*table, column)), "a CHECK that is NOT VALID")
    });
    let (table, column, _) = UNVALIDATED;
    let key = stated(format!("ref:{}.{column}", table.spec().name), "a foreign key that is NOT VALID");
    unique.chain(checks).chain([key]).collect()
}

fn product(database: Database) -> &'static str {
    match database {
        Database::Sqlite => "SQLite",
        Database::Postgres => "PostgreSQL",
        Database::Mysql => "MariaDB",
    }
}

fn unique_name(table: Table, columns: &[&str]) -> String {
    format!("{}_{}_uniq", table.spec().name, columns.join("_"))
}

fn check_name(table: Table, column: &str) -> String {
    format!("{}_{column}_check", table.spec().name)
}
