//! The stocktake sample in real databases, asked in plain SQL: the clean rows satisfy every constraint, the scripts of
//! damage plant what `dirty.expected.json` says, and no other orphan.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use relink_testkit::TestDatabase;
use relink_testkit::stocktake::sql::{self, Database};
use relink_testkit::stocktake::{RECORDS_MIN, SEED, Stocktake, Table, csv, samples};
use serde_json::Value;

fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stocktake").join(name)
}

fn kind(database: &TestDatabase) -> Database {
    Database::ALL.into_iter().find(|kind| kind.name() == database.dialect()).unwrap()
}

fn inserts(stocktake: &Stocktake, database: Database) -> String {
    let mut rows = Vec::new();
    sql::write_rows(stocktake, database, &mut rows).unwrap();
    String::from_utf8(rows).unwrap()
}

/// Makes the schema and fills it, with every constraint enforced that the order of the rows lets the server enforce.
fn fill(database: &TestDatabase, stocktake: &Stocktake) {
    let kind = kind(database);
    let (before, after) = match kind {
        Database::Sqlite => ("PRAGMA foreign_keys = ON;\nBEGIN;\nPRAGMA defer_foreign_keys = ON;\n", "COMMIT;\n"),
        Database::Postgres => ("BEGIN;\n", "COMMIT;\n"),
        // InnoDB defers nothing, and rows come in the order of their ids: the foreign keys are asked afterwards.
        Database::Mysql => ("SET foreign_key_checks = 0;\nSTART TRANSACTION;\n", "COMMIT;\n"),
    };
    database.run(kind.schema());
    database.run(&format!("{before}{}{after}", inserts(stocktake, kind)));
}

/// A foreign key: the check's id, the referencing table, pairs of columns, the referenced table.
type Key = (String, &'static str, Vec<(&'static str, &'static str)>, &'static str);

/// The ids of the rows that break each foreign key, by the check's id: every declared key, the virtual one, the
/// composite one.
fn orphans(database: &TestDatabase) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys: Vec<Key> = Vec::new();
    for table in Table::ALL {
        let spec = table.spec();
        for column in spec.columns {
            if let Some(target) = column.references {
                let check = format!("ref:{}.{}", spec.name, column.name);
                keys.push((check, spec.name, vec![(column.name, "id")], target.spec().name));
            }
        }
    }
    let virtual_key = "ref:stocktake_order.deliver_to".to_owned();
    keys.push((virtual_key, "stocktake_order", vec![("deliver_to", "code")], "stocktake_location"));
    let pair = vec![("item_id", "item_id"), ("location_id", "location_id")];
    let composite = "ref:stocktake_movement(item_id,location_id)".to_owned();
    keys.push((composite, "stocktake_movement", pair, "stocktake_stock"));

    let mut found = BTreeMap::new();
    for (check, referencing, columns, referenced) in keys {
        let given: Vec<String> = columns.iter().map(|(from, _)| format!("c.{from} IS NOT NULL")).collect();
        let equal: Vec<String> = columns.iter().map(|(from, to)| format!("p.{to} = c.{from}")).collect();
        let ids = ids(
            database,
            &format!(
                "SELECT c.id FROM {referencing} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {referenced} p WHERE {})",
                given.join(" AND "),
                equal.join(" AND ")
            ),
        );
        if !ids.is_empty() {
            found.insert(check, ids);
        }
    }
    found
}

fn ids(database: &TestDatabase, query: &str) -> BTreeSet<String> {
    database.rows(query).into_iter().map(|row| row.into_iter().next().unwrap().unwrap()).collect()
}

/// The keys of the rows that each check must find on this database.
fn expected(database: &TestDatabase) -> BTreeMap<String, BTreeSet<String>> {
    let expected: Value =
        serde_json::from_slice(&fs::read(committed(samples::DIRTY_DATABASE_EXPECTED)).unwrap()).unwrap();
    let mut checks = BTreeMap::new();
    for finding in expected["findings"].as_array().unwrap() {
        if !finding["databases"].as_array().unwrap().iter().any(|name| name == database.dialect()) {
            continue;
        }
        let keys: Vec<&Value> = finding["keys"].as_array().unwrap().iter().collect();
        assert_eq!(keys.len() as u64, finding["rows"].as_u64().unwrap(), "{finding}");
        let ids = keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect();
        let twice = checks.insert(finding["check"].as_str().unwrap().to_owned(), ids);
        assert_eq!(twice, None, "one entry per check and database: {finding}");
    }
    checks
}

