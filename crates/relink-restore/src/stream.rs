//! Streams decoded rows from a thread of its own, so that reading and decoding overlap with what the database does. At most a
//! few chunks are in memory at a time.

use std::sync::Arc;

use relink_export::{ExportError, Run, Source};
use tokio::sync::mpsc;

use crate::{
    decode::{Decoder, Problem, Row},
    key::Ordinal,
    state::Position,
};

/// Rows handed over at once.
const CHUNK_ROWS: usize = 4_096;
/// Chunks that may wait.
const CHUNKS_WAITING: usize = 3;

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

/// Starts reading; the stream ends after the last record or the first error. Dropping the receiver stops the thread.
pub(crate) fn rows(
    source: &Source,
    decoder: &Arc<Decoder>,
    order: Order,
) -> mpsc::Receiver<Result<Chunk, ExportError>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let (source, decoder) = (source.clone(), Arc::clone(decoder));
    std::thread::spawn(move || {
        let result = match order {
            Order::File(runs) => read_runs(&source, &decoder, &runs, &sender),
            Order::Rows(rows) => read_rows(&source, &decoder, &rows, &sender),
        };
        if let Err(Stop::Export(error)) = result {
            // Nobody listens any more where the receiver was dropped first.
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

enum Stop {
    Export(ExportError),
    Unheard,
}

type Sender = mpsc::Sender<Result<Chunk, ExportError>>;

fn read_runs(source: &Source, decoder: &Decoder, runs: &[Run], sender: &Sender) -> Result<(), Stop> {
    let mut ordinal: Ordinal = 0;
    let mut last = None;
    let mut chunk = Vec::with_capacity(CHUNK_ROWS);
    for run in runs {
        let mut reader = source.records(run);
        while let Some(record) = reader.next() {
            let record = record.map_err(Stop::Export)?;
            chunk.push(decoder.decode(&record, ordinal, &mut last).map_err(Stop::Export)?);
            ordinal += 1;
            if chunk.len() == CHUNK_ROWS {
                send(sender, std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_ROWS)))?;
            }
        }
    }
    send(sender, chunk)
}

fn read_rows(source: &Source, decoder: &Decoder, rows: &[(Ordinal, Position)], sender: &Sender) -> Result<(), Stop> {
    let mut last = None;
    for rows in rows.chunks(CHUNK_ROWS) {
        let mut chunk = Vec::with_capacity(rows.len());
        for (ordinal, position) in rows {
            let record =
                source.record_at(position.label, position.file_ordinal, position.offset).map_err(Stop::Export)?;
            chunk.push(decoder.decode(&record.record(), *ordinal, &mut last).map_err(Stop::Export)?);
        }
        send(sender, chunk)?;
    }
    Ok(())
}

fn send(sender: &Sender, chunk: Chunk) -> Result<(), Stop> {
    if chunk.is_empty() {
        return Ok(());
    }
    sender.blocking_send(Ok(chunk)).map_err(|_| Stop::Unheard)
}
