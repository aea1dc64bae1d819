//! NOT NULL, CHECK, storage classes, blank values.

use relink_model::Severity;
use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{check, counts, samples, troubles, validate, validate_both};

#[tokio::test]
async fn a_check_is_evaluated_again_and_null_is_not_judged() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, q INTEGER, CONSTRAINT positive CHECK (q >= 0 -- never less
         ), CHECK (t.id < 100));
         PRAGMA ignore_check_constraints = ON;
         INSERT INTO t VALUES (1, 5), (2, -5), (3, NULL), (100, 1);",
    );
    let report = validate(&database, "").await;
    assert_eq!(counts(&report, "check:t.positive"), (1, 1, 1));
    assert_eq!(samples(&report, "check:t.positive"), ["id=2 | q=-5"]);
    assert_eq!(samples(&report, "check:t(t.id < 100)"), ["id=100 | "]);
}

#[tokio::test]
async fn a_check_broken_while_checks_were_off_is_found() {
    let Some(database) = TestDatabase::mysql("validate_checks_off") else { return };
    database.run(
        "CREATE TABLE t (id INT PRIMARY KEY, q INT, CONSTRAINT positive CHECK (q >= 0));
         SET check_constraint_checks = 0; INSERT INTO t VALUES (1, -5), (2, 5), (3, NULL);",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["check:t.positive"]);
    assert_eq!(counts(&report, "check:t.positive"), (1, 1, 1));
}

#[tokio::test]
async fn a_check_with_a_function_that_is_missing_could_not_run_and_the_others_go_on() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, q INTEGER NOT NULL);
         INSERT INTO t VALUES (1, 'x', 1);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, q INTEGER NOT NULL,
             CONSTRAINT shaped CHECK (nowhere_known(a)), CONSTRAINT positive CHECK (q > 5))' WHERE name = 't';",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["check:t.positive", "check:t.shaped"]);
    let broken = check(&report, "check:t.shaped");
    assert_eq!(broken.status, Status::Error);
    assert!(broken.why.as_deref().is_some_and(|why| why.contains("nowhere_known")), "{:?}", broken.why);
    assert_eq!(check(&report, "check:t.positive").status, Status::Fail);
    assert_eq!((report.summary.not_run, report.is_complete()), (1, false));
}

#[tokio::test]
async fn null_where_the_schema_forbids_it_is_found() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, number TEXT);
         INSERT INTO t VALUES (1, 'a'), (2, NULL);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t (id INTEGER PRIMARY KEY, number TEXT NOT NULL)' WHERE name = 't';",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["not_null:t.number"]);
    assert_eq!(samples(&report, "not_null:t.number"), ["id=2 | number=NULL"]);
}

#[tokio::test]
async fn values_stored_otherwise_than_declared_are_warnings() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, q INTEGER, price DECIMAL(10,2), name TEXT, photo BLOB, any);
         INSERT INTO t VALUES (1, 1, 1.5, 'a', x'00', 'x'), (2, 'abc', '1,000.00', x'41', 'text', 1), (3, 1.5, 2, NULL, NULL, NULL),
                              (4, NULL, '12345678901234567890.12', 'b', NULL, x'00');
         CREATE TABLE s (id INTEGER PRIMARY KEY, q INTEGER) STRICT;",
    );
    let report = validate(&database, "").await;
    assert_eq!(troubles(&report), ["type:t.q", "type:t.price", "type:t.name", "type:t.photo"]);
    assert_eq!(samples(&report, "type:t.q"), ["id=2 | q=abc", "id=3 | q=1.5"]);
    assert_eq!(samples(&report, "type:t.price"), ["id=2 | price=1,000.00"], "a number as text keeps its digits");
    assert_eq!(samples(&report, "type:t.name"), ["id=2 | name=x'41'"]);
    assert!(report.checks.iter().all(|check| check.status == Status::Pass || check.severity == Severity::Warning));
    assert!(!report.checks.iter().any(|check| check.id.starts_with("type:s.")), "STRICT relations enforce their types");
}

#[tokio::test]
async fn a_zero_date_is_neither_null_nor_in_the_future_but_a_finding_of_its_own() {
    let Some(database) = TestDatabase::mysql("validate_zero_date") else { return };
    database.run(
        "SET sql_mode = '';
         CREATE TABLE t (id INT PRIMARY KEY, d DATE NOT NULL, e DATE NULL, k ENUM('a', 'b') NOT NULL);
         INSERT INTO t VALUES (1, '0000-00-00', '0000-00-00', 'wrong'), (2, '2020-01-01', NULL, 'a');",
    );
    let report = validate(&database, "[table.t]\npast = [\"d\", \"e\"]").await;
    assert_eq!(troubles(&report), ["type:t.d", "type:t.e", "type:t.k"]);
    assert_eq!(counts(&report, "type:t.e"), (1, 1, 1));
    assert_eq!(counts(&report, "not_null:t.d"), (0, 0, 0));
    assert_eq!(counts(&report, "past:t.e"), (0, 0, 2));
}

#[tokio::test]
async fn an_empty_relation_passes_and_says_that_it_judged_nothing() {
    for database in TestDatabase::each("validate_empty") {
        database.run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int NOT NULL REFERENCES p (id), q int);");
        let report = validate(&database, "[table.c]\nmin = { q = 0 }").await;
        assert_eq!(troubles(&report), [""; 0]);
        assert!(report.checks.iter().all(|check| check.counts.judged == 0));
        assert_eq!(report.run.rows, 0);
    }
}

#[tokio::test]
async fn the_planner_is_not_asked_to_trust_the_constraint_under_scrutiny() {
    let Some(database) = TestDatabase::postgres("validate_exclusion") else { return };
    let name = database.value("SELECT current_database()");
    database.run(&format!(
        "ALTER DATABASE \"{name}\" SET constraint_exclusion = on;
         CREATE TABLE t (id int PRIMARY KEY, q int, n int);
         INSERT INTO t VALUES (1, -5, NULL), (2, 5, 1);
         ALTER TABLE t ADD CONSTRAINT positive CHECK (q >= 0) NOT VALID;
         UPDATE pg_constraint SET convalidated = true WHERE conname = 'positive';
         UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 't'::regclass AND attname = 'n';"
    ));
    let report = validate(&database, "").await;
    assert_eq!(samples(&report, "check:t.positive"), ["id=1 | q=-5"]);
    assert_eq!(samples(&report, "not_null:t.n"), ["id=1 | n=NULL"]);
}

#[tokio::test]
async fn what_a_domain_demands_is_a_check_of_each_column() {
    let Some(database) = TestDatabase::postgres("validate_domains") else { return };
    database.run(
        "CREATE DOMAIN amount AS int; CREATE DOMAIN small AS amount CHECK (VALUE < 100);
         CREATE TABLE t (id int PRIMARY KEY, a small, b amount); INSERT INTO t VALUES (1, -1, 5), (2, 7, NULL);
         ALTER DOMAIN amount ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;",
    );
    for (name, report) in validate_both(&database, "").await {
        let failing: Vec<&str> = troubles(&report).into_iter().filter(|id| id.starts_with("check:")).collect();
        let [id] = failing.try_into().expect("one finding");
        assert_eq!(samples(&report, id), ["id=1 | a=-1"], "{name}: {id}");
        let judged = report.checks.iter().filter(|check| check.id.starts_with("check:")).count();
        // Which of them an export can judge hangs on what they say.
        let left = report.not_checked.iter().filter(|line| line.starts_with("check:")).count();
        assert_eq!(judged + left, 3, "{name}: two conditions on a, one on b: {:?}", report.not_checked);
    }
}
