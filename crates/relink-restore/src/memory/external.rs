//! What was looked up in the target, by key.

use std::{io, sync::Arc};

use relink_model::Value;
use relink_records::Key;

use super::{
    Found, Ordinal, Spill,
    budget::Budget,
    key_map::KeyMap,
    log::{Address, Log, read_length, write_length},
    packed::PackedInts,
    value,
};
use crate::state::External;

/// What lookups in the target found. The loader asks for it again, so nothing may be forgotten.
#[derive(Debug, Default)]
pub(crate) struct ExternalRows {
    /// The number of each key, in the order in which they came.
    numbers: KeyMap,
    /// By number, where in `rows` it is.
    addresses: PackedInts,
    rows: Log,
    count: Ordinal,
    budget: Arc<Budget>,
}

impl ExternalRows {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            numbers: KeyMap::new(budget),
            addresses: PackedInts::new(budget),
            rows: Log::new(budget),
            count: 0,
            budget: Arc::clone(budget),
        }
    }

    /// Notes what was found for a key, in place of what was found before.
    pub(crate) fn insert(&mut self, key: &Key, external: &External) {
        let address = self.rows.append(&write(external)) as i64;
        let number = match self.numbers.get(key) {
            Found::Record(number) => number,
            Found::Nowhere | Found::Several => {
                self.numbers.insert(key, self.count);
                self.count += 1;
                self.count - 1
            }
        };
        self.addresses.set(number as usize, address);
    }

    /// What was found for a key; `None` where it was not looked up.
    pub(crate) fn get(&self, key: &Key) -> Option<External> {
        let Found::Record(number) = self.numbers.get(key) else { return None };
        let address = self.addresses.get(number as usize)? as Address;
        let external = self.rows.with(address, read)?;
        if external.is_none() {
            self.budget.fail(io::ErrorKind::InvalidData.into());
        }
        external
    }

    /// What can spill by itself.
    pub(crate) fn parts(&mut self) -> impl Iterator<Item = &mut dyn Spill> {
        let own: [&mut dyn Spill; 2] = [&mut self.addresses, &mut self.rows];
        self.numbers.parts().into_iter().chain(own)
    }
}

fn write(external: &External) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    match external {
        External::Absent => bytes.push(b'-'),
        External::Several => bytes.push(b'*'),
        External::Row(values) => {
            bytes.push(b'=');
            write_length(values.len(), &mut bytes);
            for value in values {
                value::write(value, &mut bytes);
            }
        }
    }
    bytes
}

fn read(bytes: &[u8]) -> Option<External> {
    match bytes {
        [b'-'] => Some(External::Absent),
        [b'*'] => Some(External::Several),
        [b'=', rest @ ..] => {
            let (count, prefix) = read_length(rest)?;
            let mut rest = rest.get(prefix..)?;
            let values: Option<Vec<Value>> = (0..count).map(|_| value::read(&mut rest)).collect();
            values.map(External::Row)
        }
        _ => None,
    }
}
