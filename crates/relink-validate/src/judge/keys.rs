//! Rows that share what should be theirs alone.

use std::{collections::HashSet, io};

use super::{
    Evaluator, Feed, KeyOf, Notes, Outcome, Setting, View, Wrong, concerns, key_of,
    log::{Key, Log, Sorted},
};
use crate::plan::test::UniqueTest;

/// The feed in which every row leaves 64 bits of its key.
const ALL: usize = 0;
/// The feed in which those rows are told apart that share them.
const SUSPECTS: usize = 1;

/// Finds rows with the same key. Keys are few bytes each until some look alike: then the rows are seen once more, and those alone keep their whole key.
pub(super) struct Keys {
    test: UniqueTest,
    setting: Setting,
    prints: Log<u64>,
    /// What several rows have left; `None`: more than the memory takes, so that every row is suspect.
    suspects: Option<HashSet<u64>>,
    log: Log<Key>,
    outcome: Outcome,
}

impl Keys {
    pub(super) fn new(test: UniqueTest, setting: Setting) -> Self {
        let (prints, log) = (Log::new(setting.memory.clone()), Log::new(setting.memory.clone()));
        let (suspects, outcome) = (Some(HashSet::new()), Outcome::new(&setting));
        Self { test, setting, prints, suspects, log, outcome }
    }

    fn feed(&self) -> Feed {
        Feed::new(self.test.relation, &[&self.test.parts], &[self.test.filter.as_ref()])
    }
}

/// 64 bits of a key.
fn print(hash: u128) -> u64 {
    // Of a whole number, which has nothing in the upper half, all it has.
    (hash >> 64) as u64 ^ hash as u64
}

/// Which prints stand there more than once, and how many different ones there are; `None` for more than so many.
fn repeated(mut sorted: Sorted<u64>, most: usize) -> io::Result<(Option<HashSet<u64>>, u64)> {
    let (mut found, mut distinct, mut last) = (Some(HashSet::new()), 0, None);
    while let Some(print) = sorted.next()? {
        if last == Some(print) {
            if let Some(set) = &mut found {
                set.insert(print);
            }
            if found.as_ref().is_some_and(|set| set.len() > most) {
                found = None;
            }
        } else {
            distinct += 1;
        }
        last = Some(print);
    }
    Ok((found, distinct))
}

impl Evaluator for Keys {
    fn feeds(&self) -> Vec<Feed> {
        vec![self.feed()]
    }

    fn later(&mut self) -> io::Result<Vec<Feed>> {
        let prints = std::mem::replace(&mut self.prints, Log::new(self.setting.memory.clone()));
        // A print takes about 16 bytes in a set.
        let (suspects, distinct) = repeated(prints.sorted()?, self.setting.memory.bytes / 16)?;
        self.suspects = suspects;
        self.outcome.judged_distinct = self.setting.counts_keys.then_some(distinct);
        let clean = self.suspects.as_ref().is_some_and(HashSet::is_empty);
        Ok(if clean { Vec::new() } else { vec![self.feed()] })
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        let all = feed == ALL;
        if !concerns(self.test.filter.as_ref(), row, &self.setting.at) {
            notes.not_judged += u64::from(all);
            return;
        }
        match key_of(&self.test.parts, row, &self.setting.at) {
            Ok(KeyOf::Nulls { .. }) if !self.test.nulls_equal => notes.not_judged += u64::from(all),
            Ok(KeyOf::Whole(hash) | KeyOf::Nulls { hash, .. }) => {
                let print = print(hash);
                if all {
                    notes.prints.push(print);
                } else if self.suspects.as_ref().is_none_or(|suspects| suspects.contains(&print)) {
                    notes.keys.push(Key::new(hash, 0, ordinal));
                }
            }
            Err(fault) if all => {
                notes.wrong.push(Wrong { feed, ordinal, problem: Some(fault.problem), ..Wrong::default() });
            }
            Err(_) => {}
        }
    }

    fn absorb(&mut self, feed: usize, notes: Notes) -> io::Result<()> {
        if feed == SUSPECTS {
            return self.log.extend(notes.keys);
        }
        self.outcome.total += notes.total;
        self.outcome.not_judged += notes.not_judged;
        notes.wrong.into_iter().for_each(|wrong| self.outcome.fail(wrong));
        self.prints.extend(notes.prints)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let mut outcome = self.outcome;
        let mut groups: Vec<Vec<u64>> = Vec::new();
        let mut group: Vec<u64> = Vec::new();
        let mut last = None;
        let mut sorted = self.log.sorted()?;
        loop {
            let next = sorted.next()?;
            if next.map(|key| key.hash()) != last {
                if group.len() > 1 {
                    groups.push(std::mem::take(&mut group));
                }
                group.clear();
            }
            let Some(key) = next else { break };
            last = Some(key.hash());
            group.push(key.ordinal());
        }
        groups.sort_unstable();
        // Rows whose key cannot be made are each a cause of their own.
        outcome.failed_distinct = groups.len() as u64 + outcome.failed;
        for (ordinals, number) in groups.into_iter().zip(1..) {
            for ordinal in ordinals {
                outcome.fail(Wrong { ordinal, group: Some(number), ..Wrong::default() });
            }
        }
        Ok(outcome)
    }
}
