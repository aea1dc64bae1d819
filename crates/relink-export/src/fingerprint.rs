//! Tells one export from another by what it says: the same text has the same fingerprint, whatever its files are called
//! and packed in.

use std::{fmt::Write as _, io::Read, sync::Arc};

use sha2::{Digest, Sha256};

use crate::{ExportError, Source, part::Form};

/// How much is read at once.
const BLOCK_BYTES: usize = 256 * 1024;

impl Source {
    /// The SHA-256 of the decoded texts, in hexadecimal. File names do not count, but for row files the tables that they
    /// name do. Reads everything once.
    pub fn fingerprint(&self) -> Result<String, ExportError> {
        let mut hash = Sha256::new();
        let mut block = vec![0; BLOCK_BYTES];
        for part in self.parts() {
            if matches!(part.form, Form::RowArray | Form::RowLines | Form::Csv) {
                let table = part.naming.table.as_deref().unwrap_or_default();
                hash.update((table.len() as u64).to_le_bytes());
                hash.update(table);
            }
            // Lengths keep two texts apart from one text that is both.
            hash.update(part.text.bytes.to_le_bytes());
            let mut reader = part.text.reader();
            loop {
                let failed = |source| ExportError::Io { file: Arc::clone(&part.text.name), source };
                match reader.read(&mut block).map_err(failed)? {
                    0 => break,
                    read => hash.update(&block[..read]),
                }
            }
        }
        let mut hexadecimal = String::new();
        for byte in hash.finalize() {
            let _ = write!(hexadecimal, "{byte:02x}");
        }
        Ok(hexadecimal)
    }
}
