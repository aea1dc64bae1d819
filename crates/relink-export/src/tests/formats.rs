//! Good exports in every format, and as people have them.

use relink_model::Place;

use super::{File, content, open, read};
use crate::{Format, FormatFamily, JsonKind, LabelId, OpenOptions, Run, Source};

#[test]
fn reads_a_django_array_with_runs_of_labels() {
    let text = r#"[
{"model": "shop.item", "pk": 1, "fields": {"name": "a\u00e9\n", "price": 1.50}},
{"pk": "x", "model": "shop.item", "fields": {}},
{"fields": {"group": ["natural", "key"]}, "model": "shop.tag"},
{"model": "shop.item", "pk": null, "fields": {"blob": { "k" : [ 1 , NaN ] }}, "_note": 7}
]
"#;
    let content = read(text.as_bytes());
    assert_eq!(content.format, Format::DjangoArray);
    assert_eq!(content.index.labels, ["shop.item", "shop.tag"]);
    assert_eq!(
        content.records,
        [
            r#"shop.item 1 name="a\u00e9\n" price=1.50"#,
            r#"shop.item "x""#,
            r#"shop.tag group=["natural","key"]"#,
            r#"shop.item blob={"k":[1,NaN]}"#,
        ]
    );
    let runs: Vec<_> = content.index.runs.iter().map(|run| (run.label.0, run.first_ordinal, run.records)).collect();
    assert_eq!(runs, [(0, 0, 2), (1, 2, 1), (0, 3, 1)]);
    let first = &content.index.runs[0];
    let records = &text[first.start as usize..first.end as usize];
    assert!(records.starts_with(r#"{"model""#) && records.ends_with(r#""fields": {}}"#), "{records}");
}

#[test]
fn reads_json_lines_with_empty_lines_carriage_returns_and_no_last_line_break() {
    let text = "\n\r\n  {\"model\":\"a.b\",\"pk\":1,\"fields\":{\"x\":1}}  \r\n\n{\"pk\":[1,2],\"fields\":{},\"model\":\"a.c\"}";
    let content = read(text.as_bytes());
    assert_eq!(content.format, Format::DjangoLines);
    assert_eq!(content.records, ["a.b 1 x=1", "a.c [1,2]"]);
}

#[test]
fn one_object_with_model_and_fields_is_json_lines_of_one_record_on_however_many_lines() {
    for text in [r#"{"model":"a.b","fields":{}}"#, "{\n \"fields\": {},\n \"model\": \"a.b\"\n}\n"] {
        let content = read(text.as_bytes());
        assert_eq!(content.format, Format::DjangoLines);
        assert_eq!(content.records, ["a.b"]);
    }
}

#[test]
fn reads_a_table_map_nested_anywhere_with_metadata_beside_it() {
    let text = r#"{
  "version": "1.0", "exportedAt": null, "counts": {"users": 2, "tags": ["a", "b"]},
  "data": {
    "users": [{"id": 1, "name": "a"}, {"id": 2, "picture": {"type": "Buffer", "data": [1, 2]}}],
    "empty": [],
    "deep/er": {"Order Details": [{"model": 5, "fields": 6}]}
  }
}"#;
    let content = read(text.as_bytes());
    assert_eq!(content.format, Format::TableMap);
    assert_eq!(content.index.labels, ["users", "empty", "Order Details"]);
    assert_eq!(
        content.records,
        [
            r#"users id=1 name="a""#,
            r#"users id=2 picture={"type":"Buffer","data":[1,2]}"#,
            "Order Details model=5 fields=6",
        ]
    );
    let metadata: Vec<_> = content.index.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(metadata, [("/version", "\"1.0\""), ("/exportedAt", "null"), ("/counts/users", "2")]);
    assert_eq!(content.index.ignored, ["/counts/tags"]);
}

#[test]
fn exports_without_records_are_fine() {
    for text in ["[]", " [ ] \n", "{}", "{\"users\":[]}", "{\"data\": {}, \"version\": 1}", "\u{feff}[]"] {
        assert_eq!(read(text.as_bytes()).records.len(), 0, "{text}");
    }
}