#[test]
fn clean_rows_satisfy_every_constraint_and_leave_no_orphan() {
    for database in TestDatabase::each("clean_rows_satisfy") {
        fill(&database, &Stocktake::new(SEED, samples::RECORDS));
        assert_eq!(orphans(&database), BTreeMap::new(), "{database:?}");
        for table in Table::ALL {
            let count = database.value(&format!("SELECT count(*) FROM {}", table.spec().name));
            let written = Stocktake::new(SEED, samples::RECORDS).count(table);
            assert_eq!(count, written.to_string(), "{database:?} {}", table.spec().name);
        }
    }
}

#[test]
fn clean_rows_are_sound_at_every_size() {
    for records in [RECORDS_MIN as u64, 777, 3_001, 9_999] {
        let stocktake = Stocktake::new(SEED, records);
        assert_eq!(stocktake.records(), records);
        let database = TestDatabase::sqlite();
        fill(&database, &stocktake);
        assert_eq!(database.rows("PRAGMA foreign_key_check"), Vec::<Vec<Option<String>>>::new(), "{records}");
        assert_eq!(database.value("PRAGMA integrity_check"), "ok", "{records}");
    }
}

#[test]
fn each_script_plants_the_orphans_that_are_expected_and_no_others() {
    for database in TestDatabase::each("plants_orphans") {
        // Other rows and another size than the samples have: the scripts fit any.
        fill(&database, &Stocktake::new(SEED + 1, 900));
        let script = fs::read_to_string(committed(&format!("dirty.{}.sql", database.dialect()))).unwrap();
        database.run(&script);
        let mut expected = expected(&database);
        expected.retain(|check, _| check.starts_with("ref:"));
        assert_eq!(orphans(&database), expected, "{database:?}");
    }
}

#[test]
fn each_script_plants_what_is_expected_of_columns_and_unique_keys() {
    for database in TestDatabase::each("plants_columns") {
        fill(&database, &Stocktake::new(SEED, RECORDS_MIN as u64));
        let script = fs::read_to_string(committed(&format!("dirty.{}.sql", database.dialect()))).unwrap();
        database.run(&script);
        let expected = expected(&database);
        let planted = [
            ("check:stocktake_stock.stocktake_stock_quantity_check", "stocktake_stock", "quantity < 0"),
            ("check:stocktake_movement.stocktake_movement_kind_check", "stocktake_movement", "kind = 'stolen'"),
            // SQLite takes a NOT NULL column at its word and answers `email IS NULL` without looking.
            ("not_null:stocktake_supplier.email", "stocktake_supplier", "coalesce(email, '?') = '?'"),
            ("min:stocktake_orderline.quantity", "stocktake_orderline", "quantity < 1"),
            ("min:stocktake_item.cost", "stocktake_item", "cost < 0"),
            ("max:stocktake_supplier.rating", "stocktake_supplier", "rating > 5"),
            ("past:stocktake_item.created_at", "stocktake_item", "created_at > '2026-06-01 00:00:00'"),
            ("past:stocktake_movement.moved_at", "stocktake_movement", "moved_at > '2026-06-01 00:05:00'"),
            ("past:stocktake_order.ordered_at", "stocktake_order", "ordered_at > '2026-06-01 00:05:00'"),
            // ... and a unique key: behind `=` it looks for one row.
            ("unique:stocktake_item.sku", "stocktake_item", "sku LIKE 'PLANTED-TWICE'"),
            ("unique:stocktake_order.number", "stocktake_order", "number LIKE 'PLANTED-THRICE'"),
        ];
        for (check, table, condition) in planted {
            let found = ids(&database, &format!("SELECT id FROM {table} WHERE {condition}"));
            assert_eq!(found, expected.get(check).cloned().unwrap_or_default(), "{database:?} {check}");
        }
        let total = "SELECT o.id FROM stocktake_order o LEFT JOIN \
             (SELECT order_id, sum(amount) AS amount FROM stocktake_orderline GROUP BY order_id) l ON l.order_id = o.id \
             WHERE NOT coalesce(abs(o.total - coalesce(l.amount, 0)) < 0.015, o.total IS NULL AND l.amount IS NULL)";
        assert_eq!(ids(&database, total), expected["total:stocktake_order.total"], "{database:?}");
    }
}

