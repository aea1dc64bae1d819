//! Totals.

use relink_testkit::TestDatabase;

use crate::validated::{check, counts, samples, troubles, validate};

const LINES: &str =
    "[table.orders]\ntotals = [\"total = sum(order_lines.quantity * order_lines.price) by order_id +- 0.01\"]";
const EXACT: &str = "[table.orders]\ntotals = [\"total = sum(order_lines.quantity * order_lines.price) by order_id\"]";

fn create(database: &TestDatabase, money: &str) {
    database.run(&format!(
        "CREATE TABLE orders (id int PRIMARY KEY, total {money});
         CREATE TABLE order_lines (id int PRIMARY KEY, order_id int REFERENCES orders (id), quantity int, price {money});"
    ));
}

#[tokio::test]
async fn totals_are_compared_with_the_exact_sum_of_their_lines() {
    for database in TestDatabase::each("validate_totals") {
        create(&database, "decimal(12,2)");
        // 1 agrees, 2 is within a cent, 3 is not, 4 has no total, 5 has no lines and none, 6 has no lines and some, 7 neither.
        database.run(
            "INSERT INTO orders VALUES (1, 30.30), (2, 10.01), (3, 10.02), (4, NULL), (5, 0), (6, 10), (7, NULL);
             INSERT INTO order_lines VALUES (1, 1, 3, 10.10), (2, 2, 1, 10.00), (3, 3, 1, 10.00), (4, 4, 1, 5.00),
                                            (5, 1, 7, NULL), (6, 1, NULL, 1.00), (7, NULL, 1, 99.00);",
        );
        let dialect = database.dialect();
        let report = validate(&database, LINES).await;
        assert_eq!(troubles(&report), ["total:orders.total"], "{dialect}");
        assert_eq!(counts(&report, "total:orders.total"), (3, 3, 1), "{dialect}");
        let found = check(&report, "total:orders.total");
        let shown: Vec<_> = found
            .samples
            .iter()
            .map(|sample| {
                let value = |name: &str| sample.values.get(name).cloned().flatten().unwrap_or_default();
                (sample.key["id"].clone().unwrap_or_default(), value("sum of lines"), value("difference"))
            })
            .collect();
        let expected = [("3", "10", "0.02"), ("4", "5", ""), ("6", "0", "10")];
        assert_eq!(shown, expected.map(|(id, sum, off)| (id.to_owned(), sum.to_owned(), off.to_owned())), "{dialect}");
        assert_eq!(found.notes, ["2 lines have no amount (NULL) and were left out of the sums"], "{dialect}");
        assert_eq!(found.counts.total, 7);
        let exact = validate(&database, EXACT).await;
        assert_eq!(counts(&exact, "total:orders.total"), (4, 4, 1), "{dialect}: the default tolerance is none");
    }
}

#[tokio::test]
async fn a_stored_float_is_its_shortest_decimal() {
    for database in TestDatabase::each("validate_float_totals") {
        let float = if database.dialect() == "mysql" { "double" } else { "double precision" };
        create(&database, float);
        database.run(
            "INSERT INTO orders VALUES (1, 0.3), (2, 0.30000000000000004), (3, 0.3);
             INSERT INTO order_lines VALUES (1, 1, 1, 0.1), (2, 1, 1, 0.2), (3, 2, 1, 0.1), (4, 2, 1, 0.2), (5, 3, 3, 0.1);",
        );
        let report = validate(&database, EXACT).await;
        let keys: Vec<_> =
            check(&report, "total:orders.total").samples.iter().map(|sample| sample.key["id"].clone()).collect();
        assert_eq!(keys, [Some("2".to_owned())], "{}", database.dialect());
    }
}

#[tokio::test]
async fn nan_does_not_pass_as_a_total_nor_as_a_line() {
    let Some(database) = TestDatabase::postgres("validate_nan_totals") else { return };
    create(&database, "numeric");
    database.run(
        "INSERT INTO orders VALUES (1, 'NaN'), (2, 10), (3, 'Infinity'), (4, 10);
         INSERT INTO order_lines VALUES (1, 1, 1, 10), (2, 2, 1, 'NaN'), (3, 3, 1, 'Infinity'), (4, 4, 1, 10);",
    );
    let report = validate(&database, LINES).await;
    assert_eq!(counts(&report, "total:orders.total"), (3, 3, 0));
    assert_eq!(samples(&report, "total:orders.total")[1], "id=2 | total=10 sum of lines=NaN");
}

#[tokio::test]
async fn text_among_the_amounts_of_sqlite_is_found_and_never_summed() {
    for config in [LINES, EXACT] {
        let database = TestDatabase::sqlite();
        database.run(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, total NUMERIC);
             CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER, quantity INTEGER, price TEXT);
             INSERT INTO orders VALUES (1, 4.3), (2, 3.3), (3, 'abc'), (4, '12345678901234567890.12');
             INSERT INTO order_lines VALUES (1, 1, 1, '1.10'), (2, 1, 1, '2.20'), (3, 1, 1, '1,000.00'),
                                            (4, 2, 1, '1.10'), (5, 2, 1, '2.20'), (6, 3, 1, '1'), (7, 4, 1, '12345678901234567890.12');",
        );
        let report = validate(&database, config).await;
        let found = check(&report, "total:orders.total");
        assert_eq!(counts(&report, &found.id).0, 2 + u64::from(found.counts.failed == 3), "{found:?}");
        let keys: Vec<_> = found.samples.iter().map(|sample| sample.key["id"].clone().unwrap_or_default()).collect();
        assert_eq!(keys[..2], ["1", "3"], "{found:?}");
        assert_eq!(found.problems["not a number, in the total or in a line"], 2);
        assert_eq!(found.samples[0].values["sum of lines"], None);
    }
}

