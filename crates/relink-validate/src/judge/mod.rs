//! What rows come to, judged here: the same whether they come from a database or out of an export.
//!
//! An [`Evaluator`] says which relations it reads ([`Feed`]), looks at their rows batch by batch ([`Evaluator::look`] is pure, so that batches can
//! be looked at side by side), takes down what it needs ([`Evaluator::absorb`], in the order of the rows) and comes to its [`Outcome`] when all rows have been
//! seen. Rows are named by their ordinals: whoever has the rows fetches those that a report shows.

mod amount;
mod keys;
mod known;
mod log;
mod named;
mod polymorphic;
mod reference;
mod rows;
mod same;
mod sequence;
mod sums;
mod tree;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io,
};

use async_trait::async_trait;
use foldhash::quality::FixedState;
use indexmap::IndexMap;
use relink_model::{Place, RelationId, Value};
use relink_rules::{
    Part,
    expression::{Bound, Fault, Moment},
    whole_number,
};
use std::hash::{BuildHasher as _, Hasher as _};

pub(crate) use self::{
    log::Memory,
    named::{columns_shown, sample_of},
    polymorphic::NO_ROW,
    sums::{DIFFERS, MISSING, NO_NUMBER, null_lines_note, written},
};
use crate::plan::test::Test;

/// Rows looked at together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The ordinal of the first row, from 0, among the relation's.
    pub(crate) first: u64,
    /// How many rows there are.
    pub(crate) rows: usize,
    /// The values of the columns that were asked for, in that order, row after row.
    pub(crate) values: Vec<Value>,
    /// What is to be said of single values, by row and column of the batch.
    pub(crate) odd: HashMap<(usize, usize), Odd>,
}

impl Batch {
    /// Forgets the rows, and keeps the allocation.
    pub(crate) fn clear(&mut self) {
        self.rows = 0;
        self.values.clear();
        self.odd.clear();
    }

    /// The values of each row.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[Value]> {
        let width = self.values.len().checked_div(self.rows).unwrap_or(0);
        (0..self.rows).map(move |row| &self.values[row * width..(row + 1) * width])
    }
}

/// What is to be said of a value of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    /// It does not fit its column, and why.
    Unfit(String),
    /// The record does not have it, and a database would fill it in.
    Absent,
    /// It names a row that may not be in the export: the value is its words, and where it leads cannot be told.
    Unresolved,
}

/// A row as expressions see it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    values: &'a [Value],
    number: usize,
    odd: &'a HashMap<(usize, usize), Odd>,
    /// By column of the relation: where its value stands.
    slots: &'a [usize],
}

impl<'a> View<'a> {
    /// The value of a column by its index in the relation.
    pub(crate) fn get(self, column: usize) -> &'a Value {
        self.slots.get(column).and_then(|slot| self.values.get(*slot)).unwrap_or(&Value::Null)
    }

    /// Whether anything is to be said of a value of its batch.
    pub(crate) fn is_odd(self) -> bool {
        !self.odd.is_empty()
    }

    /// Whether one of these columns names a row that may not be in the export.
    pub(crate) fn leads_beyond(self, columns: impl IntoIterator<Item = usize>) -> bool {
        self.is_odd() && columns.into_iter().any(|column| self.odd(column) == Some(&Odd::Unresolved))
    }

    /// What is to be said of the value of a column.
    pub(crate) fn odd(self, column: usize) -> Option<&'a Odd> {
        if self.odd.is_empty() {
            return None;
        }
        self.slots.get(column).and_then(|slot| self.odd.get(&(self.number, *slot)))
    }
}

/// A relation that an evaluator reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) relation: RelationId,
    /// Columns by their index, each once.
    pub(crate) columns: Vec<usize>,
}

impl Feed {
    /// Of a relation, with the columns that these parts and expressions read.
    fn new(relation: RelationId, parts: &[&[Part]], expressions: &[Option<&Bound>]) -> Self {
        let of_parts = parts.iter().flat_map(|parts| parts.iter()).flat_map(Part::columns);
        let of_expressions = expressions.iter().flatten().flat_map(|bound| bound.columns()).map(|(column, _)| column);
        let mut columns: Vec<usize> = of_parts.chain(of_expressions).collect();
        columns.sort_unstable();
        columns.dedup();
        Self { relation, columns }
    }
}

