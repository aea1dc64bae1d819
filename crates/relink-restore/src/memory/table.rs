//! A hash table of fixed-size entries that can be in memory or in the temporary file: extendible hashing. A directory leads from the first
//! bits of a hash to a bucket; a bucket that is full is split in two, and nothing else moves. Inside a bucket entries lie in open
//! addressing. A look into the file is one read of a bucket, an insertion one more write of one entry; the directory stays in memory,
//! with the buckets' own data about a quarter of a byte an entry.
//!
//! Buckets have one size, so that what one leaves another can take, and a table that grows is never there twice. With hashes spread evenly
//! all buckets would be full, and be split, at the same time, and a table half empty after it. They are therefore spread unevenly, from
//! one end of their range to the other by a factor of two (the idea of spiral storage): there are always buckets of every fullness,
//! and a table is nearly two thirds full at any size.

use std::{marker::PhantomData, sync::Arc};

use super::{
    Spill,
    budget::{Budget, Share},
};

/// Bytes of a bucket at most, and of its place in the file.
const BUCKET_BYTES: usize = 4_096;
/// Slots of a table's first bucket to begin with: most tables are small.
const SLOTS_FIRST: usize = 8;
/// Bits of a place that choose the bucket, at most.
const DEPTH_MAX: u8 = 28;
/// Entries of the directory for each bucket, at most. Where keys have their hashes in common, by ill luck or ill will, their bucket grows
/// instead of being split, or the directory would double in vain.
const LEADS_MAX: usize = 8;

/// What a table holds.
pub(super) trait Entry: Copy {
    /// Its size. Its first four bytes are never all 0, which is a free slot.
    const BYTES: usize;

    fn hash(&self) -> u32;

    fn write(&self, bytes: &mut [u8]);

    fn read(bytes: &[u8]) -> Self;
}

#[derive(Debug)]
pub(super) struct Table<E> {
    /// By the first `depth` bits of a [place](place_of).
    directory: Vec<u32>,
    depth: u8,
    buckets: Vec<Bucket>,
    spilled: bool,
    resident: u64,
    share: Share,
    entries: PhantomData<E>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// First bits of the place that its entries have in common.
    depth: u8,
    entries: u32,
    slots: u32,
    /// Empty where the bucket is in the file.
    bytes: Vec<u8>,
    /// Where it is in the file, and how many bytes it may have there.
    extent: Option<(u64, usize)>,
}

/// Where an entry is, or could be put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    bucket: usize,
    slot: usize,
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Self {
            directory: Vec::new(),
            depth: 0,
            buckets: Vec::new(),
            spilled: false,
            resident: 0,
            share: Share::default(),
            entries: PhantomData,
        }
    }
}