/// A copy of the committed database, to be asked.
fn dirty_database() -> TestDatabase {
    let database = TestDatabase::sqlite();
    let url = database.url();
    let path = url.strip_prefix("sqlite:").unwrap();
    fs::copy(committed(samples::DIRTY_DATABASE), path).unwrap();
    database
}

#[test]
fn the_committed_database_holds_what_the_generator_makes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fresh.db");
    assert!(samples::write_dirty_database(&path).unwrap(), "the sqlite3 program is installed");
    let fresh = TestDatabase::sqlite();
    fs::copy(&path, fresh.url().strip_prefix("sqlite:").unwrap()).unwrap();
    // The bytes of a database depend on the version of SQLite that wrote it.
    let committed = dirty_database();
    let tables = Table::ALL.map(|table| table.spec().name);
    for table in tables.into_iter().chain(["sqlite_schema"]) {
        let rows = |database: &TestDatabase| database.rows(&format!("SELECT * FROM {table} ORDER BY rowid"));
        assert!(rows(&fresh) == rows(&committed), "{table} holds other rows");
    }
}

#[test]
fn sqlite_itself_finds_the_planted_damage_of_the_committed_database_and_no_other() {
    let database = dirty_database();
    let place = |row: Vec<Option<String>>| {
        let mut parts = row.into_iter().flatten();
        (parts.next().unwrap(), parts.next().unwrap())
    };
    let found: BTreeSet<(String, String)> = database.rows("PRAGMA foreign_key_check").into_iter().map(place).collect();
    let mut planted = BTreeSet::new();
    for (check, ids) in expected(&database) {
        // SQLite does not know of the virtual reference.
        if let Some(key) = check.strip_prefix("ref:").filter(|key| *key != "stocktake_order.deliver_to") {
            let table = key.split(['.', '(']).next().unwrap();
            planted.extend(ids.into_iter().map(|id| (table.to_owned(), id)));
        }
    }
    assert_eq!(found, planted);

    let found: BTreeSet<String> =
        database.rows("PRAGMA integrity_check").into_iter().flatten().map(Option::unwrap).collect();
    let planted = [
        "CHECK constraint failed in stocktake_item",
        "CHECK constraint failed in stocktake_movement",
        "CHECK constraint failed in stocktake_stock",
        "NULL value in stocktake_supplier.email",
        "non-unique entry in index stocktake_item_sku_uniq",
        "non-unique entry in index stocktake_item_tags_item_id_tag_id_uniq",
        "non-unique entry in index stocktake_order_number_uniq",
    ];
    assert_eq!(found, BTreeSet::from(planted.map(str::to_owned)));
}

#[test]
fn the_csv_files_load_into_sqlite_with_the_rows_of_the_inserts() {
    let directory = tempfile::tempdir().unwrap();
    let stocktake = Stocktake::new(SEED, samples::RECORDS);
    csv::write(&stocktake, directory.path()).unwrap();
    let load = fs::read_to_string(directory.path().join("load.sqlite.sql")).unwrap();
    let from_csv = TestDatabase::sqlite();
    from_csv.run(Database::Sqlite.schema());
    // The script names its files without a directory.
    from_csv.run(&format!(".cd '{}'\n{load}", directory.path().display()));
    let from_inserts = TestDatabase::sqlite();
    fill(&from_inserts, &stocktake);
    for table in Table::ALL {
        let name = table.spec().name;
        let columns: Vec<String> =
            table.spec().columns.iter().map(|column| format!("quote({})", column.name)).collect();
        let query = format!("SELECT {} FROM {name} ORDER BY id", columns.join(", "));
        assert_eq!(from_csv.rows(&query), from_inserts.rows(&query), "{name}");
    }
}
