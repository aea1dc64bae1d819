//! Compressed files, archives and text encodings: the content is the plain file's.

use std::io::Write;

use bzip2::write::BzEncoder;
use encoding_rs::WINDOWS_1252;
use flate2::{Compression, write::GzEncoder};
use lzma_rust2::{XzOptions, XzWriter};
use proptest::prelude::*;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{Content, File, content, errors_with, read};
use crate::{ExportError, OpenOptions, Source};

const TEXT: &str =
    "[{\"model\":\"a.b\",\"pk\":1,\"fields\":{\"name\":\"Zoë 😀\"}},\n{\"model\":\"a.c\",\"fields\":{}}]\n";

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        // The library refuses some names that a dishonest tool would write.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(super) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
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
        xz(TEXT.as_bytes()),
        [xz(head), xz(tail)].concat(),
        [xz(head), vec![0; 4], xz(tail)].concat(),
        bzip2(TEXT.as_bytes()),
        [bzip2(head), bzip2(tail)].concat(),
        tar(&[("dump.json", TEXT.as_bytes())]),
        gzip(&tar(&[("dump/", b""), ("dump/dump.json", TEXT.as_bytes())])),
        xz(&tar(&[("dump.json", TEXT.as_bytes()), ("._dump.json", b"junk")])),
        zip(&[("dump.json", TEXT.as_bytes())]),
        zip(&[("dump.JSON", TEXT.as_bytes()), ("__MACOSX/dump.json", b"junk")]),
        zip(&[("folder/", b""), ("folder/data", TEXT.as_bytes())]),
    ];
    for packed in &packings {
        assert_eq!(read(packed), plain);
    }
    let beside = read(&zip(&[("README.txt", b"hello"), ("dump.JSON", TEXT.as_bytes())]));
    assert_eq!(beside.records, plain.records);
    assert!(beside.index.ignored.len() == 1 && beside.index.ignored[0].ends_with("!README.txt"), "{beside:?}");
    let file = File::new("dump.zip", packings.last().unwrap());
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
fn archives_without_an_export_are_refused() {
    for pack in [zip, tar] {
        assert_eq!(
            refused(&pack(&[("a.txt", b"1"), ("b.sql", b"2"), ("c.md", b"3")])),
            "export::archive-members: export.json holds no export among 3 files"
        );
    }
    assert_eq!(refused(&zip(&[])), "export::archive-members: export.json holds no file");
    assert_eq!(
        refused(&tar(&[("a.txt", b"1")])),
        "export::archive-members: export.json holds no export, only another file"
    );
    let file = File::new("a.zip", &zip(&[("a.txt", b""), ("b.sql", b"")]));
    let error = Source::open(&file.path(), &OpenOptions::default()).unwrap_err();
    assert_eq!(error.help().unwrap(), "it holds a.txt, b.sql; records stand in .json, .jsonl, .ndjson or .csv");
}