#[test]
fn tells_json_lines_from_table_maps_by_the_first_object() {
    let map = |text: &str| assert_eq!(open(text.as_bytes()).format(), Format::TableMap, "{text}");
    let lines = |text: &str| assert_eq!(open(text.as_bytes()).format(), Format::DjangoLines, "{text}");
    map(r#"{"model": [{"id": 1}], "fields": [{"id": 1}]}"#);
    map(r#"{"model": "v2", "tables": {"a": []}}"#);
    map(r#"{"fields": {"a": [{"id": 1}]}}"#);
    map(r#"{"pk": 1, "version": 2, "users": []}"#);
    lines(r#"{"_comment": {"by": "me"}, "pk": [1, 2], "model": "a.b", "fields": {}}"#);
    lines(r#"{"pk": 1, "\u006dodel": "a.b", "fields": {}}"#);
    // Cut off, but what it was going to be is clear.
    lines(r#"{"model": "a.b", "pk": 1, "fields": {"x": tr"#);
}

#[test]
fn the_format_can_be_asked_for() {
    let file = File::new("a.json", br#"{"model": "a.b", "fields": {"a": [{"id": 1}]}}"#);
    let with = |format| Source::open(&file.path(), &OpenOptions { format, ..OpenOptions::default() }).unwrap();
    assert_eq!(with(None).format(), Format::DjangoLines);
    assert_eq!(with(Some(FormatFamily::Django)).format(), Format::DjangoLines);
    let source = with(Some(FormatFamily::TableMap));
    assert_eq!(source.format(), Format::TableMap);
    assert_eq!(content(&source).unwrap().records, ["a id=1"]);
}

#[test]
fn a_byte_order_mark_counts_in_offsets() {
    let text = "\u{feff}[{\"model\":\"a.b\",\"fields\":{}}]";
    let content = read(text.as_bytes());
    assert_eq!(content.index.runs[0].start, 4);
    assert_eq!(content.records, ["a.b"]);
}

#[test]
fn every_value_keeps_its_text_and_its_place() {
    let text = "{\"data\":{\"t~1\":[\n {\"é\": 1},\n {\"a/b\": \"ü\", \"é\": 12345678901234567890.10}]}}";
    let source = open(text.as_bytes());
    let index = source.index(&mut |_| {}).unwrap();
    let mut reader = source.records(&index.runs[0]);
    reader.next().unwrap().unwrap();
    let record = reader.next().unwrap().unwrap();
    let fields = record.fields().unwrap();
    let value = fields.get("é").unwrap();
    assert_eq!((value.kind(), value.text()), (JsonKind::Number, "12345678901234567890.10"));
    assert_eq!(record.pointer(None), "/data/t~01/1");
    assert_eq!(record.pointer(Some("a/b")), "/data/t~01/1/a~1b");
    let place = source.place(record.ordinal, record.label, value.offset(), record.pointer(Some("é"))).unwrap();
    let expected = Place {
        file: source.name().clone(),
        offset: text.find("1234").unwrap() as u64,
        line: 3,
        column: 20,
        pointer: "/data/t~01/1/é".to_owned(),
    };
    assert_eq!(place, expected);
    assert!(place.to_string().ends_with("export.json:3:20"));
    let own = source.place(record.ordinal, record.label, record.offset, String::new()).unwrap();
    assert_eq!((own.line, own.column, own.pointer.as_str()), (3, 2, "/data/t~01/1"));
}

#[test]
fn pointers_of_django_records_lead_into_their_fields() {
    let array = open(br#"[{"model":"a.b","fields":{}},{"model":"a.b","fields":{"x":1}}]"#);
    assert_eq!(array.pointer(LabelId(0), 1, Some("x")), "/1/fields/x");
    let lines = open(br#"{"model":"a.b","fields":{"x":1}}"#);
    assert_eq!(lines.pointer(LabelId(0), 0, Some("x")), "/fields/x");
    assert_eq!(lines.pointer(LabelId(0), 0, None), "");
}

#[test]
fn places_far_into_a_long_text_are_counted_from_marks() {
    let mut text = String::from("[");
    for number in 0..40_000 {
        text.push_str(if number % 3 == 0 { "\r\n" } else { " é" });
        text.push_str(r#"{"model":"a.b","fields":{"x":""#);
        text.push_str("ü\"}},");
    }
    text.pop();
    text.push(']');
    let source = open(text.as_bytes());
    let index = source.index(&mut |_| {}).unwrap_err();
    // The stray letters between records are the first thing that is wrong.
    assert_eq!(index[0].place().map(|place| (place.line, place.column)), Some((2, 37)));

    let text = text.replace(" é", "  ");
    let source = open(text.as_bytes());
    let index = source.index(&mut |_| {}).unwrap();
    let mut reader = source.records(&index.runs[0]);
    let mut checked = 0;
    while let Some(record) = reader.next() {
        let record = record.unwrap();
        if record.ordinal % 997 == 0 {
            let place = source.place(record.ordinal, record.label, record.offset, String::new()).unwrap();
            let before = &text[..record.offset as usize];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            assert_eq!(place.line, 1 + before.matches('\n').count() as u64);
            assert_eq!(place.column, 1 + before[line_start..].chars().count() as u64);
            checked += 1;
        }
    }
    assert_eq!(checked, 41);
}

#[test]
fn snippets_show_the_line_and_its_neighbours_or_a_cut_of_a_long_line() {
    let text = "[\n{\"model\": \"a.b\",\n \"fields\": {\"naïve\": \"value\"}}\n]";
    let source = open(text.as_bytes());
    let offset = text.find("\"value\"").unwrap() as u64;
    let place = source.place(0, LabelId(0), offset, "/0/fields/x".to_owned()).unwrap();
    let snippet = source.snippet(&place).unwrap();
    assert_eq!(snippet.text, "{\"model\": \"a.b\",\n \"fields\": {\"naïve\": \"value\"}}\n]");
    assert_eq!((&snippet.text[snippet.span.clone()], snippet.line), ("\"value\"", 2));
    assert!(!snippet.cut_before && !snippet.cut_after);

    let long = format!("[{}]", vec!["{\"model\": \"ä.ö\", \"fields\": {\"n\": -1.5e3}}"; 50].join(","));
    let source = open(long.as_bytes());
    let offset = long.rmatch_indices("-1.5e3").nth(25).unwrap().0 as u64;
    let place = source.place(0, LabelId(0), offset, String::new()).unwrap();
    let snippet = source.snippet(&place).unwrap();
    assert_eq!((&snippet.text[snippet.span.clone()], snippet.line), ("-1.5e3", 1));
    assert!(snippet.cut_before && snippet.cut_after && snippet.text.len() <= 320);
    assert!(!snippet.text.contains(char::REPLACEMENT_CHARACTER));
}

#[test]
fn readers_reuse_the_fields_of_the_record_before() {
    let source = open(br#"{"t":[{"a":1,"b":2,"c":3},{"a":4}]}"#);
    let index = source.index(&mut |_| {}).unwrap();
    let mut reader = source.records(&index.runs[0]);
    let mut spare = crate::Fields::default();
    let mut seen = Vec::new();
    let mut capacities = Vec::new();
    while let Some(record) = reader.next() {
        let record = record.unwrap();
        let mut fields = spare.recycle();
        record.read_fields(&mut fields).unwrap();
        seen.push(fields.fields.len());
        capacities.push(fields.fields.capacity());
        spare = fields.recycle();
    }
    assert_eq!(seen, [3, 1]);
    assert_eq!(capacities[0], capacities[1]);
}

#[test]
fn progress_ends_at_the_length_of_the_text() {
    let text = format!("[{}]", vec![r#"{"model":"a.b","fields":{}}"#; 30_000].join(","));
    let source = open(text.as_bytes());
    let mut heard = Vec::new();
    let index = source.index(&mut |bytes| heard.push(bytes)).unwrap();
    assert_eq!(index.records, 30_000);
    assert!(heard.len() > 2 && heard.is_sorted(), "{heard:?}");
    assert_eq!(heard.last(), Some(&source.text_bytes()));
}

#[test]
fn a_file_that_shrinks_after_indexing_is_noticed() {
    let text = format!("[{}]", [r#"{"model":"a.b","fields":{}}"#; 10].join(","));
    let file = File::new("a.json", text.as_bytes());
    let source = Source::open(&file.path(), &OpenOptions::default()).unwrap();
    let index = source.index(&mut |_| {}).unwrap();
    std::fs::write(file.path(), "[").unwrap();
    let run: Run = index.runs[0].clone();
    assert_eq!(source.records(&run).next().unwrap().unwrap_err().code(), "export::changed");
    let last = source.record_at(run.label, 9, run.end - 27);
    assert_eq!(last.unwrap_err().code(), "export::changed");
}

#[test]
fn labels_are_told_apart_by_their_text_not_by_their_escapes() {
    let text = r#"[{"model":"a\\\\b","fields":{}},{"model":"a\\b","fields":{}},{"model":"\u0061\\b","fields":{}}]"#;
    let content = read(text.as_bytes());
    assert_eq!(content.index.labels, [r"a\\b", r"a\b"]);
    assert_eq!(content.records, [r"a\\b", r"a\b", r"a\b"]);
}
