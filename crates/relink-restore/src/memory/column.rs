//! The values of one column, by record.

use std::{io, sync::Arc};

use relink_model::Value;

use super::{
    Ordinal, Spill,
    budget::Budget,
    log::{Address, Log},
    packed::PackedInts,
    value,
};

/// The values of one column, by record. A record whose value is not known (it is bad, or the database will make it) has none.
#[derive(Debug, Default)]
pub(crate) struct ColumnValues {
    /// Integers, as nearly every key is.
    ints: PackedInts,
    /// Where in `values` anything else is.
    others: PackedInts,
    values: Log,
    budget: Arc<Budget>,
}

impl ColumnValues {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            ints: PackedInts::new(budget),
            others: PackedInts::new(budget),
            values: Log::new(budget),
            budget: Arc::clone(budget),
        }
    }

    /// Sets the value; NULL: none.
    pub(crate) fn set(&mut self, ordinal: Ordinal, value: &Value) {
        let at = ordinal as usize;
        match value {
            Value::Int(value) => {
                self.ints.set(at, *value);
                self.others.unset(at);
            }
            Value::Null => {
                self.ints.unset(at);
                self.others.unset(at);
            }
            value => {
                self.ints.unset(at);
                let mut bytes = Vec::with_capacity(32);
                value::write(value, &mut bytes);
                // Often the value that it has already: what is replaced stays in the log.
                let known = self.others.get(at).and_then(|known| self.values.with(known as Address, |is| is == bytes));
                if known != Some(true) {
                    self.others.set(at, self.values.append(&bytes) as i64);
                }
            }
        }
    }

    /// The value, where one is known that is not NULL.
    pub(crate) fn get(&self, ordinal: Ordinal) -> Option<Value> {
        let at = ordinal as usize;
        if let Some(value) = self.ints.get(at) {
            return Some(Value::Int(value));
        }
        let address = self.others.get(at)? as Address;
        let value = self.values.with(address, |mut bytes| value::read(&mut bytes))?;
        if value.is_none() {
            self.budget.fail(io::ErrorKind::InvalidData.into());
        }
        value
    }

    /// What can spill by itself.
    pub(crate) fn parts(&mut self) -> [&mut dyn Spill; 3] {
        [&mut self.ints, &mut self.others, &mut self.values]
    }
}
