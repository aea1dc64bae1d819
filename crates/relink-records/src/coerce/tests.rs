use relink_export::RawJson;
use relink_model::{Column, ColumnType, TypeKind, Value};

use super::*;

fn capabilities(strict: bool) -> Capabilities {
    Capabilities {
        enforces_types: strict,
        enforces_length: strict,
        transactional_ddl: true,
        defers_any_foreign_key: false,
        defers_declared: true,
        owner_can_make_deferrable: true,
        can_suspend_foreign_keys: true,
        suspending_needs_owner: true,
        checks_each_row: false,
        stores_temporals_as_text: !strict,
        floats_hold_specials: strict,
        temporals_hold_infinity: strict,
        decimal_max: None,
        json_is_text: !strict,
        has_booleans: false,
        compares_by_letter: true,
        text_holds_nul: !strict,
        statement_failure_keeps_transaction: false,
        years: (-4712, 9999),
        parameters_max: 65_535,
        disables_triggers: false,
        bulk_load: false,
    }
}

fn rules(django: bool, strict: bool) -> Rules {
    Rules { capabilities: capabilities(strict), django, timezone: None }
}

fn read(json: &str, kind: TypeKind, rules: &Rules) -> Result<Value, String> {
    let column = Column {
        name: "c".to_owned(),
        data_type: ColumnType { declared: "test".to_owned(), kind },
        nullable: true,
        ..Column::default()
    };
    let json = RawJson::parse(json, 64).expect("the test's JSON is valid");
    coerce(&json, &column, How::default(), rules).map_err(|unfit| unfit.why)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what reading returns")]
fn text(value: &str) -> Result<Value, String> {
    Ok(Value::Text(value.to_owned()))
}

fn decimal(precision: u32, scale: i32) -> TypeKind {
    TypeKind::Decimal { precision: Some(precision), scale: Some(scale), special: false, unsigned: false }
}

const TIMESTAMP: TypeKind = TypeKind::Timestamp { zoned: false, precision: 6 };
const INSTANT: TypeKind = TypeKind::Timestamp { zoned: true, precision: 6 };
const BIGINT: TypeKind = TypeKind::Integer { bits: 64, unsigned: false };

#[test]
fn integers_past_two_to_the_53_are_exact() {
    let rules = rules(false, true);
    assert_eq!(read("2033735037361704962", BIGINT, &rules), Ok(Value::Int(2_033_735_037_361_704_962)));
    assert_eq!(read("\"9007199254740993\"", BIGINT, &rules), Ok(Value::Int(9_007_199_254_740_993)));
    assert_eq!(read("5.0", BIGINT, &rules), Ok(Value::Int(5)));
    assert_eq!(read("-0", BIGINT, &rules), Ok(Value::Int(0)));
    assert!(read("9223372036854775808", BIGINT, &rules).is_err());
    assert!(read("1.5", BIGINT, &rules).is_err());
    assert!(read("1e400", BIGINT, &rules).is_err());
    let unsigned = TypeKind::Integer { bits: 64, unsigned: true };
    assert_eq!(read("18446744073709551615", unsigned.clone(), &rules), text("18446744073709551615"));
    assert!(read("-1", unsigned, &rules).is_err());
    assert!(read("128", TypeKind::Integer { bits: 8, unsigned: false }, &rules).is_err());
}

#[test]
fn decimals_keep_their_scale_and_are_never_rounded() {
    let rules = rules(false, true);
    assert_eq!(read("\"12.30\"", decimal(10, 2), &rules), text("12.30"));
    assert_eq!(read("12.30", decimal(10, 2), &rules), text("12.30"));
    assert_eq!(read("1E+2", decimal(10, 2), &rules), text("100"));
    assert_eq!(read("125e-2", decimal(10, 2), &rules), text("1.25"));
    assert_eq!(read("12.300", decimal(10, 2), &rules), text("12.30"));
    assert!(read("12.345", decimal(10, 2), &rules).is_err());
    assert!(read("123456789", decimal(10, 2), &rules).is_err());
    assert!(read("\"12,30\"", decimal(10, 2), &rules).is_err());
    assert!(read("\"\"", decimal(10, 2), &rules).is_err());
    assert!(read("NaN", decimal(10, 2), &rules).is_err());
    let free = TypeKind::Decimal { precision: None, scale: None, special: true, unsigned: false };
    let long = "0.1234567890123456789012345678901234567890";
    assert_eq!(read(long, free.clone(), &rules), text(long));
    assert_eq!(read("NaN", free, &rules), text("NaN"));
}

#[test]
fn floats_are_bit_exact_and_special_ones_only_where_they_can_be_held() {
    let (strict, lax) = (rules(false, true), rules(false, false));
    let double = TypeKind::Float { bits: 64 };
    assert_eq!(read("0.30000000000000004", double.clone(), &strict), Ok(Value::Float(0.1 + 0.2)));
    assert_eq!(read("1e308", double.clone(), &strict), Ok(Value::Float(1e308)));
    assert!(read("1e309", double.clone(), &strict).is_err());
    assert_eq!(read("-Infinity", double.clone(), &strict), Ok(Value::Float(f64::NEG_INFINITY)));
    assert_eq!(read("\"Infinity\"", double.clone(), &strict), Ok(Value::Float(f64::INFINITY)));
    assert!(matches!(read("NaN", double.clone(), &strict), Ok(Value::Float(value)) if value.is_nan()));
    assert!(read("NaN", double, &lax).is_err());
}

#[test]
fn booleans_are_true_false_0_and_1_and_null_stays_null() {
    let rules = rules(true, true);
    for (json, value) in [("true", true), ("0", false), ("\"t\"", true), ("\"False\"", false), ("1", true)] {
        assert_eq!(read(json, TypeKind::Boolean, &rules), Ok(Value::Bool(value)), "{json}");
    }
    assert_eq!(read("null", TypeKind::Boolean, &rules), Ok(Value::Null));
    assert!(read("2", TypeKind::Boolean, &rules).is_err());
    assert!(read("\"\"", TypeKind::Boolean, &rules).is_err());
}

#[test]
fn timestamps_keep_microseconds_and_their_zone_is_never_the_hosts() {
    let rules = rules(true, true);
    assert_eq!(read("\"2024-01-02T03:04:05.001234Z\"", INSTANT, &rules), text("2024-01-02 03:04:05.001234+00:00"));
    assert_eq!(read("\"2024-01-02T03:04:05+05:30\"", INSTANT, &rules), text("2024-01-01 21:34:05+00:00"));
    assert_eq!(read("\"2024-01-02T03:04:05.100\"", TIMESTAMP, &rules), text("2024-01-02 03:04:05.100000"));
    assert_eq!(read("\"2006-02-14T22:04:33.000Z\"", TIMESTAMP, &rules), text("2006-02-14 22:04:33"));
    assert_eq!(read("\"0009-12-04T00:00:00\"", TIMESTAMP, &rules), text("0009-12-04 00:00:00"));
    assert_eq!(read("\"infinity\"", TIMESTAMP, &rules), text("infinity"));
    for wrong in ["\"2024-01-02T03:04:05\"", "\"2024-02-30T00:00:00Z\"", "\"2024-01-02T03:04:60Z\"", "1704164645"] {
        assert!(read(wrong, INSTANT, &rules).is_err(), "{wrong}");
    }
    assert!(read("\"2024-01-02T03:04:05.0000001\"", TIMESTAMP, &rules).is_err());
    assert!(read("\"0000-00-00 00:00:00\"", TIMESTAMP, &rules).is_err());
    assert!(read("\"2020-00-10\"", TypeKind::Date, &rules).is_err());
}

#[test]
fn a_reading_without_zone_goes_through_the_configured_one_and_a_change_of_clocks_is_refused() {
    let mut rules = rules(true, true);
    rules.timezone = Some(TimeZone::get("Europe/Berlin").expect("a zone of the bundled database"));
    assert_eq!(read("\"2024-07-01T12:00:00\"", INSTANT, &rules), text("2024-07-01 10:00:00+00:00"));
    assert!(read("\"2024-03-31T02:30:00\"", INSTANT, &rules).expect_err("the gap").contains("change of clocks"));
    assert!(read("\"2024-10-27T02:30:00\"", INSTANT, &rules).expect_err("the overlap").contains("change of clocks"));
}

#[test]
fn dates_and_times_lose_nothing() {
    let rules = rules(false, true);
    assert_eq!(read("\"2024-02-29\"", TypeKind::Date, &rules), text("2024-02-29"));
    assert_eq!(read("\"2017-01-01T00:00:00.000Z\"", TypeKind::Date, &rules), text("2017-01-01"));
    assert!(read("\"2017-01-01T10:00:00.000Z\"", TypeKind::Date, &rules).is_err());
    let time = TypeKind::Time { zoned: false, precision: 6 };
    assert_eq!(read("\"10:20:30.5\"", time.clone(), &rules), text("10:20:30.500000"));
    assert_eq!(read("\"24:00:00\"", time.clone(), &rules), text("24:00:00"));
    assert!(read("\"10:20:30+02:00\"", time.clone(), &rules).is_err());
    assert!(read("\"25:00:00\"", time, &rules).is_err());
    assert!(read("\"10:20:30.5\"", TypeKind::Time { zoned: false, precision: 0 }, &rules).is_err());
}

#[test]
fn django_durations_become_microseconds_where_there_is_no_interval() {
    let rules = rules(true, true);
    assert_eq!(read("\"P1DT02H00M00S\"", BIGINT, &rules), Ok(Value::Int(93_600_000_000)));
    assert_eq!(read("\"P0DT00H00M00.000001S\"", BIGINT, &rules), Ok(Value::Int(1)));
    assert_eq!(read("\"1 02:00:03.000004\"", BIGINT, &rules), Ok(Value::Int(93_603_000_004)));
    assert_eq!(read("\"-1 00:00:05\"", BIGINT, &rules), Ok(Value::Int(-86_395_000_000)));
    assert_eq!(read("\"00:00:00\"", BIGINT, &rules), Ok(Value::Int(0)));
    assert_eq!(read("\"-P1DT00H00M01S\"", BIGINT, &rules), Ok(Value::Int(-86_401_000_000)));
    assert!(read("\"P1Y\"", BIGINT, &rules).is_err());
}

#[test]
fn bytes_come_as_base64_hexadecimal_or_a_node_buffer() {
    let (django, node) = (rules(true, true), rules(false, true));
    let bytes = TypeKind::Bytes { max_bytes: None };
    assert_eq!(read("\"AAEC\"", bytes.clone(), &django), Ok(Value::Bytes(vec![0, 1, 2])));
    assert_eq!(read("\"\\\\x0001ff\"", bytes.clone(), &node), Ok(Value::Bytes(vec![0, 1, 255])));
    assert_eq!(read("\"0x0001\"", bytes.clone(), &node), Ok(Value::Bytes(vec![0, 1])));
    assert_eq!(read("{\"type\":\"Buffer\",\"data\":[1,255]}", bytes.clone(), &node), Ok(Value::Bytes(vec![1, 255])));
    assert!(read("{\"type\":\"Buffer\",\"data\":[256]}", bytes.clone(), &node).is_err());
    assert!(read("\"A\"", bytes.clone(), &django).is_err());
    // Base64 in a text column stays text.
    let plain = TypeKind::Text { max_chars: None, max_bytes: None, fixed: false };
    assert_eq!(read("\"AAEC\"", plain, &django), text("AAEC"));
}

#[test]
fn text_is_measured_in_characters_and_u0000_is_found_before_the_database_does() {
    let (strict, lax) = (rules(true, true), rules(true, false));
    let short = TypeKind::Text { max_chars: Some(3), max_bytes: None, fixed: false };
    assert_eq!(read("\"äöü\"", short.clone(), &strict), text("äöü"));
    assert!(read("\"äöüß\"", short.clone(), &strict).is_err());
    assert_eq!(read("\"äöüß\"", short.clone(), &lax), text("äöüß"));
    assert!(read("\"a\\u0000\"", short.clone(), &strict).is_err());
    assert_eq!(read("\"a\\u0000\"", short.clone(), &lax), text("a\0"));
    assert!(read("\"\\ud800\"", short.clone(), &strict).is_err());
    assert!(read("{\"a\":1}", short, &strict).is_err());
}

#[test]
fn uuids_are_one_form_and_django_keeps_them_without_hyphens_in_char_32() {
    let rules = rules(true, true);
    let hyphenated = "\"6BA7B810-9DAD-11D1-80B4-00C04FD430C8\"";
    assert_eq!(read(hyphenated, TypeKind::Uuid, &rules), text("6ba7b810-9dad-11d1-80b4-00c04fd430c8"));
    assert_eq!(
        read("\"6ba7b8109dad11d180b400c04fd430c8\"", TypeKind::Uuid, &rules),
        text("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    );
    let char32 = TypeKind::Text { max_chars: Some(32), max_bytes: None, fixed: true };
    assert_eq!(read(hyphenated, char32, &rules), text("6ba7b8109dad11d180b400c04fd430c8"));
    assert!(read("\"6ba7b810\"", TypeKind::Uuid, &rules).is_err());
}

#[test]
fn json_keeps_its_text_and_a_json_null_is_told_from_sql_null() {
    let (strict, lax) = (rules(true, true), rules(false, false));
    let document = "{ \"b\" : 1.10, \"a\" : [ 12345678901234567890 ] }";
    assert_eq!(read(document, TypeKind::Json, &strict), text("{\"b\":1.10,\"a\":[12345678901234567890]}"));
    assert_eq!(read("\"5\"", TypeKind::Json, &strict), text("\"5\""));
    // A row of a database that keeps JSON as text shows that text.
    assert_eq!(read("\"{\\\"a\\\": 1}\"", TypeKind::Json, &lax), text("{\"a\": 1}"));
    assert!(read("{\"a\": NaN}", TypeKind::Json, &strict).is_err());
    assert!(read("{\"a\": \"\\u0000\"}", TypeKind::Json, &strict).is_err());
    let column = Column {
        data_type: ColumnType { declared: "jsonb".to_owned(), kind: TypeKind::Json },
        nullable: false,
        ..Column::default()
    };
    let null = RawJson::parse("null", 4).expect("valid");
    assert_eq!(coerce(&null, &column, How::default(), &strict), Ok(Value::Text("null".to_owned())));
}

#[test]
fn enumerations_and_sets_take_their_labels_only() {
    let rules = rules(false, true);
    let labels = vec!["PG".to_owned(), "PG-13".to_owned()];
    let label = TypeKind::Enum { labels: labels.clone() };
    assert_eq!(read("\"PG-13\"", label.clone(), &rules), text("PG-13"));
    assert!(read("\"pg\"", label.clone(), &rules).is_err());
    assert!(read("\"\"", label, &rules).is_err());
    let set = TypeKind::Set { labels };
    assert_eq!(read("[\"PG\",\"PG-13\"]", set.clone(), &rules), text("PG,PG-13"));
    assert!(read("\"R\"", set, &rules).is_err());
}

#[test]
fn arrays_become_literals_whatever_their_elements_hold() {
    let rules = rules(false, true);
    let plain = TypeKind::Text { max_chars: None, max_bytes: None, fixed: false };
    let array = TypeKind::Array { element: Box::new(ColumnType { declared: "text".to_owned(), kind: plain }) };
    let json = r#"["a,b", "say \"hi\"", "back\\slash", null, "NULL", ""]"#;
    assert_eq!(read(json, array.clone(), &rules), text(r#"{"a,b","say \"hi\"","back\\slash",NULL,"NULL",""}"#));
    assert_eq!(read("[[\"a\"],[\"b\"]]", array.clone(), &rules), text(r#"{{"a"},{"b"}}"#));
    assert_eq!(read("[]", array.clone(), &rules), text("{}"));
    assert!(read("5", array, &rules).is_err());
}

#[test]
fn numbers_of_javascript_libraries_are_read_from_their_digits() {
    let (node, django) = (rules(false, true), rules(true, true));
    for (json, value) in [
        (r#"{"s":1,"e":2,"d":[123,4560000]}"#, "123.4560"),
        (r#"{"d":[123,4000000],"e":-5,"s":-1}"#, "-0.00001234"),
        (r#"{"s":1,"e":7,"d":[1,5]}"#, "10000005"),
        (r#"{"s":1,"e":0,"c":[1,20000000000000]}"#, "1.2"),
        (r#"{"s":1,"e":0,"c":[0]}"#, "0"),
    ] {
        let read =
            read(json, TypeKind::Decimal { precision: None, scale: None, special: true, unsigned: false }, &node);
        let shown = match read {
            Ok(Value::Text(text)) => text,
            other => panic!("{json}: {other:?}"),
        };
        assert_eq!(
            shown.trim_end_matches('0').trim_end_matches('.'),
            value.trim_end_matches('0').trim_end_matches('.')
        );
    }
    assert_eq!(read(r#"{"s":-1,"e":1,"d":[42]}"#, BIGINT, &node), Ok(Value::Int(-42)));
    assert_eq!(read(r#"{"s":1,"e":-1,"d":[5000000]}"#, TypeKind::Float { bits: 64 }, &node), Ok(Value::Float(0.5)));
    assert_eq!(read(r#"{"s":1,"e":2,"d":[123,4560000]}"#, decimal(10, 3), &node), text("123.456"));
    for wrong in [
        r#"{"s":1,"e":2,"d":[123,45600000]}"#,
        r#"{"s":1,"e":2,"d":[]}"#,
        r#"{"s":1,"e":2,"d":null}"#,
        r#"{"s":2,"e":2,"d":[1]}"#,
        r#"{"s":1,"e":2}"#,
        r#"{"s":1,"e":2,"d":[1],"x":1}"#,
        r#"{"s":1,"e":9223372036854775807,"d":[1]}"#,
        "{}",
    ] {
        assert!(read(wrong, decimal(10, 3), &node).is_err(), "{wrong}");
    }
    assert!(read(r#"{"s":1,"e":2,"d":[123]}"#, decimal(10, 3), &django).is_err());
}

#[test]
fn what_drivers_and_prisma_make_of_dates_times_bytes_and_points() {
    let mut node = rules(false, true);
    let bytes = TypeKind::Bytes { max_bytes: None };
    assert_eq!(read(r#"{"0":1,"1":255}"#, bytes.clone(), &node), Ok(Value::Bytes(vec![1, 255])));
    assert!(read(r#"{"0":256}"#, bytes.clone(), &node).is_err());
    assert!(read(r#"{"1":1}"#, bytes.clone(), &node).is_err());
    assert!(read("{}", bytes, &node).is_err());
    let time = TypeKind::Time { zoned: false, precision: 6 };
    assert_eq!(read("\"1970-01-01T10:20:30.000Z\"", time.clone(), &node), text("10:20:30"));
    assert!(read("\"1970-01-02T10:20:30.000Z\"", time.clone(), &node).is_err());
    assert!(read("\"1970-01-01T10:20:30Z\"", time, &rules(true, true)).is_err());
    let day = "\"2024-06-30T22:00:00.000Z\"";
    assert!(read(day, TypeKind::Date, &node).is_err());
    node.timezone = Some(TimeZone::get("Europe/Berlin").expect("a zone of the bundled database"));
    assert_eq!(read(day, TypeKind::Date, &node), text("2024-07-01"));
    assert_eq!(read("\"2024-07-01T00:00:00.000Z\"", TypeKind::Date, &node), text("2024-07-01"));
    assert!(read("\"2024-06-30T23:00:00.000Z\"", TypeKind::Date, &node).is_err());
    let point = |json: &str| {
        let data_type = ColumnType { declared: "point".to_owned(), kind: TypeKind::Other };
        let column = Column { data_type, nullable: true, ..Column::default() };
        coerce(&RawJson::parse(json, 4).expect("valid"), &column, How::default(), &node).map_err(|unfit| unfit.why)
    };
    assert_eq!(point(r#"{"x":1.50,"y":-2}"#), text("(1.50,-2)"));
    assert!(point(r#"{"x":1.50}"#).is_err() && point(r#"{"x":"1","y":2}"#).is_err());
}

/// Reads a CSV cell, as a file of one column and one record.
fn read_cell(cell: &str, data_type: ColumnType, rules: &Rules) -> Result<Value, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.csv");
    std::fs::write(&path, format!("c\n{cell}\n")).expect("a file in it");
    let source = relink_export::Source::open(&path, &relink_export::OpenOptions::default()).expect("CSV");
    let index = source.index(&mut |_| {}).expect("sound CSV");
    let mut reader = source.records(&index.runs[0]);
    let record = reader.next().expect("a record").expect("as it was indexed");
    let column = Column { name: "c".to_owned(), data_type, nullable: true, ..Column::default() };
    let fields = record.fields().expect("sound names");
    coerce(&fields.fields[0].1, &column, How::default(), rules).map_err(|unfit| unfit.why)
}

#[test]
fn cells_of_csv_are_text_that_the_column_gives_its_type() {
    let (strict, lax) = (rules(false, true), rules(false, false));
    let declared = |declared: &str, kind: TypeKind| ColumnType { declared: declared.to_owned(), kind };
    let strictly = |cell: &str, kind: TypeKind| read_cell(cell, declared("test", kind), &strict);
    assert_eq!(strictly("", BIGINT), Ok(Value::Null));
    assert!(strictly("\"\"", BIGINT).is_err());
    assert_eq!(strictly("9007199254740993", BIGINT), Ok(Value::Int(9_007_199_254_740_993)));
    assert_eq!(strictly("12.30", decimal(10, 2)), text("12.30"));
    assert!(strictly("12.345", decimal(10, 2)).is_err());
    assert_eq!(strictly("0.1", TypeKind::Float { bits: 64 }), Ok(Value::Float(0.1)));
    for (cell, value) in [("t", true), ("f", false), ("TRUE", true), ("0", false), ("\"1\"", true)] {
        assert_eq!(strictly(cell, TypeKind::Boolean), Ok(Value::Bool(value)), "{cell}");
    }
    assert!(strictly("yes", TypeKind::Boolean).is_err());
    let tinyint = || declared("tinyint(1)", TypeKind::Boolean);
    assert_eq!(read_cell("2", tinyint(), &strict), Ok(Value::Int(2)));
    assert_eq!(read_cell("true", tinyint(), &strict), Ok(Value::Bool(true)));
    assert_eq!(strictly("2024-02-29", TypeKind::Date), text("2024-02-29"));
    assert_eq!(strictly("2024-01-02 03:04:05.5+01", INSTANT), text("2024-01-02 02:04:05.500000+00:00"));
    let plain = || TypeKind::Text { max_chars: None, max_bytes: None, fixed: false };
    assert_eq!(strictly("\"\"", plain()), text(""));
    assert_eq!(strictly("NULL", plain()), text("NULL"));
    assert_eq!(strictly("007", plain()), text("007"));
    assert_eq!(strictly("\\x0001ff", TypeKind::Bytes { max_bytes: None }), Ok(Value::Bytes(vec![0, 1, 255])));
    // The document itself, whatever the database keeps it as.
    for rules in [&strict, &lax] {
        let json = |cell: &str| read_cell(cell, declared("json", TypeKind::Json), rules);
        assert_eq!(json("\"{\"\"a\"\": 1}\""), text("{\"a\": 1}"));
        assert_eq!(json("5"), text("5"));
        assert!(json("five").is_err());
    }
    let array = || TypeKind::Array { element: Box::new(ColumnType { declared: "text".to_owned(), kind: plain() }) };
    assert_eq!(strictly("\"{a,b}\"", array()), text("{a,b}"));
    assert_eq!(strictly("\"[\"\"a\"\",null]\"", array()), text("{\"a\",NULL}"));
    // SQLite's dates are what was written.
    assert_eq!(read_cell("1700000000", declared("datetime", TIMESTAMP), &lax), Ok(Value::Int(1_700_000_000)));
    assert_eq!(read_cell("2024-01-02 03:04", declared("datetime", TIMESTAMP), &lax), text("2024-01-02 03:04"));
    assert_eq!(read_cell("7", declared("", TypeKind::Dynamic), &lax), text("7"));
}

#[test]
fn an_untyped_column_keeps_whatever_it_is_given() {
    let rules = rules(false, false);
    assert_eq!(read("\"x\"", TypeKind::Dynamic, &rules), text("x"));
    assert_eq!(read("7", TypeKind::Dynamic, &rules), Ok(Value::Int(7)));
    assert_eq!(read("7.5", TypeKind::Dynamic, &rules), Ok(Value::Float(7.5)));
    assert!(read("9223372036854775808", TypeKind::Dynamic, &rules).is_err());
}
