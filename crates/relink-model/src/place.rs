//! Where in an export something stands.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in an export. Offsets and columns count bytes of the decoded text (after decompression and, for
/// UTF-16 or a code page, after conversion to UTF-8); a byte order mark counts where the input is UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file as the user named it, with `!member` for a member of an archive.
    pub file: Arc<str>,
    /// Bytes from the start of the decoded text, from 0.
    pub offset: u64,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// JSON pointer (RFC 6901) from the top of the file; for JSON Lines and CSV from the record, `/column` for a cell.
    pub pointer: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
