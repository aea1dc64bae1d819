//! Where SQL and the rules' language would judge differently, the rules' language counts: keys that databases compare in their own ways, numbers that they
//! round, dates that they take for what they are not, rows that they give in no order.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{check, counts, keys, samples, troubles, validate, validate_both};

#[tokio::test]
async fn a_total_is_summed_by_the_key_that_the_reference_means() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE h (code TEXT COLLATE NOCASE PRIMARY KEY, total NUMERIC);
         CREATE TABLE l (id INTEGER PRIMARY KEY, code TEXT REFERENCES h (code), amount NUMERIC);
         INSERT INTO h VALUES ('ABC', 0), ('DEF', 10); INSERT INTO l VALUES (1, 'abc', 100), (2, 'def', 10);
         CREATE TABLE n (id INTEGER PRIMARY KEY, total NUMERIC); CREATE TABLE m (id INTEGER PRIMARY KEY, ref TEXT, amount NUMERIC);
         INSERT INTO n VALUES (1, 15), (2, 7); INSERT INTO m VALUES (1, '1', 10), (2, '01', 5), (3, '2', 7);",
    );
    let config = "[table.h]\ntotals = [\"total = sum(l.amount) by code\"]\n[table.n]\ntotals = [\"total = sum(m.amount) by m.ref\"]";
    for (name, report) in validate_both(&database, config).await {
        assert_eq!(keys(&report, "total:h.total"), ["code=ABC"], "{name}");
        assert_eq!(counts(&report, "total:n.total"), (0, 0, 0), "{name}");
    }
    let Some(database) = TestDatabase::mysql("validate_total_keys") else { return };
    database.run(
        "CREATE TABLE h (id INT PRIMARY KEY, total DECIMAL(10,2)); CREATE TABLE l (id INT PRIMARY KEY, ref VARCHAR(20), amount DECIMAL(10,2));
         INSERT INTO h VALUES (0, 7), (1, 15); INSERT INTO l VALUES (1, 'abc', 7), (2, '1', 10), (3, '01', 5);",
    );
    for (name, report) in validate_both(&database, "[table.h]\ntotals = [\"total = sum(l.amount) by l.ref\"]").await {
        assert_eq!(keys(&report, "total:h.total"), ["id=0"], "{name}: 'abc' is not 0");
    }
}

#[tokio::test]
async fn a_header_whose_key_is_null_is_not_judged_and_keeps_no_other_from_being_judged() {
    for database in TestDatabase::each("validate_null_headers") {
        database.run(
            "CREATE TABLE h (id int PRIMARY KEY, code varchar(9) UNIQUE, total decimal(10,2));
             CREATE TABLE l (id int PRIMARY KEY, code varchar(9) REFERENCES h (code), amount decimal(10,2));
             INSERT INTO h VALUES (1, NULL, 7), (2, 'a', 1), (3, 'b', 999); INSERT INTO l VALUES (1, 'a', 1), (2, 'b', 1);",
        );
        for (name, report) in validate_both(&database, "[table.h]\ntotals = [\"total = sum(l.amount) by code\"]").await
        {
            assert_eq!(keys(&report, "total:h.total"), ["id=3"], "{name}");
            assert_eq!(counts(&report, "total:h.total"), (1, 1, 1), "{name}");
        }
    }
}

#[tokio::test]
async fn amounts_that_the_database_would_cut_or_round_are_added_up_exactly() {
    let Some(database) = TestDatabase::mysql("validate_total_digits") else { return };
    database.run(
        "CREATE TABLE h (id INT PRIMARY KEY, t1 DOUBLE, t2 DECIMAL(65,30), t3 DECIMAL(10,2));
         CREATE TABLE l (id INT PRIMARY KEY, h_id INT, f DOUBLE, a DECIMAL(30,15), b DECIMAL(30,15), c DECIMAL(30,15), s FLOAT);
         INSERT INTO h VALUES (1, 1e40, 0, 0.10);
         INSERT INTO l VALUES (1, 1, 2e40, 0.000000000000001, 0.000000000000001, 0.000000000000001, 0.1);",
    );
    let config = "[table.h]\ntotals = [\"t1 = sum(l.f) by l.h_id\", \"t2 = sum(l.a * l.b * l.c) by l.h_id\", \"t3 = sum(l.s) by l.h_id\"]";
    let report = validate(&database, config).await;
    assert_eq!(troubles(&report), ["total:h.t1", "total:h.t2"], "a float of 0.1 is a tenth");
}

