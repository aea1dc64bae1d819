//! Which values there may be: lists, other tables, labels of enums, bounds, dates to come, patterns.

use relink_testkit::TestDatabase;

use crate::validated::{check, counts, keys, problems, validate, validate_both};

#[tokio::test]
async fn the_values_of_another_table_are_compared_letter_by_letter() {
    for database in TestDatabase::each("validate_domains") {
        database.run(
            "CREATE TABLE currencies (code varchar(3) PRIMARY KEY, name varchar(20));
             INSERT INTO currencies VALUES ('EUR', 'Euro'), ('usd', 'Dollar');
             CREATE TABLE prices (id int PRIMARY KEY, currency varchar(9));
             INSERT INTO prices VALUES (1, 'EUR'), (2, 'eur'), (3, 'EUR '), (4, NULL), (5, 'GBP'), (6, 'usd'), (7, '');",
        );
        let config = "[table.prices]\nin = { currency = { table = \"currencies.code\" } }";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(keys(&report, "in:prices.currency"), ["id=2", "id=3", "id=5", "id=7"], "{engine}");
            assert_eq!(counts(&report, "in:prices.currency"), (4, 4, 1), "{engine}");
        }
        let config = "[table.prices]\nin = { currency = [\"EUR\", \"usd\"] }";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(keys(&report, "in:prices.currency"), ["id=2", "id=3", "id=5", "id=7"], "{engine}");
        }
    }
}

#[tokio::test]
async fn a_text_that_reads_as_a_number_of_the_other_table_is_none_of_its_values() {
    for database in TestDatabase::each("validate_domain_numbers") {
        database.run(
            "CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c VALUES (7), (9);
             CREATE TABLE t (id int PRIMARY KEY, cust varchar(9), n int); INSERT INTO t VALUES (1, '007', 7), (2, '9.0', 9), (3, '7', 8), (4, ' 9', 7);",
        );
        let config = "[table.t]\nin = { cust = { table = \"c.id\" }, n = { table = \"c.id\" } }\nrefs = [\"cust -> c.id as num\"]\n[table.c]\nin = { id = { table = \"t.cust\" } }";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(keys(&report, "in:t.cust"), ["id=1", "id=2", "id=4"], "{engine}");
            assert_eq!(keys(&report, "in:t.n"), ["id=3"], "{engine}");
            assert_eq!(keys(&report, "in:c.id"), ["id=9"], "{engine}: from the other side");
            assert_eq!(keys(&report, "ref:t.cust"), ["id=4"], "{engine}: a rule that reads numbers says so");
        }
    }
}

#[tokio::test]
async fn labels_that_an_enum_does_not_have_and_booleans_that_are_neither_are_found_in_a_server_and_in_an_export() {
    let Some(database) = TestDatabase::mysql("validate_labels") else { return };
    database.run(
        "SET SESSION sql_mode = '';
         CREATE TABLE t (id int PRIMARY KEY, kind enum('user', 'group') NOT NULL, active tinyint(1), d date NOT NULL);
         INSERT INTO t VALUES (1, 'user', 1, '2026-01-01'), (2, 'other', 0, '0000-00-00'), (3, 'group', 2, '2026-01-01'), (4, 'user', -1, '2026-01-01'),
            (5, 'user', NULL, '2026-01-01');",
    );
    let config = "[table.t]\nrows = [\"active = true or active = false\"]\npast = [\"d\"]";
    let live = validate(&database, config).await;
    assert_eq!(keys(&live, "type:t.kind"), ["id=2"], "the label that MySQL stores for what is none");
    assert_eq!(keys(&live, "type:t.d"), ["id=2"]);
    assert_eq!(problems(&live, "row:t.active"), ["id=3: neither true nor false", "id=4: neither true nor false"]);
    let catalog = crate::validated::catalog_of(&database).await;
    let json = r#"{"t": [{"id": 1, "kind": "user", "active": true, "d": "2026-01-01"}, {"id": 2, "kind": "other", "active": false, "d": "0000-00-00"},
        {"id": 3, "kind": "", "active": 2, "d": "2026-01-01"}, {"id": 4, "kind": "USER", "active": -1, "d": "2026-02-30"}]}"#;
    let offline = crate::validated::validate_export(json, catalog, config).await;
    assert_eq!(keys(&offline, "type:t.kind"), ["id=2", "id=3", "id=4"]);
    assert_eq!(problems(&offline, "row:t.active"), problems(&live, "row:t.active"));
    assert_eq!(keys(&offline, "type:t.d"), ["id=2", "id=4"]);
    assert_eq!(counts(&offline, "not_null:t.d").0, 0, "neither NULL");
    assert!(problems(&offline, "past:t.d").iter().all(|said| said.ends_with(": not a date")), "nor in the future");
}

