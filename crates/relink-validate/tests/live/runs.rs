//! What a run does whatever it checks.

use std::collections::BTreeSet;

use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_model::config::Config;
use relink_testkit::TestDatabase;
use relink_validate::{Event, Options, Report, Status, plan, run};

use crate::validated::{NOW, check, troubles, validate};

fn options() -> Options {
    let now = NOW.parse().expect("an instant");
    Options { samples_max: 5, ..Options::new(now, std::env::temp_dir()) }
}

/// Validates as another role of the same PostgreSQL server.
pub(crate) async fn validate_as(database: &TestDatabase, role: &str) -> Report {
    let url = database.url();
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let url: DatabaseUrl = format!("{scheme}://{role}@{rest}").parse().expect("a URL");
    let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
    let catalog = connection.introspect().await.expect("introspects");
    let checks = plan(&catalog, &Config::default(), connection.dialect()).expect("plans");
    connection.begin(TransactionKind::Snapshot).await.expect("begins");
    run(&mut *connection, &catalog, &checks, &options(), &mut |_| {}).await.expect("runs")
}

#[tokio::test]
async fn a_relation_dropped_after_planning_stops_its_own_checks_only() {
    for database in TestDatabase::each("validate_dropped") {
        database
            .run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1);");
        let url: DatabaseUrl = database.url().parse().expect("a URL");
        let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
        let catalog = connection.introspect().await.expect("introspects");
        let checks = plan(&catalog, &Config::default(), connection.dialect()).expect("plans");
        database.run("DROP TABLE a;");
        connection.begin(TransactionKind::Snapshot).await.expect("begins");
        let mut finished = Vec::new();
        let mut events = |event| {
            if let Event::Finished { id, status, .. } = event {
                finished.push((id, status));
            }
        };
        let report = run(&mut *connection, &catalog, &checks, &options(), &mut events).await.expect("runs");
        assert_eq!(finished.len(), checks.len());
        for result in &report.checks {
            let expected = if result.relation.name == "a" { Status::Error } else { Status::Pass };
            assert_eq!(result.status, expected, "{} on {}", result.id, database.dialect());
        }
        assert_eq!(check(&report, "unique:b.id").counts.total, 1);
        assert!(!report.is_complete());
    }
}

#[tokio::test]
async fn only_the_relations_asked_for_are_checked() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY);");
    let url: DatabaseUrl = database.url().parse().expect("a URL");
    let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
    let catalog = connection.introspect().await.expect("introspects");
    let checks = plan(&catalog, &Config::default(), connection.dialect()).expect("plans");
    connection.begin(TransactionKind::Snapshot).await.expect("begins");
    let only = catalog.find("b").map(|id| vec![id]);
    let options = Options { only, ..options() };
    let report = run(&mut *connection, &catalog, &checks, &options, &mut |_| {}).await.expect("runs");
    assert!(!report.checks.is_empty() && report.checks.iter().all(|check| check.relation.name == "b"));
}

#[tokio::test]
async fn checks_run_inside_a_write_transaction_and_leave_it_usable() {
    for database in TestDatabase::each("validate_in_write") {
        database.run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int);");
        let url: DatabaseUrl = database.url().parse().expect("a URL");
        let mut connection = relink_db::connect(&url, Access::ReadWrite).await.expect("connects");
        let mut catalog = connection.introspect().await.expect("introspects");
        let config: Config = toml::from_str(
            "[table.c]\nrefs = [\"p -> p.id\"]\n[[check]]\nid = \"broken\"\nkind = \"sql\"\nsql = \"SELECT no_such_column FROM c\"",
        )
        .expect("a configuration");
        config.add_virtual_references(&mut catalog).expect("resolves");
        let checks = plan(&catalog, &config, connection.dialect()).expect("plans");
        connection.begin(TransactionKind::Write).await.expect("begins");
        connection.execute("INSERT INTO c VALUES (1, 5)", &[]).await.expect("inserts");
        let report = run(&mut *connection, &catalog, &checks, &options(), &mut |_| {}).await.expect("runs");
        let found: BTreeSet<&str> = troubles(&report).into_iter().collect();
        assert_eq!(found, BTreeSet::from(["broken", "ref:c.p"]), "{}", database.dialect());
        connection.execute("INSERT INTO p VALUES (5)", &[]).await.expect("the transaction is still usable");
        connection.commit().await.expect("commits");
        assert_eq!(troubles(&validate(&database, "").await), [""; 0]);
    }
}

