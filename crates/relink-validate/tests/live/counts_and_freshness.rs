//! How many rows there are, and how recent.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{catalog_of_script, check, validate_both, validate_export};

#[tokio::test]
async fn the_number_of_rows_is_held_against_its_bounds() {
    for database in TestDatabase::each("validate_count") {
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, kind varchar(9)); INSERT INTO t VALUES (1, 'a'), (2, 'a'), (3, 'b');
             CREATE TABLE bare (id int PRIMARY KEY);",
        );
        for (rule, problem) in [
            ("= 3", None),
            (">= 3", None),
            ("> 3", Some("too few")),
            ("< 3", Some("too many")),
            ("between 1 and 2", Some("too many")),
            ("between 4 and 5", Some("too few")),
        ] {
            let config = format!("[table.t]\ncount = \"{rule}\"\n[table.bare]\ncount = \">= 1\"");
            for (engine, report) in validate_both(&database, &config).await {
                let found = check(&report, "count:t");
                assert_eq!(found.problems.keys().next().map(String::as_str), problem, "{engine}: {rule}");
                assert_eq!(found.status == Status::Fail, problem.is_some(), "{engine}: {rule}");
                assert_eq!(found.notes, ["3 rows"], "{engine}");
                // Every other check of an empty table passes: this one is for that.
                assert_eq!(check(&report, "count:bare").status, Status::Fail, "{engine}");
                assert_eq!(check(&report, "unique:bare.id").status, Status::Pass, "{engine}");
            }
        }
        let config = "[[check]]\nid = \"some\"\nkind = \"count\"\non = \"t\"\nrule = \"= 2\"\nwhere = \"kind = 'a'\"";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(check(&report, "some").status, Status::Pass, "{engine}");
        }
    }
}

#[tokio::test]
async fn the_latest_row_is_recent_enough_whatever_lies_in_the_future() {
    for database in TestDatabase::each("validate_fresh") {
        let wall = if database.dialect() == "mysql" { "datetime" } else { "timestamp" };
        // Now is noon of the 20th of November 2026, in UTC.
        database.run(&format!(
            "CREATE TABLE loads (id int PRIMARY KEY, source varchar(9), at {wall} NULL, on_day date);
             INSERT INTO loads VALUES (1, 'a', '2026-11-19 10:30:00', '2026-11-18'), (2, 'b', '2026-11-19 09:30:00', '2026-11-17'), (3, 'c', NULL, NULL),
                (4, 'd', '2031-01-01 00:00:00', NULL), (5, 'd', '2026-11-01 00:00:00', NULL);
             CREATE TABLE bare (id int PRIMARY KEY, at {wall} NULL);"
        ));
        let rule = |id: &str, rule: &str, filter: &str| {
            format!(
                "[[check]]\nid = \"{id}\"\nkind = \"fresh\"\non = \"loads\"\nrule = \"{rule}\"\nwhere = \"{filter}\"\n"
            )
        };
        let config = [
            rule("a", "at within 26h", "source = 'a'"),
            rule("b", "at within 26h", "source = 'b'"),
            rule("c", "at within 26h", "source = 'c'"),
            // A day counts until it ends: half a day ago, it is within thirteen hours of the 19th.
            rule("day", "on_day within 37h", "source = 'a'"),
            rule("day earlier", "on_day within 35h", "source = 'a'"),
            // One row of the future does not make a load that stopped weeks ago a recent one.
            rule("stopped", "at within 26h", "source = 'd'"),
        ]
        .concat();
        let config = format!("{config}[table.bare]\nfresh = \"at within 1d\"");
        for (engine, report) in validate_both(&database, &config).await {
            let failed: Vec<&str> = report
                .checks
                .iter()
                .filter(|check| check.status == Status::Fail)
                .map(|check| check.id.as_str())
                .collect();
            assert_eq!(failed, ["fresh:bare.at", "b", "c", "day earlier", "stopped"], "{engine}");
            assert_eq!(check(&report, "c").problems["there is none"], 1, "{engine}");
            let latest = |id: &str| check(&report, id).problems.keys().next().cloned().unwrap_or_default();
            assert!(latest("b").contains("2026-11-19"), "{engine}: {}", latest("b"));
            assert!(latest("stopped").contains("2026-11-01"), "{engine}: {}", latest("stopped"));
        }
    }
}

#[tokio::test]
async fn how_recent_an_export_is_is_judged_by_what_its_dates_say() {
    let catalog = catalog_of_script("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP);").await;
    for (at, fails) in [
        ("2026-11-20T11:30:00Z", false),
        ("2026-11-20T12:30:00+01:30", false),
        ("2026-11-20T12:30:00+02:00", true),
        ("2026-11-20 10:59:00", true),
    ] {
        let json = format!("{{\"t\": [{{\"id\": 1, \"at\": \"{at}\"}}]}}");
        let report = validate_export(&json, catalog.clone(), "[table.t]\nfresh = \"at within 1h\"").await;
        assert_eq!(check(&report, "fresh:t.at").status == Status::Fail, fails, "{at}");
    }
}
