//! The sample database of the repository: clean, nothing is found; dirty, every planted damage with exactly its rows, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use relink_testkit::TestDatabase;
use relink_testkit::stocktake::sql::{self, Database};
use relink_testkit::stocktake::{SEED, Stocktake, samples};
use relink_validate::{Report, Status};
use serde::Deserialize;

use crate::validated::{troubles, validate};

#[derive(Deserialize)]
struct Expected {
    findings: Vec<ExpectedFinding>,
}

#[derive(Deserialize)]
struct ExpectedFinding {
    check: String,
    databases: Vec<String>,
    rows: u64,
    keys: Vec<BTreeMap<String, String>>,
}

pub(crate) fn sample(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/stocktake").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The clean sample. Rows come table by table, so that the cycles need enforcement off for the load.
pub(crate) fn create(database: &TestDatabase) {
    let kind = Database::ALL.into_iter().find(|kind| kind.name() == database.dialect()).expect("one of the three");
    let mut script = match kind {
        Database::Sqlite => "PRAGMA foreign_keys = OFF;\n",
        Database::Postgres => "SET session_replication_role = replica;\n",
        Database::Mysql => "SET foreign_key_checks = 0;\n",
    }
    .as_bytes()
    .to_vec();
    sql::write_rows(&Stocktake::new(SEED, samples::RECORDS), kind, &mut script).expect("memory takes every write");
    database.run(kind.schema());
    database.run(&String::from_utf8(script).expect("SQL is UTF-8"));
}

type Keys = BTreeSet<BTreeMap<String, String>>;

/// Check -> rows and keys, of all that failed.
fn found(report: &Report) -> BTreeMap<String, (u64, Keys)> {
    let failed = report.checks.iter().filter(|check| check.status != Status::Pass);
    let keys = |check: &relink_validate::CheckResult| {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let key = |sample: &relink_validate::Sample| -> BTreeMap<String, String> {
            sample.key.iter().map(|(name, value)| (name.clone(), text(value))).collect()
        };
        check.samples.iter().map(key).collect()
    };
    failed.map(|check| (check.id.clone(), (check.counts.failed, keys(check)))).collect()
}

#[tokio::test]
async fn nothing_is_found_in_the_clean_sample() {
    for database in TestDatabase::each("validate_clean_sample") {
        create(&database);
        let report = validate(&database, &sample("relink.toml")).await;
        assert_eq!(troubles(&report), [""; 0], "{}", database.dialect());
        assert!(report.checks.len() > 100 && report.run.rows > 0);
    }
}

#[tokio::test]
async fn every_planted_damage_is_found_with_exactly_its_rows_and_nothing_else() {
    let expected: Expected = serde_json::from_str(&sample("dirty.expected.json")).expect("the expected findings");
    for database in TestDatabase::each("validate_dirty_sample") {
        let dialect = database.dialect();
        create(&database);
        database.run(&sample(&format!("dirty.{dialect}.sql")));
        let report = validate(&database, &sample("relink.toml")).await;
        let wanted: BTreeMap<String, (u64, Keys)> = expected
            .findings
            .iter()
            .filter(|finding| finding.databases.iter().any(|name| name == dialect))
            .map(|finding| (finding.check.clone(), (finding.rows, finding.keys.iter().cloned().collect())))
            .collect();
        similar(dialect, &found(&report), &wanted);
    }
}

/// Compares finding by finding, so that a failure names the one that differs.
fn similar(dialect: &str, found: &BTreeMap<String, (u64, Keys)>, wanted: &BTreeMap<String, (u64, Keys)>) {
    let ids: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    for id in ids {
        assert_eq!(found.get(id), wanted.get(id), "{id} on {dialect}: found, wanted");
    }
}

#[tokio::test]
async fn the_checks_of_a_stocktake_take_fewer_than_thirty_lines_and_find_all_kinds_of_damage() {
    let rules = sample("checks.toml");
    assert!(rules.lines().count() < 30 + usize::from(rules.ends_with("\n\n")), "{} lines", rules.lines().count());
    for database in TestDatabase::each("validate_stocktake_checks") {
        create(&database);
        assert_eq!(troubles(&validate(&database, &rules).await), [""; 0], "{}", database.dialect());
        database.run(
            "UPDATE auth_user SET username = 'ÄNNE' WHERE id = 1;
             UPDATE auth_user SET username = ' änne' WHERE id = 2;
             UPDATE stocktake_item SET name = 'Blue  Box', category_id = 1, supplier_id = 1 WHERE id = 1;
             UPDATE stocktake_item SET name = 'blue box ', category_id = 1, supplier_id = 1 WHERE id = 2;
             UPDATE stocktake_item SET cost = -1, created_at = '2026-07-01 00:00:00' WHERE id = 3;
             UPDATE stocktake_order SET deliver_to = 'NOWHERE' WHERE id = 1;
             UPDATE stocktake_order SET total = 12345.67 WHERE id = 2;",
        );
        let report = validate(&database, &rules).await;
        let expected = [
            "unique:auth_user.ci(trim(username))",
            "unique:stocktake_item(ci(squash(name)),category_id,supplier_id)",
            "min:stocktake_item.cost",
            "past:stocktake_item.created_at",
            "ref:stocktake_order.deliver_to",
            "total:stocktake_order.total",
        ];
        let found: BTreeSet<&str> = troubles(&report).into_iter().collect();
        assert_eq!(found, BTreeSet::from(expected), "{}", database.dialect());
    }
}
