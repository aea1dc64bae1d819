//! Totals in their long form: rounding, tolerances in percent, headers without lines, without a total, lines without an amount.

use relink_testkit::TestDatabase;
use relink_validate::{Report, Status};

use crate::validated::{check, counts, keys, problems, validate_both};

fn rule(extra: &str) -> String {
    format!("[[check]]\nid = \"t\"\nkind = \"total\"\non = \"invoices\"\nby = \"items.invoice_id\"\n{extra}")
}

const TABLES: &str = "CREATE TABLE invoices (id int PRIMARY KEY, kind varchar(9), tax decimal(12,3));
     CREATE TABLE items (id int PRIMARY KEY, invoice_id int, kind varchar(9), net decimal(9,3), rate decimal(5,3));";

fn said(report: &Report) -> (Vec<String>, Vec<String>) {
    (keys(report, "t"), check(report, "t").notes.clone())
}

#[tokio::test]
async fn the_rule_says_whether_each_line_is_rounded_or_their_sum_and_the_other_way_is_named_where_it_would_fit() {
    for database in TestDatabase::each("validate_rounding_place") {
        database.run(TABLES);
        // Three lines of 0.10 at 5 %: 0.03 where each is rounded, 0.02 where their sum is.
        database.run(
            "INSERT INTO invoices VALUES (1, 'a', 0.03), (2, 'a', 0.02), (3, 'a', 0.05);
             INSERT INTO items VALUES (1, 1, 'x', 0.10, 0.05), (2, 1, 'x', 0.10, 0.05), (3, 1, 'x', 0.10, 0.05), (4, 2, 'x', 0.10, 0.05),
                (5, 2, 'x', 0.10, 0.05), (6, 2, 'x', 0.10, 0.05), (7, 3, 'x', 0.10, 0.05), (8, 3, 'x', 0.10, 0.05), (9, 3, 'x', 0.10, 0.05);",
        );
        let per_line = rule("left = \"tax\"\nright = \"sum(round(items.net * items.rate, 2))\"");
        for (engine, report) in validate_both(&database, &per_line).await {
            let (keys, notes) = said(&report);
            assert_eq!(keys, ["id=2", "id=3"], "{engine}");
            assert_eq!(notes, ["1 of them agree if the sum is rounded instead of each line"], "{engine}");
            assert_eq!(check(&report, "t").difference.as_deref(), Some("0.03"), "{engine}: a cent, and two");
        }
        let per_total = rule("left = \"tax\"\nright = \"round(sum(items.net * items.rate), 2)\"");
        for (engine, report) in validate_both(&database, &per_total).await {
            let (keys, notes) = said(&report);
            assert_eq!(keys, ["id=1", "id=3"], "{engine}");
            assert_eq!(notes, ["1 of them agree if each line is rounded instead of their sum"], "{engine}");
        }
    }
}

#[tokio::test]
async fn halves_are_rounded_as_the_rule_says_and_never_as_the_database_would() {
    for database in TestDatabase::each("validate_rounding_mode") {
        database.run(TABLES);
        // The sums are 2.5, -2.5, 3.5.
        database.run(
            "INSERT INTO invoices VALUES (1, 'a', 3), (2, 'a', -3), (3, 'a', 4), (4, 'a', 2), (5, 'a', -2), (6, 'a', 3);
             INSERT INTO items VALUES (1, 1, 'x', 2.5, 1), (2, 2, 'x', -2.5, 1), (3, 3, 'x', 3.5, 1), (4, 4, 'x', 2.5, 1), (5, 5, 'x', -2.5, 1),
                (6, 6, 'x', 3.5, 1);",
        );
        for (rounding, wrong) in [
            ("half_up", vec!["id=4", "id=5", "id=6"]),
            ("half_even", vec!["id=1", "id=2", "id=6"]),
            ("down", vec!["id=1", "id=2", "id=3"]),
        ] {
            let config = rule(&format!("left = \"tax\"\nright = \"round(sum(items.net))\"\nrounding = \"{rounding}\""));
            for (engine, report) in validate_both(&database, &config).await {
                assert_eq!(keys(&report, "t"), wrong, "{engine}: {rounding}");
            }
        }
    }
}