impl<E: Entry> Table<E> {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { share: Share::of(budget), ..Self::default() }
    }

    /// The entry of this hash that the function accepts, or the slot where it would be; `None` where the file failed, and where the
    /// table is empty.
    pub(super) fn find(&self, hash: u32, accept: impl FnMut(E) -> bool) -> Option<Result<(E, Slot), Slot>> {
        let place = place_of(hash);
        let number = *self.directory.get(first_bits(place, self.depth))? as usize;
        let bucket = &self.buckets[number];
        if bucket.bytes.is_empty() {
            self.find_in_file(place, number, accept)
        } else {
            Some(bucket.find(&bucket.bytes, place, number, accept))
        }
    }

    /// Apart, since the buffer costs more than looking a key up in memory.
    #[inline(never)]
    fn find_in_file(
        &self,
        place: u32,
        number: usize,
        accept: impl FnMut(E) -> bool,
    ) -> Option<Result<(E, Slot), Slot>> {
        let bucket = &self.buckets[number];
        let (offset, _) = bucket.extent?;
        let length = bucket.slots as usize * E::BYTES;
        let mut stack = [0; BUCKET_BYTES];
        let mut heap = Vec::new();
        let bytes = if length <= BUCKET_BYTES {
            &mut stack[..length]
        } else {
            heap.resize(length, 0);
            &mut heap[..]
        };
        self.share.budget().read(offset, bytes).then(|| bucket.find(bytes, place, number, accept))
    }

    /// Adds an entry for which [`Self::find`] has found this free slot.
    pub(super) fn insert(&mut self, entry: E, free: Option<Slot>) {
        let Some(free) = free else {
            // The first entry of all. What follows a failure of the file counts no more.
            if self.buckets.is_empty() {
                self.add_bucket(0, &[entry]);
                self.lead(vec![0]);
            }
            return;
        };
        let bucket = &self.buckets[free.bucket];
        if (bucket.entries + 1) * 8 <= bucket.slots * 7 {
            self.put(free, entry);
            self.buckets[free.bucket].entries += 1;
        } else {
            self.make_room(free.bucket, entry);
        }
    }

    /// Writes an entry to its slot.
    pub(super) fn put(&mut self, slot: Slot, entry: E) {
        let bucket = &mut self.buckets[slot.bucket];
        let at = slot.slot * E::BYTES;
        if !bucket.bytes.is_empty() {
            entry.write(&mut bucket.bytes[at..at + E::BYTES]);
        } else if let Some((offset, _)) = bucket.extent {
            let mut bytes = [0; 32];
            entry.write(&mut bytes[..E::BYTES]);
            self.share.budget().write(offset + at as u64, &bytes[..E::BYTES]);
        }
    }

    /// Makes a full bucket larger, or two of it, and adds the entry.
    fn make_room(&mut self, number: usize, entry: E) {
        let Some(mut entries) = self.entries(number) else { return };
        entries.push(entry);
        let Bucket { depth, slots, .. } = self.buckets[number];
        let slots = slots as usize;
        let largest = BUCKET_BYTES / E::BYTES;
        if slots < largest || !self.may_split(depth) {
            self.fill(number, if slots < largest { (2 * slots).min(largest) } else { 2 * slots }, &entries);
            return;
        }
        let depth = depth + 1;
        if depth > self.depth {
            let mut doubled = Vec::with_capacity(2 * self.directory.len());
            doubled.extend(self.directory.iter().flat_map(|bucket| [*bucket; 2]));
            self.lead(doubled);
            self.depth = depth;
        }
        let (low, high): (Vec<E>, Vec<E>) =
            entries.iter().partition(|entry| first_bits(place_of(entry.hash()), depth) & 1 == 0);
        let start = first_bits(place_of(entry.hash()), depth - 1) << (self.depth + 1 - depth);
        let half = 1 << (self.depth - depth);
        self.buckets[number].depth = depth;
        self.fill(number, roomy::<E>(low.len()), &low);
        let new = self.add_bucket(depth, &high);
        self.directory[start + half..start + 2 * half].fill(new);
    }

    fn may_split(&self, depth: u8) -> bool {
        depth < self.depth || depth < DEPTH_MAX && 2 * self.directory.len() <= LEADS_MAX * self.buckets.len()
    }

    fn lead(&mut self, directory: Vec<u32>) {
        self.share.change(self.directory.capacity() * size_of::<u32>(), directory.capacity() * size_of::<u32>());
        self.directory = directory;
    }

    fn add_bucket(&mut self, depth: u8, entries: &[E]) -> u32 {
        let before = self.buckets.capacity();
        self.buckets.push(Bucket { depth, ..Bucket::default() });
        self.share.change(before * size_of::<Bucket>(), self.buckets.capacity() * size_of::<Bucket>());
        let number = self.buckets.len() - 1;
        self.fill(number, if depth == 0 { SLOTS_FIRST } else { roomy::<E>(entries.len()) }, entries);
        number as u32
    }

    /// Makes a bucket of these entries.
    fn fill(&mut self, number: usize, slots: usize, entries: &[E]) {
        let depth = self.buckets[number].depth;
        let mut bytes = vec![0; slots * E::BYTES];
        for entry in entries {
            let mut slot = first_slot(place_of(entry.hash()), depth, slots);
            while !is_free(&bytes[slot * E::BYTES..]) {
                slot = if slot + 1 == slots { 0 } else { slot + 1 };
            }
            entry.write(&mut bytes[slot * E::BYTES..][..E::BYTES]);
        }
        let bucket = &mut self.buckets[number];
        (bucket.entries, bucket.slots) = (entries.len() as u32, slots as u32);
        let before = bucket.bytes.capacity();
        bucket.bytes = bytes;
        let after = bucket.bytes.capacity();
        self.resize(before, after);
        if self.spilled {
            self.close(number);
        }
    }

    /// The entries of a bucket; `None` where the file failed.
    fn entries(&self, number: usize) -> Option<Vec<E>> {
        let bucket = &self.buckets[number];
        let mut read = Vec::new();
        let bytes = if bucket.bytes.is_empty() {
            read.resize(bucket.slots as usize * E::BYTES, 0);
            let (offset, _) = bucket.extent?;
            if !self.share.budget().read(offset, &mut read) {
                return None;
            }
            &read
        } else {
            &bucket.bytes
        };
        Some(bytes.chunks_exact(E::BYTES).filter(|entry| !is_free(entry)).map(E::read).collect())
    }

    fn close(&mut self, number: usize) {
        let bucket = &mut self.buckets[number];
        let length = bucket.bytes.len();
        let extent = bucket.extent.filter(|(_, capacity)| *capacity >= length).unwrap_or_else(|| {
            let capacity = length.max(BUCKET_BYTES);
            (self.share.budget().allot(capacity as u64), capacity)
        });
        if self.share.budget().write(extent.0, &bucket.bytes) {
            let before = bucket.bytes.capacity();
            bucket.bytes = Vec::new();
            bucket.extent = Some(extent);
            self.resize(before, 0);
        }
    }

    fn resize(&mut self, before: usize, after: usize) {
        self.resident = self.resident + after as u64 - before as u64;
        self.share.change(before, after);
    }
}

