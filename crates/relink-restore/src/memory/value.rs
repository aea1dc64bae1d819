//! Values as bytes, for as long as a restore runs.

use relink_model::Value;

use super::log::{read_length, write_length};

/// Adds a value.
pub(super) fn write(value: &Value, bytes: &mut Vec<u8>) {
    let mut tagged = |tag: u8, content: &[u8]| {
        bytes.push(tag);
        write_length(content.len(), bytes);
        bytes.extend_from_slice(content);
    };
    match value {
        Value::Null => bytes.push(b'n'),
        Value::Bool(value) => bytes.extend([b'b', u8::from(*value)]),
        Value::Int(value) => {
            bytes.push(b'i');
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        Value::Float(value) => {
            bytes.push(b'f');
            bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Text(text) => tagged(b't', text.as_bytes()),
        Value::Bytes(content) => tagged(b'x', content),
    }
}

/// Takes the first value off these bytes; `None` where they hold none.
pub(super) fn read(bytes: &mut &[u8]) -> Option<Value> {
    let (tag, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(match tag {
        b'n' => Value::Null,
        b'b' => Value::Bool(take(bytes, 1)?[0] != 0),
        b'i' => Value::Int(i64::from_le_bytes(take(bytes, 8)?.try_into().ok()?)),
        b'f' => Value::Float(f64::from_bits(u64::from_le_bytes(take(bytes, 8)?.try_into().ok()?))),
        b't' => Value::Text(String::from_utf8(content(bytes)?.to_vec()).ok()?),
        b'x' => Value::Bytes(content(bytes)?.to_vec()),
        _ => return None,
    })
}

fn content<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, prefix) = read_length(bytes)?;
    take(bytes, prefix)?;
    take(bytes, length)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (first, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(first)
}
