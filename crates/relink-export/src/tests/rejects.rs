//! Records written back as an export of the same format read as the same records.

use std::{collections::BTreeSet, fs};

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use super::{Folder, content};
use crate::{Index, LabelId, OpenOptions, Source};

type Chosen = Vec<(LabelId, u64, u64)>;

/// Every record with its text, and its position.
fn records(source: &Source, index: &Index) -> Vec<(String, (LabelId, u64, u64))> {
    let mut records = Vec::new();
    for run in &index.runs {
        let mut reader = source.records(run);
        while let Some(record) = reader.next() {
            let record = record.unwrap();
            let text = format!("{} {}", index.label(record.label), record.text());
            records.push((text, (record.label, record.ordinal, record.offset)));
        }
    }
    records
}

/// Writes every record whose number `keep` takes, reads it back, and compares; the folder with what was written.
fn writes_back(files: &[(&str, &[u8])], names: &[&str], keep: impl Fn(usize) -> bool) -> Folder {
    let folder = Folder::new(files);
    let source = folder.open(names, &OpenOptions::default()).unwrap();
    let index = source.index(&mut |_| {}).unwrap();
    let mut all = records(&source, &index);
    // As a restore has them: label by label.
    all.sort_by_key(|(_, (label, ..))| *label);
    let kept: Vec<_> = all.into_iter().enumerate().filter(|(number, _)| keep(*number)).map(|(_, one)| one).collect();
    let chosen: Chosen = kept.iter().map(|(_, position)| *position).collect();
    let path = folder.path("rejects");
    let written = source.write_rejects(&mut chosen.into_iter(), &path).unwrap();
    if kept.is_empty() {
        assert!(written.is_empty() && !path.exists());
        return folder;
    }
    assert!(written.iter().all(|file| file.is_file() && file.starts_with(&path)), "{written:?}");
    let again = Source::open(&path, &OpenOptions::default()).unwrap();
    assert_eq!(again.format(), source.format());
    let index = again.index(&mut |_| {}).unwrap();
    let mut texts: Vec<_> = records(&again, &index).into_iter().map(|(text, _)| text).collect();
    let mut expected: Vec<_> = kept.into_iter().map(|(text, _)| text).collect();
    texts.sort();
    expected.sort();
    assert_eq!(texts, expected);
    folder
}

fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path(name)).unwrap()
}

