//! How much memory the caches may take, how much they take, and the temporary file that holds what is beyond.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{Error, report::MemoryFacts};

/// The budget of one restore, shared by all its caches; by default there is no limit.
///
/// All of them spill into one file without a name, made when it is first needed, in the system's directory for temporary files. Its space
/// is allotted once and never taken back: structures only grow.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// Bytes; `None`: no limit.
    allowed: Option<u64>,
    used: AtomicU64,
    file: OnceLock<File>,
    /// Bytes of the file that are allotted.
    end: AtomicU64,
    failure: OnceLock<Arc<io::Error>>,
    /// Calls to the file before the one that fails.
    #[cfg(test)]
    calls_left: Option<AtomicU64>,
}

impl Budget {
    /// So many bytes; `None`: no limit.
    pub(crate) fn new(allowed: Option<u64>) -> Arc<Self> {
        Arc::new(Self { allowed, ..Self::default() })
    }

    /// The first error of the temporary file, if there was one: nothing that the caches have said since can be relied upon.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.failure.get() {
            None => Ok(()),
            Some(source) => Err(Error::Spill { directory: directory(), source: Arc::clone(source) }),
        }
    }

    /// For the report. Depends on the data alone, not on chance or time.
    pub(crate) fn facts(&self) -> MemoryFacts {
        MemoryFacts { budget: self.allowed, spilled_bytes: self.end.load(Relaxed) }
    }

    /// Without a limit, over a file whose calls fail after so many.
    #[cfg(test)]
    pub(super) fn failing_after(calls: u64) -> Arc<Self> {
        Arc::new(Self { calls_left: Some(AtomicU64::new(calls)), ..Self::default() })
    }

    /// Bytes that the caches take now.
    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.allowed.is_some_and(|allowed| self.used.load(Relaxed) > allowed)
    }

    /// Whether a quarter of the budget is free.
    pub(super) fn has_room(&self) -> bool {
        self.allowed.is_none_or(|allowed| self.used.load(Relaxed) <= allowed / 4 * 3)
    }

    /// Space in the file.
    pub(super) fn allot(&self, bytes: u64) -> u64 {
        self.end.fetch_add(bytes, Relaxed)
    }

    /// Fills the buffer from the file. Whether it did; if not, the reason is kept for [`Self::check`].
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> bool {
        self.with_file(|file| file.read_exact_at(buffer, offset))
    }

    /// Writes to the file. Whether it did, as in [`Self::read`].
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> bool {
        self.with_file(|file| file.write_all_at(bytes, offset))
    }

    /// Keeps the first error.
    pub(super) fn fail(&self, error: io::Error) {
        let _ = self.failure.set(Arc::new(error));
    }

    fn with_file(&self, call: impl FnOnce(&File) -> io::Result<()>) -> bool {
        if self.failure.get().is_some() {
            return false;
        }
        #[cfg(test)]
        if let Some(left) = &self.calls_left
            && left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err()
        {
            self.fail(io::ErrorKind::StorageFull.into());
            return false;
        }
        let done = match self.file.get() {
            Some(file) => call(file),
            // Where two threads make one at the same time, the second file is dropped.
            None => tempfile::tempfile().and_then(|file| call(self.file.get_or_init(|| file))),
        };
        done.map_err(|error| self.fail(error)).is_ok()
    }
}

/// Where temporary files are.
fn directory() -> PathBuf {
    std::env::temp_dir()
}

/// What one structure takes of the budget; gives it back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Share {
    pub(super) fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Notes that something of `before` bytes has become one of `after`.
    pub(super) fn change(&mut self, before: usize, after: usize) {
        let (before, after) = (before as u64, after as u64);
        self.bytes = self.bytes + after - before;
        if after >= before {
            self.budget.used.fetch_add(after - before, Relaxed);
        } else {
            self.budget.used.fetch_sub(before - after, Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}
