//! Ids that stay what they are: baselines and suppressions hang on them. A rule that stands alone is called by its key and its columns; of several that would be
//! called the same each has a few letters of its own text in its id, so that none takes another's place, whatever is written before it.

use std::collections::HashMap;

use relink_model::config::{Config, ConfigError};
use relink_rules::expression::normalised;

use super::{Check, settings::mistake};
use crate::report::fingerprint;

/// Letters of a rule's text in its id.
const LETTERS: usize = 8;

/// Tells checks of the same id apart. What the schema promises keeps it, or, of several, is numbered in the catalog's order, which is stable.
pub(crate) fn tell_apart(checks: &mut [Check]) {
    let mut alike: HashMap<String, usize> = HashMap::new();
    for check in checks.iter() {
        *alike.entry(check.id.clone()).or_default() += 1;
    }
    for check in checks.iter_mut().filter(|check| alike.get(&check.id).is_some_and(|times| *times > 1)) {
        if let Some(said) = &check.said {
            let letters: String = fingerprint(&normalised(said)).chars().take(LETTERS).collect();
            check.id = format!("{}#{letters}", check.id);
        }
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for check in checks {
        let times = seen.entry(check.id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            check.id = format!("{}#{times}", check.id);
        }
    }
}

/// Ids of `[[check]]` that something else has already.
pub(super) fn taken(config: &Config, checks: &[Check]) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for (at, entry) in config.check.iter().enumerate() {
        let Some(id) = &entry.id else { continue };
        if let Some(other) = config.check[..at].iter().position(|other| other.id.as_ref() == Some(id)) {
            errors.push(mistake(
                at,
                entry,
                "id",
                &format!("entry number {} has it, too: one id is one check", other + 1),
            ));
            continue;
        }
        let own = vec!["check".to_owned(), at.to_string()];
        let is_other = |check: &&Check| check.id == *id && check.rule.as_ref() != Some(&own);
        if entry.kind.is_some()
            && let Some(other) = checks.iter().find(is_other)
        {
            let whose = if other.rule.is_some() { "another rule" } else { "a promise of the schema" };
            let why = format!(
                "it is the id of {whose} already: give this one another, or leave out its kind to change that one"
            );
            errors.push(mistake(at, entry, "id", &why));
        }
    }
    errors
}