#[tokio::test]
async fn lines_without_a_header_are_orphans_and_not_a_second_finding() {
    for database in TestDatabase::each("validate_stray_lines") {
        database.run(
            "CREATE TABLE orders (id int PRIMARY KEY, total decimal(9,2));
             CREATE TABLE order_lines (id int PRIMARY KEY, order_id int, quantity int, price decimal(9,2));
             INSERT INTO order_lines VALUES (1, 5, 1, 1.00);",
        );
        let config = format!("{LINES}\n[table.order_lines]\nrefs = [\"order_id -> orders.id\"]");
        assert_eq!(troubles(&validate(&database, &config).await), ["ref:order_lines.order_id"]);
    }
}

#[tokio::test]
async fn lines_of_a_second_table_do_not_multiply_the_sum() {
    for database in TestDatabase::each("validate_fan_out") {
        create(&database, "decimal(12,2)");
        database.run(
            "CREATE TABLE payments (id int PRIMARY KEY, order_id int, amount decimal(12,2));
             ALTER TABLE orders ADD COLUMN paid decimal(12,2);
             INSERT INTO orders VALUES (1, 10, 20);
             INSERT INTO order_lines VALUES (1, 1, 1, 4), (2, 1, 2, 3);
             INSERT INTO payments VALUES (1, 1, 5), (2, 1, 5), (3, 1, 10);",
        );
        let config = LINES.replace("+- 0.01\"]", "+- 0.01\", \"paid = sum(payments.amount) by payments.order_id\"]");
        assert_eq!(troubles(&validate(&database, &config).await), [""; 0], "{}", database.dialect());
    }
}

#[tokio::test]
async fn a_composite_key_joins_lines_to_headers_by_position() {
    for database in TestDatabase::each("validate_composite_totals") {
        database.run(
            "CREATE TABLE orders (tenant int, no varchar(9), total decimal(9,2), PRIMARY KEY (tenant, no));
             CREATE TABLE order_rows (id int PRIMARY KEY, no varchar(9), tenant int, amount decimal(9,2),
                                 FOREIGN KEY (tenant, no) REFERENCES orders (tenant, no));
             INSERT INTO orders VALUES (1, 'a', 5), (2, 'a', 6), (2, 'b', 0);
             INSERT INTO order_rows VALUES (1, 'a', 1, 5), (2, 'a', 2, 5), (3, 'a', 2, 2);",
        );
        let config = "[table.orders]\ntotals = [\"total = sum(order_rows.amount) by (no, tenant)\"]";
        let report = validate(&database, config).await;
        assert_eq!(counts(&report, "total:orders.total"), (1, 1, 0), "{}", database.dialect());
        let sample = &check(&report, "total:orders.total").samples[0];
        assert_eq!(sample.key.values().flatten().collect::<Vec<_>>(), ["2", "a"]);
        assert_eq!(sample.values["difference"].as_deref(), Some("-1"));
    }
}

#[tokio::test]
async fn pages_of_headers_are_put_together_across_their_ends() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL);
         CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES orders, quantity INTEGER, price REAL);
         CREATE INDEX by_order ON order_lines (order_id);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
         INSERT INTO orders SELECT i, 0.3 FROM n;
         INSERT INTO order_lines (order_id, quantity, price) SELECT id, 1, 0.1 FROM orders;
         INSERT INTO order_lines (order_id, quantity, price) SELECT id, 2, 0.1 FROM orders;
         INSERT INTO order_lines (order_id, quantity, price) SELECT 7, 0, 1 FROM orders, (SELECT 1 UNION SELECT 2);
         UPDATE orders SET total = 0.31 WHERE id IN (1, 25000, 40000);",
    );
    for config in [EXACT, LINES] {
        let report = validate(&database, &config.replace("+- 0.01", "+- 0.001")).await;
        let keys: Vec<_> =
            check(&report, "total:orders.total").samples.iter().map(|sample| sample.key["id"].clone()).collect();
        assert_eq!(keys, ["1", "25000", "40000"].map(|id| Some(id.to_owned())));
        assert_eq!(counts(&report, "total:orders.total"), (3, 3, 0));
    }
}

#[tokio::test]
async fn without_a_tolerance_the_smallest_difference_counts_and_rounding_never_does() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL);
         CREATE TABLE order_lines (id INTEGER PRIMARY KEY, order_id INTEGER, quantity REAL, price REAL);
         INSERT INTO orders VALUES (1, 0.3), (2, 0.00000001), (3, 0.00000002), (4, 1000000.07), (5, 0.1), (6, 90071992547409.93), (7, 1e16);
         INSERT INTO order_lines (order_id, quantity, price) VALUES
            (1, 0.1, 1), (1, 0.2, 1), (2, 0.0001, 0.0001), (3, 0.0001, 0.0001),
            (4, 1000000, 1), (4, 0.1, 0.7), (5, 0.1, 0.99999), (6, 90071992547409.92, 1), (7, 1e16, 1), (7, 1, 1);",
    );
    let report = validate(&database, EXACT).await;
    let keys: Vec<_> =
        check(&report, "total:orders.total").samples.iter().filter_map(|sample| sample.key["id"].clone()).collect();
    assert_eq!(keys, ["3", "5", "6", "7"]);
}
