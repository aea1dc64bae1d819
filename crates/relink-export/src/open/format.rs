//! Which format a text is in: its first character, and for an object the first members of it.

use std::sync::Arc;

use crate::{
    ExportError, Format, FormatFamily, JsonKind, OpenOptions,
    cursor::{Cursor, Fault},
    place::Text,
    record::is_named,
    window::{Dry, Window},
};

/// See the module's documentation. A text that begins as no format does is called an array: indexing then refuses it
/// with its place.
pub(crate) fn detect_format(text: &Text, start: u64, options: &OpenOptions) -> Result<Format, ExportError> {
    let window = Window::new(text, start.min(text.bytes)..text.bytes, options.chunk_bytes);
    let mut cursor = Cursor::new(window, options.depth_max, options.record_bytes_max);
    let found = match cursor.significant() {
        Ok(Some(b'{')) => match options.format {
            Some(FormatFamily::TableMap) => Ok(Format::TableMap),
            Some(FormatFamily::Django) => Ok(Format::DjangoLines),
            None => object_format(&mut cursor),
        },
        Ok(_) if options.format == Some(FormatFamily::TableMap) => Ok(Format::TableMap),
        Ok(_) => Ok(Format::DjangoArray),
        Err(fault) => Err(fault),
    };
    match found {
        Ok(format) => Ok(format),
        Err(Fault::Dry(Dry::Io(source))) => Err(ExportError::Io { file: Arc::clone(&text.name), source }),
        // Whatever is wrong with the text, indexing says it, and where.
        Err(_) => Ok(Format::TableMap),
    }
}

/// A Django record or a table map? Reads the object's members only until that is clear: one that no Django record
/// has decides at once, so that a table map is not read through.
fn object_format(cursor: &mut Cursor<'_>) -> Result<Format, Fault> {
    let mut model = false;
    let mut more = false;
    cursor.window.consume(1);
    loop {
        let member = next_member(cursor);
        let (key, kind) = match member {
            Ok(Some(member)) => member,
            Ok(None) | Err(Fault::Syntax(..) | Fault::TooLarge(_) | Fault::Dry(Dry::End)) => break,
            Err(fault) => return Err(fault),
        };
        match (key, kind) {
            (Key::Model, JsonKind::String) => model = true,
            (Key::Fields, JsonKind::Object) | (Key::Pk, _) => more = true,
            (Key::Ignored, _) => {}
            (Key::Other, kind) if !matches!(kind, JsonKind::Array | JsonKind::Object) => {}
            _ => return Ok(Format::TableMap),
        }
        if model && more {
            break;
        }
        // The value of an unfinished text is the last thing that can be looked at.
        if cursor.value().map(|length| cursor.window.consume(length)).is_err() {
            break;
        }
    }
    Ok(if model { Format::DjangoLines } else { Format::TableMap })
}

enum Key {
    Model,
    Pk,
    Fields,
    /// Begins with `_`: allowed in either format.
    Ignored,
    Other,
}

/// The next member's name, and the kind of its value, at which the cursor then stands; `None` at the end.
fn next_member(cursor: &mut Cursor<'_>) -> Result<Option<(Key, JsonKind)>, Fault> {
    let mut found = cursor.significant()?;
    if found == Some(b',') {
        cursor.window.consume(1);
        found = cursor.significant()?;
    }
    if found != Some(b'"') {
        return Ok(None);
    }
    let length = cursor.value()?;
    let key = &cursor.window.bytes()[..length];
    let named = |name| is_named(key, &(1..length - 1), name);
    let key = match () {
        () if named("model") => Key::Model,
        () if named("pk") => Key::Pk,
        () if named("fields") => Key::Fields,
        () if key[1] == b'_' => Key::Ignored,
        () => Key::Other,
    };
    cursor.window.consume(length);
    if cursor.significant()? != Some(b':') {
        return Ok(None);
    }
    cursor.window.consume(1);
    if cursor.significant()?.is_none() {
        return Ok(None);
    }
    let bytes = cursor.window.bytes();
    // One byte tells the kind, but for `-Infinity`, which matters to nobody here.
    Ok(Some((key, JsonKind::of(&bytes[..1]))))
}
