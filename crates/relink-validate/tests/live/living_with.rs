//! Living with findings: thresholds, severities, suppressions, baselines, masks; and what a run is told to take on trust, to leave out, or not to wait for.

use std::time::Duration;

use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_model::Severity;
use relink_model::config::{Config, ConfigError};
use relink_testkit::TestDatabase;
use relink_validate::{
    Baseline, BaselineState, Check, Options, Report, Status, accept, exhaustive, fits, plan, restrict, run,
    since_column,
};

use crate::validated::{
    Judged, catalog_of, check, counts, exported, judge_export, keys, options, troubles, validate, validate_both,
};

/// Validates a database and applies what is allowed, as the program does.
async fn lived(database: &TestDatabase, config: &str, baseline: Option<&Baseline>) -> Result<Report, Vec<ConfigError>> {
    lived_with(database, config, baseline, &options()).await
}

async fn lived_with(
    database: &TestDatabase,
    config: &str,
    baseline: Option<&Baseline>,
    options: &Options,
) -> Result<Report, Vec<ConfigError>> {
    let config: Config = toml::from_str(config).expect("a configuration");
    let mut catalog = catalog_of(database).await;
    config.add_virtual_references(&mut catalog)?;
    let mut connection = connect(database).await;
    let checks = plan(&catalog, &config, connection.dialect())?;
    let options = Options { exhaustive: exhaustive(&config, baseline.is_some()), ..options.clone() };
    let mut report = run(&mut *connection, &catalog, &checks, &options, &mut |_| {}).await.expect("runs");
    accept(&mut report, &checks, &catalog, &config, baseline, &options)?;
    Ok(report)
}

/// As [`lived`], with few samples shown, and what a baseline would know now. Of the checks only those that fit the pattern are made.
async fn known(database: &TestDatabase, config: &str, only: &str, baseline: &Baseline) -> (Report, Baseline) {
    let config: Config = toml::from_str(config).expect("a configuration");
    let catalog = catalog_of(database).await;
    let mut connection = connect(database).await;
    let checks = plan(&catalog, &config, connection.dialect()).expect("plans");
    let made: Vec<Check> = checks.iter().filter(|check| fits(only, &check.id)).cloned().collect();
    let options = Options { exhaustive: exhaustive(&config, true), samples_max: 1, partial: only != "*", ..options() };
    let mut report = run(&mut *connection, &catalog, &made, &options, &mut |_| {}).await.expect("runs");
    let found = accept(&mut report, &checks, &catalog, &config, Some(baseline), &options).expect("it fits");
    let found = found.keeping(baseline, &report, &checks, only != "*");
    (report, found)
}

async fn connect(database: &TestDatabase) -> Box<dyn relink_db::Connection> {
    let url: DatabaseUrl = database.url().parse().expect("a URL");
    let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
    connection.begin(TransactionKind::Snapshot).await.expect("begins");
    connection
}

/// Twenty rows, of which 1, 2, 3 are below zero, and 4 and 5 share an address.
fn twenty(database: &TestDatabase) {
    let rows: Vec<String> = (1..=20)
        .map(|n| {
            format!(
                "({n}, {}, 'a{}@x.org', '2026-11-{n:02} 10:00:00')",
                if n <= 3 { -n } else { n },
                if n == 5 { 4 } else { n }
            )
        })
        .collect();
    let wall = if database.dialect() == "mysql" { "datetime" } else { "timestamp" };
    database.run(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, q int, email varchar(20), made {wall} NULL); INSERT INTO t VALUES {};",
        rows.join(", ")
    ));
}

const RULES: &str = "[table.t]\nmin = { q = 0 }\nunique = [\"email\"]\n";

#[tokio::test]
async fn so_many_rows_or_such_a_part_of_them_may_fail() {
    for database in TestDatabase::each("validate_thresholds") {
        twenty(&database);
        for (threshold, status) in [
            ("max = 3", Status::Allowed),
            ("max = 2", Status::Fail),
            ("max_percent = \"15%\"", Status::Allowed),
            ("max_percent = \"14.99\"", Status::Fail),
            ("max = 3\nmax_percent = \"1%\"", Status::Fail),
            ("max = 0", Status::Fail),
        ] {
            let config =
                format!("{RULES}[[check]]\nid = \"min:t.q\"\nowner = \"stock\"\nwhy = \"agreed\"\n{threshold}");
            let report = lived(&database, &config, None).await.expect("it fits");
            let found = check(&report, "min:t.q");
            assert_eq!(found.status, status, "{threshold} on {}", database.dialect());
            assert_eq!(
                (found.counts.failed, found.owner.as_deref()),
                (3, Some("stock")),
                "nothing is taken out of the report"
            );
            assert_eq!(found.why.as_deref(), Some("agreed"));
            assert_eq!(report.summary.allowed, u64::from(status == Status::Allowed));
        }
    }
}

