use relink_model::{Column, ColumnType, TypeKind, Value};

use super::{
    Verdict::{self, Different, Same, Unsure},
    *,
};

fn column(declared: &str, kind: TypeKind) -> Column {
    Column { data_type: ColumnType { declared: declared.to_owned(), kind }, ..Column::default() }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[track_caller]
fn check(declared: &str, kind: &TypeKind, cases: &[(Value, Value, Verdict)]) {
    let column = column(declared, kind.clone());
    for (written, read, verdict) in cases {
        assert_eq!(same(&column, written, read), *verdict, "{declared}: {written:?} written, {read:?} read");
    }
}

#[track_caller]
fn check_texts(declared: &str, kind: &TypeKind, cases: &[(&str, &str, Verdict)]) {
    let cases: Vec<_> = cases.iter().map(|(written, read, verdict)| (text(written), text(read), *verdict)).collect();
    check(declared, kind, &cases);
}

const BIGINT: TypeKind = TypeKind::Integer { bits: 64, unsigned: false };
const PLAIN: TypeKind = TypeKind::Text { max_chars: None, max_bytes: None, fixed: false };
const DECIMAL: TypeKind = TypeKind::Decimal { precision: None, scale: None, special: true, unsigned: false };
const BYTES: TypeKind = TypeKind::Bytes { max_bytes: None };

fn array(element: TypeKind) -> TypeKind {
    TypeKind::Array { element: Box::new(ColumnType { declared: "element".to_owned(), kind: element }) }
}

#[test]
fn null_equals_null_only() {
    for kind in [TypeKind::Boolean, BIGINT, PLAIN, DECIMAL, TypeKind::Json, TypeKind::Other, TypeKind::Dynamic] {
        check(
            "any",
            &kind,
            &[
                (Value::Null, Value::Null, Same),
                (Value::Null, Value::Int(0), Different),
                (Value::Null, text(""), Different),
                (Value::Bool(false), Value::Null, Different),
                (text("null"), Value::Null, Different),
            ],
        );
    }
}

#[test]
fn booleans_are_0_and_1_and_other_small_numbers_are_neither() {
    check(
        "tinyint(1)",
        &TypeKind::Boolean,
        &[
            (Value::Bool(true), Value::Int(1), Same),
            (Value::Int(0), Value::Bool(false), Same),
            (Value::Int(2), Value::Int(2), Same),
            (Value::Int(2), Value::Bool(true), Different),
            (Value::Bool(true), Value::Bool(false), Different),
            (Value::Bool(true), text("yes"), Different),
        ],
    );
}

#[test]
fn whole_numbers_are_compared_past_64_bits_and_past_two_to_the_53() {
    check(
        "bigint",
        &BIGINT,
        &[
            (Value::Int(9_007_199_254_740_993), Value::Int(9_007_199_254_740_993), Same),
            (Value::Int(9_007_199_254_740_993), Value::Float(9_007_199_254_740_992.0), Different),
            (text("18446744073709551615"), text("18446744073709551615"), Same),
            (text("18446744073709551615"), text("18446744073709551614"), Different),
            (Value::Int(5), text("5"), Same),
            (Value::Int(5), text("five"), Different),
        ],
    );
}

#[test]
fn decimals_are_compared_by_value_and_a_lost_digit_is_a_difference() {
    check(
        "numeric",
        &DECIMAL,
        &[
            (text("12.30"), text("12.3"), Same),
            (text("12.30"), Value::Float(12.3), Same),
            (text("-0.00"), text("0"), Same),
            (text("100"), text("1E+2"), Same),
            (text("12.00"), Value::Int(12), Same),
            (text("0.1234567890123456789"), Value::Float(0.123_456_789_012_345_68), Different),
            (text("12.345"), text("12.35"), Different),
            (text("12.3"), text("-12.3"), Different),
            (text("NaN"), text("NaN"), Same),
            (text("NaN"), text("0"), Different),
            (text("1e999999999999999999"), text("2e999999999999999999"), Different),
        ],
    );
}

#[test]
fn floats_are_compared_to_the_bit_but_for_the_sign_of_zero_where_none_is_kept() {
    let double = TypeKind::Float { bits: 64 };
    check(
        "double precision",
        &double,
        &[
            (Value::Float(0.1 + 0.2), Value::Float(0.1 + 0.2), Same),
            (Value::Float(0.1 + 0.2), Value::Float(0.3), Different),
            (Value::Float(-0.0), Value::Float(-0.0), Same),
            (Value::Float(-0.0), Value::Float(0.0), Same),
            (Value::Float(0.0), Value::Float(-0.0), Different),
            (Value::Float(f64::NAN), Value::Float(-f64::NAN), Same),
            (Value::Float(f64::INFINITY), Value::Float(f64::MAX), Different),
            (Value::Float(2.0), Value::Int(2), Same),
            (Value::Float(9_007_199_254_740_992.0), Value::Int(9_007_199_254_740_993), Different),
            (Value::Float(2.0), text("2.0"), Different),
        ],
    );
    let single = TypeKind::Float { bits: 32 };
    check(
        "real",
        &single,
        &[
            (Value::Float(0.1), Value::Float(f64::from(0.1_f32)), Same),
            (Value::Float(0.1), Value::Float(f64::from(0.100_000_01_f32)), Different),
        ],
    );
    check("double precision", &double, &[(Value::Float(0.1), Value::Float(f64::from(0.1_f32)), Different)]);
}

#[test]
fn text_is_compared_to_the_letter_and_padding_is_no_content_of_fixed_lengths() {
    check_texts(
        "text",
        &PLAIN,
        &[
            ("a", "a", Same),
            ("a", "A", Different),
            ("a", "a ", Different),
            ("\u{e9}", "e\u{301}", Different),
            ("12.30", "12.3", Different),
        ],
    );
    check(
        "uuid",
        &PLAIN,
        &[
            (text("7"), Value::Int(7), Same),
            (text("007"), Value::Int(7), Different),
            (Value::Int(7), text("7"), Same),
            (text("1.5"), Value::Float(1.5), Same),
            (text("1.50"), Value::Float(1.5), Different),
            (text("a"), Value::Bytes(b"a".to_vec()), Different),
        ],
    );
    let fixed = TypeKind::Text { max_chars: Some(4), max_bytes: None, fixed: true };
    check_texts("character(4)", &fixed, &[("ab", "ab  ", Same), ("ab  ", "ab", Same), (" ab", "ab", Different)]);
}

#[test]
fn timestamps_are_compared_as_moments_in_every_form() {
    let timestamp = |zoned| TypeKind::Timestamp { zoned, precision: 6 };
    check_texts(
        "timestamp with time zone",
        &timestamp(true),
        &[
            ("2024-01-02 03:04:05+00:00", "2024-01-02T03:04:05Z", Same),
            ("2024-01-02 03:04:05+00:00", "2024-01-02 05:34:05+02:30", Same),
            ("2024-01-02 03:04:05+00:00", "2024-01-02 03:04:05+02:30", Different),
            ("2024-01-02 03:04:05.100000+00:00", "2024-01-02 03:04:05.1+00", Same),
            ("2024-01-02 03:04:05.000001+00:00", "2024-01-02 03:04:05+00:00", Different),
            ("infinity", "infinity", Same),
            ("infinity", "-infinity", Different),
            ("2024-01-02 03:04:05+00:00", "0044-03-15 00:00:00+00 BC", Different),
        ],
    );
    check_texts(
        "datetime",
        &timestamp(false),
        &[
            ("2024-01-02T03:04:05.123", "2024-01-02 03:04:05.123000", Same),
            ("2024-01-02 03:04:05", "2024-01-02 03:04:05.000", Same),
            ("2024-01-02 03:04", "2024-01-02 03:04:00", Same),
            ("2024-01-02", "2024-01-02 00:00:00", Same),
            ("2024-01-02T03:04:05Z", "2024-01-02 03:04:05", Same),
            ("2024-01-02 03:04:05+02:00", "2024-01-02 01:04:05", Different),
            ("2024-01-02 03:04:05", "2024-01-02 04:04:05", Different),
            ("2023-12-31 24:00:00", "2024-01-01 00:00:00", Same),
            ("2024-01-02 03:04:05", "0000-00-00 00:00:00", Different),
        ],
    );
    check("datetime", &timestamp(false), &[(Value::Int(1_704_164_645), text("2024-01-02 03:04:05"), Different)]);
}

#[test]
fn dates_and_times_of_day_lose_nothing() {
    check_texts(
        "date",
        &TypeKind::Date,
        &[("2024-02-29", "2024-02-29 00:00:00", Same), ("2024-02-29", "2024-02-28", Different)],
    );
    check_texts(
        "time",
        &TypeKind::Time { zoned: false, precision: 6 },
        &[
            ("10:20:30.500000", "10:20:30.5", Same),
            ("10:20", "10:20:00", Same),
            ("24:00:00", "00:00:00", Different),
            ("-26:03:04", "26:03:04", Different),
            ("10:20:30", "10:20:31", Different),
        ],
    );
    check_texts(
        "time with time zone",
        &TypeKind::Time { zoned: true, precision: 6 },
        &[("10:20:30.500000+02:00", "10:20:30.5+02", Same), ("10:20:30+02:00", "08:20:30+00", Different)],
    );
}

#[test]
fn intervals_are_compared_by_months_days_and_time() {
    check_texts(
        "interval",
        &TypeKind::Interval,
        &[
            ("P1DT02H00M00S", "P1DT2H", Same),
            ("1 year 2 mons 3 days 04:05:06.7", "P1Y2M3DT4H5M6.7S", Same),
            ("P2W", "P14D", Same),
            ("1 02:00:03.000004", "P1DT2H3.000004S", Same),
            ("-1 23:59:55", "P-1DT23H59M55S", Same),
            ("P-1DT-2H", "P-1DT-2H", Same),
            ("2 hours ago", "PT-2H", Same),
            ("90 minutes", "PT1H30M", Same),
            ("1500 milliseconds", "PT1.5S", Same),
            ("5days", "P5D", Same),
            ("0 seconds", "PT0S", Same),
            ("1 day", "PT24H", Different),
            ("P1M", "P30D", Different),
            ("PT0.0000015S", "PT0.000002S", Different),
            ("1.5 days", "P1DT12H", Unsure),
            ("1-2 3 4:05:06", "P1Y2M3DT4H5M6S", Unsure),
        ],
    );
}

#[test]
fn uuids_have_one_value_in_all_their_forms() {
    let (hyphens, digits) = ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B8109DAD11D180B400C04FD430C8");
    check_texts(
        "uuid",
        &TypeKind::Uuid,
        &[
            (hyphens, digits, Same),
            ("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", hyphens, Same),
            (hyphens, "6ba7b810-9dad-11d1-80b4-00c04fd430c9", Different),
        ],
    );
    // In text a UUID is text.
    check_texts("char(36)", &PLAIN, &[(hyphens, digits, Different)]);
}

#[test]
fn json_is_compared_by_content_and_numbers_are_exact() {
    check_texts(
        "jsonb",
        &TypeKind::Json,
        &[
            (r#"{"b":1.10,"a":[1,2]}"#, r#"{"a": [1, 2], "b": 1.1}"#, Same),
            (r#"{"a":1,"a":2}"#, r#"{"a": 2}"#, Same),
            (r#"{"a":1,"a":2}"#, r#"{"a": 1}"#, Different),
            (r#"{"a":12345678901234567890123}"#, r#"{"a": 1.2345678901234568e22}"#, Different),
            ("9007199254740993", "9007199254740992", Different),
            ("1e2", "100", Same),
            (r#""\u00e9\n""#, "\"\u{e9}\\n\"", Same),
            (r#""5""#, "5", Different),
            ("[1,2]", "[2,1]", Different),
            ("[1]", "[1,1]", Different),
            ("null", "null", Same),
            (r#"{"a":null}"#, "{}", Different),
            ("{\"a\":1}", "broken", Different),
        ],
    );
    check("json", &TypeKind::Json, &[(text("5"), Value::Int(5), Same), (text("1.50"), Value::Float(1.5), Same)]);
    check("jsonb", &TypeKind::Json, &[(text("[]"), Value::Bytes(vec![0x0b]), Unsure)]);
}

#[test]
fn sets_have_no_order_and_labels_have_their_case() {
    let labels = vec!["a".to_owned(), "b".to_owned()];
    check_texts(
        "set('a','b')",
        &TypeKind::Set { labels: labels.clone() },
        &[("b,a", "a,b", Same), ("a,a", "a", Same), ("a,b", "a", Different), ("", "", Same)],
    );
    check_texts("enum('a','b')", &TypeKind::Enum { labels }, &[("a", "a", Same), ("a", "A", Different)]);
}

#[test]
fn arrays_are_compared_element_by_element() {
    check_texts(
        "text[]",
        &array(PLAIN),
        &[
            (r#"{"a,b","say \"hi\"",NULL,"NULL",""}"#, r#"{"a,b","say \"hi\"",NULL,"NULL",""}"#, Same),
            (r#"{"a","b c","back\\slash"}"#, r#"{a,"b c","back\\slash"}"#, Same),
            (r#"{"NULL"}"#, "{NULL}", Different),
            (r#"{"a"}"#, "{A}", Different),
            (r#"{{"a"},{"b"}}"#, "{{a},{b}}", Same),
            (r#"{{"a"},{"b"}}"#, "{{a,b}}", Different),
            ("{}", "{}", Same),
            (r#"{""}"#, "{}", Different),
            ("[0:1]={a,b}", "{a,b}", Different),
            ("[1:2]={a,b}", "{a,b}", Same),
            ("[0:1]={a,b}", r#"[0:1]={"a","b"}"#, Same),
        ],
    );
    check_texts("boolean[]", &array(TypeKind::Boolean), &[(r#"{"true","false"}"#, "{t,f}", Same)]);
    check_texts("numeric[]", &array(DECIMAL), &[(r#"{"1.50"}"#, "{1.5}", Same), ("{1}", "{2}", Different)]);
    check_texts("double precision[]", &array(TypeKind::Float { bits: 64 }), &[(r#"{"1e300"}"#, "{1e+300}", Same)]);
    check_texts("bytea[]", &array(BYTES), &[(r#"{"\\xFF"}"#, r#"{"\\xff"}"#, Same)]);
    check_texts(
        "timestamp with time zone[]",
        &array(TypeKind::Timestamp { zoned: true, precision: 6 }),
        &[(r#"{"2024-01-02 03:04:05.100000+00:00"}"#, r#"{"2024-01-02 03:04:05.1+00"}"#, Same)],
    );
    check_texts(
        "inet[]",
        &array(TypeKind::Other),
        &[(r#"{"FE80::1"}"#, "{fe80::1}", Unsure), ("{a,b}", "{a}", Different)],
    );
}

#[test]
fn bytes_are_compared_to_the_bit_but_for_the_zeros_of_fixed_lengths() {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    check(
        "varbinary(4)",
        &BYTES,
        &[
            (bytes(&[0, 255]), bytes(&[0, 255]), Same),
            (bytes(&[1]), bytes(&[1, 0]), Different),
            (bytes(b"a"), text("a"), Different),
        ],
    );
    check("binary(4)", &BYTES, &[(bytes(&[1]), bytes(&[1, 0, 0, 0]), Same), (bytes(&[1]), bytes(&[1, 2]), Different)]);
    check("bit(12)", &BYTES, &[(bytes(&[5]), bytes(&[0, 5]), Same), (bytes(&[5]), bytes(&[5, 0]), Different)]);
}

#[test]
fn what_only_the_server_reads_is_the_servers_to_judge() {
    check_texts("inet", &TypeKind::Other, &[("10.0.0.1", "10.0.0.1", Same), ("10.0.0.1/32", "10.0.0.1", Unsure)]);
}

#[test]
fn a_column_without_type_may_turn_texts_of_digits_into_numbers() {
    check(
        "STRINGY",
        &TypeKind::Dynamic,
        &[
            (text("7"), Value::Int(7), Same),
            (Value::Float(2.0), Value::Int(2), Same),
            (Value::Int(1), text("x"), Different),
            (Value::Bytes(vec![1]), Value::Bytes(vec![2]), Different),
        ],
    );
}
