//! Steps side by side: where a load commits on its way, steps that do not depend on each other go over connections of their own, each in
//! transactions of its own, as soon as all that they refer to is committed.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use relink_db::{Connection, TransactionKind};
use relink_model::RelationId;

use crate::{
    Error, Event,
    apply::{Job, Loader, Refusal, Standing},
    load::{self, Round},
    plan,
};

/// Carries out all steps over these connections, of which none is in a transaction, before or after. An error is the first of any connection.
pub(crate) async fn run(
    first: &mut dyn Connection,
    others: &mut [Box<dyn Connection>],
    job: Job<'_>,
    standing: Standing,
    events: &mut dyn FnMut(Event),
) -> Result<Round, Error> {
    let decoder = job.decoder;
    let waits = plan::prerequisites(&decoder.catalog, &decoder.mapping, job.steps, job.state);
    let records = |step: usize| -> u64 {
        let known = |id: &RelationId| job.state.relation(*id).records() + job.state.relation(*id).join_rows;
        job.steps[step].relations.iter().map(known).sum()
    };
    let progress = Progress { done: AtomicU64::new(0), events: Mutex::new(events) };
    let mut standing = standing;
    let mut idle: Vec<&mut dyn Connection> = vec![first];
    idle.extend(others.iter_mut().map(|other| other.as_mut() as &mut dyn Connection));
    let mut running = FuturesUnordered::new();
    let mut begun = HashSet::new();
    let mut refusals = Vec::new();
    let mut failed = None;
    let mut connections = 1;
    loop {
        while failed.is_none() {
            let is_ready = |step: &usize| {
                !begun.contains(step)
                    && !standing.reached[*step].finished
                    && waits[*step].iter().all(|other| standing.reached[*other].finished)
            };
            // The longest first, so that it is not what all others wait for at the end.
            let ready = (0..job.steps.len()).filter(is_ready).max_by_key(|step| (records(*step), usize::MAX - *step));
            let Some(step) = ready else { break };
            // Only where there is a step for it: what is taken comes back with the step's end alone.
            let Some(connection) = idle.pop() else { break };
            begun.insert(step);
            running.push(over(connection, job, step, standing.of(job.steps, step), &progress));
            connections = connections.max(running.len());
        }
        let Some(Lane { connection, step, outcome }) = running.next().await else { break };
        idle.push(connection);
        match outcome {
            Ok(Outcome { committed, refused }) => {
                refusals.extend(refused);
                if let Some(committed) = committed {
                    standing.reached[step] = committed.reached[step];
                    standing.loaded.extend(committed.loaded);
                }
            }
            Err(error) => {
                job.stopped.store(true, Ordering::Relaxed);
                failed.get_or_insert(error);
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(Round { loaded: standing.loaded.clone(), committed: Some(standing), refusals, connections }),
    }
}

/// One step over one connection.
struct Lane<'a> {
    connection: &'a mut dyn Connection,
    step: usize,
    outcome: Result<Outcome, Error>,
}

struct Outcome {
    committed: Option<Standing>,
    refused: Vec<Refusal>,
}

/// Where each connection's progress comes together.
struct Progress<'a> {
    done: AtomicU64,
    events: Mutex<&'a mut dyn FnMut(Event)>,
}

impl Progress<'_> {
    /// Passes an event on; `before` is what this connection had told of its step so far.
    fn pass(&self, event: Event, before: &mut u64) {
        let event = match event {
            Event::Progress { phase, done } => {
                let fresh = done.saturating_sub(std::mem::replace(before, done));
                Event::Progress { phase, done: self.done.fetch_add(fresh, Ordering::Relaxed) + fresh }
            }
            started @ Event::Started { .. } => started,
        };
        (self.events.lock().unwrap_or_else(PoisonError::into_inner))(event);
    }
}

async fn over<'a>(
    connection: &'a mut dyn Connection,
    job: Job<'_>,
    step: usize,
    standing: Standing,
    progress: &Progress<'_>,
) -> Lane<'a> {
    let outcome = match connection.begin(TransactionKind::Write).await {
        Ok(()) => load_step(connection, job, step, standing, progress).await,
        Err(error) => Err(error.into()),
    };
    Lane { connection, step, outcome }
}

/// Loads a step and commits it. What was not committed is rolled back.
async fn load_step(
    connection: &mut dyn Connection,
    job: Job<'_>,
    step: usize,
    standing: Standing,
    progress: &Progress<'_>,
) -> Result<Outcome, Error> {
    let relations = &job.steps[step].relations;
    let prepared = load::prepare(connection, job.request, job.state, &job.decoder.catalog, relations).await;
    let mut loader = Loader::new(connection, job, step..step + 1, standing);
    let mut before = 0;
    let mut outcome = prepared;
    if outcome.is_ok() {
        outcome = loader.run(&mut |event| progress.pass(event, &mut before)).await;
    }
    let sound = outcome.is_ok() && loader.is_sound();
    if sound {
        outcome = loader.commit().await;
    }
    let Loader { committed, refusals, .. } = loader;
    if !sound || outcome.is_err() {
        let rolled_back = connection.rollback().await;
        // The first error is the one to report.
        outcome = outcome.and(rolled_back.map_err(Error::from));
    }
    outcome.map(|()| Outcome { committed, refused: refusals })
}