#[tokio::test]
async fn severities_are_set_by_the_longest_pattern_and_what_is_off_is_not_asked() {
    for database in TestDatabase::each("validate_severities") {
        twenty(&database);
        let config = format!(
            "{RULES}required = [\"q\"]\n[severity]\n\"*\" = \"info\"\n\"unique:*\" = \"warning\"\n\"unique:t.id\" = \"off\"\n\"min:*\" = \"off\""
        );
        for (engine, report) in validate_both(&database, &config).await {
            assert_eq!(troubles(&report), ["unique:t.email"], "{engine}");
            assert_eq!(check(&report, "unique:t.email").severity, Severity::Warning, "{engine}");
            assert_eq!(check(&report, "required:t.q").severity, Severity::Info, "{engine}");
            assert!(report.checks.iter().all(|check| check.id != "unique:t.id" && check.id != "min:t.q"), "{engine}");
        }
    }
}

#[tokio::test]
async fn findings_are_allowed_by_key_by_condition_and_by_number_for_a_reason_and_a_time() {
    for database in TestDatabase::each("validate_allowed") {
        twenty(&database);
        let allow = |rest: &str| format!("{RULES}[[allow]]\ncheck = \"min:t.q\"\nwhy = \"known\"\n{rest}");
        for (rest, allowed) in [
            ("keys = [1, 2, 3]", vec![1, 2, 3]),
            ("keys = [2, 17]", vec![2]),
            ("keys = [[2], [3]]\nuntil = 2026-11-20", vec![2, 3]),
            ("where = \"id < 3\"", vec![1, 2]),
            ("where = \"q = -3\"\nuntil = \"2027-01-31\"", vec![3]),
            ("max = 2", vec![1, 2]),
            ("", vec![1, 2, 3]),
        ] {
            // Few samples: whose rows are allowed does not depend on how many are shown.
            let options = Options { samples_max: 1, ..options() };
            let report = lived_with(&database, &allow(rest), None, &options).await.expect("it fits");
            let found = check(&report, "min:t.q");
            assert_eq!(found.counts.allowed, allowed.len() as u64, "{rest} on {}", database.dialect());
            assert_eq!(found.status == Status::Allowed, allowed.len() == 3, "{rest}");
            assert_eq!(found.allowances[0].why, "known");
            assert_eq!(report.warnings, [""; 0], "{rest}");
            // What is open comes first.
            let first = found.samples[0].key["id"].clone().unwrap_or_default();
            let open = (1..=3).find(|id| !allowed.contains(id)).unwrap_or(1);
            assert_eq!(first, open.to_string(), "{rest}");
        }
    }
}

#[tokio::test]
async fn what_has_lapsed_cannot_be_read_or_allows_nothing_is_said_and_allows_nothing() {
    let database = TestDatabase::sqlite();
    twenty(&database);
    for (rest, said) in [
        ("check = \"min:t.q\"\nuntil = 2026-11-19", "has lapsed on 2026-11-19"),
        ("check = \"min:t.q\"\nuntil = \"soon\"", "is no day: it counts as lapsed"),
        ("check = \"min:t.q\"\nuntil = \"2026-13-01\"", "is no day: it counts as lapsed"),
        ("check = \"min:t.q\"\nkeys = [17]", "allows nothing that is found any more"),
        ("check = \"unique:t.id\"", "allows nothing that is found any more"),
        ("check = \"min:t.p\"", "fits no check"),
    ] {
        let report = lived(&database, &format!("{RULES}[[allow]]\nwhy = \"x\"\n{rest}"), None).await.expect("it fits");
        assert_eq!(troubles(&report), ["unique:t.email", "min:t.q"], "{rest}");
        assert!(report.warnings.len() == 1 && report.warnings[0].contains(said), "{rest}: {:?}", report.warnings);
    }
    for (rest, said) in [
        ("check = \"min:t.q\"", "why: it is missing"),
        ("why = \"x\"", "check: it is missing"),
        ("check = \"min:t.q\"\nwhy = \"x\"\nwhere = \"made is null\"", "it can speak of what the findings"),
        ("check = \"min:t.q\"\nwhy = \"x\"\nwhere = \"q <\"", "expected"),
    ] {
        let errors = lived(&database, &format!("{RULES}[[allow]]\n{rest}"), None).await.expect_err(rest);
        assert!(errors.len() == 1 && errors[0].to_string().contains(said), "{rest}: {errors:?}");
    }
}

#[tokio::test]
async fn a_suppression_of_a_check_that_could_not_be_made_is_not_called_stale() {
    let database = TestDatabase::sqlite();
    twenty(&database);
    let config = "[[check]]\nid = \"mine\"\nkind = \"sql\"\nsql = \"SELECT no_such_column FROM t\"\n[[allow]]\ncheck = \"mine\"\nwhy = \"x\"\nmax = 3";
    let report = lived(&database, config, None).await.expect("it fits");
    assert_eq!(check(&report, "mine").status, Status::Error);
    assert_eq!(report.warnings, [""; 0], "nobody can tell whether it still finds anything");
}

