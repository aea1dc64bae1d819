//! What checks found before and after a mending, side by side. Pure.

use std::collections::{HashMap, HashSet};

use relink_model::{Catalog, RelationName};

use super::{
    Mending, Refusal,
    rows::{Key, Words},
};
use crate::{
    Check,
    report::{CheckResult, Status},
};

/// New failing rows that a message names.
const NAMED_MAX: usize = 5;

/// The values by which a row is named.
type Name = Vec<Option<String>>;

/// Results by the checks' ids.
pub(super) type Results = HashMap<String, CheckResult>;

/// What the statements were about.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// By check: the rows that were mended.
    pub(super) mended: HashMap<String, HashSet<Name>>,
    /// Columns that got other values: a row that is named by them may have another name afterwards.
    pub(super) rewritten: HashMap<RelationName, HashSet<String>>,
}

impl Done {
    /// The rows that fail a check, where all of them are known, and by names that the statements left as they were.
    fn names(&self, catalog: &Catalog, result: &CheckResult) -> Option<HashSet<Name>> {
        if result.samples.len() as u64 != result.counts.failed {
            return None;
        }
        let relation = catalog.relation(catalog.id(&result.relation)?);
        let rewritten = self.rewritten.get(&result.relation);
        let stays = |name: &String| {
            relation.column(name).is_some() && rewritten.is_none_or(|rewritten| !rewritten.contains(name))
        };
        let stay = result.samples.first().is_none_or(|sample| sample.key.keys().all(stays));
        stay.then(|| result.samples.iter().map(|sample| name(&sample.key)).collect())
    }
}

/// A row's name without those of its columns.
pub(super) fn name(key: &Key) -> Name {
    key.values().cloned().collect()
}

/// Whether the findings are gone, and nothing else has come.
pub(super) fn compare(
    catalog: &Catalog,
    checks: &[Check],
    mendings: &mut [Mending],
    done: &Done,
    before: &Results,
    after: &Results,
    words: Words<'_>,
) -> Result<(), Refusal> {
    for mending in &mut *mendings {
        if let Some(result) = after.get(&mending.id) {
            mending.remaining = Some(result.counts.failed);
        }
    }
    measured(checks, after)?;
    for mending in mendings {
        let (expected, remaining) = (mending.found - mending.chosen, mending.remaining.unwrap_or_default());
        let mended = done.mended.get(&mending.id);
        let named = after.get(&mending.id).and_then(|result| done.names(catalog, result)).unwrap_or_default();
        let still = mended.is_some_and(|mended| !mended.is_disjoint(&named));
        if remaining != expected || still {
            return Err(Refusal::Remains { id: mending.id.clone(), remaining, expected });
        }
    }
    for check in checks {
        let (Some(before), Some(after)) = (before.get(&check.id), after.get(&check.id)) else { continue };
        let known = done.names(catalog, before);
        let new: Vec<&Key> = match (known, done.names(catalog, after)) {
            (Some(known), Some(_)) => {
                let new = |key: &&Key| !known.contains(&name(key));
                after.samples.iter().map(|sample| &sample.key).filter(new).collect()
            }
            _ => Vec::new(),
        };
        if after.counts.failed > before.counts.failed || !new.is_empty() {
            let named: Vec<String> = new.iter().take(NAMED_MAX).map(|key| words.row(&check.relation, key)).collect();
            return Err(Refusal::Worse {
                id: check.id.clone(),
                before: before.counts.failed,
                after: after.counts.failed,
                new: named.join(", "),
            });
        }
    }
    Ok(())
}

/// Refuses where a check could not be made: what a mending does to it would not be seen.
pub(super) fn measured(checks: &[Check], results: &Results) -> Result<(), Refusal> {
    let found = checks.iter().filter_map(|check| results.get(&check.id));
    match found.into_iter().find(|result| result.status == Status::Error) {
        Some(result) => {
            Err(Refusal::NotMeasured { id: result.id.clone(), why: result.why.clone().unwrap_or_default() })
        }
        None => Ok(()),
    }
}
