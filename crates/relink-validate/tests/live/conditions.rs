//! Rules about single rows: `rows`, `required`, `required_when`, `in`, `match`, `ascending`.

use relink_model::config::ConfigError;
use relink_testkit::TestDatabase;

use crate::validated::{check, counts, samples, troubles, validate, validate_with};

/// The keys of the samples.
fn keys(report: &relink_validate::Report, id: &str) -> Vec<String> {
    samples(report, id).iter().map(|sample| sample.split(" | ").next().unwrap_or_default().to_owned()).collect()
}

const ORDERS: &str = "CREATE TABLE orders (id int PRIMARY KEY, number varchar(20), status varchar(20), kind varchar(20), sku varchar(20),
        total decimal(12, 2), tax decimal(12, 2), line_count int, ordered_at timestamp NULL, shipped_at timestamp NULL);
     INSERT INTO orders VALUES
        (1, 'A-1', 'new', 'sale', 'ABC-12', 10.00, 1.90, 2, '2026-01-01 10:00:00', NULL),
        (2, ' ', 'shipped', 'sale', 'abc-12', -0.01, 0.00, 1, '2026-01-02 10:00:00', '2026-01-02 09:59:59'),
        (3, NULL, 'SHIPPED', 'refund', 'ABC-1x', -5.00, -0.95, 1, '2026-01-03 10:00:00', '2026-01-03 10:00:00'),
        (4, 'A-4', 'shipped', 'sale', NULL, NULL, 0.00, NULL, NULL, NULL),
        (5, 'A-5', NULL, NULL, 'ABC-9', 3.00, 0.57, 0, '2026-01-05 10:00:00', NULL),
        (6, 'A-6', 'new ', 'sale', ' ABC-9', 0.10, 0.02, 3, '2026-01-05 10:00:00', '2026-02-05 10:00:00');";

#[tokio::test]
async fn conditions_mean_the_same_in_every_database() {
    let config = r#"[table.orders]
        required = ["number"]
        required_when = { shipped_at = "status = 'shipped'", sku = "line_count > 0" }
        in = { status = ["new", "shipped"], line_count = [1, 2, 3] }
        match = { sku = '[A-Z]{3}-\d+' }
        ascending = ["ordered_at <= shipped_at <= now"]
        rows = [
            "total >= 0 or kind = 'refund'",
            "tax * 100 <= total * 19 and tax * 100 >= total * 18",
            "line_count > 0",
            "ci(status) != 'cancelled' and not (total is null and line_count is null)",
        ]"#;
    for database in TestDatabase::each("validate_conditions") {
        database.run(ORDERS);
        let report = validate(&database, config).await;
        let dialect = database.dialect();
        for (id, failed, not_judged) in [
            ("required:orders.number", vec!["id=2", "id=3"], 0),
            // NULL in the condition leaves it open whether the column must be filled in; a filled-in column is right all the same.
            ("required_when:orders.shipped_at", vec!["id=4"], 1),
            ("required_when:orders.sku", vec![], 1),
            // Letters count, and blanks.
            ("in:orders.status", vec!["id=3", "id=6"], 1),
            ("in:orders.line_count", vec!["id=5"], 1),
            ("match:orders.sku", vec!["id=2", "id=3", "id=6"], 1),
            ("ascending:orders(ordered_at,shipped_at)", vec!["id=2"], 3),
            ("row:orders(kind,total)", vec!["id=2"], 1),
            ("row:orders(total,tax)", vec!["id=2", "id=3", "id=6"], 1),
            ("row:orders.line_count", vec!["id=5"], 1),
            ("row:orders(status,total,line_count)", vec!["id=4"], 1),
        ] {
            assert_eq!(keys(&report, id), failed, "{dialect} {id}");
            assert_eq!(counts(&report, id), (failed.len() as u64, failed.len() as u64, not_judged), "{dialect} {id}");
            assert_eq!(check(&report, id).counts.total, 6, "{dialect} {id}");
        }
    }
}

#[tokio::test]
async fn a_value_that_is_not_what_its_column_says_is_found_and_never_passes() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, q INTEGER, at TEXT, d DATE);
         INSERT INTO t VALUES (1, 'abc', 'x', '2026-01-05'), (2, 7, 'y', '5 January'), (3, '8', NULL, NULL), (4, x'00', 'z', '2026-1-4');",
    );
    let report =
        validate(&database, "[table.t]\nrows = [\"q > 0\", \"d < '2026-02-01'\", \"q > 100 or id > 0\"]").await;
    assert_eq!(keys(&report, "row:t.q"), ["id=1", "id=4"]);
    assert_eq!(check(&report, "row:t.q").problems["not a number"], 2);
    assert_eq!(keys(&report, "row:t.d"), ["id=2"]);
    assert_eq!(check(&report, "row:t.d").samples[0].problem.as_deref(), Some("not a date"));
    assert_eq!(counts(&report, "row:t(id,q)"), (0, 0, 0), "the other side decides");
    let Some(database) = TestDatabase::postgres("validate_conditions_nan") else { return };
    database.run("CREATE TABLE t (id int PRIMARY KEY, q numeric, f float8); INSERT INTO t VALUES (1, 'NaN', 'NaN'), (2, 'Infinity', 1);");
    let report = validate(&database, "[table.t]\nrows = [\"q >= 0\", \"f >= 0\"]").await;
    assert_eq!(keys(&report, "row:t.q"), ["id=1"]);
    assert_eq!(keys(&report, "row:t.f"), ["id=1"]);
}