/// What an evaluator has seen in one batch.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Rows seen.
    total: u64,
    not_judged: u64,
    /// Rows without the key by which they are compared.
    keyless: u64,
    /// Rows that hold a date of which nobody can tell which day it is.
    open: u64,
    wrong: Vec<Wrong>,
    /// Hashes of the values of failing rows, to count distinct ones.
    values: Vec<u128>,
    keys: Vec<log::Key>,
    amounts: Vec<sums::Entry>,
    places: Vec<sequence::Entry>,
    links: Vec<tree::Link>,
    prints: Vec<u64>,
    rows: Vec<same::Row>,
    typed: Vec<polymorphic::Typed>,
    labels: Vec<(String, String)>,
    latest: Option<(jiff::Timestamp, String)>,
}

/// A row that fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Which feed of the evaluator it came from.
    pub(crate) feed: usize,
    pub(crate) ordinal: u64,
    pub(crate) problem: Option<String>,
    pub(crate) group: Option<u64>,
    /// What the row itself does not hold.
    pub(crate) beside: Vec<(String, Option<String>)>,
}

/// What a check comes to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) total: u64,
    pub(crate) not_judged: u64,
    pub(crate) failed: u64,
    pub(crate) failed_distinct: u64,
    /// What is wrong, and how often: the most frequent first.
    pub(crate) problems: IndexMap<String, u64>,
    /// Rows that fail, in their order, as many as were asked for.
    pub(crate) wrong: Vec<Wrong>,
    wrong_max: usize,
    pub(crate) notes: Vec<String>,
    /// The sum of all differences, each without its sign.
    pub(crate) difference: Option<String>,
    /// Keys that several failing rows share: a row that has it, and how many do.
    pub(crate) frequent: Vec<(u64, u64)>,
    /// Distinct keys among the rows judged, where that was counted.
    pub(crate) judged_distinct: Option<u64>,
}

impl Outcome {
    fn new(setting: &Setting) -> Self {
        Self { wrong_max: setting.wrong_max, ..Self::default() }
    }

    /// Takes down a row that fails. They may come in any order, and memory is taken for those alone that are named.
    fn fail(&mut self, wrong: Wrong) {
        self.failed += 1;
        if let Some(problem) = &wrong.problem {
            match self.problems.get_mut(problem) {
                Some(rows) => *rows += 1,
                None => drop(self.problems.insert(problem.clone(), 1)),
            }
        }
        if self.wrong_max > 0 {
            self.wrong.push(wrong);
        }
        // So seldom that it costs little.
        if self.wrong.len() > 2 * self.wrong_max + 1_000 {
            self.keep_first();
        }
    }

    fn keep_first(&mut self) {
        self.wrong.sort_by_key(|wrong| (wrong.group.unwrap_or(u64::MAX), wrong.feed, wrong.ordinal));
        self.wrong.truncate(self.wrong_max);
    }

    /// When all of them are there.
    fn settled(mut self) -> Self {
        self.keep_first();
        self.problems.sort_by(|one, rows, other, others| others.cmp(rows).then_with(|| one.cmp(other)));
        self
    }
}

/// What evaluators are given.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) at: Moment,
    /// Failing rows to name, at most.
    pub(crate) wrong_max: usize,
    pub(crate) memory: Memory,
    /// Whether it matters how many distinct keys are judged.
    pub(crate) counts_keys: bool,
}

/// Judges the rows of one check.
pub(crate) trait Evaluator: Send + Sync {
    /// What it reads.
    fn feeds(&self) -> Vec<Feed>;

    /// The feed that is best seen before the others. No more than a wish: rows may refer to rows of their own relation.
    fn first(&self) -> Option<usize> {
        None
    }

    /// All rows of a feed have been seen.
    fn seen(&mut self, feed: usize) {
        let _ = feed;
    }

