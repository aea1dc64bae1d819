//! Row files: a file for each table, as JSON, JSON Lines or CSV.

use super::{
    Folder,
    containers::{gzip, tar, zip},
    content, options,
};
use crate::{Format, FormatFamily, LabelId, OpenOptions};

const CSV: &[u8] = "id,name,note\r\n1,\"Zoë, \"\"Z\"\"\",\r\n\r\n2,\"\",\"a\r\nb\\\"\r\n".as_bytes();

#[test]
fn a_column_named_model_makes_no_django_record() {
    let files: &[(&str, &[u8])] = &[
        ("django_content_type.jsonl", b"{\"id\": 1, \"app_label\": \"shop\", \"model\": \"item\"}"),
        ("shop_item.jsonl", b"{\"id\": 1}"),
    ];
    let read = Folder::new(files).read(&[], 1 << 18).unwrap();
    assert_eq!(read.format, Format::RowFiles);
    assert_eq!(read.index.labels, ["django_content_type", "shop_item"]);
}

#[test]
fn each_file_is_a_table_named_after_it() {
    let files: &[(&str, &[u8])] = &[
        ("crates.jsonl", b"{\"id\": 1}\n\n{\"id\": 2}"),
        ("depots.json", b"[{\"id\": 1, \"n\": 1.50}, {\"id\": 2}]"),
        ("empty.ndjson", b""),
        ("schema.sql", b"CREATE TABLE x (id integer);"),
        ("shop.items.csv", CSV),
        ("sub/README.md", b"# Rows"),
    ];
    let folder = Folder::new(files);
    let read = folder.read(&[], 1 << 18).unwrap();
    assert_eq!(read.format, Format::RowFiles);
    assert_eq!(read.index.labels, ["crates", "depots", "empty", "shop.items"]);
    assert_eq!(
        read.records,
        [
            "crates id=1",
            "crates id=2",
            "depots id=1 n=1.50",
            "depots id=2",
            r#"shop.items id="1" name="Zoë, \"Z\"" note=null"#,
            r#"shop.items id="2" name="" note="a\u000d\nb\\""#,
        ]
    );
    assert_eq!(read.index.ignored.len(), 2, "{:?}", read.index.ignored);
    for chunk_bytes in [1, 7] {
        assert_eq!(folder.read(&[], chunk_bytes).unwrap(), read);
    }
    for packed in [zip(files), tar(files), gzip(&tar(files))] {
        let read_again = Folder::new(&[("x", &packed)]).read(&["x"], 3).unwrap();
        assert_eq!((&read_again.records, &read_again.index.labels), (&read.records, &read.index.labels));
    }
    let packed: Vec<(String, Vec<u8>)> =
        files[..3].iter().chain(&files[4..5]).map(|(name, bytes)| (format!("{name}.gz"), gzip(bytes))).collect();
    let packed: Vec<(&str, &[u8])> = packed.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    assert_eq!(Folder::new(&packed).read(&[], 3).unwrap().records, read.records);
}

#[test]
fn cells_have_places_of_their_own_and_pointers_name_the_column() {
    let folder = Folder::new(&[("a.csv", b"x,y\n1,2\n"), ("b.csv", CSV), ("c.json", b"[{\"x\":1},\n{\"x\":2}]")]);
    let source = folder.open(&[], &options(3)).unwrap();
    let index = source.index(&mut |_| {}).unwrap();
    let mut places = Vec::new();
    for run in &index.runs {
        let mut reader = source.records(run);
        while let Some(record) = reader.next() {
            let record = record.unwrap();
            assert_eq!(record.pointer(None), source.pointer(record.label, record.ordinal, None));
            for (name, value) in record.fields().unwrap().fields {
                assert_eq!(value.is_cell(), record.label != LabelId(2));
                let pointer = record.pointer(Some(&name));
                let place = source.place(record.ordinal, record.label, value.offset(), pointer).unwrap();
                places.push(format!("{}:{} {}", place.line, place.column, place.pointer));
                assert!(source.snippet(&place).unwrap().text.contains(['x', '1', '2', '"']));
            }
        }
    }
    assert_eq!(
        places,
        [
            "2:1 /x",
            "2:3 /y",
            "2:1 /id",
            "2:3 /name",
            "2:16 /note",
            "4:1 /id",
            "4:3 /name",
            "4:6 /note",
            "1:7 /0/x",
            "2:6 /1/x",
        ]
    );
}

#[test]
fn an_empty_cell_is_null_and_a_quoted_one_is_empty() {
    let folder = Folder::new(&[("a.csv", b"x,y\n,\"\"\n"), ("b.csv", b"x\n\n\"\"\n1\n\n"), ("c.csv", b"x\n\n")]);
    assert_eq!(
        folder.read(&[], 1).unwrap().records,
        ["a x=null y=\"\"", "b x=null", "b x=\"\"", "b x=\"1\"", "b x=null", "c x=null"]
    );
}

