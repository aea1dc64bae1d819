//! Amounts that hang together: journals that balance, balances that run on, two amounts that are one.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{check, counts, keys, problems, samples, validate_both};

#[tokio::test]
async fn the_rows_of_a_group_come_to_nothing_per_journal_and_currency() {
    for database in TestDatabase::each("validate_journals") {
        database.run(
            "CREATE TABLE entries (id int PRIMARY KEY, journal int, currency varchar(3), debit decimal(12,2), credit decimal(12,2));
             INSERT INTO entries VALUES (1, 1, 'EUR', 0.10, 0), (2, 1, 'EUR', 0.20, 0), (3, 1, 'EUR', 0, 0.30),
                (4, 2, 'EUR', 5, 0), (5, 2, 'USD', 0, 5), (6, 3, 'EUR', 7, NULL), (7, 3, 'EUR', 0, 0), (8, NULL, 'EUR', 2, 0), (9, NULL, 'EUR', 1, 3);",
        );
        let config = "[[check]]\nid = \"j\"\nkind = \"balance\"\non = \"entries\"\nsum = \"debit - credit\"\nper = [\"journal\", \"currency\"]";
        for (engine, report) in validate_both(&database, config).await {
            // Journal 2 balances over both currencies, and in neither. What is NULL counts for nothing.
            assert_eq!(keys(&report, "j"), ["id=4", "id=5"], "{engine}");
            assert_eq!(check(&report, "j").counts.total, 5, "{engine}: groups, not rows");
            assert_eq!(check(&report, "j").difference.as_deref(), Some("10"), "{engine}");
        }
        let config = config.replace("debit - credit", "coalesce(debit, 0) - coalesce(credit, 0)");
        for (engine, report) in validate_both(&database, &config).await {
            assert_eq!(keys(&report, "j"), ["id=4", "id=5", "id=6"], "{engine}");
        }
    }
}

const RUNNING: &str = "[[check]]\nid = \"r\"\nkind = \"running\"\non = \"ledger\"\nbalance = \"after_it\"\ndelta = \"amount\"\nper = [\"account\"]\n";

const LEDGER: &str = "CREATE TABLE ledger (id int PRIMARY KEY, account int, at varchar(20), amount decimal(12,2), after_it decimal(12,2));";

#[tokio::test]
async fn a_mistake_in_a_running_balance_is_one_finding_and_each_account_begins_anew() {
    for database in TestDatabase::each("validate_running") {
        database.run(LEDGER);
        database.run(
            "INSERT INTO ledger VALUES (1, 1, '2026-01-01', 10, 10), (2, 1, '2026-01-02', -3.10, 6.90), (3, 1, '2026-01-03', 1, 8),
                (4, 1, '2026-01-04', 1, 9), (5, 2, '2026-01-01', 5, 5), (6, 2, '2026-01-02', 5, NULL), (7, 2, '2026-01-03', 5, 15),
                (8, 3, '2026-01-01', NULL, 0), (9, 3, '2026-01-02', 0.30, 0.30);",
        );
        let config = format!("{RUNNING}order = [\"at\", \"id\"]");
        for (engine, report) in validate_both(&database, &config).await {
            assert_eq!(
                problems(&report, "r"),
                ["id=3: is not the balance before and the change", "id=6: there is no balance"],
                "{engine}"
            );
            let wrong = &check(&report, "r").samples[0].values;
            assert_eq!(
                (wrong["expected"].as_deref(), wrong["difference"].as_deref()),
                (Some("7.9"), Some("0.1")),
                "{engine}"
            );
        }
        let config = format!("{RUNNING}order = [\"at\", \"id\"]\nstart = \"100\"\ntolerance = \"0.10\"");
        for (engine, report) in validate_both(&database, &config).await {
            assert_eq!(keys(&report, "r"), ["id=1", "id=5", "id=6", "id=8"], "{engine}");
        }
    }
}

