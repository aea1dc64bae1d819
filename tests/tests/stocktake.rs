//! The stocktake sample, restored: the clean exports whole and alike on every database, the damaged one with every planted damage found at its
//! place and nothing else.

use std::{collections::BTreeSet, fs, path::PathBuf};

use relink_e2e::{Export, Outcome, Restore};
use relink_restore::{Mode, Status};
use relink_testkit::TestDatabase;
use serde_json::Value;

fn sample(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/stocktake").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn restore(database: &TestDatabase, export: &str, mode: Mode) -> Outcome {
    let schema = sample(&format!("schema/{}.sql", database.dialect()));
    Restore::of(&Export::new(sample(export))).config(&sample("relink.toml")).schema(&schema).mode(mode).into(database)
}

/// Every row of every table, as the database's own client shows it.
fn contents(database: &TestDatabase) -> Vec<String> {
    let schema = sample("schema/sqlite.sql");
    let tables = schema.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split([' ', '(']).next());
    tables
        .flat_map(|table| {
            let table = table.trim_matches('"');
            let rows = database.rows(&format!("SELECT * FROM {table}"));
            let mut rows: Vec<String> = rows.into_iter().map(|row| format!("{table}: {row:?}")).collect();
            rows.sort();
            rows
        })
        .collect()
}

#[test]
fn both_clean_exports_restore_to_the_same_rows_and_a_second_time_changes_nothing() {
    for database in TestDatabase::each("clean") {
        let outcome = restore(&database, "clean.django.json", Mode::Insert);
        assert_eq!(outcome.report.status, Status::Restored);
        assert!(outcome.committed, "{:#?}", outcome.validation);
        let rows = contents(&database);
        assert_eq!(rows.len() as u64, outcome.report.totals.inserted);

        let again = restore(&database, "clean.django.json", Mode::Skip);
        assert_eq!((again.report.totals.inserted, again.report.totals.skipped), (0, rows.len() as u64));
        assert_eq!(contents(&database), rows);

        // The same rows under the names of the database, onto what the dump has made: all there, none other.
        let tables = restore(&database, "clean.tables.json", Mode::Skip);
        assert_eq!((tables.report.totals.inserted, tables.report.totals.skipped), (0, rows.len() as u64));
    }
}

#[test]
fn the_table_map_restores_by_itself() {
    for database in TestDatabase::each("tables") {
        let outcome = restore(&database, "clean.tables.json", Mode::Insert);
        assert!(outcome.committed, "{:#?} {:#?}", outcome.report.findings, outcome.validation);
        assert_eq!(outcome.report.totals.inserted, outcome.report.totals.read);
    }
}

#[test]
fn every_damage_planted_in_the_dirty_export_is_found_at_its_place_and_nothing_else() {
    let expected: Value = serde_json::from_str(&sample("dirty.django.expected.json")).expect("the expectations parse");
    for database in TestDatabase::each("dirty") {
        let outcome = restore(&database, "dirty.django.json", Mode::Insert);
        assert_eq!(outcome.report.status, Status::Refused);
        let found: BTreeSet<(String, u64, Option<String>)> = outcome
            .report
            .findings
            .iter()
            .flat_map(|group| &group.findings)
            .map(|finding| {
                let place = finding.place.as_ref().expect("every finding of the pre-scan has a place");
                let ordinal = place.pointer.split('/').nth(1).and_then(|ordinal| ordinal.parse().ok());
                (finding.code.to_string(), ordinal.expect("pointers begin with the record"), finding.field.clone())
            })
            .collect();
        let dialect = Value::from(database.dialect());
        let planted: BTreeSet<(String, u64, Option<String>)> = expected["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|finding| finding["databases"].as_array().is_some_and(|databases| databases.contains(&dialect)))
            .map(|finding| {
                let text = |name: &str| finding[name].as_str().map(str::to_owned);
                (text("code").expect("a code"), finding["ordinal"].as_u64().expect("a number"), text("field"))
            })
            .collect();
        assert_eq!(found, planted, "on {dialect}");
    }
}