#[tokio::test]
async fn a_float_beside_a_decimal_is_the_decimal_that_it_prints_as() {
    for (database, types) in [
        (TestDatabase::postgres("validate_floats"), ["float8", "numeric", "float8"]),
        (TestDatabase::mysql("validate_floats"), ["double", "decimal(30,20)", "double"]),
    ] {
        let Some(database) = database else { continue };
        let [f, d, g] = types;
        database.run(&format!(
            "CREATE TABLE fn (id int PRIMARY KEY, f {f}, d {d}, g {g}, n bigint);
             INSERT INTO fn VALUES (1, 0.1, 0.10000000000000000001, 0.1, 1), (2, 1, 1, 2, 9007199254740993), (3, 9007199254740992, 1, 9007199254740992, 9007199254740993);"
        ));
        let config = "[table.fn]\nrows = [\"f >= d\", \"f <= g\", \"f <= n\", \"f != n\"]";
        for (name, report) in validate_both(&database, config).await {
            assert_eq!(keys(&report, "row:fn(f,d)"), ["id=1"], "{name}: {:?}", troubles(&report));
            let others = troubles(&report).into_iter().filter(|id| id.starts_with("row:") && *id != "row:fn(f,d)");
            assert_eq!(others.collect::<Vec<_>>(), [""; 0], "{name}");
        }
    }
}

#[tokio::test]
async fn a_year_is_the_number_that_it_says() {
    let Some(database) = TestDatabase::mysql("validate_years") else { return };
    database.run("CREATE TABLE t (id INT PRIMARY KEY, yr YEAR); INSERT INTO t VALUES (1, 1999), (2, 2020);");
    let report = validate(&database, "[table.t]\nrows = [\"yr > 99\", \"yr != 99\"]\nmax = { yr = 1999 }").await;
    assert_eq!(troubles(&report), ["max:t.yr"]);
    assert_eq!(keys(&report, "max:t.yr"), ["id=2"]);
}

#[tokio::test]
async fn a_date_with_parts_that_are_zero_is_a_finding_and_no_date() {
    let Some(database) = TestDatabase::mysql("validate_zero_parts") else { return };
    database.run(
        "CREATE TABLE t (id INT PRIMARY KEY, d DATE, at DATETIME);
         SET sql_mode = 'ALLOW_INVALID_DATES';
         INSERT INTO t VALUES (1, '2024-00-15', '2024-00-15 10:00:00'), (2, '2024-02-30', '2024-05-00 00:00:00'), (3, '2024-02-29', '2024-01-01 00:00:00'), (4, NULL, NULL);",
    );
    let config = "[table.t]\npast = [\"d\"]\nrows = [\"at < '2025-01-01'\"]\nrequired = [\"d\"]";
    let report = validate(&database, config).await;
    assert_eq!(keys(&report, "type:t.d"), ["id=1", "id=2"]);
    assert_eq!(keys(&report, "type:t.at"), ["id=1", "id=2"]);
    assert_eq!(counts(&report, "past:t.d"), (0, 0, 3), "what is no date is neither past nor future");
    assert_eq!(keys(&report, "required:t.d"), ["id=4"]);
}

#[tokio::test]
async fn labels_of_an_enum_are_compared_letter_by_letter_where_the_rule_says_so() {
    let Some(database) = TestDatabase::mysql("validate_enum_letters") else { return };
    database.run(
        "CREATE TABLE p (id INT PRIMARY KEY, e ENUM('a', 'b')); CREATE TABLE c (id INT PRIMARY KEY, e ENUM('A', 'b'));
         INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 'A'), (2, 'b');",
    );
    let report = validate(&database, "[table.c]\nrefs = [\"e -> p.e as text\"]").await;
    assert_eq!(keys(&report, "ref:c.e"), ["id=1"]);
}

#[tokio::test]
async fn now_beside_a_reading_that_may_be_two_instants_is_told_as_an_export_is() {
    let Some(database) = TestDatabase::postgres("validate_repeated_hour") else { return };
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, ts timestamp);
         INSERT INTO t VALUES (1, '2026-10-25 02:30'), (2, '2026-10-25 03:30'), (3, '0044-03-15 BC'), (4, 'infinity');",
    );
    let config =
        "[run]\nnow = \"2026-10-25T01:15:00Z\"\ntimezone = \"Europe/Berlin\"\n[table.t]\nrows = [\"ts > now\"]";
    // 02:30 is the first of two: an hour and 45 minutes before now.
    let report = validate(&database, config).await;
    assert_eq!(keys(&report, "row:t.ts"), ["id=1", "id=3"], "{:?}", check(&report, "row:t.ts").problems);
}

