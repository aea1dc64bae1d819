//! Every export of a directory of real ones, where `RELINK_CORPORA` names such a directory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use relink_export::{Format, OpenOptions, Source};
use serde_json::Value;

fn files(under: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.to_string_lossy().ends_with(".json") || path.to_string_lossy().ends_with(".jsonl") {
            into.push(path);
        }
    }
}

/// Compares every record with what serde_json reads.
#[test]
fn real_exports_read_as_serde_json_reads_them() {
    let Some(corpora) = std::env::var_os("RELINK_CORPORA") else {
        eprintln!("SKIP: RELINK_CORPORA names no directory of exports");
        return;
    };
    let mut paths = Vec::new();
    files(Path::new(&corpora), &mut paths);
    paths.sort();
    let mut read = 0;
    for path in paths {
        let source = Source::open(&path, &OpenOptions::default()).unwrap();
        let index = match source.index(&mut |_| {}) {
            Ok(index) => index,
            Err(errors) => {
                eprintln!("{}: {}", path.display(), errors[0]);
                continue;
            }
        };
        let text = fs::read_to_string(&path).unwrap();
        let expected: Vec<Value> = match source.format() {
            Format::DjangoArray => serde_json::from_str(&text).unwrap(),
            Format::DjangoLines => text
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            Format::RowFiles => panic!("{} is no Django dump and no table map", path.display()),
            Format::TableMap => {
                let document: Value = serde_json::from_str(&text).unwrap();
                let mut rows = Vec::new();
                collect_rows(&document, &mut rows);
                rows
            }
        };
        let mut ordinal = 0;
        for run in &index.runs {
            let mut reader = source.records(run);
            while let Some(record) = reader.next() {
                let record = record.unwrap();
                let whole: Value = serde_json::from_str(record.text()).unwrap();
                assert_eq!(whole, expected[ordinal], "{} record {ordinal}", path.display());
                let fields = record.fields().unwrap();
                let object = if source.format() == Format::TableMap { &whole } else { &whole["fields"] };
                let mut members: Vec<_> = object.as_object().unwrap().iter().collect();
                assert_eq!(members.len(), fields.fields.len());
                for (name, value) in &fields.fields {
                    let at = members.iter().position(|(member, _)| *member == name).unwrap();
                    let (_, expected) = members.swap_remove(at);
                    assert_eq!(&serde_json::from_str::<Value>(value.text()).unwrap(), expected);
                    assert_eq!(&serde_json::from_str::<Value>(&value.compact()).unwrap(), expected);
                    assert_eq!(value.as_str().ok().as_deref(), expected.as_str());
                }
                ordinal += 1;
            }
        }
        assert_eq!(ordinal, expected.len(), "{}", path.display());
        read += 1;
        eprintln!("{}: {:?}, {ordinal} records, {} labels", path.display(), source.format(), index.labels.len());
    }
    assert!(read > 0);
}

/// Compares every cell of every CSV file with what the csv crate reads.
#[test]
fn real_csv_reads_as_another_reader_reads_it() {
    let Some(corpora) = std::env::var_os("RELINK_CORPORA") else {
        eprintln!("SKIP: RELINK_CORPORA names no directory of exports");
        return;
    };
    let folder = Path::new(&corpora).join("baseball");
    let source = Source::open(&folder, &OpenOptions::default()).unwrap();
    assert_eq!(source.format(), Format::RowFiles);
    let index = source.index(&mut |_| {}).unwrap();
    for run in &index.runs {
        let mut other = csv::Reader::from_path(folder.join(format!("{}.csv", index.label(run.label)))).unwrap();
        let names = other.headers().unwrap().clone();
        let mut others = other.records();
        let mut reader = source.records(run);
        while let Some(record) = reader.next() {
            let record = record.unwrap();
            let expected = others.next().unwrap().unwrap();
            let place = source.place(record.ordinal, record.label, record.offset, String::new()).unwrap();
            assert_eq!((place.line, place.column), (expected.position().unwrap().line(), 1));
            for (((name, value), column), cell) in record.fields().unwrap().fields.iter().zip(&names).zip(&expected) {
                assert_eq!(name, column);
                assert_eq!(if value.is_null() { "".into() } else { value.as_str().unwrap() }, cell);
            }
        }
        assert!(others.next().is_none());
    }
    eprintln!("{} tables, {} records; beside them {:?}", index.labels.len(), index.records, index.ignored);
    assert_eq!(index.labels.len(), 10);
}

fn collect_rows(value: &Value, into: &mut Vec<Value>) {
    for member in value.as_object().unwrap().values() {
        match member {
            Value::Object(_) => collect_rows(member, into),
            Value::Array(rows) if rows.first().is_some_and(Value::is_object) => into.extend(rows.iter().cloned()),
            _ => {}
        }
    }
}