#[tokio::test]
async fn rows_that_share_a_place_in_the_order_are_a_finding_of_their_own_and_spoil_no_other() {
    for database in TestDatabase::each("validate_ties") {
        database.run(LEDGER);
        // Two postings of one moment, of which the second by id came first: 2, then 5, then 6.
        database.run(
            "INSERT INTO ledger VALUES (1, 1, '2026-01-01', 3, 5), (2, 1, '2026-01-01', 2, 2), (3, 1, '2026-01-02', 1, 6),
                (4, 2, '2026-01-01', 1, 1);",
        );
        let config = format!("{RUNNING}order = [\"at\"]");
        for (engine, report) in validate_both(&database, &config).await {
            let tied = "another row of the group has the same place in the order";
            assert_eq!(problems(&report, "r"), [format!("id=1: {tied}"), format!("id=2: {tied}")], "{engine}");
        }
    }
}

#[tokio::test]
async fn what_is_no_number_is_found_in_balances_and_never_followed() {
    let database = TestDatabase::sqlite();
    database.run(LEDGER);
    database.run("INSERT INTO ledger VALUES (1, 1, '1', 1, 1), (2, 1, '2', 'abc', 1), (3, 1, '3', 1, 2);");
    let config = format!(
        "{RUNNING}order = [\"at\"]\n[[check]]\nid = \"b\"\nkind = \"balance\"\non = \"ledger\"\nsum = \"amount\"\nper = [\"account\"]"
    );
    for (engine, report) in validate_both(&database, &config).await {
        assert_eq!(problems(&report, "r"), ["id=2: not a number"], "{engine}");
        assert_eq!(problems(&report, "b"), ["id=1: not a number, in the total or in a line"], "{engine}");
    }
}

const STOCK: &str = "CREATE TABLE products (id int PRIMARY KEY, stock int);
     CREATE TABLE movements (id int PRIMARY KEY, product_id int, quantity int, direction int);
     CREATE TABLE counted (id int PRIMARY KEY, product_id int, quantity int);
     INSERT INTO products VALUES (1, 7), (2, 7), (3, 0), (4, NULL), (5, 1);
     INSERT INTO movements VALUES (1, 1, 10, 1), (2, 1, 3, -1), (3, 2, 8, 1), (4, 4, 1, 1), (5, 9, 1, 1);
     INSERT INTO counted VALUES (1, 1, 4), (2, 1, 3), (3, 2, 8), (4, 4, 2), (5, 7, 5);";

#[tokio::test]
async fn a_stored_stock_is_the_sum_of_its_movements() {
    for database in TestDatabase::each("validate_stock") {
        database.run(STOCK);
        let config = "[[check]]\nid = \"stock\"\nkind = \"equal\"\nleft = \"products.stock by products.id\"
            right = \"sum(movements.quantity * sign(movements.direction)) by movements.product_id\"";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(
                problems(&report, "stock"),
                ["id=2: differs from the other side", "id=4: NULL on one side", "id=5: differs from the other side"],
                "{engine}"
            );
            assert_eq!(samples(&report, "stock")[0], "id=2 | stock=7 the other side=8 difference=-1", "{engine}");
            assert_eq!(counts(&report, "stock"), (3, 3, 0), "{engine}");
        }
    }
}

#[tokio::test]
async fn a_key_that_only_one_of_two_sums_has_is_compared_with_nothing_and_does_not_pass() {
    for database in TestDatabase::each("validate_one_sided") {
        database.run(STOCK);
        let rule = |left: &str, right: &str| {
            format!(
                "[[check]]\nid = \"sums\"\nkind = \"equal\"\nleft = \"sum({left}) by {}.product_id\"\nright = \"sum({right}) by {}.product_id\"",
                left.split('.').next().unwrap_or_default(),
                right.split('.').next().unwrap_or_default()
            )
        };
        // Product 7 was counted and never moved, 9 moved and never counted.
        for (engine, report) in validate_both(&database, &rule("movements.quantity", "counted.quantity")).await {
            let found = check(&report, "sums");
            assert_eq!(found.status, Status::Fail, "{engine}");
            let shown: Vec<_> = found.samples.iter().map(|sample| sample.values["difference"].clone()).collect();
            assert_eq!(shown, ["6", "-1", "1", "-5"].map(|off| Some(off.to_owned())), "{engine}: 13-7, 1-2, 1-0, 0-5");
            assert_eq!(counts(&report, "sums"), (4, 4, 0), "{engine}");
        }
    }
}
