//! Bad exports: what is said about each, and where.

use super::{error, errors, errors_with};
use crate::OpenOptions;

#[test]
fn nothing_and_wrong_top_levels() {
    assert_eq!(error(""), "export::empty 1:1 : the export is empty");
    assert_eq!(error(" \n\n "), "export::empty 3:2 : the export is empty");
    assert_eq!(error("42"), "export::top-level 1:1 : expected '[' or '{', found '4'");
    assert_eq!(error("\n \"text\""), "export::top-level 2:2 : expected '[' or '{', found '\"'");
    assert_eq!(error("id,name\n1,x"), "export::top-level 1:1 : expected '[' or '{', found 'i'");
    assert_eq!(error("// dump\n[]"), "export::syntax 1:1 : a comment; JSON has none");
    assert_eq!(
        error("{\"version\": 1}"),
        "export::no-tables 1:1 : an object without tables: no member is an array of objects"
    );
}

#[test]
fn syntax_in_django_arrays() {
    let record = r#"{"model":"a.b","fields":{}}"#;
    assert_eq!(error(&format!("[{record},]")), "export::syntax 1:29 /1: a comma before the closing bracket");
    assert_eq!(error(&format!("[{record}\n{record}]")), "export::syntax 2:1 : expected ',' or ']', found '{'");
    assert_eq!(
        error(&format!("[{record},\n {record} // x\n]")),
        "export::syntax 3:1 : a comment; JSON has none".replace("3:1", "2:30")
    );
    assert_eq!(error(&format!("[,{record}]")), "export::syntax 1:2 /0: expected a value, found ','");
    assert_eq!(
        error("[{\"model\":\"a.b\",\"fields\":{\"x\":1,}}]"),
        "export::syntax 1:32 /0: a comma before the closing bracket"
    );
    assert_eq!(
        error("[{\"model\":\"a.b\",\n\"fields\":{\"é\":'x'}}]"),
        "export::syntax 2:15 /0: single quotes; JSON strings stand in double quotes"
    );
    assert_eq!(
        error("[{\"model\":\"a.b\",\"fields\":{\"x\":True}}]"),
        "export::syntax 1:31 /0: a bare word that is not true, false or null"
    );
    assert_eq!(
        error("[{\"model\":\"a.b\",\"fields\":{\"x\":\"a\nb\"}}]"),
        "export::syntax 1:33 /0: a line break inside a string"
    );
    assert_eq!(
        error("[{\"model\":\"a.b\",\"fields\":{\"x\":1} \"y\":2}]"),
        "export::syntax 1:34 /0: expected ',' or '}', found '\"'"
    );
}

#[test]
fn text_after_the_document() {
    let after = |text: &str, place: &str, found: char| {
        let expected =
            format!("export::trailing-text {place} : text after the end of the document, beginning with {found:?}");
        assert_eq!(error(text), expected);
    };
    after("[]\n[]", "2:1", '[');
    after("[] x", "1:4", 'x');
    after("{\"t\":[]}}", "1:9", '}');
    after("{\"t\":[]}\n{\"u\":[]}", "2:1", '{');
}

#[test]
fn truncation_says_where_and_in_what() {
    assert_eq!(
        error("[{\"model\":\"a.b\",\"fields\":{}},\n{\"model\":\"a."),
        "export::truncated 2:13 /1: the export ends early"
    );
    assert_eq!(
        error("{\"data\":{\"users\":[{\"id\":1},{\"id\""),
        "export::truncated 1:33 /data/users/1: the export ends early"
    );
    assert_eq!(error("[{\"model\":\"a.b\",\"fields\":{}}"), "export::truncated 1:29 /0: the export ends early");
    assert_eq!(
        error("{\"model\":\"a.b\",\"fields\":{}}\n{\"model\":\"a.b\",\"fields\":{\"x\":tru"),
        "export::truncated 2:33 : the export ends early"
    );
    // In the middle of a character.
    let bytes = "[{\"model\":\"é".as_bytes();
    assert_eq!(
        errors_with(&bytes[..bytes.len() - 1], &OpenOptions::default()),
        ["export::truncated 1:12 /0: the export ends early"]
    );
}

#[test]
fn bytes_of_a_code_page_get_a_hint() {
    let text = b"[{\"model\":\"a.b\",\n\"fields\":{\"name\":\"M\xfcller\"}}]";
    assert_eq!(
        errors_with(text, &OpenOptions::default()),
        ["export::not-utf8 2:20 /0: the byte 0xfc at offset 36 is not UTF-8"]
    );
    let help = |text: &[u8]| {
        let source = super::open(text);
        source.index(&mut |_| {}).unwrap_err()[0].help().unwrap()
    };
    assert!(help(text).contains("--encoding windows-1252"));
    assert!(help(b"[\"caf\xe9\"]").contains("--encoding windows-1252"));
    // Not text in any code page.
    assert!(!help(b"[\"a\x81\x8d\x90\xff\xfe\"]").contains("windows-1252"));
    // A syntax error before the bad byte comes first.
    assert_eq!(
        errors_with(b"[nul, \"\xfc\"]", &OpenOptions::default()),
        ["export::syntax 1:2 /0: a bare word that is not true, false or null"]
    );
}

