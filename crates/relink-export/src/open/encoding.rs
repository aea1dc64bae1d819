//! Which text encoding a file is in: what a byte order mark says, else what was asked for, else UTF-8.

use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::ExportError;

/// A byte order mark at the start of a text.
pub(super) struct ByteOrderMark {
    encoding: &'static Encoding,
    bytes: usize,
}

impl ByteOrderMark {
    fn of(head: &[u8]) -> Option<Self> {
        Encoding::for_bom(head).map(|(encoding, bytes)| Self { encoding, bytes })
    }

    /// The length of a UTF-8 mark at the start of `head`; 0 without one.
    pub(super) fn utf8_bytes(head: &[u8]) -> u64 {
        Self::of(head).filter(|mark| mark.encoding == UTF_8).map_or(0, |mark| mark.bytes as u64)
    }
}

/// What was asked for.
pub(super) struct Decoding {
    label: Option<String>,
    named: Option<&'static Encoding>,
}

/// A conversion that is needed.
pub(super) struct Conversion {
    pub(super) encoding: &'static Encoding,
    /// Bytes of the mark before the text.
    pub(super) skip: usize,
}

impl Decoding {
    /// The encoding of this label; `None`: see from the content.
    pub(super) fn named(label: Option<&str>) -> Result<Self, ExportError> {
        let named = match label {
            None => None,
            Some(label) => Some(
                Encoding::for_label_no_replacement(label.as_bytes())
                    .ok_or_else(|| ExportError::UnknownEncoding { label: label.to_owned() })?,
            ),
        };
        Ok(Self { label: label.map(str::to_owned), named })
    }

    /// How a text that begins with `head` becomes UTF-8; `None`: it is that already, or claims to be.
    pub(super) fn plan(&self, head: &[u8], file: &Arc<str>) -> Result<Option<Conversion>, ExportError> {
        let unread = |found, label| Err(ExportError::EncodingUnread { file: Arc::clone(file), found, label });
        if matches!(head, [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..]) {
            return unread("UTF-32 text", None);
        }
        let (encoding, skip) = match (ByteOrderMark::of(head), self.named) {
            (Some(mark), Some(named)) if mark.encoding != named && !self.allows(&mark) => {
                return Err(ExportError::EncodingContradicted {
                    file: Arc::clone(file),
                    named: named.name().to_owned(),
                    marked: mark.encoding.name(),
                });
            }
            (Some(mark), _) => (mark.encoding, mark.bytes),
            (None, Some(named)) => (named, 0),
            // The first character of an export is ASCII.
            (None, None) => match head {
                [0, 1..=0x7F, ..] => return unread("UTF-16 text without a byte order mark", Some("utf-16be")),
                [1..=0x7F, 0, ..] => return unread("UTF-16 text without a byte order mark", Some("utf-16le")),
                _ => (UTF_8, 0),
            },
        };
        Ok((encoding != UTF_8).then_some(Conversion { encoding, skip }))
    }

    /// `utf-16` leaves the byte order to the mark, though as a label it means the little-endian one.
    fn allows(&self, mark: &ByteOrderMark) -> bool {
        let either = self.label.as_deref().is_some_and(|label| label.trim().eq_ignore_ascii_case("utf-16"));
        either && (mark.encoding == UTF_16LE || mark.encoding == UTF_16BE)
    }
}
