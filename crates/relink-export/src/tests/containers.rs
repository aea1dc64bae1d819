//! Compressed files, archives and text encodings: the content is the plain file's.

use std::io::Write;

use encoding_rs::WINDOWS_1252;
use flate2::{Compression, write::GzEncoder};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{Content, File, content, errors_with, read};
use crate::{ExportError, OpenOptions, Source};

const TEXT: &str =
    "[{\"model\":\"a.b\",\"pk\":1,\"fields\":{\"name\":\"Zoë 😀\"}},\n{\"model\":\"a.c\",\"fields\":{}}]\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        if name.ends_with('/') {
            writer.add_directory(*name, SimpleFileOptions::default()).unwrap();
        } else {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let unit = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect()
}

fn read_with(bytes: &[u8], encoding: Option<&str>) -> Result<Content, ExportError> {
    let file = File::new("export.bin", bytes);
    let options = OpenOptions { encoding: encoding.map(str::to_owned), ..OpenOptions::default() };
    Source::open(&file.path(), &options).map(|source| content(&source).unwrap())
}

fn refused(bytes: &[u8]) -> String {
    let mut errors = errors_with(bytes, &OpenOptions::default());
    assert_eq!(errors.len(), 1);
    errors.remove(0)
}

#[test]
fn every_packing_holds_the_same_records() {
    let plain = read(TEXT.as_bytes());
    let (head, tail) = TEXT.as_bytes().split_at(30);
    let packings = [
        gzip(TEXT.as_bytes()),
        [gzip(head), gzip(tail)].concat(),
        zstd(TEXT.as_bytes()),
        [zstd(head), zstd(tail)].concat(),
        zip(&[("dump.json", TEXT.as_bytes())]),
        zip(&[("folder/", b""), ("folder/data", TEXT.as_bytes())]),
        zip(&[("README.txt", b"hello"), ("dump.JSON", TEXT.as_bytes()), ("__MACOSX/dump.json", b"junk")]),
    ];
    for packed in &packings {
        assert_eq!(read(packed), plain);
    }
    let file = File::new("dump.zip", &packings[5]);
    let source = Source::open(&file.path(), &OpenOptions::default()).unwrap();
    assert!(source.name().ends_with("/dump.zip!folder/data"), "{}", source.name());
}

#[test]
fn every_encoding_holds_the_same_records() {
    let plain = read(TEXT.as_bytes());
    assert_eq!(read(&utf16(TEXT, true)), plain);
    assert_eq!(read(&utf16(TEXT, false)), plain);
    assert_eq!(read(&gzip(&utf16(TEXT, true))), plain);
    for label in ["utf-16", "UTF-16LE"] {
        assert_eq!(read_with(&utf16(TEXT, true), Some(label)).unwrap(), plain);
    }
    assert_eq!(read_with(&utf16(TEXT, false), Some("utf-16")).unwrap(), plain);
    assert_eq!(read_with(&utf16(TEXT, false)[2..], Some("utf-16be")).unwrap(), plain);
    assert_eq!(read_with(TEXT.as_bytes(), Some("utf-8")).unwrap(), plain);

    // A mark at the start of UTF-8 counts in offsets, so only the records are equal.
    let marked = format!("\u{feff}{TEXT}");
    assert_eq!(read(&gzip(marked.as_bytes())).records, plain.records);
    assert_eq!(read_with(marked.as_bytes(), Some("utf-8")).unwrap().records, plain.records);

    let text = TEXT.replace(" 😀", "\u{20ac}");
    let (bytes, _, _) = WINDOWS_1252.encode(&text);
    assert_eq!(read_with(&bytes, Some("windows-1252")).unwrap(), read(text.as_bytes()));
    assert_eq!(read_with(&zstd(&bytes), Some("cp1252")).unwrap(), read(text.as_bytes()));
}