#[tokio::test]
async fn every_row_of_a_large_table_is_judged_once() {
    for database in TestDatabase::each("validate_conditions_pages") {
        // Twice as many rows as are read at once, and some more; names in an order of their own.
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45000)";
        let insert = format!("{numbers} SELECT CONCAT('n', (i * 7919) % 45000), i % 3, CONCAT('v', i) FROM n");
        let insert = match database.dialect() {
            "sqlite" => insert
                .replace("CONCAT('n', (i * 7919) % 45000)", "'n' || ((i * 7919) % 45000)")
                .replace("CONCAT('v', i)", "'v' || i"),
            _ => insert,
        };
        let insert = match database.dialect() {
            // MariaDB wants the WITH behind the INSERT's target, and more steps than it allows by itself.
            "mysql" => format!("SET SESSION max_recursive_iterations = 100000; INSERT INTO t {insert};"),
            _ => format!("INSERT INTO t {insert};"),
        };
        database.run(&format!(
            "CREATE TABLE t (name varchar(20) NOT NULL, part int NOT NULL, v varchar(20), PRIMARY KEY (name, part)); {insert}"
        ));
        let report = validate(&database, "[table.t]\nmatch = { v = 'v\\d*[1-9]' }").await;
        // Those that end in 0.
        assert_eq!(counts(&report, "match:t.v"), (4_500, 4_500, 0), "{}", database.dialect());
        assert_eq!(check(&report, "match:t.v").samples.len(), 20);
    }
}

#[tokio::test]
async fn what_a_database_stores_in_its_own_way_is_judged_by_what_it_says() {
    for database in TestDatabase::each("validate_conditions_stored") {
        let (single, bytes) = match database.dialect() {
            "postgres" => ("float4", "bytea"),
            "mysql" => ("float", "varbinary(10)"),
            _ => ("real", "blob"),
        };
        database.run(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, f {single}, raw {bytes}, until timestamp NULL);
             INSERT INTO t (id, f, until) VALUES (1, 0.1, '2037-12-31 23:59:59'), (2, 0.25, '2030-01-01 00:00:00'), (3, NULL, NULL);
             UPDATE t SET raw = {} WHERE id = 1;",
            if database.dialect() == "postgres" { "decode('00ff', 'hex')" } else { "x'00ff'" }
        ));
        let config = "[table.t]\nrequired = [\"raw\"]\nrows = [\"f <= 0.1\", \"until > now or until is null\"]";
        let report = validate(&database, config).await;
        assert_eq!(keys(&report, "row:t.f"), ["id=2"], "{}", database.dialect());
        assert_eq!(keys(&report, "required:t.raw"), ["id=2", "id=3"], "{}", database.dialect());
        assert_eq!(counts(&report, "row:t.until"), (0, 0, 0), "{}", database.dialect());
    }
    let Some(database) = TestDatabase::mysql("validate_conditions_mysql") else { return };
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, active tinyint(1), until datetime, kind enum('user', 'group') NOT NULL);
         INSERT INTO t VALUES (1, 1, '9999-12-31 23:59:59', 'user'), (2, 2, '9999-12-31 23:59:59', 'group'), (3, 0, NULL, 'user');",
    );
    let report =
        validate(&database, "[table.t]\nrows = [\"active\", \"until > now\"]\nin = { kind = [\"user\"] }").await;
    assert_eq!(keys(&report, "row:t.active"), ["id=2", "id=3"]);
    assert_eq!(check(&report, "row:t.active").problems["neither true nor false"], 1);
    assert_eq!(counts(&report, "row:t.until"), (0, 0, 1));
    assert_eq!(keys(&report, "in:t.kind"), ["id=2"]);
    // Sorted by position, and read as text: no key to page by.
    database.run(
        "CREATE TABLE pages (kind enum('user', 'group') NOT NULL, id int NOT NULL, v varchar(10), PRIMARY KEY (kind, id));
         SET SESSION max_recursive_iterations = 100000;
         INSERT INTO pages WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 45000)
            SELECT IF(i % 2, 'user', 'group'), i, IF(i % 1000, 'fine', 'not') FROM n;",
    );
    let report = validate(&database, "[table.pages]\nmatch = { v = 'fine' }").await;
    assert_eq!(counts(&report, "match:pages.v"), (45, 45, 0));
}

#[tokio::test]
async fn a_mistake_in_a_condition_is_named_with_its_place_before_anything_is_asked() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, total NUMERIC(10, 2), status TEXT, at TIMESTAMP);");
    for (rule, expected) in [
        ("rows = [\"totl > 0\"]", "column \"totl\"; did you mean \"total\""),
        ("rows = [\"total >\"]", "at character 8"),
        ("rows = [\"total + 1\"]", "true or false at character 1"),
        ("rows = [\"status > 5\"]", "text at character 10"),
        ("rows = [\"at < 'soon'\"]", "a date such as"),
        ("required = [\"statsu\"]", "column \"statsu\""),
        ("required_when = { status = \"total >\" }", "at character 8"),
        ("in = { total = [\"many\"] }", "a number at character"),
        ("match = { status = '[' }", "a pattern, and this is none"),
        ("match = { total = 'a' }", "text at character"),
        ("ascending = [\"total = 5\"]", "columns in their order"),
    ] {
        let errors = validate_with(&database, &format!("[table.orders]\n{rule}"), 20).await.expect_err(rule);
        let said: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
        assert!(said.len() == 1 && said[0].contains(expected), "{rule}: {said:?}");
    }
    assert_eq!(troubles(&validate(&database, "[table.orders]\nrows = [\"total > 0\"]").await), Vec::<&str>::new());
}
