//! What a restore tells while it runs.

/// A long piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading and checking every record; counted in records.
    PreScan,
    /// Writing; counted in records.
    Load,
    /// Everything between the last row and the end; not counted.
    Finish,
}

/// Progress of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A phase begins; `total` is 0 where it is not counted.
    Started {
        /// Which.
        phase: Phase,
        /// Its size.
        total: u64,
    },
    /// A phase goes on.
    Progress {
        /// Which.
        phase: Phase,
        /// How far.
        done: u64,
    },
}
