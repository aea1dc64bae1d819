//! Keys as they are compared in memory: tuples of values in one canonical form, and a compact map from key to record.

use hashbrown::{HashMap, hash_map::Entry};
use relink_model::{TypeKind, Value};

/// The ordinal of a record among the records of its relation, from 0.
pub(crate) type Ordinal = u32;

/// A key's values in canonical form: equal keys are equal bytes. Single integers, by far the most frequent keys, stay integers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A single integer column.
    Int(i64),
    /// Anything else, each part tagged and length-prefixed so that no two tuples share an encoding.
    Bytes(Box<[u8]>),
}

impl Key {
    /// The key of these values, or `None` where a part is NULL.
    pub(crate) fn of<'a>(parts: impl Iterator<Item = (&'a Value, &'a TypeKind)> + Clone) -> Option<Self> {
        let mut rest = parts.clone();
        if let (Some((Value::Int(value), _)), None) = (rest.next(), rest.next()) {
            return Some(Self::Int(*value));
        }
        let mut bytes = Vec::with_capacity(24);
        for (value, kind) in parts {
            encode(value, kind, &mut bytes)?;
        }
        Some(Self::Bytes(bytes.into_boxed_slice()))
    }

    /// As [`Self::of`], with NULL as a value of its own: for natural keys, whose NULL parts match NULL.
    pub(crate) fn with_nulls<'a>(parts: impl Iterator<Item = (&'a Value, &'a TypeKind)> + Clone) -> Self {
        if let Some(key) = Self::of(parts.clone()) {
            return key;
        }
        let mut bytes = Vec::with_capacity(24);
        for (value, kind) in parts {
            if encode(value, kind, &mut bytes).is_none() {
                bytes.push(b'n');
            }
        }
        Self::Bytes(bytes.into_boxed_slice())
    }
}

fn encode(value: &Value, kind: &TypeKind, bytes: &mut Vec<u8>) -> Option<()> {
    let mut tagged = |tag: u8, content: &[u8]| {
        bytes.push(tag);
        bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
        bytes.extend_from_slice(content);
    };
    match value {
        Value::Null => return None,
        Value::Bool(value) => tagged(b'i', &i64::from(*value).to_le_bytes()),
        Value::Int(value) => tagged(b'i', &value.to_le_bytes()),
        // -0.0 and 0.0 are one key to every database.
        Value::Float(value) => tagged(b'f', &(value + 0.0).to_bits().to_le_bytes()),
        Value::Text(text) if matches!(kind, TypeKind::Decimal { .. }) => tagged(b't', plain_decimal(text).as_bytes()),
        Value::Text(text) => tagged(b't', text.as_bytes()),
        Value::Bytes(content) => tagged(b'b', content),
    }
    Some(())
}

/// Decimals that differ in trailing zeros only are one key.
fn plain_decimal(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// What a [`KeyMap`] knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No record has it.
    Nowhere,
    /// This record has it.
    Record(Ordinal),
    /// Several records have it.
    Several,
}

/// From key to record. About 17 bytes an integer key.
#[derive(Debug, Default)]
pub(crate) struct KeyMap {
    ints: HashMap<i64, Ordinal>,
    others: HashMap<Box<[u8]>, Ordinal>,
    /// Keys of more than one record.
    several: HashMap<Key, Ordinal>,
}

impl KeyMap {
    /// Adds a key; the record that had it before, if there is one.
    pub(crate) fn insert(&mut self, key: Key, record: Ordinal) -> Option<Ordinal> {
        let first = match &key {
            Key::Int(value) => match self.ints.entry(*value) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    entry.insert(record);
                    return None;
                }
            },
            Key::Bytes(bytes) => {
                let Some(first) = self.others.get(bytes) else {
                    self.others.insert(bytes.clone(), record);
                    return None;
                };
                *first
            }
        };
        self.several.insert(key, first);
        Some(first)
    }

    /// Looks a key up.
    pub(crate) fn get(&self, key: &Key) -> Found {
        let found = match key {
            Key::Int(value) => self.ints.get(value),
            Key::Bytes(bytes) => self.others.get(bytes),
        };
        match found {
            None => Found::Nowhere,
            Some(_) if !self.several.is_empty() && self.several.contains_key(key) => Found::Several,
            Some(record) => Found::Record(*record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[(Value, TypeKind)]) -> Option<Key> {
        Key::of(parts.iter().map(|(value, kind)| (value, kind)))
    }

    #[test]
    fn no_two_tuples_share_a_key() {
        let text = |a: &str, b: &str| {
            key(&[(Value::Text(a.into()), TypeKind::Other), (Value::Text(b.into()), TypeKind::Other)]).expect("no NULL")
        };
        assert_ne!(text("ab", "c"), text("a", "bc"));
        assert_ne!(text("", "x"), text("x", ""));
        assert_ne!(key(&[(Value::Text("5".into()), TypeKind::Other)]), key(&[(Value::Int(5), TypeKind::Other)]));
    }

    #[test]
    fn decimals_are_one_key_whatever_their_scale() {
        let decimal = TypeKind::Decimal { precision: None, scale: None, special: false, unsigned: false };
        let of = |text: &str| key(&[(Value::Text(text.into()), decimal.clone())]);
        assert_eq!(of("12.30"), of("12.3"));
        assert_eq!(of("12.0"), of("12"));
        assert_ne!(of("120"), of("12"));
    }

    #[test]
    fn a_null_part_makes_no_key_unless_nulls_count() {
        let parts = [(Value::Null, TypeKind::Other), (Value::Int(1), TypeKind::Other)];
        assert_eq!(key(&parts), None);
        let with = |parts: &[(Value, TypeKind)]| Key::with_nulls(parts.iter().map(|(value, kind)| (value, kind)));
        assert_eq!(with(&parts), with(&parts));
        assert_ne!(with(&parts), with(&[(Value::Int(1), TypeKind::Other), (Value::Null, TypeKind::Other)]));
    }

    #[test]
    fn a_key_of_several_records_is_never_resolved_to_one() {
        let mut map = KeyMap::default();
        assert_eq!(map.insert(Key::Int(7), 0), None);
        assert_eq!(map.insert(Key::Int(7), 3), Some(0));
        assert_eq!(map.get(&Key::Int(7)), Found::Several);
        assert_eq!(map.get(&Key::Int(8)), Found::Nowhere);
    }
}