    /// What it reads then, once all of these have been seen: only now does it know what else it needs.
    fn later(&mut self) -> io::Result<Vec<Feed>> {
        Ok(Vec::new())
    }

    /// Looks at rows of a feed.
    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes);

    /// Takes down what was seen. Comes in the order of the rows.
    fn absorb(&mut self, feed: usize, notes: Notes) -> io::Result<()>;

    /// What it all comes to, once every feed has been seen.
    fn finish(self: Box<Self>) -> io::Result<Outcome>;
}

/// The evaluator of a test; `None` where only a database can tell, or nothing has to be asked.
pub(crate) fn evaluator(test: &Test, setting: &Setting) -> Option<Box<dyn Evaluator>> {
    let setting = setting.clone();
    Some(match test {
        Test::Row(test) => Box::new(rows::Rows::new(test.clone(), setting)),
        Test::NotNull(test) => Box::new(rows::Rows::not_null(test, setting)),
        Test::Expression(test) => Box::new(rows::Rows::new(test.condition.clone()?, setting)),
        Test::Stored(test) => Box::new(rows::Rows::stored(test, setting)),
        Test::Unique(test) => Box::new(keys::Keys::new(test.clone(), setting)),
        Test::Reference(test) => Box::new(reference::References::new(test.clone(), setting)),
        Test::Polymorphic(test) => Box::new(polymorphic::Polymorphics::new(test.as_ref().clone(), setting)),
        Test::Sums(test) => Box::new(sums::Sums::new(test.as_ref().clone(), setting)),
        Test::Running(test) => Box::new(sequence::Running::new(test.as_ref().clone(), setting)),
        Test::NoOverlap(test) => Box::new(sequence::Overlaps::new(test.clone(), setting)),
        Test::Acyclic(test) => Box::new(tree::Tree::new(test.clone(), setting)),
        Test::Count(test) => Box::new(rows::Counted::new(test.clone(), setting)),
        Test::Fresh(test) => Box::new(rows::Latest::new(test.clone(), setting)),
        Test::Same(test) => Box::new(same::Same::new(test.clone(), setting)),
        Test::Stated | Test::Sql(_) => return None,
    })
}

/// A row as a report names it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    pub(crate) key: IndexMap<String, Option<String>>,
    /// The columns asked for, in that order.
    pub(crate) values: Vec<Value>,
    pub(crate) place: Option<Place>,
    /// A print of all of the row, where `key` does not stay with it.
    pub(crate) content: Option<String>,
}

/// Looks at a batch: what each of those who look has seen.
pub(crate) type Look<'a> = dyn Fn(&Batch) -> Vec<Notes> + Sync + 'a;

/// Takes down what was seen.
pub(crate) type Absorb<'a> = dyn FnMut(Vec<Notes>) -> io::Result<()> + Send + 'a;

/// Where rows come from.
#[async_trait]
pub(crate) trait RowSource: Send {
    /// What keeps a relation from being read.
    type Trouble: Clone + Send + Sync + From<io::Error>;

    /// Reads a relation from its first row to its last, always in the same order: `look` at each batch, then `absorb` what it gave, in order.
    async fn scan(&mut self, feed: &Feed, look: &Look<'_>, absorb: &mut Absorb<'_>) -> Result<(), Self::Trouble>;

    /// Rows by their ordinals, which are sorted, in that order.
    async fn fetch(
        &mut self,
        relation: RelationId,
        columns: &[usize],
        ordinals: &[u64],
    ) -> Result<Vec<Named>, Self::Trouble>;
}

