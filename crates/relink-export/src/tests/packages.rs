//! Exports of several files: named one by one, in a folder, in an archive.

use super::{
    Folder,
    containers::{gzip, tar, zip},
    content, options,
};
use crate::{ExportError, Format, FormatFamily, LabelId, OpenOptions, Source};

const DEPOTS: &[u8] =
    b"[{\"model\":\"a.depot\",\"pk\":1,\"fields\":{\"n\":1}},\n{\"model\":\"a.depot\",\"pk\":2,\"fields\":{}}]";
const CRATES: &[u8] =
    b"\n{\"model\":\"a.crate\",\"pk\":7,\"fields\":{}}\n{\"model\":\"a.depot\",\"pk\":3,\"fields\":{\"n\":3}}\n";

#[test]
fn fixtures_of_several_files_are_one_export() {
    let folder = Folder::new(&[("b.json", DEPOTS), ("a.jsonl.gz", &gzip(CRATES)), ("e.json", b" []")]);
    for chunk_bytes in [1 << 18, 1] {
        let read = folder.read(&["b.json", "e.json", "a.jsonl.gz"], chunk_bytes).unwrap();
        assert_eq!(read.records, ["a.depot 1 n=1", "a.depot 2", "a.crate 7", "a.depot 3 n=3"]);
        assert_eq!(read.format, Format::DjangoArray);
        assert_eq!(read.index.labels, ["a.depot", "a.crate"]);
        // The depots of the second file are a run of their own, also where they stand next to those of the first.
        assert_eq!(read.index.runs.iter().map(|run| run.first_ordinal).collect::<Vec<_>>(), [0, 2, 3]);
    }
    let source = folder.open(&["b.json", "b.json"], &OpenOptions::default()).unwrap();
    assert!(source.name().ends_with("b.json and 1 more"), "{}", source.name());
    let read = content(&source).unwrap();
    assert_eq!((read.index.runs.len(), read.index.runs[1].first_ordinal), (2, 2));
    assert!(!source.in_one_text(&read.index.runs) && source.in_one_text(&read.index.runs[1..]));

    // A folder, and archives of it: the same, in the order of the names.
    let named = folder.read(&["a.jsonl.gz", "b.json", "e.json"], 7).unwrap();
    assert_eq!(folder.read(&[], 7).unwrap(), named);
    let members: &[(&str, &[u8])] = &[("x/e.json", b" []"), ("x/b.json", DEPOTS), ("x/a.jsonl", CRATES)];
    for packed in [zip(members), tar(members), gzip(&tar(members))] {
        assert_eq!(Folder::new(&[("x", &packed)]).read(&["x"], 7).unwrap(), named);
    }
}

#[test]
fn places_are_those_of_the_right_file() {
    let folder = Folder::new(&[("b.json", DEPOTS), ("a.jsonl.gz", &gzip(CRATES))]);
    let source = folder.open(&["b.json", "a.jsonl.gz", "b.json"], &options(5)).unwrap();
    let index = source.index(&mut |_| {}).unwrap();
    let mut places = Vec::new();
    for run in &index.runs {
        let mut reader = source.records(run);
        while let Some(record) = reader.next() {
            let record = record.unwrap();
            let (label, ordinal) = (record.label, record.ordinal);
            let fields = record.fields().unwrap();
            let (offset, field) = fields
                .fields
                .first()
                .map_or((record.offset, None), |(name, value)| (value.offset(), Some(name.as_ref())));
            let place = source.place(ordinal, label, offset, source.pointer(label, ordinal, field)).unwrap();
            assert!(source.snippet(&place).unwrap().text.contains("\"model\""));
            let file = place.file.rsplit('/').next().unwrap().to_owned();
            places.push(format!("{file}:{}:{} {}", place.line, place.column, place.pointer));
        }
    }
    assert_eq!(
        places,
        [
            "b.json:1:42 /0/fields/n",
            "b.json:2:1 /1",
            "a.jsonl.gz:2:1 ",
            "a.jsonl.gz:3:41 /fields/n",
            "b.json:1:42 /0/fields/n",
            "b.json:2:1 /1",
        ]
    );
}

#[test]
fn every_file_is_read_and_every_error_names_its_own() {
    let folder = Folder::new(&[
        ("a.json", b"[{\"model\":\"a.b\",\"pk\":1,\"fields\":{}},\n nil]"),
        ("b.json", b"{\"model\":\"a.b\",\"pk\":1,\"fields\":{}}\n{\"model\":\"a.b\",\"fields\":5}"),
        ("c.json", b""),
        ("d.json", b"[{\"model\":\"a.b\",\"fields\":{}}"),
    ]);
    assert_eq!(
        folder.errors(&[]),
        [
            "export::syntax a.json:2:2 /1: a bare word that is not true, false or null",
            "export::wrong-member b.json:2:25 /fields: the record's \"fields\" must be an object, found a number",
            "export::empty c.json:1:1 : the export is empty",
            "export::truncated d.json:1:29 /0: the export ends early",
        ]
    );
}