#[test]
fn bytes_outside_of_strings_are_no_utf8_either() {
    assert_eq!(
        errors_with(b"[\xa0]", &OpenOptions::default()),
        ["export::not-utf8 1:2 /0: the byte 0xa0 at offset 1 is not UTF-8"]
    );
}

#[test]
fn all_wrong_shapes_at_once() {
    let text = r#"[
{"model": "a.b", "fields": {}},
{"pk": 1, "fields": {}},
{"model": "a.b", "pk": 1},
{"model": 5, "fields": []},
{"model": "", "fields": {}, "extra": 1},
7,
{"id": 1},
[1]
]"#;
    assert_eq!(
        errors(text),
        [
            "export::missing-member 3:1 /1: the record has no \"model\"",
            "export::missing-member 4:1 /2: the record has no \"fields\"",
            "export::wrong-member 5:11 /3/model: the record's \"model\" must be a string, found a number",
            "export::wrong-member 5:24 /3/fields: the record's \"fields\" must be an object, found an array",
            "export::wrong-member 6:11 /4/model: the record's \"model\" must be a string, found an empty string",
            "export::unknown-member 6:29 /4/extra: a Django record has no member \"extra\"",
            "export::not-an-object 7:1 /5: expected a Django record (an object), found a number",
            "export::not-django 8:1 /6: an array of objects without \"model\" and \"fields\"",
            "export::not-an-object 9:1 /7: expected a Django record (an object), found an array",
        ]
    );
}

#[test]
fn an_array_of_plain_objects_is_told_once() {
    assert_eq!(
        error(r#"[{"id": 1}, {"id": 2}, {"id": 3}]"#),
        "export::not-django 1:2 /0: an array of objects without \"model\" and \"fields\""
    );
}

#[test]
fn names_that_stand_twice_with_both_places() {
    let text = "[{\"model\":\"a.b\",\n\"fields\":{\"x\":1,\n\"\\u0078\":2}}]";
    assert_eq!(
        error(text),
        "export::duplicate-key 3:1 /0/fields/x: the member \"x\" stands twice in one object, first on line 2"
    );
    let source = super::open(text.as_bytes());
    let errors = source.index(&mut |_| {}).unwrap_err();
    let first = errors[0].other_place().unwrap();
    assert_eq!((first.line, first.column, first.offset), (2, 11, 27));
    assert_eq!(
        error("[{\"model\":\"a.b\",\"model\":\"a.c\",\"fields\":{}}]"),
        "export::duplicate-key 1:17 /0/model: the member \"model\" stands twice in one object, first on line 1"
    );
    assert_eq!(
        error("{\"t\":[{\"a\":1},{\"b\":1,\"b\":2}]}"),
        "export::duplicate-key 1:22 /t/1/b: the member \"b\" stands twice in one object, first on line 1"
    );
    // Inside a value they are that column's business.
    assert_eq!(super::read(b"{\"t\":[{\"a\":{\"b\":1,\"b\":2}}]}").records.len(), 1);
}

#[test]
fn a_table_twice_under_whatever_roof() {
    assert_eq!(
        error("{\"users\":[{\"id\":1}],\n\"data\":{\"users\":[{\"id\":2}]}}"),
        "export::duplicate-table 2:9 /data/users: the table \"users\" stands twice, first on line 1"
    );
    assert_eq!(
        error("{\"a\":[],\"a\":[]}"),
        "export::duplicate-table 1:9 /a: the table \"a\" stands twice, first on line 1"
    );
}

#[test]
fn rows_that_are_no_objects() {
    assert_eq!(
        errors("{\"t\":[{\"a\":1}, 5, [1,2], {\"a\":2}]}"),
        [
            "export::not-an-object 1:16 /t/1: expected a row (an object), found a number",
            "export::not-an-object 1:19 /t/2: expected a row (an object), found an array",
        ]
    );
    assert_eq!(
        error("{\"t\":[null, {\"a\":1}]}"),
        "export::not-an-object 1:13 /t/1: expected no objects in an array that begins with another value, found an object"
    );
}

#[test]
fn syntax_in_table_maps() {
    for (text, expected) in [
        ("{\"t\":[],}", "1:8 : a comma before the closing bracket"),
        ("{\"a\":{\"t\":[] \"u\":[]}}", "1:14 /a: expected ',' or '}', found '\"'"),
        ("{\"a\" [] }", "1:6 : expected ':' after the member's name, found '['"),
        ("{a: []}", "1:2 : expected a member's name in double quotes, found 'a'"),
        ("{'a': []}", "1:2 : single quotes; JSON strings stand in double quotes"),
        ("{\"a\": 01}", "1:7 /a: not a number that JSON allows"),
        ("{\"a\": [1, 2,]}", "1:12 /a/2: a comma before the closing bracket"),
        ("{,\"a\": 1}", "1:2 : expected a member's name in double quotes, found ','"),
    ] {
        assert_eq!(error(text), format!("export::syntax {expected}"));
    }
}

#[test]
fn json_lines_go_on_after_a_broken_line() {
    let text = "{\"model\":\"a.b\",\"fields\":{\"x\":1,}}\n\
                {\"model\":\"a.b\",\"fields\":{\"x\":1}\n\
                {\"model\":\"a.b\",\"fields\":{}}\n\
                {\"model\":\"a.b\",\"fields\":{}} {}\n\
                {\"model\":\"a.b\",\"fields\":{}},\n\
                42\n\
                {\"model\":\"a.b\",\"fields\":{\"x\":\"open}}\n\
                {\"model\":\"a.b\"}\n";
    assert_eq!(
        errors(text),
        [
            "export::syntax 1:31 : a comma before the closing bracket",
            "export::syntax 3:1 : expected ',' or '}', found '{'",
            "export::trailing-text 4:29 : text after the end of the record on this line, beginning with '{'",
            "export::trailing-text 5:28 : text after the end of the record on this line, beginning with ','",
            "export::top-level 6:1 : expected the '{' of a record, found '4'",
            "export::syntax 7:37 : a line break inside a string",
            "export::missing-member 8:1 : the record has no \"fields\"",
        ]
    );
}

#[test]
fn too_many_errors_are_cut_off() {
    let text = format!("[{}]", vec!["{\"model\":\"a.b\"}"; 150].join(","));
    let errors = errors(&text);
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100], "export::too-many: stopped after 100 errors; export.json may hold more");
}

