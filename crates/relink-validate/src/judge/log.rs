//! Entries that are sorted once all of them are there, in memory and, beyond its share, in a temporary file.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    sync::Arc,
};

use bigdecimal::{BigDecimal, num_bigint::BigInt};

/// How much memory one log may take, and where the rest goes.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// Bytes of one log at most.
    pub(crate) bytes: usize,
    /// The folder for temporary files.
    pub(crate) folder: Arc<PathBuf>,
}

/// Something that a log sorts.
pub(crate) trait Entry: Ord + Send + Sync + Sized {
    /// About how many bytes it takes in memory.
    fn size(&self) -> usize;
    /// Writes it.
    fn write(&self, to: &mut Vec<u8>);
    /// Reads what [`Entry::write`] wrote; `None` where that cannot be.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

/// A key and the row that has it. Sorts by the key, then by its side, then by the row. Takes 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The halves of the hash: in one piece it would have to stand at multiples of 16 bytes.
    hash: [u64; 2],
    /// The side above, the row's ordinal below.
    place: u64,
}

/// Bits of a row's ordinal: no relation has more than 10^12 rows.
const ORDINAL_BITS: u32 = 40;

impl Key {
    /// Of a row on a side: which that is, and how many there are, is up to who compares.
    pub(crate) fn new(hash: u128, side: u32, ordinal: u64) -> Self {
        debug_assert!(side < 1 << (u64::BITS - ORDINAL_BITS) && ordinal < 1 << ORDINAL_BITS);
        Self { hash: [(hash >> 64) as u64, hash as u64], place: u64::from(side) << ORDINAL_BITS | ordinal }
    }

    pub(crate) fn hash(&self) -> u128 {
        u128::from(self.hash[0]) << 64 | u128::from(self.hash[1])
    }

    pub(crate) fn side(&self) -> u32 {
        (self.place >> ORDINAL_BITS) as u32
    }

    pub(crate) fn ordinal(&self) -> u64 {
        self.place & ((1 << ORDINAL_BITS) - 1)
    }
}

impl Entry for Key {
    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn write(&self, to: &mut Vec<u8>) {
        for half in self.hash {
            to.extend_from_slice(&half.to_le_bytes());
        }
        to.extend_from_slice(&self.place.to_le_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let mut number = || take(from).map(u64::from_le_bytes);
        Some(Self { hash: [number()?, number()?], place: number()? })
    }
}

impl Entry for u64 {
    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        take(from).map(Self::from_le_bytes)
    }
}

/// The next bytes.
pub(crate) fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*bytes)
}

/// A text, after its length.
pub(crate) fn write_text(text: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(&(text.len() as u32).to_le_bytes());
    to.extend_from_slice(text.as_bytes());
}

/// What [`write_text`] wrote.
pub(crate) fn read_text(from: &mut &[u8]) -> Option<String> {
    let length = u32::from_le_bytes(take(from)?) as usize;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    String::from_utf8(text.to_vec()).ok()
}

/// A number, whatever its size: its units, and digits after the point.
pub(crate) fn write_number(number: &BigDecimal, to: &mut Vec<u8>) {
    let (units, scale) = number.as_bigint_and_scale();
    let units = units.to_signed_bytes_le();
    to.extend_from_slice(&(units.len() as u32).to_le_bytes());
    to.extend_from_slice(&units);
    to.extend_from_slice(&scale.to_le_bytes());
}

