//! Which format the texts of an export are in: their first characters, of an object its first members, of an array its
//! first element; and their names, for row files.

use std::sync::Arc;

use super::{Found, OpenOptions};
use crate::{
    ExportError, FormatFamily, JsonKind,
    cursor::{Cursor, Fault},
    part::{Ending, Form, Part},
    record::is_named,
    window::{Dry, Window},
};

/// Decides the form of every text. All are of one family; a text that tells nothing (an empty array) takes the others'.
/// A single text that begins as no format does is called an array: indexing then refuses it with its place.
pub(super) fn settle(
    found: Vec<Found>,
    folder: bool,
    unread: &[Arc<str>],
    options: &OpenOptions,
) -> Result<Vec<Part>, ExportError> {
    let several = folder || found.len() > 1;
    let mut looks = Vec::with_capacity(found.len());
    for text in &found {
        looks.push(look(text, options)?);
    }
    let family = match options.format {
        Some(family) => family,
        None => common_family(&found, &looks, several)?,
    };
    if family == FormatFamily::RowFiles
        && let Some(file) = unread.first()
    {
        return Err(ExportError::UnreadData { file: Arc::clone(file) });
    }
    let mut base = 0;
    let mut parts = Vec::with_capacity(found.len());
    for (Found { text, start, naming }, look) in found.into_iter().zip(looks) {
        if family == FormatFamily::RowFiles && naming.table.is_none() {
            return Err(ExportError::NoTableName { file: Arc::clone(&text.name) });
        }
        let form = look.form(family, naming.ending);
        let next = base + text.bytes + 1;
        parts.push(Part { text, start, base, form, naming });
        base = next;
    }
    Ok(parts)
}

/// What a text begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// `[` and a Django record.
    DjangoArray,
    /// `[` and another object.
    RowArray,
    /// `[` and nothing that tells more.
    Array,
    /// A Django record.
    DjangoRecord,
    /// Another object: a table map, or a row.
    Object,
    /// By its name.
    Csv,
    /// Nothing but white space.
    Blank,
    Other,
}

impl Look {
    fn form(self, family: FormatFamily, ending: Option<Ending>) -> Form {
        let object = matches!(self, Self::DjangoRecord | Self::Object);
        match family {
            FormatFamily::Django if object => Form::DjangoLines,
            FormatFamily::Django => Form::DjangoArray,
            FormatFamily::TableMap => Form::TableMap,
            FormatFamily::RowFiles if self == Self::Csv => Form::Csv,
            FormatFamily::RowFiles if object => Form::RowLines,
            FormatFamily::RowFiles
                if matches!(self, Self::Blank | Self::Other) && ending.is_some_and(Ending::is_lines) =>
            {
                Form::RowLines
            }
            FormatFamily::RowFiles => Form::RowArray,
        }
    }

    /// The family that it tells. An array of other objects is a Django dump gone wrong where it stands alone.
    fn family(self, ending: Option<Ending>, several: bool) -> Option<FormatFamily> {
        match self {
            Self::RowArray if several => Some(FormatFamily::RowFiles),
            Self::DjangoArray | Self::DjangoRecord | Self::RowArray => Some(FormatFamily::Django),
            Self::Object if ending.is_some_and(Ending::is_lines) => Some(FormatFamily::RowFiles),
            Self::Object => Some(FormatFamily::TableMap),
            Self::Csv => Some(FormatFamily::RowFiles),
            Self::Array | Self::Blank | Self::Other => None,
        }
    }
}

fn common_family(found: &[Found], looks: &[Look], several: bool) -> Result<FormatFamily, ExportError> {
    let mut common: Option<(FormatFamily, &Found)> = None;
    for (text, look) in found.iter().zip(looks) {
        let Some(family) = look.family(text.naming.ending, several) else { continue };
        match common {
            None => common = Some((family, text)),
            Some((first_family, first)) if first_family != family => {
                return Err(ExportError::MixedFormats {
                    file: Arc::clone(&text.text.name),
                    family,
                    first: Arc::clone(&first.text.name),
                    first_family,
                });
            }
            Some(_) => {}
        }
    }
    Ok(common.map_or(FormatFamily::Django, |(family, _)| family))
}

fn look(found: &Found, options: &OpenOptions) -> Result<Look, ExportError> {
    if found.naming.ending == Some(Ending::Csv) {
        return Ok(Look::Csv);
    }
    let text = &found.text;
    let window = Window::new(text, found.start.min(text.bytes)..text.bytes, options.chunk_bytes);
    let mut cursor = Cursor::new(window, options.depth_max, options.record_bytes_max);
    let looked = match cursor.significant() {
        Ok(Some(b'{')) => object(&mut cursor).map(|django| if django { Look::DjangoRecord } else { Look::Object }),
        Ok(Some(b'[')) => array(&mut cursor),
        Ok(Some(_)) => Ok(Look::Other),
        Ok(None) => Ok(Look::Blank),
        Err(fault) => Err(fault),
    };
    match looked {
        Ok(look) => Ok(look),
        Err(Fault::Dry(Dry::Io(source))) => Err(ExportError::Io { file: Arc::clone(&text.name), source }),
        // Whatever is wrong with the text, indexing says it, and where.
        Err(_) => Ok(Look::Other),
    }
}

fn array(cursor: &mut Cursor<'_>) -> Result<Look, Fault> {
    cursor.window.consume(1);
    Ok(match cursor.significant()? {
        Some(b'{') if object(cursor)? => Look::DjangoArray,
        Some(b'{') => Look::RowArray,
        _ => Look::Array,
    })
}

/// Whether the object is a Django record. Reads its members only until that is clear: one that no Django record has
/// decides at once, so that a table map is not read through.
fn object(cursor: &mut Cursor<'_>) -> Result<bool, Fault> {
    let mut model = false;
    let mut more = false;
    let mut other = false;
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
            (Key::Other, kind) if !matches!(kind, JsonKind::Array | JsonKind::Object) => other = true,
            _ => return Ok(false),
        }
        if model && more {
            break;
        }
        // The value of an unfinished text is the last thing that can be looked at.
        if cursor.value().map(|length| cursor.window.consume(length)).is_err() {
            break;
        }
    }
    // A row may have a column of that name, too: `django_content_type` has.
    Ok(model && (more || !other))
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
