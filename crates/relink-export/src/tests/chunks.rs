//! However the text is cut into chunks, the records are the same; however it is cut off, that is an error.

use std::fmt::Write as _;

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use super::{File, content, options, read};
use crate::{OpenOptions, Source};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        "[\"\\\\/{}\\[\\],:\u{0}-\u{1f}é😀]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec(("[a-c\"\\\\é]{0,3}", inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn row() -> impl Strategy<Value = Map<String, Value>> {
    vec(("[a-d\"\\\\~/é]{1,4}", value()), 0..5).prop_map(|members| members.into_iter().collect())
}

fn expected(label: &str, pk: Option<&Value>, fields: &Map<String, Value>) -> String {
    let mut line = label.to_owned();
    if let Some(pk) = pk.filter(|pk| !pk.is_null()) {
        write!(line, " {pk}").unwrap();
    }
    for (name, value) in fields {
        write!(line, " {name}={value}").unwrap();
    }
    line
}

/// The text's content is `records`, in whatever chunks it is read.
fn agrees(text: &str, chunk_bytes: usize, records: &[String]) {
    let file = File::new("a.json", text.as_bytes());
    let source = Source::open(&file.path(), &options(chunk_bytes)).unwrap();
    assert_eq!(content(&source).unwrap().records, records, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn django_dumps_read_back(
        dump in vec(("[a-c]\\.[a-b\"é]{1,3}", proptest::option::of(value()), row()), 0..12),
        chunk_bytes in 1_usize..64,
        pretty: bool,
    ) {
        let objects: Vec<Value> = dump
            .iter()
            .map(|(model, pk, fields)| match pk {
                Some(pk) => json!({"model": model, "pk": pk, "fields": fields}),
                None => json!({"fields": fields, "model": model}),
            })
            .collect();
        let records: Vec<String> =
            dump.iter().map(|(model, pk, fields)| expected(model, pk.as_ref(), fields)).collect();
        let write = |value: &Value| if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() };
        agrees(&write(&Value::from(objects.clone())), chunk_bytes, &records);
        if !objects.is_empty() {
            let lines: Vec<String> = objects.iter().map(write).collect();
            agrees(&lines.join("\r\n"), chunk_bytes, &records);
        }
    }

    #[test]
    fn table_maps_read_back(
        tables in proptest::collection::btree_map("[A-Za-z ~/é\"]{1,6}", vec(row(), 0..6), 0..5),
        meta in "[a-z]{0,8}",
        chunk_bytes in 1_usize..64,
    ) {
        let records: Vec<String> = tables
            .iter()
            .flat_map(|(table, rows)| rows.iter().map(|row| expected(table, None, row)))
            .collect();
        let map: Map<String, Value> =
            tables.iter().map(|(table, rows)| (table.clone(), json!(rows))).collect();
        agrees(&json!({"version": meta, "data": {"tables": map}}).to_string(), chunk_bytes, &records);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..80), chunk_bytes in 1_usize..16) {
        for name in ["a.json", "a.csv"] {
            let file = File::new(name, &bytes);
            if let Ok(source) = Source::open(&file.path(), &options(chunk_bytes)) {
                let _ = content(&source);
            }
        }
    }

    #[test]
    fn no_damage_makes_it_panic(
        at in 0_usize..200,
        byte: u8,
        lines: bool,
        chunk_bytes in 1_usize..16,
    ) {
        let mut bytes = if lines { LINES } else { ARRAY }.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let file = File::new("a.json", &bytes);
        if let Ok(source) = Source::open(&file.path(), &options(chunk_bytes)) {
            let _ = content(&source);
        }
    }
}

const ARRAY: &str = r#"[{"model": "a.b", "pk": [1, -2.5e3], "fields": {"x": "é\u00e9\\", "y": {"z": [null, true]}}},
{"model": "a.c", "fields": {}}]"#;
const LINES: &str = "{\"model\":\"a.b\",\"pk\":1,\"fields\":{\"x\":\"é\"}}\n{\"model\":\"a.c\",\"fields\":{}}";
const MAP: &str = r#"{"v": 1, "data": {"t": [{"a": 1, "b": "é"}, {"a": NaN}], "u": []}, "n": [1, 2], "w": -0.5}"#;

#[test]
fn cut_off_anywhere_is_an_error() {
    for whole in [ARRAY, LINES, MAP] {
        read(whole.as_bytes());
        let first_line = LINES.find('\n').unwrap();
        for end in 0..whole.len() {
            let cut = &whole.as_bytes()[..end];
            let file = File::new("a.json", cut);
            let source = Source::open(&file.path(), &OpenOptions::default()).unwrap();
            let result = content(&source);
            // Lines may end after any line.
            if whole == LINES && (end == first_line || end == first_line + 1) {
                assert_eq!(result.unwrap().records.len(), 1);
                continue;
            }
            let errors = result.expect_err("the text is cut off");
            assert_eq!(errors.len(), 1, "{errors:?}");
            let expected = if end == 0 { "export::empty" } else { "export::truncated" };
            assert_eq!(errors[0].code(), expected, "{:?}", String::from_utf8_lossy(cut));
            let place = errors[0].place().unwrap();
            let last_whole = std::str::from_utf8(cut).map_or_else(|error| error.valid_up_to(), str::len);
            assert_eq!(place.offset, last_whole as u64);
        }
    }
}