/// What [`write_number`] wrote.
pub(crate) fn read_number(from: &mut &[u8]) -> Option<BigDecimal> {
    let length = u32::from_le_bytes(take(from)?) as usize;
    let (units, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(BigDecimal::new(BigInt::from_signed_bytes_le(units), i64::from_le_bytes(take(from)?)))
}

/// Entries on their way to being sorted.
#[derive(Debug)]
pub(crate) struct Log<E> {
    memory: Memory,
    entries: Vec<E>,
    bytes: usize,
    runs: Vec<std::fs::File>,
}

impl<E: Entry> Log<E> {
    pub(crate) fn new(memory: Memory) -> Self {
        Self { memory, entries: Vec::new(), bytes: 0, runs: Vec::new() }
    }

    /// Adds entries.
    pub(crate) fn extend(&mut self, entries: Vec<E>) -> io::Result<()> {
        self.bytes += entries.iter().map(Entry::size).sum::<usize>();
        if self.entries.is_empty() {
            self.entries = entries;
        } else {
            self.entries.extend(entries);
        }
        if self.bytes > self.memory.bytes { self.spill() } else { Ok(()) }
    }

    /// Takes the entries out, where all of them are in memory and take so many bytes at most.
    pub(crate) fn take_if_small(&mut self, bytes_max: usize) -> Option<Vec<E>> {
        let small = self.runs.is_empty() && self.bytes <= bytes_max;
        small.then(|| {
            self.bytes = 0;
            std::mem::take(&mut self.entries)
        })
    }

    /// How much memory it may take.
    pub(crate) fn bytes_max(&self) -> usize {
        self.memory.bytes
    }

    /// Sorts what is in memory and writes it away.
    fn spill(&mut self) -> io::Result<()> {
        rayon::slice::ParallelSliceMut::par_sort_unstable(self.entries.as_mut_slice());
        let file = tempfile::tempfile_in(self.memory.folder.as_path())?;
        let mut writer = BufWriter::new(file);
        let mut bytes = Vec::new();
        for entry in self.entries.drain(..) {
            bytes.clear();
            entry.write(&mut bytes);
            writer.write_all(&(bytes.len() as u32).to_le_bytes())?;
            writer.write_all(&bytes)?;
        }
        let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        self.runs.push(file);
        self.bytes = 0;
        Ok(())
    }

    /// All entries in their order.
    pub(crate) fn sorted(mut self) -> io::Result<Sorted<E>> {
        rayon::slice::ParallelSliceMut::par_sort_unstable(self.entries.as_mut_slice());
        let mut sorted = Sorted { memory: self.entries.into_iter(), runs: Vec::new(), heads: BinaryHeap::new() };
        for run in self.runs {
            sorted.runs.push(BufReader::new(run));
        }
        if !sorted.runs.is_empty() {
            for source in 0..=sorted.runs.len() {
                sorted.refill(source)?;
            }
        }
        Ok(sorted)
    }
}

/// Entries in their order.
pub(crate) struct Sorted<E> {
    memory: std::vec::IntoIter<E>,
    runs: Vec<BufReader<std::fs::File>>,
    /// The next entry of each source: the runs, then the memory.
    heads: BinaryHeap<Reverse<(E, usize)>>,
}

impl<E: Entry> Sorted<E> {
    fn refill(&mut self, source: usize) -> io::Result<()> {
        let next = match self.runs.get_mut(source) {
            None => self.memory.next(),
            Some(run) => read_entry(run)?,
        };
        self.heads.extend(next.map(|entry| Reverse((entry, source))));
        Ok(())
    }

    /// The next entry.
    pub(crate) fn next(&mut self) -> io::Result<Option<E>> {
        if self.runs.is_empty() {
            return Ok(self.memory.next());
        }
        let Some(Reverse((entry, source))) = self.heads.pop() else { return Ok(None) };
        self.refill(source)?;
        Ok(Some(entry))
    }
}

fn read_entry<E: Entry>(run: &mut BufReader<std::fs::File>) -> io::Result<Option<E>> {
    let mut length = [0; 4];
    match run.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    run.read_exact(&mut bytes)?;
    let entry = E::read(&mut bytes.as_slice());
    entry.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a temporary file was changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_the_memory_is_sorted_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        for bytes in [1_000_000, 100, 1] {
            let memory = Memory { bytes, folder: Arc::new(folder.path().to_owned()) };
            let mut log = Log::new(memory);
            let mut expected = Vec::new();
            for piece in 0..7_u64 {
                let key = |at: u64| {
                    let half = u128::from((at * 7_919 + piece * 31) % 97);
                    Key::new(half << 64 | half, (at % 2) as u32, at)
                };
                let entries: Vec<Key> = (0..50).map(key).collect();
                expected.extend_from_slice(&entries);
                log.extend(entries).expect("written");
            }
            expected.sort_unstable();
            let mut sorted = log.sorted().expect("sorted");
            let mut found = Vec::new();
            while let Some(entry) = sorted.next().expect("read") {
                found.push(entry);
            }
            assert_eq!(found, expected, "{bytes}");
        }
    }

    #[test]
    fn a_key_says_what_it_was_made_of() {
        for (hash, side, ordinal) in [(0, 0, 0), (u128::MAX - 7, 0x00ff_ffff, (1 << 40) - 1), (1 << 64, 1, 12)] {
            let key = Key::new(hash, side, ordinal);
            assert_eq!((key.hash(), key.side(), key.ordinal()), (hash, side, ordinal));
        }
        assert!(Key::new(1, 1, 0) < Key::new(1 << 64, 0, 0), "by the hash first");
        assert!(Key::new(1, 0, 9) < Key::new(1, 1, 0), "by the side then");
        assert_eq!(size_of::<Key>(), 24);
    }

    #[test]
    fn a_number_is_kept_whatever_its_size() {
        for text in ["0", "-0.05", "1e300", "12345678901234567890.123"] {
            let number: BigDecimal = text.parse().expect("a number");
            for number in [&number * &number, -number] {
                let mut bytes = Vec::new();
                write_number(&number, &mut bytes);
                assert_eq!(read_number(&mut bytes.as_slice()), Some(number), "{text}");
            }
        }
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error_and_loses_nothing_in_silence() {
        let memory = Memory { bytes: 1, folder: Arc::new(PathBuf::from("/nonexistent/folder")) };
        let mut log = Log::new(memory);
        assert!(log.extend(vec![Key::new(1, 0, 1)]).is_err());
    }
}