#[test]
fn nesting_and_size_have_limits() {
    let deep = format!("[{{\"model\":\"a.b\",\"fields\":{{\"x\":{}", "[".repeat(10_000));
    assert_eq!(error(&deep), "export::too-deep 1:541 /0: nested deeper than 512 levels");
    let deep = "{\"a\":".repeat(10_000);
    assert!(error(&deep).starts_with("export::too-deep 1:2561 /a/a/"));
    let nested = format!("[{{\"model\":\"a.b\",\"fields\":{{\"x\":{}{}}}}}]", "[".repeat(510), "]".repeat(510));
    assert_eq!(super::read(nested.as_bytes()).records.len(), 1);

    let options = OpenOptions { record_bytes_max: 1000, ..OpenOptions::default() };
    let text = format!(
        "[{{\"model\":\"a.b\",\"fields\":{{}}}},\n{{\"model\":\"a.b\",\"fields\":{{\"x\":\"{}\"}}}}]",
        "x".repeat(2000)
    );
    assert_eq!(
        errors_with(text.as_bytes(), &options),
        ["export::record-too-large 2:1 /1: a record of more than 1000 bytes"]
    );
    // A missing quote makes the rest of the file one string.
    let text = format!("{{\"t\":[{{\"a\":\"{}", "x".repeat(5000));
    assert_eq!(
        errors_with(text.as_bytes(), &options),
        ["export::record-too-large 1:7 /t/0: a record of more than 1000 bytes"]
    );
}

#[test]
fn half_a_character_is_an_error_where_text_is_needed() {
    assert_eq!(
        error(r#"[{"model":"a.b","fields":{"x\ud800":1}}]"#),
        "export::lone-surrogate 1:29 /0/fields: the name holds the escape \\ud800, half of a character whose other half is missing"
    );
    assert_eq!(
        error(r#"[{"model":"a.\udc00","fields":{}}]"#),
        "export::lone-surrogate 1:14 /0/model: the name holds the escape \\udc00, half of a character whose other half is missing"
    );
    assert!(error(r#"{"\ud800":[]}"#).starts_with("export::lone-surrogate 1:3 "));
    // In a value it is for the column to say.
    let source = super::open(br#"{"t":[{"a":"x\ud800"}]}"#);
    let index = source.index(&mut |_| {}).unwrap();
    let mut reader = source.records(&index.runs[0]);
    let record = reader.next().unwrap().unwrap();
    let value = record.fields().unwrap().get("a").unwrap();
    assert_eq!(value.as_str().unwrap_err().offset, 13);
}
