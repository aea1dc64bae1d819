//! Hard cases of values: what JSON says must be what the database holds, or be refused; never something near it.

use relink_e2e::{Contents, Export, Failure, Restore, lines, refused, restored};
use relink_restore::code;
use relink_testkit::TestDatabase;

/// A database with a table `t(id, v)` whose column `v` has this type, for each database that is given one.
fn with_column(test_name: &str, types: &[(&str, &str)]) -> Vec<TestDatabase> {
    let databases = TestDatabase::each(test_name);
    databases.into_iter().filter(|database| make(database, types)).collect()
}

fn make(database: &TestDatabase, types: &[(&str, &str)]) -> bool {
    let Some((_, kind)) = types.iter().find(|(dialect, _)| *dialect == database.dialect()) else { return false };
    database.run(&format!("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, v {kind});"));
    true
}

/// The same type everywhere.
fn everywhere(kind: &str) -> [(&'static str, &str); 3] {
    [("sqlite", kind), ("postgres", kind), ("mysql", kind)]
}

/// A table map of `t` with these values as JSON.
fn table(values: &[&str]) -> String {
    let rows: Vec<String> =
        values.iter().enumerate().map(|(at, value)| format!(r#"{{"id": {}, "v": {value}}}"#, at + 1)).collect();
    format!("{{\"t\": [\n{}\n]}}", rows.join(",\n"))
}

/// A Django dump of `t` with these values as JSON.
fn dump(values: &[&str]) -> String {
    let row =
        |(at, value): (usize, &&str)| format!(r#"{{"model": "app.t", "pk": {}, "fields": {{"v": {value}}}}}"#, at + 1);
    format!("[\n{}\n]", values.iter().enumerate().map(row).collect::<Vec<_>>().join(",\n"))
}

const DUMP_CONFIG: &str = "[table.t]\nmodels = [\"app.t\"]";

/// Restores these values and reads them back with an expression.
fn read_back(database: &TestDatabase, values: &[&str], expression: &str) -> Vec<String> {
    restored(database, &table(values), "");
    lines(database, &format!("SELECT {expression} FROM t ORDER BY id"))
}

/// Every one of these values is refused, with its line, and whatever stands beside it is not written.
fn each_is_refused(database: &TestDatabase, values: &[&str]) {
    let outcome = refused(database, &table(values), "");
    let mut found: Vec<u64> =
        outcome.findings(code::UNFIT_VALUE).iter().filter_map(|found| Some(found.place.as_ref()?.line)).collect();
    found.sort_unstable();
    let expected: Vec<u64> = (2..2 + values.len() as u64).collect();
    assert_eq!(found, expected, "{database:?} {values:?}: {:#?}", outcome.report.findings);
}

#[test]
fn text_is_kept_to_the_character() {
    let values = [
        r#""""#,
        r#"" ""#,
        r#""a b  ""#,
        r#""é e\u0301 \ud83d\ude00""#,
        r#""'; DROP TABLE t; --""#,
        r#""\\ \\n $1 ? :a %s""#,
        r#""line\r\nline\ttab""#,
        r#""null""#,
        "null",
        r#""YWJj""#,
    ];
    let expected = [
        "",
        " ",
        "a b  ",
        "é e\u{301} 😀",
        "'; DROP TABLE t; --",
        "\\ \\n $1 ? :a %s",
        "line\r\nline\ttab",
        "null",
        "NULL",
        "YWJj",
    ];
    for database in with_column("text", &[("sqlite", "text"), ("postgres", "text"), ("mysql", "longtext")]) {
        assert_eq!(read_back(&database, &values, "v"), expected, "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM t WHERE v IS NULL"), "1");
    }
}

#[test]
fn a_nul_character_is_kept_or_refused_with_its_place() {
    for database in with_column("nul", &[("sqlite", "text"), ("postgres", "text"), ("mysql", "longtext")]) {
        if database.dialect() == "postgres" {
            each_is_refused(&database, &[r#""a\u0000b""#, r#""\u0000""#]);
        } else {
            assert_eq!(read_back(&database, &[r#""a\u0000b""#], "hex(v)"), ["610062"], "{database:?}");
        }
    }
}

#[test]
fn half_a_surrogate_pair_is_refused_with_its_place() {
    for database in with_column("surrogate", &everywhere("varchar(20)")) {
        let before = Contents::of(&database);
        let export = Export::new(table(&[r#""fine""#, r#""\ud800""#]));
        match Restore::of(&export).try_into(&database) {
            Ok(outcome) => {
                let places: Vec<_> = outcome
                    .findings(code::UNFIT_VALUE)
                    .iter()
                    .map(|found| found.place.as_ref().map(|place| place.line))
                    .collect();
                assert_eq!(places, [Some(3)], "{database:?}");
            }
            Err(Failure::Export(errors)) => assert!(errors[0].to_string().contains(":3:"), "{errors:?}"),
            Err(other) => panic!("{other:?}"),
        }
        before.assert_unchanged(&database);
    }
}

#[test]
fn text_longer_than_its_column_is_refused_and_padding_is_no_content() {
    for database in with_column("too_long", &[("postgres", "varchar(3)"), ("mysql", "varchar(3)")]) {
        each_is_refused(&database, &[r#""abcd""#, r#""éééé""#]);
        assert_eq!(read_back(&database, &[r#""ééé""#, r#""abc""#], "v"), ["ééé", "abc"], "{database:?}");
    }
    for database in with_column("padded", &[("postgres", "char(5)"), ("mysql", "char(5)")]) {
        assert_eq!(
            read_back(&database, &[r#""ab""#, r#""""#], "concat('[', trim(v), ']')"),
            ["[ab]", "[]"],
            "{database:?}"
        );
    }
}

#[test]
fn text_that_the_columns_character_set_lacks_is_refused_and_not_replaced() {
    for database in with_column("charset", &[("mysql", "varchar(20) CHARACTER SET latin1")]) {
        let outcome = refused(&database, &table(&[r#""été""#, r#""😀""#]), "");
        let places: Vec<_> = outcome
            .report
            .findings
            .iter()
            .flat_map(|group| &group.findings)
            .map(|found| found.place.as_ref().map(|place| place.line))
            .collect();
        assert_eq!(places, [Some(3)], "{:#?}", outcome.report.findings);
    }
}

#[test]
fn bytes_come_from_base64_hexadecimal_and_buffers() {
    for database in with_column("bytes", &[("sqlite", "blob"), ("postgres", "bytea"), ("mysql", "longblob")]) {
        let hex = if database.dialect() == "postgres" { "encode(v, 'hex')" } else { "lower(hex(v))" };
        let values =
            [r#""AP8Q""#, r#""\\x00ff10""#, r#""0x00FF1020""#, r#"{"type": "Buffer", "data": [0, 255, 16]}"#, r#""""#];
        assert_eq!(read_back(&database, &values, hex), ["00ff10", "00ff10", "00ff1020", "00ff10", ""], "{database:?}");
        database.run("DELETE FROM t;");
        // The last is base64 as well as hexadecimal, and nothing says which.
        each_is_refused(&database, &[r#""not base64!""#, r#""\\x0""#, "5", r#""0x00FF10""#]);
    }
    for database in with_column("bytes_django", &[("sqlite", "blob"), ("postgres", "bytea"), ("mysql", "longblob")]) {
        // Django writes base64 only: what begins as hexadecimal elsewhere is base64 here.
        restored(&database, &dump(&[r#""0x00FF10""#, r#""AP8Q\n""#]), DUMP_CONFIG);
        let hex = if database.dialect() == "postgres" { "encode(v, 'hex')" } else { "lower(hex(v))" };
        assert_eq!(
            lines(&database, &format!("SELECT {hex} FROM t ORDER BY id")),
            ["d31d34145d74", "00ff10"],
            "{database:?}"
        );
    }
}

#[test]
fn decimals_keep_every_digit_or_are_refused() {
    for database in with_column("decimals", &everywhere("decimal(12,3)")) {
        let values =
            ["12.30", r#""12.30""#, r#""1E+2""#, "1.5e2", "-0.001", "0", "123456789.123", "999999999.999", "2.5000"];
        let expected = ["12.3", "12.3", "100", "150", "-0.001", "0", "123456789.123", "999999999.999", "2.5"];
        // SQLite has no scale to show.
        let plain: Vec<String> = read_back(&database, &values, "v")
            .iter()
            .map(|value| {
                if value.contains('.') {
                    value.trim_end_matches('0').trim_end_matches('.').to_owned()
                } else {
                    value.clone()
                }
            })
            .collect();
        assert_eq!(plain, expected, "{database:?}");
        database.run("DELETE FROM t;");
        each_is_refused(&database, &["0.0001", r#""1234567890""#, r#""1,5""#, r#""""#, "true", r#""Infinity""#]);
        if database.dialect() == "postgres" {
            assert_eq!(read_back(&database, &[r#""NaN""#], "v"), ["NaN"], "which every numeric column holds there");
        } else {
            each_is_refused(&database, &[r#""NaN""#, "NaN"]);
        }
    }
}

#[test]
fn a_decimal_with_more_digits_than_floating_point_has_is_never_rounded() {
    for database in with_column("long_decimals", &everywhere("decimal(30,10)")) {
        let export = Export::new(table(&["12345678901234567890.1234567891", "0.1"]));
        let outcome = Restore::of(&export).into(&database);
        if outcome.committed {
            let expected = "12345678901234567890.1234567891";
            assert_eq!(lines(&database, "SELECT v FROM t WHERE id = 1"), [expected], "{database:?}");
        } else {
            // SQLite's numeric affinity would make a double of it.
            let places: Vec<_> = outcome
                .report
                .findings
                .iter()
                .flat_map(|group| &group.findings)
                .map(|found| found.place.as_ref().map(|place| place.line))
                .collect();
            assert_eq!((database.dialect(), places), ("sqlite", vec![Some(2)]), "{:#?}", outcome.report);
        }
    }
}

#[test]
fn a_number_without_bounds_keeps_its_scale() {
    for database in with_column("numeric", &[("postgres", "numeric")]) {
        let values = ["12.30", r#""12.300""#, "1e-20", "123456789012345678901234567890.5", r#""NaN""#];
        let expected = ["12.30", "12.300", "0.00000000000000000001", "123456789012345678901234567890.5", "NaN"];
        assert_eq!(read_back(&database, &values, "v"), expected);
    }
}

#[test]
fn whole_numbers_are_exact_to_the_last_of_their_range() {
    for database in with_column("integers", &everywhere("bigint")) {
        let values = [
            "9223372036854775807",
            "-9223372036854775808",
            r#""9007199254740993""#,
            "9007199254740993",
            "1.0",
            "1e3",
            "-0",
        ];
        let expected =
            ["9223372036854775807", "-9223372036854775808", "9007199254740993", "9007199254740993", "1", "1000", "0"];
        assert_eq!(read_back(&database, &values, "v"), expected, "{database:?}");
        database.run("DELETE FROM t;");
        each_is_refused(
            &database,
            &["9223372036854775808", "-9223372036854775809", "1.5", r#""12a""#, r#""""#, r#"" 1""#, "[1]", "1e400"],
        );
    }
    for database in with_column("small_integers", &[("postgres", "smallint"), ("mysql", "smallint")]) {
        assert_eq!(read_back(&database, &["32767", "-32768"], "v"), ["32767", "-32768"], "{database:?}");
        database.run("DELETE FROM t;");
        each_is_refused(&database, &["32768", "-32769"]);
    }
    for database in with_column("unsigned", &[("mysql", "bigint unsigned")]) {
        assert_eq!(read_back(&database, &["18446744073709551615", "0"], "v"), ["18446744073709551615", "0"]);
        database.run("DELETE FROM t;");
        each_is_refused(&database, &["18446744073709551616", "-1"]);
    }
}

#[test]
fn floating_point_numbers_are_kept_to_the_bit() {
    for database in
        with_column("floats", &[("sqlite", "double"), ("postgres", "double precision"), ("mysql", "double")])
    {
        let mut values = vec![
            "0.30000000000000004",
            "0.1",
            "1e308",
            "5e-324",
            "2.2250738585072014e-308",
            "123456789012345680000",
            "1",
        ];
        // SQLite's shell prints as many digits as it is told to, and errs in the last bit of the largest number of all.
        if database.dialect() != "sqlite" {
            values.push("-1.7976931348623157e308");
        }
        let shown = if database.dialect() == "sqlite" { "printf('%!.17g', v)" } else { "v" };
        let read: Vec<u64> = read_back(&database, &values, shown)
            .iter()
            .map(|text| text.parse::<f64>().unwrap_or_else(|_| panic!("{text}")).to_bits())
            .collect();
        let expected: Vec<u64> = values.iter().map(|text| text.parse::<f64>().expect("a number").to_bits()).collect();
        assert_eq!(read, expected, "{database:?}");
    }
    // Neither SQLite nor MariaDB stores the sign of zero.
    for database in with_column("minus_zero", &[("postgres", "double precision")]) {
        assert_eq!(read_back(&database, &["-0.0"], "v"), ["-0"], "{database:?}");
    }
}

#[test]
fn what_is_no_finite_number_is_kept_or_refused_and_never_null() {
    for database in
        with_column("specials", &[("sqlite", "double"), ("postgres", "double precision"), ("mysql", "double")])
    {
        let values = ["NaN", "Infinity", "-Infinity", r#""NaN""#, r#""Infinity""#, r#""-Infinity""#];
        if database.dialect() == "postgres" {
            let expected = ["NaN", "Infinity", "-Infinity", "NaN", "Infinity", "-Infinity"];
            assert_eq!(read_back(&database, &values, "v"), expected);
        } else {
            each_is_refused(&database, &values);
        }
    }
}

#[test]
fn a_float_of_four_bytes_takes_what_it_can_tell_apart() {
    for database in with_column("reals", &[("postgres", "real"), ("mysql", "float")]) {
        assert_eq!(read_back(&database, &["0.5", "-2.25"], "v"), ["0.5", "-2.25"], "{database:?}");
        database.run("DELETE FROM t;");
        each_is_refused(&database, &["1e39", "-1e300"]);
    }
}

#[test]
fn booleans_are_true_false_one_zero_and_their_names() {
    for database in with_column("booleans", &everywhere("boolean")) {
        let values = ["true", "false", "1", "0", r#""t""#, r#""false""#, "null"];
        let number = "CASE WHEN v IS NULL THEN NULL WHEN v THEN 1 ELSE 0 END";
        assert_eq!(read_back(&database, &values, number), ["1", "0", "1", "0", "1", "0", "NULL"], "{database:?}");
        database.run("DELETE FROM t;");
        each_is_refused(&database, &[r#""""#, r#""maybe""#, "0.5"]);
        if database.dialect() == "mysql" {
            assert_eq!(read_back(&database, &["2"], "v"), ["2"], "MySQL's booleans are small numbers, and hold them");
        } else {
            each_is_refused(&database, &["2"]);
        }
    }
}

#[test]
fn a_uuid_is_one_however_it_is_written() {
    for database in with_column("uuids", &[("postgres", "uuid")]) {
        let values = [r#""9F8B8E6C-0000-4000-8000-00000000000A""#, r#""9f8b8e6c00004000800000000000000a""#];
        assert_eq!(read_back(&database, &values, "v"), ["9f8b8e6c-0000-4000-8000-00000000000a"; 2]);
        database.run("DELETE FROM t;");
        each_is_refused(
            &database,
            &[r#""9f8b8e6c-0000-4000-8000-00000000000""#, r#""xf8b8e6c-0000-4000-8000-00000000000a""#, "5"],
        );
    }
}

#[test]
fn null_in_a_json_column_is_sqls_where_it_may_and_jsons_where_it_must() {
    let types = |null: &'static str| {
        [("sqlite", format!("json {null}")), ("postgres", format!("jsonb {null}")), ("mysql", format!("json {null}"))]
    };
    for (null, expected) in [("", "NULL"), ("NOT NULL", "null")] {
        let types = types(null);
        let types: Vec<(&str, &str)> = types.iter().map(|(dialect, kind)| (*dialect, kind.as_str())).collect();
        for database in with_column("json_null", &types) {
            restored(&database, &dump(&["null", "{\"a\": null}"]), DUMP_CONFIG);
            let rows = lines(&database, "SELECT v FROM t ORDER BY id");
            assert_eq!(rows[0], expected, "{database:?}");
            assert_eq!(rows[1].replace(' ', ""), r#"{"a":null}"#, "{database:?}");
        }
    }
}

#[test]
fn json_documents_keep_their_types_and_numbers() {
    // As Django declares it: a column of type json would make a binary number of a document that is a number.
    let on_sqlite = "text CHECK (json_valid(v) OR v IS NULL)";
    for database in with_column("json", &[("sqlite", on_sqlite), ("postgres", "jsonb"), ("mysql", "json")]) {
        let values = [
            r#""12""#,
            "12",
            "12345678901234567890.10",
            r#"{"b": 1, "a": [true, "x\"y\\", 1e2]}"#,
            r#""""#,
            "[]",
            "false",
            r#""é 😀 \u0001""#,
        ];
        restored(&database, &dump(&values), DUMP_CONFIG);
        let rows = lines(&database, "SELECT v FROM t ORDER BY id");
        let spaceless: Vec<String> = rows.iter().map(|row| row.replace(", ", ",").replace(": ", ":")).collect();
        assert_eq!(spaceless[0], r#""12""#, "{database:?}: a text that looks like a number stays a text");
        assert_eq!(spaceless[1], "12", "{database:?}");
        assert_eq!(spaceless[2], "12345678901234567890.10", "{database:?}");
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(
            parse(&rows[3]),
            serde_json::json!({"b": 1, "a": [true, "x\"y\\", if database.dialect() == "postgres" { serde_json::json!(100) } else { serde_json::json!(100.0) }]}),
            "{database:?}"
        );
        assert_eq!(&spaceless[4..7], [r#""""#, "[]", "false"], "{database:?}");
        assert_eq!(parse(&rows[7]), serde_json::json!("é 😀 \u{1}"), "{database:?}");
    }
}

#[test]
fn a_json_document_that_the_database_cannot_hold_is_refused_with_its_place() {
    for database in with_column("bad_json", &[("sqlite", "json"), ("postgres", "jsonb"), ("mysql", "json")]) {
        each_is_refused(&database, &[r#"{"a": NaN}"#, "[Infinity]"]);
        if database.dialect() == "postgres" {
            each_is_refused(&database, &[r#"{"a": "\u0000"}"#, r#""a\u0000""#]);
            // A backslash before a backslash is no escape of what follows.
            assert_eq!(read_back(&database, &[r#"{"a": "\\u0000"}"#], "v ->> 'a'"), ["\\u0000"]);
        }
    }
}

#[test]
fn a_year_of_four_digits_before_1000_is_a_year_and_what_is_no_day_is_refused() {
    for database in with_column("dates", &everywhere("date")) {
        let values = [r#""0009-12-04""#, r#""2024-02-29""#, r#""9999-12-31""#, "null"];
        assert_eq!(
            read_back(&database, &values, "v"),
            ["0009-12-04", "2024-02-29", "9999-12-31", "NULL"],
            "{database:?}"
        );
        database.run("DELETE FROM t;");
        each_is_refused(
            &database,
            &[
                r#""0000-00-00""#,
                r#""2020-00-10""#,
                r#""2023-02-29""#,
                r#""04.12.2009""#,
                r#""""#,
                "20240101",
                r#""2024-01-01T10:00:00""#,
            ],
        );
    }
}

#[test]
fn timestamps_keep_their_microseconds_and_no_zone_of_a_host_moves_them() {
    for database in
        with_column("timestamps", &[("sqlite", "datetime"), ("postgres", "timestamp"), ("mysql", "datetime(6)")])
    {
        if database.dialect() == "postgres" {
            // Whatever zone the database is told to live in.
            let name = database.value("SELECT current_database()");
            database.run(&format!("ALTER DATABASE {name} SET timezone = 'Asia/Tokyo';"));
        }
        let values = [
            r#""2024-03-31T02:30:00""#,
            r#""2024-01-01T10:00:00.001234""#,
            r#""2024-01-01T10:00:00.001Z""#,
            r#""2024-01-01T10:00:00+05:30""#,
            r#""2024-01-01 10:00:00""#,
        ];
        restored(&database, &dump(&values), DUMP_CONFIG);
        let rows = lines(&database, "SELECT v FROM t ORDER BY id");
        let plain: Vec<String> = rows
            .iter()
            .map(|row| {
                if row.contains('.') { row.trim_end_matches('0').trim_end_matches('.').to_owned() } else { row.clone() }
            })
            .collect();
        let expected = [
            "2024-03-31 02:30:00",
            "2024-01-01 10:00:00.001234",
            "2024-01-01 10:00:00.001",
            "2024-01-01 04:30:00",
            "2024-01-01 10:00:00",
        ];
        assert_eq!(plain, expected, "{database:?}");
        database.run("DELETE FROM t;");
        each_is_refused(&database, &[r#""2024-13-01T10:00:00""#, r#""yesterday""#, r#""""#]);
        if database.dialect() != "sqlite" {
            // Rows of SQLite show whatever text was stored behind the day.
            each_is_refused(&database, &[r#""2024-01-01T25:00:00""#, r#""2024-01-01T10:00:00+99:00""#]);
        }
    }
}

#[test]
fn an_instant_stays_an_instant_and_needs_a_zone() {
    for database in with_column("instants", &[("postgres", "timestamptz"), ("mysql", "timestamp(6) NULL")]) {
        let instant = |database: &TestDatabase| {
            let shown = if database.dialect() == "postgres" {
                "v AT TIME ZONE 'UTC'"
            } else {
                "CONVERT_TZ(v, @@session.time_zone, '+00:00')"
            };
            lines(database, &format!("SELECT {shown} FROM t ORDER BY id"))
                .into_iter()
                .map(|row| row.trim_end_matches('0').trim_end_matches('.').to_owned())
                .collect::<Vec<_>>()
        };
        restored(
            &database,
            &table(&[r#""2024-01-01T10:00:01Z""#, r#""2024-01-01T10:00:01.5+05:30""#, r#""2024-07-01T23:59:59-0800""#]),
            "",
        );
        assert_eq!(
            instant(&database),
            ["2024-01-01 10:00:01", "2024-01-01 04:30:01.5", "2024-07-02 07:59:59"],
            "{database:?}"
        );
        database.run("DELETE FROM t;");
        let zoneless = table(&[r#""2024-07-01T12:00:01""#]);
        assert!(
            refused(&database, &zoneless, "")
                .only(code::UNFIT_VALUE)
                .help
                .as_deref()
                .is_some_and(|help| help.contains("timezone"))
        );
        let berlin = "[run]\ntimezone = \"Europe/Berlin\"";
        restored(&database, &zoneless, berlin);
        assert_eq!(instant(&database), ["2024-07-01 10:00:01"], "{database:?}");
        database.run("DELETE FROM t;");
        // In one night the clocks skip this hour, in another they show it twice.
        for night in [r#""2024-03-31T02:30:00""#, r#""2024-10-27T02:30:00""#] {
            refused(&database, &table(&[night]), berlin).only(code::UNFIT_VALUE);
        }
    }
}

#[test]
fn digits_of_a_second_that_the_column_would_drop_are_refused() {
    for database in with_column("precision", &[("postgres", "timestamp(3)"), ("mysql", "datetime(3)")]) {
        each_is_refused(&database, &[r#""2024-01-01T10:00:00.1234""#]);
        restored(&database, &table(&[r#""2024-01-01T10:00:00.123000""#]), "");
        assert_eq!(lines(&database, "SELECT v FROM t"), ["2024-01-01 10:00:00.123"], "{database:?}");
    }
}

#[test]
fn times_of_day_and_durations() {
    for database in with_column("times", &[("sqlite", "time"), ("postgres", "time"), ("mysql", "time(6)")]) {
        let values = [r#""10:11:12""#, r#""10:11:12.000034""#, r#""23:59""#, r#""00:00:00""#];
        let rows = read_back(&database, &values, "v");
        let plain: Vec<&str> = rows.iter().map(|row| row.strip_suffix(".000000").unwrap_or(row)).collect();
        assert_eq!(plain, ["10:11:12", "10:11:12.000034", "23:59:00", "00:00:00"], "{database:?}");
        database.run("DELETE FROM t;");
        each_is_refused(&database, &[r#""23:59:60""#, r#""10:60:00""#, r#""10:11:12+02:00""#, "10"]);
    }
    for database in with_column("midnight", &[("postgres", "time")]) {
        assert_eq!(read_back(&database, &[r#""24:00:00""#], "v"), ["24:00:00"]);
    }
    // Django writes days and a time of day, its JSON encoder ISO 8601; without a type for durations it stores microseconds.
    for database in with_column("durations", &[("sqlite", "bigint"), ("postgres", "interval"), ("mysql", "bigint")]) {
        let values = [
            r#""1 02:00:00.000001""#,
            r#""-2 02:00:00""#,
            r#""00:00:05""#,
            r#""-1 00:00:00""#,
            r#""P1DT02H00M00.000001S""#,
        ];
        restored(&database, &dump(&values), DUMP_CONFIG);
        let micros = if database.dialect() == "postgres" { "(extract(epoch FROM v) * 1000000)::bigint" } else { "v" };
        let rows = lines(&database, &format!("SELECT {micros} FROM t ORDER BY id"));
        assert_eq!(rows, ["93600000001", "-165600000000", "5000000", "-86400000000", "93600000001"], "{database:?}");
    }
}

#[test]
fn a_label_that_the_enumeration_lacks_is_refused_and_the_nearest_is_named() {
    for database in TestDatabase::each("enumeration") {
        match database.dialect() {
            "postgres" => database.run(
                "CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TABLE t (id integer PRIMARY KEY, v mood, w mood[]);",
            ),
            "mysql" => database.run("CREATE TABLE t (id integer PRIMARY KEY, v enum('happy', 'sad'));"),
            _ => continue, // which has none
        }
        let outcome = refused(&database, &table(&[r#""happy""#, r#""hapy""#, r#""""#]), "");
        let found = outcome.findings(code::UNFIT_VALUE);
        let places: Vec<_> = found.iter().map(|found| found.place.as_ref().map(|place| place.line)).collect();
        assert_eq!(places, [Some(3), Some(4)], "{database:?}: {found:#?}");
        assert!(found[0].help.as_deref().is_some_and(|help| help.contains("happy")), "{found:#?}");
        assert_eq!(read_back(&database, &[r#""sad""#, "null"], "v"), ["sad", "NULL"], "{database:?}");
        if database.dialect() == "postgres" {
            restored(&database, r#"{"t": [{"id": 9, "v": "sad", "w": ["happy", null]}]}"#, "");
            assert_eq!(lines(&database, "SELECT w FROM t WHERE id = 9"), ["{happy,NULL}"]);
        }
    }
}

#[test]
fn arrays_keep_nulls_quotes_commas_and_their_nesting() {
    for database in with_column("arrays", &[("postgres", "text[]")]) {
        let values =
            [r#"["a", null, "b,c", "d\"e\\f", "", "NULL", " "]"#, "[]", "null", r#"[["a"], ["b"]]"#, r#"["{}"]"#];
        let lengths = "array_length(v, 1), v[1], v[2], v[3], v[4], v[5], v[6], v[7], cardinality(v), v[2][1]";
        let rows = read_back(&database, &values, lengths);
        assert_eq!(rows[0], "7|a|NULL|b,c|d\"e\\f||NULL| |7|NULL");
        assert_eq!(database.value("SELECT (v[2] IS NULL AND v[6] = 'NULL')::int FROM t WHERE id = 1"), "1");
        assert!(rows[1].ends_with("|0|NULL"), "an empty array: {}", rows[1]);
        assert_eq!(database.value("SELECT count(*) FROM t WHERE v IS NULL"), "1");
        assert!(rows[3].ends_with("|2|b"), "{}", rows[3]);
        database.run("DELETE FROM t;");
        restored(&database, &dump(&[r#""[\"a\", null, \"b,c\"]""#]), DUMP_CONFIG);
        assert_eq!(lines(&database, "SELECT v FROM t"), [r#"{a,NULL,"b,c"}"#], "as Django writes arrays");
    }
    for database in with_column("number_arrays", &[("postgres", "bigint[]")]) {
        assert_eq!(read_back(&database, &["[1, null, 9007199254740993]"], "v"), ["{1,NULL,9007199254740993}"]);
        database.run("DELETE FROM t;");
        each_is_refused(&database, &[r#"["x"]"#, "[9223372036854775808]", "5"]);
    }
}

#[test]
fn types_that_only_the_server_reads_take_its_own_words() {
    let Some(database) = TestDatabase::postgres("server_types") else { return };
    database.run(
        "CREATE EXTENSION citext; CREATE EXTENSION hstore;
         CREATE TABLE t (id integer PRIMARY KEY, c citext, n inet, h hstore, r int4range, m macaddr, b bit(3), x xml,
             body text, words tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED);",
    );
    let export = Export::new(
        r#"{"t": [{"id": 1, "c": "MiXed", "n": "10.0.0.1/8", "h": "a=>\"1\", b=>NULL", "r": "[1,5)", "m": "08:00:2b:01:02:03", "b": "101", "x": "<a/>",
                   "body": "two words", "words": "'ignored'"}]}"#,
    );
    let outcome = Restore::of(&export).into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report);
    outcome.only(code::COMPUTED_DIFFERS);
    let row = lines(&database, "SELECT c, n, h -> 'a', r, m, b, x, words FROM t");
    assert_eq!(row, ["MiXed|10.0.0.1/8|1|[1,5)|08:00:2b:01:02:03|101|<a/>|'two':1 'words':2"]);
    let outcome =
        refused(&database, "{\"t\": [{\"id\": 2, \"n\": \"10.0.0.1\"},\n{\"id\": 3, \"n\": \"not an address\"}]}", "");
    assert_eq!(outcome.only(code::REFUSED_ROW).place.as_ref().map(|place| place.line), Some(2));
}

#[test]
fn sqlite_takes_no_text_into_a_number_and_no_number_into_a_date() {
    let database = TestDatabase::sqlite();
    database.run("CREATE TABLE t (id integer PRIMARY KEY, n integer, r real, f decimal(5,2), b boolean);");
    let outcome = refused(
        &database,
        "{\"t\": [{\"id\": 1, \"n\": 1, \"r\": 1, \"f\": 1, \"b\": 1},\n{\"id\": 2, \"n\": \"abc\", \"r\": \"x\", \"f\": \"y\", \"b\": \"z\"}]}",
        "",
    );
    let mut fields: Vec<_> =
        outcome.findings(code::UNFIT_VALUE).iter().filter_map(|found| found.field.clone()).collect();
    fields.sort();
    assert_eq!(fields, ["b", "f", "n", "r"]);
}

#[test]
fn an_empty_text_is_no_null_and_a_missing_field_takes_the_default() {
    for database in TestDatabase::each("defaults") {
        database.run("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, a varchar(10) NOT NULL DEFAULT 'made', b varchar(10), c varchar(10) NOT NULL);");
        restored(
            &database,
            r#"{"t": [{"id": 1, "c": ""}, {"id": 2, "a": "", "b": "", "c": "x"}, {"id": 3, "a": "given", "b": null, "c": "y"}]}"#,
            "",
        );
        let rows = lines(&database, "SELECT id, a, b, c FROM t ORDER BY id");
        assert_eq!(rows, ["1|made|NULL|", "2|||x", "3|given|NULL|y"], "{database:?}");
        let outcome = refused(
            &database,
            "{\"t\": [{\"id\": 4, \"c\": \"\"},\n{\"id\": 5},\n{\"id\": 6, \"a\": null, \"c\": \"x\"}]}",
            "",
        );
        let mut found: Vec<_> = outcome
            .findings(code::MISSING_VALUE)
            .iter()
            .map(|found| (found.place.as_ref().map(|place| place.line), found.field.clone()))
            .collect();
        found.sort();
        assert_eq!(found, [(Some(2), Some("c".to_owned())), (Some(3), Some("a".to_owned()))], "{database:?}");
    }
}

#[test]
fn a_field_of_some_megabytes_is_kept_whole() {
    const BYTES: usize = 5 << 20;
    let long = format!("\"{}\"", "a€".repeat(BYTES / 4));
    for database in with_column("megabytes", &[("sqlite", "text"), ("postgres", "text"), ("mysql", "longtext")]) {
        let length = if database.dialect() == "sqlite" { "length(CAST(v AS blob))" } else { "octet_length(v)" };
        assert_eq!(
            read_back(&database, &[&long, "\"short\""], length),
            [BYTES.to_string(), "5".to_owned()],
            "{database:?}"
        );
    }
}

#[test]
fn lines_with_a_byte_order_mark_and_carriage_returns_are_lines() {
    for database in with_column("bom_crlf", &everywhere("varchar(20)")) {
        let text = "\u{feff}{\"model\": \"app.t\", \"pk\": 1, \"fields\": {\"v\": \"a\"}}\r\n{\"model\": \"app.t\", \"pk\": 2, \"fields\": {\"v\": \"b\"}}";
        restored(&database, text, DUMP_CONFIG);
        assert_eq!(lines(&database, "SELECT id, v FROM t ORDER BY id"), ["1|a", "2|b"], "{database:?}");
    }
}
