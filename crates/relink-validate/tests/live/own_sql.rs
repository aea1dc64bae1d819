//! The user's own SQL: whatever it answers, it is a query and no more.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{check, problems, samples, troubles, validate};

fn rule(id: &str, sql: &str, expect: &str) -> String {
    format!("[[check]]\nid = {id:?}\nkind = \"sql\"\nsql = {sql:?}\nexpect = {expect:?}\n")
}

#[tokio::test]
async fn a_query_answers_values_of_any_type_under_their_names() {
    for database in TestDatabase::each("validate_own_types") {
        let name = database.dialect();
        database.run(
            "CREATE TABLE o (id int PRIMARY KEY, total numeric(10,2), made timestamp NULL);
             INSERT INTO o VALUES (1, 5, '2026-01-02 03:04:05'), (2, 2.5, NULL);",
        );
        let config = [
            rule("sum", "select sum(total) from o", "value = 7.50"),
            rule("off", "select count(*) from o;", "value = 3"),
            rule("rows", "select id as number, total, made from o where total > 3 -- the dear ones", "no rows"),
            rule("twice", "select id, id from o", "no rows"),
        ];
        let report = validate(&database, &config.concat()).await;
        assert_eq!(troubles(&report), ["off", "rows", "twice"], "{name}");
        assert_eq!(check(&report, "off").problems.keys().collect::<Vec<_>>(), ["the answer is 2"], "{name}");
        let [row] = samples(&report, "rows").try_into().expect("one row");
        assert!(row.starts_with("number=1 total=5") && row.contains("made=2026-01-02 03:04:05"), "{name}: {row}");
        // SQLite gives the second one a name of its own.
        let twice = if name == "sqlite" { Status::Fail } else { Status::Error };
        assert_eq!(check(&report, "twice").status, twice, "{name}");
        assert_eq!(problems(&report, "sum"), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn what_writes_or_ends_the_transaction_is_no_query_and_stops_no_other_check() {
    for database in TestDatabase::each("validate_own_writes") {
        let name = database.dialect();
        database.run("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1);");
        let config = [
            rule("begin", "start transaction read write", "no rows"),
            rule("write", "update t set n = 2 where id = 1", "no rows"),
            rule("end", "commit", "no rows"),
            rule("several", "select 1; commit; drop table t", "no rows"),
            rule("fine", "select id from t where n <> 1", "no rows"),
        ];
        let report = validate(&database, &config.concat()).await;
        for id in ["begin", "write", "end", "several"] {
            assert_eq!(check(&report, id).status, Status::Error, "{id} on {name}");
        }
        assert_eq!(check(&report, "fine").status, Status::Pass, "{name}");
        assert_eq!(database.value("SELECT n FROM t"), "1", "{name}");
    }
}

#[tokio::test]
async fn rows_are_counted_by_the_database_and_only_samples_are_fetched() {
    for database in TestDatabase::each("validate_own_many") {
        let rows: Vec<String> = (1..=500).map(|id| format!("({id})")).collect();
        database.run(&format!("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES {};", rows.join(", ")));
        let report = validate(&database, &rule("all", "select id from t", "no rows")).await;
        let found = check(&report, "all");
        assert_eq!((found.counts.failed, found.truncated), (500, true));
        assert!(found.samples.len() < 500);
    }
}
