//! `min`, `max` and `past`.

use relink_model::config::ConfigError;
use relink_testkit::TestDatabase;

use crate::validated::{check, counts, samples, troubles, validate, validate_with};

#[tokio::test]
async fn numbers_out_of_bounds_are_found_and_null_is_not_judged() {
    for database in TestDatabase::each("validate_range") {
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, q int, p decimal(12,2));
             INSERT INTO t VALUES (1, -1, -0.01), (2, 0, 0.00), (3, NULL, NULL), (4, 101, 5.01), (5, 100, 5.00);",
        );
        let config = "[table.t]\nmin = { q = 0, p = \"0.00\" }\nmax = { q = 100, p = 5.0 }";
        let report = validate(&database, config).await;
        assert_eq!(troubles(&report), ["min:t.p", "min:t.q", "max:t.p", "max:t.q"], "{}", database.dialect());
        for (id, key) in [("min:t.p", "id=1"), ("min:t.q", "id=1"), ("max:t.p", "id=4"), ("max:t.q", "id=4")] {
            assert_eq!(counts(&report, id), (1, 1, 1), "{id}");
            assert!(samples(&report, id)[0].starts_with(key), "{id}");
        }
    }
}

#[tokio::test]
async fn nan_is_not_within_any_bounds() {
    let Some(database) = TestDatabase::postgres("validate_nan") else { return };
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, q numeric CHECK (q >= 0), f float8);
         INSERT INTO t VALUES (1, 'NaN', 'NaN'), (2, 'Infinity', 'Infinity'), (3, 1, 1);",
    );
    let report = validate(&database, "[table.t]\nmin = { q = 0, f = 0 }").await;
    assert_eq!(samples(&report, "min:t.q"), ["id=1 | q=NaN"]);
    assert_eq!(samples(&report, "min:t.f"), ["id=1 | f=NaN"]);
}

#[tokio::test]
async fn text_in_a_number_column_of_sqlite_does_not_pass_a_bound() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, q INTEGER, price TEXT);
         INSERT INTO t VALUES (1, 'abc', '10.50'), (2, -3, '-0.01'), (3, 4, '1,000.00'), (4, NULL, '-1e2'), (5, 9e999, '0');",
    );
    let report = validate(&database, "[table.t]\nmin = { q = 0, price = 0 }\nmax = { q = 10 }").await;
    assert_eq!(samples(&report, "min:t.q"), ["id=1 | q=abc", "id=2 | q=-3"]);
    assert_eq!(samples(&report, "max:t.q"), ["id=1 | q=abc", "id=5 | q=inf"]);
    assert_eq!(samples(&report, "min:t.price"), ["id=2 | price=-0.01", "id=3 | price=1,000.00", "id=4 | price=-1e2"]);
    let problems = &check(&report, "min:t.price").problems;
    assert_eq!((problems["below 0"], problems["not a number"]), (2, 1));
}

#[tokio::test]
async fn bounds_are_compared_exactly_with_the_shortest_decimal_of_a_float() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x REAL);
         INSERT INTO t VALUES (1, 0.1), (2, 0.3), (3, 0.1 + 0.2), (4, 0.09999999999999999);",
    );
    let report = validate(&database, "[table.t]\nmin = { x = \"0.1\" }\nmax = { x = 0.3 }").await;
    assert_eq!(samples(&report, "min:t.x"), ["id=4 | x=0.09999999999999999"]);
    assert_eq!(samples(&report, "max:t.x"), ["id=3 | x=0.30000000000000004"]);
}

#[tokio::test]
async fn a_generated_column_is_judged_like_any_other() {
    for database in TestDatabase::each("validate_generated") {
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a - 10) STORED);
             INSERT INTO t (id, a) VALUES (1, 5), (2, 15);",
        );
        let report = validate(&database, "[table.t]\nmin = { b = 0 }").await;
        assert_eq!(samples(&report, "min:t.b"), ["id=1 | b=-5"], "{}", database.dialect());
    }
}

