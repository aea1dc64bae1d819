//! References without a row that they refer to; or, of rows that count as deleted, with one.

use std::io;

use relink_rules::Part;

use super::{
    Evaluator, Feed, KeyOf, Notes, Outcome, Setting, View, Wrong, concerns, key_of,
    known::Known,
    log::{Key, Log},
};
use crate::plan::test::{Matching, ReferenceTest};

/// The side of referenced rows, which comes first among equal keys.
const REFERENCED: u32 = 0;
/// The side of references.
const REFERENCING: u32 = 1;

/// Keys listed with their number of rows, at most.
const FREQUENT_MAX: usize = 10;

/// Some parts of a reference are NULL, and others are not.
pub(crate) const HALF_NULL: &str = "half of the key is NULL";

/// The feed of references.
const REFERENCES: usize = 0;
/// The feed of what they refer to.
const TARGETS: usize = 1;

/// Compares references with what they refer to: at once where all that can be referred to is known and fits the memory, and else when everything has been
/// seen and sorted.
pub(super) struct References {
    test: ReferenceTest,
    setting: Setting,
    log: Log<Key>,
    /// All that can be referred to, where that is known.
    known: Option<Known>,
    /// Whether references have been seen already.
    begun: bool,
    outcome: Outcome,
}

impl References {
    pub(super) fn new(test: ReferenceTest, setting: Setting) -> Self {
        let (log, outcome) = (Log::new(setting.memory.clone()), Outcome::new(&setting));
        Self { test, setting, log, known: None, begun: false, outcome }
    }
}

impl Evaluator for References {
    fn feeds(&self) -> Vec<Feed> {
        let test = &self.test;
        let referencing = Feed::new(test.relation, &[&test.parts], &[test.filter.as_ref()]);
        let referenced = |target| Feed::new(target, &[&test.target_parts], &[test.target_filter.as_ref()]);
        std::iter::once(referencing).chain(test.target.map(referenced)).collect()
    }

    fn first(&self) -> Option<usize> {
        Some(TARGETS)
    }

    fn seen(&mut self, feed: usize) {
        // Which keys are distinct shows only among all of them.
        if feed == TARGETS && !self.begun && !self.setting.counts_keys {
            let bytes_max = Known::keys_max(self.log.bytes_max());
            self.known = self.log.take_if_small(bytes_max).map(|keys| Known::of(&keys));
        }
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let at = &self.setting.at;
        if feed == TARGETS {
            if concerns(self.test.target_filter.as_ref(), row, at)
                && let Ok(KeyOf::Whole(hash)) = key_of(&self.test.target_parts, row, at)
            {
                notes.keys.push(Key::new(hash, REFERENCED, ordinal));
            }
            return;
        }
        if !concerns(self.test.filter.as_ref(), row, at) {
            notes.not_judged += 1;
            return;
        }
        if row.leads_beyond(self.test.parts.iter().flat_map(Part::columns)) {
            notes.not_judged += 1;
            return;
        }
        let parts = self.test.parts.len();
        match key_of(&self.test.parts, row, at) {
            Ok(KeyOf::Whole(hash)) => {
                let fine = self.known.as_ref().is_some_and(|known| known.contains(hash) != self.test.dead);
                if !fine {
                    notes.keys.push(Key::new(hash, REFERENCING, ordinal));
                }
            }
            Ok(KeyOf::Nulls { nulls, .. }) if nulls < parts && self.test.matching == Matching::Full => {
                notes.wrong.push(Wrong { feed, ordinal, problem: Some(HALF_NULL.to_owned()), ..Wrong::default() });
            }
            Ok(KeyOf::Nulls { .. }) => notes.not_judged += 1,
            Err(fault) => {
                notes.wrong.push(Wrong { feed, ordinal, problem: Some(fault.problem), ..Wrong::default() });
            }
        }
    }

    fn absorb(&mut self, feed: usize, notes: Notes) -> io::Result<()> {
        if feed == REFERENCES {
            self.begun = true;
            self.outcome.total += notes.total;
            self.outcome.not_judged += notes.not_judged;
            notes.wrong.into_iter().for_each(|wrong| self.outcome.fail(wrong));
        }
        self.log.extend(notes.keys)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let Self { test, setting, log, known, mut outcome, .. } = *self;
        // So far rows that fail whatever the other relation holds.
        outcome.failed_distinct = outcome.failed;
        let mut sorted = log.sorted()?;
        let (mut last, mut found, mut wanted) = (None, false, false);
        let mut keys = 0;
        // Rows of the key that fails at present: the first one, and how many.
        let mut counted: Option<(u64, u64)> = None;
        let mut frequent: Vec<(u64, u64)> = Vec::new();
        while let Some(key) = sorted.next()? {
            if last != Some(key.hash()) {
                outcome.failed_distinct += u64::from(counted.is_some());
                frequent.extend(counted.take());
                // Of those that are known only what fails was taken down.
                (last, found, wanted) = (Some(key.hash()), known.is_some() && test.dead, false);
            }
            // A key counts once, whether or not what it refers to came before.
            if key.side() == REFERENCING && !wanted {
                (keys, wanted) = (keys + 1, true);
            }
            if key.side() == REFERENCED {
                found = true;
            } else if found == test.dead {
                let (_, rows) = counted.get_or_insert((key.ordinal(), 0));
                *rows += 1;
                outcome.fail(Wrong { ordinal: key.ordinal(), ..Wrong::default() });
            }
            // Bounded: only the most frequent ones are wanted.
            if frequent.len() > 100_000 {
                keep_most_frequent(&mut frequent);
            }
        }
        outcome.failed_distinct += u64::from(counted.is_some());
        frequent.extend(counted);
        keep_most_frequent(&mut frequent);
        outcome.frequent = frequent;
        outcome.judged_distinct = setting.counts_keys.then_some(keys);
        Ok(outcome)
    }
}

/// Of keys with their rows the most frequent, by their number, then in the order of the rows.
fn keep_most_frequent(frequent: &mut Vec<(u64, u64)>) {
    frequent.sort_unstable_by_key(|(ordinal, rows)| (std::cmp::Reverse(*rows), *ordinal));
    frequent.truncate(FREQUENT_MAX);
}