#[test]
fn archives_of_dishonest_make_are_refused() {
    let text = TEXT.as_bytes();
    for name in ["../a.json", "/etc/a.json", "a/../../b.json", "C:\\a.json", "\\\\host\\a.json", "a\\..\\b.json"] {
        for packed in [zip(&[(name, text)]), tar(&[(name, text)]), bzip2(&tar(&[("b.json", text), (name, text)]))] {
            let message = refused(&packed);
            assert!(message.starts_with("export::refused-member: the member "), "{message}");
            assert!(message.ends_with(" of export.json is named by a path that leads out of the archive"), "{message}");
        }
    }
    assert_eq!(
        refused(&tar(&[("a.json", text), ("a.json", text)])),
        "export::duplicate-member: export.json holds \"a.json\" twice"
    );
    // The library writes no such file: the second name is changed afterwards, in both of its headers.
    let mut twice = zip(&[("a.json", text), ("b.json", text)]);
    for at in 0..twice.len() - 6 {
        if &twice[at..at + 6] == b"b.json" {
            twice[at] = b'a';
        }
    }
    assert_eq!(refused(&twice), "export::duplicate-member: export.json holds a member twice");
    for (kind, reason) in [
        (tar::EntryType::Symlink, "a link"),
        (tar::EntryType::Link, "a link"),
        (tar::EntryType::Fifo, "neither a file nor a folder"),
    ] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        builder.append_link(&mut header, "a.json", "/etc/passwd").unwrap();
        let message = refused(&builder.into_inner().unwrap());
        assert_eq!(message, format!("export::refused-member: the member \"a.json\" of export.json is {reason}"));
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
    for (name, packed) in [
        ("gzip", gzip(TEXT.as_bytes())),
        ("zstd", zstd(TEXT.as_bytes())),
        ("xz", xz(TEXT.as_bytes())),
        ("bzip2", bzip2(TEXT.as_bytes())),
        ("gzip", gzip(&tar(&[("a.json", TEXT.as_bytes())]))),
        ("xz", xz(&tar(&[("a.json", TEXT.as_bytes())]))),
    ] {
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
    let packed = tar(&[("a.json", TEXT.as_bytes()), ("b.txt", b"b")]);
    // In the first member, after it, after the second member, in the blocks that end the archive.
    for end in [512 + 40, 1024, 1024 + 100, 2048, 2048 + 511] {
        let message = refused(&packed[..end]);
        assert!(message.starts_with("export::truncated: the tar data of export.json ends early"), "{end}: {message}");
    }
    let mut damaged = packed.clone();
    damaged[1024 + 5] ^= 1;
    assert!(refused(&damaged).starts_with("export::damaged: the tar data of export.json is damaged"));
    // A wrong checksum, also where nothing is left to be read but that.
    for packed in [xz(TEXT.as_bytes()), bzip2(TEXT.as_bytes())] {
        for at in [packed.len() - 8, packed.len() - 20, packed.len() - 30] {
            let mut damaged = packed.clone();
            damaged[at] ^= 1;
            let message = refused(&damaged);
            assert!(message.starts_with("export::damaged") || message.starts_with("export::truncated"), "{message}");
        }
    }
    let mut packed = gzip(TEXT.as_bytes());
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    assert!(refused(&packed).starts_with("export::damaged: the gzip data of export.json is damaged"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever becomes of packed bytes: an error, or records, and never a panic. What has a checksum is never read wrongly.
    #[test]
    fn no_damage_of_a_packed_file_goes_unseen(which in 0_usize..8, at in any::<prop::sample::Index>(), byte: u8) {
        let text = TEXT.as_bytes();
        let archive = tar(&[("a.json", text), ("b.txt", b"b")]);
        let packed = match which {
            0 => gzip(text),
            1 => xz(text),
            2 => bzip2(text),
            3 => gzip(&archive),
            4 => xz(&archive),
            5 => bzip2(&archive),
            6 => zip(&[("a.json", text), ("b.json", b"[]")]),
            _ => archive,
        };
        let mut damaged = packed.clone();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        let file = File::new("export.bin", &damaged);
        if let Ok(source) = Source::open(&file.path(), &OpenOptions::default())
            && let Ok(read) = content(&source)
            && (1..6).contains(&which)
        {
            prop_assert_eq!(read.records, ["a.b 1 name=\"Zoë 😀\"", "a.c"]);
        }
    }
}

#[test]
fn what_expands_beyond_proportion_is_refused() {
    let spaces = vec![b' '; 80 * 1024 * 1024];
    let half = &spaces[..spaces.len() / 2];
    // Many members are one bomb, and so is what no one would read of an archive.
    let packed = zip(&[("a.json", half), ("b.json", half)]);
    assert!(refused(&packed).starts_with("export::expansion"));
    assert!(refused(&gzip(&tar(&[("a.json", b"[]"), ("b.bin", &spaces)]))).starts_with("export::expansion"));
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
        (&b"7z\xbc\xaf\x27\x1c\0\x04"[..], "a 7-Zip archive"),
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
    let file = File::new("a.txt", b"[]");
    let directory = Source::open(file.directory.path(), &OpenOptions::default()).unwrap_err();
    assert_eq!(directory.code(), "export::directory");
    let missing = Source::open(&file.directory.path().join("b.json"), &OpenOptions::default()).unwrap_err();
    assert_eq!(missing.code(), "export::io");
    assert!(missing.to_string().ends_with("/b.json"), "{missing}");
}