#[tokio::test]
async fn a_timestamp_without_zone_is_judged_in_utc_whatever_zone_the_session_would_have() {
    let Some(database) = TestDatabase::postgres("validate_tokyo") else { return };
    let name = database.value("SELECT current_database()");
    database.run(&format!(
        "ALTER DATABASE \"{name}\" SET timezone = 'Asia/Tokyo';
         CREATE TABLE t (id int PRIMARY KEY, at timestamp, zoned timestamptz);
         INSERT INTO t VALUES (1, '2026-11-20 14:00', '2026-11-20 14:00+00'), (2, '2026-11-20 12:02', '2026-11-20 12:02+00'),
                              (3, NULL, NULL), (4, '2026-11-20 12:06', '2026-11-20 21:06+09'),
                              (5, 'infinity', 'infinity'), (6, '-infinity', '-infinity');"
    ));
    let report = validate(&database, "[table.t]\npast = [\"at\", \"zoned\"]").await;
    assert_eq!(counts(&report, "past:t.at"), (3, 3, 1), "two minutes of skew pass");
    assert_eq!(samples(&report, "past:t.at")[2], "id=5 | at=infinity");
    assert_eq!(counts(&report, "past:t.zoned"), (3, 3, 1));
    let tokyo =
        validate(&database, "[run]\ntimezone = \"Asia/Tokyo\"\n[table.t]\npast = [\"at\", \"zoned +2h\"]").await;
    assert_eq!(counts(&tokyo, "past:t.at"), (1, 1, 1), "14:00 in Tokyo was nine hours ago; infinity is still to come");
    assert_eq!(counts(&tokyo, "past:t.zoned"), (1, 1, 1), "two hours of slack");
}

#[tokio::test]
async fn the_future_is_found_in_datetimes_and_timestamps_of_mysql() {
    let Some(database) = TestDatabase::mysql("validate_future") else { return };
    database.run(
        "SET time_zone = '+00:00';
         CREATE TABLE t (id INT PRIMARY KEY, a DATETIME(6), b TIMESTAMP NULL, d DATE);
         INSERT INTO t VALUES (1, '2026-11-20 12:04:59.999999', '2026-11-20 12:05:00', '2026-11-21'),
                              (2, '2026-11-20 12:05:00.000001', '2026-11-20 12:05:01', '2026-11-22'), (3, NULL, NULL, NULL);",
    );
    let report = validate(&database, "[table.t]\npast = [\"a\", \"b\", \"d\"]").await;
    assert_eq!(samples(&report, "past:t.a"), ["id=2 | a=2026-11-20 12:05:00.000001"]);
    assert_eq!(samples(&report, "past:t.b"), ["id=2 | b=2026-11-20 12:05:01+00:00"]);
    assert_eq!(samples(&report, "past:t.d"), ["id=2 | d=2026-11-22"]);
}

#[tokio::test]
async fn a_date_counts_as_past_while_it_is_that_day_anywhere_on_earth_unless_a_zone_is_set() {
    for database in TestDatabase::each("validate_days") {
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, d date);
             INSERT INTO t VALUES (1, '2026-11-20'), (2, '2026-11-21'), (3, '2026-11-22'), (4, NULL);",
        );
        let earth = validate(&database, "[table.t]\npast = [\"d\"]").await;
        assert_eq!(samples(&earth, "past:t.d"), ["id=3 | d=2026-11-22"], "{}", database.dialect());
        assert_eq!(counts(&earth, "past:t.d").2, 1);
        let utc = validate(&database, "[run]\ntimezone = \"UTC\"\n[table.t]\npast = [\"d\"]").await;
        assert_eq!(counts(&utc, "past:t.d"), (2, 2, 1), "{}", database.dialect());
    }
}