#[test]
fn csv_with_a_byte_order_mark_or_in_another_encoding_is_read() {
    let utf16: Vec<u8> =
        std::iter::once(0xFEFF).chain("x,é\n1,ü\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let folder =
        Folder::new(&[("a.csv", "\u{feff}x,é\n1,ü\n".as_bytes()), ("b.csv", &utf16), ("c.csv", b"x,\xe9\n1,\xfc\n")]);
    assert_eq!(folder.read(&["a.csv", "b.csv"], 1).unwrap().records, ["a x=\"1\" é=\"ü\"", "b x=\"1\" é=\"ü\""]);
    let options = OpenOptions { encoding: Some("windows-1252".to_owned()), ..OpenOptions::default() };
    let source = folder.open(&["c.csv"], &options).unwrap();
    assert_eq!(content(&source).unwrap().records, ["c x=\"1\" é=\"ü\""]);
    assert_eq!(folder.error(&["c.csv"]), "export::not-utf8 c.csv:1:3 : the byte 0xe9 at offset 2 is not UTF-8");
}

#[test]
fn broken_csv_is_refused_with_its_place() {
    for (text, error) in [
        ("x,y\n1\n1,2\n1,2,3\n", "2:1 : the record has 1 cell, and the header has 2"),
        ("x,y\n1,a\"b\n", "2:4 : a quote inside a cell that does not begin with one"),
        ("x,y\n1,\"a\"b\n", "2:6 : expected a comma or a line break after the closing quote, found 'b'"),
        ("x,y\n\n1,\"a\nb\n", "3:3 : a quote that is never closed"),
        ("x,y\r1,2\r", "1:4 : a carriage return without a line feed"),
        ("x,,y\n", "1:3 : column 2 has no name in the header"),
        ("x,y,x\n1,2,3\n", "1:5 : the column \"x\" stands twice in the header"),
    ] {
        let errors = Folder::new(&[("a.csv", text.as_bytes())]).errors(&["a.csv"]);
        assert_eq!(errors[0], format!("export::csv a.csv:{error}"));
        assert_eq!(errors.len(), if text.contains("1,2,3\n1") || text.starts_with("x,y\n1\n") { 2 } else { 1 });
    }
    assert_eq!(Folder::new(&[("a.csv", b"")]).error(&["a.csv"]), "export::empty a.csv:1:1 : the export is empty");
    let limit = OpenOptions { record_bytes_max: 8, ..OpenOptions::default() };
    let folder = Folder::new(&[("a.csv", b"x,y\n1,\"aaaaaaaaaaaaaaaaaaaa\"\n")]);
    let errors = content(&folder.open(&["a.csv"], &limit).unwrap()).unwrap_err();
    assert_eq!(errors[0].code(), "export::record-too-large");
}

#[test]
fn broken_rows_are_refused_with_their_places() {
    let folder = Folder::new(&[
        ("a.json", b"[{\"x\": 1}, 5]"),
        ("b.jsonl", b"{\"x\": 1}\n{\"x\": 1, \"x\": 2}\n[1]\n{\"x\""),
        ("c.json", b"[{\"x\": 1}"),
        ("x/a.csv", b"x\n1\n"),
    ]);
    assert_eq!(
        folder.errors(&[]),
        [
            "export::not-an-object a.json:1:12 /1: expected a row (an object), found a number",
            "export::duplicate-key b.jsonl:2:10 /x: the member \"x\" stands twice in one object, first on line 2",
            "export::top-level b.jsonl:3:1 : expected the '{' of a row, found '['",
            "export::truncated b.jsonl:4:5 : the export ends early",
            "export::truncated c.json:1:10 /0: the export ends early",
            "export::duplicate-table x/a.csv:1:1 : the table \"a\" stands twice, first in a.json:1:1",
        ]
    );
}

#[test]
fn rows_in_a_form_that_is_not_read_are_not_lost_in_silence() {
    for name in ["b.tsv", "b.xml.gz", "b.tar.gz"] {
        let folder = Folder::new(&[("a.csv", b"x\n1\n"), (name, b"x\n")]);
        assert_eq!(folder.error(&[]), format!("export::unread-data: {name} is data in a form that is not read"));
    }
    let folder = Folder::new(&[("a.csv", b"x\n1\n"), ("b.csv", &zip(&[("b.csv", b"x\n")]))]);
    assert_eq!(folder.error(&[]), "export::unsupported: b.csv is an archive among other files");
    // Beside a Django dump it is no table.
    let folder = Folder::new(&[("a.json", b"[{\"model\":\"a.b\",\"pk\":1,\"fields\":{}}]"), ("b.yaml", b"x: 1\n")]);
    assert_eq!(folder.read(&[], 1).unwrap().index.ignored.len(), 1);
}

#[test]
fn a_single_file_of_rows_needs_a_name_and_json_a_word() {
    let folder = Folder::new(&[
        ("a.csv", b"x\n1\n"),
        ("b.jsonl", b"{\"x\": 1}\n{\"x\": 2}\n"),
        ("c.json", b"[{\"x\": 1}]"),
        ("d.json", b"{\"x\": 1}\n{\"x\": 2}\n"),
    ]);
    assert_eq!(folder.read(&["a.csv"], 1).unwrap().records, ["a x=\"1\""]);
    assert_eq!(folder.read(&["b.jsonl"], 1).unwrap().records, ["b x=1", "b x=2"]);
    assert!(folder.error(&["c.json"]).starts_with("export::not-django"));
    let rows = OpenOptions { format: Some(FormatFamily::RowFiles), ..OpenOptions::default() };
    for (name, records) in [("c.json", &["c x=1"][..]), ("d.json", &["d x=1", "d x=2"])] {
        assert_eq!(content(&folder.open(&[name], &rows).unwrap()).unwrap().records, records);
    }
}