#[test]
fn long_texts_are_converted_across_every_boundary() {
    let text = format!("[{}]", vec![r#"{"model":"a.b","fields":{"x":"é😀"}}"#; 20_000].join(","));
    let plain = read(text.as_bytes());
    assert_eq!(read_with(&utf16(&text, true), None).unwrap(), plain);
    assert_eq!(read_with(&gzip(&utf16(&text, false)), None).unwrap(), plain);
}

#[test]
fn places_count_in_the_decoded_text() {
    let text = utf16("[{\"model\":\"é\",\n\"fields\":nil}]", true);
    assert_eq!(refused(&text), "export::syntax 2:10 /0: a bare word that is not true, false or null");
}

#[test]
fn encodings_that_do_not_fit_are_refused() {
    let with = |bytes: &[u8], label: Option<&str>| {
        let options = OpenOptions { encoding: label.map(str::to_owned), ..OpenOptions::default() };
        let errors = errors_with(bytes, &options);
        errors.into_iter().next().unwrap()
    };
    assert_eq!(with(b"[]", Some("cp-1252")), "export::unknown-encoding: \"cp-1252\" names no text encoding");
    assert_eq!(
        with(&utf16("[]", true), Some("windows-1252")),
        "export::encoding-contradicted: export.json is marked as UTF-16LE by its first bytes, but windows-1252 was asked for"
    );
    assert_eq!(
        with(&utf16("[]", true)[2..], None),
        "export::encoding-unread: export.json looks like UTF-16 text without a byte order mark"
    );
    assert_eq!(with(b"\xff\xfe\0\0[\0\0\0", None), "export::encoding-unread: export.json looks like UTF-32 text");
    // Half a pair of surrogates; half a unit at the end.
    let label = Some("utf-16le");
    assert_eq!(
        with(b"[\0\n\0\"\0\x3d\xd8\"\0]\0", label),
        "export::malformed-text 2:2 : the bytes at 6 of the input are not UTF-16LE"
    );
    assert_eq!(with(b"[\0]\0\n", label), "export::malformed-text 1:3 : the bytes at 4 of the input are not UTF-16LE");
    assert_eq!(
        with(b"[\"\x81\xff\"]", Some("shift_jis")),
        "export::malformed-text 1:3 : the bytes at 2 of the input are not Shift_JIS"
    );
}

#[test]
fn archives_hold_exactly_one_export() {
    let text = TEXT.as_bytes();
    assert_eq!(
        refused(&zip(&[("a.json", text), ("b.jsonl", text), ("c.txt", b"")])),
        "export::archive-members: export.json holds 2 files where one is expected"
    );
    assert_eq!(
        refused(&zip(&[("a.csv", b"1"), ("b.csv", b"2"), ("c.csv", b"3")])),
        "export::archive-members: export.json holds 3 files where one is expected"
    );
    assert_eq!(refused(&zip(&[])), "export::archive-members: export.json holds no file where one is expected");
    let file = File::new("a.zip", &zip(&[("a.json", text), ("b.json", text)]));
    let error = Source::open(&file.path(), &OpenOptions::default()).unwrap_err();
    assert_eq!(error.help().unwrap(), "unpack it and restore one of: a.json, b.json");
}

#[test]
fn archives_of_dishonest_make_are_refused() {
    let text = TEXT.as_bytes();
    for name in ["../a.json", "/etc/a.json", "a/../../b.json", "C:\\a.json", "\\\\host\\a.json", "a\\..\\b.json"] {
        let message = refused(&zip(&[(name, text)]));
        assert!(message.starts_with("export::refused-member: the member "), "{message}");
        assert!(message.ends_with(" of export.json is named by a path that leads out of the archive"), "{message}");
    }
    // Any member, not only the one that would be read.
    assert!(refused(&zip(&[("a.json", text), ("../x.txt", b"")])).starts_with("export::refused-member"));

    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.add_symlink("a.json", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let link = writer.finish().unwrap().into_inner();
    assert_eq!(refused(&link), "export::refused-member: the member \"a.json\" of export.json is a link");

    // The general purpose flag's first bit says that a member is encrypted, in both of its headers.
    let mut encrypted = zip(&[("a.json", text)]);
    encrypted[6] |= 1;
    let directory = encrypted.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    encrypted[directory + 8] |= 1;
    assert_eq!(refused(&encrypted), "export::refused-member: the member \"a.json\" of export.json is encrypted");
}

#[test]
fn packed_data_that_ends_early_or_is_damaged_is_refused() {
    for (name, packed) in [("gzip", gzip(TEXT.as_bytes())), ("zstd", zstd(TEXT.as_bytes()))] {
        for end in [packed.len() - 1, packed.len() / 2, 12] {
            let message = refused(&packed[..end]);
            assert!(
                message.starts_with(&format!("export::truncated: the {name} data of export.json ends early, after ")),
                "{message}"
            );
        }
        let mut damaged = packed.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x55;
        damaged[middle + 1] ^= 0x55;
        assert!(errors_with(&damaged, &OpenOptions::default())[0].starts_with("export::"), "{name}");
        let mut trailing = packed.clone();
        trailing.extend_from_slice(b"more text than a header has");
        let message = refused(&trailing);
        assert!(
            message.starts_with(&format!("export::damaged: the {name} data of export.json is damaged")),
            "{message}"
        );
    }
    let packed = zip(&[("a.json", TEXT.as_bytes())]);
    for end in [packed.len() - 1, packed.len() / 2, 12] {
        let message = refused(&packed[..end]);
        assert!(message.starts_with("export::truncated: the zip data of export.json ends early"), "{message}");
    }
    // A wrong checksum.
    let mut packed = gzip(TEXT.as_bytes());
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    assert!(refused(&packed).starts_with("export::damaged: the gzip data of export.json is damaged"));
}

#[test]
fn what_expands_beyond_proportion_is_refused() {
    let spaces = vec![b' '; 80 * 1024 * 1024];
    let packed = zstd(&spaces);
    assert!(packed.len() * 1000 < spaces.len());
    let file = File::new("bomb.zst", &packed);
    let error = Source::open(&file.path(), &OpenOptions::default()).unwrap_err();
    assert_eq!(error.code(), "export::expansion");
    let options = OpenOptions { expansion_ratio_max: u64::MAX, ..OpenOptions::default() };
    assert_eq!(Source::open(&file.path(), &options).unwrap().text_bytes(), spaces.len() as u64);
}

#[test]
fn what_is_known_and_not_read_is_named() {
    for (head, found) in [
        (&b"\xfd7zXZ\0\0\x04"[..], "an xz file"),
        (b"BZh91AY&SY", "a bzip2 file"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7-Zip archive"),
        (b"SQLite format 3\0", "an SQLite database, not an export of one"),
        (b"PGDMP\x01\x0e\0", "a PostgreSQL dump in pg_dump's own format"),
    ] {
        assert_eq!(refused(head), format!("export::unsupported: export.json is {found}"));
        assert_eq!(refused(&gzip(head)), format!("export::unsupported: export.json is {found}"));
    }
    assert_eq!(refused(&gzip(&zstd(TEXT.as_bytes()))), "export::unsupported: export.json is compressed twice");
}

#[test]
fn files_that_cannot_be_opened() {
    let file = File::new("a.json", b"[]");
    let directory = Source::open(file.directory.path(), &OpenOptions::default()).unwrap_err();
    assert_eq!(directory.code(), "export::directory");
    let missing = Source::open(&file.directory.path().join("b.json"), &OpenOptions::default()).unwrap_err();
    assert_eq!(missing.code(), "export::io");
    assert!(missing.to_string().ends_with("/b.json"), "{missing}");
}