#[tokio::test]
async fn dates_kept_as_text_are_read_by_their_form_and_what_is_no_date_is_said_so() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at datetime);
         INSERT INTO t VALUES (1, '31/12/2020'), (2, '2026-1-5'), (3, 1893456000), (4, 1893456000000), (5, 1600000000),
            (6, 'soon'), (7, ''), (8, '2026-02-30'), (9, '2027-01-01T00:00:00Z'), (10, '2026-11-20 12:04'), (11, NULL),
            (12, '2020-01-01 garbage'), (13, '12/11/2026'), (14, '2020-01-01'), (15, '2019-12-31 23:59:59.999999+00:00'),
            (16, 2462502.5), (17, '2026-11-20T14:00:00+09:00'), (18, 'infinity');",
    );
    let report = validate(&database, "[table.t]\npast = [\"at\"]").await;
    let found = check(&report, "past:t.at");
    let problems: Vec<_> = found
        .samples
        .iter()
        .map(|sample| (sample.key["id"].as_deref().unwrap_or_default(), sample.problem.as_deref().unwrap_or_default()))
        .collect();
    let (later, none) = ("later than now", "not a date");
    assert_eq!(
        problems,
        [
            ("3", later),
            ("4", later),
            ("6", none),
            ("7", none),
            ("8", none),
            ("9", later),
            ("12", none),
            ("16", later),
            ("18", later)
        ]
    );
    assert_eq!((found.problems[later], found.problems[none]), (5, 4));
    assert_eq!(counts(&report, "past:t.at"), (9, 9, 2), "NULL, and a day that could be in November or December");
    assert_eq!(found.notes.len(), 1);
}

#[tokio::test]
async fn epoch_numbers_and_text_dates_of_a_server_are_judged_too() {
    for database in TestDatabase::each("validate_epochs") {
        database.run(
            "CREATE TABLE t (id int PRIMARY KEY, seconds bigint, words varchar(40));
             INSERT INTO t VALUES (1, 1600000000, '2020-01-01'), (2, 1893456000, '1.1.2030'), (3, NULL, NULL);",
        );
        let report = validate(&database, "[table.t]\npast = [\"seconds\", \"words\"]").await;
        assert_eq!(samples(&report, "past:t.seconds"), ["id=2 | seconds=1893456000"], "{}", database.dialect());
        assert_eq!(samples(&report, "past:t.words"), ["id=2 | words=1.1.2030"], "{}", database.dialect());
    }
}

#[tokio::test]
async fn a_rule_that_names_what_does_not_exist_or_does_not_parse_is_an_error_with_a_suggestion() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE orders (id INTEGER PRIMARY KEY, quantity INTEGER, total REAL) STRICT;");
    let errors = |config: &'static str| {
        let database = &database;
        async move { validate_with(database, config, 1).await.expect_err("the configuration is wrong") }
    };
    let unknown = errors("[table.order]\nmin = { quantity = 0 }").await;
    assert_eq!(unknown, [ConfigError::UnknownTable { table: "order".into(), nearest: Some("orders".into()) }]);
    let texts = |errors: Vec<ConfigError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        texts(errors("[table.orders]\nmin = { quantty = 0 }\npast = [\"creatd\"]\nmax = { total = \"1,5\" }").await),
        [
            "[table.orders] min: the table has no column \"quantty\"; did you mean \"quantity\"?",
            "[table.orders] max: total = \"1,5\": expected a decimal number such as 0 or \"0.01\"",
            "[table.orders] past: the table has no column \"creatd\"",
        ]
    );
    assert_eq!(
        texts(errors("[run]\ntimezone = \"Mars\"\n[table.orders]\ntotals = [\"total = sum(line.x) by o\", \"total = avg(a)\"]").await),
        [
            "[run] timezone: \"Mars\" is no known time zone (an IANA name such as \"Europe/Paris\")",
            "[table.orders] totals: the database has no table \"line\"",
            "[table.orders] totals: \"total = avg(a)\": expected \"sum\" at character 9",
        ]
    );
}