#[tokio::test]
async fn a_baseline_knows_rows_by_their_keys_and_only_what_is_new_counts() {
    for database in TestDatabase::each("validate_baseline") {
        twenty(&database);
        let (first, baseline) = known(&database, RULES, "*", &Baseline::default()).await;
        assert_eq!(check(&first, "min:t.q").baseline, Some(BaselineState::New));
        // All rows are known, however few of them are shown.
        assert_eq!(
            (baseline.checks.len(), baseline.checks["min:t.q"].rows, baseline.checks["min:t.q"].keys.len()),
            (2, 3, 3)
        );
        let dialect = database.dialect();
        let (again, renewed) = known(&database, RULES, "*", &baseline).await;
        assert_eq!((again.summary.errors, again.summary.allowed), (0, 2), "{dialect}");
        assert_eq!(check(&again, "min:t.q").baseline, Some(BaselineState::Unchanged), "{dialect}");
        assert_eq!(renewed, baseline, "{dialect}: what is known stays known");
        // One is mended and another breaks: as many as before, and not the same.
        database.run("UPDATE t SET q = 1 WHERE id = 1; UPDATE t SET q = -9 WHERE id = 9;");
        let (other, _) = known(&database, RULES, "*", &baseline).await;
        let found = check(&other, "min:t.q");
        assert_eq!((found.status, found.counts.allowed, found.counts.failed), (Status::Fail, 2, 3), "{dialect}");
        assert_eq!(
            (found.baseline, found.samples[0].key["id"].as_deref()),
            (Some(BaselineState::New), Some("9")),
            "{dialect}"
        );
        database.run("UPDATE t SET q = 1 WHERE id IN (2, 9); UPDATE t SET email = 'other' WHERE id = 4;");
        let (fewer, renewed) = known(&database, RULES, "*", &baseline).await;
        assert_eq!(check(&fewer, "min:t.q").baseline, Some(BaselineState::Fewer), "{dialect}");
        assert_eq!(check(&fewer, "unique:t.email").baseline, Some(BaselineState::Absent), "{dialect}");
        let left: Vec<_> = renewed.checks.iter().map(|(id, known)| (id.as_str(), known.rows)).collect();
        assert_eq!(left, [("min:t.q", 1)], "{dialect}: what is left stays known, what is gone is forgotten");
        let (gone, _) = known(&database, "[table.t]\nmin = { q = 0 }", "*", &baseline).await;
        assert_eq!(
            gone.warnings,
            ["the baseline speaks of unique:t.email, and there is no such check any more"],
            "{dialect}"
        );
    }
}

#[tokio::test]
async fn rows_without_a_key_are_known_by_all_that_they_hold_and_as_often_as_they_stand_there() {
    for database in TestDatabase::each("validate_baseline_keyless") {
        database.run(
            "CREATE TABLE n (qty int, note varchar(20)); CREATE TABLE u (code varchar(9) UNIQUE, qty int);
             INSERT INTO n VALUES (-1, 'x'), (-2, 'y'), (1, 'z'); INSERT INTO u VALUES (NULL, -1);",
        );
        let dialect = database.dialect();
        let rules = "[table.n]\nmin = { qty = 0 }\n[table.u]\nrows = [\"qty > 0\"]";
        let (_, baseline) = known(&database, rules, "*", &Baseline::default()).await;
        let state = async |sql: &str, id: &str| {
            database.run(sql);
            let (report, _) = known(&database, rules, "*", &baseline).await;
            let found = check(&report, id);
            (found.status, found.counts.allowed, found.counts.failed)
        };
        assert_eq!(state("DELETE FROM n WHERE qty = 1", "min:n.qty").await, (Status::Allowed, 2, 2), "{dialect}");
        // Another row stands where the old one stood, and fails in the same way.
        let other = "DELETE FROM n WHERE qty = -2; INSERT INTO n VALUES (-2, 'new');";
        assert_eq!(state(other, "min:n.qty").await, (Status::Fail, 1, 2), "{dialect}");
        // Twins of a row that is known are not known.
        let twins = "DELETE FROM n; INSERT INTO n VALUES (-1, 'x'), (-1, 'x'), (-1, 'x'), (-1, 'x');";
        assert_eq!(state(twins, "min:n.qty").await, (Status::Fail, 1, 4), "{dialect}");
        // A unique key that is NULL names no row.
        let null = "DELETE FROM u; INSERT INTO u VALUES (NULL, -2);";
        assert_eq!(state(null, "row:u.qty").await, (Status::Fail, 0, 1), "{dialect}");
    }
}