#[test]
fn table_maps_of_several_files_hold_each_table_once() {
    let folder = Folder::new(&[
        ("a.json", b"{\"t\": [{\"x\": 1}], \"v\": 1}"),
        ("b.json", b"{\"data\":\n {\"u\": [{\"x\": 2}], \"w\": []}}"),
        ("c.json", b"{\"data\":\n {\"t\": [{\"x\": 3}]}}"),
    ]);
    let source = folder.open(&["a.json", "b.json"], &options(1)).unwrap();
    let read = content(&source).unwrap();
    assert_eq!(read.records, ["t x=1", "u x=2"]);
    assert_eq!(source.pointer(LabelId(1), 1, Some("x")), "/data/u/0/x");
    let error = folder.error(&[]);
    assert_eq!(
        error,
        format!("export::duplicate-table c.json:2:3 /data/t: the table \"t\" stands twice, first in {}", "a.json:1:2")
    );
    let errors = folder.read(&[], 1 << 18).unwrap_err();
    assert!(errors[0].other_place().unwrap().file.ends_with("a.json"));
}

#[test]
fn files_of_different_formats_are_no_export() {
    let folder = Folder::new(&[
        ("a.json", DEPOTS),
        ("b.json", b"{\"t\": [{\"x\": 1}]}"),
        ("c.csv", b"x\n1\n"),
        ("d.json", b"[{\"x\": 1}]"),
        ("empty.json", b"[]"),
    ]);
    for (names, error) in [
        (["a.json", "b.json"], "b.json holds a table map, and a.json holds a Django dump"),
        (["c.csv", "a.json"], "a.json holds a Django dump, and c.csv holds rows of one table"),
        (["d.json", "b.json"], "b.json holds a table map, and d.json holds rows of one table"),
    ] {
        assert_eq!(folder.error(&names), format!("export::mixed-formats: {error}"));
    }
    assert_eq!(folder.read(&["empty.json", "c.csv"], 1).unwrap().index.labels, ["empty", "c"]);
    assert_eq!(folder.read(&["empty.json", "a.json"], 1).unwrap().index.labels, ["a.depot"]);
    let options = OpenOptions { format: Some(FormatFamily::Django), ..OpenOptions::default() };
    let errors = content(&folder.open(&["a.json", "d.json"], &options).unwrap()).unwrap_err();
    assert!(matches!(errors.as_slice(), [ExportError::NotDjango { .. }]), "{errors:?}");
}

#[test]
fn a_folder_with_a_link_is_refused_and_hidden_files_are_not_seen() {
    let folder = Folder::new(&[("a.json", DEPOTS), (".b.json", b"junk"), (".git/c.json", b"junk")]);
    assert_eq!(folder.read(&[], 9).unwrap().records.len(), 2);
    std::os::unix::fs::symlink("/etc/passwd", folder.path("c.json")).unwrap();
    let error = folder.error(&[]);
    assert!(error.starts_with("export::refused-member: the member \"c.json\" of "), "{error}");
}

#[test]
fn more_files_than_may_be_open_are_read() {
    let names: Vec<String> = (0..300).map(|number| format!("t{number:03}.csv")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x\n1\n2\n"[..])).collect();
    let read = Folder::new(&files).read(&[], 1 << 18).unwrap();
    assert_eq!((read.index.labels.len(), read.index.records), (300, 600));
    assert_eq!(read.records[599], "t299 x=\"2\"");
}

#[test]
fn the_same_text_has_the_same_fingerprint() {
    let folder = Folder::new(&[
        ("a.json", DEPOTS),
        ("b.json.gz", &gzip(DEPOTS)),
        ("c.json", b"[]"),
        ("x.csv", b"x\n1\n"),
        ("y.csv", b"x\n1\n"),
    ]);
    let print = |names: &[&str]| folder.open(names, &OpenOptions::default()).unwrap().fingerprint().unwrap();
    assert_eq!(print(&["a.json"]), print(&["b.json.gz"]));
    assert_eq!(print(&["a.json"]).len(), 64);
    let others = [print(&["a.json"]), print(&["c.json"]), print(&["a.json", "c.json"]), print(&["c.json", "a.json"])];
    for (position, one) in others.iter().enumerate() {
        assert!(!others[position + 1..].contains(one), "{others:?}");
    }
    // The name of a row file is its table.
    assert_ne!(print(&["x.csv"]), print(&["y.csv"]));
}

#[test]
fn no_file_is_no_export() {
    let error = Source::open_files(&[""; 0], &OpenOptions::default(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), "export::no-file");
}