/// Lets every evaluator see its rows: each relation is read once for all of them, save where one has to see another relation first.
pub(crate) async fn run<S: RowSource>(
    source: &mut S,
    evaluators: Vec<Box<dyn Evaluator>>,
) -> Vec<Result<Outcome, S::Trouble>> {
    let mut feeds: Vec<Vec<Feed>> = evaluators.iter().map(|evaluator| evaluator.feeds()).collect();
    let firsts: Vec<(RelationId, RelationId)> = evaluators
        .iter()
        .zip(&feeds)
        .filter_map(|(evaluator, feeds)| Some((feeds.get(evaluator.first()?)?.relation, feeds)))
        .flat_map(|(first, feeds)| feeds.iter().map(move |feed| (first, feed.relation)))
        .collect();
    let mut running: Vec<Result<Box<dyn Evaluator>, S::Trouble>> = evaluators.into_iter().map(Ok).collect();
    let mut seen = vec![0; feeds.len()];
    for round in 0..2 {
        if round == 1 {
            for (feeds, evaluator) in feeds.iter_mut().zip(&mut running) {
                let later = evaluator.as_mut().map_or_else(|_| Ok(Vec::new()), |evaluator| evaluator.later());
                match later {
                    Ok(later) => feeds.extend(later),
                    Err(error) => *evaluator = Err(error.into()),
                }
            }
        }
        let fresh = |(at, feeds): (usize, &Vec<Feed>)| -> Vec<(usize, usize, RelationId)> {
            let new = feeds.iter().enumerate().skip(seen[at]);
            new.map(|(number, feed)| (at, number, feed.relation)).collect()
        };
        let all: Vec<(usize, usize, RelationId)> = feeds.iter().enumerate().flat_map(fresh).collect();
        for relation in in_order(all.iter().map(|(_, _, relation)| *relation).collect(), &firsts) {
            let of_relation = all.iter().filter(|(at, _, other)| *other == relation && running[*at].is_ok());
            let looking: Vec<(usize, usize)> = of_relation.map(|(at, feed, _)| (*at, *feed)).collect();
            if looking.is_empty() {
                continue;
            }
            let scanned = scan(source, relation, &feeds, &looking, &mut running).await;
            for (at, feed) in &looking {
                match (&scanned, &mut running[*at]) {
                    (Err(trouble), evaluator) => *evaluator = Err(trouble.clone()),
                    (Ok(()), Ok(evaluator)) => evaluator.seen(*feed),
                    (Ok(()), Err(_)) => {}
                }
            }
        }
        seen = feeds.iter().map(Vec::len).collect();
    }
    running.into_iter().map(|evaluator| evaluator.and_then(|evaluator| Ok(evaluator.finish()?.settled()))).collect()
}

/// Relations, each after those that are best seen before it, as far as they do not wait for each other.
fn in_order(mut relations: BTreeSet<RelationId>, firsts: &[(RelationId, RelationId)]) -> Vec<RelationId> {
    let mut waiting: HashMap<RelationId, usize> = HashMap::new();
    let mut after: HashMap<RelationId, Vec<RelationId>> = HashMap::new();
    for (first, then) in firsts.iter().filter(|(first, then)| first != then) {
        if relations.contains(first) && relations.contains(then) {
            *waiting.entry(*then).or_default() += 1;
            after.entry(*first).or_default().push(*then);
        }
    }
    let free = |relation: &&RelationId| !waiting.contains_key(relation);
    let mut ready: BTreeSet<RelationId> = relations.iter().filter(free).copied().collect();
    let mut ordered = Vec::with_capacity(relations.len());
    // Where all that is left waits for each other, the first one goes ahead.
    while let Some(next) = ready.pop_first().or_else(|| relations.first().copied()) {
        relations.remove(&next);
        ordered.push(next);
        for then in after.remove(&next).unwrap_or_default() {
            let left = waiting.entry(then).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 && relations.contains(&then) {
                ready.insert(then);
            }
        }
    }
    ordered
}