#[tokio::test]
async fn records_without_a_key_and_rows_of_lists_are_known_by_what_they_hold() {
    let catalog = crate::validated::catalog_of_script(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE n (body TEXT, p_id INTEGER REFERENCES p (id), at TEXT NOT NULL);
         CREATE TABLE k (id INTEGER PRIMARY KEY, body TEXT NOT NULL, size INTEGER);",
    )
    .await;
    let config = Config::default();
    let judged = async |n: &str, k: &str, baseline: Option<&Baseline>| {
        let json = format!("{{\"p\": [{{\"id\": 1}}], \"n\": [{n}], \"k\": [{k}]}}");
        let all = Options { exhaustive: exhaustive(&config, true), ..options() };
        let Judged { mut report, checks, catalog } = judge_export(&json, catalog.clone(), "", &all).await;
        let found = accept(&mut report, &checks, &catalog, &config, baseline, &all).expect("it fits");
        let failing = report.checks.iter().filter(|check| check.status == Status::Fail);
        (failing.map(|check| check.id.clone()).collect::<Vec<_>>(), found)
    };
    let (old, new) = (r#"{"body": "old", "p_id": 5, "at": "a"}"#, r#"{"body": "brand new", "p_id": 5, "at": "a"}"#);
    let (_, baseline) = judged(old, r#"{"size": 1}"#, None).await;
    assert_eq!(judged(old, r#"{"size": 1}"#, Some(&baseline)).await.0, [""; 0]);
    assert_eq!(judged(new, r#"{"size": 1}"#, Some(&baseline)).await.0, ["ref:n.p_id"]);
    assert_eq!(judged(old, r#"{"size": 2}"#, Some(&baseline)).await.0, ["not_null:k.body"], "a key that is not there");
    assert_eq!(judged(&format!("{old}, {old}"), "", Some(&baseline)).await.0, ["ref:n.p_id"]);
}

#[tokio::test]
async fn a_number_of_rows_or_a_latest_moment_is_known_by_what_it_is() {
    for database in TestDatabase::each("validate_baseline_answers") {
        twenty(&database);
        let config = "[table.t]\nfresh = \"made within 1h\"\n[[check]]\nid = \"many\"\nkind = \"count\"\non = \"t\"\nrule = \">= 30\"
            [[check]]\nid = \"sum\"\nkind = \"sql\"\non = \"t\"\nsql = \"SELECT count(*) + 1 FROM t\"\nexpect = \"value = 0\"";
        let (_, baseline) = known(&database, config, "*", &Baseline::default()).await;
        let dialect = database.dialect();
        let ids = ["fresh:t.made", "many", "sum"];
        let (same, _) = known(&database, config, "*", &baseline).await;
        for id in ids {
            assert_eq!(check(&same, id).status, Status::Allowed, "{dialect}: {id}");
            assert!(!check(&same, id).truncated, "{dialect}: {id}: there are no rows to show");
        }
        database.run("DELETE FROM t WHERE id > 5");
        let (worse, _) = known(&database, config, "*", &baseline).await;
        for id in ids {
            assert_eq!(check(&worse, id).baseline, Some(BaselineState::New), "{dialect}: {id}");
        }
    }
}

#[tokio::test]
async fn what_was_not_asked_this_time_is_neither_stale_nor_forgotten() {
    let database = TestDatabase::sqlite();
    twenty(&database);
    let config = format!("{RULES}[[allow]]\ncheck = \"unique:*\"\nkeys = [4]\nwhy = \"x\"");
    let (_, baseline) = known(&database, &config, "*", &Baseline::default()).await;
    // What a suppression allows comes back when it lapses: the baseline does not know it.
    assert_eq!(baseline.checks["unique:t.email"].rows, 1);
    let (report, renewed) = known(&database, &config, "min:*", &baseline).await;
    assert_eq!((report.warnings.as_slice(), report.checks.len()), (&[][..], 1));
    assert_eq!(renewed, baseline);
    // What only all the data of an export tells is no check that was planned.
    let mut of_export = baseline.clone();
    of_export.checks.insert("complete:t.more".to_owned(), baseline.checks["min:t.q"].clone());
    let (report, renewed) = known(&database, &config, "min:*", &of_export).await;
    assert_eq!((report.warnings.as_slice(), &renewed), (&[][..], &of_export));
}

#[tokio::test]
async fn masked_values_are_in_no_part_of_a_report() {
    for database in TestDatabase::each("validate_mask") {
        let wall = if database.dialect() == "mysql" { "datetime" } else { "timestamp" };
        database.run(&format!(
            "CREATE TABLE users (id int PRIMARY KEY, email varchar(40), born varchar(20), seen {wall} NULL);
             CREATE TABLE mails (id int PRIMARY KEY, email varchar(40));
             INSERT INTO users VALUES (1, 'secret@x.org', 'secretly', '2001-02-03 04:05:06'), (2, 'secret@x.org', 'secretly', NULL);
             INSERT INTO mails VALUES (1, 'secret@y.org'), (2, 'secret@y.org');"
        ));
        let config = "[run]\nmask = [\"*email\", \"users.born\", \"seen\"]
            [table.users]\nunique = [\"email\"]\npast = [\"born\"]\nfresh = \"seen within 1d\"\nmatch = { email = 'x' }\nrows = [\"length(email) > 99 or length(born) > 99\"]
            [table.mails]\nrefs = [\"email -> users.email\"]";
        let live = lived(&database, config, None).await.expect("it fits");
        let catalog = catalog_of(&database).await;
        let json = exported(&database, &catalog);
        let parsed: Config = toml::from_str(config).expect("a configuration");
        let Judged { mut report, checks, catalog } = judge_export(&json, catalog, config, &options()).await;
        accept(&mut report, &checks, &catalog, &parsed, None, &options()).expect("it fits");
        for report in [live, report] {
            assert_eq!(
                troubles(&report),
                [
                    "ref:mails.email",
                    "schema:ref:mails.email",
                    "unique:users.email",
                    "match:users.email",
                    "row:users(email,born)",
                    "past:users.born",
                    "fresh:users.seen"
                ],
            );
            let mut report = report;
            for check in &mut report.checks {
                // The query is the user's own way to the rows, and holds none of them.
                check.sql = None;
            }
            let text = serde_json::to_string(&report).expect("serializes");
            for hidden in ["secret", "2001-02-03"] {
                let at = text.find(hidden).map(|at| &text[at.saturating_sub(200)..(at + 60).min(text.len())]);
                assert_eq!(at, None, "{}", database.dialect());
            }
        }
    }
}

#[tokio::test]
async fn queries_types_and_differences_give_no_masked_value_away() {
    for database in TestDatabase::each("validate_mask_more") {
        database.run(
            "CREATE TABLE users (id int PRIMARY KEY, email varchar(40)); INSERT INTO users VALUES (1, 'SECRET');
             CREATE TABLE notes (id int PRIMARY KEY, of_type varchar(20), of_id int); INSERT INTO notes VALUES (1, 'SECRET', 5);
             CREATE TABLE bills (id int PRIMARY KEY, total int); INSERT INTO bills VALUES (1, 0);
             CREATE TABLE items (id int PRIMARY KEY, bill_id int, pay int); INSERT INTO items VALUES (1, 1, 777346);",
        );
        let config = "[run]\nmask = [\"users.email\", \"of_type\", \"items.pay\"]
            [table.notes]\ngeneric = [{ type = \"of_type\", id = \"of_id\" }]
            [table.bills]\ntotals = [\"total = sum(items.pay) by items.bill_id\"]
            [[check]]\nid = \"listed\"\nkind = \"sql\"\non = \"bills\"\nsql = \"SELECT id, email AS whoever, email FROM users\"
            [[check]]\nid = \"answered\"\nkind = \"sql\"\non = \"bills\"\nexpect = \"value = 1\"\nsql = \"SELECT email FROM users\"";
        let report = lived(&database, config, None).await.expect("it fits");
        let dialect = database.dialect();
        let failed = ["poly:notes(of_type,of_id)", "total:bills.total", "listed", "answered"];
        for id in failed {
            assert_eq!(check(&report, id).status, Status::Fail, "{dialect}: {id}");
        }
        let text = serde_json::to_string(&report).expect("serializes");
        for hidden in ["SECRET", "777346"] {
            let at = text.find(hidden).map(|at| &text[at.saturating_sub(200)..(at + 60).min(text.len())]);
            assert_eq!(at, None, "{dialect}");
        }
        // What nobody hides is shown.
        let (_, unmasked) = config.split_once('\n').expect("the mask is a line of its own");
        let open = lived(&database, unmasked.split_once('\n').expect("rules follow").1, None).await;
        let text = serde_json::to_string(&open.expect("it fits")).expect("serializes");
        assert!(text.contains("SECRET") && text.contains("777346"), "{dialect}");
    }
}

#[tokio::test]
async fn what_is_no_date_or_sorts_otherwise_is_not_called_the_first_or_the_last() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE t (id INTEGER PRIMARY KEY, q INTEGER, created_at TIMESTAMP);");
    for (rows, ends) in [
        ("(1, -1, '2026-11-02 10:00:00'), (2, -1, '2026-11-01')", Some(("2026-11-01", "2026-11-02 10:00:00"))),
        ("(1, -1, 999), (2, -1, 1000)", Some(("999", "1000"))),
        ("(1, -1, '2026-11-02 10:00:00'), (2, -1, 'garbage')", None),
        ("(1, -1, '2026-11-02 10:00:00'), (2, -1, 1700000000)", None),
        ("(1, -1, '02.11.2026'), (2, -1, '13.11.2020')", None),
    ] {
        database.run(&format!("DELETE FROM t; INSERT INTO t VALUES {rows};"));
        let config: Config = toml::from_str("[table.t]\nmin = { q = 0 }").expect("a configuration");
        let catalog = catalog_of(&database).await;
        let mut connection = connect(&database).await;
        let checks = plan(&catalog, &config, connection.dialect()).expect("plans");
        let options = Options { made: relink_validate::made_columns(&catalog, &config), ..options() };
        let report = run(&mut *connection, &catalog, &checks, &options, &mut |_| {}).await.expect("runs");
        let occurred = check(&report, "min:t.q").occurred.as_ref();
        assert_eq!(occurred.map(|one| (one.first.as_str(), one.last.as_str())), ends, "{rows}");
    }
}

#[tokio::test]
async fn a_suppression_reads_dates_in_the_zone_of_the_run() {
    let database = TestDatabase::sqlite();
    twenty(&database);
    database.run("UPDATE t SET made = '2026-11-20 12:30:00' WHERE id = 1; UPDATE t SET q = 1 WHERE id IN (2, 3);");
    // Now is noon in UTC, and one o'clock in Berlin.
    let options = Options { now: "2026-11-20T12:00:00Z".parse().expect("an instant"), ..options() };
    for (zone, status) in [("UTC", Status::Fail), ("Europe/Berlin", Status::Allowed)] {
        let config = format!(
            "[run]\ntimezone = \"{zone}\"\n[table.t]\nrows = [\"q > 0 and made is not null\"]\n[[allow]]\ncheck = \"row:*\"\nwhy = \"x\"\nwhere = \"made < now\""
        );
        let options = Options { timezone: Some(zone.to_owned()), ..options.clone() };
        let report = lived_with(&database, &config, None, &options).await.expect("it fits");
        assert_eq!(check(&report, "row:t(q,made)").status, status, "{zone}");
    }
}

#[tokio::test]
async fn values_that_do_not_fit_their_column_are_masked_where_the_reason_quotes_them() {
    let catalog =
        crate::validated::catalog_of_script("CREATE TABLE t (id INTEGER PRIMARY KEY, pin INTEGER, d DATE);").await;
    let config = "[run]\nmask = [\"pin\", \"d\"]";
    let json = r#"{"t": [{"id": 1, "pin": "secret", "d": "secret"}, {"id": 2, "pin": 12.5, "d": {"secret": 1}}]}"#;
    let parsed: Config = toml::from_str(config).expect("a configuration");
    let Judged { mut report, checks, catalog } = judge_export(json, catalog, config, &options()).await;
    accept(&mut report, &checks, &catalog, &parsed, None, &options()).expect("it fits");
    assert_eq!(counts(&report, "type:t.pin").0, 2);
    let text = serde_json::to_string(&report).expect("serializes");
    assert!(!text.contains("secret") && !text.contains("12.5"), "{text}");
}

#[tokio::test]
async fn since_a_moment_only_rows_made_or_changed_after_it_are_judged() {
    for database in TestDatabase::each("validate_since") {
        twenty(&database);
        database.run("CREATE TABLE parents (id int PRIMARY KEY); UPDATE t SET q = -1 WHERE id = 15; UPDATE t SET q = NULL WHERE id = 16;");
        let text =
            format!("{RULES}since = \"made\"\nrequired = [\"q\"]\nrefs = [\"q -> parents.id\"]\npast = [\"made\"]");
        let config: Config = toml::from_str(&text).expect("a configuration");
        let mut catalog = catalog_of(&database).await;
        config.add_virtual_references(&mut catalog).expect("resolves");
        let mut connection = connect(&database).await;
        let mut checks = plan(&catalog, &config, connection.dialect()).expect("plans");
        let id = catalog.find("t").expect("a table");
        assert_eq!(since_column(&catalog, &config, id), catalog.relation(id).column("made").map(|(index, _)| index));
        let restricted = restrict(&mut checks, &catalog, &config, "2026-11-15T10:00:00Z").expect("a moment");
        assert!(restricted >= 4, "{restricted}");
        let report = run(&mut *connection, &catalog, &checks, &options(), &mut |_| {}).await.expect("runs");
        let dialect = database.dialect();
        assert_eq!(keys(&report, "min:t.q"), ["id=15"], "{dialect}: 1, 2 and 3 are older");
        assert_eq!(counts(&report, "min:t.q"), (1, 1, 15), "{dialect}");
        assert_eq!(keys(&report, "required:t.q"), ["id=16"], "{dialect}");
        assert_eq!(counts(&report, "ref:t.q"), (5, 5, 15), "{dialect}");
        // Whether a row has a twin only all rows can tell.
        assert_eq!(counts(&report, "unique:t.email"), (2, 1, 0), "{dialect}");
        for bad in ["lately", "2026-13-01"] {
            let error = restrict(&mut checks, &catalog, &config, bad).expect_err(bad);
            assert!(error.to_string().contains("--since"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_rule_about_what_need_not_be_there_is_left_out_where_it_is_not() {
    for database in TestDatabase::each("validate_if_exists") {
        twenty(&database);
        let config = "[table.missing]\nif_exists = true\nmin = { q = 0 }\nrefs = [\"a -> t.id\"]\nrows = [\"a > b\"]
            [table.t]\nif_exists = true\nmin = { q = 0, gone = 0 }\nrefs = [\"gone -> t.id\", \"q -> nowhere.id\", \"id -> t.gone\"]\nrows = [\"gone > 0\", \"q > 100 or id > 0\"]
            required = [\"gone\"]\nunique = [\"gone\"]\nin = { gone = [1], q = { table = \"nowhere.code\" } }\npast = [\"gone\"]\ntotals = [\"q = sum(nowhere.q) by nowhere.id\"]
            [[check]]\nid = \"mine\"\nkind = \"row\"\non = \"nowhere\"\ncondition = \"a > 0\"\nif_exists = true
            [[check]]\nid = \"min:t.gone\"\nmax = 5\nif_exists = true";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(troubles(&report), ["min:t.q"], "{engine}");
            assert_eq!(check(&report, "row:t(id,q)").status, Status::Pass, "{engine}: the other rules are made");
        }
        // Nothing else is forgiven.
        let errors =
            lived(&database, "[table.t]\nif_exists = true\nrows = [\"q >\"]", None).await.expect_err("no condition");
        assert!(errors[0].to_string().contains("expected"), "{errors:?}");
    }
}

#[tokio::test]
async fn a_condition_that_is_unknown_counts_fails_or_passes_as_the_run_says() {
    for database in TestDatabase::each("validate_unknown") {
        database.run("CREATE TABLE t (id int PRIMARY KEY, a int, b int, s varchar(9)); INSERT INTO t VALUES (1, 1, 2, 'ab'), (2, 2, 1, 'b'), (3, NULL, 1, NULL);");
        for (unknown, wrong, not_judged) in
            [("count", vec!["id=2"], 1), ("fail", vec!["id=2", "id=3"], 0), ("pass", vec!["id=2"], 0)]
        {
            let config = format!(
                "[run]\nunknown = \"{unknown}\"\n[table.t]\nrows = [\"a < b\"]\nmatch = {{ s = 'a.' }}\nascending = [\"a <= b\"]\nmin = {{ a = 1 }}"
            );
            for (engine, report) in validate_both(&database, &config).await {
                for id in ["row:t(a,b)", "match:t.s", "ascending:t(a,b)"] {
                    assert_eq!(keys(&report, id), wrong, "{engine}: {unknown}, {id}");
                    assert_eq!(counts(&report, id).2, not_judged, "{engine}: {unknown}, {id}");
                }
                assert_eq!(counts(&report, "min:t.a").0, u64::from(unknown == "fail"), "{engine}: {unknown}");
            }
        }
    }
}

#[tokio::test]
async fn half_null_keys_are_findings_where_the_run_is_strict() {
    for database in TestDatabase::each("validate_strict_match") {
        database.run(
            "CREATE TABLE stores (tenant int NOT NULL, no int NOT NULL, PRIMARY KEY (tenant, no));
             CREATE TABLE orders (id int PRIMARY KEY, tenant int, store int, FOREIGN KEY (tenant, store) REFERENCES stores (tenant, no));
             CREATE TABLE visits (id int PRIMARY KEY, tenant int, store int);
             INSERT INTO stores VALUES (1, 1);
             INSERT INTO orders VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, 9), (4, NULL, NULL);
             INSERT INTO visits VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, 9), (4, NULL, NULL);",
        );
        let refs = "[table.visits]\nrefs = [\"(tenant, store) -> stores(tenant, no)\"]";
        // `full` is for what only the rules say; `strict` also for what the schema calls MATCH SIMPLE.
        for (run, of_schema, of_rule) in [("simple", 0, 0), ("full", 0, 2), ("strict", 2, 2)] {
            for (engine, report) in validate_both(&database, &format!("[run]\nmatch = \"{run}\"\n{refs}")).await {
                let failed = |id: &str| (counts(&report, id).0, counts(&report, id).2);
                assert_eq!(failed("ref:orders(tenant,store)"), (of_schema, 3 - of_schema), "{engine}: {run}");
                assert_eq!(failed("ref:visits(tenant,store)"), (of_rule, 3 - of_rule), "{engine}: {run}");
            }
        }
        for (mode, wrong) in [("simple", 0), ("full", 2), ("strict", 2)] {
            let config = format!("[table.visits]\nrefs = [\"(tenant, store) -> stores(tenant, no) match {mode}\"]");
            for (engine, report) in validate_both(&database, &config).await {
                assert_eq!(counts(&report, "ref:visits(tenant,store)").0, wrong, "{engine}: {mode}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_database_vouches_for_is_not_measured_where_the_run_trusts_it() {
    let Some(database) = TestDatabase::postgres("validate_trust") else { return };
    database.run(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT good REFERENCES p, q int CHECK (q > 0), code text UNIQUE);
         SET session_replication_role = replica; INSERT INTO c VALUES (1, 9, 1, 'a'); SET session_replication_role = DEFAULT;
         CREATE TABLE d (id int PRIMARY KEY, p int); INSERT INTO d VALUES (1, 9); ALTER TABLE d ADD CONSTRAINT late FOREIGN KEY (p) REFERENCES p NOT VALID;",
    );
    assert_eq!(troubles(&validate(&database, "").await), ["ref:c.p", "ref:d.p", "trust:ref:d.p"]);
    let trusting = validate(&database, "[run]\ntrust = \"validated\"").await;
    // What nobody has validated is measured all the same.
    assert_eq!(troubles(&trusting), ["ref:d.p", "trust:ref:d.p"]);
    let ids: Vec<&str> = trusting.checks.iter().map(|check| check.id.as_str()).collect();
    assert!(["ref:c.p", "unique:c.code"].iter().all(|id| !ids.contains(id)), "{ids:?}");
    assert!(ids.iter().all(|id| !id.starts_with("check:")), "{ids:?}");
    // An export has no one to vouch for it.
    let catalog = catalog_of(&database).await;
    let json = exported(&database, &catalog);
    let offline = crate::validated::validate_export(&json, catalog, "[run]\ntrust = \"validated\"").await;
    assert_eq!(check(&offline, "ref:c.p").status, Status::Fail);
}

#[tokio::test]
async fn a_check_that_takes_too_long_is_an_error_and_the_others_go_on() {
    for database in TestDatabase::each("validate_timeout") {
        twenty(&database);
        let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT COUNT(*) FROM n a, n b, n c WHERE a.i + b.i + c.i = 0";
        let config = format!(
            "{RULES}[[check]]\nid = \"slow\"\nkind = \"sql\"\non = \"t\"\nexpect = \"value = 0\"\nsql = \"{slow}\"
             [[check]]\nid = \"after\"\nkind = \"sql\"\non = \"t\"\nsql = \"SELECT id FROM t WHERE q < 0\""
        );
        let options = Options { timeout: Some(Duration::from_secs(1)), ..options() };
        let begun = std::time::Instant::now();
        let report = lived_with(&database, &config, None, &options).await.expect("it fits");
        let dialect = database.dialect();
        assert!(begun.elapsed() < Duration::from_secs(20), "{dialect}: {:?}", begun.elapsed());
        let found = check(&report, "slow");
        assert_eq!(found.status, Status::Error, "{dialect}");
        assert!(found.why.is_some(), "{dialect}");
        assert!(!report.is_complete(), "{dialect}");
        assert_eq!(troubles(&report), ["unique:t.email", "min:t.q", "slow", "after"], "{dialect}");
        assert_eq!(counts(&report, "after").0, 3, "{dialect}");
    }
}

/// Not a test's business how a plan is made, but what it holds.
fn ids(checks: &[Check]) -> Vec<&str> {
    checks.iter().map(|check| check.id.as_str()).collect()
}

#[tokio::test]
async fn an_export_and_its_database_are_judged_by_the_same_checks() {
    for database in TestDatabase::each("validate_same_ids") {
        twenty(&database);
        let config: Config = toml::from_str(RULES).expect("a configuration");
        let catalog = catalog_of(&database).await;
        let connection = connect(&database).await;
        let live = plan(&catalog, &config, connection.dialect()).expect("plans");
        let offline = relink_validate::plan_export(&catalog, &config).expect("plans");
        // What the types of a server rule out, an export can hold.
        let of_types = |id: &&str| !id.starts_with("type:");
        let (live, offline) = (ids(&live), ids(&offline));
        assert_eq!(
            live.into_iter().filter(of_types).collect::<Vec<_>>(),
            offline.into_iter().filter(of_types).collect::<Vec<_>>(),
            "{}",
            database.dialect()
        );
    }
}

#[tokio::test]
async fn a_rule_beside_others_over_its_columns_keeps_its_id_wherever_it_stands() {
    for database in TestDatabase::each("validate_stable_ids") {
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, total int, a int, b int UNIQUE); INSERT INTO t VALUES (1, 1, 1, 1), (2, 0, 2, 2);
             CREATE TABLE p (id int PRIMARY KEY);",
        );
        let ids = |rules: &'static str| {
            let database = &database;
            async move {
                let report = validate(database, rules).await;
                let is_rule =
                    |id: &&str| ["row:", "ref:", "unique:t.b#", "dead:"].iter().any(|kind| id.starts_with(kind));
                report
                    .checks
                    .iter()
                    .map(|check| check.id.as_str())
                    .filter(is_rule)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            }
        };
        assert_eq!(
            ids("[table.t]\nrows = [\"total > 1\"]").await,
            ["row:t.total"],
            "alone it is called by its columns"
        );
        let two = ids("[table.t]\nrows = [\"total > 1\", \"total > 0\"]").await;
        let other = ids("[table.t]\nrows = [\"total > 0\", \"total>1.0\"]").await;
        assert_eq!([&two[0], &two[1]], [&other[1], &other[0]], "by what it says, wherever it stands");
        assert!(
            two.iter().all(|id| id.starts_with("row:t.total#") && id.len() == "row:t.total#01234567".len()),
            "{two:?}"
        );
        let three = ids("[table.t]\nrows = [\"total > 2\", \"total > 0\", \"total > 1\"]").await;
        assert_eq!([&three[1], &three[2]], [&two[1], &two[0]]);
        // What the schema promises keeps its id, and so does what refers to rows that are gone.
        let unique = ids("[table.t]\nunique = [\"b where a > 0\"]").await;
        assert!(matches!(unique.as_slice(), [only] if only.starts_with("unique:t.b#")), "{unique:?}");
        let refs = "[table.t]\nrefs = [\"a -> p.id where total > 0\", \"a -> p.id where total = 0\"]\n[table.p]\nlive = \"id > 0\"\ndead = \"warn\"";
        let refs = ids(refs).await;
        let ends: std::collections::BTreeSet<&str> =
            refs.iter().filter_map(|id| id.split_once('#').map(|(_, end)| end)).collect();
        assert_eq!((refs.len(), ends.len()), (4, 2), "{refs:?}");
        // An allowance of the one is none of the other.
        let allowed = format!(
            "[table.t]\nrows = [\"total > 0\", \"total > 1\"]\n[[allow]]\ncheck = {:?}\nwhy = \"known\"",
            two[0]
        );
        let report = lived(&database, &allowed, None).await.expect("it fits");
        let statuses = |report: &Report| two.iter().map(|id| check(report, id).status).collect::<Vec<_>>();
        assert_eq!(statuses(&report), [Status::Allowed, Status::Fail]);
    }
}
