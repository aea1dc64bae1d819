//! Streams decoded rows from a thread of its own, so that reading and decoding overlap with what the database does. At most a
//! few chunks are in memory at a time.

use std::{sync::Arc, thread::JoinHandle};

use relink_export::{ExportError, Run, Source};
use tokio::sync::mpsc;

use crate::{
    decode::{Decoder, Problem, Row},
    memory::{Ordinal, Position},
};

/// Rows handed over at once.
const CHUNK_ROWS: usize = 4_096;
/// Bytes of the export's text handed over at once, as soon as there are so many.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Chunks that may wait.
const CHUNKS_WAITING: usize = 2;

/// Rows whose positions are known at a time, where they are not read in the order of the file.
pub(crate) const PIECE_ROWS: usize = 65_536;

/// A decoded record and what is wrong with it.
pub(crate) type Decoded = (Row, Vec<Problem>);

/// Rows that came together.
pub(crate) type Chunk = Vec<Decoded>;

/// In which order records are read.
pub(crate) enum Order {
    /// As they stand in the file.
    File(Vec<Run>),
    /// In the order given, with their ordinals.
    Rows(Vec<(Ordinal, Position)>),
}

/// Chunks of rows as they come.
pub(crate) struct Rows {
    receiver: mpsc::Receiver<Result<Chunk, ExportError>>,
    thread: Option<JoinHandle<()>>,
}

impl Rows {
    /// The next chunk; `None` after the last record. A panic of the reading thread is passed on: records must not end early in silence.
    pub(crate) async fn recv(&mut self) -> Option<Result<Chunk, ExportError>> {
        let chunk = self.receiver.recv().await;
        if let (None, Some(thread)) = (&chunk, self.thread.take())
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
        chunk
    }
}

/// Starts reading; the stream ends after the last record or the first error. Dropping it stops the thread.
pub(crate) fn rows(source: &Source, decoder: &Arc<Decoder>, order: Order) -> Rows {
    rows_by(source, decoder, order, CHUNK_ROWS)
}

/// As [`rows`], with at most so many in a chunk.
pub(crate) fn rows_by(source: &Source, decoder: &Arc<Decoder>, order: Order, rows_max: usize) -> Rows {
    let rows_max = rows_max.clamp(1, CHUNK_ROWS);
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let (source, decoder) = (source.clone(), Arc::clone(decoder));
    let thread = std::thread::spawn(move || {
        let result = match order {
            Order::File(runs) => read_runs(&source, &decoder, &runs, rows_max, &sender),
            Order::Rows(rows) => read_rows(&source, &decoder, &rows, rows_max, &sender),
        };
        if let Err(Stop::Export(error)) = result {
            // Nobody listens any more where the receiver was dropped first.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Rows { receiver, thread: Some(thread) }
}

enum Stop {
    Export(ExportError),
    Unheard,
}

type Sender = mpsc::Sender<Result<Chunk, ExportError>>;

fn read_runs(source: &Source, decoder: &Decoder, runs: &[Run], rows_max: usize, sender: &Sender) -> Result<(), Stop> {
    let mut ordinal: Ordinal = 0;
    let mut last = None;
    let mut filling = Filling::new(sender, rows_max);
    for run in runs {
        let relation = decoder.relation_of(run.label);
        let mut reader = source.records(run);
        while let Some(record) = reader.next() {
            let record = record.map_err(Stop::Export)?;
            ordinal += 1;
            if relation.is_some_and(|relation| decoder.left_out.holds(relation, ordinal - 1)) {
                continue;
            }
            let decoded = decoder.decode(&record, ordinal - 1, &mut last).map_err(Stop::Export)?;
            filling.push(decoded)?;
        }
    }
    filling.send()
}

fn read_rows(
    source: &Source,
    decoder: &Decoder,
    rows: &[(Ordinal, Position)],
    rows_max: usize,
    sender: &Sender,
) -> Result<(), Stop> {
    let mut last = None;
    let mut filling = Filling::new(sender, rows_max);
    for (ordinal, position) in rows {
        if decoder.relation_of(position.label).is_some_and(|relation| decoder.left_out.holds(relation, *ordinal)) {
            continue;
        }
        let record = source.record_at(position.label, position.file_ordinal, position.offset).map_err(Stop::Export)?;
        filling.push(decoder.decode(&record.record(), *ordinal, &mut last).map_err(Stop::Export)?)?;
    }
    filling.send()
}

/// A chunk being filled.
struct Filling<'a> {
    sender: &'a Sender,
    chunk: Chunk,
    bytes: usize,
    rows_max: usize,
}

impl<'a> Filling<'a> {
    fn new(sender: &'a Sender, rows_max: usize) -> Self {
        Self { sender, chunk: Vec::with_capacity(rows_max), bytes: 0, rows_max }
    }

    fn push(&mut self, decoded: Decoded) -> Result<(), Stop> {
        self.bytes += decoded.0.bytes;
        self.chunk.push(decoded);
        if self.chunk.len() == self.rows_max || self.bytes >= CHUNK_BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Stop> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(self.rows_max));
        self.sender.blocking_send(Ok(chunk)).map_err(|_| Stop::Unheard)
    }
}