async fn scan<S: RowSource>(
    source: &mut S,
    relation: RelationId,
    feeds: &[Vec<Feed>],
    looking: &[(usize, usize)],
    running: &mut [Result<Box<dyn Evaluator>, S::Trouble>],
) -> Result<(), S::Trouble> {
    let mut columns: Vec<usize> =
        looking.iter().flat_map(|(at, feed)| feeds[*at][*feed].columns.iter().copied()).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut slots = vec![usize::MAX; columns.last().map_or(0, |last| last + 1)];
    for (slot, column) in columns.iter().enumerate() {
        slots[*column] = slot;
    }
    let feed = Feed { relation, columns };
    // What looks and what absorbs are the same evaluators, and never at the same time.
    let shared = std::sync::RwLock::new(running);
    let look = |batch: &Batch| -> Vec<Notes> {
        let running = shared.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let one = |(at, feed): &(usize, usize)| {
            let mut notes = Notes { total: batch.rows as u64, ..Notes::default() };
            if let Ok(evaluator) = &running[*at] {
                for (number, values) in batch.rows().enumerate() {
                    let view = View { values, number, odd: &batch.odd, slots: &slots };
                    evaluator.look(*feed, batch.first + number as u64, view, &mut notes);
                }
            }
            notes
        };
        looking.iter().map(one).collect()
    };
    let mut absorb = |all: Vec<Notes>| -> io::Result<()> {
        let mut running = shared.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for ((at, feed), notes) in looking.iter().zip(all) {
            if let Ok(evaluator) = &mut running[*at]
                && let Err(error) = evaluator.absorb(*feed, notes)
            {
                // What one of them cannot keep is its own failure: the others may need no file.
                running[*at] = Err(error.into());
            }
        }
        Ok(())
    };
    source.scan(&feed, &look, &mut absorb).await
}

/// The hash of a key: of 128 bits, so that two keys of one data set do not share one. A whole number is its own.
pub(crate) fn hash(bytes: &[u8]) -> u128 {
    if let Some(number) = whole_number(bytes) {
        return of_whole(number);
    }
    let half = |seed: u64| {
        let mut hasher = FixedState::with_seed(seed).build_hasher();
        hasher.write(bytes);
        u128::from(hasher.finish())
    };
    // No whole number has anything in the upper half.
    half(0x5EED_0001).max(1) << 64 | half(0x9E37_79B9_7F4A_7C15)
}

/// The key that a whole number is: sorted by their keys, numbers stand in their order.
fn of_whole(number: i64) -> u128 {
    u128::from(number as u64 ^ (1 << 63))
}

/// A key of several parts.
pub(crate) enum KeyOf {
    /// Every part is there.
    Whole(u128),
    /// So many parts are NULL, of how many.
    Nulls { nulls: usize, hash: u128 },
}

/// The key of a row.
pub(crate) fn key_of(parts: &[Part], row: View<'_>, at: &Moment) -> Result<KeyOf, Fault> {
    if let [part] = parts
        && let Some(number) = part.whole(&|column| row.get(column))
    {
        return Ok(KeyOf::Whole(of_whole(number)));
    }
    let mut bytes = Vec::with_capacity(64);
    let mut nulls = 0;
    for part in parts {
        if !part.write(at, &|column| row.get(column), &mut bytes)? {
            nulls += 1;
            bytes.push(b'0');
        }
    }
    let hash = hash(&bytes);
    Ok(if nulls == 0 { KeyOf::Whole(hash) } else { KeyOf::Nulls { nulls, hash } })
}

/// Whether a row is one of those that a rule is about: an unknown condition is not met.
pub(crate) fn concerns(filter: Option<&Bound>, row: View<'_>, at: &Moment) -> bool {
    use relink_rules::expression::Judged;
    filter.is_none_or(|filter| filter.judge(at, &|column| row.get(column)) == Judged::Holds)
}

/// Counts distinct hashes, up to a bound past which one more is not told from another.
#[derive(Debug, Default)]
pub(crate) struct Distinct {
    seen: HashSet<u128>,
    beyond: u64,
}

impl Distinct {
    /// Hashes kept at most: 48 MB.
    const KEPT_MAX: usize = 1_000_000;

    fn add(&mut self, hash: u128) {
        if self.seen.len() < Self::KEPT_MAX {
            self.seen.insert(hash);
        } else if !self.seen.contains(&hash) {
            self.beyond += 1;
        }
    }

    fn count(&self) -> u64 {
        self.seen.len() as u64 + self.beyond
    }
}
