//! Amounts that hang together: journals that balance, balances that run on, two amounts that are one.

use relink_testkit::TestDatabase;
use relink_validate::{Options, Status};

use crate::validated::{
    catalog_of, check, counts, exported, judge_export, keys, options, problems, samples, validate_both,
};

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
            // Journal 2 balances over both currencies, and in neither. A side that is NULL counts for nothing, and the other one does not go with it.
            let groups = ["journal=2 currency=EUR", "journal=2 currency=USD", "journal=3 currency=EUR"];
            assert_eq!(keys(&report, "j"), groups, "{engine}: named by the group");
            assert_eq!(check(&report, "j").counts.total, 5, "{engine}: groups, not rows");
            assert_eq!(check(&report, "j").difference.as_deref(), Some("17"), "{engine}");
            assert!(check(&report, "j").notes.is_empty(), "{engine}: every row has an amount");
        }
    }
}

#[tokio::test]
async fn a_journal_leaves_one_of_debit_and_credit_empty_and_a_row_without_either_is_said_to_be_left_out() {
    for database in TestDatabase::each("validate_one_sided_journal") {
        database.run(
            "CREATE TABLE je (id int PRIMARY KEY, j int, debit decimal(12,2), credit decimal(12,2));
             INSERT INTO je VALUES (1, 1, 10, NULL), (2, 1, NULL, 7), (3, 2, 5, NULL), (4, 2, NULL, 5), (5, 2, NULL, NULL), (6, 3, NULL, NULL);
             CREATE TABLE journals (j int PRIMARY KEY, net decimal(12,2), running decimal(12,2));
             INSERT INTO journals VALUES (1, 3, 3), (2, 1, 3), (3, NULL, 3);",
        );
        let config = "[[check]]\nid = \"b\"\nkind = \"balance\"\non = \"je\"\nsum = \"debit - credit\"\nper = [\"j\"]
            [[check]]\nid = \"e\"\nkind = \"equal\"\nleft = \"journals.net by journals.j\"\nright = \"sum(je.debit - je.credit) by je.j\"
            [[check]]\nid = \"t\"\nkind = \"total\"\non = \"journals\"\nleft = \"net\"\nright = \"sum(je.debit - je.credit)\"\nby = \"je.j\"
            [[check]]\nid = \"r\"\nkind = \"running\"\non = \"je\"\nbalance = \"id\"\ndelta = \"debit - credit\"\nper = [\"j\"]\norder = [\"id\"]";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(samples(&report, "b"), ["j=1 | difference=3"], "{engine}");
            assert_eq!(counts(&report, "b"), (1, 1, 1), "{engine}: nobody knows what journal 3 comes to");
            for (id, what) in [("b", "rows"), ("e", "rows"), ("t", "lines")] {
                let note = format!("2 {what} have no amount (NULL) and were left out of the sums");
                assert_eq!(check(&report, id).notes, [note], "{engine}: {id}");
            }
            for id in ["e", "t"] {
                assert_eq!(keys(&report, id), ["j=2", "j=3"], "{engine}: {id}");
            }
            assert_eq!(
                check(&report, "r").notes,
                ["2 rows have no change (NULL), which counts as nothing"],
                "{engine}"
            );
            assert_eq!(check(&report, "r").samples[0].values["expected"].as_deref(), Some("10"), "{engine}");
        }
    }
}

#[tokio::test]
async fn two_sums_that_differ_are_named_by_their_key_and_say_which_side_has_what() {
    for database in TestDatabase::each("validate_named_sums") {
        database.run(
            "CREATE TABLE w1 (id int PRIMARY KEY, k varchar(9), a decimal(9,2)); CREATE TABLE w2 (id int PRIMARY KEY, k2 varchar(9), a decimal(9,2));
             INSERT INTO w1 VALUES (1, 'x', 1), (2, 'x', 2), (3, 'y', 4), (4, NULL, 9), (5, 'z', 1);
             INSERT INTO w2 VALUES (1, 'x', 5), (2, 'u', 1), (3, 'u', 1), (4, NULL, 1), (5, 'z', 1);",
        );
        let config =
            "[[check]]\nid = \"s\"\nkind = \"equal\"\nleft = \"sum(w1.a) by w1.k\"\nright = \"sum(w2.a) by w2.k2\"
            [[allow]]\ncheck = \"s\"\nkeys = [\"x\"]\nwhy = \"known\"";
        for (engine, report) in validate_both(&database, config).await {
            let mut shown = samples(&report, "s");
            shown.sort();
            let expected = [
                "k=u | left=NULL right=2 difference=-2",
                "k=x | left=3 right=5 difference=-2",
                "k=y | left=4 right=NULL difference=4",
            ];
            assert_eq!(shown, expected, "{engine}");
            assert_eq!(
                problems(&report, "s"),
                [
                    "k=u: there are no rows on the left side",
                    "k=x: differs from the other side",
                    "k=y: there are no rows on the right side"
                ],
                "{engine}"
            );
            assert_eq!(check(&report, "s").notes, ["2 rows have no key (NULL) and were left out"], "{engine}");
        }
    }
}

#[tokio::test]
async fn what_is_kept_outside_of_memory_is_the_same_number_however_long_it_is() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, g INTEGER, n REAL, m REAL);
         INSERT INTO big VALUES (1, 1, 1e300, 1e300), (2, 1, -1e300, 1e300), (3, 2, 1e300, 1e300);",
    );
    let config = "[[check]]\nid = \"b\"\nkind = \"balance\"\non = \"big\"\nsum = \"n * m\"\nper = [\"g\"]
        [[check]]\nid = \"r\"\nkind = \"running\"\non = \"big\"\nbalance = \"n * m\"\ndelta = \"n * m\"\nper = [\"g\"]\norder = [\"n * m\", \"id\"]
        [table.big]\nno_overlap = [\"g: n * m..n * m + 1\"]";
    let catalog = catalog_of(&database).await;
    let json = exported(&database, &catalog);
    let options = Options { memory: 1, ..options() };
    let report = judge_export(&json, catalog, config, &options).await.report;
    assert_eq!(keys(&report, "b"), ["g=2"]);
    assert_eq!(keys(&report, "r"), ["id=1"], "the balance goes on from the other one");
    assert_eq!(counts(&report, "no_overlap:big(g,n,m)"), (0, 0, 0));
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
        assert_eq!(problems(&report, "b"), ["account=1: not a number, in the total or in a line"], "{engine}");
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