#[test]
fn each_format_is_written_as_it_is_read() {
    let array = b"[{\"model\":\"a.b\", \"pk\":1,\"fields\":{}},\n{\"model\":\"a.c\",\"pk\":2,\"fields\":{}} ]";
    let folder = writes_back(&[("a.json", array)], &["a.json"], |number| number == 1);
    assert_eq!(read(&folder, "rejects"), "[\n{\"model\":\"a.c\",\"pk\":2,\"fields\":{}}\n]\n");

    let lines = b"{\"model\":\"a.b\", \"pk\":1,\"fields\":{}}\r\n{\"model\":\"a.c\",\"pk\":2,\"fields\":{}}";
    let folder = writes_back(&[("a.json", lines)], &["a.json"], |_| true);
    assert_eq!(
        read(&folder, "rejects"),
        "{\"model\":\"a.b\", \"pk\":1,\"fields\":{}}\n{\"model\":\"a.c\",\"pk\":2,\"fields\":{}}\n"
    );

    let map =
        "{\"v\": 1, \"data\": {\"a \\\"b\\u00e9\": [{\"x\": 1.50}, {\"x\": 2}], \"model\": [{\"y\": [1]}]}}".as_bytes();
    let folder = writes_back(&[("a.json", map)], &["a.json"], |number| number != 0);
    assert_eq!(read(&folder, "rejects"), "{\n\"a \\\"bé\": [\n{\"x\": 2}\n],\n\"model\": [\n{\"y\": [1]}\n]\n}\n");

    let rows: &[(&str, &[u8])] = &[
        ("in/a.csv", b"x,\"y\"\r\n1,\"a\r\nb\"\r\n,\"\"\r\n3,4"),
        ("in/b.json", b"[ {\"x\" : 1} , {\"x\":2}]"),
        ("in/c.ndjson", b"{\"x\":1}\n{\"x\":2}"),
        ("in/d.csv", b"x\n\n1\n"),
    ];
    let folder = writes_back(rows, &["in"], |_| true);
    assert_eq!(read(&folder, "rejects/a.csv"), "x,\"y\"\r\n1,\"a\r\nb\"\r\n,\"\"\r\n3,4\r\n");
    assert_eq!(read(&folder, "rejects/b.json"), "[\n{\"x\" : 1},\n{\"x\":2}\n]\n");
    assert_eq!(read(&folder, "rejects/c.ndjson"), "{\"x\":1}\n{\"x\":2}\n");
    assert_eq!(read(&folder, "rejects/d.csv"), "x\n\n1\n");
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_half_written() {
    for (name, bytes) in [("a.json", &b"{\"t\": [{\"x\": 1}]}"[..]), ("t.csv", b"x\n1\n")] {
        let folder = Folder::new(&[(name, bytes), ("rejects", b"mine")]);
        let source = folder.open(&[name], &OpenOptions::default()).unwrap();
        let index = source.index(&mut |_| {}).unwrap();
        let position = records(&source, &index)[0].1;
        let error = source.write_rejects(&mut std::iter::once(position), &folder.path("rejects")).unwrap_err();
        assert_eq!(error.code(), "export::exists");
        assert_eq!(read(&folder, "rejects"), "mine");
        let nowhere = folder.path("no/such/folder");
        let error = source.write_rejects(&mut std::iter::once(position), &nowhere).unwrap_err();
        assert_eq!(error.code(), "export::write");
        // The second record is not where it is said to be.
        let wrong = [position, (position.0, 9, position.2 + 2)];
        let error = source.write_rejects(&mut wrong.into_iter(), &folder.path("new")).unwrap_err();
        assert_eq!(error.code(), "export::changed");
        assert!(!folder.path("new").exists());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_chosen_reads_back(
        rows in vec(vec("[a\",\\\\\r\né {}\\[\\]]{0,6}", 3), 1..8),
        chosen in any::<u64>(),
        pretty: bool,
    ) {
        let keep = |number: usize| chosen >> (number % 64) & 1 == 1;
        let write = |value: &Value| if pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() };
        let objects: Vec<Map<String, Value>> = rows
            .iter()
            .map(|row| row.iter().zip(["x", "y \"", "é"]).map(|(text, name)| (name.to_owned(), json!(text))).collect())
            .collect();
        let django: Vec<Value> = objects
            .iter()
            .enumerate()
            .map(|(number, fields)| json!({"model": (if number % 2 == 0 { "a.b" } else { "a.c" }), "pk": number, "fields": fields}))
            .collect();
        let array = write(&json!(django));
        writes_back(&[("a.json", array.as_bytes())], &["a.json"], keep);
        let lines: Vec<String> = django.iter().map(write).collect();
        writes_back(&[("a.json", lines.join("\n").as_bytes())], &["a.json"], keep);
        let both: &[(&str, &[u8])] = &[("a.json", array.as_bytes()), ("b.jsonl", lines[0].as_bytes())];
        writes_back(both, &["a.json", "b.jsonl"], keep);
        let map = write(&json!({"data": {"t": objects, "u \"é": objects}, "v": 1}));
        writes_back(&[("a.json", map.as_bytes())], &["a.json"], keep);
        let mut csv = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::NonNumeric).from_writer(Vec::new());
        csv.write_record(["x", "y \"", "é"]).unwrap();
        for row in &rows {
            csv.write_record(row).unwrap();
        }
        let csv = csv.into_inner().unwrap();
        let row_array = write(&json!(objects));
        let row_lines = objects.iter().map(|row| json!(row).to_string()).collect::<Vec<_>>().join("\n");
        let files: &[(&str, &[u8])] = &[
            ("in/t.csv", &csv),
            ("in/u.json", row_array.as_bytes()),
            ("in/v.jsonl", row_lines.as_bytes()),
        ];
        writes_back(files, &["in"], keep);
        let numbers: BTreeSet<usize> = (0..rows.len()).collect();
        prop_assert_eq!(content(&Folder::new(files).open(&["in"], &OpenOptions::default()).unwrap()).unwrap().records.len(), numbers.len() * 3);
    }
}
