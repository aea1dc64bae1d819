//! Rows that are marked as deleted and not removed: `live`, `dead`.

use relink_model::Severity;
use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{check, counts, keys, validate_both};

const SHOP: &str = "CREATE TABLE customers (id int PRIMARY KEY, email varchar(40), deleted_at timestamp NULL);
     CREATE TABLE orders (id int PRIMARY KEY, customer_id int, number varchar(9), total decimal(9,2), deleted_at timestamp NULL);
     CREATE TABLE order_lines (id int PRIMARY KEY, order_id int, amount decimal(9,2), deleted_at timestamp NULL);
     INSERT INTO customers VALUES (1, 'A@x.org', NULL), (2, 'a@x.org', '2026-01-01 10:00:00'), (3, 'b@x.org', NULL);
     INSERT INTO orders VALUES (1, 1, 'A-1', 5, NULL), (2, 2, 'A-2', 0, NULL), (3, 2, NULL, 0, '2026-01-02 10:00:00'), (4, 9, 'A-4', 0, NULL),
        (5, 9, 'A-1', 77, '2026-01-02 10:00:00'), (6, NULL, NULL, 0, NULL);
     INSERT INTO order_lines VALUES (1, 1, 5, NULL), (2, 1, 3, '2026-01-02 10:00:00');";

fn config(dead: &str) -> String {
    format!(
        "[table.customers]\nlive = \"deleted_at is null\"\ndead = \"{dead}\"\nunique = [\"ci(email)\"]\ncount = \"= 2\"
         [table.orders]\nlive = \"deleted_at is null\"\nrefs = [\"customer_id -> customers.id\"]\nrequired = [\"number\"]
         unique = [\"number\"]\ntotals = [\"total = sum(order_lines.amount) by order_id\"]
         [table.order_lines]\nlive = \"deleted_at is null\""
    )
}

#[tokio::test]
async fn a_live_child_of_a_deleted_parent_is_what_the_rule_says_that_it_is() {
    for database in TestDatabase::each("validate_dead") {
        database.run(SHOP);
        for (dead, severity) in [("orphan", Severity::Error), ("warn", Severity::Warning)] {
            for (engine, report) in validate_both(&database, &config(dead)).await {
                let found = check(&report, "dead:orders.customer_id");
                assert_eq!((found.status, found.severity), (Status::Fail, severity), "{engine}");
                assert_eq!(keys(&report, "dead:orders.customer_id"), ["id=2"], "{engine}");
                // A deleted child of a parent that is gone is an orphan all the same, which is worth knowing and no more.
                assert_eq!(keys(&report, "ref:orders.customer_id"), ["id=4"], "{engine}");
                assert_eq!(counts(&report, "ref:orders.customer_id"), (1, 1, 3), "{engine}");
                assert_eq!(keys(&report, "ref:orders.customer_id[not live]"), ["id=5"], "{engine}");
                assert_eq!(check(&report, "ref:orders.customer_id[not live]").severity, Severity::Info, "{engine}");
            }
        }
        for (engine, report) in validate_both(&database, &config("ok")).await {
            assert!(report.checks.iter().all(|check| !check.id.starts_with("dead:")), "{engine}");
        }
    }
}

#[tokio::test]
async fn rules_about_rows_judge_those_that_are_there() {
    for database in TestDatabase::each("validate_live") {
        database.run(SHOP);
        for (engine, report) in validate_both(&database, &config("ok")).await {
            assert_eq!(keys(&report, "required:orders.number"), ["id=6"], "{engine}");
            assert_eq!(counts(&report, "required:orders.number"), (1, 1, 2), "{engine}");
            assert_eq!(counts(&report, "unique:orders.number"), (0, 0, 3), "{engine}: a deleted row is no twin");
            assert_eq!(counts(&report, "unique:customers.ci(email)"), (0, 0, 1), "{engine}");
            assert_eq!(check(&report, "count:customers").status, Status::Pass, "{engine}: deleted rows do not count");
            // Neither deleted headers are judged nor deleted lines summed.
            assert_eq!(counts(&report, "total:orders.total"), (0, 0, 2), "{engine}");
        }
    }
}

#[tokio::test]
async fn a_row_of_which_nobody_can_tell_whether_it_is_there_counts_as_gone() {
    for database in TestDatabase::each("validate_unknown_life") {
        database.run(
            "CREATE TABLE users (id int PRIMARY KEY, active boolean);
             CREATE TABLE posts (id int PRIMARY KEY, user_id int, active boolean);
             INSERT INTO users VALUES (1, true), (2, false), (3, NULL);
             INSERT INTO posts VALUES (1, 1, true), (2, 2, true), (3, 3, true), (4, 9, NULL), (5, 9, false), (6, 9, true);",
        );
        let config = "[table.users]\nlive = \"active\"\ndead = \"orphan\"\n[table.posts]\nlive = \"active\"\nrefs = [\"user_id -> users.id\"]";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(keys(&report, "dead:posts.user_id"), ["id=2", "id=3"], "{engine}");
            assert_eq!(keys(&report, "ref:posts.user_id"), ["id=6"], "{engine}");
            assert_eq!(keys(&report, "ref:posts.user_id[not live]"), ["id=4", "id=5"], "{engine}");
        }
    }
}
