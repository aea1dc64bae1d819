//! From key to record.

use std::{hash::BuildHasher as _, io, sync::Arc};

use relink_records::Key;

use super::{
    Ordinal, Spill,
    budget::Budget,
    log::{Address, Log},
    table::{Entry, Slot, Table},
};

/// Records that can be told apart.
const RECORDS_MAX: Ordinal = (1 << 31) - 1;

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

/// From key to record. An integer key takes about 20 bytes, another about 22 beside its own.
#[derive(Debug, Default)]
pub(crate) struct KeyMap {
    ints: Table<IntEntry>,
    others: Table<BytesEntry>,
    /// The keys of `others`.
    keys: Log,
    budget: Arc<Budget>,
}

/// The first record that has a key, and whether there are more.
#[derive(Clone, Copy, Debug)]
struct Holder {
    first: Ordinal,
    several: bool,
}

/// An integer key.
#[derive(Clone, Copy, Debug)]
struct IntEntry {
    holder: Holder,
    key: i64,
}

/// Any other key.
#[derive(Clone, Copy, Debug)]
struct BytesEntry {
    holder: Holder,
    hash: u32,
    /// Where the key is; 40 bits.
    address: Address,
}

impl KeyMap {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        let budget = Arc::clone(budget);
        Self { ints: Table::new(&budget), others: Table::new(&budget), keys: Log::new(&budget), budget }
    }

    /// Adds a key; the record that had it before, if there is one.
    pub(crate) fn insert(&mut self, key: &Key, record: Ordinal) -> Option<Ordinal> {
        if record >= RECORDS_MAX {
            self.budget.fail(io::Error::other("one table has more records than can be told apart"));
            return None;
        }
        let holder = Holder { first: record, several: false };
        match key {
            Key::Int(key) => match self.find_int(*key) {
                Some(Ok((entry, slot))) => {
                    self.ints.put(slot, IntEntry { holder: entry.holder.with_another(), ..entry });
                    return Some(entry.holder.first);
                }
                free => self.ints.insert(IntEntry { holder, key: *key }, free.and_then(Result::err)),
            },
            Key::Bytes(key) => {
                let hash = hash_of(key);
                match self.find_bytes(hash, key) {
                    Some(Ok((entry, slot))) => {
                        self.others.put(slot, BytesEntry { holder: entry.holder.with_another(), ..entry });
                        return Some(entry.holder.first);
                    }
                    free => {
                        let address = self.keys.append(key);
                        self.others.insert(BytesEntry { holder, hash, address }, free.and_then(Result::err));
                    }
                }
            }
        }
        None
    }

    /// Looks a key up.
    pub(crate) fn get(&self, key: &Key) -> Found {
        let holder = match key {
            Key::Int(key) => self.find_int(*key).and_then(Result::ok).map(|(entry, _)| entry.holder),
            Key::Bytes(key) => self.find_bytes(hash_of(key), key).and_then(Result::ok).map(|(entry, _)| entry.holder),
        };
        match holder {
            None => Found::Nowhere,
            Some(Holder { first, several: false }) => Found::Record(first),
            Some(Holder { several: true, .. }) => Found::Several,
        }
    }

    /// What can spill by itself.
    pub(crate) fn parts(&mut self) -> [&mut dyn Spill; 3] {
        [&mut self.ints, &mut self.others, &mut self.keys]
    }

    fn find_int(&self, key: i64) -> Option<Result<(IntEntry, Slot), Slot>> {
        self.ints.find(mixed(key), |entry| entry.key == key)
    }

    fn find_bytes(&self, hash: u32, key: &[u8]) -> Option<Result<(BytesEntry, Slot), Slot>> {
        let same =
            |entry: BytesEntry| entry.hash == hash && self.keys.with(entry.address, |known| known == key) == Some(true);
        self.others.find(hash, same)
    }
}

/// The same in every run, so that what spills is, too.
fn hash_of(key: &[u8]) -> u32 {
    (foldhash::quality::FixedState::default().hash_one(key) >> 32) as u32
}

/// The finalizer of MurmurHash3: every bit of the key reaches every bit of the hash.
fn mixed(key: i64) -> u32 {
    let mut hash = key as u64;
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (hash >> 32) as u32
}

impl Holder {
    const BYTES: usize = 4;

    fn with_another(self) -> Self {
        Self { several: true, ..self }
    }

    /// Never all 0.
    fn write(self, bytes: &mut [u8]) {
        let word = (self.first + 1) << 1 | u32::from(self.several);
        bytes[..Self::BYTES].copy_from_slice(&word.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        let word = number(&bytes[..Self::BYTES]) as u32;
        Self { first: (word >> 1) - 1, several: word & 1 == 1 }
    }
}

impl Entry for IntEntry {
    const BYTES: usize = 12;

    fn hash(&self) -> u32 {
        mixed(self.key)
    }

    fn write(&self, bytes: &mut [u8]) {
        self.holder.write(bytes);
        bytes[4..12].copy_from_slice(&self.key.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        Self { holder: Holder::read(bytes), key: number(&bytes[4..12]) as i64 }
    }
}

impl Entry for BytesEntry {
    const BYTES: usize = 13;

    fn hash(&self) -> u32 {
        self.hash
    }

    fn write(&self, bytes: &mut [u8]) {
        self.holder.write(bytes);
        bytes[4..8].copy_from_slice(&self.hash.to_le_bytes());
        bytes[8..13].copy_from_slice(&self.address.to_le_bytes()[..5]);
    }

    fn read(bytes: &[u8]) -> Self {
        Self { holder: Holder::read(bytes), hash: number(&bytes[4..8]) as u32, address: number(&bytes[8..13]) }
    }
}

/// Up to eight bytes, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(wide)
}