impl<E: Entry> Spill for Table<E> {
    fn resident_bytes(&self) -> u64 {
        self.resident
    }

    fn spill(&mut self) {
        if !self.spilled {
            (0..self.buckets.len()).for_each(|number| self.close(number));
            self.spilled = true;
        }
    }
}

impl Bucket {
    /// See [`Table::find`]; `bytes`: its own, wherever they were.
    fn find<E: Entry>(
        &self,
        bytes: &[u8],
        place: u32,
        number: usize,
        mut accept: impl FnMut(E) -> bool,
    ) -> Result<(E, Slot), Slot> {
        let slots = self.slots as usize;
        let mut slot = first_slot(place, self.depth, slots);
        // There is always a free one.
        loop {
            let entry = &bytes[slot * E::BYTES..][..E::BYTES];
            let here = Slot { bucket: number, slot };
            if is_free(entry) {
                return Err(here);
            }
            let entry = E::read(entry);
            if accept(entry) {
                return Ok((entry, here));
            }
            slot = if slot + 1 == slots { 0 } else { slot + 1 };
        }
    }
}

fn is_free(entry: &[u8]) -> bool {
    entry[..4] == [0; 4]
}

/// Slots of a bucket that is no table's first: as many as there can be, or more where so many entries belong together.
fn roomy<E: Entry>(entries: usize) -> usize {
    (BUCKET_BYTES / E::BYTES).max(entries * 8 / 7 + 1)
}

/// Where a hash leads: the first bits choose the bucket, those that follow the slot in it. As a share of the whole range, `x` goes to
/// `x (4 - x) / 3`.
fn place_of(hash: u32) -> u32 {
    let hash = u64::from(hash);
    ((hash * (((1 << 34) - hash) / 3)) >> 32) as u32
}

fn first_bits(place: u32, bits: u8) -> usize {
    if bits == 0 { 0 } else { (place >> (32 - u32::from(bits))) as usize }
}

fn first_slot(place: u32, depth: u8, slots: usize) -> usize {
    ((place << depth) as usize * slots) >> 32
}
