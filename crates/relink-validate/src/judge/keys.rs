//! Rows that share what should be theirs alone.

use std::io;

use super::{
    Evaluator, Feed, KeyOf, Notes, Outcome, Setting, View, Wrong, concerns, key_of,
    log::{Key, Log},
};
use crate::plan::test::UniqueTest;

/// Finds rows with the same key.
pub(super) struct Keys {
    test: UniqueTest,
    setting: Setting,
    log: Log<Key>,
    outcome: Outcome,
    /// Rows whose key cannot be made, with why.
    faulty: Vec<Wrong>,
}

impl Keys {
    pub(super) fn new(test: UniqueTest, setting: Setting) -> Self {
        let log = Log::new(setting.memory.clone());
        Self { test, setting, log, outcome: Outcome::default(), faulty: Vec::new() }
    }
}

impl Evaluator for Keys {
    fn feeds(&self) -> Vec<Feed> {
        vec![Feed::new(self.test.relation, &[&self.test.parts], &[self.test.filter.as_ref()])]
    }

    fn look(&self, feed: usize, ordinal: u64, row: View<'_>, notes: &mut Notes) {
        if !concerns(self.test.filter.as_ref(), row, &self.setting.at) {
            notes.not_judged += 1;
            return;
        }
        match key_of(&self.test.parts, row, &self.setting.at) {
            Ok(KeyOf::Whole(hash)) => notes.keys.push(Key { hash, side: 0, ordinal }),
            Ok(KeyOf::Nulls { hash, .. }) if self.test.nulls_equal => notes.keys.push(Key { hash, side: 0, ordinal }),
            Ok(KeyOf::Nulls { .. }) => notes.not_judged += 1,
            Err(fault) => {
                notes.wrong.push(Wrong { feed, ordinal, problem: Some(fault.problem), ..Wrong::default() });
            }
        }
    }

    fn absorb(&mut self, _: usize, notes: Notes) -> io::Result<()> {
        self.outcome.total += notes.total;
        self.outcome.not_judged += notes.not_judged;
        self.faulty.extend(notes.wrong);
        self.log.extend(notes.keys)
    }

    fn finish(self: Box<Self>) -> io::Result<Outcome> {
        let mut outcome = self.outcome;
        let mut groups: Vec<Vec<u64>> = Vec::new();
        let mut group: Vec<u64> = Vec::new();
        let mut last = None;
        let mut keys = 0;
        let mut sorted = self.log.sorted()?;
        loop {
            let next = sorted.next()?;
            if next.map(|key| key.hash) != last {
                if group.len() > 1 {
                    groups.push(std::mem::take(&mut group));
                }
                group.clear();
                keys += u64::from(next.is_some());
            }
            let Some(key) = next else { break };
            last = Some(key.hash);
            group.push(key.ordinal);
        }
        outcome.judged_distinct = Some(keys);
        groups.sort_unstable();
        outcome.failed_distinct = groups.len() as u64;
        for (ordinals, number) in groups.into_iter().zip(1..) {
            for ordinal in ordinals {
                let wrong = Wrong { ordinal, group: Some(number), ..Wrong::default() };
                outcome.fail(wrong, self.setting.wrong_max);
            }
        }
        outcome.failed_distinct += self.faulty.len() as u64;
        for wrong in self.faulty {
            outcome.fail(wrong, self.setting.wrong_max);
        }
        Ok(outcome)
    }
}