#[tokio::test]
async fn a_tolerance_in_percent_is_one_of_the_sum_and_beside_nothing_every_difference_counts() {
    for database in TestDatabase::each("validate_percent") {
        database.run(TABLES);
        database.run(
            "INSERT INTO invoices VALUES (1, 'a', 100.5), (2, 'a', 100.501), (3, 'a', 0.001), (4, 'a', 0), (5, 'a', -99.5), (6, 'a', -99.499);
             INSERT INTO items VALUES (1, 1, 'x', 100, 1), (2, 2, 'x', 100, 1), (3, 3, 'x', 5, 1), (4, 3, 'x', -5, 1), (5, 5, 'x', -100, 1),
                (6, 6, 'x', -100, 1);",
        );
        let config = rule("left = \"tax\"\nright = \"sum(items.net)\"\ntolerance = \"0.5%\"");
        for (engine, report) in validate_both(&database, &config).await {
            assert_eq!(keys(&report, "t"), ["id=2", "id=3", "id=6"], "{engine}");
        }
    }
}

#[tokio::test]
async fn headers_without_lines_without_a_total_and_lines_without_an_amount_are_what_the_rule_says() {
    for database in TestDatabase::each("validate_missing_parts") {
        database.run(TABLES);
        // 1: agrees; 2: no lines, none expected; 3: no lines, 5; 4: no total; 5: a line without an amount; 6: neither; 7: no total, lines of nothing.
        database.run(
            "INSERT INTO invoices VALUES (1, 'a', 4), (2, 'a', 0), (3, 'a', 5), (4, 'a', NULL), (5, 'a', 4), (6, 'a', NULL), (7, 'a', NULL);
             INSERT INTO items VALUES (1, 1, 'x', 4, 1), (2, 4, 'x', 4, 1), (3, 5, 'x', 4, 1), (4, 5, 'x', NULL, 1), (5, 7, 'x', 0, 1);",
        );
        for (extra, wrong, not_judged) in [
            ("", vec!["id=3", "id=4", "id=7"], 1),
            ("no_lines = \"skip\"", vec!["id=4", "id=7"], 3),
            ("no_lines = \"finding\"", vec!["id=2", "id=3", "id=4", "id=6", "id=7"], 0),
            ("null_left = \"zero\"", vec!["id=3", "id=4"], 1),
            ("null_left = \"skip\"", vec!["id=3"], 3),
            ("null_lines_fail = true", vec!["id=3", "id=4", "id=5", "id=7"], 1),
        ] {
            let config = rule(&format!("left = \"tax\"\nright = \"sum(items.net)\"\n{extra}"));
            for (engine, report) in validate_both(&database, &config).await {
                assert_eq!(keys(&report, "t"), wrong, "{engine}: {extra}");
                assert_eq!(counts(&report, "t").2, not_judged, "{engine}: {extra}");
                let notes = &check(&report, "t").notes;
                assert_eq!(
                    notes,
                    &["1 lines have no amount (NULL) and were left out of the sums"],
                    "{engine}: {extra}"
                );
            }
        }
        let config = rule("left = \"tax\"\nright = \"sum(items.net)\"\nnull_lines_fail = true\nno_lines = \"finding\"");
        for (engine, report) in validate_both(&database, &config).await {
            let said = problems(&report, "t");
            assert_eq!(said[2], "id=4: NULL although there are lines", "{engine}");
            assert_eq!(said[3], "id=5: a line has no amount", "{engine}");
            assert_eq!(said[0], "id=2: there are no lines", "{engine}");
        }
    }
}

#[tokio::test]
async fn conditions_choose_the_headers_that_are_judged_and_the_lines_that_count() {
    for database in TestDatabase::each("validate_filtered_totals") {
        database.run(TABLES);
        database.run(
            "INSERT INTO invoices VALUES (1, 'invoice', 2), (2, 'draft', 99), (3, 'invoice', 1), (4, NULL, 99);
             INSERT INTO items VALUES (1, 1, 'goods', 1, 1), (2, 1, 'goods', 1, 1), (3, 3, 'goods', 1, 1), (4, 3, 'note', 7, 1), (5, 3, NULL, 7, 1);",
        );
        let config = "[table.invoices]\ntotals = [\"tax = sum(items.net) by invoice_id where kind = 'goods'\"]";
        for (engine, report) in validate_both(&database, config).await {
            assert_eq!(keys(&report, "total:invoices.tax"), ["id=2", "id=4"], "{engine}: of the lines the goods count");
        }
        let config = rule("left = \"tax\"\nright = \"count(items)\"\nwhere = \"kind = 'invoice'\"");
        for (engine, report) in validate_both(&database, &config).await {
            assert_eq!(keys(&report, "t"), ["id=3"], "{engine}");
            assert_eq!(counts(&report, "t"), (1, 1, 2), "{engine}");
            assert_eq!(check(&report, "t").status, Status::Fail, "{engine}");
        }
    }
}