#[tokio::test]
async fn the_report_is_json_of_a_published_shape_with_exact_values_as_text() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE p (id INTEGER PRIMARY KEY);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);
         INSERT INTO c VALUES (9007199254740993, 9223372036854775807);",
    );
    let report = serde_json::to_value(validate(&database, "").await).expect("serializes");
    assert_eq!(report["version"], 1);
    let found = &report["checks"][0];
    assert_eq!(found["id"], "ref:c.p");
    assert_eq!(
        (&found["kind"], &found["status"], &found["severity"]),
        (&"ref".into(), &"fail".into(), &"error".into())
    );
    assert_eq!(found["samples"][0]["key"]["id"], "9007199254740993");
    assert_eq!(found["samples"][0]["values"]["p"], "9223372036854775807");
    let schema = schemars::schema_for!(Report);
    let properties = schema.get("properties").and_then(|value| value.as_object()).expect("an object");
    assert!(["version", "run", "summary", "checks"].iter().all(|name| properties.contains_key(*name)));
}

#[tokio::test]
async fn a_relation_that_may_not_be_read_is_not_a_relation_without_findings() {
    let Some(database) = TestDatabase::postgres("validate_denied") else { return };
    let role = format!("denied_{}", std::process::id());
    database.run(&format!(
        "CREATE TABLE open (id int PRIMARY KEY); CREATE TABLE shut (id int PRIMARY KEY);
         CREATE ROLE {role} LOGIN; GRANT SELECT ON open TO {role};"
    ));
    let report = validate_as(&database, &role).await;
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role};"));
    assert_eq!(check(&report, "unique:open.id").status, Status::Pass);
    let denied = check(&report, "unique:shut.id");
    assert_eq!(denied.status, Status::Error);
    assert!(denied.why.as_deref().is_some_and(|why| why.contains("permission denied")), "{:?}", denied.why);
}

#[tokio::test]
async fn the_report_says_when_failing_rows_were_made() {
    for database in TestDatabase::each("validate_occurred") {
        database.run(
            "CREATE TABLE p (id int PRIMARY KEY);
             CREATE TABLE c (id int PRIMARY KEY, p_id int, q int, name varchar(20), created_at timestamp NULL);
             INSERT INTO c VALUES (1, 5, -1, 'a', '2026-10-02 10:00:00'), (2, 6, 1, 'A', '2026-11-19 11:30:00'), (3, 7, -2, 'b', NULL),
                (4, NULL, 3, 'x', '2026-12-01 00:00:00');",
        );
        let url: DatabaseUrl = database.url().parse().expect("a URL");
        let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
        let mut catalog = connection.introspect().await.expect("introspects");
        let config = "[table.c]\nrefs = [\"p_id -> p.id\"]\nmin = { q = 0 }\nunique = [\"ci(name)\"]";
        let config: Config = toml::from_str(config).expect("a configuration");
        config.add_virtual_references(&mut catalog).expect("resolves");
        let checks = plan(&catalog, &config, connection.dialect()).expect("plans");
        connection.begin(TransactionKind::Snapshot).await.expect("begins");
        let options = Options { made: relink_validate::made_columns(&catalog, &config), ..options() };
        let report = run(&mut *connection, &catalog, &checks, &options, &mut |_| {}).await.expect("runs");
        for (id, first, last) in [
            ("ref:c.p_id", "2026-10-02 10:00:00", "2026-11-19 11:30:00"),
            ("min:c.q", "2026-10-02 10:00:00", "2026-10-02 10:00:00"),
            ("unique:c.ci(name)", "2026-10-02 10:00:00", "2026-11-19 11:30:00"),
        ] {
            let occurred = check(&report, id).occurred.as_ref();
            let occurred = occurred.unwrap_or_else(|| panic!("{} {id}", database.dialect()));
            assert_eq!(occurred.column, "created_at");
            assert!(
                occurred.first.starts_with(first) && occurred.last.starts_with(last),
                "{} {id}: {occurred:?}",
                database.dialect()
            );
        }
    }
}

#[tokio::test]
async fn a_storage_engine_without_foreign_keys_is_not_trusted() {
    let Some(database) = TestDatabase::mysql("validate_engine") else { return };
    database.run("CREATE TABLE loose (id int PRIMARY KEY) ENGINE = MyISAM; CREATE TABLE kept (id int PRIMARY KEY);");
    assert_eq!(troubles(&validate(&database, "").await), ["trust:engine:loose"]);
}
