//! Readers of logical exports: JSON and CSV text becomes a stream of records, each with its place.
//!
//! A [`Source`] is an opened export, of one file or several: decompressed and decoded, so that it is UTF-8 text that can be
//! read from any offset. [`Source::index`] reads it once from start to end, proves that it is what it claims to be, and returns an
//! [`Index`]: which labels (Django models, tables) there are and in which [`Run`]s of the text their records stand.
//! [`Source::records`] then streams one run, [`Source::record_at`] reads a single record again.
//!
//! Nothing here knows a database. A value stays the JSON text that it was ([`RawJson`]): what it means is decided by
//! the column that receives it. The cells of a CSV file are read as JSON strings. [`Source::write_rejects`] writes chosen
//! records as an export of the same format. Memory is bounded by the largest record, never by the size of the export.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod csv;
mod cursor;
mod error;
mod fingerprint;
mod index;
mod open;
mod part;
mod place;
mod raw;
mod record;
mod rejects;
mod scan;
mod source;
mod unescape;
mod window;

#[cfg(test)]
mod tests;

pub use csv::CsvProblem;
pub use error::ExportError;
pub use index::{Index, LabelId, Run, STOP_RECORDS};
pub use open::OpenOptions;
pub use place::Snippet;
pub use raw::{Elements, Entries, JsonKind, RawJson};
pub use record::{Fields, OwnedRecord, Record, RecordReader};
pub use scan::{SyntaxError, SyntaxProblem};
pub use source::{Format, FormatFamily, Source};
pub use unescape::{TextError, TextProblem};
