//! Memory does not grow with the export. A test binary of its own, so that no other test's memory is counted.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Write},
};

use flate2::{Compression, write::GzEncoder};
use relink_export::{Fields, OpenOptions, Source};

/// Uncompressed size of the export.
const TEXT_BYTES: usize = 128 * 1024 * 1024;

/// Far below the export's size, far above what buffers need.
const GROWTH_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The most memory that this process ever had, in bytes.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn indexing_and_reading_a_large_compressed_dump_takes_bounded_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.json.gz");
    let mut encoder = GzEncoder::new(BufWriter::new(File::create(&path).unwrap()), Compression::fast());
    // Blocks of records that differ from record to record, made once: the test is about reading.
    let mut block = String::new();
    for number in 0..4000_u64 {
        let noise = number * 2_654_435_761 % 1_000_003;
        writeln!(
            block,
            "{{\"model\":\"shop.item\",\"pk\":{number},\"fields\":{{\"name\":\"item {noise}\",\"price\":\"{noise}.50\",\
             \"note\":\"{noise:x} é {number:o}\"}}}},"
        )
        .unwrap();
    }
    encoder.write_all(b"[").unwrap();
    for _ in 0..TEXT_BYTES / block.len() {
        encoder.write_all(block.as_bytes()).unwrap();
    }
    encoder.write_all(b"{\"model\":\"shop.end\",\"fields\":{}}]").unwrap();
    encoder.finish().unwrap().flush().unwrap();

    let before = peak_bytes();
    let source = Source::open(&path, &OpenOptions::default()).unwrap();
    let index = source.index(&mut |_| {}).unwrap();
    let mut fields = Fields::default();
    let mut records = 0;
    for run in &index.runs {
        let mut reader = source.records(run);
        while let Some(record) = reader.next() {
            let mut of_record = fields.recycle();
            record.unwrap().read_fields(&mut of_record).unwrap();
            records += 1;
            fields = of_record.recycle();
        }
    }
    assert_eq!(records, index.records);
    assert!(source.text_bytes() > TEXT_BYTES as u64 / 10 * 9);
    let grown = peak_bytes() - before;
    assert!(grown < GROWTH_BYTES_MAX, "peak memory grew by {grown} bytes");
}