#[tokio::test]
async fn rows_without_a_key_are_named_as_they_were_judged() {
    for database in TestDatabase::each("validate_keyless") {
        let postgres = database.url().starts_with("postgres");
        let values: Vec<String> = (1..=3_000)
            .map(|i| {
                let name = if i % 100 == 0 { "x" } else { "other" };
                let code = if i % 500 == 0 { format!("BAD{i}") } else { i.to_string() };
                format!("('{name}', '{code}', {})", 3_001 - i)
            })
            .collect();
        // An index that holds what is judged and no more has an order of its own.
        database.run(&format!(
            "CREATE TABLE big (name varchar(9), code varchar(9), n int); CREATE INDEX judged ON big (name, code); INSERT INTO big VALUES {};{}",
            values.join(", "),
            if postgres { "DELETE FROM big WHERE n > 2900; VACUUM big; INSERT INTO big VALUES ('x', 'BADlate', 5000); ANALYZE big;" } else { "" }
        ));
        let report = validate(&database, "[table.big]\nrows = [\"name != 'x' or code matches '[0-9]+'\"]").await;
        let id = troubles(&report).into_iter().find(|id| id.starts_with("row:big")).expect("a finding").to_owned();
        let named = samples(&report, &id);
        assert_eq!(check(&report, &id).counts.failed, if postgres { 7 } else { 6 });
        assert!(named.iter().all(|row| row.contains("code=BAD")), "{named:?}");
    }
}

#[tokio::test]
async fn rows_are_paged_by_keys_of_every_kind() {
    for database in TestDatabase::each("validate_pages") {
        let (unsigned, high) = if database.url().starts_with("mysql") {
            ("bigint unsigned", "18446744073709551615")
        } else {
            ("bigint", "9223372036854775807")
        };
        // Past one page; the last key has no native carrier.
        let rows: Vec<String> = (1..=20_500).map(|i| format!("({i}, 'ok')")).collect();
        let pairs: Vec<String> = (1..=20_500).map(|i| format!("({}, {}, 'ok')", i / 7, i % 7)).collect();
        database.run(&format!(
            "CREATE TABLE u (id {unsigned} PRIMARY KEY, s varchar(9)); INSERT INTO u VALUES {}, ({high}, 'bad');
             CREATE TABLE p (a int, b int, s varchar(9), PRIMARY KEY (a, b)); INSERT INTO p VALUES {}, (2928, 6, 'bad');",
            rows.join(", "),
            pairs.join(", ")
        ));
        let report = validate(&database, "[table.u]\nmatch = { s = 'ok' }\n[table.p]\nmatch = { s = 'ok' }").await;
        assert_eq!(keys(&report, "match:u.s"), [format!("id={high}")]);
        assert_eq!(counts(&report, "match:u.s").0, 1);
        assert_eq!(keys(&report, "match:p.s"), ["a=2928 b=6"]);
    }
}

#[tokio::test]
async fn a_text_beside_a_number_is_compared_here_where_the_database_cannot() {
    for database in TestDatabase::each("validate_text_numbers") {
        database.run(
            "CREATE TABLE p (id int PRIMARY KEY, total decimal(10,2)); CREATE TABLE c (id int PRIMARY KEY, ref varchar(9), kind varchar(9), amount decimal(10,2));
             INSERT INTO p VALUES (1, 10), (2, 7); INSERT INTO c VALUES (1, '1', 'x', 10), (2, '02', 'x', 7), (3, '9', 'x', 1), (4, 'abc', 'y', 1);",
        );
        let config = "[table.c]\nrefs = [\"ref -> p.id where kind = 'x'\"]\n[table.p]\ntotals = [\"total = sum(c.amount) by c.ref\"]";
        for (name, report) in validate_both(&database, config).await {
            assert_eq!(keys(&report, "ref:c.ref"), ["id=3"], "{name}");
            assert_eq!(check(&report, "total:p.total").status, Status::Pass, "{name}");
        }
    }
}

#[tokio::test]
async fn rows_that_are_judged_here_are_shown_by_sql_that_names_them() {
    for database in TestDatabase::each("validate_see") {
        database.run(
            "CREATE TABLE t (a int, b varchar(9), s varchar(9), PRIMARY KEY (a, b)); CREATE TABLE n (s varchar(9));
             INSERT INTO t VALUES (1, 'x', 'ok'), (1, 'it''s', 'bad'), (2, 'y', 'worse'); INSERT INTO n VALUES ('ok'), ('bad');",
        );
        let report = validate(&database, "[table.t]\nmatch = { s = 'ok' }\n[table.n]\nmatch = { s = 'ok' }").await;
        let sql = check(&report, "match:t.s").sql.clone().expect("keys that can be written down");
        let shown: Vec<Option<String>> = database.rows(&sql).into_iter().map(|row| row[2].clone()).collect();
        assert_eq!(shown, [Some("bad".to_owned()), Some("worse".to_owned())], "{sql}");
        // A row without a key is named by where it is kept, or by all its columns.
        let sql = check(&report, "match:n.s").sql.clone().expect("a row that can be named");
        assert_eq!(database.rows(&sql), [[Some("bad".to_owned())]], "{sql}");
    }
}