#[tokio::test]
async fn strict_bounds_leave_out_the_bound_itself() {
    for database in TestDatabase::each("validate_strict_bounds") {
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, q decimal(9,2));
             INSERT INTO t VALUES (1, 0), (2, 0.01), (3, -0.01), (4, 99.99), (5, 100), (6, NULL), (7, 0), (8, -0.00);",
        );
        let config = "[table.t]\ngt = { q = 0 }\nlt = { q = \"100.00\" }\nmin = { q = 0 }\nmax = { q = 100 }";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(keys(&report, "gt:t.q"), ["id=1", "id=3", "id=7", "id=8"], "{engine}");
            assert_eq!(counts(&report, "gt:t.q"), (4, 2, 1), "{engine}: two wrong values");
            assert_eq!(keys(&report, "lt:t.q"), ["id=5"], "{engine}");
            assert_eq!(keys(&report, "min:t.q"), ["id=3"], "{engine}: -0 is not below 0");
            assert_eq!(counts(&report, "max:t.q"), (0, 0, 1), "{engine}");
        }
    }
}

#[tokio::test]
async fn dates_to_come_are_judged_with_the_same_slack_as_those_past() {
    for database in TestDatabase::each("validate_future") {
        let wall = if database.dialect() == "mysql" { "datetime" } else { "timestamp" };
        // Now is noon of the 20th of November 2026, in UTC.
        database.run(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, expires {wall} NULL, due date);
             INSERT INTO t VALUES (1, '2026-11-20 11:56:00', '2026-11-20'), (2, '2026-11-20 11:54:00', '2026-11-19'), (3, NULL, '2026-11-18'),
                (4, '2027-01-01 00:00:00', '2027-01-01');"
        ));
        let config = "[table.t]\nfuture = [\"expires\", \"due +1d\"]";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(
                problems(&report, "future:t.expires"),
                vec![said(&report, "future:t.expires", "id=2")],
                "{engine}"
            );
            assert_eq!(counts(&report, "future:t.expires"), (1, 1, 1), "{engine}");
            assert_eq!(keys(&report, "future:t.due"), ["id=3"], "{engine}: yesterday is within a day");
        }
        for (engine, report) in validate_both(&database, "[table.t]\nfuture = [\"expires +0s\"]").await {
            assert_eq!(keys(&report, "future:t.expires"), ["id=1", "id=2"], "{engine}");
        }
    }
}

/// A problem as the report has it, where the engines may leave it to the check's message.
fn said(report: &relink_validate::Report, id: &str, key: &str) -> String {
    let problem = check(report, id).samples[0].problem.clone().unwrap_or_default();
    assert!(problem.is_empty() || problem == "earlier than now", "{problem}");
    format!("{key}: {problem}")
}

#[tokio::test]
async fn a_pattern_is_about_the_whole_text_lines_and_all() {
    for database in TestDatabase::each("validate_patterns") {
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, sku varchar(20));
             INSERT INTO t VALUES (1, 'a'), (2, 'a\n'), (3, 'a\nb'), (4, 'ba'), (5, 'ab'), (6, ''), (7, NULL), (8, 'A'), (9, 'ä');",
        );
        for (pattern, wrong) in [
            ("a", vec!["id=2", "id=3", "id=4", "id=5", "id=6", "id=8", "id=9"]),
            ("^a$", vec!["id=2", "id=3", "id=4", "id=5", "id=6", "id=8", "id=9"]),
            ("a|ab|", vec!["id=2", "id=3", "id=4", "id=8", "id=9"]),
            (r"(?i)\w(?s:.)*", vec!["id=6"]),
        ] {
            let config = format!("[table.t]\nmatch = {{ sku = '{pattern}' }}");
            for (engine, report) in validate_both(&database, &config).await {
                assert_eq!(keys(&report, "match:t.sku"), wrong, "{engine}: {pattern}");
                assert_eq!(counts(&report, "match:t.sku").2, 1, "{engine}: {pattern}");
            }
        }
    }
}
